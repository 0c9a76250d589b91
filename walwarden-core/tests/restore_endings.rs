//! How a restore ends when its lease, its catalogue or its connection is lost near the end.
#![allow(clippy::unwrap_used)] // helpers of tests

mod scene;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scene::programs::Program;
use scene::restore::{Scene, unique};
use scene::{Diary, Home};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use walwarden_core::catalog::{
    Catalog, CatalogExt, ChainRecord, Genesis, Job, JobKind, JobQuery, JobState, NewJob, Step, Write, Written,
};
use walwarden_core::chain::{AuditChain, Subject};
use walwarden_core::clock::{Clock, SystemClock, SystemRandom, new_job_id};
use walwarden_core::restore::{Check, Mode, RestoreSession, Restored, Spooling};
use walwarden_core::source::Dsn;
use walwarden_core::verify::Row;
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Error, Result};
use walwarden_testkit::postgres::Postgres;

/// What befalls a catalogue.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    /// It cannot be written to at the end of a restore.
    LockedAtTheEnd,
    /// Another restore seals a dead one between our look and our word.
    RivalSeals,
}

#[derive(Debug)]
struct Troubled(Arc<dyn Catalog>, Trouble);

#[async_trait]
impl Catalog for Troubled {
    async fn write(&self, write: Write) -> Result<Written> {
        let Write::Step(step) = &write else { return self.0.write(write).await };
        match (self.1, step.to) {
            (Trouble::LockedAtTheEnd, JobState::Finalizing) => {
                return Err(Error::new(Code::CatalogLocked, "the catalogue is locked"));
            }
            (Trouble::RivalSeals, JobState::TimedOut) => drop(self.0.write(write.clone()).await?),
            _ => {}
        }
        self.0.write(write).await
    }
    async fn jobs(&self, query: JobQuery) -> Result<Vec<Job>> {
        self.0.jobs(query).await
    }
    async fn chain(&self, subject: &Subject) -> Result<Option<ChainRecord>> {
        self.0.chain(subject).await
    }
    async fn start_chain(&self, genesis: Genesis) -> Result<Arc<dyn AuditChain>> {
        self.0.start_chain(genesis).await
    }
    async fn adopt(&self, subject: &Subject, rows: Vec<Row>, jobs: Vec<Job>) -> Result<()> {
        self.0.adopt(subject, rows, jobs).await
    }
}

