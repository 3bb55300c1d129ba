//! The store without threads, for simulation: whoever puts an act in line decides and commits it there and then, so that a seed replays a run.
//!
//! What decides, commits, publishes and turns is the store's own code; only its threads and their timers are gone.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::sync::watch;

use super::engine::Engine;
use super::error::OpenError;
use super::journal::Writer;
use super::queue::Next;
use super::sequencer::{Desk, Frame, decide_all};
use super::start::{Options, Started, start_with};
use super::{EmbeddedStore, commit};
use crate::audit::event::Event;
use crate::clock::Draws;

/// What sequencer and committer hold.
pub struct Hand {
    frame: Frame,
    writer: Writer,
    durable: watch::Sender<u64>,
    /// Acts wait for each other, to become one frame.
    gathering: bool,
}

thread_local! {
    static NOTED: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
}

/// The store is about to note something in the log by itself.
pub fn note(event: &Event) {
    NOTED.with_borrow_mut(|noted| noted.push(event.clone()));
}

/// What stores of this thread noted by themselves since the last time, in order.
pub fn noted() -> Vec<Event> {
    NOTED.take()
}

/// Opens a store without threads.
pub fn open(options: Options) -> Result<Arc<EmbeddedStore>, OpenError> {
    let started: Started = start_with(options, |engine, writer, durable| {
        engine.queue.without_committer();
        *engine.hand.lock() = Some(Hand { frame: Frame::default(), writer, durable, gathering: false });
        Ok(Vec::new())
    })?;
    Ok(EmbeddedStore::of(started))
}

/// Decides and commits all that is in line. Nothing when the store has threads.
pub fn drive(engine: &Engine) {
    let mut held = engine.hand.lock();
    let Some(hand) = held.as_mut().filter(|hand| !hand.gathering) else { return };
    while !engine.queue.is_empty() {
        let mut desk = Desk::new(Draws::straight(engine.entropy.as_ref()));
        let Next::Work = engine.queue.next(&mut desk.inputs) else { return };
        decide_all(engine, &mut desk, &mut hand.frame);
        if !hand.frame.has_work() {
            continue;
        }
        let committed = commit::commit(engine, &mut hand.writer, &mut hand.frame, &hand.durable);
        hand.frame.clear();
        if let Err(error) = committed {
            engine.fatal(&error.to_string());
            // As when the committing thread ends: whoever waits is told.
            *held = None;
            return;
        }
    }
}

/// From here on acts gather, until [`commit_gathered`].
pub fn gather(engine: &Engine) {
    if let Some(hand) = engine.hand.lock().as_mut() {
        hand.gathering = true;
    }
}

/// Commits what was gathered.
pub fn commit_gathered(engine: &Engine) {
    if let Some(hand) = engine.hand.lock().as_mut() {
        hand.gathering = false;
    }
    drive(engine);
}

/// What the committing thread does after a while of quiet.
pub fn quiet(engine: &Engine) {
    let mut held = engine.hand.lock();
    let Some(hand) = held.as_mut() else { return };
    if let Err(error) = hand.writer.seal() {
        engine.fatal(&error.to_string());
        *held = None;
    }
}

/// What the threads do at their end.
pub fn finish(engine: &Engine) {
    if engine.hand.lock().is_none() {
        return;
    }
    quiet(engine);
    *engine.hand.lock() = None;
    if !engine.is_broken()
        && let Err(error) = engine.publish()
    {
        engine.fatal(&error.to_string());
    }
}
