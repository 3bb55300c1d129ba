//! `NonAttendanceReport`: the person did not meet on these dates, and nothing else (rules 30, 31, 37, 41).

#[cfg(test)]
pub(crate) mod tests;

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use super::id::CaseRef;
use super::limits::REPORT_DATES_MAX;
use super::time::{Date, plain_date};
use super::violation::{Choice, FieldReason, ParseContext, Violations};

/// A report as it came.
#[derive(Default)]
pub struct ReportDraft {
    /// Reference of the case.
    pub case_ref: String,
    /// Which appointment.
    pub missed: Choice<MissedAppointment>,
    /// Dates.
    pub summons_dates: Vec<String>,
    /// Dates.
    pub missed_dates: Vec<String>,
}

/// Which appointment was missed; needs the part of the same name in the notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MissedAppointment {
    /// The conversation at the unit: needs attendance.
    Conversation,
    /// The drug control: needs control.
    DrugControl,
}

/// A report that holds every rule which needs only the report and the day. That it lies inside the probation and belongs to the unit's own case is
/// asked later.
pub struct NonAttendanceReport {
    facts: ReportFacts,
}

/// All that a report says: none of it is about the person as such.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFacts {
    /// The case.
    pub case_ref: CaseRef,
    /// Which appointment.
    pub missed: MissedAppointment,
    /// 1 to 5 dates of written summonses, strictly ascending.
    #[serde(serialize_with = "plain_date::list")]
    pub summons_dates: Vec<Date>,
    /// 1 to 5 dates, strictly ascending, each after a summons.
    #[serde(serialize_with = "plain_date::list")]
    pub missed_dates: Vec<Date>,
}

impl NonAttendanceReport {
    /// Checks a draft.
    ///
    /// # Errors
    /// Every field that is wrong, at most [`super::limits::VIOLATIONS_MAX`].
    pub fn parse(draft: ReportDraft, context: &ParseContext) -> Result<Self, Violations> {
        let ReportDraft { case_ref, missed, summons_dates, missed_dates } = draft;
        let mut v = Violations::default();
        let case_ref = v.text("case_ref", &case_ref, CaseRef::from_str);
        let missed = v.choice("missed", missed);
        let summons_dates = dates("summons_dates", &summons_dates, context.today, &mut v);
        let missed_dates = dates("missed_dates", &missed_dates, context.today, &mut v);
        if let Some(first) = summons_dates.iter().min() {
            for (i, date) in missed_dates.iter().enumerate() {
                v.demand(first < date, &format!("missed_dates[{i}]"), FieldReason::NoSummonsBefore);
            }
        }
        let facts = case_ref.zip(missed).map(|(case_ref, missed)| ReportFacts { case_ref, missed, summons_dates, missed_dates });
        v.finish(facts.map(|facts| Self { facts }))
    }

    /// The case.
    #[must_use]
    pub const fn case_ref(&self) -> CaseRef {
        self.facts.case_ref
    }

    /// Which appointment.
    #[must_use]
    pub const fn missed(&self) -> MissedAppointment {
        self.facts.missed
    }

    /// Dates of written summonses, ascending.
    #[must_use]
    pub fn summons_dates(&self) -> &[Date] {
        &self.facts.summons_dates
    }

    /// Missed dates, ascending.
    #[must_use]
    pub fn missed_dates(&self) -> &[Date] {
        &self.facts.missed_dates
    }

    /// All that the report says.
    #[must_use]
    pub fn facts(&self) -> ReportFacts {
        self.facts.clone()
    }
}

fn dates(path: &str, texts: &[String], today: Date, v: &mut Violations) -> Vec<Date> {
    let mut dates: Vec<Date> = Vec::new();
    if v.count(path, texts.len(), 1, REPORT_DATES_MAX) {
        for (i, text) in texts.iter().enumerate() {
            let at = format!("{path}[{i}]");
            let Some(date) = v.past_date(&at, text, today) else { continue };
            v.demand(dates.last().is_none_or(|before| *before < date), &at, FieldReason::NotAscending);
            dates.push(date);
        }
    }
    dates
}
