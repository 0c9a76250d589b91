use std::fmt;

use super::range::{consistency_ranges, split};
use super::{Tree, node_hash};
use crate::Sha256;

/// A proof does not show what it is said to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofError;

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the Merkle proof does not lead to the root")
    }
}

impl std::error::Error for ProofError {}

/// Checks that `leaf` (a [`leaf_hash`](super::leaf_hash)) is number `index`, from 0, of the `size` leaves under
/// `root` (RFC 9162, section 2.1.3.2).
///
/// # Errors
///
/// When the proof does not show it.
pub fn verify_inclusion(
    leaf: &Sha256,
    index: u64,
    size: u64,
    proof: &[Sha256],
    root: &Sha256,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError);
    }
    let (mut node_index, mut last_index, mut node) = (index, size - 1, *leaf);
    for step in proof {
        if last_index == 0 {
            return Err(ProofError);
        }
        if node_index & 1 == 1 || node_index == last_index {
            node = node_hash(step, &node);
            skip_right_edge(&mut node_index, &mut last_index);
        } else {
            node = node_hash(&node, step);
        }
        node_index >>= 1;
        last_index >>= 1;
    }
    if last_index == 0 && node == *root { Ok(()) } else { Err(ProofError) }
}

/// Checks that the list of `old_size` leaves under `old_root` is the beginning of the list of `size` leaves under
/// `root` (RFC 9162, section 2.1.4.2).
///
/// # Errors
///
/// When the proof does not show it, and always when `old_size` is 0: nothing is the beginning of every list.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Sha256,
    size: u64,
    root: &Sha256,
    proof: &[Sha256],
) -> Result<(), ProofError> {
    if old_size == 0 || old_size > size {
        return Err(ProofError);
    }
    if old_size == size {
        return if proof.is_empty() && old_root == root { Ok(()) } else { Err(ProofError) };
    }
    let (mut node_index, mut last_index) = (old_size - 1, size - 1);
    while node_index & 1 == 1 {
        node_index >>= 1;
        last_index >>= 1;
    }
    // Where the old list fills a complete subtree, its root is the proof's first node.
    let (first, rest) = if old_size.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError)?;
        (*first, rest)
    };
    let (mut old_node, mut new_node) = (first, first);
    for step in rest {
        if last_index == 0 {
            return Err(ProofError);
        }
        if node_index & 1 == 1 || node_index == last_index {
            old_node = node_hash(step, &old_node);
            new_node = node_hash(step, &new_node);
            skip_right_edge(&mut node_index, &mut last_index);
        } else {
            new_node = node_hash(&new_node, step);
        }
        node_index >>= 1;
        last_index >>= 1;
    }
    if last_index == 0 && old_node == *old_root && new_node == *root { Ok(()) } else { Err(ProofError) }
}

// On the right edge of a tree that is not complete, levels without a partner are passed over.
fn skip_right_edge(node_index: &mut u64, last_index: &mut u64) {
    while *node_index & 1 == 0 && *node_index != 0 {
        *node_index >>= 1;
        *last_index >>= 1;
    }
}

/// The proof that leaf number `index`, from 0, is among `leaves` (their hashes), or none when there is no such leaf.
///
/// ```
/// use walwarden_verify::merkle::{Tree, inclusion_proof, leaf_hash, verify_inclusion};
///
/// let leaves = [b"a", b"b", b"c"].map(|leaf| leaf_hash(leaf));
/// let mut tree = Tree::new();
/// leaves.iter().for_each(|leaf| tree.push_hash(*leaf));
/// let proof = inclusion_proof(&leaves, 1).unwrap();
/// assert!(verify_inclusion(&leaves[1], 1, 3, &proof, &tree.root()).is_ok());
/// ```
pub fn inclusion_proof(leaves: &[Sha256], index: usize) -> Option<Vec<Sha256>> {
    if index >= leaves.len() {
        return None;
    }
    let mut proof = Vec::new();
    let (mut leaves, mut index) = (leaves, index);
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
        if index < left.len() {
            proof.push(root(right));
            leaves = left;
        } else {
            proof.push(root(left));
            index -= left.len();
            leaves = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// The proof that the first `old_size` of `leaves` (their hashes) are the beginning of them, or none when there are
/// not so many.
pub fn consistency_proof(leaves: &[Sha256], old_size: usize) -> Option<Vec<Sha256>> {
    let ranges = consistency_ranges(old_size as u64, leaves.len() as u64)?;
    Some(ranges.into_iter().map(|range| root(&leaves[range.start as usize..range.end as usize])).collect())
}

fn root(leaves: &[Sha256]) -> Sha256 {
    let mut tree = Tree::new();
    leaves.iter().for_each(|leaf| tree.push_hash(*leaf));
    tree.root()
}
