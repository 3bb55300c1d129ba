//! Legal holds: who places them, for how long, and what ends them.

use super::case_bed::{Bed, LAB, OSLO, RU_OSLO, date, events, participant, register, wish};
use crate::domain::hold::{HeldCase, HoldGround, HoldReason};
use crate::domain::id::CaseRef;
use crate::domain::limits::HOLDS_MAX;
use crate::domain::participant::Role;
use crate::domain::scope::AuditScope;
use crate::domain::time::Timestamp;
use crate::policy::command::Command;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{OverdueAfter, RecordFilter};

const NEVER: OverdueAfter = OverdueAfter { notice_millis: i64::MAX / 4, report_millis: i64::MAX / 4, result_millis: i64::MAX / 4 };

fn case(case_ref: CaseRef) -> HeldCase {
    HeldCase { case_ref, prosecution: Some(OSLO.parse().unwrap()), unit: Some(RU_OSLO.parse().unwrap()) }
}

pub(crate) async fn place_hold(bed: &Bed, case_ref: CaseRef, reason: HoldReason, until: &str) -> Result<usize, Reason> {
    place(bed, case_ref, reason, until, None).await
}

pub(crate) async fn place(
    bed: &Bed,
    case_ref: CaseRef,
    reason: HoldReason,
    until: &str,
    ground: Option<HoldGround>,
) -> Result<usize, Reason> {
    let (case, until, oldest) = (case(case_ref), date(until), Some(bed.store().now().oslo_date()));
    bed.act("tilsyn", Verb::PlaceHold, |permit| Command::PlaceHold { permit, case, reason, until, oldest, ground }).await.map(events)
}

async fn lift(bed: &Bed, case_ref: CaseRef) -> Result<usize, Reason> {
    bed.act("tilsyn", Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref }).await.map(events)
}

async fn opened(bed: &Bed) -> CaseRef {
    bed.send_notice(&wish(), None).await.unwrap().1.case_ref.unwrap()
}

pub(super) async fn a_hold_has_a_reason_and_a_last_day_and_other_terms_change_it(bed: &Bed) {
    bed.ready().await;
    let case_ref = opened(bed).await;
    let size = bed.store().stats().await.unwrap().durable_size;
    assert_eq!(place_hold(bed, case_ref, HoldReason::Complaint, "2027-06-30").await, Ok(1));
    assert_eq!(place_hold(bed, case_ref, HoldReason::CourtProceedings, "2027-08-31").await, Ok(1));
    let holds = bed.store().holds().await.unwrap();
    assert_eq!(holds.len(), 1);
    assert_eq!((holds[0].placed, holds[0].reason, holds[0].until), (size, HoldReason::CourtProceedings, date("2027-08-31")));
    assert_eq!((holds[0].auditor.as_str(), holds[0].key_label.as_str(), &holds[0].case), ("tilsyn", "k1", &case(case_ref)));
    let page = bed.store().records(&RecordFilter { kinds: vec![63], ..RecordFilter::default() }, 10).await.unwrap();
    let first = page.entries[0].record.as_ref().unwrap();
    assert_eq!((first.case_ref, first.reason, first.note.as_deref()), (Some(case_ref), Some(2), Some("until 2027-06-30")));
    assert_eq!((first.sender.as_ref().unwrap().as_str(), first.recipient.as_ref().unwrap().as_str()), (OSLO, RU_OSLO));
}

pub(super) async fn a_hold_ends_later_than_today_and_within_the_lawful_maximum(bed: &Bed) {
    bed.ready().await;
    let case_ref = opened(bed).await;
    let placed = |until: &'static str| place_hold(bed, case_ref, HoldReason::Complaint, until);
    assert_eq!(placed("2026-11-19").await, Err(Reason::HoldEndPast));
    assert_eq!(placed("2026-11-20").await, Err(Reason::HoldEndPast), "today is no later day");
    assert_eq!(placed("2026-11-21").await, Ok(1));
    assert_eq!(placed("2029-11-01").await, Err(Reason::HoldTooLong), "a record of today must be gone by then");
    assert_eq!(placed("2029-10-31").await, Ok(1));
    let ground = || Some(HoldGround::try_from("arkivlova § 9".to_owned()).unwrap());
    assert_eq!(place(bed, case_ref, HoldReason::Complaint, "2036-11-21", ground()).await, Err(Reason::HoldTooLong));
    let borne = async || bed.store().holds().await.unwrap()[0].ground.as_ref().map(ToString::to_string);
    assert_eq!(place(bed, case_ref, HoldReason::Complaint, "2036-11-20", ground()).await, Ok(1));
    assert_eq!(borne().await.as_deref(), Some("arkivlova § 9"));
    assert_eq!(place(bed, case_ref, HoldReason::Complaint, "2029-10-31", ground()).await, Ok(1));
    assert_eq!(borne().await, None, "within the maximum none is needed, and none is claimed");
    assert_eq!(place(bed, case_ref, HoldReason::Complaint, "2029-11-01", ground()).await, Ok(1));
    assert_eq!(borne().await.as_deref(), Some("arkivlova § 9"), "a day more, and it is");
}

