//! The catalogue is lost: what the destination tells, what it cannot tell, and how the next backup goes on.

#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

mod scene;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use scene::{Diary, Home, SHOP, Setup};
use walwarden_core::backup::BackupRunner;
use walwarden_core::catalog::{Catalog, Job, JobState};
use walwarden_core::clock::SystemRandom;
use walwarden_core::keys::KeyOutcome;
use walwarden_core::manifest::{FileKey, ManifestSigner};
use walwarden_core::mirror::{RebuildOptions, Rebuilt};
use walwarden_core::storage::{LocalStorage, Storage};
use walwarden_core::verify::chain::rotation_message;
use walwarden_core::verify::checkpoint::{Checkpoint, origin};
use walwarden_core::verify::json::Object;
use walwarden_core::verify::merkle::Tree;
use walwarden_core::verify::{ChainId, EventKind, Head, OrgId, Row};
use walwarden_core::watch::Unwatched;
use walwarden_core::{Code, Engine, Result, Settings};
use walwarden_testkit::postgres::shared;
use walwarden_testkit::storage::{Call, FaultyStorage, Misbehaviour, S3Server};

async fn shop() -> String {
    let name = shared(17).fresh_database("shop").await;
    shared(17).sql(&name, SHOP).await;
    shared(17).dsn(&name)
}

/// The installation after its catalogue was lost: the same key and destination, and nothing else.
async fn bereft(folder: &Path, storage: Option<Arc<dyn Storage>>) -> Home {
    for file in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(folder.join(file));
    }
    Home::set_up(folder, Setup { storage, ..Setup::default() }).await
}

async fn rebuild(home: &Home) -> Result<Rebuilt> {
    rebuild_with(home, &RebuildOptions::new(vec![*home.signer.public_key()])).await
}

async fn rebuild_with(home: &Home, options: &RebuildOptions) -> Result<Rebuilt> {
    let mut rebuilt = home.engine.rebuild().rebuild(home.storage.as_ref(), options).await?;
    assert_eq!(rebuilt.len(), 1);
    Ok(rebuilt.remove(0))
}

/// Refused unless rows beyond the newest checkpoint are accepted. Returns what was then entered.
async fn rebuild_uncovered(home: &Home, options: RebuildOptions) -> Rebuilt {
    let refused = rebuild_with(home, &options).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainUncovered, "{refused}");
    assert_eq!(home.rows().await, [], "nothing of it is taken over");
    let rebuilt = rebuild_with(home, &options.accept_uncovered()).await.unwrap();
    let (rows, covered, rest) = (rebuilt.rows, rebuilt.covered_rows, rebuilt.uncovered_rows());
    for told in [refused.message(), rebuilt.notices[0].as_str()] {
        assert!(told.contains(&format!("rows={rows} covered={covered} uncovered={rest}")), "{told}");
    }
    assert!(rest > 0);
    rebuilt
}

/// Jobs without what only the lost catalogue could know: notes, leases, pauses.
async fn known(home: &Home) -> Vec<Job> {
    let mut jobs = home.jobs().await;
    for job in &mut jobs {
        (job.progress, job.lease, job.not_before) = (Default::default(), None, None);
    }
    jobs
}

