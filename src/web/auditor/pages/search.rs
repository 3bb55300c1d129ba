//! Search by period, participant, kind, outcome, message id and case. There is none by person, and the page says how one gets from a person to a case.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::{PageRoute, decimal};
use super::layout::{alert, check_yourself};
use super::row::{Lacking, Row, table, with_lacking};
use super::{Page, Place, answers, names};
use crate::audit::event::TABLE;
use crate::domain::time::{Timestamp, parse_date};
use crate::gateway::{Browsed, Gateway, Refusal, Turn};
use crate::policy::permit::Caller;
use crate::store::{RecordFilter, UNREADABLE_MAX};

/// Entries of a page.
const PAGE: usize = 50;
/// The longest value of a field that is kept, in characters.
const VALUE_CHARS_MAX: usize = 64;

/// The form as it was sent: texts, also those that are wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in super::super) struct Form {
    pub(in super::super) from: String,
    pub(in super::super) to: String,
    pub(in super::super) participant: String,
    pub(in super::super) kind: String,
    pub(in super::super) outcome: String,
    pub(in super::super) message_id: String,
    pub(in super::super) case_ref: String,
    pub(in super::super) before: String,
    pub(in super::super) after: String,
    /// A field that the form does not have: left out, it would widen the search without a word.
    pub(in super::super) unknown: bool,
}

impl Form {
    const NAMES: [&'static str; 9] = ["from", "to", "participant", "kind", "outcome", "message_id", "case_ref", "before", "after"];

    fn field(&mut self, name: &str) -> Option<&mut String> {
        Some(match name {
            "from" => &mut self.from,
            "to" => &mut self.to,
            "participant" => &mut self.participant,
            "kind" => &mut self.kind,
            "outcome" => &mut self.outcome,
            "message_id" => &mut self.message_id,
            "case_ref" => &mut self.case_ref,
            "before" => &mut self.before,
            "after" => &mut self.after,
            _ => return None,
        })
    }

    fn fields(&self) -> [(&'static str, &str); 9] {
        let Self { from, to, participant, kind, outcome, message_id, case_ref, before, after, unknown: _ } = self;
        let values = [from, to, participant, kind, outcome, message_id, case_ref, before, after];
        std::array::from_fn(|i| (Self::NAMES[i], values[i].as_str()))
    }

    /// From a query string.
    pub(in super::super) fn parse(query: &str) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match form.field(&name) {
                Some(field) if field.is_empty() => {
                    let cut: String = value.trim().chars().take(VALUE_CHARS_MAX).collect();
                    // What was cut may end in a space, and the form's own path would lead to another form.
                    cut.trim_end().clone_into(field);
                }
                _ => form.unknown = true,
            }
        }
        form
    }

    /// As a query string with its question mark; empty when nothing is asked for.
    pub(in super::super) fn query(&self) -> String {
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields().into_iter().filter(|(_, value)| !value.is_empty()) {
            out.append_pair(name, value);
        }
        let query = out.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    fn turned(&self, before: Option<u64>, after: Option<u64>) -> Self {
        let text = |index: Option<u64>| index.map_or_else(String::new, |index| index.to_string());
        Self { before: text(before), after: text(after), ..self.clone() }
    }
}

/// What became of something: kinds that a reader thinks of as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcome {
    code: &'static str,
    nb: &'static str,
    en: &'static str,
    kinds: &'static [u16],
}

const OUTCOMES: [Outcome; 9] = [
    Outcome { code: "accepted", nb: "Mottatt", en: "Accepted", kinds: &[10, 12, 14] },
    Outcome { code: "delivered", nb: "Utlevert eller bekreftet", en: "Handed out or acknowledged", kinds: &[20, 21] },
    Outcome { code: "withdrawn", nb: "Trukket tilbake", en: "Withdrawn", kinds: &[11, 13, 15] },
    Outcome { code: "returned", nb: "Returnert", en: "Returned", kinds: &[22] },
    Outcome { code: "overdue", nb: "Over fristen", en: "Overdue", kinds: &[23, 25] },
    Outcome { code: "refused", nb: "Nektet", en: "Refused", kinds: &[40, 41, 42] },
    Outcome { code: "ended", nb: "Avsluttet", en: "Ended", kinds: &[24, 25, 26] },
    Outcome { code: "erased", nb: "Slettet", en: "Erased", kinds: &[30, 31, 32] },
    Outcome { code: "read", nb: "Lest av revisor", en: "Read by an auditor", kinds: &[60, 61, 62] },
];

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    From,
    To,
    Order,
    Participant,
    Kind,
    Outcome,
    Nothing,
    MessageId,
    CaseRef,
    Place,
    Unknown,
}

