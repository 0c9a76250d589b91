//! What a write does, worked out before anything is touched. Every catalogue carries out the same plans.

use std::time::Duration;

use walwarden_verify::json::{Object, Value};
use walwarden_verify::{EventKind, JobId, Row, Timestamp};

use super::{Job, JobState, Lease, NewJob, Step, Write, Written};
use crate::chain::{Fact, Head, Subject};
use crate::clock::later;
use crate::error::{Code, Error, Result};

/// The facts to record and the job as it will be.
#[derive(Debug)]
pub(super) struct Plan {
    /// Whose chain is to take them.
    pub(super) subject: Subject,
    /// To be appended in this order, in one commit with the job.
    pub(super) facts: Vec<Fact>,
    job: Job,
    lease: Option<Lease>,
    not_before: Option<Timestamp>,
}

impl Plan {
    /// Plans a write that concerns a job, which is `stored` so far.
    pub(super) fn new(write: Write, stored: Option<Job>) -> Result<Self> {
        if let Write::Enter(new) = write {
            return match stored {
                None => Ok(Plan::enter(new)),
                Some(job) => Err(refused(&job, "entered")),
            };
        }
        let job = stored.ok_or_else(|| match write.job_id() {
            Some(id) => unknown(id),
            None => Error::new(Code::Internal, "a write about a chain was planned as one about a job"),
        })?;
        match write {
            Write::Claim { holder, at, lease, .. } => Plan::claim(job, holder, at, lease),
            Write::Step(step) => Plan::step(job, step),
            Write::Renew { lease, until } => {
                let mut plan = Plan::quiet(job, &lease)?;
                plan.job.lease = Some(Lease { until, ..lease });
                Ok(plan)
            }
            Write::Note { lease, progress } => {
                let mut plan = Plan::quiet(job, &lease)?;
                plan.job.progress = progress;
                Ok(plan)
            }
            Write::Enter(_) | Write::Mirrored { .. } | Write::Checkpoint { .. } => {
                Err(Error::new(Code::Internal, "a write about a chain was planned as one about a job"))
            }
        }
    }

    /// The job after its rows were appended.
    pub(super) fn carried_out(mut self, rows: Vec<Row>) -> Written {
        for row in &rows {
            self.job.follow(row);
        }
        if self.lease.is_some() {
            self.job.lease = self.lease;
        }
        if self.job.state == JobState::FailedRetryable && !self.job.is_finished() {
            self.job.not_before = self.not_before;
        }
        Written { job: Some(self.job), row: rows.into_iter().next_back() }
    }

    fn enter(new: NewJob) -> Self {
        let NewJob { id, kind, subject, at, artifact_key, manifest_sha256 } = new;
        let mut job = Job::begin(id, kind, subject, at);
        job.artifact_key = artifact_key;
        job.manifest_sha256 = manifest_sha256;
        let mut payload = Object::new();
        if let Some(hash) = manifest_sha256 {
            payload.insert("manifestSha256", hash);
        }
        let facts = vec![Fact { at, job_id: Some(id), kind: kind.first().1, payload }];
        Plan { subject: job.subject.clone(), facts, job, lease: None, not_before: None }
    }

    fn claim(job: Job, holder: String, at: Timestamp, length: Duration) -> Result<Self> {
        if let Some(lease) = job.lease.as_ref().filter(|lease| lease.holds(at)) {
            return Err(held(&job, &lease.holder));
        }
        let lost = Object::from([("class", Code::WorkerLost.text())]);
        let facts = facts(&job, JobState::Claimed, at, lost)?;
        let lease = Some(Lease { job_id: job.id, holder, until: later(at, length), length });
        Ok(Plan { subject: job.subject.clone(), facts, job, lease, not_before: None })
    }

    fn step(job: Job, step: Step) -> Result<Self> {
        match &step.lease {
            Some(lease) => check_lease(&job, lease)?,
            None => refuse_held(&job, step.at)?,
        }
        if step.to == JobState::Claimed {
            return Err(refused(&job, "claimed"));
        }
        let facts = facts(&job, step.to, step.at, step.payload)?;
        Ok(Plan { subject: job.subject.clone(), facts, job, lease: None, not_before: step.not_before })
    }

    fn quiet(job: Job, lease: &Lease) -> Result<Self> {
        check_lease(&job, lease)?;
        Ok(Plan { subject: job.subject.clone(), facts: Vec::new(), job, lease: None, not_before: None })
    }
}

impl Write {
    /// The job it concerns, if it concerns one.
    pub(super) fn job_id(&self) -> Option<JobId> {
        match self {
            Write::Enter(new) => Some(new.id),
            Write::Claim { job_id, .. } => Some(*job_id),
            Write::Step(step) => Some(step.job_id),
            Write::Renew { lease, .. } | Write::Note { lease, .. } => Some(lease.job_id),
            Write::Mirrored { .. } | Write::Checkpoint { .. } => None,
        }
    }
}

/// No such job.
pub(super) fn unknown(id: JobId) -> Error {
    Error::new(Code::JobUnknown, format!("the catalogue has no such job id={id}"))
}

/// No chain of that subject.
pub(super) fn unknown_subject(subject: &Subject) -> Error {
    Error::new(Code::DatabaseUnknown, format!("the catalogue has no chain of {subject}"))
}

/// Only rows that exist can have been published.
pub(super) fn check_published(head: Head, seq: u64) -> Result<()> {
    if seq <= head.seq {
        return Ok(());
    }
    let message = format!("rows were published that the chain has not seq={seq} head={}", head.seq);
    Err(Error::new(Code::ChainDamaged, message))
}

// The payload goes into the last row, except that a failure on the way to another state (a worker that vanished, at
// the head of a claim) takes it.
fn facts(job: &Job, to: JobState, at: Timestamp, payload: Object) -> Result<Vec<Fact>> {
    let kinds = job.kind.told_by(job.state, to).ok_or_else(|| refused(job, to.text()))?;
    let vanished = to == JobState::Claimed;
    let last = kinds.len() - 1;
    let fact = |(place, kind): (usize, &EventKind)| {
        let fails = matches!(kind, EventKind::BackupFailed | EventKind::RestoreFailed);
        let mut own = if fails || (place == last && !vanished) { payload.clone() } else { Object::new() };
        if fails {
            own.insert("retryable", vanished || to == JobState::FailedRetryable);
        }
        if *kind == EventKind::BackupFailed {
            own.insert("attempt", Value::from(job.attempt.max(1)));
        }
        Fact { at, job_id: Some(job.id), kind: *kind, payload: own }
    };
    Ok(kinds.iter().enumerate().map(fact).collect())
}

fn check_lease(job: &Job, lease: &Lease) -> Result<()> {
    match &job.lease {
        Some(current) if current.holder == lease.holder && lease.job_id == job.id => Ok(()),
        Some(current) => Err(held(job, &current.holder)),
        None => Err(Error::new(
            Code::JobHeld,
            format!("the lease on the job is gone id={} holder={}", job.id, lease.holder),
        )),
    }
}

fn refuse_held(job: &Job, at: Timestamp) -> Result<()> {
    match &job.lease {
        Some(lease) if lease.holds(at) => Err(held(job, &lease.holder)),
        _ => Ok(()),
    }
}

fn held(job: &Job, holder: &str) -> Error {
    Error::new(Code::JobHeld, format!("another worker holds the job id={} holder={holder}", job.id))
}

fn refused(job: &Job, to: &str) -> Error {
    Error::new(
        Code::JobState,
        format!(
            "the {} cannot be moved there id={} state={} to={to}",
            job.kind.text(),
            job.id,
            job.state.text()
        ),
    )
}
