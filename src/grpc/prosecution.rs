//! `ProsecutionService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::stream::Answers;
use super::{convert, pb, shared, status};
use crate::audit::event::MessageKind;
use crate::gateway::{Delivery, Gateway, Submitted};
use crate::policy::case::ItemBody;
use crate::policy::command::Body;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::Accepted;

/// The prosecution's calls.
#[derive(Debug, Clone)]
pub struct Prosecution(pub Arc<Gateway>);

fn accepted(accepted: &Accepted) -> pb::AcceptedNotice {
    let (receipt, log_index, accepted_at) = shared::receipt_of(accepted);
    pb::AcceptedNotice {
        receipt,
        log_index,
        accepted_at,
        case_ref: accepted.case_ref.map(|case_ref| case_ref.to_string()).unwrap_or_default(),
        requisition_id: accepted.requisition_id.map(|id| id.to_string()),
    }
}

fn answer(delivery: Delivery) -> Result<pb::ProsecutionServiceReceiveResponse, Status> {
    use pb::prosecution_service_receive_response::Item as Told;
    let sender = shared::sender(&delivery);
    let Delivery { item, content, .. } = delivery;
    let told = match (item.kind, item.body) {
        (MessageKind::NonAttendanceReport, ItemBody::Content) => match shared::stored::<pb::ReportNonAttendanceRequest>(content)?.body {
            Some(pb::report_non_attendance_request::Body::Content(report)) => Told::Report(report),
            _ => return Err(status::of_reason(Reason::Internal)),
        },
        (MessageKind::LabResult, ItemBody::Content) => match shared::stored::<pb::SendLabResultRequest>(content)?.body {
            Some(pb::send_lab_result_request::Body::Content(result)) => Told::Result(result),
            _ => return Err(status::of_reason(Reason::Internal)),
        },
        (MessageKind::NonAttendanceReport, ItemBody::Withdrawal { reason }) => Told::ReportWithdrawal(reason.into()),
        (MessageKind::LabResult, ItemBody::Withdrawal { reason }) => Told::ResultWithdrawal(reason.into()),
        (MessageKind::ConditionNotice, _) => return Err(status::of_reason(Reason::Internal)),
    };
    let report_meaning = match told {
        Told::Report(_) => pb::ReportMeaning::NotMetOnDatesOnly,
        _ => pb::ReportMeaning::Unspecified,
    };
    Ok(pb::ProsecutionServiceReceiveResponse {
        item_number: item.item.0,
        sender: Some(sender),
        accepted_at: Some(shared::timestamp(item.accepted_at)),
        case_ref: item.case_ref.to_string(),
        requisition_id: item.requisition_id.map(|id| id.to_string()),
        replaces_item: item.replaces.map(|before| before.0),
        overdue: item.overdue,
        notice_message_id: item.notice_message_id.to_string(),
        item: Some(told),
        report_meaning: report_meaning.into(),
    })
}

#[tonic::async_trait]
impl pb::prosecution_service_server::ProsecutionService for Prosecution {
    async fn send_condition_notice(
        &self,
        request: Request<pb::SendConditionNoticeRequest>,
    ) -> Result<Response<pb::SendConditionNoticeResponse>, Status> {
        use pb::send_condition_notice_request::Body as Sent;
        use pb::send_condition_notice_response::Outcome;
        let caller = shared::caller(request.extensions())?;
        let context = self.0.parse_context();
        let body = |request: pb::SendConditionNoticeRequest| match request.body.ok_or_else(shared::body_missing)? {
            Sent::Content(notice) => convert::condition_notice(notice, &context)
                .map(|notice| Body::Notice(Box::new(notice)))
                .map_err(|violations| status::of_violations("content", &violations)),
            Sent::Withdrawal(number) => {
                shared::reason_number("withdrawal", convert::notice_withdrawal(number), |reason| reason.number()).map(Body::Withdrawal)
            }
        };
        let outcome = match shared::send(&self.0, &caller, request.into_inner(), body).await? {
            Submitted::Accepted(one) => Outcome::Accepted(accepted(&one)),
            Submitted::Validated => Outcome::Validated(pb::Validated {}),
        };
        Ok(Response::new(pb::SendConditionNoticeResponse { outcome: Some(outcome) }))
    }

