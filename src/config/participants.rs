//! The participant register's file: `[[participant]]` tables, unknown keys refused, errors with their line.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use crate::domain::id::ParticipantId;
use crate::domain::participant::{MunicipalityNumber, Participant, Register, RegisterError};

use super::{ConfigError, read_text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterFile {
    #[serde(default)]
    participant: Vec<Spanned<Participant>>,
}

/// Reads `file` into a register of `generation`. `known` tells whether a municipality number exists.
///
/// # Errors
/// The file cannot be read, or what is wrong in it, with line and column.
pub fn load_register(file: &Path, generation: u64, known: &dyn Fn(MunicipalityNumber) -> bool) -> Result<Register, ConfigError> {
    parse_register(file, &read_text(file)?, generation, known)
}

/// As [`load_register`], from text; `file` names it in errors.
///
/// # Errors
/// What is wrong, with line and column.
pub fn parse_register(
    file: &Path,
    text: &str,
    generation: u64,
    known: &dyn Fn(MunicipalityNumber) -> bool,
) -> Result<Register, ConfigError> {
    let RegisterFile { participant: entries } = toml::from_str(text).map_err(|error| ConfigError::toml(file, text, &error))?;
    if entries.is_empty() {
        // A file cut short must not read as "remove everyone".
        return Err(ConfigError::at(file, text, 0, "names no [[participant]]; a register has at least one".to_owned()));
    }
    let places: Vec<(ParticipantId, usize)> = entries.iter().map(|entry| (entry.get_ref().id.clone(), entry.span().start)).collect();
    let participants = entries.into_iter().map(Spanned::into_inner).collect();
    let checked = Register::new(generation, participants, known).and_then(|register| {
        register.check_names()?;
        register.check_readers()?;
        register.check_successors()?;
        Ok(register)
    });
    checked.map_err(|error| {
        // Of two that collide, the later one is at fault, as the register reads from the top.
        let id = participant_of(&error);
        let offset = places.iter().rev().find(|(place, _)| Some(place) == id).map_or(0, |(_, offset)| *offset);
        ConfigError::at(file, text, offset, error.to_string())
    })
}

const fn participant_of(error: &RegisterError) -> Option<&ParticipantId> {
    use RegisterError as E;
    match error {
        E::TooMany => None,
        E::DuplicateId(id)
        | E::DuplicateKey(id)
        | E::Keys(id)
        | E::Shape(id)
        | E::UnseenInName(id, ..)
        | E::Contacts(id)
        | E::Municipalities(id)
        | E::UnknownMunicipality(id)
        | E::MunicipalityTwice(id)
        | E::NotAdministrative(id)
        | E::Successor(id)
        | E::ScopeMissing(id)
        | E::ScopeOfOther(id)
        | E::ScopeUnknown(id)
        | E::ScopeCutsUnit(id)
        | E::SharedLabel(id)
        | E::RetiredAlone(id)
        | E::RetiredServes(id)
        | E::SuccessorCircle(id)
        | E::SuccessorRetired(id)
        | E::Unretired(id)
        | E::RetiredRemoved(id)
        | E::Changed(id)
        | E::UsedByOther(id)
        | E::UsedBefore(id)
        | E::Removed(id) => Some(id),
    }
}
