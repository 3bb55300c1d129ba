//! What differs between two registers, in plain words.

use std::collections::BTreeSet;

use super::id::ParticipantId;
use super::participant::{EnrolledKey, Participant, Standing};
use super::register::Register;
use super::unseen::shown;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterChange {
    /// Of whom.
    pub participant: ParticipantId,
    /// A stable word.
    pub kind: &'static str,
    /// In plain words, the participant's id left out.
    pub text: String,
}

impl std::fmt::Display for RegisterChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.participant, self.text)
    }
}

/// What `after` changes of `before`, by participant.
#[must_use]
pub fn changes(before: &Register, after: &Register) -> Vec<RegisterChange> {
    let mut found = Vec::new();
    let ids: BTreeSet<&ParticipantId> = before.iter().chain(after.iter()).map(|entry| &entry.id).collect();
    for id in ids {
        let mut add = |kind, text: String| found.push(RegisterChange { participant: id.clone(), kind, text });
        match (before.get(id), after.get(id)) {
            (None, Some(new)) => added(new, after, &mut add),
            (Some(_), None) => add(
                "REMOVED",
                "removed: its keys no longer connect; its id may come back for the same role and organisation only".to_owned(),
            ),
            (Some(old), Some(new)) => changed(old, new, (before, after), &mut add),
            (None, None) => {}
        }
    }
    found
}

fn added(new: &Participant, after: &Register, add: &mut impl FnMut(&'static str, String)) {
    add("ADDED", format!("added as {}, \"{}\", organisation {}", new.role.word(), shown(&new.name), new.organisation_number));
    for key in &new.keys {
        add("KEY_ADDED", enrolled(key));
    }
    for number in &new.municipalities {
        add("SERVES", format!("serves municipality {number} from now on"));
    }
    if new.standing != Standing::Active {
        add("STANDING", standing(new, after));
    }
}

fn enrolled(key: &EnrolledKey) -> String {
    let by = key.operated_by.map_or_else(String::new, |number| format!(", in a certificate of the supplier {number}"));
    format!("may connect with key {} ({}){by}", key.label, key.hash)
}

fn standing(new: &Participant, after: &Register) -> String {
    match (new.standing, after.heir_of(&new.id)) {
        (Standing::Active, _) => "active: its calls are answered".to_owned(),
        (Standing::Suspended, _) => "suspended: every call is refused, its mail is kept".to_owned(),
        (Standing::Retired, Some(heir)) => {
            format!("retired for good: every call is refused; its mail, its cases and its messages are {heir}'s")
        }
        (Standing::Retired, None) => "retired for good: every call is refused".to_owned(),
    }
}

fn changed(old: &Participant, new: &Participant, (before, after): (&Register, &Register), add: &mut impl FnMut(&'static str, String)) {
    if old.role != new.role {
        add("ROLE", format!("is {} instead of {}", new.role.word(), old.role.word()));
    }
    if old.organisation_number != new.organisation_number {
        add("ORGANISATION_NUMBER", format!("has organisation number {} instead of {}", new.organisation_number, old.organisation_number));
    }
    if old.name != new.name {
        add("NAME", format!("is called \"{}\" instead of \"{}\"", shown(&new.name), shown(&old.name)));
    }
    if old.standing != new.standing {
        add("STANDING", standing(new, after));
    }
    if old.successor != new.successor {
        let named = new.successor.as_ref().map_or_else(|| "names no successor".to_owned(), |id| format!("names {id} as its successor"));
        add("SUCCESSOR", named);
    }
    for key in old.keys.iter().filter(|key| !new.keys.iter().any(|other| other.hash == key.hash)) {
        add("KEY_REMOVED", format!("key {} ({}) is no longer enrolled; its open connections end", key.label, key.hash));
    }
    for key in new.keys.iter().filter(|key| !old.keys.contains(key)) {
        match old.keys.iter().find(|other| other.hash == key.hash) {
            Some(same) if same.operated_by == key.operated_by => {
                add("KEY_LABEL", format!("key {} is called {} from now on", same.label, key.label));
            }
            _ => add("KEY_ADDED", enrolled(key)),
        }
    }
    for number in old.municipalities.iter().filter(|number| !new.municipalities.contains(number)) {
        let now = after
            .unit_of(*number)
            .map_or_else(|| "nobody serves it: notices for it are refused".to_owned(), |unit| format!("{} does", unit.id));
        // A unit that is retired leaves all it had to its successor, whoever serves the municipality from now on.
        let heir = after.heir_of(&new.id).filter(|_| new.standing == Standing::Retired);
        let cases = heir.map_or_else(|| "its cases stay where they are".to_owned(), |heir| format!("its cases are {heir}'s"));
        add("SERVES_NO_LONGER", format!("no longer serves municipality {number}, {now}; {cases}"));
    }
    for number in new.municipalities.iter().filter(|number| !old.municipalities.contains(number)) {
        let instead = before.unit_of(*number).map_or_else(String::new, |unit| format!(" instead of {}", unit.id));
        add("SERVES", format!("serves municipality {number}{instead}, for new notices"));
    }
    if old.contacts != new.contacts {
        add("CONTACTS", format!("has {} contacts, changed", new.contacts.len()));
    }
    if old.scope != new.scope {
        add("SCOPE", "sees other records of the log than before: its scope is changed".to_owned());
    }
    if old.administrative_system != new.administrative_system {
        add("ADMINISTRATIVE_SYSTEM", "declares its system anew".to_owned());
    }
}
