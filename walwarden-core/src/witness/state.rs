//! A witness's folder: `key.pem`, `witness.vkey`, `lock`, and for each log `<SHA-256 of its origin>.checkpoint`.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walwarden_verify::Sha256;
use walwarden_verify::checkpoint::{Checkpoint, SignedNote, Vkey};

use crate::clock::Random;
use crate::error::{Code, Error, Result};
use crate::manifest::{FileKey, ManifestSigner};

/// Where a witness keeps what it must not forget.
#[derive(Debug, Clone)]
pub(super) struct State {
    folder: Arc<PathBuf>,
}

/// The right to cosign for one log, held until dropped: a lock of the operating system, which ends with the process.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: File,
    path: PathBuf,
    origin: String,
}

impl State {
    pub(super) fn create(folder: &Path, name: &str, random: &dyn Random) -> Result<(Self, FileKey)> {
        fs::create_dir_all(folder)
            .map_err(|error| failed("folder cannot be made", folder).with_source(error))?;
        let vkey_file = folder.join(VKEY);
        if vkey_file.exists() {
            return Err(Error::new(
                Code::KeyExists,
                format!("there is a witness already path={}", folder.display()),
            ));
        }
        // A key that an interrupted beginning left has cosigned nothing yet.
        let key = match FileKey::generate(&folder.join(KEY), random) {
            Err(error) if error.code() == Code::KeyExists => FileKey::load(&folder.join(KEY))?,
            made => made?,
        };
        let vkey = Vkey::new(name, *key.public_key());
        write(folder, &vkey_file, format!("{vkey}\n").as_bytes())?;
        Ok((State { folder: Arc::new(folder.to_owned()) }, key))
    }

    pub(super) fn open(folder: &Path) -> Result<(Self, FileKey, Vkey)> {
        let vkey_file = folder.join(VKEY);
        let text = fs::read_to_string(&vkey_file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let message = format!(
                    "there is no witness here, begin one with `walwarden witness init` path={}",
                    folder.display()
                );
                Error::new(Code::KeyMissing, message)
            }
            _ => failed("file cannot be read", &vkey_file).with_source(error),
        })?;
        let key = FileKey::load(&folder.join(KEY))?;
        let vkey: Vkey =
            text.trim_end().parse().map_err(|error| damaged("is no vkey", &vkey_file).with_source(error))?;
        if vkey.key() != key.public_key() {
            return Err(damaged("names another key than the witness's", &vkey_file));
        }
        Ok((State { folder: Arc::new(folder.to_owned()) }, key, vkey))
    }

    /// Waits for the right to cosign.
    pub(super) fn turn(&self, origin: &str) -> Result<Turn> {
        let path = self.folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|error| failed("lock cannot be opened", &path).with_source(error))?;
        lock.lock().map_err(|error| failed("lock cannot be taken", &path).with_source(error))?;
        self.sweep();
        let name = format!("{}{SUFFIX}", Sha256::of(origin.as_bytes()));
        Ok(Turn { _lock: lock, path: self.folder.join(name), origin: origin.to_owned() })
    }

    /// Removes what processes left that were killed while they wrote: who holds the lock writes alone.
    fn sweep(&self) {
        for entry in fs::read_dir(self.folder.as_path()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(DRAFT) {
                // A draft that stays does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The last checkpoint of every log.
    pub(super) fn seen(&self, vkey: &Vkey) -> Result<Vec<Checkpoint>> {
        let unreadable = |error| failed("folder cannot be read", &self.folder).with_source(error);
        let mut seen = Vec::new();
        for entry in fs::read_dir(self.folder.as_path()).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.to_string_lossy().ends_with(SUFFIX) {
                seen.extend(read(&path, vkey)?);
            }
        }
        seen.sort_by(|one, other| one.origin.cmp(&other.origin));
        Ok(seen)
    }
}

impl Turn {
    /// The last checkpoint cosigned of this log.
    pub(super) fn last(&self, vkey: &Vkey) -> Result<Option<Checkpoint>> {
        let last = read(&self.path, vkey)?;
        if last.as_ref().is_some_and(|last| last.origin != self.origin) {
            return Err(damaged("is of another log than its name says", &self.path));
        }
        Ok(last)
    }

    /// Puts a note in the place of the last one: whole and durable, or not at all.
    pub(super) fn keep(&self, note: &str) -> Result<()> {
        let folder = self.path.parent().expect("the file lies in the folder");
        write(folder, &self.path, note.as_bytes())
    }
}

/// A checkpoint that this witness kept. It bears its cosignature, so that no other hand wrote it.
fn read(path: &Path, vkey: &Vkey) -> Result<Option<Checkpoint>> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| failed("file cannot be read", path).with_source(error))?,
    };
    let note = SignedNote::parse(&bytes).map_err(|error| damaged("is no note", path).with_source(error))?;
    match vkey.cosignature(&note) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(damaged("does not bear the witness's cosignature", path)),
        Err(error) => return Err(damaged("was altered", path).with_source(error)),
    }
    let checkpoint = Checkpoint::parse_body(note.body());
    checkpoint.map(Some).map_err(|error| damaged("is no checkpoint", path).with_source(error))
}

fn write(folder: &Path, path: &Path, content: &[u8]) -> Result<()> {
    let unwritten = |error| failed("file cannot be written", path).with_source(error);
    let mut draft = tempfile::Builder::new().prefix(DRAFT).tempfile_in(folder).map_err(unwritten)?;
    draft.write_all(content).map_err(unwritten)?;
    draft.as_file().sync_all().map_err(unwritten)?;
    draft.persist(path).map_err(|error| unwritten(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritten)
}

fn failed(what: &str, path: &Path) -> Error {
    Error::new(Code::FileFailed, format!("{what} path={}", path.display()))
}

fn damaged(what: &str, path: &Path) -> Error {
    Error::new(Code::WitnessDamaged, format!("the witness's file {what} path={}", path.display()))
}

const KEY: &str = "key.pem";
const VKEY: &str = "witness.vkey";
const SUFFIX: &str = ".checkpoint";
const DRAFT: &str = ".draft-";
