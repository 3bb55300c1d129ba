//! The published log: bundles, tiles, checkpoint and the high-water mark. All of it follows from the journal and can be written again.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, write_file};
use super::error::{Damage, IoContext as _, OpenError};
use super::layout::{Layout, read_checked, write_checked};
use crate::audit::bundle;
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::leaf::Leaf;
use crate::audit::tile_nodes::TileRead;
use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind};
use crate::audit::tree::{Frontier, Hash};

const WIDTH: u64 = TILE_WIDTH as u64;
const LEVELS_PER_TILE: u32 = 8;

/// The tree with the tile of each level that is being filled: all that writing further tiles needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileBuilder {
    frontier: Frontier,
    bundle: Vec<u8>,
    levels: Vec<Vec<u8>>,
}

impl TileBuilder {
    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The right edge.
    #[must_use]
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Whether the tiles being filled hold what a tree of this size leaves in them.
    pub(super) fn is_whole(&self) -> bool {
        let size = self.size();
        let begun = (0_u32..).map_while(|level| size.checked_shr(LEVELS_PER_TILE * level).filter(|count| *count > 0));
        let left = |count: u64| (count % WIDTH) as usize;
        let is_bundle = match left(size) {
            0 => self.bundle.is_empty(),
            entries => bundle::decode(&self.bundle, entries as u16).is_ok(),
        };
        is_bundle && begun.map(|count| left(count) * Hash::LEN).eq(self.levels.iter().map(Vec::len))
    }

    /// Appends a leaf; tiles that are full with it go to `full`.
    pub fn push(&mut self, leaf: &Leaf, full: &mut VecDeque<(TileId, Vec<u8>)>) {
        let index = self.frontier.size();
        bundle::push_entry(&mut self.bundle, leaf.as_bytes()).expect("a leaf is 33 bytes");
        let levels = &mut self.levels;
        let mut filled = Vec::new();
        self.frontier.push_with(leaf.hash(), |level, node, hash| {
            if !level.is_multiple_of(LEVELS_PER_TILE) {
                return;
            }
            let level = (level / LEVELS_PER_TILE) as usize;
            if levels.len() <= level {
                levels.push(Vec::new());
            }
            let tile = &mut levels[level];
            tile.extend_from_slice(hash.as_ref());
            if tile.len() == usize::from(TILE_WIDTH) * Hash::LEN {
                filled.push((level as u8, node / WIDTH, std::mem::take(tile)));
            }
        });
        if (index + 1).is_multiple_of(WIDTH) {
            full.push_back((tile_id(TileKind::Entries, index / WIDTH, TILE_WIDTH), std::mem::take(&mut self.bundle)));
        }
        for (level, number, content) in filled {
            full.push_back((tile_id(TileKind::Hashes(level), number, TILE_WIDTH), content));
        }
    }

    /// What is there of the tile of a kind that is being filled.
    #[must_use]
    pub fn filling(&self, kind: TileKind) -> &[u8] {
        match kind {
            TileKind::Entries => &self.bundle,
            TileKind::Hashes(level) => self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice),
        }
    }

    /// The partial bundle and tiles of the present size.
    #[must_use]
    pub fn partials(&self) -> Vec<(TileId, Vec<u8>)> {
        let size = self.size();
        let mut out = Vec::new();
        if !self.bundle.is_empty() {
            out.push((tile_id(TileKind::Entries, size / WIDTH, (size % WIDTH) as u16), self.bundle.clone()));
        }
        for (level, content) in (0_u8..).zip(&self.levels) {
            if !content.is_empty() {
                let count = size >> (LEVELS_PER_TILE * u32::from(level));
                out.push((tile_id(TileKind::Hashes(level), count / WIDTH, (count % WIDTH) as u16), content.clone()));
            }
        }
        out
    }
}

/// A tile of a tree of at most 2^62 leaves.
pub(super) fn tile_id(kind: TileKind, index: u64, width: u16) -> TileId {
    TileId::new(kind, index, width).expect("a tree of at most 2^62 leaves has tiles of at most level 7")
}

/// Hashes of its level, or entries, of a log of `size` entries.
pub(super) fn counted(kind: TileKind, size: u64) -> u64 {
    match kind {
        TileKind::Hashes(level) => size.checked_shr(LEVELS_PER_TILE * u32::from(level)).unwrap_or(0),
        TileKind::Entries => size,
    }
}

