use super::*;

#[test]
fn characters_that_hide_or_reorder_text_are_escaped() {
    let finding = Finding {
        status: Status::Fail,
        reason: Reason::ManifestJob,
        object: None,
        detail: "a\u{1b}[2Kb\u{202e}c\u{2028}d\u{200b}é".to_owned(),
    };
    assert_eq!(finding.to_string(), "FAIL: a\\u{1b}[2Kb\\u{202e}c\\u{2028}d\\u{200b}é [manifest-job]");
}

fn report_with(findings: Vec<Finding>) -> Report {
    let bundle = std::io::Cursor::new(b"no bundle");
    let mut report = crate::Verifier::new().verify(bundle).unwrap();
    report.findings = findings;
    report
}

#[test]
fn a_page_shows_text_from_the_evidence_as_text() {
    let hostile = "</table><script>alert(1)</script>\u{202e}\" onload='x' &amp;";
    let finding = Finding {
        status: Status::Fail,
        reason: Reason::BundlePath,
        object: Some(hostile.to_owned()),
        detail: hostile.to_owned(),
    };
    let page = report_with(vec![finding]).to_html();
    let shown =
        "&lt;/table&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}&quot; onload=&#39;x&#39; &amp;amp;";
    assert_eq!(page.matches(shown).count(), 2, "{page}");
    assert!(!page.contains("<script") && !page.contains('\u{202e}'));
}

#[test]
fn what_a_refused_bundle_proves_is_nothing() {
    let codes = |report: &Report| report.not_proven().iter().map(|not| not.code).collect::<Vec<_>>();
    let report = report_with(vec![Finding {
        status: Status::Fail,
        reason: Reason::ChainHash,
        object: None,
        detail: String::new(),
    }]);
    assert_eq!(codes(&report)[..2], ["everything", "author"]);
    assert!(codes(&report_with(Vec::new())).contains(&"one-history"));
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
