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
    let elsewhere = scene.text("elsewhere.pem");
    let ended = scene.walwarden(&["key", "generate"]).env("WALWARDEN_KEY_FILE", &elsewhere).output().unwrap();
    assert!(ended.status.success());
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
fn nothing_configured_is_no_error() {
    let scene = Scene::empty();
    assert!(scene.run(&["status"]).succeeds().stdout.contains("no database is configured"));
    assert!(scene.run(&["backup", "list"]).succeeds().stdout.contains("no backup yet"));
    assert_eq!(scene.json(&["database", "list"])["databases"], serde_json::json!([]));
}
