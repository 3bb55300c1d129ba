//! One development gateway as a process of its own, and the commands of its parties.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_samband");
/// Number of a user and a group that own nothing.
const NOBODY: &str = "65534";
pub const POLICE: &str = "politi-oslo";
pub const UNIT: &str = "ru-oslo";
pub const LABORATORY: &str = "lab-ous";
pub const AUDITOR: &str = "tilsyn";

/// What a command printed and how it ended.
pub struct Ran {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// One JSON object a line.
    pub fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    pub fn one(&self) -> Value {
        let mut all = self.json();
        assert_eq!(all.len(), 1, "{}{}", self.out, self.err);
        all.remove(0)
    }

    pub fn well(self) -> Self {
        assert!(self.status.success(), "{:?}\n{}{}", self.status, self.out, self.err);
        self
    }

    pub fn fails_with(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}{}", self.out, self.err);
        self
    }
}

/// The program, as a user to whom file modes apply.
fn as_nobody() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", PROGRAM]);
    command
}

/// Runs `samband` with these arguments.
pub fn samband(arguments: &[&str]) -> Ran {
    let output = Command::new(PROGRAM).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ran { status: output.status, out: text(&output.stdout), err: text(&output.stderr) }
}

/// A development folder. Its gateway is started and stopped as an operator does.
pub struct Home {
    dir: tempfile::TempDir,
    /// Whether its gateway is started by its configuration, as a real one is; `--dev` mends certificates and register first.
    pub by_configuration: bool,
    /// Whether it runs as a user to whom file modes apply, where the test itself is root.
    pub unprivileged: bool,
}

