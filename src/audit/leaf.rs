//! The 33 bytes that stand in the log for ever, and the openings that give them a meaning.
//!
//! `leaf = 0x01 ‖ HMAC-SHA256(r, sender part ‖ HMAC-SHA256(r2, gateway part))`, with r and r2 fresh for every leaf. Without its opening a leaf is
//! random to everyone; with it, nobody can open it to another record. Erasing r and r2 is erasing the record from the log.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::tree::Hash;
use crate::domain::mac::hmac_sha256;

/// The longest sender or gateway part, in bytes.
pub const PART_BYTES_MAX: usize = 8 * 1024;

/// First byte of every leaf of this construction.
const LEAF_VERSION: u8 = 0x01;
/// First byte of a sender's opening.
const SENDER_OPENING: u8 = 0x01;
/// First byte of an auditor's opening.
const AUDITOR_OPENING: u8 = 0x02;

/// Why an opening is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// A part is longer than [`PART_BYTES_MAX`].
    #[error("a part of a record is at most {PART_BYTES_MAX} bytes")]
    TooLong,
    /// The bytes end too early.
    #[error("the opening ends too early; the receipt is damaged")]
    Truncated,
    /// The first byte names another kind of opening.
    #[error("the opening is of another kind or of a later version; use the verifier that belongs to it")]
    Kind,
}

fn bounded(part: &[u8]) -> Result<(), OpeningError> {
    if part.len() > PART_BYTES_MAX { Err(OpeningError::TooLong) } else { Ok(()) }
}

/// An entry of the log: a version byte and a commitment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Leaf([u8; Leaf::LEN]);

impl Leaf {
    /// A leaf, in bytes.
    pub const LEN: usize = 33;

    /// The leaf of a record of two parts. The receipt's verifier refuses parts beyond [`PART_BYTES_MAX`].
    #[must_use]
    pub fn commit(openings: &Openings, sender_part: &[u8], gateway_part: &[u8]) -> Self {
        Self::of(&openings.r, sender_part, &openings.gateway_commit(gateway_part))
    }

    fn of(r: &[u8; 32], sender_part: &[u8], gateway_commit: &[u8; 32]) -> Self {
        let mut bytes = [LEAF_VERSION; Self::LEN];
        bytes[1..].copy_from_slice(&hmac_sha256(r, sender_part, gateway_commit));
        Self(bytes)
    }

    /// The leaf that these bytes are, if they are one of this construction.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Option<Self> {
        (bytes[0] == LEAF_VERSION).then_some(Self(bytes))
    }

    /// The entry as it stands in the log.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::leaf(&self.0)
    }
}

impl AsRef<[u8]> for Leaf {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaf({:?})", self.hash())
    }
}

/// The two secrets of one leaf: 32 random bytes each, never used again, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Openings {
    r: [u8; 32],
    r2: [u8; 32],
}

impl Openings {
    /// From fresh random bytes, or from the stored record.
    #[must_use]
    pub const fn new(r: [u8; 32], r2: [u8; 32]) -> Self {
        Self { r, r2 }
    }

    /// Opens the whole leaf, once the sender's part is known.
    #[must_use]
    pub const fn r(&self) -> &[u8; 32] {
        &self.r
    }

    /// Opens the gateway's part.
    #[must_use]
    pub const fn r2(&self) -> &[u8; 32] {
        &self.r2
    }

    /// What stands for the gateway's part in a sender's opening.
    #[must_use]
    pub fn gateway_commit(&self, gateway_part: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.r2, gateway_part, &[])
    }
}

impl fmt::Debug for Openings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Openings(secret)")
    }
}

/// An opening that a proof may carry: bytes that give back the leaf.
pub trait Opening: Sized {
    /// The bytes of the proof's `extra`: a kind byte first.
    fn encode(&self) -> Zeroizing<Vec<u8>>;

    /// Reads exactly what [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// An [`OpeningError`] that says what does not fit.
    fn decode(bytes: &[u8]) -> Result<Self, OpeningError>;

    /// The leaf that this opens.
    fn leaf(&self) -> Leaf;
}

/// Opens the sender's part of a leaf and no more: `0x01 ‖ r ‖ commitment to the gateway's part ‖ sender part`. Kept as those bytes, which every
/// receipt carries.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct SenderOpening {
    bytes: Vec<u8>,
}

