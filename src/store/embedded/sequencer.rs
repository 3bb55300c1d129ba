//! The sequencer: one thread decides all acts in one order, applies them to the tentative state and fills the open frame.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use super::engine::{Engine, Head};
use super::frame::{Body, JournalEntry};
use super::queue::{Input, Next, Reply, Rolled};
use super::records::{Entry, Slot};
use crate::audit::event::Event;
use crate::audit::leaf::{Leaf, OpeningError, Openings, SenderOpening};
use crate::audit::record::Record;
use crate::audit::tree::Hash;
use crate::clock::Draws;
use crate::domain::participant::Register;
use crate::domain::sensitive::Content;
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
    /// Events, with their secrets.
    pub body: Body,
    /// Content, in the order of `body.contents`.
    pub contents: Vec<Content>,
    /// Log index of the first event.
    pub first: u64,
    /// Tree size after the last one.
    pub size: u64,
    /// Root after the last one.
    pub root: Option<Hash>,
    /// The register in force after it, if it changed.
    pub register: Option<Arc<Register>>,
    /// Answers that wait for it.
    pub waiting: Vec<(Reply, Result<Answer, StoreError>)>,
    /// Close the file after it.
    pub roll: Option<SyncSender<Rolled>>,
    leaves: Vec<Leaf>,
    content_bytes: usize,
}

impl Frame {
    /// An empty one with room for as much as `self` had.
    fn next(&self) -> Self {
        let body = Body { entries: Vec::with_capacity(self.body.entries.len()), contents: Vec::with_capacity(self.body.contents.len()) };
        Self {
            body,
            contents: Vec::with_capacity(self.contents.len()),
            waiting: Vec::with_capacity(self.waiting.len()),
            leaves: Vec::with_capacity(self.leaves.len()),
            ..Self::default()
        }
    }

    pub(super) fn has_work(&self) -> bool {
        !self.body.entries.is_empty() || !self.waiting.is_empty() || self.roll.is_some()
    }

    /// How many more acts may be put into it.
    pub(super) fn takes(&self) -> usize {
        let full = self.roll.is_some()
            || self.body.entries.len() >= FRAME_ENTRIES
            || self.content_bytes >= FRAME_CONTENT
            || self.waiting.len() >= FRAME_ENTRIES;
        if full { 0 } else { ACTS_AT_ONCE }
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
    /// Tree sizes at the ends of frames of the tail.
    pub frame_ends: VecDeque<u64>,
}

impl Core {
    /// The entry at `index`, if it is in the tail and its frame is closed.
    #[must_use]
    pub fn slot(&self, index: u64) -> Option<Slot> {
        let at = usize::try_from(index.checked_sub(self.tail_first)?).ok()?;
        let entry = self.tail.get(at)?;
        let batch = *self.frame_ends.get(self.frame_ends.partition_point(|end| *end <= index))?;
        Some(Slot { entry: entry.as_ref().clone(), batch })
    }

    /// A turn has written what stands below `size` into files.
    pub fn trim(&mut self, size: u64) {
        while self.tail_first < size && self.tail.pop_front().is_some() {
            self.tail_first += 1;
        }
        while self.frame_ends.front().is_some_and(|end| *end <= size) {
            self.frame_ends.pop_front();
        }
    }
}

/// Runs until the queue ends or breaks.
pub fn run(engine: &Engine, frames: &SyncSender<Frame>) {
    let mut frame = Frame::default();
    let mut draws = Draws::new(engine.entropy.as_ref());
    loop {
        match engine.queue.next(frame.has_work(), frame.takes()) {
            Next::Work { inputs, committer_is_free } => {
                if !inputs.is_empty() {
                    decide_all(engine, &mut draws, &mut frame, inputs);
                }
                if committer_is_free && frame.has_work() {
                    let next = frame.next();
                    let mut closed = std::mem::replace(&mut frame, next);
                    close(engine, &mut closed);
                    engine.queue.committer_is_busy();
                    if frames.send(closed).is_err() {
                        return;
                    }
                }
            }
            Next::End | Next::Broken => return,
        }
    }
}

/// Puts the frame's leaves into the tree; its size and root stand from here on.
pub(super) fn close(engine: &Engine, frame: &mut Frame) {
    if frame.leaves.is_empty() {
        return;
    }
    {
        let mut nodes = engine.nodes.write();
        for leaf in &frame.leaves {
            nodes.push(leaf.hash());
        }
        frame.root = Some(nodes.root());
    }
    engine.unpublished.lock().extend(frame.leaves.drain(..));
    engine.core.lock().frame_ends.push_back(frame.size);
}

pub(super) fn decide_all(engine: &Engine, draws: &mut Draws<'_>, frame: &mut Frame, inputs: Vec<Input>) {
    let now = engine.clock.now();
    let full = engine.disk_is_full.load(Ordering::Relaxed);
    let mut freed = Vec::new();
    {
        let mut core = engine.core.lock();
        for input in inputs {
            match input {
                Input::Act(command, reply) if full && fills(&command) => {
                    frame.waiting.push((reply, Err(StoreError::Full)));
                }
                Input::Act(command, reply) => {
                    let answer = act(draws, &mut core, frame, command, now, &mut freed);
                    frame.waiting.push((reply, answer));
                }
                Input::Roll(reply) => frame.roll = Some(reply),
            }
        }
        engine.last_time.store(core.state.last_time().millis(), Ordering::Release);
        if !freed.is_empty() {
            let mut contents = engine.contents.lock();
            freed.iter().for_each(|index| contents.remove(*index));
            engine.freed.fetch_add(freed.len() as u64, Ordering::Relaxed);
        }
    }
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
    freed: &mut Vec<u64>,
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
    let index = core.size;
    if let Command::Submit { submission, .. } = command
        && accepts
        && !submission.canonical.is_empty()
    {
        frame.content_bytes += submission.canonical.len();
        frame.body.contents.push((frame.body.entries.len() as u32, submission.canonical.len() as u32));
        frame.contents.push(submission.canonical);
    }
    let mut first = None;
    for event in events {
        let appended = append(draws, core, frame, event, at, freed);
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
    freed: &mut Vec<u64>,
) -> (Arc<Entry>, Result<SenderOpening, OpeningError>) {
    let index = core.size;
    if frame.body.entries.is_empty() {
        frame.first = index;
    }
    let (r, r2) = (draws.take(), draws.take());
    let entry = Arc::new(Entry { record: Record::of(&event, at), openings: Openings::new(r, r2) });
    let (leaf, opening) = evidence::leaf_and_opening(&entry.record, &entry.openings);
    frame.leaves.push(leaf);
    freed.extend(core.state.apply(&event, index, at).freed);
    if matches!(event, Event::RegisterLoaded { .. } | Event::ScopesLoaded { .. }) {
        frame.register = Some(Arc::clone(core.state.register()));
    }
    core.tail.push_back(Arc::clone(&entry));
    core.size = index + 1;
    frame.size = core.size;
    frame.body.entries.push(JournalEntry { event, time: at, r, r2 });
    (entry, opening)
}
