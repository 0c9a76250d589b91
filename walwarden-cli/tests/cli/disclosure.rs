//! A bundle for one job or one time: it shows nothing else, and proves the place of what it shows.

use std::fs;
use std::process::Command;

use crate::scene::{Scene, verifier};
use crate::shop::Shop;

fn back_up(scene: &Scene) -> serde_json::Value {
    let ended = scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    ended.records().pop().unwrap()
}

fn job_of(record: &serde_json::Value) -> &str {
    record["payload"]["jobId"].as_str().unwrap()
}

/// The names and the text of a bundle's files.
fn content(bundle: &str) -> (String, String) {
    let tar = |arguments: &[&str]| {
        let output = Command::new("tar").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    (tar(&["-tzf", bundle]), tar(&["-xOzf", bundle]))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_or_one_time_is_shown_and_no_other() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let public = scene.text("public.pem");
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    let (first, second) = (back_up(&scene), back_up(&scene));
    let kept = scene.text("kept");
    let note = scene.json(&["evidence", "checkpoint", "--database", "shop"]);
    fs::write(&kept, note["note"].as_str().unwrap()).unwrap();
    let rows = scene.json(&["status"])["databases"][0]["chain"]["seq"].to_string();
    let third = back_up(&scene);
    back_up(&scene);

    let one = scene.text("one.tgz");
    let export = |out: &str, more: &[&str]| {
        scene.run(&[&["evidence", "export", "--database", "shop", "--out", out][..], more].concat())
    };
    export(&one, &["--job", job_of(&second), "--with-artifacts"]).succeeds();
    let (names, text) = content(&one);
    assert!(names.contains("disclosure.json") && !names.contains("audit_events.json"), "{names}");
    assert!(names.contains(&format!("backups/{}/artifact.dump", job_of(&second))));
    let manifest =
        |record: &serde_json::Value| record["payload"]["manifestSha256"].as_str().unwrap().to_owned();
    for other in [&first, &third] {
        assert!(!text.contains(job_of(other)) && !text.contains(&manifest(other)));
    }
    let pinned = ["--bundle", &one, "--pubkey", &public, "--level", "1"];
    let told = verifier(&pinned).succeeds().stdout;
    assert!(told.contains("OK: manifest artifact sha256 matches"), "{told}");
    assert!(told.contains("NOT PROVEN: What the "), "{told}");
    assert!(verifier(&pinned[..4]).exits(4).stdout.contains("[level]"));

    // The kept checkpoint lies in the middle of what a node stands for, unless it is told of.
    let (across, aligned) = (scene.text("across.tgz"), scene.text("aligned.tgz"));
    export(&across, &["--job", job_of(&first)]).succeeds();
    export(&aligned, &["--job", job_of(&first), "--since", &rows]).succeeds();
    let since =
        |bundle| verifier(&["--bundle", bundle, "--pubkey", &public, "--level", "1", "--since", &kept]);
    assert!(since(&across).exits(4).stdout.contains("[kept-checkpoint-hidden]"));
    since(&aligned).succeeds();

    let timed = scene.text("timed.tgz");
    let at = third["at"].as_str().unwrap();
    export(&timed, &["--from-time", at, "--to-time", at]).succeeds();
    let (_, text) = content(&timed);
    assert!(text.contains(job_of(&third)) && !text.contains(job_of(&first)));
    verifier(&["--bundle", &timed, "--pubkey", &public, "--level", "1"]).succeeds();
    let day = scene.text("day.tgz");
    export(&day, &["--from-time", &at[..10]]).succeeds();
    verifier(&["--bundle", &day, "--pubkey", &public, "--level", "1"]).succeeds();

    export(&scene.text("x"), &["--job", "01a1fbd4-f8e8-75a1-86c5-d423d4c6fb4f"]).fails(2, "job-unknown");
    export(&scene.text("x"), &["--since", "3"]).fails(2, "argument-invalid");
    export(&scene.text("x"), &["--from-time", "yesterday"]).exits(2);
}
