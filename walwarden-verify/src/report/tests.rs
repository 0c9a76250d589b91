use super::*;

#[test]
fn characters_that_hide_or_reorder_text_are_escaped() {
    let finding = Finding {
        status: Status::Fail,
        reason: Reason::ManifestJob,
        object: None,
        detail: "a\u{1b}[2Kb\u{202e}c\u{2028}d\u{200b}é\u{3164}\u{a0} \u{fe0f}\u{e0100}".to_owned(),
    };
    assert_eq!(
        finding.to_string(),
        "FAIL: a\\u{1b}[2Kb\\u{202e}c\\u{2028}d\\u{200b}é\\u{3164}\\u{a0} \\u{fe0f}\\u{e0100} [manifest-job]"
    );
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
fn of_a_refused_bundle_nothing_that_others_say_is_told_as_proven() {
    let told = |reasons: &[Reason]| {
        let mut report = failing(reasons);
        (report.existed_by, report.latest_at) = (Some(crate::Timestamp::MAX), Some(crate::Timestamp::MAX));
        let told = report.not_proven().into_iter().filter(|not| ["times", "latest"].contains(&not.code));
        told.filter(|not| not.text.contains("9999-")).count()
    };
    assert_eq!(told(&[]), 2);
    assert_eq!(told(&[Reason::PolicyAge, Reason::Level]), 2);
    assert_eq!(told(&[Reason::CheckpointTime]), 0);
    assert_eq!(told(&[Reason::BundleTar]), 0);

    let is_one_history = |reasons: &[Reason]| {
        let mut report = failing(reasons);
        (report.witnessed, report.continuous) = (true, true);
        !report.not_proven().iter().any(|not| not.code == "one-history")
    };
    assert!(is_one_history(&[]) && !is_one_history(&[Reason::ChainHash]));
}

#[test]
fn the_gravest_failure_decides_the_exit() {
    let exit = |reasons: &[Reason]| failing(reasons).exit().status();
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
    assert_eq!((told.len(), untold[&(Status::Fail, Reason::ChainHash)]), (2, 3));
}

fn failing(reasons: &[Reason]) -> Report {
    let finding = |reason: &Reason| Finding {
        status: Status::Fail,
        reason: *reason,
        object: None,
        detail: String::new(),
    };
    report_with(reasons.iter().map(finding).collect())
}

#[test]
fn a_demand_that_is_missed_is_no_contradiction_of_the_evidence() {
    let verdict = |reasons: &[Reason]| failing(reasons).verdict();
    assert!(verdict(&[Reason::PolicyAge, Reason::Level]).contains("not what was demanded"));
    assert!(verdict(&[Reason::PolicyAge, Reason::ChainHash]).contains("contradicts itself"));
    assert!(verdict(&[Reason::PolicyTime]).contains("not all that was demanded"));
    assert!(verdict(&[Reason::PolicyTime, Reason::Level]).contains("not enough to reach the level"));
    assert!(verdict(&[Reason::PolicyTime, Reason::ManifestMissing]).contains("not enough"));
    let codes = |reasons: &[Reason]| {
        let told = failing(reasons).not_proven();
        let of_the_verdict = told.iter().map(|not| not.code);
        of_the_verdict.take_while(|code| *code != "author").collect::<Vec<_>>()
    };
    assert_eq!(codes(&[Reason::PolicySubject]), ["demands"]);
    assert_eq!(codes(&[Reason::PolicySubject, Reason::Level]), ["level", "demands"]);
    assert_eq!(codes(&[Reason::PolicySubject, Reason::ManifestMissing, Reason::Level]), ["level", "demands"]);
    assert_eq!(codes(&[Reason::PolicySubject, Reason::ChainHash, Reason::Level]), ["everything", "demands"]);
    assert_eq!(codes(&[Reason::WitnessQuorum]), ["demands"]);
}

#[test]
fn a_chain_that_revoked_the_keys_trusted_is_said_to_be_another_s_perhaps() {
    let key_id: crate::KeyId = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let key = |pinned, revoked_seq| ChainKey { key_id, from_seq: 1, pinned, revoked_seq };
    let told = |keys: Vec<ChainKey>| {
        let mut report = report_with(Vec::new());
        report.keys = keys;
        report.not_proven().iter().any(|not| not.code == "pinned-key-revoked")
    };
    assert!(told(vec![key(true, Some(9)), key(false, None)]));
    assert!(!told(vec![key(true, Some(9)), key(true, None)]));
    assert!(!told(vec![key(false, Some(9))]));
}

#[test]
fn what_is_quoted_has_an_end() {
    let mut findings = Findings::new(10);
    findings.about("é".repeat(9_000));
    findings.fail(Reason::BundlePath, "é".repeat(9_000));
    let (told, _) = findings.into_parts();
    assert_eq!(told[0].detail, "é".repeat(256) + "…");
    assert_eq!(told[0].object.as_ref().unwrap().len(), 512 + '…'.len_utf8());
}
