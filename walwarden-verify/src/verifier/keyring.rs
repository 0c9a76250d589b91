use std::collections::BTreeMap;

use crate::KeyId;
use crate::key::PublicKey;

/// The bytes of keys by their names. A name is a digest, so that it does not matter where the bytes come from; which
/// names are trusted is decided elsewhere.
#[derive(Debug)]
pub(super) struct Keyring(BTreeMap<KeyId, PublicKey>);

impl Keyring {
    pub(super) fn new(keys: &[PublicKey]) -> Self {
        Keyring(keys.iter().map(|key| (key.key_id(), *key)).collect())
    }

    pub(super) fn add(&mut self, key: PublicKey) {
        self.0.insert(key.key_id(), key);
    }

    pub(super) fn get(&self, key_id: KeyId) -> Option<&PublicKey> {
        self.0.get(&key_id)
    }
}
