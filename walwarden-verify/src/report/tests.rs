use super::*;

#[test]
fn characters_that_hide_or_reorder_text_are_escaped() {
    let finding = Finding {
        status: Status::Fail,
        reason: Reason::ManifestJob,
        detail: "a\u{1b}[2Kb\u{202e}c\u{2028}d\u{200b}é".to_owned(),
    };
    assert_eq!(finding.to_string(), "FAIL: a\\u{1b}[2Kb\\u{202e}c\\u{2028}d\\u{200b}é [manifest-job]");
}

#[test]
fn the_gravest_failure_decides_the_exit() {
    let exit = |reasons: &[Reason]| {
        let mut findings = Findings::new(10);
        reasons.iter().for_each(|reason| findings.fail(*reason, ""));
        findings.exit().status()
    };
    assert_eq!(exit(&[]), 0);
    assert_eq!(exit(&[Reason::ManifestMissing]), 4);
    assert_eq!(exit(&[Reason::ManifestMissing, Reason::ChainHash]), 1);
    assert_eq!(exit(&[Reason::BundleTar, Reason::ManifestMissing, Reason::ChainHash]), 3);
}

#[test]
fn failures_beyond_the_budget_are_counted() {
    let mut findings = Findings::new(2);
    (0..5).for_each(|at| findings.fail(Reason::ChainHash, at.to_string()));
    let (told, untold) = findings.into_parts();
    assert_eq!((told.len(), untold[&Reason::ChainHash]), (2, 3));
}
