//! A period of days, as a form and as what the log is asked about.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::search::Problem;
use super::{Page, Place};
use crate::audit::question::{Period, Question, Survey};
use crate::domain::time::{Date, Timestamp, parse_date};

/// The period of a page's address, with what else such an address may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Days {
    /// First day, in Oslo.
    pub(in super::super) from: Option<Date>,
    /// Last day, in Oslo.
    pub(in super::super) to: Option<Date>,
    /// Compute anew.
    pub(in super::super) anew: bool,
    /// Page of a list, from 0.
    pub(in super::super) page: usize,
}

impl Days {
    /// From a query string; nothing when it has anything else, or a day that is none: an answer about another period would be a wrong one.
    pub(in super::super) fn parse(query: &str) -> Option<Self> {
        let mut days = Self::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return None;
            }
            let value = value.trim();
            match name.as_ref() {
                "from" | "to" if value.is_empty() => {}
                "from" => days.from = Some(parse_date(value)?),
                "to" => days.to = Some(parse_date(value)?),
                "anew" if value == "1" => days.anew = true,
                "page" => days.page = value.parse().ok().filter(|page| *page < 1000)?,
                _ => return None,
            }
            seen.push(name);
        }
        Some(days).filter(|days| days.from.zip(days.to).is_none_or(|(from, to)| from <= to))
    }

    /// As a query string with its question mark.
    pub(in super::super) fn query(self) -> String {
        let Self { from, to, anew, page } = self;
        let mut out = form_urlencoded::Serializer::new(String::new());
        for (name, day) in [("from", from), ("to", to)] {
            if let Some(day) = day {
                out.append_pair(name, &day.to_string());
            }
        }
        if anew {
            out.append_pair("anew", "1");
        }
        if page > 0 {
            out.append_pair("page", &page.to_string());
        }
        let query = out.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// The same days, without the rest.
    pub(in super::super) const fn only(self) -> Self {
        Self { anew: false, page: 0, ..self }
    }

    pub(super) fn period(self) -> Period {
        let to = self.to.map(|day| Timestamp::start_of(day.tomorrow().unwrap_or(day)));
        Period { from: self.from.map(Timestamp::start_of), to }
    }

    /// In words.
    pub(super) fn text(self, lang: Lang) -> String {
        match (self.from, self.to) {
            (None, None) => lang.say("hele loggen", "the whole log").to_owned(),
            (Some(from), None) => format!("{} {from}", lang.say("fra og med", "from")),
            (None, Some(to)) => format!("{} {to}", lang.say("til og med", "up to and including")),
            (Some(from), Some(to)) if from == to => from.to_string(),
            (Some(from), Some(to)) => format!("{from} {} {to}", lang.say("til", "to")),
        }
    }

    /// The commands that answer `questions` about it from a bundle, offline, with the numbers and in the language of a page that read the log
    /// up to the index `to`.
    pub(super) fn commands(self, lang: Lang, questions: &[Question], to: u64) -> String {
        let option = |name: &str, day: Option<Date>| day.map_or_else(String::new, |day| format!(" --{name} {day}"));
        let since = option("since", self.from);
        // The command's end is the first day that is not part of it.
        let until = option("until", self.to.and_then(|day| day.tomorrow().ok()));
        // What a question looks back to must be in the bundle, and what came since the page was made must not.
        let from = if questions.iter().any(|question| Survey::looks_back(*question)) { "" } else { since.as_str() };
        // A last day that is not over has entries that came since, as has the whole log.
        let language = if lang == Lang::Nb { " --lang nb" } else { "" };
        format!(
            "samband audit export{from}{until} --to-index {to} --vkey log.vkey --out log.tar\n\
             samband audit report log.tar{since}{until} --vkey log.vkey{language} --out answers.html"
        )
    }

    /// The call that asks `questions` about it.
    pub(super) fn call(self, questions: &[Question]) -> String {
        let Period { from, to } = self.period();
        let names: Vec<String> =
            questions.iter().map(|question| format!("\"QUESTION_{}\"", question.name().to_uppercase().replace('-', "_"))).collect();
        let time = |name: &str, at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(", \"{name}\": \"{at}\""));
        format!("AuditService/Ask {{\"questions\": [{}]{}{}}}", names.join(", "), time("from_time", from), time("to_time", to))
    }

    /// The form; `action` is the page's path without a query, and `all` what it then shows.
    pub(super) fn form(self, lang: Lang, action: &str, all: &str) -> Markup {
        self.form_with(lang, action, all, &[])
    }

    /// The same, with what is wrong with a field beside it.
    fn form_with(self, lang: Lang, action: &str, all: &str, problems: &[Problem]) -> Markup {
        let field = |name: &'static str, label: &str, day: Option<Date>| {
            let problem = problems.iter().find(|problem| problem.field() == name);
            html! {
                div class="ds-field" {
                    label class="ds-label" for=(name) { (label) }
                    input class="ds-input" type="date" id=(name) name=(name) value=[day.map(|day| day.to_string())]
                        aria-describedby=[problem.map(|_| format!("{name}-problem"))] aria-invalid=[problem.map(|_| "true")];
                    @if let Some(problem) = problem { p class="ds-validation-message" id={ (name) "-problem" } { (problem.text(lang)) } }
                }
            }
        };
        html! {
            form class="search period" method="get" action=(action) aria-label=(lang.say("Velg periode", "Choose a period")) {
                (field("from", lang.say("Fra og med", "From"), self.from))
                (field("to", lang.say("Til og med", "To, inclusive"), self.to))
                div class="buttons" {
                    button class="ds-button" type="submit" { (lang.say("Vis perioden", "Show the period")) }
                    @if self.from.is_some() || self.to.is_some() {
                        a class="ds-button" data-variant="secondary" href=(action) { (all) }
                    }
                }
            }
        }
    }
}

