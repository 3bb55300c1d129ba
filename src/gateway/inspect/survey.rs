//! The prepared questions and counts, answered by reading and checking every entry of a range.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{LAST_CHECKS_MAX, PageOf};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::counts::{Column, Counts};
use crate::audit::event::Asked;
use crate::audit::question::{Answer, Findings, Period, Question, Survey};
use crate::audit::range::{Checked, Held, OpenEntry};
use crate::audit::sight::Sight;
use crate::domain::time::Timestamp;
use crate::gateway::{Gateway, Refusal};
use crate::policy::permit::Caller;
use crate::policy::table::Verb;
use crate::store::readers::give_way;
use crate::store::{ENTRIES_AT_ONCE, Stats, Store, StoreError};

/// Entries read at once in search of the edge of a period.
const LOOKED_AT_ONCE: u64 = 64;

/// Answers of one scan.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// In the order of the questions.
    pub answers: Vec<Answer>,
    /// Entries by kind and time, when they were asked for.
    pub counts: Option<Counts>,
    /// What was checked.
    pub checked: Checked,
    /// The signed checkpoint that it was checked against.
    pub checkpoint: Bytes,
    /// How long the scan took.
    pub took: Duration,
}

/// The last complete check of the log by this gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCheck {
    /// When.
    pub at: Timestamp,
    /// What.
    pub checked: Checked,
}

/// The state of the log.
#[derive(Debug, Clone)]
pub struct LogState {
    /// Sizes, and what is undelivered and overdue.
    pub stats: Stats,
    /// The signed checkpoint as it is published.
    pub checkpoint: Bytes,
    /// The first log index whose record is kept.
    pub first_kept: u64,
    /// The last complete check for the caller's scope since this gateway started, if there was one.
    pub last_check: Option<LastCheck>,
}

/// A range of the log and the head that it is checked against.
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) head: Checkpoint,
    pub(super) checkpoint: Bytes,
}

