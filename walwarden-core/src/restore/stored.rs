//! A dump as it lies in the store, read in ranges. Every byte is compared with the index before it is handed on.

use std::collections::{HashMap, VecDeque};
use std::io::Cursor;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use walwarden_archive::{Entry, Header, Toc};
use walwarden_verify::Sha256;
use walwarden_verify::index::{Block, CHUNK_SIZE_BYTES, Index};
use walwarden_verify::manifest::VerifiedManifest;

use super::contents;
use crate::error::{Code, Error, Result};
use crate::storage::{ObjectName, Storage};

/// Header and table of contents of a dump.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) header: Header,
    pub(super) toc: Toc,
}

/// A dump in the store with its index, which its manifest names.
#[derive(Debug, Clone)]
pub(super) struct StoredDump {
    pub(super) head: Arc<Head>,
    pub(super) index: Arc<Index>,
    /// dumpId → place in the index.
    places: Arc<HashMap<u64, usize>>,
    object: Arc<Object>,
}

impl StoredDump {
    /// Reads index, header and table of contents, for so many readers side by side. Each has a chunk and the next one; these
    /// are kept a while for its neighbours.
    ///
    /// # Errors
    /// `index-missing`, `artifact-mismatch`, `archive-invalid`; the store's own errors.
    pub(super) async fn open(
        storage: Arc<dyn Storage>,
        manifest: &VerifiedManifest,
        readers: u32,
    ) -> Result<StoredDump> {
        let body = manifest.body();
        let index = contents::index(storage.as_ref(), manifest).await?;
        let name = ObjectName::new(body.artifact_key.clone())?;
        StoredDump::of(storage, name, body.size_bytes, index, readers).await
    }

    async fn of(
        storage: Arc<dyn Storage>,
        name: ObjectName,
        size_bytes: u64,
        index: Index,
        readers: u32,
    ) -> Result<StoredDump> {
        let index = Arc::new(index);
        let object = Arc::new(Object {
            storage,
            name,
            size_bytes,
            index: Arc::clone(&index),
            recent: Mutex::default(),
            kept_chunks: (2 * readers as usize + 1).min(MOST_KEPT_CHUNKS),
        });
        let head = Arc::new(read_head(&object).await?);
        let places = index.entries.iter().enumerate().map(|(place, entry)| (entry.dump_id, place)).collect();
        Ok(StoredDump { head, index, places: Arc::new(places), object })
    }

    /// The entries of a table of contents that have data, and where that lies, in the order in which it lies there.
    ///
    /// # Errors
    /// `artifact-mismatch` when the index has no place for one.
    pub(super) fn blocks<'a>(&'a self, toc: &'a Toc) -> Result<Vec<(&'a Entry, &'a Block)>> {
        let mut blocks = Vec::new();
        for entry in toc.entries().iter().filter(|entry| entry.has_block()) {
            let dump_id = u64::try_from(entry.dump_id).ok();
            let place = dump_id.and_then(|dump_id| self.places.get(&dump_id));
            let block =
                place.and_then(|place| self.index.entries[*place].data.as_ref()).ok_or_else(|| {
                    let message = format!(
                        "the index has no data of an entry in the dump's table of contents name={} dumpId={}",
                        self.object.name, entry.dump_id
                    );
                    Error::new(Code::ArtifactMismatch, message)
                })?;
            blocks.push((entry, block));
        }
        blocks.sort_by_key(|(_, block)| block.offset);
        Ok(blocks)
    }

    /// The bytes of each of these blocks, in the order in which they lie there. A small one that lies alone is read by itself and
    /// compared by its own digest, so that one table out of many costs no more than its bytes; else the chunks are that blocks
    /// lie in, which neighbours share.
    pub(super) fn readings<'a>(&self, blocks: &[(&'a Entry, &'a Block)]) -> Vec<Reading> {
        let chunks = |block: &Block| {
            let last = (block.offset + block.length).saturating_sub(1).max(block.offset);
            (block.offset / CHUNK_SIZE_BYTES, last / CHUNK_SIZE_BYTES)
        };
        let is_alone = |place: usize| {
            let (first, last) = chunks(blocks[place].1);
            let before = place.checked_sub(1).map(|before| chunks(blocks[before].1).1);
            let after = blocks.get(place + 1).map(|(_, after)| chunks(after).0);
            before != Some(first) && after != Some(last)
        };
        let reading = |(place, (_, block)): (usize, &(&Entry, &Block))| match block.length <= CHUNK_SIZE_BYTES
            && is_alone(place)
        {
            true => self.read_block(block),
            false => self.read_chunks(block),
        };
        blocks.iter().enumerate().map(reading).collect()
    }

    fn read_block(&self, block: &Block) -> Reading {
        let object = Arc::clone(&self.object);
        Reading { object, rest: 0..0, alone: Some(block.clone()), ahead: JoinSet::new() }
    }

    fn read_chunks(&self, block: &Block) -> Reading {
        let rest = block.offset..block.offset + block.length;
        Reading { object: Arc::clone(&self.object), rest, alone: None, ahead: JoinSet::new() }
    }
}

