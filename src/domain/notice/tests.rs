use super::*;
use crate::domain::control::{Announcement, FrequencyDraft, FrequencyPeriod, Procedure};
use crate::domain::identity::IdentityMode;
use crate::domain::limits::VIOLATIONS_MAX;
use crate::domain::reach::{PostalAddressDraft, Reach, ReachDraft};
use crate::domain::refusal::{CONTEXT, refusals};
use crate::domain::sample::Matrix;
use crate::domain::substance::SubstanceGroup;

fn text(value: &str) -> String {
    value.to_owned()
}

fn address() -> PostalAddressDraft {
    PostalAddressDraft { lines: vec![text("Storgata 1 B")], postcode: text("0155"), place: text("Oslo") }
}

/// Both conditions, an adult, a waiver; a synthetic person.
pub(crate) fn good() -> NoticeDraft {
    NoticeDraft {
        subject: Some(SubjectDraft {
            id: Some(SubjectIdDraft::Fnr(text("12848930057"))),
            family_name: text("Testesen"),
            given_name: text("Åse"),
            reach: Some(ReachDraft { postal_address: Some(address()), phone: Some(text("+4799999999")), address_protected: false }),
        }),
        municipality_of_stay: text("0301"),
        imposing_authority: Choice::Value(ImposingAuthority::Prosecution),
        reaction: Choice::Value(Reaction::Waiver),
        decision_date: text("2026-11-02"),
        probation_start: text("2026-11-02"),
        probation_end: text("2028-11-01"),
        age_at_act: Choice::Value(AgeAtAct::From18),
        minor_at_decision: Some(false),
        guardian: None,
        attendance: Some(AttendanceDraft {
            legal_basis: Choice::Value(LegalBasis::Strl37AttendUnit),
            required_count: 1,
            latest_date: Some(text("2026-12-15")),
        }),
        control: Some(ControlDraft {
            legal_basis: Choice::Value(LegalBasis::Strl37AbstainAndTest),
            procedure: Choice::Value(Procedure::Sanction),
            matrices: vec![Choice::Value(Matrix::Urine)],
            groups: vec![Choice::Value(SubstanceGroup::Cannabis), Choice::Value(SubstanceGroup::Amphetamines)],
            sample_count: 12,
            frequency: Some(FrequencyDraft {
                times: 2,
                per: Choice::Value(FrequencyPeriod::Month),
                announcement: Choice::Value(Announcement::Unannounced),
            }),
            from_date: text("2026-11-16"),
            to_date: text("2027-05-15"),
            laboratories: vec![text("lab-ous")],
            subject_informed_on: text("2026-11-04"),
            invoice_reference: text("SAK-2026-1"),
        }),
        contact: text("jourhavende"),
    }
}

fn minor_with_waiver() -> NoticeDraft {
    NoticeDraft {
        age_at_act: Choice::Value(AgeAtAct::From15To17),
        minor_at_decision: Some(true),
        guardian: Some(GuardianDraft::NotifiedOn(text("2026-11-03"))),
        ..good()
    }
}

fn subject(n: &mut NoticeDraft) -> &mut SubjectDraft {
    n.subject.as_mut().unwrap()
}

fn reach(n: &mut NoticeDraft) -> &mut ReachDraft {
    subject(n).reach.as_mut().unwrap()
}

fn postal(n: &mut NoticeDraft) -> &mut PostalAddressDraft {
    reach(n).postal_address.as_mut().unwrap()
}

fn attendance(n: &mut NoticeDraft) -> &mut AttendanceDraft {
    n.attendance.as_mut().unwrap()
}

fn control(n: &mut NoticeDraft) -> &mut ControlDraft {
    n.control.as_mut().unwrap()
}

fn frequency(n: &mut NoticeDraft) -> &mut FrequencyDraft {
    control(n).frequency.as_mut().unwrap()
}

