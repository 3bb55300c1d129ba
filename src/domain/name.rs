//! Names of persons and lines of addresses: Latin letters with any marks, in NFC.

use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use zeroize::Zeroize as _;

use super::limits::{ADDRESS_LINE_CHARS_MAX, NAME_CHARS_MAX, PLACE_CHARS_MAX};
use super::violation::FieldReason;

/// What is wrong with a name or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    /// Not NFC.
    #[error("normalise the text to Unicode NFC before sending")]
    NotNfc,
    /// Longer than allowed, in characters.
    #[error("shorten the text to the length that the schema gives")]
    TooLong,
    /// A character outside the list, no letter or digit at all, or space at an end or twice.
    #[error("use only the characters that the schema lists, without space at the ends or twice")]
    Character,
}

impl From<InvalidText> for FieldReason {
    fn from(error: InvalidText) -> Self {
        match error {
            InvalidText::NotNfc => Self::NameNotNfc,
            InvalidText::TooLong => Self::TooLong,
            InvalidText::Character => Self::CharacterNotAllowed,
        }
    }
}

/// Letters of the Latin script: ASCII, Latin-1, Extended-A to -E and Additional, IPA extensions.
const fn is_latin_letter(c: char) -> bool {
    matches!(c,
        'A'..='Z' | 'a'..='z' | '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2af}'
        | '\u{1e00}'..='\u{1eff}' | '\u{2c60}'..='\u{2c7f}' | '\u{a722}'..='\u{a787}' | '\u{a78b}'..='\u{a7ca}' | '\u{ab30}'..='\u{ab5a}')
}

/// Marks that NFC leaves behind a letter when no composed form exists.
const fn is_combining_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// `'`, the typographic apostrophe and the modifier letters that names are written with.
const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bb}' | '\u{2bc}')
}

fn check(text: &str, most: usize, other: impl Fn(char) -> bool) -> Result<(), InvalidText> {
    // Bytes first: a text of `most` characters has at most four bytes each, so the rest of the work is bounded.
    if text.len() > 4 * most || text.chars().count() > most {
        return Err(InvalidText::TooLong);
    }
    let mut substance = false;
    let mut marks_allowed = 0_u8;
    let mut before = ' ';
    for c in text.chars() {
        if is_latin_letter(c) {
            (substance, marks_allowed) = (true, 3);
        } else if is_combining_mark(c) && marks_allowed > 0 {
            marks_allowed -= 1;
        } else if other(c) && !(c == ' ' && before == ' ') {
            substance |= c.is_ascii_digit();
            marks_allowed = 0;
        } else {
            return Err(InvalidText::Character);
        }
        before = c;
    }
    if !substance || before == ' ' {
        return Err(InvalidText::Character);
    }
    if is_nfc(text) { Ok(()) } else { Err(InvalidText::NotNfc) }
}

macro_rules! personal_text {
    ($(#[$doc:meta])* $name:ident, $most:expr, $other:expr) => {
        $(#[$doc])*
        pub struct $name(Box<str>);

        impl $name {
            /// Checks and keeps `text`.
            ///
            /// # Errors
            /// Length, characters, then form: the first that is wrong.
            pub fn parse(text: &str) -> Result<Self, InvalidText> {
                check(text, $most, $other).map(|()| Self(text.into()))
            }

            /// The text. Personal: for delivery, never for a log.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }
    };
}

personal_text!(
    /// A family or given name: 1 to 100 Latin letters with marks, hyphen, apostrophe, space, period.
    PersonName,
    NAME_CHARS_MAX,
    |c| matches!(c, '-' | ' ' | '.') || is_apostrophe(c)
);
personal_text!(
    /// A line of an address: 1 to 60 letters, digits, space, period, comma, hyphen, slash.
    AddressLine,
    ADDRESS_LINE_CHARS_MAX,
    |c| c.is_ascii_digit() || matches!(c, ' ' | '.' | ',' | '-' | '/')
);
personal_text!(
    /// A postal place: 1 to 40 letters, space, period, hyphen.
    PostalPlace,
    PLACE_CHARS_MAX,
    |c| matches!(c, ' ' | '.' | '-')
);

/// `text` in NFC, for a client that reads names from elsewhere.
#[must_use]
pub fn to_nfc(text: &str) -> String {
    text.nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_the_north_and_of_elsewhere_are_accepted() {
        for name in
            ["Ærø-Åsen", "Nguyễn", "O'Brien", "D’Angelo", "Čuovžžu", "Ŋuorttan", "Jr. Łukasz", "Ó Súilleabháin", "Kaʻiulani", "J\u{30c}"]
        {
            assert!(PersonName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_name_that_is_not_composed_is_refused_with_its_own_reason() {
        assert_eq!(PersonName::parse("A\u{30a}sen").err(), Some(InvalidText::NotNfc));
        assert!(PersonName::parse(&to_nfc("A\u{30a}sen")).is_ok());
    }

    #[test]
    fn a_name_holds_no_number_no_markup_and_no_other_script() {
        let stacked = format!("X{}", "\u{333}".repeat(4));
        for name in
            ["", " ", "-", "A1", "a@b", "<b>", "Иван", "Ola  Nor", " Ola", "Ola ", "a\u{202e}b", "a\nb", "\u{300}a", "a\u{200b}", &stacked]
        {
            assert_eq!(PersonName::parse(name).err(), Some(InvalidText::Character), "{name:?}");
        }
        assert_eq!(PersonName::parse(&"å".repeat(101)).err(), Some(InvalidText::TooLong));
        assert!(PersonName::parse(&"å".repeat(100)).is_ok());
    }

    #[test]
    fn an_address_line_takes_numbers_and_a_slash() {
        assert!(AddressLine::parse("Storgata 1 B, c/o Øst-Vest 2. etg").is_ok());
        assert!(AddressLine::parse("22").is_ok());
        assert_eq!(AddressLine::parse("Vei 1; annet").err(), Some(InvalidText::Character));
        assert_eq!(AddressLine::parse(&"a".repeat(61)).err(), Some(InvalidText::TooLong));
        assert!(PostalPlace::parse("Mo i Rana").is_ok());
        assert_eq!(PostalPlace::parse("0301").err(), Some(InvalidText::Character));
    }

    #[test]
    fn debug_shows_no_name() {
        assert_eq!(format!("{:?}", PersonName::parse("Testesen").unwrap()), "PersonName(***)");
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_short_and_composed(text in "\\PC{0,120}") {
            if let Ok(name) = PersonName::parse(&text) {
                prop_assert!(name.expose().chars().count() <= NAME_CHARS_MAX);
                prop_assert_eq!(to_nfc(&text), text);
            }
        }
    }
}
