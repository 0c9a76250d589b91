//! The time as others say it who did not write the evidence: cosignatures and timestamps over the checkpoint.

use super::witnesses::Witnessed;
use crate::Timestamp;
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::report::Findings;

/// What those say whose word suffices to the auditor.
pub(super) struct Outside {
    /// By when all that the checkpoint covers was written.
    pub(super) written_by: Option<Timestamp>,
    /// Until when the checkpoint was the latest. A timestamp does not say that: an authority stamps an old one as well.
    pub(super) latest_at: Option<Timestamp>,
}

impl Outside {
    /// `suffices` tells of keys whether as many and as good witnesses signed as the auditor demands. It holds of more keys
    /// where it holds of some of them, and never of none.
    pub(super) fn new(
        witnessed: &[Witnessed],
        stamped_at: Option<Timestamp>,
        suffices: impl Fn(&[PublicKey]) -> bool,
    ) -> Self {
        let mut by_time: Vec<(Timestamp, PublicKey)> =
            witnessed.iter().map(|witnessed| (witnessed.at, witnessed.key)).collect();
        by_time.sort_by_key(|(at, _)| *at);
        let earliest = last_needed(&by_time, &suffices);
        by_time.reverse();
        Outside {
            written_by: earliest.into_iter().chain(stamped_at).min(),
            latest_at: last_needed(&by_time, &suffices),
        }
    }

    /// Nothing under the checkpoint is dated after the time by which it was written.
    pub(super) fn judge(
        &self,
        dated: impl IntoIterator<Item = (String, Timestamp)>,
        findings: &mut Findings,
    ) {
        let Some(written_by) = self.written_by else { return };
        let mut flawless = true;
        for (object, at) in dated {
            if at.unix_millis().saturating_sub(written_by.unix_millis()) > SLACK_MILLIS {
                flawless = false;
                let detail = format!("{object} is dated {at}, and the checkpoint over it is of {written_by}");
                findings.about(object);
                findings.fail(Reason::CheckpointTime, detail);
            }
        }
        findings.about_all();
        if flawless {
            let detail = format!("nothing is dated after {written_by}, when the checkpoint was there");
            findings.ok(Reason::CheckpointTime, detail);
        }
    }
}

/// Of witnesses in some order, the time of the last one that it takes to suffice.
fn last_needed(
    in_order: &[(Timestamp, PublicKey)],
    suffices: impl Fn(&[PublicKey]) -> bool,
) -> Option<Timestamp> {
    let keys: Vec<PublicKey> = in_order.iter().map(|(_, key)| *key).collect();
    let counts: Vec<usize> = (1..=keys.len()).collect();
    let too_few = counts.partition_point(|count| !suffices(&keys[..*count]));
    in_order.get(too_few).map(|(at, _)| *at)
}

/// Clocks may be apart by an hour.
pub(super) const SLACK_MILLIS: i64 = 3_600_000;
