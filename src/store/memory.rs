//! The reference store: everything in memory, one lock, failures on demand. For tests; nothing in it is durable.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::state::State;
use super::{
    Accepted, Cursor, Due, ENTRIES_AT_ONCE, EntryProof, Item, LogEntry, Outcome, OverdueAfter, Page, RecordFilter, Stats, StatusEntry,
    Store, StoreError, evidence,
};
use crate::audit::bundle::push_entry;
use crate::audit::checkpoint::{Checkpoint, Origin, SignedCheckpoint};
use crate::audit::event::{Event, ItemNumber};
use crate::audit::leaf::{Leaf, Openings};
use crate::audit::note::LogSigner;
use crate::audit::proof::{consistency_proof, inclusion_proof};
use crate::audit::range::{Held, OpenEntry};
use crate::audit::record::Record;
use crate::audit::tiles::{TileId, TileKind, hash_tile};
use crate::audit::tree::{Frontier, Hash, NodeSource, root_at};
use crate::clock::{Clock, Entropy, random_32};
use crate::domain::hold::{Hold, HoldCopy};
use crate::domain::id::{CaseRef, MessageId, ParticipantId};
use crate::domain::limits::MESSAGE_ID_AHEAD_MAX_MILLIS;
use crate::domain::participant::{Contact, Register};
use crate::domain::register_past::RegisterPast;
use crate::domain::sensitive::Content;
use crate::domain::time::Timestamp;
use crate::policy::case::IdEntry;
use crate::policy::command::{Command, Searched, Submission};
use crate::policy::decide::{Decision, decide};
use crate::policy::permit::{Denial, Permit};
use crate::policy::reason::Reason;

/// Where an act fails on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing has happened; the caller does not know.
    Before,
    /// Everything has happened; the answer is lost.
    After,
}

struct Entry {
    record: Option<(Record, Openings)>,
    leaf: Leaf,
    /// The tree's size when its batch was complete: what its receipt is proved against.
    batch_size: u64,
}

/// Every node of the tree, by level.
#[derive(Default)]
struct Nodes(Vec<Vec<Hash>>);

impl Nodes {
    fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.0.len() == level {
                self.0.push(Vec::new());
            }
            self.0[level].push(hash);
            let row = &self.0[level];
            if row.len() % 2 == 1 {
                break;
            }
            hash = Hash::node(&row[row.len() - 2], &row[row.len() - 1]);
        }
    }
}

impl NodeSource for Nodes {
    type Error = StoreError;

    fn node(&self, level: u32, index: u64) -> Result<Hash, StoreError> {
        let at = usize::try_from(index).ok();
        self.0
            .get(level as usize)
            .and_then(|row| at.and_then(|at| row.get(at)))
            .copied()
            .ok_or_else(|| StoreError::Damaged { place: "a node of the tree in memory".into() })
    }
}

struct Inner {
    state: State,
    entries: Vec<Entry>,
    nodes: Nodes,
    contents: HashMap<u64, Content>,
    failures: Vec<Failure>,
    stopped: bool,
    /// Below it, only holds keep records.
    erased_below: u64,
}

/// The reference store.
pub struct MemoryStore {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    origin: Origin,
    signer: LogSigner,
    durable: watch::Sender<u64>,
}

impl MemoryStore {
    /// An empty store whose log is signed by `signer` under the signer's name.
    #[must_use]
    pub fn new(origin: Origin, signer: LogSigner, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let store = Self {
            inner: Mutex::new(Inner {
                state: State::new(random_32(&*entropy)),
                entries: Vec::new(),
                nodes: Nodes::default(),
                contents: HashMap::new(),
                failures: Vec::new(),
                stopped: false,
                erased_below: 0,
            }),
            clock,
            entropy,
            durable: watch::Sender::new(0),
            signer,
            origin,
        };
        let opened = Event::LogOpened { origin: store.origin.as_str().to_owned(), previous_checkpoint: None };
        let mut inner = store.inner.lock();
        let at = inner.state.time_of_next(store.clock.now());
        store.append(&mut inner, vec![opened], at, Content::default());
        drop(inner);
        store
    }

