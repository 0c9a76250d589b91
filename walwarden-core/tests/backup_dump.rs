//! `pg_dump` that fails, hangs or lies, and servers that go away under it: the job says so, nothing half is left, and
//! the next run succeeds.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use scene::programs::{Program, is_alive};
use scene::record::Failure;
use scene::{Diary, Home, SHOP};
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::JobState;
use walwarden_core::source::{Codec, Compression};
use walwarden_core::verify::EventKind;
use walwarden_core::watch::{Transfer, Unwatched, Watch};
use walwarden_core::{Code, Error, Exit};
use walwarden_testkit::postgres::{Postgres, shared};
use walwarden_testkit::torture::Torture;

async fn shop() -> String {
    let postgres = shared(17);
    let name = postgres.fresh_database("shop").await;
    postgres.sql(&name, SHOP).await;
    postgres.dsn(&name)
}

fn failure(code: Code, retryable: bool, attempt: u64) -> Failure {
    (code.text().to_owned(), retryable, attempt)
}

/// Runs a backup with this `pg_dump`, to its failure.
async fn run(home: &Home, source: &str, program: &Program) -> Error {
    let mut request = home.request(source).await;
    request.clients = program.clients().await;
    home.engine.backup().run(request, &Unwatched).await.unwrap_err()
}

