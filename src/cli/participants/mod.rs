//! `samband participants`: the register's file, shown and edited.

mod edit;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::CliError;
use super::output::Output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::config::register_edit::{EditError, RegisterEdit};
use crate::domain::municipality;
use crate::domain::participant::MunicipalityNumber;
use crate::domain::time::Timestamp;

/// What is done with the register.
#[derive(Debug, Subcommand)]
pub enum ParticipantsCommand {
    /// List who is in the register
    #[command(after_help = show::LIST_HELP)]
    List(show::ListArgs),
    /// Show one participant
    #[command(after_help = show::SHOW_HELP)]
    Show(show::ShowArgs),
    /// Say what the file would change of the register in force, or of another file
    #[command(after_help = show::DIFF_HELP)]
    Diff(show::DiffArgs),
    /// Enter a participant
    #[command(after_help = edit::ADD_HELP)]
    Add(edit::AddArgs),
    /// Enrol one more key of a participant: a renewed certificate, or a supplier's
    #[command(after_help = edit::ADD_KEY_HELP)]
    AddKey(edit::AddKeyArgs),
    /// Take a key out
    #[command(after_help = edit::REMOVE_KEY_HELP)]
    RemoveKey(edit::RemoveKeyArgs),
    /// Refuse every call of a participant and keep its mail
    #[command(after_help = edit::SUSPEND_HELP)]
    Suspend(edit::OneArgs),
    /// Let a suspended participant act again
    #[command(after_help = edit::RESUME_HELP)]
    Resume(edit::OneArgs),
    /// Let a unit serve a municipality that another served, or nobody
    #[command(after_help = edit::MOVE_HELP)]
    MoveMunicipality(edit::MoveArgs),
    /// End a participant for good: what it has is its successor's
    #[command(after_help = edit::RETIRE_HELP)]
    Retire(edit::RetireArgs),
}

/// Which file.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct FileArgs {
    /// The register
    #[arg(long, env = "SAMBAND_PARTICIPANTS", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The gateway's configuration, which names the register
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl FileArgs {
    fn config(&self) -> Result<Option<Config>, CliError> {
        self.config.as_deref().map(|file| Config::load(file).map_err(|error| CliError::Config(error.to_string()))).transpose()
    }

    fn path(&self) -> Result<PathBuf, CliError> {
        match (&self.file, self.config()?) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(config)) => Ok(config.participants_file),
            (None, None) => Err(CliError::Usage("name the register with --file or the configuration with --config".to_owned())),
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Config`] for a register that the gateway would refuse, [`CliError::Usage`] for arguments, [`CliError::Unreachable`] for a gateway
/// that does not answer.
pub fn run(command: &ParticipantsCommand, out: Output) -> Result<(), CliError> {
    match command {
        ParticipantsCommand::List(args) => show::list(args, out),
        ParticipantsCommand::Show(args) => show::show(args, out),
        ParticipantsCommand::Diff(args) => show::diff(args, out),
        ParticipantsCommand::Add(args) => edit::add(args, out),
        ParticipantsCommand::AddKey(args) => edit::add_key(args, out),
        ParticipantsCommand::RemoveKey(args) => edit::remove_key(args, out),
        ParticipantsCommand::Suspend(args) => edit::set_standing(args, "suspended", out),
        ParticipantsCommand::Resume(args) => edit::set_standing(args, "active", out),
        ParticipantsCommand::MoveMunicipality(args) => edit::move_municipality(args, out),
        ParticipantsCommand::Retire(args) => edit::retire(args, out),
    }
}

fn refused(error: &EditError) -> CliError {
    match error {
        EditError::Refused(_) | EditError::Rule(_) | EditError::Form(_) | EditError::Write { .. } | EditError::Locked(_) => {
            CliError::Config(error.to_string())
        }
        EditError::Unknown(_) | EditError::Label(_) | EditError::NoKey(_) | EditError::NotServed(..) | EditError::Changed(_) => {
            CliError::Usage(error.to_string())
        }
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn is_known(number: MunicipalityNumber) -> bool {
    municipality::exists(number, now().oslo_date())
}

/// The register of the arguments, open to be shown or edited.
fn open(args: &FileArgs) -> Result<RegisterEdit<'static>, CliError> {
    RegisterEdit::open(&args.path()?, &is_known).map_err(|error| refused(&error))
}

#[cfg(test)]
mod tests;
