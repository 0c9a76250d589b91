//! The known attacks on bundles, one test or more each, named by the number the project's list gives them and by the
//! flaw. Each must be refused for its own reason.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::io::Cursor;

use support::{Evidence, Key, codes, entry, expect, gzip, header, job, seal_header};
use walwarden_verify::json::{Object, Value};
use walwarden_verify::{EventKind, Head, Level, Report, Row, Sha256, Timestamp, merkle};

fn verify(evidence: &Evidence, bundle: &[u8]) -> Report {
    evidence.verifier().verify(Cursor::new(bundle)).unwrap()
}

/// The failing checks must include these, and the exit must be so.
#[track_caller]
fn expect_among(report: &Report, exit: u8, expected: &[&str]) {
    let found = codes(report);
    assert!(expected.iter().all(|code| found.contains(code)), "{expected:?} not in {found:?}\n{report}");
    assert_eq!(report.exit().status(), exit, "{report}");
}

fn manifest_path(number: u8) -> String {
    format!("backups/{}/manifest.json", job(number))
}

/// Hashes and links all rows anew, as a forger without a key can.
fn relink(rows: &mut [Row]) {
    let mut head = Head::START;
    for row in rows {
        row.seq = head.seq + 1;
        row.prev_hash = head.hash;
        row.hash = row.expected_hash();
        head = row.head();
    }
}

#[test]
fn a1_last_events_cut_off() {
    let mut evidence = Evidence::sound();
    evidence.rows.truncate(evidence.rows.len() - 1);
    evidence.files.insert("audit_events.json".to_owned(), evidence.audit_events());
    expect_among(&evidence.report(), 1, &["checkpoint-size", "statement-files", "statement-range"]);
}

#[test]
fn a1_last_events_cut_off_by_the_key_holder_is_seen_by_a_kept_checkpoint() {
    let mut evidence = Evidence::sound();
    let kept = evidence.signed_checkpoint(evidence.rows.len());
    evidence.rows.truncate(11);
    evidence.files.retain(|name, _| !name.starts_with("drills/"));
    evidence.close();
    expect(&evidence.report(), 0, &[]);
    let verifier = evidence.verifier().with_kept_checkpoint(kept).with_level(Level::Continuous);
    let report = verifier.verify(Cursor::new(evidence.tgz())).unwrap();
    expect(&report, 1, &["kept-checkpoint-size"]);
}

#[test]
fn a2_nothing_inside() {
    let mut empty = Evidence::sound();
    empty.files.clear();
    expect_among(&empty.report(), 4, &["bundle-file-missing"]);

    let mut no_rows = Evidence::sound();
    no_rows.files.insert("audit_events.json".to_owned(), b"[]".to_vec());
    no_rows.seal_list();
    expect_among(&no_rows.report(), 1, &["chain-genesis"]);

    let mut no_chain = Evidence::sound();
    no_chain.files.remove("audit_events.json");
    expect_among(&no_chain.report(), 4, &["bundle-file-missing", "statement-file-missing"]);
}

#[test]
fn a2_no_manifests() {
    let mut evidence = Evidence::sound();
    evidence.files.retain(|name, _| !name.starts_with("backups/"));
    evidence.seal_list();
    expect(&evidence.report(), 4, &["manifest-missing"]);
}

#[test]
fn a3_first_events_cut_and_the_rest_renumbered() {
    let mut evidence = Evidence::sound();
    evidence.rows.drain(..6);
    for (at, row) in evidence.rows.iter_mut().enumerate() {
        row.seq = at as u64 + 1;
    }
    evidence.files.insert("audit_events.json".to_owned(), evidence.audit_events());
    expect_among(&evidence.report(), 1, &["chain-genesis", "chain-link"]);
}

#[test]
fn a4_whole_chain_rewritten_without_a_key() {
    let mut evidence = Evidence::sound();
    evidence.rows[1].at = Timestamp::from_unix_millis(support::START + 1).unwrap();
    relink(&mut evidence.rows);
    evidence.files.insert("audit_events.json".to_owned(), evidence.audit_events());
    expect_among(&evidence.report(), 1, &["checkpoint-root", "manifest-anchor", "statement-files"]);
}

#[test]
fn a5_whole_chain_rewritten_by_the_key_holder_is_seen_by_a_kept_checkpoint() {
    let kept = Evidence::sound().signed_checkpoint(8);
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup(job(2), b"PGDMP another history", false);
    evidence.backup(job(4), b"PGDMP another one", false);
    evidence.close();
    expect(&evidence.report(), 0, &[]);
    let verifier = evidence.verifier().with_kept_checkpoint(kept);
    expect(&verifier.verify(Cursor::new(evidence.tgz())).unwrap(), 1, &["kept-checkpoint-root"]);
}

