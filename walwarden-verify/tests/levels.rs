//! What sound evidence shows, under which key and at which level.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::io::Cursor;

use support::{Evidence, Key, codes, expect, gzip, job};
use walwarden_verify::checkpoint::{Vkey, key_hash};
use walwarden_verify::json::{self, Object};
use walwarden_verify::{EventKind, Level, Policy, Reason, Verifier};

#[test]
fn sound_evidence_reaches_level_2() {
    let evidence = Evidence::sound();
    let report = evidence.report();
    expect(&report, 0, &[]);
    assert_eq!(report.level, Some(Level::Complete));
    assert_eq!((report.manifests, report.receipts, report.artifacts_checked), (2, 1, 1));
    let text = report.to_string();
    let first = job(1);
    assert!(text.contains(&format!("OK: manifest signature valid for backup_job={first}\n")), "{text}");
    assert!(
        text.contains(&format!("OK: manifest artifact sha256 matches for backup_job={first} (")),
        "{text}"
    );
    assert!(text.contains(&format!("SKIP: manifest artifact not in the bundle for backup_job={}", job(2))));
    let json = json::parse(&report.to_json()).unwrap();
    let member = |name: &str| json.as_object().unwrap().get(name).unwrap().clone();
    assert_eq!(member("exit").as_u64(), Some(0));
    assert_eq!(member("level").as_u64(), Some(2));
    assert_eq!(member("artifactsChecked").as_u64(), Some(1));
}

#[test]
fn without_a_pin_nothing_is_decided_at_any_level() {
    let bundle = Evidence::sound().tgz();
    for level in 0..=4 {
        let verifier = Verifier::new().with_level(Level::from_number(level).unwrap());
        let report = verifier.verify(Cursor::new(&bundle)).unwrap();
        expect(&report, 4, &["key-no-pin", "key-unavailable"]);
        assert_eq!(report.level, Some(Level::SelfConsistent));
    }
}

#[test]
fn a_key_that_is_not_the_chains_is_a_contradiction() {
    let mut evidence = Evidence::sound();
    let name = format!("keys/{}.pem", evidence.key.id().digest());
    evidence.files.insert(name, evidence.key.public().to_pem().into_bytes());
    evidence.close();
    let verifier = Verifier::new().with_key(Key::new(9).public());
    expect(&verifier.verify(Cursor::new(evidence.tgz())).unwrap(), 1, &["key-pin"]);
}

#[test]
fn a_fingerprint_takes_its_bytes_from_the_bundle() {
    let mut evidence = Evidence::sound();
    let verifier = Verifier::new().with_fingerprint(evidence.key.id());
    expect(&verifier.verify(Cursor::new(evidence.tgz())).unwrap(), 4, &["key-unavailable"]);
    let name = format!("keys/{}.pem", evidence.key.id().digest());
    evidence.files.insert(name, evidence.key.public().to_pem().into_bytes());
    evidence.close();
    expect(&verifier.verify(Cursor::new(evidence.tgz())).unwrap(), 0, &[]);
}

#[test]
fn trust_follows_rotations_both_ways() {
    let mut evidence = Evidence::begin(Some("shop"));
    evidence.backup(job(1), b"PGDMP before", false);
    let old = evidence.key.clone();
    evidence.rotate(Key::new(2));
    evidence.backup(job(2), b"PGDMP after", false);
    let name = format!("keys/{}.pem", old.id().digest());
    evidence.files.insert(name, old.public().to_pem().into_bytes());
    evidence.add(
        None,
        EventKind::KeyRevoked,
        Object::from([("keyId", old.id().to_string()), ("reason", "rotated".to_owned())]),
    );
    evidence.close();
    for pinned in [old, Key::new(2)] {
        let report = Verifier::new().with_key(pinned.public()).verify(Cursor::new(evidence.tgz())).unwrap();
        expect(&report, 0, &[]);
        assert_eq!(report.manifests, 2);
    }
}

#[test]
fn a_chain_without_backups_reaches_level_2() {
    for database in [Some("shop"), None] {
        let mut evidence = Evidence::begin(database);
        evidence.close();
        expect(&evidence.report(), 0, &[]);
    }
}

