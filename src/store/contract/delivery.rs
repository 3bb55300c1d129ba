//! Mailboxes: who gets what, how often, and what the sender is shown.

use super::case_bed::NoticeWish;
use super::case_bed::{Bed, INNLANDET, LAB, OSLO, RU_HAMAR, RU_OSLO, accepted, id, noon, notice, register, report, submission, wish};
use crate::audit::event::ItemNumber;
use crate::clock::Clock as _;
use crate::domain::participant::{Contact, Standing};
use crate::policy::case::DeliveryStatus;
use crate::policy::command::{Body, Command};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::memory::Failure;
use crate::store::{Accepted, Cursor, OverdueAfter};

const DAY: i64 = 86_400_000;

pub(super) async fn a_notice_goes_to_the_unit_of_its_municipality_and_to_nobody_else(bed: &Bed) {
    bed.ready().await;
    let (message_id, accepted) = bed.send_notice(&NoticeWish { municipality: "3411", ..wish() }, None).await.unwrap();
    for other in [OSLO, INNLANDET, RU_OSLO, LAB] {
        assert!(bed.waiting(other).await.is_empty(), "{other}");
    }
    let items = bed.waiting(RU_HAMAR).await;
    assert_eq!(items.len(), 1);
    assert_eq!(items[0].sender, id(OSLO));
    assert_eq!((Some(items[0].case_ref), items[0].requisition_id), (accepted.case_ref, accepted.requisition_id));
    assert_eq!(items[0].accepted_at, noon());
    assert_eq!(items[0].notice_message_id, message_id);
    assert_eq!(bed.store().content(items[0].item).await.unwrap().as_deref(), Some(&b"innhold som ingen skal lese"[..]));
}

pub(super) async fn a_later_register_reroutes_nothing(bed: &Bed) {
    bed.ready().await;
    bed.send_notice(&NoticeWish { municipality: "3411", ..wish() }, None).await.unwrap();
    let moved = register(2, |participants| {
        let municipality = participants[3].municipalities.remove(1);
        participants[2].municipalities.push(municipality);
    });
    bed.load(moved).await;
    assert_eq!(bed.waiting(RU_HAMAR).await.len(), 1, "the unit is fixed at acceptance");
    bed.send_notice(&NoticeWish { municipality: "3411", ..wish() }, None).await.unwrap();
    assert_eq!(bed.waiting(RU_OSLO).await.len(), 1, "new notices go by the register in force");
}

pub(super) async fn hand_out_is_one_event_per_item_and_reader(bed: &Bed) {
    bed.ready().await;
    let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    let item = bed.waiting(RU_OSLO).await[0].item;
    assert_eq!(bed.hand_out(RU_OSLO, "a", vec![item]).await, Ok(1));
    assert_eq!(bed.hand_out(RU_OSLO, "a", vec![item]).await, Ok(0), "a repeat is no new event");
    assert_eq!(bed.hand_out(RU_OSLO, "b", vec![item]).await, Ok(1));
    assert_eq!(bed.hand_out(RU_HAMAR, "a", vec![item]).await, Ok(0), "another's item is not handed out");
    assert_eq!(bed.status(OSLO, message_id).await, Some(DeliveryStatus::HandedOut));
}

pub(super) async fn acknowledged_content_is_gone_and_acknowledging_again_is_the_same(bed: &Bed) {
    bed.ready().await;
    let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    let item = bed.fetch(RU_OSLO).await[0].item;
    assert_eq!(bed.acknowledge(RU_OSLO, vec![item, item]).await, Ok(1), "named twice is acknowledged once");
    assert_eq!(bed.acknowledge(RU_OSLO, vec![item]).await, Ok(0));
    assert_eq!(bed.store().content(item).await.unwrap(), None);
    assert!(bed.waiting(RU_OSLO).await.is_empty());
    assert_eq!(bed.status(OSLO, message_id).await, Some(DeliveryStatus::Acknowledged));
}

