//! `pg_dump` of every installed major against servers of every major, and programs that misbehave.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use walwarden_core::Code;
use walwarden_core::source::{
    Client, ClientSearch, ClientSet, Codec, Compression, Dsn, Dump, DumpOptions, Dumped, fingerprint, globals,
};
use walwarden_testkit::postgres::{self, MAJORS, Postgres};
use walwarden_testkit::torture::Torture;

async fn clients() -> ClientSet {
    let dirs = MAJORS.iter().map(|major| postgres::bin_dir(*major)).collect();
    ClientSet::find(&ClientSearch { dirs, path: None, well_known: false }).await
}

fn options(codec: Codec) -> DumpOptions {
    let mut options = DumpOptions::default();
    options.compression = Some(Compression::new(codec));
    options
}

async fn read(mut dump: Dump) -> walwarden_core::Result<(Vec<u8>, Dumped)> {
    let mut archive = BytesMut::new();
    while let Some(chunk) = dump.next().await? {
        archive.extend_from_slice(&chunk);
    }
    Ok((archive.to_vec(), dump.finish().await?))
}

async fn refused(client: &Client, dsn: &Dsn, options: &DumpOptions) -> walwarden_core::Error {
    read(Dump::start(client, dsn, options).unwrap()).await.unwrap_err()
}

fn dsn(text: &str) -> Dsn {
    text.parse().unwrap()
}

// ---- real programs ----

#[tokio::test]
async fn clients_of_all_majors_are_found_with_their_codecs() {
    let clients = clients().await;
    let found: Vec<u32> = clients.iter().map(Client::major).collect();
    assert_eq!(found, MAJORS);
    for client in clients.iter() {
        assert!(client.version().starts_with(&format!("{}.", client.major())), "{client:?}");
        // Before 16 pg_dump knows neither; those after 17 may come from a build without.
        let both = (client.supports(Codec::Lz4), client.supports(Codec::Zstd));
        match client.major() {
            14 | 15 => assert_eq!(both, (false, false), "{client:?}"),
            17 => assert_eq!(both, (true, true), "{client:?}"),
            _ => {}
        }
        assert!(client.supports(Codec::Gzip) && client.supports(Codec::None));
    }
}

#[tokio::test]
async fn every_server_dumps_and_its_own_pg_restore_brings_everything_back() {
    let clients = clients().await;
    for major in MAJORS {
        let server = postgres::shared(major);
        let source = server.fresh_database("torture").await;
        server.sql(&source, &Torture { many_tables: 40, bulk_rows: 500, ..Torture::default() }.sql()).await;

        let client = clients.choose_for_dump(major, Codec::Gzip).unwrap();
        assert_eq!(client.major(), major);
        let from = dsn(&server.dsn(&source));
        let dump = Dump::start(client, &from, &options(Codec::Gzip)).unwrap();
        let (archive, dumped) = read(dump).await.unwrap();
        assert_eq!(dumped.dump_version, client.version());
        assert_eq!(dumped.warnings, "", "server {major}");

        let target = server.fresh_database("restored").await;
        let to = dsn(&server.dsn(&target));
        restore(client, &to, &archive);
        let before = fingerprint(&mut server.connect(&source).await, &from).await.unwrap();
        let after = fingerprint(&mut server.connect(&target).await, &to).await.unwrap();
        assert_eq!(before, after, "server {major}");
        let filled = before.values().filter(|table| table.rows > 0).count();
        assert_eq!((before.len(), filled), (55, 44), "server {major}");
    }
}

// As a user does it: the stock program, the password in its environment.
fn restore(client: &Client, to: &Dsn, archive: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), archive).unwrap();
    let mut command = std::process::Command::new(client.program("pg_restore"));
    command.arg("--exit-on-error").arg(format!("--dbname={}", to.libpq_conninfo_without_password()));
    command.arg(file.path()).env_clear().env("PGPASSWORD", to.password().unwrap().expose());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_newer_client_dumps_an_older_server_uncompressed() {
    let clients = clients().await;
    let server = postgres::shared(14);
    let source = server.fresh_database("codecs").await;
    server.sql(&source, &Torture { bulk_rows: 2000, ..Torture::default() }.sql()).await;
    let from = dsn(&server.socket_dsn(&source));
    // Whatever is asked for: compression is not pg_dump's work.
    for codec in [Codec::None, Codec::Zstd] {
        let client = clients.choose_for_dump(17, codec).unwrap();
        let (archive, _) = read(Dump::start(client, &from, &options(codec)).unwrap()).await.unwrap();
        let (header, _) = walwarden_archive::read_toc(&archive[..]).unwrap();
        assert_eq!(header.compression(), walwarden_archive::Compression::None);
    }
}

