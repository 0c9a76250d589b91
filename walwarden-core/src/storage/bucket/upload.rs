//! Uploads of unknown length: one PUT when everything fits into the first part, a multipart upload otherwise.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use object_store::PutPayload;
use object_store::multipart::PartId;
use tokio::task::JoinSet;

use super::Bucket;
use super::fault::Fault;
use crate::error::{Code, Error, Result};
use crate::storage::location::Scheme;
use crate::storage::{ObjectName, Stored, Upload, UploadId};
use crate::verify::{Hasher, Sha256};

pub(super) struct BucketUpload {
    bucket: Arc<Bucket>,
    name: ObjectName,
    digest: Hasher,
    sent_bytes: u64,
    filling: Filling,
    multipart: Option<Multipart>,
    failed: bool,
}

struct Multipart {
    id: String,
    parts: Vec<Option<PartId>>,
    on_their_way: JoinSet<Result<(usize, u64, PartId)>>,
    bytes_on_their_way: u64,
}

impl fmt::Debug for BucketUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketUpload")
            .field("name", &self.name)
            .field("sent_bytes", &self.sent_bytes)
            .finish()
    }
}

impl BucketUpload {
    pub(super) fn new(bucket: Arc<Bucket>, name: ObjectName) -> Self {
        BucketUpload {
            bucket,
            name,
            digest: Hasher::new(),
            sent_bytes: 0,
            filling: Filling::default(),
            multipart: None,
            failed: false,
        }
    }

    async fn append(&mut self, mut chunk: Bytes) -> Result<()> {
        self.digest.update(&chunk);
        self.sent_bytes += chunk.len() as u64;
        while !chunk.is_empty() {
            let number = self.multipart.as_ref().map_or(0, |multipart| multipart.parts.len());
            let size = self.bucket.parts.size(number).ok_or_else(|| {
                let message =
                    format!("object has more parts than stores accept; give part_mib name={}", self.name);
                Error::new(Code::ArgumentInvalid, message)
            })?;
            let room = size - self.filling.bytes;
            if room == 0 {
                self.ship().await?; // only when more follows: what fits one part is one PUT
                continue;
            }
            self.filling.push(
                chunk.split_to(usize::try_from(room).map_or(chunk.len(), |room| room.min(chunk.len()))),
            );
        }
        Ok(())
    }

    /// Sends the filled part off; waits until there is room on the way, and for the next part to be filled.
    async fn ship(&mut self) -> Result<()> {
        let part = self.filling.take();
        let bytes = part.content_length() as u64;
        if self.multipart.is_none() {
            let id = begin(&self.bucket, &self.name).await?;
            let multipart =
                Multipart { id, parts: Vec::new(), on_their_way: JoinSet::new(), bytes_on_their_way: 0 };
            self.multipart = Some(multipart);
        }
        let multipart = self.multipart.as_mut().expect("was begun just above");
        while multipart.bytes_on_their_way > 0
            && multipart.bytes_on_their_way + bytes > MOST_BYTES_ON_THEIR_WAY
        {
            multipart.land().await?;
        }
        let number = multipart.parts.len();
        multipart.parts.push(None);
        multipart.bytes_on_their_way += bytes;
        let (bucket, name, id) = (Arc::clone(&self.bucket), self.name.clone(), multipart.id.clone());
        multipart.on_their_way.spawn(async move {
            let mut tries = bucket.tries();
            loop {
                let sent = bucket.store.put_part(&bucket.path(&name), &id, number, part.clone()).await;
                match sent.map_err(Fault::of) {
                    Ok(part) => return Ok((number, bytes, part)),
                    Err(fault) if tries.again(&fault).await => {}
                    Err(fault) => return Err(fault.report("store part of object", name.as_str())),
                }
            }
        });
        let next = self.bucket.parts.size(number + 1).unwrap_or_default();
        while multipart.bytes_on_their_way > 0 && multipart.bytes_on_their_way + next > MOST_BYTES_HELD {
            multipart.land().await?;
        }
        Ok(())
    }

    async fn complete(mut self) -> Result<Stored> {
        if self.multipart.is_some() && self.filling.bytes > 0 {
            self.ship().await?;
        }
        let digest = self.digest.finish();
        let Some(mut multipart) = self.multipart else {
            return self.bucket.put(&self.name, self.filling.take(), digest).await;
        };
        while multipart.bytes_on_their_way > 0 {
            multipart.land().await?;
        }
        let parts = multipart.parts.into_iter().collect::<Option<Vec<_>>>();
        let parts = parts.ok_or_else(|| Error::new(Code::Internal, "a part of the object was never sent"))?;
        let object =
            Whole { name: self.name, upload: multipart.id, parts, size_bytes: self.sent_bytes, digest };
        object.publish(&self.bucket).await
    }
}

