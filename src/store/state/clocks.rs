//! What a wrong clock leaves behind: ids that were forgotten too early, and records that lie far from their ids.

use std::collections::BTreeSet;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::domain::id::MessageId;
use crate::domain::limits::{MESSAGE_ID_AGE_MAX_MILLIS, MESSAGE_ID_AHEAD_MAX_MILLIS};
use crate::domain::time::Timestamp;

/// Times at which the log stood that are told apart; with more of them everything between is searched.
const STOOD_MAX: usize = 64;

/// What is remembered of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// No id that was made after it has been forgotten.
    forgotten: Timestamp,
    /// Each that has been was accepted below this log index.
    below: u64,
    /// Times of acceptances that lie further behind the making of their id than an id is admitted. Ids are admitted by the clock: the log's time
    /// stood ahead of it, and all records of such a while bear one time.
    stood: BTreeSet<Timestamp>,
}

impl Clocks {
    /// Of a state that forgot nothing.
    pub(super) const fn new() -> Self {
        Self { forgotten: Timestamp::from_millis(i64::MIN), below: 0, stood: BTreeSet::new() }
    }

    /// Of a state that may have forgotten any id made until `forgotten`.
    pub(super) const fn forgot(forgotten: Timestamp) -> Self {
        Self { forgotten, below: u64::MAX, stood: BTreeSet::new() }
    }

    pub(super) const fn forgotten(&self) -> Timestamp {
        self.forgotten
    }

    /// Ids are forgotten, all of which were accepted below log index `size`: when the newest was made and where the last was accepted.
    pub(super) fn forget(&mut self, gone: Option<(Timestamp, u64)>, size: u64) {
        // What an older program forgot was there by then.
        self.below = self.below.min(size);
        if let Some((newest, last)) = gone {
            self.forgotten = self.forgotten.max(newest);
            self.below = self.below.max(last + 1);
        }
    }

    /// A message was accepted by a record of `time`.
    pub(super) fn accepted(&mut self, id: MessageId, time: Timestamp) {
        if time > id.timestamp().plus_millis(MESSAGE_ID_AGE_MAX_MILLIS) && !self.stood.contains(&time) {
            if self.stood.len() >= STOOD_MAX {
                self.stood.pop_last();
            }
            self.stood.insert(time);
        }
    }

    /// Where the record of an acceptance of `id` lies, if it is forgotten.
    #[must_use]
    pub fn places_of(&self, id: MessageId) -> Places {
        Places { times: self.times_of(id), below: self.below }
    }

    fn times_of(&self, id: MessageId) -> Vec<(Timestamp, Timestamp)> {
        let made = id.timestamp();
        let (first, last) = (made.plus_millis(-MESSAGE_ID_AHEAD_MAX_MILLIS), made.plus_millis(MESSAGE_ID_AGE_MAX_MILLIS));
        if self.stood.len() >= STOOD_MAX {
            return vec![(first, self.stood.last().copied().map_or(last, |stood| stood.max(last)))];
        }
        let stood = self.stood.range((Bound::Excluded(last), Bound::Unbounded));
        std::iter::once((first, last)).chain(stood.map(|at| (*at, *at))).collect()
    }
}

/// Where a record may lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Between these times, first and last; in order, and at least one.
    pub times: Vec<(Timestamp, Timestamp)>,
    /// Below this log index.
    pub below: u64,
}

impl Places {
    /// No earlier than this.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.times.first().map_or(Timestamp::from_millis(i64::MIN), |(first, _)| *first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::DAY_MILLIS;

    #[test]
    fn a_record_far_from_its_id_is_looked_for_where_the_log_stood() {
        let at = |days: i64| Timestamp::from_millis(days * DAY_MILLIS);
        let id = |days: i64| MessageId::new(at(days), [1; 10]);
        let window = |days: i64| (at(days).plus_millis(-300_000), at(days + 30));
        let mut clocks = Clocks::new();
        clocks.accepted(id(100), at(130));
        assert_eq!(clocks.times_of(id(100)), [window(100)], "as old as an id may be");
        for _ in 0..2 {
            clocks.accepted(id(100), at(140));
        }
        clocks.accepted(id(150), at(900));
        assert_eq!(clocks.times_of(id(100)), [window(100), (at(140), at(140)), (at(900), at(900))]);
        assert_eq!(clocks.times_of(id(120)), [window(120), (at(900), at(900))], "what lies in the window is not searched twice");
        assert_eq!(clocks.times_of(id(900)), [window(900)]);
        for day in 1000..1200 {
            clocks.accepted(id(day - 40), at(day));
        }
        assert_eq!(clocks.stood.len(), STOOD_MAX);
        assert_eq!(clocks.times_of(id(100)), [(window(100).0, at(1199))], "of very many, none is left out");
    }

    #[test]
    fn a_forgotten_id_lies_below_the_last_of_those_that_were_forgotten() {
        let at = |millis: i64| Timestamp::from_millis(millis);
        let id = MessageId::new(at(0), [1; 10]);
        let mut clocks = Clocks::new();
        assert_eq!(clocks.places_of(id).below, 0, "none is forgotten");
        clocks.forget(None, 40);
        assert_eq!((clocks.forgotten(), clocks.places_of(id).below), (at(i64::MIN), 0));
        for (newest, last, below) in [(5, 30, 31), (3, 35, 36), (9, 2, 36)] {
            clocks.forget(Some((at(newest), last)), 40);
            assert_eq!(clocks.places_of(id).below, below);
        }
        assert_eq!(clocks.forgotten(), at(9));
        let mut clocks = Clocks::forgot(at(7));
        assert_eq!(clocks.places_of(id).below, u64::MAX, "an older program did not say");
        clocks.forget(None, 50);
        assert_eq!(clocks.places_of(id).below, 50);
        clocks.forget(Some((at(1), 60)), 70);
        assert_eq!((clocks.forgotten(), clocks.places_of(id).below), (at(7), 61));
    }
}
