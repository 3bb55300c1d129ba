//! One gateway on port 0 with a development PKI, a clock that stands still and seeded randomness; and clients for each role.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage};
use samband::app::{App, AppConfig, RunningApp};
use samband::audit::checkpoint::Origin;
use samband::audit::note::LogSigner;
use samband::audit::record::Record;
use samband::clock::{Clock as _, MockClock, SeededEntropy};
use samband::config::participants::load_register;
use samband::domain::id::MessageId;
use samband::domain::identity::IdentityMode;
use samband::domain::participant::Register;
use samband::domain::time::{Timestamp, parse_date};
use samband::gateway::Settings;
use samband::grpc::pb;
use samband::grpc::pb::audit_service_client::AuditServiceClient;
use samband::grpc::pb::laboratory_service_client::LaboratoryServiceClient;
use samband::grpc::pb::municipal_service_client::MunicipalServiceClient;
use samband::grpc::pb::prosecution_service_client::ProsecutionServiceClient;
use samband::grpc::server::ServerLimits;
use samband::store::embedded::{DiskBounds, EmbeddedStore, JournalBounds, OnFatal, Options, RealDisk};
use samband::store::memory::MemoryStore;
use samband::store::{RecordFilter, Store};
use samband::tls::pki::{DevPki, Existing, dev, development_register};
use samband::tls::{Backoff, ClientFiles, ClientSettings, Connector, Limits, TlsFiles, TlsSettings};
use tempfile::TempDir;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

pub const OSLO: &str = "politi-oslo";
pub const UNIT: &str = "ru-oslo";
pub const UNIT_2: &str = "ru-hamar";
pub const LAB: &str = "lab-ous";
pub const LAB_2: &str = "lab-st-olav";
pub const AUDITOR: &str = "tilsyn";
pub const MIRROR: &str = "speil";

/// 2026-11-20 at noon in Oslo.
pub fn noon() -> Timestamp {
    Timestamp::start_of(parse_date("2026-11-20").unwrap()).plus_millis(12 * 3_600_000)
}

/// One PKI for all tests: keys are what costs time.
pub fn pki() -> &'static DevPki {
    static PKI: OnceLock<(tempfile::TempDir, DevPki)> = OnceLock::new();
    &PKI.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let made = dev(dir.path(), noon(), &SeededEntropy::new(5), Existing::Renew, &development_register().unwrap()).unwrap();
        (dir, made)
    })
    .1
}

pub struct World {
    pub app: RunningApp,
    pub store: Arc<dyn Store>,
    pub clock: Arc<MockClock>,
    next: AtomicU64,
    /// Where a store on disk lies, which keeps it: what a test has not stopped goes on until its runtime ends.
    pub dir: Arc<TempDir>,
}

/// Which store is under the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Memory,
    Embedded,
}

impl Kind {
    fn open(self, dir: &Arc<TempDir>, clock: &Arc<MockClock>) -> Arc<dyn Store> {
        let (kept, dir) = (Arc::clone(dir), dir.path());
        let origin: Origin = "log.samband.example/e2e".parse().unwrap();
        let signer = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([9; 32]));
        let entropy = Arc::new(SeededEntropy::new(1));
        match self {
            Self::Memory => Arc::new(MemoryStore::new(origin, signer, clock.clone(), entropy)),
            Self::Embedded => EmbeddedStore::open(Options {
                dir: dir.join("store"),
                origin,
                storage_key: zeroize::Zeroizing::new([4; 32]),
                log_signer: signer,
                high_water_file: dir.join("high-water"),
                erase_within_millis: 86_400_000,
                records_keep_months: 24,
                files: Arc::new(RealDisk),
                disk: DiskBounds { low_water: 1 << 20, reserve: 1 << 20 },
                journal: JournalBounds::default(),
                clock: clock.clone(),
                entropy,
                version: "e2e".to_owned(),
                test_mode: true,
                hold_ground: None,
                seen_elsewhere: None,
                previous_checkpoint: None,
                on_fatal: Arc::new(move |what| panic!("the store in {} cannot go on: {what}", kept.path().display())),
            })
            .unwrap(),
        }
    }
}

pub fn settings() -> Settings {
    Settings { identity_mode: IdentityMode::Test, sweep_interval: Duration::from_millis(50), ..Settings::default() }
}

pub fn register_of(generation: u64) -> Register {
    load_register(&pki().participants_file(), generation, &|_| true).unwrap()
}

/// The development gateway's certificate and CA.
pub fn tls_files() -> TlsFiles {
    TlsFiles {
        certificate_file: pki().certificate_file("gateway"),
        key_file: pki().key_file("gateway"),
        client_ca_files: vec![pki().ca_file()],
        issuing_ca_files: Vec::new(),
        crl_files: Vec::new(),
        crl_grace_millis: 0,
        trust: samband::tls::Trust::default(),
        marks_file: None,
    }
}

