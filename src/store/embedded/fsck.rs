//! The check of a whole store folder, stopped or running: reads only, takes no lock, names file and offset of every damage.
//!
//! Without the storage key: every bundle, tile, partial and the root against the signed checkpoint, and the chain of the journal's frames.
//! With it also: the base, every frame's events and root, every record against its leaf, and every content that is still kept.

mod ends;
mod held;
mod strays;

pub(super) use strays::foreign;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::contents;
use super::disk::{Open, RealDisk};
use super::error::{Damage, OpenError};
use super::frame::{Chain, Header};
use super::holds;
use super::journal::{Reader, Torn};
use super::keys::Keys;
use super::layout::{BEHIND, Current, Format, Layout, journal_name};
use super::records::{HEADER_LEN, Month, SLOT_LEN, open_month, read_slots};
use super::replay::{Replayed, replay};
use super::tiles::TileFolder;
use crate::audit::bundle;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::leaf::Leaf;
use crate::audit::note::LogVerifier;
use crate::audit::tile_nodes::{TileNodes, TileRead as _};
use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind, tiles_for};
use crate::audit::tree::{Frontier, Hash, root_at};
use crate::domain::hold::HoldCopy;
use crate::store::evidence;

const WIDTH: u64 = TILE_WIDTH as u64;

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being checked.
    pub stage: &'static str,
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FsckReport {
    /// The log's name.
    pub origin: String,
    /// The key that verifies it.
    pub log_key: String,
    /// Whether what is sealed was looked at: with the storage key only.
    pub sealed: bool,
    /// Published entries, all of which were read.
    pub published: u64,
    /// Entries after the base that the journals hold; with the storage key only.
    pub journaled: u64,
    /// Frames read.
    pub frames: u64,
    /// Records compared with their leaves; with the storage key only.
    pub records: u64,
    /// Content that opens; with the storage key only.
    pub contents: u64,
    /// Where the last journal file stops being readable, file and offset: what a kill or a power loss leaves, which nobody was told of.
    pub torn: Option<(String, u64)>,
    /// Where journal files before that stop being readable, file and offset: what earlier crashes left.
    pub left: Vec<(String, u64)>,
    /// Where a seal is not what was written, file and offset, before the last frame: the power may have gone before it was durable, and it holds
    /// nothing; the next start writes it again.
    pub lost_seal: Option<(String, u64)>,
    /// Legal holds that lack records, by the log index of their placing; with the storage key only. What stands of these is among the damages, what
    /// is gone nowhere else.
    pub lacking: Vec<(u64, HoldCopy)>,
    /// Everything that is not what was written.
    pub damages: Vec<Damage>,
}

impl FsckReport {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty()
    }

    fn found(&mut self, file: impl Into<String>, offset: u64, what: impl Into<String>) {
        self.damages.push(Damage { file: file.into(), offset, what: what.into() });
    }

    /// Takes damage into the report; anything else ends the check.
    fn take(&mut self, result: Result<(), OpenError>) -> Result<(), OpenError> {
        match result {
            Err(OpenError::Damaged(damage)) => self.damages.push(damage),
            Err(OpenError::Io { path, source, what }) => self.found(path.display().to_string(), 0, format!("{what}: {source}")),
            Err(OpenError::NotAStore { file }) => self.found(file, 0, "the file is not what was written"),
            other => other?,
        }
        Ok(())
    }
}

/// Checks the folder.
///
/// # Errors
/// When the folder is no store at all, is of a newer format, or the storage key is another one. Damage is no error: it stands in the report.
pub fn fsck(dir: &Path, storage_key: Option<Zeroizing<[u8; 32]>>, progress: &mut dyn FnMut(Progress)) -> Result<FsckReport, OpenError> {
    check(Layout::new(dir, Arc::new(RealDisk)), storage_key, progress)
}

