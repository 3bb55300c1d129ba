//! The files of held records: each record against the leaf that stands in the log.

use super::FsckReport;
use crate::audit::bundle;
use crate::audit::leaf::Leaf;
use crate::audit::tile_nodes::TileRead as _;
use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind};
use crate::store::embedded::error::OpenError;
use crate::store::embedded::holds::{self, HeldFile};
use crate::store::embedded::keys::Keys;
use crate::store::embedded::layout::Layout;
use crate::store::embedded::records::{HEADER_LEN, SLOT_LEN};
use crate::store::embedded::tiles::TileFolder;
use crate::store::evidence;

/// Every record of every file.
pub fn check(layout: &Layout, keys: &Keys, files: &[HeldFile], published: u64, report: &mut FsckReport) -> Result<(), OpenError> {
    let folder = TileFolder::new(layout);
    for file in files {
        let opened = match holds::open(layout, keys, file) {
            Ok(opened) => opened,
            Err(error) => {
                report.take(Err(error))?;
                continue;
            }
        };
        for (number, index) in file.indices.iter().enumerate() {
            let slot = match holds::read(&opened, file, number) {
                Ok(slot) => slot,
                Err(error) => {
                    report.take(Err(error))?;
                    continue;
                }
            };
            report.records += 1;
            let leaf = evidence::leaf(&slot.entry.record, &slot.entry.openings);
            if leaf_at(&folder, *index, published).is_some_and(|stored| stored != *leaf.as_bytes()) {
                let what = format!("the record at log index {index} is not the one in the log");
                report.found(file.name(), (HEADER_LEN + number * SLOT_LEN) as u64, what);
            }
        }
    }
    Ok(())
}

/// The published leaf at `index`; none when its bundle cannot be read, which is a finding of its own.
fn leaf_at(folder: &TileFolder, index: u64, published: u64) -> Option<[u8; Leaf::LEN]> {
    let width = u64::from(TILE_WIDTH);
    let first = index / width * width;
    let wide = u16::try_from(published.checked_sub(first)?.min(width)).ok()?;
    let bytes = folder.read(TileId::new(TileKind::Entries, index / width, wide).ok()?).ok()?;
    let entries = bundle::decode(&bytes, wide).ok()?;
    (*entries.get(usize::try_from(index - first).ok()?)?).try_into().ok()
}

/// Whether the files of records are there whose keys are: without the storage key nothing tells which are in force, but none goes before its key does.
pub fn check_there(layout: &Layout, report: &mut FsckReport) -> Result<(), OpenError> {
    let file_of = |key: &str| {
        let (folder, name) = key.strip_suffix(".key")?.split_once('-')?;
        matches!(folder, "records" | "holds").then(|| (folder.to_owned(), name.to_owned()))
    };
    let mut gone = Vec::new();
    for key in layout.names("keys")? {
        let Some((folder, name)) = file_of(&key) else { continue };
        if !layout.names(&folder)?.contains(&name) {
            gone.push((key, format!("{folder}/{name}")));
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    // What a running store destroyed meanwhile has no key any more.
    let keys = layout.names("keys")?;
    for (_, file) in gone.into_iter().filter(|(key, _)| keys.contains(key)) {
        report.found(file, 0, "the file is gone, and its key is there");
    }
    Ok(())
}
