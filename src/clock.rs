//! The only place that reads the wall clock or the operating system's randomness.
//!
//! Everything else takes time and randomness as arguments, so that a test can replay any history.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lc_rs::rand::SecureRandom as _;
use aws_lc_rs::{digest, rand::SystemRandom};
use zeroize::{Zeroize as _, Zeroizing};

use crate::domain::time::Timestamp;

/// A source of the present time.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC.
    fn now(&self) -> Timestamp;

    /// Milliseconds that have passed since a fixed moment, by a clock that nobody sets and that also runs while the machine sleeps.
    fn elapsed_millis(&self) -> i64;

    /// The same in microseconds.
    fn elapsed_micros(&self) -> i64 {
        self.elapsed_millis().saturating_mul(1000)
    }
}

/// A source of random bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `out` with bytes nobody can guess.
    fn fill(&self, out: &mut [u8]);
}

/// Thirty-two fresh bytes from `entropy`.
pub fn random_32(entropy: &dyn Entropy) -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    entropy.fill(&mut bytes);
    bytes
}

/// Bytes drawn at once.
const DRAWN_BYTES: usize = 4096;

/// Random bytes drawn ahead, for one thread: a draw of its own for every few bytes costs more than all else of an event's hashes. What was given
/// out is wiped here.
pub struct Draws<'e> {
    entropy: &'e dyn Entropy,
    bytes: Zeroizing<[u8; DRAWN_BYTES]>,
    left: usize,
    /// Nothing is drawn ahead, so that a simulation knows what each draw is for.
    #[cfg(test)]
    straight: bool,
}

impl<'e> Draws<'e> {
    /// Draws each time from `entropy` itself.
    #[cfg(test)]
    pub(crate) fn straight(entropy: &'e dyn Entropy) -> Self {
        Self { straight: true, ..Self::new(entropy) }
    }

    /// Draws from `entropy` when first asked.
    #[must_use]
    pub fn new(entropy: &'e dyn Entropy) -> Self {
        Self {
            entropy,
            bytes: Zeroizing::new([0; DRAWN_BYTES]),
            left: 0,
            #[cfg(test)]
            straight: false,
        }
    }

    /// Fresh bytes, at most 4096.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= DRAWN_BYTES, "no more than is drawn at once") };
        #[cfg(test)]
        if self.straight {
            let mut out = [0; N];
            self.entropy.fill(&mut out);
            return out;
        }
        if self.left < N {
            self.entropy.fill(&mut *self.bytes);
            self.left = DRAWN_BYTES;
        }
        let place = &mut self.bytes[self.left - N..self.left];
        let mut out = [0; N];
        out.copy_from_slice(place);
        place.zeroize();
        self.left -= N;
        out
    }
}

impl std::fmt::Debug for Draws<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Draws(secret)")
    }
}

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed_millis(&self) -> i64 {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        since_boot.tv_sec.saturating_mul(1000).saturating_add(since_boot.tv_nsec / 1_000_000)
    }

    fn elapsed_micros(&self) -> i64 {
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        since_boot.tv_sec.saturating_mul(1_000_000).saturating_add(since_boot.tv_nsec / 1000)
    }
}

/// The operating system's generator.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        self.0.fill(out).expect("the generator of aws-lc aborts the process itself when the system has no randomness");
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct MockClock {
    now: AtomicI64,
    elapsed: AtomicI64,
}

impl MockClock {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self { now: AtomicI64::new(at.millis()), elapsed: AtomicI64::new(0) }
    }

    /// Lets time pass until `at`. No time passes backwards: to an earlier moment the clock is only set.
    pub fn set(&self, at: Timestamp) {
        self.advance_millis(at.millis().saturating_sub(self.now.load(Ordering::SeqCst)));
    }

    /// Lets `millis` pass. When negative, the clock is only set back.
    pub fn advance_millis(&self, millis: i64) {
        self.elapsed.fetch_add(millis.max(0), Ordering::SeqCst);
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// Sets the clock forwards or back by `millis`, and no time passes.
    pub fn jump_millis(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn elapsed_millis(&self) -> i64 {
        self.elapsed.load(Ordering::SeqCst)
    }
}

/// Bytes that follow from a seed: the n-th block is SHA-256 of seed and n. For tests and simulation only.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    block: AtomicU64,
}

impl SeededEntropy {
    /// A source that repeats itself for equal seeds.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, block: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let n = self.block.fetch_add(1, Ordering::SeqCst);
            let mut input = [0_u8; 16];
            input[..8].copy_from_slice(&self.seed.to_be_bytes());
            input[8..].copy_from_slice(&n.to_be_bytes());
            chunk.copy_from_slice(&digest::digest(&digest::SHA256, &input).as_ref()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_ahead_is_given_out_once_and_wiped() {
        let entropy = SeededEntropy::new(1);
        let mut draws = Draws::new(&entropy);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(draws.take::<32>().to_vec()), "no bytes twice");
            assert!(seen.insert(draws.take::<10>().to_vec()), "no bytes twice");
            assert!(draws.bytes[draws.left..].iter().all(|byte| *byte == 0), "what was given out is not kept");
        }
    }
}
