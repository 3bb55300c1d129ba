//! What a decision may look at: a few entries, loaded by the store for one command.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::case::{Case, IdEntry, Message};
use crate::audit::event::ItemNumber;
use crate::domain::hold::Hold;
use crate::domain::id::{ParticipantId, RequisitionId};
use crate::domain::participant::{Contact, Register};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

/// What waits for whom. The recipient is known only once it is decided.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mailboxes<'a>(Option<&'a HashMap<ParticipantId, BTreeSet<ItemNumber>>>);

impl<'a> Mailboxes<'a> {
    /// Of these items.
    #[must_use]
    pub const fn of(items: &'a HashMap<ParticipantId, BTreeSet<ItemNumber>>) -> Self {
        Self(Some(items))
    }

    /// How many items wait for `recipient`.
    #[must_use]
    pub fn depth(&self, recipient: &ParticipantId) -> usize {
        self.0.and_then(|all| all.get(recipient)).map_or(0, BTreeSet::len)
    }
}

/// The entries that a command touches. A store fills what it finds; what is missing is `None`.
#[derive(Debug)]
pub struct View<'a> {
    /// The register in force.
    pub register: &'a Register,
    /// Key of the commitments to subjects; one per store, wrapped by the storage key.
    pub subject_key: &'a Secret,
    /// The entry of (caller, message id).
    pub id: Option<&'a IdEntry>,
    /// No id that was made after it has been forgotten.
    pub forgotten: Timestamp,
    /// The message of (caller, replaces).
    pub replaced: Option<&'a Message>,
    /// The case of the reference, of `replaces` or of the item.
    pub case: Option<&'a Case>,
    /// The messages of the items, in the command's order.
    pub items: Vec<Option<&'a Message>>,
    /// The requisitions of those messages' cases.
    pub requisitions: Vec<Option<RequisitionId>>,
    /// The messages of the case, for its end.
    pub case_messages: Vec<&'a Message>,
    /// The contact that the unit of the notice's municipality set itself.
    pub unit_contact: Option<&'a Contact>,
    /// How much waits for the recipient of a submission.
    pub mailboxes: Mailboxes<'a>,
    /// Who is retired by the register that comes into force, by id.
    pub passing: Vec<ParticipantId>,
    /// The hold on the case that a hold is placed on, lifted from or ended.
    pub hold: Option<&'a Hold>,
    /// Holds in force.
    pub holds: usize,
}

impl<'a> View<'a> {
    /// A view of nothing but the register.
    #[must_use]
    pub const fn empty(register: &'a Register, subject_key: &'a Secret) -> Self {
        Self {
            register,
            subject_key,
            id: None,
            forgotten: Timestamp::from_millis(i64::MIN),
            replaced: None,
            case: None,
            items: Vec::new(),
            requisitions: Vec::new(),
            case_messages: Vec::new(),
            unit_contact: None,
            passing: Vec::new(),
            hold: None,
            holds: 0,
            mailboxes: Mailboxes(None),
        }
    }
}
