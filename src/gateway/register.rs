//! Loading a participant register: its rules against the one in force, then one event; in force when that is durable.

use super::Gateway;
use crate::domain::id::ParticipantId;
use crate::domain::participant::{Participant, Register, RegisterError, Standing};
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
        register.check_follows(&in_force)?;
        for gone in in_force.iter().filter(|old| register.get(&old.id).is_none()) {
            self.check_gone(&gone.id).await?;
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
        let retired: Vec<_> = next
            .iter()
            .filter(|entry| in_force.get(&entry.id).is_some_and(|old| old.standing != Standing::Retired))
            .filter_map(|entry| Some((entry.id.clone(), next.heir_of(&entry.id)?.clone())))
            .collect();
        self.store.act(Command::LoadRegister { register: next, digest }).await?;
        // Durable from here on; a crash before these lines ends every stream all the same.
        for (predecessor, successor) in &retired {
            self.leases.pass(predecessor, successor);
        }
        Ok(Loaded::Generation(generation))
    }

    async fn check_gone(&self, id: &ParticipantId) -> Result<(), LoadError> {
        if self.store.is_needed(id).await? { Err(RegisterError::Removed(id.clone()).into()) } else { Ok(()) }
    }

    /// An id that stood in an earlier register never comes back, whoever it was.
    async fn check_new(&self, id: &ParticipantId) -> Result<(), LoadError> {
        if self.store.was_enrolled(id).await? { Err(LoadError::UsedBefore(id.clone())) } else { Ok(()) }
    }
}

fn same(one: &Register, two: &Register) -> bool {
    one.iter().eq(two.iter())
}
