//! Kinds by name, for those who read records. A number is never given out twice.

use super::{EventRow, TABLE};

/// Number of `LOG_OPENED`.
pub const LOG_OPENED: u16 = 1;
/// Number of `STARTED`.
pub const STARTED: u16 = 2;
/// Number of `STOPPED`.
pub const STOPPED: u16 = 3;
/// Number of `REGISTER_LOADED`.
pub const REGISTER_LOADED: u16 = 4;
/// Number of `ENTRY_LOST`.
pub const ENTRY_LOST: u16 = 5;
/// Number of `SCOPES_LOADED`.
pub const SCOPES_LOADED: u16 = 6;
/// Number of `TRUST_LOADED`.
pub const TRUST_LOADED: u16 = 7;
/// Number of `RELOAD_FAILED`.
pub const RELOAD_FAILED: u16 = 8;
/// Number of `NOTICE_ACCEPTED`.
pub const NOTICE_ACCEPTED: u16 = 10;
/// Number of `NOTICE_WITHDRAWN`.
pub const NOTICE_WITHDRAWN: u16 = 11;
/// Number of `REPORT_ACCEPTED`.
pub const REPORT_ACCEPTED: u16 = 12;
/// Number of `REPORT_WITHDRAWN`.
pub const REPORT_WITHDRAWN: u16 = 13;
/// Number of `RESULT_ACCEPTED`.
pub const RESULT_ACCEPTED: u16 = 14;
/// Number of `RESULT_WITHDRAWN`.
pub const RESULT_WITHDRAWN: u16 = 15;
/// Number of `VALIDATED`.
pub const VALIDATED: u16 = 16;
/// Number of `HANDED_OUT`.
pub const HANDED_OUT: u16 = 20;
/// Number of `ACKNOWLEDGED`.
pub const ACKNOWLEDGED: u16 = 21;
/// Number of `NOTICE_RETURNED`.
pub const NOTICE_RETURNED: u16 = 22;
/// Number of `OVERDUE`.
pub const OVERDUE: u16 = 23;
/// Number of `CASE_ENDED`.
pub const CASE_ENDED: u16 = 24;
/// Number of `ENDED_UNDELIVERED`.
pub const ENDED_UNDELIVERED: u16 = 25;
/// Number of `CASE_FORGOTTEN`.
pub const CASE_FORGOTTEN: u16 = 26;
/// Number of `CONTENT_ERASED`.
pub const CONTENT_ERASED: u16 = 30;
/// Number of `RECORDS_ERASED`.
pub const RECORDS_ERASED: u16 = 31;
/// Number of `HELD_ERASED`.
pub const HELD_ERASED: u16 = 32;
/// Number of `REFUSED`.
pub const REFUSED: u16 = 40;
/// Number of `REFUSALS_SUMMED`.
pub const REFUSALS_SUMMED: u16 = 41;
/// Number of `STRANGERS_REFUSED`.
pub const STRANGERS_REFUSED: u16 = 42;
/// Number of `CONTACT_SET`.
pub const CONTACT_SET: u16 = 50;
/// Number of `SUCCEEDED`.
pub const SUCCEEDED: u16 = 51;
/// Number of `AUDIT_READ`.
pub const AUDIT_READ: u16 = 60;
/// Number of `AUDIT_ASKED`.
pub const AUDIT_ASKED: u16 = 61;
/// Number of `REVIEWED`.
pub const REVIEWED: u16 = 62;
/// Number of `HOLD_PLACED`.
pub const HOLD_PLACED: u16 = 63;
/// Number of `HOLD_LIFTED`.
pub const HOLD_LIFTED: u16 = 64;
/// Number of `HOLD_ENDED`.
pub const HOLD_ENDED: u16 = 65;

/// The row of a number, if that number was ever given out.
#[must_use]
pub fn row_of(number: u16) -> Option<EventRow> {
    TABLE.iter().find(|row| row.number == number).copied()
}
