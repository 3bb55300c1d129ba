//! Single failures of the real disk: what the store makes of them, and in which order it does what it does.

use std::io;

use rustix::io::Errno;

use super::*;
use crate::store::Store;
use crate::store::contract::case_bed::{RU_OSLO, wish};
use crate::store::embedded::disk::{Disk, File, FolderLock, Open, failed_sync};
use crate::store::embedded::records::Archive;

/// The real disk; writes down each call that changes something and each file that is opened to be read, and fails one of them once.
#[derive(Debug, Default)]
pub(super) struct Failing {
    calls: Arc<Mutex<Vec<(&'static str, PathBuf)>>>,
    /// The call, and how the name of its file ends.
    fails: Arc<Mutex<Option<(&'static str, String)>>>,
    /// From which byte on files whose names end so give nothing, and what reading them says instead.
    unread: Arc<Mutex<Option<(String, u64, Errno)>>>,
}

impl Failing {
    pub fn fail(&self, call: &'static str, end: &str) {
        *self.fails.lock() = Some((call, end.to_owned()));
    }

    /// From here on what stands from `offset` on in files whose names end so is not to be had, until this is called with none.
    pub fn refuse(&self, unread: Option<(&str, u64, Errno)>) {
        *self.unread.lock() = unread.map(|(end, offset, errno)| (end.to_owned(), offset, errno));
    }

    fn read(&self, path: &Path, end_of_read: u64) -> io::Result<()> {
        match &*self.unread.lock() {
            Some((end, offset, errno)) if path.to_string_lossy().ends_with(end) && end_of_read > *offset => {
                Err(io::Error::from_raw_os_error(errno.raw_os_error()))
            }
            _ => Ok(()),
        }
    }

    fn call(&self, call: &'static str, path: &Path) -> io::Result<()> {
        self.calls.lock().push((call, path.to_owned()));
        let mut fails = self.fails.lock();
        if !fails.as_ref().is_some_and(|(which, end)| *which == call && path.to_string_lossy().ends_with(end)) {
            return Ok(());
        }
        *fails = None;
        let error = io::Error::from_raw_os_error(Errno::IO.raw_os_error());
        Err(if call.starts_with("sync") { failed_sync(error) } else { error })
    }
}

#[derive(Debug)]
struct FailingFile {
    file: Arc<dyn File>,
    path: PathBuf,
    disk: Failing,
}

impl File for FailingFile {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.read(&self.path, offset + into.len() as u64)?;
        self.file.read_exact_at(into, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.call("write", &self.path)?;
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.call("sync_data", &self.path)?;
        self.file.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        self.file.reserve(len)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }
}

impl Disk for Failing {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        if matches!(how, Open::CreateNew | Open::Truncate) {
            self.call("create", path)?;
        }
        if how == Open::Read {
            self.call("open", path)?;
        }
        let disk = Self { calls: Arc::clone(&self.calls), fails: Arc::clone(&self.fails), unread: Arc::clone(&self.unread) };
        Ok(Arc::new(FailingFile { file: RealDisk.open(path, how)?, path: path.to_owned(), disk }))
    }

    fn lock_folder(&self, path: &Path) -> io::Result<Option<FolderLock>> {
        RealDisk.lock_folder(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        RealDisk.len(path)
    }

    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        RealDisk.is_dir(path)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.names(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call("rename", to)?;
        RealDisk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.call("remove", path)?;
        RealDisk.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.call("sync_dir", path)?;
        RealDisk.sync_dir(path)
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        self.call("sync_all", path)?;
        RealDisk.sync_all(path)
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        RealDisk.free_space(path)
    }

    fn outside(&self, path: &Path) -> Option<PathBuf> {
        RealDisk.outside(path)
    }
}

/// A store with one message acknowledged and one not, on a disk that can fail.
async fn half_acknowledged(home: &Home, disk: &Arc<Failing>) -> Arc<EmbeddedStore> {
    let mut options = home.options();
    options.files = Arc::clone(disk) as _;
    let store = EmbeddedStore::open(options).unwrap();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..2 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    let items = bed.fetch(RU_OSLO).await;
    bed.acknowledge(RU_OSLO, vec![items[0].item]).await.unwrap();
    store
}

/// Waits until the store said that it ends.
async fn is_told(home: &Home) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while home.fatal.lock().is_empty() {
        assert!(std::time::Instant::now() < end, "nothing was said");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_failed_sync_in_a_turn_is_known_as_such_and_nothing_is_lost() {
    let syncs = [
        ("sync_data", "keys/base-000000000001.content.key"),
        ("sync_data", "base/000000000001.content"),
        ("sync_data", "base/000000000001.state"),
        ("sync_dir", "base"),
        ("sync_dir", "records"),
        ("sync_all", "log"),
        ("sync_data", "CURRENT.tmp"),
        ("sync_dir", "data"),
        ("sync_data", "keys/journal-000000000001.j.key"),
        ("sync_dir", "keys"),
    ];
    for (call, end) in syncs {
        let (home, disk) = (Home::new(), Arc::new(Failing::default()));
        let store = half_acknowledged(&home, &disk).await;
        disk.fail(call, end);
        let error = store.turn_now().await.unwrap_err();
        if !error.is_failed_sync() {
            // The syncs of the roll-over are the committer's, which ends the store by itself.
            assert!(matches!(error, OpenError::Stopped), "{call} {end}: {error}");
            is_told(&home).await;
        }
        assert!(disk.fails.lock().is_none(), "{call} {end} was not called");
        drop(store);
        let store = home.open();
        assert_eq!(home.bed(&store).fetch(RU_OSLO).await.len(), 1, "{call} {end}");
    }
}

#[tokio::test]
async fn a_failed_sync_in_a_turn_that_was_due_ends_the_store() {
    let (home, disk) = (Home::new(), Arc::new(Failing::default()));
    let store = half_acknowledged(&home, &disk).await;
    disk.fail("sync_data", "base/000000000001.state");
    home.clock.advance_millis(86_400_000);
    is_told(&home).await;
    assert!(home.fatal.lock()[0].contains("base/000000000001.state"), "{:?}", home.fatal.lock());
    drop(store);
}

#[tokio::test]
async fn what_a_turn_could_not_destroy_goes_with_the_next() {
    for file in ["keys/journal-000000000001.j.key", "journal/000000000001.j"] {
        let (home, disk) = (Home::new(), Arc::new(Failing::default()));
        let store = half_acknowledged(&home, &disk).await;
        disk.fail("remove", file);
        let error = store.turn_now().await.unwrap_err();
        assert!(!error.is_failed_sync(), "{error}");
        assert!(home.data().join(file).exists());
        store.turn_now().await.unwrap();
        assert!(!home.data().join(file).exists(), "{file}");
        assert!(!home.data().join("journal/000000000001.j").exists());
        assert_eq!(home.bed(&store).fetch(RU_OSLO).await.len(), 1);
    }
}

#[test]
fn what_cannot_be_looked_at_counts_as_there() {
    let folder = tempfile::tempdir().unwrap();
    let endless = folder.path().join("endless");
    std::os::unix::fs::symlink(&endless, &endless).unwrap();
    assert!(RealDisk.exists(&endless.join("file")), "or its key would be destroyed");
    assert!(!RealDisk.exists(&folder.path().join("file")));
}

#[tokio::test]
async fn a_start_makes_the_last_frame_durable_before_it_builds_on_it() {
    let home = Home::new();
    let store = home.open();
    store.stop().await.unwrap();
    drop(store);
    let disk = Arc::new(Failing::default());
    drop(half_acknowledged(&home, &disk).await);
    let calls = disk.calls.lock();
    let at = |call: &str, end: &str| calls.iter().position(|(made, path)| *made == call && path.ends_with(end));
    let (old, new) = ("journal/000000000001.j", "journal/000000000002.j");
    let (written, synced, built) = (at("write", old).unwrap(), at("sync_data", old).unwrap(), at("create", new).unwrap());
    assert!(written < synced && synced < built, "{written} {synced} {built}");
}

#[tokio::test]
async fn a_month_that_cannot_be_opened_is_tried_once_a_step_and_not_once_a_record() {
    let (home, disk) = (Home::new(), Arc::new(Failing::default()));
    let mut options = home.options();
    options.files = Arc::clone(&disk) as Arc<dyn Disk>;
    let store = EmbeddedStore::open(options).unwrap();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..200 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    let later = bed.store().now().plus_millis(1);
    bed.advance_days(12);
    bed.send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    std::fs::write(home.data().join("records/2026-11.rec"), b"not a month").unwrap();
    // As nobody has it open yet.
    let engine = &store.engine;
    let archive = Archive::new(&engine.layout, &engine.keys, engine.archive.load().months().to_vec(), Vec::new());
    disk.calls.lock().clear();
    let found = archive.first_not_before(later).unwrap().unwrap();
    assert!(found <= 210, "{found}");
    let tried = disk.calls.lock().iter().filter(|(call, path)| *call == "open" && path.ends_with("2026-11.rec")).count();
    assert!((1..=9).contains(&tried), "a search of some 200 records in halves: {tried}");
}
