use super::*;
use crate::domain::refusal::{CONTEXT, refusals};
use proptest::prelude::*;

fn texts(dates: &[&str]) -> Vec<String> {
    dates.iter().map(|date| (*date).to_owned()).collect()
}

pub(crate) fn good() -> ReportDraft {
    ReportDraft {
        case_ref: CaseRef::from_bytes([7; 10]).to_string(),
        missed: Choice::Value(MissedAppointment::Conversation),
        summons_dates: texts(&["2026-11-04", "2026-11-12"]),
        missed_dates: texts(&["2026-11-11", "2026-11-19"]),
    }
}

refusals! { ReportDraft, NonAttendanceReport::parse, good;
    no_case: Required at "case_ref" by |r| r.case_ref.clear();
    not_a_reference: BadReference at "case_ref" by |r| r.case_ref = "12345".to_owned();
    a_misread_reference: BadReferenceCheck at "case_ref" by |r| {
        let last = if r.case_ref.pop() == Some('0') { '1' } else { '0' };
        r.case_ref.push(last);
    };
    a_requisition_instead_of_a_case: BadReferenceCheck at "case_ref" by |r| {
        r.case_ref = crate::domain::id::RequisitionId::from_bytes([7; 10]).to_string();
    };
    no_appointment: Required at "missed" by |r| r.missed = Choice::Missing;
    attended_has_no_value: UnknownValue at "missed" by |r| r.missed = Choice::Unknown;
    no_summons: TooFew at "summons_dates" by |r| r.summons_dates.clear();
    too_many_summonses: TooMany at "summons_dates" by |r| r.summons_dates = vec!["2026-11-01".to_owned(); 6];
    nothing_missed: TooFew at "missed_dates" by |r| r.missed_dates.clear();
    too_much_missed: TooMany at "missed_dates" by |r| r.missed_dates = vec!["2026-11-19".to_owned(); 6];
    missed_tomorrow: DateInFuture at "missed_dates[1]" by |r| r.missed_dates[1] = "2026-11-21".to_owned();
    summoned_tomorrow: DateInFuture at "summons_dates[1]" by |r| r.summons_dates[1] = "2026-11-21".to_owned();
    missed_on_no_day: BadDate at "missed_dates[0]" by |r| r.missed_dates[0] = "2026-11-31".to_owned();
    a_date_with_time: BadDate at "missed_dates[0]" by |r| r.missed_dates[0] = "2026-11-11T10:00".to_owned();
    one_date_twice: NotAscending at "missed_dates[1]" by |r| r.missed_dates[1] = "2026-11-11".to_owned();
    summonses_out_of_order: NotAscending at "summons_dates[1]" by |r| r.summons_dates = texts(&["2026-11-04", "2026-11-03"]);
    missed_before_any_summons: NoSummonsBefore at "missed_dates[0]" by |r| r.missed_dates[0] = "2026-11-03".to_owned();
    missed_on_the_day_of_the_only_summons: NoSummonsBefore at "missed_dates[0]" by |r| {
        r.summons_dates = texts(&["2026-11-11"]);
    };
}

#[test]
fn a_good_report_says_case_appointment_and_dates_only() {
    let report = NonAttendanceReport::parse(good(), &CONTEXT).unwrap();
    let ReportFacts { case_ref, missed, summons_dates, missed_dates } = report.facts();
    assert_eq!(case_ref, CaseRef::from_bytes([7; 10]));
    assert_eq!(missed, MissedAppointment::Conversation);
    assert_eq!((summons_dates.len(), missed_dates.len()), (2, 2));
}

#[test]
fn only_the_two_appointments_can_be_missed() {
    for missed in [MissedAppointment::Conversation, MissedAppointment::DrugControl] {
        match missed {
            MissedAppointment::Conversation | MissedAppointment::DrugControl => {}
        }
    }
}

proptest! {
    #[test]
    fn any_dates_are_judged_without_a_panic(dates in prop::collection::vec("\\PC{0,12}", 0..8)) {
        let draft = ReportDraft { summons_dates: dates.clone(), missed_dates: dates, ..good() };
        prop_assert!(NonAttendanceReport::parse(draft, &CONTEXT).is_err());
    }
}
