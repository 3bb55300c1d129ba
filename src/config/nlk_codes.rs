//! The table of analysis codes as a file of the operator's: CSV, errors with their line.

use std::path::Path;

use crate::domain::nlk::{InvalidNlkTable, NlkTable};

use super::{ConfigError, read_text};

/// Reads `file`; its columns are those of [`NlkTable::parse`].
///
/// # Errors
/// The file cannot be read, or what is wrong in it, with its line.
pub fn load_nlk_codes(file: &Path) -> Result<NlkTable, ConfigError> {
    NlkTable::parse(&read_text(file)?).map_err(|InvalidNlkTable { line, fault }| ConfigError::At {
        file: file.to_owned(),
        line,
        column: 1,
        message: fault.to_string(),
    })
}
