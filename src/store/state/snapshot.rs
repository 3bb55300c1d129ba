//! The state as plain data, for a base file and back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Clocks, State};
use crate::audit::event::ItemNumber;
use crate::domain::hold::Hold;
use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::limits::MESSAGE_ID_AGE_MAX_MILLIS;
use crate::domain::participant::{Contact, Participant, Register, RegisterError};
use crate::domain::register_past::Bearer;
use crate::domain::scope::AuditScope;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, CaseState, IdEntry, Message};

/// Everything the state cannot derive, in a fixed order: equal states give equal snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    generation: u64,
    register_digest: [u8; 32],
    participants: Vec<Participant>,
    subject_key: Secret,
    last_time: Timestamp,
    ids: Vec<(ParticipantId, MessageId, IdEntry)>,
    messages: Vec<Message>,
    cases: Vec<Case>,
    contacts: Vec<(ParticipantId, Contact)>,
    known: Vec<ParticipantId>,
    /// What a base has held since version 1 ends above; what came later stands behind it, so that older bases are read as they are.
    #[serde(skip)]
    pub later: Later,
}

/// What bases of the first programs do not hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Later {
    /// The auditors' scopes.
    scopes: Vec<(ParticipantId, AuditScope)>,
    /// Holds in force. Stands behind everything else of a base, as it came later still.
    #[serde(skip)]
    pub holds: Vec<Hold>,
    /// Whom ids stood for that are in no register now. Stands behind the holds, where there are any.
    #[serde(skip)]
    pub former: Vec<(ParticipantId, Bearer)>,
    /// What a wrong clock left behind. Stands last; a base without it was written by a program that forgot ids by the log's time alone.
    #[serde(skip)]
    pub clocks: Option<Clocks>,
}

impl State {
    /// Whom ids stood for that are in no register now.
    fn former(&self) -> Vec<(ParticipantId, Bearer)> {
        let left = self.known.iter().filter(|(id, _)| self.register.get(id).is_none());
        let mut former: Vec<_> = left.filter_map(|(id, bearer)| Some((id.clone(), (*bearer)?))).collect();
        former.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        former
    }

    /// The state as plain data.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut ids: Vec<_> = self.ids.iter().map(|(sender, id, entry)| (sender.clone(), id, entry.clone())).collect();
        // Each has an index of its own, but in a base that no program wrote.
        ids.sort_unstable_by(|(sender, id, entry), (other, other_id, of)| (entry.index, sender, id).cmp(&(of.index, other, other_id)));
        let messages = self.messages.values().map(|message| Message::clone(message)).collect();
        let mut known: Vec<ParticipantId> = self.known.keys().cloned().collect();
        known.sort_unstable();
        let mut cases: Vec<Case> = self.cases.values().map(|case| Case::clone(case)).collect();
        cases.sort_unstable_by_key(|case| case.case_ref);
        Snapshot {
            generation: self.register.generation(),
            register_digest: self.register_digest,
            participants: self.register.iter().map(|participant| participant.as_ref().clone()).collect(),
            subject_key: self.subject_key.clone(),
            last_time: self.last_time,
            ids,
            messages,
            cases,
            contacts: self.contacts.iter().map(|(unit, contact)| (unit.clone(), contact.clone())).collect(),
            known,
            later: Later {
                holds: self.holds(),
                former: self.former(),
                clocks: Some(self.clocks.clone()),
                scopes: self.register.iter().filter_map(|entry| entry.scope.clone().map(|scope| (entry.id.clone(), scope))).collect(),
            },
        }
    }

    /// The state of a snapshot, with everything derived anew.
    ///
    /// # Errors
    /// When the register in it breaks a rule, which a snapshot written by this program cannot.
    pub fn restore(snapshot: Snapshot) -> Result<Self, RegisterError> {
        let Snapshot { generation, register_digest, participants, subject_key, last_time, ids, messages, cases, contacts, known, later } =
            snapshot;
        let mut state = Self::new(*subject_key);
        state.register = Arc::new(Register::new(generation, participants, &|_| true)?);
        state.set_scopes(later.scopes);
        state.holds = later.holds.into_iter().map(|hold| (hold.case.case_ref, hold)).collect();
        state.register_digest = register_digest;
        state.last_time = last_time;
        state.clocks = later.clocks.unwrap_or_else(|| Clocks::forgot(last_time.plus_millis(-MESSAGE_ID_AGE_MAX_MILLIS)));
        state.contacts = contacts.into_iter().collect();
        state.known = known.into_iter().map(|id| (id, None)).collect();
        let in_force = state.register.iter().map(|entry| (entry.id.clone(), entry.as_ref().into()));
        for (id, bearer) in in_force.chain(later.former) {
            state.known.insert(id, Some(bearer));
        }
        state.cases.reserve(cases.len());
        for mut case in cases {
            case.prosecution = state.intern(&case.prosecution);
            for version in &mut case.notices {
                version.unit = state.intern(&version.unit);
            }
            match case.state {
                CaseState::Ended { at } => state.ended.insert((at, case.case_ref)),
                CaseState::Open | CaseState::Withdrawn { .. } => state.ends.insert((case.ends_on(), case.case_ref)),
            };
            if let Some(requisition) = case.requisition_id {
                state.requisitions.insert(requisition, case.case_ref);
            }
            state.cases.insert(case.case_ref, Box::new(case));
        }
        for mut message in messages {
            let index = message.index;
            message.sender = state.intern(&message.sender);
            message.main.recipient = state.intern(&message.main.recipient);
            for item in [ItemNumber::main(index), ItemNumber::moved(index)] {
                if let Some(delivery) = message.delivery(item).filter(|delivery| delivery.is_open()) {
                    state.overdue += u64::from(delivery.overdue);
                    state.mailboxes.entry(delivery.recipient.clone()).or_default().insert(item);
                }
            }
            state.feeds.entry(state.owner(&message.sender).clone()).or_default().insert((message.changed, index));
            state.messages.insert(index, Box::new(message));
        }
        for (sender, id, entry) in ids {
            if !state.messages.contains_key(&entry.index) {
                state.ids.loosen(&sender, id);
            }
            let sender = state.intern(&sender);
            state.ids.insert(&sender, id, entry);
        }
        Ok(state)
    }
}
