use std::collections::BTreeMap;
use std::fmt;

use crate::json::Object;
use crate::{EventKind, JobId};

/// Where each job of a chain stands: the state machines of backup, restore and drill (`spec/chain.md`).
///
/// ```
/// use walwarden_verify::chain::Jobs;
/// use walwarden_verify::json::Object;
/// use walwarden_verify::{EventKind, JobId};
///
/// let job = JobId::from_parts(1_795_226_789_123, [7; 10]);
/// let mut jobs = Jobs::new();
/// jobs.apply(job, EventKind::BackupQueued, &Object::new());
/// assert!(jobs.allows(job, EventKind::BackupClaimed).is_ok());
/// assert!(jobs.allows(job, EventKind::BackupCompleted).is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Jobs {
    // Every job; of the latest one it may be behind.
    states: BTreeMap<JobId, State>,
    // The job of the last event, which mostly is that of the next one, too.
    latest: Option<(JobId, State)>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    last: EventKind,
    retryable: bool,
}

impl Jobs {
    /// No job yet.
    pub const fn new() -> Self {
        Jobs { states: BTreeMap::new(), latest: None }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.states.len()
    }

    /// Whether an event of this kind may come next for the job. Kinds without a state machine always may.
    ///
    /// # Errors
    ///
    /// When the order of states forbids it.
    pub fn allows(&self, job_id: JobId, kind: EventKind) -> Result<(), JobOrderError> {
        let state = self.state(job_id);
        if kind.machine().is_none() || may_follow(state, kind) {
            return Ok(());
        }
        let error = JobOrderError { job_id, last: state.map(|state| state.last), kind };
        Err(error)
    }

    /// Takes note of an event, allowed or not.
    pub fn apply(&mut self, job_id: JobId, kind: EventKind, payload: &Object) {
        if kind.machine().is_some() {
            let retryable = payload.get("retryable").and_then(|value| value.as_bool()).unwrap_or(false);
            let state = State { last: kind, retryable };
            match &mut self.latest {
                Some((latest, known)) if *latest == job_id => *known = state,
                latest => {
                    if let Some((former, known)) = latest.replace((job_id, state)) {
                        self.states.insert(former, known);
                    }
                    self.states.insert(job_id, state);
                }
            }
        }
    }

    fn state(&self, job_id: JobId) -> Option<State> {
        match self.latest {
            Some((latest, state)) if latest == job_id => Some(state),
            _ => self.states.get(&job_id).copied(),
        }
    }

    /// The last event of the job.
    pub fn last(&self, job_id: JobId) -> Option<EventKind> {
        self.state(job_id).map(|state| state.last)
    }
}

fn may_follow(state: Option<State>, kind: EventKind) -> bool {
    use EventKind as K;
    let Some(State { last, retryable }) = state else {
        return matches!(kind, K::BackupQueued | K::RestoreTriggered | K::DrillQueued);
    };
    match kind {
        K::BackupQueued => last == K::BackupFailed && retryable,
        K::BackupClaimed => last == K::BackupQueued,
        K::BackupRunning => last == K::BackupClaimed,
        K::BackupFinalizing => last == K::BackupRunning,
        K::BackupCompleted => last == K::BackupFinalizing,
        K::BackupFailed | K::BackupCancelled => {
            matches!(last, K::BackupQueued | K::BackupClaimed | K::BackupRunning | K::BackupFinalizing)
        }
        K::BackupPruned => last == K::BackupCompleted,
        K::RestoreClaimed => last == K::RestoreTriggered,
        K::RestoreDownloading => last == K::RestoreClaimed,
        K::RestoreVerifying => last == K::RestoreDownloading,
        K::RestoreManifestVerified => last == K::RestoreVerifying,
        K::RestoreRestoring => last == K::RestoreManifestVerified,
        K::RestoreFinalizing => last == K::RestoreRestoring,
        K::RestoreCompleted => last == K::RestoreFinalizing,
        K::RestoreFailed | K::RestoreTimedOut => matches!(
            last,
            K::RestoreTriggered
                | K::RestoreClaimed
                | K::RestoreDownloading
                | K::RestoreVerifying
                | K::RestoreManifestVerified
                | K::RestoreRestoring
                | K::RestoreFinalizing
        ),
        K::DrillStarted => last == K::DrillQueued,
        K::DrillRestored => last == K::DrillStarted,
        K::DrillChecked => last == K::DrillRestored,
        K::DrillPassed => last == K::DrillChecked,
        K::DrillFailed => {
            matches!(last, K::DrillQueued | K::DrillStarted | K::DrillRestored | K::DrillChecked)
        }
        _ => false,
    }
}

/// A job's order of states forbids an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobOrderError {
    /// The job.
    pub job_id: JobId,
    /// Its last event so far.
    pub last: Option<EventKind>,
    /// The event that may not follow.
    pub kind: EventKind,
}

impl fmt::Display for JobOrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            None => write!(f, "job {} may not begin with {}", self.job_id, self.kind),
            Some(last) => write!(f, "{} may not follow {last} in job {}", self.kind, self.job_id),
        }
    }
}

impl std::error::Error for JobOrderError {}
