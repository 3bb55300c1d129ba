//! The newest entries, whose records are in no file yet: kept as the journal holds them, a frame at a time, and read back for what is asked of them.
//!
//! Records with their texts apart took half as much memory again, and memory that grows is what a message costs most (benches/README.md).

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::frame::{Draft, JournalEntry};
use super::records::{Entry, Slot};
use crate::audit::record::Record;

/// The entries of one durable frame.
struct Kept {
    /// Tree size after it: the size that its receipts were made at.
    size: u64,
    /// One behind the other.
    entries: Zeroizing<Vec<u8>>,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Kept {
    fn first(&self) -> u64 {
        self.size - self.ends.len() as u64
    }

    fn bytes(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        Some(&self.entries[start..end])
    }
}

/// Durable entries from one log index on.
pub struct Tail {
    first: u64,
    /// Those that a start read.
    read: Vec<Slot>,
    /// Those of the frames since.
    frames: VecDeque<Kept>,
}

impl Tail {
    /// What a start read, the first of which has the log index `first`.
    #[must_use]
    pub const fn new(first: u64, read: Vec<Slot>) -> Self {
        Self { first, read, frames: VecDeque::new() }
    }

    /// The log index of the first entry.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// One past the log index of the last entry.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.frames.back().map_or(self.first + self.read.len() as u64, |frame| frame.size)
    }

    /// A frame has become durable; the log has `size` entries with it.
    pub fn push(&mut self, size: u64, draft: &Draft) {
        let (entries, ends) = draft.encoded();
        self.frames.push_back(Kept { size, entries: Zeroizing::new(entries.to_vec()), ends: ends.to_vec() });
    }

    /// The entry at `index`, with the size its receipt was made at.
    #[must_use]
    pub fn slot(&self, index: u64) -> Option<Slot> {
        let read_end = self.first + self.read.len() as u64;
        if index < read_end {
            return self.read.get(usize::try_from(index.checked_sub(self.first)?).ok()?).cloned();
        }
        let frame = self.frames.get(self.frames.partition_point(|frame| frame.size <= index))?;
        let bytes = frame.bytes(usize::try_from(index.checked_sub(frame.first())?).ok()?)?;
        Some(Slot { entry: entry_of(bytes), batch: frame.size })
    }

    /// The entries from `from` on, at most `max`; they are read out of their bytes when nothing is locked any more. `None` when `from` is not
    /// here any more.
    #[must_use]
    pub fn copy(&self, from: u64, max: usize) -> Option<Copied> {
        from.checked_sub(self.first)?;
        let mut copied = Copied { first: from, read: Vec::new(), frames: Vec::new(), bytes: Zeroizing::default() };
        let read_end = self.first + self.read.len() as u64;
        if from < read_end {
            let skip = usize::try_from(from - self.first).ok()?;
            copied.read = self.read.iter().skip(skip).take(max).map(|slot| slot.entry.clone()).collect();
        }
        let (mut next, mut left) = (from.max(read_end), max - copied.read.len());
        let begin = self.frames.partition_point(|frame| frame.size <= next);
        for frame in self.frames.range(begin..) {
            let skip = usize::try_from(next.checked_sub(frame.first())?).ok()?;
            for at in (skip..frame.ends.len()).take(left) {
                let bytes = frame.bytes(at)?;
                copied.bytes.extend_from_slice(bytes);
                copied.frames.push(bytes.len());
            }
            left -= (frame.ends.len() - skip).min(left);
            next = frame.size;
            if left == 0 {
                break;
            }
        }
        Some(copied)
    }

