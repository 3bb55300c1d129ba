//! The order of drug tests in a notice (rules 4, 6, 47, 49, 50, 54, 59, 62).

use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use super::id::ParticipantId;
use super::label::InvoiceReference;
use super::legal_basis::{ConditionPart, LegalBasis};
use super::limits::{FREQUENCY_TIMES_MAX, LABORATORIES_PER_ORDER_MAX, SAMPLES_PER_ORDER_MAX};
use super::nlk::NlkTable;
use super::notice::Bounds;
use super::sample::Matrix;
use super::substance::SubstanceGroup;
use super::time::{Date, plain_date};
use super::violation::{Choice, FieldReason, Violations};

/// A control part as it came.
#[derive(Default)]
pub struct ControlDraft {
    /// Basis of the control.
    pub legal_basis: Choice<LegalBasis>,
    /// The only procedure there is.
    pub procedure: Choice<Procedure>,
    /// Matrices.
    pub matrices: Vec<Choice<Matrix>>,
    /// Groups.
    pub groups: Vec<Choice<SubstanceGroup>>,
    /// Samples ordered.
    pub sample_count: u32,
    /// How often.
    pub frequency: Option<FrequencyDraft>,
    /// First day.
    pub from_date: String,
    /// Last day.
    pub to_date: String,
    /// Ids of laboratories.
    pub laboratories: Vec<String>,
    /// Day the person was informed.
    pub subject_informed_on: String,
    /// Reference on invoices.
    pub invoice_reference: String,
}

/// A frequency as it came.
#[derive(Default)]
pub struct FrequencyDraft {
    /// Times in each period.
    pub times: u32,
    /// The period.
    pub per: Choice<FrequencyPeriod>,
    /// Whether days are known beforehand.
    pub announcement: Choice<Announcement>,
}

/// How samples are taken and handled: always as sanction samples (rule 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Procedure {
    /// Sealed, confirmed, with chain of custody.
    Sanction,
}

/// The period that a frequency counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrequencyPeriod {
    /// Each week.
    Week,
    /// Each month.
    Month,
    /// The whole order.
    Period,
}

/// Whether the person knows the days beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announcement {
    /// Summoned without notice.
    Unannounced,
    /// On known days.
    Scheduled,
}

/// How often samples are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequency {
    times: u32,
    per: FrequencyPeriod,
    announcement: Announcement,
}

impl Frequency {
    /// Times in each period, 1 to 31.
    #[must_use]
    pub const fn times(self) -> u32 {
        self.times
    }

    /// The period counted in.
    #[must_use]
    pub const fn per(self) -> FrequencyPeriod {
        self.per
    }

    /// Whether days are known beforehand.
    #[must_use]
    pub const fn announcement(self) -> Announcement {
        self.announcement
    }

    fn parse(draft: FrequencyDraft, v: &mut Violations) -> Option<Self> {
        let FrequencyDraft { times, per, announcement } = draft;
        v.demand((1..=FREQUENCY_TIMES_MAX).contains(&times), "control.frequency.times", FieldReason::OutOfRange);
        let per = v.choice("control.frequency.per", per);
        let announcement = v.choice("control.frequency.announcement", announcement);
        Some(Self { times, per: per?, announcement: announcement? })
    }
}

/// An order of drug tests.
pub struct Control {
    legal_basis: LegalBasis,
    frequency: Frequency,
    subject_informed_on: Date,
    invoice_reference: InvoiceReference,
    facts: ControlFacts,
}

/// What later results are checked against; nothing personal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlFacts {
    /// Matrices that may be sampled, in order, each once.
    pub matrices: Vec<Matrix>,
    /// Groups ordered, in order, each once.
    pub groups: Vec<SubstanceGroup>,
    /// First day of sampling.
    #[serde(serialize_with = "plain_date::one")]
    pub from: Date,
    /// Last day of sampling, included.
    #[serde(serialize_with = "plain_date::one")]
    pub to: Date,
    /// Laboratories that may answer, each once; none means any that is enrolled.
    pub laboratories: Vec<ParticipantId>,
    /// Samples ordered; never a cap.
    pub sample_count: u32,
}

impl Control {
    /// The basis of the control.
    #[must_use]
    pub const fn legal_basis(&self) -> LegalBasis {
        self.legal_basis
    }

    /// Always the sanction procedure.
    #[must_use]
    pub const fn procedure(&self) -> Procedure {
        Procedure::Sanction
    }

