//! The administrative listener: `/healthz`, `/readyz` and `/metrics` in plain HTTP/1.1, for programs on the same machine.
//!
//! One request per connection. Nobody is asked who they are, so there is nothing here but counts, and nothing that changes anything.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::metrics::{self, Figures};
use crate::clock::Clock;
use crate::domain::id::ParticipantId;
use crate::domain::participant::{OrganisationNumber, Participant, Role};
use crate::domain::register_past::{Bearer, RegisterPast};
use crate::domain::time::Timestamp;
use crate::gateway::{NotInForce, RegisterFile};
use crate::store::{Stats, Store};
use crate::tls::{ListState, ListStatus, OpenConnections, TlsSettings};

/// Connections at a time whose request is being answered; more wait, with their request, in the system's queue.
const ANSWERING_MAX: usize = 32;
/// Connections at a time that have not made their request yet. The next one takes the place of the oldest of the address that has most.
const SILENT_MAX: usize = 64;
/// A request's head, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Header fields of a request.
const HEADERS_MAX: usize = 32;
/// Rest after a failed accept.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long a client and the store may take.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// From the connection to the end of the request's head.
    head: Duration,
    /// From the connection to its end.
    connection: Duration,
    /// For the store's answer; a store that is slower counts as not ready.
    store: Duration,
}

const TIMES: Times = Times { head: Duration::from_secs(2), connection: Duration::from_secs(10), store: Duration::from_secs(2) };

const PLAIN: &str = "text/plain; charset=utf-8";

