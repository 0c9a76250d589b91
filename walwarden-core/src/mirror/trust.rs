//! Which of the chains in a destination is ours, and how many of its rows a trusted key answers for.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt;
use walwarden_verify::chain::KeyHistory;
use walwarden_verify::checkpoint::{Checkpoint, SignedNote, origin};
use walwarden_verify::key::PublicKey;
use walwarden_verify::merkle::Tree;
use walwarden_verify::{ChainId, KeyId, Row};

use super::rebuild::Found;
use crate::chain::Subject;
use crate::error::{Code, Error, Result};
use crate::storage::{Listed, ObjectName, Storage, StorageExt};

/// A larger object is no checkpoint.
const NOTE_LIMIT_BYTES: u64 = 1 << 20;
/// More than any first row takes.
const GENESIS_LIMIT_BYTES: u64 = 64 << 10;

/// Judges one subject's chains by the keys that count.
pub(super) struct Trust<'a> {
    pub(super) from: &'a dyn Storage,
    pub(super) subject: &'a Subject,
    pub(super) trusted_keys: &'a [PublicKey],
}

/// What speaks for a chain, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Foreign,
    /// It says that it began with a trusted key, which needs no key to write.
    Claimed,
    /// A trusted key signed a checkpoint of it.
    Signed,
}

impl Trust<'_> {
    /// The chain that most speaks for; of several, the newest: ids begin with the time. A signed one is taken also when
    /// its rows are damaged, so that nobody gets an older one in its place without being told.
    pub(super) async fn choose(&self, chains: &BTreeMap<ChainId, Found>) -> Result<Option<ChainId>> {
        let mut best = None;
        for (chain_id, found) in chains {
            best = best.max(Some((self.standing(*chain_id, found).await?, *chain_id)));
        }
        Ok(best.map(|(_, chain_id)| chain_id))
    }

    async fn standing(&self, chain_id: ChainId, found: &Found) -> Result<Standing> {
        for (_, listed) in found.checkpoints.iter().rev() {
            if self.checkpoint(chain_id, listed).await?.is_some() {
                return Ok(Standing::Signed);
            }
        }
        let Some((_, first)) = found.segments.first() else { return Ok(Standing::Foreign) };
        let genesis = self.genesis(first).await?;
        let claimed = genesis.is_some_and(|row| self.trusts(begun_with(&row)));
        Ok(if claimed { Standing::Claimed } else { Standing::Foreign })
    }

    /// A chain's first row, if it can be read.
    async fn genesis(&self, segment: &Listed) -> Result<Option<Row>> {
        let beginning = 0..segment.size_bytes.min(GENESIS_LIMIT_BYTES);
        let chunks: Vec<Bytes> =
            self.from.get(&segment.name, Some(beginning)).await?.body.try_collect().await?;
        Ok(chunks.concat().split(|byte| *byte == b'\n').next().and_then(|line| Row::parse(line).ok()))
    }

    fn trusts(&self, key_id: Option<&str>) -> bool {
        self.trusted_keys.iter().any(|key| Some(key.key_id().to_string().as_str()) == key_id)
    }

    /// Why nothing covers these rows, when the cause is that no trusted key ever had to do with their chain.
    pub(super) fn foreign_key(&self, found: &Found, rows: &[Row]) -> Option<String> {
        let key_id = begun_with(rows.first()?).filter(|key_id| !self.trusts(Some(key_id)))?;
        let signed = if found.checkpoints.is_empty() { "" } else { " and signed its checkpoints" };
        Some(format!(
            "this chain says that key {key_id} began it{signed}: if that key is yours, make it this installation's key \
             again and rebuild once more"
        ))
    }

    /// How many rows the largest checkpoint covers that is by a trusted key, and by the one that these rows had then: who has a former
    /// key answers for nothing that came after it. One that contradicts the rows is an error.
    pub(super) async fn covered(
        &self,
        chain_id: ChainId,
        found: &Found,
        rows: &[Row],
        keys: &KeyHistory,
    ) -> Result<u64> {
        let (mut tree, mut rows) = (Tree::new(), rows.iter());
        for (checkpoint, name) in self.largest(chain_id, found, keys).await? {
            let missing = usize::try_from(checkpoint.size - tree.size()).unwrap_or(usize::MAX);
            rows.by_ref().take(missing).for_each(|row| tree.push(&row.to_canonical()));
            if (checkpoint.size, checkpoint.root) != (tree.size(), tree.root()) {
                let message =
                    format!("a checkpoint by a trusted key contradicts the stored rows name={name}");
                return Err(Error::new(Code::ChainDamaged, message));
            }
        }
        Ok(tree.size())
    }

    /// The checkpoints by the key of their time, down to the first that lies under its own size, the smallest first. Its own size
    /// counts, not its name: whoever can add objects can store a copy under a larger number, where it stays for good if
    /// the store keeps every object.
    async fn largest<'f>(
        &self,
        chain_id: ChainId,
        found: &'f Found,
        keys: &KeyHistory,
    ) -> Result<Vec<(Checkpoint, &'f ObjectName)>> {
        let mut largest = Vec::new();
        for (named, listed) in found.checkpoints.iter().rev() {
            let Some((checkpoint, by)) = self.checkpoint(chain_id, listed).await? else { continue };
            if keys.at(checkpoint.size) != Some(by) {
                continue;
            }
            let in_place = checkpoint.size == *named;
            largest.push((checkpoint, &listed.name));
            if in_place {
                break;
            }
        }
        largest.sort_by_key(|(checkpoint, _)| checkpoint.size);
        Ok(largest)
    }

    /// The checkpoint and its signer, if it is one of this chain and by a trusted key.
    async fn checkpoint(&self, chain_id: ChainId, listed: &Listed) -> Result<Option<(Checkpoint, KeyId)>> {
        if listed.size_bytes > NOTE_LIMIT_BYTES {
            return Ok(None);
        }
        let origin = origin(&self.subject.org_id, chain_id);
        let bytes = self.from.read(&listed.name, NOTE_LIMIT_BYTES).await?;
        let Some((note, checkpoint)) = parse(&bytes) else { return Ok(None) };
        let signer = self.trusted_keys.iter().find(|key| note.verify(&origin, key) == Ok(true));
        let signer = signer.filter(|_| checkpoint.origin == origin);
        Ok(signer.map(|key| (checkpoint, key.key_id())))
    }
}

/// The key that a chain's first row names.
fn begun_with(genesis: &Row) -> Option<&str> {
    genesis.payload.get("keyId")?.as_str()
}

fn parse(bytes: &[u8]) -> Option<(SignedNote, Checkpoint)> {
    let note = SignedNote::parse(bytes).ok()?;
    let checkpoint = Checkpoint::parse_body(note.body()).ok()?;
    Some((note, checkpoint))
}