#[test]
fn a6_split_view_is_seen_by_comparing_checkpoints() {
    let (one, mut other) = (Evidence::sound(), Evidence::sound());
    other.rows.pop();
    other.add(
        Some(job(3)),
        EventKind::DrillFailed,
        Object::from([("class", Value::from("content-mismatch")), ("receiptSha256", Value::Null)]),
    );
    other.files.retain(|name, _| !name.starts_with("drills/"));
    other.close();
    expect(&other.report(), 0, &[]);
    let verifier = other.verifier().with_kept_checkpoint(one.signed_checkpoint(one.rows.len()));
    expect(&verifier.verify(Cursor::new(other.tgz())).unwrap(), 1, &["kept-checkpoint-root"]);
}

#[test]
fn a7_rollback_to_an_older_bundle() {
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup(job(1), b"PGDMP first artifact", false);
    evidence.close();
    let old = evidence.tgz();
    evidence.backup(job(2), b"PGDMP second artifact", false);
    let kept = evidence.signed_checkpoint(evidence.rows.len());
    let report = evidence.verifier().with_kept_checkpoint(kept).verify(Cursor::new(old)).unwrap();
    expect(&report, 1, &["kept-checkpoint-size"]);
}

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
fn a10_a_signature_used_again_for_another_purpose() {
    // The manifest's signature on a receipt of the same key, and the reverse.
    let mut evidence = Evidence::begin(Some("shop"));
    let manifest = evidence.backup(job(1), b"PGDMP first artifact", false);
    let path = manifest_path(1);
    let text = String::from_utf8(evidence.files[&path].clone()).unwrap();
    let signature = text.split("\"signature\":\"").nth(1).unwrap().split('"').next().unwrap();
    let stolen = signature.parse().unwrap();
    evidence.drill(job(3), manifest);
    let receipt = evidence.receipt_body(job(3), manifest).seal(stolen).unwrap();
    evidence.rows.pop();
    let payload = Object::from([("receiptSha256", receipt.hash())]);
    evidence.add(Some(job(3)), EventKind::DrillPassed, payload);
    evidence.files.insert(format!("drills/{}/receipt.json", job(3)), receipt.as_bytes().to_vec());
    evidence.close();
    expect(&evidence.report(), 1, &["receipt-signature"]);
}

#[test]
fn a10_a_document_of_another_type_in_place_of_a_manifest() {
    let mut evidence = Evidence::sound();
    let receipt = evidence.files[&format!("drills/{}/receipt.json", job(3))].clone();
    evidence.files.insert(manifest_path(1), receipt);
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);
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
fn a15_another_algorithm_or_signer() {
    let mut evidence = Evidence::sound();
    evidence.replace(&manifest_path(1), "\"alg\":\"ed25519\"", "\"alg\":\"none\"");
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);

    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup_with(job(1), b"PGDMP", false, |body| body.signer = Key::new(5).id());
    evidence.close();
    expect_among(&evidence.report(), 1, &["manifest-signer"]);
}

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
fn a21_a_key_from_the_bundle() {
    // A whole bundle by another key, which comes with it.
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.key = Key::new(6);
    evidence.rows.clear();
    let payload = Object::from([
        ("chainId", Value::from(evidence.chain_id.to_string())),
        ("orgId", "acme".into()),
        ("databaseId", "shop".into()),
        ("formatVersion", 1_u64.into()),
        ("keyId", evidence.key.id().to_string().into()),
    ]);
    evidence.add(None, EventKind::ChainGenesis, payload);
    evidence.backup(job(1), b"PGDMP forged", false);
    let name = format!("keys/{}.pem", evidence.key.id().digest());
    evidence.files.insert(name, evidence.key.public().to_pem().into_bytes());
    evidence.close();
    expect(&evidence.report(), 1, &["key-pin"]);
    let unpinned = walwarden_verify::Verifier::new().verify(Cursor::new(evidence.tgz())).unwrap();
    expect(&unpinned, 4, &["key-no-pin"]);
}

