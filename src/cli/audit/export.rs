//! `samband audit export`: a range of the log as a bundle that proves itself offline.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::bundle::read::{Demands, Proved, check_stream};
use super::bundle::write::{Frame, Writer};
use super::hold::lacking;
use super::list::{in_order, instant, some_entries};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::leaf::{AuditorOpening, Leaf, Opening as _};
use crate::audit::note::LogVerifier;
use crate::audit::range::{Held, OpenEntry};
use crate::audit::tree::Hash;
use crate::cli::apart::apart;
use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::folder::store_in;
use crate::cli::output::Output;
use crate::cli::receipt::{read_policy, read_vkey};
use crate::cli::replace::Writes;
use crate::config::keys::read_storage_key;
use crate::domain::hold::HoldCopy;
use crate::domain::id::CaseRef;
use crate::domain::time::Timestamp;
use crate::grpc::pb::{self, export_response::Part};
use crate::store::embedded::OpenError;
use crate::store::embedded::stopped::{StoppedLog, Wanted};
use crate::tls::files;

/// What `audit export --help` shows.
pub const HELP: &str = "Examples:
  samband audit export --identity certs-dev/tilsyn --vkey log.vkey --since 2026-10-01 --until 2026-11-01 --out october.tar
  samband audit export --identity certs-dev/tilsyn --vkey log.vkey --case 04HMAS-W9NF6Y-Y41J5S --out case.tar
  samband audit export --identity certs-dev/tilsyn --vkey log.vkey --from-index 0 --to-index 1000 --out first.tar
  samband audit export --identity certs-dev/tilsyn --vkey log.vkey --from-index 40 --to-index 90 --checkpoint october.checkpoint --out again.tar
  samband audit export --data-dir /var/lib/samband/data --storage-key /etc/samband/storage-key --vkey log.vkey --out all.tar

The bundle is one tar file: every entry of the range with what opens it, the signed head, the hashes between the two, the log's key, the records
as CSV and JSON Lines, and how to check it all by hand. Same range and same head, same bytes: to make a bundle again, give the range that its
manifest.txt names and its own head (tar -xOf october.tar checkpoint >october.checkpoint) with --checkpoint, and erasing aside, it is the same. A bundle of a case holds the entries between its
first and last record; those of other cases stay closed, as do those outside the auditor's scope. It is checked before it gets its name, and
not kept if it does not hold or lacks the quorum that --policy demands; anyone can check it again with `samband audit verify`. The format: docs/bundle.md.

With --data-dir the same bundle comes from the folder of a stopped gateway, or a copy of one, and its storage key: every record that is kept, no scope,
and no entry in the log that tells of it. Under the same head (--checkpoint) it is the same bytes as from the running gateway.";

/// Arguments of `audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The log's public key
    #[arg(long, value_name = "FILE")]
    pub vkey: PathBuf,
    /// The bundle to write, NAME.tar
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Not before: a date (midnight in Oslo) or an instant like 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub since: Option<Timestamp>,
    /// Before: a date or an instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<Timestamp>,
    /// First index
    #[arg(long, value_name = "INDEX")]
    pub from_index: Option<u64>,
    /// One past the last index
    #[arg(long, value_name = "INDEX")]
    pub to_index: Option<u64>,
    /// Open this case's records only
    #[arg(long, value_name = "CASE_REF")]
    pub case: Option<CaseRef>,
    /// A tlog-policy file: the bundle's head must have the quorum
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Take it from this data folder of a stopped gateway, not from a running one
    #[arg(long, value_name = "DATA_DIR", requires = "storage_key")]
    pub data_dir: Option<PathBuf>,
    /// The storage key of that folder
    #[arg(long, value_name = "FILE", requires = "data_dir")]
    pub storage_key: Option<PathBuf>,
    /// The signed head to prove it under: an older one of that log, as a bundle holds it [default: the last that was published]
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// The gateway's address
    #[arg(long, env = "SAMBAND_GATEWAY", value_name = "URL", default_value = "https://localhost:8443", help_heading = "Connection")]
    pub gateway: String,
    /// Folder with cert.pem and key.pem of the auditor that calls
    #[arg(long, env = "SAMBAND_IDENTITY", value_name = "DIR", required_unless_present = "data_dir", help_heading = "Connection")]
    pub identity: Option<PathBuf>,
    /// The CA of the gateway's certificate [default: ca.pem in the folder above --identity]
    #[arg(long, env = "SAMBAND_CA", value_name = "FILE", help_heading = "Connection")]
    pub ca: Option<PathBuf>,
}

