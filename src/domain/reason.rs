//! Why a message is withdrawn or a notice is returned: closed lists, no text.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($(#[$enum_doc:meta])* $enum:ident { $($(#[$doc:meta])* $name:ident = $code:literal,)+ }) => {
        $(#[$enum_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $enum {
            $($(#[$doc])* $name,)+
        }

        impl $enum {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable code, SCREAMING_CASE.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The number of the value in the protocol's enum and in the log, from 1.
            #[must_use]
            pub const fn number(self) -> u16 {
                self as u16 + 1
            }

            /// The reason of a number.
            #[must_use]
            pub fn of_number(number: u16) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.number() == number)
            }
        }
    };
}

reasons! {
    /// Why the prosecution takes a notice back.
    NoticeWithdrawal {
        /// Should never have been sent.
        SentInError = "SENT_IN_ERROR",
        /// Another person was meant; the requisition dies.
        WrongSubject = "WRONG_SUBJECT",
        /// Never the municipality of stay.
        WrongMunicipality = "WRONG_MUNICIPALITY",
        /// The municipality of stay has changed.
        SubjectMoved = "SUBJECT_MOVED",
        /// The condition no longer stands; the requisition dies.
        ConditionRevoked = "CONDITION_REVOKED",
        /// Another district has taken over; samples collected before still go to the old requisitioner.
        CaseTransferred = "CASE_TRANSFERRED",
    }
}

reasons! {
    /// Why a unit takes a report back. Never because the person met.
    ReportWithdrawal {
        /// Should never have been sent.
        SentInError = "SENT_IN_ERROR",
        /// Belongs to another case.
        WrongCase = "WRONG_CASE",
    }
}

reasons! {
    /// Why a laboratory takes a result back.
    ResultWithdrawal {
        /// Should never have been sent.
        SentInError = "SENT_IN_ERROR",
        /// Belongs to another sample.
        WrongSample = "WRONG_SAMPLE",
        /// The analysis was wrong.
        AnalysisError = "ANALYSIS_ERROR",
    }
}

reasons! {
    /// Why a unit hands a notice back. Never anything of treatment or attendance.
    NoticeReturn {
        /// The person does not stay in the municipality.
        NotStayingHere = "NOT_STAYING_HERE",
        /// The unit cannot tell who is meant.
        CannotIdentify = "CANNOT_IDENTIFY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_says_that_a_person_attended() {
        let codes = ReportWithdrawal::ALL.iter().map(|r| r.as_str()).chain(NoticeReturn::ALL.iter().map(|r| r.as_str()));
        let codes: Vec<&str> = codes.collect();
        assert_eq!(codes, ["SENT_IN_ERROR", "WRONG_CASE", "NOT_STAYING_HERE", "CANNOT_IDENTIFY"]);
    }
}
