//! The log of a stopped store, read for evidence by whoever has the folder and the storage key. Nothing is written but the lock's own file, and on a
//! file system that is read-only not even that.

use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::checkable::leaves;
use super::disk::RealDisk;
use super::error::OpenError;
use super::keys::Keys;
use super::layout::{Current, Format, Layout, Lock};
use super::records::{Archive, Month, Slot};
use super::replay::{Replayed, replay};
use super::start::SUBJECT_KEY;
use super::tiles::TileFolder;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::LogVerifier;
use crate::audit::proof::{consistency_proof, verify_consistency};
use crate::audit::range::{Held, OpenEntry};
use crate::audit::tile_nodes::TileNodes;
use crate::audit::tree::{Frontier, Hash, root_at};
use crate::domain::hold::HoldCopy;
use crate::domain::id::CaseRef;
use crate::domain::time::Timestamp;
use crate::store::ENTRIES_AT_ONCE;

/// Which entries are wanted, as an export from a running gateway has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// First index.
    pub from_index: Option<u64>,
    /// One past the last index.
    pub to_index: Option<u64>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only this case's records are opened, and the range is from its first to its last.
    pub case_ref: Option<CaseRef>,
}

/// A stopped store's log.
pub struct StoppedLog {
    layout: Layout,
    archive: Archive,
    replayed: Replayed,
    /// Entries that are published as tiles.
    published: u64,
    nodes: TileNodes<TileFolder>,
    verifier: LogVerifier,
    head: Checkpoint,
    checkpoint: String,
    _lock: Option<Lock>,
}

