//! How far publication may be behind what is answered.
//!
//! After a loss nothing but what was published tells how far the log had come, so a recovery leaves places free beyond it, [`MARGIN`] of them, and
//! no message may have been accepted past those: its item number would come a second time, for another message, and its recipient would take that
//! for seen. So a message is accepted only while less than [`LAG_MAX`] entries are unpublished, whatever the disk does to publication.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Entries that may be decided and not published while a message is still accepted.
pub const LAG_MAX: u64 = 24_576;
/// Places that a recovery leaves free: what may have been answered unpublished, and the acts of one round that were let in together.
pub const MARGIN: u64 = 32_768;
// An act that is let in has a few entries, or ends a case with all its messages.
const _: () = assert!(MARGIN >= LAG_MAX + 8192, "what a recovery leaves free holds what may be unpublished and a full round");
/// For so long everything waits for publication before messages are refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between the publishing thread and whoever runs ahead of it.
pub struct Publishing {
    /// Somebody wants a publication before its time.
    due: Mutex<bool>,
    wake: Condvar,
    done: Condvar,
    /// The publishing thread runs: before it does, and without threads, nobody waits for it.
    runs: AtomicBool,
    /// [`LAG_MAX`], or less where that is tested.
    lag_max: AtomicU64,
}

impl Default for Publishing {
    fn default() -> Self {
        Self {
            due: Mutex::default(),
            wake: Condvar::default(),
            done: Condvar::default(),
            runs: AtomicBool::default(),
            lag_max: LAG_MAX.into(),
        }
    }
}

impl Publishing {
    /// Whether so much is unpublished that no message is accepted.
    pub fn is_behind(&self, size: u64, published: u64) -> bool {
        size.saturating_sub(published) >= self.lag_max.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub fn set_lag_max(&self, entries: u64) {
        self.lag_max.store(entries, Ordering::Relaxed);
    }

    /// The publishing thread begins or ends.
    pub fn set_runs(&self, runs: bool) {
        self.runs.store(runs, Ordering::SeqCst);
        self.published();
    }

    /// Wants a publication at once.
    pub fn ask(&self) {
        *self.due.lock() = true;
        self.wake.notify_one();
    }

    /// Waits for `time`, or until a publication is wanted.
    pub fn rest(&self, time: Duration) {
        let mut due = self.due.lock();
        if !*due {
            self.wake.wait_for(&mut due, time);
        }
        *due = false;
    }

    /// Tells who waits that something was published.
    pub fn published(&self) {
        let _due = self.due.lock();
        self.done.notify_all();
    }

    /// Lets publication catch up, if it is far behind by `lag`, which tells it anew each time. Gives up after a while, or when `is_over`.
    pub fn let_follow(&self, lag: impl Fn() -> u64, is_over: impl Fn() -> bool) {
        let mut left = PATIENCE;
        let step = Duration::from_millis(100);
        let most = self.lag_max.load(Ordering::Relaxed).max(1);
        // Half of it calls for a publication at once, though its second is not over.
        if lag() < most / 2 || !self.runs.load(Ordering::SeqCst) {
            return;
        }
        self.ask();
        while lag() >= most && !left.is_zero() && !is_over() && self.runs.load(Ordering::SeqCst) {
            let mut due = self.due.lock();
            // Looked at again under the lock that `published` takes, so that no publication is missed; the step bounds it in any case.
            if lag() >= most {
                self.done.wait_for(&mut due, step);
            }
            left = left.saturating_sub(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn who_is_far_ahead_waits_until_it_is_published_and_only_then() {
        let publishing = Publishing::default();
        let lag = AtomicU64::new(LAG_MAX);
        // Without a thread that publishes there is nothing to wait for.
        publishing.let_follow(|| lag.load(Ordering::SeqCst), || false);
        publishing.set_runs(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                publishing.rest(Duration::from_secs(60));
                lag.store(0, Ordering::SeqCst);
                publishing.published();
            });
            publishing.let_follow(|| lag.load(Ordering::SeqCst), || false);
            assert_eq!(lag.load(Ordering::SeqCst), 0, "it had waited");
        });
        lag.store(LAG_MAX, Ordering::SeqCst);
        publishing.let_follow(|| lag.load(Ordering::SeqCst), || true);
    }
}
