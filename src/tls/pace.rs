//! How fast a client is read: bytes in a second, each HTTP/2 frame at a price of its own, shared by all connections of one key.
//!
//! A participant that sends faster is not refused but read more slowly, so that its socket fills and its own system waits. This bounds what no
//! call's limit sees: floods of PING, SETTINGS, WINDOW_UPDATE, RST_STREAM and empty DATA.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::domain::participant::KeyHash;

/// What a frame costs besides its bytes.
const FRAME_PRICE: u64 = 64;
/// The client's first bytes of HTTP/2.
const PREFACE_BYTES: usize = 24;
/// A frame's head.
const HEAD_BYTES: usize = 9;

/// Whom a pace is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum PaceOf {
    /// A client's key, on however many connections.
    Key(KeyHash),
    /// A certificate that cannot be read: its address.
    Address(IpAddr),
}

/// One client's budget.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u64,
    state: Mutex<(f64, Instant)>,
}

impl Pace {
    fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), state: Mutex::new((per_second as f64, Instant::now())) }
    }

    /// Spends `count`; how long nothing more may be read. A second's worth may be spent at once.
    pub(super) fn spend(&self, count: u64, now: Instant) -> Option<Duration> {
        let per_second = self.per_second as f64;
        let mut state = self.state.lock();
        let (left, at) = *state;
        let earned = now.saturating_duration_since(at).as_secs_f64() * per_second;
        let left = (left + earned).min(per_second) - count as f64;
        *state = (left, at.max(now));
        // Short rests cost more than they save.
        (left < 0.0).then(|| Duration::from_secs_f64(-left / per_second).max(Duration::from_millis(2)))
    }
}

/// The budgets of all that are connected.
#[derive(Debug, Default)]
pub(super) struct Paces(Mutex<HashMap<PaceOf, Weak<Pace>>>);

impl Paces {
    /// The budget of `of`, shared with its other connections.
    pub(super) fn join(&self, of: PaceOf, per_second: u64) -> Arc<Pace> {
        let mut all = self.0.lock();
        if let Some(pace) = all.get(&of).and_then(Weak::upgrade) {
            return pace;
        }
        // Bounded by the connections there are; the dead ones go when it has doubled.
        if all.len() >= 64 && all.len().is_power_of_two() {
            all.retain(|_, pace| pace.strong_count() > 0);
        }
        let pace = Arc::new(Pace::new(per_second));
        all.insert(of, Arc::downgrade(&pace));
        pace
    }
}

/// Counts frames in the decrypted bytes of an HTTP/2 connection. Whether they are good frames is for HTTP/2 to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    skip: usize,
    head: [u8; 3],
    seen: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self::new()
    }
}

impl Frames {
    /// Before the preface.
    #[must_use]
    pub const fn new() -> Self {
        Self { skip: PREFACE_BYTES, head: [0; 3], seen: 0 }
    }

    /// How many frames begin in the next `bytes`.
    pub fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut frames = 0;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.seen] = bytes[0];
            self.seen += 1;
            bytes = &bytes[1..];
            if self.seen == self.head.len() {
                let [a, b, c] = self.head;
                self.seen = 0;
                self.skip = HEAD_BYTES - self.head.len() + (usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c));
                frames += 1;
            }
        }
        frames
    }

    /// What the next `bytes` cost.
    pub(super) fn price(&mut self, bytes: &[u8]) -> u64 {
        bytes.len() as u64 + self.count(bytes) * FRAME_PRICE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_at_once_then_as_fast_as_it_is_earned() {
        let pace = Pace::new(1000);
        let begun = Instant::now();
        assert_eq!(pace.spend(1000, begun), None);
        assert_eq!(pace.spend(500, begun), Some(Duration::from_millis(500)));
        assert_eq!(pace.spend(0, begun + Duration::from_millis(400)), Some(Duration::from_millis(100)));
        assert_eq!(pace.spend(100, begun + Duration::from_millis(600)), None);
        assert_eq!(
            pace.spend(1001, begun + Duration::from_secs(60)),
            Some(Duration::from_millis(2)),
            "nothing is saved up beyond a second"
        );
    }

    #[test]
    fn connections_of_one_key_share_a_budget_and_a_key_that_left_is_forgotten() {
        let paces = Paces::default();
        let key = |n: u8| PaceOf::Key(KeyHash::from_bytes([n; 32]));
        let (one, again, other) = (paces.join(key(1), 10), paces.join(key(1), 10), paces.join(key(2), 10));
        assert!(Arc::ptr_eq(&one, &again) && !Arc::ptr_eq(&one, &other));
        drop((one, again));
        for n in 3..=255 {
            drop(paces.join(key(n), 10));
        }
        assert!(paces.0.lock().len() <= 128, "{}", paces.0.lock().len());
    }

    #[test]
    fn frames_are_counted_however_the_bytes_are_cut() {
        let ping = [[0, 0, 8, 6, 0, 0, 0, 0, 0].as_slice(), &[7; 8]].concat();
        let data = [[0, 1, 0, 0, 0, 0, 0, 0, 1].as_slice(), &[9; 256]].concat();
        let empty = [0, 0, 0, 0, 0, 0, 0, 0, 1];
        let all = [[b'P'; PREFACE_BYTES].as_slice(), &ping, &data, &empty, &ping].concat();
        assert_eq!(Frames::new().count(&all), 4);
        for size in 1..40 {
            let mut frames = Frames::new();
            assert_eq!(all.chunks(size).map(|piece| frames.count(piece)).sum::<u64>(), 4, "{size}");
        }
        assert_eq!(Frames::new().price(&all), all.len() as u64 + 4 * FRAME_PRICE);
    }
}
