//! Whether the browser asks because another site made it ask.
//!
//! To look is to write here: each reading is an event in the reader's name. A browser shows its certificate for whatever any page loads, so that a
//! picture on a page elsewhere could put questions in the name of whoever looks at it. Browsers say of each request where it comes from and what for
//! (Fetch Metadata), which no page can change. Programs say nothing of it, and are asked nothing.

use http::header::{HeaderMap, HeaderValue};

/// Whether it comes from a page of another origin, and is not that the person goes here, in a window of its own: a link that somebody follows may come
/// from anywhere.
pub(super) fn is_of_another(headers: &HeaderMap) -> bool {
    let values = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let is = |name: &str, wanted: &[u8]| values(name).eq([wanted]);
    let is_own = values("sec-fetch-site").all(|site| matches!(site, b"same-origin" | b"none"));
    // What is fetched or rendered before anybody went there has a purpose.
    let goes_here = is("sec-fetch-mode", b"navigate") && is("sec-fetch-dest", b"document") && values("sec-purpose").next().is_none();
    !is_own && !goes_here
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_another(fields: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        is_of_another(&headers)
    }

    fn asked(site: &'static str, mode: &'static str, dest: &'static str) -> bool {
        of_another(&[("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)])
    }

    #[test]
    fn what_a_page_of_another_origin_loads_is_no_question_and_a_link_is_one() {
        assert!(!of_another(&[]), "a program");
        for (mode, dest) in
            [("navigate", "document"), ("no-cors", "style"), ("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe")]
        {
            assert!(!asked("same-origin", mode, dest) && !asked("none", mode, dest), "{mode} {dest}");
            for site in ["cross-site", "same-site", "what-comes-later", ""] {
                assert_eq!(asked(site, mode, dest), (mode, dest) != ("navigate", "document"), "{site} {mode} {dest}");
            }
        }
        for dest in ["iframe", "frame", "embed", "object", "empty", "image", "script", "prefetch"] {
            assert!(asked("cross-site", "navigate", dest) && asked("cross-site", "no-cors", dest), "{dest}");
        }
        assert!(of_another(&[("sec-fetch-site", "cross-site")]), "of which it is not said what for");
        assert!(of_another(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]));
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(of_another(&[link[0], link[1], link[2], ("sec-purpose", "prefetch")]), "nobody followed it");
        assert!(of_another(&[link[0], link[1], link[2], ("sec-fetch-dest", "image")]));
    }
}
