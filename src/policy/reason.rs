//! Every reason for a refusal, with its stable number and code.
//!
//! Numbers stand in the log, codes in `google.rpc.ErrorInfo.reason`; neither ever changes meaning or is used again.

use crate::audit::event::{ReloadFault, kind};
use crate::domain::hold::HoldReason;
use crate::domain::reason::{NoticeReturn, NoticeWithdrawal, ReportWithdrawal, ResultWithdrawal};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $code:literal, $advice:literal;)*) => {
        /// Why a call is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// Every reason, by number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Stable number, as it stands in the log.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$name => $number,)* }
            }

            /// Stable code, as it stands in `ErrorInfo.reason`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What the caller can do about it; never repeats content.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }

            /// The reason of a number.
            #[must_use]
            pub const fn of_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

reasons! {
    /// The certificate names no enrolled participant.
    NotEnrolled = 1, "NOT_ENROLLED", "the certificate's organisation number and key are not enrolled; ask the operator to enrol them";
    /// The participant is suspended.
    ParticipantSuspended = 2, "PARTICIPANT_SUSPENDED", "this participant is suspended; ask the operator why";
    /// The role may not make this call.
    CallNotAllowed = 3, "CALL_NOT_ALLOWED", "this role may not make this call; no role may do more than its own service offers";
    /// The participant's key was revoked or taken out of the register while the connection was open.
    IdentityWithdrawn = 4, "IDENTITY_WITHDRAWN", "this key is no longer enrolled or its certificate is revoked; connect again with a valid one";
    /// The participant is retired.
    ParticipantRetired = 5, "PARTICIPANT_RETIRED", "this participant is retired; its successor has its mail, cases and messages, so connect as that one";
    /// The request cannot be read.
    Malformed = 10, "MALFORMED_REQUEST", "the bytes are not this call's request; build them from the published proto files";
    /// The request has fields this protocol version does not know.
    UnknownField = 11, "UNKNOWN_FIELD", "the request has a field that this protocol does not know; only the published fields are relayed";
    /// A singular field stands twice.
    DuplicateField = 12, "DUPLICATE_FIELD", "a field that may stand once stands twice";
    /// Content breaks a rule of its fields.
    ContentInvalid = 13, "CONTENT_INVALID", "correct the fields named in the details and send again with the same message id";
    /// Larger than the bound.
    TooLarge = 14, "REQUEST_TOO_LARGE", "a request is at most 65536 bytes";
    /// Not a canonical lower-case UUIDv7.
    BadMessageId = 15, "BAD_MESSAGE_ID", "message_id is a lower-case UUID version 7";
    /// Salt missing, of wrong length or all zero.
    BadContentSalt = 16, "BAD_CONTENT_SALT", "content_salt is 32 random bytes, kept in the sender's outbox";
    /// Not 18 characters of the alphabet.
    BadReference = 17, "BAD_REFERENCE", "a reference is 18 characters, shown 6-6-6";
    /// Check characters do not fit.
    BadReferenceCheck = 18, "BAD_REFERENCE_CHECK", "the reference's check characters do not fit; read it again from the form";
    /// A field of a call that is no message is out of shape.
    BadArgument = 19, "BAD_ARGUMENT", "correct the fields named in the details";
    /// The call's body is empty.
    BodyMissing = 20, "BODY_MISSING", "set either the content or a withdrawal";
    /// A withdrawal names no message.
    ReplacesMissing = 21, "REPLACES_MISSING", "a withdrawal names the withdrawn message in `replaces`";
    /// Older than 30 days or more than five minutes ahead.
    StaleMessageId = 30, "MESSAGE_ID_STALE", "an unknown message id must be younger than 30 days and at most 5 minutes ahead; check the clock and make a new id";
    /// Same id, other content.
    MessageIdReused = 31, "MESSAGE_ID_REUSED", "this message id was accepted with other content; a correction is a new id with `replaces`";
    /// No unit serves the municipality.
    MunicipalityNotServed = 40, "MUNICIPALITY_NOT_SERVED", "no municipal unit serves this municipality here; use the paper way";
    /// The unit has no contact entry.
    UnitContactMissing = 41, "UNIT_CONTACT_MISSING", "the unit has no current contact entry; ask the municipality to set it";
    /// The named contact is not in the sender's register entry.
    ContactUnknown = 42, "CONTACT_UNKNOWN", "`contact` names no contact of this prosecution in the register";
    /// A laboratory in the order is not enrolled.
    LaboratoryUnknown = 43, "LABORATORY_UNKNOWN", "the order names a laboratory that is not enrolled here";
    /// The decision is later than today.
    DecisionInFuture = 44, "DECISION_IN_FUTURE", "decision_date is later than today in Oslo";
    /// Probation is over already.
    ProbationOver = 45, "PROBATION_OVER", "probation_end and its three months of grace are past";
    /// A laboratory in the order is retired.
    LaboratoryRetired = 46, "LABORATORY_RETIRED", "the order names a laboratory that is retired; name its successor, which LookUp tells";
    /// `replaces` names nothing the caller may replace.
    ReplacesUnknown = 50, "REPLACES_UNKNOWN", "`replaces` names no message of this sender and kind that is known here";
    /// `replaces` names a message that was replaced or withdrawn before.
    ReplacesSettled = 51, "REPLACES_SETTLED", "that message was replaced or withdrawn before; name the newest one";
    /// Another person than in the replaced notice.
    SubjectDiffers = 52, "SUBJECT_DIFFERS", "a replacing notice is about the same person; withdraw the old one and send a new notice";
    /// The correction names another case, requisition, sample or part.
    ReplacesOther = 53, "REPLACES_OTHER", "a correction keeps the case, or the requisition, sample label and part, of what it replaces";
    /// Too many corrections of one case.
    TooManyCorrections = 54, "TOO_MANY_CORRECTIONS", "this case holds as many messages as one case may; talk to the other party";
    /// Another auditor's hold, and the caller does not see the whole log.
    HoldOfAnother = 55, "HOLD_OF_ANOTHER", "another auditor holds this case; ask it, or an auditor of the whole log, to change or lift the hold";
    /// The last day of a hold is today or past.
    HoldEndPast = 56, "HOLD_END_PAST", "a hold ends on a later day than today; name its last day";
    /// The last day of a hold is beyond what is lawful.
    HoldTooLong = 57, "HOLD_TOO_LONG", "no record is held beyond 35 whole months after its month; for more the configuration must name the legal ground";
    /// There is no hold on the case.
    HoldUnknown = 58, "HOLD_UNKNOWN", "there is no hold on this case, or it has ended";
    /// As many holds as there may be.
    TooManyHolds = 59, "TOO_MANY_HOLDS", "as many cases are held as may be; lift a hold that is not needed";
    /// No such reference, or none of the caller's.
    ReferenceUnknown = 60, "REFERENCE_UNKNOWN", "this reference is unknown here; read it again from the notice or the form";
    /// The case is over.
    CaseEnded = 61, "CASE_ENDED", "the case ended three months after probation; nothing more is relayed in it";
    /// The requisition was withdrawn.
    RequisitionWithdrawn = 62, "REQUISITION_WITHDRAWN", "the prosecution withdrew the requisition; do not analyse, destroy the sample by your routine";
    /// Not collected within the order in force that day.
    CollectedOutsidePeriod = 63, "COLLECTED_OUTSIDE_PERIOD", "the sample was not collected within the period of the order";
    /// The matrix was not ordered.
    MatrixNotOrdered = 64, "MATRIX_NOT_ORDERED", "this matrix was not ordered";
    /// A group was not ordered.
    GroupNotOrdered = 65, "GROUP_NOT_ORDERED", "a finding is of a substance group that was not ordered; leave it out";
    /// An ordered group has no finding.
    GroupMissing = 66, "GROUP_MISSING", "every ordered substance group needs at least one finding";
    /// There is a live result for the sample's part.
    ResultExists = 67, "RESULT_EXISTS", "there is a result for this requisition, label and part; a correction names it in `replaces`";
    /// The unit has not acknowledged the notice.
    NoticeNotAcknowledged = 70, "NOTICE_NOT_ACKNOWLEDGED", "acknowledge the notice before reporting on it";
    /// The unit gave the notice back.
    NoticeReturned = 71, "NOTICE_RETURNED", "this unit returned the notice and no longer reports on it";
    /// The notice was withdrawn.
    NoticeWithdrawn = 72, "NOTICE_WITHDRAWN", "the prosecution withdrew the notice";
    /// Another unit is addressed now; only dates before the change.
    UnitChanged = 73, "UNIT_CHANGED", "another unit is addressed since; only missed dates before the change are reported";
    /// The notice has no such part.
    ConditionNotSet = 74, "CONDITION_NOT_SET", "the notice sets no such condition";
    /// A date outside probation.
    DateOutsideProbation = 75, "DATE_OUTSIDE_PROBATION", "a missed date lies outside the probation period";
    /// The item is not in the caller's mailbox.
    ItemUnknown = 80, "ITEM_UNKNOWN", "this item was never handed out to this participant, or its case is over";
    /// Not a notice, or settled.
    NotReturnable = 81, "NOT_RETURNABLE", "only a notice that still stands can be returned";
    /// No such message of the caller's.
    MessageUnknown = 82, "MESSAGE_UNKNOWN", "no message of this sender with this id is known here, or its records are erased";
    /// Nothing at that place in the log.
    EntryUnknown = 83, "ENTRY_UNKNOWN", "there is no such entry in the log, or it is closed to this auditor or erased";
    /// The record is erased; the leaf stands.
    RecordErased = 84, "RECORD_ERASED", "this record was erased by its retention rule; its leaf still stands in the log";
    /// The cursor is ahead of the gateway's version.
    CursorAhead = 85, "CURSOR_AHEAD", "the cursor is ahead of this gateway; start again from 0";
    /// A suspended or unknown counterpart.
    ParticipantUnknown = 86, "PARTICIPANT_UNKNOWN", "there is no such counterpart of this participant";
    /// A review of days that are not over, or of none.
    PeriodNotOver = 87, "PERIOD_NOT_OVER", "a reviewed period is whole days in Oslo, the last not before the first and over before today";
    /// More to look through than one answer may.
    PeriodTooLong = 88, "PERIOD_TOO_LONG", "this period holds more than one answer can be made of; ask for a shorter one";
    /// A review of days of which nothing is kept.
    PeriodBeforeRecords = 89, "PERIOD_BEFORE_RECORDS", "the period begins before the first record that is kept; begin it with the day of that record";
    /// Too many calls.
    RateLimited = 90, "RATE_LIMITED", "too many calls; wait as long as RetryInfo says";
    /// Too many wrong references.
    ReferencesLimited = 91, "REFERENCE_RATE_LIMITED", "too many unknown references; wait as long as RetryInfo says and check where they come from";
    /// Too many streams or readers.
    TooManyStreams = 92, "TOO_MANY_STREAMS", "this participant has as many open streams or readers as it may; close one";
    /// Below the low-water mark.
    StorageFull = 93, "STORAGE_FULL", "the gateway's disk is nearly full; acknowledgements go on, sending waits for the operator";
    /// Shutting down or not yet serving.
    Unavailable = 94, "UNAVAILABLE", "the gateway is starting or stopping; try again with the same message id";
    /// The deadline passed before the answer was durable.
    DeadlineExceeded = 95, "DEADLINE_EXCEEDED", "the deadline passed; the outcome is unknown: send again with the same message id and get the same receipt";
    /// Overloaded.
    Overloaded = 96, "OVERLOADED", "the gateway is at its bounds; wait as long as RetryInfo says and send again with the same message id";
    /// A fault of the gateway.
    Internal = 97, "INTERNAL", "a fault of the gateway; the operator sees it; try again with the same message id";
    /// No such call.
    Unimplemented = 98, "UNIMPLEMENTED", "there is no such call; exactly three messages are relayed";
    /// Another reader's stream took over.
    StreamTakenOver = 99, "STREAM_TAKEN_OVER", "a newer stream with the same reader_id took over; let only one run";
    /// What an answer needs cannot be read as it was written.
    DataDamaged = 100, "DATA_DAMAGED", "the gateway's own data is damaged where this answer needs it; ask the operator to stop the gateway, run `samband audit fsck DATA_DIR --storage-key FILE`, which names file and place, and bring back the newest copy; ask again after that, and send no message anew for it; a mailbox is read again as ever, all else in it is handed out";
    /// Too many calls at work.
    TooManyCalls = 110, "TOO_MANY_CALLS", "this participant has as many calls at work as it may; wait for an answer, then send the next";
    /// Too many bytes of requests at work.
    TooManyBytes = 111, "TOO_MANY_BYTES", "this participant's requests at work hold as many bytes as they may; wait for answers, then send again with the same message id";
    /// The recipient has not fetched what it has.
    MailboxFull = 112, "MAILBOX_FULL", "the recipient's mailbox is full until it acknowledges; keep the message and send it again with the same message id";
    /// Compressed requests are not read.
    CompressionNotOffered = 113, "COMPRESSION_NOT_OFFERED", "requests are sent uncompressed: grpc-encoding is identity and the compressed flag is 0";
    /// Not a gRPC request at all.
    NotGrpc = 114, "NOT_GRPC", "a call is a POST with content-type application/grpc over HTTP/2; use a gRPC library";
    /// A second message in a call that takes one.
    OneMessageOnly = 115, "ONE_MESSAGE_ONLY", "a call takes exactly one request message; make a call for each";
    /// A browser was made to ask by a page of another site.
    AnotherSite = 116, "ANOTHER_SITE", "a page of another site made the browser ask; open the page itself, or follow a link to it";
}

