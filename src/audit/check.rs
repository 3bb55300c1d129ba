//! The check of a whole tiles folder: every bundle is read, every tile and the root recomputed from the entries and compared.

use super::bundle::{self, BundleError};
use super::checkpoint::Checkpoint;
use super::tile_nodes::TileRead;
use super::tiles::{LEVELS_PER_TILE, TILE_WIDTH, TileId, TileKind, tiles_for};
use super::tree::{Frontier, Hash};

/// What is wrong with a log's folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError<E> {
    /// A tile or bundle could not be read.
    #[error("{tile} could not be read: {source}")]
    Read {
        /// Which one.
        tile: TileId,
        /// Why.
        source: E,
    },
    /// A bundle is no bundle.
    #[error("{tile} is damaged: {source}")]
    Bundle {
        /// Which one.
        tile: TileId,
        /// How.
        source: BundleError,
    },
    /// A tile does not hold the hashes of the entries.
    #[error("{0} does not hold the hashes of the log's entries: the tile or a bundle below it is damaged")]
    Tile(TileId),
    /// The entries do not lead to the checkpoint's root.
    #[error("the log's entries do not lead to the checkpoint's root: an entry is damaged, or the checkpoint is of another log")]
    Root,
}

/// Collects the hashes of the tile of each level that is being filled.
struct Filling {
    levels: Vec<Vec<u8>>,
}

impl Filling {
    /// Takes the node; the content of its tile when that is full with it.
    fn take(&mut self, level: u32, hash: &Hash) -> Option<(u8, Vec<u8>)> {
        if !level.is_multiple_of(LEVELS_PER_TILE) {
            return None;
        }
        let level = (level / LEVELS_PER_TILE) as usize;
        if self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        let tile = &mut self.levels[level];
        tile.extend_from_slice(hash.as_ref());
        (tile.len() == usize::from(TILE_WIDTH) * Hash::LEN).then(|| (level as u8, std::mem::take(tile)))
    }
}

/// Checks the folder behind `reader` against a checkpoint whose signature was verified: reads every bundle and every tile of its size.
///
/// `entry` is told of each entry, in order. Memory is bounded by one tile a level.
///
/// # Errors
/// The first [`CheckError`] found, in the order of the log.
pub fn check_log<R: TileRead>(checkpoint: &Checkpoint, reader: &R, mut entry: impl FnMut(u64, &[u8])) -> Result<(), CheckError<R::Error>> {
    let read = |tile: TileId| reader.read(tile).map_err(|source| CheckError::Read { tile, source });
    let compare = |tile: TileId, content: &[u8]| if read(tile)? == content { Ok(()) } else { Err(CheckError::Tile(tile)) };
    let mut edge = Frontier::new();
    let mut filling = Filling { levels: Vec::new() };
    let mut next = [0_u64; 8];
    for tile in tiles_for(0, checkpoint.size()).take_while(|tile| tile.kind() == TileKind::Entries) {
        let content = read(tile)?;
        let entries = bundle::decode(&content, tile.width()).map_err(|source| CheckError::Bundle { tile, source })?;
        for data in entries {
            entry(edge.size(), data);
            let mut full = Vec::new();
            edge.push_with(Hash::leaf(data), |level, _, hash| full.extend(filling.take(level, &hash)));
            for (level, content) in full {
                let index = &mut next[usize::from(level)];
                let id = TileId::new(TileKind::Hashes(level), *index, TILE_WIDTH).expect("a level of at most 7, an index below the size");
                compare(id, &content)?;
                *index += 1;
            }
        }
    }
    for tile in tiles_for(0, checkpoint.size()).filter(|tile| !tile.is_full()) {
        if let TileKind::Hashes(level) = tile.kind() {
            compare(tile, filling.levels.get(usize::from(level)).map_or(&[], Vec::as_slice))?;
        }
    }
    if edge.root() == checkpoint.root() { Ok(()) } else { Err(CheckError::Root) }
}