refusals! { NoticeDraft, ConditionNotice::parse, good;
    a_notice_without_a_subject: Required at "subject" by |n| n.subject = None;
    a_subject_without_a_number: SubjectWithoutNumber at "subject.id" by |n| subject(n).id = None;
    a_number_with_a_space: IdentityNotElevenDigits at "subject.fnr" by |n| subject(n).id = Some(SubjectIdDraft::Fnr(text("128489 30057")));
    an_empty_number: IdentityNotElevenDigits at "subject.d_number" by |n| subject(n).id = Some(SubjectIdDraft::DNumber(String::new()));
    a_d_number_as_fnr: IdentityWrongKind at "subject.fnr" by |n| subject(n).id = Some(SubjectIdDraft::Fnr(text("41827733057")));
    a_fnr_as_d_number: IdentityWrongKind at "subject.d_number" by |n| subject(n).id = Some(SubjectIdDraft::DNumber(text("12848930057")));
    a_number_without_a_date: IdentityNoDate at "subject.fnr" by |n| subject(n).id = Some(SubjectIdDraft::Fnr(text("31848930057")));
    a_wrong_check_digit: IdentityCheckDigit at "subject.fnr" by |n| subject(n).id = Some(SubjectIdDraft::Fnr(text("12848930058")));
    a_real_number_at_a_test_gateway: IdentityReal at "subject.fnr" by |n| subject(n).id = Some(SubjectIdDraft::Fnr(text("02013299997")));
    a_subject_without_a_family_name: Required at "subject.family_name" by |n| subject(n).family_name.clear();
    a_name_with_a_digit: CharacterNotAllowed at "subject.given_name" by |n| subject(n).given_name = text("Ås3");
    a_decomposed_name: NameNotNfc at "subject.given_name" by |n| subject(n).given_name = text("A\u{30a}se");
    an_endless_name: TooLong at "subject.family_name" by |n| subject(n).family_name = "a".repeat(101);
    an_empty_reach: ReachEmpty at "subject.reach" by |n| *reach(n) = ReachDraft::default();
    a_protected_address_beside_an_address: ReachOfProtected at "subject.reach" by |n| reach(n).address_protected = true;
    a_local_phone: PatternMismatch at "subject.reach.phone" by |n| reach(n).phone = Some(text("99999999"));
    an_empty_phone: Required at "subject.reach.phone" by |n| reach(n).phone = Some(String::new());
    an_address_without_lines: TooFew at "subject.reach.postal_address.lines" by |n| postal(n).lines.clear();
    an_address_of_four_lines: TooMany at "subject.reach.postal_address.lines" by |n| postal(n).lines = vec![text("a"); 4];
    an_address_line_with_free_text: CharacterNotAllowed at "subject.reach.postal_address.lines[0]" by |n| postal(n).lines[0] = text("se: vedlegg!");
    a_short_postcode: PatternMismatch at "subject.reach.postal_address.postcode" by |n| postal(n).postcode = text("155");
    a_place_with_a_number: CharacterNotAllowed at "subject.reach.postal_address.place" by |n| postal(n).place = text("Oslo 1");
    a_municipality_of_three_digits: PatternMismatch at "municipality_of_stay" by |n| n.municipality_of_stay = text("301");
    a_municipality_that_is_no_more: MunicipalityUnknown at "municipality_of_stay" by |n| n.municipality_of_stay = text("0219");
    no_imposing_authority: Required at "imposing_authority" by |n| n.imposing_authority = Choice::Missing;
    an_unknown_reaction: UnknownValue at "reaction" by |n| n.reaction = Choice::Unknown;
    a_waiver_by_a_court: AuthorityReactionMismatch at "imposing_authority" by |n| n.imposing_authority = Choice::Value(ImposingAuthority::Court);
    a_sentence_by_the_prosecution: AuthorityReactionMismatch at "imposing_authority" by |n| n.reaction = Choice::Value(Reaction::ConditionalSentence);
    a_decision_on_no_day: BadDate at "decision_date" by |n| n.decision_date = text("2026-02-30");
    a_decision_of_tomorrow: DateInFuture at "decision_date" by |n| {
        n.decision_date = text("2026-11-21");
        n.probation_start = text("2026-11-21");
        n.attendance = None;
        control(n).from_date = text("2026-11-21");
    };
    a_probation_before_the_decision: DateBeforeDecision at "probation_start" by |n| {
        n.probation_start = text("2026-11-01");
    };
    a_probation_that_ends_as_it_starts: ProbationOrder at "probation_end" by |n| {
        n.probation_end = text("2026-11-02");
        n.control = None;
        attendance(n).latest_date = None;
    };
    a_waiver_of_more_than_two_years: ProbationTooLong at "probation_end" by |n| n.probation_end = text("2028-11-03");
    a_fine_of_more_than_five_years: ProbationTooLong at "probation_end" by |n| {
        n.reaction = Choice::Value(Reaction::ConditionalFine);
        n.probation_end = text("2031-11-03");
    };
    no_age_at_the_act: Required at "age_at_act" by |n| n.age_at_act = Choice::Missing;
    an_age_under_fifteen_has_no_value: UnknownValue at "age_at_act" by |n| n.age_at_act = Choice::Unknown;
    majority_left_out: Required at "minor_at_decision" by |n| n.minor_at_decision = None;
    an_adult_at_the_act_who_is_a_minor_later: AgeContradiction at "minor_at_decision" by |n| {
        *n = minor_with_waiver();
        n.age_at_act = Choice::Value(AgeAtAct::From18);
    };
    a_minors_waiver_without_a_guardians_notice: GuardianRequired at "guardian" by |n| {
        *n = minor_with_waiver();
        n.guardian = None;
    };
    a_guardian_of_an_adult: GuardianForAdult at "guardian" by |n| n.guardian = Some(GuardianDraft::NoGuardian);
    a_guardian_notified_before_the_decision: DateBeforeDecision at "guardian_notified_on" by |n| {
        *n = minor_with_waiver();
        n.guardian = Some(GuardianDraft::NotifiedOn(text("2026-11-01")));
    };
    a_guardian_who_will_be_notified: DateInFuture at "guardian_notified_on" by |n| {
        *n = minor_with_waiver();
        n.guardian = Some(GuardianDraft::NotifiedOn(text("2026-11-21")));
    };
    a_notice_without_a_condition: NoCondition at "attendance" by |n| (n.attendance, n.control) = (None, None);
    an_attendance_without_a_basis: Required at "attendance.legal_basis" by |n| attendance(n).legal_basis = Choice::Missing;
    consent_is_no_basis_of_the_schema: UnknownValue at "attendance.legal_basis" by |n| attendance(n).legal_basis = Choice::Unknown;
    an_attendance_on_the_basis_of_control: LegalBasisWrongPart at "attendance.legal_basis" by |n| {
        attendance(n).legal_basis = Choice::Value(LegalBasis::Strl37AbstainAndTest);
    };
    a_control_on_the_basis_of_attendance: LegalBasisWrongPart at "control.legal_basis" by |n| {
        control(n).legal_basis = Choice::Value(LegalBasis::Strl37AttendUnit);
    };
    a_control_after_a_referral: LegalBasisWrongPart at "control.legal_basis" by |n| {
        control(n).legal_basis = Choice::Value(LegalBasis::Politiloven9aReferral);
    };
    an_attendance_after_a_referral: LegalBasisNotInForce at "attendance.legal_basis" by |n| {
        attendance(n).legal_basis = Choice::Value(LegalBasis::Politiloven9aReferral);
    };
    an_attendance_decided_before_the_law: LegalBasisNotInForce at "attendance.legal_basis" by |n| {
        n.decision_date = text("2022-06-30");
    };
    attendance_twice: RequiredCountNotOne at "attendance.required_count" by |n| attendance(n).required_count = 2;
    attendance_not_at_all: RequiredCountNotOne at "attendance.required_count" by |n| attendance(n).required_count = 0;
    an_attendance_after_the_probation: OutsideProbation at "attendance.latest_date" by |n| attendance(n).latest_date = Some(text("2028-11-02"));
    an_attendance_by_an_empty_date: Required at "attendance.latest_date" by |n| attendance(n).latest_date = Some(String::new());
    no_procedure: Required at "control.procedure" by |n| control(n).procedure = Choice::Missing;
    no_matrix: TooFew at "control.matrices" by |n| control(n).matrices.clear();
    one_matrix_twice: Duplicate at "control.matrices[1]" by |n| control(n).matrices = vec![Choice::Value(Matrix::Urine); 2];
    an_unspecified_matrix: Required at "control.matrices[0]" by |n| control(n).matrices = vec![Choice::Missing];
    no_group: TooFew at "control.groups" by |n| control(n).groups.clear();
    one_group_twice: Duplicate at "control.groups[2]" by |n| control(n).groups.push(Choice::Value(SubstanceGroup::Cannabis));
    an_unknown_group: UnknownValue at "control.groups[2]" by |n| control(n).groups.push(Choice::Unknown);
    a_group_that_no_code_answers: GroupWithoutCode at "control.groups[2]" by |n| control(n).groups.push(Choice::Value(SubstanceGroup::Alcohol));
    a_matrix_that_no_code_answers: GroupWithoutCode at "control.groups[0]" by |n| {
        control(n).groups.truncate(1);
        control(n).matrices = vec![Choice::Value(Matrix::OralFluid)];
    };
    no_sample: OutOfRange at "control.sample_count" by |n| control(n).sample_count = 0;
    too_many_samples: OutOfRange at "control.sample_count" by |n| control(n).sample_count = 1001;
    no_frequency: Required at "control.frequency" by |n| control(n).frequency = None;
    more_often_than_daily: OutOfRange at "control.frequency.times" by |n| frequency(n).times = 32;
    no_period_of_frequency: Required at "control.frequency.per" by |n| frequency(n).per = Choice::Missing;
    no_announcement: Required at "control.frequency.announcement" by |n| frequency(n).announcement = Choice::Missing;
    no_first_day: Required at "control.from_date" by |n| control(n).from_date.clear();
    a_control_before_the_probation: OutsideProbation at "control.from_date" by |n| control(n).from_date = text("2026-11-01");
    a_control_after_the_probation: OutsideProbation at "control.to_date" by |n| control(n).to_date = text("2028-11-02");
    a_control_that_ends_before_it_starts: PeriodOrder at "control.to_date" by |n| control(n).to_date = text("2026-11-15");
    too_many_laboratories: TooMany at "control.laboratories" by |n| control(n).laboratories = (0..6).map(|i| format!("lab-{i}")).collect();
    one_laboratory_twice: Duplicate at "control.laboratories[1]" by |n| control(n).laboratories = vec![text("lab-ous"); 2];
    a_laboratory_by_its_name: PatternMismatch at "control.laboratories[0]" by |n| control(n).laboratories = vec![text("Oslo universitetssykehus")];
    a_subject_who_was_not_informed: Required at "control.subject_informed_on" by |n| control(n).subject_informed_on.clear();
    a_subject_who_will_be_informed: DateInFuture at "control.subject_informed_on" by |n| control(n).subject_informed_on = text("2026-11-21");
    no_invoice_reference: Required at "control.invoice_reference" by |n| control(n).invoice_reference.clear();
    an_invoice_reference_with_a_name: PatternMismatch at "control.invoice_reference" by |n| control(n).invoice_reference = text("Ola Nordmann");
    a_private_contact: PatternMismatch at "contact" by |n| n.contact = text("Kari Nordmann");
}