pub(super) async fn items_of_others_cannot_be_acknowledged(bed: &Bed) {
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    let item = bed.waiting(RU_OSLO).await[0].item;
    assert_eq!(bed.acknowledge(RU_OSLO, vec![item]).await, Err(Reason::ItemUnknown), "not before it was handed out");
    bed.fetch(RU_OSLO).await;
    assert_eq!(bed.acknowledge(RU_HAMAR, vec![item]).await, Err(Reason::ItemUnknown));
    assert_eq!(bed.acknowledge(RU_OSLO, vec![item, ItemNumber(9_999_999)]).await, Err(Reason::ItemUnknown), "all or none");
    assert_eq!(bed.waiting(RU_OSLO).await.len(), 1);
}

const AFTER: OverdueAfter = OverdueAfter { notice_millis: 5 * DAY, report_millis: DAY, result_millis: DAY };

pub(super) async fn an_overdue_item_is_shown_and_still_deliverable(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    bed.advance_days(2);
    let (second, _) = bed.send_notice(&wish(), None).await.unwrap();
    bed.advance_days(3);
    let due = bed.store().due(bed.store().now(), AFTER, 100).await.unwrap();
    let items = bed.waiting(RU_OSLO).await;
    assert_eq!(due.overdue, [items[0].item], "each by its own time");
    bed.store().act(Command::MarkOverdue { item: items[0].item }).await.unwrap();
    assert_eq!(bed.status(OSLO, first).await, Some(DeliveryStatus::Overdue));
    assert_eq!(bed.status(OSLO, second).await, Some(DeliveryStatus::Accepted));
    assert!(bed.store().due(bed.store().now(), AFTER, 100).await.unwrap().overdue.is_empty(), "marked once");
    assert_eq!(bed.store().stats().await.unwrap().overdue, 1);
    let taken = bed.take(RU_OSLO).await;
    assert!(taken[0].overdue && !taken[1].overdue, "the recipient sees it too");
    assert_eq!(bed.status(OSLO, first).await, Some(DeliveryStatus::Acknowledged));
    assert_eq!(bed.store().stats().await.unwrap().overdue, 0);
}

pub(super) async fn what_is_accepted_while_the_time_of_the_log_stands_is_overdue_in_its_time(bed: &Bed) {
    const AFTER: OverdueAfter = OverdueAfter { notice_millis: 2 * DAY, report_millis: 2 * DAY, result_millis: 2 * DAY };
    bed.ready().await;
    bed.world.clock.jump_millis(40 * DAY);
    bed.load(register(2, |_| ())).await;
    bed.world.clock.jump_millis(-40 * DAY);
    let (message_id, sent) = bed.send_notice(&wish(), None).await.unwrap();
    assert_eq!(sent.accepted_at, bed.world.clock.now().plus_millis(40 * DAY));
    // Judged by the clock, whatever time is asked for.
    let overdue = async || bed.store().due(bed.store().now(), AFTER, 10).await.unwrap().overdue;
    let old = async || bed.store().stats().await.unwrap().notices_older_than;
    assert!(overdue().await.is_empty());
    assert_eq!(old().await, [1, 0, 0, 0, 0, 0]);
    bed.world.clock.advance_millis(2 * DAY - 1);
    assert!(overdue().await.is_empty());
    bed.world.clock.advance_millis(1);
    assert_eq!(old().await, [1, 1, 1, 0, 0, 0]);
    let due = overdue().await;
    assert_eq!(due, [bed.waiting("ru-oslo").await[0].item]);
    bed.store().act(Command::MarkOverdue { item: due[0] }).await.unwrap();
    assert_eq!(bed.status(OSLO, message_id).await, Some(DeliveryStatus::Overdue));
}