/// After a failure: nothing is left in the destination, the next run seals a backup, and all of it can be proven.
async fn assert_recovers(home: &Home, source: &str) {
    assert_eq!(home.assert_nothing_half().await, 0);
    home.backup(source).await.unwrap();
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_fails_ends_the_job_at_once_and_leaves_nothing() {
    let source = shop().await;
    for script in [
        "\"$REAL\" \"$@\"; exit 1",
        "\"$REAL\" \"$@\" | head -c 1000; echo 'pg_dump: error: it broke' >&2; exit 1",
        "exit 0",
        "echo '-- not an archive'",
        "head -c 10485760 /dev/zero | tr '\\0' x >&2; \"$REAL\" \"$@\"; exit 1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).await;
        let error = run(&home, &source, &Program::new(script)).await;
        assert_eq!((error.code(), error.code().exit()), (Code::DumpFailed, Exit::Terminal), "{script}");
        let job = home.job().await;
        assert_eq!((job.state, job.attempt), (JobState::FailedTerminal, 1), "{script}");
        assert_eq!(job.failure.as_deref(), Some("dump-failed"));
        assert_eq!(home.failures().await, [failure(Code::DumpFailed, false, 1)]);
        assert_recovers(&home, &source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pg_dump_is_tried_again_and_the_second_attempt_seals() {
    let source = shop().await;
    let program = Program::new(
        "if [ ! -e \"$HERE/killed\" ]; then touch \"$HERE/killed\"; \"$REAL\" \"$@\" | head -c 5000; kill -KILL $$; fi\n\
         exec \"$REAL\" \"$@\"",
    );
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let mut request = home.request(&source).await;
    request.clients = program.clients().await;
    let diary = Diary::default();
    let sealed = home.engine.backup().run(request, &diary).await.unwrap();
    assert_eq!(home.failures().await, [failure(Code::DumpKilled, true, 1)]);
    use JobState::{Claimed, Completed, FailedRetryable, Finalizing, Queued, Running};
    let states = [Queued, Claimed, Running, FailedRetryable, Queued, Claimed, Running, Finalizing, Completed];
    assert_eq!(diary.states(), states);
    assert_eq!((home.job().await.id, home.job().await.attempt), (sealed.job_id, 2));
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_killed_each_time_fails_for_good_after_the_last_attempt() {
    let source = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let error = run(&home, &source, &Program::new("\"$REAL\" \"$@\"; kill -KILL $$")).await;
    assert_eq!((error.code(), error.code().exit()), (Code::DumpKilled, Exit::Retryable));
    let told = [(true, 1), (true, 2), (false, 3)].map(|(retry, at)| failure(Code::DumpKilled, retry, at));
    assert_eq!(home.failures().await, told);
    assert_eq!(home.job().await.state, JobState::FailedTerminal);
    assert_recovers(&home, &source).await;
}

/// Roles are stored beside a dump, never instead of one.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_dump_leaves_no_globals_behind() {
    let source = shop().await;
    let program = Program::new("\"$REAL\" \"$@\"; exit 1");
    let real = walwarden_testkit::postgres::bin_dir(17).join("pg_dumpall");
    std::os::unix::fs::symlink(real, program.file("pg_dumpall")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let mut request = home.request(&source).await;
    request.clients = program.clients().await;
    request.globals = true;
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!(error.code(), Code::DumpFailed);
    assert_eq!(home.backup_objects().await, Vec::<String>::new());
    assert_recovers(&home, &source).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_hangs_is_cancelled_promptly_and_dies() {
    let source = shop().await;
    for (phase, script) in [
        ("before its first byte", "echo $$ >\"$HERE/pid\"; exec sleep 300"),
        ("in mid-stream", "printf PGDMP; head -c 1000000 /dev/zero; echo $$ >\"$HERE/pid\"; exec sleep 300"),
        ("after its last byte", "\"$REAL\" \"$@\"; echo $$ >\"$HERE/pid\"; exec >&-; exec sleep 300"),
    ] {
        let program = Program::new(script);
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).await;
        let mut request = home.request(&source).await;
        request.clients = program.clients().await;
        let cancel = request.cancel.clone();
        let runner = home.engine.backup();
        let running = tokio::spawn(async move { runner.run(request, &Unwatched).await });
        program.reached("pid").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let asked = Instant::now();
        cancel.cancel();
        let error = running.await.unwrap().unwrap_err();
        assert!(asked.elapsed() < Duration::from_secs(5), "{phase}: {:?}", asked.elapsed());
        assert_eq!((error.code(), error.code().exit()), (Code::Cancelled, Exit::Cancelled), "{phase}");
        assert_eq!(home.job().await.state, JobState::Cancelled, "{phase}");
        assert_eq!(home.rows().await.last().unwrap().kind, EventKind::BackupCancelled, "{phase}");
        scene::programs::wait_until(phase, || !is_alive(&program.file("pid"))).await;
        assert_recovers(&home, &source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_cancelled_beforehand_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let request = home.request("host=127.0.0.1 port=1 user=u dbname=d").await;
    request.cancel.cancel();
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!(error.code(), Code::Cancelled);
    assert!(home.rows().await.is_empty() && home.listed().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_between_two_attempts_ends_the_job_without_another() {
    let source = shop().await;
    let program = Program::new("echo >>\"$HERE/runs\"; kill -KILL $$");
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let mut request = home.request(&source).await;
    request.clients = program.clients().await;
    let watch = CancelAtFailure(request.cancel.clone());
    let error = home.engine.backup().run(request, &watch).await.unwrap_err();
    assert_eq!(error.code(), Code::Cancelled);
    assert_eq!(std::fs::read_to_string(program.file("runs")).unwrap().lines().count(), 1);
    assert_eq!(home.job().await.state, JobState::Cancelled);
    assert_recovers(&home, &source).await;
}

#[derive(Debug)]
struct CancelAtFailure(walwarden_core::watch::Cancel);

impl Watch for CancelAtFailure {
    fn state(&self, change: &walwarden_core::watch::StateChange) {
        if change.state == JobState::FailedRetryable {
            self.0.cancel();
        }
    }
}

/// Ends the server as soon as a megabyte of the dump has arrived.
#[derive(Debug)]
struct Assassin {
    server: Arc<Postgres>,
    done: AtomicBool,
}

impl Watch for Assassin {
    fn transfer(&self, transfer: Transfer) {
        if transfer.done_bytes > 1 << 20 && !self.done.swap(true, Ordering::SeqCst) {
            self.server.kill();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_mid_dump_is_a_lost_connection_and_then_unreachable() {
    let server = Arc::new(Postgres::start(17));
    server.sql("postgres", &Torture { bulk_rows: 20_000, ..Torture::default() }.sql()).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let mut request = home.request(&server.dsn("postgres")).await;
    request.options.compression = Some(Compression::new(Codec::None));
    let watch = Assassin { server: Arc::clone(&server), done: AtomicBool::new(false) };
    let error = home.engine.backup().run(request, &watch).await.unwrap_err();
    assert!(watch.done.load(Ordering::SeqCst));
    assert_eq!((error.code(), error.code().exit()), (Code::SourceUnreachable, Exit::Retryable), "{error:?}");
    let told = [
        failure(Code::SourceConnectionLost, true, 1),
        failure(Code::SourceUnreachable, true, 2),
        failure(Code::SourceUnreachable, false, 3),
    ];
    assert_eq!(home.failures().await, told);
    assert_recovers(&home, &shop().await).await;
}