#[test]
fn a_good_notice_gives_its_facts_without_the_person() {
    let notice = ConditionNotice::parse(good(), &CONTEXT).unwrap();
    let facts = notice.facts();
    assert!(facts.attendance);
    assert_eq!(facts.attendance_latest, Some(Date::constant(2026, 12, 15)));
    let control = facts.control.clone().unwrap();
    assert_eq!(control.groups, [SubstanceGroup::Amphetamines, SubstanceGroup::Cannabis]);
    assert_eq!(control.laboratories.len(), 1);
    let shown = format!("{notice:?}{}", serde_json::to_string(&facts).unwrap());
    for personal in ["12848930057", "Testesen", "Åse", "Storgata", "0155", "99999999"] {
        assert!(!shown.contains(personal));
    }
    let bytes = postcard::to_stdvec(&facts).unwrap();
    assert_eq!(postcard::from_bytes::<NoticeFacts>(&bytes).unwrap(), facts);
}

#[test]
fn attendance_alone_and_control_alone_are_notices() {
    let attendance = ConditionNotice::parse(NoticeDraft { control: None, ..good() }, &CONTEXT).unwrap();
    assert!(attendance.control().is_none() && attendance.attendance().is_some());
    let control = ConditionNotice::parse(NoticeDraft { attendance: None, ..good() }, &CONTEXT).unwrap();
    assert!(control.control().is_some() && control.attendance().is_none(), "control never implies attendance");
}

