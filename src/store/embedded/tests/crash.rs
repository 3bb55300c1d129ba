//! Crashes: of the process, in the middle of a turn, in the middle of a write.

use super::*;
use crate::audit::event::Event;
use crate::store::Store;
use crate::store::contract::case_bed::{OSLO, RU_OSLO, id, wish};
use crate::store::embedded::frame::{FrameKind, HEADER_LEN, Header};
use crate::store::embedded::info::info;
use crate::store::embedded::layout::journal_name;
use crate::store::embedded::{Failpoint, fsck::fsck};
use crate::store::{LogEntry, RecordFilter};

async fn all(store: &EmbeddedStore) -> Vec<LogEntry> {
    store.records(&RecordFilter::default(), 10_000).await.unwrap().entries
}

#[tokio::test]
async fn a_crash_between_any_two_steps_of_a_turn_leaves_the_same_state() {
    for round in 0..2 {
        for failpoint in Failpoint::ALL {
            let home = Home::new();
            let store = home.open();
            let bed = home.bed(&store);
            bed.ready().await;
            for _ in 0..3 {
                bed.send_notice(&wish(), None).await.unwrap();
            }
            let items = bed.fetch(RU_OSLO).await;
            bed.acknowledge(RU_OSLO, vec![items[0].item]).await.unwrap();
            if round == 1 {
                // The second turn has an old base and an old record file to go over.
                store.turn_now().await.unwrap();
                bed.acknowledge(RU_OSLO, vec![items[1].item]).await.unwrap();
            }
            let (message_id, first) = bed.send_notice(&wish(), None).await.unwrap();
            let before = all(&store).await;
            let snapshot = store.snapshot();
            let error = store.turn_until(Some(failpoint)).await.unwrap_err();
            assert!(matches!(error, OpenError::Failpoint), "{failpoint:?}: {error}");
            let copy = Home { dir: tempfile::tempdir().unwrap(), clock: Arc::clone(&home.clock), fatal: Arc::default() };
            copy_folder(home.dir.path(), copy.dir.path());
            drop(bed);
            drop(store);
            for home in [&copy, &home] {
                let store = home.open();
                assert_eq!(store.snapshot(), snapshot, "{failpoint:?}");
                let after = all(&store).await;
                assert_eq!(after[..before.len()], before[..], "{failpoint:?}");
                assert_eq!(store.receipt(&id(OSLO), message_id).await.unwrap().as_ref(), Some(&first), "{failpoint:?}");
                let content = store.content(items[2].item).await.unwrap();
                assert_eq!(content.as_deref(), Some(&b"innhold som ingen skal lese"[..]), "{failpoint:?}");
                store.turn_now().await.unwrap();
                let told = all(&store).await.iter().filter_map(|entry| entry.record.clone()).filter(|record| record.kind == 30).count();
                assert_eq!(told, 1 + round, "{failpoint:?}: each erasure is told once");
                let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
                assert_eq!(report.damages, [], "{failpoint:?}");
            }
        }
    }
}

