//! Everything that can happen, as one closed enum.
//!
//! An event is what a journal keeps and what a store applies to its state; its [`Record`](super::record::Record) is what auditors read.
//! Numbers never change meaning and are never used again. Message content is never part of an event.

mod asked;
pub mod kind;

use std::cell::Cell;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

pub use self::asked::Asked;
pub use self::kind::row_of;
pub use super::message::{ItemNumber, MessageKind};
pub use super::reload::{ReloadFault, ReloadedFile};

use crate::domain::hold::{HeldCase, HoldGround, HoldReason};
use crate::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use crate::domain::notice::NoticeFacts;
use crate::domain::participant::{Contact, Participant};
use crate::domain::report::ReportFacts;
use crate::domain::result::ResultFacts;
use crate::domain::scope::AuditScope;
use crate::domain::time::{Date, Timestamp};

thread_local!(static IS_INSIDE: Cell<bool> = const { Cell::new(false) });

/// The event in [`Event::OfResult`], which is no such event itself: without end in each other they would use up the stack of whoever reads them.
fn told_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<Event>, D::Error> {
    if IS_INSIDE.replace(true) {
        return Err(D::Error::custom("an event of a result is in another one"));
    }
    let event = Box::deserialize(deserializer);
    IS_INSIDE.set(false);
    event
}

/// HMAC-SHA256 of a message's canonical content under the sender's salt.
pub type ContentCommit = [u8; 32];

/// What every acceptance holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// From the certificate.
    pub sender: ParticipantId,
    /// Label of the key that sent it.
    pub key_label: String,
    /// The sender's own handle.
    pub message_id: MessageId,
    /// Compares retries, proves content to whoever has salt and content.
    pub content_commit: ContentCommit,
    /// Derived, never chosen by a field.
    pub recipient: ParticipantId,
    /// The case.
    pub case_ref: CaseRef,
    /// The requisition, where there is one.
    pub requisition_id: Option<RequisitionId>,
    /// The message that this one replaces or withdraws: its id and log index.
    pub replaces: Option<(MessageId, u64)>,
}

/// One of the closed withdrawal reasons, as its number in the protocol's enum of the kind.
pub type WithdrawalCode = u16;

