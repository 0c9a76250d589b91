use std::ops::Range;

use super::Tree;
use crate::Sha256;

/// Roots over some ranges of a long list's leaves, gathered while the leaves pass by once.
///
/// ```
/// use walwarden_verify::merkle::{RangeRoots, consistency_ranges, leaf_hash, verify_consistency, Tree};
///
/// let (mut old, mut tree) = (Tree::new(), Tree::new());
/// let mut proof = RangeRoots::new(consistency_ranges(3, 8).unwrap());
/// for at in 0..8_u8 {
///     let leaf = leaf_hash(&[at]);
///     tree.push_hash(leaf);
///     proof.push_hash(leaf);
///     if at < 3 { old.push_hash(leaf) }
/// }
/// let proof = proof.finish().unwrap();
/// assert!(verify_consistency(3, &old.root(), 8, &tree.root(), &proof).is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct RangeRoots {
    // In the order asked for.
    ranges: Vec<(Range<u64>, Tree)>,
    // Places in `ranges`, by where they begin.
    order: Vec<usize>,
    // How many of `order` are behind.
    done: usize,
    next: u64,
}

impl RangeRoots {
    /// Asks for these ranges, none of which may touch another's leaves.
    pub fn new(ranges: Vec<Range<u64>>) -> Self {
        let mut order: Vec<usize> = (0..ranges.len()).collect();
        order.sort_by_key(|at| ranges[*at].start);
        let ranges = ranges.into_iter().map(|range| (range, Tree::new())).collect();
        RangeRoots { ranges, order, done: 0, next: 0 }
    }

    /// Takes the next leaf, by its hash.
    pub fn push_hash(&mut self, leaf: Sha256) {
        if let Some(at) = self.order.get(self.done) {
            let (range, tree) = &mut self.ranges[*at];
            if range.contains(&self.next) {
                tree.push_hash(leaf);
            }
            if self.next + 1 >= range.end {
                self.done += 1;
            }
        }
        self.next += 1;
    }

    /// The roots, in the order asked for; none when the leaves ended before the ranges did.
    pub fn finish(self) -> Option<Vec<Sha256>> {
        let complete = self.done == self.order.len();
        complete.then(|| self.ranges.into_iter().map(|(_, tree)| tree.root()).collect())
    }
}

/// The ranges of leaves whose roots are the proof that a list of `size` leaves goes on from its first `old_size`, or
/// none when there are not so many.
pub fn consistency_ranges(old_size: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if old_size == 0 || old_size > size {
        return None;
    }
    let mut proof = Vec::new();
    let (mut leaves, mut whole) = (0..size, true);
    while old_size < leaves.end {
        let middle = leaves.start + split(leaves.end - leaves.start);
        if old_size <= middle {
            proof.push(middle..leaves.end);
            leaves.end = middle;
        } else {
            proof.push(leaves.start..middle);
            leaves.start = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(leaves);
    }
    proof.reverse();
    Some(proof)
}

/// The largest power of two below `count`, which is at least 2.
pub(super) fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}
