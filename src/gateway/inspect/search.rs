//! Records that match a filter, and those of one case.

use std::sync::Arc;

use super::PageOf;
use crate::audit::event::{Asked, TABLE, kind};
use crate::audit::sight::Sight;
use crate::domain::id::CaseRef;
use crate::gateway::reading::Given;
use crate::gateway::{Gateway, Refusal};
use crate::policy::permit::Caller;
use crate::policy::table::Verb;
use crate::store::{LogEntry, Page, RecordFilter, StoreError, UNREADABLE_MAX};

/// Entries that are read from the store at once.
const PAGE: usize = 256;
/// Entries of one timeline.
const TIMELINE_MAX: usize = 1000;

/// A list of records, read page by page.
#[derive(Debug)]
pub struct Rows {
    gateway: Arc<Gateway>,
    caller: Caller,
    filter: RecordFilter,
    left: usize,
    left_unreadable: usize,
    is_first: bool,
    done: bool,
    unjudged: u64,
}

/// One page of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What matched and is within the caller's scope, by index.
    pub entries: Vec<LogEntry>,
    /// Where the next page starts, if there may be more.
    pub next_index: Option<u64>,
    /// Entries from the page's first index on whose records are erased: they could not be compared.
    pub erased: u64,
    /// Entries that were met and cannot be read, by index, and why; of more than a hundred, the first. Whoever sees a part of the log is told of them
    /// only where it asks for a plain range of indices.
    pub unreadable: Vec<(u64, StoreError)>,
}

impl Found {
    /// What was found, for whoever is to be told of each entry that cannot be read: of a hundred there may be more than are named, so that the page
    /// ends after the last of them and the next one goes on from there.
    pub(super) fn up_to_the_last_named(mut self) -> Self {
        if let Some((last, _)) = self.unreadable.get(UNREADABLE_MAX - 1) {
            let end = last.saturating_add(1);
            self.entries.retain(|entry| entry.index < end);
            self.next_index = Some(end);
        }
        self
    }

    /// Which entries cannot be read.
    pub(super) fn indices(unreadable: &[(u64, StoreError)]) -> impl Iterator<Item = u64> {
        unreadable.iter().map(|(index, _)| *index)
    }
}

/// What happened in one case, without any content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// Which.
    pub case_ref: CaseRef,
    /// By index: acceptances, hand-outs, acknowledgements, returns, what time did, and who read about it if that was asked for.
    pub entries: Vec<LogEntry>,
    /// Whether there are more than [`entries`](Self::entries) holds.
    pub more: bool,
    /// Entries of the log whose records are erased: whether they were about this case, nobody can tell.
    pub erased: u64,
    /// Entries that may be of this case and cannot be read, by index; of more than a hundred, the first. None for whoever sees a part of the log.
    pub unreadable: Vec<u64>,
    /// For whoever sees a part: entries of the whole log that cannot be read; whether one of them is of this case, nobody can tell.
    pub unjudged: u64,
}

pub(super) fn asked(filter: &RecordFilter) -> Asked {
    let RecordFilter { from_index, to_index, from_time, to_time, participant, kinds, message_id, case_ref } = filter;
    Asked {
        question: None,
        from_time: *from_time,
        to_time: *to_time,
        from_index: (*from_index > 0).then_some(*from_index),
        to_index: *to_index,
        participant: participant.clone(),
        kinds: kinds.clone(),
        message_id: *message_id,
        case_ref: *case_ref,
    }
}

