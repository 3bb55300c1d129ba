//! What a look at the files waits for, and what is said of what it found.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::app::{App, AppConfig, RunningApp};
use crate::audit::checkpoint::Origin;
use crate::audit::note::LogSigner;
use crate::clock::{MockClock, SeededEntropy};
use crate::config::participants::load_register;
use crate::domain::identity::IdentityMode;
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::gateway::Settings;
use crate::grpc::server::ServerLimits;
use crate::store::RecordFilter;
use crate::store::memory::MemoryStore;
use crate::tls::pki::{DevPki, Existing, dev, development_register};
use crate::tls::{Backoff, ClientFiles, ClientSettings, Connector, Limits, TlsFiles, TlsSettings, Trust};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const TRUST_LOADED: u16 = 7;
const UNIT: &str = "ru-oslo";
/// For what takes no time if it waits for nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway over a folder with a list that names nobody; nothing looks at its files but the test.
struct Bench {
    dir: TempDir,
    pki: DevPki,
    clock: Arc<MockClock>,
    app: RunningApp,
}

impl Bench {
    async fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(MockClock::new(NOW)));
        let pki = dev(dir.path(), NOW, &SeededEntropy::new(5), Existing::Renew, &development_register().unwrap()).unwrap();
        let list = dir.path().join("crl.pem");
        put_list(&pki, &list, 0);
        let files = TlsFiles {
            certificate_file: pki.certificate_file("gateway"),
            key_file: pki.key_file("gateway"),
            client_ca_files: vec![pki.ca_file()],
            issuing_ca_files: Vec::new(),
            crl_files: vec![list],
            crl_grace_millis: DAY_MILLIS,
            trust: Trust::default(),
            marks_file: None,
        };
        let origin: Origin = "log.samband.example/reload".parse().unwrap();
        let signer = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([9; 32]));
        let app = App::start(AppConfig {
            store: Arc::new(MemoryStore::new(origin, signer, clock.clone(), Arc::new(SeededEntropy::new(1)))),
            tls: Arc::new(TlsSettings::load(files, clock.clone()).unwrap()),
            listener: tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(),
            connections: Limits::default(),
            server: ServerLimits::default(),
            gateway: Settings { identity_mode: IdentityMode::Test, ..Settings::default() },
            clock: clock.clone(),
            on_fatal: Arc::new(|what| panic!("{what}")),
        });
        let app = app.await.unwrap();
        app.load_register(&load_register(&pki.participants_file(), 1, &|_| true).unwrap(), [1; 32]).await.unwrap();
        Self { dir, pki, clock, app }
    }

    /// Suspends the unit on disk.
    fn suspend(&self) {
        let file = self.pki.participants_file();
        let mut register: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        let entries = register["participant"].as_array_mut().unwrap();
        let unit = entries.iter_mut().find(|entry| entry["id"].as_str() == Some(UNIT)).unwrap();
        unit.as_table_mut().unwrap().insert("standing".to_owned(), toml::Value::String("suspended".to_owned()));
        files::write(&file, toml::to_string(&register).unwrap().as_bytes(), 0o644).unwrap();
    }

    fn connector(&self) -> Connector {
        let client = ClientFiles {
            certificate_file: self.pki.certificate_file(UNIT),
            key_file: self.pki.key_file(UNIT),
            server_ca_files: vec![self.pki.ca_file()],
        };
        let settings = ClientSettings::load(&client, self.clock.clone()).unwrap();
        Connector::new(&settings, &self.app.local_addr().to_string(), "localhost", Backoff::default()).unwrap()
    }
}

/// A list that names nobody, made `seconds` after the first one.
fn put_list(pki: &DevPki, file: &Path, seconds: i64) {
    let at = NOW.plus_millis(seconds * 1000);
    let list = pki.authority().unwrap().crl(&[], at, at.plus_millis(DAY_MILLIS)).unwrap();
    files::write(file, list.as_bytes(), 0o644).unwrap();
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it happens");
}

async fn look_at_all(reloader: &Reloader) {
    reloader.look_at_register().await;
    reloader.look_at_tls().await;
}

