//! The settings file under several hands, and under other users' eyes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::scene::Scene;

const DSN: &str = "postgres://backup:hunter2@db.example.com/shop";

#[test]
fn databases_added_at_the_same_time_are_all_there() {
    let scene = Scene::empty();
    scene.run(&["init"]).succeeds();
    let names: Vec<String> = (0..12).map(|number| format!("db-{number:02}")).collect();
    let adding: Vec<_> = names
        .iter()
        .map(|name| {
            let arguments = ["database", "add", name, "--dsn", "dbname=x", "--destination", "file:///b"];
            scene.process(&arguments).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap()
        })
        .collect();
    for mut child in adding {
        assert!(child.wait().unwrap().success());
    }
    let listed = scene.json(&["database", "list"]);
    let mut found: Vec<&str> = listed["databases"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|database| database["name"].as_str())
        .collect();
    found.sort_unstable();
    assert_eq!(found, names);
}

#[test]
fn a_password_that_others_can_read_is_warned_of() {
    let scene = Scene::empty();
    let file = scene.path("home/walwarden.toml");
    let open_up = || fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    scene.run(&["database", "add", "plain", "--dsn", "dbname=x", "--destination", "file:///b"]).succeeds();
    open_up();
    assert!(!scene.run(&["status"]).succeeds().stderr.contains("warning"));

    let added =
        scene.run(&["database", "add", "shop", "--dsn", DSN, "--destination", "file:///b"]).succeeds();
    assert!(
        added.stderr.starts_with("warning: the password now stands in the settings file"),
        "{}",
        added.stderr
    );
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!scene.run(&["status"]).succeeds().stderr.contains("warning"));
    open_up();
    let warned = scene.run(&["status"]).succeeds().stderr;
    assert!(warned.starts_with("warning: other users can read the passwords in "), "{warned}");
    assert!(!warned.contains("hunter2"));
}

#[test]
fn a_settings_file_that_is_a_link_stays_one() {
    let scene = Scene::empty();
    fs::create_dir(scene.path("home")).unwrap();
    fs::write(scene.path("real.toml"), "org = \"acme\"\n").unwrap();
    std::os::unix::fs::symlink(scene.path("real.toml"), scene.path("home/walwarden.toml")).unwrap();
    scene.run(&["database", "add", "shop", "--dsn", "dbname=x", "--destination", "file:///b"]).succeeds();
    assert!(fs::symlink_metadata(scene.path("home/walwarden.toml")).unwrap().is_symlink());
    assert!(fs::read_to_string(scene.path("real.toml")).unwrap().contains("[database.shop]"));
}