impl Gateway {
    /// Records that match, at most `max` of them and at most the settings' bound.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn records(self: &Arc<Self>, caller: &Caller, filter: RecordFilter, max: Option<usize>) -> Result<Rows, Refusal> {
        // The list ends at the size it began at; else a busy log could be followed for ever, and each call would list its own event.
        let size = self.ask(caller, Verb::ListRecords, asked(&filter), PageOf::First).await?;
        let left = max.unwrap_or(usize::MAX).min(self.settings.records_per_call_max);
        let filter = RecordFilter { to_index: Some(filter.to_index.unwrap_or(size).min(size)), ..filter };
        let unjudged = match self.unjudged(&self.sight(caller), &filter).await {
            Ok(unjudged) => unjudged,
            Err(error) => return Err(self.failed(caller, Verb::ListRecords, error, None).await),
        };
        Ok(Rows {
            gateway: self.clone(),
            caller: caller.clone(),
            filter,
            left,
            left_unreadable: self.settings.records_per_call_max,
            is_first: true,
            done: false,
            unjudged,
        })
    }

    /// One page of a search: at most `max` entries from log index `at` on, or from the filter's start. A page that continues a search that the
    /// same reader asked for since the start is no event of its own and ends where that search did.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn search(&self, caller: &Caller, filter: &RecordFilter, at: Option<u64>, max: usize) -> Result<Found, Refusal> {
        let page = if at.is_some() { PageOf::Further } else { PageOf::First };
        let size = self.ask(caller, Verb::ListRecords, asked(filter), page).await?;
        let from_index = at.unwrap_or(0).max(filter.from_index);
        let to_index = Some(filter.to_index.unwrap_or(size).min(size));
        let max = max.min(self.settings.records_per_call_max);
        let filter = RecordFilter { from_index, to_index, ..filter.clone() };
        let found = async { self.visible(&self.seeing(caller).await?, filter, max).await };
        match found.await {
            Ok(found) => Ok(found),
            Err(error) => Err(self.failed(caller, Verb::ListRecords, error, None).await),
        }
    }

    /// What happened in `case_ref`, and who read about it.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn timeline(&self, caller: &Caller, case_ref: CaseRef) -> Result<Timeline, Refusal> {
        self.timeline_of(caller, case_ref, Vec::new()).await
    }

    /// What happened in `case_ref`, without who read about it: however often that was, it takes no room.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn happenings(&self, caller: &Caller, case_ref: CaseRef) -> Result<Timeline, Refusal> {
        let kinds = TABLE.iter().map(|row| row.number).filter(|kind| !matches!(*kind, kind::AUDIT_READ | kind::AUDIT_ASKED));
        self.timeline_of(caller, case_ref, kinds.collect()).await
    }

    async fn timeline_of(&self, caller: &Caller, case_ref: CaseRef, kinds: Vec<u16>) -> Result<Timeline, Refusal> {
        let filter = RecordFilter { case_ref: Some(case_ref), ..RecordFilter::default() };
        self.ask(caller, Verb::GetTimeline, asked(&filter), PageOf::First).await?;
        let filter = RecordFilter { kinds, ..filter };
        let found = async {
            let sight = self.seeing(caller).await?;
            Ok((self.unjudged(&sight, &filter).await?, self.visible(&sight, filter.clone(), TIMELINE_MAX).await?))
        };
        match found.await {
            Ok((unjudged, Found { entries, next_index, erased, unreadable })) => {
                let unreadable = Found::indices(&unreadable).collect();
                Ok(Timeline { case_ref, entries, more: next_index.is_some(), erased, unreadable, unjudged })
            }
            Err(error) => Err(self.failed(caller, Verb::GetTimeline, error, None).await),
        }
    }

    /// Records that match and are within `sight`, at most `max`. To find nothing of a case or message that is another's takes no longer than to find
    /// nothing of one that is not there.
    pub(super) async fn visible(&self, sight: &Sight, filter: RecordFilter, max: usize) -> Result<Found, StoreError> {
        if filter.case_ref.is_some() || filter.message_id.is_some() {
            self.evenly(sight, self.look_through(sight, filter, max)).await
        } else {
            self.look_through(sight, filter, max).await
        }
    }

    /// The same, in the time that it takes.
    pub(super) async fn look_through(&self, sight: &Sight, mut filter: RecordFilter, max: usize) -> Result<Found, StoreError> {
        let mut found = Found { entries: Vec::new(), next_index: Some(filter.from_index), erased: 0, unreadable: Vec::new() };
        // What is met of a case, a message, a party, a kind or a time was proposed by what the record said, or lies between two others that may be
        // closed to this reader. Nobody can tell whether a record that cannot be read is within a scope, so that is said to who sees everything.
        let tells_unreadable = sight.parties().is_none() || filter.is_a_plain_range();
        let mut is_first = true;
        let veil = self.veil(sight).await?;
        // One more than is wanted is looked for: that there is a next page, and where, is told of what is seen and of nothing else.
        while let Some(next) = found.next_index {
            filter.from_index = next;
            let Page { mut entries, mut next_index, erased, mut unreadable } =
                self.page_by(sight, &filter, (max - found.entries.len()).saturating_add(1).max(PAGE.min(max))).await?;
            // Of a hundred there may be more than are named, and those that are hidden take none of the room.
            if let Some((last, _)) = unreadable.get(UNREADABLE_MAX - 1).filter(|_| unreadable.iter().any(|(index, _)| veil.hides(*index))) {
                let end = last.saturating_add(1);
                entries.retain(|entry| entry.index < end);
                next_index = Some(end);
            }
            unreadable.retain(|(index, _)| !veil.hides(*index));
            if is_first {
                found.erased = erased + veil.many(filter.from_index, filter.to_index);
            }
            is_first = false;
            found.next_index = next_index;
            let room = if tells_unreadable { UNREADABLE_MAX.saturating_sub(found.unreadable.len()) } else { 0 };
            found.unreadable.extend(unreadable.into_iter().take(room));
            for entry in entries {
                if veil.hides(entry.index) || !entry.record.as_ref().is_some_and(|record| sight.sees(record)) {
                    continue;
                }
                if found.entries.len() == max {
                    found.next_index = Some(entry.index);
                    found.unreadable.retain(|(index, _)| *index < entry.index);
                    return Ok(found);
                }
                found.entries.push(entry);
            }
        }
        Ok(found)
    }
}

