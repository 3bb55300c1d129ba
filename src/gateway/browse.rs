//! The log page by page in both directions, as a person turns pages: newest first, older, newer. One event a page.

use std::collections::VecDeque;

use super::{Gateway, Refusal};
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::table::Verb;
use crate::store::{LogEntry, Page, RecordFilter, StoreError};

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
    /// Whether there may be a newer page.
    pub newer: bool,
    /// Whether there may be an older page.
    pub older: bool,
}

/// The widest stretch that is looked through at once.
const WINDOW_MAX: u64 = 1 << 18;

impl Gateway {
    /// The page of at most `max` entries at `turn`.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn browse(&self, caller: &Caller, filter: RecordFilter, turn: Turn, max: usize) -> Result<Browsed, Refusal> {
        let verb = Verb::ListRecords;
        let permit = self.permit_or_refuse(caller, verb).await?;
        let (case_ref, participant) = (filter.case_ref, filter.participant.clone());
        if let Err(error) = self.store.act(Command::Audit { permit, case_ref, participant }).await {
            return Err(self.failed(caller, verb, error, None).await);
        }
        match self.turned(filter, turn, max).await {
            Ok(browsed) => Ok(browsed),
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }

    async fn turned(&self, filter: RecordFilter, turn: Turn, max: usize) -> Result<Browsed, StoreError> {
        let size = *self.store.durable().borrow();
        let first = filter.from_index;
        let end = filter.to_index.unwrap_or(size).min(size).max(first);
        match turn {
            Turn::After(index) => {
                let from_index = index.saturating_add(1).clamp(first, end);
                let page = self.store.records(&RecordFilter { from_index, to_index: Some(end), ..filter }, max).await?;
                let Page { entries, next_index, erased } = page;
                Ok(Browsed { entries, range: from_index..next_index.unwrap_or(end), erased, newer: next_index.is_some(), older: from_index > first })
            }
            Turn::Newest => self.backwards(filter, first, end, end, max).await,
            Turn::Before(index) => self.backwards(filter, first, index.clamp(first, end), end, max).await,
        }
    }

    /// Looks through stretches that widen as they stay empty, so that what is rare is found soon and what is frequent is not read in vain.
    async fn backwards(&self, filter: RecordFilter, first: u64, upper: u64, end: u64, max: usize) -> Result<Browsed, StoreError> {
        let (mut found, mut erased, mut low) = (VecDeque::new(), 0, upper);
        let mut window = (max as u64).saturating_add(1);
        while low > first && found.len() <= max {
            let start = low.saturating_sub(window).max(first);
            let mut stretch = Vec::new();
            let mut from_index = start;
            loop {
                let page = self.store.records(&RecordFilter { from_index, to_index: Some(low), ..filter.clone() }, max.max(256)).await?;
                stretch.extend(page.entries);
                erased += page.erased;
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
        Ok(Browsed { entries: found.into(), range: start..upper, erased, newer: upper < end, older: beyond > 0 })
    }
}
