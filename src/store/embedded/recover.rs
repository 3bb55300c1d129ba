//! Going on after a loss: a store behind what it had published becomes a new log that names the old one and the gap.
//!
//! Cases, undelivered mail, ids and records stay; so do the entries that survived, at their old places, so that whoever holds an older checkpoint
//! can prove that nothing before the gap was changed. What is new is the log's name and key: under the old ones nothing is ever signed again,
//! as that would be a second history of one log. Its first own record is `LOG_OPENED`, which names the old log's last known checkpoint; then
//! the lost places are filled with `ENTRY_LOST`, because item numbers and cursors follow from places, and recipients hold numbers of the lost
//! part: one that came again for another message would be taken for seen.
//!
//! What the old log had published is kept in `previous/<store id>/`, a folder of its own that verifies with the old key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::EmbeddedStore;
use super::disk::{Disk, write_file};
use super::error::{IoContext as _, OpenError};
use super::journal::Torn;
use super::keys::Keys;
use super::layout::{Current, Format, Layout, write_checked};
pub use super::publishing::MARGIN;
use super::replay::{Replayed, replay};
use super::start::{Options, SUBJECT_KEY};
use super::tiles::HighWater;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::LogVerifier;
use crate::audit::tiles::{TileId, tiles_for};
use crate::audit::tree::Hash;
use crate::clock::random_32;
use crate::domain::time::Timestamp;

/// The log that a recovered store's log follows. Stands in FORMAT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    /// Its name.
    pub origin: String,
    /// Its key.
    pub log_key: String,
    /// The id of its store, which names its folder in `previous/`.
    pub store_id: String,
    /// Entries it is known to have published.
    pub size: u64,
    /// Its last known checkpoint, signed if anyone had it: origin, size, root.
    pub checkpoint: String,
    /// Entries that were kept.
    pub kept: u64,
    /// No entry of its own stands before this place, but `LOG_OPENED` right after what was kept.
    pub resumes_at: u64,
}

/// What was found to be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The log.
    pub origin: String,
    /// Its key.
    pub log_key: String,
    /// Entries that are here.
    pub kept: u64,
    /// Time of the last of them; what was accepted later is lost.
    pub last_event: Timestamp,
    /// Entries that were published.
    pub published: u64,
    /// Root over them.
    pub root: Hash,
    /// The store reaches what was published, but with another root: two histories were written, and the other one is not here.
    pub parted: bool,
    /// Where the journal stops being readable, if it does: file and offset.
    pub torn: Option<(String, u64)>,
    /// Items that stay in their mailboxes.
    pub undelivered: u64,
    /// Cases that stay open.
    pub cases: u64,
    /// Message ids that stay known.
    pub ids: u64,
    /// Where the new log goes on.
    pub resumes_at: u64,
}

impl Loss {
    /// Entries that were published and are not here. When histories parted, at least so many; how many more nobody can tell.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.published.saturating_sub(self.kept)
    }
}

/// What a recovery reads.
pub struct Evidence<'e> {
    /// The store's folder.
    pub dir: &'e Path,
    /// Opens it.
    pub storage_key: Zeroizing<[u8; 32]>,
    /// Where the last published head is remembered.
    pub high_water_file: &'e Path,
    /// The newest signed checkpoint that anyone holds, as text; it may be newer than the mark.
    pub newest_checkpoint: Option<&'e str>,
    /// The disk that all of it is on.
    pub files: Arc<dyn Disk>,
}

struct Found {
    layout: Layout,
    format: Format,
    mark: HighWater,
    checkpoint: Option<String>,
    replayed: Replayed,
    gone: Vec<String>,
    loss: Loss,
}

/// What is lost; nothing is changed. None when the store is not behind.
///
/// # Errors
/// As for a start, but for the loss itself.
pub fn look(evidence: &Evidence<'_>) -> Result<Option<Loss>, OpenError> {
    let layout = Layout::new(evidence.dir, Arc::clone(&evidence.files));
    if Format::read(&layout)?.is_none() {
        return Err(OpenError::NotAStore { file: "FORMAT".into() });
    }
    let _lock = layout.lock()?;
    Ok(find(layout, evidence)?.map(|found| found.loss))
}