/// Bytes of a sender's opening in front of the sender's part.
const SENDER_HEAD: usize = 1 + 32 + 32;
/// Room for the sender's part of nearly every record; a longer one only costs a copy.
const SENDER_PART_ROOM: usize = 448 - SENDER_HEAD;

impl SenderOpening {
    /// The opening for the sender of a record.
    ///
    /// # Errors
    /// [`OpeningError::TooLong`] for a part beyond [`PART_BYTES_MAX`].
    pub fn new(openings: &Openings, sender_part: &[u8], gateway_part: &[u8]) -> Result<Self, OpeningError> {
        bounded(gateway_part)?;
        Self::from_commit(openings.r, openings.gateway_commit(gateway_part), sender_part)
    }

    /// The same of a sender's part that `write` appends where it stays: one is made for every entry of the log.
    ///
    /// # Errors
    /// [`OpeningError::TooLong`] for a part beyond [`PART_BYTES_MAX`].
    pub fn written(openings: &Openings, gateway_part: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> Result<Self, OpeningError> {
        bounded(gateway_part)?;
        let mut bytes = Vec::with_capacity(SENDER_HEAD + SENDER_PART_ROOM);
        bytes.push(SENDER_OPENING);
        bytes.extend_from_slice(&openings.r);
        bytes.extend_from_slice(&openings.gateway_commit(gateway_part));
        write(&mut bytes);
        let opening = Self { bytes };
        bounded(opening.sender_part())?;
        Ok(opening)
    }

    /// The same from the commitment to the gateway's part.
    ///
    /// # Errors
    /// [`OpeningError::TooLong`] for a part beyond [`PART_BYTES_MAX`].
    pub fn from_commit(r: [u8; 32], gateway_commit: [u8; 32], sender_part: &[u8]) -> Result<Self, OpeningError> {
        bounded(sender_part)?;
        let mut bytes = Vec::with_capacity(SENDER_HEAD + sender_part.len());
        bytes.push(SENDER_OPENING);
        bytes.extend_from_slice(&r);
        bytes.extend_from_slice(&gateway_commit);
        bytes.extend_from_slice(sender_part);
        Ok(Self { bytes })
    }

    fn array(&self, at: usize) -> &[u8; 32] {
        self.bytes[at..].first_chunk().expect("both stand in front of the sender's part")
    }

    fn r(&self) -> &[u8; 32] {
        self.array(1)
    }

    /// The sender's part of the record.
    #[must_use]
    pub fn sender_part(&self) -> &[u8] {
        &self.bytes[SENDER_HEAD..]
    }

    /// The commitment to the part that stays closed.
    #[must_use]
    pub fn gateway_commit(&self) -> &[u8; 32] {
        self.array(33)
    }

    /// The bytes of a receipt's `extra`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Opening for SenderOpening {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.bytes.clone())
    }

    fn decode(bytes: &[u8]) -> Result<Self, OpeningError> {
        let rest = of_kind(SENDER_OPENING, bytes)?;
        let (r, rest) = rest.split_first_chunk::<32>().ok_or(OpeningError::Truncated)?;
        let (gateway_commit, sender_part) = rest.split_first_chunk::<32>().ok_or(OpeningError::Truncated)?;
        Self::from_commit(*r, *gateway_commit, sender_part)
    }

    fn leaf(&self) -> Leaf {
        Leaf::of(self.r(), self.sender_part(), self.gateway_commit())
    }
}

impl fmt::Debug for SenderOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SenderOpening(secret)")
    }
}

/// Opens both parts of a leaf: `0x02 ‖ r ‖ r2 ‖ length of the sender part, 16 bits big-endian ‖ sender part ‖ gateway part`.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct AuditorOpening {
    openings: Openings,
    sender_part: Vec<u8>,
    gateway_part: Vec<u8>,
}

impl AuditorOpening {
    /// The opening for an auditor.
    ///
    /// # Errors
    /// [`OpeningError::TooLong`] for a part beyond [`PART_BYTES_MAX`].
    pub fn new(openings: Openings, sender_part: Vec<u8>, gateway_part: Vec<u8>) -> Result<Self, OpeningError> {
        bounded(&sender_part)?;
        bounded(&gateway_part)?;
        Ok(Self { openings, sender_part, gateway_part })
    }

    /// The sender's part of the record.
    #[must_use]
    pub fn sender_part(&self) -> &[u8] {
        &self.sender_part
    }