impl Reason {
    /// Whether the gateway or the line was at its bounds, or the bytes were no call; the others are a rule's no. Bounds are summed by the minute.
    #[must_use]
    pub const fn is_a_bound(self) -> bool {
        matches!(self.number(), 90..=100 | 110..=119)
    }

    /// Whether it answers "who tried what was forbidden?": the caller had no right to the call, or named what is not its own. What is another's and
    /// what is not there are refused alike, so the log cannot tell them apart either, and both count.
    #[must_use]
    pub const fn is_forbidden(self) -> bool {
        match self {
            // Nobody of that certificate has a right to any call.
            Self::NotEnrolled => true,
            // Its rights rest, and it called all the same.
            Self::ParticipantSuspended => true,
            // Its rights are its successor's.
            Self::ParticipantRetired => true,
            // The call is another role's.
            Self::CallNotAllowed => true,
            // The key speaks for nobody any more.
            Self::IdentityWithdrawn => true,
            // `replaces` names no message of the caller's: another's, or none.
            Self::ReplacesUnknown => true,
            // The hold is another auditor's to change.
            Self::HoldOfAnother => true,
            // The case is outside the auditor's scope, or not held.
            Self::HoldUnknown => true,
            // The case or requisition is another's, or none.
            Self::ReferenceUnknown => true,
            // The item is in another's mailbox, or in none.
            Self::ItemUnknown => true,
            // The message is another's, or none.
            Self::MessageUnknown => true,
            // The entry is closed to the auditor, or not there.
            Self::EntryUnknown => true,
            // So many references that are not the caller's that it looks like guessing.
            Self::ReferencesLimited => true,
            // What was sent is out of form: a fault of a system, whoever's the case is.
            Self::Malformed
            | Self::UnknownField
            | Self::DuplicateField
            | Self::ContentInvalid
            | Self::TooLarge
            | Self::BadMessageId
            | Self::BadContentSalt
            | Self::BadReference
            | Self::BadReferenceCheck
            | Self::BadArgument
            | Self::BodyMissing
            | Self::ReplacesMissing
            | Self::CompressionNotOffered
            | Self::NotGrpc
            | Self::OneMessageOnly => false,
            // Not the reader's doing, but that of a page that it looked at.
            Self::AnotherSite => false,
            // There is no such call, so there is no right to it to lack.
            Self::Unimplemented => false,
            // The id is too old or taken by the caller itself: a retry that went wrong.
            Self::StaleMessageId | Self::MessageIdReused => false,
            // The register lacks somebody: who is in it is no secret, and a sender asks in good faith.
            Self::MunicipalityNotServed
            | Self::UnitContactMissing
            | Self::ContactUnknown
            | Self::LaboratoryUnknown
            | Self::LaboratoryRetired
            | Self::ParticipantUnknown => false,
            // A date that cannot be, of the caller's own decision.
            Self::DecisionInFuture | Self::ProbationOver => false,
            // The message that is replaced is the caller's own, and cannot be replaced so.
            Self::ReplacesSettled | Self::SubjectDiffers | Self::ReplacesOther | Self::TooManyCorrections => false,
            // The hold is the caller's to place, on other terms.
            Self::HoldEndPast | Self::HoldTooLong | Self::TooManyHolds => false,
            // The caller is a party of the case, and it is over.
            Self::CaseEnded => false,
            // The laboratory was asked by the order, and what it sends does not fit it.
            Self::RequisitionWithdrawn
            | Self::CollectedOutsidePeriod
            | Self::MatrixNotOrdered
            | Self::GroupNotOrdered
            | Self::GroupMissing
            | Self::ResultExists => false,
            // The unit is or was a party of the case, and its report does not fit where the notice stands.
            Self::NoticeNotAcknowledged
            | Self::NoticeReturned
            | Self::NoticeWithdrawn
            | Self::UnitChanged
            | Self::ConditionNotSet
            | Self::DateOutsideProbation => false,
            // The item is the caller's own, and settled or no notice.
            Self::NotReturnable => false,
            // The record was the caller's to see, and lived out its time.
            Self::RecordErased => false,
            // A place or period that gives no answer, whoever asks.
            Self::CursorAhead | Self::PeriodNotOver | Self::PeriodTooLong | Self::PeriodBeforeRecords => false,
            // Too much at once of what the caller may do.
            Self::RateLimited | Self::TooManyStreams | Self::TooManyCalls | Self::TooManyBytes | Self::Overloaded => false,
            // Another's doing, or the gateway's.
            Self::MailboxFull
            | Self::StorageFull
            | Self::Unavailable
            | Self::DeadlineExceeded
            | Self::Internal
            | Self::DataDamaged
            | Self::StreamTakenOver => false,
        }
    }
}