pub(super) async fn a_hold_is_lifted_once_and_only_where_there_is_one(bed: &Bed) {
    bed.ready().await;
    let case_ref = opened(bed).await;
    assert_eq!(lift(bed, case_ref).await, Err(Reason::HoldUnknown));
    place_hold(bed, case_ref, HoldReason::SecurityIncident, "2027-06-30").await.unwrap();
    assert_eq!(lift(bed, case_ref).await, Ok(1));
    assert_eq!(lift(bed, case_ref).await, Err(Reason::HoldUnknown));
    assert!(bed.store().holds().await.unwrap().is_empty());
}

pub(super) async fn a_hold_is_changed_and_lifted_by_its_auditor_or_one_of_the_whole_log(bed: &Bed) {
    let part = |scope: Option<AuditScope>| {
        register(1, |participants| {
            let mut other = participant("tilsyn-lab", Role::Auditor, "988312495", &[]);
            other.scope = scope;
            participants.push(other);
        })
    };
    bed.load(part(Some(AuditScope::Participants([LAB.parse().unwrap()].into())))).await;
    let (case_ref, own) = (opened(bed).await, opened(bed).await);
    place_hold(bed, case_ref, HoldReason::Complaint, "2027-06-30").await.unwrap();
    let place_as_other = async |case_ref, until: &str| {
        let (case, until) = (case(case_ref), date(until));
        let command = |permit| Command::PlaceHold { permit, case, reason: HoldReason::Complaint, until, oldest: None, ground: None };
        bed.act("tilsyn-lab", Verb::PlaceHold, command).await.map(events)
    };
    let lift_as_other =
        async |case_ref| bed.act("tilsyn-lab", Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref }).await.map(events);
    assert_eq!(place_as_other(case_ref, "2026-11-26").await, Err(Reason::HoldOfAnother), "shorter");
    assert_eq!(place_as_other(case_ref, "2027-07-31").await, Err(Reason::HoldOfAnother), "longer would make it its own");
    assert_eq!(lift_as_other(case_ref).await, Err(Reason::HoldOfAnother));
    assert_eq!(place_as_other(own, "2027-06-30").await, Ok(1));
    assert_eq!(lift_as_other(own).await, Ok(1));
    place_as_other(own, "2027-06-30").await.unwrap();
    assert_eq!(lift(bed, own).await, Ok(1), "an auditor of the whole log lifts any");
    assert_eq!(bed.store().holds().await.unwrap().len(), 1);
}

pub(super) async fn a_hold_is_over_the_day_after_its_last(bed: &Bed) {
    bed.ready().await;
    let case_ref = opened(bed).await;
    place_hold(bed, case_ref, HoldReason::DataSubjectRequest, "2026-12-10").await.unwrap();
    let due = || async { bed.store().due(bed.store().now(), NEVER, 10).await.unwrap().holds };
    bed.world.clock.set(Timestamp::start_of(date("2026-12-11")).plus_millis(-1));
    assert!(due().await.is_empty(), "the last day is not over");
    assert_eq!(bed.store().act(Command::EndHold { case_ref }).await.map(events), Ok(0));
    bed.world.clock.set(Timestamp::start_of(date("2026-12-11")));
    assert_eq!(due().await, [case_ref]);
    assert_eq!(bed.store().act(Command::EndHold { case_ref }).await.map(events), Ok(1));
    assert_eq!(bed.store().act(Command::EndHold { case_ref }).await.map(events), Ok(0), "it has ended already");
    assert!(due().await.is_empty() && bed.store().holds().await.unwrap().is_empty());
}

pub(super) async fn holds_are_bounded_and_an_auditor_s(bed: &Bed) {
    bed.ready().await;
    let refused = bed.act(OSLO, Verb::PlaceHold, |permit| Command::PlaceHold {
        permit,
        case: case(CaseRef::from_bytes([1; 10])),
        reason: HoldReason::Complaint,
        until: date("2027-06-30"),
        oldest: None,
        ground: None,
    });
    assert_eq!(refused.await.err(), Some(Reason::CallNotAllowed));
    let number = |n: usize| {
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&(n as u64).to_be_bytes());
        CaseRef::from_bytes(bytes)
    };
    for n in 0..HOLDS_MAX {
        place_hold(bed, number(n), HoldReason::Complaint, "2027-06-30").await.unwrap();
    }
    assert_eq!(place_hold(bed, number(HOLDS_MAX), HoldReason::Complaint, "2027-06-30").await, Err(Reason::TooManyHolds));
    assert_eq!(place_hold(bed, number(7), HoldReason::Complaint, "2027-07-31").await, Ok(1), "other terms are no further hold");
}
