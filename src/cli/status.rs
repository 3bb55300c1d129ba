//! `samband status`: where own messages stand, by id or as a feed.

use clap::Args;
use serde_json::{Value, json};

use crate::domain::id::MessageId;

use super::client::{Client, ConnectArgs};
use super::exit::CliError;
use super::output::Output;
use super::role::Role;

/// What `status --help` shows.
pub const HELP: &str = "Examples:
  samband status --as prosecution --identity certs-dev/politi-oslo 019a9b3c-0000-7000-8000-000000000001
  samband status --as laboratory --identity certs-dev/lab-ous --changes
  samband status --as prosecution --identity certs-dev/politi-oslo --watch --cursor 41.12

--changes prints what changed since --cursor and ends; --watch stays connected. Keep the last cursor printed for the next call.";

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Own messages
    #[arg(value_name = "MESSAGE_ID", num_args = 1..=100, required_unless_present_any = ["watch", "changes"], conflicts_with_all = ["watch", "changes"])]
    pub ids: Vec<MessageId>,
    /// Print changes as they come
    #[arg(long)]
    pub watch: bool,
    /// Print changes up to the present
    #[arg(long, conflicts_with = "watch")]
    pub changes: bool,
    /// The last cursor seen; the beginning when left out
    #[arg(long, value_name = "CURSOR", default_value = "")]
    pub cursor: String,
    /// The caller's role
    #[arg(long = "as", value_enum, value_name = "ROLE", env = "SAMBAND_ROLE")]
    pub role: Role,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`]; an unknown id is one, after the known ones are printed.
pub async fn run(args: &StatusArgs, out: Output) -> Result<(), CliError> {
    let client = Client::new(&args.connect)?;
    if args.ids.is_empty() {
        return tokio::select! {
            watched = watch(args, &client, out) => watched,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
    }
    let ids: Vec<String> = args.ids.iter().map(ToString::to_string).collect();
    let answer = client.ask(args.role.service(), "GetStatus", &json!({"message_ids": ids})).await?;
    for status in answer["statuses"].as_array().into_iter().flatten() {
        out.result(&line(status), status);
    }
    let unknown: Vec<&str> = answer["unknown_message_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(CliError::Failed(format!("no message of this sender, or its case is forgotten: {}", unknown.join(", "))))
}

async fn watch(args: &StatusArgs, client: &Client, out: Output) -> Result<(), CliError> {
    let request = json!({"cursor": args.cursor, "follow": args.watch});
    let mut changes = client.stream(args.role.service(), "WatchStatus", &request).await?;
    while let Some(change) = changes.next().await? {
        out.result(&format!("{}  cursor {}", line(&change["status"]), change["cursor"].as_str().unwrap_or_default()), &change);
    }
    Ok(())
}

fn line(status: &Value) -> String {
    format!("{}  {}", status["message_id"].as_str().unwrap_or_default(), word(status))
}

/// The status as a word.
#[must_use]
pub fn word(status: &Value) -> String {
    status["status"].as_str().unwrap_or("UNKNOWN").trim_start_matches("DELIVERY_STATUS_").to_lowercase().replace('_', " ")
}
