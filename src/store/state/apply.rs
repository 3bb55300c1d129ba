//! What each event changes.

use std::sync::Arc;

use super::State;
use crate::audit::event::{Acceptance, ContentCommit, Event, ItemNumber, MessageKind, WithdrawalCode};
use crate::domain::hold::Hold;
use crate::domain::id::ParticipantId;
use crate::domain::notice::NoticeFacts;
use crate::domain::participant::{Participant, Register, Standing};
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, CaseState, Delivery, DeliveryState, Fate, IdEntry, ItemBody, Message, NoticeVersion};

/// What an event set free or set going besides the state itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Log indices of messages whose content is no longer needed.
    pub freed: Vec<u64>,
}

impl State {
    /// Applies `event`, which stands at `index` in the log with `time`. What it holds becomes the state's.
    pub fn apply(&mut self, event: Event, index: u64, time: Timestamp) -> Applied {
        let mut applied = Applied::default();
        self.last_time = self.last_time.max(time);
        match event {
            Event::NoticeAccepted { acceptance, facts, subject_commit, moved_from } => {
                self.notice_accepted(&acceptance, *facts, subject_commit, moved_from, index, time, &mut applied);
            }
            Event::NoticeWithdrawn { acceptance, reason } => {
                self.withdrawn(MessageKind::ConditionNotice, &acceptance, reason, index, time, &mut applied);
                if let Some(case) = self.cases.get_mut(&acceptance.case_ref) {
                    case.state = CaseState::Withdrawn { reason, on: time.oslo_date() };
                }
            }
            Event::ReportAccepted { acceptance, facts: _ } => {
                self.supersede(&acceptance, index, &mut applied);
                let report = self.message_of(MessageKind::NonAttendanceReport, &acceptance, ItemBody::Content, index, time);
                self.file(report, acceptance.content_commit);
            }
            Event::ReportWithdrawn { acceptance, reason } => {
                self.withdrawn(MessageKind::NonAttendanceReport, &acceptance, reason, index, time, &mut applied);
            }
            Event::ResultAccepted { acceptance, facts } => {
                self.supersede(&acceptance, index, &mut applied);
                let mut result = self.message_of(MessageKind::LabResult, &acceptance, ItemBody::Content, index, time);
                let key = (facts.label, facts.part);
                result.sample = Some(key.clone());
                let laboratory = result.sender.clone();
                self.file(result, acceptance.content_commit);
                if let Some(case) = self.cases.get_mut(&acceptance.case_ref) {
                    case.results.insert(key, index);
                    if !case.laboratories.contains(&laboratory) {
                        case.laboratories.push(laboratory);
                    }
                }
            }
            Event::ResultWithdrawn { acceptance, reason } => {
                let sample = acceptance.replaces.and_then(|(_, old)| self.messages.get(&old)).and_then(|old| old.sample.clone());
                self.withdrawn(MessageKind::LabResult, &acceptance, reason, index, time, &mut applied);
                if let (Some(case), Some(sample)) = (self.cases.get_mut(&acceptance.case_ref), sample) {
                    case.results.remove(&sample);
                }
            }
            Event::RegisterLoaded { generation, digest, participants } => {
                self.register_loaded(generation, digest, participants, index);
            }
            Event::ContactSet { unit, key_label: _, contact } => {
                self.contacts.insert(unit, contact);
            }
            Event::ScopesLoaded { generation: _, scopes } => self.set_scopes(scopes),
            Event::Succeeded { predecessor, successor, .. } | Event::TookOver { predecessor, successor, .. } => {
                self.succeeded(&predecessor, &successor, index)
            }
            Event::HoldPlaced { auditor, key_label, case, reason, until, ground } => {
                let (case_ref, placed) = (case.case_ref, self.holds.get(&case.case_ref).map_or(index, |hold| hold.placed));
                self.holds.insert(case_ref, Hold { case, placed, auditor, key_label, reason, until, ground });
            }
            Event::HoldLifted { case, .. } | Event::HoldEnded { case } => drop(self.holds.remove(&case.case_ref)),
            Event::OfResult { requisition_id: _, event } => return self.apply(*event, index, time),
            _ => self.apply_delivery(&event, index, time, &mut applied),
        }
        applied
    }

