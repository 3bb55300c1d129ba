//! Wires everything: listener, TLS, gate, services, sweep, reloads and the stop. Used by `serve`, `demo` and the tests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::participant::Register;
use crate::gateway::{Gateway, LoadError, Loaded, Settings, Witnesses};
use crate::grpc::server::{self, ServerError, ServerLimits};
use crate::store::{Store, StoreError};
use crate::tls::{self, Alpn, HandshakeObserver, HandshakeReason, OpenConnections, PeerInfo, TlsError, TlsSettings};
use crate::web::admin::{self, Watched};
use crate::web::auditor::{self, Site};

/// What a gateway is made of.
pub struct AppConfig {
    /// Open and ready.
    pub store: Arc<dyn Store>,
    /// Certificates and trust.
    pub tls: Arc<TlsSettings>,
    /// Bound already, so that a port 0 is known.
    pub listener: TcpListener,
    /// Bounds of connections.
    pub connections: tls::Limits,
    /// Bounds of HTTP/2 and of calls.
    pub server: ServerLimits,
    /// Times and bounds of the gateway's acts.
    pub gateway: Settings,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for AppConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppConfig").field("listener", &self.listener).finish_non_exhaustive()
    }
}

/// Why a gateway does not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server's.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The listener has no address.
    #[error("the listener cannot be used: {0}")]
    Listener(#[from] std::io::Error),
    /// A task ended in a panic.
    #[error("a task of the gateway failed; the log above says where")]
    Task,
}

/// Counts failed handshakes.
struct Handshakes(Arc<Gateway>);

impl HandshakeObserver for Handshakes {
    fn failed(&self, reason: HandshakeReason) {
        self.0.stranger(reason.as_str());
    }
}

/// A gateway that serves.
pub struct RunningApp {
    local_addr: SocketAddr,
    gateway: Arc<Gateway>,
    tls: Arc<TlsSettings>,
    open: Arc<OpenConnections>,
    connections: tls::Limits,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    server: JoinHandle<Result<(), ServerError>>,
    upkeep: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for RunningApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningApp").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

/// The gateway's start.
#[derive(Debug)]
pub struct App;

impl App {
    /// Accepts connections over a store whose own start is durable already. Must be called on a tokio runtime.
    ///
    /// # Errors
    /// A listener without address.
    #[expect(clippy::unused_async, reason = "may only be called on a runtime, which an async signature says best")]
    pub async fn start(config: AppConfig) -> Result<RunningApp, AppError> {
        let AppConfig { store, tls, listener, connections, server: limits, gateway: settings, clock } = config;
        let local_addr = listener.local_addr()?;
        let gateway = Gateway::new(store, clock.clone(), settings);
        let open = Arc::new(OpenConnections::default());
        let observer = Arc::new(Handshakes(gateway.clone()));
        let incoming = tls::accept(listener, tls.clone(), Alpn::H2, connections, observer, open.clone());
        let stop = CancellationToken::new();
        let server = tokio::spawn(server::serve(gateway.clone(), tls.clone(), incoming, limits, stop.clone()));
        let upkeep = vec![
            tokio::spawn(gateway.clone().run_sweep(stop.clone())),
            tokio::spawn(close_expired(open.clone(), clock.clone(), settings.sweep_interval, stop.clone())),
        ];
        tracing::info!(address = %local_addr, version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(RunningApp { local_addr, gateway, tls, open, connections, clock, stop, server, upkeep })
    }
}

/// Closes connections whose certificate has run out: no call may be made on one, and no stream go on.
async fn close_expired(open: Arc<OpenConnections>, clock: Arc<dyn Clock>, every: Duration, stop: CancellationToken) {
    let mut tick = tokio::time::interval(every);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = clock.now();
        let closed = open.close_if(|peer| peer.identity().is_ok_and(|identity| identity.not_after().plus_millis(1000) <= now));
        if closed > 0 {
            tracing::info!(closed, "closed connections of expired certificates");
        }
    }
}

impl RunningApp {
    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The gateway's acts.
    #[must_use]
    pub const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Established connections now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.count()
    }

