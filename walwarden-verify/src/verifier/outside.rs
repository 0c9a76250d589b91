//! The time as others say it who did not write the evidence: cosignatures and timestamps over the checkpoint.

use std::cmp::Reverse;

use super::witnesses::Witnessed;
use crate::Timestamp;
use crate::key::PublicKey;
use crate::reason::Reason;
use crate::report::Findings;

/// What those say of the checkpoint whom the auditor believes.
pub(super) struct Outside {
    /// By when the checkpoint existed, and with it all that it covers. A demand for more witnesses does not put this off: it
    /// would excuse what is dated later.
    pub(super) existed_by: Option<Timestamp>,
    /// Until when the checkpoint was the latest, by as many witnesses as are demanded. A timestamp does not say that: an
    /// authority stamps an old one as well.
    pub(super) latest_at: Option<Timestamp>,
}

impl Outside {
    /// `believes` tells of keys whether what all of these witnesses say is believed. It holds of more keys where it holds of some
    /// of them, and never of none.
    pub(super) fn new(
        witnessed: &[Witnessed],
        stamped_at: Option<Timestamp>,
        believes: impl Fn(&[PublicKey]) -> bool,
        min_witnesses: u64,
    ) -> Self {
        let mut first: Vec<_> = witnessed.iter().map(|one| (one.cosignature.first_at, one.key)).collect();
        first.sort_by_key(|(at, _)| *at);
        let mut last: Vec<_> = witnessed.iter().map(|one| (one.cosignature.at, one.key)).collect();
        last.sort_by_key(|(at, _)| Reverse(*at));
        let suffice = |keys: &[PublicKey]| keys.len() as u64 >= min_witnesses && believes(keys);
        Outside {
            existed_by: first_time_with(&first, &believes).into_iter().chain(stamped_at).min(),
            latest_at: first_time_with(&last, suffice),
        }
    }

    /// Nothing under the checkpoint is dated after the time by which it existed.
    pub(super) fn judge(
        &self,
        dated: impl IntoIterator<Item = (String, Timestamp)>,
        findings: &mut Findings,
    ) {
        let Some(existed_by) = self.existed_by else { return };
        let mut flawless = true;
        for (object, at) in dated {
            if is_ahead(at, existed_by) {
                flawless = false;
                let detail =
                    format!("{object} is dated {at}, and the checkpoint over it existed by {existed_by}");
                findings.about(object);
                findings.fail(Reason::CheckpointTime, detail);
            }
        }
        findings.about_all();
        if flawless {
            let detail = format!(
                "the checkpoint existed by {existed_by}, and nothing is dated more than an hour after"
            );
            findings.ok(Reason::CheckpointTime, detail);
        }
    }
}

/// Of witnesses in the order of their times, the first time with which those up to it are enough.
fn first_time_with(
    in_order: &[(Timestamp, PublicKey)],
    enough: impl Fn(&[PublicKey]) -> bool,
) -> Option<Timestamp> {
    let keys: Vec<PublicKey> = in_order.iter().map(|(_, key)| *key).collect();
    let counts: Vec<usize> = (1..=keys.len()).collect();
    let too_few = counts.partition_point(|count| !enough(&keys[..*count]));
    in_order.get(too_few).map(|(at, _)| *at)
}

/// Whether a time lies after a clock's, by more than the hour that clocks may be apart.
pub(crate) fn is_ahead(at: Timestamp, clock: Timestamp) -> bool {
    at.unix_millis().saturating_sub(clock.unix_millis()) > 3_600_000
}
