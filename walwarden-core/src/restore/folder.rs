//! The private folders in which archives lie while `pg_restore` reads them.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Code, Error, Result};
use crate::storage::locked;

/// A folder that only this user can enter. It goes when it is dropped, or with the next restore if this process dies.
#[derive(Debug)]
pub(super) struct PrivateFolder {
    folder: TempDir,
    /// Keeps other restores from sweeping the folder away.
    lock: File,
}

impl PrivateFolder {
    /// A new one below the spool folder, with an empty archive in it. What dead restores left there goes.
    pub(super) async fn begin(spool_dir: &Path) -> Result<PrivateFolder> {
        let dir = spool_dir.to_owned();
        let begun = tokio::task::spawn_blocking(move || {
            sweep(&dir, rustix::process::geteuid().as_raw());
            begin(&dir)
        });
        let begun = begun.await.map_err(|error| {
            Error::new(Code::Internal, "the maker of the spool folder panicked").with_source(error)
        })?;
        begun.map_err(|error| failed(spool_dir, error))
    }

    /// The archive, by the file that was opened with the folder.
    pub(super) fn archive(&self) -> Result<tokio::fs::File> {
        let file = self.lock.try_clone().map_err(|error| failed(self.path(), error))?;
        Ok(tokio::fs::File::from_std(file))
    }

    /// Where the archive lies.
    pub(super) fn archive_path(&self) -> PathBuf {
        self.path().join(ARCHIVE)
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A new folder that only this user can enter, with an archive whose lock keeps other restores from sweeping it away.
fn begin(spool_dir: &Path) -> std::io::Result<PrivateFolder> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    loop {
        let folder = builder.tempdir_in(spool_dir)?;
        if let Some(lock) = locked::create(&folder.path().join(ARCHIVE))? {
            return Ok(PrivateFolder { folder, lock });
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
pub(super) const ARCHIVE: &str = "archive.dump";

/// What a fault in the spool folder means.
pub(super) fn failed(folder: &Path, error: std::io::Error) -> Error {
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
        let code = |kind: ErrorKind| failed(Path::new("/spool"), kind.into()).code();
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
        let alive = begin(dir.path()).unwrap();
        let dead = begin(dir.path()).unwrap().folder.keep();
        sweep(dir.path(), own() + 1);
        assert!(dead.exists());
        sweep(dir.path(), own());
        assert!(!dead.exists() && alive.archive_path().exists());
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
            assert!(begin(dir.path()).unwrap().archive_path().exists());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        sweeper.join().unwrap();
    }
}