fn find(layout: Layout, evidence: &Evidence<'_>) -> Result<Option<Found>, OpenError> {
    let format = Format::read(&layout)?.ok_or_else(|| OpenError::NotAStore { file: "FORMAT".into() })?;
    let keys = Keys::new(layout.clone(), evidence.storage_key.clone());
    let subject_key = keys.unwrap_secret(SUBJECT_KEY, &format.subject_key)?;
    let Some((mark, checkpoint)) = newest(&layout, &format, evidence)? else { return Ok(None) };
    let current = Current::of(&layout)?;
    let files: Vec<u64> = layout.journals()?.into_iter().filter(|number| *number >= current.journal).collect();
    let replayed = replay((&layout, &keys), *subject_key, &current, &files, Some(mark.size))?;
    // A start refuses these too: what stood in them may have been answered for in the last second, before it was published.
    let gone = layout.gone_journals(&current)?;
    let holds = replayed.holds(&mark);
    if holds && gone.is_empty() {
        return Ok(None);
    }
    let kept = replayed.nodes.size();
    let stats = replayed.state.stats(replayed.state.last_time());
    let torn = replayed.torn.map(|Torn { file, offset }| (super::layout::journal_name(file), offset));
    let loss = Loss {
        origin: format.origin.clone(),
        log_key: format.log_key.clone(),
        kept,
        last_event: replayed.state.last_time(),
        published: mark.size,
        root: mark.root,
        parted: kept >= mark.size && !holds,
        torn,
        undelivered: stats.undelivered,
        cases: stats.cases,
        ids: stats.ids,
        resumes_at: mark.size.max(kept).saturating_add(MARGIN),
    };
    Ok(Some(Found { layout, format, mark, checkpoint, replayed, gone, loss }))
}

/// The furthest head of the store's log that is known to have been published, with its signed text where there is one.
fn newest(layout: &Layout, format: &Format, evidence: &Evidence<'_>) -> Result<Option<(HighWater, Option<String>)>, OpenError> {
    let verifier: LogVerifier = format.log_key.parse().map_err(|_| OpenError::NotAStore { file: "FORMAT".into() })?;
    let mut heads = Vec::new();
    if let Some(mark) = HighWater::read(evidence.files.as_ref(), evidence.high_water_file)?
        && mark.origin == format.origin
    {
        heads.push((mark, None));
    }
    let on_disk = layout.disk().read(&layout.path("log/checkpoint")).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(head) = on_disk.and_then(|text| signed(&text, &verifier)) {
        heads.push(head);
    }
    if let Some(text) = evidence.newest_checkpoint {
        heads.push(signed(text, &verifier).ok_or(OpenError::OtherCheckpoint)?);
    }
    // Of two of one size the signed one says more.
    Ok(heads.into_iter().max_by_key(|(mark, text)| (mark.size, text.is_some())))
}

fn signed(text: &str, verifier: &LogVerifier) -> Option<(HighWater, Option<String>)> {
    let head = Checkpoint::open(text, verifier).ok()?;
    let mark = HighWater { origin: head.origin().to_string(), size: head.size(), root: head.root() };
    Some((mark, Some(text.to_owned())))
}

/// Makes the store a new log under the origin and key in `options`, opens it, and stops it again: `LOG_OPENED` and the lost places are durable
/// and published when this returns. Returns what was lost. Doing it again after a crash finishes it.
///
/// # Errors
/// [`OpenError::NotBehind`] when nothing is lost, [`OpenError::SameLog`] when the options name the old log; whatever the disk says.
pub async fn accept(options: Options, newest_checkpoint: Option<&str>) -> Result<Loss, OpenError> {
    let evidence = Evidence {
        dir: &options.dir,
        storage_key: options.storage_key.clone(),
        high_water_file: &options.high_water_file,
        newest_checkpoint,
        files: Arc::clone(&options.files),
    };
    let loss = {
        let layout = Layout::new(evidence.dir, Arc::clone(&evidence.files));
        let _lock = layout.lock()?;
        let found = find(layout, &evidence)?.ok_or(OpenError::NotBehind)?;
        reopen(&found, &options)?;
        found.loss
    };
    let store = tokio::task::spawn_blocking(move || EmbeddedStore::open(options)).await.map_err(|_| OpenError::Stopped)??;
    crate::store::Store::stop(store.as_ref()).await.map_err(|_| OpenError::Stopped)?;
    Ok(loss)
}

