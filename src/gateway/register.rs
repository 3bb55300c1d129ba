//! Loading a participant register: its rules against the one in force, then one event; in force when that is durable.

use parking_lot::Mutex;

use super::Gateway;
use crate::domain::participant::{Participant, Register, RegisterError, Standing};
use crate::domain::time::Timestamp;
use crate::policy::command::Command;
use crate::store::StoreError;

/// Why a register does not come into force.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A rule of registers.
    #[error(transparent)]
    Register(#[from] RegisterError),
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

/// A register file that is refused is told again after so long, in milliseconds.
const REMIND_AFTER_MILLIS: i64 = 60_000;

/// Why the register on disk is not the one in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotInForce {
    /// Since when.
    pub since: Timestamp,
    /// Why, and what to do.
    pub reason: String,
    told: Timestamp,
}

/// Whether the register on disk is the one in force, as of the last time that it was read.
#[derive(Debug, Default)]
pub struct RegisterFile(Mutex<Option<NotInForce>>);

impl RegisterFile {
    /// What is on disk is in force.
    pub fn taken(&self) {
        *self.0.lock() = None;
    }

    /// What is on disk was refused at `now`; the log was told.
    pub fn refused(&self, reason: String, now: Timestamp) {
        let mut state = self.0.lock();
        let since = state.as_ref().map_or(now, |before| before.since);
        *state = Some(NotInForce { since, reason, told: now });
    }

    /// Why not, if so.
    #[must_use]
    pub fn not_in_force(&self) -> Option<NotInForce> {
        self.0.lock().clone()
    }

    /// The same when the log is to be told of it again: once a minute.
    pub fn reminder(&self, now: Timestamp) -> Option<NotInForce> {
        let mut state = self.0.lock();
        let refused = state.as_mut()?;
        // A clock that was set back does not silence it.
        if refused.told <= now && now < refused.told.plus_millis(REMIND_AFTER_MILLIS) {
            return None;
        }
        refused.told = now;
        Some(refused.clone())
    }
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
        self.store.register_past(register).await?.check(register)?;
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
}

fn same(one: &Register, two: &Register) -> bool {
    one.iter().eq(two.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_file_is_told_once_a_minute_from_its_first_refusal_until_it_is_taken() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let file = RegisterFile::default();
        assert_eq!((file.not_in_force(), file.reminder(at(0))), (None, None));
        file.refused("first".to_owned(), at(10));
        assert_eq!(file.reminder(at(69)), None, "the refusal itself was told");
        assert_eq!(file.reminder(at(70)).unwrap().reason, "first");
        assert_eq!(file.reminder(at(129)), None);
        assert!(file.reminder(at(5)).is_some(), "a clock set back");
        file.refused("second".to_owned(), at(200));
        let state = file.not_in_force().unwrap();
        assert_eq!((state.since, state.reason.as_str()), (at(10), "second"));
        file.taken();
        assert_eq!((file.not_in_force(), file.reminder(at(1000))), (None, None));
    }
}
