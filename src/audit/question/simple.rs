//! The questions whose answer is a list of kinds.

use std::collections::BTreeSet;

use super::{Finding, Mark, Question, Rows, Seen, is_forbidden};
use crate::audit::event::kind;
use crate::domain::id::ParticipantId;

#[derive(Debug, Clone)]
pub(super) struct Simple {
    finding: Finding,
    who: BTreeSet<(ParticipantId, String)>,
    rows: Rows,
}

impl Simple {
    pub(super) fn new(question: Question) -> Self {
        let finding = match question {
            Question::ResultsElsewhere => Finding::ResultsElsewhere { results: 0, deliveries: 0, elsewhere: 0, unresolved: 0 },
            Question::Forbidden => Finding::Forbidden { refused: 0, forbidden: 0, summed: 0, strangers: 0, participants: 0 },
            Question::Overdue => Finding::Overdue { open: 0, settled: 0, unresolved: 0 },
            Question::Changed => Finding::Changed { corrected: 0, withdrawn: 0, returned: 0 },
            Question::Erased => Finding::Erased { contents: 0, months: 0, records: 0, held: 0, undelivered: 0 },
            Question::Read => Finding::Read { reads: 0, readers: 0, reviews: 0 },
        };
        Self { finding, who: BTreeSet::new(), rows: Rows::default() }
    }

    fn who(&mut self, seen: Seen<'_>, by_label: bool) {
        if let Some(actor) = &seen.record.actor {
            let label = seen.record.key_label.as_ref().filter(|_| by_label).cloned().unwrap_or_default();
            self.who.insert((actor.clone(), label));
        }
    }

    pub(super) fn take(&mut self, seen: Seen<'_>) {
        if !(seen.visible && seen.asked_for) {
            return;
        }
        let record = seen.record;
        let many = record.count.unwrap_or(0);
        let mut mark = Mark::Plain;
        match (&mut self.finding, record.kind) {
            (Finding::Forbidden { refused, forbidden, .. }, kind::REFUSED) => {
                *refused += 1;
                if record.reason.is_some_and(is_forbidden) {
                    *forbidden += 1;
                    mark = Mark::Forbidden;
                }
                self.who(seen, false);
            }
            (Finding::Forbidden { summed, forbidden, .. }, kind::REFUSALS_SUMMED) => {
                *summed += many;
                if record.reason.is_some_and(is_forbidden) {
                    *forbidden += many;
                    mark = Mark::Forbidden;
                }
                self.who(seen, false);
            }
            (Finding::Forbidden { strangers, .. }, kind::STRANGERS_REFUSED) => *strangers += many,
            (Finding::Changed { corrected, .. }, kind::NOTICE_ACCEPTED | kind::REPORT_ACCEPTED | kind::RESULT_ACCEPTED)
                if record.replaces.is_some() =>
            {
                *corrected += 1;
            }
            (Finding::Changed { withdrawn, .. }, kind::NOTICE_WITHDRAWN | kind::REPORT_WITHDRAWN | kind::RESULT_WITHDRAWN) => {
                *withdrawn += 1;
            }
            (Finding::Changed { returned, .. }, kind::NOTICE_RETURNED) => *returned += 1,
            (Finding::Erased { contents, .. }, kind::CONTENT_ERASED) => *contents += many,
            (Finding::Erased { months, records, .. }, kind::RECORDS_ERASED) => {
                *months += 1;
                *records += many;
            }
            (Finding::Erased { undelivered, .. }, kind::ENDED_UNDELIVERED) => *undelivered += 1,
            // Copies of what its month left to a hold. The month counted them with its places, when it reached its age, so they are added to nothing;
            // that entry may be erased itself by now, as a hold can outlive it.
            (Finding::Erased { held, .. }, kind::HELD_ERASED) => *held += many,
            (Finding::Erased { .. }, kind::CASE_FORGOTTEN) => {}
            (Finding::Read { reads, .. }, kind::AUDIT_READ | kind::AUDIT_ASKED) => {
                *reads += 1;
                self.who(seen, true);
            }
            (Finding::Read { reviews, .. }, kind::REVIEWED) => {
                *reviews += 1;
                self.who(seen, true);
            }
            _ => return,
        }
        self.rows.push(seen.index, record, mark);
    }

    pub(super) fn finish(self) -> (Finding, Rows) {
        let Self { mut finding, who, rows } = self;
        match &mut finding {
            Finding::Forbidden { participants, .. } => *participants = who.len() as u64,
            Finding::Read { readers, .. } => *readers = who.len() as u64,
            _ => {}
        }
        (finding, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::Event;
    use crate::audit::record::Record;
    use crate::domain::time::Timestamp;

    fn asked(question: Question, events: &[Event]) -> (Finding, Rows) {
        let mut simple = Simple::new(question);
        for (index, event) in (0..).zip(events) {
            let record = Record::of(event, Timestamp::from_millis(0));
            simple.take(Seen { index, record: &record, visible: true, asked_for: true, unread: 0 });
        }
        simple.finish()
    }

    #[test]
    fn summed_refusals_of_what_was_forbidden_are_forbidden() {
        let sum = |who: &str, reason, count| {
            let minute = Timestamp::from_millis(0);
            Event::RefusalsSummed { caller: who.parse().unwrap(), reason, minute, count }
        };
        // 3 is CALL_NOT_ALLOWED, 90 RATE_LIMITED.
        let (finding, rows) = asked(Question::Forbidden, &[sum("lab-ous", 3, 300), sum("ru-oslo", 3, 40), sum("ru-oslo", 90, 7)]);
        assert_eq!(finding, Finding::Forbidden { refused: 0, forbidden: 340, summed: 347, strangers: 0, participants: 2 });
        assert!(rows.kept.iter().map(|row| row.mark).eq([Mark::Forbidden, Mark::Forbidden, Mark::Plain]));
        let (bounds, _) = asked(Question::Forbidden, &[sum("ru-oslo", 90, 7)]);
        assert_eq!(bounds, Finding::Forbidden { refused: 0, forbidden: 0, summed: 7, strangers: 0, participants: 1 });
    }
}
