//! The sequencer: one thread decides all acts in one order, applies them to the tentative state and fills the open frame.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use super::engine::{Engine, Head};
use super::frame::{Draft, JournalEntry};
use super::queue::{Input, Next, Reply, Rolled};
use super::records::Entry;
use crate::audit::event::Event;
use crate::audit::leaf::{Leaf, OpeningError, Openings, SenderOpening};
use crate::audit::record::Record;
use crate::clock::Draws;
use crate::domain::participant::Register;
use crate::domain::time::Timestamp;
use crate::policy::command::{self, Command};
use crate::policy::decide::{Decision, Random, decide};
use crate::store::state::State;
use crate::store::{StoreError, evidence};

/// Entries of one frame, about.
const FRAME_ENTRIES: usize = 4096;
/// Content of one frame in bytes, about.
const FRAME_CONTENT: usize = 8 * 1024 * 1024;
/// Acts decided under one hold of the lock.
const ACTS_AT_ONCE: usize = 128;

/// What an act led to, durable by the time it is read.
#[derive(Debug)]
pub enum Answer {
    /// Accepted now; the entry is at hand.
    Fresh {
        /// Its log index.
        index: u64,
        /// Its record and secrets.
        entry: Arc<Entry>,
        /// What its receipt opens, made with the leaf.
        opening: Result<SenderOpening, OpeningError>,
        /// The head its frame became durable under; the committer sets it.
        head: Option<Arc<Head>>,
    },
    /// Accepted before.
    Duplicate {
        /// Log index of the acceptance.
        index: u64,
    },
    /// So many events.
    Done {
        /// How many.
        events: usize,
    },
}

/// What is decided and not yet durable.
#[derive(Default)]
pub struct Frame {
    /// Events and content, as they will be sealed.
    pub draft: Draft,
    /// Log index of the first event.
    pub first: u64,
    /// Tree size after the last one.
    pub size: u64,
    /// The register in force after it, if it changed.
    pub register: Option<Arc<Register>>,
    /// Answers that wait for it.
    pub waiting: Vec<(Reply, Result<Answer, StoreError>)>,
    /// Close the file after it.
    pub roll: Option<SyncSender<Rolled>>,
}

impl Frame {
    pub(super) fn has_work(&self) -> bool {
        !self.draft.is_empty() || !self.waiting.is_empty() || self.roll.is_some()
    }

    /// How many more acts may be put into it.
    pub(super) fn takes(&self) -> usize {
        let full = self.roll.is_some()
            || self.draft.entries() >= FRAME_ENTRIES
            || self.draft.content_bytes() >= FRAME_CONTENT
            || self.waiting.len() >= FRAME_ENTRIES;
        if full { 0 } else { ACTS_AT_ONCE }
    }

    /// Takes over what was decided after what it holds.
    pub(super) fn absorb(&mut self, later: &mut Self) {
        if !self.has_work() {
            std::mem::swap(self, later);
            return;
        }
        if !later.draft.is_empty() {
            if self.draft.is_empty() {
                self.first = later.first;
            }
            self.size = later.size;
        }
        self.draft.absorb(&mut later.draft);
        self.register = later.register.take().or_else(|| self.register.take());
        self.waiting.append(&mut later.waiting);
        self.roll = later.roll.take();
    }
}

/// State and log as decided, durable or not yet.
pub struct Core {
    /// Cases, mailboxes, ids.
    pub state: State,
    /// Tree size.
    pub size: u64,
    /// Log index of the first entry in `tail`.
    pub tail_first: u64,
    /// Entries whose records are not in a file yet.
    pub tail: VecDeque<Arc<Entry>>,
}

impl Core {
    /// The entry at `index`, if it is in the tail.
    #[must_use]
    pub fn entry(&self, index: u64) -> Option<Arc<Entry>> {
        let at = usize::try_from(index.checked_sub(self.tail_first)?).ok()?;
        self.tail.get(at).cloned()
    }

    /// A turn has written what stands below `size` into files.
    pub fn trim(&mut self, size: u64) {
        while self.tail_first < size && self.tail.pop_front().is_some() {
            self.tail_first += 1;
        }
    }
}

/// Runs until the queue ends or breaks.
pub fn run(engine: &Engine) {
    let mut decided = Frame::default();
    let mut draws = Draws::new(engine.entropy.as_ref());
    loop {
        match engine.queue.next() {
            Next::Work(inputs) => {
                decide_all(engine, &mut draws, &mut decided, inputs);
                engine.queue.hand(&mut decided);
            }
            Next::End => {
                engine.queue.all_is_decided();
                return;
            }
            Next::Broken => return,
        }
    }
}

