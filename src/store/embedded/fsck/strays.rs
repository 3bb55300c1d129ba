//! What lies in the folder besides the files that the checks read anyway: partial tiles of older sizes, which anyone may still fetch, and files
//! that the store never made.

use std::collections::BTreeMap;
use std::path::Path;

use super::FsckReport;
use super::published::is_beyond;
use crate::audit::leaf::Leaf;
use crate::audit::note::LogVerifier;
use crate::audit::tile_nodes::TileRead as _;
use crate::audit::tiles::{TileId, TileKind};
use crate::audit::tree::Hash;
use crate::domain::time::parse_date;
use crate::regular_file::Kind;
use crate::store::embedded::calendar;
use crate::store::embedded::error::{Damage, OpenError};
use crate::store::embedded::index;
use crate::store::embedded::layout::{BEHIND, Current, FOLDERS, Layout};
use crate::store::embedded::tiles::TileFolder;

pub(super) const FOREIGN: &str = "the store did not make this file; find out where it comes from and move it out of the folder";
/// Files of the store's own folder, besides its folders. A file system's own `lost+found` is nobody's.
const OWN: [&str; 11] = [
    "LOCK",
    "FORMAT",
    "FORMAT.tmp",
    "CURRENT",
    "CURRENT.tmp",
    "reserve",
    "previous",
    calendar::HELD,
    "CALENDAR-HELD.tmp",
    calendar::CONFIRMED,
    "lost+found",
];
/// Folders below `log/` are walked no deeper than a tile's name can be.
const DEPTH_MAX: usize = 9;

/// Names below the store's folder that are not the store's. Its own leftovers, which the next start destroys, are none.
pub fn foreign(layout: &Layout) -> Result<Vec<String>, OpenError> {
    let Some(current) = Current::read(layout)? else { return Ok(Vec::new()) };
    // Months that are not in force are leftovers and no strangers; which of both does not matter here.
    let mut found = layout.strangers(&current, &[])?.foreign;
    for name in layout.names(".")? {
        // A link to a folder elsewhere serves as one, and the store made none.
        let folder = || FOLDERS.contains(&name.as_str()) && layout.disk().other_at(&layout.path(&name)) != Some(Kind::Link);
        if !OWN.contains(&name.as_str()) && !folder() {
            found.push(name);
        }
    }
    // Whatever stands in the index's place costs it and nothing else.
    for name in layout.names("index").unwrap_or_default() {
        if parse_date(&format!("{name}-01")).is_none() {
            found.push(format!("index/{name}"));
        }
    }
    for month in months_of_index(layout) {
        let is_other = |path: &Path| layout.disk().other_at(path).is_some_and(|kind| kind != Kind::Folder);
        // Such are removed.
        if is_other(&layout.path(&month)) {
            continue;
        }
        let names = layout.names(&month).unwrap_or_default().into_iter();
        let names = names.map(|name| (index::is_of_sled(&name), format!("{month}/{name}")));
        found.extend(names.filter(|(is_of_sled, name)| !is_of_sled && !is_other(&layout.path(name))).map(|(_, name)| name));
    }
    Ok(found)
}

/// Foreign files as findings.
pub fn check_foreign(layout: &Layout, report: &mut FsckReport) -> Result<(), OpenError> {
    for name in foreign(layout)? {
        report.found(name, 0, FOREIGN);
    }
    let Some(current) = Current::read(layout)? else { return Ok(()) };
    report.damages.extend(layout.in_the_way(&current)?);
    check_index(layout, report);
    Ok(())
}

/// Among sled's files: what is none, which the gateway removes before sled opens them, and files of other names.
fn check_index(layout: &Layout, report: &mut FsckReport) {
    for month in months_of_index(layout) {
        let (folder, disk) = (layout.path(&month), layout.disk());
        for (path, kind) in index::others_in(disk, &folder) {
            let name = path.strip_prefix(layout.root()).unwrap_or(&path).display().to_string();
            report.found(name, 0, format!("{kind} stands among the search index's files; the gateway removes it before it opens them"));
        }
    }
}

/// The folders of the months of the search index.
fn months_of_index(layout: &Layout) -> impl Iterator<Item = String> {
    let names = layout.names("index").unwrap_or_default();
    names.into_iter().filter(|name| parse_date(&format!("{name}-01")).is_some()).map(|name| format!("index/{name}"))
}

