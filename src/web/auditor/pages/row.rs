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
    /// An entry that cannot be read.
    Unreadable(u64),
    /// Entries from the first to the last, erased.
    Erased {
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
    /// What the row stands for in an answer.
    pub(super) mark: Option<&'static str>,
}

impl Shown {
    pub(super) fn of(index: u64, record: &Record) -> Self {
        // The way of the message: what is handed out and acknowledged came from its sender; what is returned goes back to it.
        let (from, to) = match (record.kind, &record.actor, &record.sender) {
            (kind::HANDED_OUT | kind::ACKNOWLEDGED, actor, sender) => (sender.as_ref(), actor.as_ref()),
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
        if let Some(note) = self.note.as_deref().filter(|_| matches!(self.kind, 1 | 2 | 10 | 31 | 42 | 51 | 61 | 62)) {
            details.push(note.to_owned());
        }
        details
    }
}

/// The rows of a page whose filter leaves out nothing between `first` and `last`: what is missing there is
/// erased, but for what cannot be read.
pub(super) fn with_erased(entries: Vec<LogEntry>, range: std::ops::Range<u64>, unreadable: &[u64]) -> Vec<Row> {
    let mut rows = Vec::with_capacity(entries.len());
    let mut next = range.start;
    for entry in entries {
        let Some(record) = entry.record else { continue };
        fill(&mut rows, next..entry.index, unreadable);
        next = entry.index + 1;
        rows.push(Row::Entry(Box::new(Shown::of(entry.index, &record))));
    }
    fill(&mut rows, next..range.end, unreadable);
    rows
}

/// A stretch without records: erased, but for what cannot be read.
fn fill(rows: &mut Vec<Row>, stretch: std::ops::Range<u64>, unreadable: &[u64]) {
    let mut next = stretch.start;
    let mut erased = |rows: &mut Vec<Row>, end: u64| {
        if next < end {
            rows.push(Row::Erased { first: next, last: end - 1 });
        }
        next = end + 1;
    };
    for index in unreadable.iter().copied().filter(|index| stretch.contains(index)) {
        erased(rows, index);
        rows.push(Row::Unreadable(index));
    }
    erased(rows, stretch.end);
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
                            Row::Unreadable(index) => {
                                tr {
                                    td { a class="ds-link" href=(PageRoute::Entry(*index).path(lang)) { (index) } }
                                    td colspan="4" { (lang.say("kan ikke leses", "cannot be read")) }
                                }
                            }
                            Row::Erased { first, last } => {
                                tr class="erased" {
                                    td {
                                        a class="ds-link" href=(PageRoute::Entry(*first).path(lang)) { (first) }
                                        @if last != first { "–" (last) }
                                    }
                                    td colspan="4" {
                                        (lang.count(last - first + 1, ["oppføring", "oppføringer"], ["entry", "entries"])) " " (erased_rule(lang))
                                    }
                                }
                            }
                        }
                    }
                }
            }
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
    fn what_cannot_be_read_is_not_told_as_erased() {
        let erased = |first, last| Row::Erased { first, last };
        assert_eq!(with_erased(Vec::new(), 3..9, &[]), [erased(3, 8)]);
        assert_eq!(with_erased(Vec::new(), 3..9, &[2, 3, 5, 9]), [Row::Unreadable(3), erased(4, 4), Row::Unreadable(5), erased(6, 8)]);
        assert_eq!(with_erased(Vec::new(), 3..5, &[3, 4]), [Row::Unreadable(3), Row::Unreadable(4)]);
    }
}
