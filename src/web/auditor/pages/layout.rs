//! The frame of every page: head, skip link, menu, heading, foot. No script, no style of its own, nothing from elsewhere.

use maud::{DOCTYPE, Markup, html};

use super::super::assets;
use super::super::lang::Lang;
use super::super::route::PageRoute;
use super::period::Days;
use super::search::Form;
use super::{Page, Place, Reader};

fn head(lang: Lang, title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " – Samband " (lang.say("revisjon", "audit")) }
            @for sheet in assets::style_sheets() {
                link rel="stylesheet" href=(sheet);
            }
            link rel="icon" type="image/svg+xml" href=(assets::icon());
        }
    }
}

fn menu(lang: Lang, at: Option<Place>) -> Markup {
    let items = [
        (Place::Front, PageRoute::Front(Days::default()), lang.say("Spørsmål", "Questions")),
        (Place::Search, PageRoute::Search(Form::default()), lang.say("Søk i loggen", "Search the log")),
        (Place::Counts, PageRoute::Counts(Days::default()), lang.say("Tall over tid", "Counts over time")),
        (Place::Reviews, PageRoute::Reviews, lang.say("Gjennomgang", "Review")),
        (Place::Log, PageRoute::Log, lang.say("Loggens tilstand", "State of the log")),
        (Place::Help, PageRoute::Help, lang.say("Hjelp", "Help")),
    ];
    html! {
        nav class="menu" aria-label=(lang.say("Hovedmeny", "Main menu")) {
            ul {
                @for (place, route, text) in items {
                    li { a href=(route.path(lang)) aria-current=[(at == Some(place)).then_some("page")] { (text) } }
                }
            }
        }
    }
}

fn languages(lang: Lang, route: Option<PageRoute>) -> Markup {
    let other = lang.other();
    let target = route.unwrap_or(PageRoute::Front(Days::default())).path(other);
    html! {
        a class="language" href=(target) lang=(other.tag()) hreflang=(other.tag()) { (other.name()) }
    }
}

fn frame(lang: Lang, page: &dyn Page, reader: Option<&Reader>) -> Markup {
    let title = page.title(lang);
    html! {
        (DOCTYPE)
        html lang=(lang.tag()) data-color-scheme="light" data-size="md" {
            (head(lang, &title))
            body {
                a class="ds-skip-link" href="#main" { (lang.say("Hopp til hovedinnhold", "Skip to main content")) }
                header class="top" {
                    div class="wide" {
                        a class="brand" href=(PageRoute::Front(Days::default()).path(lang)) {
                            img src=(assets::icon()) alt="" width="32" height="32";
                            span { "Samband" }
                            span class="brand-of" { (lang.say("Revisjon", "Audit")) }
                        }
                        @if reader.is_some() { (menu(lang, page.place())) }
                        (languages(lang, page.route()))
                    }
                }
                main id="main" tabindex="-1" {
                    div class="wide" {
                        h1 class="ds-heading" data-size="lg" { (title) }
                        (page.main(lang))
                    }
                }
                footer class="foot" {
                    div class="wide" {
                        @if let Some(Reader { name, key_label }) = reader {
                            p {
                                (lang.say("Du leser som ", "You read as ")) strong { (name) }
                                (lang.say(", nøkkel ", ", key ")) code { (key_label) }
                                (lang.say(". At du leser, står i loggen.", ". That you read is in the log."))
                            }
                        }
                        p {
                            (lang.say(
                                "Klokkeslett og dager er norsk tid (Oslo) der ikke annet står.",
                                "Times and days are those of Norway (Oslo) where nothing else is said.",
                            ))
                        }
                        p {
                            (lang.say(
                                "Sidene viser når noe skjedde og hvem som var parter, aldri hva meldingene sa.",
                                "These pages show when something happened and who the parties were, never what the messages said.",
                            ))
                        }
                    }
                }
            }
        }
    }
}

/// A page for a reader.
pub(in super::super) fn full(lang: Lang, reader: &Reader, page: &dyn Page) -> Markup {
    frame(lang, page, Some(reader))
}

/// A page for whoever is refused: without menu, as there is nowhere to go.
pub(in super::super) fn bare(lang: Lang, page: &dyn Page) -> Markup {
    frame(lang, page, None)
}

/// A box that says one thing; `color` is one of the design system's.
pub(super) fn alert(color: &'static str, content: &Markup) -> Markup {
    html! { div class="ds-alert" data-color=(color) { (content) } }
}

/// How to check what a page says: the command, and the call that it makes.
pub(super) fn check_yourself(lang: Lang, command: &str, call: &str, more: Option<Markup>) -> Markup {
    html! {
        details class="ds-details check" id="check" {
            summary { (lang.say("Kontroller selv", "Check this yourself")) }
            div {
                p { (lang.say("Samme svar fra kommandolinjen, med din egen nøkkel:", "The same answer from the command line, with your own key:")) }
                pre tabindex="0" { code { (command) } }
                p {
                    code { "SAMBAND_GATEWAY" }
                    (lang.say(" er adressen for kall, som ikke er den til disse sidene, ", " is the address for calls, which is not that of these pages, "))
                    code { "SAMBAND_IDENTITY" }
                    (lang.say(" mappen med sertifikatet og nøkkelen din, ", " the folder with your certificate and key, "))
                    code { "SAMBAND_CA" }
                    (lang.say(" utstederen av Sambands sertifikat.", " the issuer of Samband's certificate."))
                    @if command.contains("log.vkey") {
                        " " code { "log.vkey" }
                        (lang.say(
                            " er loggens offentlige nøkkel. Få den fra driften på en annen vei enn herfra: ellers kontrollerer du loggen mot dens eget ord.",
                            " is the log's public key. Have it from the operator by another way than from here: else you check the log against its own word.",
                        ))
                    }
                }
                p { (lang.say("Kallet som gjøres:", "The call that is made:")) " " code { (call) } }
                @if let Some(more) = more { (more) }
            }
        }
    }
}