/// The word for the reason in a record: withdrawals, returns, holds and failed reloads have lists of their own, all others are a refusal's.
#[must_use]
pub fn reason_word(kind: u16, number: u16) -> Option<&'static str> {
    match kind {
        kind::NOTICE_WITHDRAWN => NoticeWithdrawal::of_number(number).map(NoticeWithdrawal::as_str),
        kind::REPORT_WITHDRAWN => ReportWithdrawal::of_number(number).map(ReportWithdrawal::as_str),
        kind::RESULT_WITHDRAWN => ResultWithdrawal::of_number(number).map(ResultWithdrawal::as_str),
        kind::NOTICE_RETURNED => NoticeReturn::of_number(number).map(NoticeReturn::as_str),
        kind::RELOAD_FAILED => ReloadFault::of_number(number).map(ReloadFault::as_str),
        kind::HOLD_PLACED => HoldReason::of_number(number).map(HoldReason::as_str),
        _ => Reason::of_number(number).map(Reason::code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_a_word_of_its_kind_s_own_list() {
        for (kind, number, word) in [
            (kind::NOTICE_WITHDRAWN, 4, "SUBJECT_MOVED"),
            (kind::REPORT_WITHDRAWN, 2, "WRONG_CASE"),
            (kind::RESULT_WITHDRAWN, 3, "ANALYSIS_ERROR"),
            (kind::NOTICE_RETURNED, 1, "NOT_STAYING_HERE"),
            (kind::RELOAD_FAILED, 3, "malformed"),
            // Read through the list of refusals, a complaint was a suspended participant.
            (kind::HOLD_PLACED, 2, "COMPLAINT"),
            (kind::REFUSED, 3, "CALL_NOT_ALLOWED"),
            (kind::REFUSALS_SUMMED, 90, "RATE_LIMITED"),
        ] {
            assert_eq!(reason_word(kind, number), Some(word));
        }
        for kind in [11, 13, 15, 22, 8, 63, 40] {
            assert_eq!(reason_word(kind, 999), None);
        }
    }

    #[test]
    fn the_question_of_what_was_forbidden_counts_what_is_decided_here() {
        for reason in Reason::ALL {
            assert_eq!(crate::audit::question::is_forbidden(reason.number()), reason.is_forbidden(), "{}", reason.code());
        }
        for number in (0..=u16::MAX).filter(|number| Reason::of_number(*number).is_none()) {
            assert!(!crate::audit::question::is_forbidden(number), "{number} is no reason");
        }
    }

    #[test]
    fn numbers_and_codes_are_unique_and_numbers_lead_back() {
        let mut codes = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            assert_eq!(Reason::of_number(reason.number()), Some(*reason));
            assert!(codes.insert(reason.code()), "{} stands twice", reason.code());
        }
    }
}
