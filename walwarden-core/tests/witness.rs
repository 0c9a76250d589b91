//! A witness cosigns one history of each log, whatever happens to its process.
#![allow(clippy::unwrap_used)] // in a test's own functions, too, a panic is the answer

use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use walwarden_core::Code;
use walwarden_core::clock::{SystemClock, SystemRandom};
use walwarden_core::verify::Sha256;
use walwarden_core::verify::checkpoint::{AddCheckpoint, Checkpoint, SignedNote};
use walwarden_core::verify::key::{PublicKey, Signature};
use walwarden_core::verify::merkle::{Tree, consistency_proof, leaf_hash};
use walwarden_core::witness::{self, Cosigned, Witness};

const ORIGIN: &str = "walwarden/acme/01a1fbd4-f500-7bb4-8334-3b1d44ec4b55";

/// A log with so many leaves; from `forked_at` on they are others.
struct Log {
    key: SigningKey,
    origin: &'static str,
    leaves: Vec<Sha256>,
}

impl Log {
    fn new(origin: &'static str, size: u64, forked_at: u64) -> Self {
        let leaf =
            |at| leaf_hash(format!("{} {at}", if at < forked_at { "one" } else { "other" }).as_bytes());
        Log { key: SigningKey::from_bytes(&[7; 32]), origin, leaves: (0..size).map(leaf).collect() }
    }

    fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.key.verifying_key().as_bytes()).unwrap()
    }

    fn note(&self, size: usize) -> String {
        let mut tree = Tree::new();
        self.leaves[..size].iter().for_each(|leaf| tree.push_hash(*leaf));
        let checkpoint = Checkpoint { origin: self.origin.to_owned(), size: size as u64, root: tree.root() };
        checkpoint.sign_with(&self.public(), |body| Signature::from_bytes(self.key.sign(body).to_bytes()))
    }

    fn request(&self, old: usize, size: usize) -> Vec<u8> {
        let proof = consistency_proof(&self.leaves[..size], old).unwrap_or_default();
        AddCheckpoint { old_size: old as u64, proof, note: self.note(size) }.to_text().into_bytes()
    }
}

fn witness(folder: &Path) -> Witness {
    Witness::create(folder, "witness.example/one", &SystemRandom, Arc::new(SystemClock)).unwrap()
}

async fn cosign(witness: &Witness, log: &Log, request: &[u8]) -> Result<Cosigned, Code> {
    witness.cosign(request, &witness::Log::signed_by(log.public())).await.map_err(|error| error.code())
}

#[tokio::test]
async fn a_log_that_goes_on_is_cosigned() {
    let folder = tempfile::tempdir().unwrap();
    let (witness, log) = (witness(folder.path()), Log::new(ORIGIN, 40, 40));
    let first = cosign(&witness, &log, log.note(5).as_bytes()).await.unwrap();
    assert_eq!(first.before, None);
    for (old, size) in [(5, 5), (5, 12), (12, 40)] {
        let done = cosign(&witness, &log, &log.request(old, size)).await.unwrap();
        assert_eq!((done.before, done.checkpoint.size), (Some(old as u64), size as u64));
        let note = SignedNote::parse(done.note.as_bytes()).unwrap();
        assert!(witness.vkey().cosignature(&note).unwrap().is_some());
        assert_eq!(note.verify(ORIGIN, &log.public()), Ok(true));
        assert!(done.note.ends_with(&done.line));
    }
    let seen = Witness::open(folder.path(), Arc::new(SystemClock)).unwrap().seen().await.unwrap();
    assert_eq!(seen.iter().map(|seen| (seen.origin.as_str(), seen.size)).collect::<Vec<_>>(), [(ORIGIN, 40)]);
}

