//! Attacks on manifests, indexes, receipts and the signed list of files.

use walwarden_verify::EventKind;
use walwarden_verify::json::Object;

use crate::support::{self, Evidence, codes, expect, job};
use crate::{expect_among, manifest_path};

#[test]
fn a16_a_manifest_of_another_job() {
    let mut evidence = Evidence::sound();
    let other = evidence.files[&manifest_path(2)].clone();
    evidence.files.insert(manifest_path(1), other);
    evidence.seal_list();
    expect_among(&evidence.report(), 1, &["manifest-job", "manifest-announced", "manifest-anchor"]);
}

#[test]
fn a16_one_manifest_announced_by_two_jobs() {
    let mut evidence = Evidence::sound();
    let first = evidence.rows[5].payload.clone();
    for kind in [
        EventKind::BackupQueued,
        EventKind::BackupClaimed,
        EventKind::BackupRunning,
        EventKind::BackupFinalizing,
    ] {
        evidence.add(Some(job(9)), kind, Object::new());
    }
    evidence.add(Some(job(9)), EventKind::BackupCompleted, first);
    evidence.files.insert(manifest_path(9), evidence.files[&manifest_path(1)].clone());
    evidence.close();
    expect_among(&evidence.report(), 1, &["manifest-duplicate", "manifest-job"]);
}

#[test]
fn a17_a_manifest_dropped() {
    let mut evidence = Evidence::sound();
    evidence.files.remove(&manifest_path(2));
    evidence.seal_list();
    expect(&evidence.report(), 4, &["manifest-missing"]);
}

#[test]
fn a17_a_manifest_without_events() {
    let mut evidence = Evidence::sound();
    let body = evidence.manifest_body(job(8), b"PGDMP unannounced");
    let manifest = body.sign_with(|message| evidence.key.sign(message)).unwrap();
    evidence.files.insert(manifest_path(8), manifest.as_bytes().to_vec());
    evidence.seal_list();
    expect(&evidence.report(), 1, &["manifest-announced"]);
}

#[test]
fn a17_a_receipt_without_events() {
    let mut evidence = Evidence::sound();
    let receipt = evidence.files[&format!("drills/{}/receipt.json", job(3))].clone();
    evidence.files.insert(format!("drills/{}/receipt.json", job(8)), receipt);
    evidence.seal_list();
    expect(&evidence.report(), 1, &["receipt-announced", "receipt-job"]);
}

#[test]
fn a18_evidence_of_another_organisation_or_database() {
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup_with(job(1), b"PGDMP", false, |body| {
        body.org_id = "other".parse().unwrap();
        body.artifact_key = body.artifact_key.replace("org/acme", "org/other");
    });
    evidence.close();
    expect(&evidence.report(), 1, &["manifest-subject"]);

    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup_with(job(1), b"PGDMP", false, |body| {
        body.audit_anchor.chain_id = walwarden_verify::ChainId::from_parts(0, [8; 10]);
    });
    evidence.close();
    expect(&evidence.report(), 1, &["manifest-anchor"]);

    let mut evidence = Evidence::sound();
    evidence.org_id = "other".parse().unwrap();
    evidence.close();
    expect(&evidence.report(), 1, &["checkpoint-origin", "statement-subject"]);
}

#[test]
fn a19_files_mixed_from_two_bundles() {
    let (mut evidence, mut other) = (Evidence::sound(), Evidence::begin(Some("shop")));
    other.backup(job(1), b"PGDMP first artifact of another day", false);
    other.close();
    evidence.files.insert(manifest_path(1), other.files[&manifest_path(1)].clone());
    expect_among(&evidence.report(), 1, &["statement-files", "manifest-announced"]);
}

#[test]
fn a19_an_unlisted_or_changed_file() {
    let mut evidence = Evidence::sound();
    evidence.files.insert("README.txt".to_owned(), b"trust me".to_vec());
    expect(&evidence.report(), 1, &["statement-files"]);
    evidence.seal_list();
    expect(&evidence.report(), 0, &[]);
    evidence.files.insert("README.txt".to_owned(), b"trust me more".to_vec());
    expect(&evidence.report(), 1, &["statement-files"]);
    evidence.files.remove("README.txt");
    expect(&evidence.report(), 4, &["statement-file-missing"]);
}

