//! What a caller sees of a job while it runs, and how it stops one.

use std::fmt::Debug;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use walwarden_verify::json::Object;
use walwarden_verify::{JobId, Timestamp};

use crate::catalog::JobState;
use crate::error::{Code, Error};

/// A job reached a state; the row that tells of it is durable by then.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StateChange {
    /// The job.
    pub job_id: JobId,
    /// The state reached.
    pub state: JobState,
    /// When, as recorded in the chain.
    pub at: Timestamp,
    /// The row's payload.
    pub payload: Object,
}

/// Bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer {
    /// So many so far.
    pub done_bytes: u64,
    /// Of so many, where that is known.
    pub total_bytes: Option<u64>,
}

/// Is told what a job does. All methods return at once and do nothing unless overridden.
pub trait Watch: Debug + Send + Sync {
    /// A state was reached.
    fn state(&self, _change: &StateChange) {}

    /// Bytes have moved; called often.
    fn transfer(&self, _transfer: Transfer) {}

    /// Something the operator should know that does not stop the job.
    fn notice(&self, _text: &str) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// A request to stop, shared between the one who asks and the jobs that obey.
#[derive(Debug, Clone, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// Asks every job holding this value to stop at the next safe point.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// One that follows this one, and can be cancelled without it.
    pub(crate) fn child(&self) -> Cancel {
        Cancel(self.0.child_token())
    }

    /// Whether stopping was asked for.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until stopping is asked for.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// Does work that has nothing to wind down, and drops it when stopping is asked for; None then, also where it ends at the same time.
    pub async fn or_drop<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => None,
            done = work => Some(done),
        }
    }

    /// Does the work to its end; once stopping is asked for, for this much longer only. None if the work was dropped
    /// then, as if the process had ended: a store or server that does not answer must not keep anyone waiting.
    pub(crate) async fn or_grace<T>(&self, grace: Duration, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = async { self.cancelled().await; tokio::time::sleep(grace).await } => None,
        }
    }

    /// The error with which work ended. A component of the caller's own that was told to stop, too, may say so in its own words: that is
    /// the cancellation, not a failure.
    pub(crate) fn or_asked(&self, error: Error) -> Error {
        if error.code() == Code::ComponentFailed && self.is_cancelled() {
            return Error::new(Code::Cancelled, "stopped as asked").with_source(error);
        }
        error
    }
}
