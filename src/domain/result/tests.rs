use super::*;
use crate::domain::finding::{AnalysisStage, Comparator, ConfirmationMethod, NotAnalysedReason, Outcome, OutcomeDraft, QuantityDraft};
use crate::domain::refusal::{CONTEXT, refusals};
use crate::domain::validity::ValidityVerdict;

fn text(value: &str) -> String {
    value.to_owned()
}

fn quantity(comparator: Comparator, value: &str, cut_off: Option<&str>) -> QuantityDraft {
    QuantityDraft { comparator: Choice::Value(comparator), value: text(value), unit: text("ng/mL"), cut_off: cut_off.map(text) }
}

/// THC-COOH confirmed, amphetamines negative by screening.
pub(crate) fn good() -> ResultDraft {
    ResultDraft {
        requisition_id: RequisitionId::from_bytes([9; 10]).to_string(),
        sample: Some(SampleDraft { label: text("S-0001"), part: Choice::Value(SamplePart::A) }),
        matrix: Choice::Value(Matrix::Urine),
        collection: Some(CollectionDraft::On(text("2026-11-17"))),
        received_on: text("2026-11-18"),
        seal: Choice::Value(Seal::Intact),
        findings: vec![
            FindingDraft {
                nlk_code: text("NPU53115"),
                group: Choice::Value(SubstanceGroup::Cannabis),
                accredited: true,
                quantity: Some(quantity(Comparator::Equal, "42.5", Some("10"))),
                outcome: Some(OutcomeDraft::Detected(Choice::Value(ConfirmationMethod::LcMsMs))),
            },
            FindingDraft {
                nlk_code: text("NOR25835"),
                group: Choice::Value(SubstanceGroup::Amphetamines),
                accredited: true,
                quantity: None,
                outcome: Some(OutcomeDraft::NotDetected(Choice::Value(AnalysisStage::Screening))),
            },
        ],
        validity: Some(ValidityDraft::Urine {
            creatinine_mmol_per_l: Some(text("8.1")),
            ph: Some(text("6.2")),
            verdict: Choice::Value(ValidityVerdict::Ok),
        }),
    }
}

fn screened(finding: &mut FindingDraft, quantity: QuantityDraft) {
    finding.quantity = Some(quantity);
}

