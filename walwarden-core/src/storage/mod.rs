//! Names and keeps bytes in the owner's storage.
//!
//! In: [`ObjectName`]s and chunks. Out: [`Stored`] receipts and verified-nowhere byte streams. What always holds:
//! an object is visible whole or not at all, and is never overwritten.
//!
//! [`open`] turns a [`Location`] (`file://`, `s3://`, `gs://`, `az://`, `memory://`) into a [`Storage`].
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use std::sync::Arc;
//! use walwarden_core::clock::SystemRandom;
//! use walwarden_core::storage::{Location, ObjectName, Options, StorageExt, open};
//!
//! let location = Location::parse("memory://example")?;
//! let storage = open(&location, &Options::default(), Arc::new(SystemRandom)).await?;
//! let name = ObjectName::new("org/local/db/shop/note")?;
//! storage.put(&name, "kept once".into()).await?;
//! assert!(storage.put(&name, "and never again".into()).await.is_err());
//! assert_eq!(storage.read(&name, 1_000).await?, "kept once");
//! # Ok::<_, walwarden_core::Error>(()) }).unwrap();
//! ```

mod bucket;
mod local;
mod location;
pub(crate) mod locked;
mod memory;

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use futures::stream::BoxStream;

use crate::error::{Code, Error, Result};

pub use bucket::BucketStorage;
pub use local::LocalStorage;
pub use location::{Location, Options, Patience, Scheme, open};
pub use memory::MemoryStorage;

/// Path of an object below the destination's root, e.g. `org/local/db/shop/audit/…`.
///
/// Non-empty segments of `[A-Za-z0-9._-]` joined by `/`, none of them `.` or `..`, at most 1,024 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

impl ObjectName {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// `argument-invalid` when the text breaks the rule above.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let valid = text.len() <= 1024
            && text.split('/').all(|segment| {
                !matches!(segment, "" | "." | "..")
                    && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            });
        if valid {
            Ok(ObjectName(text))
        } else {
            Err(Error::new(Code::ArgumentInvalid, format!("object name is not allowed name={text:?}")))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name lies below `prefix` followed by `/`; everything lies below the empty prefix.
    pub fn is_below(&self, prefix: &str) -> bool {
        prefix.is_empty() || self.0.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The name, unless it is below `.walwarden`, where storage keeps what only it knows of.
    ///
    /// # Errors
    /// `argument-invalid`.
    pub fn unreserved(&self) -> Result<&Self> {
        if is_reserved(&self.0) {
            return Err(Error::new(
                Code::ArgumentInvalid,
                format!("names below {RESERVED}/ belong to the storage itself name={self}"),
            ));
        }
        Ok(self)
    }
}

/// Where staged files and probes live; never listed, never given to a caller.
const RESERVED: &str = ".walwarden";

fn is_reserved(text: &str) -> bool {
    text.split('/').next() == Some(RESERVED)
}

/// Takes an empty prefix or one that is itself an object name, as [`Storage::list`] does.
///
/// # Errors
/// `argument-invalid`.
pub fn checked_prefix(prefix: &str) -> Result<&str> {
    if !prefix.is_empty() {
        ObjectName::new(prefix)?;
    }
    Ok(prefix)
}

/// Takes a range that lies wholly inside an object of `size_bytes`, as [`Storage::get`] does; `None` is the whole object.
///
/// # Errors
/// `argument-invalid`.
pub fn checked_range(name: &ObjectName, range: Option<Range<u64>>, size_bytes: u64) -> Result<Range<u64>> {
    let range = range.unwrap_or(0..size_bytes);
    if range.start > range.end || range.end > size_bytes {
        return Err(Error::new(
            Code::ArgumentInvalid,
            format!(
                "range does not lie inside the object name={name} start={} end={} size={size_bytes}",
                range.start, range.end
            ),
        ));
    }
    Ok(range)
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `object-exists`, as every storage says it.
pub fn exists(name: &ObjectName) -> Error {
    Error::new(Code::ObjectExists, format!("object exists already name={name}"))
}

/// `object-missing`, as every storage says it.
pub fn missing(name: &ObjectName) -> Error {
    Error::new(Code::ObjectMissing, format!("object is missing name={name}"))
}

/// What the store said when an object became visible.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Bytes of the whole object.
    pub size_bytes: u64,
    /// The store's version id, where it keeps versions.
    pub version: Option<String>,
}

impl Stored {
    /// A receipt without a version id.
    pub fn new(size_bytes: u64) -> Self {
        Stored { size_bytes, version: None }
    }
}

/// An object as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its name.
    pub name: ObjectName,
    /// Its size in bytes.
    pub size_bytes: u64,
}

impl Listed {
    /// A row of a listing.
    pub fn new(name: ObjectName, size_bytes: u64) -> Self {
        Listed { name, size_bytes }
    }
}

/// An object being read.
#[non_exhaustive]
pub struct Fetched {
    /// Size of the whole object in bytes, whatever range was asked for.
    pub size_bytes: u64,
    /// The bytes asked for, in order. The stream ends early only with an error.
    pub body: BoxStream<'static, Result<Bytes>>,
}

impl Fetched {
    /// An object of `size_bytes` whose asked-for bytes `body` delivers.
    pub fn new(size_bytes: u64, body: BoxStream<'static, Result<Bytes>>) -> Self {
        Fetched { size_bytes, body }
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

/// The store's own name for an unfinished upload; enough to clean it up from another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(pub String);

/// What a store really does, found out by trying, not by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Abilities {
    /// A second put to the same name is refused by the store itself, also when both race, whatever the size.
    pub put_if_absent: bool,
    /// Where the store lacks [`put_if_absent`](Self::put_if_absent), the adapter looks before it writes; two writers
    /// at the same instant could both succeed. Shown to the operator as a warning.
    pub note: Option<String>,
}

impl Abilities {
    /// What a store can do; give a note with anything it cannot.
    pub fn new(put_if_absent: bool, note: Option<String>) -> Self {
        Abilities { put_if_absent, note }
    }
}

/// Keeps objects. Implementations run `walwarden_testkit::storage::suite`.
///
/// - An object MUST become visible only when [`Upload::finish`] succeeds, whole, and MUST be durable by then.
/// - An existing object MUST NOT change; a second upload to its name MUST fail with `object-exists`.
/// - Transient faults MUST be retried inside with back-off, for a bounded time, then reported as
///   `storage-unavailable`; refusals (`storage-denied`, `storage-missing`) MUST be reported at once.
/// - A body that is shorter than announced MUST be an error, never a short success.
/// - Names below `.walwarden/` are the storage's own (staged files, probes): they MUST be refused with
///   `argument-invalid` and MUST NOT be listed. Foreign objects whose names are no [`ObjectName`]s are not listed.
/// - Dropping an [`Upload`] MUST leave nothing visible; it MAY leave parts that [`abandon`](Storage::abandon) removes.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// Begins an object of unknown length.
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>>;

