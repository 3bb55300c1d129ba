//! Every call once, as it should be.

use samband::audit::record::Record;
use samband::grpc::pb;
use samband::grpc::pb::list_records_response::Row;
use samband::grpc::pb::municipal_service_receive_response::Item as ToUnit;
use samband::grpc::pb::prosecution_service_receive_response::Item as ToProsecution;
use samband::grpc::server::ServerLimits;
use tonic::Code;

use crate::harness::{AUDITOR, Kind, LAB, OSLO, UNIT, World, accepted_notice, drain, notice, refused, settings};

const AUDIT_READ: u16 = 60;
const AUDIT_ASKED: u16 = 61;

#[tokio::test]
async fn a_notice_reaches_the_unit_with_contact_requisition_and_notes() {
    let world = World::start().await;
    let (request, accepted) = world.noticed().await;
    let items = world.unit_polls("caseworker").await;
    let [item] = items.as_slice() else { panic!("one item: {}", items.len()) };
    assert_eq!(item.item, Some(ToUnit::Notice(notice())));
    assert_eq!(item.case_ref, accepted.case_ref);
    assert_eq!(item.requisition_id, accepted.requisition_id);
    assert!(accepted.requisition_id.is_some());
    assert_eq!(item.sender.as_ref().unwrap().id, OSLO);
    let contact = item.contact.as_ref().unwrap();
    assert_eq!(contact.role_name, "Påtalejurist i vakt");
    assert_eq!(contact.phone.as_deref(), Some("+4700000001"));
    assert_eq!(item.notes().count(), 2);
    assert!(!item.overdue);
    assert_eq!(world.status_of(&request.message_id).await, pb::DeliveryStatus::HandedOut);
    world.unit_acknowledges(&items).await;
    world.unit_acknowledges(&items).await;
    assert_eq!(world.status_of(&request.message_id).await, pb::DeliveryStatus::Acknowledged);
    assert!(world.unit_polls("caseworker").await.is_empty());
}

#[tokio::test]
async fn a_report_and_a_result_reach_the_prosecution_that_sent_the_notice() {
    let world = World::start().await;
    let case = world.case().await;
    let report = world.send_report(&case.case_ref);
    let answer = world.unit().report_non_attendance(report).await.unwrap().into_inner();
    let Some(pb::report_non_attendance_response::Outcome::Accepted(accepted)) = answer.outcome else { panic!("accepted") };
    assert_eq!(accepted.case_ref, case.case_ref);
    let result = world.send_result(&case.requisition_id.clone().unwrap());
    let answer = world.laboratory().send_lab_result(result).await.unwrap().into_inner();
    let Some(pb::send_lab_result_response::Outcome::Accepted(accepted)) = answer.outcome else { panic!("accepted") };
    assert_eq!(accepted.requisition_id, case.requisition_id.clone().unwrap());
    let receipt = String::from_utf8(accepted.receipt.to_vec()).unwrap();
    assert!(!receipt.contains(&case.case_ref), "a laboratory never sees a case reference");

    let items = world.prosecution_polls("desk").await;
    let [first, second] = items.as_slice() else { panic!("two items: {}", items.len()) };
    assert!(matches!(first.item, Some(ToProsecution::Report(_))));
    assert_eq!(first.report_meaning(), pb::ReportMeaning::NotMetOnDatesOnly);
    assert!(matches!(second.item, Some(ToProsecution::Result(_))));
    assert_eq!(second.report_meaning(), pb::ReportMeaning::Unspecified);
    assert!(items.iter().all(|item| item.case_ref == case.case_ref && !item.notice_message_id.is_empty()));
    let item_numbers = items.iter().map(|item| item.item_number).collect();
    world.prosecution().acknowledge(pb::ProsecutionServiceAcknowledgeRequest { item_numbers }).await.unwrap();
    assert!(world.prosecution_polls("desk").await.is_empty());
}

#[tokio::test]
async fn a_withdrawn_report_is_told_by_its_reason_and_the_item_it_withdraws() {
    let world = World::start().await;
    let case = world.case().await;
    let report = world.send_report(&case.case_ref);
    world.unit().report_non_attendance(report.clone()).await.unwrap();
    let first = world.prosecution_polls("desk").await;
    let withdrawal = pb::ReportNonAttendanceRequest {
        message_id: world.fresh(),
        replaces: Some(report.message_id),
        body: Some(pb::report_non_attendance_request::Body::Withdrawal(pb::ReportWithdrawalReason::WrongCase.into())),
        ..world.send_report(&case.case_ref)
    };
    world.unit().report_non_attendance(withdrawal).await.unwrap();
    let items = world.prosecution_polls("desk").await;
    let told = items.iter().find(|item| item.replaces_item.is_some()).unwrap();
    assert_eq!(told.item, Some(ToProsecution::ReportWithdrawal(pb::ReportWithdrawalReason::WrongCase.into())));
    assert_eq!(told.replaces_item, Some(first[0].item_number));
}

