//! Signals and sudden death during a backup.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::scene::{Scene, files_below, verifier};
use crate::shop::{Shop, assert_no_password};

/// A command whose pg_dump or pg_restore waits for a lock that the test holds.
struct Stuck {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    // Ends the lock when dropped.
    _holder: tokio_postgres::Client,
}

impl Stuck {
    async fn start(shop: &Shop, scene: &Scene) -> Self {
        Stuck::start_with(shop, scene, &["backup", "run", "--database", "shop"], "running").await
    }

    /// Any command whose program comes to the lock after this state.
    async fn start_with(shop: &Shop, scene: &Scene, arguments: &[&str], before: &str) -> Self {
        let holder = shop.server.connect(&shop.name).await;
        holder.batch_execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let mut process = scene.process(arguments);
        process.process_group(0);
        let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut stuck = Stuck { child, lines, _holder: holder };
        let running = stuck.lines.by_ref().any(|line| state(&line.unwrap()) == before);
        assert!(running, "the command never came so far");
        // The program is at its lock once the server says that somebody waits.
        let watcher = shop.server.connect(&shop.name).await;
        for _ in 0..200 {
            let waits =
                watcher.query_one("SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE NOT granted AND datname = current_database()", &[]).await.unwrap();
            if waits.get::<_, i64>(0) > 0 {
                return stuck;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the program never came to the lock");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn ends(mut self) -> (Option<i32>, Vec<String>) {
        let states = self.lines.by_ref().map(|line| state(&line.unwrap())).collect();
        (self.child.wait().unwrap().code(), states)
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn state(line: &str) -> String {
    let record: Value = serde_json::from_str(line).unwrap();
    record["state"].as_str().unwrap_or("error").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_and_sigint_cancel_the_job_and_end_with_4() {
    let shop = Shop::open().await;
    for signal in ["-TERM", "-INT"] {
        let scene = shop.configured();
        let stuck = Stuck::start(&shop, &scene).await;
        stuck.signal(signal);
        let (status, states) = stuck.ends();
        assert_eq!((status, states), (Some(4), vec!["cancelled".to_owned(), "error".to_owned()]), "{signal}");
        assert_eq!(scene.json(&["backup", "list"])["backups"][0]["state"], "cancelled");
        let dumps = files_below(&scene.path("backups"));
        assert!(!dumps.iter().any(|path| path.to_string_lossy().contains(".dump")), "{dumps:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_reaches_the_whole_process_group_and_cancels_all_the_same() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let stuck = Stuck::start(&shop, &scene).await;
    let group = format!("-{}", stuck.child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let (status, states) = stuck.ends();
    assert_eq!((status, states), (Some(4), vec!["cancelled".to_owned(), "error".to_owned()]));
}

/// Reading a pipe that nobody writes to waits in the kernel, as a verification of gigabytes computes.
#[test]
fn a_verification_that_is_stopped_ends_with_4_and_says_nothing_of_the_bundle() {
    let scene = Scene::empty();
    let pipe = scene.text("key.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/vectors/good/two-backups.evidence.tgz");
    let key = include_bytes!("../../../spec/vectors/keys/alpha.pub.pem");
    let page = scene.text("report.html");
    let mut process = scene.process(&["verify", "--bundle", bundle, "--pubkey", &pipe, "--html", &page]);
    let mut child = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opened once the command has opened its end.
    let mut writer = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    said.read_line(&mut told).unwrap();
    assert!(told.starts_with("stopping"), "{told}");
    // What it waited for comes while it ends.
    let _ = writer.write_all(key);
    drop(writer);
    said.read_to_string(&mut told).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!fs::exists(&page).unwrap(), "a page was written after the stop");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(4), 0), "{told}");
    assert!(told.contains("[cancelled]") && !told.contains("without waiting any longer"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_stopped_ends_with_4_and_leaves_no_pg_restore() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let manifest = completed["payload"]["manifestSha256"].as_str().unwrap();
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
    let stuck = Stuck::start_with(&shop, &scene, &restore, "restoring").await;
    stuck.signal("-TERM");
    let (status, states) = stuck.ends();
    assert_eq!(status, Some(4), "{states:?}");
    assert_eq!(shop.orders_in(&shop.name).await, 2000, "nothing was dropped");
    shop.server.sql("postgres", "CREATE DATABASE walwarden_restore_0123456789ab").await;
    let again = scene.run(&restore).succeeds();
    shop.server.sql("postgres", "DROP DATABASE walwarden_restore_0123456789ab").await;
    assert!(
        again.stderr.contains("left the database \"walwarden_restore_0123456789ab\""),
        "{}",
        again.stderr
    );
    let waiting = shop.server.connect("postgres").await;
    let sessions =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND application_name LIKE 'pg_restore%'";
    for _ in 0..100 {
        if waiting.query_one(sessions, &[&shop.name]).await.unwrap().get::<_, i64>(0) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("pg_restore is still at work");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_restore_shows_in_status_once_its_lease_is_over() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let manifest = completed["payload"]["manifestSha256"].as_str().unwrap();
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
    let stuck = Stuck::start_with(&shop, &scene, &restore, "restoring").await;
    stuck.signal("-KILL");
    assert_eq!(stuck.ends().0, None);
    let interrupted =
        || scene.json(&["status"])["databases"][0]["interruptedRestores"].as_array().unwrap().len();
    assert_eq!(interrupted(), 0, "its lease holds");
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(interrupted(), 1);
    let text = scene.run(&["status"]).succeeds().stdout;
    assert!(text.contains("was interrupted while restoring"), "{text}");
}

/// Killed as soon as it has told that it reached a state. What comes after these states is tried above.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_killed_in_any_earlier_state_leaves_no_database_and_can_be_repeated() {
    let shop = Shop::open().await;
    let mut killed = Vec::new();
    for state in ["claimed", "downloading", "verifying", "manifest_verified"] {
        let scene = shop.configured();
        let run = ["backup", "run", "--database", "shop"];
        let completed = scene.run(&run).succeeds().records().pop().unwrap();
        let manifest = completed["payload"]["manifestSha256"].as_str().unwrap().to_owned();
        let copy = format!("{}_{state}", shop.name);
        kill_at(&scene, &restore_into(&copy, &manifest, &shop.target()), state);
        killed.push((state, scene, copy, manifest));
    }
    tokio::time::sleep(Duration::from_secs(16)).await; // until no lease holds
    for (state, scene, copy, manifest) in killed {
        let interrupted = &scene.json(&["status"])["databases"][0]["interruptedRestores"];
        assert_eq!(interrupted.as_array().unwrap().len(), 1, "{state}: {interrupted}");
        assert!(!shop.has_database(&copy).await, "{state}");
        let again = scene.process(&restore_into(&copy, &manifest, &shop.target())).output().unwrap();
        let told = String::from_utf8(again.stderr).unwrap();
        assert!(again.status.success() && told.contains("sealed as timed out"), "{state}: {told}");
        assert_eq!(shop.orders_in(&copy).await, 2000, "{state}");
        let bundle = scene.text("shop.evidence.tgz");
        scene.run(&["evidence", "export", "--database", "shop", "--out", &bundle]).succeeds();
        let key = scene.run(&["key", "show", "--pem"]).succeeds().stdout;
        fs::write(scene.path("key.pem"), key).unwrap();
        verifier(&["--bundle", &bundle, "--pubkey", &scene.text("key.pem")]).succeeds();
    }
}

fn restore_into<'a>(copy: &'a str, manifest: &'a str, target: &'a str) -> [&'a str; 9] {
    [
        "restore",
        "--manifest",
        manifest,
        "--target",
        target,
        "--mode",
        "new_database",
        "--created-database",
        copy,
    ]
}

fn kill_at(scene: &Scene, arguments: &[&str], at: &str) {
    let mut process = scene.process(arguments);
    let mut child = process.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| state(&line.unwrap()) == at), "it never came to {at}");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "{at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_stands_in_any_argument_list() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let stuck = Stuck::start(&shop, &scene).await;
    let mut dumps = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(arguments) = fs::read(entry.path().join("cmdline")) else { continue };
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        if arguments.contains("pg_dump") && arguments.contains(&shop.name) {
            dumps += 1;
            assert_no_password(&arguments);
        }
    }
    assert!(dumps > 0, "pg_dump is not among the processes");
    stuck.signal("-TERM");
    stuck.ends();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backup_can_be_cancelled_or_carried_on() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let stuck = Stuck::start(&shop, &scene).await;
    stuck.signal("-KILL");
    let (status, _) = stuck.ends();
    assert_eq!(status, None);
    let listed = scene.json(&["backup", "list"]);
    let job = &listed["backups"][0];
    assert_eq!(job["state"], "running");
    let held = scene.run(&["backup", "cancel", job["id"].as_str().unwrap()]).fails(1, "job-held");
    assert!(held.stderr.contains("until="), "{}", held.stderr);

    let ended = scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    assert_eq!(ended.states().last().map(String::as_str), Some("completed"));
    let listed = scene.json(&["backup", "list"]);
    assert!(listed["backups"].as_array().unwrap().iter().all(|job| job["state"] == "completed"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backup_of_a_dead_worker_can_be_cancelled_once_its_lease_is_over() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let stuck = Stuck::start(&shop, &scene).await;
    stuck.signal("-KILL");
    assert_eq!(stuck.ends().0, None);
    let id = scene.json(&["backup", "list"])["backups"][0]["id"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(scene.json(&["backup", "cancel", &id])["state"], "cancelled");
    assert_eq!(scene.json(&["backup", "show", &id])["state"], "cancelled");
    scene.run(&["backup", "cancel", &id]).fails(2, "job-state");
    scene.run(&["backup", "run", "--database", "shop"]).succeeds();
    assert_eq!(scene.json(&["backup", "show", &id])["state"], "cancelled", "nobody carried it on");
}

/// Its index takes for ever to be built in an unfinished database, until `wake` is called.
async fn put_to_sleep(shop: &Shop) {
    let slow = format!(
        "CREATE ROLE {0}_sleeps;
         CREATE FUNCTION nap(id int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
           IF current_database() LIKE 'walwarden_restore_%'
              AND EXISTS (SELECT FROM pg_roles WHERE rolname = '{0}_sleeps') THEN PERFORM pg_sleep(300); END IF;
           RETURN id; END $$;
         CREATE TABLE slow (id int); INSERT INTO slow VALUES (1); CREATE INDEX ON slow (nap(id));",
        shop.name
    );
    shop.server.sql(&shop.name, &slow).await;
}

/// The unfinished database in which an index sleeps.
async fn sleeper(shop: &Shop) -> Option<String> {
    let sql = "SELECT datname::text FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname LIKE 'walwarden_restore_%'";
    let client = shop.server.connect("postgres").await;
    client.query_opt(sql, &[]).await.unwrap().map(|row| row.get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_restore_left_is_named_once_its_orphan_is_gone() {
    let shop = Shop::open().await;
    put_to_sleep(&shop).await;
    let scene = shop.configured();
    let completed = scene.run(&["backup", "run", "--database", "shop"]).succeeds().records().pop().unwrap();
    let manifest = completed["payload"]["manifestSha256"].as_str().unwrap().to_owned();
    let (copy, target) = (format!("{}_copy", shop.name), shop.target());
    let restore = restore_into(&copy, &manifest, &target);

    let mut child = scene.process(&restore).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut left = None;
    for _ in 0..400 {
        left = sleeper(&shop).await;
        if left.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left = left.expect("the restore came to the index");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!shop.has_database(&copy).await);

    // pg_restore lives on, and for all that can be seen from outside it is a restore at work.
    assert_eq!(sleeper(&shop).await.as_deref(), Some(left.as_str()));
    let plan: Vec<&str> = restore.iter().copied().chain(["--plan"]).collect();
    let planned = scene.run(&plan).succeeds();
    assert!(!planned.stdout.contains(&left), "{}", planned.stdout);

    let wake = format!(
        "DROP ROLE {}_sleeps; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{left}'",
        shop.name
    );
    shop.server.sql("postgres", &wake).await;
    let named = format!("left the database \"{left}\"");
    for _ in 0..100 {
        let told = scene.json(&plan)["plan"]["notices"].to_string().replace('\\', "");
        if told.contains(&named) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let again = scene.run(&restore).succeeds();
    assert!(again.stderr.contains(&named), "{}", again.stderr);
    assert_eq!(shop.orders_in(&copy).await, 2000);
    assert!(shop.has_database(&left).await, "it is the operator's to drop");
    shop.server.sql("postgres", &format!("DROP DATABASE {left}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_does_not_stop_the_backup() {
    let shop = Shop::open().await;
    let scene = shop.configured();
    let mut process = scene.process(&["backup", "run", "--database", "shop"]);
    let mut child = process.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(scene.json(&["backup", "list"])["backups"][0]["state"], "completed");
}