impl Rows {
    /// For whoever sees a part of the log and filters: entries of the whole log that cannot be read; whether one of them is of this list, nobody can
    /// tell.
    #[must_use]
    pub const fn unjudged(&self) -> u64 {
        self.unjudged
    }

    /// The next page; none after the last. A page may be empty. The first tells of all that is erased from there on, so that a sum is right. Each entry
    /// that may match and cannot be read is named; a page with many of them is the shorter, and the call ends after as many of them as of records.
    ///
    /// # Errors
    /// The caller's key is no longer enrolled, or the store's refusal.
    pub async fn next(&mut self) -> Result<Option<Page>, Refusal> {
        if self.done {
            return Ok(None);
        }
        drop(self.gateway.permit_or_refuse(&self.caller, Verb::ListRecords).await?);
        if self.left == 0 {
            self.done = true;
            return Ok(Some(Page { entries: Vec::new(), next_index: Some(self.filter.from_index), erased: 0, unreadable: Vec::new() }));
        }
        // The scope in force now, as the permit is.
        let found = async {
            let sight = self.gateway.seeing(&self.caller).await?;
            self.gateway.visible(&sight, self.filter.clone(), self.left.min(PAGE)).await.map(Found::up_to_the_last_named)
        };
        match found.await {
            Ok(Found { entries, next_index, erased, unreadable }) => {
                self.gateway.pace.give(self.caller.id(), Given::Row, entries.len()).await;
                self.left = self.left.saturating_sub(entries.len());
                self.left_unreadable = self.left_unreadable.saturating_sub(unreadable.len());
                if self.left_unreadable == 0 {
                    self.left = 0;
                }
                match next_index {
                    Some(next) => self.filter.from_index = next,
                    None => self.done = true,
                }
                let erased = if std::mem::take(&mut self.is_first) { erased } else { 0 };
                Ok(Some(Page { entries, next_index, erased, unreadable }))
            }
            Err(error) => Err(self.gateway.failed(&self.caller, Verb::ListRecords, error, None).await),
        }
    }
}
