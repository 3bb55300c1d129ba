//! The head, and proofs against it.

use bytes::Bytes;

use super::PageOf;
use super::search::Found;
use super::veil::Veil;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::event::Asked;
use crate::audit::note::UnverifiedNote;
use crate::audit::proof::verify_inclusion;
use crate::audit::sight::Sight;
use crate::audit::tlog_proof::TlogProof;
use crate::audit::tree::Hash;
use crate::domain::id::MessageId;
use crate::gateway::{Gateway, Refusal};
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{EntryProof, RecordFilter, StoreError};

/// Entries that one proof call gives.
const PROOFS_MAX: usize = 100;

/// What is to be proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofOf {
    /// One entry.
    Index(u64),
    /// Entries about a message, from a log index on.
    Message(MessageId, u64),
}

/// Proofs of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proofs {
    /// By index.
    pub proofs: Vec<EntryProof>,
    /// Where the next call starts, if there is more about the message.
    pub next_index: Option<u64>,
}

impl Gateway {
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

    /// Proofs against the newest cosigned head that covers the entry, else the newest head. An entry outside the caller's scope is unknown to it;
    /// one that is erased or cannot be read shows nothing of whose it is, and its leaf is proved to anyone.
    /// The event names the entry or the message; further pages about a message end where the first one's log did, and make none.
    ///
    /// # Errors
    /// [`Reason::EntryUnknown`], not the caller's call, or the store's refusal.
    pub async fn proofs(&self, caller: &Caller, of: ProofOf) -> Result<Proofs, Refusal> {
        let seen = async {
            let sight = self.seeing(caller).await?;
            Ok::<_, StoreError>((self.veil(&sight).await?, sight))
        };
        let (veil, sight) = match seen.await {
            Ok(seen) => seen,
            Err(error) => return Err(self.failed(caller, Verb::GetProof, error, None).await),
        };
        let (asked, page) = match of {
            ProofOf::Index(index) => (self.naming(&sight, &veil, index).await, PageOf::Only),
            ProofOf::Message(id, 0) => (Asked { message_id: Some(id), ..Asked::default() }, PageOf::First),
            ProofOf::Message(id, _) => (Asked { message_id: Some(id), ..Asked::default() }, PageOf::Further),
        };
        let size = self.ask(caller, Verb::GetProof, asked, page).await?;
        let found = match of {
            ProofOf::Index(index) => Ok((vec![index], None)),
            ProofOf::Message(id, from_index) => {
                let filter = RecordFilter { message_id: Some(id), from_index, to_index: Some(size), ..RecordFilter::default() };
                let found = self.visible(&sight, filter, PROOFS_MAX).await.map(Found::up_to_the_last_named);
                // One that cannot be read may be about the message: it is proved and said to be so.
                found.map(|Found { entries, next_index, unreadable, .. }| {
                    let mut indices: Vec<u64> = entries.iter().map(|entry| entry.index).chain(Found::indices(&unreadable)).collect();
                    indices.sort_unstable();
                    (indices, next_index)
                })
            }
        };
        let (indices, next_index): (Vec<u64>, _) = match found {
            Ok(found) => found,
            Err(error) => return Err(self.failed(caller, Verb::GetProof, error, None).await),
        };
        let mut proofs = Vec::new();
        for index in indices {
            let proved = self.read_by(&sight, move |store| async move { store.prove(index).await }).await;
            match proved.and_then(|proof| proof.map(|proof| veil.over_proof(proof)).transpose()) {
                Ok(proof) => proofs.extend(proof.filter(|proof| proof.record.as_ref().is_none_or(|record| sight.sees(record)))),
                Err(error) => return Err(self.failed(caller, Verb::GetProof, error, None).await),
            }
        }
        if proofs.is_empty() {
            return Err(self.refuse(caller, Verb::GetProof, Reason::EntryUnknown.into(), None).await);
        }
        for proof in &mut proofs {
            match self.under_cosigned_head(&sight, proof).await {
                Ok(Some(cosigned)) => proof.proof = cosigned,
                Ok(None) => {}
                Err(error) => return Err(self.failed(caller, Verb::GetProof, error, None).await),
            }
        }
        Ok(Proofs { proofs, next_index })
    }

    /// What is asked for with one entry: its place, and the case that it tells of, so that whoever follows the case finds who read about it.
    async fn naming(&self, sight: &Sight, veil: &Veil, index: u64) -> Asked {
        let (from_index, to_index) = (index, index.checked_add(1));
        let found = self.page_by(sight, &RecordFilter { from_index, to_index, ..RecordFilter::default() }, 1).await;
        // What cannot be read names its place alone.
        let record = found.ok().and_then(|page| page.entries.into_iter().find_map(|entry| entry.record));
        let case_ref = record.filter(|record| sight.sees(record) && !veil.hides(index)).and_then(|record| record.case_ref);
        Asked { from_index: Some(index), to_index, case_ref, ..Asked::default() }
    }

    /// The same proof against a head that witnesses cosigned, once there is one that covers the entry.
    async fn under_cosigned_head(&self, sight: &Sight, of: &EntryProof) -> Result<Option<Bytes>, StoreError> {
        let Some(cosigned) = self.witnesses().and_then(|witnesses| witnesses.covering(of.index + 1)) else { return Ok(None) };
        let (index, size) = (of.index, cosigned.size);
        let Some(hashes) = self.read_by(sight, move |store| async move { store.inclusion(index, size).await }).await? else {
            return Ok(None);
        };
        let made = || {
            let plain = TlogProof::parse(std::str::from_utf8(&of.proof).ok()?).ok()?;
            let text = UnverifiedNote::parse(&cosigned.checkpoint).ok()?.text();
            let head = Checkpoint::from_text(text).ok()?;
            verify_inclusion(Hash::leaf(&of.leaf), of.index, head.size(), &hashes, &head.root()).ok()?;
            TlogProof::new(plain.extra().unwrap_or_default(), of.index, &hashes, &cosigned.checkpoint).ok()
        };
        Ok(made().map(|proof| Bytes::from(proof.encode())))
    }

    /// The consistency proof between two sizes.
    ///
    /// # Errors
    /// [`Reason::EntryUnknown`] for sizes that are none, not the caller's call, or the store's refusal.
    pub async fn consistency(&self, caller: &Caller, old_size: u64, new_size: u64) -> Result<Vec<Hash>, Refusal> {
        let verb = Verb::GetConsistencyProof;
        self.audit(caller, verb, None, None).await?;
        match self.read(caller.id(), move |store| async move { store.consistency(old_size, new_size).await }).await {
            Ok(Some(hashes)) => Ok(hashes),
            Ok(None) => Err(self.refuse(caller, verb, Reason::EntryUnknown.into(), None).await),
            Err(error) => Err(self.failed(caller, verb, error, None).await),
        }
    }
}
