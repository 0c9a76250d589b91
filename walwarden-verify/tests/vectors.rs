//! Runs every case of `spec/vectors/cases.json`: bundles made by an independent program, with the outcome they must
//! have. A missing file or an empty list fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use walwarden_verify::key::PublicKey;
use walwarden_verify::{Budget, Level, Policy, Report, Status, Verifier, WitnessPolicy};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors")
}

fn texts(args: &Json, name: &str) -> Vec<String> {
    let list = args[name].as_array().cloned().unwrap_or_default();
    list.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// None when the auditor's own arguments cannot be used, which ends with 2.
fn verifier(args: &Json) -> Option<Verifier> {
    let read = |file: &str| fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut verifier = Verifier::new();
    for file in texts(args, "pubkeys") {
        for key in PublicKey::several_from_pem(&String::from_utf8(read(&file)).ok()?).ok()? {
            verifier = verifier.with_key(key);
        }
    }
    for fingerprint in texts(args, "fingerprints") {
        verifier = verifier.with_fingerprint(fingerprint.parse().ok()?);
    }
    for witness in texts(args, "witnesses") {
        verifier = verifier.with_witness(witness.parse().ok()?);
    }
    if let Some(file) = args["witnessPolicy"].as_str() {
        verifier = verifier.with_witness_policy(WitnessPolicy::parse(&read(file)).ok()?);
    }
    if let Some(file) = args["policy"].as_str() {
        verifier = verifier.with_policy(Policy::parse(&read(file)).ok()?);
    }
    if let Some(as_of) = args["asOf"].as_str() {
        verifier = verifier.with_as_of(as_of.parse().ok()?);
    }
    #[cfg(feature = "timestamps")]
    for file in texts(args, "authorities") {
        let text = String::from_utf8(read(&file)).ok()?;
        verifier = verifier.with_authorities(walwarden_verify::timestamp::Authorities::from_pem(&text).ok()?);
    }
    if let Some(file) = args["keptCheckpoint"].as_str() {
        verifier = verifier.with_kept_checkpoint(read(file));
    }
    match args["level"].as_u64() {
        Some(level) => Some(verifier.with_level(Level::from_number(level.try_into().ok()?)?)),
        None => Some(verifier),
    }
}

fn flaws(case: &Json, report: &Report) -> Vec<String> {
    let mut flaws = Vec::new();
    let exit = u64::from(report.exit().status());
    if case["exit"].as_u64() != Some(exit) {
        flaws.push(format!("exit is {exit}, expected {}", case["exit"]));
    }
    let failing: BTreeSet<&str> = report.failures().map(|finding| finding.reason.text()).collect();
    let expected = texts(case, "codes");
    let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    let missing: Vec<&&str> = expected.difference(&failing).collect();
    if !missing.is_empty() {
        flaws.push(format!("{missing:?} do not fail"));
    }
    let others: Vec<&&str> = failing.difference(&expected).collect();
    if case["complete"].as_bool().unwrap() && !others.is_empty() {
        flaws.push(format!("{others:?} fail, too"));
    }
    let level = report.level.map(|level| u64::from(level.number()));
    if case["level"].as_u64() != level {
        flaws.push(format!("level is {level:?}, expected {}", case["level"]));
    }
    flaws
}

#[test]
fn every_case_has_its_outcome() {
    judge_all(Budget::default());
}

/// The bundle is read several times then, and must be judged alike.
#[test]
fn every_case_has_its_outcome_where_next_to_nothing_is_held() {
    let mut budget = Budget::default();
    (budget.retained_bytes, budget.row_hashes) = (0, 0);
    judge_all(budget);
}

fn judge_all(budget: Budget) {
    let list = folder().join("cases.json");
    let text = fs::read(&list).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    let cases: Vec<Json> = serde_json::from_slice(&text).unwrap();
    assert!(!cases.is_empty(), "{} has no case", list.display());
    let (mut failed, mut skipped) = (Vec::new(), 0);
    for case in &cases {
        let required = texts(case, "requires");
        assert!(required.iter().all(|feature| feature == "timestamps"), "{}: {required:?}", case["name"]);
        if !required.is_empty() && !cfg!(feature = "timestamps") {
            skipped += 1;
            continue;
        }
        let file = File::open(folder().join(case["file"].as_str().unwrap())).unwrap();
        let Some(verifier) = verifier(&case["args"]) else {
            if case["exit"] != 2 {
                failed.push(format!("{}: the arguments cannot be used", case["name"]));
            }
            continue;
        };
        let report = verifier.with_budget(budget).verify(BufReader::new(file)).unwrap();
        let flaws = flaws(case, &report);
        if !flaws.is_empty() {
            let lines: Vec<String> = report
                .findings
                .iter()
                .filter(|finding| finding.status == Status::Fail)
                .map(|finding| format!("    {finding}"))
                .collect();
            failed.push(format!("{}: {}\n{}", case["name"], flaws.join(", "), lines.join("\n")));
        }
    }
    assert!(skipped < cases.len() / 2, "{skipped} of {} cases are left out", cases.len());
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
