use std::collections::BTreeMap;

use crate::chain::{Replay, Violation};
use crate::disclosure::Disclosure;
use crate::event::RowText;
use crate::merkle::Tree;
use crate::{EventKind, KeyId, Sha256};

/// What is known of a chain that is shown in part.
#[derive(Debug, Default)]
struct Shown {
    rows: u64,
    hashes: BTreeMap<u64, Sha256>,
}

/// The chain as its rows pass by: its rules, its Merkle tree and the hash of each row.
#[derive(Debug)]
pub(super) struct ChainWalk {
    pub(super) replay: Replay,
    tree: Tree,
    // The hash of row n stands at n-1.
    hashes: Vec<Sha256>,
    // Where not all rows are shown: how many are, and the hashes that are known.
    shown: Option<Shown>,
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
            shown: None,
            backups: 0,
            drills_passed: 0,
            kept_size,
            kept_root: None,
        }
    }

    pub(super) fn push(&mut self, row: &RowText<'_>) -> Vec<Violation> {
        self.tree.push(row.text);
        self.hashes.push(row.hash);
        self.note(row.kind);
        self.replay.push_text(row)
    }

    fn note(&mut self, kind: EventKind) {
        self.backups += u64::from(kind == EventKind::BackupCompleted);
        self.drills_passed += u64::from(kind == EventKind::DrillPassed);
        self.note_kept();
    }

    fn note_kept(&mut self) {
        if self.kept_size == Some(self.tree.size()) {
            self.kept_root = Some(self.tree.root());
        }
    }

    /// Walks a chain of which some rows are shown; none stands for a place that neither a row nor a node fills.
    pub(super) fn disclose(
        &mut self,
        disclosure: &Disclosure,
        mut each: impl FnMut(Violation),
    ) -> Option<()> {
        let mut shown = Shown::default();
        let (mut rows, mut hidden) = (disclosure.rows.iter().peekable(), disclosure.hidden.iter().peekable());
        while self.tree.size() < disclosure.size {
            let next = self.tree.size() + 1;
            if let Some(row) = rows.next_if(|row| row.seq == next) {
                self.tree.push(&row.to_canonical());
                shown.rows += 1;
                shown.hashes.insert(row.seq, row.hash);
                // Its own hash covers what it says of the row before.
                shown.hashes.insert(row.seq - 1, row.prev_hash);
                self.replay.push(row).into_iter().for_each(&mut each);
                self.note(row.kind);
            } else {
                let node = hidden.next_if(|node| node.first_seq == next)?;
                if !self.tree.push_subtree(node.rows, node.hash) {
                    return None;
                }
                self.replay.pass_over(node.rows);
                self.note_kept();
            }
        }
        let complete = rows.next().is_none() && hidden.next().is_none();
        let complete = complete && self.tree.size() == disclosure.size;
        self.shown = Some(shown);
        complete.then_some(())
    }

    /// How many rows were shown, where not all were.
    pub(super) fn shown(&self) -> Option<u64> {
        self.shown.as_ref().map(|shown| shown.rows)
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
        if let Some(shown) = &self.shown {
            return shown.hashes.get(&seq).copied();
        }
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.hashes.get(at).copied()
    }

    /// The chain's key at a row, with whether it was revoked by then.
    pub(super) fn key_at(&self, seq: u64) -> Option<(KeyId, bool)> {
        let key_id = self.replay.keys().at(seq)?;
        Some((key_id, self.replay.keys().is_revoked(key_id, seq)))
    }
}