/// Everything that can happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The first record of a log. A log that follows another names its last known checkpoint.
    LogOpened {
        /// Origin of the log.
        origin: String,
        /// The signed checkpoint of the log before, if any.
        previous_checkpoint: Option<String>,
    },
    /// The gateway runs; durable before it serves.
    Started {
        /// The program's version.
        version: String,
        /// Real numbers or synthetic ones.
        test_mode: bool,
    },
    /// A clean stop.
    Stopped,
    /// A participant register is in force from here.
    RegisterLoaded {
        /// One more than the last.
        generation: u64,
        /// SHA-256 of the file.
        digest: [u8; 32],
        /// Its entries, so that a restart knows the register that was in force.
        participants: Vec<Participant>,
    },
    /// A condition notice was accepted.
    NoticeAccepted {
        /// Who, what, to whom.
        acceptance: Acceptance,
        /// What later messages are checked against; nothing of the person.
        facts: Box<NoticeFacts>,
        /// Keyed commitment to the person's number: compares a replacement's subject.
        subject_commit: [u8; 32],
        /// The unit that is no longer addressed and gets a withdrawal with this reason.
        moved_from: Option<(ParticipantId, WithdrawalCode)>,
    },
    /// A notice was withdrawn by its sender.
    NoticeWithdrawn {
        /// Who, what, to whom.
        acceptance: Acceptance,
        /// Why.
        reason: WithdrawalCode,
    },
    /// A non-attendance report was accepted.
    ReportAccepted {
        /// Who, what, to whom.
        acceptance: Acceptance,
        /// What corrections are checked against.
        facts: ReportFacts,
    },
    /// A report was withdrawn by its sender.
    ReportWithdrawn {
        /// Who, what, to whom.
        acceptance: Acceptance,
        /// Why.
        reason: WithdrawalCode,
    },
    /// A laboratory result was accepted.
    ResultAccepted {
        /// Who, what, to whom.
        acceptance: Acceptance,
        /// What corrections are checked against.
        facts: ResultFacts,
    },
    /// A result was withdrawn by its sender.
    ResultWithdrawn {
        /// Who, what, to whom.
        acceptance: Acceptance,
        /// Why.
        reason: WithdrawalCode,
    },
    /// `validate_only`: the answer a real send would have had; nothing else is kept.
    Validated {
        /// Who asked.
        caller: ParticipantId,
        /// With which key.
        key_label: String,
        /// What was checked.
        kind: MessageKind,
    },
    /// An item goes to a reader; durable before the bytes leave, once per item and reader.
    HandedOut {
        /// Whose mailbox.
        recipient: ParticipantId,
        /// With which key.
        key_label: String,
        /// The reader's own id.
        reader: String,
        /// What.
        item: ItemNumber,
        /// Case of the item.
        case_ref: CaseRef,
        /// Who sent it.
        sender: ParticipantId,
        /// The sender's handle.
        message_id: MessageId,
    },
    /// The recipient has it in its own store; its content is erased from here on.
    Acknowledged {
        /// Whose mailbox.
        recipient: ParticipantId,
        /// With which key.
        key_label: String,
        /// What.
        item: ItemNumber,
        /// Case of the item.
        case_ref: CaseRef,
        /// Who sent it.
        sender: ParticipantId,
        /// The sender's handle.
        message_id: MessageId,
    },
    /// A unit gave a notice back.
    NoticeReturned {
        /// The unit.
        unit: ParticipantId,
        /// With which key.
        key_label: String,
        /// Which notice.
        item: ItemNumber,
        /// The case.
        case_ref: CaseRef,
        /// Who sent it.
        sender: ParticipantId,
        /// The sender's handle.
        message_id: MessageId,
        /// `NoticeReturnReason`, as its number.
        reason: WithdrawalCode,
    },
    /// Not acknowledged within its time; still deliverable.
    Overdue {
        /// What.
        item: ItemNumber,
        /// Case of the item.
        case_ref: CaseRef,
        /// Who sent it.
        sender: ParticipantId,
        /// The sender's handle.
        message_id: MessageId,
        /// Who has not acknowledged.
        recipient: ParticipantId,
    },
    /// A case is over; its state is erased, what is undelivered has ended.
    CaseEnded {
        /// The case.
        case_ref: CaseRef,
        /// The prosecution that set the condition.
        prosecution: ParticipantId,
    },
    /// Content that nobody acknowledged until its case ended; follows [`Event::CaseEnded`].
    EndedUndelivered {
        /// What.
        item: ItemNumber,
        /// The case.
        case_ref: CaseRef,
        /// Who sent it.
        sender: ParticipantId,
        /// The sender's handle.
        message_id: MessageId,
        /// Who did not fetch it.
        recipient: ParticipantId,
    },
    /// What was left of an ended case is forgotten.
    CaseForgotten {
        /// The case.
        case_ref: CaseRef,
    },
    /// Acknowledged content, its keys and its files are gone from disk.
    ContentErased {
        /// Messages whose content went.
        messages: u64,
    },
    /// The same as [`Event::MonthErased`], as earlier versions told it: with how many really went, which shows what holds kept.
    RecordsErased {
        /// First day of the month.
        month: Date,
        /// Records that were erased: those in it but for what holds keep.
        records: u64,
    },
    /// An enrolled participant was refused.
    Refused {
        /// Who.
        caller: ParticipantId,
        /// With which key.
        key_label: String,
        /// Which call.
        verb: u16,
        /// Number of the reason.
        reason: u16,
        /// The message id it named, if it named one.
        message_id: Option<MessageId>,
    },
    /// Refusals beyond the bucket: one event per participant, reason and minute.
    RefusalsSummed {
        /// Who.
        caller: ParticipantId,
        /// Number of the reason.
        reason: u16,
        /// Start of the minute.
        minute: Timestamp,
        /// How many.
        count: u64,
    },
    /// Calls from a certificate that is no participant's, or failed handshakes: one event per reason and minute.
    StrangersRefused {
        /// Stable code of the reason.
        reason: String,
        /// Start of the minute.
        minute: Timestamp,
        /// How many.
        count: u64,
    },
    /// A municipality's unit set its own contact.
    ContactSet {
        /// The unit.
        unit: ParticipantId,
        /// With which key.
        key_label: String,
        /// What stands there now.
        contact: Contact,
    },
    /// An auditor asked; durable before the first row.
    AuditRead {
        /// Who.
        auditor: ParticipantId,
        /// With which key.
        key_label: String,
        /// Which call.
        verb: u16,
        /// The case that was asked for, if one was.
        case_ref: Option<CaseRef>,
        /// The participant that was asked for, if one was.
        participant: Option<ParticipantId>,
    },
    /// An auditor asked a question, searched, followed a case or took an export; durable before the first row, once a query.
    AuditAsked {
        /// Who.
        auditor: ParticipantId,
        /// With which key: one key, one reader.
        key_label: String,
        /// Which call.
        verb: u16,
        /// For what.
        asked: Box<Asked>,
    },
    /// An auditor states that it has reviewed a period (politiregisterforskriften § 40-13).
    Reviewed {
        /// Who.
        auditor: ParticipantId,
        /// With which key.
        key_label: String,
        /// First day, in Oslo.
        from: Date,
        /// Last day, in Oslo.
        to: Date,
    },
    /// Stands where an entry of the log before was lost, or may have been, so that its number is never used again.
    EntryLost,
    /// The scopes of the auditors in the register that was just loaded; follows [`Event::RegisterLoaded`].
    ScopesLoaded {
        /// The register's generation.
        generation: u64,
        /// Of each auditor that has one.
        scopes: Vec<(ParticipantId, AuditScope)>,
    },
    /// A hand-out, an acknowledgement, or what time did, of a laboratory's result: the same kind as the event inside, with texts that a
    /// laboratory may be shown.
    OfResult {
        /// The requisition, by which the laboratory knows the case.
        requisition_id: RequisitionId,
        /// What happened.
        #[serde(deserialize_with = "told_once")]
        event: Box<Event>,
    },
    /// Certificates, trust anchors and revocation lists are in force from here.
    TrustLoaded {
        /// SHA-256 of one line for each file, `<kind> <its SHA-256>`, in the order of the configuration; the private key has none.
        digest: [u8; 32],
    },
    /// A file that was to be read anew is not in force; what was in force stays. One event for each new content and at most one a minute and file.
    ReloadFailed {
        /// Which.
        file: ReloadedFile,
        /// Why.
        fault: ReloadFault,
        /// SHA-256 of the file, if it could be read and is no secret.
        digest: Option<[u8; 32]>,
        /// Different bad contents since the last such event, this one included.
        contents: u64,
    },
    /// The same as [`Event::TookOver`], as earlier versions told it: with how much passed on, which not every auditor may know.
    Succeeded {
        /// The register's generation.
        generation: u64,
        /// Who is retired.
        predecessor: ParticipantId,
        /// The last of its successors: one that is not retired.
        successor: ParticipantId,
        /// Undelivered items that changed their mailbox.
        items: u64,
        /// Cases that are not over and changed their party.
        cases: u64,
    },
    /// A legal hold is on a case from here, or has other terms: its records outlive their months.
    HoldPlaced {
        /// The auditor.
        auditor: ParticipantId,
        /// With which key.
        key_label: String,
        /// On which case.
        case: HeldCase,
        /// Why.
        reason: HoldReason,
        /// The last day, in Oslo.
        until: Date,
        /// What lets it last beyond the lawful maximum, where the configuration names it.
        ground: Option<HoldGround>,
    },
    /// An auditor lifted a hold before its end.
    HoldLifted {
        /// The auditor.
        auditor: ParticipantId,
        /// With which key.
        key_label: String,
        /// On which case.
        case: HeldCase,
    },
    /// The last day of a hold is over.
    HoldEnded {
        /// On which case.
        case: HeldCase,
    },
    /// Copies of a held case's records are gone from disk, with the key of their file.
    HeldErased {
        /// Of which case.
        case: HeldCase,
        /// Records that were erased: those whose months had gone before. What stands in its month still is erased with it.
        records: u64,
    },
    /// What a retired participant had is its successor's from here: mailbox, cases, and the right to its messages; follows
    /// [`Event::RegisterLoaded`]. It names two organisations and counts nothing, so that whoever judges by it may read it.
    TookOver {
        /// The register's generation.
        generation: u64,
        /// Who is retired.
        predecessor: ParticipantId,
        /// The last of its successors: one that is not retired.
        successor: ParticipantId,
    },
    /// A month of records is gone from disk. What holds keep of it stands in files of their own; that this tells nothing of it, anyone may read it.
    MonthErased {
        /// First day of the month.
        month: Date,
        /// Log index of its first entry.
        from: u64,
        /// One past that of its last.
        to: u64,
    },
}

