//! The directory: to each participant its counterparts, and a unit's own contact.

use std::sync::Arc;

use super::{Gateway, Refusal};
use crate::domain::id::ParticipantId;
use crate::domain::participant::{Contact, MunicipalityNumber, Participant, Role, Standing};
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;

/// Entries of one page.
pub const PAGE_MAX: usize = 200;

/// Whom to look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CounterpartFilter {
    /// This one only.
    pub participant: Option<ParticipantId>,
    /// The unit of this municipality only.
    pub municipality: Option<MunicipalityNumber>,
    /// Only ids after this one.
    pub after: Option<ParticipantId>,
}

/// An entry of the directory.
#[derive(Debug, Clone)]
pub struct Counterpart {
    /// The register's entry.
    pub participant: Arc<Participant>,
    /// Its contacts: a unit's own choice, else the register's.
    pub contacts: Vec<Contact>,
    /// Who has what it had, when it is retired.
    pub successor: Option<ParticipantId>,
}

/// Whether `seer` may see `seen`: those it sends to or receives from, and, as units send samples and fetch equipment, laboratories for units.
const fn is_counterpart(seer: Role, seen: Role) -> bool {
    matches!(
        (seer, seen),
        (Role::Prosecution, Role::MunicipalUnit | Role::Laboratory)
            | (Role::MunicipalUnit, Role::Prosecution | Role::Laboratory)
            | (Role::Laboratory, Role::Prosecution)
    )
}

impl Gateway {
    /// A page of the directory, and the id that the next page starts after.
    ///
    /// # Errors
    /// Not the caller's call; nobody by that id or of that municipality.
    pub async fn look_up(
        &self,
        caller: &Caller,
        verb: Verb,
        filter: &CounterpartFilter,
    ) -> Result<(Vec<Counterpart>, Option<ParticipantId>), Refusal> {
        drop(self.permit_or_refuse(caller, verb).await?);
        let register = self.store.register();
        let asked = |participant: &Participant| {
            is_counterpart(caller.participant.role, participant.role)
                && match &filter.participant {
                    Some(id) => *id == participant.id,
                    // A retired one is nobody to choose; whoever holds its id may ask what became of it.
                    None => participant.standing != Standing::Retired,
                }
                && filter.municipality.is_none_or(|number| participant.municipalities.contains(&number))
                && filter.after.as_ref().is_none_or(|after| participant.id > *after)
        };
        let mut found: Vec<Arc<Participant>> = register.iter().filter(|entry| asked(entry)).take(PAGE_MAX + 1).cloned().collect();
        let named = filter.participant.is_some() || filter.municipality.is_some();
        if found.is_empty() && named && filter.after.is_none() {
            return Err(self.refuse(caller, verb, Reason::ParticipantUnknown.into(), None).await);
        }
        let more = found.len() > PAGE_MAX;
        found.truncate(PAGE_MAX);
        let next = found.last().filter(|_| more).map(|entry| entry.id.clone());
        let mut counterparts = Vec::with_capacity(found.len());
        for participant in found {
            let own = match participant.role {
                Role::MunicipalUnit => match self.store.contact(&participant.id).await {
                    Ok(own) => own,
                    Err(error) => return Err(self.failed(caller, verb, error, None).await),
                },
                Role::Prosecution | Role::Laboratory | Role::Auditor | Role::Mirror => None,
            };
            let contacts = own.map_or_else(|| participant.contacts.clone(), |contact| vec![contact]);
            let successor = register.heir_of(&participant.id).cloned();
            let contacts = if successor.is_some() { Vec::new() } else { contacts };
            counterparts.push(Counterpart { participant, contacts, successor });
        }
        Ok((counterparts, next))
    }

    /// Sets the calling unit's own contact.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn set_contact(&self, caller: &Caller, contact: Contact) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, Verb::SetContact).await?;
        match self.store.act(Command::SetContact { permit, contact }).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(caller, Verb::SetContact, error, None).await),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_sees_its_own_kind_and_a_laboratory_sees_prosecutions_only() {
        for role in Role::ALL {
            assert!(!is_counterpart(role, role));
            assert!(!is_counterpart(role, Role::Auditor));
            assert!(!is_counterpart(Role::Auditor, role));
            assert!(!is_counterpart(role, Role::Mirror));
            assert!(!is_counterpart(Role::Mirror, role));
        }
        assert!(is_counterpart(Role::Laboratory, Role::Prosecution));
        assert!(!is_counterpart(Role::Laboratory, Role::MunicipalUnit));
    }
}
