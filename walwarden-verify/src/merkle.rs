//! Merkle trees as RFC 6962 has them: one hash that stands for a whole list, and proofs about it.

mod proof;
mod range;

use crate::{ManyHasher, Sha256};

pub use proof::{ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
pub use range::{RangeRoots, consistency_ranges};

/// Hash of a leaf: `SHA-256(0x00 ‖ leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> Sha256 {
    Sha256::of_parts([&[0], leaf])
}

/// Hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Sha256, right: &Sha256) -> Sha256 {
    Sha256::of_parts([&[1], left.as_bytes(), right.as_bytes()])
}

/// A tree that grows leaf by leaf and keeps one hash for each level only.
///
/// ```
/// use walwarden_verify::merkle::{Tree, leaf_hash, node_hash};
///
/// let mut tree = Tree::new();
/// tree.push(b"one");
/// tree.push(b"two");
/// assert_eq!(tree.root(), node_hash(&leaf_hash(b"one"), &leaf_hash(b"two")));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    // Roots of the complete subtrees the leaves fall into, widest first: one for each bit set in `size`.
    peaks: Vec<Sha256>,
}

impl Tree {
    /// Without a leaf.
    pub const fn new() -> Self {
        Tree { size: 0, peaks: Vec::new() }
    }

    /// How many leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        self.push_hash(leaf_hash(leaf));
    }

    /// Adds a leaf by its [`leaf_hash`].
    pub fn push_hash(&mut self, leaf: Sha256) {
        self.push_node(0, leaf);
    }

    /// Adds leaves by their hashes, whole subtrees at a time.
    pub(crate) fn push_hashes(&mut self, leaves: &[Sha256], hasher: &ManyHasher) {
        let (mut rest, mut data, mut messages) = (leaves, Vec::new(), Vec::new());
        while !rest.is_empty() {
            // As many as are a whole subtree in this place.
            let fitting = 1 << rest.len().ilog2();
            let here = if self.size == 0 { fitting } else { 1 << self.size.trailing_zeros().min(31) };
            let (subtree, after) = rest.split_at(fitting.min(here));
            let mut nodes = subtree.to_vec();
            let mut above = Vec::new();
            while nodes.len() > 1 {
                data.clear();
                messages.clear();
                for pair in nodes.as_chunks::<2>().0 {
                    messages.push(data.len()..data.len() + 65);
                    data.push(1);
                    data.extend_from_slice(pair[0].as_bytes());
                    data.extend_from_slice(pair[1].as_bytes());
                }
                hasher.digest(&data, &messages, &mut above);
                std::mem::swap(&mut nodes, &mut above);
            }
            self.push_node(subtree.len().trailing_zeros(), nodes[0]);
            rest = after;
        }
    }

    /// Adds as many leaves as stand below a node, by its hash. Whether the node can stand here is the answer: the number
    /// of leaves must be a power of two, and the leaves before a multiple of it.
    pub fn push_subtree(&mut self, leaves: u64, root: Sha256) -> bool {
        let fits = leaves.is_power_of_two()
            && self.size.is_multiple_of(leaves)
            && self.size.checked_add(leaves).is_some();
        if fits {
            self.push_node(leaves.trailing_zeros(), root);
        }
        fits
    }

    // A node `level` levels above the leaves.
    fn push_node(&mut self, level: u32, mut node: Sha256) {
        for _ in 0..(self.size >> level).trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each bit set in the size");
            node = node_hash(&left, &node);
        }
        self.peaks.push(node);
        self.size += 1 << level;
    }

    /// Hash of the whole list; of an empty one `SHA-256("")`.
    pub fn root(&self) -> Sha256 {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Sha256::of(b""),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

#[cfg(test)]
mod tests;
