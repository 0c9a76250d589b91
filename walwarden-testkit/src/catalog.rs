//! The suite for [`Catalog`].

mod adoption;
mod leases;
mod publication;
mod states;
mod stories;

use std::sync::Arc;
use std::time::Duration;

use walwarden_core::catalog::{
    Catalog, CatalogExt, Job, JobQuery, JobState, Lease, NewJob, Step, jobs_told_by,
};
use walwarden_core::storage::ObjectName;
use walwarden_core::verify::json::{Object, Value};
use walwarden_core::verify::{EventKind, JobId, Row, Sha256, Timestamp};

use crate::chain::{genesis, job_id, start, subject, verified_rows};
use crate::clock::after;

/// Checks an implementation of [`Catalog`] against its contract. `make` gives a fresh, empty catalogue each time.
///
/// ```
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use walwarden_core::catalog::MemoryCatalog;
///
/// walwarden_testkit::catalog::suite(async || Arc::new(MemoryCatalog::new())).await;
/// # });
/// ```
///
/// # Panics
///
/// When the implementation breaks the contract; the message says which part.
pub async fn suite<C: Catalog>(make: impl AsyncFn() -> Arc<C>) {
    let started = async || {
        let catalog = make().await;
        catalog.start_chain(genesis()).await.expect("a chain can be started");
        catalog
    };
    stories::backup_from_queue_to_seal(&*started().await).await;
    stories::backup_tried_again(&*started().await).await;
    stories::restore_from_trigger_to_end(&*started().await).await;
    stories::restore_that_failed_has_ended(&*started().await).await;
    stories::clock_that_runs_backwards(&*started().await).await;
    stories::jobs_are_found_newest_first(&*started().await).await;
    states::only_the_state_machine_moves_a_backup(&*started().await).await;
    states::only_the_state_machine_moves_a_restore(&*started().await).await;
    states::a_step_that_cannot_be_told_changes_nothing(&*started().await).await;
    states::a_job_is_entered_once_and_where_there_is_a_chain(&*started().await).await;
    leases::one_of_racing_workers_wins(started().await).await;
    leases::only_the_holder_changes_a_held_job(&*started().await).await;
    leases::a_lease_from_the_future_keeps_nobody_off(&*started().await).await;
    leases::a_vanished_worker_is_written_down(&*started().await).await;
    leases::notes_are_kept_for_the_next_worker(&*started().await).await;
    leases::the_chain_alone_does_not_move_a_job(&*started().await).await;
    publication::a_subject_has_one_chain(make().await).await;
    publication::publication_is_remembered(&*started().await).await;
    adoption::a_chain_read_back_carries_on(&*started().await, &*make().await).await;
    adoption::a_chain_that_contradicts_itself_is_refused(&*started().await, &*make().await).await;
}

/// How long leases last in the suite.
pub const LEASE: Duration = Duration::from_secs(60);

/// Enters a backup, told apart by a number.
pub async fn queue(catalog: &dyn Catalog, number: u8) -> Job {
    let id = job_id(number);
    let key = ObjectName::new(format!("org/acme/db/shop/backup/2026/11/21/{id}.dump")).expect("a name");
    catalog.enter(NewJob::backup(id, subject(), now(number), key)).await.expect("a job can be entered")
}

/// Takes a job that is free.
pub async fn claim(catalog: &dyn Catalog, id: JobId, holder: &str, at: Timestamp) -> (Job, Lease) {
    let job = catalog.claim(id, holder, at, LEASE).await.expect("a free job can be claimed");
    let lease = job.lease.clone().expect("a claimed job is held");
    (job, lease)
}

/// The payload of a sealed backup, its manifest told apart by a number.
pub fn sealed(number: u8) -> Object {
    Object::from([
        ("manifestSha256", Value::from(Sha256::of(&[number]))),
        ("checksumSha256", Sha256::of(b"dump").into()),
        ("sizeBytes", 4_096_u64.into()),
    ])
}

/// The payload of a failure.
pub fn failed(class: &str) -> Object {
    Object::from([("class", class)])
}

/// Takes steps under a lease, each a millisecond after the one before.
pub async fn walk(catalog: &dyn Catalog, job: &Job, states: &[JobState]) -> Job {
    let mut job = job.clone();
    for state in states {
        let mut step = Step::new(job.id, *state, now(99)).with_payload(payload_for(*state));
        step.lease = job.lease.clone();
        (job, _) = catalog.step(step).await.expect("an allowed step is taken");
        assert_eq!(job.state, *state, "a step leads where it says");
    }
    job
}

/// A payload with all that a row of this state demands.
pub fn payload_for(state: JobState) -> Object {
    match state {
        JobState::Completed => sealed(1),
        JobState::FailedRetryable | JobState::FailedTerminal => failed("dump-failed"),
        _ => Object::new(),
    }
}

/// A time after the beginning, told apart by a number.
pub fn now(number: u8) -> Timestamp {
    after(start(), i64::from(number) * 1_000)
}

/// Checks that every job stands where the chain says, and returns the rows.
///
/// # Panics
///
/// When one stands elsewhere.
pub async fn consistent_rows(catalog: &dyn Catalog) -> Vec<Row> {
    let record =
        catalog.chain(&subject()).await.expect("a catalogue answers").expect("the chain was started");
    let rows = verified_rows(&*record.audit).await;
    let standing = |job: Job| (job.id, job.kind, job.state, job.attempt, job.failure, job.size_bytes);
    let mut told: Vec<_> = jobs_told_by(&subject(), &rows).into_iter().map(standing).collect();
    let all = catalog.jobs(JobQuery::of(&subject())).await.expect("jobs can be listed");
    let mut known: Vec<_> = all.into_iter().map(standing).collect();
    told.sort_by_key(|job| job.0);
    known.sort_by_key(|job| job.0);
    assert_eq!(known, told, "the jobs stand where the chain says");
    rows
}

fn kinds(rows: &[Row]) -> Vec<EventKind> {
    rows.iter().map(|row| row.kind).collect()
}
