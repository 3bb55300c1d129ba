//! The withdrawal of a message by its sender: the one way to take a wrong word back without saying what is right.

use super::{acceptance, notice};
use crate::audit::event::{Event, MessageKind, WithdrawalCode};
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, Fate};
use crate::policy::command::Submission;
use crate::policy::permit::{Denial, Permit};
use crate::policy::reason::Reason;
use crate::policy::view::View;

pub(super) fn decide(
    view: &View<'_>,
    permit: &Permit,
    submission: &Submission,
    reason: WithdrawalCode,
    at: Timestamp,
) -> Result<Event, Denial> {
    if submission.replaces.is_none() {
        return Err(Reason::ReplacesMissing.into());
    }
    let replaced = view.replaced.filter(|message| message.kind == submission.kind).ok_or(Reason::ReplacesUnknown)?;
    let case = view.case.ok_or(Reason::ReplacesUnknown)?;
    if case.is_over(at.oslo_date()) {
        return Err(Reason::CaseEnded.into());
    }
    match submission.kind {
        MessageKind::ConditionNotice => {
            notice::replaceable(view)?;
        }
        MessageKind::NonAttendanceReport | MessageKind::LabResult => {
            if replaced.fate != Fate::Live || replaced.is_withdrawal() {
                return Err(Reason::ReplacesSettled.into());
            }
            if case.messages.len() >= Case::MESSAGES_MAX {
                return Err(Reason::TooManyCorrections.into());
            }
        }
    }
    let requisition = match submission.kind {
        MessageKind::ConditionNotice | MessageKind::LabResult => case.requisition_id,
        MessageKind::NonAttendanceReport => None,
    };
    let acceptance = acceptance(view, permit, submission, &replaced.main.recipient, case.case_ref, requisition);
    Ok(match submission.kind {
        MessageKind::ConditionNotice => Event::NoticeWithdrawn { acceptance, reason },
        MessageKind::NonAttendanceReport => Event::ReportWithdrawn { acceptance, reason },
        MessageKind::LabResult => Event::ResultWithdrawn { acceptance, reason },
    })
}