#[async_trait]
impl Upload for BucketUpload {
    fn id(&self) -> Option<UploadId> {
        self.multipart.as_ref().map(|multipart| UploadId(multipart.id.clone()))
    }

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        if self.failed {
            let message = format!("upload has failed before name={}", self.name);
            return Err(Error::new(Code::StorageUnavailable, message));
        }
        self.failed = true; // also when this call is dropped half-way
        self.append(chunk).await?;
        self.failed = false;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<Stored> {
        if self.failed {
            return self.write(Bytes::new()).await.map(|()| Stored::new(0));
        }
        let (bucket, name) = (Arc::clone(&self.bucket), self.name.clone());
        let id = self.id();
        let outcome = self.complete().await;
        // After a refusal nothing can follow, so the parts go at once. After silence the completion may still take
        // effect: the caller abandons the upload once the store answers again.
        if let (Err(error), Some(UploadId(id))) = (&outcome, id)
            && error.code() != Code::StorageUnavailable
        {
            let _ = bucket.abort(&name, &id).await;
        }
        outcome
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        let Some(mut multipart) = self.multipart.take() else { return Ok(()) };
        multipart.on_their_way.shutdown().await;
        self.bucket.abort(&self.name, &multipart.id).await
    }
}

impl Multipart {
    /// Waits for one part to arrive.
    async fn land(&mut self) -> Result<()> {
        match self.on_their_way.join_next().await {
            Some(Ok(sent)) => {
                let (number, bytes, part) = sent?;
                self.parts[number] = Some(part);
                self.bytes_on_their_way -= bytes;
                Ok(())
            }
            Some(Err(stopped)) => {
                Err(Error::new(Code::Internal, "sending a part was stopped before its end")
                    .with_source(stopped))
            }
            None => Err(Error::new(Code::Internal, "a part of the object was never sent")),
        }
    }
}

async fn begin(bucket: &Bucket, name: &ObjectName) -> Result<String> {
    let mut tries = bucket.tries();
    loop {
        let begun = async {
            if bucket.is_taken(name).await? {
                return Err(Fault::taken()); // early, so that nobody sends a terabyte in vain
            }
            bucket.store.create_multipart(&bucket.path(name)).await.map_err(Fault::of)
        };
        match begun.await {
            Ok(_) if bucket.scheme == Scheme::Az => return Ok("blocks".into()), // Azure has no ids
            Ok(id) => return Ok(id),
            Err(fault) if tries.again(&fault).await => {}
            Err(fault) => return Err(fault.report("begin upload of object", name.as_str())),
        }
    }
}

/// All parts are in the store; the object is not visible yet.
struct Whole {
    name: ObjectName,
    upload: String,
    parts: Vec<PartId>,
    size_bytes: u64,
    digest: Sha256,
}

impl Whole {
    async fn publish(self, bucket: &Bucket) -> Result<Stored> {
        let mut tries = bucket.tries();
        loop {
            let fault = match self.complete_if_free(bucket).await {
                Ok(version) => return Ok(Stored { size_bytes: self.size_bytes, version }),
                Err(fault) => fault,
            };
            let settled = fault.code == Code::ObjectExists || fault.lost_upload();
            if settled && tries.repeated() && bucket.holds(&self.name, self.size_bytes, self.digest).await {
                return Ok(Stored::new(self.size_bytes)); // an earlier try got through, only its answer was lost
            }
            if fault.lost_upload() {
                return Err(match bucket.is_taken(&self.name).await {
                    Ok(true) => Fault::taken().report("store object", self.name.as_str()),
                    _ => Fault::from_silence("the store has dropped the upload's parts".into())
                        .report("complete object", self.name.as_str()),
                });
            }
            let condition_dropped =
                fault.lacks_condition() && bucket.conditional_complete.swap(false, Ordering::Relaxed);
            if !condition_dropped && !tries.again(&fault).await {
                return Err(fault.report("complete object", self.name.as_str()));
            }
        }
    }

    async fn complete_if_free(&self, bucket: &Bucket) -> Result<Option<String>, Fault> {
        if bucket.is_taken(&self.name).await? {
            return Err(Fault::taken());
        }
        let path = bucket.path(&self.name);
        let completed = bucket.store.complete_multipart(&path, &self.upload, self.parts.clone()).await;
        completed.map(|put| put.version).map_err(Fault::of)
    }
}

/// The part being filled. Chunks are kept as they come; only small ones are gathered, so that none of them holds a
/// large buffer alive.
#[derive(Default)]
struct Filling {
    chunks: Vec<Bytes>,
    small: BytesMut,
    bytes: u64,
}

impl Filling {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len() as u64;
        if chunk.len() < SMALL_BYTES {
            self.small.extend_from_slice(&chunk);
            return;
        }
        self.gather();
        self.chunks.push(chunk);
    }

    fn gather(&mut self) {
        if !self.small.is_empty() {
            self.chunks.push(self.small.split().freeze());
        }
    }

    fn take(&mut self) -> PutPayload {
        self.gather();
        self.bytes = 0;
        std::mem::take(&mut self.chunks).into_iter().collect()
    }
}

const SMALL_BYTES: usize = 16 << 10;
const MOST_BYTES_ON_THEIR_WAY: u64 = 32 << 20;
/// With the part being filled. A larger part is filled while nothing is on its way, and sent while none is filled.
const MOST_BYTES_HELD: u64 = 64 << 20;