async fn assert_rebuilds(folder: &Path, storage: Option<Arc<dyn Storage>>) {
    let source = shop().await;
    let home = Home::set_up(folder, Setup { storage: storage.clone(), ..Setup::default() }).await;
    home.backup(&source).await.unwrap();
    home.backup("host=127.0.0.1 port=1 user=u dbname=d").await.unwrap_err();
    home.backup(&source).await.unwrap();
    let (rows, jobs) = (home.rows().await, known(&home).await);
    drop(home);

    let home = bereft(folder, storage).await;
    assert_eq!(home.rows().await, []);
    let rebuilt = rebuild(&home).await.unwrap();
    assert_eq!((rebuilt.rows, rebuilt.backups), (rows.len() as u64, 3));
    assert_eq!(rebuilt.covered_rows, rebuilt.rows);
    assert_eq!(rebuilt.notices, Vec::<String>::new());
    assert_eq!(home.rows().await, rows);
    assert_eq!(known(&home).await, jobs);
    assert_eq!(home.assert_provable().await, 2);

    home.backup(&source).await.unwrap();
    assert_eq!(home.rows().await[..rows.len()], rows, "the same chain goes on");
    assert_eq!(home.assert_nothing_half().await, 3);
    assert_eq!(home.assert_provable().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_rebuilt_from_a_folder_is_the_lost_one_and_its_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    assert_rebuilds(folder.path(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_rebuilt_from_a_bucket_is_the_lost_one_and_its_chain_goes_on() {
    let (folder, server) = (tempfile::tempdir().unwrap(), S3Server::start().await);
    let storage = scene::bucket::storage(&server.location("rebuilt"), server.options()).await;
    assert_rebuilds(folder.path(), Some(storage)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rebuilding_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    home.backup(&shop().await).await.unwrap();
    let rows = home.rows().await;
    let again =
        home.engine.rebuild().rebuild(home.storage.as_ref(), &RebuildOptions::default()).await.unwrap();
    assert_eq!(again, []);
    assert_eq!(home.rows().await, rows);
}

/// So that `cat` puts the chain together, for who has nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_stored_segments_follow_each_other_without_gap_or_overlap() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let home = Home::open(folder.path()).await;
    home.backup(&source).await.unwrap();
    home.backup(&source).await.unwrap();
    let rows = home.rows().await;
    drop(home);
    let home = bereft(folder.path(), None).await;
    rebuild(&home).await.unwrap();
    home.backup(&source).await.unwrap();
    let mut stored = Vec::new();
    for name in home.listed().await.iter().filter(|name| name.ends_with(".jsonl")) {
        stored.extend(std::fs::read(folder.path().join("store").join(name)).unwrap());
    }
    let lines = String::from_utf8(stored).unwrap();
    let expected: Vec<_> = home.rows().await.iter().map(|row| row.to_canonical().to_vec()).collect();
    assert!(lines.lines().map(str::as_bytes).eq(expected.iter().map(Vec::as_slice)));
    assert!(expected.len() > rows.len());
}

// ---- destinations that were tampered with ----

/// A destination with two backups, its catalogue lost.
struct Ruin {
    folder: tempfile::TempDir,
    home: Home,
}

impl Ruin {
    async fn new() -> Ruin {
        let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
        let home = Home::open(folder.path()).await;
        home.backup(&source).await.unwrap();
        home.backup(&source).await.unwrap();
        drop(home);
        let home = bereft(folder.path(), None).await;
        Ruin { folder, home }
    }

    /// Stored files whose name contains the text, in order.
    fn files(&self, text: &str) -> Vec<PathBuf> {
        let names = self.home.stored().into_iter().filter(|name| name.contains(text));
        names.map(|name| self.folder.path().join("store").join(name)).collect()
    }

    fn change(&self, file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(file).unwrap();
        change(&mut bytes);
        std::fs::remove_file(file).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    async fn assert_damaged(&self, what: &str) {
        let error = rebuild(&self.home).await.unwrap_err();
        assert_eq!(error.code(), Code::ChainDamaged, "{what}: {error:?}");
        assert_eq!(self.home.rows().await, [], "{what}: nothing of it is taken over");
    }
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    let text = String::from_utf8(std::mem::take(bytes)).unwrap();
    assert!(text.contains(from));
    *bytes = text.replacen(from, to, 1).into_bytes();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_changed_in_any_segment_is_chain_damaged() {
    let segments = Ruin::new().await.files(".jsonl").len();
    assert!(segments >= 3, "the stage is set");
    for number in 0..segments {
        let ruin = Ruin::new().await;
        let file = &ruin.files(".jsonl")[number];
        ruin.change(file, |bytes| replace(bytes, "\"kind\":\"", "\"kind\":\"x"));
        ruin.assert_damaged(&format!("segment {number}, a kind")).await;
    }
    let ruin = Ruin::new().await;
    ruin.change(&ruin.files(".jsonl")[0], |bytes| replace(bytes, "\"at\":\"2", "\"at\":\"1"));
    ruin.assert_damaged("a time").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_missing_or_cut_is_chain_damaged() {
    let segments = Ruin::new().await.files(".jsonl").len();
    for number in 0..segments {
        let ruin = Ruin::new().await;
        std::fs::remove_file(&ruin.files(".jsonl")[number]).unwrap();
        ruin.assert_damaged(&format!("segment {number} missing")).await;
    }
    let ruin = Ruin::new().await;
    let last = ruin.files(".jsonl").pop().unwrap();
    ruin.change(&last, |bytes| bytes.truncate(bytes.len() - 1));
    ruin.assert_damaged("without its last newline").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_was_tampered_with_counts_for_nothing() {
    for part in ["\n\u{2014} ", "walwarden/"] {
        let ruin = Ruin::new().await;
        for file in ruin.files("checkpoint") {
            ruin.change(&file, |bytes| replace(bytes, part, &format!("{part}x")));
        }
        let options = RebuildOptions::new(vec![*ruin.home.signer.public_key()]);
        assert_eq!(rebuild_uncovered(&ruin.home, options).await.covered_rows, 0);
        assert_eq!(ruin.home.assert_provable().await, 2, "the rows themselves are sound");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_by_a_stranger_authenticate_nothing() {
    let ruin = Ruin::new().await;
    let stranger = FileKey::generate(&ruin.folder.path().join("stranger.pem"), &SystemRandom).unwrap();
    let options = RebuildOptions::new(vec![*stranger.public_key()]);
    assert_eq!(rebuild_uncovered(&ruin.home, options).await.covered_rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_appended_by_who_can_write_to_the_destination_are_not_taken_for_ours() {
    let ruin = Ruin::new().await;
    let last = ruin.files(".jsonl").pop().unwrap();
    let text = std::fs::read_to_string(&last).unwrap();
    let head = Row::parse(text.lines().last().unwrap().as_bytes()).unwrap();
    // As good as any row of ours: the hashes need no key.
    let payload = Object::from([("scheduleId", "none")]);
    let at = Head { seq: head.seq, hash: head.hash };
    let forged = Row::link(at, head.at, None, EventKind::ScheduleChanged, payload).unwrap();
    let mut line = forged.to_canonical().to_vec();
    line.push(b'\n');
    let seq = format!("{:020}", forged.seq);
    std::fs::write(last.with_file_name(format!("{seq}-{seq}.jsonl")), line).unwrap();

    let rebuilt =
        rebuild_uncovered(&ruin.home, RebuildOptions::new(vec![*ruin.home.signer.public_key()])).await;
    assert_eq!((rebuilt.covered_rows, rebuilt.uncovered_rows()), (head.seq, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalogue_does_not_begin_a_second_chain() {
    let ruin = Ruin::new().await;
    let (stored, source) = (ruin.home.stored(), shop().await);
    let refused = ruin.home.backup(&source).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainExists, "{refused}");
    assert_eq!(ruin.home.stored(), stored, "nothing was written");
    assert_eq!(ruin.home.rows().await, [], "and nothing entered");

    // Nor when the destination does not answer at first.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(ruin.folder.path().join("key.pem"), elsewhere.path().join("key.pem")).unwrap();
    let storage = FaultyStorage::new(Arc::clone(&ruin.home.storage));
    storage.misbehave(Call::List, 1, Misbehaviour::Fail(Code::StorageUnavailable));
    let setup = Setup { storage: Some(Arc::new(storage)), ..Setup::default() };
    let other = Home::set_up(elsewhere.path(), setup).await;
    assert_eq!(other.backup(&source).await.unwrap_err().code(), Code::StorageUnavailable);
    assert_eq!(other.rows().await, [], "nothing was begun that would be in the way of a rebuild");
    assert_eq!(other.backup(&source).await.unwrap_err().code(), Code::ChainExists);
    assert!(rebuild(&other).await.unwrap().rows > 0);
    assert_eq!(ruin.home.stored(), stored, "nothing was written");

    // Either way out of it works: another name, or the chain that is there.
    let mut request = ruin.home.request(&source).await;
    request.database_id = "shop-2".parse().unwrap();
    ruin.home.engine.backup().run(request, &Unwatched).await.unwrap();
    rebuild(&ruin.home).await.unwrap();
    ruin.home.backup(&source).await.unwrap();
    assert_eq!(ruin.home.assert_provable().await, 3);
}

// ---- rows that never reached the destination ----

/// A second backup whose worker dies at this upload of its destination, and then its catalogue is lost, too.
async fn lost_at(folder: &Path, source: &str, upload: usize) -> Home {
    Home::open(folder).await.backup(source).await.unwrap();
    let local = LocalStorage::open(folder.join("store"), Arc::new(SystemRandom)).await.unwrap();
    let storage = FaultyStorage::new(Arc::new(local));
    storage.misbehave(Call::Upload, upload, Misbehaviour::Hang);
    let setup = Setup { storage: Some(Arc::new(storage.clone())), ..Setup::default() };
    let home = Home::set_up(folder, setup).await;
    let (request, runner) = (home.request(source).await, home.engine.backup());
    let worker = tokio::spawn(async move { runner.run(request, &Unwatched).await });
    scene::programs::wait_until("the worker hangs", || storage.calls(Call::Upload) == upload).await;
    worker.abort();
    let _ = worker.await;
    let home = bereft(folder, None).await;
    // Which rows reached the destination before the worker died differs; a checkpoint covers those of the first backup.
    match rebuild(&home).await {
        Ok(rebuilt) => assert_eq!(upload, 3, "no row was stored: {rebuilt:?}"),
        Err(_) => {
            let keys = vec![*home.signer.public_key()];
            assert!(rebuild_uncovered(&home, RebuildOptions::new(keys)).await.covered_rows > 0);
        }
    }
    home
}

/// Uploads of a backup: 1 the dump, 2 its index, 3 rows, 4 the manifest, 5 the last row, 6 the checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_completed_but_not_mirrored_is_sealed_again_with_the_same_manifest() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let home = lost_at(folder.path(), &source, 5).await;
    let job = home.jobs().await.pop().unwrap();
    assert_eq!(job.state, JobState::Finalizing, "as far as the destination tells");
    let manifest_key = job.artifact_key.unwrap().to_string().replace(".dump", ".manifest.json");
    let manifest = std::fs::read(folder.path().join("store").join(manifest_key)).unwrap();

    let diary = Diary::default();
    let next = home.engine.backup().run(home.request(&source).await, &diary).await.unwrap();
    assert!(diary.notices().contains("before the catalogue was lost"), "{}", diary.notices());
    let jobs = home.jobs().await;
    assert_eq!(jobs[1].state, JobState::Completed);
    assert_eq!(jobs[1].manifest_sha256, Some(walwarden_core::verify::Sha256::of(&manifest)));
    assert_eq!(jobs[2].id, next.job_id);
    assert_eq!(home.assert_nothing_half().await, 3);
    assert_eq!(home.assert_provable().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_without_manifest_left_by_a_lost_catalogue_fails_its_job_and_a_new_backup_follows() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let home = lost_at(folder.path(), &source, 4).await;
    home.backup(&source).await.unwrap();
    let states: Vec<_> = home.jobs().await.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Completed, JobState::FailedTerminal, JobState::Completed]);
    assert_eq!(home.failures().await.pop(), Some(("object-exists".to_owned(), false, 2)));
    assert_eq!(home.assert_provable().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_whose_rows_never_left_the_lost_catalogue_is_forgotten_and_harmless() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let home = lost_at(folder.path(), &source, 3).await;
    assert_eq!(home.jobs().await.len(), 1);
    home.backup(&source).await.unwrap();
    let queued = home.rows().await.iter().filter(|row| row.kind == EventKind::BackupQueued).count();
    assert_eq!(queued, 2);
    assert_eq!(home.assert_provable().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_with_another_key_says_which_one_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).await;
    home.backup(&shop().await).await.unwrap();
    let lost = home.signer.public_key().key_id().to_string();
    drop(home);
    std::fs::rename(folder.path().join("key.pem"), folder.path().join("right.pem")).unwrap();
    let home = bereft(folder.path(), None).await; // makes another key
    let refused = rebuild(&home).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainUncovered, "{refused}");
    assert!(
        refused.message().contains(&lost) && refused.message().contains("if that key is yours"),
        "{refused}"
    );
    drop(home);
    std::fs::rename(folder.path().join("right.pem"), folder.path().join("key.pem")).unwrap();
    let home = bereft(folder.path(), None).await;
    assert_eq!(rebuild(&home).await.unwrap().uncovered_rows(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_key_answers_for_nothing_after_its_rotation() {
    let ruin = Ruin::new().await;
    let successor = FileKey::generate(&ruin.folder.path().join("successor.pem"), &SystemRandom).unwrap();
    let mut rows: Vec<Row> = Vec::new();
    for segment in ruin.files(".jsonl") {
        let text = std::fs::read_to_string(segment).unwrap();
        rows.extend(text.lines().map(|line| Row::parse(line.as_bytes()).unwrap()));
    }
    let (genesis, head) = (&rows[0].payload, rows.last().unwrap());
    let chain_id: ChainId = genesis.get("chainId").unwrap().as_str().unwrap().parse().unwrap();
    let org_id: OrgId = genesis.get("orgId").unwrap().as_str().unwrap().parse().unwrap();
    let (old, new) = (ruin.home.signer.public_key(), successor.public_key());
    let message = rotation_message(chain_id, head.seq + 1, old.key_id(), new.key_id());
    let by_old = ruin.home.signer.sign(&message).await.unwrap().to_string();
    let by_new = successor.sign(&message).await.unwrap().to_string();
    let at = Head { seq: head.seq, hash: head.hash };
    let signed = |by_old: &str| {
        let payload = Object::from([
            ("oldKeyId", old.key_id().to_string()),
            ("newKeyId", new.key_id().to_string()),
            ("newPublicKey", new.to_pem()),
            ("oldSignature", by_old.to_owned()),
            ("newSignature", by_new.clone()),
        ]);
        Row::link(at, head.at, None, EventKind::KeyRotated, payload).unwrap()
    };
    let seq = format!("{:020}", head.seq + 1);
    let segment = ruin.files(".jsonl").pop().unwrap();
    let rotation = segment.with_file_name(format!("{seq}-{seq}.jsonl"));
    let write = |row: &Row| {
        let mut line = row.to_canonical().to_vec();
        line.push(b'\n');
        std::fs::write(&rotation, line).unwrap();
    };
    // Whoever can write there could add it: rows that nothing covers are not taken for a rotation that the old key did not sign.
    write(&signed(&by_new));
    let uncovered = RebuildOptions::new(vec![*old]).accept_uncovered();
    let refused = rebuild_with(&ruin.home, &uncovered).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainDamaged, "{refused}");
    assert!(refused.message().contains("did not sign the rotation"), "{refused}");
    let rotated = signed(&by_old);
    write(&rotated);
    rows.push(rotated);

    let mut tree = Tree::new();
    rows.iter().for_each(|row| tree.push(&row.to_canonical()));
    let checkpoint = Checkpoint { origin: origin(&org_id, chain_id), size: tree.size(), root: tree.root() };
    let file = ruin.files("checkpoint").pop().unwrap().with_file_name(seq);
    let options = RebuildOptions::new(vec![*old, *new]);
    let by_former = ruin.home.signer.sign(checkpoint.body().as_bytes()).await.unwrap();
    std::fs::write(&file, checkpoint.sign_with(old, |_| by_former)).unwrap();
    let refused = rebuild_with(&ruin.home, &options).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainDamaged, "{refused}");
    let by_current = successor.sign(checkpoint.body().as_bytes()).await.unwrap();
    std::fs::write(&file, checkpoint.sign_with(new, |_| by_current)).unwrap();
    // Without the rotation the rows do not know the key that signed: the rest of them is lost, or another history took its place.
    let hidden = segment.with_file_name("hidden");
    std::fs::rename(&rotation, &hidden).unwrap();
    for trusted in [vec![*old, *new], vec![*new]] {
        let refused =
            rebuild_with(&ruin.home, &RebuildOptions::new(trusted).accept_uncovered()).await.unwrap_err();
        assert_eq!(refused.code(), Code::ChainDamaged, "{refused}");
        assert!(refused.message().contains("another history"), "{refused}");
    }
    std::fs::rename(&hidden, &rotation).unwrap();
    assert_eq!(rebuild_with(&ruin.home, &options).await.unwrap().covered_rows, tree.size());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_rotated_back_to_its_first_key_is_rebuilt() {
    let (folder, source) = (tempfile::tempdir().unwrap(), shop().await);
    let [first, second] = ["first.pem", "second.pem"].map(|name| folder.path().join(name));
    for key in [&first, &second] {
        FileKey::generate(key, &SystemRandom).unwrap();
    }
    for (key, successor) in [(&first, &second), (&second, &first)] {
        std::fs::copy(key, folder.path().join("key.pem")).unwrap();
        let home = Home::open(folder.path()).await;
        home.backup(&source).await.unwrap();
        let settings = Settings::new("acme".parse().unwrap(), "rotating", std::env::temp_dir());
        let catalog: Arc<dyn Catalog> = home.catalog.clone();
        let engine = Engine::builder(settings)
            .catalog(catalog)
            .signer(home.signer.clone())
            .successor(Arc::new(FileKey::load(successor).unwrap()))
            .build();
        let changes = engine.keys().rotate().await.unwrap();
        assert!(matches!(changes[0].outcome, KeyOutcome::Recorded(_)), "{changes:?}");
    }
    std::fs::copy(&first, folder.path().join("key.pem")).unwrap();
    let home = Home::open(folder.path()).await;
    home.backup(&source).await.unwrap();
    let rows = home.rows().await;
    drop(home);

    let [first, second] = [first, second].map(|key| *FileKey::load(&key).unwrap().public_key());
    for trusted in [vec![first], vec![first, second]] {
        let home = bereft(folder.path(), None).await;
        let rebuilt = rebuild_with(&home, &RebuildOptions::new(trusted)).await.unwrap();
        assert_eq!((rebuilt.rows, rebuilt.uncovered_rows()), (rows.len() as u64, 0));
        assert_eq!(home.rows().await, rows);
    }
    // What the second key signed covers the rows from its time alone.
    let home = bereft(folder.path(), None).await;
    let refused = rebuild_with(&home, &RebuildOptions::new(vec![second])).await.unwrap_err();
    assert_eq!(refused.code(), Code::ChainUncovered, "{refused}");
    drop(home);

    let home = bereft(folder.path(), None).await;
    rebuild_with(&home, &RebuildOptions::new(vec![first])).await.unwrap();
    home.backup(&source).await.unwrap();
    assert_eq!(home.assert_nothing_half().await, 4);
}
