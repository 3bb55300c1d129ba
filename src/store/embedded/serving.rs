//! What is served of the published log. Files lie on disk, where anyone may have changed them: a tile is given only when it is proved to be the
//! log's own, by what the store has in memory of the tree's edge, and its place lies within what is published.
//!
//! A tile that is being filled is compared with the one in memory. Of a full one the root is a hash in the tile above it, which is proved the same
//! way; what was proved of those above is remembered, so that serving costs the hashes of the one tile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::engine::Engine;
use super::error::Damage;
use super::layout::Layout;
use super::tiles::{TileBuilder, TileFolder, counted, tile_id};
use crate::audit::bundle;
use crate::audit::leaf::Leaf;
use crate::audit::tile_nodes::TileRead as _;
use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind, tiles_for};
use crate::audit::tree::Hash;
use crate::store::StoreError;

const WIDTH: u64 = TILE_WIDTH as u64;
/// Tiles that were proved and are remembered, of those that others are proved by: sixteen million entries' worth at the level above the lowest, 8 KiB each.
const PROVED: usize = 256;
/// Between two looks at all tiles while all are sound.
const LOOKED_EVERY_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// Between two looks while something is damaged, and so many times what the last one took.
const LOOKED_AGAIN_MILLIS: i64 = 60 * 1000;
/// See [`LOOKED_AGAIN_MILLIS`].
const REST: i64 = 20;
/// A look rests after so many tiles, so that it takes a part of one processor only.
const LOOKED_AT_ONCE: u64 = 16;
const BREATH: Duration = Duration::from_millis(10);
/// Damaged tiles that a look names, each with a line of its own.
const NAMED: usize = 8;

/// The published log as it is served.
pub struct Serving {
    folder: TileFolder,
    /// The tree of what is published, as the publisher has it in memory.
    tree: Arc<ArcSwap<TileBuilder>>,
    /// Full tiles of hashes. Such a one never changes.
    proved: Mutex<VecDeque<(TileId, Arc<Vec<u8>>)>>,
    /// Held by whoever looks.
    looking: Mutex<()>,
    damaged: AtomicU64,
    /// Somebody met what is damaged since.
    is_met: AtomicBool,
    /// By the clock that nobody sets: when the last look began. Before the first, none.
    looked_at: AtomicI64,
    took: AtomicI64,
}

impl Serving {
    /// Of the log of `layout`, of which `tree` is what is published.
    #[must_use]
    pub fn new(layout: &Layout, tree: Arc<ArcSwap<TileBuilder>>) -> Self {
        Self {
            folder: TileFolder::new(layout),
            tree,
            proved: Mutex::default(),
            looking: Mutex::default(),
            damaged: AtomicU64::new(0),
            is_met: AtomicBool::new(false),
            looked_at: AtomicI64::new(i64::MIN),
            took: AtomicI64::new(0),
        }
    }

    /// The tile for whoever asks by its name; `None` when the published log has none of this name. Heads are signed at more sizes than are published:
    /// a partial tile of any width up to the present one is cut from what has grown from it.
    ///
    /// # Errors
    /// What lies on disk is not the log's.
    pub fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, Damage> {
        let tree = self.tree.load_full();
        if tile.first().saturating_add(u64::from(tile.width())) > counted(tile.kind(), tree.size()) {
            return Ok(None);
        }
        let mut content = self.grown(&tree, tile.kind(), tile.index()).inspect_err(|_| self.is_met.store(true, Ordering::Relaxed))?;
        content.truncate(usize::from(tile.width()) * entry_len(tile.kind()));
        Ok(Some(content))
    }

