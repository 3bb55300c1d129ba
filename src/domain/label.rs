//! Short codes printed on forms and invoices.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::limits::LABEL_CHARS_MAX;
use super::violation::FieldReason;

/// Not the pattern of the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use 1 to 20 characters of A-Z, 0-9 and '-' for a label, ^[a-z][a-z0-9-]{{0,19}}$ for a contact's key")]
pub struct InvalidLabel;

impl From<InvalidLabel> for FieldReason {
    fn from(_: InvalidLabel) -> Self {
        Self::PatternMismatch
    }
}

fn is_label(text: &str) -> bool {
    (1..=LABEL_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-')
}

fn is_contact_key(text: &str) -> bool {
    (1..=20).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

macro_rules! code {
    ($(#[$doc:meta])* $name:ident, $fits:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The code as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidLabel;

            fn from_str(text: &str) -> Result<Self, InvalidLabel> {
                if $fits(text) { Ok(Self(text.into())) } else { Err(InvalidLabel) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidLabel;

            fn try_from(text: String) -> Result<Self, InvalidLabel> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0.into()
            }
        }
    };
}

code!(
    /// The label of a sample: `^[A-Z0-9-]{1,20}$`.
    #[derive(Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    SampleLabel,
    is_label
);
code!(
    /// The prosecution's own reference on invoices: `^[A-Z0-9-]{1,20}$`.
    InvoiceReference,
    is_label
);
code!(
    /// The key of a role's contact in the register: `^[a-z][a-z0-9-]{0,19}$`.
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    ContactKey,
    is_contact_key
);

impl fmt::Display for ContactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_keys_have_one_pattern_each() {
        assert!("A-001".parse::<SampleLabel>().is_ok());
        for bad in ["", "a", "A_1", "Æ", &"A".repeat(21)] {
            assert!(bad.parse::<SampleLabel>().is_err(), "{bad}");
            assert!(bad.parse::<InvoiceReference>().is_err(), "{bad}");
        }
        assert!("jourhavende-1".parse::<ContactKey>().is_ok());
        for bad in ["", "1a", "A", "a_b", &"a".repeat(21)] {
            assert!(bad.parse::<ContactKey>().is_err(), "{bad}");
        }
    }
}
