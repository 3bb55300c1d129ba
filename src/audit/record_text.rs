//! A record read back from the two texts that its leaf commits to.

use std::str::FromStr;

use super::event::TABLE;
use super::leaf::AuditorOpening;
use super::range::Held;
use super::record::Record;
use crate::domain::time::Timestamp;

/// Why texts are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordTextError {
    /// Not the lines that a record writes, in its order.
    #[error("the opened text is no record of this format, or not in its one spelling")]
    Form,
    /// A kind that this program does not know.
    #[error("the record is of a kind that this version does not know; use the version that wrote it, or a later one")]
    Kind,
}

fn parsed<T: FromStr>(value: &str) -> Result<T, RecordTextError> {
    value.parse().map_err(|_| RecordTextError::Form)
}

fn commit(value: &str) -> Result<[u8; 32], RecordTextError> {
    let mut bytes = [0_u8; 32];
    if value.len() != 64 || !value.is_ascii() {
        return Err(RecordTextError::Form);
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&value[at * 2..at * 2 + 2], 16).map_err(|_| RecordTextError::Form)?;
    }
    Ok(bytes)
}

fn set<T>(place: &mut Option<T>, value: T) -> Result<(), RecordTextError> {
    if place.replace(value).is_none() { Ok(()) } else { Err(RecordTextError::Form) }
}

impl Record {
    /// The record whose [`sender_part`](Record::sender_part) and [`gateway_part`](Record::gateway_part) are exactly these texts.
    ///
    /// # Errors
    /// A [`RecordTextError`].
    pub fn from_parts(sender_part: &[u8], gateway_part: &[u8]) -> Result<Self, RecordTextError> {
        let text = |part| std::str::from_utf8(part).map_err(|_| RecordTextError::Form);
        let (sender, gateway) = (text(sender_part)?, text(gateway_part)?);
        let rest = sender.strip_prefix("samband/v1\nevent=").ok_or(RecordTextError::Form)?;
        let (name, rest) = rest.split_once('\n').ok_or(RecordTextError::Form)?;
        let kind = TABLE.iter().find(|row| row.name == name).ok_or(RecordTextError::Kind)?.number;
        let rest = rest.strip_prefix("time=").ok_or(RecordTextError::Form)?;
        let (time, rest) = rest.split_once('\n').ok_or(RecordTextError::Form)?;
        let time: jiff::Timestamp = parsed(time)?;
        let mut record = Self::empty(kind, Timestamp::from_millis(time.as_millisecond()));
        for line in rest.split_terminator('\n').chain(gateway.split_terminator('\n')) {
            let (name, value) = line.split_once('=').ok_or(RecordTextError::Form)?;
            match name {
                "actor" => set(&mut record.actor, parsed(value)?),
                "key_label" => set(&mut record.key_label, value.to_owned()),
                "message_id" => set(&mut record.message_id, parsed(value)?),
                "sender" => set(&mut record.sender, parsed(value)?),
                "recipient" => set(&mut record.recipient, parsed(value)?),
                "case_ref" => set(&mut record.case_ref, parsed(value)?),
                "requisition_id" => set(&mut record.requisition_id, parsed(value)?),
                "replaces" => set(&mut record.replaces, parsed(value)?),
                "about" => set(&mut record.about, parsed(value)?),
                "content_commit" => set(&mut record.content_commit, commit(value)?),
                "reason" => set(&mut record.reason, parsed(value)?),
                "verb" => set(&mut record.verb, parsed(value)?),
                "count" => set(&mut record.count, parsed(value)?),
                "note" => set(&mut record.note, value.to_owned()),
                _ => Err(RecordTextError::Form),
            }?;
        }
        // Order, part and spelling of every line are those of the writer, or it is refused.
        let same = record.sender_part() == sender_part && record.gateway_part() == gateway_part;
        if same { Ok(record) } else { Err(RecordTextError::Form) }
    }
}

impl Held {
    /// What an auditor's opening holds.
    ///
    /// # Errors
    /// A [`RecordTextError`].
    pub fn from_opening(opening: &AuditorOpening) -> Result<Self, RecordTextError> {
        let record = Record::from_parts(opening.sender_part(), opening.gateway_part())?;
        Ok(Self::Record(Box::new((record, opening.openings().clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(kind: u16) -> Record {
        Record {
            actor: Some("lab-ous".parse().unwrap()),
            key_label: Some("main".to_owned()),
            message_id: Some("019a9b3c-0000-7000-8000-000000000001".parse().unwrap()),
            sender: Some("politi-oslo".parse().unwrap()),
            recipient: Some("ru-oslo".parse().unwrap()),
            case_ref: Some("04HMAS-W9NF6Y-Y41J5S".parse().unwrap()),
            requisition_id: Some(crate::domain::id::RequisitionId::from_bytes([7; 10])),
            replaces: Some("019a9b3c-0000-7000-8000-000000000002".parse().unwrap()),
            about: Some(7),
            content_commit: Some([0xa5; 32]),
            reason: Some(3),
            verb: Some(11),
            count: Some(9),
            note: Some("a=b c".to_owned()),
            ..Record::empty(kind, Timestamp::from_millis(1_780_000_000_123))
        }
    }

    #[test]
    fn every_kind_of_record_is_read_back() {
        for row in TABLE {
            for record in [full(row.number), Record::empty(row.number, Timestamp::from_millis(0))] {
                assert_eq!(Record::from_parts(&record.sender_part(), &record.gateway_part()), Ok(record));
            }
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let record = full(10);
        let (sender, gateway) = (String::from_utf8(record.sender_part()).unwrap(), String::from_utf8(record.gateway_part()).unwrap());
        let read = |sender: &str, gateway: &str| Record::from_parts(sender.as_bytes(), gateway.as_bytes()).unwrap_err();
        assert_eq!(read(&sender.replace("NOTICE_ACCEPTED", "NOTICE_EATEN"), &gateway), RecordTextError::Kind);
        for bad in [
            sender.replace("samband/v1", "samband/v2"),
            sender.replace(".123Z", ".1234Z"),
            sender.replace("Z\n", "+00:00\n"),
            sender.replace("a5a5", "A5A5"),
            sender.replace("content_commit=a5", "content_commit="),
            sender.replace("reason=3", "reason=03"),
            sender.replace("reason=3\n", "reason=3\nreason=3\n"),
            sender.replace("actor=lab-ous\n", "actor=LAB\n"),
            sender.replace("case_ref=", "case_reference="),
            sender.replace("case_ref=04HMAS-W9NF6Y-Y41J5S", "case_ref=04hmas-w9nf6y-y41j5s"),
            sender.trim_end().to_owned(),
            format!("{sender}\n"),
            format!("{sender}about=7\n"),
            String::new(),
        ] {
            assert_eq!(read(&bad, &gateway), RecordTextError::Form, "{bad}");
        }
        assert_eq!(read(&sender, &gateway.replace("about=7\ncount=9\n", "count=9\nabout=7\n")), RecordTextError::Form);
        assert_eq!(read(&sender, "person=somebody\n"), RecordTextError::Form);
        assert_eq!(Record::from_parts(&[0xff], b""), Err(RecordTextError::Form));
        assert_eq!(Record::from_parts(sender.as_bytes(), &[0xff]), Err(RecordTextError::Form));
    }
}
