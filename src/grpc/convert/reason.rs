//! Reasons of withdrawals and returns.

use super::choice;
use crate::domain::reason::{NoticeReturn, NoticeWithdrawal, ReportWithdrawal, ResultWithdrawal};
use crate::domain::violation::Choice;
use crate::grpc::pb;

/// Why a notice is withdrawn.
#[must_use]
pub fn notice_withdrawal(number: i32) -> Choice<NoticeWithdrawal> {
    choice!(number, pb::NoticeWithdrawalReason, NoticeWithdrawal, {
        SentInError => SentInError,
        WrongSubject => WrongSubject,
        WrongMunicipality => WrongMunicipality,
        SubjectMoved => SubjectMoved,
        ConditionRevoked => ConditionRevoked,
        CaseTransferred => CaseTransferred,
    })
}

/// Why a report is withdrawn.
#[must_use]
pub fn report_withdrawal(number: i32) -> Choice<ReportWithdrawal> {
    choice!(number, pb::ReportWithdrawalReason, ReportWithdrawal, { SentInError => SentInError, WrongCase => WrongCase })
}

/// Why a result is withdrawn.
#[must_use]
pub fn result_withdrawal(number: i32) -> Choice<ResultWithdrawal> {
    choice!(number, pb::ResultWithdrawalReason, ResultWithdrawal, {
        SentInError => SentInError,
        WrongSample => WrongSample,
        AnalysisError => AnalysisError,
    })
}

/// Why a notice is returned.
#[must_use]
pub fn notice_return(number: i32) -> Choice<NoticeReturn> {
    choice!(number, pb::NoticeReturnReason, NoticeReturn, { NotStayingHere => NotStayingHere, CannotIdentify => CannotIdentify })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_zero_is_missing_and_an_unknown_number_is_unknown() {
        assert_eq!(notice_return(0), Choice::Missing);
        assert_eq!(notice_return(1), Choice::Value(NoticeReturn::NotStayingHere));
        assert_eq!(notice_return(3), Choice::Unknown);
        assert_eq!(notice_withdrawal(-1), Choice::Unknown);
        assert_eq!(report_withdrawal(2), Choice::Value(ReportWithdrawal::WrongCase));
        assert_eq!(result_withdrawal(9), Choice::Unknown);
    }
}
