//! Restores straight from the store, judged by what stock `pg_restore` makes of the same dump.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use scene::restore::{Scene, content, unique};
use scene::{Diary, Home, clients};
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::restore::{Check, Mode, RestoreRequest, RestoreSession, Selection, Spooling};
use walwarden_core::source::{Dsn, TableName};
use walwarden_core::storage::{ObjectName, StorageExt};
use walwarden_core::verify::index::Index;
use walwarden_core::watch::{Transfer, Watch};
use walwarden_core::{Code, Exit};
use walwarden_testkit::postgres::{MAJORS, Postgres, bin_dir};
use walwarden_testkit::storage::{Call, FaultyStorage, Misbehaviour};
use walwarden_testkit::torture::Torture;

/// A database as SQL, but for its name and the random word that newer versions begin and end with.
fn as_sql(server: &Postgres, database: &str) -> String {
    let output = Command::new(bin_dir(server.major()).join("pg_dump"))
        .args(["--encoding=UTF8", "--dbname"])
        .arg(server.dsn(database))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.contains("restrict ")).fold(String::new(), |sql, line| sql + line + "\n")
}

fn dump(scene: &Scene) -> PathBuf {
    scene.home.folder.join("store").join(&scene.sealed.manifest.body().artifact_key)
}

/// A request that must not spool, over so many connections.
async fn straight(scene: &Scene, name: &str, jobs: u32) -> RestoreRequest {
    let mut request = scene.named(name).await;
    (request.spooling, request.jobs) = (Spooling::Never, jobs);
    request
}

/// The same into a server that no other test has databases on.
async fn straight_into(server: &Postgres, scene: &Scene, name: &str, jobs: u32) -> RestoreRequest {
    let mut request = straight(scene, name, jobs).await;
    request.target = Dsn::parse(&server.dsn("postgres")).unwrap();
    request
}

const EMPTY_SERVER: [&str; 3] = ["postgres", "template0", "template1"];

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_straight_from_the_store_is_what_pg_restore_makes_of_the_dump() {
    for major in MAJORS {
        let sql = Torture { bulk_rows: 3_000, many_tables: 50, ..Torture::default() }.sql();
        let scene = Scene::of(major, &sql).await;
        let stock = scene.postgres.fresh_database("stock").await;
        let restored = Command::new(bin_dir(major).join("pg_restore"))
            .args(["--exit-on-error", "--dbname", &scene.postgres.dsn(&stock)])
            .arg(dump(&scene))
            .output()
            .unwrap();
        assert!(restored.status.success(), "{major}: {}", String::from_utf8_lossy(&restored.stderr));
        let expected = as_sql(scene.postgres, &stock);
        assert!(expected.contains("lo_create") || expected.contains("lowrite"), "there are large objects");
        for jobs in [1, 4] {
            let name = unique("straight");
            let request = straight(&scene, &name, jobs).await;
            let plan = scene.home.engine.restore().plan(request).await.unwrap();
            assert!(!plan.spools());
            scene
                .home
                .engine
                .restore()
                .apply(plan, &Diary::default())
                .await
                .unwrap_or_else(|e| panic!("{major}: {e:?}"));
            assert!(
                as_sql(scene.postgres, &name) == expected,
                "{major} over {jobs}: another database came out"
            );
            assert_eq!(content(scene.postgres, &name).await, content(scene.postgres, &stock).await);
        }
    }
}