#[tokio::test]
async fn options_reach_pg_dump() {
    let clients = clients().await;
    let client = clients.choose_for_dump(17, Codec::Zstd).unwrap();
    let server = postgres::shared(17);
    let source = server.fresh_database("options").await;
    server.sql(&source, "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.keep AS SELECT 1; CREATE TABLE a.\"No Rows\" AS SELECT 2; CREATE TABLE b.gone AS SELECT 3; GRANT SELECT ON a.keep TO public").await;
    let mut options = options(Codec::Zstd);
    options.no_owner = true;
    options.no_privileges = true;
    options.exclude_schemas = vec!["b".into()];
    options.exclude_table_data = vec!["a.\"No Rows\"".into()];
    options.lock_timeout_seconds = Some(5);
    let from = dsn(&server.dsn(&source));
    let (archive, _) = read(Dump::start(client, &from, &options).unwrap()).await.unwrap();
    let target = server.fresh_database("options_restored").await;
    let to = dsn(&server.dsn(&target));
    restore(client, &to, &archive);
    let after = fingerprint(&mut server.connect(&target).await, &to).await.unwrap();
    let rows: Vec<_> = after.iter().map(|(table, content)| (table.to_string(), content.rows)).collect();
    assert_eq!(rows, [("\"a\".\"No Rows\"".to_owned(), 0), ("\"a\".\"keep\"".to_owned(), 1)]);

    options.tables = vec!["no_such_table".into()];
    let error = refused(client, &from, &options).await;
    assert_eq!(error.code(), Code::DumpFailed);
    assert!(error.message().contains("no matching tables were found"), "{error}");
}

#[tokio::test]
async fn roles_come_without_passwords() {
    let clients = clients().await;
    for major in MAJORS {
        let server = postgres::shared(major);
        let role = format!("globals_{major}");
        server
            .sql(
                "postgres",
                &format!("CREATE ROLE {role} LOGIN PASSWORD 'very secret'; GRANT pg_monitor TO {role}"),
            )
            .await;
        let client = clients.choose_for_dump(major, Codec::Gzip).unwrap();
        let text = globals(client, &dsn(&server.dsn("postgres"))).await.unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        assert!(text.contains(&format!("CREATE ROLE {role};")), "{text}");
        assert!(!text.contains("SCRAM") && !text.contains("secret"), "{text}");
    }
}

// ---- real failures ----

#[tokio::test]
async fn what_the_server_refuses_has_a_class_of_its_own() {
    let clients = clients().await;
    let client = clients.choose_for_dump(17, Codec::Gzip).unwrap();
    let server = postgres::shared(17);
    let source = server.fresh_database("refusals").await;
    server
        .sql(&source, "CREATE ROLE reader LOGIN PASSWORD 'reader-pw'; CREATE TABLE secret_rows AS SELECT 1")
        .await;
    let options = DumpOptions::default();

    let reader = dsn(&server.dsn_as("reader", "reader-pw", &source));
    let error = refused(client, &reader, &options).await;
    assert_eq!(error.code(), Code::SourcePermission);
    assert!(error.message().contains("secret_rows"), "{error}");
    let error = globals(client, &dsn(&server.dsn_as("reader", "wrong-pw", &source))).await.unwrap_err();
    assert_eq!(error.code(), Code::SourceLoginRefused, "{error:?}");

    let error = refused(client, &dsn(&server.dsn_as("reader", "wrong-pw", &source)), &options).await;
    assert_eq!(error.code(), Code::SourceLoginRefused, "{error:?}");
    assert!(!format!("{error:?}").contains("wrong-pw"));
    let error = refused(client, &dsn(&server.dsn("no_such_database")), &options).await;
    assert_eq!(error.code(), Code::SourceDatabaseMissing);
    let error = refused(client, &dsn("postgres://u@127.0.0.1:1/d"), &options).await;
    assert_eq!(error.code(), Code::SourceUnreachable);
    let newer = dsn(&postgres::shared(18).dsn("postgres"));
    let error = refused(client, &newer, &options).await;
    assert_eq!(error.code(), Code::ClientMissing);

    server
        .sql(
            &source,
            "GRANT SELECT ON secret_rows TO reader; ALTER TABLE secret_rows ENABLE ROW LEVEL SECURITY",
        )
        .await;
    let error = refused(client, &reader, &options).await;
    assert_eq!(error.code(), Code::SourcePermission);
    assert!(error.message().contains("row-level security"), "{error}");
}

