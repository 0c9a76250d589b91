//! Signers and storage that are written in the other language, behind the engine's doors.
//!
//! What they answer is not believed: a signature that does not verify, a body of another length, an answer that does not come
//! in time, all are `component-failed`.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;
use walwarden_core::manifest::ManifestSigner;
use walwarden_core::storage::{
    Abilities, Fetched, Listed, ObjectName, Storage, Stored, Upload, UploadId, checked_prefix, checked_range,
    exists, missing,
};
use walwarden_core::verify::key::{PublicKey, Signature};
use walwarden_core::{Code, Error, Result};

/// Signs in the other language.
#[async_trait]
pub trait HostSigner: Send + Sync + 'static {
    /// An Ed25519 signature over exactly these bytes.
    async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>>;
}

/// Keeps objects in the other language; the contract is that of [`Storage`].
#[async_trait]
pub trait HostStorage: Send + Sync + 'static {
    /// Begins an object, and names the unfinished upload where something has to be cleaned up.
    async fn upload(&self, name: String) -> Result<(Arc<dyn HostUpload>, Option<String>)>;
    /// How large an object is; none where there is none.
    async fn size(&self, name: String) -> Result<Option<u64>>;
    /// So many bytes of an object from there on.
    async fn read(&self, name: String, start: u64, length: u64) -> Result<Bytes>;
    /// Names and sizes of all objects below a prefix.
    async fn list(&self, prefix: String) -> Result<Vec<(String, u64)>>;
    /// Removes what an unfinished upload left.
    async fn abandon(&self, name: String, upload: String) -> Result<()>;
    /// Whether the store itself refuses a second object of a name, also when two come at once.
    async fn put_if_absent(&self) -> Result<bool>;
}

/// One object on its way into a [`HostStorage`].
#[async_trait]
pub trait HostUpload: Send + Sync + 'static {
    /// Appends bytes.
    async fn write(&self, chunk: Bytes) -> Result<()>;
    /// Makes the object visible, whole and durable.
    async fn finish(&self) -> Result<()>;
    /// Gives up.
    async fn abort(&self) -> Result<()>;
}

/// The error of a component that threw or answered with nonsense.
pub fn failed(component: &str, what: impl fmt::Display) -> Error {
    Error::new(Code::ComponentFailed, format!("{component} {what}"))
}

async fn answered<T>(
    component: &str,
    patience: Duration,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(patience, call).await.unwrap_or_else(|_| {
        Err(failed(component, format_args!("did not answer within {} s", patience.as_secs_f64())))
    })
}

/// A [`HostSigner`] as the engine takes it.
pub struct OwnSigner<S> {
    key: PublicKey,
    signer: S,
    patience: Duration,
}

impl<S: HostSigner> OwnSigner<S> {
    /// One that signs with the private half of this key (SPKI PEM), each time within `patience`.
    ///
    /// # Errors
    /// `key-invalid` when the text is no such key.
    pub fn new(public_key: &str, signer: S, patience: Duration) -> Result<Self> {
        let key = PublicKey::from_pem(public_key).map_err(|error| {
            Error::new(Code::KeyInvalid, "the signer's public key cannot be read").with_source(error)
        })?;
        Ok(OwnSigner { key, signer, patience })
    }
}

impl<S> fmt::Debug for OwnSigner<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnSigner").field("key", &self.key.key_id()).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: HostSigner> ManifestSigner for OwnSigner<S> {
    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature> {
        let signature = answered("signer", self.patience, self.signer.sign(message.to_vec())).await?;
        let length = signature.len();
        let signature = <[u8; 64]>::try_from(signature)
            .map_err(|_| failed("signer", format_args!("returned {length} bytes; a signature has 64")))?;
        let signature = Signature::from_bytes(signature);
        self.key.verify(message, &signature).map_err(|error| {
            failed("signer", "returned what does not verify under its key").with_source(error)
        })?;
        Ok(signature)
    }
}

/// A [`HostStorage`] as the engine takes it.
pub struct OwnStorage<S> {
    storage: Arc<S>,
    patience: Duration,
}

