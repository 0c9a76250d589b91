//! Tables of one snapshot read over several connections, judged by what one connection reads.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

use std::process::Command;

use walwarden_core::Code;
use walwarden_core::source::{Copied, Copies, Dsn, Snapshot, TableName, TableSource};
use walwarden_testkit::postgres::{self, MAJORS, shared};
use walwarden_testkit::torture::Torture;

fn table(name: &str, columns: &str) -> TableSource {
    TableSource {
        table: TableName { schema: "public".into(), name: name.into() },
        columns: columns.into(),
        condition: String::new(),
    }
}

/// Everything, per table, and the number of connections.
async fn read(dsn: &Dsn, tables: &[TableSource], jobs: usize) -> (Vec<Vec<u8>>, usize) {
    let mut copies = Snapshot::export(dsn).await.unwrap().copy(tables, jobs).await.unwrap();
    let connections = copies.connections();
    (gather(&mut copies, tables.len()).await, connections)
}

async fn gather(copies: &mut Copies, tables: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut current = Vec::new();
    while let Some(copied) = copies.next().await.unwrap() {
        match copied {
            Copied::Lines(table, lines) => {
                assert_eq!(table, all.len(), "tables come in order");
                current.extend_from_slice(&lines);
            }
            Copied::End(table) => {
                assert_eq!(table, all.len(), "tables end in order");
                all.push(std::mem::take(&mut current));
            }
        }
    }
    assert_eq!(all.len(), tables);
    all
}

