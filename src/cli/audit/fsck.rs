//! `samband audit fsck`: the files of a gateway's store, read and compared, never changed.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::cli::exit::CliError;
use crate::cli::folder::store_in;
use crate::cli::output::Output;
use crate::config::keys::read_storage_key;
use crate::domain::hold::HoldCopy;
use crate::store::embedded::OpenError;
use crate::store::embedded::fsck::{FsckReport, Progress, fsck};

/// What `audit fsck --help` shows.
pub const HELP: &str = "Examples:
  samband audit fsck /var/lib/samband/data
  samband audit fsck /var/lib/samband/data --storage-key /etc/samband/storage-key

Nothing is changed, and the gateway may run. Without the storage key the published log and the journal's chain are checked; with it also
every record against its leaf and all content that is still kept. Prints every damage with file and offset, files that the store did not make,
legal holds that lack records (which is no damage of its own), and how fast it went. The exit code is 1 for damage. A torn tail is none: it is what a kill leaves, and was never durable;
`left behind` names those of earlier kills, `lost seal` an empty mark that the next start writes again.";

/// Arguments of `audit fsck`.
#[derive(Debug, Args)]
pub struct FsckArgs {
    /// The store's folder (data_dir)
    #[arg(value_name = "DATA_DIR")]
    pub data_dir: PathBuf,
    /// The storage key, to check what is sealed too
    #[arg(long, value_name = "FILE")]
    pub storage_key: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Failed`] for damage; [`CliError::Config`] for a folder that is no store or a key that does not fit.
pub fn run(args: &FsckArgs, out: Output) -> Result<(), CliError> {
    store_in(&args.data_dir)?;
    let key = args.storage_key.as_deref().map(read_storage_key).transpose().map_err(|error| CliError::Config(error.to_string()))?;
    let begun = Instant::now();
    let bar = out.progress(1, "");
    let report = fsck(&args.data_dir, key, &mut |Progress { stage, done, total }| {
        bar.set_message(stage);
        if bar.length() != Some(total) {
            // Of another stage: its bar begins anew.
            bar.set_position(0);
            bar.set_length(total);
        }
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let report = match report {
        Ok(report) => report,
        // FORMAT itself: without it nothing else can be told.
        Err(OpenError::Damaged(damage)) => FsckReport { damages: vec![damage], ..FsckReport::default() },
        Err(error) => return Err(CliError::Config(error.to_string())),
    };
    let seconds = begun.elapsed().as_secs_f64();
    let rate = (report.published as f64 / seconds.max(0.001)) as u64;
    if let Some((file, offset)) = &report.lost_seal {
        let json = json!({"lost_seal": {"file": file, "offset": offset}});
        out.result(&format!("lost seal: {file}, offset {offset}: no event stood in it, the next start writes it again"), &json);
    }
    if let Some((file, offset)) = &report.torn {
        let json = json!({"torn": {"file": file, "offset": offset}});
        out.result(&format!("torn tail: {file}, offset {offset}: never durable, the next start leaves it behind"), &json);
    }
    for (file, offset) in &report.left {
        let json = json!({"left": {"file": file, "offset": offset}});
        out.result(&format!("left behind: {file}, offset {offset}: the torn tail of an earlier crash, never durable"), &json);
    }
    for (placed, copy) in &report.lacking {
        let (stands, lost) = (!matches!(copy, HoldCopy::Lost { .. }), copy.lost());
        let what = match (stands, lost) {
            (true, 0) => "records stand that cannot be read for it".to_owned(),
            (true, _) => format!("records stand that cannot be read for it, and {lost} that could not be read are gone"),
            (false, _) => format!("{lost} records that could not be read for it are gone"),
        };
        out.result(
            &format!("legal hold not whole: that placed by entry {placed}: {what}"),
            &json!({"hold_not_whole": {"placed": placed, "stands": stands, "lost": lost}}),
        );
    }
    for damage in &report.damages {
        out.result(&format!("damaged: {damage}"), &json!({"damaged": {"file": damage.file, "offset": damage.offset, "what": damage.what}}));
    }
    if !report.is_sound() {
        return Err(CliError::Failed(format!("{}: {} damaged places", args.data_dir.display(), report.damages.len())));
    }
    let text = verdict(&report, seconds, rate);
    let json = json!({
        "sound": report.sealed.then_some(true), "log_sound": true, "log": report.origin, "log_key": report.log_key, "published": report.published, "journaled": report.journaled,
        "frames": report.frames, "records": report.records, "contents": report.contents,
        "seconds": seconds, "entries_per_second": rate,
    });
    out.result(&text, &json);
    Ok(())
}

/// What is said where nothing is damaged: without the storage key, of the log alone.
fn verdict(report: &FsckReport, seconds: f64, rate: u64) -> String {
    if report.sealed {
        format!(
            "sound: log {}, {} entries published, {} frames, {} records and {} contents compared in {seconds:.1} s, {rate} entries a second",
            report.origin, report.published, report.frames, report.records, report.contents
        )
    } else {
        format!(
            "the log is sound, records and contents were NOT looked at: name --storage-key; log {}, {} entries published, {} frames compared in {seconds:.1} s, {rate} entries a second",
            report.origin, report.published, report.frames
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_storage_key_nothing_is_called_sound_but_the_log() {
        let of = |sealed| verdict(&FsckReport { sealed, ..FsckReport::default() }, 0.1, 7);
        assert!(of(true).starts_with("sound: ") && of(true).contains(" records and "), "{}", of(true));
        let unsealed = of(false);
        assert!(unsealed.starts_with("the log is sound, records and contents were NOT looked at: name --storage-key"), "{unsealed}");
    }
}