/// Stock `pg_restore` sets privileges when the rows are there.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_has_revoked_its_own_rights_restores_its_database() {
    let server = Postgres::start(17);
    server
        .sql(
            "postgres",
            "create role app login createdb password 'secret'; create role reader; grant reader to app",
        )
        .await;
    server.sql("postgres", "create database shop owner app").await;
    let tables = "set role app; create schema s;
         create table s.ledger (id int primary key, what text); insert into s.ledger values (1, 'kept');
         revoke all on s.ledger from app; grant select on s.ledger to app, reader;
         create table s.plain (id int); insert into s.plain values (2);";
    let bare = "set role app; create table only_rows (id int); insert into only_rows values (3);
         revoke all on only_rows from app; grant select on only_rows to app";
    let home_folder = tempfile::tempdir().unwrap();
    let home = Home::open(home_folder.path()).await;
    for (name, sql) in [("shop", tables), ("bare", bare)] {
        if name == "bare" {
            server.sql("postgres", "create database bare owner app").await;
        }
        server.sql(name, sql).await;
        let sealed = home.backup(&server.dsn_as("app", "secret", name)).await.unwrap();
        for (jobs, spooling) in [(1, Spooling::Never), (3, Spooling::Never), (2, Spooling::Always)] {
            let copy = format!("{name}_copy_{jobs}");
            let mut request = RestoreRequest::new(
                sealed.manifest_sha256,
                Arc::clone(&home.storage),
                vec![*home.signer.public_key()],
                Dsn::parse(&server.dsn_as("app", "secret", "postgres")).unwrap(),
                Mode::NewDatabase,
                clients().await,
            );
            request.created_database = Some(copy.clone());
            (request.jobs, request.spooling) = (jobs, spooling);
            let plan = home.engine.restore().plan(request).await.unwrap();
            home.engine
                .restore()
                .apply(plan, &Diary::default())
                .await
                .unwrap_or_else(|e| panic!("{copy}: {e:?}"));
            assert_eq!(as_sql(&server, &copy), as_sql(&server, name), "{copy}");
        }
    }
}

/// Owners, privileges and comments of large objects, in a database that is not UTF-8.
#[tokio::test(flavor = "multi_thread")]
async fn large_objects_have_their_owners_and_text_its_encoding() {
    for major in MAJORS {
        let server = Postgres::start(major);
        server.sql("postgres", "create role keeper; create role reader").await;
        server
            .sql(
                "postgres",
                "create database latin encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'",
            )
            .await;
        server
            .sql(
                "latin",
                "create table \"Straße\" (name text); insert into \"Straße\" values ('Königsallee'), ('rue de l''été');
                 select lo_from_bytea(4001, decode(repeat('c0ffee', 300000), 'hex')), lo_create(4002),
                        lo_from_bytea(4003, 'öffentlich'::bytea);
                 alter large object 4001 owner to keeper; grant select on large object 4001 to reader;
                 comment on large object 4001 is 'für später'; revoke all on large object 4003 from postgres;
                 select lo_from_bytea(5000 + n, n::text::bytea) from generate_series(1, 1200) n;",
            )
            .await;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).await;
        let sealed = home.backup(&server.dsn("latin")).await.unwrap();
        for jobs in [1, 3] {
            let copy = format!("copy_{jobs}");
            let mut request = RestoreRequest::new(
                sealed.manifest_sha256,
                Arc::clone(&home.storage),
                vec![*home.signer.public_key()],
                Dsn::parse(&server.dsn("postgres")).unwrap(),
                Mode::NewDatabase,
                clients().await,
            );
            request.created_database = Some(copy.clone());
            (request.jobs, request.spooling, request.check) = (jobs, Spooling::Never, Check::Digests);
            let plan = home.engine.restore().plan(request).await.unwrap();
            home.engine
                .restore()
                .apply(plan, &Diary::default())
                .await
                .unwrap_or_else(|e| panic!("{major}: {e:?}"));
            assert!(as_sql(&server, &copy) == as_sql(&server, "latin"), "{major} over {jobs}");
        }
    }
}

