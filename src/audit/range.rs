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

/// What a check of a range found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// First index.
    pub from: u64,
    /// One past the last index.
    pub to: u64,
    /// Records within the sight, each opened against its leaf.
    pub opened: u64,
    /// Entries whose records are erased and no longer checkable.
    pub erased: u64,
    /// Entries that an export left closed.
    pub closed: u64,
    /// Entries that cannot be read, do not open their leaf, or go back in time.
    pub failed: u64,
    /// Where, the first [`FAILED_AT_MAX`] of them.
    pub failed_at: Vec<u64>,
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

    /// Entries that were there to be checked: "`opened` of `checkable` entries checked".
    #[must_use]
    pub const fn checkable(&self) -> u64 {
        self.opened + self.failed
    }
}

/// A check under way. Entries are given in order, none left out.
#[derive(Debug, Clone)]
pub struct RangeCheck {
    sight: Sight,
    edge: Option<Frontier>,
    last: Timestamp,
    checked: Checked,
}

impl RangeCheck {
    /// Starts at `from`; `edge` is the right edge of the entries before it, as the log's own files give it, to be proved with the rest.
    #[must_use]
    pub fn new(sight: Sight, from: u64, edge: Option<Frontier>) -> Self {
        let edge = if from == 0 { Some(Frontier::new()) } else { edge.filter(|edge| edge.size() == from) };
        let checked = Checked {
            from,
            to: from,
            opened: 0,
            erased: 0,
            closed: 0,
            failed: 0,
            failed_at: Vec::new(),
            in_tree: false,
            size: 0,
            root: Hash::empty_root(),
        };
        Self { sight, edge, last: Timestamp::from_millis(i64::MIN), checked }
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
                self.checked.opened += u64::from(seen);
                Some((record, seen))
            }
            Held::Erased => {
                self.checked.erased += 1;
                None
            }
            Held::Closed => {
                self.checked.closed += 1;
                None
            }
            Held::Unreadable => {
                self.fail(entry.index);
                None
            }
        }
    }

    fn fail(&mut self, index: u64) {
        self.checked.failed += 1;
        if self.checked.failed_at.len() < FAILED_AT_MAX {
            self.checked.failed_at.push(index);
        }
    }

    /// Ends: `head` is a checkpoint whose signature was verified, `consistency` the proof from the end of the range to it.
    #[must_use]
    pub fn finish(self, head: &Checkpoint, consistency: Option<&[Hash]>) -> Checked {
        let Self { sight: _, edge, last: _, mut checked } = self;
        checked.size = head.size();
        checked.root = head.root();
        checked.in_tree = edge.zip(consistency).is_some_and(|(edge, proof)| {
            let empty = edge.size() == 0 && proof.is_empty();
            empty || verify_consistency(edge.size(), &edge.root(), head.size(), &head.root(), proof).is_ok()
        });
        checked
    }
}
