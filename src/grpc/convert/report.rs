//! `NonAttendanceReport` taken apart.

use super::choice;
use crate::domain::report::{MissedAppointment, ReportDraft};
use crate::grpc::pb;

pub(super) fn draft(message: pb::NonAttendanceReport) -> ReportDraft {
    let pb::NonAttendanceReport { case_ref, missed, summons_dates, missed_dates } = message;
    ReportDraft {
        case_ref,
        missed: choice!(missed, pb::MissedAppointment, MissedAppointment, {
            Conversation => Conversation,
            DrugControl => DrugControl,
        }),
        summons_dates,
        missed_dates,
    }
}
