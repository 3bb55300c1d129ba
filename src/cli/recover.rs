//! `samband recover`: what a store that is behind its own log has lost, and going on as a new log that says so.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use crate::clock::{SystemClock, SystemEntropy};
use crate::config::Config;
use crate::config::keys::read_storage_key;
use crate::store::embedded::RealDisk;
use crate::store::embedded::recover::{self, Evidence, Loss, MARGIN};
use crate::tls::files;

use super::dev_home::DevHome;
use super::exit::CliError;
use super::gateway::{store_error, store_options};
use super::output::Output;
use super::place::PlaceArgs;

/// What `recover --help` shows.
pub const HELP: &str = "Examples:
  samband recover --config /etc/samband/samband.toml
  samband recover --config /etc/samband/samband.toml --newest-checkpoint auditor.checkpoint
  samband recover --config /etc/samband/samband.toml --accept-loss
  samband recover --dev --dir dev --accept-loss

For a store that serve refuses because it is behind its high-water mark: restored from an old copy, or its journal cut off. Without
--accept-loss it shows what is lost and changes nothing. Look for a newer copy first: nothing is lost that is still somewhere.

With --accept-loss the store goes on as a new log. Make its name and key before: samband keys new --log-only --origin NEW-NAME --dir DIR,
and set origin and log_key_file to them; with --dev this is done for you. Cases, undelivered mail and records that survived are kept, at
their old places in the log; the first record of the new log names the last known checkpoint of the old one, the lost places are filled.
Then ask every party to send again what it sent since the time shown, prosecutions first: what is known is
answered as a retry, what was lost is taken as new, under the references that it had.
docs/recovery.md has all the steps.";

/// Largest checkpoint file, in bytes.
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// Arguments of `recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Go on as a new log without what is lost
    #[arg(long)]
    pub accept_loss: bool,
    /// The newest signed checkpoint of the log that anyone holds; it may be newer than the high-water mark
    #[arg(long, value_name = "FILE")]
    pub newest_checkpoint: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Usage`] when nothing is lost; [`CliError::Config`] when keys do not fit or the old log's name is still configured;
/// [`CliError::Storage`] for damage and the disk.
pub async fn run(args: &RecoverArgs, out: Output) -> Result<(), CliError> {
    let mut config = args.place.load()?;
    let checkpoint = args.newest_checkpoint.as_deref().map(|file| files::read(file, CHECKPOINT_BYTES_MAX)).transpose()?;
    let checkpoint = checkpoint
        .map(|bytes| String::from_utf8(bytes).map_err(|_| CliError::Usage("--newest-checkpoint: not UTF-8 text".to_owned())))
        .transpose()?;
    let storage_key = read_storage_key(&config.storage_key_file).map_err(|error| CliError::Config(error.to_string()))?;
    let loss = recover::look(&Evidence {
        dir: &config.data_dir,
        storage_key,
        high_water_file: &config.high_water_file,
        newest_checkpoint: checkpoint.as_deref(),
        files: Arc::new(RealDisk),
    });
    let Some(loss) = loss.map_err(|error| store_error(&error))? else {
        return Err(CliError::Usage(format!(
            "{}: the store holds all that is known to have been published, nothing is lost; start the gateway",
            config.data_dir.display()
        )));
    };
    if !args.accept_loss {
        out.result(&preview(&loss), &loss_json(&loss, false));
        out.note("nothing was changed; look for a newer copy first, then run this again with --accept-loss");
        return Ok(());
    }
    if args.place.dev && config.origin.as_str() == loss.origin {
        DevHome::new_log(&args.place.dir, &loss.origin)?;
        config = args.place.load()?;
    }
    accept(&config, checkpoint.as_deref(), out).await
}

async fn accept(config: &Config, checkpoint: Option<&str>, out: Output) -> Result<(), CliError> {
    let options = store_options(config, Arc::new(SystemClock), Arc::new(SystemEntropy::default()))?;
    let vkey = options.log_signer.verifier().to_string();
    let bar = out.progress(0, "opening the new log");
    let loss = recover::accept(options, checkpoint).await;
    bar.finish_and_clear();
    let loss = loss.map_err(|error| store_error(&error))?;
    let text = format!(
        "{}\nthe store goes on as {}\nlog key {vkey}\n\
         give every party and auditor the new key, and ask the parties to send again what they sent since {}",
        preview(&loss),
        config.origin.as_str(),
        loss.last_event
    );
    let mut json = loss_json(&loss, true);
    json["new_origin"] = config.origin.as_str().into();
    json["new_log_key"] = vkey.into();
    out.result(&text, &json);
    Ok(())
}

fn preview(loss: &Loss) -> String {
    let Loss { origin, kept, last_event, published, root, parted, torn, undelivered, cases, ids, resumes_at, log_key: _ } = loss;
    let mut lines = vec![format!("log        {origin}, of which {published} entries were published, root {root}")];
    if let Some((file, offset)) = torn {
        lines.push(format!("torn       {file} stops being readable at offset {offset}"));
    }
    let of_whom = if *parted { "; they are not those that were published" } else { "" };
    lines.push(format!("kept       {kept} entries, the last of {last_event}{of_whom}"));
    let last = published.saturating_sub(1);
    lines.push(match loss.lost() {
        _ if *parted => "lost       the other history since the two parted; whoever holds its receipts must send again".to_owned(),
        0 => "lost       a journal file that is gone, with everything since that was not published yet".to_owned(),
        lost => format!("lost       entries {kept} to {last}, {lost} in all: everything accepted, fetched and acknowledged since"),
    });
    lines.push(format!("stays      {undelivered} undelivered items, {cases} cases, {ids} message ids"));
    lines.push(format!("goes on    at entry {resumes_at}, {MARGIN} after the last known one, so that no number comes twice"));
    lines.join("\n")
}

fn loss_json(loss: &Loss, accepted: bool) -> Value {
    let Loss { origin, log_key, kept, last_event, published, root, parted, torn, undelivered, cases, ids, resumes_at } = loss;
    json!({
        "accepted": accepted, "origin": origin, "log_key": log_key, "kept": kept, "kept_until": last_event.to_string(),
        "published": published, "root": root.to_string(), "lost_from": kept, "lost": loss.lost(), "parted": parted,
        "torn": torn.as_ref().map(|(file, offset)| json!({"file": file, "offset": offset})),
        "undelivered": undelivered, "cases": cases, "message_ids": ids, "resumes_at": resumes_at,
    })
}
