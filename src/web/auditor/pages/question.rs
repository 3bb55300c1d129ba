//! One question: its answer, the entries behind the number, and how to check it.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::Site;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::super::surveys::Made;
use super::layout::check_yourself;
use super::period::Days;
use super::row::{Row, Shown, table, time};
use super::{Page, Place, answers};
use crate::audit::question::{Answer, Question, words};
use crate::domain::time::Timestamp;
use crate::gateway::Refusal;
use crate::policy::permit::Caller;

/// Rows of a page of the list.
const ROWS: usize = 100;

/// The context.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    question: Question,
    days: Days,
    answer: Answer,
    made_at: Timestamp,
    size: u64,
    took_millis: u64,
}

impl Asked {
    pub(super) async fn load(site: &Site, caller: &Caller, question: Question, days: Days) -> Result<Option<Self>, Refusal> {
        let made = site.surveys.of(&site.gateway, caller, days.period(), days.anew).await?;
        Ok(Self::of(&made, question, days))
    }

    fn of(made: &Arc<Made>, question: Question, days: Days) -> Option<Self> {
        let answer = made.surveyed.answers.iter().find(|answer| answer.question == question)?.clone();
        let (size, took_millis) = (made.surveyed.checked.size, u64::try_from(made.surveyed.took.as_millis()).unwrap_or(u64::MAX));
        Some(Self { question, days, answer, made_at: made.at, size, took_millis })
    }

    /// Newest first.
    fn rows(&self, lang: Lang) -> Vec<Row> {
        let newest = self.answer.rows.iter().rev().skip(self.days.page * ROWS).take(ROWS);
        let row = |row: &crate::audit::question::Row| {
            let mut shown = Shown::of(row.index, &row.record);
            shown.mark = words::mark(lang, row.mark);
            Row::Entry(Box::new(shown))
        };
        newest.map(row).collect()
    }
}

impl Page for Asked {
    fn title(&self, lang: Lang) -> String {
        words::title(lang, self.question).to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Front)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Question(self.question, Days { anew: false, ..self.days }))
    }

    fn main(&self, lang: Lang) -> Markup {
        let answer = &self.answer;
        let to = |days: Days| PageRoute::Question(self.question, days).path(lang);
        let anew = to(Days { anew: true, ..self.days.only() });
        html! {
            @if let Some(alarm) = answers::alarm_of_one(lang, answer) { (alarm) }
            div class="verdict" data-tone=(words::tone(answer).code()) {
                (answers::figure(lang, answer))
                div {
                    p class="sentence" { (words::sentence(lang, answer)) }
                    p class="checked" {
                        (words::checked(lang, &answer.basis())) ". "
                        (lang.say("Periode: ", "Period: ")) (self.days.text(lang)) ". "
                    }
                }
            }
            @if let Some(parties) = answer.sight.parties() {
                p class="quiet" {
                    (lang.say("Svaret gjelder det du har innsyn i: ", "The answer covers what you may see: "))
                    @for (i, party) in parties.iter().enumerate() { @if i > 0 { ", " } (party) }
                    "."
                }
            }
            p class="quiet" {
                (lang.say("Regnet ut ", "Computed ")) (time(self.made_at)) " "
                (lang.say("fra loggen da den hadde ", "from the log when it had ")) (lang.count(self.size, ["oppføring", "oppføringer"], ["entry", "entries"]))
                (lang.say(", på ", ", in ")) (lang.number(self.took_millis)) " ms. "
                a class="ds-link" href=(anew) { (lang.say("Regn ut på nytt", "Compute anew")) }
            }
            (self.days.form(lang, &to(Days::default()), lang.say("Hele loggen", "The whole log")))
            (self.list(lang))
            (check_yourself(lang, &self.days.commands(lang, &[self.question], answer.checked.to), &self.days.call(&[self.question]), Some(html! {
                @if let Some(refused) = answers::refused_meanwhile(lang, answer.holds()) { (refused) }
                p {
                    (lang.say(
                        "Svaret er ikke hentet fra et register over svar. Hver oppføring i perioden ble åpnet mot bladet sitt, og alle bladene ble regnet sammen til roten i det signerte hodet.",
                        "The answer does not come from a table of answers. Every entry of the period was opened against its leaf, and all leaves were hashed up to the root of the signed head.",
                    ))
                }
            })))
        }
    }
}

impl Asked {
    fn list(&self, lang: Lang) -> Markup {
        let heading = lang.say("Oppføringene bak tallet, nyeste først", "The entries behind the number, newest first");
        let rows = self.rows(lang);
        let shown = self.answer.rows.len();
        let page = |page: usize| PageRoute::Question(self.question, Days { anew: false, page, ..self.days }).path(lang);
        html! {
            section aria-labelledby="list" {
                h2 class="ds-heading" data-size="sm" id="list" { (heading) }
                @if rows.is_empty() {
                    p { (lang.say("Ingen kontrollert oppføring.", "No entry that was checked.")) }
                } @else {
                    (table(lang, heading, &rows))
                    @if self.answer.left_out > 0 {
                        p class="quiet" {
                            (lang.count(self.answer.left_out, ["eldre oppføring vises", "eldre oppføringer vises"], ["older entry is", "older entries are"]))
                            (lang.say(" ikke i lista. Velg en kortere periode for å se dem.", " not listed. Choose a shorter period to see them."))
                        }
                    }
                    @if shown > ROWS {
                        nav class="pages" aria-label=(lang.say("Sider av lista", "Pages of the list")) {
                            @if self.days.page > 0 { a class="ds-button" data-variant="secondary" rel="prev" href=(page(self.days.page - 1)) { (lang.say("Nyere", "Newer")) } }
                            @if (self.days.page + 1) * ROWS < shown { a class="ds-button" data-variant="secondary" rel="next" href=(page(self.days.page + 1)) { (lang.say("Eldre", "Older")) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
impl Asked {
    pub(super) fn sample(answer: Answer) -> Self {
        Self { question: answer.question, days: Days::default(), answer, made_at: Timestamp::from_millis(0), size: 1000, took_millis: 12 }
    }

    pub(super) fn samples() -> Vec<Self> {
        use super::tests::{answer, findings};
        use crate::audit::event::Event;
        use crate::audit::question::Mark;
        use crate::audit::record::Record;
        let record = Record::of(&Event::Stopped, Timestamp::from_millis(0));
        let row = |index| crate::audit::question::Row { index, record: record.clone(), mark: Mark::Open };
        let of = |((question, finding), rows): ((Question, _), u64)| Self {
            question,
            days: Days { page: usize::from(rows > 100), ..Days::default() },
            answer: Answer { rows: (0..rows).map(row).collect(), ..answer(question, finding, rows != 3) },
            made_at: Timestamp::from_millis(0),
            size: 1000,
            took_millis: 12,
        };
        findings().into_iter().zip([0, 3, 250].into_iter().cycle()).map(of).collect()
    }
}
