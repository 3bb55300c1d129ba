//! One established TLS connection, what handlers learn of its peer, and the set of all that are open.

use std::collections::HashMap;
use std::fmt;
use std::future::Future as _;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::acceptor::Limits;
use super::activity::{Activity, Idle, Work};
use super::chain::{Link, links};
use super::pace::{Frames, Pace, PaceOf, Paces};
use super::peer::{IdentityError, PeerIdentity};
use super::verifier::Refused;
use crate::domain::time::Timestamp;

/// Why a handshake failed: a closed list, counted and never attributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HandshakeReason {
    /// The client showed no certificate.
    NoCertificate,
    /// No chain to a configured CA, or a signature that is not its issuer's.
    UnknownIssuer,
    /// Past the certificate's validity.
    Expired,
    /// The configured CA that it leads to is past its own validity.
    AuthorityExpired,
    /// The configured CA that it leads to is not valid yet.
    AuthorityNotYetValid,
    /// Before the certificate's validity.
    NotYetValid,
    /// Not a client certificate.
    WrongPurpose,
    /// A revocation list names the certificate or one of its issuers.
    Revoked,
    /// There is no revocation list of one of its issuers, or one that this issuer may not or did not sign.
    RevocationUnknown,
    /// The revocation list of one of its issuers is past its time and its grace.
    RevocationListOverdue,
    /// Its issuer is not in the list of issuing CAs.
    IssuerNotListed,
    /// Not issued under a policy that is listed for its issuer.
    PolicyNotListed,
    /// Of an issuer's test CA, in production.
    TestCertificate,
    /// Its issuer, or one above it, has a common name that cannot be read or stands there twice, where names count.
    UnclearName,
    /// More certificates, bytes or ways to a CA than a client may show; nothing of it was verified.
    ChainTooLong,
    /// Not done in time.
    Timeout,
    /// Not TLS 1.3, an alert, or the connection broke.
    Protocol,
    /// Made way for others: too many handshakes or connections, in all or from one address.
    Limit,
    /// Anything else.
    Other,
}

impl HandshakeReason {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::NoCertificate,
        Self::UnknownIssuer,
        Self::Expired,
        Self::AuthorityExpired,
        Self::AuthorityNotYetValid,
        Self::NotYetValid,
        Self::WrongPurpose,
        Self::Revoked,
        Self::RevocationUnknown,
        Self::RevocationListOverdue,
        Self::IssuerNotListed,
        Self::PolicyNotListed,
        Self::TestCertificate,
        Self::UnclearName,
        Self::ChainTooLong,
        Self::Timeout,
        Self::Protocol,
        Self::Limit,
        Self::Other,
    ];

    /// The reason as a label of metrics and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownIssuer => "unknown_issuer",
            Self::Expired => "expired",
            Self::AuthorityExpired => "authority_expired",
            Self::AuthorityNotYetValid => "authority_not_yet_valid",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongPurpose => "wrong_purpose",
            Self::Revoked => "revoked",
            Self::RevocationUnknown => "revocation_unknown",
            Self::RevocationListOverdue => "revocation_list_overdue",
            Self::IssuerNotListed => "issuer_not_listed",
            Self::PolicyNotListed => "policy_not_listed",
            Self::TestCertificate => "test_certificate",
            Self::UnclearName => "unclear_name",
            Self::ChainTooLong => "chain_too_long",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Limit => "limit",
            Self::Other => "other",
        }
    }

    /// What an error of the handshake means.
    pub(super) fn of(error: &io::Error) -> Self {
        error.get_ref().and_then(|inner| inner.downcast_ref()).map_or(Self::Protocol, Self::of_error)
    }

    /// What rustls's error means.
    pub(super) fn of_error(error: &rustls::Error) -> Self {
        use rustls::{CertificateError as C, Error as E};
        match error {
            E::NoCertificatesPresented => Self::NoCertificate,
            E::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => Self::UnknownIssuer,
            E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => Self::Expired,
            E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => Self::NotYetValid,
            E::InvalidCertificate(C::InvalidPurpose | C::InvalidPurposeContext { .. }) => Self::WrongPurpose,
            E::InvalidCertificate(C::Revoked) => Self::Revoked,
            E::InvalidCertificate(C::UnknownRevocationStatus) | E::InvalidCertRevocationList(_) => Self::RevocationUnknown,
            E::InvalidCertificate(C::Other(other)) => other.0.downcast_ref::<Refused>().map_or(Self::Other, |refused| refused.0),
            E::InvalidCertificate(_) | E::General(_) | E::FailedToGetCurrentTime | E::FailedToGetRandomBytes => Self::Other,
            _ => Self::Protocol,
        }
    }
}