    type ReceiveStream = Answers<pb::ProsecutionServiceReceiveResponse>;

    async fn receive(&self, request: Request<pb::ProsecutionServiceReceiveRequest>) -> Result<Response<Self::ReceiveStream>, Status> {
        let (_, extensions, request) = request.into_parts();
        let options = (request.reader_id, request.max_items, request.until_empty);
        shared::receive(&self.0, &extensions, Verb::ProsecutionReceive, options, answer).await.map(Response::new)
    }

    async fn acknowledge(
        &self,
        request: Request<pb::ProsecutionServiceAcknowledgeRequest>,
    ) -> Result<Response<pb::ProsecutionServiceAcknowledgeResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        shared::acknowledge(&self.0, &caller, Verb::ProsecutionAcknowledge, &request.get_ref().item_numbers).await?;
        Ok(Response::new(pb::ProsecutionServiceAcknowledgeResponse {}))
    }

    async fn get_status(
        &self,
        request: Request<pb::ProsecutionServiceGetStatusRequest>,
    ) -> Result<Response<pb::ProsecutionServiceGetStatusResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let ids = &request.get_ref().message_ids;
        let (statuses, unknown_message_ids) = shared::statuses(&self.0, &caller, Verb::ProsecutionGetStatus, ids).await?;
        Ok(Response::new(pb::ProsecutionServiceGetStatusResponse { statuses, unknown_message_ids }))
    }

    type WatchStatusStream = Answers<pb::ProsecutionServiceWatchStatusResponse>;

    async fn watch_status(
        &self,
        request: Request<pb::ProsecutionServiceWatchStatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let from = (request.get_ref().cursor.as_str(), request.get_ref().follow);
        let answer = |status, cursor| pb::ProsecutionServiceWatchStatusResponse { status, cursor };
        shared::watch(&self.0, request.extensions(), Verb::ProsecutionWatchStatus, from, answer).await.map(Response::new)
    }

    async fn get_receipt(
        &self,
        request: Request<pb::ProsecutionServiceGetReceiptRequest>,
    ) -> Result<Response<pb::ProsecutionServiceGetReceiptResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let one = shared::receipt(&self.0, &caller, Verb::ProsecutionGetReceipt, &request.get_ref().message_id).await?;
        Ok(Response::new(pb::ProsecutionServiceGetReceiptResponse { accepted: Some(accepted(&one)) }))
    }

    async fn get_evidence(
        &self,
        request: Request<pb::ProsecutionServiceGetEvidenceRequest>,
    ) -> Result<Response<pb::ProsecutionServiceGetEvidenceResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::ProsecutionServiceGetEvidenceRequest { message_id, from_index } = request.get_ref();
        let (evidence, next_index, damaged) =
            shared::evidence(&self.0, &caller, Verb::ProsecutionGetEvidence, message_id, *from_index).await?;
        Ok(Response::new(pb::ProsecutionServiceGetEvidenceResponse { evidence, next_index, damaged }))
    }

    async fn look_up(
        &self,
        request: Request<pb::ProsecutionServiceLookUpRequest>,
    ) -> Result<Response<pb::ProsecutionServiceLookUpResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::ProsecutionServiceLookUpRequest { participant_id, municipality, after_participant_id } = request.get_ref();
        let filter = (participant_id.as_deref(), municipality.as_deref(), after_participant_id.as_str());
        let (counterparts, next_after_participant_id) = shared::look_up(&self.0, &caller, Verb::ProsecutionLookUp, filter).await?;
        Ok(Response::new(pb::ProsecutionServiceLookUpResponse { counterparts, next_after_participant_id }))
    }
}
