//! Instants and calendar dates.
//!
//! Instants are milliseconds since 1970-01-01 UTC. Dates are civil dates, compared in Europe/Oslo.

use std::cell::Cell;
use std::fmt;
use std::sync::LazyLock;

pub use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

static OSLO: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/Oslo").expect("the tz database is bundled into the binary and holds Europe/Oslo"));

thread_local! {
    /// A day in Europe/Oslo: its first millisecond, the first one after it, its date. Empty at first.
    static LAST_DAY: Cell<(i64, i64, Date)> = const { Cell::new((0, 0, Date::ZERO)) };
}

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
        // Nearly all that is asked about is of one day: its bounds are remembered, and only outside them is the tz database asked.
        let (from, to, date) = LAST_DAY.get();
        if (from..to).contains(&self.0) {
            return date;
        }
        let Ok(at) = jiff::Timestamp::from_millisecond(self.0) else { return if self.0 < 0 { Date::MIN } else { Date::MAX } };
        let date = at.to_zoned(OSLO.clone()).date();
        if let Ok(next) = date.tomorrow() {
            LAST_DAY.set((Self::start_of(date).0, Self::start_of(next).0, date));
        }
        date
    }

    /// From what `Display` shows.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        text.parse().ok().map(|at: jiff::Timestamp| Self(at.as_millisecond()))
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

impl Timestamp {
    /// Appends what `Display` shows to `out`, without the formatter where the year has four digits: each record says when.
    pub fn push_to(self, out: &mut Vec<u8>) {
        use std::io::Write as _;
        let date_time = jiff::Timestamp::from_millisecond(self.0).map(|at| TimeZone::UTC.to_datetime(at));
        let Some(at) = date_time.ok().filter(|at| (0..=9999).contains(&at.year())) else {
            write!(out, "{self}").expect("writing to a Vec cannot fail");
            return;
        };
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |end: usize, number: u32| {
            let mut rest = number;
            for place in text[..end].iter_mut().rev().take_while(|place| place.is_ascii_digit()) {
                *place = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        };
        put(4, at.year().unsigned_abs().into());
        put(7, at.month().unsigned_abs().into());
        put(10, at.day().unsigned_abs().into());
        put(13, at.hour().unsigned_abs().into());
        put(16, at.minute().unsigned_abs().into());
        put(19, at.second().unsigned_abs().into());
        put(23, at.millisecond().unsigned_abs().into());
        out.extend_from_slice(&text);
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

/// Writes dates for serde in the text that the library's own impl writes, without its formatter: every event of a message holds some.
pub mod plain_date {
    use serde::{Serialize, Serializer};

    use super::Date;

    struct Plain(Date);

    impl Serialize for Plain {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let (year, month, day) = (self.0.year(), self.0.month(), self.0.day());
            if !(0..=9999).contains(&year) {
                return self.0.serialize(serializer);
            }
            let digit = |number: i16, unit: i16| b'0' + (number / unit % 10) as u8;
            let (month, day) = (i16::from(month), i16::from(day));
            let mut text = *b"0000-00-00";
            text[..4].copy_from_slice(&[digit(year, 1000), digit(year, 100), digit(year, 10), digit(year, 1)]);
            text[5..7].copy_from_slice(&[digit(month, 10), digit(month, 1)]);
            text[8..].copy_from_slice(&[digit(day, 10), digit(day, 1)]);
            serializer.serialize_str(std::str::from_utf8(&text).expect("digits and hyphens"))
        }
    }

    /// A date.
    ///
    /// # Errors
    /// The serializer's.
    pub fn one<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
        Plain(*date).serialize(serializer)
    }

    /// A date, if there is one.
    ///
    /// # Errors
    /// The serializer's.
    pub fn optional<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
        date.map(Plain).serialize(serializer)
    }

    /// Dates.
    ///
    /// # Errors
    /// The serializer's.
    pub fn list<S: Serializer>(dates: &[Date], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(dates.iter().copied().map(Plain))
    }
}

