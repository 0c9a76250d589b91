use std::collections::{BTreeMap, BTreeSet};

use walwarden_verify::json::Object;
use walwarden_verify::key::{KeyId, PublicKey};
use walwarden_verify::{EventKind, Row};

use super::AuditChain;
use crate::error::{Code, Error, Result};

/// The keys that a chain had, as its own rows tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainKeys {
    /// Each key with the row from which it holds, in order; the first is the genesis row's.
    spans: Vec<(u64, KeyId)>,
    public: BTreeMap<KeyId, PublicKey>,
    revoked: BTreeSet<KeyId>,
}

impl ChainKeys {
    pub(crate) async fn of(chain: &dyn AuditChain) -> Result<Self> {
        let mut keys = ChainKeys { spans: Vec::new(), public: BTreeMap::new(), revoked: BTreeSet::new() };
        for row in chain.key_rows().await? {
            keys.follow(&row).ok_or_else(|| {
                let message = format!("a row of the audit chain names no key seq={}", row.seq);
                Error::new(Code::ChainDamaged, message)
            })?;
        }
        if keys.spans.is_empty() {
            return Err(Error::new(Code::ChainDamaged, "the audit chain has no first row"));
        }
        Ok(keys)
    }

    fn follow(&mut self, row: &Row) -> Option<()> {
        let key_id = |name| row.payload.get(name)?.as_str()?.parse().ok();
        match row.kind {
            EventKind::ChainGenesis => self.spans.push((row.seq, key_id("keyId")?)),
            EventKind::KeyRotated => {
                self.spans.push((row.seq, key_id("newKeyId")?));
                self.learn(&row.payload, "newPublicKey");
                self.learn(&row.payload, OLD_PUBLIC_KEY);
            }
            EventKind::KeyRevoked => drop(self.revoked.insert(key_id("keyId")?)),
            _ => {}
        }
        Some(())
    }

    // A name is a digest of the key, so that it does not matter who says it.
    fn learn(&mut self, payload: &Object, name: &str) {
        let pem = payload.get(name).and_then(|value| value.as_str());
        if let Some(key) = pem.and_then(|pem| PublicKey::from_pem(pem).ok()) {
            self.public.insert(key.key_id(), key);
        }
    }

    /// The key that signs what is said at row `seq`.
    pub(crate) fn at(&self, seq: u64) -> KeyId {
        let after = self.spans.partition_point(|(from, _)| *from <= seq);
        self.spans[after.saturating_sub(1)].1
    }

    /// The key that holds now.
    pub(crate) fn current(&self) -> KeyId {
        self.at(u64::MAX)
    }

    pub(crate) fn contains(&self, key_id: KeyId) -> bool {
        self.spans.iter().any(|(_, known)| *known == key_id)
    }

    pub(crate) fn is_revoked(&self, key_id: KeyId) -> bool {
        self.revoked.contains(&key_id)
    }

    /// The keys whose bytes the chain tells.
    pub(crate) fn public(&self) -> impl Iterator<Item = &PublicKey> {
        self.public.values().filter(|key| self.contains(key.key_id()))
    }
}

/// What a rotation row says besides what it must: with it a bundle holds the bytes of the first key too.
pub(crate) const OLD_PUBLIC_KEY: &str = "oldPublicKey";
