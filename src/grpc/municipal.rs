//! `MunicipalService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::stream::Answers;
use super::{convert, pb, shared, status};
use crate::audit::event::{ItemNumber, MessageKind};
use crate::domain::participant::Contact;
use crate::gateway::{Delivery, Gateway, Submitted};
use crate::policy::case::ItemBody;
use crate::policy::command::Body;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::Accepted;

/// A municipal unit's calls.
#[derive(Debug, Clone)]
pub struct Municipal(pub Arc<Gateway>);

/// The key under which a unit's own contact stands.
const CONTACT_KEY: &str = "unit";

fn accepted(accepted: &Accepted) -> pb::AcceptedReport {
    let (receipt, log_index, accepted_at) = shared::receipt_of(accepted);
    let case_ref = accepted.case_ref.map(|case_ref| case_ref.to_string()).unwrap_or_default();
    pb::AcceptedReport { receipt, log_index, accepted_at, case_ref }
}

/// What must be shown with a notice (r23, r56, r58).
fn notes(notice: &pb::ConditionNotice) -> Vec<i32> {
    if notice.control.is_none() {
        return Vec::new();
    }
    let mut notes = vec![pb::HandlingNote::SamplerNotInTreatment.into(), pb::HandlingNote::TreatingPersonnelCannotBeOrdered.into()];
    if notice.minor_at_decision == Some(true) {
        notes.push(pb::HandlingNote::MinorHpl12.into());
    }
    notes
}

fn answer(delivery: Delivery) -> Result<pb::MunicipalServiceReceiveResponse, Status> {
    use pb::municipal_service_receive_response::Item as Told;
    let sender = shared::sender(&delivery);
    let Delivery { item, content, contact, .. } = delivery;
    let (told, notes) = match (item.kind, item.body) {
        (MessageKind::ConditionNotice, ItemBody::Content) => match shared::stored::<pb::SendConditionNoticeRequest>(content)?.body {
            Some(pb::send_condition_notice_request::Body::Content(notice)) => {
                let notes = notes(&notice);
                (Told::Notice(notice), notes)
            }
            _ => return Err(status::of_reason(Reason::Internal)),
        },
        (MessageKind::ConditionNotice, ItemBody::Withdrawal { reason }) => (Told::Withdrawal(reason.into()), Vec::new()),
        (MessageKind::NonAttendanceReport | MessageKind::LabResult, _) => return Err(status::of_reason(Reason::Internal)),
    };
    Ok(pb::MunicipalServiceReceiveResponse {
        item_number: item.item.0,
        sender: Some(sender),
        accepted_at: Some(shared::timestamp(item.accepted_at)),
        case_ref: item.case_ref.to_string(),
        requisition_id: item.requisition_id.map(|id| id.to_string()),
        replaces_item: item.replaces.map(|before| before.0),
        overdue: item.overdue,
        item: Some(told),
        contact: contact.map(shared::role_contact),
        notes,
    })
}

#[tonic::async_trait]
impl pb::municipal_service_server::MunicipalService for Municipal {
    async fn report_non_attendance(
        &self,
        request: Request<pb::ReportNonAttendanceRequest>,
    ) -> Result<Response<pb::ReportNonAttendanceResponse>, Status> {
        use pb::report_non_attendance_request::Body as Sent;
        use pb::report_non_attendance_response::Outcome;
        let caller = shared::caller(request.extensions())?;
        let context = self.0.parse_context();
        let body = |request: pb::ReportNonAttendanceRequest| match request.body.ok_or_else(shared::body_missing)? {
            Sent::Content(report) => convert::non_attendance_report(report, &context)
                .map(|report| Body::Report(report.facts()))
                .map_err(|violations| status::of_violations("content", &violations)),
            Sent::Withdrawal(number) => {
                shared::reason_number("withdrawal", convert::report_withdrawal(number), |reason| reason.number()).map(Body::Withdrawal)
            }
        };
        let outcome = match shared::send(&self.0, &caller, request.into_inner(), body).await? {
            Submitted::Accepted(one) => Outcome::Accepted(accepted(&one)),
            Submitted::Validated => Outcome::Validated(pb::Validated {}),
        };
        Ok(Response::new(pb::ReportNonAttendanceResponse { outcome: Some(outcome) }))
    }

    type ReceiveStream = Answers<pb::MunicipalServiceReceiveResponse>;

    async fn receive(&self, request: Request<pb::MunicipalServiceReceiveRequest>) -> Result<Response<Self::ReceiveStream>, Status> {
        let (_, extensions, request) = request.into_parts();
        let options = (request.reader_id, request.max_items, request.until_empty);
        shared::receive(&self.0, &extensions, Verb::MunicipalReceive, options, answer).await.map(Response::new)
    }

