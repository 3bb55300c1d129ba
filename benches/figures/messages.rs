//! Messages of a realistic size, each one of its own: the samples of this repository.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage};
use samband::clock::Clock;
use samband::domain::id::MessageId;
use samband::grpc::pb;

use crate::home::BenchClock;

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By a prosecution.
    Notice,
    /// By a unit.
    Report,
    /// By a laboratory.
    Result,
}

impl Kind {
    /// The kind of the `n`th message: in turn.
    pub const fn of(n: u64) -> Self {
        match n % 3 {
            0 => Self::Notice,
            1 => Self::Report,
            _ => Self::Result,
        }
    }
}

/// A case whose notice its unit has acknowledged.
#[derive(Debug, Clone)]
pub struct Case {
    /// For reports.
    pub case_ref: String,
    /// For results.
    pub requisition_id: String,
}

/// Gives messages, none twice.
#[derive(Debug)]
pub struct Messages {
    clock: BenchClock,
    next: AtomicU64,
    notice: pb::ConditionNotice,
    report: pb::NonAttendanceReport,
    result: pb::LabResult,
}

fn sample<M: prost::Message + Default>(name: &str, text: &str) -> M {
    let pool = DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("the descriptor set is built in");
    let descriptor = pool.get_message_by_name(name).expect("it is one of the three");
    let mut json = serde_json::Deserializer::from_str(text);
    DynamicMessage::deserialize(descriptor, &mut json).expect("the sample fits").transcode_to().expect("by the same descriptor")
}

impl Messages {
    /// From the samples.
    pub fn new(clock: BenchClock) -> Self {
        Self {
            clock,
            next: AtomicU64::new(0),
            notice: sample("samband.v1.ConditionNotice", include_str!("../../samples/notice-both.json")),
            report: sample("samband.v1.NonAttendanceReport", include_str!("../../samples/report.json")),
            result: sample("samband.v1.LabResult", include_str!("../../samples/result.json")),
        }
    }

    /// The number of the next message.
    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A handle of its own.
    pub fn id(&self, n: u64) -> MessageId {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        MessageId::new(self.clock.now(), random)
    }

    /// A salt of its own.
    pub fn salt(n: u64) -> Bytes {
        let mut salt = [7; 32];
        salt[..8].copy_from_slice(&n.to_be_bytes());
        Bytes::copy_from_slice(&salt)
    }

    /// Attendance and control.
    pub fn notice(&self, n: u64) -> pb::SendConditionNoticeRequest {
        pb::SendConditionNoticeRequest {
            message_id: self.id(n).to_string(),
            content_salt: Self::salt(n),
            replaces: None,
            validate_only: false,
            body: Some(pb::send_condition_notice_request::Body::Content(self.notice.clone())),
        }
    }

    /// Two dates missed.
    pub fn report(&self, n: u64, case: &Case) -> pb::ReportNonAttendanceRequest {
        let content = pb::NonAttendanceReport { case_ref: case.case_ref.clone(), ..self.report.clone() };
        pb::ReportNonAttendanceRequest {
            message_id: self.id(n).to_string(),
            content_salt: Self::salt(n),
            replaces: None,
            validate_only: false,
            body: Some(pb::report_non_attendance_request::Body::Content(content)),
        }
    }

    /// Two groups analysed, of a sample of its own.
    pub fn result(&self, n: u64, case: &Case) -> pb::SendLabResultRequest {
        let mut content = pb::LabResult { requisition_id: case.requisition_id.clone(), ..self.result.clone() };
        if let Some(sample) = &mut content.sample {
            sample.label = format!("S-{n}");
        }
        pb::SendLabResultRequest {
            message_id: self.id(n).to_string(),
            content_salt: Self::salt(n),
            replaces: None,
            validate_only: false,
            body: Some(pb::send_lab_result_request::Body::Content(content)),
        }
    }
}
