//! Identifiers: participants, messages, cases, requisitions, places in the log.
//!
//! Each parses from its canonical text only and prints it back; `Debug` is the same text, as none of them is personal.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What is wrong with an identifier. The text of the identifier is never repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Not `^[a-z][a-z0-9-]{1,30}$`.
    #[error("a participant id is 2 to 31 characters of a-z, 0-9 and '-', starting with a letter")]
    Participant,
    /// Not a canonical lower-case UUID version 7.
    #[error("a message id is a lower-case UUID version 7, like 0190a0b1-7c2d-7e3f-8a4b-5c6d7e8f9a0b")]
    Message,
    /// Not 18 characters of Crockford's alphabet.
    #[error("a reference is 18 characters of 0-9 and A-Z without I, L, O and U, shown 6-6-6")]
    Reference,
    /// The two check characters do not fit the other sixteen.
    #[error("the reference's check characters do not fit; read it again from the form")]
    ReferenceCheck,
}

/// The name of a participant in the register: `^[a-z][a-z0-9-]{1,30}$`. Never changes, never used for another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ParticipantId(std::sync::Arc<str>);

impl Serialize for ParticipantId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl ParticipantId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 31;

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ParticipantId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bytes = text.as_bytes();
        let fits = (2..=Self::MAX_LEN).contains(&bytes.len())
            && bytes[0].is_ascii_lowercase()
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        if fits { Ok(Self(text.into())) } else { Err(InvalidId::Participant) }
    }
}