/// Extensions may have put rows of their own into their tables.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_an_extensions_own_table_stay_beside_the_dumps() {
    let extensions = tempfile::tempdir().unwrap();
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(extensions.path(), readable).unwrap();
    let folder = extensions.path().join("extension");
    std::fs::create_dir(&folder).unwrap();
    let control = "default_version = '1.0'";
    let script = "create table countries (code text primary key, own boolean not null default false);
        insert into countries values ('at'), ('de');
        select pg_catalog.pg_extension_config_dump('countries', 'where own');";
    std::fs::write(folder.join("countries.control"), control).unwrap();
    std::fs::write(folder.join("countries--1.0.sql"), script).unwrap();
    // The server looks elsewhere than in its own folders since PostgreSQL 18.
    let path = format!("$system:{}", extensions.path().display());
    let server = Postgres::start_with(18, &[("extension_control_path", &path)]);
    server.create_database("shop").await;
    server.sql("shop", "create extension countries; insert into countries values ('xx', true)").await;
    let home_folder = tempfile::tempdir().unwrap();
    let home = Home::open(home_folder.path()).await;
    let sealed = home.backup(&server.dsn("shop")).await.unwrap();
    let postgres: &'static Postgres = Box::leak(Box::new(server));
    let scene = Scene { folder: home_folder, home, source: "shop".to_owned(), sealed, postgres };
    let name = unique("countries");
    let restored = scene.run(straight(&scene, &name, 2).await).await.unwrap();
    // The target has more rows than the dump.
    assert!(restored.notices.iter().any(|notice| notice.contains("\"countries\"")), "{:?}", restored.notices);
    assert_eq!(restored.checked, Some(Vec::new()));
    let client = scene.postgres.connect(&name).await;
    let row =
        client.query_one("select string_agg(code, ' ' order by code) from countries", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), "at de xx");
}

/// Dumped by hash partitions of an enum, whose hash is another in every database: rows go into the root.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_find_their_partition_themselves_are_all_there() {
    let scene = Scene::of(
        17,
        "create type mood as enum ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
         create table parts (n int, m mood) partition by hash (m);
         create table parts_0 partition of parts for values with (modulus 3, remainder 0);
         create table parts_1 partition of parts for values with (modulus 3, remainder 1);
         create table parts_2 partition of parts for values with (modulus 3, remainder 2);
         insert into parts select n, (enum_range(null::mood))[1 + n % 8] from generate_series(1, 800) n;",
    )
    .await;
    let sum = async |name: &str| {
        let client = scene.postgres.connect(name).await;
        let row = client
            .query_one("select count(*), sum(n)::int8, count(distinct m) from parts", &[])
            .await
            .unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2))
    };
    for (jobs, spooling) in [(1, Spooling::Never), (3, Spooling::Never), (2, Spooling::Always)] {
        let name = unique("parts");
        let mut request = scene.named(&name).await;
        (request.jobs, request.spooling, request.check) = (jobs, spooling, Check::Digests);
        let restored = scene.run(request).await.unwrap();
        assert!(restored.notices.iter().any(|notice| notice.contains("parts_1")), "{:?}", restored.notices);
        assert_eq!(sum(&name).await, sum(&scene.source).await, "{jobs} {spooling:?}");
    }
}

/// Over one connection as `pg_restore` does it: in the order of the dump, which some constraints rely upon.
#[tokio::test(flavor = "multi_thread")]
async fn one_connection_restores_in_the_order_of_the_dump() {
    let scene = Scene::of(
        17,
        "create table a_limits (most int); insert into a_limits values (1000000);
         create function allowed(int) returns boolean language plpgsql as
           $$ begin return $1 <= coalesce((select max(most) from public.a_limits), 0); end $$;
         create table z_amounts (n int check (allowed(n)), filling text);
         insert into z_amounts select n, repeat(md5(n::text), 10) from generate_series(1, 40000) n;",
    )
    .await;
    scene.run(straight(&scene, &unique("ordered"), 1).await).await.unwrap();
}

/// Room for few locks, and timeouts that cut whatever takes long.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_few_locks_and_short_timeouts_takes_thousands_of_tables() {
    let scene =
        Scene::of(17, &Torture { many_tables: 1200, bulk_rows: 20_000, ..Torture::default() }.sql()).await;
    let settings = [
        ("max_connections", "8"),
        ("max_locks_per_transaction", "10"),
        ("statement_timeout", "60ms"),
        ("idle_session_timeout", "1500ms"),
        ("idle_in_transaction_session_timeout", "60ms"),
    ];
    let server = Postgres::start_with(17, &settings);
    for (check, jobs) in [(Check::Counts, 1), (Check::Counts, 3), (Check::Digests, 2)] {
        let name = unique("narrow");
        let mut request = straight_into(&server, &scene, &name, jobs).await;
        request.check = check;
        let restored = scene.run(request).await.unwrap();
        assert!(restored.checked.unwrap().len() > 1200);
    }
}

