//! Turns at reading: whoever reads through much of the log does it page by page, one page at a time in all and one of each participant. So many readings
//! of one participant at once cost no more than one, and another's page waits for one of its pages and not for all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;

use super::StoreError;
use crate::clock::Clock;
use crate::domain::id::ParticipantId;

/// Who reads, who waits, who rests.
pub struct Turns {
    clock: Arc<dyn Clock>,
    terms: Terms,
    /// Whoever holds it reads; the others wait in the order in which they came, one of each participant.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Of each participant that ever read.
    places: Mutex<HashMap<ParticipantId, Arc<Place>>>,
}

/// How long a participant rests and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// So many times as long as it read.
    pub rest: u32,
    /// Who waits longer for its turn is told to come back: more of its own reading is at work than can be done.
    pub patience: Duration,
}

#[derive(Debug, Default)]
struct Place {
    /// Whoever holds it is the one of its participant that reads or is next.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// When what it read last is rested for, in milliseconds of the clock that nobody sets.
    rested: AtomicI64,
}

/// A turn, until it is dropped.
#[must_use]
pub struct Turn {
    turns: Arc<Turns>,
    place: Arc<Place>,
    begun: i64,
    _held: (OwnedMutexGuard<()>, OwnedMutexGuard<()>),
}

impl Turns {
    /// Nobody reads.
    pub fn new(clock: Arc<dyn Clock>, terms: Terms) -> Arc<Self> {
        Arc::new(Self { clock, terms, turn: Arc::default(), places: Mutex::default() })
    }

    fn place(&self, participant: &ParticipantId) -> Arc<Place> {
        Arc::clone(self.places.lock().entry(participant.clone()).or_default())
    }

    async fn begin(self: &Arc<Self>, place: Arc<Place>, own: OwnedMutexGuard<()>) -> Turn {
        let all = Arc::clone(&self.turn).lock_owned().await;
        Turn { turns: Arc::clone(self), place, begun: self.clock.elapsed_millis(), _held: (own, all) }
    }

    fn rests(&self, place: &Place) -> bool {
        place.rested.load(Ordering::SeqCst) > self.clock.elapsed_millis()
    }

    /// A turn of `participant`, when it is its turn: behind its own others and behind one of each other participant.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when that is not soon enough, or it rests.
    pub async fn enter(self: &Arc<Self>, participant: &ParticipantId) -> Result<Turn, StoreError> {
        let place = self.place(participant);
        let entered = async {
            let own = Arc::clone(&place.turn).lock_owned().await;
            if self.rests(&place) { Err(StoreError::Busy) } else { Ok(self.begin(Arc::clone(&place), own).await) }
        };
        tokio::time::timeout(self.terms.patience, entered).await.unwrap_or(Err(StoreError::Busy))
    }

    /// Does `work` when it is the turn of `participant`. Once begun it is done to its end also when nobody waits for it any more: a call that is broken
    /// off frees no place.
    ///
    /// # Errors
    /// [`StoreError::Busy`] as [`Turns::enter`], and the work's own.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        participant: &ParticipantId,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.enter(participant).await?;
        let worked = tokio::spawn(async move {
            let found = work.await;
            drop(turn);
            found
        });
        worked.await.map_err(|_| StoreError::Stopped)?
    }

    /// The same for work that is refused rather than made to wait for the participant's own.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while an earlier turn of `participant` has not ended, or not for long enough, and the work's own.
    pub async fn run_now<T: Send + 'static>(
        self: &Arc<Self>,
        participant: &ParticipantId,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.place(participant);
        let own = Arc::clone(&place.turn).try_lock_owned().map_err(|_| StoreError::Busy)?;
        if self.rests(&place) {
            return Err(StoreError::Busy);
        }
        let turns = Arc::clone(self);
        let worked = tokio::spawn(async move {
            let turn = turns.begin(place, own).await;
            let found = work.await;
            drop(turn);
            found
        });
        worked.await.map_err(|_| StoreError::Stopped)?
    }
}