    /// How often.
    #[must_use]
    pub const fn frequency(&self) -> Frequency {
        self.frequency
    }

    /// Day the person was informed.
    #[must_use]
    pub const fn subject_informed_on(&self) -> Date {
        self.subject_informed_on
    }

    /// The sender's reference on invoices.
    #[must_use]
    pub const fn invoice_reference(&self) -> &InvoiceReference {
        &self.invoice_reference
    }

    /// What results are checked against.
    #[must_use]
    pub const fn facts(&self) -> &ControlFacts {
        &self.facts
    }

    /// Checks a draft; what is wrong is noted under `control`.
    pub(super) fn parse(draft: ControlDraft, bounds: &Bounds, today: Date, v: &mut Violations) -> Option<Self> {
        let ControlDraft {
            legal_basis,
            procedure,
            matrices,
            groups,
            sample_count,
            frequency,
            from_date,
            to_date,
            laboratories,
            subject_informed_on,
            invoice_reference,
        } = draft;
        let legal_basis = bounds.basis("control.legal_basis", legal_basis, ConditionPart::Control, v);
        let procedure = v.choice("control.procedure", procedure);
        let matrices = distinct_choices("control.matrices", matrices, Matrix::ALL.len(), v, |_| None);
        // A result must have a finding of every ordered group: without a code in any ordered matrix the order could never be answered.
        let table = NlkTable::in_force();
        let answerable = |group| matrices.is_empty() || matrices.iter().any(|matrix| table.has_code(group, *matrix, today));
        let unanswerable = |group| (!answerable(group)).then_some(FieldReason::GroupWithoutCode);
        let groups = distinct_choices("control.groups", groups, SubstanceGroup::ALL.len(), v, unanswerable);
        v.demand((1..=SAMPLES_PER_ORDER_MAX).contains(&sample_count), "control.sample_count", FieldReason::OutOfRange);
        let frequency = v.require("control.frequency", frequency).and_then(|draft| Frequency::parse(draft, v));
        let from = v.date("control.from_date", &from_date);
        let to = v.date("control.to_date", &to_date);
        bounds.inside_probation("control.from_date", from, v);
        bounds.inside_probation("control.to_date", to, v);
        v.demand(from.zip(to).is_none_or(|(from, to)| from <= to), "control.to_date", FieldReason::PeriodOrder);
        let laboratories = parse_laboratories(&laboratories, v);
        let informed = v.past_date("control.subject_informed_on", &subject_informed_on, today);
        let invoice = v.text("control.invoice_reference", &invoice_reference, InvoiceReference::from_str);
        let Procedure::Sanction = procedure?;
        Some(Self {
            legal_basis: legal_basis?,
            frequency: frequency?,
            subject_informed_on: informed?,
            invoice_reference: invoice?,
            facts: ControlFacts { matrices, groups, from: from?, to: to?, laboratories, sample_count },
        })
    }
}

/// The values in order; `wrong` says what else is wrong with one that is known and new.
fn distinct_choices<T: Copy + Ord>(
    path: &str,
    choices: Vec<Choice<T>>,
    most: usize,
    v: &mut Violations,
    wrong: impl Fn(T) -> Option<FieldReason>,
) -> Vec<T> {
    let mut values = Vec::with_capacity(most);
    if v.count(path, choices.len(), 1, most) {
        for (i, choice) in choices.into_iter().enumerate() {
            let at = format!("{path}[{i}]");
            let Some(value) = v.choice(&at, choice) else { continue };
            let reason = if values.contains(&value) { Some(FieldReason::Duplicate) } else { wrong(value) };
            if let Some(reason) = reason {
                v.note(&at, reason);
            }
            values.push(value);
        }
    }
    values.sort_unstable();
    values
}

fn parse_laboratories(texts: &[String], v: &mut Violations) -> Vec<ParticipantId> {
    let mut ids = Vec::new();
    if v.count("control.laboratories", texts.len(), 0, LABORATORIES_PER_ORDER_MAX) {
        for (i, text) in texts.iter().enumerate() {
            let at = format!("control.laboratories[{i}]");
            let Some(id) = v.text(&at, text, ParticipantId::from_str) else { continue };
            v.demand(!ids.contains(&id), &at, FieldReason::Duplicate);
            ids.push(id);
        }
    }
    ids
}
