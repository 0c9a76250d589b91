use std::fmt;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use async_trait::async_trait;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use secrecy::zeroize::{Zeroize, Zeroizing};
use walwarden_verify::key::{PublicKey, Signature};

use super::{ManifestSigner, MemoryKey};
use crate::clock::Random;
use crate::error::{Code, Error, Result};

/// A signing key in a file of its own: PKCS#8 PEM, readable by its owner only, as `openssl genpkey` writes it.
pub struct FileKey(MemoryKey);

// A PKCS#8 file of an Ed25519 key has 119 bytes; longer ones may carry comments, not pages.
const MAX_FILE_BYTES: u64 = 16 * 1024;

impl FileKey {
    /// Draws a new key and stores it; the file appears whole and durable with mode 0600, or not at all.
    ///
    /// # Errors
    ///
    /// `key-exists` when there is anything at `path`; `file-failed` when the file cannot be written.
    pub fn generate(path: &Path, random: &dyn Random) -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        random.fill(seed.as_mut());
        let key = MemoryKey::from_seed(&seed)?;
        write_new(path, pem(&seed).as_bytes())?;
        Ok(FileKey(key))
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    ///
    /// `key-missing` when there is no file, `key-exposed` when others than its owner may use it, `key-invalid` when it
    /// holds no sound Ed25519 key, `file-failed` when it cannot be read.
    pub fn load(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => about(Code::KeyMissing, "key file does not exist", path),
            _ => about(Code::FileFailed, "key file cannot be opened", path).with_source(error),
        })?;
        let metadata = file.metadata().map_err(|error| {
            about(Code::FileFailed, "key file cannot be inspected", path).with_source(error)
        })?;
        if metadata.is_dir() {
            return Err(about(Code::FileFailed, "key file is a folder; name the file in it", path));
        }
        check_mode(&metadata, path)?;
        // With the room reserved at once, no copy of the text is left behind in memory by growing.
        let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_BYTES as usize + 1));
        file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => about(Code::KeyInvalid, "key file is not text", path),
            _ => about(Code::FileFailed, "key file cannot be read", path).with_source(error),
        })?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(about(Code::KeyInvalid, "key file is too long for a key", path));
        }
        let mut pair = KeypairBytes::from_pkcs8_pem(&text)
            .map_err(|_| about(Code::KeyInvalid, "key file holds no ed25519 key in pkcs#8 pem", path))?;
        let seed = Zeroizing::new(pair.secret_key);
        pair.secret_key.zeroize();
        let key = MemoryKey::from_seed(&seed)
            .map_err(|error| about(Code::KeyInvalid, "key file holds a weak key", path).with_source(error))?;
        match &pair.public_key {
            Some(named) if named.0 != *key.public_key().as_bytes() => {
                Err(about(Code::KeyInvalid, "key file names a public key that is not its own", path))
            }
            _ => Ok(FileKey(key)),
        }
    }
}

#[async_trait]
impl ManifestSigner for FileKey {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature> {
        self.0.sign(message).await
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileKey").field(&self.public_key().key_id()).finish()
    }
}

// Without the public key inside, which makes it version 1 of PKCS#8, the one every OpenSSL reads.
fn pem(seed: &[u8; 32]) -> Zeroizing<String> {
    let mut pair = KeypairBytes { secret_key: *seed, public_key: None };
    let text = pair.to_pkcs8_pem(LineEnding::LF).expect("32 bytes fit into pkcs#8");
    pair.secret_key.zeroize();
    text
}

// A file under another name, linked to `path` once it is whole: `path` is never a half-written key, and never
// replaces one.
pub(super) fn write_new(path: &Path, text: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| {
        about(Code::FileFailed, "key file cannot be written", path).with_source(error)
    };
    let folder = folder_of(path);
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    draft.write_all(text).map_err(failed)?;
    draft.as_file().sync_all().map_err(failed)?;
    draft.persist_noclobber(path).map_err(|refused| match refused.error.kind() {
        ErrorKind::AlreadyExists => about(Code::KeyExists, "key file exists already", path),
        _ => failed(refused.error),
    })?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn check_mode(metadata: &Metadata, path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    match metadata.permissions().mode() & 0o777 {
        mode if mode & 0o077 == 0 => Ok(()),
        mode => Err(Error::new(
            Code::KeyExposed,
            format!("key file is open to others than its owner path={} mode={mode:04o}", path.display()),
        )),
    }
}

#[cfg(not(unix))]
fn check_mode(_metadata: &Metadata, _path: &Path) -> Result<()> {
    Ok(())
}

pub(super) fn about(code: Code, what: &str, path: &Path) -> Error {
    Error::new(code, format!("{what} path={}", path.display()))
}
