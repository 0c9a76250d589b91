//! `init` and `key`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::scene::Scene;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_everything_once_and_for_its_owner_only() {
    let scene = Scene::empty();
    let made = scene.json(&["init"]);
    assert_eq!((&made["settingsCreated"], &made["keyCreated"]), (&true.into(), &true.into()));
    let key = fs::read(scene.path("home/signing-key.pem")).unwrap();
    assert_eq!(mode(&scene.path("home")), 0o700);
    assert_eq!(mode(&scene.path("home/walwarden.toml")), 0o600);
    assert_eq!(mode(&scene.path("home/signing-key.pem")), 0o600);

    let kept = scene.json(&["init"]);
    assert_eq!((&kept["settingsCreated"], &kept["keyCreated"]), (&false.into(), &false.into()));
    assert_eq!(kept["keyId"], made["keyId"]);
    assert_eq!(fs::read(scene.path("home/signing-key.pem")).unwrap(), key);
}

#[test]
fn a_key_is_never_overwritten() {
    let scene = Scene::empty();
    scene.run(&["key", "generate"]).succeeds();
    let key = fs::read(scene.path("home/signing-key.pem")).unwrap();
    scene.run(&["key", "generate"]).fails(2, "key-exists");
    assert_eq!(fs::read(scene.path("home/signing-key.pem")).unwrap(), key);
}

#[test]
fn a_key_is_shown_as_openssl_reads_it() {
    let scene = Scene::with_key();
    let pem = scene.run(&["key", "show", "--pem"]).succeeds().stdout;
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
    fs::write(scene.path("public.pem"), &pem).unwrap();
    let private = scene.text("home/signing-key.pem");
    let ours = std::process::Command::new("openssl").args(["pkey", "-pubout", "-in", &private]).output();
    if let Ok(theirs) = ours {
        assert_eq!(String::from_utf8(theirs.stdout).unwrap(), pem);
    } else {
        panic!("openssl is needed for this test");
    }
    let shown = scene.json(&["key", "show"]);
    assert_eq!(shown["publicKey"], pem);
    assert!(shown["keyId"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn the_private_key_shows_nowhere() {
    let scene = Scene::with_key();
    let private = fs::read_to_string(scene.path("home/signing-key.pem")).unwrap();
    let secret = private.lines().nth(1).unwrap().to_owned();
    for arguments in [&["key", "show"][..], &["--json", "key", "show"], &["-vvv", "init"]] {
        let ended = scene.run(arguments).succeeds();
        assert!(!ended.stdout.contains(&secret) && !ended.stderr.contains(&secret));
    }
}

#[test]
fn bad_key_files_are_told_apart() {
    let scene = Scene::with_key();
    let key = scene.path("home/signing-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    scene.run(&["key", "show"]).fails(2, "key-exposed");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    scene.run(&["key", "show"]).fails(2, "key-invalid");
    fs::remove_file(&key).unwrap();
    scene.run(&["key", "show"]).fails(2, "key-missing");
}

#[test]
fn the_key_file_may_lie_elsewhere() {
    let scene = Scene::empty();
    let mut generate = scene.walwarden(&["key", "generate"]);
    // Relative to the working directory, as everything that is typed.
    let generate = generate.current_dir(scene.path("")).env("WALWARDEN_KEY_FILE", "elsewhere.pem");
    assert!(generate.output().unwrap().status.success());
    assert!(scene.path("elsewhere.pem").exists() && !scene.path("home/signing-key.pem").exists());
}

#[test]
fn the_home_flag_comes_before_the_variable() {
    let scene = Scene::empty();
    scene.run(&["init", "--home", &scene.text("other")]).succeeds();
    assert!(scene.path("other/walwarden.toml").exists() && !scene.path("home").exists());
}

#[test]
fn a_settings_error_names_the_line() {
    let scene = Scene::empty();
    fs::create_dir(scene.path("home")).unwrap();
    fs::write(scene.path("home/walwarden.toml"), "org = \"acme\"\nkeyfile = \"x\"\n").unwrap();
    let ended = scene.run(&["status"]).fails(2, "settings-invalid");
    assert!(ended.stderr.contains("line 2: `keyfile` is not known"), "{}", ended.stderr);
}

#[test]
fn a_wrong_variable_is_named() {
    let scene = Scene::empty();
    let mut status = scene.walwarden(&["status"]);
    let ended = crate::scene::ended(status.env("WALWARDEN_ORG", "No Spaces")).fails(2, "settings-invalid");
    assert!(
        ended.stderr.contains("WALWARDEN_ORG") && ended.stderr.contains("named variable"),
        "{}",
        ended.stderr
    );
}

#[test]
fn nothing_configured_is_no_error() {
    let scene = Scene::empty();
    assert!(scene.run(&["status"]).succeeds().stdout.contains("no database is configured"));
    assert!(scene.run(&["backup", "list"]).succeeds().stdout.contains("no backup yet"));
    assert_eq!(scene.json(&["database", "list"])["databases"], serde_json::json!([]));
}

#[test]
fn a_catalogue_that_is_none_is_told_as_such() {
    let scene = Scene::with_key();
    fs::write(
        scene.path("home/catalog.sqlite"),
        "this is no SQLite file, and long enough to have a header: ".repeat(20),
    )
    .unwrap();
    scene.run(&["status"]).fails(3, "catalog-corrupt");
}

#[test]
fn a_home_that_is_a_file_is_refused() {
    let scene = Scene::empty();
    fs::write(scene.path("home"), "x").unwrap();
    scene.run(&["key", "generate"]).exits(2);
    assert_eq!(fs::read(scene.path("home")).unwrap(), b"x");
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let scene = Scene::with_key();
    let mut process = scene.process(&["key", "show"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(process.stdout(full).stderr(std::process::Stdio::null()).status().unwrap().code(), Some(2));
}