/// Reads tiles from the published folder. A partial tile that is gone is read from the full one that took its place.
#[derive(Debug, Clone)]
pub struct TileFolder(Layout);

impl TileFolder {
    /// The published folder of a store.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self(layout.clone())
    }

    fn path(&self, tile: TileId) -> PathBuf {
        self.0.path(&format!("log/{}", tile.path()))
    }
}

impl TileRead for TileFolder {
    type Error = TileUnreadable;

    fn read(&self, tile: TileId) -> Result<Vec<u8>, TileUnreadable> {
        let disk = self.0.disk();
        match disk.read(&self.path(tile)) {
            Ok(content) => Ok(content),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !tile.is_full() => {
                let mut content = disk.read(&self.path(tile.full())).map_err(|_| TileUnreadable(tile))?;
                let keep = match tile.kind() {
                    TileKind::Hashes(_) => usize::from(tile.width()) * Hash::LEN,
                    TileKind::Entries => usize::from(tile.width()) * (2 + Leaf::LEN),
                };
                content.truncate(keep);
                Ok(content)
            }
            Err(_) => Err(TileUnreadable(tile)),
        }
    }
}

/// A tile that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log/{0} cannot be read")]
pub struct TileUnreadable(pub TileId);

/// The last published head, kept outside the store's folder so that a restored folder is found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HighWater {
    /// The log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl HighWater {
    /// Reads the mark, if there is one.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, OpenError> {
        read_checked(disk, path, &path.display().to_string()).map_err(|error| match error {
            OpenError::Damaged(damage) => OpenError::Mark(damage),
            other => other,
        })
    }
}

/// Writes the published log. Owned by the publishing thread.
pub struct Publisher {
    layout: Layout,
    high_water: PathBuf,
    origin: String,
    builder: TileBuilder,
    /// Full tiles that are not on disk yet; survives an attempt that failed for want of space.
    pending: VecDeque<(TileId, Vec<u8>)>,
    published: u64,
    /// The tree of what is on disk, for whoever serves it.
    shown: Arc<ArcSwap<TileBuilder>>,
}

impl Publisher {
    /// Continues after the leaves in `builder`.
    #[must_use]
    pub fn new(layout: &Layout, high_water: PathBuf, origin: String, builder: TileBuilder) -> Self {
        Self { layout: layout.clone(), high_water, origin, builder, pending: VecDeque::new(), published: 0, shown: Arc::default() }
    }

    /// The tree of what is published.
    #[must_use]
    pub fn shown(&self) -> Arc<ArcSwap<TileBuilder>> {
        Arc::clone(&self.shown)
    }

