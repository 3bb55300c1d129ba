//! Dated tables: embedded CSV without quoting, a header line, one row a line. Each table is parsed once and by a test.

use super::time::{Date, parse_date};

/// From when to when a row is in force; a row without a first day is prepared and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: Option<Date>,
    until: Option<Date>,
}

impl Validity {
    /// In force from `date` on.
    pub(super) const fn since(date: Date) -> Self {
        Self { from: Some(date), until: None }
    }

    /// From two columns, each a date or empty.
    pub(super) fn parse(from: &str, until: &str) -> Self {
        let date = |text: &str| {
            (!text.is_empty()).then(|| parse_date(text).expect("dates of embedded tables are well-formed; tests load every table"))
        };
        Self { from: date(from), until: date(until) }
    }

    /// From two dates; `None` when the last day lies before the first.
    pub(super) fn between(from: Option<Date>, until: Option<Date>) -> Option<Self> {
        from.zip(until).is_none_or(|(from, until)| from <= until).then_some(Self { from, until })
    }

    /// Whether there is a day on which both are in force.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let begins_within = |one: &Self, other: &Self| one.from.is_some_and(|first| other.holds_on(first));
        begins_within(self, other) || begins_within(other, self)
    }

    /// Whether the row is in force on `day`, both ends included.
    pub(super) fn holds_on(&self, day: Date) -> bool {
        self.from.is_some_and(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// The rows of `csv` after its header, `N` columns each.
pub(super) fn rows<const N: usize>(csv: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    csv.lines().skip(1).filter(|line| !line.is_empty()).map(|line| {
        let columns: Vec<&'static str> = line.split(',').collect();
        columns.try_into().expect("rows of embedded tables have as many columns as their header; tests load every table")
    })
}