refusals! { ResultDraft, LabResult::parse, good;
    no_requisition: Required at "requisition_id" by |r| r.requisition_id.clear();
    a_case_instead_of_a_requisition: BadReferenceCheck at "requisition_id" by |r| {
        r.requisition_id = crate::domain::id::CaseRef::from_bytes([9; 10]).to_string();
    };
    a_requisition_with_a_strange_letter: BadReference at "requisition_id" by |r| r.requisition_id = text("UUUUUU-UUUUUU-UUUUUU");
    no_sample: Required at "sample" by |r| r.sample = None;
    a_label_with_a_name: PatternMismatch at "sample.label" by |r| r.sample.as_mut().unwrap().label = text("Ola N");
    no_part: Required at "sample.part" by |r| r.sample.as_mut().unwrap().part = Choice::Missing;
    no_matrix: Required at "matrix" by |r| r.matrix = Choice::Missing;
    nothing_said_of_collection: Required at "collection" by |r| r.collection = None;
    collected_after_receipt: CollectedAfterReceived at "collected_on" by |r| r.collection = Some(CollectionDraft::On(text("2026-11-19")));
    collected_on_no_day: BadDate at "collected_on" by |r| r.collection = Some(CollectionDraft::On(text("17.11.2026")));
    received_tomorrow: DateInFuture at "received_on" by |r| r.received_on = text("2026-11-21");
    no_seal: Required at "seal" by |r| r.seal = Choice::Missing;
    no_finding: TooFew at "findings" by |r| r.findings.clear();
    too_many_findings: TooMany at "findings" by |r| r.findings = (0..65).map(|_| FindingDraft::default()).collect();
    one_code_twice: Duplicate at "findings[2].nlk_code" by |r| r.findings.push(good().findings.remove(0));
    a_code_out_of_shape: PatternMismatch at "findings[0].nlk_code" by |r| r.findings[0].nlk_code = text("npu53115");
    a_code_nobody_knows: CodeNotInTable at "findings[0].nlk_code" by |r| r.findings[0].nlk_code = text("NPU99999");
    a_code_before_the_table: CodeNotInTable at "findings[0].nlk_code" by |r| {
        r.received_on = text("2023-12-31");
        r.collection = Some(CollectionDraft::Missing);
        r.findings.truncate(1);
    };
    a_urine_code_for_oral_fluid: CodeMatrixMismatch at "findings[0].nlk_code" by |r| {
        r.findings.truncate(1);
        r.matrix = Choice::Value(Matrix::OralFluid);
        r.validity = Some(ValidityDraft::Other { verdict: Choice::Value(ValidityVerdict::Ok) });
    };
    a_code_under_another_group: CodeGroupMismatch at "findings[0].group" by |r| r.findings[0].group = Choice::Value(SubstanceGroup::Cocaine);
    no_group: Required at "findings[1].group" by |r| r.findings[1].group = Choice::Missing;
    an_unspecific_code_detected: DetectedByUnspecificCode at "findings[0].nlk_code" by |r| r.findings[0].nlk_code = text("NOR25839");
    detected_with_a_broken_seal: DetectedWithBrokenSeal at "findings[0].detected" by |r| r.seal = Choice::Value(Seal::Broken);
    detected_in_an_untestable_sample: DetectedInUntestable at "findings[0].detected" by |r| {
        r.validity = Some(ValidityDraft::Urine { creatinine_mmol_per_l: None, ph: None, verdict: Choice::Value(ValidityVerdict::NotTestable) });
    };
    cannabis_by_flame_ionisation: MethodForAlcoholOnly at "findings[0].detected.confirmed_by" by |r| {
        r.findings[0].outcome = Some(OutcomeDraft::Detected(Choice::Value(ConfirmationMethod::GcFidDual)));
    };
    detected_without_confirmation: Required at "findings[0].detected.confirmed_by" by |r| {
        r.findings[0].outcome = Some(OutcomeDraft::Detected(Choice::Missing));
    };
    detected_by_screening_has_no_value: UnknownValue at "findings[0].detected.confirmed_by" by |r| {
        r.findings[0].outcome = Some(OutcomeDraft::Detected(Choice::Unknown));
    };
    no_outcome: Required at "findings[1].outcome" by |r| r.findings[1].outcome = None;
    a_seal_broken_only_in_the_reason: SealNotBroken at "findings[1].not_analysed.reason" by |r| {
        r.findings[1].outcome = Some(OutcomeDraft::NotAnalysed(Choice::Value(NotAnalysedReason::SealBroken)));
    };
    not_analysed_without_a_reason: Required at "findings[1].not_analysed.reason" by |r| {
        r.findings[1].outcome = Some(OutcomeDraft::NotAnalysed(Choice::Missing));
    };
    a_screening_positive_as_an_amount: QuantityContradictsOutcome at "findings[1].quantity" by |r| {
        screened(&mut r.findings[1], quantity(Comparator::Equal, "900", Some("300")));
    };
    a_screening_positive_as_a_bound: QuantityContradictsOutcome at "findings[1].quantity" by |r| {
        screened(&mut r.findings[1], quantity(Comparator::LessThan, "900", Some("300")));
    };
    a_screening_positive_as_inconclusive: QuantityContradictsOutcome at "findings[1].quantity" by |r| {
        r.findings[1].outcome = Some(OutcomeDraft::Inconclusive);
        screened(&mut r.findings[1], quantity(Comparator::GreaterThan, "300", None));
    };
    detected_under_the_cut_off: QuantityContradictsOutcome at "findings[0].quantity" by |r| {
        r.findings[0].quantity = Some(quantity(Comparator::Equal, "9.9", Some("10")));
    };
    an_amount_with_a_comma: BadDecimal at "findings[0].quantity.value" by |r| r.findings[0].quantity.as_mut().unwrap().value = text("42,5");
    an_amount_without_comparator: Required at "findings[0].quantity.comparator" by |r| {
        r.findings[0].quantity.as_mut().unwrap().comparator = Choice::Missing;
    };
    a_unit_of_ones_own: UnitUnknown at "findings[0].quantity.unit" by |r| r.findings[0].quantity.as_mut().unwrap().unit = text("NG/ML");
    a_cut_off_in_words: BadDecimal at "findings[0].quantity.cut_off" by |r| r.findings[0].quantity.as_mut().unwrap().cut_off = Some(text("low"));
    no_validity: Required at "validity" by |r| r.validity = None;
    urine_with_the_validity_of_hair: ValidityMatrixMismatch at "validity" by |r| {
        r.validity = Some(ValidityDraft::Other { verdict: Choice::Value(ValidityVerdict::Ok) });
    };
    hair_with_the_validity_of_urine: ValidityMatrixMismatch at "validity" by |r| r.matrix = Choice::Value(Matrix::Hair);
    urine_without_creatinine: Required at "urine_validity.creatinine_mmol_per_l" by |r| {
        r.validity = Some(ValidityDraft::Urine {
            creatinine_mmol_per_l: None,
            ph: Some(text("6")),
            verdict: Choice::Value(ValidityVerdict::Diluted),
        });
    };
    a_ph_beyond_the_scale: OutOfRange at "urine_validity.ph" by |r| {
        r.validity = Some(ValidityDraft::Urine {
            creatinine_mmol_per_l: Some(text("8")),
            ph: Some(text("14.1")),
            verdict: Choice::Value(ValidityVerdict::Ok),
        });
    };
    no_verdict: Required at "urine_validity.verdict" by |r| {
        r.validity = Some(ValidityDraft::Urine {
            creatinine_mmol_per_l: Some(text("8")),
            ph: Some(text("6")),
            verdict: Choice::Missing,
        });
    };
}

