//! Edits of the register's file: comments and order stay, and nothing is written that the gateway would refuse.

use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, Value, value};

use super::participants::parse_register;
use super::{ConfigError, read_text};
use crate::domain::id::ParticipantId;
use crate::domain::participant::{Contact, EnrolledKey, MunicipalityNumber, OrganisationNumber, Register, RegisterError, Role};
use crate::domain::register_change::{RegisterChange, changes};

/// The lock is held for a read and a write: five seconds are plenty.
const LOCK_TRIES: u32 = 250;
const LOCK_REST: std::time::Duration = std::time::Duration::from_millis(20);

/// Why a register is not edited.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file as it is, or as it would be, is refused. The line is that of the file as it would be.
    #[error(transparent)]
    Refused(#[from] ConfigError),
    /// A rule of what may become of a register.
    #[error(transparent)]
    Rule(#[from] RegisterError),
    /// Nobody of that id.
    #[error("participant {0} is not in the register; `samband participants list` shows who is")]
    Unknown(ParticipantId),
    /// The file is written in a way that cannot be edited.
    #[error("{}: write participants as [[participant]] and their keys as [[participant.keys]] tables, or edit the file by hand", .0.display())]
    Form(PathBuf),
    /// A label that is taken.
    #[error("participant {0} has a key of that label; give the new one another --label, as the log names a key by it")]
    Label(ParticipantId),
    /// No such key.
    #[error("participant {0} has no key of that label")]
    NoKey(ParticipantId),
    /// The unit does not serve it.
    #[error("participant {0} does not serve municipality {1}")]
    NotServed(ParticipantId, MunicipalityNumber),
    /// The file changed meanwhile.
    #[error("{}: changed while this command ran, by another edit; nothing is written, run it again over the file as it is now", .0.display())]
    Changed(PathBuf),
    /// Another command is at it.
    #[error("{}: another command writes here and does not end; nothing is written, look for it and run this again", .0.display())]
    Locked(PathBuf),
    /// The file cannot be written; the one that was there stands.
    #[error("{}: {error}; the register is as it was", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
}

/// What a new participant is entered with.
#[derive(Debug, Clone)]
pub struct NewParticipant {
    /// Its id.
    pub id: ParticipantId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Its organisation number.
    pub organisation_number: OrganisationNumber,
    /// Its key.
    pub key: EnrolledKey,
    /// Municipalities it serves.
    pub municipalities: Vec<MunicipalityNumber>,
    /// Its contact.
    pub contact: Option<Contact>,
    /// A unit's declaration.
    pub administrative_system: bool,
    /// An auditor that sees everything.
    pub sees_all: bool,
}

/// A register's file, being edited.
pub struct RegisterEdit<'a> {
    path: PathBuf,
    text: String,
    document: DocumentMut,
    before: Register,
    known: &'a dyn Fn(MunicipalityNumber) -> bool,
}

/// A register's file as it would be: checked, not written.
pub struct Edited<'a> {
    path: PathBuf,
    before: &'a str,
    text: String,
    /// What changes, in plain words.
    pub changes: Vec<RegisterChange>,
    /// The register as it would be.
    pub register: Register,
}

impl std::fmt::Debug for RegisterEdit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterEdit").field("path", &self.path).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Edited<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edited").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl<'a> RegisterEdit<'a> {
    /// Opens `path`; `known` tells whether a municipality number exists.
    ///
    /// # Errors
    /// The file cannot be read, or is refused as it is.
    pub fn open(path: &Path, known: &'a dyn Fn(MunicipalityNumber) -> bool) -> Result<Self, EditError> {
        Self::of(path, read_text(path)?, known)
    }

    /// The same of a text.
    pub(crate) fn of(path: &Path, text: String, known: &'a dyn Fn(MunicipalityNumber) -> bool) -> Result<Self, EditError> {
        let before = parse_register(path, &text, 1, known)?;
        let document = text.parse().map_err(|_| EditError::Form(path.to_owned()))?;
        Ok(Self { path: path.to_owned(), text, document, before, known })
    }

    /// The register as it is.
    #[must_use]
    pub const fn register(&self) -> &Register {
        &self.before
    }