#[tokio::test]
async fn a_unit_returns_a_notice_once_and_again_with_the_same_answer() {
    let world = World::start().await;
    let (request, _) = world.noticed().await;
    let item_number = world.unit_polls("r").await[0].item_number;
    let back = pb::ReturnRequest { item_number, reason: pb::NoticeReturnReason::NotStayingHere.into() };
    for _ in 0..2 {
        world.unit().r#return(back).await.unwrap();
    }
    assert_eq!(world.status_of(&request.message_id).await, pb::DeliveryStatus::Returned);
    let unset = pb::ReturnRequest { item_number, reason: 0 };
    refused(world.unit().r#return(unset).await, Code::InvalidArgument, "BAD_ARGUMENT");
    let foreign = pb::ReturnRequest { item_number: 9_999, ..back };
    refused(world.unit().r#return(foreign).await, Code::NotFound, "ITEM_UNKNOWN");
}

#[tokio::test]
async fn each_role_looks_up_its_counterparts_and_nobody_else() {
    let world = World::start().await;
    let all = pb::ProsecutionServiceLookUpRequest::default();
    let seen = world.prosecution().look_up(all).await.unwrap().into_inner().counterparts;
    let ids: Vec<&str> = seen.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["lab-ous", "lab-st-olav", "ru-hamar", "ru-oslo", "ru-tromso"]);
    let one = pb::ProsecutionServiceLookUpRequest { municipality: Some("3411".to_owned()), ..Default::default() };
    let one = world.prosecution().look_up(one).await.unwrap().into_inner().counterparts;
    assert_eq!(one[0].id, "ru-hamar");
    assert_eq!(one[0].municipalities, ["3403", "3411", "3412"]);
    let none = pb::ProsecutionServiceLookUpRequest { participant_id: Some("politi-innlandet".to_owned()), ..Default::default() };
    refused(world.prosecution().look_up(none).await, Code::NotFound, "PARTICIPANT_UNKNOWN");
    let seen = world.unit().look_up(pb::MunicipalServiceLookUpRequest::default()).await.unwrap().into_inner().counterparts;
    assert!(seen.iter().all(|one| one.id.starts_with("politi") || one.id.starts_with("lab")), "{seen:?}");
    assert_eq!(seen.len(), 4);
    let seen = world.laboratory().look_up(pb::LaboratoryServiceLookUpRequest::default()).await.unwrap().into_inner().counterparts;
    assert_eq!(seen.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["politi-innlandet", "politi-oslo"]);
}

#[tokio::test]
async fn a_unit_sets_its_own_contact_and_its_counterparts_see_it() {
    let world = World::start().await;
    let contact = pb::SetContactRequest { role_name: "Koordinator".to_owned(), phone: Some("+4711111111".to_owned()), email: None };
    world.unit().set_contact(contact).await.unwrap();
    let one = pb::ProsecutionServiceLookUpRequest { participant_id: Some(UNIT.to_owned()), ..Default::default() };
    let seen = world.prosecution().look_up(one).await.unwrap().into_inner().counterparts;
    assert_eq!(seen[0].contacts.len(), 1);
    assert_eq!(seen[0].contacts[0].role_name, "Koordinator");
    let bad = pb::SetContactRequest { role_name: "x".to_owned(), phone: None, email: None };
    refused(world.unit().set_contact(bad).await, Code::InvalidArgument, "BAD_ARGUMENT");
}

#[tokio::test]
async fn status_tells_known_and_unknown_ids_apart_and_is_each_senders_own() {
    let world = World::start().await;
    let (request, _) = world.noticed().await;
    let unknown = world.fresh();
    let ask = pb::ProsecutionServiceGetStatusRequest { message_ids: vec![unknown.clone(), request.message_id.clone()] };
    let answer = world.prosecution().get_status(ask).await.unwrap().into_inner();
    assert_eq!(answer.unknown_message_ids, [unknown]);
    assert_eq!(answer.statuses[0].status(), pb::DeliveryStatus::Accepted);
    let ask = pb::LaboratoryServiceGetStatusRequest { message_ids: vec![request.message_id.clone()] };
    let answer = world.laboratory().get_status(ask).await.unwrap().into_inner();
    assert_eq!(answer.unknown_message_ids, std::slice::from_ref(&request.message_id));
    let none = pb::ProsecutionServiceGetStatusRequest { message_ids: Vec::new() };
    refused(world.prosecution().get_status(none).await, Code::InvalidArgument, "BAD_ARGUMENT");
    let receipt = pb::LaboratoryServiceGetReceiptRequest { message_id: request.message_id };
    refused(world.laboratory().get_receipt(receipt).await, Code::NotFound, "MESSAGE_UNKNOWN");
}

#[tokio::test]
async fn an_auditor_lists_and_proves_and_each_reading_is_an_event_before_its_answer() {
    let world = World::start().await;
    let (request, accepted) = world.noticed().await;
    let filter = pb::ListRecordsRequest { message_id: Some(request.message_id.clone()), ..Default::default() };
    let rows = drain(world.auditor().list_records(filter).await.unwrap().into_inner()).await;
    let [first, end] = rows.as_slice() else { panic!("an entry and the end: {}", rows.len()) };
    let Some(Row::Entry(entry)) = &first.row else { panic!("an entry") };
    assert_eq!(entry.index, accepted.log_index);
    assert_eq!(entry.record.as_ref().unwrap().kind_name, "NOTICE_ACCEPTED");
    assert!(matches!(end.row, Some(Row::End(_))));
    let asked: Vec<Record> = world.records(AUDIT_ASKED, Some(AUDITOR)).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].message_id.map(|id| id.to_string()), Some(request.message_id.clone()), "which filter");
    assert_eq!(asked[0].key_label.as_deref(), Some("dev"), "and which reader");

    let checkpoint = world.auditor().get_checkpoint(pb::GetCheckpointRequest {}).await.unwrap().into_inner().checkpoint;
    assert!(checkpoint.starts_with(b"log.samband.example/e2e\n"));
    for of in [pb::get_proof_request::Of::Index(entry.index), pb::get_proof_request::Of::MessageId(request.message_id)] {
        let proofs = world.auditor().get_proof(pb::GetProofRequest { of: Some(of), from_index: 0 }).await.unwrap().into_inner().proofs;
        assert_eq!(proofs[0].index, accepted.log_index);
        assert_eq!(proofs[0].leaf.len(), 33);
        assert!(proofs[0].proof.starts_with(b"c2sp.org/tlog-proof@v1\n"));
    }
    let between = pb::GetConsistencyProofRequest { old_size: 2, new_size: accepted.log_index + 1 };
    let hashes = world.auditor().get_consistency_proof(between).await.unwrap().into_inner().hashes;
    assert!(hashes.iter().all(|hash| hash.len() == 32) && !hashes.is_empty());
    assert_eq!(world.records(AUDIT_READ, Some(AUDITOR)).await.len(), 2, "the head and the consistency proof name nothing");
    let proofs: Vec<Record> = world.records(AUDIT_ASKED, Some(AUDITOR)).await.split_off(1);
    assert_eq!(proofs[0].note, Some(format!("index {} below {}", entry.index, entry.index + 1)), "which entry");
    assert_eq!((proofs.len(), proofs[1].message_id), (2, asked[0].message_id), "and about which message");
    let past = pb::GetProofRequest { of: Some(pb::get_proof_request::Of::Index(1_000_000)), from_index: 0 };
    refused(world.auditor().get_proof(past).await, Code::NotFound, "ENTRY_UNKNOWN");
}

