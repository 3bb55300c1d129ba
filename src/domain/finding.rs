//! One analysis of a sample. A screening positive cannot be said (rule 48).

use std::str::FromStr as _;

use super::decimal::Decimal;
use super::nlk::{NlkCode, NlkTable};
use super::sample::{Matrix, Seal};
use super::substance::SubstanceGroup;
use super::time::Date;
use super::ucum::Unit;
use super::validity::ValidityVerdict;
use super::violation::{Choice, FieldReason, Violations};

/// A finding as it came.
#[derive(Default)]
pub struct FindingDraft {
    /// A code.
    pub nlk_code: String,
    /// The group of the code.
    pub group: Choice<SubstanceGroup>,
    /// Whether the analysis is accredited.
    pub accredited: bool,
    /// The amount, if set.
    pub quantity: Option<QuantityDraft>,
    /// What was found, if set.
    pub outcome: Option<OutcomeDraft>,
}

/// An amount as it came.
#[derive(Default)]
pub struct QuantityDraft {
    /// How to read the value.
    pub comparator: Choice<Comparator>,
    /// A decimal.
    pub value: String,
    /// A unit.
    pub unit: String,
    /// A decimal in the same unit, if set.
    pub cut_off: Option<String>,
}

/// An outcome as it came.
pub enum OutcomeDraft {
    /// Not found.
    NotDetected(Choice<AnalysisStage>),
    /// Found and confirmed.
    Detected(Choice<ConfirmationMethod>),
    /// Not analysed.
    NotAnalysed(Choice<NotAnalysedReason>),
    /// No conclusion.
    Inconclusive,
}

/// How far an analysis went that found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnalysisStage {
    /// Screening suffices to find nothing.
    Screening,
    /// A specific method.
    Confirmation,
}

/// A specific method in a new aliquot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmationMethod {
    /// Liquid chromatography, tandem mass spectrometry.
    LcMsMs,
    /// Gas chromatography, mass spectrometry.
    GcMs,
    /// High-resolution mass spectrometry.
    Hrms,
    /// Gas chromatography, flame ionisation on two columns; alcohol only.
    GcFidDual,
}

/// Why an analysis was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAnalysedReason {
    /// Too little material.
    InsufficientVolume,
    /// The seal was broken.
    SealBroken,
    /// Cannot be tested.
    NotTestable,
    /// Not offered by this laboratory.
    NotOffered,
}

/// What was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Not found.
    NotDetected(AnalysisStage),
    /// Found and confirmed.
    Detected(ConfirmationMethod),
    /// Not analysed.
    NotAnalysed(NotAnalysedReason),
    /// No conclusion.
    Inconclusive,
}

/// How a value is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// The value itself.
    Equal,
    /// Below it.
    LessThan,
    /// Above it.
    GreaterThan,
}

/// An amount with the laboratory's own cut-off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    comparator: Comparator,
    value: Decimal,
    unit: Unit,
    cut_off: Option<Decimal>,
}

impl Quantity {
    /// How the value is to be read.
    #[must_use]
    pub const fn comparator(&self) -> Comparator {
        self.comparator
    }

    /// The value.
    #[must_use]
    pub const fn value(&self) -> Decimal {
        self.value
    }

    /// Unit of value and cut-off.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// The decision limit, if stated.
    #[must_use]
    pub const fn cut_off(&self) -> Option<Decimal> {
        self.cut_off
    }

    fn parse(draft: QuantityDraft, path: &str, v: &mut Violations) -> Option<Self> {
        let QuantityDraft { comparator, value, unit, cut_off } = draft;
        let comparator = v.choice(&format!("{path}.comparator"), comparator);
        let value = v.text(&format!("{path}.value"), &value, Decimal::from_str);
        let unit = v.text(&format!("{path}.unit"), &unit, Unit::from_str);
        let cut_off = cut_off.and_then(|text| v.text(&format!("{path}.cut_off"), &text, Decimal::from_str));
        Some(Self { comparator: comparator?, value: value?, unit: unit?, cut_off })
    }

    /// Whether the amount says the same as the outcome. An amount beside "not detected" must lie below, and no other outcome than these two has one:
    /// else the amount would say what a screening may not.
    fn agrees_with(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Detected(_) => self.comparator != Comparator::LessThan && self.cut_off.is_none_or(|cut_off| self.value >= cut_off),
            Outcome::NotDetected(_) => self.comparator == Comparator::LessThan && self.cut_off.is_none_or(|cut_off| self.value <= cut_off),
            Outcome::NotAnalysed(_) | Outcome::Inconclusive => false,
        }
    }
}

