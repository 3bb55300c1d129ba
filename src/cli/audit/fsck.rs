//! `samband audit fsck`: the files of a stopped gateway's store, read and compared, never changed.

use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::CliError;
use crate::cli::output::Output;

/// What `audit fsck --help` shows.
pub const HELP: &str = "Examples:
  samband audit fsck /var/lib/samband/data

Stop the gateway first. Nothing is changed.";

/// Arguments of `audit fsck`.
#[derive(Debug, Args)]
pub struct FsckArgs {
    /// The store's folder (data_dir)
    #[arg(value_name = "DATA_DIR")]
    pub data_dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// What is damaged.
pub fn run(args: &FsckArgs, _out: Output) -> Result<(), CliError> {
    Err(CliError::Usage(format!("{}: not yet", args.data_dir.display())))
}
