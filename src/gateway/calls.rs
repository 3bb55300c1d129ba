//! What the process's own log says of calls: a line a minute for each participant, verb and answer, and refusals singly while they are few.
//!
//! A line a call would be gigabytes a day at the rate that one participant is allowed, and would tell no more.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::refusals::minute_of;
use crate::domain::id::ParticipantId;
use crate::domain::time::Timestamp;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;

/// So many refusals of one participant, verb and reason are told singly in a minute; further ones are in its sum.
const SINGLY_MAX: u64 = 5;

/// A participant's calls of one verb in one minute, with one answer; no reason where it was no refusal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    minute: Timestamp,
    caller: ParticipantId,
    verb: Verb,
    reason: Option<Reason>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    calls: u64,
    slowest_millis: u64,
}

/// The sums of minutes that are not told yet. The keys are closed lists times the minutes since the last round of the sweep, so the map is bounded.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<BTreeMap<Alike, Sum>>);

impl Calls {
    /// Counts an answer. Whether it is to be told by itself: a refusal, one of the first of its minute, and none of a bound, which come in floods.
    pub(super) fn count(&self, now: Timestamp, caller: &ParticipantId, verb: Verb, reason: Option<Reason>, millis: u64) -> bool {
        let mut sums = self.0.lock();
        let sum = sums.entry(Alike { minute: minute_of(now), caller: caller.clone(), verb, reason }).or_default();
        sum.calls += 1;
        sum.slowest_millis = sum.slowest_millis.max(millis);
        sum.calls <= SINGLY_MAX && reason.is_some_and(|reason| !reason.is_a_bound())
    }

    /// Tells the minutes that are over at `now`; all of them at the gateway's stop.
    pub(super) fn tell(&self, now: Option<Timestamp>) {
        for (Alike { minute, caller, verb, reason }, Sum { calls, slowest_millis }) in self.due(now) {
            let (participant, verb, reason) = (caller.as_str(), verb.call(), reason.map_or("OK", Reason::code));
            tracing::info!(%minute, participant, verb, reason, calls, slowest_millis, "answered in a minute");
        }
    }

    fn due(&self, now: Option<Timestamp>) -> BTreeMap<Alike, Sum> {
        let mut sums = self.0.lock();
        let Some(minute) = now.map(minute_of) else { return std::mem::take(&mut *sums) };
        let mut due = BTreeMap::new();
        sums.retain(|alike, sum| {
            if alike.minute != minute {
                due.insert(alike.clone(), *sum);
            }
            alike.minute == minute
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_s_calls_are_one_sum_for_each_answer_and_leave_when_it_is_over() {
        let (calls, at) = (Calls::default(), Timestamp::from_millis);
        let (one, other): (ParticipantId, ParticipantId) = ("aa".parse().unwrap(), "bb".parse().unwrap());
        for millis in 0..1000 {
            assert!(!calls.count(at(60_000 + millis), &one, Verb::GetProof, None, millis.unsigned_abs()), "a success is never told singly");
        }
        calls.count(at(60_000), &other, Verb::GetProof, None, 3);
        calls.count(at(60_000), &one, Verb::ListRecords, None, 4);
        assert!(calls.due(Some(at(119_999))).is_empty());
        calls.count(at(120_000), &one, Verb::GetProof, None, 5);
        let sums: Vec<Sum> = calls.due(Some(at(120_000))).into_values().collect();
        let sum = |calls, slowest_millis| Sum { calls, slowest_millis };
        assert_eq!(sums.len(), 3);
        assert!(sums.contains(&sum(1000, 999)) && sums.contains(&sum(1, 3)) && sums.contains(&sum(1, 4)), "{sums:?}");
        assert_eq!(calls.due(None).into_values().collect::<Vec<_>>(), [sum(1, 5)], "at the stop all that is left");
        assert!(calls.due(None).is_empty());
    }

    #[test]
    fn refusals_are_told_singly_while_they_are_few_and_those_of_a_bound_never() {
        let (calls, at) = (Calls::default(), Timestamp::from_millis);
        let id: ParticipantId = "aa".parse().unwrap();
        let told = |reason, millis| (0..100).filter(|_| calls.count(at(millis), &id, Verb::GetProof, Some(reason), 1)).count();
        assert_eq!(told(Reason::CallNotAllowed, 0), 5);
        assert_eq!(told(Reason::ReferenceUnknown, 0), 5, "another reason");
        assert_eq!(told(Reason::CallNotAllowed, 60_000), 5, "the next minute");
        assert_eq!(told(Reason::RateLimited, 0), 0);
    }
}
