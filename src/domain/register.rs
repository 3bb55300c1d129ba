//! The register of all participants: its rules, who is found by key and by municipality, and whose predecessor a retired one is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::id::ParticipantId;
use super::limits;
use super::participant::{EnrolledKey, InvalidParticipant, KeyHash, MunicipalityNumber, Participant, Role, Standing};
use super::scope::AuditScope;
use super::unseen::first_unseen;

/// Why a register is refused. `participant` is the index in the file, from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// More than [`limits::PARTICIPANTS_MAX`] entries.
    #[error("the register holds more than {max} participants", max = limits::PARTICIPANTS_MAX)]
    TooMany,
    /// One id twice.
    #[error("participant {0} stands in the register twice; an id is one participant's")]
    DuplicateId(ParticipantId),
    /// One key for two participants or twice.
    #[error("a key of participant {0} is enrolled elsewhere too; a key belongs to one participant")]
    DuplicateKey(ParticipantId),
    /// No key or too many.
    #[error("participant {0} needs 1 to {max} keys; to cut off one whose only key is in wrong hands, set its standing to suspended", max = limits::KEYS_PER_PARTICIPANT_MAX)]
    Keys(ParticipantId),
    /// A key label or a name out of shape.
    #[error("participant {0}: name is 1 to 100 characters, a key label matches ^[a-z0-9][a-z0-9-]{{0,30}}$")]
    Shape(ParticipantId),
    /// A name with a character that is not seen, or that turns those around it; where it stands, from 1, and which it is.
    #[error(
        "participant {0}: character {1} of its name is U+{code:04X}, which is not seen, ends a line or turns the text around; write the name without it",
        code = u32::from(*.2)
    )]
    UnseenInName(ParticipantId, usize, char),
    /// Contacts out of shape, doubled or too many.
    #[error("participant {0}: {error}", error = InvalidParticipant::Contact)]
    Contacts(ParticipantId),
    /// A unit without a municipality, or another role with one.
    #[error("participant {0}: a municipal unit serves at least one municipality, every other role none")]
    Municipalities(ParticipantId),
    /// A municipality that is not in the table.
    #[error("participant {0} serves a municipality number that does not exist")]
    UnknownMunicipality(ParticipantId),
    /// Two units for one municipality.
    #[error("participant {0} serves a municipality that another unit serves; one municipality has one unit")]
    MunicipalityTwice(ParticipantId),
    /// A unit whose system is not declared administrative.
    #[error("participant {0}: set administrative_system = true; attendance is not to stand in a patient journal")]
    NotAdministrative(ParticipantId),
    /// The successor is unknown, itself or of another role.
    #[error("participant {0}: the successor must be another participant of the same role")]
    Successor(ParticipantId),
    /// An auditor without a scope.
    #[error(
        "participant {0}: an auditor needs a scope: \"all\", {{ participants = [\"id\"] }} or {{ municipalities = [\"0301\"] }}; without one it would see nothing"
    )]
    ScopeMissing(ParticipantId),
    /// A scope of one that reads no log.
    #[error("participant {0}: only an auditor has a scope")]
    ScopeOfOther(ParticipantId),
    /// A scope of nobody, or of somebody that is no party here.
    #[error(
        "participant {0}: a scope names at least one, and only participants that are parties here or municipalities that a unit here serves"
    )]
    ScopeUnknown(ParticipantId),
    /// A scope of some of the municipalities that one unit serves.
    #[error(
        "participant {0}: the scope names a municipality whose unit also serves others; records name the unit, so name all of them or none"
    )]
    ScopeCutsUnit(ParticipantId),
    /// A retired participant without a successor.
    #[error("participant {0} is retired: name its successor, which gets its mail, its cases and its messages")]
    RetiredAlone(ParticipantId),
    /// A retired unit that still serves a municipality.
    #[error("participant {0} is retired and still serves a municipality; let the unit that takes over serve it")]
    RetiredServes(ParticipantId),
    /// Successors that lead back to where they began.
    #[error("participant {0}: its successors lead back to itself; the last of them must be one that stays")]
    SuccessorCircle(ParticipantId),
    /// A participant that is not retired names one that is.
    #[error("participant {0}: its successor is retired; name the one that stays")]
    SuccessorRetired(ParticipantId),
    /// Two readers behind one label.
    #[error("participant {0}: each of an auditor's keys needs its own label, as the log names a reader by it")]
    SharedLabel(ParticipantId),
    /// Compared with the register in force: role or organisation number changed.
    #[error("participant {0}: role and organisation number never change; enrol a new id and name it as successor")]
    Changed(ParticipantId),
    /// Compared with the register in force: removed though it has mail or open cases.
    #[error("participant {0} cannot be removed while it has mail or open cases; set standing = \"suspended\"")]
    Removed(ParticipantId),
    /// An id of an earlier register, for somebody else.
    #[error("participant {0} stood in an earlier register with another role or organisation number; enrol a new id")]
    UsedByOther(ParticipantId),
    /// An id of a register so old that nobody knows whose it was.
    #[error(
        "participant {0} stood in a register of an earlier version of this program, which did not keep whose id it was; enrol a new id"
    )]
    UsedBefore(ParticipantId),
    /// Compared with the register in force: a retired participant is back, or has another successor.
    #[error("participant {0} was retired and what it had is its successor's; that is for good, so enrol a new id")]
    Unretired(ParticipantId),
    /// Compared with the register in force: a retired participant is gone.
    #[error("participant {0} is retired and stays in the register; its successor's right to its messages is read from it")]
    RetiredRemoved(ParticipantId),
}

