//! Participants change: districts merge, municipalities move, certificates are renewed, suppliers act; and whose certificate ends soon is told.

use std::time::Duration;

use samband::clock::{Clock as _, SeededEntropy};
use samband::domain::participant::{EnrolledKey, Participant, Standing};
use samband::domain::time::{DAY_MILLIS, Timestamp};
use samband::grpc::pb;
use samband::grpc::pb::municipal_service_client::MunicipalServiceClient;
use samband::grpc::pb::municipal_service_receive_response::Item as ToUnit;
use samband::grpc::pb::prosecution_service_client::ProsecutionServiceClient;
use samband::grpc::pb::prosecution_service_receive_response::Item as ToProsecution;
use samband::grpc::server::ServerLimits;
use samband::tls::issue::{Issued, Leaf};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::harness::{Kind, OSLO, UNIT, UNIT_2, World, accepted_notice, drain, noon, notice, pki, refused, settings};
use crate::identity::changed;

const SUCCESSOR: &str = "politi-innlandet";
const SUCCEEDED: u16 = 51;
const SOON: Duration = Duration::from_secs(10);
const TRAILER: &str = "samband-certificate-expires";

fn one<'a>(all: &'a mut [Participant], who: &str) -> &'a mut Participant {
    all.iter_mut().find(|one| one.id.as_str() == who).unwrap()
}

async fn load(world: &World, change: impl FnOnce(&mut Vec<Participant>)) {
    let next = changed(world, change);
    let digest = [u8::try_from(next.generation()).unwrap(); 32];
    world.app.load_register(&next, digest).await.unwrap();
}

type ToProsecutions = Streaming<pb::ProsecutionServiceReceiveResponse>;

async fn stream(client: &mut ProsecutionServiceClient<Channel>) -> ToProsecutions {
    let request = pb::ProsecutionServiceReceiveRequest { reader_id: "desk".to_owned(), max_items: 0, until_empty: false };
    client.receive(request).await.unwrap().into_inner()
}

