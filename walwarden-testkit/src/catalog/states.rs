use walwarden_core::Code;
use walwarden_core::catalog::{Catalog, CatalogExt, Job, JobState, NewJob, Step};
use walwarden_core::chain::Subject;
use walwarden_core::verify::Sha256;
use walwarden_core::verify::json::Object;

use super::{JobState as S, claim, consistent_rows, now, payload_for, queue, walk};
use crate::chain::{assert_code, job_id, subject};

// Each state of a backup, the way there after the claim, and where a step may lead from it.
const BACKUP: &[(S, &[S], &[S])] = &[
    (S::Claimed, &[], &[S::Running, S::FailedRetryable, S::FailedTerminal, S::Cancelled]),
    (S::Running, &[S::Running], &[S::Finalizing, S::FailedRetryable, S::FailedTerminal, S::Cancelled]),
    (
        S::Finalizing,
        &[S::Running, S::Finalizing],
        &[S::Completed, S::FailedRetryable, S::FailedTerminal, S::Cancelled],
    ),
    (S::FailedRetryable, &[S::FailedRetryable], &[S::Queued, S::FailedTerminal, S::Cancelled]),
    (S::Queued, &[S::FailedRetryable, S::Queued], &[S::FailedRetryable, S::FailedTerminal, S::Cancelled]),
    (S::Completed, &[S::Running, S::Finalizing, S::Completed], &[]),
    (S::FailedTerminal, &[S::FailedTerminal], &[]),
    (S::Cancelled, &[S::Running, S::Cancelled], &[]),
];

const RESTORE: &[(S, &[S], &[S])] = &[
    (S::Claimed, &[], &[S::Downloading, S::FailedRetryable, S::FailedTerminal, S::TimedOut]),
    (
        S::Verifying,
        &[S::Downloading, S::Verifying],
        &[S::ManifestVerified, S::FailedRetryable, S::FailedTerminal, S::TimedOut],
    ),
    (
        S::Restoring,
        &[S::Downloading, S::Verifying, S::ManifestVerified, S::Restoring],
        &[S::Finalizing, S::FailedRetryable, S::FailedTerminal, S::TimedOut],
    ),
    (S::FailedRetryable, &[S::FailedRetryable], &[]),
    (S::TimedOut, &[S::TimedOut], &[]),
];

pub(super) async fn only_the_state_machine_moves_a_backup(catalog: &dyn Catalog) {
    let mut number = 0;
    for (state, way, allowed) in BACKUP {
        number += 1;
        let job = queue(catalog, number).await;
        let (job, _) = claim(catalog, job.id, "worker", now(90)).await;
        let job = walk_with_manifest(catalog, job, way, number).await;
        assert_eq!(job.state, *state);
        refuses_all_but(catalog, &job, allowed).await;
        for to in *allowed {
            number += 1;
            let job = queue(catalog, number).await;
            let (job, _) = claim(catalog, job.id, "worker", now(90)).await;
            let job = walk_with_manifest(catalog, job, way, number).await;
            walk_with_manifest(catalog, job, &[*to], number).await;
        }
    }
    consistent_rows(catalog).await;
}

pub(super) async fn only_the_state_machine_moves_a_restore(catalog: &dyn Catalog) {
    let mut number = 0;
    for (state, way, allowed) in RESTORE {
        for to in allowed.iter().map(Some).chain([None]) {
            number += 1;
            let new = NewJob::restore(job_id(number), subject(), now(number), Sha256::of(b"manifest"));
            let job = catalog.enter(new).await.expect("a restore can be entered");
            let (job, _) = claim(catalog, job.id, "worker", now(90)).await;
            let job = walk(catalog, &job, way).await;
            assert_eq!(job.state, *state);
            match to {
                Some(to) => drop(walk(catalog, &job, &[*to]).await),
                None => refuses_all_but(catalog, &job, allowed).await,
            }
        }
    }
    consistent_rows(catalog).await;
}

pub(super) async fn a_step_that_cannot_be_told_changes_nothing(catalog: &dyn Catalog) {
    let job = queue(catalog, 1).await;
    let waiting = walk(catalog, &job, &[JobState::FailedRetryable]).await;
    let before = consistent_rows(catalog).await;
    // Two rows tell of this step, and the second lacks its class.
    let refused = catalog.step(Step::new(job.id, JobState::FailedTerminal, now(3))).await;
    assert_code(refused, Code::Internal, "a failure needs a class");
    assert_eq!(catalog.job(job.id).await.expect("it is there"), waiting);
    assert_eq!(consistent_rows(catalog).await, before, "no row of a refused step is left");
    walk(catalog, &waiting, &[JobState::Cancelled]).await;
    consistent_rows(catalog).await;
}

pub(super) async fn a_job_is_entered_once_and_where_there_is_a_chain(catalog: &dyn Catalog) {
    let job = queue(catalog, 1).await;
    let again = || NewJob::backup(job.id, subject(), now(2), job.artifact_key.clone().expect("a backup's"));
    assert_code(catalog.enter(again()).await, Code::JobState, "a job is entered once");
    let waiting = walk(catalog, &job, &[JobState::FailedRetryable]).await;
    assert_code(catalog.enter(again()).await, Code::JobState, "also when it waits to be tried again");
    let restore = NewJob::restore(job.id, subject(), now(2), Sha256::of(b"manifest"));
    assert_code(catalog.enter(restore).await, Code::JobState, "also as a job of another kind");
    assert_eq!(catalog.job(job.id).await.expect("it is there"), waiting);

    let nowhere = Subject { database_id: Some("nowhere".parse().expect("an id")), ..subject() };
    let new = NewJob::restore(job_id(2), nowhere, now(2), Sha256::of(b"manifest"));
    assert_code(catalog.enter(new).await, Code::DatabaseUnknown, "a job needs a chain to tell of it");
    assert_code(catalog.job(job_id(2)).await, Code::JobUnknown, "a refused job is not there");
    let step = Step::new(job_id(2), JobState::Cancelled, now(3));
    assert_code(catalog.step(step).await, Code::JobUnknown, "an unknown job cannot be moved");
    consistent_rows(catalog).await;
}

async fn refuses_all_but(catalog: &dyn Catalog, job: &Job, allowed: &[JobState]) {
    let head = async || {
        let record = catalog.chain(&subject()).await.expect("a catalogue answers").expect("a chain");
        record.audit.head().await.expect("a head")
    };
    let before = head().await;
    for to in JobState::ALL.iter().filter(|to| !allowed.contains(to)) {
        let mut step = Step::new(job.id, *to, now(100)).with_payload(payload_for(*to));
        step.lease = job.lease.clone();
        let rule = format!("{:?} does not follow {:?}", to, job.state);
        assert_code(catalog.step(step).await, Code::JobState, &rule);
    }
    assert_eq!(catalog.job(job.id).await.expect("it is there"), *job, "refused steps leave the job");
    assert_eq!(head().await, before, "refused steps leave no row");
}

// As walk, but no two backups are sealed with the same manifest.
async fn walk_with_manifest(catalog: &dyn Catalog, mut job: Job, way: &[JobState], number: u8) -> Job {
    for state in way {
        let payload = match state {
            JobState::Completed => super::sealed(number),
            JobState::FailedRetryable | JobState::FailedTerminal => super::failed("dump-failed"),
            _ => Object::new(),
        };
        let mut step = Step::new(job.id, *state, now(99)).with_payload(payload);
        step.lease = job.lease.clone();
        (job, _) = catalog.step(step).await.expect("an allowed step is taken");
        assert_eq!(job.state, *state);
    }
    job
}
