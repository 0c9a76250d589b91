use std::fmt;

use async_trait::async_trait;
use ed25519_dalek::{Signer, SigningKey};
use walwarden_verify::key::{PublicKey, Signature};

use super::ManifestSigner;
use crate::error::{Code, Error, Result};

/// A signing key that lives in this process only: the reference implementation, and the key of tests.
///
/// ```
/// use walwarden_core::manifest::{ManifestSigner, MemoryKey};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let mut seed = [7; 32];
/// seed[0] = 1;
/// let key = MemoryKey::from_seed(&seed)?;
/// let signature = key.sign(b"statement").await?;
/// assert!(key.public_key().verify(b"statement", &signature).is_ok());
/// # Ok::<(), walwarden_core::Error>(()) }).unwrap();
/// ```
pub struct MemoryKey {
    // Wiped when dropped.
    private: SigningKey,
    public: PublicKey,
}

impl MemoryKey {
    /// Takes the 32 secret bytes of RFC 8032.
    ///
    /// # Errors
    ///
    /// `key-invalid` for a weak seed, one byte repeated: it was never drawn at random.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self> {
        if seed.iter().all(|byte| *byte == seed[0]) {
            return Err(Error::new(Code::KeyInvalid, "the private key is weak: one byte repeated"));
        }
        let private = SigningKey::from_bytes(seed);
        let public = PublicKey::from_bytes(private.verifying_key().as_bytes())
            .map_err(|error| Error::new(Code::KeyInvalid, "the private key is weak").with_source(error))?;
        Ok(MemoryKey { private, public })
    }
}

#[async_trait]
impl ManifestSigner for MemoryKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature> {
        Ok(Signature::from_bytes(self.private.sign(message).to_bytes()))
    }
}

impl fmt::Debug for MemoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryKey").field(&self.public.key_id()).finish()
    }
}
