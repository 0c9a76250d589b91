use crate::chain::{Replay, Violation};
use crate::event::RowText;
use crate::merkle::Tree;
use crate::{KeyId, Sha256};

/// The chain as its rows pass by: its rules, its Merkle tree and the hash of each row.
#[derive(Debug)]
pub(super) struct ChainWalk {
    pub(super) replay: Replay,
    tree: Tree,
    // The hash of row n stands at n-1.
    hashes: Vec<Sha256>,
    backups: u64,
    drills_passed: u64,
    kept_size: Option<u64>,
    kept_root: Option<Sha256>,
}

impl ChainWalk {
    /// Notes the root over the first `kept_size` rows.
    pub(super) fn new(kept_size: Option<u64>) -> Self {
        ChainWalk {
            replay: Replay::new(),
            tree: Tree::new(),
            hashes: Vec::new(),
            backups: 0,
            drills_passed: 0,
            kept_size,
            kept_root: None,
        }
    }

    pub(super) fn push(&mut self, row: &RowText<'_>) -> Vec<Violation> {
        self.tree.push(row.text);
        self.hashes.push(row.hash);
        self.backups += u64::from(row.kind == crate::EventKind::BackupCompleted);
        self.drills_passed += u64::from(row.kind == crate::EventKind::DrillPassed);
        if self.kept_size == Some(self.tree.size()) {
            self.kept_root = Some(self.tree.root());
        }
        self.replay.push_text(row)
    }

    pub(super) fn events(&self) -> u64 {
        self.tree.size()
    }

    pub(super) fn root(&self) -> Sha256 {
        self.tree.root()
    }

    /// The root over as many rows as the kept checkpoint has.
    pub(super) fn kept_root(&self) -> Option<Sha256> {
        self.kept_root
    }

    /// How many `backup.completed` rows.
    pub(super) fn backups(&self) -> u64 {
        self.backups
    }

    /// How many `drill.passed` rows.
    pub(super) fn drills_passed(&self) -> u64 {
        self.drills_passed
    }

    /// The hash of a row.
    pub(super) fn hash_at(&self, seq: u64) -> Option<Sha256> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.hashes.get(at).copied()
    }

    /// The chain's key at a row, with whether it was revoked by then.
    pub(super) fn key_at(&self, seq: u64) -> Option<(KeyId, bool)> {
        let key_id = self.replay.keys().at(seq)?;
        Some((key_id, self.replay.keys().is_revoked(key_id, seq)))
    }
}
