use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

use super::super::tree::Frontier;
use super::super::tree::tests::{AllNodes, leaf_data, leaf_hash};
use super::*;

fn joined(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.as_bytes().to_vec()).collect()
}

/// The other implementation's tree over the same leaves.
fn oracle(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    (0..size).for_each(|i| tree.push(leaf_data(i)));
    tree
}

#[test]
fn every_proof_up_to_300_leaves_is_that_of_another_implementation_and_verifies() {
    let mut all = AllNodes::default();
    let mut oracle = oracle(0);
    let mut roots = vec![Hash::empty_root()];
    for size in 1..=300_u64 {
        all.push(leaf_hash(size - 1));
        oracle.push(leaf_data(size - 1));
        let root = all.frontier.root();
        roots.push(root);
        let edge = RightEdge::at(&all, size).unwrap();
        assert_eq!(root.as_bytes()[..], oracle.root().as_bytes()[..]);
        for index in 0..size {
            let proof = inclusion_proof(&all, index, size).unwrap();
            assert_eq!(joined(&proof), oracle.prove_inclusion(index as usize).as_bytes(), "{index} of {size}");
            assert_eq!(verify_inclusion(leaf_hash(index), index, size, &proof, &root), Ok(()));
            assert_eq!(edge.inclusion_proof(&all, index).unwrap(), proof, "{index} of {size} from the edge");
        }
        assert_eq!(edge.root(), root);
        assert_eq!(edge.inclusion_proof(&all, size), Err(BuildError::OutOfRange));
        for old in 1..size {
            let proof = consistency_proof(&all, old, size).unwrap();
            assert_eq!(joined(&proof), oracle.prove_consistency((size - old) as usize).as_bytes(), "{old} to {size}");
            assert_eq!(verify_consistency(old, &roots[old as usize], size, &root, &proof), Ok(()));
        }
    }
}

#[test]
fn larger_random_trees_agree_with_another_implementation() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 16) % below
    };
    for _ in 0..4 {
        let size = 1000 + random(9000);
        let (all, oracle) = (AllNodes::of(size), oracle(size));
        for _ in 0..200 {
            let (index, old) = (random(size), 1 + random(size - 1));
            assert_eq!(joined(&inclusion_proof(&all, index, size).unwrap()), oracle.prove_inclusion(index as usize).as_bytes());
            let proof = consistency_proof(&all, old, size).unwrap();
            assert_eq!(joined(&proof), oracle.prove_consistency((size - old) as usize).as_bytes());
        }
    }
}

#[test]
fn every_changed_inclusion_proof_is_refused() {
    for size in 1..=40_u64 {
        let all = AllNodes::of(size);
        let root = all.frontier.root();
        for index in 0..size {
            let good = inclusion_proof(&all, index, size).unwrap();
            let verify = |leaf, index, size, proof: &[Hash]| verify_inclusion(leaf, index, size, proof, &root);
            for at in 0..good.len() {
                let mut changed = good.clone();
                changed[at] = Hash::leaf(b"another");
                assert_eq!(verify(leaf_hash(index), index, size, &changed), Err(ProofError::RootMismatch));
                changed.remove(at);
                assert_eq!(verify(leaf_hash(index), index, size, &changed), Err(ProofError::Length));
                if at > 0 {
                    let mut swapped = good.clone();
                    swapped.swap(at, at - 1);
                    assert_eq!(verify(leaf_hash(index), index, size, &swapped), Err(ProofError::RootMismatch));
                }
            }
            let longer = [&good[..], &[Hash::empty_root()]].concat();
            assert_eq!(verify(leaf_hash(index), index, size, &longer), Err(ProofError::Length));
            assert_eq!(verify(Hash::leaf(b"another"), index, size, &good), Err(ProofError::RootMismatch));
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify(leaf_hash(index), other, size, &good).is_err(), "{index} passed as {other} of {size}");
            }
            assert_eq!(verify_inclusion(leaf_hash(index), index, size, &good, &Hash::empty_root()), Err(ProofError::RootMismatch));
        }
    }
}

#[test]
fn every_changed_consistency_proof_is_refused() {
    let all = AllNodes::of(40);
    let roots: Vec<Hash> = (0..=40).map(|size| root_at(&all, size).unwrap()).collect();
    let root = |size: u64| &roots[size as usize];
    for new in 1..=40_u64 {
        for old in 1..new {
            let good = consistency_proof(&all, old, new).unwrap();
            let fork = Hash::leaf(b"fork");
            assert!(verify_consistency(old, &fork, new, root(new), &good).is_err());
            assert_eq!(verify_consistency(old, root(old), new, &fork, &good), Err(ProofError::RootMismatch));
            for at in 0..good.len() {
                let mut changed = good.clone();
                changed[at] = fork;
                assert!(verify_consistency(old, root(old), new, root(new), &changed).is_err());
                changed.remove(at);
                assert_eq!(verify_consistency(old, root(old), new, root(new), &changed), Err(ProofError::Length));
            }
            let longer = [&good[..], &[fork]].concat();
            assert_eq!(verify_consistency(old, root(old), new, root(new), &longer), Err(ProofError::Length));
            assert!(verify_consistency(old, root(old - 1), new, root(new), &good).is_err());
        }
    }
}

