//! From generated types to the domain: every generated struct is taken apart in full, so that a new field breaks the build until it is handled.

mod notice;
mod reason;
mod report;
mod result;
#[cfg(test)]
mod samples;
pub mod wire;

pub use self::reason::{notice_return, notice_withdrawal, report_withdrawal, result_withdrawal};

use crate::domain::notice::ConditionNotice;
use crate::domain::report::NonAttendanceReport;
use crate::domain::result::LabResult;
use crate::domain::violation::{ParseContext, Violations};
use crate::grpc::pb;

/// Maps a generated enum's number to a domain value: 0 is missing, a number that the schema does not have is unknown. The match has no wildcard, so a
/// new value breaks the build.
macro_rules! choice {
    ($number:expr, $generated:ty, $domain:ty, { $($from:ident => $to:ident),+ $(,)? }) => {
        match <$generated>::try_from($number) {
            Ok(<$generated>::Unspecified) => $crate::domain::violation::Choice::Missing,
            $(Ok(<$generated>::$from) => $crate::domain::violation::Choice::Value(<$domain>::$to),)+
            Err(_) => $crate::domain::violation::Choice::Unknown,
        }
    };
}
pub(crate) use choice;

/// A notice from its generated form.
///
/// # Errors
/// Every field that is wrong.
pub fn condition_notice(message: pb::ConditionNotice, context: &ParseContext) -> Result<ConditionNotice, Violations> {
    ConditionNotice::parse(notice::draft(message), context)
}

/// A report from its generated form.
///
/// # Errors
/// Every field that is wrong.
pub fn non_attendance_report(message: pb::NonAttendanceReport, context: &ParseContext) -> Result<NonAttendanceReport, Violations> {
    NonAttendanceReport::parse(report::draft(message), context)
}

/// A result from its generated form.
///
/// # Errors
/// Every field that is wrong.
pub fn lab_result(message: pb::LabResult, context: &ParseContext) -> Result<LabResult, Violations> {
    LabResult::parse(result::draft(message), context)
}

/// The canonical content: fields in ascending order, defaults left out, repeated scalars packed. Two encodings of one message that [`wire::check`]
/// accepts give the same bytes, whichever library wrote them; commitments and stored content are these bytes.
#[must_use]
pub fn canonical(message: &impl prost::Message) -> Vec<u8> {
    message.encode_to_vec()
}
