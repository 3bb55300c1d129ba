//! What a retired participant had passes to its successor: once, by an event, for as long as anything of it is kept.
//!
//! What passes on as a *place* is rewritten: whose mailbox, who is a party of a case. What is *history* stays: who sent a message and chose its
//! id. The right to that history is read from the register, in which a retired participant stands for ever.

use super::State;
use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::participant::{Register, Standing};
use crate::policy::case::IdEntry;

impl State {
    /// Whose the messages are that `sender` sent.
    pub(super) fn owner<'a>(&'a self, sender: &'a ParticipantId) -> &'a ParticipantId {
        self.register.heir_of(sender).unwrap_or(sender)
    }

    /// The entries that `id` is bound to for `caller`: its own, then those of whom it followed.
    pub(super) fn bound<'a>(&'a self, caller: &ParticipantId, id: MessageId) -> impl Iterator<Item = &'a IdEntry> + use<'a> {
        let inherited = self.register.predecessors(caller).iter().filter_map(move |sender| self.ids.get(sender, id));
        self.ids.get(caller, id).into_iter().chain(inherited)
    }

    /// Who is retired by `next`.
    pub(super) fn passing(&self, next: &Register) -> Vec<ParticipantId> {
        let newly = |id: &ParticipantId| self.register.get(id).is_some_and(|old| old.standing != Standing::Retired);
        let retired = next.iter().filter(|entry| next.heir_of(&entry.id).is_some() && newly(&entry.id));
        retired.map(|entry| entry.id.clone()).collect()
    }

    /// `to` has from here what `from` had. What the sender of a message is shown changes where `to` is suspended; what `to` is shown begins with
    /// all that `from` sent.
    pub(super) fn succeeded(&mut self, from: &ParticipantId, to: &ParticipantId, index: u64) {
        let to = self.intern(to);
        let items = self.mailboxes.remove(from).unwrap_or_default();
        for message in self.messages.values_mut() {
            for delivery in [Some(&mut message.main), message.moved.as_deref_mut()].into_iter().flatten() {
                if delivery.recipient == *from {
                    delivery.recipient = to.clone();
                    // Readers are the predecessor's own names. That it was handed out stays true: what was told is not untold.
                    delivery.readers = Vec::new();
                }
            }
        }
        for case in self.cases.values_mut() {
            case.pass(from, &to);
        }
        self.contacts.remove(from);
        let sent = self.feeds.remove(from).unwrap_or_default();
        let feed = self.feeds.entry(to.clone()).or_default();
        for (_, of) in sent {
            if let Some(message) = self.messages.get_mut(&of) {
                feed.remove(&(message.changed, of));
                message.changed = index;
                feed.insert((index, of));
            }
        }
        let waits = self.register.get(&to).is_some_and(|entry| entry.standing == Standing::Suspended);
        for item in items.iter().filter(|item| waits && !item.is_moved()) {
            self.change(item.index(), index, |_| ());
        }
        self.mailboxes.entry(to).or_default().extend(items);
    }

    /// The log index of the message that `sender`, or whom it followed, has bound `id` to.
    #[must_use]
    pub fn index_of(&self, sender: &ParticipantId, id: MessageId) -> Option<u64> {
        self.bound(sender, id).next().map(|entry| entry.index)
    }
}