    /// How many tiles were damaged at the last look.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// The tile of this place as wide as it has grown, which the tree of this size has.
    fn grown(&self, tree: &TileBuilder, kind: TileKind, index: u64) -> Result<Vec<u8>, Damage> {
        let width = counted(kind, tree.size()).saturating_sub(index * WIDTH).min(WIDTH);
        let tile = tile_id(kind, index, u16::try_from(width).unwrap_or(TILE_WIDTH));
        let damage = |what: &str| Damage { file: format!("log/{tile}"), offset: 0, what: what.to_owned() };
        let content = self.folder.read(tile).map_err(|_| damage("the tile cannot be read, or is gone"))?;
        if content.len() != usize::from(tile.width()) * entry_len(kind) {
            return Err(damage("the tile has another length than its name says"));
        }
        let is_own = if tile.is_full() {
            let above = match kind {
                TileKind::Entries => 1,
                TileKind::Hashes(level) => level + 1,
            };
            root_of(kind, &content) == Some(self.hash(tree, above, index)?)
        } else {
            content == tree.filling(kind)
        };
        if is_own { Ok(content) } else { Err(damage("the tile is not the log's")) }
    }

    /// The hash at a place of a level, which the tree of this size has.
    fn hash(&self, tree: &TileBuilder, level: u8, index: u64) -> Result<Hash, Damage> {
        let (kind, above) = (TileKind::Hashes(level), index / WIDTH);
        let hash = |content: &[u8]| content.as_chunks::<{ Hash::LEN }>().0.get((index % WIDTH) as usize).copied().map(Hash::from_bytes);
        let tile = tile_id(kind, above, TILE_WIDTH);
        let found = if above == counted(kind, tree.size()) / WIDTH {
            hash(tree.filling(kind))
        } else if let Some(proved) = self.proved(tile) {
            hash(&proved)
        } else {
            let content = Arc::new(self.grown(tree, kind, above)?);
            let mut proved = self.proved.lock();
            if proved.len() >= PROVED {
                proved.pop_front();
            }
            proved.push_back((tile, Arc::clone(&content)));
            hash(&content)
        };
        found.ok_or_else(|| Damage { file: format!("log/{tile}"), offset: 0, what: "the tile lacks a hash".to_owned() })
    }

    fn proved(&self, tile: TileId) -> Option<Arc<Vec<u8>>> {
        self.proved.lock().iter().find(|(id, _)| *id == tile).map(|(_, content)| Arc::clone(content))
    }

    /// Whether all tiles are to be read, by the clock that nobody sets.
    fn is_due(&self, now: i64) -> bool {
        let since = now.saturating_sub(self.looked_at.load(Ordering::Relaxed));
        let again = self.is_met.load(Ordering::Relaxed) || self.damaged() > 0;
        let rest = LOOKED_AGAIN_MILLIS.max(self.took.load(Ordering::Relaxed).saturating_mul(REST));
        since >= if again { rest } else { LOOKED_EVERY_MILLIS }
    }

    /// Reads every tile of the published log; how many are damaged, unless `rest` says that it is over.
    fn look_through(&self, rest: &dyn Fn() -> bool) -> Option<u64> {
        let tree = self.tree.load_full();
        let (mut damaged, mut first) = (0, Vec::new());
        for (tile, number) in tiles_for(0, tree.size()).zip(1_u64..) {
            if number.is_multiple_of(LOOKED_AT_ONCE) && rest() {
                return None;
            }
            let Err(damage) = self.grown(&tree, tile.kind(), tile.index()) else { continue };
            damaged += 1;
            if first.len() < NAMED {
                first.push(damage);
            }
        }
        match self.damaged() {
            before if before == damaged => {}
            _ if damaged == 0 => tracing::info!("all tiles of the published log can be served again"),
            _ => first.iter().for_each(|damage| {
                tracing::error!(
                    %damage,
                    damaged,
                    "a tile of the published log is damaged and is not served: put the file back from a copy or from a mirror; \
                     `samband audit fsck DATA_DIR` names all"
                );
            }),
        }
        Some(damaged)
    }
}

impl Engine {
    /// See [`Serving::tile`].
    pub(super) fn tile(&self, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        self.serving.tile(tile).map_err(|damage| StoreError::Damaged { place: format!("{}: {}", damage.file, damage.what) })
    }
}

/// Reads all tiles, when that is due.
pub fn look(engine: &Engine) {
    if engine.serving.is_due(engine.clock.elapsed_millis()) {
        look_now(engine);
    }
}

