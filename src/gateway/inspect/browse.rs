//! A search page by page in both directions, as a person turns pages: newest first, then older, then newer again.

use std::collections::VecDeque;

use super::PageOf;
use super::search::{Found, asked};
use crate::audit::sight::Sight;
use crate::domain::time::Timestamp;
use crate::gateway::{Gateway, Refusal};
use crate::policy::permit::Caller;
use crate::policy::table::Verb;
use crate::store::{LogEntry, RecordFilter, StoreError, UNREADABLE_MAX};

/// Where a page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The newest.
    Newest,
    /// The newest below an index.
    Before(u64),
    /// The oldest above an index.
    After(u64),
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browsed {
    /// What matched, by index, oldest first.
    pub entries: Vec<LogEntry>,
    /// The indices that were looked through for it and lie on it: everything between two of its entries was.
    pub range: std::ops::Range<u64>,
    /// Entries among those looked through whose records are erased: they could not be compared.
    pub erased: u64,
    /// Entries on it that cannot be read, by index; of more than a hundred, the first.
    pub unreadable: Vec<u64>,
    /// For whoever sees a part of the log and filters: entries of the whole log that cannot be read; whether one of them matches, nobody can tell.
    pub unjudged: u64,
    /// The first index whose record is kept by its month: what is lacking from there on is not erased.
    pub first_kept: u64,
    /// Whether there may be a newer page.
    pub newer: bool,
    /// Whether there may be an older page.
    pub older: bool,
}

/// The widest stretch that is looked through at once.
const WINDOW_MAX: u64 = 1 << 18;

impl Gateway {
    /// The page of at most `max` entries at `turn`. A page that continues a search that the same reader asked for since the start is no event of its
    /// own, and shows nothing that came after that asking: the newest page, which is asked for anew, does.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn browse(&self, caller: &Caller, filter: RecordFilter, turn: Turn, max: usize) -> Result<Browsed, Refusal> {
        let page = if turn == Turn::Newest { PageOf::First } else { PageOf::Further };
        let size = self.ask(caller, Verb::ListRecords, asked(&filter), page).await?;
        let sight = match self.seeing(caller).await {
            Ok(sight) => sight,
            Err(error) => return Err(self.failed(caller, Verb::ListRecords, error, None).await),
        };
        let max = max.min(self.settings.records_per_call_max);
        let names_one = filter.case_ref.is_some() || filter.message_id.is_some();
        let unjudged = self.unjudged(&sight, &filter).await;
        let turned = async {
            let browsed = self.turned(&sight, filter, size, turn, max).await?;
            // Asked last: a month that went meanwhile is no damage.
            let first_kept =
                self.read_by(&sight, move |store| async move { store.first_not_before(Timestamp::from_millis(i64::MIN)).await }).await?;
            Ok(Browsed { first_kept, unjudged: unjudged?, ..browsed })
        };
        match if names_one { self.evenly(&sight, turned).await } else { turned.await } {
            Ok(browsed) => Ok(browsed),
            Err(error) => Err(self.failed(caller, Verb::ListRecords, error, None).await),
        }
    }

    /// Indices in which the filter's period lies. What was erased may have been of it.
    async fn bounds(&self, sight: &Sight, filter: &RecordFilter, size: u64) -> Result<(u64, u64), StoreError> {
        let mut first = filter.from_index;
        if let Some(from) = filter.from_time {
            let found = self.read_by(sight, move |store| async move { store.first_not_before(from).await }).await?;
            if found
                > self.read_by(sight, move |store| async move { store.first_not_before(Timestamp::from_millis(i64::MIN)).await }).await?
            {
                first = first.max(found);
            }
        }
        let mut end = filter.to_index.unwrap_or(size).min(size);
        if let Some(to) = filter.to_time {
            end = end.min(self.read_by(sight, move |store| async move { store.first_not_before(to).await }).await?);
        }
        Ok((first, end.max(first)))
    }

    async fn turned(&self, sight: &Sight, filter: RecordFilter, size: u64, turn: Turn, max: usize) -> Result<Browsed, StoreError> {
        let (first, end) = self.bounds(sight, &filter, size).await?;
        match turn {
            Turn::After(index) => {
                let from_index = index.saturating_add(1).clamp(first, end);
                let found = self.look_through(sight, RecordFilter { from_index, to_index: Some(end), ..filter }, max).await?;
                let Found { entries, next_index, erased, unreadable } = found;
                Ok(Browsed {
                    entries,
                    range: from_index..next_index.unwrap_or(end),
                    erased,
                    unreadable: Found::indices(&unreadable).collect(),
                    unjudged: 0,
                    first_kept: 0,
                    newer: next_index.is_some(),
                    older: from_index > first,
                })
            }
            Turn::Newest => self.backwards(sight, filter, first, end, end, max).await,
            Turn::Before(index) => self.backwards(sight, filter, first, index.clamp(first, end), end, max).await,
        }
    }

    /// Looks through stretches that widen as they stay empty, so that what is rare is found soon and what is frequent is not read in vain.
    async fn backwards(
        &self,
        sight: &Sight,
        filter: RecordFilter,
        first: u64,
        upper: u64,
        end: u64,
        max: usize,
    ) -> Result<Browsed, StoreError> {
        let (mut found, mut erased, mut low, mut unreadable, mut is_cut) = (VecDeque::new(), 0, upper, Vec::new(), false);
        let mut window = (max as u64).saturating_add(1);
        while low > first && found.len() <= max {
            let start = low.saturating_sub(window).max(first);
            let mut stretch = Vec::new();
            let mut from_index = start;
            loop {
                let page =
                    self.look_through(sight, RecordFilter { from_index, to_index: Some(low), ..filter.clone() }, max.max(256)).await?;
                if from_index == start {
                    erased += page.erased;
                }
                stretch.extend(page.entries);
                is_cut |= page.unreadable.len() >= UNREADABLE_MAX || unreadable.len() >= UNREADABLE_MAX;
                unreadable.extend(Found::indices(&page.unreadable));
                match page.next_index {
                    Some(next) => from_index = next,
                    None => break,
                }
            }
            for entry in stretch.into_iter().rev() {
                found.push_front(entry);
            }
            low = start;
            window = window.saturating_mul(4).min(WINDOW_MAX);
        }
        let beyond = found.len().saturating_sub(max);
        found.drain(..beyond);
        let start = if beyond > 0 { found.front().map_or(low, |entry: &LogEntry| entry.index) } else { low };
        if is_cut {
            // What was named may all lie before the page: once more for the page alone.
            let page = self.look_through(sight, RecordFilter { from_index: start, to_index: Some(upper), ..filter }, max).await?;
            unreadable = Found::indices(&page.unreadable).collect();
        }
        unreadable.retain(|index| *index >= start);
        unreadable.sort_unstable();
        let (entries, newer, older) = (found.into(), upper < end, beyond > 0);
        Ok(Browsed { entries, range: start..upper, erased, unreadable, unjudged: 0, first_kept: 0, newer, older })
    }
}
