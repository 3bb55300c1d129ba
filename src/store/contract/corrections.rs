//! Replacements, withdrawals, returns and moves.

use super::case_bed::{Bed, INNLANDET, LAB, NoticeWish, OSLO, RU_HAMAR, RU_OSLO, report, result, wish};
use crate::audit::event::MessageKind::{ConditionNotice, LabResult, NonAttendanceReport};
use crate::domain::reason::NoticeWithdrawal;
use crate::domain::sample::SamplePart;
use crate::policy::case::{DeliveryStatus, ItemBody};
use crate::policy::command::{Body, Command};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;

fn hamar() -> NoticeWish {
    NoticeWish { municipality: "3403", ..wish() }
}

pub(super) async fn a_replacement_keeps_references_and_subject_and_changes_all_else(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let changed = NoticeWish { control: false, probation_end: "2027-11-01", ..hamar() };
    let (second, replaced) = bed.send_notice(&changed, Some(first)).await.unwrap();
    assert_eq!((replaced.case_ref, replaced.requisition_id), (opened.case_ref, opened.requisition_id), "labels are printed");
    assert_ne!(first, second);
    assert_eq!(bed.status(OSLO, first).await, Some(DeliveryStatus::Superseded));
    assert_eq!(bed.status(OSLO, second).await, Some(DeliveryStatus::Accepted));
}

pub(super) async fn a_replacement_about_another_person_is_refused(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    let other = NoticeWish { subject: "30908299902", ..wish() };
    assert_eq!(bed.send_notice(&other, Some(first)).await.err(), Some(Reason::SubjectDiffers));
    let stranger = bed.send(INNLANDET, Body::Notice(Box::new(super::case_bed::notice(&wish()))), Some(first)).await;
    assert_eq!(stranger.err(), Some(Reason::ReplacesUnknown), "only its own sender replaces a notice");
}

pub(super) async fn a_replaced_notice_that_nobody_fetched_is_never_delivered(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    let old = bed.waiting(RU_OSLO).await[0].item;
    bed.send_notice(&wish(), Some(first)).await.unwrap();
    let items = bed.waiting(RU_OSLO).await;
    assert_eq!(items.len(), 1);
    assert_ne!(items[0].item, old);
    assert_eq!(items[0].replaces, None, "the unit never saw what was replaced");
    assert_eq!(bed.store().content(old).await.unwrap(), None);
}

pub(super) async fn a_replaced_notice_that_was_fetched_is_followed_by_its_replacement(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    let old = bed.fetch(RU_OSLO).await[0].item;
    let (second, _) = bed.send_notice(&wish(), Some(first)).await.unwrap();
    bed.send_notice(&wish(), Some(second)).await.unwrap();
    let items = bed.waiting(RU_OSLO).await;
    assert_eq!(items.len(), 2, "the second was never fetched and never will be");
    assert_eq!(items[0].item, old, "never before its original");
    assert_eq!(items[1].replaces, Some(old), "named by what the unit knows");
    assert!(bed.store().content(old).await.unwrap().is_some(), "kept until acknowledged");
}

pub(super) async fn a_move_tells_the_old_unit_and_ends_its_right_but_for_dates_before(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let case_ref = opened.case_ref.unwrap();
    let old = bed.take(RU_OSLO).await[0].item;
    bed.send_notice(&hamar(), Some(first)).await.unwrap();
    let told = bed.take(RU_OSLO).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].body, ItemBody::Withdrawal { reason: NoticeWithdrawal::SubjectMoved.number() });
    assert_eq!(told[0].replaces, Some(old));
    assert_eq!(bed.take(RU_HAMAR).await.len(), 1);
    bed.advance_days(2);
    let late = bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-21")), None).await;
    assert_eq!(late.err(), Some(Reason::UnitChanged));
    bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-12")), None).await.unwrap();
    bed.send(RU_HAMAR, Body::Report(report(case_ref, "2026-11-21")), None).await.unwrap();
    assert_eq!(bed.waiting(OSLO).await.len(), 2);
}

