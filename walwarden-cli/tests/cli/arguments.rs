//! Wrong use ends with 2 before anything is touched; help tells the truth about names.

use std::io::Read as _;
use std::process::Stdio;

use crate::scene::{Scene, verifier};

const HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn help_names_every_command() {
    let help = Scene::empty().run(&["--help"]).succeeds().stdout;
    for command in [
        "init",
        "key",
        "database",
        "backup",
        "restore",
        "evidence",
        "verify",
        "catalog",
        "status",
        "demo",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in:\n{help}");
    }
}

#[test]
fn every_published_flag_of_restore_is_there() {
    let help = Scene::empty().run(&["restore", "--help"]).succeeds().stdout;
    for flag in [
        "--manifest",
        "--from",
        "--target",
        "--mode",
        "--created-database",
        "--confirm-destructive",
        "--jobs",
        "--table",
        "--schema",
        "--schema-only",
        "--data-only",
        "--spool",
        "--no-spool",
        "--pubkey",
        "--no-owner",
        "--no-privileges",
        "--plan",
        "--json",
    ] {
        assert!(help.contains(flag), "{flag} in:\n{help}");
    }
    assert!(help.contains("new_database") && help.contains("in_place"), "{help}");
}

#[test]
fn every_published_flag_of_verify_is_there_in_both_commands() {
    let own = verifier(&["--help"]).succeeds().stdout;
    let shared = Scene::empty().run(&["verify", "--help"]).succeeds().stdout;
    for flag in [
        "--bundle",
        "--pubkey",
        "--fingerprint",
        "--witness",
        "--policy",
        "--since",
        "--tsa-ca",
        "--html",
        "--vsa",
        "--vsa-key",
        "--witness-policy",
        "--level",
        "--json",
    ] {
        assert!(own.contains(flag) && shared.contains(flag), "{flag}");
    }
}

#[test]
fn wrong_use_is_2() {
    let scene = Scene::empty();
    let wrong: [&[&str]; 12] = [
        &[],
        &["frobnicate"],
        &["--frobnicate"],
        &["backup", "run"],
        &["backup", "run", "--dsn", "dbname=x"],
        &["backup", "run", "--to", "file:///x"],
        &["backup", "show", "not-a-uuid"],
        &["restore", "--manifest", HASH, "--target", "dbname=x"],
        &["restore", "--manifest", HASH, "--target", "dbname=x", "--mode", "new-database"],
        &["database", "add", "shop", "--destination", "file:///x"],
        &["database", "add", "No Name", "--dsn", "dbname=x", "--destination", "file:///x"],
        &["verify"],
    ];
    for arguments in wrong {
        assert_eq!(scene.run(arguments).status, Some(2), "{arguments:?}");
    }
    assert!(!scene.path("home").exists());
}

#[test]
fn a_manifest_hash_is_exactly_64_lower_case_hex_digits() {
    let scene = Scene::empty();
    for hash in ["", "abc", &HASH[1..], &format!("{HASH}0"), &HASH.replace('0', "A")] {
        let arguments =
            ["restore", "--manifest", hash, "--target", "dbname=x", "--mode", "new_database", "--json"];
        let ended = scene.run(&arguments).exits(2);
        assert_eq!(ended.records()[0]["error"]["code"], "argument-invalid");
    }
}

#[test]
fn in_place_without_confirmation_is_2_before_anything_else() {
    // Neither home nor key nor server exist: nothing else is looked at first.
    let scene = Scene::empty();
    let target = "host=/nonexistent dbname=x";
    let arguments = ["restore", "--manifest", HASH, "--target", target, "--mode", "in_place"];
    let ended = scene.run(&arguments).fails(2, "confirmation-missing");
    assert_eq!(ended.records()[0]["error"]["exit"], 2);
    assert!(!scene.path("home").exists());
}

#[test]
fn a_created_database_needs_a_plain_name_and_a_new_database() {
    let scene = Scene::empty();
    for name in ["1shop", "sh op", "shöp", "", "-x", &"x".repeat(64)] {
        let name = format!("--created-database={name}");
        let arguments =
            ["restore", "--manifest", HASH, "--target", "dbname=x", "--mode", "new_database", &name];
        assert_eq!(scene.run(&arguments).status, Some(2), "{name}");
    }
    let arguments = [
        "restore",
        "--manifest",
        HASH,
        "--target",
        "dbname=x",
        "--mode",
        "in_place",
        "--confirm-destructive",
        "--created-database",
        "shop",
    ];
    scene.run(&arguments).fails(2, "argument-invalid");
}

#[test]
fn wrong_use_is_told_as_json_where_that_was_asked_for() {
    let ended = Scene::empty().run(&["--json", "frobnicate"]).exits(2);
    let record = &ended.records()[0]["error"];
    assert_eq!(record["code"], "argument-invalid");
    assert!(record["message"].as_str().unwrap().contains("frobnicate"));
}

#[test]
fn a_closed_pipe_is_success() {
    let scene = Scene::empty();
    for arguments in [&["man"][..], &["completions", "zsh"], &["--help"]] {
        let mut child =
            scene.process(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {stderr}");
        assert_eq!(stderr, "");
    }
}

#[test]
fn a_closed_pipe_does_not_hide_a_failure() {
    let scene = Scene::empty();
    let add =
        ["database", "add", "shop", "--dsn", "host=/nonexistent", "--destination", "file:///nonexistent/b"];
    scene.run(&add).succeeds();
    for form in [&["database", "check", "shop"][..], &["--json", "database", "check", "shop"]] {
        let mut process = scene.process(form);
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(2), "{form:?}");
    }
}

#[test]
fn bash_understands_its_completions() {
    let scene = Scene::empty();
    std::fs::write(scene.path("script"), scene.run(&["completions", "bash"]).succeeds().stdout).unwrap();
    let read = std::process::Command::new("bash").arg("-n").arg(scene.path("script")).output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
    assert!(scene.run(&["completions", "--help"]).succeeds().stdout.contains("bash-completion/completions"));
    assert!(scene.run(&["man", "--help"]).succeeds().stdout.contains("man -l -"));
}

#[test]
fn completions_exist_for_every_shell() {
    let scene = Scene::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(scene.run(&["completions", shell]).succeeds().stdout.contains("walwarden"));
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let scene = Scene::empty();
    scene.run(&["man", "--out", &scene.text("pages")]).succeeds();
    for page in ["walwarden.1", "walwarden-backup-run.1", "walwarden-restore.1", "walwarden-database-add.1"] {
        assert!(scene.path("pages").join(page).exists(), "{page}");
    }
}
