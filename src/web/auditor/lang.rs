//! The two languages of the pages. Both stand side by side at each place, so that none can be forgotten.

use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;

/// A language; the first part of every page's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    /// Norwegian, bokmål.
    Nb,
    /// English.
    En,
}

impl Lang {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Nb, Self::En];

    /// The tag, as in the `lang` attribute and in paths.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::Nb => "nb",
            Self::En => "en",
        }
    }

    /// The language's own name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nb => "Norsk bokmål",
            Self::En => "English",
        }
    }

    /// The other one.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Nb => Self::En,
            Self::En => Self::Nb,
        }
    }

    /// What is said in this language.
    pub(super) const fn say(self, nb: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Nb => nb,
            Self::En => en,
        }
    }

    /// A count with its noun.
    pub(super) fn count(self, n: u64, nb: [&str; 2], en: [&str; 2]) -> String {
        let [one, many] = match self {
            Self::Nb => nb,
            Self::En => en,
        };
        format!("{} {}", self.number(n), if n == 1 { one } else { many })
    }

    /// A number with thousands apart: a no-break space in Norwegian, a comma in English.
    pub(super) fn number(self, n: u64) -> String {
        let digits = n.to_string();
        let mut out = String::with_capacity(digits.len() * 2);
        for (i, digit) in digits.chars().enumerate() {
            // Four digits stay together in Norwegian.
            if i > 0 && (digits.len() - i).is_multiple_of(3) && !(self == Self::Nb && digits.len() == 4) {
                out.push_str(self.say("\u{a0}", ","));
            }
            out.push(digit);
        }
        out
    }

    /// The language of a path or, where it has none, of the browser; Norwegian by default.
    pub(super) fn asked(request: &Parts) -> Self {
        let of_tag = |tag: &str| match tag.split('-').next()? {
            "nb" | "no" | "nn" => Some(Self::Nb),
            "en" => Some(Self::En),
            _ => None,
        };
        let of_path = request.uri.path().split('/').nth(1).and_then(|part| Self::ALL.into_iter().find(|lang| lang.tag() == part));
        let accepted = request.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // Browsers list what they prefer first.
        let of_browser = || accepted.split(',').find_map(|item| of_tag(item.split(';').next()?.trim()));
        of_path.or_else(of_browser).unwrap_or(Self::Nb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_each_language_does() {
        for (n, nb, en) in [(0, "0", "0"), (999, "999", "999"), (1000, "1000", "1,000"), (12_345, "12\u{a0}345", "12,345")] {
            assert_eq!(Lang::Nb.number(n), nb);
            assert_eq!(Lang::En.number(n), en);
        }
        assert_eq!(Lang::En.number(1_234_567), "1,234,567");
        assert_eq!(Lang::Nb.count(1, ["sak", "saker"], ["case", "cases"]), "1 sak");
        assert_eq!(Lang::En.count(2, ["sak", "saker"], ["case", "cases"]), "2 cases");
    }

    #[test]
    fn the_path_decides_then_the_browser() {
        let asked = |path: &str, accept: &str| {
            let request = http::Request::builder().uri(path).header(ACCEPT_LANGUAGE, accept).body(()).unwrap();
            Lang::asked(&request.into_parts().0)
        };
        assert_eq!(asked("/en/search", "nb"), Lang::En);
        assert_eq!(asked("/nb", "en"), Lang::Nb);
        assert_eq!(asked("/", "en-GB,en;q=0.9,nb;q=0.8"), Lang::En);
        assert_eq!(asked("/", "de,nn-NO;q=0.9,en;q=0.8"), Lang::Nb);
        assert_eq!(asked("/", "de"), Lang::Nb);
        assert_eq!(asked("/enx", ""), Lang::Nb);
    }
}
