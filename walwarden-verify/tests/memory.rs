//! How much memory a hostile bundle takes, whose values are many times as long as their text.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "of the shared evidence only a part is needed")]

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use support::{Evidence, Key, codes, index, job};
use walwarden_verify::EventKind;
use walwarden_verify::json::{Object, Value};

const MIB: usize = 1 << 20;

/// Verifies the bundle in a process of its own, which must never have held more than so many mebibytes.
#[track_caller]
fn expect_within(mebibytes: usize, bundle: &[u8], exit: u8, code: &str) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bundle).unwrap();
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(["--ignored", "--exact", "--nocapture", "child"]).env("BUNDLE", file.path());
    let ended = this.output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{} {told}", ended.status);
    assert!(told.contains(&format!("exit {exit} ")) && told.contains(code), "{told}");
    let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak = peak.unwrap().parse::<usize>().unwrap() >> 10;
    assert!(peak <= mebibytes, "{peak} MiB");
}

#[test]
#[ignore = "a process of the other tests"]
#[allow(clippy::disallowed_methods, reason = "how the other tests tell it what to read")]
fn child() {
    let Some(bundle) = std::env::var_os("BUNDLE") else { return };
    let file = std::fs::File::open(Path::new(&bundle)).unwrap();
    let report = Evidence::sound().verifier().verify(std::io::BufReader::new(file)).unwrap();
    println!("exit {} {:?}", report.exit().status(), codes(&report));
    println!("{}", std::fs::read_to_string("/proc/self/status").unwrap());
}

#[test]
fn rows_shown_are_not_all_held_as_values() {
    let mut evidence = Evidence::sound();
    evidence.files.remove("audit_events.json");
    let first = String::from_utf8(evidence.rows[0].to_canonical()).unwrap();
    let nested = deepest(MIB - 1000);
    let shown = (2..16).map(|seq| {
        let zeros = "0".repeat(64);
        format!(
            r#"{{"at":"2026-01-01T00:00:00.000Z","hash":"{zeros}","jobId":null,"kind":"schedule.changed","payload":{{"a":[{nested}]}},"prevHash":"{zeros}","seq":{seq}}}"#
        )
    });
    let rows: Vec<String> = std::iter::once(first).chain(shown).collect();
    let part = format!(
        r#"{{"formatVersion":1,"hidden":[],"rows":[{}],"size":15,"type":"walwarden.disclosure"}}"#,
        rows.join(",")
    );
    evidence.files.insert("disclosure.json".to_owned(), part.into_bytes());
    expect_within(112, &evidence.tgz(), 1, "chain-hash");
}

#[test]
fn a_payload_with_an_escape_is_not_copied() {
    let mut evidence = Evidence::sound();
    let payload = "A".repeat(60 * MIB);
    let envelope = format!(
        r#"{{"payload":"{payload}\n","payloadType":"application/vnd.in-toto+json","signatures":[]}}"#
    );
    evidence.files.insert("bundle.json".to_owned(), envelope.into_bytes());
    // The budget allows four hundred bytes for each of the input.
    evidence.files.insert("README.txt".to_owned(), noise(MIB));
    expect_within(80, &evidence.tgz(), 3, "statement-form");
}