    fn apply_delivery(&mut self, event: &Event, index: u64, time: Timestamp, applied: &mut Applied) {
        match event {
            Event::HandedOut { item, reader, .. } => self.handed_out(*item, reader, index),
            Event::Acknowledged { item, .. } => self.acknowledged(*item, index, applied),
            Event::NoticeReturned { item, case_ref, reason, .. } => {
                if let Some(version) = self.version_mut(*case_ref, item.index()) {
                    version.returned = true;
                }
                self.change(item.index(), index, |message| message.fate = Fate::Returned { reason: *reason });
            }
            Event::Overdue { item, .. } => {
                let marked = self
                    .messages
                    .get_mut(&item.index())
                    .and_then(|message| message.delivery_mut(*item))
                    .filter(|delivery| !delivery.overdue)
                    .map(|delivery| delivery.overdue = true);
                if marked.is_some() {
                    self.overdue += 1;
                    if !item.is_moved() {
                        self.change(item.index(), index, |_| ());
                    }
                }
            }
            Event::EndedUndelivered { item, .. } => {
                self.settle(*item, DeliveryState::EndedUndelivered, applied);
                if !item.is_moved() {
                    self.change(item.index(), index, |_| ());
                }
            }
            Event::CaseEnded { case_ref, .. } => {
                if let Some(case) = self.cases.get_mut(case_ref) {
                    self.ends.remove(&(case.ends_on(), *case_ref));
                    self.ended.insert((time, *case_ref));
                    case.end(time);
                    for index in &case.messages {
                        if let Some(message) = self.messages.get_mut(index) {
                            message.sample = None;
                        }
                    }
                }
            }
            Event::CaseForgotten { case_ref } => self.forget(*case_ref, applied),
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one event, destructured by its only caller")]
    fn notice_accepted(
        &mut self,
        acceptance: &Acceptance,
        facts: NoticeFacts,
        subject_commit: [u8; 32],
        moved_from: Option<(ParticipantId, WithdrawalCode)>,
        index: u64,
        time: Timestamp,
        applied: &mut Applied,
    ) {
        let mut notice = self.message_of(MessageKind::ConditionNotice, acceptance, ItemBody::Content, index, time);
        if let Some((unit, reason)) = moved_from
            && self.was_told(acceptance.replaces.map(|(_, old)| old), &unit)
        {
            notice.moved = Some(Box::new(Delivery::waiting(self.intern(&unit), ItemBody::Withdrawal { reason })));
        }
        self.supersede(acceptance, index, applied);
        let version = NoticeVersion {
            index,
            unit: notice.main.recipient.clone(),
            accepted_on: time.oslo_date(),
            facts,
            acknowledged: false,
            returned: false,
        };
        let case = self.cases.entry(acceptance.case_ref).or_insert_with(|| {
            Box::new(Case {
                case_ref: acceptance.case_ref,
                prosecution: notice.sender.clone(),
                requisition_id: None,
                subject_commit,
                notices: Vec::with_capacity(1),
                state: CaseState::Open,
                results: std::collections::BTreeMap::new(),
                laboratories: Vec::new(),
                messages: Vec::new(),
            })
        });
        if !case.notices.is_empty() {
            self.ends.remove(&(case.ends_on(), case.case_ref));
        }
        case.notices.push(version);
        case.state = CaseState::Open;
        case.requisition_id = acceptance.requisition_id;
        self.ends.insert((case.ends_on(), case.case_ref));
        if let Some(requisition) = acceptance.requisition_id {
            self.requisitions.insert(requisition, acceptance.case_ref);
        }
        self.file(notice, acceptance.content_commit);
    }

    /// Binds the id, puts the message into its case, mailbox and feed.
    fn file(&mut self, message: Message, commit: ContentCommit) {
        let index = message.index;
        self.clocks.accepted(message.message_id, message.accepted_at);
        self.ids.insert(&message.sender, message.message_id, IdEntry { index, commit });
        if let Some(case) = self.cases.get_mut(&message.case_ref) {
            case.messages.push(index);
        }
        for item in [ItemNumber::main(index), ItemNumber::moved(index)] {
            if let Some(delivery) = message.delivery(item).filter(|delivery| delivery.is_open()) {
                match self.mailboxes.get_mut(&delivery.recipient) {
                    Some(mailbox) => mailbox.insert(item),
                    None => self.mailboxes.entry(delivery.recipient.clone()).or_default().insert(item),
                };
            }
        }
        let owner = self.register.heir_of(&message.sender).unwrap_or(&message.sender);
        match self.feeds.get_mut(owner) {
            Some(feed) => feed.insert((message.changed, index)),
            None => self.feeds.entry(owner.clone()).or_default().insert((message.changed, index)),
        };
        self.messages.insert(index, Box::new(message));
    }

    /// The message that `acceptance` replaces no longer stands; one that was never handed out never will be.
    fn supersede(&mut self, acceptance: &Acceptance, index: u64, applied: &mut Applied) {
        if let Some((_, old)) = acceptance.replaces {
            self.retire(old, Fate::Superseded, index, applied);
        }
    }

    fn retire(&mut self, old: u64, fate: Fate, index: u64, applied: &mut Applied) {
        self.change(old, index, |message| message.fate = fate);
        let waiting = self.messages.get(&old).is_some_and(|message| message.main.state == DeliveryState::Waiting);
        if waiting {
            self.settle(ItemNumber::main(old), DeliveryState::Dropped, applied);
        }
    }

    /// Whether `recipient` was ever handed the message at `from` or one of those that it replaced.
    fn was_told(&self, from: Option<u64>, recipient: &ParticipantId) -> bool {
        self.last_told(from, recipient).is_some()
    }

    /// The newest item, from the message at `from` back through what it replaced, that `recipient` was handed.
    pub(super) fn last_told(&self, from: Option<u64>, recipient: &ParticipantId) -> Option<ItemNumber> {
        let mut next = from;
        while let Some(message) = next.and_then(|index| self.messages.get(&index)) {
            for item in [ItemNumber::moved(message.index), ItemNumber::main(message.index)] {
                let told = message.delivery(item).is_some_and(|delivery| {
                    delivery.recipient == *recipient && matches!(delivery.state, DeliveryState::HandedOut | DeliveryState::Acknowledged)
                });
                if told {
                    return Some(item);
                }
            }
            // Replacements only ever point back.
            next = message.replaces.filter(|older| *older < message.index);
        }
        None
    }

    fn withdrawn(
        &mut self,
        kind: MessageKind,
        acceptance: &Acceptance,
        reason: WithdrawalCode,
        index: u64,
        time: Timestamp,
        applied: &mut Applied,
    ) {
        let old = acceptance.replaces.map(|(_, old)| old);
        let mut withdrawal = self.message_of(kind, acceptance, ItemBody::Withdrawal { reason }, index, time);
        if !self.was_told(old, &acceptance.recipient) {
            withdrawal.main.state = DeliveryState::Dropped;
        }
        if let Some(old) = old {
            self.retire(old, Fate::Withdrawn, index, applied);
        }
        self.file(withdrawal, acceptance.content_commit);
    }

    fn handed_out(&mut self, item: ItemNumber, reader: &str, index: u64) {
        let first = self.messages.get_mut(&item.index()).and_then(|message| message.delivery_mut(item)).is_some_and(|delivery| {
            if delivery.readers.len() < crate::domain::limits::READERS_PER_PARTICIPANT_MAX {
                delivery.readers.push(reader.to_owned());
            }
            std::mem::replace(&mut delivery.state, DeliveryState::HandedOut) == DeliveryState::Waiting
        });
        if first && !item.is_moved() {
            self.change(item.index(), index, |_| ());
        }
    }

    fn acknowledged(&mut self, item: ItemNumber, index: u64, applied: &mut Applied) {
        self.settle(item, DeliveryState::Acknowledged, applied);
        if item.is_moved() {
            return;
        }
        let case_ref = self.messages.get(&item.index()).map(|message| message.case_ref);
        if let Some(version) = case_ref.and_then(|case_ref| self.version_mut(case_ref, item.index())) {
            version.acknowledged = true;
        }
        self.change(item.index(), index, |_| ());
    }

    /// The item leaves its mailbox for good.
    fn settle(&mut self, item: ItemNumber, to: DeliveryState, applied: &mut Applied) {
        let Some(message) = self.messages.get_mut(&item.index()) else { return };
        let Some(delivery) = message.delivery_mut(item).filter(|delivery| delivery.is_open()) else { return };
        delivery.state = to;
        if delivery.overdue {
            self.overdue = self.overdue.saturating_sub(1);
        }
        delivery.readers = Vec::new();
        let (recipient, has_content) = (delivery.recipient.clone(), delivery.body == ItemBody::Content);
        if let Some(mailbox) = self.mailboxes.get_mut(&recipient) {
            mailbox.remove(&item);
        }
        if has_content {
            applied.freed.push(item.index());
        }
    }

    /// Changes the message at `of` and moves it to the end of its sender's feed.
    pub(super) fn change(&mut self, of: u64, index: u64, change: impl FnOnce(&mut Message)) {
        let Some(message) = self.messages.get_mut(&of) else { return };
        change(message);
        let owner = self.register.heir_of(&message.sender).unwrap_or(&message.sender);
        let feed = self.feeds.entry(owner.clone()).or_default();
        feed.remove(&(message.changed, of));
        message.changed = index;
        feed.insert((index, of));
    }

    fn version_mut(&mut self, case_ref: crate::domain::id::CaseRef, index: u64) -> Option<&mut NoticeVersion> {
        self.cases.get_mut(&case_ref)?.notices.iter_mut().find(|version| version.index == index)
    }

    /// The one copy of an enrolled participant's id: thousands of messages name the same few.
    pub(super) fn intern(&self, id: &ParticipantId) -> ParticipantId {
        self.known.get_key_value(id).map_or(id, |(known, _)| known).clone()
    }

    fn register_loaded(&mut self, generation: u64, digest: [u8; 32], participants: Vec<Participant>, index: u64) {
        // It was checked before it became an event; municipalities of that day stay valid for ever after.
        let Ok(register) = Register::new(generation, participants, &|_| true) else { return };
        let suspended =
            |register: &Register, id: &ParticipantId| register.get(id).is_some_and(|entry| entry.standing == Standing::Suspended);
        let changed: Vec<u64> = self
            .mailboxes
            .iter()
            .filter(|(id, _)| suspended(&self.register, id) != suspended(&register, id))
            .flat_map(|(_, items)| items.iter().filter(|item| !item.is_moved()).map(|item| item.index()))
            .collect();
        for participant in register.iter() {
            // The first copy of an id stays the one that messages name.
            *self.known.entry(participant.id.clone()).or_default() = Some(participant.as_ref().into());
        }
        self.register = Arc::new(register);
        self.register_digest = digest;
        for of in changed {
            self.change(of, index, |_| ());
        }
    }

    fn forget(&mut self, case_ref: crate::domain::id::CaseRef, applied: &mut Applied) {
        let Some(case) = self.cases.remove(&case_ref) else { return };
        if let CaseState::Ended { at } = case.state {
            self.ended.remove(&(at, case_ref));
        }
        self.ends.remove(&(case.ends_on(), case_ref));
        if let Some(requisition) = case.requisition_id {
            self.requisitions.remove(&requisition);
        }
        for index in case.messages {
            for item in [ItemNumber::main(index), ItemNumber::moved(index)] {
                self.settle(item, DeliveryState::EndedUndelivered, applied);
            }
            if let Some(message) = self.messages.remove(&index) {
                self.ids.loosen(&message.sender, message.message_id);
                let owner = self.register.heir_of(&message.sender).unwrap_or(&message.sender);
                if let Some(feed) = self.feeds.get_mut(owner) {
                    feed.remove(&(message.changed, index));
                }
            }
        }
    }

    /// The message that `acceptance` makes, naming the one copy of each id.
    fn message_of(&self, kind: MessageKind, acceptance: &Acceptance, body: ItemBody, index: u64, time: Timestamp) -> Message {
        Message {
            index,
            kind,
            sender: self.intern(&acceptance.sender),
            message_id: acceptance.message_id,
            accepted_at: time,
            case_ref: acceptance.case_ref,
            replaces: acceptance.replaces.map(|(_, old)| old),
            fate: Fate::Live,
            main: Delivery::waiting(self.intern(&acceptance.recipient), body),
            moved: None,
            sample: None,
            changed: index,
        }
    }
}
