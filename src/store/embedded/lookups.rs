//! Looking for ids that the state has forgotten. Each look reads up to a month of records, so there is one at a time, and whoever had one waits for
//! longer than it took before the next.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::domain::id::ParticipantId;
use crate::store::StoreError;

/// After a look of some time its participant has none for so many times as long: a fifth of one processor at most, for however many calls.
const REST: i64 = 4;

/// Who looks, who waits, who rests.
pub struct Lookups {
    clock: Arc<dyn Clock>,
    /// Whoever holds it looks; the others wait in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    /// Of each participant that ever looked: one look at a time, so that nobody waits behind the many of another.
    places: Mutex<HashMap<ParticipantId, Place>>,
}

/// Where a participant stands, in milliseconds of the clock that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Its look is under way or waits.
    Taken,
    /// It may look again from then on.
    FreeFrom(i64),
}

impl Lookups {
    /// Nobody looks.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, turn: tokio::sync::Mutex::const_new(()), places: Mutex::default() }
    }

    /// Does `work` on a thread of its own, when it is its turn. It is done to its end also when nobody waits for it any more: a call that is broken
    /// off frees no place.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while an earlier look of `participant` has not ended, or not for long enough.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        participant: &ParticipantId,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut asking = Asking::enter(Arc::clone(self), participant.clone())?;
        let looked = tokio::spawn(async move {
            let lookups = Arc::clone(&asking.lookups);
            let turn = lookups.turn.lock().await;
            let begun = lookups.clock.elapsed_millis();
            let found = tokio::task::spawn_blocking(work).await;
            asking.looked_millis = lookups.clock.elapsed_millis().saturating_sub(begun);
            drop((asking, turn));
            found
        });
        looked.await.and_then(|found| found).map_err(|_| StoreError::Stopped)?
    }
}

/// A taken place.
struct Asking {
    lookups: Arc<Lookups>,
    participant: ParticipantId,
    looked_millis: i64,
}

impl Asking {
    fn enter(lookups: Arc<Lookups>, participant: ParticipantId) -> Result<Self, StoreError> {
        let now = lookups.clock.elapsed_millis();
        let mut places = lookups.places.lock();
        if places.get(&participant).is_some_and(|place| !matches!(place, Place::FreeFrom(from) if *from <= now)) {
            return Err(StoreError::Busy);
        }
        places.insert(participant.clone(), Place::Taken);
        drop(places);
        Ok(Self { lookups, participant, looked_millis: 0 })
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        let free = self.lookups.clock.elapsed_millis().saturating_add(self.looked_millis.saturating_mul(REST));
        self.lookups.places.lock().insert(self.participant.clone(), Place::FreeFrom(free));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clock::MockClock;
    use crate::domain::time::Timestamp;

    fn id(text: &str) -> ParticipantId {
        text.parse().unwrap()
    }

    fn lookups() -> (Arc<MockClock>, Arc<Lookups>) {
        let clock = Arc::new(MockClock::new(Timestamp::from_millis(0)));
        (Arc::clone(&clock), Arc::new(Lookups::new(clock)))
    }

    #[tokio::test]
    async fn a_participant_has_one_look_and_it_ends_though_its_call_is_broken_off() {
        let (_, lookups) = lookups();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go, wait) = mpsc::channel::<()>();
        let held = tokio::spawn({
            let lookups = Arc::clone(&lookups);
            async move {
                let look = move || {
                    begun.send(()).unwrap();
                    wait.recv().map_err(|_| StoreError::Stopped)
                };
                lookups.run(&id("aa"), look).await
            }
        });
        has_begun.await.unwrap();
        held.abort();
        assert!(held.await.unwrap_err().is_cancelled());
        // The look goes on, so its participant has no second one and nobody else's begins.
        assert!(matches!(lookups.run(&id("aa"), || Ok(())).await, Err(StoreError::Busy)));
        assert!(lookups.turn.try_lock().is_err());
        let other = tokio::spawn({
            let lookups = Arc::clone(&lookups);
            async move { lookups.run(&id("bb"), || Ok(7)).await }
        });
        while lookups.places.lock().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(!other.is_finished());
        go.send(()).unwrap();
        assert_eq!(other.await.unwrap().unwrap(), 7);
        assert_eq!(lookups.run(&id("aa"), || Ok(1)).await.unwrap(), 1, "its place is free again");
    }

    #[tokio::test]
    async fn whoever_looked_rests_for_four_times_as_long_and_nobody_else_does() {
        let (clock, lookups) = lookups();
        let look = {
            let clock = Arc::clone(&clock);
            move || {
                clock.advance_millis(100);
                Err::<(), _>(StoreError::Full)
            }
        };
        assert!(matches!(lookups.run(&id("aa"), look).await, Err(StoreError::Full)));
        lookups.run(&id("bb"), || Ok(())).await.unwrap();
        clock.advance_millis(399);
        assert!(matches!(lookups.run(&id("aa"), || Ok(())).await, Err(StoreError::Busy)));
        clock.advance_millis(1);
        lookups.run(&id("aa"), || Ok(())).await.unwrap();
    }
}
