//! Streams of answers, pulled one at a time: nothing is read ahead of the client.

use std::future::Future;
use std::pin::Pin;

use tokio::time::timeout_at;
use tokio_stream::Stream;
use tonic::Status;

use super::caller::Deadline;
use super::status;
use crate::policy::reason::Reason;

/// A stream of answers.
pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Where answers come from.
pub(super) trait Source: Send + 'static {
    /// An answer.
    type Answer: Send + 'static;

    /// The next answer; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Answer>, Status>> + Send;
}

/// The answers of `source` until its end, its first error or the call's deadline.
pub(super) fn answers<S: Source>(source: S, deadline: Deadline) -> Answers<S::Answer> {
    Box::pin(futures_util::stream::unfold(Some(source), move |source| async move {
        let mut source = source?;
        let next = match deadline.0 {
            Some(at) => timeout_at(at, source.next()).await.unwrap_or_else(|_| Err(status::of_reason(Reason::DeadlineExceeded))),
            None => source.next().await,
        };
        match next {
            Ok(Some(answer)) => Some((Ok(answer), Some(source))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}
