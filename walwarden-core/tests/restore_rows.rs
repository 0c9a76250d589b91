//! Where the rows that tell of a restore go.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use scene::Diary;
use scene::restore::{Scene, unique};
use walwarden_core::catalog::Catalog;
use walwarden_core::clock::SystemRandom;
use walwarden_core::restore::{RestoreRequest, RestoreSession};
use walwarden_core::storage::{LocalStorage, Storage};

/// Restores, and returns how many rows the catalogue has and how many of them it knows to lie in the destination.
async fn rows_after(scene: &Scene, request: RestoreRequest) -> (u64, u64) {
    let plan = scene.home.engine.restore().plan(request).await.unwrap();
    scene.home.engine.restore().apply(plan, &Diary::default()).await.unwrap();
    let record = scene.home.catalog.chain(&scene::record::subject()).await.unwrap().unwrap();
    (record.audit.head().await.unwrap().seq, record.mirrored_through)
}

async fn copy(scene: &Scene, to: &Path) -> Arc<dyn Storage> {
    let status = Command::new("cp").arg("-a").arg(scene.home.folder.join("store/.")).arg(to).status();
    assert!(status.unwrap().success());
    Arc::new(LocalStorage::open(to, Arc::new(SystemRandom)).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_from_the_destination_leaves_its_rows_there() {
    let scene = Scene::new(17).await;
    let before = scene.home.stored();
    let mut request = scene.named(&unique("rows")).await;
    request.from_destination = true;
    let (rows, copied) = rows_after(&scene, request).await;
    assert_eq!(rows, copied);
    let stored = scene.home.stored();
    assert!(stored.len() == before.len() + 2, "a segment and a checkpoint: {stored:?}");
}

/// Or else the catalogue would say of the destination what is true of the copy only.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_from_a_copy_leaves_its_rows_to_the_next_backup() {
    let (scene, place) = (Scene::new(17).await, tempfile::tempdir().unwrap());
    let from = copy(&scene, place.path()).await;
    let (before, stored) = (from.list("").await.unwrap(), scene.home.stored());
    let mut request = scene.named(&unique("rows")).await;
    request.from = Arc::clone(&from);
    let (rows, copied) = rows_after(&scene, request).await;
    assert!(copied < rows);
    assert_eq!(from.list("").await.unwrap(), before, "a copy is only read");
    assert_eq!(scene.home.stored(), stored);

    let diary = Diary::default();
    let request = scene.home.request(&scene.postgres.dsn(&scene.source)).await;
    walwarden_core::backup::BackupRunner::run(&scene.home.engine.backup(), request, &diary).await.unwrap();
    assert_eq!(diary.notices(), "");
    let record = scene.home.catalog.chain(&scene::record::subject()).await.unwrap().unwrap();
    assert_eq!(record.mirrored_through, record.audit.head().await.unwrap().seq);
}

/// Backup and manifest were copied, the chain was not: none is begun there.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_begins_no_chain_where_none_lies() {
    let (scene, place) = (Scene::new(17).await, tempfile::tempdir().unwrap());
    let from = copy(&scene, place.path()).await;
    std::fs::remove_dir_all(place.path().join("org/acme/db/shop/audit")).unwrap();
    let before = from.list("").await.unwrap();
    let mut request = scene.named(&unique("rows")).await;
    (request.from, request.from_destination) = (Arc::clone(&from), true);
    let (rows, copied) = rows_after(&scene, request).await;
    assert!(copied < rows);
    assert_eq!(from.list("").await.unwrap(), before);
}