/// Hears of every failed handshake; counts it or makes an event of it.
pub trait HandshakeObserver: Send + Sync + 'static {
    /// One handshake failed. Must not block.
    fn failed(&self, reason: HandshakeReason);
}

/// What handlers learn of a connection: tonic's connect info, in every request's extensions.
#[derive(Clone)]
pub struct PeerInfo(Arc<Peer>);

struct Peer {
    remote: SocketAddr,
    identity: Result<PeerIdentity, IdentityError>,
    /// As it was shown, to be judged anew when what it is judged by has changed.
    chain: Vec<CertificateDer<'static>>,
    links: Vec<Link>,
    checked: Mutex<Checked>,
    noted: AtomicBool,
    close: CancellationToken,
    activity: Activity,
}

/// A call or a stream at work on a connection, until it is dropped.
#[derive(Debug)]
pub struct Working {
    peer: PeerInfo,
    work: Work,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.peer.0.activity.end(self.work);
    }
}

/// The settings under which a peer was last judged, and from when until when that stands: a clock that is set back makes it be judged again.
#[derive(Clone, Copy)]
struct Checked {
    generation: u64,
    from: Timestamp,
    until: Timestamp,
}

impl PeerInfo {
    pub(super) fn new(remote: SocketAddr, identity: Result<PeerIdentity, IdentityError>, chain: Vec<CertificateDer<'static>>) -> Self {
        let never = Timestamp::from_millis(0);
        let checked = Mutex::new(Checked { generation: 0, from: never, until: never });
        let noted = AtomicBool::new(false);
        let links = links(&chain);
        Self(Arc::new(Peer { remote, identity, chain, links, checked, noted, close: CancellationToken::new(), activity: Activity::new() }))
    }

    /// The certificates that the peer showed, its own first.
    pub(super) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0.chain
    }

    /// The last second in which the peer's chain is valid: its certificate and those of the CAs that it showed.
    #[must_use]
    pub fn not_after(&self) -> Option<Timestamp> {
        let own = self.0.identity.as_ref().ok().map(PeerIdentity::not_after)?;
        Some(self.0.links.iter().map(|link| link.not_after).fold(own, Timestamp::min))
    }

    /// The CAs above the peer's certificate, as far as it showed them.
    pub(super) fn links(&self) -> &[Link] {
        &self.0.links
    }

    pub(super) fn is_checked(&self, generation: u64, now: Timestamp) -> bool {
        let checked = self.0.checked.lock();
        checked.generation == generation && checked.from <= now && now < checked.until
    }

    pub(super) fn checked(&self, generation: u64, from: Timestamp, until: Timestamp) {
        *self.0.checked.lock() = Checked { generation, from, until };
    }

    /// Whether this is the first time that somebody asks.
    pub(super) fn is_new(&self) -> bool {
        !self.0.noted.swap(true, Ordering::Relaxed)
    }

    /// The peer's address.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.0.remote
    }

    /// Who the certificate says the peer is. An error is answered with PERMISSION_DENIED and its reason, not with a broken connection.
    ///
    /// # Errors
    /// Why a certificate of a known CA is nobody to us.
    pub fn identity(&self) -> Result<&PeerIdentity, IdentityError> {
        self.0.identity.as_ref().map_err(|error| *error)
    }

    /// The address that limits count by: an IPv4 address, or an IPv6 network of 64 bits.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        address_group(self.remote().ip())
    }

    /// Whom the connection's reading is paced for.
    fn pace_of(&self) -> PaceOf {
        self.identity().map_or_else(|_| PaceOf::Address(self.address()), |identity| PaceOf::Key(*identity.key_hash()))
    }

    /// A call that was admitted is at work; the connection is not idle until it is dropped.
    #[must_use]
    pub fn begin(&self, is_stream: bool) -> Working {
        Working { peer: self.clone(), work: self.0.activity.begin(is_stream) }
    }

    /// Whether nothing has been at work on the connection for `timeout`.
    #[must_use]
    pub fn is_idle_for(&self, timeout: Duration) -> bool {
        self.0.activity.idle().is_some_and(|idle| idle.since.elapsed() >= timeout)
    }

    /// Whether a call of one answer has been at work for `timeout`: its client does not take the answer.
    #[must_use]
    pub fn is_stuck_for(&self, timeout: Duration) -> bool {
        self.0.activity.oldest_call().is_some_and(|age| age >= timeout)
    }

    /// Ends the connection, with all its calls and streams.
    pub fn close(&self) {
        self.0.close.cancel();
    }

    /// Whether [`PeerInfo::close`] was called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.close.is_cancelled()
    }
}

impl fmt::Debug for PeerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerInfo").field("remote", &self.0.remote).field("identity", &self.0.identity).finish_non_exhaustive()
    }
}

