//! The examples do what they say, against a real server and the published vectors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use walwarden_core::manifest::{FileKey, ManifestSigner as _};
use walwarden_core::verify::Sha256;
use walwarden_core::verify::manifest::Manifest;
use walwarden_testkit::postgres::{PASSWORD, Postgres, USER, bin_dir, shared};
use walwarden_testkit::storage::suite;

#[allow(dead_code, reason = "its main is run as a program below")]
#[path = "../own_storage.rs"]
mod own_storage;

/// Runs a program as someone would at a shell of his own.
fn run(program: &str, arguments: &[&str]) -> Output {
    let clients = bin_dir(MAJOR);
    Command::new(program).args(arguments).env("PATH", clients).env("PGPASSWORD", PASSWORD).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ended with {}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// A database with one table, and its URL without the password.
async fn shop() -> String {
    let server: &Postgres = shared(MAJOR);
    let name = server.fresh_database("shop").await;
    server.sql(&name, "create table orders as select i from generate_series(1, 1000) i").await;
    format!("postgresql://{USER}@127.0.0.1:{}/{name}", server.port())
}

const MAJOR: u32 = 17;

#[tokio::test(flavor = "multi_thread")]
async fn the_first_backup_is_signed_by_the_key_it_left_and_the_second_run_uses_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let dsn = shop().await;
    let mut hashes = Vec::new();
    for _run in 0..2 {
        let output = run(env!("CARGO_BIN_EXE_first_backup"), &[&dsn, folder.path().to_str().unwrap()]);
        let [hash] = lines(&output).try_into().unwrap();
        hashes.push(hash);
    }
    assert_ne!(hashes[0], hashes[1], "two backups, two manifests");

    let key = FileKey::load(&folder.path().join("key.pem")).unwrap();
    let manifests = files(&folder.path().join("store"), "manifest.json");
    assert_eq!(manifests.len(), 2);
    for manifest in manifests {
        assert!(hashes.contains(&Sha256::of(&manifest).to_string()));
        Manifest::parse(&manifest).unwrap().verify(key.public_key()).unwrap();
    }
}

/// The contents of every file below whose name ends so.
fn files(folder: &Path, end: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(std::fs::read(path).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_storage_sees_the_dump_before_the_manifest_that_names_it() {
    let names = lines(&run(env!("CARGO_BIN_EXE_own_storage"), &[&shop().await]));
    let position = |end: &str| {
        names.iter().position(|name| name.ends_with(end)).unwrap_or_else(|| panic!("no {end} in {names:?}"))
    };
    assert!(position(".dump") < position("manifest.json"), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_own_storage_keeps_the_contract() {
    suite(async || Arc::new(own_storage::Remembering::default())).await;
}

#[test]
fn offline_verification_accepts_a_sound_bundle_and_names_what_a_bad_one_lacks() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors");
    let verify = |bundle: &str| {
        let [bundle, key] = [bundle, "keys/alpha.pub.pem"].map(|file| vectors.join(file));
        run(env!("CARGO_BIN_EXE_offline_verification"), &[bundle.to_str().unwrap(), key.to_str().unwrap()])
    };
    assert_eq!(lines(&verify("good/one-backup.evidence.tgz")), ["level 2, backups: 1"]);

    let refused = verify("bad/artifact-replaced.evidence.tgz");
    let said = String::from_utf8(refused.stdout).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("artifact-digest"), "{said}");
}