#[tokio::test]
async fn a_fork_a_rollback_and_a_missing_proof_are_refused_and_leave_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let (witness, log, fork) = (witness(folder.path()), Log::new(ORIGIN, 40, 40), Log::new(ORIGIN, 40, 9));
    cosign(&witness, &log, log.note(12).as_bytes()).await.unwrap();
    for (request, code) in [
        (fork.note(12).into_bytes(), Code::LogForked),
        (fork.request(12, 40), Code::LogForked),
        (log.note(5).into_bytes(), Code::CheckpointOlder),
        (log.request(5, 5), Code::CheckpointOlder),
        (log.note(40).into_bytes(), Code::ProofNeeded),
        (log.request(5, 40), Code::ProofNeeded),
        (log.request(0, 40), Code::ProofNeeded),
        ([&log.request(12, 40)[..7], b"\n", log.note(40).as_bytes()].concat(), Code::LogForked),
        (b"old 12\n\nnothing".to_vec(), Code::CheckpointInvalid),
        (b"nothing".to_vec(), Code::CheckpointInvalid),
        (log.note(12).replace("\n12\n", "\n13\n").into_bytes(), Code::CheckpointInvalid),
    ] {
        let refused = cosign(&witness, &log, &request).await;
        assert_eq!(refused.map(|done| done.note), Err(code), "{}", String::from_utf8_lossy(&request));
        assert_eq!(witness.seen().await.unwrap()[0].size, 12);
    }
    cosign(&witness, &log, &log.request(12, 40)).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_that_no_named_key_signed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (witness, log) = (witness(folder.path()), Log::new(ORIGIN, 3, 3));
    let stranger = SigningKey::from_bytes(&[8; 32]);
    let stranger = PublicKey::from_bytes(stranger.verifying_key().as_bytes()).unwrap();
    let another = "walwarden/acme/another";
    for named in [
        witness::Log::signed_by(stranger),
        witness::Log::named(ORIGIN, vec![]),
        witness::Log::named(ORIGIN, vec![stranger]),
        // Who signs another log that is named does not sign for this one.
        witness::Log::named(another, vec![stranger, log.public()]),
    ] {
        let refused = witness.cosign(log.note(3).as_bytes(), &named).await.unwrap_err();
        assert_eq!(refused.code(), Code::CheckpointInvalid);
    }
    assert_eq!(witness.seen().await.unwrap(), []);
    let named = witness::Log::named(ORIGIN, vec![stranger, log.public()]);
    witness.cosign(log.note(3).as_bytes(), &named).await.unwrap();
}

#[tokio::test]
async fn each_log_has_a_state_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let witness = witness(folder.path());
    let (one, two) = (Log::new("walwarden/acme/one", 9, 9), Log::new("walwarden/acme/two", 9, 0));
    cosign(&witness, &one, one.note(9).as_bytes()).await.unwrap();
    cosign(&witness, &two, two.note(4).as_bytes()).await.unwrap();
    let sizes: Vec<u64> = witness.seen().await.unwrap().iter().map(|seen| seen.size).collect();
    assert_eq!(sizes, [9, 4]);
}

#[tokio::test]
async fn a_state_that_another_hand_wrote_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (witness, log) = (witness(folder.path()), Log::new(ORIGIN, 9, 9));
    cosign(&witness, &log, log.note(5).as_bytes()).await.unwrap();
    let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let file =
        names.into_iter().find(|path| path.extension().is_some_and(|end| end == "checkpoint")).unwrap();
    let kept = std::fs::read_to_string(&file).unwrap();
    for other in
        [kept.replace("\n5\n", "\n4\n"), log.note(4), kept.replace(ORIGIN, "elsewhere"), String::new()]
    {
        std::fs::write(&file, other).unwrap();
        assert_eq!(cosign(&witness, &log, &log.request(5, 9)).await.unwrap_err(), Code::WitnessDamaged);
    }
    std::fs::write(&file, kept).unwrap();
    cosign(&witness, &log, &log.request(5, 9)).await.unwrap();
}

#[tokio::test]
async fn a_folder_holds_one_witness_and_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let open = |path: &Path| Witness::open(path, Arc::new(SystemClock)).map_err(|error| error.code());
    assert_eq!(open(folder.path()).unwrap_err(), Code::KeyMissing);
    let made = witness(folder.path());
    assert_eq!(open(folder.path()).unwrap().vkey(), made.vkey());
    let again = Witness::create(folder.path(), "witness.example/two", &SystemRandom, Arc::new(SystemClock));
    assert_eq!(again.unwrap_err().code(), Code::KeyExists);
    for name in ["", "two words", "a+b", "line\n"] {
        let refused = Witness::create(other.path(), name, &SystemRandom, Arc::new(SystemClock));
        assert_eq!(refused.unwrap_err().code(), Code::ArgumentInvalid, "{name:?}");
    }
    let stranger = witness(other.path());
    assert_ne!(stranger.vkey(), made.vkey());
    std::fs::copy(other.path().join("key.pem"), folder.path().join("key.pem")).unwrap();
    assert_eq!(open(folder.path()).unwrap_err(), Code::WitnessDamaged);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_each_sees_what_the_one_before_left() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(Log::new(ORIGIN, 30, 30));
    cosign(&witness(folder.path()), &log, log.note(1).as_bytes()).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for size in 2..=30 {
        let (log, path) = (Arc::clone(&log), folder.path().to_owned());
        tasks.spawn(async move {
            let witness = Witness::open(&path, Arc::new(SystemClock)).unwrap();
            loop {
                let last = witness.seen().await.unwrap()[0].size as usize;
                match cosign(&witness, &log, &log.request(last.min(size), size)).await {
                    Ok(done) => return assert!(done.before.unwrap() <= size as u64),
                    Err(Code::CheckpointOlder) => return,
                    Err(code) => assert_eq!(code, Code::ProofNeeded),
                }
            }
        });
    }
    tasks.join_all().await;
    let seen = Witness::open(folder.path(), Arc::new(SystemClock)).unwrap().seen().await.unwrap();
    assert_eq!(seen[0].size, 30);
}
