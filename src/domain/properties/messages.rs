//! Properties of the three messages: drafts in which several fields at once are something else. What is accepted holds every rule that is written here
//! a second time; what is refused names fields and repeats nothing of what was sent.

use proptest::prelude::*;
use proptest::sample::select;

use crate::domain::control::{Announcement, FrequencyDraft, FrequencyPeriod};
use crate::domain::decimal::Decimal;
use crate::domain::finding::{
    AnalysisStage, Comparator, ConfirmationMethod, FindingDraft, NotAnalysedReason, Outcome, OutcomeDraft, QuantityDraft,
};
use crate::domain::limits::VIOLATIONS_MAX;
use crate::domain::notice::{self, AgeAtAct, ConditionNotice, GuardianDraft, ImposingAuthority, Majority, NoticeDraft, Reaction};
use crate::domain::refusal::CONTEXT;
use crate::domain::report::{self, MissedAppointment, NonAttendanceReport, ReportDraft};
use crate::domain::result::{self, CollectionDraft, LabResult, ResultDraft};
use crate::domain::sample::{Matrix, SamplePart, Seal};
use crate::domain::substance::SubstanceGroup;
use crate::domain::time::{Date, plus_months};
use crate::domain::validity::{ValidityDraft, ValidityVerdict};
use crate::domain::violation::{Choice, FieldReason, Violations};

/// A text that no refusal may repeat.
const MARK: &str = "Kvitebjørn";

/// A change of a draft, and the value put.
struct Change<D> {
    value: String,
    put: Box<dyn Fn(&mut D)>,
}

impl<D> std::fmt::Debug for Change<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.value)
    }
}

/// A good draft after up to four changes. Drafts have no `Debug`, as they hold what is personal: a failure shows the values put.
struct Changed<D> {
    good: fn() -> D,
    changes: Vec<Change<D>>,
}

impl<D> std::fmt::Debug for Changed<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.changes.fmt(f)
    }
}

impl<D> Changed<D> {
    fn draft(&self) -> D {
        let mut draft = (self.good)();
        self.changes.iter().for_each(|change| (change.put)(&mut draft));
        draft
    }
}

fn changed<D: 'static>(good: fn() -> D, kinds: Vec<BoxedStrategy<Change<D>>>) -> impl Strategy<Value = Changed<D>> {
    prop::collection::vec(proptest::strategy::Union::new(kinds), 0..=4).prop_map(move |changes| Changed { good, changes })
}

fn choice<T: Clone + std::fmt::Debug + 'static>(values: impl Into<Vec<T>>) -> impl Strategy<Value = Choice<T>> {
    prop_oneof![8 => select(values.into()).prop_map(Choice::Value), 1 => Just(Choice::Missing), 1 => Just(Choice::Unknown)]
}

const TELLING: [&str; 11] = [
    "2026-11-02",
    "2026-11-20",
    "2026-11-21",
    "2028-11-01",
    "2028-11-02",
    "2031-11-02",
    "2024-08-31",
    "2024-09-01",
    "",
    "2026-02-30",
    MARK,
];

fn day_text() -> impl Strategy<Value = String> {
    let around = (-900_i32..900).prop_map(|days| CONTEXT.today.saturating_add(jiff::Span::new().days(days)).to_string());
    prop_oneof![2 => around, 3 => select(&TELLING[..]).prop_map(str::to_owned)]
}

fn change<D: 'static, T: Clone + std::fmt::Debug + 'static>(
    values: impl Strategy<Value = T> + 'static,
    put: fn(&mut D, T),
) -> BoxedStrategy<Change<D>> {
    let change = move |value: T| Change { value: format!("{value:?}"), put: Box::new(move |draft: &mut D| put(draft, value.clone())) };
    values.prop_map(change).boxed()
}