impl Problem {
    #[cfg(test)]
    const ALL: [Self; 11] = [
        Self::From,
        Self::To,
        Self::Order,
        Self::Participant,
        Self::Kind,
        Self::Outcome,
        Self::Nothing,
        Self::MessageId,
        Self::CaseRef,
        Self::Place,
        Self::Unknown,
    ];

    /// The field to go to.
    pub(super) const fn field(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To | Self::Order => "to",
            Self::Participant => "participant",
            Self::Kind | Self::Nothing => "kind",
            Self::Outcome => "outcome",
            Self::MessageId => "message_id",
            Self::CaseRef => "case_ref",
            Self::Place | Self::Unknown => "search",
        }
    }

    pub(super) const fn text(self, lang: Lang) -> &'static str {
        match self {
            Self::From => lang.say("Fra-datoen må skrives som 2026-11-20.", "Write the first day as 2026-11-20."),
            Self::To => lang.say("Til-datoen må skrives som 2026-11-20.", "Write the last day as 2026-11-20."),
            Self::Order => lang.say("Til-datoen er før fra-datoen.", "The last day is before the first."),
            Self::Participant => lang.say(
                "En deltaker er en id fra registeret, som politi-oslo. Det går ikke an å søke etter personer.",
                "A participant is an id of the register, such as politi-oslo. There is no search for persons.",
            ),
            Self::Kind => lang.say("Velg en hendelse fra lista.", "Choose an event from the list."),
            Self::Outcome => lang.say("Velg et utfall fra lista.", "Choose an outcome from the list."),
            Self::Nothing => lang.say(
                "Den hendelsen kan ikke ha det utfallet. Velg bare en av dem.",
                "That event cannot have that outcome. Choose one of the two.",
            ),
            Self::MessageId => lang.say(
                "En meldings-id er en UUID, som 019a9b3c-0000-7000-8000-000000000001.",
                "A message id is a UUID such as 019a9b3c-0000-7000-8000-000000000001.",
            ),
            Self::CaseRef => lang.say(
                "En saksreferanse har 18 tegn, vist 6-6-6, og de to siste er kontrolltegn. Les den en gang til.",
                "A case reference has 18 characters, shown 6-6-6, the last two being check characters. Read it again.",
            ),
            Self::Place => lang.say("Siden i lista finnes ikke. Søk på nytt.", "There is no such page of the list. Search again."),
            Self::Unknown => lang.say(
                "Adressen inneholder noe som søket ikke har. Bruk feltene under; ingen av dem gjelder personer.",
                "The address has something that this search does not. Use the fields below; none of them is about persons.",
            ),
        }
    }
}

/// The form as a filter and the page asked for.
fn filter(form: &Form) -> Result<(RecordFilter, Turn), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut filter = RecordFilter::default();
    let day = |text: &str, problem, problems: &mut Vec<Problem>| {
        if text.is_empty() {
            return None;
        }
        let day = parse_date(text);
        if day.is_none() {
            problems.push(problem);
        }
        day
    };
    let from = day(&form.from, Problem::From, &mut problems);
    let to = day(&form.to, Problem::To, &mut problems);
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        problems.push(Problem::Order);
    }
    filter.from_time = from.map(Timestamp::start_of);
    // The last day is part of the period.
    filter.to_time = to.and_then(|day| day.tomorrow().ok()).map(Timestamp::start_of);
    if !form.participant.is_empty() {
        filter.participant = form.participant.parse().map_err(|_| problems.push(Problem::Participant)).ok();
    }
    let kind = TABLE.iter().find(|row| row.name == form.kind).map(|row| row.number);
    if !form.kind.is_empty() && kind.is_none() {
        problems.push(Problem::Kind);
    }
    let outcome = OUTCOMES.iter().find(|outcome| outcome.code == form.outcome);
    if !form.outcome.is_empty() && outcome.is_none() {
        problems.push(Problem::Outcome);
    }
    match (kind, outcome) {
        (Some(kind), Some(outcome)) if !outcome.kinds.contains(&kind) => problems.push(Problem::Nothing),
        (Some(kind), _) => filter.kinds = vec![kind],
        (None, Some(outcome)) => filter.kinds = outcome.kinds.to_vec(),
        (None, None) => {}
    }
    if !form.message_id.is_empty() {
        filter.message_id = form.message_id.to_lowercase().parse().map_err(|_| problems.push(Problem::MessageId)).ok();
    }
    if !form.case_ref.is_empty() {
        filter.case_ref = form.case_ref.parse().map_err(|_| problems.push(Problem::CaseRef)).ok();
    }
    let turn = match (form.before.as_str(), form.after.as_str()) {
        ("", "") => Some(Turn::Newest),
        (before, "") => decimal(before).map(Turn::Before),
        ("", after) => decimal(after).map(Turn::After),
        _ => None,
    };
    let turn = turn.unwrap_or_else(|| {
        problems.push(Problem::Place);
        Turn::Newest
    });
    if form.unknown {
        problems.push(Problem::Unknown);
    }
    if problems.is_empty() { Ok((filter, turn)) } else { Err(problems) }
}

