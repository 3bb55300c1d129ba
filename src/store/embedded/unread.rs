//! Undelivered content that cannot be read. All of it is read at the start, once an hour, and soon after somebody met what is damaged, so that the
//! operator hears of it though nobody asks for it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::contents;
use super::engine::Engine;
use super::error::OpenError;
use crate::audit::event::ItemNumber;
use crate::domain::time::Timestamp;

/// Between two looks while all is sound.
const LOOKED_EVERY_MILLIS: i64 = 60 * 60 * 1000;
/// Between two looks while something is damaged, and so many times what the last one took.
const LOOKED_AGAIN_MILLIS: i64 = 60 * 1000;
/// See [`LOOKED_AGAIN_MILLIS`].
const REST: i64 = 20;

/// What was found at the last look.
#[derive(Debug)]
pub struct Unread {
    /// Held by whoever looks.
    looking: Mutex<()>,
    items: AtomicU64,
    /// Somebody met what is damaged since.
    is_met: AtomicBool,
    /// By the clock that nobody sets: when it began. Before the first, none.
    looked_at: AtomicI64,
    took: AtomicI64,
    /// Since when, by the clock that nobody sets, turns fail for it; [`NEVER`] while none does.
    stops_turns: AtomicI64,
}

const NEVER: i64 = i64::MIN;

impl Default for Unread {
    fn default() -> Self {
        Self {
            looking: Mutex::default(),
            items: AtomicU64::new(0),
            is_met: AtomicBool::new(false),
            looked_at: AtomicI64::new(NEVER),
            took: AtomicI64::new(0),
            stops_turns: AtomicI64::new(NEVER),
        }
    }
}

impl Unread {
    /// How many items could not be read.
    pub fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    /// Whether all is to be read, by the clock that nobody sets.
    pub fn is_due(&self, now: i64) -> bool {
        let since = now.saturating_sub(self.looked_at.load(Ordering::Relaxed));
        let again = self.is_met.load(Ordering::Relaxed) || self.items() > 0;
        let rest = LOOKED_AGAIN_MILLIS.max(self.took.load(Ordering::Relaxed).saturating_mul(REST));
        since >= if again { rest } else { LOOKED_EVERY_MILLIS }
    }
}

impl Engine {
    /// Whether a turn that meets content which cannot be read leaves it behind, `freed_at` being when the first of what it erases was set free. Until then
    /// the turn fails, so that the file can be put back: never at its first meeting, which may have been a disk's bad moment, and not before what was
    /// acknowledged, or the turns themselves, have waited for half of the time within which it is to be gone.
    pub(super) fn leaves_damage_behind(&self, freed_at: Option<Timestamp>) -> bool {
        let (now, patience) = (self.clock.elapsed_millis(), self.turn_every_millis.saturating_mul(2));
        let since = self.unread.stops_turns.load(Ordering::Relaxed);
        if since == NEVER {
            self.unread.stops_turns.store(now, Ordering::Relaxed);
            return false;
        }
        let waits = freed_at.map_or(0, |at| self.clock.now().millis().saturating_sub(at.millis()));
        waits.max(now.saturating_sub(since)) >= patience
    }

    /// A turn was made.
    pub(super) fn damage_stops_no_turn(&self) {
        self.unread.stops_turns.store(NEVER, Ordering::Relaxed);
    }

    /// The content of the message at `index`; none when it is not to be delivered any more.
    pub(super) fn content(&self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, OpenError> {
        // Not held while the disk is read.
        let found = self.contents.lock().find(index);
        let read = found.and_then(|found| found.map(|(location, file)| contents::read(&file, &location)).transpose());
        if read.is_err() {
            self.unread.is_met.store(true, Ordering::Relaxed);
        }
        read
    }
}

/// Reads all that is to be delivered, when that is due.
pub fn look(engine: &Engine) {
    let _only = engine.unread.looking.lock();
    if engine.unread.is_due(engine.clock.elapsed_millis()) {
        look_through(engine);
    }
}

/// The same, due or not.
#[cfg(test)]
pub fn look_now(engine: &Engine) {
    let _only = engine.unread.looking.lock();
    look_through(engine);
}

/// Counts what cannot be read, and tells the log when that has changed.
fn look_through(engine: &Engine) {
    let (unread, begun) = (&engine.unread, engine.clock.elapsed_millis());
    unread.looked_at.store(begun, Ordering::Relaxed);
    let indices = engine.contents.lock().indices();
    let (mut items, mut first) = (0, None);
    for index in indices {
        if engine.is_ending() {
            return;
        }
        if let Err(error) = engine.content(index) {
            items += 1;
            first.get_or_insert((ItemNumber::main(index), error));
        }
    }
    // After it, as it met them itself.
    unread.is_met.store(false, Ordering::Relaxed);
    unread.took.store(engine.clock.elapsed_millis().saturating_sub(begun), Ordering::Relaxed);
    let before = unread.items.swap(items, Ordering::Relaxed);
    match first {
        Some((first, error)) if before != items => tracing::error!(
            items,
            first = first.0,
            %error,
            "undelivered items cannot be read and are not handed out, the others are: stop the gateway and put the file back from the newest copy, \
             before turns leave it behind when half of erase_within_s has passed; else have the senders withdraw and send anew"
        ),
        None if before > 0 => tracing::info!("all undelivered items can be read again, or are no longer to be delivered"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_at_first_each_hour_and_sooner_while_something_is_damaged_but_never_all_the_time() {
        let unread = Unread::default();
        assert!(unread.is_due(0));
        unread.looked_at.store(0, Ordering::Relaxed);
        let due = |times: [i64; 3]| times.map(|at| unread.is_due(at));
        assert_eq!(due([LOOKED_AGAIN_MILLIS, LOOKED_EVERY_MILLIS - 1, LOOKED_EVERY_MILLIS]), [false, false, true]);
        for (is_met, items) in [(true, 0), (false, 1)] {
            unread.is_met.store(is_met, Ordering::Relaxed);
            unread.items.store(items, Ordering::Relaxed);
            assert_eq!(due([0, LOOKED_AGAIN_MILLIS - 1, LOOKED_AGAIN_MILLIS]), [false, false, true]);
        }
        unread.took.store(LOOKED_AGAIN_MILLIS, Ordering::Relaxed);
        assert_eq!(due([LOOKED_AGAIN_MILLIS, REST * LOOKED_AGAIN_MILLIS - 1, REST * LOOKED_AGAIN_MILLIS]), [false, false, true]);
    }
}
