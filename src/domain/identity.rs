//! Fødselsnummer and D-number. Nothing is ever derived from a number: neither sex nor age nor century.

use zeroize::Zeroize as _;

use super::mac::hmac_sha256;
use super::violation::FieldReason;

/// Which numbers this gateway accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityMode {
    /// Real numbers only.
    Production,
    /// Synthetic numbers only: month + 80 (Tenor) or month + 40 (Dolly).
    Test,
}

/// Why a number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// Not eleven ASCII digits.
    #[error("an identity number is eleven digits without spaces")]
    NotElevenDigits,
    /// Day + 40 in a fødselsnummer, or none in a D-number.
    #[error("a D-number has day + 40, a fødselsnummer has not; use the field for the number's kind")]
    WrongKind,
    /// No century makes the first six digits a date.
    #[error("the first six digits are no date; read the number again")]
    NoDate,
    /// A check digit does not fit.
    #[error("a check digit does not fit; read the number again")]
    CheckDigit,
    /// Synthetic or auxiliary, in production.
    #[error("synthetic and auxiliary numbers belong at a test gateway")]
    Synthetic,
    /// Real, in test mode.
    #[error("real numbers must never reach a test gateway")]
    Real,
}

impl From<InvalidIdentity> for FieldReason {
    fn from(error: InvalidIdentity) -> Self {
        match error {
            InvalidIdentity::NotElevenDigits => Self::IdentityNotElevenDigits,
            InvalidIdentity::WrongKind => Self::IdentityWrongKind,
            InvalidIdentity::NoDate => Self::IdentityNoDate,
            InvalidIdentity::CheckDigit => Self::IdentityCheckDigit,
            InvalidIdentity::Synthetic => Self::IdentitySynthetic,
            InvalidIdentity::Real => Self::IdentityReal,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fnr,
    DNumber,
}

/// Eleven digits, 0 to 9 each, wiped on drop. In one place from the first on: what is moved leaves a copy behind on the stack that nothing wipes.
struct Digits(Box<[u8; 11]>);

impl Drop for Digits {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

const K1_WEIGHTS: [u32; 9] = [3, 7, 6, 1, 8, 9, 4, 5, 2];
const K2_WEIGHTS: [u32; 10] = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2];

impl Digits {
    fn parse(text: &str, kind: Kind, mode: IdentityMode) -> Result<Self, InvalidIdentity> {
        let bytes = text.as_bytes();
        if bytes.len() != 11 || !bytes.iter().all(u8::is_ascii_digit) {
            return Err(InvalidIdentity::NotElevenDigits);
        }
        let mut digits = Self(Box::new([0; 11]));
        for (digit, byte) in digits.0.iter_mut().zip(bytes) {
            *digit = byte - b'0';
        }
        let synthetic = digits.check_date(kind)?;
        digits.check_digits()?;
        match (mode, synthetic) {
            (IdentityMode::Production, true) => Err(InvalidIdentity::Synthetic),
            (IdentityMode::Test, false) => Err(InvalidIdentity::Real),
            _ => Ok(digits),
        }
    }

    fn pair(&self, at: usize) -> u8 {
        self.0[at] * 10 + self.0[at + 1]
    }

    /// Whether the number is synthetic (or an auxiliary number, which has the same shape).
    fn check_date(&self, kind: Kind) -> Result<bool, InvalidIdentity> {
        let day = match (kind, self.pair(0)) {
            (Kind::Fnr, day @ 1..=31) => day,
            (Kind::DNumber, day @ 41..=71) => day - 40,
            (Kind::Fnr, 41..=71) | (Kind::DNumber, 1..=31) => return Err(InvalidIdentity::WrongKind),
            _ => return Err(InvalidIdentity::NoDate),
        };
        let (month, synthetic) = match self.pair(2) {
            month @ 1..=12 => (month, false),
            month @ 41..=52 => (month - 40, true),
            month @ 81..=92 => (month - 80, true),
            _ => return Err(InvalidIdentity::NoDate),
        };
        let days = match month {
            // The century is unknown: 29 February fits when any century makes it a leap year, and 2000 was one.
            2 if self.pair(4).is_multiple_of(4) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if day <= days { Ok(synthetic) } else { Err(InvalidIdentity::NoDate) }
    }

    /// The rule for numbers issued from 2032 is the wider one and is used for all: remainder 0 to 3 for the first check digit, 0 for the second.
    fn check_digits(&self) -> Result<(), InvalidIdentity> {
        let remainder = |weights: &[u32]| {
            let sum: u32 = weights.iter().zip(self.0.iter()).map(|(weight, digit)| weight * u32::from(*digit)).sum();
            (sum + u32::from(self.0[weights.len()])) % 11
        };
        if remainder(&K1_WEIGHTS) <= 3 && remainder(&K2_WEIGHTS) == 0 { Ok(()) } else { Err(InvalidIdentity::CheckDigit) }
    }
}

macro_rules! identity_number {
    ($(#[$doc:meta])* $name:ident, $kind:expr) => {
        $(#[$doc])*
        pub struct $name(Digits);

        impl $name {
            /// From eleven digits.
            ///
            /// # Errors
            /// Shape, kind, date, check digits, then mode: the first that is wrong.
            pub fn parse(text: &str, mode: IdentityMode) -> Result<Self, InvalidIdentity> {
                Digits::parse(text, $kind, mode).map(Self)
            }
        }
    };
}

identity_number!(
    /// A fødselsnummer.
    Fnr,
    Kind::Fnr
);
identity_number!(
    /// A D-number: day + 40.
    DNumber,
    Kind::DNumber
);

/// The number that a notice is about.
pub enum SubjectId {
    /// A fødselsnummer.
    Fnr(Fnr),
    /// A D-number.
    DNumber(DNumber),
}

impl SubjectId {
    /// HMAC-SHA256 of kind and digits under `key`: equal for equal numbers, and nothing to those who lack the key.
    #[must_use]
    pub fn commit(&self, key: &[u8; 32]) -> [u8; 32] {
        let (kind, digits) = match self {
            Self::Fnr(fnr) => (1, &fnr.0),
            Self::DNumber(number) => (2, &number.0),
        };
        hmac_sha256(key, &[kind], &digits.0[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VECTORS: &str = include_str!("../../tests/data/identity_vectors.csv");

    fn judge(text: &str, mode: IdentityMode) -> Result<(), InvalidIdentity> {
        if matches!(text.as_bytes().first(), Some(b'4'..=b'7')) {
            DNumber::parse(text, mode).map(drop)
        } else {
            Fnr::parse(text, mode).map(drop)
        }
    }

    #[test]
    fn the_register_authoritys_twelve_vectors_hold_in_the_right_mode_only() {
        let mut seen = 0;
        for line in VECTORS.lines().skip(1) {
            let columns: Vec<&str> = line.split(',').collect();
            let (number, synthetic, valid) = (columns[0], columns[1] == "true", columns[2] == "true");
            let (mode, other, wrong) = if synthetic {
                (IdentityMode::Test, IdentityMode::Production, InvalidIdentity::Synthetic)
            } else {
                (IdentityMode::Production, IdentityMode::Test, InvalidIdentity::Real)
            };
            assert_eq!(judge(number, mode).is_ok(), valid, "{}", columns[4]);
            if valid {
                assert_eq!(judge(number, other), Err(wrong), "{}", columns[4]);
            }
            seen += 1;
        }
        assert_eq!(seen, 12);
    }

    #[test]
    fn a_fnr_is_no_d_number_and_the_other_way_round() {
        assert_eq!(DNumber::parse("02013299997", IdentityMode::Production).err(), Some(InvalidIdentity::WrongKind));
        assert_eq!(Fnr::parse("55102499947", IdentityMode::Production).err(), Some(InvalidIdentity::WrongKind));
    }

    #[test]
    fn no_date_no_number() {
        for text in ["00000000000", "29020105729", "32010100000", "01130100000", "31040100000", "81010100000", "01600100000"] {
            assert_eq!(Fnr::parse(text, IdentityMode::Production).err(), Some(InvalidIdentity::NoDate), "{text}");
        }
    }

    #[test]
    fn digits_of_other_scripts_and_other_lengths_are_refused() {
        for text in ["", "0201329999", "020132999970", "0201329999a", "٠٢٠١٣٢٩٩٩٩٧", " 02013299997"] {
            assert_eq!(Fnr::parse(text, IdentityMode::Production).err(), Some(InvalidIdentity::NotElevenDigits));
        }
    }

    #[test]
    fn a_dolly_number_is_synthetic() {
        let dolly = find("0141900000", IdentityMode::Test);
        assert_eq!(Fnr::parse(&dolly, IdentityMode::Production).err(), Some(InvalidIdentity::Synthetic));
    }

    /// The first valid number whose day, month and year are those of `base`.
    fn find(base: &str, mode: IdentityMode) -> String {
        (0..100_000_u32).map(|tail| format!("{}{tail:05}", &base[..6])).find(|text| judge(text, mode).is_ok()).unwrap()
    }

    #[test]
    fn debug_shows_no_digit() {
        let id = SubjectId::Fnr(Fnr::parse("02013299997", IdentityMode::Production).unwrap());
        assert!(!format!("{id:?}").bytes().any(|b| b.is_ascii_digit()));
    }

    #[test]
    fn a_commitment_depends_on_number_kind_and_key() {
        let a = SubjectId::Fnr(Fnr::parse("02013299997", IdentityMode::Production).unwrap());
        let b = SubjectId::Fnr(Fnr::parse("30108299920", IdentityMode::Production).unwrap());
        assert_eq!(a.commit(&[1; 32]), a.commit(&[1; 32]));
        assert_ne!(a.commit(&[1; 32]), a.commit(&[2; 32]));
        assert_ne!(a.commit(&[1; 32]), b.commit(&[1; 32]));
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in "\\PC*") {
            let _ = judge(&text, IdentityMode::Production);
            let _ = judge(&text, IdentityMode::Test);
        }

        #[test]
        fn one_wrong_digit_in_front_of_the_checks_is_never_accepted_by_the_second_check(at in 0_usize..9, digit in 0_u8..10) {
            let mut bytes = b"02013299997".to_vec();
            prop_assume!(bytes[at] != b'0' + digit);
            bytes[at] = b'0' + digit;
            prop_assert!(judge(&String::from_utf8(bytes).unwrap(), IdentityMode::Production).is_err());
        }

        #[test]
        fn no_number_is_good_in_both_modes(digits in "[0-7][0-9][0-9][0-9]{8}") {
            prop_assert!(judge(&digits, IdentityMode::Production).is_err() || judge(&digits, IdentityMode::Test).is_err());
        }
    }
}