    /// The gateway's part of the record.
    #[must_use]
    pub fn gateway_part(&self) -> &[u8] {
        &self.gateway_part
    }

    /// The secrets of the leaf.
    #[must_use]
    pub const fn openings(&self) -> &Openings {
        &self.openings
    }

    /// What the sender of this record holds.
    #[must_use]
    pub fn for_sender(&self) -> SenderOpening {
        SenderOpening::from_commit(self.openings.r, self.openings.gateway_commit(&self.gateway_part), &self.sender_part)
            .expect("the part was bounded when this opening was made")
    }
}

impl Opening for AuditorOpening {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(1 + 64 + 2 + self.sender_part.len() + self.gateway_part.len()));
        let len = u16::try_from(self.sender_part.len()).expect("a part is at most PART_BYTES_MAX");
        out.push(AUDITOR_OPENING);
        out.extend_from_slice(&self.openings.r);
        out.extend_from_slice(&self.openings.r2);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&self.sender_part);
        out.extend_from_slice(&self.gateway_part);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, OpeningError> {
        let rest = of_kind(AUDITOR_OPENING, bytes)?;
        let (r, rest) = rest.split_first_chunk::<32>().ok_or(OpeningError::Truncated)?;
        let (r2, rest) = rest.split_first_chunk::<32>().ok_or(OpeningError::Truncated)?;
        let (len, rest) = rest.split_first_chunk::<2>().ok_or(OpeningError::Truncated)?;
        let (sender_part, gateway_part) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(OpeningError::Truncated)?;
        bounded(sender_part)?;
        bounded(gateway_part)?;
        Self::new(Openings::new(*r, *r2), sender_part.to_vec(), gateway_part.to_vec())
    }

    fn leaf(&self) -> Leaf {
        Leaf::commit(&self.openings, &self.sender_part, &self.gateway_part)
    }
}

impl fmt::Debug for AuditorOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditorOpening(secret)")
    }
}

fn of_kind(kind: u8, bytes: &[u8]) -> Result<&[u8], OpeningError> {
    match bytes.split_first() {
        None => Err(OpeningError::Truncated),
        Some((first, rest)) if *first == kind => Ok(rest),
        Some(_) => Err(OpeningError::Kind),
    }
}

