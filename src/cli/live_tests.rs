//! The commands as a user types them, against a development gateway over real mutual TLS.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dev_home::DevHome;
use super::gateway::Serving;
use super::*;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::embedded::OnFatal;

const QUIET: Output = Output::new(Format::Nothing);

/// A gateway's folder goes when nothing of the gateway is left: under one that has not stopped, it would be a folder that was removed.
fn keeping(dir: &Arc<tempfile::TempDir>) -> OnFatal {
    let dir = Arc::clone(dir);
    Arc::new(move |what| panic!("the gateway in {} cannot go on: {what}", dir.path().display()))
}

pub(super) struct Bed {
    dir: Arc<tempfile::TempDir>,
    home: DevHome,
    serving: Serving,
}

/// A bed whose gateway has stopped.
pub(super) struct Stopped {
    dir: Arc<tempfile::TempDir>,
}

impl Stopped {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) async fn offline(&self, line: &str) -> Result<(), CliError> {
        run_line(&format!("samband {line}").replace("~/", &format!("{}/", self.dir.path().display()))).await
    }
}

impl Bed {
    pub(super) async fn new() -> Self {
        Self::configured("").await
    }

    /// With these lines in front of the configuration.
    pub(super) async fn configured(lines: &str) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let home = DevHome::prepare(&dir.path().join("dev"), "127.0.0.1:0".parse().unwrap()).unwrap();
        let text = fs::read_to_string(home.config_file()).unwrap();
        fs::write(home.config_file(), format!("{lines}{text}")).unwrap();
        let config = Config::load(&home.config_file()).unwrap();
        let serving = Serving::start(&config, config.listen, keeping(&dir)).await.unwrap();
        Self { dir, home, serving }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Runs `samband <line>` as `id`; `~/` is the bed's folder.
    pub(super) async fn run(&self, id: &str, line: &str) -> Result<(), CliError> {
        let port = self.serving.address().port();
        let identity = self.home.certificates_dir().join(id);
        let line = format!("samband {line} --gateway https://localhost:{port} --identity {}", identity.display());
        run_line(&line.replace("~/", &format!("{}/", self.dir.path().display()))).await
    }

    pub(super) async fn offline(&self, line: &str) -> Result<(), CliError> {
        run_line(&format!("samband {line}").replace("~/", &format!("{}/", self.dir.path().display()))).await
    }

    /// Why a gateway on this stopped bed's folder does not start; nothing when it does.
    pub(super) async fn refused(stopped: &Stopped) -> Option<CliError> {
        let config = Config::load(&stopped.path("dev/samband.toml")).unwrap();
        match Serving::start(&config, config.listen, keeping(&stopped.dir)).await {
            Ok(serving) => {
                serving.stop().await.unwrap();
                None
            }
            Err(error) => Some(error),
        }
    }

    pub(super) async fn stopped(self) -> Stopped {
        let Self { dir, home: _, serving } = self;
        serving.stop().await.unwrap();
        Stopped { dir }
    }

    pub(super) fn vkey(&self) -> String {
        self.home.vkey_file().display().to_string()
    }

    /// The first outbox entry of a participant with this suffix.
    pub(super) fn json_of(&self, id: &str, suffix: &str) -> Value {
        serde_json::from_slice(&fs::read(&self.outbox(id, suffix)[0]).unwrap()).unwrap()
    }

    pub(super) fn outbox(&self, id: &str, suffix: &str) -> Vec<PathBuf> {
        let dir = self.home.certificates_dir().join(id).join("outbox");
        let mut found: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.to_string_lossy().ends_with(suffix));
        found.sort();
        found
    }
}

pub(super) async fn run_line(line: &str) -> Result<(), CliError> {
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap_or_else(|error| panic!("{line}: {error}"));
    run(&cli.command, QUIET).await
}

