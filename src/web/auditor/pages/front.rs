//! The front page: the prepared questions with their answers, and what wants attention.

use maud::{Markup, html};

use super::super::Site;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::layout::check_yourself;
use super::log::Certificate;
use super::period::Days;
use super::row::time;
use super::search::Form;
use super::{Page, Place, answers, names};
use crate::audit::event::kind;
use crate::audit::question::{Answer, Question, words};
use crate::audit::range::Checked;
use crate::domain::hold::HoldCopy;
use crate::domain::time::{Date, Timestamp};
use crate::gateway::{HoldInForce, Lacks, Refusal};
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
    /// Days before it are not counted.
    erased_before: Option<Date>,
    /// What is lacking of those.
    lacks: Lacks,
    ending: Vec<Certificate>,
    holds: Vec<HoldInForce>,
    sees_all: bool,
}

impl Front {
    pub(super) async fn load(site: &Site, caller: &Caller, days: Days) -> Result<Self, Refusal> {
        let made = site.surveys.of(&site.gateway, caller, days.period(), days.anew).await?;
        let reviews = site.gateway.reviews(caller).await?;
        let stats = site.stats(caller).await?;
        let now = site.gateway.now();
        let ending = super::log::certificates(site, caller, now).into_iter().filter(|certificate| certificate.ends_soon(now)).collect();
        let sees_all = site.gateway.sight(caller).parties().is_none();
        let holds = site.gateway.holds(caller).await?;
        let (answers, checked) = (made.surveyed.answers.clone(), made.surveyed.checked.clone());
        Ok(Self {
            days,
            answers,
            checked,
            made_at: made.at,
            stats,
            unreviewed: reviews.unreviewed,
            erased_before: reviews.erased_before,
            lacks: reviews.lacks,
            ending,
            holds,
            sees_all,
        })
    }

    fn lack_records(&self) -> usize {
        self.holds.iter().filter(|hold| hold.copy.is_lacking()).count()
    }

