//! A participant is retired: what it had is its successor's, and nothing of it is anybody else's.

use super::case_bed::{
    Bed, INNLANDET, LAB, LAB_2, NoticeWish, OSLO, RU_HAMAR, RU_OSLO, accepted, id, notice, register, report, result, submission, wish,
};
use crate::audit::event::{MessageKind, kind};
use crate::audit::record::Record;
use crate::domain::participant::{Participant, Register, Standing};
use crate::policy::case::{DeliveryStatus, ItemBody};
use crate::policy::command::Body;
use crate::policy::reason::Reason;
use crate::store::{Cursor, RecordFilter};

/// `who` is retired; a unit's municipalities go to the successor too.
fn retire(all: &mut [Participant], who: &str, successor: &str) {
    let one = all.iter_mut().find(|one| one.id == id(who)).unwrap();
    one.standing = Standing::Retired;
    one.successor = Some(id(successor));
    let served = std::mem::take(&mut one.municipalities);
    all.iter_mut().find(|one| one.id == id(successor)).unwrap().municipalities.extend(served);
}

async fn retired(bed: &Bed, who: &str, successor: &str) {
    let generation = bed.store().register().generation() + 1;
    bed.load(register(generation, |all| retire(all, who, successor))).await;
}

async fn successions(bed: &Bed) -> Vec<Record> {
    let filter = RecordFilter { kinds: vec![kind::SUCCEEDED], ..RecordFilter::default() };
    let page = bed.store().records(&filter, 100).await.unwrap();
    page.entries.into_iter().filter_map(|entry| entry.record).collect()
}

pub(super) async fn undelivered_mail_is_the_successors_with_an_event(bed: &Bed) {
    bed.ready().await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let (fetched, _) = bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.unwrap();
    let (waiting, _) = bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-2")), None).await.unwrap();
    let items = bed.waiting(OSLO).await;
    bed.hand_out(OSLO, "r1", vec![items[0].item]).await.unwrap();
    retired(bed, OSLO, INNLANDET).await;
    assert!(bed.waiting(OSLO).await.is_empty());
    let passed = bed.waiting(INNLANDET).await;
    assert_eq!(passed.iter().map(|item| item.item).collect::<Vec<_>>(), [items[0].item, items[1].item], "in the order of acceptance");
    assert_eq!(bed.status(LAB, fetched).await, Some(DeliveryStatus::HandedOut), "what was handed out was");
    assert_eq!(bed.status(LAB, waiting).await, Some(DeliveryStatus::Accepted));
    for item in &passed {
        assert!(bed.store().content(item.item).await.unwrap().is_some());
    }
    let all: Vec<_> = passed.iter().map(|item| item.item).collect();
    assert_eq!(bed.hand_out(INNLANDET, "r1", all.clone()).await, Ok(2), "its reader of the same name is another reader");
    assert_eq!(bed.acknowledge(INNLANDET, all).await, Ok(2));
    assert_eq!(bed.status(LAB, waiting).await, Some(DeliveryStatus::Acknowledged));
    let [record] = &successions(bed).await[..] else { panic!("one event") };
    assert_eq!((record.sender.as_ref(), record.recipient.as_ref()), (Some(&id(OSLO)), Some(&id(INNLANDET))));
    assert_eq!((record.count, record.note.as_deref()), (Some(2), None), "it counts nothing, so that every auditor may see it");
}

pub(super) async fn what_comes_back_in_a_case_goes_to_the_successor(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    retired(bed, OSLO, INNLANDET).await;
    bed.send(RU_OSLO, Body::Report(report(opened.case_ref.unwrap(), "2026-11-12")), None).await.unwrap();
    bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.unwrap();
    let items = bed.take(INNLANDET).await;
    assert_eq!(items.iter().map(|item| item.kind).collect::<Vec<_>>(), [MessageKind::NonAttendanceReport, MessageKind::LabResult]);
    assert!(items.iter().all(|item| item.notice_message_id == first), "the case is known by the id that its notice had");
    assert!(bed.waiting(OSLO).await.is_empty());
}

