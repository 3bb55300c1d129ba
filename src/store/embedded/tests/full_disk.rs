//! A disk that is really full: a small file system in memory, filled by somebody else.

use std::process::Command as Process;
use std::time::Duration;

use super::*;
use crate::audit::event::MessageKind;
use crate::domain::id::MessageId;
use crate::policy::command::{Body, Command};
use crate::policy::permit::authorize;
use crate::policy::table::Verb;
use crate::store::contract::case_bed::{OSLO, RU_OSLO, notice, submission, wish};
use crate::store::embedded::DiskBounds;
use crate::store::{Store, StoreError};

const MIB: u64 = 1 << 20;
const BOUNDS: DiskBounds = DiskBounds { low_water: 3 * MIB, reserve: MIB };

/// A file system of its own at a test's data folder.
struct SmallDisk {
    home: Home,
}

impl SmallDisk {
    /// `None` where the machine does not let this process mount one.
    fn mount() -> Option<Self> {
        let home = Home::new();
        std::fs::create_dir_all(home.data()).unwrap();
        let done = Process::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "samband-test"]).arg(home.data()).output();
        if done.as_ref().is_ok_and(|done| done.status.success()) {
            return Some(Self { home });
        }
        // In CI this must be run; at a desk it needs root.
        assert!(std::env::var_os("CI").is_none(), "no small file system could be mounted: {done:?}");
        eprintln!("SKIPPED: a full disk was not tried, as mounting needs root");
        None
    }

    fn open(&self) -> Arc<EmbeddedStore> {
        let mut options = self.home.options();
        options.disk = BOUNDS;
        EmbeddedStore::open(options).expect("a store on a full disk opens")
    }

    fn free(&self) -> u64 {
        crate::store::embedded::disk::Disk::free_space(&crate::store::embedded::disk::RealDisk, &self.home.data()).unwrap()
    }

    fn reserve(&self) -> u64 {
        std::fs::metadata(self.home.data().join("reserve")).map_or(0, |meta| meta.len())
    }

    /// Somebody else's file takes all but `left` bytes.
    fn fill(&self, left: u64) {
        let filler = self.home.data().join("lost+found");
        std::fs::remove_file(&filler).ok();
        let bytes = self.free().saturating_sub(left);
        std::fs::write(&filler, vec![0; usize::try_from(bytes).unwrap()]).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Process::new("umount").args(["-l"]).arg(self.home.data()).status();
    }
}

async fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..100 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} within ten seconds");
}

/// Tries to send a notice.
async fn send(bed: &Bed) -> Result<(), StoreError> {
    send_as(bed, bed.fresh()).await
}

/// Tries to send the one notice that there is of this id.
async fn send_as(bed: &Bed, message_id: MessageId) -> Result<(), StoreError> {
    let submission = submission(message_id, Body::Notice(Box::new(notice(&wish()))), None);
    let submission = crate::policy::command::Submission { commit: [7; 32], ..submission };
    let permit = authorize(&bed.caller(OSLO), Verb::SendNotice, submission.commit, &bed.store().register()).unwrap();
    bed.store().act(Command::Submit { permit, submission: Box::new(submission) }).await.map(|_| ())
}

#[tokio::test]
async fn a_full_disk_refuses_new_messages_drains_loses_nothing_and_can_be_started_from() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = disk.open();
    let bed = disk.home.bed(&store);
    bed.ready().await;
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(bed.send_notice(&wish(), None).await.unwrap().0);
    }
    assert_eq!(disk.reserve(), MIB);
    let accepted = bed.fresh();
    send_as(&bed, accepted).await.unwrap();

    // Below the mark: new messages are refused, everything else goes on.
    disk.fill(2 * MIB);
    eventually("new messages are refused", || store.disk_is_full()).await;
    assert_eq!(send(&bed).await, Err(StoreError::Full));
    assert_eq!(send_as(&bed, accepted).await, Ok(()), "what was accepted before has its receipt, however full the disk is");
    let items = bed.fetch(RU_OSLO).await;
    assert_eq!(items.len(), 41);
    bed.acknowledge(RU_OSLO, items[..10].iter().map(|item| item.item).collect()).await.unwrap();
    bed.withdraw(OSLO, MessageKind::ConditionNotice, ids[39], 1).await.unwrap();
    assert_eq!(store.turn_now().await.unwrap().erased, 10);

    // Still fuller: the reserve is given up, and mail drains on.
    disk.fill(MIB);
    eventually("the reserve is given up", || disk.reserve() == 0).await;
    bed.acknowledge(RU_OSLO, items[10..20].iter().map(|item| item.item).collect()).await.unwrap();
    assert_eq!(store.turn_now().await.unwrap().erased, 10);
    assert_eq!(send(&bed).await, Err(StoreError::Full));

    // Space again: the reserve is taken back and messages are taken.
    std::fs::remove_file(disk.home.data().join("lost+found")).unwrap();
    eventually("the reserve is taken back", || disk.reserve() == MIB && !store.disk_is_full()).await;
    send(&bed).await.unwrap();
    drop((bed, store));

    // Not a byte free at the start: the reserve makes room.
    disk.fill(0);
    assert!(disk.free() < 64 * 1024);
    let store = disk.open();
    let bed = disk.home.bed(&store);
    assert_eq!(disk.reserve(), 0);
    assert!(store.disk_is_full());
    assert_eq!(send(&bed).await, Err(StoreError::Full));
    let left = bed.waiting(RU_OSLO).await;
    assert_eq!(left.len(), 23, "twenty-one of the first, the withdrawal, and the last one sent");
    for item in left.iter().filter(|item| !item.item.is_moved() && item.body == crate::policy::case::ItemBody::Content) {
        assert_eq!(store.content(item.item).await.unwrap().as_deref(), Some(&b"innhold som ingen skal lese"[..]));
    }
    bed.take(RU_OSLO).await;
    store.turn_now().await.unwrap();
    assert_eq!(store.stats().await.unwrap().undelivered, 0);
    assert!(disk.home.fatal.lock().is_empty(), "{:?}", disk.home.fatal.lock());
    drop((bed, store));
    std::fs::remove_file(disk.home.data().join("lost+found")).unwrap();
    let report = crate::store::embedded::fsck::fsck(&disk.home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
    assert_eq!(report.damages, []);
}

#[tokio::test]
async fn new_messages_stop_while_a_turn_still_has_room_for_what_it_carries() {
    let home = Home::new();
    let mut options = home.options();
    options.disk = DiskBounds { low_water: 2, reserve: 0 };
    let store = EmbeddedStore::open(options).unwrap();
    let bed = home.bed(&store);
    bed.ready().await;
    let before = store.engine.turn_needs();
    for _ in 0..10 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    let full = store.engine.turn_needs();
    assert!(full >= before + 10 * (27 + 16 + 768), "content and record slots: {before} to {full}");
    bed.take(RU_OSLO).await;
    store.turn_now().await.unwrap();
    assert!(store.engine.turn_needs() < full);
}
