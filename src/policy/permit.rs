//! Permits: the only way past the policy table, made nowhere else.

use std::sync::Arc;

use super::reason::Reason;
use super::table::{Verb, role_of};
use crate::domain::id::ParticipantId;
use crate::domain::participant::{KeyHash, Participant, Register, Role, Standing};

/// Who calls: the participant behind a certificate, resolved against the register in force.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The register's entry.
    pub participant: Arc<Participant>,
    /// The key it came with.
    pub key: KeyHash,
    /// That key's label.
    pub key_label: String,
}

impl Caller {
    /// The participant's id.
    #[must_use]
    pub fn id(&self) -> &ParticipantId {
        &self.participant.id
    }
}

/// A refusal: a stable reason, and how long to wait where waiting helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", reason.code(), reason.advice())]
pub struct Denial {
    /// Why.
    pub reason: Reason,
    /// Milliseconds until a retry makes sense, if it ever does.
    pub retry_after_millis: Option<u64>,
}

impl From<Reason> for Denial {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_after_millis: None }
    }
}

/// Leave to make one call with one content, under one register generation. Consumed by use; cannot be copied or made elsewhere.
#[derive(Debug)]
pub struct Permit {
    caller: Caller,
    verb: Verb,
    digest: [u8; 32],
    generation: u64,
}

/// The digest of calls that carry no message.
pub const NO_CONTENT: [u8; 32] = [0; 32];

/// Asks the table: may `caller` make this call with the content of `digest`, under `register`?
///
/// # Errors
/// A [`Denial`] for a suspended or retired participant, then for a call that is not its role's.
pub fn authorize(caller: &Caller, verb: Verb, digest: [u8; 32], register: &Register) -> Result<Permit, Denial> {
    check(caller, verb, register)?;
    Ok(Permit { caller: caller.clone(), verb, digest, generation: register.generation() })
}

fn check(caller: &Caller, verb: Verb, register: &Register) -> Result<Role, Denial> {
    let enrolled = register.by_key(&caller.key).filter(|(participant, _)| participant.id == *caller.id());
    let (participant, _) = enrolled.ok_or(Reason::IdentityWithdrawn)?;
    match participant.standing {
        Standing::Active => {}
        Standing::Suspended => return Err(Reason::ParticipantSuspended.into()),
        Standing::Retired => return Err(Reason::ParticipantRetired.into()),
    }
    if role_of(verb) != participant.role {
        return Err(Reason::CallNotAllowed.into());
    }
    Ok(participant.role)
}

impl Permit {
    /// The holder.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The call.
    #[must_use]
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// Checks the permit again where it is used: it must be for this call and content, and if the register changed since, the table is asked anew.
    ///
    /// # Errors
    /// [`Reason::Internal`] when used for something else than it was given for; the table's denial when the register changed.
    pub fn redeem(&self, verb: Verb, digest: &[u8; 32], register: &Register) -> Result<(), Denial> {
        if self.verb != verb || self.digest != *digest {
            return Err(Reason::Internal.into());
        }
        if self.generation != register.generation() {
            check(&self.caller, verb, register)?;
        }
        Ok(())
    }
}
