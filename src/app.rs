//! Wires everything: listener, TLS, gate, services, sweep, reloads and the stop. Used by `serve`, `demo` and the tests.

mod expiry;
pub mod reload;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::event::Event;
use crate::clock::Clock;
use crate::domain::participant::{Register, Standing};
use crate::gateway::{Gateway, LoadError, Loaded, Settings, Witnesses};
use crate::grpc::server::{self, ServerError, ServerLimits};
use crate::store::embedded::OnFatal;
use crate::store::{Store, StoreError};
use crate::tls::{self, Alpn, HandshakeObserver, HandshakeReason, OpenConnections, PeerIdentity, TlsSettings};
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
    /// What happens when something could not be made durable.
    pub on_fatal: OnFatal,
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

/// Who may be connected: the register and the certificates in force, and the connections that are held against them.
struct People {
    gateway: Arc<Gateway>,
    tls: Arc<TlsSettings>,
    open: Arc<OpenConnections>,
    clock: Arc<dyn Clock>,
    on_fatal: OnFatal,
    /// Held through a round over the open connections.
    rounds: tokio::sync::Mutex<()>,
}

/// A gateway that serves.
pub struct RunningApp {
    local_addr: SocketAddr,
    people: Arc<People>,
    reloader: Option<Arc<reload::Reloader>>,
    connections: tls::Limits,
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
        let AppConfig { store, tls, listener, connections, server: limits, gateway: settings, clock, on_fatal } = config;
        let local_addr = listener.local_addr()?;
        let gateway = Gateway::new(store, clock.clone(), settings);
        let open = Arc::new(OpenConnections::default());
        let observer = Arc::new(Handshakes(gateway.clone()));
        let incoming = tls::accept(listener, tls.clone(), Alpn::H2, connections, observer, open.clone());
        let stop = CancellationToken::new();
        let server = tokio::spawn(server::serve(gateway.clone(), tls.clone(), incoming, limits, stop.clone()));
        let sweep = tokio::spawn(gateway.clone().run_sweep(stop.clone()));
        let unused = close_unused(open.clone(), connections.idle_timeout, limits.calls.call_timeout, settings.sweep_interval, stop.clone());
        let people = Arc::new(People { gateway, tls, open, clock, on_fatal, rounds: tokio::sync::Mutex::default() });
        let unwelcome = tokio::spawn(people.clone().run_close_unwelcome(settings.sweep_interval.min(UNWELCOME_EVERY), stop.clone()));
        let upkeep = vec![sweep, unwelcome, tokio::spawn(unused)];
        tracing::info!(address = %local_addr, version = env!("CARGO_PKG_VERSION"), "serving");
        Ok(RunningApp { local_addr, people, reloader: None, connections, stop, server, upkeep })
    }
}

/// An answer that its client has not taken so long after the call's time was up ends the connection.
const UNTAKEN: Duration = Duration::from_secs(60);

/// Closes connections that nothing happens on, and those whose client does not take its answers.
async fn close_unused(open: Arc<OpenConnections>, idle: Duration, call_timeout: Duration, every: Duration, stop: CancellationToken) {
    let mut tick = tokio::time::interval(every);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let idle = open.close_if(|peer| peer.is_idle_for(idle));
        let stuck = open.close_if(|peer| peer.is_stuck_for(call_timeout + UNTAKEN));
        if idle + stuck > 0 {
            tracing::info!(idle, stuck, "closed connections that were idle or whose answers nobody took");
        }
    }
}

/// Between two looks at what time has made unwelcome. Each is a comparison for a connection whose time has not come.
const UNWELCOME_EVERY: Duration = Duration::from_secs(1);

