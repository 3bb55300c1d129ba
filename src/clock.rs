//! The only place that reads the wall clock or the operating system's randomness.
//!
//! Everything else takes time and randomness as arguments, so that a test can replay any history.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lc_rs::rand::SecureRandom as _;
use aws_lc_rs::{digest, rand::SystemRandom};

use crate::domain::time::Timestamp;

/// A source of the present time.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC.
    fn now(&self) -> Timestamp;
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

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
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
pub struct MockClock(AtomicI64);

impl MockClock {
    /// A clock that stands at `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.millis()))
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.millis(), Ordering::SeqCst);
    }

    /// Moves the clock by `millis`, which may be negative.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
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
