//! What auditors read of an event: one flat record, and the two texts that its leaf commits to.
//!
//! The texts are lines of `name=value` in the order below, ASCII but for role names, so that anyone can rebuild a leaf with a shell.
//! The *sender part* is what the acting participant may know; the *gateway part* is the rest. Record and texts never hold content.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use super::event::{Acceptance, ContentCommit, Event, EventRow, ItemNumber, kind, row_of};
use crate::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use crate::domain::time::Timestamp;

/// One entry of the log as auditors read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Number in [`super::event::TABLE`].
    pub kind: u16,
    /// When, never before the entry in front of it.
    pub time: Timestamp,
    /// Who acted; none when the gateway did.
    pub actor: Option<ParticipantId>,
    /// Label of the actor's key.
    pub key_label: Option<String>,
    /// The message it is about: the handle its sender chose.
    pub message_id: Option<MessageId>,
    /// Sender of that message, when it is not the actor; of a succession, who is retired.
    pub sender: Option<ParticipantId>,
    /// Its recipient, when it is not the actor; of a succession, who takes over.
    pub recipient: Option<ParticipantId>,
    /// The case.
    pub case_ref: Option<CaseRef>,
    /// The requisition.
    pub requisition_id: Option<RequisitionId>,
    /// The message that is replaced or withdrawn.
    pub replaces: Option<MessageId>,
    /// Log index of the acceptance it is about, for hand-outs and what follows.
    pub about: Option<u64>,
    /// Commitment to the content, for acceptances.
    pub content_commit: Option<ContentCommit>,
    /// A reason's number: withdrawal, return, refusal or failed reload, by kind.
    pub reason: Option<u16>,
    /// A call's number, for refusals and reads.
    pub verb: Option<u16>,
    /// How many, for sums; the generation, for registers and successions.
    pub count: Option<u64>,
    /// Short public text: a version, an origin, a reader's id, a month, a digest. At most 128 bytes.
    pub note: Option<String>,
}

impl Record {
    /// The longest `note`, in bytes.
    pub const NOTE_BYTES_MAX: usize = 128;

    pub(crate) const fn empty(kind: u16, time: Timestamp) -> Self {
        Self {
            kind,
            time,
            actor: None,
            key_label: None,
            message_id: None,
            sender: None,
            recipient: None,
            case_ref: None,
            requisition_id: None,
            replaces: None,
            about: None,
            content_commit: None,
            reason: None,
            verb: None,
            count: None,
            note: None,
        }
    }

    /// Whether it tells of an auditor's question, which may name what is not there.
    #[must_use]
    pub const fn is_a_question(&self) -> bool {
        matches!(self.kind, kind::AUDIT_READ | kind::AUDIT_ASKED)
    }

    /// Whether it is read with the records of `case`: as one of them, or as a succession, without which nobody can tell whose the case is.
    #[must_use]
    pub fn goes_with(&self, case: CaseRef) -> bool {
        self.case_ref == Some(case) || self.kind == kind::SUCCEEDED
    }

    /// Whether it tells of something that happened in the case that it names, if it names one. Who only asked for a case, or held it, makes none.
    #[must_use]
    pub const fn happened_in_its_case(&self) -> bool {
        !self.is_a_question() && !matches!(self.kind, kind::HOLD_PLACED | kind::HOLD_LIFTED | kind::HOLD_ENDED | kind::HELD_ERASED)
    }

    /// Whether it tells that a month was erased, and nothing of what holds kept of it: by its places in the log. What earlier versions wrote has none.
    #[must_use]
    pub fn is_a_month_by_its_places(&self) -> bool {
        self.kind == kind::RECORDS_ERASED && self.note.as_deref().is_some_and(|note| note.contains(" index "))
    }

    /// The table's row, if this program knows the kind.
    #[must_use]
    pub fn row(&self) -> Option<EventRow> {
        row_of(self.kind)
    }

