//! The main job, command by command, against a real server.

use std::fs;

use crate::scene::{Scene, verifier};
use crate::shop::{Shop, assert_no_password};

const BACKUP_STATES: [&str; 5] = ["queued", "claimed", "running", "finalizing", "completed"];
const RESTORE_STATES: [&str; 8] = [
    "triggered",
    "claimed",
    "downloading",
    "verifying",
    "manifest_verified",
    "restoring",
    "finalizing",
    "completed",
];

/// Backs up and returns the manifest's hash.
fn back_up(scene: &Scene) -> String {
    let ended = scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    assert_eq!(ended.states(), BACKUP_STATES);
    let last = ended.records().pop().unwrap();
    last["payload"]["manifestSha256"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_check_to_status() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let check = scene.json(&["database", "check", "shop"]);
    assert_eq!(check["ready"], true, "{check}");

    let ended = scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    assert_eq!(ended.states(), BACKUP_STATES);
    for record in ended.records() {
        let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["at", "payload", "state"]);
        assert!(record["payload"]["jobId"].is_string());
    }
    let completed = ended.records().pop().unwrap()["payload"].take();

    let job = completed["jobId"].as_str().unwrap();
    let shown = scene.json(&["backup", "status", job]);
    assert_eq!(shown["state"], "completed");
    assert_eq!(shown["artifact"]["checksumSha256"], completed["checksumSha256"]);
    assert_eq!(shown["manifest"]["sha256"], completed["manifestSha256"]);
    let listed = scene.json(&["backup", "list", "--database", "shop"]);
    assert_eq!(listed["backups"][0]["id"], job);
    assert_eq!(scene.json(&["backup", "list", "--database", "other"])["backups"], serde_json::json!([]));

    let status = scene.json(&["status"]);
    let database = &status["databases"][0];
    assert_eq!(database["lastBackup"]["id"], job);
    assert_eq!(database["rpoMinutes"], 1);
    assert_eq!(database["chain"]["mirroredThrough"], database["chain"]["seq"]);
    let text = scene.run(&["status"]).succeeds().stdout;
    assert!(text.contains("you would lose at most 0m 0"), "{text}");
    for output in [&ended.stdout, &ended.stderr, &text] {
        assert_no_password(output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_into_a_new_database_and_in_place() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let manifest = back_up(&scene);
    let copy = format!("{}_copy", shop.name);
    let target = shop.target();
    let into_new = [
        "restore",
        "--manifest",
        &manifest,
        "--target",
        &target,
        "--mode",
        "new_database",
        "--created-database",
        &copy,
    ];

    let plan = scene.run(&[&into_new[..], &["--plan", "--json"]].concat()).succeeds();
    assert_eq!(plan.records()[0]["data"]["plan"]["database"], copy.as_str());
    assert!(!shop.has_database(&copy).await, "a plan changes nothing");

    let restored = scene.run(&into_new).succeeds();
    assert_eq!(restored.states(), RESTORE_STATES);
    assert_eq!(shop.orders_in(&copy).await, 2000);
    scene.run(&into_new).fails(2, "target-exists");

    shop.server.sql(&copy, "DELETE FROM orders; CREATE TABLE orders_2 (id int)").await;
    let dsn = shop.server.dsn(&copy);
    let in_place =
        ["restore", "--manifest", &manifest, "--target", &dsn, "--mode", "in_place", "--confirm-destructive"];
    let replaced = scene.run(&in_place).succeeds();
    assert_eq!(replaced.states(), RESTORE_STATES);
    assert_eq!(shop.orders_in(&copy).await, 2000);
    let status = scene.json(&["status"]);
    let chain = &status["databases"][0]["chain"];
    assert_eq!(chain["mirroredThrough"], chain["seq"], "a restore's rows go where the backups go");
    for output in [&plan.stdout, &restored.stdout, &restored.stderr, &replaced.stdout, &replaced.stderr] {
        assert_no_password(output);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_table_or_the_definitions_alone_are_restored() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let manifest = back_up(&scene);
    let target = shop.target();
    let restore = |name: &str, options: &[&str]| {
        let fixed = ["restore", "--manifest", &manifest, "--target", &target, "--mode", "new_database"];
        scene.run(&[&fixed, &["--created-database", name][..], options].concat())
    };
    let (table, definitions) = (format!("{}_table", shop.name), format!("{}_definitions", shop.name));

    let plan = restore(&table, &["--table", "public.orders", "--no-spool", "--plan", "--json"]).succeeds();
    let told = &plan.records()[0]["data"]["plan"];
    assert_eq!(
        (&told["scope"], &told["selects"], &told["spools"]),
        (&"all".into(), &true.into(), &false.into())
    );
    let ended = restore(&table, &["--table", "public.orders", "--no-spool", "--check", "digests"]).succeeds();
    assert_eq!(ended.states(), RESTORE_STATES);
    let checked = ended.records().pop().unwrap()["checkedTables"].take();
    assert_eq!(checked.as_array().unwrap().len(), 1, "{checked}");
    assert_eq!(shop.orders_in(&table).await, 2000);

    restore(&definitions, &["--schema", "public", "--schema-only", "--jobs", "2"]).succeeds();
    assert_eq!(shop.orders_in(&definitions).await, 0);

    let spool = scene.path("verified");
    fs::create_dir(&spool).unwrap();
    let spooled = restore(&format!("{table}_2"), &["--spool", spool.to_str().unwrap(), "--plan", "--json"]);
    assert_eq!(spooled.succeeds().records()[0]["data"]["plan"]["spools"], true);

    let unknown = restore("nothing", &["--table", "public.order"]).fails(2, "argument-invalid");
    assert!(unknown.stderr.contains("table public.order"), "{}", unknown.stderr);
    restore("nothing", &["--data-only"]).fails(2, "argument-invalid");
    restore("nothing", &["--data-only", "--schema-only"]).exits(2);
    restore("nothing", &["--table", "a.b.c"]).exits(2);
    assert!(!shop.has_database("nothing").await);

    let dsn = shop.server.dsn(&table);
    let in_place =
        ["restore", "--manifest", &manifest, "--target", &dsn, "--mode", "in_place", "--confirm-destructive"];
    scene.run(&[&in_place[..], &["--no-spool"]].concat()).fails(2, "argument-invalid");
    shop.server.sql(&table, "TRUNCATE orders").await;
    scene.run(&[&in_place[..], &["--table", "orders", "--data-only"]].concat()).succeeds();
    assert_eq!(shop.orders_in(&table).await, 2000);
}

/// A disk that is not mounted: its folder is not there, and must not be made on the disk beneath.
#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_backups_went_to_is_not_made_anew() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let (folder, aside) = (scene.path("backups"), scene.path("unmounted"));
    fs::remove_dir(&folder).unwrap();
    back_up(&scene); // the first makes it
    fs::rename(&folder, &aside).unwrap();

    let refused = scene.run(&["backup", "run", "--database", "shop"]).fails(3, "storage-missing");
    assert!(refused.stderr.contains("is its disk mounted"), "{}", refused.stderr);
    scene.run(&["database", "check", "shop"]).exits(3);
    assert!(!folder.exists());

    fs::create_dir(&folder).unwrap(); // by the owner, or as a mount point
    let ended = scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    assert!(ended.stderr.contains("is it mounted"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_installation_restores_with_the_public_key_alone() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let manifest = back_up(&scene);
    let public = scene.path("public.pem");
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();

    let stranger = shop.scene();
    let (copy, target, from) = (format!("{}_far", shop.name), shop.target(), scene.destination());
    let restore = [
        "restore",
        "--manifest",
        &manifest,
        "--from",
        &from,
        "--target",
        &target,
        "--mode",
        "new_database",
        "--created-database",
        &copy,
    ];
    stranger.run(&restore).fails(2, "key-missing");
    let trusting = [&restore[..], &["--pubkey", public.to_str().unwrap()]].concat();
    let ended = stranger.run(&trusting).succeeds();
    assert_eq!(ended.states().last().map(String::as_str), Some("completed"), "{}", ended.stdout);
    assert!(ended.stderr.contains("is not recorded"), "{}", ended.stderr);
    assert_eq!(shop.orders_in(&copy).await, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_needs_no_setup_beyond_a_key() {
    let shop = Shop::open().await;
    let scene = shop.scene();
    fs::create_dir(scene.path("backups")).unwrap();
    let destination = scene.destination();
    let run = ["backup", "run", "--dsn", &shop.dsn, "--to", &destination];
    scene.run(&run).fails(2, "key-missing");
    scene.run(&["key", "generate"]).succeeds();
    assert_eq!(scene.run(&run).succeeds().states(), BACKUP_STATES);
    let status = scene.json(&["status"]);
    let name = status["databases"][0]["name"].as_str().unwrap();
    assert!(name.starts_with(&format!("{}-", shop.name.replace('_', "-"))), "{name}");
    assert_eq!(status["databases"][0]["configured"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_one_name_on_two_servers_have_a_chain_each() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let to = scene.destination();
    // One server by two names stands for two servers: what is compared is where a database is said to be.
    let elsewhere = shop.dsn.replace("127.0.0.1", "localhost");
    assert_ne!(elsewhere, shop.dsn);
    for dsn in [&shop.dsn, &elsewhere] {
        scene.run(&["backup", "run", "--dsn", dsn, "--to", &to]).succeeds();
    }
    let status = scene.json(&["status"]);
    let chains =
        status["databases"].as_array().unwrap().iter().filter(|database| !database["chain"].is_null());
    assert_eq!(chains.count(), 2, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_suddenly_means_another_database_is_told() {
    let (shop, other) = (Shop::open().await, Shop::open().await);
    let scene = shop.configured();
    let run = || scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    let told = "this is not the database that the last backup of shop was of";
    assert!(!run().stderr.contains(told));
    assert!(!run().stderr.contains(told));
    let settings = fs::read_to_string(scene.path("home/walwarden.toml")).unwrap();
    fs::write(scene.path("home/walwarden.toml"), settings.replace(&shop.dsn, &other.dsn)).unwrap();
    assert!(run().stderr.contains(told));
    assert!(!run().stderr.contains(told), "it is told once");
    let (bundle, public) = (scene.text("shop.evidence.tgz"), scene.text("public.pem"));
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    scene.run(&["evidence", "export", "--database", "shop", "--out", &bundle]).succeeds();
    verifier(&["--bundle", &bundle, "--pubkey", &public]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_name_is_not_taken_for_another_database() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let (to, elsewhere) = (scene.destination(), format!("file://{}", scene.text("elsewhere")));
    let run =
        |dsn: &str, to: &str| scene.run(&["backup", "run", "--database", "shop", "--dsn", dsn, "--to", to]);
    run(&shop.server.dsn("postgres"), &to).fails(2, "argument-invalid");
    run(&shop.dsn, &elsewhere).fails(2, "argument-invalid");
    assert_eq!(scene.json(&["backup", "list"])["backups"], serde_json::json!([]));
    run(&shop.dsn, &to).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_gathered_from_several_destinations_and_names_its_gaps() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let first = back_up(&scene);
    // The destination is changed, as when a bucket is replaced.
    fs::create_dir(scene.path("second")).unwrap();
    let (old, new) = (scene.destination(), format!("file://{}", scene.text("second")));
    let settings = fs::read_to_string(scene.path("home/walwarden.toml")).unwrap();
    fs::write(scene.path("home/walwarden.toml"), settings.replace(&old, &new)).unwrap();
    back_up(&scene);

    let (bundle, public) = (scene.text("shop.evidence.tgz"), scene.text("public.pem"));
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    let export = ["evidence", "export", "--database", "shop", "--out", &bundle, "--with-artifacts"];
    let refused = scene.run(&export).fails(3, "object-missing");
    assert!(
        refused.stderr.contains("--from") && refused.stderr.contains("--allow-missing"),
        "{}",
        refused.stderr
    );
    assert!(!scene.path("shop.evidence.tgz").exists());
    assert!(
        crate::scene::files_below(&scene.path(""))
            .iter()
            .all(|path| path.extension() != Some("new".as_ref()))
    );

    let whole = [&export[..], &["--from", &new, "--from", &old]].concat();
    let exported = scene.json(&whole);
    assert_eq!((&exported["manifests"], &exported["artifacts"]), (&2.into(), &2.into()));
    assert_eq!(exported["missing"], serde_json::json!([]));
    verifier(&["--bundle", &bundle, "--pubkey", &public]).exits(0);

    fs::remove_file(&bundle).unwrap();
    let gaps = scene.run(&[&["--json"], &export[..], &["--allow-missing"]].concat()).succeeds();
    assert!(gaps.stderr.contains("missing: org/"), "{}", gaps.stderr);
    let exported = gaps.records()[0]["data"].clone();
    assert_eq!((&exported["manifests"], &exported["artifacts"]), (&1.into(), &1.into()));
    assert_eq!(exported["missing"][0]["why"], "object-missing");
    let verified = verifier(&["--bundle", &bundle, "--pubkey", &public]).exits(4);
    assert!(verified.stdout.contains("FAIL: ") || verified.stdout.contains("SKIP: "), "{}", verified.stdout);
    let restore = [
        "restore",
        "--manifest",
        &first,
        "--from",
        &old,
        "--target",
        &shop.target(),
        "--mode",
        "new_database",
        "--plan",
        "--created-database",
        "x",
    ];
    scene.run(&restore).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalogue_is_rebuilt_from_the_destination() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    back_up(&scene);
    back_up(&scene);
    let before = scene.json(&["status"]);
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        let _ = fs::remove_file(scene.path("home").join(file));
    }
    assert!(scene.json(&["status"])["databases"][0]["chain"].is_null());
    let from = scene.destination();
    let rebuilt = scene.json(&["catalog", "rebuild", "--from", &from]);
    assert_eq!(rebuilt["chains"][0]["backups"], 2);
    assert_eq!(rebuilt["chains"][0]["authenticated"], true);
    let after = scene.json(&["status"]);
    let of = |status: &serde_json::Value| {
        let database = &status["databases"][0];
        (database["chain"]["hash"].clone(), database["lastBackup"]["manifest"].clone())
    };
    assert_eq!(of(&after), of(&before));
    scene.run(&["catalog", "rebuild", "--from", &from]).fails(2, "argument-invalid");
    back_up(&scene);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_databases_can_be_rebuilt() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    back_up(&scene);
    let from = scene.destination();
    scene.run(&["backup", "run", "--database", "other", "--dsn", &shop.dsn, "--to", &from]).succeeds();
    let names = |value: &serde_json::Value, list: &str, name: &str| -> Vec<String> {
        let listed = value[list].as_array().unwrap();
        listed.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&scene.json(&["status"]), "databases", "name"), ["other", "shop"]);
    fs::remove_file(scene.path("home/catalog.sqlite")).unwrap();
    for file in ["catalog.sqlite-wal", "catalog.sqlite-shm"] {
        let _ = fs::remove_file(scene.path("home").join(file));
    }
    let one = ["catalog", "rebuild", "--from", &from, "--database", "other"];
    assert_eq!(names(&scene.json(&one), "chains", "databaseId"), ["other"]);
    let rest = scene.json(&["catalog", "rebuild", "--from", &from]);
    assert_eq!(names(&rest, "chains", "databaseId"), ["shop"]);
    let bundle = scene.text("other.evidence.tgz");
    let export = ["evidence", "export", "--database", "other", "--out", &bundle];
    scene.run(&export).fails(2, "database-unknown");
    scene.run(&[&export[..], &["--from", &from]].concat()).succeeds();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_an_in_place_restore_names_what_it_drops() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let manifest = back_up(&scene);
    let plan = ["restore", "--manifest", &manifest, "--target", &shop.dsn, "--mode", "in_place", "--plan"];
    let ended = scene.run(&plan).succeeds();
    let plan = &ended.records()[0]["data"]["plan"];
    assert_eq!(plan["dropped"], serde_json::json!(["public.customers", "public.orders"]));
    assert_no_password(&ended.stdout);
    assert_eq!(shop.orders_in(&shop.name).await, 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_exported_and_verified() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    back_up(&scene);
    let (bundle, public) = (scene.text("shop.evidence.tgz"), scene.text("public.pem"));
    fs::write(&public, scene.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    let export = ["evidence", "export", "--database", "shop", "--out", &bundle, "--with-artifacts"];
    let exported = scene.json(&export);
    assert_eq!((&exported["manifests"], &exported["artifacts"]), (&1.into(), &1.into()));
    scene.run(&export).fails(2, "file-failed");

    let verified = verifier(&["--bundle", &bundle, "--pubkey", &public]).exits(0);
    assert!(verified.stdout.contains("OK: manifest signature valid for backup_job="), "{}", verified.stdout);
    assert!(verified.stdout.contains("OK: manifest artifact sha256 matches for backup_job="));
    let same = scene.run(&["verify", "--bundle", &bundle, "--pubkey", &public]).exits(0);
    assert_eq!(same.stdout, verified.stdout);
    let report = scene.run(&["--json", "verify", "--bundle", &bundle, "--pubkey", &public]).exits(0);
    assert_eq!(report.records()[0]["level"], 2);
    assert_eq!(report.records()[0]["artifactsChecked"], 1);

    let key_id = scene.json(&["key", "show"])["keyId"].as_str().unwrap().to_owned();
    verifier(&["--bundle", &bundle, "--fingerprint", &key_id]).exits(0);
    verifier(&["--bundle", &bundle]).exits(4);
    verifier(&["--bundle", &bundle, "--pubkey", &public, "--level", "4"]).exits(4);
    let other = Scene::with_key();
    fs::write(other.path("public.pem"), other.run(&["key", "show", "--pem"]).succeeds().stdout).unwrap();
    verifier(&["--bundle", &bundle, "--pubkey", &other.text("public.pem")]).exits(1);
}