impl Gateway {
    /// Answers prepared questions about `period`, each by an event of its own and all by one scan.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn answer(&self, caller: &Caller, questions: &[Question], period: Period) -> Result<Surveyed, Refusal> {
        for question in questions {
            let asked = Asked { question: Some(question.number()), from_time: period.from, to_time: period.to, ..Asked::default() };
            self.ask(caller, Verb::Ask, asked, PageOf::First).await?;
        }
        match self.survey(caller, questions, period, None).await {
            Ok(surveyed) => Ok(surveyed),
            Err(error) => Err(self.failed(caller, Verb::Ask, error, None).await),
        }
    }

    /// Entries of `period` by kind and time, counted from checked records.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn count_records(&self, caller: &Caller, period: Period, column: Column) -> Result<Surveyed, Refusal> {
        let asked = Asked { from_time: period.from, to_time: period.to, ..Asked::default() };
        self.ask(caller, Verb::CountRecords, asked, PageOf::First).await?;
        match self.survey(caller, &[], period, Some(Counts::new(column))).await {
            Ok(surveyed) => Ok(surveyed),
            Err(error) => Err(self.failed(caller, Verb::CountRecords, error, None).await),
        }
    }

    /// Size, head, what is kept, and the last complete check.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn log_state(&self, caller: &Caller) -> Result<LogState, Refusal> {
        self.ask(caller, Verb::GetLogState, Asked::default(), PageOf::First).await?;
        let found = async {
            Ok(LogState {
                checkpoint: self.read(caller.id(), |store| async move { store.published().await }).await?.0,
                stats: self.stats(caller).await?,
                first_kept: self
                    .read(caller.id(), move |store| async move { store.first_not_before(Timestamp::from_millis(i64::MIN)).await })
                    .await?,
                last_check: self.last_check(&self.sight(caller)),
            })
        };
        match found.await {
            Ok(state) => Ok(state),
            Err(error) => Err(self.failed(caller, Verb::GetLogState, error, None).await),
        }
    }

    /// One scan. Memory is bounded by what the questions remember and two chunks of entries.
    async fn survey(
        &self,
        caller: &Caller,
        questions: &[Question],
        period: Period,
        counts: Option<Counts>,
    ) -> Result<Surveyed, StoreError> {
        let _turn = self.inspecting.scans.enter(caller.id()).await?;
        let begun = Instant::now();
        let looks_back = questions.iter().any(|question| Survey::looks_back(*question));
        let sight = self.seeing(caller).await?;
        let Range { from, to, head, checkpoint } = self.range(&sight, period, looks_back, None).await?;
        let edge = self.read_by(&sight, move |store| async move { store.edge(from).await }).await?;
        let mut survey = Survey::new(sight.clone(), period, questions, from, edge);
        if let Some(counts) = counts {
            survey = survey.counting(counts);
        }
        let veil = self.veil(&sight).await?;
        let mut chunk = self.entries(&sight, from, to.min(from + ENTRIES_AT_ONCE)).await?;
        let mut next = from;
        while !chunk.is_empty() {
            next += chunk.len() as u64;
            veil.over(&mut chunk);
            let checkers = Arc::clone(&self.inspecting.checkers);
            let step = move |store: Arc<dyn Store>| async move {
                let checking = checkers.run(move || {
                    chunk.iter().for_each(|entry| {
                        give_way();
                        survey.take(entry);
                    });
                    Ok(survey)
                });
                let (checked, read) = tokio::join!(checking, async {
                    if next < to { store.entries(next, to.min(next + ENTRIES_AT_ONCE)).await } else { Ok(Vec::new()) }
                });
                Ok::<_, StoreError>((checked?, read?))
            };
            (survey, chunk) = self.read_by(&sight, step).await?;
        }
        // Damaged tiles give no proof; the answer then says that its leaves do not lead to the head.
        let size = head.size();
        let consistency = match self.read_by(&sight, move |store| async move { store.consistency(next, size).await }).await {
            Ok(proof) => proof,
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let Findings { answers, counts, holds: _, checked } = survey.finish(&head, consistency.as_deref());
        if period == Period::default() && checked.from == 0 && checked.to == head.size() {
            self.remember_check(sight, LastCheck { at: self.store.now(), checked: checked.clone() });
        }
        Ok(Surveyed { answers, counts, checked, checkpoint, took: begun.elapsed() })
    }

    /// The complete range of indices that holds every entry of `period`: one more record within `sight` on either side, where there is any, shows that
    /// nothing of the period lies beyond. What is not seen shows no time, here as in an export, so both count the same.
    /// It ends with the published log, or with `tree_size` entries of it.
    pub(super) async fn range(&self, sight: &Sight, period: Period, looks_back: bool, tree_size: Option<u64>) -> Result<Range, StoreError> {
        let (checkpoint, head) = self.read_by(sight, |store| async move { store.published().await }).await?;
        let size = tree_size.unwrap_or(u64::MAX).min(head.size());
        let first_kept =
            self.read_by(sight, move |store| async move { store.first_not_before(Timestamp::from_millis(i64::MIN)).await }).await?;
        let from = match period.from {
            // What was erased may have been of the period, and what a question looks back to may be erased.
            Some(at) if !looks_back => {
                let from = self.read_by(sight, move |store| async move { store.first_not_before(at).await }).await?.min(size);
                self.seen_before(sight, at, from, first_kept).await?
            }
            _ => 0,
        };
        let to = match period.to {
            Some(at) => {
                let to = self.read_by(sight, move |store| async move { store.first_not_before(at).await }).await?.min(size);
                self.seen_from(sight, at, to, size).await?
            }
            None => size,
        };
        Ok(Range { from: from.min(to), to, head, checkpoint })
    }

    /// The last index below `end` of a record within `sight` from before `at`; 0 when there is none that is surely kept.
    async fn seen_before(&self, sight: &Sight, at: Timestamp, mut end: u64, first_kept: u64) -> Result<u64, StoreError> {
        while end > first_kept {
            let begin = end.saturating_sub(LOOKED_AT_ONCE).max(first_kept);
            let entries = self.entries(sight, begin, end).await?;
            let is_seen = |entry: &&OpenEntry| matches!(&entry.held, Held::Record(held) if held.0.time < at && sight.sees(&held.0));
            if let Some(found) = entries.iter().rev().find(is_seen) {
                return Ok(found.index);
            }
            end = begin;
        }
        Ok(0)
    }

    /// One past the first index from `begin` on of a record within `sight` that is not before `at`; `size` when there is none.
    async fn seen_from(&self, sight: &Sight, at: Timestamp, mut begin: u64, size: u64) -> Result<u64, StoreError> {
        while begin < size {
            let entries = self.entries(sight, begin, size.min(begin + LOOKED_AT_ONCE)).await?;
            let is_seen = |entry: &&OpenEntry| matches!(&entry.held, Held::Record(held) if held.0.time >= at && sight.sees(&held.0));
            if let Some(found) = entries.iter().find(is_seen) {
                return Ok(found.index + 1);
            }
            if entries.is_empty() {
                break;
            }
            begin += entries.len() as u64;
        }
        Ok(size)
    }

    /// Entries as they are checked, read when it is the reader's turn.
    async fn entries(&self, sight: &Sight, from: u64, to: u64) -> Result<Vec<OpenEntry>, StoreError> {
        self.read_by(sight, move |store| async move { store.entries(from, to).await }).await
    }

    fn last_check(&self, sight: &Sight) -> Option<LastCheck> {
        let checks = self.inspecting.last_checks.lock();
        checks.iter().find(|(seen, _)| seen.parties() == sight.parties()).map(|(_, check)| check.clone())
    }

    fn remember_check(&self, sight: Sight, check: LastCheck) {
        let mut checks = self.inspecting.last_checks.lock();
        checks.retain(|(seen, _)| seen.parties() != sight.parties());
        if checks.len() == LAST_CHECKS_MAX {
            checks.pop_front();
        }
        checks.push_back((sight, check));
    }
}
