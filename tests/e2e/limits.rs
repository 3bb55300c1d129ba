//! Each limit of a participant, crossed by a client: the status, the reason, the time to wait, and one event a minute.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use samband::gateway::Settings;
use samband::grpc::caller::CallLimits;
use samband::grpc::pb;
use samband::grpc::server::ServerLimits;
use tokio_stream::StreamExt as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::harness::{OSLO, Raw, UNIT, World, refused, settings};

const SEND: &str = "/samband.v1.ProsecutionService/SendConditionNotice";
const SUMMED: u16 = 41;

async fn world(calls: CallLimits) -> World {
    World::with(settings(), ServerLimits { calls, ..ServerLimits::default() }).await
}

/// A call with these request messages, of which the last may never come.
async fn send(world: &World, who: &str, path: &'static str, messages: Vec<Bytes>, and_never_ends: bool) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(world.channel(who));
    client.ready().await.unwrap();
    let messages = tokio_stream::iter(messages);
    let request = if and_never_ends {
        tonic::Request::new(futures_util::future::Either::Left(messages.chain(tokio_stream::pending())))
    } else {
        tonic::Request::new(futures_util::future::Either::Right(messages))
    };
    client.client_streaming(request, path.parse().unwrap(), Raw).await.map(|_: tonic::Response<Bytes>| ())
}

/// Calls at work until dropped: their requests never end.
fn hold(world: &std::sync::Arc<World>, who: &'static str, count: usize, first: &Bytes) -> tokio::task::JoinSet<Result<(), Status>> {
    let mut held = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (world, first) = (world.clone(), first.clone());
        held.spawn(async move { send(&world, who, SEND, if first.is_empty() { Vec::new() } else { vec![first] }, true).await });
    }
    held
}

fn ask() -> pb::ProsecutionServiceLookUpRequest {
    pb::ProsecutionServiceLookUpRequest::default()
}

