//! Codes of Norsk laboratoriekodeverk and the dated table that says which group a code belongs to.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use super::substance::SubstanceGroup;
use super::table::{Validity, rows};
use super::time::Date;
use super::violation::FieldReason;

/// Not `^(NPU|NOR)[0-9]{5}$`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an NLK code is NPU or NOR and five digits")]
pub struct InvalidNlkCode;

impl From<InvalidNlkCode> for FieldReason {
    fn from(_: InvalidNlkCode) -> Self {
        Self::PatternMismatch
    }
}

/// A code: `^(NPU|NOR)[0-9]{5}$`, upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NlkCode([u8; 8]);

impl NlkCode {
    /// What the table says of this code on a day; `None` when it is not in force then.
    #[must_use]
    pub fn lookup(self, on: Date) -> Option<NlkEntry> {
        TABLE.get(&self).filter(|(validity, _)| validity.holds_on(on)).map(|(_, entry)| *entry)
    }
}

impl FromStr for NlkCode {
    type Err = InvalidNlkCode;

    fn from_str(text: &str) -> Result<Self, InvalidNlkCode> {
        let bytes: [u8; 8] = text.as_bytes().try_into().map_err(|_| InvalidNlkCode)?;
        let fits = (bytes.starts_with(b"NPU") || bytes.starts_with(b"NOR")) && bytes[3..].iter().all(u8::is_ascii_digit);
        if fits { Ok(Self(bytes)) } else { Err(InvalidNlkCode) }
    }
}

impl fmt::Display for NlkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NlkEntry {
    group: SubstanceGroup,
    unspecific: bool,
}

impl NlkEntry {
    /// The group that the code belongs to.
    #[must_use]
    pub const fn group(self) -> SubstanceGroup {
        self.group
    }

    /// A code of a whole class, used for screening: it can never be DETECTED (rule 48).
    #[must_use]
    pub const fn is_unspecific(self) -> bool {
        self.unspecific
    }
}

static TABLE: LazyLock<HashMap<NlkCode, (Validity, NlkEntry)>> = LazyLock::new(|| {
    rows::<7>(include_str!("../../data/nlk_codes.csv"))
        .map(|[code, _name, group, unspecific, from, until, _source]| {
            let code = code.parse().expect("the embedded table holds well-formed codes; a test loads it");
            let known = SubstanceGroup::ALL.iter().find(|known| known.as_str() == group);
            let group = *known.expect("the embedded table names known groups only; a test loads it");
            // Anything but a plain "no" is the careful reading.
            (code, (Validity::parse(from, until), NlkEntry { group, unspecific: unspecific != "no" }))
        })
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Date = Date::constant(2026, 11, 20);

    #[test]
    fn codes_have_one_spelling() {
        assert_eq!("NPU53115".parse::<NlkCode>().unwrap().to_string(), "NPU53115");
        for bad in ["", "NPU5311", "NPU531150", "npu53115", "NPX53115", "NPU5311a", "NPU5311٥", " NPU5311"] {
            assert_eq!(bad.parse::<NlkCode>(), Err(InvalidNlkCode), "{bad}");
        }
    }

    #[test]
    fn the_table_gives_the_group_and_whether_the_code_is_specific() {
        let entry = |code: &str| code.parse::<NlkCode>().unwrap().lookup(DAY);
        assert_eq!(entry("NPU53115"), Some(NlkEntry { group: SubstanceGroup::Cannabis, unspecific: false }));
        assert_eq!(entry("NOR25839"), Some(NlkEntry { group: SubstanceGroup::Cannabis, unspecific: true }));
        assert_eq!(entry("NPU09102"), None, "creatinine is no substance");
        assert_eq!("NPU53115".parse::<NlkCode>().unwrap().lookup(Date::constant(2023, 12, 31)), None);
        assert_eq!(TABLE.len(), 18);
    }

    proptest! {
        #[test]
        fn whatever_parses_prints_back(text in "\\PC{0,10}") {
            if let Ok(code) = text.parse::<NlkCode>() {
                prop_assert_eq!(code.to_string(), text);
            }
        }
    }
}