    /// The next act fails there; several calls queue up.
    pub fn fail_next(&self, failure: Failure) {
        self.inner.lock().failures.insert(0, failure);
    }

    /// The signer of this store's log.
    #[must_use]
    pub const fn signer(&self) -> &LogSigner {
        &self.signer
    }

    /// The state as plain data, for comparison.
    #[must_use]
    pub fn snapshot(&self) -> super::state::Snapshot {
        self.inner.lock().state.snapshot()
    }

    fn append(&self, inner: &mut Inner, events: Vec<Event>, at: Timestamp, content: Content) {
        let batch_size = inner.entries.len() as u64 + events.len() as u64;
        for event in events {
            let index = inner.entries.len() as u64;
            let record = Record::of(&event, at);
            let openings = Openings::new(random_32(&*self.entropy), random_32(&*self.entropy));
            let leaf = evidence::leaf(&record, &openings);
            inner.nodes.push(leaf.hash());
            inner.entries.push(Entry { record: Some((record, openings)), leaf, batch_size });
            if event.acceptance().is_some() && !content.is_empty() {
                inner.contents.insert(index, content.clone());
            }
            for freed in inner.state.apply(event, index, at).freed {
                inner.contents.remove(&freed);
            }
        }
        self.durable.send_replace(batch_size);
    }

    fn head(&self, inner: &Inner, size: u64) -> Result<SignedCheckpoint, StoreError> {
        let damaged = || StoreError::Damaged { place: "the head of the log in memory".into() };
        let root = root_at(&inner.nodes, size).map_err(|_| damaged())?;
        let checkpoint = Checkpoint::new(self.origin.clone(), size, root).map_err(|_| damaged())?;
        checkpoint.sign(&self.signer).map_err(|_| damaged())
    }

    fn accepted(&self, inner: &Inner, index: u64) -> Result<Option<Accepted>, StoreError> {
        let Some(entry) = usize::try_from(index).ok().and_then(|at| inner.entries.get(at)) else { return Ok(None) };
        let Some((record, openings)) = &entry.record else { return Ok(None) };
        let head = self.head(inner, entry.batch_size)?;
        let receipt = evidence::receipt(record, openings, index, entry.batch_size, &inner.nodes, &head)
            .map_err(|_| StoreError::Damaged { place: format!("entry {index} of the log in memory") })?;
        Ok(Some(evidence::accepted(record, index, receipt)))
    }

    /// What the records say of an id that the state may have forgotten.
    fn search(inner: &Inner, permit: &Permit, submission: &Submission, now: Timestamp) -> Searched {
        let (sender, id) = (permit.caller().id(), submission.message_id);
        if !inner.state.may_have_forgotten(sender, id, now) {
            return Searched::Unknown;
        }
        let register = inner.state.register();
        let mut own = (0..).zip(&inner.entries).filter_map(|(index, entry)| {
            let (record, _) = entry.record.as_ref()?;
            let is_own = record.message_id == Some(id) && record.actor.as_ref().is_some_and(|actor| register.stands_for(sender, actor));
            Some(IdEntry { index, commit: record.content_commit.filter(|_| is_own)? })
        });
        let first = own.next();
        let same = |entry: &IdEntry| entry.commit == submission.commit;
        match first.as_ref().filter(|first| !same(first)).and_then(|_| own.find(same)).or(first) {
            Some(entry) => Searched::Accepted(entry),
            None => {
                let erased = usize::try_from(inner.erased_below).expect("an index below the length of a Vec fits usize");
                let kept = inner.entries.get(erased).and_then(|entry| entry.record.as_ref()).map(|(record, _)| record.time);
                let since = id.timestamp().plus_millis(-MESSAGE_ID_AHEAD_MAX_MILLIS);
                if erased == 0 || kept.is_some_and(|kept| kept <= since) { Searched::Never } else { Searched::Unknown }
            }
        }
    }

