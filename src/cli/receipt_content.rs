//! What a receipt says in plain words, and whether a content is the very one that was accepted.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::prost::Message as _;
use serde_json::Value;

use crate::domain::id::MessageId;
use crate::gateway::content_commit;
use crate::grpc::pb;
use crate::tls::files;

use super::exit::CliError;
use super::receipt::Proved;
use super::send::{self, Sending};

/// The largest settled entry of an outbox, in bytes.
const ENTRY_BYTES_MAX: u64 = 1024 * 1024;

/// A line of the record.
#[must_use]
pub fn line<'r>(record: &'r str, name: &str) -> Option<&'r str> {
    record.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// What stood where, no later than when, and what that does not show.
#[must_use]
pub fn in_words(proved: &Proved, log: &str, key: &str, content: Option<bool>) -> String {
    let record = &proved.record;
    let field = |name| line(record, name).unwrap_or("?");
    let mut text = format!(
        "This shows: the entry above stood in the log {log} at place {}, no later than when the log had {} entries, signed by {key}.\n\
         The log dated it {}; that is the log's own word. In no log that goes on from that head can another stand in its place.\n\
         Whoever has the log's key can sign a second log beside it: witnesses, or a head that others keep, show that, and this alone does not.",
        proved.index,
        proved.size,
        field("time"),
    );
    let happened = match field("event") {
        "HANDED_OUT" => "Its recipient's system fetched the message then; that alone does not say that it kept it.",
        "ACKNOWLEDGED" => "Its recipient's system said then that it has stored the message.",
        "NOTICE_RETURNED" => "The unit gave the notice back then, for the reason of that number.",
        "OVERDUE" => "Its recipient had not acknowledged the message in time then; it is still deliverable.",
        "ENDED_UNDELIVERED" => "The case ended then, and the message was erased without having been fetched and acknowledged.",
        _ => "",
    };
    if !happened.is_empty() {
        text.push('\n');
        text.push_str(happened);
    }
    match (content, line(record, "content_commit")) {
        (Some(true), _) => text.push_str(
            "\nIt also shows what was sent: the given content under the salt of the outbox is the very content that was accepted.",
        ),
        (_, Some(_)) => text.push_str(
            "\nIt does not show what the message said. With the content and the salt in the sender's outbox it does: --content FILE.json.",
        ),
        (_, None) => {}
    }
    text.push_str("\nIt does not show that anyone has read the message, or that what it says is true.");
    text
}

/// The salt that the outbox keeps for a message.
///
/// # Errors
/// There is none, or it was changed.
pub fn salt_of(outbox: &Path, id: MessageId, kind: &str) -> Result<[u8; 32], CliError> {
    let file = outbox.join(format!("{id}.{kind}.json"));
    let bytes = files::read(&file, ENTRY_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    let entry: Option<Value> = serde_json::from_slice(&bytes).ok();
    let salt = entry.as_ref().and_then(|entry| entry["content_salt"].as_str()).and_then(|text| STANDARD.decode(text).ok());
    salt.and_then(|salt| salt.try_into().ok())
        .ok_or_else(|| CliError::Usage(format!("{}: holds no content_salt; it was changed", file.display())))
}

/// Which of the three, as the outbox names it, by the event of its acceptance; none for other events.
#[must_use]
pub fn kind_of(event: &str) -> Option<Sending> {
    match event {
        "NOTICE_ACCEPTED" => Some(send::NOTICE),
        "REPORT_ACCEPTED" => Some(send::REPORT),
        "RESULT_ACCEPTED" => Some(send::RESULT),
        _ => None,
    }
}

/// Checks that the content in `file` under the salt in `outbox` is what the record commits to.
///
/// # Errors
/// It is not, or the record is of no acceptance of content.
pub fn check_content(proved: &Proved, file: &Path, outbox: &Path) -> Result<(), CliError> {
    let record = &proved.record;
    let wrong = |what: &str| CliError::Failed(format!("{}: {what}", file.display()));
    let kind = line(record, "event").and_then(kind_of).ok_or_else(|| wrong("the receipt is of no message with content"))?;
    let commit = line(record, "content_commit").ok_or_else(|| wrong("the receipt commits to no content"))?;
    let id: MessageId = line(record, "message_id").and_then(|id| id.parse().ok()).ok_or_else(|| wrong("the receipt names no message"))?;
    let replaces = line(record, "replaces").and_then(|id| id.parse().ok());
    let draft = send::content_draft(kind, file, replaces)?;
    let canonical = canonical(kind, &draft.encode_to_vec()).ok_or_else(|| wrong("is no content of this kind"))?;
    let found = content_commit(&salt_of(outbox, id, kind.name)?, &canonical);
    let found: String = found.iter().map(|byte| format!("{byte:02x}")).collect();
    if found == commit { Ok(()) } else { Err(wrong("is not the content that was accepted, or the salt is another message's")) }
}

/// The request as every protobuf library writes it, without id and salt.
fn canonical(kind: Sending, bytes: &[u8]) -> Option<Vec<u8>> {
    match kind.name {
        "notice" => Some(pb::SendConditionNoticeRequest::decode(bytes).ok()?.encode_to_vec()),
        "report" => Some(pb::ReportNonAttendanceRequest::decode(bytes).ok()?.encode_to_vec()),
        _ => Some(pb::SendLabResultRequest::decode(bytes).ok()?.encode_to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::leaf::Leaf;

    #[test]
    fn a_receipt_is_said_to_show_no_more_than_one_signed_head_does() {
        let record = "samband/v1\nevent=NOTICE_ACCEPTED\ntime=2027-01-01T00:00:00Z\n".to_owned();
        let proved = Proved { index: 5, size: 9, leaf: Leaf::from_bytes([1; 33]).unwrap(), record };
        let said = in_words(&proved, "log.example/x", "log.example/x+1", None);
        assert!(said.starts_with("This shows: the entry above stood in the log log.example/x at place 5, "), "{said}");
        assert!(said.contains("Whoever has the log's key can sign a second log beside it") && !said.contains("Nobody can"), "{said}");
    }
}