fn by_psql(server: &postgres::Postgres, database: &str, copy: &str) -> Vec<u8> {
    let output = Command::new(postgres::bin_dir(server.major()).join("psql"))
        .args(["-X", "-q", "-d", &server.dsn(database), "-c", "set synchronize_seqscans = off", "-c", copy])
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

const LARGE: &str = "
    create table wide (id int8, t text, \"Odd Name\" bytea);
    insert into wide select i, repeat(md5(i::text), 40), sha256(i::text::bytea) from generate_series(1, 30000) i;
    delete from wide where id between 5000 and 9000;
    update wide set t = 'moved' where id % 7 = 0;
    create table empty (a int);
    create table columnless ();
    insert into columnless select from generate_series(1, 3);
    create table toasted (id int, big text);
    alter table toasted alter big set storage external;
    insert into toasted select i, repeat(md5(i::text), 20000) from generate_series(1, 60) i;
    create table parent (a int); create table child (b int) inherits (parent);
    insert into parent select generate_series(1, 10); insert into child values (1, 2);";

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_read_what_one_reads_byte_for_byte() {
    for major in MAJORS {
        let server = shared(major);
        let database = server.fresh_database("copies").await;
        server.sql(&database, LARGE).await;
        let dsn: Dsn = server.dsn(&database).parse().unwrap();
        let tables = [
            table("empty", "a"),
            table("wide", "id, t, \"Odd Name\""),
            table("columnless", ""),
            table("parent", "a"),
            table("toasted", "id, big"),
            table("child", "a, b"),
        ];
        let names = ["empty (a)", "wide", "columnless", "parent", "toasted", "child"];
        let judge: Vec<Vec<u8>> =
            names.iter().map(|name| by_psql(server, &database, &format!("copy {name} to stdout"))).collect();
        assert!(judge[1].len() > 20_000_000 && judge[4].len() > 20_000_000 && judge[2] == b"\n\n\n");
        for jobs in [1, 2, 5] {
            let (rows, connections) = read(&dsn, &tables, jobs).await;
            assert_eq!(connections, jobs);
            assert!(rows == judge, "server {major}, {jobs} jobs");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_after_the_snapshot_is_not_read() {
    let server = shared(17);
    let database = server.fresh_database("snapshot").await;
    server
        .sql(
            &database,
            "create table t as select i, repeat(md5(i::text), 30) from generate_series(1, 30000) i",
        )
        .await;
    let dsn: Dsn = server.dsn(&database).parse().unwrap();
    let before = by_psql(server, &database, "copy t to stdout");
    let snapshot = Snapshot::export(&dsn).await.unwrap();
    server.sql(&database, "update t set i = -i where i % 3 = 0; delete from t where i % 5 = 0").await;
    server.sql(&database, "insert into t select i, 'late' from generate_series(1, 20000) i").await;
    let mut copies = snapshot.copy(&[table("t", "i, repeat")], 3).await.unwrap();
    assert!(gather(&mut copies, 1).await == [before]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_somebody_waits_to_change_is_source_locked_and_nobody_hangs() {
    let server = shared(16);
    let database = server.fresh_database("waiting").await;
    server.sql(&database, &format!("{LARGE}; create table next as select 1 as a")).await;
    let dsn: Dsn = server.dsn(&database).parse().unwrap();
    // A reader like pg_dump, and somebody who waits for it.
    let reader = walwarden_core::source::connect(&dsn).await.unwrap();
    reader.batch_execute("begin; lock table next in access share mode").await.unwrap();
    let changer = walwarden_core::source::connect(&dsn).await.unwrap();
    let change = tokio::spawn(async move { changer.batch_execute("alter table next add b int").await });
    let waits = "select count(*) from pg_locks where not granted";
    while reader.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let snapshot = Snapshot::export(&dsn).await.unwrap();
    let error = snapshot.copy(&[table("wide", "id"), table("next", "a")], 2).await.unwrap_err();
    assert_eq!(error.code(), Code::SourceLocked, "{error}");
    reader.batch_execute("rollback").await.unwrap();
    change.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_few_connections_is_read_over_those_it_has() {
    let server = postgres::Postgres::start_with(
        17,
        &[
            ("max_connections", "4"),
            ("superuser_reserved_connections", "0"),
            ("reserved_connections", "0"),
            ("max_wal_senders", "0"),
        ],
    );
    let database = server.fresh_database("few").await;
    server.sql(&database, LARGE).await;
    let dsn: Dsn = server.dsn(&database).parse().unwrap();
    let judge = by_psql(&server, &database, "copy wide to stdout");
    let (rows, connections) = read(&dsn, &[table("wide", "id, t, \"Odd Name\"")], 8).await;
    assert!((1..=4).contains(&connections), "{connections}");
    assert!(rows == [judge]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_ended_is_told_and_never_taken_for_the_end_of_a_table() {
    let server = shared(15);
    let database = server.fresh_database("ended").await;
    server.sql(&database, LARGE).await;
    let dsn: Dsn = server.dsn(&database).parse().unwrap();
    let mut copies = Snapshot::export(&dsn)
        .await
        .unwrap()
        .copy(&[table("wide", "id, t"), table("toasted", "id, big")], 3)
        .await
        .unwrap();
    assert!(matches!(copies.next().await.unwrap(), Some(Copied::Lines(0, _))));
    let other = walwarden_core::source::connect(&dsn).await.unwrap();
    other
        .batch_execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
        .await
        .unwrap();
    let error = loop {
        match copies.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("every connection was ended"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), Code::SourceConnectionLost, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_torture_schema_has_the_same_rows_over_one_connection_and_over_four() {
    let server = shared(18);
    let database = server.fresh_database("torture").await;
    server.sql(&database, &Torture::default().sql()).await;
    let dsn: Dsn = server.dsn(&database).parse().unwrap();
    let client = walwarden_core::source::connect(&dsn).await.unwrap();
    let sql = "select n.nspname::text, c.relname::text, coalesce((select string_agg(quote_ident(attname), ', ' order by attnum) \
               from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = ''), '') \
               from pg_class c join pg_namespace n on n.oid = relnamespace where relkind = 'r' and nspname !~ '^pg_|^info'";
    let rows = client.query(sql, &[]).await.unwrap();
    let tables: Vec<TableSource> = rows
        .iter()
        .map(|row| TableSource {
            table: TableName { schema: row.get(0), name: row.get(1) },
            columns: row.get(2),
            condition: String::new(),
        })
        .collect();
    assert!(tables.len() >= 13);
    let (one, _) = read(&dsn, &tables, 1).await;
    let (four, _) = read(&dsn, &tables, 4).await;
    assert!(one == four && one.iter().filter(|rows| !rows.is_empty()).count() > 8);
}