pub(super) async fn a_retired_participant_is_refused_in_every_call(bed: &Bed) {
    bed.ready().await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let permit = crate::policy::permit::authorize(
        &bed.caller(RU_OSLO),
        crate::policy::table::Verb::MunicipalAcknowledge,
        crate::policy::permit::NO_CONTENT,
        &bed.store().register(),
    );
    bed.load(register(2, |all| {
        retire(all, OSLO, INNLANDET);
        retire(all, RU_OSLO, RU_HAMAR);
        retire(all, LAB, LAB_2);
    }))
    .await;
    assert_eq!(bed.send_notice(&wish(), None).await.err(), Some(Reason::ParticipantRetired));
    assert_eq!(bed.hand_out(OSLO, "r1", vec![]).await, Err(Reason::ParticipantRetired));
    assert_eq!(bed.acknowledge(RU_OSLO, vec![]).await, Err(Reason::ParticipantRetired));
    let late = bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await;
    assert_eq!(late.err(), Some(Reason::ParticipantRetired));
    let command = crate::policy::command::Command::Acknowledge { permit: permit.unwrap(), items: vec![] };
    let denied = bed.store().act(command).await.unwrap_err();
    assert_eq!(denied, crate::store::StoreError::Denied(Reason::ParticipantRetired.into()), "also with a permit from before");
}

pub(super) async fn ids_of_the_predecessor_stay_bound_and_its_messages_are_the_successors(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    let body = || Body::Notice(Box::new(notice(&wish())));
    let first = accepted(bed.submit(OSLO, submission(message_id, body(), None)).await.unwrap());
    let (own, _) = bed.send(INNLANDET, body(), None).await.unwrap();
    let seen = bed.store().changes(&id(INNLANDET), Cursor::default(), 10).await.unwrap();
    retired(bed, OSLO, INNLANDET).await;
    let again = accepted(bed.submit(INNLANDET, submission(message_id, body(), None)).await.unwrap());
    assert_eq!(again, first, "the same receipt, byte for byte: the outbox was taken over too");
    let other = crate::policy::command::Submission { commit: [8; 32], ..submission(message_id, body(), None) };
    assert_eq!(bed.submit(INNLANDET, other).await.err(), Some(Reason::MessageIdReused));
    assert_eq!(bed.status(INNLANDET, message_id).await, Some(DeliveryStatus::Accepted));
    assert_eq!(bed.store().receipt(&id(INNLANDET), message_id).await.unwrap(), Some(first));
    let news = bed.store().changes(&id(INNLANDET), seen[0].cursor, 10).await.unwrap();
    assert_eq!(news.iter().map(|entry| entry.message_id).collect::<Vec<_>>(), [message_id], "the feed tells what came with it");
    let all = bed.store().changes(&id(INNLANDET), Cursor::default(), 10).await.unwrap();
    assert_eq!(all.iter().map(|entry| entry.message_id).collect::<Vec<_>>(), [own, message_id], "each once");
    bed.take(RU_OSLO).await;
    let taken = bed.store().changes(&id(INNLANDET), all[1].cursor, 10).await.unwrap();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().all(|entry| entry.status == DeliveryStatus::Acknowledged));
}

pub(super) async fn the_same_id_of_two_that_became_one_is_told_apart_by_content(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    let of = |commit: u8| crate::policy::command::Submission {
        commit: [commit; 32],
        ..submission(message_id, Body::Notice(Box::new(notice(&wish()))), None)
    };
    let first = accepted(bed.submit(OSLO, of(1)).await.unwrap());
    let second = accepted(bed.submit(INNLANDET, of(2)).await.unwrap());
    retired(bed, OSLO, INNLANDET).await;
    assert_eq!(accepted(bed.submit(INNLANDET, of(1)).await.unwrap()), first);
    assert_eq!(accepted(bed.submit(INNLANDET, of(2)).await.unwrap()), second);
    assert_eq!(bed.submit(INNLANDET, of(3)).await.err(), Some(Reason::MessageIdReused));
}