async fn next(stream: &mut ToProsecutions) -> pb::ProsecutionServiceReceiveResponse {
    timeout(SOON, stream.message()).await.unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn two_districts_merge_with_an_undelivered_result_under_way() {
    let world = World::on(Kind::Embedded, settings(), ServerLimits::default()).await;
    let (request, opened) = world.noticed().await;
    let items = world.unit_polls("setup").await;
    world.unit_acknowledges(&items).await;
    let mut old = world.prosecution();
    let receipt = pb::ProsecutionServiceGetReceiptRequest { message_id: request.message_id.clone() };
    let before = old.get_receipt(receipt.clone()).await.unwrap().into_inner();
    let requisition = opened.requisition_id.clone().unwrap();
    world.laboratory().send_lab_result(world.send_result(&requisition)).await.unwrap();
    let mut predecessors = stream(&mut old).await;
    let fetched = next(&mut predecessors).await;
    let mut new = ProsecutionServiceClient::new(world.channel(SUCCESSOR));
    let mut successors = stream(&mut new).await;

    load(&world, |all| {
        one(all, OSLO).standing = Standing::Retired;
        one(all, OSLO).successor = Some(SUCCESSOR.parse().unwrap());
    })
    .await;

    assert!(timeout(SOON, predecessors.message()).await.unwrap().is_err(), "with its connection, or with the reason before that is closed");
    let passed = next(&mut successors).await;
    assert_eq!(passed.item_number, fetched.item_number, "what was under way goes on, on a stream that was open before");
    assert!(matches!(passed.item, Some(ToProsecution::Result(_))));
    assert_eq!(passed.notice_message_id, request.message_id);
    new.acknowledge(pb::ProsecutionServiceAcknowledgeRequest { item_numbers: vec![passed.item_number] }).await.unwrap();
    refused(old.look_up(pb::ProsecutionServiceLookUpRequest::default()).await, Code::PermissionDenied, "PARTICIPANT_RETIRED");
    let later = world.prosecution().look_up(pb::ProsecutionServiceLookUpRequest::default()).await;
    refused(later, Code::PermissionDenied, "PARTICIPANT_RETIRED");

    // What comes back in the case from here, and what the predecessor sent.
    world.unit().report_non_attendance(world.send_report(&opened.case_ref)).await.unwrap();
    assert!(matches!(next(&mut successors).await.item, Some(ToProsecution::Report(_))));
    let again = new.get_receipt(receipt.clone()).await.unwrap().into_inner();
    assert_eq!(again, before, "the receipt of the predecessor's notice, byte for byte");
    let retried = new.send_condition_notice(request.clone()).await.unwrap().into_inner();
    assert_eq!(accepted_notice(retried).receipt, opened.receipt, "and its id stays bound");
    let evidence = pb::ProsecutionServiceGetEvidenceRequest { message_id: request.message_id.clone(), from_index: 0 };
    assert_eq!(new.get_evidence(evidence).await.unwrap().into_inner().evidence.len(), 2, "handed out and acknowledged");
    let corrected = pb::SendConditionNoticeRequest { replaces: Some(request.message_id.clone()), ..world.send_notice() };
    let corrected = accepted_notice(new.send_condition_notice(corrected).await.unwrap().into_inner());
    assert_eq!((&corrected.case_ref, &corrected.requisition_id), (&opened.case_ref, &opened.requisition_id));

    // Others are told who took over; the log has it.
    let asked = pb::MunicipalServiceLookUpRequest { participant_id: Some(OSLO.to_owned()), ..Default::default() };
    let found = world.unit().look_up(asked).await.unwrap().into_inner().counterparts;
    assert_eq!(found[0].successor_id.as_deref(), Some(SUCCESSOR));
    let all = world.unit().look_up(pb::MunicipalServiceLookUpRequest::default()).await.unwrap().into_inner().counterparts;
    assert!(all.iter().all(|one| one.id != OSLO), "and nobody chooses it any longer");
    let records = world.records(SUCCEEDED, Some(OSLO)).await;
    let [record] = &records[..] else { panic!("one event: {records:?}") };
    let successor = record.recipient.as_ref().map(ToString::to_string);
    assert_eq!((successor.as_deref(), record.note.as_deref()), (Some(SUCCESSOR), None), "it counts nothing");

    // The same after a restart.
    drop((old, new, predecessors, successors));
    let world = world.restarted().await;
    let mut new = ProsecutionServiceClient::new(world.channel(SUCCESSOR));
    assert_eq!(new.get_receipt(receipt).await.unwrap().into_inner(), before);
    let asked = pb::ProsecutionServiceGetStatusRequest { message_ids: vec![request.message_id.clone()] };
    let told = new.get_status(asked).await.unwrap().into_inner();
    assert_eq!(told.statuses[0].status(), pb::DeliveryStatus::Superseded);
}

#[tokio::test]
async fn a_municipality_leaves_a_joint_unit() {
    let world = World::on(Kind::Embedded, settings(), ServerLimits::default()).await;
    let at_3411 = || pb::ConditionNotice { municipality_of_stay: "3411".to_owned(), ..notice() };
    let send = |world: &World, replaces: Option<String>| pb::SendConditionNoticeRequest {
        replaces,
        body: Some(pb::send_condition_notice_request::Body::Content(at_3411())),
        ..world.send_notice()
    };
    let mut joint = MunicipalServiceClient::new(world.channel(UNIT_2));
    let poll = pb::MunicipalServiceReceiveRequest { reader_id: "r".to_owned(), max_items: 0, until_empty: true };
    let first = send(&world, None);
    let opened = accepted_notice(world.prosecution().send_condition_notice(first.clone()).await.unwrap().into_inner());
    let items = drain(joint.receive(poll.clone()).await.unwrap().into_inner()).await;
    joint.acknowledge(pb::MunicipalServiceAcknowledgeRequest { item_numbers: vec![items[0].item_number] }).await.unwrap();
    // One that nobody has fetched, and one that was fetched and is not acknowledged.
    world.prosecution().send_condition_notice(send(&world, None)).await.unwrap();
    let fetched = drain(joint.receive(poll.clone()).await.unwrap().into_inner()).await;
    world.prosecution().send_condition_notice(send(&world, None)).await.unwrap();

    load(&world, |all| {
        let left = "3411".parse().unwrap();
        one(all, UNIT_2).municipalities.retain(|number| *number != left);
        one(all, UNIT).municipalities.push(left);
    })
    .await;

    // What was in its mailbox stays there, and is nobody else's; over a restart, too.
    drop(joint);
    let world = world.restarted().await;
    let mut joint = MunicipalServiceClient::new(world.channel(UNIT_2));
    assert!(world.unit_polls("r").await.is_empty());
    let left = drain(joint.receive(poll.clone()).await.unwrap().into_inner()).await;
    assert_eq!(left.len(), 2);
    assert!(left.iter().any(|item| item.item_number == fetched[0].item_number));
    let stranger = world.unit().report_non_attendance(world.send_report(&opened.case_ref)).await;
    refused(stranger, Code::NotFound, "REFERENCE_UNKNOWN");
    let numbers = left.iter().map(|item| item.item_number).collect();
    joint.acknowledge(pb::MunicipalServiceAcknowledgeRequest { item_numbers: numbers }).await.unwrap();
    joint.report_non_attendance(world.send_report(&opened.case_ref)).await.expect("its cases stay with the unit that has them");
    world.prosecution().send_condition_notice(send(&world, None)).await.unwrap();
    let new = world.unit_polls("r").await;
    assert_eq!(new.len(), 1, "new notices go to the municipality's own unit");
    assert!(drain(joint.receive(poll.clone()).await.unwrap().into_inner()).await.is_empty());
    world.prosecution().send_condition_notice(send(&world, Some(first.message_id))).await.unwrap();
    let told = drain(joint.receive(poll).await.unwrap().into_inner()).await;
    assert_eq!(told[0].item, Some(ToUnit::Withdrawal(pb::NoticeWithdrawalReason::CaseTransferred.into())));
    assert_eq!(told[0].replaces_item, Some(items[0].item_number));
    assert_eq!(world.unit_polls("r").await.len(), 2, "and the corrected notice too");
}

/// A certificate of this organisation that ends at `not_after`, with its key or a fresh one; and a channel that shows it.
fn channel(world: &World, organisation: &str, not_after: Timestamp, key_of: Option<&str>) -> (Issued, Channel) {
    let leaf = Leaf { not_after, ..Leaf::client("fornyet", organisation.parse().unwrap(), noon()) };
    let authority = pki().authority().unwrap();
    let entropy = SeededEntropy::new(u64::try_from(not_after.millis()).unwrap());
    let issued = match key_of {
        Some(who) => authority.renew(&leaf, &std::fs::read_to_string(pki().key_file(who)).unwrap(), &entropy),
        None => authority.issue(&leaf, &entropy),
    }
    .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    samband::tls::files::write(&certificate, issued.certificate_pem().as_bytes(), 0o644).unwrap();
    samband::tls::files::write(&key, issued.key_pem().as_bytes(), 0o600).unwrap();
    let channel = world.channel_of(&certificate, &key);
    (issued, channel)
}

fn in_days(days: i64) -> Timestamp {
    noon().plus_millis(days * DAY_MILLIS)
}

fn organisation(world: &World, who: &str) -> String {
    world.store.register().get(&who.parse().unwrap()).unwrap().organisation_number.to_string()
}

async fn look_up(channel: &Channel) -> Result<tonic::Response<pb::MunicipalServiceLookUpResponse>, tonic::Status> {
    MunicipalServiceClient::new(channel.clone()).look_up(pb::MunicipalServiceLookUpRequest::default()).await
}

#[tokio::test]
async fn a_certificate_renewed_with_its_key_needs_no_change_of_the_register() {
    let world = World::start().await;
    let (issued, renewed) = channel(&world, &organisation(&world, UNIT), in_days(900), Some(UNIT));
    assert!(world.store.register().by_key(&issued.key_hash()).is_some(), "it is the key that is enrolled");
    look_up(&renewed).await.unwrap();
    look_up(&world.channel(UNIT)).await.expect("the old one as long as it is valid");
}

#[tokio::test]
async fn a_certificate_renewed_with_a_new_key_works_beside_the_old_until_that_is_taken_out() {
    let world = World::start().await;
    let (issued, renewed) = channel(&world, &organisation(&world, UNIT), in_days(900), None);
    refused(look_up(&renewed).await, Code::PermissionDenied, "NOT_ENROLLED");
    load(&world, |all| {
        one(all, UNIT).keys.push(EnrolledKey { hash: issued.key_hash(), label: "2027".into(), operated_by: None });
    })
    .await;
    let old = world.channel(UNIT);
    look_up(&renewed).await.unwrap();
    look_up(&old).await.unwrap();
    load(&world, |all| drop(one(all, UNIT).keys.remove(0))).await;
    look_up(&renewed).await.unwrap();
    assert!(look_up(&world.channel(UNIT)).await.is_err());
    world.case_of(&renewed).await;
}

#[tokio::test]
async fn a_suppliers_certificate_acts_for_a_municipality() {
    const SUPPLIER: &str = "800000815";
    let world = World::start().await;
    let (issued, supplier) = channel(&world, SUPPLIER, in_days(900), None);
    let key = |operated_by: Option<&str>| EnrolledKey {
        hash: issued.key_hash(),
        label: "leverandor".into(),
        operated_by: operated_by.map(|number| number.parse().unwrap()),
    };
    load(&world, |all| one(all, UNIT).keys.push(key(None))).await;
    refused(look_up(&supplier).await, Code::PermissionDenied, "NOT_ENROLLED");
    load(&world, |all| *one(all, UNIT).keys.last_mut().unwrap() = key(Some(SUPPLIER))).await;
    let opened = world.case_of(&supplier).await;
    MunicipalServiceClient::new(supplier).report_non_attendance(world.send_report(&opened.case_ref)).await.unwrap();
    let report = &world.records(12, Some(UNIT)).await[0];
    assert_eq!(report.actor.as_ref().unwrap().as_str(), UNIT, "in the municipality's name");
    assert_eq!(report.key_label.as_deref(), Some("leverandor"), "and the log says by whose key");
}

#[tokio::test]
async fn replies_tell_of_a_certificate_with_less_than_sixty_days_left() {
    let world = World::start().await;
    let number = organisation(&world, UNIT);
    let (_, soon) = channel(&world, &number, in_days(59), Some(UNIT));
    let (_, later) = channel(&world, &number, in_days(61), Some(UNIT));
    let end = in_days(59).to_string();
    let told = look_up(&soon).await.unwrap();
    assert_eq!(told.metadata().get(TRAILER).unwrap(), end.as_str());
    assert!(look_up(&later).await.unwrap().metadata().get(TRAILER).is_none());
    // A refusal tells it too.
    let bad = pb::MunicipalServiceLookUpRequest { participant_id: Some("X".to_owned()), ..Default::default() };
    let status = MunicipalServiceClient::new(soon.clone()).look_up(bad.clone()).await.unwrap_err();
    assert_eq!(status.metadata().get(TRAILER).unwrap(), end.as_str(), "{status:?}");
    let status = MunicipalServiceClient::new(later.clone()).look_up(bad).await.unwrap_err();
    assert!(status.metadata().get(TRAILER).is_none());
    // And a stream, at its end.
    let poll = pb::MunicipalServiceReceiveRequest { reader_id: "r".to_owned(), max_items: 0, until_empty: true };
    world.noticed().await;
    let mut items = MunicipalServiceClient::new(soon).receive(poll).await.unwrap().into_inner();
    assert!(items.message().await.unwrap().is_some());
    assert!(items.message().await.unwrap().is_none());
    assert_eq!(items.trailers().await.unwrap().unwrap().get(TRAILER).unwrap(), end.as_str());
    // Time alone makes it so.
    world.clock.advance_millis(2 * DAY_MILLIS);
    assert!(world.clock.now() > in_days(1));
    let told = look_up(&later).await.unwrap();
    assert_eq!(told.metadata().get(TRAILER).unwrap(), in_days(61).to_string().as_str());
}

impl World {
    /// A notice that the unit behind `channel` has acknowledged.
    async fn case_of(&self, channel: &Channel) -> pb::AcceptedNotice {
        let (_, accepted) = self.noticed().await;
        let mut unit = MunicipalServiceClient::new(channel.clone());
        let poll = pb::MunicipalServiceReceiveRequest { reader_id: "r".to_owned(), max_items: 0, until_empty: true };
        let items = drain(unit.receive(poll).await.unwrap().into_inner()).await;
        let item_numbers = items.iter().map(|item| item.item_number).collect();
        unit.acknowledge(pb::MunicipalServiceAcknowledgeRequest { item_numbers }).await.unwrap();
        accepted
    }
}
