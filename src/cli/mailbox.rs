//! `samband receive`, `ack` and `return`: a recipient's mailbox.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::tls::files;

use super::client::{Client, ConnectArgs};
use super::exit::CliError;
use super::output::{Output, readable};
use super::replace::Writes;
use super::role::Recipient;
use super::schema::{self, Service};
use super::send::enum_number;
use crate::domain::unseen::shown;

/// Items that are acknowledged in one call.
const ACKNOWLEDGE_MAX: usize = 256;

/// What `receive --help` shows.
pub const RECEIVE_HELP: &str = "Examples:
  samband receive --as municipal --identity certs-dev/ru-oslo
  samband receive --as municipal --identity certs-dev/ru-oslo --out inbox --ack
  samband receive --as prosecution --identity certs-dev/politi-oslo --out inbox --ack --follow

Without --follow it ends when nothing is left. An item comes again until it is acknowledged; acknowledged content is erased at the gateway,
so --ack wants --out: each item is on this disk before it is acknowledged.";

/// What `ack --help` shows.
pub const ACK_HELP: &str = "Examples:
  samband ack --as municipal --identity certs-dev/ru-oslo 12
  samband ack --as prosecution --identity certs-dev/politi-oslo 15 17 18

Acknowledge when the item is safe in your own system: its content is then erased at the gateway.";

/// What `return --help` shows.
pub const RETURN_HELP: &str = "Examples:
  samband return 12 --reason not-staying-here --identity certs-dev/ru-tromso

Reasons: not-staying-here, cannot-identify. A returned notice ends this unit's part in the case; the prosecution sends it anew.";

/// Arguments of `receive`.
#[derive(Debug, Args)]
pub struct ReceiveArgs {
    /// Whose mailbox
    #[arg(long = "as", value_enum, value_name = "ROLE", env = "SAMBAND_ROLE")]
    pub role: Recipient,
    /// The reader's own stable name; a new stream of the same reader takes over the old one
    #[arg(long, default_value = "samband-cli", value_name = "ID")]
    pub reader: String,
    /// Stay connected and print items as they come
    #[arg(long, conflicts_with = "max")]
    pub follow: bool,
    /// End after this many items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max: Option<u32>,
    /// Acknowledge each item once it is written
    #[arg(long, requires = "out")]
    pub ack: bool,
    /// Write each item to this folder, as item-NUMBER.json
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Arguments of `ack`.
#[derive(Debug, Args)]
pub struct AckArgs {
    /// Item numbers
    #[arg(value_name = "ITEM", required = true, num_args = 1..=ACKNOWLEDGE_MAX)]
    pub items: Vec<u64>,
    /// Whose mailbox
    #[arg(long = "as", value_enum, value_name = "ROLE", env = "SAMBAND_ROLE")]
    pub role: Recipient,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Arguments of `return`.
#[derive(Debug, Args)]
pub struct ReturnArgs {
    /// The notice's item number
    #[arg(value_name = "ITEM")]
    pub item: u64,
    /// Why
    #[arg(long, value_name = "REASON")]
    pub reason: String,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs `receive`. Ends well on Ctrl-C.
///
/// # Errors
/// See [`CliError`].
pub async fn receive(args: &ReceiveArgs, out: Output) -> Result<(), CliError> {
    let client = Client::new(&args.connect)?;
    if let Some(dir) = &args.out {
        files::make_private_dir(dir).map_err(|error| CliError::Usage(error.to_string()))?;
    }
    let bar = out.progress(0, "items");
    let received = tokio::select! {
        received = receive_all(args, &client, out, &bar) => received,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    bar.finish_and_clear();
    received
}

async fn receive_all(args: &ReceiveArgs, client: &Client, out: Output, bar: &indicatif::ProgressBar) -> Result<(), CliError> {
    let request = json!({"reader_id": args.reader, "max_items": args.max.unwrap_or(0), "until_empty": !args.follow});
    let mut answers = client.stream(args.role.service(), "Receive", &request).await?;
    let mut count = 0_u64;
    while let Some(item) = answers.next().await? {
        let number = item["item_number"].as_u64().unwrap_or_default();
        if let Some(dir) = &args.out {
            Writes::Item(number).write(&item_file(dir, number), format!("{item:#}\n").as_bytes())?;
        }
        bar.suspend(|| out.result(&item_text(&item, args.out.as_deref()), &item));
        bar.inc(1);
        count += 1;
        if args.ack {
            acknowledge(client, args.role.service(), &[number]).await?;
        }
    }
    if count == 0 {
        out.note("the mailbox is empty");
    } else if !args.ack {
        out.note("acknowledge what is safe in your own system: samband ack ITEM...");
    }
    Ok(())
}

fn item_file(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("item-{number}.json"))
}

fn item_text(item: &Value, dir: Option<&Path>) -> String {
    let number = item["item_number"].as_u64().unwrap_or_default();
    let from = shown(item["sender"]["name"].as_str().unwrap_or_default());
    let head = format!("item {number} from {from}, {}", what(item));
    match dir {
        // The file holds it; a person's name need not stand in a terminal's history as well.
        Some(dir) => format!("{head}: {}", item_file(dir, number).display()),
        None => format!("{head}\n{}", readable(item)),
    }
}

/// What an item is, in words.
#[must_use]
pub fn what(item: &Value) -> &'static str {
    let corrects = item.get("replaces_item").is_some();
    for (field, new, again) in [
        ("notice", "a notice", "a corrected notice"),
        ("withdrawal", "a withdrawn notice", "a withdrawn notice"),
        ("report", "a report", "a corrected report"),
        ("report_withdrawal", "a withdrawn report", "a withdrawn report"),
        ("result", "a result", "a corrected result"),
        ("result_withdrawal", "a withdrawn result", "a withdrawn result"),
    ] {
        if item.get(field).is_some() {
            return if corrects { again } else { new };
        }
    }
    "an item of a newer protocol"
}

/// Acknowledges items.
///
/// # Errors
/// A refusal, or no connection.
pub async fn acknowledge(client: &Client, service: Service, items: &[u64]) -> Result<(), CliError> {
    client.ask(service, "Acknowledge", &json!({"item_numbers": items})).await.map(drop)
}

/// Runs `ack`.
///
/// # Errors
/// See [`CliError`].
pub async fn ack(args: &AckArgs, out: Output) -> Result<(), CliError> {
    let client = Client::new(&args.connect)?;
    acknowledge(&client, args.role.service(), &args.items).await?;
    out.result(&format!("acknowledged {}", args.items.len()), &json!({"acknowledged": args.items}));
    Ok(())
}

/// Runs `return`.
///
/// # Errors
/// See [`CliError`].
pub async fn give_back(args: &ReturnArgs, out: Output) -> Result<(), CliError> {
    let reason = enum_number(&schema::descriptor("ReturnRequest"), "reason", &args.reason)
        .map_err(|known| CliError::Usage(format!("--reason: one of {known}")))?;
    let client = Client::new(&args.connect)?;
    client.ask(Service::Municipal, "Return", &json!({"item_number": args.item, "reason": reason})).await?;
    out.result(&format!("returned item {}", args.item), &json!({"returned": args.item}));
    Ok(())
}