async fn read_head(object: &Arc<Object>) -> Result<Head> {
    let size = object.index.toc_size_bytes;
    let mut reading =
        Reading { object: Arc::clone(object), rest: 0..size, alone: None, ahead: JoinSet::new() };
    let mut bytes = BytesMut::new();
    while let Some(piece) = reading.next().await? {
        bytes.extend_from_slice(&piece);
    }
    let (header, toc) = walwarden_archive::read_toc(Cursor::new(bytes)).map_err(|error| {
        let message = format!("the dump's table of contents cannot be read name={}", object.name);
        Error::new(Code::ArchiveInvalid, message).with_source(error)
    })?;
    Ok(Head { header, toc })
}

/// A part of a dump on its way. While one chunk is worked on, the next one is fetched.
#[derive(Debug)]
pub(super) struct Reading {
    object: Arc<Object>,
    rest: Range<u64>,
    alone: Option<Block>,
    ahead: JoinSet<Result<Bytes>>,
}

impl Reading {
    /// The next bytes, compared; none after the last. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// `artifact-mismatch` when what is stored is not what the index says; the store's own errors.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        if let Some(block) = &self.alone {
            let bytes = self.object.block(block).await?;
            self.alone = None;
            return Ok(Some(bytes));
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let number = self.rest.start / CHUNK_SIZE_BYTES;
        let chunk = match self.ahead.join_next().await {
            Some(fetched) => fetched.map_err(|error| {
                Error::new(Code::Internal, "the reader of the stored dump broke down").with_source(error)
            })??,
            None => self.object.chunk(number).await?,
        };
        let begins = number * CHUNK_SIZE_BYTES;
        let ends = begins + chunk.len() as u64;
        if ends < self.rest.end {
            let object = Arc::clone(&self.object);
            self.ahead.spawn(async move { object.chunk(number + 1).await });
        }
        // Both lie within the chunk, which fits into memory.
        let within = (self.rest.start - begins) as usize..(self.rest.end.min(ends) - begins) as usize;
        self.rest.start = ends.min(self.rest.end);
        Ok(Some(chunk.slice(within)))
    }
}

/// The artifact, and the chunks of it that were read last.
#[derive(Debug)]
struct Object {
    storage: Arc<dyn Storage>,
    name: ObjectName,
    size_bytes: u64,
    index: Arc<Index>,
    recent: Mutex<VecDeque<(u64, Arc<OnceCell<Bytes>>)>>,
    kept_chunks: usize,
}

impl Object {
    /// A chunk, compared. Whoever wants one that is being fetched waits for it.
    async fn chunk(&self, number: u64) -> Result<Bytes> {
        let cell = self.recent(number);
        let fetch = || async {
            let begins = number * CHUNK_SIZE_BYTES;
            let range = begins..(begins + CHUNK_SIZE_BYTES).min(self.size_bytes);
            let expected = usize::try_from(number).ok().and_then(|number| self.index.chunks.get(number));
            self.fetch(range, expected.copied()).await
        };
        cell.get_or_try_init(fetch).await.cloned()
    }

    /// A block by itself, compared.
    async fn block(&self, block: &Block) -> Result<Bytes> {
        self.fetch(block.offset..block.offset + block.length, Some(block.sha256)).await
    }

    fn recent(&self, number: u64) -> Arc<OnceCell<Bytes>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let found = recent.iter().position(|(kept, _)| *kept == number);
        let place = match found.and_then(|at| recent.remove(at)) {
            Some(place) => place,
            None => (number, Arc::default()),
        };
        let cell = Arc::clone(&place.1);
        recent.push_front(place);
        recent.truncate(self.kept_chunks);
        cell
    }

    async fn fetch(&self, range: Range<u64>, expected: Option<Sha256>) -> Result<Bytes> {
        let altered = || {
            let message = format!(
                "the stored dump is not what its index says name={} bytes={}..{}",
                self.name, range.start, range.end
            );
            Error::new(Code::ArtifactMismatch, message)
        };
        let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| altered())?;
        let fetched = self.storage.get(&self.name, Some(range.clone())).await;
        let mut body = match fetched {
            Ok(fetched) if fetched.size_bytes == self.size_bytes => fetched.body,
            // It is shorter, or longer.
            Ok(_) => return Err(altered()),
            Err(error) if error.code() == Code::ArgumentInvalid => return Err(altered()),
            Err(error) => return Err(changed(error)),
        };
        let mut bytes = BytesMut::with_capacity(length);
        while let Some(piece) = body.try_next().await.map_err(changed)? {
            if bytes.len() + piece.len() > length {
                return Err(altered());
            }
            bytes.extend_from_slice(&piece);
        }
        let bytes = bytes.freeze();
        let hashed = bytes.clone();
        let digest = tokio::task::spawn_blocking(move || Sha256::of(&hashed)).await.map_err(|error| {
            Error::new(Code::Internal, "the thread that compares the stored dump broke down")
                .with_source(error)
        })?;
        if bytes.len() == length && Some(digest) == expected { Ok(bytes) } else { Err(altered()) }
    }
}

/// What a store says that returns other bytes than it announced, or another object than before, speaks of a backup.
pub(super) fn changed(error: Error) -> Error {
    match error.code() {
        Code::ReadBackMismatch => error.with_code(Code::ArtifactMismatch),
        _ => error,
    }
}

/// 128 MiB.
const MOST_KEPT_CHUNKS: usize = 16;

#[cfg(test)]
mod tests;
