//! Attacks on the spelling of documents.

use crate::support::{Evidence, codes};
use crate::{expect_among, manifest_path};

#[test]
fn a8_a_column_outside_the_hash_changed() {
    let mut evidence = Evidence::sound();
    evidence.replace("audit_events.json", "\"seq\":3", "\"seq\":4");
    evidence.seal_list();
    expect_among(&evidence.report(), 1, &["chain-seq", "checkpoint-root"]);

    let mut evidence = Evidence::sound();
    evidence.replace("audit_events.json", "\"seq\":3", "\"seq\":3,\"user\":\"eve\"");
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["chain-form"]);
}

#[test]
fn a9_another_spelling_of_a_hash() {
    for to in ["\"prevHash\":null", "\"prevHash\":\"\"", "\"prevHash\":\"00\""] {
        let mut evidence = Evidence::sound();
        let from = format!("\"prevHash\":\"{}\"", "0".repeat(64));
        evidence.replace("audit_events.json", &from, to);
        evidence.seal_list();
        expect_among(&evidence.report(), 3, &["chain-form"]);
    }
    let mut evidence = Evidence::sound();
    let hash = evidence.rows[0].hash.to_string();
    evidence.replace("audit_events.json", &hash, &hash.to_uppercase());
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["chain-form"]);
}

#[test]
fn a11_duplicate_keys() {
    for (file, from, to) in [
        (manifest_path(1), "\"sizeBytes\":20", "\"sizeBytes\":20,\"sizeBytes\":21"),
        (manifest_path(1), "\"sizeBytes\":20", "\"\\u0073izeBytes\":21,\"sizeBytes\":20"),
        ("audit_events.json".to_owned(), "\"sizeBytes\":20", "\"sizeBytes\":20,\"sizeBytes\":20"),
        ("audit_events.json".to_owned(), "\"seq\":3", "\"seq\":3,\"seq\":3"),
    ] {
        let mut evidence = Evidence::sound();
        evidence.replace(&file, from, to);
        evidence.seal_list();
        let report = evidence.report();
        assert_eq!(report.exit().status(), 3, "{report}");
    }
}

#[test]
fn a12_numbers_that_change_when_canonicalised() {
    for number in ["9007199254740993", "20.0", "2e1", "-0", "020", "1e400", "18446744073709551615"] {
        let mut evidence = Evidence::sound();
        evidence.replace(&manifest_path(1), "\"sizeBytes\":20", &format!("\"sizeBytes\":{number}"));
        evidence.seal_list();
        expect_among(&evidence.report(), 3, &["manifest-form"]);
        let mut evidence = Evidence::sound();
        evidence.replace("audit_events.json", "\"sizeBytes\":20", &format!("\"sizeBytes\":{number}"));
        evidence.seal_list();
        expect_among(&evidence.report(), 3, &["chain-form"]);
    }
}

#[test]
fn a13_text_that_deceives() {
    // A lone surrogate, an escaped character that needs none, U+007F, a byte-order mark.
    for name in ["\\ud800", "\\u0041", "\u{7f}", "\\/"] {
        let mut evidence = Evidence::sound();
        evidence.replace(
            &manifest_path(1),
            "\"databaseName\":\"shop\"",
            &format!("\"databaseName\":\"{name}\""),
        );
        evidence.seal_list();
        expect_among(&evidence.report(), 3, &["manifest-form"]);
    }
    let mut evidence = Evidence::sound();
    evidence.replace("audit_events.json", "[", "\u{feff}[");
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["chain-form"]);
    // A confusable id.
    let mut evidence = Evidence::sound();
    evidence.replace(&manifest_path(1), "\"orgId\":\"acme\"", "\"orgId\":\"\u{430}cme\"");
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);
}

#[test]
fn a13_bytes_that_are_not_utf8() {
    let mut evidence = Evidence::sound();
    let path = manifest_path(1);
    let at = evidence.files[&path].windows(4).position(|bytes| bytes == b"shop").unwrap();
    evidence.files.get_mut(&path).unwrap()[at] = 0xff;
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);
}

#[test]
fn a30_json_nested_too_deep() {
    for depth in [62, 100_000] {
        let mut evidence = Evidence::sound();
        let nested = format!("\"sizeBytes\":20,\"x\":{}{}", "[".repeat(depth), "]".repeat(depth));
        evidence.replace("audit_events.json", "\"sizeBytes\":20", &nested);
        evidence.seal_list();
        expect_among(&evidence.report(), 3, &["bundle-limit"]);
    }
    let mut evidence = Evidence::sound();
    let nested = format!("\"sizeBytes\":20,\"x\":{}{}", "[".repeat(61), "]".repeat(61));
    evidence.replace("audit_events.json", "\"sizeBytes\":20", &nested);
    evidence.seal_list();
    assert!(codes(&evidence.report()).contains(&"chain-hash"));
}
