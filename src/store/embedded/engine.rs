//! What the threads of the store share, and what they do together: signing, finding entries, nodes and receipts.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::calendar::Calendar;
use super::contents::Contents;
use super::disk::LockedFolder;
use super::error::OpenError;
use super::in_force::InForce;
use super::index::SearchIndex;
use super::keys::Keys;
use super::layout::Layout;
use super::publishing::Publishing;
use super::queue::{Answered, Input, Queue, Reply, Rolled};
use super::records::{Archive, Entry, SLOT_LEN, Slot};
use super::sequencer::{Answer, Core};
use super::serving::Serving;
use super::tail::Tail;
use super::tiles::{Publisher, TileFolder, TileUnreadable};
use super::unread::Unread;
use crate::audit::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use crate::audit::event::Event;
use crate::audit::leaf::{Leaf, SenderOpening};
use crate::audit::nodes::RecentNodes;
use crate::audit::note::LogSigner;
use crate::audit::proof::{RightEdge, consistency_proof, inclusion_proof, verify_consistency};
use crate::audit::tile_nodes::{TileNodeError, TileNodes};
use crate::audit::tlog_proof::TlogProof;
use crate::audit::tree::{BuildError, Hash, NodeSource, root_at};
use crate::clock::{Clock, Entropy};
use crate::domain::participant::Register;
use crate::domain::time::Timestamp;
use crate::policy::command::Command;
use crate::store::evidence::{self, Told};
use crate::store::readers::Readers;
use crate::store::state::Snapshot;
use crate::store::turns::Turns;
use crate::store::{Accepted, StoreError};

/// Exit code of a process that could not make a commit durable, or whose folder was replaced under it.
pub const FATAL_EXIT_CODE: i32 = 74;

/// Events of the gateway itself that may wait in line at once.
const NOTES_AT_ONCE: usize = 2048;

/// No turn failed since the last that succeeded.
pub(super) const NO_TURN_FAILED: i64 = i64::MIN;

/// Told once when a commit could not be made durable or the store cannot go on. In production it does not return.
pub type OnFatal = Arc<dyn Fn(&str) + Send + Sync>;

/// Says what happened and ends the process with [`FATAL_EXIT_CODE`]. Nothing is cleaned up: what is on disk is what the next start finds.
#[must_use]
pub fn end_process() -> OnFatal {
    #[expect(clippy::disallowed_methods, reason = "nothing may be retried or answered after a failed sync")]
    Arc::new(|what| {
        // The last words of the process go out also without a log; that they could not be said changes nothing.
        let _ = writeln!(std::io::stderr(), "samband: the store cannot go on, so the gateway ends: {what}");
        std::process::exit(FATAL_EXIT_CODE)
    })
}

/// The durable head.
#[derive(Debug)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// What receipts under it are looked up from.
    pub edge: RightEdge,
    /// Signed.
    pub signed: Arc<SignedCheckpoint>,
}

/// Bounds of the data disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskBounds {
    /// Below this much free space new messages are refused.
    pub low_water: u64,
    /// Preallocated, given up when even less than half the low-water mark is free.
    pub reserve: u64,
}

/// How much a journal may hold, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalBounds {
    /// A file is closed at this length.
    pub file: u64,
    /// All files after the base; beyond it a turn is due.
    pub turn: u64,
}

impl Default for JournalBounds {
    fn default() -> Self {
        Self { file: 64 * 1024 * 1024, turn: 256 * 1024 * 1024 }
    }
}