#[test]
fn entries_of_an_index_are_not_all_held() {
    let small = small_index();
    let at = small.find(r#""entries":["#).unwrap() + r#""entries":["#.len();
    let entry = r#"{"blockSha256":null,"desc":"","dumpId":1,"length":null,"name":"","offset":null,"owner":null,"rawBytes":null,"rowCount":null,"rowsDigest":null,"schema":null,"section":""}"#;
    let entries = vec![entry; 40 * MIB / entry.len()].join(",");
    let comma = if small[at..].starts_with(']') { "" } else { "," };
    let large = format!("{}{entries}{comma}{}", &small[..at], &small[at..]);
    expect_within(64, &with_index(large), 1, "index-digest");
}

#[test]
fn keys_that_come_and_go_without_end_are_refused() {
    let mut evidence = Evidence::begin(None);
    for number in 0..10_001_u32 {
        evidence.rotate(Key::new((number % 2) as u8));
    }
    evidence.close();
    expect_within(24, &evidence.tgz(), 3, "bundle-limit");
}

#[test]
fn backups_that_no_bundle_has_manifests_for_are_refused() {
    let mut evidence = Evidence::begin(Some("shop"));
    let zeros = "0".repeat(64);
    for _ in 0..200_001 {
        let payload = Object::from([
            ("manifestSha256", Value::from(zeros.as_str())),
            ("checksumSha256", zeros.as_str().into()),
            ("sizeBytes", 0_u64.into()),
        ]);
        evidence.add(Some(job(1)), EventKind::BackupCompleted, payload);
    }
    evidence.close();
    expect_within(24, &evidence.tgz(), 3, "bundle-limit");
}

#[test]
fn drills_that_no_bundle_has_receipts_for_are_refused() {
    let mut evidence = Evidence::begin(Some("shop"));
    let payload = Object::from([("receiptSha256", "0".repeat(64))]);
    for number in 0..200_001_u32 {
        let id = walwarden_verify::JobId::from_parts(support::START + i64::from(number), [7; 10]);
        evidence.add(Some(id), EventKind::DrillPassed, payload.clone());
    }
    evidence.close();
    expect_within(56, &evidence.tgz(), 3, "bundle-limit");
}

#[test]
fn what_follows_the_rows_is_not_held() {
    let mut evidence = Evidence::sound();
    let mut rows = evidence.files["audit_events.json"].clone();
    rows.resize(400 * MIB, b' ');
    evidence.files.insert("audit_events.json".to_owned(), rows);
    evidence.files.insert("README.txt".to_owned(), noise(MIB));
    expect_within(24, &evidence.tgz(), 3, "chain-form");
}

#[test]
fn digests_of_chunks_that_no_artifact_has_are_not_held() {
    let small = small_index();
    let at = small.find(r#""chunks":["#).unwrap() + r#""chunks":["#.len();
    let digest = format!("\"{}\",", "0".repeat(64));
    let large = format!("{}{}{}", &small[..at], digest.repeat(40 * MIB / digest.len()), &small[at..]);
    expect_within(64, &with_index(large), 1, "index-digest");
}

#[test]
fn of_a_long_name_or_value_there_is_no_copy() {
    let sound = small_index();
    let long = "a".repeat(100 * MIB);
    for (flaw, code) in [
        (format!(r#""zz{long}":1}}"#), "index-form"),
        (format!(r#""zz\"{long}":1}}"#), "bundle-limit"),
        (format!(r#""zz":"\"{long}"}}"#), "bundle-limit"),
    ] {
        let large = format!("{},{flaw}", sound.strip_suffix('}').unwrap());
        expect_within(116, &with_index(large), 3, code);
    }
}

#[test]
fn of_a_manifest_only_what_is_compared_is_held() {
    let mut evidence = Evidence::sound();
    let path = format!("backups/{}/manifest.json", job(1));
    let sound = String::from_utf8(evidence.files[&path].clone()).unwrap();
    let at = sound.find(r#""index":{"checksumSha256""#).unwrap();
    let key = at + sound[at..].find(r#""key":""#).unwrap() + r#""key":""#.len();
    let long = "a".repeat(1_000_000);
    let unknown = format!("{},\"zz{long}\":1}}", sound.strip_suffix('}').unwrap());
    let named = format!("{}{long}{}", &sound[..key], &sound[key..]);
    for number in 0..150_u32 {
        let id = walwarden_verify::JobId::from_parts(support::START + i64::from(number), [9; 10]);
        let document = if number % 2 == 0 { &named } else { &unknown };
        evidence.files.insert(format!("backups/{id}/manifest.json"), document.clone().into_bytes());
    }
    evidence.files.insert("README.txt".to_owned(), noise(MIB));
    expect_within(32, &evidence.tgz(), 3, "manifest-form");
}

#[test]
fn what_is_nested_in_an_item_is_not_made() {
    let (key, deep) = ("a".repeat(MIB - 100), deepest(MIB - 100));
    let nested = format!(r#"{{"\n{key}":"#).repeat(60);
    let small = small_index();
    let (name, value) = (r#""archiveVersion":"#, r#""name":"#);
    for (large, code, mebibytes) in [
        // Of a value that is longer than a value may be, no more than that is read: not the keys on its way down.
        (small.replacen(name, &format!(r#""a":{nested}1{},{name}"#, "}".repeat(60)), 1), "bundle-limit", 76),
        (small.replacen(value, &format!(r#""name":[{deep}],"nam":"#), 1), "index-form", 20),
    ] {
        expect_within(mebibytes, &with_index(large), 3, code);
    }
}

/// Canonical JSON of so many bytes at most, of lists that hold values of many times their length.
fn deepest(bytes: usize) -> String {
    let list = format!("{}{}", "[".repeat(55), "]".repeat(55));
    vec![list.as_str(); bytes / (list.len() + 1)].join(",")
}

fn small_index() -> String {
    String::from_utf8(index(job(1), b"PGDMP first artifact").to_canonical()).unwrap()
}

/// The bundle with this index, and large enough for its budget to allow as much.
fn with_index(text: String) -> Vec<u8> {
    let mut evidence = Evidence::sound();
    evidence.files.insert(format!("backups/{}/index.json", job(1)), text.into_bytes());
    evidence.files.insert("README.txt".to_owned(), noise(MIB));
    evidence.tgz()
}

/// Bytes that do not become fewer when they are compressed.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}
