//! Bytes that no honest client sends, and errors that layers make: each has a reason and repeats nothing.

use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use samband::domain::limits::REQUEST_BYTES_MAX;
use samband::gateway::{Rate, Settings};
use samband::grpc::pb;
use samband::grpc::server::ServerLimits;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::harness::{LAB, OSLO, UNIT, World, notice, raw_call, refused, settings};

const SEND: &str = "/samband.v1.ProsecutionService/SendConditionNotice";
const REFUSED: u16 = 40;

#[tokio::test]
async fn an_oversized_request_is_refused_with_a_reason_and_recorded() {
    let world = World::start().await;
    let answer = raw_call(world.channel(OSLO), SEND, Bytes::from(vec![0; REQUEST_BYTES_MAX + 1])).await;
    refused(answer, Code::ResourceExhausted, "REQUEST_TOO_LARGE");
    assert_eq!(world.records(REFUSED, Some(OSLO)).await.len(), 1);
}

#[tokio::test]
async fn unknown_doubled_and_mistyped_fields_and_bad_text_are_refused() {
    let world = World::start().await;
    let good = world.send_notice().encode_to_vec();
    let with = |extra: &[u8]| Bytes::from([good.as_slice(), extra].concat());
    // Field 99, varint 1.
    refused(raw_call(world.channel(OSLO), SEND, with(&[0x98, 0x06, 1])).await, Code::InvalidArgument, "UNKNOWN_FIELD");
    // message_id a second time.
    refused(raw_call(world.channel(OSLO), SEND, with(&[0x0a, 1, b'x'])).await, Code::InvalidArgument, "DUPLICATE_FIELD");
    // validate_only as a string.
    refused(raw_call(world.channel(OSLO), SEND, with(&[0x22, 1, b'x'])).await, Code::InvalidArgument, "MALFORMED_REQUEST");
    // message_id that is no UTF-8.
    refused(
        raw_call(world.channel(OSLO), SEND, Bytes::from_static(&[0x0a, 2, 0xc3, 0x28])).await,
        Code::InvalidArgument,
        "MALFORMED_REQUEST",
    );
    // Cut off.
    refused(raw_call(world.channel(OSLO), SEND, Bytes::from_static(&[0x0a, 9, b'x'])).await, Code::InvalidArgument, "MALFORMED_REQUEST");
    assert_eq!(world.records(REFUSED, Some(OSLO)).await.len(), 5, "each is recorded once");
    raw_call(world.channel(OSLO), SEND, with(&[])).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented_with_a_reason() {
    let world = World::start().await;
    for path in ["/samband.v1.MunicipalService/SendLabResult", "/samband.v1.MunicipalService/ReceiveResults", "/x.Y/Z", "/x"] {
        let answer = raw_call(world.channel(UNIT), path, Bytes::new()).await;
        refused(answer, Code::Unimplemented, "UNIMPLEMENTED");
    }
}

#[tokio::test]
async fn violations_name_fields_and_reasons_and_never_what_was_sent() {
    let world = World::start().await;
    let mut bad = notice();
    bad.subject.as_mut().unwrap().family_name = "HEMMELIG42".to_owned();
    bad.decision_date = "i går HEMMELIG".to_owned();
    let request =
        pb::SendConditionNoticeRequest { body: Some(pb::send_condition_notice_request::Body::Content(bad)), ..world.send_notice() };
    let message_id = request.message_id.clone();
    let status = refused(world.prosecution().send_condition_notice(request).await, Code::InvalidArgument, "CONTENT_INVALID");
    let fields: Vec<String> = status.get_details_bad_request().unwrap().field_violations.into_iter().map(|one| one.field).collect();
    assert!(fields.contains(&"content.subject.family_name".to_owned()), "{fields:?}");
    assert!(fields.contains(&"content.decision_date".to_owned()), "{fields:?}");
    assert!(!format!("{status:?}").contains("HEMMELIG"));
    assert!(!String::from_utf8_lossy(status.details()).contains("HEMMELIG"));
    let record = world.records(REFUSED, Some(OSLO)).await.pop().unwrap();
    assert_eq!(record.message_id.unwrap().to_string(), message_id);
}

#[tokio::test]
async fn a_reference_of_others_is_answered_like_one_that_never_was() {
    let world = World::start().await;
    let case = world.case().await;
    let mut other = pb::municipal_service_client::MunicipalServiceClient::new(world.channel(crate::harness::UNIT_2));
    let foreign = other.report_non_attendance(world.send_report(&case.case_ref)).await;
    let foreign = refused(foreign, Code::NotFound, "REFERENCE_UNKNOWN");
    let never = samband::domain::id::CaseRef::from_bytes([3; 10]).to_string();
    let unknown = refused(other.report_non_attendance(world.send_report(&never)).await, Code::NotFound, "REFERENCE_UNKNOWN");
    assert_eq!(foreign.message(), unknown.message());
    assert_eq!(foreign.details(), unknown.details());
    let keys = |status: &tonic::Status| {
        let mut keys: Vec<String> = status.metadata().clone().into_headers().keys().map(ToString::to_string).collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&foreign), keys(&unknown));
    assert!(keys(&foreign).iter().all(|key| !key.starts_with("samband")), "{:?}", keys(&foreign));
}