/// Reads `YYYY-MM-DD`, nothing else. There is no year 0.
#[must_use]
pub fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10 && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
    if !shaped {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|part| part.parse::<i16>().ok());
    let (year, month, day) = (number(0..4)?, i8::try_from(number(5..7)?).ok()?, i8::try_from(number(8..10)?).ok()?);
    Date::new(year, month, day).ok().filter(|date| date.year() > 0)
}

/// `date` moved by whole months, the day clamped to the month's length; saturates at the calendar's ends.
#[must_use]
pub fn plus_months(date: Date, months: i32) -> Date {
    date.saturating_add(jiff::Span::new().months(months))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spelled(at: Timestamp) -> String {
        let mut out = Vec::from("time=");
        at.push_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn by_the_library(at: Timestamp) -> Date {
        jiff::Timestamp::from_millisecond(at.0).unwrap().to_zoned(OSLO.clone()).date()
    }

    #[test]
    fn dates_are_written_as_the_library_writes_them() {
        #[derive(Serialize)]
        struct Plain {
            #[serde(serialize_with = "plain_date::one")]
            one: Date,
            #[serde(serialize_with = "plain_date::optional")]
            optional: Option<Date>,
            #[serde(serialize_with = "plain_date::list")]
            list: Vec<Date>,
        }
        let days = (-400..800_000).step_by(997).filter_map(|day| Date::constant(-1, 12, 1).checked_add(jiff::Span::new().days(day)).ok());
        for one in days.chain([Date::MIN, Date::MAX, Date::constant(2028, 2, 29)]) {
            for (optional, list) in [(None, vec![]), (Some(one), vec![one, Date::ZERO])] {
                let theirs = postcard::to_stdvec(&(one, optional, &list)).unwrap();
                assert_eq!(postcard::to_stdvec(&Plain { one, optional, list }).unwrap(), theirs, "{one}");
            }
        }
    }

    #[test]
    fn what_is_shown_of_an_instant_is_read_as_it() {
        for millis in [0, -1, 999, 1_764_036_000_123] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::of_text(&at.to_string()), Some(at));
        }
        assert_eq!([Timestamp::of_text("2026-11-20"), Timestamp::of_text("soon")], [None; 2]);
    }

    #[test]
    fn both_spellings_of_an_instant_are_one() {
        for millis in
            [0, -1, 999, 1_764_036_000_123, 253_402_300_799_999, 253_402_300_800_000, -62_167_219_200_000, -62_167_219_200_001, i64::MAX]
        {
            let at = Timestamp::from_millis(millis);
            assert_eq!(spelled(at), format!("time={at}"));
        }
        assert_eq!(spelled(Timestamp::from_millis(1_764_036_000_007)), "time=2025-11-25T02:00:00.007Z");
    }

    #[test]
    fn the_days_of_oslo_end_where_they_end_also_when_the_clocks_change() {
        // Two years by the hour, with the milliseconds around each: 23 and 25 hours long days are among them.
        for hour in 0..2 * 366 * 24 {
            for millis in [-1, 0, 1] {
                let at = Timestamp::from_millis(1_764_036_000_000 + hour * 3_600_000 + millis);
                assert_eq!(at.oslo_date(), by_the_library(at), "{at}");
            }
        }
        assert_eq!(Timestamp::from_millis(i64::MAX).oslo_date(), Date::MAX);
        assert_eq!(Timestamp::from_millis(i64::MIN).oslo_date(), Date::MIN);
    }

    proptest! {
        #[test]
        fn any_instant_after_any_other(millis in prop::collection::vec(-60_000_000_000_000_i64..250_000_000_000_000, 1..20)) {
            for at in millis.into_iter().map(Timestamp::from_millis) {
                prop_assert_eq!(at.oslo_date(), by_the_library(at));
                prop_assert_eq!(spelled(at), format!("time={at}"));
            }
        }
    }
}
