//! Restores: every mode, every major, and everything that must stop one before the target is touched.
#![allow(clippy::unwrap_used)] // helpers of tests

mod scene;

use std::collections::BTreeMap;
use std::path::Path;

use scene::restore::{Scene, content, unique};
use scene::{Diary, Home, SHOP};
use walwarden_core::Code;
use walwarden_core::Error;
use walwarden_core::backup::SealedBackup;
use walwarden_core::catalog::JobState;
use walwarden_core::clock::SystemRandom;
use walwarden_core::manifest::{FileKey, ManifestSigner};
use walwarden_core::restore::{Mode, RestoreRequest, RestoreSession};
use walwarden_core::source::Dsn;
use walwarden_core::verify::Sha256;
use walwarden_core::watch::Cancel;
use walwarden_testkit::postgres::{MAJORS, Postgres, bin_dir, shared};
use walwarden_testkit::torture::{Torture, has_contrib};

#[tokio::test(flavor = "multi_thread")]
async fn every_major_restores_what_it_backed_up_row_for_row() {
    for major in MAJORS {
        let scene = Scene::new(major).await;
        let name = unique("copy");
        let restored = scene.run(scene.named(&name).await).await.unwrap_or_else(|e| panic!("{major}: {e:?}"));
        assert_eq!(restored.database, name);
        let (before, after) =
            (content(scene.postgres, &scene.source).await, content(scene.postgres, &name).await);
        assert!(before.len() >= 3, "{major}: {before:?}");
        assert_eq!(before, after, "{major}");
        assert_eq!(scene.home.assert_provable().await, 1);
    }
}

