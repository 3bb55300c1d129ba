//! Our own clients: a connector for tonic's `Endpoint` that shows a certificate, checks the gateway's name and cannot dial in a tight loop.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::clock::Clock;

use super::config::{TlsClock, TlsError, mismatch, provider, read_roots};
use super::files;

/// A dial, from TCP to the end of the handshake, takes no longer than this.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The files that a client's settings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// PEM: the participant's certificate, then its intermediates.
    pub certificate_file: PathBuf,
    /// PEM: the private key, mode 0600.
    pub key_file: PathBuf,
    /// PEM: the CAs that may issue the gateway's certificate.
    pub server_ca_files: Vec<PathBuf>,
}

/// A client's TLS settings: TLS 1.3 only, X25519MLKEM768 first, its certificate always shown.
#[derive(Clone)]
pub struct ClientSettings(Arc<ClientConfig>);

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSettings")
    }
}

impl ClientSettings {
    /// Reads all files and builds the settings.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn load(files: &ClientFiles, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let ClientFiles { certificate_file, key_file, server_ca_files } = files;
        let chain = files::read_certificates(certificate_file)?;
        let key = files::read_private_key(key_file)?;
        let mut config = builder(server_ca_files, clock)?
            .with_client_auth_cert(chain, key)
            .map_err(|error| mismatch(error, certificate_file, key_file))?;
        finish(&mut config);
        Ok(Self(Arc::new(config)))
    }

    /// Settings of a client that has no certificate; the gateway refuses it. For tests and probes.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn without_certificate(server_ca_files: &[PathBuf], clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let mut config = builder(server_ca_files, clock)?.with_no_client_auth();
        finish(&mut config);
        Ok(Self(Arc::new(config)))
    }
}

fn builder(
    server_ca_files: &[PathBuf],
    clock: Arc<dyn Clock>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsError> {
    Ok(ClientConfig::builder_with_details(provider(), Arc::new(TlsClock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(read_roots(server_ca_files)?))
}

fn finish(config: &mut ClientConfig) {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
}

/// The pauses between dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The least time between two dials; doubled with each dial that soon follows another.
    pub first: Duration,
    /// The longest pause before jitter.
    pub max: Duration,
    /// Where the jitter begins, so that many clients do not dial in step; any number, different for each client.
    pub seed: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), max: Duration::from_secs(5), seed: 0 }
    }
}

impl Backoff {
    /// The pause after the dial number `dial` of a series, from 0: doubled each time, plus up to half of it as jitter.
    fn pause(&self, dial: u32) -> Duration {
        let base = self.first.saturating_mul(1_u32.checked_shl(dial.min(16)).unwrap_or(u32::MAX)).min(self.max);
        let half = u64::try_from(base.as_millis() / 2).unwrap_or(u64::MAX).max(1);
        base + Duration::from_millis(scatter(self.seed.wrapping_add(u64::from(dial))) % half)
    }
}

/// Spreads a counter over all 64 bits (the finaliser of SplitMix64).
const fn scatter(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// When the next dial may begin.
#[derive(Debug, Default)]
struct Schedule {
    next: Option<Instant>,
    dials: u32,
}

impl Schedule {
    /// The instant for a dial asked for at `now`, and the pause after it. A series ends when twice the longest pause went by without a dial.
    fn book(&mut self, now: Instant, backoff: &Backoff) -> Instant {
        let at = match self.next {
            Some(next) if now <= next + backoff.max * 2 => next.max(now),
            _ => {
                self.dials = 0;
                now
            }
        };
        self.next = Some(at + backoff.pause(self.dials));
        self.dials = self.dials.saturating_add(1);
        at
    }
}

/// Dials the gateway for a tonic `Endpoint`: `endpoint.connect_with_connector_lazy(connector)`, with an `http://` address, as the connector
/// does the TLS itself. One connector a channel: its clones share the pauses between dials.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    address: Arc<str>,
    name: ServerName<'static>,
    backoff: Backoff,
    schedule: Arc<Mutex<Schedule>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("address", &self.address).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector to `address` (`host:port`), whose certificate must be valid for `server_name` (a DNS name or an IP address).
    ///
    /// # Errors
    /// [`TlsError::ServerName`].
    pub fn new(settings: &ClientSettings, address: &str, server_name: &str, backoff: Backoff) -> Result<Self, TlsError> {
        let name = ServerName::try_from(server_name.to_owned()).map_err(|_| TlsError::ServerName)?;
        Ok(Self { tls: settings.0.clone().into(), address: address.into(), name, backoff, schedule: Arc::default() })
    }

    /// Dials once, after the pause that is due.
    ///
    /// # Errors
    /// TCP or TLS failed, or took longer than ten seconds. A gateway that refuses the certificate says so on the first read only.
    pub async fn dial(&self) -> io::Result<TlsStream<TcpStream>> {
        let at = self.schedule.lock().book(Instant::now(), &self.backoff);
        tokio::time::sleep_until(at).await;
        let dialled = tokio::time::timeout(DIAL_TIMEOUT, async {
            let socket = TcpStream::connect(self.address.as_ref()).await?;
            socket.set_nodelay(true)?;
            self.tls.connect(self.name.clone(), socket).await
        });
        dialled.await.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the gateway did not answer within ten seconds"))?
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The address is the connector's own; the URI only names the authority in requests.
    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.dial().await.map(TokioIo::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dials_that_follow_each_other_wait_ever_longer_and_a_late_one_not_at_all() {
        let backoff = Backoff { seed: 7, ..Backoff::default() };
        let mut schedule = Schedule::default();
        let start = Instant::now();
        let mut before = schedule.book(start, &backoff);
        assert_eq!(before, start, "the first dial begins at once");
        let mut pauses = Vec::new();
        for _ in 0..12 {
            let at = schedule.book(before, &backoff);
            pauses.push(at - before);
            before = at;
        }
        assert!(pauses.iter().all(|pause| *pause >= backoff.first && *pause <= backoff.max * 3 / 2), "{pauses:?}");
        assert!(pauses[4] > pauses[0] * 4, "{pauses:?}");
        let late = before + backoff.max * 4;
        assert_eq!(schedule.book(late, &backoff), late);
        let next = schedule.book(late, &backoff);
        assert!(next - late < backoff.first * 2, "a new series begins with the shortest pause");
    }

    #[test]
    fn two_clients_do_not_dial_in_step() {
        let one = Backoff { seed: 1, ..Backoff::default() };
        let two = Backoff { seed: 2, ..Backoff::default() };
        assert!((0..8).any(|dial| one.pause(dial) != two.pause(dial)));
    }
}
