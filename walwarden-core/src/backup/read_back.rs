//! Compares what the store returns with what was sent.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tokio::task::JoinSet;
use walwarden_archive::ChunkDigests;
use walwarden_verify::index::{CHUNK_SIZE_BYTES, Index};

use super::attempt::Attempt;
use crate::error::{Code, Error, Result};
use crate::pipeline::{Measure, Measured};
use crate::storage::{ObjectName, Storage, StorageExt};
use crate::watch::Cancel;

/// Reads the whole object and compares size and digest.
///
/// # Errors
/// `read-back-mismatch` when they differ or the object is not there any more; the store's own errors.
pub(super) async fn compare(attempt: &Attempt<'_>, name: &ObjectName, sent: Measured) -> Result<()> {
    let came_back = measure(attempt, name).await.map_err(|error| vanished(name, error))?;
    if came_back == sent {
        return Ok(());
    }
    Err(Error::new(
        Code::ReadBackMismatch,
        format!(
            "what the store returns is not what was sent name={name} sent={}:{} returned={}:{}",
            sent.size_bytes, sent.sha256, came_back.size_bytes, came_back.sha256
        ),
    ))
}

/// Reads an object of the size and digest that was sent, and returns it.
///
/// # Errors
/// As [`compare`].
pub(super) async fn read(attempt: &Attempt<'_>, name: &ObjectName, sent: Measured) -> Result<Bytes> {
    let bytes = attempt.destination().read(name, sent.size_bytes).await;
    match bytes {
        Ok(bytes) if Measured::of(&bytes) == sent => Ok(bytes),
        Err(error) if !matches!(error.code(), Code::ObjectMissing | Code::ArgumentInvalid) => Err(error),
        // In the words that say by how much.
        _ => compare(attempt, name, sent).await.and(Err(altered(name, 0..sent.size_bytes))),
    }
}

/// Reads a whole dump, parts of it side by side, and compares every chunk with the index that was made while it was sent: one
/// connection to a bucket is slower than a disk, and one core may be slower than either.
///
/// # Errors
/// As [`compare`].
pub(super) async fn compare_chunks(
    attempt: &Attempt<'_>,
    name: &ObjectName,
    size_bytes: u64,
    index: Index,
) -> Result<()> {
    let readers = attempt.parts.settings.threads.get().min(MOST_READERS) as u64;
    let chunks_each = (index.chunks.len() as u64).div_ceil(readers).max(1);
    let index = Arc::new(index);
    let mut parts = JoinSet::new();
    for first in (0..index.chunks.len() as u64).step_by(chunks_each as usize) {
        let end = ((first + chunks_each) * CHUNK_SIZE_BYTES).min(size_bytes);
        let part = Part {
            storage: Arc::clone(&attempt.request.destination),
            cancel: attempt.request.cancel.clone(),
            name: name.clone(),
            size_bytes,
            range: first * CHUNK_SIZE_BYTES..end,
            index: Arc::clone(&index),
        };
        parts.spawn(part.compare());
    }
    while let Some(outcome) = parts.join_next().await {
        let outcome = outcome.map_err(|error| {
            Error::new(Code::Internal, "the reader of the stored dump broke down").with_source(error)
        })?;
        if let Err(error) = outcome {
            // It may have failed because of that.
            attempt.check_cancelled()?;
            return Err(vanished(name, error));
        }
    }
    attempt.check_cancelled()
}

/// Some chunks of a dump.
struct Part {
    storage: Arc<dyn Storage>,
    cancel: Cancel,
    name: ObjectName,
    size_bytes: u64,
    range: Range<u64>,
    index: Arc<Index>,
}

impl Part {
    async fn compare(self) -> Result<()> {
        let fetched = self.storage.get(&self.name, Some(self.range.clone())).await;
        let fetched = match fetched {
            Ok(fetched) if fetched.size_bytes == self.size_bytes => fetched,
            // It has become shorter, or longer.
            Ok(_) => return Err(altered(&self.name, self.range)),
            Err(error) if error.code() == Code::ArgumentInvalid => {
                return Err(altered(&self.name, self.range));
            }
            Err(error) => return Err(error),
        };
        let (mut body, mut digests) = (fetched.body, ChunkDigests::new());
        while let Some(piece) = body.next().await {
            digests.update(&piece?);
            if self.cancel.is_cancelled() {
                return Ok(()); // whoever waits for this knows
            }
        }
        let first = usize::try_from(self.range.start / CHUNK_SIZE_BYTES).unwrap_or(usize::MAX);
        let found = digests.finish();
        match self.index.chunks.get(first..first.saturating_add(found.len())) {
            Some(sent) if sent == found && self.is_whole(found.len()) => Ok(()),
            _ => Err(altered(&self.name, self.range)),
        }
    }

    fn is_whole(&self, chunks: usize) -> bool {
        chunks as u64 == (self.range.end - self.range.start).div_ceil(CHUNK_SIZE_BYTES)
    }
}

fn altered(name: &ObjectName, range: Range<u64>) -> Error {
    let message = format!(
        "what the store returns is not what was sent name={name} bytes={}..{}",
        range.start, range.end
    );
    Error::new(Code::ReadBackMismatch, message)
}

fn vanished(name: &ObjectName, error: Error) -> Error {
    match error.code() {
        Code::ObjectMissing => {
            Error::new(Code::ReadBackMismatch, format!("a stored object vanished name={name}"))
                .with_source(error)
        }
        _ => error,
    }
}

/// Stores an object of this job. One that is there already is ours after all, if a lost answer made the storage try twice;
/// nobody else's is ever stated as ours.
///
/// # Errors
/// `not_ours` when another object has the name; the store's own errors.
pub(super) async fn put(
    attempt: &Attempt<'_>,
    name: &ObjectName,
    bytes: Bytes,
    not_ours: impl FnOnce() -> Error,
) -> Result<()> {
    match attempt.destination().put(name, bytes.clone()).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Code::ObjectExists => {
            match measure(attempt, name).await? == Measured::of(&bytes) {
                true => Ok(()),
                false => Err(not_ours()),
            }
        }
        Err(error) => Err(error),
    }
}

/// Size and digest of an object as the store returns it now.
pub(super) async fn measure(attempt: &Attempt<'_>, name: &ObjectName) -> Result<Measured> {
    let mut body = attempt.destination().get(name, None).await?.body;
    let mut measure = Measure::default();
    while let Some(chunk) = body.next().await {
        measure.update(&chunk?);
        attempt.check_cancelled()?;
    }
    Ok(measure.finish())
}

/// More connections make no store faster by as much.
const MOST_READERS: usize = 4;