    /// Leaves taken so far.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.builder.size()
    }

    /// The tree so far.
    #[must_use]
    pub const fn builder(&self) -> &TileBuilder {
        &self.builder
    }

    /// Takes the next leaves.
    pub fn take(&mut self, leaves: impl IntoIterator<Item = Leaf>) {
        for leaf in leaves {
            self.builder.push(&leaf, &mut self.pending);
        }
    }

    /// Publishes what was taken under the signed head of exactly that size.
    pub fn publish(&mut self, signed: &SignedCheckpoint) -> Result<u64, OpenError> {
        let size = self.builder.size();
        if size == self.published && self.pending.is_empty() {
            return Ok(size);
        }
        while let Some((tile, content)) = self.pending.front() {
            self.write_tile(*tile, content)?;
            // Of one that begins behind what was published last no partial tile was ever written. At a start that is not known.
            if self.published == 0 || tile.first() < counted(tile.kind(), self.published) {
                self.remove_partials(*tile)?;
            }
            self.pending.pop_front();
        }
        for (tile, content) in self.builder.partials() {
            self.write_tile(tile, &content)?;
            if self.published == 0 {
                self.mend_partials(tile, &content)?;
            }
        }
        // Before the checkpoint, whose readers ask for its tiles.
        self.shown.store(Arc::new(self.builder.clone()));
        let disk = self.layout.disk();
        // A crash up to here leaves tiles that no checkpoint names; the next start writes the same again.
        super::layout::replace_file(disk, &self.layout.path("log/checkpoint"), signed.as_str().as_bytes())?;
        // A crash here leaves the mark behind the checkpoint; both are looked at.
        let mark = HighWater { origin: self.origin.clone(), size, root: self.builder.frontier().root() };
        write_checked(disk, &self.high_water, &mark)?;
        self.published = size;
        Ok(size)
    }

    /// One name never gets two contents while the store runs; what differs at a start is left from a crash before it was synced. Also what reads
    /// well is written anew: after a failed sync it may never have reached the disk, and the journals it follows from are about to go.
    fn write_tile(&self, tile: TileId, content: &[u8]) -> Result<(), OpenError> {
        let (disk, path) = (self.layout.disk(), self.layout.path(&format!("log/{}", tile.path())));
        if self.published == 0 && disk.read(&path).is_ok_and(|found| found != content) {
            tracing::warn!(tile = %tile, "a tile on disk was not what the log holds; it is written again");
        }
        if let Some(folder) = path.parent() {
            disk.create_dir_all(folder).at("cannot create", folder)?;
        }
        let tmp = path.with_file_name("writing.tmp");
        write_file(disk, &tmp, content).at("cannot write", &tmp)?;
        disk.rename(&tmp, &path).at("cannot put a file at", &path)
    }

    /// At a start: partial tiles of earlier sizes are not synced each by itself, so a power loss may have left anything under their names. What
    /// is not the beginning of the tile that grew from it is written again; a checkpoint of that size may still be held by somebody.
    fn mend_partials(&self, tile: TileId, content: &[u8]) -> Result<(), OpenError> {
        let (path, entry) = (self.layout.path(&format!("log/{}.p", tile.full().path())), content.len() / usize::from(tile.width()));
        for name in self.layout.disk().names(&path).at("cannot list", &path)? {
            let Some(width) = name.parse().ok().filter(|width| *width < tile.width()) else { continue };
            let earlier = tile_id(tile.kind(), tile.index(), width);
            let begins = &content[..usize::from(width) * entry];
            if self.layout.disk().read(&path.join(&name)).is_ok_and(|found| found == begins) {
                continue;
            }
            self.write_tile(earlier, begins)?;
        }
        Ok(())
    }

    fn remove_partials(&self, full: TileId) -> Result<(), OpenError> {
        let path = self.layout.path(&format!("log/{}.p", full.path()));
        match self.layout.disk().remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at("cannot remove", &path),
            _ => Ok(()),
        }
    }
}

/// What a start would meet in the way of its tiles: `builder` is what the base holds, `leaves` follow it, and then come `events` that the start notes.
/// Reads only.
pub fn in_the_way(layout: &Layout, mut builder: TileBuilder, leaves: &[Leaf], events: u64) -> Option<Damage> {
    let mut full = VecDeque::new();
    // Of what is noted, only how much it is counts here.
    let noted = Leaf::from_bytes([1; Leaf::LEN]).into_iter().cycle();
    let upcoming = leaves.iter().copied().chain(noted.take(usize::try_from(events).unwrap_or(usize::MAX)));
    upcoming.for_each(|leaf| builder.push(&leaf, &mut full));
    let partial = builder.partials();
    full.iter().chain(&partial).find_map(|(tile, _)| tile_in_the_way(layout, *tile))
}

fn tile_in_the_way(layout: &Layout, tile: TileId) -> Option<Damage> {
    let disk = layout.disk();
    let name = format!("log/{}", tile.path());
    let folders = name.match_indices('/').map(|(end, _)| &name[..end]);
    let no_folder = |name: &&str| disk.exists(&layout.path(name)) && !disk.is_dir(&layout.path(name));
    let partials = format!("log/{}.p", tile.full().path());
    if let Some(file) = folders.chain(std::iter::once(partials.as_str())).find(no_folder) {
        return Some(Damage::no_folder(file));
    }
    let writing = name.rsplit_once('/').map(|(folder, _)| format!("{folder}/writing.tmp"));
    // A full tile takes its partial ones away, whatever they are; at a start, each of them is looked at while it is not full.
    let earlier = if tile.is_full() { Vec::new() } else { disk.names(&layout.path(&partials)).unwrap_or_default() };
    let earlier = earlier.iter().filter(|width| width.parse::<u16>().is_ok_and(|width| width < tile.width()));
    let files = earlier.map(|width| format!("{partials}/{width}")).chain(writing).chain(std::iter::once(name.clone()));
    files.into_iter().find_map(|file| disk.other_at(&layout.path(&file)).map(|kind| Damage::in_the_way(file, kind)))
}

/// Makes everything that was published durable, so that the journals it follows from may go.
pub fn sync_published(layout: &Layout) -> Result<(), OpenError> {
    let path = layout.path("log");
    layout.disk().sync_all(&path).at("cannot sync", &path)
}
