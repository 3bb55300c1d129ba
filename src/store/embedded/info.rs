//! What an operator may know of a store folder, stopped or running: sizes by lifetime, ages, counts. Reads only, takes no lock.
//!
//! Without the storage key it tells what stands in the open: sizes, files, the log. With it also what is sealed: how much is undelivered, how
//! old it is, when the gateway last stopped cleanly. Never a person, a message id, a case reference or a participant.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::contents::{self, Location};
use super::disk::{Open, RealDisk};
use super::error::{Damage, OpenError};
use super::frame::{HEADER_LEN, Header, JournalEntry};
use super::holds;
use super::journal::Reader;
use super::keys::Keys;
use super::layout::{Current, Format, Layout, content_name, journal_name};
use super::records::{Archive, month_of_name};
use super::replay::begin;
use super::turn::in_force;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::event::Event;
use crate::audit::note::LogVerifier;
use crate::domain::hold::HoldCopy;
use crate::domain::participant::Register;
use crate::domain::register_past::RegisterPast;
use crate::domain::time::{Date, Timestamp};
use crate::store::Stats;
use crate::store::state::State;

/// Records looked through, newest first, for the last clean stop.
const LOOKED_THROUGH: u64 = 100_000;
/// Of these at once.
const LOOKED_AT_ONCE: u64 = 4096;
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
    /// Undelivered items whose content cannot be read.
    pub unread: u64,
    /// Files of records and of content in force that are not there, and keys of such that are not there or open nothing.
    pub gone: Vec<String>,
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
    /// Of these, those for which records stand that cannot be read.
    pub holds_not_whole: u64,
    /// Records that could not be read for holds in force before they were gone, each counted with every hold that it may have been of.
    pub lost: u64,
    /// Records in their files.
    pub held: u64,
    /// Records that could not be read among those looked at; `audit fsck` reads all.
    pub unreadable: u64,
    /// Records that were looked at: all that holds keep, and of the others the newest, back to the last clean stop among them.
    pub looked_at: u64,
    /// Records that are kept in files.
    pub records: u64,
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

/// What stands in a store's folder at names of the store's own and is no file: the next turn cannot be made. Reads only.
///
/// # Errors
/// When the folder is no store or damaged.
pub fn in_the_way(dir: &Path) -> Result<Vec<Damage>, OpenError> {
    let layout = Layout::new(dir, Arc::new(RealDisk));
    layout.in_the_way(&Current::of(&layout)?)
}

/// What a register is held against before it comes into force here, `next` being that register. Reads only, takes no lock; what a running gateway
/// takes meanwhile may be missing.
///
/// # Errors
/// When the folder is no store or damaged, or the storage key is another one.
pub fn register_past(dir: &Path, storage_key: Zeroizing<[u8; 32]>, next: &Register) -> Result<RegisterPast, OpenError> {
    glanced(&Layout::new(dir, Arc::new(RealDisk)), storage_key, |state, _| state.register_past(next))
}

