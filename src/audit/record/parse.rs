//! Records read back from the two texts of an opening: what an export holds of an entry, and all that a check without a gateway has.

use super::Record;
use crate::audit::event::TABLE;
use crate::audit::leaf::{AuditorOpening, Openings};
use crate::audit::range::Held;
use crate::audit::text::decimal;
use crate::domain::time::Timestamp;

/// The texts are no record of a known kind, or not as this program writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the opening's text is no record that this version knows; use the version that belongs to the log")]
pub struct NotARecord;

impl Record {
    /// The record whose texts these are: exactly those, encoding it again gives the same bytes.
    ///
    /// # Errors
    /// [`NotARecord`].
    pub fn from_parts(sender_part: &[u8], gateway_part: &[u8]) -> Result<Self, NotARecord> {
        let record = read(sender_part, gateway_part).ok_or(NotARecord)?;
        let same = record.sender_part() == sender_part && record.gateway_part() == gateway_part;
        if same { Ok(record) } else { Err(NotARecord) }
    }
}

fn read(sender_part: &[u8], gateway_part: &[u8]) -> Option<Record> {
    let sender = std::str::from_utf8(sender_part).ok()?.strip_prefix("samband/v1\n")?;
    let gateway = std::str::from_utf8(gateway_part).ok()?;
    let mut lines = sender.lines();
    let name = lines.next()?.strip_prefix("event=")?;
    let kind = TABLE.iter().find(|row| row.name == name)?.number;
    let at: jiff::Timestamp = lines.next()?.strip_prefix("time=")?.parse().ok()?;
    let mut record = Record::empty(kind, Timestamp::from_millis(at.as_millisecond()));
    for line in lines.chain(gateway.lines()) {
        let (name, value) = line.split_once('=')?;
        let number = || decimal(value).and_then(|number| u16::try_from(number).ok());
        match name {
            "actor" => record.actor = Some(value.parse().ok()?),
            "key_label" => record.key_label = Some(value.to_owned()),
            "message_id" => record.message_id = Some(value.parse().ok()?),
            "sender" => record.sender = Some(value.parse().ok()?),
            "recipient" => record.recipient = Some(value.parse().ok()?),
            "case_ref" => record.case_ref = Some(value.parse().ok()?),
            "requisition_id" => record.requisition_id = Some(value.parse().ok()?),
            "replaces" => record.replaces = Some(value.parse().ok()?),
            "about" => record.about = Some(decimal(value)?),
            "content_commit" => record.content_commit = Some(hex_32(value)?),
            "reason" => record.reason = Some(number()?),
            "verb" => record.verb = Some(number()?),
            "count" => record.count = Some(decimal(value)?),
            "note" => record.note = Some(value.to_owned()),
            _ => return None,
        }
    }
    Some(record)
}

fn hex_32(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl Held {
    /// What an auditor's opening holds.
    ///
    /// # Errors
    /// [`NotARecord`].
    pub fn from_opening(opening: &AuditorOpening) -> Result<Self, NotARecord> {
        let record = Record::from_parts(opening.sender_part(), opening.gateway_part())?;
        let openings: &Openings = opening.openings();
        Ok(Self::Record(Box::new((record, openings.clone()))))
    }
}