/// Decides `inputs` in their order and puts what follows into `frame`, and its leaves into the tree.
pub(super) fn decide_all(engine: &Engine, draws: &mut Draws<'_>, frame: &mut Frame, inputs: Vec<Input>) {
    let now = engine.clock.now();
    let full = engine.disk_is_full.load(Ordering::Relaxed);
    let mut effects = Effects::default();
    {
        let mut core = engine.core.lock();
        for input in inputs {
            match input {
                Input::Act(command, reply) => {
                    let answer = act(draws, &mut core, frame, command, now, full, &mut effects);
                    frame.waiting.push((reply, answer));
                }
                Input::Roll(reply) => frame.roll = Some(reply),
            }
        }
        engine.last_time.store(core.state.last_time().millis(), Ordering::Release);
        if !effects.stored.is_empty() || !effects.freed.is_empty() {
            let mut contents = engine.contents.lock();
            effects.stored.iter().for_each(|index| contents.announce(*index));
            effects.freed.iter().for_each(|index| contents.remove(*index));
            engine.freed.fetch_add(effects.freed.len() as u64, Ordering::Relaxed);
        }
    }
    if !effects.leaves.is_empty() {
        // While the frame before is being synced: what follows its sync waits for no hashing.
        let mut nodes = engine.nodes.write();
        effects.leaves.iter().for_each(|leaf| nodes.push(leaf.hash()));
        drop(nodes);
        engine.unpublished.lock().append(&mut effects.leaves);
    }
}

/// What acts change outside the state.
#[derive(Default)]
struct Effects {
    leaves: VecDeque<Leaf>,
    /// Log indices of messages whose content is in the frame.
    stored: Vec<u64>,
    /// Log indices of messages whose content is no longer needed.
    freed: Vec<u64>,
}

/// Whether the act stores a new message; everything else goes on when the disk is nearly full.
fn fills(command: &Command) -> bool {
    matches!(command, Command::Submit { submission, .. } if !matches!(submission.body, command::Body::Withdrawal(_)) && !submission.validate_only)
}

fn act(
    draws: &mut Draws<'_>,
    core: &mut Core,
    frame: &mut Frame,
    command: Command,
    now: Timestamp,
    full: bool,
    effects: &mut Effects,
) -> Result<Answer, StoreError> {
    let at = core.state.time_of_next(now);
    let random = match command {
        Command::Submit { .. } => Random { case: draws.take(), requisition: draws.take() },
        _ => Random { case: [0; 10], requisition: [0; 10] },
    };
    let events = match decide(&core.state.view(&command), &command, at, &random)? {
        Decision::Duplicate { index } => return Ok(Answer::Duplicate { index }),
        Decision::Events(events) => events,
    };
    let count = events.len();
    let accepts = events.first().is_some_and(|event| event.acceptance().is_some());
    // Only what would be stored: a retry has its first receipt on a full disk, too.
    if full && accepts && fills(&command) {
        return Err(StoreError::Full);
    }
    let index = core.size;
    if let Command::Submit { submission, .. } = command
        && accepts
        && !submission.canonical.is_empty()
    {
        frame.draft.push_content(submission.canonical);
        effects.stored.push(index);
    }
    let mut first = None;
    for event in events {
        let appended = append(draws, core, frame, event, at, effects);
        first.get_or_insert(appended);
    }
    match first {
        Some((entry, opening)) if accepts => Ok(Answer::Fresh { index, entry, opening, head: None }),
        _ => Ok(Answer::Done { events: count }),
    }
}

fn append(
    draws: &mut Draws<'_>,
    core: &mut Core,
    frame: &mut Frame,
    event: Event,
    at: Timestamp,
    effects: &mut Effects,
) -> (Arc<Entry>, Result<SenderOpening, OpeningError>) {
    let index = core.size;
    if frame.draft.is_empty() {
        frame.first = index;
    }
    let (r, r2) = (draws.take(), draws.take());
    let entry = Arc::new(Entry { record: Record::of(&event, at), openings: Openings::new(r, r2) });
    let (leaf, opening) = evidence::leaf_and_opening(&entry.record, &entry.openings);
    effects.leaves.push_back(leaf);
    effects.freed.extend(core.state.apply(&event, index, at).freed);
    if matches!(event, Event::RegisterLoaded { .. } | Event::ScopesLoaded { .. }) {
        frame.register = Some(Arc::clone(core.state.register()));
    }
    core.tail.push_back(Arc::clone(&entry));
    core.size = index + 1;
    frame.size = core.size;
    frame.draft.push(&JournalEntry { event, time: at, r, r2 });
    (entry, opening)
}
