//! What is overdue?

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Finding, Mark, Row, Rows, Seen};
use crate::audit::event::kind;
use crate::domain::id::{MessageId, ParticipantId};

/// Undelivered messages that are followed at once.
const FOLLOWED_MAX: usize = 4_000_000;

/// One delivery: log index of the acceptance and whose mailbox.
type Delivery = (u64, ParticipantId);

#[derive(Debug, Clone, Default)]
pub(super) struct Overdue {
    /// Deliveries that were marked overdue and are not settled.
    open: BTreeMap<Delivery, Row>,
    /// Acceptances that nobody has fetched, by sender and id: replaced or withdrawn now, they are never delivered.
    waiting: HashMap<(ParticipantId, MessageId), u64>,
    fetched: HashSet<u64>,
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
            | kind::RESULT_WITHDRAWN => self.accepted(seen),
            kind::HANDED_OUT => {
                if let Some(about) = record.about.filter(|_| self.fetched.len() < FOLLOWED_MAX) {
                    self.fetched.insert(about);
                }
            }
            kind::OVERDUE => {
                if let (true, Some(delivery)) = (seen.visible, self.delivery(record.about, record.recipient.as_ref())) {
                    self.open.insert(delivery, Row { index: seen.index, record: record.clone(), mark: Mark::Open });
                }
            }
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

    fn delivery(&self, about: Option<u64>, recipient: Option<&ParticipantId>) -> Option<Delivery> {
        about.zip(recipient.cloned()).filter(|_| self.open.len() < FOLLOWED_MAX)
    }

    fn accepted(&mut self, seen: Seen<'_>) {
        let record = seen.record;
        let Some(sender) = &record.actor else { return };
        if let Some(old) = record.replaces.and_then(|id| self.waiting.remove(&(sender.clone(), id)))
            && !self.fetched.contains(&old)
        {
            let gone: Vec<Delivery> = self.open.keys().filter(|(about, _)| *about == old).cloned().collect();
            gone.iter().for_each(|(about, recipient)| self.settle(Some(*about), Some(recipient)));
        }
        if let Some(id) = record.message_id.filter(|_| self.waiting.len() < FOLLOWED_MAX) {
            self.waiting.insert((sender.clone(), id), seen.index);
        }
    }

    /// What waited for `from` waits for `to`; what `from` sent is `to`'s to replace.
    fn pass(&mut self, from: &ParticipantId, to: &ParticipantId) {
        let moved: Vec<Delivery> = self.open.keys().filter(|(_, recipient)| recipient == from).cloned().collect();
        for delivery in moved {
            if let Some(row) = self.open.remove(&delivery) {
                self.open.insert((delivery.0, to.clone()), row);
            }
        }
        let sent: Vec<_> = self.waiting.keys().filter(|(sender, _)| sender == from).cloned().collect();
        for (sender, id) in sent {
            if let Some(index) = self.waiting.remove(&(sender, id)) {
                self.waiting.entry((to.clone(), id)).or_insert(index);
            }
        }
    }

    fn settle(&mut self, about: Option<u64>, recipient: Option<&ParticipantId>) {
        let Some(delivery) = about.zip(recipient.cloned()) else { return };
        self.fetched.remove(&delivery.0);
        if let Some(row) = self.open.remove(&delivery) {
            self.settled += 1;
            self.rows.push(row.index, &row.record, Mark::Settled);
        }
    }

    pub(super) fn finish(self) -> (Finding, Rows) {
        let Self { open, waiting: _, fetched: _, settled, rows: settled_rows } = self;
        let finding = Finding::Overdue { open: open.len() as u64, settled };
        let mut all: Vec<Row> = settled_rows.kept.into_iter().chain(open.into_values()).collect();
        all.sort_by_key(|row| row.index);
        let mut rows = Rows { left_out: settled_rows.left_out, ..Rows::default() };
        for row in all {
            rows.push(row.index, &row.record, row.mark);
        }
        (finding, rows)
    }
}
