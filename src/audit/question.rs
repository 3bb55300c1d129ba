//! The prepared questions of an auditor, answered from opened and checked records alone.
//!
//! Pure: the gateway's page, its calls and an offline report give the same answers, as they run the same functions over the same entries.
//! Records that concern others than the reader's scope are used to judge and never shown or counted.

mod elsewhere;
pub mod held;
mod overdue;
mod simple;
pub mod words;

use std::collections::VecDeque;

use super::checkpoint::Checkpoint;
pub use super::range::Period;
use super::range::{Checked, OpenEntry, RangeCheck, Source, Tally};

use super::record::Record;
use super::sight::Sight;
use super::tree::{Frontier, Hash};

/// Rows of one answer; of more, the newest.
pub const ROWS_MAX: usize = 1000;

/// A prepared question. There are no others, and none about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Has a result ever reached anyone but its requisitioner?
    ResultsElsewhere,
    /// Who tried what was forbidden?
    Forbidden,
    /// What is overdue?
    Overdue,
    /// What was corrected, withdrawn or returned?
    Changed,
    /// What was erased, and when?
    Erased,
    /// Who read the log?
    Read,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::ResultsElsewhere, Self::Forbidden, Self::Overdue, Self::Changed, Self::Erased, Self::Read];

    /// Stable number, as it stands in the log.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::ResultsElsewhere => 1,
            Self::Forbidden => 2,
            Self::Overdue => 3,
            Self::Changed => 4,
            Self::Erased => 5,
            Self::Read => 6,
        }
    }

    /// Stable name, for commands and addresses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ResultsElsewhere => "results-elsewhere",
            Self::Forbidden => "forbidden",
            Self::Overdue => "overdue",
            Self::Changed => "changed",
            Self::Erased => "erased",
            Self::Read => "read",
        }
    }

    /// The question of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|question| question.name() == name)
    }

    /// The question of a number.
    #[must_use]
    pub fn of_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|question| question.number() == number)
    }
}

/// The numbers of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Of [`Question::ResultsElsewhere`].
    ResultsElsewhere {
        /// Results accepted, corrections and withdrawals among them.
        results: u64,
        /// Hand-outs and acknowledgements of results.
        deliveries: u64,
        /// Of both, those that name another than the prosecution that requisitioned: the answer is "none" when this is 0.
        elsewhere: u64,
        /// Of both, those whose requisition or result stands in records that are erased or closed, or that name another while a succession may
        /// stand in such: nothing can be said of them.
        unresolved: u64,
    },
    /// Of [`Question::Forbidden`].
    Forbidden {
        /// Refusals of participants, each with an entry of its own.
        refused: u64,
        /// Of those and of the summed ones, calls that the caller had no right to make, see [`is_forbidden`].
        forbidden: u64,
        /// Further refusals, summed by the minute and reason.
        summed: u64,
        /// Refusals of certificates that are no participant's.
        strangers: u64,
        /// Participants that were refused.
        participants: u64,
    },
    /// Of [`Question::Overdue`].
    Overdue {
        /// Still not acknowledged at the end of the period.
        open: u64,
        /// Became overdue in the period and were settled later.
        settled: u64,
        /// What may have settled them stands in what was not read since, or another did whose succession may stand there.
        unresolved: u64,
    },
    /// Of [`Question::Changed`].
    Changed {
        /// Messages that replace another.
        corrected: u64,
        /// Messages withdrawn.
        withdrawn: u64,
        /// Notices returned.
        returned: u64,
    },
    /// Of [`Question::Erased`].
    Erased {
        /// Messages whose content was erased.
        contents: u64,
        /// Months of records that reached their age.
        months: u64,
        /// Records of those months, what holds keep of them among it: the same whether they keep any or not. As earlier versions counted them, without.
        records: u64,
        /// Copies of records that holds had kept beyond their months, erased since. A number of its own: its month has counted them already.
        held: u64,
        /// Messages that ended undelivered with their case.
        undelivered: u64,
    },
    /// Of [`Question::Read`].
    Read {
        /// Calls that read the log.
        reads: u64,
        /// Readers, told apart by key label.
        readers: u64,
        /// Reviews stated.
        reviews: u64,
    },
}

/// What a row says besides its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    Plain,
    /// A result named or reached another than its requisitioner.
    Elsewhere,
    /// The records that would tell are erased, closed or not read.
    Unresolved,
    /// The caller had no right to do this.
    Forbidden,
    /// Not settled at the end of the period.
    Open,
    /// Settled since.
    Settled,
}

