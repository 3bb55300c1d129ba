//! Entries as rows of a table, with what is erased among them.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::names;
use crate::audit::event::kind;
use crate::audit::record::Record;
use crate::domain::id::{CaseRef, MessageId};
use crate::domain::time::Timestamp;
use crate::policy::table::Verb;
use crate::store::LogEntry;

/// What a table shows: an entry, one that cannot be read, or a stretch of entries that are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// An entry whose record lives.
    Entry(Box<Shown>),
    /// Entries from the first to the last that cannot be read.
    Unreadable {
        /// First index.
        first: u64,
        /// Last index.
        last: u64,
    },
    /// Entries from the first to the last that are erased or cannot be read: which of both is not known of each.
    Lacking {
        /// First index.
        first: u64,
        /// Last index.
        last: u64,
    },
    /// Entries from the first to the last, erased.
    Erased {
        /// First index.
        first: u64,
        /// Last index.
        last: u64,
    },
    /// Entries from the first to the last, of months that are erased, as whoever sees a part of the log is told of them: what a hold outside its scope
    /// keeps there looks the same.
    OfErasedMonths {
        /// First index.
        first: u64,
        /// Last index.
        last: u64,
    },
}

/// What is shown of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) index: u64,
    pub(super) kind: u16,
    pub(super) at: Timestamp,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) key_label: Option<String>,
    pub(super) message_id: Option<MessageId>,
    pub(super) replaces: Option<MessageId>,
    pub(super) case_ref: Option<CaseRef>,
    pub(super) reason: Option<u16>,
    pub(super) verb: Option<u16>,
    pub(super) count: Option<u64>,
    pub(super) note: Option<String>,
    /// Whose records a reader asked for.
    pub(super) about: Option<String>,
    /// What the row stands for in an answer.
    pub(super) mark: Option<&'static str>,
}

impl Shown {
    pub(super) fn of(index: u64, record: &Record) -> Self {
        // The way of the message: what is handed out and acknowledged came from its sender; what is returned goes back to it.
        let (from, to) = match (record.kind, &record.actor, &record.sender) {
            (kind::HANDED_OUT | kind::ACKNOWLEDGED, actor, sender) => (sender.as_ref(), actor.as_ref()),
            // Nothing went to those whose case or records an auditor asked for or held.
            (kind::AUDIT_READ..=kind::HOLD_ENDED, actor, _) => (actor.as_ref(), None),
            (_, Some(actor), sender) => (Some(actor), record.recipient.as_ref().or(sender.as_ref())),
            (_, None, sender) => (sender.as_ref(), record.recipient.as_ref()),
        };
        Self {
            index,
            kind: record.kind,
            at: record.time,
            from: from.map(ToString::to_string),
            to: to.map(ToString::to_string),
            key_label: record.key_label.clone(),
            message_id: record.message_id,
            replaces: record.replaces,
            case_ref: record.case_ref,
            reason: record.reason,
            verb: record.verb,
            count: record.count,
            note: record.note.clone(),
            about: record
                .recipient
                .as_ref()
                .filter(|_| matches!(record.kind, kind::AUDIT_READ | kind::AUDIT_ASKED))
                .map(ToString::to_string),
            mark: None,
        }
    }

    /// Reason, call, count and note, in words.
    pub(super) fn details(&self, lang: Lang) -> Vec<String> {
        let mut details = Vec::new();
        details.extend(self.mark.map(ToOwned::to_owned));
        if let Some(verb) = self.verb.and_then(Verb::of_number) {
            details.push(names::verb(lang, verb).to_owned());
        }
        if let Some(reason) = self.reason {
            details.push(names::reason_of(lang, self.kind, reason));
        }
        if self.replaces.is_some() && matches!(self.kind, 10 | 12 | 14) {
            details.push(lang.say("retter en tidligere melding", "replaces an earlier message").to_owned());
        }
        if let Some(count) = self.count {
            details.push(match self.kind {
                4 | 6 | 51 => format!("{} {count}", lang.say("utgave", "edition")),
                _ => format!("{} {}", lang.say("antall", "count"), lang.number(count)),
            });
        }
        if let Some(note) = self.note.as_deref().filter(|_| matches!(self.kind, 1 | 2 | 10 | 31 | 42 | 51 | 61 | 62 | 63)) {
            details.push(names::note(lang, self.kind, note));
        }
        if let Some(about) = &self.about {
            details.push(format!("{} {about}", lang.say("om", "about")));
        }
        details
    }
}

