//! Answers as they leave: status, headers, body. No answer sets a cookie, and no page may be kept by a browser or load anything from elsewhere.
//!
//! There is no Strict-Transport-Security, as nothing listens in plain text here and the header would bind every port of the host.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use maud::Markup;

use super::assets::Asset;
use super::lang::Lang;
use super::pages::{self, notice};
use crate::policy::permit::{Caller, Denial};
use crate::policy::reason::Reason;

/// For everything: the style sheets' icons are data URIs, so pictures may be those.
const POLICY: &str = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

const NOT_KEPT: &str = "no-store";
/// A tile never changes, and an asset's name holds its digest.
const KEPT: &str = "public, max-age=31536000, immutable";

/// An answer before its headers.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    cache: &'static str,
    location: Option<String>,
    lang: Option<Lang>,
    allow: bool,
    retry_after_s: Option<u64>,
    body: Bytes,
}

impl Answer {
    fn new(status: StatusCode, content_type: &'static str, cache: &'static str, body: Bytes) -> Self {
        Self { status, content_type, cache, location: None, lang: None, allow: false, retry_after_s: None, body }
    }

    /// To `HEAD` as to `GET`, without the body: over HTTP/2 nobody else leaves it out, and a client takes it for a broken stream.
    pub(super) fn into_response(self, method: &Method) -> Response<Full<Bytes>> {
        let Self { status, content_type, cache, location, lang, allow, retry_after_s, body } = self;
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(Full::new(if method == Method::HEAD { Bytes::new() } else { body }));
        *response.status_mut() = status;
        let headers: &mut HeaderMap = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CONTENT_LENGTH, length);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
            headers.insert(header::LOCATION, location);
        }
        if let Some(lang) = lang {
            headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag()));
        }
        if allow {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A page.
pub(super) fn page(lang: Lang, status: StatusCode, markup: Markup) -> Answer {
    let body = Bytes::from(markup.into_string());
    Answer { lang: Some(lang), ..Answer::new(status, "text/html; charset=utf-8", NOT_KEPT, body) }
}

/// To another path of this site.
pub(super) fn redirect(path: &str) -> Answer {
    let answer = Answer::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", NOT_KEPT, Bytes::new());
    Answer { location: Some(path.to_owned()), ..answer }
}

/// A file of the site.
pub(super) fn asset(asset: &'static Asset) -> Answer {
    Answer::new(StatusCode::OK, asset.content_type, KEPT, asset.content.clone())
}

/// The signed head, which is another in a second.
pub(super) fn checkpoint(text: Bytes) -> Answer {
    Answer::new(StatusCode::OK, "text/plain; charset=utf-8", NOT_KEPT, text)
}

/// A tile or bundle.
pub(super) fn tile(content: Bytes) -> Answer {
    Answer::new(StatusCode::OK, "application/octet-stream", KEPT, content)
}

const fn status_of(reason: Reason) -> StatusCode {
    match reason {
        Reason::NotEnrolled | Reason::ParticipantSuspended | Reason::CallNotAllowed | Reason::IdentityWithdrawn | Reason::AnotherSite => {
            StatusCode::FORBIDDEN
        }
        Reason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Reason::EntryUnknown | Reason::RecordErased => StatusCode::NOT_FOUND,
        Reason::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Reason::StorageFull | Reason::Unavailable | Reason::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Reason::Internal | Reason::DataDamaged => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// A plain page that says why not.
pub(super) fn refusal(lang: Lang, denial: Denial, caller: Option<&Caller>) -> Answer {
    let status = status_of(denial.reason);
    let markup = pages::bare(lang, &notice::Refused::new(denial.reason, caller));
    let retry_after_s = denial.retry_after_millis.map(|millis| millis.div_ceil(1000));
    Answer { retry_after_s, ..page(lang, status, markup) }
}

/// The same for a certificate that is nobody's here.
pub(super) fn stranger(lang: Lang, code: &'static str, what: String) -> Answer {
    page(lang, StatusCode::FORBIDDEN, pages::bare(lang, &notice::Refused::stranger(code, what)))
}

/// No such page.
pub(super) fn not_found(lang: Lang) -> Answer {
    page(lang, StatusCode::NOT_FOUND, pages::bare(lang, &notice::NotFound))
}

/// Reading is all there is.
pub(super) fn not_allowed(lang: Lang) -> Answer {
    Answer { allow: true, ..page(lang, StatusCode::METHOD_NOT_ALLOWED, pages::bare(lang, &notice::ReadOnly)) }
}
