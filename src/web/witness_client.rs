//! The HTTP client to witnesses: one POST a connection, everything bounded.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::audit::witness::ANSWER_BYTES_MAX;
use crate::gateway::{Heard, NotHeard, WitnessCall};
use crate::tls::Outgoing;

/// From the dial to the end of the answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// An answer's head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Header fields of an answer.
const HEADERS_MAX: usize = 64;

/// Reaches witnesses over `http://` and, with trusted CAs, over `https://`.
#[derive(Debug)]
pub struct WitnessClient {
    tls: Option<Outgoing>,
    timeout: Duration,
}

impl WitnessClient {
    /// A client; without `tls` an `https://` witness is not reached.
    #[must_use]
    pub fn new(tls: Option<Outgoing>) -> Arc<Self> {
        Arc::new(Self { tls, timeout: CALL_TIMEOUT })
    }

    async fn post(&self, prefix: &str, body: String) -> Result<Heard, NotHeard> {
        let url: Uri = format!("{}/add-checkpoint", prefix.trim_end_matches('/')).parse().map_err(|_| NotHeard::Url)?;
        let host = url.host().filter(|host| !host.is_empty()).ok_or(NotHeard::Url)?;
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let (tls, port) = match url.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(self.tls.as_ref().ok_or(NotHeard::Tls)?), 443),
            _ => return Err(NotHeard::Url),
        };
        let socket = TcpStream::connect((name, url.port_u16().unwrap_or(port))).await.map_err(|_| NotHeard::Unreachable)?;
        _ = socket.set_nodelay(true);
        match tls {
            None => converse(socket, &url, body).await,
            Some(tls) => converse(tls.connect(name, socket).await.map_err(|_| NotHeard::Tls)?, &url, body).await,
        }
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(socket: S, url: &Uri, body: String) -> Result<Heard, NotHeard> {
    let authority = url.authority().ok_or(NotHeard::Url)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(url.path())
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("samband/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| NotHeard::Url)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .handshake(TokioIo::new(socket))
        .await
        .map_err(|_| NotHeard::Unreachable)?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(|_| NotHeard::Unreachable)?;
        let status = answer.status().as_u16();
        let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body =
            body.map_err(|error| if error.is::<http_body_util::LengthLimitError>() { NotHeard::TooLong } else { NotHeard::Unreachable })?;
        Ok(Heard { status, content_type, body: body.to_bytes().to_vec() })
    };
    // The connection is driven beside the answer and dropped with it.
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = connection => match ended {
            // What was read before the end may still be the whole answer.
            Ok(()) => answer.await,
            Err(_) => Err(NotHeard::Unreachable),
        },
    }
}

#[async_trait]
impl WitnessCall for WitnessClient {
    async fn add_checkpoint(&self, prefix: &str, body: String) -> Result<Heard, NotHeard> {
        tokio::time::timeout(self.timeout, self.post(prefix, body)).await.unwrap_or(Err(NotHeard::TooSlow))
    }
}

#[cfg(test)]
#[path = "witness_client_tests.rs"]
mod tests;
