//! Entries as an auditor's answer is checked: leaves from the published log, records from the files. Damage is told entry by entry, so that an
//! answer can say it; nothing in here believes a file.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::engine::Engine;
use super::layout::Layout;
use super::records::{Archive, Entry};
use super::tail::Copied;
use super::tiles::TileFolder;
use crate::audit::bundle;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::leaf::Leaf;
use crate::audit::range::{Held, OpenEntry};
use crate::audit::tile_nodes::TileRead as _;
use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind};
use crate::store::StoreError;

const WIDTH: u64 = TILE_WIDTH as u64;

/// The signed checkpoint that lies published, as its readers get it.
pub fn published_head(engine: &Engine) -> Result<(Bytes, Checkpoint), StoreError> {
    let damaged = || StoreError::Damaged { place: "log/checkpoint".into() };
    let bytes = engine.layout.disk().read(&engine.layout.path("log/checkpoint")).map_err(|_| damaged())?;
    let text = String::from_utf8(bytes).map_err(|_| damaged())?;
    let head = Checkpoint::open(&text, engine.signer.verifier()).map_err(|_| damaged())?;
    Ok((Bytes::from(text), head))
}

/// The entries from `from` up to `to`, or to the published size.
pub fn entries(engine: &Engine, from: u64, to: u64) -> Vec<OpenEntry> {
    let to = to.min(engine.published.load(Ordering::SeqCst));
    let leaves = leaves(&engine.layout, engine.published.load(Ordering::SeqCst), from, to);
    loop {
        let archive = engine.archive.load_full();
        let found = held(engine, &archive, from, to);
        // A turn that replaced the files meanwhile must not be taken for damage.
        if Arc::ptr_eq(&archive, &engine.archive.load_full()) {
            return (from..to).zip(leaves).zip(found).map(|((index, leaf), held)| OpenEntry { index, leaf, held }).collect();
        }
    }
}

/// The leaves as the bundles of a log that is published up to `size` give them.
pub fn leaves(layout: &Layout, size: u64, from: u64, to: u64) -> Vec<Option<Leaf>> {
    let folder = TileFolder::new(layout);
    let mut leaves = Vec::with_capacity(usize::try_from(to.saturating_sub(from)).unwrap_or(0));
    let mut next = from;
    while next < to {
        let first = next / WIDTH * WIDTH;
        let end = to.min(first + WIDTH);
        let width = (size - first).min(WIDTH) as u16;
        let read = TileId::new(TileKind::Entries, next / WIDTH, width).ok().and_then(|tile| folder.read(tile).ok());
        let data = read.as_deref().and_then(|bytes| bundle::decode(bytes, width).ok());
        for index in next..end {
            let entry = data.as_ref().and_then(|data| data.get((index - first) as usize));
            leaves.push(entry.and_then(|data| <[u8; Leaf::LEN]>::try_from(*data).ok()).and_then(Leaf::from_bytes));
        }
        next = end;
    }
    leaves
}

/// What is held of each entry: below the first month kept what a legal hold keeps, then the files, then the tail in memory.
fn held(engine: &Engine, archive: &Archive, from: u64, to: u64) -> Vec<Held> {
    let mut held = Vec::with_capacity(usize::try_from(to.saturating_sub(from)).unwrap_or(0));
    let of = |entry: Entry| Held::Record(Box::new((entry.record, entry.openings)));
    let mut next = from;
    let tail_first = engine.tail.lock().first();
    let kept = archive.first_kept().unwrap_or(tail_first);
    while next < to.min(kept) {
        held.push(match archive.held().slot(next) {
            Ok(Some(slot)) => of(slot.entry),
            Ok(None) => Held::Erased,
            Err(_) => Held::Unreadable,
        });
        next += 1;
    }
    let files_end = archive.months().last().map_or(kept, super::records::Month::end);
    while next < to.min(files_end) {
        archive.each(next, to.min(files_end), &mut |_, slot| {
            held.push(slot.map_or(Held::Unreadable, |slot| of(slot.entry)));
            true
        });
        next = to.min(files_end);
    }
    if next < to {
        let chunk = engine.tail.lock().copy(next, usize::try_from(to - next).unwrap_or(usize::MAX));
        held.extend(chunk.into_iter().flat_map(Copied::entries).map(|(_, entry)| of(entry)));
        held.resize_with(usize::try_from(to.saturating_sub(from)).unwrap_or(0), || Held::Unreadable);
    }
    held
}
