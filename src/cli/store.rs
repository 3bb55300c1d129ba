//! `samband store info`: what lies in a store's folder and how long it will.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::clock::{Clock as _, SystemClock};
use crate::config::keys::read_storage_key;
use crate::domain::time::Timestamp;
use crate::regular_file;
use crate::store::embedded::info::{SealedInfo, Sizes, StoreInfo, info};

use super::doctor::{ago, bytes};
use super::exit::CliError;
use super::folder::store_in;
use super::output::Output;

const INFO_HELP: &str = "Examples:
  samband store info /var/lib/samband/data
  samband store info /var/lib/samband/data --storage-key /etc/samband/storage-key

Nothing is changed, and the gateway may run. Without the storage key it shows what stands in the open: sizes by how long they live, journal
and record files, the log. With it also the undelivered mail, the oldest content and the last clean stop. Counts and ages only.";

/// What is done with a store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Show sizes by lifetime, ages and counts of a store's folder
    #[command(after_help = INFO_HELP)]
    Info(InfoArgs),
}

/// Arguments of `store info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The store's folder (data_dir)
    #[arg(value_name = "DATA_DIR")]
    pub data_dir: PathBuf,
    /// The storage key, to tell what is sealed too
    #[arg(long, value_name = "FILE")]
    pub storage_key: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Config`] for a folder that is no store or damaged, or a key that does not fit.
pub fn run(command: &StoreCommand, out: Output) -> Result<(), CliError> {
    let StoreCommand::Info(args) = command;
    store_in(&args.data_dir)?;
    let config = |error: &dyn std::fmt::Display| CliError::Config(error.to_string());
    let key = args.storage_key.as_deref().map(read_storage_key).transpose().map_err(|error| config(&error))?;
    let now = SystemClock.now();
    let found = info(&args.data_dir, key, now).map_err(|error| config(&error))?;
    let holder = holder_of(&args.data_dir);
    out.result(&text(&found, holder, now), &json(&found, holder));
    Ok(())
}

/// The process that holds the store's lock, as far as this machine's list of locks shows it. Asking for the lock itself would keep a gateway
/// from starting in that moment.
#[must_use]
pub fn holder_of(data_dir: &Path) -> Option<u32> {
    let locks = regular_file::read_system("/proc/locks")?;
    // A program before this one holds the file alone, and the file may have been removed under whoever holds the folder.
    [data_dir.to_owned(), data_dir.join("LOCK")].iter().find_map(|path| {
        let lock = path.metadata().ok()?;
        holder_in(&locks, lock.dev(), lock.ino())
    })
}

/// A line is `1: FLOCK ADVISORY WRITE <pid> <major>:<minor>:<inode> 0 EOF`, device numbers in hexadecimal.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let place = format!("{:02x}:{:02x}:{inode}", rustix::fs::major(device), rustix::fs::minor(device));
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next()? == "FLOCK").then_some(())?;
        let pid = words.nth(2)?;
        (words.next()? == place).then(|| pid.parse().ok())?
    })
}

fn text(found: &StoreInfo, holder: Option<u32>, now: Timestamp) -> String {
    let StoreInfo { format, current, sizes, journals, months, log_size, published, sealed } = found;
    let Sizes { content, state, records, holds, proof, index, keys, reserve, previous, other } = sizes;
    let count = |number: &Option<u64>| number.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let running = holder.map_or_else(|| "no gateway runs on it".to_owned(), |pid| format!("process {pid} runs on it"));
    let frames: u64 = journals.iter().map(|journal| journal.frames).sum();
    let journaled: u64 = journals.iter().map(|journal| journal.bytes).sum();
    let mut lines = vec![
        format!("log          {} (format {}, store {}), {running}", format.origin, format.version, format.store_id),
        format!("log size     {} entries, {} published", count(log_size), count(published)),
        format!("content      {:>10}  until the turn after its acknowledgement", bytes(*content)),
        format!("case state   {:>10}  until the case ends, with the events since the last turn", bytes(*state)),
        format!("records      {:>10}  13 to 35 months; {}", bytes(*records), month_range(months)),
        format!("proof        {:>10}  for ever", bytes(*proof)),
        format!("index        {:>10}  can be built anew", bytes(*index)),
        format!("other        {:>10}  keys {}, reserve {}", bytes(keys + reserve + other), bytes(*keys), bytes(*reserve)),
    ];
    if *holds > 0 {
        lines.push(format!("held         {:>10}  records under legal holds, until these end", bytes(*holds)));
    }
    if *previous > 0 {
        lines.push(format!("previous     {:>10}  logs that this one follows, for verification", bytes(*previous)));
    }
    let base = current.base.map_or_else(
        || "none yet".to_owned(),
        |base| format!("{base} of {} entries, {} contents, {}", current.size, current.contents, ago(now.millis() - current.turned_at)),
    );
    lines.push(format!("base         {base}"));
    lines.push(format!("journals     {} files from {} on, {frames} frames, {}", journals.len(), current.journal, bytes(journaled)));
    if let Some(follows) = &format.follows {
        lines.push(format!("follows      {}, of which {} entries were kept and {} published", follows.origin, follows.kept, follows.size));
    }
    match sealed {
        Some(sealed) => lines.extend(sealed_lines(sealed, now)),
        None => lines.push("sealed       give --storage-key for undelivered mail, the oldest content and the last clean stop".to_owned()),
    }
    lines.join("\n")
}

/// What a hold that is not whole wants of the operator.
pub const NOT_WHOLE: &str = "records of theirs cannot be read, or may be theirs; where one stands in its month, that month stays with what follows it, to the end of its lawful time, and where its month is gone it stands in its file in holds/ alone: `samband audit fsck DATA_DIR --storage-key FILE` names the records; put the file back from a copy";

/// What undelivered items whose content is damaged want of the operator.
pub const UNREAD: &str = "cannot be read and are not handed out, the others are: `samband audit fsck DATA_DIR --storage-key FILE` names the file; put it back from the newest copy where something of it is left, or have the senders withdraw and send anew (docs/recovery.md)";

/// What a file or key that is not there wants of the operator.
pub const GONE: &str =
    "is gone, or is no key any more: put it back from the newest copy, `samband audit fsck DATA_DIR --storage-key FILE` shows all of it";

/// What can no longer be done for it.
pub const LOST: &str = "records could not be read for legal holds before they were gone: whoever placed a hold sees it on the front page and at `samband audit hold list`, as long as the hold lives";

fn lacking(not_whole: u64, lost: u64) -> String {
    let stands = if not_whole > 0 { format!("; {not_whole} not whole: {NOT_WHOLE}") } else { String::new() };
    if lost > 0 { format!("{stands}; {lost} {LOST}") } else { stands }
}

fn sealed_lines(sealed: &SealedInfo, now: Timestamp) -> Vec<String> {
    let SealedInfo {
        stats,
        oldest_undelivered,
        unread,
        gone,
        contents,
        oldest_content,
        last_event,
        stopped_cleanly,
        last_stop,
        holds,
        holds_not_whole,
        lost,
        held,
        unreadable,
        looked_at,
        records,
    } = sealed;
    let oldest =
        |at: &Option<Timestamp>| at.map_or_else(String::new, |at| format!(", the oldest accepted {}", ago(now.millis() - at.millis())));
    let mut lines = vec![
        format!("undelivered  {} items, {} overdue{}", stats.undelivered, stats.overdue, oldest(oldest_undelivered)),
        format!("on disk      {contents} contents{}", oldest(oldest_content)),
        format!("in memory    {} cases, {} message ids", stats.cases, stats.ids),
        format!("legal holds  {holds} in force, {held} records in files of their own{}", lacking(*holds_not_whole, *lost)),
        format!("last event   {last_event}"),
        match last_stop {
            Some(at) if *stopped_cleanly => format!("last stop    {at}, clean, nothing after it"),
            Some(at) => format!("last stop    {at}, clean; started again since"),
            None => "last stop    none among the newest 100,000 records".to_owned(),
        },
    ];
    lines.push(format!(
        "looked at    {looked_at} of {records} records in files, none damaged; `samband audit fsck DATA_DIR --storage-key FILE` reads all"
    ));
    if *unreadable > 0 {
        lines.pop();
        lines.push(format!(
            "DAMAGED      {unreadable} of {looked_at} records looked at, of {records} in files, cannot be read: run `samband audit fsck DATA_DIR --storage-key FILE`"
        ));
    }
    if *unread > 0 {
        lines.push(format!("DAMAGED      {unread} undelivered items {UNREAD}"));
    }
    lines.extend(gone.iter().map(|name| format!("GONE         {name} {GONE}")));
    lines
}

fn month_range(months: &[crate::domain::time::Date]) -> String {
    let name = |month: &crate::domain::time::Date| format!("{:04}-{:02}", month.year(), month.month());
    match (months.first(), months.last()) {
        (Some(first), Some(last)) => format!("{} months from {} to {}", months.len(), name(first), name(last)),
        _ => "no month is written yet".to_owned(),
    }
}

fn json(found: &StoreInfo, holder: Option<u32>) -> Value {
    let StoreInfo { format, current, sizes, journals, months, log_size, published, sealed } = found;
    let Sizes { content, state, records, holds, proof, index, keys, reserve, previous, other } = sizes;
    let journals: Vec<Value> = journals
        .iter()
        .map(|file| json!({"number": file.number, "bytes": file.bytes, "frames": file.frames, "content_bytes": file.content_bytes}))
        .collect();
    let months: Vec<String> = months.iter().map(ToString::to_string).collect();
    json!({
        "origin": format.origin, "log_key": format.log_key, "format": format.version, "store_id": format.store_id,
        "running_pid": holder, "log_size": log_size, "published": published,
        "bytes": {
            "content": content, "state": state, "records": records, "holds": holds, "proof": proof, "index": index, "keys": keys, "reserve": reserve,
            "previous": previous, "other": other,
        },
        "base": {"number": current.base, "size": current.size, "contents": current.contents, "turned_at": at(current.turned_at)},
        "journals": journals, "first_journal": current.journal, "record_months": months,
        "first_kept_month": current.first_month.map(|month| month.to_string()),
        "follows": format.follows.as_ref().map(|log| json!({"origin": log.origin, "size": log.size, "kept": log.kept})),
        "sealed": sealed.as_ref().map(sealed_json),
    })
}

fn at(millis: i64) -> String {
    Timestamp::from_millis(millis).to_string()
}

fn sealed_json(sealed: &SealedInfo) -> Value {
    let SealedInfo {
        stats,
        oldest_undelivered,
        unread,
        gone,
        contents,
        oldest_content,
        last_event,
        stopped_cleanly,
        last_stop,
        holds,
        holds_not_whole,
        lost,
        held,
        unreadable,
        looked_at,
        records,
    } = sealed;
    let time = |at: &Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "undelivered": stats.undelivered, "overdue": stats.overdue, "undelivered_unreadable": unread, "gone": gone, "oldest_undelivered": time(oldest_undelivered),
        "contents": contents, "oldest_content": time(oldest_content), "cases": stats.cases, "message_ids": stats.ids,
        "last_event": last_event.to_string(), "stopped_cleanly": stopped_cleanly, "last_stop": time(last_stop), "holds": holds,
        "holds_not_whole": holds_not_whole, "held_records_lost": lost, "held_records": held, "unreadable": unreadable, "records_looked_at": looked_at,
        "records": records,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::dev_home::DevHome;
    use crate::cli::gateway::store_options;
    use crate::clock::SystemEntropy;
    use crate::config::Config;
    use crate::store::Store as _;
    use crate::store::embedded::EmbeddedStore;

    #[test]
    fn only_a_damaged_record_that_stands_in_its_month_is_said_to_keep_it() {
        let said = lacking(2, 1);
        assert!(
            said.contains("2 not whole: ") && said.contains("where one stands in its month, that month stays with what follows it"),
            "{said}"
        );
        assert!(said.contains("where its month is gone it stands in its file in holds/ alone"), "{said}");
        assert!(said.ends_with(&format!("; 1 {LOST}")) && lacking(0, 0).is_empty(), "{said}");
    }

    #[tokio::test]
    async fn what_is_damaged_or_gone_stands_on_lines_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let home = DevHome::prepare(&dir.path().join("dev"), "127.0.0.1:0".parse().unwrap()).unwrap();
        let config = Config::load(&home.config_file()).unwrap();
        let store =
            EmbeddedStore::open(store_options(&config, Arc::new(SystemClock), Arc::new(SystemEntropy::default())).unwrap()).unwrap();
        store.stop().await.unwrap();
        drop(store);
        let now = SystemClock.now();
        let mut found = info(&config.data_dir, Some(read_storage_key(&config.storage_key_file).unwrap()), now).unwrap();
        let told = |found: &StoreInfo| -> Vec<String> {
            let said = text(found, None, now);
            said.lines().filter(|line| line.starts_with("DAMAGED") || line.starts_with("GONE")).map(ToOwned::to_owned).collect()
        };
        assert_eq!(told(&found), Vec::<String>::new());
        let sealed = found.sealed.as_mut().unwrap();
        (sealed.unread, sealed.gone) = (2, vec!["records/2026-01.rec".to_owned()]);
        let wanted = [format!("DAMAGED      2 undelivered items {UNREAD}"), format!("GONE         records/2026-01.rec {GONE}")];
        assert_eq!(told(&found), wanted);
    }

    #[test]
    fn the_holder_is_the_process_of_the_flock_on_that_very_file() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 fd:01:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 42 fd:01:77 0 EOF\n3: FLOCK  ADVISORY  WRITE 43 fd:02:77 0 EOF\n";
        let device = rustix::fs::makedev(0xfd, 1);
        assert_eq!(holder_in(locks, device, 77), Some(42));
        assert_eq!(holder_in(locks, device, 78), None);
        assert_eq!(holder_in("", device, 77), None);
    }
}
