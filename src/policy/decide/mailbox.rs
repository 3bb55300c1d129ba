//! Handing out, acknowledging, giving back, and what time does to a mailbox.

use std::collections::BTreeSet;

use super::Decision;
use crate::audit::event::{Event, ItemNumber, MessageKind, WithdrawalCode};
use crate::domain::id::{ParticipantId, RequisitionId};
use crate::domain::time::Timestamp;
use crate::policy::case::{CaseState, Delivery, DeliveryState, Fate, ItemBody, Message};
use crate::policy::permit::{Denial, NO_CONTENT, Permit};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::policy::view::View;

/// `event` about the delivery of `message`, so that its sender may be shown it.
fn of(message: &Message, requisition_id: Option<RequisitionId>, event: Event) -> Event {
    match requisition_id {
        Some(requisition_id) if message.kind == MessageKind::LabResult => Event::OfResult { requisition_id, event: Box::new(event) },
        _ => event,
    }
}

/// The messages of `items` that are in `recipient`'s mailbox or were; `None` for whatever is not its own.
fn own<'a>(
    view: &View<'a>,
    recipient: &ParticipantId,
    items: &'a [ItemNumber],
) -> impl Iterator<Item = Option<(ItemNumber, &'a Message, &'a Delivery, Option<RequisitionId>)>> {
    let recipient = recipient.clone();
    let requisitions = view.requisitions.clone().into_iter().chain(std::iter::repeat(None));
    view.items.clone().into_iter().zip(requisitions).zip(items).map(move |((message, requisition), item)| {
        let message = message?;
        let delivery = message.delivery(*item).filter(|delivery| delivery.recipient == recipient)?;
        Some((*item, message, delivery, requisition))
    })
}

pub(super) fn hand_out(view: &View<'_>, permit: &Permit, reader: &str, items: &[ItemNumber]) -> Result<Decision, Denial> {
    let verb = permit.verb();
    if !matches!(verb, Verb::ProsecutionReceive | Verb::MunicipalReceive) {
        return Err(Reason::Internal.into());
    }
    permit.redeem(verb, &NO_CONTENT, view.register)?;
    let caller = permit.caller();
    let mut events = Vec::new();
    let mut seen = BTreeSet::new();
    for (item, message, delivery, requisition) in own(view, caller.id(), items).flatten() {
        // Once per item and reader; repeats are counted by the stream, not logged.
        if !seen.insert(item) || !delivery.is_open() || delivery.readers.iter().any(|known| known == reader) {
            continue;
        }
        let event = Event::HandedOut {
            recipient: caller.id().clone(),
            key_label: caller.key_label.clone(),
            reader: reader.to_owned(),
            item,
            case_ref: message.case_ref,
            sender: message.sender.clone(),
            message_id: message.message_id,
        };
        events.push(of(message, requisition, event));
    }
    Ok(Decision::Events(events))
}

pub(super) fn acknowledge(view: &View<'_>, permit: &Permit, items: &[ItemNumber]) -> Result<Decision, Denial> {
    let verb = permit.verb();
    if !matches!(verb, Verb::ProsecutionAcknowledge | Verb::MunicipalAcknowledge) {
        return Err(Reason::Internal.into());
    }
    permit.redeem(verb, &NO_CONTENT, view.register)?;
    let caller = permit.caller();
    let mut events = Vec::new();
    let mut seen = BTreeSet::new();
    for found in own(view, caller.id(), items) {
        let (item, message, delivery, requisition) = found.ok_or(Reason::ItemUnknown)?;
        match delivery.state {
            DeliveryState::HandedOut if !seen.insert(item) => {}
            DeliveryState::HandedOut => {
                let event = Event::Acknowledged {
                    recipient: caller.id().clone(),
                    key_label: caller.key_label.clone(),
                    item,
                    case_ref: message.case_ref,
                    sender: message.sender.clone(),
                    message_id: message.message_id,
                };
                events.push(of(message, requisition, event));
            }
            // Again, and the same answer again.
            DeliveryState::Acknowledged => {}
            DeliveryState::Waiting | DeliveryState::Dropped | DeliveryState::EndedUndelivered => return Err(Reason::ItemUnknown.into()),
        }
    }
    Ok(Decision::Events(events))
}

