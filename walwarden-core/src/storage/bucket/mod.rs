//! Buckets: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.
//!
//! The wire protocol is `object_store`'s; deadlines, repetition, put-once and part sizes are decided here. A small
//! object goes up as one conditional PUT, a large one as a multipart upload that is completed conditionally:
//!
//! | store | small object | large object |
//! |---|---|---|
//! | S3 | `If-None-Match: *` | looked up, then `If-None-Match: *` on completion |
//! | Azure | `If-None-Match: *` | looked up, then committed; by Azure's documentation a write in between drops our blocks, so ours fails |
//! | Google | `x-goog-if-generation-match: 0` | looked up, then completed: two racing writers may both succeed |
//!
//! A store that was not probed, or that was found to ignore conditions, is looked up before small objects too.
//!
//! An upload that a killed process left open costs money until it is abandoned; one whose id was never recorded is
//! removed only by a lifecycle rule (`AbortIncompleteMultipartUpload`), which every bucket should have. Azure drops
//! uncommitted blocks after a week by itself.

mod connect;
mod fault;
mod parts;
mod probe;
mod read;
mod tries;
mod upload;
mod wire;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::sync::OnceCell;

use super::location::{BucketPlace, Location, Options, Patience, Place, Scheme};
use super::{
    Abilities, Fetched, Listed, ObjectName, Storage, Stored, Upload, UploadId, checked_prefix, is_reserved,
};
use crate::clock::Random;
use crate::error::Result;
use crate::verify::{Hasher, Sha256};
use fault::Fault;
use parts::Parts;
use tries::Tries;

/// Keeps objects in a bucket or container below a prefix. Made by [`open`](super::open).
///
/// Memory per upload: the part being filled and those on their way, 32 MiB of them; beyond 32 MiB a part is alone, and
/// the sender waits while it is on its way. Parts grow with the object, for stores take no more than 10,000 of them and
/// the length is not known beforehand:
///
/// | object up to | memory |
/// |---|---|
/// | 7.8 GiB | 40 MiB |
/// | 179 GiB | 64 MiB |
/// | 242 GiB | 128 MiB |
/// | 367 GiB | 256 MiB |
/// | 617 GiB | 512 MiB |
/// | 1.0 TiB | 1 GiB |
/// | 2.0 TiB | 2 GiB |
/// | 5.9 TiB | 4 GiB |
///
/// With `part_mib` parts do not grow: 32 takes 64 MiB and ends at 312 GiB, 64 takes 64 MiB and ends at 625 GiB.
///
/// Memory per reader: 256 KiB and what the connection holds.
#[derive(Debug, Clone)]
pub struct BucketStorage {
    bucket: Arc<Bucket>,
    abilities: Arc<OnceCell<Abilities>>,
}

trait Client: ObjectStore + MultipartStore {}
impl<T: ObjectStore + MultipartStore> Client for T {}

struct Bucket {
    store: Arc<dyn Client>,
    location: Location,
    scheme: Scheme,
    prefix: String,
    parts: Parts,
    patience: Patience,
    random: Arc<dyn Random>,
    /// The store refuses a second conditional PUT, as a probe has shown: no need to look first.
    trusted: AtomicBool,
    /// The store says that it does not know conditions on PUT.
    unconditional: AtomicBool,
    /// Whether completion carries a condition; cleared when the store says that it does not know it.
    conditional_complete: Arc<AtomicBool>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.location) // never the client, which knows the credentials
    }
}

impl BucketStorage {
    pub(super) fn open(place: &BucketPlace, options: &Options, random: Arc<dyn Random>) -> Result<Self> {
        let conditional_complete = Arc::new(AtomicBool::new(place.scheme == Scheme::S3));
        let store = connect::connect(place, options, &conditional_complete)?;
        let wants_equal_parts = place
            .endpoint
            .as_ref()
            .and_then(|endpoint| endpoint.host_str())
            .is_some_and(|host| host.ends_with(".r2.cloudflarestorage.com"));
        let fixed_mib = place.part_mib.or_else(|| wants_equal_parts.then_some(64));
        let bucket = Bucket {
            store,
            location: Location(Place::Bucket(place.clone())),
            scheme: place.scheme,
            prefix: place.prefix.clone(),
            parts: fixed_mib.map_or(Parts::Growing, |mib| Parts::Fixed(mib << 20)),
            patience: options.patience,
            random,
            trusted: AtomicBool::new(false),
            unconditional: AtomicBool::new(false),
            conditional_complete,
        };
        Ok(BucketStorage { bucket: Arc::new(bucket), abilities: Arc::default() })
    }
}

#[async_trait]
impl Storage for BucketStorage {
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        Ok(Box::new(upload::BucketUpload::new(Arc::clone(&self.bucket), name.unreserved()?.clone())))
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched> {
        read::fetch(&self.bucket, name, range).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let prefix = checked_prefix(prefix)?;
        let mut tries = self.bucket.tries();
        loop {
            match self.bucket.list(prefix).await {
                Ok(found) => return Ok(found),
                Err(fault) if tries.again(&fault).await => {}
                Err(fault) => return Err(fault.report("list objects", prefix)),
            }
        }
    }

    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> Result<()> {
        self.bucket.abort(name, &upload.0).await
    }

    async fn abilities(&self) -> Result<Abilities> {
        self.abilities.get_or_try_init(|| probe::probe(&self.bucket)).await.cloned()
    }
}