/// What is watched.
#[derive(Clone)]
pub struct Watched {
    /// Asked for its counts.
    pub store: Arc<dyn Store>,
    /// Has the gateway's own certificate.
    pub tls: Arc<TlsSettings>,
    /// The participants' connections.
    pub open: Arc<OpenConnections>,
    /// Whether the register on disk is the one in force.
    pub register_file: Arc<RegisterFile>,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

/// Answers on `listener` until `stop`; open connections end with it. Bind a loopback address only: nothing is encrypted.
pub async fn serve(listener: TcpListener, watched: Watched, stop: CancellationToken) {
    serve_within(listener, watched, TIMES, stop).await;
}

async fn serve_within(listener: TcpListener, watched: Watched, times: Times, stop: CancellationToken) {
    // Dropped at the end, which ends every connection.
    let mut connections = JoinSet::new();
    let silent = Arc::new(Silent::default());
    let answering = Arc::new(Semaphore::new(ANSWERING_MAX));
    loop {
        // Accepting never waits for anyone who is connected: sockets that say nothing must not keep a probe out.
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept(), if connections.len() < ANSWERING_MAX + 2 * SILENT_MAX => accepted,
        };
        match accepted {
            Ok((socket, remote)) => {
                let waiting = silent.enter(remote.ip());
                connections.spawn(converse(socket, waiting, answering.clone(), watched.clone(), times));
            }
            Err(error) => {
                tracing::warn!(%error, "accepting an administrative connection failed; trying again");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// The connections that have not made their request yet, oldest first.
#[derive(Debug, Default)]
struct Silent(Mutex<BTreeMap<u64, (IpAddr, CancellationToken)>>, AtomicU64);

/// A connection's place among the silent ones, given up with its request or its end.
#[derive(Debug)]
struct Waiting {
    silent: Arc<Silent>,
    number: u64,
    make_way: CancellationToken,
}

impl Silent {
    /// A place for a connection from `address`. At the bound the oldest connection of the address that has most makes way, so that one address
    /// cannot push out another's probes.
    fn enter(self: &Arc<Self>, address: IpAddr) -> Waiting {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let make_way = CancellationToken::new();
        let mut all = self.0.lock();
        if all.len() >= SILENT_MAX {
            let mut counts = BTreeMap::<IpAddr, (usize, Reverse<u64>)>::new();
            for (number, (address, _)) in &*all {
                counts.entry(*address).or_insert((0, Reverse(*number))).0 += 1;
            }
            let oldest = counts.values().max().map(|(_, Reverse(oldest))| *oldest);
            if let Some((_, gone)) = oldest.and_then(|oldest| all.remove(&oldest)) {
                gone.cancel();
            }
        }
        all.insert(number, (address, make_way.clone()));
        Waiting { silent: self.clone(), number, make_way }
    }
}

impl Waiting {
    /// The request is there.
    fn has_spoken(&self) {
        self.silent.0.lock().remove(&self.number);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.has_spoken();
    }
}

/// One request and its answer.
async fn converse(socket: TcpStream, waiting: Waiting, answering: Arc<Semaphore>, watched: Watched, times: Times) {
    let (watched, waiting, answering) = (&watched, &waiting, &answering);
    let service = service_fn(move |request: Request<hyper::body::Incoming>| async move {
        waiting.has_spoken();
        // Never closed, so there is a place in time; without one the connection's own time is up first.
        let _place = answering.acquire().await;
        Ok::<_, Infallible>(watched.answer(request.method(), request.uri().path(), times.store).await)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(times.head)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        () = waiting.make_way.cancelled() => tracing::debug!("an administrative connection without a request made way for another"),
        ended = tokio::time::timeout(times.connection, connection) => match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an administrative connection failed"),
            Err(_) => tracing::debug!("an administrative connection took too long"),
        },
    }
}

/// The register in force, as its file is written, and what else the next one is held against.
#[derive(serde::Serialize)]
struct InForce<'a> {
    generation: u64,
    /// Why the register on disk is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_refused: Option<String>,
    participant: Vec<&'a Participant>,
    former: Vec<Former<'a>>,
}

/// An id of an earlier register; whose it was is not known of very old ones.
#[derive(serde::Serialize)]
struct Former<'a> {
    id: &'a ParticipantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation_number: Option<OrganisationNumber>,
}

impl Watched {
    async fn answer(&self, method: &Method, path: &str, patience: Duration) -> Response<Full<Bytes>> {
        let known = matches!(path, "/healthz" | "/readyz" | "/metrics" | "/register");
        match path {
            _ if !known => plain(StatusCode::NOT_FOUND, "not found; there are /healthz, /readyz, /metrics and /register\n"),
            _ if method != Method::GET => not_allowed(),
            "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(self.stats(patience).await),
            "/register" => self.register(self.past(patience).await),
            _ => self.metrics(self.stats(patience).await),
        }
    }

    /// The register in force, for whoever compares a file with it: generation and participants.
    fn register(&self, past: Option<RegisterPast>) -> Response<Full<Bytes>> {
        let Some(past) = past else { return not_ready() };
        let register = past.in_force();
        let former = |(id, bearer): (_, &Option<Bearer>)| Former {
            id,
            role: bearer.map(|bearer| bearer.role),
            organisation_number: bearer.map(|bearer| bearer.organisation_number),
        };
        let in_force = InForce {
            generation: register.generation(),
            file_refused: self.register_file.not_in_force().map(|refused| refused.reason),
            participant: register.iter().map(AsRef::as_ref).collect(),
            former: past.former().iter().map(former).collect(),
        };
        match toml::to_string(&in_force) {
            Ok(text) => response(StatusCode::OK, "application/toml", text),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the register cannot be written as TOML\n"),
        }
    }

    /// The register in force and who stood in earlier ones; nothing when the store fails or takes longer than `patience`.
    async fn past(&self, patience: Duration) -> Option<RegisterPast> {
        // Held against itself it leaves nobody out, so nobody's mail is looked for.
        let register = self.store.register();
        tokio::time::timeout(patience, self.store.register_past(&register)).await.ok()?.ok()
    }

    /// The store's counts; nothing when it fails or takes longer than `patience`.
    async fn stats(&self, patience: Duration) -> Option<Stats> {
        tokio::time::timeout(patience, self.store.stats()).await.ok()?.ok()
    }

    fn readiness(&self, stats: Option<Stats>) -> Response<Full<Bytes>> {
        let Some(stats) = stats else { return not_ready() };
        let now = self.clock.now();
        let warnings = self.tls.warnings(now).into_iter().map(|warning| format!("warning: {warning}\n"));
        let register = self.register_file.not_in_force().map(|refused| register_detail(&refused));
        let standing = standing_detail(self.store.now(), now);
        let lists = self.tls.lists(now);
        let details = register
            .into_iter()
            .chain(metrics::unreadable_detail(stats.unreadable))
            .chain(metrics::turns_fail_detail(stats.turns_fail_seconds))
            .chain(metrics::damaged_detail(stats.damaged_tiles))
            .chain(standing)
            .chain(lists.iter().filter_map(list_detail))
            .chain(warnings)
            .collect::<String>();
        if self.tls.has_authority(now) {
            response(StatusCode::OK, PLAIN, format!("ready\n{details}"))
        } else {
            let nobody = "no CA of client_ca_files is valid now, so nobody can connect; put its renewed certificate there\n";
            response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{nobody}{details}"))
        }
    }

    fn metrics(&self, stats: Option<Stats>) -> Response<Full<Bytes>> {
        let Some(stats) = stats else { return not_ready() };
        let now = self.clock.now();
        let left = self.tls.certificate_not_after().millis().saturating_sub(now.millis());
        let figures = Figures {
            stats,
            connections_open: self.open.count(),
            register_generation: self.store.register().generation(),
            register_file_in_force: self.register_file.not_in_force().is_none(),
            tls_files_in_force: self.tls.all_in_force(),
            certificate_expiry_seconds: left.div_euclid(1000),
            certificates: self.tls.certificates(),
            lists: self.tls.lists(now),
            now,
        };
        response(StatusCode::OK, metrics::CONTENT_TYPE, metrics::text(&figures))
    }
}

fn not_ready() -> Response<Full<Bytes>> {
    plain(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer; the gateway's log says why\n")
}

/// What a reader of `/readyz` is told of a register file that is refused. The gateway is ready: it serves those of the register in force.
fn register_detail(refused: &NotInForce) -> String {
    let NotInForce { since, reason, .. } = refused;
    format!("warning: the participant register on disk is not in force since {since}: {reason}\n")
}

/// The log's time may lie so far ahead of the clock before a reader of `/readyz` is told, in milliseconds.
const STANDS_MILLIS: i64 = 60_000;

/// What a reader of `/readyz` is told of a log whose time stands. The gateway is ready: it judges callers and messages by the clock.
fn standing_detail(log: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = log.millis().saturating_sub(now.millis());
    let seconds = ahead / 1000;
    (ahead > STANDS_MILLIS).then(|| {
        format!(
            "warning: the log's last event lies {seconds} s ahead of the clock: the log's time stands at {log}, and entries bear it, until the clock has caught up; \
             see that the clock is right\n"
        )
    })
}

/// What a reader of `/readyz` is told of a revocation list that is past its time. The gateway is ready: it serves everyone else.
fn list_detail(list: &ListStatus) -> Option<String> {
    let ListStatus { issuer, next_update, closes_at, state } = list;
    match state {
        ListState::Current => None,
        ListState::Overdue => Some(format!(
            "warning: the revocation list of '{issuer}' is overdue since {next_update}; from {closes_at} on its participants are refused\n"
        )),
        ListState::Closed => Some(format!(
            "warning: the revocation list of '{issuer}' is overdue since {next_update}; its participants are refused since {closes_at}\n"
        )),
    }
}

fn not_allowed() -> Response<Full<Bytes>> {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
    answer
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, PLAIN, text)
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::clock::SeededEntropy;
    use crate::domain::time::Timestamp;
    use crate::store::contract::case_bed::{Bed, memory_bed, noon, wish};
    use crate::tls::pki::{self, Existing};

    /// Short enough to wait for, long enough for a busy machine to answer in.
    const SHORT: Times = Times { head: Duration::from_millis(300), connection: Duration::from_secs(20), store: Duration::from_secs(20) };

    struct Admin {
        bed: Bed,
        address: SocketAddr,
        register_file: Arc<RegisterFile>,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    impl Admin {
        async fn start(times: Times) -> Self {
            let bed = memory_bed();
            let dir = tempfile::tempdir().unwrap();
            let pki = pki::dev(dir.path(), noon(), &SeededEntropy::new(1), Existing::Keep, &[]).unwrap();
            let clock: Arc<dyn Clock> = bed.world.clock.clone();
            let tls = Arc::new(TlsSettings::load(pki.gateway_files(), clock.clone()).unwrap());
            let register_file = Arc::<RegisterFile>::default();
            let watched =
                Watched { store: bed.world.store.clone(), tls, open: Arc::default(), register_file: register_file.clone(), clock };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let stop = CancellationToken::new();
            let task = tokio::spawn(serve_within(listener, watched, times, stop.clone()));
            Self { bed, address, register_file, stop, task }
        }

        /// Everything that comes back for `request` until the connection is closed.
        async fn say(&self, request: &str) -> String {
            let mut socket = TcpStream::connect(self.address).await.unwrap();
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            tokio::time::timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await.expect("it is closed").unwrap();
            answer
        }

        async fn request(&self, method: &str, path: &str) -> String {
            self.say(&format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await
        }
    }

    fn value<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
        answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }

    #[tokio::test]
    async fn metrics_show_an_undelivered_notice_and_its_age_and_nobody_s_name() {
        let admin = Admin::start(TIMES).await;
        admin.bed.ready().await;
        admin.bed.send_notice(&wish(), None).await.unwrap();
        admin.bed.advance_days(2);
        let answer = admin.request("GET", "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
        let size = admin.bed.store().stats().await.unwrap().durable_size.to_string();
        for (name, wanted) in [
            ("samband_log_entries_durable", size.as_str()),
            ("samband_log_entries_published", &size),
            ("samband_items_undelivered", "1"),
            ("samband_items_overdue", "0"),
            ("samband_cases_open", "1"),
            ("samband_message_ids", "1"),
            ("samband_connections_open", "0"),
            ("samband_notices_undelivered{older_than_days=\"0\"}", "1"),
            ("samband_notices_undelivered{older_than_days=\"2\"}", "1"),
            ("samband_notices_undelivered{older_than_days=\"5\"}", "0"),
        ] {
            assert_eq!(value(&answer, name), Some(wanted), "{name}: {answer}");
        }
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        for participant in admin.bed.store().register().iter() {
            assert!(!body.contains(participant.id.as_str()), "{}", participant.id);
        }
    }

    #[tokio::test]
    async fn the_certificate_s_time_runs_down_and_below_zero() {
        let admin = Admin::start(TIMES).await;
        let seconds = async || -> i64 {
            value(&admin.request("GET", "/metrics").await, "samband_certificate_expiry_seconds").unwrap().parse().unwrap()
        };
        let before = seconds().await;
        assert!(before > 0);
        admin.bed.advance_days(1);
        assert_eq!(seconds().await, before - 86_400);
        admin.bed.advance_days(100_000);
        assert!(seconds().await < 0);
    }

    #[tokio::test]
    async fn the_process_is_healthy_and_the_store_ready() {
        let admin = Admin::start(TIMES).await;
        for path in ["/healthz", "/readyz", "/readyz?verbose"] {
            assert!(admin.request("GET", path).await.starts_with("HTTP/1.1 200 OK\r\n"), "{path}");
        }
        assert!(admin.request("GET", "/healthz").await.ends_with("\r\n\r\nok\n"));
    }

    #[test]
    fn a_store_that_does_not_answer_is_not_ready() {
        assert_eq!(not_ready().status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn an_overdue_list_is_told_with_its_issuer_and_its_time() {
        let at = Timestamp::from_millis(1_780_000_000_000);
        let detail = |state| list_detail(&ListStatus { issuer: "Example CA".to_owned(), next_update: at, closes_at: at, state });
        assert_eq!(detail(ListState::Current), None);
        assert!(detail(ListState::Overdue).unwrap().contains("of 'Example CA' is overdue since 2026-"));
        assert!(detail(ListState::Closed).unwrap().contains("its participants are refused since 2026-"));
    }

    #[tokio::test]
    async fn other_paths_are_not_found_and_other_methods_not_allowed() {
        let admin = Admin::start(TIMES).await;
        for path in ["/", "/metrics/", "/healthz/x", "/debug", "/METRICS"] {
            assert!(admin.request("GET", path).await.starts_with("HTTP/1.1 404 "), "{path}");
        }
        for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get"] {
            let answer = admin.request(method, "/metrics").await;
            assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET\r\n"), "{method}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_connection_is_for_one_request() {
        let admin = Admin::start(TIMES).await;
        let request = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let answer = admin.say(&request.repeat(2)).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }

    #[tokio::test]
    async fn a_head_that_is_too_long_is_refused() {
        let admin = Admin::start(TIMES).await;
        let many = "a: b\r\n".repeat(HEADERS_MAX + 1);
        let answer = admin.say(&format!("GET /healthz HTTP/1.1\r\n{many}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }

    #[tokio::test]
    async fn a_client_that_sends_nothing_or_half_a_request_is_cut_off() {
        let admin = Admin::start(SHORT).await;
        for request in ["", "GET /healthz HTTP/1.1\r\nhost: loc"] {
            let answer = admin.say(request).await;
            assert!(!answer.contains(" 200 "), "{answer}");
        }
    }

    /// Longer than any test waits: nobody is helped by a timeout.
    const LONG: Times = Times { head: Duration::from_secs(600), connection: Duration::from_secs(600), store: Duration::from_secs(20) };

    #[tokio::test]
    async fn silent_sockets_in_any_number_do_not_keep_a_probe_waiting() {
        let admin = Admin::start(LONG).await;
        let mut idle = Vec::new();
        for count in 0..5 * SILENT_MAX {
            let mut socket = TcpStream::connect(admin.address).await.unwrap();
            // Some begin a request and never end it.
            if count % 2 == 0 {
                socket.write_all(b"GET /healthz HTTP/1.1\r\nhost: loc").await.unwrap();
            }
            idle.push(socket);
        }
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert!(admin.request("GET", path).await.starts_with("HTTP/1.1 200 OK\r\n"), "{path}");
        }
        // The oldest made way, and the newest are still there.
        let closed = tokio::time::timeout(Duration::from_secs(10), idle[0].read(&mut [0; 8])).await.expect("it is closed");
        assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
        let newest = idle.last_mut().unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), newest.read(&mut [0; 8])).await.is_err(), "it is still waited for");
    }

    #[test]
    fn of_the_silent_the_oldest_of_the_address_with_most_makes_way() {
        let silent = Arc::new(Silent::default());
        let (one, two) = ("127.0.0.1".parse().unwrap(), "127.0.0.2".parse().unwrap());
        let probe = silent.enter(two);
        let others: Vec<_> = (1..SILENT_MAX).map(|_| silent.enter(one)).collect();
        let next = silent.enter(one);
        assert!(others[0].make_way.is_cancelled() && !others[1].make_way.is_cancelled() && !probe.make_way.is_cancelled());
        next.has_spoken();
        drop(others);
        assert_eq!(silent.0.lock().len(), 1, "who has spoken or is gone holds no place");
    }

    #[tokio::test]
    async fn a_gateway_whose_cas_have_all_ended_is_not_ready_and_says_which() {
        let admin = Admin::start(TIMES).await;
        admin.bed.ready().await;
        admin.bed.advance_days(365 * 9);
        let ready = admin.request("GET", "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains("\r\n\r\nno CA of client_ca_files is valid now"), "{ready}");
        assert!(ready.contains("of client_ca_files lets nobody in since it ended at 20"), "{ready}");
    }

    #[tokio::test]
    async fn the_register_in_force_is_told_to_this_machine() {
        let admin = Admin::start(TIMES).await;
        admin.bed.ready().await;
        let answer = admin.request("GET", "/register").await;
        let body: toml::Table = answer.split_once("\r\n\r\n").unwrap().1.parse().unwrap();
        assert_eq!(body["generation"].as_integer(), Some(1));
        assert_eq!(body["participant"].as_array().unwrap().len(), admin.bed.store().register().iter().count());
    }

    #[tokio::test]
    async fn a_register_file_that_is_refused_is_told_on_every_page_until_it_is_taken() {
        let admin = Admin::start(TIMES).await;
        admin.bed.ready().await;
        admin.register_file.refused("participants.toml:3:1: it is broken".to_owned(), noon());
        let ready = admin.request("GET", "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 200 "), "those in force are served: {ready}");
        assert!(ready.contains("is not in force since 20") && ready.contains(": participants.toml:3:1: it is broken\n"), "{ready}");
        assert_eq!(value(&admin.request("GET", "/metrics").await, "samband_register_file_in_force"), Some("0"));
        assert!(admin.request("GET", "/register").await.contains("file_refused = \"participants.toml:3:1: it is broken\""));
        admin.register_file.taken();
        assert!(admin.request("GET", "/readyz").await.ends_with("\r\n\r\nready\n"));
        assert_eq!(value(&admin.request("GET", "/metrics").await, "samband_register_file_in_force"), Some("1"));
        assert!(!admin.request("GET", "/register").await.contains("file_refused"));
    }

    #[tokio::test]
    async fn a_stop_closes_the_listener_and_what_is_open() {
        let admin = Admin::start(Times { head: Duration::from_secs(60), connection: Duration::from_secs(60), ..TIMES }).await;
        let mut idle = TcpStream::connect(admin.address).await.unwrap();
        assert!(admin.request("GET", "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"), "so the idle one is accepted, too");
        admin.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), admin.task).await.expect("it ends").unwrap();
        // Closed or reset, but not left open.
        let closed = tokio::time::timeout(Duration::from_secs(10), idle.read(&mut [0; 8])).await.expect("it is closed");
        assert!(matches!(closed, Ok(0) | Err(_)));
        assert!(TcpStream::connect(admin.address).await.is_err());
    }
}
