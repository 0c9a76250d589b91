//! What an auditor keeps of a verification: a page for working papers, and a statement under his own key.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use tempfile::NamedTempFile;
use walwarden_verify::key::{PublicKey, Signature};
use walwarden_verify::{Report, Trust};

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

/// Before anything is read: the files that were asked for can be new ones. Whether they are is decided when they are written.
pub(super) fn check(arguments: &VerifyArguments) -> Result<(), Unusable> {
    let page = arguments.html.as_deref().map(|path| vacant("page", path)).transpose()?;
    let summary = arguments.vsa.as_deref().map(|path| vacant("summary", path)).transpose()?;
    match (&arguments.vsa, page.is_some() && page == summary) {
        (Some(path), true) => Err(Unusable::file("summary", path, "the page is to be written there")),
        _ => Ok(()),
    }
}

/// The path of a file that is not there yet, with its folder resolved.
fn vacant(what: &str, path: &Path) -> Result<PathBuf, Unusable> {
    let failed = |error: io::Error| Unusable::file(what, path, error);
    if path.symlink_metadata().is_ok() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidFilename.into()))?;
    Ok(folder_of(path).canonicalize().map_err(failed)?.join(name))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the files that were asked for, each of them new and whole.
pub(super) fn write(
    arguments: &VerifyArguments,
    auditor: Option<&Auditor>,
    trust: &Trust,
    report: &Report,
) -> Result<(), Unusable> {
    let mut staged = Vec::new();
    if let Some(path) = &arguments.html {
        staged.push(Staged::new("page", path, report.to_html().as_bytes())?);
    }
    if let (Some(path), Some(auditor), Some(bundle)) = (&arguments.vsa, auditor, report.bundle_sha256) {
        let name = arguments.bundle.file_name().map(|name| name.to_string_lossy());
        let summary = report.summary(&name.unwrap_or_default(), bundle, trust);
        let signature = Signature::from_bytes(auditor.private.sign(&summary.message()).to_bytes());
        staged.push(Staged::new("summary", path, &summary.seal(auditor.public.key_id(), &signature))?);
    }
    staged.into_iter().try_for_each(Staged::publish)
}

/// A file beside the wanted one, which gets its name when it is complete.
struct Staged<'a> {
    what: &'static str,
    path: &'a Path,
    file: NamedTempFile,
}

impl<'a> Staged<'a> {
    fn new(what: &'static str, path: &'a Path, content: &[u8]) -> Result<Self, Unusable> {
        let failed = |error: io::Error| Unusable::file(what, path, error);
        vacant(what, path)?;
        let mut staging = tempfile::Builder::new();
        // As any file that a user makes, and not for its owner alone.
        #[cfg(unix)]
        staging.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file =
            staging.prefix(".walwarden-").suffix(".new").tempfile_in(folder_of(path)).map_err(failed)?;
        file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        Ok(Staged { what, path, file })
    }

    fn publish(self) -> Result<(), Unusable> {
        let published = self.file.persist_noclobber(self.path);
        published.map(drop).map_err(|error| Unusable::file(self.what, self.path, error.error))
    }
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use clap::Parser as _;

    use super::*;

    fn refusal(papers: &[(&str, &Path)]) -> Option<String> {
        let mut arguments: Vec<OsString> = ["walwarden-verify", "--bundle", "x"].map(OsString::from).into();
        for (flag, path) in papers {
            arguments.extend([OsString::from(flag), path.into()]);
        }
        let arguments = crate::CommandLine::try_parse_from(arguments).unwrap().verify;
        check(&arguments).err().map(|refusal| refusal.to_string())
    }

    #[test]
    fn what_cannot_be_written_is_told_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (there, free) = (folder.path().join("there"), folder.path().join("free"));
        fs::write(&there, "").unwrap();
        assert_eq!(refusal(&[("--html", &free)]), None);
        assert!(refusal(&[("--html", &there)]).unwrap().contains("page"));
        let key = ("--vsa-key", Path::new("key"));
        assert!(refusal(&[("--html", &free), ("--vsa", &there), key]).unwrap().contains("summary"));
        let again = folder.path().join(".").join("free");
        assert!(refusal(&[("--html", &free), ("--vsa", &again), key]).unwrap().contains("the page is to be"));
        assert!(refusal(&[("--html", &free), ("--vsa", &folder.path().join("other")), key]).is_none());
        assert!(refusal(&[("--html", &folder.path().join("none/page"))]).is_some());
    }
}
