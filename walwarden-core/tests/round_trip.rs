//! Back up, restore, compare: against real servers.

mod scene;

use std::sync::Arc;

use scene::{Diary, Home, SHOP, clients};
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::JobState;
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::restore::{Mode, RestoreRequest, RestoreSession};
use walwarden_core::source::Dsn;
use walwarden_testkit::postgres::Postgres;

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
