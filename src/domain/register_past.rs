//! What a register is held against before it comes into force: the one in force, and who stood in earlier ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::ParticipantId;
use super::participant::{OrganisationNumber, Participant, Role};
use super::register::{Register, RegisterError};

/// What an id stands for, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bearer {
    /// Its role.
    pub role: Role,
    /// Its organisation number.
    pub organisation_number: OrganisationNumber,
}

impl From<&Participant> for Bearer {
    fn from(entry: &Participant) -> Self {
        Self { role: entry.role, organisation_number: entry.organisation_number }
    }
}

/// The one in force, who stood in earlier ones, and who has something here that would be nobody's without it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisterPast {
    in_force: Arc<Register>,
    former: BTreeMap<ParticipantId, Option<Bearer>>,
    needed: BTreeSet<ParticipantId>,
}

impl RegisterPast {
    /// `former` are the ids of earlier registers that the one in force does not have, with what they stood for where that is known; `needed` are
    /// those of the one in force that have mail or open cases.
    #[must_use]
    pub const fn new(in_force: Arc<Register>, former: BTreeMap<ParticipantId, Option<Bearer>>, needed: BTreeSet<ParticipantId>) -> Self {
        Self { in_force, former, needed }
    }

    /// The register in force.
    #[must_use]
    pub const fn in_force(&self) -> &Arc<Register> {
        &self.in_force
    }

    /// Ids of earlier registers, with what they stood for where that is known.
    #[must_use]
    pub const fn former(&self) -> &BTreeMap<ParticipantId, Option<Bearer>> {
        &self.former
    }

    /// Whether what `id` has would be nobody's without it.
    #[must_use]
    pub fn is_needed(&self, id: &ParticipantId) -> bool {
        self.needed.contains(id)
    }

    /// Whether `next` may come into force after all this. An id that left may come back for whom it stood for, and for nobody else.
    ///
    /// # Errors
    /// The first entry that breaks a rule.
    pub fn check(&self, next: &Register) -> Result<(), RegisterError> {
        next.check_follows(&self.in_force)?;
        let gone = |old: &&Arc<Participant>| next.get(&old.id).is_none() && self.needed.contains(&old.id);
        if let Some(old) = self.in_force.iter().find(gone) {
            return Err(RegisterError::Removed(old.id.clone()));
        }
        for new in next.iter().filter(|entry| self.in_force.get(&entry.id).is_none()) {
            match self.former.get(&new.id) {
                Some(Some(bearer)) if *bearer != Bearer::from(new.as_ref()) => return Err(RegisterError::UsedByOther(new.id.clone())),
                Some(None) => return Err(RegisterError::UsedBefore(new.id.clone())),
                Some(Some(_)) | None => {}
            }
        }
        Ok(())
    }
}
