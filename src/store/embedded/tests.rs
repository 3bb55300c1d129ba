//! Tests of the store on real folders.

mod away;
mod calendar;
mod churn;
mod clocks;
mod crash;
mod damage;
mod ends;
mod erasure;
mod failing;
mod full_disk;
mod grounds;
mod holds;
mod in_the_way;
mod matrix;
mod mended;
mod model;
mod moved;
mod published;
mod recovering;
mod reopen;
mod searching;
mod sim_disk;
mod speed;
mod stopped;
mod unreadable;
mod upkeep;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::engine::{DiskBounds, JournalBounds, OnFatal};
use super::{EmbeddedStore, OpenError, Options, RealDisk};
use crate::audit::checkpoint::Origin;
use crate::audit::note::{LogSigner, LogVerifier};
use crate::clock::{Clock as _, MockClock, SeededEntropy, SystemEntropy};
use crate::domain::hold::HoldGround;
use crate::store::contract::case_bed::{Bed, World, noon};

pub(super) const KEY: [u8; 32] = [0x5a; 32];

pub(super) fn origin() -> Origin {
    "log.samband.example/test".parse().unwrap()
}

pub(super) fn signer() -> LogSigner {
    LogSigner::from_seed(origin().key_name(), Zeroizing::new([7; 32]))
}

/// What the configuration of these stores names.
pub(super) fn ground() -> HoldGround {
    HoldGround::try_from("arkivlova § 9".to_owned()).unwrap()
}

pub(super) fn verifier() -> LogVerifier {
    signer().verifier().clone()
}

/// A folder for a store and its high-water file, and a clock that only the test moves.
pub(super) struct Home {
    pub dir: tempfile::TempDir,
    pub clock: Arc<MockClock>,
    pub fatal: Arc<Mutex<Vec<String>>>,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(MockClock::new(noon())), fatal: Arc::default() }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn options(&self) -> Options {
        options(&self.data(), &self.dir.path().join("high-water"), Arc::clone(&self.clock), &self.fatal)
    }

    pub fn try_open(&self) -> Result<Arc<EmbeddedStore>, OpenError> {
        EmbeddedStore::open(self.options())
    }

    pub fn open(&self) -> Arc<EmbeddedStore> {
        self.try_open().expect("the store opens")
    }

    pub fn bed(&self, store: &Arc<EmbeddedStore>) -> Bed {
        let store: Arc<dyn crate::store::Store> = Arc::clone(store) as _;
        Bed::starting_at(World { store, clock: Arc::clone(&self.clock), verifier: verifier(), origin: origin(), fail_next: None }, seed())
    }
}

/// Ids of several beds over one folder differ.
fn seed() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1 << 32, std::sync::atomic::Ordering::SeqCst)
}

fn options(data: &Path, high_water: &Path, clock: Arc<MockClock>, fatal: &Arc<Mutex<Vec<String>>>) -> Options {
    let told = Arc::clone(fatal);
    let on_fatal: OnFatal = Arc::new(move |what| told.lock().push(what.to_owned()));
    Options {
        dir: data.to_owned(),
        origin: origin(),
        storage_key: Zeroizing::new(KEY),
        log_signer: signer(),
        high_water_file: high_water.to_owned(),
        erase_within_millis: 86_400_000,
        records_keep_months: 13,
        files: Arc::new(RealDisk),
        disk: DiskBounds { low_water: 0, reserve: 0 },
        journal: JournalBounds::default(),
        clock,
        entropy: Arc::new(SystemEntropy::default()),
        version: "test".into(),
        test_mode: true,
        hold_ground: Some(ground()),
        seen_elsewhere: None,
        previous_checkpoint: None,
        on_fatal,
    }
}

/// A copy of a folder, as a crash or a restored backup would find it.
pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file below a folder.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Whether any file below `folder` holds `needle`.
pub(super) fn holds(folder: &Path, needle: &[u8]) -> bool {
    files_below(folder).iter().any(|path| std::fs::read(path).unwrap_or_default().windows(needle.len()).any(|window| window == needle))
}

/// A bed over a new store, which goes with it.
pub(in crate::store) fn contract_bed() -> Bed {
    let home = Home::new();
    let mut options = home.options();
    options.entropy = Arc::new(SeededEntropy::new(1));
    let store = EmbeddedStore::open(options).expect("a new store opens");
    store.kept.lock().push(home.dir);
    let world = World { store, clock: home.clock, verifier: verifier(), origin: origin(), fail_next: None };
    Bed::new(world)
}
