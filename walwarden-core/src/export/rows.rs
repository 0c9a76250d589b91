//! The chain's rows as `audit_events.json`, in two passes, so that no chain is too long for memory.

use std::io::Write;

use bytes::Bytes;
use walwarden_verify::merkle::{RangeRoots, Tree, consistency_ranges, leaf_hash};
use walwarden_verify::{EventKind, Hasher, Head, JobId, Row, Sha256, Timestamp};

use super::writer::Writing;
use crate::chain::AuditChain;
use crate::error::{Code, Error, Result};

/// Rows held in memory at once.
const PAGE: usize = 5_000;

/// What the signed index must know before the rows are written.
pub(super) struct Summary {
    pub(super) head: Head,
    pub(super) last_at: Timestamp,
    pub(super) tree: Tree,
    pub(super) size_bytes: u64,
    pub(super) sha256: Sha256,
    /// Completed backups and their manifests' hashes.
    pub(super) completed: Vec<(JobId, Sha256)>,
}

impl Summary {
    /// Of the rows up to number `through`, or of all.
    pub(super) async fn of(chain: &dyn AuditChain, through: Option<u64>) -> Result<Self> {
        let head = match through {
            Some(seq) => end_of(chain, seq).await?,
            None => chain.head().await?,
        };
        let mut hasher = Hasher::new();
        let mut summary = Summary {
            head,
            last_at: Timestamp::MIN,
            tree: Tree::new(),
            size_bytes: 0,
            sha256: Sha256::of(b""),
            completed: Vec::new(),
        };
        let mut next = 1;
        while next <= head.seq {
            let text = page(chain, next, head, |row, leaf| {
                summary.tree.push(leaf);
                summary.last_at = row.at;
                if row.kind == EventKind::BackupCompleted {
                    summary.completed.extend(completed(row));
                }
            })
            .await?;
            hasher.update(&text.0);
            summary.size_bytes += text.0.len() as u64;
            next = text.1;
        }
        summary.sha256 = hasher.finish();
        Ok(summary)
    }
}

/// A checkpoint's tree over the whole chain, and the proof that it goes on from the first `since` rows.
pub(super) async fn tree_since(chain: &dyn AuditChain, since: Option<u64>) -> Result<(Tree, Vec<Sha256>)> {
    let head = chain.head().await?;
    let ranges = since.map(|since| {
        consistency_ranges(since, head.seq).ok_or_else(|| {
            let message = format!(
                "a proof begins at a size from 1 to that of the chain since={since} rows={}",
                head.seq
            );
            Error::new(Code::ArgumentInvalid, message)
        })
    });
    let (mut tree, mut proof) = (Tree::new(), RangeRoots::new(ranges.transpose()?.unwrap_or_default()));
    let mut next = 1;
    while next <= head.seq {
        next = page(chain, next, head, |_, leaf| {
            let leaf = leaf_hash(leaf);
            tree.push_hash(leaf);
            proof.push_hash(leaf);
        })
        .await?
        .1;
    }
    let proof =
        proof.finish().ok_or_else(|| Error::new(Code::ChainDamaged, "the chain ends before its head"))?;
    Ok((tree, proof))
}

async fn end_of(chain: &dyn AuditChain, seq: u64) -> Result<Head> {
    let row = chain.rows(seq, 1).await?.into_iter().find(|row| row.seq == seq);
    row.map(|row| row.head()).ok_or_else(|| {
        let message = format!("the checkpoint has more rows than the chain, or none size={seq}");
        Error::new(Code::CheckpointInvalid, message)
    })
}

/// Writes the same text that was summed up, whatever was appended since.
pub(super) async fn write<W: Write + Send + 'static>(
    chain: &dyn AuditChain,
    summary: &Summary,
    bundle: &mut Writing<W>,
) -> Result<()> {
    let mut next = 1;
    while next <= summary.head.seq {
        let (text, after) = page(chain, next, summary.head, |_, _| {}).await?;
        bundle.write(Bytes::from(text)).await?;
        next = after;
    }
    Ok(())
}

/// Text of the rows from `first` on, brackets and commas included, and the number of the row after them.
pub(super) async fn page(
    chain: &dyn AuditChain,
    first: u64,
    head: Head,
    mut each: impl FnMut(&Row, &[u8]),
) -> Result<(Vec<u8>, u64)> {
    let rows = chain.rows(first, PAGE).await?;
    let mut text = Vec::new();
    let mut next = first;
    for row in rows.iter().filter(|row| row.seq <= head.seq) {
        if row.seq != next {
            return Err(Error::new(
                Code::ChainDamaged,
                format!("a row is missing from the chain seq={next}"),
            ));
        }
        text.push(if row.seq == 1 { b'[' } else { b',' });
        let leaf = row.to_canonical();
        text.extend_from_slice(&leaf);
        each(row, &leaf);
        next += 1;
    }
    if next == first {
        return Err(Error::new(Code::ChainDamaged, format!("the chain ends before its head seq={first}")));
    }
    if next > head.seq {
        text.push(b']');
    }
    Ok((text, next))
}

fn completed(row: &Row) -> Option<(JobId, Sha256)> {
    Some((row.job_id?, row.payload.get("manifestSha256")?.as_str()?.parse().ok()?))
}