pub(super) async fn a_move_before_the_first_hand_out_tells_the_old_unit_nothing(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send_notice(&hamar(), Some(first)).await.unwrap();
    assert!(bed.waiting(RU_OSLO).await.is_empty());
    assert_eq!(bed.waiting(RU_HAMAR).await.len(), 1);
}

pub(super) async fn a_withdrawal_before_the_first_hand_out_leaves_nothing_to_deliver(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    let (withdrawal, _) = bed.withdraw(OSLO, ConditionNotice, first, 1).await.unwrap();
    assert!(bed.waiting(RU_OSLO).await.is_empty());
    assert_eq!(bed.status(OSLO, first).await, Some(DeliveryStatus::Withdrawn));
    assert_eq!(bed.status(OSLO, withdrawal).await, Some(DeliveryStatus::NothingToDeliver));
}

pub(super) async fn a_withdrawal_after_the_hand_out_is_an_item_of_its_own(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let old = bed.take(RU_OSLO).await[0].item;
    let (withdrawal, _) = bed.withdraw(OSLO, ConditionNotice, first, NoticeWithdrawal::ConditionRevoked.number()).await.unwrap();
    let items = bed.take(RU_OSLO).await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].body, ItemBody::Withdrawal { reason: NoticeWithdrawal::ConditionRevoked.number() });
    assert_eq!(items[0].replaces, Some(old));
    assert_eq!(bed.status(OSLO, withdrawal).await, Some(DeliveryStatus::Acknowledged));
    let report = bed.send(RU_OSLO, Body::Report(report(opened.case_ref.unwrap(), "2026-11-12")), None).await;
    assert_eq!(report.err(), Some(Reason::NoticeWithdrawn));
}

pub(super) async fn only_the_newest_standing_message_can_be_replaced(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    let (second, _) = bed.send_notice(&wish(), Some(first)).await.unwrap();
    assert_eq!(bed.send_notice(&wish(), Some(first)).await.err(), Some(Reason::ReplacesSettled));
    assert_eq!(bed.withdraw(OSLO, ConditionNotice, first, 1).await.err(), Some(Reason::ReplacesSettled));
    let (withdrawal, _) = bed.withdraw(OSLO, ConditionNotice, second, 1).await.unwrap();
    assert_eq!(bed.send_notice(&wish(), Some(second)).await.err(), Some(Reason::ReplacesSettled));
    assert_eq!(bed.send_notice(&wish(), Some(withdrawal)).await.err(), Some(Reason::ReplacesSettled));
    assert_eq!(bed.send_notice(&wish(), Some(bed.fresh())).await.err(), Some(Reason::ReplacesUnknown));
    assert_eq!(bed.withdraw(RU_OSLO, NonAttendanceReport, second, 1).await.err(), Some(Reason::ReplacesUnknown));
}

pub(super) async fn a_unit_returns_a_notice_and_the_case_waits_for_the_prosecution(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let case_ref = opened.case_ref.unwrap();
    let item = bed.fetch(RU_OSLO).await[0].item;
    assert_eq!(bed.give_back(RU_HAMAR, item).await, Err(Reason::ItemUnknown));
    assert_eq!(bed.give_back(RU_OSLO, item).await, Ok(2), "acknowledged and returned in one");
    assert_eq!(bed.give_back(RU_OSLO, item).await, Ok(0), "again is the same");
    let otherwise = bed.act(RU_OSLO, Verb::Return, |permit| Command::Return { permit, item, reason: 2 }).await;
    assert_eq!(otherwise, Err(Reason::NotReturnable), "another reason is another statement");
    assert_eq!(bed.status(OSLO, first).await, Some(DeliveryStatus::Returned));
    let shown = bed.store().status(&super::case_bed::id(OSLO), first).await.unwrap().unwrap();
    assert_eq!(shown.return_reason, Some(1), "the prosecution is told why");
    let refused = bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-12")), None).await;
    assert_eq!(refused.err(), Some(Reason::NoticeReturned));
    bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.expect("results still arrive");
    bed.send_notice(&hamar(), Some(first)).await.expect("the prosecution sends it anew");
    let told = bed.waiting(RU_OSLO).await;
    assert_eq!(told[0].body, ItemBody::Withdrawal { reason: NoticeWithdrawal::WrongMunicipality.number() });
    assert_eq!(bed.waiting(RU_HAMAR).await.len(), 1);
}