/// One entry behind a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place in the log.
    pub index: u64,
    /// What stands there. Records hold no content.
    pub record: Record,
    /// What it is a row for.
    pub mark: Mark,
}

/// An answer: numbers, the entries behind them, and what was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// To which question.
    pub question: Question,
    /// About which time.
    pub period: Period,
    /// Whose records it covers.
    pub sight: Sight,
    /// The numbers.
    pub finding: Finding,
    /// The entries behind them, by index; of more than [`ROWS_MAX`], the newest.
    pub rows: Vec<Row>,
    /// Older entries that are not listed.
    pub left_out: u64,
    /// What was checked. An answer whose check does not hold says so before anything else.
    pub checked: Checked,
}

/// What an answer rests on: entries of the period that were checked, those that could not be, and what was judged by besides. Words about an answer
/// are made from this, so that no "none" can be said without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    period: Tally,
    /// From before the period, for questions that are judged by it.
    earlier: Option<Tally>,
    source: Source,
    /// First index of the range, when what lies before it matters and was not read.
    first: Option<u64>,
    /// One past its last, when entries of the period may follow.
    end: Option<u64>,
}

impl Basis {
    /// Entries of the period that were checked and are within the scope.
    #[must_use]
    pub const fn opened(&self) -> u64 {
        self.period.opened
    }

    /// Whether every entry that the answer is about, and that it is judged by, was read: then "none" is none.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        let Tally { opened: _, erased, closed, failed } = self.missing();
        erased == 0 && closed == 0 && failed == 0 && self.first.is_none() && self.end.is_none()
    }

    /// Whether nothing at all could be checked, although there was something.
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        let earlier = match self.earlier {
            Some(earlier) => earlier.opened,
            None => 0,
        };
        self.period.opened + earlier == 0 && !self.is_whole()
    }

    /// What was not read, the earlier entries among it.
    #[must_use]
    pub const fn missing(&self) -> Tally {
        let earlier = match self.earlier {
            Some(earlier) => earlier,
            None => Tally { opened: 0, erased: 0, closed: 0, failed: 0 },
        };
        Tally {
            opened: 0,
            erased: self.period.erased + earlier.erased,
            closed: self.period.closed + earlier.closed,
            failed: self.period.failed + earlier.failed,
        }
    }
}

impl Checked {
    /// What a count of the period's entries rests on.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        let Self { from, to, period, source, begins, ends, .. } = self;
        let first = if *begins { None } else { Some(*from) };
        Basis { period: *period, earlier: None, source: *source, first, end: if *ends { None } else { Some(*to) } }
    }
}

impl Answer {
    /// What it rests on.
    #[must_use]
    pub const fn basis(&self) -> Basis {
        let (basis, from) = (self.checked.basis(), self.checked.from);
        if !Survey::looks_back(self.question) {
            return basis;
        }
        Basis { earlier: Some(self.checked.before), first: if from > 0 { Some(from) } else { None }, ..basis }
    }

    /// Whether all that it rests on fits: what failed outside its period concerns only an answer that is judged by what was before. Leaves that do
    /// not lead to the head concern every answer.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.checked.in_tree && self.basis().missing().failed == 0
    }
}

/// What came out of a scan.
#[derive(Debug, Clone)]
pub struct Findings {
    /// An answer to each question, in their order.
    pub answers: Vec<Answer>,
    /// Entries by kind and time, if they were asked for.
    pub counts: Option<super::counts::Counts>,
    /// Holds in force at the end of the period, as far as they were placed within the range.
    pub holds: held::Holds,
    /// What was checked.
    pub checked: Checked,
}

/// Reasons of refusals that say: the caller had no right. By number of the table of reasons, where `Reason::is_forbidden` decides each and says why;
/// a test holds the two together.
#[must_use]
pub const fn is_forbidden(reason: u16) -> bool {
    matches!(reason, 1..=5 | 50 | 55 | 58 | 60 | 80 | 82 | 83 | 91)
}

/// Rows under way: the newest [`ROWS_MAX`].
#[derive(Debug, Clone, Default)]
struct Rows {
    kept: VecDeque<Row>,
    left_out: u64,
}

impl Rows {
    fn push(&mut self, index: u64, record: &Record, mark: Mark) {
        if self.kept.len() == ROWS_MAX {
            self.kept.pop_front();
            self.left_out += 1;
        }
        self.kept.push_back(Row { index, record: record.clone(), mark });
    }
}

/// A question under way.
#[derive(Debug, Clone)]
enum Asking {
    Elsewhere(Box<elsewhere::Elsewhere>),
    Overdue(Box<overdue::Overdue>),
    Simple(simple::Simple),
}

