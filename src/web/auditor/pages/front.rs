//! The front page: the prepared questions with their answers, and what wants attention.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::Site;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::super::surveys::Made;
use super::layout::check_yourself;
use super::log::Certificate;
use super::period::Days;
use super::row::time;
use super::search::Form;
use super::{Page, Place, answers};
use crate::audit::question::{Answer, Question};
use crate::audit::range::Checked;
use crate::domain::time::{Date, Timestamp};
use crate::gateway::Refusal;
use crate::policy::permit::Caller;
use crate::store::Stats;

/// The context.
#[derive(Debug, Clone)]
pub(super) struct Front {
    days: Days,
    answers: Vec<Answer>,
    checked: Checked,
    made_at: Timestamp,
    stats: Stats,
    unreviewed: Vec<(Date, Date)>,
    ending: Vec<Certificate>,
    sees_all: bool,
}

impl Front {
    pub(super) async fn load(site: &Site, caller: &Caller, days: Days) -> Result<Self, Refusal> {
        let made = site.surveys.of(&site.gateway, caller, days.period(), days.anew).await?;
        let reviews = site.gateway.reviews(caller).await?;
        let stats = site.stats(caller).await?;
        let now = site.gateway.store().now();
        let ending = super::log::certificates(site, caller, now).into_iter().filter(|certificate| certificate.ends_soon(now)).collect();
        let sees_all = site.gateway.sight(caller).parties().is_none();
        Ok(Self::of(&made, days, stats, reviews.unreviewed, ending, sees_all))
    }

    fn of(made: &Arc<Made>, days: Days, stats: Stats, unreviewed: Vec<(Date, Date)>, ending: Vec<Certificate>, sees_all: bool) -> Self {
        let (answers, checked) = (made.surveyed.answers.clone(), made.surveyed.checked.clone());
        Self { days, answers, checked, made_at: made.at, stats, unreviewed, ending, sees_all }
    }

    fn unreviewed_days(&self) -> u64 {
        let days = |(from, to): &(Date, Date)| from.until(*to).map_or(0, |span| u64::from(span.get_days().unsigned_abs()) + 1);
        self.unreviewed.iter().map(days).sum()
    }
}

impl Page for Front {
    fn title(&self, lang: Lang) -> String {
        lang.say("Hva viser loggen?", "What does the log show?").to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Front)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Front(Days { anew: false, ..self.days }))
    }

    fn main(&self, lang: Lang) -> Markup {
        let days = self.days.only();
        html! {
            p class="lead" {
                (lang.say(
                    "Seks spørsmål, besvart av loggen selv. Hvert svar er regnet ut fra oppføringene, og du kan kontrollere det uten å stole på oss.",
                    "Six questions, answered by the log itself. Each answer is computed from the entries, and you can check it without trusting us.",
                ))
            }
            @if let Some(alarm) = answers::alarm(lang, &self.checked) { (alarm) }
            (self.attention(lang))
            section aria-labelledby="questions" {
                h2 class="ds-heading" data-size="sm" id="questions" { (lang.say("Spørsmålene", "The questions")) }
                ul class="questions" {
                    @for answer in &self.answers {
                        li class="question" data-tone=(answers::tone(answer).code()) {
                            h3 { a href=(PageRoute::Question(answer.question, days).path(lang)) { (answers::question(lang, answer.question)) } }
                            p class="figure" { (lang.number(answers::figure(&answer.finding))) }
                            p class="answer" { (answers::sentence(lang, &answer.finding)) }
                            p class="checked" { (answers::checked(lang, &answer.checked)) "." }
                            p class="checked" {
                                a class="ds-link" href={ (PageRoute::Question(answer.question, days).path(lang)) "#check" } {
                                    (lang.say("Kontroller selv", "Check this yourself"))
                                    span class="ds-sr-only" { ": " (answers::question(lang, answer.question)) }
                                }
                            }
                        }
                    }
                }
                p class="quiet below" {
                    (lang.say("Periode: ", "Period: ")) (days.text(lang)) ". "
                    (lang.say("Regnet ut ", "Computed ")) (time(self.made_at)) ". "
                    a class="ds-link" href=(PageRoute::Front(Days { anew: true, ..days }).path(lang)) { (lang.say("Regn ut på nytt", "Compute anew")) }
                }
                (days.form(lang, &PageRoute::Front(Days::default()).path(lang), lang.say("Hele loggen", "The whole log")))
            }
            (check_yourself(lang, &days.commands(), &days.call(&Question::ALL), None))
        }
    }
}

impl Front {
    /// What somebody should look at; numbers that concern everyone are for whoever sees everyone.
    fn attention(&self, lang: Lang) -> Markup {
        let overdue = Form { outcome: "overdue".to_owned(), ..Form::default() };
        html! {
            section aria-labelledby="attention" class="attention" {
                h2 class="ds-heading" data-size="sm" id="attention" { (lang.say("Akkurat nå", "Right now")) }
                dl class="tiles" {
                    div {
                        dt { a class="ds-link" href=(PageRoute::Log.path(lang)) { (lang.say("oppføringer i loggen", "entries of the log")) } }
                        dd { (lang.number(self.stats.durable_size)) }
                    }
                    @if self.sees_all {
                        div data-tone=[(self.stats.overdue > 0).then_some("look")] {
                            dt { a class="ds-link" href=(PageRoute::Search(overdue).path(lang)) { (lang.say("meldinger over fristen", "overdue messages")) } }
                            dd { (lang.number(self.stats.overdue)) }
                        }
                    }
                    div data-tone=[(!self.unreviewed.is_empty()).then_some("look")] {
                        dt { a class="ds-link" href=(PageRoute::Reviews.path(lang)) { (lang.say("dager uten gjennomgang", "days not reviewed")) } }
                        dd { (lang.number(self.unreviewed_days())) }
                    }
                    @if self.sees_all {
                        div data-tone=[(!self.ending.is_empty()).then_some("look")] {
                            dt { a class="ds-link" href={ (PageRoute::Log.path(lang)) "#certificates" } { (lang.say("sertifikater løper ut innen 60 dager", "certificates end within 60 days")) } }
                            dd { (self.ending.len()) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
impl Front {
    pub(super) fn samples() -> Vec<Self> {
        use super::tests::{answer, checked, findings};
        let day = Date::constant(2026, 11, 20);
        let of = |holds, unreviewed, sees_all| Self {
            days: Days { from: Some(day), ..Days::default() },
            answers: findings().into_iter().map(|(question, finding)| answer(question, finding, holds)).collect(),
            checked: checked(holds),
            made_at: Timestamp::from_millis(1_795_000_000_000),
            stats: Stats { durable_size: 1000, overdue: 3, ..Stats::default() },
            unreviewed,
            ending: Vec::new(),
            sees_all,
        };
        vec![of(true, Vec::new(), true), of(false, vec![(day, day)], false)]
    }
}