pub(super) async fn undelivered_notices_are_counted_by_their_age(bed: &Bed) {
    let ages = async || bed.store().stats().await.unwrap().notices_older_than;
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    bed.advance_days(9);
    let (_, opened) = bed.send_notice(&NoticeWish { municipality: "3411", ..wish() }, None).await.unwrap();
    assert_eq!(ages().await, [2, 1, 1, 1, 0, 0]);
    bed.advance_days(1);
    assert_eq!(ages().await, [2, 2, 1, 1, 1, 0]);
    bed.take(RU_HAMAR).await;
    assert_eq!(ages().await, [1, 1, 1, 1, 1, 0], "an acknowledged notice is delivered");
    bed.send(RU_HAMAR, Body::Report(report(opened.case_ref.unwrap(), "2026-11-10")), None).await.unwrap();
    assert_eq!(ages().await[0], 1, "a report is no notice");
    bed.advance_days(20);
    assert_eq!(ages().await, [1; 6]);
}

pub(super) async fn a_suspended_recipient_is_shown_and_its_mail_waits(bed: &Bed) {
    bed.ready().await;
    let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    let before = bed.store().changes(&id(OSLO), Cursor::default(), 10).await.unwrap()[0].cursor;
    bed.load(register(2, |participants| participants[2].standing = Standing::Suspended)).await;
    assert_eq!(bed.status(OSLO, message_id).await, Some(DeliveryStatus::RecipientSuspended));
    let feed = bed.store().changes(&id(OSLO), before, 10).await.unwrap();
    assert_eq!(feed.len(), 1, "the feed tells it");
    assert_eq!(bed.hand_out(RU_OSLO, "r", vec![]).await, Err(Reason::ParticipantSuspended));
    bed.load(register(3, |_| ())).await;
    assert_eq!(bed.status(OSLO, message_id).await, Some(DeliveryStatus::Accepted));
    assert_eq!(bed.take(RU_OSLO).await.len(), 1, "kept meanwhile");
}

pub(super) async fn the_status_feed_gives_each_message_once_with_its_newest_status(bed: &Bed) {
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    let (second, _) = bed.send_notice(&wish(), None).await.unwrap();
    let all = bed.store().changes(&id(OSLO), Cursor::default(), 10).await.unwrap();
    assert_eq!(all.iter().map(|entry| entry.message_id).collect::<Vec<_>>(), [first, second]);
    let page = bed.store().changes(&id(OSLO), Cursor::default(), 1).await.unwrap();
    let rest = bed.store().changes(&id(OSLO), page[0].cursor, 10).await.unwrap();
    assert_eq!(rest, all[1..], "paging by the cursor neither loses nor repeats");
    let item = bed.waiting(RU_OSLO).await[0].item;
    bed.hand_out(RU_OSLO, "r", vec![item]).await.unwrap();
    bed.acknowledge(RU_OSLO, vec![item]).await.unwrap();
    let news = bed.store().changes(&id(OSLO), all[1].cursor, 10).await.unwrap();
    assert_eq!(news.len(), 1);
    assert_eq!((news[0].message_id, news[0].status), (first, DeliveryStatus::Acknowledged));
    assert!(bed.store().changes(&id(INNLANDET), Cursor::default(), 10).await.unwrap().is_empty(), "a feed is its sender's");
}

/// Everything that the prosecution can ask of a notice and its case, as bytes: status, the whole feed after `seen`, mailbox, directory, and that the
/// receipt is the one of the acceptance. Handles differ between two notices by nature and are left out.
async fn police_view(bed: &Bed, (message_id, accepted): &(crate::domain::id::MessageId, Accepted), seen: Cursor) -> String {
    let message_id = *message_id;
    let own = |entry: &crate::store::StatusEntry| entry.message_id == message_id;
    let feed = bed.store().changes(&id(OSLO), seen, 1000).await.unwrap();
    let feed: Vec<_> = feed.iter().filter(|entry| own(entry)).map(|entry| (entry.status, entry.kind, entry.return_reason)).collect();
    let status = bed.store().status(&id(OSLO), message_id).await.unwrap().unwrap();
    let receipt = bed.store().receipt(&id(OSLO), message_id).await.unwrap().unwrap();
    format!(
        "{:?} {feed:?} {:?} {} {:?}",
        (status.status, status.return_reason),
        bed.waiting(OSLO).await,
        receipt == *accepted,
        bed.store().contact(&id(RU_OSLO)).await.unwrap(),
    )
}