/// What the threads share.
pub struct Engine {
    pub(super) layout: Layout,
    /// The folder that is locked, while it is.
    pub(super) folder: Weak<dyn LockedFolder>,
    pub(super) keys: Keys,
    pub(super) origin: Origin,
    pub(super) signer: LogSigner,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) on_fatal: OnFatal,
    pub(super) subject_key: Zeroizing<[u8; 32]>,
    pub(super) records_keep_months: u32,
    pub(super) turn_every_millis: i64,
    pub(super) disk: DiskBounds,
    pub(super) journal: JournalBounds,

    pub(super) queue: Queue,
    /// At looking for ids that the state has forgotten.
    pub(super) lookups: Arc<Turns>,
    pub(super) readers: Arc<Readers>,
    pub(super) core: Mutex<Core>,
    /// Durable entries whose records are in no file yet.
    pub(super) tail: Mutex<Tail>,
    /// Time of the last decided event in milliseconds, beside the core so that asking the time waits for nobody.
    pub(super) last_time: AtomicI64,
    /// No id made after it has been forgotten, in milliseconds: what is newer needs no search.
    pub(super) forgotten: AtomicI64,
    pub(super) nodes: RwLock<RecentNodes>,
    pub(super) contents: Mutex<Contents>,
    pub(super) unread: Unread,
    pub(super) archive: ArcSwap<Archive>,
    pub(super) register: ArcSwap<Register>,
    pub(super) head: ArcSwap<Head>,
    pub(super) durable: watch::Receiver<u64>,

    pub(super) unpublished: Mutex<VecDeque<Leaf>>,
    pub(super) publisher: Mutex<Publisher>,
    pub(super) published: AtomicU64,
    pub(super) publishing: Publishing,
    pub(super) serving: Serving,
    pub(super) published_nodes: ArcSwap<TileNodes<TileFolder>>,

    pub(super) turning: Mutex<()>,
    pub(super) in_force: Mutex<InForce>,
    /// The sequencer is to take the state whenever the journal is closed: the base's cannot be read.
    pub(super) takes_state: AtomicBool,
    /// The state it took, with its size.
    pub(super) taken_state: Mutex<Option<(u64, Snapshot)>>,
    /// Since when, by the clock that nobody sets, turns fail; [`NO_TURN_FAILED`] while none does.
    pub(super) turns_fail_since: AtomicI64,
    pub(super) last_turn: AtomicI64,
    /// The same by the clock that nobody sets; of a turn before the start, when the start was.
    pub(super) last_turn_elapsed: AtomicI64,
    pub(super) journal_bytes: AtomicU64,
    pub(super) base_size: AtomicU64,
    pub(super) calendar: Calendar,
    /// Contents that were freed since the last turn and are still on disk.
    pub(super) freed: AtomicU64,
    pub(super) base_bytes: AtomicU64,
    pub(super) disk_is_full: AtomicBool,
    /// Held for a step or a search at a time.
    pub(super) index: Mutex<SearchIndex>,
    /// Held by whoever builds it.
    pub(super) indexing: Mutex<()>,
    /// The index thread has something to do; set at the start and after a turn.
    pub(super) index_is_due: AtomicBool,

    /// A hold is to be looked through again; set at the start and by whoever finds its copy other than the last turn did.
    pub(super) hold_is_due: AtomicBool,

    pub(super) broken: AtomicBool,
    pub(super) ending: Mutex<bool>,
    pub(super) ended: Condvar,

    /// Sequencer and committer without threads.
    #[cfg(test)]
    pub(super) hand: Mutex<Option<super::by_hand::Hand>>,
}

/// The nodes of the whole tree: memory first, then the published tiles.
pub struct AllNodes<'e> {
    recent: parking_lot::RwLockReadGuard<'e, RecentNodes>,
    tiles: Arc<TileNodes<TileFolder>>,
}

impl NodeSource for AllNodes<'_> {
    type Error = TileNodeError<TileUnreadable>;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        match self.recent.node(level, index) {
            Some(hash) => Ok(hash),
            None => self.tiles.node(level, index),
        }
    }
}