/// What is known of entries that are lacking on a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lacking<'p> {
    /// The first index whose record is kept by its month: from there on nothing is erased.
    pub(super) first_kept: u64,
    /// What cannot be read, ascending.
    pub(super) unreadable: &'p [u64],
    /// Whether that names all on the page.
    pub(super) is_all_named: bool,
    /// Whether the reader sees everything. To any other, what lacks in months that are kept is closed, and no row.
    pub(super) sees_all: bool,
}

/// The rows of a page whose filter leaves out nothing in `range`: what is lacking there is erased or cannot be read, or closed.
pub(super) fn with_lacking(entries: Vec<LogEntry>, range: std::ops::Range<u64>, lacking: Lacking<'_>) -> Vec<Row> {
    let mut rows = Vec::with_capacity(entries.len());
    let mut next = range.start;
    for entry in entries {
        let Some(record) = entry.record else { continue };
        lacking.fill(&mut rows, next..entry.index);
        next = entry.index + 1;
        rows.push(Row::Entry(Box::new(Shown::of(entry.index, &record))));
    }
    lacking.fill(&mut rows, next..range.end);
    rows
}

impl Lacking<'_> {
    /// A stretch without records. Months that are kept have no gaps: what is lacking in them cannot be read, named or not. Before them everything is
    /// erased but what a hold keeps, and of that only what is named is told apart.
    fn fill(&self, rows: &mut Vec<Row>, stretch: std::ops::Range<u64>) {
        let kept = self.first_kept.clamp(stretch.start, stretch.end);
        let mut next = stretch.start;
        let mut gap = |rows: &mut Vec<Row>, end: u64| {
            if next < end {
                let (first, last) = (next, end - 1);
                rows.push(match (self.sees_all, self.is_all_named) {
                    (false, _) => Row::OfErasedMonths { first, last },
                    (true, true) => Row::Erased { first, last },
                    (true, false) => Row::Lacking { first, last },
                });
            }
            next = end + 1;
        };
        for index in self.unreadable.iter().copied().filter(|index| (stretch.start..kept).contains(index)) {
            gap(rows, index);
            unreadable(rows, index, index);
        }
        gap(rows, kept);
        if !self.sees_all {
            let named = self.unreadable.iter().copied().filter(|index| (kept..stretch.end).contains(index));
            named.for_each(|index| unreadable(rows, index, index));
        } else if kept < stretch.end {
            unreadable(rows, kept, stretch.end - 1);
        }
    }
}

/// One more stretch that cannot be read, joined with the one right before it.
fn unreadable(rows: &mut Vec<Row>, first: u64, last: u64) {
    match rows.last_mut() {
        Some(Row::Unreadable { last: before, .. }) if *before + 1 == first => *before = last,
        _ => rows.push(Row::Unreadable { first, last }),
    }
}

/// A time with its exact value.
pub(super) fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (names::time(at)) } }
}

/// The rule that erased entries go by.
pub(super) fn erased_rule(lang: Lang) -> &'static str {
    lang.say(
        "slettet etter lagringsregelen (politiregisterforskriften § 40-13); bladet står fortsatt i loggen",
        "erased by the retention rule (politiregisterforskriften § 40-13); the leaf still stands in the log",
    )
}

/// The same of all entries of months that it erased, whether holds keep some of them or not.
const fn erased_months_rule(lang: Lang) -> &'static str {
    lang.say(
        "fra måneder som er slettet etter lagringsregelen (politiregisterforskriften § 40-13), unntatt det sperringer beholder; bladene står fortsatt i loggen",
        "of months erased by the retention rule (politiregisterforskriften § 40-13), but for what legal holds keep; their leaves still stand in the log",
    )
}

