//! Legal holds: placed, lifted, over.

use super::{Decision, one};
use crate::audit::event::Event;
use crate::domain::hold::{HeldCase, HoldGround, HoldReason, latest_end};
use crate::domain::limits::HOLDS_MAX;
use crate::domain::time::{Date, Timestamp};
use crate::policy::permit::{Denial, NO_CONTENT, Permit};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::policy::view::View;

/// A second hold on a case is other terms for the first.
pub(super) fn place(
    view: &View<'_>,
    permit: &Permit,
    (case, reason, until): (&HeldCase, HoldReason, Date),
    ground: Option<&HoldGround>,
    at: Timestamp,
) -> Result<Decision, Denial> {
    permit.redeem(Verb::PlaceHold, &NO_CONTENT, view.register)?;
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
        ground: ground.cloned(),
    })
}

pub(super) fn lift(view: &View<'_>, permit: &Permit) -> Result<Decision, Denial> {
    permit.redeem(Verb::LiftHold, &NO_CONTENT, view.register)?;
    let hold = view.hold.ok_or(Reason::HoldUnknown)?;
    let caller = permit.caller();
    one(Event::HoldLifted { auditor: caller.id().clone(), key_label: caller.key_label.clone(), case: hold.case.clone() })
}

pub(super) fn end(view: &View<'_>, at: Timestamp) -> Decision {
    let over = view.hold.filter(|hold| hold.until < at.oslo_date());
    Decision::Events(over.map(|hold| Event::HoldEnded { case: hold.case.clone() }).into_iter().collect())
}
