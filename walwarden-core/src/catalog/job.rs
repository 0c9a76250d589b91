use std::time::Duration;

use bytes::Bytes;
use walwarden_verify::layout::{self, BackupObject};
use walwarden_verify::{JobId, Sha256, Timestamp};

use crate::chain::Subject;
use crate::clock::later;
use crate::error::{Code, Error, Result};
use crate::storage::{ObjectName, UploadId};

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
    /// For how long it was given, and each time renewed.
    pub length: Duration,
}

impl Job {
    /// Where one of a backup's objects lies in its destination.
    ///
    /// # Errors
    /// `internal` for a job that concerns no database: such jobs store nothing.
    pub fn object_name(&self, object: BackupObject) -> Result<ObjectName> {
        object_name(&self.subject, self.queued_at, self.id, object)
    }

    /// Whether nobody is at work on the job any more, if it has not ended: its lease does not hold ([`Lease::holds`]), or
    /// nobody took it within this time of when it could first be taken, or since the clock was set back by more than that.
    pub fn is_abandoned(&self, at: Timestamp, unclaimed: Duration) -> bool {
        match &self.lease {
            Some(lease) => !lease.holds(at),
            None => {
                // Between two attempts its worker waits.
                let since = self.not_before.unwrap_or(self.queued_at);
                later(since, unclaimed) <= at || later(at, unclaimed) < self.queued_at
            }
        }
    }
}

/// Where a backup's object lies, also before there is a [`Job`].
pub(crate) fn object_name(
    subject: &Subject,
    queued_at: Timestamp,
    id: JobId,
    object: BackupObject,
) -> Result<ObjectName> {
    let database_id = subject.database_id.as_ref().ok_or_else(|| {
        Error::new(Code::Internal, format!("a job that concerns no database stores nothing id={id}"))
    })?;
    ObjectName::new(layout::backup_key(&subject.org_id, database_id, queued_at, id, object))
}

impl Lease {
    /// Whether the lease still keeps others off at this time.
    ///
    /// One that would last for more than twice that was given before the clock was set back; as each renewal says anew
    /// until when, its holder has not been heard of since. Clocks of workers may differ by up to one length.
    pub fn holds(&self, at: Timestamp) -> bool {
        at < self.until && self.until <= later(later(at, self.length), self.length)
    }
}
