//! Both stores under one clock and one seed, what a client knows of them, and what a start after a crash must find.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::super::super::disk::Disk;
use super::super::super::records::Slot;
use super::super::super::{EmbeddedStore, OpenError, Options, by_hand};
use super::super::sim_disk::{Dice, SimDisk};
use super::super::{options, origin, signer};
use super::act::{Act, Letter};
use crate::audit::event::{Event, ItemNumber};
use crate::audit::tree::Hash;
use crate::clock::{Clock as _, Entropy, MockClock, SeededEntropy};
use crate::domain::hold::last_lawful_day;
use crate::domain::id::{CaseRef, RequisitionId};
use crate::domain::participant::Register;
use crate::domain::time::{Timestamp, plus_months};
use crate::policy::reason::Reason;
use crate::store::contract::case_bed::{id, noon};
use crate::store::memory::MemoryStore;
use crate::store::state::Snapshot;
use crate::store::{Accepted, Outcome, Store, StoreError};

/// What a check finds wrong, or nothing.
pub type Checked<T = ()> = Result<T, String>;

macro_rules! check {
    ($holds:expr, $($what:tt)+) => { if !$holds { return Err(format!($($what)+)); } };
}
pub(super) use check;

const KEEP_MONTHS: u32 = 13;
/// Starts that may fail by an armed fault, one after the other.
const STARTS_MAX: usize = 8;

/// References come from one stream and everything else from another, so that both stores mint the same references.
pub struct TwoStreams {
    references: AtomicU64,
    others: SeededEntropy,
    /// For the reference store: the openings that the other store drew.
    script: Option<Mutex<VecDeque<[u8; 32]>>>,
}

impl TwoStreams {
    fn new(seed: u64, scripted: bool) -> Arc<Self> {
        Arc::new(Self { references: AtomicU64::new(0), others: SeededEntropy::new(seed), script: scripted.then(Mutex::default) })
    }
}

impl Entropy for TwoStreams {
    fn fill(&self, out: &mut [u8]) {
        if out.len() == 10 {
            let n = self.references.fetch_add(1, Ordering::SeqCst);
            let mut dice = Dice::new(n);
            out.iter_mut().for_each(|byte| *byte = dice.next() as u8);
            return;
        }
        match &self.script {
            Some(script) => out.copy_from_slice(&script.lock().pop_front().unwrap_or([0xee; 32])),
            None => self.others.fill(out),
        }
    }
}

/// A message that was sent, as its sender knows it.
pub struct Sent {
    pub letter: Letter,
    pub accepted: Option<Accepted>,
}

/// What an act was answered, comparable.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Accepted(Accepted),
    Done(usize),
    Denied(Reason),
    Damaged,
    Full,
}