#[test]
fn a_minor_under_judgment_needs_no_word_of_the_guardian() {
    let draft = NoticeDraft {
        guardian: None,
        imposing_authority: Choice::Value(ImposingAuthority::Court),
        reaction: Choice::Value(Reaction::ConditionalSentence),
        probation_end: text("2031-11-02"),
        ..minor_with_waiver()
    };
    assert_eq!(ConditionNotice::parse(draft, &CONTEXT).unwrap().majority(), Majority::MinorUnderJudgment);
}

#[test]
fn a_minor_with_a_waiver_may_lack_a_guardian_if_that_is_said() {
    let draft = NoticeDraft { guardian: Some(GuardianDraft::NoGuardian), ..minor_with_waiver() };
    assert_eq!(ConditionNotice::parse(draft, &CONTEXT).unwrap().majority(), Majority::MinorWithoutGuardian);
    let notified = ConditionNotice::parse(minor_with_waiver(), &CONTEXT).unwrap().majority();
    assert_eq!(notified, Majority::MinorGuardianNotified(Date::constant(2026, 11, 3)));
}

#[test]
fn a_protected_address_carries_nothing_else() {
    let mut draft = good();
    *reach(&mut draft) = ReachDraft { address_protected: true, ..ReachDraft::default() };
    let notice = ConditionNotice::parse(draft, &CONTEXT).unwrap();
    assert!(matches!(notice.subject().reach(), Some(Reach::Protected)));
}

