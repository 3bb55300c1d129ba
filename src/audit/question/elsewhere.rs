//! Has a result ever reached anyone but its requisitioner?
//!
//! The requisitioner is read from the notice that opened the case, not from the result: that the gateway derived the recipient is what is
//! being checked.

use std::collections::HashMap;

use super::{Finding, Mark, Rows, Seen, is_unread_between};
use crate::audit::event::kind;
use crate::domain::id::{CaseRef, ParticipantId};

/// Cases and results that are remembered: what is beyond is told as unresolved, not guessed. About 310 MiB.
const REMEMBERED_MAX: usize = 4_000_000;

/// The prosecution that opened a case.
#[derive(Debug, Clone, Copy)]
struct Requisitioner {
    who: u32,
    /// Entries before its notice that were not read. Who took over from it did so after that.
    unread: u32,
}

impl Requisitioner {
    /// No notice of the case was read. In the place of an `Option`, which would cost a third more.
    const UNKNOWN: Self = Self { who: u32::MAX, unread: 0 };
}

#[derive(Debug, Clone, Default)]
pub(super) struct Elsewhere {
    names: HashMap<ParticipantId, u32>,
    cases: HashMap<CaseRef, Requisitioner>,
    /// Of the result accepted at each index.
    results: HashMap<u64, Requisitioner>,
    /// Who took over from whom, so far: from then on the successor is the requisitioner.
    heirs: HashMap<u32, u32>,
    found: Found,
    rows: Rows,
}

#[derive(Debug, Clone, Copy, Default)]
struct Found {
    results: u64,
    deliveries: u64,
    elsewhere: u64,
    unresolved: u64,
}

impl Elsewhere {
    fn number(&mut self, id: &ParticipantId) -> u32 {
        if let Some(number) = self.names.get(id) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.insert(id.clone(), number);
        number
    }

    pub(super) fn take(&mut self, seen: Seen<'_>) {
        let record = seen.record;
        match record.kind {
            kind::NOTICE_ACCEPTED => {
                let Some(who) = record.actor.as_ref().map(|id| self.number(id)) else { return };
                if let Some(case_ref) = record.case_ref.filter(|_| self.cases.len() < REMEMBERED_MAX) {
                    self.cases.entry(case_ref).or_insert(Requisitioner { who, unread: seen.unread });
                }
            }
            kind::RESULT_ACCEPTED | kind::RESULT_WITHDRAWN => {
                let requisitioner = record.case_ref.and_then(|case_ref| self.cases.get(&case_ref).copied());
                let requisitioner = requisitioner.unwrap_or(Requisitioner::UNKNOWN);
                if self.results.len() < REMEMBERED_MAX {
                    self.results.insert(seen.index, requisitioner);
                }
                if seen.visible && seen.asked_for {
                    self.found.results += 1;
                    self.judge(seen, record.recipient.as_ref(), requisitioner);
                }
            }
            kind::HANDED_OUT | kind::ACKNOWLEDGED => self.delivered(seen),
            kind::SUCCEEDED => {
                if let (Some(from), Some(to)) = (&record.sender, &record.recipient) {
                    let (from, to) = (self.number(from), self.number(to));
                    self.heirs.insert(from, to);
                }
            }
            _ => {}
        }
    }

    fn delivered(&mut self, seen: Seen<'_>) {
        if !(seen.visible && seen.asked_for) {
            return;
        }
        let record = seen.record;
        match record.about.and_then(|about| self.results.get(&about).copied()) {
            Some(requisitioner) => {
                self.found.deliveries += 1;
                self.judge(seen, record.actor.as_ref(), requisitioner);
            }
            // The acceptance is not in the range. A delivery of a result names its requisition, and no other delivery does.
            None if record.is_delivery_of_result() => {
                self.found.deliveries += 1;
                self.judge(seen, record.actor.as_ref(), Requisitioner::UNKNOWN);
            }
            None => {}
        }
    }

    /// The last that took over from `party`, or itself. Whoever took over is never retired before it did, so this ends.
    fn heir(&self, party: u32) -> u32 {
        let mut last = party;
        for _ in 0..=self.heirs.len() {
            match self.heirs.get(&last) {
                Some(next) => last = *next,
                None => break,
            }
        }
        last
    }

    fn judge(&mut self, seen: Seen<'_>, reached: Option<&ParticipantId>, requisitioner: Requisitioner) {
        let reached = reached.map(|id| self.number(id));
        if requisitioner.who != Requisitioner::UNKNOWN.who && reached == Some(self.heir(requisitioner.who)) {
            return;
        }
        // Another, as far as was read: whether it took over may stand in what was not.
        if requisitioner.who == Requisitioner::UNKNOWN.who || is_unread_between(requisitioner.unread, seen.unread) {
            self.found.unresolved += 1;
            self.rows.push(seen.index, seen.record, Mark::Unresolved);
        } else {
            self.found.elsewhere += 1;
            self.rows.push(seen.index, seen.record, Mark::Elsewhere);
        }
    }