impl Bucket {
    fn tries(&self) -> Tries {
        Tries::new(self.patience, &self.random)
    }

    fn path(&self, name: &ObjectName) -> Path {
        if self.prefix.is_empty() {
            Path::from(name.as_str())
        } else {
            Path::from(format!("{}/{name}", self.prefix))
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, Fault> {
        let below = match (self.prefix.as_str(), prefix) {
            ("", prefix) => prefix.to_owned(),
            (root, "") => root.to_owned(),
            (root, prefix) => format!("{root}/{prefix}"),
        };
        let mut rows = self.store.list(Some(&Path::from(below)));
        let mut found = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(Fault::of)? {
            let whole = row.location.as_ref();
            let text = match self.prefix.as_str() {
                "" => Some(whole),
                root => whole.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')),
            };
            let name = text.filter(|text| !is_reserved(text)).and_then(|text| ObjectName::new(text).ok());
            if let Some(name) = name.filter(|name| name.is_below(prefix)) {
                found.push(Listed::new(name, row.size));
            }
        }
        found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Whether an object of that name is visible.
    async fn is_taken(&self, name: &ObjectName) -> Result<bool, Fault> {
        match self.store.head(&self.path(name)).await.map_err(Fault::of) {
            Ok(_) => Ok(true),
            Err(fault) if fault.code == crate::Code::ObjectMissing => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// One PUT that must not replace anything; `If-None-Match` unless the store does not know it.
    async fn put_once(&self, name: &ObjectName, body: &PutPayload) -> Result<Option<String>, Fault> {
        let mode = match self.unconditional.load(Ordering::Relaxed) {
            true => PutMode::Overwrite,
            false => PutMode::Create,
        };
        let options = PutOptions::from(mode);
        match self.store.put_opts(&self.path(name), body.clone(), options).await.map_err(Fault::of) {
            Ok(put) => Ok(put.version),
            Err(fault) => {
                if fault.lacks_condition() {
                    self.unconditional.store(true, Ordering::Relaxed);
                }
                Err(fault)
            }
        }
    }

    /// Stores a small object, if its name is free.
    async fn put(&self, name: &ObjectName, body: PutPayload, digest: Sha256) -> Result<Stored> {
        let size_bytes = body.content_length() as u64;
        let mut tries = self.tries();
        loop {
            let fault = match self.put_if_free(name, &body).await {
                Ok(version) => return Ok(Stored { size_bytes, version }),
                Err(fault) => fault,
            };
            if fault.code == crate::Code::ObjectExists
                && tries.repeated()
                && self.holds(name, size_bytes, digest).await
            {
                return Ok(Stored::new(size_bytes)); // an earlier try got through, only its answer was lost
            }
            let now_unconditional = fault.lacks_condition() && tries.learned();
            if !now_unconditional && !tries.again(&fault).await {
                return Err(fault.report("store object", name.as_str()));
            }
        }
    }

    async fn put_if_free(&self, name: &ObjectName, body: &PutPayload) -> Result<Option<String>, Fault> {
        if !self.trusted.load(Ordering::Relaxed) && self.is_taken(name).await? {
            return Err(Fault::taken());
        }
        match self.put_once(name, body).await {
            Err(fault) if self.scheme == Scheme::Az && fault.code == crate::Code::ObjectExists => {
                self.put_over_blocks(name, body, fault).await
            }
            outcome => outcome,
        }
    }

    /// A name that is refused without being taken has blocks of an unfinished upload (seen on Azurite); committing one
    /// block of our own goes past them.
    async fn put_over_blocks(
        &self,
        name: &ObjectName,
        body: &PutPayload,
        refused: Fault,
    ) -> Result<Option<String>, Fault> {
        if self.is_taken(name).await? {
            return Err(refused);
        }
        let (path, upload) = (self.path(name), String::new());
        let part = self.store.put_part(&path, &upload, 0, body.clone()).await.map_err(Fault::of)?;
        if self.is_taken(name).await? {
            return Err(refused);
        }
        let put = self.store.complete_multipart(&path, &upload, vec![part]).await.map_err(Fault::of)?;
        Ok(put.version)
    }

    /// Whether the stored object is byte for byte the one described. Any doubt counts as no.
    async fn holds(&self, name: &ObjectName, size_bytes: u64, digest: Sha256) -> bool {
        let whole = async {
            let object = self.store.get(&self.path(name)).await?;
            if object.meta.size != size_bytes {
                return Ok(false);
            }
            let mut hasher = Hasher::new();
            let mut frames = object.into_stream();
            while let Some(frame) = frames.try_next().await? {
                hasher.update(&frame);
            }
            Ok::<_, object_store::Error>(hasher.finish() == digest)
        };
        whole.await.unwrap_or(false)
    }

    /// Removes the parts of an upload; fine when there are none.
    async fn abort(&self, name: &ObjectName, upload: &str) -> Result<()> {
        let (path, upload) = (self.path(name), upload.to_owned());
        let mut tries = self.tries();
        loop {
            match self.store.abort_multipart(&path, &upload).await.map_err(Fault::of) {
                Ok(()) => return Ok(()),
                Err(fault) if fault.code == crate::Code::ObjectMissing => return Ok(()),
                Err(fault) if tries.again(&fault).await => {}
                Err(fault) => return Err(fault.report("abandon upload", name.as_str())),
            }
        }
    }
}
