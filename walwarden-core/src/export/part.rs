//! Part of a chain: the rows of some jobs or of some time, and hashes for all others.

use std::collections::BTreeSet;

use bytes::Bytes;
use walwarden_verify::disclosure::{Disclosure, HiddenNode, hidden_ranges};
use walwarden_verify::merkle::{RangeRoots, leaf_hash};
use walwarden_verify::{Budget, EventKind, JobId, Row, Timestamp};

use super::rows::{Summary, page};
use crate::chain::AuditChain;
use crate::error::{Code, Error, Result};

/// Which rows a bundle shows. A job is shown with all its rows or with none; the first row and those about keys are always shown, for
/// they tell who signs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Part {
    /// These jobs.
    pub jobs: BTreeSet<JobId>,
    /// Rows of this time or later, and all rows of the jobs they tell of.
    pub from: Option<Timestamp>,
    /// Rows of this time or earlier, and all rows of the jobs they tell of.
    pub to: Option<Timestamp>,
    /// The size of a checkpoint that the auditor kept, whose root what is shown is to tell.
    pub aligned_at: Option<u64>,
}

/// What stands in the place of all rows.
pub(super) struct Shown {
    pub(super) bytes: Bytes,
    pub(super) rows: u64,
}

impl Part {
    fn holds(&self, at: Timestamp) -> bool {
        let bounded = self.from.is_some() || self.to.is_some();
        bounded && self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }

    /// Reads the chain three times, so that only what is shown is held: for the jobs, their rows, and the nodes for the others. Leaves
    /// the jobs that are shown in the summary.
    pub(super) async fn show(&self, chain: &dyn AuditChain, summary: &mut Summary) -> Result<Shown> {
        let mut jobs = self.jobs.clone();
        let mut known = BTreeSet::new();
        each_row(chain, summary, |row, _| {
            known.extend(row.job_id.filter(|job_id| self.jobs.contains(job_id)));
            jobs.extend(row.job_id.filter(|_| self.holds(row.at)));
        })
        .await?;
        if let Some(unknown) = self.jobs.difference(&known).next() {
            let message = format!("the chain tells of no such job job={unknown}");
            return Err(Error::new(Code::JobUnknown, message));
        }
        let (mut rows, mut size_bytes) = (Vec::new(), 0);
        let limit = Budget::default().disclosure_bytes as usize;
        each_row(chain, summary, |row, leaf| {
            let shown = match row.job_id {
                Some(job_id) => jobs.contains(&job_id),
                None => is_always_shown(row) || self.holds(row.at),
            };
            if shown && size_bytes <= limit {
                size_bytes += leaf.len() + 1;
                rows.push(row.clone());
            }
        })
        .await?;
        let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        let ranges = hidden_ranges(summary.head.seq, &seqs, self.aligned_at);
        let mut roots = RangeRoots::new(ranges.clone());
        each_row(chain, summary, |_, leaf| roots.push_hash(leaf_hash(leaf))).await?;
        let roots =
            roots.finish().ok_or_else(|| Error::new(Code::ChainDamaged, "the chain ends before its head"))?;
        let nodes = ranges.into_iter().zip(roots);
        let hidden = nodes.map(|(range, hash)| HiddenNode {
            first_seq: range.start + 1,
            rows: range.end - range.start,
            hash,
        });
        let disclosure = Disclosure { size: summary.head.seq, rows, hidden: hidden.collect() };
        let bytes = disclosure.to_canonical();
        if bytes.len() > limit {
            let message =
                format!("this part shows more rows than verifiers take limit={limit}; choose a shorter time");
            return Err(Error::new(Code::ArgumentInvalid, message));
        }
        summary.completed.retain(|(job_id, _)| jobs.contains(job_id));
        Ok(Shown { bytes: bytes.into(), rows: seqs.len() as u64 })
    }
}

async fn each_row(
    chain: &dyn AuditChain,
    summary: &Summary,
    mut each: impl FnMut(&Row, &[u8]),
) -> Result<()> {
    let mut next = 1;
    while next <= summary.head.seq {
        next = page(chain, next, summary.head, &mut each).await?.1;
    }
    Ok(())
}

fn is_always_shown(row: &Row) -> bool {
    matches!(row.kind, EventKind::ChainGenesis | EventKind::KeyRotated | EventKind::KeyRevoked)
}
