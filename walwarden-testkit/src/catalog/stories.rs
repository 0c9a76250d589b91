use walwarden_core::catalog::{Catalog, CatalogExt, JobKind, JobQuery, JobState, NewJob, Step};
use walwarden_core::verify::json::Value;
use walwarden_core::verify::{EventKind as E, Sha256};

use super::{claim, consistent_rows, failed, kinds, now, queue, sealed, walk};
use crate::chain::{job_id, subject};
use crate::clock::after;

pub(super) async fn backup_from_queue_to_seal(catalog: &dyn Catalog) {
    let queued = queue(catalog, 1).await;
    assert_eq!((queued.state, queued.kind, queued.attempt), (JobState::Queued, JobKind::Backup, 0));
    assert_eq!((queued.queued_at, queued.started_at, queued.finished_at), (now(1), None, None));
    assert_eq!(
        catalog.job(queued.id).await.expect("it was entered"),
        queued,
        "what was written is read back"
    );

    let (claimed, lease) = claim(catalog, queued.id, "worker", now(2)).await;
    assert_eq!((claimed.state, claimed.attempt), (JobState::Claimed, 1));
    assert_eq!((lease.job_id, lease.holder.as_str(), lease.until), (queued.id, "worker", now(62)));
    let finalizing = walk(catalog, &claimed, &[JobState::Running, JobState::Finalizing]).await;
    assert_eq!(finalizing.lease, Some(lease.clone()), "steps keep the lease");

    let step = Step::new(queued.id, JobState::Completed, now(100)).under(&lease).with_payload(sealed(1));
    let (done, row) = catalog.step(step).await.expect("a sealed backup completes");
    assert_eq!((done.manifest_sha256, done.size_bytes), (Some(Sha256::of(&[1])), Some(4_096)));
    assert_eq!((done.started_at, done.finished_at), (Some(now(2)), Some(now(100))));
    assert_eq!((done.lease.as_ref(), done.is_finished()), (None, true));
    assert_eq!((row.kind, row.job_id, row.payload), (E::BackupCompleted, Some(queued.id), sealed(1)));
    assert_eq!(catalog.job(queued.id).await.expect("it was entered"), done, "what was written is read back");

    let told = [E::ChainGenesis, E::BackupQueued, E::BackupClaimed, E::BackupRunning, E::BackupFinalizing];
    assert_eq!(kinds(&consistent_rows(catalog).await), [&told[..], &[E::BackupCompleted]].concat());
}

pub(super) async fn backup_tried_again(catalog: &dyn Catalog) {
    let queued = queue(catalog, 1).await;
    let (claimed, lease) = claim(catalog, queued.id, "first", now(2)).await;
    walk(catalog, &claimed, &[JobState::Running]).await;
    let step = Step::new(queued.id, JobState::FailedRetryable, now(100))
        .under(&lease)
        .with_payload(failed("source-unreachable"))
        .not_before(now(110));
    let (waiting, row) = catalog.step(step).await.expect("a failure is recorded");
    assert_eq!((waiting.state, waiting.not_before), (JobState::FailedRetryable, Some(now(110))));
    assert_eq!(waiting.failure.as_deref(), Some("source-unreachable"));
    assert_eq!((waiting.lease, waiting.finished_at), (None, None), "nobody holds it, and it has not ended");
    assert_eq!(
        row.payload.get("retryable"),
        Some(&Value::Bool(true)),
        "the row says that it may be tried again"
    );
    assert_eq!(row.payload.get("attempt"), Some(&Value::from(1_u64)), "the row counts the attempt");

    let again = walk(catalog, &catalog.job(queued.id).await.expect("it waits"), &[JobState::Queued]).await;
    assert_eq!((again.not_before, again.attempt), (None, 1));
    let (claimed, lease) = claim(catalog, queued.id, "second", now(120)).await;
    assert_eq!(
        (claimed.attempt, claimed.started_at),
        (2, Some(now(2))),
        "it began when it was first claimed"
    );
    let step = Step::new(queued.id, JobState::FailedTerminal, now(130))
        .under(&lease)
        .with_payload(failed("source-permission"));
    let (ended, row) = catalog.step(step).await.expect("a failure is recorded");
    assert_eq!((ended.is_finished(), ended.finished_at), (true, Some(now(130))));
    assert_eq!(row.payload.get("retryable"), Some(&Value::Bool(false)));
    assert_eq!(row.payload.get("attempt"), Some(&Value::from(2_u64)));
    consistent_rows(catalog).await;
}

