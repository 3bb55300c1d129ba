//! The embedded store: one folder, one process, one fdatasync per batch.
//!
//! | file | what |
//! |---|---|
//! | `disk` | every file operation |
//! | `layout`, `keys` | names, lock, FORMAT, CURRENT; one wrapped key per sealed file |
//! | `frame`, `journal` | what one fdatasync makes durable; writer and reader |
//! | `queue`, `sequencer`, `commit` | acts in one order; durable before anything is answered |
//! | `records`, `holds`, `base`, `contents`, `unread` | record slots, those that a hold keeps, the state at a turn, undelivered content |
//! | `replay`, `start`, `turn`, `in_force` | base and journals give the state again, at every start and in every turn; what is mended meanwhile |
//! | `tiles`, `publishing`, `background` | publication once a second, and how far it may be behind; the slow threads |
//! | `serving` | tiles as they are served, each proved against the tree |
//! | `index`, `search` | the auditors' rebuildable index and questions |
//! | `checkable` | entries as an auditor's answer is checked: leaves from the published log, records from the files |
//! | `fsck`, `info` | the check of the whole folder; what an operator may know of it |
//! | `recover` | going on as a new log after a loss |

mod background;
mod base;
#[cfg(test)]
mod by_hand;
mod calendar;
mod checkable;
mod commit;
mod contents;
mod disk;
mod engine;
mod error;
mod frame;
pub mod fsck;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod grounds;
mod holds;
mod in_force;
mod index;
pub mod info;
mod journal;
mod keys;
mod layout;
mod publishing;
mod queue;
mod records;
pub mod recover;
mod replay;
mod search;
mod sequencer;
mod serving;
mod start;
pub mod stopped;
mod tail;
mod tiles;
mod turn;
mod unread;

#[cfg(test)]
pub(in crate::store) mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

pub use self::calendar::{Held, confirm_clock};
pub use self::disk::{Disk, File, FolderLock, LockedFolder, Open, RealDisk};
pub use self::engine::{DiskBounds, FATAL_EXIT_CODE, JournalBounds, OnFatal, end_process};
pub use self::error::{Damage, OpenError};
pub use self::start::{Asked, Options, SeenElsewhere, would_open};
pub use self::turn::{Failpoint, Turned};

use self::engine::Engine;
use self::queue::{Input, Reply};
use self::records::Entry;
use self::sequencer::Answer;
use self::start::Started;
use super::state::Snapshot;
use super::{
    Accepted, Cursor, Due, ENTRIES_AT_ONCE, EntryProof, Item, Outcome, OverdueAfter, Page, RecordFilter, Stats, StatusEntry, Store,
    StoreError, evidence,
};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::event::{Event, ItemNumber};
use crate::audit::proof::inclusion_proof;
use crate::audit::range::OpenEntry;
use crate::audit::tiles::TileId;
use crate::audit::tree::{Frontier, Hash};
use crate::domain::hold::{Hold, HoldCopy};
use crate::domain::id::{CaseRef, MessageId, ParticipantId};
use crate::domain::participant::{Contact, Register};
use crate::domain::register_past::RegisterPast;
use crate::domain::sensitive::Content;
use crate::domain::time::Timestamp;
use crate::policy::command::{Command, Searched, Submission};
use crate::policy::permit::Denial;
use crate::policy::reason::Reason;

/// Journal bytes from which a clean stop turns the store over first.
const STOP_TURN_BYTES: u64 = 8 * 1024 * 1024;

/// The embedded store. Dropping it commits and publishes what is in line, but does not log a stop; [`Store::stop`] does.
pub struct EmbeddedStore {
    engine: Arc<Engine>,
    started: Mutex<Started>,
    #[cfg(test)]
    kept: Mutex<Vec<tempfile::TempDir>>,
}

impl EmbeddedStore {
    /// Whether there is a store in `dir`.
    #[must_use]
    pub fn exists(dir: &std::path::Path) -> bool {
        dir.join("FORMAT").exists()
    }

    /// Opens the store in a folder, or makes one in an empty folder. Blocks for as long as the replay takes: one turn's worth at most.
    ///
    /// # Errors
    /// An [`OpenError`] that says what to do.
    pub fn open(options: Options) -> Result<Arc<Self>, OpenError> {
        Ok(Self::of(start::start(options)?))
    }

