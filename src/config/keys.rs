//! The two secrets of the store and the log, read from their files.

use std::path::Path;

use zeroize::Zeroizing;

use crate::tls::files;

use super::{ConfigError, Origin};

const STORAGE_KEY: &str = "the storage key is 64 hexadecimal digits and a newline; make one with: openssl rand -hex 32";
const LOG_KEY: &str = "the log key is one line PRIVATE+KEY+<name>+<hash>+<base64>";
const LOG_KEY_NAME: &str = "the log key's name is not the configured origin; one log has one key and one origin for ever";

/// The storage key: 32 bytes, written as 64 hexadecimal digits.
///
/// # Errors
/// The file cannot be read, is open to group or others, or holds anything else.
pub fn read_storage_key(file: &Path) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
    let bytes = files::read_secret(file)?;
    let wrong = || ConfigError::Key { file: file.to_owned(), what: STORAGE_KEY };
    let digits = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    if digits.len() != 64 {
        return Err(wrong());
    }
    let mut key = Zeroizing::new([0_u8; 32]);
    for (i, digit) in digits.iter().enumerate() {
        let value = char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong)?;
        key[i / 2] = key[i / 2] << 4 | value;
    }
    if key.iter().all(|byte| *byte == 0) {
        return Err(wrong());
    }
    Ok(key)
}

/// The text of the log's signing key, whose name must be `origin`. The key itself is parsed where notes are.
///
/// # Errors
/// The file cannot be read, is open to group or others, is out of shape, or names another log.
pub fn read_log_key(file: &Path, origin: &Origin) -> Result<Zeroizing<String>, ConfigError> {
    let bytes = files::read_secret(file)?;
    let wrong = |what| ConfigError::Key { file: file.to_owned(), what };
    let text = std::str::from_utf8(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).map_err(|_| wrong(LOG_KEY))?;
    let rest = text.strip_prefix("PRIVATE+KEY+").ok_or_else(|| wrong(LOG_KEY))?;
    let (name, rest) = rest.split_once('+').ok_or_else(|| wrong(LOG_KEY))?;
    let (hash, key) = rest.split_once('+').ok_or_else(|| wrong(LOG_KEY))?;
    let shaped = hash.len() == 8
        && hash.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'))
        && (40..=64).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    if !shaped {
        return Err(wrong(LOG_KEY));
    }
    if name != origin.as_str() {
        return Err(wrong(LOG_KEY_NAME));
    }
    Ok(Zeroizing::new(text.to_owned()))
}
