//! Witnesses from end to end: a checkpoint goes out, comes back cosigned, and an auditor demands a quorum.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use crate::scene::{Scene, verifier};
use crate::shop::Shop;

/// A witness of this name in a folder of its own; returns its vkey.
fn begin(scene: &Scene, name: &str) -> String {
    let begun =
        scene.run(&["witness", "init", "--state", &scene.text(name), "--name", &format!("{name}.example")]);
    begun.succeeds().stdout.trim().to_owned()
}

/// The chain's checkpoint for a witness that saw `since` rows.
fn checkpoint(scene: &Scene, since: u64, file: &str) -> String {
    let (path, since) = (scene.text(file), since.to_string());
    let mut arguments = vec!["evidence", "checkpoint", "--database", "shop", "--out", &path];
    if since != "0" {
        arguments.extend(["--since", &since]);
    }
    scene.run(&arguments).succeeds();
    path
}

/// The log's name, as its owner reads it.
fn origin(scene: &Scene) -> String {
    scene.json(&["evidence", "checkpoint", "--database", "shop"])["origin"].as_str().unwrap().to_owned()
}

fn last_size(scene: &Scene, witness: &str) -> u64 {
    scene.json(&["witness", "show", "--state", &scene.text(witness)])["logs"][0]["size"].as_u64().unwrap()
}