fn reopen(found: &Found, options: &Options) -> Result<(), OpenError> {
    let Found { layout, format, mark, checkpoint, replayed, gone, loss } = found;
    let log_key = options.log_signer.verifier().to_string();
    if format.origin == options.origin.as_str() || format.log_key == log_key {
        return Err(OpenError::SameLog(format.origin.clone()));
    }
    keep_previous(layout, format, mark)?;
    remove_tiles(layout, replayed)?;
    let bare = || format!("{}\n{}\n{}\n", mark.origin, mark.size, mark.root);
    let next = Format {
        origin: options.origin.as_str().to_owned(),
        store_id: super::layout::store_id(&random_32(options.entropy.as_ref())),
        log_key,
        follows: Some(Follows {
            origin: format.origin.clone(),
            log_key: format.log_key.clone(),
            store_id: format.store_id.clone(),
            size: mark.size,
            checkpoint: checkpoint.clone().unwrap_or_else(bare),
            kept: loss.kept,
            resumes_at: loss.resumes_at,
        }),
        ..format.clone()
    };
    // The files are lost: that was accepted.
    let keys = Keys::new(layout.clone(), options.storage_key.clone());
    gone.iter().try_for_each(|name| keys.destroy(name))?;
    // A crash before this line leaves the old log as it was, behind its mark; after it, the next start of the new log finishes what is missing.
    write_checked(layout.disk(), &layout.path("FORMAT"), &next)
}

/// FORMAT, mark, key and the whole published log go to `previous/<store id>/`, where they verify for as long as anyone keeps them.
fn keep_previous(layout: &Layout, format: &Format, mark: &HighWater) -> Result<(), OpenError> {
    let disk = layout.disk();
    let folder = layout.path(&format!("previous/{}", format.store_id));
    disk.create_dir_all(&folder).at("cannot create", &folder)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        write_file(disk, &path, bytes).map(drop).at("cannot write", &path)
    };
    let old = layout.path("FORMAT");
    write("FORMAT", &disk.read(&old).at("cannot read", &old)?)?;
    write("log.vkey", format!("{}\n", format.log_key).as_bytes())?;
    write("last-known", format!("{}\n{}\n{}\n", mark.origin, mark.size, mark.root).as_bytes())?;
    link_all(disk, &layout.path("log"), &folder.join("log"))?;
    disk.sync_all(&folder).at("cannot sync", &folder)
}

/// The same files under another folder. Published files are replaced and never written to, so that a second name for each is a copy.
fn link_all(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), OpenError> {
    disk.create_dir_all(to).at("cannot create", to)?;
    for name in disk.names(from).at("cannot list", from)? {
        let (from, to): (PathBuf, PathBuf) = (from.join(&name), to.join(&name));
        if disk.is_dir(&from) {
            link_all(disk, &from, &to)?;
        } else {
            // What an attempt before left there.
            super::layout::remove_file(disk, &to)?;
            disk.link(&from, &to).at("cannot link", &from)?;
        }
    }
    Ok(())
}

/// Tiles beyond the base are made again from what was kept; what stands there now may hold entries that are lost.
fn remove_tiles(layout: &Layout, replayed: &Replayed) -> Result<(), OpenError> {
    let full: std::collections::BTreeSet<String> = tiles_for(0, replayed.first()).filter(TileId::is_full).map(|tile| tile.path()).collect();
    remove_beyond(layout.disk(), &layout.path("log"), "tile", &full)
}

fn remove_beyond(disk: &dyn Disk, log: &Path, name: &str, full: &std::collections::BTreeSet<String>) -> Result<(), OpenError> {
    let path = log.join(name);
    if !disk.is_dir(&path) {
        return if full.contains(name) { Ok(()) } else { super::layout::remove_file(disk, &path) };
    }
    for below in disk.names(&path).at("cannot list", &path)? {
        remove_beyond(disk, log, &format!("{name}/{below}"), full)?;
    }
    Ok(())
}
