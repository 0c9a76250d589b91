//! What a verification found, for people and for programs.

mod findings;
mod html;
mod json;
mod not_proven;
mod summary;
mod text;

use std::collections::BTreeMap;
use std::fmt;

use crate::checkpoint::{AddCheckpoint, Cosignature};
use crate::reason::{Exit, Reason};
use crate::verifier::is_ahead;
use crate::{ChainId, DatabaseId, KeyId, OrgId, Sha256, Timestamp};

pub(crate) use findings::Findings;
pub use not_proven::NotProven;
pub use summary::VerificationSummary;
pub use text::printable;

/// What the evidence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// 0: it agrees with itself.
    SelfConsistent = 0,
    /// 1: its manifests are signed by a pinned key.
    Authentic = 1,
    /// 2: nothing is missing or unannounced, as checkpoint and signed index say.
    Complete = 2,
    /// 3: complete, and a witness of the auditor's choice says when it saw the checkpoint.
    Witnessed = 3,
    /// 4: complete, and it goes on from a checkpoint the auditor kept.
    Continuous = 4,
}

impl Level {
    /// The level of this number.
    pub const fn from_number(number: u8) -> Option<Level> {
        match number {
            0 => Some(Level::SelfConsistent),
            1 => Some(Level::Authentic),
            2 => Some(Level::Complete),
            3 => Some(Level::Witnessed),
            4 => Some(Level::Continuous),
            _ => None,
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It holds.
    Ok,
    /// It fails.
    Fail,
    /// It was not made.
    Skip,
}

impl Status {
    /// `OK`, `FAIL` or `SKIP`, as at the beginning of a line.
    pub const fn text(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Fail => "FAIL",
            Status::Skip => "SKIP",
        }
    }

    /// `ok`, `failed` or `not_checked`, as in a report for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Fail => "failed",
            Status::Skip => "not_checked",
        }
    }
}

/// One check and what became of it. Displayed as one line, with control and bidirectional characters escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What became of it.
    pub status: Status,
    /// Which check.
    pub reason: Reason,
    /// What it concerns, where that is one thing: the path of a file in the bundle, a row as `row 7`, or what the auditor
    /// brought, as `policy`.
    pub object: Option<String>,
    /// One line for people.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.text(), text::printable(&self.detail))?;
        match self.status {
            Status::Fail => write!(f, " [{}]", self.reason),
            Status::Ok | Status::Skip => Ok(()),
        }
    }
}

/// Everything a verification found. Displayed as one line for each check, and a verdict.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Every check, in the order made.
    pub findings: Vec<Finding>,
    /// The level that was asked for.
    pub asked: Level,
    /// The highest level reached; none when the evidence contradicts itself or is malformed.
    pub level: Option<Level>,
    /// Whether a witness cosigned the checkpoint (level 3).
    pub witnessed: bool,
    /// Whether the chain goes on from the kept checkpoint (level 4).
    pub continuous: bool,
    /// Whose evidence, as the chain says.
    pub org_id: Option<OrgId>,
    /// Of which database.
    pub database_id: Option<DatabaseId>,
    /// Which chain.
    pub chain_id: Option<ChainId>,
    /// Every key the chain had, in order.
    pub keys: Vec<ChainKey>,
    /// The witnesses that cosigned the checkpoint.
    pub witnesses: Vec<Cosignature>,
    /// When an authority of the auditor's choice stamped the checkpoint.
    pub stamped_at: Option<Timestamp>,
    /// By when the checkpoint existed, as witnesses or an authority say whom the auditor believes.
    pub existed_by: Option<Timestamp>,
    /// The latest time of a row, manifest or receipt, by the writer's word.
    pub last_dated_at: Option<Timestamp>,
    /// Until when the checkpoint was the latest, as witnesses say whom the auditor believes, and who are as many as he demands.
    pub latest_at: Option<Timestamp>,
    /// Rows that were read.
    pub events: u64,
    /// Rows of the chain that the bundle does not show: it holds part of the chain, and reaches level 1 at most.
    pub hidden: u64,
    /// Backups that the chain says completed.
    pub backups: u64,
    /// Drills that the chain says passed.
    pub drills_passed: u64,
    /// Manifests whose signature is good.
    pub manifests: u64,
    /// Receipts whose signature is good.
    pub receipts: u64,
    /// Artifacts that were compared with their manifest and match.
    pub artifacts_checked: u64,
    /// The checkpoint as a witness takes it, where that was asked for and all rows are shown. It is worth as much as the
    /// verdict.
    pub request: Option<AddCheckpoint>,
    /// How many checks are not among the findings, because there were too many of one reason that ended alike.
    pub untold: BTreeMap<(Status, Reason), u64>,
    /// When it was verified, by the caller's clock.
    pub verified_at: Option<Timestamp>,
    /// As of when the ages that a policy limits were taken, where the caller named another time than his clock's.
    pub as_of: Option<Timestamp>,
    /// SHA-256 of the bundle as a file. The verifier leaves this to the caller: it would read a large bundle once more.
    pub bundle_sha256: Option<Sha256>,
}

/// A key of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainKey {
    /// Its name.
    pub key_id: KeyId,
    /// The row from which it holds.
    pub from_seq: u64,
    /// Whether the auditor pinned it.
    pub pinned: bool,
    /// The row that revoked it.
    pub revoked_seq: Option<u64>,
}

impl Report {
    /// How the verification ends.
    pub fn exit(&self) -> Exit {
        Exit::of(self.failures().map(|finding| finding.reason))
    }

    /// Whether something in it is dated after a clock's time, by more than the hour that clocks may be apart.
    pub fn is_ahead_of(&self, clock: Timestamp) -> bool {
        self.last_dated_at.is_some_and(|at| is_ahead(at, clock))
    }

    /// Every level reached, in order: 3 and 4 stand beside each other.
    pub fn levels(&self) -> Vec<Level> {
        let Some(highest) = self.level else { return Vec::new() };
        let complete = highest >= Level::Complete;
        [
            (Level::SelfConsistent, true),
            (Level::Authentic, highest >= Level::Authentic),
            (Level::Complete, complete),
            (Level::Witnessed, complete && self.witnessed),
            (Level::Continuous, complete && self.continuous),
        ]
        .into_iter()
        .filter_map(|(level, reached)| reached.then_some(level))
        .collect()
    }

    /// In a few words, whether the asked level is reached, and what was demanded besides.
    pub fn verdict(&self) -> &'static str {
        let exit = self.exit();
        let decisive: Vec<Reason> =
            self.failures().map(|finding| finding.reason).filter(|reason| reason.exit() == exit).collect();
        let only_demands = decisive.iter().all(|reason| reason.is_demand());
        match exit {
            Exit::Reached => "verified",
            Exit::Contradiction if only_demands => "REFUSED: the evidence is not what was demanded",
            Exit::Contradiction => "REFUSED: the evidence contradicts itself, or a signature fails",
            Exit::Malformed => "REFUSED: malformed, or over a limit",
            Exit::Undecided if only_demands => {
                "UNDECIDED: the level asked for is reached, but not all that was demanded besides"
            }
            Exit::Usage | Exit::Undecided => "UNDECIDED: not enough to reach the level asked for",
        }
    }

    /// The checks that fail.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.status == Status::Fail)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for ((status, reason), count) in &self.untold {
            writeln!(f, "{}: {count} more of this kind [{reason}]", status.text())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