const STORAGE: &str = "storage";
/// So much is asked for at once.
const PIECE: u64 = 4 << 20;

impl<S: HostStorage> OwnStorage<S> {
    /// One of which each call answers within `patience`.
    pub fn new(storage: S, patience: Duration) -> Self {
        OwnStorage { storage: Arc::new(storage), patience }
    }

    async fn answered<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        answered(STORAGE, self.patience, call).await
    }

    async fn size(&self, name: &ObjectName) -> Result<Option<u64>> {
        self.answered(self.storage.size(name.unreserved()?.to_string())).await
    }
}

impl<S> fmt::Debug for OwnStorage<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnStorage").finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: HostStorage> Storage for OwnStorage<S> {
    async fn upload(&self, name: &ObjectName) -> Result<Box<dyn Upload>> {
        if self.size(name).await?.is_some() {
            return Err(exists(name));
        }
        let (upload, id) = self.answered(self.storage.upload(name.to_string())).await?;
        let storage = OwnStorage { storage: Arc::clone(&self.storage), patience: self.patience };
        Ok(Box::new(OwnUpload { upload, id, storage, name: name.clone(), size_bytes: 0 }))
    }

    async fn get(&self, name: &ObjectName, range: Option<Range<u64>>) -> Result<Fetched> {
        let size_bytes = self.size(name).await?;
        let size_bytes = size_bytes.ok_or_else(|| missing(name))?;
        let Range { start, end } = checked_range(name, range, size_bytes)?;
        let (storage, name, patience) = (Arc::clone(&self.storage), name.to_string(), self.patience);
        let body = stream::try_unfold(start, move |at| {
            let (storage, name) = (Arc::clone(&storage), name.clone());
            async move {
                let length = (end - at).min(PIECE);
                if length == 0 {
                    return Ok(None);
                }
                let piece = answered(STORAGE, patience, storage.read(name.clone(), at, length)).await?;
                if piece.len() as u64 != length {
                    let told = format!("returned {} bytes instead of {length} name={name}", piece.len());
                    return Err(failed(STORAGE, told));
                }
                Ok(Some((piece, at + length)))
            }
        });
        Ok(Fetched::new(size_bytes, body.boxed()))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let listed = self.answered(self.storage.list(checked_prefix(prefix)?.to_owned())).await?;
        let named = |(name, size_bytes)| Some(Listed::new(ObjectName::new(name).ok()?, size_bytes));
        let mut listed: Vec<Listed> = listed.into_iter().filter_map(named).collect();
        listed.retain(|object| object.name.is_below(prefix) && object.name.unreserved().is_ok());
        listed.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(listed)
    }

    async fn abandon(&self, name: &ObjectName, upload: &UploadId) -> Result<()> {
        self.answered(self.storage.abandon(name.to_string(), upload.0.clone())).await
    }

    async fn abilities(&self) -> Result<Abilities> {
        let put_if_absent = self.answered(self.storage.put_if_absent()).await?;
        let note = (!put_if_absent).then(|| "two writers at the same instant could both succeed".to_owned());
        Ok(Abilities::new(put_if_absent, note))
    }
}

struct OwnUpload<S> {
    upload: Arc<dyn HostUpload>,
    id: Option<String>,
    storage: OwnStorage<S>,
    name: ObjectName,
    size_bytes: u64,
}

impl<S> fmt::Debug for OwnUpload<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnUpload").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: HostStorage> Upload for OwnUpload<S> {
    fn id(&self) -> Option<UploadId> {
        self.id.clone().map(UploadId)
    }

    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.size_bytes += chunk.len() as u64;
        self.storage.answered(self.upload.write(chunk)).await
    }

    async fn finish(self: Box<Self>) -> Result<Stored> {
        if self.storage.size(&self.name).await?.is_some() {
            // The first error is the one to report.
            let _ = self.storage.answered(self.upload.abort()).await;
            return Err(exists(&self.name));
        }
        self.storage.answered(self.upload.finish()).await?;
        Ok(Stored::new(self.size_bytes))
    }

    async fn abort(self: Box<Self>) -> Result<()> {
        self.storage.answered(self.upload.abort()).await
    }
}