/// Many tables, one of them small, in a dump of several chunks.
async fn wide() -> Scene {
    let scene = Scene::of(
        17,
        "create schema crm;
         create type crm.mood as enum ('glad', 'sad');
         create domain crm.short as text check (length(value) < 10);
         create function crm.next_name() returns text language sql as $$ select 'n' $$;
         create table crm.base (id int primary key);
         create table crm.small (name crm.short default crm.next_name(), mood crm.mood) inherits (crm.base);
         comment on table crm.small is 'the one';
         insert into crm.base values (1);
         insert into crm.small select n, 'x', 'glad' from generate_series(1, 100) n;
         create table noise (a text);
         insert into noise select string_agg(gen_random_uuid()::text, '') from generate_series(1, 900000) n group by n / 10;
         create table crm.other as select * from crm.small;
         create table more_noise as select * from noise;
         create view seen as select count(*) from noise;",
    )
    .await;
    assert!(
        scene.sealed.manifest.body().size_bytes > 24 << 20,
        "several chunks: {}",
        scene.sealed.manifest.body().size_bytes
    );
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_comes_with_what_it_needs_and_costs_little_more_than_its_own_bytes() {
    let scene = wide().await;
    let body = scene.sealed.manifest.body();
    let stated = body.index.clone().unwrap();
    let stored =
        scene.home.storage.read(&ObjectName::new(stated.key.clone()).unwrap(), 1 << 24).await.unwrap();
    let index = Index::parse(&stored).unwrap();
    let small = index.entries.iter().find(|entry| entry.name == "small" && entry.data.is_some()).unwrap();
    let allowed = small.data.as_ref().unwrap().length + index.toc_size_bytes + stated.size_bytes + (2 << 23);

    let counting = FaultyStorage::new(Arc::clone(&scene.home.storage));
    for jobs in [1, 4] {
        let name = unique("one_table");
        let mut request = straight(&scene, &name, jobs).await;
        request.selection = Selection::everything().with_table(Some("crm"), "small");
        (request.from, request.check) = (Arc::new(counting.clone()), Check::Digests);
        let before = counting.bytes_asked_for();
        let restored = scene.run(request).await.unwrap();
        let read = counting.bytes_asked_for() - before;
        assert!(read <= allowed, "{read} bytes were read, {allowed} are allowed");
        let checked: Vec<String> =
            restored.checked.unwrap().iter().map(|table| table.table.name.clone()).collect();
        assert_eq!(checked, ["small"]);
        let there = content(scene.postgres, &name).await;
        let table = |name: &str| TableName { schema: "crm".to_owned(), name: name.to_owned() };
        assert_eq!(there[&table("small")], content(scene.postgres, &scene.source).await[&table("small")]);
        // Its parent came without rows, and nothing else came.
        assert_eq!(there[&table("base")].rows, 0);
        assert!(!there.contains_key(&table("other")), "{there:?}");
    }

    let name = unique("one_spooled_table");
    let mut request = scene.named(&name).await;
    request.selection = Selection::everything().with_table(Some("crm"), "small");
    (request.spooling, request.jobs) = (Spooling::Always, 3);
    assert_eq!(scene.run(request).await.unwrap().checked.unwrap().len(), 1);

    let mut request = straight(&scene, &unique("misspelt"), 1).await;
    request.selection = Selection::everything().with_table(Some("crm"), "smal").with_schema("crn");
    let error = scene.home.engine.restore().plan(request).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::ArgumentInvalid, Exit::UserError));
    assert!(error.message().contains("schema crn, table crm.smal"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_comes_alone_and_definitions_come_without_rows() {
    use walwarden_core::restore::Scope;
    let scene = wide().await;
    let name = unique("schema");
    let mut request = straight(&scene, &name, 2).await;
    request.selection = Selection::everything().with_schema("crm");
    let restored = scene.run(request).await.unwrap();
    assert_eq!(restored.checked.unwrap().len(), 3);
    let there = content(scene.postgres, &name).await;
    assert!(there.keys().all(|table| table.schema == "crm" || table.schema.is_empty()), "{there:?}");

    for spooling in [Spooling::Never, Spooling::Always] {
        let name = unique("definitions");
        let mut request = scene.named(&name).await;
        (request.scope, request.spooling) = (Scope::SchemaOnly, spooling);
        assert_eq!(scene.run(request).await.unwrap().checked, None);
        let there = content(scene.postgres, &name).await;
        let tables: Vec<_> = there.iter().filter(|(table, _)| !table.schema.is_empty()).collect();
        assert_eq!(tables.len(), 5, "{there:?}");
        assert!(tables.iter().all(|(_, content)| content.rows == 0), "{there:?}");
    }

    let mut request = scene.named(&unique("rows")).await;
    request.scope = Scope::DataOnly;
    let error = scene.home.engine.restore().plan(request).await.unwrap_err();
    assert_eq!(error.code(), Code::ArgumentInvalid);
}

/// Of a table that is dropped and made anew nothing must be missing, its row security least of all.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_restored_alone_has_all_that_belongs_to_it() {
    let scene = Scene::of(
        17,
        "create table owners (id int primary key);
         create sequence shared_ids;
         create table accounts (id serial primary key, no int generated always as identity, owner int references owners,
           other int default nextval('shared_ids'), secret text check (length(secret) > 1), unique (owner, secret));
         create index accounts_secret on accounts (lower(secret));
         create statistics accounts_stats on owner, secret from accounts;
         alter table accounts enable row level security;
         create policy own_rows on accounts using (owner = 1);
         create function noted() returns trigger language plpgsql as $$ begin return new; end $$;
         create trigger noted before insert on accounts for each row execute function noted();
         create rule quiet as on delete to accounts do instead nothing;
         comment on policy own_rows on accounts is 'mine';
         insert into owners values (1); insert into accounts (owner, secret) values (1, 'xyz'), (1, 'abc');
         create materialized view seen as select count(*) from owners;
         create schema other; create table other.rows (id int primary key, of int references public.owners);
         insert into other.rows values (1, 1);",
    )
    .await;
    let before = as_sql(scene.postgres, &scene.source);
    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    request.confirm_destructive = true;
    request.selection = Selection::everything().with_table(Some("public"), "accounts");
    scene.run(request).await.unwrap();
    assert_eq!(as_sql(scene.postgres, &scene.source), before);

    let name = unique("alone");
    let mut request = straight(&scene, &name, 2).await;
    request.selection =
        Selection::everything().with_table(Some("public"), "accounts").with_table(None, "seen");
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let notices = plan.notices().join("\n");
    let left_out = "FK CONSTRAINT accounts accounts_owner_fkey";
    assert!(notices.contains(left_out) && notices.contains("MATERIALIZED VIEW DATA seen"), "{notices}");
    scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    let sql = as_sql(scene.postgres, &name);
    for part in [
        "ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own_rows",
        "COMMENT ON POLICY own_rows",
        "CREATE INDEX accounts_secret",
        "ADD CONSTRAINT accounts_pkey",
        "CREATE STATISTICS public.accounts_stats",
        "CREATE TRIGGER noted",
        "CREATE RULE quiet",
        "GENERATED ALWAYS AS IDENTITY",
        "SET DEFAULT nextval('public.accounts_id_seq'",
        "DEFAULT nextval('public.shared_ids'",
        "OWNED BY public.accounts.id",
        "setval('public.accounts_id_seq', 2, true)",
        "xyz",
    ] {
        assert!(sql.contains(part), "{part} in:\n{sql}");
    }
    assert!(!sql.contains("accounts_owner_fkey"), "{sql}");

    let name = unique("schema");
    let mut request = straight(&scene, &name, 1).await;
    request.selection = Selection::everything().with_schema("other");
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    assert!(plan.notices().join("\n").contains("FK CONSTRAINT rows rows_of_fkey"), "{:?}", plan.notices());
    scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
}

/// A partitioned table comes with its partitions, and no partition is lost.
#[tokio::test(flavor = "multi_thread")]
async fn partitions_come_and_go_with_their_table() {
    let scene = Scene::of(
        17,
        "create table events (at int, what text, primary key (at)) partition by range (at);
         create table events_1 partition of events for values from (0) to (100);
         create table events_2 partition of events for values from (100) to (300) partition by range (at);
         create table events_2_low partition of events_2 for values from (100) to (200);
         create table events_rest partition of events default;
         create index on events (what);
         insert into events select n, 'x' from generate_series(0, 599) n where n < 200 or n >= 300;
         create table log (line text); insert into log select n::text from generate_series(1, 1000) n;
         create table alone (a int); insert into alone values (1);
         create publication news for table alone, log where (line <> '7');",
    )
    .await;
    let before = as_sql(scene.postgres, &scene.source);
    let in_place = async |tables: &[&str]| {
        let mut request = scene.request(&scene.source, Mode::InPlace).await;
        request.confirm_destructive = true;
        for table in tables {
            request.selection = request.selection.with_table(Some("public"), table);
        }
        request
    };
    for tables in [&["events"][..], &["log"], &["alone", "events"], &[]] {
        let request = in_place(tables).await;
        let plan = scene.home.engine.restore().plan(request).await.unwrap();
        assert!(plan.in_one_transaction());
        scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
        assert!(as_sql(scene.postgres, &scene.source) == before, "{tables:?}");
    }
    let error = scene.home.engine.restore().plan(in_place(&["events_1"]).await).await.unwrap_err();
    assert_eq!(error.code(), Code::ArgumentInvalid);
    assert!(error.message().contains("events_1"), "{error}");

    // What refers to a table keeps it, and everything else, as it was.
    scene
        .postgres
        .sql(&scene.source, "create view lines as select * from log; delete from events where at < 7")
        .await;
    let changed = as_sql(scene.postgres, &scene.source);
    for tables in [&["log"][..], &[]] {
        let error = scene.run(in_place(tables).await).await.unwrap_err();
        assert_eq!(error.code(), Code::RestoreFailed, "{error:?}");
        assert!(error.message().contains("are unchanged"), "{error}");
        assert!(as_sql(scene.postgres, &scene.source) == changed, "{tables:?}");
    }
    scene.postgres.sql(&scene.source, "drop view lines").await;

    // The backup knows nothing of this one.
    let newer = "create table events_3 partition of events_2 for values from (200) to (300)";
    scene.postgres.sql(&scene.source, newer).await;
    for tables in [&["events"][..], &[]] {
        let error = scene.home.engine.restore().plan(in_place(tables).await).await.unwrap_err();
        assert_eq!((error.code(), error.code().exit()), (Code::ArgumentInvalid, Exit::UserError));
        assert!(error.message().contains("events_3"), "{error}");
    }
    scene.run(in_place(&["log"]).await).await.unwrap();

    let name = unique("partitioned");
    let mut request = straight(&scene, &name, 3).await;
    request.selection = Selection::everything().with_table(None, "events").with_table(None, "alone");
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    assert!(plan.notices().join(" ").contains("PUBLICATION TABLE"), "{:?}", plan.notices());
    scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    let client = scene.postgres.connect(&name).await;
    let row = client.query_one("select count(*) from events where what = 'x'", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 500);

    let mut request = straight(&scene, &unique("neither"), 1).await;
    request.selection = Selection::everything().with_table(None, "log").with_schema("pg_catalog");
    let error = scene.home.engine.restore().plan(request).await.unwrap_err();
    assert_eq!(error.code(), Code::ArgumentInvalid, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_one_table_is_replaced_and_data_alone_are_added() {
    use walwarden_core::restore::Scope;
    let scene = wide().await;
    let before = content(scene.postgres, &scene.source).await;
    let counting = FaultyStorage::new(Arc::clone(&scene.home.storage));
    for (change, scope) in [
        ("delete from crm.small where id > 50; update crm.other set mood = 'sad'", Scope::All),
        ("truncate crm.small", Scope::DataOnly),
    ] {
        scene.postgres.sql(&scene.source, change).await;
        let mut request = scene.request(&scene.source, Mode::InPlace).await;
        (request.confirm_destructive, request.scope) = (true, scope);
        request.selection = Selection::everything().with_table(Some("crm"), "small");
        request.from = Arc::new(counting.clone());
        let asked_before = counting.bytes_asked_for();
        let plan = scene.home.engine.restore().plan(request).await.unwrap();
        let dropped: &[&str] = if scope == Scope::All { &["crm.small"] } else { &[] };
        assert_eq!(plan.dropped(), dropped);
        assert!(plan.in_one_transaction() && plan.spools());
        scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
        assert!(counting.bytes_asked_for() - asked_before < 20 << 20);
        let after = content(scene.postgres, &scene.source).await;
        let changed: Vec<_> = before.keys().filter(|table| before.get(table) != after.get(table)).collect();
        assert_eq!(changed.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["other"]);
    }
    // Rows that are there already are not taken for the backup's.
    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    (request.confirm_destructive, request.scope) = (true, Scope::DataOnly);
    request.selection = Selection::everything().with_table(Some("crm"), "small");
    let error = scene.run(request).await.unwrap_err();
    assert_eq!(error.code(), Code::ContentMismatch, "{error:?}");
    assert!(error.message().contains("data was added to"), "{error}");

    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    (request.confirm_destructive, request.spooling) = (true, Spooling::Never);
    let error = scene.home.engine.restore().plan(request).await.unwrap_err();
    assert_eq!(error.code(), Code::ArgumentInvalid);
    assert!(error.message().contains("needs the spool folder"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_dump_leaves_no_database_wherever_the_damage_is() {
    let scene = wide().await;
    let path = dump(&scene);
    let whole = std::fs::read(&path).unwrap();
    let server = Postgres::start(17);
    let size = whole.len();
    let places = (0..8).map(|n| n * (size - 1) / 7);
    let flipped = places.map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    });
    let cut = [size - 1, size / 2, 10].map(|length| whole[..length].to_vec());
    let longer = [whole.as_slice(), b"\0"].concat();
    for bytes in flipped.chain(cut).chain([longer]) {
        std::fs::write(&path, &bytes).unwrap();
        let mut request = straight_into(&server, &scene, "damaged", 3).await;
        request.check = Check::None;
        let error = scene.run(request).await.unwrap_err();
        assert_eq!(
            (error.code(), error.code().exit()),
            (Code::ArtifactMismatch, Exit::Terminal),
            "{error:?}"
        );
        assert_eq!(Scene::databases(&server).await, EMPTY_SERVER);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_read_fails_the_restore_fails_by_that_name_and_the_next_one_works() {
    let scene = wide().await;
    let faulty = FaultyStorage::new(Arc::clone(&scene.home.storage));
    let server = Postgres::start(17);
    let mut nth = 0;
    loop {
        nth += 1;
        let reads = faulty.calls(Call::Get);
        faulty.misbehave(Call::Get, reads + nth, Misbehaviour::Fail(Code::StorageUnavailable));
        let mut request = straight_into(&server, &scene, "nth", 2).await;
        (request.from, request.check) = (Arc::new(faulty.clone()), Check::None);
        let outcome = scene.run(request).await;
        faulty.heal();
        let Err(error) = outcome else {
            assert!(Scene::databases(&server).await.contains(&"nth".to_owned()));
            // The last row of the audit chain, compared with the catalogue's: a restore must not fail for that.
            if nth == 2 {
                server.sql("postgres", "drop database nth").await;
                continue;
            }
            break;
        };
        assert_eq!(error.code(), Code::StorageUnavailable, "read {nth}: {error:?}");
        assert_eq!(Scene::databases(&server).await, EMPTY_SERVER, "read {nth}");
    }
    assert!(nth > 6, "{nth}");
}

/// Does something once some rows are on their way.
struct Midway(std::sync::Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl std::fmt::Debug for Midway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Midway")
    }
}

impl Watch for Midway {
    fn transfer(&self, transfer: Transfer) {
        if transfer.done_bytes * 3 > transfer.total_bytes.unwrap()
            && let Some(act) = self.0.lock().unwrap().take()
        {
            act();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_is_stopped_or_loses_its_server_midway_says_so() {
    let scene = wide().await;
    let server: &'static Postgres = Box::leak(Box::new(Postgres::start(17)));
    let request = straight_into(server, &scene, "stopped", 2).await;
    let cancel = request.cancel.clone();
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let midway = Midway(std::sync::Mutex::new(Some(Box::new(move || cancel.cancel()))));
    let error = scene.home.engine.restore().apply(plan, &midway).await.unwrap_err();
    assert_eq!(error.code(), Code::Cancelled, "{error:?}");
    assert_eq!(Scene::databases(server).await, EMPTY_SERVER);

    let request = straight_into(server, &scene, "killed", 2).await;
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let midway = Midway(std::sync::Mutex::new(Some(Box::new(move || server.kill()))));
    let error = scene.home.engine.restore().apply(plan, &midway).await.unwrap_err();
    assert_eq!(error.code(), Code::TargetConnectionLost, "{error:?}");
    assert!(error.message().contains("by hand"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_and_a_store_that_stalls_end_the_restore_by_their_names() {
    let scene = wide().await;
    let server: &'static Postgres = Box::leak(Box::new(Postgres::start(17)));
    let request = straight_into(server, &scene, "cut", 2).await;
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let terminate = || {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'COPY%' limit 1";
        let psql = bin_dir(17).join("psql");
        let ended =
            Command::new(psql).args(["-qXAt", "-c", sql, "-d", &server.dsn("postgres")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), "t");
    };
    let midway = Midway(std::sync::Mutex::new(Some(Box::new(terminate))));
    let error = scene.home.engine.restore().apply(plan, &midway).await.unwrap_err();
    assert_eq!(
        (error.code(), error.code().exit()),
        (Code::TargetConnectionLost, Exit::Retryable),
        "{error:?}"
    );
    assert_eq!(Scene::databases(server).await, EMPTY_SERVER);

    let faulty = FaultyStorage::new(Arc::clone(&scene.home.storage));
    faulty.misbehave(Call::Get, 4, Misbehaviour::Hang);
    let mut request = straight_into(server, &scene, "stalled", 2).await;
    request.from = Arc::new(faulty.clone());
    let cancel = request.cancel.clone();
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    let apply = scene.home.engine.restore();
    let restoring = tokio::spawn(async move { apply.apply(plan, &Diary::default()).await });
    while faulty.calls(Call::Get) < 4 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    cancel.cancel();
    let error = restoring.await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Cancelled, "{error:?}");
    assert_eq!(Scene::databases(server).await, EMPTY_SERVER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_fewer_connections_gets_the_rows_over_those_it_has() {
    let scene = Scene::of(17, &Torture { bulk_rows: 500, many_tables: 20, ..Torture::default() }.sql()).await;
    let server = Postgres::start_with(
        17,
        &[
            ("max_connections", "4"),
            ("superuser_reserved_connections", "0"),
            ("max_wal_senders", "0"),
            ("reserved_connections", "0"),
        ],
    );
    let request = straight_into(&server, &scene, "wanted", 4).await;
    let taken = [server.connect("postgres").await];
    let outcome = scene.run(request).await;
    drop(taken);
    let notices = outcome.unwrap().notices;
    assert!(notices.iter().any(|notice| notice.contains("3 connections instead of 4")), "{notices:?}");
    assert_eq!(content(&server, "wanted").await, content(scene.postgres, &scene.source).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_target_refuses_are_told_with_their_table() {
    // A check that reads another table holds when it is written, and not when it is restored.
    let scene = Scene::of(
        17,
        "create table z_limits (most int); insert into z_limits values (10);
         create function allowed(int) returns boolean language plpgsql as
           $$ begin return $1 <= coalesce((select max(most) from public.z_limits), 0); end $$;
         create table amounts (n int check (allowed(n)));
         insert into amounts select generate_series(1, 10);",
    )
    .await;
    let server = Postgres::start(17);
    let request = straight_into(&server, &scene, "refused", 1).await;
    let error = scene.run(request).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::RestoreFailed, Exit::Terminal), "{error:?}");
    assert!(error.message().contains("\"public\".\"amounts\""), "{error}");
    assert!(error.message().contains("nothing was left behind"), "{error}");
    assert_eq!(Scene::databases(&server).await, EMPTY_SERVER);
}
