//! The signed statement of what one backup stored (`spec/manifest.md`).

mod body;
mod rules;

use crate::form::FormError;
use crate::key::{PublicKey, Signature};
use crate::reason::Reason;
use crate::{Sha256, canonical};

pub use body::{AuditAnchor, Compression, Encryption, ManifestBody, ObjectDigest};
pub(crate) use body::{read_signer, signer_object};
pub use rules::Contradiction;

/// A manifest as it is stored: a [`ManifestBody`], its signature, and the exact bytes.
///
/// Read but not checked; [`verify`](Self::verify) checks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    body: ManifestBody,
    signature: Signature,
    bytes: Vec<u8>,
}

impl Manifest {
    pub(super) fn sealed(body: ManifestBody, signature: Signature) -> Self {
        let mut object = body.to_object();
        object.insert("signature", signature.to_string());
        Manifest { bytes: canonical::to_vec(&object.into()), body, signature }
    }

    /// Reads the stored bytes.
    ///
    /// # Errors
    ///
    /// When they are not canonical, or a field is missing, unknown or malformed. What contradicts itself is told by
    /// [`contradictions`](Self::contradictions).
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let object = canonical::parse_object(bytes)?;
        let (body, signature) = ManifestBody::from_signed(&object)?;
        Ok(Manifest { body, signature, bytes: bytes.to_vec() })
    }

    /// What it says.
    pub const fn body(&self) -> &ManifestBody {
        &self.body
    }

    /// Its signature, unchecked.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The exact bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The manifest hash: SHA-256 of the stored bytes.
    pub fn hash(&self) -> Sha256 {
        Sha256::of(&self.bytes)
    }

    /// Where the manifest contradicts itself: its times, its keys of the store, `contentRoot` and `index`.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        rules::contradictions(&self.body)
    }

    /// Checks the signature alone, over the bytes that were read, and that the key is the one named as signer.
    ///
    /// # Errors
    ///
    /// When the key is another or its signature fails.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), Contradiction> {
        if self.body.signer != key.key_id() {
            let detail = format!("the signer is {}, the key is {}", self.body.signer, key.key_id());
            return Err(Contradiction::new(Reason::ManifestSigner, detail));
        }
        let message = canonical::without_member(&self.bytes, "signature")
            .expect("the bytes of a manifest are a canonical object");
        key.verify(&message, &self.signature)
            .map_err(|error| Contradiction::new(Reason::ManifestSignature, error.to_string()))
    }

    /// Checks everything a manifest can show by itself under a key the caller trusts.
    ///
    /// # Errors
    ///
    /// The first check that fails: the signer, the signature, or a rule of [`contradictions`](Self::contradictions).
    pub fn verify(self, key: &PublicKey) -> Result<VerifiedManifest, Contradiction> {
        self.verify_signature(key)?;
        match self.contradictions().into_iter().next() {
            Some(contradiction) => Err(contradiction),
            None => Ok(VerifiedManifest(self)),
        }
    }
}

/// A manifest that was checked: made by [`Manifest::verify`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedManifest(Manifest);

impl VerifiedManifest {
    /// What it says.
    pub const fn body(&self) -> &ManifestBody {
        &self.0.body
    }

    /// The manifest hash.
    pub fn hash(&self) -> Sha256 {
        self.0.hash()
    }

    /// The manifest.
    pub fn into_inner(self) -> Manifest {
        self.0
    }
}

#[cfg(test)]
mod tests;