#[tokio::test]
async fn wrong_references_have_their_own_limit() {
    let limited = Settings { wrong_references: Rate::one_in_millis(2, 30_000), ..settings() };
    let world = World::with(limited, ServerLimits::default()).await;
    let never = samband::domain::id::RequisitionId::from_bytes([3; 10]).to_string();
    for _ in 0..2 {
        refused(world.laboratory().send_lab_result(world.send_result(&never)).await, Code::NotFound, "REFERENCE_UNKNOWN");
    }
    let answer = world.laboratory().send_lab_result(world.send_result(&never)).await;
    let status = refused(answer, Code::ResourceExhausted, "REFERENCE_RATE_LIMITED");
    assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() > Duration::from_secs(1));
    world.clock.advance_millis(30_000);
    refused(world.laboratory().send_lab_result(world.send_result(&never)).await, Code::NotFound, "REFERENCE_UNKNOWN");
    let misspelt = world.laboratory().send_lab_result(world.send_result("04HMAS-W9NF6Y-Y41JJB")).await;
    refused(misspelt, Code::InvalidArgument, "BAD_REFERENCE_CHECK");
}

#[tokio::test]
async fn refusals_beyond_the_bucket_are_summed_by_the_minute() {
    let limited = Settings { refusals: Rate::one_in_millis(3, 600_000), ..settings() };
    let world = World::with(limited, ServerLimits::default()).await;
    for _ in 0..8 {
        refused(raw_call(world.channel(LAB), SEND, Bytes::new()).await, Code::PermissionDenied, "CALL_NOT_ALLOWED");
    }
    assert_eq!(world.records(REFUSED, Some(LAB)).await.len(), 3);
    world.clock.advance_millis(60_000);
    let summed = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Some(record) = world.records(41, Some(LAB)).await.pop() {
                break record;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(summed.await.unwrap().count, Some(5));
}

#[tokio::test]
async fn too_many_calls_are_told_how_long_to_wait() {
    let limited = Settings { calls: Rate::one_in_millis(2, 5_000), ..settings() };
    let world = World::with(limited, ServerLimits::default()).await;
    let ask = pb::LaboratoryServiceLookUpRequest::default;
    for _ in 0..2 {
        world.laboratory().look_up(ask()).await.unwrap();
    }
    let status = refused(world.laboratory().look_up(ask()).await, Code::ResourceExhausted, "RATE_LIMITED");
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(5)));
}

#[tokio::test]
async fn who_crosses_bounds_by_the_thousand_hears_of_it_at_a_pace_and_others_do_not_wait() {
    let limited = Settings { calls: Rate::one_in_millis(2, 3_600_000), ..settings() };
    let world = World::with(limited, ServerLimits::default()).await;
    let laboratory = world.laboratory();
    let flood = tokio::spawn(async move {
        let began = std::time::Instant::now();
        let calls = (0..2500).map(|_| {
            let mut laboratory = laboratory.clone();
            async move { laboratory.look_up(pb::LaboratoryServiceLookUpRequest::default()).await.is_err() }
        });
        let refusals = futures_util::future::join_all(calls).await.into_iter().filter(|refused| *refused).count();
        (refusals, began.elapsed())
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.prosecution().look_up(pb::ProsecutionServiceLookUpRequest::default()).await.unwrap();
    assert!(!flood.is_finished(), "another's answer does not wait for them");
    let (refusals, took) = flood.await.unwrap();
    assert_eq!(refusals, 2498);
    // The clock of the gateway stands: 250 at once, then one in 800 µs.
    assert!(took > Duration::from_millis(1700), "{took:?}");
}

#[tokio::test]
async fn a_stream_past_its_deadline_ends_with_a_reason_before_the_client_gives_up() {
    let world = World::start().await;
    let mut request = tonic::Request::new(pb::MunicipalServiceReceiveRequest { reader_id: "a".to_owned(), ..Default::default() });
    // The header alone: the client's own timer must not be what ends it.
    request.metadata_mut().insert("grpc-timeout", "500m".parse().unwrap());
    let mut stream = world.unit().receive(request).await.unwrap().into_inner();
    let status = tokio::time::timeout(Duration::from_secs(5), stream.message()).await.unwrap().unwrap_err();
    assert_eq!((status.code(), crate::harness::reason(&status).as_str()), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_call_past_its_deadline_says_so_before_the_client_gives_up() {
    let world = World::start().await;
    let mut client = tonic::client::Grpc::new(world.channel(OSLO));
    client.ready().await.unwrap();
    // A request whose body never ends: the gateway waits for it no longer than the deadline.
    let mut request = tonic::Request::new(tokio_stream::pending::<Bytes>());
    request.metadata_mut().insert("grpc-timeout", "400m".parse().unwrap());
    let call = client.streaming(request, SEND.parse().unwrap(), crate::harness::Raw);
    let answer = tokio::time::timeout(Duration::from_secs(5), call).await.unwrap();
    let status = refused(answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(status.get_details_retry_info().is_some());
}

#[tokio::test]
async fn a_gateway_without_room_says_overloaded_and_when_to_try_again() {
    let none = samband::grpc::caller::CallLimits { calls_max: 0, ..Default::default() };
    let world = World::with(settings(), ServerLimits { calls: none, ..ServerLimits::default() }).await;
    let answer = world.laboratory().look_up(pb::LaboratoryServiceLookUpRequest::default()).await;
    let status = refused(answer, Code::ResourceExhausted, "OVERLOADED");
    assert!(status.get_details_retry_info().is_some());
}