impl People {
    /// Closes what time has made unwelcome: certificates that have run out, issuers whose revocation list is past its grace.
    async fn run_close_unwelcome(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            let closed = self.close_unwelcome().await;
            if closed > 0 {
                tracing::info!(closed, "closed connections whose certificates are no longer accepted");
            }
        }
    }

    /// See [`RunningApp::load_register`].
    async fn load_register(&self, register: &Register, digest: [u8; 32]) -> Result<Loaded, LoadError> {
        let loaded = self.gateway.load_register(register, digest).await?;
        let in_force = self.gateway.store().register();
        let is_active = |identity: &PeerIdentity| {
            tls::resolve(identity, &in_force).is_ok_and(|(participant, _)| participant.standing == Standing::Active)
        };
        let closed = self.open.close_if(|peer| peer.identity().is_ok_and(|identity| !is_active(identity)));
        if let Loaded::Generation(generation) = loaded {
            tracing::info!(generation, participants = in_force.iter().count(), closed, "participant register loaded");
        }
        Ok(loaded)
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
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.people.gateway
    }

    /// Established connections now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.people.open.count()
    }

    /// Shows health and metrics on `listener`, which must be bound to a loopback address, until the stop.
    pub fn open_admin(&mut self, listener: TcpListener) {
        let People { gateway, tls, open, clock, .. } = &*self.people;
        let watched = Watched {
            store: gateway.store().clone(),
            tls: tls.clone(),
            open: open.clone(),
            register_file: gateway.register_file().clone(),
            clock: clock.clone(),
        };
        tracing::info!(address = ?listener.local_addr().ok(), "health and metrics");
        self.upkeep.push(tokio::spawn(admin::serve(listener, watched, self.stop.clone())));
    }

    /// Shows the auditors' pages and the log's tiles on `listener`, under the same TLS settings and bounds as the participants' listener, until the
    /// stop.
    pub fn open_auditor(&mut self, listener: TcpListener) {
        tracing::info!(address = ?listener.local_addr().ok(), "auditors' pages and tiles");
        let People { gateway, tls, open, .. } = &*self.people;
        let observer = Arc::new(Handshakes(gateway.clone()));
        let incoming = tls::accept(listener, tls.clone(), Alpn::H2AndHttp11, self.connections, observer, open.clone());
        let site = Site::new(gateway.clone(), tls.clone());
        self.upkeep.push(tokio::spawn(auditor::serve(incoming, site, self.stop.clone())));
    }

    /// Submits the log's heads to witnesses until the stop.
    pub fn open_witnesses(&mut self, witnesses: Arc<Witnesses>) {
        let People { gateway, clock, .. } = &*self.people;
        gateway.set_witnesses(witnesses.clone());
        let run = witnesses.run(gateway.store().clone(), clock.clone(), self.stop.clone());
        self.upkeep.push(tokio::spawn(run));
    }

    /// Loads a register; in force when this returns. Connections of keys that it no longer enrols, and of participants that it suspends, are
    /// closed, with their streams.
    ///
    /// # Errors
    /// The first rule that an entry breaks; the register in force stays.
    pub async fn load_register(&self, register: &Register, digest: [u8; 32]) -> Result<Loaded, LoadError> {
        self.people.load_register(register, digest).await
    }

    /// Reads the files of the TLS settings and the register at `participants_file` whenever they change, until the stop, and when
    /// [`RunningApp::reload_all`] asks. The log is told which certificates are in force from the start.
    ///
    /// # Errors
    /// The store's.
    pub async fn watch_files(&mut self, participants_file: PathBuf) -> Result<(), StoreError> {
        self.people.gateway.note(Event::TrustLoaded { digest: self.people.tls.digest() }).await?;
        let reloader = reload::Reloader::new(self.people.clone(), participants_file);
        self.upkeep.extend(reloader.watch(reload::LOOK_EVERY, &self.stop));
        self.reloader = Some(reloader);
        Ok(())
    }

    /// Reads every watched file anew; what cannot be used leaves the one in force as it is, and log and audit log say so.
    pub async fn reload_all(&self) {
        if let Some(reloader) = &self.reloader {
            reloader.reload_all().await;
        }
    }

    /// Tells the operator's log of certificates that end soon, those of the CAs in `ca_files` included, until the stop.
    pub fn watch_expiry(&mut self, ca_files: Vec<PathBuf>) {
        self.upkeep.push(tokio::spawn(self.people.clone().watch_expiry(ca_files, self.stop.clone())));
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
        let Self { people, stop, mut server, upkeep, .. } = self;
        let People { gateway, open, .. } = &*people;
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
        gateway.tell_calls(true);
        gateway.flush_sums(true).await?;
        gateway.store().stop().await?;
        tracing::info!("stopped");
        served
    }
}