const _: () = assert!(PART_BYTES_MAX <= u16::MAX as usize, "an auditor's opening has 16 bits for the length of a part");
const _: () = assert!(67 + 2 * PART_BYTES_MAX <= super::tlog_proof::EXTRA_BYTES_MAX, "an opening fits a proof's extra line");

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use proptest::prelude::*;

    use super::*;

    fn openings() -> Openings {
        Openings::new([1; 32], [2; 32])
    }

    #[test]
    fn a_leaf_is_the_documented_construction() {
        let inner = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[2; 32]), b"gateway");
        let outer = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[1; 32]), &[b"sender", inner.as_ref()].concat());
        let leaf = Leaf::commit(&openings(), b"sender", b"gateway");
        assert_eq!(leaf.as_bytes()[0], 1);
        assert_eq!(leaf.as_bytes()[1..], *outer.as_ref());
        assert_eq!(leaf.hash(), Hash::leaf(leaf.as_bytes()));
        assert_eq!(Leaf::from_bytes(*leaf.as_bytes()), Some(leaf));
        assert_eq!(Leaf::from_bytes([2; 33]), None);
    }

    #[test]
    fn both_openings_give_back_the_leaf() {
        let leaf = Leaf::commit(&openings(), b"sender", b"gateway");
        let sender = SenderOpening::new(&openings(), b"sender", b"gateway").unwrap();
        let auditor = AuditorOpening::new(openings(), b"sender".to_vec(), b"gateway".to_vec()).unwrap();
        assert_eq!(sender.leaf(), leaf);
        assert_eq!(auditor.leaf(), leaf);
        assert_eq!(auditor.for_sender(), sender);
        let encoded = sender.encode();
        assert!(!encoded.windows(7).any(|part| part == b"gateway"), "the gateway's part stays closed");
        assert!(!encoded.windows(32).any(|part| part == [2; 32]), "and so does its key");
    }

    #[test]
    fn every_changed_byte_of_an_opening_gives_another_leaf_or_none() {
        let sender = SenderOpening::new(&openings(), b"sender", b"gateway").unwrap();
        let auditor = AuditorOpening::new(openings(), b"sender".to_vec(), b"gateway".to_vec()).unwrap();
        let leaf = sender.leaf();
        for at in 0..sender.encode().len() {
            let mut bytes = sender.encode();
            bytes[at] ^= 1;
            assert!(SenderOpening::decode(&bytes).map_or(true, |other| other.leaf() != leaf), "byte {at}");
        }
        for at in 0..auditor.encode().len() {
            let mut bytes = auditor.encode();
            bytes[at] ^= 1;
            assert!(AuditorOpening::decode(&bytes).map_or(true, |other| other.leaf() != leaf), "byte {at}");
        }
    }

    #[test]
    fn openings_of_wrong_kind_or_length_are_refused() {
        let sender = SenderOpening::new(&openings(), &[], b"").unwrap().encode();
        let auditor = AuditorOpening::new(openings(), b"s".to_vec(), vec![]).unwrap().encode();
        assert_eq!(SenderOpening::decode(&auditor), Err(OpeningError::Kind));
        assert_eq!(AuditorOpening::decode(&sender), Err(OpeningError::Kind));
        for len in 0..sender.len() {
            assert_eq!(SenderOpening::decode(&sender[..len]), Err(OpeningError::Truncated), "{len}");
        }
        for len in 0..auditor.len() {
            assert_eq!(AuditorOpening::decode(&auditor[..len]), Err(OpeningError::Truncated), "{len}");
        }
        let long = vec![0; PART_BYTES_MAX + 1];
        assert_eq!(SenderOpening::new(&openings(), &long, b""), Err(OpeningError::TooLong));
        assert_eq!(SenderOpening::new(&openings(), &[], &long), Err(OpeningError::TooLong));
        assert_eq!(AuditorOpening::new(openings(), long.clone(), vec![]), Err(OpeningError::TooLong));
        assert_eq!(AuditorOpening::new(openings(), vec![], long.clone()), Err(OpeningError::TooLong));
        assert_eq!(SenderOpening::decode(&[&sender[..], &long].concat()), Err(OpeningError::TooLong));
        assert_eq!(AuditorOpening::decode(&[&auditor[..], &long].concat()), Err(OpeningError::TooLong));
    }

    #[test]
    fn a_part_written_in_place_gives_the_same_opening() {
        for len in [0, 1, SENDER_PART_ROOM, SENDER_PART_ROOM + 1, PART_BYTES_MAX] {
            let part = vec![b's'; len];
            let written = SenderOpening::written(&openings(), b"gateway", |out| out.extend_from_slice(&part));
            assert_eq!(written, SenderOpening::new(&openings(), &part, b"gateway"), "{len} bytes");
        }
        let long = vec![0; PART_BYTES_MAX + 1];
        assert_eq!(SenderOpening::written(&openings(), b"", |out| out.extend_from_slice(&long)), Err(OpeningError::TooLong));
        assert_eq!(SenderOpening::written(&openings(), &long, |_| ()), Err(OpeningError::TooLong));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!(
            "{:?} {:?} {:?}",
            openings(),
            SenderOpening::new(&openings(), &[7], b"").unwrap(),
            AuditorOpening::new(openings(), vec![7], vec![8]).unwrap()
        );
        assert_eq!(shown, "Openings(secret) SenderOpening(secret) AuditorOpening(secret)");
    }

    proptest! {
        #[test]
        fn openings_survive_their_bytes(r in any::<[u8; 32]>(), r2 in any::<[u8; 32]>(), sender: Vec<u8>, gateway: Vec<u8>) {
            let opening = AuditorOpening::new(Openings::new(r, r2), sender, gateway).unwrap();
            prop_assert_eq!(AuditorOpening::decode(&opening.encode()), Ok(opening.clone()));
            let opening = opening.for_sender();
            prop_assert_eq!(SenderOpening::decode(&opening.encode()), Ok(opening));
        }

        #[test]
        fn accepted_bytes_are_the_openings_bytes(kind in 0_u8..4, rest in proptest::collection::vec(0_u8..3, 0..90)) {
            let bytes = [&[kind][..], &rest].concat();
            if let Ok(opening) = SenderOpening::decode(&bytes) {
                prop_assert_eq!(&opening.encode()[..], &bytes[..]);
            }
            if let Ok(opening) = AuditorOpening::decode(&bytes) {
                prop_assert_eq!(&opening.encode()[..], &bytes[..]);
            }
        }
    }
}
