//! C2SP tlog-proof@v1: a leaf's index, its inclusion proof and a signed checkpoint in one text that verifies offline.
//!
//! The leaf itself is not in it. `extra` is not signed: it is believed only after the leaf made from it is proved.

use std::io::Write as _;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{LogVerifier, NOTE_BYTES_MAX, NoteError, UnverifiedNote};
use super::proof::{PROOF_HASHES_MAX, ProofError, verify_inclusion};
use super::text;
use super::tree::Hash;

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";
const EXTRA: &str = "extra ";
const INDEX: &str = "index ";

/// The longest `extra`, in bytes before base64.
pub const EXTRA_BYTES_MAX: usize = 32 * 1024;
/// The longest proof text, in bytes.
pub const TLOG_PROOF_BYTES_MAX: usize =
    HEADER.len() + EXTRA.len() + EXTRA_BYTES_MAX.div_ceil(3) * 4 + 1 + 32 + PROOF_HASHES_MAX * (Hash::BASE64_LEN + 1) + 1 + NOTE_BYTES_MAX;

/// Why a proof text is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Longer than [`TLOG_PROOF_BYTES_MAX`].
    #[error("the proof is longer than {TLOG_PROOF_BYTES_MAX} bytes")]
    TooLong,
    /// The first line is another.
    #[error("this is no tlog-proof@v1: its first line is not c2sp.org/tlog-proof@v1")]
    Header,
    /// The extra line is empty, too long or no canonical base64.
    #[error("the proof's extra line is not base64 of 1 to {EXTRA_BYTES_MAX} bytes")]
    Extra,
    /// The index line is missing or not canonical.
    #[error("the proof's index line is missing, or its number is not in plain decimal")]
    Index,
    /// A hash line is no canonical base64 of 32 bytes, or the blank line after them is missing.
    #[error("a hash line of the proof is not 44 characters of base64, or the blank line after the hashes is missing")]
    Hash,
    /// The hashes do not prove the leaf.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The checkpoint is not accepted.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<NoteError> for TlogProofError {
    fn from(error: NoteError) -> Self {
        Self::Checkpoint(CheckpointError::Note(error))
    }
}

/// Whether a file that begins so says of itself that it is a proof of this format.
#[must_use]
pub fn is_tlog_proof(begin: &[u8]) -> bool {
    begin.starts_with(HEADER.as_bytes())
}

/// A parsed proof. Nothing in it is verified but its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    hashes: Vec<Hash>,
    checkpoint: String,
}

