use std::time::Duration;

use walwarden_verify::json::Object;
use walwarden_verify::{JobId, Row, Sha256, Timestamp};

use super::{Job, JobKind, JobState, Lease, Progress};
use crate::chain::Subject;
use crate::storage::ObjectName;

/// Something to write about a job or a chain.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Write {
    /// Enter a job, with its first row (`backup.queued`, `restore.triggered`).
    Enter(NewJob),
    /// Take the job for `lease`, if nobody holds it, with its row (`.claimed`). A lease that ended, or that was given before
    /// the clock was set back ([`Lease::holds`]), counts as nobody: a backup whose worker vanished is first written down as failed (`worker-lost`) and queued again. A restore is
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
    /// Renew a lease; no row. It may end earlier than it did, when the clock was set back.
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
