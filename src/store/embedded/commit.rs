//! The committer: one thread makes frames durable, one at a time, and only then lets anything be known of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::watch;

use super::contents::{Holder, Location};
use super::engine::{Engine, Head};
use super::error::OpenError;
use super::journal::Writer;
use super::queue::Rolled;
use super::sequencer::{Answer, Frame};

/// After this much quiet the last frame is sealed.
const QUIET: Duration = Duration::from_millis(20);

/// Runs until the sequencer is gone. `durable` is dropped at the end, which tells whoever waits.
pub fn run(engine: &Engine, mut writer: Writer, frames: &Receiver<Frame>, durable: &watch::Sender<u64>) {
    engine.queue.committer_is_free();
    let mut sealed = true;
    loop {
        let frame = if sealed { frames.recv().map_err(|_| RecvTimeoutError::Disconnected) } else { frames.recv_timeout(QUIET) };
        let result = match frame {
            Ok(frame) => {
                sealed = false;
                commit(engine, &mut writer, frame, durable)
            }
            Err(RecvTimeoutError::Timeout) => {
                sealed = true;
                writer.seal()
            }
            Err(RecvTimeoutError::Disconnected) => {
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

pub(super) fn commit(engine: &Engine, writer: &mut Writer, mut frame: Frame, durable: &watch::Sender<u64>) -> Result<(), OpenError> {
    if let Some(root) = frame.root {
        if writer.written() >= engine.journal.file {
            writer.roll()?;
        }
        let pieces = writer.append((frame.size, root), &frame.body, &frame.contents)?;
        let holder = Holder::Journal(writer.number());
        if !pieces.is_empty() {
            let core = engine.core.lock();
            let mut contents = engine.contents.lock();
            for piece in pieces {
                let index = frame.first + u64::from(piece.entry);
                // What was superseded within its own frame is not needed any more.
                if core.state.needs_content(index) {
                    contents.insert(index, Location { holder, offset: piece.offset, len: piece.len, place: piece.place });
                }
            }
        }
        let written = frame.contents.iter().map(|content| content.len()).sum::<usize>() + 512 * frame.body.entries.len();
        engine.journal_bytes.fetch_add(written as u64, Ordering::Relaxed);
        // Only what is durable is ever signed, so that a torn frame never leaves a second signed root for one size.
        let signed = engine.sign(frame.size, root)?;
        if let Some(register) = frame.register.take() {
            engine.register.store(register);
        }
        let head = Arc::new(Head { size: frame.size, root, signed: Arc::new(signed) });
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
    engine.queue.committer_is_free();
    Ok(())
}