impl std::fmt::Debug for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turns").field("terms", &self.terms).finish_non_exhaustive()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (now, rest) = (self.turns.clock.elapsed_millis(), i64::from(self.turns.terms.rest));
        let took = now.saturating_sub(self.begun).max(0);
        self.place.rested.store(now.saturating_add(took.saturating_mul(rest)), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::clock::MockClock;
    use crate::domain::time::Timestamp;

    fn id(text: &str) -> ParticipantId {
        text.parse().unwrap()
    }

    fn turns(rest: u32) -> (Arc<MockClock>, Arc<Turns>) {
        let clock = Arc::new(MockClock::new(Timestamp::from_millis(0)));
        (Arc::clone(&clock), Turns::new(clock, Terms { rest, patience: Duration::from_millis(200) }))
    }

    #[tokio::test]
    async fn a_participant_has_one_look_and_it_ends_though_its_call_is_broken_off() {
        let (_, turns) = turns(4);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let held = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move {
                let look = async move {
                    begun.send(()).unwrap();
                    wait.await.map_err(|_| StoreError::Stopped)
                };
                turns.run_now(&id("aa"), look).await
            }
        });
        has_begun.await.unwrap();
        held.abort();
        assert!(held.await.unwrap_err().is_cancelled());
        // The look goes on, so its participant has no second one and nobody else's begins.
        assert!(matches!(turns.run_now(&id("aa"), async { Ok(()) }).await, Err(StoreError::Busy)));
        assert!(turns.turn.try_lock().is_err());
        let other = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.run_now(&id("bb"), async { Ok(7) }).await }
        });
        while turns.places.lock().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert!(!other.is_finished());
        go.send(()).unwrap();
        assert_eq!(other.await.unwrap().unwrap(), 7);
        assert_eq!(turns.run_now(&id("aa"), async { Ok(1) }).await.unwrap(), 1, "its place is free again");
    }

    #[tokio::test]
    async fn whoever_looked_rests_for_four_times_as_long_and_nobody_else_does() {
        let (clock, turns) = turns(4);
        let look = {
            let clock = Arc::clone(&clock);
            async move {
                clock.advance_millis(100);
                Err::<(), _>(StoreError::Full)
            }
        };
        assert!(matches!(turns.run_now(&id("aa"), look).await, Err(StoreError::Full)));
        turns.run_now(&id("bb"), async { Ok(()) }).await.unwrap();
        clock.advance_millis(399);
        assert!(matches!(turns.run_now(&id("aa"), async { Ok(()) }).await, Err(StoreError::Busy)));
        clock.advance_millis(1);
        turns.run_now(&id("aa"), async { Ok(()) }).await.unwrap();
    }

    #[tokio::test]
    async fn pages_are_read_one_at_a_time_and_another_s_comes_before_the_many_of_one() {
        let (_, turns) = turns(0);
        let (reading, order) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let page = |participant: &'static str| {
            let (turns, reading, order) = (Arc::clone(&turns), Arc::clone(&reading), Arc::clone(&order));
            tokio::spawn(async move {
                let work = async move {
                    assert_eq!(reading.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    reading.fetch_sub(1, Ordering::SeqCst);
                    order.lock().push(participant);
                    Ok(())
                };
                turns.run(&id(participant), work).await.unwrap();
            })
        };
        let mut pages: Vec<_> = (0..8).map(|_| page("aa")).collect();
        // On this one thread all eight wait before the other comes.
        tokio::task::yield_now().await;
        pages.push(page("bb"));
        for page in pages {
            page.await.unwrap();
        }
        let order = order.lock();
        assert_eq!(order.len(), 9);
        assert!(order.iter().position(|of| *of == "bb").unwrap() <= 2, "{order:?}");
    }

    #[tokio::test]
    async fn who_waits_for_too_long_is_told_to_come_back() {
        let (_, turns) = turns(0);
        let held = turns.enter(&id("aa")).await.unwrap();
        assert!(matches!(turns.run(&id("bb"), async { Ok(()) }).await, Err(StoreError::Busy)));
        assert!(matches!(turns.run(&id("aa"), async { Ok(()) }).await, Err(StoreError::Busy)));
        drop(held);
        turns.run(&id("bb"), async { Ok(()) }).await.unwrap();
    }
}