/// A sealed backup, its restores befallen.
async fn troubled(trouble: Trouble) -> Scene {
    let mut scene = Scene::new(17).await;
    scene.home = Home::open_with(
        scene.folder.path(),
        |storage| storage,
        move |catalog: Arc<dyn Catalog>| -> Arc<dyn Catalog> { Arc::new(Troubled(catalog, trouble)) },
    )
    .await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_restore_that_another_seals_first_is_no_obstacle() {
    let scene = troubled(Trouble::RivalSeals).await;
    let subject = Subject { org_id: "acme".parse().unwrap(), database_id: Some("shop".parse().unwrap()) };
    let long_ago = walwarden_testkit::clock::after(SystemClock.now(), -3_600_000);
    let id = new_job_id(&SystemClock, &SystemRandom);
    let dead = NewJob::restore(id, subject.clone(), long_ago, scene.sealed.manifest_sha256);
    scene.home.catalog.enter(dead).await.unwrap();

    scene.run(scene.named(&unique("after")).await).await.unwrap();
    let jobs = scene.home.catalog.jobs(JobQuery::of(&subject).kind(JobKind::Restore)).await.unwrap();
    let sealed = jobs.iter().find(|job| job.id == id).unwrap();
    assert_eq!(sealed.state, JobState::TimedOut);
    assert_eq!(scene.home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complete_restore_whose_end_cannot_be_recorded_is_a_complete_restore() {
    let scene = troubled(Trouble::LockedAtTheEnd).await;
    let name = unique("unrecorded");
    let session = scene.home.engine.restore();
    let plan = session.plan(scene.named(&name).await).await.unwrap();
    let diary = Diary::default();
    let restored = session.apply(plan, &diary).await.unwrap();
    assert_eq!(restored.database, name);
    assert!(diary.notices().contains("could not be recorded"), "{}", diary.notices());
    assert!(Scene::databases(scene.postgres).await.contains(&name));
}

/// A restore into a server of its own, its `pg_restore` waiting until it is let go.
struct Waiting {
    scene: Scene,
    target: Postgres,
    program: Program,
    /// The database under construction, which nobody can rename or drop until this connection's transaction ends.
    held: tokio_postgres::Client,
}

impl Waiting {
    async fn start() -> (Waiting, tokio::task::JoinHandle<Result<Restored>>) {
        let (scene, target) = (Scene::new(17).await, Postgres::start(17));
        let wait = "touch \"$HERE/begun\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.05; done";
        let program = Program::new("").with("pg_restore", wait);
        let mut request = scene.named("wanted").await;
        request.target = Dsn::parse(&target.dsn("postgres")).unwrap();
        request.clients = program.clients().await;
        (request.check, request.spooling) = (Check::None, Spooling::Always); // nothing is restored
        let session = scene.home.engine.restore();
        let plan = session.plan(request).await.unwrap();
        let worker = tokio::spawn(async move { session.apply(plan, &Unwatched).await });
        program.reached("begun").await;
        let names = Scene::databases(&target).await;
        let building = names.iter().find(|name| name.starts_with("walwarden_restore_")).unwrap();
        let held = target.connect("postgres").await;
        held.batch_execute(&format!("begin; comment on database {building} is 'held'")).await.unwrap();
        (Waiting { scene, target, program, held }, worker)
    }

    /// Waits until a statement of the restore waits for our transaction to end.
    async fn until_blocked(&self) {
        let client = self.target.connect("postgres").await;
        for _ in 0..1_000 {
            let sql = "select count(*) from pg_locks where not granted";
            if client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing waits");
    }

    async fn lose_lease(&self) {
        let catalog = &self.scene.home.catalog;
        let job = catalog.jobs(JobQuery::default().kind(JobKind::Restore)).await.unwrap().remove(0);
        let at = walwarden_testkit::clock::after(SystemClock.now(), 3_600_000);
        catalog.step(Step::new(job.id, JobState::TimedOut, at)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_completes_although_its_lease_is_lost_is_complete() {
    let (waiting, worker) = Waiting::start().await;
    std::fs::write(waiting.program.file("go"), "").unwrap();
    waiting.until_blocked().await; // the rename
    waiting.lose_lease().await;
    tokio::time::sleep(Duration::from_secs(1)).await; // several renewals
    waiting.held.batch_execute("rollback").await.unwrap();
    assert_eq!(worker.await.unwrap().unwrap().database, "wanted");
    assert!(Scene::databases(&waiting.target).await.contains(&"wanted".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_does_not_hurry_the_removal_of_what_was_built() {
    let (waiting, worker) = Waiting::start().await;
    waiting.lose_lease().await;
    waiting.until_blocked().await; // the removal
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!worker.is_finished(), "it would leave the database behind");
    waiting.held.batch_execute("rollback").await.unwrap();
    assert_eq!(worker.await.unwrap().unwrap_err().code(), Code::JobHeld);
    let names = Scene::databases(&waiting.target).await;
    assert!(
        !names.iter().any(|name| name.starts_with("walwarden_restore_") || name == "wanted"),
        "{names:?}"
    );
}

/// Stands before a server, and breaks a connection after the server has answered to a rename, without handing the answer on.
async fn losing_the_answer_to_a_rename(server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(hand_on(client, TcpStream::connect(("127.0.0.1", server)).await.unwrap()));
        }
    });
    port
}

async fn hand_on(mut client: TcpStream, mut server: TcpStream) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut renaming = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(length @ 1..) => {
                    renaming |= asked[..length].windows(10).any(|text| text == b" rename to");
                    server.write_all(&asked[..length]).await.unwrap();
                }
                _ => return,
            },
            read = server.read(&mut answered) => match read {
                Ok(length @ 1..) if !renaming => {
                    if client.write_all(&answered[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_whose_answer_is_lost_leaves_nothing_behind() {
    let (scene, target) = (Scene::new(17).await, Postgres::start(17));
    let port = losing_the_answer_to_a_rename(target.port()).await;
    let mut request = scene.request("postgres", Mode::NewDatabase).await;
    request.created_database = Some("wanted".to_owned());
    let dsn = target.dsn("postgres");
    let through = dsn.replace(&target.port().to_string(), &port.to_string());
    assert_ne!(dsn, through);
    request.target = Dsn::parse(&through).unwrap();
    let error = scene.run(request).await.unwrap_err();
    assert_eq!(error.code(), Code::TargetConnectionLost, "{error:?}");
    assert!(error.message().ends_with("nothing was left behind"), "{error}");
    let names = Scene::databases(&target).await;
    assert!(
        !names.iter().any(|name| name.starts_with("walwarden_restore_") || name == "wanted"),
        "{names:?}"
    );
}