pub(super) fn give_back(
    view: &View<'_>,
    permit: &Permit,
    item: ItemNumber,
    reason: WithdrawalCode,
    at: Timestamp,
) -> Result<Decision, Denial> {
    permit.redeem(Verb::Return, &NO_CONTENT, view.register)?;
    let caller = permit.caller();
    let items = [item];
    let (item, message, delivery, _) = own(view, caller.id(), &items).next().flatten().ok_or(Reason::ItemUnknown)?;
    if !matches!(delivery.state, DeliveryState::HandedOut | DeliveryState::Acknowledged) {
        return Err(Reason::ItemUnknown.into());
    }
    let case = view.case.ok_or(Reason::ItemUnknown)?;
    if case.is_over(at.oslo_date()) {
        return Err(Reason::CaseEnded.into());
    }
    if let Fate::Returned { reason: first } = message.fate {
        // Again, and the same answer again; another reason is another statement and comes too late.
        return if first == reason { Ok(Decision::Events(Vec::new())) } else { Err(Reason::NotReturnable.into()) };
    }
    let is_standing_notice = message.kind == MessageKind::ConditionNotice
        && delivery.body == ItemBody::Content
        && message.fate == Fate::Live
        && case.current().index == message.index
        && matches!(case.state, CaseState::Open);
    if !is_standing_notice {
        return Err(Reason::NotReturnable.into());
    }
    let mut events = Vec::new();
    if delivery.state == DeliveryState::HandedOut {
        events.push(Event::Acknowledged {
            recipient: caller.id().clone(),
            key_label: caller.key_label.clone(),
            item,
            case_ref: message.case_ref,
            sender: message.sender.clone(),
            message_id: message.message_id,
        });
    }
    events.push(Event::NoticeReturned {
        unit: caller.id().clone(),
        key_label: caller.key_label.clone(),
        item,
        case_ref: message.case_ref,
        sender: message.sender.clone(),
        message_id: message.message_id,
        reason,
    });
    Ok(Decision::Events(events))
}

pub(super) fn mark_overdue(view: &View<'_>, item: ItemNumber) -> Decision {
    let event = view.items.first().copied().flatten().and_then(|message| {
        let delivery = message.delivery(item).filter(|delivery| delivery.is_open() && !delivery.overdue)?;
        Some(overdue(item, message, delivery, view.case.and_then(|case| case.requisition_id)))
    });
    Decision::Events(event.into_iter().collect())
}

fn overdue(item: ItemNumber, message: &Message, delivery: &Delivery, requisition: Option<RequisitionId>) -> Event {
    let event = Event::Overdue {
        item,
        case_ref: message.case_ref,
        sender: message.sender.clone(),
        message_id: message.message_id,
        recipient: delivery.recipient.clone(),
    };
    of(message, requisition, event)
}

/// The case's end; whatever nobody fetched ends with it, after having been shown as overdue.
pub(super) fn end_case(view: &View<'_>, at: Timestamp) -> Decision {
    let Some(case) = view.case.filter(|case| !matches!(case.state, CaseState::Ended { .. }) && case.is_over(at.oslo_date())) else {
        return Decision::Events(Vec::new());
    };
    let mut events = Vec::new();
    let mut ended = Vec::new();
    for message in &view.case_messages {
        for item in [ItemNumber::main(message.index), ItemNumber::moved(message.index)] {
            let Some(delivery) = message.delivery(item).filter(|delivery| delivery.is_open()) else { continue };
            if !delivery.overdue {
                events.push(overdue(item, message, delivery, case.requisition_id));
            }
            let event = Event::EndedUndelivered {
                item,
                case_ref: message.case_ref,
                sender: message.sender.clone(),
                message_id: message.message_id,
                recipient: delivery.recipient.clone(),
            };
            ended.push(of(message, case.requisition_id, event));
        }
    }
    events.append(&mut ended);
    events.push(Event::CaseEnded { case_ref: case.case_ref, prosecution: case.prosecution.clone() });
    Decision::Events(events)
}
