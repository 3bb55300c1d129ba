//! What the laboratory thinks of the sample as such: dilution and manipulation. Always measured; limits differ by laboratory.

use super::decimal::Decimal;
use super::sample::Matrix;
use super::violation::{Choice, FieldReason, Violations};

/// Validity as it came.
pub enum ValidityDraft {
    /// For urine.
    Urine {
        /// A decimal, if set.
        creatinine_mmol_per_l: Option<String>,
        /// A decimal, if set.
        ph: Option<String>,
        /// The verdict.
        verdict: Choice<ValidityVerdict>,
    },
    /// For every other matrix.
    Other {
        /// The verdict.
        verdict: Choice<ValidityVerdict>,
    },
}

/// The laboratory's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidityVerdict {
    /// Nothing to remark.
    Ok,
    /// Diluted by the laboratory's own limit.
    Diluted,
    /// Manipulation is suspected.
    ManipulationSuspected,
    /// The sample cannot be tested.
    NotTestable,
}

/// Value and verdict, by matrix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Of urine; values are absent only when the sample cannot be tested.
    Urine {
        /// Creatinine in mmol/L.
        creatinine_mmol_per_l: Option<Decimal>,
        /// pH, 0 to 14.
        ph: Option<Decimal>,
        /// The verdict.
        verdict: ValidityVerdict,
    },
    /// Of another matrix.
    Other {
        /// The verdict.
        verdict: ValidityVerdict,
    },
}

impl Validity {
    /// The laboratory's verdict.
    #[must_use]
    pub const fn verdict(&self) -> ValidityVerdict {
        match self {
            Self::Urine { verdict, .. } | Self::Other { verdict } => *verdict,
        }
    }

    /// Whether this is how samples of `matrix` are judged.
    pub(super) fn fits(&self, matrix: Matrix) -> bool {
        matches!(self, Self::Urine { .. }) == (matrix == Matrix::Urine)
    }

    /// Checks a draft; what is wrong is noted under the member's name.
    pub(super) fn parse(draft: Option<ValidityDraft>, matrix: Option<Matrix>, v: &mut Violations) -> Option<Self> {
        let draft = v.require("validity", draft)?;
        let for_urine = matches!(draft, ValidityDraft::Urine { .. });
        let fits = matrix.is_none_or(|matrix| (matrix == Matrix::Urine) == for_urine);
        v.demand(fits, "validity", FieldReason::ValidityMatrixMismatch);
        match draft {
            ValidityDraft::Other { verdict } => Some(Self::Other { verdict: v.choice("other_validity.verdict", verdict)? }),
            ValidityDraft::Urine { creatinine_mmol_per_l, ph, verdict } => {
                let verdict = v.choice("urine_validity.verdict", verdict);
                let needed = verdict != Some(ValidityVerdict::NotTestable);
                let creatinine_mmol_per_l = measured("urine_validity.creatinine_mmol_per_l", creatinine_mmol_per_l, needed, v);
                let ph = measured("urine_validity.ph", ph, needed, v);
                v.demand(ph.is_none_or(|ph| ph <= Decimal::whole(14)), "urine_validity.ph", FieldReason::OutOfRange);
                Some(Self::Urine { creatinine_mmol_per_l, ph, verdict: verdict? })
            }
        }
    }
}

fn measured(path: &str, text: Option<String>, needed: bool, v: &mut Violations) -> Option<Decimal> {
    match text {
        Some(text) => v.text(path, &text, str::parse),
        None => {
            v.demand(!needed, path, FieldReason::Required);
            None
        }
    }
}
