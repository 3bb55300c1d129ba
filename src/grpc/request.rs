//! A call's request as it comes: its head before anything of the body is read, then exactly one message in as many pieces as the client likes.
//!
//! tonic would read a second message and drop it, and would wait for ever for the rest of a first one.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, header};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

use super::room::Place;
use super::status;
use crate::domain::limits::REQUEST_BYTES_MAX;
use crate::policy::reason::Reason;

/// Flag and length in front of a message.
const PREFIX_BYTES: usize = 5;
/// Empty pieces of one request. They carry nothing, so only a flood sends many.
const EMPTY_PIECES_MAX: u32 = 64;

/// Whether a request is a gRPC call that is read here.
///
/// # Errors
/// Not a POST of application/grpc, or compressed.
pub(super) fn check_head(head: &Parts) -> Result<(), Reason> {
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if head.method != Method::POST || !matches!(essence, "application/grpc" | "application/grpc+proto") {
        return Err(Reason::NotGrpc);
    }
    match head.headers.get("grpc-encoding") {
        Some(encoding) if encoding != "identity" => Err(Reason::CompressionNotOffered),
        _ => Ok(()),
    }
}

/// Where in the one message the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    prefix: [u8; PREFIX_BYTES],
    seen: usize,
    left: usize,
    empty: u32,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Before the first byte.
    #[must_use]
    pub const fn new() -> Self {
        Self { prefix: [0; PREFIX_BYTES], seen: 0, left: 0, empty: 0 }
    }

    /// The next piece of the body.
    ///
    /// # Errors
    /// Compressed, too long, a second message, or a flood of empty pieces.
    pub fn take(&mut self, mut piece: &[u8]) -> Result<(), Reason> {
        if piece.is_empty() {
            self.empty += 1;
            return if self.empty > EMPTY_PIECES_MAX { Err(Reason::Malformed) } else { Ok(()) };
        }
        while let (true, Some((&byte, rest))) = (self.seen < PREFIX_BYTES, piece.split_first()) {
            self.prefix[self.seen] = byte;
            self.seen += 1;
            piece = rest;
            match (self.seen, byte) {
                (1, 0) => {}
                (1, 1) => return Err(Reason::CompressionNotOffered),
                (1, _) => return Err(Reason::Malformed),
                (PREFIX_BYTES, _) => {
                    let [_, length @ ..] = self.prefix;
                    self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                    if self.left > REQUEST_BYTES_MAX {
                        return Err(Reason::TooLarge);
                    }
                }
                _ => {}
            }
        }
        match self.left.checked_sub(piece.len()) {
            Some(left) => self.left = left,
            None => return Err(Reason::OneMessageOnly),
        }
        Ok(())
    }

    /// The body is over.
    ///
    /// # Errors
    /// Cut short, or empty.
    pub const fn end(&self) -> Result<(), Reason> {
        if self.seen == PREFIX_BYTES && self.left == 0 { Ok(()) } else { Err(Reason::Malformed) }
    }
}

/// A body that holds one message and counts its bytes against its call's place.
pub(super) struct OneMessage {
    inner: Body,
    progress: Progress,
    place: Arc<Place>,
    /// Of calls whose answer may take as long as it likes: by when the request must be there.
    patience: Option<Patience>,
    over: bool,
}

enum Patience {
    /// How long, once it is waited for.
    For(Duration),
    Until(Pin<Box<Sleep>>),
}

impl OneMessage {
    pub(super) fn new(inner: Body, place: Arc<Place>, patience: Option<Duration>) -> Self {
        Self { inner, progress: Progress::new(), place, patience: patience.map(Patience::For), over: false }
    }

    fn took(&mut self, data: &Bytes) -> Result<(), Reason> {
        self.progress.take(data)?;
        self.place.hold(data.len())
    }

    fn ran_out(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(Patience::For(patience)) = self.patience {
            self.patience = Some(Patience::Until(Box::pin(sleep(patience))));
        }
        match &mut self.patience {
            Some(Patience::Until(sleep)) => sleep.as_mut().poll(cx).is_ready(),
            _ => false,
        }
    }
}