#[tokio::test]
async fn a_list_can_be_cut_and_taken_up_where_it_ended() {
    let world = World::start().await;
    world.noticed().await;
    let first = pb::ListRecordsRequest { max_records: 2, ..Default::default() };
    let rows = drain(world.auditor().list_records(first).await.unwrap().into_inner()).await;
    assert_eq!(rows.len(), 3);
    let Some(Row::End(end)) = &rows[2].row else { panic!("the end") };
    assert_eq!(end.next_index, Some(2));
    let rest = pb::ListRecordsRequest { from_index: 2, ..Default::default() };
    let rows = drain(world.auditor().list_records(rest).await.unwrap().into_inner()).await;
    let Some(Row::Entry(entry)) = &rows[0].row else { panic!("an entry") };
    assert_eq!(entry.index, 2);
    let Some(Row::End(end)) = &rows.last().unwrap().row else { panic!("the end") };
    assert_eq!(end.next_index, None);
}

#[tokio::test]
async fn a_result_of_a_laboratory_that_the_order_does_not_name_is_unknown() {
    let world = World::start().await;
    let case = world.case().await;
    let result = world.send_result(&case.requisition_id.unwrap());
    let mut other = pb::laboratory_service_client::LaboratoryServiceClient::new(world.channel(crate::harness::LAB_2));
    refused(other.send_lab_result(result).await, Code::NotFound, "REFERENCE_UNKNOWN");
    assert!(world.records(40, Some(LAB)).await.is_empty());
}

#[tokio::test]
async fn the_embedded_store_gives_the_same_receipt_after_a_restart() {
    let world = World::on(Kind::Embedded, settings(), ServerLimits::default()).await;
    let (request, first) = world.noticed().await;
    let items = world.unit_polls("r").await;
    assert_eq!(items.len(), 1);
    let world = world.restarted().await;
    let again = world.prosecution().send_condition_notice(request).await.unwrap().into_inner();
    assert_eq!(accepted_notice(again), first);
    assert_eq!(world.unit_polls("r").await, items, "unacknowledged, so it comes again, the same");
}
