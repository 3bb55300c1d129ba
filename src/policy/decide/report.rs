//! A non-attendance report: only from a unit that has accepted the notice and not returned it, only on dates it was the unit.

use super::acceptance;
use crate::audit::event::{Event, MessageKind};
use crate::domain::id::ParticipantId;
use crate::domain::report::{MissedAppointment, ReportFacts};
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
    facts: &ReportFacts,
    at: Timestamp,
) -> Result<Event, Denial> {
    let unit = permit.caller().id();
    // A case of others is answered exactly like one that never was.
    let case = view.case.filter(|case| case.case_ref == facts.case_ref && is_party(case, unit)).ok_or(Reason::ReferenceUnknown)?;
    if case.is_over(at.oslo_date()) {
        return Err(Reason::CaseEnded.into());
    }
    check_right(case, unit, facts)?;
    check_conditions(case, facts)?;
    if submission.replaces.is_some() {
        let replaced = view.replaced.filter(|message| message.kind == MessageKind::NonAttendanceReport).ok_or(Reason::ReplacesUnknown)?;
        if replaced.fate != Fate::Live {
            return Err(Reason::ReplacesSettled.into());
        }
        if replaced.case_ref != case.case_ref {
            return Err(Reason::ReplacesOther.into());
        }
    }
    if case.messages.len() >= Case::MESSAGES_MAX {
        return Err(Reason::TooManyCorrections.into());
    }
    Ok(Event::ReportAccepted {
        acceptance: acceptance(view, permit, submission, &case.prosecution, case.case_ref, None),
        facts: facts.clone(),
    })
}

/// Whether `unit` was ever addressed in the case.
pub(super) fn is_party(case: &Case, unit: &ParticipantId) -> bool {
    case.notices.iter().any(|version| version.unit == *unit)
}

fn check_right(case: &Case, unit: &ParticipantId, facts: &ReportFacts) -> Result<(), Denial> {
    let last_returned = case.notices.iter().rev().find(|version| version.unit == *unit).is_some_and(|version| version.returned);
    if last_returned {
        return Err(Reason::NoticeReturned.into());
    }
    if let CaseState::Withdrawn { .. } = case.state {
        return Err(Reason::NoticeWithdrawn.into());
    }
    if !case.notices.iter().any(|version| version.unit == *unit && version.acknowledged) {
        return Err(Reason::NoticeNotAcknowledged.into());
    }
    if let Some(changed_on) = case.unit_changed_on(unit)
        && facts.missed_dates.iter().any(|date| *date >= changed_on)
    {
        return Err(Reason::UnitChanged.into());
    }
    Ok(())
}

/// Checks against the newest notice that this unit was sent.
fn check_conditions(case: &Case, facts: &ReportFacts) -> Result<(), Denial> {
    let notice = &case.current().facts;
    let set = match facts.missed {
        MissedAppointment::Conversation => notice.attendance,
        MissedAppointment::DrugControl => notice.control.is_some(),
    };
    if !set {
        return Err(Reason::ConditionNotSet.into());
    }
    if facts.missed_dates.iter().any(|date| *date < notice.probation_start || *date > notice.probation_end) {
        return Err(Reason::DateOutsideProbation.into());
    }
    Ok(())
}
