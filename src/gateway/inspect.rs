//! Read-only questions of auditors. Each is an event, durable before its answer.

use std::sync::Arc;

use bytes::Bytes;

use super::{Gateway, Refusal};
use crate::audit::tree::Hash;
use crate::domain::id::{CaseRef, MessageId, ParticipantId};
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{EntryProof, Page, RecordFilter};

/// Entries that one proof call gives.
const PROOFS_MAX: usize = 100;
/// Entries that are read from the store at once.
const PAGE: usize = 256;

/// What is to be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofOf {
    /// One entry.
    Index(u64),
    /// Entries about a message.
    Message(MessageId),
}

/// A list of records, read page by page.
#[derive(Debug)]
pub struct Rows {
    gateway: Arc<Gateway>,
    caller: Caller,
    filter: RecordFilter,
    left: usize,
    done: bool,
}

impl Gateway {
    async fn audit(
        &self,
        caller: &Caller,
        verb: Verb,
        case_ref: Option<CaseRef>,
        participant: Option<ParticipantId>,
    ) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, verb).await?;
        match self.store.act(Command::Audit { permit, case_ref, participant }).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }

    /// The newest signed head.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn checkpoint(&self, caller: &Caller) -> Result<Bytes, Refusal> {
        self.audit(caller, Verb::GetCheckpoint, None, None).await?;
        match self.store.checkpoint().await {
            Ok(checkpoint) => Ok(checkpoint),
            Err(error) => Err(self.failed(caller, Verb::GetCheckpoint, error, None).await),
        }
    }

    /// Records that match, at most `max` of them and at most the settings' bound.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn records(self: &Arc<Self>, caller: &Caller, filter: RecordFilter, max: Option<usize>) -> Result<Rows, Refusal> {
        self.audit(caller, Verb::ListRecords, filter.case_ref, filter.participant.clone()).await?;
        let left = max.unwrap_or(usize::MAX).min(self.settings.records_per_call_max);
        // The list ends at the size it began at; else a busy log could be followed for ever, and each call lists its own event.
        let size = *self.store.durable().borrow();
        let filter = RecordFilter { to_index: Some(filter.to_index.unwrap_or(size).min(size)), ..filter };
        Ok(Rows { gateway: self.clone(), caller: caller.clone(), filter, left, done: false })
    }

    /// Proofs against the newest head.
    ///
    /// # Errors
    /// [`Reason::EntryUnknown`], not the caller's call, or the store's refusal.
    pub async fn proofs(&self, caller: &Caller, of: ProofOf) -> Result<Vec<EntryProof>, Refusal> {
        self.audit(caller, Verb::GetProof, None, None).await?;
        let indices = match of {
            ProofOf::Index(index) => Ok(vec![index]),
            ProofOf::Message(id) => self.store.entries_of(id, PROOFS_MAX).await,
        };
        let mut proofs = Vec::new();
        match indices {
            Ok(indices) => {
                for index in indices {
                    match self.store.prove(index).await {
                        Ok(proof) => proofs.extend(proof),
                        Err(error) => return Err(self.failed(caller, Verb::GetProof, error, None).await),
                    }
                }
            }
            Err(error) => return Err(self.failed(caller, Verb::GetProof, error, None).await),
        }
        if proofs.is_empty() {
            return Err(self.refuse(caller, Verb::GetProof, Reason::EntryUnknown.into(), None).await);
        }
        Ok(proofs)
    }

    /// The consistency proof between two sizes.
    ///
    /// # Errors
    /// [`Reason::EntryUnknown`] for sizes that are none, not the caller's call, or the store's refusal.
    pub async fn consistency(&self, caller: &Caller, old_size: u64, new_size: u64) -> Result<Vec<Hash>, Refusal> {
        let verb = Verb::GetConsistencyProof;
        self.audit(caller, verb, None, None).await?;
        match self.store.consistency(old_size, new_size).await {
            Ok(Some(hashes)) => Ok(hashes),
            Ok(None) => Err(self.refuse(caller, verb, Reason::EntryUnknown.into(), None).await),
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }
}

impl Rows {
    /// The next page; none after the last. A page may be empty.
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
            return Ok(Some(Page { entries: Vec::new(), next_index: Some(self.filter.from_index), erased: 0 }));
        }
        match self.gateway.store.records(&self.filter, self.left.min(PAGE)).await {
            Ok(page) => {
                self.left = self.left.saturating_sub(page.entries.len());
                match page.next_index {
                    Some(next) => self.filter.from_index = next,
                    None => self.done = true,
                }
                Ok(Some(page))
            }
            Err(error) => Err(self.gateway.failed(&self.caller, Verb::ListRecords, error, None).await),
        }
    }
}
