//! `samband keys new`: the storage key and the log's signing key of a real installation.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use zeroize::Zeroizing;

use crate::audit::checkpoint::Origin;
use crate::audit::note::LogSigner;
use crate::clock::{Entropy, SystemEntropy};
use crate::tls::files;

use super::exit::CliError;
use super::output::Output;

/// What to make.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a storage key and a log key for a new installation
    #[command(after_help = NEW_HELP)]
    New(NewArgs),
}

const NEW_HELP: &str = "Examples:
  samband keys new --origin samband.example.no/log --dir /etc/samband
  samband keys new --log-only --origin samband.example.no/log-2 --dir /etc/samband/log-2

Writes storage-key and log-key (0600), and log.vkey, which is public: give it to everyone who verifies receipts.
A log has one key and one origin for ever. Keep a copy of both keys off the machine: without storage-key the store cannot be read,
without log-key the log cannot go on. Existing files are never overwritten.
--log-only leaves storage-key out: for the new log that a store goes on as after a loss (samband recover).";

/// Arguments of `keys new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The log's name, for ever: a host and path without a scheme
    #[arg(long, value_name = "NAME")]
    pub origin: Origin,
    /// Where
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// Make the log key only; the store keeps its storage key
    #[arg(long)]
    pub log_only: bool,
}

/// The files of a new installation's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// 64 hexadecimal digits.
    pub storage_key: PathBuf,
    /// `PRIVATE+KEY+...`
    pub log_key: PathBuf,
    /// The public part of the log's key.
    pub vkey: PathBuf,
}

impl KeyFiles {
    /// The names of the files in `dir`.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { storage_key: dir.join("storage-key"), log_key: dir.join("log-key"), vkey: dir.join("log.vkey") }
    }

    /// Removes what a start that was cut short left behind: the public part is written last, and before it nothing is in use.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn clear_unfinished(&self) -> Result<(), CliError> {
        if self.vkey.exists() {
            return Ok(());
        }
        for file in [&self.storage_key, &self.log_key] {
            match std::fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(CliError::file(file, &error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the keys. Nothing there is overwritten.
    ///
    /// # Errors
    /// One of the files is there already, or cannot be written.
    pub fn make(&self, origin: &Origin, entropy: &dyn Entropy) -> Result<(), CliError> {
        self.refuse_existing(&[&self.storage_key, &self.log_key, &self.vkey])?;
        let mut storage = Zeroizing::new([0_u8; 32]);
        entropy.fill(&mut storage[..]);
        files::write(&self.storage_key, hex_line(&storage).as_bytes(), 0o600)?;
        self.make_log_key(origin, entropy)
    }

    /// Makes the log's key and its public part. Nothing there is overwritten.
    ///
    /// # Errors
    /// One of the two files is there already, or cannot be written.
    pub fn make_log_key(&self, origin: &Origin, entropy: &dyn Entropy) -> Result<(), CliError> {
        self.refuse_existing(&[&self.log_key, &self.vkey])?;
        let mut seed = Zeroizing::new([0_u8; 32]);
        entropy.fill(&mut seed[..]);
        let signer = LogSigner::from_seed(origin.key_name(), seed);
        let mut text = signer.to_text();
        text.push('\n');
        files::write(&self.log_key, text.as_bytes(), 0o600)?;
        files::write(&self.vkey, format!("{}\n", signer.verifier()).as_bytes(), 0o644)?;
        Ok(())
    }
}

impl KeyFiles {
    fn refuse_existing(&self, wanted: &[&PathBuf]) -> Result<(), CliError> {
        for file in wanted {
            if file.exists() {
                return Err(CliError::Config(format!(
                    "{}: is there already; keys are never overwritten, choose another folder",
                    file.display()
                )));
            }
        }
        self.log_key.parent().map_or(Ok(()), |dir| files::make_private_dir(dir).map_err(CliError::from))
    }
}

/// Hexadecimal digits and a newline, in one piece so that no copy is left behind by growing.
fn hex_line(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(65));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(nibble), 16).expect("four bits are one hexadecimal digit"));
        }
    }
    out.push('\n');
    out
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub fn run(command: &KeysCommand, out: Output) -> Result<(), CliError> {
    let KeysCommand::New(args) = command;
    let files = KeyFiles::at(&args.dir);
    let show = |path: &Path| path.display().to_string();
    let mut json = json!({"log_key": show(&files.log_key), "vkey": show(&files.vkey)});
    let mut secret = files.log_key.display().to_string();
    if args.log_only {
        files.make_log_key(&args.origin, &SystemEntropy::default())?;
    } else {
        files.make(&args.origin, &SystemEntropy::default())?;
        json["storage_key"] = show(&files.storage_key).into();
        secret = format!("{}, {secret}", files.storage_key.display());
    }
    out.result(&format!("secret: {secret}\npublic: {}", files.vkey.display()), &json);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::config::keys::{read_log_key, read_storage_key};

    #[test]
    fn new_keys_are_what_the_configuration_reads_and_are_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let files = KeyFiles::at(&dir.path().join("keys"));
        let origin: Origin = "samband.example.no/log".parse().unwrap();
        files.make(&origin, &SeededEntropy::new(1)).unwrap();
        read_storage_key(&files.storage_key).unwrap();
        let name = crate::config::Origin::try_from(origin.as_str().to_owned()).unwrap();
        let log_key = read_log_key(&files.log_key, &name).unwrap();
        let signer = LogSigner::from_text(&log_key).unwrap();
        assert_eq!(std::fs::read_to_string(&files.vkey).unwrap(), format!("{}\n", signer.verifier()));
        assert_eq!(files.make(&origin, &SeededEntropy::new(2)).unwrap_err().code(), 78);
    }
}