#[tokio::test]
async fn a_locked_table_is_waited_for_only_as_long_as_asked() {
    let clients = clients().await;
    let client = clients.choose_for_dump(15, Codec::Gzip).unwrap();
    let server = postgres::shared(15);
    let source = server.fresh_database("locked").await;
    server.sql(&source, "CREATE TABLE busy AS SELECT 1").await;
    let holder = server.connect(&source).await;
    holder.batch_execute("BEGIN; LOCK TABLE busy IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let mut options = DumpOptions::default();
    options.lock_timeout_seconds = Some(1);
    let error = refused(client, &dsn(&server.dsn(&source)), &options).await;
    assert_eq!(error.code(), Code::SourceLocked);
}

#[tokio::test]
async fn too_few_locks_are_told_apart() {
    let few = [("max_locks_per_transaction", "10"), ("max_connections", "5"), ("max_wal_senders", "0")];
    let server = Postgres::start_with(15, &few);
    for schema in 1..=20 {
        let tables = format!(
            "FOR n IN 1..100 LOOP EXECUTE format('CREATE TABLE s{schema}.t%s (id int)', n); END LOOP"
        );
        server.sql("postgres", &format!("CREATE SCHEMA s{schema}; DO $$BEGIN {tables}; END$$")).await;
    }
    let clients = clients().await;
    let client = clients.choose_for_dump(15, Codec::Gzip).unwrap();
    let error = refused(client, &dsn(&server.dsn("postgres")), &DumpOptions::default()).await;
    assert_eq!(error.code(), Code::SourceLocksExhausted, "{error}");
    assert!(error.code().next_action().contains("max_locks_per_transaction"));
}

#[tokio::test]
async fn a_server_that_dies_in_mid_dump_is_a_lost_connection() {
    let server = Postgres::start(18);
    server.sql("postgres", &Torture { bulk_rows: 40_000, ..Torture::default() }.sql()).await;
    let clients = clients().await;
    let client = clients.choose_for_dump(18, Codec::None).unwrap();
    let mut dump = Dump::start(client, &dsn(&server.dsn("postgres")), &options(Codec::None)).unwrap();
    let first = dump.next().await.unwrap().unwrap();
    assert!(first.len() >= 256 * 1024);
    server.kill();
    while dump.next().await.unwrap().is_some() {}
    let error = dump.finish().await.unwrap_err();
    assert_eq!(error.code(), Code::SourceConnectionLost, "{error:?}");
}

// ---- programs that misbehave ----

/// A folder with a `pg_dump` that answers `--version` as usual and else runs the script.
async fn fake(script: &str) -> (tempfile::TempDir, Client) {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("pg_dump");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) 15.3'; exit; fi\n{script}\n"
    );
    write_program(&program, &text);
    let client = Client::at(dir.path()).await.unwrap();
    assert_eq!((client.version(), client.major()), ("15.3", 15));
    (dir, client)
}

// By another process: a file this one has open for writing could not be run while another test is forking.
fn write_program(path: &Path, text: &str) {
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""]).arg(path).arg(text);
    assert!(shell.status().unwrap().success());
}

async fn outcome(script: &str) -> walwarden_core::Result<(Vec<u8>, Dumped)> {
    let (_dir, client) = fake(script).await;
    read(Dump::start(&client, &dsn("postgres://u:hunter2@h/d"), &DumpOptions::default()).unwrap()).await
}