    fn participants(&mut self) -> Result<&mut ArrayOfTables, EditError> {
        let form = EditError::Form(self.path.clone());
        self.document.get_mut("participant").and_then(Item::as_array_of_tables_mut).ok_or(form)
    }

    fn entry(&mut self, id: &ParticipantId) -> Result<&mut Table, EditError> {
        let is_it = |table: &Table| table.get("id").and_then(Item::as_str) == Some(id.as_str());
        self.participants()?.iter_mut().find(|table| is_it(table)).ok_or_else(|| EditError::Unknown(id.clone()))
    }

    fn keys(&mut self, id: &ParticipantId) -> Result<&mut ArrayOfTables, EditError> {
        let form = EditError::Form(self.path.clone());
        let entry = self.entry(id)?;
        entry.entry("keys").or_insert(Item::ArrayOfTables(ArrayOfTables::new())).as_array_of_tables_mut().ok_or(form)
    }

    /// Enters a participant at the end of the file.
    ///
    /// # Errors
    /// The file's form.
    pub fn add(&mut self, new: &NewParticipant) -> Result<(), EditError> {
        let mut table = Table::new();
        table.insert("id", value(new.id.as_str()));
        table.insert("name", value(new.name.as_str()));
        table.insert("role", value(new.role.word()));
        table.insert("organisation_number", value(new.organisation_number.to_string()));
        if !new.municipalities.is_empty() {
            let numbers: toml_edit::Array = new.municipalities.iter().map(ToString::to_string).collect();
            table.insert("municipalities", value(numbers));
        }
        if new.administrative_system {
            table.insert("administrative_system", value(true));
        }
        if new.sees_all {
            table.insert("scope", value("all"));
        }
        let mut keys = ArrayOfTables::new();
        keys.push(key_table(&new.key));
        table.insert("keys", Item::ArrayOfTables(keys));
        if let Some(contact) = &new.contact {
            let mut entry = Table::new();
            entry.decor_mut().set_prefix("\n  ");
            let fields = [
                ("key", Some(&contact.key)),
                ("role_name", Some(&contact.role_name)),
                ("phone", contact.phone.as_ref()),
                ("email", contact.email.as_ref()),
            ];
            for (name, text) in fields.into_iter().filter_map(|(name, text)| Some((name, text?))) {
                insert_indented(&mut entry, name, text);
            }
            let mut contacts = ArrayOfTables::new();
            contacts.push(entry);
            table.insert("contacts", Item::ArrayOfTables(contacts));
        }
        table.decor_mut().set_prefix("\n");
        self.participants()?.push(table);
        Ok(())
    }

    /// Sets a participant's standing, `active` or `suspended`.
    ///
    /// # Errors
    /// Nobody of that id.
    pub fn set_standing(&mut self, id: &ParticipantId, standing: &'static str) -> Result<(), EditError> {
        set(self.entry(id)?, "standing", standing.into());
        Ok(())
    }

    /// Retires a participant; what it serves, its successor serves.
    ///
    /// # Errors
    /// Nobody of that id.
    pub fn retire(&mut self, id: &ParticipantId, successor: Option<&ParticipantId>) -> Result<(), EditError> {
        self.set_standing(id, "retired")?;
        let Some(successor) = successor else { return Ok(()) };
        set(self.entry(id)?, "successor", successor.as_str().into());
        let served = self.before.get(id).map(|entry| entry.municipalities.clone()).unwrap_or_default();
        for number in served {
            self.move_municipality(number, successor)?;
        }
        Ok(())
    }

    /// `unit` serves `number`, and whoever did so no longer does.
    ///
    /// # Errors
    /// Nobody of that id.
    pub fn move_municipality(&mut self, number: MunicipalityNumber, unit: &ParticipantId) -> Result<(), EditError> {
        let form = EditError::Form(self.path.clone());
        let text = number.to_string();
        if let Some(old) = self.before.unit_of(number).map(|old| old.id.clone()) {
            let served = self.entry(&old)?.get_mut("municipalities").and_then(Item::as_array_mut).ok_or(form)?;
            served.retain(|each| each.as_str() != Some(&text));
        }
        let form = EditError::Form(self.path.clone());
        let entry = self.entry(unit)?;
        let served = entry.entry("municipalities").or_insert(value(toml_edit::Array::new())).as_array_mut().ok_or(form)?;
        if !served.iter().any(|each| each.as_str() == Some(&text)) {
            served.push(text);
        }
        Ok(())
    }

