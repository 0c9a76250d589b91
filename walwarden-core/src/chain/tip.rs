use walwarden_verify::chain::{Genesis, Replay, Violation};
use walwarden_verify::{Head, Reason, Row};

use super::Fact;
use crate::error::{Code, Error, Result};

/// The end of a chain: all that is known of the rows before, and so what may come next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tip {
    replay: Replay,
}

impl Tip {
    /// The last row's place.
    pub(crate) fn head(&self) -> Head {
        self.replay.head()
    }

    /// What the first row says, once there is one.
    pub(crate) fn genesis(&self) -> Option<&Genesis> {
        self.replay.genesis()
    }

    /// Takes a row that is part of the chain already.
    ///
    /// # Errors
    ///
    /// `chain-damaged` when it contradicts the rows before; the tip is of no use then.
    pub(crate) fn follow(&mut self, row: &Row) -> Result<()> {
        match self.replay.push(row).into_iter().next() {
            None => Ok(()),
            Some(violation) => {
                Err(Error::new(Code::ChainDamaged, "the audit chain contradicts itself")
                    .with_source(violation))
            }
        }
    }

    /// Links a fact as the next row. A fact that is refused leaves the tip as it was.
    pub(crate) fn link(&mut self, fact: Fact) -> Result<Row> {
        let Fact { at, job_id, kind, payload } = fact;
        self.replay.allows(job_id, kind, &payload).map_err(refusal)?;
        let at = at.max(self.replay.at());
        let row = Row::link(self.replay.head(), at, job_id, kind, payload).map_err(|error| {
            Error::new(Code::Internal, format!("an event has not the form of its kind kind={kind}"))
                .with_source(error)
        })?;
        self.follow(&row)?;
        Ok(row)
    }
}

fn refusal(violation: Violation) -> Error {
    let (code, message) = match violation.reason {
        Reason::JobOrder => (Code::JobState, "the job's state does not allow this event"),
        Reason::KeyRevoked => (Code::ChainEnded, "the chain's key was revoked"),
        _ => (Code::Internal, "the chain's rules do not allow this event"),
    };
    Error::new(code, message).with_source(violation)
}
