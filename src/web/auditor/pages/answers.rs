//! What stands before answers when their check does not hold, and the number that stands out in one.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use crate::audit::question::{Answer, words};
use crate::audit::range::Checked;
use crate::store::UNREADABLE_MAX;

/// The number that stands out; a part's is never without what it is a part of.
pub(super) fn figure(lang: Lang, answer: &Answer) -> Markup {
    let (number, of) = words::figure(lang, answer);
    html! { p class="figure" { (number) @if let Some(of) = of { " " span class="of" { (of) } } } }
}

/// That entries cannot be read, and which; the rest of the page stands.
pub(super) fn unreadable(lang: Lang, indices: &[u64]) -> Option<Markup> {
    let stretches: Vec<(u64, u64)> = indices.iter().map(|index| (*index, *index)).collect();
    unreadable_between(lang, &stretches, indices.len() >= UNREADABLE_MAX)
}

/// The same of stretches, each from its first to its last index; `more` when there may be others.
pub(super) fn unreadable_between(lang: Lang, stretches: &[(u64, u64)], more: bool) -> Option<Markup> {
    let many: u64 = stretches.iter().map(|(first, last)| last - first + 1).sum();
    (many > 0).then(|| {
        html! {
            div class="ds-alert" data-color="danger" role="alert" {
                p {
                    @if more { (lang.say("Minst ", "At least ")) }
                    (lang.count(many, ["oppføring", "oppføringer"], ["entry", "entries"])) " "
                    (lang.say("kan ikke leses og kunne ikke sammenlignes: ", "cannot be read and could not be compared: "))
                    @for (i, (first, last)) in stretches.iter().enumerate() {
                        @if i > 0 { ", " }
                        (super::row::indices(lang, *first, *last))
                    }
                    "."
                }
                (to_the_operator(lang))
            }
        }
    })
}

/// That entries of the log cannot be read, of which nobody can tell whether this reader may see them: the same words whatever was asked for.
pub(super) fn unjudged(lang: Lang, entries: u64) -> Option<Markup> {
    (entries > 0).then(|| {
        html! {
            div class="ds-alert" data-color="danger" role="alert" {
                p {
                    (lang.count(entries, ["oppføring", "oppføringer"], ["entry", "entries"])) " "
                    (lang.say(
                        "i loggen kan ikke leses. Om noen av dem hører hit, kan ingen si. ",
                        "of the log cannot be read. Whether any of them belongs here nobody can tell. ",
                    ))
                    a class="ds-link" href=(PageRoute::Search(super::search::Form::default()).path(lang)) {
                        (lang.say("Søket uten vilkår viser hvilke", "The search without a filter shows which"))
                    }
                    "."
                }
                (to_the_operator(lang))
            }
        }
    })
}

/// What becomes of the commands beside an answer whose check does not hold.
pub(super) fn refused_meanwhile(lang: Lang, checked: &Checked) -> Option<Markup> {
    (!checked.holds()).then(|| {
        html! {
            p {
                (lang.say(
                    "Så lenge kontrollen ikke holder, lager eksporten ingen fil: den nevner oppføringen som ikke kan leses, og hvilke eksporter som går an før og etter den.",
                    "While the check does not hold, the export makes no file: it names the entry that cannot be read, and the exports that can be made before and after it.",
                ))
            }
        }
    })
}

fn links(lang: Lang, indices: &[u64]) -> Markup {
    html! {
        @for (i, index) in indices.iter().enumerate() {
            @if i > 0 { ", " }
            a class="ds-link" href=(PageRoute::Entry(*index).path(lang)) { (index) }
        }
    }
}

fn to_the_operator(lang: Lang) -> Markup {
    html! { p { (lang.say("Be driften stoppe Samband og kjøre ", "Ask the operator to stop Samband and run ")) code { "samband audit fsck" } "." } }
}

/// That the log does not prove what the answers say, and where.
pub(super) fn alarm(lang: Lang, checked: &Checked) -> Option<Markup> {
    if checked.holds() {
        return None;
    }
    Some(html! {
        div class="ds-alert" data-color="danger" role="alert" {
            p { strong { (lang.say("Kontrollen holder ikke. Stol ikke på svarene.", "The check does not hold. Do not rely on the answers.")) } }
            @if !checked.in_tree {
                p { (lang.say("Bladene fører ikke til roten som er signert.", "The leaves do not lead to the root that is signed.")) }
            }
            @if checked.failed > 0 {
                p {
                    (lang.count(
                        checked.failed,
                        ["oppføring kan ikke leses eller passer ikke til bladet sitt: ", "oppføringer kan ikke leses eller passer ikke til bladet sitt: "],
                        ["entry cannot be read or does not fit its leaf: ", "entries cannot be read or do not fit their leaf: "],
                    ))
                    (links(lang, &checked.failed_at)) "."
                }
            }
            (to_the_operator(lang))
        }
    })
}
