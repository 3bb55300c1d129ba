//! From a TCP listener to a stream of TLS connections.
//!
//! The accept loop never waits for a handshake: each has its own task, a deadline and a bounded place.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::config::{Alpn, TlsSettings};
use super::connection::{Connection, HandshakeObserver, HandshakeReason, OpenConnections, PeerInfo, address_group};
use super::peer::{IdentityError, PeerIdentity};
use super::pending::{Pending, Turn};
use super::turns::Turns;
use crate::gateway::{Buckets, Rate};

/// How long the accept loop rests after an error such as too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// Between two lines of the log about it.
const TELL_FAILURES: Duration = Duration::from_secs(10);
/// Established connections that wait for the server to take them.
const HANDOVER: usize = 64;

/// Bounds of a listener. An address is an IPv4 address or an IPv6 network of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A handshake takes no longer than this.
    pub handshake_timeout: Duration,
    /// Handshakes under way; the oldest makes way.
    pub handshakes_max: usize,
    /// Of these from one address.
    pub handshakes_per_address_max: usize,
    /// Established connections; further ones are closed after their handshake.
    pub connections_max: usize,
    /// Of these from one address.
    pub connections_per_address_max: usize,
    /// Connections of one address with no call at work; the longest idle makes way.
    pub idle_connections_per_address_max: usize,
    /// A connection with no call at work is closed after this.
    pub idle_timeout: Duration,
    /// New sockets of one address; further ones are closed before the handshake.
    pub handshakes_per_address: Rate,
    /// Handshakes worked on, of all addresses together; further ones wait for their turn.
    pub handshakes: Rate,
    /// Clients of one key are read no faster, in bytes; an HTTP/2 frame costs 64 more.
    pub received_bytes_per_key_per_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(3),
            handshakes_max: 1024,
            handshakes_per_address_max: 512,
            connections_max: 4096,
            connections_per_address_max: 1024,
            idle_connections_per_address_max: 256,
            idle_timeout: Duration::from_secs(900),
            handshakes_per_address: Rate::per_second(500, 50),
            handshakes: Rate::per_second(500, 200),
            received_bytes_per_key_per_s: 1024 * 1024,
        }
    }
}

/// The stream of established connections. Dropping it stops accepting; connections already handed over live on.
#[derive(Debug)]
pub struct Incoming {
    connections: mpsc::Receiver<Connection>,
    _stop: DropGuard,
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.connections.poll_recv(cx).map(|connection| connection.map(Ok))
    }
}