/// The answer once it is this reason's.
async fn until_refused(world: &World, reason: &str) -> Status {
    for _ in 0..500 {
        if let Err(status) = world.prosecution().look_up(ask()).await
            && crate::harness::reason(&status) == reason
        {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {reason}");
}

#[tokio::test]
async fn calls_at_work_of_one_participant_are_bounded_and_others_do_not_feel_it() {
    let world = std::sync::Arc::new(world(CallLimits { calls_per_participant_max: 3, ..CallLimits::default() }).await);
    let held = hold(&world, OSLO, 3, &Bytes::new());
    let status = until_refused(&world, "TOO_MANY_CALLS").await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    world.laboratory().look_up(pb::LaboratoryServiceLookUpRequest::default()).await.unwrap();
    drop(held);
    while world.prosecution().look_up(ask()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.clock.advance_millis(60_000);
    let record = loop {
        if let Some(record) = world.records(SUMMED, Some(OSLO)).await.pop() {
            break record;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(record.count.unwrap() >= 1, "one event a minute, however many");
}

#[tokio::test]
async fn bytes_of_requests_at_work_are_bounded_for_each_participant() {
    // One request and a little.
    let most = crate::harness::notice().encode_to_vec().len() + 200;
    let limits = CallLimits { request_bytes_per_participant_max: most, ..CallLimits::default() };
    let world = std::sync::Arc::new(world(limits).await);
    let answer = send(&world, OSLO, SEND, vec![Bytes::from(vec![0; most + 1])], false).await;
    let status = refused(answer, Code::ResourceExhausted, "TOO_MANY_BYTES");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    // Each fits, and two at once do not.
    let big = Bytes::from(world.send_notice().encode_to_vec());
    assert!(big.len() + 5 <= most && 2 * big.len() > most, "{}", big.len());
    // Held by calls at work, they count together.
    let _held = hold(&world, OSLO, 1, &big);
    let mut refusals = 0;
    for _ in 0..200 {
        refusals = match send(&world, OSLO, SEND, vec![big.clone()], false).await {
            Err(status) if crate::harness::reason(&status) == "TOO_MANY_BYTES" => refusals + 1,
            _ => refusals,
        };
        if refusals > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refusals > 0);
    world.laboratory().look_up(pb::LaboratoryServiceLookUpRequest::default()).await.unwrap();
}

#[tokio::test]
async fn bytes_of_all_requests_together_are_bounded() {
    let world = world(CallLimits { request_bytes_max: 1_000, ..CallLimits::default() }).await;
    let status = refused(send(&world, OSLO, SEND, vec![Bytes::from(vec![0; 1_001])], false).await, Code::ResourceExhausted, "OVERLOADED");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
}

#[tokio::test]
async fn streams_of_one_participant_are_bounded() {
    let world = world(CallLimits { streams_per_participant_max: 1, ..CallLimits::default() }).await;
    let watch = pb::MunicipalServiceWatchStatusRequest { follow: true, ..Default::default() };
    let _open = world.unit().watch_status(watch.clone()).await.unwrap();
    let status = refused(world.unit().watch_status(watch).await, Code::ResourceExhausted, "TOO_MANY_STREAMS");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    world.prosecution().watch_status(pb::ProsecutionServiceWatchStatusRequest::default()).await.unwrap();
}

#[tokio::test]
async fn a_full_mailbox_takes_no_new_message_but_corrections_withdrawals_and_retries() {
    let world = World::with(Settings { mailbox_items_max: 1, ..settings() }, ServerLimits::default()).await;
    let (request, accepted) = world.noticed().await;
    let status = refused(world.prosecution().send_condition_notice(world.send_notice()).await, Code::ResourceExhausted, "MAILBOX_FULL");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    let again = world.prosecution().send_condition_notice(request.clone()).await.unwrap().into_inner();
    assert_eq!(crate::harness::accepted_notice(again), accepted, "a retry gets its receipt");
    let corrected = pb::SendConditionNoticeRequest { replaces: Some(request.message_id), ..world.send_notice() };
    world.prosecution().send_condition_notice(corrected.clone()).await.unwrap();
    let withdrawal = world.withdraw_notice(&corrected.message_id, pb::NoticeWithdrawalReason::WrongSubject);
    world.prosecution().send_condition_notice(withdrawal).await.unwrap();
    let items = world.unit_polls("r").await;
    if !items.is_empty() {
        world.unit_acknowledges(&items).await;
    }
    world.prosecution().send_condition_notice(world.send_notice()).await.unwrap();
}

#[tokio::test]
async fn a_second_message_in_a_call_is_refused_and_the_first_has_no_effect() {
    let world = World::start().await;
    let one = Bytes::from(world.send_notice().encode_to_vec());
    refused(send(&world, OSLO, SEND, vec![one.clone(), one], false).await, Code::InvalidArgument, "ONE_MESSAGE_ONLY");
    assert!(world.unit_polls("r").await.is_empty());
    let receive = "/samband.v1.MunicipalService/Receive";
    let twice = Bytes::from(pb::MunicipalServiceReceiveRequest { reader_id: "r".to_owned(), ..Default::default() }.encode_to_vec());
    refused(send(&world, UNIT, receive, vec![twice.clone(), twice], false).await, Code::InvalidArgument, "ONE_MESSAGE_ONLY");
}

#[tokio::test]
async fn a_stream_whose_request_never_comes_ends() {
    let world = world(CallLimits { call_timeout: Duration::from_millis(300), ..CallLimits::default() }).await;
    let receive = "/samband.v1.MunicipalService/Receive";
    let answer = tokio::time::timeout(Duration::from_secs(20), send(&world, UNIT, receive, Vec::new(), true)).await.unwrap();
    refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    // A request that came in time may be answered for ever.
    let request = pb::MunicipalServiceReceiveRequest { reader_id: "r".to_owned(), ..Default::default() };
    let mut stream = world.unit().receive(request).await.unwrap().into_inner();
    assert!(tokio::time::timeout(Duration::from_millis(800), stream.message()).await.is_err());
}

#[tokio::test]
async fn a_compressed_request_is_told_that_none_is_read() {
    let world = World::start().await;
    let mut client = tonic::client::Grpc::new(world.channel(OSLO));
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(Bytes::from(world.send_notice().encode_to_vec()));
    request.metadata_mut().insert("grpc-encoding", "gzip".parse().unwrap());
    let answer: Result<tonic::Response<Bytes>, Status> = client.unary(request, SEND.parse().unwrap(), Raw).await;
    let status = refused(answer, Code::Unimplemented, "COMPRESSION_NOT_OFFERED");
    assert_eq!(status.metadata().get("grpc-accept-encoding").unwrap(), "identity");
}
