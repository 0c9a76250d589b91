//! Clocks that run backwards, between jobs and during them.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use scene::{Home, SHOP, Setup};
use walwarden_core::Code;
use walwarden_core::catalog::JobState;
use walwarden_core::clock::Clock;
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::mirror::RebuildOptions;
use walwarden_core::verify::Timestamp;
use walwarden_testkit::clock::{FixedClock, after};
use walwarden_testkit::postgres::shared;

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    shared(17).dsn(&name)
}

async fn home(folder: &Path, clock: Arc<dyn Clock>) -> Home {
    Home::set_up(folder, Setup { clock: Some(clock), ..Setup::default() }).await
}

/// Whatever the clock did: rows in order of time, manifests with times in order, objects under the day of `queuedAt`,
/// and all of it found again by who has the destination alone.
async fn assert_in_order(home: &Home, backups: usize) {
    let rows = home.rows().await;
    assert!(rows.windows(2).all(|pair| pair[0].at <= pair[1].at));
    assert_eq!(home.assert_nothing_half().await, backups);
    assert_eq!(home.assert_provable().await, backups as u64);

    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(home.folder.join("key.pem"), elsewhere.path().join("key.pem")).unwrap();
    let setup = Setup { storage: Some(Arc::clone(&home.storage)), ..Setup::default() };
    let rebuilt = Home::set_up(elsewhere.path(), setup).await;
    let options = RebuildOptions::new(vec![*home.signer.public_key()]);
    let found = rebuilt.engine.rebuild().rebuild(home.storage.as_ref(), &options).await.unwrap();
    assert_eq!(found[0].uncovered_rows(), 0);
    assert_eq!(rebuilt.rows().await, rows);
    for (ours, theirs) in home.jobs().await.iter().zip(rebuilt.jobs().await) {
        assert_eq!((ours.queued_at, &ours.artifact_key), (theirs.queued_at, &theirs.artifact_key));
    }
    assert_eq!(rebuilt.assert_provable().await, backups as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_by_days_between_jobs_hides_no_backup() {
    let source = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at("2026-03-02T00:00:00.500Z"));
    let home = home(folder.path(), clock.clone()).await;
    for (backups, step) in [(1, -1_000), (2, -3 * 86_400_000), (3, 86_400_000), (4, 0)] {
        let sealed = home.backup(&source).await.unwrap();
        let body = sealed.manifest.body();
        assert!(body.queued_at <= body.started_at && body.started_at <= body.finished_at);
        assert!(body.artifact_key.contains("/2026/03/02/"), "the day of the chain: {}", body.artifact_key);
        assert_in_order(&home, backups).await;
        clock.advance_millis(step);
    }
}

/// Goes back seven minutes each time it is looked at.
#[derive(Debug)]
struct Backwards(AtomicI64);

impl Clock for Backwards {
    fn now(&self) -> Timestamp {
        let back = self.0.fetch_add(7 * 60_000, Ordering::SeqCst);
        after("2026-03-02T01:00:00.000Z".parse().unwrap(), -back)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_runs_backwards_during_jobs_hides_no_backup() {
    let source = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path(), Arc::new(Backwards(AtomicI64::new(0)))).await;
    for backups in 1..=3 {
        let sealed = home.backup(&source).await.unwrap();
        let body = sealed.manifest.body();
        assert!(body.queued_at <= body.started_at && body.started_at <= body.finished_at);
        assert_in_order(&home, backups).await;
    }
}

/// A job whose first worker hangs in the middle of the dump, under a clock that the test moves.
struct Hanging {
    folder: tempfile::TempDir,
    clock: Arc<FixedClock>,
    home: Home,
    source: String,
    worker: tokio::task::JoinHandle<()>,
}

impl Hanging {
    async fn start() -> Hanging {
        let source = shop().await;
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at("2026-03-02T12:00:00.000Z"));
        let home = home(folder.path(), clock.clone()).await;
        let hanging = scene::programs::Program::new("touch \"$HERE/begun\"; exec sleep 300");
        let mut request = home.request(&source).await;
        request.clients = hanging.clients().await;
        let runner = home.engine.backup();
        let worker = tokio::spawn(async move {
            use walwarden_core::backup::BackupRunner;
            let _cut_short = runner.run(request, &walwarden_core::watch::Unwatched).await;
        });
        hanging.reached("begun").await;
        Hanging { folder, clock, home, source, worker }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_does_not_keep_a_dead_workers_job() {
    let scene = Hanging::start().await;
    scene.worker.abort(); // it vanishes without a word
    let _ = scene.worker.await;
    scene.clock.advance_millis(-3_600_000);
    scene.home.backup(&scene.source).await.unwrap();
    assert_eq!(scene.home.failures().await, [("worker-lost".to_owned(), true, 1)]);
    assert_in_order(&scene.home, 1).await;
    drop(scene.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_does_not_take_the_job_from_a_living_worker() {
    let scene = Hanging::start().await;
    scene.clock.advance_millis(-3_600_000);
    assert_eq!(scene.home.backup(&scene.source).await.unwrap_err().code(), Code::JobHeld);
    assert_eq!(scene.home.job().await.state, JobState::Running);
    assert!(!scene.worker.is_finished());
    scene.worker.abort();
    drop(scene.folder);
}
