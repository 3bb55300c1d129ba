//! How much of the log cannot be read. To count it reads every record, so that is done beside the questions that it is told with, and no more often
//! than [`REST`] allows. Who asks when the last count is older than that waits for the new one, within [`PATIENCE`]: what broke meanwhile is in the
//! answer. It waits whatever it asks for, and is told the same: an answer that said at once what it met itself would tell what that was.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::store::StoreError;

/// A count is believed for so long at least, and for [`REST`] times what it took, before a question has it made anew.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// See [`KNOWN_FOR`].
const REST: u32 = 20;
/// How long who asks waits for a newer count where there is one: beyond that, of a log that takes long to read, the last one answers.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// So old a count becomes while nobody asks.
pub(super) const LOOKED_EVERY: Duration = Duration::from_secs(60 * 60);

/// A count that was made, and when and how long that took.
#[derive(Debug, Clone, Copy)]
struct Damage {
    entries: u64,
    at: Instant,
    took: Duration,
}

/// A count of the whole log, made only if it is wanted.
pub(super) trait Counting: Future<Output = Result<u64, StoreError>> + Send + 'static {}

impl<F: Future<Output = Result<u64, StoreError>> + Send + 'static> Counting for F {}

/// What became of the count that runs: nothing yet, or what it came to.
type Ended = watch::Receiver<Option<Result<u64, StoreError>>>;

#[derive(Debug, Default)]
struct Known {
    last: Option<Damage>,
    running: Option<Ended>,
}

/// The last count and the one that runs: never two at once.
#[derive(Debug, Default)]
pub(super) struct DamageCount(Mutex<Known>);

impl DamageCount {
    /// How many entries of the log cannot be read, by a count that is believed, or else by a new one that all who ask meanwhile wait for: as long as
    /// it takes where there is none yet, else for `patience`, [`PATIENCE`] but in tests.
    ///
    /// # Errors
    /// The store's, of the first count.
    pub(super) async fn entries(self: &Arc<Self>, patience: Duration, count: impl Counting) -> Result<u64, StoreError> {
        let (mut running, last) = {
            let mut known = self.0.lock();
            let believed = |damage: &Damage| damage.at.elapsed() < KNOWN_FOR.max(damage.took * REST);
            match known.last {
                Some(damage) if believed(&damage) => return Ok(damage.entries),
                last => (self.begin(&mut known, count), last),
            }
        };
        let counted = async move {
            let ended = running.wait_for(Option::is_some).await.map_err(|_| StoreError::Stopped)?;
            ended.clone().unwrap_or(Err(StoreError::Stopped))
        };
        let Some(last) = last else { return counted.await };
        Ok(tokio::time::timeout(patience, counted).await.ok().and_then(Result::ok).unwrap_or(last.entries))
    }

    /// Begins a count where there is none as young as [`LOOKED_EVERY`], and does not wait for it.
    pub(super) fn look(self: &Arc<Self>, count: impl Counting) {
        let mut known = self.0.lock();
        if known.last.is_none_or(|damage| damage.at.elapsed() >= LOOKED_EVERY) {
            self.begin(&mut known, count);
        }
    }

    /// The count that runs, or a new one.
    fn begin(self: &Arc<Self>, known: &mut Known, count: impl Counting) -> Ended {
        // One that ended without a word is none.
        if let Some(running) = known.running.as_ref().filter(|running| running.has_changed().is_ok()) {
            return running.clone();
        }
        let (told, ended) = watch::channel(None);
        known.running = Some(ended.clone());
        let kept = Arc::clone(self);
        tokio::spawn(async move {
            let begun = Instant::now();
            let found = count.await;
            let mut known = kept.0.lock();
            known.running = None;
            if let Ok(entries) = found {
                known.last = Some(Damage { entries, at: Instant::now(), took: begun.elapsed() });
            }
            drop(known);
            told.send_replace(Some(found));
        });
        ended
    }
}

#[cfg(test)]
impl DamageCount {
    /// Makes the last count older.
    pub(super) fn age(&self, by: Duration) {
        let mut known = self.0.lock();
        let last = known.last.as_mut().unwrap();
        last.at = last.at.checked_sub(by).unwrap();
    }

