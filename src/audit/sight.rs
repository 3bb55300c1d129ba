//! Which records an auditor sees: those that concern its scope. What is outside is neither shown nor counted.

use std::collections::BTreeSet;

use super::event::kind;
use super::record::Record;
use crate::domain::id::{CaseRef, ParticipantId};
use crate::domain::participant::Register;
use crate::domain::scope::AuditScope;

/// A scope, resolved against the register in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    reader: Option<ParticipantId>,
    /// None is everyone.
    parties: Option<BTreeSet<ParticipantId>>,
    /// Cases that are or were held, of which something else is seen.
    held: BTreeSet<CaseRef>,
}

impl Sight {
    /// Everything: for whoever holds the whole log, as an offline check does.
    pub const ALL: Self = Self { reader: None, parties: None, held: BTreeSet::new() };

    /// What the auditor `reader` sees under `register`. An entry without a scope sees nothing but its own reading.
    #[must_use]
    pub fn of(reader: &ParticipantId, register: &Register) -> Self {
        let parties = match register.get(reader).and_then(|entry| entry.scope.as_ref()) {
            Some(AuditScope::All) => None,
            Some(AuditScope::Participants(named)) => Some(named.clone()),
            Some(AuditScope::Municipalities(named)) => {
                Some(named.iter().filter_map(|number| register.unit_of(*number)).map(|unit| unit.id.clone()).collect())
            }
            None => Some(BTreeSet::new()),
        };
        // What a party took over is seen with it: those cases are its own now.
        let parties = parties.map(|mut parties: BTreeSet<ParticipantId>| {
            let before: Vec<_> = parties.iter().flat_map(|id| register.predecessors(id)).cloned().collect();
            parties.extend(before);
            parties
        });
        Self { reader: Some(reader.clone()), parties, held: BTreeSet::new() }
    }

    /// The same, for one who sees something of these cases besides that they are held: then what is told of the holds on them is seen too, whoever it
    /// names. A case may have more parties than the entry of its hold names.
    #[must_use]
    pub fn with_holds_on(self, cases: impl IntoIterator<Item = CaseRef>) -> Self {
        Self { held: cases.into_iter().collect(), ..self }
    }

    /// Whose sight it is; none where the whole log is at hand.
    #[must_use]
    pub const fn reader(&self) -> Option<&ParticipantId> {
        self.reader.as_ref()
    }

    /// Whose records are seen, by id; none means everyone's.
    #[must_use]
    pub const fn parties(&self) -> Option<&BTreeSet<ParticipantId>> {
        self.parties.as_ref()
    }

    /// Whether `record` concerns the scope: a party of it acted, sent or received; or the gateway did something that concerns everyone alike
    /// and counts nobody's messages; or someone read the log without asking for anybody else.
    #[must_use]
    pub fn sees(&self, record: &Record) -> bool {
        let Some(parties) = &self.parties else { return true };
        let is_party = |id: &Option<ParticipantId>| id.as_ref().is_some_and(|id| parties.contains(id));
        match record.kind {
            kind::LOG_OPENED
            | kind::STARTED
            | kind::STOPPED
            | kind::REGISTER_LOADED
            | kind::SCOPES_LOADED
            | kind::TRUST_LOADED
            | kind::RELOAD_FAILED
            | kind::ENTRY_LOST => true,
            // What earlier versions wrote counts what no hold kept: beside the entries that are erased, that would show who is held.
            kind::RECORDS_ERASED if record.is_a_month_by_its_places() => true,
            // Who stands for whom: without it nothing that passed on can be judged. What earlier versions wrote counts what passed.
            kind::SUCCEEDED if record.note.is_none() => true,
            kind::AUDIT_READ | kind::AUDIT_ASKED | kind::REVIEWED => {
                let asked_for_one = record.recipient.is_some() || record.case_ref.is_some() || record.message_id.is_some();
                record.actor == self.reader || is_party(&record.recipient) || !asked_for_one
            }
            kind::HOLD_PLACED | kind::HOLD_LIFTED if record.actor == self.reader => true,
            kind::HOLD_PLACED | kind::HOLD_LIFTED | kind::HOLD_ENDED | kind::HELD_ERASED
                if record.case_ref.is_some_and(|case| self.held.contains(&case)) =>
            {
                true
            }
            _ => [&record.actor, &record.sender, &record.recipient].into_iter().any(is_party),
        }
    }
}
