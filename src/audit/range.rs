//! A complete range of the log, checked entry by entry: each record against its leaf, all leaves against the root of a signed head.
//!
//! Needs no store: a gateway feeds it from its files, an export's check from a bundle.

use super::checkpoint::Checkpoint;
use super::leaf::{Leaf, Openings};
use super::proof::verify_consistency;
use super::record::Record;
use super::sight::Sight;
use super::tree::{Frontier, Hash};
use crate::domain::time::Timestamp;

/// Indices that [`Checked::failed_at`] names.
pub const FAILED_AT_MAX: usize = 100;

/// What is held of an entry besides its leaf.
#[derive(Debug, Clone)]
pub enum Held {
    /// The record and what opens its leaf.
    Record(Box<(Record, Openings)>),
    /// Nothing: it was erased by its retention rule.
    Erased,
    /// Nothing: it lies outside the scope of whoever took the export.
    Closed,
    /// Something that cannot be read.
    Unreadable,
}

/// One entry of the log, to be checked.
#[derive(Debug, Clone)]
pub struct OpenEntry {
    /// Its place.
    pub index: u64,
    /// The entry in the log; none when the log's own files do not give it.
    pub leaf: Option<Leaf>,
    /// What is held of it.
    pub held: Held,
}

/// Which time is asked about; an open end has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
}

impl Period {
    /// Whether `at` lies in it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        !self.is_ahead(at) && self.is_begun(at)
    }

    /// Whether `at` lies before its end.
    #[must_use]
    pub fn is_begun(&self, at: Timestamp) -> bool {
        self.to.is_none_or(|to| at < to)
    }

    /// Whether all of it comes after `at`.
    #[must_use]
    pub fn is_ahead(&self, at: Timestamp) -> bool {
        self.from.is_some_and(|from| at < from)
    }

    /// Whether its end lies before its begin: then somebody turned it round.
    #[must_use]
    pub fn is_turned_round(&self) -> bool {
        self.from.zip(self.to).is_some_and(|(from, to)| to < from)
    }
}

/// Where a range comes from, and so what its unread entries are on: the gateway's own files, or the word of whoever made a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The log, for one who may see all of it.
    Log,
    /// The log, for one who may see a part of it.
    Scope,
    /// A bundle. That a record of it was erased, or closed, it says itself and cannot show.
    Bundle,
}

/// Entries by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records within the sight, each opened against its leaf.
    pub opened: u64,
    /// Entries whose records are erased and no longer checkable.
    pub erased: u64,
    /// Entries outside the sight, or that an export left closed.
    pub closed: u64,
    /// Entries that cannot be read, do not open their leaf, or go back in time.
    pub failed: u64,
}

impl Tally {
    /// Entries that were there to be checked: "`opened` of `checkable` entries checked".
    #[must_use]
    pub const fn checkable(&self) -> u64 {
        self.opened + self.failed
    }

    const fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.erased += other.erased;
        self.closed += other.closed;
        self.failed += other.failed;
    }
}

/// Indices as stretches, each from its first to its last: the first [`FAILED_AT_MAX`] stretches there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretches(Vec<(u64, u64)>);

impl Stretches {
    /// Of indices in order.
    #[must_use]
    pub fn of(indices: impl IntoIterator<Item = u64>) -> Self {
        let mut stretches = Self::default();
        indices.into_iter().for_each(|index| stretches.push(index));
        stretches
    }

    /// Takes an index after all others.
    fn push(&mut self, index: u64) {
        self.join((index, index));
    }

    fn join(&mut self, stretch: (u64, u64)) {
        let is_full = self.0.len() == FAILED_AT_MAX;
        match self.0.last_mut() {
            Some((_, last)) if *last + 1 == stretch.0 => *last = stretch.1,
            _ if !is_full => self.0.push(stretch),
            _ => {}
        }
    }

