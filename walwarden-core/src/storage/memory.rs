//! The reference implementation: a map in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream;

use super::{
    Abilities, Fetched, Listed, ObjectName, Storage, Stored, Upload, UploadId, checked_prefix, checked_range,
};
use crate::error::Result;

/// Keeps objects in memory, for tests and for trying things out. Clones share their objects.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage(Arc<Mutex<BTreeMap<ObjectName, Bytes>>>);

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts other bytes in an object's place, as a thief or a bad disk would; tests of read-back use it.
    pub fn tamper(&self, name: &ObjectName, body: Bytes) {
        self.objects().insert(name.clone(), body);
    }

    fn objects(&self) -> MutexGuard<'_, BTreeMap<ObjectName, Bytes>> {
        // Every change is one insert, so a panic elsewhere cannot leave the map half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let name = name.unreserved()?.clone();
        Ok(Box::new(MemoryUpload { storage: self.clone(), name, body: BytesMut::new() }))
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched> {
        let body = self.objects().get(name).cloned().ok_or_else(|| super::missing(name))?;
        let size_bytes = body.len() as u64;
        let range = checked_range(name, range, size_bytes)?;
        let mut rest = body.slice(range.start as usize..range.end as usize); // inside a slice, so it fits usize
        let chunks = std::iter::from_fn(move || {
            (!rest.is_empty()).then(|| Ok(rest.split_to(rest.len().min(CHUNK_BYTES))))
        });
        Ok(Fetched::new(size_bytes, Box::pin(stream::iter(chunks))))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        checked_prefix(prefix)?;
        let objects = self.objects();
        let below = objects.iter().filter(|(name, _)| name.is_below(prefix));
        Ok(below.map(|(name, body)| Listed::new(name.clone(), body.len() as u64)).collect())
    }

    async fn abandon(&self, _: &ObjectName, _: &UploadId) -> Result<()> {
        Ok(()) // an unfinished upload lives in its own value only
    }

    async fn abilities(&self) -> Result<Abilities> {
        Ok(Abilities::new(true, None))
    }
}

#[derive(Debug)]
struct MemoryUpload {
    storage: MemoryStorage,
    name: ObjectName,
    body: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    fn id(&self) -> Option<UploadId> {
        None
    }

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.body.extend_from_slice(&chunk);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<Stored> {
        let size_bytes = self.body.len() as u64;
        match self.storage.objects().entry(self.name) {
            std::collections::btree_map::Entry::Occupied(taken) => Err(super::exists(taken.key())),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(self.body.freeze());
                Ok(Stored::new(size_bytes))
            }
        }
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

const CHUNK_BYTES: usize = 256 << 10;
