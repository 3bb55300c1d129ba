//! What can be asked of the state.

use super::{ENDED_CASE_KEPT_MILLIS, State};
use crate::audit::event::{ItemNumber, MessageKind};
use crate::domain::hold::Hold;
use crate::domain::id::{CaseRef, MessageId, ParticipantId};
use crate::domain::participant::{Contact, Register, Standing};
use crate::domain::register_past::RegisterPast;
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::policy::case::{CaseState, Fate, ItemBody, Message};
use crate::store::{Cursor, Due, Item, NOTICE_AGES_DAYS, OverdueAfter, Stats, StatusEntry};

impl State {
    /// Open items of `recipient` above `after`, in acceptance order.
    #[must_use]
    pub fn waiting(&self, recipient: &ParticipantId, after: Option<ItemNumber>, max: usize) -> Vec<Item> {
        let Some(mailbox) = self.mailboxes.get(recipient) else { return Vec::new() };
        let start = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        mailbox.range((start, std::ops::Bound::Unbounded)).take(max).filter_map(|item| self.item(*item)).collect()
    }

    fn item(&self, number: ItemNumber) -> Option<Item> {
        let message = self.messages.get(&number.index())?;
        let delivery = message.delivery(number)?;
        let case = self.cases.get(&message.case_ref)?;
        let notice = self.messages.get(&case.current().index);
        Some(Item {
            item: number,
            kind: message.kind,
            body: delivery.body,
            sender: message.sender.clone(),
            accepted_at: message.accepted_at,
            case_ref: message.case_ref,
            requisition_id: case.requisition_id,
            replaces: self.last_told(message.replaces, &delivery.recipient),
            notice_message_id: notice.map_or(message.message_id, |notice| notice.message_id),
            contact_key: case.current().facts.contact_key.as_str().to_owned(),
            overdue: delivery.overdue,
        })
    }

    /// Where a sender's message stands.
    #[must_use]
    pub fn status(&self, sender: &ParticipantId, message_id: MessageId) -> Option<StatusEntry> {
        let index = self.index_of(sender, message_id)?;
        self.messages.get(&index).map(|message| self.status_entry(message))
    }

    fn status_entry(&self, message: &Message) -> StatusEntry {
        let suspended = self.register.get(&message.main.recipient).is_some_and(|participant| participant.standing == Standing::Suspended);
        StatusEntry {
            message_id: message.message_id,
            kind: message.kind,
            status: message.status(suspended),
            return_reason: match message.fate {
                Fate::Returned { reason } => Some(reason),
                Fate::Live | Fate::Superseded | Fate::Withdrawn => None,
            },
            accepted_at: message.accepted_at,
            cursor: Cursor { changed: message.changed, index: message.index },
        }
    }

    /// The sender's messages that changed after `after`, oldest change first.
    #[must_use]
    pub fn changes(&self, sender: &ParticipantId, after: Cursor, max: usize) -> Vec<StatusEntry> {
        let Some(feed) = self.feeds.get(sender) else { return Vec::new() };
        feed.range((std::ops::Bound::Excluded((after.changed, after.index)), std::ops::Bound::Unbounded))
            .take(max)
            .filter_map(|(_, index)| self.messages.get(index))
            .map(|message| self.status_entry(message))
            .collect()
    }

    /// When the message at a log index was accepted, while it is remembered.
    #[must_use]
    pub fn accepted_at(&self, index: u64) -> Option<Timestamp> {
        self.messages.get(&index).map(|message| message.accepted_at)
    }

    /// When the oldest item that nobody has acknowledged was accepted.
    #[must_use]
    pub fn oldest_undelivered(&self) -> Option<Timestamp> {
        self.mailboxes.values().filter_map(|mailbox| mailbox.first()).filter_map(|item| self.accepted_at(item.index())).min()
    }

    /// What `next` is held against before it comes into force.
    #[must_use]
    pub fn register_past(&self, next: &Register) -> RegisterPast {
        let in_force = self.register();
        let left = self.known.iter().filter(|(id, _)| in_force.get(id).is_none());
        let needed = in_force.iter().map(|entry| &entry.id).filter(|id| next.get(id).is_none() && self.is_needed(id));
        RegisterPast::new(in_force.clone(), left.map(|(id, bearer)| (id.clone(), *bearer)).collect(), needed.cloned().collect())
    }

    /// The contact that a unit set itself.
    #[must_use]
    pub fn contact(&self, unit: &ParticipantId) -> Option<&Contact> {
        self.contacts.get(unit)
    }

    /// Whether `participant` has open mail or is a party of a case that is not over.
    #[must_use]
    pub fn is_needed(&self, participant: &ParticipantId) -> bool {
        self.mailboxes.get(participant).is_some_and(|mailbox| !mailbox.is_empty())
            || self.cases.values().any(|case| !matches!(case.state, CaseState::Ended { .. }) && case.has_party(participant))
    }

    /// Holds in force, by case.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        self.holds.values().cloned().collect()
    }

    /// What time demands when the clock shows `now`, at most `max` of each. No item's deadline depends on another's.
    #[must_use]
    pub fn due(&self, now: Timestamp, overdue_after: OverdueAfter, max: usize) -> Due {
        let today = now.oslo_date();
        let overdue = self
            .mailboxes
            .values()
            .flatten()
            .filter(|item| {
                self.messages.get(&item.index()).is_some_and(|message| {
                    message.delivery(**item).is_some_and(|delivery| !delivery.overdue)
                        && message.aged_from(now).plus_millis(overdue_after.of(message.kind)) <= now
                })
            })
            .take(max)
            .copied()
            .collect();
        let ended: Vec<CaseRef> = self.ends.iter().take_while(|(end, _)| *end <= today).take(max).map(|(_, case_ref)| *case_ref).collect();
        let horizon = now.plus_millis(-ENDED_CASE_KEPT_MILLIS);
        let forgotten = self.ended.iter().take_while(|(at, _)| *at <= horizon).take(max).map(|(_, case_ref)| *case_ref).collect();
        let holds = self.holds.values().filter(|hold| hold.until < today).take(max).map(|hold| hold.case.case_ref).collect();
        Due { overdue, ended, forgotten, holds }
    }

    /// Counts of what is in the state, ages as of `now`; the log's sizes and what cannot be read are the store's to add.
    #[must_use]
    pub fn stats(&self, now: Timestamp) -> Stats {
        Stats {
            durable_size: 0,
            published_size: 0,
            undelivered: self.mailboxes.values().map(|mailbox| mailbox.len() as u64).sum(),
            overdue: self.overdue,
            unreadable: 0,
            turns_fail_seconds: 0,
            damaged_tiles: 0,
            cases: self.cases.values().filter(|case| !matches!(case.state, CaseState::Ended { .. })).count() as u64,
            ids: self.ids.len() as u64,
            notices_older_than: self.notices_older_than(now),
        }
    }

    /// A withdrawal has no meeting ahead of it, so only notices with content count.
    fn notices_older_than(&self, now: Timestamp) -> [u64; NOTICE_AGES_DAYS.len()] {
        let mut counts = [0; NOTICE_AGES_DAYS.len()];
        for item in self.mailboxes.values().flatten() {
            let Some(message) = self.messages.get(&item.index()) else { continue };
            let told = message.delivery(*item).is_some_and(|delivery| delivery.body == ItemBody::Content);
            if message.kind != MessageKind::ConditionNotice || !told {
                continue;
            }
            for (count, days) in counts.iter_mut().zip(NOTICE_AGES_DAYS) {
                *count += u64::from(message.aged_from(now).plus_millis(days * DAY_MILLIS) <= now);
            }
        }
        counts
    }
}
