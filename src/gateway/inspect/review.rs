//! The regular review of the log (politiregisterforskriften § 40-13): what was reviewed, by whom, and what was not.

use std::collections::{BTreeMap, VecDeque};

use super::PageOf;
use super::search::Found;
use crate::audit::event::{Asked, kind};
use crate::audit::sight::Sight;
use crate::domain::id::ParticipantId;
use crate::domain::time::{Date, Timestamp, parse_date};
use crate::gateway::{Gateway, Refusal};
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::{LogEntry, Page, RecordFilter, StoreError, UNREADABLE_MAX};

/// Reviews that are listed; of more, the newest.
const REVIEWS_MAX: usize = 1000;
/// Records read at once.
const READ_AT_ONCE: usize = 1000;

/// One statement: this period was reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Its place in the log.
    pub index: u64,
    /// When it was stated.
    pub at: Timestamp,
    /// By whom.
    pub auditor: ParticipantId,
    /// With which key: which reader.
    pub key_label: String,
    /// First day, in Oslo.
    pub from: Date,
    /// Last day, in Oslo.
    pub to: Date,
}

/// Reviews, and the days that none covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviews {
    /// The caller's own participant's reviews, and those that its scope shows, by index; of more than 1000, the newest.
    pub reviews: Vec<Review>,
    /// Older ones that are not listed; what is unreviewed counts with them.
    pub left_out: u64,
    /// First and last day of each stretch that the caller's participant has not reviewed, from the first record kept until yesterday.
    pub unreviewed: Vec<(Date, Date)>,
    /// The first day whose records are kept and can be read, when there may have been days before it: of those nobody can tell whether they were
    /// reviewed.
    pub erased_before: Option<Date>,
    /// What is lacking of those days.
    pub lacks: Lacks,
    /// Entries that may state a review, or begin the first day, and cannot be read, by index; of more than a hundred, the first.
    pub unreadable: Vec<u64>,
}

/// What is lacking of the days before the first that can be reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lacks {
    /// Records that the retention rule erased.
    pub erased: bool,
    /// Records that are kept and cannot be read.
    pub unreadable: bool,
}

impl Reviews {
    /// Whether every day that ever had records is over and reviewed: what is erased or cannot be read leaves that open.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.unreviewed.is_empty() && self.erased_before.is_none() && self.unreadable.is_empty() && !self.reviews.is_empty()
    }
}

fn review_of(LogEntry { index, record }: LogEntry) -> Option<Review> {
    let record = record?;
    let (from, to) = record.note.as_deref()?.split_once(" to ")?;
    let (from, to) = (parse_date(from)?, parse_date(to)?);
    Some(Review { index, at: record.time, auditor: record.actor?, key_label: record.key_label?, from, to })
}

/// Stretches of days, apart from each other: however often days are stated, no more of them than days.
#[derive(Debug, Default)]
struct Stretches(BTreeMap<Date, Date>);

impl Stretches {
    fn add(&mut self, mut from: Date, mut to: Date) {
        let touches = |(first, last): (&Date, &Date)| {
            let (first, last) = (*first, *last);
            (first <= to.tomorrow().unwrap_or(to) && from <= last.tomorrow().unwrap_or(last)).then_some((first, last))
        };
        let met: Vec<(Date, Date)> = self.0.iter().filter_map(touches).collect();
        for (first, last) in met {
            self.0.remove(&first);
            (from, to) = (from.min(first), to.max(last));
        }
        self.0.insert(from, to);
    }
}

/// What is stated in the log.
#[derive(Debug, Default)]
struct Stated {
    reviews: VecDeque<Review>,
    left_out: u64,
    own: Stretches,
    unreadable: Vec<u64>,
}

/// Where the days that can be reviewed begin.
#[derive(Debug)]
struct FirstDay {
    day: Date,
    /// Whether no record before it is erased.
    is_of_the_log: bool,
    unreadable: Vec<u64>,
}

/// The days from `first` to `last` that no stretch covers.
fn gaps(first: Date, last: Date, periods: &Stretches) -> Vec<(Date, Date)> {
    let mut gaps = Vec::new();
    let mut next = first;
    for (from, to) in &periods.0 {
        let (from, to) = (*from, *to);
        if from > next && next <= last {
            gaps.push((next, from.yesterday().unwrap_or(from).min(last)));
        }
        next = next.max(to.tomorrow().unwrap_or(to));
    }
    if next <= last {
        gaps.push((next, last));
    }
    gaps
}

