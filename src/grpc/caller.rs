//! The gate in front of every call: who calls, may it, and what the log says when not. Nothing of a body is read before the gate has said yes.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument as _;

use super::expiry;
use super::lanes::{Lane, Lanes};
use super::request::{OneMessage, check_head};
use super::room::{Kind, Owner, Place, Room};
use super::status::{self, Refused};
use crate::gateway::{Buckets, Gateway, Rate};
use crate::policy::permit::{Caller, Denial};
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::tls::{self, PeerInfo, Stranger, TlsSettings, Working};

/// Bounds of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// A call that is no stream takes no longer, whatever its client asked for.
    pub call_timeout: Duration,
    /// Calls at work at once; further ones hear OVERLOADED.
    pub calls_max: usize,
    /// Of these of one participant; further ones hear TOO_MANY_CALLS.
    pub calls_per_participant_max: usize,
    /// Streams open at once, in all.
    pub streams_max: usize,
    /// Of these of one participant; further ones hear TOO_MANY_STREAMS.
    pub streams_per_participant_max: usize,
    /// Bytes of requests at work, in all; a request beyond them hears OVERLOADED.
    pub request_bytes_max: usize,
    /// Of these of one participant; a request beyond them hears TOO_MANY_BYTES.
    pub request_bytes_per_participant_max: usize,
    /// Calls for health of certificates that are not enrolled, by address.
    pub stranger_calls: Rate,
    /// An answer leaves this much before the client's deadline, so that it arrives.
    pub deadline_margin: Duration,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            call_timeout: Duration::from_secs(30),
            calls_max: 1024,
            calls_per_participant_max: 128,
            streams_max: 2048,
            streams_per_participant_max: 64,
            request_bytes_max: 64 * 1024 * 1024,
            request_bytes_per_participant_max: 4 * 1024 * 1024,
            stranger_calls: Rate::per_second(60, 5),
            deadline_margin: Duration::from_millis(50),
        }
    }
}

/// When a call's answer must have left. In every request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(pub Option<Instant>);

struct Shared {
    gateway: Arc<Gateway>,
    tls: Arc<TlsSettings>,
    limits: CallLimits,
    room: Arc<Room>,
    lanes: Lanes,
    strangers: Buckets<IpAddr>,
}

/// Puts the gate in front of a service.
#[derive(Clone)]
pub struct GateLayer(Arc<Shared>);

impl std::fmt::Debug for GateLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GateLayer").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl GateLayer {
    /// A gate that asks `gateway` for the register and the log, and `tls` for revoked certificates.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, tls: Arc<TlsSettings>, limits: CallLimits) -> Self {
        let (room, strangers) = (Room::new(limits), Buckets::new(limits.stranger_calls));
        Self(Arc::new(Shared { gateway, tls, limits, room, lanes: Lanes::default(), strangers }))
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate { shared: self.0.clone(), inner }
    }
}

/// The service behind the gate.
#[derive(Clone)]
pub struct Gate<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S> std::fmt::Debug for Gate<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Call(Verb),
    Health,
    Reflection,
    Unknown,
}

fn asked(path: &str) -> Asked {
    let of_service =
        |service: &str| path.strip_prefix('/').and_then(|rest| rest.strip_prefix(service)).is_some_and(|rest| rest.starts_with('/'));
    if let Some(verb) = path.strip_prefix("/samband.v1.").and_then(Verb::of_call) {
        Asked::Call(verb)
    } else if of_service("grpc.health.v1.Health") {
        Asked::Health
    } else if of_service("grpc.reflection.v1.ServerReflection") || of_service("grpc.reflection.v1alpha.ServerReflection") {
        Asked::Reflection
    } else {
        Asked::Unknown
    }
}

const fn is_stream(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::ProsecutionReceive
            | Verb::MunicipalReceive
            | Verb::ProsecutionWatchStatus
            | Verb::MunicipalWatchStatus
            | Verb::LaboratoryWatchStatus
            | Verb::ListRecords
            | Verb::Export
    )
}

