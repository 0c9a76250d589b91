use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use walwarden_core::Code;
use walwarden_core::catalog::{Catalog, CatalogExt, JobState, Lease, Progress, Step};
use walwarden_core::chain::Fact;
use walwarden_core::storage::{ObjectName, UploadId};
use walwarden_core::verify::EventKind as E;
use walwarden_core::verify::json::{Object, Value};

use super::{LEASE, claim, consistent_rows, kinds, now, queue, sealed, walk};
use crate::chain::{assert_code, job_id, subject};

pub(super) async fn one_of_racing_workers_wins(catalog: Arc<dyn Catalog>) {
    let job = queue(&*catalog, 1).await;
    let claims: Vec<_> = (0..8)
        .map(|worker| {
            let catalog = Arc::clone(&catalog);
            let holder = format!("worker {worker}");
            tokio::spawn(async move { catalog.claim(job.id, &holder, now(2), LEASE).await })
        })
        .collect();
    let mut winners = Vec::new();
    for claim in claims {
        match claim.await.expect("a claim ends") {
            Ok(job) => winners.extend(job.lease),
            Err(error) => assert_eq!(error.code(), Code::JobHeld, "the losers are told so: {error:?}"),
        }
    }
    let held = catalog.job(job.id).await.expect("it is there");
    assert_eq!(winners, Vec::from_iter(held.lease), "one of racing workers wins");
    assert_eq!(held.attempt, 1);
    consistent_rows(&*catalog).await;
}

pub(super) async fn only_the_holder_changes_a_held_job(catalog: &dyn Catalog) {
    let job = queue(catalog, 1).await;
    let (job, lease) = claim(catalog, job.id, "holder", now(2)).await;
    let stranger = Lease { holder: "stranger".to_owned(), ..lease.clone() };
    let before = consistent_rows(catalog).await;

    let step = Step::new(job.id, JobState::Running, now(3));
    assert_code(catalog.step(step.clone()).await, Code::JobHeld, "a held job is not changed without a lease");
    assert_code(catalog.step(step.under(&stranger)).await, Code::JobHeld, "nor under another's lease");
    assert_code(catalog.renew(stranger.clone(), now(99)).await, Code::JobHeld, "nor is it prolonged");
    let notes = Progress::default();
    assert_code(catalog.note(stranger, notes).await, Code::JobHeld, "nor are its notes replaced");
    assert_code(catalog.claim(job.id, "other", now(61), LEASE).await, Code::JobHeld, "nor is it claimed");
    let short = catalog.claim(job.id, "other", now(3), Duration::from_secs(1)).await;
    assert_code(short, Code::JobHeld, "also by one whose own leases are short");
    assert_eq!(catalog.job(job.id).await.expect("it is there"), job, "refused writes leave the job");
    assert_eq!(consistent_rows(catalog).await, before, "refused writes leave no row");

    let renewed = catalog.renew(lease.clone(), now(200)).await.expect("the holder prolongs its lease");
    assert_eq!(renewed, Lease { until: now(200), ..lease.clone() });
    assert_code(
        catalog.claim(job.id, "other", now(199), LEASE).await,
        Code::JobHeld,
        "a renewed lease holds",
    );
    let again = catalog.renew(renewed, now(190)).await.expect("the holder renews its lease");
    assert_eq!(again.until, now(190), "a renewal says anew until when, also after the clock was set back");

    // Nobody else has come: the lease that ended is still good for its holder, also as it was before it was renewed.
    let late = Step::new(job.id, JobState::Running, now(250)).under(&lease);
    catalog.step(late).await.expect("a lease that ended stays good until another claims the job");
    let step = Step::new(job.id, JobState::Cancelled, now(250));
    catalog.step(step).await.expect("a job whose lease ended may be cancelled by anyone");
    let gone = Step::new(job.id, JobState::Finalizing, now(251)).under(&lease);
    assert_code(catalog.step(gone).await, Code::JobHeld, "then the lease is gone");
    consistent_rows(catalog).await;
}

/// LEASE is 60 seconds: a lease that lasts for more than twice that was given before the clock was set back.
pub(super) async fn a_lease_from_the_future_keeps_nobody_off(catalog: &dyn Catalog) {
    let job = queue(catalog, 1).await;
    let (job, lost) = claim(catalog, job.id, "lost", now(180)).await;
    let early = |seconds| catalog.claim(job.id, "next", now(seconds), LEASE);
    assert_code(early(180 - 60).await, Code::JobHeld, "clocks of workers may differ by a lease");
    let cancelled = |job, seconds| catalog.step(Step::new(job, JobState::Cancelled, now(seconds)));
    assert_code(cancelled(job.id, 180 - 60).await, Code::JobHeld, "also from a step without a lease");
    let other = queue(catalog, 2).await;
    let (other, _) = claim(catalog, other.id, "lost", now(180)).await;
    cancelled(other.id, 180 - 61).await.expect("beyond that, nobody holds it");
    let taken = early(180 - 61).await.expect("beyond that, nobody holds it");
    assert_eq!((taken.attempt, taken.failure.as_deref()), (2, Some("worker-lost")));
    let step = Step::new(job.id, JobState::Running, now(180)).under(&lost);
    assert_code(catalog.step(step).await, Code::JobHeld, "the worker thought lost has no say any more");
    consistent_rows(catalog).await;
}

