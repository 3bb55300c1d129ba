//! The state that events build: cases, mailboxes, ids, contacts. Shared by the stores that keep it in memory.
//!
//! `apply` never decides and never fails: what an event says has happened. Replaying the same events gives the same state.

mod apply;
mod clocks;
mod ids;
mod query;
mod snapshot;
mod succession;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

pub use apply::Applied;
pub use clocks::{Clocks, Places};
use ids::Ids;
pub use snapshot::{Later, Snapshot};

use crate::audit::event::ItemNumber;
use crate::domain::hold::{HeldCase, Hold};
use crate::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use crate::domain::limits::MESSAGE_ID_AGE_MAX_MILLIS;
use crate::domain::participant::{Contact, Register};
use crate::domain::register_past::Bearer;
use crate::domain::scope::AuditScope;
use crate::domain::secret::Secret;
use crate::domain::time::{Date, Timestamp};
use crate::policy::case::{Case, IdEntry, ItemBody, Message};
use crate::policy::command::{Body, Command, Reference, Submission};
use crate::policy::view::{Mailboxes, View};

/// Milliseconds for which an ended case still answers `CASE_ENDED` to its parties: 30 days.
pub const ENDED_CASE_KEPT_MILLIS: i64 = 30 * crate::domain::time::DAY_MILLIS;

/// Cases, mailboxes, ids and contacts.
#[derive(Debug)]
pub struct State {
    register: Arc<Register>,
    register_digest: [u8; 32],
    subject_key: Secret,
    last_time: Timestamp,
    clocks: Clocks,
    ids: Ids,
    // By log index: a new one comes last in the tree, in the processor's cache, where a table would put it anywhere and be copied as it grows.
    // Each in a box of its own, as cases are: what holds them itself is far larger than the cache.
    messages: BTreeMap<u64, Box<Message>>,
    cases: HashMap<CaseRef, Box<Case>>,
    contacts: BTreeMap<ParticipantId, Contact>,
    /// Every id that ever stood in a register, with whom it stood for: an id is never used for another. Unknown of those that had left before
    /// bases held it.
    known: HashMap<ParticipantId, Option<Bearer>>,
    holds: BTreeMap<CaseRef, Hold>,
    // What follows is derived from what stands above.
    requisitions: HashMap<RequisitionId, CaseRef>,
    mailboxes: HashMap<ParticipantId, BTreeSet<ItemNumber>>,
    feeds: HashMap<ParticipantId, BTreeSet<(u64, u64)>>,
    ends: BTreeSet<(Date, CaseRef)>,
    ended: BTreeSet<(Timestamp, CaseRef)>,
    overdue: u64,
}

impl State {
    /// Nothing yet. `subject_key` keys the commitments to subjects.
    #[must_use]
    pub fn new(subject_key: [u8; 32]) -> Self {
        Self {
            register: Arc::new(Register::default()),
            register_digest: [0; 32],
            subject_key: Secret::new(subject_key),
            last_time: Timestamp::from_millis(0),
            clocks: Clocks::new(),
            ids: Ids::default(),
            messages: BTreeMap::new(),
            cases: HashMap::new(),
            contacts: BTreeMap::new(),
            known: HashMap::new(),
            holds: BTreeMap::new(),
            requisitions: HashMap::new(),
            mailboxes: HashMap::new(),
            feeds: HashMap::new(),
            ends: BTreeSet::new(),
            ended: BTreeSet::new(),
            overdue: 0,
        }
    }

    /// The register in force.
    #[must_use]
    pub const fn register(&self) -> &Arc<Register> {
        &self.register
    }

    /// SHA-256 of the register's file.
    #[must_use]
    pub const fn register_digest(&self) -> &[u8; 32] {
        &self.register_digest
    }

    /// Gives the auditors of the register in force their scopes.
    fn set_scopes(&mut self, scopes: Vec<(ParticipantId, AuditScope)>) {
        self.register = Arc::new(self.register.with_scopes(scopes));
    }

    /// The message that was accepted at `index`.
    fn message(&self, index: u64) -> Option<&Message> {
        self.messages.get(&index).map(Box::as_ref)
    }

    /// The case of a reference.
    fn case(&self, case_ref: CaseRef) -> Option<&Case> {
        self.cases.get(&case_ref).map(Box::as_ref)
    }

    /// The time of the last event.
    #[must_use]
    pub const fn last_time(&self) -> Timestamp {
        self.last_time
    }