/// The time that a client gives a call: `grpc-timeout`, at most eight digits and a unit.
fn asked_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

impl Shared {
    /// Who is at the other end, by the register in force now.
    fn enrolled(&self, peer: &PeerInfo) -> Result<Caller, Stranger> {
        tls::caller(peer, &self.gateway.store().register(), &self.tls, self.gateway.now())
    }

    /// As [`Shared::enrolled`]; a stranger is counted and refused.
    fn caller(&self, peer: &PeerInfo) -> Result<Caller, Box<tonic::Status>> {
        self.enrolled(peer).map_err(|stranger| {
            let (reason, status) = match stranger {
                Stranger::Identity(error) => (error.as_reason(), status::of_identity(error)),
                Stranger::Withdrawn => (Reason::IdentityWithdrawn.code(), status::of_reason(Reason::IdentityWithdrawn)),
            };
            self.gateway.stranger(reason);
            Box::new(status)
        })
    }

    fn deadline(&self, verb: Verb, headers: &HeaderMap) -> Deadline {
        let CallLimits { call_timeout, deadline_margin, .. } = self.limits;
        // A tenth of a short deadline; else the margin would eat it.
        let early = asked_timeout(headers).map(|asked| asked.saturating_sub(deadline_margin.min(asked / 10)));
        let bound = if is_stream(verb) { early } else { Some(early.map_or(call_timeout, |early| early.min(call_timeout))) };
        Deadline(bound.and_then(|bound| Instant::now().checked_add(bound)))
    }

    /// Records a refusal that is not in the log yet, and gives what the client is told.
    async fn settle(&self, caller: &Caller, verb: Verb, refused: Refused) -> Response<Body> {
        let Refused { status, reason, recorded, message_id } = refused;
        if !recorded {
            self.gateway.refuse(caller, verb, reason.into(), message_id).await;
        }
        status.into_http()
    }

