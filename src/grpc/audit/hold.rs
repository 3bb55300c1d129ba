//! Legal holds, from and to the wire.

use tonic::Status;

use crate::domain::hold::{Hold, HoldCopy, HoldReason};
use crate::domain::id::CaseRef;
use crate::domain::time::{Date, parse_date};
use crate::gateway::HoldInForce;
use crate::grpc::{pb, status};
use crate::policy::reason::Reason;

/// The terms of a hold, parsed.
pub(super) struct Placed {
    pub(super) case_ref: CaseRef,
    pub(super) reason: HoldReason,
    pub(super) until: Date,
}

pub(super) fn placed(request: &pb::PlaceHoldRequest) -> Result<Placed, Status> {
    let case_ref = request.case_ref.parse().map_err(|error| status::of_id("case_ref", error))?;
    let reason = u16::try_from(request.reason).ok().and_then(HoldReason::of_number);
    let reason = reason.ok_or_else(|| status::of_argument("reason", Reason::BadArgument, "name one of the reasons of HoldReason"))?;
    let until = parse_date(&request.until)
        .ok_or_else(|| status::of_argument("until", Reason::BadArgument, "a day is YYYY-MM-DD, in Oslo's calendar"))?;
    Ok(Placed { case_ref, reason, until })
}

pub(super) fn hold(HoldInForce { hold, terms, copy }: &HoldInForce) -> pb::Hold {
    let Hold { case, placed, auditor, key_label, reason, until, ground } = hold;
    pb::Hold {
        case_ref: case.case_ref.to_string(),
        reason: reason.number().into(),
        until: until.to_string(),
        index: *placed,
        auditor: auditor.to_string(),
        key_label: key_label.clone(),
        ground: ground.as_ref().map(ToString::to_string),
        terms_index: *terms,
        copy: of_copy(*copy).into(),
        lost: copy.lost(),
    }
}

pub(super) const fn of_copy(copy: HoldCopy) -> pb::HoldCopy {
    match copy {
        HoldCopy::Pending => pb::HoldCopy::Pending,
        HoldCopy::Whole => pb::HoldCopy::Whole,
        HoldCopy::NotWhole { .. } => pb::HoldCopy::NotWhole,
        HoldCopy::Lost { .. } => pb::HoldCopy::Lost,
    }
}
