//! Tiles of C2SP tlog-tiles: their names, which of them a growing log must write, and their content.
//!
//! Tile n of level l holds the roots of up to 256 complete subtrees of 256^l leaves, from the (n · 256)-th on. A tile with fewer than 256 is
//! *partial* and stands under a name of its own. Entry bundles follow the same numbering as the tiles of level 0.

use std::fmt;
use std::str::FromStr;

use super::text;
use super::tree::{Hash, NodeSource, SIZE_MAX};

/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// The highest level that a tile's name may bear.
pub const TILE_LEVEL_MAX: u8 = 63;
/// Levels of the hash tree that one level of tiles spans.
pub(super) const LEVELS_PER_TILE: u32 = 8;
/// The longest name that is parsed, in bytes.
const PATH_BYTES_MAX: usize = 64;

const WIDTH: u64 = TILE_WIDTH as u64;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// The entries themselves: a bundle.
    Entries,
    /// Hashes of the level 0 to 63, where level l stands for subtrees of 256^l leaves.
    Hashes(u8),
}

/// Why a tile's name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTile {
    /// The text is no canonical tile path.
    #[error("a tile path is like tile/0/x001/x234/067 or tile/entries/000.p/12")]
    Path,
    /// Level above 63, width outside 1 to 256, or an index that no log reaches.
    #[error("a tile's level is 0 to {TILE_LEVEL_MAX}, its width 1 to {TILE_WIDTH}, its index below 2^54")]
    Bounds,
}

