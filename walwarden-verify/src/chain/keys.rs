use std::collections::BTreeMap;

use crate::form::{Fields, FormError};
use crate::json::{Object, Value};
use crate::key::{KeyId, PublicKey, Signature, SignatureError};
use crate::{ChainId, canonical};

/// The bytes that the old and the new key sign when the new one takes over with row `seq` of the chain.
pub fn rotation_message(chain_id: ChainId, seq: u64, old_key_id: KeyId, new_key_id: KeyId) -> Vec<u8> {
    canonical::to_vec(&Value::Object(Object::from([
        ("type", Value::from("walwarden.key-rotation")),
        ("chainId", chain_id.to_string().into()),
        ("seq", seq.into()),
        ("oldKeyId", old_key_id.to_string().into()),
        ("newKeyId", new_key_id.to_string().into()),
    ])))
}

/// A `key.rotated` row.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// The row; the new key holds from here on.
    pub seq: u64,
    /// The key that goes.
    pub old_key_id: KeyId,
    /// The key that comes.
    pub new_key_id: KeyId,
    /// Its bytes.
    pub new_key: PublicKey,
    /// By the key that goes.
    pub old_signature: Signature,
    /// By the key that comes.
    pub new_signature: Signature,
}

impl Rotation {
    pub(super) fn from_payload(seq: u64, payload: &Object) -> Result<Self, FormError> {
        let mut fields = Fields::of(payload);
        Ok(Rotation {
            seq,
            old_key_id: fields.parsed("oldKeyId")?,
            new_key_id: fields.parsed("newKeyId")?,
            new_key: PublicKey::from_pem(fields.text("newPublicKey")?)
                .map_err(|error| FormError::field("newPublicKey", &error.to_string()))?,
            old_signature: fields.parsed("oldSignature")?,
            new_signature: fields.parsed("newSignature")?,
        })
    }

    /// Checks the signature by the key that goes.
    ///
    /// # Errors
    ///
    /// When `old_key` did not sign this rotation of this chain.
    pub fn verify_old(&self, chain_id: ChainId, old_key: &PublicKey) -> Result<(), SignatureError> {
        old_key.verify(&self.message(chain_id), &self.old_signature)
    }

    /// Checks the signature by the key that comes, and that it is the one named.
    ///
    /// # Errors
    ///
    /// When it did not sign this rotation of this chain, or has another name.
    pub fn verify_new(&self, chain_id: ChainId) -> Result<(), SignatureError> {
        if self.new_key.key_id() != self.new_key_id {
            return Err(SignatureError);
        }
        self.new_key.verify(&self.message(chain_id), &self.new_signature)
    }

    fn message(&self, chain_id: ChainId) -> Vec<u8> {
        rotation_message(chain_id, self.seq, self.old_key_id, self.new_key_id)
    }
}

/// Which key a chain had when.
#[derive(Debug, Clone, Default)]
pub struct KeyHistory {
    // Key and the row from which it holds, in order.
    spans: Vec<(u64, KeyId)>,
    rotations: Vec<Rotation>,
    // The row that revoked a key first.
    revoked: BTreeMap<KeyId, u64>,
}

impl KeyHistory {
    pub(super) const fn new() -> Self {
        KeyHistory { spans: Vec::new(), rotations: Vec::new(), revoked: BTreeMap::new() }
    }

    pub(super) fn begin(&mut self, key_id: KeyId) {
        self.spans.push((1, key_id));
    }

    pub(super) fn rotate(&mut self, rotation: Rotation) {
        self.spans.push((rotation.seq, rotation.new_key_id));
        self.rotations.push(rotation);
    }

    pub(super) fn revoke(&mut self, seq: u64, key_id: KeyId) {
        self.revoked.entry(key_id).or_insert(seq);
    }

    /// The key that signs what is said at row `seq`.
    pub fn at(&self, seq: u64) -> Option<KeyId> {
        let after = self.spans.partition_point(|(from, _)| *from <= seq);
        Some(self.spans[after.checked_sub(1)?].1)
    }

    /// The key that holds now.
    pub fn current(&self) -> Option<KeyId> {
        self.spans.last().map(|(_, key_id)| *key_id)
    }

    /// Whether a key was revoked at row `seq` or before.
    pub fn is_revoked(&self, key_id: KeyId, seq: u64) -> bool {
        self.revoked.get(&key_id).is_some_and(|revoked| *revoked <= seq)
    }

    /// The row that revoked a key, if there is one.
    pub fn revoked_at(&self, key_id: KeyId) -> Option<u64> {
        self.revoked.get(&key_id).copied()
    }

    /// Every key the chain ever had with the row from which it holds, in order.
    pub fn spans(&self) -> &[(u64, KeyId)] {
        &self.spans
    }

    /// Every key the chain ever had, in order.
    pub fn all(&self) -> impl Iterator<Item = KeyId> {
        self.spans.iter().map(|(_, key_id)| *key_id)
    }

    /// Every rotation, in order.
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }
}
