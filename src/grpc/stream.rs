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

/// Answers after which others have their turn. A client that opens its window wide makes a stream ready for as long as there is anything to send,
/// and what is always ready is polled on and on: sixteen feeds of one participant kept both workers from everybody else's calls.
const AT_A_TIME: u32 = 16;

/// The answers of `source` until its end, its first error or the call's deadline.
pub(super) fn answers<S: Source>(source: S, deadline: Deadline) -> Answers<S::Answer> {
    Box::pin(futures_util::stream::unfold(Some((source, 0)), move |source| async move {
        let (mut source, given) = source?;
        if given == AT_A_TIME {
            tokio::task::yield_now().await;
        }
        let given = given % AT_A_TIME + 1;
        let next = match deadline.0 {
            Some(at) => timeout_at(at, source.next()).await.unwrap_or_else(|_| Err(status::of_reason(Reason::DeadlineExceeded))),
            None => source.next().await,
        };
        match next {
            Ok(Some(answer)) => Some((Ok(answer), Some((source, given)))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    /// So many answers, each at hand.
    struct Ready(u32);

    impl Source for Ready {
        type Answer = u32;

        async fn next(&mut self) -> Result<Option<u32>, Status> {
            self.0 = self.0.saturating_sub(1);
            Ok((self.0 > 0).then_some(self.0))
        }
    }

    #[tokio::test]
    async fn a_stream_that_is_always_ready_lets_others_have_their_turn() {
        let mut stream = answers(Ready(1000), Deadline(None));
        let (mut given, mut turns) = (0, 0);
        let all = futures_util::future::poll_fn(|context| {
            loop {
                match stream.poll_next_unpin(context) {
                    std::task::Poll::Ready(Some(answer)) => given += answer.is_ok_and(|answer| answer > 0) as u32,
                    std::task::Poll::Ready(None) => return std::task::Poll::Ready(()),
                    std::task::Poll::Pending => {
                        turns += 1;
                        return std::task::Poll::Pending;
                    }
                }
            }
        });
        all.await;
        assert_eq!((given, turns), (999, 999 / AT_A_TIME));
    }
}
