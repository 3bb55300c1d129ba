//! What auditors ask and state: an event each.

use super::{Decision, one};
use crate::audit::event::{Asked, Event};
use crate::domain::id::{CaseRef, ParticipantId};
use crate::domain::participant::Role;
use crate::domain::time::{Date, Timestamp};
use crate::policy::permit::{Denial, NO_CONTENT, Permit};
use crate::policy::reason::Reason;
use crate::policy::table::{Verb, role_of};
use crate::policy::view::View;

fn redeem(view: &View<'_>, permit: &Permit) -> Result<(), Denial> {
    if !matches!(role_of(permit.verb()), Role::Auditor | Role::Mirror) {
        return Err(Reason::Internal.into());
    }
    permit.redeem(permit.verb(), &NO_CONTENT, view.register)
}

pub(super) fn read(
    view: &View<'_>,
    permit: &Permit,
    case_ref: Option<CaseRef>,
    participant: Option<&ParticipantId>,
) -> Result<Decision, Denial> {
    redeem(view, permit)?;
    let caller = permit.caller();
    one(Event::AuditRead {
        auditor: caller.id().clone(),
        key_label: caller.key_label.clone(),
        verb: permit.verb().number(),
        case_ref,
        participant: participant.cloned(),
    })
}

pub(super) fn ask(view: &View<'_>, permit: &Permit, asked: &Asked) -> Result<Decision, Denial> {
    redeem(view, permit)?;
    let caller = permit.caller();
    one(Event::AuditAsked {
        auditor: caller.id().clone(),
        key_label: caller.key_label.clone(),
        verb: permit.verb().number(),
        asked: Box::new(asked.clone()),
    })
}

/// A period that is not over cannot have been reviewed.
pub(super) fn review(view: &View<'_>, permit: &Permit, from: Date, to: Date, at: Timestamp) -> Result<Decision, Denial> {
    permit.redeem(Verb::Review, &NO_CONTENT, view.register)?;
    if from > to || to >= at.oslo_date() {
        return Err(Reason::PeriodNotOver.into());
    }
    let caller = permit.caller();
    one(Event::Reviewed { auditor: caller.id().clone(), key_label: caller.key_label.clone(), from, to })
}
