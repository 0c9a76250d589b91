//! Runs every case of `spec/vectors/cases.json`: bundles made by an independent program, with the outcome they must
//! have. A missing file or an empty list fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use walwarden_verify::{Budget, Report, Status, Trust, Verifier};
#[cfg(feature = "timestamps")]
use {
    serde_json::json,
    std::io::Write as _,
    walwarden_verify::{Level, Sha256},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors")
}

fn texts(args: &Json, name: &str) -> Vec<String> {
    let list = args[name].as_array().cloned().unwrap_or_default();
    list.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// What the auditor brings.
fn trust(args: &Json) -> Trust {
    let read = |file: &str| fs::read(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let octets = |name: &str| args[name].as_str().map(read);
    let contents =
        |name: &str| texts(args, name).iter().map(|file| String::from_utf8(read(file)).unwrap()).collect();
    Trust {
        public_keys: contents("pubkeys"),
        fingerprints: texts(args, "fingerprints"),
        witnesses: texts(args, "witnesses"),
        witness_policy: octets("witnessPolicy"),
        policy: octets("policy"),
        as_of: args["asOf"].as_str().map(str::to_owned),
        kept_checkpoint: octets("keptCheckpoint"),
        authorities: if cfg!(feature = "timestamps") { contents("authorities") } else { Vec::new() },
        level: args["level"].as_u64().map(|level| level.try_into().unwrap()),
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

fn cases() -> Vec<Json> {
    let list = folder().join("cases.json");
    let text = fs::read(&list).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    let cases: Vec<Json> = serde_json::from_slice(&text).unwrap();
    assert!(!cases.is_empty(), "{} has no case", list.display());
    cases
}

fn judge_all(budget: Budget) {
    let cases = cases();
    let (mut failed, mut skipped) = (Vec::new(), 0);
    for case in &cases {
        let required = texts(case, "requires");
        assert!(required.iter().all(|feature| feature == "timestamps"), "{}: {required:?}", case["name"]);
        if !required.is_empty() && !cfg!(feature = "timestamps") {
            skipped += 1;
            continue;
        }
        let file = File::open(folder().join(case["file"].as_str().unwrap())).unwrap();
        let Ok(verifier) = Verifier::try_from(&trust(&case["args"])) else {
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

/// For the table in which all languages are compared (`bindings/parity`).
#[cfg(feature = "timestamps")]
#[test]
fn the_outcome_of_every_case_is_written_down() {
    let table = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("parity");
    fs::create_dir_all(&table).unwrap();
    let mut table = File::create(table.join("rust.jsonl")).unwrap();
    for case in cases() {
        let outcome = outcome(&case);
        assert_eq!(outcome["exit"], case["exit"], "{}", case["name"]);
        writeln!(table, "{outcome}").unwrap();
    }
}

#[cfg(feature = "timestamps")]
fn outcome(case: &Json) -> Json {
    let Ok(verifier) = Verifier::try_from(&trust(&case["args"])) else {
        return json!({ "name": case["name"], "exit": 2, "level": null, "codes": [], "reportSha256": null });
    };
    let now = "2030-01-01T00:00:00.000Z".parse().unwrap();
    let bundle = File::open(folder().join(case["file"].as_str().unwrap())).unwrap();
    let report = verifier.with_now(now).verify(BufReader::new(bundle)).unwrap();
    let codes: BTreeSet<&str> = report.failures().map(|finding| finding.reason.text()).collect();
    json!({
        "name": case["name"],
        "exit": report.exit().status(),
        "level": report.level.map(Level::number),
        "codes": codes,
        "reportSha256": Sha256::of(&report.to_json()).to_string(),
    })
}