impl StoppedLog {
    /// Opens it. The head is `checkpoint`, an older one that somebody holds, or else the last that was published.
    ///
    /// # Errors
    /// [`OpenError::Locked`] while a gateway runs on it, [`OpenError::OtherCheckpoint`] for a checkpoint that this log's key did not sign,
    /// [`OpenError::NewerCheckpoint`] and [`OpenError::ForkedCheckpoint`] for one that it did, another storage key, damage.
    pub fn open(dir: &Path, storage_key: Zeroizing<[u8; 32]>, checkpoint: Option<&str>) -> Result<Self, OpenError> {
        let layout = Layout::new(dir, Arc::new(RealDisk));
        let not_a_store = || OpenError::NotAStore { file: dir.join("FORMAT").display().to_string() };
        let format = Format::read(&layout)?.ok_or_else(not_a_store)?;
        let lock = match layout.lock() {
            Err(OpenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::ReadOnlyFilesystem => None,
            lock => Some(lock?),
        };
        let verifier: LogVerifier = format.log_key.parse().map_err(|_| not_a_store())?;
        let keys = Keys::new(layout.clone(), storage_key);
        let subject_key = keys.unwrap_secret(SUBJECT_KEY, &format.subject_key)?;
        let current = Current::of(&layout)?;
        let files: Vec<u64> = layout.journals()?.into_iter().filter(|number| *number >= current.journal).collect();
        let replayed = replay((&layout, &keys), *subject_key, &current, &files, None)?;
        let archive = Archive::new(&layout, &keys, replayed.months.clone(), replayed.held.clone());
        let text = String::from_utf8_lossy(&layout.read("log/checkpoint")?).into_owned();
        let newest = Checkpoint::open(&text, &verifier).map_err(|error| OpenError::damage("log/checkpoint", 0, error.to_string()))?;
        let nodes = TileNodes::new(newest.size(), TileFolder::new(&layout));
        let damaged = |error: &dyn std::fmt::Display| OpenError::damage("log", 0, error.to_string());
        if root_at(&nodes, newest.size()).map_err(|error| damaged(&error))? != newest.root() {
            return Err(damaged(&"the tiles do not lead to the checkpoint's root"));
        }
        let (head, checkpoint) = match checkpoint {
            None => (newest.clone(), text),
            Some(given) => (Checkpoint::open(given, &verifier).map_err(|_| OpenError::OtherCheckpoint)?, given.to_owned()),
        };
        if head.size() > newest.size() {
            return Err(OpenError::NewerCheckpoint { given: head.size(), published: newest.size() });
        }
        let root = root_at(&nodes, head.size()).map_err(|error| damaged(&error))?;
        if root != head.root() {
            let (given, found) = (head.root().to_string(), root.to_string());
            return Err(OpenError::ForkedCheckpoint { size: head.size(), given, found });
        }
        Ok(Self { layout, archive, replayed, published: newest.size(), nodes, verifier, head, checkpoint, _lock: lock })
    }

    /// The log's key.
    #[must_use]
    pub const fn verifier(&self) -> &LogVerifier {
        &self.verifier
    }

    /// The head that everything is proved under.
    #[must_use]
    pub const fn head(&self) -> &Checkpoint {
        &self.head
    }

    /// The head as it was signed.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// What there is of the copy of a case, when there is a legal hold on it.
    #[must_use]
    pub fn hold_on(&self, case: CaseRef) -> Option<HoldCopy> {
        self.replayed.state.holds().iter().any(|hold| hold.case.case_ref == case).then(|| self.archive.held().copy_of(case))
    }

    fn held(&self, index: u64) -> Held {
        let slot = match index.checked_sub(self.replayed.first()) {
            Some(at) => Ok(usize::try_from(at).ok().and_then(|at| self.replayed.entries.get(at).cloned())),
            None => self.archive.slot(index),
        };
        match slot {
            Ok(Some(slot)) => Held::Record(Box::new((slot.entry.record, slot.entry.openings))),
            Ok(None) => Held::Erased,
            Err(_) => Held::Unreadable,
        }
    }

    /// Gives each entry from `from` up to `to` to `visit`, in order, until it says no more. Records of months are read many at once.
    fn each(&self, from: u64, to: u64, visit: &mut dyn FnMut(u64, Held) -> bool) {
        let files_end = self.archive.months().last().map_or(from, Month::end).min(self.replayed.first()).min(to);
        let files = self.archive.first_kept().map_or(files_end, |kept| kept.clamp(from, files_end.max(from)));
        let mut more = true;
        let mut one = |index: u64, held: Held| {
            more = visit(index, held);
            more
        };
        // Of erased months, what holds keep.
        if !(from..files).all(|index| one(index, self.held(index))) {
            return;
        }
        let of =
            |slot: Option<Slot>| slot.map_or(Held::Unreadable, |Slot { entry, .. }| Held::Record(Box::new((entry.record, entry.openings))));
        self.archive.each(files, files_end, &mut |index, slot| one(index, of(slot)));
        if more {
            _ = (files.max(files_end)..to).all(|index| visit(index, self.held(index)));
        }
    }

    /// The first entry from `from` up to `to` and the last, of those that are `wanted`.
    fn ends(&self, from: u64, to: u64, wanted: &dyn Fn(&Held) -> bool) -> Option<(u64, u64)> {
        let (mut first, mut last) = (None, None);
        self.each(from, to, &mut |index, held| {
            if wanted(&held) {
                first = Some(index);
            }
            first.is_none()
        });
        let first = first?;
        // From the newest on, as it is mostly nearer to it than to the first.
        let mut end = to;
        while end > first && last.is_none() {
            let begin = end.saturating_sub(ENTRIES_AT_ONCE).max(first);
            self.each(begin, end, &mut |index, held| {
                if wanted(&held) {
                    last = Some(index);
                }
                true
            });
            end = begin;
        }
        Some((first, last.unwrap_or(first)))
    }

    /// Entries from `from` up to `to`, at most [`ENTRIES_AT_ONCE`]; with a case, those are closed that do not [go with it](crate::audit::record::Record::goes_with).
    #[must_use]
    pub fn entries(&self, from: u64, to: u64, case_ref: Option<CaseRef>) -> Vec<OpenEntry> {
        let to = to.min(self.published).min(from.saturating_add(ENTRIES_AT_ONCE));
        let mut leaves = leaves(&self.layout, self.published, from, to).into_iter();
        let mut entries = Vec::with_capacity(leaves.len());
        self.each(from, to, &mut |index, held| {
            let held = match held {
                Held::Record(held) if case_ref.is_some_and(|case| !held.0.goes_with(case)) => Held::Closed,
                held => held,
            };
            entries.push(OpenEntry { index, leaf: leaves.next().flatten(), held });
            true
        });
        entries
    }

    /// The complete subtrees to the left of `from`, largest first.
    ///
    /// # Errors
    /// Damaged tiles.
    pub fn edge(&self, from: u64) -> Result<Vec<Hash>, OpenError> {
        let edge = Frontier::at(&self.nodes, from).map_err(|error| OpenError::damage("log", 0, error.to_string()))?;
        Ok(edge.peaks().map(|(_, _, hash)| hash).collect())
    }

    /// From the range's end to the head, checked.
    ///
    /// # Errors
    /// Damaged tiles.
    pub fn consistency(&self, to: u64) -> Result<Vec<Hash>, OpenError> {
        let damaged = |error: &dyn std::fmt::Display| OpenError::damage("log", 0, error.to_string());
        let proof = consistency_proof(&self.nodes, to, self.head.size()).map_err(|error| damaged(&error))?;
        let root = root_at(&self.nodes, to).map_err(|error| damaged(&error))?;
        verify_consistency(to, &root, self.head.size(), &self.head.root(), &proof).map_err(|error| damaged(&error))?;
        Ok(proof)
    }

    fn time_of(&self, index: u64) -> Option<Timestamp> {
        if let Held::Record(held) = self.held(index) { Some(held.0.time) } else { None }
    }

    fn first_not_before(&self, at: Timestamp) -> Result<u64, OpenError> {
        if let Some(found) = self.archive.first_not_before(at)?.filter(|found| *found < self.replayed.first()) {
            return Ok(found);
        }
        let skip = self.replayed.entries.partition_point(|slot| slot.entry.record.time < at) as u64;
        Ok(self.replayed.first() + skip)
    }

    /// Whether anything of `case` is kept but questions about it, which make none, or something that cannot be read and may be of it.
    fn may_be_a_case(&self, case: CaseRef) -> bool {
        let mut found = false;
        self.each(0, self.published, &mut |_, held| {
            found = match &held {
                Held::Record(held) => held.0.case_ref == Some(case) && !held.0.is_a_question(),
                Held::Unreadable => true,
                Held::Erased | Held::Closed => false,
            };
            !found
        });
        found
    }

    /// The range that an export of what is wanted has; none when there are no such entries. With times, one readable entry more on either side shows
    /// that nothing of the period lies beyond.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn range(&self, wanted: &Wanted) -> Result<Option<(u64, u64)>, OpenError> {
        let size = self.head.size();
        let first_kept = self.first_not_before(Timestamp::from_millis(i64::MIN))?;
        let (mut from, mut to) = (0, size);
        if let Some(at) = wanted.since {
            let end = self.first_not_before(at)?.min(size);
            let is_before = |index: &u64| self.time_of(*index).is_some_and(|time| time < at);
            from = (first_kept..end).rev().find(is_before).unwrap_or(0);
        }
        if let Some(at) = wanted.until {
            let begin = self.first_not_before(at)?.min(size);
            to = (begin..size).find(|index| self.time_of(*index).is_some_and(|time| time >= at)).map_or(size, |last| last + 1);
        }
        let (mut from, mut to) = (from.min(to).max(wanted.from_index.unwrap_or(0)), to.min(wanted.to_index.unwrap_or(size)));
        if let Some(case) = wanted.case_ref {
            if !self.may_be_a_case(case) {
                return Ok(None);
            }
            // One that cannot be read may be of the case: left out at an end of the range, it would not be missed.
            let is_of_case = |held: &Held| match held {
                Held::Record(held) => held.0.case_ref == Some(case),
                Held::Unreadable => true,
                Held::Erased | Held::Closed => false,
            };
            (from, to) = self.ends(from, to, &is_of_case).map_or((0, 0), |(first, last)| (first, last + 1));
        }
        Ok((from < to).then_some((from, to)))
    }
}
