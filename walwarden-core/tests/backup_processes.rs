//! Several processes at one database: killed in mid-upload, racing for a job, robbed of a lease.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use scene::bucket::{UNCOMPRESSED, large_database, storage};
use scene::programs::{Program, wait_until};
use scene::{Diary, Home, SHOP, Setup};
use walwarden_core::backup::{BackupRequest, BackupRunner, SealedBackup};
use walwarden_core::catalog::{CatalogExt, JobState};
use walwarden_core::clock::{Clock, SystemClock};
use walwarden_core::storage::Location;
use walwarden_core::verify::{EventKind, Timestamp};
use walwarden_core::watch::{Transfer, Unwatched, Watch};
use walwarden_core::{Code, Exit, Result};
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

/// The child's part: one backup; the exit status tells how it ended. Does nothing unless the parent set the stage.
#[test]
#[allow(clippy::disallowed_methods, clippy::exit)] // the parent speaks to its child through the environment
fn child() {
    use std::env::var;
    let (Ok(folder), Ok(source)) = (var(FOLDER), var(SOURCE)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(async {
        let storage = match var(BUCKET) {
            Ok(url) => Some(storage(&Location::parse(&url).unwrap(), S3Server::credentials()).await),
            Err(_) => None,
        };
        let home = Home::set_up(Path::new(&folder), Setup { storage, ..Setup::default() }).await;
        let mut request = home.request(&source).await;
        request.options.compression = UNCOMPRESSED;
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

fn start_child(folder: &Path, source: &str, more: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture"]).env(FOLDER, folder).env(SOURCE, source);
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
        request.options.compression = UNCOMPRESSED;
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
    for _round in 0..3 {
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
    first: tokio::task::JoinHandle<Result<SealedBackup>>,
}

impl Pair {
    async fn start(script: &str) -> Pair {
        let (folder, source, program) = (tempfile::tempdir().unwrap(), shop().await, Program::new(script));
        let home = named(folder.path(), "first", Arc::new(SystemClock)).await;
        let mut request = home.request(&source).await;
        request.clients = program.clients().await;
        let first = tokio::spawn(async move { home.engine.backup().run(request, &Unwatched).await });
        program.reached("begun").await;
        Pair { folder, program, source, first }
    }

    async fn second(&self, clock: Arc<dyn Clock>) -> (Home, BackupRequest) {
        let home = named(self.folder.path(), "second", clock).await;
        let request = home.request(&self.source).await;
        (home, request)
    }
}

async fn named(folder: &Path, worker: &str, clock: Arc<dyn Clock>) -> Home {
    let setup = Setup { worker: Some(worker.to_owned()), clock: Some(clock), ..Setup::default() };
    Home::set_up(folder, setup).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_leaves_a_job_to_the_worker_that_renews_its_lease() {
    let pair = Pair::start("touch \"$HERE/begun\"; sleep 2; exec \"$REAL\" \"$@\"").await;
    let (home, request) = pair.second(Arc::new(SystemClock)).await;
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::JobHeld, Exit::Retryable));
    assert!(error.message().contains("first"), "{error}");
    let sealed = pair.first.await.unwrap().unwrap();
    assert_eq!(home.job().await.id, sealed.job_id);
    assert_eq!(home.failures().await, []);
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waited_for_a_worker_which_then_finished_makes_its_own_backup() {
    let go = "touch \"$HERE/begun\"; while [ ! -e \"$HERE/go\" ]; do sleep 0.02; done; exec \"$REAL\" \"$@\"";
    let pair = Pair::start(go).await;
    let (home, request) = pair.second(Arc::new(SystemClock)).await;
    let runner = home.engine.backup();
    let diary = Arc::new(Diary::default());
    let watch = Arc::clone(&diary);
    let second = tokio::spawn(async move { runner.run(request, watch.as_ref()).await });
    wait_until("the second run waits", || diary.notices().contains("waiting for its lease")).await;
    std::fs::write(pair.program.file("go"), "").unwrap();
    let first = pair.first.await.unwrap().unwrap();
    let second = second.await.unwrap().unwrap();
    assert_ne!(first.job_id, second.job_id);
    assert_eq!(home.assert_nothing_half().await, 2);
    assert_eq!(home.failures().await, []);
    assert_eq!(home.assert_provable().await, 2);
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
    let pair = Pair::start("touch \"$HERE/begun\"; sleep 3; exec \"$REAL\" \"$@\"").await;
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