    /// Each from its first to its last index.
    #[must_use]
    pub fn as_slice(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Indices in them.
    #[must_use]
    pub fn many(&self) -> u64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }
}

/// What a check of a range found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// First index that was read.
    pub from: u64,
    /// One past the last index that was read.
    pub to: u64,
    /// Entries of the period that was asked about. One that cannot be read, and lies between two that can, is of the period unless both show that
    /// it is not.
    pub period: Tally,
    /// Entries from before the period: read to judge by, or to show where it begins.
    pub before: Tally,
    /// Whether the range shows that nothing of the period lies before it.
    pub begins: bool,
    /// Whether the range shows that nothing of the period lies after it.
    pub ends: bool,
    /// Where the range comes from.
    pub source: Source,
    /// Entries of the whole range that cannot be read, do not open their leaf, or go back in time.
    pub failed: u64,
    /// Where, the first [`FAILED_AT_MAX`] of them.
    pub failed_at: Vec<u64>,
    /// Where those are that count as of the period.
    pub failed_within: Stretches,
    /// Where those are that count as from before it.
    pub failed_before: Stretches,
    /// Whether the leaves lead to the root of the head.
    pub in_tree: bool,
    /// Size of the signed head they were checked against.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Checked {
    /// Whether everything that could be checked fits.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.failed == 0 && self.in_tree
    }
}

/// A check under way. Entries are given in order, none left out.
#[derive(Debug, Clone)]
pub struct RangeCheck {
    sight: Sight,
    period: Period,
    edge: Option<Frontier>,
    last: Timestamp,
    /// Time of the last record within the sight: what is not seen shows no time, in an export as here.
    seen: Option<Timestamp>,
    /// Entries since then, of which the next such record will tell whether they may be of the period.
    pending: Tally,
    /// Those of them that failed.
    pending_failed: Stretches,
    checked: Checked,
}

impl RangeCheck {
    /// Starts at `from`, to count what is of `period`; `edge` is the right edge of the entries before it, as the log's own files give it, to be
    /// proved with the rest.
    #[must_use]
    pub fn new(sight: Sight, period: Period, from: u64, edge: Option<Frontier>) -> Self {
        let edge = if from == 0 { Some(Frontier::new()) } else { edge.filter(|edge| edge.size() == from) };
        let checked = Checked {
            from,
            to: from,
            period: Tally::default(),
            before: Tally::default(),
            begins: from == 0,
            ends: false,
            source: if sight.parties().is_some() { Source::Scope } else { Source::Log },
            failed: 0,
            failed_at: Vec::new(),
            failed_within: Stretches::default(),
            failed_before: Stretches::default(),
            in_tree: false,
            size: 0,
            root: Hash::empty_root(),
        };
        let last = Timestamp::from_millis(i64::MIN);
        Self { sight, period, edge, last, seen: None, pending: Tally::default(), pending_failed: Stretches::default(), checked }
    }

    /// The range is a bundle's.
    #[must_use]
    pub const fn of_bundle(mut self) -> Self {
        self.checked.source = Source::Bundle;
        self
    }

