//! A catalogue that is locked, read-only, damaged, too new or not ours, and clocks and files that change underneath.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use walwarden_core::Code;
use walwarden_core::catalog::{Catalog, CatalogExt, JobQuery, SqliteCatalog};
use walwarden_core::chain::Fact;
use walwarden_core::verify::EventKind;
use walwarden_core::verify::json::Object;
use walwarden_testkit::catalog::{claim, consistent_rows, now, queue};
use walwarden_testkit::chain::{assert_code, genesis, job_id, subject, verified_rows};
use walwarden_testkit::skip::beyond_our_rights;

const NOT_LONG: Duration = Duration::from_millis(50);

#[tokio::test]
async fn locked_by_another_process() {
    let (_folder, path) = lived_in().await;
    let mut other = connect(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();

    let catalog = SqliteCatalog::open_waiting(&path, NOT_LONG).await.expect("a locked catalogue can be read");
    assert_eq!(catalog.jobs(JobQuery::default()).await.unwrap().len(), 1);
    let refused = catalog.claim(job_id(1), "worker", now(2), Duration::from_secs(60)).await;
    assert_code(refused, Code::CatalogLocked, "a locked catalogue is not written");

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    claim(&catalog, job_id(1), "worker", now(2)).await;
    consistent_rows(&catalog).await;
}

#[tokio::test]
async fn new_and_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    fs::write(&path, "").unwrap();
    let mut other = connect(&path).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let refused = SqliteCatalog::open_waiting(&path, NOT_LONG).await;
    assert_code(refused, Code::CatalogLocked, "a locked file gets no schema");
}

#[tokio::test]
async fn waiting_is_enough_when_the_lock_is_short() {
    let (_folder, path) = lived_in().await;
    let mut other = connect(&path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let writing = tokio::spawn(async move { claim(&catalog, job_id(1), "worker", now(2)).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!writing.is_finished());
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    writing.await.unwrap();
}

#[tokio::test]
async fn read_only() {
    let (_folder, path) = lived_in().await;
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    let error = SqliteCatalog::open(&path).await.unwrap_err();
    assert_eq!(error.code(), Code::CatalogReadOnly);
    assert!(error.message().contains(path.to_str().unwrap()), "the file is named: {error}");
}

#[tokio::test]
async fn out_of_reach() {
    let folder = tempfile::tempdir().unwrap();
    let refused = SqliteCatalog::open(&folder.path().join("no/such/folder/catalogue.sqlite")).await;
    assert_code(refused, Code::FileFailed, "the folder is missing");
    assert_code(SqliteCatalog::open(folder.path()).await, Code::FileFailed, "it is a folder");
}

#[tokio::test]
async fn from_a_newer_version() {
    let (_folder, path) = lived_in().await;
    let mut other = connect(&path).await;
    let sql = "INSERT INTO _sqlx_migrations VALUES (9999, 'from the future', '', 1, x'00', 0)";
    sqlx::query(sql).execute(&mut other).await.unwrap();
    let error = SqliteCatalog::open(&path).await.unwrap_err();
    assert_eq!(error.code(), Code::CatalogNewer);
    assert!(error.message().contains("schema=9999"), "{error}");
}

#[tokio::test]
async fn of_another_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    let mut other = connect(&path).await;
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let refused = SqliteCatalog::open(&path).await;
    assert_code(refused, Code::ArgumentInvalid, "another program's database is left alone");
    let mut other = connect(&path).await;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut other).await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut other).await.unwrap();
    assert_eq!((tables, mode.as_str()), (1, "delete"));
}