impl Engine {
    /// The nodes of the tree.
    pub(super) fn all_nodes(&self) -> AllNodes<'_> {
        AllNodes { recent: self.nodes.read(), tiles: self.published_nodes.load_full() }
    }

    /// The signed head of `size` entries.
    pub(super) fn sign(&self, size: u64, root: Hash) -> Result<SignedCheckpoint, OpenError> {
        let checkpoint = Checkpoint::new(self.origin.clone(), size, root).and_then(|head| head.sign(&self.signer));
        checkpoint.map_err(|error| OpenError::damage("log/checkpoint", 0, error.to_string()))
    }

    /// A commit could not be made durable, or a thread is gone.
    pub(super) fn fatal(&self, what: &str) {
        if !self.broken.swap(true, Ordering::SeqCst) {
            self.queue.break_off();
            (self.on_fatal)(what);
        }
    }

    /// Whether the data folder is still the one that was opened: whatever is found and written by name would be another gateway's.
    pub(super) fn check_folder(&self) -> Result<(), OpenError> {
        let root = self.layout.root();
        let is_there = self.folder.upgrade().is_none_or(|folder| folder.is_at(root));
        if is_there { Ok(()) } else { Err(OpenError::Replaced(root.to_owned())) }
    }

    /// Whether the store is broken.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    /// Puts something in line.
    pub(super) fn push(&self, input: Input) -> Result<(), StoreError> {
        #[cfg(test)]
        if let Input::Act(Command::Note(event), _) = &input {
            super::by_hand::note(event);
        }
        self.queue.push(input)?;
        #[cfg(test)]
        super::by_hand::drive(self);
        Ok(())
    }

    /// Puts an act in line and waits, on a thread of its own, until it is durable.
    pub(super) fn act_blocking(&self, command: Command) -> Result<Answer, OpenError> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.push(Input::Act(command, Reply::Thread(reply))).map_err(|_| OpenError::Stopped)?;
        answer.recv().map_err(|_| OpenError::Stopped)?.map_err(|_| OpenError::Stopped)
    }

    /// Puts events of the gateway itself in line, many to a frame, and waits until all are durable.
    pub(super) fn note_all(&self, events: impl IntoIterator<Item = Event>) -> Result<(), OpenError> {
        let mut waiting = VecDeque::new();
        let next = |waiting: &mut VecDeque<Receiver<Answered>>| match waiting.pop_front() {
            Some(answer) => answer.recv().map_err(|_| OpenError::Stopped)?.map(drop).map_err(|_| OpenError::Stopped),
            None => Ok(()),
        };
        for event in events {
            if waiting.len() >= NOTES_AT_ONCE {
                next(&mut waiting)?;
            }
            let (reply, answer) = std::sync::mpsc::sync_channel(1);
            self.push(Input::Act(Command::Note(event), Reply::Thread(reply))).map_err(|_| OpenError::Stopped)?;
            waiting.push_back(answer);
        }
        while !waiting.is_empty() {
            next(&mut waiting)?;
        }
        Ok(())
    }

    /// Closes the journal file after all that was decided so far.
    pub(super) fn roll(&self) -> Result<Rolled, OpenError> {
        let (reply, rolled) = std::sync::mpsc::sync_channel(1);
        self.push(Input::Roll(reply)).map_err(|_| OpenError::Stopped)?;
        rolled.recv().map_err(|_| OpenError::Stopped)
    }

    /// Waits until `version` is durable.
    pub(super) async fn until_durable(&self, version: u64) -> Result<(), StoreError> {
        if *self.durable.borrow() >= version {
            return Ok(());
        }
        let mut durable = self.durable.clone();
        durable.wait_for(|size| *size >= version).await.map(|_| ()).map_err(|_| StoreError::Stopped)
    }

    /// The entry at `index` with the size its receipt was made at; `None` when its record is erased or it is not there yet.
    pub(super) fn slot(&self, index: u64) -> Result<Option<Slot>, OpenError> {
        if let Some(slot) = self.tail_slot(index) {
            return Ok(Some(slot));
        }
        loop {
            let archive = self.archive.load_full();
            let found = archive.slot(index);
            // What is unreadable in files that a turn replaced meanwhile is read again in the new ones, and no damage.
            if found.is_ok() || Arc::ptr_eq(&archive, &self.archive.load_full()) {
                return found;
            }
        }
    }

    /// The same, if it is in memory.
    pub(super) fn tail_slot(&self, index: u64) -> Option<Slot> {
        self.tail.lock().slot(index)
    }

    /// A turn has written what stands below `size` into files, without the ids that are stale at `stale_at`.
    pub(super) fn trim(&self, size: u64, stale_at: Option<Timestamp>) {
        if let Some(at) = stale_at {
            let mut core = self.core.lock();
            core.state.forget_stale_ids(at, size);
            self.forgotten.store(core.state.forgotten().millis(), Ordering::Release);
        }
        let written = self.tail.lock().trim(size);
        drop(written);
    }

    fn head_of(&self, size: u64, nodes: &AllNodes<'_>) -> Result<Arc<SignedCheckpoint>, StoreError> {
        let head = self.head.load();
        if head.size == size {
            return Ok(Arc::clone(&head.signed));
        }
        let root = self.root_under_head(size, &head, nodes)?;
        self.sign(size, root).map(Arc::new).map_err(|error| error.to_store_error())
    }

    /// The root of the first `size` entries. Tiles come from disk, where anyone may have changed them: the root is given only if the head,
    /// which came from the journal, provably continues it. So nothing on disk makes the gateway sign a second root for one size.
    fn root_under_head(&self, size: u64, head: &Head, nodes: &AllNodes<'_>) -> Result<Hash, StoreError> {
        let root = root_at(nodes, size).map_err(|error| nodes_error(&error))?;
        if size != head.size {
            let proof = consistency_proof(nodes, size, head.size).map_err(|error| nodes_error(&error))?;
            verify_consistency(size, &root, head.size, &head.root, &proof).map_err(|_| Self::tiles_damaged())?;
        } else if root != head.root {
            return Err(Self::tiles_damaged());
        }
        Ok(root)
    }

    fn tiles_damaged() -> StoreError {
        StoreError::Damaged { place: "log/tile: the published tiles do not lead to the log's head".into() }
    }

    /// The consistency proof between two sizes of the durable log, checked before it is given.
    pub(super) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        let (head, nodes) = (self.head.load_full(), self.all_nodes());
        let (old_root, new_root) = (self.root_under_head(old, &head, &nodes)?, self.root_under_head(new, &head, &nodes)?);
        let proof = consistency_proof(&nodes, old, new).map_err(|error| nodes_error(&error))?;
        verify_consistency(old, &old_root, new, &new_root, &proof).map_err(|_| Self::tiles_damaged())?;
        Ok(proof)
    }

    /// Refuses a proof made from nodes on disk that does not prove `leaf`.
    pub(super) fn check_proof(&self, leaf: &Leaf, proof: &[u8]) -> Result<(), StoreError> {
        let text = std::str::from_utf8(proof).map_err(|_| Self::tiles_damaged())?;
        let proof = TlogProof::parse(text).map_err(|_| Self::tiles_damaged())?;
        proof.verify(leaf.as_bytes(), self.signer.verifier()).map(|_| ()).map_err(|_| Self::tiles_damaged())
    }

    /// What the sender of the record in `slot` is answered, the same bytes each time.
    pub(super) fn accepted(&self, index: u64, slot: &Slot) -> Result<Accepted, StoreError> {
        let nodes = self.all_nodes();
        let head = self.head_of(slot.batch, &nodes)?;
        let accepted = receipt(&slot.entry, index, slot.batch, &nodes, &head)?;
        self.check_proof(&evidence::leaf(&slot.entry.record, &slot.entry.openings), &accepted.receipt)?;
        Ok(accepted)
    }

    /// The same for an entry that has just become durable under `head`.
    pub(super) fn accepted_now(&self, index: u64, told: Told, opening: &SenderOpening, head: &Head) -> Result<Accepted, StoreError> {
        let proof = head.edge.inclusion_proof(&*self.nodes.read(), index);
        let proof = match proof {
            Ok(proof) => proof,
            // Asked so late that its part of the tree is published already.
            Err(_) => inclusion_proof(&self.all_nodes(), index, head.size).map_err(|error| nodes_error(&error))?,
        };
        Ok(told.with(index, evidence::receipt_with(opening, index, &proof, &head.signed)))
    }

    /// The leaf at `index` from the published bundles.
    pub(super) fn published_leaf(&self, index: u64) -> Result<Option<Leaf>, StoreError> {
        use crate::audit::tile_nodes::TileRead as _;
        use crate::audit::tiles::{TILE_WIDTH, TileId, TileKind};
        let width = u64::from(TILE_WIDTH);
        let size = self.published.load(Ordering::SeqCst);
        if index >= size {
            return Ok(None);
        }
        let tile = TileId::new(TileKind::Entries, index / width, (size - index / width * width).min(width) as u16)
            .map_err(|error| StoreError::Damaged { place: error.to_string() })?;
        let damaged = || StoreError::Damaged { place: format!("log/{tile}") };
        let bytes = TileFolder::new(&self.layout).read(tile).map_err(|_| damaged())?;
        let entries = crate::audit::bundle::decode(&bytes, tile.width()).map_err(|_| damaged())?;
        let leaf = entries.get((index % width) as usize).and_then(|data| <[u8; 33]>::try_from(*data).ok()).and_then(Leaf::from_bytes);
        leaf.map(Some).ok_or_else(damaged)
    }

    /// Publishes what is durable. Returns the published size.
    pub(super) fn publish(&self) -> Result<u64, OpenError> {
        let mut publisher = self.publisher.lock();
        self.check_folder()?;
        let head = self.head.load_full();
        let wanted = usize::try_from(head.size.saturating_sub(publisher.taken())).unwrap_or(usize::MAX);
        if wanted > 0 {
            let leaves: Vec<Leaf> = self.unpublished.lock().drain(..wanted).collect();
            publisher.take(leaves);
        }
        if publisher.builder().frontier().root() != head.root {
            return Err(OpenError::damage("log", 0, "the tree to be published is not the one in the journal"));
        }
        let size = publisher.publish(&head.signed)?;
        if self.published.swap(size, Ordering::SeqCst) != size {
            self.published_nodes.store(Arc::new(TileNodes::new(size, TileFolder::new(&self.layout))));
        }
        self.publishing.published();
        Ok(size)
    }

    /// For how many seconds turns have failed: nothing while none does.
    pub(super) fn turns_fail_seconds(&self) -> u64 {
        let since = self.turns_fail_since.load(Ordering::Relaxed);
        let millis = self.clock.elapsed_millis().saturating_sub(since);
        if since == NO_TURN_FAILED { 0 } else { u64::try_from(millis / 1000).unwrap_or(0).max(1) }
    }

    /// Compares the clocks.
    pub(super) fn look_at_clocks(&self) {
        self.calendar.look(self.clock.as_ref(), Timestamp::from_millis(self.last_time.load(Ordering::Acquire)));
    }

    /// Whether acts that follow from the calendar wait for an operator's word: the clock is not to be believed.
    pub(super) fn calendar_is_held(&self) -> bool {
        self.look_at_clocks();
        self.calendar.is_held()
    }

    /// What time it is for what erases by date: the clock's where the log's time lies ahead of it, and none while the clock is not believed.
    pub(super) fn calendar_time(&self, last: Timestamp) -> Option<Timestamp> {
        (!self.calendar_is_held()).then(|| last.min(self.clock.now()))
    }

    /// Bytes that a turn writes before it can give any back.
    pub(super) fn turn_needs(&self) -> u64 {
        let slots = {
            let tail = self.tail.lock();
            (tail.end() - tail.first()) * SLOT_LEN as u64
        };
        let contents = self.contents.lock().bytes();
        slots.saturating_add(contents).saturating_add(self.base_bytes.load(Ordering::Relaxed))
    }
}

fn receipt(entry: &Entry, index: u64, size: u64, nodes: &AllNodes<'_>, head: &SignedCheckpoint) -> Result<Accepted, StoreError> {
    let receipt = evidence::receipt(&entry.record, &entry.openings, index, size, nodes, head)
        .map_err(|error| StoreError::Damaged { place: error.to_string() })?;
    Ok(evidence::accepted(&entry.record, index, receipt))
}

/// The nodes could not be had.
pub(super) fn nodes_error(error: &BuildError<TileNodeError<TileUnreadable>>) -> StoreError {
    StoreError::Damaged { place: error.to_string() }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("layout", &self.layout).finish_non_exhaustive()
    }
}
