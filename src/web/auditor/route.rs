//! Paths of the site: each has one spelling, and everything else is not there.

use super::assets::{self, Asset};
use super::lang::Lang;
use super::pages::period::{Days, WrongDays};
use super::pages::search::Form;
use crate::audit::question::Question;
use crate::audit::tiles::TileId;
use crate::domain::id::CaseRef;

/// The longest path and query that are looked at, in bytes.
const PATH_BYTES_MAX: usize = 512;
const QUERY_BYTES_MAX: usize = 2048;

/// What a path asks for.
#[derive(Debug)]
pub(super) enum Route {
    /// The root: to the front page in a language.
    Home,
    /// A file of the site.
    Asset(&'static Asset),
    /// The published head.
    Checkpoint,
    /// A published tile or bundle.
    Tile(TileId),
    /// A page in a language.
    Page(Lang, Box<PageRoute>),
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageRoute {
    /// Questions, and what wants attention.
    Front(Days),
    /// One question.
    Question(Question, Days),
    /// Search of the log; the form as it was sent.
    Search(Form),
    /// One case.
    Case(CaseRef),
    /// One entry.
    Entry(u64),
    /// Counts over time.
    Counts(Days),
    /// The log's own state.
    Log,
    /// What was reviewed and what was not.
    Reviews,
    /// How to use this, and what it does not show.
    Help,
}

/// A number in its one spelling.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let canonical = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

impl Route {
    /// The route of a path, if it is one.
    pub(super) fn parse(path: &str, query: &str) -> Option<Self> {
        if path.len() > PATH_BYTES_MAX || query.len() > QUERY_BYTES_MAX {
            return None;
        }
        let relative = path.strip_prefix('/')?;
        let (first, rest) = relative.split_once('/').map_or((relative, None), |(first, rest)| (first, Some(rest)));
        match first {
            "" if rest.is_none() => Some(Self::Home),
            "assets" => assets::find(path).map(Self::Asset),
            "checkpoint" if rest.is_none() && query.is_empty() => Some(Self::Checkpoint),
            "tile" if query.is_empty() => relative.parse().ok().map(Self::Tile),
            tag => {
                let lang = Lang::ALL.into_iter().find(|lang| lang.tag() == tag)?;
                PageRoute::parse(rest, query).map(|page| Self::Page(lang, Box::new(page)))
            }
        }
    }
}

/// The page of a period whose address names days that are none, or are turned round.
pub(super) fn wrong_days(path: &str, query: &str) -> Option<(Lang, WrongDays)> {
    if query.len() > QUERY_BYTES_MAX {
        return None;
    }
    match Route::parse(path, "")? {
        Route::Page(lang, page) if matches!(*page, PageRoute::Front(_) | PageRoute::Question(..) | PageRoute::Counts(_)) => {
            WrongDays::of(*page, query).map(|wrong| (lang, wrong))
        }
        _ => None,
    }
}

impl PageRoute {
    fn parse(rest: Option<&str>, query: &str) -> Option<Self> {
        let Some(rest) = rest else { return Days::parse(query).filter(|days| days.page == 0).map(Self::Front) };
        if rest == "search" {
            return Some(Self::Search(Form::parse(query)));
        }
        if rest == "counts" {
            return Days::parse(query).map(Days::only).map(Self::Counts);
        }
        if let Some(name) = rest.strip_prefix("question/") {
            return Question::of_name(name).zip(Days::parse(query)).map(|(question, days)| Self::Question(question, days));
        }
        if !query.is_empty() {
            return None;
        }
        let (name, argument) = rest.split_once('/').map_or((rest, None), |(name, argument)| (name, Some(argument)));
        match (name, argument) {
            ("log", None) => Some(Self::Log),
            ("reviews", None) => Some(Self::Reviews),
            ("help", None) => Some(Self::Help),
            ("entry", Some(index)) => decimal(index).map(Self::Entry),
            ("case", Some(text)) => text.parse().ok().filter(|case: &CaseRef| case.to_string() == text).map(Self::Case),
            _ => None,
        }
    }

    /// The path, and query, in a language.
    pub(super) fn path(&self, lang: Lang) -> String {
        let lang = lang.tag();
        match self {
            Self::Front(days) => format!("/{lang}{}", days.query()),
            Self::Question(question, days) => format!("/{lang}/question/{}{}", question.name(), days.query()),
            Self::Counts(days) => format!("/{lang}/counts{}", days.query()),
            Self::Reviews => format!("/{lang}/reviews"),
            Self::Search(form) => format!("/{lang}/search{}", form.query()),
            Self::Case(case) => format!("/{lang}/case/{case}"),
            Self::Entry(index) => format!("/{lang}/entry/{index}"),
            Self::Log => format!("/{lang}/log"),
            Self::Help => format!("/{lang}/help"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_one_path_and_its_path_leads_back() {
        let case: CaseRef = CaseRef::from_bytes([7; 10]);
        let form = Form { participant: "politi-oslo".to_owned(), ..Form::default() };
        let day = crate::domain::time::Date::constant(2026, 11, 20);
        let days = Days { from: Some(day), to: Some(day), anew: true, page: 3 };
        for page in [
            PageRoute::Front(Days::default()),
            PageRoute::Front(Days { page: 0, ..days }),
            PageRoute::Question(Question::Forbidden, days),
            PageRoute::Counts(days.only()),
            PageRoute::Reviews,
            PageRoute::Search(Form::default()),
            PageRoute::Search(form),
            PageRoute::Case(case),
            PageRoute::Entry(0),
            PageRoute::Entry(u64::MAX),
            PageRoute::Log,
            PageRoute::Help,
        ] {
            for lang in Lang::ALL {
                let target = page.path(lang);
                let (path, query) = target.split_once('?').unwrap_or((&target, ""));
                match Route::parse(path, query) {
                    Some(Route::Page(found, parsed)) => assert_eq!((found, *parsed), (lang, page.clone())),
                    other => panic!("{target}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_value_that_is_cut_at_a_space_leads_back() {
        let form = Form::parse(&format!("participant={}+{}", "a".repeat(63), "b".repeat(9)));
        assert_eq!(form.participant, "a".repeat(63));
        assert_eq!(Form::parse(form.query().strip_prefix('?').unwrap()), form);
    }

    #[test]
    fn hostile_and_misspelt_paths_are_nothing() {
        for bad in [
            "",
            "nb",
            "//",
            "/nb/",
            "/nb//",
            "/NB",
            "/no",
            "/nb/log/",
            "/nb/entry/",
            "/nb/entry/007",
            "/nb/entry/-1",
            "/nb/entry/99999999999999999999",
            "/nb/case/123",
            "/nb/../en",
            "/nb/%6cog",
            "/assets/",
            "/assets/../../etc/passwd",
            "/assets/0000000000000000/samband.css",
            "/checkpoint/",
            "/Checkpoint",
            "/tile",
            "/tile/",
            "/tile/0/000/",
            "/tile/0/00",
            "/tile/0/0000",
            "/tile/0/x000/001",
            "/tile/0/..%2f..%2fcheckpoint",
            "/tile/0/../../checkpoint",
            "/tile/64/000",
            "/tile/00/000",
            "/tile/0/000.p/0",
            "/tile/0/000.p/256",
            "/tile/0/000.p/01",
            "/tile/entries/000.p/",
            "/tile/entries/\u{661}\u{662}\u{663}",
            "/tile//0/000",
            "/tile/0/x001/x001/x001/x001/x001/x001/x001/001",
        ] {
            assert!(Route::parse(bad, "").is_none(), "{bad}");
        }
        assert!(Route::parse(&format!("/nb/entry/{}", "1".repeat(600)), "").is_none());
        assert!(Route::parse("/checkpoint", "x").is_none());
        assert!(Route::parse("/tile/0/000", "x=1").is_none());
        assert!(Route::parse("/nb/log", "x=1").is_none());
        for query in
            ["x=1", "from=2026-13-01", "from=2026-02-02&to=2026-02-01", "from=2026-02-02&from=2026-02-03", "page=-1", "anew=2", "name=Kari"]
        {
            assert!(Route::parse("/nb/question/read", query).is_none(), "{query}");
        }
        assert!(Route::parse("/nb/question/who", "").is_none());
        for page in ["/nb", "/en/question/read", "/nb/counts"] {
            let turned = "from=2026-02-02&to=2026-02-01";
            assert!(Route::parse(page, turned).is_none() && wrong_days(page, turned).is_some(), "{page}");
            assert!(wrong_days(page, "name=Kari").is_none(), "{page}");
        }
        for page in ["/nb/log", "/nb/search", "/nb/nowhere"] {
            assert!(wrong_days(page, "from=2026-02-30").is_none(), "{page}");
        }
        assert!(matches!(Route::parse("/tile/0/000.p/7", ""), Some(Route::Tile(_))));
        assert!(matches!(Route::parse("/tile/entries/x001/234", ""), Some(Route::Tile(_))));
        assert!(matches!(Route::parse("/checkpoint", ""), Some(Route::Checkpoint)));
        assert!(matches!(Route::parse("/", ""), Some(Route::Home)));
    }
}
