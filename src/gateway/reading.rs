//! Reading through the log, in [`Turns`](crate::store::turns::Turns), and giving much of it away, at a [`Pace`]. Whatever a participant reads that is
//! more than one answer goes through here, so that its client's speed is not what others wait for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Gateway;
use crate::audit::sight::Sight;
use crate::clock::Clock;
use crate::domain::id::ParticipantId;
use crate::policy::permit::Caller;
use crate::store::turns::Terms;
use crate::store::{Page, RecordFilter, Stats, Store, StoreError};

/// Reading itself gives way by [its threads](crate::store::readers::Readers), so that nobody rests for it: an answer's time tells nothing of what was
/// read for others before it.
pub(super) const PAGES: Terms = Terms { rest: 0, patience: Duration::from_secs(25) };
/// A check of a whole period: one at a time in all, and of each participant one that waits.
pub(super) const SCANS: Terms = PAGES;

/// What is given away by the many, and what one takes to be written, encrypted and sent, in microseconds of one processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// A change of a status feed.
    Change,
    /// A record in an auditor's list.
    Row,
    /// An entry of an export, with what opens it.
    Entry,
    /// That a bound is crossed, with the whole of the call before it.
    Refusal,
}

impl Given {
    const fn micros(self) -> u64 {
        match self {
            Self::Change => 10,
            Self::Row => 15,
            Self::Entry => 20,
            Self::Refusal => 200,
        }
    }
}

/// How many times as long as its answers take a participant waits before the next: it has a quarter of one processor at most.
const TIMES: u64 = 4;
/// So much of that wait may come later, for whoever was given little of late: a list of three thousand records goes out at once.
const AT_ONCE: Duration = Duration::from_millis(200);

/// How fast answers leave that are many, of all streams of one participant together: those that can be had again and again, as mail cannot, each item of
/// which is handed out by an event and gone when it is acknowledged. The threads that write them serve everybody, and a client that
/// opens its windows wide would else decide how long the others' answers wait.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    /// Until when each participant has been given what is its due, in microseconds of the clock that nobody sets.
    given: Mutex<HashMap<ParticipantId, i64>>,
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Pace {
    /// Nobody was given anything.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, given: Mutex::default() }
    }

    /// Notes that `participant` is given `took` of a processor's time; how long that has to wait.
    fn note(&self, participant: &ParticipantId, took: Duration) -> Duration {
        let now = self.clock.elapsed_micros();
        let mut given = self.given.lock();
        let until = given.entry(participant.clone()).or_insert(now);
        let due = (*until).max(now);
        *until = due.saturating_add(micros(took));
        let wait = due.saturating_sub(micros(AT_ONCE)).saturating_sub(now);
        Duration::from_micros(u64::try_from(wait).unwrap_or(0))
    }

    /// Before `count` answers leave: waits until those that `participant` was given before are paid for.
    pub(super) async fn give(&self, participant: &ParticipantId, what: Given, count: usize) {
        if count == 0 {
            return;
        }
        let took = what.micros().saturating_mul(TIMES).saturating_mul(count as u64);
        let wait = self.note(participant, Duration::from_micros(took));
        if wait.is_zero() { tokio::task::yield_now().await } else { tokio::time::sleep(wait).await }
    }
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").finish_non_exhaustive()
    }
}

impl Gateway {
    /// What `work` reads, when it is the turn of `reader`.
    pub(super) async fn read<T, F>(&self, reader: &ParticipantId, work: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.reading.run(reader, work(Arc::clone(&self.store))).await
    }

    /// The same for an auditor.
    pub(super) async fn read_by<T, F>(&self, sight: &Sight, work: impl FnOnce(Arc<dyn Store>) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        match sight.reader() {
            Some(reader) => self.read(reader, work).await,
            None => work(Arc::clone(&self.store)).await,
        }
    }

    /// A page of the log for an auditor.
    pub(super) async fn page_by(&self, sight: &Sight, filter: &RecordFilter, max: usize) -> Result<Page, StoreError> {
        let filter = filter.clone();
        self.read_by(sight, move |store| async move { store.records(&filter, max).await }).await
    }

    /// Before `caller` hears that it crossed a bound: waits, where it heard that so often of late that others' calls would wait for its refusals.
    pub async fn pace_refusal(&self, caller: &Caller) {
        self.pace.give(caller.id(), Given::Refusal, 1).await;
    }

    /// The store's counts, for which every undelivered item is looked at.
    ///
    /// # Errors
    /// The store's, or that it is not `caller`'s turn for too long.
    pub async fn stats(&self, caller: &Caller) -> Result<Stats, StoreError> {
        self.read(caller.id(), |store| async move { store.stats().await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MockClock;
    use crate::domain::time::Timestamp;

    #[test]
    fn what_is_given_beyond_what_leaves_at_once_waits_and_of_another_nothing_does() {
        let clock = Arc::new(MockClock::new(Timestamp::from_millis(0)));
        let pace = Pace::new(clock.clone());
        let (one, other): (ParticipantId, ParticipantId) = ("aa".parse().unwrap(), "bb".parse().unwrap());
        let note = |who: &ParticipantId| pace.note(who, Duration::from_millis(120)).as_millis();
        assert_eq!([note(&one), note(&one), note(&one)], [0, 0, 40]);
        assert_eq!(note(&other), 0);
        clock.advance_millis(360);
        assert_eq!([note(&one), note(&one), note(&one)], [0, 0, 40], "all of it is paid for, and no more than that is saved");
    }
}
