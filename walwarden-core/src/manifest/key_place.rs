use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;
use walwarden_verify::KeyId;
use walwarden_verify::key::PublicKey;

use super::file_key::{about, folder_of, write_new};
use super::{FileKey, ManifestSigner};
use crate::clock::Random;
use crate::error::{Code, Result};

/// A key file and what stands beside it while the key is changed, and after:
///
/// | file | holds |
/// | --- | --- |
/// | `<key>` | the present key; at every moment a whole one |
/// | `<key>.next` | its successor, while a rotation is under way |
/// | `<key>.<8 digits of its id>.retired` | a former key |
/// | `<key>.retired.pub.pem` | the public parts of former keys, which restores still trust |
#[derive(Debug, Clone)]
pub struct KeyPlace {
    path: PathBuf,
}

/// A rotation under way, of which there is one at a time: a lock of the operating system is held until this is dropped.
#[derive(Debug)]
pub struct KeySuccession {
    place: KeyPlace,
    current: KeyId,
    _lock: File,
}

impl KeyPlace {
    /// Of the key in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        KeyPlace { path: path.into() }
    }

    /// The present key and, where a rotation is under way, its successor.
    ///
    /// # Errors
    /// As [`FileKey::load`].
    pub fn load(&self) -> Result<(FileKey, Option<FileKey>)> {
        // In this order: a rotation that ends in between makes the one the other, and none is missed.
        let next = match FileKey::load(&self.beside("next")) {
            Err(error) if error.code() == Code::KeyMissing => None,
            loaded => Some(loaded?),
        };
        let current = FileKey::load(&self.path)?;
        let next = next.filter(|next| next.public_key() != current.public_key());
        Ok((current, next))
    }

    /// The public parts of former keys.
    ///
    /// # Errors
    /// `file-failed` when their file cannot be read, `key-invalid` when it holds something else.
    pub fn retired(&self) -> Result<Vec<PublicKey>> {
        let path = self.beside(RETIRED);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            read => read
                .map_err(|error| about(Code::FileFailed, "file cannot be read", &path).with_source(error))?,
        };
        if text.is_empty() {
            return Ok(Vec::new());
        }
        PublicKey::several_from_pem(&text)
            .map_err(|error| about(Code::KeyInvalid, "file holds no public keys", &path).with_source(error))
    }

    /// Begins a rotation, or takes up one that was interrupted: from here on both keys are loaded.
    ///
    /// # Errors
    /// `file-failed` when the folder cannot be written; as [`FileKey::load`].
    pub fn begin(&self, random: &dyn Random) -> Result<KeySuccession> {
        self.load()?;
        let lock = self.lock()?;
        let (current, next) = self.load()?;
        if next.is_none() {
            FileKey::generate(&self.beside("next"), random)?;
        }
        Ok(KeySuccession { place: self.clone(), current: current.public_key().key_id(), _lock: lock })
    }

    /// Takes a former key off the list of those that restores trust.
    ///
    /// # Errors
    /// `file-failed`; as [`retired`](Self::retired).
    pub fn distrust(&self, key_id: KeyId) -> Result<()> {
        if self.retired()?.iter().all(|key| key.key_id() != key_id) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut keys = self.retired()?;
        keys.retain(|key| key.key_id() != key_id);
        self.write_retired(&keys)
    }

    fn lock(&self) -> Result<File> {
        let path = self.beside("lock");
        let failed = |error| about(Code::FileFailed, "lock cannot be taken", &path).with_source(error);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(lock)
    }

    fn write_retired(&self, keys: &[PublicKey]) -> Result<()> {
        let path = self.beside(RETIRED);
        let failed = |error| about(Code::FileFailed, "file cannot be written", &path).with_source(error);
        let text: String = keys.iter().map(PublicKey::to_pem).collect();
        let folder = folder_of(&path);
        let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        draft.write_all(text.as_bytes()).map_err(failed)?;
        draft.as_file().sync_all().map_err(failed)?;
        draft.persist(&path).map_err(|refused| failed(refused.error))?;
        sync(folder).map_err(failed)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(self.path.as_os_str());
        name.push(".");
        name.push(suffix);
        name.into()
    }
}

impl KeySuccession {
    /// Puts the successor in the key's place; the former key is kept beside it. Call this once every chain goes on with the
    /// successor. Returns the file of the former key.
    ///
    /// # Errors
    /// `file-failed`; the present key is in its place then.
    pub fn finish(self) -> Result<PathBuf> {
        let place = &self.place;
        let failed =
            |error| about(Code::FileFailed, "key file cannot be replaced", &place.path).with_source(error);
        let mut retired = place.retired()?;
        let (current, _) = place.load()?;
        if !retired.contains(current.public_key()) {
            retired.push(*current.public_key());
            place.write_retired(&retired)?;
        }
        let digits = self.current.digest().to_string();
        let kept = place.beside(&format!("{}.retired", &digits[..8]));
        let text = Zeroizing::new(fs::read(&place.path).map_err(failed)?);
        match write_new(&kept, &text) {
            Err(error) if error.code() == Code::KeyExists => {}
            written => written?,
        }
        fs::rename(place.beside("next"), &place.path).map_err(failed)?;
        sync(folder_of(&place.path)).map_err(failed)?;
        Ok(kept)
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

const RETIRED: &str = "retired.pub.pem";
