//! The committer: one thread makes frames durable, one at a time, and only then lets anything be known of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::contents::{Holder, Location};
use super::engine::{Engine, Head};
use super::error::OpenError;
use super::journal::Writer;
use super::queue::{Rolled, Taken};
use super::sequencer::{Answer, Frame};
use crate::audit::proof::RightEdge;

/// After this much quiet the last frame is sealed.
const QUIET: Duration = Duration::from_millis(20);

/// Runs until the sequencer is gone. `durable` is dropped at the end, which tells whoever waits.
pub fn run(engine: &Engine, mut writer: Writer, durable: &watch::Sender<u64>) {
    let mut sealed = true;
    loop {
        let result = match engine.queue.take((!sealed).then_some(QUIET)) {
            Taken::Frame(mut frame) => {
                sealed = false;
                commit(engine, &mut writer, &mut frame, durable).map(|()| engine.queue.give_back(frame))
            }
            Taken::Quiet => {
                sealed = true;
                writer.seal()
            }
            Taken::End => {
                if let Err(error) = writer.seal() {
                    engine.fatal(&error.to_string());
                }
                return;
            }
        };
        if let Err(error) = result {
            // Nothing is tried again on top of a failed write or sync: what is on disk is what the next start finds.
            engine.fatal(&error.to_string());
            return;
        }
    }
}

pub(super) fn commit(engine: &Engine, writer: &mut Writer, frame: &mut Frame, durable: &watch::Sender<u64>) -> Result<(), OpenError> {
    if !frame.draft.is_empty() {
        // Later leaves may be in the tree already; what was complete at this size stays.
        let edge = RightEdge::at(&*engine.nodes.read(), frame.size).expect("what a frame ends with is among the newest leaves");
        let root = edge.root();
        if writer.written() >= engine.journal.file {
            writer.roll()?;
        }
        let pieces = writer.append((frame.size, root), &frame.draft)?;
        let holder = Holder::Journal(writer.number());
        if !pieces.is_empty() {
            let mut contents = engine.contents.lock();
            for piece in pieces {
                let index = frame.first + u64::from(piece.entry);
                contents.insert(index, Location { holder, offset: piece.offset, len: piece.len, place: piece.place });
            }
        }
        engine.tail.lock().push(frame.size, &frame.draft);
        let written = frame.draft.content_bytes() + 512 * frame.draft.entries();
        engine.journal_bytes.fetch_add(written as u64, Ordering::Relaxed);
        // Only what is durable is ever signed, so that a torn frame never leaves a second signed root for one size.
        let signed = engine.sign(frame.size, root)?;
        if let Some(register) = frame.register.take() {
            engine.register.store(register);
        }
        let head = Arc::new(Head { size: frame.size, root, edge, signed: Arc::new(signed) });
        engine.head.store(Arc::clone(&head));
        durable.send_replace(frame.size);
        for (_, answer) in &mut frame.waiting {
            if let Ok(Answer::Fresh { head: under, .. }) = answer {
                *under = Some(Arc::clone(&head));
            }
        }
    }
    for (reply, answer) in frame.waiting.drain(..) {
        reply.send(answer);
    }
    if let Some(reply) = frame.roll.take() {
        let closed = writer.number();
        writer.roll()?;
        let _ = reply.send(Rolled { closed, chain: writer.chain(), size: engine.head.load().size });
    }
    Ok(())
}
