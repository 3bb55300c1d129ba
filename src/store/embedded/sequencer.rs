//! The sequencer: one thread decides all acts in one order, applies them to the tentative state and fills the open frame.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use super::engine::{Engine, Head};
use super::frame::{Draft, JournalEntry};
use super::queue::{Input, Next, Reply, Rolled};
use crate::audit::event::Event;
use crate::audit::leaf::{Leaf, OpeningError, Openings, SenderOpening};
use crate::audit::record::Record;
use crate::clock::Draws;
use crate::domain::participant::Register;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::policy::command::{self, Command};
use crate::policy::decide::{Decision, decide};
use crate::store::StoreError;
use crate::store::evidence::{self, Told};
use crate::store::state::State;

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
        /// What its sender is told besides the receipt.
        told: Told,
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

    /// Empties it and keeps its room.
    pub(super) fn clear(&mut self) {
        self.draft.clear();
        self.register = None;
        self.waiting.clear();
        self.roll = None;
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
}

/// What the sequencer uses again and again.
pub struct Desk<'e> {
    draws: Draws<'e>,
    /// The acts of one round.
    pub(super) inputs: Vec<Input>,
    effects: Effects,
    /// The gateway's part of a record, for its hashing.
    text: Vec<u8>,
}

impl<'e> Desk<'e> {
    /// An empty one.
    pub(super) fn new(draws: Draws<'e>) -> Self {
        Self { draws, inputs: Vec::new(), effects: Effects::default(), text: Vec::new() }
    }
}

/// Runs until the queue ends or breaks.
pub fn run(engine: &Engine) {
    let mut decided = Frame::default();
    let mut desk = Desk::new(Draws::new(engine.entropy.as_ref()));
    loop {
        match engine.queue.next(&mut desk.inputs) {
            Next::Work => {
                let lag = || engine.core.lock().size.saturating_sub(engine.published.load(Ordering::SeqCst));
                engine.publishing.let_follow(lag, || engine.is_ending());
                decide_all(engine, &mut desk, &mut decided);
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

/// Decides the inputs on `desk` in their order and puts what follows into `frame`, and its leaves into the tree.
pub(super) fn decide_all(engine: &Engine, desk: &mut Desk<'_>, frame: &mut Frame) {
    let now = engine.clock.now();
    let full = engine.disk_is_full.load(Ordering::Relaxed);
    let published = engine.published.load(Ordering::SeqCst);
    {
        let mut core = engine.core.lock();
        let mut inputs = std::mem::take(&mut desk.inputs);
        for input in inputs.drain(..) {
            match input {
                Input::Act(command, reply) => {
                    let is_behind = engine.publishing.is_behind(core.size, published);
                    let answer = act(desk, &mut core, frame, command, now, Room { full, is_behind });
                    frame.waiting.push((reply, answer));
                }
                Input::Roll(reply) => frame.roll = Some(reply),
            }
        }
        desk.inputs = inputs;
        // All that is in the frame which closes the file, and no more: it takes nothing after this.
        if frame.roll.is_some() && engine.takes_state.load(Ordering::SeqCst) {
            *engine.taken_state.lock() = Some((core.size, core.state.snapshot()));
        }
        engine.last_time.store(core.state.last_time().millis(), Ordering::Release);
        let effects = &mut desk.effects;
        if !effects.stored.is_empty() || !effects.freed.is_empty() {
            let mut contents = engine.contents.lock();
            engine.freed.fetch_add(effects.freed.len() as u64, Ordering::Relaxed);
            effects.stored.drain(..).for_each(|index| contents.announce(index));
            effects.freed.drain(..).for_each(|index| contents.remove(index));
        }
    }
    let leaves = &mut desk.effects.leaves;
    if !leaves.is_empty() {
        // While the frame before is being synced: what follows its sync waits for no hashing.
        let mut nodes = engine.nodes.write();
        leaves.iter().for_each(|leaf| nodes.push(leaf.hash()));
        drop(nodes);
        engine.unpublished.lock().extend(leaves.drain(..));
    }
}

/// What acts change outside the state.
#[derive(Default)]
struct Effects {
    leaves: Vec<Leaf>,
    /// Log indices of messages whose content is in the frame.
    stored: Vec<u64>,
    /// Log indices of messages whose content is no longer needed.
    freed: Vec<u64>,
}

/// What there is room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// The disk is nearly full.
    full: bool,
    /// Too much is unpublished.
    is_behind: bool,
}

/// Whether the act stores a new message; everything else goes on when the disk is nearly full.
fn fills(command: &Command) -> bool {
    matches!(command, Command::Submit { submission, .. } if !matches!(submission.body, command::Body::Withdrawal(_)) && !submission.validate_only)
}

fn act(
    desk: &mut Desk<'_>,
    core: &mut Core,
    frame: &mut Frame,
    command: Command,
    now: Timestamp,
    room: Room,
) -> Result<Answer, StoreError> {
    let at = core.state.time_of_next(now);
    let events = match decide(&core.state.view(&command), &command, now)? {
        Decision::Duplicate { index } => return Ok(Answer::Duplicate { index }),
        Decision::Events(events) => events,
    };
    let count = events.len();
    let accepts = events.first().is_some_and(|event| event.acceptance().is_some());
    // Only what would be stored: a retry has its first receipt on a full disk, too.
    if room.full && accepts && fills(&command) {
        return Err(StoreError::Full);
    }
    // Whatever has an item number stands within what a recovery would leave free.
    if accepts && room.is_behind {
        return Err(StoreError::Busy);
    }
    let index = core.size;
    if let Command::Submit { submission, .. } = command
        && accepts
        && !submission.canonical.is_empty()
    {
        frame.draft.push_content(submission.canonical);
        desk.effects.stored.push(index);
    }
    let mut first = None;
    for event in events {
        let appended = append(desk, core, frame, event, at);
        first.get_or_insert(appended);
    }
    match first {
        Some((told, opening)) if accepts => Ok(Answer::Fresh { index, told, opening, head: None }),
        _ => Ok(Answer::Done { events: count }),
    }
}

fn append(
    desk: &mut Desk<'_>,
    core: &mut Core,
    frame: &mut Frame,
    event: Event,
    at: Timestamp,
) -> (Told, Result<SenderOpening, OpeningError>) {
    let index = core.size;
    if frame.draft.is_empty() {
        frame.first = index;
    }
    let (r, r2) = (desk.draws.take(), desk.draws.take());
    let record = Record::of(&event, at);
    let (leaf, opening) = evidence::leaf_and_opening(&record, &Openings::new(r, r2), &mut desk.text);
    desk.effects.leaves.push(leaf);
    let journaled = JournalEntry { event, time: at, r: Secret::new(r), r2: Secret::new(r2) };
    frame.draft.push(&journaled);
    let event = journaled.event;
    let changes_register = matches!(event, Event::RegisterLoaded { .. } | Event::ScopesLoaded { .. });
    desk.effects.freed.append(&mut core.state.apply(event, index, at).freed);
    if changes_register {
        frame.register = Some(Arc::clone(core.state.register()));
    }
    core.size = index + 1;
    frame.size = core.size;
    (Told::of(&record), opening)
}