    /// Reads an object, or a range of its bytes. `object-missing` when there is none; a range that does not lie
    /// wholly inside the object is `argument-invalid`.
    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched>;

    /// All objects whose name starts with `prefix` followed by `/`, in name order. An empty prefix lists everything.
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>>;

    /// Removes what an unfinished upload left behind; fine to repeat, fine when nothing is left.
    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> Result<()>;

    /// Probes the store with throw-away objects of its own and says what it can do. The answer is kept for the
    /// life of the value.
    ///
    /// It is asked before the first backup (`walwarden database check`), to warn the operator, and not by each run: under
    /// a retention lock probes stay. What was not probed MUST NOT be relied upon: names are looked up before they are
    /// written to.
    async fn abilities(&self) -> Result<Abilities>;
}

/// One object on its way into the store.
#[async_trait]
pub trait Upload: fmt::Debug + Send {
    /// The id to record durably so that a later process can clean up; `None` while nothing is in the store yet.
    fn id(&self) -> Option<UploadId>;

    /// Appends bytes; waits while the store is slower than the caller. Memory stays bounded.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object visible and durable, if the name is still free.
    async fn finish(self: Box<Self>) -> Result<Stored>;

    /// Gives up and removes what was sent.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// Comfort on top of [`Storage`].
#[async_trait]
pub trait StorageExt: Storage {
    /// Stores a small object in one go.
    ///
    /// # Errors
    /// As [`Upload::finish`].
    async fn put(&self, name: &ObjectName, body: Bytes) -> Result<Stored> {
        let mut upload = self.upload(name).await?;
        match upload.write(body).await {
            Ok(()) => upload.finish().await,
            Err(error) => {
                let _ = upload.abort().await; // the first error is the one to report
                Err(error)
            }
        }
    }

    /// Reads a whole object of at most `limit` bytes into memory.
    ///
    /// # Errors
    /// `argument-invalid` for a larger object, before its body is read; else as [`Storage::get`].
    async fn read(&self, name: &ObjectName, limit: u64) -> Result<Bytes> {
        let mut object = self.get(name, None).await?;
        let size = object.size_bytes;
        if size > limit {
            return Err(Error::new(
                Code::ArgumentInvalid,
                format!("object is larger than the reader takes name={name} size={size} limit={limit}"),
            ));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = object.body.try_next().await? {
            body.extend_from_slice(&chunk);
            if body.len() as u64 > size {
                break;
            }
        }
        if body.len() as u64 != size {
            return Err(Error::new(
                Code::ReadBackMismatch,
                format!("body differs in length from what was announced name={name} announced={size}"),
            ));
        }
        Ok(body.freeze())
    }
}

impl<T: Storage + ?Sized> StorageExt for T {}
