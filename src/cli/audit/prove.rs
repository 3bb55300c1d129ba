//! `samband audit prove`: proofs of entries against the newest head.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};

use super::list::line;
use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::replace::Writes;
use crate::cli::schema::Service;
use crate::domain::id::MessageId;
use crate::tls::files;

/// What `audit prove --help` shows.
pub const HELP: &str = "Examples:
  samband audit prove 12 --identity certs-dev/tilsyn --out proofs
  samband audit prove --message-id 019a9b3c-0000-7000-8000-000000000001 --identity certs-dev/tilsyn --out proofs

Writes INDEX.tlog-proof and the 33 bytes of the entry, INDEX.leaf. Check them with `samband audit verify INDEX.tlog-proof --vkey log.vkey` or any tool
for C2SP tlog-proof. The proof of an entry whose record is erased, or kept and cannot be read, opens nothing: keep INDEX.leaf beside it, which shows
that this leaf stands in the log, and nothing of what it said.";

/// Arguments of `audit prove`.
#[derive(Debug, Args)]
pub struct ProveArgs {
    /// The entry's place in the log
    #[arg(value_name = "INDEX", required_unless_present = "message_id", conflicts_with = "message_id")]
    pub index: Option<u64>,
    /// Every entry about this message
    #[arg(long, value_name = "MESSAGE_ID")]
    pub message_id: Option<MessageId>,
    /// Folder for the proofs
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub async fn run(args: &ProveArgs, out: Output) -> Result<(), CliError> {
    if args.out.exists() && !args.out.is_dir() {
        let what = "this is a file, and the proofs go into a folder; name a folder, or one that is not there yet";
        return Err(CliError::Usage(format!("--out {}: {what}", args.out.display())));
    }
    let client = Client::new(&args.connect)?;
    let (mut from, mut damaged) = (0, Vec::new());
    loop {
        let request = match (args.index, args.message_id) {
            (_, Some(id)) => json!({"message_id": id.to_string(), "from_index": from}),
            (index, None) => json!({"index": index.unwrap_or_default()}),
        };
        let answer = client.ask(Service::Audit, "GetProof", &request).await?;
        files::make_private_dir(&args.out).map_err(|error| CliError::Usage(error.to_string()))?;
        for proof in answer["proofs"].as_array().into_iter().flatten() {
            let index = proof["index"].as_u64().unwrap_or_default();
            let (text, leaf) = (field(proof, "proof")?, field(proof, "leaf")?);
            let file = args.out.join(format!("{index}.tlog-proof"));
            Writes::Proof.write(&file, &text)?;
            Writes::Leaf.write(&args.out.join(format!("{index}.leaf")), &leaf)?;
            let unreadable = proof["unreadable"].as_bool().unwrap_or_default();
            if unreadable {
                damaged.push(index.to_string());
            }
            let json = json!({
                "index": index, "record": proof.get("record"), "unreadable": unreadable, "proof_file": file.display().to_string(),
            });
            out.result(&format!("{}\n        {}", line(proof), file.display()), &json);
        }
        match next_page(&answer, from)? {
            Some(next) => from = next,
            None if damaged.is_empty() => return Ok(()),
            None => {
                return Err(CliError::Failed(format!(
                    "entry {}: the proof shows that it stands in the log and does not open it, as its record cannot be read; ask the operator to stop \
                     the gateway, run `samband audit fsck DATA_DIR --storage-key FILE` and bring back the newest copy",
                    damaged.join(", ")
                )));
            }
        }
    }
}

/// Where the next call for more of an answer starts, if there is more.
///
/// # Errors
/// It would start where this one did, or before.
pub fn next_page(answer: &Value, from: u64) -> Result<Option<u64>, CliError> {
    match answer["next_index"].as_u64() {
        Some(next) if next <= from => Err(CliError::Failed("the gateway's answer goes on where it began".to_owned())),
        next => Ok(next),
    }
}

/// A field of bytes of an answer.
///
/// # Errors
/// It is not there.
pub fn field(answer: &Value, name: &str) -> Result<Vec<u8>, CliError> {
    let bytes = answer[name].as_str().and_then(|text| STANDARD.decode(text).ok()).filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| CliError::Failed(format!("the gateway's answer holds no {name}")))
}
