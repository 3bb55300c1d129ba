//! `AuditService`.

mod answer;
mod export;
mod hold;

use std::collections::VecDeque;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::stream::{Answers, Source, answers};
use super::{pb, shared, status};
use crate::audit::counts::{Column, Counts};
use crate::audit::question::Period;
use crate::audit::record::Record;
use crate::domain::time::{Date, Timestamp, parse_date};
use crate::gateway::{Gateway, Lacks, LogState, ProofOf, Proofs, Reviews, Rows, Timeline, WitnessState, WitnessStatus};
use crate::policy::reason::Reason;
use crate::store::{LogEntry, RecordFilter};

/// Kinds that one filter names.
const KINDS_MAX: usize = 64;

/// An auditor's calls.
#[derive(Debug, Clone)]
pub struct Audit(pub Arc<Gateway>);

fn entry(entry: &LogEntry) -> pb::LogEntry {
    pb::LogEntry { index: entry.index, record: entry.record.as_ref().map(record) }
}

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

fn witness(state: WitnessState) -> pb::Witness {
    let WitnessState { name, key_name, status, known_size, cosigned_at, asked_at, failures } = state;
    pb::Witness {
        name,
        key_name,
        status: status.to_string(),
        cosigned: status == WitnessStatus::Cosigned,
        known_size,
        cosigned_at: cosigned_at.map(shared::timestamp),
        asked_at: asked_at.map(shared::timestamp),
        failures,
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

fn period(from: Option<&prost_types::Timestamp>, to: Option<&prost_types::Timestamp>) -> Result<Period, Status> {
    Ok(Period { from: time("from_time", from)?, to: time("to_time", to)? })
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

fn proof_of(request: &pb::GetProofRequest) -> Result<ProofOf, Status> {
    use pb::get_proof_request::Of;
    let pb::GetProofRequest { of, from_index } = request;
    match of {
        Some(Of::Index(_)) if *from_index > 0 => {
            Err(status::of_argument("from_index", Reason::BadArgument, "send it with a message_id only"))
        }
        Some(Of::Index(index)) => Ok(ProofOf::Index(*index)),
        Some(Of::MessageId(text)) => Ok(ProofOf::Message(shared::message_id("message_id", text)?, *from_index)),
        None => Err(status::of_argument("of", Reason::BadArgument, "name an index or a message_id")),
    }
}

/// The first and the last day of a review.
fn days(request: &pb::ReviewRequest) -> Result<(Date, Date), Status> {
    let day = |field: &str, text: &str| {
        parse_date(text).ok_or_else(|| status::of_argument(field, Reason::BadArgument, "a day is YYYY-MM-DD, in Oslo's calendar"))
    };
    let (from, to) = request.days.as_ref().map_or(("", ""), |days| (&days.from, &days.to));
    Ok((day("days.from", from)?, day("days.to", to)?))
}

/// Rows of pages, then the end.
struct List {
    rows: Rows,
    page: VecDeque<LogEntry>,
    /// Entries of the page that cannot be read; each is told in its place.
    damaged: VecDeque<u64>,
    next_index: Option<u64>,
    erased: u64,
    unreadable: u64,
    ended: bool,
}

impl List {
    const fn new(rows: Rows) -> Self {
        Self { rows, page: VecDeque::new(), damaged: VecDeque::new(), next_index: None, erased: 0, unreadable: 0, ended: false }
    }
}

impl Source for List {
    type Answer = pb::ListRecordsResponse;

    async fn next(&mut self) -> Result<Option<pb::ListRecordsResponse>, Status> {
        use pb::list_records_response::Row;
        loop {
            let next = self.page.front().map_or(u64::MAX, |entry| entry.index);
            if let Some(index) = self.damaged.front().copied().filter(|index| *index < next) {
                self.damaged.pop_front();
                self.unreadable += 1;
                return Ok(Some(pb::ListRecordsResponse { row: Some(Row::Unreadable(index)) }));
            }
            if let Some(entry) = self.page.pop_front() {
                return Ok(Some(pb::ListRecordsResponse { row: Some(Row::Entry(self::entry(&entry))) }));
            }
            if self.ended {
                return Ok(None);
            }
            match self.rows.next().await.map_err(status::of_end)? {
                Some(page) => {
                    self.page = page.entries.into();
                    self.damaged = page.unreadable.into_iter().map(|(index, _)| index).collect();
                    self.next_index = page.next_index;
                    self.erased += page.erased;
                }
                None => {
                    self.ended = true;
                    let unjudged = self.rows.unjudged();
                    let end = pb::ListEnd { next_index: self.next_index, erased: self.erased, unreadable: self.unreadable, unjudged };
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
        let witnesses = self.0.witnesses();
        let cosigned = witnesses.and_then(|witnesses| witnesses.covering(0));
        Ok(Response::new(pb::GetCheckpointResponse {
            checkpoint,
            cosigned_checkpoint: cosigned.map(|cosigned| cosigned.checkpoint.clone().into_bytes().into()),
            witnesses: witnesses.map(|witnesses| witnesses.states().into_iter().map(witness).collect()).unwrap_or_default(),
        }))
    }

    type ListRecordsStream = Answers<pb::ListRecordsResponse>;

    async fn list_records(&self, request: Request<pb::ListRecordsRequest>) -> Result<Response<Self::ListRecordsStream>, Status> {
        let caller = shared::caller(request.extensions())?;
        let deadline = shared::deadline(request.extensions());
        let request = request.into_inner();
        let max = (request.max_records > 0).then(|| usize::try_from(request.max_records).unwrap_or(usize::MAX));
        let rows = self.0.records(&caller, filter(&request)?, max).await.map_err(status::of_refusal)?;
        Ok(Response::new(answers(List::new(rows), deadline)))
    }

    async fn get_proof(&self, request: Request<pb::GetProofRequest>) -> Result<Response<pb::GetProofResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let of = proof_of(request.get_ref())?;
        let Proofs { proofs, next_index } = self.0.proofs(&caller, of).await.map_err(status::of_refusal)?;
        let proofs = proofs
            .into_iter()
            .map(|entry| pb::EntryProof {
                index: entry.index,
                leaf: entry.leaf.to_vec().into(),
                record: entry.record.as_ref().map(record),
                proof: entry.proof,
                unreadable: entry.unreadable,
            })
            .collect();
        Ok(Response::new(pb::GetProofResponse { proofs, next_index }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<pb::GetConsistencyProofRequest>,
    ) -> Result<Response<pb::GetConsistencyProofResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::GetConsistencyProofRequest { old_size, new_size } = request.into_inner();
        let hashes = self.0.consistency(&caller, old_size, new_size).await.map_err(status::of_refusal)?;
        let hashes = hashes.iter().map(shared::hash).collect();
        Ok(Response::new(pb::GetConsistencyProofResponse { hashes }))
    }

    async fn ask(&self, request: Request<pb::AskRequest>) -> Result<Response<pb::AskResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let pb::AskRequest { questions, from_time, to_time } = request.into_inner();
        let questions = answer::questions(&questions)?;
        let period = period(from_time.as_ref(), to_time.as_ref())?;
        let surveyed = self.0.answer(&caller, &questions, period).await.map_err(status::of_refusal)?;
        let answers = surveyed.answers.iter().map(answer::answer).collect();
        Ok(Response::new(pb::AskResponse { answers, checkpoint: surveyed.checkpoint }))
    }

    async fn get_timeline(&self, request: Request<pb::GetTimelineRequest>) -> Result<Response<pb::GetTimelineResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let case_ref = request.get_ref().case_ref.parse().map_err(|error| status::of_id("case_ref", error))?;
        let Timeline { case_ref: _, entries, more, erased, unreadable, unjudged } =
            self.0.timeline(&caller, case_ref).await.map_err(status::of_refusal)?;
        let entries = entries.iter().map(entry).collect();
        Ok(Response::new(pb::GetTimelineResponse { entries, more, erased, unreadable, unjudged }))
    }

    async fn count_records(&self, request: Request<pb::CountRecordsRequest>) -> Result<Response<pb::CountRecordsResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let request = request.into_inner();
        let column = match request.column() {
            pb::CountColumn::Unspecified | pb::CountColumn::Day => Column::Day,
            pb::CountColumn::Month => Column::Month,
        };
        let period = period(request.from_time.as_ref(), request.to_time.as_ref())?;
        let surveyed = self.0.count_records(&caller, period, column).await.map_err(status::of_refusal)?;
        let left_out = surveyed.counts.as_ref().map_or(0, Counts::left_out);
        let counts = surveyed.counts.as_ref().map(answer::counts).unwrap_or_default();
        Ok(Response::new(pb::CountRecordsResponse { counts, checked: Some(answer::checked(&surveyed.checked)), left_out }))
    }

    async fn get_log_state(&self, request: Request<pb::GetLogStateRequest>) -> Result<Response<pb::GetLogStateResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let LogState { stats, checkpoint, first_kept, last_check } = self.0.log_state(&caller).await.map_err(status::of_refusal)?;
        let last_check_at = last_check.as_ref().map(|check| shared::timestamp(check.at));
        let last_check = last_check.as_ref().map(|check| answer::checked(&check.checked));
        let durable_size = stats.durable_size;
        Ok(Response::new(pb::GetLogStateResponse { checkpoint, durable_size, first_kept, last_check, last_check_at }))
    }

    async fn list_reviews(&self, request: Request<pb::ListReviewsRequest>) -> Result<Response<pb::ListReviewsResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let Reviews { reviews, left_out, unreviewed, erased_before, lacks, unreadable } =
            self.0.reviews(&caller).await.map_err(status::of_refusal)?;
        let reviews = reviews.iter().map(answer::review).collect();
        let erased_before = erased_before.map_or_else(String::new, |day| day.to_string());
        let unreviewed = unreviewed.into_iter().map(|(from, to)| answer::days(from, to)).collect();
        let Lacks { erased: before_erased, unreadable: before_unreadable } = lacks;
        let answer = pb::ListReviewsResponse { reviews, unreviewed, left_out, unreadable, erased_before, before_erased, before_unreadable };
        Ok(Response::new(answer))
    }

    async fn review(&self, request: Request<pb::ReviewRequest>) -> Result<Response<pb::ReviewResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let (from, to) = days(request.get_ref())?;
        self.0.review(&caller, from, to).await.map_err(status::of_refusal)?;
        Ok(Response::new(pb::ReviewResponse {}))
    }

    async fn place_hold(&self, request: Request<pb::PlaceHoldRequest>) -> Result<Response<pb::PlaceHoldResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let hold::Placed { case_ref, reason, until } = hold::placed(request.get_ref())?;
        self.0.place_hold(&caller, case_ref, reason, until).await.map_err(status::of_refusal)?;
        Ok(Response::new(pb::PlaceHoldResponse {}))
    }

    async fn lift_hold(&self, request: Request<pb::LiftHoldRequest>) -> Result<Response<pb::LiftHoldResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let case_ref = request.get_ref().case_ref.parse().map_err(|error| status::of_id("case_ref", error))?;
        self.0.lift_hold(&caller, case_ref).await.map_err(status::of_refusal)?;
        Ok(Response::new(pb::LiftHoldResponse {}))
    }

    async fn list_holds(&self, request: Request<pb::ListHoldsRequest>) -> Result<Response<pb::ListHoldsResponse>, Status> {
        let caller = shared::caller(request.extensions())?;
        let holds = self.0.holds(&caller).await.map_err(status::of_refusal)?;
        Ok(Response::new(pb::ListHoldsResponse { holds: holds.iter().map(hold::hold).collect() }))
    }

    type ExportStream = Answers<pb::ExportResponse>;

    async fn export(&self, request: Request<pb::ExportRequest>) -> Result<Response<Self::ExportStream>, Status> {
        let caller = shared::caller(request.extensions())?;
        let deadline = shared::deadline(request.extensions());
        let export = self.0.export(&caller, export::export_of(request.get_ref())?).await.map_err(status::of_refusal)?;
        Ok(Response::new(answers(export::Exporting::new(export), deadline)))
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    use prost::Message as _;

    use super::{answer, days, export, filter, hold, pb, period, proof_of};

    /// What is read of an auditor's requests: the first byte picks which.
    pub(in crate::grpc) fn arguments(data: &[u8]) {
        let Some((first, data)) = data.split_first() else { return };
        match first % 6 {
            0 => _ = pb::ListRecordsRequest::decode(data).map(|request| filter(&request)),
            1 => _ = pb::ExportRequest::decode(data).map(|request| export::export_of(&request)),
            2 => _ = pb::PlaceHoldRequest::decode(data).map(|request| hold::placed(&request)),
            3 => _ = pb::GetProofRequest::decode(data).map(|request| proof_of(&request)),
            4 => _ = pb::ReviewRequest::decode(data).map(|request| days(&request)),
            _ => {
                let Ok(request) = pb::AskRequest::decode(data) else { return };
                let _ = (answer::questions(&request.questions), period(request.from_time.as_ref(), request.to_time.as_ref()));
            }
        }
    }
}
