//! The newest part of the tree in memory: every hash that a receipt for a leaf just appended needs, without reading a tile.

use std::collections::VecDeque;

use super::tree::{BuildError, Frontier, Hash, NodeSource, root_at};

/// Leaves whose proofs are kept at hand: 65,536, which with their parents and what is not yet dropped is at most 8 MiB.
pub const RECENT_LEAVES: u64 = 1 << 16;

/// The hashes of one level from `first` on, without gaps.
#[derive(Debug, Clone, Default)]
struct Level {
    first: u64,
    hashes: VecDeque<Hash>,
}

impl Level {
    fn get(&self, index: u64) -> Option<Hash> {
        let at = usize::try_from(index.checked_sub(self.first)?).ok()?;
        self.hashes.get(at).copied()
    }

    /// Appends the next hash and drops what lies below `keep_from`.
    fn push(&mut self, hash: Hash, keep_from: u64) {
        self.hashes.push_back(hash);
        while self.first < keep_from && self.hashes.len() > 1 {
            self.hashes.pop_front();
            self.first += 1;
        }
    }
}

/// A node that memory does not hold: its leaves are older than the newest [`RECENT_LEAVES`], or not appended yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this part of the tree is not in memory; read it from the tiles")]
pub struct NotInMemory;

/// A bounded cache of the newest nodes; it is itself a tree that can be appended to.
///
/// For every leaf `index` that it [`covers`](Self::covers), and every size from `index + 1` to the present one, it holds all nodes of the
/// inclusion proof, of the root, and of the consistency proof from size `index + 1`.
#[derive(Debug, Clone)]
pub struct RecentNodes {
    start: u64,
    size: u64,
    levels: Vec<Level>,
}

impl Default for RecentNodes {
    fn default() -> Self {
        Self::new(&Frontier::new())
    }
}

impl RecentNodes {
    /// Starts at the right edge of a tree; it covers the leaves pushed from then on.
    #[must_use]
    pub fn new(edge: &Frontier) -> Self {
        let size = edge.size();
        let mut levels: Vec<Level> =
            (0..u64::BITS - size.leading_zeros()).map(|level| Level { first: size >> level, hashes: VecDeque::new() }).collect();
        for (level, index, hash) in edge.peaks() {
            if let Some(at) = levels.get_mut(level as usize) {
                *at = Level { first: index, hashes: VecDeque::from([hash]) };
            }
        }
        Self { start: size, size, levels }
    }

    /// The number of leaves of the whole tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The first leaf that is covered: the newest [`RECENT_LEAVES`] of those pushed.
    #[must_use]
    pub const fn first_covered(&self) -> u64 {
        let window = self.size.saturating_sub(RECENT_LEAVES);
        if window > self.start { window } else { self.start }
    }

    /// Whether the leaf at `index` is covered.
    #[must_use]
    pub const fn covers(&self, index: u64) -> bool {
        index >= self.first_covered() && index < self.size
    }

    /// The hash of the complete subtree over the 2^`level` leaves from `index` · 2^`level`, if it is in memory.
    #[must_use]
    pub fn node(&self, level: u32, index: u64) -> Option<Hash> {
        self.levels.get(level as usize)?.get(index)
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let index = self.size;
        self.size += 1;
        let oldest = self.size.saturating_sub(RECENT_LEAVES);
        let mut hash = leaf;
        for level in 0..=index.trailing_ones() {
            if level > 0 {
                let left = self.node(level - 1, (index >> (level - 1)) - 1).expect("an odd node's left sibling is kept");
                hash = Hash::node(&left, &hash);
            }
            if self.levels.len() <= level as usize {
                self.levels.push(Level::default());
            }
            // An even first index keeps the left sibling of the oldest path, which is also the peak of every covered size.
            self.levels[level as usize].push(hash, (oldest >> level) & !1);
        }
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        root_at(self, self.size).expect("the right edge is always kept")
    }

    /// The right edge of the whole tree.
    #[must_use]
    pub fn frontier(&self) -> Frontier {
        Frontier::at(self, self.size).expect("the right edge is always kept")
    }