async fn serve(store: Arc<dyn Store>, clock: &Arc<MockClock>, gateway: Settings, server: ServerLimits, files: TlsFiles) -> RunningApp {
    let tls = Arc::new(TlsSettings::load(files, clock.clone()).unwrap());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connections = Limits::default();
    let on_fatal: OnFatal = Arc::new(|what| panic!("{what}"));
    let app = App::start(AppConfig { store, tls, listener, connections, server, gateway, clock: clock.clone(), on_fatal });
    app.await.unwrap()
}

impl World {
    pub async fn start() -> Self {
        Self::with(settings(), ServerLimits::default()).await
    }

    pub async fn with(gateway: Settings, server: ServerLimits) -> Self {
        let kind = if std::env::var("SAMBAND_E2E_STORE").is_ok_and(|kind| kind == "embedded") { Kind::Embedded } else { Kind::Memory };
        Self::on(kind, gateway, server).await
    }

    /// On a store of this kind; the others take the one that `SAMBAND_E2E_STORE` names, the reference store if none.
    pub async fn on(kind: Kind, gateway: Settings, server: ServerLimits) -> Self {
        let clock = Arc::new(MockClock::new(noon()));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let store = kind.open(&dir, &clock);
        let app = serve(store.clone(), &clock, gateway, server, tls_files()).await;
        app.load_register(&register_of(1), [1; 32]).await.unwrap();
        Self { app, store, clock, next: AtomicU64::new(1), dir }
    }

    /// With TLS files and a register of the test's own, which are watched for changes.
    pub async fn watching(files: TlsFiles, participants_file: &Path) -> Self {
        Self::watching_with(settings(), files, participants_file).await
    }

    /// The same with these settings.
    pub async fn watching_with(gateway: Settings, files: TlsFiles, participants_file: &Path) -> Self {
        let clock = Arc::new(MockClock::new(noon()));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let store = Kind::Memory.open(&dir, &clock);
        let mut app = serve(store.clone(), &clock, gateway, ServerLimits::default(), files).await;
        app.load_register(&load_register(participants_file, 1, &|_| true).unwrap(), [1; 32]).await.unwrap();
        app.watch_files(participants_file.to_owned()).await.unwrap();
        Self { app, store, clock, next: AtomicU64::new(1), dir }
    }

    /// The same embedded store, closed and opened again under a new gateway.
    pub async fn restarted(self) -> Self {
        let Self { app, store, clock, next, dir } = self;
        app.shutdown(Duration::from_secs(5)).await.unwrap();
        drop(store);
        let store = Kind::Embedded.open(&dir, &clock);
        let app = serve(store.clone(), &clock, settings(), ServerLimits::default(), tls_files()).await;
        Self { app, store, clock, next, dir }
    }

    pub fn channel(&self, who: &str) -> Channel {
        self.channel_of(&pki().certificate_file(who), &pki().key_file(who))
    }

    pub fn channel_of(&self, certificate_file: &Path, key_file: &Path) -> Channel {
        let files = ClientFiles {
            certificate_file: PathBuf::from(certificate_file),
            key_file: PathBuf::from(key_file),
            server_ca_files: vec![pki().ca_file()],
        };
        self.channel_with(&ClientSettings::load(&files, self.clock.clone()).unwrap())
    }

    pub fn channel_with(&self, settings: &ClientSettings) -> Channel {
        self.channel_at(self.app.local_addr(), settings)
    }

