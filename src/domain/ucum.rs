//! The closed list of UCUM units in which amounts are stated.

use std::str::FromStr;

use super::violation::FieldReason;

/// Not a unit of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use a UCUM unit of the list: nmol/L umol/L mmol/L ng/mL ug/L mg/L g/L pg/mg ng/mg 1")]
pub struct UnknownUnit;

impl From<UnknownUnit> for FieldReason {
    fn from(_: UnknownUnit) -> Self {
        Self::UnitUnknown
    }
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// A unit. UCUM is case-sensitive and so is this. `[pH]` is no unit of an amount: pH has a field of its own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Unit {
            $($(#[$doc])* $name,)+
        }

        impl Unit {
            /// Every unit.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As UCUM writes it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

units! {
    /// Nanomole per litre.
    NanomolePerLitre = "nmol/L";
    /// Micromole per litre.
    MicromolePerLitre = "umol/L";
    /// Millimole per litre.
    MillimolePerLitre = "mmol/L";
    /// Nanogram per millilitre.
    NanogramPerMillilitre = "ng/mL";
    /// Microgram per litre.
    MicrogramPerLitre = "ug/L";
    /// Milligram per litre.
    MilligramPerLitre = "mg/L";
    /// Gram per litre, for alcohol.
    GramPerLitre = "g/L";
    /// Picogram per milligram, for hair.
    PicogramPerMilligram = "pg/mg";
    /// Nanogram per milligram, for hair.
    NanogramPerMilligram = "ng/mg";
    /// A plain ratio.
    Ratio = "1";
}

impl FromStr for Unit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Self, UnknownUnit> {
        Self::ALL.iter().copied().find(|unit| unit.as_str() == text).ok_or(UnknownUnit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_a_closed_list_and_case_counts() {
        assert!(Unit::ALL.iter().all(|unit| unit.as_str().parse() == Ok(*unit)));
        for bad in ["", "NG/ML", "µg/L", "[pH]", "mg/dL", "ng/ml", " ng/mL"] {
            assert_eq!(bad.parse::<Unit>(), Err(UnknownUnit), "{bad}");
        }
    }
}
