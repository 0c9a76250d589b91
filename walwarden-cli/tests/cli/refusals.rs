//! What goes wrong with real servers and stores, and how the commands say so.

use std::fs;

use crate::scene::{Scene, files_below};
use crate::shop::{Shop, assert_no_password};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_2_and_shows_nowhere() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let dsn = shop.server.dsn_as("postgres", "wrong-hunter2", &shop.name);
    let ended = scene.run(&["backup", "run", "--dsn", &dsn, "--to", &scene.destination()]);
    let ended = ended.fails(2, "source-login-refused");
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"));
    let last = ended.records().pop().unwrap();
    assert_eq!(last["error"]["code"], "source-login-refused");
    assert_eq!(last["error"]["exit"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_dump_is_3_and_the_target_stays_as_it_is() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let manifest = completed["payload"]["manifestSha256"].as_str().unwrap();
    let dump = files_below(&scene.path("backups"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "dump"));
    let dump = dump.unwrap();
    let mut bytes = fs::read(&dump).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&dump).unwrap();
    fs::write(&dump, bytes).unwrap();

    shop.server.sql(&shop.name, "DELETE FROM orders WHERE id > 1000").await;
    let restore = [
        "restore",
        "--manifest",
        manifest,
        "--target",
        &shop.dsn,
        "--mode",
        "in_place",
        "--confirm-destructive",
    ];
    let ended = scene.run(&restore).fails(3, "artifact-mismatch");
    assert_eq!(shop.orders_in(&shop.name).await, 1000);
    assert_eq!(ended.states().last().map(String::as_str), Some("failed_terminal"));
    assert_no_password(&ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_manifests_and_databases_are_2() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let hash = "0".repeat(64);
    let (target, from) = (shop.target(), scene.destination());
    let restore = ["restore", "--manifest", &hash, "--target", &target, "--mode", "new_database"];
    scene.run(&restore).fails(2, "manifest-missing");
    scene.run(&[&restore[..], &["--from", &from]].concat()).fails(2, "manifest-missing");
    scene.run(&["backup", "run", "--database", "other"]).fails(2, "database-unknown");
    scene.run(&["backup", "show", "01a1fc7b-54b2-711f-b73f-dce40f8e38eb"]).fails(2, "job-unknown");
    scene
        .run(&["evidence", "export", "--database", "shop", "--out", &scene.text("x")])
        .fails(2, "database-unknown");
    assert!(!scene.path("x").exists());
    let gone = shop.server.dsn("no_such_database");
    scene.run(&["backup", "run", "--dsn", &gone, "--to", &from]).fails(2, "source-database-missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_target_is_2() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let manifest = completed["payload"]["manifestSha256"].as_str().unwrap();
    let target = "postgres://u@127.0.0.1:1/postgres?connect_timeout=2";
    let restore = ["restore", "--manifest", manifest, "--target", target, "--mode", "new_database"];
    scene.run(&restore).fails(2, "target-unreachable");
    let target = shop.server.dsn("no_such_database");
    let restore = ["restore", "--manifest", manifest, "--target", &target, "--mode", "new_database"];
    let missing = scene.run(&restore).fails(2, "target-missing");
    assert!(missing.stderr.contains("customarily `postgres`"), "{}", missing.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_source_is_tried_again_and_then_1() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let dsn = "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=2";
    let ended = scene.run(&["backup", "run", "--dsn", dsn, "--to", &scene.destination()]);
    let ended = ended.fails(1, "source-unreachable");
    let states = ended.states();
    assert_eq!(states.iter().filter(|state| *state == "failed_retryable").count(), 2, "{states:?}");
    assert_eq!(states.last().map(String::as_str), Some("failed_terminal"));
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"));
    assert_eq!(ended.records().pop().unwrap()["error"]["retryable"], true);
    assert_eq!(ended.stderr.matches("refused").count(), 3, "each try tells its cause: {}", ended.stderr);
    let listed = scene.run(&["backup", "list"]).succeeds().stdout;
    assert!(listed.contains("failed_terminal") && listed.contains("source-unreachable"), "{listed}");
}

#[test]
fn what_is_wrong_from_the_start_queues_nothing() {
    let scene = crate::scene::Scene::with_key();
    let (to, nowhere) = (scene.destination(), scene.text("empty"));
    fs::create_dir(&nowhere).unwrap();
    let run = |more: &[&str]| {
        let arguments = [&["backup", "run", "--dsn", "host=/nonexistent dbname=x"], more].concat();
        let mut command = scene.walwarden(&arguments);
        crate::scene::ended(&mut command)
    };
    run(&["--to", &to, "--compression", "zstd:99"]).fails(2, "argument-invalid");
    run(&["--to", &to, "--compression", "gzip:0"]).fails(2, "argument-invalid");
    run(&["--to", "s3://"]).fails(2, "destination-invalid");
    run(&["--to", "ftp://host/x"]).fails(2, "destination-invalid");
    scene.run(&["backup", "run", "--database", "unknown"]).fails(2, "database-unknown");
    fs::rename(scene.path("home/signing-key.pem"), scene.path("key.pem")).unwrap();
    run(&["--to", &to]).fails(2, "key-missing");
    fs::rename(scene.path("key.pem"), scene.path("home/signing-key.pem")).unwrap();
    assert_eq!(scene.json(&["backup", "list"])["backups"], serde_json::json!([]));
    assert!(files_below(&scene.path("backups")).is_empty());
}

#[test]
fn reading_from_a_mistyped_folder_is_storage_missing_and_makes_none() {
    let scene = Scene::with_key();
    let typo = scene.path("backsup");
    let url = format!("file://{}", typo.display());
    scene.run(&["catalog", "rebuild", "--from", &url]).fails(3, "storage-missing");
    assert!(!typo.exists());
}