    pub fn channel_at(&self, address: std::net::SocketAddr, settings: &ClientSettings) -> Channel {
        let backoff = Backoff { first: Duration::from_millis(1), max: Duration::from_millis(20), seed: 0 };
        let connector = Connector::new(settings, &address.to_string(), "localhost", backoff).unwrap();
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector)
    }

    pub fn prosecution(&self) -> ProsecutionServiceClient<Channel> {
        ProsecutionServiceClient::new(self.channel(OSLO))
    }

    pub fn unit(&self) -> MunicipalServiceClient<Channel> {
        MunicipalServiceClient::new(self.channel(UNIT))
    }

    pub fn laboratory(&self) -> LaboratoryServiceClient<Channel> {
        LaboratoryServiceClient::new(self.channel(LAB))
    }

    pub fn auditor(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel(AUDITOR))
    }

    pub fn fresh_at(&self, at: Timestamp) -> String {
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&n.to_be_bytes());
        MessageId::new(at, random).to_string()
    }

    pub fn fresh(&self) -> String {
        self.fresh_at(self.clock.now())
    }

    pub fn send_notice(&self) -> pb::SendConditionNoticeRequest {
        pb::SendConditionNoticeRequest {
            message_id: self.fresh(),
            content_salt: salt(),
            replaces: None,
            validate_only: false,
            body: Some(pb::send_condition_notice_request::Body::Content(notice())),
        }
    }

    pub fn withdraw_notice(&self, of: &str, reason: pb::NoticeWithdrawalReason) -> pb::SendConditionNoticeRequest {
        let body = Some(pb::send_condition_notice_request::Body::Withdrawal(reason.into()));
        pb::SendConditionNoticeRequest { replaces: Some(of.to_owned()), body, ..self.send_notice() }
    }

    pub fn send_report(&self, case_ref: &str) -> pb::ReportNonAttendanceRequest {
        let report = pb::NonAttendanceReport { case_ref: case_ref.to_owned(), ..sample("report") };
        pb::ReportNonAttendanceRequest {
            message_id: self.fresh(),
            content_salt: salt(),
            replaces: None,
            validate_only: false,
            body: Some(pb::report_non_attendance_request::Body::Content(report)),
        }
    }

    pub fn send_result(&self, requisition_id: &str) -> pb::SendLabResultRequest {
        let result = pb::LabResult { requisition_id: requisition_id.to_owned(), ..sample("result") };
        pb::SendLabResultRequest {
            message_id: self.fresh(),
            content_salt: salt(),
            replaces: None,
            validate_only: false,
            body: Some(pb::send_lab_result_request::Body::Content(result)),
        }
    }

    /// A notice, accepted: its request and acceptance.
    pub async fn noticed(&self) -> (pb::SendConditionNoticeRequest, pb::AcceptedNotice) {
        let request = self.send_notice();
        let answer = self.prosecution().send_condition_notice(request.clone()).await.unwrap().into_inner();
        (request, accepted_notice(answer))
    }

    /// Everything in the unit's mailbox, read by `reader`.
    pub async fn unit_polls(&self, reader: &str) -> Vec<pb::MunicipalServiceReceiveResponse> {
        let request = pb::MunicipalServiceReceiveRequest { reader_id: reader.to_owned(), max_items: 0, until_empty: true };
        drain(self.unit().receive(request).await.unwrap().into_inner()).await
    }

    pub async fn prosecution_polls(&self, reader: &str) -> Vec<pb::ProsecutionServiceReceiveResponse> {
        let request = pb::ProsecutionServiceReceiveRequest { reader_id: reader.to_owned(), max_items: 0, until_empty: true };
        drain(self.prosecution().receive(request).await.unwrap().into_inner()).await
    }

    pub async fn unit_acknowledges(&self, items: &[pb::MunicipalServiceReceiveResponse]) {
        let item_numbers = items.iter().map(|item| item.item_number).collect();
        self.unit().acknowledge(pb::MunicipalServiceAcknowledgeRequest { item_numbers }).await.unwrap();
    }

    /// A notice that the unit has acknowledged.
    pub async fn case(&self) -> pb::AcceptedNotice {
        let (_, accepted) = self.noticed().await;
        let items = self.unit_polls("setup").await;
        self.unit_acknowledges(&items).await;
        accepted
    }

    /// Records of a kind, of this participant.
    pub async fn records(&self, kind: u16, participant: Option<&str>) -> Vec<Record> {
        let participant = participant.map(|id| id.parse().unwrap());
        let filter = RecordFilter { kinds: vec![kind], participant, ..RecordFilter::default() };
        let page = self.store.records(&filter, 100_000).await.unwrap();
        page.entries.into_iter().filter_map(|entry| entry.record).collect()
    }

    pub async fn status_of(&self, message_id: &str) -> pb::DeliveryStatus {
        let request = pb::ProsecutionServiceGetStatusRequest { message_ids: vec![message_id.to_owned()] };
        let answer = self.prosecution().get_status(request).await.unwrap().into_inner();
        answer.statuses[0].status()
    }
}

pub async fn drain<T>(mut stream: tonic::Streaming<T>) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = stream.message().await.unwrap() {
        items.push(item);
    }
    items
}

pub fn salt() -> Bytes {
    Bytes::from_static(&[7; 32])
}

/// A golden sample in its generated form.
pub fn sample<M: Message + Name + Default>(name: &str) -> M {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(format!("{name}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    let pool = DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let message = DynamicMessage::deserialize(pool.get_message_by_name(&M::full_name()).unwrap(), &mut deserializer).unwrap();
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

/// Attendance and control, to the unit in Oslo, contact as in the development register.
pub fn notice() -> pb::ConditionNotice {
    pb::ConditionNotice { contact: "vakt".to_owned(), ..sample("notice-both") }
}

pub fn accepted_notice(answer: pb::SendConditionNoticeResponse) -> pb::AcceptedNotice {
    match answer.outcome.unwrap() {
        pb::send_condition_notice_response::Outcome::Accepted(accepted) => accepted,
        pb::send_condition_notice_response::Outcome::Validated(_) => panic!("accepted, not validated"),
    }
}

/// The stable reason of an error, which every error must have.
pub fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "samband");
    info.reason
}

/// The error of a call that must fail, by code and reason.
#[track_caller]
pub fn refused<T>(answer: Result<T, Status>, code: Code, wanted: &str) -> Status {
    let Err(status) = answer else { panic!("must be refused with {wanted}") };
    assert_eq!((status.code(), reason(&status).as_str()), (code, wanted), "{status:?}");
    status
}

/// Bytes as they are, in both directions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A call with raw bytes; the first answer of it.
pub async fn raw_call(channel: Channel, path: &str, body: Bytes) -> Result<Option<Bytes>, Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = path.parse().unwrap();
    let mut stream = client.server_streaming(tonic::Request::new(body), path, Raw).await?.into_inner();
    stream.message().await
}