fn public_key(scene: &Scene) -> String {
    let public = scene.text("public.pem");
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    public
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cosigned_checkpoint_ends_a_bundle_that_reaches_level_3() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let public = public_key(&scene);
    let back_up = || scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    back_up();
    let origin = origin(&scene);
    let vkeys = [begin(&scene, "harbour"), begin(&scene, "notary")];
    let request = checkpoint(&scene, 0, "first");
    let cosigned = scene.text("cosigned");
    let (harbour, notary) = (scene.text("harbour"), scene.text("notary"));
    scene
        .run(&[
            "witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", &public, "--out",
            &cosigned, &request,
        ])
        .succeeds();
    // The second adds its line as any shell does.
    let line = scene
        .run(&["witness", "cosign", "--state", &notary, "--origin", &origin, "--pubkey", &public, &request])
        .succeeds()
        .stdout;
    fs::write(&cosigned, fs::read_to_string(&cosigned).unwrap() + &line).unwrap();

    back_up();
    let bundle = scene.text("shop.evidence.tgz");
    scene
        .run(&["evidence", "export", "--database", "shop", "--checkpoint", &cosigned, "--out", &bundle])
        .succeeds();
    let policy = scene.text("witnesses.policy");
    let text = format!("witness h {}\nwitness n {}\ngroup both all h n\nquorum both\n", vkeys[0], vkeys[1]);
    fs::write(&policy, &text).unwrap();
    let verified =
        verifier(&["--bundle", &bundle, "--pubkey", &public, "--witness-policy", &policy, "--level", "3"]);
    assert!(verified.succeeds().stdout.contains("OK: quorum of witnesses: 2 of 2"));

    let whole = scene.text("whole.evidence.tgz");
    scene.run(&["evidence", "export", "--database", "shop", "--out", &whole]).succeeds();
    let short = ["--bundle", &whole, "--pubkey", &public, "--witness-policy", &policy];
    assert!(verifier(&short).exits(4).stdout.contains("[witness-quorum]"));
    verifier(&["--bundle", &whole, "--pubkey", &public, "--since", &cosigned, "--level", "4"]).succeeds();

    let size = last_size(&scene, "harbour");
    let next = checkpoint(&scene, size, "next");
    let bare = checkpoint(&scene, 0, "bare");
    let cosign = |file: &str| {
        scene.run(&["witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", &public, file])
    };
    cosign(&bare).fails(2, "proof-needed");
    cosign(&next).succeeds();
    assert!(last_size(&scene, "harbour") > size);
    cosign(&request).fails(2, "checkpoint-older");
    for (other, told) in [(&public, "no checkpoint"), (&request, "a request to a witness")] {
        let out = scene.text("x.tgz");
        let other = ["evidence", "export", "--database", "shop", "--out", &out, "--checkpoint", other];
        let refused = scene.run(&other).fails(2, "checkpoint-invalid");
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    scene
        .run(&["evidence", "checkpoint", "--database", "shop", "--since", "9999"])
        .fails(2, "argument-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proof_is_made_from_a_bundle_at_hand() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let public = public_key(&scene);
    begin(&scene, "harbour");
    let harbour = scene.text("harbour");
    let bundle = |file: &str| {
        scene.run(&["backup", "run", "--database", "shop"]).succeeds();
        let path = scene.text(file);
        scene.run(&["evidence", "export", "--database", "shop", "--out", &path]).succeeds();
        path
    };
    scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    let origin = origin(&scene);
    let cosign = |bundle: &str, key: &str| {
        scene.run(&[
            "witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", key, "--bundle",
            bundle,
        ])
    };
    let (first, second, third) = (bundle("1.tgz"), bundle("2.tgz"), bundle("3.tgz"));
    cosign(&first, &public).succeeds();
    let size = last_size(&scene, "harbour");
    let cosigned = scene.text("cosigned");
    scene
        .run(&[
            "witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", &public, "--bundle",
            &third, "--out", &cosigned,
        ])
        .succeeds();
    assert!(last_size(&scene, "harbour") > size);
    let out = scene.text("cosigned.tgz");
    scene
        .run(&["evidence", "export", "--database", "shop", "--checkpoint", &cosigned, "--out", &out])
        .succeeds();
    let vkey = scene.json(&["witness", "show", "--state", &harbour])["vkey"].as_str().unwrap().to_owned();
    verifier(&["--bundle", &out, "--pubkey", &public, "--witness", &vkey, "--level", "3"]).succeeds();

    cosign(&second, &public).fails(2, "checkpoint-older");
    // Once more, with a new time.
    cosign(&third, &public).succeeds();
    cosign(&public, &public).fails(2, "checkpoint-invalid");
    cosign(&scene.text("nowhere.tgz"), &public).fails(2, "file-failed");
    let part = scene.text("part.tgz");
    scene
        .run(&["evidence", "export", "--database", "shop", "--from-time", "2030-01-01", "--out", &part])
        .succeeds();
    let refused = cosign(&part, &public).fails(2, "checkpoint-invalid");
    assert!(refused.stderr.contains("level 2 not reached"), "{}", refused.stderr);
    let both = [
        "witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", &public, "--bundle",
        &third, &cosigned,
    ];
    assert_eq!(scene.run(&both).status, Some(2));
}

/// As docs/witnesses.md has it.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_new_key_must_be_named() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let old = scene.text("old.pem");
    fs::rename(public_key(&scene), &old).unwrap();
    begin(&scene, "harbour");
    let harbour = scene.text("harbour");
    scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    let origin = origin(&scene);
    let cosign = |keys: &[&str], what: &[&str]| {
        let named = keys.iter().flat_map(|key| ["--pubkey", key]);
        let start = ["witness", "cosign", "--state", &harbour, "--origin", &origin];
        scene.run(&start.into_iter().chain(named).chain(what.iter().copied()).collect::<Vec<_>>())
    };
    let first = scene.text("first.cosigned");
    cosign(&[&old], &["--out", &first, &checkpoint(&scene, 0, "first")]).succeeds();
    let size = last_size(&scene, "harbour");

    scene.run(&["key", "rotate"]).succeeds();
    let new = public_key(&scene);
    let bundle = scene.text("rotated.tgz");
    scene.run(&["evidence", "export", "--database", "shop", "--out", &bundle]).succeeds();
    let former = ["evidence", "export", "--database", "shop", "--checkpoint", &first];
    let refused =
        scene.run(&[&former[..], &["--out", &scene.text("y.tgz")]].concat()).fails(2, "checkpoint-invalid");
    assert!(refused.stderr.contains("rotated after this checkpoint"), "{}", refused.stderr);
    let rotated = checkpoint(&scene, size, "rotated");
    for what in [&[rotated.as_str()][..], &["--bundle", &bundle]] {
        let refused = cosign(&[&old], what).fails(2, "checkpoint-invalid");
        assert!(refused.stderr.contains("no key that was named signed the checkpoint"), "{}", refused.stderr);
    }
    cosign(&[&new], &[&checkpoint(&scene, 0, "bare")]).fails(2, "proof-needed");
    cosign(&[&old, &new], &[&rotated]).succeeds();
    let other = "walwarden/acme/another";
    let named = ["witness", "cosign", "--state", &harbour, "--origin", other, "--pubkey", &new, &rotated];
    assert!(scene.run(&named).fails(2, "checkpoint-invalid").stderr.contains("of another log"));
    scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    cosign(&[&new], &[&checkpoint(&scene, size + 1, "next")]).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_killed_at_any_moment_never_goes_back() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let public = public_key(&scene);
    begin(&scene, "harbour");
    let harbour = scene.text("harbour");
    scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    let origin = origin(&scene);
    let request = checkpoint(&scene, 0, "first");
    let arguments =
        ["witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", &public, &request];
    scene.run(&arguments).succeeds();
    let mut size = last_size(&scene, "harbour");
    for round in 0..24_u64 {
        if round % 8 == 0 {
            scene.run(&["backup", "run", "--database", "shop"]).succeeds();
        }
        let request = checkpoint(&scene, size, &format!("request-{round}"));
        let mut process = scene.process(&[
            "witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", &public, &request,
        ]);
        let mut child = process.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_micros(1500 * round)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let now = last_size(&scene, "harbour");
        assert!(now >= size, "round {round}: {now} after {size}");
        size = now;
    }
    let last = checkpoint(&scene, size, "last");
    scene
        .run(&["witness", "cosign", "--state", &harbour, "--origin", &origin, "--pubkey", &public, &last])
        .succeeds();
}

#[test]
fn a_folder_without_a_witness_is_told() {
    let scene = Scene::with_key();
    let state = scene.text("nowhere");
    scene.run(&["witness", "show", "--state", &state]).fails(2, "key-missing");
    scene.run(&["witness", "init", "--state", &state, "--name", "two words"]).fails(2, "argument-invalid");
    scene.run(&["witness", "init", "--state", &state, "--name", "one.example"]).succeeds();
    scene.run(&["witness", "init", "--state", &state, "--name", "one.example"]).fails(2, "key-exists");
    scene
        .run(&["witness", "cosign", "--state", &state, "--origin", "o", "--pubkey", &state, "x"])
        .fails(2, "file-failed");
}
