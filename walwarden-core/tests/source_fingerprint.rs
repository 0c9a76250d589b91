//! Fingerprints of real databases: blind to order and session settings, not to anything else.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

use walwarden_core::Code;
use walwarden_core::source::{Dsn, TableName, fingerprint};
use walwarden_testkit::postgres::{self, MAJORS, Postgres};
use walwarden_testkit::torture::Torture;

type Fingerprint = std::collections::BTreeMap<TableName, walwarden_core::source::TableContent>;

async fn of(server: &Postgres, database: &str) -> Fingerprint {
    let dsn: Dsn = server.dsn(database).parse().unwrap();
    fingerprint(&mut server.connect(database).await, &dsn).await.unwrap()
}

fn differing(one: &Fingerprint, other: &Fingerprint) -> Vec<String> {
    let names = one.keys().chain(other.keys()).collect::<std::collections::BTreeSet<_>>();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_same_rows_have_the_same_fingerprint_on_every_major() {
    let mut all = Vec::new();
    for major in MAJORS {
        let server = postgres::shared(major);
        let database = server.fresh_database("same").await;
        server.sql(&database, &Torture { bulk_rows: 300, ..Torture::default() }.sql()).await;
        // What must not matter: physical order and what the role or database sets.
        let settings = "ALTER DATABASE \"{}\" SET timezone = 'Pacific/Chatham'; ALTER DATABASE \"{}\" SET datestyle = 'German';
             ALTER DATABASE \"{}\" SET bytea_output = escape; ALTER DATABASE \"{}\" SET extra_float_digits = -5;
             ALTER DATABASE \"{}\" SET intervalstyle = sql_standard; ALTER DATABASE \"{}\" SET search_path = shop";
        server.sql(&database, &settings.replace("{}", &database)).await;
        server.sql(&database, "UPDATE shop.orders SET net = net WHERE id % 3 = 0").await;
        all.push(of(server, &database).await);
    }
    for (other, major) in all.iter().zip(MAJORS) {
        assert_eq!(differing(&all[0], other), Vec::<String>::new(), "server {major}");
    }
    assert_eq!(all[0][&TableName::large_objects()].rows, 6); // empty, 1 byte, three pieces of 2 MB, one with a hole
}

#[tokio::test]
async fn every_change_of_content_shows_and_only_in_its_table() {
    let server = postgres::shared(17);
    let database = server.fresh_database("changes").await;
    server.sql(&database, &Torture::default().sql()).await;
    let mut before = of(server, &database).await;
    for (change, table) in [
        ("UPDATE shop.orders SET net = net + 0.01 WHERE id = 1007", "\"shop\".\"orders\""),
        ("DELETE FROM shop.bird WHERE name IS NULL", "\"shop\".\"bird\""),
        ("UPDATE shop.edge_values SET t = NULL WHERE t = ''", "\"shop\".\"edge_values\""),
        ("UPDATE shop.edge_values SET n = 0.000 WHERE id = 3", "\"shop\".\"edge_values\""),
        ("INSERT INTO shop.no_columns DEFAULT VALUES", "\"shop\".\"no_columns\""),
        ("INSERT INTO shop.no_rows VALUES (1)", "\"shop\".\"no_rows\""),
        ("INSERT INTO shop.duplicates VALUES (7)", "\"shop\".\"duplicates\""),
        ("CREATE TABLE added ()", "\"public\".\"added\""),
        ("SELECT lo_put(910003, 1500000, '\\x01')", "large objects"),
        ("SELECT lo_create(910009)", "large objects"),
    ] {
        server.sql(&database, change).await;
        let after = of(server, &database).await;
        assert_eq!(differing(&before, &after), [table], "{change}");
        before = after;
    }
    server
        .sql(
            &database,
            "REFRESH MATERIALIZED VIEW shop.sales_kept; ALTER TABLE shop.orders DROP COLUMN gross CASCADE",
        )
        .await;
    assert_eq!(differing(&before, &of(server, &database).await), Vec::<String>::new());
}

#[tokio::test]
async fn rows_that_may_not_be_seen_are_an_error_not_a_smaller_count() {
    let server = postgres::shared(17);
    let database = server.fresh_database("unseen").await;
    server.sql(&database, "CREATE ROLE half_blind LOGIN PASSWORD 'half-blind'; CREATE TABLE t AS SELECT 1 AS a; GRANT SELECT ON t TO half_blind; ALTER TABLE t ENABLE ROW LEVEL SECURITY").await;
    let dsn: Dsn = server.dsn_as("half_blind", "half-blind", &database).parse().unwrap();
    let mut client = walwarden_core::source::connect(&dsn).await.unwrap();
    let error = fingerprint(&mut client, &dsn).await.unwrap_err();
    assert_eq!(error.code(), Code::SourcePermission);
    server.sql(&database, "REVOKE ALL ON t FROM half_blind").await;
    let error = fingerprint(&mut client, &dsn).await.unwrap_err();
    assert_eq!(error.code(), Code::SourcePermission);
}
