//! The way into the sequencer: a bounded queue of acts, and the word that the committer is free.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::frame::Chain;
use super::sequencer::Answer;
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
    committer_is_free: bool,
    closed: bool,
    broken: bool,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    inside: Mutex<Inside>,
    wake: Condvar,
}

/// What the sequencer finds.
pub enum Next {
    /// Inputs, perhaps none, and whether the committer waits for a frame.
    Work {
        /// To be decided.
        inputs: Vec<Input>,
        /// The committer takes a frame.
        committer_is_free: bool,
    },
    /// Nothing is left and nothing more will come.
    End,
    /// The store broke; what is open is lost.
    Broken,
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
        let wanted = inside.committer_is_free || inside.inputs.len().is_multiple_of(WORTH_WAKING);
        drop(inside);
        if wanted {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The committer waits for a frame.
    pub fn committer_is_free(&self) {
        self.inside.lock().committer_is_free = true;
        self.wake.notify_one();
    }

    /// The sequencer hands a frame over.
    pub fn committer_is_busy(&self) {
        self.inside.lock().committer_is_free = false;
    }

    /// Nothing more comes in; what is in line is still done.
    pub fn close(&self) {
        self.inside.lock().closed = true;
        self.wake.notify_all();
    }

    /// The store is broken: what is in line is dropped, and with it its callers' answers.
    pub fn break_off(&self) {
        let mut inside = self.inside.lock();
        inside.broken = true;
        inside.inputs.clear();
        self.wake.notify_all();
    }

    /// Whether nothing waits.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.inside.lock().inputs.is_empty()
    }

    /// Waits for something to do. `has_frame`: there is something to hand over; `takes`: how many inputs fit.
    pub fn next(&self, has_frame: bool, takes: usize) -> Next {
        let mut inside = self.inside.lock();
        loop {
            if inside.broken {
                return Next::Broken;
            }
            let can_hand = has_frame && inside.committer_is_free;
            let worth_it = inside.committer_is_free || inside.closed || inside.inputs.len() >= WORTH_WAKING;
            let can_take = takes > 0 && !inside.inputs.is_empty() && worth_it;
            if can_hand || can_take {
                let count = takes.min(inside.inputs.len());
                let inputs = inside.inputs.drain(..count).collect();
                return Next::Work { inputs, committer_is_free: inside.committer_is_free };
            }
            if inside.closed && inside.inputs.is_empty() && !has_frame {
                return Next::End;
            }
            self.wake.wait(&mut inside);
        }
    }
}