/// The same on any disk.
pub(super) fn check(
    layout: Layout,
    storage_key: Option<Zeroizing<[u8; 32]>>,
    progress: &mut dyn FnMut(Progress),
) -> Result<FsckReport, OpenError> {
    let format = Format::read(&layout)?.ok_or_else(|| OpenError::NotAStore { file: "FORMAT".into() })?;
    let verifier: LogVerifier = format.log_key.parse().map_err(|_| OpenError::NotAStore { file: "FORMAT".into() })?;
    let mut report = FsckReport {
        origin: format.origin.clone(),
        log_key: format.log_key.clone(),
        sealed: storage_key.is_some(),
        ..FsckReport::default()
    };
    let head = check_published(&layout, &verifier, &mut report, progress);
    let strangers = strays::check_foreign(&layout, &mut report);
    report.take(strangers)?;
    check_previous(&layout, &mut report, progress)?;
    let keys = storage_key.map(|key| Keys::new(layout.clone(), key));
    let subject_key = keys.as_ref().map(|keys| keys.unwrap_secret("FORMAT", &format.subject_key)).transpose()?;
    for attempt in 0..3 {
        let before = Current::read(&layout);
        let mut part = FsckReport::default();
        match (&keys, &subject_key) {
            (Some(keys), Some(subject_key)) => check_sealed(&layout, keys, **subject_key, head.as_ref(), &mut part, progress)?,
            _ => check_chain(&layout, head.as_ref(), &mut part, progress)?,
        }
        // What a start refuses is no tail that it leaves behind.
        part.torn = part.torn.take().filter(|(file, offset)| !part.damages.iter().any(|at| at.file == *file && at.offset == *offset));
        // A running store may have turned over meanwhile; what was read then is gone, not damaged.
        let turned = before.ok().flatten() != Current::read(&layout).ok().flatten();
        if !turned || attempt == 2 {
            report.frames = part.frames;
            report.journaled = part.journaled;
            report.records = part.records;
            report.contents = part.contents;
            report.torn = part.torn;
            report.left = part.left;
            report.lost_seal = part.lost_seal;
            report.lacking = part.lacking;
            report.damages.append(&mut part.damages);
            break;
        }
    }
    Ok(report)
}

fn check_published(
    layout: &Layout,
    verifier: &LogVerifier,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(Progress),
) -> Option<Checkpoint> {
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
    let folder = TileFolder::new(layout);
    let tiles: Vec<TileId> = tiles_for(0, head.size()).collect();
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
    let nodes = TileNodes::new(head.size(), folder);
    match root_at(&nodes, head.size()) {
        Ok(root) if root == head.root() => {}
        Ok(_) => report.found("log/checkpoint", 0, "the tiles do not lead to the checkpoint's root"),
        Err(error) => report.found("log", 0, error.to_string()),
    }
    report.published = head.size();
    strays::check_log_folder(layout, head.size(), report);
    Some(head)
}

/// Where a note with one signature ends.
fn end_of_note(text: &str) -> Option<usize> {
    let signatures = text.find("\n\n")? + 2;
    text[signatures..].find('\n').map(|line| signatures + line + 1)
}

/// The logs that this one follows, each with its own key.
fn check_previous(layout: &Layout, report: &mut FsckReport, progress: &mut dyn FnMut(Progress)) -> Result<(), OpenError> {
    for name in layout.names("previous")? {
        let folder = format!("previous/{name}");
        let previous = layout.below(&folder);
        let mut part = FsckReport::default();
        let verifier = match Format::read(&previous) {
            Ok(format) => format.and_then(|format| format.log_key.parse::<LogVerifier>().ok()),
            Err(error) => {
                part.take(Err(error))?;
                None
            }
        };
        match verifier {
            Some(verifier) => {
                check_published(&previous, &verifier, &mut part, progress);
                strays::check_previous_folder(&previous, &verifier, &mut part)?;
            }
            None if part.damages.is_empty() => part.found("FORMAT", 0, "the file is gone, or names no key"),
            None => {}
        }
        report.damages.extend(part.damages.into_iter().map(|damage| Damage { file: format!("{folder}/{}", damage.file), ..damage }));
    }
    Ok(())
}

