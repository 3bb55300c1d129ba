//! The regular review of the log: who reviewed which days, and which days nobody did.

use maud::{Markup, html};

use super::super::Site;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::layout::{alert, check_yourself};
use super::row::time;
use super::{Page, Place, answers};
use crate::domain::time::Date;
use crate::gateway::{Lacks, Refusal, Reviews};
use crate::policy::permit::Caller;

/// The context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reviewed {
    reviews: Reviews,
}

impl Reviewed {
    pub(super) async fn load(site: &Site, caller: &Caller) -> Result<Self, Refusal> {
        Ok(Self { reviews: site.gateway.reviews(caller).await? })
    }
}

impl Page for Reviewed {
    fn title(&self, lang: Lang) -> String {
        lang.say("Gjennomgang av loggen", "Review of the log").to_owned()
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Reviews)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Reviews)
    }

    fn main(&self, lang: Lang) -> Markup {
        let Reviews { reviews, left_out, unreviewed, erased_before, lacks, unreadable } = &self.reviews;
        let stated = |(from, to): &(Date, Date)| format!("samband audit review --from {from} --to {to}");
        html! {
            p class="lead" {
                (lang.say(
                    "Loggen skal gjennomgås jevnlig (politiregisterforskriften § 40-13). At en periode er gjennomgått, er selv en oppføring: hvem, når, og hvilke dager.",
                    "The log is to be reviewed regularly (politiregisterforskriften § 40-13). That a period was reviewed is an entry itself: who, when, and which days.",
                ))
            }
            @if let Some(alert) = answers::unreadable(lang, unreadable) { (alert) }
            section aria-labelledby="open" {
                h2 class="ds-heading" data-size="sm" id="open" { (lang.say("Dager dere ikke har gjennomgått", "Days that you have not reviewed")) }
                @if unreviewed.is_empty() && !self.reviews.is_all() {
                    p {
                        @if reviews.is_empty() {
                            (lang.say("Ingen dag med oppføringer som finnes ennå, er over.", "No day whose records are kept is over."))
                        } @else {
                            (lang.say("Alle dager til og med i går med oppføringer som finnes ennå og kan leses, er gjennomgått.", "All days up to yesterday whose records are kept and can be read are reviewed."))
                        }
                    }
                } @else if unreviewed.is_empty() {
                    (alert("success", &html! { p { (lang.say("Alle dager til og med i går er gjennomgått.", "All days up to yesterday are reviewed.")) } }))
                } @else {
                    ul class="ds-list" {
                        @for (from, to) in unreviewed {
                            li { @if from == to { (from) } @else { (from) " – " (to) } }
                        }
                    }
                    @if let Some(first) = unreviewed.first() {
                        p { (lang.say("Når du har gjennomgått dagene, bekreft det fra kommandolinjen:", "Once you have reviewed the days, state it from the command line:")) }
                        pre tabindex="0" { code { (stated(first)) } }
                    }
                }
            }
            @if let Some(day) = erased_before {
                (alert("info", &html! { p {
                    (lang.say("Dager før ", "Days before ")) (day)
                    (lang.say(" er ikke regnet med, enten de ble gjennomgått eller ikke", " are not counted, reviewed or not"))
                    (match lacks {
                        Lacks { erased: true, unreadable: false } => lang.say(": oppføringene deres er slettet etter lagringsregelen.", ": their records are erased by the retention rule."),
                        Lacks { erased: true, unreadable: true } => lang.say(
                            ": noen av oppføringene deres er slettet etter lagringsregelen, andre skulle ha vært der og kan ikke leses. Om de ble gjennomgått, kan ingen se før de er lest.",
                            ": some of their records are erased by the retention rule, others should be there and cannot be read. Whether they were reviewed nobody can tell until these are read.",
                        ),
                        Lacks { erased: false, .. } => lang.say(
                            ": ingen av oppføringene deres er slettet, men de kan ikke leses. Om de ble gjennomgått, kan ingen se før de er lest.",
                            ": none of their records is erased, but they cannot be read. Whether they were reviewed nobody can tell until they are.",
                        ),
                    })
                } }))
            }
            section aria-labelledby="done" {
                h2 class="ds-heading" data-size="sm" id="done" { (lang.say("Bekreftede gjennomganger", "Reviews stated")) }
                @if reviews.is_empty() {
                    p { (lang.say("Ingen blant oppføringene som finnes ennå og som du har innsyn i.", "None among the records that are kept and that you may see.")) }
                } @else {
                    div class="scroll" role="group" aria-labelledby="done" tabindex="0" {
                        table class="ds-table" {
                            thead { tr {
                                th scope="col" { (lang.say("Nr.", "No.")) }
                                th scope="col" { (lang.say("Dager", "Days")) }
                                th scope="col" { (lang.say("Av", "By")) }
                                th scope="col" { (lang.say("Bekreftet", "Stated")) }
                            } }
                            tbody {
                                @for review in reviews.iter().rev() {
                                    tr {
                                        td { a class="ds-link" href=(PageRoute::Entry(review.index).path(lang)) { (review.index) } }
                                        td { (review.from) " – " (review.to) }
                                        td { (review.auditor) ", " (lang.say("nøkkel ", "key ")) (review.key_label) }
                                        td class="time" { (time(review.at)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if *left_out > 0 {
                p class="quiet" {
                    (lang.count(*left_out, ["eldre gjennomgang vises", "eldre gjennomganger vises"], ["older review is", "older reviews are"]))
                    (lang.say(" ikke i lista, men er regnet med over.", " not listed, but counted above."))
                }
            }
            (check_yourself(lang, "samband audit list --kind reviewed", "AuditService/ListReviews", None))
        }
    }
}

#[cfg(test)]
impl Reviewed {
    pub(super) fn samples() -> Vec<Self> {
        let day = Date::constant(2026, 11, 20);
        let review = crate::gateway::Review {
            index: 9,
            at: crate::domain::time::Timestamp::from_millis(0),
            auditor: "tilsyn".parse().expect("an id"),
            key_label: "dev".to_owned(),
            from: day,
            to: day,
        };
        let none = Reviews {
            reviews: Vec::new(),
            left_out: 0,
            unreviewed: Vec::new(),
            erased_before: None,
            lacks: Lacks::default(),
            unreadable: Vec::new(),
        };
        let open = Reviews { unreviewed: vec![(day, day), (day, Date::MAX)], unreadable: vec![5], ..none.clone() };
        let done = Reviews { reviews: vec![review], left_out: 7, ..none.clone() };
        let before = |lacks, of: &Reviews| Reviews { erased_before: Some(day), lacks, ..of.clone() };
        let erased = before(Lacks { erased: true, unreadable: false }, &done);
        let emptied = before(Lacks { erased: true, unreadable: true }, &none);
        let damaged = before(Lacks { erased: false, unreadable: true }, &none);
        [open, done, erased, emptied, none, damaged].map(|reviews| Self { reviews }).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_were_all_kept_and_reviewed_are_green() {
        let [open, done, erased, emptied, none, damaged] = Reviewed::samples().try_into().expect("six");
        let said = [&open, &done, &erased, &emptied, &none, &damaged].map(|page: &Reviewed| page.main(Lang::En).into_string());
        assert_eq!(said.each_ref().map(|page| page.contains("data-color=\"success\"")), [false, true, false, false, false, false]);
        assert_eq!(
            said.each_ref().map(|page| page.contains("Days before 2026-11-20 are not counted, reviewed or not")),
            [false, false, true, true, false, true]
        );
        assert!(said[2].contains("All days up to yesterday whose records are kept and can be read are reviewed."));
        assert!(said[3].contains("No day whose records are kept is over.") && said[4].contains("No day whose records are kept is over."));
        assert!(said[2].contains("reviewed or not: their records are erased by the retention rule.<"), "{}", said[2]);
        assert!(said[3].contains("some of their records are erased by the retention rule, others should be there and cannot be read."));
        assert!(said[5].contains("none of their records is erased, but they cannot be read.") && !said[5].contains("retention rule"));
        assert!(said[0].contains("1 entry cannot be read and could not be compared: ") && said[0].contains("samband audit fsck"));
    }
}
