//! Any storage, misbehaving on demand.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use walwarden_core::storage::{Abilities, Fetched, Listed, ObjectName, Storage, Stored, Upload, UploadId};
use walwarden_core::{Code, Error, Result};

/// A call on a storage or on one of its uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// [`Storage::upload`].
    Upload,
    /// [`Upload::write`].
    Write,
    /// [`Upload::finish`].
    Finish,
    /// [`Upload::abort`].
    Abort,
    /// [`Storage::get`].
    Get,
    /// [`Storage::list`].
    List,
    /// [`Storage::abandon`].
    Abandon,
    /// [`Storage::abilities`].
    Abilities,
}

/// What a call does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaviour {
    /// Fails without having done anything.
    Fail(Code),
    /// Does its work, then fails: the answer is lost.
    FailAfter(Code),
    /// Never returns.
    Hang,
    /// Flips the lowest bit of the byte at this offset of what is read; [`Call::Get`] only.
    FlipByte(u64),
    /// Ends what is read after so many bytes, without an error; [`Call::Get`] only.
    EndBody(u64),
}

/// Passes calls on to another storage, except where told otherwise.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use walwarden_core::Code;
/// use walwarden_core::storage::{MemoryStorage, ObjectName, StorageExt};
/// use walwarden_testkit::storage::{Call, FaultyStorage, Misbehaviour};
///
/// let storage = FaultyStorage::new(Arc::new(MemoryStorage::new()));
/// storage.misbehave(Call::Finish, 2, Misbehaviour::Fail(Code::StorageFull));
/// let name = ObjectName::new("dump")?;
/// storage.put(&name, "fits".into()).await?;
/// let error = storage.put(&ObjectName::new("manifest")?, "does not".into()).await.unwrap_err();
/// assert_eq!(error.code(), Code::StorageFull);
/// # Ok::<_, walwarden_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: Vec<Call>,
    faults: Vec<(Call, usize, Misbehaviour)>,
    lies: Vec<(String, Misbehaviour)>,
    bytes_asked_for: u64,
}

impl FaultyStorage {
    /// A storage that behaves until told otherwise.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        FaultyStorage { inner, plan: Arc::default() }
    }

    /// Lets the `nth` call of its kind, counted from 1 and from the beginning, misbehave; 0 means each of them.
    pub fn misbehave(&self, call: Call, nth: usize, how: Misbehaviour) {
        self.plan().faults.push((call, nth, how));
    }

    /// Lets every [`Storage::get`] of an object whose name ends so misbehave.
    pub fn misread(&self, suffix: &str, how: Misbehaviour) {
        self.plan().lies.push((suffix.to_owned(), how));
    }

    /// Behaves again.
    pub fn heal(&self) {
        let mut plan = self.plan();
        plan.faults.clear();
        plan.lies.clear();
    }

    /// How many calls of a kind there were.
    pub fn calls(&self, call: Call) -> usize {
        self.plan().calls.iter().filter(|&&made| made == call).count()
    }

    /// How many bytes were asked for by [`Storage::get`].
    pub fn bytes_asked_for(&self) -> u64 {
        self.plan().bytes_asked_for
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn struck(&self, call: Call) -> Option<Misbehaviour> {
        let mut plan = self.plan();
        plan.calls.push(call);
        let number = plan.calls.iter().filter(|&&made| made == call).count();
        let strikes =
            |&&(of, nth, _): &&(Call, usize, Misbehaviour)| of == call && (nth == 0 || nth == number);
        plan.faults.iter().find(strikes).map(|&(_, _, how)| how)
    }

    fn lie(&self, name: &ObjectName) -> Option<Misbehaviour> {
        let plan = self.plan();
        plan.lies.iter().find(|(suffix, _)| name.as_str().ends_with(suffix)).map(|&(_, how)| how)
    }

    async fn run<T>(&self, call: Call, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.struck(call) {
            Some(Misbehaviour::Fail(code)) => Err(injected(code, call)),
            Some(Misbehaviour::Hang) => std::future::pending().await,
            Some(Misbehaviour::FailAfter(code)) => {
                work.await?;
                Err(injected(code, call))
            }
            _ => work.await,
        }
    }
}

fn injected(code: Code, call: Call) -> Error {
    Error::new(code, format!("injected fault call={call:?}"))
}

#[async_trait]
impl Storage for FaultyStorage {
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        let inner = self.run(Call::Upload, self.inner.upload(name)).await?;
        Ok(Box::new(FaultyUpload { storage: self.clone(), inner }))
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched> {
        let begin = range.as_ref().map_or(0, |range| range.start);
        let (flip, end) = match self.struck(Call::Get).or_else(|| self.lie(name)) {
            Some(Misbehaviour::Fail(code) | Misbehaviour::FailAfter(code)) => {
                return Err(injected(code, Call::Get));
            }
            Some(Misbehaviour::Hang) => std::future::pending().await,
            Some(Misbehaviour::FlipByte(offset)) => (Some(offset), None),
            Some(Misbehaviour::EndBody(length)) => (None, Some(length)),
            None => (None, None),
        };
        let fetched = self.inner.get(name, range.clone()).await?;
        self.plan().bytes_asked_for += range.map_or(fetched.size_bytes, |range| range.end - range.start);
        let mut at = begin;
        let body = fetched.body.map(move |chunk| {
            let mut chunk = BytesMut::from(chunk?);
            let from = at;
            at += chunk.len() as u64;
            if let Some(offset) = flip
                && (from..at).contains(&offset)
            {
                chunk[(offset - from) as usize] ^= 1;
            }
            if let Some(length) = end {
                chunk.truncate((begin + length).saturating_sub(from) as usize);
            }
            Ok(chunk.freeze())
        });
        Ok(Fetched::new(fetched.size_bytes, Box::pin(body)))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        self.run(Call::List, self.inner.list(prefix)).await
    }

    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> Result<()> {
        self.run(Call::Abandon, self.inner.abandon(name, upload)).await
    }

    async fn abilities(&self) -> Result<Abilities> {
        self.run(Call::Abilities, self.inner.abilities()).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    storage: FaultyStorage,
    inner: Box<dyn Upload>,
}

#[async_trait]
impl Upload for FaultyUpload {
    fn id(&self) -> Option<UploadId> {
        self.inner.id()
    }

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.storage.run(Call::Write, self.inner.write(chunk)).await
    }

    async fn finish(self: Box<Self>) -> Result<Stored> {
        self.storage.run(Call::Finish, self.inner.finish()).await
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.storage.run(Call::Abort, self.inner.abort()).await
    }
}