    /// Enrols one more key. False when the same key is enrolled for the participant already: a certificate renewed with its key changes nothing.
    ///
    /// # Errors
    /// Nobody of that id, or a label that is taken.
    pub fn add_key(&mut self, id: &ParticipantId, key: &EnrolledKey) -> Result<bool, EditError> {
        let entry = self.before.get(id).ok_or_else(|| EditError::Unknown(id.clone()))?;
        if entry.keys.iter().any(|own| own.hash == key.hash && own.operated_by == key.operated_by) {
            return Ok(false);
        }
        if entry.keys.iter().any(|own| own.label == key.label) {
            return Err(EditError::Label(id.clone()));
        }
        self.keys(id)?.push(key_table(key));
        Ok(true)
    }

    /// Takes the key of a label out.
    ///
    /// # Errors
    /// Nobody of that id, or no key of that label.
    pub fn remove_key(&mut self, id: &ParticipantId, label: &str) -> Result<(), EditError> {
        let none = EditError::NoKey(id.clone());
        let keys = self.keys(id)?;
        let at = keys.iter().position(|key| key.get("label").and_then(Item::as_str) == Some(label)).ok_or(none)?;
        keys.remove(at);
        Ok(())
    }

    /// The file as it would be, if the gateway would take it.
    ///
    /// # Errors
    /// What the gateway would refuse, in its words.
    pub fn finish(&self) -> Result<Edited<'_>, EditError> {
        let text = self.document.to_string();
        let register = parse_register(&self.path, &text, 2, self.known)?;
        register.check_follows(&self.before)?;
        Ok(Edited { path: self.path.clone(), before: &self.text, text, changes: changes(&self.before, &register), register })
    }
}

impl Edited<'_> {
    /// Puts the file in the place of the old one, by a rename. A crash leaves the one or the other whole, and perhaps a file beside it whose
    /// name begins with a dot.
    ///
    /// # Errors
    /// The file changed meanwhile, or cannot be written.
    pub fn write(&self) -> Result<(), EditError> {
        let failed = |error| EditError::Write { path: self.path.clone(), error };
        // A link stays a link, and two links to one file are one file.
        let path = self.path.canonicalize().map_err(failed)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        // Two edits may begin from the same file; the one that writes second must not undo the first. It is the folder that is locked: the file
        // is another one after each edit, and nothing is left behind. A crash gives the lock back.
        let _lock = lock(folder).map_err(failed)?.ok_or_else(|| EditError::Locked(folder.to_owned()))?;
        if read_text(&path)? != self.before {
            return Err(EditError::Changed(self.path.clone()));
        }
        replace(&path, self.text.as_bytes()).map_err(failed)
    }
}

/// The folder, locked until it is dropped; nothing when it does not become free in time.
fn lock(folder: &Path) -> std::io::Result<Option<std::fs::File>> {
    let file = crate::regular_file::open_folder(folder)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_REST),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

/// Replaces the file, with its mode.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create_new(&beside)?;
        file.set_permissions(std::fs::metadata(path)?.permissions())?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        crate::regular_file::sync_folder(folder)
    })();
    if written.is_err() {
        _ = std::fs::remove_file(&beside);
    }
    written
}

fn key_table(key: &EnrolledKey) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n  ");
    insert_indented(&mut table, "label", &key.label);
    insert_indented(&mut table, "hash", &key.hash.to_string());
    if let Some(number) = key.operated_by {
        insert_indented(&mut table, "operated_by", &number.to_string());
    }
    table
}

/// Two blanks in front, as the samples are written.
fn insert_indented(table: &mut Table, name: &str, text: &str) {
    table.insert(name, value(text));
    if let Some(mut key) = table.key_mut(name) {
        key.leaf_decor_mut().set_prefix("  ");
    }
}

/// Sets a value and leaves the comments around it.
fn set(table: &mut Table, name: &str, new: Value) {
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => drop(table.insert(name, Item::Value(new))),
    }
}

#[cfg(test)]
#[path = "register_edit_tests.rs"]
mod tests;
