//! A laboratory result: authority is the requisition, a laboratory that the order allows, and an open case.

use super::acceptance;
use crate::audit::event::{Event, MessageKind};
use crate::domain::control::ControlFacts;
use crate::domain::reason::NoticeWithdrawal;
use crate::domain::result::ResultFacts;
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, CaseState, Fate};
use crate::policy::command::Submission;
use crate::policy::permit::{Denial, Permit};
use crate::policy::reason::Reason;
use crate::policy::view::View;

pub(super) fn decide(
    view: &View<'_>,
    permit: &Permit,
    submission: &Submission,
    facts: &ResultFacts,
    at: Timestamp,
) -> Result<Event, Denial> {
    let laboratory = permit.caller().id();
    // A requisition of others is answered exactly like one that never was.
    let case = view
        .case
        .filter(|case| case.requisition_id == Some(facts.requisition_id) && case.allows_laboratory(laboratory))
        .ok_or(Reason::ReferenceUnknown)?;
    if case.is_over(at.oslo_date()) {
        return Err(Reason::CaseEnded.into());
    }
    check_withdrawn(case, facts)?;
    let day = facts.collected_on.unwrap_or(facts.received_on);
    let order = case.order_on(day).ok_or(Reason::CollectedOutsidePeriod)?;
    if !order.laboratories.is_empty() && !order.laboratories.contains(laboratory) {
        return Err(Reason::CollectedOutsidePeriod.into());
    }
    check_order(order, facts)?;
    check_replaces(view, submission, case, facts)?;
    if case.messages.len() >= Case::MESSAGES_MAX {
        return Err(Reason::TooManyCorrections.into());
    }
    Ok(Event::ResultAccepted {
        acceptance: acceptance(view, permit, submission, &case.prosecution, case.case_ref, Some(facts.requisition_id)),
        facts: facts.clone(),
    })
}

/// A withdrawn condition ends the requisition; a person who moved or a case that was handed on leaves samples collected before it valid.
fn check_withdrawn(case: &Case, facts: &ResultFacts) -> Result<(), Denial> {
    let CaseState::Withdrawn { reason, on } = case.state else { return Ok(()) };
    let ends_all = match NoticeWithdrawal::of_number(reason) {
        Some(NoticeWithdrawal::CaseTransferred | NoticeWithdrawal::SubjectMoved | NoticeWithdrawal::WrongMunicipality) => false,
        Some(NoticeWithdrawal::ConditionRevoked | NoticeWithdrawal::WrongSubject | NoticeWithdrawal::SentInError) | None => true,
    };
    let collected_before = facts.collected_on.is_some_and(|day| day < on);
    if ends_all || !collected_before { Err(Reason::RequisitionWithdrawn.into()) } else { Ok(()) }
}

fn check_order(order: &ControlFacts, facts: &ResultFacts) -> Result<(), Denial> {
    // An openly missing collection date is judged by the date of receipt, which can only be later: the order must have begun by then.
    let inside = match facts.collected_on {
        Some(day) => (order.from..=order.to).contains(&day),
        None => facts.received_on >= order.from,
    };
    if !inside {
        return Err(Reason::CollectedOutsidePeriod.into());
    }
    if !order.matrices.contains(&facts.matrix) {
        return Err(Reason::MatrixNotOrdered.into());
    }
    if facts.groups.iter().any(|group| !order.groups.contains(group)) {
        return Err(Reason::GroupNotOrdered.into());
    }
    if order.groups.iter().any(|group| !facts.groups.contains(group)) {
        return Err(Reason::GroupMissing.into());
    }
    Ok(())
}

fn check_replaces(view: &View<'_>, submission: &Submission, case: &Case, facts: &ResultFacts) -> Result<(), Denial> {
    let key = (facts.label.clone(), facts.part);
    let live = case.results.get(&key).copied();
    if submission.replaces.is_none() {
        return if live.is_some() { Err(Reason::ResultExists.into()) } else { Ok(()) };
    }
    let replaced = view.replaced.filter(|message| message.kind == MessageKind::LabResult).ok_or(Reason::ReplacesUnknown)?;
    if replaced.case_ref != case.case_ref || replaced.sample.as_ref() != Some(&key) {
        return Err(Reason::ReplacesOther.into());
    }
    if replaced.fate != Fate::Live || live != Some(replaced.index) {
        return Err(Reason::ReplacesSettled.into());
    }
    Ok(())
}