impl http_body::Body for OneMessage {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let judged = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Pending if self.ran_out(cx) => Err(Reason::DeadlineExceeded),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                Some(data) => {
                    let data = data.clone();
                    self.took(&data).map(|()| frame)
                }
                // Trailers of a request say nothing here.
                None => self.progress.end().map(|()| frame),
            },
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => match self.progress.end() {
                Ok(()) => return Poll::Ready(None),
                Err(reason) => Err(reason),
            },
        };
        Poll::Ready(Some(judged.map_err(|reason| {
            self.over = true;
            status::of_reason(reason)
        })))
    }

    fn is_end_stream(&self) -> bool {
        // Not the inner body's word: a body that ends too early must be heard to end.
        self.over
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(content: &[u8]) -> Vec<u8> {
        [&[0], u32::try_from(content.len()).unwrap().to_be_bytes().as_slice(), content].concat()
    }

    fn judged(pieces: &[&[u8]]) -> Result<(), Reason> {
        let mut progress = Progress::new();
        pieces.iter().try_for_each(|piece| progress.take(piece))?;
        progress.end()
    }

    #[test]
    fn one_message_is_taken_however_it_is_cut() {
        let whole = message(b"content");
        assert_eq!(judged(&[&whole]), Ok(()));
        assert_eq!(judged(&whole.chunks(1).collect::<Vec<_>>()), Ok(()));
        assert_eq!(judged(&[&message(b"")]), Ok(()));
    }

    #[test]
    fn a_second_message_is_refused_at_its_first_byte() {
        let whole = message(b"content");
        assert_eq!(judged(&[&whole, &[0]]), Err(Reason::OneMessageOnly));
        assert_eq!(judged(&[&[whole.clone(), whole].concat()]), Err(Reason::OneMessageOnly));
    }

    #[test]
    fn a_cut_message_or_none_is_malformed() {
        let whole = message(b"content");
        for end in 0..whole.len() {
            assert_eq!(judged(&[&whole[..end]]), Err(Reason::Malformed), "{end}");
        }
    }

    #[test]
    fn a_compressed_or_odd_flag_and_a_giant_length_are_refused_before_the_rest_comes() {
        assert_eq!(judged(&[&[1]]), Err(Reason::CompressionNotOffered));
        assert_eq!(judged(&[&[2]]), Err(Reason::Malformed));
        assert_eq!(judged(&[&[0, 0, 1, 0, 1]]), Err(Reason::TooLarge));
        assert_eq!(judged(&[&[0, 0xff, 0xff, 0xff, 0xff]]), Err(Reason::TooLarge));
    }

    #[test]
    fn a_flood_of_empty_pieces_ends() {
        let whole = message(b"content");
        let few = vec![b"".as_slice(); EMPTY_PIECES_MAX as usize];
        assert_eq!(judged(&[few.clone(), vec![&whole]].concat()), Ok(()));
        assert_eq!(judged(&[few, vec![b"", &whole]].concat()), Err(Reason::Malformed));
    }

    #[test]
    fn only_a_post_of_grpc_without_compression_is_a_call() {
        let head = |method: &str, content_type: &str, encoding: &str| {
            let request = http::Request::builder().method(method).header("content-type", content_type).header("grpc-encoding", encoding);
            check_head(&request.body(()).unwrap().into_parts().0)
        };
        for fine in ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"] {
            assert_eq!(head("POST", fine, "identity"), Ok(()), "{fine}");
        }
        for other in ["", "application/json", "application/grpc+json", "application/grpc-web", "application/grpcx"] {
            assert_eq!(head("POST", other, "identity"), Err(Reason::NotGrpc), "{other}");
        }
        assert_eq!(head("GET", "application/grpc", "identity"), Err(Reason::NotGrpc));
        assert_eq!(head("POST", "application/grpc", "gzip"), Err(Reason::CompressionNotOffered));
    }
}
