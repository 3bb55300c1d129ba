//! The end of a case: three months after probation.

use super::case_bed::{Bed, INNLANDET, LAB, LAB_2, NoticeWish, OSLO, RU_HAMAR, RU_OSLO, date, id, report, result, wish};
use crate::domain::participant::Register;
use crate::domain::time::Timestamp;
use crate::policy::case::DeliveryStatus;
use crate::policy::command::{Body, Command};
use crate::policy::reason::Reason;
use crate::store::OverdueAfter;

const NEVER: OverdueAfter = OverdueAfter { notice_millis: i64::MAX / 4, report_millis: i64::MAX / 4, result_millis: i64::MAX / 4 };

fn short() -> NoticeWish {
    NoticeWish { probation_end: "2027-05-31", ..wish() }
}

fn set(bed: &Bed, day: &str) {
    bed.world.clock.set(Timestamp::start_of(date(day)));
}

pub(super) async fn a_case_ends_three_months_after_probation(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&short(), None).await.unwrap();
    let case_ref = opened.case_ref.unwrap();
    bed.take(RU_OSLO).await;
    set(bed, "2027-08-30");
    bed.send(RU_OSLO, Body::Report(report(case_ref, "2027-05-30")), None).await.expect("the last day but one");
    assert!(bed.store().due(bed.store().now(), NEVER, 10).await.unwrap().ended.is_empty());
    set(bed, "2027-08-31");
    assert_eq!(bed.store().due(bed.store().now(), NEVER, 10).await.unwrap().ended, [case_ref]);
    let late = bed.send(RU_OSLO, Body::Report(report(case_ref, "2027-05-30")), None).await;
    assert_eq!(late.err(), Some(Reason::CaseEnded), "by its date, also before the sweep came by");
    assert_eq!(bed.send_notice(&short(), Some(first)).await.err(), Some(Reason::ProbationOver));
    let longer = NoticeWish { probation_end: "2028-01-01", ..wish() };
    assert_eq!(bed.send_notice(&longer, Some(first)).await.err(), Some(Reason::CaseEnded), "an ended case is not revived");
}

pub(super) async fn undelivered_content_ends_with_its_case_after_being_overdue(bed: &Bed) {
    bed.ready().await;
    let (notice, opened) = bed.send_notice(&short(), None).await.unwrap();
    let (lab_result, _) = bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.unwrap();
    let (notice_item, result_item) = (bed.waiting(RU_OSLO).await[0].item, bed.waiting(OSLO).await[0].item);
    set(bed, "2027-09-01");
    let case_ref = opened.case_ref.unwrap();
    bed.store().act(Command::EndCase { case_ref }).await.unwrap();
    assert_eq!(bed.status(OSLO, notice).await, Some(DeliveryStatus::EndedUndelivered));
    assert_eq!(bed.status(LAB, lab_result).await, Some(DeliveryStatus::EndedUndelivered));
    for (who, item) in [(RU_OSLO, notice_item), (OSLO, result_item)] {
        assert!(bed.waiting(who).await.is_empty());
        assert_eq!(bed.store().content(item).await.unwrap(), None);
    }
    let page = bed.store().records(&crate::store::RecordFilter { case_ref: Some(case_ref), ..Default::default() }, 100).await.unwrap();
    let kinds: Vec<u16> = page.entries.iter().map(|entry| entry.record.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [10, 14, 23, 23, 25, 25, 24], "overdue before ended, for each");
    assert_eq!(bed.store().stats().await.unwrap().undelivered, 0);
}

pub(super) async fn an_ended_case_is_forgotten_later(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&short(), None).await.unwrap();
    let case_ref = opened.case_ref.unwrap();
    bed.take(RU_OSLO).await;
    set(bed, "2027-09-01");
    bed.store().act(Command::EndCase { case_ref }).await.unwrap();
    let late = |who: &'static str| bed.send(who, Body::Report(report(case_ref, "2027-05-30")), None);
    assert_eq!(late(RU_OSLO).await.err(), Some(Reason::CaseEnded));
    assert_eq!(late(RU_HAMAR).await.err(), Some(Reason::ReferenceUnknown));
    assert!(bed.store().due(bed.store().now(), NEVER, 10).await.unwrap().forgotten.is_empty());
    set(bed, "2027-10-02");
    assert_eq!(bed.store().due(bed.store().now(), NEVER, 10).await.unwrap().forgotten, [case_ref]);
    bed.store().act(Command::ForgetCase { case_ref }).await.unwrap();
    assert_eq!(late(RU_OSLO).await.err(), Some(Reason::ReferenceUnknown), "nothing is left to know it by");
    assert_eq!(bed.status(OSLO, first).await, None);
    assert!(bed.store().receipt(&id(OSLO), first).await.unwrap().is_some(), "the receipt lives while the record lives");
    let stats = bed.store().stats().await.unwrap();
    assert_eq!((stats.cases, stats.undelivered), (0, 0));
}

pub(super) async fn a_participant_with_mail_or_cases_is_needed(bed: &Bed) {
    bed.ready().await;
    let needed = |who: &'static str| bed.store().is_needed_now(who);
    assert!(!needed(OSLO).await && !needed(RU_OSLO).await && !needed(LAB).await);
    let (_, opened) = bed.send_notice(&NoticeWish { laboratories: vec![LAB.into()], ..short() }, None).await.unwrap();
    assert!(needed(OSLO).await && needed(RU_OSLO).await && needed(LAB).await);
    assert!(!needed(INNLANDET).await && !needed(RU_HAMAR).await);
    bed.take(RU_OSLO).await;
    set(bed, "2027-09-01");
    bed.store().act(Command::EndCase { case_ref: opened.case_ref.unwrap() }).await.unwrap();
    assert!(!needed(OSLO).await && !needed(RU_OSLO).await && !needed(LAB).await);
}

trait Needed {
    async fn is_needed_now(&self, who: &str) -> bool;
}

impl Needed for dyn crate::store::Store {
    async fn is_needed_now(&self, who: &str) -> bool {
        self.register_past(&Register::default()).await.unwrap().is_needed(&id(who))
    }
}

pub(super) async fn an_ended_case_keeps_its_parties_and_nothing_else(bed: &Bed) {
    bed.ready().await;
    let only = NoticeWish { laboratories: vec![LAB.into()], ..short() };
    let (_, opened) = bed.send_notice(&only, None).await.unwrap();
    let requisition = opened.requisition_id.unwrap();
    bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.unwrap();
    bed.take(RU_OSLO).await;
    bed.take(OSLO).await;
    set(bed, "2027-09-01");
    bed.store().act(Command::EndCase { case_ref: opened.case_ref.unwrap() }).await.unwrap();
    let filed = |who: &'static str| bed.send(who, Body::Result(result(requisition, "P-1")), None);
    assert_eq!(filed(LAB).await.err(), Some(Reason::CaseEnded), "a party still hears that it has ended");
    assert_eq!(filed(LAB_2).await.err(), Some(Reason::ReferenceUnknown), "a laboratory that the order did not name never was one");
}
