//! What an operator may know of a store folder, stopped or running: sizes by lifetime, ages, counts. Reads only, takes no lock.
//!
//! Without the storage key it tells what stands in the open: sizes, files, the log. With it also what is sealed: how much is undelivered, how
//! old it is, when the gateway last stopped cleanly. Never a person, a message id, a case reference or a participant.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::disk::{Open, RealDisk};
use super::error::OpenError;
use super::frame::{HEADER_LEN, Header};
use super::keys::Keys;
use super::layout::{Current, Format, Layout, journal_name};
use super::records::{Archive, month_of_name};
use super::replay::{Replayed, replay};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::event::Event;
use crate::audit::note::LogVerifier;
use crate::domain::time::{Date, Timestamp};
use crate::store::Stats;

/// Records looked through, newest first, for the last clean stop.
const LOOKED_THROUGH: u64 = 100_000;
/// A running store may turn over while this reads; then it is read again.
const ATTEMPTS: usize = 3;

/// Bytes on disk by how long they live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// Sealed content, acknowledged or not: until the turn after its acknowledgement.
    pub content: u64,
    /// Cases, mailboxes, ids, and the events since the last turn.
    pub state: u64,
    /// Records: 13 to 35 months.
    pub records: u64,
    /// Records that a legal hold keeps: until it ends.
    pub holds: u64,
    /// The published log: for ever.
    pub proof: u64,
    /// The auditors' search index, which can be built anew.
    pub index: u64,
    /// Wrapped keys.
    pub keys: u64,
    /// Held back for draining a full disk.
    pub reserve: u64,
    /// Logs that this one follows, kept for verification.
    pub previous: u64,
    /// Anything else in the folder.
    pub other: u64,
}

/// One journal file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalInfo {
    /// Its number.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    /// Frames with a whole header.
    pub frames: u64,
    /// Of its bytes, those of sealed content.
    pub content_bytes: u64,
}

/// What stands in the open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// FORMAT.
    pub format: Format,
    /// CURRENT.
    pub current: Current,
    /// Bytes by lifetime.
    pub sizes: Sizes,
    /// Journal files in force, oldest first.
    pub journals: Vec<JournalInfo>,
    /// Months that have a record file, oldest first.
    pub months: Vec<Date>,
    /// Entries of the log, as the last whole frame says; none without a frame.
    pub log_size: Option<u64>,
    /// Entries published under a checkpoint that verifies; none without one.
    pub published: Option<u64>,
    /// What only the storage key shows.
    pub sealed: Option<SealedInfo>,
}

/// What is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedInfo {
    /// Counts of the state; sizes are those of the log.
    pub stats: Stats,
    /// When the oldest undelivered message was accepted.
    pub oldest_undelivered: Option<Timestamp>,
    /// Messages whose content is on disk, acknowledged or not.
    pub contents: u64,
    /// When the oldest of these was accepted.
    pub oldest_content: Option<Timestamp>,
    /// Time of the last event.
    pub last_event: Timestamp,
    /// Whether the last event is a clean stop.
    pub stopped_cleanly: bool,
    /// The last clean stop, if it is among the newest hundred thousand records.
    pub last_stop: Option<Timestamp>,
    /// Legal holds in force.
    pub holds: u64,
    /// Records in their files.
    pub held: u64,
}

/// Looks at the folder. `now` is what ages are counted to.
///
/// # Errors
/// When the folder is no store or damaged, or the storage key is another one.
pub fn info(dir: &Path, storage_key: Option<Zeroizing<[u8; 32]>>, now: Timestamp) -> Result<StoreInfo, OpenError> {
    let layout = Layout::new(dir, Arc::new(RealDisk));
    let format = Format::read(&layout)?.ok_or_else(|| OpenError::NotAStore { file: "FORMAT".into() })?;
    let keys = storage_key.map(|key| Keys::new(layout.clone(), key));
    let subject_key = keys.as_ref().map(|keys| keys.unwrap_secret("FORMAT", &format.subject_key)).transpose()?;
    let mut attempt = 1;
    loop {
        let current = Current::of(&layout)?;
        let sealed = match (&keys, &subject_key) {
            (Some(keys), Some(subject_key)) => sealed(&layout, keys, **subject_key, &current, now).map(Some),
            _ => Ok(None),
        };
        let journals = journals(&layout, &current);
        if attempt < ATTEMPTS && Current::of(&layout)? != current {
            attempt += 1;
            continue;
        }
        let ((journals, log_size), sealed) = (journals?, sealed?);
        let sizes = sizes(&layout, &journals)?;
        let published = published(&layout, &format);
        let months = layout.names("records")?.iter().filter_map(|name| month_of_name(&format!("records/{name}"))).collect();
        return Ok(StoreInfo { format, current, sizes, journals, months, log_size, published, sealed });
    }
}

fn published(layout: &Layout, format: &Format) -> Option<u64> {
    let verifier: LogVerifier = format.log_key.parse().ok()?;
    let text = String::from_utf8(layout.disk().read(&layout.path("log/checkpoint")).ok()?).ok()?;
    Checkpoint::open(&text, &verifier).ok().map(|head| head.size())
}