    /// The first log index whose entry is not of a time that `is_before` accepts; times never go back.
    #[must_use]
    pub fn partition_point(&self, is_before: impl Fn(&Record) -> bool) -> u64 {
        let (mut low, mut high) = (self.first, self.end());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.slot(middle).is_some_and(|slot| is_before(&slot.entry.record)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// A turn has written what stands below `size`, where a frame ended, into files. What goes is the caller's to drop, when nothing is locked any
    /// more: wiping it takes longer than a commit may wait.
    pub fn trim(&mut self, size: u64) -> Trimmed {
        let read_end = self.first + self.read.len() as u64;
        if size < read_end {
            return Trimmed { _read: Vec::new(), _frames: VecDeque::new() };
        }
        let later = self.frames.split_off(self.frames.partition_point(|frame| frame.size <= size));
        let frames = std::mem::replace(&mut self.frames, later);
        self.first = frames.back().map_or(read_end, |frame| frame.size);
        Trimmed { _read: std::mem::take(&mut self.read), _frames: frames }
    }
}

/// What a turn has written into files.
#[must_use]
pub struct Trimmed {
    _read: Vec<Slot>,
    _frames: VecDeque<Kept>,
}

/// Entries that were taken out of the tail.
pub struct Copied {
    first: u64,
    read: Vec<Entry>,
    /// Their lengths in `bytes`.
    frames: Vec<usize>,
    bytes: Zeroizing<Vec<u8>>,
}

impl Copied {
    /// Each with its log index.
    pub fn entries(self) -> impl Iterator<Item = (u64, Entry)> {
        let Self { first, read, frames, bytes } = self;
        let mut at = 0;
        let kept = frames.into_iter().map(move |len| {
            let entry = entry_of(&bytes[at..at + len]);
            at += len;
            entry
        });
        (first..).zip(read.into_iter().chain(kept))
    }
}

fn entry_of(bytes: &[u8]) -> Entry {
    let journaled: JournalEntry =
        postcard::from_bytes(bytes).expect("the bytes that this process sealed, which every start and every turn reads");
    Entry { openings: journaled.openings(), record: Record::of(&journaled.event, journaled.time) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::Event;
    use crate::domain::secret::Secret;
    use crate::domain::time::Timestamp;

    fn journaled(n: u64) -> JournalEntry {
        let event = Event::ContentErased { messages: n };
        JournalEntry { event, time: Timestamp::from_millis(n as i64 * 10), r: Secret::new([n as u8; 32]), r2: Secret::new([!n as u8; 32]) }
    }

    fn read(n: u64, batch: u64) -> Slot {
        let journaled = journaled(n);
        Slot { entry: Entry { record: Record::of(&journaled.event, journaled.time), openings: journaled.openings() }, batch }
    }

    /// Entries 5 to 9 read at a start, then frames that end at 10, 17 and 18.
    fn tail() -> Tail {
        let mut tail = Tail::new(5, (5..9).map(|n| read(n, if n < 7 { 7 } else { 9 })).collect());
        for (from, to) in [(9, 10), (10, 17), (17, 18)] {
            let mut draft = Draft::default();
            (from..to).for_each(|n| draft.push(&journaled(n)));
            tail.push(to, &draft);
        }
        tail
    }

    #[test]
    fn every_entry_is_given_back_as_it_was_with_the_size_of_its_frame() {
        let mut tail = tail();
        assert_eq!((tail.first(), tail.end()), (5, 18));
        for (index, batch) in (5..18).zip([7, 7, 9, 9, 10, 17, 17, 17, 17, 17, 17, 17, 18]) {
            let (slot, wanted) = (tail.slot(index).unwrap(), read(index, batch));
            assert_eq!((slot.entry.record, slot.entry.openings, slot.batch), (wanted.entry.record, wanted.entry.openings, batch));
        }
        assert!(tail.slot(4).is_none() && tail.slot(18).is_none());
        for (size, first) in [(8, 5), (9, 9), (10, 10), (16, 10), (17, 17), (18, 18)] {
            drop(tail.trim(size));
            assert_eq!((tail.first(), tail.end()), (first, 18), "trimmed to {size}");
            assert!(first == 5 || tail.slot(first - 1).is_none());
            assert_eq!(tail.slot(17).map(|slot| slot.batch), (first < 18).then_some(18));
        }
    }

    #[test]
    fn a_copy_holds_what_was_asked_for() {
        let tail = tail();
        for from in 5..20 {
            for max in [0, 1, 3, 100] {
                let copied: Vec<(u64, Option<u64>)> =
                    tail.copy(from, max).unwrap().entries().map(|(index, entry)| (index, entry.record.count)).collect();
                let wanted: Vec<_> = (from..18).take(max).map(|n| (n, Some(n))).collect();
                assert_eq!(copied, wanted, "{max} from {from}");
            }
        }
        assert!(tail.copy(4, 100).is_none(), "it went into the files");
    }

    #[test]
    fn the_first_entry_of_a_time_is_found() {
        let tail = tail();
        for at in 0..20 {
            let found = tail.partition_point(|record| record.time < Timestamp::from_millis(at * 10));
            assert_eq!(found, (at as u64).clamp(5, 18), "entry {at}");
        }
    }
}
