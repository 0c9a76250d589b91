//! Attacks on the chain: its ends, its order, its time.

use std::io::Cursor;

use walwarden_verify::json::{Object, Value};
use walwarden_verify::{EventKind, Level, Sha256, Timestamp, merkle};

use crate::support::{self, Evidence, expect, job};
use crate::{expect_among, relink};

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
fn a31_a_fork_in_the_chain() {
    let mut evidence = Evidence::sound();
    let twin = evidence.rows[6].clone();
    evidence.rows.insert(7, twin);
    evidence.close();
    expect_among(&evidence.report(), 1, &["chain-link", "chain-seq", "job-order"]);
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
