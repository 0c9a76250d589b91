//! What a backup holds, told by its index, without reading the dump.

use bytes::Bytes;
use walwarden_verify::Sha256;
use walwarden_verify::index::Index;
use walwarden_verify::manifest::{ObjectDigest, VerifiedManifest};

use crate::error::{Code, Error, Result};
use crate::storage::{ObjectName, Storage, StorageExt};

/// A backup's manifest, checked, and the index that it names.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupContents {
    /// What was signed.
    pub manifest: VerifiedManifest,
    /// What the dump holds and where; it has the digest that the manifest names.
    pub index: Index,
}

/// The index that a verified manifest names.
///
/// # Errors
/// `index-missing` when the manifest names none; `artifact-mismatch` when what is stored is not what it names; the
/// store's own errors.
pub(super) async fn index(from: &dyn Storage, manifest: &VerifiedManifest) -> Result<Index> {
    let body = manifest.body();
    let Some(stated) = &body.index else {
        let message = format!("this backup was made without an index manifest={}", manifest.hash());
        return Err(Error::new(Code::IndexMissing, message));
    };
    let bytes = read(from, stated).await?;
    let index = Index::parse(&bytes).map_err(|error| altered(stated).with_source(error))?;
    let (stored, plain) = (body.size_bytes, body.size_bytes);
    match index.contradictions(stored, plain).into_iter().next() {
        None if index.job_id == body.job_id && body.content_root == Some(index.content_root()) => Ok(index),
        None => Err(altered(stated)),
        Some(contradiction) => Err(Error::new(
            Code::ArtifactMismatch,
            format!("the stored index contradicts its manifest: {contradiction} name={}", stated.key),
        )),
    }
}

async fn read(from: &dyn Storage, stated: &ObjectDigest) -> Result<Bytes> {
    if stated.size_bytes > LIMIT_BYTES {
        let message =
            format!("the index is too large to be read name={} size={}", stated.key, stated.size_bytes);
        return Err(Error::new(Code::ManifestInvalid, message));
    }
    let bytes = from.read(&ObjectName::new(stated.key.clone())?, stated.size_bytes + 1).await;
    match bytes {
        Ok(bytes)
            if bytes.len() as u64 == stated.size_bytes && Sha256::of(&bytes) == stated.checksum_sha256 =>
        {
            Ok(bytes)
        }
        Err(error) if error.code() != Code::ArgumentInvalid => Err(error),
        _ => Err(altered(stated)),
    }
}

fn altered(stated: &ObjectDigest) -> Error {
    let message = format!("the stored index is not the one that the manifest names name={}", stated.key);
    Error::new(Code::ArtifactMismatch, message)
}

/// As the verifier's.
const LIMIT_BYTES: u64 = 256 << 20;