    async fn r#return(&self, request: Request<pb::ReturnRequest>) -> Result<Response<pb::ReturnResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::ReturnRequest { item_number, reason } = request.into_inner();
        let reason = shared::reason_number("reason", convert::notice_return(reason), |reason| reason.number())?;
        self.0.give_back(&caller, ItemNumber(item_number), reason).await.map_err(status::of_refusal)?;
        Ok(Response::new(pb::ReturnResponse {}))
    }

    async fn set_contact(&self, request: Request<pb::SetContactRequest>) -> Result<Response<pb::SetContactResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::SetContactRequest { role_name, phone, email } = request.into_inner();
        let contact = Contact { key: CONTACT_KEY.to_owned(), role_name, phone, email };
        contact.check_own().map_err(|(field, error)| status::of_argument(field, Reason::BadArgument, &error.to_string()))?;
        self.0.set_contact(&caller, contact).await.map_err(status::of_refusal)?;
        Ok(Response::new(pb::SetContactResponse {}))
    }

    async fn acknowledge(
        &self,
        request: Request<pb::MunicipalServiceAcknowledgeRequest>,
    ) -> Result<Response<pb::MunicipalServiceAcknowledgeResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        shared::acknowledge(&self.0, &caller, Verb::MunicipalAcknowledge, &request.get_ref().item_numbers).await?;
        Ok(Response::new(pb::MunicipalServiceAcknowledgeResponse {}))
    }

    async fn get_status(
        &self,
        request: Request<pb::MunicipalServiceGetStatusRequest>,
    ) -> Result<Response<pb::MunicipalServiceGetStatusResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let ids = &request.get_ref().message_ids;
        let (statuses, unknown_message_ids) = shared::statuses(&self.0, &caller, Verb::MunicipalGetStatus, ids).await?;
        Ok(Response::new(pb::MunicipalServiceGetStatusResponse { statuses, unknown_message_ids }))
    }

    type WatchStatusStream = Answers<pb::MunicipalServiceWatchStatusResponse>;

    async fn watch_status(
        &self,
        request: Request<pb::MunicipalServiceWatchStatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let from = (request.get_ref().cursor.as_str(), request.get_ref().follow);
        let answer = |status, cursor| pb::MunicipalServiceWatchStatusResponse { status, cursor };
        shared::watch(&self.0, request.extensions(), Verb::MunicipalWatchStatus, from, answer).await.map(Response::new)
    }

    async fn get_receipt(
        &self,
        request: Request<pb::MunicipalServiceGetReceiptRequest>,
    ) -> Result<Response<pb::MunicipalServiceGetReceiptResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let one = shared::receipt(&self.0, &caller, Verb::MunicipalGetReceipt, &request.get_ref().message_id).await?;
        Ok(Response::new(pb::MunicipalServiceGetReceiptResponse { accepted: Some(accepted(&one)) }))
    }

    async fn get_evidence(
        &self,
        request: Request<pb::MunicipalServiceGetEvidenceRequest>,
    ) -> Result<Response<pb::MunicipalServiceGetEvidenceResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::MunicipalServiceGetEvidenceRequest { message_id, from_index } = request.get_ref();
        let (evidence, next_index, damaged) =
            shared::evidence(&self.0, &caller, Verb::MunicipalGetEvidence, message_id, *from_index).await?;
        Ok(Response::new(pb::MunicipalServiceGetEvidenceResponse { evidence, next_index, damaged }))
    }

    async fn look_up(
        &self,
        request: Request<pb::MunicipalServiceLookUpRequest>,
    ) -> Result<Response<pb::MunicipalServiceLookUpResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::MunicipalServiceLookUpRequest { participant_id, after_participant_id } = request.get_ref();
        let filter = (participant_id.as_deref(), None, after_participant_id.as_str());
        let (counterparts, next_after_participant_id) = shared::look_up(&self.0, &caller, Verb::MunicipalLookUp, filter).await?;
        Ok(Response::new(pb::MunicipalServiceLookUpResponse { counterparts, next_after_participant_id }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_part_is_shown_with_its_notes_and_a_minors_with_one_more() {
        let mut notice = pb::ConditionNotice { minor_at_decision: Some(true), ..Default::default() };
        assert!(notes(&notice).is_empty());
        notice.control = Some(pb::Control::default());
        assert_eq!(notes(&notice).len(), 3);
        notice.minor_at_decision = Some(false);
        assert_eq!(notes(&notice), [1, 2]);
    }
}