/// The files beside the log that this one follows.
pub fn check_previous_folder(previous: &Layout, verifier: &LogVerifier, report: &mut FsckReport) -> Result<(), OpenError> {
    for name in previous.names(".")? {
        if !["FORMAT", "log", "log.vkey", "last-known"].contains(&name.as_str()) {
            report.found(name, 0, FOREIGN);
        }
    }
    let key = format!("{verifier}\n");
    match previous.disk().read(&previous.path("log.vkey")) {
        Ok(found) if found == key.as_bytes() => {}
        Ok(found) => {
            let at = found.iter().zip(key.as_bytes()).position(|(found, key)| found != key).unwrap_or(found.len().min(key.len()));
            report.found("log.vkey", at as u64, "it is not the key of this log");
        }
        Err(error) => report.found("log.vkey", 0, error.to_string()),
    }
    // Three lines: name, size, root.
    match previous.disk().read(&previous.path("last-known")) {
        Ok(found) => {
            let end = found.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(2).map(|(at, _)| at + 1);
            if end != Some(found.len()) {
                report.found("last-known", end.unwrap_or(found.len()) as u64, BEHIND);
            }
        }
        Err(error) => report.found("last-known", 0, error.to_string()),
    }
    Ok(())
}

/// Every file of the published log that a log of `size` entries does not name: a partial tile of an older size must be the beginning of the tile that
/// has grown from it, and what bears no name of a tile is foreign. Tiles of more entries are given back.
pub fn check_log_folder(layout: &Layout, size: u64, report: &mut FsckReport) -> Vec<TileId> {
    let mut partials: BTreeMap<TileId, Vec<TileId>> = BTreeMap::new();
    let mut beyond = Vec::new();
    walk(layout, "log", 0, &mut |name| {
        let below = name.strip_prefix("log/").unwrap_or(name);
        if let Some(kind) = layout.disk().other_at(&layout.path(name)) {
            return report.damages.push(Damage::in_the_way(name, kind));
        }
        match below.parse::<TileId>() {
            Ok(tile) if is_beyond(tile, size) => beyond.push(tile),
            Ok(tile) if !tile.is_full() => partials.entry(tile.full()).or_default().push(tile),
            Ok(_) => {}
            // What a crash leaves of one that was being written goes with the next that is.
            Err(_) if below == "checkpoint" || below == "checkpoint.tmp" || below.ends_with("/writing.tmp") => {}
            Err(_) => report.found(name, 0, FOREIGN),
        }
    });
    let folder = TileFolder::new(layout);
    for (full, tiles) in partials {
        check_partials(&folder, full, &tiles, size, report);
    }
    beyond
}

fn check_partials(folder: &TileFolder, full: TileId, tiles: &[TileId], size: u64, report: &mut FsckReport) {
    let (count, unit) = match full.kind() {
        TileKind::Entries => (size, 2 + Leaf::LEN),
        TileKind::Hashes(level) => (size.checked_shr(8 * u32::from(level)).unwrap_or(0), Hash::LEN),
    };
    let width = count.saturating_sub(full.first()).min(u64::from(full.width()));
    let grown = u16::try_from(width).ok().and_then(|width| TileId::new(full.kind(), full.index(), width).ok());
    let Some(grown) = grown.and_then(|tile| folder.read(tile).ok()) else { return };
    for tile in tiles.iter().filter(|tile| u64::from(tile.width()) <= width) {
        let name = format!("log/{tile}");
        let Ok(found) = folder.read(*tile) else {
            report.found(name, 0, "it cannot be read");
            continue;
        };
        let Some(wanted) = grown.get(..usize::from(tile.width()) * unit) else { continue };
        let differs =
            found.iter().zip(wanted).position(|(a, b)| a != b).or((found.len() != wanted.len()).then_some(found.len().min(wanted.len())));
        if let Some(at) = differs {
            report.found(name, at as u64, "it is not the beginning of the tile that has grown from it");
        }
    }
}

fn walk(layout: &Layout, name: &str, depth: usize, visit: &mut dyn FnMut(&str)) {
    let path = layout.path(name);
    let below = name.strip_prefix("log/").unwrap_or_default();
    let is_file = below.ends_with(".tmp") || below.parse::<TileId>().is_ok();
    // The checkpoint and the file that takes its place are looked at with the store's other files.
    if below.starts_with("checkpoint") && layout.disk().is_dir(&path) {
        return;
    }
    if depth > DEPTH_MAX || is_file || !layout.disk().is_dir(&path) {
        return visit(name);
    }
    let mut names = layout.disk().names(&path).unwrap_or_default();
    names.sort_unstable();
    for below in names {
        walk(layout, &format!("{name}/{below}"), depth + 1, visit);
    }
}
