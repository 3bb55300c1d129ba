//! How fast messages become receipts: submit-to-receipt over mutual TLS on loopback, durable, unique messages, beside what bounds it.
//!
//! `cargo bench --bench relay [-- --seconds 4 --in-flight 1,16,64,256 --connections 4 --dir DIR]`
//!
//! In the same run and on the same disk: T, one fdatasync of a frame appended to a file; R, the same server answering without a store.
//! The goal that it prints against: at 64 in flight at least 60 % of 64 / (64 / R + 2 T). Client and server share this machine's cores.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage};
use samband::app::{App, AppConfig};
use samband::audit::checkpoint::{Checkpoint, Origin};
use samband::audit::event::ItemNumber;
use samband::audit::note::LogSigner;
use samband::audit::range::OpenEntry;
use samband::audit::tree::{Frontier, Hash};
use samband::clock::{Clock, SystemClock, SystemEntropy};
use samband::config::participants::load_register;
use samband::domain::id::{CaseRef, MessageId, ParticipantId};
use samband::domain::identity::IdentityMode;
use samband::domain::participant::{Contact, Register};
use samband::domain::time::Timestamp;
use samband::gateway::Settings;
use samband::grpc::pb;
use samband::grpc::pb::prosecution_service_client::ProsecutionServiceClient;
use samband::grpc::server::ServerLimits;
use samband::policy::command::Command;
use samband::store::embedded::{DiskBounds, EmbeddedStore, JournalBounds, Options, RealDisk, end_process};
use samband::store::{
    Accepted, Cursor, Due, EntryProof, Item, Outcome, OverdueAfter, Page, RecordFilter, Stats, StatusEntry, Store, StoreError,
};
use samband::tls::pki::{DevPki, Existing, dev, development_register};
use samband::tls::{Backoff, ClientSettings, Connector, Limits, TlsSettings};
use tonic::transport::{Channel, Endpoint};

/// Answers every message at once with a receipt of the usual size; keeps nothing.
struct NoStore {
    register: Arc<Register>,
    durable: tokio::sync::watch::Sender<u64>,
    receipt: Bytes,
}

