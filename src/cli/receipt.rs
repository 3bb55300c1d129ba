//! `samband receipt get|verify`: a receipt again, and what it proves, offline.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::audit::checkpoint::Origin;
use crate::audit::leaf::{Leaf, OpeningError};
use crate::audit::note::LogVerifier;
use crate::audit::receipt::{AuditorProof, Receipt, ReceiptError};
use crate::audit::tlog_policy::TlogPolicy;
use crate::domain::id::MessageId;
use crate::tls::files;

use super::apart::apart;
use super::client::{Client, ConnectArgs};
use super::evidence;
use super::exit::CliError;
use super::outbox::entries_in;
use super::output::Output;
use super::receipt_content::{check_content, in_words};
use super::replace::Writes;
use super::role::Role;
use super::send::split_receipt;

/// The largest receipt, in bytes.
pub const PROOF_BYTES_MAX: u64 = 64 * 1024;

/// What to do with receipts.
#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    /// Fetch the receipt of an own message again: the same bytes as the first time
    #[command(after_help = GET_HELP)]
    Get(GetArgs),
    /// Fetch the proofs of what became of an own message: handed out, acknowledged, returned, ended undelivered
    #[command(after_help = evidence::HELP)]
    Evidence(evidence::EvidenceArgs),
    /// Verify a receipt with the log's public key alone, offline
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
}

const GET_HELP: &str = "Examples:
  samband receipt get 019a9b3c-0000-7000-8000-000000000001 --as prosecution --identity certs-dev/politi-oslo --out receipt.tlog-proof";

const VERIFY_HELP: &str = "Examples:
  samband receipt verify receipt.tlog-proof --vkey log.vkey
  samband receipt verify receipt.tlog-proof --vkey log.vkey --leaf-out receipt.leaf
  samband receipt verify outbox/019a9b3c-0000-7000-8000-000000000001.tlog-proof --vkey log.vkey --content notice.json

Says in plain words what the receipt shows and what not. With --content, the file that was sent, and the outbox, which keeps its salt, it also
shows that this very content was accepted.

The receipt is a C2SP tlog-proof and the leaf the 33 bytes in the log, so any other tool for that format can check them too.";

