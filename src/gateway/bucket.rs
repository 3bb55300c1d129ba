//! Token buckets, one a participant: a burst, then one token in a fixed time.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::domain::id::ParticipantId;
use crate::domain::time::Timestamp;

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
}

/// The time at which each bucket will be full again, in microseconds. Bounded by the participants there are.
#[derive(Debug)]
pub(super) struct Buckets {
    rate: Rate,
    full_at: Mutex<HashMap<ParticipantId, i64>>,
}

impl Buckets {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::new(HashMap::new()) }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// Milliseconds until there is one.
    pub(super) fn take(&self, of: &ParticipantId, now: Timestamp) -> Result<(), u64> {
        self.look(of, now, true)
    }

    /// Whether there is a token.
    ///
    /// # Errors
    /// Milliseconds until there is one.
    pub(super) fn peek(&self, of: &ParticipantId, now: Timestamp) -> Result<(), u64> {
        self.look(of, now, false)
    }

    fn look(&self, of: &ParticipantId, now: Timestamp, take: bool) -> Result<(), u64> {
        let now = now.millis().saturating_mul(1000);
        let every = i64::try_from(self.rate.every_micros).unwrap_or(i64::MAX);
        let span = every.saturating_mul(i64::from(self.rate.burst));
        let mut all = self.full_at.lock();
        // A clock set back must not close a bucket for as long as it was set back.
        let full_at = all.get(of).copied().unwrap_or(now).clamp(now, now.saturating_add(span));
        let wait = full_at.saturating_add(every).saturating_sub(now.saturating_add(span));
        if wait > 0 {
            // Kept as clamped, or the next look would clamp anew from a later time and never open.
            all.insert(of.clone(), full_at);
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

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_burst_then_one_token_in_a_fixed_time_and_each_participant_has_its_own() {
        let buckets = Buckets::new(Rate::one_in_millis(3, 100));
        let (one, two) = ("aa".parse().unwrap(), "bb".parse().unwrap());
        for _ in 0..3 {
            assert_eq!(buckets.take(&one, at(1000)), Ok(()));
        }
        assert_eq!(buckets.take(&one, at(1000)), Err(100));
        assert_eq!(buckets.take(&one, at(1060)), Err(40));
        assert_eq!(buckets.peek(&two, at(1000)), Ok(()));
        assert_eq!(buckets.take(&one, at(1100)), Ok(()));
        assert_eq!(buckets.take(&one, at(1100)), Err(100));
        assert_eq!(buckets.take(&one, at(9000)), Ok(()));
    }

    #[test]
    fn a_clock_set_back_opens_a_bucket_no_later_than_its_own_span() {
        let buckets = Buckets::new(Rate::one_in_millis(2, 100));
        let one = "aa".parse().unwrap();
        assert_eq!(buckets.take(&one, at(1_000_000)), Ok(()));
        assert_eq!(buckets.take(&one, at(1_000)), Err(100));
        assert_eq!(buckets.take(&one, at(1_100)), Ok(()));
    }
}