    fn of(started: Started) -> Arc<Self> {
        Arc::new(Self {
            engine: Arc::clone(&started.engine),
            started: Mutex::new(started),
            #[cfg(test)]
            kept: Mutex::new(Vec::new()),
        })
    }

    /// Turns the store over now: acknowledged content and its keys are gone from disk when this returns.
    ///
    /// # Errors
    /// Whatever the disk says; the store goes on with what it had.
    pub async fn turn_now(&self) -> Result<Turned, OpenError> {
        self.turn_until(None).await
    }

    /// A turn that stops where a test wants it to, as if the process had ended there.
    ///
    /// # Errors
    /// [`OpenError::Failpoint`] at the failpoint.
    pub async fn turn_until(&self, failpoint: Option<Failpoint>) -> Result<Turned, OpenError> {
        let engine = Arc::clone(&self.engine);
        let turned = tokio::task::spawn_blocking(move || {
            let turned = turn::turn(&engine, failpoint)?;
            if !engine.disk_is_full.load(Ordering::Relaxed) {
                index::catch_up(&engine);
            }
            Ok(turned)
        });
        turned.await.map_err(|_| OpenError::Stopped)?
    }

    /// Publishes what is durable, without waiting for the second to pass.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub async fn publish_now(&self) -> Result<u64, OpenError> {
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || engine.publish()).await.map_err(|_| OpenError::Stopped)?
    }

    /// Whether the end of cases and the erasure of months wait because the clock is not believed.
    #[must_use]
    pub fn calendar_is_held(&self) -> bool {
        self.engine.calendar_is_held()
    }

    /// An operator says that the clock is right.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn confirm_calendar(&self) -> Result<(), OpenError> {
        let last = Timestamp::from_millis(self.engine.last_time.load(Ordering::Acquire));
        self.engine.calendar.confirm(self.engine.clock.as_ref(), last)
    }

    /// Whether new messages are refused because the data disk is nearly full.
    #[must_use]
    pub fn disk_is_full(&self) -> bool {
        self.engine.disk_is_full.load(Ordering::Relaxed)
    }

    /// The decided state as plain data, for comparison.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.engine.core.lock().state.snapshot()
    }

    /// What `read` finds in the decided state, once that is durable.
    async fn look<T>(&self, read: impl FnOnce(&super::state::State) -> T + Send) -> Result<T, StoreError> {
        let (found, version) = {
            let core = self.engine.core.lock();
            (read(&core.state), core.size)
        };
        self.engine.until_durable(version).await?;
        Ok(found)
    }

    /// What `work` finds on disk, off the threads that serve.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || work(&engine)).await.map_err(|_| StoreError::Stopped)?
    }

    /// The same for what is read through, which gives way to whoever is served.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce(&Engine) -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
        let engine = Arc::clone(&self.engine);
        self.engine.readers.run(move || work(&engine)).await
    }

    /// What the records say of an id that the state may have forgotten.
    async fn search(&self, sender: &ParticipantId, submission: &Submission) -> Result<Searched, StoreError> {
        let (id, commit, sender, of) = (submission.message_id, submission.commit, sender.clone(), sender.clone());
        if !self.engine.core.lock().state.may_have_forgotten(&sender, id, self.engine.clock.now()) {
            return Ok(Searched::Unknown);
        }
        let work = move |engine: &Engine| {
            let register = engine.register.load_full();
            let is_own = |actor: &ParticipantId| register.stands_for(&sender, actor);
            search::forgotten_acceptance(engine, &is_own, id, &commit).map_err(|error| error.to_store_error())
        };
        #[cfg(test)]
        if self.engine.hand.lock().is_some() {
            return work(&self.engine);
        }
        let (readers, engine) = (Arc::clone(&self.engine.readers), Arc::clone(&self.engine));
        self.engine.lookups.run_now(&of, async move { readers.run(move || work(&engine)).await }).await
    }

    /// The receipt of the entry at `index`: from memory at once, from disk on a thread of its own.
    async fn accepted_at(&self, index: u64) -> Result<Option<Accepted>, StoreError> {
        let slot = self.engine.tail_slot(index);
        match slot {
            Some(slot) => self.engine.accepted(index, &slot).map(Some),
            None => {
                let find = move |engine: &Engine| match engine.slot(index).map_err(|error| error.to_store_error())? {
                    Some(slot) => engine.accepted(index, &slot).map(Some),
                    None => Ok(None),
                };
                self.off_thread(find).await
            }
        }
    }

    fn durable_size(&self) -> u64 {
        self.engine.head.load().size
    }
}

