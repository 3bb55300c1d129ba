//! Instants and calendar dates.
//!
//! Instants are milliseconds since 1970-01-01 UTC. Dates are civil dates, compared in Europe/Oslo.

use std::fmt;
use std::sync::LazyLock;

pub use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

static OSLO: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/Oslo").expect("the tz database is bundled into the binary and holds Europe/Oslo"));

/// One day in milliseconds.
pub const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This instant moved by `millis`, saturating.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The civil date in Europe/Oslo at this instant. Instants outside year -9999..9999 give the nearest date.
    #[must_use]
    pub fn oslo_date(self) -> Date {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or(if self.0 < 0 { Date::MIN } else { Date::MAX }, |at| at.to_zoned(OSLO.clone()).date())
    }

    /// Date and time of day in Europe/Oslo, to the second: `2026-11-20 12:00:05`.
    #[must_use]
    pub fn oslo_text(self) -> String {
        jiff::Timestamp::from_millisecond(self.0)
            .map_or_else(|_| self.to_string(), |at| at.to_zoned(OSLO.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    /// The first instant of `date` in Europe/Oslo.
    #[must_use]
    pub fn start_of(date: Date) -> Self {
        date.to_zoned(OSLO.clone())
            .map_or(Self(if date < Date::constant(1970, 1, 1) { i64::MIN } else { i64::MAX }), |at| Self(at.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// Reads `YYYY-MM-DD`, nothing else.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10 && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if !shaped {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<i16>().ok());
    let (year, month, day) = (number(0..4)?, i8::try_from(number(5..7)?).ok()?, i8::try_from(number(8..10)?).ok()?);
    Date::new(year, month, day).ok()
}

/// `date` moved by whole months, the day clamped to the month's length; saturates at the calendar's ends.
#[must_use]
pub fn plus_months(date: Date, months: i32) -> Date {
    date.saturating_add(jiff::Span::new().months(months))
}