#[async_trait]
impl Store for NoStore {
    async fn act(&self, command: Command) -> Result<Outcome, StoreError> {
        Ok(match command {
            Command::Submit { .. } => Outcome::Accepted(Accepted {
                index: 1,
                accepted_at: SystemClock.now(),
                case_ref: Some(CaseRef::from_bytes([1; 10])),
                requisition_id: None,
                receipt: self.receipt.clone(),
            }),
            _ => Outcome::Done { events: 0 },
        })
    }
    fn register(&self) -> Arc<Register> {
        Arc::clone(&self.register)
    }
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
    async fn waiting(&self, _: &ParticipantId, _: Option<ItemNumber>, _: usize) -> Result<Vec<Item>, StoreError> {
        Ok(Vec::new())
    }
    async fn content(&self, _: ItemNumber) -> Result<Option<Bytes>, StoreError> {
        Ok(None)
    }
    async fn status(&self, _: &ParticipantId, _: MessageId) -> Result<Option<StatusEntry>, StoreError> {
        Ok(None)
    }
    async fn changes(&self, _: &ParticipantId, _: Cursor, _: usize) -> Result<Vec<StatusEntry>, StoreError> {
        Ok(Vec::new())
    }
    async fn receipt(&self, _: &ParticipantId, _: MessageId) -> Result<Option<Accepted>, StoreError> {
        Ok(None)
    }
    async fn contact(&self, _: &ParticipantId) -> Result<Option<Contact>, StoreError> {
        Ok(None)
    }
    async fn was_enrolled(&self, _: &ParticipantId) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn is_needed(&self, _: &ParticipantId) -> Result<bool, StoreError> {
        Ok(false)
    }
    async fn due(&self, _: Timestamp, _: OverdueAfter, _: usize) -> Result<Due, StoreError> {
        Ok(Due::default())
    }
    fn durable(&self) -> tokio::sync::watch::Receiver<u64> {
        self.durable.subscribe()
    }
    async fn checkpoint(&self) -> Result<Bytes, StoreError> {
        Ok(Bytes::new())
    }
    async fn records(&self, _: &RecordFilter, _: usize) -> Result<Page, StoreError> {
        Ok(Page { entries: Vec::new(), next_index: None, erased: 0 })
    }
    async fn entries_of(&self, _: MessageId, _: usize) -> Result<Vec<u64>, StoreError> {
        Ok(Vec::new())
    }
    async fn prove(&self, _: u64) -> Result<Option<EntryProof>, StoreError> {
        Ok(None)
    }
    async fn consistency(&self, _: u64, _: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        Ok(None)
    }
    async fn published(&self) -> Result<(Bytes, Checkpoint), StoreError> {
        Err(StoreError::Stopped)
    }
    async fn entries(&self, _: u64, _: u64) -> Result<Vec<OpenEntry>, StoreError> {
        Ok(Vec::new())
    }
    async fn edge(&self, _: u64) -> Result<Option<Frontier>, StoreError> {
        Ok(None)
    }
    async fn first_not_before(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }
    async fn stats(&self) -> Result<Stats, StoreError> {
        Ok(Stats::default())
    }
    async fn stop(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

struct Wishes {
    seconds: u64,
    in_flight: Vec<usize>,
    connections: usize,
    dir: PathBuf,
}

fn wishes() -> Wishes {
    let mut wishes = Wishes {
        seconds: 4,
        in_flight: vec![1, 16, 64, 256],
        connections: 4,
        dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-relay"),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("every option has a value");
        match argument.as_str() {
            "--seconds" => wishes.seconds = value().parse().expect("a number of seconds"),
            "--in-flight" => wishes.in_flight = value().split(',').map(|n| n.parse().expect("numbers with commas")).collect(),
            "--connections" => wishes.connections = value().parse().expect("a number of connections"),
            "--dir" => wishes.dir = value().into(),
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    wishes
}

/// Seconds of one append and fdatasync of `bytes`: the median of many.
fn sync_seconds(dir: &Path, bytes: usize) -> f64 {
    let path = dir.join("fdatasync");
    let mut file = File::create(&path).expect("the bench folder is writable");
    let frame = vec![0x5a; bytes];
    let mut times: Vec<f64> = (0..400)
        .map(|_| {
            file.write_all(&frame).expect("the bench disk has room");
            let start = Instant::now();
            file.sync_data().expect("the bench disk syncs");
            start.elapsed().as_secs_f64()
        })
        .collect();
    let _ = std::fs::remove_file(&path);
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn notice() -> pb::ConditionNotice {
    let pool = DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("the descriptor set is built in");
    let descriptor = pool.get_message_by_name("samband.v1.ConditionNotice").expect("it is one of the three");
    let text = include_str!("../samples/notice-both.json");
    let mut json = serde_json::Deserializer::from_str(text);
    DynamicMessage::deserialize(descriptor, &mut json).expect("the sample is a notice").transcode_to().expect("by the same descriptor")
}

struct Run {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

async fn load(channels: &[Channel], in_flight: usize, seconds: u64, next: &Arc<AtomicU64>) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let notice = notice();
    let tasks: Vec<_> = (0..in_flight)
        .map(|n| {
            let (stop, next, notice) = (stop.clone(), next.clone(), notice.clone());
            let mut client = ProsecutionServiceClient::new(channels[n % channels.len()].clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let mut random = [0; 10];
                    random[2..].copy_from_slice(&next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                    let request = pb::SendConditionNoticeRequest {
                        message_id: MessageId::new(SystemClock.now(), random).to_string(),
                        content_salt: Bytes::from_static(&[7; 32]),
                        replaces: None,
                        validate_only: false,
                        body: Some(pb::send_condition_notice_request::Body::Content(notice.clone())),
                    };
                    let start = Instant::now();
                    client.send_condition_notice(request).await.expect("every message is accepted");
                    times.push(start.elapsed().as_secs_f64() * 1000.0);
                }
                times
            })
        })
        .collect();
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a client task does not panic"));
    }
    let elapsed = start.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Run { per_second: times.len() as f64 / elapsed, p50_ms: at(0.5), p99_ms: at(0.99) }
}

async fn serve(store: Arc<dyn Store>, pki: &DevPki) -> (samband::app::RunningApp, std::net::SocketAddr) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let rate = samband::gateway::Rate { burst: u32::MAX, every_micros: 1 };
    let app = App::start(AppConfig {
        store,
        tls: Arc::new(TlsSettings::load(pki.gateway_files(), clock.clone()).expect("the development PKI was just made")),
        listener,
        connections: Limits::default(),
        server: ServerLimits::default(),
        gateway: Settings { identity_mode: IdentityMode::Test, calls: rate, ..Settings::default() },
        clock,
    });
    let app = app.await.expect("the gateway starts");
    let address = app.local_addr();
    (app, address)
}

fn channels(pki: &DevPki, address: std::net::SocketAddr, count: usize) -> Vec<Channel> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = ClientSettings::load(&pki.client_files("politi-oslo"), clock).expect("its certificate");
    let channel = |_| {
        let connector = Connector::new(&settings, &address.to_string(), "localhost", Backoff::default()).expect("a valid name");
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
    };
    (0..count).map(channel).collect()
}

#[tokio::main]
async fn main() {
    let wishes = wishes();
    let _ = std::fs::remove_dir_all(&wishes.dir);
    std::fs::create_dir_all(&wishes.dir).expect("the bench folder can be made");
    let pki = dev(
        &wishes.dir.join("pki"),
        SystemClock.now(),
        &SystemEntropy::default(),
        Existing::Keep,
        &development_register().expect("the development register holds"),
    )
    .expect("a development PKI");
    let register = load_register(&pki.participants_file(), 1, &|_| true).expect("its register");
    let next = Arc::new(AtomicU64::new(1));

    let no_store = Arc::new(NoStore {
        register: Arc::new(register.clone()),
        durable: tokio::sync::watch::Sender::new(0),
        receipt: Bytes::from(vec![b'x'; 1800]),
    });
    let (bare, bare_address) = serve(no_store, &pki).await;
    let bare_channels = channels(&pki, bare_address, wishes.connections);

    let origin: Origin = "bench.samband.example/log".parse().expect("a valid origin");
    let store = EmbeddedStore::open(Options {
        dir: wishes.dir.join("data"),
        origin: origin.clone(),
        storage_key: zeroize::Zeroizing::new([1; 32]),
        log_signer: LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([2; 32])),
        high_water_file: wishes.dir.join("high-water"),
        erase_within_millis: 86_400_000,
        records_keep_months: 24,
        files: Arc::new(RealDisk),
        disk: DiskBounds { low_water: 0, reserve: 0 },
        journal: JournalBounds::default(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::default()),
        version: "bench".into(),
        test_mode: true,
        previous_checkpoint: None,
        on_fatal: end_process(),
    })
    .expect("a new store");
    let (app, address) = serve(store, &pki).await;
    app.load_register(&register, [1; 32]).await.expect("the development register");
    let channels = channels(&pki, address, wishes.connections);