#[tokio::test]
async fn a_suspension_waits_for_no_list_to_be_read() {
    let bench = Bench::new().await;
    let tls = bench.app.people.tls.clone();
    let reloader = Reloader::new(bench.app.people.clone(), bench.pki.participants_file());
    look_at_all(&reloader).await;
    let _client = timeout(PATIENCE, bench.connector().dial()).await.unwrap().unwrap();
    until(|| bench.app.connections() == 1).await;
    // The reading of a list lasts as long as this does; that of two dozen large ones lasts seconds.
    let (begun, has_begun) = oneshot::channel();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let holding = std::thread::spawn({
        let tls = tls.clone();
        move || {
            let _reading = tls.hold();
            begun.send(()).unwrap();
            _ = wait.recv();
        }
    });
    has_begun.await.unwrap();
    let before = tls.digest();
    put_list(&bench.pki, &bench.dir.path().join("crl.pem"), 1);
    let stop = CancellationToken::new();
    let watching = reloader.watch(Duration::from_millis(20), &stop);
    while timeout(Duration::from_millis(500), reloader.tls.lock()).await.is_ok() {}
    bench.suspend();
    until(|| bench.app.connections() == 0).await;
    assert_eq!(tls.digest(), before, "the list is still being read");
    drop(release);
    holding.join().unwrap();
    until(|| tls.digest() != before).await;
    stop.cancel();
    for task in watching {
        timeout(PATIENCE, task).await.expect("it stops").unwrap();
    }
}

#[tokio::test]
async fn a_suspension_waits_for_no_round_over_the_open_connections() {
    let bench = Bench::new().await;
    let people = bench.app.people.clone();
    let reloader = Reloader::new(people.clone(), bench.pki.participants_file());
    let look = async || timeout(PATIENCE, look_at_all(&reloader)).await.expect("no look waits for a round");
    look().await;
    let _client = timeout(PATIENCE, bench.connector().dial()).await.unwrap().unwrap();
    until(|| bench.app.connections() == 1).await;
    // A round that judges and judges.
    let round = people.rounds.lock().await;
    let before = people.tls.digest();
    put_list(&bench.pki, &bench.dir.path().join("crl.pem"), 1);
    for _ in 0..3 {
        look().await;
    }
    assert_ne!(people.tls.digest(), before, "the new list is in force, and a round that follows it waits for the one before");
    assert!(reloader.tls.lock().await.ending.iter().any(|round| !round.is_finished()));
    bench.suspend();
    for _ in 0..3 {
        look().await;
    }
    until(|| bench.app.connections() == 0).await;
    drop(round);
    timeout(PATIENCE, wait_for(std::mem::take(&mut reloader.tls.lock().await.ending))).await.unwrap();
}

#[tokio::test]
async fn what_came_into_force_is_in_the_log_in_the_order_in_which_it_did() {
    let bench = Bench::new().await;
    let people = &bench.app.people;
    let ((first_done, first), (second_done, second)) = (oneshot::channel(), oneshot::channel());
    // The one that came second is done with its round first.
    let mut late = tokio::spawn(people.clone().end_unwelcome([2; 32], Some(first), second_done));
    let early = timeout(Duration::from_millis(200), &mut late).await;
    assert!(early.is_err(), "it waits for the one before");
    people.clone().end_unwelcome([1; 32], None, first_done).await;
    timeout(PATIENCE, late).await.unwrap().unwrap();
    assert!(second.await.is_err(), "the third may go");
    let filter = RecordFilter { kinds: vec![TRUST_LOADED], ..RecordFilter::default() };
    let entries = people.gateway.store().records(&filter, 10).await.unwrap().entries;
    let notes: Vec<_> = entries.into_iter().filter_map(|entry| entry.record?.note).collect();
    assert_eq!(notes, ["01".repeat(32), "02".repeat(32)]);
}

#[test]
fn of_what_is_not_used_the_log_says_whether_the_file_is() {
    let (file, issuer) = (PathBuf::from("crl.pem"), "Issuing CA".to_owned());
    let set_aside = outcome(&TlsError::OldList { file: file.clone(), issuer: issuer.clone() });
    assert!(set_aside.contains("set aside") && set_aside.contains("the rest of the file is used"), "{set_aside}");
    assert_eq!(outcome(&TlsError::OlderList(file.clone())), STAYS);
    assert!(outcome(&TlsError::ListNotVouched { file, issuer }).starts_with("a part of a file is not used"));
}