/// What `look` finds in the state of a folder and its records. Under a gateway that turns it over meanwhile, it is looked at again.
pub(super) fn glanced<T>(layout: &Layout, storage_key: Zeroizing<[u8; 32]>, look: impl Fn(&State, &Archive) -> T) -> Result<T, OpenError> {
    let format = Format::read(layout)?.ok_or_else(|| OpenError::NotAStore { file: "FORMAT".into() })?;
    let keys = Keys::new(layout.clone(), storage_key);
    let subject_key = keys.unwrap_secret("FORMAT", &format.subject_key)?;
    let once = |current: &Current| glance(layout, &keys, *subject_key, current).map(|found| look(&found.state, &found.archive));
    for _ in 1..ATTEMPTS {
        let current = Current::of(layout)?;
        let found = once(&current);
        if Current::of(layout)? == current {
            return found;
        }
    }
    once(&Current::of(layout)?)
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
    let mut header_at = |offset| file.read_exact_at(&mut raw, offset).ok().and_then(|()| Header::read(&raw));
    loop {
        // A seal that the power took is a header's length with nothing in it; the frame behind it stands.
        let header = header_at(offset).or_else(|| {
            let after = header_at(offset + HEADER_LEN as u64).filter(|header| header.file == number)?;
            offset += HEADER_LEN as u64;
            Some(after)
        });
        let Some(header) = header else { break };
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

/// What the sealed files say, without the hashing of a start: the state is built, leaves and tree are not, and no record is kept in memory. Frames
/// are checked by their chain, check sums and seals all the same.
struct Glance {
    state: State,
    size: u64,
    archive: Archive,
    held: u64,
    contents: u64,
    /// Those that the base names; what stands in a journal was read with it.
    base_contents: HashMap<u64, Location>,
    /// Log index of the oldest content on disk; with its time where it was accepted since the base.
    oldest_content: Option<(u64, Option<Timestamp>)>,
    last_stop: Option<(u64, Timestamp)>,
}

fn glance(layout: &Layout, keys: &Keys, subject_key: [u8; 32], current: &Current) -> Result<Glance, OpenError> {
    let base = begin(layout, keys, subject_key, current)?;
    let mut glance = Glance {
        size: base.first(),
        held: base.held.iter().map(|file| file.indices.len() as u64).sum(),
        archive: Archive::new(layout, keys, base.months, base.held),
        contents: base.contents.values().filter(|location| !location.is_lost()).count() as u64,
        oldest_content: base.contents.iter().filter(|(_, location)| !location.is_lost()).map(|(index, _)| (*index, None)).min(),
        base_contents: base.contents,
        state: base.state,
        last_stop: None,
    };
    let mut reader = Reader::new(layout, Some(keys), base.chain);
    for number in layout.journals()?.into_iter().filter(|number| *number >= current.journal) {
        reader.file(number, &mut |read| {
            glance.contents += read.pieces.len() as u64;
            if glance.oldest_content.is_none()
                && let Some(first) = read.pieces.first()
            {
                let time = usize::try_from(first.entry).ok().and_then(|at| read.body.entries.get(at)).map(|entry| entry.time);
                glance.oldest_content = Some((glance.size + u64::from(first.entry), time));
            }
            for JournalEntry { event, time, .. } in read.body.entries {
                if event == Event::Stopped {
                    glance.last_stop = Some((glance.size, time));
                }
                glance.state.apply(event, glance.size, time);
                glance.size += 1;
            }
            Ok(())
        })?;
    }
    Ok(glance)
}

fn sealed(layout: &Layout, keys: &Keys, subject_key: [u8; 32], current: &Current, now: Timestamp) -> Result<SealedInfo, OpenError> {
    let Glance { state, size, archive, held, contents, base_contents, oldest_content, last_stop } =
        glance(layout, keys, subject_key, current)?;
    let unread = unread(layout, keys, &state, &base_contents);
    let mut in_force = in_force(archive.months(), archive.held().files());
    in_force.extend(current.base.map(content_name));
    let mut gone = keys.unusable(&in_force);
    gone.extend(in_force.into_iter().filter(|name| !layout.disk().exists(&layout.path(name))));
    let held_now = archive.held().all_now();
    let lacking = holds::lacking(&held_now);
    let records = held + archive.months().iter().map(|month| month.count).sum::<u64>();
    let oldest_content = oldest_content.and_then(|(index, time)| {
        let of_record = || archive.slot(index).ok().flatten().map(|slot| slot.entry.record.time);
        time.or_else(|| state.accepted_at(index)).or_else(of_record)
    });
    // Also where the last stop stands in a journal: a month that cannot be read is to be told in any case.
    let (stop_in_files, looked_at, unreadable) = stop_in_records(&archive);
    let last_stop = last_stop.or(stop_in_files);
    let (looked_at, unreadable) = (looked_at + held, unreadable + held_now.iter().map(|file| file.lacks.damaged).sum::<u64>());
    Ok(SealedInfo {
        oldest_undelivered: state.oldest_undelivered(),
        unread,
        gone,
        contents,
        oldest_content,
        last_event: state.last_time(),
        stopped_cleanly: last_stop.is_some_and(|(index, _)| index + 1 == size),
        last_stop: last_stop.map(|(_, at)| at),
        holds: state.holds().len() as u64,
        holds_not_whole: lacking.iter().filter(|(_, copy)| matches!(copy, HoldCopy::NotWhole { .. })).count() as u64,
        lost: lacking.iter().map(|(_, copy)| copy.lost()).sum(),
        held,
        unreadable,
        looked_at,
        records,
        stats: Stats { durable_size: size, ..state.stats(now) },
    })
}

/// How many of the contents that are to be delivered cannot be read.
fn unread(layout: &Layout, keys: &Keys, state: &State, places: &HashMap<u64, Location>) -> u64 {
    let mut files = HashMap::new();
    let mut unread = 0;
    for (_, location) in places.iter().filter(|(index, _)| state.needs_content(**index)) {
        let file = files.entry(location.holder).or_insert_with(|| contents::open_holder(layout, keys, location.holder).ok());
        unread += u64::from(file.as_ref().is_none_or(|file| contents::read(file, location).is_err()));
    }
    unread
}

/// The newest `STOPPED` among the newest records, and its place; how many were looked at for it, and how many of these could not be read.
fn stop_in_records(archive: &Archive) -> (Option<(u64, Timestamp)>, u64, u64) {
    let (mut looked_at, mut unreadable) = (0, 0);
    let stopped = Event::Stopped.row().number;
    let first_kept = archive.first_kept().unwrap_or(0);
    let mut end = archive.months().last().map_or(0, super::records::Month::end);
    let least = end.saturating_sub(LOOKED_THROUGH).max(first_kept);
    // From the newest on: the last stop is mostly near.
    while end > least {
        let from = end.saturating_sub(LOOKED_AT_ONCE).max(least);
        let mut found = None;
        looked_at += end - from;
        archive.each_of_months(from, end, &mut |index, slot| {
            match slot.map(|slot| slot.entry.record) {
                Some(record) if record.kind == stopped => found = Some((index, record.time)),
                Some(_) => {}
                None => unreadable += 1,
            }
            true
        });
        if found.is_some() {
            return (found, looked_at, unreadable);
        }
        end = from;
    }
    (None, looked_at, unreadable)
}