#[test]
fn a22_a_malleable_or_oddly_spelt_signature() {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let path = manifest_path(1);
    let mut evidence = Evidence::sound();
    let text = String::from_utf8(evidence.files[&path].clone()).unwrap();
    let signature =
        text.split("\"signature\":\"ed25519:").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut bytes: [u8; 64] = base64.decode(&signature).unwrap().try_into().unwrap();
    // S plus the order of the group signs the same where S is not held below it.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    evidence.replace(&path, &signature, &base64.encode(bytes));
    evidence.seal_list();
    expect_among(&evidence.report(), 1, &["manifest-signature"]);

    let mut evidence = Evidence::sound();
    evidence.replace(&path, &signature, signature.trim_end_matches('='));
    evidence.seal_list();
    expect_among(&evidence.report(), 3, &["manifest-form"]);
}

#[test]
fn a23_an_old_key_signs_after_its_rotation() {
    let mut evidence = Evidence::begin(Some("shop"));
    let old = evidence.key.clone();
    evidence.rotate(Key::new(2));
    let new = std::mem::replace(&mut evidence.key, old);
    evidence.backup(job(1), b"PGDMP backdated", false);
    evidence.key = new;
    evidence.close();
    expect(&evidence.report(), 1, &["manifest-signer"]);
}

#[test]
fn a23_a_rotation_not_signed_by_both_keys() {
    for (old_signer, new_signer) in [(5, 2), (1, 5)] {
        let mut evidence = Evidence::begin(Some("shop"));
        let new = Key::new(2);
        let payload = evidence.rotation_payload(&new, &Key::new(old_signer), &Key::new(new_signer));
        evidence.add(None, EventKind::KeyRotated, payload);
        evidence.key = new;
        evidence.close();
        expect(&evidence.report(), 1, &["key-rotation"]);
    }
}

#[test]
fn a23_a_chain_goes_on_after_its_key_was_revoked() {
    let mut evidence = Evidence::begin(Some("shop"));
    let payload = Object::from([("keyId", evidence.key.id().to_string()), ("reason", "stolen".to_owned())]);
    evidence.add(None, EventKind::KeyRevoked, payload);
    evidence.close();
    expect(&evidence.report(), 1, &["key-revoked"]);
    evidence.backup(job(1), b"PGDMP after the theft", false);
    evidence.close();
    expect(&evidence.report(), 1, &["key-revoked"]);
}

#[test]
fn a24_time_runs_backwards() {
    let mut evidence = Evidence::sound();
    evidence.rows[3].at = Timestamp::from_unix_millis(support::START - 1).unwrap();
    relink(&mut evidence.rows);
    evidence.close();
    expect_among(&evidence.report(), 1, &["chain-time"]);

    let mut evidence = Evidence::sound();
    evidence.created_at = Timestamp::from_unix_millis(support::START).unwrap();
    evidence.close();
    expect(&evidence.report(), 1, &["statement-time"]);

    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup_with(job(1), b"PGDMP", false, |body| body.finished_at = Timestamp::MIN);
    evidence.close();
    expect(&evidence.report(), 1, &["manifest-times"]);
}

#[test]
fn a25_impossible_orders_of_states() {
    use EventKind as K;
    let failed = |retryable: bool| {
        Object::from([
            ("class", Value::from("dump-failed")),
            ("retryable", retryable.into()),
            ("attempt", 1_u64.into()),
        ])
    };
    let orders: [&[(K, Object)]; 6] = [
        &[(K::BackupClaimed, Object::new())],
        &[(K::BackupQueued, Object::new()), (K::BackupRunning, Object::new())],
        &[
            (K::BackupQueued, Object::new()),
            (K::BackupFailed, failed(false)),
            (K::BackupQueued, Object::new()),
        ],
        &[
            (K::BackupQueued, Object::new()),
            (K::BackupFailed, failed(true)),
            (K::BackupClaimed, Object::new()),
        ],
        &[
            (K::BackupQueued, Object::new()),
            (K::BackupCancelled, Object::new()),
            (K::BackupFailed, failed(true)),
        ],
        &[(K::BackupQueued, Object::new()), (K::RestoreTriggered, Object::new())],
    ];
    for order in orders {
        let mut evidence = Evidence::begin(Some("shop"));
        for (kind, payload) in order {
            evidence.add(Some(job(1)), *kind, payload.clone());
        }
        evidence.close();
        expect(&evidence.report(), 1, &["job-order"]);
    }
    let mut retried = Evidence::begin(Some("shop"));
    retried.add(Some(job(1)), K::BackupQueued, Object::new());
    retried.add(Some(job(1)), K::BackupFailed, failed(true));
    retried.backup(job(1), b"PGDMP at last", false);
    retried.close();
    expect(&retried.report(), 0, &[]);
}

