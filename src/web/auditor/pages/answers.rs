//! What stands before answers when their check does not hold, and the number that stands out in one.

use maud::{Markup, html};

use super::super::lang::Lang;
use super::super::route::PageRoute;
use crate::audit::question::{Answer, Survey, words};
use crate::audit::range::{Checked, Stretches};
use crate::store::UNREADABLE_MAX;

/// Stretches of indices that are named; of more, how many others there are.
const NAMED_MAX: usize = 40;

/// The number that stands out; a part's is never without what it is a part of.
pub(super) fn figure(lang: Lang, answer: &Answer) -> Markup {
    let (number, of) = words::figure(lang, answer);
    html! { p class="figure" { (number) @if let Some(of) = of { " " span class="of" { (of) } } } }
}

/// That entries cannot be read, and which; the rest of the page stands.
pub(super) fn unreadable(lang: Lang, indices: &[u64]) -> Option<Markup> {
    unreadable_between(lang, Stretches::of(indices.iter().copied()).as_slice(), indices.len() >= UNREADABLE_MAX)
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
                    (places(lang, stretches, many)) "."
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
pub(super) fn refused_meanwhile(lang: Lang, holds: bool) -> Option<Markup> {
    (!holds).then(|| {
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

/// Indices, and how many of `many` are not among those that are named.
fn places(lang: Lang, stretches: &[(u64, u64)], many: u64) -> Markup {
    let named = &stretches[..stretches.len().min(NAMED_MAX)];
    let others = many.saturating_sub(named.iter().map(|(first, last)| last - first + 1).sum());
    html! {
        @for (i, (first, last)) in named.iter().enumerate() {
            @if i > 0 { ", " }
            (super::row::indices(lang, *first, *last))
        }
        @if others > 0 {
            (lang.say(" og ", " and ")) (lang.number(others)) (lang.say(" til", " more"))
        }
    }
}

fn to_the_operator(lang: Lang) -> Markup {
    html! { p { (lang.say("Be driften kjøre ", "Ask the operator to run ")) code { "samband audit fsck DATA_DIR --storage-key FILE" } "." } }
}

/// What failed, as a sentence with where.
fn failed(lang: Lang, many: u64, stretches: &[(u64, u64)]) -> Option<Markup> {
    (many > 0).then(|| {
        html! {
            p {
                (lang.count(
                    many,
                    ["oppføring kan ikke leses eller passer ikke til bladet sitt: ", "oppføringer kan ikke leses eller passer ikke til bladet sitt: "],
                    ["entry cannot be read or does not fit its leaf: ", "entries cannot be read or do not fit their leaf: "],
                ))
                (places(lang, stretches, many)) "."
            }
        }
    })
}

fn not_in_tree(lang: Lang, checked: &Checked) -> Option<Markup> {
    let said = lang.say("Bladene fører ikke til roten som er signert.", "The leaves do not lead to the root that is signed.");
    (!checked.in_tree).then(|| html! { p { (said) } })
}

fn box_of(lang: Lang, title: &str, content: &Markup) -> Markup {
    html! {
        div class="ds-alert" data-color="danger" role="alert" {
            p { strong { (title) } }
            (content)
            (to_the_operator(lang))
        }
    }
}

const fn nothing_holds(lang: Lang) -> &'static str {
    lang.say("Kontrollen holder ikke. Stol ikke på svarene.", "The check does not hold. Do not rely on the answers.")
}

/// Where entries of the whole range failed.
fn everywhere(checked: &Checked) -> Vec<(u64, u64)> {
    [&checked.failed_before, &checked.failed_within].into_iter().flat_map(|stretches| stretches.as_slice().iter().copied()).collect()
}

/// That the log does not prove what the answers say, and where: for what rests on the whole range.
pub(super) fn alarm(lang: Lang, checked: &Checked) -> Option<Markup> {
    (!checked.holds()).then(|| {
        let content = html! {
            @if let Some(said) = not_in_tree(lang, checked) { (said) }
            @if let Some(said) = failed(lang, checked.failed, &everywhere(checked)) { (said) }
        };
        box_of(lang, nothing_holds(lang), &content)
    })
}

/// The same for several answers: some may rest on what holds.
pub(super) fn alarm_of_all(lang: Lang, answers: &[Answer], checked: &Checked) -> Option<Markup> {
    let fails: Vec<&Answer> = answers.iter().filter(|answer| !answer.holds()).collect();
    if fails.is_empty() || fails.len() == answers.len() {
        return alarm(lang, checked);
    }
    let title = lang.say("Kontrollen holder ikke for alle svarene.", "The check does not hold for every answer.");
    let content = html! {
        @if let Some(said) = failed(lang, checked.failed, &everywhere(checked)) { (said) }
        p { (lang.say("De er fra før perioden, og disse svarene bedømmes etter dem. Stol ikke på:", "They are from before the period, and these answers are judged by them. Do not rely on:")) }
        ul class="ds-list" { @for answer in fails { li { (words::title(lang, answer.question)) } } }
        p { (lang.say("De andre svarene hviler bare på oppføringer som holder.", "The other answers rest on nothing but entries that hold.")) }
    };
    Some(box_of(lang, title, &content))
}

/// The same for one answer: what failed where it does not look is told too, but casts no doubt on it.
pub(super) fn alarm_of_one(lang: Lang, answer: &Answer) -> Option<Markup> {
    let (checked, looks_back) = (&answer.checked, Survey::looks_back(answer.question));
    let before = failed(lang, checked.before.failed, checked.failed_before.as_slice()).filter(|_| !looks_back);
    if answer.holds() {
        return before.map(|before| {
            html! {
                div class="ds-alert" data-color="warning" {
                    p { strong { (lang.say("Skade fra før perioden. Svaret her hviler ikke på den.", "Damage from before the period. The answer here does not rest on it.")) } }
                    (before)
                    (to_the_operator(lang))
                }
            }
        });
    }
    let many = answer.basis().missing().failed;
    let places = if looks_back { everywhere(checked) } else { checked.failed_within.as_slice().to_vec() };
    let content = html! {
        @if let Some(said) = not_in_tree(lang, checked) { (said) }
        @if let Some(said) = failed(lang, many, &places) { (said) }
        @if let Some(before) = before { p { (lang.say("Dessuten, fra før perioden:", "Besides, from before the period:")) } (before) }
    };
    Some(box_of(
        lang,
        lang.say("Kontrollen holder ikke. Stol ikke på svaret.", "The check does not hold. Do not rely on the answer."),
        &content,
    ))
}