pub(super) async fn the_successor_corrects_and_withdraws_what_the_predecessor_sent(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let (stays, _) = bed.send_notice(&wish(), None).await.unwrap();
    let told = bed.take(RU_OSLO).await;
    retired(bed, OSLO, INNLANDET).await;
    let longer = Body::Notice(Box::new(notice(&NoticeWish { probation_end: "2028-10-01", ..wish() })));
    let (second, corrected) = bed.send(INNLANDET, longer, Some(first)).await.unwrap();
    assert_eq!((corrected.case_ref, corrected.requisition_id), (opened.case_ref, opened.requisition_id));
    assert_eq!(bed.status(INNLANDET, first).await, Some(DeliveryStatus::Superseded));
    bed.withdraw(INNLANDET, MessageKind::ConditionNotice, stays, 5).await.unwrap();
    let items = bed.take(RU_OSLO).await;
    assert_eq!(items[0].replaces, Some(told[0].item));
    assert_eq!((items[0].sender.clone(), items[0].notice_message_id), (id(INNLANDET), second));
    assert_eq!((items[1].body, items[1].replaces), (ItemBody::Withdrawal { reason: 5 }, Some(told[1].item)));
    let other = Body::Notice(Box::new(notice(&NoticeWish { subject: "05907512055", ..wish() })));
    assert_eq!(bed.send(INNLANDET, other, Some(second)).await.err(), Some(Reason::SubjectDiffers), "the person is still compared");
}