pub struct World {
    pub disk: SimDisk,
    pub clock: Arc<MockClock>,
    pub store: Option<Arc<EmbeddedStore>>,
    pub memory: Option<Arc<MemoryStore>>,
    entropy: Arc<TwoStreams>,
    script: Arc<TwoStreams>,
    runtime: tokio::runtime::Runtime,
    fatal: Arc<Mutex<Vec<String>>>,
    /// Acts that were put to the store and not answered.
    pending: Vec<Act>,
    /// When a turn may have forgotten ids and months.
    turned_at: Option<Timestamp>,
    pub cut_with_the_process: bool,
    /// Whether the store that is gone took no new messages, which it looks for less often than the disk fills.
    was_full: bool,
    /// By how much the clock is wrong, as far as it was set.
    pub skew: i64,
    pub sent: Vec<Sent>,
    pub cases: Vec<CaseRef>,
    pub requisitions: Vec<RequisitionId>,
    pub heads: BTreeMap<u64, Hash>,
    pub acknowledged: BTreeSet<(&'static str, ItemNumber)>,
    pub ids: u64,
    /// How often each interesting thing happened.
    pub counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub fn new(seed: u64, disk: SimDisk) -> Self {
        Self {
            disk,
            clock: Arc::new(MockClock::new(noon())),
            store: None,
            memory: None,
            entropy: TwoStreams::new(seed, false),
            script: TwoStreams::new(seed, true),
            runtime: tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers"),
            fatal: Arc::default(),
            pending: Vec::new(),
            turned_at: None,
            cut_with_the_process: false,
            was_full: false,
            skew: 0,
            sent: Vec::new(),
            cases: Vec::new(),
            requisitions: Vec::new(),
            heads: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            ids: 0,
            counts: BTreeMap::new(),
        }
    }

    /// The reference store alone.
    pub fn pure(seed: u64) -> Self {
        let mut world = Self::new(seed, SimDisk::new(seed));
        let (clock, entropy) = (Arc::clone(&world.clock) as _, Arc::clone(&world.entropy) as Arc<dyn Entropy>);
        world.memory = Some(Arc::new(MemoryStore::new(origin(), signer(), clock, entropy)));
        world
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn store(&self) -> Arc<EmbeddedStore> {
        Arc::clone(self.store.as_ref().expect("the store is open between two steps"))
    }

    pub fn memory(&self) -> Arc<MemoryStore> {
        Arc::clone(self.memory.as_ref().expect("the first start made it"))
    }

    pub fn options(&self) -> Options {
        let mut options =
            options(Path::new("/var/samband/data"), Path::new("/var/samband-mark/high-water"), Arc::clone(&self.clock), &self.fatal);
        options.files = Arc::new(self.disk.clone()) as Arc<dyn Disk>;
        options.entropy = Arc::clone(&self.entropy) as Arc<dyn Entropy>;
        options.records_keep_months = KEEP_MONTHS;
        options.disk.low_water = 1 << 20;
        options.disk.reserve = 1 << 12;
        options
    }

    /// Whether the process ended by what happened, as it would have.
    pub fn has_ended(&self) -> bool {
        self.disk.is_dead() || !self.fatal.lock().is_empty()
    }

    /// The process is gone; the machine and the process start again, and what was answered must be there.
    pub fn start_again(&mut self) -> Checked {
        self.pending.extend(by_hand::noted().into_iter().map(Act::Note));
        if let Some(store) = &self.store {
            self.was_full = store.disk_is_full();
        }
        for attempt in 0..STARTS_MAX {
            self.disk.crash(std::mem::take(&mut self.cut_with_the_process));
            // What the dying process still did reached no disk.
            self.store = None;
            self.fatal.lock().clear();
            self.disk.restart();
            match by_hand::open(self.options()) {
                Ok(store) if !self.has_ended() => {
                    self.store = Some(store);
                    self.pending.extend(by_hand::noted().into_iter().map(Act::Note));
                    self.count("starts");
                    return self.catch_up();
                }
                Ok(_) => {}
                Err(error) => {
                    let injected = self.disk.fired().is_some() && matches!(error, OpenError::Io { .. } | OpenError::Stopped);
                    check!(injected, "start {attempt}: {error}");
                    self.count("starts that failed by an injected fault");
                }
            }
            self.pending.extend(by_hand::noted().into_iter().map(Act::Note));
            self.disk.disarm();
        }
        Err("the store does not start although nothing fails any more".into())
    }

    fn slots(&self, from: u64) -> Checked<Vec<Slot>> {
        let store = self.store();
        let size = store.engine.head.load().size;
        self.disk.aside(|| {
            (from..size)
                .map(|index| store.engine.slot(index).map_err(|error| error.to_string())?.ok_or(format!("no record at {index}")))
                .collect()
        })
    }

    /// Lets the reference store do what the other one did, as its log shows it, and compares.
    fn catch_up(&mut self) -> Checked {
        let done = self.memory.as_ref().map_or(0, |memory| memory.size());
        let size = self.store().engine.head.load().size;
        check!(size >= done, "{done} entries were answered for, {size} are there after the start");
        let slots = self.slots(done)?;
        let mut next = slots.iter().map(|slot| slot.entry.record.clone()).collect::<VecDeque<_>>();
        if self.memory.is_none() {
            let subject_key = *self.store().engine.subject_key;
            self.script.script.as_ref().expect("the script is one").lock().push_back(subject_key);
            self.feed(&slots);
            self.memory = Some(Arc::new(MemoryStore::new(
                origin(),
                signer(),
                Arc::clone(&self.clock) as _,
                Arc::clone(&self.script) as Arc<dyn Entropy>,
            )));
            next.pop_front();
            self.pending.retain(|act| !matches!(act, Act::Note(Event::LogOpened { .. })));
        } else {
            self.feed(&slots);
        }
        let is_note = |kind: u16| [1, 2, 3, 30, 31, 32].contains(&kind);
        let register = self.memory().register();
        for act in std::mem::take(&mut self.pending) {
            let Some(record) = next.front() else { break };
            let survived = match &act {
                Act::Note(event) => {
                    let expected = crate::audit::record::Record::of(event, record.time);
                    expected == *record
                }
                // A full disk took what drains and nothing else: such a message left no record.
                Act::Submit(letter) if self.was_full && act.fills() => record.message_id == Some(letter.message_id),
                _ => !is_note(record.kind),
            };
            if survived {
                let before = self.memory().size();
                let _ = self.act_on_memory(&act, &register);
                (before..self.memory().size()).for_each(|_| drop(next.pop_front()));
                self.count("unanswered acts that were durable");
            }
        }
        check!(next.is_empty(), "entries that nobody put there: {next:?}");
        // What was drawn for acts that the crash took is not drawn again.
        self.script.references.store(self.entropy.references.load(Ordering::SeqCst), Ordering::SeqCst);
        self.settle(done, &slots)
    }

    /// Gives the reference store the openings that the other store drew.
    fn feed(&self, slots: &[Slot]) {
        let mut script = self.script.script.as_ref().expect("the script is one").lock();
        for slot in slots {
            script.extend([*slot.entry.openings.r(), *slot.entry.openings.r2()]);
        }
    }

    /// Compares what both hold, after the entries from `from` on.
    fn settle(&mut self, from: u64, slots: &[Slot]) -> Checked {
        let (store, memory) = (self.store(), self.memory());
        memory.batches(from, slots.iter().map(|slot| slot.batch));
        check!(memory.size() == from + slots.len() as u64, "the stores have {} and {} entries", memory.size(), from + slots.len() as u64);
        self.mirror_erasure()?;
        if store.snapshot() != memory.snapshot()
            && let Some(at) = self.turned_at
        {
            memory.forget_stale_ids(at);
        }
        check!(store.snapshot() == memory.snapshot(), "the states differ: {}", difference(&store.snapshot(), &memory.snapshot()));
        let (ours, theirs) = (self.wait(store.checkpoint()), self.wait(memory.checkpoint()));
        check!(ours == theirs, "the heads differ: {ours:?} {theirs:?}");
        let head = store.engine.head.load();
        let known = *self.heads.entry(head.size).or_insert(head.root);
        check!(known == head.root, "a second root for {} entries", head.size);
        Ok(())
    }

    /// Months whose records a turn erased are erased in the reference store too, if they had lived long enough.
    fn mirror_erasure(&mut self) -> Checked {
        let store = self.store();
        let kept = store.engine.archive.load().first_kept().unwrap_or_else(|| store.engine.tail.lock().first());
        let held: BTreeSet<u64> = store.engine.archive.load().held().between(0, kept).collect();
        let erased = self.memory().erase_below(kept, &held);
        let Some(newest) = erased.iter().map(|record| record.time).max() else { return Ok(()) };
        let today = self.turned_at.ok_or("records are erased although nothing was turned over")?.oslo_date();
        let first = crate::store::embedded::records::month_of(newest);
        check!(plus_months(first, KEEP_MONTHS as i32 + 1) <= today, "records of {first} were erased on {today}");
        let holds: BTreeSet<Option<CaseRef>> = self.memory().snapshot().later.holds.iter().map(|hold| Some(hold.case.case_ref)).collect();
        let mut lost = erased.iter().filter(|record| holds.contains(&record.case_ref));
        let lost = lost.find(|record| last_lawful_day(record.time.oslo_date()) >= today);
        check!(lost.is_none(), "a record of a held case was erased on {today}: {lost:?}");
        if !held.is_empty() {
            self.count("erasures beside a hold");
        }
        self.count("erasures of records");
        Ok(())
    }

    /// Permitted under `register`, which was in force when the other store was asked.
    fn act_on_memory(&mut self, act: &Act, register: &Register) -> Answer {
        let memory = self.memory();
        // Only submissions draw references in the other store.
        let drawn = self.script.references.load(Ordering::SeqCst);
        let command = match act.command(register) {
            Ok(command) => command,
            Err(reason) => return Answer::Denied(reason),
        };
        let answer = comparable(self.wait(memory.act(command)));
        if !matches!(act, Act::Submit(_)) {
            self.script.references.store(drawn, Ordering::SeqCst);
        }
        answer
    }

    /// Puts acts to both stores, as one frame when they are several, and compares the answers.
    pub fn act(&mut self, acts: Vec<Act>) -> Checked<Vec<Answer>> {
        let store = self.store();
        let from = self.memory().size();
        let register = store.register();
        let mut commands = Vec::new();
        let mut asked = Vec::new();
        // What is refused before it is asked, with its place among the acts.
        let mut refused = Vec::new();
        for (place, act) in acts.into_iter().enumerate() {
            match act.command(&register) {
                Ok(command) => {
                    commands.push(command);
                    asked.push(act);
                }
                Err(reason) => refused.push((place, Answer::Denied(reason))),
            }
        }
        let answers = self.wait(async {
            if commands.len() == 1 {
                return vec![store.act(commands.remove(0)).await];
            }
            by_hand::gather(&store.engine);
            let acts = futures_util::future::join_all(commands.into_iter().map(|command| store.act(command)));
            futures_util::future::join(acts, async { by_hand::commit_gathered(&store.engine) }).await.0
        });
        if self.has_ended() {
            self.pending.extend(asked);
            drop(store);
            self.count("commits that ended the process");
            self.start_again()?;
            return Ok(Vec::new());
        }
        drop(by_hand::noted());
        let slots = self.slots(from)?;
        self.feed(&slots);
        let mut compared = Vec::new();
        for (act, answer) in asked.iter().zip(answers) {
            let ours = comparable(answer);
            if ours == Answer::Full && act.fills() && store.disk_is_full() {
                compared.push(ours);
                continue;
            }
            let theirs = self.act_on_memory(act, &register);
            if ours == Answer::Damaged && self.disk.fired().is_some() {
                // What was accepted before could not be read just now; it is asked for again later.
                compared.push(ours);
                continue;
            }
            compared.push(theirs);
            let theirs = compared.last().expect("one was just pushed");
            let same = match (&ours, theirs) {
                // The receipts are compared below, under the frame's head.
                (Answer::Accepted(ours), Answer::Accepted(theirs)) => ours.index == theirs.index,
                (ours, theirs) => ours == theirs,
            };
            check!(same, "{act:?} is answered {ours:?} and {theirs:?}");
            if let (Answer::Accepted(accepted), Act::Submit(letter)) = (&ours, act) {
                self.accepted(letter, accepted)?;
                *compared.last_mut().expect("one was just pushed") = ours;
            }
        }
        // References drawn and not used would shift those to come.
        self.script.references.store(self.entropy.references.load(Ordering::SeqCst), Ordering::SeqCst);
        self.settle(from, &slots)?;
        for (act, answer) in asked.iter().zip(&compared) {
            if let (Act::Submit(letter), Answer::Accepted(ours)) = (act, answer) {
                let theirs = self.wait(self.memory().receipt(&id(letter.who), letter.message_id));
                check!(theirs.as_ref() == Ok(&Some(ours.clone())), "the receipts of {} differ", letter.message_id);
            }
        }
        for (place, answer) in refused {
            compared.insert(place, answer);
        }
        Ok(compared)
    }

    /// A sender has a receipt: the same as before, if it had one.
    fn accepted(&mut self, letter: &Letter, accepted: &Accepted) -> Checked {
        self.cases.extend(accepted.case_ref.filter(|case| !self.cases.contains(case)));
        self.requisitions.extend(accepted.requisition_id.filter(|one| !self.requisitions.contains(one)));
        match self.sent.iter_mut().find(|sent| sent.letter.who == letter.who && sent.letter.message_id == letter.message_id) {
            Some(Sent { accepted: Some(first), .. }) => {
                check!(first == accepted, "the second receipt of {} is another one", letter.message_id);
            }
            Some(sent) => sent.accepted = Some(accepted.clone()),
            None => self.sent.push(Sent { letter: letter.clone(), accepted: Some(accepted.clone()) }),
        }
        Ok(())
    }

    /// Something besides an act that may end the process: its own notes are known by the log.
    pub fn by_itself<T>(&mut self, work: impl FnOnce(&Arc<EmbeddedStore>) -> T) -> Checked<Option<T>> {
        let store = self.store();
        let from = self.memory().size();
        let done = work(&store);
        drop(store);
        if self.has_ended() {
            self.start_again()?;
            return Ok(None);
        }
        self.pending.extend(by_hand::noted().into_iter().map(Act::Note));
        debug_assert!(from <= self.memory().size());
        self.catch_up()?;
        self.pending.clear();
        Ok(Some(done))
    }

    pub fn turning(&mut self) {
        let last = self.store().engine.core.lock().state.last_time();
        self.turned_at = Some(last.min(self.clock.now()));
    }
}

/// The lines that only one of two has.
fn difference(ours: &Snapshot, theirs: &Snapshot) -> String {
    let (ours, theirs) = (format!("{ours:#?}"), format!("{theirs:#?}"));
    let differing = ours.lines().zip(theirs.lines()).enumerate().filter(|(_, (ours, theirs))| ours != theirs);
    differing.take(12).map(|(line, (ours, theirs))| format!("\n{line}: {} | {}", ours.trim(), theirs.trim())).collect()
}

/// What is compared of an answer: where damage lies is the disk's business.
pub fn comparable(answer: Result<Outcome, StoreError>) -> Answer {
    match answer {
        Ok(Outcome::Accepted(accepted)) => Answer::Accepted(accepted),
        Ok(Outcome::Done { events }) => Answer::Done(events),
        Err(StoreError::Denied(denial)) => Answer::Denied(denial.reason),
        Err(StoreError::Full) => Answer::Full,
        Err(StoreError::Damaged { .. } | StoreError::Stopped | StoreError::Busy) => Answer::Damaged,
    }
}
