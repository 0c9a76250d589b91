//! Watches other people's logs: cosigns a checkpoint if it goes on from the last one cosigned, and refuses otherwise.
//!
//! In: a checkpoint with a proof, and the keys of the logs. Out: a cosignature (C2SP tlog-cosignature). What always
//! holds: of one log only checkpoints of one history are cosigned, each at least as long as the one before; what was
//! cosigned is durable before the cosignature is handed out; two processes never cosign at once.

mod state;

use std::path::Path;
use std::sync::Arc;

use walwarden_verify::checkpoint::{AddCheckpoint, Checkpoint, SignedNote, Vkey};
use walwarden_verify::key::PublicKey;
use walwarden_verify::merkle::verify_consistency;

use crate::clock::{Clock, Random};
use crate::error::{Code, Error, Result};
use crate::manifest::{FileKey, ManifestSigner};
use state::State;

/// One witness: a name, a key, and what it cosigned last of each log.
///
/// ```
/// use std::sync::Arc;
/// use walwarden_core::Code;
/// use walwarden_core::clock::{SystemClock, SystemRandom};
/// use walwarden_core::witness::{Log, Witness};
///
/// # tokio::runtime::Builder::new_multi_thread().build().unwrap().block_on(async {
/// let folder = tempfile::tempdir()?;
/// let witness = Witness::create(&folder.path().join("state"), "witness.example/one", &SystemRandom, Arc::new(SystemClock))?;
/// println!("{}", witness.vkey()); // what auditors put into their policies
/// # let key = *witness.vkey().key();
/// let refused = witness.cosign(b"no checkpoint", &Log::signed_by(key)).await.unwrap_err();
/// assert_eq!(refused.code(), Code::CheckpointInvalid);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Witness {
    vkey: Vkey,
    key: Arc<FileKey>,
    state: State,
    clock: Arc<dyn Clock>,
}

/// A log that a witness watches: who signs its checkpoints, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    origin: Option<String>,
    keys: Vec<PublicKey>,
}

impl Log {
    /// Every log that this one key signs, whatever their origins: those of one owner.
    pub fn signed_by(key: PublicKey) -> Self {
        Log { origin: None, keys: vec![key] }
    }

    /// The log of this origin, which any of these keys signs, as the former and the newest one of a log that was rotated. Without its
    /// origin the owner of one key could have a checkpoint cosigned in the name of another's log.
    pub fn named(origin: impl Into<String>, keys: Vec<PublicKey>) -> Self {
        Log { origin: Some(origin.into()), keys }
    }

    /// Who signs.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }
}

/// A checkpoint that was cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cosigned {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// How many rows the checkpoint before had; none if this log was never seen.
    pub before: Option<u64>,
    /// The line to add to the note, with its newline.
    pub line: String,
    /// The note with that line.
    pub note: String,
}

impl Witness {
    /// Makes a witness in a new folder: its key, its name, and nothing seen yet.
    ///
    /// # Errors
    /// `argument-invalid` when no witness can have that name; `key-exists` when there is one in the folder already;
    /// `file-failed`.
    pub fn create(folder: &Path, name: &str, random: &dyn Random, clock: Arc<dyn Clock>) -> Result<Self> {
        if !Vkey::is_name(name) || name.len() > MAX_NAME_BYTES {
            let message = format!(
                "a witness's name has no blank and no plus sign, as in witness.example/one name={name:?}"
            );
            return Err(Error::new(Code::ArgumentInvalid, message));
        }
        let (state, key) = State::create(folder, name, random)?;
        Ok(Witness { vkey: Vkey::new(name, *key.public_key()), key: Arc::new(key), state, clock })
    }

