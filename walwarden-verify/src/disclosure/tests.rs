use super::*;
use crate::merkle::{RangeRoots, Tree, leaf_hash};

/// Of every set of shown rows of small trees: hashes and leaves give the root, also at the size aligned at.
#[test]
fn rows_and_nodes_give_the_root() {
    let leaves: Vec<Sha256> = (0..9_u8).map(|at| leaf_hash(&[at])).collect();
    for size in 0..=9_u64 {
        for bits in 0..1_u32 << size {
            let shown: Vec<u64> = (1..=size).filter(|seq| bits >> (seq - 1) & 1 == 1).collect();
            let aligned = u64::from(bits) % (size + 1);
            let ranges = hidden_ranges(size, &shown, Some(aligned));
            let mut roots = RangeRoots::new(ranges.clone());
            let (mut whole, mut kept) = (Tree::new(), None);
            for leaf in &leaves[..size as usize] {
                whole.push_hash(*leaf);
                roots.push_hash(*leaf);
                if whole.size() == aligned {
                    kept = Some(whole.root());
                }
            }
            let mut hidden = ranges.into_iter().zip(roots.finish().unwrap()).peekable();
            let (mut tree, mut kept_again) = (Tree::new(), None);
            while tree.size() < size {
                match hidden.next_if(|(range, _)| range.start == tree.size()) {
                    Some((range, hash)) => assert!(tree.push_subtree(range.end - range.start, hash)),
                    None => tree.push_hash(leaves[tree.size() as usize]),
                }
                if tree.size() == aligned {
                    kept_again = Some(tree.root());
                }
            }
            assert_eq!(tree.root(), whole.root(), "{size} {shown:?}");
            assert_eq!(kept_again, kept, "{size} {shown:?} at {aligned}");
        }
    }
}

#[test]
fn a_node_out_of_its_place_is_not_taken() {
    let mut tree = Tree::new();
    tree.push_hash(leaf_hash(b"a"));
    for leaves in [0, 2, 3, 4, 1 << 63] {
        assert!(!tree.push_subtree(leaves, leaf_hash(b"b")), "{leaves}");
    }
    assert!(tree.push_subtree(1, leaf_hash(b"b")));
    assert!(tree.push_subtree(2, leaf_hash(b"c")));
    assert_eq!(tree.size(), 4);
}
