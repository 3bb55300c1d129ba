//! Loading a participant register: its rules against the one in force, then one event; in force when that is durable.

use std::sync::Arc;

use super::Gateway;
use crate::domain::id::ParticipantId;
use crate::domain::participant::{Participant, Register, RegisterError};
use crate::policy::command::Command;
use crate::store::StoreError;

/// Why a register does not come into force.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A rule of registers.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// An id of an earlier register.
    #[error("participant {0} stood in an earlier register; an id is never used again, so enrol a new one")]
    UsedBefore(ParticipantId),
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What loading did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// A new generation is in force.
    Generation(u64),
    /// The same participants were in force already; nothing happened.
    Unchanged,
}

impl Gateway {
    /// Loads `register`, whose entries have passed their own rules; `digest` is the SHA-256 of its file. Loads wait for each other.
    ///
    /// # Errors
    /// The first rule that an entry breaks against the register in force; that one stays.
    pub async fn load_register(&self, register: &Register, digest: [u8; 32]) -> Result<Loaded, LoadError> {
        let _one_at_a_time = self.loading.lock().await;
        let in_force = self.store.register();
        if in_force.generation() > 0 && same(&in_force, register) {
            return Ok(Loaded::Unchanged);
        }
        for old in in_force.iter() {
            self.check_old(old, register.get(&old.id)).await?;
        }
        if in_force.generation() > 0 {
            for new in register.iter().filter(|entry| in_force.get(&entry.id).is_none()) {
                self.check_new(&new.id).await?;
            }
        }
        let generation = in_force.generation() + 1;
        let participants = register.iter().map(|entry| Participant::clone(entry)).collect();
        // Municipality numbers were checked when the register was read.
        let next = Register::new(generation, participants, &|_| true)?;
        self.store.act(Command::LoadRegister { register: next, digest }).await?;
        Ok(Loaded::Generation(generation))
    }

    async fn check_old(&self, old: &Participant, new: Option<&Arc<Participant>>) -> Result<(), LoadError> {
        match new {
            Some(new) if new.role != old.role || new.organisation_number != old.organisation_number => {
                Err(RegisterError::Changed(old.id.clone()).into())
            }
            Some(_) => Ok(()),
            None if self.store.is_needed(&old.id).await? => Err(RegisterError::Removed(old.id.clone()).into()),
            None => Ok(()),
        }
    }

    /// An id that stood in an earlier register never comes back, whoever it was.
    async fn check_new(&self, id: &ParticipantId) -> Result<(), LoadError> {
        if self.store.was_enrolled(id).await? { Err(LoadError::UsedBefore(id.clone())) } else { Ok(()) }
    }
}

fn same(one: &Register, two: &Register) -> bool {
    one.iter().eq(two.iter())
}
