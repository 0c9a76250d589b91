//! `walwarden archive`, `backup contents` and `backup diff`, judged by `pg_restore`, `jq` and each other.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use walwarden_testkit::postgres::bin_dir;

use crate::scene::{Ended, Scene, files_below};
use crate::shop::Shop;

/// A configured shop with one backup.
async fn backed_up() -> (Shop, Scene, String) {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let hash = backup(&scene);
    (shop, scene, hash)
}

fn backup(scene: &Scene) -> String {
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    completed["payload"]["manifestSha256"].as_str().unwrap().to_owned()
}

fn stored(scene: &Scene, ending: &str) -> PathBuf {
    let files = files_below(&scene.path("backups"));
    files.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).unwrap()
}

/// As SQL, but for the random word that newer versions begin and end with.
fn as_sql(archive: &std::path::Path) -> String {
    let output =
        Command::new(bin_dir(18).join("pg_restore")).args(["-f", "-"]).arg(archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_and_diff_tell_tables_rows_and_changes_without_the_dump() {
    let (shop, scene, before) = backed_up().await;
    shop.server.sql(&shop.name, "DELETE FROM orders WHERE id = 7; CREATE TABLE notes AS SELECT 1 AS n").await;
    let after = backup(&scene);
    // Neither command reads a dump.
    for dump in files_below(&scene.path("backups")) {
        if dump.to_string_lossy().ends_with(".dump") {
            fs::write(dump, "gone").unwrap();
        }
    }
    let contents = scene.json(&["backup", "contents", &before]);
    let rows = |table: &Value| (table["name"].as_str().unwrap().to_owned(), table["rows"].as_u64().unwrap());
    let tables: Vec<_> = contents["tables"].as_array().unwrap().iter().map(rows).collect();
    assert_eq!(tables, [("customers".to_owned(), 100), ("orders".to_owned(), 2000)]);
    assert!(scene.run(&["backup", "contents", &before]).succeeds().stdout.contains("2000 rows"));

    let diff = scene.json(&["backup", "diff", &before, &after]);
    assert_eq!(
        diff,
        json!({ "same": 1, "changes": [
            { "table": "public.notes", "change": "added", "rowsBefore": null, "rowsAfter": 1 },
            { "table": "public.orders", "change": "changed", "rowsBefore": 2000, "rowsAfter": 1999 },
        ] })
    );
    assert!(
        scene
            .run(&["backup", "diff", &before, &before])
            .succeeds()
            .stdout
            .contains("0 tables changed, 2 the same")
    );

    let index = stored(&scene, ".index.json");
    let altered = fs::read_to_string(&index).unwrap().replace("orders", "0rders");
    fs::write(&index, altered).unwrap();
    let both = [scene.run(&["backup", "contents", &before]), scene.run(&["backup", "contents", &after])];
    let [altered] =
        both.into_iter().filter(|ended| ended.status != Some(0)).collect::<Vec<Ended>>().try_into().unwrap();
    altered.fails(3, "artifact-mismatch");
    scene.run(&["backup", "contents", &"0".repeat(64)]).fails(2, "manifest-missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn archive_commands_work_with_any_archive_and_pg_restore_reads_what_they_write() {
    let (shop, scene, _) = backed_up().await;
    let dump = stored(&scene, ".dump");
    let ours = dump.to_str().unwrap();
    let foreign = scene.text("foreign.dump");
    let made = Command::new(bin_dir(17).join("pg_dump"))
        .args(["-Fc", "-d", &shop.dsn, "-f", &foreign])
        .stderr(Stdio::null())
        .status();
    assert!(made.unwrap().success());
    let bare = Scene::empty(); // no key, no settings

    let inspected = bare.json(&["archive", "inspect", ours]);
    assert_eq!((&inspected["compression"], &inspected["archiveVersion"]), (&json!("zstd"), &json!("1.16")));
    assert_eq!(bare.json(&["archive", "inspect", &foreign])["compression"], "gzip");
    assert!(bare.run(&["archive", "inspect", &foreign]).succeeds().stdout.contains("TABLE DATA"));

    let index = stored(&scene, ".index.json");
    let matches = bare.run(&["archive", "verify", ours, "--index", index.to_str().unwrap()]).succeeds();
    assert!(matches.stdout.contains("every byte"), "{}", matches.stdout);
    bare.run(&["archive", "verify", &foreign]).succeeds();
    bare.run(&["archive", "verify", &foreign, "--index", index.to_str().unwrap()])
        .fails(3, "archive-mismatch");

    let made = bare.text("made.json");
    bare.run(&["archive", "index", &foreign, "--out", &made]).succeeds();
    bare.run(&["archive", "verify", &foreign, "--index", &made]).succeeds();
    bare.run(&["archive", "index", &foreign, "--out", &made]).fails(2, "file-failed");
    let printed = bare.run(&["archive", "index", &foreign]).succeeds();
    assert_eq!(printed.stdout, fs::read_to_string(&made).unwrap());

    for compression in ["none", "gzip:1", "lz4", "zstd:9"] {
        let copy = bare.text(&format!("{compression}.dump"));
        bare.run(&["archive", "transcode", &foreign, "--compression", compression, "--out", &copy])
            .succeeds();
        assert_eq!(as_sql(copy.as_ref()), as_sql(foreign.as_ref()), "{compression}");
    }
    let folder = bare.text("exploded");
    bare.run(&["archive", "explode", ours, "--out", &folder]).succeeds();
    assert_eq!(as_sql(folder.as_ref()), as_sql(&dump));
    bare.run(&["archive", "explode", ours, "--out", &folder]).fails(2, "file-failed");

    let mut piped = bare.walwarden(&["archive", "verify", "-"]);
    crate::scene::ended(piped.pipe_stdin(&foreign).unwrap()).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_archives_are_refused_and_leave_nothing() {
    let (_shop, scene, _) = backed_up().await;
    let mut bytes = fs::read(stored(&scene, ".dump")).unwrap();
    let cut = scene.text("cut.dump");
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let middle = bytes.len() - 200;
    bytes[middle] ^= 1;
    let flipped = scene.text("flipped.dump");
    fs::write(&flipped, &bytes).unwrap();
    let copy = scene.text("copy.dump");
    for damaged in [cut.as_str(), &flipped] {
        scene.run(&["archive", "verify", damaged]).fails(3, "archive-invalid");
        scene.run(&["archive", "index", damaged, "--out", &copy]).fails(3, "archive-invalid");
        scene
            .run(&["archive", "transcode", damaged, "--compression", "gzip", "--out", &copy])
            .fails(3, "archive-invalid");
        scene.run(&["archive", "explode", damaged, "--out", &copy]).fails(3, "archive-invalid");
        assert!(!scene.path("copy.dump").exists());
    }
    let index = stored(&scene, ".index.json");
    let ended = scene.run(&["archive", "verify", &flipped, "--index", index.to_str().unwrap()]);
    assert!(ended.fails(3, "archive-mismatch").stdout.contains("chunk 0"));
    scene.run(&["archive", "inspect", "/dev/null"]).fails(3, "archive-invalid");
    scene.run(&["archive", "inspect", "/no/such/file"]).fails(2, "file-failed");
    scene
        .run(&["archive", "transcode", &cut, "--compression", "brotli", "--out", &copy])
        .fails(2, "argument-invalid");
}