#[test]
fn a_witness_lifts_to_level_3() {
    let mut evidence = Evidence::sound();
    let witness = Vkey::new("witness.example/w1", Key::new(7).public());
    let verifier = evidence.verifier().with_witness(witness.clone()).with_level(Level::Witnessed);
    expect(&verifier.verify(Cursor::new(evidence.tgz())).unwrap(), 4, &[]);

    let note = cosigned(&evidence, &witness, &Key::new(7));
    evidence.files.insert("checkpoint".to_owned(), note.into_bytes());
    evidence.seal_list();
    let report = verifier.verify(Cursor::new(evidence.tgz())).unwrap();
    expect(&report, 0, &[]);
    assert_eq!(report.level, Some(Level::Witnessed));
    assert!(report.existed_by.is_some() && report.latest_at.is_some());
    // Who does not know the witness is not disturbed by it.
    expect(&evidence.report(), 0, &[]);

    let note = cosigned(&evidence, &witness, &Key::new(8));
    evidence.files.insert("checkpoint".to_owned(), note.into_bytes());
    evidence.seal_list();
    expect(&verifier.verify(Cursor::new(evidence.tgz())).unwrap(), 1, &["witness-signature"]);

    // What was cosigned under another origin is not of this chain, whatever its root.
    let other = Evidence { org_id: "other".parse().unwrap(), ..evidence.clone() };
    let note = cosigned(&other, &witness, &Key::new(7));
    evidence.files.insert("checkpoint".to_owned(), note.into_bytes());
    evidence.seal_list();
    let report = verifier.verify(Cursor::new(evidence.tgz())).unwrap();
    expect(&report, 1, &["checkpoint-origin"]);
    assert_eq!((report.existed_by, report.latest_at), (None, None));
}

fn cosigned(evidence: &Evidence, witness: &Vkey, signer: &Key) -> String {
    let size = evidence.rows.len();
    let body = evidence.checkpoint_of(size).body();
    let mut bytes = key_hash(witness.name(), 4, witness.key()).to_vec();
    bytes.extend_from_slice(&1_795_300_000_u64.to_be_bytes());
    bytes.extend_from_slice(signer.sign(Vkey::message(1_795_300_000, &body).as_bytes()).as_bytes());
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!("{}\u{2014} {} {base64}\n", evidence.signed_checkpoint(size), witness.name())
}

#[test]
fn a_kept_checkpoint_lifts_to_level_4() {
    let evidence = Evidence::sound();
    let verify = |note: String| {
        let verifier = evidence.verifier().with_level(Level::Continuous).with_kept_checkpoint(note);
        verifier.verify(Cursor::new(evidence.tgz())).unwrap()
    };
    let report = verify(evidence.signed_checkpoint(6));
    expect(&report, 0, &[]);
    assert_eq!(report.level, Some(Level::Continuous));
    let without = evidence.verifier().with_level(Level::Continuous);
    expect(&without.verify(Cursor::new(evidence.tgz())).unwrap(), 4, &[]);
    expect(&verify("junk".to_owned()), 3, &["kept-checkpoint-form"]);
}

#[test]
fn absent_files_leave_it_undecided() {
    for (file, code) in [
        ("audit_events.json".to_owned(), "bundle-file-missing"),
        ("checkpoint".to_owned(), "bundle-file-missing"),
        ("bundle.json".to_owned(), "bundle-file-missing"),
        (format!("backups/{}/manifest.json", job(2)), "manifest-missing"),
        (format!("drills/{}/receipt.json", job(3)), "receipt-missing"),
    ] {
        let mut evidence = Evidence::sound();
        evidence.files.remove(&file);
        let report = evidence.report();
        assert!(codes(&report).contains(&code), "{file}: {report}");
        if file != "audit_events.json" {
            assert_eq!(report.exit().status(), 4, "{file}: {report}");
        }
    }
}

/// Rows alone are what anybody can write, whoever's key they name.
#[test]
fn what_nobody_signed_is_of_level_0() {
    let mut evidence = Evidence::sound();
    evidence.files.retain(|path, _| path == "audit_events.json");
    let verify = |level| evidence.verifier().with_level(level).verify(Cursor::new(evidence.tgz())).unwrap();
    let report = verify(Level::Authentic);
    assert_eq!((report.exit().status(), report.level), (4, Some(Level::SelfConsistent)), "{report}");
    assert!(report.not_proven().iter().any(|not| not.code == "author"), "{report}");
    // A manifest that is signed is enough for the manifest, and so for level 1.
    let mut evidence = Evidence::sound();
    evidence.files.retain(|path, _| path == "audit_events.json" || path.ends_with("manifest.json"));
    let report = evidence.report();
    assert_eq!((report.exit().status(), report.level), (4, Some(Level::Authentic)), "{report}");
}

#[test]
fn a_part_with_a_gap_is_not_called_a_whole_chain() {
    let bundle = include_bytes!("../../spec/vectors/bad/disclosure-node-missing.evidence.tgz");
    let report = Verifier::new().verify(Cursor::new(bundle)).unwrap();
    assert!(!report.to_string().contains("audit chain intact"), "{report}");
}

