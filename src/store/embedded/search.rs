//! Auditors' questions: pages of records, entries of a message, receipts of ids that the state has forgotten.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::error::OpenError;
use super::records::{Archive, Month, Slot, month_of};
use crate::audit::record::Record;
use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::limits::{MESSAGE_ID_AGE_MAX_MILLIS, MESSAGE_ID_AHEAD_MAX_MILLIS};
use crate::domain::time::Timestamp;
use crate::store::{LogEntry, Page, RecordFilter, UNREADABLE_MAX};

/// Hits asked of the index at once.
const HITS_AT_ONCE: usize = 1024;
/// How long a search waits for the index.
const INDEX_WAIT: Duration = Duration::from_millis(500);
/// Entries of the tail cloned under one hold of the lock.
const TAIL_AT_ONCE: usize = 1024;

/// A page that is being filled.
struct Filling<'f> {
    filter: &'f RecordFilter,
    max: usize,
    page: Page,
}

impl Filling<'_> {
    /// Takes a record. False when nothing further can be wanted.
    fn take(&mut self, index: u64, record: &Record) -> bool {
        if self.filter.to_time.is_some_and(|to| record.time >= to) {
            return false;
        }
        if !self.filter.matches(record) {
            return true;
        }
        if self.page.entries.len() >= self.max {
            self.page.next_index = Some(index);
            return false;
        }
        self.page.entries.push(LogEntry { index, record: Some(record.clone()) });
        true
    }

    /// Takes what was read at an index: what cannot be read is told, and takes nothing else away.
    fn take_read(&mut self, index: u64, read: &Result<Option<Slot>, OpenError>) -> bool {
        match read {
            Ok(Some(slot)) => self.take(index, &slot.entry.record),
            Ok(None) => true,
            Err(error) => {
                if self.page.unreadable.len() < UNREADABLE_MAX {
                    self.page.unreadable.push((index, error.to_store_error()));
                }
                true
            }
        }
    }
}

/// A page of the log among the first `size` entries.
pub fn records(engine: &Engine, filter: &RecordFilter, max: usize, size: u64) -> Result<Page, OpenError> {
    loop {
        let archive = engine.archive.load_full();
        let found = page(engine, &archive, filter, max, size);
        // What was unreadable in files that a turn replaced meanwhile may be erased, and no damage.
        let is_sound = found.as_ref().is_ok_and(|page| page.unreadable.is_empty());
        if is_sound || Arc::ptr_eq(&archive, &engine.archive.load_full()) {
            return found;
        }
    }
}

/// How many records in the files cannot be read; of months that a turn replaced meanwhile, none.
pub fn unreadable(engine: &Engine) -> u64 {
    loop {
        let archive = engine.archive.load_full();
        let kept = archive.first_kept().unwrap_or(u64::MAX);
        let mut found = archive.held().between(0, kept).filter(|index| archive.slot(*index).is_err()).count() as u64;
        archive.each(0, u64::MAX, &mut |_, slot| {
            found += u64::from(slot.is_none());
            true
        });
        if found == 0 || Arc::ptr_eq(&archive, &engine.archive.load_full()) {
            return found;
        }
    }
}

/// Reads from the record files in force; again when a turn replaced them meanwhile, so that an erased month is never taken for damage.
fn steadily<T>(engine: &Engine, read: impl Fn(&Archive) -> Result<T, OpenError>) -> Result<T, OpenError> {
    loop {
        let archive = engine.archive.load_full();
        match read(&archive) {
            Err(error) if Arc::ptr_eq(&archive, &engine.archive.load_full()) => return Err(error),
            Err(_) => {}
            Ok(found) => return Ok(found),
        }
    }
}

fn page(engine: &Engine, archive: &Archive, filter: &RecordFilter, max: usize, size: u64) -> Result<Page, OpenError> {
    let end = filter.to_index.unwrap_or(u64::MAX).min(size);
    let kept = archive.first_kept().unwrap_or_else(|| archive_end(engine, archive));
    // Of erased months, what a hold keeps.
    let held: Vec<u64> = archive.held().between(filter.from_index, kept.min(end)).collect();
    let erased = kept.min(end).saturating_sub(filter.from_index) - held.len() as u64;
    let mut filling = Filling { filter, max, page: Page { entries: Vec::new(), next_index: None, erased, unreadable: Vec::new() } };
    for index in held {
        if !filling.take_read(index, &archive.slot(index)) {
            return Ok(filling.page);
        }
    }
    let mut from = filter.from_index.max(kept);
    if let Some(at) = filter.from_time {
        from = from.max(archive.first_not_before(at)?.unwrap_or(0));
    }
    for month in archive.months() {
        if !month_records(engine, archive, month, &mut filling, from, end) {
            return Ok(filling.page);
        }
    }
    tail_records(engine, &mut filling, from.max(archive_end(engine, archive)), end)?;
    Ok(filling.page)
}

