//! Remembers jobs and chains between runs.
//!
//! In: [`Step`]s of jobs. Out: [`Job`]s and their chains. What always holds: a state change and the row that tells of
//! it commit in one transaction or not at all, and a job has one holder at a time.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use walwarden_verify::json::Object;
use walwarden_verify::{ChainId, JobId, Row, Sha256, Timestamp};

pub use crate::chain::Genesis;
use crate::chain::{AuditChain, Subject};
use crate::error::Result;
use crate::storage::{ObjectName, UploadId};

mod adopt;
mod ext;
mod memory;
mod plan;
mod sqlite;
mod state;

pub use ext::CatalogExt;
pub use memory::MemoryCatalog;
pub use sqlite::SqliteCatalog;
pub use state::jobs_told_by;

/// What kind of work a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobKind {
    /// A backup.
    Backup,
    /// A restore.
    Restore,
}

/// Where a job stands, as users see it (`spec/outcomes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobState {
    /// Backup: waiting for a worker. (Restores begin as `Triggered`.)
    Queued,
    /// Restore: asked for.
    Triggered,
    /// Held by a worker.
    Claimed,
    /// Backup: pg_dump is running.
    Running,
    /// Restore: the dump is being fetched.
    Downloading,
    /// Restore: the digest is being compared.
    Verifying,
    /// Restore: manifest and dump are what they claim to be.
    ManifestVerified,
    /// Restore: pg_restore is running.
    Restoring,
    /// Stored or restored; being sealed.
    Finalizing,
    /// Done and sealed.
    Completed,
    /// Failed; may be tried again from `not_before` on.
    FailedRetryable,
    /// Failed for good.
    FailedTerminal,
    /// Stopped on request.
    Cancelled,
    /// Restore: sealed by the watchdog.
    TimedOut,
}

/// Write-ahead notes of a backup, so that the next run can carry on after a crash at any instruction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Uploads begun and not known to be finished.
    pub uploads: Vec<(ObjectName, UploadId)>,
    /// What was sent, as JSON, noted before the dump becomes visible.
    pub receipt: Option<Bytes>,
    /// The signed manifest's exact bytes, noted before it is stored.
    pub manifest: Option<Bytes>,
}

/// One job as remembered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What kind of work.
    pub kind: JobKind,
    /// Whose chain tells of it.
    pub subject: Subject,
    /// Where it stands.
    pub state: JobState,
    /// When it was queued (restores: triggered), by the clock of who asked; its UTC day names its folder.
    pub queued_at: Timestamp,
    /// When it was first claimed, as the chain has it.
    pub started_at: Option<Timestamp>,
    /// When it ended, as the chain has it. A restore that failed has ended, retryable or not.
    pub finished_at: Option<Timestamp>,
    /// How often it was claimed, from 1; 0 before the first claim.
    pub attempt: u32,
    /// When it may be tried again.
    pub not_before: Option<Timestamp>,
    /// Failure class of the last failed attempt.
    pub failure: Option<String>,
    /// The sealed backup's manifest; for a restore, the one restored from.
    pub manifest_sha256: Option<Sha256>,
    /// Where the dump lies (backups).
    pub artifact_key: Option<ObjectName>,
    /// Bytes of the dump as stored, once known.
    pub size_bytes: Option<u64>,
    /// Write-ahead notes.
    pub progress: Progress,
    /// Who holds it.
    pub lease: Option<Lease>,
}

/// The right to work on a job, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job_id: JobId,
    /// Name of the worker, unique for each process.
    pub holder: String,
    /// Until when, unless renewed.
    pub until: Timestamp,
}

/// One change of one job, with the fact that tells of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// The job concerned.
    pub job_id: JobId,
    /// The lease under which it is changed; a job nobody holds may be changed without.
    pub lease: Option<Lease>,
    /// The state to reach. The fact's kind follows from it.
    pub to: JobState,
    /// When, by the caller's clock.
    pub at: Timestamp,
    /// Payload of the row.
    pub payload: Object,
    /// From when on a job that failed retryably may be tried again. Kept for whoever decides when; not enforced here.
    pub not_before: Option<Timestamp>,
}