impl Gateway {
    /// States that the caller has reviewed the days `from` to `to`; an event when this returns.
    ///
    /// # Errors
    /// [`Reason::PeriodBeforeRecords`], [`Reason::PeriodNotOver`], not the caller's call, or the store's refusal.
    pub async fn review(&self, caller: &Caller, from: Date, to: Date) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, Verb::Review).await?;
        let acted = async {
            if from < self.first_day(&self.sight(caller)).await?.day {
                return Err(StoreError::Denied(Reason::PeriodBeforeRecords.into()));
            }
            self.store.act(Command::Review { permit, from, to }).await
        };
        match acted.await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(caller, Verb::Review, error, None).await),
        }
    }

    /// The day of the first record that its month keeps and that can be read, today when there is none. What only a hold keeps is not reviewed
    /// again.
    async fn first_day(&self, sight: &Sight) -> Result<FirstDay, StoreError> {
        let from_index =
            self.read_by(sight, move |store| async move { store.first_not_before(Timestamp::from_millis(i64::MIN)).await }).await?;
        let first = self.page_by(sight, &RecordFilter { from_index, ..RecordFilter::default() }, 1).await?;
        let Page { entries, unreadable, .. } = first;
        let first = entries.into_iter().find_map(|entry| entry.record).map(|record| record.time);
        let day = first.unwrap_or_else(|| self.store.now()).oslo_date();
        Ok(FirstDay { day, is_of_the_log: from_index == 0, unreadable: Found::indices(&unreadable).collect() })
    }

    /// What was reviewed and what was not.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn reviews(&self, caller: &Caller) -> Result<Reviews, Refusal> {
        self.ask(caller, Verb::ListReviews, Asked::default(), PageOf::First).await?;
        let found = async { Ok((self.stated(caller).await?, self.first_day(&self.sight(caller)).await?)) };
        let (Stated { reviews, left_out, own, mut unreadable }, first) = match found.await {
            Ok(found) => found,
            Err(error) => return Err(self.failed(caller, Verb::ListReviews, error, None).await),
        };
        let yesterday = self.now().oslo_date().yesterday();
        let unreviewed = yesterday.map_or_else(|_| Vec::new(), |yesterday| gaps(first.day, yesterday, &own));
        let lacks = Lacks { erased: !first.is_of_the_log, unreadable: !first.unreadable.is_empty() };
        let erased_before = (lacks.erased || lacks.unreadable).then_some(first.day);
        unreadable.extend(first.unreadable);
        unreadable.sort_unstable();
        unreadable.dedup();
        Ok(Reviews { reviews: reviews.into(), left_out, unreviewed, erased_before, lacks, unreadable })
    }

    /// The newest reviews that the caller sees, how many older ones there are, and the days that its participant has reviewed by any of them.
    async fn stated(&self, caller: &Caller) -> Result<Stated, StoreError> {
        let (sight, mut stated) = (self.sight(caller), Stated::default());
        let mut next = Some(0);
        while let Some(from_index) = next {
            let filter = RecordFilter { kinds: vec![kind::REVIEWED], from_index, ..RecordFilter::default() };
            let found = self.visible(&sight, filter, READ_AT_ONCE).await?;
            for review in found.entries.into_iter().filter_map(review_of) {
                if review.auditor == *caller.id() {
                    stated.own.add(review.from, review.to);
                }
                if stated.reviews.len() == REVIEWS_MAX {
                    stated.reviews.pop_front();
                    stated.left_out += 1;
                }
                stated.reviews.push_back(review);
            }
            let room = UNREADABLE_MAX.saturating_sub(stated.unreadable.len());
            stated.unreadable.extend(Found::indices(&found.unreadable).take(room));
            next = found.next_index;
        }
        Ok(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(periods: &[(Date, Date)]) -> Stretches {
        let mut all = Stretches::default();
        periods.iter().for_each(|(from, to)| all.add(*from, *to));
        all
    }

    #[test]
    fn days_that_no_review_covers_are_gaps() {
        let day = |day| Date::constant(2026, 3, day);
        let gaps = |first, last, periods: &[(Date, Date)]| super::gaps(first, last, &stretches(periods));
        assert_eq!(gaps(day(1), day(10), &[]), [(day(1), day(10))]);
        assert_eq!(gaps(day(1), day(10), &[(day(1), day(10))]), []);
        assert_eq!(gaps(day(1), day(10), &[(day(4), day(5)), (day(2), day(2))]), [(day(1), day(1)), (day(3), day(3)), (day(6), day(10))]);
        assert_eq!(gaps(day(5), day(10), &[(day(1), day(6)), (day(3), day(4)), (day(9), day(20))]), [(day(7), day(8))]);
        assert_eq!(gaps(day(5), day(4), &[]), []);
        assert_eq!(gaps(day(5), day(10), &[(day(12), day(13))]), [(day(5), day(10))]);
    }

    #[test]
    fn stretches_that_touch_are_one_in_any_order() {
        let day = |day| Date::constant(2026, 3, day);
        let days = [(day(4), day(5)), (day(1), day(2)), (day(8), day(9)), (day(3), day(3)), (day(2), day(4)), (Date::MIN, Date::MIN)];
        for turn in 0..days.len() {
            let turned: Vec<_> = days[turn..].iter().chain(&days[..turn]).copied().collect();
            let wanted = [(Date::MIN, Date::MIN), (day(1), day(5)), (day(8), day(9))];
            assert!(stretches(&turned).0.into_iter().eq(wanted), "{turned:?}");
        }
        assert!(stretches(&[(day(3), Date::MAX), (Date::MAX, Date::MAX)]).0.into_iter().eq([(day(3), Date::MAX)]));
    }
}
