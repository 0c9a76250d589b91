//! `walwarden-verify` on what is no bundle, and with arguments that cannot be used.

use std::fs;

use crate::scene::{Scene, verifier};

#[test]
fn what_cannot_be_read_is_2() {
    let scene = Scene::with_key();
    let public = scene.text("public.pem");
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    let absent = scene.text("absent");
    assert!(verifier(&["--bundle", &absent, "--pubkey", &public]).exits(2).stderr.contains("bundle"));
    assert!(verifier(&["--bundle", &public, "--pubkey", &absent]).exits(2).stderr.contains("public key"));
    verifier(&["--bundle", &public, "--fingerprint", "sha256:abc"]).exits(2);
    verifier(&["--bundle", &public, "--witness", "nobody"]).exits(2);
    verifier(&["--bundle", &public, "--level", "5"]).exits(2);
    verifier(&["--bundle", &public, "--since", &absent]).exits(2);
    let told = verifier(&["--bundle", &public, "--witness-policy", &public]).exits(2).stderr;
    assert!(told.contains("witness policy") && told.contains("line 1: "), "{told}");
    let folder = scene.text("home");
    assert!(verifier(&["--bundle", &folder]).exits(2).stderr.contains("this is a folder"));
    verifier(&["--bundle", &public, "--policy", &public]).exits(2);
    verifier(&[]).exits(2);
    let report = verifier(&["--json", "--bundle", &absent]).exits(2);
    assert_eq!(report.records()[0]["exit"], 2);
}

#[test]
fn a_weak_or_private_key_is_refused_as_unusable() {
    let scene = Scene::with_key();
    let bundle = scene.text("home/walwarden.toml");
    let private = scene.text("home/signing-key.pem");
    fs::write(&bundle, "x").unwrap();
    verifier(&["--bundle", &bundle, "--pubkey", &private]).exits(2);
}

#[test]
fn what_is_no_bundle_is_3() {
    let scene = Scene::empty();
    let path = scene.text("bundle.tgz");
    for content in [&b""[..], b"not a bundle", b"\x1f\x8b\x08\x00"] {
        fs::write(&path, content).unwrap();
        let ended = verifier(&["--bundle", &path]).exits(3);
        assert!(ended.stdout.contains("FAIL: "), "{}", ended.stdout);
        let report = verifier(&["--json", "--bundle", &path]).exits(3);
        assert_eq!(report.records()[0]["exit"], 3);
    }
}

#[test]
fn the_verifier_is_made_of_the_verification_library_alone() {
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let verifier = own.join("../walwarden-verifier");
    let mut files = crate::scene::files_below(&verifier.join("src"));
    files.push(own.join("src/bin/walwarden-verify.rs"));
    files.push(verifier.join("Cargo.toml"));
    assert!(files.len() >= 5);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for foreign in ["walwarden_core", "walwarden-core", "walwarden_cli", "std::net", "tokio", "reqwest"] {
            assert!(!text.contains(foreign), "{} uses {foreign}", file.display());
        }
    }
}