#[test]
fn a25_rows_that_point_nowhere() {
    let mut evidence = Evidence::sound();
    let stranger = Sha256::of(b"stranger");
    evidence.add(
        Some(job(1)),
        EventKind::BackupPruned,
        Object::from([("manifestSha256", Value::from(stranger)), ("policy", "keep-7".into())]),
    );
    evidence.add(
        None,
        EventKind::RestoreTokenIssued,
        Object::from([
            ("tokenId", Value::from("01a1fbda-e503-7909-8909-090909090909")),
            ("manifestSha256", stranger.into()),
            ("mode", "in_place".into()),
        ]),
    );
    evidence.close();
    expect(&evidence.report(), 1, &["prune-manifest", "restore-token"]);
}

#[test]
fn a25_a_kind_in_the_wrong_chain() {
    let mut evidence = Evidence::begin(None);
    evidence.add(Some(job(1)), EventKind::BackupQueued, Object::new());
    evidence.close();
    expect(&evidence.report(), 1, &["chain-subject"]);
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.add(None, EventKind::MemberInvited, Object::new());
    evidence.close();
    expect(&evidence.report(), 1, &["chain-subject"]);
}

#[test]
fn a26_backups_that_never_ran_are_a_gap() {
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup(job(1), b"PGDMP one", false);
    for _ in 0..4000 {
        evidence.add(None, EventKind::ScheduleMissed, Object::new());
    }
    evidence.backup(job(2), b"PGDMP two", false);
    evidence.close();
    let policy = br#"{"type":"walwarden.audit-policy","formatVersion":1,"maxBackupGapHours":1}"#;
    let verifier = evidence.verifier().with_policy(walwarden_verify::Policy::parse(policy).unwrap());
    expect(&verifier.verify(Cursor::new(evidence.tgz())).unwrap(), 1, &["policy-gap"]);
}

#[test]
fn a27_a_name_twice() {
    let evidence = Evidence::sound();
    for name in ["checkpoint", "bundle.json", "audit_events.json"] {
        let mut tar = evidence.tar();
        let second = entry(name, &evidence.files[name]);
        tar.splice(0..0, second);
        expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-duplicate"]);
    }
    let mut tar = evidence.tar();
    tar.splice(0..0, entry("Checkpoint", b""));
    expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-path"]);
}

#[test]
fn a28_names_that_lead_elsewhere() {
    for name in [
        "/etc/passwd",
        "../checkpoint",
        "./checkpoint",
        "keys/../checkpoint",
        "backups\\x\\manifest.json",
        "C:checkpoint",
        "backups/",
        "extra.txt",
        "checkpoint/",
    ] {
        let mut evidence = Evidence::sound();
        evidence.files.insert(name.to_owned(), b"x".to_vec());
        evidence.seal_list();
        expect_among(&evidence.report(), 3, &["bundle-path"]);
    }
}

#[test]
fn a28_entries_that_are_no_plain_files() {
    let evidence = Evidence::sound();
    for kind in *b"\x001234567gxLKSVDMNX" {
        let mut tar = header("README.txt", 0, kind).to_vec();
        tar.extend(evidence.tar());
        expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-entry-type"]);
    }
}

#[test]
fn a28_headers_with_more_than_ustar() {
    let evidence = Evidence::sound();
    let with_header = |change: fn(&mut [u8; 512])| {
        let mut header = header("README.txt", 0, b'0');
        change(&mut header);
        let mut tar = header.to_vec();
        tar.extend(evidence.tar());
        codes(&verify(&evidence, &gzip(&tar))).into_iter().find(|code| code.starts_with("bundle")).unwrap()
    };
    let prefix = with_header(|header| {
        header[345..350].copy_from_slice(b"other");
        seal_header(header);
    });
    let gnu = with_header(|header| {
        header[257..265].copy_from_slice(b"ustar  \0");
        seal_header(header);
    });
    let binary_size = with_header(|header| {
        header[124] = 0x80;
        seal_header(header);
    });
    let checksum = with_header(|header| header[0] = b'r');
    let link = with_header(|header| {
        header[157] = b'x';
        seal_header(header);
    });
    assert_eq!(
        [prefix, gnu, binary_size, checksum, link],
        ["bundle-entry-type", "bundle-tar", "bundle-tar", "bundle-tar", "bundle-entry-type"]
    );
}

