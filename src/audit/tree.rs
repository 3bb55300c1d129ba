//! The hash tree of RFC 6962 section 2.1: hashes, the compact range of a growing tree, and roots from stored nodes.
//!
//! A *node* (level, index) is the hash of the complete subtree over the 2^level leaves that start at index · 2^level.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use super::text;

/// The largest tree that is worked on: 2^62 leaves, so that no sum of two sizes overflows.
pub const SIZE_MAX: u64 = 1 << 62;

/// A SHA-256 hash of a leaf, a node or a root. Prints as 44 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash([u8; 32]);

impl Hash {
    /// A hash, in bytes.
    pub const LEN: usize = 32;
    /// A hash in base64, in characters.
    pub const BASE64_LEN: usize = 44;

    /// From the thirty-two bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The thirty-two bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a leaf: SHA-256(0x00 ‖ data).
    #[must_use]
    pub fn leaf(data: &[u8]) -> Self {
        const SHORT: usize = 64;
        if data.len() <= SHORT {
            // One call without a context: the gateway's own leaves are 33 bytes.
            let mut input = [0_u8; SHORT + 1];
            input[1..=data.len()].copy_from_slice(data);
            return Self::sha256(&input[..=data.len()]);
        }
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[0x00]);
        context.update(data);
        Self::of(&context.finish())
    }

    /// The hash of a node: SHA-256(0x01 ‖ left ‖ right).
    #[must_use]
    pub fn node(left: &Self, right: &Self) -> Self {
        let mut input = [0x01_u8; 65];
        input[1..33].copy_from_slice(&left.0);
        input[33..].copy_from_slice(&right.0);
        Self::sha256(&input)
    }

    /// The root of the tree without leaves: SHA-256 of nothing.
    #[must_use]
    pub fn empty_root() -> Self {
        Self::sha256(&[])
    }

    fn sha256(input: &[u8]) -> Self {
        Self::of(&digest::digest(&digest::SHA256, input))
    }

    fn of(digest: &digest::Digest) -> Self {
        let mut bytes = [0_u8; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::with_capacity(Self::BASE64_LEN);
        text::push_base64(&mut out, &self.0);
        f.write_str(&out)
    }
}

impl fmt::Debug for Hash {
    /// The first four bytes in hexadecimal: enough to tell hashes apart in a failed assertion.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Hash({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// Where the hashes of complete subtrees come from: tiles, memory, a test's vector.
pub trait NodeSource {
    /// Why a node could not be had.
    type Error;

    /// The hash of the complete subtree over the 2^`level` leaves that start at `index` · 2^`level`.
    ///
    /// # Errors
    /// When the node is not stored, or could not be read.
    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    type Error = S::Error;

    fn node(&self, level: u32, index: u64) -> Result<Hash, S::Error> {
        (**self).node(level, index)
    }
}

/// Why a proof, a root or a tile could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError<E> {
    /// The asked-for place is not in a tree of the asked-for size, or the size is beyond [`SIZE_MAX`].
    #[error("index and sizes do not belong together: ask for an index below the size, and for an old size not above the new one")]
    OutOfRange,
    /// The source of nodes failed.
    #[error(transparent)]
    Source(#[from] E),
}

/// The complete subtrees of a tree of `size` leaves, left to right, as (level, index): one for each bit of the size.
pub(super) fn peaks(size: u64) -> impl Iterator<Item = (u32, u64)> {
    let mut bits = size;
    std::iter::from_fn(move || {
        let level = bits.checked_ilog2()?;
        bits &= !(1 << level);
        // The bits above `level` are the leaves that lie to the left.
        Some((level, (size >> level) - 1))
    })
}

/// The root over complete subtrees given left to right.
fn fold_peaks(peaks: &[Hash]) -> Hash {
    peaks.iter().rev().copied().reduce(|right, left| Hash::node(&left, &right)).unwrap_or_else(Hash::empty_root)
}

/// The root of the first `size` leaves.
///
/// # Errors
/// [`BuildError::OutOfRange`] beyond [`SIZE_MAX`]; else what the source says.
pub fn root_at<S: NodeSource + ?Sized>(src: &S, size: u64) -> Result<Hash, BuildError<S::Error>> {
    Ok(Frontier::at(src, size)?.root())
}

/// The right edge of a tree: all that is needed to append to it and to know its root. At most 62 hashes.
///
/// Serialized it is the size and the hashes; what is read back is checked for the right number of hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "RawFrontier", into = "RawFrontier")]
pub struct Frontier {
    size: u64,
    /// The complete subtrees, largest (leftmost) first; one for each bit of `size`.
    peaks: Vec<Hash>,
}

#[derive(Serialize, Deserialize)]
struct RawFrontier {
    size: u64,
    peaks: Vec<Hash>,
}

/// A stored frontier that cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored right edge of the tree has another number of hashes than its size demands: restore it from the tiles")]
pub struct InvalidFrontier;

impl TryFrom<RawFrontier> for Frontier {
    type Error = InvalidFrontier;