#[test]
fn a_good_result_gives_the_groups_it_answers_and_no_outcome() {
    let result = LabResult::parse(good(), &CONTEXT).unwrap();
    let facts = result.facts();
    assert_eq!(facts.groups, [SubstanceGroup::Amphetamines, SubstanceGroup::Cannabis]);
    assert_eq!(facts.collected_on, Some(Date::constant(2026, 11, 17)));
    assert_eq!(result.findings()[0].outcome(), Outcome::Detected(ConfirmationMethod::LcMsMs));
    let bytes = postcard::to_stdvec(&facts).unwrap();
    assert_eq!(postcard::from_bytes::<ResultFacts>(&bytes).unwrap(), facts);
}

#[test]
fn a_missing_collection_date_is_accepted_when_it_is_said() {
    let result = LabResult::parse(ResultDraft { collection: Some(CollectionDraft::Missing), ..good() }, &CONTEXT).unwrap();
    assert_eq!(result.collected_on(), None);
}

#[test]
fn a_broken_seal_allows_not_analysed_and_nothing_detected() {
    let mut draft = ResultDraft { seal: Choice::Value(Seal::Broken), ..good() };
    for finding in &mut draft.findings {
        finding.quantity = None;
        finding.outcome = Some(OutcomeDraft::NotAnalysed(Choice::Value(NotAnalysedReason::SealBroken)));
    }
    draft.validity =
        Some(ValidityDraft::Urine { creatinine_mmol_per_l: None, ph: None, verdict: Choice::Value(ValidityVerdict::NotTestable) });
    assert!(LabResult::parse(draft, &CONTEXT).is_ok());
}

#[test]
fn a_negative_may_state_the_cut_off_it_lies_under() {
    let mut draft = good();
    screened(&mut draft.findings[1], quantity(Comparator::LessThan, "300", Some("300")));
    assert!(LabResult::parse(draft, &CONTEXT).is_ok());
}

#[test]
fn every_ordered_matrix_but_urine_has_a_verdict_only() {
    let draft = ResultDraft {
        matrix: Choice::Value(Matrix::OralFluid),
        validity: Some(ValidityDraft::Other { verdict: Choice::Value(ValidityVerdict::Ok) }),
        ..good()
    };
    // The built-in table has codes of urine only, so nothing but these is wrong.
    let violations = LabResult::parse(draft, &CONTEXT).unwrap_err();
    assert!(violations.as_slice().iter().all(|violation| violation.reason == FieldReason::CodeMatrixMismatch), "{violations}");
}
