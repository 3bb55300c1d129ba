//! The tree read back from its tiles.
//!
//! Tiles are believed as they are read; what is made from them is proved by verifying it against a signed root, or the whole folder by
//! [`check`](super::check).

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::tiles::{LEVELS_PER_TILE, TILE_WIDTH, TileId, TileKind};
use super::tree::{Hash, NodeSource, SIZE_MAX};

/// Tiles kept with the nodes inside them: some proofs' worth, at most 16 KiB each.
const CACHED_TILES: usize = 32;

/// Reads the bytes of tiles; any `Fn(TileId) -> Result<Vec<u8>, E>` is one.
pub trait TileRead {
    /// Why a tile could not be read.
    type Error;

    /// The content of the tile or bundle.
    ///
    /// # Errors
    /// When it does not exist or cannot be read.
    fn read(&self, tile: TileId) -> Result<Vec<u8>, Self::Error>;
}

impl<F, E> TileRead for F
where
    F: Fn(TileId) -> Result<Vec<u8>, E>,
{
    type Error = E;

    fn read(&self, tile: TileId) -> Result<Vec<u8>, E> {
        self(tile)
    }
}

/// Why a node could not be had from the tiles.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileNodeError<E> {
    /// The node is not complete at the published size.
    #[error("this part of the tree is not published yet; wait for the next publication")]
    NotPublished,
    /// The tile has another length than its name says.
    #[error("{0} has another length than its name says: the log's folder is damaged; run the check of the whole folder")]
    Length(TileId),
    /// The tile could not be read.
    #[error(transparent)]
    Read(E),
}

/// A tile and the nodes above its hashes: at `levels[n]` the complete subtrees over 2^n of them.
#[derive(Debug)]
struct Tile {
    levels: Vec<Vec<Hash>>,
}

impl Tile {
    /// Hashes up a tile of whole hashes; what is left over is ignored.
    fn new(content: &[u8]) -> Self {
        let mut level: Vec<Hash> = content.as_chunks::<{ Hash::LEN }>().0.iter().map(|bytes| Hash::from_bytes(*bytes)).collect();
        let mut levels = Vec::with_capacity(LEVELS_PER_TILE as usize);
        while levels.len() < LEVELS_PER_TILE as usize && !level.is_empty() {
            let above = level.as_chunks::<2>().0.iter().map(|[left, right]| Hash::node(left, right)).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        Self { levels }
    }

    fn node(&self, within: u32, place: u64) -> Option<Hash> {
        self.levels.get(within as usize)?.get(usize::try_from(place).ok()?).copied()
    }
}

/// The nodes of a published tree of a given size, read from its tiles.
#[derive(Debug)]
pub struct TileNodes<R> {
    reader: R,
    size: u64,
    /// Most recently used last.
    cache: Mutex<VecDeque<(TileId, Arc<Tile>)>>,
}

impl<R: TileRead> TileNodes<R> {
    /// The tree of `size` leaves (at most [`SIZE_MAX`]), whose tiles `reader` gives, among them the partial ones of exactly this size.
    #[must_use]
    pub fn new(size: u64, reader: R) -> Self {
        Self { reader, size: size.min(SIZE_MAX), cache: Mutex::new(VecDeque::with_capacity(CACHED_TILES)) }
    }

    /// The published size.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    fn cached(&self, tile: TileId) -> Option<Arc<Tile>> {
        let mut cache = self.cache.lock();
        let at = cache.iter().position(|(id, _)| *id == tile)?;
        let entry = cache.remove(at)?;
        let content = Arc::clone(&entry.1);
        cache.push_back(entry);
        Some(content)
    }

    fn tile(&self, tile: TileId) -> Result<Arc<Tile>, TileNodeError<R::Error>> {
        if let Some(content) = self.cached(tile) {
            return Ok(content);
        }
        let bytes = self.reader.read(tile).map_err(TileNodeError::Read)?;
        if bytes.len() != usize::from(tile.width()) * Hash::LEN {
            return Err(TileNodeError::Length(tile));
        }
        let content = Arc::new(Tile::new(&bytes));
        let mut cache = self.cache.lock();
        if cache.len() >= CACHED_TILES {
            cache.pop_front();
        }
        cache.push_back((tile, Arc::clone(&content)));
        Ok(content)
    }
}