#[tokio::test]
async fn damaged_in_many_places() {
    let (folder, path) = lived_in().await;
    let sound = fs::read(&path).unwrap();
    let page = 4_096;
    assert!(sound.len() > 8 * page, "enough pages to damage: {}", sound.len());
    let damage = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        bytes
    };
    for (flaw, bytes) in [
        ("text", b"this was a catalogue once, but somebody saved a letter over it. ".repeat(100)),
        ("a header of zeros", damage(&|bytes| bytes[..100].fill(0))),
        ("the schema page overwritten", damage(&|bytes| bytes[100..page].fill(0xa5))),
        ("cut in the middle", damage(&|bytes| bytes.truncate(5 * page))),
        ("the last page overwritten", damage(&|bytes| bytes[sound.len() - page..].fill(0xa5))),
    ] {
        let damaged = folder.path().join("damaged.sqlite");
        fs::write(&damaged, bytes).unwrap();
        assert_code(SqliteCatalog::open(&damaged).await, Code::CatalogCorrupt, flaw);
    }
}

#[tokio::test]
async fn odd_values() {
    for sql in [
        "UPDATE job SET state = 'pondering'",
        "UPDATE job SET artifact_key = '../../etc/passwd'",
        "UPDATE job SET queued_at = 9223372036854775807",
        "UPDATE job SET attempt = -1",
        "UPDATE job SET uploads = '[[\"../x\",\"1\"]]'",
    ] {
        let (_folder, path) = lived_in().await;
        execute(&path, sql).await;
        let catalog = SqliteCatalog::open(&path).await.unwrap();
        assert_code(catalog.jobs(JobQuery::default()).await, Code::CatalogCorrupt, sql);
    }
}

#[tokio::test]
async fn rows_cannot_be_changed_through_sql() {
    let (_folder, path) = lived_in().await;
    let mut other = connect(&path).await;
    for sql in ["UPDATE event SET row = x'00'", "DELETE FROM event", "UPDATE event SET seq = seq + 1"] {
        let error = sqlx::query(AssertSqlSafe(sql)).execute(&mut other).await.unwrap_err();
        assert!(error.to_string().contains("a row of an audit chain is never"), "{error}");
    }
}

// An intruder who can write the file can also drop the triggers; what remains is that it shows.
#[tokio::test]
async fn a_changed_chain_takes_no_more_rows() {
    let unlock = "DROP TRIGGER event_never_changes; DROP TRIGGER event_never_goes;";
    for (flaw, sql) in [
        ("a row is gone", "DELETE FROM event WHERE seq = 2"),
        ("a row is cut", "UPDATE event SET row = CAST(substr(row, 1, 50) AS BLOB) WHERE seq = 2"),
        (
            "a time was changed",
            "UPDATE event SET row = CAST(replace(row, '02:06:30', '02:06:31') AS BLOB) WHERE seq = 2",
        ),
        ("two rows are swapped", "UPDATE event SET seq = 9 - seq WHERE seq IN (2, 3)"),
        (
            "a row lies a thousand years ahead",
            "UPDATE event SET row = CAST(replace(row, '\"at\":\"2', '\"at\":\"3') AS BLOB) WHERE seq = 3",
        ),
    ] {
        let (_folder, path) = lived_in().await;
        execute(&path, &format!("{unlock} {sql}")).await;
        let catalog = SqliteCatalog::open(&path).await.unwrap();
        let refused = catalog.claim(job_id(1), "worker", now(3), Duration::from_secs(60)).await;
        assert_code(refused, Code::ChainDamaged, flaw);
        let chain = catalog.chain(&subject()).await.unwrap().unwrap().audit;
        let fact = Fact { at: now(3), job_id: None, kind: EventKind::ScheduleMissed, payload: Object::new() };
        assert_code(chain.append(fact).await, Code::ChainDamaged, flaw);
        if flaw != "a row is gone" {
            assert_code(chain.rows(1, 10).await, Code::ChainDamaged, flaw);
        }
    }
}

