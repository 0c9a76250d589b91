use super::*;

#[test]
fn leaves_together_make_the_tree_they_make_one_by_one() {
    let leaves: Vec<_> = (0..200_u8).map(|at| leaf_hash(&[at])).collect();
    for step in [1, 2, 3, 7, 64, 200] {
        let (mut one_by_one, mut together) = (Tree::new(), Tree::new());
        for some in leaves.chunks(step) {
            some.iter().for_each(|leaf| one_by_one.push_hash(*leaf));
            together.push_hashes(some, &ManyHasher::new());
            assert_eq!(one_by_one, together, "{step} at a time");
        }
    }
}

#[test]
fn every_proof_of_small_trees_holds_and_no_changed_one_does() {
    let leaves: Vec<_> = (0..33_u8).map(|at| leaf_hash(&[at])).collect();
    for size in 1..=leaves.len() {
        let leaves = &leaves[..size];
        let root = root_of(leaves);
        for index in 0..size {
            let proof = inclusion_proof(leaves, index).unwrap();
            let verify = |index: usize, proof: &[Sha256]| {
                verify_inclusion(&leaves[index], index as u64, size as u64, proof, &root)
            };
            assert_eq!(verify(index, &proof), Ok(()), "leaf {index} of {size}");
            if size > 1 {
                assert!(verify((index + 1) % size, &proof).is_err());
                assert!(verify(index, &proof[1..]).is_err());
            }
        }
        for old in 1..=size {
            let proof = consistency_proof(leaves, old).unwrap();
            let old_root = root_of(&leaves[..old]);
            let verify = |old_root: &Sha256, proof: &[Sha256]| {
                verify_consistency(old as u64, old_root, size as u64, &root, proof)
            };
            assert_eq!(verify(&old_root, &proof), Ok(()), "{old} of {size}");
            let mut roots = RangeRoots::new(consistency_ranges(old as u64, size as u64).unwrap());
            leaves.iter().for_each(|leaf| roots.push_hash(*leaf));
            assert_eq!(roots.finish().unwrap(), proof);
            assert!(verify(&leaf_hash(b"other"), &proof).is_err());
            if old < size {
                assert!(verify(&old_root, &proof[1..]).is_err());
            }
        }
    }
}

fn root_of(leaves: &[Sha256]) -> Sha256 {
    let mut tree = Tree::new();
    leaves.iter().for_each(|leaf| tree.push_hash(*leaf));
    tree.root()
}
