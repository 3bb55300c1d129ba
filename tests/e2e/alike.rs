//! What does not exist and what is somebody else's are answered alike: in every byte, and in time.
//!
//! `SAMBAND_TIMING_PAIRS` (150) pairs a question are measured over mutual TLS on the embedded store. `cargo test --release --test e2e -- --nocapture alike`
//! prints the figures.

use std::time::Instant;

use bytes::Bytes;
use samband::domain::scope::AuditScope;
use samband::gateway::Settings;
use samband::grpc::pb;
use samband::grpc::pb::laboratory_service_client::LaboratoryServiceClient;
use samband::grpc::server::ServerLimits;
use tonic::Status;
use tonic::transport::Channel;

use crate::harness::{AUDITOR, Kind, LAB, LAB_2, OSLO, UNIT_2, World, raw_call, sample, settings};
use crate::identity::changed;

const POLICE_2: &str = "politi-innlandet";
/// No item has this number.
const NO_ITEM: u64 = 1_000_000_007;

/// One question, asked about what is another's and about what is not there.
struct Question {
    name: String,
    channel: Channel,
    path: &'static str,
    others: Bytes,
    unknown: Bytes,
    /// An id that the answer repeats, for each of the two.
    ids: Option<(String, String)>,
    /// The answer is a list with nothing in it, and no refusal.
    is_list: bool,
}

impl Question {
    async fn ask(&self, body: &Bytes) -> Result<Option<Bytes>, Status> {
        raw_call(self.channel.clone(), self.path, body.clone()).await
    }

    /// Everything that a client is given, as bytes; the id it asked for is taken out.
    async fn told(&self, body: &Bytes, id: Option<&String>) -> Vec<u8> {
        let mut out = match self.ask(body).await {
            Ok(answer) => answer.unwrap_or_default().to_vec(),
            Err(status) => {
                let mut headers: Vec<String> = status.metadata().clone().into_headers().iter().map(|(k, v)| format!("{k}={v:?}")).collect();
                headers.retain(|header| !header.starts_with("date="));
                headers.sort();
                [format!("{:?}\n{}\n{headers:?}\n", status.code(), status.message()).as_bytes(), status.details()].concat()
            }
        };
        if let Some(id) = id {
            assert_eq!(out.windows(id.len()).filter(|part| *part == id.as_bytes()).count(), 1, "{}", self.name);
            let at = out.windows(id.len()).position(|part| part == id.as_bytes()).unwrap();
            out.drain(at..at + id.len());
        }
        out
    }
}

