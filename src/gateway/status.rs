//! Where a sender's messages stand: asked for, or as a feed; and receipts again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::leases::Ending;
use super::reading::Given;
use super::{Gateway, Refusal};
use crate::audit::event::kind;
use crate::audit::record::Record;
use crate::domain::id::MessageId;
use crate::domain::participant::{Register, Role};
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{Accepted, Cursor, EntryProof, LogEntry, RecordFilter, StatusEntry, Store, StoreError};

/// Changes read from the store at once.
const PAGE: usize = 64;

/// The answer to a question for several messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statuses {
    /// In the order of the question.
    pub known: Vec<StatusEntry>,
    /// No message of this sender.
    pub unknown: Vec<MessageId>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its steps, by index.
    pub proofs: Vec<EntryProof>,
    /// Where the next call starts, if there is more.
    pub next_index: Option<u64>,
    /// A record that may be a step of it is kept and cannot be read.
    pub is_damaged: bool,
}

/// One change in the feed.
pub type Change = StatusEntry;

/// A sender's feed, read one change at a time.
pub struct Changes {
    gateway: Arc<Gateway>,
    caller: Caller,
    verb: Verb,
    cursor: Cursor,
    follow: bool,
    durable: tokio::sync::watch::Receiver<u64>,
    page: VecDeque<StatusEntry>,
    ending: Ending,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

/// Entries that one call for evidence gives.
const EVIDENCE_MAX: usize = 256;
/// What becomes of a message with its recipient.
const STEPS: [u16; 4] = [kind::HANDED_OUT, kind::ACKNOWLEDGED, kind::NOTICE_RETURNED, kind::ENDED_UNDELIVERED];

/// Whether an entry tells `caller` what became of its own message, or of one of whom it followed. A laboratory is shown none whose text names the case.
fn is_evidence(record: &Record, caller: &Caller, register: &Register) -> bool {
    let is_step = STEPS.contains(&record.kind);
    let may_be_shown = caller.participant.role != Role::Laboratory || record.is_delivery_of_result();
    is_step && may_be_shown && record.sender.as_ref().is_some_and(|sender| register.stands_for(caller.id(), sender))
}

impl Gateway {
    /// Where messages of `caller` stand.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn statuses(&self, caller: &Caller, verb: Verb, ids: &[MessageId]) -> Result<Statuses, Refusal> {
        drop(self.permit_or_refuse(caller, verb).await?);
        let mut statuses = Statuses::default();
        for id in ids {
            match self.store.status(caller.id(), *id).await {
                Ok(Some(entry)) => statuses.known.push(entry),
                Ok(None) => statuses.unknown.push(*id),
                Err(error) => return Err(self.failed(caller, verb, error, Some(*id)).await),
            }
        }
        Ok(statuses)
    }

    /// The receipt of a message of `caller`, the same bytes as the first time.
    ///
    /// # Errors
    /// [`Reason::MessageUnknown`], not the caller's call, or the store's refusal.
    pub async fn receipt(&self, caller: &Caller, verb: Verb, message_id: MessageId) -> Result<Accepted, Refusal> {
        drop(self.permit_or_refuse(caller, verb).await?);
        match self.store.receipt(caller.id(), message_id).await {
            Ok(Some(accepted)) => Ok(accepted),
            Ok(None) => Err(self.refuse(caller, verb, Reason::MessageUnknown.into(), Some(message_id)).await),
            Err(error) => Err(self.failed(caller, verb, error, Some(message_id)).await),
        }
    }