pub(super) async fn a_vanished_worker_is_written_down(catalog: &dyn Catalog) {
    let job = queue(catalog, 1).await;
    let (job, lost) = claim(catalog, job.id, "lost", now(2)).await;
    walk(catalog, &job, &[JobState::Running]).await;
    let (job, lease) = claim(catalog, job.id, "next", now(62)).await;
    assert_eq!((job.state, job.attempt), (JobState::Claimed, 2));
    assert_eq!(job.failure.as_deref(), Some("worker-lost"));
    let rows = consistent_rows(catalog).await;
    let [.., failed, queued, claimed] = rows.as_slice() else { panic!("three rows tell of it") };
    assert_eq!(
        [failed.kind, queued.kind, claimed.kind],
        [E::BackupFailed, E::BackupQueued, E::BackupClaimed]
    );
    let expected =
        [("class", Value::from("worker-lost")), ("retryable", true.into()), ("attempt", 1_u64.into())];
    assert_eq!(failed.payload, Object::from(expected));
    assert_eq!((queued.payload.len(), claimed.payload.len()), (0, 0));

    let step = Step::new(job.id, JobState::Finalizing, now(63)).under(&lost);
    assert_code(catalog.step(step).await, Code::JobHeld, "the worker thought lost has no say any more");
    assert_eq!(job.lease, Some(lease));
    walk(catalog, &job, &[JobState::Running, JobState::Finalizing, JobState::Completed]).await;
    let refused = catalog.claim(job.id, "late", now(200), LEASE).await;
    assert_code(refused, Code::JobState, "an ended job is not claimed");
    consistent_rows(catalog).await;
}

pub(super) async fn notes_are_kept_for_the_next_worker(catalog: &dyn Catalog) {
    let job = queue(catalog, 1).await;
    let (job, lease) = claim(catalog, job.id, "lost", now(2)).await;
    let name = |text: &str| ObjectName::new(text).expect("a name");
    let mut progress = Progress::default();
    progress.uploads = vec![(name("b"), UploadId("2".to_owned())), (name("a"), UploadId(String::new()))];
    catalog.note(lease.clone(), progress.clone()).await.expect("the holder notes");
    walk(catalog, &job, &[JobState::Running]).await;
    assert_eq!(catalog.job(job.id).await.expect("it is there").progress, progress, "steps keep the notes");

    progress.uploads.truncate(1);
    progress.receipt = Some(Bytes::from_static(b"{\"sizeBytes\":1}"));
    progress.manifest = Some(Bytes::from_static(b"\xff\0exact bytes"));
    catalog.note(lease, progress.clone()).await.expect("the holder notes");
    let (job, _) = claim(catalog, job.id, "next", now(62)).await;
    assert_eq!(job.progress, progress, "the next worker finds the notes of the lost one");
    consistent_rows(catalog).await;
}

pub(super) async fn the_chain_alone_does_not_move_a_job(catalog: &dyn Catalog) {
    let job = queue(catalog, 1).await;
    let record = catalog.chain(&subject()).await.expect("a catalogue answers").expect("a chain");
    let fact = |id, kind, payload| Fact { at: now(2), job_id: Some(id), kind, payload };
    let claimed = fact(job.id, E::BackupClaimed, Object::new());
    assert_code(record.audit.append(claimed).await, Code::JobState, "the chain alone does not move a job");
    consistent_rows(catalog).await;

    let (job, _) = claim(catalog, job.id, "worker", now(3)).await;
    walk(catalog, &job, &[JobState::Running, JobState::Finalizing, JobState::Completed]).await;
    let mut pruned = Object::from([("policy", "keep-30")]);
    pruned.insert("manifestSha256", sealed(1).remove("manifestSha256").expect("it is there"));
    record.audit.append(fact(job.id, E::BackupPruned, pruned)).await.expect("pruning does not move the job");
    record
        .audit
        .append(fact(job_id(2), E::DrillQueued, Object::new()))
        .await
        .expect("drills are told directly");
    let rows = consistent_rows(catalog).await;
    assert_eq!(kinds(&rows[rows.len() - 2..]), [E::BackupPruned, E::DrillQueued]);
}