/// A participant to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Choice {
    id: String,
    name: String,
}

/// The context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    form: Form,
    participants: Vec<Choice>,
    found: Result<Found, Vec<Problem>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    /// Newest first.
    rows: Vec<Row>,
    /// The indices that were looked through for the page.
    range: std::ops::Range<u64>,
    matches: u64,
    erased: u64,
    /// Stretches of what cannot be read, from the first to the last index.
    unreadable: Vec<(u64, u64)>,
    /// Whether there may be more of that.
    more_unreadable: bool,
    /// What cannot be read in the whole log, for whoever is told no more of it.
    unjudged: u64,
    newer: Option<u64>,
    older: Option<u64>,
}

impl Search {
    pub(super) async fn load(gateway: &Arc<Gateway>, caller: &Caller, form: Form) -> Result<Self, Refusal> {
        let register = gateway.store().register();
        let participants = register.iter().map(|entry| Choice { id: entry.id.to_string(), name: entry.name.clone() }).collect();
        let found = match filter(&form) {
            Ok((filter, turn)) => {
                // Then what is missing among the indices is erased, damaged or closed, and nothing else.
                let leaves_out_nothing = filter == RecordFilter::default();
                let sees_all = gateway.sight(caller).parties().is_none();
                Ok(Found::of(gateway.browse(caller, filter, turn, PAGE).await?, leaves_out_nothing, sees_all))
            }
            Err(problems) => {
                // Nothing is searched, but that the page was asked for is a call all the same.
                gateway.checkpoint(caller).await?;
                Err(problems)
            }
        };
        Ok(Self { form, participants, found })
    }

    /// What is wrong with the form.
    pub(super) fn problems(&self) -> &[Problem] {
        self.found.as_ref().err().map_or(&[], Vec::as_slice)
    }

    fn problem(&self, field: &str) -> Option<Problem> {
        self.problems().iter().copied().find(|problem| problem.field() == field)
    }
}

impl Found {
    fn of(browsed: Browsed, leaves_out_nothing: bool, sees_all: bool) -> Self {
        let Browsed { entries, range, erased, unreadable, unjudged, first_kept, newer, older } = browsed;
        let matches = entries.len() as u64;
        let older = older.then_some(range.start);
        let newer = newer.then(|| range.end.saturating_sub(1));
        let is_all_named = unreadable.len() < UNREADABLE_MAX;
        let mut rows = if leaves_out_nothing {
            with_lacking(entries, range.clone(), Lacking { first_kept, unreadable: &unreadable, is_all_named, sees_all })
        } else {
            let shown = |entry: crate::store::LogEntry| {
                entry.record.map(|record| Row::Entry(Box::new(super::row::Shown::of(entry.index, &record))))
            };
            entries.into_iter().filter_map(shown).collect()
        };
        let stretch = |row: &Row| if let Row::Unreadable { first, last } = row { Some((*first, *last)) } else { None };
        let (unreadable, more_unreadable) = if leaves_out_nothing {
            let is_more = if sees_all { rows.iter().any(|row| matches!(row, Row::Lacking { .. })) } else { !is_all_named };
            (rows.iter().filter_map(stretch).collect(), is_more)
        } else {
            (unreadable.into_iter().map(|index| (index, index)).collect(), !is_all_named)
        };
        rows.reverse();
        Self {
            rows,
            range,
            matches,
            erased: if leaves_out_nothing { 0 } else { erased },
            unreadable,
            more_unreadable,
            unjudged,
            newer,
            older,
        }
    }
}

impl Page for Search {
    fn title(&self, lang: Lang) -> String {
        lang.say("Søk i loggen", "Search the log").to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Search)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Search(self.form.clone()))
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            p class="lead" {
                (lang.say(
                    "Søk etter når, hvem og hva slags hendelse. Det finnes ikke noe søk etter personer, med vilje: Samband vet ikke hvem meldingene handlet om. ",
                    "Search by when, who and what kind of event. There is no search for persons, on purpose: Samband does not know whom the messages were about. ",
                ))
                a class="ds-link" href={ (PageRoute::Help.path(lang)) "#person" } {
                    (lang.say("Slik kommer du fra en person til en sak", "How to get from a person to a case"))
                }
            }
            @if !self.problems().is_empty() { (self.summary(lang)) }
            (self.form(lang))
            @if let Ok(found) = &self.found { (self.results(lang, found)) }
        }
    }
}

