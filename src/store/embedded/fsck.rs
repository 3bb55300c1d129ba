//! The check of a whole store folder, stopped or running: reads only, takes no lock, names file and offset of every damage.
//!
//! Without the storage key: every bundle, tile, partial and the root against the signed checkpoint, and the chain of the journal's frames.
//! With it also: the base, every frame's events and root, every record against its leaf, and every content that is still kept.

mod ends;
mod held;
mod published;
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
use super::layout::{Current, Format, Layout, journal_name};
use super::records::{HEADER_LEN, Month, SLOT_LEN, open_month, read_slots};
use super::replay::{Replayed, replay};
use super::tiles::TileFolder;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::leaf::Leaf;
use crate::audit::note::LogVerifier;
use crate::audit::tile_nodes::TileRead as _;
use crate::audit::tiles::{TILE_WIDTH, TileKind};
use crate::domain::hold::HoldCopy;
use crate::store::evidence;

use self::published::{Published, tile};

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

/// The published log alone: what of it is damaged.
///
/// # Errors
/// When the folder is no store at all, or is of a newer format.
pub fn published_damages(dir: &Path) -> Result<Vec<Damage>, OpenError> {
    let layout = Layout::new(dir, Arc::new(RealDisk));
    let (mut report, verifier) = (FsckReport::default(), log_key(dir)?);
    let least = Current::read(&layout).ok().flatten().map_or(0, |current| current.size);
    published::check(&layout, &verifier, least, &mut report, &mut |_| ());
    Ok(report.damages)
}

/// [`fsck`] on any disk.
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
    // Read first: what it counts was published by then.
    let least = Current::read(&layout).ok().flatten().map_or(0, |current| current.size);
    let published = published::check(&layout, &verifier, least, &mut report, progress);
    let strangers = strays::check_foreign(&layout, &mut report);
    report.take(strangers)?;
    check_previous(&layout, &mut report, progress)?;
    let keys = storage_key.map(|key| Keys::new(layout.clone(), key));
    let subject_key = keys.as_ref().map(|keys| keys.unwrap_secret("FORMAT", &format.subject_key)).transpose()?;
    for attempt in 0..3 {
        let before = Current::read(&layout);
        let mut part = FsckReport::default();
        let reached = match (&keys, &subject_key) {
            (Some(keys), Some(subject_key)) => check_sealed(&layout, keys, **subject_key, &published, &mut part, progress)?,
            _ => check_chain(&layout, published.head.as_ref(), &mut part, progress)?,
        };
        // Of journals that do not tell, that is said.
        if let Some(reached) = reached {
            published::check_beyond(&published.beyond, reached.max(published.size), &mut part);
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
                // Tiles beyond its last checkpoint were kept as they lay there.
                published::check(&previous, &verifier, 0, &mut part, progress);
                strays::check_previous_folder(&previous, &verifier, &mut part)?;
            }
            None if part.damages.is_empty() => part.found("FORMAT", 0, "the file is gone, or names no key"),
            None => {}
        }
        report.damages.extend(part.damages.into_iter().map(|damage| Damage { file: format!("{folder}/{}", damage.file), ..damage }));
    }
    Ok(())
}

/// What can be said of the journal without the key: check sums and the chain. How many entries it leads to, if it does.
fn check_chain(
    layout: &Layout,
    head: Option<&Checkpoint>,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<u64>, OpenError> {
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
    Ok(is_whole.then_some(size))
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
    published: &Published,
    report: &mut FsckReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<u64>, OpenError> {
    let (current, head) = (Current::of(layout)?, published.head.as_ref());
    let files: Vec<u64> = layout.journals()?.into_iter().filter(|n| *n >= current.journal).collect();
    progress(Progress { stage: "base and journal", done: 0, total: files.len() as u64 });
    let mut ends = ends::look(layout, &current)?;
    let replayed = match replay((layout, keys), subject_key, &current, &files, Some(published.size)) {
        Ok(replayed) => replayed,
        Err(error) => {
            ends.report(&current, u64::MAX, report);
            return report.take(Err(error)).map(|()| None);
        }
    };
    report.frames = replayed.chain.sequence - 1;
    report.torn = replayed.torn.map(|torn| (journal_name(torn.file), torn.offset));
    report.lost_seal = replayed.lost_seal.map(|seal| (journal_name(seal.file), seal.offset));
    report.journaled = replayed.entries.len() as u64;
    ends::of_journals(&replayed.left, report);
    match (replayed.head_at, published.root) {
        (Some(root), Some(tiles)) if root != tiles => report.found("log", 0, "the journal leads to another root than the published tiles"),
        (Some(root), _) if head.is_some_and(|head| head.size() == published.size && head.root() != root) => {
            report.found("log/checkpoint", 0, "the journal leads to another root than the one published");
        }
        _ => {}
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
    for month in &replayed.months {
        check_month(layout, keys, month, published.size, report, progress)?;
    }
    report.lacking = holds::lacking(&replayed.held);
    held::check(layout, keys, &replayed.held, published.size, report)?;
    ends.compare(keys, &current, &replayed)?;
    ends.report(&current, replayed.nodes.size(), report);
    Ok(Some(replayed.nodes.size()))
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
