//! The wire check: decoders drop what they do not know and let the last of two values win; this walk of the raw bytes refuses both.
//!
//! Order of fields, packing of repeated scalars and explicit defaults never matter.

mod schema;
#[cfg(test)]
mod tests;

use self::schema::{Field, Kind, MessageTable, SCHEMA};
use crate::domain::limits::{REQUEST_BYTES_MAX, WIRE_DEPTH_MAX};

/// What is wrong with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WireFault {
    /// The message's name is not in the schema.
    #[error("this message does not belong to the schema of this gateway")]
    UnknownMessage,
    /// A field number that the message does not have.
    #[error("remove the field: this version of the schema does not have it")]
    UnknownField,
    /// A wire type that the field does not have.
    #[error("encode the field with the type that the schema gives it")]
    WrongWireType,
    /// A singular field, or two members of one oneof, sent more than once.
    #[error("send a field that is not repeated once, and one member of a oneof only")]
    FieldTwice,
    /// A group, which protobuf 3 does not have.
    #[error("do not send groups")]
    Group,
    /// A string that is no UTF-8.
    #[error("encode strings in UTF-8")]
    InvalidUtf8,
    /// More nested messages than the bound.
    #[error("nest messages less deeply")]
    TooDeep,
    /// More bytes than the bound.
    #[error("send fewer bytes")]
    TooLong,
    /// The bytes end inside a field.
    #[error("send the whole message: it ends inside a field")]
    Truncated,
    /// A number that does not fit its field's type, or a field number 0.
    #[error("send numbers that fit the field's type")]
    OutOfRange,
}

impl WireFault {
    /// Every fault.
    pub const ALL: [Self; 10] = [
        Self::UnknownMessage,
        Self::UnknownField,
        Self::WrongWireType,
        Self::FieldTwice,
        Self::Group,
        Self::InvalidUtf8,
        Self::TooDeep,
        Self::TooLong,
        Self::Truncated,
        Self::OutOfRange,
    ];

    /// The stable code, SCREAMING_CASE.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownMessage => "UNKNOWN_MESSAGE",
            Self::UnknownField => "UNKNOWN_FIELD",
            Self::WrongWireType => "WRONG_WIRE_TYPE",
            Self::FieldTwice => "FIELD_TWICE",
            Self::Group => "GROUP",
            Self::InvalidUtf8 => "INVALID_UTF8",
            Self::TooDeep => "TOO_DEEP",
            Self::TooLong => "TOO_LONG",
            Self::Truncated => "TRUNCATED",
            Self::OutOfRange => "WIRE_OUT_OF_RANGE",
        }
    }
}

/// A fault and the number of the field it was found at (0: none). No content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {fault}")]
pub struct WireError {
    /// What is wrong.
    pub fault: WireFault,
    /// The field's number in its message.
    pub field: u32,
}

impl WireError {
    const fn new(fault: WireFault, field: u32) -> Self {
        Self { fault, field }
    }
}

/// Builds the flat tables now instead of at the first request. Call it at start.
pub fn prepare() {
    std::sync::LazyLock::force(&SCHEMA);
}

/// Checks the bytes of the message `full_name` (like `samband.v1.ConditionNotice`). Never panics; allocates nothing.
///
/// # Errors
/// The first fault from the start of the bytes.
pub fn check(full_name: &str, bytes: &[u8]) -> Result<(), WireError> {
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(WireError::new(WireFault::TooLong, 0));
    }
    let root = SCHEMA.root(full_name).ok_or(WireError::new(WireFault::UnknownMessage, 0))?;
    check_message(root, bytes, 0)
}

struct Reader<'a> {
    rest: &'a [u8],
    field: u32,
}

impl<'a> Reader<'a> {
    const fn fail(&self, fault: WireFault) -> WireError {
        WireError::new(fault, self.field)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for i in 0..10 {
            let (byte, rest) = self.rest.split_first().ok_or(self.fail(WireFault::Truncated))?;
            self.rest = rest;
            // The tenth byte holds the last of 64 bits.
            if i == 9 && *byte > 1 {
                return Err(self.fail(WireFault::OutOfRange));
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.fail(WireFault::OutOfRange))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(self.fail(WireFault::Truncated))?;
        self.rest = rest;
        Ok(taken)
    }

    fn delimited(&mut self) -> Result<&'a [u8], WireError> {
        let len = self.varint()?;
        let len = usize::try_from(len).map_err(|_| self.fail(WireFault::Truncated))?;
        self.take(len)
    }

    /// One scalar of `kind`, wire type already checked.
    fn scalar(&mut self, kind: Kind) -> Result<(), WireError> {
        match kind {
            Kind::Fixed32 => self.take(4).map(drop),
            Kind::Fixed64 => self.take(8).map(drop),
            Kind::Varint { least, most } => {
                let value = self.varint()?;
                let signed = i128::from(value.cast_signed());
                let value = if least < 0 { signed } else { i128::from(value) };
                if (least..=most).contains(&value) { Ok(()) } else { Err(self.fail(WireFault::OutOfRange)) }
            }
            Kind::String | Kind::Bytes | Kind::Message(_) => Err(self.fail(WireFault::WrongWireType)),
        }
    }
}

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const DELIMITED: u64 = 2;
const START_GROUP: u64 = 3;
const END_GROUP: u64 = 4;
const FIXED32: u64 = 5;

fn check_message(table: &MessageTable, bytes: &[u8], depth: usize) -> Result<(), WireError> {
    if depth > WIRE_DEPTH_MAX {
        return Err(WireError::new(WireFault::TooDeep, 0));
    }
    let mut seen = 0_u128;
    let mut reader = Reader { rest: bytes, field: 0 };
    while !reader.rest.is_empty() {
        reader.field = 0;
        let key = reader.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        reader.field = number.ok_or(reader.fail(WireFault::OutOfRange))?;
        let wire_type = key & 7;
        if matches!(wire_type, START_GROUP | END_GROUP) {
            return Err(reader.fail(WireFault::Group));
        }
        let field = table.field(reader.field).ok_or(reader.fail(WireFault::UnknownField))?;
        if let Some(slot) = field.slot {
            let bit = 1_u128 << slot;
            if seen & bit != 0 {
                return Err(reader.fail(WireFault::FieldTwice));
            }
            seen |= bit;
        }
        check_value(&mut reader, field, wire_type, depth)?;
    }
    Ok(())
}

fn check_value(reader: &mut Reader<'_>, field: &Field, wire_type: u64, depth: usize) -> Result<(), WireError> {
    match (field.kind, wire_type) {
        (Kind::String, DELIMITED) => {
            let bytes = reader.delimited()?;
            std::str::from_utf8(bytes).map(drop).map_err(|_| reader.fail(WireFault::InvalidUtf8))
        }
        (Kind::Bytes, DELIMITED) => reader.delimited().map(drop),
        (Kind::Message(index), DELIMITED) => {
            let bytes = reader.delimited()?;
            check_message(SCHEMA.message(index), bytes, depth + 1)
        }
        (Kind::Varint { .. }, VARINT) | (Kind::Fixed32, FIXED32) | (Kind::Fixed64, FIXED64) => reader.scalar(field.kind),
        // Packed: a repeated scalar may come in one piece, whatever the schema prefers.
        (Kind::Varint { .. } | Kind::Fixed32 | Kind::Fixed64, DELIMITED) if field.slot.is_none() => {
            let mut packed = Reader { rest: reader.delimited()?, field: reader.field };
            while !packed.rest.is_empty() {
                packed.scalar(field.kind)?;
            }
            Ok(())
        }
        _ => Err(reader.fail(WireFault::WrongWireType)),
    }
}
