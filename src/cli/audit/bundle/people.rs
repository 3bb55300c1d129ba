//! The records of a bundle for people: one JSON object a line, and a table. Both follow from the openings and are compared with them.

use serde::Serialize;

use crate::audit::record::Record;
use crate::policy::reason::reason_word;
use crate::policy::table::Verb;

/// The table's first line.
pub const CSV_HEAD: &str = "index,time,event,actor,key_label,message_id,sender,recipient,case_ref,requisition_id,replaces,about,content_commit,reason,reason_code,call,count,note\n";

/// A record with its numbers in words.
#[derive(Debug, Serialize)]
struct Row {
    index: u64,
    time: String,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case_ref: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requisition_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

fn row(index: u64, record: &Record) -> Row {
    let text = |value: Option<&dyn std::fmt::Display>| value.map(ToString::to_string);
    let Record {
        kind,
        time,
        actor,
        key_label,
        message_id,
        sender,
        recipient,
        case_ref,
        requisition_id,
        replaces,
        about,
        content_commit,
        reason,
        verb,
        count,
        note,
    } = record;
    Row {
        index,
        time: time.to_string(),
        event: record.row().map_or("UNKNOWN", |row| row.name),
        actor: text(actor.as_ref().map(|id| id as _)),
        key_label: key_label.clone(),
        message_id: text(message_id.as_ref().map(|id| id as _)),
        sender: text(sender.as_ref().map(|id| id as _)),
        recipient: text(recipient.as_ref().map(|id| id as _)),
        case_ref: text(case_ref.as_ref().map(|id| id as _)),
        requisition_id: text(requisition_id.as_ref().map(|id| id as _)),
        replaces: text(replaces.as_ref().map(|id| id as _)),
        about: *about,
        content_commit: content_commit.map(|commit| commit.iter().map(|byte| format!("{byte:02x}")).collect()),
        reason: *reason,
        reason_code: reason.and_then(|number| reason_word(*kind, number)),
        call: verb.and_then(Verb::of_number).map(Verb::call),
        count: *count,
        note: note.clone(),
    }
}

/// A value of the table. One that a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(out: &mut String, value: &str) {
    let value = if value.starts_with(['=', '+', '-', '@', '\t']) { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\n', '\r']) {
        out.push('"');
        out.push_str(&value.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&value);
    }
}

/// The record's line of `records.jsonl` and of `records.csv`.
#[must_use]
pub fn lines(index: u64, record: &Record) -> (String, String) {
    let row = row(index, record);
    let mut json = serde_json::to_string(&row).unwrap_or_default();
    json.push('\n');
    let number = |value: Option<u64>| value.map(|number| number.to_string());
    let cells = [
        Some(row.index.to_string()),
        Some(row.time),
        Some(row.event.to_owned()),
        row.actor,
        row.key_label,
        row.message_id,
        row.sender,
        row.recipient,
        row.case_ref,
        row.requisition_id,
        row.replaces,
        number(row.about),
        row.content_commit,
        number(row.reason.map(u64::from)),
        row.reason_code.map(str::to_owned),
        row.call.map(str::to_owned),
        number(row.count),
        row.note,
    ];
    let mut csv = String::with_capacity(256);
    for (at, value) in cells.into_iter().enumerate() {
        if at > 0 {
            csv.push(',');
        }
        cell(&mut csv, &value.unwrap_or_default());
    }
    csv.push('\n');
    (json, csv)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{Event, ItemNumber};
    use crate::domain::id::CaseRef;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_return_has_its_own_reason_in_words() {
        let event = Event::NoticeReturned {
            unit: "ru-oslo".parse().unwrap(),
            key_label: "main".to_owned(),
            item: ItemNumber(4),
            case_ref: CaseRef::from_bytes([7; 10]),
            sender: "politi-oslo".parse().unwrap(),
            message_id: "019a9b3c-0000-7000-8000-000000000001".parse().unwrap(),
            reason: 2,
        };
        let (json, csv) = lines(7, &Record::of(&event, Timestamp::from_millis(1_780_000_000_000)));
        assert!(json.contains("\"reason\":2,\"reason_code\":\"CANNOT_IDENTIFY\""), "{json}");
        assert!(csv.contains(",2,CANNOT_IDENTIFY,"), "{csv}");
    }

    #[test]
    fn a_hold_has_its_own_reason_in_words() {
        use crate::domain::hold::{HeldCase, HoldReason};
        let event = Event::HoldPlaced {
            auditor: "tilsyn".parse().unwrap(),
            key_label: "main".to_owned(),
            case: HeldCase { case_ref: CaseRef::from_bytes([7; 10]), prosecution: None, unit: None },
            reason: HoldReason::Complaint,
            until: crate::domain::time::Date::constant(2027, 6, 30),
            ground: None,
        };
        let (json, csv) = lines(7, &Record::of(&event, Timestamp::from_millis(1_780_000_000_000)));
        assert!(json.contains("\"reason\":2,\"reason_code\":\"COMPLAINT\""), "{json}");
        assert!(csv.contains(",2,COMPLAINT,"), "{csv}");
    }

    #[test]
    fn a_record_is_one_line_of_each_and_no_formula() {
        let event =
            Event::Refused { caller: "ru-oslo".parse().unwrap(), key_label: "main".to_owned(), verb: 11, reason: 3, message_id: None };
        let mut record = Record::of(&event, Timestamp::from_millis(1_780_000_000_000));
        record.note = Some("=1+1, \"x\"".to_owned());
        let (json, csv) = lines(7, &record);
        assert!(
            json.starts_with("{\"index\":7,\"time\":\"2026-05-28T20:26:40.000Z\",\"event\":\"REFUSED\",\"actor\":\"ru-oslo\""),
            "{json}"
        );
        assert!(json.contains("\"reason\":3,\"reason_code\":\"CALL_NOT_ALLOWED\""), "{json}");
        assert!(csv.starts_with("7,2026-05-28T20:26:40.000Z,REFUSED,ru-oslo,main,,"), "{csv}");
        assert!(csv.ends_with("\"'=1+1, \"\"x\"\"\"\n"), "{csv}");
        assert_eq!(CSV_HEAD.matches(',').count(), 17);
    }
}
