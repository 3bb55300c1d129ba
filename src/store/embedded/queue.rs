//! The way of an act: a bounded queue into the sequencer, and the open frame between sequencer and committer.
//!
//! The committer takes what is decided the moment that the frame before is durable; it waits for nobody while there is something to take.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::frame::Chain;
use super::sequencer::{Answer, Frame};
use crate::policy::command::Command;
use crate::store::StoreError;

/// Acts that may wait; beyond that callers are told to try again.
pub const WAITING_MAX: usize = 8192;

/// While a frame is being synced the sequencer is woken for so many acts at a time: a wake-up for each costs more than deciding it.
const WORTH_WAKING: usize = 8;

/// What the sequencer is asked to do.
#[expect(clippy::large_enum_variant, reason = "all but one of thousands are acts, and a box for each would cost more than the room")]
pub enum Input {
    /// An act, and where its answer goes.
    Act(Command, Reply),
    /// Close the journal file after all that was decided so far.
    Roll(std::sync::mpsc::SyncSender<Rolled>),
}

/// What an act led to, or why nothing came of it.
pub type Answered = Result<Answer, StoreError>;

/// Where an answer goes, once it is durable.
pub enum Reply {
    /// To a task.
    Task(oneshot::Sender<Answered>),
    /// To a thread of the store itself, which may wait where a task may not.
    Thread(std::sync::mpsc::SyncSender<Answered>),
}

impl Reply {
    /// Answers. A caller that went away needs no answer.
    pub fn send(self, answer: Answered) {
        match self {
            Self::Task(reply) => drop(reply.send(answer)),
            Self::Thread(reply) => drop(reply.send(answer)),
        }
    }
}

/// Where the journal was closed.
#[derive(Debug, Clone, Copy)]
pub struct Rolled {
    /// The last closed file.
    pub closed: u64,
    /// The place of the next frame.
    pub chain: Chain,
    /// Tree size at the close.
    pub size: u64,
}

#[derive(Default)]
struct Inside {
    inputs: VecDeque<Input>,
    /// Decided, not taken yet.
    open: Frame,
    /// Durable and emptied: the room for a later one.
    spare: Option<Frame>,
    committer_waits: bool,
    closed: bool,
    /// The sequencer has ended.
    all_decided: bool,
    broken: bool,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    inside: Mutex<Inside>,
    to_sequencer: Condvar,
    to_committer: Condvar,
}

/// What the sequencer finds.
pub enum Next {
    /// Something to be decided.
    Work,
    /// Nothing is left and nothing more will come.
    End,
    /// The store broke; what is open is lost.
    Broken,
}

/// What the committer finds.
pub enum Taken {
    /// To be made durable.
    Frame(Frame),
    /// Nothing for as long as it wanted to wait.
    Quiet,
    /// Nothing is left and nothing more will come.
    End,
}

impl Queue {
    /// Puts an act in line.
    pub fn push(&self, input: Input) -> Result<(), StoreError> {
        let mut inside = self.inside.lock();
        if inside.closed || inside.broken {
            return Err(StoreError::Stopped);
        }
        if inside.inputs.len() >= WAITING_MAX {
            return Err(StoreError::Busy);
        }
        inside.inputs.push_back(input);
        let wanted = inside.committer_waits || inside.inputs.len().is_multiple_of(WORTH_WAKING);
        drop(inside);
        if wanted {
            self.to_sequencer.notify_one();
        }
        Ok(())
    }

    /// Nothing more comes in; what is in line is still done.
    pub fn close(&self) {
        self.inside.lock().closed = true;
        self.to_sequencer.notify_all();
    }

    /// The store is broken: what is in line is dropped, and with it its callers' answers.
    pub fn break_off(&self) {
        let mut inside = self.inside.lock();
        inside.broken = true;
        inside.inputs.clear();
        inside.open = Frame::default();
        inside.spare = None;
        self.to_sequencer.notify_all();
        self.to_committer.notify_all();
    }

    /// Whether nothing waits to be decided.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.inside.lock().inputs.is_empty()
    }

    /// From here on the sequencer is given whatever there is, as if the committer waited.
    #[cfg(test)]
    pub fn without_committer(&self) {
        self.inside.lock().committer_waits = true;
    }

    /// Waits for something to decide that there is room for, and appends it to `inputs`.
    pub fn next(&self, inputs: &mut Vec<Input>) -> Next {
        let mut inside = self.inside.lock();
        loop {
            if inside.broken {
                return Next::Broken;
            }
            let worth_it = inside.committer_waits || inside.closed || inside.inputs.len() >= WORTH_WAKING;
            let count = inside.open.takes().min(inside.inputs.len());
            if worth_it && count > 0 {
                inputs.extend(inside.inputs.drain(..count));
                return Next::Work;
            }
            if inside.closed && inside.inputs.is_empty() {
                return Next::End;
            }
            self.to_sequencer.wait(&mut inside);
        }
    }

    /// The sequencer hands over what it decided; `decided` is empty afterwards.
    pub fn hand(&self, decided: &mut Frame) {
        let mut inside = self.inside.lock();
        if inside.broken {
            return;
        }
        inside.open.absorb(decided);
        if inside.committer_waits && inside.open.has_work() {
            self.to_committer.notify_one();
        }
    }

    /// The committer gives back a frame that is done with.
    pub fn give_back(&self, mut frame: Frame) {
        frame.clear();
        let mut inside = self.inside.lock();
        if !inside.broken {
            inside.spare = Some(frame);
        }
    }

    /// The sequencer ends.
    pub fn all_is_decided(&self) {
        self.inside.lock().all_decided = true;
        self.to_committer.notify_one();
    }

    /// Waits for something to make durable, for at most `quiet` if that is given.
    pub fn take(&self, quiet: Option<Duration>) -> Taken {
        let mut inside = self.inside.lock();
        loop {
            if inside.open.has_work() {
                let room = inside.spare.take().unwrap_or_default();
                let frame = std::mem::replace(&mut inside.open, room);
                inside.committer_waits = false;
                // It may have waited for room.
                let waits = !inside.inputs.is_empty();
                drop(inside);
                if waits {
                    self.to_sequencer.notify_one();
                }
                return Taken::Frame(frame);
            }
            if inside.broken || inside.all_decided {
                return Taken::End;
            }
            inside.committer_waits = true;
            if !inside.inputs.is_empty() {
                self.to_sequencer.notify_one();
            }
            match quiet {
                Some(quiet) => {
                    if self.to_committer.wait_for(&mut inside, quiet).timed_out() && !inside.open.has_work() {
                        return Taken::Quiet;
                    }
                }
                None => self.to_committer.wait(&mut inside),
            }
        }
    }
}