/// The participants in force, indexed. Immutable; a reload makes a new one with the next generation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    generation: u64,
    by_id: BTreeMap<ParticipantId, Arc<Participant>>,
    by_key: HashMap<KeyHash, (ParticipantId, usize)>,
    by_municipality: HashMap<MunicipalityNumber, ParticipantId>,
    /// Of each retired participant, the last of its successors.
    heirs: BTreeMap<ParticipantId, ParticipantId>,
    /// Of each heir, those whose heir it is, by id.
    predecessors: BTreeMap<ParticipantId, Vec<ParticipantId>>,
}

impl Register {
    /// Checks and indexes `participants`. `known` tells whether a municipality number exists.
    ///
    /// # Errors
    /// The first rule that an entry breaks.
    pub fn new(generation: u64, participants: Vec<Participant>, known: &dyn Fn(MunicipalityNumber) -> bool) -> Result<Self, RegisterError> {
        if participants.len() > limits::PARTICIPANTS_MAX {
            return Err(RegisterError::TooMany);
        }
        let mut register = Self { generation, ..Self::default() };
        for participant in participants {
            register.insert(participant, known)?;
        }
        for participant in register.by_id.values() {
            if let Some(successor) = &participant.successor {
                let fits = register.by_id.get(successor).is_some_and(|other| other.role == participant.role && other.id != participant.id);
                if !fits {
                    return Err(RegisterError::Successor(participant.id.clone()));
                }
            }
        }
        register.find_heirs()?;
        Ok(register)
    }

    /// Follows the successors of each retired participant to one that is not retired. There is none where an auditor or a mirror ends without:
    /// it has nothing to pass on.
    fn find_heirs(&mut self) -> Result<(), RegisterError> {
        for entry in self.by_id.values().filter(|entry| entry.standing == Standing::Retired) {
            let mut next = entry;
            for _ in 0..self.by_id.len() {
                let Some(successor) = next.successor.as_ref().filter(|_| next.standing == Standing::Retired) else { break };
                next = self.by_id.get(successor).ok_or_else(|| RegisterError::Successor(next.id.clone()))?;
            }
            if next.standing != Standing::Retired {
                self.heirs.insert(entry.id.clone(), next.id.clone());
                self.predecessors.entry(next.id.clone()).or_default().push(entry.id.clone());
            } else if next.successor.is_some() {
                return Err(RegisterError::SuccessorCircle(entry.id.clone()));
            } else if is_party(next.role) {
                return Err(RegisterError::RetiredAlone(next.id.clone()));
            }
        }
        Ok(())
    }

