//! Makes the archives in `walwarden-archive/tests/data`, which tests and examples without a server read:
//! `cargo test -p walwarden-testkit --test archives -- --ignored samples`

use std::fs::File;
use std::path::Path;

use walwarden_testkit::postgres::{self, MAJORS};

use crate::source::{Into, client, has_modern_codecs, psql, run};

const SHOP: &str = r#"
CREATE TABLE customers (id int PRIMARY KEY, name text, referred_by int REFERENCES customers);
INSERT INTO customers VALUES (1, 'Ada', NULL), (2, E'Gr\\ace\t', 1), (3, '', 1);
CREATE TABLE "no rows" (a int);
CREATE TABLE "Ünïcode" ("ключ" text) PARTITION BY LIST ("ключ");
CREATE TABLE "Ünïcode ö" PARTITION OF "Ünïcode" DEFAULT;
INSERT INTO "Ünïcode" SELECT repeat('привет ', n) FROM generate_series(1, 20) AS n;
CREATE SEQUENCE numbers;
CREATE MATERIALIZED VIEW names AS SELECT name FROM customers;
COMMENT ON TABLE customers IS 'who buys';
SELECT lo_create(4001), lo_from_bytea(4002, 'large'), lo_from_bytea(3000000000, '\x00ff');
"#;

#[test]
#[ignore = "rewrites walwarden-archive/tests/data; run it when a new major or layout comes"]
fn samples() {
    for major in MAJORS {
        let server = postgres::shared(major);
        psql(server, "postgres", "CREATE DATABASE shop");
        psql(server, "shop", SHOP);
        let mut layouts: Vec<(&str, &[&str], Into)> = vec![
            ("pipe", &[], Into::Pipe),
            ("none", &["--compress=0"], Into::Pipe),
            ("inserts", &["--inserts"], Into::File),
            ("stdout", &["--schema-only"], Into::Stdout),
        ];
        if has_modern_codecs(major) {
            layouts.push(("lz4", &["--compress=lz4"], Into::Pipe));
            layouts.push(("zstd", &["--compress=zstd"], Into::File));
        }
        for (name, args, into) in layouts {
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(format!("../walwarden-archive/tests/data/{name}-{major}.dump"));
            let mut command = client(server, "pg_dump");
            command.arg("--format=custom").args(args).arg("--dbname").arg(server.socket_dsn("shop"));
            match into {
                Into::File => drop(command.arg("--file").arg(&path)),
                Into::Stdout => drop(command.stdout(File::create(&path).unwrap())),
                Into::Pipe => {}
            }
            let output = run(&mut command);
            if into == Into::Pipe {
                std::fs::write(&path, output.stdout).unwrap();
            }
        }
        psql(server, "postgres", "DROP DATABASE shop");
    }
}