impl TryFrom<String> for ParticipantId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ParticipantId> for String {
    fn from(id: ParticipantId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sender's own handle of a message: a UUID version 7 (RFC 9562), 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId([u8; 16]);

/// The order of the bytes, compared as one number: in a tree of ids a new one is compared dozens of times, each a call of memcmp otherwise.
impl Ord for MessageId {
    fn cmp(&self, other: &Self) -> Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for MessageId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl MessageId {
    /// From 16 bytes that bear version 7 and the RFC 9562 variant.
    ///
    /// # Errors
    /// [`InvalidId::Message`] for any other version or variant.
    pub const fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidId> {
        if bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10 { Ok(Self(bytes)) } else { Err(InvalidId::Message) }
    }

    /// A new id of the time `at` with ten random bytes.
    #[must_use]
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0_u8; 16];
        bytes[..6].copy_from_slice(&at.millis().to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// The sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The time in the id's first 48 bits.
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        let b = &self.0;
        Timestamp::from_millis(i64::from_be_bytes([0, 0, b[0], b[1], b[2], b[3], b[4], b[5]]))
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let src = text.as_bytes();
        if src.len() != 36 {
            return Err(InvalidId::Message);
        }
        let mut bytes = [0_u8; 16];
        let mut nibbles = 0_usize;
        for (i, c) in src.iter().enumerate() {
            if matches!(i, 8 | 13 | 18 | 23) {
                if *c != b'-' {
                    return Err(InvalidId::Message);
                }
                continue;
            }
            let value = match c {
                b'0'..=b'9' => c - b'0',
                b'a'..=b'f' => c - b'a' + 10,
                _ => return Err(InvalidId::Message),
            };
            bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | value;
            nibbles += 1;
        }
        Self::from_bytes(bytes)
    }
}

impl MessageId {
    /// Appends the id's text to `out`.
    pub fn push_to(&self, out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let (mut text, mut at) = ([b'-'; 36], 0);
        for (i, byte) in self.0.iter().enumerate() {
            at += usize::from(matches!(i, 4 | 6 | 8 | 10));
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        out.extend_from_slice(&text);
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(36);
        self.push_to(&mut text);
        f.write_str(std::str::from_utf8(&text).expect("hexadecimal digits and hyphens"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The check of sixteen five-bit digits: their value modulo the prime 1021, shifted by the kind of reference.
///
/// 32 has order 68 modulo 1021, so every single wrong character and every exchange of two data characters is found; the shift makes a case
/// reference fail where a requisition is asked for.
fn check_of(digits: &[u8; 16], kind: u32) -> u32 {
    (digits.iter().fold(0_u32, |sum, d| (sum * 32 + u32::from(*d)) % 1021) + kind) % 1021
}

fn parse_reference(text: &str, kind: u32) -> Result<[u8; 10], InvalidId> {
    let mut digits = [0_u8; 18];
    let mut count = 0_usize;
    for c in text.bytes() {
        let c = match c.to_ascii_uppercase() {
            b' ' | b'-' => continue,
            b'O' => b'0',
            b'I' | b'L' => b'1',
            other => other,
        };
        let value = CROCKFORD.iter().position(|known| *known == c).ok_or(InvalidId::Reference)?;
        *digits.get_mut(count).ok_or(InvalidId::Reference)? = u8::try_from(value).map_err(|_| InvalidId::Reference)?;
        count += 1;
    }
    if count != 18 || text.len() > 64 {
        return Err(InvalidId::Reference);
    }
    let mut data = [0_u8; 16];
    data.copy_from_slice(&digits[..16]);
    if check_of(&data, kind) != u32::from(digits[16]) * 32 + u32::from(digits[17]) {
        return Err(InvalidId::ReferenceCheck);
    }
    let value = data.iter().fold(0_u128, |value, d| value << 5 | u128::from(*d));
    let mut bytes = [0_u8; 10];
    bytes.copy_from_slice(&value.to_be_bytes()[6..]);
    Ok(bytes)
}

fn print_reference(bytes: &[u8; 10], kind: u32, out: &mut Vec<u8>) {
    let mut wide = [0_u8; 16];
    wide[6..].copy_from_slice(bytes);
    let value = u128::from_be_bytes(wide);
    let mut digits = [0_u8; 18];
    for (i, digit) in digits[..16].iter_mut().enumerate() {
        *digit = (value >> (75 - 5 * i) & 31) as u8;
    }
    let mut data = [0_u8; 16];
    data.copy_from_slice(&digits[..16]);
    let check = check_of(&data, kind);
    digits[16] = (check / 32) as u8;
    digits[17] = (check % 32) as u8;
    let mut text = [b'-'; 20];
    for (i, digit) in digits.iter().enumerate() {
        text[i + i / 6] = CROCKFORD[usize::from(*digit)];
    }
    out.extend_from_slice(&text);
}

macro_rules! reference {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name([u8; 10]);

        impl $name {
            /// The number that the text spells.
            fn number(self) -> u128 {
                let mut wide = [0_u8; 16];
                wide[6..].copy_from_slice(&self.0);
                u128::from_be_bytes(wide)
            }
        }

        /// The order of the bytes, compared as one number.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.number().cmp(&other.number())
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// From the 80 bits that are the reference: to whoever has not made them, random.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 10]) -> Self {
                Self(bytes)
            }

            /// The 80 bits.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 10] {
                &self.0
            }

            /// Appends the canonical text to `out`: upper case, 6-6-6.
            pub fn push_to(&self, out: &mut Vec<u8>) {
                print_reference(&self.0, $kind, out);
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Accepts lower case, spaces, hyphens, O for 0, I and L for 1.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_reference(text, $kind).map(Self)
            }
        }

        impl fmt::Display for $name {
            /// Canonical: upper case, 6-6-6.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = Vec::with_capacity(20);
                self.push_to(&mut text);
                f.write_str(std::str::from_utf8(&text).expect("Crockford's letters and hyphens"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

reference!(
    /// A case: minted by the gateway with the first notice. 16 data and 2 check characters of Crockford's alphabet.
    CaseRef,
    0
);
reference!(
    /// A requisition: minted by the gateway with a control part, printed on forms and labels. 16 data and 2 check characters.
    RequisitionId,
    401
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_their_bytes_do() {
        let bytes: Vec<[u8; 16]> = (0..16_usize)
            .flat_map(|at| {
                [0_u8, 1, 0x7f, 0x80, 0xff].map(|value| {
                    let mut bytes = [0x5a_u8; 16];
                    bytes[at] = value;
                    (bytes[6], bytes[8]) = (0x70 | bytes[6] & 15, 0x80 | bytes[8] & 63);
                    bytes
                })
            })
            .collect();
        for (one, other) in bytes.iter().flat_map(|one| bytes.iter().map(move |other| (one, other))) {
            let id = |bytes: &[u8; 16]| MessageId::from_bytes(*bytes).unwrap();
            assert_eq!(id(one).cmp(&id(other)), one.cmp(other), "{one:x?} {other:x?}");
            let tail = |bytes: &[u8; 16]| <[u8; 10]>::try_from(&bytes[..10]).unwrap();
            let (case, requisition) = (|bytes| CaseRef::from_bytes(tail(bytes)), |bytes| RequisitionId::from_bytes(tail(bytes)));
            assert_eq!(case(one).cmp(&case(other)), tail(one).cmp(&tail(other)), "{one:x?} {other:x?}");
            assert_eq!(requisition(one).cmp(&requisition(other)), tail(one).cmp(&tail(other)), "{one:x?} {other:x?}");
        }
    }

    #[test]
    fn a_message_id_has_one_spelling() {
        let text = "0190a0b1-7c2d-7e3f-8a4b-5c6d7e8f9a0b";
        assert_eq!(text.parse::<MessageId>().unwrap().to_string(), text);
        for bad in [
            "0190A0B1-7c2d-7e3f-8a4b-5c6d7e8f9a0b",
            "0190a0b1-7c2d-4e3f-8a4b-5c6d7e8f9a0b",
            "0190a0b1-7c2d-7e3f-ca4b-5c6d7e8f9a0b",
            "0190a0b17c2d7e3f8a4b5c6d7e8f9a0b",
            "{0190a0b1-7c2d-7e3f-8a4b-5c6d7e8f9a0}",
            "",
        ] {
            assert_eq!(bad.parse::<MessageId>(), Err(InvalidId::Message), "{bad}");
        }
        let id = MessageId::new(Timestamp::from_millis(1_718_000_000_123), [0xff; 10]);
        assert_eq!(id.timestamp().millis(), 1_718_000_000_123);
        assert_eq!(id.to_string().parse::<MessageId>().unwrap(), id);
    }

    #[test]
    fn a_reference_finds_every_wrong_character_and_every_exchange() {
        let reference = CaseRef::from_bytes([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x10, 0x32]);
        let text = reference.to_string();
        assert_eq!(text.len(), 20);
        assert_eq!(text.parse::<CaseRef>().unwrap(), reference);
        assert_eq!(text.to_lowercase().replace('-', " ").parse::<CaseRef>().unwrap(), reference);
        let plain: Vec<u8> = text.bytes().filter(|c| *c != b'-').collect();
        for i in 0..plain.len() {
            for c in CROCKFORD {
                let mut wrong = plain.clone();
                if wrong[i] == *c {
                    continue;
                }
                wrong[i] = *c;
                assert_eq!(String::from_utf8(wrong).unwrap().parse::<CaseRef>(), Err(InvalidId::ReferenceCheck));
            }
            for j in 0..i.min(16) {
                if i >= 16 {
                    break;
                }
                let mut wrong = plain.clone();
                wrong.swap(i, j);
                if wrong != plain {
                    assert_eq!(String::from_utf8(wrong).unwrap().parse::<CaseRef>(), Err(InvalidId::ReferenceCheck));
                }
            }
        }
        assert_eq!(text.parse::<RequisitionId>(), Err(InvalidId::ReferenceCheck), "a case reference is no requisition");
        assert_eq!("Ø".parse::<CaseRef>(), Err(InvalidId::Reference));
        assert_eq!("".parse::<CaseRef>(), Err(InvalidId::Reference));
    }

    #[test]
    fn participant_ids_are_short_and_plain() {
        assert!("politi-oslo".parse::<ParticipantId>().is_ok());
        for bad in ["", "a", "1a", "A-b", "a_b", "ø-b", &"a".repeat(32)] {
            assert_eq!(bad.parse::<ParticipantId>(), Err(InvalidId::Participant), "{bad}");
        }
    }
}
