//! Receipts: tlog-proofs that carry the opening of their leaf, so that they say what was accepted and prove it, offline.
//!
//! A sender's receipt opens the sender's part of the record; an auditor's proof opens all of it. Without its opening a receipt proves nothing
//! and is refused. An auditor's proof of an entry whose record is erased or cannot be read has none: with the leaf beside it, it shows that this leaf
//! stands in the log, and nothing of what it said.

use super::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use super::leaf::{AuditorOpening, Leaf, Opening, OpeningError, SenderOpening};
use super::note::LogVerifier;
use super::tlog_proof::{self, TlogProof, TlogProofError};
use super::tree::Hash;

/// Why a receipt is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The proof around it.
    #[error(transparent)]
    Proof(#[from] TlogProofError),
    /// No `extra` line.
    #[error(
        "the receipt carries no opening, so it does not say what was logged: the record is erased, or the line was removed; an auditor's \
             proof of such an entry is checked by `samband audit verify`, with its leaf beside it"
    )]
    NoOpening,
    /// The opening is none.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// What should be the leaf of a proof without opening is none.
    #[error("is not the {} bytes of a leaf as this log has them: it was cut or changed, or is another file", Leaf::LEN)]
    NoLeaf,
    /// A proof with an opening was taken for one without.
    #[error("the proof opens its record; check what it opens and not its bare leaf")]
    Opens,
    /// Signed by the given key, for another log.
    #[error("the receipt is of another log than the expected one")]
    OtherLog,
}

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<O> {
    checkpoint: Checkpoint,
    index: u64,
    leaf: Leaf,
    opening: O,
}

/// What a sender's receipt proves.
pub type VerifiedReceipt = Verified<SenderOpening>;
/// What an auditor's proof proves.
pub type VerifiedAuditorProof = Verified<AuditorOpening>;

impl<O: Opening> Verified<O> {
    /// The record's place in the log.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The size of the log that the receipt was made at.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The head that the log signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The entry as it stands in the log.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// What the record says.
    #[must_use]
    pub const fn opening(&self) -> &O {
        &self.opening
    }

    fn from_text(text: &str, verifier: &LogVerifier, origin: &Origin) -> Result<Self, ReceiptError> {
        let proof = TlogProof::parse(text)?;
        let opening = O::decode(proof.extra().ok_or(ReceiptError::NoOpening)?)?;
        let leaf = opening.leaf();
        let checkpoint = proof.verify(leaf.as_bytes(), verifier)?;
        if checkpoint.origin() != origin {
            return Err(ReceiptError::OtherLog);
        }
        Ok(Self { checkpoint, index: proof.index(), leaf, opening })
    }
}

/// The sender's receipt.
#[derive(Debug, Clone, Copy)]
pub struct Receipt;

impl Receipt {
    /// The text of a receipt. Equal arguments give equal bytes.
    #[must_use]
    pub fn encode(opening: &SenderOpening, index: u64, proof: &[Hash], checkpoint: &SignedCheckpoint) -> String {
        tlog_proof::write(opening.as_bytes(), index, proof, checkpoint.as_str())
    }

    /// Verifies a receipt with nothing but the log's key and name.
    ///
    /// # Errors
    /// A [`ReceiptError`] that says what does not fit.
    pub fn verify(text: &str, verifier: &LogVerifier, origin: &Origin) -> Result<VerifiedReceipt, ReceiptError> {
        Verified::from_text(text, verifier, origin)
    }
}

/// The auditor's proof, which opens both parts of a record.
#[derive(Debug, Clone, Copy)]
pub struct AuditorProof;

impl AuditorProof {
    /// The text of a proof. Equal arguments give equal bytes.
    #[must_use]
    pub fn encode(opening: &AuditorOpening, index: u64, proof: &[Hash], checkpoint: &SignedCheckpoint) -> String {
        tlog_proof::write(&opening.encode(), index, proof, checkpoint.as_str())
    }

    /// Verifies a proof with nothing but the log's key and name.
    ///
    /// # Errors
    /// A [`ReceiptError`] that says what does not fit.
    pub fn verify(text: &str, verifier: &LogVerifier, origin: &Origin) -> Result<VerifiedAuditorProof, ReceiptError> {
        Verified::from_text(text, verifier, origin)
    }
}

