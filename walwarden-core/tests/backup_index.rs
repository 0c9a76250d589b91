//! The archive index of a backup: what it says, who can use it, and what crashes do to it.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use scene::{Home, SHOP, Setup, clients};
use walwarden_core::backup::{BackupRunner, SealedBackup};
use walwarden_core::catalog::JobState;
use walwarden_core::clock::SystemRandom;
use walwarden_core::source::{Codec, Compression, Dsn, TableContent, TableName, fingerprint};
use walwarden_core::storage::{LocalStorage, ObjectName, StorageExt};
use walwarden_core::verify::index::Index;
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Result};
use walwarden_testkit::postgres::{bin_dir, shared};
use walwarden_testkit::storage::{Call, FaultyStorage, Misbehaviour};
use walwarden_testkit::torture::Torture;

async fn index_of(home: &Home, sealed: &SealedBackup) -> Index {
    let stated = sealed.manifest.body().index.as_ref().expect("an index is stated");
    let name = ObjectName::new(stated.key.clone()).unwrap();
    let bytes = home.storage.read(&name, 1 << 20).await.unwrap();
    let index = Index::parse(&bytes).unwrap();
    let size = sealed.manifest.body().size_bytes;
    assert_eq!(index.contradictions(size, size), Vec::<String>::new());
    assert_eq!(Some(index.content_root()), sealed.manifest.body().content_root);
    index
}

async fn content(major: u32, name: &str) -> BTreeMap<TableName, TableContent> {
    let dsn = Dsn::parse(&shared(major).dsn(name)).unwrap();
    fingerprint(&mut shared(major).connect(name).await, &dsn).await.unwrap().into_iter().collect()
}