#[tokio::test]
async fn a_zero_exit_status_and_the_magic_make_a_dump() {
    let (archive, dumped) =
        outcome("printf PGDMPxyz; echo 'pg_dump: warning: circular hunter2' >&2").await.unwrap();
    assert_eq!(archive, b"PGDMPxyz");
    assert_eq!(
        (dumped.dump_version.as_str(), dumped.warnings.as_str()),
        ("15.3", "pg_dump: warning: circular …")
    );
}

#[tokio::test]
async fn the_end_of_output_alone_is_no_success() {
    for (script, code, words) in [
        ("printf PGDMPxyz; exit 1", Code::DumpFailed, "pg_dump failed without a word exit=1"),
        (
            "printf PGDMPxyz; echo 'pg_dump: error: hunter2 broke' >&2; exit 3",
            Code::DumpFailed,
            "… broke\" exit=3",
        ),
        ("exit 0", Code::DumpFailed, "wrote nothing"),
        ("printf PGD", Code::DumpFailed, "not a custom-format archive"),
        ("echo '-- SQL'", Code::DumpFailed, "not a custom-format archive"),
        ("printf PGDMP; kill -KILL $$", Code::DumpKilled, "signal=9"),
        ("printf PGDMP; kill -SEGV $$", Code::DumpKilled, "signal=11"),
        ("printf PGDMP; sh -c 'kill -KILL $$'; exit $?", Code::DumpKilled, "signal=9"),
    ] {
        let error = outcome(script).await.unwrap_err();
        assert_eq!(error.code(), code, "{script}");
        assert!(error.message().contains(words), "{script}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{script}");
    }
}

#[tokio::test]
async fn a_flood_on_standard_error_neither_blocks_nor_fills_memory() {
    let script = "head -c 104857600 /dev/zero | tr '\\0' x >&2; echo >&2; printf PGDMP; echo 'pg_dump: error: at last' >&2; exit 1";
    let error = outcome(script).await.unwrap_err();
    assert!(error.message().contains("at last"), "{:.200}", error.message());
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert!(said.len() < 70_000 && said.contains("bytes left out"));
}

#[tokio::test]
async fn the_password_is_in_the_environment_and_nowhere_else() {
    let script = "printf PGDMP; tr '\\0' ' ' </proc/$$/cmdline; echo; tr '\\0' '\\n' </proc/$$/environ";
    let (text, _) = outcome(script).await.unwrap();
    let text = String::from_utf8(text).unwrap();
    let (arguments, environment) = text.split_once('\n').unwrap();
    assert!(
        arguments.contains("--dbname=dbname='d' host='h' user='u'") && !arguments.contains("hunter2"),
        "{arguments}"
    );
    let mut names: Vec<_> = environment.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    assert_eq!(names, ["LC_ALL", "PATH", "PGCLIENTENCODING", "PGPASSWORD", "PGTZ"]);
}

#[tokio::test]
async fn a_dump_that_hangs_dies_with_its_value_and_its_children() {
    let dir = tempfile::tempdir().unwrap();
    let pids = dir.path().join("pids");
    let script = format!("sleep 300 & echo $$ $! >{}; printf PGDMP; wait", pids.display());
    let (_dir, client) = fake(&script).await;
    let source = dsn("host=h");
    for killed in [false, true] {
        let _ = std::fs::remove_file(&pids);
        let mut dump = Dump::start(&client, &source, &DumpOptions::default()).unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(500), dump.next()).await;
        assert!(waited.is_err(), "a hanging program has nothing more to say");
        let text = std::fs::read_to_string(&pids).unwrap();
        if killed {
            dump.kill().await
        } else {
            drop(dump)
        }
        let started = Instant::now();
        for pid in text.split_whitespace() {
            while alive(pid) {
                assert!(started.elapsed() < Duration::from_secs(10), "process {pid} is still there");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn finishing_early_is_refused() {
    let (_dir, client) = fake("printf PGDMP; sleep 300").await;
    let dump = Dump::start(&client, &dsn("host=h"), &DumpOptions::default()).unwrap();
    assert_eq!(dump.finish().await.unwrap_err().code(), Code::Internal);
}

#[tokio::test]
async fn a_program_that_is_gone_is_a_missing_client() {
    let (dir, client) = fake("exit 0").await;
    drop(dir);
    let error = Dump::start(&client, &dsn("host=h"), &DumpOptions::default()).unwrap_err();
    assert_eq!(error.code(), Code::ClientMissing);
}
