//! Fetches a dump into a private file and compares it with its manifest.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use futures::StreamExt;
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use walwarden_verify::manifest::ManifestBody;

use crate::error::{Code, Error, Result};
use crate::pipeline::{Measure, Measured};
use crate::storage::{ObjectName, Storage};
use crate::watch::{Cancel, Transfer, Watch};

/// A complete local copy, not compared yet. Its folder is readable by this user only and goes when it is dropped.
#[derive(Debug)]
pub(super) struct SpooledDump {
    folder: TempDir,
    lock: std::fs::File,
}

/// A local copy that is, byte for byte, what the manifest speaks of. Only [`SpooledDump::verify`] makes one, and
/// whatever starts `pg_restore` asks for one.
#[derive(Debug)]
pub(super) struct VerifiedDump {
    folder: TempDir,
    /// Keeps other restores from sweeping the folder away.
    _lock: std::fs::File,
}

impl VerifiedDump {
    /// The archive.
    pub(super) fn path(&self) -> PathBuf {
        archive_path(&self.folder)
    }

    /// The private folder around it, for lists that accompany the archive.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Fetches the dump. One byte more than the manifest names is enough to stop.
pub(super) async fn fetch(
    storage: &dyn Storage,
    manifest: &ManifestBody,
    spool_dir: &Path,
    cancel: &Cancel,
    watch: &dyn Watch,
) -> Result<SpooledDump> {
    let name = ObjectName::new(manifest.artifact_key.clone())?;
    let folder = private_folder(spool_dir).map_err(|error| spool_error(spool_dir, error))?;
    let file =
        File::create_new(archive_path(&folder)).await.map_err(|error| spool_error(spool_dir, error))?;
    // The lock ends with this process, however that ends.
    let file = file.into_std().await;
    file.lock().map_err(|error| spool_error(spool_dir, error))?;
    let lock = file.try_clone().map_err(|error| spool_error(spool_dir, error))?;
    let mut file = BufWriter::with_capacity(1 << 20, File::from_std(file));
    let mut body = storage.get(&name, None).await?.body;
    let mut done_bytes = 0;
    loop {
        // A store that has stopped sending must not keep a cancelled restore.
        let chunk = tokio::select! {
            chunk = body.next() => chunk,
            () = cancel.cancelled() => return Err(cancelled()),
        };
        let Some(chunk) = chunk.transpose()? else { break };
        file.write_all(&chunk).await.map_err(|error| spool_error(spool_dir, error))?;
        done_bytes += chunk.len() as u64;
        if done_bytes > manifest.size_bytes {
            break;
        }
        watch.transfer(Transfer { done_bytes, total_bytes: Some(manifest.size_bytes) });
    }
    file.flush().await.map_err(|error| spool_error(spool_dir, error))?;
    Ok(SpooledDump { folder, lock })
}

impl SpooledDump {
    /// Compares size and digest with the manifest.
    ///
    /// The digest is that of the file as it is read now, which is how `pg_restore` will read it, and not of the bytes as
    /// they came: what a full or failing disk made of them counts. The file is mostly still in memory, so that hashing
    /// it here takes hardly longer than hashing it on the way did.
    pub(super) async fn verify(self, manifest: &ManifestBody, cancel: &Cancel) -> Result<VerifiedDump> {
        let path = archive_path(&self.folder);
        let cancel = cancel.clone();
        let measured = tokio::task::spawn_blocking(move || measure(&path, &cancel)).await;
        let Measured { size_bytes, sha256 } = measured.map_err(|error| {
            Error::new(Code::Internal, "the reader of the spooled dump panicked").with_source(error)
        })??;
        if size_bytes == manifest.size_bytes && sha256 == manifest.checksum_sha256 {
            return Ok(VerifiedDump { folder: self.folder, _lock: self.lock });
        }
        Err(Error::new(
            Code::ArtifactMismatch,
            format!(
                "the stored dump is not what the manifest names name={} expected={}:{} stored={size_bytes}:{sha256}",
                manifest.artifact_key, manifest.size_bytes, manifest.checksum_sha256
            ),
        ))
    }
}

fn measure(path: &Path, cancel: &Cancel) -> Result<Measured> {
    let mut file = std::fs::File::open(path).map_err(|error| spool_error(path, error))?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut measure = Measure::default();
    loop {
        if cancel.is_cancelled() {
            return Err(cancelled());
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(measure.finish()),
            Ok(count) => measure.update(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(spool_error(path, error)),
        }
    }
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "the restore was cancelled before the dump was verified")
}

/// A new folder that only this user can enter. What restores that were killed left behind goes first.
fn private_folder(spool_dir: &Path) -> std::io::Result<TempDir> {
    sweep(spool_dir);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(spool_dir)
}

/// Removes spool folders whose archive is under nobody's lock. One that cannot be removed is not ours to remove.
fn sweep(spool_dir: &Path) {
    let entries = std::fs::read_dir(spool_dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let archive = entry.path().join(ARCHIVE);
        let Ok(file) = std::fs::File::open(&archive) else { continue };
        if file.try_lock().is_ok() {
            let _not_ours = std::fs::remove_dir_all(entry.path());
        }
    }
}

const PREFIX: &str = "walwarden-spool-";
const ARCHIVE: &str = "archive.dump";
const PIECE_BYTES: usize = 1 << 20;

fn archive_path(folder: &TempDir) -> PathBuf {
    folder.path().join(ARCHIVE)
}

fn spool_error(folder: &Path, error: std::io::Error) -> Error {
    let (code, what) = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            (Code::SpoolFull, "no room left in the spool folder")
        }
        _ => (Code::FileFailed, "the spool folder cannot be used"),
    };
    Error::new(code, format!("{what} folder={}", folder.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_faults() {
        let code = |kind: ErrorKind| spool_error(Path::new("/spool"), kind.into()).code();
        assert_eq!(code(ErrorKind::StorageFull), Code::SpoolFull);
        assert_eq!(code(ErrorKind::QuotaExceeded), Code::SpoolFull);
        assert_eq!(code(ErrorKind::PermissionDenied), Code::FileFailed);
    }
}
