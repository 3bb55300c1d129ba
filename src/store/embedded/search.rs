//! Auditors' questions: pages of records, entries of a message, receipts of ids that the state has forgotten.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::error::OpenError;
use super::records::{Archive, Month, Slot, month_of};
use crate::audit::event::ContentCommit;
use crate::audit::record::Record;
use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::time::Timestamp;
use crate::policy::case::IdEntry;
use crate::policy::command::Searched;
use crate::store::state::Places;
use crate::store::{LogEntry, Page, RecordFilter, UNREADABLE_MAX};

/// Hits asked of the index at once.
const HITS_AT_ONCE: usize = 1024;
/// How long a search waits for the index.
const INDEX_WAIT: Duration = Duration::from_millis(500);
/// Records that one page looks at; a page of what is rare ends there, and the next goes on.
const LOOKED_AT: usize = 4096;
/// Entries of the tail cloned under one hold of the lock: few, as whoever commits waits for it, and the thread that reads may be made to give way.
const TAIL_AT_ONCE: usize = 64;

/// A page that is being filled.
struct Filling<'f> {
    filter: &'f RecordFilter,
    max: usize,
    looked_at: usize,
    page: Page,
}

impl Filling<'_> {
    /// Whether the page may look at one more record.
    fn looks(&mut self, index: u64) -> bool {
        if self.looked_at == LOOKED_AT {
            self.page.next_index = Some(index);
            return false;
        }
        self.looked_at += 1;
        true
    }

    /// Takes a record. False when nothing further can be wanted.
    fn take(&mut self, index: u64, record: &Record) -> bool {
        if self.filter.to_time.is_some_and(|to| record.time >= to) || !self.looks(index) {
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
                let looks = self.looks(index);
                if looks && self.page.unreadable.len() < UNREADABLE_MAX {
                    self.page.unreadable.push((index, error.to_store_error()));
                }
                looks
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
    let mut filling =
        Filling { filter, max, looked_at: 0, page: Page { entries: Vec::new(), next_index: None, erased, unreadable: Vec::new() } };
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

/// Tells the sender of a message and whom it followed.
type Own<'a> = &'a dyn Fn(&ParticipantId) -> bool;

/// The acceptance of a sender's message whose id the state has forgotten.
pub fn old_acceptance(engine: &Engine, is_own: Own<'_>, message_id: MessageId) -> Result<Option<(u64, Slot)>, OpenError> {
    let places = engine.core.lock().state.clocks().places_of(message_id);
    steadily(engine, |archive| {
        let mut found = None;
        each_acceptance(archive, &places, is_own, message_id, &mut |index, slot| {
            found = Some((index, slot));
            false
        })?;
        Ok(found)
    })
}

/// What the records say of an id that the state may have forgotten, sent anew with the content of `commit`. It rests on the records alone, never on the
/// index. What is newer than the files is in the state: no turn forgets an id before its record is written.
pub fn forgotten_acceptance(
    engine: &Engine,
    is_own: Own<'_>,
    message_id: MessageId,
    commit: &ContentCommit,
) -> Result<Searched, OpenError> {
    let places = engine.core.lock().state.clocks().places_of(message_id);
    steadily(engine, |archive| {
        let mut found: Option<IdEntry> = None;
        let searched = each_acceptance(archive, &places, is_own, message_id, &mut |index, Slot { entry, .. }| {
            let accepted = entry.record.content_commit.map(|commit| IdEntry { index, commit });
            // Two that became one may have chosen the same id: the one with this content is the one that is sent again.
            let same = accepted.as_ref().is_some_and(|accepted| accepted.commit == *commit);
            found = if same { accepted } else { found.take().or(accepted) };
            !same
        });
        match found {
            Some(accepted) => Ok(Searched::Accepted(accepted)),
            None => {
                searched?;
                Ok(if holds_all_since(engine, archive, places.since())? { Searched::Never } else { Searched::Unknown })
            }
        }
    })
}

/// Whether no record that may bear `since` or a later time is erased.
fn holds_all_since(engine: &Engine, archive: &Archive, since: Timestamp) -> Result<bool, OpenError> {
    let Some(first) = archive.first_kept() else {
        let tail = engine.tail.lock();
        return Ok(tail.first() == 0 || tail.slot(tail.first()).is_some_and(|slot| slot.entry.record.time <= since));
    };
    Ok(first == 0 || archive.slot(first)?.is_some_and(|slot| slot.entry.record.time <= since))
}

/// Gives the acceptances of a sender's `message_id` in the files to `visit` until it says no more: those that only holds keep, then those at `places`.
///
/// # Errors
/// A record that could not be read and may have been one, where `visit` did not end the search.
fn each_acceptance(
    archive: &Archive,
    places: &Places,
    is_own: Own<'_>,
    message_id: MessageId,
    visit: &mut dyn FnMut(u64, Slot) -> bool,
) -> Result<(), OpenError> {
    let own = |record: &Record| {
        record.message_id == Some(message_id) && record.actor.as_ref().is_some_and(is_own) && record.content_commit.is_some()
    };
    // Another record that is damaged hides no acceptance; but where none is found, the damaged one may have been it.
    let mut damage = None;
    for index in archive.held().between(0, archive.first_kept().unwrap_or(u64::MAX)) {
        match archive.slot(index) {
            Ok(Some(slot)) if own(&slot.entry.record) => {
                if !visit(index, slot) {
                    return Ok(());
                }
            }
            Ok(_) => {}
            Err(error) => damage = damage.or(Some(error)),
        }
    }
    let newest = archive.months().last().map(|month| month.first_day);
    for (from, to) in &places.times {
        if newest.is_none_or(|newest| newest < month_of(*from)) {
            continue;
        }
        let Some(first) = archive.first_not_before(*from)? else { continue };
        let mut more = true;
        archive.each(first, places.below, &mut |index, slot| {
            // What a scan cannot read is read once more by itself, for the reason.
            match slot.map_or_else(|| archive.slot(index), |slot| Ok(Some(slot))) {
                Ok(Some(slot)) if slot.entry.record.time > *to => return false,
                Ok(Some(slot)) if own(&slot.entry.record) => more = visit(index, slot),
                Ok(_) => {}
                Err(error) => damage = damage.take().or(Some(error)),
            }
            more
        });
        if !more {
            return Ok(());
        }
    }
    damage.map_or(Ok(()), Err)
}