fn notices() -> impl Strategy<Value = Changed<NoticeDraft>> {
    let guardian = prop_oneof![Just(None), Just(Some(None)), day_text().prop_map(|day| Some(Some(day)))];
    let groups = prop::collection::vec(choice(SubstanceGroup::ALL), 0..5);
    let kinds = vec![
        change(choice([ImposingAuthority::Prosecution, ImposingAuthority::Court]), |d: &mut NoticeDraft, v| d.imposing_authority = v),
        change(choice([Reaction::Waiver, Reaction::ConditionalSentence, Reaction::ConditionalFine]), |d, v| d.reaction = v),
        change(day_text(), |d, v| d.decision_date = v),
        change(day_text(), |d, v| d.probation_start = v),
        change(day_text(), |d, v| d.probation_end = v),
        change(choice([AgeAtAct::From15To17, AgeAtAct::From18]), |d, v| d.age_at_act = v),
        change(any::<Option<bool>>(), |d, v| d.minor_at_decision = v),
        change(guardian, |d, v| {
            d.guardian = v.map(|day| day.map_or(GuardianDraft::NoGuardian, GuardianDraft::NotifiedOn));
        }),
        change(Just(()), |d, ()| d.attendance = None),
        change(Just(()), |d, ()| d.control = None),
        change(0_u32..3, |d, v| d.attendance.iter_mut().for_each(|part| part.required_count = v)),
        change(day_text(), |d, v| d.attendance.iter_mut().for_each(|part| part.latest_date = Some(v.clone()))),
        change(choice(Matrix::ALL), |d, v| d.control.iter_mut().for_each(|part| part.matrices.push(v))),
        change(groups, |d, v| d.control.iter_mut().for_each(|part| part.groups = v.clone())),
        change(select(vec![0, 1, 1000, 1001, u32::MAX]), |d, v| d.control.iter_mut().for_each(|part| part.sample_count = v)),
        change(day_text(), |d, v| d.control.iter_mut().for_each(|part| part.from_date.clone_from(&v))),
        change(day_text(), |d, v| d.control.iter_mut().for_each(|part| part.to_date.clone_from(&v))),
        change(day_text(), |d, v| d.control.iter_mut().for_each(|part| part.subject_informed_on.clone_from(&v))),
        change((select(vec![0, 1, 31, 32]), choice([FrequencyPeriod::Week, FrequencyPeriod::Period])), |d, (times, per)| {
            let announcement = Choice::Value(Announcement::Scheduled);
            d.control.iter_mut().for_each(|part| part.frequency = Some(FrequencyDraft { times, per, announcement }));
        }),
        change(prop::collection::vec("(lab-[a-c]|Lab)", 0..7), |d, v| {
            d.control.iter_mut().for_each(|part| part.laboratories.clone_from(&v))
        }),
        change(select(vec!["0301", "5001", "0219", "9999", MARK]), |d, v| d.municipality_of_stay = v.to_owned()),
        change(select(vec!["Å", "Testesen", "T3st", "", MARK]), |d, v| {
            d.subject.iter_mut().for_each(|subject| subject.family_name = v.to_owned());
        }),
        change(any::<bool>(), |d, v| {
            d.subject.iter_mut().flat_map(|subject| &mut subject.reach).for_each(|reach| reach.address_protected = v);
        }),
        change(select(vec!["", "0", MARK, "jourhavende"]), |d, v| d.contact = v.to_owned()),
    ];
    changed(notice::tests::good, kinds)
}

