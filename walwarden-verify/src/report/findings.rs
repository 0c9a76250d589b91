use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Status};
use crate::reason::{Exit, Reason};

/// Collects findings up to the budget.
#[derive(Debug)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    counts: BTreeMap<(Status, Reason), usize>,
    once: BTreeSet<String>,
    told_at_most: usize,
    object: Option<String>,
}

impl Findings {
    pub(crate) fn new(told_at_most: usize) -> Self {
        Findings {
            list: Vec::new(),
            counts: BTreeMap::new(),
            once: BTreeSet::new(),
            // A report judges by what is told.
            told_at_most: told_at_most.max(1),
            object: None,
        }
    }

    /// What is found from now on concerns this.
    pub(crate) fn about(&mut self, object: impl ToString) {
        let mut object = object.to_string();
        cut(&mut object);
        self.object = Some(object);
    }

    /// What is found from now on concerns no single thing.
    pub(crate) fn about_all(&mut self) {
        self.object = None;
    }

    pub(crate) fn ok(&mut self, reason: Reason, detail: impl Into<String>) {
        self.push(Status::Ok, reason, detail.into());
    }

    pub(crate) fn skip(&mut self, reason: Reason, detail: impl Into<String>) {
        self.push(Status::Skip, reason, detail.into());
    }

    pub(crate) fn fail(&mut self, reason: Reason, detail: impl Into<String>) {
        self.push(Status::Fail, reason, detail.into());
    }

    fn push(&mut self, status: Status, reason: Reason, mut detail: String) {
        let count = self.counts.entry((status, reason)).or_default();
        *count += 1;
        if *count <= self.told_at_most {
            cut(&mut detail);
            self.list.push(Finding { status, reason, object: self.object.clone(), detail });
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
        self.counts.contains_key(&(Status::Fail, reason))
    }

    /// Whether a check of this reason was made and holds.
    pub(crate) fn holds(&self, reason: Reason) -> bool {
        self.counts.contains_key(&(Status::Ok, reason))
    }

    /// How a verification ends that demands nothing beyond the format.
    pub(crate) fn exit_without_demands(&self) -> Exit {
        Exit::of(self.failing().filter(|reason| !reason.is_demand()))
    }

    fn failing(&self) -> impl Iterator<Item = Reason> {
        self.counts.keys().filter(|(status, _)| *status == Status::Fail).map(|(_, reason)| *reason)
    }

    /// What was found, and how much more of each kind.
    pub(crate) fn into_parts(self) -> (Vec<Finding>, BTreeMap<(Status, Reason), u64>) {
        let told = self.told_at_most;
        let untold = self.counts.into_iter().filter(|(_, count)| *count > told);
        (self.list, untold.map(|(kind, count)| (kind, (count - told) as u64)).collect())
    }
}

/// What a bundle says is quoted, but not at any length.
fn cut(text: &mut String) {
    if text.len() > QUOTED_BYTES {
        let end = (0..=QUOTED_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

const QUOTED_BYTES: usize = 512;
