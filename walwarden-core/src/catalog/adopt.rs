//! What must hold of a chain and its jobs before they are taken over from a destination.

use std::collections::HashMap;

use walwarden_verify::{ChainId, Row};

use super::{Job, jobs_told_by};
use crate::chain::{Subject, Tip};
use crate::error::{Code, Error, Result};

/// Checks that the rows are a whole chain of this subject and the jobs stand where it says; returns the chain's id.
pub(super) fn check(subject: &Subject, rows: &[Row], jobs: &[Job]) -> Result<ChainId> {
    let mut tip = Tip::default();
    rows.iter().try_for_each(|row| tip.follow(row))?;
    let genesis = tip.genesis().ok_or_else(|| damaged(subject, "no genesis row"))?;
    if genesis.org_id != subject.org_id || genesis.database_id != subject.database_id {
        return Err(damaged(subject, "the genesis row of another chain"));
    }
    let told = jobs_told_by(subject, rows);
    let known: HashMap<_, _> = jobs.iter().map(|job| (job.id, job)).collect();
    let agrees = |told: &Job| {
        known.get(&told.id).is_some_and(|job| {
            let standing = |job: &Job| (job.kind, job.state, job.attempt, job.subject.clone());
            standing(job) == standing(told)
        })
    };
    if told.len() == jobs.len() && told.iter().all(agrees) {
        Ok(genesis.chain_id)
    } else {
        Err(damaged(subject, "jobs that stand elsewhere than it says"))
    }
}

/// The subject's chain is there already.
pub(super) fn chain_exists(subject: &Subject) -> Error {
    Error::new(Code::JobState, format!("the catalogue has a chain already of {subject}"))
}

fn damaged(subject: &Subject, what: &str) -> Error {
    Error::new(Code::ChainDamaged, format!("the audit chain read back has {what} {subject}"))
}