pub(super) async fn a_units_cases_pass_and_its_municipalities_are_served_by_the_successor(bed: &Bed) {
    bed.ready().await;
    let (notice_id, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let (returned, _) = bed.send_notice(&wish(), None).await.unwrap();
    let items = bed.take(RU_OSLO).await;
    let (reported, _) = bed.send(RU_OSLO, Body::Report(report(opened.case_ref.unwrap(), "2026-11-10")), None).await.unwrap();
    retired(bed, RU_OSLO, RU_HAMAR).await;
    let news = Body::Report(report(opened.case_ref.unwrap(), "2026-11-12"));
    bed.send(RU_HAMAR, news, Some(reported)).await.expect("the right to report and to correct is the successor's");
    assert_eq!(bed.give_back(RU_HAMAR, items[1].item).await, Ok(1), "and to give back what the predecessor acknowledged");
    assert_eq!(bed.status(OSLO, returned).await, Some(DeliveryStatus::Returned));
    assert_eq!(bed.status(OSLO, notice_id).await, Some(DeliveryStatus::Acknowledged));
    bed.send_notice(&wish(), None).await.unwrap();
    assert_eq!(bed.waiting(RU_HAMAR).await.len(), 1, "a new notice for the same municipality");
    let same_place = Body::Notice(Box::new(notice(&NoticeWish { probation_end: "2028-10-01", ..wish() })));
    bed.send(OSLO, same_place, Some(notice_id)).await.unwrap();
    let items = bed.take(RU_HAMAR).await;
    assert_eq!(items.len(), 2, "the successor is the unit that has the case: nobody is told that it moved");
}

pub(super) async fn a_laboratory_named_in_orders_is_followed_by_its_successor(bed: &Bed) {
    bed.ready().await;
    let only = NoticeWish { laboratories: vec![LAB.into()], ..wish() };
    let (_, opened) = bed.send_notice(&only, None).await.unwrap();
    let requisition = opened.requisition_id.unwrap();
    let (first, _) = bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.unwrap();
    assert_eq!(bed.send(LAB_2, Body::Result(result(requisition, "P-2")), None).await.err(), Some(Reason::ReferenceUnknown));
    retired(bed, LAB, LAB_2).await;
    bed.send(LAB_2, Body::Result(result(requisition, "P-2")), None).await.expect("samples under way are analysed by the successor");
    bed.send(LAB_2, Body::Result(result(requisition, "P-1")), Some(first)).await.expect("and its results corrected");
    assert_eq!(bed.status(LAB_2, first).await, Some(DeliveryStatus::Superseded));
    assert_eq!(bed.send_notice(&only, None).await.err(), Some(Reason::LaboratoryRetired), "a new order names the one that is");
    let named = NoticeWish { laboratories: vec![LAB_2.into()], ..wish() };
    bed.send_notice(&named, None).await.unwrap();
}

pub(super) async fn a_successor_of_a_successor_has_it_all(bed: &Bed) {
    bed.load(register(1, third)).await;
    let (message_id, opened) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.unwrap();
    bed.load(register(2, |all| {
        third(all);
        retire(all, OSLO, INNLANDET);
    }))
    .await;
    let (of_second, _) = bed.send(INNLANDET, Body::Notice(Box::new(notice(&wish()))), None).await.unwrap();
    bed.load(register(3, |all| {
        third(all);
        retire(all, OSLO, INNLANDET);
        retire(all, INNLANDET, THIRD);
    }))
    .await;
    assert_eq!(bed.waiting(THIRD).await.len(), 1);
    bed.send(RU_OSLO, Body::Report(report(opened.case_ref.unwrap(), "2026-11-12")), None).await.unwrap();
    assert_eq!(bed.take(THIRD).await.len(), 2);
    for sent in [message_id, of_second] {
        assert!(bed.status(THIRD, sent).await.is_some());
        assert!(bed.store().receipt(&id(THIRD), sent).await.unwrap().is_some());
    }
    let feed = bed.store().changes(&id(THIRD), Cursor::default(), 10).await.unwrap();
    assert_eq!(feed.len(), 2);
    let pairs: Vec<_> = successions(bed).await.into_iter().map(|record| (record.sender.unwrap(), record.recipient.unwrap())).collect();
    assert_eq!(pairs, [(id(OSLO), id(INNLANDET)), (id(INNLANDET), id(THIRD))], "once each");
}

const THIRD: &str = "politi-ost";

fn third(all: &mut Vec<Participant>) {
    let mut new = all[1].clone();
    new.id = id(THIRD);
    new.keys[0].hash = crate::domain::participant::KeyHash::from_bytes([77; 32]);
    all.push(new);
}

pub(super) async fn two_that_are_retired_at_once_pass_to_the_last(bed: &Bed) {
    bed.load(register(1, third)).await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.unwrap();
    bed.load(register(2, |all| {
        third(all);
        retire(all, OSLO, INNLANDET);
        retire(all, INNLANDET, THIRD);
    }))
    .await;
    assert_eq!(bed.take(THIRD).await.len(), 1);
    assert!(bed.waiting(INNLANDET).await.is_empty());
}

pub(super) async fn a_suspended_participant_is_retired_and_its_mail_flows_again(bed: &Bed) {
    bed.ready().await;
    let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    bed.load(register(2, |all| all[2].standing = Standing::Suspended)).await;
    let shown = bed.store().changes(&id(OSLO), Cursor::default(), 10).await.unwrap();
    assert_eq!(shown[0].status, DeliveryStatus::RecipientSuspended);
    retired(bed, RU_OSLO, RU_HAMAR).await;
    let shown = bed.store().changes(&id(OSLO), shown[0].cursor, 10).await.unwrap();
    assert_eq!(shown.iter().map(|entry| entry.status).collect::<Vec<_>>(), [DeliveryStatus::Accepted]);
    bed.load(register(4, |all| {
        retire(all, RU_OSLO, RU_HAMAR);
        all[3].standing = Standing::Suspended;
    }))
    .await;
    assert_eq!(bed.status(OSLO, message_id).await, Some(DeliveryStatus::RecipientSuspended));
}

pub(super) async fn a_suspended_successor_keeps_what_it_got_and_the_sender_is_told(bed: &Bed) {
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    let before = bed.store().changes(&id(OSLO), Cursor::default(), 10).await.unwrap()[0].cursor;
    bed.load(register(2, |all| {
        all[3].standing = Standing::Suspended;
        retire(all, RU_OSLO, RU_HAMAR);
    }))
    .await;
    let news = bed.store().changes(&id(OSLO), before, 10).await.unwrap();
    assert_eq!(news.iter().map(|entry| entry.status).collect::<Vec<_>>(), [DeliveryStatus::RecipientSuspended]);
}

pub(super) async fn sender_and_recipient_retired_at_once_leave_one_feed(bed: &Bed) {
    bed.ready().await;
    let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    bed.load(register(2, |all| all[2].standing = Standing::Suspended)).await;
    bed.load(register(3, |all| {
        retire(all, OSLO, INNLANDET);
        retire(all, RU_OSLO, RU_HAMAR);
    }))
    .await;
    let feed = bed.store().changes(&id(INNLANDET), Cursor::default(), 10).await.unwrap();
    assert_eq!(feed.iter().map(|entry| entry.message_id).collect::<Vec<_>>(), [message_id], "once");
    bed.take(RU_HAMAR).await;
    let feed = bed.store().changes(&id(INNLANDET), Cursor::default(), 10).await.unwrap();
    assert_eq!(feed.len(), 1);
}

pub(super) async fn an_unit_that_had_the_case_before_its_successor_is_told_in_one_voice(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let before = bed.take(RU_OSLO).await;
    let (_, _) = bed.send_notice(&NoticeWish { municipality: "3403", ..wish() }, Some(first)).await.unwrap();
    retired(bed, RU_OSLO, RU_HAMAR).await;
    let items = bed.take(RU_HAMAR).await;
    assert_eq!(items.len(), 2, "the withdrawal for the one and the notice for the other");
    assert!(items.iter().all(|item| item.replaces == Some(before[0].item)), "both about what the predecessor was told");
    bed.send(RU_HAMAR, Body::Report(report(opened.case_ref.unwrap(), "2026-11-12")), None).await.expect("there is one unit now");
}

pub(super) async fn an_ended_case_still_answers_the_successor(bed: &Bed) {
    bed.ready().await;
    let short = NoticeWish { probation_end: "2027-05-31", laboratories: vec![LAB.into()], ..wish() };
    let (_, opened) = bed.send_notice(&short, None).await.unwrap();
    bed.take(RU_OSLO).await;
    bed.advance_days(290);
    let case_ref = opened.case_ref.unwrap();
    bed.store().act(crate::policy::command::Command::EndCase { case_ref }).await.unwrap();
    retired(bed, LAB, LAB_2).await;
    let filed = bed.send(LAB_2, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await;
    assert_eq!(filed.err(), Some(Reason::CaseEnded));
    assert!(!bed.store().register_past(&Register::default()).await.unwrap().is_needed(&id(LAB)));
    assert_eq!(successions(bed).await.len(), 1, "also where there was nothing to pass on");
}

pub(super) async fn a_correction_after_a_municipality_left_tells_the_unit_that_had_the_case(bed: &Bed) {
    bed.ready().await;
    let (first, opened) = bed.send_notice(&NoticeWish { municipality: "3411", ..wish() }, None).await.unwrap();
    let told = bed.take(RU_HAMAR).await;
    // 3411 leaves the joint unit in Hamar and is served by Oslo's from here.
    bed.load(register(2, |all| {
        let left = all[3].municipalities.remove(1);
        all[2].municipalities.push(left);
    }))
    .await;
    bed.send(RU_HAMAR, Body::Report(report(opened.case_ref.unwrap(), "2026-11-12")), None).await.expect("its cases stay with it");
    let longer = NoticeWish { municipality: "3411", probation_end: "2028-10-01", ..wish() };
    bed.send_notice(&longer, Some(first)).await.unwrap();
    let new = bed.take(RU_OSLO).await;
    assert_eq!(new.len(), 1, "a corrected notice goes by the register in force");
    let old = bed.take(RU_HAMAR).await;
    assert_eq!(old.len(), 1, "and the unit that had the case is told so");
    assert_eq!((old[0].body, old[0].replaces), (ItemBody::Withdrawal { reason: 6 }, Some(told[0].item)), "transferred; nobody moved");
    let late = bed.send(RU_HAMAR, Body::Report(report(opened.case_ref.unwrap(), "2026-11-20")), None).await;
    assert_eq!(late.err(), Some(Reason::UnitChanged));
}
