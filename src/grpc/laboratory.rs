//! `LaboratoryService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::stream::Answers;
use super::{convert, pb, shared, status};
use crate::gateway::{Gateway, Submitted};
use crate::policy::command::Body;
use crate::policy::table::Verb;
use crate::store::Accepted;

/// A laboratory's calls. It receives nothing and never sees a case reference.
#[derive(Debug, Clone)]
pub struct Laboratory(pub Arc<Gateway>);

fn accepted(accepted: &Accepted) -> pb::AcceptedResult {
    let (receipt, log_index, accepted_at) = shared::receipt_of(accepted);
    let requisition_id = accepted.requisition_id.map(|id| id.to_string()).unwrap_or_default();
    pb::AcceptedResult { receipt, log_index, accepted_at, requisition_id }
}

#[tonic::async_trait]
impl pb::laboratory_service_server::LaboratoryService for Laboratory {
    async fn send_lab_result(&self, request: Request<pb::SendLabResultRequest>) -> Result<Response<pb::SendLabResultResponse>, Status> {
        use pb::send_lab_result_request::Body as Sent;
        use pb::send_lab_result_response::Outcome;
        let caller = shared::caller(request.extensions())?;
        let context = self.0.parse_context();
        let body = |request: pb::SendLabResultRequest| match request.body.ok_or_else(shared::body_missing)? {
            Sent::Content(result) => convert::lab_result(result, &context)
                .map(|result| Body::Result(result.facts()))
                .map_err(|violations| status::of_violations("content", &violations)),
            Sent::Withdrawal(number) => {
                shared::reason_number("withdrawal", convert::result_withdrawal(number), |reason| reason.number()).map(Body::Withdrawal)
            }
        };
        let outcome = match shared::send(&self.0, &caller, request.into_inner(), body).await? {
            Submitted::Accepted(one) => Outcome::Accepted(accepted(&one)),
            Submitted::Validated => Outcome::Validated(pb::Validated {}),
        };
        Ok(Response::new(pb::SendLabResultResponse { outcome: Some(outcome) }))
    }

    async fn get_status(
        &self,
        request: Request<pb::LaboratoryServiceGetStatusRequest>,
    ) -> Result<Response<pb::LaboratoryServiceGetStatusResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let ids = &request.get_ref().message_ids;
        let (statuses, unknown_message_ids) = shared::statuses(&self.0, &caller, Verb::LaboratoryGetStatus, ids).await?;
        Ok(Response::new(pb::LaboratoryServiceGetStatusResponse { statuses, unknown_message_ids }))
    }

    type WatchStatusStream = Answers<pb::LaboratoryServiceWatchStatusResponse>;

    async fn watch_status(
        &self,
        request: Request<pb::LaboratoryServiceWatchStatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let from = (request.get_ref().cursor.as_str(), request.get_ref().follow);
        let answer = |status, cursor| pb::LaboratoryServiceWatchStatusResponse { status, cursor };
        shared::watch(&self.0, request.extensions(), Verb::LaboratoryWatchStatus, from, answer).await.map(Response::new)
    }

    async fn get_receipt(
        &self,
        request: Request<pb::LaboratoryServiceGetReceiptRequest>,
    ) -> Result<Response<pb::LaboratoryServiceGetReceiptResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let one = shared::receipt(&self.0, &caller, Verb::LaboratoryGetReceipt, &request.get_ref().message_id).await?;
        Ok(Response::new(pb::LaboratoryServiceGetReceiptResponse { accepted: Some(accepted(&one)) }))
    }

    async fn get_evidence(
        &self,
        request: Request<pb::LaboratoryServiceGetEvidenceRequest>,
    ) -> Result<Response<pb::LaboratoryServiceGetEvidenceResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::LaboratoryServiceGetEvidenceRequest { message_id, from_index } = request.get_ref();
        let (evidence, next_index, damaged) =
            shared::evidence(&self.0, &caller, Verb::LaboratoryGetEvidence, message_id, *from_index).await?;
        Ok(Response::new(pb::LaboratoryServiceGetEvidenceResponse { evidence, next_index, damaged }))
    }

    async fn look_up(
        &self,
        request: Request<pb::LaboratoryServiceLookUpRequest>,
    ) -> Result<Response<pb::LaboratoryServiceLookUpResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::LaboratoryServiceLookUpRequest { participant_id, after_participant_id } = request.get_ref();
        let filter = (participant_id.as_deref(), None, after_participant_id.as_str());
        let (counterparts, next_after_participant_id) = shared::look_up(&self.0, &caller, Verb::LaboratoryLookUp, filter).await?;
        Ok(Response::new(pb::LaboratoryServiceLookUpResponse { counterparts, next_after_participant_id }))
    }
}
