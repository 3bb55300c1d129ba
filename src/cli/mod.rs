//! The command line: one binary for the gateway, for a client of each role and for the auditor.

mod apart;
mod audit;
mod check_config;
mod client;
mod confirm_clock;
mod demo;
mod dev_home;
mod directory;
mod doctor;
mod evidence;
mod exit;
mod explain;
mod folder;
mod gateway;
mod keys;
mod mailbox;
mod memory;
mod open_files;
mod outbox;
mod output;
mod participants;
mod pki;
mod place;
mod receipt;
mod receipt_content;
mod recover;
mod register_state;
mod replace;
mod role;
mod schema;
mod send;
mod serve;
mod status;
mod store;
mod witnessing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::{CliError, EXIT_CODES};
use output::{Format, Output};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "samband", version, about = "A secure messaging gateway between public agencies", after_help = EXIT_CODES)]
#[command(propagate_version = true, arg_required_else_help = true, subcommand_required = true)]
struct Cli {
    /// One JSON object a line, for machines
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play everything end to end on this machine: PKI, gateway, the parties, a restart, the auditor
    #[command(after_help = demo::HELP)]
    Demo(demo::DemoArgs),
    /// Run the gateway
    #[command(after_help = serve::HELP)]
    Serve(serve::ServeArgs),
    /// Certificates: a development PKI, a signing request for the real thing, a look at a fetched revocation list
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Keys of a new installation
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Say all that serve would refuse in a configuration
    #[command(after_help = check_config::HELP)]
    CheckConfig(check_config::CheckConfigArgs),
    /// Say that the clock is right, so that cases end and months are erased again
    #[command(after_help = confirm_clock::HELP)]
    ConfirmClock(confirm_clock::ConfirmClockArgs),
    /// Send, correct or withdraw one of the three messages
    #[command(subcommand)]
    Send(send::SendCommand),
    /// Receive what is in the mailbox
    #[command(after_help = mailbox::RECEIVE_HELP)]
    Receive(mailbox::ReceiveArgs),
    /// Acknowledge items that are safe in your own system
    #[command(after_help = mailbox::ACK_HELP)]
    Ack(mailbox::AckArgs),
    /// Give a notice back to the prosecution
    #[command(after_help = mailbox::RETURN_HELP)]
    Return(mailbox::ReturnArgs),
    /// Show where own messages stand
    #[command(after_help = status::HELP)]
    Status(status::StatusArgs),
    /// Receipts: fetch one again, or verify one offline
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    /// Show counterparts, whom they serve and how to reach them
    #[command(after_help = directory::LOOK_UP_HELP)]
    LookUp(directory::LookUpArgs),
    /// Set the own contact of a municipal unit
    #[command(after_help = directory::SET_CONTACT_HELP)]
    SetContact(directory::SetContactArgs),
    /// The auditor's tools
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Who may connect: list, compare and edit the participant register
    #[command(subcommand)]
    Participants(participants::ParticipantsCommand),
    /// Look at disk, store, clock, certificates and keys of a gateway; safe to paste into a ticket
    #[command(after_help = doctor::HELP)]
    Doctor(doctor::DoctorArgs),
    /// A store's folder, seen from outside
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// After a loss: show what is lost and, only if told to, go on as a new log
    #[command(after_help = recover::HELP)]
    Recover(recover::RecoverArgs),
}

/// Runs the program with the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    let format = if cli.json { Format::Json } else { Format::Text };
    output::speak(format);
    let out = Output::new(format);
    if let Err(error) = memory::keep_private() {
        let error = CliError::Storage(format!("the system does not let this process turn core files off: {error}"));
        out.error(&error);
        return error.exit();
    }
    // A kernel built without huge pages gives none, and may not know the setting.
    _ = memory::in_small_pages();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = CliError::Storage(format!("the system gives no threads: {error}"));
            out.error(&error);
            return error.exit();
        }
    };
    let done = runtime.block_on(run(&cli.command, out));
    // Everything that matters has been waited for; a read that a dead mount holds does not hold the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&error);
            error.exit()
        }
    }
}

async fn run(command: &Command, out: Output) -> Result<(), CliError> {
    match command {
        Command::Demo(args) => demo::run(args, out).await,
        Command::Serve(args) => serve::run(args, out).await,
        Command::Pki(command) => pki::run(command, out),
        Command::Keys(command) => keys::run(command, out),
        Command::CheckConfig(args) => check_config::run(args, out),
        Command::ConfirmClock(args) => confirm_clock::run(args, out),
        Command::Send(command) => send::run(command, out).await,
        Command::Receive(args) => mailbox::receive(args, out).await,
        Command::Ack(args) => mailbox::ack(args, out).await,
        Command::Return(args) => mailbox::give_back(args, out).await,
        Command::Status(args) => status::run(args, out).await,
        Command::Receipt(command) => receipt::run(command, out).await,
        Command::LookUp(args) => directory::look_up(args, out).await,
        Command::SetContact(args) => directory::set_contact(args, out).await,
        Command::Audit(command) => audit::run(command, out).await,
        Command::Participants(command) => participants::run(command, out),
        Command::Doctor(args) => doctor::run(args, out),
        Command::Store(command) => store::run(command, out),
        Command::Recover(args) => recover::run(args, out).await,
    }
}

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    #[cfg(test)]
    pub(crate) use super::audit::bundle::tests::bundle as sample_bundle;

    pub(crate) use super::schema::descriptor;
    #[cfg(test)]
    pub(crate) use super::schema::to_value;

    /// An evidence bundle.
    pub fn bundle(data: &[u8]) {
        let _ = super::audit::bundle::read::check_stream(data, &super::audit::bundle::read::Demands::default(), &mut |_, _| {});
    }

    /// An entry of an export, as a gateway answers it.
    pub fn entry(data: &[u8]) {
        super::audit::export::fuzzing::entry(data);
    }

    /// The first entries of a full bundle, and the first hashes of a full tile: the first byte says how many.
    pub fn start_of(data: &[u8]) {
        super::audit::verify::fuzzing::start_of(data);
    }

    /// What a gateway answers of its register.
    pub fn register(answer: &str) {
        super::register_state::fuzzing::answer(answer);
    }

    /// A message of this descriptor as JSON: what is accepted is written and read again as itself.
    pub fn json(descriptor: &prost_reflect::MessageDescriptor, text: &str) {
        use super::schema::{from_text, from_value, to_value};
        if let Ok(message) = from_text(descriptor.clone(), text) {
            // An empty list is a field that stands in one and not in the other.
            let again = from_value(descriptor.clone(), &to_value(&message));
            assert!(again.is_ok_and(|again| to_value(&again) == to_value(&message)), "a message is read as it is shown");
        }
    }
}

#[cfg(test)]
mod evidence_tests;
#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod tests;