pub(super) async fn what_the_police_can_see_does_not_depend_on_attendance(bed: &Bed) {
    bed.ready().await;
    let nothing_done = bed.send_notice(&wish(), None).await.unwrap();
    let met = bed.send_notice(&wish(), None).await.unwrap();
    let items = bed.take(RU_OSLO).await;
    let seen = Cursor::default();
    // One person meets the unit. Whatever calls its system then makes about that case, short of a report or a return, they tell the police nothing.
    let item = items[1].item;
    assert_eq!(bed.acknowledge(RU_OSLO, vec![item]).await, Ok(0));
    assert_eq!(bed.hand_out(RU_OSLO, "another-reader", vec![item]).await, Ok(0));
    assert_eq!(bed.store().content(item).await.unwrap(), None);
    bed.waiting(RU_OSLO).await;
    assert_eq!(police_view(bed, &nothing_done, seen).await, police_view(bed, &met, seen).await);
    bed.advance_days(200);
    assert_eq!(police_view(bed, &nothing_done, seen).await, police_view(bed, &met, seen).await, "nor does time tell them apart");
    // And the view can tell what may be told: a report shows.
    let before = police_view(bed, &nothing_done, seen).await;
    let case_ref = items[0].case_ref;
    bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-12")), None).await.unwrap();
    assert_ne!(police_view(bed, &nothing_done, seen).await, before);
}

pub(super) async fn a_unit_without_contact_gets_no_notice_until_it_sets_one(bed: &Bed) {
    bed.load(register(1, |participants| participants[2].contacts.clear())).await;
    assert_eq!(bed.send_notice(&wish(), None).await.err(), Some(Reason::UnitContactMissing));
    let contact =
        Contact { key: "enhet".into(), role_name: "Rådgivende enhet".into(), phone: None, email: Some("ru@oslo.example".into()) };
    let own = contact.clone();
    bed.act(RU_OSLO, Verb::SetContact, |permit| Command::SetContact { permit, contact: own }).await.unwrap();
    assert_eq!(bed.store().contact(&id(RU_OSLO)).await.unwrap(), Some(contact));
    bed.send_notice(&wish(), None).await.unwrap();
}

pub(super) async fn a_failure_before_or_after_neither_loses_nor_doubles(bed: &Bed) {
    bed.ready().await;
    let fail_next = bed.world.fail_next.as_ref().expect("the store fails on demand");
    for failure in [Failure::Before, Failure::After] {
        let message_id = bed.fresh();
        let body = || Body::Notice(Box::new(notice(&wish())));
        let permit = |sent: &crate::policy::command::Submission| {
            crate::policy::permit::authorize(&bed.caller(OSLO), Verb::SendNotice, sent.commit, &bed.store().register()).unwrap()
        };
        fail_next(failure);
        let lost = submission(message_id, body(), None);
        assert!(bed.store().act(Command::Submit { permit: permit(&lost), submission: Box::new(lost) }).await.is_err());
        let first = accepted(bed.submit(OSLO, submission(message_id, body(), None)).await.unwrap());
        assert_eq!(accepted(bed.submit(OSLO, submission(message_id, body(), None)).await.unwrap()), first);
    }
    assert_eq!(bed.take(RU_OSLO).await.len(), 2, "one each");
    let case_ref = bed.send_notice(&wish(), None).await.unwrap().1.case_ref.unwrap();
    bed.take(RU_OSLO).await;
    bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-12")), None).await.unwrap();
}
