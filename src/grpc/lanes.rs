//! Lanes: in one round of the runtime a participant's calls go on by a few steps, and then everybody else's do. The runtime serves tasks in the order in
//! which they woke; without lanes a hundred calls that one client sends in a breath stand before the next call of another.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::domain::id::ParticipantId;

/// Steps of one participant's calls in a round: each goes on until the call has to wait for something, some tens of microseconds, so that another waits
/// for a millisecond of them at most. With eight the frames of a busy participant grew smaller, and a tenth of what it can send was lost.
const STEPS: usize = 32;

/// The lane of each participant that ever called.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<ParticipantId, Arc<Mutex<Round>>>>);

/// How far the round is, and who waits for the next.
#[derive(Debug, Default)]
struct Round {
    /// Calls and streams at work.
    calls: usize,
    taken: usize,
    /// In the order in which they came; no more than calls and streams are admitted.
    waiting: VecDeque<Waker>,
    /// How many were woken before the first of these.
    woken: u64,
    /// A task stands behind all that is ready now, and begins the next round.
    is_going_round: bool,
}

impl Round {
    /// Puts a call at the end of the line. One that was woken for another reason while it stands there keeps its place.
    fn wait(&mut self, came: Option<u64>, waker: &Waker) -> u64 {
        let stands = came.and_then(|came| Some((came, usize::try_from(came.checked_sub(self.woken)?).ok()?)));
        match stands.and_then(|(came, at)| Some((came, self.waiting.get_mut(at)?))) {
            Some((came, stood)) => {
                stood.clone_from(waker);
                came
            }
            None => {
                self.waiting.push_back(waker.clone());
                self.woken + self.waiting.len() as u64 - 1
            }
        }
    }

    /// Begins the next round: who is to be woken for it, or none when nobody waits and no more rounds are gone.
    fn next(&mut self) -> Vec<Waker> {
        self.taken = 0;
        let next = self.waiting.len().min(STEPS);
        self.is_going_round = next > 0;
        self.woken += next as u64;
        self.waiting.drain(..next).collect()
    }
}

impl Lanes {
    /// For one call of `participant`.
    pub(super) fn of(&self, participant: &ParticipantId) -> Lane {
        let round = Arc::clone(self.0.lock().entry(participant.clone()).or_default());
        round.lock().calls += 1;
        Lane { round, came: None }
    }
}

/// One call's way through the lane of its participant.
#[derive(Debug)]
pub(super) struct Lane {
    round: Arc<Mutex<Round>>,
    /// How many came into the line before it did, if it ever stood there.
    came: Option<u64>,
}

impl Lane {
    /// Goes on with `work` by a step, when the round has one left.
    pub(super) fn poll<T>(&mut self, cx: &mut Context<'_>, work: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let mut round = self.round.lock();
        // So few can take no more steps than there are in a round; to go round for them would cost more than they do.
        if round.calls <= STEPS {
            drop(round);
            self.came = None;
            return work(cx);
        }
        if round.taken == STEPS {
            self.came = Some(round.wait(self.came, cx.waker()));
            return Poll::Pending;
        }
        round.taken += 1;
        if !std::mem::replace(&mut round.is_going_round, true) {
            tokio::spawn(go_round(Arc::clone(&self.round)));
        }
        drop(round);
        self.came = None;
        work(cx)
    }

    /// Does `work` in this lane.
    pub(super) async fn run<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| self.poll(cx, |cx| work.as_mut().poll(cx))).await
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.round.lock().calls -= 1;
    }
}

/// Begins rounds until nobody waits for one. Whoever is woken and goes away instead takes nobody's step: the next in line are woken a round later.
async fn go_round(lane: Arc<Mutex<Round>>) {
    loop {
        // To the end of all that is ready.
        tokio::task::yield_now().await;
        let next = lane.lock().next();
        if next.is_empty() {
            return;
        }
        next.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn id(text: &str) -> ParticipantId {
        text.parse().unwrap()
    }

    fn call(lanes: &Lanes, of: &str, steps: usize, taken: &Arc<AtomicUsize>) -> tokio::task::JoinHandle<()> {
        let taken = Arc::clone(taken);
        tokio::spawn(lanes.of(&id(of)).run(async move {
            for _ in 0..steps {
                taken.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }))
    }

    /// On one thread, which serves in the order of waking.
    #[tokio::test]
    async fn another_s_call_is_not_behind_all_that_one_client_sends_in_a_breath() {
        let (lanes, taken) = (Lanes::default(), Arc::default());
        let many: Vec<_> = (0..100).map(|_| call(&lanes, "aa", 4, &taken)).collect();
        let before = Arc::clone(&taken);
        let other = lanes.of(&id("bb")).run(async move { before.load(Ordering::SeqCst) });
        assert_eq!(tokio::spawn(other).await.unwrap(), STEPS);
        for one in many {
            one.await.unwrap();
        }
        assert_eq!(taken.load(Ordering::SeqCst), 400, "all of them come to their end");
    }

    #[tokio::test]
    async fn calls_that_are_broken_off_while_they_wait_hold_nobody_up() {
        let (lanes, taken) = (Lanes::default(), Arc::default());
        let many: Vec<_> = (0..100).map(|_| call(&lanes, "aa", 1, &taken)).collect();
        tokio::task::yield_now().await;
        many[STEPS..90].iter().for_each(tokio::task::JoinHandle::abort);
        let last = call(&lanes, "aa", 1, &taken);
        tokio::time::timeout(std::time::Duration::from_secs(10), last).await.unwrap().unwrap();
        for one in many.into_iter().skip(90) {
            one.await.unwrap();
        }
        let round = Arc::clone(&lanes.of(&id("aa")).round);
        while round.lock().is_going_round {
            tokio::task::yield_now().await;
        }
        let left = round.lock();
        assert_eq!((left.calls, left.taken, left.waiting.len()), (0, 0, 0), "nothing is left of it");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_thousand_calls_on_two_threads_all_end() {
        let (lanes, taken) = (Lanes::default(), Arc::default());
        let many: Vec<_> = (0..1000).map(|_| call(&lanes, "aa", 5, &taken)).collect();
        for one in many {
            tokio::time::timeout(std::time::Duration::from_secs(20), one).await.unwrap().unwrap();
        }
        assert_eq!(taken.load(Ordering::SeqCst), 5000);
    }
}
