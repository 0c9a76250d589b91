//! Passwords of connection strings: where they come from, and where they never go.

use crate::scene::{Scene, ended};
use crate::shop::{Shop, assert_no_password};

const DSN: &str = "postgres://backup:hunter2@db.example.com/shop";
const HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn wrong_use_does_not_repeat_a_connection_string() {
    let scene = Scene::empty();
    let attached = format!("--dns={DSN}");
    let pairs = "host=h user=u password=hunter2";
    let wrong: [&[&str]; 11] = [
        &["backup", "run", DSN],
        &["backup", "run", "--dsn", DSN, "--too", "file:///b"],
        &["backup", "run", &attached, "--to", "file:///b"],
        &["backup", "run", "--database", DSN],
        &["backup", "run", "--dsn-env", DSN, "--to", "file:///b"],
        &["backup", "run", "--dsn", "x=y", "--to", "file:///b", pairs],
        &["restore", "--manifest", DSN, "--target", "dbname=x", "--mode", "new_database"],
        &["restore", "--manifest", HASH, "--target", DSN, "--mode", "sideways"],
        &["restore", "--manifest", HASH, "--target-env", DSN, "--mode", "new_database"],
        &["database", "add", DSN, "--destination", "file:///b"],
        &["database", "add", "shop", "--dsn-env", pairs, "--destination", "file:///b"],
    ];
    for arguments in wrong {
        for arguments in [arguments.to_vec(), [&["--json"], arguments].concat()] {
            let ended = scene.run(&arguments).exits(2);
            assert!(!ended.stdout.contains("hunter2"), "{}", ended.stdout);
            assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
        }
    }
}

#[test]
fn a_malformed_connection_string_is_not_repeated() {
    let scene = Scene::with_key();
    let destination = scene.destination();
    for dsn in [
        "postgres://u:hunter2@h:port/x",
        "postgres://u:12/hunter2?x=y@h/x",
        "postgres://u:1/a?hunter2=1@h/x",
        "postgres://u@h/x?sslmode=hunter2",
        "postgres://u:a@h/x?hunter2=1",
        "host=h password=my hunter2 dbname=x",
        "host=h password=my hunter2=1",
        "host=h password='hunter2",
        "mysql://u:hunter2@h/x",
        "hunter2",
        "postgres://u:%zzhunter2@h/x",
    ] {
        for (dsn, via_env) in [(dsn, false), (dsn, true)] {
            let flag = if via_env { ["--dsn-env", "SHOP"] } else { ["--dsn", dsn] };
            let arguments = [&["backup", "run"], &flag[..], &["--to", &destination]].concat();
            let ended = ended(scene.walwarden(&arguments).env("SHOP", dsn)).fails(2, "dsn-invalid");
            assert!(!ended.stdout.contains("hunter2"), "{dsn}: {}", ended.stdout);
            assert!(!ended.stderr.contains("hunter2"), "{dsn}: {}", ended.stderr);
        }
    }
}

#[test]
fn help_says_how_to_keep_a_password_out_of_the_arguments() {
    let scene = Scene::empty();
    assert!(scene.run(&["--help"]).succeeds().stdout.contains("--dsn-env and --target-env"));
    assert!(scene.run(&["backup", "run", "--help"]).succeeds().stdout.contains("--dsn-env <VARIABLE>"));
    assert!(scene.run(&["restore", "--help"]).succeeds().stdout.contains("--target-env <VARIABLE>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_string_may_come_from_the_environment() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let (to, target) = (scene.destination(), shop.target());
    let run = ["backup", "run", "--database", "other", "--dsn-env", "SHOP", "--to", &to];
    let quiet = ended(scene.walwarden(&run).env("SHOP", &shop.dsn)).succeeds();
    assert!(!quiet.stderr.contains("warning"), "{}", quiet.stderr);
    scene.run(&run).fails(2, "argument-invalid");

    let last = quiet.records().pop().unwrap();
    let manifest = last["payload"]["manifestSha256"].as_str().unwrap();
    let copy = format!("{}_env", shop.name);
    let restore = |target: [&str; 2]| {
        let options = ["--mode", "new_database", "--created-database", &copy, "--from", &to];
        let arguments = [&["restore", "--manifest", manifest], &target[..], &options].concat();
        ended(scene.walwarden(&arguments).env("TARGET", shop.target()))
    };
    let restored = restore(["--target-env", "TARGET"]).succeeds();
    assert!(!restored.stderr.contains("warning"), "{}", restored.stderr);
    let again = restore(["--target", &target]).fails(2, "target-exists");
    assert!(again.stderr.contains("--target-env"), "{}", again.stderr);
    assert_no_password(&again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_among_the_arguments_works_and_is_warned_of_in_one_line() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let done = scene.run(&["backup", "run", "--dsn", &shop.dsn, "--to", &scene.destination()]).succeeds();
    let warnings: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{}", done.stderr);
    assert!(warnings[0].contains("--dsn-env"), "{}", warnings[0]);
    assert_no_password(&done.stderr);
}
