//! `samband check-config`: all that `serve` would refuse.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::app::reload::read_register;
use crate::clock::{Clock, SystemClock};
use crate::config::keys::read_storage_key;
use crate::config::{self, Config, Finding, Severity};
use crate::domain::municipality;
use crate::domain::time::Date;
use crate::store::embedded::grounds::without_ground;
use crate::store::embedded::{EmbeddedStore, OpenError};

use super::exit::CliError;
use super::output::Output;
use super::register_state::Held;

/// What `check-config --help` shows.
pub const HELP: &str = "Examples:
  samband check-config /etc/samband/samband.toml

Prints every finding, with file, line and column where there is one. A register is also held against the one in force, and
hold_ground against the legal holds, which the store knows. The exit code is 78 when serve would refuse, or would not use what an error is about; 0 with warnings only.";

/// Arguments of `check-config`.
#[derive(Debug, Args)]
pub struct CheckConfigArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Config`] when `serve` would refuse.
pub fn run(args: &CheckConfigArgs, out: Output) -> Result<(), CliError> {
    let config = Config::load(&args.file).map_err(|error| CliError::Config(error.to_string()))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let today = clock.now().oslo_date();
    let mut findings = config::check(&config, &clock, &|number| municipality::exists(number, today));
    let register = read_register(&config.participants_file, &*clock);
    if let Ok((register, _)) = &register
        && let Err(error) = Held::stored(&config, register).check(register)
    {
        let file = config.participants_file.display();
        let message = format!("{file}: the register on disk would not come into force, the one that is stays: {error}");
        findings.push(Finding { severity: Severity::Error, message });
    }
    if let Some(message) = no_ground(&config, today) {
        findings.push(Finding { severity: Severity::Error, message });
    }
    for finding in &findings {
        let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
        out.result(&finding.to_string(), &json!({"severity": severity, "message": finding.message}));
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 {
        return Err(CliError::Config(format!(
            "{}: {errors} errors; serve would refuse, or not use what they are about",
            args.file.display()
        )));
    }
    out.note(&format!("{}: serve will start", args.file.display()));
    Ok(())
}

/// Why a start would be refused for legal holds, where the configuration names no ground for them. What cannot be read is said by others.
pub fn no_ground(config: &Config, today: Date) -> Option<String> {
    if config.hold_ground.is_some() || !EmbeddedStore::exists(&config.data_dir) {
        return None;
    }
    let key = read_storage_key(&config.storage_key_file).ok()?;
    let found = without_ground(&config.data_dir, key, today).ok()?;
    (!found.0.is_empty()).then(|| OpenError::NoGround(found).to_string())
}