/// The established connections: bounded in all and per address, and closed on demand.
#[derive(Debug, Default)]
pub struct OpenConnections(Mutex<Open>, Paces);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    peers: HashMap<u64, PeerInfo>,
    per_address: HashMap<IpAddr, usize>,
}

/// A place among the open connections, given back when dropped.
#[derive(Debug)]
struct Place {
    open: Arc<OpenConnections>,
    number: u64,
}

impl OpenConnections {
    /// How many are open now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().peers.len()
    }

    /// The peers of all that are open now.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.0.lock().peers.values().cloned().collect()
    }

    /// Closes every connection that `unwelcome` tells of, and says how many. After a reload: `close_if(|peer| settings.check(peer, now).is_err())`.
    pub fn close_if(&self, unwelcome: impl Fn(&PeerInfo) -> bool) -> usize {
        // Decided outside the lock: the question may be a slow one.
        let peers = self.peers();
        peers.iter().filter(|peer| !peer.is_closed() && unwelcome(peer)).map(PeerInfo::close).count()
    }

    /// A place for `peer`, or `None` when as many are open as may be, in all or from its address, and none of them is idle. An idle one makes
    /// way, also when its address has more idle ones than it may.
    fn enter(self: &Arc<Self>, peer: &PeerInfo, limits: &Limits) -> Option<Place> {
        let address = peer.address();
        let mut open = self.0.lock();
        let own = open.per_address.get(&address).copied().unwrap_or_default();
        let of_address = own >= limits.connections_per_address_max;
        if of_address || own >= limits.idle_connections_per_address_max {
            let idle = open.idle(Some(address));
            if of_address || idle.len() >= limits.idle_connections_per_address_max {
                open.make_way(idle);
            }
        }
        if open.peers.len() >= limits.connections_max {
            let idle = open.idle(None);
            open.make_way(idle);
        }
        let own = open.per_address.get(&address).copied().unwrap_or_default();
        if open.peers.len() >= limits.connections_max || own >= limits.connections_per_address_max {
            return None;
        }
        *open.per_address.entry(address).or_default() += 1;
        let number = open.next;
        open.next += 1;
        open.peers.insert(number, peer.clone());
        Some(Place { open: self.clone(), number })
    }
}

impl Open {
    /// The idle connections, of one address or of all.
    fn idle(&self, address: Option<IpAddr>) -> Vec<(Idle, u64)> {
        let of = |peer: &PeerInfo| address.is_none_or(|address| peer.address() == address);
        self.peers.iter().filter(|(_, peer)| of(peer)).filter_map(|(number, peer)| Some((peer.0.activity.idle()?, *number))).collect()
    }

    /// Closes the first of `idle` that makes way; its place is free at once.
    fn make_way(&mut self, idle: Vec<(Idle, u64)>) {
        if let Some(peer) = idle.into_iter().min().and_then(|(_, number)| self.leave(number)) {
            peer.close();
        }
    }

    fn leave(&mut self, number: u64) -> Option<PeerInfo> {
        let peer = self.peers.remove(&number)?;
        let address = peer.address();
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
        Some(peer)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.0.lock().leave(self.number);
    }
}

/// The address that limits count by: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer gets.
pub(super) fn address_group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

/// An established connection for tonic's server.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: PeerInfo,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    pace: Arc<Pace>,
    /// Of HTTP/2 alone.
    frames: Option<Frames>,
    rest: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Connection {
    /// Enters the connection among the open ones; `None` when there is no room.
    pub(super) fn new(stream: TlsStream<TcpStream>, peer: PeerInfo, open: &Arc<OpenConnections>, limits: &Limits) -> Option<Self> {
        let place = open.enter(&peer, limits)?;
        let closed = Box::pin(peer.0.close.clone().cancelled_owned());
        let pace = open.1.join(peer.pace_of(), limits.received_bytes_per_key_per_s);
        let frames = (stream.get_ref().1.alpn_protocol() != Some(b"http/1.1")).then(Frames::new);
        Some(Self { stream, peer, closed, pace, frames, rest: None, _place: place })
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    /// The application protocol agreed on: `h2` or `http/1.1`.
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }

    fn check(&self) -> io::Result<()> {
        if self.peer.is_closed() { Err(closed()) } else { Ok(()) }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the gateway closed this connection")
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Connected for Connection {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // Polled first, so that a close wakes a connection that only waits for bytes.
        if self.closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(closed()));
        }
        if let Some(rest) = &mut self.rest {
            std::task::ready!(rest.as_mut().poll(cx));
            self.rest = None;
        }
        let before = buf.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        let price = self.frames.as_mut().map_or(read.len() as u64, |frames| frames.price(read));
        self.rest = self.pace.spend(price, Instant::now()).map(|rest| Box::pin(sleep(rest)));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
