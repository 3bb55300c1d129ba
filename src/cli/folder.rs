//! Whether a folder that was named is one that a command can work on, said before anything in it is judged.

use std::fs;
use std::io;
use std::path::Path;

use super::exit::CliError;
use crate::regular_file;

const WHICH: &str = "name the data folder of a gateway (data_dir in its configuration)";

/// What speaks against `dir` as a gateway's data folder; nothing when there is a store in it.
#[must_use]
pub fn no_store(dir: &Path) -> Option<String> {
    let said = |what: &str| Some(format!("{}: {what}; {WHICH}", dir.display()));
    let system = |error: &io::Error| Some(format!("{}: {}", dir.display(), regular_file::in_words(error)));
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return said("there is no such folder"),
        Err(error) => return system(&error),
        Ok(found) if !found.is_dir() => return said("this is no folder"),
        Ok(_) => {}
    }
    match fs::symlink_metadata(dir.join("FORMAT")) {
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
            Ok(true) => said("an empty folder, which holds no store"),
            Ok(false) => said("it holds no FORMAT: it is no store, or that file is lost and the folder has to be restored from a copy"),
            Err(error) => system(&error),
        },
        Err(error) => system(&error),
    }
}

/// Refuses a folder in which there is no store.
///
/// # Errors
/// [`CliError::Config`].
pub fn store_in(dir: &Path) -> Result<(), CliError> {
    no_store(dir).map_or(Ok(()), |what| Err(CliError::Config(what)))
}
