//! What is overdue?

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Finding, Mark, Row, Rows, Seen, is_unread_between};
use crate::audit::event::kind;
use crate::domain::id::{MessageId, ParticipantId};

/// Undelivered messages that are followed at once.
const FOLLOWED_MAX: usize = 4_000_000;

/// A delivery that was marked overdue and is not settled.
#[derive(Debug, Clone)]
struct Open {
    recipient: ParticipantId,
    row: Row,
    /// Whether it became overdue within the period.
    asked_for: bool,
    /// Entries before it that were not read. Whoever took over from its recipient since did so after it.
    unread: u32,
    /// Another replaced it, and that one may have taken over from its sender: the succession would stand in what was not read.
    is_unresolved: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Overdue {
    /// By log index of the acceptance.
    open: BTreeMap<u64, Vec<Open>>,
    /// Their acceptances by the sender's handle, as the entries of the delays tell it: the acceptance's own record may be erased.
    by_message: HashMap<MessageId, Vec<u64>>,
    fetched: HashSet<u64>,
    /// Who stands for whom now: what one sent is its successor's to replace.
    heirs: HashMap<ParticipantId, ParticipantId>,
    settled: u64,
    rows: Rows,
}

impl Overdue {
    pub(super) fn take(&mut self, seen: Seen<'_>) {
        let record = seen.record;
        match record.kind {
            kind::NOTICE_ACCEPTED
            | kind::REPORT_ACCEPTED
            | kind::RESULT_ACCEPTED
            | kind::NOTICE_WITHDRAWN
            | kind::REPORT_WITHDRAWN
            | kind::RESULT_WITHDRAWN => self.replaced(record.replaces, record.actor.as_ref(), seen.unread),
            kind::HANDED_OUT => {
                if let Some(about) = record.about.filter(|_| self.fetched.len() < FOLLOWED_MAX) {
                    self.fetched.insert(about);
                }
            }
            kind::OVERDUE if seen.visible => self.overdue(seen),
            kind::ACKNOWLEDGED => self.settle(record.about, record.actor.as_ref()),
            kind::ENDED_UNDELIVERED => self.settle(record.about, record.recipient.as_ref()),
            kind::SUCCEEDED => {
                if let (Some(from), Some(to)) = (&record.sender, &record.recipient) {
                    self.pass(from, to);
                }
            }
            _ => {}
        }
    }

    fn overdue(&mut self, seen: Seen<'_>) {
        let record = seen.record;
        let Some((about, recipient)) = record.about.zip(record.recipient.clone()).filter(|_| self.open.len() < FOLLOWED_MAX) else {
            return;
        };
        let row = Row { index: seen.index, record: record.clone(), mark: Mark::Open };
        let waiting = self.open.entry(about).or_default();
        waiting.retain(|open| open.recipient != recipient);
        waiting.push(Open { recipient, row, asked_for: seen.asked_for, unread: seen.unread, is_unresolved: false });
        if let Some(id) = record.message_id {
            let known = self.by_message.entry(id).or_default();
            if !known.contains(&about) {
                known.push(about);
            }
        }
    }

    /// A message that was replaced or withdrawn before anybody fetched it is never delivered.
    fn replaced(&mut self, message_id: Option<MessageId>, by: Option<&ParticipantId>, unread: u32) {
        let (Some(id), Some(by)) = (message_id, by) else { return };
        for about in self.by_message.get(&id).cloned().unwrap_or_default() {
            if self.fetched.contains(&about) {
                continue;
            }
            let is_own = |open: &Open| {
                let sender = open.row.record.sender.as_ref();
                sender.is_some_and(|sender| self.heirs.get(sender).unwrap_or(sender) == by)
            };
            let mut gone = Vec::new();
            for open in self.open.get_mut(&about).into_iter().flatten() {
                if is_own(open) {
                    gone.push(open.recipient.clone());
                } else {
                    // Its sender may have been followed by this one at any time.
                    open.is_unresolved |= unread > 0;
                }
            }
            gone.iter().for_each(|recipient| self.settle(Some(about), Some(recipient)));
        }
    }

    /// What waited for `from` waits for `to`; what `from` sent is `to`'s to replace.
    fn pass(&mut self, from: &ParticipantId, to: &ParticipantId) {
        for open in self.open.values_mut().flatten().filter(|open| open.recipient == *from) {
            open.recipient = to.clone();
        }
        self.heirs.values_mut().filter(|heir| *heir == from).for_each(|heir| *heir = to.clone());
        self.heirs.insert(from.clone(), to.clone());
    }

    fn settle(&mut self, about: Option<u64>, recipient: Option<&ParticipantId>) {
        let Some((about, recipient)) = about.zip(recipient) else { return };
        self.fetched.remove(&about);
        let Some(waiting) = self.open.get_mut(&about) else { return };
        // Else of the message's other delivery, or the successor's, if that stands in what was not read.
        let Some(at) = waiting.iter().position(|open| open.recipient == *recipient) else { return };
        let Open { row, asked_for, .. } = waiting.remove(at);
        if waiting.is_empty() {
            self.open.remove(&about);
            if let Some(id) = row.record.message_id {
                self.forget(id, about);
            }
        }
        if asked_for {
            self.settled += 1;
            self.rows.push(row.index, &row.record, Mark::Settled);
        }
    }

