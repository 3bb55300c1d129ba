//! `LabResult` taken apart.

use super::choice;
use super::notice::{matrix, substance_group};
use crate::domain::finding::{AnalysisStage, Comparator, ConfirmationMethod, FindingDraft, NotAnalysedReason, OutcomeDraft, QuantityDraft};
use crate::domain::result::{CollectionDraft, ResultDraft, SampleDraft};
use crate::domain::sample::{SamplePart, Seal};
use crate::domain::validity::{ValidityDraft, ValidityVerdict};
use crate::domain::violation::Choice;
use crate::grpc::pb;

pub(super) fn draft(message: pb::LabResult) -> ResultDraft {
    let pb::LabResult { requisition_id, sample, matrix: matrix_number, collection, received_on, seal, findings, validity } = message;
    ResultDraft {
        requisition_id,
        sample: sample.map(sample_draft),
        matrix: matrix(matrix_number),
        collection: collection.map(|collection| match collection {
            pb::lab_result::Collection::CollectedOn(date) => CollectionDraft::On(date),
            pb::lab_result::Collection::CollectionDateMissing(pb::CollectionDateMissing {}) => CollectionDraft::Missing,
        }),
        received_on,
        seal: choice!(seal, pb::Seal, Seal, { Intact => Intact, Broken => Broken, NotApplicable => NotApplicable }),
        findings: findings.into_iter().map(finding_draft).collect(),
        validity: validity.map(validity_draft),
    }
}

fn sample_draft(message: pb::Sample) -> SampleDraft {
    let pb::Sample { label, part } = message;
    SampleDraft { label, part: choice!(part, pb::SamplePart, SamplePart, { A => A, B => B }) }
}

fn finding_draft(message: pb::Finding) -> FindingDraft {
    let pb::Finding { nlk_code, group, accredited, quantity, outcome } = message;
    FindingDraft {
        nlk_code,
        group: substance_group(group),
        accredited,
        quantity: quantity.map(quantity_draft),
        outcome: outcome.map(outcome_draft),
    }
}

fn outcome_draft(outcome: pb::finding::Outcome) -> OutcomeDraft {
    match outcome {
        pb::finding::Outcome::NotDetected(pb::NotDetected { by }) => {
            OutcomeDraft::NotDetected(choice!(by, pb::AnalysisStage, AnalysisStage, {
                Screening => Screening,
                Confirmation => Confirmation,
            }))
        }
        pb::finding::Outcome::Detected(pb::Detected { confirmed_by }) => {
            OutcomeDraft::Detected(choice!(confirmed_by, pb::ConfirmationMethod, ConfirmationMethod, {
                LcMsMs => LcMsMs,
                GcMs => GcMs,
                Hrms => Hrms,
                GcFidDual => GcFidDual,
            }))
        }
        pb::finding::Outcome::NotAnalysed(pb::NotAnalysed { reason }) => {
            OutcomeDraft::NotAnalysed(choice!(reason, pb::NotAnalysedReason, NotAnalysedReason, {
                InsufficientVolume => InsufficientVolume,
                SealBroken => SealBroken,
                NotTestable => NotTestable,
                NotOffered => NotOffered,
            }))
        }
        pb::finding::Outcome::Inconclusive(pb::Inconclusive {}) => OutcomeDraft::Inconclusive,
    }
}

fn quantity_draft(message: pb::Quantity) -> QuantityDraft {
    let pb::Quantity { comparator, value, unit, cut_off } = message;
    let comparator = choice!(comparator, pb::Comparator, Comparator, {
        Equal => Equal,
        LessThan => LessThan,
        GreaterThan => GreaterThan,
    });
    QuantityDraft { comparator, value, unit, cut_off }
}

fn validity_draft(validity: pb::lab_result::Validity) -> ValidityDraft {
    match validity {
        pb::lab_result::Validity::UrineValidity(pb::UrineValidity { creatinine_mmol_per_l, ph, verdict: number }) => {
            ValidityDraft::Urine { creatinine_mmol_per_l, ph, verdict: verdict(number) }
        }
        pb::lab_result::Validity::OtherValidity(pb::OtherValidity { verdict: number }) => ValidityDraft::Other { verdict: verdict(number) },
    }
}

fn verdict(number: i32) -> Choice<ValidityVerdict> {
    choice!(number, pb::ValidityVerdict, ValidityVerdict, {
        Ok => Ok,
        Diluted => Diluted,
        ManipulationSuspected => ManipulationSuspected,
        NotTestable => NotTestable,
    })
}
