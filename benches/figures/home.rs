//! A gateway's folder: development PKI, register, store; and a clock that stands where the samples' dates are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use samband::audit::checkpoint::Origin;
use samband::audit::note::LogSigner;
use samband::clock::{Clock, SystemEntropy};
use samband::config::participants::load_register;
use samband::domain::participant::Register;
use samband::domain::time::{Timestamp, parse_date};
use samband::policy::command::Command;
use samband::store::Store as _;
use samband::store::embedded::{DiskBounds, EmbeddedStore, JournalBounds, Options, RealDisk, end_process};
use samband::tls::pki::{DevPki, Existing, dev, development_register};

/// Starts a day after the samples' last date and goes on from there.
#[derive(Debug, Clone, Copy)]
pub struct BenchClock {
    from: Timestamp,
    began: Instant,
}

impl BenchClock {
    fn start() -> Self {
        let date = parse_date("2026-11-24").expect("a date");
        Self { from: Timestamp::start_of(date).plus_millis(12 * 3_600_000), began: Instant::now() }
    }
}

impl Clock for BenchClock {
    fn now(&self) -> Timestamp {
        self.from.plus_millis(i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn elapsed_millis(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Bytes of a frame's header: see `store::embedded::frame`.
const HEADER: usize = 116;

/// Frames of the journal: each is one fdatasync.
#[derive(Debug)]
pub struct Frames {
    last: u64,
    /// How many.
    pub count: u64,
    bytes: u64,
    lengths: Vec<(u64, u64)>,
}

impl Frames {
    /// Those that came after `earlier`.
    pub fn since(mut self, earlier: &Self) -> Self {
        self.lengths.retain(|(sequence, _)| *sequence > earlier.last);
        self.count = self.last - earlier.last;
        self.bytes = self.lengths.iter().map(|(_, len)| len).sum();
        self
    }

    /// Bytes of one on average.
    pub fn bytes_each(&self) -> usize {
        usize::try_from(self.bytes / (self.lengths.len() as u64).max(1)).unwrap_or(usize::MAX)
    }
}

/// A gateway's folder.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
    /// The store's folder is the so-manieth. None is removed while figures are made: ext4 without a journal passes over every inode that was
    /// freed in the last minute, one by one, for each file that it creates.
    number: AtomicUsize,
    /// Everyone's.
    pub clock: BenchClock,
    /// Certificates of all roles.
    pub pki: DevPki,
    /// The development register.
    pub register: Register,
}

impl Home {
    /// Prepared in `dir`.
    pub fn new(dir: &Path) -> Self {
        let clock = BenchClock::start();
        let participants = development_register().expect("the development register holds");
        let pki = dev(&dir.join("pki"), clock.now(), &SystemEntropy::default(), Existing::Keep, &participants).expect("a development PKI");
        let register = load_register(&pki.participants_file(), 1, &|_| true).expect("its register");
        Self { dir: dir.to_owned(), number: AtomicUsize::new(0), clock, pki, register }
    }

    /// Opens the store, or makes one. A failed sync ends the process.
    pub fn open(&self) -> Arc<EmbeddedStore> {
        let origin: Origin = "bench.samband.example/log".parse().expect("a valid origin");
        EmbeddedStore::open(Options {
            dir: self.data(),
            origin: origin.clone(),
            storage_key: zeroize::Zeroizing::new([1; 32]),
            log_signer: LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([2; 32])),
            high_water_file: self.dir.join(format!("high-water-{}", self.number.load(Ordering::Relaxed))),
            erase_within_millis: 86_400_000,
            records_keep_months: 24,
            files: Arc::new(RealDisk),
            disk: DiskBounds { low_water: 0, reserve: 0 },
            journal: JournalBounds::default(),
            clock: Arc::new(self.clock),
            entropy: Arc::new(SystemEntropy::default()),
            version: "bench".into(),
            test_mode: true,
            hold_ground: None,
            seen_elsewhere: None,
            previous_checkpoint: None,
            on_fatal: end_process(),
        })
        .expect("the store opens")
    }

    /// A new store with the register in force.
    pub async fn fresh(&self) -> Arc<EmbeddedStore> {
        loop {
            self.number.fetch_add(1, Ordering::Relaxed);
            if !self.data().exists() {
                break;
            }
        }
        let store = self.open();
        store.act(Command::LoadRegister { register: self.register.clone(), digest: [1; 32] }).await.expect("the development register");
        store
    }

    /// What stands in the journal.
    pub fn frames(&self) -> Frames {
        let mut frames = Frames { last: 0, count: 0, bytes: 0, lengths: Vec::new() };
        for file in std::fs::read_dir(self.data().join("journal")).into_iter().flatten().flatten() {
            // A turn may have taken it meanwhile.
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            let mut rest = &bytes[..];
            while rest.len() >= HEADER && rest.starts_with(b"SbJ1") {
                let number = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
                let len = HEADER + number(96) as usize + number(100) as usize;
                frames.lengths.push((u64::from(number(16)), len as u64));
                rest = rest.get(len..).unwrap_or_default();
            }
        }
        frames.last = frames.lengths.iter().map(|(sequence, _)| *sequence).max().unwrap_or(0);
        frames
    }

    fn data(&self) -> PathBuf {
        self.dir.join(format!("data-{}", self.number.load(Ordering::Relaxed)))
    }
}