    /// Shows health and metrics on `listener`, which must be bound to a loopback address, until the stop.
    pub fn open_admin(&mut self, listener: TcpListener) {
        let watched =
            Watched { store: self.gateway.store().clone(), tls: self.tls.clone(), open: self.open.clone(), clock: self.clock.clone() };
        tracing::info!(address = ?listener.local_addr().ok(), "health and metrics");
        self.upkeep.push(tokio::spawn(admin::serve(listener, watched, self.stop.clone())));
    }

    /// Shows the auditors' pages and the log's tiles on `listener`, under the same TLS settings and bounds as the participants' listener, until the
    /// stop.
    pub fn open_auditor(&mut self, listener: TcpListener) {
        tracing::info!(address = ?listener.local_addr().ok(), "auditors' pages and tiles");
        let observer = Arc::new(Handshakes(self.gateway.clone()));
        let incoming = tls::accept(listener, self.tls.clone(), Alpn::H2AndHttp11, self.connections, observer, self.open.clone());
        let site = Site::new(self.gateway.clone(), self.tls.clone(), self.open.clone());
        self.upkeep.push(tokio::spawn(auditor::serve(incoming, site, self.stop.clone())));
    }

    /// Submits the log's heads to witnesses until the stop.
    pub fn open_witnesses(&mut self, witnesses: Arc<Witnesses>) {
        self.gateway.set_witnesses(witnesses.clone());
        let run = witnesses.run(self.gateway.store().clone(), self.clock.clone(), self.stop.clone());
        self.upkeep.push(tokio::spawn(run));
    }

    /// Loads a register; in force when this returns. Connections of keys that it no longer enrols are closed, with their streams.
    ///
    /// # Errors
    /// The first rule that an entry breaks; the register in force stays.
    pub async fn load_register(&self, register: &Register, digest: [u8; 32]) -> Result<Loaded, LoadError> {
        let loaded = self.gateway.load_register(register, digest).await?;
        let in_force = self.gateway.store().register();
        let closed = self.open.close_if(|peer| peer.identity().is_ok_and(|identity| tls::resolve(identity, &in_force).is_err()));
        tracing::info!(generation = in_force.generation(), participants = in_force.iter().count(), closed, "participant register loaded");
        Ok(loaded)
    }

    /// Reads certificates, trust and revocation lists anew; connections of revoked certificates are closed.
    ///
    /// # Errors
    /// A file that cannot be used; the settings in force stay.
    pub async fn reload_tls(&self) -> Result<(), TlsError> {
        let tls = self.tls.clone();
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(reloaded) => reloaded?,
            Err(_) => tracing::error!("reading the TLS files failed; the settings in force stay"),
        }
        let revoked = |peer: &PeerInfo| peer.identity().is_ok_and(|identity| self.tls.is_revoked(identity));
        let closed = self.open.close_if(revoked);
        tracing::info!(closed, "TLS settings loaded");
        Ok(())
    }

    /// Returns when the server has ended by itself, which it does only on an error. Call [`RunningApp::shutdown`] then.
    pub async fn failed(&mut self) -> Option<AppError> {
        match (&mut self.server).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.into()),
            Err(_) => Some(AppError::Task),
        }
    }

    /// Stops: no new connections; calls at work may end within `grace`, then connections are closed. What was acted is durable and
    /// published when this returns.
    ///
    /// # Errors
    /// The server's or the store's.
    pub async fn shutdown(self, grace: Duration) -> Result<(), AppError> {
        let Self { gateway, open, stop, mut server, upkeep, .. } = self;
        stop.cancel();
        let served = if server.is_finished() {
            Ok(())
        } else {
            match tokio::time::timeout(grace, &mut server).await {
                Ok(Ok(served)) => served.map_err(AppError::from),
                Ok(Err(_)) => Err(AppError::Task),
                Err(_) => {
                    let closed = open.close_if(|_| true);
                    tracing::warn!(closed, "closed connections that did not end in time");
                    server.abort();
                    Ok(())
                }
            }
        };
        for task in upkeep {
            let _ = task.await;
        }
        gateway.flush_sums(true).await?;
        gateway.store().stop().await?;
        tracing::info!("stopped");
        served
    }
}
