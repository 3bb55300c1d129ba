//! A range of the log with what opens it, for a bundle that proves itself offline.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::PageOf;
use super::hold::{MAY_BE, Within};
use super::search::Found;
use super::survey::Range;
use crate::audit::event::Asked;
use crate::audit::question::Period;
use crate::audit::range::{Held, OpenEntry};
use crate::audit::sight::Sight;
use crate::audit::tree::Hash;
use crate::domain::hold::HoldCopy;
use crate::domain::id::CaseRef;
use crate::gateway::reading::Given;
use crate::gateway::{Gateway, Refusal};
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{LogEntry, RecordFilter, StoreError, UNREADABLE_MAX};

/// Records of one case; a case of more is exported by period.
const CASE_RECORDS_MAX: usize = 10_000;
/// Entries read at once, so that their answers are written in little time.
const READ_AT_ONCE: u64 = 1024;
/// An export waits so long for witnesses to cosign a head that covers it.
const COSIGN_PATIENCE: Duration = Duration::from_secs(3);

/// Which entries are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportOf {
    /// First index.
    pub from_index: Option<u64>,
    /// One past the last index.
    pub to_index: Option<u64>,
    /// Which time.
    pub period: Period,
    /// Only this case's records are opened.
    pub case_ref: Option<CaseRef>,
    /// The head that the caller holds and wants it proved under, so that the same export can be made again; else the newest.
    pub tree_size: Option<u64>,
}

/// What proves that the range stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFrame {
    /// The signed checkpoint, with cosignatures if there are any.
    pub checkpoint: Bytes,
    /// First index.
    pub from: u64,
    /// One past the last index.
    pub to: u64,
    /// The complete subtrees to the left of the range, largest first.
    pub edge: Vec<Hash>,
    /// From the range's end to the checkpoint.
    pub consistency: Vec<Hash>,
    /// Whose records are opened.
    pub sight: Sight,
    /// What there is of the copy of the case, when it is of one that is held.
    pub hold: Option<HoldCopy>,
}

/// An export under way.
#[derive(Debug)]
pub struct Export {
    gateway: Arc<Gateway>,
    caller: Caller,
    case_ref: Option<CaseRef>,
    frame: ExportFrame,
    next: u64,
}

impl Gateway {
    /// Begins an export: an event, durable before the first entry.
    ///
    /// # Errors
    /// [`Reason::EntryUnknown`] for a range without entries, a size that the log does not have or a case of which nothing that happened is within the
    /// caller's scope, [`Reason::DataDamaged`] when that cannot be told, [`Reason::PeriodTooLong`] for a case of too many, not the caller's call, or the
    /// store's refusal.
    pub async fn export(self: &Arc<Self>, caller: &Caller, of: ExportOf) -> Result<Export, Refusal> {
        let ExportOf { from_index, to_index, period, case_ref, tree_size: _ } = of;
        let asked = Asked { from_time: period.from, to_time: period.to, from_index, to_index, case_ref, ..Asked::default() };
        // An export ends before its own event, which names the case too.
        let end = *self.store.durable().borrow();
        self.ask(caller, Verb::Export, asked, PageOf::First).await?;
        match self.export_frame(caller, of, end).await {
            Ok(Ok(frame)) => Ok(Export { gateway: self.clone(), caller: caller.clone(), case_ref, next: frame.from, frame }),
            Ok(Err(reason)) => Err(self.refuse(caller, Verb::Export, reason.into(), None).await),
            Err(error) => Err(self.failed(caller, Verb::Export, error, None).await),
        }
    }

