//! Idempotency, stale ids, validate_only.

use bytes::Bytes;
use samband::domain::time::DAY_MILLIS;
use samband::grpc::pb;
use samband::grpc::pb::send_condition_notice_request::Body;
use samband::grpc::pb::send_condition_notice_response::Outcome;
use samband::grpc::server::ServerLimits;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::harness::{Kind, World, accepted_notice, noon, notice, refused, settings};

#[tokio::test]
async fn the_same_message_again_gets_the_first_answer_byte_for_byte() {
    let world = World::start().await;
    let (request, first) = world.noticed().await;
    let again = world.prosecution().send_condition_notice(request.clone()).await.unwrap().into_inner();
    assert_eq!(accepted_notice(again), first);
    assert!(!first.receipt.is_empty());
    let receipt = pb::ProsecutionServiceGetReceiptRequest { message_id: request.message_id.clone() };
    let receipt = world.prosecution().get_receipt(receipt).await.unwrap().into_inner();
    assert_eq!(receipt.accepted.unwrap(), first);
    assert_eq!(world.unit_polls("r").await.len(), 1, "one message, one item");
}

/// A notice that was decided on this day.
fn dated(day: &str) -> pb::ConditionNotice {
    let mut notice = notice();
    (notice.decision_date, notice.probation_start) = (day.to_owned(), day.to_owned());
    let control = notice.control.as_mut().unwrap();
    (control.from_date, control.subject_informed_on) = (day.to_owned(), day.to_owned());
    notice
}

/// A clock that was ahead let dates pass that lie in the future; the sender did not hear the answer and asks again when the clock is right.
#[tokio::test]
async fn what_was_accepted_gets_its_receipt_also_when_its_dates_would_be_refused_today_and_nothing_else_does() {
    const AHEAD: i64 = 12 * DAY_MILLIS;
    for kind in [Kind::Memory, Kind::Embedded] {
        let world = World::on(kind, settings(), ServerLimits::default()).await;
        let dated = dated("2026-11-25");
        let send = || pb::SendConditionNoticeRequest { body: Some(Body::Content(dated.clone())), ..world.send_notice() };
        world.clock.advance_millis(AHEAD);
        let request = send();
        let first = accepted_notice(world.prosecution().send_condition_notice(request.clone()).await.unwrap().into_inner());
        world.clock.advance_millis(-AHEAD);
        let again = world.prosecution().send_condition_notice(request.clone()).await.unwrap().into_inner();
        assert_eq!(accepted_notice(again), first, "{kind:?}");
        let unknown = send();
        let salted = pb::SendConditionNoticeRequest { content_salt: Bytes::from_static(&[8; 32]), ..request.clone() };
        let other = pb::SendConditionNoticeRequest { body: Some(Body::Content(self::dated("2026-11-26"))), ..request.clone() };
        let validated = pb::SendConditionNoticeRequest { validate_only: true, ..request };
        for refusable in [unknown, salted, other, validated] {
            let status = refused(world.prosecution().send_condition_notice(refusable).await, Code::InvalidArgument, "CONTENT_INVALID");
            let fields = status.get_details_bad_request().unwrap().field_violations;
            assert!(fields.iter().any(|field| field.field.contains("decision_date")), "{fields:?}");
        }
        assert_eq!(world.unit_polls("r").await.len(), 1, "{kind:?}: one message, one item");
    }
}

#[tokio::test]
async fn the_same_id_with_other_content_salt_or_correction_is_refused() {
    let world = World::start().await;
    let (request, _) = world.noticed().await;
    let mut other = notice();
    other.probation_end = "2028-10-31".to_owned();
    let content = pb::SendConditionNoticeRequest { body: Some(Body::Content(other)), ..request.clone() };
    let salted = pb::SendConditionNoticeRequest { content_salt: Bytes::from_static(&[8; 32]), ..request.clone() };
    let corrected = pb::SendConditionNoticeRequest { replaces: Some(world.fresh()), ..request };
    for changed in [content, salted, corrected] {
        refused(world.prosecution().send_condition_notice(changed).await, Code::AlreadyExists, "MESSAGE_ID_REUSED");
    }
}

#[tokio::test]
async fn an_unknown_id_that_is_too_old_or_ahead_is_stale() {
    let world = World::start().await;
    for at in [noon().plus_millis(-31 * DAY_MILLIS), noon().plus_millis(6 * 60_000)] {
        let request = pb::SendConditionNoticeRequest { message_id: world.fresh_at(at), ..world.send_notice() };
        refused(world.prosecution().send_condition_notice(request).await, Code::FailedPrecondition, "MESSAGE_ID_STALE");
    }
}

#[tokio::test]
async fn validate_only_answers_as_a_send_would_and_stores_no_message() {
    let world = World::start().await;
    let request = pb::SendConditionNoticeRequest { validate_only: true, ..world.send_notice() };
    let answer = world.prosecution().send_condition_notice(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.outcome, Some(Outcome::Validated(pb::Validated {})));
    assert!(world.unit_polls("r").await.is_empty());
    let real = pb::SendConditionNoticeRequest { validate_only: false, ..request };
    accepted_notice(world.prosecution().send_condition_notice(real).await.unwrap().into_inner());
    let bad = pb::ConditionNotice { municipality_of_stay: "5001".to_owned(), ..notice() };
    let bad = pb::SendConditionNoticeRequest { validate_only: true, body: Some(Body::Content(bad)), ..world.send_notice() };
    refused(world.prosecution().send_condition_notice(bad).await, Code::FailedPrecondition, "MUNICIPALITY_NOT_SERVED");
}

#[tokio::test]
async fn the_envelope_is_checked_field_by_field() {
    let world = World::start().await;
    let id = pb::SendConditionNoticeRequest { message_id: "x".to_owned(), ..world.send_notice() };
    refused(world.prosecution().send_condition_notice(id).await, Code::InvalidArgument, "BAD_MESSAGE_ID");
    for salt in [&[][..], &[0; 32], &[1; 31], &[1; 33]] {
        let salt = pb::SendConditionNoticeRequest { content_salt: Bytes::copy_from_slice(salt), ..world.send_notice() };
        refused(world.prosecution().send_condition_notice(salt).await, Code::InvalidArgument, "BAD_CONTENT_SALT");
    }
    let body = pb::SendConditionNoticeRequest { body: None, ..world.send_notice() };
    refused(world.prosecution().send_condition_notice(body).await, Code::InvalidArgument, "BODY_MISSING");
    let none = pb::SendConditionNoticeRequest { replaces: None, ..world.withdraw_notice("", pb::NoticeWithdrawalReason::SentInError) };
    refused(world.prosecution().send_condition_notice(none).await, Code::InvalidArgument, "REPLACES_MISSING");
}