    fn try_act(&self, mut command: Command) -> Result<Outcome, StoreError> {
        let mut inner = self.inner.lock();
        if inner.stopped {
            return Err(StoreError::Stopped);
        }
        let failure = inner.failures.pop();
        if failure == Some(Failure::Before) {
            return Err(StoreError::Stopped);
        }
        let now = self.clock.now();
        let at = inner.state.time_of_next(now);
        if let Command::Submit { permit, submission } = &mut command {
            submission.searched = Self::search(&inner, permit, submission, now);
        }
        let decision = decide(&inner.state.view(&command), &command, now)?;
        let outcome = match decision {
            Decision::Duplicate { index } => Outcome::Accepted(self.accepted(&inner, index)?.ok_or(Denial::from(Reason::RecordErased))?),
            Decision::Events(events) => {
                let count = events.len();
                let accepts = events.first().is_some_and(|event| event.acceptance().is_some());
                let index = inner.entries.len() as u64;
                let content = match command {
                    Command::Submit { submission, .. } if accepts => submission.canonical,
                    _ => Content::default(),
                };
                self.append(&mut inner, events, at, content);
                if accepts {
                    Outcome::Accepted(self.accepted(&inner, index)?.ok_or(StoreError::Stopped)?)
                } else {
                    Outcome::Done { events: count }
                }
            }
        };
        if failure == Some(Failure::After) { Err(StoreError::Stopped) } else { Ok(outcome) }
    }
}

/// What a simulation tells the reference store of what the other store did.
#[cfg(test)]
impl MemoryStore {
    /// Entries so far.
    pub(crate) fn size(&self) -> u64 {
        self.inner.lock().entries.len() as u64
    }

    /// The entries from `first` on became durable in frames that ended at these sizes.
    pub(crate) fn batches(&self, first: u64, sizes: impl Iterator<Item = u64>) {
        let mut inner = self.inner.lock();
        let entries = inner.entries.iter_mut().skip(usize::try_from(first).unwrap());
        entries.zip(sizes).for_each(|(entry, size)| entry.batch_size = size);
    }

    /// A turn forgot the ids that are stale at `now`.
    pub(crate) fn forget_stale_ids(&self, now: Timestamp) {
        self.inner.lock().state.forget_stale_ids(now, u64::MAX);
    }

    /// Records below `index` were erased, but for those at `held`, which holds keep. Gives those that went.
    pub(crate) fn erase_below(&self, index: u64, held: &std::collections::BTreeSet<u64>) -> Vec<Record> {
        let mut inner = self.inner.lock();
        inner.erased_below = index;
        let below = (0..).zip(inner.entries.iter_mut().take(usize::try_from(index).unwrap()));
        let erased = below.filter(|(at, _)| !held.contains(at)).filter_map(|(_, entry)| entry.record.take());
        erased.map(|(record, _)| record).collect()
    }

    /// Whether the content of the message at `index` is still to be delivered.
    pub(crate) fn needs_content(&self, index: u64) -> bool {
        self.inner.lock().state.needs_content(index)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn act(&self, command: Command) -> Result<Outcome, StoreError> {
        self.try_act(command)
    }

    fn register(&self) -> Arc<Register> {
        Arc::clone(self.inner.lock().state.register())
    }

    fn now(&self) -> Timestamp {
        self.inner.lock().state.time_of_next(self.clock.now())
    }

    async fn waiting(&self, recipient: &ParticipantId, after: Option<ItemNumber>, max: usize) -> Result<Vec<Item>, StoreError> {
        Ok(self.inner.lock().state.waiting(recipient, after, max))
    }

    async fn content(&self, item: ItemNumber) -> Result<Option<Content>, StoreError> {
        let inner = self.inner.lock();
        let needed = !item.is_moved() && inner.state.needs_content(item.index());
        Ok(inner.contents.get(&item.index()).filter(|_| needed).cloned())
    }

    async fn unreadable_contents(&self, _items: &[ItemNumber]) -> Vec<(ItemNumber, StoreError)> {
        Vec::new()
    }

    async fn status(&self, sender: &ParticipantId, message_id: MessageId) -> Result<Option<StatusEntry>, StoreError> {
        Ok(self.inner.lock().state.status(sender, message_id))
    }

    async fn changes(&self, sender: &ParticipantId, after: Cursor, max: usize) -> Result<Vec<StatusEntry>, StoreError> {
        Ok(self.inner.lock().state.changes(sender, after, max))
    }

    async fn receipt(&self, sender: &ParticipantId, message_id: MessageId) -> Result<Option<Accepted>, StoreError> {
        let inner = self.inner.lock();
        match inner.state.index_of(sender, message_id) {
            Some(index) => self.accepted(&inner, index),
            None => {
                let register = inner.state.register();
                let own = |record: &Record| {
                    record.actor.as_ref().is_some_and(|actor| register.stands_for(sender, actor))
                        && record.message_id == Some(message_id)
                        && record.content_commit.is_some()
                };
                let found = inner.entries.iter().position(|entry| entry.record.as_ref().is_some_and(|(record, _)| own(record)));
                found.map_or(Ok(None), |index| self.accepted(&inner, index as u64))
            }
        }
    }

    async fn contact(&self, unit: &ParticipantId) -> Result<Option<Contact>, StoreError> {
        Ok(self.inner.lock().state.contact(unit).cloned())
    }

    async fn register_past(&self, next: &Register) -> Result<RegisterPast, StoreError> {
        Ok(self.inner.lock().state.register_past(next))
    }

    async fn due(&self, now: Timestamp, overdue_after: OverdueAfter, max: usize) -> Result<Due, StoreError> {
        Ok(self.inner.lock().state.due(now.min(self.clock.now()), overdue_after, max))
    }

    async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        Ok(self.inner.lock().state.holds())
    }

