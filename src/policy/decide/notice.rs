//! A condition notice: opens a case, or replaces the newest notice of one.

use super::acceptance;
use crate::audit::event::{Event, MessageKind, WithdrawalCode};
use crate::domain::id::{CaseRef, ParticipantId, RequisitionId};
use crate::domain::mac::hmac_sha256;
use crate::domain::notice::{ConditionNotice, NoticeFacts};
use crate::domain::participant::{Participant, Role, Standing};
use crate::domain::reason::NoticeWithdrawal;
use crate::domain::time::{Timestamp, plus_months};
use crate::policy::case::{Case, CaseState, Fate, Message};
use crate::policy::command::Submission;
use crate::policy::permit::{Denial, Permit};
use crate::policy::reason::Reason;
use crate::policy::view::View;

pub(super) fn decide(
    view: &View<'_>,
    permit: &Permit,
    submission: &Submission,
    notice: &ConditionNotice,
    at: Timestamp,
) -> Result<Event, Denial> {
    let facts = notice.facts();
    let today = at.oslo_date();
    if facts.decision_date > today {
        return Err(Reason::DecisionInFuture.into());
    }
    if plus_months(facts.probation_end, crate::domain::limits::CASE_GRACE_MONTHS) <= today {
        return Err(Reason::ProbationOver.into());
    }
    let unit = unit_of(view, &facts)?;
    check_register(view, &permit.caller().participant, &facts)?;
    match submission.replaces {
        None => {
            let (case_ref, requisition) = references(view, permit, submission);
            let requisition = facts.control.is_some().then_some(requisition);
            let subject_commit = notice.subject_commit(&case_key(view.subject_key, case_ref));
            Ok(Event::NoticeAccepted {
                acceptance: acceptance(view, permit, submission, &unit, case_ref, requisition),
                facts: Box::new(facts),
                subject_commit,
                moved_from: None,
            })
        }
        Some(_) => {
            let (case, _) = replaceable(view)?;
            if case.is_over(today) {
                return Err(Reason::CaseEnded.into());
            }
            let subject_commit = notice.subject_commit(&case_key(view.subject_key, case.case_ref));
            if subject_commit != case.subject_commit {
                return Err(Reason::SubjectDiffers.into());
            }
            // Labels are printed: a requisition once minted stays, also where a replacement drops the control part.
            let requisition = case.requisition_id.or_else(|| facts.control.is_some().then(|| references(view, permit, submission).1));
            Ok(Event::NoticeAccepted {
                acceptance: acceptance(view, permit, submission, &unit, case.case_ref, requisition),
                moved_from: moved_from(case, &unit, &facts),
                facts: Box::new(facts),
                subject_commit,
            })
        }
    }
}

/// The newest notice of an open case, which is what `replaces` must name.
pub(super) fn replaceable<'a>(view: &View<'a>) -> Result<(&'a Case, &'a Message), Denial> {
    let replaced = view.replaced.filter(|message| message.kind == MessageKind::ConditionNotice).ok_or(Reason::ReplacesUnknown)?;
    let case = view.case.ok_or(Reason::ReplacesUnknown)?;
    let newest = case.current().index == replaced.index;
    let stands = matches!(replaced.fate, Fate::Live | Fate::Returned { .. }) && !matches!(case.state, CaseState::Withdrawn { .. });
    if !newest || !stands {
        return Err(if matches!(case.state, CaseState::Ended { .. }) { Reason::CaseEnded } else { Reason::ReplacesSettled }.into());
    }
    if case.messages.len() >= Case::MESSAGES_MAX {
        return Err(Reason::TooManyCorrections.into());
    }
    Ok((case, replaced))
}

fn unit_of(view: &View<'_>, facts: &NoticeFacts) -> Result<ParticipantId, Denial> {
    let unit = view.register.unit_of(facts.municipality).ok_or(Reason::MunicipalityNotServed)?;
    if view.unit_contact.is_none() && unit.contacts.is_empty() {
        return Err(Reason::UnitContactMissing.into());
    }
    Ok(unit.id.clone())
}

fn check_register(view: &View<'_>, sender: &Participant, facts: &NoticeFacts) -> Result<(), Denial> {
    // The entry in force now, not the one the connection was opened under.
    let entry = view.register.get(&sender.id).ok_or(Reason::IdentityWithdrawn)?;
    if !entry.contacts.iter().any(|contact| contact.key == facts.contact_key.as_str()) {
        return Err(Reason::ContactUnknown.into());
    }
    for named in facts.control.iter().flat_map(|control| &control.laboratories) {
        let laboratory = view.register.get(named).filter(|participant| participant.role == Role::Laboratory);
        if laboratory.ok_or(Reason::LaboratoryUnknown)?.standing == Standing::Retired {
            return Err(Reason::LaboratoryRetired.into());
        }
    }
    Ok(())
}

/// The unit that a replacement moves away from, and what it is told: the person moved; or the municipality was wrong from the start, when
/// the unit itself gave the notice back; or the case was transferred, when another unit serves the same municipality now.
fn moved_from(case: &Case, unit: &ParticipantId, facts: &NoticeFacts) -> Option<(ParticipantId, WithdrawalCode)> {
    let current = case.current();
    if current.unit == *unit {
        return None;
    }
    let reason = match current.returned {
        // The municipality has another unit now: nobody moved.
        _ if current.facts.municipality == facts.municipality => NoticeWithdrawal::CaseTransferred,
        true => NoticeWithdrawal::WrongMunicipality,
        false => NoticeWithdrawal::SubjectMoved,
    };
    Some((current.unit.clone(), reason.number()))
}

/// The references that a notice brings into being: bits of a MAC under the store's key over who sends which message. To whoever has no key they are
/// random; but a notice that is sent again to a store that lost it, brought back from a copy, opens the same case, so that the form printed with its
/// requisition, and every report and result that is sent again, still finds it.
fn references(view: &View<'_>, permit: &Permit, submission: &Submission) -> (CaseRef, RequisitionId) {
    let Submission { message_id, commit, .. } = submission;
    let mut message = Vec::with_capacity(128);
    // Both of one length; the id before them is the rest.
    message.extend_from_slice(message_id.as_bytes());
    message.extend_from_slice(commit);
    message.extend_from_slice(permit.caller().id().as_str().as_bytes());
    let bits = hmac_sha256(view.subject_key, b"samband references of a notice\0", &message);
    let of = |at: usize| std::array::from_fn(|n| bits[at + n]);
    (CaseRef::from_bytes(of(0)), RequisitionId::from_bytes(of(16)))
}

/// The key of one case's subject commitment: equal numbers in two cases have unlike commitments.
fn case_key(subject_key: &[u8; 32], case_ref: CaseRef) -> [u8; 32] {
    hmac_sha256(subject_key, case_ref.as_bytes(), &[])
}