    fn has(&self, of: impl Fn(HoldCopy) -> bool) -> bool {
        self.holds.iter().any(|hold| of(hold.copy))
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
            @if let Some(alarm) = answers::alarm_of_all(lang, &self.answers, &self.checked) { (alarm) }
            (self.attention(lang))
            section aria-labelledby="questions" {
                h2 class="ds-heading" data-size="sm" id="questions" { (lang.say("Spørsmålene", "The questions")) }
                ul class="questions" {
                    @for answer in &self.answers {
                        li class="question" data-tone=(words::tone(answer).code()) {
                            h3 { a href=(PageRoute::Question(answer.question, days).path(lang)) { (words::title(lang, answer.question)) } }
                            (answers::figure(lang, answer))
                            p class="answer" { (words::sentence(lang, answer)) }
                            p class="checked" { (words::checked(lang, &answer.basis())) "." }
                            p class="checked" {
                                a class="ds-link" href={ (PageRoute::Question(answer.question, days).path(lang)) "#check" } {
                                    (lang.say("Kontroller selv", "Check this yourself"))
                                    span class="ds-sr-only" { ": " (words::title(lang, answer.question)) }
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
            @if !self.holds.is_empty() { (self.held(lang)) }
            (check_yourself(lang, &days.commands(lang, &Question::ALL, self.checked.to), &days.call(&Question::ALL), answers::refused_meanwhile(lang, self.checked.holds())))
        }
    }
}

impl Front {
    /// What somebody should look at; numbers that concern everyone are for whoever sees everyone.
    fn attention(&self, lang: Lang) -> Markup {
        let overdue = Form { outcome: "overdue".to_owned(), ..Form::default() };
        let held = if self.sees_all {
            lang.say("saker sperret mot sletting", "cases under legal hold")
        } else {
            lang.say("saker sperret mot sletting, blant dem du har innsyn i", "cases under legal hold, among those that you may see")
        };
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
                            dt { a class="ds-link" href=(PageRoute::Search(overdue).path(lang)) { (lang.say("meldinger over fristen", "overdue messages")) }
                            @if self.stats.overdue > 0 { (lang.say(", også der oppføringen om det er slettet", ", also where the entry that says so is erased")) }
                        }
                            dd { (lang.number(self.stats.overdue)) }
                        }
                    }
                    div data-tone=[(!self.unreviewed.is_empty() || self.lacks.unreadable).then_some("look")] {
                        dt { a class="ds-link" href=(PageRoute::Reviews.path(lang)) { (lang.say("dager uten gjennomgang", "days not reviewed")) }
                            @if let Some(day) = self.erased_before { (lang.say(", fra og med ", ", from ")) (day) (match self.lacks {
                                Lacks { erased: true, unreadable: false } => lang.say("; det før er slettet", "; what was before is erased"),
                                Lacks { erased: true, unreadable: true } => lang.say("; det før er slettet eller kan ikke leses", "; what was before is erased or cannot be read"),
                                Lacks { erased: false, .. } => lang.say("; det før kan ikke leses", "; what was before cannot be read"),
                            }) }
                        }
                        dd { (lang.number(self.unreviewed_days())) }
                    }
                    div data-tone=[(!self.holds.is_empty()).then_some("look")] {
                        dt {
                            @if self.holds.is_empty() { (held) } @else { a class="ds-link" href="#holds" { (held) } }
                        }
                        dd {
                            (self.holds.len())
                            @if self.lack_records() > 0 { (lang.say(", ufullstendig: ", ", not whole: ")) (self.lack_records()) }
                        }
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

impl Front {
    /// What outlives its month, why, and for how long.
    fn held(&self, lang: Lang) -> Markup {
        html! {
            section aria-labelledby="holds" {
                h2 class="ds-heading" data-size="sm" id="holds" { (lang.say("Saker sperret mot sletting", "Cases under legal hold")) }
                p {
                    (lang.say(
                        "Oppføringene i disse sakene slettes ikke med måneden sin, men når sperringen løper ut eller oppheves, og aldri senere enn 35 hele måneder etter måneden sin uten eget hjemmelsgrunnlag.",
                        "The records of these cases do not go with their month but when the hold ends or is lifted, and never later than 35 whole months after their month without a legal ground of its own.",
                    ))
                }
                @if self.has(|copy| matches!(copy, HoldCopy::NotWhole { .. })) {
                    p {
                        strong { (lang.say("Ikke fullstendig: ", "Not whole: ")) }
                        (lang.say(
                            "oppføringer i loggen kan ikke leses, og kan være av saken. Står en av dem i måneden sin, blir den måneden stående imens, og de som følger etter den, til den kan leses igjen, sperringen oppheves eller månedens lovlige tid på 35 hele måneder er ute. Er måneden slettet, står oppføringen bare i sperringens egen fil, og ingen måned blir stående for den. Den som drifter Samband kan ha dem i en kopi.",
                            "entries of the log cannot be read and may be of the case. Where one stands in its month, that month stays meanwhile, and those that follow it, until it can be read again, the hold is lifted, or the month's lawful time of 35 whole months is over. Where its month is erased, it stands in the hold's own file alone, and no month stays for it. Whoever runs Samband may have them in a copy.",
                        ))
                    }
                }
                @if self.has(|copy| copy.lost() > 0) {
                    p {
                        strong { (lang.say("Tapt: ", "Lost: ")) }
                        (lang.say(
                            "oppføringer som var eller kan ha vært av saken, er borte, og kunne ikke leses før det. De vises som slettet i loggen. Dette står her så lenge sperringen varer.",
                            "entries that were or may have been of the case are gone, and could not be read before that. The log shows them as erased. This stands here as long as the hold does.",
                        ))
                    }
                }
                div class="scroll" role="group" aria-labelledby="holds" tabindex="0" {
                    table class="ds-table" {
                        thead { tr {
                            th scope="col" { (lang.say("Sak", "Case")) }
                            th scope="col" { (lang.say("Grunn", "Reason")) }
                            th scope="col" { (lang.say("Til og med", "Until and including")) }
                            th scope="col" { (lang.say("Av", "By")) }
                            th scope="col" { (lang.say("Oppføring", "Entry")) }
                        } }
                        tbody {
                            @for HoldInForce { hold, terms, copy } in &self.holds {
                                tr {
                                    td { a class="ds-link" href=(PageRoute::Case(hold.case.case_ref).path(lang)) { (hold.case.case_ref) } }
                                    td {
                                        (names::reason_of(lang, kind::HOLD_PLACED, hold.reason.number()))
                                        @if let Some(ground) = &hold.ground { (lang.say(", hjemmel: ", ", under: ")) (ground) }
                                        @match copy {
                                            HoldCopy::Whole => {}
                                            HoldCopy::Pending => { (lang.say("; oppføringene kopieres nå", "; its records are being copied")) }
                                            HoldCopy::NotWhole { .. } | HoldCopy::Lost { .. } => {
                                                "; " strong { (lang.say("ikke fullstendig", "not whole")) }
                                                @if copy.lost() > 0 { (lang.say(", tapt: ", ", lost: ")) (copy.lost()) }
                                            }
                                        }
                                    }
                                    td class="time" { (hold.until) }
                                    td { (hold.auditor) ", " (lang.say("nøkkel ", "key ")) (hold.key_label) }
                                    td {
                                        a class="ds-link" href=(PageRoute::Entry(*terms).path(lang)) { (terms) }
                                        @if *terms != hold.placed {
                                            (lang.say(", først i ", ", first in "))
                                            a class="ds-link" href=(PageRoute::Entry(hold.placed).path(lang)) { (hold.placed) }
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
}

#[cfg(test)]
impl Front {
    pub(super) fn sample(answers: Vec<Answer>) -> Self {
        let mut front = Self::samples().remove(0);
        (front.checked, front.answers) = (answers[0].checked.clone(), answers);
        front
    }

    pub(super) fn samples() -> Vec<Self> {
        use super::tests::{answer, checked, findings};
        use crate::domain::hold::{HeldCase, Hold, HoldGround, HoldReason};
        use crate::domain::id::CaseRef;
        let day = Date::constant(2026, 11, 20);
        let hold = Hold {
            case: HeldCase { case_ref: CaseRef::from_bytes([7; 10]), prosecution: None, unit: None },
            placed: 12,
            auditor: "tilsyn".parse().expect("an id"),
            key_label: "dev".to_owned(),
            reason: HoldReason::Complaint,
            until: day,
            ground: Some(HoldGround::try_from("arkivlova § 9".to_owned()).expect("a ground")),
        };
        let of = |holds, unreviewed: Vec<(Date, Date)>, sees_all| Self {
            days: Days { from: Some(day), ..Days::default() },
            answers: findings().into_iter().map(|(question, finding)| answer(question, finding, holds)).collect(),
            checked: checked(holds),
            made_at: Timestamp::from_millis(1_795_000_000_000),
            stats: Stats { durable_size: 1000, overdue: 3, ..Stats::default() },
            erased_before: unreviewed.is_empty().then_some(day),
            lacks: Lacks { erased: unreviewed.is_empty(), unreadable: false },
            unreviewed,
            ending: Vec::new(),
            holds: if sees_all {
                [(12, HoldCopy::Whole), (40, HoldCopy::NotWhole { lost: 3 }), (12, HoldCopy::Pending), (13, HoldCopy::Lost { lost: 1 })]
                    .map(|(terms, copy)| HoldInForce { hold: hold.clone(), terms, copy })
                    .into()
            } else {
                Vec::new()
            },
            sees_all,
        };
        vec![of(true, Vec::new(), true), of(false, vec![(day, day)], false)]
    }
}
