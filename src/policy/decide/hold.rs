//! Legal holds: placed, lifted, over.

use super::{Decision, one};
use crate::audit::event::Event;
use crate::domain::hold::{HeldCase, HoldGround, HoldReason, latest_end, needs_ground};
use crate::domain::limits::HOLDS_MAX;
use crate::domain::scope::AuditScope;
use crate::domain::time::{Date, Timestamp};
use crate::policy::permit::{Caller, Denial, NO_CONTENT, Permit};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::policy::view::View;

/// A second hold on a case is other terms for the first.
pub(super) fn place(
    view: &View<'_>,
    permit: &Permit,
    (case, reason, until): (&HeldCase, HoldReason, Date),
    (oldest, ground): (Option<Date>, Option<&HoldGround>),
    at: Timestamp,
) -> Result<Decision, Denial> {
    permit.redeem(Verb::PlaceHold, &NO_CONTENT, view.register)?;
    check_owner(view, permit.caller())?;
    let today = at.oslo_date();
    if until <= today {
        return Err(Reason::HoldEndPast.into());
    }
    if until > latest_end(today, ground.is_some()) {
        return Err(Reason::HoldTooLong.into());
    }
    if view.hold.is_none() && view.holds >= HOLDS_MAX {
        return Err(Reason::TooManyHolds.into());
    }
    let caller = permit.caller();
    one(Event::HoldPlaced {
        auditor: caller.id().clone(),
        key_label: caller.key_label.clone(),
        case: case.clone(),
        reason,
        until,
        // The log claims no basis that nobody needs.
        ground: ground.filter(|_| needs_ground(until, oldest.map(|oldest| oldest.min(today)))).cloned(),
    })
}

/// Lifting a hold, or giving it other terms, lets records be erased: that is for the auditor who placed it, and for one who sees the whole log. One who
/// sees a part of the case only would order what it may not see to be erased; also to lengthen a hold would make it its own.
fn check_owner(view: &View<'_>, caller: &Caller) -> Result<(), Denial> {
    let Some(hold) = view.hold else { return Ok(()) };
    let sees_all = || view.register.get(caller.id()).is_some_and(|entry| entry.scope == Some(AuditScope::All));
    if hold.auditor == *caller.id() || sees_all() { Ok(()) } else { Err(Reason::HoldOfAnother.into()) }
}

pub(super) fn lift(view: &View<'_>, permit: &Permit) -> Result<Decision, Denial> {
    permit.redeem(Verb::LiftHold, &NO_CONTENT, view.register)?;
    let hold = view.hold.ok_or(Reason::HoldUnknown)?;
    let caller = permit.caller();
    check_owner(view, caller)?;
    one(Event::HoldLifted { auditor: caller.id().clone(), key_label: caller.key_label.clone(), case: hold.case.clone() })
}

pub(super) fn end(view: &View<'_>, at: Timestamp) -> Decision {
    let over = view.hold.filter(|hold| hold.until < at.oslo_date());
    Decision::Events(over.map(|hold| Event::HoldEnded { case: hold.case.clone() }).into_iter().collect())
}
