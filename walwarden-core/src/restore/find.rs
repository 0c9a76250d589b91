//! Finds a manifest by its hash, and checks who signed it.

use bytes::Bytes;
use futures::{StreamExt, stream};
use walwarden_verify::Sha256;
use walwarden_verify::key::PublicKey;
use walwarden_verify::manifest::{Manifest, VerifiedManifest};

use crate::error::{Code, Error, Result};
use crate::manifest;
use crate::storage::{ObjectName, Storage, StorageExt};

/// Manifests fetched side by side while searching.
const SEARCH_WIDTH: usize = 16;

/// The manifest with this hash: at `expected`, if the catalogue knows where, or else wherever it lies.
pub(super) async fn manifest(
    storage: &dyn Storage,
    hash: Sha256,
    expected: Option<&ObjectName>,
) -> Result<Bytes> {
    if let Some(name) = expected {
        let bytes = storage.read(name, manifest::LIMIT_BYTES).await?;
        if Sha256::of(&bytes) == hash {
            return Ok(bytes);
        }
        let message = format!("the manifest in the destination was altered name={name} expected={hash}");
        return Err(Error::new(Code::ManifestInvalid, message));
    }
    let names = storage.list("org").await?.into_iter().map(|listed| listed.name);
    let candidates = names.filter(|name| name.as_str().ends_with(".manifest.json"));
    let mut read = stream::iter(candidates)
        .map(|name| async move { storage.read(&name, manifest::LIMIT_BYTES).await })
        .buffer_unordered(SEARCH_WIDTH);
    let mut unreadable = None;
    while let Some(outcome) = read.next().await {
        match outcome {
            Ok(bytes) if Sha256::of(&bytes) == hash => return Ok(bytes),
            Ok(_) => {}
            // One bad object must not hide the others; it counts only if it may be the one.
            Err(error) => unreadable = Some(error),
        }
    }
    Err(unreadable.unwrap_or_else(|| {
        Error::new(Code::ManifestMissing, format!("no manifest with this hash manifest={hash}"))
    }))
}

/// Reads the manifest strictly and checks its signature against the keys the caller trusts.
pub(super) fn check(bytes: &[u8], trusted_keys: &[PublicKey]) -> Result<VerifiedManifest> {
    let manifest = Manifest::parse(bytes)
        .map_err(|error| Error::new(Code::ManifestInvalid, "the manifest is malformed").with_source(error))?;
    if trusted_keys.is_empty() {
        let message = "no public key is given under which the manifest's signature could be checked";
        return Err(Error::new(Code::KeyMissing, message));
    }
    let named = manifest.body().signer;
    let Some(key) = trusted_keys.iter().find(|key| key.key_id() == named) else {
        let message = format!("the manifest is signed by a key that is not trusted key={named}");
        return Err(Error::new(Code::SignatureInvalid, message));
    };
    manifest.verify(key).map_err(|error| {
        Error::new(Code::SignatureInvalid, format!("the manifest's signature is wrong key={named}"))
            .with_source(error)
    })
}
