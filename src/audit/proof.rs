//! Inclusion and consistency proofs (RFC 9162 sections 2.1.3 and 2.1.4): made from stored nodes, verified from nothing but themselves.
//!
//! An inclusion proof lists the leaf's sibling first and the root's child last.

use super::tree::{BuildError, Hash, NodeSource, SIZE_MAX, root_at};

/// No proof in a tree of at most [`SIZE_MAX`] leaves is longer, in hashes.
pub const PROOF_HASHES_MAX: usize = 63;

/// Why a proof does not prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Index and size, or the two sizes, cannot belong together, or a size is beyond [`SIZE_MAX`].
    #[error("the proof's index and size do not belong together; the proof is damaged or of another tree")]
    OutOfRange,
    /// More hashes than any tree needs.
    #[error("the proof has more than {PROOF_HASHES_MAX} hashes; it is no proof of any tree")]
    TooLong,
    /// Another number of hashes than the index and size demand.
    #[error("the proof has another number of hashes than its index and size demand; it is damaged or of another tree")]
    Length,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the checkpoint's root; the leaf is not the one that the log holds at this index")]
    RootMismatch,
    /// The hashes do not lead to the older root.
    #[error("the proof does not lead to the older root; the log does not extend the older checkpoint")]
    OldRootMismatch,
}

/// The split of RFC 6962: the largest power of two below `n`, for n of at least 2.
const fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// The root over the leaves `from..to`, which are a complete subtree or the ragged right end of the tree; `from` is a multiple of a power of
/// two not smaller than the range.
fn subtree<S: NodeSource + ?Sized>(src: &S, from: u64, to: u64) -> Result<Hash, BuildError<S::Error>> {
    struct Shifted<'s, S: ?Sized>(&'s S, u64);
    impl<S: NodeSource + ?Sized> NodeSource for Shifted<'_, S> {
        type Error = S::Error;
        fn node(&self, level: u32, index: u64) -> Result<Hash, S::Error> {
            self.0.node(level, (self.1 >> level) + index)
        }
    }
    root_at(&Shifted(src, from), to - from)
}

