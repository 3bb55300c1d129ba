//! Answers, counts and reviews in the protocol's words.

use tonic::Status;

use super::{pb, shared, status};
use crate::audit::counts::Counts;
use crate::audit::event::row_of;
use crate::audit::question::{Answer, Finding, Mark, Question, Row};
use crate::audit::range::Checked;
use crate::audit::sight::Sight;
use crate::domain::time::Date;
use crate::gateway::Review;
use crate::policy::reason::Reason;

/// The questions that were asked, each once.
pub(super) fn questions(numbers: &[i32]) -> Result<Vec<Question>, Status> {
    let bad = || status::of_argument("questions", Reason::BadArgument, "name at least one of the prepared questions, each once");
    let mut questions = Vec::with_capacity(numbers.len().min(Question::ALL.len()));
    for number in numbers {
        let question = u16::try_from(*number).ok().and_then(Question::of_number).ok_or_else(bad)?;
        if questions.contains(&question) {
            return Err(bad());
        }
        questions.push(question);
    }
    if questions.is_empty() { Err(bad()) } else { Ok(questions) }
}

/// Ids of the participants that a sight covers, and whether it covers all.
pub(super) fn covers(sight: &Sight) -> (Vec<String>, bool) {
    (sight.parties().into_iter().flatten().map(ToString::to_string).collect(), sight.parties().is_none())
}

fn numbers(finding: &Finding) -> Vec<(&'static str, u64)> {
    match *finding {
        Finding::ResultsElsewhere { results, deliveries, elsewhere, unresolved } => {
            vec![("results", results), ("deliveries", deliveries), ("elsewhere", elsewhere), ("unresolved", unresolved)]
        }
        Finding::Forbidden { refused, forbidden, summed, strangers, participants } => vec![
            ("refused", refused),
            ("forbidden", forbidden),
            ("summed", summed),
            ("strangers", strangers),
            ("participants", participants),
        ],
        Finding::Overdue { open, settled, unresolved } => vec![("open", open), ("settled", settled), ("unresolved", unresolved)],
        Finding::Changed { corrected, withdrawn, returned } => {
            vec![("corrected", corrected), ("withdrawn", withdrawn), ("returned", returned)]
        }
        Finding::Erased { contents, months, records, held, undelivered } => {
            vec![("contents", contents), ("months", months), ("records", records), ("held", held), ("undelivered", undelivered)]
        }
        Finding::Read { reads, readers, reviews } => vec![("reads", reads), ("readers", readers), ("reviews", reviews)],
    }
}

const fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Plain => "plain",
        Mark::Elsewhere => "elsewhere",
        Mark::Unresolved => "unresolved",
        Mark::Forbidden => "forbidden",
        Mark::Open => "open",
        Mark::Settled => "settled",
    }
}

pub(super) fn answer(answer: &Answer) -> pb::Answer {
    let Answer { question, period: _, sight, finding, rows, left_out, checked: check } = answer;
    let (participants, whole_log) = covers(sight);
    let row = |row: &Row| pb::AnswerRow {
        entry: Some(pb::LogEntry { index: row.index, record: Some(super::record(&row.record)) }),
        mark: mark(row.mark).to_owned(),
    };
    pb::Answer {
        question: question.number().into(),
        numbers: numbers(finding).into_iter().map(|(name, value)| pb::NamedNumber { name: name.to_owned(), value }).collect(),
        rows: rows.iter().map(row).collect(),
        left_out: *left_out,
        checked: Some(checked(check)),
        participants,
        whole_log,
    }
}

pub(super) fn checked(checked: &Checked) -> pb::Checked {
    let Checked {
        from,
        to,
        period,
        before,
        begins,
        ends,
        source: _,
        failed,
        failed_at,
        failed_within: _,
        failed_before: _,
        in_tree,
        size,
        root,
    } = checked;
    pb::Checked {
        from_index: *from,
        to_index: *to,
        opened: period.opened,
        erased: period.erased,
        failed: *failed,
        failed_at: failed_at.clone(),
        in_tree: *in_tree,
        tree_size: *size,
        root: root.as_bytes().to_vec().into(),
        closed: period.closed,
        before_opened: before.opened,
        before_erased: before.erased,
        before_closed: before.closed,
        period_failed: period.failed,
        before_failed: before.failed,
        begins: *begins,
        ends: *ends,
    }
}

pub(super) fn counts(counts: &Counts) -> Vec<pb::KindCount> {
    let columns = counts.columns().iter().flat_map(|(day, kinds)| kinds.iter().map(move |(kind, count)| (day, *kind, *count)));
    columns
        .map(|(day, kind, count)| pb::KindCount {
            day: day.to_string(),
            kind: kind.into(),
            kind_name: row_of(kind).map_or_else(|| "UNKNOWN".to_owned(), |row| row.name.to_owned()),
            count,
        })
        .collect()
}

pub(super) fn days(from: Date, to: Date) -> pb::Days {
    pb::Days { from: from.to_string(), to: to.to_string() }
}

pub(super) fn review(review: &Review) -> pb::StatedReview {
    pb::StatedReview {
        index: review.index,
        time: Some(shared::timestamp(review.at)),
        auditor: review.auditor.to_string(),
        key_label: review.key_label.clone(),
        days: Some(days(review.from, review.to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::range::{Source, Stretches, Tally};
    use crate::audit::tree::Hash;

    #[test]
    fn what_failed_outside_the_period_is_told_apart_from_what_failed_of_it() {
        let period = Tally { opened: 900, erased: 5, closed: 7, failed: 2 };
        let before = Tally { opened: 30, erased: 3, closed: 4, failed: 1 };
        // One more failed after the period.
        let (failed, failed_at) = (4, vec![11, 100, 101, 1_040]);
        let root = Hash::empty_root();
        for (begins, ends) in [(true, false), (false, true)] {
            let check = Checked {
                from: 10,
                to: 1_050,
                period,
                before,
                begins,
                ends,
                source: Source::Log,
                failed,
                failed_at: failed_at.clone(),
                failed_within: Stretches::of([100, 101]),
                failed_before: Stretches::of([11]),
                in_tree: true,
                size: 2_000,
                root,
            };
            let told = checked(&check);
            assert_eq!((told.opened, told.opened + told.period_failed), (period.opened, period.checkable()), "n of m of the period");
            assert_eq!((told.before_failed, told.failed, told.failed_at), (1, 4, failed_at.clone()));
            assert_eq!((told.begins, told.ends), (begins, ends));
        }
    }
}
