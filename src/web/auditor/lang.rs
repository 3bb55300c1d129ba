//! In which language a page is answered.

use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;

pub(super) use crate::domain::lang::Lang;

/// The language of a path or, where it has none, of the browser; Norwegian by default.
pub(super) fn asked(request: &Parts) -> Lang {
    let of_tag = |tag: &str| match tag.split('-').next()? {
        "nb" | "no" | "nn" => Some(Lang::Nb),
        "en" => Some(Lang::En),
        _ => None,
    };
    let of_path = request.uri.path().split('/').nth(1).and_then(|part| Lang::ALL.into_iter().find(|lang| lang.tag() == part));
    let accepted = request.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A weight of nothing refuses a language.
    let is_refused = |weight: &str| weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0);
    // Browsers list what they prefer first.
    let items = || {
        accepted.split(',').filter_map(|item| {
            let mut parts = item.split(';');
            Some((of_tag(parts.next()?.trim())?, parts.any(is_refused)))
        })
    };
    let of_browser = || items().find_map(|(lang, refused)| (!refused).then_some(lang));
    let of_nothing = || if items().any(|item| item == (Lang::Nb, true)) { Lang::En } else { Lang::Nb };
    of_path.or_else(of_browser).unwrap_or_else(of_nothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_decides_then_the_browser() {
        let asked = |path: &str, accept: &str| {
            let request = http::Request::builder().uri(path).header(ACCEPT_LANGUAGE, accept).body(()).unwrap();
            super::asked(&request.into_parts().0)
        };
        assert_eq!(asked("/en/search", "nb"), Lang::En);
        assert_eq!(asked("/nb", "en"), Lang::Nb);
        assert_eq!(asked("/", "en-GB,en;q=0.9,nb;q=0.8"), Lang::En);
        assert_eq!(asked("/", "de,nn-NO;q=0.9,en;q=0.8"), Lang::Nb);
        assert_eq!(asked("/", "de"), Lang::Nb);
        assert_eq!(asked("/", "nb;q=0,en"), Lang::En);
        assert_eq!(asked("/", "en; q=0.000, nb;q=0.1"), Lang::Nb);
        assert_eq!(asked("/", "nb;q=0"), Lang::En, "anything but Norwegian");
        assert_eq!(asked("/", "nb;q=0, de"), Lang::En);
        assert_eq!(asked("/", "en;q=0"), Lang::Nb);
        assert_eq!(asked("/enx", ""), Lang::Nb);
    }
}