/// The proof that the leaf at `index` is in the tree of the first `size` leaves.
///
/// # Errors
/// [`BuildError::OutOfRange`] unless `index < size <= SIZE_MAX`; else what the source says.
pub fn inclusion_proof<S: NodeSource + ?Sized>(src: &S, index: u64, size: u64) -> Result<Vec<Hash>, BuildError<S::Error>> {
    if index >= size || size > SIZE_MAX {
        return Err(BuildError::OutOfRange);
    }
    let (mut from, mut to) = (0, size);
    let mut proof = Vec::with_capacity(64 - (size - 1).leading_zeros() as usize);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(subtree(src, middle, to)?);
            to = middle;
        } else {
            proof.push(subtree(src, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The right edge of the tree of one size, from which each of its inclusion proofs is but looked up: many are made under one head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightEdge {
    size: u64,
    /// At each level, the hash over the leaves behind the last complete subtree of that level; none where there are no such leaves.
    rest: Vec<Option<Hash>>,
}

impl RightEdge {
    /// Of the first `size` leaves.
    ///
    /// # Errors
    /// [`BuildError::OutOfRange`] beyond [`SIZE_MAX`]; else what the source says.
    pub fn at<S: NodeSource + ?Sized>(src: &S, size: u64) -> Result<Self, BuildError<S::Error>> {
        if size > SIZE_MAX {
            return Err(BuildError::OutOfRange);
        }
        let mut rest = Vec::with_capacity(65 - size.leading_zeros() as usize);
        let mut last = None;
        rest.push(last);
        for level in 0..u64::BITS - size.leading_zeros() {
            let complete = size >> level;
            if complete & 1 == 1 {
                // The last complete subtree is a left child here; what lies behind it is its sibling, if anything does.
                let left = src.node(level, complete - 1)?;
                last = Some(last.map_or(left, |right| Hash::node(&left, &right)));
            }
            rest.push(last);
        }
        Ok(Self { size, rest })
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.rest.last().copied().flatten().unwrap_or_else(Hash::empty_root)
    }

    /// The proof that the leaf at `index` is in the tree: the same as [`inclusion_proof`] makes.
    ///
    /// # Errors
    /// [`BuildError::OutOfRange`] unless `index` is below the size; else what the source says.
    pub fn inclusion_proof<S: NodeSource + ?Sized>(&self, src: &S, index: u64) -> Result<Vec<Hash>, BuildError<S::Error>> {
        if index >= self.size {
            return Err(BuildError::OutOfRange);
        }
        let levels = u64::BITS - (self.size - 1).leading_zeros();
        let mut proof = Vec::with_capacity(levels as usize);
        for level in 0..levels {
            let (sibling, complete) = ((index >> level) ^ 1, self.size >> level);
            if sibling < complete {
                proof.push(src.node(level, sibling)?);
            } else if sibling == complete {
                proof.extend(self.rest.get(level as usize).copied().flatten());
            }
        }
        Ok(proof)
    }
}

/// The proof that the tree of the first `new` leaves extends the tree of the first `old`. Empty when `old` is 0 or equals `new`.
///
/// # Errors
/// [`BuildError::OutOfRange`] unless `old <= new <= SIZE_MAX`; else what the source says.
pub fn consistency_proof<S: NodeSource + ?Sized>(src: &S, old: u64, new: u64) -> Result<Vec<Hash>, BuildError<S::Error>> {
    if old > new || new > SIZE_MAX {
        return Err(BuildError::OutOfRange);
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let (mut from, mut to) = (0, new);
    let mut proof = Vec::with_capacity(PROOF_HASHES_MAX);
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(subtree(src, middle, to)?);
            to = middle;
        } else {
            proof.push(subtree(src, from, middle)?);
            from = middle;
        }
    }
    if from != 0 {
        // Else the old tree is itself the complete subtree, whose hash the verifier has: the old root.
        proof.push(subtree(src, from, to)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Where the walk from a leaf to the root stands: the numbers, at this level, of its node and of the tree's last node.
struct Walk {
    node: u64,
    last: u64,
}

impl Walk {
    /// Whether the next hash of a proof is a left sibling. Steps to the parent, past the levels at which the last node has no sibling.
    ///
    /// # Errors
    /// [`ProofError::Length`] at the root.
    const fn step(&mut self) -> Result<bool, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let left = self.node & 1 == 1 || self.node == self.last;
        if left {
            // The node is not 0 here: it is odd, or equal to a last node that is not 0.
            let lone = self.node.trailing_zeros();
            self.node >>= lone;
            self.last >>= lone;
        }
        self.node >>= 1;
        self.last >>= 1;
        Ok(left)
    }

    const fn end(&self) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::Length) }
    }
}

const fn bounded(proof: &[Hash]) -> Result<(), ProofError> {
    if proof.len() > PROOF_HASHES_MAX { Err(ProofError::TooLong) } else { Ok(()) }
}

fn same(found: Hash, wanted: &Hash, or: ProofError) -> Result<(), ProofError> {
    if found == *wanted { Ok(()) } else { Err(or) }
}

/// Verifies that the leaf with hash `leaf` stands at `index` in the tree of `size` leaves with root `root`.
///
/// # Errors
/// A [`ProofError`] that says what does not fit.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    if index >= size || size > SIZE_MAX {
        return Err(ProofError::OutOfRange);
    }
    bounded(proof)?;
    let mut walk = Walk { node: index, last: size - 1 };
    let mut hash = leaf;
    for sibling in proof {
        hash = if walk.step()? { Hash::node(sibling, &hash) } else { Hash::node(&hash, sibling) };
    }
    walk.end()?;
    same(hash, root, ProofError::RootMismatch)
}

/// Verifies that the tree of `new` leaves with root `new_root` extends the tree of `old` leaves with root `old_root`.
///
/// From size 0 the proof is empty and the old root is the empty tree's; for equal sizes it is empty and the roots are equal.
///
/// # Errors
/// A [`ProofError`] that says what does not fit.
pub fn verify_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
    if old > new || new > SIZE_MAX {
        return Err(ProofError::OutOfRange);
    }
    bounded(proof)?;
    if old == 0 || old == new {
        if !proof.is_empty() {
            return Err(ProofError::Length);
        }
        if old == 0 {
            same(Hash::empty_root(), old_root, ProofError::OldRootMismatch)?;
            return if new == 0 { same(Hash::empty_root(), new_root, ProofError::RootMismatch) } else { Ok(()) };
        }
        return same(*old_root, new_root, ProofError::OldRootMismatch);
    }
    let (seed, rest) = if old.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(ProofError::Length)?;
        (*first, rest)
    };
    // The seed is the largest complete subtree at the old tree's right end.
    let level = old.trailing_zeros();
    let mut walk = Walk { node: (old - 1) >> level, last: (new - 1) >> level };
    let (mut old_hash, mut new_hash) = (seed, seed);
    for sibling in rest {
        if walk.step()? {
            old_hash = Hash::node(sibling, &old_hash);
            new_hash = Hash::node(sibling, &new_hash);
        } else {
            new_hash = Hash::node(&new_hash, sibling);
        }
    }
    walk.end()?;
    same(old_hash, old_root, ProofError::OldRootMismatch)?;
    same(new_hash, new_root, ProofError::RootMismatch)
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