    /// The time of the next event when the clock shows `now`: never before the last one's.
    #[must_use]
    pub fn time_of_next(&self, now: Timestamp) -> Timestamp {
        now.max(self.last_time)
    }

    /// Whether the content of the message at `index` is still to be delivered; all other content is to be erased.
    #[must_use]
    pub fn needs_content(&self, index: u64) -> bool {
        self.message(index).is_some_and(|message| message.main.body == ItemBody::Content && message.main.is_open())
    }

    /// Forgets ids of messages below log index `size` that would be refused as stale at `now` and whose message is no longer kept. What was forgotten
    /// by a clock that was ahead is admitted again when the clock is right, or set back: how new the newest of them was is remembered.
    pub fn forget_stale_ids(&mut self, now: Timestamp, size: u64) {
        let forgotten = self.ids.forget_before(now.plus_millis(-MESSAGE_ID_AGE_MAX_MILLIS), size);
        self.clocks.forget(forgotten, size);
    }

    /// No id that was made after it has been forgotten.
    #[must_use]
    pub const fn forgotten(&self) -> Timestamp {
        self.clocks.forgotten()
    }

    /// Whether `id` of `sender` is one that the state does not know and may have forgotten, while the clock shows `now` and would admit it.
    #[must_use]
    pub fn may_have_forgotten(&self, sender: &ParticipantId, id: MessageId, now: Timestamp) -> bool {
        let made = id.timestamp();
        made <= self.forgotten() && made >= now.plus_millis(-MESSAGE_ID_AGE_MAX_MILLIS) && self.bound(sender, id).next().is_none()
    }

    /// What a wrong clock left behind.
    #[must_use]
    pub const fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// What `command` may look at.
    #[must_use]
    pub fn view(&self, command: &Command) -> View<'_> {
        let mut view = View::empty(&self.register, &self.subject_key);
        match command {
            Command::Submit { permit, submission } => self.load_submission(&mut view, permit.caller().id(), submission),
            Command::HandOut { items, .. } | Command::Acknowledge { items, .. } => {
                view.items = items.iter().map(|item| self.message(item.index())).collect();
                let requisition = |message: &Option<&Message>| message.and_then(|message| self.case(message.case_ref)?.requisition_id);
                view.requisitions = view.items.iter().map(requisition).collect();
            }
            Command::Return { item, .. } | Command::MarkOverdue { item } => {
                let message = self.message(item.index());
                view.items = vec![message];
                view.case = message.and_then(|message| self.case(message.case_ref));
            }
            Command::EndCase { case_ref } | Command::ForgetCase { case_ref } => {
                view.case = self.case(*case_ref);
                if let Some(case) = view.case {
                    view.case_messages = case.messages.iter().filter_map(|index| self.message(*index)).collect();
                }
            }
            Command::LoadRegister { register, .. } => view.passing = self.passing(register),
            Command::PlaceHold { case: HeldCase { case_ref, .. }, .. }
            | Command::LiftHold { case_ref, .. }
            | Command::EndHold { case_ref } => {
                view.hold = self.holds.get(case_ref);
                view.holds = self.holds.len();
            }
            Command::SetContact { .. }
            | Command::Audit { .. }
            | Command::Ask { .. }
            | Command::Review { .. }
            | Command::Refuse { .. }
            | Command::Note(_) => {}
        }
        view
    }

    fn load_submission<'a>(&'a self, view: &mut View<'a>, caller: &ParticipantId, submission: &Submission) {
        view.mailboxes = Mailboxes::of(&self.mailboxes);
        view.forgotten = self.forgotten();
        // Two that became one may have chosen the same id: the one with this content is the one that is sent again.
        let mut bound = self.bound(caller, submission.message_id);
        view.id = bound.next().map(|first| {
            let same = |entry: &&IdEntry| entry.commit == submission.commit;
            if same(&first) { first } else { bound.find(same).unwrap_or(first) }
        });
        view.replaced = submission.replaces.and_then(|id| self.bound(caller, id).find_map(|entry| self.message(entry.index)));
        view.case = match submission.reference() {
            Reference::Case(case_ref) => self.case(case_ref),
            Reference::Requisition(id) => self.requisitions.get(&id).and_then(|case_ref| self.case(*case_ref)),
            Reference::None => view.replaced.and_then(|message| self.case(message.case_ref)),
        };
        if let Body::Notice(notice) = &submission.body {
            view.unit_contact = self.register.unit_of(notice.municipality_of_stay()).and_then(|unit| self.contacts.get(&unit.id));
        }
    }
}