    async fn unreadable(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn held(&self, _: CaseRef) -> Result<Vec<u64>, StoreError> {
        Ok(Vec::new())
    }

    async fn hold_copy(&self, _: CaseRef) -> Result<HoldCopy, StoreError> {
        Ok(HoldCopy::Whole)
    }

    fn durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    async fn checkpoint(&self) -> Result<Bytes, StoreError> {
        let inner = self.inner.lock();
        Ok(Bytes::from(self.head(&inner, inner.entries.len() as u64)?.into_string()))
    }

    async fn records(&self, filter: &RecordFilter, max: usize) -> Result<Page, StoreError> {
        let inner = self.inner.lock();
        let end = filter.to_index.unwrap_or(u64::MAX).min(inner.entries.len() as u64);
        let mut page = Page { entries: Vec::new(), next_index: None, erased: 0, unreadable: Vec::new() };
        for index in filter.from_index..end {
            let entry = &inner.entries[usize::try_from(index).expect("an index below the length of a Vec fits usize")];
            let Some((record, _)) = &entry.record else {
                page.erased += 1;
                continue;
            };
            if !filter.matches(record) {
                continue;
            }
            // What is erased counts to the end of the range, however full the page is.
            match page.next_index {
                Some(_) => {}
                None if page.entries.len() == max => page.next_index = Some(index),
                None => page.entries.push(LogEntry { index, record: Some(record.clone()) }),
            }
        }
        Ok(page)
    }

    async fn prove(&self, index: u64) -> Result<Option<EntryProof>, StoreError> {
        let inner = self.inner.lock();
        let Some(entry) = usize::try_from(index).ok().and_then(|at| inner.entries.get(at)) else { return Ok(None) };
        let size = inner.entries.len() as u64;
        let head = self.head(&inner, size)?;
        evidence::entry_proof(entry.leaf, entry.record.clone(), index, size, &inner.nodes, &head)
            .map(Some)
            .map_err(|_| StoreError::Damaged { place: format!("entry {index} of the log in memory") })
    }

    async fn prove_for_sender(&self, index: u64) -> Result<Option<EntryProof>, StoreError> {
        let inner = self.inner.lock();
        let Some(entry) = usize::try_from(index).ok().and_then(|at| inner.entries.get(at)) else { return Ok(None) };
        let Some((record, openings)) = &entry.record else { return Ok(None) };
        let size = inner.entries.len() as u64;
        let proof = evidence::receipt(record, openings, index, size, &inner.nodes, &self.head(&inner, size)?)
            .map_err(|_| StoreError::Damaged { place: format!("entry {index} of the log in memory") })?;
        Ok(Some(EntryProof { index, leaf: *entry.leaf.as_bytes(), record: Some(record.clone()), unreadable: false, proof }))
    }

    async fn consistency(&self, old_size: u64, new_size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        let inner = self.inner.lock();
        if old_size > new_size || new_size > inner.entries.len() as u64 {
            return Ok(None);
        }
        consistency_proof(&inner.nodes, old_size, new_size)
            .map(Some)
            .map_err(|_| StoreError::Damaged { place: "a node of the tree in memory".into() })
    }

    async fn inclusion(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        let inner = self.inner.lock();
        if index >= size || size > inner.entries.len() as u64 {
            return Ok(None);
        }
        inclusion_proof(&inner.nodes, index, size)
            .map(Some)
            .map_err(|_| StoreError::Damaged { place: "a node of the tree in memory".into() })
    }

    async fn published(&self) -> Result<(Bytes, Checkpoint), StoreError> {
        let inner = self.inner.lock();
        let signed = self.head(&inner, inner.entries.len() as u64)?;
        let head = Checkpoint::open(signed.as_str(), self.signer.verifier());
        let head = head.map_err(|_| StoreError::Damaged { place: "the head of the log in memory".into() })?;
        Ok((Bytes::from(signed.into_string()), head))
    }

    async fn entries(&self, from: u64, to: u64) -> Result<Vec<OpenEntry>, StoreError> {
        let inner = self.inner.lock();
        let open = |(index, entry): (u64, &Entry)| OpenEntry {
            index,
            leaf: Some(entry.leaf),
            held: entry.record.clone().map_or(Held::Erased, |held| Held::Record(Box::new(held))),
        };
        let skip = usize::try_from(from).unwrap_or(usize::MAX);
        let count = usize::try_from(to.saturating_sub(from).min(ENTRIES_AT_ONCE)).unwrap_or(usize::MAX);
        Ok((from..).zip(inner.entries.iter().skip(skip).take(count)).map(open).collect())
    }

    async fn edge(&self, size: u64) -> Result<Option<Frontier>, StoreError> {
        Ok(Frontier::at(&self.inner.lock().nodes, size).ok())
    }

    async fn first_not_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        let inner = self.inner.lock();
        let from = usize::try_from(inner.erased_below).expect("an index below the length of a Vec fits usize");
        let is_late = |entry: &Entry| entry.record.as_ref().is_some_and(|(record, _)| record.time >= at);
        Ok(inner.entries[from..].iter().position(is_late).map_or(inner.entries.len(), |found| from + found) as u64)
    }

