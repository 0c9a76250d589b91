//! Between two attempts at a backup: while the worker tidies up, and while it waits.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::sync::Arc;
use std::time::Duration;

use scene::Home;
use scene::programs::{Program, wait_until};
use walwarden_core::Code;
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::{Catalog, CatalogExt, JobState, SqliteCatalog, Step};
use walwarden_core::clock::{Clock, SystemClock};
use walwarden_core::source::{Codec, Compression};
use walwarden_core::storage::Storage;
use walwarden_core::watch::{StateChange, Unwatched, Watch};
use walwarden_testkit::postgres::shared;
use walwarden_testkit::storage::{Call, FaultyStorage, Misbehaviour};
use walwarden_testkit::torture::Torture;

/// Cancels a job as soon as an attempt at it has failed, as `walwarden backup cancel` in another process does.
#[derive(Debug)]
struct Canceller(Arc<SqliteCatalog>);

impl Watch for Canceller {
    fn state(&self, change: &StateChange) {
        if change.state == JobState::FailedRetryable {
            let cancelled = self.0.step(Step::new(change.job_id, JobState::Cancelled, SystemClock.now()));
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(cancelled)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_cancelled_by_another_process_while_it_waits_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let request = home.request("postgresql://u@127.0.0.1:1/shop").await;
    let canceller = Canceller(Arc::clone(&home.catalog));
    let error = home.engine.backup().run(request, &canceller).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit() as u8), (Code::Cancelled, 4), "{error:?}");
    let job = home.job().await;
    assert_eq!((job.state, job.attempt), (JobState::Cancelled, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_keeps_its_job_while_a_store_that_is_away_lets_it_wait() {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, &Torture { bulk_rows: 12_000, ..Torture::default() }.sql()).await;
    let folder = tempfile::tempdir().unwrap();
    let faulty = Arc::new(std::sync::OnceLock::new());
    let kept = Arc::clone(&faulty);
    let wrap = move |storage: Arc<dyn Storage>| -> Arc<dyn Storage> {
        let storage = FaultyStorage::new(storage);
        storage.misbehave(Call::Abandon, 0, Misbehaviour::Hang);
        kept.set(storage.clone()).unwrap();
        Arc::new(storage)
    };
    let home = Home::open_with(folder.path(), wrap, |catalog: Arc<dyn Catalog>| catalog).await;
    let breaking = Program::new(
        "\"$REAL\" \"$@\" | head -c 9000000; echo 'pg_dump: error: server closed the connection unexpectedly' >&2; exit 1",
    );
    let mut request = home.request(&shared(17).dsn(&name)).await;
    request.clients = breaking.clients().await;
    request.options.compression = Some(Compression::new(Codec::None));
    let runner = home.engine.backup();
    let worker = tokio::spawn(async move { runner.run(request, &Unwatched).await });
    let storage = faulty.get().unwrap();
    wait_until("the worker tidies up", || storage.calls(Call::Abandon) > 0).await;

    tokio::time::sleep(Duration::from_millis(1500)).await; // more than two leases
    let lease = home.job().await.lease.expect("somebody holds it");
    assert!(lease.holds(SystemClock.now()), "{lease:?}");
    assert!(!worker.is_finished());
    worker.abort();
}
