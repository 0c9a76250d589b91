//! Keys are rotated and revoked, and interrupted at it; who pinned the first key can verify throughout.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::scene::{Ended, Scene, verifier};
use crate::shop::Shop;

fn back_up(scene: &Scene) -> String {
    let ended = scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    ended.records().pop().unwrap()["payload"]["manifestSha256"].as_str().unwrap().to_owned()
}

fn public_key(scene: &Scene, file: &str) -> String {
    let path = scene.text(file);
    fs::write(&path, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    path
}

fn bundle(scene: &Scene, file: &str) -> String {
    let path = scene.text(file);
    scene.run(&["evidence", "export", "--database", "shop", "--out", &path]).succeeds();
    path
}

fn restore(scene: &Scene, shop: &Shop, manifest: &str, more: &[&str]) -> Ended {
    let target = shop.target();
    let arguments =
        ["restore", "--plan", "--manifest", manifest, "--target", &target, "--mode", "new_database"];
    scene.run(&[&arguments[..], &["--created-database", "shop_copy"], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_spans_a_rotation_verifies_with_either_key() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let first = public_key(&scene, "first.pem");
    let before = back_up(&scene);
    let old = scene.json(&["key", "show"])["keyId"].as_str().unwrap().to_owned();
    scene.run(&["key", "revoke", &old, "--reason", "too early"]).fails(2, "argument-invalid");

    let rotated = scene.json(&["key", "rotate"]);
    assert_eq!(rotated["oldKeyId"], old.as_str());
    assert_eq!(rotated["chains"][0]["outcome"], "recorded");
    let shown = scene.json(&["key", "show"]);
    assert_eq!(shown["keyId"], rotated["newKeyId"]);
    assert_eq!(shown["formerKeyIds"][0], old.as_str());
    let second = public_key(&scene, "second.pem");
    let after = back_up(&scene);
    let spanning = bundle(&scene, "spanning.tgz");
    for pin in [&first, &second] {
        verifier(&["--bundle", &spanning, "--pubkey", pin]).succeeds();
    }
    for manifest in [&before, &after] {
        restore(&scene, &shop, manifest, &[]).succeeds();
    }

    scene.run(&["key", "revoke", &old, "--reason", "retired"]).succeeds();
    assert_eq!(
        scene.json(&["key", "revoke", &old, "--reason", "retired"])["chains"][0]["outcome"],
        "already_recorded"
    );
    verifier(&["--bundle", &bundle(&scene, "revoked.tgz"), "--pubkey", &first]).succeeds();
    restore(&scene, &shop, &before, &[]).fails(3, "signature-invalid");
    restore(&scene, &shop, &before, &["--pubkey", &first]).succeeds();
    restore(&scene, &shop, &after, &[]).succeeds();
    let stranger = format!("sha256:{}", "0".repeat(64));
    scene.run(&["key", "revoke", &stranger, "--reason", "x"]).fails(2, "argument-invalid");

    // The destination alone is enough, also after a rotation.
    back_up(&scene);
    fs::remove_file(scene.path("home/catalog.sqlite")).unwrap();
    let rebuilt = scene.json(&["catalog", "rebuild", "--from", &scene.destination()]);
    assert_eq!(rebuilt["chains"][0]["authenticated"], true, "{rebuilt}");
    back_up(&scene);
    verifier(&["--bundle", &bundle(&scene, "rebuilt.tgz"), "--pubkey", &first]).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_killed_at_any_moment_leaves_a_key_that_works() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let first = public_key(&scene, "first.pem");
    back_up(&scene);
    let mut pending = 0;
    for round in 0..20_u64 {
        let mut process = scene.process(&["key", "rotate"]);
        let mut child = process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_micros(2500 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        pending += u32::from(!scene.json(&["key", "show"])["nextKeyId"].is_null());
        back_up(&scene);
        let bundle = bundle(&scene, &format!("{round}.tgz"));
        verifier(&["--bundle", &bundle, "--pubkey", &first]).succeeds();
    }
    assert!(pending > 0, "no rotation was caught in the middle");
    scene.run(&["key", "rotate"]).succeeds();
    assert!(scene.json(&["key", "show"])["nextKeyId"].is_null());
    back_up(&scene);
    verifier(&["--bundle", &bundle(&scene, "last.tgz"), "--pubkey", &first]).succeeds();
}

#[test]
fn without_a_chain_only_the_file_changes() {
    let scene = Scene::with_key();
    let old = scene.json(&["key", "show"])["keyId"].clone();
    let rotated = scene.json(&["key", "rotate"]);
    assert_eq!((&rotated["oldKeyId"], &rotated["chains"]), (&old, &serde_json::json!([])));
    assert_ne!(scene.json(&["key", "show"])["keyId"], old);
    assert!(
        scene
            .path("home")
            .read_dir()
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().ends_with(".retired") })
    );
    Scene::empty().run(&["key", "rotate"]).fails(2, "key-missing");
}