#[test]
fn rows_after_one_that_cannot_be_read_are_not_called_intact() {
    let mut evidence = Evidence::sound();
    let deep = format!(r#""backup.running","payload":{{"a":{}{}}}"#, "[".repeat(70), "]".repeat(70));
    evidence.replace("audit_events.json", r#""backup.running","payload":{}"#, &deep);
    let report = evidence.report();
    assert!(codes(&report).contains(&"bundle-limit"), "{report}");
    assert!(!report.to_string().contains("audit chain intact"), "{report}");
}

#[test]
fn few_bytes_of_memory_give_the_same_verdict() {
    let evidence = Evidence::sound();
    let mut budget = walwarden_verify::Budget::default();
    budget.retained_bytes = 0;
    let frugal = evidence.verifier().with_budget(budget).verify(Cursor::new(evidence.tgz())).unwrap();
    let plenty = evidence.report();
    expect(&frugal, 0, &[]);
    assert_eq!(frugal.findings.len(), plenty.findings.len());
}

#[test]
fn more_jobs_than_are_held_are_refused() {
    let evidence = Evidence::sound();
    let mut budget = walwarden_verify::Budget::default();
    let jobs = evidence.rows.iter().filter_map(|row| row.job_id).collect::<BTreeSet<_>>().len();
    for (allowed, exit, refused) in [(jobs, 0, &[][..]), (jobs - 1, 3, &["bundle-limit"])] {
        budget.jobs = allowed;
        let report = evidence.verifier().with_budget(budget).verify(Cursor::new(evidence.tgz())).unwrap();
        expect(&report, exit, refused);
    }
}

#[test]
fn a_policy_demands_more() {
    let evidence = Evidence::sound();
    let verify = |fields: &str| {
        let text = format!(r#"{{"type":"walwarden.audit-policy","formatVersion":1,{fields}}}"#);
        let now = "2026-11-22T12:00:00.000Z".parse().unwrap();
        let policy = Policy::parse(text.as_bytes()).unwrap();
        let verifier = evidence.verifier().with_policy(policy).with_now(now);
        verifier.verify(Cursor::new(evidence.tgz())).unwrap()
    };
    expect(&verify(r#""orgId":"acme","databaseId":"shop","minEvents":16,"minBackups":2"#), 0, &[]);
    expect(&verify(r#""orgId":"other""#), 1, &["policy-subject"]);
    expect(&verify(r#""databaseId":null"#), 1, &["policy-subject"]);
    expect(&verify(r#""minArtifactsChecked":2"#), 1, &["policy-minimum"]);
    expect(&verify(r#""minWitnesses":1"#), 4, &["policy-witnesses"]);
    expect(&verify(r#""maxBackupAgeHours":48,"maxBackupGapHours":1,"maxDrillAgeHours":48"#), 0, &[]);
    expect(&verify(r#""maxBackupAgeHours":24"#), 1, &["policy-age"]);
    expect(&verify(r#""maxCheckpointAgeHours":24"#), 4, &["policy-time"]);
}

#[test]
fn why_the_checkpoint_has_no_age_is_told() {
    let mut evidence = Evidence::sound();
    let witness = Vkey::new("witness.example/w1", Key::new(7).public());
    let text =
        br#"{"type":"walwarden.audit-policy","formatVersion":1,"maxCheckpointAgeHours":24,"minWitnesses":2}"#;
    let told = |evidence: &Evidence| {
        let verifier =
            evidence.verifier().with_witness(witness.clone()).with_policy(Policy::parse(text).unwrap());
        let verifier = verifier.with_now("2026-11-22T12:00:00.000Z".parse().unwrap());
        let report = verifier.verify(Cursor::new(evidence.tgz())).unwrap();
        let failure = report.failures().find(|finding| finding.reason == Reason::PolicyTime);
        failure.unwrap_or_else(|| panic!("{report}")).detail.clone()
    };
    assert!(
        told(&evidence).ends_with("the witnesses that cosigned the checkpoint do not suffice, there are 0")
    );
    let note = cosigned(&evidence, &witness, &Key::new(7));
    evidence.files.insert("checkpoint".to_owned(), note.into_bytes());
    evidence.seal_list();
    assert!(
        told(&evidence).ends_with("the witnesses that cosigned the checkpoint do not suffice, there are 1")
    );
}

#[test]
fn tar_order_modes_and_times_are_ignored() {
    let evidence = Evidence::sound();
    let mut tar = Vec::new();
    for (name, bytes) in evidence.files.iter().rev() {
        let mut entry = support::entry(name, bytes);
        let header: &mut [u8; 512] = entry.first_chunk_mut().unwrap();
        header[100..107].copy_from_slice(b"0000777");
        header[136..147].copy_from_slice(b"14000000000");
        header[265..269].copy_from_slice(b"root");
        support::seal_header(header);
        tar.extend(entry);
    }
    tar.extend_from_slice(&[0; 512 * 20]);
    expect(&evidence.verifier().verify(Cursor::new(gzip(&tar))).unwrap(), 0, &[]);
}
