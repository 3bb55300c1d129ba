//! `samband audit checkpoint`: the newest head, and that it continues an older one.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::prove::field;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::LogVerifier;
use crate::audit::proof::verify_consistency;
use crate::audit::tree::Hash;
use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::outbox::write_durably;
use crate::cli::output::Output;
use crate::cli::receipt::read_vkey;
use crate::cli::schema::Service;
use crate::tls::files;

/// What `audit checkpoint --help` shows.
pub const HELP: &str = "Examples:
  samband audit checkpoint --identity certs-dev/tilsyn
  samband audit checkpoint --identity certs-dev/tilsyn --vkey log.vkey --out today.checkpoint
  samband audit checkpoint --identity certs-dev/tilsyn --vkey log.vkey --older yesterday.checkpoint
  samband audit checkpoint --identity certs-dev/tilsyn --vkey log-2.vkey --older last-year.checkpoint --older-vkey log.vkey

Keep a checkpoint each day: --older proves that nothing before it was changed since. --older-vkey is for a log that follows another after a
loss: it holds what was kept, so an older checkpoint from before the gap is continued, and one from inside it is not.";

/// Arguments of `audit checkpoint`.
#[derive(Debug, Args)]
pub struct CheckpointArgs {
    /// The log's public key; the signature is checked with it
    #[arg(long, value_name = "FILE")]
    pub vkey: Option<PathBuf>,
    /// An older checkpoint that the newest must continue
    #[arg(long, value_name = "FILE", requires = "vkey")]
    pub older: Option<PathBuf>,
    /// The public key of the older checkpoint, where it is of the log that this one follows
    #[arg(long, value_name = "FILE", requires = "older")]
    pub older_vkey: Option<PathBuf>,
    /// Write the checkpoint to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`]; also a head that does not continue the older one.
pub async fn run(args: &CheckpointArgs, out: Output) -> Result<(), CliError> {
    let client = Client::new(&args.connect)?;
    let text = fetch(&client).await?;
    let mut said = String::new();
    if let Some(vkey) = &args.vkey {
        let (verifier, _) = read_vkey(vkey)?;
        let newest = open(&text, &verifier, "the gateway's checkpoint")?;
        said.push_str("signature holds");
        if let Some(older) = &args.older {
            let older_verifier = match &args.older_vkey {
                Some(file) => read_vkey(file)?.0,
                None => verifier,
            };
            let older = open(&read_text(older)?, &older_verifier, &older.display().to_string())?;
            if args.older_vkey.is_some() {
                grows(&client, &older, &newest).await?;
            } else {
                continues(&client, &older, &newest).await?;
            }
            said.push_str(&format!("; continues the log of size {}", older.size()));
        }
    }
    if let Some(file) = &args.out {
        write_durably(file, text.as_bytes())?;
    }
    let shown = if said.is_empty() { text.trim_end().to_owned() } else { format!("{}\n{said}", text.trim_end()) };
    out.result(&shown, &json!({"checkpoint": text, "verified": args.vkey.is_some(), "continues": args.older.is_some()}));
    Ok(())
}

fn read_text(file: &Path) -> Result<String, CliError> {
    let bytes = files::read(file, files::SECRET_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| CliError::Usage(format!("{}: is no text", file.display())))
}

/// The newest signed head, as text.
///
/// # Errors
/// A refusal, or no connection.
pub async fn fetch(client: &Client) -> Result<String, CliError> {
    let answer = client.ask(Service::Audit, "GetCheckpoint", &json!({})).await?;
    String::from_utf8(field(&answer, "checkpoint")?).map_err(|_| CliError::Failed("the gateway's checkpoint is no text".to_owned()))
}

/// Verifies the signature of a head.
///
/// # Errors
/// It does not hold.
pub fn open(text: &str, verifier: &LogVerifier, whose: &str) -> Result<Checkpoint, CliError> {
    Checkpoint::open(text, verifier).map_err(|error| CliError::Failed(format!("{whose}: {error}")))
}

/// Verifies that `newer` continues `older`, by a proof that the gateway makes and this program checks.
///
/// # Errors
/// It does not, or the gateway cannot prove it.
pub async fn continues(client: &Client, older: &Checkpoint, newer: &Checkpoint) -> Result<(), CliError> {
    if older.origin() == newer.origin() { grows(client, older, newer).await } else { Err(broken(older, newer)) }
}

fn broken(older: &Checkpoint, newer: &Checkpoint) -> CliError {
    CliError::Failed(format!("the log of size {} does not continue that of size {}: it was changed", newer.size(), older.size()))
}

/// The same of two logs, whatever their names: the newer one holds every entry of the older one at its place.
async fn grows(client: &Client, older: &Checkpoint, newer: &Checkpoint) -> Result<(), CliError> {
    let failed = || broken(older, newer);
    if older.size() > newer.size() {
        return Err(failed());
    }
    if older.size() == newer.size() || older.size() == 0 {
        return if older.size() == 0 || older.root() == newer.root() { Ok(()) } else { Err(failed()) };
    }
    let request = json!({"old_size": older.size(), "new_size": newer.size()});
    let answer = client.ask(Service::Audit, "GetConsistencyProof", &request).await?;
    let mut hashes = Vec::new();
    for hash in answer["hashes"].as_array().into_iter().flatten() {
        let bytes = field(&json!({"hash": hash}), "hash")?;
        hashes.push(Hash::from_bytes(bytes.try_into().map_err(|_| failed())?));
    }
    verify_consistency(older.size(), &older.root(), newer.size(), &newer.root(), &hashes).map_err(|_| failed())
}