    fn forget(&mut self, id: MessageId, about: u64) {
        if let Some(known) = self.by_message.get_mut(&id) {
            known.retain(|one| *one != about);
            if known.is_empty() {
                self.by_message.remove(&id);
            }
        }
    }

    /// Ends, where so many entries were not read. What settled a message since it was late may stand in any of them, whoever settled it: its recipient,
    /// who took over from that one, or its sender, who replaced it before anybody fetched it.
    pub(super) fn finish(self, unread: u32) -> (Finding, Rows) {
        let Self { open, settled, rows: settled_rows, .. } = self;
        let (mut unresolved, mut waits) = (0, 0);
        let open = open.into_values().flatten().map(|Open { row, is_unresolved, unread: before, .. }| {
            let is_unresolved = is_unresolved || is_unread_between(before, unread);
            *(if is_unresolved { &mut unresolved } else { &mut waits }) += 1;
            Row { mark: if is_unresolved { Mark::Unresolved } else { Mark::Open }, ..row }
        });
        let mut all: Vec<Row> = settled_rows.kept.into_iter().chain(open).collect();
        let finding = Finding::Overdue { open: waits, settled, unresolved };
        all.sort_by_key(|row| row.index);
        let mut rows = Rows { left_out: settled_rows.left_out, ..Rows::default() };
        for row in all {
            rows.push(row.index, &row.record, row.mark);
        }
        (finding, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{Event, ItemNumber};
    use crate::audit::record::Record;
    use crate::domain::id::CaseRef;
    use crate::domain::time::Timestamp;

    const MESSAGE: &str = "019a9b3c-0000-7000-8000-000000000001";

    fn overdue(recipient: &str) -> Event {
        Event::Overdue {
            item: ItemNumber::main(5),
            case_ref: CaseRef::from_bytes([7; 10]),
            sender: "politi-oslo".parse().unwrap(),
            message_id: MESSAGE.parse().unwrap(),
            recipient: recipient.parse().unwrap(),
        }
    }

    fn acknowledged(recipient: &str) -> Event {
        Event::Acknowledged {
            recipient: recipient.parse().unwrap(),
            key_label: "k1".into(),
            item: ItemNumber::main(5),
            case_ref: CaseRef::from_bytes([7; 10]),
            sender: "politi-oslo".parse().unwrap(),
            message_id: MESSAGE.parse().unwrap(),
        }
    }

    fn withdrawn(by: &str) -> Record {
        let mut record = Record::of(&overdue("ru-oslo"), Timestamp::from_millis(0));
        (record.kind, record.actor, record.sender) = (kind::NOTICE_WITHDRAWN, Some(by.parse().unwrap()), None);
        (record.message_id, record.replaces) = (None, Some(MESSAGE.parse().unwrap()));
        record
    }

    /// What comes of these entries: the first ones lie before the period.
    fn asked(before: &[Record], within: &[Record]) -> (Finding, Vec<(u64, Mark)>) {
        asked_where(before, within, None)
    }

    /// The same, where the entry before the one at this place was not read.
    fn asked_where(before: &[Record], within: &[Record], unread: Option<usize>) -> (Finding, Vec<(u64, Mark)>) {
        let mut asking = Overdue::default();
        for (at, record) in before.iter().chain(within).enumerate() {
            let unread = u32::from(unread.is_some_and(|unread| at >= unread));
            asking.take(Seen { index: 100 + at as u64, record, visible: true, asked_for: at >= before.len(), unread });
        }
        let all = u32::from(unread.is_some_and(|unread| unread <= before.len() + within.len()));
        let (finding, rows) = asking.finish(all);
        (finding, rows.kept.iter().map(|row| (row.index, row.mark)).collect())
    }

    fn records(events: &[Event]) -> Vec<Record> {
        events.iter().map(|event| Record::of(event, Timestamp::from_millis(0))).collect()
    }

    #[test]
    fn a_message_withdrawn_unread_is_settled_though_the_record_of_its_acceptance_is_erased() {
        let late = records(&[overdue("ru-oslo")]);
        let finding = |more: &[Record]| asked(&[], &[&late, more].concat()).0;
        assert_eq!(finding(&[]), Finding::Overdue { open: 1, settled: 0, unresolved: 0 });
        assert_eq!(finding(&[withdrawn("politi-oslo")]), Finding::Overdue { open: 0, settled: 1, unresolved: 0 });
        assert_eq!(
            finding(&[withdrawn("politi-vest")]),
            Finding::Overdue { open: 1, settled: 0, unresolved: 0 },
            "another's message of that id"
        );
        let taken_over = Event::Succeeded {
            generation: 2,
            predecessor: "politi-oslo".parse().unwrap(),
            successor: "politi-vest".parse().unwrap(),
            items: 0,
            cases: 1,
        };
        let passed = [records(&[taken_over]), vec![withdrawn("politi-vest")]].concat();
        assert_eq!(finding(&passed), Finding::Overdue { open: 0, settled: 1, unresolved: 0 }, "the successor's to withdraw");
    }

    #[test]
    fn what_was_late_before_the_period_counts_only_while_it_is_open() {
        let (late, done) = (records(&[overdue("ru-oslo")]), records(&[acknowledged("ru-oslo")]));
        assert_eq!(asked(&late, &[]), (Finding::Overdue { open: 1, settled: 0, unresolved: 0 }, vec![(100, Mark::Open)]));
        assert_eq!(
            asked(&[], &[late.clone(), done.clone()].concat()),
            (Finding::Overdue { open: 0, settled: 1, unresolved: 0 }, vec![(100, Mark::Settled)])
        );
        for (before, within) in [([late.clone(), done.clone()].concat(), Vec::new()), (late, done)] {
            assert_eq!(
                asked(&before, &within),
                (Finding::Overdue { open: 0, settled: 0, unresolved: 0 }, Vec::new()),
                "not of this period"
            );
        }
    }

    #[test]
    fn a_message_waits_only_where_everything_was_read_since_it_was_late() {
        let late = records(&[overdue("ru-oslo")]);
        let (waits, unresolved) =
            (Finding::Overdue { open: 1, settled: 0, unresolved: 0 }, Finding::Overdue { open: 0, settled: 0, unresolved: 1 });
        assert_eq!(asked_where(&[], &late, None), (waits, vec![(100, Mark::Open)]));
        assert_eq!(asked_where(&[], &late, Some(0)).0, waits, "what was not read stood before");
        assert_eq!(
            asked_where(&[], &late, Some(1)),
            (unresolved, vec![(100, Mark::Unresolved)]),
            "a correction to another unit may stand there"
        );
    }

    #[test]
    fn what_lies_before_a_range_counts_as_not_read() {
        use crate::audit::checkpoint::Checkpoint;
        use crate::audit::leaf::{Leaf, Openings};
        use crate::audit::question::{Period, Question, Survey};
        use crate::audit::range::{Held, OpenEntry};
        use crate::audit::sight::Sight;
        use crate::audit::tree::Hash;
        let log = [records(&[overdue("ru-hamar")]), vec![withdrawn("politi-vest")]].concat();
        let found = |from: u64| {
            let mut survey = Survey::new(Sight::ALL, Period::default(), &[Question::Overdue], from, None);
            for (index, record) in (from..).zip(&log) {
                let openings = Openings::new([1; 32], [2; 32]);
                let leaf = Leaf::commit(&openings, &record.sender_part(), &record.gateway_part());
                survey.take(&OpenEntry { index, leaf: Some(leaf), held: Held::Record(Box::new((record.clone(), openings))) });
            }
            let head = Checkpoint::new("log.example/x".parse().unwrap(), from + 2, Hash::empty_root()).unwrap();
            survey.finish(&head, None).answers[0].finding
        };
        assert_eq!(found(0), Finding::Overdue { open: 1, settled: 0, unresolved: 0 }, "there is nothing before it");
        assert_eq!(found(4), Finding::Overdue { open: 0, settled: 0, unresolved: 1 });
        // So many that they are not counted any more: one may have been between.
        assert_eq!([(3, 3), (3, 4), (u32::MAX, u32::MAX)].map(|(one, other)| is_unread_between(one, other)), [false, true, true]);
    }

    #[test]
    fn what_another_settled_is_not_told_as_waiting_where_its_succession_may_stand_unread() {
        let log = records(&[overdue("ru-hamar"), acknowledged("ru-oslo")]);
        let finding = |unread| asked_where(&[], &log, unread);
        let (waits, unresolved) =
            (Finding::Overdue { open: 1, settled: 0, unresolved: 0 }, Finding::Overdue { open: 0, settled: 0, unresolved: 1 });
        assert_eq!(finding(None), (waits, vec![(100, Mark::Open)]), "everything was read: of a message with two deliveries, the other");
        assert_eq!(finding(Some(0)).0, waits, "whoever is late when the message is has not passed on before that");
        assert_eq!(finding(Some(1)), (unresolved, vec![(100, Mark::Unresolved)]));
        let both = [log, records(&[acknowledged("ru-hamar")])].concat();
        assert_eq!(
            asked_where(&[], &both, Some(1)).0,
            Finding::Overdue { open: 0, settled: 1, unresolved: 0 },
            "it was the other delivery's"
        );
        // Its sender may have been followed before it was late.
        let taken_back = [records(&[overdue("ru-hamar")]), vec![withdrawn("politi-vest")]].concat();
        for (unread, found) in [(None, waits), (Some(0), unresolved), (Some(1), unresolved)] {
            assert_eq!(asked_where(&[], &taken_back, unread).0, found, "{unread:?}");
        }
    }
}