impl<R: TileRead> NodeSource for TileNodes<R> {
    type Error = TileNodeError<R::Error>;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        let complete = self.size.checked_shr(level).unwrap_or(0);
        if index >= complete {
            return Err(TileNodeError::NotPublished);
        }
        // A node inside a tile is the subtree over the 2^within hashes from the `first`-th of the tile's level.
        let within = level % LEVELS_PER_TILE;
        let tile_level = level / LEVELS_PER_TILE;
        let first = index << within;
        let width = u64::from(TILE_WIDTH);
        let tile = first / width;
        let held = (self.size >> (tile_level * LEVELS_PER_TILE)) - tile * width;
        let id = u8::try_from(tile_level)
            .ok()
            .and_then(|level| TileId::new(TileKind::Hashes(level), tile, held.min(width) as u16).ok())
            .ok_or(TileNodeError::NotPublished)?;
        self.tile(id)?.node(within, (first % width) >> within).ok_or(TileNodeError::Length(id))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::proof::{consistency_proof, inclusion_proof};
    use super::super::tiles::hash_tile;
    use super::super::tree::tests::AllNodes;
    use super::super::tree::{BuildError, root_at};
    use super::*;

    #[test]
    fn tiles_give_back_every_node_of_the_tree() {
        for size in [1_u64, 2, 255, 256, 257, 511, 512, 700] {
            let all = AllNodes::of(size);
            let nodes = TileNodes::new(size, |tile| hash_tile(&all, tile).map(Option::unwrap_or_default));
            for ((level, index), hash) in &all.nodes {
                assert_eq!(nodes.node(*level, *index), Ok(*hash), "{level} {index} of {size}");
            }
            for level in 0..=64 {
                let complete = size.checked_shr(level).unwrap_or(0);
                assert_eq!(nodes.node(level, complete), Err(TileNodeError::NotPublished));
                assert_eq!(nodes.node(level, u64::MAX), Err(TileNodeError::NotPublished));
            }
            assert_eq!(root_at(&nodes, size).unwrap(), all.frontier.root());
            assert_eq!(inclusion_proof(&nodes, size / 2, size).unwrap(), inclusion_proof(&all, size / 2, size).unwrap());
            assert_eq!(consistency_proof(&nodes, size / 2, size).unwrap(), consistency_proof(&all, size / 2, size).unwrap());
        }
    }

    #[test]
    fn a_tile_is_read_once_and_a_wrong_length_is_damage() {
        let all = AllNodes::of(70_000);
        let reads = Cell::new(0);
        let nodes = TileNodes::new(70_000, |tile| {
            reads.set(reads.get() + 1);
            hash_tile(&all, tile).map(Option::unwrap_or_default)
        });
        let proof = inclusion_proof(&nodes, 12_345, 70_000).unwrap();
        let once = reads.get();
        assert!(once <= 6, "{once} reads");
        assert_eq!(inclusion_proof(&nodes, 12_345, 70_000).unwrap(), proof);
        assert_eq!(reads.get(), once);
        for index in (0..70_000).step_by(251) {
            assert_eq!(nodes.node(0, index), Ok(all.nodes[&(0, index)]));
        }
        assert_eq!(nodes.cache.lock().len(), CACHED_TILES);

        let short = TileNodes::new(300, |_| Ok::<_, ()>(vec![0; 31]));
        assert_eq!(short.node(0, 0), Err(TileNodeError::Length("tile/0/000".parse().unwrap())));
        let missing = TileNodes::new(300, |_| Err("no such tile"));
        assert_eq!(inclusion_proof(&missing, 0, 300), Err(BuildError::Source(TileNodeError::Read("no such tile"))));
    }
}
