//! `LabResult`: one part of one sample (rules 22, 46, 47, 48). Nothing in it is about the person as such.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;
use std::str::FromStr as _;

use serde::{Deserialize, Serialize};

use super::finding::{Finding, FindingDraft, SampleState};
use super::id::RequisitionId;
use super::label::SampleLabel;
use super::limits::FINDINGS_MAX;
use super::sample::{Matrix, SamplePart, Seal};
use super::substance::SubstanceGroup;
use super::time::{Date, plain_date};
use super::validity::{Validity, ValidityDraft};
use super::violation::{Choice, FieldReason, ParseContext, Violations};

/// A result as it came.
#[derive(Default)]
pub struct ResultDraft {
    /// Reference of the requisition.
    pub requisition_id: String,
    /// The tube, if set.
    pub sample: Option<SampleDraft>,
    /// The matrix.
    pub matrix: Choice<Matrix>,
    /// When it was collected, if anything is said.
    pub collection: Option<CollectionDraft>,
    /// A date.
    pub received_on: String,
    /// The seal.
    pub seal: Choice<Seal>,
    /// The findings.
    pub findings: Vec<FindingDraft>,
    /// The sample's validity, if set.
    pub validity: Option<ValidityDraft>,
}

/// A tube as it came.
#[derive(Default)]
pub struct SampleDraft {
    /// Its label.
    pub label: String,
    /// Which part.
    pub part: Choice<SamplePart>,
}

/// A collection date as it came.
pub enum CollectionDraft {
    /// A date.
    On(String),
    /// The form bears none.
    Missing,
}

/// A result that holds every rule which needs only the result, the day and the tables. That the requisition exists, that matrix, groups and dates fit
/// the order and that this laboratory may answer it is asked later.
pub struct LabResult {
    requisition_id: RequisitionId,
    label: SampleLabel,
    part: SamplePart,
    matrix: Matrix,
    collected_on: Option<Date>,
    received_on: Date,
    seal: Seal,
    findings: Vec<Finding>,
    validity: Validity,
}

/// What a result is checked against its order by; no outcome.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFacts {
    /// The requisition.
    pub requisition_id: RequisitionId,
    /// The sample's label.
    pub label: SampleLabel,
    /// Which tube.
    pub part: SamplePart,
    /// The matrix.
    pub matrix: Matrix,
    /// Day of collection; `None` when the form bears none.
    #[serde(serialize_with = "plain_date::optional")]
    pub collected_on: Option<Date>,
    /// Day of receipt.
    #[serde(serialize_with = "plain_date::one")]
    pub received_on: Date,
    /// The groups that have a finding, in order, each once: must be exactly those ordered.
    pub groups: Vec<SubstanceGroup>,
}

impl LabResult {
    /// Checks a draft.
    ///
    /// # Errors
    /// Every field that is wrong, at most [`super::limits::VIOLATIONS_MAX`].
    pub fn parse(draft: ResultDraft, context: &ParseContext) -> Result<Self, Violations> {
        let mut v = Violations::default();
        let result = Self::parse_noting(draft, context, &mut v);
        v.finish(result)
    }

    fn parse_noting(draft: ResultDraft, context: &ParseContext, v: &mut Violations) -> Option<Self> {
        let ResultDraft { requisition_id, sample, matrix, collection, received_on, seal, findings, validity } = draft;
        let requisition_id = v.text("requisition_id", &requisition_id, RequisitionId::from_str);
        let sample = v.require("sample", sample).and_then(|draft| parse_sample(draft, v));
        let matrix = v.choice("matrix", matrix);
        let received_on = v.past_date("received_on", &received_on, context.today);
        let collected_on = parse_collection(collection, received_on, context.today, v);
        let seal = v.choice("seal", seal);
        let validity = Validity::parse(validity, matrix, v);
        // A matrix that the validity contradicts says nothing of the codes.
        let sure = matrix.filter(|matrix| validity.is_none_or(|validity| validity.fits(*matrix)));
        let state = SampleState { matrix: sure, received_on, seal, verdict: validity.map(|validity| validity.verdict()) };
        let findings = parse_findings(findings, &state, v);
        let (label, part) = sample?;
        Some(Self {
            requisition_id: requisition_id?,
            label,
            part,
            matrix: matrix?,
            collected_on,
            received_on: received_on?,
            seal: seal?,
            findings,
            validity: validity?,
        })
    }

    /// The requisition.
    #[must_use]
    pub const fn requisition_id(&self) -> RequisitionId {
        self.requisition_id
    }

    /// The sample's label.
    #[must_use]
    pub const fn label(&self) -> &SampleLabel {
        &self.label
    }

    /// Which tube.
    #[must_use]
    pub const fn part(&self) -> SamplePart {
        self.part
    }

    /// The matrix.
    #[must_use]
    pub const fn matrix(&self) -> Matrix {
        self.matrix
    }

    /// Day of collection; `None` when the form bears none.
    #[must_use]
    pub const fn collected_on(&self) -> Option<Date> {
        self.collected_on
    }

    /// Day of receipt.
    #[must_use]
    pub const fn received_on(&self) -> Date {
        self.received_on
    }

    /// The seal at arrival.
    #[must_use]
    pub const fn seal(&self) -> Seal {
        self.seal
    }

    /// The findings, 1 to 64.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The sample's validity.
    #[must_use]
    pub const fn validity(&self) -> &Validity {
        &self.validity
    }

    /// What the order is compared with.
    #[must_use]
    pub fn facts(&self) -> ResultFacts {
        let groups: BTreeSet<SubstanceGroup> = self.findings.iter().map(Finding::group).collect();
        ResultFacts {
            requisition_id: self.requisition_id,
            label: self.label.clone(),
            part: self.part,
            matrix: self.matrix,
            collected_on: self.collected_on,
            received_on: self.received_on,
            groups: groups.into_iter().collect(),
        }
    }
}

fn parse_sample(draft: SampleDraft, v: &mut Violations) -> Option<(SampleLabel, SamplePart)> {
    let SampleDraft { label, part } = draft;
    let label = v.text("sample.label", &label, SampleLabel::from_str);
    let part = v.choice("sample.part", part);
    label.zip(part)
}

fn parse_collection(draft: Option<CollectionDraft>, received_on: Option<Date>, today: Date, v: &mut Violations) -> Option<Date> {
    match v.require("collection", draft)? {
        CollectionDraft::Missing => None,
        CollectionDraft::On(text) => {
            let collected = v.past_date("collected_on", &text, today)?;
            let ordered = received_on.is_none_or(|received| collected <= received);
            v.demand(ordered, "collected_on", FieldReason::CollectedAfterReceived);
            Some(collected)
        }
    }
}

fn parse_findings(drafts: Vec<FindingDraft>, state: &SampleState, v: &mut Violations) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    if v.count("findings", drafts.len(), 1, FINDINGS_MAX) {
        for (i, draft) in drafts.into_iter().enumerate() {
            let path = format!("findings[{i}]");
            let Some(finding) = Finding::parse(draft, &path, state, v) else { continue };
            let first = findings.iter().all(|other| other.nlk_code() != finding.nlk_code());
            v.demand(first, &format!("{path}.nlk_code"), FieldReason::Duplicate);
            findings.push(finding);
        }
    }
    findings
}