/// The table; `caption` says what it lists.
pub(super) fn table(lang: Lang, caption: &str, rows: &[Row]) -> Markup {
    html! {
        div class="scroll" role="group" aria-label=(caption) tabindex="0" {
            table class="ds-table" data-zebra {
                caption class="ds-sr-only" { (caption) }
                thead {
                    tr {
                        th scope="col" { (lang.say("Nr.", "No.")) }
                        th scope="col" { (lang.say("Tid i Oslo", "Time in Oslo")) }
                        th scope="col" { (lang.say("Hendelse", "Event")) }
                        th scope="col" { (lang.say("Fra → til", "From → to")) }
                        th scope="col" { (lang.say("Sak", "Case")) }
                    }
                }
                tbody {
                    @for row in rows {
                        @match row {
                            Row::Entry(shown) => (entry(lang, shown)),
                            Row::Unreadable { first, last } => (stretch(lang, (*first, *last), "unreadable", lang.say("kan ikke leses", "cannot be read"))),
                            Row::Lacking { first, last } => {
                                (stretch(lang, (*first, *last), "unreadable", lang.say(
                                    "kan ikke leses eller er slettet etter lagringsregelen",
                                    "cannot be read or erased by the retention rule",
                                )))
                            }
                            Row::Erased { first, last } => (stretch(lang, (*first, *last), "erased", erased_rule(lang))),
                            Row::OfErasedMonths { first, last } => (stretch(lang, (*first, *last), "erased", erased_months_rule(lang))),
                        }
                    }
                }
            }
        }
    }
}

/// Indices from the first to the last, as a link to the first.
pub(super) fn indices(lang: Lang, first: u64, last: u64) -> Markup {
    html! {
        a class="ds-link" href=(PageRoute::Entry(first).path(lang)) { (first) }
        @if last != first { "–" (last) }
    }
}

fn stretch(lang: Lang, (first, last): (u64, u64), class: &str, what: &str) -> Markup {
    html! {
        tr class=(class) {
            td { (indices(lang, first, last)) }
            td colspan="4" { (lang.count(last - first + 1, ["oppføring", "oppføringer"], ["entry", "entries"])) " " (what) }
        }
    }
}