    pub(super) fn finish(self) -> (Finding, Rows) {
        let Found { results, deliveries, elsewhere, unresolved } = self.found;
        (Finding::ResultsElsewhere { results, deliveries, elsewhere, unresolved }, self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{Event, ItemNumber};
    use crate::audit::record::Record;
    use crate::domain::id::RequisitionId;
    use crate::domain::time::Timestamp;

    fn delivered(sender: &str, recipient: &str, requisition: Option<RequisitionId>) -> [Event; 2] {
        let (recipient, key_label, item): (ParticipantId, _, _) = (recipient.parse().unwrap(), "k1".to_owned(), ItemNumber::main(5));
        let (case_ref, sender): (_, ParticipantId) = (CaseRef::from_bytes([7; 10]), sender.parse().unwrap());
        let message_id = "019a9b3c-0000-7000-8000-000000000001".parse().unwrap();
        let handed = Event::HandedOut {
            recipient: recipient.clone(),
            key_label: key_label.clone(),
            reader: "r1".to_owned(),
            item,
            case_ref,
            sender: sender.clone(),
            message_id,
        };
        let acknowledged = Event::Acknowledged { recipient, key_label, item, case_ref, sender, message_id };
        [handed, acknowledged].map(|event| match requisition {
            Some(requisition_id) => Event::OfResult { requisition_id, event: Box::new(event) },
            None => event,
        })
    }

    #[test]
    fn the_delivery_of_a_notice_that_is_not_in_the_range_is_none_of_a_result() {
        let requisition = RequisitionId::from_bytes([3; 10]);
        for (sender, recipient, requisition, deliveries) in
            [("politi-oslo", "ru-oslo", None, 0), ("ru-oslo", "politi-oslo", None, 0), ("lab-ous", "politi-oslo", Some(requisition), 2)]
        {
            let mut asking = Elsewhere::default();
            for (index, event) in (100..).zip(delivered(sender, recipient, requisition)) {
                let record = Record::of(&event, Timestamp::from_millis(0));
                asking.take(Seen { index, record: &record, visible: true, asked_for: true, unread: 0 });
            }
            let (finding, rows) = asking.finish();
            assert_eq!(finding, Finding::ResultsElsewhere { results: 0, deliveries, elsewhere: 0, unresolved: deliveries }, "{sender}");
            assert!(rows.kept.len() as u64 == deliveries && rows.kept.iter().all(|row| row.mark == Mark::Unresolved), "{sender}");
        }
    }

    #[test]
    fn what_reached_another_is_not_told_as_elsewhere_where_its_succession_may_stand_unread() {
        let mut records: Vec<Record> = delivered("lab-ous", "politi-vest", Some(RequisitionId::from_bytes([3; 10])))
            .iter()
            .map(|event| Record::of(event, Timestamp::from_millis(0)))
            .collect();
        // The notice and the result that these are deliveries of.
        let accepted = |kind: u16, actor: &str, recipient: &str| {
            let mut record = Record::of(&Event::Stopped, Timestamp::from_millis(0));
            (record.kind, record.case_ref) = (kind, Some(CaseRef::from_bytes([7; 10])));
            (record.actor, record.recipient) = (Some(actor.parse().unwrap()), Some(recipient.parse().unwrap()));
            record
        };
        records.insert(0, accepted(kind::RESULT_ACCEPTED, "lab-ous", "politi-oslo"));
        records.insert(0, accepted(kind::NOTICE_ACCEPTED, "politi-oslo", "ru-oslo"));
        // Which of the entries were not read before, and what is found of result and deliveries: elsewhere, unresolved.
        for (unread, elsewhere, unresolved) in [([0, 0, 0, 0], 2, 0), ([1, 1, 1, 1], 2, 0), ([0, 0, 0, 1], 1, 1), ([0, 1, 1, 1], 0, 2)] {
            let mut asking = Elsewhere::default();
            for ((index, record), unread) in (4..).zip(&records).zip(unread) {
                asking.take(Seen { index, record, visible: true, asked_for: true, unread });
            }
            let (finding, rows) = asking.finish();
            assert_eq!(finding, Finding::ResultsElsewhere { results: 1, deliveries: 2, elsewhere, unresolved }, "{unread:?}");
            assert_eq!(rows.kept.len(), 2, "that the result names the requisitioner is no row");
        }
    }
}
