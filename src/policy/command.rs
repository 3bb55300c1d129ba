//! What a store can be asked to decide: business acts, parsed and permitted.

use super::case::IdEntry;
use super::permit::{Caller, Permit};
use super::reason::Reason;
use super::table::Verb;
use crate::audit::event::{Asked, ContentCommit, Event, ItemNumber, MessageKind, WithdrawalCode};
use crate::domain::hold::{HeldCase, HoldGround, HoldReason};
use crate::domain::id::{CaseRef, MessageId, RequisitionId};
use crate::domain::notice::ConditionNotice;
use crate::domain::participant::{Contact, Register};
use crate::domain::report::ReportFacts;
use crate::domain::result::ResultFacts;
use crate::domain::sensitive::Content;
use crate::domain::time::Date;

/// The content of a message, or the withdrawal of one.
#[derive(Debug)]
pub enum Body {
    /// A notice.
    Notice(Box<ConditionNotice>),
    /// A report.
    Report(ReportFacts),
    /// A result.
    Result(ResultFacts),
    /// A withdrawal of the message named in `replaces`.
    Withdrawal(WithdrawalCode),
    /// What breaks a rule that it can be checked against alone. It is never accepted; but the same may have been, by another day or another rule.
    Unfit,
}

/// What the records say of an id that the state does not know and may have forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Searched {
    /// They were not asked, or no longer hold all that would tell.
    #[default]
    Unknown,
    /// It was never accepted.
    Never,
    /// It was.
    Accepted(IdEntry),
}

/// A message as it came, parsed.
#[derive(Debug)]
pub struct Submission {
    /// Which of the three.
    pub kind: MessageKind,
    /// The sender's handle.
    pub message_id: MessageId,
    /// HMAC of the canonical content under the sender's salt.
    pub commit: ContentCommit,
    /// The message that is replaced or withdrawn.
    pub replaces: Option<MessageId>,
    /// Only answer as if.
    pub validate_only: bool,
    /// The content or a withdrawal.
    pub body: Body,
    /// Canonical content, to be sealed; empty for a withdrawal.
    pub canonical: Content,
    /// So many items may wait for the recipient; a new message beyond them is refused.
    pub mailbox_items_max: usize,
    /// The store's to fill where it has to ask its records.
    pub searched: Searched,
}

impl Submission {
    /// The requisition or case that the content names.
    #[must_use]
    pub fn reference(&self) -> Reference {
        match &self.body {
            Body::Report(facts) => Reference::Case(facts.case_ref),
            Body::Result(facts) => Reference::Requisition(facts.requisition_id),
            Body::Notice(_) | Body::Withdrawal(_) | Body::Unfit => Reference::None,
        }
    }
}

/// What a submission points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// Nothing but, perhaps, a message it replaces.
    None,
    /// A case.
    Case(CaseRef),
    /// A requisition.
    Requisition(RequisitionId),
}

/// A business act.
#[derive(Debug)]
pub enum Command {
    /// Send, correct or withdraw a message.
    Submit {
        /// For this call and content.
        permit: Permit,
        /// The message.
        submission: Box<Submission>,
    },
    /// Items go to a reader; those it had before make no new event.
    HandOut {
        /// For the receive call.
        permit: Permit,
        /// The reader's own id.
        reader: String,
        /// What.
        items: Vec<ItemNumber>,
    },
    /// Items are in the recipient's own store.
    Acknowledge {
        /// For the acknowledge call.
        permit: Permit,
        /// What.
        items: Vec<ItemNumber>,
    },
    /// A unit gives a notice back.
    Return {
        /// For the return call.
        permit: Permit,
        /// Which.
        item: ItemNumber,
        /// Number of `NoticeReturnReason`.
        reason: WithdrawalCode,
    },
    /// A unit sets its own contact.
    SetContact {
        /// For the call.
        permit: Permit,
        /// Checked.
        contact: Contact,
    },
    /// An auditor's question, to be durable before its answer.
    Audit {
        /// For the call.
        permit: Permit,
        /// The case asked for.
        case_ref: Option<CaseRef>,
        /// The participant asked for.
        participant: Option<crate::domain::id::ParticipantId>,
    },
    /// An auditor's query, to be durable before its first row.
    Ask {
        /// For the call.
        permit: Permit,
        /// For what.
        asked: Asked,
    },
    /// An auditor states that it has reviewed a period.
    Review {
        /// For the call.
        permit: Permit,
        /// First day, in Oslo.
        from: Date,
        /// Last day, in Oslo; not before the first and not after today.
        to: Date,
    },
    /// An auditor holds a case's records, or changes the terms of a hold.
    PlaceHold {
        /// For the call.
        permit: Permit,
        /// Which case, with what its records tell of its parties.
        case: HeldCase,
        /// Why.
        reason: HoldReason,
        /// The last day, in Oslo.
        until: Date,
        /// Day of the case's oldest record, in Oslo; none where that cannot be told.
        oldest: Option<Date>,
        /// What lets it last beyond the lawful maximum: the configuration's, never the caller's. It is borne by what needs it only.
        ground: Option<HoldGround>,
    },
    /// An auditor ends a hold.
    LiftHold {
        /// For the call.
        permit: Permit,
        /// On which case.
        case_ref: CaseRef,
    },
    /// The last day of a hold is over.
    EndHold {
        /// On which case.
        case_ref: CaseRef,
    },
    /// An enrolled participant was refused.
    Refuse {
        /// Who.
        caller: Caller,
        /// Which call.
        verb: Verb,
        /// Why.
        reason: Reason,
        /// The message id it named.
        message_id: Option<MessageId>,
    },
    /// A register comes into force.
    LoadRegister {
        /// Checked; its generation is one more than the one in force.
        register: Register,
        /// SHA-256 of the file.
        digest: [u8; 32],
    },
    /// An undelivered item is past its time.
    MarkOverdue {
        /// Which.
        item: ItemNumber,
    },
    /// A case is over.
    EndCase {
        /// Which.
        case_ref: CaseRef,
    },
    /// What is left of an ended case goes.
    ForgetCase {
        /// Which.
        case_ref: CaseRef,
    },
    /// Something the gateway itself did: started, stopped, erased, summed.
    Note(Event),
}
