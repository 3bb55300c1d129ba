//! The trailer that tells a caller of its own certificate's end: `samband-certificate-expires`, a time in RFC 3339, UTC, on every reply to a
//! participant whose certificate, or that of a CA which it shows with it, has less than 60 days left: the earliest end of the chain. On refusals too: whoever is refused must still hear it.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Response};
use tonic::body::Body;

use crate::domain::time::{DAY_MILLIS, Timestamp};

/// The trailer's name.
pub const CERTIFICATE_EXPIRES: HeaderName = HeaderName::from_static("samband-certificate-expires");

/// A certificate that ends within this many days is told of.
pub const EXPIRES_WITHIN_DAYS: i64 = 60;

/// The trailer's value, when `not_after` is near.
fn value(not_after: Timestamp, now: Timestamp) -> Option<HeaderValue> {
    if not_after >= now.plus_millis(EXPIRES_WITHIN_DAYS * DAY_MILLIS) {
        return None;
    }
    HeaderValue::try_from(not_after.to_string()).ok()
}

/// `response`, with the trailer when the caller's certificate ends soon.
pub(super) fn tell(mut response: Response<Body>, not_after: Timestamp, now: Timestamp) -> Response<Body> {
    let Some(value) = value(not_after, now) else { return response };
    // A refusal is trailers alone, which HTTP/2 calls headers.
    if response.headers().contains_key("grpc-status") {
        response.headers_mut().insert(CERTIFICATE_EXPIRES, value);
        return response;
    }
    response.map(|inner| Body::new(Telling { inner, value }))
}

/// An answer's body whose trailers get one more.
struct Telling {
    inner: Body,
    value: HeaderValue,
}

impl http_body::Body for Telling {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, tonic::Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let add = |mut frame: http_body::Frame<bytes::Bytes>| {
            if let Some(trailers) = frame.trailers_mut() {
                trailers.insert(CERTIFICATE_EXPIRES, self.value.clone());
            }
            frame
        };
        polled.map(|ready| ready.map(|frame| frame.map(add)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_from_sixty_days_before_its_end() {
        let end = Timestamp::from_millis(1_800_000_000_000);
        let before = |millis: i64| value(end, end.plus_millis(-millis));
        assert_eq!(before(60 * DAY_MILLIS), None);
        assert_eq!(before(60 * DAY_MILLIS - 1).unwrap(), "2027-01-15T08:00:00.000Z");
        assert!(before(0).is_some());
    }
}
