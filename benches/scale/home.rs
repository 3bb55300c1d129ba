//! A gateway's home as `samband serve --dev` makes it, its store opened in this process, and what lies in its folder.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use parking_lot::Mutex;
use samband::audit::note::LogSigner;
use samband::clock::{Clock, SystemEntropy};
use samband::config::keys::{read_log_key, read_storage_key};
use samband::config::participants::load_register;
use samband::config::{Config, FILE_BYTES_MAX};
use samband::domain::participant::Register;
use samband::store::embedded::{Disk, DiskBounds, EmbeddedStore, File, FolderLock, JournalBounds, Open, Options, RealDisk, end_process};

/// The real program.
pub const SAMBAND: &str = env!("CARGO_BIN_EXE_samband");

/// A gateway that runs in a process of its own.
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// From the start of the process to the line that says where it listens.
    pub to_serving: Duration,
}

impl Gateway {
    /// Starts it and waits until it serves.
    pub fn start(home: &Path) -> Self {
        let begun = Instant::now();
        let mut command = Command::new(SAMBAND);
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--dir"]).arg(home);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (err, lines) = (child.stderr.take().expect("its log is piped"), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(err).lines().map_while(Result::ok) {
                if ["index", "replay", "turned", "WARN", "ERROR"].iter().any(|word| line.contains(word)) {
                    println!("    {line}");
                }
                lines.lock().push(line);
            }
        });
        let out = child.stdout.take().expect("its output is piped");
        let line = BufReader::new(out).lines().next().and_then(Result::ok).unwrap_or_default();
        assert!(line.starts_with("listening on"), "the gateway did not come to serve: {line}");
        Self { child, log, to_serving: begun.elapsed() }
    }

    /// How many lines of its log hold these words.
    pub fn lines_with(&self, words: &str) -> usize {
        self.log.lock().iter().filter(|line| line.contains(words)).count()
    }

    /// Resident memory now and at its highest, in MiB.
    pub fn memory(&self) -> (u64, u64) {
        memory(&self.child.id().to_string())
    }

    /// A clean stop; how long it took.
    pub fn stop(mut self) -> Duration {
        let begun = Instant::now();
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "the gateway can be told to stop");
        assert!(self.child.wait().is_ok_and(|status| status.success()), "the gateway stops cleanly");
        begun.elapsed()
    }
}

/// Resident memory of a process now and at its highest, in MiB.
pub fn memory(process: &str) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

/// Keys, certificates and configuration as `serve --dev` makes them, and no store.
pub fn prepare(home: &Path) {
    if home.join("samband.toml").exists() {
        panic!("{} holds a gateway already; name a new folder", home.display());
    }
    Gateway::start(home).stop();
    std::fs::remove_dir_all(home.join("data")).expect("the empty store can be removed");
    std::fs::remove_file(home.join("high-water")).expect("its mark can be removed");
    // What the store does is to be read in the log.
    let file = home.join("samband.toml");
    let text = std::fs::read_to_string(&file).expect("the configuration was just written");
    std::fs::write(&file, text.replace("level = \"warn\"", "level = \"info\"")).expect("it can be changed");
}

/// The development register, and the digest that `serve` knows it by.
pub fn register(home: &Path) -> (Register, [u8; 32]) {
    let file = home.join("certs-dev/participants.toml");
    let bytes = samband::tls::files::read(&file, FILE_BYTES_MAX).expect("the register was made with the home");
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
    (load_register(&file, 1, &|_| true).expect("the development register holds"), hash)
}

/// The home's store, opened here. Without an index the store's own writers are all that is measured; the gateway builds it at its start.
pub fn open(home: &Path, dir: &Path, clock: Arc<dyn Clock>, index: bool) -> Arc<EmbeddedStore> {
    let config = Config::load(&home.join("samband.toml")).expect("the home's configuration");
    let log_key = read_log_key(&config.log_key_file, &config.origin).expect("the home's log key");
    let files: Arc<dyn Disk> = if index { Arc::new(RealDisk) } else { Arc::new(WithoutIndex) };
    let opened = EmbeddedStore::open(Options {
        dir: dir.to_owned(),
        origin: config.origin.as_str().parse().expect("a valid origin"),
        storage_key: read_storage_key(&config.storage_key_file).expect("the home's storage key"),
        log_signer: LogSigner::from_text(&log_key).expect("a signing key"),
        high_water_file: if dir == config.data_dir { config.high_water_file } else { dir.with_extension("high-water") },
        // Turns come from the journal's length only: the clock of a generated history runs a thousand times too fast.
        erase_within_millis: i64::MAX / 4,
        records_keep_months: 24,
        files,
        disk: DiskBounds { low_water: 0, reserve: 0 },
        journal: JournalBounds::default(),
        clock,
        entropy: Arc::new(SystemEntropy::default()),
        version: "scale".into(),
        test_mode: true,
        hold_ground: None,
        seen_elsewhere: None,
        previous_checkpoint: None,
        on_fatal: end_process(),
    });
    opened.unwrap_or_else(|error| panic!("{error}"))
}

/// Bytes of every file below a folder, as they are on disk.
pub fn bytes_below(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        bytes += if meta.is_dir() { bytes_below(&entry.path()) } else { meta.blocks() * 512 };
    }
    bytes
}

/// Prints what lies in a data folder, by part, in MiB; returns it in bytes.
pub fn sizes(data: &Path) -> Vec<(&'static str, u64)> {
    let parts = ["journal", "base", "records", "keys", "log", "index"].map(|part| (part, bytes_below(&data.join(part))));
    let texts: Vec<String> = parts.iter().map(|(part, bytes)| format!("{part} {:.1}", *bytes as f64 / f64::from(1 << 20))).collect();
    println!("on disk, MiB: {}", texts.join(", "));
    parts.to_vec()
}

/// The operating system's disk on which a library that opens its own files finds nothing, so that there is no search index.
#[derive(Debug)]
pub struct WithoutIndex;

impl Disk for WithoutIndex {
    fn open(&self, path: &Path, how: Open) -> std::io::Result<Arc<dyn File>> {
        RealDisk.open(path, how)
    }
    fn lock_folder(&self, path: &Path) -> std::io::Result<Option<FolderLock>> {
        RealDisk.lock_folder(path)
    }
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        RealDisk.read(path)
    }
    fn len(&self, path: &Path) -> std::io::Result<u64> {
        RealDisk.len(path)
    }
    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        RealDisk.is_dir(path)
    }
    fn names(&self, path: &Path) -> std::io::Result<Vec<String>> {
        RealDisk.names(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.remove_file(path)
    }
    fn remove_dir_all(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.remove_dir_all(path)
    }
    fn create_dir_all(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.sync_dir(path)
    }
    fn sync_all(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.sync_all(path)
    }
    fn free_space(&self, path: &Path) -> std::io::Result<u64> {
        RealDisk.free_space(path)
    }
    fn outside(&self, _: &Path) -> Option<PathBuf> {
        None
    }
}