/// When an event must be on stable storage, seen from its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    /// The event is on disk before its effect leaves the gateway.
    Before,
    /// Event and effect are one frame: both or neither.
    With,
    /// The effect has happened outside; the event follows.
    After,
}

/// Who may see an event's record besides auditors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Auditors only.
    Auditors,
    /// The participant that acted.
    Actor,
    /// The sender of the message it is about, as the message's status.
    Sender,
}

/// One row of the table of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow {
    /// Stable number.
    pub number: u16,
    /// Stable name.
    pub name: &'static str,
    /// When it is durable.
    pub durable: Durable,
    /// Who sees it besides auditors.
    pub seen: Seen,
}

const fn row(number: u16, name: &'static str, durable: Durable, seen: Seen) -> EventRow {
    EventRow { number, name, durable, seen }
}

/// Every kind of event. A number is never given out twice.
pub const TABLE: [EventRow; 36] = [
    row(kind::LOG_OPENED, "LOG_OPENED", Durable::Before, Seen::Auditors),
    row(kind::STARTED, "STARTED", Durable::Before, Seen::Auditors),
    row(kind::STOPPED, "STOPPED", Durable::Before, Seen::Auditors),
    row(kind::REGISTER_LOADED, "REGISTER_LOADED", Durable::With, Seen::Auditors),
    row(kind::NOTICE_ACCEPTED, "NOTICE_ACCEPTED", Durable::With, Seen::Actor),
    row(kind::NOTICE_WITHDRAWN, "NOTICE_WITHDRAWN", Durable::With, Seen::Actor),
    row(kind::REPORT_ACCEPTED, "REPORT_ACCEPTED", Durable::With, Seen::Actor),
    row(kind::REPORT_WITHDRAWN, "REPORT_WITHDRAWN", Durable::With, Seen::Actor),
    row(kind::RESULT_ACCEPTED, "RESULT_ACCEPTED", Durable::With, Seen::Actor),
    row(kind::RESULT_WITHDRAWN, "RESULT_WITHDRAWN", Durable::With, Seen::Actor),
    row(kind::VALIDATED, "VALIDATED", Durable::Before, Seen::Actor),
    row(kind::HANDED_OUT, "HANDED_OUT", Durable::Before, Seen::Sender),
    row(kind::ACKNOWLEDGED, "ACKNOWLEDGED", Durable::With, Seen::Sender),
    row(kind::NOTICE_RETURNED, "NOTICE_RETURNED", Durable::With, Seen::Sender),
    row(kind::OVERDUE, "OVERDUE", Durable::With, Seen::Sender),
    row(kind::CASE_ENDED, "CASE_ENDED", Durable::With, Seen::Auditors),
    row(kind::ENDED_UNDELIVERED, "ENDED_UNDELIVERED", Durable::With, Seen::Sender),
    row(kind::CASE_FORGOTTEN, "CASE_FORGOTTEN", Durable::With, Seen::Auditors),
    row(kind::CONTENT_ERASED, "CONTENT_ERASED", Durable::After, Seen::Auditors),
    row(kind::RECORDS_ERASED, "RECORDS_ERASED", Durable::After, Seen::Auditors),
    row(kind::REFUSED, "REFUSED", Durable::Before, Seen::Actor),
    row(kind::REFUSALS_SUMMED, "REFUSALS_SUMMED", Durable::After, Seen::Auditors),
    row(kind::STRANGERS_REFUSED, "STRANGERS_REFUSED", Durable::After, Seen::Auditors),
    row(kind::CONTACT_SET, "CONTACT_SET", Durable::With, Seen::Actor),
    row(kind::AUDIT_READ, "AUDIT_READ", Durable::Before, Seen::Auditors),
    row(kind::AUDIT_ASKED, "AUDIT_ASKED", Durable::Before, Seen::Auditors),
    row(kind::REVIEWED, "REVIEWED", Durable::With, Seen::Auditors),
    row(kind::ENTRY_LOST, "ENTRY_LOST", Durable::Before, Seen::Auditors),
    row(kind::SCOPES_LOADED, "SCOPES_LOADED", Durable::With, Seen::Auditors),
    row(kind::TRUST_LOADED, "TRUST_LOADED", Durable::After, Seen::Auditors),
    row(kind::RELOAD_FAILED, "RELOAD_FAILED", Durable::After, Seen::Auditors),
    row(kind::SUCCEEDED, "SUCCEEDED", Durable::With, Seen::Auditors),
    row(kind::HOLD_PLACED, "HOLD_PLACED", Durable::With, Seen::Auditors),
    row(kind::HOLD_LIFTED, "HOLD_LIFTED", Durable::With, Seen::Auditors),
    row(kind::HOLD_ENDED, "HOLD_ENDED", Durable::With, Seen::Auditors),
    row(kind::HELD_ERASED, "HELD_ERASED", Durable::After, Seen::Auditors),
];