    /// What became of an own message, each step with a proof that opens only what its sender may know, by log index. Deliveries
    /// of results that were logged before their texts left out the case have none. Steps whose records are erased have none either; those of
    /// later months are given as long as they live. A damaged record takes the proof of its own step away and no other's.
    ///
    /// # Errors
    /// [`Reason::MessageUnknown`], [`Reason::DataDamaged`] when it can be for damage alone, not the caller's call, or the store's refusal.
    pub async fn evidence(&self, caller: &Caller, verb: Verb, message_id: MessageId, from_index: u64) -> Result<Evidence, Refusal> {
        drop(self.permit_or_refuse(caller, verb).await?);
        let found = async {
            // The record of its acceptance may be erased while later ones live; what the case remembers says then whose message it is.
            let (receipt, damage) = match self.store.receipt(caller.id(), message_id).await {
                Ok(receipt) => (receipt, None),
                // That record, or one that may be it: then its steps tell too whose message it is.
                Err(error @ StoreError::Damaged { .. }) => (None, Some(error)),
                Err(error) => return Err(error),
            };
            let status = self.store.status(caller.id(), message_id).await?;
            let accepted = receipt.map(|accepted| accepted.index).or(status.map(|status| status.cursor.index));
            if accepted.is_none() && damage.is_none() {
                return Ok(None);
            }
            let register = self.store.register();
            let (mut proofs, mut next_index, mut is_damaged) = (Vec::new(), Some(from_index), false);
            // By kind: refused calls name messages too, anybody's, and would stand in the way of what is asked for.
            while let Some(from_index) = next_index.filter(|_| proofs.len() < EVIDENCE_MAX) {
                let filter = RecordFilter { message_id: Some(message_id), kinds: STEPS.to_vec(), from_index, ..RecordFilter::default() };
                let max = EVIDENCE_MAX - proofs.len();
                let page = self.read(caller.id(), move |store| async move { store.records(&filter, max).await }).await?;
                // Its acceptance is none of its steps.
                is_damaged |= page.unreadable.iter().any(|(index, _)| Some(*index) != accepted);
                for LogEntry { index, record } in page.entries {
                    if record.is_some_and(|record| is_evidence(&record, caller, &register)) {
                        let prove = move |store: Arc<dyn Store>| async move { store.prove_for_sender(index).await };
                        proofs.extend(self.read(caller.id(), prove).await?);
                    }
                }
                next_index = page.next_index;
            }
            match damage {
                Some(error) if accepted.is_none() && proofs.is_empty() => Err(error),
                _ => Ok(Some(Evidence { proofs, next_index, is_damaged })),
            }
        };
        match found.await {
            Ok(Some(evidence)) => Ok(evidence),
            Ok(None) => Err(self.refuse(caller, verb, Reason::MessageUnknown.into(), Some(message_id)).await),
            Err(error) => Err(self.failed(caller, verb, error, Some(message_id)).await),
        }
    }

    /// The feed of `caller` from `cursor` on; it ends at the present unless it is to follow.
    ///
    /// # Errors
    /// Not the caller's call, too many feeds, or a cursor from the future.
    pub async fn watch(self: &Arc<Self>, caller: &Caller, verb: Verb, cursor: Cursor, follow: bool) -> Result<Changes, Refusal> {
        drop(self.permit_or_refuse(caller, verb).await?);
        let mut durable = self.store.durable();
        if cursor.changed > *durable.borrow_and_update() {
            return Err(self.refuse(caller, verb, Reason::CursorAhead.into(), None).await);
        }
        let ending = match self.leases.open_feed(caller.id()) {
            Ok(ending) => ending,
            Err(reason) => return Err(self.refuse(caller, verb, reason.into(), None).await),
        };
        Ok(Changes { gateway: self.clone(), caller: caller.clone(), verb, cursor, follow, durable, page: VecDeque::new(), ending })
    }
}

impl Changes {
    /// The next change; none when the feed is at its end.
    ///
    /// # Errors
    /// The caller's key is no longer enrolled, or the store's refusal. The feed is over then.
    pub async fn next(&mut self) -> Result<Option<Change>, Refusal> {
        loop {
            if let Some(reason) = self.ending.reason() {
                return Err(Refusal(reason.into()));
            }
            if let Some(entry) = self.page.pop_front() {
                self.cursor = entry.cursor;
                return Ok(Some(entry));
            }
            // Marked as seen before the question, so that no change falls between question and wait.
            self.durable.mark_unchanged();
            drop(self.gateway.permit_or_refuse(&self.caller, self.verb).await?);
            match self.gateway.store.changes(self.caller.id(), self.cursor, PAGE).await {
                Ok(page) => self.page = page.into(),
                Err(error) => return Err(self.gateway.failed(&self.caller, self.verb, error, None).await),
            }
            if !self.page.is_empty() {
                self.gateway.pace.give(self.caller.id(), Given::Change, self.page.len()).await;
                continue;
            }
            if !self.follow {
                return Ok(None);
            }
            tokio::select! {
                () = self.ending.ended() => {}
                changed = self.durable.changed() => {
                    if changed.is_err() {
                        return Err(Refusal(Reason::Unavailable.into()));
                    }
                }
            }
        }
    }
}
