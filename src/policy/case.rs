//! What the gateway remembers of a case and its messages while the case lives. Never subject, name, age or contact of the person.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::audit::event::{ContentCommit, ItemNumber, MessageKind, WithdrawalCode};
use crate::domain::control::ControlFacts;
use crate::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use crate::domain::label::SampleLabel;
use crate::domain::limits::CASE_GRACE_MONTHS;
use crate::domain::notice::NoticeFacts;
use crate::domain::sample::SamplePart;
use crate::domain::time::{Date, Timestamp, plus_months};

/// What a result is about, within its requisition: label and part.
pub type SampleKey = (SampleLabel, SamplePart);

/// An accepted id: what a retry is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdEntry {
    /// Log index of the acceptance.
    pub index: u64,
    /// Commitment to its canonical content.
    pub commit: ContentCommit,
}

/// One notice of a case, in the order of acceptance; the last one is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeVersion {
    /// Log index of its acceptance.
    pub index: u64,
    /// The unit it went to, fixed at acceptance, or its successor.
    pub unit: ParticipantId,
    /// Date of acceptance in Oslo.
    pub accepted_on: Date,
    /// What later messages are checked against.
    pub facts: NoticeFacts,
    /// The unit has it in its own store.
    pub acknowledged: bool,
    /// The unit gave it back.
    pub returned: bool,
}

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseState {
    /// The newest notice stands.
    Open,
    /// The prosecution withdrew the newest notice.
    Withdrawn {
        /// Why.
        reason: WithdrawalCode,
        /// When, in Oslo.
        on: Date,
    },
    /// Three months after probation; only who its parties were is still known.
    Ended {
        /// When.
        at: Timestamp,
    },
}

/// A case, opened by an accepted notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its reference.
    pub case_ref: CaseRef,
    /// Who set the condition, or its successor: requisitioner and receiver of everything that comes back.
    pub prosecution: ParticipantId,
    /// The requisition, from the first notice with a control part on.
    pub requisition_id: Option<RequisitionId>,
    /// Keyed commitment to the person's number.
    pub subject_commit: [u8; 32],
    /// At least one, oldest first.
    #[serde(deserialize_with = "at_least_one")]
    pub notices: Vec<NoticeVersion>,
    /// Where it stands.
    pub state: CaseState,
    /// The live result of each sample label and part.
    pub results: BTreeMap<SampleKey, u64>,
    /// Laboratories that filed a result.
    pub laboratories: Vec<ParticipantId>,
    /// Log indices of every message of the case.
    pub messages: Vec<u64>,
}

/// A base that holds a case without a notice is one that no program wrote: whoever reads it is told so, instead of whoever looks for the notice in force.
fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NoticeVersion>, D::Error> {
    let notices = Vec::deserialize(deserializer)?;
    if notices.is_empty() { Err(D::Error::custom("a case has no notice")) } else { Ok(notices) }
}

impl Case {
    /// Messages that one case may hold.
    pub const MESSAGES_MAX: usize = 1024;

    /// The notice in force.
    #[must_use]
    pub fn current(&self) -> &NoticeVersion {
        self.notices.last().expect("a case is opened with its first notice, notices are never taken out, and none is read without")
    }

    /// The first day on which nothing more is relayed.
    #[must_use]
    pub fn ends_on(&self) -> Date {
        plus_months(self.current().facts.probation_end, CASE_GRACE_MONTHS)
    }

    /// Whether `today` is past the case's life.
    #[must_use]
    pub fn is_over(&self, today: Date) -> bool {
        matches!(self.state, CaseState::Ended { .. }) || today >= self.ends_on()
    }

    /// The order in force on `day`: of the newest notice accepted by then, or of the first notice for earlier days.
    #[must_use]
    pub fn order_on(&self, day: Date) -> Option<&ControlFacts> {
        let version = self.notices.iter().rev().find(|version| version.accepted_on <= day).or_else(|| self.notices.first())?;
        version.facts.control.as_ref()
    }