impl EmbeddedStore {
    async fn turn_before_stop(&self) -> Result<Result<Turned, OpenError>, tokio::task::JoinError> {
        #[cfg(test)]
        if self.engine.hand.lock().is_some() {
            return Ok(turn::turn(&self.engine, None));
        }
        let engine = Arc::clone(&self.engine);
        tokio::task::spawn_blocking(move || turn::turn(&engine, None)).await
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn act(&self, mut command: Command) -> Result<Outcome, StoreError> {
        if let Command::Submit { permit, submission } = &mut command
            && submission.message_id.timestamp().millis() <= self.engine.forgotten.load(Ordering::Acquire)
        {
            submission.searched = self.search(permit.caller().id(), submission).await?;
        }
        let (reply, answer) = oneshot::channel();
        let placed = if let Command::PlaceHold { case, .. } = &command { Some(case.case_ref) } else { None };
        self.engine.push(Input::Act(command, Reply::Task(reply)))?;
        // Dropped unanswered when a commit could not be made durable.
        let answer = answer.await.map_err(|_| StoreError::Stopped)??;
        if let Some(case) = placed
            && self.hold_copy(case).await.is_ok_and(HoldCopy::is_lacking)
        {
            // Placed again, it is looked through again at once.
            self.engine.hold_is_due.store(true, Ordering::SeqCst);
        }
        match answer {
            Answer::Done { events } => Ok(Outcome::Done { events }),
            Answer::Fresh { index, told, opening, head } => {
                let head = head.ok_or(StoreError::Stopped)?;
                let opening = opening.map_err(|error| StoreError::Damaged { place: error.to_string() })?;
                self.engine.accepted_now(index, told, &opening, &head).map(Outcome::Accepted)
            }
            Answer::Duplicate { index } => {
                // Its record may have gone by the calendar while its case lives.
                let accepted = self.accepted_at(index).await?;
                accepted.map(Outcome::Accepted).ok_or_else(|| Denial::from(Reason::RecordErased).into())
            }
        }
    }

    fn register(&self) -> Arc<Register> {
        self.engine.register.load_full()
    }

    fn now(&self) -> Timestamp {
        self.engine.clock.now().max(Timestamp::from_millis(self.engine.last_time.load(Ordering::Acquire)))
    }

    async fn waiting(&self, recipient: &ParticipantId, after: Option<ItemNumber>, max: usize) -> Result<Vec<Item>, StoreError> {
        self.look(|state| state.waiting(recipient, after, max)).await
    }

    async fn content(&self, item: ItemNumber) -> Result<Option<Content>, StoreError> {
        if item.is_moved() || !self.look(|state| state.needs_content(item.index())).await? {
            return Ok(None);
        }
        // None when it was acknowledged while this waited.
        let plain = self.engine.content(item.index()).map_err(|error| error.to_store_error())?;
        Ok(plain.map(Into::into))
    }

    async fn unreadable_contents(&self, items: &[ItemNumber]) -> Vec<(ItemNumber, StoreError)> {
        let read = |item: &ItemNumber| self.engine.content(item.index()).err().map(|error| (*item, error.to_store_error()));
        items.iter().filter(|item| !item.is_moved()).filter_map(read).collect()
    }

    async fn status(&self, sender: &ParticipantId, message_id: MessageId) -> Result<Option<StatusEntry>, StoreError> {
        self.look(|state| state.status(sender, message_id)).await
    }

    async fn changes(&self, sender: &ParticipantId, after: Cursor, max: usize) -> Result<Vec<StatusEntry>, StoreError> {
        self.look(|state| state.changes(sender, after, max)).await
    }

    async fn receipt(&self, sender: &ParticipantId, message_id: MessageId) -> Result<Option<Accepted>, StoreError> {
        if let Some(index) = self.look(|state| state.index_of(sender, message_id)).await? {
            return self.accepted_at(index).await;
        }
        if message_id.timestamp().millis() > self.engine.forgotten.load(Ordering::Acquire) {
            return Ok(None);
        }
        let (of, sender, engine) = (sender, sender.clone(), Arc::clone(&self.engine));
        let look = move || {
            let register = engine.register.load_full();
            let is_own = |actor: &ParticipantId| register.stands_for(&sender, actor);
            match search::old_acceptance(&engine, &is_own, message_id).map_err(|error| error.to_store_error())? {
                Some((index, slot)) => engine.accepted(index, &slot).map(Some),
                None => Ok(None),
            }
        };
        let readers = Arc::clone(&self.engine.readers);
        self.engine.lookups.run_now(of, async move { readers.run(look).await }).await
    }

    async fn contact(&self, unit: &ParticipantId) -> Result<Option<Contact>, StoreError> {
        self.look(|state| state.contact(unit).cloned()).await
    }

    async fn register_past(&self, next: &Register) -> Result<RegisterPast, StoreError> {
        self.look(|state| state.register_past(next)).await
    }

    async fn due(&self, now: Timestamp, overdue_after: OverdueAfter, max: usize) -> Result<Due, StoreError> {
        // By the clock itself where the log's time lies ahead of it.
        let now = now.min(self.engine.clock.now());
        let due = self.look(|state| state.due(now, overdue_after, max)).await?;
        // Overdue is only a mark; what erases waits until the clock is believed again.
        Ok(if self.engine.calendar_is_held() { Due { overdue: due.overdue, ..Due::default() } } else { due })
    }

    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        self.look(super::state::State::holds).await
    }

