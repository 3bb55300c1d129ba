//! Entries counted by kind and time, for a picture.

use std::collections::BTreeMap;

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

/// Entries of each kind in each column.
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
        *self.by_day.entry(day).or_default().entry(record.kind).or_default() += 1;
        if self.by_day.len() > COLUMNS_MAX
            && let Some((_, kinds)) = self.by_day.pop_first()
        {
            self.left_out += kinds.values().sum::<u64>();
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

    /// First day of each column that has entries, and how many of each kind.
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