impl Search {
    fn summary(&self, lang: Lang) -> Markup {
        html! {
            section class="ds-error-summary" aria-labelledby="problems" tabindex="-1" {
                h2 class="ds-heading" data-size="xs" id="problems" { (lang.say("Søket kan ikke gjøres slik", "This search cannot be made")) }
                ul class="ds-list" {
                    @for problem in self.problems() {
                        li { a class="ds-link" href={ "#" (problem.field()) } { (problem.text(lang)) } }
                    }
                }
            }
        }
    }

    fn input(&self, lang: Lang, name: &'static str, label: &str, value: &str, kind: &str) -> Markup {
        let problem = self.problem(name);
        // A field for dates shows nothing else, and a browser complains of it.
        let value = if kind == "date" && parse_date(value).is_none() { "" } else { value };
        html! {
            div class="ds-field" {
                label class="ds-label" for=(name) { (label) }
                input class="ds-input" type=(kind) id=(name) name=(name) value=(value) autocomplete="off" spellcheck="false"
                    aria-describedby=[problem.map(|_| format!("{name}-problem"))] aria-invalid=[problem.map(|_| "true")];
                @if let Some(problem) = problem { p class="ds-validation-message" id={ (name) "-problem" } { (problem.text(lang)) } }
            }
        }
    }

    fn select(&self, lang: Lang, name: &'static str, label: &str, value: &str, options: &[(String, String)]) -> Markup {
        let problem = self.problem(name);
        html! {
            div class="ds-field" {
                label class="ds-label" for=(name) { (label) }
                select class="ds-input" id=(name) name=(name) aria-describedby=[problem.map(|_| format!("{name}-problem"))]
                    aria-invalid=[problem.map(|_| "true")] {
                    option value="" selected[value.is_empty()] { (lang.say("Alle", "All")) }
                    @for (code, text) in options {
                        option value=(code) selected[code == value] { (text) }
                    }
                }
                @if let Some(problem) = problem { p class="ds-validation-message" id={ (name) "-problem" } { (problem.text(lang)) } }
            }
        }
    }

    fn form(&self, lang: Lang) -> Markup {
        let form = &self.form;
        let participants: Vec<_> =
            self.participants.iter().map(|choice| (choice.id.clone(), format!("{} ({})", choice.name, choice.id))).collect();
        let mut kinds: Vec<_> = TABLE.iter().map(|row| (row.name.to_owned(), names::kind(lang, row.number).to_owned())).collect();
        kinds.sort_by(|left, right| left.1.cmp(&right.1));
        let outcomes: Vec<_> =
            OUTCOMES.iter().map(|outcome| (outcome.code.to_owned(), lang.say(outcome.nb, outcome.en).to_owned())).collect();
        html! {
            form class="search" id="search" method="get" action=(PageRoute::Search(Form::default()).path(lang)) role="search" aria-label=(lang.say("Søk i loggen", "Search the log")) {
                (self.input(lang, "from", lang.say("Fra og med", "From"), &form.from, "date"))
                (self.input(lang, "to", lang.say("Til og med", "To, inclusive"), &form.to, "date"))
                (self.select(lang, "participant", lang.say("Deltaker", "Participant"), &form.participant, &participants))
                (self.select(lang, "kind", lang.say("Hendelse", "Event"), &form.kind, &kinds))
                (self.select(lang, "outcome", lang.say("Utfall", "Outcome"), &form.outcome, &outcomes))
                (self.input(lang, "message_id", lang.say("Meldings-id", "Message id"), &form.message_id, "text"))
                (self.input(lang, "case_ref", lang.say("Saksreferanse (6-6-6)", "Case reference (6-6-6)"), &form.case_ref, "text"))
                div class="buttons" {
                    button class="ds-button" type="submit" { (lang.say("Søk", "Search")) }
                    a class="ds-button" data-variant="secondary" href=(PageRoute::Search(Form::default()).path(lang)) { (lang.say("Nullstill", "Reset")) }
                }
            }
        }
    }

