//! What only a hold keeps of who read about a case, or held it. To an auditor outside whose scope the case lies it is erased with its month, its own
//! reading too: else what it once asked about a case would show it, for as long as it is held, that it is. So is what cannot be read any more of what
//! only such a hold keeps, as it may be one of those.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::event::kind;
use crate::audit::range::{Held, OpenEntry};
use crate::audit::sight::Sight;
use crate::audit::tlog_proof::TlogProof;
use crate::domain::id::CaseRef;
use crate::domain::time::Timestamp;
use crate::gateway::Gateway;
use crate::store::{EntryProof, RecordFilter, StoreError, UNREADABLE_MAX};

use bytes::Bytes;

/// The kinds that name a case in which they did not happen: all but what [`happened`](crate::audit::record::Record::happened_in_its_case).
const ABOUT_A_CASE: [u16; 6] =
    [kind::AUDIT_READ, kind::AUDIT_ASKED, kind::HOLD_PLACED, kind::HOLD_LIFTED, kind::HOLD_ENDED, kind::HELD_ERASED];
/// Records that are looked at at once.
const LOOKED_AT: usize = 1000;

/// Indices whose records are erased to a reader, although a hold keeps them.
#[derive(Debug, Clone, Default)]
pub(super) struct Veil(BTreeSet<u64>);

impl Veil {
    pub(super) fn hides(&self, index: u64) -> bool {
        self.0.contains(&index)
    }

    /// How many from `from` up to `to`.
    pub(super) fn many(&self, from: u64, to: Option<u64>) -> u64 {
        self.0.range(from..to.unwrap_or(u64::MAX).max(from)).count() as u64
    }

    pub(super) fn over(&self, entries: &mut [OpenEntry]) {
        for entry in entries.iter_mut().filter(|entry| self.hides(entry.index)) {
            entry.held = Held::Erased;
        }
    }

    /// The proof of an entry as of one that is erased: its leaf, and nothing that opens it.
    pub(super) fn over_proof(&self, of: EntryProof) -> Result<EntryProof, StoreError> {
        if !self.hides(of.index) {
            return Ok(of);
        }
        let plain = std::str::from_utf8(&of.proof).ok().and_then(|text| TlogProof::parse(text).ok());
        let shut = plain.and_then(|proof| TlogProof::new(&[], proof.index(), proof.hashes(), proof.checkpoint()).ok());
        let shut = shut.ok_or_else(|| StoreError::Damaged { place: format!("the proof of entry {}", of.index) })?;
        Ok(EntryProof { record: None, unreadable: false, proof: Bytes::from(shut.encode()), ..of })
    }
}

impl Gateway {
    /// What is erased to `sight` and to nobody who sees everything.
    pub(super) async fn veil(&self, sight: &Sight) -> Result<Veil, StoreError> {
        let mut veil = Veil::default();
        if sight.parties().is_none() {
            return Ok(veil);
        }
        // Below it, nothing is kept but by holds.
        let first_kept = self.read_by(sight, |store| async move { store.first_not_before(Timestamp::from_millis(i64::MIN)).await }).await?;
        let (mut within, mut from_index) = (BTreeMap::<CaseRef, bool>::new(), 0);
        let mut unreadable = BTreeSet::new();
        while from_index < first_kept {
            let filter = RecordFilter { kinds: ABOUT_A_CASE.to_vec(), from_index, to_index: Some(first_kept), ..RecordFilter::default() };
            let page = self.page_by(sight, &filter, LOOKED_AT).await?;
            for entry in page.entries {
                let Some(case_ref) = entry.record.and_then(|record| record.case_ref) else { continue };
                let is_within = match within.get(&case_ref) {
                    Some(known) => *known,
                    None => self.case_within(sight, case_ref).await?.0.is_some(),
                };
                within.insert(case_ref, is_within);
                if !is_within {
                    veil.0.insert(entry.index);
                }
            }
            // Of a hundred there may be more than are named: from the last on, they are looked for again.
            let last_named = page.unreadable.get(UNREADABLE_MAX - 1).map(|(last, _)| last.saturating_add(1));
            unreadable.extend(page.unreadable.iter().map(|(index, _)| *index));
            match last_named.or(page.next_index) {
                Some(next) => from_index = next,
                None => break,
            }
        }
        if !unreadable.is_empty() {
            for hold in self.store.holds().await? {
                let case = hold.case.case_ref;
                if self.case_within(sight, case).await?.0.is_some() {
                    let own = self.read_by(sight, move |store| async move { store.held(case).await }).await?;
                    own.iter().for_each(|index| _ = unreadable.remove(index));
                }
            }
            veil.0.append(&mut unreadable);
        }
        Ok(veil)
    }
}
