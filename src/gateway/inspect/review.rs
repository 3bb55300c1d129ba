//! The regular review of the log (politiregisterforskriften § 40-13): what was reviewed, by whom, and what was not.

use super::PageOf;
use crate::audit::event::{Asked, kind};
use crate::domain::id::ParticipantId;
use crate::domain::time::{Date, Timestamp, parse_date};
use crate::gateway::{Gateway, Refusal};
use crate::policy::command::Command;
use crate::policy::permit::Caller;
use crate::policy::table::Verb;
use crate::store::{LogEntry, RecordFilter};

/// Reviews that are listed; of more, the newest.
const REVIEWS_MAX: usize = 1000;

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
    /// The caller's own participant's reviews, and those that its scope shows, by index.
    pub reviews: Vec<Review>,
    /// First and last day of each stretch that the caller's participant has not reviewed, from the first record kept until yesterday.
    pub unreviewed: Vec<(Date, Date)>,
}

fn review_of(LogEntry { index, record }: LogEntry) -> Option<Review> {
    let record = record?;
    let (from, to) = record.note.as_deref()?.split_once(" to ")?;
    let (from, to) = (parse_date(from)?, parse_date(to)?);
    Some(Review { index, at: record.time, auditor: record.actor?, key_label: record.key_label?, from, to })
}

/// The days from `first` to `last` that no period covers.
fn gaps(first: Date, last: Date, mut periods: Vec<(Date, Date)>) -> Vec<(Date, Date)> {
    periods.sort_unstable();
    let mut gaps = Vec::new();
    let mut next = first;
    for (from, to) in periods {
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
    /// [`crate::policy::reason::Reason::PeriodNotOver`], not the caller's call, or the store's refusal.
    pub async fn review(&self, caller: &Caller, from: Date, to: Date) -> Result<(), Refusal> {
        let permit = self.permit_or_refuse(caller, Verb::Review).await?;
        match self.store.act(Command::Review { permit, from, to }).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(caller, Verb::Review, error, None).await),
        }
    }

    /// What was reviewed and what was not.
    ///
    /// # Errors
    /// Not the caller's call, or the store's refusal.
    pub async fn reviews(&self, caller: &Caller) -> Result<Reviews, Refusal> {
        self.ask(caller, Verb::ListReviews, Asked::default(), PageOf::First).await?;
        let filter = RecordFilter { kinds: vec![kind::REVIEWED], ..RecordFilter::default() };
        let first = RecordFilter::default();
        let found = async {
            let reviews = self.visible(&self.sight(caller), filter, REVIEWS_MAX).await?;
            Ok((reviews, self.store.records(&first, 1).await?))
        };
        let (reviews, first) = match found.await {
            Ok(found) => found,
            Err(error) => return Err(self.failed(caller, Verb::ListReviews, error, None).await),
        };
        let reviews: Vec<Review> = reviews.entries.into_iter().filter_map(review_of).collect();
        let own = reviews.iter().filter(|review| review.auditor == *caller.id()).map(|review| (review.from, review.to)).collect();
        let today = self.store.now().oslo_date();
        let first = first.entries.into_iter().find_map(|entry| entry.record).map_or(today, |record| record.time.oslo_date());
        let unreviewed = today.yesterday().map_or_else(|_| Vec::new(), |yesterday| gaps(first, yesterday, own));
        Ok(Reviews { reviews, unreviewed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_no_review_covers_are_gaps() {
        let day = |day| Date::constant(2026, 3, day);
        assert_eq!(gaps(day(1), day(10), vec![]), [(day(1), day(10))]);
        assert_eq!(gaps(day(1), day(10), vec![(day(1), day(10))]), []);
        assert_eq!(
            gaps(day(1), day(10), vec![(day(4), day(5)), (day(2), day(2))]),
            [(day(1), day(1)), (day(3), day(3)), (day(6), day(10))]
        );
        assert_eq!(gaps(day(5), day(10), vec![(day(1), day(6)), (day(3), day(4)), (day(9), day(20))]), [(day(7), day(8))]);
        assert_eq!(gaps(day(5), day(4), vec![]), []);
        assert_eq!(gaps(day(5), day(10), vec![(day(12), day(13))]), [(day(5), day(10))]);
    }
}
