//! What happened in one case, from its first entry to its last. No content: there is none in the log.

use std::sync::Arc;

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::layout::{alert, check_yourself};
use super::row::{Shown, time};
use super::search::Form;
use super::{Page, Place, answers, names};
use crate::domain::id::CaseRef;
use crate::gateway::{self, Gateway, Refusal};
use crate::policy::permit::Caller;

/// The context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timeline {
    case: CaseRef,
    entries: Vec<Shown>,
    erased: u64,
    unreadable: Vec<u64>,
    unjudged: u64,
    more: bool,
}

impl Timeline {
    pub(super) async fn load(gateway: &Arc<Gateway>, caller: &Caller, case: CaseRef) -> Result<Self, Refusal> {
        // That somebody looked at the case is not what happened in it.
        let gateway::Timeline { case_ref: _, entries, more, erased, unreadable, unjudged } = gateway.happenings(caller, case).await?;
        let entries = entries.iter().filter_map(|entry| entry.record.as_ref().map(|record| Shown::of(entry.index, record)));
        Ok(Self { case, entries: entries.collect(), erased, unreadable, unjudged, more })
    }

    /// Whether nothing is known of the case, and all that may be of it was read.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.is_all_read()
    }

    const fn is_all_read(&self) -> bool {
        self.unreadable.is_empty() && self.unjudged == 0
    }
}

/// The colour of a kind: what went through, what was taken back, what wants attention.
const fn color(kind: u16) -> &'static str {
    match kind {
        10 | 12 | 14 => "accent",
        20 | 21 => "success",
        11 | 13 | 15 | 22 => "warning",
        23 | 25 | 40 => "danger",
        _ => "neutral",
    }
}

impl Page for Timeline {
    fn title(&self, lang: Lang) -> String {
        format!("{} {}", lang.say("Sak", "Case"), self.case)
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Search)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Case(self.case))
    }

    fn main(&self, lang: Lang) -> Markup {
        let form = Form { case_ref: self.case.to_string(), ..Form::default() };
        html! {
            @if let Some(alert) = answers::unreadable(lang, &self.unreadable) { (alert) }
            @if let Some(alert) = answers::unjudged(lang, self.unjudged) { (alert) }
            @if self.entries.is_empty() && !self.is_all_read() {
                p { (lang.say("Du ser ingen oppføringer i denne saken som kan leses. Om den har andre, er åpent: noen kan ikke leses.", "You see no entries in this case that can be read. Whether it has others is open: some cannot be read.")) }
            } @else if self.entries.is_empty() {
                p { (lang.say("Du ser ingen oppføringer i denne saken: loggen har ingen, de er slettet etter lagringsregelen, eller de er utenfor det du har innsyn i.", "You see no entries in this case: the log has none, they are erased by the retention rule, or they are outside what you may see.")) }
            } @else {
                p class="lead" {
                    (lang.say("Hva som skjedde i saken, i rekkefølge. Loggen vet ikke hvem saken gjelder eller hva meldingene sa.", "What happened in the case, in order. The log does not know whom the case is about or what the messages said."))
                }
                @if self.more {
                    (alert("info", &html! { p { (lang.say("Bare de første oppføringene vises. ", "Only the first entries are shown. ")) a class="ds-link" href=(PageRoute::Search(form.clone()).path(lang)) { (lang.say("Se alle i søket", "See all in the search")) } } }))
                }
                ol class="timeline" {
                    @for shown in &self.entries {
                        li data-color=(color(shown.kind)) {
                            p class="when" { (time(shown.at)) " · " a class="ds-link" href=(PageRoute::Entry(shown.index).path(lang)) { (lang.say("oppføring ", "entry ")) (shown.index) } }
                            p class="what" { (names::kind(lang, shown.kind)) }
                            p class="who" {
                                @if let Some(from) = &shown.from { (from) }
                                @if let Some(to) = &shown.to { " → " (to) }
                                @if shown.from.is_none() && shown.to.is_none() { "Samband" }
                                @for detail in shown.details(lang) { " · " (detail) }
                            }
                        }
                    }
                }
            }
            @if self.erased > 0 {
                (alert("info", &html! { p {
                    (lang.count(self.erased, ["oppføring", "oppføringer"], ["entry", "entries"])) " "
                    (lang.say("i loggen er slettet etter lagringsregelen. Noen av dem kan ha hørt til saken.", "of the log are erased by the retention rule. Some may have belonged to this case."))
                } }))
            }
            (check_yourself(lang, &format!("samband audit list --case {}", self.case), "AuditService/GetTimeline", None))
        }
    }
}

#[cfg(test)]
impl Timeline {
    pub(super) fn samples() -> Vec<Self> {
        let entries = crate::audit::event::TABLE.iter().zip(0..).map(|(row, index)| super::tests::shown(index, row.number)).collect();
        let case = CaseRef::from_bytes([3; 10]);
        vec![
            Self { case, entries, erased: 4, unreadable: Vec::new(), unjudged: 0, more: true },
            Self { case, entries: Vec::new(), erased: 0, unreadable: vec![5], unjudged: 0, more: false },
            Self { case, entries: Vec::new(), erased: 0, unreadable: Vec::new(), unjudged: 1_000, more: false },
        ]
    }
}