    fn results(&self, lang: Lang, found: &Found) -> Markup {
        let heading = lang.say("Treff, nyeste først", "Entries, newest first");
        html! {
            section aria-labelledby="found" {
                h2 class="ds-heading" data-size="sm" id="found" { (heading) }
                @if let Some(alert) = answers::unreadable_between(lang, &found.unreadable, found.more_unreadable) { (alert) }
                @if let Some(alert) = answers::unjudged(lang, found.unjudged) { (alert) }
                @if found.erased > 0 {
                    (alert("info", &html! { p {
                        (lang.count(found.erased, ["oppføring", "oppføringer"], ["entry", "entries"])) " "
                        (lang.say("i det gjennomsøkte er slettet etter lagringsregelen og kunne ikke sammenlignes.", "in what was searched are erased by the retention rule and could not be compared."))
                    } }))
                }
                @if found.rows.is_empty() && (found.unjudged > 0 || !found.unreadable.is_empty()) {
                    p { (lang.say("Ingen av oppføringene som kan leses og som du har innsyn i, passer.", "No entries match, of those that can be read and that you may see.")) }
                } @else if found.rows.is_empty() {
                    p { (lang.say("Ingen av oppføringene som finnes ennå og som du har innsyn i, passer.", "No entries match, of those that are kept and that you may see.")) }
                } @else {
                    p class="quiet" {
                        (lang.count(found.matches, ["oppføring på denne siden", "oppføringer på denne siden"], ["entry on this page", "entries on this page"]))
                    }
                    (table(lang, heading, &found.rows))
                }
                @if found.newer.is_some() || found.older.is_some() {
                    nav class="pages" aria-label=(lang.say("Sider av treff", "Pages of entries")) {
                        @if let Some(newer) = found.newer {
                            a class="ds-button" data-variant="secondary" rel="prev" href=(PageRoute::Search(self.form.turned(None, Some(newer))).path(lang)) { (lang.say("Nyere", "Newer")) }
                        }
                        @if let Some(older) = found.older {
                            a class="ds-button" data-variant="secondary" rel="next" href=(PageRoute::Search(self.form.turned(Some(older), None)).path(lang)) { (lang.say("Eldre", "Older")) }
                        }
                    }
                }
                @if let Some(command) = self.command(found) { (check_yourself(lang, &command, "AuditService/ListRecords", None)) }
            }
        }
    }

    /// The same page on the command line; of a search that is one page, the search. None where the address names a place at which there is nothing.
    fn command(&self, found: &Found) -> Option<String> {
        let mut command = String::from("samband audit list");
        let mut option = |name: &str, value: &str| {
            if !value.is_empty() {
                command.push_str(&format!(" --{name} {value}"));
            }
        };
        if let Ok((filter, _)) = filter(&self.form) {
            option("since", &filter.from_time.map_or_else(String::new, |at| at.to_string()));
            option("until", &filter.to_time.map_or_else(String::new, |at| at.to_string()));
            option("participant", &self.form.participant);
            for kind in filter.kinds {
                option("kind", &names::kind_code(kind).to_lowercase().replace('_', "-"));
            }
            option("message-id", &filter.message_id.map_or_else(String::new, |id| id.to_string()));
            option("case", &filter.case_ref.map_or_else(String::new, |case| case.to_string()));
        }
        let is_part = found.newer.is_some() || found.older.is_some() || !self.form.before.is_empty() || !self.form.after.is_empty();
        if is_part {
            if found.range.is_empty() {
                return None;
            }
            option("from-index", &found.range.start.to_string());
            option("to-index", &found.range.end.to_string());
        }
        Some(command)
    }
}

#[cfg(test)]
impl Search {
    pub(super) fn samples() -> Vec<Self> {
        let participants = vec![Choice { id: "politi-oslo".to_owned(), name: "Oslo <politidistrikt>".to_owned() }];
        let form =
            Form { from: "2026-11-20".to_owned(), outcome: "refused".to_owned(), message_id: "\"><i>".to_owned(), ..Form::default() };
        let of = |found| Self { form: form.clone(), participants: participants.clone(), found };
        let rows = super::tests::rows();
        let mut samples: Vec<Self> = Problem::ALL.into_iter().map(|problem| of(Err(vec![problem]))).collect();
        samples.push(of(Err(Problem::ALL.to_vec())));
        samples.push(of(Ok(Found {
            rows,
            range: 3..70,
            matches: 30,
            erased: 5,
            unreadable: vec![(5, 5), (8, 90)],
            more_unreadable: true,
            unjudged: 0,
            newer: Some(70),
            older: Some(3),
        })));
        samples.push(of(Ok(Found {
            rows: Vec::new(),
            range: 0..9,
            matches: 0,
            erased: 0,
            unreadable: Vec::new(),
            more_unreadable: false,
            unjudged: 7,
            newer: None,
            older: None,
        })));
        samples
    }
}

#[cfg(test)]
mod tests;