    /// The record of `event` at `time`.
    #[must_use]
    pub fn of(event: &Event, time: Timestamp) -> Self {
        let mut record = Self::empty(event.row().number, time);
        match event {
            Event::NoticeAccepted { acceptance, facts: _, subject_commit: _, moved_from } => {
                record.acceptance(acceptance);
                record.note = moved_from.as_ref().map(|(unit, _)| format!("moved from {unit}"));
            }
            Event::ReportAccepted { acceptance, facts: _ } => record.acceptance(acceptance),
            Event::ResultAccepted { acceptance, facts: _ } => record.acceptance(acceptance),
            Event::NoticeWithdrawn { acceptance, reason }
            | Event::ReportWithdrawn { acceptance, reason }
            | Event::ResultWithdrawn { acceptance, reason } => {
                record.acceptance(acceptance);
                record.reason = Some(*reason);
            }
            Event::OfResult { requisition_id, event } => {
                record = Self::of(event, time);
                record.requisition_id = Some(*requisition_id);
            }
            _ => record.other(event),
        }
        record
    }

    fn acceptance(&mut self, acceptance: &Acceptance) {
        let Acceptance { sender, key_label, message_id, content_commit, recipient, case_ref, requisition_id, replaces } = acceptance;
        self.actor = Some(sender.clone());
        self.key_label = Some(key_label.clone());
        self.message_id = Some(*message_id);
        self.content_commit = Some(*content_commit);
        self.recipient = Some(recipient.clone());
        self.case_ref = Some(*case_ref);
        self.requisition_id = *requisition_id;
        self.replaces = replaces.map(|(id, _)| id);
    }

    fn by(&mut self, actor: &ParticipantId, key_label: &str) {
        self.actor = Some(actor.clone());
        self.key_label = Some(key_label.to_owned());
    }

    fn item(&mut self, item: ItemNumber, case_ref: CaseRef, sender: &ParticipantId, message_id: MessageId) {
        self.about = Some(item.index());
        self.case_ref = Some(case_ref);
        self.sender = Some(sender.clone());
        self.message_id = Some(message_id);
    }

    fn other(&mut self, event: &Event) {
        match event {
            Event::LogOpened { origin, previous_checkpoint } => {
                self.note = Some(clip(&previous_checkpoint.as_ref().map_or_else(
                    || origin.clone(),
                    |text| format!("{origin} follows {}", text.lines().take(3).collect::<Vec<_>>().join(" ")),
                )));
            }
            Event::Started { version, test_mode } => {
                self.note = Some(clip(&format!("{version}{}", if *test_mode { " test" } else { "" })));
            }
            Event::RegisterLoaded { generation, digest, participants: _ } => {
                self.count = Some(*generation);
                self.note = Some(hex(digest));
            }
            Event::Validated { caller, key_label, kind } => {
                self.by(caller, key_label);
                self.note = Some(format!("{kind:?}"));
            }
            Event::HandedOut { recipient, key_label, reader, item, case_ref, sender, message_id } => {
                self.by(recipient, key_label);
                self.item(*item, *case_ref, sender, *message_id);
                self.note = Some(clip(reader));
            }
            Event::Acknowledged { recipient, key_label, item, case_ref, sender, message_id } => {
                self.by(recipient, key_label);
                self.item(*item, *case_ref, sender, *message_id);
            }
            Event::NoticeReturned { unit, key_label, item, case_ref, sender, message_id, reason } => {
                self.by(unit, key_label);
                self.item(*item, *case_ref, sender, *message_id);
                self.reason = Some(*reason);
            }
            Event::Overdue { item, case_ref, sender, message_id, recipient }
            | Event::EndedUndelivered { item, case_ref, sender, message_id, recipient } => {
                self.item(*item, *case_ref, sender, *message_id);
                self.recipient = Some(recipient.clone());
            }
            Event::CaseEnded { case_ref, prosecution } => {
                self.case_ref = Some(*case_ref);
                self.sender = Some(prosecution.clone());
            }
            Event::CaseForgotten { case_ref } => self.case_ref = Some(*case_ref),
            _ => self.upkeep(event),
        }
    }

