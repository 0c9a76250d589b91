//! Public test vectors as outside judges: RFC 8785, Ed25519, RFC 6962 and JSON parsing.
//!
//! They lie beside the workspace in `shared/vectors`, or where `WALWARDEN_VECTORS` says. Where the judges and we
//! differ on purpose, `known-divergences.txt` says so, and a case that no longer differs fails.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;
use walwarden_verify::key::{PublicKey, Signature};
use walwarden_verify::merkle::{Tree, leaf_hash, verify_consistency, verify_inclusion};
use walwarden_verify::{Sha256, canonical, json};

/// The folder of one set, or none, told loudly.
#[allow(clippy::disallowed_methods, reason = "a test may be told where its vectors are")]
fn set(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("WALWARDEN_VECTORS").map_or_else(beside, PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    // Past the capture of the test runner. No failure: the vectors do not come with a clone.
    let line = format!("\n*** NOT TESTED: no vectors in {}; set WALWARDEN_VECTORS ***\n\n", folder.display());
    let _nobody_reads = std::io::stderr().write_all(line.as_bytes());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Compares the cases that differ with the list.
fn expect_divergences(set: &str, found: BTreeSet<String>) {
    let listed: BTreeSet<String> = include_str!("known-divergences.txt")
        .lines()
        .filter_map(|line| line.strip_prefix(set)?.strip_prefix(' '))
        .map(|rest| rest.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(found, listed, "cases that differ from the judge, and those listed");
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn jcs_documents() {
    let Some(folder) = set("jcs") else { return };
    let inputs = files(&folder.join("input"));
    assert!(!inputs.is_empty());
    for input in inputs {
        let value = json::parse(&fs::read(&input).unwrap()).unwrap();
        let name = input.file_name().unwrap();
        let expected = fs::read(folder.join("output").join(name)).unwrap();
        let found = canonical::to_vec(&value);
        assert_eq!(String::from_utf8(found).unwrap(), String::from_utf8(expected).unwrap(), "{name:?}");
    }
}

#[test]
fn jcs_numbers() {
    let Some(folder) = set("jcs/numbers") else { return };
    let mut count = 0;
    for line in fs::read_to_string(folder.join("es6-first-10000.txt")).unwrap().lines() {
        let (bits, expected) = line.split_once(',').unwrap();
        let number = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
        let value = json::parse(format!("{number:e}").as_bytes()).unwrap();
        assert_eq!(canonical::to_vec(&value), expected.as_bytes(), "{line}");
        count += 1;
    }
    assert_eq!(count, 10_000);
}

fn accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (<&[u8; 32]>::try_from(key), <[u8; 64]>::try_from(signature)) else {
        return false;
    };
    PublicKey::from_bytes(key).is_ok_and(|key| key.verify(message, &Signature::from_bytes(signature)).is_ok())
}

#[test]
fn ed25519_wycheproof() {
    let Some(folder) = set("ed25519") else { return };
    let text = fs::read(folder.join("wycheproof_ed25519_test.json")).unwrap();
    let suite: Json = serde_json::from_slice(&text).unwrap();
    let (mut count, mut differing) = (0, BTreeSet::new());
    for group in suite["testGroups"].as_array().unwrap() {
        let key = hex(group["publicKey"]["pk"].as_str().unwrap());
        for case in group["tests"].as_array().unwrap() {
            let bytes = |name: &str| hex(case[name].as_str().unwrap());
            let valid = case["result"] == "valid";
            if accepts(&key, &bytes("msg"), &bytes("sig")) != valid {
                differing.insert(case["tcId"].to_string());
            }
            count += 1;
        }
    }
    assert_eq!(count, 151);
    expect_divergences("wycheproof", differing);
}

#[test]
fn ed25519_speccheck_accepts_only_case_3() {
    let Some(folder) = set("ed25519") else { return };
    let text = fs::read(folder.join("speccheck_cases.json")).unwrap();
    let cases: Vec<Json> = serde_json::from_slice(&text).unwrap();
    let accepted: Vec<usize> = (0..cases.len())
        .filter(|at| {
            let bytes = |name: &str| hex(cases[*at][name].as_str().unwrap());
            accepts(&bytes("pub_key"), &bytes("message"), &bytes("signature"))
        })
        .collect();
    assert_eq!((cases.len(), accepted), (12, vec![3]));
}

fn sha256(value: &Json) -> Option<Sha256> {
    let bytes = STANDARD.decode(value.as_str().unwrap_or_default()).ok()?;
    Some(Sha256::from_bytes(bytes.try_into().ok()?))
}

fn proof(case: &Json) -> Option<Vec<Sha256>> {
    case["proof"].as_array().map_or(Some(Vec::new()), |nodes| nodes.iter().map(sha256).collect())
}

#[test]
fn merkle_roots() {
    let Some(folder) = set("merkle") else { return };
    let text = fs::read(folder.join("rfc6962-roots.json")).unwrap();
    let suite: Json = serde_json::from_slice(&text).unwrap();
    let roots = suite["rootHexBySize"].as_array().unwrap();
    let mut tree = Tree::new();
    assert_eq!(tree.root().to_string(), roots[0]);
    for (leaf, root) in suite["leafInputsHex"].as_array().unwrap().iter().zip(&roots[1..]) {
        tree.push(&hex(leaf.as_str().unwrap()));
        assert_eq!(tree.root().to_string(), *root);
    }
    assert_eq!(tree.size(), 8);
    assert_eq!(leaf_hash(b""), Sha256::of(&[0]));
}

#[test]
fn merkle_inclusion() {
    let Some(folder) = set("merkle/inclusion") else { return };
    merkle_cases("inclusion", &folder, |case| {
        let (leaf, root, proof) = (sha256(&case["leafHash"])?, sha256(&case["root"])?, proof(case)?);
        let (index, size) = (case["leafIdx"].as_u64()?, case["treeSize"].as_u64()?);
        verify_inclusion(&leaf, index, size, &proof, &root).ok()
    });
}

#[test]
fn merkle_consistency() {
    let Some(folder) = set("merkle/consistency") else { return };
    merkle_cases("consistency", &folder, |case| {
        let (old_root, root, proof) = (sha256(&case["root1"])?, sha256(&case["root2"])?, proof(case)?);
        let (old_size, size) = (case["size1"].as_u64()?, case["size2"].as_u64()?);
        verify_consistency(old_size, &old_root, size, &root, &proof).ok()
    });
}

fn merkle_cases(set: &str, folder: &Path, verify: impl Fn(&Json) -> Option<()>) {
    let files = files(folder);
    assert_eq!(files.len(), 98);
    let mut differing = BTreeSet::new();
    for file in files {
        let case: Json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        if verify(&case).is_some() == case["wantErr"].as_bool().unwrap() {
            let name = file.strip_prefix(folder).unwrap().display().to_string();
            differing.insert(name.replace(' ', "_"));
        }
    }
    expect_divergences(set, differing);
}

#[test]
fn json_parsing() {
    let Some(folder) = set("json-parsing/test_parsing") else { return };
    let (mut count, mut differing) = (0, BTreeSet::new());
    for file in files(&folder) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let parsed = json::parse(&fs::read(&file).unwrap()).is_ok();
        let expected = match name.split_once('_').unwrap().0 {
            "y" => true,
            "n" => false,
            _ => continue,
        };
        count += 1;
        if parsed != expected {
            differing.insert(name);
        }
    }
    assert_eq!(count, 95 + 188);
    expect_divergences("json", differing);
}

#[test]
fn json_that_readers_understand_differently_is_refused_or_kept() {
    let Some(folder) = set("json-parsing/test_transform") else { return };
    for file in files(&folder) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let parsed = json::parse(&fs::read(&file).unwrap());
        if name.starts_with("object_same_key") || name.starts_with("string_") && name.contains("invalid") {
            assert!(parsed.is_err(), "{name}");
        } else {
            assert!(parsed.is_ok(), "{name}");
        }
        // What the profile leaves out is refused in our own documents.
        let ours = canonical::parse(&fs::read(&file).unwrap());
        assert_eq!(ours.is_ok(), name == "string_with_escaped_NULL.json", "{name}");
    }
}
