//! What a verification found, for people and for programs.

mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::json::{Object, Value};
use crate::reason::{Exit, Reason};
use crate::{ChainId, DatabaseId, OrgId, canonical};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It holds.
    Ok,
    /// It fails.
    Fail,
    /// It was not made.
    Skip,
}

impl Status {
    /// `OK`, `FAIL` or `SKIP`.
    pub const fn text(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Fail => "FAIL",
            Status::Skip => "SKIP",
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
    /// Rows that were read.
    pub events: u64,
    /// Manifests whose signature is good.
    pub manifests: u64,
    /// Receipts whose signature is good.
    pub receipts: u64,
    /// Artifacts that were compared with their manifest and match.
    pub artifacts_checked: u64,
    /// Failures that are not among the findings because there were too many of one reason.
    pub untold: BTreeMap<Reason, u64>,
}

impl Report {
    /// How the verification ends.
    pub fn exit(&self) -> Exit {
        self.failures().map(|finding| finding.reason.exit()).fold(Exit::Reached, Exit::or)
    }

    /// The checks that fail.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.status == Status::Fail)
    }

    /// The report as one JSON object: `{exit, level, asked, events, manifests, receipts, artifactsChecked, checks, …}`,
    /// in canonical form.
    pub fn to_json(&self) -> Vec<u8> {
        let check = |finding: &Finding| {
            Value::Object(Object::from([
                ("status", finding.status.text().to_ascii_lowercase()),
                ("code", finding.reason.text().to_owned()),
                ("detail", text::printable(&finding.detail).to_string()),
            ]))
        };
        let untold = self.untold.iter().map(|(reason, count)| (reason.text(), *count));
        canonical::to_vec(&Value::Object(Object::from([
            ("exit", Value::from(u32::from(self.exit().status()))),
            ("level", self.level.map(|level| u32::from(level.number())).into()),
            ("asked", u32::from(self.asked.number()).into()),
            ("witnessed", self.witnessed.into()),
            ("continuous", self.continuous.into()),
            ("orgId", self.org_id.as_ref().map(|id| id.as_str()).into()),
            ("databaseId", self.database_id.as_ref().map(|id| id.as_str()).into()),
            ("chainId", self.chain_id.map(|id| id.to_string()).into()),
            ("events", self.events.into()),
            ("manifests", self.manifests.into()),
            ("receipts", self.receipts.into()),
            ("artifactsChecked", self.artifacts_checked.into()),
            ("checks", Value::Array(self.findings.iter().map(check).collect())),
            ("untold", Object::from_iter(untold).into()),
        ])))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        for (reason, count) in &self.untold {
            writeln!(f, "FAIL: {count} more of this kind [{reason}]")?;
        }
        Ok(())
    }
}

/// Collects findings up to the budget.
#[derive(Debug)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    failures: BTreeMap<Reason, usize>,
    once: BTreeSet<String>,
    told_at_most: usize,
}

impl Findings {
    pub(crate) fn new(told_at_most: usize) -> Self {
        Findings { list: Vec::new(), failures: BTreeMap::new(), once: BTreeSet::new(), told_at_most }
    }

    pub(crate) fn ok(&mut self, reason: Reason, detail: impl Into<String>) {
        self.list.push(Finding { status: Status::Ok, reason, detail: detail.into() });
    }

    pub(crate) fn skip(&mut self, reason: Reason, detail: impl Into<String>) {
        self.list.push(Finding { status: Status::Skip, reason, detail: detail.into() });
    }

    pub(crate) fn fail(&mut self, reason: Reason, detail: impl Into<String>) {
        let count = self.failures.entry(reason).or_default();
        *count += 1;
        if *count <= self.told_at_most {
            self.list.push(Finding { status: Status::Fail, reason, detail: detail.into() });
        }
    }

    /// A failure that is told once however often it is met.
    pub(crate) fn fail_once(&mut self, reason: Reason, detail: String) {
        if self.once.insert(detail.clone()) {
            self.fail(reason, detail);
        }
    }

    /// Whether this check failed so far.
    pub(crate) fn failed(&self, reason: Reason) -> bool {
        self.failures.contains_key(&reason)
    }

    /// How a verification with these findings ends.
    pub(crate) fn exit(&self) -> Exit {
        self.failures.keys().map(|reason| reason.exit()).fold(Exit::Reached, Exit::or)
    }

    pub(crate) fn into_parts(self) -> (Vec<Finding>, BTreeMap<Reason, u64>) {
        let told = self.told_at_most;
        let untold = self.failures.into_iter().filter(|(_, count)| *count > told);
        (self.list, untold.map(|(reason, count)| (reason, (count - told) as u64)).collect())
    }
}

#[cfg(test)]
mod tests;
