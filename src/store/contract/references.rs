//! What a report and a result are checked against, and who hears why.

use super::case_bed::{Bed, INNLANDET, LAB, LAB_2, NoticeWish, OSLO, RU_HAMAR, RU_OSLO, date, report, result, wish};
use crate::audit::event::MessageKind::ConditionNotice;
use crate::domain::id::{CaseRef, RequisitionId};
use crate::domain::reason::NoticeWithdrawal;
use crate::domain::report::MissedAppointment;
use crate::domain::result::ResultFacts;
use crate::domain::sample::Matrix;
use crate::domain::substance::SubstanceGroup;
use crate::policy::command::Body;
use crate::policy::reason::Reason;

pub(super) async fn a_report_needs_an_acknowledged_notice_of_this_unit(bed: &Bed) {
    bed.ready().await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let case_ref = opened.case_ref.unwrap();
    let send = || bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-12")), None);
    assert_eq!(send().await.err(), Some(Reason::NoticeNotAcknowledged));
    bed.fetch(RU_OSLO).await;
    assert_eq!(send().await.err(), Some(Reason::NoticeNotAcknowledged), "handed out is not acknowledged");
    bed.take(RU_OSLO).await;
    send().await.unwrap();
    let items = bed.waiting(OSLO).await;
    assert_eq!(items.len(), 1);
    assert!(bed.waiting(INNLANDET).await.is_empty(), "to the prosecution that set the condition and no other");
}

pub(super) async fn a_report_needs_the_condition_and_dates_inside_probation(bed: &Bed) {
    bed.ready().await;
    let (_, attendance) = bed.send_notice(&NoticeWish { control: false, ..wish() }, None).await.unwrap();
    let (_, control) = bed.send_notice(&NoticeWish { attendance: false, ..wish() }, None).await.unwrap();
    bed.take(RU_OSLO).await;
    let mut missed_control = report(attendance.case_ref.unwrap(), "2026-11-12");
    missed_control.missed = MissedAppointment::DrugControl;
    assert_eq!(bed.send(RU_OSLO, Body::Report(missed_control.clone()), None).await.err(), Some(Reason::ConditionNotSet));
    let missed_talk = report(control.case_ref.unwrap(), "2026-11-12");
    assert_eq!(bed.send(RU_OSLO, Body::Report(missed_talk), None).await.err(), Some(Reason::ConditionNotSet));
    missed_control.case_ref = control.case_ref.unwrap();
    bed.send(RU_OSLO, Body::Report(missed_control), None).await.unwrap();
    for outside in ["2026-11-01", "2028-11-02"] {
        let facts = report(attendance.case_ref.unwrap(), outside);
        assert_eq!(bed.send(RU_OSLO, Body::Report(facts), None).await.err(), Some(Reason::DateOutsideProbation), "{outside}");
    }
}

pub(super) async fn a_result_needs_no_acknowledgement(bed: &Bed) {
    bed.ready().await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.expect("the unit has not even fetched");
    assert_eq!(bed.waiting(OSLO).await.len(), 1);
    assert_eq!(bed.waiting(RU_OSLO).await.len(), 1, "the unit has the notice and no result");
}

pub(super) async fn a_result_keeps_to_the_order(bed: &Bed) {
    bed.ready().await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let requisition = opened.requisition_id.unwrap();
    let send = |change: fn(&mut ResultFacts)| {
        let mut facts = result(requisition, "P-1");
        change(&mut facts);
        bed.send(LAB, Body::Result(facts), None)
    };
    assert_eq!(send(|facts| facts.matrix = Matrix::Blood).await.err(), Some(Reason::MatrixNotOrdered));
    assert_eq!(send(|facts| facts.groups.push(SubstanceGroup::Opiates)).await.err(), Some(Reason::GroupNotOrdered));
    assert_eq!(send(|facts| facts.groups.truncate(1)).await.err(), Some(Reason::GroupMissing));
    assert_eq!(send(|facts| facts.collected_on = Some(date("2026-11-04"))).await.err(), Some(Reason::CollectedOutsidePeriod));
    assert_eq!(send(|facts| facts.collected_on = Some(date("2027-05-02"))).await.err(), Some(Reason::CollectedOutsidePeriod));
    assert_eq!(
        send(|facts| {
            facts.collected_on = None;
            facts.received_on = date("2026-11-04");
        })
        .await
        .err(),
        Some(Reason::CollectedOutsidePeriod)
    );
    send(|facts| facts.collected_on = None).await.expect("an openly missing date of collection");
}

pub(super) async fn an_order_that_names_laboratories_admits_no_other(bed: &Bed) {
    bed.ready().await;
    let only = NoticeWish { laboratories: vec![LAB.into()], ..wish() };
    let (_, opened) = bed.send_notice(&only, None).await.unwrap();
    let requisition = opened.requisition_id.unwrap();
    let other = bed.send(LAB_2, Body::Result(result(requisition, "P-1")), None).await;
    assert_eq!(other.err(), Some(Reason::ReferenceUnknown), "no party: as if the requisition never was");
    bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.unwrap();
}