#[test]
fn from_nothing_and_to_the_same_size_the_proof_is_empty() {
    let all = AllNodes::of(9);
    let root = all.frontier.root();
    let empty = Hash::empty_root();
    assert_eq!(consistency_proof(&all, 0, 9), Ok(vec![]));
    assert_eq!(consistency_proof(&all, 9, 9), Ok(vec![]));
    assert_eq!(verify_consistency(0, &empty, 9, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(0, &empty, 0, &empty, &[]), Ok(()));
    assert_eq!(verify_consistency(9, &root, 9, &root, &[]), Ok(()));
    assert_eq!(verify_consistency(0, &root, 9, &root, &[]), Err(ProofError::OldRootMismatch));
    assert_eq!(verify_consistency(0, &empty, 0, &root, &[]), Err(ProofError::RootMismatch));
    assert_eq!(verify_consistency(0, &empty, 9, &root, &[root]), Err(ProofError::Length));
    assert_eq!(verify_consistency(9, &root, 9, &root, &[root]), Err(ProofError::Length));
    assert_eq!(verify_consistency(9, &empty, 9, &root, &[]), Err(ProofError::OldRootMismatch));
    assert_eq!(verify_consistency(3, &root, 9, &root, &[]), Err(ProofError::Length));
}

#[test]
fn places_outside_a_tree_are_refused_on_both_sides() {
    let all = AllNodes::of(4);
    let root = all.frontier.root();
    let out = Err(ProofError::OutOfRange);
    assert_eq!(inclusion_proof(&all, 4, 4), Err(BuildError::OutOfRange));
    assert_eq!(inclusion_proof(&all, 0, 0), Err(BuildError::OutOfRange));
    assert_eq!(inclusion_proof(&all, 0, SIZE_MAX + 1), Err(BuildError::OutOfRange));
    assert_eq!(consistency_proof(&all, 3, 2), Err(BuildError::OutOfRange));
    assert_eq!(consistency_proof(&all, 3, SIZE_MAX + 1), Err(BuildError::OutOfRange));
    assert_eq!(inclusion_proof(&all, 0, 5), Err(BuildError::Source((0, 4))));
    assert_eq!(verify_inclusion(root, 4, 4, &[], &root), out);
    assert_eq!(verify_inclusion(root, 0, SIZE_MAX + 1, &[], &root), out);
    assert_eq!(verify_consistency(5, &root, 4, &root, &[]), out);
    assert_eq!(verify_consistency(4, &root, u64::MAX, &root, &[]), out);
    assert_eq!(verify_inclusion(root, 0, 1 << 40, &[root; 64], &root), Err(ProofError::TooLong));
    assert_eq!(verify_consistency(1, &root, 1 << 40, &root, &[root; 64]), Err(ProofError::TooLong));
}

#[test]
fn the_largest_tree_is_proved_without_overflow() {
    /// Every node is the same hash; only lengths and the walk matter.
    struct Same;
    impl NodeSource for Same {
        type Error = std::convert::Infallible;
        fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
            assert!(index < SIZE_MAX >> level, "a node outside of the tree was asked for");
            Ok(Hash::empty_root())
        }
    }
    for size in [SIZE_MAX, SIZE_MAX - 1, (SIZE_MAX >> 1) + 1] {
        for index in [0, 1, size / 2, size - 1] {
            let proof = inclusion_proof(&Same, index, size).unwrap();
            assert!(proof.len() <= 62);
            let error = verify_inclusion(Hash::leaf(b""), index, size, &proof, &Hash::leaf(b""));
            assert_eq!(error, Err(ProofError::RootMismatch), "the length fits");
            let old = index + 1;
            let proof = consistency_proof(&Same, old, size).unwrap();
            assert!(proof.len() <= PROOF_HASHES_MAX);
            let error = verify_consistency(old, &Hash::leaf(b"1"), size, &Hash::leaf(b"2"), &proof);
            assert!(matches!(error, Err(ProofError::OldRootMismatch | ProofError::RootMismatch)), "the length fits");
        }
    }
    assert!(Frontier::at(&Same, SIZE_MAX).is_ok());
}

proptest! {
    #[test]
    fn no_hostile_proof_panics(
        a: u64, b: u64, shift in 0_u32..64, len in 0_usize..70, seed in any::<[u8; 32]>(),
    ) {
        let hash = Hash::from_bytes(seed);
        let proof = vec![hash; len];
        for (x, y) in [(a, b), (a >> shift, b >> shift), (a >> shift, (a >> shift).saturating_add(b % 5))] {
            prop_assert!(verify_inclusion(hash, x, y, &proof, &hash).is_err() || (y == 1 && len == 0));
            let same = verify_consistency(x, &hash, y, &hash, &proof).is_err();
            prop_assert!(same || (x == y && len == 0));
        }
    }
}