    /// Whether `laboratory` may file a result under any order that this case has had.
    #[must_use]
    pub fn allows_laboratory(&self, laboratory: &ParticipantId) -> bool {
        self.notices
            .iter()
            .filter_map(|version| version.facts.control.as_ref())
            .any(|control| control.laboratories.is_empty() || control.laboratories.contains(laboratory))
    }

    /// Whether `participant` is a party: it set the condition, was addressed, filed a result, or is named in an order.
    #[must_use]
    pub fn has_party(&self, participant: &ParticipantId) -> bool {
        let names =
            |version: &NoticeVersion| version.facts.control.as_ref().is_some_and(|control| control.laboratories.contains(participant));
        self.prosecution == *participant
            || self.laboratories.contains(participant)
            || self.notices.iter().any(|version| version.unit == *participant || names(version))
    }

    /// `to` is the party from here that `from` was, in every notice of the case.
    pub fn pass(&mut self, from: &ParticipantId, to: &ParticipantId) {
        let replace = |party: &mut ParticipantId| {
            if party == from {
                *party = to.clone();
            }
        };
        let replace_in = |named: &mut Vec<ParticipantId>| {
            named.iter_mut().for_each(replace);
            // Named beside its successor before, it would stand there twice.
            let mut first = true;
            named.retain(|id| id != to || std::mem::take(&mut first));
        };
        replace(&mut self.prosecution);
        replace_in(&mut self.laboratories);
        for version in &mut self.notices {
            replace(&mut version.unit);
            if let Some(control) = &mut version.facts.control {
                replace_in(&mut control.laboratories);
            }
        }
    }

    /// The case is over: what is kept, for as long as it still answers that it has ended, is who its parties were.
    pub fn end(&mut self, at: Timestamp) {
        self.state = CaseState::Ended { at };
        self.subject_commit = [0; 32];
        self.results.clear();
        for version in &mut self.notices {
            version.facts = version.facts.parties_only();
        }
    }

    /// The day from which `unit` is no longer addressed, if it was and is not.
    #[must_use]
    pub fn unit_changed_on(&self, unit: &ParticipantId) -> Option<Date> {
        let last = self.notices.iter().rposition(|version| version.unit == *unit)?;
        self.notices.get(last + 1).map(|next| next.accepted_on)
    }
}

/// What became of a message as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fate {
    /// It stands.
    Live,
    /// A newer one replaced it.
    Superseded,
    /// Its sender withdrew it.
    Withdrawn,
    /// The unit gave it back.
    Returned {
        /// Number of `NoticeReturnReason`.
        reason: WithdrawalCode,
    },
}

/// What became of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryState {
    /// In the mailbox, never handed out.
    Waiting,
    /// Handed out at least once, not acknowledged.
    HandedOut,
    /// The recipient has it; content is erased.
    Acknowledged,
    /// Replaced or withdrawn before the first hand-out, or there was nothing to tell: never delivered.
    Dropped,
    /// Its case ended first.
    EndedUndelivered,
}

/// What an item tells its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemBody {
    /// The message's content.
    Content,
    /// That an earlier message is withdrawn, and why.
    Withdrawal {
        /// Number in the reasons of the kind.
        reason: WithdrawalCode,
    },
}

/// One item of a message: to its recipient, or to the unit a replacement moves away from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Whose mailbox.
    pub recipient: ParticipantId,
    /// What it tells.
    pub body: ItemBody,
    /// What became of it.
    pub state: DeliveryState,
    /// Past its time.
    pub overdue: bool,
    /// Readers it was handed out to.
    pub readers: Vec<String>,
}

impl Delivery {
    /// A fresh item.
    #[must_use]
    pub const fn waiting(recipient: ParticipantId, body: ItemBody) -> Self {
        Self { recipient, body, state: DeliveryState::Waiting, overdue: false, readers: Vec::new() }
    }