/// What an auditor's proof without opening shows, with the leaf beside it: that this leaf stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    checkpoint: Checkpoint,
    index: u64,
    leaf: Leaf,
}

impl Standing {
    /// The leaf's place in the log.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The size of the log that the proof was made at.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    /// The entry as it stands in the log.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// Verifies a proof without opening and the bytes beside it, with nothing but the log's key and name.
    ///
    /// # Errors
    /// A [`ReceiptError`] that says what does not fit; [`ReceiptError::Opens`] for a proof with an opening, whose leaf is made from that.
    pub fn verify(text: &str, leaf: &[u8], verifier: &LogVerifier, origin: &Origin) -> Result<Self, ReceiptError> {
        let proof = TlogProof::parse(text)?;
        if proof.extra().is_some() {
            return Err(ReceiptError::Opens);
        }
        let leaf = leaf.try_into().ok().and_then(Leaf::from_bytes).ok_or(ReceiptError::NoLeaf)?;
        let checkpoint = proof.verify(leaf.as_bytes(), verifier)?;
        if checkpoint.origin() != origin {
            return Err(ReceiptError::OtherLog);
        }
        Ok(Self { checkpoint, index: proof.index(), leaf })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::checkpoint::CheckpointError;
    use super::super::checkpoint::tests::{ORIGIN, checkpoint, signer};
    use super::super::leaf::Openings;
    use super::super::nodes::RecentNodes;
    use super::super::note::NoteError;
    use super::super::proof::{ProofError, inclusion_proof};
    use super::*;

    fn auditor_opening(i: u64) -> AuditorOpening {
        let openings = Openings::new([i as u8; 32], [0xf0 ^ i as u8; 32]);
        AuditorOpening::new(openings, format!("sender {i}").into(), format!("gateway {i}").into()).unwrap()
    }

    fn log(size: u64) -> (RecentNodes, SignedCheckpoint) {
        let mut nodes = RecentNodes::default();
        (0..size).for_each(|i| nodes.push(auditor_opening(i).leaf().hash()));
        let signed = checkpoint(size, nodes.root()).sign(&signer(1)).unwrap();
        (nodes, signed)
    }

    fn receipt(index: u64, size: u64) -> String {
        let (nodes, signed) = log(size);
        Receipt::encode(&auditor_opening(index).for_sender(), index, &inclusion_proof(&nodes, index, size).unwrap(), &signed)
    }

    fn verify(text: &str) -> Result<VerifiedReceipt, ReceiptError> {
        Receipt::verify(text, signer(1).verifier(), &ORIGIN.parse().unwrap())
    }

    #[test]
    fn a_receipt_proves_and_opens_the_senders_part_only() {
        for (index, size) in [(0, 1), (6, 7), (3, 100), (99, 100)] {
            let text = receipt(index, size);
            assert_eq!(text, receipt(index, size), "the same bytes each time");
            let verified = verify(&text).unwrap();
            assert_eq!((verified.index(), verified.size()), (index, size));
            assert_eq!(verified.opening().sender_part(), format!("sender {index}").as_bytes());
            assert_eq!(*verified.leaf(), auditor_opening(index).leaf());
            assert_eq!(verified.checkpoint().origin().as_str(), ORIGIN);
        }
    }

    #[test]
    fn an_auditors_proof_opens_both_parts() {
        let (nodes, signed) = log(20);
        let text = AuditorProof::encode(&auditor_opening(7), 7, &inclusion_proof(&nodes, 7, 20).unwrap(), &signed);
        let origin = ORIGIN.parse().unwrap();
        let verified = AuditorProof::verify(&text, signer(1).verifier(), &origin).unwrap();
        assert_eq!(verified.opening().sender_part(), b"sender 7");
        assert_eq!(verified.opening().gateway_part(), b"gateway 7");
        assert_eq!(verify(&text), Err(ReceiptError::Opening(OpeningError::Kind)), "it is no sender's receipt");
        let receipt = receipt(7, 20);
        let as_auditor = AuditorProof::verify(&receipt, signer(1).verifier(), &origin);
        assert_eq!(as_auditor, Err(ReceiptError::Opening(OpeningError::Kind)));
    }

    #[test]
    fn every_changed_byte_of_a_receipt_is_noticed() {
        let text = receipt(3, 5);
        for at in 0..text.len() {
            for flip in [1_u8, 2, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                if let Ok(changed) = String::from_utf8(bytes) {
                    assert!(verify(&changed).is_err(), "byte {at} of {changed}");
                }
            }
        }
    }

    #[test]
    fn a_receipt_without_opening_fails_closed() {
        let text = receipt(3, 5);
        let (start, end) = (text.find("extra").unwrap(), text.find("index").unwrap());
        let erased = format!("{}{}", &text[..start], &text[end..]);
        assert_eq!(verify(&erased), Err(ReceiptError::NoOpening));
    }

    fn bare(index: u64, size: u64) -> String {
        let (nodes, signed) = log(size);
        tlog_proof::write(&[], index, &inclusion_proof(&nodes, index, size).unwrap(), signed.as_str())
    }

    fn stands(text: &str, leaf: &[u8]) -> Result<Standing, ReceiptError> {
        Standing::verify(text, leaf, signer(1).verifier(), &ORIGIN.parse().unwrap())
    }

    #[test]
    fn a_proof_without_opening_shows_its_leaf_and_no_other() {
        let leaf = *auditor_opening(3).leaf().as_bytes();
        let text = bare(3, 5);
        let standing = stands(&text, &leaf).unwrap();
        assert_eq!((standing.index(), standing.size(), standing.leaf().as_bytes()), (3, 5, &leaf));
        let mismatch = Err(ReceiptError::Proof(ProofError::RootMismatch.into()));
        assert_eq!(stands(&text, auditor_opening(4).leaf().as_bytes()), mismatch, "the leaf of another entry");
        assert_eq!(stands(&bare(2, 5), &leaf), mismatch, "in the place of another");
        for cut in [&[][..], &leaf[..32], &[&leaf[..], b"\n"].concat(), &[&[2], &leaf[1..]].concat()] {
            assert_eq!(stands(&text, cut), Err(ReceiptError::NoLeaf));
        }
        assert_eq!(stands(&receipt(3, 5), &leaf), Err(ReceiptError::Opens), "what opens its record is not shown by its leaf alone");
        let other = "log.example.no/other".parse().unwrap();
        assert_eq!(Standing::verify(&text, &leaf, signer(1).verifier(), &other), Err(ReceiptError::OtherLog));
        assert!(Standing::verify(&text, &leaf, signer(2).verifier(), &ORIGIN.parse().unwrap()).is_err(), "under another key");
    }

    proptest! {
        #[test]
        fn no_bytes_but_the_leaf_s_own_are_shown_to_stand(
            bytes in proptest::collection::vec(any::<u8>(), 0..70),
            (at, flip) in (0..Leaf::LEN, 1_u8..),
            len in 0..Leaf::LEN,
        ) {
            let (text, leaf) = (bare(3, 5), *auditor_opening(3).leaf().as_bytes());
            prop_assert!(stands(&text, &bytes).is_err());
            let mut changed = leaf;
            changed[at] ^= flip;
            prop_assert!(stands(&text, &changed).is_err());
            prop_assert_eq!(stands(&text, &leaf[..len]), Err(ReceiptError::NoLeaf));
            prop_assert_eq!(stands(&text, &[&leaf[..], &bytes[..]].concat()).is_ok(), bytes.is_empty());
        }
    }

    #[test]
    fn another_records_opening_another_log_or_key_is_refused() {
        let (nodes, signed) = log(5);
        let proof = inclusion_proof(&nodes, 3, 5).unwrap();
        let swapped = Receipt::encode(&auditor_opening(4).for_sender(), 3, &proof, &signed);
        assert_eq!(verify(&swapped), Err(ReceiptError::Proof(ProofError::RootMismatch.into())));
        let text = receipt(3, 5);
        let other = "log.example.no/other".parse().unwrap();
        assert_eq!(Receipt::verify(&text, signer(1).verifier(), &other), Err(ReceiptError::OtherLog));
        assert_eq!(
            Receipt::verify(&text, signer(2).verifier(), &ORIGIN.parse().unwrap()),
            Err(ReceiptError::Proof(TlogProofError::Checkpoint(CheckpointError::Note(NoteError::NotSigned))))
        );
    }
}