/// What cannot be read is left behind by such a turn.
#[tokio::test]
async fn a_crash_between_any_two_steps_of_a_turn_that_leaves_damage_behind_loses_nothing_else() {
    for failpoint in Failpoint::ALL {
        let home = Home::new();
        let store = home.open();
        let bed = home.bed(&store);
        bed.ready().await;
        for _ in 0..3 {
            bed.send_notice(&wish(), None).await.unwrap();
        }
        store.turn_now().await.unwrap();
        let items = bed.fetch(RU_OSLO).await;
        bed.acknowledge(RU_OSLO, vec![items[0].item]).await.unwrap();
        let old = home.data().join("base/000000000001.content");
        let mut bytes = std::fs::read(&old).unwrap();
        bytes[27 + 16 + 5] ^= 1;
        std::fs::write(&old, bytes).unwrap();
        store.turn_now().await.unwrap_err();
        home.clock.advance_millis(13 * 60 * 60 * 1000);
        let error = store.turn_until(Some(failpoint)).await.unwrap_err();
        assert!(matches!(error, OpenError::Failpoint), "{failpoint:?}: {error}");
        let copy = Home { dir: tempfile::tempdir().unwrap(), clock: Arc::clone(&home.clock), fatal: Arc::default() };
        copy_folder(home.dir.path(), copy.dir.path());
        drop(bed);
        drop(store);
        for home in [&copy, &home] {
            let store = home.open();
            let check = async |when: &str| {
                assert_eq!(home.bed(&store).waiting(RU_OSLO).await.len(), 2, "{failpoint:?} {when}");
                store.content(items[1].item).await.expect_err("it is never served");
                let content = store.content(items[2].item).await.unwrap();
                assert_eq!(content.as_deref(), Some(&b"innhold som ingen skal lese"[..]), "{failpoint:?} {when}");
                let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
                assert!(report.damages.len() == 1 && report.damages[0].file.ends_with(".content"), "{failpoint:?} {when}: {report:?}");
            };
            check("after the start").await;
            // A new process waits anew, where the turn before it was not made.
            let mut turned = store.turn_now().await;
            if turned.is_err() {
                home.clock.advance_millis(13 * 60 * 60 * 1000);
                turned = store.turn_now().await;
            }
            assert_eq!(turned.unwrap().lost, 1, "{failpoint:?}");
            check("after a turn").await;
            assert!(!home.data().join("base/000000000001.content").exists(), "{failpoint:?}");
            assert!(!home.data().join("keys/base-000000000001.content.key").exists(), "{failpoint:?}");
            let told = all(&store).await.into_iter().filter_map(|entry| entry.record).filter(|record| record.kind == 30);
            let erased = told.map(|record| record.count);
            assert_eq!(erased.collect::<Vec<_>>(), [Some(2)], "{failpoint:?}: told once");
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_loses_nothing_that_was_answered() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut receipts = Vec::new();
    let mut copies = Vec::new();
    for _ in 0..10 {
        receipts.push(bed.send_notice(&wish(), None).await.unwrap());
        let copy = Home { dir: tempfile::tempdir().unwrap(), clock: Arc::clone(&home.clock), fatal: Arc::default() };
        // The copy is taken under a running store, as a kill would leave the folder.
        copy_folder(home.dir.path(), copy.dir.path());
        copies.push((copy, receipts.len()));
    }
    for (copy, count) in copies {
        let store = copy.open();
        for (message_id, accepted) in &receipts[..count] {
            assert_eq!(store.receipt(&id(OSLO), *message_id).await.unwrap().as_ref(), Some(accepted));
        }
    }
}

/// A store with frames, closed without a seal after the last frame, and its last journal file.
async fn unsealed(home: &Home) -> (PathBuf, u64) {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    store.publish_now().await.unwrap();
    let path = home.data().join(journal_name(1));
    drop(bed);
    drop(store);
    let published = std::fs::metadata(&path).unwrap().len();
    (path, published)
}

#[tokio::test]
async fn a_torn_tail_is_left_behind() {
    let home = Home::new();
    let (path, whole) = unsealed(&home).await;
    // Half a frame, as a power loss in the middle of a write leaves it.
    let mut bytes = std::fs::read(&path).unwrap();
    let head = bytes[..200].to_vec();
    bytes.extend(head);
    std::fs::write(&path, &bytes).unwrap();
    let store = home.open();
    let snapshot = store.snapshot();
    let size = store.stats().await.unwrap().durable_size;
    drop(store);
    assert_eq!(std::fs::read(&path).unwrap().len(), whole as usize + 200, "the tail is left as evidence until the next turn");
    let store = home.open();
    assert_eq!(store.snapshot(), snapshot);
    assert_eq!(store.stats().await.unwrap().durable_size, size + 1, "one more `Started`");
    store.turn_now().await.unwrap();
    assert!(!path.exists());
}

/// Frames of a journal file: where each begins, and whether it is a seal.
fn frames(bytes: &[u8]) -> Vec<(usize, bool)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(header) = Header::read(&bytes[at..]) {
        found.push((at, header.kind == FrameKind::Seal));
        at += HEADER_LEN + header.body_len() as usize;
    }
    assert_eq!(at, bytes.len(), "nothing else stands in it");
    found
}

/// A copy of a store as a power cut leaves it in the middle of the second commit after a seal that no sync followed: its journal file, where the
/// seal begins, and where the two frames after it do.
async fn behind_a_seal(home: &Home) -> (Home, PathBuf, [usize; 3]) {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    // A seal is written after twenty quiet milliseconds, so that on a busy machine one may stand between the two.
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        for _ in 0..2 {
            bed.send_notice(&wish(), None).await.unwrap();
        }
        let copy = Home { dir: tempfile::tempdir().unwrap(), clock: Arc::clone(&home.clock), fatal: Arc::default() };
        copy_folder(home.dir.path(), copy.dir.path());
        let path = copy.data().join(journal_name(1));
        let found = frames(&std::fs::read(&path).unwrap());
        if let Some([seal, frame, later]) = found.last_chunk::<3>()
            && [seal.1, frame.1, later.1] == [true, false, false]
        {
            return (copy, path, [seal.0, frame.0, later.0]);
        }
    }
    panic!("no two commits follow a seal");
}