fn reports() -> impl Strategy<Value = Changed<ReportDraft>> {
    let days = || prop::collection::vec(day_text(), 0..7);
    let near = || {
        let day = (0_i32..30).prop_map(|days| CONTEXT.today.saturating_sub(jiff::Span::new().days(days)));
        prop::collection::btree_set(day, 1..=6).prop_map(|days| days.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let kinds = vec![
        change(choice([MissedAppointment::Conversation, MissedAppointment::DrugControl]), |d: &mut ReportDraft, v| d.missed = v),
        change(days(), |d, v| d.summons_dates = v),
        change(days(), |d, v| d.missed_dates = v),
        change(near(), |d, v| d.summons_dates = v),
        change(near(), |d, v| d.missed_dates = v),
        change(select(vec!["", MARK, "AAAAAA-AAAAAA-AAAAAA"]), |d, v| d.case_ref = v.to_owned()),
    ];
    changed(report::tests::good, kinds)
}

fn outcome() -> impl Strategy<Value = u8> {
    0_u8..12
}

fn outcome_of(kind: u8) -> Option<OutcomeDraft> {
    Some(match kind {
        0 => return None,
        1 => OutcomeDraft::NotDetected(Choice::Value(AnalysisStage::Screening)),
        2 => OutcomeDraft::NotDetected(Choice::Value(AnalysisStage::Confirmation)),
        3 => OutcomeDraft::NotDetected(Choice::Missing),
        4 => OutcomeDraft::Detected(Choice::Value(ConfirmationMethod::LcMsMs)),
        5 => OutcomeDraft::Detected(Choice::Value(ConfirmationMethod::GcFidDual)),
        6 => OutcomeDraft::Detected(Choice::Unknown),
        7 => OutcomeDraft::Detected(Choice::Missing),
        8 => OutcomeDraft::NotAnalysed(Choice::Value(NotAnalysedReason::SealBroken)),
        9 => OutcomeDraft::NotAnalysed(Choice::Value(NotAnalysedReason::NotTestable)),
        10 => OutcomeDraft::NotAnalysed(Choice::Unknown),
        _ => OutcomeDraft::Inconclusive,
    })
}

fn results() -> impl Strategy<Value = Changed<ResultDraft>> {
    let amount = (
        choice([Comparator::Equal, Comparator::LessThan, Comparator::GreaterThan]),
        select(vec!["9", "10", "10.000001", "x"]),
        any::<bool>(),
    );
    let verdict =
        choice([ValidityVerdict::Ok, ValidityVerdict::Diluted, ValidityVerdict::ManipulationSuspected, ValidityVerdict::NotTestable]);
    let kinds = vec![
        change((0_usize..2, outcome()), |d: &mut ResultDraft, (at, kind)| {
            d.findings.iter_mut().skip(at).take(1).for_each(|finding| finding.outcome = outcome_of(kind));
        }),
        change((0_usize..2, amount), |d, (at, (comparator, value, limited))| {
            let cut_off = limited.then(|| "10".to_owned());
            let quantity = || QuantityDraft { comparator, value: value.to_owned(), unit: "ng/mL".to_owned(), cut_off: cut_off.clone() };
            d.findings.iter_mut().skip(at).take(1).for_each(|finding| finding.quantity = Some(quantity()));
        }),
        change((0_usize..2, select(vec!["NPU53115", "NOR25835", "NPU04549", "NPU99999", MARK])), |d, (at, code)| {
            d.findings.iter_mut().skip(at).take(1).for_each(|finding| finding.nlk_code = code.to_owned());
        }),
        change((0_usize..2, choice(SubstanceGroup::ALL)), |d, (at, group)| {
            d.findings.iter_mut().skip(at).take(1).for_each(|finding| finding.group = group);
        }),
        change(0_usize..3, |d, keep| d.findings.truncate(keep)),
        change(0_usize..70, |d, more| d.findings.extend((0..more).map(|_| FindingDraft::default()))),
        change(choice([Seal::Intact, Seal::Broken, Seal::NotApplicable]), |d, v| d.seal = v),
        change(choice(Matrix::ALL), |d, v| d.matrix = v),
        change((verdict, any::<bool>(), select(vec!["7", "14", "14.1", MARK])), |d, (verdict, urine, ph)| {
            let creatinine_mmol_per_l = Some("8".to_owned());
            d.validity = Some(if urine {
                ValidityDraft::Urine { creatinine_mmol_per_l, ph: Some(ph.to_owned()), verdict }
            } else {
                ValidityDraft::Other { verdict }
            });
        }),
        change(day_text(), |d, v| d.received_on = v),
        change(day_text(), |d, v| d.collection = Some(CollectionDraft::On(v))),
        change(Just(()), |d, ()| d.collection = Some(CollectionDraft::Missing)),
        change((select(vec!["S-1", "s-1", MARK, ""]), choice([SamplePart::A, SamplePart::B])), |d, (label, part)| {
            d.sample = Some(result::SampleDraft { label: label.to_owned(), part });
        }),
    ];
    changed(result::tests::good, kinds)
}

/// A refusal says where and why, within its bound, and repeats nothing.
fn refusal(violations: &Violations) -> Result<(), TestCaseError> {
    let list = violations.as_slice();
    prop_assert!((1..=VIOLATIONS_MAX).contains(&list.len()));
    for violation in list {
        prop_assert!(!violation.path.is_empty() && violation.path.chars().all(|c| c.is_ascii_lowercase() || "0123456789._[]".contains(c)));
        prop_assert!(FieldReason::ALL.contains(&violation.reason));
    }
    let shown = format!("{violations} {violations:?}");
    prop_assert!(!shown.contains(MARK), "{}", shown);
    Ok(())
}

fn accepted_notice(notice: &ConditionNotice) -> Result<(), TestCaseError> {
    let facts = notice.facts();
    let (decision, start, end) = (notice.decision_date(), notice.probation_start(), notice.probation_end());
    let inside = |day: Date| start <= day && day <= end;
    prop_assert!(facts.attendance || facts.control.is_some(), "at least one condition (rules 11, 25)");
    prop_assert!(decision <= CONTEXT.today && decision <= start && start < end);
    let waiver = notice.reaction() == Reaction::Waiver;
    let longest = if waiver { 24 } else { 60 };
    prop_assert!(end <= plus_months(start, longest));
    prop_assert!(!(waiver && notice.imposing_authority() == ImposingAuthority::Court), "a waiver is the prosecution's");
    let sentence = notice.reaction() == Reaction::ConditionalSentence;
    prop_assert!(!(sentence && notice.imposing_authority() == ImposingAuthority::Prosecution), "a sentence is the court's");
    if notice.majority() != Majority::Adult {
        prop_assert_eq!(notice.age_at_act(), AgeAtAct::From15To17, "a minor at the decision was one at the act");
    }
    if let Majority::MinorGuardianNotified(day) = notice.majority() {
        prop_assert!(decision <= day && day <= CONTEXT.today);
    }
    prop_assert!(!(waiver && notice.majority() == Majority::MinorUnderJudgment), "a waiver is no judgment");
    prop_assert!(facts.attendance_latest.is_none_or(inside));
    if let Some(control) = notice.control() {
        let order = control.facts();
        prop_assert!(inside(order.from) && inside(order.to) && order.from <= order.to);
        prop_assert!((1..=1000).contains(&order.sample_count) && (1..=31).contains(&control.frequency().times()));
        prop_assert!(!order.matrices.is_empty() && order.matrices.is_sorted_by(|one, two| one < two), "each once");
        prop_assert!(!order.groups.is_empty() && order.groups.is_sorted_by(|one, two| one < two), "each once");
        prop_assert!(order.laboratories.len() <= 5);
        prop_assert!(control.subject_informed_on() <= CONTEXT.today);
    }
    prop_assert!(!format!("{notice:?}").contains(MARK), "Debug shows no name");
    Ok(())
}

fn accepted_result(result: &LabResult) -> Result<(), TestCaseError> {
    prop_assert!(result.received_on() <= CONTEXT.today && result.collected_on().is_none_or(|day| day <= result.received_on()));
    prop_assert!((1..=64).contains(&result.findings().len()));
    for (at, finding) in result.findings().iter().enumerate() {
        prop_assert!(result.findings()[..at].iter().all(|other| other.nlk_code() != finding.nlk_code()));
        if let Outcome::Detected(method) = finding.outcome() {
            prop_assert!(result.seal() != Seal::Broken, "no sanction from a broken seal");
            prop_assert!(result.validity().verdict() != ValidityVerdict::NotTestable);
            prop_assert!(method != ConfirmationMethod::GcFidDual || finding.group() == SubstanceGroup::Alcohol);
            // "U-Amfetaminer (uspesifikk)".
            prop_assert!(finding.nlk_code().to_string() != "NOR25835", "nothing is DETECTED by an unspecific code (rule 48)");
        }
        if let Some(quantity) = finding.quantity() {
            let limit = quantity.cut_off();
            match finding.outcome() {
                Outcome::Detected(_) => {
                    prop_assert!(quantity.comparator() != Comparator::LessThan && limit.is_none_or(|limit| quantity.value() >= limit));
                }
                Outcome::NotDetected(_) => {
                    prop_assert!(quantity.comparator() == Comparator::LessThan && limit.is_none_or(|limit| quantity.value() <= limit));
                }
                Outcome::NotAnalysed(_) | Outcome::Inconclusive => prop_assert!(false, "an amount beside no conclusion"),
            }
        }
        if finding.outcome() == Outcome::NotAnalysed(NotAnalysedReason::SealBroken) {
            prop_assert_eq!(result.seal(), Seal::Broken);
        }
    }
    if let crate::domain::validity::Validity::Urine { ph, creatinine_mmol_per_l, verdict } = result.validity() {
        prop_assert_eq!(result.matrix(), Matrix::Urine);
        prop_assert!(ph.is_none_or(|ph| ph <= Decimal::whole(14)));
        prop_assert!(*verdict == ValidityVerdict::NotTestable || (ph.is_some() && creatinine_mmol_per_l.is_some()));
    } else {
        prop_assert!(result.matrix() != Matrix::Urine);
    }
    Ok(())
}

/// Both verdicts must be common, or the property says little.
fn both(draws: impl Iterator<Item = bool>) {
    let verdicts: Vec<bool> = draws.collect();
    let accepted = verdicts.iter().filter(|accepted| **accepted).count();
    assert!(accepted * 20 > verdicts.len() && accepted * 20 < verdicts.len() * 19, "{accepted} of {} drafts are accepted", verdicts.len());
}

fn draws<S: Strategy>(strategy: S) -> impl Iterator<Item = S::Value> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..400).map(move |_| {
        use proptest::strategy::ValueTree as _;
        strategy.new_tree(&mut runner).unwrap().current()
    })
}

