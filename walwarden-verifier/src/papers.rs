//! What an auditor keeps of a verification: a page for working papers, and a statement under his own key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use walwarden_verify::key::{PublicKey, Signature};
use walwarden_verify::{Hasher, Report, Sha256};

use super::{Unusable, VerifyArguments};

/// The auditor's own signing key, loaded before anything is verified.
pub(super) struct Auditor {
    private: SigningKey,
    public: PublicKey,
}

impl Auditor {
    pub(super) fn load(path: &Path) -> Result<Self, Unusable> {
        let unusable = |cause: &str| Unusable::file("auditor's key", path, cause);
        let mut file = File::open(path).map_err(|error| Unusable::file("auditor's key", path, error))?;
        check_mode(&file).map_err(unusable)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| Unusable::file("auditor's key", path, error))?;
        let private = SigningKey::from_pkcs8_pem(&text);
        let private = private.map_err(|_| unusable("this is no Ed25519 key in PKCS#8 PEM"))?;
        let public = PublicKey::from_bytes(private.verifying_key().as_bytes());
        let public = public.map_err(|error| Unusable::file("auditor's key", path, error))?;
        Ok(Auditor { private, public })
    }
}

/// Writes the files that were asked for, each of them new.
pub(super) fn write(
    arguments: &VerifyArguments,
    auditor: Option<&Auditor>,
    report: &Report,
) -> Result<(), Unusable> {
    if let Some(path) = &arguments.html {
        write_new("page", path, report.to_html().as_bytes())?;
    }
    if let (Some(path), Some(auditor), Some(bundle)) = (&arguments.vsa, auditor, report.bundle_sha256) {
        let policy = arguments.policy.as_deref().map(digest).transpose()?;
        let witness_policy = arguments.witness_policy.as_deref().map(digest).transpose()?;
        let name = arguments.bundle.file_name().map(|name| name.to_string_lossy());
        let summary = report.summary(&name.unwrap_or_default(), bundle, policy, witness_policy);
        let signature = Signature::from_bytes(auditor.private.sign(&summary.message()).to_bytes());
        write_new("summary", path, &summary.seal(auditor.public.key_id(), &signature))?;
    }
    Ok(())
}

/// SHA-256 of a file.
pub(super) fn digest(path: &Path) -> Result<Sha256, Unusable> {
    let failed = |error: io::Error| Unusable::file("file", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut piece) = (Hasher::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut piece).map_err(failed)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(&piece[..count]),
        }
    }
}

fn write_new(what: &str, path: &Path, content: &[u8]) -> Result<(), Unusable> {
    let failed = |error: io::Error| Unusable::file(what, path, error);
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a page is worse than none.
        let _ = fs::remove_file(path);
        failed(error)
    })
}

#[cfg(unix)]
fn check_mode(file: &File) -> Result<(), &'static str> {
    use std::os::unix::fs::PermissionsExt as _;

    match file.metadata().map(|metadata| metadata.permissions().mode() & 0o077) {
        Ok(0) => Ok(()),
        Ok(_) => Err("others than its owner may use it: chmod 600"),
        Err(_) => Err("it cannot be inspected"),
    }
}

#[cfg(not(unix))]
fn check_mode(_file: &File) -> Result<(), &'static str> {
    Ok(())
}
