//! Two histories of one chain, or two chains of one database: catalogues put back, and destinations of others.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scene::{Diary, Home, SHOP, Setup};
use walwarden_core::Code;
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::Catalog;
use walwarden_core::clock::SystemRandom;
use walwarden_core::export::ExportRequest;
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::mirror::{RebuildOptions, Rebuilt};
use walwarden_core::restore::{Mode, RestoreSession};
use walwarden_core::storage::LocalStorage;
use walwarden_core::watch::Unwatched;
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
    let sealed = home.backup(&source).await.unwrap();
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
        assert_eq!(home.rows().await.len(), snapshot_rows, "run {run}: no row of a second history");
    }
    let options = RebuildOptions::new(vec![*home.signer.public_key()]);
    let refused = home.engine.rebuild().rebuild(home.storage.as_ref(), &options).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainDamaged, "{refused:?}");
    assert_eq!(home.rows().await.len(), snapshot_rows);
    // Whoever kept a checkpoint of such a bundle would refuse every honest one.
    let mut request = ExportRequest::new("shop".parse().unwrap(), Arc::clone(&home.storage));
    request.allow_missing = true;
    let refused = home.engine.evidence().export(&request, Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainDamaged, "{refused:?}");
    // A restore is never refused for it, but says so.
    let mut request = home.restore_request(&sealed, &shared(17).dsn("postgres"), Mode::NewDatabase).await;
    request.created_database = Some(format!("copy_{}", sealed.job_id));
    request.from_destination = true;
    let plan = home.engine.restore().plan(request).await.unwrap();
    let told = |notices: &[String]| {
        notices.iter().any(|text| text.contains("beside the backup") && text.contains("put back"))
    };
    assert!(told(plan.notices()), "{:?}", plan.notices());
    home.engine.restore().apply(plan, &Unwatched).await.unwrap();
    assert_eq!(home.stored(), stored);
    drop(home);
    let (home, _) = rebuild(folder.path(), false).await.unwrap();
    assert_eq!(home.rows().await, rows);
    home.backup(&source).await.unwrap();
    assert_eq!(home.assert_provable().await, 2);
}

/// Whoever keeps the file alone, and not the write-ahead log beside it, keeps every job that ended: SQLite would leave
/// them in the log until the program closes the catalogue, which a program that ends does not do.
#[tokio::test(flavor = "multi_thread")]
async fn the_file_of_a_catalogue_has_every_job_that_ended() {
    let (folder, kept, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), shop().await);
    let home = Home::open(folder.path()).await;
    for dsn in [source.as_str(), NOWHERE] {
        let _ = home.backup(dsn).await;
        std::fs::copy(folder.path().join("catalog.db"), kept.path().join("catalog.db")).unwrap();
        let copy = Home::open(kept.path()).await;
        assert_eq!(copy.rows().await, home.rows().await);
        let subject = copy.catalog.subjects().await.unwrap().remove(0);
        let [ours, theirs] = [&home, &copy].map(|home| home.catalog.chain(&subject));
        let (ours, theirs) = (ours.await.unwrap().unwrap(), theirs.await.unwrap().unwrap());
        assert_eq!(theirs.mirrored_through, ours.mirrored_through);
        assert!(ours.checkpoint.is_some());
        assert_eq!(theirs.checkpoint, ours.checkpoint);
        drop(copy);
        remove_catalogue(kept.path());
    }
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
    let refused = home.backup(&source).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainExists);
    // A rebuild would skip the database, for it has a chain.
    assert!(refused.message().contains("to another destination, or under another name"), "{refused}");
    assert_eq!(other.stored(), stored);
}

/// The owner may have chosen a new destination; or a disk is not mounted, and this is the folder beneath it.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_destination_gets_the_whole_chain_and_is_told_of() {
    let (folder, empty, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), shop().await);
    let home = Home::open(folder.path()).await;
    let diary = Diary::default();
    home.engine.backup().run(home.request(&source).await, &diary).await.unwrap();
    assert_eq!(diary.notices(), "", "the first of all is new");
    let copied = home.rows().await.len();
    drop(home);

    let storage = Arc::new(LocalStorage::open(empty.path(), Arc::new(SystemRandom)).await.unwrap());
    let home = Home::set_up(folder.path(), Setup { storage: Some(storage), ..Setup::default() }).await;
    let diary = Diary::default();
    home.engine.backup().run(home.request(&source).await, &diary).await.unwrap();
    let told = diary.notices();
    assert!(told.contains(&format!("{copied} rows")) && told.contains("is it mounted"), "{told}");
    let diary = Diary::default();
    home.engine.backup().run(home.request(&source).await, &diary).await.unwrap();
    assert_eq!(diary.notices(), "", "told once");
    drop(home);

    std::fs::remove_dir_all(folder.path().join("store")).unwrap();
    std::fs::rename(empty.path(), folder.path().join("store")).unwrap();
    let (home, rebuilt) = rebuild(folder.path(), false).await.unwrap();
    assert_eq!(rebuilt.rows, home.rows().await.len() as u64, "the new destination has the whole chain");
    assert_eq!(rebuilt.backups, 3);
}

