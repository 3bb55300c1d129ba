//! `samband check-config`: all that `serve` would refuse.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Severity};
use crate::domain::municipality;

use super::exit::CliError;
use super::output::Output;

/// What `check-config --help` shows.
pub const HELP: &str = "Examples:
  samband check-config /etc/samband/samband.toml

Prints every finding, with file, line and column where there is one. The exit code is 78 when serve would refuse, 0 with warnings only.";

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
    let findings = config::check(&config, &clock, &|number| municipality::exists(number, today));
    for finding in &findings {
        let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
        out.result(&finding.to_string(), &json!({"severity": severity, "message": finding.message}));
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors > 0 {
        return Err(CliError::Config(format!("{}: {errors} errors; serve would refuse", args.file.display())));
    }
    out.note(&format!("{}: serve will start", args.file.display()));
    Ok(())
}