impl Step {
    /// A step nobody holds a lease for, with an empty payload.
    pub fn new(job_id: JobId, to: JobState, at: Timestamp) -> Self {
        Step { job_id, lease: None, to, at, payload: Object::new(), not_before: None }
    }

    /// Under this lease.
    #[must_use]
    pub fn under(mut self, lease: &Lease) -> Self {
        self.lease = Some(lease.clone());
        self
    }

    /// With this payload. A failure needs its `class` here; `retryable` and `attempt` are filled in.
    #[must_use]
    pub fn with_payload(mut self, payload: Object) -> Self {
        self.payload = payload;
        self
    }

    /// Not to be tried again before.
    #[must_use]
    pub fn not_before(mut self, not_before: Timestamp) -> Self {
        self.not_before = Some(not_before);
        self
    }
}

/// A job to be entered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// What kind of work.
    pub kind: JobKind,
    /// Whose chain tells of it.
    pub subject: Subject,
    /// When, by the caller's clock.
    pub at: Timestamp,
    /// Where the dump will lie (backups).
    pub artifact_key: Option<ObjectName>,
    /// The manifest to restore from (restores).
    pub manifest_sha256: Option<Sha256>,
}

impl NewJob {
    /// A backup whose dump will lie at `artifact_key`.
    pub fn backup(id: JobId, subject: Subject, at: Timestamp, artifact_key: ObjectName) -> Self {
        let kind = JobKind::Backup;
        NewJob { id, kind, subject, at, artifact_key: Some(artifact_key), manifest_sha256: None }
    }

    /// A restore of the backup with this manifest.
    pub fn restore(id: JobId, subject: Subject, at: Timestamp, manifest_sha256: Sha256) -> Self {
        let kind = JobKind::Restore;
        NewJob { id, kind, subject, at, artifact_key: None, manifest_sha256: Some(manifest_sha256) }
    }
}

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

/// Something to write about a job or a chain.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Write {
    /// Enter a job, with its first row (`backup.queued`, `restore.triggered`).
    Enter(NewJob),
    /// Take the job for `lease`, if nobody holds it, with its row (`.claimed`). A lease that ended counts as nobody:
    /// a backup whose worker vanished is first written down as failed (`worker-lost`) and queued again. A restore is
    /// not taken up again; it is ended by a step, and a new one begun.
    Claim {
        /// The job.
        job_id: JobId,
        /// Name of the worker.
        holder: String,
        /// The caller's clock.
        at: Timestamp,
        /// How long the lease lasts.
        lease: Duration,
    },
    /// Move a job on, with its row.
    Step(Step),
    /// Prolong a lease; no row.
    Renew {
        /// The lease as held.
        lease: Lease,
        /// Until when.
        until: Timestamp,
    },
    /// Replace a job's write-ahead notes; no row.
    Note {
        /// The lease as held.
        lease: Lease,
        /// The new notes.
        progress: Progress,
    },
    /// Remember that the destination has the subject's chain up to this row; no row. A lower number than the one
    /// remembered changes nothing.
    Mirrored {
        /// Whose chain.
        subject: Subject,
        /// The last row known to lie in the destination.
        through_seq: u64,
    },
    /// Keep a checkpoint of the subject's chain; no row. One over fewer rows than the one kept changes nothing.
    Checkpoint {
        /// Whose chain.
        subject: Subject,
        /// How many rows it covers.
        size: u64,
        /// The signed note.
        note: String,
    },
}

/// What a [`Write`] left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The job as it is now, where the write concerned one.
    pub job: Option<Job>,
    /// The last row that tells of it, where there is one.
    pub row: Option<Row>,
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
/// - Two writers MUST never hold one job at once; the loser gets `job-held`.
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

    /// Starts the subject's chain with its genesis row and returns it; the existing one where there is one already.
    async fn start_chain(&self, genesis: Genesis) -> Result<Arc<dyn AuditChain>>;

    /// Enters a chain and the jobs it tells of as read back from a destination; it counts as mirrored. Refused with
    /// `job-state` when the subject has a chain already, with `chain-damaged` when the rows contradict each other, the
    /// subject or the jobs.
    async fn adopt(&self, subject: &Subject, rows: Vec<Row>, jobs: Vec<Job>) -> Result<()>;
}
