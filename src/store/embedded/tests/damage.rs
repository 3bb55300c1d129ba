//! One flipped bit anywhere is refused at the start or reported by the check, with file and offset.

use super::*;
use crate::store::contract::case_bed::{OSLO, RU_OSLO, id, wish};
use crate::store::embedded::fsck::{FsckReport, fsck};
use crate::store::embedded::info::info;
use crate::store::embedded::unread;
use crate::store::{Page, RecordFilter, Store, StoreError};

/// A store with a base, records of a turn, content, tiles and a journal with several frames.
pub(super) async fn rich() -> Home {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..260 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.turn_now().await.unwrap();
    for _ in 0..5 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.stop().await.unwrap();
    home
}

pub(super) fn flip(path: &Path, offset: u64) {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], offset).unwrap();
}

pub(super) fn one(home: &Home, folder: &str, suffix: &str) -> (PathBuf, String) {
    let path = files_below(&home.data().join(folder)).into_iter().find(|path| path.to_string_lossy().ends_with(suffix)).unwrap();
    let name = path.strip_prefix(home.data()).unwrap().to_string_lossy().into_owned();
    (path, name)
}

pub(super) fn check(home: &Home) -> FsckReport {
    fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap()
}

fn refused(home: &Home) -> (String, u64) {
    match home.try_open() {
        Err(OpenError::Damaged(damage)) => (damage.file, damage.offset),
        Err(other) => panic!("expected damage, not {other}"),
        Ok(_) => panic!("expected damage, but the store opened"),
    }
}

#[tokio::test]
async fn a_sound_store_has_no_damage_stopped_or_running() {
    let home = rich().await;
    let report = check(&home);
    assert_eq!(report.damages, []);
    assert!(report.published > 260 && report.records >= 263 && report.contents == 265 && report.frames > 5, "{report:?}");
    let store = home.open();
    assert_eq!(check(&home).damages, []);
    let mut stages = Vec::new();
    let without_key = fsck(&home.data(), None, &mut |progress| stages.push(progress.stage)).unwrap();
    assert_eq!(without_key.damages, []);
    assert!(without_key.frames > 5 && stages.contains(&"published log") && stages.contains(&"journal"));
    drop(store);
}

#[tokio::test]
async fn another_storage_key_is_told_apart_from_damage() {
    let home = rich().await;
    let error = fsck(&home.data(), Some(Zeroizing::new([1; 32])), &mut |_| ()).unwrap_err();
    assert!(matches!(error, OpenError::StorageKey { .. }));
}

#[tokio::test]
async fn a_flipped_bit_in_the_journal_stops_the_start_with_file_and_offset() {
    let home = rich().await;
    let (path, name) = one(&home, "journal", ".j");
    let len = std::fs::metadata(&path).unwrap().len();
    for at in [0, 60, 130, len / 2, len - 1_000, len - 130] {
        flip(&path, at);
        let (file, offset) = refused(&home);
        assert_eq!(file, name);
        assert!(offset <= at && at - offset < 2_000, "flipped {at}, found {offset}");
        let report = check(&home);
        assert_eq!(report.damages.len(), 1);
        assert_eq!((report.damages[0].file.as_str(), report.damages[0].offset), (name.as_str(), offset));
        assert!(!fsck(&home.data(), None, &mut |_| ()).unwrap().is_sound(), "found without the key as well");
        flip(&path, at);
    }
    home.open();
}

#[tokio::test]
async fn a_flipped_bit_in_the_base_stops_the_start() {
    let home = rich().await;
    let (path, name) = one(&home, "base", ".state");
    for at in [0, 3, 500] {
        flip(&path, at);
        assert_eq!(refused(&home), (name.clone(), 0));
        assert_eq!(check(&home).damages[0].file, name);
        flip(&path, at);
    }
    home.open();
}

#[tokio::test]
async fn a_flipped_bit_in_current_format_or_a_key_stops_the_start() {
    let home = rich().await;
    for name in ["CURRENT", "FORMAT"] {
        flip(&home.data().join(name), 14);
        assert_eq!(refused(&home).0, name);
        flip(&home.data().join(name), 14);
    }
    let (path, name) = one(&home, "keys", ".state.key");
    flip(&path, 20);
    assert_eq!(refused(&home).0, name);
    flip(&path, 20);
    home.open();
}

#[tokio::test]
async fn a_flipped_bit_in_a_record_is_named_by_the_check_and_the_answer() {
    let home = rich().await;
    let (path, name) = one(&home, "records", ".rec");
    flip(&path, 32 + 768 * 3 + 100);
    let report = check(&home);
    assert_eq!(report.damages.len(), 1);
    assert_eq!((report.damages[0].file.as_str(), report.damages[0].offset), (name.as_str(), 32 + 768 * 3));
    let store = home.open();
    let error = store.records(&RecordFilter::default(), 100).await.and_then(Page::whole).unwrap_err();
    assert_eq!(error, StoreError::Damaged { place: format!("{name}, offset {}", 32 + 768 * 3) });
}

#[tokio::test]
async fn a_flipped_bit_in_content_is_named_and_never_handed_out() {
    let home = rich().await;
    let (path, name) = one(&home, "base", ".content");
    flip(&path, 5);
    let report = check(&home);
    assert_eq!(report.damages.len(), 1);
    assert_eq!((report.damages[0].file.as_str(), report.damages[0].offset), (name.as_str(), 0));
    let store = home.open();
    let bed = home.bed(&store);
    let items = bed.waiting(RU_OSLO).await;
    assert!(matches!(store.content(items[0].item).await, Err(StoreError::Damaged { .. })));
    assert!(store.content(items[1].item).await.unwrap().is_some());
}

