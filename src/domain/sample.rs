//! What is sampled, and the tube it comes in.

use serde::{Deserialize, Serialize};

/// What is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Matrix {
    /// Urine, the norm.
    Urine,
    /// Oral fluid.
    OralFluid,
    /// Blood.
    Blood,
    /// Hair.
    Hair,
}

impl Matrix {
    /// Every matrix.
    pub const ALL: [Self; 4] = [Self::Urine, Self::OralFluid, Self::Blood, Self::Hair];

    /// The name used in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Urine => "URINE",
            Self::OralFluid => "ORAL_FLUID",
            Self::Blood => "BLOOD",
            Self::Hair => "HAIR",
        }
    }
}

/// Which of the two sealed tubes of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SamplePart {
    /// Analysed first.
    A,
    /// The reserve.
    B,
}

/// State of the seal at arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// Checked and whole.
    Intact,
    /// Checked and broken.
    Broken,
    /// This matrix's container has none.
    NotApplicable,
}
