//! Remembers jobs and chains between runs.
//!
//! In: [`Step`]s of jobs. Out: [`Job`]s and their chains. What always holds: a state change and the row that tells of
//! it commit in one transaction or not at all, and a job has one holder at a time.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use walwarden_verify::{ChainId, JobId, Row, Sha256};

pub use crate::chain::Genesis;
use crate::chain::{AuditChain, Subject};
use crate::error::Result;

mod adopt;
mod ext;
mod job;
mod memory;
mod plan;
mod sqlite;
mod state;
mod write;

pub use ext::CatalogExt;
pub(crate) use job::object_name;
pub use job::{Job, JobKind, JobState, Lease, Progress};
pub use memory::MemoryCatalog;
pub use sqlite::SqliteCatalog;
pub use state::jobs_told_by;
pub use write::{NewJob, Step, Write, Written};

/// Which jobs to show, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JobQuery {
    /// Only this job.
    pub id: Option<JobId>,
    /// Only of this subject.
    pub subject: Option<Subject>,
    /// Only this kind.
    pub kind: Option<JobKind>,
    /// Only the one sealed with (or, of restores, made from) this manifest.
    pub manifest_sha256: Option<Sha256>,
    /// Only those that have not ended.
    pub unfinished: bool,
    /// At most so many; 0 for all.
    pub limit: usize,
}

impl JobQuery {
    /// This job.
    pub fn one(id: JobId) -> Self {
        JobQuery { id: Some(id), ..JobQuery::default() }
    }

    /// All jobs of a subject.
    pub fn of(subject: &Subject) -> Self {
        JobQuery { subject: Some(subject.clone()), ..JobQuery::default() }
    }

    /// Only those that have not ended.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    /// Only this kind.
    #[must_use]
    pub fn kind(mut self, kind: JobKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only the one sealed with (or, of restores, made from) this manifest.
    #[must_use]
    pub fn manifest(mut self, manifest_sha256: Sha256) -> Self {
        self.manifest_sha256 = Some(manifest_sha256);
        self
    }

    /// At most so many; 0 for all.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

/// A chain, and how far it has been published.
#[derive(Debug, Clone)]
pub struct ChainRecord {
    /// The chain.
    pub audit: Arc<dyn AuditChain>,
    /// Its id.
    pub chain_id: ChainId,
    /// Whose chain.
    pub subject: Subject,
    /// The last row known to lie in the destination; 0 when none does.
    pub mirrored_through: u64,
    /// The newest checkpoint: how many rows it covers, and the signed note.
    pub checkpoint: Option<(u64, String)>,
}

/// Jobs and chains. Implementations run `walwarden_testkit::catalog::suite`.
///
/// - [`write`](Self::write) MUST commit the change and its row together, durably, before it returns; after a crash
///   either both are there or neither.
/// - Two writers MUST never hold one job at once; the loser gets `job-held`. Who holds it is [`Lease::holds`]'s to say.
/// - A write under a lease that is not the job's current one MUST fail with `job-held` and change nothing.
/// - A step the state machine does not allow MUST fail with `job-state` and change nothing; an unknown job with
///   `job-unknown`; a subject without a chain with `database-unknown`.
/// - The holder of a job is told by name: a lease that ended stays good for its holder until another claims the job.
/// - The states of a catalogue's jobs MUST be those its chains tell of ([`jobs_told_by`]).
#[async_trait]
pub trait Catalog: Debug + Send + Sync + 'static {
    /// Carries out one write.
    async fn write(&self, write: Write) -> Result<Written>;

    /// Jobs, newest first.
    async fn jobs(&self, query: JobQuery) -> Result<Vec<Job>>;

    /// The subject's chain, if there is one.
    async fn chain(&self, subject: &Subject) -> Result<Option<ChainRecord>>;

    /// Every subject that has a chain, in no order. An implementation that can tell them from its chains MUST do so: one
    /// without a job is missed otherwise.
    async fn subjects(&self) -> Result<Vec<Subject>> {
        let jobs = self.jobs(JobQuery::default()).await?;
        let mut subjects: Vec<Subject> = Vec::new();
        for job in jobs {
            if !subjects.contains(&job.subject) {
                subjects.push(job.subject);
            }
        }
        Ok(subjects)
    }

    /// Starts the subject's chain with its genesis row and returns it; the existing one where there is one already.
    async fn start_chain(&self, genesis: Genesis) -> Result<Arc<dyn AuditChain>>;

    /// Enters a chain and the jobs it tells of as read back from a destination; it counts as mirrored. Refused with
    /// `job-state` when the subject has a chain already, with `chain-damaged` when the rows contradict each other, the
    /// subject or the jobs.
    async fn adopt(&self, subject: &Subject, rows: Vec<Row>, jobs: Vec<Job>) -> Result<()>;

    /// Called when a job has ended and all of it is written: brings what was committed into the one file that people keep,
    /// where there is such a file and something lies beside it. Nothing is lost where that fails.
    async fn settle(&self) {}
}
