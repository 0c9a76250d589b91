//! Every kind of destination from backup to restore, and destinations that are full or do not keep what they are given.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use scene::bucket::UNCOMPRESSED;
use scene::{Home, SHOP, Setup};
use walwarden_core::backup::{BackupRunner, SealedBackup};
use walwarden_core::catalog::JobState;
use walwarden_core::clock::SystemRandom;
use walwarden_core::restore::{Mode, RestoreSession};
use walwarden_core::source::{Dsn, fingerprint};
use walwarden_core::storage::{
    Abilities, Fetched, Listed, LocalStorage, Location, ObjectName, Options, Storage, StorageExt, Upload,
    UploadId, open,
};
use walwarden_core::verify::{EventKind, Sha256};
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Exit};
use walwarden_testkit::postgres::shared;
use walwarden_testkit::skip::beyond_our_rights;
use walwarden_testkit::storage::{Azurite, Call, FaultyStorage, Misbehaviour, S3Server};
use walwarden_testkit::torture::Torture;

async fn database(sql: &str) -> String {
    let name = shared(17).fresh_database("source").await;
    shared(17).sql(&name, sql).await;
    name
}

/// Backs up into the storage, restores from it, and compares both databases table by table.
async fn round_trip(storage: Arc<dyn Storage>) {
    let source = database(&Torture { bulk_rows: 12_000, ..Torture::default() }.sql()).await;
    let folder = tempfile::tempdir().unwrap();
    let home = Home::set_up(folder.path(), Setup { storage: Some(storage), ..Setup::default() }).await;
    let mut request = home.request(&shared(17).dsn(&source)).await;
    request.options.compression = Some(UNCOMPRESSED); // several parts
    request.globals = true;
    let sealed = home.engine.backup().run(request, &Unwatched).await.unwrap();
    assert!(sealed.manifest.body().size_bytes > 12 << 20);
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
    assert_same_content(&source, &restored(&home, &sealed).await).await;
}

async fn restored(home: &Home, sealed: &SealedBackup) -> String {
    let mut request = home.restore_request(sealed, &shared(17).dsn("postgres"), Mode::NewDatabase).await;
    request.created_database = Some(format!("copy_{}", sealed.job_id));
    let plan = home.engine.restore().plan(request).await.unwrap();
    home.engine.restore().apply(plan, &Unwatched).await.unwrap().database
}