    /// Whether it is still to be fetched and acknowledged.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, DeliveryState::Waiting | DeliveryState::HandedOut)
    }
}

/// An accepted message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Log index of its acceptance.
    pub index: u64,
    /// Which of the three.
    pub kind: MessageKind,
    /// From the certificate.
    pub sender: ParticipantId,
    /// The sender's handle.
    pub message_id: MessageId,
    /// When.
    pub accepted_at: Timestamp,
    /// The case.
    pub case_ref: CaseRef,
    /// Log index of the message it replaces or withdraws.
    pub replaces: Option<u64>,
    /// What became of it.
    pub fate: Fate,
    /// To its recipient.
    pub main: Delivery,
    /// To the unit that a replacing notice moves away from.
    pub moved: Option<Box<Delivery>>,
    /// Sample label and part, for results.
    pub sample: Option<SampleKey>,
    /// Log index of the last event that changed what its sender sees; orders the status feed.
    pub changed: u64,
}

impl Message {
    /// The delivery of `item`.
    #[must_use]
    pub fn delivery(&self, item: ItemNumber) -> Option<&Delivery> {
        if item.is_moved() { self.moved.as_deref() } else { Some(&self.main) }
    }

    /// The delivery of `item`, to change.
    #[must_use]
    pub fn delivery_mut(&mut self, item: ItemNumber) -> Option<&mut Delivery> {
        if item.is_moved() { self.moved.as_deref_mut() } else { Some(&mut self.main) }
    }

    /// When it was accepted, for reckoning its age at `now`. One that was accepted while the log's time stood ahead of the clock bears a time that is
    /// to come; its id was made not long before.
    #[must_use]
    pub fn aged_from(&self, now: Timestamp) -> Timestamp {
        if self.accepted_at <= now { self.accepted_at } else { self.accepted_at.min(self.message_id.timestamp()) }
    }

    /// Whether it withdraws another message instead of carrying content.
    #[must_use]
    pub const fn is_withdrawal(&self) -> bool {
        matches!(self.main.body, ItemBody::Withdrawal { .. })
    }

    /// What its sender is shown.
    #[must_use]
    pub const fn status(&self, recipient_suspended: bool) -> DeliveryStatus {
        match (self.fate, self.main.state) {
            (_, DeliveryState::EndedUndelivered) => DeliveryStatus::EndedUndelivered,
            (Fate::Returned { .. }, _) => DeliveryStatus::Returned,
            (Fate::Withdrawn, _) => DeliveryStatus::Withdrawn,
            (Fate::Superseded, _) => DeliveryStatus::Superseded,
            (Fate::Live, DeliveryState::Acknowledged) => DeliveryStatus::Acknowledged,
            (Fate::Live, DeliveryState::Dropped) => DeliveryStatus::NothingToDeliver,
            (Fate::Live, _) if recipient_suspended => DeliveryStatus::RecipientSuspended,
            (Fate::Live, _) if self.main.overdue => DeliveryStatus::Overdue,
            (Fate::Live, DeliveryState::HandedOut) => DeliveryStatus::HandedOut,
            (Fate::Live, DeliveryState::Waiting) => DeliveryStatus::Accepted,
        }
    }
}

/// What a sender is shown of a message. None depends on attendance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryStatus {
    /// Durable, waiting in the mailbox.
    Accepted,
    /// Handed out at least once.
    HandedOut,
    /// The recipient has it.
    Acknowledged,
    /// The unit gave it back.
    Returned,
    /// The sender withdrew it.
    Withdrawn,
    /// A newer message replaced it.
    Superseded,
    /// Past its time, still deliverable.
    Overdue,
    /// The recipient is suspended; the message waits.
    RecipientSuspended,
    /// Its case ended before anyone acknowledged it.
    EndedUndelivered,
    /// A withdrawal of a message that had never been handed out: there was nothing to tell.
    NothingToDeliver,
}
