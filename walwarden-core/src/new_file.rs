//! Files that are written for a user: new ones, whole or not there.

use std::io;
use std::path::Path;

use crate::error::{Code, Error, Result};
use tempfile::NamedTempFile;

/// A file beside the wanted one, which gets its name only when it is complete. For its owner only: it may hold dumps.
///
/// # Errors
/// `file-failed` when there is something of that name, or nothing can be written there.
pub fn staged(path: &Path) -> Result<NamedTempFile> {
    if path.is_dir() {
        let message = format!("this is a folder; name the file to write path={}", path.display());
        return Err(Error::new(Code::FileFailed, message));
    }
    if path.exists() {
        let message = format!(
            "a file of that name exists and is not overwritten; name another path={}",
            path.display()
        );
        return Err(Error::new(Code::FileFailed, message));
    }
    tempfile::Builder::new()
        .prefix(".walwarden-")
        .suffix(".new")
        .tempfile_in(folder_of(path))
        .map_err(|error| failed(path, error))
}

/// Gives the file its name, unless another came there meanwhile. Returns its size in bytes.
///
/// # Errors
/// `file-failed`; the name is as it was then.
pub fn publish(staged: NamedTempFile, path: &Path) -> Result<u64> {
    staged.as_file().sync_all().map_err(|error| failed(path, error))?;
    let file = staged.persist_noclobber(path).map_err(|error| failed(path, error.error))?;
    Ok(file.metadata().map_err(|error| failed(path, error))?.len())
}

/// The folder in which this path lies.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The error of a file that cannot be written.
pub fn failed(path: &Path, error: io::Error) -> Error {
    Error::new(Code::FileFailed, format!("this cannot be written path={}", path.display())).with_source(error)
}