/// The same, due or not.
pub fn look_now(engine: &Engine) {
    let (serving, begun) = (&engine.serving, engine.clock.elapsed_millis());
    let _only = serving.looking.lock();
    serving.looked_at.store(begun, Ordering::Relaxed);
    serving.is_met.store(false, Ordering::Relaxed);
    if let Some(damaged) = serving.look_through(&|| engine.rest(BREATH) || engine.is_broken()) {
        serving.damaged.store(damaged, Ordering::Relaxed);
    }
    serving.took.store(engine.clock.elapsed_millis().saturating_sub(begun), Ordering::Relaxed);
}

const fn entry_len(kind: TileKind) -> usize {
    match kind {
        TileKind::Hashes(_) => Hash::LEN,
        TileKind::Entries => 2 + Leaf::LEN,
    }
}

/// The root over the hashes of a full tile, or over its entries.
fn root_of(kind: TileKind, content: &[u8]) -> Option<Hash> {
    let mut level: Vec<Hash> = match kind {
        TileKind::Hashes(_) => content.as_chunks::<{ Hash::LEN }>().0.iter().map(|raw| Hash::from_bytes(*raw)).collect(),
        TileKind::Entries => bundle::decode(content, TILE_WIDTH).ok()?.into_iter().map(Hash::leaf).collect(),
    };
    while level.len() > 1 {
        level = level.as_chunks::<2>().0.iter().map(|[left, right]| Hash::node(left, right)).collect();
    }
    level.pop()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::disk::RealDisk;
    use super::*;

    /// A log of `size` entries on disk, as it is served after a start.
    fn log_of(size: u64, root: &Path) -> (Layout, Arc<ArcSwap<TileBuilder>>) {
        let (mut builder, mut full) = (TileBuilder::default(), VecDeque::new());
        for index in 0..size {
            let mut leaf = [1; Leaf::LEN];
            leaf[1..9].copy_from_slice(&index.to_be_bytes());
            builder.push(&Leaf::from_bytes(leaf).unwrap(), &mut full);
        }
        for (tile, content) in full.into_iter().chain(builder.partials()) {
            let path = root.join(format!("log/{tile}"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        (Layout::new(root, Arc::new(RealDisk)), Arc::new(ArcSwap::from_pointee(builder)))
    }

    fn flip(path: &Path, at: usize) {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    }

    /// Two levels of full tiles below the edge.
    const DEEP: u64 = 2 * 65_536 + 300;

    #[test]
    fn every_tile_of_a_deep_log_is_served_and_none_with_a_bit_flipped() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, tree) = log_of(DEEP, dir.path());
        let serving = Serving::new(&layout, Arc::clone(&tree));
        for tile in tiles_for(0, DEEP) {
            let wanted = std::fs::read(dir.path().join(format!("log/{tile}"))).unwrap();
            assert_eq!(serving.tile(tile), Ok(Some(wanted)), "{tile}");
        }
        assert_eq!(serving.look_through(&|| false), Some(0));
        for name in [
            "tile/0/000",
            "tile/0/511",
            "tile/0/513.p/44",
            "tile/1/001",
            "tile/1/002.p/1",
            "tile/2/000.p/2",
            "tile/entries/257",
            "tile/entries/513.p/44",
        ] {
            let (tile, path): (TileId, _) = (name.parse().unwrap(), dir.path().join("log").join(name));
            let len = std::fs::metadata(&path).unwrap().len() as usize;
            for at in [0, len / 2, len - 1] {
                flip(&path, at);
                for width in [1, tile.width()] {
                    let served = serving.tile(TileId::new(tile.kind(), tile.index(), width).unwrap());
                    assert_eq!(served.unwrap_err().file, format!("log/{name}"), "{name} {at} {width}");
                }
                assert_eq!(serving.look_through(&|| false), Some(1), "{name} {at}");
                flip(&path, at);
            }
            assert!(serving.tile(tile).unwrap().is_some(), "{name} is put back");
        }
        // What others are proved by is named in their place, until it was proved once.
        let (above, below) = (dir.path().join("log/tile/1/000"), "tile/0/000".parse().unwrap());
        flip(&above, 7);
        assert_eq!(Serving::new(&layout, tree).tile(below).unwrap_err().file, "log/tile/1/000");
        assert!(serving.tile(below).unwrap().is_some());
    }

    #[test]
    fn a_tile_beyond_the_published_size_or_of_no_level_is_none_whatever_lies_there() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, tree) = log_of(553, dir.path());
        let serving = Serving::new(&layout, tree);
        for name in [
            "tile/0/999",
            "tile/7/000",
            "tile/0/002",
            "tile/0/002.p/200",
            "tile/0/002.p/42",
            "tile/0/x001/000",
            "tile/1/000.p/3",
            "tile/entries/002",
        ] {
            let path = dir.path().join("log").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, vec![7; 8192]).unwrap();
            assert_eq!(serving.tile(name.parse().unwrap()), Ok(None), "{name}");
        }
        // One of an earlier width is cut from the one that is proved, whatever lies at its own name.
        std::fs::write(dir.path().join("log/tile/0/002.p/9"), vec![7; 9 * Hash::LEN]).unwrap();
        let wide = std::fs::read(dir.path().join("log/tile/0/002.p/41")).unwrap();
        assert_eq!(serving.tile("tile/0/002.p/9".parse().unwrap()), Ok(Some(wide[..9 * Hash::LEN].to_vec())));
    }

    #[test]
    fn a_tile_that_is_short_long_or_gone_is_damage_and_what_grew_meanwhile_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, tree) = log_of(553, dir.path());
        let serving = Serving::new(&layout, tree);
        for name in ["tile/0/001", "tile/entries/001", "tile/0/002.p/41", "tile/entries/002.p/41"] {
            let (tile, path) = (name.parse().unwrap(), dir.path().join("log").join(name));
            let bytes = std::fs::read(&path).unwrap();
            for harm in [&bytes[1..], &[&bytes[..], &[0]].concat(), &[]] {
                std::fs::write(&path, harm).unwrap();
                assert_eq!(serving.tile(tile).unwrap_err().file, format!("log/{name}"));
            }
            std::fs::remove_file(&path).unwrap();
            assert_eq!(serving.tile(tile).unwrap_err().file, format!("log/{name}"));
            std::fs::write(&path, bytes).unwrap();
        }
        // The publisher has taken the partial tile away and the head is not out yet.
        log_of(1024, dir.path());
        std::fs::remove_dir_all(dir.path().join("log/tile/0/002.p")).unwrap();
        assert!(serving.tile("tile/0/002.p/41".parse().unwrap()).unwrap().is_some());
    }

    #[test]
    fn a_look_at_all_tiles_is_due_at_first_each_day_and_sooner_while_one_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, tree) = log_of(1, dir.path());
        let serving = Serving::new(&layout, tree);
        assert!(serving.is_due(0));
        serving.looked_at.store(0, Ordering::Relaxed);
        let due = |times: [i64; 3]| times.map(|at| serving.is_due(at));
        assert_eq!(due([LOOKED_AGAIN_MILLIS, LOOKED_EVERY_MILLIS - 1, LOOKED_EVERY_MILLIS]), [false, false, true]);
        std::fs::write(dir.path().join("log/tile/0/000.p/1"), [0; Hash::LEN]).unwrap();
        assert!(serving.tile("tile/0/000.p/1".parse().unwrap()).is_err());
        assert_eq!(due([0, LOOKED_AGAIN_MILLIS - 1, LOOKED_AGAIN_MILLIS]), [false, false, true], "somebody met it");
        serving.is_met.store(false, Ordering::Relaxed);
        serving.damaged.store(1, Ordering::Relaxed);
        serving.took.store(LOOKED_AGAIN_MILLIS, Ordering::Relaxed);
        assert_eq!(due([LOOKED_AGAIN_MILLIS, REST * LOOKED_AGAIN_MILLIS - 1, REST * LOOKED_AGAIN_MILLIS]), [false, false, true]);
    }
}
