//! Decimals as laboratories write them: exact, never floating point.

use std::str::FromStr;

use super::violation::FieldReason;

/// Not `^[0-9]{1,9}(\.[0-9]{1,6})?$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a decimal is 1 to 9 digits, and if needed a period and 1 to 6 digits")]
pub struct InvalidDecimal;

impl From<InvalidDecimal> for FieldReason {
    fn from(_: InvalidDecimal) -> Self {
        Self::BadDecimal
    }
}

/// A decimal of at most nine digits and six decimals, compared by value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal {
    millionths: u64,
}

impl Decimal {
    /// A whole number.
    #[must_use]
    pub const fn whole(value: u32) -> Self {
        Self { millionths: value as u64 * 1_000_000 }
    }
}

impl FromStr for Decimal {
    type Err = InvalidDecimal;

    fn from_str(text: &str) -> Result<Self, InvalidDecimal> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, most: usize| (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 9) || !digits(fraction, 6) {
            return Err(InvalidDecimal);
        }
        let value = |digits: &str| digits.bytes().fold(0_u64, |sum, b| sum * 10 + u64::from(b - b'0'));
        let scale = 10_u64.pow(6 - u32::try_from(fraction.len()).map_err(|_| InvalidDecimal)?);
        Ok(Self { millionths: value(whole) * 1_000_000 + value(fraction) * scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_compare_by_value() {
        let parse = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(parse("1.50"), parse("01.5"));
        assert!(parse("9.999999") < parse("10"));
        assert_eq!(parse("999999999.999999").millionths, 999_999_999_999_999);
        assert_eq!(parse("14"), Decimal::whole(14));
    }

    #[test]
    fn nothing_but_the_pattern_is_a_decimal() {
        for bad in ["", ".", "1.", ".1", "-1", "+1", "1e3", "1,5", "1.2.3", " 1", "1234567890", "1.1234567", "NaN", "٣"] {
            assert_eq!(bad.parse::<Decimal>(), Err(InvalidDecimal), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_and_a_decimal_is_its_digits(text in "[0-9.]{0,18}") {
            if let Ok(decimal) = text.parse::<Decimal>() {
                let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
                prop_assert_eq!(format!("{whole}{fraction:0<6}").parse::<u64>(), Ok(decimal.millionths));
            }
        }
    }
}