    /// Whether a count runs or was made.
    pub(super) fn is_begun(&self) -> bool {
        let known = self.0.lock();
        known.running.is_some() || known.last.is_some()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// A count that comes to what it is told, when it is told.
    fn told() -> (oneshot::Sender<u64>, impl Counting) {
        let (tell, told) = oneshot::channel();
        (tell, async move { told.await.map_err(|_| StoreError::Stopped) })
    }

    async fn never() -> Result<u64, StoreError> {
        panic!("a count that nobody wants")
    }

    /// Makes the last count one that was made so long ago and took so long.
    fn made(counts: &DamageCount, ago: Duration, took: Duration) {
        let mut known = counts.0.lock();
        let last = known.last.as_mut().unwrap();
        (last.at, last.took) = (Instant::now().checked_sub(ago).unwrap(), took);
    }

    async fn settled(counts: &DamageCount) {
        let running = counts.0.lock().running.clone();
        if let Some(mut running) = running {
            let _ = running.wait_for(Option::is_some).await;
        }
    }

    #[tokio::test]
    async fn who_asks_first_waits_for_the_count_that_runs_and_who_asks_when_it_is_old_for_a_while() {
        let counts = Arc::new(DamageCount::default());
        let (tell, count) = told();
        counts.look(count);
        let waiting = [(); 2].map(|()| {
            let counts = Arc::clone(&counts);
            tokio::spawn(async move { counts.entries(PATIENCE, never()).await })
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(waiting.iter().all(|asked| !asked.is_finished()), "there is no number yet");
        tell.send(3).unwrap();
        for asked in waiting {
            assert_eq!(asked.await.unwrap(), Ok(3));
        }
        // One that took 5 seconds is believed for 100.
        made(&counts, Duration::from_secs(98), Duration::from_secs(5));
        assert_eq!(counts.entries(PATIENCE, never()).await, Ok(3));
        made(&counts, Duration::from_secs(101), Duration::from_secs(5));
        let (tell, count) = told();
        let soon = Duration::from_millis(30);
        let begun = Instant::now();
        assert_eq!(counts.entries(soon, count).await, Ok(3), "of a log that takes long to read, the last one answers");
        assert!(begun.elapsed() >= soon);
        let waiting = tokio::spawn({
            let counts = Arc::clone(&counts);
            async move { counts.entries(PATIENCE, never()).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        tell.send(4).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(4), "what broke meanwhile is in the answer, and no other count was begun");
        assert_eq!(counts.entries(PATIENCE, never()).await, Ok(4));
    }

    #[tokio::test]
    async fn a_count_is_looked_after_once_an_hour_where_nobody_asks() {
        let counts = Arc::new(DamageCount::default());
        counts.look(async { Ok(1) });
        settled(&counts).await;
        made(&counts, LOOKED_EVERY - Duration::from_secs(60), Duration::ZERO);
        counts.look(never());
        assert!(counts.0.lock().running.is_none());
        made(&counts, LOOKED_EVERY, Duration::ZERO);
        counts.look(async { Ok(2) });
        settled(&counts).await;
        assert_eq!(counts.entries(PATIENCE, never()).await, Ok(2));
    }

    #[tokio::test]
    async fn a_count_that_failed_is_told_and_made_again() {
        let counts = Arc::new(DamageCount::default());
        assert_eq!(counts.entries(PATIENCE, async { Err(StoreError::Stopped) }).await, Err(StoreError::Stopped));
        assert_eq!(counts.entries(PATIENCE, async { Ok(1) }).await, Ok(1));
        // One that failed later leaves the last.
        made(&counts, KNOWN_FOR, Duration::ZERO);
        assert_eq!(counts.entries(PATIENCE, async { Err(StoreError::Stopped) }).await, Ok(1));
        assert_eq!(counts.entries(PATIENCE, async { Ok(5) }).await, Ok(5));
        assert_eq!(counts.entries(PATIENCE, never()).await, Ok(5));
        // One that ended without a word holds up none.
        made(&counts, LOOKED_EVERY, Duration::ZERO);
        counts.look(never());
        settled(&counts).await;
        counts.look(async { Ok(6) });
        settled(&counts).await;
        assert_eq!(counts.entries(PATIENCE, never()).await, Ok(6));
    }
}