/// Arguments of `receipt get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// The own message
    #[arg(value_name = "MESSAGE_ID")]
    pub id: MessageId,
    /// The caller's role
    #[arg(long = "as", value_enum, value_name = "ROLE", env = "SAMBAND_ROLE")]
    pub role: Role,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Arguments of `receipt verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The receipt
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The log's public key, as name+hash+base64
    #[arg(long, value_name = "FILE")]
    pub vkey: PathBuf,
    /// Write the 33 bytes of the leaf to this file
    #[arg(long, value_name = "FILE")]
    pub leaf_out: Option<PathBuf>,
    /// The content that was sent, to be shown as the one that was accepted
    #[arg(long, value_name = "FILE.json")]
    pub content: Option<PathBuf>,
    /// The outbox that keeps the message's salt [default: the receipt's folder]
    #[arg(long, value_name = "DIR", env = "SAMBAND_OUTBOX", requires = "content")]
    pub outbox: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub async fn run(command: &ReceiptCommand, out: Output) -> Result<(), CliError> {
    match command {
        ReceiptCommand::Get(args) => get(args, out).await,
        ReceiptCommand::Evidence(args) => evidence::run(args, out).await,
        ReceiptCommand::Verify(args) => verify(args, out),
    }
}

async fn get(args: &GetArgs, out: Output) -> Result<(), CliError> {
    apart(&[("--out", args.out.as_deref(), Writes::Proof)], args.connect.inputs())?;
    let client = Client::new(&args.connect)?;
    let answer = client.ask(args.role.service(), "GetReceipt", &json!({"message_id": args.id.to_string()})).await?;
    let (mut accepted, receipt) = split_receipt(&answer["accepted"])?;
    if let Some(file) = &args.out {
        Writes::Proof.write(file, &receipt)?;
        accepted["receipt_file"] = file.display().to_string().into();
        out.result(&format!("receipt written to {}", file.display()), &accepted);
        return Ok(());
    }
    let text = String::from_utf8_lossy(&receipt).into_owned();
    accepted["receipt"] = text.as_str().into();
    out.result(text.trim_end_matches('\n'), &accepted);
    Ok(())
}

/// What a receipt or an auditor's proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// Place in the log.
    pub index: u64,
    /// Size of the log it was made at.
    pub size: u64,
    /// The leaf.
    pub leaf: Leaf,
    /// What the record says, as lines.
    pub record: String,
}

/// Reads a verifier key.
///
/// # Errors
/// The file cannot be read, or holds no key.
pub fn read_vkey(file: &Path) -> Result<(LogVerifier, Origin), CliError> {
    let bytes = files::read(file, files::SECRET_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    let wrong = || CliError::Usage(format!("{}: holds no log key of the form name+hash+base64", file.display()));
    let verifier: LogVerifier = std::str::from_utf8(&bytes).map_err(|_| wrong())?.trim_end().parse().map_err(|_| wrong())?;
    let origin = verifier.name().as_str().parse().map_err(|_| wrong())?;
    Ok((verifier, origin))
}

/// Reads a tlog-policy file.
///
/// # Errors
/// The file cannot be read, or what is wrong on which line.
pub fn read_policy(file: &Path) -> Result<TlogPolicy, CliError> {
    crate::config::witnesses::read_policy(file).map_err(|error| CliError::Usage(error.to_string()))
}

/// Verifies a receipt or an auditor's proof.
///
/// # Errors
/// What does not hold.
pub fn prove(text: &str, verifier: &LogVerifier, origin: &Origin) -> Result<Proved, ReceiptError> {
    let utf8 = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match Receipt::verify(text, verifier, origin) {
        Ok(proved) => {
            let record = utf8(proved.opening().sender_part());
            Ok(Proved { index: proved.index(), size: proved.size(), leaf: *proved.leaf(), record })
        }
        Err(ReceiptError::Opening(OpeningError::Kind)) => {
            let proved = AuditorProof::verify(text, verifier, origin)?;
            let record = utf8(proved.opening().sender_part()) + &utf8(proved.opening().gateway_part());
            Ok(Proved { index: proved.index(), size: proved.size(), leaf: *proved.leaf(), record })
        }
        Err(error) => Err(error),
    }
}

/// Verifies the receipt or proof in `file`.
///
/// # Errors
/// The file cannot be read, or what does not hold.
pub fn prove_file(file: &Path, verifier: &LogVerifier, origin: &Origin) -> Result<Proved, CliError> {
    prove(&read_proof(file)?, verifier, origin).map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))
}

/// The text of a receipt or proof.
///
/// # Errors
/// The file cannot be read, or holds no text.
pub fn read_proof(file: &Path) -> Result<String, CliError> {
    let bytes = files::read(file, PROOF_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| CliError::Failed(format!("{}: is no text, so no receipt", file.display())))
}

fn verify(args: &VerifyArgs, out: Output) -> Result<(), CliError> {
    let beside = args.file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let outbox = args.outbox.as_deref().unwrap_or(beside);
    let salts = args.content.as_ref().and(args.leaf_out.as_ref()).map(|_| entries_in(outbox)).unwrap_or_default();
    let inputs = [Some(&args.file), Some(&args.vkey), args.content.as_ref()];
    apart(&[("--leaf-out", args.leaf_out.as_deref(), Writes::Leaf)], inputs.into_iter().flatten().chain(&salts))?;
    let (verifier, origin) = read_vkey(&args.vkey)?;
    let proved = prove_file(&args.file, &verifier, &origin)?;
    if let Some(file) = &args.leaf_out {
        Writes::Leaf.write(file, proved.leaf.as_bytes())?;
    }
    if let Some(content) = &args.content {
        check_content(&proved, content, outbox)?;
    }
    show_with(&proved, &origin, (&verifier, args.content.as_ref().map(|_| true)), out);
    Ok(())
}

/// Prints what was proved, also in plain words.
pub fn show(proved: &Proved, origin: &Origin, verifier: &LogVerifier, out: Output) {
    show_with(proved, origin, (verifier, None), out);
}

/// Prints what was proved, also in plain words, with whether the content was shown.
fn show_with(proved: &Proved, origin: &Origin, (verifier, content): (&LogVerifier, Option<bool>), out: Output) {
    let lines: Vec<&str> = proved.record.lines().filter(|line| *line != "samband/v1").collect();
    let record: serde_json::Map<String, Value> =
        lines.iter().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.into())).collect();
    let mut text = format!("holds: entry {} of {} at size {}\n  {}", proved.index, origin.as_str(), proved.size, lines.join("\n  "));
    let mut json = json!({"verified": true, "log": origin.as_str(), "log_index": proved.index, "size": proved.size, "record": record});
    text.push('\n');
    text.push_str(&in_words(proved, origin.as_str(), &verifier.to_string(), content));
    json["content_shown"] = (content == Some(true)).into();
    out.result(&text, &json);
}
