//! From a TCP listener to a stream of TLS connections.
//!
//! The accept loop never waits for a handshake: each has its own task, a deadline and a bounded place.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::config::{Alpn, TlsSettings};
use super::connection::{Connection, HandshakeObserver, HandshakeReason, OpenConnections, PeerInfo};
use super::peer::{IdentityError, PeerIdentity};
use super::pending::{Pending, Turn};

/// How long the accept loop rests after an error such as too many open files.
const ACCEPT_REST: Duration = Duration::from_millis(50);
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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(3),
            handshakes_max: 1024,
            handshakes_per_address_max: 512,
            connections_max: 4096,
            connections_per_address_max: 1024,
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

struct Acceptor {
    settings: Arc<TlsSettings>,
    alpn: Alpn,
    limits: Limits,
    observer: Arc<dyn HandshakeObserver>,
    open: Arc<OpenConnections>,
    pending: Arc<Pending>,
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
    let acceptor = Arc::new(Acceptor { settings, alpn, limits, observer, open, pending, ready, stop: stop.clone() });
    tokio::spawn(acceptor.run(listener));
    Incoming { connections, _stop: stop.drop_guard() }
}

impl Acceptor {
    async fn run(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, remote)) => {
                    let turn = self.pending.enter(remote.ip());
                    tokio::spawn(self.clone().establish(socket, remote, turn));
                }
                Err(error) => {
                    // Too many open files, or a client that left at once. Neither may end the listener.
                    tracing::warn!(%error, "accepting a connection failed; trying again");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    async fn establish(self: Arc<Self>, socket: TcpStream, remote: SocketAddr, turn: Turn) {
        let shaken = tokio::select! {
            // A listener that stops drops its handshakes; they are nobody's failure.
            () = self.stop.cancelled() => return,
            () = turn.make_way.cancelled() => Err(HandshakeReason::Limit),
            shaken = tokio::time::timeout(self.limits.handshake_timeout, self.handshake(socket)) => {
                shaken.unwrap_or(Err(HandshakeReason::Timeout))
            }
        };
        drop(turn);
        let admitted = shaken.and_then(|(stream, generation)| self.admit(stream, generation, remote));
        match admitted {
            // An error means that the server is gone.
            Ok(connection) => drop(self.ready.send(connection).await),
            Err(reason) => {
                tracing::debug!(reason = reason.as_str(), "handshake failed");
                self.observer.failed(reason);
            }
        }
    }

    /// The connection, and the generation of the settings that judged it.
    async fn handshake(&self, socket: TcpStream) -> Result<(TlsStream<TcpStream>, u64), HandshakeReason> {
        // Small answers must not wait for the acknowledgement of earlier ones.
        socket.set_nodelay(true).map_err(|_| HandshakeReason::Protocol)?;
        let (config, generation) = self.settings.server_config(self.alpn);
        let stream = TlsAcceptor::from(config).accept(socket).await.map_err(|error| HandshakeReason::of(&error))?;
        Ok((stream, generation))
    }

    fn admit(&self, stream: TlsStream<TcpStream>, generation: u64, remote: SocketAddr) -> Result<Connection, HandshakeReason> {
        let chain: Vec<_> = stream.get_ref().1.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect();
        let identity = chain.first().map_or(Err(IdentityError::MalformedCertificate), |leaf| PeerIdentity::from_leaf(leaf));
        let peer = PeerInfo::new(remote, identity, chain);
        self.settings.shaken(&peer, generation);
        let Limits { connections_max, connections_per_address_max, .. } = self.limits;
        let connection =
            Connection::new(stream, peer, &self.open, connections_max, connections_per_address_max).ok_or(HandshakeReason::Limit)?;
        // Asked only now that the connection is among the open ones: a reload that comes later finds it there, one that came earlier is seen here.
        self.settings.check(connection.peer(), self.settings.now())?;
        Ok(connection)
    }
}