/// Among others: the trigger of a partitioned table, which `pg_restore --jobs` by itself fires on restored rows.
#[tokio::test(flavor = "multi_thread")]
async fn the_torture_schema_survives_a_round_trip() {
    for major in [15, 17, 18] {
        let postgres = shared(major);
        let source = postgres.fresh_database("torture").await;
        let torture = Torture { contrib: has_contrib(&bin_dir(major)), many_tables: 1000, bulk_rows: 2000 };
        postgres.sql(&source, &torture.sql()).await;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).await;
        let sealed = home.backup(&postgres.dsn(&source)).await.unwrap();
        let scene = Scene { folder, home, source, sealed, postgres };
        let name = unique("torture_copy");
        let mut request = scene.named(&name).await;
        request.jobs = 3;
        scene.run(request).await.unwrap_or_else(|error| panic!("{major}: {error:?}"));
        let (mut before, mut after) =
            (content(postgres, &scene.source).await, content(postgres, &name).await);
        assert!(before.len() > 1000, "{major}");
        let same = before
            .extract_if(.., |table, content| after.get(table) == Some(content))
            .collect::<BTreeMap<_, _>>();
        after.retain(|table, _| !same.contains_key(table));
        assert_eq!(before, after, "{major}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_servers_take_older_backups() {
    let scene = Scene::new(14).await;
    for target in [15, 16, 17, 18] {
        let server = shared(target);
        let name = unique("from_14");
        let mut request = scene.named(&name).await;
        request.target = Dsn::parse(&server.dsn("postgres")).unwrap();
        scene.run(request).await.unwrap_or_else(|error| panic!("into {target}: {error:?}"));
        assert_eq!(
            content(scene.postgres, &scene.source).await,
            content(server, &name).await,
            "into {target}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_server_takes_a_newer_backup_with_a_word_about_what_was_ignored() {
    let scene = Scene::new(17).await;
    let server = shared(15);
    let name = unique("down");
    let mut request = scene.named(&name).await;
    request.target = Dsn::parse(&server.dsn("postgres")).unwrap();
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    assert!(plan.notices().iter().any(|notice| notice.contains("does not know")), "{:?}", plan.notices());
    let restored = scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    assert!(restored.notices.iter().any(|n| n.contains("transaction_timeout")), "{:?}", restored.notices);
    assert_eq!(content(scene.postgres, &scene.source).await, content(server, &name).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_database_keeps_its_properties_and_its_awkward_name() {
    let source = Postgres::start(17);
    let name = "Shöp \"quoted\" 'x'";
    source.create_database(name).await;
    source.sql(name, SHOP).await;
    let quoted = walwarden_testkit::postgres::quote_identifier(name);
    source.sql("postgres", &format!("comment on database {quoted} is 'the shop'")).await;
    source.sql("postgres", &format!("alter database {quoted} set work_mem = '7MB'")).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let sealed = home.backup(&source.dsn(name)).await.unwrap();

    let target = Postgres::start(18);
    let request = home.restore_request(&sealed, &target.dsn("postgres"), Mode::NewDatabase).await;
    let plan = home.engine.restore().plan(request.clone()).await.unwrap();
    home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    assert_eq!(content(&source, name).await, content(&target, name).await);
    let client = target.connect(name).await;
    let row = client.query_one("select current_setting('work_mem'), shobj_description(oid, 'pg_database') from pg_database where datname = current_database()", &[]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("7MB", "the shop"));

    let error = home.engine.restore().plan(request).await.unwrap_err();
    assert_eq!(error.code(), Code::TargetExists, "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_replaces_the_contents_or_leaves_them_as_they_were() {
    let scene = Scene::new(17).await;
    let before = content(scene.postgres, &scene.source).await;
    scene
        .postgres
        .sql(&scene.source, "delete from orders; drop table pictures; create table mine (id int)")
        .await;

    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    let error = scene.run(request.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::ConfirmationMissing);
    request.confirm_destructive = true;
    request.jobs = 2;
    let error = scene.run(request.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::ArgumentInvalid);
    request.jobs = 1;
    let plan = scene.home.engine.restore().plan(request.clone()).await.unwrap();
    assert!(plan.dropped().iter().any(|name| name == "public.orders"), "{:?}", plan.dropped());

    // A view of the user's own on a table to be dropped makes the restore fail: nothing may have changed then.
    scene.postgres.sql(&scene.source, "create view in_the_way as select * from customers").await;
    let damaged = content(scene.postgres, &scene.source).await;
    let error = scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::RestoreFailed, "{error:?}");
    assert!(error.message().contains("unchanged"), "{error}");
    assert_eq!(content(scene.postgres, &scene.source).await, damaged);

    scene.postgres.sql(&scene.source, "drop view in_the_way; drop table mine").await;
    scene.run(request).await.unwrap();
    assert_eq!(content(scene.postgres, &scene.source).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_replaces_partitions_with_inherited_keys_in_one_transaction() {
    let scene = Scene::new(17).await;
    let partitioned = "create table visits (id int, at date, primary key (id, at)) partition by range (at);
        create table visits_2026 partition of visits for values from ('2026-01-01') to ('2027-01-01');
        insert into visits select i, '2026-02-03' from generate_series(1, 50) i;";
    scene.postgres.sql(&scene.source, partitioned).await;
    let sealed = scene.home.backup(&scene.postgres.dsn(&scene.source)).await.unwrap();
    let before = content(scene.postgres, &scene.source).await;
    scene.postgres.sql(&scene.source, "delete from visits; delete from orders").await;

    let mut request = scene.request(&scene.source, Mode::InPlace).await;
    request.manifest_sha256 = sealed.manifest_sha256;
    request.confirm_destructive = true;
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    assert!(plan.in_one_transaction());
    let restored = scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    assert!(restored.notices.is_empty(), "{:?}", restored.notices);
    assert_eq!(content(scene.postgres, &scene.source).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_dump_never_reaches_the_target() {
    let scene = Scene::new(17).await;
    let key = scene.sealed.manifest.body().artifact_key.clone();
    let good = std::fs::read(scene.home.folder.join("store").join(&key)).unwrap();
    let middle = good.len() / 2;
    type Damage = Box<dyn FnOnce(&mut Vec<u8>)>;
    let damages: [(&str, Damage); 4] = [
        ("one bit flipped", Box::new(move |bytes| bytes[middle] ^= 1)),
        ("last byte cut", Box::new(|bytes| bytes.truncate(bytes.len() - 1))),
        ("one byte more", Box::new(|bytes| bytes.push(0))),
        ("emptied", Box::new(Vec::clear)),
    ];
    let target = Postgres::start(17);
    let databases = Scene::databases(&target).await;
    let mut request = scene.named("never").await;
    request.target = Dsn::parse(&target.dsn("postgres")).unwrap();
    for (damage, change) in damages {
        scene.tamper(&key, change);
        let error = scene.run(request.clone()).await.unwrap_err();
        assert_eq!(error.code(), Code::ArtifactMismatch, "{damage}: {error:?}");
        scene.tamper(&key, |bytes| *bytes = good.clone());
    }
    std::fs::remove_file(scene.home.folder.join("store").join(&key)).unwrap();
    let error = scene.run(request).await.unwrap_err();
    assert_eq!(error.code(), Code::ObjectMissing, "{error:?}");
    assert_eq!(Scene::databases(&target).await, databases, "the target was touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_manifest_or_an_unknown_key_is_refused() {
    let scene = Scene::new(17).await;
    let body = scene.sealed.manifest.body();
    let key = body.artifact_key.replace(".dump", ".manifest.json");
    let name = unique("never");

    let mut request = scene.named(&name).await;
    let other = FileKey::generate(&scene.home.folder.join("other.pem"), &SystemRandom).unwrap();
    request.trusted_keys = vec![*other.public_key()];
    assert_eq!(scene.run(request).await.unwrap_err().code(), Code::SignatureInvalid);

    // No key at all is the caller's mistake, and says nothing of the manifest.
    let mut request = scene.named(&name).await;
    request.trusted_keys = Vec::new();
    assert_eq!(scene.run(request).await.unwrap_err().code(), Code::KeyMissing);

    let mut request = scene.named(&name).await;
    request.manifest_sha256 = Sha256::of(b"another");
    assert_eq!(scene.run(request).await.unwrap_err().code(), Code::ManifestMissing);

    let original = scene.sealed.manifest.as_bytes().to_vec();
    let forged =
        String::from_utf8(original).unwrap().replace("\"compression\":\"zstd\"", "\"compression\":\"none\"");
    scene.tamper(&key, |bytes| *bytes = forged.clone().into_bytes());
    let error = scene.run(scene.named(&name).await).await.unwrap_err();
    assert_eq!(error.code(), Code::ManifestInvalid, "{error:?}");

    // Asked for by its new hash, the forgery is found, and its signature gives it away.
    let mut request = scene.named(&name).await;
    request.manifest_sha256 = Sha256::of(forged.as_bytes());
    let error = scene.run(request).await.unwrap_err();
    assert_eq!(error.code(), Code::SignatureInvalid, "{error:?}");
    assert!(!Scene::databases(scene.postgres).await.contains(&name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_swapped_with_another_jobs_is_refused() {
    let scene = Scene::new(17).await;
    let second = scene.home.backup(&scene.postgres.dsn(&scene.source)).await.unwrap();
    let store = scene.home.folder.join("store");
    let path = |sealed: &SealedBackup| store.join(&sealed.manifest.body().artifact_key);
    scene.postgres.sql(&scene.source, "insert into pictures values (-1, 'new')").await;
    let third = scene.home.backup(&scene.postgres.dsn(&scene.source)).await.unwrap();
    swap(&path(&second), &path(&third));
    let mut request = scene.named(&unique("never")).await;
    request.manifest_sha256 = second.manifest_sha256;
    assert_eq!(scene.run(request).await.unwrap_err().code(), Code::ArtifactMismatch);
}

fn swap(one: &Path, other: &Path) {
    let aside = one.with_extension("aside");
    std::fs::rename(one, &aside).unwrap();
    std::fs::rename(other, one).unwrap();
    std::fs::rename(&aside, other).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_that_cannot_be_used_are_named_before_anything_is_fetched() {
    let scene = Scene::new(17).await;
    let plan_error = async |change: &dyn Fn(&mut RestoreRequest)| -> Error {
        let mut request = scene.named("wanted").await;
        change(&mut request);
        scene.home.engine.restore().plan(request).await.unwrap_err()
    };
    let unreachable = plan_error(&|r| r.target = Dsn::parse("postgresql://u@127.0.0.1:1/x").unwrap()).await;
    assert_eq!(unreachable.code(), Code::TargetUnreachable, "{unreachable:?}");
    let wrong = scene.postgres.dsn_as("postgres", "wrong", "postgres");
    let refused = plan_error(&|r| r.target = Dsn::parse(&wrong).unwrap()).await;
    assert_eq!(refused.code(), Code::TargetLoginRefused, "{refused:?}");
    let missing = plan_error(&|r| r.target = r.target.with_database("not there")).await;
    assert_eq!(missing.code(), Code::TargetMissing, "{missing:?}");
    let taken = plan_error(&|r| r.created_database = Some("postgres".to_owned())).await;
    assert_eq!(taken.code(), Code::TargetExists, "{taken:?}");
    for name in ["", "a\0b", &"n".repeat(64)] {
        let unfit = plan_error(&|r| r.created_database = Some(name.to_owned())).await;
        assert_eq!(unfit.code(), Code::ArgumentInvalid, "{unfit:?}");
    }

    scene.postgres.sql("postgres", "do $$ begin create role plain login password 'plain pw'; exception when duplicate_object then null; end $$").await;
    let plain = scene.postgres.dsn_as("plain", "plain pw", "postgres");
    let powerless = plan_error(&|r| r.target = Dsn::parse(&plain).unwrap()).await;
    assert_eq!(powerless.code(), Code::TargetPermission, "{powerless:?}");

    let old = shared(14);
    let no_client = plan_error(&|r| {
        r.target = Dsn::parse(&old.dsn("postgres")).unwrap();
        r.clients = r.clients.iter().filter(|client| client.major() == 14).cloned().collect();
    })
    .await;
    assert_eq!(no_client.code(), Code::ClientMissing, "{no_client:?}");
    for error in [unreachable, refused, missing, taken, powerless, no_client] {
        assert_eq!(error.code().exit() as u8, 2, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_that_fails_or_is_stopped_leaves_no_database_behind() {
    let scene = Scene::new(17).await;
    // A dump whose owner does not exist on another server cannot be restored there as it is.
    let target = Postgres::start(17);
    scene
        .postgres
        .sql(
            "postgres",
            "do $$ begin create role only_here; exception when duplicate_object then null; end $$",
        )
        .await;
    scene.postgres.sql(&scene.source, "alter table orders owner to only_here").await;
    let sealed = scene.home.backup(&scene.postgres.dsn(&scene.source)).await.unwrap();
    let mut request = scene.named("wanted").await;
    request.manifest_sha256 = sealed.manifest_sha256;
    request.target = Dsn::parse(&target.dsn("postgres")).unwrap();
    let error = scene.run(request.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::RestoreFailed, "{error:?}");
    assert!(error.message().contains("only_here"), "{error}");
    assert!(error.message().contains("nothing was left behind"), "{error}");
    let client = target.connect("postgres").await;
    let left = "select count(*) from pg_database where datname not in ('postgres', 'template0', 'template1')";
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);

    let cancel = Cancel::default();
    cancel.cancel();
    request.cancel = cancel;
    request.no_owner = true;
    let error = scene.run(request.clone()).await.unwrap_err();
    assert_eq!(error.code(), Code::Cancelled, "{error:?}");
    assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);

    request.cancel = Cancel::default();
    scene.run(request).await.unwrap();
    assert_eq!(content(scene.postgres, &scene.source).await, content(&target, "wanted").await);
    assert_eq!(scene.home.assert_provable().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_is_told_and_recorded() {
    let scene = Scene::new(17).await;
    let plan = scene.home.engine.restore().plan(scene.named(&unique("told")).await).await.unwrap();
    let diary = Diary::default();
    scene.home.engine.restore().apply(plan, &diary).await.unwrap();
    use JobState::*;
    let expected =
        [Triggered, Claimed, Downloading, Verifying, ManifestVerified, Restoring, Finalizing, Completed];
    assert_eq!(diary.states(), expected);

    // An installation that does not keep the chain tells the same states and says that they are not recorded.
    let folder = tempfile::tempdir().unwrap();
    let stranger = Home::open(folder.path()).await;
    let plan = stranger.engine.restore().plan(scene.named(&unique("told")).await).await.unwrap();
    let diary = Diary::default();
    stranger.engine.restore().apply(plan, &diary).await.unwrap();
    assert_eq!(diary.states(), expected);
    assert!(diary.notices().contains("not recorded"), "{}", diary.notices());
}
