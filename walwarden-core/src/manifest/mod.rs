//! Turns a receipt of what was stored into a signed manifest.
//!
//! In: exact bytes. Out: signatures by a named key. What always holds: the private key never leaves its signer.

use std::fmt::Debug;

use async_trait::async_trait;
use walwarden_verify::Manifest;
use walwarden_verify::key::{PublicKey, Signature};
use walwarden_verify::manifest::ManifestBody;

use crate::error::{Code, Error, Result};

mod file_key;
mod key_place;
mod memory;

/// Largest manifest that is written or read, in bytes; verifiers take no larger one.
pub(crate) const LIMIT_BYTES: u64 = 1 << 20;

pub use file_key::FileKey;
pub use key_place::{KeyPlace, KeySuccession};
pub use memory::MemoryKey;

/// Signs exact bytes with one Ed25519 key. Implementations run `walwarden_testkit::manifest::suite`.
///
/// - MUST sign the given bytes as they are (no hashing or framing of its own).
/// - MUST name its public key truthfully: what [`sign`](Self::sign) returns verifies under it.
/// - MUST NOT reveal the private key through any method, `Debug` included.
#[async_trait]
pub trait ManifestSigner: Debug + Send + Sync + 'static {
    /// The public half of the signing key.
    fn public_key(&self) -> &PublicKey;

    /// An Ed25519 signature (RFC 8032) over exactly these bytes.
    async fn sign(&self, message: &[u8]) -> Result<Signature>;
}

/// Signs a manifest in the signer's name. What comes out was verified under the signer's own public key; its
/// [`as_bytes`](Manifest::as_bytes) are the bytes to store.
///
/// # Errors
///
/// `internal` when the body contradicts itself or leaves the format; `key-invalid` when what the signer returned does
/// not verify; else what the signer fails with.
pub async fn seal(mut body: ManifestBody, signer: &dyn ManifestSigner) -> Result<Manifest> {
    let malformed = |error: walwarden_verify::FormError| {
        Error::new(Code::Internal, "the manifest cannot be written").with_source(error)
    };
    let key = signer.public_key();
    body.signer = key.key_id();
    // What would not be accepted is not signed.
    let unsigned = body.clone().seal(Signature::from_bytes([0; 64])).map_err(malformed)?;
    if let Some(contradiction) = unsigned.contradictions().into_iter().next() {
        let message = format!("the manifest contradicts itself job={}", body.job_id);
        return Err(Error::new(Code::Internal, message).with_source(contradiction));
    }
    let message = body.canonical_body();
    let signature = signer.sign(&message).await?;
    key.verify(&message, &signature).map_err(|error| {
        Error::new(Code::KeyInvalid, format!("the signer's signature does not verify key={}", key.key_id()))
            .with_source(error)
    })?;
    body.seal(signature).map_err(malformed)
}
