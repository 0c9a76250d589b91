//! Several processes at one database: killed in mid-upload, racing for a job, robbed of a lease.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scene::bucket::{UNCOMPRESSED, large_database, storage};
use scene::programs::{Program, wait_until};
use scene::{Diary, Home, SHOP, Setup};
use walwarden_core::backup::{BackupRequest, BackupRunner, SealedBackup};
use walwarden_core::catalog::{
    Catalog, CatalogExt, ChainRecord, Genesis, Job, JobQuery, JobState, Write, Written,
};
use walwarden_core::chain::{AuditChain, Subject};
use walwarden_core::clock::{Clock, SystemClock};
use walwarden_core::storage::Location;
use walwarden_core::verify::{EventKind, Row, Timestamp};
use walwarden_core::watch::{StateChange, Transfer, Unwatched, Watch};
use walwarden_core::{Code, Error, Exit, Result};
use walwarden_testkit::clock::after;
use walwarden_testkit::postgres::shared;
use walwarden_testkit::storage::S3Server;

const FOLDER: &str = "WALWARDEN_CHILD_FOLDER";
const SOURCE: &str = "WALWARDEN_CHILD_SOURCE";
const BUCKET: &str = "WALWARDEN_CHILD_BUCKET";
const DIES_AFTER: &str = "WALWARDEN_CHILD_DIES_AFTER_BYTES";

/// Ends the process by SIGKILL once so many bytes were sent.
#[derive(Debug)]
struct Mortal(u64);

impl Watch for Mortal {
    fn transfer(&self, transfer: Transfer) {
        if transfer.done_bytes >= self.0 {
            let _ = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
            std::thread::sleep(Duration::from_secs(30));
        }
    }
}

/// The child's part: one backup; the exit status tells how it ended.
#[test]
#[ignore = "a process of the tests below"]
#[allow(clippy::disallowed_methods, clippy::exit)] // the parent speaks to its child through the environment
fn child() {
    use std::env::var;
    let (folder, source) = (var(FOLDER).unwrap(), var(SOURCE).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        // Racing processes starve each other now and then; that must not end a lease.
        let (storage, lease) = match var(BUCKET) {
            Ok(url) => (Some(storage(&Location::parse(&url).unwrap(), S3Server::credentials()).await), SHORT),
            Err(_) => (None, Duration::from_secs(3)),
        };
        let setup = Setup { storage, lease: Some(lease), ..Setup::default() };
        let home = Home::set_up(Path::new(&folder), setup).await;
        let mut request = home.request(&source).await;
        request.options.compression = Some(UNCOMPRESSED);
        let dies_after = var(DIES_AFTER).map_or(u64::MAX, |text| text.parse().unwrap());
        home.engine.backup().run(request, &Mortal(dies_after)).await
    });
    match outcome {
        Ok(_) => {}
        Err(error) if error.code() == Code::JobHeld => std::process::exit(HELD),
        Err(error) => panic!("{error:?}"),
    }
}

const HELD: i32 = 42;
const SHORT: Duration = Duration::from_millis(600);

