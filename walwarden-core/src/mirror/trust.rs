//! Which of the chains in a destination is ours, and how many of its rows a trusted key answers for.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
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
const READ_AT_ONCE: usize = 8;

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

/// A checkpoint by trusted keys.
struct Signed<'f> {
    checkpoint: Checkpoint,
    by: Vec<KeyId>,
    name: &'f ObjectName,
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
            "this chain says that key {key_id} began it{signed}: if that key is yours, and was never rotated, make it this \
             installation's key again and rebuild once more"
        ))
    }

    /// How many rows the largest checkpoint by a trusted key covers. One that contradicts them is an error, and so is one by another key
    /// than they had then: either rows with a rotation were left out, or who has a former key goes on with it.
    pub(super) async fn covered(
        &self,
        chain_id: ChainId,
        found: &Found,
        rows: &[Row],
        keys: &KeyHistory,
    ) -> Result<u64> {
        let (mut tree, mut rows) = (Tree::new(), rows.iter());
        for Signed { checkpoint, by, name } in self.signed(chain_id, found).await? {
            let Checkpoint { size, root, .. } = checkpoint;
            if !keys.at(size).is_some_and(|current| by.contains(&current)) {
                let message = format!(
                    "a checkpoint by a trusted key is of another history: it is not by the key that the stored rows had then name={name}"
                );
                return Err(Error::new(Code::ChainDamaged, message));
            }
            let missing = usize::try_from(size - tree.size()).unwrap_or(usize::MAX);
            rows.by_ref().take(missing).for_each(|row| tree.push(&row.to_canonical()));
            if (size, root) != (tree.size(), tree.root()) {
                let message =
                    format!("a checkpoint by a trusted key contradicts the stored rows name={name}");
                return Err(Error::new(Code::ChainDamaged, message));
            }
        }
        Ok(tree.size())
    }

    /// Every checkpoint by trusted keys, the smallest first. Its own size counts, not its name: whoever can add objects can store
    /// a copy under another number, where it stays for good if the store keeps every object.
    async fn signed<'f>(&self, chain_id: ChainId, found: &'f Found) -> Result<Vec<Signed<'f>>> {
        let read = |listed: &'f Listed| async move {
            let signed = self.checkpoint(chain_id, listed).await?;
            Ok(signed.map(|(checkpoint, by)| Signed { checkpoint, by, name: &listed.name }))
        };
        // Boxed, else the compiler does not see that the whole may be sent to another thread.
        let reads: Vec<BoxFuture<'_, Result<Option<Signed<'f>>>>> =
            found.checkpoints.iter().map(|(_, listed)| read(listed).boxed()).collect();
        let read = stream::iter(reads).buffered(READ_AT_ONCE);
        let mut signed: Vec<Signed<'f>> =
            read.try_filter_map(|signed| async { Ok(signed) }).try_collect().await?;
        signed.sort_by_key(|signed| signed.checkpoint.size);
        Ok(signed)
    }

    /// The checkpoint and its signers, if it is one of this chain and by a trusted key.
    async fn checkpoint(
        &self,
        chain_id: ChainId,
        listed: &Listed,
    ) -> Result<Option<(Checkpoint, Vec<KeyId>)>> {
        if listed.size_bytes > NOTE_LIMIT_BYTES {
            return Ok(None);
        }
        let origin = origin(&self.subject.org_id, chain_id);
        let bytes = self.from.read(&listed.name, NOTE_LIMIT_BYTES).await?;
        let Some((note, checkpoint)) = parse(&bytes) else { return Ok(None) };
        let signed = self.trusted_keys.iter().filter(|key| note.verify(&origin, key) == Ok(true));
        let by: Vec<KeyId> = signed.map(PublicKey::key_id).collect();
        Ok((checkpoint.origin == origin && !by.is_empty()).then_some((checkpoint, by)))
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
