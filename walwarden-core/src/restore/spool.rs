//! Fetches a dump into a private file and compares it with its manifest.

use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use walwarden_archive::Toc;
use walwarden_verify::manifest::ManifestBody;

use crate::error::{Code, Error, Result};
use crate::pipeline::{Measure, Measured};
use crate::storage::{ObjectName, Storage, locked};
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

    /// Its table of contents.
    pub(super) async fn toc(&self) -> Result<Toc> {
        let path = self.path();
        let read = move || {
            let file = std::fs::File::open(&path).map_err(|error| {
                Error::new(Code::FileFailed, "the spooled dump cannot be read").with_source(error)
            })?;
            let (_, toc) = walwarden_archive::read_toc(file).map_err(|error| {
                Error::new(Code::ArchiveInvalid, "the dump's table of contents cannot be read")
                    .with_source(error)
            })?;
            Ok(toc)
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| {
            Error::new(Code::Internal, "the thread that reads the dump broke down").with_source(error)
        })?
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
    let dir = spool_dir.to_owned();
    let begun = tokio::task::spawn_blocking(move || {
        sweep(&dir, rustix::process::geteuid().as_raw());
        begin(&dir)
    });
    let begun = begun.await.map_err(|error| {
        Error::new(Code::Internal, "the maker of the spool folder panicked").with_source(error)
    })?;
    let (folder, file) = begun.map_err(|error| spool_error(spool_dir, error))?;
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

/// A new folder that only this user can enter, with an archive whose lock keeps other restores from sweeping it away.
fn begin(spool_dir: &Path) -> std::io::Result<(TempDir, std::fs::File)> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    loop {
        let folder = builder.tempdir_in(spool_dir)?;
        if let Some(archive) = locked::create(&archive_path(&folder))? {
            return Ok((folder, archive));
        }
    }
}

/// Removes what restores of this user that were killed left behind. The spool folder may be `/tmp`, where others can put
/// anything under any name.
fn sweep(spool_dir: &Path, user: u32) {
    let entries = std::fs::read_dir(spool_dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let is_own = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == user);
        if is_own && let Some(_archive) = locked::abandoned(&entry.path().join(ARCHIVE)) {
            let _stays_for_the_next = std::fs::remove_dir_all(entry.path());
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

    fn own() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn a_sweep_takes_nothing_of_the_living_or_of_other_users() {
        let dir = tempfile::tempdir().unwrap();
        let (alive, _lock) = begin(dir.path()).unwrap();
        let dead = begin(dir.path()).unwrap().0.keep();
        sweep(dir.path(), own() + 1);
        assert!(dead.exists());
        sweep(dir.path(), own());
        assert!(!dead.exists() && archive_path(&alive).exists());
    }

    #[test]
    fn a_sweep_waits_for_no_pipe_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, link) = (dir.path().join("walwarden-spool-pipe"), dir.path().join("walwarden-spool-link"));
        let elsewhere = dir.path().join("somebody's dump");
        std::fs::write(&elsewhere, "data").unwrap();
        for folder in [&pipe, &link] {
            std::fs::create_dir(folder).unwrap();
        }
        let made = std::process::Command::new("mkfifo").arg(pipe.join(ARCHIVE)).status().unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink(&elsewhere, link.join(ARCHIVE)).unwrap();
        let (done, swept) = std::sync::mpsc::channel();
        let path = dir.path().to_owned();
        std::thread::spawn(move || {
            sweep(&path, own());
            done.send(()).unwrap();
        });
        swept.recv_timeout(std::time::Duration::from_secs(10)).expect("it waits for the pipe");
        assert!(pipe.exists() && link.exists() && elsewhere.exists());
    }

    /// Between its making and its locking an archive looks like a dead restore's.
    #[test]
    fn a_sweep_in_between_costs_a_new_folder_and_not_the_restore() {
        let dir = tempfile::tempdir().unwrap();
        let (path, stop) =
            (dir.path().to_owned(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let stopped = std::sync::Arc::clone(&stop);
        let sweeper = std::thread::spawn(move || {
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                sweep(&path, own());
            }
        });
        for _ in 0..400 {
            let (folder, _lock) = begin(dir.path()).unwrap();
            assert!(archive_path(&folder).exists());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        sweeper.join().unwrap();
    }
}