    fn upkeep(&mut self, event: &Event) {
        match event {
            Event::ContentErased { messages } => self.count = Some(*messages),
            Event::RecordsErased { month, records } => {
                self.count = Some(*records);
                self.note = Some(month.to_string());
            }
            Event::MonthErased { month, from, to } => {
                self.count = Some(to.saturating_sub(*from));
                self.note = Some(format!("{month} index {from} below {to}"));
            }
            Event::Refused { caller, key_label, verb, reason, message_id } => {
                self.by(caller, key_label);
                self.verb = Some(*verb);
                self.reason = Some(*reason);
                self.message_id = *message_id;
            }
            Event::RefusalsSummed { caller, reason, minute, count } => {
                self.actor = Some(caller.clone());
                self.reason = Some(*reason);
                self.count = Some(*count);
                self.note = Some(minute.to_string());
            }
            Event::StrangersRefused { reason, minute, count } => {
                self.count = Some(*count);
                self.note = Some(clip(&format!("{reason} {minute}")));
            }
            Event::ContactSet { unit, key_label, contact: _ } => self.by(unit, key_label),
            Event::AuditRead { auditor, key_label, verb, case_ref, participant } => {
                self.by(auditor, key_label);
                self.verb = Some(*verb);
                self.case_ref = *case_ref;
                self.recipient = participant.clone();
            }
            Event::AuditAsked { auditor, key_label, verb, asked } => {
                self.by(auditor, key_label);
                self.verb = Some(*verb);
                self.case_ref = asked.case_ref;
                self.message_id = asked.message_id;
                self.recipient = asked.participant.clone();
                self.note = Some(clip(&asked.to_string())).filter(|note| !note.is_empty());
            }
            Event::Reviewed { auditor, key_label, from, to } => {
                self.by(auditor, key_label);
                self.note = Some(format!("{from} to {to}"));
            }
            Event::ScopesLoaded { generation, scopes: _ } => self.count = Some(*generation),
            Event::TrustLoaded { digest } => self.note = Some(hex(digest)),
            Event::ReloadFailed { file, fault, digest, contents } => {
                self.reason = Some(fault.number());
                self.count = Some(*contents);
                self.note = Some(digest.map_or_else(|| file.as_str().to_owned(), |digest| format!("{} {}", file.as_str(), hex(&digest))));
            }
            Event::TookOver { generation, predecessor, successor } => {
                self.sender = Some(predecessor.clone());
                self.recipient = Some(successor.clone());
                self.count = Some(*generation);
            }
            Event::Succeeded { generation, predecessor, successor, items, cases } => {
                let (generation, predecessor, successor) = (*generation, predecessor.clone(), successor.clone());
                self.upkeep(&Event::TookOver { generation, predecessor, successor });
                self.note = Some(format!("items {items} cases {cases}"));
            }
            _ => self.hold(event),
        }
    }

    fn hold(&mut self, event: &Event) {
        let case = match event {
            Event::HoldPlaced { auditor, key_label, case, reason, until, ground } => {
                self.by(auditor, key_label);
                self.reason = Some(reason.number());
                let under = ground.as_ref().map_or_else(String::new, |ground| format!(" under {ground}"));
                self.note = Some(clip(&format!("until {until}{under}")));
                case
            }
            Event::HoldLifted { auditor, key_label, case } => {
                self.by(auditor, key_label);
                case
            }
            Event::HoldEnded { case } => case,
            Event::HeldErased { case, records } => {
                self.count = Some(*records);
                case
            }
            _ => return,
        };
        self.case_ref = Some(case.case_ref);
        self.sender = case.prosecution.clone();
        self.recipient = case.unit.clone();
    }

    /// What the acting participant may know, as text; of a delivery, what the sender of the message may know. A laboratory's holds the
    /// requisition and never the case, nor who fetched its result.
    #[must_use]
    pub fn sender_part(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.push_sender_part(&mut out);
        out
    }