fn start_child(folder: &Path, source: &str, more: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture"]).env(FOLDER, folder).env(SOURCE, source);
    command.envs(more.iter().copied()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

async fn finished(mut child: Child) -> std::process::ExitStatus {
    tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap()
}

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    shared(17).dsn(&name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_in_mid_upload_leaves_an_open_upload_and_the_next_run_removes_it() {
    let (server, source) = (S3Server::start().await, large_database().await);
    for megabytes in [9, 18] {
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("killed-after-{megabytes}");
        let (bucket, bytes) = (server.location(&prefix).to_string(), (megabytes << 20).to_string());
        let child = start_child(folder.path(), &source, &[(BUCKET, &bucket), (DIES_AFTER, &bytes)]);
        let status = finished(child).await;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
        assert_eq!(server.unfinished_uploads(), 1, "the stage is set");

        let home = scene::bucket::home(folder.path(), &server, &prefix).await;
        assert_eq!(home.backup_objects().await, Vec::<String>::new());
        let diary = Diary::default();
        let mut request = home.request(&source).await;
        request.options.compression = Some(UNCOMPRESSED);
        home.engine.backup().run(request, &diary).await.unwrap();
        assert!(diary.notices().contains("interrupted backup"), "{}", diary.notices());
        assert_eq!(server.unfinished_uploads(), 0);
        assert_eq!(home.failures().await, [("worker-lost".to_owned(), true, 1)]);
        assert_eq!(home.assert_nothing_half().await, 1);
        assert_eq!(home.assert_provable().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_back_up_one_database_at_once_never_share_a_job() {
    let source = shop().await;
    for _round in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        drop(Home::open(folder.path()).await); // one key for all
        let children: Vec<_> = (0..3).map(|_| start_child(folder.path(), &source, &[])).collect();
        let mut sealed = 0;
        for child in children {
            match finished(child).await.code() {
                Some(0) => sealed += 1,
                Some(HELD) => {}
                other => panic!("a child ended with {other:?}"),
            }
        }
        let home = Home::open(folder.path()).await;
        let jobs = home.jobs().await;
        assert!(sealed >= 1);
        assert!(jobs.iter().all(|job| (job.state, job.attempt) == (JobState::Completed, 1)), "{jobs:#?}");
        assert_eq!(jobs.len(), sealed, "each that succeeded has a job of its own");
        assert_eq!(home.assert_nothing_half().await, sealed);
        assert_eq!(home.assert_provable().await, sealed as u64);
    }
}

/// A run under way by a slow `pg_dump`, and a second worker of the same installation.
struct Pair {
    folder: tempfile::TempDir,
    program: Program,
    source: String,
    lease: Duration,
    first: tokio::task::JoinHandle<Result<SealedBackup>>,
}

impl Pair {
    /// The dump begins when the test leaves `go`.
    async fn start(lease: Duration) -> Pair {
        let script =
            "touch \"$HERE/begun\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.02; done; exec \"$REAL\" \"$@\"";
        let (folder, source, program) = (tempfile::tempdir().unwrap(), shop().await, Program::new(script));
        let home = named(folder.path(), "first", Arc::new(SystemClock), lease).await;
        let mut request = home.request(&source).await;
        request.clients = program.clients().await;
        let first = tokio::spawn(async move { home.engine.backup().run(request, &Unwatched).await });
        program.reached("begun").await;
        Pair { folder, program, source, lease, first }
    }

    async fn second(&self, clock: Arc<dyn Clock>) -> (Home, BackupRequest) {
        let home = named(self.folder.path(), "second", clock, self.lease).await;
        let request = home.request(&self.source).await;
        (home, request)
    }

    fn go(&self) {
        std::fs::write(self.program.file("go"), "").unwrap();
    }
}

async fn named(folder: &Path, worker: &str, clock: Arc<dyn Clock>, lease: Duration) -> Home {
    let (worker, clock, lease) = (Some(worker.to_owned()), Some(clock), Some(lease));
    let setup = Setup { worker, clock, lease, ..Setup::default() };
    Home::set_up(folder, setup).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_leaves_a_job_to_the_worker_that_renews_its_lease() {
    let pair = Pair::start(SHORT).await;
    let (home, request) = pair.second(Arc::new(SystemClock)).await;
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::JobHeld, Exit::Retryable));
    assert!(error.message().contains("first"), "{error}");
    pair.go();
    let sealed = pair.first.await.unwrap().unwrap();
    assert_eq!(home.job().await.id, sealed.job_id);
    assert_eq!(home.failures().await, []);
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waited_for_a_worker_which_then_finished_makes_its_own_backup() {
    let pair = Pair::start(Duration::from_secs(6)).await; // time enough for the first to finish meanwhile
    let (home, request) = pair.second(Arc::new(SystemClock)).await;
    let runner = home.engine.backup();
    let diary = Arc::new(Diary::default());
    let watch = Arc::clone(&diary);
    let second = tokio::spawn(async move { runner.run(request, watch.as_ref()).await });
    wait_until("the second run waits", || diary.notices().contains("waiting for its lease")).await;
    pair.go();
    let first = pair.first.await.unwrap().unwrap();
    let second = second.await.unwrap().unwrap();
    assert_ne!(first.job_id, second.job_id);
    assert_eq!(home.assert_nothing_half().await, 2);
    assert_eq!(home.failures().await, []);
    assert_eq!(home.assert_provable().await, 2);
}

/// Each finds jobs that others have just entered and not yet claimed.
#[tokio::test(flavor = "multi_thread")]
async fn runs_that_begin_at_the_same_moment_all_make_a_backup() {
    let source = shop().await;
    for round in 1..=4 {
        let folder = tempfile::tempdir().unwrap();
        let lease = Some(Duration::from_secs(15));
        let home = Home::set_up(folder.path(), Setup { lease, ..Setup::default() }).await;
        let mut runs = Vec::new();
        for _ in 0..6 {
            let (runner, request) = (home.engine.backup(), home.request(&source).await);
            runs.push(tokio::spawn(async move { runner.run(request, &Unwatched).await }));
        }
        let mut sealed = std::collections::BTreeSet::new();
        for run in runs {
            sealed.insert(run.await.unwrap().unwrap().job_id);
        }
        assert_eq!(sealed.len(), 6, "round {round}: each has its own");
        assert_eq!(home.failures().await, []);
        assert_eq!(home.assert_provable().await, 6);
    }
}

/// A machine whose clock is a day ahead.
#[derive(Debug)]
struct DayAhead;

impl Clock for DayAhead {
    fn now(&self) -> Timestamp {
        after(SystemClock.now(), 86_400_000)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_robbed_of_its_lease_does_not_seal() {
    let pair = Pair::start(SHORT).await;
    let (home, request) = pair.second(Arc::new(DayAhead)).await;
    let taken_over = home.engine.backup().run(request, &Unwatched).await.unwrap();
    let error = pair.first.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::JobHeld, "{error:?}");
    let job = home.catalog.job(taken_over.job_id).await.unwrap();
    assert_eq!((job.state, job.attempt), (JobState::Completed, 2));
    assert_eq!(job.manifest_sha256, Some(taken_over.manifest_sha256));
    let rows = home.rows().await;
    assert_eq!(rows.iter().filter(|row| row.kind == EventKind::BackupCompleted).count(), 1);
    assert_eq!(home.failures().await, [("worker-lost".to_owned(), true, 1)]);
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

/// Has another worker back up the database while this one pauses after a failed attempt.
#[derive(Debug)]
struct Interloper {
    folder: std::path::PathBuf,
    source: String,
}

impl Watch for Interloper {
    fn state(&self, change: &StateChange) {
        if change.state == JobState::FailedRetryable {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    let home = named(&self.folder, "second", Arc::new(SystemClock), SHORT).await;
                    home.backup(&self.source).await.unwrap();
                })
            });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_job_was_finished_by_another_while_it_paused_is_told_so() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let home = named(folder.path(), "first", Arc::new(SystemClock), SHORT).await;
    let program = Program::new("kill -KILL $$");
    let mut request = home.request(&source).await;
    request.clients = program.clients().await;
    let watch = Interloper { folder: folder.path().to_owned(), source };
    let error = home.engine.backup().run(request, &watch).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::JobHeld, Exit::Retryable), "{error:?}");
    assert_eq!((home.job().await.state, home.job().await.attempt), (JobState::Completed, 2));
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

/// Refuses every renewal of a lease as if another process held the file.
#[derive(Debug)]
struct Busy(Arc<dyn Catalog>);

#[async_trait]
impl Catalog for Busy {
    async fn write(&self, write: Write) -> Result<Written> {
        if matches!(write, Write::Renew { .. }) {
            return Err(Error::new(Code::CatalogLocked, "injected"));
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

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_too_busy_to_renew_a_lease_costs_nobody_a_dump() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let wrap_catalog: scene::WrapCatalog = Box::new(|catalog| Arc::new(Busy(catalog)));
    let setup = Setup { wrap_catalog: Some(wrap_catalog), ..Setup::default() };
    let home = Home::set_up(folder.path(), setup).await;
    let program = Program::new("sleep 1; exec \"$REAL\" \"$@\"");
    let mut request = home.request(&source).await;
    request.clients = program.clients().await;
    let diary = Diary::default();
    home.engine.backup().run(request, &diary).await.unwrap();
    assert!(diary.notices().contains("injected"));
    assert_eq!(home.failures().await, []);
    assert_eq!(home.assert_provable().await, 1);
}