    async fn unreadable(&self) -> Result<u64, StoreError> {
        self.read(|engine| Ok(search::unreadable(engine))).await
    }

    async fn held(&self, case: CaseRef) -> Result<Vec<u64>, StoreError> {
        Ok(self.engine.archive.load_full().held().indices_of(case))
    }

    async fn hold_copy(&self, case: CaseRef) -> Result<HoldCopy, StoreError> {
        self.read(move |engine| {
            loop {
                let archive = engine.archive.load_full();
                let (last, now) = (archive.held().copy_of(case), archive.held().copy_now(case));
                // What a turn replaced meanwhile is gone, and no damage.
                if last == now || Arc::ptr_eq(&archive, &engine.archive.load_full()) {
                    engine.hold_is_due.fetch_or(last != now, Ordering::SeqCst);
                    return Ok(now);
                }
            }
        })
        .await
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.engine.durable.clone()
    }

    async fn checkpoint(&self) -> Result<Bytes, StoreError> {
        Ok(Bytes::copy_from_slice(self.engine.head.load().signed.as_str().as_bytes()))
    }

    async fn records(&self, filter: &RecordFilter, max: usize) -> Result<Page, StoreError> {
        let (filter, size) = (filter.clone(), self.durable_size());
        self.read(move |engine| search::records(engine, &filter, max, size).map_err(|error| error.to_store_error())).await
    }

    async fn prove(&self, index: u64) -> Result<Option<EntryProof>, StoreError> {
        let head = self.engine.head.load_full();
        if index >= head.size {
            return Ok(None);
        }
        self.read(move |engine| {
            let (slot, unreadable) = match engine.slot(index) {
                Ok(slot) => (slot, false),
                Err(OpenError::Stopped) => return Err(StoreError::Stopped),
                // The published log holds its leaf and proves that, as it does for what is erased.
                Err(error) => {
                    tracing::error!(index, %error, "the record of an entry cannot be read; stop the gateway and run `samband audit fsck DATA_DIR --storage-key FILE`");
                    (None, true)
                }
            };
            let leaf = match &slot {
                Some(slot) => evidence::leaf(&slot.entry.record, &slot.entry.openings),
                None => {
                    engine.published_leaf(index)?.ok_or_else(|| StoreError::Damaged { place: format!("the leaf at log index {index}") })?
                }
            };
            let record = slot.map(|slot| (slot.entry.record, slot.entry.openings));
            let made = evidence::entry_proof(leaf, record, index, head.size, &engine.all_nodes(), &head.signed)
                .map_err(|error| StoreError::Damaged { place: error.to_string() })?;
            engine.check_proof(&leaf, &made.proof)?;
            Ok(Some(EntryProof { unreadable, ..made }))
        })
        .await
    }

