//! Which changes of a job are allowed, which rows tell of them, and what a row makes of a job.

use std::collections::HashMap;

use walwarden_verify::json::Object;
use walwarden_verify::{EventKind, JobId, Row, Sha256, Timestamp};

use super::{Job, JobKind, JobState, Progress};
use crate::chain::Subject;

struct Change {
    from: &'static [JobState],
    to: JobState,
    told_by: &'static [EventKind],
}

const fn change(from: &'static [JobState], to: JobState, told_by: &'static [EventKind]) -> Change {
    Change { from, to, told_by }
}

use EventKind as E;
use JobState as S;

const BACKUP_HELD: &[S] = &[S::Claimed, S::Running, S::Finalizing];
const BACKUP_ACTIVE: &[S] = &[S::Queued, S::Claimed, S::Running, S::Finalizing];

// A backup that waits to be tried again is queued first, whatever comes of it: its chain allows nothing else.
const BACKUP: &[Change] = &[
    change(&[S::Queued], S::Claimed, &[E::BackupClaimed]),
    change(BACKUP_HELD, S::Claimed, &[E::BackupFailed, E::BackupQueued, E::BackupClaimed]),
    change(&[S::Claimed], S::Running, &[E::BackupRunning]),
    change(&[S::Running], S::Finalizing, &[E::BackupFinalizing]),
    change(&[S::Finalizing], S::Completed, &[E::BackupCompleted]),
    change(BACKUP_ACTIVE, S::FailedRetryable, &[E::BackupFailed]),
    change(BACKUP_ACTIVE, S::FailedTerminal, &[E::BackupFailed]),
    change(BACKUP_ACTIVE, S::Cancelled, &[E::BackupCancelled]),
    change(&[S::FailedRetryable], S::Queued, &[E::BackupQueued]),
    change(&[S::FailedRetryable], S::FailedTerminal, &[E::BackupQueued, E::BackupFailed]),
    change(&[S::FailedRetryable], S::Cancelled, &[E::BackupQueued, E::BackupCancelled]),
];

const RESTORE_ACTIVE: &[S] = &[
    S::Triggered,
    S::Claimed,
    S::Downloading,
    S::Verifying,
    S::ManifestVerified,
    S::Restoring,
    S::Finalizing,
];

const RESTORE: &[Change] = &[
    change(&[S::Triggered], S::Claimed, &[E::RestoreClaimed]),
    change(&[S::Claimed], S::Downloading, &[E::RestoreDownloading]),
    change(&[S::Downloading], S::Verifying, &[E::RestoreVerifying]),
    change(&[S::Verifying], S::ManifestVerified, &[E::RestoreManifestVerified]),
    change(&[S::ManifestVerified], S::Restoring, &[E::RestoreRestoring]),
    change(&[S::Restoring], S::Finalizing, &[E::RestoreFinalizing]),
    change(&[S::Finalizing], S::Completed, &[E::RestoreCompleted]),
    change(RESTORE_ACTIVE, S::FailedRetryable, &[E::RestoreFailed]),
    change(RESTORE_ACTIVE, S::FailedTerminal, &[E::RestoreFailed]),
    change(RESTORE_ACTIVE, S::TimedOut, &[E::RestoreTimedOut]),
];

impl JobKind {
    /// The kinds of the rows that tell of a change, in order; none where it is not allowed.
    pub(super) fn told_by(self, from: JobState, to: JobState) -> Option<&'static [EventKind]> {
        let table = match self {
            JobKind::Backup => BACKUP,
            JobKind::Restore => RESTORE,
        };
        table
            .iter()
            .find(|change| change.to == to && change.from.contains(&from))
            .map(|change| change.told_by)
    }

    /// The first state, and the row that tells of it.
    pub(super) const fn first(self) -> (JobState, EventKind) {
        match self {
            JobKind::Backup => (JobState::Queued, EventKind::BackupQueued),
            JobKind::Restore => (JobState::Triggered, EventKind::RestoreTriggered),
        }
    }

    /// The kind as text: `backup` or `restore`.
    pub const fn text(self) -> &'static str {
        match self {
            JobKind::Backup => "backup",
            JobKind::Restore => "restore",
        }
    }

    /// The kind with this text.
    pub fn from_text(text: &str) -> Option<Self> {
        [JobKind::Backup, JobKind::Restore].into_iter().find(|kind| kind.text() == text)
    }
}

macro_rules! texts {
    ($($state:ident $text:literal)*) => {
        impl JobState {
            /// Every state.
            pub const ALL: &[JobState] = &[$(JobState::$state,)*];

            /// The state as text, e.g. `failed_retryable`.
            pub const fn text(self) -> &'static str {
                match self { $(JobState::$state => $text,)* }
            }

            /// The state with this text.
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(JobState::$state),)* _ => None }
            }
        }
    };
}

