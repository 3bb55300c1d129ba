//! Entries counted by kind and time, for a picture. An entry that sums refusals counts as many as it sums: a flood is to look like one.

use std::collections::BTreeMap;

use super::event::kind;
use super::record::Record;
use crate::domain::time::{Date, Timestamp};

/// Columns of a picture; of more, the newest.
pub const COLUMNS_MAX: usize = 1200;

/// How wide a column is, in Oslo's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// A day.
    Day,
    /// A month.
    Month,
}

/// Entries of each kind in each column, and refusals that an entry sums as many as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    column: Column,
    by_day: BTreeMap<Date, BTreeMap<u16, u64>>,
    left_out: u64,
    /// The column that the last entry fell into, and until when that holds: entries come in order of time.
    last: Option<(Date, Timestamp)>,
}

impl Counts {
    /// Nothing yet.
    #[must_use]
    pub const fn new(column: Column) -> Self {
        Self { column, by_day: BTreeMap::new(), left_out: 0, last: None }
    }

    pub(super) fn take(&mut self, record: &Record) {
        let day = match self.last {
            Some((day, until)) if record.time < until => day,
            _ => {
                let today = record.time.oslo_date();
                let day = match self.column {
                    Column::Day => today,
                    Column::Month => today.first_of_month(),
                };
                self.last = Some((day, Timestamp::start_of(today.tomorrow().unwrap_or(today))));
                day
            }
        };
        let many = match record.kind {
            kind::REFUSALS_SUMMED | kind::STRANGERS_REFUSED => record.count.unwrap_or(1),
            _ => 1,
        };
        // What a record claims is bounded by nothing but its field.
        let counted = self.by_day.entry(day).or_default().entry(record.kind).or_default();
        *counted = counted.saturating_add(many);
        if self.by_day.len() > COLUMNS_MAX
            && let Some((_, kinds)) = self.by_day.pop_first()
        {
            self.left_out = kinds.values().fold(self.left_out, |sum, n| sum.saturating_add(*n));
        }
    }

    /// How wide a column is.
    #[must_use]
    pub const fn column(&self) -> Column {
        self.column
    }

    /// Entries of older columns that are not kept.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// First day of each column that has entries, and how many of each kind: of the summed refusals, how many were refused.
    #[must_use]
    pub const fn columns(&self) -> &BTreeMap<Date, BTreeMap<u16, u64>> {
        &self.by_day
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::Event;
    use crate::domain::time::DAY_MILLIS;

    #[test]
    fn refusals_that_were_summed_count_as_many_as_they_were() {
        let at = Timestamp::from_millis(1_780_000_000_000);
        let summed = |count| Event::RefusalsSummed { caller: "lab-ous".parse().unwrap(), reason: 1, minute: at, count };
        let strangers = |count| Event::StrangersRefused { reason: "unknown_issuer".to_owned(), minute: at, count };
        let mut counts = Counts::new(Column::Day);
        for event in [summed(25), summed(5), strangers(3), Event::Stopped] {
            counts.take(&Record::of(&event, at));
        }
        let kinds = counts.columns().values().next().unwrap();
        assert_eq!(kinds.values().copied().collect::<Vec<_>>().len(), 3);
        assert_eq!((kinds[&kind::REFUSALS_SUMMED], kinds[&kind::STRANGERS_REFUSED], kinds[&kind::STOPPED]), (30, 3, 1));
        counts.take(&Record::of(&summed(u64::MAX), at));
        assert_eq!(counts.columns().values().next().unwrap()[&kind::REFUSALS_SUMMED], u64::MAX);
    }

    #[test]
    fn columns_that_are_not_kept_are_counted() {
        let mut counts = Counts::new(Column::Day);
        let days = COLUMNS_MAX as i64 + 3;
        for day in 0..days {
            let record = Record::of(&Event::Stopped, Timestamp::from_millis(1_780_000_000_000 + day * DAY_MILLIS));
            (0..2).for_each(|_| counts.take(&record));
        }
        assert_eq!((counts.columns().len(), counts.left_out()), (COLUMNS_MAX, 6));
    }
}