    fn insert(&mut self, participant: Participant, known: &dyn Fn(MunicipalityNumber) -> bool) -> Result<(), RegisterError> {
        let id = participant.id.clone();
        if !(1..=100).contains(&participant.name.chars().count()) {
            return Err(RegisterError::Shape(id));
        }
        let is_retired = participant.standing == Standing::Retired;
        if !(usize::from(!is_retired)..=limits::KEYS_PER_PARTICIPANT_MAX).contains(&participant.keys.len()) {
            return Err(RegisterError::Keys(id));
        }
        for (i, key) in participant.keys.iter().enumerate() {
            let label = key.label.as_bytes();
            let fits = (1..=31).contains(&label.len())
                && label[0] != b'-'
                && label.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
            if !fits {
                return Err(RegisterError::Shape(id));
            }
            if self.by_key.insert(key.hash, (id.clone(), i)).is_some() {
                return Err(RegisterError::DuplicateKey(id));
            }
        }
        let mut contact_keys: Vec<&str> = participant.contacts.iter().map(|contact| contact.key.as_str()).collect();
        contact_keys.sort_unstable();
        contact_keys.dedup();
        if contact_keys.len() != participant.contacts.len()
            || participant.contacts.len() > limits::CONTACTS_PER_PARTICIPANT_MAX
            || participant.contacts.iter().any(|contact| contact.check().is_err())
        {
            return Err(RegisterError::Contacts(id));
        }
        if is_retired && !participant.municipalities.is_empty() {
            return Err(RegisterError::RetiredServes(id));
        }
        if (participant.role == Role::MunicipalUnit && !is_retired) == participant.municipalities.is_empty() {
            return Err(RegisterError::Municipalities(id));
        }
        if participant.role == Role::MunicipalUnit && !participant.administrative_system {
            return Err(RegisterError::NotAdministrative(id));
        }
        for municipality in &participant.municipalities {
            if !known(*municipality) {
                return Err(RegisterError::UnknownMunicipality(id));
            }
            if self.by_municipality.insert(*municipality, id.clone()).is_some() {
                return Err(RegisterError::MunicipalityTwice(id));
            }
        }
        if self.by_id.insert(id.clone(), Arc::new(participant)).is_some() {
            return Err(RegisterError::DuplicateId(id));
        }
        Ok(())
    }

    /// The same register with these scopes and no others. Unknown ids are passed over.
    #[must_use]
    pub fn with_scopes(&self, scopes: Vec<(ParticipantId, AuditScope)>) -> Self {
        let mut scopes: BTreeMap<_, _> = scopes.into_iter().collect();
        let mut register = self.clone();
        for (id, entry) in &mut register.by_id {
            let scope = scopes.remove(id);
            if entry.scope != scope {
                Arc::make_mut(entry).scope = scope;
            }
        }
        register
    }

    /// What a register that is read from a file must hold besides: names that read as what they are. Registers in journals are older than that.
    ///
    /// # Errors
    /// The first entry whose name has a character that is not seen.
    pub fn check_names(&self) -> Result<(), RegisterError> {
        let unseen =
            |entry: &Arc<Participant>| first_unseen(&entry.name).map(|(at, c)| RegisterError::UnseenInName(entry.id.clone(), at, c));
        self.by_id.values().find_map(unseen).map_or(Ok(()), Err)
    }

    /// What a register that is read from a file must hold besides: who reads the log, and what of it. Registers in journals are older than that.
    ///
    /// # Errors
    /// The first entry that breaks it.
    pub fn check_readers(&self) -> Result<(), RegisterError> {
        for entry in self.by_id.values() {
            let id = || entry.id.clone();
            match (&entry.scope, entry.role) {
                (None, Role::Auditor) if entry.standing != Standing::Retired => return Err(RegisterError::ScopeMissing(id())),
                (Some(_), role) if role != Role::Auditor => return Err(RegisterError::ScopeOfOther(id())),
                (Some(scope), _) => self.check_scope(scope).map_err(|error| error(id()))?,
                (None, _) => continue,
            }
            let labels: BTreeSet<&str> = entry.keys.iter().map(|key| key.label.as_str()).collect();
            if labels.len() != entry.keys.len() {
                return Err(RegisterError::SharedLabel(id()));
            }
        }
        Ok(())
    }