#[tokio::test]
async fn a_seal_that_the_power_took_from_before_a_frame_is_written_again() {
    // What the disk holds where the seal should stand: nothing, half of it, other bits.
    let lost: [fn(&mut [u8]); 3] = [|seal| seal.fill(0), |seal| seal[60..].fill(0), |seal| seal[9] ^= 4];
    for spoil in lost {
        let home = Home::new();
        let (copy, path, [seal, frame, later]) = behind_a_seal(&home).await;
        let whole = std::fs::read(&path).unwrap();
        let last = Header::read(&whole[frame..]).unwrap();
        // The frame after the seal is the last one, and whole: it may have been answered.
        let mut bytes = whole[..later].to_vec();
        spoil(&mut bytes[seal..frame]);
        std::fs::write(&path, &bytes).unwrap();
        for key in [Some(Zeroizing::new(KEY)), None] {
            let report = fsck(&copy.data(), key, &mut |_| ()).unwrap();
            assert_eq!((report.damages, report.lost_seal), (vec![], Some((journal_name(1), seal as u64))));
        }
        assert_eq!(info(&copy.data(), None, noon()).unwrap().log_size, Some(last.size), "counted past the seal");
        let store = copy.open();
        assert_eq!(all(&store).await.len() as u64, last.size + 1, "each entry of that frame is there, and one more `Started`");
        drop(store);
        assert_eq!(std::fs::read(&path).unwrap()[..later], whole[..later], "the seal stands there again");
        let report = fsck(&copy.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
        assert_eq!((report.damages, report.lost_seal), (vec![], None));
    }
}

#[tokio::test]
async fn a_torn_frame_behind_a_lost_seal_is_a_torn_tail() {
    let home = Home::new();
    let (copy, path, [seal, frame, later]) = behind_a_seal(&home).await;
    let mut bytes = std::fs::read(&path).unwrap()[..later].to_vec();
    bytes[seal..frame].fill(0);
    bytes[later - 40..].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let report = fsck(&copy.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
    assert_eq!((report.damages, report.torn), (vec![], Some((journal_name(1), frame as u64))));
    drop(copy.open());
    let report = fsck(&copy.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
    assert_eq!((report.damages, report.lost_seal), (vec![], None));
}

#[tokio::test]
async fn a_seal_before_the_last_frame_of_a_file_had_been_durable_when_there_is_another_file() {
    let home = Home::new();
    let (copy, path, [seal, frame, later]) = behind_a_seal(&home).await;
    let mut bytes = std::fs::read(&path).unwrap()[..later].to_vec();
    std::fs::write(&path, &bytes).unwrap();
    drop(copy.open());
    bytes[seal..frame].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let OpenError::Damaged(damage) = copy.try_open().unwrap_err() else { panic!("it is damage") };
    assert_eq!((damage.file, damage.offset), (journal_name(1), seal as u64));
}

#[tokio::test]
async fn a_seal_before_a_frame_that_another_follows_had_been_durable() {
    let home = Home::new();
    let (copy, path, [seal, frame, _]) = behind_a_seal(&home).await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[seal..frame].fill(0);
    std::fs::write(&path, &bytes).unwrap();
    let OpenError::Damaged(damage) = copy.try_open().unwrap_err() else { panic!("it is damage") };
    assert_eq!((damage.file, damage.offset), (journal_name(1), seal as u64));
}

#[tokio::test]
async fn a_tail_below_what_was_published_is_damage() {
    let home = Home::new();
    let (path, whole) = unsealed(&home).await;
    // Cut away the seal and half of the last frame: nothing in the journal itself says that it had been durable.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(whole - 300).unwrap();
    let error = home.try_open().unwrap_err();
    let OpenError::Damaged(damage) = error else { panic!("{error}") };
    assert_eq!(damage.file, journal_name(1));
    assert!(damage.offset > 0 && damage.offset < whole);
}

#[tokio::test]
async fn a_restored_copy_is_behind_its_high_water_mark_and_refused() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    store.stop().await.unwrap();
    let backup = tempfile::tempdir().unwrap();
    copy_folder(&home.data(), backup.path());
    let store = home.open();
    let bed_2 = home.bed(&store);
    bed_2.send_notice(&wish(), None).await.unwrap();
    store.stop().await.unwrap();
    drop((bed, bed_2, store));
    std::fs::remove_dir_all(home.data()).unwrap();
    copy_folder(backup.path(), &home.data());
    let error = home.try_open().unwrap_err();
    let OpenError::Behind { found_size, mark_size, .. } = &error else { panic!("{error}") };
    assert!(found_size < mark_size);
    assert!(error.to_string().contains(&mark_size.to_string()) && error.to_string().contains("new log"), "{error}");
}

#[tokio::test]
async fn a_fork_below_the_high_water_mark_is_refused() {
    let home = Home::new();
    let store = home.open();
    store.stop().await.unwrap();
    drop(store);
    let path = home.dir.path().join("high-water");
    let mut mark = super::super::tiles::HighWater::read(&RealDisk, &path).unwrap().unwrap();
    mark.root = crate::audit::tree::Hash::from_bytes([7; 32]);
    super::super::layout::write_checked(&RealDisk, &path, &mark).unwrap();
    let error = home.try_open().unwrap_err();
    assert!(matches!(&error, OpenError::Behind { found_root, .. } if found_root.contains("other root")), "{error}");
}

#[tokio::test]
async fn a_new_log_names_the_one_before() {
    let home = Home::new();
    let mut options = home.options();
    options.previous_checkpoint = Some("log.samband.example/old\n12\nroot\n".into());
    let store = EmbeddedStore::open(options).unwrap();
    let first = all(&store).await[0].record.clone().unwrap();
    assert_eq!(first.kind, Event::LogOpened { origin: String::new(), previous_checkpoint: None }.row().number);
    assert!(first.note.unwrap().contains("follows log.samband.example/old 12"));
}