    async fn export_frame(&self, caller: &Caller, of: ExportOf, end: u64) -> Result<Result<ExportFrame, Reason>, StoreError> {
        let sight = self.seeing(caller).await?;
        let Range { from, to, head, mut checkpoint } = self.range(&sight, of.period, false, of.tree_size).await?;
        let mut size = of.tree_size.unwrap_or_else(|| head.size());
        if size == 0 || size > head.size() {
            return Ok(Err(Reason::EntryUnknown));
        }
        let (mut from, mut to) = (from.max(of.from_index.unwrap_or(0)), to.min(of.to_index.unwrap_or(end)).min(end));
        if let Some(case_ref) = of.case_ref {
            // As for a hold: the reader's own questions about a reference are records of it, and make no case of which it is told.
            let within = self.within(&sight, case_ref).await?;
            match within {
                Within::Seen(_) => {}
                // Who sees everything is told of each entry that may be of the case, and of the hold whose records are all gone.
                _ if sight.parties().is_none() => {}
                Within::MayBe => return Err(StoreError::Damaged { place: MAY_BE.into() }),
                Within::No => return Ok(Err(Reason::EntryUnknown)),
            }
            let filter = RecordFilter { case_ref: Some(case_ref), from_index: from, to_index: Some(to), ..RecordFilter::default() };
            let found = self.visible(&sight, filter, CASE_RECORDS_MAX).await?;
            if found.next_index.is_some() {
                return Ok(Err(Reason::PeriodTooLong));
            }
            let is_of_a_case = |entry: &LogEntry| entry.record.as_ref().is_some_and(|record| !record.is_a_question());
            if matches!(within, Within::No) && !found.entries.iter().any(is_of_a_case) {
                return Ok(Err(Reason::EntryUnknown));
            }
            let is_all_named = found.unreadable.len() < UNREADABLE_MAX;
            // One that cannot be read may be of the case: it is within the range and told as such, as left out at an end it would not be missed.
            let indices = || found.entries.iter().map(|entry| entry.index).chain(Found::indices(&found.unreadable));
            let (Some(first), Some(last)) = (indices().min(), indices().max()) else {
                return Ok(Err(Reason::EntryUnknown));
            };
            (from, to) = (first, if is_all_named { last + 1 } else { to });
        }
        if from >= to {
            return Ok(Err(Reason::EntryUnknown));
        }
        if let Some(witnesses) = self.witnesses().filter(|_| of.tree_size.is_none())
            && let Some(cosigned) = witnesses.cosigned(to, COSIGN_PATIENCE).await
        {
            (checkpoint, size) = (Bytes::from(cosigned.checkpoint.clone()), cosigned.size);
        }
        let damaged = || StoreError::Damaged { place: "log: the tiles of the range".into() };
        let edge = self
            .read_by(&sight, move |store| async move { store.edge(from).await })
            .await?
            .ok_or_else(damaged)?
            .peaks()
            .map(|(_, _, hash)| hash)
            .collect();
        let consistency = self.read_by(&sight, move |store| async move { store.consistency(to, size).await }).await?.ok_or_else(damaged)?;
        // Only of a case that is within the sight, see above.
        let holds = if of.case_ref.is_some() { self.store.holds().await? } else { Vec::new() };
        let held = holds.into_iter().map(|hold| hold.case.case_ref).find(|case| of.case_ref == Some(*case));
        let hold = match held {
            Some(case) => Some(self.read_by(&sight, move |store| async move { store.hold_copy(case).await }).await?),
            None => None,
        };
        Ok(Ok(ExportFrame { checkpoint, from, to, edge, consistency, sight, hold }))
    }
}

impl Export {
    /// What the range is proved by.
    #[must_use]
    pub const fn frame(&self) -> &ExportFrame {
        &self.frame
    }

    /// The next entries, in order; none after the last.
    ///
    /// # Errors
    /// The caller's key is no longer enrolled, or an entry cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<OpenEntry>>, Refusal> {
        let gateway = self.gateway.clone();
        drop(gateway.permit_or_refuse(&self.caller, Verb::Export).await?);
        if self.next >= self.frame.to {
            return Ok(None);
        }
        match self.read().await {
            Ok(entries) => Ok(Some(entries)),
            Err(error) => Err(gateway.failed(&self.caller, Verb::Export, error, None).await),
        }
    }

    async fn read(&mut self) -> Result<Vec<OpenEntry>, StoreError> {
        let (from, to) = (self.next, self.frame.to.min(self.next + READ_AT_ONCE));
        let mut entries = self.gateway.read(self.caller.id(), move |store| async move { store.entries(from, to).await }).await?;
        self.gateway.pace.give(self.caller.id(), Given::Entry, entries.len()).await;
        let damaged = |index: u64| StoreError::Damaged { place: format!("the published log at index {index}") };
        if entries.is_empty() {
            return Err(damaged(self.next));
        }
        // The scope that the export began with, unless it was narrowed since.
        let now = self.gateway.seeing(&self.caller).await?;
        self.gateway.veil(&now).await?.over(&mut entries);
        if now != self.frame.sight {
            self.gateway.veil(&self.frame.sight).await?.over(&mut entries);
        }
        for entry in &mut entries {
            if entry.leaf.is_none() {
                return Err(damaged(entry.index));
            }
            let is_open = match &entry.held {
                Held::Record(held) => {
                    self.frame.sight.sees(&held.0) && now.sees(&held.0) && self.case_ref.is_none_or(|case| held.0.goes_with(case))
                }
                _ => true,
            };
            if !is_open {
                entry.held = Held::Closed;
            }
        }
        self.next += entries.len() as u64;
        Ok(entries)
    }
}