    println!("in flight   fdatasync of a frame   no store: msgs/s p50 p99 ms     durable: msgs/s p50 p99 ms     goal 60 % of bound");
    for in_flight in &wishes.in_flight {
        let warm = 1.min(wishes.seconds);
        load(&bare_channels, *in_flight, warm, &next).await;
        load(&channels, *in_flight, warm, &next).await;
        let before = sync_seconds(&wishes.dir, in_flight * 2500);
        let bare_run = load(&bare_channels, *in_flight, wishes.seconds, &next).await;
        let run = load(&channels, *in_flight, wishes.seconds, &next).await;
        let after = sync_seconds(&wishes.dir, in_flight * 2500);
        let sync = f64::midpoint(before, after);
        let n = *in_flight as f64;
        let bound = n / (n / bare_run.per_second + 2.0 * sync);
        println!(
            "{in_flight:>9}   {:>8.3} ms ({:>6.0}/s)   {:>8.0} {:>6.2} {:>6.2}     {:>8.0} {:>6.2} {:>6.2}     {:>8.0}: {:.0} % of bound",
            sync * 1000.0,
            1.0 / sync,
            bare_run.per_second,
            bare_run.p50_ms,
            bare_run.p99_ms,
            run.per_second,
            run.p50_ms,
            run.p99_ms,
            bound * 0.6,
            100.0 * run.per_second / bound,
        );
    }
    let _ = bare.shutdown(Duration::from_secs(2)).await;
    let _ = app.shutdown(Duration::from_secs(5)).await;
    let _ = std::fs::remove_dir_all(&wishes.dir);
}