    async fn call<S>(&self, inner: S, request: Request<Body>, peer: &PeerInfo, caller: Caller, verb: Verb) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        let began = Instant::now();
        let response = match self.admit(&caller, verb).await {
            Ok(place) => self.admitted(inner, request, peer, &caller, verb, place).await,
            Err(refusal) => *refusal,
        };
        let reason = status::refused(response.headers()).map(|refused| refused.reason);
        let millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let code = reason.map_or("OK", Reason::code);
        // Neither a flood nor a busy day may fill the process's log; the sums of the minute tell of both.
        if self.gateway.answered(caller.id(), verb, reason, millis) {
            tracing::info!(reason = code, millis, "answered");
        } else {
            tracing::debug!(reason = code, millis, "answered");
        }
        // What a flood is told is an answer that leaves by the many, too.
        if reason.is_some_and(Reason::is_a_bound) {
            self.gateway.pace_refusal(&caller).await;
        }
        response
    }

    /// Suspended, role, rate, room; in this order, and before anything of the request is read.
    async fn admit(&self, caller: &Caller, verb: Verb) -> Result<Arc<Place>, Box<Response<Body>>> {
        let kind = if is_stream(verb) { Kind::Stream } else { Kind::Call };
        let admitted = self.gateway.admit(caller, verb).and_then(|()| self.gateway.count_call(caller));
        match admitted.and_then(|()| self.room.enter(Owner::Participant(caller.id().clone()), kind).map_err(Into::into)) {
            Ok(place) => Ok(place),
            Err(denial) => {
                let refusal = self.gateway.refuse(caller, verb, denial, None).await;
                Err(Box::new(status::of_end(refusal).into_http()))
            }
        }
    }

    async fn admitted<S>(
        &self,
        mut inner: S,
        request: Request<Body>,
        peer: &PeerInfo,
        caller: &Caller,
        verb: Verb,
        place: Arc<Place>,
    ) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        let (mut head, body) = request.into_parts();
        if let Err(reason) = check_head(&head) {
            let refusal = self.gateway.refuse(caller, verb, reason.into(), None).await;
            return not_a_call(status::of_end(refusal), reason, &head.method);
        }
        let deadline = self.deadline(verb, &head.headers);
        head.extensions.insert(caller.clone());
        head.extensions.insert(deadline);
        let working = peer.begin(is_stream(verb));
        let patience = is_stream(verb).then_some(self.limits.call_timeout);
        let request = Request::from_parts(head, Body::new(OneMessage::new(body, place.clone(), patience)));
        let answered = async {
            let Ok(()) = std::future::poll_fn(|cx| inner.poll_ready(cx)).await;
            let Ok(response) = inner.call(request).await;
            response
        };
        let response = match deadline.0 {
            Some(at) => match tokio::time::timeout_at(at, answered).await {
                Ok(response) => response,
                Err(_) => status::of_reason(Reason::DeadlineExceeded).into_http(),
            },
            None => answered.await,
        };
        match status::refused(response.headers()) {
            Some(refused) => self.settle(caller, verb, refused).await,
            None => {
                let lane = is_stream(verb).then(|| self.lanes.of(caller.id()));
                response.map(|inner| Body::new(Held { inner, lane, _place: place, _working: Some(working) }))
            }
        }
    }

    /// Health and reflection: bounded like calls, and their errors get a reason too. Streams of requests, so the body is not looked at.
    async fn plain<S>(&self, mut inner: S, request: Request<Body>, peer: &PeerInfo, caller: Option<&Caller>) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        // A watch of health may last for ever; a check is over at once.
        let is_stream = !request.uri().path().ends_with("/Check");
        let place = match self.admit_plain(peer, caller, if is_stream { Kind::Stream } else { Kind::Call }) {
            Ok(place) => place,
            Err(denial) => {
                match caller {
                    Some(caller) => self.gateway.count_refusal(caller, denial.reason),
                    None => self.gateway.stranger(denial.reason.code()),
                }
                return status::of_denial(&denial).into_http();
            }
        };
        let working = caller.map(|_| peer.begin(is_stream));
        let answered = async {
            let Ok(()) = std::future::poll_fn(|cx| inner.poll_ready(cx)).await;
            let Ok(response) = inner.call(request).await;
            response
        };
        let Ok(response) = tokio::time::timeout(self.limits.call_timeout, answered).await else {
            return status::of_reason(Reason::DeadlineExceeded).into_http();
        };
        match status::refused(response.headers()) {
            Some(refused) => refused.status.into_http(),
            None => response.map(|inner| Body::new(Held { inner, lane: None, _place: place, _working: working })),
        }
    }

    fn admit_plain(&self, peer: &PeerInfo, caller: Option<&Caller>, kind: Kind) -> Result<Arc<Place>, Denial> {
        let owner = match caller {
            Some(caller) => {
                self.gateway.count_call(caller)?;
                Owner::Participant(caller.id().clone())
            }
            None => {
                let address = peer.address();
                let wait = |wait| Denial { reason: Reason::RateLimited, retry_after_millis: Some(wait) };
                self.strangers.take(&address, self.gateway.elapsed_millis()).map_err(wait)?;
                Owner::Stranger(address)
            }
        };
        Ok(self.room.enter(owner, kind)?)
    }
}

/// The answer to what is no gRPC call: in HTTP's words too, for whoever speaks only those.
fn not_a_call(status: tonic::Status, reason: Reason, method: &http::Method) -> Response<Body> {
    let mut response = status.into_http();
    if reason == Reason::NotGrpc {
        let is_post = *method == http::Method::POST;
        *response.status_mut() = if is_post { http::StatusCode::UNSUPPORTED_MEDIA_TYPE } else { http::StatusCode::METHOD_NOT_ALLOWED };
    } else {
        response.headers_mut().insert("grpc-accept-encoding", http::HeaderValue::from_static("identity"));
    }
    response
}

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (shared, inner) = (self.shared.clone(), self.inner.clone());
        Box::pin(async move { Ok(shared.pass(inner, request).await) })
    }
}

