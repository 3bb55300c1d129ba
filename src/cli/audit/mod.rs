//! `samband audit`: the auditor's tools. `verify`, `report` and `fsck` work offline.

pub mod bundle;
pub mod checkpoint;
pub mod export;
pub mod fsck;
pub mod hold;
pub mod list;
pub mod prove;
pub mod report;
pub mod review;
pub mod unopened;
pub mod verify;
pub mod watch;
pub mod words;

use clap::Subcommand;

use super::exit::CliError;
use super::output::Output;

/// What the auditor does.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List records of the log
    #[command(after_help = list::HELP)]
    List(Box<list::ListArgs>),
    /// Fetch the proof of an entry, or of every entry about a message
    #[command(after_help = prove::HELP)]
    Prove(prove::ProveArgs),
    /// Verify a bundle, a proof, a receipt or a whole log folder, offline
    #[command(after_help = verify::HELP)]
    Verify(verify::VerifyArgs),
    /// Check every file of a store's folder, stopped or running
    #[command(after_help = fsck::HELP)]
    Fsck(fsck::FsckArgs),
    /// Fetch the newest signed head, and check that it continues an older one
    #[command(after_help = checkpoint::HELP)]
    Checkpoint(checkpoint::CheckpointArgs),
    /// State that a period of the log was reviewed, or show what is unreviewed
    #[command(after_help = review::HELP)]
    Review(review::ReviewArgs),
    /// Keep the records of a case beyond their months: a legal hold
    #[command(subcommand)]
    Hold(hold::HoldCommand),
    /// Take a period or a case out of the log, as a bundle that proves itself
    #[command(after_help = export::HELP)]
    Export(export::ExportArgs),
    /// Answer the prepared questions from a bundle, as an offline page
    #[command(after_help = report::HELP)]
    Report(report::ReportArgs),
    /// Follow a running gateway's log: consistent from head to head, or an alarm
    #[command(after_help = watch::HELP)]
    Watch(watch::WatchArgs),
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub async fn run(command: &AuditCommand, out: Output) -> Result<(), CliError> {
    match command {
        AuditCommand::List(args) => list::run(args, out).await,
        AuditCommand::Prove(args) => prove::run(args, out).await,
        AuditCommand::Verify(args) => verify::run(args, out),
        AuditCommand::Fsck(args) => fsck::run(args, out),
        AuditCommand::Checkpoint(args) => checkpoint::run(args, out).await,
        AuditCommand::Review(args) => review::run(args, out).await,
        AuditCommand::Hold(command) => hold::run(command, out).await,
        AuditCommand::Export(args) => export::run(args, out).await,
        AuditCommand::Report(args) => report::run(args, out),
        AuditCommand::Watch(args) => watch::run(args, out).await,
    }
}
