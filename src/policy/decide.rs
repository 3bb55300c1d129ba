//! `decide(view, command, time) -> events`: every rule that depends on state, register or date.
//!
//! Pure and total: no I/O, no clock, no panic. Rules that a message can be checked against alone are held by its type in `domain`.
//! Order: permit (suspended, role), id look-up, then the rest; so a retry gets its receipt also when the rules would refuse it today.

mod audit;
mod hold;
mod mailbox;
mod notice;
mod report;
mod result;
mod withdrawal;

use super::command::{Body, Command, Searched, Submission};
use super::permit::{Denial, NO_CONTENT, Permit};
use super::reason::Reason;
use super::table::{FLOWS, Verb};
use super::view::View;
use crate::audit::event::{Acceptance, Event};
use crate::domain::id::{CaseRef, ParticipantId, RequisitionId};
use crate::domain::limits::{MESSAGE_ID_AGE_MAX_MILLIS, MESSAGE_ID_AHEAD_MAX_MILLIS};
use crate::domain::participant::Register;
use crate::domain::time::Timestamp;

/// What follows from a command.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// These events, in this order; the first of a submission is its acceptance.
    Events(Vec<Event>),
    /// The id was accepted before with the same content, at this log index; nothing happens.
    Duplicate {
        /// Log index of the first acceptance.
        index: u64,
    },
}

/// Decides. `at` is what the clock shows: dates and ids are judged by it also while the log's time stands ahead of it, which is what the events then
/// bear.
///
/// # Errors
/// The first rule that refuses, as a [`Denial`].
pub fn decide(view: &View<'_>, command: &Command, at: Timestamp) -> Result<Decision, Denial> {
    match command {
        Command::Submit { permit, submission } => submit(view, permit, submission, at),
        Command::HandOut { permit, reader, items } => mailbox::hand_out(view, permit, reader, items),
        Command::Acknowledge { permit, items } => mailbox::acknowledge(view, permit, items),
        Command::Return { permit, item, reason } => mailbox::give_back(view, permit, *item, *reason, at),
        Command::SetContact { permit, contact } => {
            permit.redeem(Verb::SetContact, &NO_CONTENT, view.register)?;
            let caller = permit.caller();
            one(Event::ContactSet { unit: caller.id().clone(), key_label: caller.key_label.clone(), contact: contact.clone() })
        }
        Command::Audit { permit, case_ref, participant } => audit::read(view, permit, *case_ref, participant.as_ref()),
        Command::Ask { permit, asked } => audit::ask(view, permit, asked),
        Command::Review { permit, from, to } => audit::review(view, permit, *from, *to, at),
        Command::PlaceHold { permit, case, reason, until, oldest, ground } => {
            hold::place(view, permit, (case, *reason, *until), (*oldest, ground.as_ref()), at)
        }
        Command::LiftHold { permit, case_ref: _ } => hold::lift(view, permit),
        Command::EndHold { case_ref: _ } => Ok(hold::end(view, at)),
        Command::Refuse { caller, verb, reason, message_id } => one(Event::Refused {
            caller: caller.id().clone(),
            key_label: caller.key_label.clone(),
            verb: verb.number(),
            reason: reason.number(),
            message_id: *message_id,
        }),
        Command::LoadRegister { register, digest } => Ok(load_register(view, register, *digest)),
        Command::MarkOverdue { item } => Ok(mailbox::mark_overdue(view, *item)),
        Command::EndCase { .. } => Ok(mailbox::end_case(view, at)),
        Command::ForgetCase { case_ref } => Ok(Decision::Events(match view.case {
            Some(_) => vec![Event::CaseForgotten { case_ref: *case_ref }],
            None => Vec::new(),
        })),
        Command::Note(event) => one(event.clone()),
    }
}

