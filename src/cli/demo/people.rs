//! The demo's messages: synthetic persons of Skatteetaten's test range, and dates relative to today, so that it plays on any day.

use serde_json::{Value, json};

use crate::domain::time::{Date, plus_months};

/// Days of the story, counted from today.
#[derive(Debug, Clone, Copy)]
pub struct Days {
    today: Date,
}

impl Days {
    /// A story that is told on `today`.
    #[must_use]
    pub const fn new(today: Date) -> Self {
        Self { today }
    }

    fn before(self, days: i32) -> String {
        self.today.saturating_sub(jiff::Span::new().days(days)).to_string()
    }

    fn months_after(self, days_before: i32, months: i32) -> String {
        plus_months(self.today.saturating_sub(jiff::Span::new().days(days_before)), months).to_string()
    }
}

/// A person of the story.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Synthetic identity number.
    pub number: &'static str,
    /// Family name.
    pub family: &'static str,
    /// Given name.
    pub given: &'static str,
}

/// Everyone in the story.
pub const EVERYONE: [Person; 3] = [ADULT, YOUTH, MOVED];
/// An adult in Oslo.
pub const ADULT: Person = Person { number: "12848930057", family: "Testesen", given: "Åse" };
/// A 16-year-old in Ringsaker.
pub const YOUTH: Person = Person { number: "23831060190", family: "Ungdommen", given: "Čáhppe" };
/// Somebody whose municipality of stay the prosecution gets wrong at first.
pub const MOVED: Person = Person { number: "05907512055", family: "Prøvesen", given: "Nils" };

fn notice(days: Days, person: Person, municipality: &str) -> Value {
    json!({
        "subject": {"fnr": person.number, "family_name": person.family, "given_name": person.given},
        "municipality_of_stay": municipality,
        "imposing_authority": "IMPOSING_AUTHORITY_PROSECUTION",
        "reaction": "REACTION_WAIVER",
        "decision_date": days.before(40),
        "probation_start": days.before(40),
        "probation_end": days.months_after(40, 23),
        "age_at_act": "AGE_AT_ACT_18_PLUS",
        "minor_at_decision": false,
        "attendance": {"legal_basis": "LEGAL_BASIS_STRL_37_ATTEND_UNIT", "required_count": 1},
        "contact": "vakt",
    })
}

fn control(days: Days, groups: &[&str], laboratories: &[&str]) -> Value {
    json!({
        "legal_basis": "LEGAL_BASIS_STRL_37_ABSTAIN_AND_TEST",
        "procedure": "PROCEDURE_SANCTION",
        "matrices": ["MATRIX_URINE"],
        "groups": groups,
        "sample_count": 12,
        "frequency": {"times": 2, "per": "FREQUENCY_PERIOD_MONTH", "announcement": "ANNOUNCEMENT_UNANNOUNCED"},
        "from_date": days.before(40),
        "to_date": days.months_after(40, 6),
        "laboratories": laboratories,
        "subject_informed_on": days.before(40),
        "invoice_reference": "DEMO-1",
    })
}

/// Attendance and control for the adult; only one laboratory is named.
#[must_use]
pub fn adult(days: Days) -> Value {
    let mut notice = notice(days, ADULT, "0301");
    notice["control"] = control(days, &["SUBSTANCE_GROUP_AMPHETAMINES", "SUBSTANCE_GROUP_CANNABIS"], &["lab-ous"]);
    notice["subject"]["reach"] = json!({
        "postal_address": {"lines": ["Storgata 1 B"], "postcode": "0155", "place": "Oslo"},
        "phone": "+4799999999",
    });
    notice
}

/// A 16-year-old by waiver, the guardian notified.
#[must_use]
pub fn youth(days: Days) -> Value {
    let mut notice = notice(days, YOUTH, "3411");
    notice["age_at_act"] = "AGE_AT_ACT_15_17".into();
    notice["minor_at_decision"] = true.into();
    notice["guardian_notified_on"] = days.before(38).into();
    notice
}

/// Attendance for somebody in `municipality`.
#[must_use]
pub fn moved(days: Days, municipality: &str) -> Value {
    notice(days, MOVED, municipality)
}

/// Not met for the conversation a week ago.
#[must_use]
pub fn report(days: Days, case_ref: &str) -> Value {
    json!({
        "case_ref": case_ref,
        "missed": "MISSED_APPOINTMENT_CONVERSATION",
        "summons_dates": [days.before(20)],
        "missed_dates": [days.before(7)],
    })
}

/// THC-COOH confirmed, amphetamines not detected.
#[must_use]
pub fn result(days: Days, requisition_id: &str, thc: &str) -> Value {
    json!({
        "requisition_id": requisition_id,
        "sample": {"label": "DEMO-0001", "part": "SAMPLE_PART_A"},
        "matrix": "MATRIX_URINE",
        "collected_on": days.before(5),
        "received_on": days.before(4),
        "seal": "SEAL_INTACT",
        "findings": [
            {
                "nlk_code": "NPU53115",
                "group": "SUBSTANCE_GROUP_CANNABIS",
                "accredited": true,
                "quantity": {"comparator": "COMPARATOR_EQUAL", "value": thc, "unit": "ng/mL", "cut_off": "10"},
                "detected": {"confirmed_by": "CONFIRMATION_METHOD_LC_MS_MS"},
            },
            {
                "nlk_code": "NOR25835",
                "group": "SUBSTANCE_GROUP_AMPHETAMINES",
                "accredited": true,
                "not_detected": {"by": "ANALYSIS_STAGE_SCREENING"},
            },
        ],
        "urine_validity": {"creatinine_mmol_per_l": "8.1", "ph": "6.2", "verdict": "VALIDITY_VERDICT_OK"},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::IdentityMode;
    use crate::domain::violation::ParseContext;
    use crate::grpc::{convert, pb};
    use prost::Message as _;

    fn bytes(message: &str, value: &Value) -> Vec<u8> {
        crate::cli::schema::from_value(crate::cli::schema::descriptor(message), value).unwrap().encode_to_vec()
    }

    #[test]
    fn the_story_can_be_told_on_any_day_of_the_year() {
        for today in ["2026-01-01", "2026-03-31", "2027-12-31", "2028-02-29", "2029-10-28"] {
            let today: Date = today.parse().unwrap();
            let (days, context) = (Days::new(today), ParseContext { today, identity_mode: IdentityMode::Test });
            for notice in [adult(days), youth(days), moved(days, "5501"), moved(days, "3403")] {
                let notice = pb::ConditionNotice::decode(bytes("ConditionNotice", &notice).as_slice()).unwrap();
                convert::condition_notice(notice, &context).unwrap_or_else(|error| panic!("{today}: {error:?}"));
            }
            let report = report(days, "04HMAS-W9NF6Y-Y41J5S");
            let report = pb::NonAttendanceReport::decode(bytes("NonAttendanceReport", &report).as_slice()).unwrap();
            convert::non_attendance_report(report, &context).unwrap_or_else(|error| panic!("{today}: {error:?}"));
            let result = result(days, "04HMAS-W9NF6Y-Y41JJA", "42.5");
            let result = pb::LabResult::decode(bytes("LabResult", &result).as_slice()).unwrap();
            convert::lab_result(result, &context).unwrap_or_else(|error| panic!("{today}: {error:?}"));
        }
    }
}
