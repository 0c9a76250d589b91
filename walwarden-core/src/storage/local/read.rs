//! From files to chunks and listings.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Folder, blocking};
use crate::error::{Code, Error, Result};
use crate::storage::{Fetched, Listed, ObjectName, checked_range, is_reserved, missing};

pub(super) async fn fetch(
    folder: Arc<Folder>,
    name: ObjectName,
    range: Option<Range<u64>>,
) -> Result<Fetched> {
    let (opened_folder, opened_name) = (Arc::clone(&folder), name.clone());
    let (file, size_bytes) = blocking(move || open(&opened_folder, &opened_name)).await?;
    let range = checked_range(&name, range, size_bytes)?;
    let (chunks, mut received) = mpsc::channel(CHUNKS_AHEAD);
    spawn_blocking(move || {
        if let Err(error) = read_ahead(&folder, &name, file, range, &chunks) {
            let _ = chunks.blocking_send(Err(error)); // a reader that has gone needs no error
        }
    });
    Ok(Fetched::new(size_bytes, Box::pin(stream::poll_fn(move |context| received.poll_recv(context)))))
}

fn open(folder: &Folder, name: &ObjectName) -> Result<(File, u64)> {
    let opened = File::open(folder.path(name)).and_then(|file| file.metadata().map(|found| (file, found)));
    match opened {
        Ok((file, found)) if found.is_file() => Ok((file, found.len())),
        Ok(_) => Err(missing(name)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            folder.present()?;
            Err(missing(name))
        }
        Err(error) => Err(folder.fault("open", name.as_str(), error)),
    }
}

/// Reads the range into the channel; ends early and silently when the reader has gone.
fn read_ahead(
    folder: &Folder,
    name: &ObjectName,
    mut file: File,
    range: Range<u64>,
    chunks: &mpsc::Sender<Result<Bytes>>,
) -> Result<()> {
    let fault = |error| folder.fault("read", name.as_str(), error);
    file.seek(SeekFrom::Start(range.start)).map_err(fault)?;
    let mut left = range.end - range.start;
    while left > 0 {
        let wanted = left.min(CHUNK_BYTES);
        let mut chunk = Vec::with_capacity(wanted as usize);
        (&mut file).take(wanted).read_to_end(&mut chunk).map_err(fault)?;
        if chunk.len() as u64 != wanted {
            let message = format!("object became shorter while it was read name={name}");
            return Err(Error::new(Code::ReadBackMismatch, message));
        }
        left -= wanted;
        if chunks.blocking_send(Ok(chunk.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

pub(super) fn list(folder: &Folder, prefix: &str) -> Result<Vec<Listed>> {
    folder.present()?;
    let mut found = Vec::new();
    if !is_reserved(prefix) {
        walk(folder, &folder.root.join(prefix), prefix, &mut found)?;
    }
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn walk(folder: &Folder, path: &Path, prefix: &str, found: &mut Vec<Listed>) -> Result<()> {
    let fault = |error| folder.fault("list", prefix, error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    for entry in entries {
        let entry = entry.map_err(fault)?;
        let Ok(segment) = entry.file_name().into_string() else { continue };
        let text = if prefix.is_empty() { segment } else { format!("{prefix}/{segment}") };
        if is_reserved(&text) {
            continue;
        }
        let Ok(name) = ObjectName::new(text) else { continue };
        let kind = entry.file_type().map_err(fault)?;
        if kind.is_dir() {
            walk(folder, &entry.path(), name.as_str(), found)?;
        } else if kind.is_file() {
            match entry.metadata() {
                Ok(file) => found.push(Listed::new(name, file.len())),
                Err(error) if error.kind() == ErrorKind::NotFound => {} // removed while we looked
                Err(error) => return Err(fault(error)),
            }
        }
    }
    Ok(())
}

const CHUNK_BYTES: u64 = 1 << 20;
const CHUNKS_AHEAD: usize = 2;