texts! {
    Queued "queued"
    Triggered "triggered"
    Claimed "claimed"
    Running "running"
    Downloading "downloading"
    Verifying "verifying"
    ManifestVerified "manifest_verified"
    Restoring "restoring"
    Finalizing "finalizing"
    Completed "completed"
    FailedRetryable "failed_retryable"
    FailedTerminal "failed_terminal"
    Cancelled "cancelled"
    TimedOut "timed_out"
}

impl JobState {
    /// Whether a job of this kind ends with this state. A backup that failed retryably is tried again; a restore is
    /// not, its retry is a new job.
    pub const fn ends(self, kind: JobKind) -> bool {
        match self {
            JobState::Completed | JobState::FailedTerminal | JobState::Cancelled | JobState::TimedOut => true,
            JobState::FailedRetryable => matches!(kind, JobKind::Restore),
            _ => false,
        }
    }
}

impl Job {
    pub(super) fn begin(id: JobId, kind: JobKind, subject: Subject, queued_at: Timestamp) -> Self {
        Job {
            id,
            kind,
            subject,
            state: kind.first().0,
            queued_at,
            started_at: None,
            finished_at: None,
            attempt: 0,
            not_before: None,
            failure: None,
            manifest_sha256: None,
            artifact_key: None,
            size_bytes: None,
            progress: Progress::default(),
            lease: None,
        }
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.state.ends(self.kind)
    }

    /// Brings the job to where a row of its chain says it is. Rows that do not move it change nothing.
    pub(super) fn follow(&mut self, row: &Row) {
        let Some((_, state)) = told_of(row) else { return };
        self.state = state;
        self.not_before = None;
        match state {
            JobState::Claimed => {
                self.attempt += 1;
                self.started_at.get_or_insert(row.at);
            }
            JobState::FailedRetryable | JobState::FailedTerminal => {
                self.failure = text(&row.payload, "class").map(str::to_owned);
            }
            JobState::Completed if self.kind == JobKind::Backup => {
                self.manifest_sha256 = hash(&row.payload, "manifestSha256");
                self.size_bytes = row.payload.get("sizeBytes").and_then(|value| value.as_u64());
            }
            _ => {}
        }
        if self.is_finished() {
            self.finished_at = Some(row.at);
        }
        if self.is_finished() || matches!(state, JobState::Queued | JobState::FailedRetryable) {
            self.lease = None;
        }
    }
}

/// The jobs a chain's rows tell of, oldest first, as far as rows can tell: a dump's place and write-ahead notes are not
/// among it, and of a restore the manifest only if its row names it.
pub fn jobs_told_by(subject: &Subject, rows: &[Row]) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut places: HashMap<JobId, usize> = HashMap::new();
    for row in rows {
        let (Some(id), Some((kind, _))) = (row.job_id, told_of(row)) else { continue };
        let place = *places.entry(id).or_insert_with(|| {
            let mut job = Job::begin(id, kind, subject.clone(), row.at);
            job.manifest_sha256 = hash(&row.payload, "manifestSha256");
            jobs.push(job);
            jobs.len() - 1
        });
        jobs[place].follow(row);
    }
    jobs
}

// The kind of job a row moves and the state it brings it to.
fn told_of(row: &Row) -> Option<(JobKind, JobState)> {
    use JobKind::{Backup, Restore};
    let failed = match row.payload.get("retryable").and_then(|value| value.as_bool()) {
        Some(true) => S::FailedRetryable,
        _ => S::FailedTerminal,
    };
    Some(match row.kind {
        E::BackupQueued => (Backup, S::Queued),
        E::BackupClaimed => (Backup, S::Claimed),
        E::BackupRunning => (Backup, S::Running),
        E::BackupFinalizing => (Backup, S::Finalizing),
        E::BackupCompleted => (Backup, S::Completed),
        E::BackupFailed => (Backup, failed),
        E::BackupCancelled => (Backup, S::Cancelled),
        E::RestoreTriggered => (Restore, S::Triggered),
        E::RestoreClaimed => (Restore, S::Claimed),
        E::RestoreDownloading => (Restore, S::Downloading),
        E::RestoreVerifying => (Restore, S::Verifying),
        E::RestoreManifestVerified => (Restore, S::ManifestVerified),
        E::RestoreRestoring => (Restore, S::Restoring),
        E::RestoreFinalizing => (Restore, S::Finalizing),
        E::RestoreCompleted => (Restore, S::Completed),
        E::RestoreFailed => (Restore, failed),
        E::RestoreTimedOut => (Restore, S::TimedOut),
        _ => return None,
    })
}

fn text<'a>(payload: &'a Object, name: &str) -> Option<&'a str> {
    payload.get(name)?.as_str()
}

fn hash(payload: &Object, name: &str) -> Option<Sha256> {
    text(payload, name)?.parse().ok()
}