fn of(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

/// A case with a report and a result, and every question that others may ask about it.
async fn questions(world: &World) -> Vec<Question> {
    let (notice, case) = world.noticed().await;
    let items = world.unit_polls("setup").await;
    let item = items[0].item_number;
    world.unit_acknowledges(&items).await;
    let mut open = world.send_notice();
    let pb::send_condition_notice_request::Body::Content(content) = open.body.as_mut().unwrap() else { unreachable!() };
    content.subject = sample::<pb::ConditionNotice>("notice-protected-address").subject;
    world.prosecution().send_condition_notice(open).await.unwrap();
    let waiting = world.unit_polls("other").await[0].item_number;
    let report = world.send_report(&case.case_ref);
    world.unit().report_non_attendance(report.clone()).await.unwrap();
    let requisition = case.requisition_id.clone().unwrap();
    let result = world.send_result(&requisition);
    let mut lab = LaboratoryServiceClient::new(world.channel(LAB));
    lab.send_lab_result(result.clone()).await.unwrap();

    let (police, unit, laboratory) = (world.channel(POLICE_2), world.channel(UNIT_2), world.channel(LAB_2));
    let fresh = || world.fresh();
    let mut all = Vec::new();
    let mut add = |name: &str, channel: &Channel, path: &'static str, others: Bytes, unknown: Bytes, ids: Option<(String, String)>| {
        all.push(Question { name: name.to_owned(), channel: channel.clone(), path, others, unknown, ids, is_list: false });
    };

    macro_rules! by_id {
        ($channel:expr, $service:literal, $known:expr, $receipt:ident, $evidence:ident, $status:ident) => {
            let (known, unknown) = ($known.clone(), fresh());
            let body = |message_id: &String| of(&pb::$receipt { message_id: message_id.clone() });
            add(
                concat!($service, " GetReceipt"),
                $channel,
                concat!("/samband.v1.", $service, "/GetReceipt"),
                body(&known),
                body(&unknown),
                None,
            );
            let body = |message_id: &String| of(&pb::$evidence { message_id: message_id.clone(), from_index: 0 });
            add(
                concat!($service, " GetEvidence"),
                $channel,
                concat!("/samband.v1.", $service, "/GetEvidence"),
                body(&known),
                body(&unknown),
                None,
            );
            let body = |message_id: &String| of(&pb::$status { message_ids: vec![message_id.clone()] });
            let path = concat!("/samband.v1.", $service, "/GetStatus");
            add(concat!($service, " GetStatus"), $channel, path, body(&known), body(&unknown), Some((known.clone(), unknown.clone())));
        };
    }
    by_id!(
        &police,
        "ProsecutionService",
        notice.message_id,
        ProsecutionServiceGetReceiptRequest,
        ProsecutionServiceGetEvidenceRequest,
        ProsecutionServiceGetStatusRequest
    );
    by_id!(
        &unit,
        "MunicipalService",
        report.message_id,
        MunicipalServiceGetReceiptRequest,
        MunicipalServiceGetEvidenceRequest,
        MunicipalServiceGetStatusRequest
    );
    by_id!(
        &laboratory,
        "LaboratoryService",
        result.message_id,
        LaboratoryServiceGetReceiptRequest,
        LaboratoryServiceGetEvidenceRequest,
        LaboratoryServiceGetStatusRequest
    );

    let send = "/samband.v1.MunicipalService/ReportNonAttendance";
    let known = world.send_report(&case.case_ref);
    let mut unknown = known.clone();
    unknown.body = Some(pb::report_non_attendance_request::Body::Content(sample("report")));
    add("a report on a case", &unit, send, of(&known), of(&unknown), None);
    let withdrawal = |of_id: &String| pb::ReportNonAttendanceRequest {
        replaces: Some(of_id.clone()),
        body: Some(pb::report_non_attendance_request::Body::Withdrawal(1)),
        ..known.clone()
    };
    add("withdrawing a report", &unit, send, of(&withdrawal(&report.message_id)), of(&withdrawal(&fresh())), None);

    let send = "/samband.v1.LaboratoryService/SendLabResult";
    let known = world.send_result(&requisition);
    let mut unknown = known.clone();
    unknown.body = Some(pb::send_lab_result_request::Body::Content(sample("result")));
    add("a result for a requisition", &laboratory, send, of(&known), of(&unknown), None);
    let withdrawal = |of_id: &String| pb::SendLabResultRequest {
        replaces: Some(of_id.clone()),
        body: Some(pb::send_lab_result_request::Body::Withdrawal(1)),
        ..known.clone()
    };
    add("withdrawing a result", &laboratory, send, of(&withdrawal(&result.message_id)), of(&withdrawal(&fresh())), None);

    let send = "/samband.v1.ProsecutionService/SendConditionNotice";
    let base = world.send_notice();
    let correction = |of_id: &String| pb::SendConditionNoticeRequest { replaces: Some(of_id.clone()), ..base.clone() };
    add("correcting a notice", &police, send, of(&correction(&notice.message_id)), of(&correction(&fresh())), None);
    let withdrawal = |of_id: &String| world.withdraw_notice(of_id, pb::NoticeWithdrawalReason::SentInError);
    add("withdrawing a notice", &police, send, of(&withdrawal(&notice.message_id)), of(&withdrawal(&fresh())), None);

    for (name, number) in [("acknowledging a settled item", item), ("acknowledging an open item", waiting)] {
        let body = |number| of(&pb::MunicipalServiceAcknowledgeRequest { item_numbers: vec![number] });
        add(name, &unit, "/samband.v1.MunicipalService/Acknowledge", body(number), body(NO_ITEM), None);
    }
    let body = |item_number| of(&pb::ReturnRequest { item_number, reason: 1 });
    add("returning an item", &unit, "/samband.v1.MunicipalService/Return", body(waiting), body(NO_ITEM), None);
    assert_ne!(OSLO, POLICE_2);

    // An auditor whose scope holds none of the parties.
    let scope = AuditScope::Participants([LAB_2.parse().unwrap()].into());
    let register = changed(world, |all| all.iter_mut().find(|one| one.id.as_str() == AUDITOR).unwrap().scope = Some(scope));
    world.app.load_register(&register, [3; 32]).await.unwrap();
    let auditor = world.channel(AUDITOR);
    let mut audit = |call: &str, path, others, unknown, is_list| {
        all.push(Question { name: format!("AuditService {call}"), channel: auditor.clone(), path, others, unknown, ids: None, is_list });
    };
    let nobodys = |number| samband::domain::id::CaseRef::from_bytes([number; 10]).to_string();
    let ((second, timed), (_, third)) = (world.noticed().await, world.noticed().await);
    let body = |case: &String| of(&pb::ListRecordsRequest { case_ref: Some(case.clone()), ..Default::default() });
    audit("ListRecords of a case", "/samband.v1.AuditService/ListRecords", body(&case.case_ref), body(&nobodys(5)), true);
    let body = |id: &String| of(&pb::ListRecordsRequest { message_id: Some(id.clone()), ..Default::default() });
    // What was asked for is seen by who asked: each is asked about a case of its own.
    audit("ListRecords of a message", "/samband.v1.AuditService/ListRecords", body(&notice.message_id), body(&fresh()), true);
    let body = |case: &String| of(&pb::GetTimelineRequest { case_ref: case.clone() });
    audit("GetTimeline", "/samband.v1.AuditService/GetTimeline", body(&timed.case_ref), body(&nobodys(6)), true);
    let body = |id: &String| of(&pb::GetProofRequest { of: Some(pb::get_proof_request::Of::MessageId(id.clone())), from_index: 0 });
    audit("GetProof", "/samband.v1.AuditService/GetProof", body(&second.message_id), body(&fresh()), false);
    let body = |case: &String| of(&pb::ExportRequest { case_ref: Some(case.clone()), ..Default::default() });
    audit("Export", "/samband.v1.AuditService/Export", body(&third.case_ref), body(&nobodys(7)), false);
    let body = |case: &String| of(&pb::PlaceHoldRequest { case_ref: case.clone(), reason: 1, until: "2027-01-31".to_owned() });
    audit("PlaceHold", "/samband.v1.AuditService/PlaceHold", body(&third.case_ref), body(&nobodys(7)), false);
    let body = |case: &String| of(&pb::LiftHoldRequest { case_ref: case.clone() });
    audit("LiftHold", "/samband.v1.AuditService/LiftHold", body(&third.case_ref), body(&nobodys(7)), false);
    all
}

