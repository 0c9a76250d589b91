//! What could go wrong around a restore rather than in it: other people's databases, killed processes, other users.
#![allow(clippy::unwrap_used)] // helpers of tests

mod scene;

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use scene::programs::Program;
use scene::restore::{Scene, content, unique};
use scene::{Diary, Home};
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::{Catalog, CatalogExt, JobKind, JobQuery, JobState, NewJob, Step};
use walwarden_core::chain::Subject;
use walwarden_core::clock::{Clock, SystemClock, SystemRandom, new_job_id};
use walwarden_core::restore::{Mode, RestoreSession, Restored, Spooling};
use walwarden_core::source::{Client, Codec, Compression, Dsn};
use walwarden_core::watch::{Cancel, StateChange, Transfer, Unwatched, Watch};
use walwarden_core::{Code, Result};
use walwarden_testkit::postgres::{Postgres, bin_dir, shared};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_took_the_name_meanwhile_is_left_alone() {
    let scene = Scene::new(17).await;
    let target = Postgres::start(17);
    let mut request = scene.request("postgres", Mode::NewDatabase).await;
    request.target = Dsn::parse(&target.dsn("postgres")).unwrap();
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let name = plan.database().to_owned();
    target.create_database(&name).await;
    target.sql(&name, "create table somebody_elses (id int); insert into somebody_elses values (1)").await;

    let error = scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::TargetExists, "{error:?}");
    let row =
        target.connect(&name).await.query_one("select count(*) from somebody_elses", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 1);
    let databases = Scene::databases(&target).await;
    assert!(databases.iter().all(|name| !name.starts_with("walwarden_restore_")), "{databases:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_keeps_what_the_dump_does_not_hold() {
    let scene = Scene::new(17).await;
    scene
        .postgres
        .sql(&scene.source, "create table mine (id int); insert into mine values (7); delete from orders")
        .await;
    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    request.confirm_destructive = true;
    scene.run(request).await.unwrap();
    let client = scene.postgres.connect(&scene.source).await;
    let row =
        client.query_one("select (select id from mine), (select count(*) from orders)", &[]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, i64>(1)), (7, 2000));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_into_an_older_server_has_no_transaction_and_says_so() {
    let scene = Scene::new(17).await;
    let server = shared(15);
    let database = server.fresh_database("older").await;
    let mut request = scene.request("postgres", Mode::InPlace).await;
    request.target = Dsn::parse(&server.dsn(&database)).unwrap();
    request.confirm_destructive = true;
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    assert!(!plan.in_one_transaction());
    assert!(plan.notices().iter().any(|notice| notice.contains("half replaced")), "{:?}", plan.notices());
    scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    assert_eq!(content(scene.postgres, &scene.source).await, content(server, &database).await);
}