    /// The root of an earlier size, as long as its right edge is in memory.
    ///
    /// # Errors
    /// [`BuildError::Source`] when it is not.
    pub fn root_at(&self, size: u64) -> Result<Hash, BuildError<NotInMemory>> {
        root_at(self, size)
    }
}

impl NodeSource for RecentNodes {
    type Error = NotInMemory;

    fn node(&self, level: u32, index: u64) -> Result<Hash, NotInMemory> {
        Self::node(self, level, index).ok_or(NotInMemory)
    }
}

#[cfg(test)]
mod tests {
    use super::super::proof::{consistency_proof, inclusion_proof, verify_inclusion};
    use super::super::tree::tests::{AllNodes, leaf_hash};
    use super::*;

    #[test]
    fn recent_nodes_agree_with_the_whole_tree_at_every_size() {
        let mut all = AllNodes::default();
        let mut recent = RecentNodes::default();
        assert_eq!(recent.root(), Hash::empty_root());
        for i in 0..300 {
            all.push(leaf_hash(i));
            recent.push(leaf_hash(i));
            assert_eq!(recent.root(), all.frontier.root());
            assert_eq!(recent.frontier(), all.frontier);
        }
        for size in 1..=300 {
            for index in 0..size {
                assert_eq!(inclusion_proof(&recent, index, size).unwrap(), inclusion_proof(&all, index, size).unwrap());
            }
        }
    }

    #[test]
    fn a_tree_continued_from_its_edge_proves_every_leaf_pushed_since() {
        for start in [1_u64, 2, 3, 5, 7, 8, 100, 255, 256, 257, 1023] {
            let mut all = AllNodes::of(start);
            let mut recent = RecentNodes::new(&all.frontier);
            assert_eq!(recent.root(), all.frontier.root());
            assert!(!recent.covers(start) && !recent.covers(start - 1));
            for i in start..start + 150 {
                all.push(leaf_hash(i));
                recent.push(leaf_hash(i));
                assert_eq!(recent.root(), all.frontier.root());
            }
            for index in start..start + 150 {
                assert!(recent.covers(index));
                for size in index + 1..=start + 150 {
                    assert_eq!(consistency_proof(&recent, index + 1, size).unwrap(), consistency_proof(&all, index + 1, size).unwrap());
                    assert_eq!(inclusion_proof(&recent, index, size).unwrap(), inclusion_proof(&all, index, size).unwrap());
                }
            }
            assert_eq!(recent.first_covered(), start);
        }
    }

    #[test]
    fn memory_is_bounded_and_the_newest_65_536_leaves_are_provable() {
        let mut edge = Frontier::new();
        let mut recent = RecentNodes::default();
        let total = 3 * RECENT_LEAVES + 12_345;
        let mut roots = Vec::new();
        for i in 0..total {
            edge.push(leaf_hash(i));
            recent.push(leaf_hash(i));
            if i % 997 == 0 {
                roots.push((i + 1, edge.root()));
            }
        }
        roots.push((total, edge.root()));
        assert_eq!(recent.root(), edge.root());
        let held: usize = recent.levels.iter().map(|level| level.hashes.len()).sum();
        assert!(held < 4 * RECENT_LEAVES as usize, "{held} hashes");
        let first = recent.first_covered();
        assert_eq!(first, total - RECENT_LEAVES);
        for (size, root) in roots.into_iter().filter(|(size, _)| *size > first) {
            assert_eq!(recent.root_at(size).unwrap(), root);
            for index in [first, first + 1, (first + size) / 2, size - 1].into_iter().filter(|index| *index < size) {
                let proof = inclusion_proof(&recent, index, size).unwrap();
                assert_eq!(verify_inclusion(leaf_hash(index), index, size, &proof, &root), Ok(()));
            }
        }
        assert!(!recent.covers(first - 1));
        assert_eq!(inclusion_proof(&recent, 5, total), Err(BuildError::Source(NotInMemory)));
        assert_eq!(RecentNodes::node(&recent, 0, total), None);
        assert_eq!(RecentNodes::node(&recent, 63, 0), None);
    }
}
