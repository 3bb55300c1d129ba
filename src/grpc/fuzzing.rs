//! What handlers read of a decoded request, for `crate::fuzzing`.

use prost::Message as _;

use super::{audit, caller, pb, shared};

/// The arguments of a caller: the first byte picks the request or the text.
pub fn arguments(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    match first % 8 {
        0 => shared::fuzzing::text(data),
        1 => caller::fuzzing::head(data),
        2 => _ = pb::ProsecutionServiceLookUpRequest::decode(data).map(|request| shared::fuzzing::look_up(&request)),
        3 => _ = pb::SendConditionNoticeRequest::decode(data).map(shared::fuzzing::head),
        4 => _ = pb::ReportNonAttendanceRequest::decode(data).map(shared::fuzzing::head),
        5 => _ = pb::SendLabResultRequest::decode(data).map(shared::fuzzing::head),
        _ => audit::fuzzing::arguments(data),
    }
}