/// The journal files in force, and the tree size after the last frame.
fn journals(layout: &Layout, current: &Current) -> Result<(Vec<JournalInfo>, Option<u64>), OpenError> {
    let (mut found, mut size) = (Vec::new(), current.base.map(|_| current.size));
    for number in layout.journals()?.into_iter().filter(|number| *number >= current.journal) {
        let (journal, last) = walk(layout, number);
        found.push(journal);
        size = last.or(size);
    }
    Ok((found, size))
}

/// From header to header, without reading what lies between.
fn walk(layout: &Layout, number: u64) -> (JournalInfo, Option<u64>) {
    let mut journal = JournalInfo { number, ..JournalInfo::default() };
    let mut size = None;
    let Ok(file) = layout.disk().open(&layout.path(&journal_name(number)), Open::Read) else { return (journal, None) };
    journal.bytes = file.len().unwrap_or(0);
    let (mut offset, mut raw) = (0, [0_u8; HEADER_LEN]);
    while file.read_exact_at(&mut raw, offset).is_ok() {
        let Some(header) = Header::read(&raw) else { break };
        let end = offset.saturating_add(HEADER_LEN as u64).saturating_add(header.body_len());
        if end > journal.bytes {
            break;
        }
        journal.frames += 1;
        journal.content_bytes += u64::from(header.contents_len);
        size = Some(header.size);
        offset = end;
    }
    (journal, size)
}

fn sizes(layout: &Layout, journals: &[JournalInfo]) -> Result<Sizes, OpenError> {
    let below = |name: &str| bytes_below(layout, &layout.path(name));
    let content: u64 = journals.iter().map(|journal| journal.content_bytes).sum();
    let mut sizes = Sizes {
        content,
        state: below("journal").saturating_sub(content),
        records: below("records"),
        holds: below("holds"),
        proof: below("log"),
        index: below("index"),
        keys: below("keys"),
        ..Sizes::default()
    };
    for name in layout.names("base")? {
        let bytes = below(&format!("base/{name}"));
        *(if name.ends_with(".content") { &mut sizes.content } else { &mut sizes.state }) += bytes;
    }
    for name in layout.names(".")? {
        match name.as_str() {
            "journal" | "records" | "holds" | "log" | "index" | "keys" | "base" => {}
            "reserve" => sizes.reserve += below("reserve"),
            "previous" => sizes.previous += below("previous"),
            other => sizes.other += below(other),
        }
    }
    Ok(sizes)
}

/// Bytes of a file, or of all files below a folder. What goes while this looks counts nothing.
fn bytes_below(layout: &Layout, path: &Path) -> u64 {
    let disk = layout.disk();
    if !disk.is_dir(path) {
        return disk.len(path).unwrap_or(0);
    }
    disk.names(path).unwrap_or_default().iter().map(|name| bytes_below(layout, &path.join(name))).sum()
}

fn sealed(layout: &Layout, keys: &Keys, subject_key: [u8; 32], current: &Current, now: Timestamp) -> Result<SealedInfo, OpenError> {
    let files: Vec<u64> = layout.journals()?.into_iter().filter(|number| *number >= current.journal).collect();
    let replayed = replay((layout, keys), subject_key, current, &files, None)?;
    let archive = Archive::new(layout, keys, replayed.months.clone(), replayed.held.clone());
    let accepted_at = |index: u64| -> Option<Timestamp> {
        replayed.state.accepted_at(index).or_else(|| match index.checked_sub(replayed.first()) {
            Some(at) => replayed.entries.get(usize::try_from(at).ok()?).map(|slot| slot.entry.record.time),
            None => archive.slot(index).ok().flatten().map(|slot| slot.entry.record.time),
        })
    };
    let last_stop = last_stop(&replayed, &archive)?;
    let stats = crate::store::Stats { durable_size: replayed.nodes.size(), ..replayed.state.stats(now) };
    Ok(SealedInfo {
        oldest_undelivered: replayed.state.oldest_undelivered(),
        contents: replayed.contents.len() as u64,
        oldest_content: replayed.contents.keys().min().copied().and_then(accepted_at),
        last_event: replayed.state.last_time(),
        stopped_cleanly: last_stop.is_some_and(|(index, _)| index + 1 == stats.durable_size),
        last_stop: last_stop.map(|(_, at)| at),
        holds: replayed.state.holds().len() as u64,
        held: replayed.held.iter().map(|file| file.indices.len() as u64).sum(),
        stats,
    })
}

/// The newest `STOPPED` and its place.
fn last_stop(replayed: &Replayed, archive: &Archive) -> Result<Option<(u64, Timestamp)>, OpenError> {
    let stopped = Event::Stopped.row().number;
    if let Some(at) = replayed.entries.iter().rposition(|slot| slot.entry.record.kind == stopped) {
        return Ok(Some((replayed.first() + at as u64, replayed.entries[at].entry.record.time)));
    }
    let end = archive.months().last().map_or(0, super::records::Month::end);
    let first = end.saturating_sub(LOOKED_THROUGH).max(archive.first_kept().unwrap_or(end));
    let mut found = None;
    archive.scan(first, end, &mut |index, slot| {
        if slot.entry.record.kind == stopped {
            found = Some((index, slot.entry.record.time));
        }
        true
    })?;
    Ok(found)
}
