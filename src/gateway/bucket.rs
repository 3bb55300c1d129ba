//! Token buckets, one a key, such as a participant or an address: a burst, then one token in a fixed time.
//!
//! They run on the time that has passed ([`Clock::elapsed_millis`](crate::clock::Clock::elapsed_millis)), never on the time of day: a clock that
//! is set, back or forwards, neither empties a bucket nor fills one.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

/// Keys that are remembered. Participants are fewer; of more addresses than this, whatever bounds all of them together holds.
const KEYS_MAX: usize = 65_536;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many at once.
    pub burst: u32,
    /// Then one in so many microseconds.
    pub every_micros: u64,
}

impl Rate {
    /// `burst` at once, then one in `millis` milliseconds.
    #[must_use]
    pub const fn one_in_millis(burst: u32, millis: u64) -> Self {
        Self { burst, every_micros: millis * 1000 }
    }

    /// `burst` at once, then `per_second` in a second, at most a million.
    #[must_use]
    pub const fn per_second(burst: u32, per_second: u32) -> Self {
        Self { burst, every_micros: if per_second == 0 { u64::MAX } else { 1_000_000_u64.div_ceil(per_second as u64) } }
    }
}

/// The elapsed time at which each bucket will be full again, in microseconds.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    full_at: Mutex<HashMap<K, i64>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// Full buckets for all.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::new(HashMap::new()) }
    }

    /// Takes a token at `elapsed`, milliseconds of the clock that nobody sets.
    ///
    /// # Errors
    /// Milliseconds until there is one.
    pub fn take(&self, of: &K, elapsed: i64) -> Result<(), u64> {
        self.look(of, elapsed, true)
    }

    /// Whether there is a token at `elapsed`.
    ///
    /// # Errors
    /// Milliseconds until there is one.
    pub fn peek(&self, of: &K, elapsed: i64) -> Result<(), u64> {
        self.look(of, elapsed, false)
    }

    fn look(&self, of: &K, elapsed: i64, take: bool) -> Result<(), u64> {
        let now = elapsed.saturating_mul(1000);
        let every = i64::try_from(self.rate.every_micros).unwrap_or(i64::MAX);
        let span = every.saturating_mul(i64::from(self.rate.burst));
        let mut all = self.full_at.lock();
        if all.len() >= KEYS_MAX {
            all.retain(|_, full_at| *full_at > now);
            if all.len() >= KEYS_MAX {
                all.clear();
            }
        }
        let full_at = all.get(of).copied().unwrap_or(now).max(now);
        let wait = full_at.saturating_add(every).saturating_sub(now.saturating_add(span));
        if wait > 0 {
            return Err(u64::try_from(wait).unwrap_or(1).div_ceil(1000));
        }
        if take {
            all.insert(of.clone(), full_at.saturating_add(every));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_token_in_a_fixed_time_and_each_participant_has_its_own() {
        let buckets = Buckets::new(Rate::one_in_millis(3, 100));
        let (one, two) = ("aa", "bb");
        for _ in 0..3 {
            assert_eq!(buckets.take(&one, 1000), Ok(()));
        }
        assert_eq!(buckets.take(&one, 1000), Err(100));
        assert_eq!(buckets.take(&one, 1060), Err(40));
        assert_eq!(buckets.peek(&two, 1000), Ok(()));
        assert_eq!(buckets.take(&one, 1100), Ok(()));
        assert_eq!(buckets.take(&one, 1100), Err(100));
        assert_eq!(buckets.take(&one, 9000), Ok(()));
    }

    #[test]
    fn a_rate_by_the_second_never_lets_more_through() {
        assert_eq!(Rate::per_second(5, 500), Rate { burst: 5, every_micros: 2_000 });
        assert_eq!(Rate::per_second(5, 3).every_micros, 333_334);
    }

    #[test]
    fn keys_are_bounded_and_those_whose_bucket_is_full_again_go_first() {
        let buckets = Buckets::new(Rate::one_in_millis(1, 1_000));
        for key in 0..KEYS_MAX - 1 {
            assert_eq!(buckets.take(&key, 0), Ok(()));
        }
        assert_eq!(buckets.take(&usize::MAX, 900), Ok(()));
        assert_eq!(buckets.take(&(usize::MAX - 1), 1_000), Ok(()));
        assert_eq!(buckets.full_at.lock().len(), 2);
        assert!(buckets.take(&usize::MAX, 1_000).is_err(), "one that is not full again is remembered");
    }

    #[test]
    fn a_clock_that_is_set_neither_empties_a_bucket_nor_fills_one() {
        use crate::clock::{Clock as _, MockClock};
        use crate::domain::time::{DAY_MILLIS, Timestamp};
        let (clock, one) = (MockClock::new(Timestamp::from_millis(1_780_000_000_000)), "aa");
        for jump in [-DAY_MILLIS, DAY_MILLIS, -1, -60_000] {
            let buckets = Buckets::new(Rate::one_in_millis(2, 100));
            assert_eq!(buckets.take(&one, clock.elapsed_millis()), Ok(()));
            clock.jump_millis(jump);
            assert_eq!(buckets.take(&one, clock.elapsed_millis()), Ok(()), "its second token is there after {jump}");
            assert_eq!(buckets.take(&one, clock.elapsed_millis()), Err(100), "and no third one");
            clock.jump_millis(jump);
            clock.advance_millis(100);
            assert_eq!(buckets.take(&one, clock.elapsed_millis()), Ok(()));
        }
    }
}
