//! What stands before answers when their check does not hold, and the number that stands out in one.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use crate::audit::question::{Answer, words};
use crate::audit::range::Checked;

/// The number that stands out; a part's is never without what it is a part of.
pub(super) fn figure(lang: Lang, answer: &Answer) -> Markup {
    let (number, of) = words::figure(lang, answer);
    html! { p class="figure" { (number) @if let Some(of) = of { " " span class="of" { (of) } } } }
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
                    (lang.count(checked.failed, ["oppføring", "oppføringer"], ["entry", "entries"])) " "
                    (lang.say("kan ikke leses eller passer ikke til bladet sitt: ", "cannot be read or do not fit their leaf: "))
                    @for (i, index) in checked.failed_at.iter().enumerate() {
                        @if i > 0 { ", " }
                        a class="ds-link" href=(PageRoute::Entry(*index).path(lang)) { (index) }
                    }
                    "."
                }
            }
            p { (lang.say("Be driften stoppe Samband og kjøre ", "Ask the operator to stop Samband and run ")) code { "samband audit fsck" } "." }
        }
    })
}
