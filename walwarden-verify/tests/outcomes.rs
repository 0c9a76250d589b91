//! The outcome of every vector, for the table in which all languages are compared (`bindings/parity`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use walwarden_verify::{Sha256, Timestamp, Trust, Verifier};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors")
}

fn texts(args: &Value, member: &str) -> Vec<String> {
    let listed = args[member].as_array().into_iter().flatten();
    listed.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn octets(args: &Value, member: &str) -> Option<Vec<u8>> {
    args[member].as_str().map(|file| fs::read(folder().join(file)).unwrap())
}

fn contents(args: &Value, member: &str) -> Vec<String> {
    texts(args, member).iter().map(|file| fs::read_to_string(folder().join(file)).unwrap()).collect()
}

fn trust(args: &Value) -> Trust {
    Trust {
        public_keys: contents(args, "pubkeys"),
        fingerprints: texts(args, "fingerprints"),
        witnesses: texts(args, "witnesses"),
        witness_policy: octets(args, "witnessPolicy"),
        policy: octets(args, "policy"),
        as_of: args["asOf"].as_str().map(str::to_owned),
        kept_checkpoint: octets(args, "keptCheckpoint"),
        authorities: contents(args, "authorities"),
        level: args["level"].as_u64().map(|level| level.try_into().unwrap()),
    }
}

fn outcome(case: &Value) -> Value {
    let args = &case["args"];
    let Ok(verifier) = Verifier::try_from(&trust(args)) else {
        return json!({ "name": case["name"], "exit": 2, "level": null, "codes": [], "reportSha256": null });
    };
    let now: Timestamp = "2030-01-01T00:00:00.000Z".parse().unwrap();
    let bundle = File::open(folder().join(case["file"].as_str().unwrap())).unwrap();
    let report = verifier.with_now(now).verify(bundle).unwrap();
    let codes: BTreeSet<&str> = report.failures().map(|finding| finding.reason.text()).collect();
    json!({
        "name": case["name"],
        "exit": report.exit().status(),
        "level": report.level.map(walwarden_verify::Level::number),
        "codes": codes,
        "reportSha256": Sha256::of(&report.to_json()).to_string(),
    })
}

#[test]
fn the_outcome_of_every_vector_is_written_down() {
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(folder().join("cases.json")).unwrap()).unwrap();
    let table = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("parity");
    fs::create_dir_all(&table).unwrap();
    let mut table = File::create(table.join("rust.jsonl")).unwrap();
    for case in &cases {
        let found = outcome(case);
        assert_eq!(found["exit"], case["exit"], "{}", case["name"]);
        writeln!(table, "{found}").unwrap();
    }
}
