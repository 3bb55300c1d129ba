//! What was refused: an event each within a bucket, beyond it one event per participant, reason and minute; strangers are only ever summed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::bucket::{Buckets, Rate};
use crate::audit::event::Event;
use crate::clock::Clock;
use crate::domain::id::{MessageId, ParticipantId};
use crate::domain::time::Timestamp;
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::Store;

const MINUTE_MILLIS: i64 = 60_000;

/// Buckets and sums. The keys are closed lists times the minutes since the last sweep, so the maps are bounded.
#[derive(Debug)]
pub(super) struct Refusals {
    events: Buckets<ParticipantId>,
    sums: Mutex<BTreeMap<(Timestamp, ParticipantId, Reason), u64>>,
    strangers: Mutex<BTreeMap<(Timestamp, Cow<'static, str>), u64>>,
}

pub(super) fn minute_of(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis().div_euclid(MINUTE_MILLIS) * MINUTE_MILLIS)
}

/// Whether a reason says anything about the caller at all.
const fn is_the_callers(reason: Reason) -> bool {
    !matches!(reason, Reason::StorageFull | Reason::Unavailable | Reason::DeadlineExceeded | Reason::Internal | Reason::StreamTakenOver)
}

impl Refusals {
    pub(super) fn new(rate: Rate) -> Self {
        Self { events: Buckets::new(rate), sums: Mutex::default(), strangers: Mutex::default() }
    }

    /// Records a refusal; when it returns, the event is durable or the refusal is counted.
    pub(super) async fn record(
        &self,
        store: &dyn Store,
        clock: &dyn Clock,
        caller: &Caller,
        verb: Verb,
        reason: Reason,
        message_id: Option<MessageId>,
    ) {
        if !is_the_callers(reason) {
            return;
        }
        if reason.is_a_bound() || self.events.take(caller.id(), clock.elapsed_millis()).is_err() {
            return self.sum(clock.now(), caller.id(), reason);
        }
        if let Err(error) = store.act(Command::Refuse { caller: caller.clone(), verb, reason, message_id }).await {
            tracing::warn!(%error, "a refusal could not be recorded by itself and is summed");
            self.sum(clock.now(), caller.id(), reason);
        }
    }

    pub(super) fn sum(&self, now: Timestamp, caller: &ParticipantId, reason: Reason) {
        *self.sums.lock().entry((minute_of(now), caller.clone(), reason)).or_default() += 1;
    }

    pub(super) fn stranger(&self, now: Timestamp, reason: &'static str) {
        *self.strangers.lock().entry((minute_of(now), Cow::Borrowed(reason))).or_default() += 1;
    }

    /// The sums of minutes that are over at `now`, taken out; of all minutes at the gateway's stop.
    pub(super) fn due(&self, now: Option<Timestamp>) -> Vec<Event> {
        let is_over = |minute: Timestamp| now.is_none_or(|now| minute_of(now) != minute);
        let mut events = Vec::new();
        self.sums.lock().retain(|(minute, caller, reason), count| {
            if is_over(*minute) {
                events.push(Event::RefusalsSummed { caller: caller.clone(), reason: reason.number(), minute: *minute, count: *count });
            }
            !is_over(*minute)
        });
        self.strangers.lock().retain(|(minute, reason), count| {
            if is_over(*minute) {
                events.push(Event::StrangersRefused { reason: reason.clone().into_owned(), minute: *minute, count: *count });
            }
            !is_over(*minute)
        });
        events
    }

    /// Puts back a sum that the store did not take.
    pub(super) fn put_back(&self, event: Event) {
        match event {
            Event::RefusalsSummed { caller, reason, minute, count } => {
                if let Some(reason) = Reason::of_number(reason) {
                    *self.sums.lock().entry((minute, caller, reason)).or_default() += count;
                }
            }
            Event::StrangersRefused { reason, minute, count } => {
                *self.strangers.lock().entry((minute, Cow::Owned(reason))).or_default() += count;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn sums_leave_when_their_minute_is_over_and_come_back_when_the_store_refuses() {
        let refusals = Refusals::new(Rate::one_in_millis(1, 1));
        let id: ParticipantId = "aa".parse().unwrap();
        for _ in 0..3 {
            refusals.sum(at(59_000), &id, Reason::RateLimited);
            refusals.stranger(at(59_000), "timeout");
        }
        assert!(refusals.due(Some(at(59_999))).is_empty());
        let events = refusals.due(Some(at(60_000)));
        assert_eq!(events.len(), 2);
        assert!(refusals.due(None).is_empty());
        for event in events.clone() {
            refusals.put_back(event);
        }
        assert_eq!(refusals.due(None), events);
    }
}