impl Event {
    /// The table's row for this event.
    #[must_use]
    pub fn row(&self) -> EventRow {
        let at: usize = match self {
            Self::LogOpened { .. } => 0,
            Self::Started { .. } => 1,
            Self::Stopped => 2,
            Self::RegisterLoaded { .. } => 3,
            Self::NoticeAccepted { .. } => 4,
            Self::NoticeWithdrawn { .. } => 5,
            Self::ReportAccepted { .. } => 6,
            Self::ReportWithdrawn { .. } => 7,
            Self::ResultAccepted { .. } => 8,
            Self::ResultWithdrawn { .. } => 9,
            Self::Validated { .. } => 10,
            Self::HandedOut { .. } => 11,
            Self::Acknowledged { .. } => 12,
            Self::NoticeReturned { .. } => 13,
            Self::Overdue { .. } => 14,
            Self::CaseEnded { .. } => 15,
            Self::EndedUndelivered { .. } => 16,
            Self::CaseForgotten { .. } => 17,
            Self::ContentErased { .. } => 18,
            Self::RecordsErased { .. } | Self::MonthErased { .. } => 19,
            Self::Refused { .. } => 20,
            Self::RefusalsSummed { .. } => 21,
            Self::StrangersRefused { .. } => 22,
            Self::ContactSet { .. } => 23,
            Self::AuditRead { .. } => 24,
            Self::AuditAsked { .. } => 25,
            Self::Reviewed { .. } => 26,
            Self::EntryLost => 27,
            Self::ScopesLoaded { .. } => 28,
            Self::TrustLoaded { .. } => 29,
            Self::ReloadFailed { .. } => 30,
            Self::Succeeded { .. } | Self::TookOver { .. } => 31,
            Self::HoldPlaced { .. } => 32,
            Self::HoldLifted { .. } => 33,
            Self::HoldEnded { .. } => 34,
            Self::HeldErased { .. } => 35,
            Self::OfResult { event, .. } => return event.row(),
        };
        TABLE[at]
    }

    /// The acceptance in it, if it is one.
    #[must_use]
    pub const fn acceptance(&self) -> Option<&Acceptance> {
        match self {
            Self::NoticeAccepted { acceptance, .. }
            | Self::NoticeWithdrawn { acceptance, .. }
            | Self::ReportAccepted { acceptance, .. }
            | Self::ReportWithdrawn { acceptance, .. }
            | Self::ResultAccepted { acceptance, .. }
            | Self::ResultWithdrawn { acceptance, .. } => Some(acceptance),
            _ => None,
        }
    }
}