pub(super) async fn parties_hear_why_and_strangers_hear_unknown(bed: &Bed) {
    bed.ready().await;
    let only = NoticeWish { laboratories: vec![LAB.into()], ..wish() };
    let (first, opened) = bed.send_notice(&only, None).await.unwrap();
    bed.take(RU_OSLO).await;
    bed.withdraw(OSLO, ConditionNotice, first, NoticeWithdrawal::WrongSubject.number()).await.unwrap();
    let (case_ref, requisition) = (opened.case_ref.unwrap(), opened.requisition_id.unwrap());
    let to = |who: &'static str, requisition| bed.send(who, Body::Result(result(requisition, "P-1")), None);
    assert_eq!(to(LAB, requisition).await.err(), Some(Reason::RequisitionWithdrawn));
    assert_eq!(to(LAB_2, requisition).await.err(), Some(Reason::ReferenceUnknown));
    assert_eq!(to(LAB, RequisitionId::from_bytes([5; 10])).await.err(), Some(Reason::ReferenceUnknown));
    let by = |who: &'static str, case_ref| bed.send(who, Body::Report(report(case_ref, "2026-11-12")), None);
    assert_eq!(by(RU_OSLO, case_ref).await.err(), Some(Reason::NoticeWithdrawn));
    assert_eq!(by(RU_HAMAR, case_ref).await.err(), Some(Reason::ReferenceUnknown));
    assert_eq!(by(RU_HAMAR, CaseRef::from_bytes([5; 10])).await.err(), Some(Reason::ReferenceUnknown));
    bed.world.clock.set(crate::domain::time::Timestamp::start_of(date("2029-02-01")));
    assert_eq!(to(LAB, requisition).await.err(), Some(Reason::CaseEnded));
    assert_eq!(by(RU_OSLO, case_ref).await.err(), Some(Reason::CaseEnded));
    assert_eq!(to(LAB_2, requisition).await.err(), Some(Reason::ReferenceUnknown));
    assert_eq!(by(RU_HAMAR, case_ref).await.err(), Some(Reason::ReferenceUnknown));
}

pub(super) async fn a_revoked_condition_ends_the_requisition(bed: &Bed) {
    bed.ready().await;
    for reason in [NoticeWithdrawal::ConditionRevoked, NoticeWithdrawal::WrongSubject, NoticeWithdrawal::SentInError] {
        let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
        bed.withdraw(OSLO, ConditionNotice, first, reason.number()).await.unwrap();
        let refused = bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await;
        assert_eq!(refused.err(), Some(Reason::RequisitionWithdrawn), "{reason:?}");
    }
}

pub(super) async fn a_transferred_case_takes_samples_collected_before(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    bed.withdraw(OSLO, ConditionNotice, first, NoticeWithdrawal::CaseTransferred.number()).await.unwrap();
    let requisition = opened.requisition_id.unwrap();
    bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.expect("collected before the transfer");
    assert_eq!(bed.waiting(OSLO).await.len(), 1, "still to the old requisitioner");
    let mut after = result(requisition, "P-2");
    after.collected_on = Some(date("2026-11-20"));
    assert_eq!(bed.send(LAB, Body::Result(after), None).await.err(), Some(Reason::RequisitionWithdrawn));
}

pub(super) async fn the_order_in_force_on_the_day_of_collection_counts(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&NoticeWish { to: "2026-11-30", ..wish() }, None).await.unwrap();
    bed.advance_days(20);
    let (_, _) = bed.send_notice(&NoticeWish { from: "2026-12-10", to: "2027-02-01", ..wish() }, Some(first)).await.unwrap();
    let requisition = opened.requisition_id.unwrap();
    let on = |label: &'static str, day: &str| {
        let mut facts = result(requisition, label);
        facts.collected_on = Some(date(day));
        bed.send(LAB, Body::Result(facts), None)
    };
    on("P-1", "2026-11-25").await.expect("inside the order of that day");
    assert_eq!(on("P-2", "2026-12-05").await.err(), Some(Reason::CollectedOutsidePeriod), "after the first order, before the second");
    on("P-3", "2026-12-10").await.expect("inside the second order");
}

pub(super) async fn notices_need_a_served_municipality_a_known_contact_and_enrolled_laboratories(bed: &Bed) {
    bed.ready().await;
    let send = |wish: NoticeWish| async move { bed.send_notice(&wish, None).await.err() };
    assert_eq!(send(NoticeWish { municipality: "5501", ..wish() }).await, Some(Reason::MunicipalityNotServed));
    assert_eq!(send(NoticeWish { contact: "ukjent", ..wish() }).await, Some(Reason::ContactUnknown));
    assert_eq!(send(NoticeWish { laboratories: vec!["lab-ukjent".into()], ..wish() }).await, Some(Reason::LaboratoryUnknown));
    assert_eq!(send(NoticeWish { laboratories: vec![RU_OSLO.into()], ..wish() }).await, Some(Reason::LaboratoryUnknown), "a unit is none");
    assert_eq!(send(wish()).await, None);
}
