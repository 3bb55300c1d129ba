//! `samband audit export`: a range of the log as a bundle that proves itself offline.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::bundle::read::{Demands, Proved, check};
use super::bundle::write::{Frame, Writer};
use super::list::instant;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::leaf::{AuditorOpening, Leaf, Opening as _};
use crate::audit::range::{Held, OpenEntry};
use crate::audit::tree::Hash;
use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::receipt::{read_policy, read_vkey};
use crate::domain::id::CaseRef;
use crate::domain::time::Timestamp;
use crate::grpc::pb::{self, export_response::Part};

/// What `audit export --help` shows.
pub const HELP: &str = "Examples:
  samband audit export --identity certs-dev/tilsyn --vkey log.vkey --since 2026-10-01 --until 2026-11-01 --out october.tar
  samband audit export --identity certs-dev/tilsyn --vkey log.vkey --case 04HMAS-W9NF6Y-Y41J5S --out case.tar
  samband audit export --identity certs-dev/tilsyn --vkey log.vkey --from-index 0 --to-index 1000 --out first.tar

The bundle is one tar file: every entry of the range with what opens it, the signed head, the hashes between the two, the log's key, the records
as CSV and JSON Lines, and how to check it all by hand. Same range and same head, same bytes. A bundle of a case holds the entries between its
first and last record; those of other cases stay closed, as do those outside the auditor's scope. It is checked before the command ends; anyone can
check it again with `samband audit verify`. The format: docs/bundle.md.";

/// Arguments of `audit export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The log's public key
    #[arg(long, value_name = "FILE")]
    pub vkey: PathBuf,
    /// The bundle to write
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
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`]; also a bundle that does not hold.
pub async fn run(args: &ExportArgs, out: Output) -> Result<(), CliError> {
    let (verifier, origin) = read_vkey(&args.vkey)?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let client = Client::new(&args.connect)?;
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
    };
    let begun = Instant::now();
    let mut answers = client.typed_stream::<_, pb::ExportResponse>("/samband.v1.AuditService/Export", request).await?;
    let broken = || CliError::Unreachable("the export broke off before its end; run it again".to_owned());
    let Some(Part::Frame(frame)) = answers.next().await?.and_then(|answer| answer.part) else { return Err(broken()) };
    let wrong = |what: &str| CliError::Failed(format!("the gateway's export is out of shape: {what}"));
    let checkpoint = String::from_utf8(frame.checkpoint.to_vec()).map_err(|_| wrong("its checkpoint is no text"))?;
    let head = Checkpoint::open(&checkpoint, &verifier).map_err(|error| CliError::Failed(format!("the gateway's checkpoint: {error}")))?;
    let hashes = |hashes: &[bytes::Bytes]| -> Option<Vec<Hash>> {
        hashes.iter().map(|hash| Some(Hash::from_bytes(hash.as_ref().try_into().ok()?))).collect()
    };
    let frame = Frame {
        vkey: verifier.to_string(),
        size: head.size(),
        from: frame.from_index,
        to: frame.to_index,
        edge: hashes(&frame.edge).ok_or_else(|| wrong("a hash is not of 32 bytes"))?,
        consistency: hashes(&frame.consistency).ok_or_else(|| wrong("a hash is not of 32 bytes"))?,
        case_ref: args.case,
        checkpoint,
    };
    let bar = out.progress(frame.to.saturating_sub(frame.from), "entries exported");
    let mut writer = Writer::create(&args.out, frame)?;
    loop {
        match answers.next().await?.and_then(|answer| answer.part) {
            Some(Part::Entries(batch)) => {
                for entry in &batch.entries {
                    let entry = open(entry).ok_or_else(|| wrong("an entry does not open to a record"))?;
                    if matches!(entry.held, Held::Unreadable) {
                        return Err(CliError::Failed(format!(
                            "the gateway cannot read the record of entry {0}: ask its operator for `audit fsck`; export around it with --to-index {0} and --from-index {1}",
                            entry.index,
                            entry.index + 1,
                        )));
                    }
                    writer.push(&entry)?;
                }
                bar.inc(batch.entries.len() as u64);
            }
            Some(Part::End(_)) => break,
            _ => return Err(broken()),
        }
    }
    bar.finish_and_clear();
    let (manifest, bytes) = writer.finish(origin)?;
    let exported = begun.elapsed();
    let bar = out.progress(manifest.to - manifest.from, "entries checked");
    let begun = Instant::now();
    let demands = Demands { vkey: Some(&verifier), policy: policy.as_ref(), questions: &[] };
    let Proved { checked, .. } = check(&args.out, &demands, &mut |done, _| bar.set_position(done))?;
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
    let json = json!({
        "bundle": args.out.display().to_string(), "log": manifest.origin.as_str(), "from_index": manifest.from, "to_index": manifest.to,
        "size": manifest.size, "open": manifest.open, "erased": manifest.erased, "closed": manifest.closed, "bytes": bytes,
        "exported_per_second": rate(exported), "verified_per_second": rate(verified),
    });
    out.result(&text, &json);
    Ok(())
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