    /// The sight it was made for.
    #[must_use]
    pub const fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Takes the next entry. Gives its record, and whether it is within the sight, if it opens its leaf.
    pub fn take<'e>(&mut self, entry: &'e OpenEntry) -> Option<(&'e Record, bool)> {
        if entry.index != self.checked.to {
            // A gap or a repetition: no root can follow from it.
            self.edge = None;
        }
        self.checked.to = entry.index + 1;
        match (&mut self.edge, &entry.leaf) {
            (Some(edge), Some(leaf)) => edge.push(leaf.hash()),
            _ => self.edge = None,
        }
        match &entry.held {
            Held::Record(held) => {
                let (record, openings) = &**held;
                let opens = entry.leaf == Some(Leaf::commit(openings, &record.sender_part(), &record.gateway_part()));
                if !opens || record.time < self.last {
                    self.fail(entry.index);
                    return None;
                }
                self.last = record.time;
                let seen = self.sight.sees(record);
                if seen {
                    self.see(record.time)
                } else {
                    self.pending.closed += 1
                }
                Some((record, seen))
            }
            Held::Erased => {
                self.pending.erased += 1;
                None
            }
            Held::Closed => {
                self.pending.closed += 1;
                None
            }
            Held::Unreadable => {
                self.fail(entry.index);
                None
            }
        }
    }

    /// A record of `time` is within the sight: it is counted, and so is what stood before it unseen.
    fn see(&mut self, time: Timestamp) {
        self.settle(Some(time));
        self.seen = Some(time);
        if self.period.is_ahead(time) {
            self.checked.before.opened += 1;
            self.checked.begins = true;
        } else if self.period.is_begun(time) {
            self.checked.period.opened += 1;
        } else {
            self.checked.ends = true;
        }
    }

    /// Counts what was not seen between the last record that was and one of time `next`.
    fn settle(&mut self, next: Option<Timestamp>) {
        let (pending, failed) = (std::mem::take(&mut self.pending), std::mem::take(&mut self.pending_failed));
        let (tally, stretches) = if next.is_some_and(|next| self.period.is_ahead(next)) {
            (&mut self.checked.before, &mut self.checked.failed_before)
        } else if self.seen.is_none_or(|seen| self.period.is_begun(seen)) {
            (&mut self.checked.period, &mut self.checked.failed_within)
        } else {
            return;
        };
        tally.add(pending);
        failed.as_slice().iter().for_each(|stretch| stretches.join(*stretch));
    }

    fn fail(&mut self, index: u64) {
        self.pending.failed += 1;
        self.pending_failed.push(index);
        self.checked.failed += 1;
        if self.checked.failed_at.len() < FAILED_AT_MAX {
            self.checked.failed_at.push(index);
        }
    }

    /// Ends: `head` is a checkpoint whose signature was verified, `consistency` the proof from the end of the range to it.
    #[must_use]
    pub fn finish(mut self, head: &Checkpoint, consistency: Option<&[Hash]>) -> Checked {
        self.settle(None);
        let Self { sight: _, period: _, edge, last: _, seen: _, pending: _, pending_failed: _, mut checked } = self;
        checked.ends |= checked.to == head.size();
        checked.size = head.size();
        checked.root = head.root();
        checked.in_tree = edge.zip(consistency).is_some_and(|(edge, proof)| {
            let empty = edge.size() == 0 && proof.is_empty();
            empty || verify_consistency(edge.size(), &edge.root(), head.size(), &head.root(), proof).is_ok()
        });
        checked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::Event;
    use crate::domain::participant::Register;

    /// What stands at an index: a record that everyone sees, one that only the whole log's auditor does, nothing, something unreadable.
    #[derive(Clone, Copy)]
    enum Is {
        Seen(i64),
        Unseen(i64),
        Erased,
        Unreadable,
    }
    use Is::{Erased, Seen, Unreadable, Unseen};

    fn checked(entries: &[Is], from: Option<i64>, to: Option<i64>) -> Checked {
        let period = Period { from: from.map(Timestamp::from_millis), to: to.map(Timestamp::from_millis) };
        // An auditor without a register entry sees what concerns everyone and nothing else.
        let sight = Sight::of(&"tilsyn".parse().unwrap(), &Register::new(1, Vec::new(), &|_| true).unwrap());
        let mut check = RangeCheck::new(sight, period, 0, None);
        for (index, is) in (0..).zip(entries) {
            let held = |event: &Event, at: i64| {
                let record = Record::of(event, Timestamp::from_millis(at));
                let openings = Openings::new([1; 32], [2; 32]);
                (Some(Leaf::commit(&openings, &record.sender_part(), &record.gateway_part())), Held::Record(Box::new((record, openings))))
            };
            let (leaf, held) = match *is {
                Seen(at) => held(&Event::Stopped, at),
                Unseen(at) => held(&Event::ContentErased { messages: 1 }, at),
                Erased => (Leaf::from_bytes([1; 33]), Held::Erased),
                Unreadable => (Leaf::from_bytes([1; 33]), Held::Unreadable),
            };
            check.take(&OpenEntry { index, leaf, held });
        }
        let size = entries.len() as u64 + 7;
        check.finish(&Checkpoint::new("log.example/x".parse().unwrap(), size, Hash::empty_root()).unwrap(), None)
    }

    fn tally(opened: u64, erased: u64, closed: u64, failed: u64) -> Tally {
        Tally { opened, erased, closed, failed }
    }

    #[test]
    fn entries_outside_the_period_are_no_entries_of_it() {
        let log = [Seen(1), Seen(2), Seen(5), Seen(6), Seen(9)];
        let found = checked(&log, Some(5), Some(9));
        assert_eq!((found.period, found.before, found.begins, found.ends), (tally(2, 0, 0, 0), tally(2, 0, 0, 0), true, true));
        let empty = checked(&log, Some(3), Some(5));
        assert_eq!((empty.period, empty.begins, empty.ends), (tally(0, 0, 0, 0), true, true), "a period without entries has none");
        let open = checked(&log, None, None);
        assert_eq!((open.period, open.begins, open.ends), (tally(5, 0, 0, 0), true, false), "the head goes on");
    }

    #[test]
    fn where_entries_failed_is_told_of_the_period_and_of_what_was_before_it() {
        let log = [Seen(1), Unreadable, Unreadable, Erased, Unreadable, Seen(3), Unreadable, Seen(6), Unreadable, Seen(9), Unreadable];
        let found = checked(&log, Some(5), Some(9));
        let [before, within] = [&found.failed_before, &found.failed_within];
        assert_eq!((before.as_slice(), within.as_slice()), (&[(1, 2), (4, 4)][..], &[(6, 6), (8, 8)][..]));
        assert_eq!((before.many(), within.many()), (found.before.failed, found.period.failed));
        // One past the period is of neither.
        assert_eq!((found.failed, found.failed_at), (6, vec![1, 2, 4, 6, 8, 10]));
        let whole = checked(&log, None, None);
        assert_eq!((whole.failed_before.many(), whole.failed_within.many()), (0, 6));
        // However many there are, what is kept of them is bounded, and a long stretch is one.
        let apart: Vec<Is> = (0..300).map(|n| if n % 2 == 0 { Unreadable } else { Erased }).chain([Unreadable; 400]).collect();
        let found = checked(&apart, None, None);
        assert_eq!((found.failed, found.failed_within.as_slice().len()), (550, FAILED_AT_MAX));
        assert_eq!(checked(&[Unreadable; 400], None, None).failed_within.as_slice(), [(0, 399)]);
    }

    #[test]
    fn what_is_not_seen_is_of_the_period_unless_its_neighbours_show_that_it_is_not() {
        let log = [Seen(1), Erased, Unseen(2), Seen(3), Erased, Unseen(6), Unreadable, Seen(7), Unseen(8), Seen(9), Erased, Seen(11)];
        let found = checked(&log, Some(5), Some(9));
        // 4 to 6 lie between 3 and 7, 8 between 7 and 9.
        assert_eq!((found.period, found.before, found.failed), (tally(1, 1, 2, 1), tally(2, 1, 1, 0), 1));
        let after = checked(&log, Some(11), None);
        assert_eq!(after.period, tally(1, 1, 0, 0), "the erased one between 9 and 11");
        let early = checked(&log, None, Some(3));
        assert_eq!(early.period, tally(1, 1, 1, 0), "what follows the first that is too late is too late");
        let erased = checked(&[Erased, Erased], Some(5), Some(9));
        assert_eq!((erased.period, erased.begins, erased.ends), (tally(0, 2, 0, 0), true, false), "nothing shows where they are from");
    }
}