async fn assert_same_content(one: &str, other: &str) {
    let mut contents = Vec::new();
    for name in [one, other] {
        let dsn = Dsn::parse(&shared(17).dsn(name)).unwrap();
        contents.push(fingerprint(&mut shared(17).connect(name).await, &dsn).await.unwrap());
    }
    assert!(contents[0].len() >= 3);
    assert_eq!(contents[0], contents[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_into_a_folder_comes_back_table_for_table() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::parse(&format!("file://{}/backups", folder.path().display())).unwrap();
    round_trip(open(&location, &Options::default().with_new_folder(), Arc::new(SystemRandom)).await.unwrap())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_into_an_s3_bucket_comes_back_table_for_table() {
    let server = S3Server::start().await;
    let location = server.location("deep/prefix");
    round_trip(open(&location, &server.options(), Arc::new(SystemRandom)).await.unwrap()).await;
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_into_azure_comes_back_table_for_table() {
    let Some(azurite) = Azurite::start().await else { return };
    let location = azurite.location("deep/prefix");
    round_trip(open(&location, &azurite.options(), Arc::new(SystemRandom)).await.unwrap()).await;
}

/// A destination whose read-back can be falsified.
async fn falsified(folder: &Path) -> (FaultyStorage, Home) {
    let local = LocalStorage::create(folder.join("store"), Arc::new(SystemRandom)).await.unwrap();
    let storage = FaultyStorage::new(Arc::new(local));
    let setup = Setup { storage: Some(Arc::new(storage.clone())), ..Setup::default() };
    (storage, Home::set_up(folder, setup).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_comes_back_changed_or_cut_is_read_back_mismatch_and_not_completed() {
    let source = shared(17).dsn(&database(SHOP).await);
    for lie in [Misbehaviour::FlipByte(0), Misbehaviour::FlipByte(4_321), Misbehaviour::EndBody(5_000)] {
        let folder = tempfile::tempdir().unwrap();
        let (storage, home) = falsified(folder.path()).await;
        storage.misread(".dump", lie);
        let error = home.backup(&source).await.unwrap_err();
        let (code, exit) = (Code::ReadBackMismatch, Exit::Terminal);
        assert_eq!((error.code(), error.code().exit()), (code, exit), "{lie:?}: {error:?}");
        assert_not_completed(&home).await;

        storage.heal();
        home.backup(&source).await.unwrap();
        assert_eq!(home.assert_provable().await, 1, "{lie:?}");
    }
}

/// A dump of several chunks is read back in parts.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_changes_or_cuts_a_later_part_of_a_dump_is_found_out() {
    let source = database(&Torture { bulk_rows: 30_000, ..Torture::default() }.sql()).await;
    for lie in [Misbehaviour::FlipByte(8 << 20), Misbehaviour::EndBody(9 << 20)] {
        let folder = tempfile::tempdir().unwrap();
        let (storage, home) = falsified(folder.path()).await;
        storage.misread(".dump", lie);
        let mut request = home.request(&shared(17).dsn(&source)).await;
        request.options.compression = Some(UNCOMPRESSED);
        let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
        assert_eq!((error.code(), error.code().exit()), (Code::ReadBackMismatch, Exit::Terminal), "{lie:?}");
        assert!(error.message().contains("bytes="), "{error}");
        let dump = home.stored().into_iter().find(|name| name.ends_with(".dump")).unwrap();
        let size = std::fs::metadata(folder.path().join("store").join(dump)).unwrap().len();
        assert!(size > 24 << 20, "{size} bytes are too few to be read in parts of more than a chunk");
        assert_not_completed(&home).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_comes_back_changed_is_read_back_mismatch_and_not_completed() {
    let source = shared(17).dsn(&database(SHOP).await);
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = falsified(folder.path()).await;
    storage.misread(".manifest.json", Misbehaviour::FlipByte(200));
    let error = home.backup(&source).await.unwrap_err();
    assert_eq!(error.code(), Code::ReadBackMismatch, "{error:?}");
    assert!(error.message().contains("manifest"), "{error}");
    let jobs = home.jobs().await;
    assert_eq!(jobs.last().unwrap().state, JobState::FailedTerminal);
    assert_eq!(home.failures().await, [("read-back-mismatch".to_owned(), false, 1)]);
    storage.heal();
    home.backup(&source).await.unwrap();
    assert_eq!(home.assert_provable().await, 1);
}

async fn assert_not_completed(home: &Home) {
    assert_eq!(home.job().await.state, JobState::FailedTerminal);
    assert_eq!(home.failures().await, [("read-back-mismatch".to_owned(), false, 1)]);
    assert!(home.rows().await.iter().all(|row| row.kind != EventKind::BackupCompleted));
    assert!(home.backup_objects().await.iter().all(|name| !name.ends_with(".manifest.json")));
    assert_eq!(home.assert_provable().await, 0);
}

/// What was signed for a dump that vanished before the manifest was stored must not be said of the next dump.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_vanishes_between_two_attempts_is_taken_and_signed_anew() {
    let database = database(SHOP).await;
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = falsified(folder.path()).await;
    // Uploads: the dump, its index, the rows, the manifest.
    storage.misbehave(Call::Upload, 4, Misbehaviour::Fail(Code::StorageUnavailable));
    let request = home.request(&shared(17).dsn(&database)).await;
    let vandal = Vandal { store: folder.path().join("store"), database };
    let sealed = home.engine.backup().run(request, &vandal).await.unwrap();
    assert_eq!(home.failures().await, [("storage-unavailable".to_owned(), true, 1)]);
    assert_eq!(home.job().await.manifest_sha256, Some(sealed.manifest_sha256));
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

/// Removes all dumps and their indexes as soon as an attempt has failed, and sees to it that the next one differs.
#[derive(Debug)]
struct Vandal {
    store: std::path::PathBuf,
    database: String,
}

impl walwarden_core::watch::Watch for Vandal {
    fn state(&self, change: &walwarden_core::watch::StateChange) {
        if change.state == JobState::FailedRetryable {
            let mut find = Command::new("find");
            find.arg(&self.store).args([
                "(",
                "-name",
                "*.dump",
                "-o",
                "-name",
                "*.index.json",
                ")",
                "-delete",
            ]);
            assert!(find.status().unwrap().success());
            let change = shared(17).sql(&self.database, "insert into pictures values (0, 'x')");
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(change));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_storage_full_and_leaves_room_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let Some(_disk) = SmallDisk::mount(&store) else { return };
    let home = Home::open(folder.path()).await;
    let large = database(&Torture { bulk_rows: 12_000, ..Torture::default() }.sql()).await;
    let mut request = home.request(&shared(17).dsn(&large)).await;
    request.options.compression = Some(UNCOMPRESSED);
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!((error.code(), error.code().exit()), (Code::StorageFull, Exit::Retryable), "{error:?}");
    let class = || "storage-full".to_owned();
    assert_eq!(home.failures().await, [(class(), true, 1), (class(), true, 2), (class(), false, 3)]);
    assert_eq!(home.assert_nothing_half().await, 0);
    home.backup(&shared(17).dsn(&database(SHOP).await)).await.unwrap();
    assert_eq!(home.assert_nothing_half().await, 1);
    assert_eq!(home.assert_provable().await, 1);
}

/// Eight megabytes, unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<SmallDisk> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at);
        match mount.output() {
            Ok(output) if output.status.success() => Some(SmallDisk(at.to_owned())),
            _ => {
                beyond_our_rights("a full destination: no right to mount a small disk");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// The dump's own last call fails after roles and tablespaces were stored, and so the job is tried again.
async fn globals_of_two_attempts(
    storage: &FaultyStorage,
    home: &Home,
) -> walwarden_core::Result<SealedBackup> {
    let source = shared(17).dsn(&database(SHOP).await);
    storage.misbehave(Call::Finish, 2, Misbehaviour::Fail(Code::StorageUnavailable));
    let mut request = home.request(&source).await;
    request.globals = true;
    home.engine.backup().run(request, &Unwatched).await
}

#[tokio::test(flavor = "multi_thread")]
async fn globals_of_an_earlier_attempt_are_stated_as_that_attempt_noted_them() {
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = falsified(folder.path()).await;
    let sealed = globals_of_two_attempts(&storage, &home).await.unwrap();
    assert_eq!(home.job().await.attempt, 2);
    let stated = sealed.manifest.body().globals.clone().unwrap();
    let stored = std::fs::read(folder.path().join("store").join(&stated.key)).unwrap();
    assert_eq!(stated.checksum_sha256, Sha256::of(&stored));
}

#[tokio::test(flavor = "multi_thread")]
async fn globals_that_changed_between_two_attempts_are_never_stated() {
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = falsified(folder.path()).await;
    storage.misread(".globals.sql", Misbehaviour::FlipByte(40));
    let error = globals_of_two_attempts(&storage, &home).await.unwrap_err();
    assert_eq!(error.code(), Code::ReadBackMismatch, "{error}");
    assert_eq!(home.job().await.state, JobState::FailedTerminal);
    assert!(!home.stored().iter().any(|name| name.ends_with(".manifest.json")));
}

#[tokio::test(flavor = "multi_thread")]
async fn globals_of_a_job_whose_dump_never_became_visible_stay_alone_and_unstated() {
    let folder = tempfile::tempdir().unwrap();
    let (storage, home) = falsified(folder.path()).await;
    storage.misbehave(Call::Finish, 2, Misbehaviour::Fail(Code::StorageDenied));
    let mut request = home.request(&shared(17).dsn(&database(SHOP).await)).await;
    request.globals = true;
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!(error.code(), Code::StorageDenied, "{error}");
    assert_eq!(home.job().await.state, JobState::FailedTerminal);
    let stored = home.backup_objects().await;
    assert!(stored.len() == 1 && stored[0].ends_with(".globals.sql"), "{stored:?}");
    assert_eq!(home.assert_provable().await, 0);
}

/// Has globals of somebody else's under the job's name before the job stores its own.
#[derive(Debug)]
struct Squatted(Arc<dyn Storage>);

#[async_trait::async_trait]
impl Storage for Squatted {
    async fn upload(&self, name: &ObjectName) -> walwarden_core::Result<Box<dyn Upload>> {
        if let Some(job) = name.as_str().strip_suffix(".dump") {
            let globals = ObjectName::new(format!("{job}.globals.sql"))?;
            self.0.put(&globals, "create role intruder superuser;".into()).await?;
        }
        self.0.upload(name).await
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> walwarden_core::Result<Fetched> {
        self.0.get(name, range).await
    }

    async fn list(&self, prefix: &str) -> walwarden_core::Result<Vec<Listed>> {
        self.0.list(prefix).await
    }

    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> walwarden_core::Result<()> {
        self.0.abandon(name, upload).await
    }

    async fn abilities(&self) -> walwarden_core::Result<Abilities> {
        self.0.abilities().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn globals_of_somebody_elses_are_never_stated() {
    let source = shared(17).dsn(&database(SHOP).await);
    let folder = tempfile::tempdir().unwrap();
    let local = LocalStorage::create(folder.path().join("store"), Arc::new(SystemRandom)).await.unwrap();
    let storage: Arc<dyn Storage> = Arc::new(Squatted(Arc::new(local)));
    let home = Home::set_up(folder.path(), Setup { storage: Some(storage), ..Setup::default() }).await;
    let mut request = home.request(&source).await;
    request.globals = true;
    let error = home.engine.backup().run(request, &Unwatched).await.unwrap_err();
    assert_eq!(error.code(), Code::ObjectExists, "{error}");
    assert_eq!(home.job().await.state, JobState::FailedTerminal);
}
