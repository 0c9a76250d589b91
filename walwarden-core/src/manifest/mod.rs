//! Turns a receipt of what was stored into a signed manifest.
//!
//! In: exact bytes. Out: signatures by a named key. What always holds: the private key never leaves its signer.

use std::fmt::Debug;

use async_trait::async_trait;
use walwarden_verify::key::{PublicKey, Signature};

use crate::error::Result;

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