fn tile(kind: TileKind, index: u64, width: u16) -> TileId {
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

/// What can be said of the journal without the key: check sums and the chain.
fn check_chain(
    layout: &Layout,
    head: Option<&Checkpoint>,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    let current = Current::of(layout)?;
    let ends = ends::look(layout, &current)?;
    ends::of_state(layout, &current, report)?;
    held::check_there(layout, report)?;
    let files: Vec<u64> = layout.journals()?.into_iter().filter(|n| *n >= current.journal).collect();
    // The base knows what the first frame follows, but it is sealed; CURRENT says it too, if the last turn was not one of the first programs.
    // Without a base it is known.
    let first = current.base.filter(|_| current.chain.is_none()).and_then(|_| files.iter().find_map(|file| first_header(layout, *file)));
    let first = first.map(|header| Chain { sequence: header.sequence, previous: header.previous });
    let chain = current.chain.or(first).unwrap_or(Chain::START);
    let mut reader = Reader::new(layout, None, chain);
    let (mut size, mut is_whole) = (current.size, true);
    for (file, done) in files.iter().zip(1_u64..) {
        if *file != current.journal + done - 1 {
            report.found(journal_name(current.journal + done - 1), 0, "the file is gone, and later ones are there");
            is_whole = false;
            break;
        }
        let mut frames = 0;
        let result = reader.file(*file, &mut |read| {
            frames += 1;
            size = read.header.size;
            Ok(())
        });
        report.frames += frames;
        let failed = result.is_err();
        report.take(result)?;
        if failed {
            is_whole = false;
            break;
        }
        progress(Progress { stage: "journal", done, total: files.len() as u64 });
    }
    if is_whole {
        check_reaches(head, size, reader.torn(), (&current, &files), report);
    }
    check_gone_journals(layout, &current, report)?;
    report.torn = reader.torn().map(|torn| (journal_name(torn.file), torn.offset));
    report.lost_seal = reader.lost_seal().map(|seal| (journal_name(seal.file), seal.offset));
    ends::of_journals(reader.left(), report);
    ends.report(&current, size, report);
    Ok(())
}

fn first_header(layout: &Layout, file: u64) -> Option<Header> {
    let mut bytes = [0_u8; super::frame::HEADER_LEN];
    layout.disk().open(&layout.path(&journal_name(file)), Open::Read).ok()?.read_exact_at(&mut bytes, 0).ok()?;
    Header::read(&bytes)
}

fn check_sealed(
    layout: &Layout,
    keys: &Keys,
    subject_key: [u8; 32],
    head: Option<&Checkpoint>,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    let current = Current::of(layout)?;
    let files: Vec<u64> = layout.journals()?.into_iter().filter(|n| *n >= current.journal).collect();
    progress(Progress { stage: "base and journal", done: 0, total: files.len() as u64 });
    let mut ends = ends::look(layout, &current)?;
    let replayed = match replay((layout, keys), subject_key, &current, &files, head.map(Checkpoint::size)) {
        Ok(replayed) => replayed,
        Err(error) => {
            ends.report(&current, u64::MAX, report);
            return report.take(Err(error));
        }
    };
    report.frames = replayed.chain.sequence - 1;
    report.torn = replayed.torn.map(|torn| (journal_name(torn.file), torn.offset));
    report.lost_seal = replayed.lost_seal.map(|seal| (journal_name(seal.file), seal.offset));
    report.journaled = replayed.entries.len() as u64;
    ends::of_journals(&replayed.left, report);
    if let (Some(head), Some(root)) = (head, replayed.head_at)
        && root != head.root()
    {
        report.found("log/checkpoint", 0, "the journal leads to another root than the one published");
    }
    check_reaches(head, replayed.nodes.size(), replayed.torn, (&current, &files), report);
    if !files.contains(&current.journal) {
        report.found(journal_name(current.journal), 0, "the journal that CURRENT names is gone");
    }
    check_gone_journals(layout, &current, report)?;
    check_contents(layout, keys, &replayed, report)?;
    if let Some(number) = current.base {
        check_content_end(layout, number, &replayed, report);
    }
    let published = head.map_or(0, Checkpoint::size);
    for month in &replayed.months {
        check_month(layout, keys, month, published, report, progress)?;
    }
    report.lacking = holds::lacking(&replayed.held);
    held::check(layout, keys, &replayed.held, published, report)?;
    ends.compare(keys, &current, &replayed)?;
    ends.report(&current, replayed.nodes.size(), report);
    Ok(())
}

/// Whether the journals reach as far as was published, `size` being what they lead to.
fn check_reaches(head: Option<&Checkpoint>, size: u64, torn: Option<Torn>, (current, files): (&Current, &[u64]), report: &mut FsckReport) {
    if head.is_none_or(|head| size >= head.size()) {
        return;
    }
    match torn {
        Some(torn) => report.found(journal_name(torn.file), torn.offset, "entries that were published are not readable here"),
        None => {
            let (last, next) = files.last().map_or((current.journal, current.journal), |last| (*last, last + 1));
            let what = format!("entries that were published are not there: this file is gone, or the end of {}", journal_name(last));
            report.found(journal_name(next), 0, what);
        }
    }
}

/// Journals whose key alone is there, which a start refuses.
fn check_gone_journals(layout: &Layout, current: &Current, report: &mut FsckReport) -> Result<(), OpenError> {
    for name in layout.gone_journals(current)? {
        if !report.damages.iter().any(|damage| damage.file == name) {
            report.found(name, 0, "the file is gone, and its key is there");
        }
    }
    Ok(())
}

fn check_contents(layout: &Layout, keys: &Keys, replayed: &Replayed, report: &mut FsckReport) -> Result<(), OpenError> {
    let mut files = HashMap::new();
    // What was lost is damage for as long as it is to be delivered.
    let counts = |(index, location): &(&u64, &contents::Location)| !location.is_lost() || replayed.state.needs_content(**index);
    let mut all: Vec<_> = replayed.contents.iter().filter(counts).map(|(_, location)| location).collect();
    all.sort_unstable_by_key(|location| (location.holder.name(), location.offset));
    for location in all {
        if let Entry::Vacant(place) = files.entry(location.holder) {
            match contents::open_holder(layout, keys, location.holder) {
                Ok(file) => drop(place.insert(Some(file))),
                // Told once, not for each content in it.
                Err(error) => {
                    place.insert(None);
                    report.take(Err(error))?;
                }
            }
        }
        let Some(Some(file)) = files.get(&location.holder) else { continue };
        let read = contents::read(file, location).map(|_| ());
        report.contents += u64::from(read.is_ok());
        report.take(read)?;
    }
    Ok(())
}

/// Nothing stands behind the last content of a base.
fn check_content_end(layout: &Layout, number: u64, replayed: &Replayed, report: &mut FsckReport) {
    let holder = contents::Holder::Base(number);
    let ends = replayed.contents.values().filter(|location| location.holder == holder);
    let end = ends.map(|location| location.offset + u64::from(location.len)).max().unwrap_or(0);
    match layout.disk().len(&layout.path(&holder.name())) {
        Ok(len) if len > end => report.found(holder.name(), end, "the file is longer than what was written"),
        Ok(_) => {}
        Err(_) if report.damages.iter().any(|damage| damage.file == holder.name()) => {}
        Err(error) => report.found(holder.name(), 0, error.to_string()),
    }
}

/// Every record of a month against the leaf that stands in the log.
fn check_month(
    layout: &Layout,
    keys: &Keys,
    month: &Month,
    published: u64,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), OpenError> {
    let file = match open_month(layout, keys, month) {
        Ok(file) => file,
        Err(error) => return report.take(Err(error)),
    };
    let folder = TileFolder::new(layout);
    let mut bundle_at: Option<(u64, Vec<u8>)> = None;
    for slot in 0..month.count {
        let index = month.first_index + slot;
        if slot.is_multiple_of(4096) {
            progress(Progress { stage: "records", done: slot, total: month.count });
        }
        let record = match read_slots(&file, month, slot, 1) {
            Ok(mut slots) => slots.pop(),
            Err(error) => {
                report.take(Err(error))?;
                continue;
            }
        };
        let Some(record) = record.filter(|_| index < published) else { continue };
        report.records += 1;
        let number = index / WIDTH;
        if bundle_at.as_ref().is_none_or(|(at, _)| *at != number) {
            let width = (published - number * WIDTH).min(WIDTH) as u16;
            bundle_at = folder.read(tile(TileKind::Entries, number, width)).ok().map(|bytes| (number, bytes));
        }
        let at = (index % WIDTH) as usize * (2 + Leaf::LEN) + 2;
        let stored = bundle_at.as_ref().and_then(|(_, bytes)| bytes.get(at..at + Leaf::LEN));
        let leaf = evidence::leaf(&record.entry.record, &record.entry.openings);
        if stored.is_some_and(|stored| stored != leaf.as_bytes()) {
            let offset = HEADER_LEN as u64 + slot * SLOT_LEN as u64;
            report.found(month.name(), offset, format!("the record at log index {index} is not the one in the log"));
        }
    }
    Ok(())
}

/// The verifier key of the log in a store's folder.
///
/// # Errors
/// When the folder is no store.
pub fn log_key(dir: &Path) -> Result<LogVerifier, OpenError> {
    let layout = Layout::new(dir, Arc::new(RealDisk));
    let format = Format::read(&layout)?.ok_or_else(|| OpenError::NotAStore { file: "FORMAT".into() })?;
    format.log_key.parse().map_err(|_| OpenError::NotAStore { file: "FORMAT".into() })
}