/// Takes connections while it lives, and says nothing.
fn silent_target(connect_timeout: u32) -> (TcpListener, Dsn) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dsn = format!("postgres://u@127.0.0.1:{port}/d?connect_timeout={connect_timeout}");
    (listener, Dsn::parse(&dsn).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_takes_the_connection_and_stays_silent_is_target_unreachable() {
    let scene = Scene::new(17).await;
    let (_listener, target) = silent_target(1);
    let mut request = scene.named(&unique("silent")).await;
    request.target = target;
    let session = scene.home.engine.restore();
    let planned = tokio::time::timeout(Duration::from_secs(10), session.plan(request)).await;
    let error = planned.expect("the login ends by itself").unwrap_err();
    assert_eq!(error.code(), Code::TargetUnreachable, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_stops_when_it_is_asked_to() {
    let scene = Scene::new(17).await;
    let (listener, target) = silent_target(600);
    let mut request = scene.named(&unique("silent")).await;
    request.target = target;
    let (cancel, session) = (request.cancel.clone(), scene.home.engine.restore());
    let planning = tokio::spawn(async move { session.plan(request).await });
    // It waits for the target by now.
    let (_connection, _) = listener.accept().unwrap();
    cancel.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(10), planning).await;
    let error = stopped.expect("it stops").unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Cancelled, "{error:?}");

    // What stops the planning need not stop the restore.
    let name = unique("stopped");
    let request = scene.named(&name).await;
    let cancel = request.cancel.clone();
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    cancel.cancel();
    let stopped = scene.home.engine.restore().apply(plan.clone(), &Diary::default()).await.unwrap_err();
    assert_eq!(stopped.code(), Code::Cancelled);
    let again = plan.stopped_by(Cancel::default());
    assert_eq!(scene.home.engine.restore().apply(again, &Diary::default()).await.unwrap().database, name);
}

/// Looks at the spool folder while the dump is fetched.
#[derive(Debug)]
struct Inspector {
    spool: std::path::PathBuf,
    modes: std::sync::Mutex<Vec<u32>>,
}

impl Watch for Inspector {
    fn transfer(&self, _transfer: Transfer) {
        for entry in std::fs::read_dir(&self.spool).unwrap() {
            self.modes.lock().unwrap().push(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_spool_is_private_and_what_a_killed_restore_left_is_swept() {
    let scene = Scene::new(17).await;
    let spool = scene.folder.path().join("spool");
    let left = spool.join("walwarden-spool-dead");
    for spooling in [Spooling::Always, Spooling::Never] {
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join("archive.dump"), "PGDMP, somebody's data").unwrap();
        let mut request = scene.named(&unique("spooled")).await;
        (request.spooling, request.spool_dir) = (spooling, Some(spool.clone()));
        let plan = scene.home.engine.restore().plan(request).await.unwrap();
        let inspector = Inspector { spool: spool.clone(), modes: std::sync::Mutex::default() };
        scene.home.engine.restore().apply(plan, &inspector).await.unwrap();
        let modes = inspector.modes.into_inner().unwrap();
        assert!(!modes.is_empty());
        assert!(modes.iter().all(|mode| *mode == 0o700), "{modes:?}");
        assert!(std::fs::read_dir(&spool).unwrap().next().is_none(), "something is left in the spool folder");
    }
}

/// Changes a byte of the spooled dump once it was fetched, as a failing disk could.
#[derive(Debug)]
struct Decay(std::path::PathBuf);

impl Watch for Decay {
    fn state(&self, change: &StateChange) {
        if change.state == JobState::Verifying {
            let folder = std::fs::read_dir(&self.0).unwrap().next().unwrap().unwrap();
            let archive = folder.path().join("archive.dump");
            let mut bytes = std::fs::read(&archive).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&archive, bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_verified_is_what_lies_in_the_spool_not_what_came_over_the_wire() {
    let scene = Scene::new(17).await;
    let spool = scene.folder.path().join("spool");
    std::fs::create_dir_all(&spool).unwrap();
    let name = unique("decayed");
    let mut request = scene.named(&name).await;
    (request.spooling, request.spool_dir) = (Spooling::Always, Some(spool.clone()));
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let error = scene.home.engine.restore().apply(plan, &Decay(spool)).await.unwrap_err();
    assert_eq!(error.code(), Code::ArtifactMismatch, "{error:?}");
    assert!(!Scene::databases(scene.postgres).await.contains(&name));
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_dumps_are_readable_by_their_owner_only() {
    let scene = Scene::new(17).await;
    for name in scene.home.stored() {
        let path = scene.home.folder.join("store").join(&name);
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_whose_worker_vanished_is_sealed_as_timed_out_by_the_next() {
    let scene = Scene::new(17).await;
    let Home { catalog, .. } = &scene.home;
    let subject = Subject { org_id: "acme".parse().unwrap(), database_id: Some("shop".parse().unwrap()) };
    let id = new_job_id(&SystemClock, &SystemRandom);
    let new = NewJob::restore(id, subject.clone(), SystemClock.now(), scene.sealed.manifest_sha256);
    catalog.enter(new).await.unwrap();
    catalog.claim(id, "a worker that dies", SystemClock.now(), Duration::from_millis(1)).await.unwrap();
    // One died before it claimed its restore, one's lease is from before the clock was set back; one has just begun.
    let long_ago = walwarden_testkit::clock::after(SystemClock.now(), -3_600_000);
    let tomorrow = walwarden_testkit::clock::after(SystemClock.now(), 86_400_000);
    let mut ids = Vec::new();
    for queued_at in [long_ago, long_ago, SystemClock.now()] {
        ids.push(new_job_id(&SystemClock, &SystemRandom));
        let new =
            NewJob::restore(ids[ids.len() - 1], subject.clone(), queued_at, scene.sealed.manifest_sha256);
        catalog.enter(new).await.unwrap();
    }
    catalog.claim(ids[1], "a worker of tomorrow", tomorrow, Duration::from_millis(600)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;

    scene.run(scene.named(&unique("after")).await).await.unwrap();
    let jobs = catalog.jobs(JobQuery::of(&subject).kind(JobKind::Restore)).await.unwrap();
    let state = |wanted| jobs.iter().find(|job| job.id == wanted).unwrap().state;
    assert_eq!(state(id), JobState::TimedOut);
    assert_eq!([ids[0], ids[1]].map(state), [JobState::TimedOut; 2]);
    assert_eq!(state(ids[2]), JobState::Triggered);
    assert_eq!(scene.home.assert_provable().await, 1);
}

/// A restore that hangs in `pg_restore`, its database half built.
struct Hanging {
    scene: Scene,
    target: Postgres,
    program: Program,
}

impl Hanging {
    async fn start() -> (Hanging, tokio::task::JoinHandle<Result<Restored>>) {
        let scene = Scene::new(17).await;
        let target = Postgres::start(17);
        let program = Program::new("").with("pg_restore", "touch \"$HERE/begun\"; exec sleep 300");
        let mut request = scene.named("wanted").await;
        request.target = Dsn::parse(&target.dsn("postgres")).unwrap();
        request.clients = program.clients().await;
        let session = scene.home.engine.restore();
        let plan = session.plan(request).await.unwrap();
        let worker = tokio::spawn(async move { session.apply(plan, &Unwatched).await });
        program.reached("begun").await;
        let hanging = Hanging { scene, target, program };
        assert_eq!(hanging.own_databases().await, 1, "the stage is set");
        (hanging, worker)
    }

    async fn own_databases(&self) -> usize {
        let names = Scene::databases(&self.target).await;
        names.iter().filter(|name| name.starts_with("walwarden_restore_") || *name == "wanted").count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_dropped_halfway_still_removes_what_it_built() {
    let (hanging, worker) = Hanging::start().await;
    worker.abort();
    let _ = worker.await;
    for _ in 0..300 {
        if hanging.own_databases().await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the half-built database is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_loses_its_lease_cleans_up_before_it_says_so() {
    let (hanging, worker) = Hanging::start().await;
    let catalog = &hanging.scene.home.catalog;
    let job = catalog.jobs(JobQuery::default().kind(JobKind::Restore)).await.unwrap().remove(0);
    let at = walwarden_testkit::clock::after(SystemClock.now(), 3_600_000);
    catalog.step(Step::new(job.id, JobState::TimedOut, at)).await.unwrap();
    let error = worker.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::JobHeld, "{error:?}");
    assert_eq!(hanging.own_databases().await, 0);
    drop(hanging.program);
}

/// A server of another language: `pg_restore`'s own words stay English.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_server_that_answers_in_german_takes_a_newer_backup() {
    let scene = Scene::new(17).await;
    let server = shared(15);
    let translated = format!(
        "exec 3>&1; {}/pg_restore \"$@\" 2>&1 >&3 | \
         sed 's/ERROR:  unrecognized configuration parameter \"\\(.*\\)\"/FEHLER:  unbekannter Konfigurationsparameter »\\1«/' \
         | tee -a \"$HERE/said\" >&2; exit ${{PIPESTATUS[0]}}",
        bin_dir(17).display()
    );
    let program = Program::new("").with("pg_restore", &translated);
    let name = unique("deutsch");
    let mut request = scene.named(&name).await;
    request.target = Dsn::parse(&server.dsn("postgres")).unwrap();
    request.clients = program.clients().await;
    let restored = scene.run(request).await.unwrap();
    assert!(
        restored.notices.iter().any(|told| told.contains("transaction_timeout")),
        "{:?}",
        restored.notices
    );
    assert_eq!(content(scene.postgres, &scene.source).await, content(server, &name).await);
    let said = std::fs::read_to_string(program.file("said")).unwrap();
    assert!(said.contains("FEHLER:  unbekannter Konfigurationsparameter »transaction_timeout«"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_archives_compression_is_not_chosen() {
    let mut scene = Scene::new(17).await;
    let mut backup = scene.home.request(&scene.postgres.dsn(&scene.source)).await;
    backup.options.compression = Some(Compression::new(Codec::Zstd));
    scene.sealed = scene.home.engine.backup().run(backup, &Unwatched).await.unwrap();

    let without = tempfile::tempdir().unwrap();
    let answers = "case \"$*\" in --version) echo 'pg_dump (PostgreSQL) 18.9';; \
                   *) echo 'this build does not support compression with ZSTD' >&2; exit 1;; esac";
    scene::programs::write_executable(&without.path().join("pg_dump"), &format!("#!/bin/sh\n{answers}\n"));
    let lacking = Client::at(without.path()).await.unwrap();
    let real = Client::at(&bin_dir(17)).await.unwrap();
    let name = unique("zstd");
    let mut request = scene.named(&name).await;
    request.target = Dsn::parse(&shared(18).dsn("postgres")).unwrap();
    request.clients = [lacking.clone(), real].into_iter().collect();
    let plan = scene.home.engine.restore().plan(request.clone()).await.unwrap();
    assert_eq!(plan.client().major(), 17);
    request.clients = [lacking].into_iter().collect();
    let error = scene.home.engine.restore().plan(request).await.unwrap_err();
    assert_eq!(error.code(), Code::ClientMissing, "{error:?}");
    assert!(error.message().contains("can read zstd"), "{error}");
}

/// Hands on to the server, and breaks the connection once the server was told to commit, as a network may.
async fn losing_the_answer_to_a_commit(server: u16) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = tokio::net::TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::spawn(async move {
                let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
                loop {
                    tokio::select! {
                        read = client.read(&mut asked) => {
                            let Ok(length @ 1..) = read else { return };
                            if server.write_all(&asked[..length]).await.is_err() { return }
                            if asked[..length].windows(6).any(|text| text == b"COMMIT") {
                                let _carried_out = server.read(&mut answered).await;
                                return;
                            }
                        }
                        read = server.read(&mut answered) => {
                            let Ok(length @ 1..) = read else { return };
                            if client.write_all(&answered[..length]).await.is_err() { return }
                        }
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_a_commit_without_an_answer_is_not_called_unchanged() {
    let scene = Scene::new(17).await;
    let before = content(scene.postgres, &scene.source).await;
    scene.postgres.sql(&scene.source, "delete from orders").await;
    let port = losing_the_answer_to_a_commit(scene.postgres.port()).await;
    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    let through = scene.postgres.dsn(&scene.source);
    let through = through.replace(&scene.postgres.port().to_string(), &port.to_string());
    request.target = Dsn::parse(&format!("{through}?sslmode=disable&gssencmode=disable")).unwrap();
    request.confirm_destructive = true;
    let error = scene.run(request).await.unwrap_err();
    assert_eq!(error.code(), Code::TargetConnectionLost, "{error:?}");
    assert!(error.message().contains("is not known") && !error.message().contains("unchanged"), "{error}");
    assert_eq!(content(scene.postgres, &scene.source).await, before, "it was carried out");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_a_cancelled_restore_does_not_say_that_nothing_changed() {
    let scene = Scene::new(17).await;
    let program = Program::new("").with("pg_restore", "touch \"$HERE/begun\"; exec sleep 300");
    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    request.confirm_destructive = true;
    request.clients = program.clients().await;
    let (cancel, session) = (request.cancel.clone(), scene.home.engine.restore());
    let plan = session.plan(request).await.unwrap();
    let worker = tokio::spawn(async move { session.apply(plan, &Unwatched).await });
    program.reached("begun").await;
    cancel.cancel();
    let error = worker.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Cancelled, "{error:?}");
    assert!(error.message().contains("is not known"), "{error}");
    assert!(
        !error.message().contains("unchanged") && !error.message().contains("walwarden_restore_"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_target_does_not_know_is_target_too_old() {
    let sql = "create table codes (code text unique nulls not distinct)"; // since 15
    let scene = Scene::of(17, sql).await;
    let target = shared(14);
    let mut request = scene.named(&unique("too_old")).await;
    request.target = Dsn::parse(&target.dsn("postgres")).unwrap();
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let name = plan.database().to_owned();
    assert!(plan.notices().iter().any(|notice| notice.contains("older server")), "{:?}", plan.notices());
    let error = scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit() as u8), (Code::TargetTooOld, 2), "{error:?}");
    assert!(error.message().contains("nothing was left behind"), "{error}");
    assert!(!Scene::databases(target).await.contains(&name));
}
