//! `samband audit verify`: a proof, a receipt or a whole log folder, with nothing but the log's public key.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::bundle::read::{Demands, Proved, check};
use super::list::{in_order, instant};
use super::unopened::{self, Beside, Shown, Unopened};
use super::words::{Lang, in_words};
use crate::audit::check::check_log;
use crate::audit::checkpoint::{Checkpoint, Origin};
use crate::audit::leaf::Leaf;
use crate::audit::note::LogVerifier;
use crate::audit::question::Period;
use crate::audit::range::{Checked, Tally};
use crate::audit::tiles::{TileId, TileKind};
use crate::audit::tlog_policy::TlogPolicy;
use crate::audit::tlog_proof::TlogProof;
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::receipt::{Proved as ProvedReceipt, read_policy, read_vkey, show};
use crate::domain::time::Timestamp;
use crate::tls::files;

/// The largest tile or bundle, in bytes: 256 entries of the longest kind.
const TILE_BYTES_MAX: u64 = 256 * (2 + u16::MAX as u64);

/// What `audit verify --help` shows.
pub const HELP: &str = "Examples:
  samband audit verify 12.tlog-proof --vkey log.vkey
  samband audit verify 12.tlog-proof --vkey log.vkey --leaf 12.leaf
  samband audit verify demo/log --vkey demo/log.vkey
  samband audit verify demo/log --vkey demo/log.vkey --receipts demo/receipts
  samband audit verify october.tar
  samband audit verify october.tar --since 2026-10-01 --until 2026-11-01
  samband audit verify october.tar --vkey log.vkey --policy witnesses.policy

A proof of an entry whose record is erased, or kept and cannot be read, opens nothing. With the 33 bytes of the entry, which `samband audit prove` leaves
beside it (12.leaf beside 12.tlog-proof, or name them with --leaf), it shows that this leaf stands in the log at its place, and nothing of what it said.
A leaf beside a proof that opens its record has to be that entry.

A folder is checked whole up to its checkpoint: the signature, every entry, every tile, the partial tiles of older sizes that lie there still, and
with --receipts that each receipt's entry stands in it, and that a *.leaf beside a receipt is that entry; proofs that open no record are counted apart. What lies beyond the checkpoint, and files
that are no tiles, are not looked at: `samband audit fsck` does that at the gateway.

A bundle (NAME.tar, from `samband audit export`) is checked whole with nothing else at hand: each opened record against its leaf, all leaves of the
range against the signed head, the signature, and that the tables for people say what the openings say. Without --vkey the key is the bundle's own:
compare it with the one you know. --policy demands the quorum of a C2SP tlog-policy file, for a bundle and for a folder. --since and --until count
what is of that period, as the auditors' pages and `samband audit report` do, and say whether the bundle shows all of it.";

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A bundle (.tar), a proof, a receipt, or a log's folder (tlog-tiles with `checkpoint`)
    #[arg(value_name = "FILE|DIR")]
    pub target: PathBuf,
    /// The log's public key, as name+hash+base64; for a bundle it may be left out
    #[arg(long, value_name = "FILE")]
    pub vkey: Option<PathBuf>,
    /// A tlog-policy file: which witnesses must have cosigned the head
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Check also that the entry of each *.tlog-proof in this folder stands in the log
    #[arg(long, value_name = "DIR")]
    pub receipts: Option<PathBuf>,
    /// Of a proof: the entry's 33 bytes, which one that opens no record needs [default: NAME.leaf beside NAME.tlog-proof]
    #[arg(long, value_name = "FILE")]
    pub leaf: Option<PathBuf>,
    /// Of a bundle, count entries not before: a date (midnight in Oslo) or an instant like 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub since: Option<Timestamp>,
    /// Of a bundle, count entries before: a date or an instant
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub until: Option<Timestamp>,
}