    async fn prove_for_sender(&self, index: u64) -> Result<Option<EntryProof>, StoreError> {
        let head = self.engine.head.load_full();
        if index >= head.size {
            return Ok(None);
        }
        self.read(move |engine| {
            let Some(slot) = engine.slot(index).map_err(|error| error.to_store_error())? else { return Ok(None) };
            let Entry { record, openings } = slot.entry;
            let leaf = evidence::leaf(&record, &openings);
            let proof = evidence::receipt(&record, &openings, index, head.size, &engine.all_nodes(), &head.signed)
                .map_err(|error| StoreError::Damaged { place: error.to_string() })?;
            engine.check_proof(&leaf, &proof)?;
            Ok(Some(EntryProof { index, leaf: *leaf.as_bytes(), record: Some(record), unreadable: false, proof }))
        })
        .await
    }

    async fn consistency(&self, old_size: u64, new_size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        if old_size > new_size || new_size > self.durable_size() {
            return Ok(None);
        }
        self.read(move |engine| engine.consistency(old_size, new_size).map(Some)).await
    }

    async fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        if index >= size || size > self.durable_size() {
            return Ok(None);
        }
        let damaged = |error: &dyn std::fmt::Display| StoreError::Damaged { place: error.to_string() };
        self.read(move |engine| inclusion_proof(&engine.all_nodes(), index, size).map(Some).map_err(|error| damaged(&error))).await
    }

    async fn published(&self) -> Result<(Bytes, Checkpoint), StoreError> {
        self.off_thread(|engine| {
            engine.publish().map_err(|error| error.to_store_error())?;
            checkable::published_head(engine)
        })
        .await
    }

    async fn entries(&self, from: u64, to: u64) -> Result<Vec<OpenEntry>, StoreError> {
        self.read(move |engine| Ok(checkable::entries(engine, from, to.min(from.saturating_add(ENTRIES_AT_ONCE))))).await
    }

    async fn edge(&self, size: u64) -> Result<Option<Frontier>, StoreError> {
        self.read(move |engine| Ok(Frontier::at(&engine.all_nodes(), size).ok())).await
    }

    async fn first_not_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        let size = self.durable_size();
        self.read(move |engine| search::first_not_before(engine, at, size).map_err(|error| error.to_store_error())).await
    }

    async fn published_checkpoint(&self) -> Result<Bytes, StoreError> {
        self.off_thread(|engine| checkable::published_head(engine).map(|(text, _)| text)).await
    }

    async fn tile(&self, tile: TileId) -> Result<Option<Bytes>, StoreError> {
        self.read(move |engine| engine.tile(tile).map(|content| content.map(Bytes::from))).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let stats = self.look(|state| state.stats(self.engine.clock.now())).await?;
        Ok(Stats {
            durable_size: self.durable_size(),
            published_size: self.engine.published.load(Ordering::SeqCst),
            unreadable: self.engine.unread.items(),
            turns_fail_seconds: self.engine.turns_fail_seconds(),
            damaged_tiles: self.engine.serving.damaged(),
            ..stats
        })
    }

    async fn stop(&self) -> Result<(), StoreError> {
        // What was acknowledged does not lie there for as long as the gateway is stopped, and the next start has little to replay.
        let engine = &self.engine;
        if engine.freed.load(Ordering::Relaxed) > 0 || engine.journal_bytes.load(Ordering::Relaxed) >= STOP_TURN_BYTES {
            match self.turn_before_stop().await {
                Ok(Ok(_) | Err(OpenError::Stopped)) => {}
                Ok(Err(error)) => tracing::error!(%error, "the store could not be turned over before its stop; the next turn erases"),
                Err(_) => return Err(StoreError::Stopped),
            }
        }
        match self.act(Command::Note(Event::Stopped)).await {
            // Stopped before: nothing is left to do.
            Ok(_) | Err(StoreError::Stopped) => {}
            Err(error) => return Err(error),
        }
        let mut started = {
            let mut held = self.started.lock();
            let emptied = Started { engine: Arc::clone(&self.engine), threads: Vec::new(), lock: None };
            std::mem::replace(&mut *held, emptied)
        };
        tokio::task::spawn_blocking(move || started.halt()).await.map_err(|_| StoreError::Stopped)?;
        if self.engine.is_broken() { Err(StoreError::Stopped) } else { Ok(()) }
    }
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedStore").field("engine", &self.engine).finish_non_exhaustive()
    }
}
