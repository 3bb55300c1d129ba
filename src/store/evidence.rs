//! Receipts and proofs from what a store keeps: record, openings, place, and the head they are proved against.
//!
//! Equal arguments give equal bytes; that is why no receipt is ever stored.

use bytes::Bytes;

use super::{Accepted, EntryProof};
use crate::audit::checkpoint::SignedCheckpoint;
use crate::audit::leaf::{AuditorOpening, Leaf, Opening as _, OpeningError, Openings, SenderOpening};
use crate::audit::proof::inclusion_proof;
use crate::audit::receipt::{AuditorProof, Receipt};
use crate::audit::record::Record;
use crate::audit::tlog_proof::TlogProof;
use crate::audit::tree::{BuildError, Hash, NodeSource};
use crate::domain::id::{CaseRef, RequisitionId};
use crate::domain::time::Timestamp;

/// Why a receipt or proof could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError<E> {
    /// The tree's nodes could not be had.
    #[error(transparent)]
    Nodes(#[from] BuildError<E>),
    /// A part longer than an opening may be.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The proof does not fit its format.
    #[error("the proof does not fit the tlog-proof format")]
    Format,
}

/// The leaf of a record.
#[must_use]
pub fn leaf(record: &Record, openings: &Openings) -> Leaf {
    Leaf::commit(openings, &record.sender_part(), &record.gateway_part())
}

/// The leaf of a record, and what opens it for its sender. `gateway_part` is room for a text, lent by whoever makes many.
pub fn leaf_and_opening(record: &Record, openings: &Openings, gateway_part: &mut Vec<u8>) -> (Leaf, Result<SenderOpening, OpeningError>) {
    gateway_part.clear();
    record.push_gateway_part(gateway_part);
    match SenderOpening::written(openings, gateway_part, |out| record.push_sender_part(out)) {
        Ok(opening) => (opening.leaf(), Ok(opening)),
        // The leaf stands all the same; only a receipt of it cannot be made.
        Err(error) => (leaf(record, openings), Err(error)),
    }
}

/// The sender's receipt of the record at `index`, against `head` of `size` entries.
///
/// # Errors
/// An [`EvidenceError`] when nodes are missing.
pub fn receipt<S: NodeSource>(
    record: &Record,
    openings: &Openings,
    index: u64,
    size: u64,
    nodes: &S,
    head: &SignedCheckpoint,
) -> Result<Bytes, EvidenceError<S::Error>> {
    let opening = SenderOpening::new(openings, &record.sender_part(), &record.gateway_part())?;
    receipt_of(&opening, index, size, nodes, head)
}

/// The same, for a record whose opening is at hand.
///
/// # Errors
/// An [`EvidenceError`] when nodes are missing.
pub fn receipt_of<S: NodeSource>(
    opening: &SenderOpening,
    index: u64,
    size: u64,
    nodes: &S,
    head: &SignedCheckpoint,
) -> Result<Bytes, EvidenceError<S::Error>> {
    Ok(receipt_with(opening, index, &inclusion_proof(nodes, index, size)?, head))
}

/// The same, for an entry whose proof under `head` is at hand.
#[must_use]
pub fn receipt_with(opening: &SenderOpening, index: u64, proof: &[Hash], head: &SignedCheckpoint) -> Bytes {
    Bytes::from(Receipt::encode(opening, index, proof, head))
}

/// What a sender is told of a record besides its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    time: Timestamp,
    case_ref: Option<CaseRef>,
    requisition_id: Option<RequisitionId>,
}

impl Told {
    /// Of `record`.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            time: record.time,
            case_ref: record.case_ref.filter(|_| record.actor_knows_case()),
            requisition_id: record.requisition_id.filter(|_| record.actor_knows_requisition()),
        }
    }

    /// The answer, with the receipt of the record at `index`.
    #[must_use]
    pub const fn with(self, index: u64, receipt: Bytes) -> Accepted {
        let Self { time, case_ref, requisition_id } = self;
        Accepted { index, accepted_at: time, case_ref, requisition_id, receipt }
    }
}

/// What a sender is answered for the record at `index`.
#[must_use]
pub fn accepted(record: &Record, index: u64, receipt: Bytes) -> Accepted {
    Told::of(record).with(index, receipt)
}

/// The auditor's proof of the entry at `index`. Without a record (erased) it proves the bare leaf.
///
/// # Errors
/// An [`EvidenceError`] when nodes are missing.
pub fn entry_proof<S: NodeSource>(
    leaf: Leaf,
    record: Option<(Record, Openings)>,
    index: u64,
    size: u64,
    nodes: &S,
    head: &SignedCheckpoint,
) -> Result<EntryProof, EvidenceError<S::Error>> {
    let proof = inclusion_proof(nodes, index, size)?;
    let (record, text) = match record {
        Some((record, openings)) => {
            let opening = AuditorOpening::new(openings, record.sender_part(), record.gateway_part())?;
            (Some(record), AuditorProof::encode(&opening, index, &proof, head))
        }
        None => {
            let bare = TlogProof::new(&[], index, &proof, head.as_str()).map_err(|_| EvidenceError::Format)?;
            (None, bare.encode())
        }
    };
    Ok(EntryProof { index, leaf: *leaf.as_bytes(), record, unreadable: false, proof: Bytes::from(text) })
}