fn entry(lang: Lang, shown: &Shown) -> Markup {
    let details = shown.details(lang).join("; ");
    html! {
        tr {
            td { a class="ds-link" href=(PageRoute::Entry(shown.index).path(lang)) { (shown.index) } }
            td class="time" { (time(shown.at)) }
            td {
                span class="event" { (names::kind(lang, shown.kind)) }
                @if !details.is_empty() { span class="details" { (details) } }
            }
            td class="parties" {
                @if let Some(from) = &shown.from { (from) }
                @if let Some(to) = &shown.to { " → " (to) }
                @if shown.from.is_none() && shown.to.is_none() { span class="quiet" { "Samband" } }
            }
            td class="ref" {
                @if let Some(case) = shown.case_ref { a class="ds-link" href=(PageRoute::Case(case).path(lang)) { (case) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_auditor_reads_or_holds_goes_to_nobody() {
        let record = |kind| Record {
            actor: Some("tilsyn".parse().unwrap()),
            recipient: Some("ru-oslo".parse().unwrap()),
            ..Record::empty(kind, Timestamp::from_millis(0))
        };
        for kind in [kind::AUDIT_READ, kind::AUDIT_ASKED, kind::HOLD_PLACED, kind::HOLD_LIFTED, kind::HOLD_ENDED] {
            let shown = Shown::of(7, &record(kind));
            assert_eq!((shown.from.as_deref(), shown.to.as_deref()), (Some("tilsyn"), None), "{kind}");
            let asks = matches!(kind, kind::AUDIT_READ | kind::AUDIT_ASKED);
            assert_eq!(shown.details(Lang::Nb).contains(&"om ru-oslo".to_owned()), asks, "{kind}");
        }
        assert_eq!(Shown::of(7, &record(kind::NOTICE_ACCEPTED)).to.as_deref(), Some("ru-oslo"));
    }

    fn lacking(first_kept: u64, unreadable: &[u64], is_all_named: bool, range: std::ops::Range<u64>) -> Vec<Row> {
        with_lacking(Vec::new(), range, Lacking { first_kept, unreadable, is_all_named, sees_all: true })
    }

    /// The same to an auditor with a scope.
    fn lacking_in_scope(first_kept: u64, unreadable: &[u64], is_all_named: bool, range: std::ops::Range<u64>) -> Vec<Row> {
        with_lacking(Vec::new(), range, Lacking { first_kept, unreadable, is_all_named, sees_all: false })
    }

    const fn erased(first: u64, last: u64) -> Row {
        Row::Erased { first, last }
    }

    const fn damaged(first: u64, last: u64) -> Row {
        Row::Unreadable { first, last }
    }

    #[test]
    fn what_cannot_be_read_is_not_told_as_erased() {
        assert_eq!(lacking(9, &[], true, 3..9), [erased(3, 8)]);
        assert_eq!(lacking(9, &[2, 3, 5, 9], true, 3..9), [damaged(3, 3), erased(4, 4), damaged(5, 5), erased(6, 8)]);
        assert_eq!(lacking(9, &[3, 4], true, 3..5), [damaged(3, 4)]);
        assert_eq!(lacking(6, &[5], true, 3..9), [erased(3, 4), damaged(5, 8)]);
    }

    #[test]
    fn a_scope_is_shown_the_months_that_are_erased_and_nothing_of_what_is_closed() {
        let gone = |first, last| Row::OfErasedMonths { first, last };
        assert_eq!(lacking_in_scope(9, &[], true, 3..9), [gone(3, 8)]);
        assert_eq!(lacking_in_scope(6, &[], true, 3..9), [gone(3, 5)], "closed ones of a month that is kept are no row");
        assert_eq!(lacking_in_scope(0, &[], true, 3..9), []);
        assert_eq!(lacking_in_scope(6, &[5, 7, 8], true, 3..11), [gone(3, 4), damaged(5, 5), damaged(7, 8)]);
        assert_eq!(lacking_in_scope(6, &[4], false, 3..9), [gone(3, 3), damaged(4, 4), gone(5, 5)]);
        let entry = LogEntry { index: 5, record: Some(Record::empty(kind::STARTED, Timestamp::from_millis(0))) };
        let all = Lacking { first_kept: 7, unreadable: &[], is_all_named: true, sees_all: false };
        let rows = with_lacking(vec![entry], 3..9, all);
        assert!(matches!(&rows[..], [before, Row::Entry(_), after] if *before == gone(3, 4) && *after == gone(6, 6)), "{rows:?}");
        for (lang, rule) in [
            (
                Lang::Nb,
                "6 oppføringer fra måneder som er slettet etter lagringsregelen (politiregisterforskriften § 40-13), unntatt det sperringer beholder;",
            ),
            (
                Lang::En,
                "6 entries of months erased by the retention rule (politiregisterforskriften § 40-13), but for what legal holds keep;",
            ),
        ] {
            let shown = table(lang, "", &[gone(3, 8)]).into_string();
            assert!(shown.contains(rule) && shown.contains("<tr class=\"erased\">"), "{shown}");
        }
    }

    #[test]
    fn in_a_month_that_is_kept_nothing_is_told_as_erased_however_much_is_damaged() {
        assert_eq!(lacking(0, &[], false, 3..900), [damaged(3, 899)]);
        assert_eq!(lacking(3, &[3, 4], true, 3..9), [damaged(3, 8)]);
        // Of what a hold keeps beyond its month, some may not be named.
        assert_eq!(
            lacking(6, &[4], false, 3..9),
            [Row::Lacking { first: 3, last: 3 }, damaged(4, 4), Row::Lacking { first: 5, last: 5 }, damaged(6, 8)]
        );
    }
}
