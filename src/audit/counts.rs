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
    /// The column that the last entry fell into, and until when that holds: entries come in order of time.
    last: Option<(Date, Timestamp)>,
}

impl Counts {
    /// Nothing yet.
    #[must_use]
    pub const fn new(column: Column) -> Self {
        Self { column, by_day: BTreeMap::new(), last: None }
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
        if self.by_day.len() > COLUMNS_MAX {
            self.by_day.pop_first();
        }
    }

    /// How wide a column is.
    #[must_use]
    pub const fn column(&self) -> Column {
        self.column
    }

    /// First day of each column that has entries, and how many of each kind.
    #[must_use]
    pub const fn columns(&self) -> &BTreeMap<Date, BTreeMap<u16, u64>> {
        &self.by_day
    }
}
