//! What belongs to a database itself: encoding, owner, comment, rights, settings.
#![allow(clippy::unwrap_used)] // helpers of tests

mod scene;

use scene::restore::{Scene, content};
use scene::{Diary, SHOP};
use walwarden_core::restore::{RestoreSession, Restored};
use walwarden_core::source::Dsn;
use walwarden_testkit::postgres::Postgres;

/// A shop whose database has a property of every kind, backed up on a server of its own.
async fn rich_scene(major: u32) -> Scene {
    let mut scene = Scene::new(major).await;
    let (server, name) = (scene.postgres, scene.source.clone());
    for role in ["shopkeeper", "clerk"] {
        let sql =
            format!("do $$ begin create role {role}; exception when duplicate_object then null; end $$");
        server.sql("postgres", &sql).await;
    }
    let properties = format!(
        "alter database {name} set search_path = 'Weird Path', public;
         alter database {name} set work_mem = '7MB';
         alter database {name} set log_statement = 'ddl';
         alter database {name} set app.secret_word = 'xyzzy plugh';
         alter database {name} set default_transaction_read_only = on;
         alter role clerk in database {name} set work_mem = '9MB';
         comment on database {name} is 'one; it''s mine';
         revoke connect on database {name} from public;
         grant connect on database {name} to clerk;
         alter database {name} connection limit 33;
         alter database {name} owner to shopkeeper;"
    );
    for statement in properties.split(";\n") {
        server.sql("postgres", statement).await;
    }
    scene.sealed = scene.home.backup(&server.dsn(&name)).await.unwrap();
    scene
}

async fn restored(scene: &Scene, server: &Postgres, dsn: &str, name: &str, no_owner: bool) -> Restored {
    let mut request = scene.named(name).await;
    request.target = Dsn::parse(dsn).unwrap();
    request.no_owner = no_owner;
    let session = scene.home.engine.restore();
    let plan = session.plan(request).await.unwrap();
    let restored = session.apply(plan, &Diary::default()).await.unwrap();
    assert_eq!(content(scene.postgres, &scene.source).await, content(server, name).await);
    restored
}

/// All properties of a database in one text, without its name.
async fn properties(server: &Postgres, name: &str) -> String {
    let sql = "select concat_ws(E'\\n', pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype,
             datconnlimit, (select string_agg(acl::text, ' ' order by acl::text) from unnest(datacl) acl),
             shobj_description(d.oid, 'pg_database'),
             (select string_agg(concat(setrole::regrole, ': ', setconfig), E'\\n' order by setrole)
              from pg_db_role_setting where setdatabase = d.oid))
         from pg_database d where datname = $1";
    server.connect("postgres").await.query_one(sql, &[&name]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_of_another_name_has_the_properties_of_the_one_that_was_backed_up() {
    for major in [14, 17] {
        let scene = rich_scene(major).await;
        let server = scene.postgres;
        let name = format!("Cöpy \"{major}\" it's");
        let done = restored(&scene, server, &server.dsn("postgres"), &name, false).await;
        assert_eq!(done.notices, [""; 0]);
        let expected = properties(server, &scene.source).await;
        for part in ["shopkeeper", "33", "clerk=c/", "it's mine", "Weird Path", "clerk: {work_mem=9MB}"] {
            assert!(expected.contains(part), "{part} is not in {expected}");
        }
        assert_eq!(properties(server, &name).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ordinary_role_may_not_set_costs_a_notice_and_not_the_restore() {
    let scene = rich_scene(17).await;
    let target = Postgres::start(17); // without the two roles
    target.sql("postgres", "create role ada login createdb password 'ada pw'").await;
    let dsn = target.dsn_as("ada", "ada pw", "postgres");
    let done = restored(&scene, &target, &dsn, "wanted", true).await;
    let told = done.notices.join("\n");
    assert!(told.contains("ALTER DATABASE \"wanted\" SET log_statement (permission denied"), "{told}");
    assert!(
        told.contains("GRANT CONNECT ON DATABASE \"wanted\" TO clerk (role \"clerk\" does not exist)"),
        "{told}"
    );
    assert!(told.contains("app.secret_word"), "{told}");
    assert!(!told.contains("xyzzy") && !told.contains("walwarden_restore_"), "{told}");
    let set = properties(&target, "wanted").await;
    for part in ["ada", "33", "it's mine", "work_mem=7MB", "Weird Path"] {
        assert!(set.contains(part), "{part} is not in {set}");
    }
    let names = Scene::databases(&target).await;
    assert!(!names.iter().any(|name| name.starts_with("walwarden_restore_")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_server_gets_the_locale_in_words_that_it_knows() {
    let mut scene = Scene::new(17).await;
    let source = scene.postgres.fresh_database("plain").await;
    scene.postgres.sql(&source, SHOP).await;
    scene.sealed = scene.home.backup(&scene.postgres.dsn(&source)).await.unwrap();
    scene.source = source;
    let target = Postgres::start(14);
    let done = restored(&scene, &target, &target.dsn("postgres"), "older", false).await;
    assert!(done.notices.iter().all(|notice| notice.contains("transaction_timeout")), "{:?}", done.notices);
    assert!(properties(&target, "older").await.contains("\nUTF8\nC\nC\n"));
}