/// One entry as a question gets it: checked.
#[derive(Debug, Clone, Copy)]
struct Seen<'e> {
    index: u64,
    record: &'e Record,
    /// Within the reader's scope; else only to judge by.
    visible: bool,
    /// Within the period; else only to judge by.
    asked_for: bool,
    /// Entries before it that were not read; what lies before the range counts as one.
    unread: u32,
}

/// Whether any entry was not read between two of which these many were not read before them: anything may stand in it, a succession too.
const fn is_unread_between(one: u32, other: u32) -> bool {
    one != other || other == u32::MAX
}

/// Questions under way, all over one scan.
#[derive(Debug, Clone)]
pub struct Survey {
    period: Period,
    check: RangeCheck,
    unread: u32,
    /// Whether the period is over: what is not read from there on is none of it.
    is_past: bool,
    /// Whether the range ends where its case's records do, so that what follows it may be of that case too.
    is_cut: bool,
    asked: Vec<(Question, Asking)>,
    holds: held::Holds,
    counts: Option<super::counts::Counts>,
}

impl Survey {
    /// Whether `question` must see records from before its period: from the first one kept.
    #[must_use]
    pub const fn looks_back(question: Question) -> bool {
        matches!(question, Question::ResultsElsewhere | Question::Overdue)
    }

    /// Asks `questions` about `period` of a range that starts at `from`; `edge` as in [`RangeCheck::new`].
    #[must_use]
    pub fn new(sight: Sight, period: Period, questions: &[Question], from: u64, edge: Option<Frontier>) -> Self {
        let asking = |question: &Question| match question {
            Question::ResultsElsewhere => Asking::Elsewhere(Box::default()),
            Question::Overdue => Asking::Overdue(Box::default()),
            other => Asking::Simple(simple::Simple::new(*other)),
        };
        let asked = questions.iter().map(|question| (*question, asking(question))).collect();
        let check = RangeCheck::new(sight, period, from, edge);
        Self {
            period,
            check,
            unread: u32::from(from > 0),
            is_past: false,
            is_cut: false,
            asked,
            holds: held::Holds::default(),
            counts: None,
        }
    }

    /// The range is a bundle's, of one case or not: what is not open in it is told as its word.
    #[must_use]
    pub fn of_bundle(mut self, is_of_a_case: bool) -> Self {
        self.check = self.check.of_bundle();
        self.is_cut = is_of_a_case;
        self
    }

    /// Also counts entries by kind and time.
    #[must_use]
    pub fn counting(mut self, counts: super::counts::Counts) -> Self {
        self.counts = Some(counts);
        self
    }

    /// Takes the next entry of the range.
    pub fn take(&mut self, entry: &OpenEntry) {
        let Some((record, visible)) = self.check.take(entry) else {
            self.unread = self.unread.saturating_add(u32::from(!self.is_past));
            return;
        };
        let seen = Seen { index: entry.index, record, visible, asked_for: self.period.holds(record.time), unread: self.unread };
        if let Some(counts) = self.counts.as_mut().filter(|_| visible && seen.asked_for) {
            counts.take(record);
        }
        if !self.period.is_begun(record.time) {
            self.is_past = true;
            return;
        }
        if visible {
            self.holds.take(entry.index, record);
        }
        for (_, asking) in &mut self.asked {
            match asking {
                Asking::Elsewhere(asking) => asking.take(seen),
                Asking::Overdue(asking) => asking.take(seen),
                Asking::Simple(asking) => asking.take(seen),
            }
        }
    }

    /// Ends, with arguments as [`RangeCheck::finish`].
    #[must_use]
    pub fn finish(self, head: &Checkpoint, consistency: Option<&[Hash]>) -> Findings {
        let Self { period, check, unread, is_past: _, is_cut, asked, holds, counts } = self;
        let sight = check.sight().clone();
        let checked = check.finish(head, consistency);
        let unread = unread.saturating_add(u32::from(is_cut && !checked.ends));
        let answers = asked
            .into_iter()
            .map(|(question, asking)| {
                let (finding, rows) = match asking {
                    Asking::Elsewhere(asking) => asking.finish(),
                    Asking::Overdue(asking) => asking.finish(unread),
                    Asking::Simple(asking) => asking.finish(),
                };
                let Rows { kept, left_out } = rows;
                Answer { question, period, sight: sight.clone(), finding, rows: kept.into(), left_out, checked: checked.clone() }
            })
            .collect();
        Findings { answers, counts, holds, checked }
    }
}
