//! What a connection is busy with: who is idle makes way, and who does not take its answer is let go.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// The calls and streams at work on one connection.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    next: u64,
    /// Calls of one answer, by age.
    calls: BTreeMap<u64, Instant>,
    streams: usize,
    idle_since: Instant,
    served: bool,
}

/// A call of one answer, or a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Call(u64),
    Stream,
}

/// How long a connection has been idle, those first that make way first: who was never served, then who waits longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Idle {
    pub(super) was_served: bool,
    pub(super) since: Instant,
}

impl Activity {
    pub(super) fn new() -> Self {
        let state = State { next: 0, calls: BTreeMap::new(), streams: 0, idle_since: Instant::now(), served: false };
        Self(Mutex::new(state))
    }

    /// Something begins; an idle connection is one no longer.
    pub(super) fn begin(&self, is_stream: bool) -> Work {
        let mut state = self.0.lock();
        state.served = true;
        if is_stream {
            state.streams += 1;
            return Work::Stream;
        }
        let number = state.next;
        state.next += 1;
        state.calls.insert(number, Instant::now());
        Work::Call(number)
    }

    /// It is over: answered, or given up.
    pub(super) fn end(&self, work: Work) {
        let mut state = self.0.lock();
        match work {
            Work::Call(number) => _ = state.calls.remove(&number),
            Work::Stream => state.streams -= 1,
        }
        if state.calls.is_empty() && state.streams == 0 {
            state.idle_since = Instant::now();
        }
    }

    /// Since when nothing is at work, if so.
    pub(super) fn idle(&self) -> Option<Idle> {
        let state = self.0.lock();
        (state.calls.is_empty() && state.streams == 0).then_some(Idle { was_served: state.served, since: state.idle_since })
    }

    /// How long the oldest call of one answer has been at work.
    pub(super) fn oldest_call(&self) -> Option<Duration> {
        self.0.lock().calls.values().next().map(Instant::elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_until_something_begins_and_after_all_has_ended() {
        let activity = Activity::new();
        assert!(!activity.idle().unwrap().was_served);
        let (call, stream) = (activity.begin(false), activity.begin(true));
        assert_eq!(activity.idle(), None);
        assert!(activity.oldest_call().is_some());
        activity.end(call);
        assert_eq!((activity.idle(), activity.oldest_call()), (None, None), "a stream is no call that must end");
        activity.end(stream);
        assert!(activity.idle().unwrap().was_served);
    }

    #[test]
    fn who_was_never_served_makes_way_before_who_was_and_the_longest_idle_first() {
        let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut all =
            [Idle { was_served: true, since: early }, Idle { was_served: false, since: late }, Idle { was_served: false, since: early }];
        all.sort();
        assert_eq!(all.map(|idle| (idle.was_served, idle.since)), [(false, early), (false, late), (true, early)]);
    }
}
