//! Legal holds, as the entries of a range tell them: which cases are held at its end, and under which terms.

use std::collections::BTreeMap;

use crate::audit::event::kind;
use crate::audit::record::Record;
use crate::domain::id::CaseRef;

/// Cases that are followed at once: more than a gateway lets be held.
const CASES_MAX: usize = 10_000;

/// The terms of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Log index of the entry that placed it first, within the range.
    pub placed: u64,
    /// Log index of the entry whose terms are in force.
    pub index: u64,
    /// That entry's record: by whom, why, until when.
    pub record: Record,
}

/// Holds in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holds {
    by_case: BTreeMap<CaseRef, Terms>,
    left_out: u64,
}

impl Holds {
    /// Takes the next record.
    pub(super) fn take(&mut self, index: u64, record: &Record) {
        let Some(case) = record.case_ref else { return };
        match record.kind {
            kind::HOLD_PLACED => {
                let placed = self.by_case.get(&case).map_or(index, |terms| terms.placed);
                if self.by_case.len() == CASES_MAX && !self.by_case.contains_key(&case) {
                    self.left_out += 1;
                } else {
                    self.by_case.insert(case, Terms { placed, index, record: record.clone() });
                }
            }
            kind::HOLD_LIFTED | kind::HOLD_ENDED => drop(self.by_case.remove(&case)),
            _ => {}
        }
    }

    /// By case.
    pub fn iter(&self) -> impl Iterator<Item = (&CaseRef, &Terms)> {
        self.by_case.iter()
    }

    /// Placings that were not followed, as there are too many.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::Event;
    use crate::domain::hold::{HeldCase, HoldReason};
    use crate::domain::time::{Date, Timestamp};

    #[test]
    fn the_last_placing_s_terms_are_in_force_until_it_is_lifted_or_over() {
        let case = |n| HeldCase { case_ref: CaseRef::from_bytes([n; 10]), prosecution: None, unit: None };
        let place = |n, reason| Event::HoldPlaced {
            auditor: "tilsyn".parse().unwrap(),
            key_label: "k1".to_owned(),
            case: case(n),
            reason,
            until: Date::constant(2027, 6, 30),
            ground: None,
        };
        let lift = |n| Event::HoldLifted { auditor: "tilsyn".parse().unwrap(), key_label: "k1".to_owned(), case: case(n) };
        let events = [
            place(1, HoldReason::Complaint),
            place(2, HoldReason::Complaint),
            place(1, HoldReason::CourtProceedings),
            place(3, HoldReason::Complaint),
            lift(2),
            Event::HoldEnded { case: case(3) },
            Event::HeldErased { case: case(3), records: 4 },
        ];
        let mut holds = Holds::default();
        for (index, event) in (10..).zip(&events) {
            holds.take(index, &Record::of(event, Timestamp::from_millis(0)));
        }
        let held: Vec<_> = holds.iter().map(|(case, terms)| (*case, terms.placed, terms.index, terms.record.reason)).collect();
        assert_eq!(held, [(CaseRef::from_bytes([1; 10]), 10, 12, Some(HoldReason::CourtProceedings.number()))]);
    }
}
