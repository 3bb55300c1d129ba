//! The published log: every bundle, tile, partial and the root against the signed checkpoint, and what lies beyond that.

use super::{FsckReport, Progress, strays};
use crate::audit::bundle;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::leaf::Leaf;
use crate::audit::note::LogVerifier;
use crate::audit::tile_nodes::{TileNodes, TileRead as _};
use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind, tiles_for};
use crate::audit::tree::{Frontier, Hash, root_at};
use crate::store::embedded::layout::{BEHIND, Layout};
use crate::store::embedded::tiles::{TileFolder, counted};

const WIDTH: u64 = TILE_WIDTH as u64;

/// What was found of the published log.
pub struct Published {
    /// The checkpoint, if it verifies.
    pub head: Option<Checkpoint>,
    /// Entries whose tiles were looked at: those of the checkpoint, or more where there are tiles of more.
    pub size: u64,
    /// Where those tiles lead, unless they are too damaged to tell.
    pub root: Option<Hash>,
    /// Tiles of still more.
    pub beyond: Vec<TileId>,
}

/// Checks it. `least` entries are known to have been published.
pub fn check(
    layout: &Layout,
    verifier: &LogVerifier,
    least: u64,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(Progress),
) -> Published {
    let head = checkpoint(layout, verifier, report);
    let published = head.as_ref().map_or(0, Checkpoint::size);
    if head.is_some() && published < least {
        let what = format!("it is of {published} entries, and {least} were published: an older one stands in its place");
        report.found("log/checkpoint", 0, what);
    }
    let (folder, size) = (TileFolder::new(layout), reach(layout, published));
    let tiles: Vec<TileId> = tiles_for(0, size).collect();
    for (tile, done) in tiles.iter().zip(1_u64..) {
        if done.is_multiple_of(64) || done == tiles.len() as u64 {
            progress(Progress { stage: "published log", done, total: tiles.len() as u64 });
        }
        match tile.kind() {
            TileKind::Entries => check_bundle(&folder, *tile, report),
            TileKind::Hashes(0) => {}
            TileKind::Hashes(_) => check_upper(&folder, *tile, report),
        }
    }
    let nodes = TileNodes::new(size, folder);
    if let Some(head) = &head {
        match root_at(&nodes, published) {
            Ok(root) if root == head.root() => {}
            Ok(_) => report.found("log/checkpoint", 0, "the tiles do not lead to the checkpoint's root"),
            Err(error) => report.found("log", 0, error.to_string()),
        }
    }
    report.published = published;
    let beyond = strays::check_log_folder(layout, size, report);
    Published { head, size, root: root_at(&nodes, size).ok(), beyond }
}

fn checkpoint(layout: &Layout, verifier: &LogVerifier, report: &mut FsckReport) -> Option<Checkpoint> {
    let text = match layout.disk().read(&layout.path("log/checkpoint")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => {
            report.found("log/checkpoint", 0, error.to_string());
            return None;
        }
    };
    let head = match Checkpoint::open(&text, verifier) {
        Ok(head) => head,
        Err(error) => {
            let behind = end_of_note(&text).filter(|end| text.get(..*end).is_some_and(|text| Checkpoint::open(text, verifier).is_ok()));
            match behind {
                Some(end) => report.found("log/checkpoint", end as u64, BEHIND),
                None => report.found("log/checkpoint", 0, error.to_string()),
            }
            return None;
        }
    };
    // Others' signatures would be no damage to a reader, but the store writes none.
    if let Some(end) = end_of_note(&text).filter(|end| *end < text.len()) {
        report.found("log/checkpoint", end as u64, BEHIND);
    }
    Some(head)
}

/// The largest size, from `published` on, of which all tiles lie there that are not of `published`: more than the checkpoint says where it is an older
/// one, or when a crash came before it was replaced.
fn reach(layout: &Layout, published: u64) -> u64 {
    let disk = layout.disk();
    let is_there = |tile: &TileId| disk.exists(&layout.path(&format!("log/{}", tile.path())));
    let mut index = published / WIDTH;
    while is_there(&tile(TileKind::Hashes(0), index, TILE_WIDTH)) && is_there(&tile(TileKind::Entries, index, TILE_WIDTH)) {
        index += 1;
    }
    let folder = layout.path(&format!("log/{}.p", tile(TileKind::Hashes(0), index, TILE_WIDTH).path()));
    let widths = disk.names(&folder).unwrap_or_default().into_iter().filter_map(|name| name.parse::<u64>().ok());
    let mut sizes: Vec<u64> = widths.filter(|width| *width < WIDTH).chain([0]).map(|width| index * WIDTH + width).collect();
    sizes.sort_unstable();
    let is_whole = |size: &u64| tiles_for(published, *size).all(|tile| is_there(&tile));
    sizes.into_iter().rev().take_while(|size| *size > published).find(is_whole).unwrap_or(published)
}

