//! What a whole chain must obey: its links, its keys, and the order of states of each job.
//!
//! [`Replay`] walks a chain row by row. A reader pushes every row and gathers the [`Violation`]s; a writer asks
//! [`Replay::allows`] before it links the next row.

mod jobs;
mod keys;
mod replay;

use std::fmt;

use crate::reason::Reason;

pub use jobs::{JobOrderError, Jobs};
pub use keys::{KeyHistory, Rotation, rotation_message};
pub use replay::{Completed, DrillEnd, Genesis, Replay};

/// A row breaks a rule of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which rule.
    pub reason: Reason,
    /// The row, by its place.
    pub seq: u64,
    /// What is wrong, in one line.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}: {}", self.seq, self.detail)
    }
}

impl std::error::Error for Violation {}

#[cfg(test)]
mod tests;
