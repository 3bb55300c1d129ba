//! Protobuf to domain: whatever decodes becomes a message or violations, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use samband::domain::identity::IdentityMode;
use samband::domain::time::Date;
use samband::domain::violation::ParseContext;
use samband::grpc::{convert, pb};

fuzz_target!(|data: &[u8]| {
    let context = ParseContext { today: Date::constant(2026, 11, 20), identity_mode: IdentityMode::Test };
    if let Ok(notice) = pb::ConditionNotice::decode(data) {
        let _ = convert::condition_notice(notice, &context);
    }
    if let Ok(report) = pb::NonAttendanceReport::decode(data) {
        let _ = convert::non_attendance_report(report, &context);
    }
    if let Ok(result) = pb::LabResult::decode(data) {
        let _ = convert::lab_result(result, &context);
    }
});
