//! Real handshakes over loopback TCP: who gets in, who does not and why, and that nobody holds up others.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;
use tokio_stream::StreamExt as _;

use super::acceptor::{Incoming, Limits, accept};
use super::client::{Backoff, ClientFiles, ClientSettings, Connector};
use super::config::{Alpn, TlsClock, TlsError, TlsFiles, TlsSettings, provider, read_roots};
use super::connection::{Connection, HandshakeObserver, HandshakeReason, OpenConnections};
use super::files::{self, FileError};
use super::issue::{CertificateAuthority, Issued, Leaf, Purpose};
use super::peer::IdentityError;
use super::trust::Trust;
use crate::clock::{Clock, MockClock, SeededEntropy};
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::gateway::Rate;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const NUMBER: &str = "800000017";
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Heard(Mutex<Vec<HandshakeReason>>);

impl HandshakeObserver for Heard {
    fn failed(&self, reason: HandshakeReason) {
        self.0.lock().push(reason);
    }
}

impl Heard {
    async fn wait_for(&self, count: usize) -> Vec<HandshakeReason> {
        let _ = timeout(PATIENCE, async {
            while self.0.lock().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        self.0.lock().clone()
    }
}

/// A CA, a gateway's files and a clock that all agree on the time.
struct Bench {
    dir: tempfile::TempDir,
    authority: CertificateAuthority,
    clock: Arc<MockClock>,
    entropy: SeededEntropy,
}

struct Listening {
    address: SocketAddr,
    incoming: Incoming,
    heard: Arc<Heard>,
    open: Arc<OpenConnections>,
    settings: Arc<TlsSettings>,
}

impl Bench {
    fn new() -> Self {
        let entropy = SeededEntropy::new(3);
        let authority = CertificateAuthority::new("Test CA", NOW, &entropy).unwrap();
        let bench = Self { dir: tempfile::tempdir().unwrap(), authority, clock: Arc::new(MockClock::new(NOW)), entropy };
        fs::write(bench.path("ca.pem"), bench.authority.certificate_pem()).unwrap();
        let gateway = bench.issue(&Leaf::server("gateway", &["localhost", "127.0.0.1"], NOW));
        bench.save("gateway", &gateway);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn issue(&self, leaf: &Leaf) -> Issued {
        self.authority.issue(leaf, &self.entropy).unwrap()
    }

    fn save(&self, name: &str, issued: &Issued) -> ClientFiles {
        save(self.dir.path(), name, issued)
    }

    fn files(&self, crl_files: Vec<PathBuf>) -> TlsFiles {
        TlsFiles {
            certificate_file: self.path("gateway.pem"),
            key_file: self.path("gateway.key.pem"),
            client_ca_files: vec![self.path("ca.pem")],
            issuing_ca_files: vec![],
            crl_files,
            crl_grace_millis: 0,
            trust: Trust::default(),
            marks_file: None,
        }
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings::load(self.files(vec![]), self.clock.clone()).unwrap()
    }

    async fn listen(&self) -> Listening {
        self.listen_with(self.settings(), Limits::default()).await
    }

    async fn listen_with(&self, settings: TlsSettings, limits: Limits) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (heard, open, settings) = (Arc::new(Heard::default()), Arc::new(OpenConnections::default()), Arc::new(settings));
        let incoming = accept(listener, settings.clone(), Alpn::H2, limits, heard.clone(), open.clone());
        Listening { address, incoming, heard, open, settings }
    }

    fn connector(&self, issued: &Issued, to: SocketAddr) -> Connector {
        let settings = ClientSettings::load(&self.save("client", issued), self.clock.clone()).unwrap();
        Connector::new(&settings, &to.to_string(), "localhost", Backoff::default()).unwrap()
    }

    fn leaf(&self) -> Leaf {
        Leaf::client("politi-oslo", NUMBER.parse().unwrap(), NOW)
    }
}

/// Settings of a gateway of its own.
pub(super) fn settings() -> Arc<TlsSettings> {
    Arc::new(Bench::new().settings())
}

fn save(dir: &Path, name: &str, issued: &Issued) -> ClientFiles {
    let (certificate_file, key_file) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key.pem")));
    fs::write(&certificate_file, issued.certificate_pem()).unwrap();
    files::write(&key_file, issued.key_pem().as_bytes(), 0o600).unwrap();
    ClientFiles { certificate_file, key_file, server_ca_files: vec![dir.join("ca.pem")] }
}

impl Listening {
    async fn next(&mut self) -> Connection {
        timeout(PATIENCE, self.incoming.next()).await.expect("a connection in time").unwrap().unwrap()
    }
}

/// Whether the gateway refused: a TLS 1.3 client learns it on its first read.
async fn is_refused(connector: &Connector) -> bool {
    match timeout(PATIENCE, connector.dial()).await.unwrap() {
        Err(_) => true,
        Ok(mut stream) => !matches!(timeout(PATIENCE, stream.read(&mut [0; 1])).await, Ok(Ok(1))),
    }
}

async fn dial(connector: &Connector) -> TlsStream<TcpStream> {
    timeout(PATIENCE, connector.dial()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_enterprise_certificate_is_identified_over_tls_1_3_with_the_hybrid_group() {
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let issued = bench.issue(&bench.leaf());
    let mut client = dial(&bench.connector(&issued, gateway.address)).await;
    let mut server = gateway.next().await;
    let identity = server.peer().identity().unwrap();
    assert_eq!((identity.organisation().to_string().as_str(), *identity.key_hash()), (NUMBER, issued.key_hash()));
    assert_eq!(server.alpn(), Some(&b"h2"[..]));
    let (_, session) = client.get_ref();
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(session.negotiated_key_exchange_group().unwrap().name(), rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(session.handshake_kind(), Some(rustls::HandshakeKind::Full));
    client.write_all(b"ping").await.unwrap();
    let mut bytes = [0; 4];
    server.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"ping");
    assert_eq!(gateway.open.count(), 1);
    drop(server);
    assert_eq!(gateway.open.count(), 0);
    assert!(gateway.heard.0.lock().is_empty());
}

#[tokio::test]
async fn no_session_is_resumed_so_that_every_connection_shows_its_certificate() {
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let files = bench.save("client", &bench.issue(&bench.leaf()));
    // As rustls comes, with resumption on, unlike our own clients.
    let config = rustls::ClientConfig::builder_with_details(provider(), Arc::new(TlsClock(bench.clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(read_roots(&files.server_ca_files).unwrap())
        .with_client_auth_cert(
            files::read_certificates(&files.certificate_file).unwrap(),
            files::read_private_key(&files.key_file).unwrap(),
        )
        .unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    for _ in 0..2 {
        let socket = TcpStream::connect(gateway.address).await.unwrap();
        let mut client = connector.connect("localhost".try_into().unwrap(), socket).await.unwrap();
        let mut server = gateway.next().await;
        server.write_all(b"x").await.unwrap();
        // A ticket would come before the first byte.
        client.read_exact(&mut [0; 1]).await.unwrap();
        assert_eq!(client.get_ref().1.tls13_tickets_received(), 0);
        assert_eq!(client.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn a_listener_for_browsers_speaks_http_1_1_too_and_the_other_does_not() {
    let bench = Bench::new();
    let files = bench.save("client", &bench.issue(&bench.leaf()));
    let mut config = rustls::ClientConfig::builder_with_details(provider(), Arc::new(TlsClock(bench.clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(read_roots(&files.server_ca_files).unwrap())
        .with_client_auth_cert(
            files::read_certificates(&files.certificate_file).unwrap(),
            files::read_private_key(&files.key_file).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let browsers = listener.local_addr().unwrap();
    let (heard, open) = (Arc::new(Heard::default()), Arc::new(OpenConnections::default()));
    let mut incoming = accept(listener, Arc::new(bench.settings()), Alpn::H2AndHttp11, Limits::default(), heard, open);
    let _client = connector.connect("localhost".try_into().unwrap(), TcpStream::connect(browsers).await.unwrap()).await.unwrap();
    let server = timeout(PATIENCE, incoming.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(server.alpn(), Some(&b"http/1.1"[..]));
    let gateway = bench.listen().await;
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    assert!(connector.connect("localhost".try_into().unwrap(), socket).await.is_err());
    assert_eq!(gateway.heard.wait_for(1).await, [HandshakeReason::Protocol]);
}

#[tokio::test]
async fn each_certificate_of_a_wrong_kind_is_refused_with_its_reason() {
    let bench = Bench::new();
    let leaf = bench.leaf();
    let day = |days: i64| NOW.plus_millis(days * DAY_MILLIS);
    let stranger = CertificateAuthority::new("Other CA", NOW, &bench.entropy).unwrap();
    let namesake = CertificateAuthority::new("Test CA", NOW, &bench.entropy).unwrap();
    let cases = [
        (stranger.issue(&leaf, &bench.entropy).unwrap(), HandshakeReason::UnknownIssuer),
        (namesake.issue(&leaf, &bench.entropy).unwrap(), HandshakeReason::UnknownIssuer),
        (bench.issue(&Leaf { not_before: day(-9), not_after: day(-1), ..leaf.clone() }), HandshakeReason::Expired),
        (bench.issue(&Leaf { not_before: day(1), ..leaf.clone() }), HandshakeReason::NotYetValid),
        (bench.issue(&Leaf { purpose: Purpose::Server, ..leaf.clone() }), HandshakeReason::WrongPurpose),
    ];
    for (issued, reason) in cases {
        let gateway = bench.listen().await;
        assert!(is_refused(&bench.connector(&issued, gateway.address)).await, "{reason:?}");
        assert_eq!(gateway.heard.wait_for(1).await, [reason]);
        assert_eq!(gateway.open.count(), 0);
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let bench = Bench::new();
    let gateway = bench.listen().await;
    let settings = ClientSettings::without_certificate(&[bench.path("ca.pem")], bench.clock.clone()).unwrap();
    let connector = Connector::new(&settings, &gateway.address.to_string(), "localhost", Backoff::default()).unwrap();
    assert!(is_refused(&connector).await);
    assert_eq!(gateway.heard.wait_for(1).await, [HandshakeReason::NoCertificate]);
}

#[tokio::test]
async fn a_certificate_of_a_known_ca_that_is_nobody_connects_and_carries_its_reason() {
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let with =
        |identifiers: &[&str]| Leaf { organisation_identifiers: identifiers.iter().map(|it| (*it).to_owned()).collect(), ..bench.leaf() };
    let cases = [
        (with(&[]), IdentityError::NoOrganisationNumber),
        (with(&["NTRNO-800000017", "NTRNO-800000114"]), IdentityError::SeveralOrganisationNumbers),
        (with(&["NTRNO-800000018"]), IdentityError::BadOrganisationNumber),
        (Leaf { subject_serial_number: Some("UN:NO-9578-4050-1".to_owned()), ..bench.leaf() }, IdentityError::PersonalCertificate),
        (Leaf { purpose: Purpose::Encryption, ..bench.leaf() }, IdentityError::WrongKeyUsage),
    ];
    for (leaf, reason) in cases {
        let connector = bench.connector(&bench.issue(&leaf), gateway.address);
        let _client = dial(&connector).await;
        assert_eq!(gateway.next().await.peer().identity().unwrap_err(), reason);
    }
    assert!(gateway.heard.0.lock().is_empty());
}

#[tokio::test]
async fn tls_1_2_is_refused() {
    let bench = Bench::new();
    let gateway = bench.listen().await;
    let files = bench.save("client", &bench.issue(&bench.leaf()));
    let run = |version: &'static str| {
        let mut command = std::process::Command::new("openssl");
        command.args(["s_client", "-connect", &gateway.address.to_string(), version, "-cert"]);
        command.arg(&files.certificate_file).arg("-key").arg(&files.key_file).stdin(std::process::Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output());
        async move {
            let output = timeout(PATIENCE, output).await.unwrap().unwrap().expect("this test needs the openssl command (package openssl)");
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        }
    };
    let refused = run("-tls1_2").await;
    assert!(refused.contains("alert protocol version"), "{refused}");
    assert_eq!(gateway.heard.wait_for(1).await, [HandshakeReason::Protocol]);
    let accepted = run("-tls1_3").await;
    assert!(accepted.contains("TLSv1.3") && !accepted.contains("alert"), "the same client with 1.3 gets in: {accepted}");
}

#[tokio::test]
async fn two_hundred_silent_sockets_delay_nobody_and_are_closed_in_time() {
    let bench = Bench::new();
    let limits = Limits { handshake_timeout: Duration::from_secs(4), ..Limits::default() };
    let mut gateway = bench.listen_with(bench.settings(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(gateway.address).await.unwrap());
    }
    let begun = Instant::now();
    let _client = dial(&bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await;
    let _server = gateway.next().await;
    assert!(begun.elapsed() < Duration::from_millis(2500), "{:?}", begun.elapsed());
    assert!(gateway.heard.0.lock().is_empty(), "the silent ones were still waiting");
    let heard = gateway.heard.wait_for(200).await;
    assert_eq!(heard, vec![HandshakeReason::Timeout; 200]);
    for mut socket in silent {
        assert!(matches!(timeout(PATIENCE, socket.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn when_all_places_are_taken_the_oldest_silent_one_makes_way() {
    let bench = Bench::new();
    let limits = Limits { handshakes_per_address_max: 4, ..Limits::default() };
    let mut gateway = bench.listen_with(bench.settings(), limits).await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(gateway.address).await.unwrap());
    }
    assert_eq!(gateway.heard.wait_for(6).await, vec![HandshakeReason::Limit; 6]);
    let _client = dial(&bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await;
    let _server = gateway.next().await;
}

#[tokio::test]
async fn established_connections_are_bounded_in_all_and_by_address() {
    for limits in [Limits { connections_max: 1, ..Limits::default() }, Limits { connections_per_address_max: 1, ..Limits::default() }] {
        let bench = Bench::new();
        let mut gateway = bench.listen_with(bench.settings(), limits).await;
        let connector = bench.connector(&bench.issue(&bench.leaf()), gateway.address);
        let _first = dial(&connector).await;
        let held = gateway.next().await;
        // An idle one would make way.
        let working = held.peer().begin(true);
        assert!(is_refused(&connector).await);
        assert_eq!(gateway.heard.wait_for(1).await, [HandshakeReason::Limit]);
        drop((working, held));
        let _third = dial(&connector).await;
        let _room_again = gateway.next().await;
    }
}

#[tokio::test]
async fn an_idle_connection_makes_way_first_one_that_never_made_a_call() {
    let few = [
        Limits { connections_max: 3, ..Limits::default() },
        Limits { connections_per_address_max: 3, ..Limits::default() },
        Limits { idle_connections_per_address_max: 2, ..Limits::default() },
    ];
    for limits in few {
        let bench = Bench::new();
        let mut gateway = bench.listen_with(bench.settings(), limits).await;
        let connector = bench.connector(&bench.issue(&bench.leaf()), gateway.address);
        let mut held = Vec::new();
        for _ in 0..3 {
            let client = dial(&connector).await;
            let server = gateway.next().await;
            if held.is_empty() {
                drop(server.peer().begin(false));
            }
            if held.len() == 1 {
                held.push((client, server.peer().clone(), Some(server.peer().begin(true)), server));
            } else {
                held.push((client, server.peer().clone(), None, server));
            }
        }
        let _newest = dial(&connector).await;
        let newest = gateway.next().await;
        let closed: Vec<bool> = held.iter().map(|(_, peer, ..)| peer.is_closed()).collect();
        assert_eq!(closed, [false, false, true], "served, at work, never served: {limits:?}");
        assert!(!newest.peer().is_closed());
        assert!(gateway.heard.0.lock().is_empty(), "making way for others is no refusal");
    }
}

#[tokio::test]
async fn new_sockets_of_one_address_have_a_rate_and_those_beyond_it_are_closed_unread() {
    let bench = Bench::new();
    let limits = Limits { handshakes_per_address: Rate::per_second(2, 1), ..Limits::default() };
    let mut gateway = bench.listen_with(bench.settings(), limits).await;
    let connector = bench.connector(&bench.issue(&bench.leaf()), gateway.address);
    for _ in 0..2 {
        let _client = dial(&connector).await;
        let _server = gateway.next().await;
    }
    assert!(is_refused(&connector).await);
    assert_eq!(gateway.heard.wait_for(1).await, [HandshakeReason::Limit]);
    bench.clock.advance_millis(1_000);
    let _client = dial(&connector).await;
    let _server = gateway.next().await;
}

#[tokio::test]
async fn a_client_that_sends_faster_than_its_pace_is_read_more_slowly() {
    let bench = Bench::new();
    let limits = Limits { received_bytes_per_key_per_s: 100_000, ..Limits::default() };
    let mut gateway = bench.listen_with(bench.settings(), limits).await;
    let mut client = dial(&bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await;
    let mut server = gateway.next().await;
    let begun = Instant::now();
    let writer = tokio::spawn(async move { client.write_all(&[b'x'; 300_000]).await });
    // In pieces, as HTTP/2 reads.
    let mut piece = [0; 8 * 1024];
    let mut left = 300_000;
    while left > 0 {
        left -= timeout(PATIENCE, server.read(&mut piece)).await.unwrap().unwrap();
    }
    // A second's worth at once, and what comes after it at its pace; a slow machine only takes longer.
    assert!(begun.elapsed() >= Duration::from_millis(1_000), "{:?}", begun.elapsed());
    writer.await.unwrap().unwrap();
}

/// Why the one bad file is not in force.
fn refusal(settings: &TlsSettings) -> TlsError {
    let mut taken = settings.reload();
    assert!(taken.changed.is_none() && taken.refused.len() == 1, "{taken:?}");
    taken.refused.remove(0).error
}

#[tokio::test]
async fn a_reload_of_garbage_keeps_the_settings_in_force() {
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let connector = bench.connector(&bench.issue(&bench.leaf()), gateway.address);
    let good = |name: &str| fs::read(bench.path(name)).unwrap();
    let (certificate, key) = (good("gateway.pem"), good("gateway.key.pem"));

    fs::write(bench.path("gateway.pem"), "-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n").unwrap();
    assert!(matches!(refusal(&gateway.settings), TlsError::File(FileError::Pem { .. })));
    fs::write(bench.path("gateway.pem"), &certificate).unwrap();

    let other = bench.issue(&bench.leaf());
    files::write(&bench.path("gateway.key.pem"), other.key_pem().as_bytes(), 0o600).unwrap();
    assert!(matches!(refusal(&gateway.settings), TlsError::KeyMismatch { .. }));

    files::write(&bench.path("gateway.key.pem"), &key, 0o640).unwrap();
    assert!(matches!(refusal(&gateway.settings), TlsError::File(FileError::Mode { .. })));

    fs::remove_file(bench.path("ca.pem")).unwrap();
    files::write(&bench.path("gateway.key.pem"), &key, 0o600).unwrap();
    assert!(matches!(refusal(&gateway.settings), TlsError::File(FileError::Io { .. })));

    let _client = dial(&connector).await;
    let _server = gateway.next().await;
    fs::write(bench.path("ca.pem"), bench.authority.certificate_pem()).unwrap();
    assert!(gateway.settings.reload().refused.is_empty());
}

#[tokio::test]
async fn a_reload_takes_a_new_authority_into_force() {
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let stranger = CertificateAuthority::new("New CA", NOW, &bench.entropy).unwrap();
    let connector = bench.connector(&stranger.issue(&bench.leaf(), &bench.entropy).unwrap(), gateway.address);
    assert!(is_refused(&connector).await);
    let both = [bench.authority.certificate_pem(), stranger.certificate_pem()].concat();
    fs::write(bench.path("ca.pem"), both).unwrap();
    assert!(gateway.settings.reload().changed.is_some());
    let _client = dial(&connector).await;
    let _server = gateway.next().await;
}

#[tokio::test]
async fn a_closed_connection_takes_no_more_writes() {
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let _client = dial(&bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await;
    let mut server = gateway.next().await;
    server.write_all(b"x").await.unwrap();
    server.peer().close();
    assert_eq!(server.write_all(b"x").await.unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
    assert_eq!(server.flush().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn dropping_the_stream_stops_the_listener() {
    let bench = Bench::new();
    let gateway = bench.listen().await;
    drop(gateway.incoming);
    let refused = timeout(PATIENCE, async {
        while TcpStream::connect(gateway.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    refused.await.expect("the port is free again");
}

#[tokio::test]
async fn a_client_checks_the_name_and_the_issuer_of_the_gateway() {
    let bench = Bench::new();
    let gateway = bench.listen().await;
    let files = bench.save("client", &bench.issue(&bench.leaf()));
    let settings = ClientSettings::load(&files, bench.clock.clone()).unwrap();
    let to = |name: &str| Connector::new(&settings, &gateway.address.to_string(), name, Backoff::default());
    assert!(to("127.0.0.1").unwrap().dial().await.is_ok());
    assert!(to("samband.example").unwrap().dial().await.is_err());
    assert!(matches!(to("not a name"), Err(TlsError::ServerName)));
    let stranger = CertificateAuthority::new("Other CA", NOW, &bench.entropy).unwrap();
    fs::write(bench.path("other.pem"), stranger.certificate_pem()).unwrap();
    let settings =
        ClientSettings::load(&ClientFiles { server_ca_files: vec![bench.path("other.pem")], ..files }, bench.clock.clone()).unwrap();
    assert!(Connector::new(&settings, &gateway.address.to_string(), "localhost", Backoff::default()).unwrap().dial().await.is_err());
}

#[tokio::test]
async fn settings_without_an_authority_are_refused() {
    let bench = Bench::new();
    let clock: Arc<dyn Clock> = bench.clock.clone();
    let files = TlsFiles { client_ca_files: vec![], ..bench.files(vec![]) };
    assert!(matches!(TlsSettings::load(files, clock), Err(TlsError::NoAuthority)));
}

mod apart;
mod generations;
mod kinds;
mod life;
mod turns;
mod vouched;

mod with_tonic {
    use tonic::service::InterceptorLayer;
    use tonic::transport::{Endpoint, Server};
    use tonic::{Code, Request, Status};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    use super::*;
    use crate::tls::PeerInfo;

    fn check(request: Request<()>) -> Result<Request<()>, Status> {
        let peer = request.extensions().get::<PeerInfo>().ok_or_else(|| Status::internal("no peer"))?;
        peer.identity().map_err(|error| Status::permission_denied(error.as_reason()))?;
        Ok(request)
    }

    fn serve(incoming: Incoming) {
        let (_, health) = tonic_health::server::health_reporter();
        tokio::spawn(Server::builder().layer(InterceptorLayer::new(check)).add_service(health).serve_with_incoming(incoming));
    }

    async fn call(connector: Connector) -> Result<(), Status> {
        let channel = Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector);
        let mut client = HealthClient::new(channel);
        timeout(PATIENCE, client.check(HealthCheckRequest { service: String::new() })).await.expect("an answer in time").map(drop)
    }

    #[tokio::test]
    async fn handlers_see_the_peer_and_answer_nobody_with_permission_denied() {
        let bench = Bench::new();
        let gateway = bench.listen().await;
        serve(gateway.incoming);
        call(bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await.unwrap();
        let nobody = bench.issue(&Leaf { organisation_identifiers: vec![], ..bench.leaf() });
        let status = call(bench.connector(&nobody, gateway.address)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "NO_ORGANISATION_NUMBER"));
    }

    #[tokio::test]
    async fn a_refused_client_does_not_dial_in_a_tight_loop() {
        let bench = Bench::new();
        let gateway = bench.listen().await;
        serve(gateway.incoming);
        let stranger = CertificateAuthority::new("Other CA", NOW, &bench.entropy).unwrap();
        let connector = bench.connector(&stranger.issue(&bench.leaf(), &bench.entropy).unwrap(), gateway.address);
        let channel = Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1000) {
            let mut client = HealthClient::new(channel.clone());
            let _ = timeout(Duration::from_millis(1000), client.check(HealthCheckRequest { service: String::new() })).await;
        }
        let dials = gateway.heard.0.lock().len();
        assert!((1..=6).contains(&dials), "{dials} dials");
    }
}