/// A gateway that serves.
pub struct Gateway {
    child: Child,
    pub port: u16,
    /// Where health and the register in force are shown, if anywhere.
    pub admin: Option<String>,
    log: PathBuf,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), by_configuration: false, unprivileged: false }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn data(&self) -> PathBuf {
        self.path("dev/data")
    }

    fn command(&self) -> Command {
        let mut command = if self.unprivileged && rustix::process::geteuid().is_root() { as_nobody() } else { Command::new(PROGRAM) };
        command.args(["--json", "serve"]);
        if self.by_configuration {
            command.args(["--config", &self.text("dev/samband.toml")]);
        } else {
            command.args(["--dev", "--dir", &self.text("dev"), "--listen", "127.0.0.1:0"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Starts the gateway; returns as soon as it says that it listens. Its log is at the level `info`, in `gateway.log`.
    pub fn start(&self) -> Gateway {
        self.log_everything();
        let log = self.path("gateway.log");
        let mut child = self.command().stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not started: {}", fs::read_to_string(&log).unwrap()));
        let port = said["listening"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let admin = said["admin"].as_str().map(ToOwned::to_owned);
        Gateway { child, port, admin, log }
    }

    /// Starts a gateway that is expected to refuse.
    pub fn refused(&self) -> Ran {
        let mut child = self.command().stderr(Stdio::piped()).spawn().unwrap();
        let status = wait(&mut child, Duration::from_secs(20));
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { status, out, err }
    }

    /// Gives everything to the user that an unprivileged gateway runs as. False where that user may not run the program at all.
    pub fn give_away(&mut self) -> bool {
        self.unprivileged = true;
        if !rustix::process::geteuid().is_root() {
            return true;
        }
        let owner = format!("{NOBODY}:{NOBODY}");
        assert!(Command::new("chown").args(["-R", &owner]).arg(self.dir.path()).status().unwrap().success());
        let ran = as_nobody().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    }

    /// A development gateway logs warnings only; a real one everything that an operator wants to know.
    fn log_everything(&self) {
        let file = self.path("dev/samband.toml");
        if let Ok(text) = fs::read_to_string(&file) {
            fs::write(&file, text.replace("level = \"warn\"", "level = \"info\"")).unwrap();
        }
    }

    /// Runs `samband --json <line>` as a participant of `gateway`; `~/` is the home's folder.
    pub fn run(&self, gateway: &Gateway, id: &str, line: &str) -> Ran {
        let url = format!("https://localhost:{}", gateway.port);
        let identity = self.text(&format!("dev/certs-dev/{id}"));
        self.offline(&format!("{line} --gateway {url} --identity {identity}"))
    }

    pub fn offline(&self, line: &str) -> Ran {
        let line = line.replace("~/", &format!("{}/", self.dir.path().display()));
        let words: Vec<&str> = std::iter::once("--json").chain(line.split_whitespace()).collect();
        samband(&words)
    }

    /// Sends a notice of its own and returns its message id.
    pub fn notice(&self, gateway: &Gateway, name: &str) -> String {
        self.notice_at(gateway, name, "0301")
    }

    /// The same about a person who stays in this municipality.
    pub fn notice_at(&self, gateway: &Gateway, name: &str, municipality: &str) -> String {
        self.notice_file(name, municipality);
        let line = format!("send notice ~/{name}.json --receipt-out ~/{name}.tlog-proof");
        let accepted = self.run(gateway, POLICE, &line).well().one();
        accepted["message_id"].as_str().unwrap().to_owned()
    }

    /// Writes a notice of its own to `<name>.json`.
    pub fn notice_file(&self, name: &str, municipality: &str) {
        fs::write(self.path(&format!("{name}.json")), notice(name, municipality)).unwrap();
    }

    /// Sends it once more, under the same id.
    pub fn again(&self, gateway: &Gateway, name: &str, id: &str) -> Value {
        self.run(gateway, POLICE, &format!("send notice ~/{name}.json --message-id {id}")).well().one()
    }

    /// What the unit's mailbox holds.
    pub fn mailbox(&self, gateway: &Gateway, ack: bool) -> Vec<Value> {
        let out = self.text("inbox");
        let line = if ack { format!("receive --as municipal --out {out} --ack") } else { "receive --as municipal".to_owned() };
        self.run(gateway, UNIT, &line).well().json()
    }
}

impl Gateway {
    /// SIGTERM, and a clean end.
    pub fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let status = wait(&mut self.child, Duration::from_secs(30));
        assert!(status.success(), "{status:?}\n{}", self.log());
        self.log()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Exit code and log of one that ends by itself.
    pub fn ended(&mut self, patience: Duration) -> (Option<i32>, String) {
        let status = wait(&mut self.child, patience);
        (status.code(), self.log())
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn wait(child: &mut Child, patience: Duration) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > patience {
            child.kill().unwrap();
            panic!("it did not end within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Until `done`, for at most so long.
pub fn until(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < patience, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A sample notice with dates of the present, about a person of this synthetic name.
fn notice(name: &str, municipality: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/notice-attendance.json");
    let mut notice: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let today = samband::clock::Clock::now(&samband::clock::SystemClock).oslo_date();
    let date = |days: i32| today.saturating_add(jiff::Span::new().days(days)).to_string();
    for field in ["decision_date", "probation_start"] {
        notice[field] = date(-40).into();
    }
    notice["subject"]["given_name"] = name.to_uppercase().into();
    notice["municipality_of_stay"] = municipality.into();
    notice["probation_end"] = date(300).into();
    notice["attendance"]["latest_date"] = date(20).into();
    notice.to_string()
}

/// The same with tests at a laboratory.
pub fn notice_with_control(name: &str) -> String {
    let today = samband::clock::Clock::now(&samband::clock::SystemClock).oslo_date();
    let date = |days: i32| today.saturating_add(jiff::Span::new().days(days)).to_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/notice-both.json");
    let both: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut notice: Value = serde_json::from_str(&notice(name, "0301")).unwrap();
    notice["control"] = both["control"].clone();
    for (field, days) in [("from_date", -40), ("to_date", 200), ("subject_informed_on", -40)] {
        notice["control"][field] = date(days).into();
    }
    notice.to_string()
}

/// A report and a result of the sample kind, under these references, with dates of the present.
pub fn report_and_result(case_ref: &str, requisition_id: &str) -> [String; 2] {
    let today = samband::clock::Clock::now(&samband::clock::SystemClock).oslo_date();
    let date = |days: i32| today.saturating_add(jiff::Span::new().days(days)).to_string();
    let sample = |name: &str| -> Value {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("samples/{name}.json"));
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    };
    let (mut report, mut result) = (sample("report"), sample("result"));
    report["case_ref"] = case_ref.into();
    report["summons_dates"] = serde_json::json!([date(-12), date(-5)]);
    report["missed_dates"] = serde_json::json!([date(-6), date(-1)]);
    result["requisition_id"] = requisition_id.into();
    (result["collected_on"], result["received_on"]) = (date(-3).into(), date(-2).into());
    [report.to_string(), result.to_string()]
}

/// A copy of a folder, as a backup of a stopped gateway is.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
