use std::time::Duration;

use async_trait::async_trait;
use walwarden_verify::{JobId, Row, Timestamp};

use super::{Catalog, Job, JobQuery, Lease, NewJob, Progress, Step, Write, Written, plan};
use crate::chain::Subject;
use crate::error::{Code, Error, Result};

/// Comfort on top of [`Catalog`]: one call for each kind of write.
#[async_trait]
pub trait CatalogExt: Catalog {
    /// The job as remembered; `job-unknown` when there is none.
    async fn job(&self, id: JobId) -> Result<Job> {
        self.jobs(JobQuery::one(id)).await?.pop().ok_or_else(|| plan::unknown(id))
    }

    /// Enters a job; see [`Write::Enter`].
    async fn enter(&self, new: NewJob) -> Result<Job> {
        the_job(self.write(Write::Enter(new)).await?)
    }

    /// Takes a job; see [`Write::Claim`]. The lease is in the job.
    async fn claim(&self, job_id: JobId, holder: &str, at: Timestamp, lease: Duration) -> Result<Job> {
        the_job(self.write(Write::Claim { job_id, holder: holder.to_owned(), at, lease }).await?)
    }

    /// Moves a job on; see [`Write::Step`].
    async fn step(&self, step: Step) -> Result<(Job, Row)> {
        let mut written = self.write(Write::Step(step)).await?;
        let row = written.row.take();
        let row =
            row.ok_or_else(|| Error::new(Code::Internal, "the catalogue wrote a step without a row"))?;
        Ok((the_job(written)?, row))
    }

    /// Prolongs a lease; see [`Write::Renew`].
    async fn renew(&self, lease: Lease, until: Timestamp) -> Result<Lease> {
        let job = the_job(self.write(Write::Renew { lease, until }).await?)?;
        job.lease.ok_or_else(|| Error::new(Code::Internal, "the catalogue renewed a lease and has none"))
    }

    /// Replaces a job's write-ahead notes; see [`Write::Note`].
    async fn note(&self, lease: Lease, progress: Progress) -> Result<()> {
        self.write(Write::Note { lease, progress }).await.map(drop)
    }

    /// Remembers how far a chain lies in the destination; see [`Write::Mirrored`].
    async fn mirrored(&self, subject: &Subject, through_seq: u64) -> Result<()> {
        self.write(Write::Mirrored { subject: subject.clone(), through_seq }).await.map(drop)
    }

    /// Keeps a checkpoint; see [`Write::Checkpoint`].
    async fn checkpoint(&self, subject: &Subject, size: u64, note: String) -> Result<()> {
        self.write(Write::Checkpoint { subject: subject.clone(), size, note }).await.map(drop)
    }
}

impl<C: Catalog + ?Sized> CatalogExt for C {}

fn the_job(written: Written) -> Result<Job> {
    written.job.ok_or_else(|| Error::new(Code::Internal, "the catalogue wrote of a job and returned none"))
}