/// The days of an address that are none, or turned round: what a form for a period may be sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct WrongDays {
    /// The page without a period.
    page: PageRoute,
    days: Days,
    problems: Vec<Problem>,
}

impl WrongDays {
    /// Of a query string in which nothing but the days is wrong.
    pub(in super::super) fn of(page: PageRoute, query: &str) -> Option<Self> {
        let (mut from, mut to, mut rest) = (String::new(), String::new(), form_urlencoded::Serializer::new(String::new()));
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "from" if from.is_empty() => value.trim().clone_into(&mut from),
                "to" if to.is_empty() => value.trim().clone_into(&mut to),
                _ => _ = rest.append_pair(&name, &value),
            }
        }
        Days::parse(&rest.finish())?;
        let days = Days { from: parse_date(&from), to: parse_date(&to), ..Days::default() };
        let none = |text: &str, day: Option<Date>, problem| (!text.is_empty() && day.is_none()).then_some(problem);
        let is_turned_round = days.from.zip(days.to).is_some_and(|(from, to)| to < from);
        let problems = [none(&from, days.from, Problem::From), none(&to, days.to, Problem::To), is_turned_round.then_some(Problem::Order)];
        let problems: Vec<Problem> = problems.into_iter().flatten().collect();
        (!problems.is_empty()).then_some(Self { page, days, problems })
    }
}

impl Page for WrongDays {
    fn title(&self, lang: Lang) -> String {
        lang.say("Perioden kan ikke vises", "That period cannot be shown").to_owned()
    }

    fn place(&self) -> Option<Place> {
        match self.page {
            PageRoute::Counts(_) => Some(Place::Counts),
            _ => Some(Place::Front),
        }
    }

    fn route(&self) -> Option<PageRoute> {
        Some(self.page.clone())
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            section class="ds-error-summary" aria-labelledby="problems" tabindex="-1" {
                h2 class="ds-heading" data-size="xs" id="problems" { (lang.say("Rett datoene", "Mend the days")) }
                ul class="ds-list" {
                    @for problem in &self.problems {
                        li { a class="ds-link" href={ "#" (problem.field()) } { (problem.text(lang)) } }
                    }
                }
            }
            (self.days.form_with(lang, &self.page.path(lang), lang.say("Uten periode", "Without a period"), &self.problems))
        }
    }
}

#[cfg(test)]
impl WrongDays {
    pub(super) fn samples() -> Vec<Self> {
        let of = |page, query| Self::of(page, query).unwrap();
        vec![
            of(PageRoute::Front(Days::default()), "from=2028-02-20&to=2028-02-10"),
            of(PageRoute::Counts(Days::default()), "from=x&to=2028-02-30"),
            of(PageRoute::Question(Question::Erased, Days::default()), "from=2028-02-30"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_are_none_or_turned_round_are_told_with_the_form_to_mend_them() {
        let front = || PageRoute::Front(Days::default());
        let of = |query| WrongDays::of(front(), query).map(|wrong| wrong.problems);
        for (query, wanted) in [
            ("from=2028-02-20&to=2028-02-10", vec![Problem::Order]),
            ("to=2028-02-30&from=", vec![Problem::To]),
            ("from=x&to=y&anew=1", vec![Problem::From, Problem::To]),
        ] {
            assert_eq!(of(query), Some(wanted), "{query}");
        }
        for query in ["", "from=2028-02-10&to=2028-02-20", "from=x&who=1", "from=x&from=y", "from=x&page=-1"] {
            assert_eq!(of(query), None, "{query}");
        }
        let page = WrongDays::samples().remove(0).main(Lang::En).into_string();
        assert!(page.contains("The last day is before the first.") && page.contains(r#"value="2028-02-20""#), "{page}");
        assert!(page.contains(r#"action="/en""#) && page.contains(r#"aria-invalid="true""#), "{page}");
    }
}
