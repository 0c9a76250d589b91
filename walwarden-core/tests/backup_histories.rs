//! Two histories of one chain, or two chains of one database: catalogues put back, and destinations of others.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scene::{Home, SHOP, Setup};
use walwarden_core::Code;
use walwarden_core::clock::SystemRandom;
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::mirror::{RebuildOptions, Rebuilt};
use walwarden_core::storage::LocalStorage;
use walwarden_testkit::postgres::shared;

const NOWHERE: &str = "host=127.0.0.1 port=1 user=u dbname=d";
const CATALOGUE: [&str; 3] = ["catalog.db", "catalog.db-wal", "catalog.db-shm"];

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    shared(17).dsn(&name)
}

fn remove_catalogue(folder: &Path) {
    for file in CATALOGUE {
        let _ = std::fs::remove_file(folder.join(file));
    }
}

/// Rebuilds from nothing but key and destination.
async fn rebuild(folder: &Path, accept_uncovered: bool) -> walwarden_core::Result<(Home, Rebuilt)> {
    remove_catalogue(folder);
    let home = Home::open(folder).await;
    let mut options = RebuildOptions::new(vec![*home.signer.public_key()]);
    options.accept_uncovered = accept_uncovered;
    let rebuilt = home.engine.rebuild().rebuild(home.storage.as_ref(), &options).await?.remove(0);
    Ok((home, rebuilt))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_that_was_put_back_does_not_fork_its_chain() {
    let (folder, kept, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), shop().await);
    let home = Home::open(folder.path()).await;
    home.backup(&source).await.unwrap();
    let snapshot_rows = home.rows().await.len();
    for file in CATALOGUE {
        let _ = std::fs::copy(folder.path().join(file), kept.path().join(file));
    }
    home.backup(NOWHERE).await.unwrap_err();
    let (rows, stored) = (home.rows().await, home.stored());
    drop(home);
    remove_catalogue(folder.path());
    for file in CATALOGUE {
        let _ = std::fs::copy(kept.path().join(file), folder.path().join(file));
    }

    let home = Home::open(folder.path()).await;
    assert_eq!(home.rows().await.len(), snapshot_rows, "the stage is set");
    for run in 1..=3 {
        let error = home.backup(&source).await.unwrap_err();
        assert_eq!(error.code(), Code::ChainDamaged, "run {run}: {error:?}");
        assert!(error.message().contains("put back"), "{error}");
        assert_eq!(home.stored(), stored, "run {run}: neither a dump nor a row was stored");
    }
    drop(home);
    let (home, _) = rebuild(folder.path(), false).await.unwrap();
    assert_eq!(home.rows().await, rows);
    home.backup(&source).await.unwrap();
    assert_eq!(home.assert_provable().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_with_somebody_elses_chain_is_refused_before_anything_is_stored() {
    let (ours, theirs, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), shop().await);
    Home::open(ours.path()).await.backup(&source).await.unwrap();
    let other = Home::open(theirs.path()).await;
    other.backup(&source).await.unwrap();
    let stored = other.stored();

    // The chain lies elsewhere already, but nothing of it here.
    let storage = Arc::clone(&other.storage);
    let home = Home::set_up(ours.path(), Setup { storage: Some(storage), ..Setup::default() }).await;
    assert_eq!(home.backup(&source).await.unwrap_err().code(), Code::ChainExists);
    assert_eq!(other.stored(), stored);

    // An empty one is welcome, and gets the whole chain.
    let empty = tempfile::tempdir().unwrap();
    let storage = Arc::new(LocalStorage::open(empty.path(), Arc::new(SystemRandom)).await.unwrap());
    let home = Home::set_up(ours.path(), Setup { storage: Some(storage), ..Setup::default() }).await;
    home.backup(&source).await.unwrap();
}

/// An installation with a backup, and a newer chain of the same database by a stranger in its destination.
async fn beside_a_strangers_chain(folder: &Path) -> usize {
    let (elsewhere, source) = (tempfile::tempdir().unwrap(), shop().await);
    let home = Home::open(folder).await;
    home.backup(&source).await.unwrap();
    let rows = home.rows().await.len();
    let stranger = Home::open(elsewhere.path()).await;
    stranger.backup(&source).await.unwrap();
    for name in stranger.stored().iter().filter(|name| name.contains("/audit/")) {
        let to = folder.join("store").join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(elsewhere.path().join("store").join(name), to).unwrap();
    }
    rows
}

fn chains(folder: &Path) -> Vec<PathBuf> {
    let audit = folder.join("store/org/acme/db/shop/audit");
    let mut chains: Vec<_> = std::fs::read_dir(audit).unwrap().map(|entry| entry.unwrap().path()).collect();
    chains.sort();
    chains
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_takes_the_chain_that_a_trusted_key_signed_not_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let rows = beside_a_strangers_chain(folder.path()).await;
    for accept_uncovered in [false, true] {
        let (home, rebuilt) = rebuild(folder.path(), accept_uncovered).await.unwrap();
        assert_eq!((rebuilt.rows, rebuilt.uncovered_rows()), (rows as u64, 0));
        assert!(rebuilt.notices[0].contains("another chain"), "{:?}", rebuilt.notices);
        assert_eq!(home.assert_provable().await, 1);
    }
    // What cannot even be read keeps nobody from the chain that is ours.
    let [_, theirs] = &chains(folder.path())[..] else { panic!("two chains") };
    std::fs::write(theirs.join(format!("{:020}-{:020}.jsonl", 99, 99)), "no row").unwrap();
    assert_eq!(rebuild(folder.path(), false).await.unwrap().1.rows, rows as u64);

    // Without a checkpoint only the caller's word counts, and then for the chain that names our key.
    let [ours, _] = &chains(folder.path())[..] else { panic!("two chains") };
    std::fs::remove_dir_all(ours.join("checkpoint")).unwrap();
    let refused = rebuild(folder.path(), false).await.map(|(_, rebuilt)| rebuilt).unwrap_err();
    assert_eq!(refused.code(), Code::ChainUncovered, "{refused:?}");
    let (home, rebuilt) = rebuild(folder.path(), true).await.unwrap();
    assert_eq!((rebuilt.rows, rebuilt.covered_rows), (rows as u64, 0));
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_copied_to_a_larger_number_is_chain_damaged() {
    let folder = tempfile::tempdir().unwrap();
    Home::open(folder.path()).await.backup(&shop().await).await.unwrap();
    let checkpoints = chains(folder.path())[0].join("checkpoint");
    let newest = std::fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    std::fs::copy(newest, checkpoints.join("00000000000000000099")).unwrap();
    let refused = rebuild(folder.path(), true).await.map(|(_, rebuilt)| rebuilt).unwrap_err();
    assert_eq!(refused.code(), Code::ChainDamaged, "{refused:?}");
}
