//! A job under our lease: what both conductors do with the catalogue while they work.

use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use walwarden_verify::Timestamp;
use walwarden_verify::json::{Object, Value};

use crate::catalog::{Job, JobState, Lease, Progress, Step, Write, Written};
use crate::clock::later;
use crate::engine::Parts;
use crate::error::{Code, Error, Result, Retry};
use crate::watch::{Cancel, StateChange, Watch};

/// A claimed job. Its writes are serialised, so that each goes out under the lease as last renewed.
#[derive(Debug)]
pub(crate) struct HeldJob<'a> {
    parts: &'a Parts,
    watch: &'a dyn Watch,
    job: Mutex<Job>,
}

impl<'a> HeldJob<'a> {
    /// Takes the job, if nobody else holds it.
    pub(crate) async fn claim(parts: &'a Parts, job: &Job, watch: &'a dyn Watch) -> Result<HeldJob<'a>> {
        let claim = Write::Claim {
            job_id: job.id,
            // Unique for each claim, so that a claim that was lost stays lost, also to this very process.
            holder: format!("{}/{:016x}", parts.settings.worker, parts.random_number()),
            at: parts.clock.now(),
            lease: parts.settings.lease,
        };
        let job = reported(watch, parts.catalog.write(claim).await?)?;
        Ok(HeldJob { parts, watch, job: Mutex::new(job) })
    }

    /// The job as last written.
    pub(crate) async fn job(&self) -> Job {
        self.job.lock().await.clone()
    }

    /// Moves the job on, with its row.
    pub(crate) async fn step(&self, to: JobState, payload: Object) -> Result<Job> {
        self.step_until(to, payload, None).await
    }

    /// Ends the attempt as failed. `pause` says when it may be tried again; none means never.
    pub(crate) async fn fail(&self, error: &Error, pause: Option<Duration>) -> Result<Job> {
        let payload = Object::from([("class", Value::from(error.code().text()))]);
        match pause {
            Some(pause) => {
                let not_before = later(self.parts.clock.now(), pause);
                self.step_until(JobState::FailedRetryable, payload, Some(not_before)).await
            }
            None => self.step(JobState::FailedTerminal, payload).await,
        }
    }

    async fn step_until(&self, to: JobState, payload: Object, not_before: Option<Timestamp>) -> Result<Job> {
        let mut job = self.job.lock().await;
        let at = self.parts.clock.now();
        let step = Step { job_id: job.id, lease: job.lease.clone(), to, at, payload, not_before };
        *job = reported(self.watch, self.parts.catalog.write(Write::Step(step)).await?)?;
        Ok(job.clone())
    }

    /// Changes the write-ahead notes, durably.
    pub(crate) async fn note(&self, change: impl FnOnce(&mut Progress) + Send) -> Result<()> {
        let mut job = self.job.lock().await;
        let lease = held(&job)?;
        let mut progress = job.progress.clone();
        change(&mut progress);
        *job = reported(self.watch, self.parts.catalog.write(Write::Note { lease, progress }).await?)?;
        Ok(())
    }

    /// Does the work while renewing the lease beside it; ends early if the lease is lost.
    pub(crate) async fn while_renewing<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            outcome = work => outcome,
            lost = self.renew_for_ever() => Err(lost),
        }
    }

    /// The same for work that has to clean up behind itself: when the lease is lost it is asked to stop, and waited for.
    /// What it completed all the same is not lost with the lease.
    pub(crate) async fn while_renewing_or_stopped<T>(
        &self,
        stop: &Cancel,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            outcome = &mut work => outcome,
            lost = self.renew_for_ever() => {
                stop.cancel();
                work.await.map_err(|_stopped| lost)
            }
        }
    }

    async fn renew_for_ever(&self) -> Error {
        loop {
            tokio::time::sleep(self.parts.settings.lease / 3).await;
            match self.renew().await {
                // A busy catalogue costs nobody a dump: should another worker have the job by now, the catalogue
                // refuses the next step.
                Err(error) if error.code().retry() == Retry::Yes => self.watch.notice(&error.to_string()),
                Err(error) => return error,
                Ok(()) => {}
            }
        }
    }

    async fn renew(&self) -> Result<()> {
        let mut job = self.job.lock().await;
        let lease = held(&job)?;
        let until = later(self.parts.clock.now(), self.parts.settings.lease);
        *job = reported(self.watch, self.parts.catalog.write(Write::Renew { lease, until }).await?)?;
        Ok(())
    }
}

fn held(job: &Job) -> Result<Lease> {
    let lost =
        || Error::new(Code::JobHeld, format!("the job is no longer held by this worker job={}", job.id));
    job.lease.clone().ok_or_else(lost)
}

/// The job of a write that concerned one; the watcher is told of the row, where there is one.
pub(crate) fn reported(watch: &dyn Watch, written: Written) -> Result<Job> {
    let job = written
        .job
        .ok_or_else(|| Error::new(Code::Internal, "the catalogue wrote of a job and returned none"))?;
    if let Some(row) = written.row {
        watch.state(&StateChange { job_id: job.id, state: job.state, at: row.at, payload: row.payload });
    }
    Ok(job)
}
