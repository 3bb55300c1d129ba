//! The auditors' listener: pages for people, checkpoint and tiles for programs. Mutual TLS as on the participants' listener, and read-only: there is
//! no request that changes anything but the log of who asked.
//!
//! Who asks is resolved for every request, and the table is asked before anything is read. Everyone else gets a plain page with the reason.

mod answer;
mod assets;
mod lang;
mod pages;
mod route;
mod site;
mod surveys;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::gateway::{Gateway, Refusal, denial_of};
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::Stats;
use crate::tls::{self, Connection, Incoming, PeerInfo, Stranger, TlsSettings};

pub(crate) use pages::names;

use answer::Answer;
use lang::Lang;
use pages::period::Days;
use route::Route;

/// Requests at work at once; further ones are told to come back.
const REQUESTS_MAX: usize = 64;
/// Streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 32;
/// A request's head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// A request's head for HTTP/2, in bytes.
const HEAD_BYTES_MAX_H2: u32 = 16 * 1024;
/// Header fields of an HTTP/1.1 request.
const HEADERS_MAX: usize = 64;
/// From a connection's begin, or an answer's end, to the end of the next request's head; for HTTP/2, between probes.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A silent HTTP/2 peer is given up after a probe and this.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// A question over a large log may take this long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection lives no longer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3600);
/// Requests at work may end within this long after a stop.
const GRACE: Duration = Duration::from_secs(3);

type Body = Full<bytes::Bytes>;

/// What the pages are made from.
pub struct Site {
    gateway: Arc<Gateway>,
    tls: Arc<TlsSettings>,
    surveys: surveys::Surveys,
    requests: Semaphore,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").finish_non_exhaustive()
    }
}

impl Site {
    /// Pages over `gateway`, whose callers are checked against `tls`.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, tls: Arc<TlsSettings>) -> Arc<Self> {
        Arc::new(Self { gateway, tls, surveys: surveys::Surveys::default(), requests: Semaphore::new(REQUESTS_MAX) })
    }
}

/// Answers on `incoming` until `stop`; requests at work then have a moment to end.
pub async fn serve(mut incoming: Incoming, site: Arc<Site>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = incoming.next() => accepted,
        };
        // How many there may be is the acceptor's to bound.
        match accepted {
            Some(Ok(connection)) => _ = connections.spawn(converse(connection, site.clone(), stop.clone())),
            Some(Err(error)) => tracing::debug!(%error, "an auditor's connection failed"),
            None => break,
        }
    }
    drop(incoming);
    while connections.join_next().await.is_some() {}
}

async fn converse(connection: Connection, site: Arc<Site>, stop: CancellationToken) {
    let peer = connection.peer().clone();
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (site, peer) = (site.clone(), peer.clone());
        async move { Ok::<_, Infallible>(site.answer(&peer, &request.into_parts().0).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX_H2)
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(PROBE_TIMEOUT);
    let served = builder.serve_connection(TokioIo::new(connection), service);
    let mut served = std::pin::pin!(served);
    tokio::select! {
        ended = served.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "an auditor's connection failed");
            }
            return;
        }
        () = stop.cancelled() => {}
        () = tokio::time::sleep(CONNECTION_TIMEOUT) => {}
    }
    served.as_mut().graceful_shutdown();
    _ = tokio::time::timeout(GRACE, served).await;
}