    /// What a register that is read from a file must hold besides: successors that lead somewhere.
    ///
    /// # Errors
    /// The first entry whose successor is retired while it is not, or whose successors lead back to it.
    pub fn check_successors(&self) -> Result<(), RegisterError> {
        for entry in self.by_id.values() {
            let Some(successor) = &entry.successor else { continue };
            let is_retired = |entry: &Participant| entry.standing == Standing::Retired;
            if !is_retired(entry) && self.by_id.get(successor).is_some_and(|next| is_retired(next)) {
                return Err(RegisterError::SuccessorRetired(entry.id.clone()));
            }
            let mut next = successor;
            for _ in 0..self.by_id.len() {
                if *next == entry.id {
                    return Err(RegisterError::SuccessorCircle(entry.id.clone()));
                }
                let Some(further) = self.by_id.get(next).and_then(|next| next.successor.as_ref()) else { break };
                next = further;
            }
        }
        Ok(())
    }

    /// What may become of the entries of the register in force, `before`, as far as registers alone can tell: role and organisation number stay,
    /// and whoever is retired stays so, with its successor.
    ///
    /// # Errors
    /// The first entry of `before` that breaks it.
    pub fn check_follows(&self, before: &Self) -> Result<(), RegisterError> {
        for old in before.by_id.values() {
            let is_retired = old.standing == Standing::Retired;
            match self.by_id.get(&old.id) {
                Some(new) if new.role != old.role || new.organisation_number != old.organisation_number => {
                    return Err(RegisterError::Changed(old.id.clone()));
                }
                Some(new) if is_retired && (new.standing != Standing::Retired || new.successor != old.successor) => {
                    return Err(RegisterError::Unretired(old.id.clone()));
                }
                None if is_retired => return Err(RegisterError::RetiredRemoved(old.id.clone())),
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn check_scope(&self, scope: &AuditScope) -> Result<(), fn(ParticipantId) -> RegisterError> {
        match scope {
            _ if scope.is_empty() => Err(RegisterError::ScopeUnknown),
            AuditScope::All => Ok(()),
            AuditScope::Participants(named) => {
                let fits = named.iter().all(|id| self.by_id.get(id).is_some_and(|entry| entry.role != Role::Auditor));
                if fits { Ok(()) } else { Err(RegisterError::ScopeUnknown) }
            }
            AuditScope::Municipalities(named) => {
                for number in named {
                    let unit = self.unit_of(*number).ok_or(RegisterError::ScopeUnknown as fn(_) -> _)?;
                    if !unit.municipalities.iter().all(|served| named.contains(served)) {
                        return Err(RegisterError::ScopeCutsUnit);
                    }
                }
                Ok(())
            }
        }
    }

    /// Rises by one with every reload; 0 is the empty register.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The entry of `id`.
    #[must_use]
    pub fn get(&self, id: &ParticipantId) -> Option<&Arc<Participant>> {
        self.by_id.get(id)
    }

    /// The participant that enrolled `key`, and which of its keys that is.
    #[must_use]
    pub fn by_key(&self, key: &KeyHash) -> Option<(&Arc<Participant>, &EnrolledKey)> {
        let (id, index) = self.by_key.get(key)?;
        let participant = self.by_id.get(id)?;
        Some((participant, participant.keys.get(*index)?))
    }

    /// The unit that serves `municipality` now.
    #[must_use]
    pub fn unit_of(&self, municipality: MunicipalityNumber) -> Option<&Arc<Participant>> {
        self.by_id.get(self.by_municipality.get(&municipality)?)
    }

    /// Who has what the retired participant `id` had: the last of its successors. None for one that is not retired.
    #[must_use]
    pub fn heir_of(&self, id: &ParticipantId) -> Option<&ParticipantId> {
        self.heirs.get(id)
    }

    /// The retired participants whose heir `id` is, by id.
    #[must_use]
    pub fn predecessors(&self, id: &ParticipantId) -> &[ParticipantId] {
        self.predecessors.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether `id` is `party`, or has what `party` had.
    #[must_use]
    pub fn stands_for(&self, id: &ParticipantId, party: &ParticipantId) -> bool {
        id == party || self.heirs.get(party) == Some(id)
    }

    /// Every participant, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Participant>> {
        self.by_id.values()
    }
}

/// Whether a role sends or receives messages, and so has something to pass on.
const fn is_party(role: Role) -> bool {
    matches!(role, Role::Prosecution | Role::MunicipalUnit | Role::Laboratory)
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
