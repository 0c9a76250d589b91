//! Back up, restore, compare: against real servers.

mod scene;

use std::sync::Arc;

use scene::{Diary, Home, SHOP, clients};
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::JobState;
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::restore::{Mode, RestoreRequest, RestoreSession};
use walwarden_core::source::{Dsn, fingerprint};
use walwarden_testkit::postgres::{Postgres, shared};
use walwarden_testkit::skip::wants_all_tests;
use walwarden_testkit::torture::Torture;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_goes_through_its_states_and_restores_under_its_own_name() {
    let source = Postgres::start(17);
    source.create_database("shop").await;
    source.sql("shop", SHOP).await;
    let target = Postgres::start(17);
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;

    let diary = Diary::default();
    let mut request = home.request(&source.dsn("shop")).await;
    request.globals = true;
    let sealed = home.engine.backup().run(request, &diary).await.unwrap();
    use JobState::{Claimed, Completed, Finalizing, Queued, Running};
    assert_eq!(diary.states(), [Queued, Claimed, Running, Finalizing, Completed], "{}", diary.notices());
    assert_eq!(sealed.manifest.hash(), sealed.manifest_sha256);

    let request = RestoreRequest::new(
        sealed.manifest_sha256,
        Arc::clone(&home.storage),
        vec![*home.signer.public_key()],
        Dsn::parse(&target.dsn("postgres")).unwrap(),
        Mode::NewDatabase,
        clients().await,
    );
    let plan = home.engine.restore().plan(request).await.unwrap();
    assert_eq!(plan.database(), "shop");
    let restored = home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    assert_eq!(restored.database, "shop");
    assert_eq!(restored.notices, Vec::<String>::new());
    assert_eq!(home.assert_provable().await, 1);
}

/// Long, so only where all tests are wanted.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_megabytes_of_rows_come_back_as_they_went() {
    if !wants_all_tests() {
        return;
    }
    let server = shared(17);
    let source = server.fresh_database("large").await;
    server.sql(&source, &Torture { bulk_rows: 220_000, ..Torture::default() }.sql()).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let request = home.request(&server.dsn(&source)).await;
    let sealed = home.engine.backup().run(request, &Diary::default()).await.unwrap();

    let mut request = RestoreRequest::new(
        sealed.manifest_sha256,
        Arc::clone(&home.storage),
        vec![*home.signer.public_key()],
        Dsn::parse(&server.dsn("postgres")).unwrap(),
        Mode::NewDatabase,
        clients().await,
    );
    request.created_database = Some(format!("{source}_copy"));
    let plan = home.engine.restore().plan(request).await.unwrap();
    let restored = home.engine.restore().apply(plan, &Diary::default()).await.unwrap().database;

    let mut contents = Vec::new();
    for name in [&source, &restored] {
        let dsn = Dsn::parse(&server.dsn(name)).unwrap();
        contents.push(fingerprint(&mut server.connect(name).await, &dsn).await.unwrap());
    }
    assert_eq!(contents[0], contents[1]);
    let size = "select pg_total_relation_size('bulk.mixed')";
    let size: i64 = server.connect(&restored).await.query_one(size, &[]).await.unwrap().get(0);
    assert!(size > 200_000_000, "{size} bytes");
    for name in [source, restored] {
        server.sql("postgres", &format!("drop database \"{name}\"")).await;
    }
}