    /// Opens the witness in a folder.
    ///
    /// # Errors
    /// `key-missing` when there is none; `witness-damaged` when key and name do not belong together; as
    /// [`FileKey::load`].
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        let (state, key, vkey) = State::open(folder)?;
        Ok(Witness { vkey, key: Arc::new(key), state, clock })
    }

    /// Its name and key, for auditors and logs.
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// The last checkpoint cosigned of each log, in the order of their origins.
    ///
    /// # Errors
    /// `witness-damaged` when one of them does not bear this witness's cosignature; `file-failed`.
    pub async fn seen(&self) -> Result<Vec<Checkpoint>> {
        let (state, vkey) = (self.state.clone(), self.vkey.clone());
        blocking(move || state.seen(&vkey)).await
    }

    /// Cosigns a checkpoint of this log, if it goes on from the one cosigned last. Takes a bare checkpoint, or
    /// one with a proof before it, as C2SP tlog-witness sends it. One of equal size and root is cosigned again, with a new time.
    ///
    /// # Errors
    /// `checkpoint-invalid` when it is no checkpoint, or of another log, or none of the log's keys signed it; `checkpoint-older` when it has fewer
    /// rows than the one cosigned last; `proof-needed` when the proof begins at another size; `log-forked` when the proof fails, or the root
    /// differs at equal size; `witness-damaged` when the last checkpoint does not bear this witness's cosignature; `file-failed`.
    pub async fn cosign(&self, request: &[u8], log: &Log) -> Result<Cosigned> {
        let request = read_request(request)?;
        let checkpoint = signed_checkpoint(&request.note, log)?;
        let (state, origin) = (self.state.clone(), checkpoint.origin.clone());
        let turn = blocking(move || state.turn(&origin)).await?;
        let last = turn.last(&self.vkey)?;
        if let Some(last) = &last {
            judge(last, &checkpoint, &request)?;
        }
        let unix_seconds = u64::try_from(self.clock.now().unix_millis() / 1000).unwrap_or(0);
        let signature = self.key.sign(Vkey::message(unix_seconds, &checkpoint.body()).as_bytes()).await?;
        let line = self.vkey.line(unix_seconds, &signature);
        let note = request.note + &line;
        // Only this checkpoint and this cosignature are kept: what else the note holds is the log's affair.
        let kept = format!("{}\n{line}", checkpoint.body());
        blocking(move || turn.keep(&kept)).await?;
        Ok(Cosigned { before: last.map(|last| last.size), checkpoint, line, note })
    }
}

fn read_request(bytes: &[u8]) -> Result<AddCheckpoint> {
    let malformed = |error: walwarden_verify::FormError| {
        Error::new(Code::CheckpointInvalid, "this is no checkpoint").with_source(error)
    };
    if bytes.starts_with(b"old ") {
        return AddCheckpoint::parse(bytes).map_err(malformed);
    }
    SignedNote::parse(bytes).map_err(malformed)?;
    let note = String::from_utf8_lossy(bytes).into_owned();
    Ok(AddCheckpoint { old_size: 0, proof: Vec::new(), note })
}

fn signed_checkpoint(note: &str, log: &Log) -> Result<Checkpoint> {
    let malformed = |error: walwarden_verify::FormError| {
        Error::new(Code::CheckpointInvalid, "this is no checkpoint").with_source(error)
    };
    let note = SignedNote::parse(note.as_bytes()).map_err(malformed)?;
    let checkpoint = Checkpoint::parse_body(note.body()).map_err(malformed)?;
    if let Some(origin) = log.origin.as_ref().filter(|origin| **origin != checkpoint.origin) {
        let (found, origin) = (printable(&checkpoint.origin), printable(origin));
        let message = format!("the checkpoint is of another log origin={found} named={origin}");
        return Err(Error::new(Code::CheckpointInvalid, message));
    }
    let mut signed = false;
    for key in &log.keys {
        signed |= note.verify(&checkpoint.origin, key).map_err(|error| {
            let message = format!("the signature of the checkpoint fails key={}", key.key_id());
            Error::new(Code::CheckpointInvalid, message).with_source(error)
        })?;
    }
    if signed {
        return Ok(checkpoint);
    }
    let message =
        format!("no key that was named signed the checkpoint origin={}", printable(&checkpoint.origin));
    Err(Error::new(Code::CheckpointInvalid, message))
}

/// Whether a checkpoint goes on from the last one.
fn judge(last: &Checkpoint, new: &Checkpoint, request: &AddCheckpoint) -> Result<()> {
    let about = |what: &str| format!("{what} last={} new={}", last.size, new.size);
    if new.size < last.size {
        return Err(Error::new(Code::CheckpointOlder, about("a later checkpoint was cosigned before")));
    }
    if new.size == last.size {
        return match new.root == last.root {
            true => Ok(()),
            false => {
                Err(Error::new(Code::LogForked, about("another checkpoint of this size was cosigned before")))
            }
        };
    }
    // Every list goes on from the empty one.
    if last.size == 0 {
        return Ok(());
    }
    if request.old_size != last.size {
        let message = about("a proof is needed from the size that was cosigned last");
        return Err(Error::new(Code::ProofNeeded, message));
    }
    verify_consistency(last.size, &last.root, new.size, &new.root, &request.proof).map_err(|error| {
        Error::new(Code::LogForked, about("the proof does not lead from the checkpoint cosigned last"))
            .with_source(error)
    })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::new(Code::Internal, "the witness's work panicked").with_source(error))?
}

fn printable(text: &str) -> String {
    text.chars().take(MAX_NAME_BYTES).flat_map(char::escape_debug).collect()
}

const MAX_NAME_BYTES: usize = 200;
