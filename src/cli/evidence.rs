//! `samband receipt evidence`: what became of an own message, as proofs that hold without the gateway.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::domain::id::MessageId;
use crate::tls::files;

use super::audit::prove::{field, next_page};
use super::client::{Client, ConnectArgs};
use super::exit::CliError;
use super::output::Output;
use super::replace::Writes;
use super::role::Role;

/// What `receipt evidence --help` shows.
pub const HELP: &str = "Examples:
  samband receipt evidence 019a9b3c-0000-7000-8000-000000000001 --as prosecution --identity certs-dev/politi-oslo --out evidence

Check each with `samband receipt verify FILE --vkey log.vkey`, offline. Writes MESSAGE_ID.EVENT.INDEX.tlog-proof for each hand-out, acknowledgement, return and undelivered end of the message. Fetch them while records live,
13 to 35 months; the proofs hold for ever. Each opens what the sender may know, and nothing else.";

/// Arguments of `receipt evidence`.
#[derive(Debug, Args)]
pub struct EvidenceArgs {
    /// The own message
    #[arg(value_name = "MESSAGE_ID")]
    pub id: MessageId,
    /// The caller's role
    #[arg(long = "as", value_enum, value_name = "ROLE", env = "SAMBAND_ROLE")]
    pub role: Role,
    /// Folder for the proofs
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`]; a message of which nothing has become yet is none.
pub async fn run(args: &EvidenceArgs, out: Output) -> Result<(), CliError> {
    let client = Client::new(&args.connect)?;
    let (mut found, mut next, mut is_damaged) = (Vec::new(), Some(0), false);
    while let Some(from) = next {
        let request = json!({"message_id": args.id.to_string(), "from_index": from});
        let answer = client.ask(args.role.service(), "GetEvidence", &request).await?;
        found.extend(answer["evidence"].as_array().cloned().unwrap_or_default());
        is_damaged |= answer["damaged"].as_bool().unwrap_or_default();
        next = next_page(&answer, from)?;
    }
    if found.is_empty() && !is_damaged {
        out.result(
            "there is nothing to prove: it was neither fetched nor returned, or the records of that are erased, which live 13 to 35 months",
            &json!({"evidence": []}),
        );
        return Ok(());
    }
    files::make_private_dir(&args.out).map_err(|error| CliError::Usage(error.to_string()))?;
    for one in &found {
        let (index, event) = (one["log_index"].as_u64().unwrap_or_default(), one["kind_name"].as_str().unwrap_or_default());
        // The name becomes a file's: it is the gateway's word, and a word is all that it may be.
        if event.is_empty() || !event.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            return Err(CliError::Failed("the gateway's answer names no event".to_owned()));
        }
        let file = args.out.join(format!("{}.{event}.{index}.tlog-proof", args.id));
        Writes::Proof.write(&file, &field(one, "proof")?)?;
        let time = one["time"].as_str().unwrap_or_default();
        let json = json!({"event": event, "time": time, "log_index": index, "proof_file": file.display().to_string()});
        out.result(&format!("{time}  {event} at place {index}\n        {}", file.display()), &json);
    }
    whole(is_damaged)
}

/// # Errors
/// Something may be lacking for damage.
fn whole(is_damaged: bool) -> Result<(), CliError> {
    if !is_damaged {
        return Ok(());
    }
    let what = "a step may be lacking, as a record at the gateway is damaged; ask the operator to stop it, run `samband audit fsck DATA_DIR --storage-key FILE` and bring back \
                the newest copy, then run this again";
    Err(CliError::Failed(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_that_may_hide_a_step_is_no_success() {
        assert!(whole(false).is_ok());
        let error = whole(true).unwrap_err();
        assert!(error.code() == 1 && error.to_string().contains("samband audit fsck"), "{error}");
    }
}
