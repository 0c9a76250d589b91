//! A verifier that does not read timestamps says so.

use super::survey::Survey;
use crate::Timestamp;
use crate::bundle::BundlePath;
use crate::reason::Reason;
use crate::report::Findings;

pub(super) fn judge(survey: &Survey, findings: &mut Findings) -> Option<Timestamp> {
    if survey.timestamp.is_some() {
        findings.about(BundlePath::Timestamp);
        findings.skip(Reason::TimestampForm, "timestamp not checked: this verifier does not read them");
    }
    None
}
