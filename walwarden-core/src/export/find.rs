//! Looks for what a bundle holds in one destination after the other.

use std::sync::Arc;

use bytes::Bytes;
use walwarden_verify::Sha256;
use walwarden_verify::manifest::ObjectDigest;

use crate::error::{Code, Error, Result};
use crate::manifest;
use crate::storage::{ObjectName, Storage, StorageExt};

/// The manifest of this name and hash.
pub(super) async fn manifest(from: &[Arc<dyn Storage>], name: &ObjectName, hash: Sha256) -> Result<Bytes> {
    let mut failure = absent(name);
    for storage in from {
        match storage.read(name, manifest::LIMIT_BYTES).await {
            Ok(bytes) if Sha256::of(&bytes) == hash => return Ok(bytes),
            Ok(_) => {
                let message = format!("the manifest is not the one the chain names name={name}");
                failure = worse(failure, Error::new(Code::ManifestInvalid, message));
            }
            Err(error) => failure = worse(failure, error),
        }
    }
    Err(failure)
}

/// The archive index of this name and digest.
pub(super) async fn index(from: &[Arc<dyn Storage>], stated: &ObjectDigest) -> Result<Bytes> {
    let name = ObjectName::new(stated.key.clone())?;
    let mut failure = absent(&name);
    for storage in from {
        match storage.read(&name, stated.size_bytes).await {
            Ok(bytes) if Sha256::of(&bytes) == stated.checksum_sha256 => return Ok(bytes),
            Ok(_) => {
                let message = format!("the index is not the one that the manifest names name={name}");
                failure = worse(failure, Error::new(Code::ArtifactMismatch, message));
            }
            Err(error) => failure = worse(failure, error),
        }
    }
    Err(failure)
}

/// The first destination that has a dump of this name.
pub(super) async fn dump(from: &[Arc<dyn Storage>], name: &ObjectName) -> Result<Arc<dyn Storage>> {
    let mut failure = absent(name);
    for storage in from {
        match storage.get(name, Some(0..1)).await {
            Ok(_) => return Ok(Arc::clone(storage)),
            Err(error) => failure = worse(failure, error),
        }
    }
    Err(failure)
}

/// Whether every destination has answered, and none had it.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(error.code(), Code::ObjectMissing | Code::ManifestInvalid)
}

/// What did not answer counts more than what was altered, and that more than what is absent.
fn worse(known: Error, new: Error) -> Error {
    let weight = |error: &Error| match error.code() {
        Code::ObjectMissing => 0,
        Code::ManifestInvalid => 1,
        _ => 2,
    };
    if weight(&new) > weight(&known) { new } else { known }
}

fn absent(name: &ObjectName) -> Error {
    Error::new(Code::ObjectMissing, format!("no destination has this object name={name}"))
}
