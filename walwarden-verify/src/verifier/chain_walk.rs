use std::collections::BTreeMap;

use crate::bundle::HashedRow;
use crate::chain::{Replay, Violation};
use crate::disclosure::DisclosureText;
use crate::merkle::{RangeRoots, Tree};
use crate::{EventKind, KeyId, ManyHasher, Sha256, Timestamp};

/// What is known of a row's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowHash {
    Known(Sha256),
    /// The row is not shown.
    NotShown,
    /// Not held: the chain has to be read again.
    LeftOut,
    /// There is no such row.
    None,
}

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
    hasher: ManyHasher,
    // Hashes of rows with a backup under way, in which its manifest is anchored, in order and as far as they are held.
    anchors: Vec<(u64, Sha256)>,
    most_anchors: usize,
    // Where not all rows are shown: how many are, and the hashes that are known.
    shown: Option<Shown>,
    // When each backup completed, in the order of the rows.
    backups: Vec<Timestamp>,
    drills_passed: u64,
    last_drill: Option<Timestamp>,
    kept_size: Option<u64>,
    kept_root: Option<Sha256>,
    proof: Option<RangeRoots>,
}

impl ChainWalk {
    /// Notes the root over the first `kept_size` rows, and holds so many hashes of rows at most.
    pub(super) fn new(kept_size: Option<u64>, most_anchors: usize) -> Self {
        ChainWalk {
            replay: Replay::new(),
            tree: Tree::new(),
            hasher: ManyHasher::new(),
            anchors: Vec::new(),
            most_anchors,
            shown: None,
            backups: Vec::new(),
            drills_passed: 0,
            last_drill: None,
            kept_size,
            kept_root: None,
            proof: None,
        }
    }

    /// Gathers a proof from the rows, should all of them be shown.
    pub(super) fn gather(&mut self, proof: RangeRoots) {
        self.proof = Some(proof);
    }

    pub(super) fn take_proof(&mut self) -> Option<Vec<Sha256>> {
        self.proof.take()?.finish()
    }

    pub(super) fn push(&mut self, rows: &[HashedRow<'_>]) -> Vec<Violation> {
        let leaves: Vec<Sha256> = rows.iter().map(|row| row.leaf).collect();
        if let Some(proof) = &mut self.proof {
            leaves.iter().for_each(|leaf| proof.push_hash(*leaf));
        }
        let kept_among = self.kept_size.and_then(|kept| kept.checked_sub(self.tree.size()));
        let before = kept_among.and_then(|count| usize::try_from(count).ok()).unwrap_or(0).min(leaves.len());
        let (before, after) = leaves.split_at(before);
        self.tree.push_hashes(before, &self.hasher);
        self.note_kept();
        self.tree.push_hashes(after, &self.hasher);
        let mut violations = Vec::new();
        for HashedRow { row, expected_hash, .. } in rows {
            self.count(row.kind, row.at);
            violations.append(&mut self.replay.push_text(row, *expected_hash));
            if self.replay.has_open_backup() && self.anchors.len() < self.most_anchors {
                self.anchors.push((self.replay.head().seq, row.hash));
            }
        }
        violations
    }

    fn count(&mut self, kind: EventKind, at: Timestamp) {
        match kind {
            EventKind::BackupCompleted => self.backups.push(at),
            EventKind::DrillPassed => {
                self.drills_passed += 1;
                self.last_drill = self.last_drill.max(Some(at));
            }
            _ => {}
        }
    }

    fn note_kept(&mut self) {
        if self.kept_size == Some(self.tree.size()) {
            self.kept_root = Some(self.tree.root());
        }
    }

    /// Walks a chain of which some rows are shown; none stands for a place that neither a row nor a node fills.
    pub(super) fn disclose(
        &mut self,
        disclosure: &DisclosureText<'_>,
        each: impl FnMut(Violation),
    ) -> Option<()> {
        let mut shown = Shown::default();
        let covered = self.cover(disclosure, &mut shown, each);
        // Also where something is missing: this is no whole chain.
        self.shown = Some(shown);
        covered
    }

    fn cover(
        &mut self,
        disclosure: &DisclosureText<'_>,
        shown: &mut Shown,
        mut each: impl FnMut(Violation),
    ) -> Option<()> {
        let (mut rows, mut hidden) = (disclosure.rows().peekable(), disclosure.hidden.iter().peekable());
        while self.tree.size() < disclosure.size {
            let next = self.tree.size() + 1;
            if let Some(row) = rows.next_if(|row| row.seq == next) {
                self.tree.push(&row.to_canonical());
                shown.rows += 1;
                shown.hashes.insert(row.seq, row.hash);
                // It tells the hash of the row before, unless that is shown.
                shown.hashes.entry(row.seq - 1).or_insert(row.prev_hash);
                self.replay.push(&row).into_iter().for_each(&mut each);
                self.count(row.kind, row.at);
                self.note_kept();
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
        (complete && self.tree.size() == disclosure.size).then_some(())
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
        self.backups.len() as u64
    }

    /// The times of these rows, in their order.
    pub(super) fn backup_times(&self) -> &[Timestamp] {
        &self.backups
    }

    /// How many `drill.passed` rows.
    pub(super) fn drills_passed(&self) -> u64 {
        self.drills_passed
    }

    /// The latest time of such a row.
    pub(super) fn last_drill(&self) -> Option<Timestamp> {
        self.last_drill
    }

    /// The hash of a row in which a manifest is anchored.
    pub(super) fn hash_at(&self, seq: u64) -> RowHash {
        if let Some(shown) = &self.shown {
            return shown.hashes.get(&seq).map_or(RowHash::NotShown, |hash| RowHash::Known(*hash));
        }
        match self.anchors.binary_search_by_key(&seq, |(seq, _)| *seq) {
            Ok(at) => RowHash::Known(self.anchors[at].1),
            Err(_) if (1..=self.events()).contains(&seq) => RowHash::LeftOut,
            Err(_) => RowHash::None,
        }
    }

    /// The chain's key at a row, with whether it was revoked by then.
    pub(super) fn key_at(&self, seq: u64) -> Option<(KeyId, bool)> {
        let key_id = self.replay.keys().at(seq)?;
        Some((key_id, self.replay.keys().is_revoked(key_id, seq)))
    }
}