#[test]
fn drafts_of_each_kind_are_accepted_and_refused() {
    both(draws(notices()).map(|changed| ConditionNotice::parse(changed.draft(), &CONTEXT).is_ok()));
    both(draws(reports()).map(|changed| NonAttendanceReport::parse(changed.draft(), &CONTEXT).is_ok()));
    both(draws(results()).map(|changed| LabResult::parse(changed.draft(), &CONTEXT).is_ok()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn an_accepted_notice_holds_the_rules(changed in notices()) {
        match ConditionNotice::parse(changed.draft(), &CONTEXT) {
            Ok(notice) => accepted_notice(&notice)?,
            Err(violations) => refusal(&violations)?,
        }
    }

    #[test]
    fn an_accepted_report_holds_the_rules(changed in reports()) {
        match NonAttendanceReport::parse(changed.draft(), &CONTEXT) {
            Ok(report) => {
                for dates in [report.summons_dates(), report.missed_dates()] {
                    prop_assert!((1..=5).contains(&dates.len()) && dates.is_sorted_by(|one, two| one < two));
                    prop_assert!(dates.iter().all(|day| *day <= CONTEXT.today));
                }
                prop_assert!(report.missed_dates().iter().all(|missed| report.summons_dates().iter().any(|summons| summons < missed)));
            }
            Err(violations) => refusal(&violations)?,
        }
    }

    #[test]
    fn an_accepted_result_holds_the_rules(changed in results()) {
        match LabResult::parse(changed.draft(), &CONTEXT) {
            Ok(result) => accepted_result(&result)?,
            Err(violations) => refusal(&violations)?,
        }
    }
}