    fn try_from(RawFrontier { size, peaks }: RawFrontier) -> Result<Self, InvalidFrontier> {
        let fits = size <= SIZE_MAX && peaks.len() == size.count_ones() as usize;
        if fits { Ok(Self { size, peaks }) } else { Err(InvalidFrontier) }
    }
}

impl From<Frontier> for RawFrontier {
    fn from(Frontier { size, peaks }: Frontier) -> Self {
        Self { size, peaks }
    }
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// The right edge of the first `size` leaves of a stored tree.
    ///
    /// # Errors
    /// [`BuildError::OutOfRange`] beyond [`SIZE_MAX`]; else what the source says.
    pub fn at<S: NodeSource + ?Sized>(src: &S, size: u64) -> Result<Self, BuildError<S::Error>> {
        if size > SIZE_MAX {
            return Err(BuildError::OutOfRange);
        }
        let peaks = peaks(size).map(|(level, index)| src.node(level, index)).collect::<Result<_, _>>()?;
        Ok(Self { size, peaks })
    }

    /// The right edge of `size` leaves from its complete subtrees, largest first.
    ///
    /// # Errors
    /// [`InvalidFrontier`] for another number of hashes than the size demands, or a size beyond [`SIZE_MAX`].
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Result<Self, InvalidFrontier> {
        RawFrontier { size, peaks }.try_into()
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The complete subtrees of the right edge, leftmost first, as (level, index, hash).
    pub fn peaks(&self) -> impl Iterator<Item = (u32, u64, Hash)> {
        peaks(self.size).zip(&self.peaks).map(|((level, index), hash)| (level, index, *hash))
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_peaks(&self.peaks)
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// Appends a leaf and tells of every subtree that it completed, as (level, index, hash), from the leaf itself (level 0) upwards.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u32, u64, Hash)) {
        let mut hash = leaf;
        completed(0, self.size, hash);
        for level in 1..=self.size.trailing_ones() {
            let left = self.peaks.pop().expect("a peak stands for every bit of the size");
            hash = Hash::node(&left, &hash);
            completed(level, self.size >> level, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Every complete node of a tree, as a source.
    #[derive(Default)]
    pub struct AllNodes {
        pub frontier: Frontier,
        pub nodes: HashMap<(u32, u64), Hash>,
    }

    impl AllNodes {
        pub fn push(&mut self, leaf: Hash) {
            let nodes = &mut self.nodes;
            self.frontier.push_with(leaf, |level, index, hash| {
                assert_eq!(nodes.insert((level, index), hash), None, "each node is told of once");
            });
        }

        pub fn of(size: u64) -> Self {
            let mut all = Self::default();
            (0..size).for_each(|i| all.push(leaf_hash(i)));
            all
        }
    }

    impl NodeSource for AllNodes {
        type Error = (u32, u64);

        fn node(&self, level: u32, index: u64) -> Result<Hash, (u32, u64)> {
            self.nodes.get(&(level, index)).copied().ok_or((level, index))
        }
    }

    pub fn leaf_data(index: u64) -> Vec<u8> {
        index.to_be_bytes()[7 - (index % 8) as usize..].to_vec()
    }

    pub fn leaf_hash(index: u64) -> Hash {
        Hash::leaf(&leaf_data(index))
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// The eight inputs that the first RFC 6962 implementation tested with, and everyone since.
    pub const RFC_LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];

    const RFC_ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_the_well_known_ones() {
        let mut frontier = Frontier::new();
        assert_eq!(hex(frontier.root().as_ref()), RFC_ROOTS[0]);
        for (i, data) in RFC_LEAVES.iter().enumerate() {
            frontier.push(Hash::leaf(data));
            assert_eq!(hex(frontier.root().as_ref()), RFC_ROOTS[i + 1]);
        }
        assert_eq!(Hash::empty_root().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(format!("{:?}", Hash::empty_root()), "Hash(e3b0c442…)");
    }

    #[test]
    fn short_and_long_leaves_hash_alike() {
        for len in [0_usize, 1, 33, 63, 64, 65, 66, 1000, 65_535] {
            let data = vec![7_u8; len];
            let mut plain = vec![0_u8];
            plain.extend(&data);
            assert_eq!(Hash::leaf(&data), Hash::sha256(&plain), "{len}");
        }
    }

    #[test]
    fn stored_nodes_give_the_root_and_edge_of_every_earlier_size() {
        let mut all = AllNodes::default();
        let mut edges = vec![all.frontier.clone()];
        for i in 0..600 {
            all.push(leaf_hash(i));
            edges.push(all.frontier.clone());
        }
        for (size, edge) in edges.iter().enumerate() {
            let size = size as u64;
            assert_eq!(Frontier::at(&all, size).unwrap(), *edge);
            assert_eq!(root_at(&all, size).unwrap(), edge.root());
            assert_eq!(edge.peaks().count() as u32, size.count_ones());
            for (level, index, hash) in edge.peaks() {
                assert_eq!(all.node(level, index), Ok(hash));
            }
        }
        assert_eq!(root_at(&all, 601), Err(BuildError::Source((0, 600))));
        assert_eq!(root_at(&all, SIZE_MAX + 1), Err(BuildError::OutOfRange));
    }

    #[test]
    fn a_frontier_survives_storage_and_a_wrong_one_does_not() {
        let edge = AllNodes::of(77).frontier;
        let bytes = postcard::to_stdvec(&edge).unwrap();
        assert_eq!(bytes.len(), 2 + 4 * 32);
        assert_eq!(postcard::from_bytes::<Frontier>(&bytes).unwrap(), edge);
        let wrong = RawFrontier { size: 78 + 128, peaks: edge.peaks.clone() };
        assert!(postcard::from_bytes::<Frontier>(&postcard::to_stdvec(&wrong).unwrap()).is_err());
        let huge = RawFrontier { size: u64::MAX, peaks: vec![Hash::empty_root(); 64] };
        assert!(postcard::from_bytes::<Frontier>(&postcard::to_stdvec(&huge).unwrap()).is_err());
        let mut largest = Frontier::try_from(RawFrontier { size: SIZE_MAX - 1, peaks: vec![Hash::empty_root(); 61] });
        assert!(largest.is_err(), "2^62 - 1 has 62 bits");
        largest = Frontier::try_from(RawFrontier { size: SIZE_MAX - 1, peaks: vec![Hash::empty_root(); 62] });
        let mut largest = largest.unwrap();
        largest.push(Hash::empty_root());
        assert_eq!(largest.size(), SIZE_MAX);
        assert_eq!(largest.peaks.len(), 1);
    }
}
