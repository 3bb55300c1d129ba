//! Threads that read through the log and check it. They give way to every other thread of the process: a message never waits for a processor on which
//! somebody reads.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, mpsc};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::StoreError;

/// How nice they are, of 19: a thread that serves gets nine times as much of a processor that both want.
/// Not nicer, as they hold the store's locks for a few microseconds now and then, and whoever waits for one waits for them.
const NICE: i32 = 10;

/// Between two records: lets whoever waits for a processor go first. A thread that runs is not interrupted for another before its slice is over, however
/// nice it is, and that is milliseconds.
pub fn give_way() {
    std::thread::yield_now();
}

type Job = Box<dyn FnOnce() + Send>;

/// Some threads and the line before them, which is as long as its callers let it grow: whoever reads much reads in [turns](super::turns).
pub struct Readers {
    threads: NonZero<usize>,
    line: OnceLock<Option<mpsc::Sender<Job>>>,
}

impl Readers {
    /// So many threads, begun when there is something to read.
    #[must_use]
    pub const fn new(threads: NonZero<usize>) -> Self {
        Self { threads, line: OnceLock::new() }
    }

    /// What `work` finds.
    ///
    /// # Errors
    /// [`StoreError::Stopped`] when `work` panics or the machine gives no thread, and the work's own.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let line = self.line.get_or_init(|| begin(self.threads.get()).ok()).as_ref().ok_or(StoreError::Stopped)?;
        let job = Box::new(move || {
            // Nobody may wait any more.
            let _ = tell.send(work());
        });
        line.send(job).map_err(|_| StoreError::Stopped)?;
        told.await.map_err(|_| StoreError::Stopped)?
    }
}

/// The threads end when the line does.
fn begin(threads: usize) -> std::io::Result<mpsc::Sender<Job>> {
    let (line, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..threads {
        let jobs = Arc::clone(&jobs);
        std::thread::Builder::new().name("samband-read".to_owned()).spawn(move || {
            // Where it is forbidden, reading is as urgent as all else, and no less right.
            if let Err(error) = rustix::process::setpriority_process(None, NICE) {
                tracing::warn!(%error, "threads that read the log cannot give way to those that serve; allow setpriority to the gateway");
            }
            loop {
                let job = jobs.lock().recv();
                let Ok(job) = job else { return };
                // Its panic is told by the hook, and its caller hears that nothing was found.
                let _ = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
    }
    Ok(line)
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("threads", &self.threads).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readers() -> Readers {
        Readers::new(NonZero::<usize>::MIN)
    }

    #[tokio::test]
    async fn what_is_read_is_read_on_a_thread_that_gives_way_and_nothing_else_gives_way() {
        let readers = readers();
        let nice = || rustix::process::getpriority_process(None).map_err(|_| StoreError::Stopped);
        let before = nice().unwrap();
        assert!(before < NICE, "this test needs a machine that is not run as nicely");
        assert_eq!(readers.run(nice).await.unwrap(), NICE);
        assert_eq!(nice().unwrap(), before, "the thread that asks stays as it is");
    }

    #[tokio::test]
    async fn a_reading_that_panics_takes_nobody_elses_thread() {
        let readers = readers();
        let panics = || -> Result<(), StoreError> { panic!("as a parser might") };
        assert!(matches!(readers.run(panics).await, Err(StoreError::Stopped)));
        assert!(matches!(readers.run(|| Err::<(), _>(StoreError::Full)).await, Err(StoreError::Full)));
        assert_eq!(readers.run(|| Ok(7)).await.unwrap(), 7);
    }
}