/// One past the last record in the files.
fn archive_end(engine: &Engine, archive: &Archive) -> u64 {
    archive.months().last().map_or_else(|| engine.tail.lock().first(), Month::end)
}

fn month_records(engine: &Engine, archive: &Archive, month: &Month, filling: &mut Filling<'_>, from: u64, end: u64) -> bool {
    let (mut next, end) = (from.max(month.first_index), end.min(month.end()));
    while next < end {
        // Where a month is not indexed yet, or the index is held for longer than a step of its build, every record is read.
        let index = engine.index.try_lock_for(INDEX_WAIT);
        let hits = index.and_then(|mut index| index.candidates(month, filling.filter, next, HITS_AT_ONCE));
        let Some(hits) = hits else {
            let mut more = true;
            archive.each(next, end, &mut |index, slot| {
                // What a scan cannot read is read once more by itself, for the reason.
                more = filling.take_read(index, &slot.map_or_else(|| archive.slot(index), |slot| Ok(Some(slot))));
                more
            });
            return more;
        };
        for index in hits.iter().copied().filter(|index| *index < end) {
            // The index only proposes; the record decides.
            if !filling.take_read(index, &archive.slot(index)) {
                return false;
            }
        }
        next = if hits.len() < HITS_AT_ONCE { end } else { hits.last().map_or(end, |last| last + 1) };
    }
    true
}

/// The first log index below `size` whose record is kept and not before `at`; `size` when there is none.
pub fn first_not_before(engine: &Engine, at: Timestamp, size: u64) -> Result<u64, OpenError> {
    steadily(engine, |archive| {
        if let Some(found) = archive.first_not_before(at)?.filter(|found| *found < archive_end(engine, archive)) {
            return Ok(found);
        }
        Ok(engine.tail.lock().partition_point(|record| record.time < at).min(size))
    })
}

/// # Errors
/// When a turn moved what was to be read next into the files.
fn tail_records(engine: &Engine, filling: &mut Filling<'_>, from: u64, end: u64) -> Result<(), OpenError> {
    let mut next = from;
    loop {
        let max = usize::try_from(end.saturating_sub(next)).unwrap_or(TAIL_AT_ONCE).min(TAIL_AT_ONCE);
        let chunk = engine.tail.lock().copy(next, max).ok_or(OpenError::Stopped)?;
        let begun = next;
        for (index, entry) in chunk.entries() {
            if !filling.take(index, &entry.record) {
                return Ok(());
            }
            next = index + 1;
        }
        if next == begun {
            return Ok(());
        }
    }
}

/// The acceptance of a sender's message whose id the state has forgotten; `is_own` tells that sender and whom it followed. Only records between five minutes before and thirty days after the id
/// was made can be it.
type Own<'a> = &'a dyn Fn(&ParticipantId) -> bool;

pub fn old_acceptance(engine: &Engine, is_own: Own<'_>, message_id: MessageId) -> Result<Option<(u64, Slot)>, OpenError> {
    steadily(engine, |archive| acceptance_in(archive, is_own, message_id))
}

fn acceptance_in(archive: &Archive, is_own: Own<'_>, message_id: MessageId) -> Result<Option<(u64, Slot)>, OpenError> {
    let own = |record: &Record| {
        record.message_id == Some(message_id) && record.actor.as_ref().is_some_and(is_own) && record.content_commit.is_some()
    };
    // Another record that is damaged hides no acceptance; but where none is found, the damaged one may have been it.
    let mut damage = None;
    for index in archive.held().between(0, archive.first_kept().unwrap_or(u64::MAX)) {
        match archive.slot(index) {
            Ok(Some(slot)) if own(&slot.entry.record) => return Ok(Some((index, slot))),
            Ok(_) => {}
            Err(error) => damage = damage.or(Some(error)),
        }
    }
    let none = |damage: Option<OpenError>| damage.map_or(Ok(None), Err);
    let made = message_id.timestamp();
    let last = made.plus_millis(MESSAGE_ID_AGE_MAX_MILLIS);
    let Some(first) = archive.first_not_before(made.plus_millis(-MESSAGE_ID_AHEAD_MAX_MILLIS))? else { return none(damage) };
    if archive.months().last().is_none_or(|month| month.first_day < month_of(made.plus_millis(-MESSAGE_ID_AHEAD_MAX_MILLIS))) {
        return none(damage);
    }
    let mut found = None;
    archive.each(first, u64::MAX, &mut |index, slot| {
        // What a scan cannot read is read once more by itself, for the reason.
        let slot = match slot.map_or_else(|| archive.slot(index), |slot| Ok(Some(slot))) {
            Ok(Some(slot)) => slot,
            Ok(None) => return true,
            Err(error) => {
                damage = damage.take().or(Some(error));
                return true;
            }
        };
        let record = &slot.entry.record;
        if record.time > last {
            return false;
        }
        if own(record) {
            found = Some((index, slot));
        }
        found.is_none()
    });
    if found.is_some() { Ok(found) } else { none(damage) }
}