#[tokio::test]
async fn a_chain_cut_while_in_use_takes_no_more_rows() {
    let (_folder, path) = lived_in().await;
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let chain = catalog.chain(&subject()).await.unwrap().unwrap().audit;
    let fact = || Fact { at: now(3), job_id: None, kind: EventKind::ScheduleMissed, payload: Object::new() };
    let last = chain.append(fact()).await.unwrap();
    execute(&path, &format!("DROP TRIGGER event_never_goes; DELETE FROM event WHERE seq = {}", last.seq))
        .await;
    assert_code(chain.append(fact()).await, Code::ChainDamaged, "the end of the chain is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_a_new_catalogue_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = Arc::new(folder.path().join("catalogue.sqlite"));
    let openings: Vec<_> = (1..=6)
        .map(|number| {
            let path = Arc::clone(&path);
            tokio::spawn(async move {
                let catalog = SqliteCatalog::open(&path).await.unwrap();
                catalog.start_chain(genesis()).await.unwrap();
                queue(&catalog, number).await;
            })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap();
    }
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    assert_eq!(consistent_rows(&catalog).await.len(), 7);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(&folder.path().join("catalogue.sqlite")).await.unwrap();
    catalog.start_chain(genesis()).await.unwrap();
    queue(&catalog, 1).await;
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 2, "the write-ahead log lies beside it");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[tokio::test]
async fn two_handles_of_one_file_agree() {
    let (_folder, path) = lived_in().await;
    let first = SqliteCatalog::open(&path).await.unwrap();
    let second = SqliteCatalog::open(&path).await.unwrap();
    for number in 2..10 {
        queue(if number % 2 == 0 { &first } else { &second }, number).await;
    }
    assert_eq!(consistent_rows(&first).await, consistent_rows(&second).await);
    let chain = second.chain(&subject()).await.unwrap().unwrap().audit;
    assert_eq!(verified_rows(&*chain).await.len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_given_up_half_way_is_done_or_not_done() {
    let (_folder, path) = lived_in().await;
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let (mut done, mut given_up) = (0, 0);
    for number in 2..200 {
        let length = Duration::from_micros(u64::from(number) * 7);
        match tokio::time::timeout(length, queue(&catalog, number)).await {
            Ok(_) => done += 1,
            Err(_) => given_up += 1,
        }
    }
    println!("{done} writes done, {given_up} given up");
    assert!(given_up > 0);
    queue(&catalog, 200).await;
    let rows = consistent_rows(&catalog).await;
    assert!(rows.len() >= 4 + done, "what was done is there: {} rows", rows.len());
}

// A closed catalogue with a chain of three rows and one waiting backup.
async fn lived_in() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.sqlite");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let chain = catalog.start_chain(genesis()).await.unwrap();
    queue(&catalog, 1).await;
    let fact = Fact { at: now(2), job_id: None, kind: EventKind::ScheduleMissed, payload: Object::new() };
    chain.append(fact).await.unwrap();
    catalog.close().await;
    (folder, path)
}

async fn connect(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).busy_timeout(NOT_LONG);
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn execute(path: &Path, sql: &str) {
    let mut connection = connect(path).await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A file system of its own for the catalogue, unmounted when dropped.
struct Disk(TempDir);

impl Disk {
    fn mount(&self, options: &str) -> bool {
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(self.0.path()).output();
        mount.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone_already = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_catalog_full_and_a_read_only_one_catalog_read_only() {
    let disk = Disk(tempfile::tempdir().unwrap());
    if !disk.mount("size=2m") {
        return beyond_our_rights("a full and a read-only catalogue: no right to mount a small disk");
    }
    let path = disk.0.path().join("catalogue.sqlite");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    catalog.start_chain(genesis()).await.unwrap();
    queue(&catalog, 1).await;
    let filler = disk.0.path().join("filler");
    let _full = fs::write(&filler, vec![0; 4 << 20]);
    let refused = catalog.claim(job_id(1), "worker", now(2), Duration::from_secs(60)).await;
    assert_code(refused, Code::CatalogFull, "a full disk takes no write");
    fs::remove_file(&filler).unwrap();
    claim(&catalog, job_id(1), "worker", now(2)).await;
    consistent_rows(&catalog).await;
    catalog.close().await;

    assert!(disk.mount("remount,ro"));
    assert_code(SqliteCatalog::open(&path).await, Code::CatalogReadOnly, "a read-only disk is told");
}
