//! Failed reloads on their way into the log: each content of a file once, and of each file at most one a minute.

use std::collections::BTreeMap;

use crate::audit::event::{Event, ReloadFault, ReloadedFile};
use crate::domain::time::Timestamp;

/// Failed reloads of one file become an event at most so often, in milliseconds.
const EVENT_EVERY_MILLIS: i64 = 60_000;

/// A failed reload: why, and the digest of what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) fault: ReloadFault,
    /// Of a secret only to know it again: never written down.
    pub(super) digest: Option<[u8; 32]>,
}

/// Which file, by its kind and its place among those that are watched.
pub(super) type Which = (ReloadedFile, usize);

/// What is known of the failures of one file.
#[derive(Debug, Default)]
struct Known {
    last: Option<Failure>,
    /// Contents that are not in an event yet, and the last of them.
    waiting: Option<(u64, Failure)>,
    noted_at: Option<Timestamp>,
}

/// Failures by file.
#[derive(Debug, Default)]
pub(super) struct Failures(BTreeMap<Which, Known>);

impl Failures {
    /// Takes note of a failure; whether it is one that was not known.
    pub(super) fn failed(&mut self, file: Which, failure: Failure) -> bool {
        let known = self.0.entry(file).or_default();
        if known.last == Some(failure) {
            return false;
        }
        known.last = Some(failure);
        known.waiting = Some((known.waiting.map_or(0, |(contents, _)| contents) + 1, failure));
        true
    }

    /// The newest content of the file is in force: the same bad content would be news again.
    pub(super) fn succeeded(&mut self, file: Which) {
        if let Some(known) = self.0.get_mut(&file) {
            known.last = None;
        }
    }

    /// The events that are due.
    pub(super) fn due(&self, now: Timestamp) -> Vec<(Which, Event)> {
        let mut events = Vec::new();
        for (which, known) in &self.0 {
            let rests = known.noted_at.is_some_and(|at| at <= now && now < at.plus_millis(EVENT_EVERY_MILLIS));
            let Some((contents, Failure { fault, digest })) = known.waiting.filter(|_| !rests) else { continue };
            let digest = digest.filter(|_| which.0 != ReloadedFile::Key);
            events.push((*which, Event::ReloadFailed { file: which.0, fault, digest, contents }));
        }
        events
    }

    /// An event is in the log.
    pub(super) fn noted(&mut self, file: Which, now: Timestamp) {
        let known = self.0.entry(file).or_default();
        known.waiting = None;
        known.noted_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(byte: u8) -> Failure {
        Failure { fault: ReloadFault::Malformed, digest: Some([byte; 32]) }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn event(file: ReloadedFile, digest: Option<[u8; 32]>) -> Event {
        Event::ReloadFailed { file, fault: ReloadFault::Malformed, digest, contents: 1 }
    }

    #[test]
    fn a_bad_content_is_one_event_and_a_flood_of_them_one_a_minute() {
        let (ca, key, register) = ((ReloadedFile::ClientCa, 2), (ReloadedFile::Key, 1), (ReloadedFile::Register, 0));
        let mut failures = Failures::default();
        assert!(failures.failed(ca, failure(1)) && !failures.failed(ca, failure(1)));
        let events = failures.due(at(0));
        assert_eq!(events, [(ca, event(ReloadedFile::ClientCa, Some([1; 32])))]);
        assert_eq!(failures.due(at(0)), events, "it stays due until it is in the log");
        failures.noted(ca, at(0));
        // Another content every second for an hour, and the same one again and again.
        let mut count = 0;
        for second in 1..=3600_i64 {
            failures.failed(ca, failure(u8::try_from(second % 200).unwrap()));
            for (file, event) in failures.due(at(second * 1000)) {
                let Event::ReloadFailed { contents, .. } = event else { panic!() };
                assert!(contents <= 60);
                failures.noted(file, at(second * 1000));
                count += 1;
            }
        }
        assert_eq!(count, 60);
        failures.failed(register, failure(9));
        failures.failed(key, failure(9));
        let others: Vec<_> = failures.due(at(3_600_000)).into_iter().map(|(_, event)| event).collect();
        assert!(others.contains(&event(ReloadedFile::Register, Some([9; 32]))));
        assert!(others.contains(&event(ReloadedFile::Key, None)), "a secret's digest is not written down");
    }

    #[test]
    fn two_bad_files_of_one_kind_are_an_event_each() {
        let lists = [(ReloadedFile::RevocationList, 3), (ReloadedFile::RevocationList, 4)];
        let mut failures = Failures::default();
        assert!(lists.iter().all(|list| failures.failed(*list, failure(1))));
        assert_eq!(failures.due(at(0)).len(), 2);
        failures.noted(lists[0], at(0));
        assert_eq!(failures.due(at(1)).into_iter().map(|(which, _)| which).collect::<Vec<_>>(), [lists[1]]);
        failures.succeeded(lists[0]);
        assert!(failures.failed(lists[0], failure(1)) && !failures.failed(lists[1], failure(1)));
    }

    #[test]
    fn a_content_that_was_bad_before_a_good_one_is_news_again() {
        let (register, ca) = ((ReloadedFile::Register, 0), (ReloadedFile::ClientCa, 2));
        let mut failures = Failures::default();
        assert!(failures.failed(register, failure(1)));
        failures.succeeded(ca);
        assert!(!failures.failed(register, failure(1)));
        failures.succeeded(register);
        assert!(failures.failed(register, failure(1)));
        // A clock that was set back does not silence it for ever.
        failures.noted(register, at(10_000_000));
        assert!(failures.failed(register, failure(2)));
        assert_eq!(failures.due(at(0)).len(), 1);
    }
}
