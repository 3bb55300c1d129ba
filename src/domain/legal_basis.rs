//! Legal bases: a closed, dated list. Letters are rendered from basis and decision date and never stored (rules 1, 2, 4, 5, 12).

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::table::{Validity, rows};
use super::time::Date;
use super::violation::FieldReason;

/// A provision that can carry a condition. Consent is not one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LegalBasis {
    /// strl. § 37, condition to attend the unit.
    Strl37AttendUnit,
    /// strl. § 37 d, condition to abstain and give samples.
    Strl37AbstainAndTest,
    /// politiloven § 9 a, referral by the police without a reaction (lov 20.6.2025 nr 83); not in force.
    Politiloven9aReferral,
}

/// The part of a notice that a basis carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionPart {
    /// Attendance at the unit.
    Attendance,
    /// Drug control.
    Control,
}

/// Why a basis does not carry a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoLegalBasis {
    /// The basis is for another part.
    #[error("attendance and control have each their own legal basis; use the one for this part")]
    WrongPart,
    /// Not in force on the decision date.
    #[error("use a legal basis that was in force on the decision date")]
    NotInForce,
}

impl From<NoLegalBasis> for FieldReason {
    fn from(error: NoLegalBasis) -> Self {
        match error {
            NoLegalBasis::WrongPart => Self::LegalBasisWrongPart,
            NoLegalBasis::NotInForce => Self::LegalBasisNotInForce,
        }
    }
}

struct Row {
    basis: LegalBasis,
    part: ConditionPart,
    law: &'static str,
    paragraph: &'static str,
    letter: &'static str,
    validity: Validity,
}

static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    rows::<7>(include_str!("../../data/legal_bases.csv"))
        .map(|[basis, part, law, paragraph, letter, from, until]| Row {
            basis: match basis {
                "STRL_37_ATTEND_UNIT" => LegalBasis::Strl37AttendUnit,
                "STRL_37_ABSTAIN_AND_TEST" => LegalBasis::Strl37AbstainAndTest,
                "POLITILOVEN_9A_REFERRAL" => LegalBasis::Politiloven9aReferral,
                _ => panic!("the embedded table names known bases only; a test loads it"),
            },
            part: if part == "CONTROL" { ConditionPart::Control } else { ConditionPart::Attendance },
            law,
            paragraph,
            letter,
            validity: Validity::parse(from, until),
        })
        .collect()
});

fn row(basis: LegalBasis, part: ConditionPart, decided: Date) -> Result<&'static Row, NoLegalBasis> {
    let mut of_part = TABLE.iter().filter(|row| row.basis == basis && row.part == part).peekable();
    if of_part.peek().is_none() {
        return Err(NoLegalBasis::WrongPart);
    }
    of_part.find(|row| row.validity.holds_on(decided)).ok_or(NoLegalBasis::NotInForce)
}

impl LegalBasis {
    /// Whether this basis carries `part` for a decision of that day.
    ///
    /// # Errors
    /// [`NoLegalBasis::WrongPart`] first, then [`NoLegalBasis::NotInForce`].
    pub fn check(self, part: ConditionPart, decided: Date) -> Result<(), NoLegalBasis> {
        row(self, part, decided).map(|_| ())
    }

    /// The provision as it was lettered on the day of the decision, like `strl. § 37 første ledd bokstav j`.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn citation(self, part: ConditionPart, decided: Date) -> Result<String, NoLegalBasis> {
        let row = row(self, part, decided)?;
        let mut text = format!("{} § {}", row.law, row.paragraph);
        if !row.letter.is_empty() {
            text.push_str(" første ledd bokstav ");
            text.push_str(row.letter);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Date = Date::constant(2024, 8, 31);
    const NEW: Date = Date::constant(2024, 9, 1);

    #[test]
    fn the_letter_follows_the_day_of_the_decision() {
        let cite = |day| LegalBasis::Strl37AttendUnit.citation(ConditionPart::Attendance, day).unwrap();
        assert_eq!(cite(OLD), "strl. § 37 første ledd bokstav k");
        assert_eq!(cite(NEW), "strl. § 37 første ledd bokstav j");
        let control = LegalBasis::Strl37AbstainAndTest.citation(ConditionPart::Control, NEW).unwrap();
        assert_eq!(control, "strl. § 37 første ledd bokstav d");
    }

    #[test]
    fn attendance_and_control_have_each_their_own_basis() {
        assert_eq!(LegalBasis::Strl37AttendUnit.check(ConditionPart::Control, NEW), Err(NoLegalBasis::WrongPart));
        assert_eq!(LegalBasis::Strl37AbstainAndTest.check(ConditionPart::Attendance, NEW), Err(NoLegalBasis::WrongPart));
    }

    #[test]
    fn a_referral_is_prepared_but_off_and_never_carries_control() {
        let referral = LegalBasis::Politiloven9aReferral;
        assert_eq!(referral.check(ConditionPart::Attendance, Date::constant(2030, 1, 1)), Err(NoLegalBasis::NotInForce));
        assert_eq!(referral.check(ConditionPart::Control, Date::constant(2030, 1, 1)), Err(NoLegalBasis::WrongPart));
    }

    #[test]
    fn a_basis_before_its_time_is_refused() {
        let day = Date::constant(2022, 6, 30);
        assert_eq!(LegalBasis::Strl37AttendUnit.check(ConditionPart::Attendance, day), Err(NoLegalBasis::NotInForce));
    }
}