/// Writes a proof; `extra` may be empty, which leaves its line out. One allocation.
pub(super) fn write(extra: &[u8], index: u64, hashes: &[Hash], checkpoint: &str) -> String {
    let extra_len = extra.len().div_ceil(3) * 4 + EXTRA.len() + 1;
    let len = HEADER.len() + extra_len + INDEX.len() + 21 + hashes.len() * (Hash::BASE64_LEN + 1) + 1 + checkpoint.len();
    let mut out = Vec::with_capacity(len);
    out.extend_from_slice(HEADER.as_bytes());
    if !extra.is_empty() {
        out.extend_from_slice(EXTRA.as_bytes());
        text::append_base64(&mut out, extra);
        out.push(b'\n');
    }
    writeln!(out, "{INDEX}{index}").expect("writing to memory cannot fail");
    for hash in hashes {
        text::append_base64(&mut out, hash.as_ref());
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(checkpoint.as_bytes());
    String::from_utf8(out).expect("text, digits and base64 are text")
}

impl TlogProof {
    /// A proof from its parts, checked for form as [`parse`](Self::parse) does. An empty `extra` is none.
    ///
    /// # Errors
    /// A [`TlogProofError`] that says what does not fit.
    pub fn new(extra: &[u8], index: u64, hashes: &[Hash], checkpoint: &str) -> Result<Self, TlogProofError> {
        if extra.len() > EXTRA_BYTES_MAX {
            return Err(TlogProofError::Extra);
        }
        if hashes.len() > PROOF_HASHES_MAX {
            return Err(ProofError::TooLong.into());
        }
        UnverifiedNote::parse(checkpoint)?;
        let extra = (!extra.is_empty()).then(|| extra.to_vec());
        Ok(Self { extra, index, hashes: hashes.to_vec(), checkpoint: checkpoint.to_owned() })
    }

    /// Reads a proof strictly: only texts that [`encode`](Self::encode) would write in the same bytes are accepted.
    ///
    /// # Errors
    /// A [`TlogProofError`] that says what does not fit.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        if text.len() > TLOG_PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLong);
        }
        let mut rest = text.strip_prefix(HEADER).ok_or(TlogProofError::Header)?;
        let mut extra = None;
        if let Some(after) = rest.strip_prefix(EXTRA) {
            let (line, after) = after.split_once('\n').ok_or(TlogProofError::Extra)?;
            let bytes = text::base64(line).filter(|bytes| (1..=EXTRA_BYTES_MAX).contains(&bytes.len()));
            extra = Some(bytes.ok_or(TlogProofError::Extra)?);
            rest = after;
        }
        let (line, mut rest) = rest.strip_prefix(INDEX).and_then(|rest| rest.split_once('\n')).ok_or(TlogProofError::Index)?;
        let index = text::decimal(line).ok_or(TlogProofError::Index)?;
        let mut hashes = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(TlogProofError::Hash)?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if hashes.len() == PROOF_HASHES_MAX {
                return Err(ProofError::TooLong.into());
            }
            hashes.push(text::hash(line).ok_or(TlogProofError::Hash)?);
        }
        UnverifiedNote::parse(rest)?;
        Ok(Self { extra, index, hashes, checkpoint: rest.to_owned() })
    }

    /// The proof's text.
    #[must_use]
    pub fn encode(&self) -> String {
        write(self.extra.as_deref().unwrap_or_default(), self.index, &self.hashes, &self.checkpoint)
    }

    /// The unsigned extra data.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The leaf's place in the log, as the proof claims.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion proof, the leaf's sibling first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The signed checkpoint's text.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// Verifies that the log behind `verifier` signed a head under which `leaf_data` stands at the index. Gives that head.
    ///
    /// # Errors
    /// A [`TlogProofError`] that says what does not fit.
    pub fn verify(&self, leaf_data: &[u8], verifier: &LogVerifier) -> Result<Checkpoint, TlogProofError> {
        let head = Checkpoint::open(&self.checkpoint, verifier)?;
        verify_inclusion(Hash::leaf(leaf_data), self.index, head.size(), &self.hashes, &head.root())?;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::checkpoint::tests::{checkpoint, signer};
    use super::super::proof::inclusion_proof;
    use super::super::tree::tests::{AllNodes, leaf_data};
    use super::*;

    fn proof(extra: &[u8], index: u64, size: u64) -> TlogProof {
        let all = AllNodes::of(size);
        let signed = checkpoint(size, all.frontier.root()).sign(&signer(1)).unwrap();
        TlogProof::new(extra, index, &inclusion_proof(&all, index, size).unwrap(), signed.as_str()).unwrap()
    }

    #[test]
    fn a_proof_has_the_lines_of_the_specification_and_verifies() {
        let proof = proof(b"opening", 3, 5);
        let text = proof.encode();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra b3BlbmluZw==", "index 3"]);
        assert_eq!(lines[3..6].iter().map(|line| line.len()).collect::<Vec<_>>(), [44; 3]);
        assert_eq!(lines[6], "");
        assert_eq!(lines[7], "log.example.no/samband");
        assert_eq!(TlogProof::parse(&text), Ok(proof.clone()));
        assert_eq!(proof.verify(&leaf_data(3), signer(1).verifier()).unwrap().size(), 5);
        assert_eq!(proof.extra(), Some(&b"opening"[..]));
        let lone = self::proof(b"", 0, 1);
        assert!(lone.encode().starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nlog.example"));
        assert!(lone.verify(&leaf_data(0), signer(1).verifier()).is_ok());
    }

    #[test]
    fn another_leaf_index_or_key_is_refused() {
        let good = proof(b"", 3, 5);
        assert_eq!(good.verify(&leaf_data(4), signer(1).verifier()), Err(ProofError::RootMismatch.into()));
        assert_eq!(good.verify(&leaf_data(3), signer(2).verifier()), Err(NoteError::NotSigned.into()));
        let moved = TlogProof { index: 2, ..good.clone() };
        assert_eq!(moved.verify(&leaf_data(3), signer(1).verifier()), Err(ProofError::RootMismatch.into()));
        let beyond = TlogProof { index: 5, ..good.clone() };
        assert_eq!(beyond.verify(&leaf_data(3), signer(1).verifier()), Err(ProofError::OutOfRange.into()));
        let short = TlogProof { hashes: good.hashes[..2].to_vec(), ..good };
        assert_eq!(short.verify(&leaf_data(3), signer(1).verifier()), Err(ProofError::Length.into()));
    }

    #[test]
    fn every_changed_byte_of_a_proof_is_noticed() {
        let text = proof(b"", 3, 5).encode();
        for at in 0..text.len() {
            for flip in [1_u8, 2, 0x20] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= flip;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                let verified = TlogProof::parse(&changed).and_then(|proof| proof.verify(&leaf_data(3), signer(1).verifier()));
                assert!(verified.is_err(), "byte {at} of {changed}");
            }
        }
    }

    #[test]
    fn a_proof_has_one_spelling() {
        let text = proof(b"xy", 3, 5).encode();
        let parse = |text: &str| TlogProof::parse(text).unwrap_err();
        assert_eq!(parse(""), TlogProofError::Header);
        assert_eq!(parse(&text.replace("@v1", "@v2")), TlogProofError::Header);
        assert_eq!(parse(&text.replace('\n', "\r\n")), TlogProofError::Header);
        assert_eq!(parse(&text.replace("eHk=", "eHl=")), TlogProofError::Extra);
        assert_eq!(parse(&text.replace("eHk=", "eHk")), TlogProofError::Extra);
        assert_eq!(parse(&text.replace("eHk=", "")), TlogProofError::Extra);
        assert_eq!(parse(&text.replace("extra eHk=\n", "extra eHk=\nextra eHk=\n")), TlogProofError::Index);
        assert_eq!(parse(&text.replace("index 3", "index 03")), TlogProofError::Index);
        assert_eq!(parse(&text.replace("index 3\n", "")), TlogProofError::Index);
        assert_eq!(parse(&text.replacen("\n\n", "\n", 1)), TlogProofError::Hash);
        assert_eq!(parse(&text.replacen("\n\n", "\nAAAA\n\n", 1)), TlogProofError::Hash);
        let filler = format!("\n{}", Hash::empty_root()).repeat(61);
        assert_eq!(parse(&text.replacen("\n\n", &format!("{filler}\n\n"), 1)), TlogProofError::Proof(ProofError::TooLong));
        assert_eq!(parse(&text[..text.len() - 1]), NoteError::Form.into());
        assert_eq!(parse(&format!("{text}x")), NoteError::Form.into());
        assert_eq!(parse(&"x".repeat(TLOG_PROOF_BYTES_MAX + 1)), TlogProofError::TooLong);
        let (long, many) = (vec![0; EXTRA_BYTES_MAX + 1], [Hash::empty_root(); 64]);
        assert_eq!(TlogProof::new(&long, 0, &[], "").unwrap_err(), TlogProofError::Extra);
        assert_eq!(TlogProof::new(&[], 0, &many, "").unwrap_err(), ProofError::TooLong.into());
        assert_eq!(TlogProof::new(&[], 0, &[], "").unwrap_err(), NoteError::Form.into());
    }

    #[test]
    fn the_largest_proof_is_within_the_bound() {
        let signed = checkpoint(5, Hash::leaf(b"")).sign(&signer(1)).unwrap();
        let proof = TlogProof::new(&vec![7; EXTRA_BYTES_MAX], u64::MAX, &[Hash::empty_root(); PROOF_HASHES_MAX], signed.as_str()).unwrap();
        assert_eq!(TlogProof::parse(&proof.encode()), Ok(proof));
    }

    proptest! {
        #[test]
        fn every_proof_survives_its_text(
            extra in proptest::collection::vec(any::<u8>(), 0..80),
            index in any::<u64>(),
            hashes in proptest::collection::vec(any::<[u8; 32]>(), 0..=63),
        ) {
            let hashes: Vec<Hash> = hashes.into_iter().map(Hash::from_bytes).collect();
            let signed = checkpoint(5, Hash::leaf(b"")).sign(&signer(1)).unwrap();
            let proof = TlogProof::new(&extra, index, &hashes, signed.as_str()).unwrap();
            let text = proof.encode();
            prop_assert_eq!(TlogProof::parse(&text), Ok(proof));
        }

        #[test]
        fn every_accepted_text_is_the_proofs_text(
            extra in "(extra [A-Za-z0-9]{0,6}={0,2}\n)?",
            index in "0?[0-9]{1,3}",
            hash in "([A-Za-z0-9+/]{42}[A-Z]=\n){0,2}\n?",
        ) {
            let text = format!("{HEADER}{extra}index {index}\n{hash}\na\n\n\u{2014} a AAAAAAA=\n");
            if let Ok(proof) = TlogProof::parse(&text) {
                prop_assert_eq!(proof.encode(), text);
            }
        }

        #[test]
        fn no_text_panics(text in "(\\PC|\n){0,120}") {
            let _ = TlogProof::parse(&text);
            let _ = TlogProof::parse(&format!("{HEADER}{text}"));
        }
    }
}