/// The tiles of which the log, `size` entries of which are anywhere, has none.
pub fn check_beyond(tiles: &[TileId], size: u64, report: &mut FsckReport) {
    for tile in tiles {
        if is_beyond(*tile, size) {
            report.found(format!("log/{tile}"), 0, format!("a log of {size} entries has no such tile; {}", strays::FOREIGN));
        }
    }
}

/// Whether a log of `size` entries has no such tile.
pub fn is_beyond(tile: TileId, size: u64) -> bool {
    tile.first().saturating_add(u64::from(tile.width())) > counted(tile.kind(), size)
}

/// Where a note with one signature ends.
fn end_of_note(text: &str) -> Option<usize> {
    let signatures = text.find("\n\n")? + 2;
    text[signatures..].find('\n').map(|line| signatures + line + 1)
}

pub fn tile(kind: TileKind, index: u64, width: u16) -> TileId {
    TileId::new(kind, index, width).expect("made from a tile of a checked size")
}

/// A bundle's entries against the hashes of the tile of level 0 beside it.
fn check_bundle(folder: &TileFolder, id: TileId, report: &mut FsckReport) {
    let name = format!("log/{id}");
    let hashes = tile(TileKind::Hashes(0), id.index(), id.width());
    let Ok(content) = folder.read(id) else { return report.found(name, 0, "it cannot be read") };
    let Ok(level0) = folder.read(hashes) else { return report.found(format!("log/{hashes}"), 0, "it cannot be read") };
    let end = usize::from(id.width()) * Hash::LEN;
    if level0.len() != end {
        report.found(format!("log/{hashes}"), level0.len().min(end) as u64, "it has another length than its name says");
    }
    let entries = match bundle::decode(&content, id.width()) {
        Ok(entries) => entries,
        Err(error) => {
            let end = usize::from(id.width()) * (2 + Leaf::LEN);
            let offset = if error == bundle::BundleError::Trailing { end } else { 0 };
            return report.found(name, offset as u64, error.to_string());
        }
    };
    let mut offset = 0;
    for (entry, at) in entries.into_iter().zip(0_usize..) {
        // Of a tile that is cut short that is said, and not of each entry beyond that it is another.
        if level0.len() >= (at + 1) * Hash::LEN && level0.get(at * Hash::LEN..(at + 1) * Hash::LEN) != Some(Hash::leaf(entry).as_ref()) {
            report.found(name.clone(), offset, format!("this entry is not the one hashed in log/{hashes} at offset {}", at * Hash::LEN));
        }
        offset += 2 + entry.len() as u64;
    }
}

/// Each hash of an upper tile against the full tile below it.
fn check_upper(folder: &TileFolder, id: TileId, report: &mut FsckReport) {
    let TileKind::Hashes(level) = id.kind() else { return };
    let name = format!("log/{id}");
    let Ok(content) = folder.read(id) else { return report.found(name, 0, "it cannot be read") };
    if content.len() != usize::from(id.width()) * Hash::LEN {
        let end = usize::from(id.width()) * Hash::LEN;
        return report.found(name, content.len().min(end) as u64, "it has another length than its name says");
    }
    for (hash, at) in content.chunks_exact(Hash::LEN).zip(0_u64..) {
        let below = tile(TileKind::Hashes(level - 1), id.index() * WIDTH + at, TILE_WIDTH);
        let Ok(hashes) = folder.read(below) else {
            report.found(format!("log/{below}"), 0, "it cannot be read");
            continue;
        };
        let mut edge = Frontier::new();
        for raw in hashes.chunks_exact(Hash::LEN) {
            edge.push(Hash::from_bytes(raw.try_into().expect("chunks are 32 bytes")));
        }
        if edge.root().as_ref() != hash {
            report.found(name.clone(), at * Hash::LEN as u64, format!("this hash is not that of log/{below}"));
        }
    }
}