/// One analysis.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    nlk_code: NlkCode,
    group: SubstanceGroup,
    accredited: bool,
    quantity: Option<Quantity>,
    outcome: Outcome,
}

/// What the sample as a whole allows to be said.
pub(super) struct SampleState {
    pub(super) matrix: Option<Matrix>,
    pub(super) received_on: Option<Date>,
    pub(super) seal: Option<Seal>,
    pub(super) verdict: Option<ValidityVerdict>,
}

impl Finding {
    /// The code.
    #[must_use]
    pub const fn nlk_code(&self) -> NlkCode {
        self.nlk_code
    }

    /// The group of the code.
    #[must_use]
    pub const fn group(&self) -> SubstanceGroup {
        self.group
    }

    /// Whether the analysis is accredited.
    #[must_use]
    pub const fn accredited(&self) -> bool {
        self.accredited
    }

    /// The amount, if stated.
    #[must_use]
    pub const fn quantity(&self) -> Option<&Quantity> {
        self.quantity.as_ref()
    }

    /// What was found.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Checks a draft; what is wrong is noted under `path`.
    pub(super) fn parse(draft: FindingDraft, path: &str, sample: &SampleState, v: &mut Violations) -> Option<Self> {
        let FindingDraft { nlk_code, group, accredited, quantity, outcome } = draft;
        let code_path = format!("{path}.nlk_code");
        let group_path = format!("{path}.group");
        let nlk_code = v.text(&code_path, &nlk_code, NlkCode::from_str);
        let group = v.choice(&group_path, group);
        let outcome = v.require(&format!("{path}.outcome"), outcome).and_then(|draft| parse_outcome(draft, path, v));
        let quantity = quantity.and_then(|draft| Quantity::parse(draft, &format!("{path}.quantity"), v));
        if let Some((code, received)) = nlk_code.zip(sample.received_on) {
            match NlkTable::in_force().lookup(code, received) {
                None => v.note(&code_path, FieldReason::CodeNotInTable),
                Some(entry) => {
                    v.demand(sample.matrix.is_none_or(|matrix| matrix == entry.matrix()), &code_path, FieldReason::CodeMatrixMismatch);
                    v.demand(group.is_none_or(|group| group == entry.group()), &group_path, FieldReason::CodeGroupMismatch);
                    let detected = matches!(outcome, Some(Outcome::Detected(_)));
                    v.demand(!(detected && entry.is_unspecific()), &code_path, FieldReason::DetectedByUnspecificCode);
                }
            }
        }
        if let Some(outcome) = outcome {
            check_outcome(outcome, group, sample, path, v);
            let agrees = quantity.is_none_or(|quantity| quantity.agrees_with(outcome));
            v.demand(agrees, &format!("{path}.quantity"), FieldReason::QuantityContradictsOutcome);
        }
        Some(Self { nlk_code: nlk_code?, group: group?, accredited, quantity, outcome: outcome? })
    }
}

fn parse_outcome(draft: OutcomeDraft, path: &str, v: &mut Violations) -> Option<Outcome> {
    match draft {
        OutcomeDraft::NotDetected(stage) => v.choice(&format!("{path}.not_detected.by"), stage).map(Outcome::NotDetected),
        OutcomeDraft::Detected(method) => v.choice(&format!("{path}.detected.confirmed_by"), method).map(Outcome::Detected),
        OutcomeDraft::NotAnalysed(reason) => v.choice(&format!("{path}.not_analysed.reason"), reason).map(Outcome::NotAnalysed),
        OutcomeDraft::Inconclusive => Some(Outcome::Inconclusive),
    }
}

fn check_outcome(outcome: Outcome, group: Option<SubstanceGroup>, sample: &SampleState, path: &str, v: &mut Violations) {
    match outcome {
        Outcome::Detected(method) => {
            let at = format!("{path}.detected");
            v.demand(sample.seal != Some(Seal::Broken), &at, FieldReason::DetectedWithBrokenSeal);
            v.demand(sample.verdict != Some(ValidityVerdict::NotTestable), &at, FieldReason::DetectedInUntestable);
            let allowed = method != ConfirmationMethod::GcFidDual || group.is_none_or(|group| group == SubstanceGroup::Alcohol);
            v.demand(allowed, &format!("{at}.confirmed_by"), FieldReason::MethodForAlcoholOnly);
        }
        Outcome::NotAnalysed(NotAnalysedReason::SealBroken) => {
            let broken = sample.seal.is_none_or(|seal| seal == Seal::Broken);
            v.demand(broken, &format!("{path}.not_analysed.reason"), FieldReason::SealNotBroken);
        }
        Outcome::NotDetected(_) | Outcome::NotAnalysed(_) | Outcome::Inconclusive => {}
    }
}
