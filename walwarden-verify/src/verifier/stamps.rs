//! The timestamp over the checkpoint.

use super::survey::Survey;
use crate::Timestamp;
use crate::bundle::BundlePath;
use crate::checkpoint::SignedNote;
use crate::reason::Reason;
use crate::report::Findings;
use crate::timestamp::{self, Authorities, Stamp, TimestampError};

/// The time, if an authority of the auditor's choice states it.
pub(super) fn judge(
    survey: &Survey,
    authorities: Option<&Authorities>,
    findings: &mut Findings,
) -> Option<Timestamp> {
    findings.about(BundlePath::Timestamp);
    let note = survey.checkpoint.as_ref().and_then(|note| SignedNote::parse(note).ok());
    let note = note.filter(|_| survey.walk.replay.genesis().is_some());
    let Some(response) = &survey.timestamp else {
        if note.is_some() && authorities.is_some() {
            findings.fail(Reason::TimestampAuthority, "the bundle has no timestamp");
        }
        return None;
    };
    let trusted = authorities.cloned().unwrap_or_default();
    let message = note.as_ref().map_or("", SignedNote::body);
    let Stamp { at, trusted } = match timestamp::verify(response, message.as_bytes(), &trusted) {
        // That chain or checkpoint is absent or malformed is told elsewhere: only the form is of anything, then.
        Ok(_) | Err(TimestampError::OtherMessage | TimestampError::Signature) if note.is_none() => {
            return None;
        }
        Ok(stamp) => stamp,
        Err(error) => {
            let reason = match error {
                TimestampError::Malformed(_) => Reason::TimestampForm,
                TimestampError::OtherMessage | TimestampError::Signature => Reason::TimestampSignature,
            };
            findings.fail(reason, error.to_string());
            return None;
        }
    };
    findings.ok(Reason::TimestampSignature, format!("checkpoint stamped at {at}, signature valid"));
    match (trusted, authorities) {
        (true, _) => {
            findings.ok(Reason::TimestampAuthority, "the timestamp is by an authority of your choice");
            return Some(at);
        }
        (false, Some(_)) => {
            let detail = "the timestamp's certificate does not lead to an authority of your choice";
            findings.fail(Reason::TimestampAuthority, detail);
        }
        (false, None) => {
            findings
                .skip(Reason::TimestampAuthority, "who stamped it was not checked: no authority was named");
        }
    }
    None
}