#[tokio::test]
async fn a_flipped_bit_in_a_tile_or_bundle_is_named_by_the_check() {
    let home = rich().await;
    for (name, at) in [("log/tile/entries/000", 35 * 7 + 4), ("log/tile/0/000", 32 * 9 + 1), ("log/tile/1/000.p/1", 3)] {
        let path = home.data().join(name);
        flip(&path, at);
        let report = fsck(&home.data(), None, &mut |_| ()).unwrap();
        assert!(report.damages.iter().any(|damage| damage.file.starts_with("log/tile/")), "{name}: {:?}", report.damages);
        let named = report.damages.iter().any(|damage| damage.file == name || damage.what.contains(name));
        assert!(named, "{name}: {:?}", report.damages);
        flip(&path, at);
    }
    assert_eq!(check(&home).damages, []);
}

#[tokio::test]
async fn a_changed_tile_never_makes_the_gateway_sign_a_second_root_or_give_a_false_proof() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut first = Vec::new();
    for _ in 0..300 {
        first.push(bed.send_notice(&wish(), None).await.unwrap());
    }
    store.turn_now().await.unwrap();
    store.stop().await.unwrap();
    drop((bed, store));
    flip(&home.data().join("log/tile/0/000"), 32 * 50 + 3);
    let store = home.open();
    let mut refused = 0;
    for (message_id, accepted) in &first {
        match store.receipt(&id(OSLO), *message_id).await {
            Ok(again) => assert_eq!(again.as_ref(), Some(accepted), "the same bytes or none"),
            Err(StoreError::Damaged { place }) => {
                assert!(place.contains("log/tile"), "{place}");
                refused += 1;
            }
            Err(other) => panic!("expected damage, not {other}"),
        }
    }
    assert!(refused > 100, "{refused}: every receipt whose tree holds the changed hash");
    assert!(matches!(store.prove(48).await, Err(StoreError::Damaged { .. })));
    assert!(matches!(store.prove(51).await, Err(StoreError::Damaged { .. })));
    assert!(matches!(store.consistency(100, 200).await, Err(StoreError::Damaged { .. })));
    assert!(store.prove(first.last().unwrap().1.index).await.unwrap().is_some(), "what does not touch the tile still proves");
}

#[tokio::test]
async fn a_journal_that_is_gone_is_named_by_the_check() {
    let home = rich().await;
    let newest = files_below(&home.data().join("journal")).into_iter().max().unwrap();
    let name = newest.strip_prefix(home.data()).unwrap().to_string_lossy().into_owned();
    std::fs::remove_file(&newest).unwrap();
    let report = check(&home);
    assert!(report.damages.iter().any(|damage| damage.file == name), "{name}: {:?}", report.damages);
}

#[tokio::test]
async fn undelivered_content_that_cannot_be_read_is_counted_and_told_until_it_is_mended() {
    let home = rich().await;
    let (path, _) = one(&home, "base", ".content");
    let look = || info(&home.data(), Some(Zeroizing::new(KEY)), noon()).unwrap().sealed.unwrap().unread;
    assert_eq!(look(), 0);
    flip(&path, 5);
    assert_eq!(look(), 1, "of a stopped store");
    let store = home.open();
    let counted = async || {
        unread::look_now(&store.engine);
        store.stats().await.unwrap().unreadable
    };
    assert_eq!((counted().await, look()), (1, 1));
    assert!(store.engine.unread.is_due(home.clock.elapsed_millis() + 60_000), "looked for again soon");
    flip(&path, 5);
    assert_eq!((counted().await, look()), (0, 0));
    // Whoever meets damage calls for a look.
    assert!(!store.engine.unread.is_due(home.clock.elapsed_millis() + 60_000));
    flip(&path, 5);
    let first = home.bed(&store).waiting(RU_OSLO).await[0].item;
    store.content(first).await.unwrap_err();
    assert!(store.engine.unread.is_due(home.clock.elapsed_millis() + 60_000));
    flip(&path, 5);
    // A key that is damaged is all of them.
    let (key, _) = one(&home, "keys", ".content.key");
    flip(&key, 20);
    assert_eq!(look(), 260);
    drop(store);
    let store = home.open();
    let items = home.bed(&store).waiting(RU_OSLO).await;
    let numbers: Vec<_> = items.iter().map(|item| item.item).collect();
    assert_eq!((store.unreadable_contents(&numbers).await.len(), items.len()), (260, 265));
}

#[tokio::test]
async fn a_month_that_cannot_be_read_is_counted_also_where_the_last_stop_stands_in_a_journal() {
    let home = rich().await;
    let look = || info(&home.data(), Some(Zeroizing::new(KEY)), noon()).unwrap().sealed.unwrap();
    let sound = look();
    assert!(sound.stopped_cleanly && sound.unreadable == 0 && sound.looked_at == sound.records && sound.records > 260, "{sound:?}");
    let (key, _) = one(&home, "keys", ".rec.key");
    std::fs::remove_file(&key).unwrap();
    let broken = look();
    assert!(broken.stopped_cleanly && broken.unreadable == broken.records, "{broken:?}");
}
