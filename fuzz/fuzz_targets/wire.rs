//! The strict walk over the raw bytes of every request: it must refuse or accept, never panic, and what it accepts must decode.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use samband::grpc::{convert::wire, pb};

fuzz_target!(|data: &[u8]| {
    if wire::check("samband.v1.SendConditionNoticeRequest", data).is_ok() {
        pb::SendConditionNoticeRequest::decode(data).expect("what the walk accepts decodes");
    }
    let _ = wire::check("samband.v1.SendLabResultRequest", data);
    let _ = wire::check("samband.v1.ReportNonAttendanceRequest", data);
});