#[test]
fn a29_bytes_where_none_may_be() {
    let evidence = Evidence::sound();
    let (tar, bundle) = (evidence.tar(), evidence.tgz());
    let two_members = [bundle.clone(), gzip(b"")].concat();
    let trailing = [bundle.clone(), b"\0".to_vec()].concat();
    let cut = bundle[..bundle.len() - 1].to_vec();
    let mut wrong_crc = bundle.clone();
    let at = wrong_crc.len() - 8;
    wrong_crc[at] ^= 1;
    for bundle in [two_members, trailing, cut, wrong_crc] {
        expect(&verify(&evidence, &bundle), 3, &["bundle-gzip"]);
    }
    let after_end = [tar.clone(), entry("README.txt", b"")].concat();
    let no_end = tar[..tar.len() - 1024].to_vec();
    let one_end = tar[..tar.len() - 512].to_vec();
    let half_block = tar[..tar.len() - 100].to_vec();
    let mut padding = tar.clone();
    let first = evidence.files.values().next().unwrap().len();
    padding[512 + first] = 1;
    for tar in [after_end, no_end, one_end, half_block, padding] {
        expect(&verify(&evidence, &gzip(&tar)), 3, &["bundle-tar"]);
    }
}

#[test]
fn a30_bombs() {
    let evidence = Evidence::sound();
    let artifact = format!("backups/{}/artifact.dump", job(8));
    let bomb = [entry(&artifact, &vec![0; 24 << 20]), evidence.tar()].concat();
    let mut budget = walwarden_verify::Budget::default();
    (budget.output_floor_bytes, budget.output_ratio) = (1 << 20, 100);
    let verifier = evidence.verifier().with_budget(budget);
    expect(&verifier.verify(Cursor::new(gzip(&bomb))).unwrap(), 3, &["bundle-limit"]);

    let claims = header("README.txt", 12 << 30 >> 1, b'0');
    expect(&verify(&evidence, &gzip(&claims)), 3, &["bundle-limit"]);

    let mut budget = walwarden_verify::Budget::default();
    budget.entries = 3;
    let report = evidence.verifier().with_budget(budget).verify(Cursor::new(evidence.tgz())).unwrap();
    expect(&report, 3, &["bundle-limit"]);
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

#[test]
fn a31_a_fork_in_the_chain() {
    let mut evidence = Evidence::sound();
    let twin = evidence.rows[6].clone();
    evidence.rows.insert(7, twin);
    evidence.close();
    expect_among(&evidence.report(), 1, &["chain-link", "chain-seq", "job-order"]);
}

#[test]
fn a32_nothing_checked_is_no_success() {
    for bundle in [Vec::new(), gzip(b""), gzip(&[0; 1024]), b"PGDMP".to_vec()] {
        let report = verify(&Evidence::sound(), &bundle);
        assert_ne!(report.exit().status(), 0);
        assert_eq!(report.level, None);
    }
}

#[test]
fn a33_chain_and_tree_disagree() {
    // The tree is built over rows that are not those of the chain.
    let mut evidence = Evidence::sound();
    let mut checkpoint = evidence.checkpoint_of(evidence.rows.len());
    let mut tree = merkle::Tree::new();
    evidence.rows.iter().for_each(|row| tree.push(row.hash.to_string().as_bytes()));
    checkpoint.root = tree.root();
    let note = checkpoint.sign_with(&evidence.key.public(), |message| evidence.key.sign(message));
    evidence.files.insert("checkpoint".to_owned(), note.into_bytes());
    evidence.seal_list();
    expect(&evidence.report(), 1, &["checkpoint-root"]);
}

#[test]
fn a_row_whose_content_was_changed() {
    let mut evidence = Evidence::sound();
    evidence.replace("audit_events.json", "\"sizeBytes\":20", "\"sizeBytes\":21");
    evidence.seal_list();
    expect_among(&evidence.report(), 1, &["chain-hash", "checkpoint-root", "manifest-announced"]);
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

#[test]
fn a_checkpoint_with_an_extension_line() {
    let mut evidence = Evidence::sound();
    let body = format!("{}extension\n", evidence.checkpoint_of(evidence.rows.len()).body());
    let signature = evidence.key.sign(body.as_bytes());
    let signed = evidence.checkpoint_of(evidence.rows.len()).sign_with(&evidence.key.public(), |_| signature);
    let line = signed.rsplit_once("\n\n").unwrap().1;
    evidence.files.insert("checkpoint".to_owned(), format!("{body}\n{line}").into_bytes());
    evidence.seal_list();
    expect(&evidence.report(), 3, &["checkpoint-form"]);
}
