//! A legal hold: the records of one case outlive their months, for a stated reason and until a stated day.
//!
//! Records of the log live 13 to 35 whole months after their month (politiregisterforskriften § 40-13 has one to three years). A hold keeps those of
//! one case for as long as somebody has to look at them, and never beyond that maximum, unless the configuration names what allows more.

use serde::{Deserialize, Serialize};

use super::id::{CaseRef, ParticipantId};
use super::limits::{HOLD_MONTHS_MAX, RECORDS_KEEP_MONTHS_MAX};
use super::time::{Date, plus_months};

/// Why a case's records are held. A closed list, no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HoldReason {
    /// The supervisory authority looks at the processing.
    SupervisoryInspection,
    /// Somebody complained of the processing.
    Complaint,
    /// A court or a prosecution authority needs it.
    CourtProceedings,
    /// The data subject asked for access, correction or erasure, and that is not settled.
    DataSubjectRequest,
    /// A breach of security is being looked into.
    SecurityIncident,
}

impl HoldReason {
    /// Every reason.
    pub const ALL: &'static [Self] =
        &[Self::SupervisoryInspection, Self::Complaint, Self::CourtProceedings, Self::DataSubjectRequest, Self::SecurityIncident];

    /// The stable code, SCREAMING_CASE.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SupervisoryInspection => "SUPERVISORY_INSPECTION",
            Self::Complaint => "COMPLAINT",
            Self::CourtProceedings => "COURT_PROCEEDINGS",
            Self::DataSubjectRequest => "DATA_SUBJECT_REQUEST",
            Self::SecurityIncident => "SECURITY_INCIDENT",
        }
    }

    /// The number in the protocol's enum and in the log, from 1.
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

/// The case that is held, and its parties as far as its records still tell them: so that an auditor's scope covers what is said of the hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCase {
    /// Which.
    pub case_ref: CaseRef,
    /// The prosecution that set the condition.
    pub prosecution: Option<ParticipantId>,
    /// The unit that was addressed first.
    pub unit: Option<ParticipantId>,
}

/// What lets a hold last beyond the lawful maximum, as the operator's configuration names it: 1 to 80 characters of letters, digits, space and
/// `§ . , - ( )`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HoldGround(String);

/// Why a text names no ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a legal ground is 1 to 80 characters: letters, digits, space and § . , - ( )")]
pub struct NoHoldGround;

impl HoldGround {
    const CHARS_MAX: usize = 80;
}

impl TryFrom<String> for HoldGround {
    type Error = NoHoldGround;

    fn try_from(text: String) -> Result<Self, NoHoldGround> {
        let allowed = |c: char| c.is_alphanumeric() || " §.,-()".contains(c);
        let shaped = (1..=Self::CHARS_MAX).contains(&text.chars().count()) && text.chars().all(allowed) && text.trim() == text;
        if shaped { Ok(Self(text)) } else { Err(NoHoldGround) }
    }
}

impl From<HoldGround> for String {
    fn from(ground: HoldGround) -> Self {
        ground.0
    }
}

impl std::fmt::Display for HoldGround {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A hold in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// On which case.
    pub case: HeldCase,
    /// Log index of the event that placed it first.
    pub placed: u64,
    /// The auditor whose terms are in force.
    pub auditor: ParticipantId,
    /// Label of that auditor's key.
    pub key_label: String,
    /// Why.
    pub reason: HoldReason,
    /// The last day, in Oslo.
    pub until: Date,
    /// What lets it last beyond the lawful maximum.
    pub ground: Option<HoldGround>,
}

/// What there is of a held case beyond its months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldCopy {
    /// The copy is made by the next turn, which is due at once.
    Pending,
    /// Every record could be read to be held, since the hold was placed.
    Whole,
    /// Records stand that cannot be read, and which are or may be of this case. Where they stand in their months, these stay, and those after them,
    /// at most for their lawful time; where their months are gone, they stand in the hold's file alone and nothing else stays for them.
    NotWhole {
        /// Of records that are gone, those that could not be read before, and which were or may have been of this case.
        lost: u64,
    },
    /// Whatever stands could be read, but some is gone that could not.
    Lost {
        /// As with `NotWhole`; never 0.
        lost: u64,
    },
}

impl HoldCopy {
    /// Whether the case lacks records, or may lack some.
    #[must_use]
    pub const fn is_lacking(self) -> bool {
        matches!(self, Self::NotWhole { .. } | Self::Lost { .. })
    }

    /// Records that are gone and could not be read before.
    #[must_use]
    pub const fn lost(self) -> u64 {
        match self {
            Self::NotWhole { lost } | Self::Lost { lost } => lost,
            Self::Pending | Self::Whole => 0,
        }
    }
}

/// The latest last day of a hold that is placed or changed on `today`: the last day on which a record of today may lawfully be kept, or ten years on
/// with a ground of its own.
#[must_use]
pub fn latest_end(today: Date, has_ground: bool) -> Date {
    if has_ground { plus_months(today, HOLD_MONTHS_MAX) } else { last_lawful_day(today) }
}

/// The last day on which a record of `day` may be kept without a ground of its own: 35 whole months after its month.
#[must_use]
pub fn last_lawful_day(day: Date) -> Date {
    let gone = plus_months(day.first_of_month(), RECORDS_KEEP_MONTHS_MAX + 1);
    gone.yesterday().unwrap_or(gone)
}

/// Whether a hold until `until` on a case whose oldest record is of `oldest` keeps any longer than is lawful without a ground of its own. Where that
/// record cannot be told, it may.
#[must_use]
pub fn needs_ground(until: Date, oldest: Option<Date>) -> bool {
    oldest.is_none_or(|oldest| until > last_lawful_day(oldest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_may_be_kept_for_35_whole_months_after_its_month() {
        let day = Date::constant;
        assert_eq!(last_lawful_day(day(2026, 11, 20)), day(2029, 10, 31));
        assert_eq!(latest_end(day(2026, 11, 1), false), day(2029, 10, 31));
        assert_eq!(latest_end(day(2026, 11, 20), true), day(2036, 11, 20));
    }

    #[test]
    fn a_hold_needs_a_ground_from_the_day_after_its_oldest_record_s_last() {
        let day = Date::constant;
        assert!(!needs_ground(day(2029, 10, 31), Some(day(2026, 11, 20))));
        assert!(needs_ground(day(2029, 11, 1), Some(day(2026, 11, 20))));
        assert!(needs_ground(day(2026, 11, 21), None), "nobody knows how old its records are");
    }

    #[test]
    fn a_ground_is_a_short_plain_text() {
        let ground = |text: &str| HoldGround::try_from(text.to_owned());
        assert_eq!(ground("arkivlova § 9, Riksarkivarens vedtak").unwrap().to_string(), "arkivlova § 9, Riksarkivarens vedtak");
        for bad in ["", " x", "x ", "a\nb", "<b>", &"x".repeat(81)] {
            assert_eq!(ground(bad).err(), Some(NoHoldGround), "{bad}");
        }
    }

    #[test]
    fn numbers_lead_back_to_reasons() {
        for reason in HoldReason::ALL {
            assert_eq!(HoldReason::of_number(reason.number()), Some(*reason));
        }
        assert_eq!((HoldReason::of_number(0), HoldReason::of_number(6)), (None, None));
    }
}
