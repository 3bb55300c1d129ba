//! `samband audit checkpoint`: the newest head, and that it continues an older one.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::prove::field;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::LogVerifier;
use crate::audit::proof::verify_consistency;
use crate::audit::tree::Hash;
use crate::cli::apart::apart;
use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::receipt::{read_policy, read_vkey};
use crate::cli::replace::Writes;
use crate::cli::schema::Service;
use crate::tls::files;

/// What `audit checkpoint --help` shows.
pub const HELP: &str = "Examples:
  samband audit checkpoint --identity certs-dev/tilsyn
  samband audit checkpoint --identity certs-dev/tilsyn --vkey log.vkey --out today.checkpoint
  samband audit checkpoint --identity certs-dev/tilsyn --vkey log.vkey --older yesterday.checkpoint
  samband audit checkpoint --identity certs-dev/tilsyn --vkey log-2.vkey --older last-year.checkpoint --older-vkey log.vkey
  samband audit checkpoint --identity certs-dev/tilsyn --vkey log.vkey --policy witnesses.policy --cosigned-out today.cosigned

Keep a checkpoint each day, under a name of its own, as none is replaced: --older proves that nothing before it was changed since. --older-vkey is for a log that follows another after a
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
    /// A tlog-policy file: which witnesses must have cosigned
    #[arg(long, value_name = "FILE", requires = "vkey")]
    pub policy: Option<PathBuf>,
    /// Write the newest cosigned checkpoint to this file, if there is one
    #[arg(long, value_name = "FILE")]
    pub cosigned_out: Option<PathBuf>,
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
    let own = [args.vkey.as_ref(), args.older.as_ref(), args.older_vkey.as_ref(), args.policy.as_ref()];
    let outputs = [("--out", args.out.as_deref(), Writes::Head), ("--cosigned-out", args.cosigned_out.as_deref(), Writes::Head)];
    apart(&outputs, own.into_iter().flatten().chain(&args.connect.inputs()))?;
    let client = Client::new(&args.connect)?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let Head { checkpoint: text, cosigned, witnesses } = fetch(&client).await?;
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
    if let (Some(policy), Some(vkey)) = (&policy, &args.vkey) {
        let (verifier, _) = read_vkey(vkey)?;
        let failed = |what: String| CliError::Failed(format!("witnesses: {what}"));
        let cosigned = cosigned.as_deref().ok_or_else(|| failed("the gateway shows no cosigned head".to_owned()))?;
        let witnessed = policy.accept(cosigned, &verifier).map_err(|error| failed(error.to_string()))?;
        let newest = open(&text, &verifier, "the gateway's checkpoint")?;
        continues(&client, &witnessed.checkpoint, &newest).await?;
        said.push_str(&format!("; the quorum of witnesses cosigned size {}", witnessed.checkpoint.size()));
    }
    if let Some(file) = &args.out {
        Writes::Head.write(file, text.as_bytes())?;
    }
    if let (Some(file), Some(cosigned)) = (&args.cosigned_out, &cosigned) {
        Writes::Head.write(file, cosigned.as_bytes())?;
    }
    let mut shown = if said.is_empty() { text.trim_end().to_owned() } else { format!("{}\n{said}", text.trim_end()) };
    for witness in &witnesses {
        shown.push_str(&format!(
            "\nwitness {}: {}",
            witness["name"].as_str().unwrap_or_default(),
            witness["status"].as_str().unwrap_or_default()
        ));
    }
    let json = json!({
        "checkpoint": text, "cosigned_checkpoint": cosigned, "witnesses": witnesses, "verified": args.vkey.is_some(),
        "continues": args.older.is_some(), "quorum": policy.is_some(),
    });
    out.result(&shown, &json);
    Ok(())
}

fn read_text(file: &Path) -> Result<String, CliError> {
    let bytes = files::read(file, files::SECRET_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| CliError::Usage(format!("{}: is no text", file.display())))
}

/// What the gateway shows of its head.
#[derive(Debug)]
pub struct Head {
    /// The newest signed head, as text.
    pub checkpoint: String,
    /// The newest head with cosignatures, if there is one.
    pub cosigned: Option<String>,
    /// Each witness as it stands.
    pub witnesses: Vec<Value>,
}

/// The newest head.
///
/// # Errors
/// A refusal, or no connection.
pub async fn fetch(client: &Client) -> Result<Head, CliError> {
    let answer = client.ask(Service::Audit, "GetCheckpoint", &json!({})).await?;
    let text = |name: &str| {
        String::from_utf8(field(&answer, name)?).map_err(|_| CliError::Failed("the gateway's checkpoint is no text".to_owned()))
    };
    let cosigned = answer.get("cosigned_checkpoint").map(|_| text("cosigned_checkpoint")).transpose()?;
    let witnesses = answer["witnesses"].as_array().cloned().unwrap_or_default();
    Ok(Head { checkpoint: text("checkpoint")?, cosigned, witnesses })
}

/// The gateway's proof that the log of `new` entries continues that of `old`; none is needed from nothing or to the same size.
///
/// # Errors
/// A refusal, no connection, or an answer that is no list of hashes.
pub async fn proof_between(client: &Client, old: u64, new: u64) -> Result<Vec<Hash>, CliError> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let answer = client.ask(Service::Audit, "GetConsistencyProof", &json!({"old_size": old, "new_size": new})).await?;
    let wrong = || CliError::Failed("the gateway's proof holds something that is no hash".to_owned());
    let hashes = answer["hashes"].as_array().into_iter().flatten();
    hashes.map(|hash| Ok(Hash::from_bytes(field(&json!({"hash": hash}), "hash")?.try_into().map_err(|_| wrong())?))).collect()
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
    let hashes = proof_between(client, older.size(), newer.size()).await?;
    verify_consistency(older.size(), &older.root(), newer.size(), &newer.root(), &hashes).map_err(|_| failed())
}
