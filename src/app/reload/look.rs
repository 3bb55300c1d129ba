//! Looking at files and reading those that have changed: each for itself, so that none waits for another's writer or file system.
//!
//! A file system that is gone (a network mount, a failing disk) holds whoever asks it, for as long as it likes. So each look is a task off the
//! runtime's workers, of each unit at most one, and a round waits for it a second at most: what comes later is taken in the round that follows.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::audit::event::ReloadedFile;
use crate::config::FILE_BYTES_MAX;
use crate::tls::{self, Read, files};

/// How long file systems are waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// A round waits so long, for all of them together.
    round: Duration,
    /// One that has not answered for so long is spoken of.
    silent: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { round: Duration::from_secs(1), silent: Duration::from_secs(10) }
    }
}

/// A file that has looked different in so many looks in a row is read as it is.
const RESTLESS_LOOKS: u32 = 3;

/// What a file looks like from outside. Any write, rename or change of rights makes another one.
pub(super) type Stamp = [u64; 8];

/// The file system, as looks ask it. Both may never return.
pub(super) trait Disk: Send + Sync + 'static {
    fn stamp(&self, path: &Path) -> Option<Stamp>;
    fn read(&self, kind: ReloadedFile, path: &Path) -> Read;
}

/// The real one.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn stamp(&self, path: &Path) -> Option<Stamp> {
        // Follows links, so that a link that is set elsewhere is a change.
        let meta = path.metadata().ok()?;
        let sign = i64::cast_unsigned;
        Some([
            meta.dev(),
            meta.ino(),
            meta.len(),
            sign(meta.mtime()),
            sign(meta.mtime_nsec()),
            sign(meta.ctime()),
            sign(meta.ctime_nsec()),
            meta.mode().into(),
        ])
    }

    fn read(&self, kind: ReloadedFile, path: &Path) -> Read {
        match kind {
            ReloadedFile::Register => files::read(path, FILE_BYTES_MAX).map(Into::into),
            _ => tls::read(kind, path),
        }
    }
}

/// A file that is watched.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    /// The caller's number for it.
    pub(super) place: usize,
    pub(super) kind: ReloadedFile,
    pub(super) path: PathBuf,
}

/// How the files of a unit were last looked at and last taken.
#[derive(Debug, Default)]
struct Seen {
    looked: Option<Vec<Option<Stamp>>>,
    taken: Option<Vec<Option<Stamp>>>,
    /// Looks in a row that saw a change that was not taken.
    restless: u32,
}

impl Seen {
    /// Whether files that look like `stamps` are to be read: changed since they were taken, and still since the last look or restless for too
    /// long. They count as taken then.
    fn is_due(&mut self, stamps: Vec<Option<Stamp>>, whatever: bool) -> bool {
        let is_changed = self.taken.as_ref() != Some(&stamps);
        let is_still = self.looked.as_ref() == Some(&stamps);
        self.restless = if is_changed { self.restless + 1 } else { 0 };
        let is_due = whatever || (is_changed && (is_still || self.restless >= RESTLESS_LOOKS));
        if is_due {
            self.restless = 0;
            self.taken = Some(stamps.clone());
        }
        self.looked = Some(stamps);
        is_due
    }
}

/// What a look brings: the unit's memory, and its files if they were read.
type Looked = (Seen, Vec<(usize, Read)>);

/// Files that only make sense together.
struct Unit {
    files: Arc<[Watched]>,
    /// Not here while a look is under way.
    seen: Option<Seen>,
    under_way: Option<(JoinHandle<Looked>, Instant)>,
    /// To be read whatever it looks like, as soon as it can be looked at.
    is_asked: bool,
    /// That its file system is silent was told.
    is_told: bool,
}

/// What a round brought.
#[derive(Default)]
pub(super) struct Found {
    /// What was read, by the caller's number.
    pub(super) read: Vec<(usize, Read)>,
    /// Files whose file system has been silent for too long, told once until it answers.
    pub(super) silent: Vec<usize>,
}

/// Everything that is watched.
pub(super) struct Looks {
    disk: Arc<dyn Disk>,
    patience: Patience,
    units: Vec<Unit>,
}

impl std::fmt::Debug for Looks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Looks").field("units", &self.units.len()).finish_non_exhaustive()
    }
}

impl Looks {
    pub(super) fn new(disk: Arc<dyn Disk>, patience: Patience, units: Vec<Vec<Watched>>) -> Self {
        let unit = |files: Vec<Watched>| Unit {
            files: files.into(),
            seen: Some(Seen::default()),
            under_way: None,
            is_asked: false,
            is_told: false,
        };
        Self { disk, patience, units: units.into_iter().map(unit).collect() }
    }

    /// Everything is to be read, whatever it looks like.
    pub(super) fn ask_all(&mut self) {
        self.units.iter_mut().for_each(|unit| unit.is_asked = true);
    }

    /// Looks at every file that is not being looked at already; gives what was read of those that are due, and of those that answer late.
    pub(super) async fn round(&mut self) -> Found {
        let mut found = Found::default();
        let begun = Instant::now();
        for unit in &mut self.units {
            unit.begin(&self.disk);
        }
        for unit in &mut self.units {
            unit.end(begun, self.patience, &mut found).await;
        }
        found
    }
}

impl Unit {
    fn begin(&mut self, disk: &Arc<dyn Disk>) {
        let Some(mut seen) = self.seen.take() else { return };
        let (disk, files, whatever) = (disk.clone(), self.files.clone(), std::mem::take(&mut self.is_asked));
        let look = move || {
            let stamps = files.iter().map(|file| disk.stamp(&file.path)).collect();
            let is_due = seen.is_due(stamps, whatever);
            let due = files.iter().filter(|_| is_due);
            let read = due.map(|file| (file.place, disk.read(file.kind, &file.path))).collect();
            (seen, read)
        };
        self.under_way = Some((tokio::task::spawn_blocking(look), Instant::now()));
    }

    async fn end(&mut self, round: Instant, patience: Patience, found: &mut Found) {
        let Some((look, begun)) = &mut self.under_way else { return };
        // One that was late before is not waited for again.
        if *begun < round && !look.is_finished() {
            if begun.elapsed() >= patience.silent && !std::mem::replace(&mut self.is_told, true) {
                found.silent.extend(self.files.iter().map(|file| file.place));
            }
            return;
        }
        let Ok(looked) = tokio::time::timeout_at(round + patience.round, look).await else { return };
        self.under_way = None;
        self.is_told = false;
        // A look that panicked is begun anew.
        let (seen, read) = looked.unwrap_or_default();
        self.seen = Some(seen);
        found.read.extend(read);
    }
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
