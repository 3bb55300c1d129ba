//! `samband confirm-clock`: an operator's word that the machine's clock is right.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::domain::time::Timestamp;
use crate::store::embedded::confirm_clock;

use super::exit::CliError;
use super::output::Output;

/// What `confirm-clock --help` shows.
pub const HELP: &str = "Examples:
  samband confirm-clock /var/lib/samband/data

When the clock was set by more than an hour, when the last event lies more than an hour ahead of it, or when a gateway starts more than 31
days after its last event, cases no longer end and months of records are no longer erased: both follow from dates, and what they erase is
gone. Erasure after acknowledgement goes on. Look at the clock, set it right, then confirm it. A running gateway takes this up within a
second, a stopped one at its next start.";

/// Arguments of `confirm-clock`.
#[derive(Debug, Args)]
pub struct ConfirmClockArgs {
    /// The store's folder (data_dir)
    #[arg(value_name = "DATA_DIR")]
    pub data_dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Storage`] when the folder cannot be read or written.
pub fn run(args: &ConfirmClockArgs, out: Output) -> Result<(), CliError> {
    let held = confirm_clock(&args.data_dir).map_err(|error| CliError::Storage(error.to_string()))?;
    match held {
        Some(held) => {
            let at = Timestamp::from_millis(held.at);
            let text = format!("confirmed; it had stopped because {}, when the clock showed {at}", held.why);
            out.result(&text, &json!({"confirmed": true, "why": held.why, "at": at.to_string()}));
        }
        None => out.result("nothing waits for the clock", &json!({"confirmed": false})),
    }
    Ok(())
}