/// A timeline tells who asked for it too, with what was asked for.
fn without_asking(told: &[u8]) -> Vec<u8> {
    let mut timeline: pb::GetTimelineResponse = prost::Message::decode(told).unwrap();
    timeline.entries.retain(|entry| entry.record.as_ref().unwrap().kind_name != "AUDIT_ASKED");
    prost::Message::encode_to_vec(&timeline)
}

#[tokio::test]
async fn what_is_anothers_is_answered_like_what_is_not_there_in_every_byte() {
    let world = World::start().await;
    for question in questions(&world).await {
        let (others, unknown) = question.ids.clone().unzip();
        let told = question.told(&question.others, others.as_ref()).await;
        let not_there = question.told(&question.unknown, unknown.as_ref()).await;
        let (told, not_there) =
            if question.path.ends_with("GetTimeline") { (without_asking(&told), without_asking(&not_there)) } else { (told, not_there) };
        assert_eq!(told, not_there, "{}", question.name);
        let text = String::from_utf8_lossy(&told).into_owned();
        assert!(question.is_list || question.ids.is_some() || text.contains("_UNKNOWN"), "{}: {text}", question.name);
        assert!(!question.is_list || told.len() < 20, "{}: {told:?}", question.name);
    }
}

/// Wilcoxon's signed-rank statistic of paired differences: how many standard deviations it is from that of two equal things.
fn signed_rank(differences: &[f64]) -> f64 {
    let mut all: Vec<f64> = differences.iter().copied().filter(|difference| *difference != 0.0).collect();
    all.sort_by(|one, two| one.abs().total_cmp(&two.abs()));
    let n = all.len() as f64;
    let sum: f64 = all.iter().zip(1_u32..).map(|(difference, rank)| difference.signum() * f64::from(rank)).sum();
    sum / (n * (n + 1.0) * (2.0 * n + 1.0) / 6.0).sqrt()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Seconds of the two answers, in pairs whose order alternates.
async fn measure(question: &Question, pairs: usize) -> Vec<(f64, f64)> {
    let mut times = Vec::with_capacity(pairs);
    for pair in 0..pairs {
        let timed = async |body: &Bytes| {
            let began = Instant::now();
            _ = question.ask(body).await;
            began.elapsed().as_secs_f64()
        };
        times.push(if pair % 2 == 0 {
            let others = timed(&question.others).await;
            (others, timed(&question.unknown).await)
        } else {
            let unknown = timed(&question.unknown).await;
            (timed(&question.others).await, unknown)
        });
    }
    times
}

/// A difference is one when it is seen twice, in the same direction; a busy machine shifts a single measurement now and then.
const FAR: f64 = 5.0;

#[tokio::test]
async fn what_is_anothers_takes_no_longer_than_what_is_not_there() {
    let pairs: usize = std::env::var("SAMBAND_TIMING_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    // Limits would end the measurement; that each refusal is an event is another test's.
    let rate = samband::gateway::Rate::one_in_millis(1_000_000, 1);
    let wide =
        Settings { wrong_references: rate, calls: rate, refusals: samband::gateway::Rate::one_in_millis(1, 3_600_000), ..settings() };
    let world = World::on(Kind::Embedded, wide, ServerLimits::default()).await;
    let mut apart = Vec::new();
    println!(
        "{:<34} {:>9} {:>12} {:>7}   (another's less unknown; {pairs} pairs; deviations from equal)",
        "question", "median", "difference", "z"
    );
    for question in questions(&world).await {
        // An auditor's answers wait for each other's time; fewer of them show as much.
        let pairs = if question.path.contains("AuditService") { pairs.div_ceil(3) } else { pairs };
        measure(&question, 10).await;
        let mut zs = Vec::new();
        for (round, last) in [(1, false), (2, false), (4, false), (8, true)] {
            let times = measure(&question, pairs * round).await;
            let differences: Vec<f64> = times.iter().map(|(others, unknown)| others - unknown).collect();
            let usual = median(&times.iter().map(|(_, unknown)| *unknown).collect::<Vec<_>>());
            let z = signed_rank(&differences);
            println!("{:<34} {:>6.0} µs {:>+9.1} µs {z:>+7.2}", question.name, usual * 1e6, median(&differences) * 1e6);
            // That a difference of half an answer's time would be seen; beside other work it takes more pairs to see it.
            let shifted: Vec<f64> = differences.iter().map(|difference| difference + usual / 2.0).collect();
            if signed_rank(&shifted) <= FAR / 2.0 {
                assert!(!last, "{}: the measurement is too coarse to say anything", question.name);
                continue;
            }
            zs.push(z);
            if z.abs() < FAR || zs.len() == 2 {
                break;
            }
        }
        if zs.len() == 2 && zs.iter().all(|z| z.abs() >= FAR) && zs[0].signum() == zs[1].signum() {
            apart.push(question.name);
        }
    }
    assert!(apart.is_empty(), "these tell another's from what is not there by their time: {apart:?}");
}

#[test]
fn the_statistic_tells_a_shift_from_noise() {
    let noise: Vec<f64> = (0..200_i32).map(|i| f64::from((i * 7919) % 211 - 105)).collect();
    assert!(signed_rank(&noise).abs() < 3.0);
    assert!(signed_rank(&noise.iter().map(|value| value + 60.0).collect::<Vec<_>>()) > FAR);
    assert!(signed_rank(&noise.iter().map(|value| value - 60.0).collect::<Vec<_>>()) < -FAR);
}