pub(super) async fn a_withdrawal_or_replaced_notice_cannot_be_returned(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    let item = bed.take(RU_OSLO).await[0].item;
    let (second, _) = bed.send_notice(&wish(), Some(first)).await.unwrap();
    assert_eq!(bed.give_back(RU_OSLO, item).await, Err(Reason::NotReturnable), "replaced");
    let newer = bed.take(RU_OSLO).await[0].item;
    bed.withdraw(OSLO, ConditionNotice, second, 1).await.unwrap();
    assert_eq!(bed.give_back(RU_OSLO, newer).await, Err(Reason::NotReturnable), "withdrawn");
    let withdrawal = bed.take(RU_OSLO).await[0].item;
    assert_eq!(bed.give_back(RU_OSLO, withdrawal).await, Err(Reason::NotReturnable), "no notice");
}

pub(super) async fn a_report_is_corrected_and_withdrawn_within_its_case(bed: &Bed) {
    bed.ready().await;
    let (_, one) = bed.send_notice(&wish(), None).await.unwrap();
    let (_, two) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    let case_ref = one.case_ref.unwrap();
    let (first, _) = bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-12")), None).await.unwrap();
    bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-19")), None).await.expect("several reports a case are allowed");
    let other_case = bed.send(RU_OSLO, Body::Report(report(two.case_ref.unwrap(), "2026-11-12")), Some(first)).await;
    assert_eq!(other_case.err(), Some(Reason::ReplacesOther));
    bed.take(OSLO).await;
    let (second, _) = bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-13")), Some(first)).await.unwrap();
    let again = bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-13")), Some(first)).await;
    assert_eq!(again.err(), Some(Reason::ReplacesSettled));
    bed.take(OSLO).await;
    let (withdrawal, _) = bed.withdraw(RU_OSLO, NonAttendanceReport, second, 1).await.unwrap();
    assert_eq!(bed.take(OSLO).await[0].body, ItemBody::Withdrawal { reason: 1 });
    assert_eq!(bed.withdraw(RU_OSLO, NonAttendanceReport, withdrawal, 1).await.err(), Some(Reason::ReplacesSettled));
}

pub(super) async fn a_result_is_corrected_by_its_sample_and_part(bed: &Bed) {
    bed.ready().await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let requisition = opened.requisition_id.unwrap();
    let (first, _) = bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.unwrap();
    assert_eq!(bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.err(), Some(Reason::ResultExists));
    assert_eq!(bed.send(LAB, Body::Result(result(requisition, "P-2")), Some(first)).await.err(), Some(Reason::ReplacesOther));
    let part_b = || {
        let mut facts = result(requisition, "P-1");
        facts.part = SamplePart::B;
        Body::Result(facts)
    };
    assert_eq!(bed.send(LAB, part_b(), Some(first)).await.err(), Some(Reason::ReplacesOther), "B does not replace A");
    bed.send(LAB, part_b(), None).await.expect("a B result stands beside A's");
    bed.send(LAB, Body::Result(result(requisition, "P-2")), None).await.expect("another sample");
    let (second, _) = bed.send(LAB, Body::Result(result(requisition, "P-1")), Some(first)).await.unwrap();
    assert_eq!(bed.status(LAB, first).await, Some(DeliveryStatus::Superseded));
    assert_eq!(bed.send(LAB, Body::Result(result(requisition, "P-1")), Some(first)).await.err(), Some(Reason::ReplacesSettled));
    bed.withdraw(LAB, LabResult, second, 2).await.unwrap();
    bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.expect("after a withdrawal the sample is free again");
}