impl Site {
    /// One request and its answer. Its body, if it has one, is never read.
    async fn answer(&self, peer: &PeerInfo, request: &http::request::Parts) -> Response<Body> {
        let lang = lang::asked(request);
        let Ok(_room) = self.requests.try_acquire() else {
            return answer::refusal(lang, Reason::Overloaded.into(), None).into_response(&request.method);
        };
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.route(peer, request, lang)).await;
        let answer = answered.unwrap_or_else(|_| answer::refusal(lang, Reason::DeadlineExceeded.into(), None));
        answer.into_response(&request.method)
    }

    async fn route(&self, peer: &PeerInfo, request: &http::request::Parts, lang: Lang) -> Answer {
        let route = Route::parse(request.uri.path(), request.uri.query().unwrap_or_default());
        if let Some(Route::Asset(asset)) = &route {
            // Style and script-less pictures only: also for the page that refuses.
            return answer::asset(asset);
        }
        let caller = match self.caller(peer) {
            Ok(caller) => caller,
            Err((code, reason)) => return answer::stranger(lang, code, reason),
        };
        let _working = peer.begin(false);
        if site::is_of_another(&request.headers) {
            // Who has no right to the pages is told that, by an entry of its own, whatever it came with.
            let is_published = matches!(route, Some(Route::Checkpoint | Route::Tile(_)));
            if !is_published && let Err(Refusal(denial)) = self.admit(&caller).await {
                return answer::refusal(lang, denial, Some(&caller));
            }
            // Before the count of calls: no other site uses up what the reader may ask, nor is anything written in its name but this sum.
            self.gateway.count_refusal(&caller, Reason::AnotherSite);
            return answer::refusal(lang, Reason::AnotherSite.into(), Some(&caller));
        }
        if let Err(denial) = self.gateway.count_call(&caller) {
            self.gateway.count_refusal(&caller, denial.reason);
            return answer::refusal(lang, denial, Some(&caller));
        }
        if request.method != Method::GET && request.method != Method::HEAD {
            // As above.
            if let Err(Refusal(denial)) = self.admit(&caller).await {
                return answer::refusal(lang, denial, Some(&caller));
            }
            self.gateway.count_refusal(&caller, Reason::Unimplemented);
            return answer::not_allowed(lang);
        }
        let answered = match route {
            Some(Route::Checkpoint) => self.gateway.published_checkpoint(&caller).await.map(answer::checkpoint),
            Some(Route::Tile(tile)) => self.gateway.tile(&caller, tile).await.map(answer::tile),
            None => match route::wrong_days(request.uri.path(), request.uri.query().unwrap_or_default()) {
                Some((lang, wrong)) => self.admit(&caller).await.map(|()| pages::wrong_days(&caller, lang, &wrong)),
                None => self.unknown(&caller, lang).await,
            },
            Some(Route::Asset(_)) => self.unknown(&caller, lang).await,
            Some(Route::Home) => self.home(&caller, lang).await,
            Some(Route::Page(lang, page)) => pages::answer(self, &caller, lang, *page).await,
        };
        answered.unwrap_or_else(|Refusal(denial)| answer::refusal(lang, denial, Some(&caller)))
    }

    /// Who is at the other end; else the reason's code, counted, and what it says.
    fn caller(&self, peer: &PeerInfo) -> Result<Caller, (&'static str, String)> {
        tls::caller(peer, &self.gateway.store().register(), &self.tls, self.gateway.now()).map_err(|stranger| {
            let code = match stranger {
                Stranger::Identity(error) => error.as_reason(),
                Stranger::Withdrawn => Reason::IdentityWithdrawn.code(),
            };
            self.gateway.stranger(code);
            (code, stranger.to_string())
        })
    }

    /// Pages are an auditor's; everyone else is refused, and the log says so.
    async fn admit(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.gateway.admit(caller, Verb::ListRecords) {
            Ok(()) => Ok(()),
            Err(denial) => Err(self.gateway.refuse(caller, Verb::ListRecords, denial, None).await),
        }
    }

    /// The store's counts.
    async fn stats(&self, caller: &Caller) -> Result<Stats, Refusal> {
        match self.gateway.stats(caller).await {
            Ok(stats) => Ok(stats),
            Err(error) => Err(self.gateway.refuse(caller, Verb::GetCheckpoint, denial_of(&error), None).await),
        }
    }

    /// A path that is none: only an auditor is told so.
    async fn unknown(&self, caller: &Caller, lang: Lang) -> Result<Answer, Refusal> {
        self.admit(caller).await?;
        Ok(answer::not_found(lang))
    }

    async fn home(&self, caller: &Caller, lang: Lang) -> Result<Answer, Refusal> {
        self.admit(caller).await?;
        Ok(answer::redirect(&route::PageRoute::Front(Days::default()).path(lang)))
    }
}

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use super::route::Route;

    /// Languages that a browser asks for; and path and query of a request, as UTF-8: a page has one path, which leads to it again.
    pub fn path(data: &[u8]) {
        let Ok(text) = std::str::from_utf8(data) else { return };
        if let Ok(request) = http::Request::builder().header(http::header::ACCEPT_LANGUAGE, text).body(()) {
            let _ = super::lang::asked(&request.into_parts().0);
        }
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let Some(Route::Page(lang, page)) = Route::parse(path, query) else { return };
        let whole = page.path(lang);
        assert!(whole.is_ascii(), "a path is ASCII");
        let (path, query) = whole.split_once('?').unwrap_or((&whole, ""));
        match Route::parse(path, query) {
            // What a form has beyond its fields is shown once and not carried on.
            Some(Route::Page(same_lang, same)) => assert!(same_lang == lang && same.path(lang) == whole, "a page's own path leads to it"),
            _ => panic!("a page's own path leads to it"),
        }
    }
}