/// Rows and digest of each table, as the index has them.
fn told(index: &Index) -> BTreeMap<String, (u64, String)> {
    let tables = index.entries.iter().filter(|entry| entry.is_table_data());
    let rows = tables.filter_map(|entry| {
        let rows = entry.data.as_ref()?.rows.as_ref()?;
        let table = TableName { schema: entry.schema.clone()?, name: entry.name.clone() };
        Some((table.to_string(), (rows.count, rows.digest.to_string())))
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_codec_makes_an_archive_that_stock_pg_restore_reads_and_an_index_that_the_source_agrees_with() {
    let source = shared(17).fresh_database("indexed").await;
    shared(17).sql(&source, &Torture { bulk_rows: 30_000, ..Torture::default() }.sql()).await;
    // What must not matter to a digest.
    let settings = "ALTER DATABASE \"{}\" SET timezone = 'Pacific/Chatham'; ALTER DATABASE \"{}\" SET bytea_output = escape";
    shared(17).sql(&source, &settings.replace("{}", &source)).await;
    let before = content(17, &source).await;
    let expected: BTreeMap<String, (u64, String)> = before
        .iter()
        .map(|(name, content)| (name.to_string(), (content.rows, content.digest.to_string())))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let mut roots = Vec::new();
    for compression in [
        None,
        Some(Compression::new(Codec::None)),
        Some(Compression { codec: Codec::Gzip, level: Some(9) }),
        Some(Compression::new(Codec::Lz4)),
        Some(Compression { codec: Codec::Zstd, level: Some(6) }),
    ] {
        let mut request = home.request(&shared(17).dsn(&source)).await;
        request.options.compression = compression;
        let sealed = home.engine.backup().run(request, &Unwatched).await.unwrap();
        let codec = compression.map_or(Codec::Zstd, |compression| compression.codec);
        assert_eq!(sealed.manifest.body().compression.text(), codec.text());
        let index = index_of(&home, &sealed).await;
        let told = told(&index);
        assert_eq!(told, expected.iter().filter(|(name, _)| told.contains_key(*name)).map(own).collect());
        assert!(told.values().any(|(rows, _)| *rows == 30_000), "{told:?}");
        roots.push(told);

        let target = shared(17).fresh_database("unindexed").await;
        pg_restore(
            &shared(17).dsn(&target),
            &folder.path().join("store").join(&sealed.manifest.body().artifact_key),
        );
        assert_eq!(content(17, &target).await, before, "{codec}");
    }
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(home.assert_provable().await, 5);
}

fn own<'a>((name, rows): (&'a String, &'a (u64, String))) -> (String, (u64, String)) {
    (name.clone(), rows.clone())
}

/// As a user does it.
fn pg_restore(dsn: &str, archive: &Path) {
    let mut command = Command::new(bin_dir(17).join("pg_restore"));
    let output = command.args(["--exit-on-error", "--dbname", dsn]).arg(archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_before_16_get_gzip_and_refuse_what_they_cannot_read() {
    let source = shared(15).fresh_database("older").await;
    shared(15).sql(&source, SHOP).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    let old = clients().await.iter().filter(|client| client.major() == 15).cloned().collect::<Vec<_>>();
    let mut request = home.request(&shared(15).dsn(&source)).await;
    request.clients = old.into_iter().collect();
    let sealed = home.engine.backup().run(request.clone(), &Unwatched).await.unwrap();
    assert_eq!(sealed.manifest.body().compression.text(), "gzip");
    index_of(&home, &sealed).await;
    request.options.compression = Some(Compression::new(Codec::Zstd));
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!(error.code(), Code::ClientMissing, "{error:?}");
}

async fn faulty(folder: &Path) -> (FaultyStorage, Home) {
    let local = LocalStorage::create(folder.join("store"), Arc::new(SystemRandom)).await.unwrap();
    let storage = FaultyStorage::new(Arc::new(local));
    let setup = Setup { storage: Some(Arc::new(storage.clone())), ..Setup::default() };
    (storage, Home::set_up(folder, setup).await)
}

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    shared(17).dsn(&name)
}

/// The dump is finished first, then its index.
async fn backup_with(trouble: Misbehaviour) -> (Home, tempfile::TempDir, Result<SealedBackup>) {
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = faulty(folder.path()).await;
    storage.misbehave(Call::Finish, 2, trouble);
    let outcome = home.backup(&shop().await).await;
    storage.heal();
    (home, folder, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_could_not_be_stored_is_made_again_from_the_stored_dump() {
    let (home, _folder, outcome) = backup_with(Misbehaviour::Fail(Code::StorageUnavailable)).await;
    let sealed = outcome.unwrap();
    assert_eq!(home.job().await.attempt, 2);
    assert_eq!(home.failures().await, [("storage-unavailable".to_owned(), true, 1)]);
    let index = index_of(&home, &sealed).await;
    assert_eq!(index.job_id, sealed.job_id);
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_answer_was_lost_is_taken_as_it_is() {
    let (home, _folder, outcome) = backup_with(Misbehaviour::FailAfter(Code::StorageUnavailable)).await;
    index_of(&home, &outcome.unwrap()).await;
    assert_eq!(home.assert_provable().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_comes_back_changed_is_read_back_mismatch() {
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = faulty(folder.path()).await;
    storage.misread(".index.json", Misbehaviour::FlipByte(100));
    let error = home.backup(&shop().await).await.unwrap_err();
    assert_eq!(error.code(), Code::ReadBackMismatch, "{error:?}");
    assert!(error.message().contains(".index.json"), "{error}");
    assert_eq!(home.job().await.state, JobState::FailedTerminal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_changed_before_its_index_was_stored_is_read_back_mismatch() {
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = faulty(folder.path()).await;
    storage.misbehave(Call::Finish, 2, Misbehaviour::Fail(Code::StorageUnavailable));
    storage.misread(".dump", Misbehaviour::FlipByte(4_000));
    let error = home.backup(&shop().await).await.unwrap_err();
    assert_eq!(error.code(), Code::ReadBackMismatch, "{error:?}");
    assert_eq!(home.assert_provable().await, 0);
}