impl Shared {
    async fn pass<S>(&self, inner: S, request: Request<Body>) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
        S::Future: Send,
    {
        let asked = asked(request.uri().path());
        let Some(peer) = request.extensions().get::<PeerInfo>().cloned() else {
            return status::of_reason(Reason::Internal).into_http();
        };
        // Health is for load balancers and monitors too: any certificate of a known CA.
        if asked == Asked::Health {
            let caller = self.enrolled(&peer).ok();
            return self.plain(inner, request, &peer, caller.as_ref()).await;
        }
        let caller = match self.caller(&peer) {
            Ok(caller) => caller,
            Err(status) => return status.into_http(),
        };
        let response = match asked {
            Asked::Call(verb) => {
                let span =
                    tracing::info_span!("call", verb = verb.call(), participant = caller.id().as_str(), key = caller.key_label.as_str());
                let lane = self.lanes.of(caller.id());
                lane.run(self.call(inner, request, &peer, caller, verb)).instrument(span).await
            }
            Asked::Reflection | Asked::Health => self.plain(inner, request, &peer, Some(&caller)).await,
            Asked::Unknown => {
                self.gateway.count_refusal(&caller, Reason::Unimplemented);
                status::of_reason(Reason::Unimplemented).into_http()
            }
        };
        match peer.not_after() {
            Some(not_after) => expiry::tell(response, not_after, self.gateway.now()),
            None => response,
        }
    }
}

/// An answer's body that keeps its call's place until it is sent or dropped.
struct Held {
    inner: Body,
    /// Of a stream, each answer of which is worked on.
    lane: Option<Lane>,
    _place: Arc<Place>,
    _working: Option<Working>,
}

impl http_body::Body for Held {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<bytes::Bytes>, tonic::Status>>> {
        let Self { inner, lane, .. } = &mut *self;
        let next = |cx: &mut Context<'_>| Pin::new(inner).poll_frame(cx);
        match lane {
            Some(lane) => lane.poll(cx, next),
            None => next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing {
    use super::{HeaderMap, asked, asked_timeout};

    /// What is read of a call's path and of its time.
    pub(in crate::grpc) fn head(data: &[u8]) {
        if let Ok(path) = std::str::from_utf8(data) {
            let _ = asked(path);
        }
        if let Ok(value) = http::HeaderValue::from_bytes(data) {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", value);
            let _ = asked_timeout(&headers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_known_call_or_nothing() {
        assert_eq!(asked("/samband.v1.AuditService/GetProof"), Asked::Call(Verb::GetProof));
        assert_eq!(asked("/samband.v1.AuditService/GetProof/"), Asked::Unknown);
        assert_eq!(asked("/samband.v2.AuditService/GetProof"), Asked::Unknown);
        assert_eq!(asked("/samband.v1.ProsecutionService/ReportNonAttendance"), Asked::Unknown);
        assert_eq!(asked("/grpc.health.v1.Health/Check"), Asked::Health);
        assert_eq!(asked("/grpc.health.v1.HealthX/Check"), Asked::Unknown);
        assert_eq!(asked("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), Asked::Reflection);
        assert_eq!(asked("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"), Asked::Reflection);
        assert_eq!(asked(""), Asked::Unknown);
    }

    #[test]
    fn a_timeout_is_read_as_the_protocol_writes_it() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", http::HeaderValue::from_static(text));
            asked_timeout(&headers)
        };
        assert_eq!(of("5S"), Some(Duration::from_secs(5)));
        assert_eq!(of("250m"), Some(Duration::from_millis(250)));
        assert_eq!(of("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "S", "5", "-5S", "123456789S", "5X", "5 S"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(asked_timeout(&HeaderMap::new()), None);
    }
}