#[test]
fn a_synthetic_number_is_refused_in_production() {
    let context = ParseContext { identity_mode: IdentityMode::Production, ..CONTEXT };
    let violations = ConditionNotice::parse(good(), &context).unwrap_err();
    assert!(violations.has("subject.fnr", FieldReason::IdentitySynthetic));
    let mut real = good();
    subject(&mut real).id = Some(SubjectIdDraft::Fnr(text("02013299997")));
    assert!(ConditionNotice::parse(real, &context).is_ok());
}

#[test]
fn two_notices_of_one_person_commit_to_the_same_value() {
    let a = ConditionNotice::parse(good(), &CONTEXT).unwrap();
    let b = ConditionNotice::parse(minor_with_waiver(), &CONTEXT).unwrap();
    let mut other = good();
    subject(&mut other).id = Some(SubjectIdDraft::DNumber(text("41827733057")));
    let other = ConditionNotice::parse(other, &CONTEXT).unwrap();
    assert_eq!(a.subject_commit(&[7; 32]), b.subject_commit(&[7; 32]));
    assert_ne!(a.subject_commit(&[7; 32]), other.subject_commit(&[7; 32]));
}

#[test]
fn an_empty_notice_is_told_everything_at_once_and_a_hostile_one_not_without_end() {
    let empty = ConditionNotice::parse(NoticeDraft::default(), &CONTEXT).unwrap_err();
    assert!(empty.as_slice().len() >= 10, "{empty}");
    let mut hostile = good();
    control(&mut hostile).groups = vec![Choice::Unknown; 15];
    control(&mut hostile).matrices = vec![Choice::Unknown; 4];
    control(&mut hostile).laboratories = vec![text("?"); 5];
    postal(&mut hostile).lines = vec![text("?"); 3];
    subject(&mut hostile).id = None;
    n_more(&mut hostile);
    assert_eq!(ConditionNotice::parse(hostile, &CONTEXT).unwrap_err().as_slice().len(), VIOLATIONS_MAX);
}

fn n_more(draft: &mut NoticeDraft) {
    draft.decision_date = text("?");
    draft.probation_start = text("?");
    draft.probation_end = text("?");
    draft.contact = text("?");
}