    async fn published_checkpoint(&self) -> Result<Bytes, StoreError> {
        self.checkpoint().await
    }

    async fn tile(&self, tile: TileId) -> Result<Option<Bytes>, StoreError> {
        let inner = self.inner.lock();
        let held = match tile.kind() {
            TileKind::Entries => inner.entries.len(),
            TileKind::Hashes(level) => inner.nodes.0.get(usize::from(level) * 8).map_or(0, Vec::len),
        };
        if tile.first() + u64::from(tile.width()) > held as u64 {
            return Ok(None);
        }
        if tile.kind() != TileKind::Entries {
            return Ok(hash_tile(&inner.nodes, tile)?.map(Bytes::from));
        }
        let first = usize::try_from(tile.first()).expect("an index below the length of a Vec fits usize");
        let mut bundle = Vec::new();
        for entry in &inner.entries[first..first + usize::from(tile.width())] {
            push_entry(&mut bundle, entry.leaf.as_bytes()).expect("a leaf is 33 bytes");
        }
        Ok(Some(bundle.into()))
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        let inner = self.inner.lock();
        let size = inner.entries.len() as u64;
        Ok(Stats { durable_size: size, published_size: size, ..inner.state.stats(self.clock.now()) })
    }

    async fn stop(&self) -> Result<(), StoreError> {
        let mut inner = self.inner.lock();
        if !inner.stopped {
            let at = inner.state.time_of_next(self.clock.now());
            self.append(&mut inner, vec![Event::Stopped], at, Content::default());
            inner.stopped = true;
        }
        Ok(())
    }
}
