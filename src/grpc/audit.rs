//! `AuditService`.

use std::collections::VecDeque;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::stream::{Answers, Source, answers};
use super::{pb, shared, status};
use crate::audit::record::Record;
use crate::domain::time::Timestamp;
use crate::gateway::{Gateway, ProofOf, Rows};
use crate::policy::reason::Reason;
use crate::store::{LogEntry, RecordFilter};

/// Kinds that one filter names.
const KINDS_MAX: usize = 64;

/// An auditor's calls.
#[derive(Debug, Clone)]
pub struct Audit(pub Arc<Gateway>);

fn record(record: &Record) -> pb::Record {
    pb::Record {
        kind: record.kind.into(),
        kind_name: record.row().map_or_else(|| "UNKNOWN".to_owned(), |row| row.name.to_owned()),
        time: Some(shared::timestamp(record.time)),
        actor: record.actor.as_ref().map(ToString::to_string),
        key_label: record.key_label.clone(),
        message_id: record.message_id.map(|id| id.to_string()),
        sender: record.sender.as_ref().map(ToString::to_string),
        recipient: record.recipient.as_ref().map(ToString::to_string),
        case_ref: record.case_ref.map(|case_ref| case_ref.to_string()),
        requisition_id: record.requisition_id.map(|id| id.to_string()),
        replaces: record.replaces.map(|id| id.to_string()),
        about: record.about,
        content_commit: record.content_commit.map(|commit| commit.to_vec().into()),
        reason: record.reason.map(u32::from),
        verb: record.verb.map(u32::from),
        count: record.count,
        note: record.note.clone(),
    }
}

fn time(field: &str, at: Option<&prost_types::Timestamp>) -> Result<Option<Timestamp>, Status> {
    let Some(at) = at else { return Ok(None) };
    let millis = at.seconds.checked_mul(1000).and_then(|millis| millis.checked_add(i64::from(at.nanos / 1_000_000)));
    match millis {
        Some(millis) if (0..1_000_000_000).contains(&at.nanos) => Ok(Some(Timestamp::from_millis(millis))),
        _ => Err(status::of_argument(field, Reason::BadArgument, "send a google.protobuf.Timestamp within its own bounds")),
    }
}

fn filter(request: &pb::ListRecordsRequest) -> Result<RecordFilter, Status> {
    if request.kinds.len() > KINDS_MAX {
        return Err(status::of_argument("kinds", Reason::BadArgument, "name at most 64 kinds"));
    }
    let kind = |number: &u32| {
        u16::try_from(*number).map_err(|_| status::of_argument("kinds", Reason::BadArgument, "a kind is a number below 65536"))
    };
    Ok(RecordFilter {
        from_index: request.from_index,
        to_index: request.to_index,
        from_time: time("from_time", request.from_time.as_ref())?,
        to_time: time("to_time", request.to_time.as_ref())?,
        participant: request.participant.as_deref().map(str::parse).transpose().map_err(|error| status::of_id("participant", error))?,
        kinds: request.kinds.iter().map(kind).collect::<Result<_, _>>()?,
        message_id: request.message_id.as_deref().map(|text| shared::message_id("message_id", text)).transpose()?,
        case_ref: request.case_ref.as_deref().map(str::parse).transpose().map_err(|error| status::of_id("case_ref", error))?,
    })
}

/// Rows of pages, then the end.
struct List {
    rows: Rows,
    page: VecDeque<LogEntry>,
    next_index: Option<u64>,
    erased: u64,
    ended: bool,
}

impl Source for List {
    type Answer = pb::ListRecordsResponse;

    async fn next(&mut self) -> Result<Option<pb::ListRecordsResponse>, Status> {
        use pb::list_records_response::Row;
        loop {
            if let Some(entry) = self.page.pop_front() {
                let entry = pb::LogEntry { index: entry.index, record: entry.record.as_ref().map(record) };
                return Ok(Some(pb::ListRecordsResponse { row: Some(Row::Entry(entry)) }));
            }
            if self.ended {
                return Ok(None);
            }
            match self.rows.next().await.map_err(status::of_end)? {
                Some(page) => {
                    self.page = page.entries.into();
                    self.next_index = page.next_index;
                    self.erased += page.erased;
                }
                None => {
                    self.ended = true;
                    let end = pb::ListEnd { next_index: self.next_index, erased: self.erased };
                    return Ok(Some(pb::ListRecordsResponse { row: Some(Row::End(end)) }));
                }
            }
        }
    }
}

#[tonic::async_trait]
impl pb::audit_service_server::AuditService for Audit {
    async fn get_checkpoint(&self, request: Request<pb::GetCheckpointRequest>) -> Result<Response<pb::GetCheckpointResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let checkpoint = self.0.checkpoint(&caller).await.map_err(status::of_refusal)?;
        Ok(Response::new(pb::GetCheckpointResponse { checkpoint }))
    }

    type ListRecordsStream = Answers<pb::ListRecordsResponse>;

    async fn list_records(&self, request: Request<pb::ListRecordsRequest>) -> Result<Response<Self::ListRecordsStream>, Status> {
        let caller = shared::caller(request.extensions())?;
        let deadline = shared::deadline(request.extensions());
        let request = request.into_inner();
        let max = (request.max_records > 0).then(|| usize::try_from(request.max_records).unwrap_or(usize::MAX));
        let rows = self.0.records(&caller, filter(&request)?, max).await.map_err(status::of_refusal)?;
        let list = List { rows, page: VecDeque::new(), next_index: None, erased: 0, ended: false };
        Ok(Response::new(answers(list, deadline)))
    }

    async fn get_proof(&self, request: Request<pb::GetProofRequest>) -> Result<Response<pb::GetProofResponse>, Status> {
        use pb::get_proof_request::Of;
        let caller = shared::caller(request.extensions())?;
        let of = match request.into_inner().of {
            Some(Of::Index(index)) => ProofOf::Index(index),
            Some(Of::MessageId(text)) => ProofOf::Message(shared::message_id("message_id", &text)?),
            None => return Err(status::of_argument("of", Reason::BadArgument, "name an index or a message_id")),
        };
        let proofs = self.0.proofs(&caller, of).await.map_err(status::of_refusal)?;
        let proofs = proofs
            .into_iter()
            .map(|entry| pb::EntryProof {
                index: entry.index,
                leaf: entry.leaf.to_vec().into(),
                record: entry.record.as_ref().map(record),
                proof: entry.proof,
            })
            .collect();
        Ok(Response::new(pb::GetProofResponse { proofs }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<pb::GetConsistencyProofRequest>,
    ) -> Result<Response<pb::GetConsistencyProofResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::GetConsistencyProofRequest { old_size, new_size } = request.into_inner();
        let hashes = self.0.consistency(&caller, old_size, new_size).await.map_err(status::of_refusal)?;
        let hashes = hashes.iter().map(|hash| hash.as_bytes().to_vec().into()).collect();
        Ok(Response::new(pb::GetConsistencyProofResponse { hashes }))
    }
}