    /// Appends the sender's part to `out`.
    pub fn push_sender_part(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"samband/v1\n");
        line(out, "event", self.row().map_or("UNKNOWN", |row| row.name));
        line(out, "time", self.time);
        optional(out, "actor", self.actor.as_ref().filter(|_| !self.is_delivery_of_result()));
        optional(out, "message_id", self.message_id);
        optional(out, "replaces", self.replaces);
        if let Some(commit) = &self.content_commit {
            line(out, "content_commit", Hex(commit));
        }
        if self.actor_knows_case() {
            optional(out, "case_ref", self.case_ref);
        }
        if self.actor_knows_requisition() {
            optional(out, "requisition_id", self.requisition_id);
        }
        optional(out, "reason", self.reason.map(u64::from));
        optional(out, "verb", self.verb.map(u64::from));
    }

    /// The rest, as text: derived parties, keys, readers, counts.
    #[must_use]
    pub fn gateway_part(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.push_gateway_part(&mut out);
        out
    }

    /// Appends the gateway's part to `out`.
    pub fn push_gateway_part(&self, out: &mut Vec<u8>) {
        optional(out, "actor", self.actor.as_ref().filter(|_| self.is_delivery_of_result()));
        optional(out, "key_label", self.key_label.as_deref());
        optional(out, "sender", self.sender.as_ref());
        optional(out, "recipient", self.recipient.as_ref());
        if !self.actor_knows_case() {
            optional(out, "case_ref", self.case_ref);
        }
        if !self.actor_knows_requisition() {
            optional(out, "requisition_id", self.requisition_id);
        }
        optional(out, "about", self.about);
        optional(out, "count", self.count);
        optional(out, "note", self.note.as_deref());
    }

    /// Kinds 14 and 15 are a laboratory's, as are deliveries of results: it never sees a case reference.
    #[must_use]
    pub const fn actor_knows_case(&self) -> bool {
        !matches!(self.kind, 14 | 15) && !self.is_delivery_of_result()
    }

    /// Whether this is about the delivery of a laboratory's result, as [`Event::OfResult`] tells it: no other delivery names a requisition.
    #[must_use]
    pub const fn is_delivery_of_result(&self) -> bool {
        matches!(self.kind, kind::HANDED_OUT | kind::ACKNOWLEDGED | kind::OVERDUE | kind::ENDED_UNDELIVERED)
            && self.requisition_id.is_some()
    }

    /// Kinds 12 and 13 are a unit's reports, whose sender names the case only.
    #[must_use]
    pub const fn actor_knows_requisition(&self) -> bool {
        !matches!(self.kind, 12 | 13)
    }
}

/// What may stand behind a name. Each spells itself without the formatter: the texts are made for every entry, before it can be committed.
trait Value {
    fn push_to(&self, out: &mut Vec<u8>);
}

impl Value for &str {
    fn push_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Value for &ParticipantId {
    fn push_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_str().as_bytes());
    }
}

impl Value for MessageId {
    fn push_to(&self, out: &mut Vec<u8>) {
        Self::push_to(self, out);
    }
}

impl Value for CaseRef {
    fn push_to(&self, out: &mut Vec<u8>) {
        Self::push_to(self, out);
    }
}

impl Value for RequisitionId {
    fn push_to(&self, out: &mut Vec<u8>) {
        Self::push_to(self, out);
    }
}

impl Value for Timestamp {
    fn push_to(&self, out: &mut Vec<u8>) {
        Self::push_to(*self, out);
    }
}

impl Value for u64 {
    fn push_to(&self, out: &mut Vec<u8>) {
        write!(out, "{self}").expect("writing to a Vec cannot fail");
    }
}

/// Bytes in hexadecimal.
struct Hex<'b>(&'b [u8; 32]);

impl Value for Hex<'_> {
    fn push_to(&self, out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        out.extend_from_slice(&text);
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: impl Value) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
    value.push_to(out);
    out.push(b'\n');
}

fn optional(out: &mut Vec<u8>, name: &str, value: Option<impl Value>) {
    if let Some(value) = value {
        line(out, name, value);
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    let mut out = Vec::with_capacity(64);
    Hex(bytes).push_to(&mut out);
    String::from_utf8(out).expect("hexadecimal digits")
}

fn clip(text: &str) -> String {
    let mut end = text.len().min(Record::NOTE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace(['\n', '\r'], " ")
}