#[test]
fn a20_an_artifact_replaced_or_cut() {
    for artifact in [&b"PGDMP first artefact"[..], b"PGDMP first", b""] {
        let mut evidence = Evidence::sound();
        evidence.files.insert(format!("backups/{}/artifact.dump", job(1)), artifact.to_vec());
        evidence.seal_list();
        expect_among(&evidence.report(), 1, &["artifact-digest"]);
    }
}

#[test]
fn a20_an_artifact_or_index_no_manifest_names() {
    let mut evidence = Evidence::sound();
    evidence.files.insert(format!("backups/{}/artifact.dump", job(8)), b"PGDMP".to_vec());
    evidence.files.insert(
        format!("backups/{}/index.json", job(2)),
        support::index(job(2), b"PGDMP second artifact").to_canonical(),
    );
    evidence.seal_list();
    expect(&evidence.report(), 1, &["artifact-unnamed", "index-unnamed"]);
}

#[test]
fn a20_an_index_that_does_not_fit() {
    let path = format!("backups/{}/index.json", job(1));
    let mut evidence = Evidence::sound();
    let other = support::index(job(1), b"PGDMP another artifact");
    evidence.files.insert(path, other.to_canonical());
    evidence.seal_list();
    expect(&evidence.report(), 1, &["index-chunks", "index-digest", "manifest-content-root"]);
}

#[test]
fn a_receipt_better_than_its_tables() {
    let changes: [fn(&mut walwarden_verify::receipt::ReceiptBody); 3] = [
        |body| body.tables.clear(),
        |body| body.tables[0].actual_rows = 2,
        |body| body.checks[0].outcome = walwarden_verify::receipt::Outcome::Failed,
    ];
    for change in changes {
        let mut evidence = Evidence::begin(Some("shop"));
        let manifest = evidence.backup(job(1), b"PGDMP first artifact", false);
        evidence.drill_with(job(3), manifest, change);
        evidence.close();
        expect(&evidence.report(), 1, &["receipt-outcome"]);
    }
}

#[test]
fn keys_of_the_store_that_name_another_job_or_day() {
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup_with(job(1), b"PGDMP", false, |body| {
        body.artifact_key = body.artifact_key.replace("/2026/", "/2025/");
    });
    evidence.close();
    expect(&evidence.report(), 1, &["manifest-layout"]);
}

/// Each signature takes a look at the whole payload: a small bundle must not ask for thousands.
#[test]
fn more_signatures_than_anybody_needs_are_refused() {
    let mut evidence = Evidence::sound();
    let envelope = String::from_utf8(evidence.files["bundle.json"].clone()).unwrap();
    let (head, signature) = envelope.split_once("[{").unwrap();
    let signature = format!("{{{}", signature.strip_suffix("]}").unwrap());
    let with = |count: usize| format!("{head}[{}]}}", vec![signature.as_str(); count].join(","));
    evidence.files.insert("bundle.json".to_owned(), with(16).into_bytes());
    expect(&evidence.report(), 0, &[]);
    evidence.files.insert("bundle.json".to_owned(), with(17).into_bytes());
    expect(&evidence.report(), 3, &["bundle-limit"]);
}

/// A value takes many times the memory of its text, so that what has no place in a document is not built.
#[test]
fn long_values_where_none_belong_are_refused_unread() {
    let zeros = format!("[{}0]", "0,".repeat(3 << 20));
    for (file, member) in [("bundle.json", "payloadType"), ("index.json", "archiveVersion")] {
        let mut evidence = Evidence::sound();
        let path = evidence.files.keys().find(|path| path.ends_with(file)).unwrap().clone();
        let text = String::from_utf8(evidence.files[&path].clone()).unwrap();
        let (head, rest) = text.split_once(&format!(r#""{member}":""#)).unwrap();
        let (_, tail) = rest.split_once('"').unwrap();
        evidence.files.insert(path, format!(r#"{head}"{member}":{zeros}{tail}"#).into_bytes());
        let report = evidence.report();
        assert!(codes(&report).contains(&"bundle-limit"), "{report}");
        assert_eq!(report.exit().status(), 3);
    }
}
