//! `database add|list|show|remove`.

use std::fs;

use serde_json::json;

use crate::scene::Scene;

const DSN: &str = "postgres://backup:hunter2@db.example.com/shop?sslmode=require";

#[test]
fn what_is_added_is_listed_shown_and_removed() {
    let scene = Scene::empty();
    let add = [
        "database",
        "add",
        "shop",
        "--dsn",
        DSN,
        "--destination",
        "s3://bucket/path",
        "--compression",
        "zstd:9",
        "--schema",
        "public",
        "--exclude-table",
        "tmp_*",
        "--exclude-table-data",
        "public.sessions",
        "--exclude-table-data",
        "jobs",
        "--no-owner",
        "--lock-timeout",
        "30",
        "--jobs",
        "3",
        "--globals",
    ];
    scene.run(&add).succeeds();
    let shown = scene.json(&["database", "show", "shop"]);
    assert_eq!(shown["destination"], "s3://bucket/path");
    assert_eq!(
        shown["dump"],
        json!({
            "compression": "zstd:9", "schemas": ["public"], "excludeSchemas": [], "tables": [],
            "excludeTables": ["tmp_*"], "excludeTableData": ["public.sessions", "jobs"], "noOwner": true,
            "noPrivileges": false, "lockTimeoutSeconds": 30, "jobs": 3, "globals": true,
        })
    );
    assert_eq!(scene.json(&["database", "list"])["databases"][0]["name"], "shop");
    scene.run(&add).fails(2, "database-exists");
    scene.run(&["database", "remove", "shop"]).succeeds();
    scene.run(&["database", "show", "shop"]).fails(2, "database-unknown");
    scene.run(&["database", "remove", "shop"]).fails(2, "database-unknown");
}

#[test]
fn comments_of_the_settings_file_survive() {
    let scene = Scene::empty();
    scene.run(&["init"]).succeeds();
    let path = scene.path("home/walwarden.toml");
    let mine = format!("# mine\n{}", fs::read_to_string(&path).unwrap());
    fs::write(&path, &mine).unwrap();
    scene.run(&["database", "add", "shop", "--dsn", DSN, "--destination", "file:///b"]).succeeds();
    assert!(fs::read_to_string(&path).unwrap().contains("# mine\n"));
    scene.run(&["database", "remove", "shop"]).succeeds();
    assert_eq!(fs::read_to_string(&path).unwrap().trim_end(), mine.trim_end());
}

#[test]
fn passwords_are_stored_but_never_shown() {
    let scene = Scene::empty();
    scene.run(&["database", "add", "shop", "--dsn", DSN, "--destination", "file:///b"]).succeeds();
    assert!(fs::read_to_string(scene.path("home/walwarden.toml")).unwrap().contains("hunter2"));
    for arguments in [
        &["database", "list"][..],
        &["database", "show", "shop"],
        &["--json", "database", "show", "shop"],
        &["-vvv", "status"],
        &["--json", "status"],
    ] {
        let ended = scene.run(arguments).succeeds();
        assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_refused_without_showing_it() {
    let scene = Scene::empty();
    let add = |dsn: &str, destination: &str| {
        scene.run(&["database", "add", "shop", "--dsn", dsn, "--destination", destination])
    };
    let dsn = add("postgres://u:hunter2@h:port/x", "file:///b").fails(2, "dsn-invalid");
    assert!(!dsn.stderr.contains("hunter2"), "{}", dsn.stderr);
    let destination = add("dbname=x", "s3://key:hunter2@bucket").fails(2, "destination-invalid");
    assert!(!destination.stderr.contains("hunter2"), "{}", destination.stderr);
    add("dbname=x", "ftp://host").fails(2, "destination-invalid");
    let arguments = ["database", "add", "shop", "--dsn", "dbname=x", "--destination", "file:///b"];
    scene.run(&[&arguments[..], &["--compression", "brotli"]].concat()).fails(2, "argument-invalid");
    assert!(!scene.path("home/walwarden.toml").exists());
}

#[test]
fn the_dsn_may_stay_in_the_environment() {
    let scene = Scene::with_key();
    let destination = scene.destination();
    scene.run(&["database", "add", "shop", "--dsn-env", "SHOP", "--destination", &destination]).succeeds();
    assert_eq!(scene.json(&["database", "show", "shop"])["source"], "from $SHOP");
    let unset = scene.run(&["backup", "run", "--database", "shop"]).fails(2, "argument-invalid");
    assert!(unset.stderr.contains("name=SHOP"), "{}", unset.stderr);
    assert_eq!(
        scene
            .run(&["database", "add", "x", "--dsn", "dbname=x", "--dsn-env", "X", "--destination", "/b"])
            .status,
        Some(2)
    );
}

#[test]
fn check_tells_everything_at_once() {
    let scene = Scene::empty();
    let dsn = "postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=2";
    let missing = format!("file://{}", scene.text("no/such/folder"));
    scene.run(&["database", "add", "shop", "--dsn", dsn, "--destination", &missing]).succeeds();
    let ended = scene.run(&["--json", "database", "check", "shop"]).exits(2);
    let data = &ended.records()[0]["data"];
    assert_eq!(data["ready"], false);
    let codes: Vec<&str> =
        data["findings"].as_array().unwrap().iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert_eq!(codes, ["key-missing", "source-unreachable", "storage-missing"]);
    assert!(data["findings"].as_array().unwrap().iter().all(|finding| finding["whatToDo"].is_string()));
    assert!(!ended.stdout.contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_may_stay_in_a_file() {
    let shop = crate::shop::Shop::open().await;
    let scene = shop.configured();
    let port = shop.server.port();
    let dsn = format!("postgres://postgres@127.0.0.1:{port}/{}", shop.name);
    fs::write(scene.path("secret"), format!("{}\n", walwarden_testkit::postgres::PASSWORD)).unwrap();
    let add = ["database", "add", "filed", "--dsn", &dsn, "--destination", "/b", "--password-file", "secret"];
    assert!(scene.walwarden(&add).current_dir(scene.path("")).output().unwrap().status.success());
    let to = scene.destination();
    let settings = fs::read_to_string(scene.path("home/walwarden.toml")).unwrap();
    fs::write(scene.path("home/walwarden.toml"), settings.replace("file:///b", &to)).unwrap();
    let run = ["backup", "run", "--database", "filed"];
    // Others may read it: told, as of libpq's own password file.
    let warning = "others may read the password file";
    for (mode, is_told) in [(0o640, true), (0o604, true), (0o600, false)] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(scene.path("secret"), permissions).unwrap();
        let ended = scene.run(&run).succeeds();
        assert_eq!(ended.stderr.contains(warning), is_told, "{mode:o}: {}", ended.stderr);
    }
    fs::remove_file(scene.path("secret")).unwrap();
    scene.run(&["backup", "run", "--database", "filed"]).fails(2, "file-failed");
}