/// A catalogue that was put back and then wrote as many rows as the destination holds: only their contents differ.
#[tokio::test(flavor = "multi_thread")]
async fn as_many_rows_of_another_history_are_not_taken_for_ours() {
    let (folder, kept, aside) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let home = Home::open(folder.path()).await;
    home.backup(NOWHERE).await.unwrap_err();
    for file in CATALOGUE {
        let _ = std::fs::copy(folder.path().join(file), kept.path().join(file));
    }
    home.backup(NOWHERE).await.unwrap_err();
    let rows = home.rows().await.len();
    drop(home);
    remove_catalogue(folder.path());
    for file in CATALOGUE {
        let _ = std::fs::copy(kept.path().join(file), folder.path().join(file));
    }
    // Its rows go to another place first, so that the catalogue knows them as copied.
    let elsewhere = Arc::new(LocalStorage::open(aside.path(), Arc::new(SystemRandom)).await.unwrap());
    let home = Home::set_up(folder.path(), Setup { storage: Some(elsewhere), ..Setup::default() }).await;
    home.backup(NOWHERE).await.unwrap_err();
    assert_eq!(home.rows().await.len(), rows, "the stage is set");
    drop(home);

    let home = Home::open(folder.path()).await;
    let stored = home.stored();
    let error = home.backup(&shop().await).await.unwrap_err();
    assert_eq!(error.code(), Code::ChainDamaged, "{error:?}");
    assert_eq!(home.stored(), stored);
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
async fn a_checkpoint_copied_to_a_larger_number_counts_under_its_own_size() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let home = Home::open(folder.path()).await;
    home.backup(&source).await.unwrap();
    let covered = home.rows().await.len() as u64;
    let checkpoints = chains(folder.path())[0].join("checkpoint");
    let all = || {
        let entries = std::fs::read_dir(&checkpoints).unwrap();
        let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    };
    let first = all().pop().unwrap();
    home.backup(&source).await.unwrap();
    let rows = home.rows().await.len() as u64;
    drop(home);

    // Under Object Lock the copy would stay for good, and the chain must not be lost with it.
    std::fs::copy(&first, checkpoints.join("00000000000000000099")).unwrap();
    let (home, rebuilt) = rebuild(folder.path(), false).await.unwrap();
    assert_eq!((rebuilt.rows, rebuilt.covered_rows), (rows, rows));
    drop(home);
    let newest = all().into_iter().rev().nth(1).unwrap();
    std::fs::remove_file(&newest).unwrap();
    let refused = rebuild(folder.path(), false).await.map(|(_, rebuilt)| rebuilt).unwrap_err();
    assert_eq!(refused.code(), Code::ChainUncovered, "{refused:?}");
    assert_eq!(rebuild(folder.path(), true).await.unwrap().1.covered_rows, covered);

    // What it says must be true of the rows, whatever its name.
    let segments = std::fs::read_dir(&chains(folder.path())[0]).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<PathBuf> = segments.filter(|path| path.is_file()).collect();
    segments.sort();
    segments[1..].iter().for_each(|segment| std::fs::remove_file(segment).unwrap());
    let refused = rebuild(folder.path(), true).await.map(|(_, rebuilt)| rebuilt).unwrap_err();
    assert_eq!(refused.code(), Code::ChainDamaged, "{refused:?}");
}

/// An object that is no checkpoint, and too large to be read for one, keeps nobody from the chain.
#[tokio::test(flavor = "multi_thread")]
async fn a_huge_object_among_the_checkpoints_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    home.backup(&shop().await).await.unwrap();
    let rows = home.rows().await.len() as u64;
    drop(home);
    let checkpoints = chains(folder.path())[0].join("checkpoint");
    std::fs::write(checkpoints.join("00000000000000000099"), vec![b'x'; (1 << 20) + 1]).unwrap();
    let (_, rebuilt) = rebuild(folder.path(), false).await.unwrap();
    assert_eq!((rebuilt.rows, rebuilt.covered_rows), (rows, rows));
}

/// A foreign chain's first segment may be as large as its author likes; only its beginning is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_segment_of_a_foreign_chain_is_not_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let rows = beside_a_strangers_chain(folder.path()).await;
    let [_, theirs] = &chains(folder.path())[..] else { panic!("two chains") };
    std::fs::remove_dir_all(theirs.join("checkpoint")).unwrap();
    let entries = std::fs::read_dir(theirs).unwrap().map(|entry| entry.unwrap().path());
    let first = entries.filter(|path| path.is_file()).min().unwrap();
    let size = (1 << 30) + 1; // sparse, and more than is ever read of a segment
    let text = std::fs::read(&first).unwrap();
    std::fs::remove_file(&first).unwrap();
    std::fs::write(&first, text).unwrap();
    std::fs::File::options().write(true).open(first).unwrap().set_len(size).unwrap();
    let (_, rebuilt) = rebuild(folder.path(), false).await.unwrap();
    assert_eq!((rebuilt.rows, rebuilt.uncovered_rows()), (rows as u64, 0));
}