/// A sample with dates of the present.
fn sample(name: &str, change: impl FnOnce(&mut Value, &dyn Fn(i32) -> String)) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name);
    let mut value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let today = SystemClock.now().oslo_date();
    let date = move |days: i32| today.saturating_add(jiff::Span::new().days(days)).to_string();
    change(&mut value, &date);
    value.to_string()
}

pub(super) fn notice() -> String {
    sample("notice-attendance.json", |notice, date| {
        for field in ["decision_date", "probation_start"] {
            notice[field] = date(-40).into();
        }
        notice["probation_end"] = date(300).into();
        notice["attendance"]["latest_date"] = date(20).into();
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_goes_out_comes_in_and_is_proved_with_the_commands_of_the_manual() {
    let bed = Bed::new().await;
    fs::write(bed.path("notice.json"), notice()).unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json --validate-only").await.unwrap();
    bed.run("politi-oslo", "send notice ~/notice.json --receipt-out ~/r.tlog-proof").await.unwrap();
    assert!(bed.outbox("politi-oslo", ".pending").is_empty());
    let id = bed.outbox("politi-oslo", ".tlog-proof")[0].file_stem().unwrap().to_str().unwrap().to_owned();

    bed.run("politi-oslo", &format!("send notice ~/notice.json --message-id {id} --receipt-out ~/again.tlog-proof")).await.unwrap();
    let receipt = fs::read(bed.path("r.tlog-proof")).unwrap();
    assert_eq!(fs::read(bed.path("again.tlog-proof")).unwrap(), receipt, "a retry by id gets the first receipt");
    bed.run("politi-oslo", &format!("receipt get {id} --as prosecution --out ~/third.tlog-proof")).await.unwrap();
    assert_eq!(fs::read(bed.path("third.tlog-proof")).unwrap(), receipt);
    bed.offline("receipt verify ~/r.tlog-proof --vkey ~/dev/log.vkey --leaf-out ~/r.leaf").await.unwrap();
    assert_eq!(fs::read(bed.path("r.leaf")).unwrap().len(), 33);

    bed.run("ru-oslo", "receive --as municipal --out ~/in --ack").await.unwrap();
    let items: Vec<_> = fs::read_dir(bed.path("in")).unwrap().collect();
    assert_eq!(items.len(), 1, "once, though sent twice");
    let item = items[0].as_ref().unwrap().file_name().into_string().unwrap();
    let item = bed.json(&format!("in/{item}"));
    assert_eq!(item["notice"]["subject"]["family_name"], "Testesen");
    bed.run("ru-oslo", &format!("ack --as municipal {}", item["item_number"])).await.unwrap();
    bed.run("politi-oslo", &format!("status --as prosecution {id}")).await.unwrap();
    bed.run("politi-oslo", "status --as prosecution --changes").await.unwrap();

    let report = sample("report.json", |report, date| {
        report["case_ref"] = item["case_ref"].clone();
        report["summons_dates"] = vec![date(-20)].into();
        report["missed_dates"] = vec![date(-7)].into();
    });
    fs::write(bed.path("report.json"), report).unwrap();
    bed.run("ru-oslo", "send report ~/report.json").await.unwrap();
    bed.run("politi-oslo", "receive --as prosecution --max 1").await.unwrap();
    bed.run("politi-oslo", &format!("send notice --withdraw condition-revoked --replaces {id}")).await.unwrap();

    bed.run("tilsyn", "audit list --kind notice-accepted").await.unwrap();
    bed.run("tilsyn", &format!("audit prove --message-id {id} --out ~/proofs")).await.unwrap();
    let proof = fs::read_dir(bed.path("proofs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().unwrap() == "tlog-proof")
        .unwrap();
    bed.offline(&format!("audit verify {} --vkey ~/dev/log.vkey", proof.display())).await.unwrap();
    bed.run("tilsyn", "audit checkpoint --vkey ~/dev/log.vkey --out ~/old").await.unwrap();
    bed.run("tilsyn", "audit checkpoint --vkey ~/dev/log.vkey --older ~/old").await.unwrap();
    bed.run("politi-oslo", "look-up --as prosecution --municipality 0301").await.unwrap();
    bed.run("ru-oslo", "set-contact --role-name Sentralbord --phone +4700000003").await.unwrap();

    fs::create_dir(bed.path("receipts")).unwrap();
    fs::copy(bed.path("r.tlog-proof"), bed.path("receipts/r.tlog-proof")).unwrap();
    bed.serving.reload().await;
    let Bed { dir, home: _, serving } = bed;
    serving.stop().await.unwrap();
    let at = dir.path().display();
    run_line(&format!("samband audit verify {at}/dev/data/log --vkey {at}/dev/log.vkey --receipts {at}/receipts")).await.unwrap();
    run_line(&format!("samband audit fsck {at}/dev/data --storage-key {at}/dev/storage-key")).await.unwrap();
    // A partial tile of an older size is no tile of the checkpoint, and anyone may have fetched it.
    for folder in ["entries/000.p", "0/000.p"] {
        let tiles = fs::read_dir(format!("{at}/dev/data/log/tile/{folder}")).unwrap().map(|entry| entry.unwrap().path());
        let mut tiles: Vec<PathBuf> = tiles.collect();
        tiles.sort_by_key(|path| path.file_name().unwrap().to_str().unwrap().parse::<u16>().unwrap());
        assert!(tiles.len() > 1);
        let good = fs::read(&tiles[0]).unwrap();
        for bad in [vec![good[0] ^ 1; good.len()], good[..good.len() - 1].to_vec(), [&good[..], b"x"].concat()] {
            fs::write(&tiles[0], bad).unwrap();
            let error = run_line(&format!("samband audit verify {at}/dev/data/log --vkey {at}/dev/log.vkey")).await.unwrap_err();
            let said = error.to_string();
            let name = format!("tile/{folder}/{}", tiles[0].file_name().unwrap().to_str().unwrap());
            assert!(error.code() == 1 && said.contains(&name) && said.contains("not the beginning of the tile"), "{said}");
        }
        fs::write(&tiles[0], good).unwrap();
    }
    run_line(&format!("samband audit verify {at}/dev/data/log --vkey {at}/dev/log.vkey")).await.unwrap();
    run_line(&format!("samband audit fsck {at}/dev/data")).await.unwrap();
    // One byte of one entry.
    let bundles = fs::read_dir(format!("{at}/dev/data/log/tile/entries/000.p")).unwrap().map(|entry| entry.unwrap().path());
    let width = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u16>().unwrap();
    let bundle = bundles.max_by_key(width).unwrap();
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[10] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    let error = run_line(&format!("samband audit verify {at}/dev/data/log --vkey {at}/dev/log.vkey")).await.unwrap_err();
    assert_eq!(error.code(), 1, "{error}");
    let error = run_line(&format!("samband audit fsck {at}/dev/data")).await.unwrap_err();
    assert_eq!(error.code(), 1, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_refuses_is_exit_code_one_with_its_reason() {
    let bed = Bed::new().await;
    let mut wrong: Value = serde_json::from_str(&notice()).unwrap();
    wrong["municipality_of_stay"] = "9999".into();
    fs::write(bed.path("notice.json"), wrong.to_string()).unwrap();
    let error = bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap_err();
    assert_eq!(error.code(), 1);
    let text = error.to_string();
    assert!(text.contains("content.municipality_of_stay") && !text.contains("9999"), "{text}");
    assert!(bed.outbox("politi-oslo", "").is_empty(), "a message refused for good does not stay");

    fs::write(bed.path("notice.json"), notice()).unwrap();
    let error = bed.run("ru-oslo", "send notice ~/notice.json").await.unwrap_err();
    assert_eq!((error.code(), error.kind()), (1, "CALL_NOT_ALLOWED"));
    let error = bed.run("ru-oslo", "receive --as prosecution").await.unwrap_err();
    assert_eq!((error.code(), error.kind()), (1, "CALL_NOT_ALLOWED"));
    let error = bed.run("ru-oslo", "status --as municipal 019a9b3c-0000-7000-8000-000000000001").await.unwrap_err();
    assert_eq!(error.code(), 1);
    let error = bed.run("ru-oslo", "return 1 --reason treatment").await.unwrap_err();
    assert_eq!(error.code(), 2);
    bed.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_while_nobody_answers_stays_and_goes_out_as_it_was() {
    let bed = Bed::new().await;
    fs::write(bed.path("notice.json"), notice()).unwrap();
    let identity = bed.home.certificates_dir().join("politi-oslo");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = bed.path("notice.json");
    let line = format!("samband send notice {} --gateway https://localhost:{free} --identity {}", file.display(), identity.display());
    assert_eq!(run_line(&line).await.unwrap_err().code(), 3);
    let pending = bed.outbox("politi-oslo", ".pending");
    assert_eq!(pending.len(), 1);
    bed.run("politi-oslo", "send notice ~/notice.json").await.unwrap();
    assert!(bed.outbox("politi-oslo", ".pending").is_empty());
    let receipt = bed.outbox("politi-oslo", ".tlog-proof")[0].file_stem().unwrap().to_owned();
    assert!(pending[0].file_name().unwrap().to_str().unwrap().starts_with(receipt.to_str().unwrap()), "the id of the first attempt");
    bed.serving.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_holds_and_leaves_what_it_promises() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("demo");
    run_line(&format!("samband demo --dir {}", at.display())).await.unwrap();
    for name in ["log/checkpoint", "log.vkey", "receipts/01-notice-adult.tlog-proof", "receipts/01-notice-adult.leaf"] {
        assert!(at.join(name).exists(), "{name}");
    }
    let error = run_line(&format!("samband demo --dir {}", at.display())).await.unwrap_err();
    assert_eq!(error.code(), 2, "an earlier demo is not overwritten");
}

#[tokio::test]
async fn the_administrative_listener_is_open_from_start_to_stop_if_configured() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let home = DevHome::prepare(&dir.path().join("dev"), "127.0.0.1:0".parse().unwrap()).unwrap();
    let file = home.config_file();
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("admin_listen = \"127.0.0.1:0\"\n{config}")).unwrap();
    let config = Config::load(&file).unwrap();
    let serving = Serving::start(&config, config.listen, keeping(&dir)).await.unwrap();
    let address = serving.admin.unwrap();
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /readyz HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    serving.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_development_gateway_shows_the_auditors_pages_to_the_auditor_from_start_to_stop() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let home = DevHome::prepare(&dir.path().join("dev"), "127.0.0.1:0".parse().unwrap()).unwrap();
    let config = Config::load(&home.config_file()).unwrap();
    let serving = Serving::start(&config, config.listen, keeping(&dir)).await.unwrap();
    let address = serving.auditor.unwrap();
    let clock: std::sync::Arc<dyn crate::clock::Clock> = std::sync::Arc::new(crate::clock::SystemClock);
    let settings = crate::tls::ClientSettings::load(&home.pki().client_files("tilsyn"), clock).unwrap();
    let connector = crate::tls::Connector::new(&settings, &address.to_string(), "localhost", crate::tls::Backoff::default()).unwrap();
    let mut channel = tonic::transport::Endpoint::from_static("http://localhost").connect_with_connector_lazy(connector);
    let request = http::Request::get("http://localhost/nb").body(tonic::body::Body::empty()).unwrap();
    std::future::poll_fn(|cx| tower_service::Service::poll_ready(&mut channel, cx)).await.unwrap();
    let answer = tower_service::Service::call(&mut channel, request).await.unwrap();
    assert_eq!(answer.status(), http::StatusCode::OK);
    drop((answer, channel));
    serving.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