/// The name of one tile or bundle: what it holds, its number, and how many hashes or entries. Prints as its path: `tile/0/x001/x234/067.p/12`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl TileId {
    /// A tile's name; `width` is 256 for a full tile.
    ///
    /// # Errors
    /// [`InvalidTile::Bounds`] for a level above 63, a width outside 1 to 256, or an index of 2^54 and more.
    pub const fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, InvalidTile> {
        let level_fits = match kind {
            TileKind::Entries => true,
            TileKind::Hashes(level) => level <= TILE_LEVEL_MAX,
        };
        if level_fits && width >= 1 && width <= TILE_WIDTH && index < SIZE_MAX / WIDTH {
            Ok(Self { kind, index, width })
        } else {
            Err(InvalidTile::Bounds)
        }
    }

    /// What it holds.
    #[must_use]
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its number within its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds, 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it holds 256, so that it never changes.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The number of its first hash within its level, or of its first entry.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.index * WIDTH
    }

    /// The same place when it is full.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: TILE_WIDTH, ..self }
    }

    /// The path below the log's prefix.
    #[must_use]
    pub fn path(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Entries => f.write_str("tile/entries/")?,
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut unit = 1_000_000_u64.pow(3);
        while unit > 1 {
            if self.index >= unit {
                write!(f, "x{:03}/", self.index / unit % 1000)?;
            }
            unit /= 1000;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl fmt::Debug for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn parse_index(groups: &str) -> Option<u64> {
    let mut index = 0_u64;
    let mut rest = groups;
    loop {
        let (group, more) = match rest.split_once('/') {
            Some((group, more)) => (group.strip_prefix('x')?, Some(more)),
            None => (rest, None),
        };
        if group.len() != 3 || !group.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let value: u64 = group.parse().ok()?;
        if value == 0 && index == 0 && more.is_some() {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(value)?;
        match more {
            Some(more) => rest = more,
            None => return Some(index),
        }
    }
}

impl FromStr for TileId {
    type Err = InvalidTile;

    /// Accepts exactly what `Display` writes.
    fn from_str(path: &str) -> Result<Self, InvalidTile> {
        if path.len() > PATH_BYTES_MAX {
            return Err(InvalidTile::Path);
        }
        let (kind, place) = path.strip_prefix("tile/").and_then(|rest| rest.split_once('/')).ok_or(InvalidTile::Path)?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(text::decimal(level).and_then(|level| u8::try_from(level).ok()).ok_or(InvalidTile::Path)?),
        };
        let (groups, width) = match place.split_once(".p/") {
            None => (place, TILE_WIDTH),
            Some((groups, width)) => {
                let width = text::decimal(width).and_then(|width| u16::try_from(width).ok()).ok_or(InvalidTile::Path)?;
                if width >= TILE_WIDTH {
                    return Err(InvalidTile::Bounds);
                }
                (groups, width)
            }
        };
        Self::new(kind, parse_index(groups).ok_or(InvalidTile::Path)?, width)
    }
}

/// The tiles of one kind whose content is new when the number of hashes (or entries) of that kind goes from `old` to `new`.
fn grown(kind: TileKind, old: u64, new: u64) -> impl Iterator<Item = TileId> {
    let full = (old / WIDTH..new / WIDTH).map(move |index| TileId { kind, index, width: TILE_WIDTH });
    let width = (new % WIDTH) as u16;
    let partial = (width != 0 && new != old).then_some(TileId { kind, index: new / WIDTH, width });
    full.chain(partial)
}

/// The tiles that must be written when the published size goes from `old_size` to `new_size`: all that are full at the new size and were not at
/// the old one, and the partial ones of the new size. Bundles first, then hash tiles from level 0 upwards; nothing when the log did not grow.
///
/// Sizes beyond [`SIZE_MAX`] count as that.
pub fn tiles_for(old_size: u64, new_size: u64) -> impl Iterator<Item = TileId> {
    let (old, new) = (old_size.min(SIZE_MAX), new_size.min(SIZE_MAX));
    let new = new.max(old);
    let levels = (0..8_u8).flat_map(move |level| {
        let shift = LEVELS_PER_TILE * u32::from(level);
        grown(TileKind::Hashes(level), old >> shift, new >> shift)
    });
    grown(TileKind::Entries, old, new).chain(levels)
}

/// The partial tiles of a published size: the ones to remove once their full tiles stand.
pub fn partials_of(size: u64) -> impl Iterator<Item = TileId> {
    let size = size.min(SIZE_MAX);
    std::iter::once(TileKind::Entries).chain((0..8).map(TileKind::Hashes)).filter_map(move |kind| {
        let count = match kind {
            TileKind::Entries => size,
            TileKind::Hashes(level) => size >> (LEVELS_PER_TILE * u32::from(level)),
        };
        let width = (count % WIDTH) as u16;
        (width != 0).then_some(TileId { kind, index: count / WIDTH, width })
    })
}

/// The content of a hash tile: `width` hashes of 32 bytes.
///
/// # Errors
/// What the source says; `None` inside means that the tile is a bundle, or of a level that no tree reaches.
pub fn hash_tile<S: NodeSource + ?Sized>(src: &S, tile: TileId) -> Result<Option<Vec<u8>>, S::Error> {
    let TileKind::Hashes(level @ 0..=7) = tile.kind else {
        return Ok(None);
    };
    let mut content = Vec::with_capacity(usize::from(tile.width) * Hash::LEN);
    for place in 0..u64::from(tile.width) {
        content.extend_from_slice(src.node(LEVELS_PER_TILE * u32::from(level), tile.first() + place)?.as_ref());
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::tree::tests::AllNodes;
    use super::*;

    fn paths(old: u64, new: u64) -> Vec<String> {
        tiles_for(old, new).map(|tile| tile.path()).collect()
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        for (kind, index, width, path) in [
            (TileKind::Hashes(0), 1_234_067, 12, "tile/0/x001/x234/067.p/12"),
            (TileKind::Hashes(0), 1_234_067, 256, "tile/0/x001/x234/067"),
            (TileKind::Entries, 0, 256, "tile/entries/000"),
            (TileKind::Entries, 1000, 255, "tile/entries/x001/000.p/255"),
            (TileKind::Hashes(63), 999, 1, "tile/63/999.p/1"),
            (TileKind::Hashes(1), (1 << 54) - 1, 256, "tile/1/x018/x014/x398/x509/x481/983"),
        ] {
            let tile = TileId::new(kind, index, width).unwrap();
            assert_eq!(tile.path(), path);
            assert_eq!(path.parse(), Ok(tile));
        }
    }

    #[test]
    fn a_path_has_one_spelling() {
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/0/x000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x01/002",
            "tile/0/x001/x002",
            "tile/00/001",
            "tile/0/001/",
            "tile/0/001.p",
            "tile/0/001.p/",
            "tile/0/001.p/01",
            "tile/0/001.p/1.p/1",
            "tile/0/001.p/1/",
            "tile/-1/001",
            "tile/Entries/001",
            "tile/0/../001",
            "/tile/0/001",
            "tile/0/x001/x001/x001/x001/x001/x001/x001/001",
        ] {
            assert_eq!(bad.parse::<TileId>(), Err(InvalidTile::Path), "{bad}");
        }
        for bad in ["tile/64/001", "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/300", "tile/0/x018/x014/x398/x509/x481/984"] {
            assert_eq!(bad.parse::<TileId>(), Err(InvalidTile::Bounds), "{bad}");
        }
        assert_eq!(TileId::new(TileKind::Entries, 1 << 54, 1), Err(InvalidTile::Bounds));
        assert_eq!(TileId::new(TileKind::Entries, 0, 0), Err(InvalidTile::Bounds));
    }

    #[test]
    fn a_log_of_70_000_has_the_tiles_that_the_specification_lists() {
        let all: Vec<TileId> = tiles_for(0, 70_000).collect();
        let count = |kind, full| all.iter().filter(|tile| tile.kind() == kind && tile.is_full() == full).count();
        assert_eq!(count(TileKind::Entries, true), 273);
        assert_eq!(count(TileKind::Hashes(0), true), 273);
        assert_eq!(count(TileKind::Hashes(1), true), 1);
        let partial: Vec<String> = partials_of(70_000).map(|tile| tile.path()).collect();
        assert_eq!(partial, ["tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
        assert_eq!(all.len(), 273 * 2 + 1 + 4);
        assert_eq!(paths(0, 256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(paths(0, 0), Vec::<String>::new());
        assert_eq!(paths(300, 300), Vec::<String>::new());
        assert_eq!(paths(300, 200), Vec::<String>::new());
        assert_eq!(paths(256, 257), ["tile/entries/001.p/1", "tile/0/001.p/1"]);
        assert_eq!(paths(255, 256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert!(tiles_for(SIZE_MAX - 1, u64::MAX).count() < 20);
    }

    #[test]
    fn growing_by_any_steps_writes_every_tile_of_the_final_size() {
        for steps in [1_u64, 7, 255, 256, 257, 5000] {
            let mut written = BTreeSet::new();
            let mut size = 0;
            while size < 66_000 {
                let next = (size + steps).min(66_000);
                for tile in tiles_for(size, next) {
                    assert!(written.insert(tile), "{tile} is written once");
                }
                size = next;
            }
            assert!(tiles_for(0, 66_000).all(|tile| written.contains(&tile)), "steps of {steps}");
            let full = |tile: &&TileId| tile.is_full();
            assert_eq!(written.iter().filter(full).count(), tiles_for(0, 66_000).collect::<Vec<_>>().iter().filter(full).count());
        }
    }

    #[test]
    fn the_partials_of_a_size_are_all_of_its_partials() {
        for size in (0..1000).chain([65_535, 65_536, 65_537, 65_792, 70_000, 1 << 24, (1 << 24) + 256]) {
            let wanted: BTreeSet<TileId> = tiles_for(0, size).filter(|tile| !tile.is_full()).collect();
            assert_eq!(partials_of(size).collect::<BTreeSet<_>>(), wanted, "{size}");
        }
    }

    #[test]
    fn a_tile_holds_the_subtrees_of_its_level() {
        let all = AllNodes::of(600);
        let tile = hash_tile(&all, "tile/1/000.p/2".parse().unwrap()).unwrap().unwrap();
        assert_eq!(tile[..32], all.node(8, 0).unwrap().as_bytes()[..]);
        assert_eq!(tile[32..], all.node(8, 1).unwrap().as_bytes()[..]);
        assert_eq!(hash_tile(&all, "tile/0/002.p/88".parse().unwrap()).unwrap().unwrap().len(), 88 * 32);
        assert_eq!(hash_tile(&all, "tile/0/002".parse().unwrap()), Err((0, 600)));
        assert_eq!(hash_tile(&all, "tile/entries/000".parse().unwrap()), Ok(None));
        assert_eq!(hash_tile(&all, "tile/8/000".parse().unwrap()), Ok(None));
    }

    proptest! {
        #[test]
        fn every_tile_survives_its_path(level in 0_u8..=64, index in 0_u64..1 << 54, shrink in 0_u32..54, width in 1_u16..=256) {
            let kind = if level == 64 { TileKind::Entries } else { TileKind::Hashes(level) };
            let tile = TileId::new(kind, index >> shrink, width).unwrap();
            prop_assert_eq!(tile.path().parse(), Ok(tile));
        }

        #[test]
        fn every_accepted_path_is_the_tiles_path(path in "tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
            if let Ok(tile) = path.parse::<TileId>() {
                prop_assert_eq!(tile.path(), path);
            }
        }

        #[test]
        fn no_path_panics(path in "\\PC{0,80}") {
            let _ = path.parse::<TileId>();
        }
    }
}