/// Runs the command.
///
/// # Errors
/// What does not hold.
pub fn run(args: &VerifyArgs, out: Output) -> Result<(), CliError> {
    in_order(["--since", "--until"], args.since, args.until)?;
    let is_folder = fs::metadata(&args.target).map_err(|error| CliError::file(&args.target, &error))?.is_dir();
    let head = fs::metadata(args.target.join("checkpoint")).map_err(|error| error.kind());
    if is_folder && matches!(head, Err(io::ErrorKind::NotFound)) {
        let what = "holds no `checkpoint`, so it is no log's folder; name the one that has it beside `tile`, or a bundle, proof or receipt";
        return Err(CliError::Usage(format!("{}: {what}", args.target.display())));
    }
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let is_bundle = args.target.extension().is_some_and(|extension| extension == "tar");
    if args.leaf.is_some() && (is_folder || is_bundle) {
        return Err(CliError::Usage("--leaf is for a proof; a log's folder and a bundle hold their leaves".to_owned()));
    }
    if is_bundle {
        return bundle(args, policy.as_ref(), out);
    }
    if args.since.or(args.until).is_some() {
        return Err(CliError::Usage("--since and --until are for a bundle (.tar): a proof or a log's folder shows no times".to_owned()));
    }
    let vkey = args.vkey.as_ref().ok_or_else(|| CliError::Usage("give the log's public key with --vkey".to_owned()))?;
    let (verifier, origin) = read_vkey(vkey)?;
    if !is_folder {
        if args.receipts.is_some() {
            return Err(CliError::Usage("--receipts is for a log's folder".to_owned()));
        }
        if let Some(policy) = &policy {
            check_policy(policy, &checkpoint_of_proof(&args.target)?, &verifier, &args.target)?;
        }
        let beside = args.leaf.as_deref().map_or_else(|| Beside::of(&args.target), Beside::named);
        match unopened::prove(&args.target, &beside, &verifier, &origin)? {
            Shown::Opened(proved) => show(&proved, &origin, &verifier, out),
            Shown::Unopened(stands) => stands.show(&origin, &verifier, out),
        }
        return Ok(());
    }
    let receipts = match &args.receipts {
        Some(dir) => prove_folder(dir, &verifier, &origin)?,
        None => Proofs::default(),
    };
    if let Some(policy) = &policy {
        let file = args.target.join("checkpoint");
        let bytes = files::read(&file, files::SECRET_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
        check_policy(policy, &String::from_utf8_lossy(&bytes), &verifier, &file)?;
    }
    let bar = out.progress(0, "entries");
    let begun = Instant::now();
    let checked = verify_log(&args.target, &verifier, receipts.leaves(), || bar.inc(1));
    bar.finish_and_clear();
    let (head, older) = checked?;
    let rate = (head.size() as f64 / begun.elapsed().as_secs_f64().max(1e-9)) as u64;
    let (opened, bare) = (receipts.opened.len(), receipts.unopened.len());
    let mut text = format!(
        "holds: {} entries of {}, root {}, {older} partial tiles of older sizes, {opened} receipts; {rate} leaves a second",
        head.size(),
        head.origin(),
        head.root(),
    );
    if bare > 0 {
        text.push_str(&unopened::counted(bare));
    }
    let json = json!({
        "verified": true, "log": head.origin().as_str(), "size": head.size(), "root": head.root().to_string(), "receipts": opened,
        "unopened_proofs": bare, "older_partial_tiles": older, "leaves_per_second": rate,
    });
    out.result(&text, &json);
    Ok(())
}

/// A bundle, in plain words.
fn bundle(args: &VerifyArgs, policy: Option<&TlogPolicy>, out: Output) -> Result<(), CliError> {
    if args.receipts.is_some() {
        return Err(CliError::Usage("--receipts is for a log's folder".to_owned()));
    }
    let vkey = args.vkey.as_deref().map(read_vkey).transpose()?.map(|(verifier, _)| verifier);
    let bar = out.progress(1, "entries");
    let begun = Instant::now();
    let period = Period { from: args.since, to: args.until };
    let demands = Demands { vkey: vkey.as_ref(), policy, questions: &[], period };
    let proved = check(&args.target, &demands, &mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let proved = proved?;
    let entries = proved.checked.to - proved.checked.from;
    let rate = (entries as f64 / begun.elapsed().as_secs_f64().max(1e-9)) as u64;
    let json = json!({
        "verified": true, "log": proved.manifest.origin.as_str(), "log_key": proved.verifier.to_string(), "key_was_given": vkey.is_some(),
        "from_index": proved.checked.from, "to_index": proved.checked.to, "size": proved.head.size(), "root": proved.head.root().to_string(),
        "from_time": proved.times.map(|(from, _)| from.to_string()), "to_time": proved.times.map(|(_, to)| to.to_string()),
        "opened": proved.manifest.open, "erased": proved.manifest.erased, "closed": proved.manifest.closed, "witnesses": proved.witnesses,
        "period": period_json(&proved),
        "case_ref": proved.manifest.case_ref.map(|case| case.to_string()), "leaves_per_second": rate,
    });
    let rate = format!("\n  {rate} leaves a second");
    out.result(&(in_words(Lang::En, &proved, vkey.is_some()) + &rate), &json);
    Ok(())
}

/// What is of the period that was asked about; nothing without one.
pub fn period_json(proved: &Proved) -> Option<serde_json::Value> {
    let (Checked { period: Tally { opened, erased, closed, .. }, begins, ends, .. }, Period { from, to }) =
        (&proved.checked, proved.period);
    (proved.period != Period::default()).then(|| {
        json!({
            "since": from.map(|at| at.to_string()), "until": to.map(|at| at.to_string()), "opened": opened, "erased": erased, "closed": closed,
            "whole": *begins && *ends,
        })
    })
}

fn check_policy(policy: &TlogPolicy, checkpoint: &str, verifier: &LogVerifier, file: &Path) -> Result<(), CliError> {
    let accepted = policy.accept(checkpoint, verifier);
    accepted.map(drop).map_err(|error| CliError::Failed(format!("{}: witnesses: {error}", file.display())))
}

/// The checkpoint in a proof, not verified.
fn checkpoint_of_proof(file: &Path) -> Result<String, CliError> {
    let bytes = files::read(file, crate::cli::receipt::PROOF_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    let proof = std::str::from_utf8(&bytes).ok().and_then(|text| TlogProof::parse(text).ok());
    let proof = proof.ok_or_else(|| CliError::Failed(format!("{}: is no tlog-proof", file.display())))?;
    Ok(proof.checkpoint().to_owned())
}

/// The proofs of a folder.
#[derive(Debug, Default)]
pub struct Proofs {
    /// Receipts and proofs that open their record.
    pub opened: BTreeMap<PathBuf, ProvedReceipt>,
    /// Proofs that open none, each with the leaf beside it.
    pub unopened: BTreeMap<PathBuf, Unopened>,
}

impl Proofs {
    /// Which leaf each proves, and where.
    pub fn leaves(&self) -> impl Iterator<Item = (&Path, u64, &Leaf)> {
        let opened = self.opened.iter().map(|(path, proved)| (path.as_path(), proved.index, &proved.leaf));
        opened.chain(self.unopened.iter().map(|(path, stands)| (path.as_path(), stands.index(), stands.leaf())))
    }
}

/// The receipts and proofs of a folder, each verified on its own.
///
/// # Errors
/// The folder cannot be read, or the first that does not hold.
pub fn prove_folder(dir: &Path, verifier: &LogVerifier, origin: &Origin) -> Result<Proofs, CliError> {
    let mut proved = Proofs::default();
    for entry in fs::read_dir(dir).map_err(|error| CliError::file(dir, &error))? {
        let path = entry.map_err(|error| CliError::file(dir, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "tlog-proof") {
            match unopened::prove(&path, &Beside::of(&path), verifier, origin)? {
                Shown::Opened(receipt) => _ = proved.opened.insert(path, receipt),
                Shown::Unopened(stands) => _ = proved.unopened.insert(path, stands),
            }
        }
    }
    if proved.leaves().next().is_none() {
        return Err(CliError::Failed(format!("{}: there is no *.tlog-proof in this folder, so nothing was checked", dir.display())));
    }
    Ok(proved)
}

/// Checks a tlog-tiles folder whole up to its checkpoint, and that each of `leaves` stands at its place. `tick` is called for each entry. Gives the
/// head, and how many partial tiles of older sizes were there.
///
/// # Errors
/// What does not hold.
pub fn verify_log<'p>(
    dir: &Path,
    verifier: &LogVerifier,
    leaves: impl Iterator<Item = (&'p Path, u64, &'p Leaf)>,
    mut tick: impl FnMut(),
) -> Result<(Checkpoint, u64), CliError> {
    let file = dir.join("checkpoint");
    let bytes = files::read(&file, files::SECRET_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    let failed = |what: String| CliError::Failed(format!("{}: {what}", dir.display()));
    let text = std::str::from_utf8(&bytes).map_err(|_| failed("the checkpoint is no text".to_owned()))?;
    let head = Checkpoint::open(text, verifier).map_err(|error| failed(format!("checkpoint: {error}")))?;
    let read = |tile: TileId| match files::read(&dir.join(tile.path()), TILE_BYTES_MAX) {
        // A log that grew on has the full tile in place of the partial one.
        Err(files::FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound && !tile.is_full() => cut(dir, tile),
        other => other.map_err(|error| error.to_string()),
    };
    let mut wanted: BTreeMap<u64, Vec<(&Path, &Leaf)>> = BTreeMap::new();
    for (path, index, leaf) in leaves {
        wanted.entry(index).or_default().push((path, leaf));
    }
    let mut astray = None;
    check_log(&head, &read, |index, data| {
        tick();
        for (path, leaf) in wanted.remove(&index).into_iter().flatten() {
            if leaf.as_bytes() != data {
                astray.get_or_insert_with(|| path.to_owned());
            }
        }
    })
    .map_err(|error| failed(error.to_string()))?;
    if let Some((path, _)) = wanted.values().flatten().next() {
        return Err(CliError::Failed(format!("{}: its entry is beyond the end of this log", path.display())));
    }
    match astray {
        Some(path) => Err(CliError::Failed(format!("{}: another entry stands in its place in this log", path.display()))),
        None => {
            let older = check_older(dir, head.size(), &read).map_err(|(tile, what)| failed(format!("{tile}: {what}")))?;
            Ok((head, older))
        }
    }
}

/// Folders below `tile/` are walked no deeper than a tile's name can be.
const DEPTH_MAX: usize = 9;

/// Every partial tile of an older size, which anyone may still have fetched, is the beginning of the tile that has grown from it. Gives how many were
/// there. `read` gives tiles that were checked.
fn check_older(dir: &Path, size: u64, read: &dyn Fn(TileId) -> Result<Vec<u8>, String>) -> Result<u64, (TileId, String)> {
    let mut partials: BTreeMap<TileId, Vec<TileId>> = BTreeMap::new();
    walk(dir, "tile", 0, &mut |name| {
        if let Ok(tile) = name.parse::<TileId>()
            && !tile.is_full()
        {
            partials.entry(tile.full()).or_default().push(tile);
        }
    });
    let mut older = 0;
    for (full, tiles) in partials {
        let count = match full.kind() {
            TileKind::Entries => size,
            TileKind::Hashes(level) => size.checked_shr(8 * u32::from(level)).unwrap_or(0),
        };
        let width = count.saturating_sub(full.first()).min(u64::from(full.width()));
        let Some(grown) = u16::try_from(width).ok().and_then(|width| TileId::new(full.kind(), full.index(), width).ok()) else { continue };
        let content = read(grown).map_err(|what| (grown, what))?;
        for tile in tiles.into_iter().filter(|tile| tile.width() < grown.width()) {
            let found = match files::read(&dir.join(tile.path()), TILE_BYTES_MAX) {
                // A gateway that runs on this folder takes them away when the full one is there.
                Err(files::FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| (tile, error.to_string()))?,
            };
            let wanted = start_of(&content, tile).map_err(|what| (tile, what))?;
            if found != wanted {
                return Err((
                    tile,
                    "this partial tile of an older size is not the beginning of the tile that has grown from it".to_owned(),
                ));
            }
            older += 1;
        }
    }
    Ok(older)
}

/// Names of the files below `name`, which is below `dir`. Links are not followed.
fn walk(dir: &Path, name: &str, depth: usize, visit: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(dir.join(name)).into_iter().flatten().flatten() {
        let below = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if depth < DEPTH_MAX {
                walk(dir, &below, depth + 1, visit);
            }
        } else {
            visit(&below);
        }
    }
}

/// The start of the full tile, as wide as the partial one.
fn cut(dir: &Path, tile: TileId) -> Result<Vec<u8>, String> {
    let full = files::read(&dir.join(tile.full().path()), TILE_BYTES_MAX)
        .map_err(|_| "neither the partial nor the full one is there".to_owned())?;
    start_of(&full, tile)
}

/// What `tile` holds, of one at the same place that is as wide at least.
fn start_of(full: &[u8], tile: TileId) -> Result<Vec<u8>, String> {
    let bytes = match tile.kind() {
        TileKind::Hashes(_) => usize::from(tile.width()) * crate::audit::tree::Hash::LEN,
        TileKind::Entries => {
            let mut end = 0_usize;
            for _ in 0..tile.width() {
                let length = full.get(end..end + 2).ok_or("the full bundle ends too early")?;
                end += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
            end
        }
    };
    full.get(..bytes).map(<[u8]>::to_vec).ok_or_else(|| "the full tile ends too early".to_owned())
}
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use super::{TileId, TileKind};

    /// The beginning of a tile that grew: the first byte says how long.
    pub fn start_of(data: &[u8]) {
        let Some((width, full)) = data.split_first() else { return };
        for kind in [TileKind::Entries, TileKind::Hashes(0)] {
            let tile = TileId::new(kind, 0, u16::from(*width).max(1)).expect("a width of 1 to 255 is one");
            if let Ok(start) = super::start_of(full, tile) {
                assert!(full.starts_with(&start));
            }
        }
    }
}