/// Where sockets come from.
trait Sockets: Send + 'static {
    fn next(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Sockets for TcpListener {
    fn next(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        self.accept()
    }
}

/// Failed accepts, told once in a while: out of files, there are twenty in a second.
#[derive(Debug, Default)]
struct Failures {
    untold: u64,
    told: Option<Instant>,
}

impl Failures {
    fn tell(&mut self, error: &io::Error) {
        self.untold += 1;
        if self.told.is_none_or(|at| at.elapsed() >= TELL_FAILURES) {
            tracing::warn!(%error, failures = self.untold, "connections could not be accepted; those that wait are taken when files are free again");
            *self = Self { untold: 0, told: Some(Instant::now()) };
        }
    }
}

struct Acceptor {
    settings: Arc<TlsSettings>,
    alpn: Alpn,
    limits: Limits,
    observer: Arc<dyn HandshakeObserver>,
    open: Arc<OpenConnections>,
    pending: Arc<Pending>,
    rate: Buckets<IpAddr>,
    turns: Arc<Turns>,
    ready: mpsc::Sender<Connection>,
    stop: CancellationToken,
}

/// Accepts on `listener` until the returned stream is dropped. Must be called on a tokio runtime.
#[must_use]
pub fn accept(
    listener: TcpListener,
    settings: Arc<TlsSettings>,
    alpn: Alpn,
    limits: Limits,
    observer: Arc<dyn HandshakeObserver>,
    open: Arc<OpenConnections>,
) -> Incoming {
    let (ready, connections) = mpsc::channel(HANDOVER);
    let stop = CancellationToken::new();
    let pending = Arc::new(Pending::new(limits.handshakes_max, limits.handshakes_per_address_max));
    let rate = Buckets::new(limits.handshakes_per_address);
    let turns = Arc::new(Turns::new(limits.handshakes));
    let acceptor = Arc::new(Acceptor { settings, alpn, limits, observer, open, pending, rate, turns, ready, stop: stop.clone() });
    tokio::spawn(acceptor.run(listener));
    Incoming { connections, _stop: stop.drop_guard() }
}

impl Acceptor {
    async fn run(self: Arc<Self>, listener: impl Sockets) {
        let mut failures = Failures::default();
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.next() => accepted,
            };
            match accepted {
                Ok((socket, remote)) => {
                    // Closed unread: a handshake costs a millisecond of a processor, this costs next to nothing.
                    if self.rate.take(&address_group(remote.ip()), self.settings.elapsed_millis()).is_err() {
                        _ = socket.set_zero_linger();
                        drop(socket);
                        self.observer.failed(HandshakeReason::Limit);
                        continue;
                    }
                    let turn = self.pending.enter(remote.ip());
                    tokio::spawn(self.clone().establish(socket, remote, turn));
                }
                Err(error) => {
                    // Too many open files, or a client that left at once. Neither may end the listener.
                    failures.tell(&error);
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    /// Small until the socket speaks: there may be thousands that never do.
    async fn establish(self: Arc<Self>, socket: TcpStream, remote: SocketAddr, turn: Turn) {
        let until = Instant::now() + self.limits.handshake_timeout;
        let spoken = tokio::select! {
            // A listener that stops drops its handshakes; they are nobody's failure.
            () = self.stop.cancelled() => return,
            () = turn.make_way.cancelled() => Err(HandshakeReason::Limit),
            spoken = tokio::time::timeout_at(until, speaks(&socket)) => spoken.unwrap_or(Err(HandshakeReason::Timeout)),
        };
        match spoken {
            Ok(()) => Box::pin(self.converse(socket, remote, turn, until)).await,
            Err(reason) => {
                // Reset: no farewell to wait for, and the system remembers nothing of it.
                _ = socket.set_zero_linger();
                drop((socket, turn));
                self.failed(reason);
            }
        }
    }

    async fn converse(self: Arc<Self>, socket: TcpStream, remote: SocketAddr, turn: Turn, until: Instant) {
        let shaken = tokio::select! {
            () = self.stop.cancelled() => return,
            () = turn.make_way.cancelled() => Err(HandshakeReason::Limit),
            shaken = tokio::time::timeout_at(until, self.handshake(socket, remote.ip())) => shaken.unwrap_or(Err(HandshakeReason::Timeout)),
        };
        drop(turn);
        match shaken.and_then(|(stream, generation)| self.admit(stream, generation, remote)) {
            // An error means that the server is gone.
            Ok(connection) => drop(self.ready.send(connection).await),
            Err(reason) => self.failed(reason),
        }
    }

    fn failed(&self, reason: HandshakeReason) {
        tracing::debug!(reason = reason.as_str(), "handshake failed");
        self.observer.failed(reason);
    }

    /// The connection, and the generation of the settings that judged it.
    async fn handshake(&self, socket: TcpStream, address: IpAddr) -> Result<(TlsStream<TcpStream>, u64), HandshakeReason> {
        // Small answers must not wait for the acknowledgement of earlier ones.
        socket.set_nodelay(true).map_err(|_| HandshakeReason::Protocol)?;
        let failed = |error: io::Error| HandshakeReason::of(&error);
        // What is no greeting costs nobody a turn.
        let greeted = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), socket).await.map_err(failed)?;
        self.turns.wait(address).await;
        let (config, generation) = self.settings.server_config(self.alpn);
        let stream = greeted.into_stream(config).await.map_err(failed)?;
        Ok((stream, generation))
    }

    fn admit(&self, stream: TlsStream<TcpStream>, generation: u64, remote: SocketAddr) -> Result<Connection, HandshakeReason> {
        let chain: Vec<_> = stream.get_ref().1.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
        let identity = chain.first().map_or(Err(IdentityError::MalformedCertificate), |leaf| PeerIdentity::from_leaf(leaf));
        let peer = PeerInfo::new(remote, identity, chain);
        self.settings.shaken(&peer, generation);
        let connection = Connection::new(stream, peer, &self.open, &self.limits).ok_or(HandshakeReason::Limit)?;
        // Asked only now that the connection is among the open ones: a reload that comes later finds it there, one that came earlier is seen here.
        self.settings.check(connection.peer(), self.settings.now())?;
        self.turns.admitted(remote.ip());
        Ok(connection)
    }
}

/// Waits for a first byte. Nothing is made for a socket that says nothing, nor for one that is closed without a word.
async fn speaks(socket: &TcpStream) -> Result<(), HandshakeReason> {
    // Waits without asking the system first, as it has rarely come already.
    let ready = socket.readable().await;
    match ready {
        Ok(()) if matches!(socket.peek(&mut [0]).await, Ok(1)) => Ok(()),
        _ => Err(HandshakeReason::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct OutOfFiles {
        listener: TcpListener,
        left: AtomicUsize,
    }

    impl Sockets for OutOfFiles {
        async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
            const EMFILE: i32 = 24;
            if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                return Err(io::Error::from_raw_os_error(EMFILE));
            }
            self.listener.accept().await
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl HandshakeObserver for Count {
        fn failed(&self, _: HandshakeReason) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_listener_out_of_files_takes_who_waits_once_there_are_files_again() {
        let settings = super::super::handshake_tests::settings();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits { handshakes_per_address: Rate::per_second(0, 1), ..Limits::default() };
        let (ready, _connections) = mpsc::channel(1);
        let (observer, stop) = (Arc::new(Count::default()), CancellationToken::new());
        let acceptor = Arc::new(Acceptor {
            settings,
            alpn: Alpn::H2,
            limits,
            observer: observer.clone(),
            open: Arc::default(),
            pending: Arc::new(Pending::new(1, 1)),
            rate: Buckets::new(limits.handshakes_per_address),
            turns: Arc::new(Turns::new(limits.handshakes)),
            ready,
            stop: stop.clone(),
        });
        let running = tokio::spawn(acceptor.run(OutOfFiles { listener, left: AtomicUsize::new(5) }));
        let _waiting = TcpStream::connect(address).await.unwrap();
        while observer.0.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
        running.await.unwrap();
    }
}
