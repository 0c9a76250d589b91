//! Backups over several connections, judged by what one connection makes of the same database.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::Path;
use std::process::Command;

use scene::programs::Program;
use scene::{Diary, Home};
use walwarden_core::Code;
use walwarden_core::backup::{BackupRunner, SealedBackup};
use walwarden_core::watch::Unwatched;
use walwarden_testkit::postgres::{MAJORS, bin_dir, shared};
use walwarden_testkit::torture::Torture;

/// Enough to be read in pieces, with rows that moved.
const LARGE: &str = "
    CREATE TABLE pieces (id int8, body text);
    INSERT INTO pieces SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 40000) n;
    DELETE FROM pieces WHERE id BETWEEN 5000 AND 9000;
    UPDATE pieces SET body = 'moved' WHERE id % 7 = 0;
    CREATE TABLE columnless ();
    INSERT INTO columnless SELECT FROM generate_series(1, 3);
    CREATE TABLE \"a (b)\" (\"x(y\" int, \"q\"\"(\" text);
    INSERT INTO \"a (b)\" VALUES (1, 'one'), (2, E'two\\n\\\\.');";

/// As SQL, but for the random word that newer versions begin and end with.
fn as_sql(major: u32, archive: &Path) -> Vec<u8> {
    let output =
        Command::new(bin_dir(major).join("pg_restore")).args(["-f", "-"]).arg(archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.starts_with(b"\\restrict") && !line.starts_with(b"\\unrestrict"))
        .flatten()
        .copied()
        .collect()
}

async fn backup(home: &Home, dsn: &str, jobs: usize, diary: &Diary) -> SealedBackup {
    let mut request = home.request(dsn).await;
    request.jobs = jobs;
    home.engine.backup().run(request, diary).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_connections_make_is_what_one_makes() {
    for major in MAJORS {
        let source = shared(major).fresh_database("parallel").await;
        shared(major).sql(&source, &Torture { bulk_rows: 3_000, ..Torture::default() }.sql()).await;
        shared(major).sql(&source, LARGE).await;
        let dsn = shared(major).dsn(&source);
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).await;
        let diary = Diary::default();
        let mut made = Vec::new();
        for jobs in [1, 3] {
            let sealed = backup(&home, &dsn, jobs, &diary).await;
            let body = sealed.manifest.body();
            let sql = as_sql(18, &folder.path().join("store").join(&body.artifact_key));
            made.push((sql, body.content_root));
        }
        assert!(!diary.notices().contains("one connection"), "{}", diary.notices());
        assert!(made[0] == made[1], "PostgreSQL {major}: the archives restore to something else");
        assert_eq!(home.assert_provable().await, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_shares_no_snapshot_is_read_over_one_connection_and_that_is_told() {
    let source = shared(17).fresh_database("unshared").await;
    shared(17).sql(&source, LARGE).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let program = Program::new(
        "case \"$*\" in *--snapshot*) echo 'pg_dump: error: query failed: ERROR:  invalid snapshot identifier' >&2; exit 1;; esac
         exec \"$REAL\" \"$@\"",
    );
    let mut request = home.request(&shared(17).dsn(&source)).await;
    request.clients = program.clients().await;
    request.jobs = 2;
    let diary = Diary::default();
    home.engine.backup().run(request, &diary).await.unwrap();
    assert!(diary.notices().contains("over one connection: "), "{}", diary.notices());
    assert!(diary.notices().contains("invalid snapshot identifier"), "{}", diary.notices());
    assert_eq!(home.job().await.attempt, 1);
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pg_dump_that_dies_while_the_tables_are_read_makes_no_backup_of_that_attempt() {
    let source = shared(17).fresh_database("orphaned").await;
    shared(17).sql(&source, LARGE).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    // Its locks end with it, so that what was read may not belong together.
    let program = Program::new(
        "case \"$*\" in *--snapshot*) \"$REAL\" \"$@\" | head -c 300000; kill -9 $$;; esac
         exec \"$REAL\" \"$@\"",
    );
    let mut request = home.request(&shared(17).dsn(&source)).await;
    request.clients = program.clients().await;
    request.jobs = 2;
    home.engine.backup().run(request, &Unwatched).await.unwrap();
    assert_eq!(home.job().await.attempt, 2);
    assert_eq!(home.failures().await, [(Code::DumpKilled.text().to_owned(), true, 1)]);
    assert_eq!(home.assert_provable().await, 1);
}