impl ExportArgs {
    fn connect(&self) -> Option<ConnectArgs> {
        let identity = self.identity.clone()?;
        Some(ConnectArgs { gateway: self.gateway.clone(), identity, ca: self.ca.clone() })
    }
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`]; also a bundle that does not hold.
pub async fn run(args: &ExportArgs, out: Output) -> Result<(), CliError> {
    in_order(["--since", "--until"], args.since, args.until)?;
    some_entries(args.from_index, args.to_index)?;
    let own = [Some(&args.vkey), args.policy.as_ref(), args.data_dir.as_ref(), args.storage_key.as_ref(), args.checkpoint.as_ref()];
    let connection = args.connect().map(|connect| connect.inputs()).unwrap_or_default();
    apart(&[("--out", Some(&args.out), Writes::Bundle)], own.into_iter().flatten().chain(&connection))?;
    named_as_bundle(&args.out)?;
    let (verifier, origin) = read_vkey(&args.vkey)?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let (writer, hold) = match (&args.data_dir, &args.storage_key) {
        (Some(dir), Some(key)) => from_folder(args, dir, key, &verifier, out)?,
        _ => from_gateway(args, &verifier, out).await?,
    };
    // From the first of it on: how long the gateway waited for its witnesses before tells nothing of the export.
    let begun = writer.begun();
    let written = writer.finish(origin)?;
    let (manifest, bytes) = (written.manifest.clone(), written.bytes);
    let exported = begun.elapsed();
    let bar = out.progress(manifest.to - manifest.from, "entries checked");
    let begun = Instant::now();
    let demands = Demands { vkey: Some(&verifier), policy: policy.as_ref(), ..Demands::default() };
    let checked = check_stream(written.open()?, &demands, &mut |done, _| bar.set_position(done));
    // Only what holds gets the name: a file that is there is one that was checked.
    let Proved { checked, .. } = checked.map_err(|error| match error {
        CliError::Failed(what) => CliError::Failed(format!("{}: not written, as the bundle does not hold: {what}", args.out.display())),
        other => other,
    })?;
    written.place()?;
    let verified = begun.elapsed();
    bar.finish_and_clear();
    let entries = checked.to - checked.from;
    let rate = |took: std::time::Duration| (entries as f64 / took.as_secs_f64().max(1e-9)) as u64;
    let text = format!(
        "{}: entries {} to {} of {}, {} open, {} erased, {} closed, {bytes} bytes\n  exported in {:.1} s, {} entries a second; checked in {:.1} s, {} a second",
        args.out.display(),
        manifest.from,
        manifest.to - 1,
        manifest.origin,
        manifest.open,
        manifest.erased,
        manifest.closed,
        exported.as_secs_f64(),
        rate(exported),
        verified.as_secs_f64(),
        rate(verified),
    );
    let lacks = hold.map(lacking).filter(|lacks| !lacks.is_empty());
    let text = lacks.as_ref().map_or_else(|| text.clone(), |lacks| format!("{text}\n  the legal hold on this case is NOT WHOLE: {lacks}"));
    let json = json!({
        "bundle": args.out.display().to_string(), "log": manifest.origin.as_str(), "from_index": manifest.from, "to_index": manifest.to,
        "size": manifest.size, "open": manifest.open, "erased": manifest.erased, "closed": manifest.closed, "bytes": bytes,
        "exported_per_second": rate(exported), "verified_per_second": rate(verified),
        "hold_lacks": lacks, "hold_lost": hold.map(HoldCopy::lost),
    });
    out.result(&text, &json);
    Ok(())
}

/// Whoever reads a bundle knows it by its name; and nothing that a gateway or an auditor needs is named so, that it could replace: a high-water mark,
/// a key, a configuration, wherever they lie.
fn named_as_bundle(out: &Path) -> Result<(), CliError> {
    if out.extension().is_some_and(|extension| extension == "tar") {
        return Ok(());
    }
    Err(CliError::Usage(format!("--out {}: the name of a bundle ends with .tar; nothing else is written or replaced", out.display())))
}

/// The first entries of a range that cannot be read, as far as they are adjacent.
#[derive(Debug, Default)]
struct Damaged(Option<(u64, u64)>);

impl Damaged {
    /// Takes the next entry. False when the first gap is over.
    fn take(&mut self, entry: &OpenEntry) -> bool {
        match (&mut self.0, matches!(entry.held, Held::Unreadable)) {
            (Some((_, last)), true) => *last = entry.index,
            (first, true) => *first = Some((entry.index, entry.index)),
            (Some(_), false) => return false,
            (None, false) => {}
        }
        true
    }

    const fn is_any(&self) -> bool {
        self.0.is_some()
    }

    /// # Errors
    /// There are any: then `from..to` has no bundle.
    fn refuse(&self, from: u64, to: u64) -> Result<(), CliError> {
        self.0.map_or(Ok(()), |(first, last)| Err(unreadable(first, last, from, to)))
    }
}

/// Why there is no bundle of `from..to`, and which there can be.
fn unreadable(first: u64, last: u64, from: u64, to: u64) -> CliError {
    let around = match (first > from, last + 1 < to) {
        (true, true) => format!("export around them with --to-index {first} and --from-index {}", last + 1),
        (true, false) => format!("export what is before them with --to-index {first}"),
        (false, true) => format!("export what follows them with --from-index {}", last + 1),
        (false, false) => "nothing else is in this range".to_owned(),
    };
    let which = if first == last { format!("that of entry {first}") } else { format!("those of entries {first} to {last}") };
    let around = if first == last { around.replace("them", "it") } else { around };
    CliError::Failed(format!(
        "not written, as a bundle says nothing of a damaged record: {which} cannot be read. `samband audit prove {first}` proves \
         that the entry stands in the log, `samband audit fsck DATA_DIR --storage-key FILE` at the stopped gateway tells why; {around}"
    ))
}

/// The signed head that was given, as text.
fn given_head(args: &ExportArgs) -> Result<Option<String>, CliError> {
    let Some(file) = &args.checkpoint else { return Ok(None) };
    let bytes = files::read(file, files::SECRET_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    String::from_utf8(bytes).map(Some).map_err(|_| CliError::Usage(format!("{}: is no text", file.display())))
}

fn opened(text: String, verifier: &LogVerifier, whose: &str) -> Result<(String, Checkpoint), CliError> {
    let head = Checkpoint::open(&text, verifier).map_err(|error| CliError::Failed(format!("{whose}: {error}")))?;
    Ok((text, head))
}

async fn from_gateway(args: &ExportArgs, verifier: &LogVerifier, out: Output) -> Result<(Writer, Option<HoldCopy>), CliError> {
    let connect = args.connect().ok_or_else(|| CliError::Usage("--identity: who asks?".to_owned()))?;
    let client = Client::new(&connect)?;
    let given = given_head(args)?;
    let given = given.map(|text| opened(text, verifier, "--checkpoint")).transpose()?;
    let proto_time = |at: Timestamp| prost_types::Timestamp {
        seconds: at.millis().div_euclid(1000),
        nanos: i32::try_from(at.millis().rem_euclid(1000) * 1_000_000).unwrap_or(0),
    };
    let request = pb::ExportRequest {
        from_index: args.from_index,
        to_index: args.to_index,
        from_time: args.since.map(proto_time),
        to_time: args.until.map(proto_time),
        case_ref: args.case.map(|case| case.to_string()),
        tree_size: given.as_ref().map(|(_, head)| head.size()),
    };
    let mut answers = client.typed_stream::<_, pb::ExportResponse>("/samband.v1.AuditService/Export", request).await?;
    let broken = || CliError::Unreachable("the export broke off before its end; run it again".to_owned());
    let Some(Part::Frame(frame)) = answers.next().await?.and_then(|answer| answer.part) else { return Err(broken()) };
    let wrong = |what: &str| CliError::Failed(format!("the gateway's export is out of shape: {what}"));
    let checkpoint = String::from_utf8(frame.checkpoint.to_vec()).map_err(|_| wrong("its checkpoint is no text"))?;
    let newest = opened(checkpoint, verifier, "the gateway's checkpoint")?;
    // That the gateway's log continues the given head is seen when the bundle is checked under it.
    let (checkpoint, head) = given.unwrap_or(newest);
    let hashes = |hashes: &[bytes::Bytes]| -> Option<Vec<Hash>> {
        hashes.iter().map(|hash| Some(Hash::from_bytes(hash.as_ref().try_into().ok()?))).collect()
    };
    let (from, to) = (frame.from_index, frame.to_index);
    let hold = frame.hold.map(|_| match frame.hold() {
        pb::HoldCopy::NotWhole => HoldCopy::NotWhole { lost: frame.hold_lost },
        pb::HoldCopy::Lost => HoldCopy::Lost { lost: frame.hold_lost },
        pb::HoldCopy::Whole => HoldCopy::Whole,
        pb::HoldCopy::Pending | pb::HoldCopy::Unspecified => HoldCopy::Pending,
    });
    let frame = Frame {
        vkey: verifier.to_string(),
        size: head.size(),
        from,
        to,
        edge: hashes(&frame.edge).ok_or_else(|| wrong("a hash is not of 32 bytes"))?,
        consistency: hashes(&frame.consistency).ok_or_else(|| wrong("a hash is not of 32 bytes"))?,
        case_ref: args.case,
        checkpoint,
    };
    let bar = out.progress(frame.to.saturating_sub(frame.from), "entries exported");
    let mut writer = Writer::create(&args.out, frame)?;
    let mut damaged = Damaged::default();
    loop {
        match answers.next().await?.and_then(|answer| answer.part) {
            Some(Part::Entries(batch)) => {
                for entry in &batch.entries {
                    let entry = open(entry).ok_or_else(|| wrong("an entry does not open to a record"))?;
                    if !damaged.take(&entry) {
                        damaged.refuse(from, to)?;
                    }
                    if !damaged.is_any() {
                        writer.push(&entry)?;
                    }
                }
                bar.inc(batch.entries.len() as u64);
            }
            Some(Part::End(_)) => break damaged.refuse(from, to)?,
            _ => return Err(broken()),
        }
    }
    bar.finish_and_clear();
    Ok((writer, hold))
}

fn from_folder(
    args: &ExportArgs,
    dir: &Path,
    key: &Path,
    verifier: &LogVerifier,
    out: Output,
) -> Result<(Writer, Option<HoldCopy>), CliError> {
    store_in(dir)?;
    let key = read_storage_key(key).map_err(|error| CliError::Config(error.to_string()))?;
    let given = given_head(args)?;
    let failed = |error: OpenError| match error {
        error @ OpenError::Damaged(_) => CliError::Storage(error.to_string()),
        error @ OpenError::ForkedCheckpoint { .. } => CliError::Failed(error.to_string()),
        error => CliError::Config(error.to_string()),
    };
    let log = StoppedLog::open(dir, key, given.as_deref()).map_err(failed)?;
    if log.verifier().to_string() != verifier.to_string() {
        return Err(CliError::Failed(format!("the folder's log is signed by {}, which is not the given key", log.verifier())));
    }
    let wanted = Wanted { from_index: args.from_index, to_index: args.to_index, since: args.since, until: args.until, case_ref: args.case };
    let range = log.range(&wanted).map_err(failed)?;
    let none = match args.case {
        Some(_) => {
            "nothing of this case but questions about it is kept in this range of the log: look at the reference; its records may be erased"
        }
        None => "there is no such entry in this log, or its record is erased",
    };
    let (from, to) = range.ok_or_else(|| CliError::Failed(none.to_owned()))?;
    let frame = Frame {
        vkey: verifier.to_string(),
        checkpoint: log.checkpoint().to_owned(),
        size: log.head().size(),
        from,
        to,
        edge: log.edge(from).map_err(failed)?,
        consistency: log.consistency(to).map_err(failed)?,
        case_ref: args.case,
    };
    let bar = out.progress(to - from, "entries exported");
    let mut writer = Writer::create(&args.out, frame)?;
    let (mut next, mut damaged) = (from, Damaged::default());
    while next < to {
        let entries = log.entries(next, to, args.case);
        for entry in &entries {
            if !damaged.take(entry) {
                damaged.refuse(from, to)?;
            }
            if damaged.is_any() {
                continue;
            }
            if entry.leaf.is_none() {
                return Err(CliError::Storage(format!(
                    "the published log cannot be read at entry {}; run `samband audit fsck DATA_DIR --storage-key FILE`",
                    entry.index
                )));
            }
            writer.push(entry)?;
        }
        next += entries.len() as u64;
        bar.inc(entries.len() as u64);
    }
    damaged.refuse(from, to)?;
    bar.finish_and_clear();
    Ok((writer, args.case.and_then(|case| log.hold_on(case))))
}

fn open(entry: &pb::ExportEntry) -> Option<OpenEntry> {
    let leaf = Leaf::from_bytes(entry.leaf.as_ref().try_into().ok()?)?;
    let held = match (&entry.opening, entry.absence()) {
        (Some(opening), pb::ExportAbsence::Unspecified) => Held::from_opening(&AuditorOpening::decode(opening).ok()?).ok()?,
        (None, pb::ExportAbsence::Erased) => Held::Erased,
        (None, pb::ExportAbsence::Closed) => Held::Closed,
        (None, pb::ExportAbsence::Unreadable) => Held::Unreadable,
        _ => return None,
    };
    Some(OpenEntry { index: entry.index, leaf: Some(leaf), held })
}

#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use prost::Message as _;

    /// An entry in an answer.
    pub fn entry(data: &[u8]) {
        let _ = super::pb::ExportEntry::decode(data).map(|entry| super::open(&entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_record_is_named_and_no_range_without_entries_is_advised() {
        for (first, last, from, to, which, around) in [
            (5, 5, 0, 9, "that of entry 5", "export around it with --to-index 5 and --from-index 6"),
            (0, 0, 0, 9, "that of entry 0", "export what follows it with --from-index 1"),
            (8, 8, 0, 9, "that of entry 8", "export what is before it with --to-index 8"),
            (8, 8, 8, 9, "that of entry 8", "nothing else is in this range"),
            (3, 6, 0, 9, "those of entries 3 to 6", "export around them with --to-index 3 and --from-index 7"),
            (0, 6, 0, 9, "those of entries 0 to 6", "export what follows them with --from-index 7"),
            (3, 8, 0, 9, "those of entries 3 to 8", "export what is before them with --to-index 3"),
        ] {
            let error = unreadable(first, last, from, to);
            let said = error.to_string();
            assert_eq!(error.code(), 1);
            assert!(said.contains(&format!("{which} cannot be read")) && said.ends_with(around), "{said}");
        }
    }

    #[test]
    fn a_bundle_takes_the_name_of_no_other_file() {
        for name in ["high-water", "dev/high-water.lists", "log-key", "samband.toml", "tar", ".tar", "a.tar/high-water", "a.TAR"] {
            let error = named_as_bundle(Path::new(name)).unwrap_err();
            assert!(error.code() == 2 && error.to_string().contains("ends with .tar"), "{name}: {error}");
        }
        for name in ["all.tar", "dev/all.tar"] {
            named_as_bundle(Path::new(name)).unwrap();
        }
    }

    #[test]
    fn adjacent_damaged_entries_are_one_gap() {
        let refused = |damaged: &[u64]| {
            let mut gap = Damaged::default();
            for index in 2..9 {
                let held = if damaged.contains(&index) { Held::Unreadable } else { Held::Closed };
                if !gap.take(&OpenEntry { index, leaf: None, held }) {
                    break;
                }
            }
            gap.refuse(2, 9).map_err(|error| error.to_string())
        };
        refused(&[]).unwrap();
        for (damaged, around) in [
            (&[4, 5, 6][..], "with --to-index 4 and --from-index 7"),
            (&[4, 6], "with --to-index 4 and --from-index 5"),
            (&[2, 3, 8], "what follows them with --from-index 4"),
            (&[7, 8], "what is before them with --to-index 7"),
        ] {
            assert!(refused(damaged).unwrap_err().ends_with(around), "{damaged:?}");
        }
    }
}
