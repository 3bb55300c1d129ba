//! Pages that say why there is no other page.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::layout::alert;
use super::period::Days;
use super::{Page, Place, names};
use crate::domain::participant::Role;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;

/// Whoever asks may not, or not now.
#[derive(Debug)]
pub(in super::super) struct Refused {
    code: &'static str,
    reason: Option<Reason>,
    /// For a stranger: what is wrong with the certificate.
    what: Option<String>,
    role: Option<Role>,
}

impl Refused {
    /// A participant, or somebody before it is known who.
    pub(in super::super) fn new(reason: Reason, caller: Option<&Caller>) -> Self {
        Self { code: reason.code(), reason: Some(reason), what: None, role: caller.map(|caller| caller.participant.role) }
    }

    /// A certificate that is nobody's here.
    pub(in super::super) const fn stranger(code: &'static str, what: String) -> Self {
        Self { code, reason: None, what: Some(what), role: None }
    }

    fn is_about_access(&self) -> bool {
        matches!(
            self.reason,
            None | Some(
                Reason::CallNotAllowed
                    | Reason::ParticipantSuspended
                    | Reason::NotEnrolled
                    | Reason::IdentityWithdrawn
                    | Reason::AnotherSite
            )
        )
    }
}

impl Page for Refused {
    fn title(&self, lang: Lang) -> String {
        if self.is_about_access() { lang.say("Ingen tilgang", "No access").to_owned() } else { lang.say("Ikke nå", "Not now").to_owned() }
    }

    fn place(&self) -> Option<Place> {
        None
    }

    fn route(&self) -> Option<PageRoute> {
        None
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            (alert(if self.is_about_access() { "danger" } else { "warning" }, &html! {
                @match self.reason {
                    Some(Reason::CallNotAllowed) => {
                        p {
                            @if let Some(role) = self.role { (lang.say("Sertifikatet ditt har rollen ", "Your certificate has the role ")) strong { (names::role(lang, role)) } ". " }
                            (lang.say("Disse sidene er bare for revisorer.", "These pages are for auditors only."))
                        }
                    }
                    Some(Reason::ParticipantSuspended) => {
                        p { (lang.say("Deltakeren er suspendert. Spør den som drifter Samband om hvorfor.", "This participant is suspended. Ask the operator of Samband why.")) }
                    }
                    Some(Reason::AnotherSite) => {
                        p {
                            (lang.say(
                                "Et annet nettsted fikk nettleseren din til å spørre her. Ingenting ble lest, og ingenting står som spurt av deg. Åpne siden selv, eller følg en lenke til den.",
                                "Another site made your browser ask here. Nothing was read, and nothing is written as asked by you. Open the page yourself, or follow a link to it.",
                            ))
                        }
                    }
                    Some(reason) => {
                        p { (names::reason(lang, reason)) }
                        @if !self.is_about_access() {
                            p { (lang.say("Vent litt og prøv på nytt. Står det slik lenge, ser driften hvorfor i sin egen logg.", "Wait a little and try again. If it stays so, the operator's own log says why.")) }
                        }
                    }
                    None => {
                        p { (lang.say("Sertifikatet ditt er gyldig, men hører ikke til noen deltaker her. Be den som drifter Samband om å føre det inn i registeret.", "Your certificate is valid but belongs to no participant here. Ask the operator of Samband to enrol it.")) }
                        @if let Some(what) = &self.what { p lang="en" { (what) } }
                    }
                }
                p { (lang.say("Årsakskode: ", "Reason code: ")) code { (self.code) } }
            }))
            @if self.is_about_access() {
                p { (lang.say("At noen ble nektet, står i loggen.", "That somebody was refused is in the log.")) }
            }
        }
    }
}

/// There is no such page.
#[derive(Debug)]
pub(in super::super) struct NotFound;

impl Page for NotFound {
    fn title(&self, lang: Lang) -> String {
        lang.say("Siden finnes ikke", "There is no such page").to_owned()
    }

    fn place(&self) -> Option<Place> {
        None
    }

    fn route(&self) -> Option<PageRoute> {
        None
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            p { (lang.say("Adressen er kanskje skrevet feil.", "The address may be misspelt.")) }
            p { a class="ds-link" href=(PageRoute::Front(Days::default()).path(lang)) { (lang.say("Til forsiden", "To the front page")) } }
        }
    }
}

/// Only reading is possible.
#[derive(Debug)]
pub(in super::super) struct ReadOnly;

impl Page for ReadOnly {
    fn title(&self, lang: Lang) -> String {
        lang.say("Her kan man bare lese", "Only reading is possible here").to_owned()
    }

    fn place(&self) -> Option<Place> {
        None
    }

    fn route(&self) -> Option<PageRoute> {
        None
    }

    fn main(&self, lang: Lang) -> Markup {
        html! { p { (lang.say("Sidene svarer på GET og HEAD, og på ingenting annet.", "These pages answer GET and HEAD, and nothing else.")) } }
    }
}

/// Past the log's end, or outside what this auditor sees.
#[derive(Debug)]
pub(super) struct NoEntry {
    pub(super) index: u64,
}

impl Page for NoEntry {
    fn title(&self, lang: Lang) -> String {
        format!("{} {}", lang.say("Ingen oppføring", "No entry"), self.index)
    }

    fn place(&self) -> Option<Place> {
        Some(Place::Search)
    }

    fn route(&self) -> Option<PageRoute> {
        Some(PageRoute::Entry(self.index))
    }

    fn main(&self, lang: Lang) -> Markup {
        html! {
            p { (lang.say("Loggen har ingen oppføring med dette nummeret, eller den hører ikke til det du har innsyn i.", "The log has no entry of this number, or it is not of what you may see.")) }
            p { a class="ds-link" href=(PageRoute::Log.path(lang)) { (lang.say("Hvor lang loggen er", "How long the log is")) } }
        }
    }
}

#[cfg(test)]
impl Refused {
    pub(super) fn samples() -> Vec<Self> {
        let of = |reason| Self { role: Some(Role::Laboratory), ..Self::new(reason, None) };
        let mut samples: Vec<Self> = Reason::ALL.iter().copied().map(of).collect();
        samples.push(Self::stranger("KEY_NOT_ENROLLED", "this key is in no register".to_owned()));
        samples
    }
}