pub(super) async fn restore_from_trigger_to_end(catalog: &dyn Catalog) {
    let manifest = Sha256::of(b"manifest");
    let new = NewJob::restore(job_id(1), subject(), now(1), manifest);
    let triggered = catalog.enter(new).await.expect("a restore can be entered");
    assert_eq!((triggered.state, triggered.kind), (JobState::Triggered, JobKind::Restore));
    let (claimed, _) = claim(catalog, triggered.id, "worker", now(2)).await;
    let done = walk(
        catalog,
        &claimed,
        &[
            JobState::Downloading,
            JobState::Verifying,
            JobState::ManifestVerified,
            JobState::Restoring,
            JobState::Finalizing,
        ],
    )
    .await;
    let step = Step::new(done.id, JobState::Completed, now(100)).under(&done.lease.expect("it is held"));
    let (done, _) = catalog.step(step).await.expect("a restore completes");
    assert_eq!(done.manifest_sha256, Some(manifest), "a restore keeps the manifest it was made from");
    let rows = consistent_rows(catalog).await;
    assert_eq!(kinds(&rows[rows.len() - 2..]), [E::RestoreFinalizing, E::RestoreCompleted]);
    assert_eq!(rows.len(), 9);
}

pub(super) async fn restore_that_failed_has_ended(catalog: &dyn Catalog) {
    for (number, end) in
        [(1, JobState::FailedRetryable), (2, JobState::FailedTerminal), (3, JobState::TimedOut)]
    {
        let new = NewJob::restore(job_id(number), subject(), now(number), Sha256::of(b"manifest"));
        let job = catalog.enter(new).await.expect("a restore can be entered");
        let (job, _) = claim(catalog, job.id, "worker", now(4)).await;
        let ended = walk(catalog, &job, &[JobState::Downloading, end]).await;
        assert!(
            ended.is_finished() && ended.finished_at.is_some(),
            "a restore is not tried again: {ended:?}"
        );
    }
    let open = catalog.jobs(JobQuery::of(&subject()).unfinished()).await.expect("jobs can be listed");
    assert_eq!(open, []);
    consistent_rows(catalog).await;
}

pub(super) async fn clock_that_runs_backwards(catalog: &dyn Catalog) {
    let queued = queue(catalog, 10).await;
    let an_hour_back = after(now(10), -3_600_000);
    let (claimed, lease) = claim(catalog, queued.id, "worker", an_hour_back).await;
    assert_eq!(claimed.started_at, Some(now(10)), "a job does not start before it was queued");
    assert_eq!(lease.until, after(an_hour_back, 60_000), "a lease follows the caller's clock");
    for state in [JobState::Running, JobState::Finalizing, JobState::Completed] {
        let mut step = Step::new(queued.id, state, an_hour_back).under(&lease);
        step.payload = super::payload_for(state);
        catalog.step(step).await.expect("a step is taken whatever the clock says");
    }
    let done = catalog.job(queued.id).await.expect("it is there");
    assert_eq!(done.finished_at, Some(now(10)), "a job does not end before it started");
    consistent_rows(catalog).await;
}

pub(super) async fn jobs_are_found_newest_first(catalog: &dyn Catalog) {
    for number in [2, 1, 3] {
        queue(catalog, number).await;
    }
    let (claimed, _) = claim(catalog, job_id(2), "worker", now(4)).await;
    walk(catalog, &claimed, &[JobState::Running, JobState::Finalizing, JobState::Completed]).await;
    let new = NewJob::restore(job_id(4), subject(), now(4), Sha256::of(&[1]));
    catalog.enter(new).await.expect("a restore can be entered");
    let of = async |query: JobQuery| {
        let found = catalog.jobs(query).await.expect("jobs can be listed");
        found.iter().map(|job| i64::from(job.id.as_bytes()[15])).collect::<Vec<_>>()
    };
    assert_eq!(of(JobQuery::default()).await, [4, 3, 2, 1]);
    assert_eq!(of(JobQuery::of(&subject()).limit(2)).await, [4, 3]);
    assert_eq!(of(JobQuery::default().unfinished()).await, [4, 3, 1]);
    assert_eq!(of(JobQuery::default().kind(JobKind::Backup).unfinished()).await, [3, 1]);
    assert_eq!(of(JobQuery::default().manifest(Sha256::of(&[1]))).await, [4, 2]);
    assert_eq!(of(JobQuery::default().manifest(Sha256::of(&[1])).kind(JobKind::Backup)).await, [2]);
    assert_eq!(of(JobQuery::one(job_id(3))).await, [3]);
    let mut elsewhere = subject();
    elsewhere.database_id = None;
    assert_eq!(of(JobQuery::of(&elsewhere)).await, [0; 0]);
    assert!(catalog.chain(&elsewhere).await.expect("a catalogue answers").is_none());
}
