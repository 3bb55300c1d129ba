//! The pages: each a typed context, made from what the gateway's inspection gives, and rendered by the one layout. Every context has samples, and a
//! test renders each of them in both languages.

mod answers;
mod case;
mod counts;
mod entry;
mod front;
mod help;
mod layout;
mod log;
pub(crate) mod names;
pub(super) mod notice;
pub(super) mod period;
mod question;
mod reviews;
mod row;
pub(super) mod search;
mod witnesses;

#[cfg(test)]
mod tests;

use http::StatusCode;
use maud::Markup;

use super::Site;
use super::answer::{self, Answer};
use super::lang::Lang;
use super::route::PageRoute;
use crate::gateway::Refusal;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;

pub(super) use layout::{bare, full};

/// The places of the menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Front,
    Search,
    Counts,
    Reviews,
    Log,
    Help,
}

/// What a page shows.
pub(super) trait Page {
    /// Its title, which is its heading too.
    fn title(&self, lang: Lang) -> String;

    /// Its place in the menu, if it has one.
    fn place(&self) -> Option<Place>;

    /// What stands below the heading.
    fn main(&self, lang: Lang) -> Markup;

    /// The same page's path in a language; none for pages that are answers to what went wrong.
    fn route(&self) -> Option<PageRoute>;
}

/// Who reads, for the foot of every page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    name: String,
    key_label: String,
}

impl Reader {
    fn of(caller: &Caller) -> Self {
        Self { name: caller.participant.name.clone(), key_label: caller.key_label.clone() }
    }
}

/// The days of a page's address are none.
pub(super) fn wrong_days(caller: &Caller, lang: Lang, wrong: &period::WrongDays) -> Answer {
    answer::page(lang, StatusCode::BAD_REQUEST, full(lang, &Reader::of(caller), wrong))
}

/// Makes a page; whoever may not read is refused by the gateway, which asks for every page before its first row.
pub(super) async fn answer(site: &Site, caller: &Caller, lang: Lang, page: PageRoute) -> Result<Answer, Refusal> {
    let reader = Reader::of(caller);
    let ok = |markup: Markup| answer::page(lang, StatusCode::OK, markup);
    match page {
        PageRoute::Front(days) => Ok(ok(full(lang, &reader, &front::Front::load(site, caller, days).await?))),
        PageRoute::Question(question, days) => match question::Asked::load(site, caller, question, days).await? {
            Some(asked) => Ok(ok(full(lang, &reader, &asked))),
            None => Ok(answer::not_found(lang)),
        },
        PageRoute::Counts(days) => Ok(ok(full(lang, &reader, &counts::Counted::load(site, caller, days).await?))),
        PageRoute::Reviews => Ok(ok(full(lang, &reader, &reviews::Reviewed::load(site, caller).await?))),
        PageRoute::Search(form) => {
            let found = search::Search::load(&site.gateway, caller, form).await?;
            let status = if found.problems().is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            Ok(answer::page(lang, status, full(lang, &reader, &found)))
        }
        PageRoute::Case(case) => {
            let timeline = case::Timeline::load(&site.gateway, caller, case).await?;
            let status = if timeline.is_empty() { StatusCode::NOT_FOUND } else { StatusCode::OK };
            Ok(answer::page(lang, status, full(lang, &reader, &timeline)))
        }
        PageRoute::Entry(index) => match entry::Entry::load(&site.gateway, caller, index).await {
            Ok(entry) => Ok(ok(full(lang, &reader, &entry))),
            Err(Refusal(denial)) if denial.reason == Reason::EntryUnknown => {
                Ok(answer::page(lang, StatusCode::NOT_FOUND, full(lang, &reader, &notice::NoEntry { index })))
            }
            Err(refusal) => Err(refusal),
        },
        PageRoute::Log => Ok(ok(full(lang, &reader, &log::Log::load(site, caller).await?))),
        PageRoute::Help => {
            site.gateway.checkpoint(caller).await?;
            Ok(ok(full(lang, &reader, &help::Help)))
        }
    }
}
