//! Readers, leases, the feed.

use std::time::Duration;

use samband::grpc::pb;
use samband::grpc::pb::municipal_service_receive_response::Item as ToUnit;
use tokio::time::timeout;
use tonic::{Code, Streaming};

use crate::harness::{UNIT, World, drain, reason, refused, settings};

const SOON: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(300);
const HANDED_OUT: u16 = 20;

async fn open(world: &World, reader: &str) -> Streaming<pb::MunicipalServiceReceiveResponse> {
    let request = pb::MunicipalServiceReceiveRequest { reader_id: reader.to_owned(), max_items: 0, until_empty: false };
    world.unit().receive(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<pb::MunicipalServiceReceiveResponse>) -> pb::MunicipalServiceReceiveResponse {
    timeout(SOON, stream.message()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn an_open_stream_gets_items_as_they_come_each_after_its_hand_out_is_durable() {
    let world = World::start().await;
    let mut stream = open(&world, "a").await;
    for n in 1..=3 {
        world.noticed().await;
        next(&mut stream).await;
        assert_eq!(world.records(HANDED_OUT, Some(UNIT)).await.len(), n);
    }
    assert!(timeout(MOMENT, stream.message()).await.is_err(), "nothing twice on one stream");
}

#[tokio::test]
async fn a_second_stream_of_a_reader_takes_over_and_the_first_is_told() {
    let world = World::start().await;
    world.noticed().await;
    let mut first = open(&world, "a").await;
    let item = next(&mut first).await;
    let mut second = open(&world, "a").await;
    assert_eq!(next(&mut second).await.item_number, item.item_number);
    let status = timeout(SOON, first.message()).await.unwrap().unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "STREAM_TAKEN_OVER"));
    assert_eq!(world.records(HANDED_OUT, Some(UNIT)).await.len(), 1, "once per item and reader");
}

#[tokio::test]
async fn another_reader_gets_other_items_and_what_an_ended_stream_left() {
    let world = World::start().await;
    world.noticed().await;
    let mut first = open(&world, "a").await;
    let held = next(&mut first).await;
    let mut second = open(&world, "b").await;
    assert!(timeout(MOMENT, second.message()).await.is_err(), "what one reader holds no other is given");
    world.noticed().await;
    let both = tokio::select! {
        item = next(&mut first) => item,
        item = next(&mut second) => item,
    };
    assert_ne!(both.item_number, held.item_number);
    drop(first);
    assert_eq!(next(&mut second).await.item_number.min(both.item_number), held.item_number);
}

#[tokio::test]
async fn polling_closes_when_empty_or_after_so_many_items_and_in_the_order_of_acceptance() {
    let world = World::start().await;
    for _ in 0..5 {
        world.noticed().await;
    }
    let request = pb::MunicipalServiceReceiveRequest { reader_id: "a".to_owned(), max_items: 2, until_empty: true };
    let two = drain(world.unit().receive(request).await.unwrap().into_inner()).await;
    assert_eq!(two.len(), 2);
    let all = world.unit_polls("a").await;
    let numbers: Vec<u64> = all.iter().map(|item| item.item_number).collect();
    assert_eq!(numbers.len(), 5, "unacknowledged items come again");
    assert!(numbers.is_sorted());
    assert_eq!(numbers[..2], two.iter().map(|item| item.item_number).collect::<Vec<_>>());
    world.unit_acknowledges(&all[1..]).await;
    assert_eq!(world.unit_polls("a").await.len(), 1);
}

#[tokio::test]
async fn a_notice_withdrawn_before_the_first_hand_out_is_never_delivered() {
    let world = World::start().await;
    let (request, _) = world.noticed().await;
    let withdrawal = world.withdraw_notice(&request.message_id, pb::NoticeWithdrawalReason::SentInError);
    world.prosecution().send_condition_notice(withdrawal.clone()).await.unwrap();
    assert!(world.unit_polls("a").await.is_empty());
    assert_eq!(world.status_of(&request.message_id).await, pb::DeliveryStatus::Withdrawn);
    assert_eq!(world.status_of(&withdrawal.message_id).await, pb::DeliveryStatus::NothingToDeliver);
}

#[tokio::test]
async fn a_withdrawal_after_the_hand_out_is_an_item_of_its_own_after_its_original() {
    let world = World::start().await;
    let (request, _) = world.noticed().await;
    let original = world.unit_polls("a").await[0].item_number;
    let withdrawal = world.withdraw_notice(&request.message_id, pb::NoticeWithdrawalReason::WrongSubject);
    world.prosecution().send_condition_notice(withdrawal).await.unwrap();
    let items = world.unit_polls("a").await;
    let last = items.last().unwrap();
    assert_eq!(last.item, Some(ToUnit::Withdrawal(pb::NoticeWithdrawalReason::WrongSubject.into())));
    assert_eq!(last.replaces_item, Some(original));
    assert!(last.contact.is_none() && last.notes.is_empty());
}

#[tokio::test]
async fn no_more_than_the_bound_is_out_unacknowledged_on_one_stream() {
    let bounded = samband::gateway::Settings { unacknowledged_per_stream_max: 2, ..settings() };
    let world = World::with(bounded, samband::grpc::server::ServerLimits::default()).await;
    for _ in 0..3 {
        world.noticed().await;
    }
    let mut stream = open(&world, "a").await;
    let first = next(&mut stream).await;
    next(&mut stream).await;
    assert!(timeout(MOMENT, stream.message()).await.is_err());
    world.unit_acknowledges(&[first]).await;
    next(&mut stream).await;
}

#[tokio::test]
async fn a_stream_that_is_never_read_holds_up_nobody() {
    let world = World::start().await;
    let stuck = open(&world, "stuck").await;
    for _ in 0..40 {
        world.noticed().await;
    }
    let (request, _) = world.noticed().await;
    drop(timeout(SOON, world.unit_polls("other")).await.unwrap());
    assert_ne!(world.status_of(&request.message_id).await, pb::DeliveryStatus::Unspecified);
    drop(stuck);
    let all = timeout(SOON, async {
        loop {
            let items = world.unit_polls("other").await;
            if items.len() == 41 {
                break items;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(all.await.unwrap().len(), 41, "what the stuck stream held is free again");
}

#[tokio::test]
async fn the_feed_tells_each_change_from_the_cursor_on() {
    let world = World::start().await;
    let (request, _) = world.noticed().await;
    let watch = pb::ProsecutionServiceWatchStatusRequest { cursor: String::new(), follow: true };
    let mut feed = world.prosecution().watch_status(watch).await.unwrap().into_inner();
    let mut cursor = String::new();
    for wanted in [pb::DeliveryStatus::Accepted, pb::DeliveryStatus::HandedOut, pb::DeliveryStatus::Acknowledged] {
        match wanted {
            pb::DeliveryStatus::HandedOut => drop(world.unit_polls("a").await),
            pb::DeliveryStatus::Acknowledged => world.unit_acknowledges(&world.unit_polls("a").await).await,
            _ => {}
        }
        let change = timeout(SOON, feed.message()).await.unwrap().unwrap().unwrap();
        let status = change.status.unwrap();
        assert_eq!(status.message_id, request.message_id);
        assert_eq!(status.status(), wanted);
        cursor = change.cursor;
    }
    let rest = pb::ProsecutionServiceWatchStatusRequest { cursor, follow: false };
    assert!(drain(world.prosecution().watch_status(rest).await.unwrap().into_inner()).await.is_empty());
    let ahead = pb::ProsecutionServiceWatchStatusRequest { cursor: "999999.0".to_owned(), follow: false };
    refused(world.prosecution().watch_status(ahead).await, Code::OutOfRange, "CURSOR_AHEAD");
}

#[tokio::test]
async fn overdue_is_shown_to_both_sides_and_the_item_still_comes() {
    let world = World::start().await;
    let (request, _) = world.noticed().await;
    world.clock.advance_millis(6 * 86_400_000);
    timeout(SOON, async {
        while world.status_of(&request.message_id).await != pb::DeliveryStatus::Overdue {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert!(world.unit_polls("a").await[0].overdue);
}

#[tokio::test]
async fn readers_are_bounded_and_named() {
    let bounded = samband::gateway::Settings { readers_per_participant_max: 1, ..settings() };
    let world = World::with(bounded, samband::grpc::server::ServerLimits::default()).await;
    let _one = open(&world, "a").await;
    let request = pb::MunicipalServiceReceiveRequest { reader_id: "b".to_owned(), max_items: 0, until_empty: true };
    refused(world.unit().receive(request).await, Code::ResourceExhausted, "TOO_MANY_STREAMS");
    let request = pb::MunicipalServiceReceiveRequest { reader_id: "ø".to_owned(), max_items: 0, until_empty: true };
    refused(world.unit().receive(request).await, Code::InvalidArgument, "BAD_ARGUMENT");
}

#[tokio::test]
async fn a_stop_ends_streams_with_a_reason_and_within_its_time() {
    let world = World::start().await;
    let mut stream = open(&world, "a").await;
    let World { app, store, .. } = world;
    let stopping = tokio::spawn(app.shutdown(Duration::from_secs(5)));
    let status = timeout(SOON, stream.message()).await.unwrap().unwrap_err();
    assert_eq!(reason(&status), "UNAVAILABLE");
    drop(stream);
    timeout(SOON, stopping).await.unwrap().unwrap().unwrap();
    assert!(*store.durable().borrow() > 0);
}