/// The scopes are an event of their own: the one with the participants is as old as the first journal. What retired participants had passes on
/// in the frame that retires them: there is no moment at which it is nobody's.
fn load_register(view: &View<'_>, register: &Register, digest: [u8; 32]) -> Decision {
    let generation = register.generation();
    let participants = register.iter().map(|participant| participant.as_ref().clone()).collect();
    let scopes: Vec<_> = register.iter().filter_map(|entry| entry.scope.clone().map(|scope| (entry.id.clone(), scope))).collect();
    let mut events = vec![Event::RegisterLoaded { generation, digest, participants }];
    if !scopes.is_empty() {
        events.push(Event::ScopesLoaded { generation, scopes });
    }
    for predecessor in &view.passing {
        if let Some(successor) = register.heir_of(predecessor) {
            let (predecessor, successor) = (predecessor.clone(), successor.clone());
            events.push(Event::TookOver { generation, predecessor, successor });
        }
    }
    Decision::Events(events)
}

fn one(event: Event) -> Result<Decision, Denial> {
    Ok(Decision::Events(vec![event]))
}

fn submit(view: &View<'_>, permit: &Permit, submission: &Submission, at: Timestamp) -> Result<Decision, Denial> {
    let send = FLOWS.iter().find(|flow| flow.kind == submission.kind).map(|flow| flow.send);
    permit.redeem(send.ok_or(Reason::Internal)?, &submission.commit, view.register)?;
    let searched = match &submission.searched {
        Searched::Accepted(entry) => Some(entry),
        Searched::Unknown | Searched::Never => None,
    };
    if let Some(entry) = view.id.or(searched) {
        return if entry.commit == submission.commit {
            Ok(Decision::Duplicate { index: entry.index })
        } else {
            Err(Reason::MessageIdReused.into())
        };
    }
    let made = submission.message_id.timestamp();
    if made < at.plus_millis(-MESSAGE_ID_AGE_MAX_MILLIS) || made > at.plus_millis(MESSAGE_ID_AHEAD_MAX_MILLIS) {
        return Err(Reason::StaleMessageId.into());
    }
    // By the clock it is new, and one as old was forgotten by a clock that showed more: only the records tell whether it was this one.
    if made <= view.forgotten && submission.searched != Searched::Never {
        return Err(Reason::StaleMessageId.into());
    }
    let event = match &submission.body {
        Body::Notice(notice) => notice::decide(view, permit, submission, notice, at)?,
        Body::Report(facts) => report::decide(view, permit, submission, facts, at)?,
        Body::Result(facts) => result::decide(view, permit, submission, facts, at)?,
        Body::Withdrawal(reason) => withdrawal::decide(view, permit, submission, *reason, at)?,
        Body::Unfit => return Err(Reason::ContentInvalid.into()),
    };
    // A correction or a withdrawal takes the place of what it replaces, and is never kept out.
    let fills = submission.replaces.is_none().then(|| event.acceptance()).flatten();
    if fills.is_some_and(|acceptance| view.mailboxes.depth(&acceptance.recipient) >= submission.mailbox_items_max) {
        return Err(Reason::MailboxFull.into());
    }
    if submission.validate_only {
        let caller = permit.caller();
        return one(Event::Validated { caller: caller.id().clone(), key_label: caller.key_label.clone(), kind: submission.kind });
    }
    one(event)
}

/// The acceptance of `submission`, to `recipient`.
fn acceptance(
    view: &View<'_>,
    permit: &Permit,
    submission: &Submission,
    recipient: &ParticipantId,
    case_ref: CaseRef,
    requisition_id: Option<RequisitionId>,
) -> Acceptance {
    let caller = permit.caller();
    Acceptance {
        sender: caller.id().clone(),
        key_label: caller.key_label.clone(),
        message_id: submission.message_id,
        content_commit: submission.commit,
        recipient: recipient.clone(),
        case_ref,
        requisition_id,
        replaces: view.replaced.map(|message| (message.message_id, message.index)),
    }
}
