//! Bytes behind the end of any file of the store's own are named, with file and offset, stopped and running, with the key and without it so far as
//! the format allows; and what a crash leaves is told from them.

use super::super::frame;
use super::super::layout::{Current, Layout};
use super::*;
use crate::domain::hold::HoldReason;
use crate::store::Store as _;
use crate::store::contract::case_bed::wish;
use crate::store::contract::holds::place_hold;
use crate::store::embedded::Damage;
use crate::store::embedded::fsck::{FsckReport, fsck};

const GARBAGE: [u8; 37] = [0xa5; 37];

/// Two months, a hold, a base, several journals, full and partial tiles; stopped.
async fn everything() -> Home {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (_, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    for _ in 0..260 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    place_hold(&bed, accepted.case_ref.unwrap(), HoldReason::Complaint, "2029-10-31").await.unwrap();
    store.turn_now().await.unwrap();
    bed.advance_days(12);
    bed.send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    bed.send_notice(&wish(), None).await.unwrap();
    store.stop().await.unwrap();
    drop((bed, store));
    for _ in 0..2 {
        let store = home.open();
        home.bed(&store).send_notice(&wish(), None).await.unwrap();
        store.stop().await.unwrap();
    }
    home
}

fn checked(home: &Home, key: bool) -> FsckReport {
    match fsck(&home.data(), key.then(|| Zeroizing::new(KEY)), &mut |_| ()) {
        Err(OpenError::Damaged(damage)) => FsckReport { damages: vec![damage], ..FsckReport::default() },
        report => report.unwrap(),
    }
}

fn names(home: &Home, folder: &str, suffix: &str) -> Vec<String> {
    let name = |path: PathBuf| path.strip_prefix(home.data()).unwrap().to_string_lossy().into_owned();
    files_below(&home.data().join(folder)).into_iter().map(name).filter(|name| name.ends_with(suffix)).collect()
}

fn append(path: &Path, bytes: &[u8]) -> u64 {
    let mut content = std::fs::read(path).unwrap();
    let end = content.len() as u64;
    content.extend_from_slice(bytes);
    std::fs::write(path, content).unwrap();
    end
}

/// The one place that is damaged.
fn only(report: &FsckReport, case: &str) -> Damage {
    assert_eq!(report.damages.len(), 1, "{case}: {report:?}");
    report.damages[0].clone()
}

#[tokio::test]
async fn garbage_behind_any_file_is_named_with_its_offset() {
    let home = everything().await;
    for key in [true, false] {
        assert_eq!((checked(&home, key).damages, checked(&home, key).left), (vec![], vec![]), "{key}");
    }
    let mut all: Vec<String> = ["CURRENT", "LOCK", "log/checkpoint", "log/tile/0/000", "log/tile/entries/000"].map(str::to_owned).to_vec();
    for (folder, suffix) in [
        ("journal", ".j"),
        ("records", ".rec"),
        ("holds", ".rec"),
        ("base", ".state"),
        ("base", ".content"),
        ("keys", ".key"),
        ("log/tile", ""),
    ] {
        let found = names(&home, folder, suffix);
        assert!(!found.is_empty(), "{folder}");
        all.extend(found);
    }
    assert!(names(&home, "journal", ".j").len() > 2 && names(&home, "records", ".rec").len() == 2);
    let newest = names(&home, "records", ".rec").pop().unwrap();
    for name in all {
        let path = home.data().join(&name);
        let sound = std::fs::read(&path).unwrap();
        let end = append(&path, &GARBAGE);
        for key in [true, false] {
            let report = checked(&home, key);
            let case = format!("{name}, key {key}");
            // Where its pieces lie, and what an unfinished turn writes behind the newest month, is sealed.
            if !key && (name.ends_with(".content") || name == newest) {
                assert_eq!(report.damages, [], "{case}");
                continue;
            }
            let is_named = report.damages.iter().any(|damage| damage.file == name && damage.offset == end);
            assert!(
                is_named
                    && report.damages.iter().all(|damage| damage.file == name || damage.what.contains(name.trim_start_matches("log/"))),
                "{case}: {report:?}"
            );
        }
        std::fs::write(&path, sound).unwrap();
    }
    assert_eq!(checked(&home, true).damages, []);
    assert!(std::fs::metadata(home.data().join("LOCK")).unwrap().len() == 0);
}

#[tokio::test]
async fn garbage_is_named_under_a_running_store_too() {
    let home = everything().await;
    let store = home.open();
    home.bed(&store).send_notice(&wish(), None).await.unwrap();
    store.publish_now().await.unwrap();
    let (journals, records) = (names(&home, "journal", ".j"), names(&home, "records", ".rec"));
    for name in journals[..journals.len() - 1].iter().chain(&records) {
        let path = home.data().join(name);
        let sound = std::fs::read(&path).unwrap();
        let end = append(&path, &GARBAGE);
        for key in [true, false] {
            if !key && Some(name) == records.last() {
                continue;
            }
            let found = only(&checked(&home, key), name);
            assert_eq!((found.file.as_str(), found.offset), (name.as_str(), end), "{key}");
        }
        std::fs::write(&path, sound).unwrap();
    }
    store.stop().await.unwrap();
}

/// A whole slot behind the last of a month that is finished is none of an unfinished turn's.
#[tokio::test]
async fn a_slot_too_many_in_a_finished_month_is_named() {
    let home = everything().await;
    let name = &names(&home, "records", ".rec")[0];
    let end = append(&home.data().join(name), &[0; 768]);
    for key in [true, false] {
        let found = only(&checked(&home, key), name);
        assert_eq!((found.file.as_str(), found.offset), (name.as_str(), end), "{key}");
    }
}

/// A write that a crash cut off anywhere, in an older journal as in the last: no damage, and its place is told.
#[tokio::test]
async fn what_a_crash_leaves_of_a_frame_is_no_damage_wherever_it_stands() {
    let home = everything().await;
    let layout = Layout::new(&home.data(), Arc::new(RealDisk));
    let older = names(&home, "journal", ".j").swap_remove(0);
    let newest = names(&home, "journal", ".j").pop().unwrap();
    for name in [&older, &newest] {
        let number = name[8..20].parse().unwrap();
        let path = home.data().join(name);
        let sound = std::fs::read(&path).unwrap();
        // The place in the chain behind the last frame.
        let current = Current::of(&layout).unwrap();
        let mut reader = super::super::journal::Reader::new(&layout, None, current.chain.unwrap());
        for file in layout.journals().unwrap().into_iter().filter(|file| *file <= number) {
            reader.file(file, &mut |_| Ok(())).unwrap();
        }
        let chain = reader.chain();
        let head = (999, crate::audit::tree::Hash::from_bytes([3; 32]));
        let mut frame = frame::seal(number, chain, head).0.to_vec();
        frame[4] = 1;
        frame.extend_from_slice(&GARBAGE);
        let whole = frame.clone();
        let mut torn = frame.clone();
        torn[..40].fill(0);
        let mut hole = frame.clone();
        hole.fill(0);
        for (case, tail) in
            [("begun", &whole[..20]), ("the header", &whole[..116]), ("torn", &torn), ("a hole", &hole), ("whole but wrong", &whole)]
        {
            let end = append(&path, tail);
            for key in [true, false] {
                let report = checked(&home, key);
                assert_eq!(report.damages, [], "{name} {case} {key}");
                let told = if *name == older { report.left.clone() } else { report.torn.clone().into_iter().collect() };
                assert_eq!(told, [(name.clone(), end)], "{name} {case} {key}: {report:?}");
            }
            std::fs::write(&path, &sound).unwrap();
        }
        // What is none of it: another file's, another place's, or anything behind a frame's end.
        let (mut other_file, mut other_place) = (whole.clone(), whole.clone());
        other_file[8] ^= 0x40;
        other_place[20] ^= 0x40;
        for (case, tail) in [("another file's", other_file), ("another place's", other_place)] {
            let end = append(&path, &tail);
            for key in [true, false] {
                let found = only(&checked(&home, key), case);
                assert_eq!((found.file.as_str(), found.offset), (name.as_str(), end), "{case} {key}");
            }
            std::fs::write(&path, &sound).unwrap();
        }
    }
}

/// What a turn wrote before it was cut short stands behind the last slot that counts, whole or in part.
#[tokio::test]
async fn what_an_unfinished_turn_left_behind_the_newest_month_is_no_damage_and_anything_else_is() {
    let home = everything().await;
    let store = home.open();
    let bed = home.bed(&store);
    bed.send_notice(&wish(), None).await.unwrap();
    let name = names(&home, "records", ".rec").pop().unwrap();
    let path = home.data().join(&name);
    let before = std::fs::metadata(&path).unwrap().len();
    assert!(store.turn_until(Some(super::super::Failpoint::RecordsWritten)).await.is_err());
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() as u64 > before + 2 * 768);
    store.publish_now().await.unwrap();
    drop(bed);
    let mut torn = whole.clone();
    torn[before as usize..before as usize + 512].fill(0);
    for (case, bytes) in [("whole", whole.clone()), ("torn", torn), ("in part", whole[..before as usize + 1000].to_vec())] {
        std::fs::write(&path, bytes).unwrap();
        for key in [true, false] {
            assert_eq!(checked(&home, key).damages, [], "{case} {key}");
        }
    }
    // Not a whole slot's, or one that no turn would write there.
    let mut changed = whole.clone();
    changed[before as usize + 768 + 5] ^= 1;
    std::fs::write(&path, changed).unwrap();
    let found = only(&checked(&home, true), "changed");
    assert_eq!((found.file.as_str(), found.offset), (name.as_str(), before + 768));
    std::fs::write(&path, &whole).unwrap();
    let end = append(&path, &[0; 768 * 40]);
    let found = only(&checked(&home, true), "grown");
    assert_eq!(found.file, name);
    assert!(found.offset >= before && found.offset <= end, "{found}");
    let found = only(&checked(&home, false), "grown");
    assert_eq!((found.file.as_str(), found.offset >= before), (name.as_str(), true));
    std::fs::write(&path, &whole).unwrap();
    store.stop().await.unwrap();
}

/// CURRENT says what the first frame after the base follows.
#[tokio::test]
async fn a_zeroed_or_emptied_first_journal_after_a_base_is_named_without_the_key() {
    let home = everything().await;
    let journals = names(&home, "journal", ".j");
    assert!(journals.len() > 2);
    let first = home.data().join(&journals[0]);
    let bytes = std::fs::read(&first).unwrap();
    let harms: [(&str, Vec<u8>); 3] = [("zeroed", vec![0; bytes.len()]), ("emptied", Vec::new()), ("cut", bytes[..60].to_vec())];
    for (case, harm) in harms {
        std::fs::write(&first, harm).unwrap();
        for key in [true, false] {
            let report = checked(&home, key);
            assert!(report.damages.iter().any(|damage| damage.file == journals[0]), "{case} {key}: {report:?}");
        }
    }
    std::fs::remove_file(&first).unwrap();
    for key in [true, false] {
        assert!(checked(&home, key).damages.iter().any(|damage| damage.file == journals[0]), "gone, {key}");
    }
    std::fs::write(&first, &bytes).unwrap();
    assert_eq!(checked(&home, false).damages, []);
}

/// As the first programs wrote it.
#[tokio::test]
async fn a_store_whose_current_says_nothing_of_the_chain_is_opened_and_checked_as_before() {
    let home = everything().await;
    let layout = Layout::new(&home.data(), Arc::new(RealDisk));
    let current = Current::of(&layout).unwrap();
    assert!(current.chain.is_some());
    let write = |current: &Current| super::super::layout::write_checked(&RealDisk, &home.data().join("CURRENT"), current).unwrap();
    write(&Current { chain: None, ..current.clone() });
    for key in [true, false] {
        assert_eq!(checked(&home, key).damages, []);
    }
    // One that follows another frame than its base does.
    let other = super::super::frame::Chain { sequence: 3, previous: [9; 32] };
    write(&Current { chain: Some(other), ..current.clone() });
    let error = home.try_open().unwrap_err().to_string();
    assert!(error.contains("base/") && error.contains("another frame"), "{error}");
    write(&Current { chain: None, ..current });
    home.open().stop().await.unwrap();
}

#[tokio::test]
async fn what_does_not_belong_to_a_log_that_this_one_follows_is_named() {
    let home = everything().await;
    let previous = home.data().join("previous/0123");
    copy_folder(&home.data().join("log"), &previous.join("log"));
    std::fs::copy(home.data().join("FORMAT"), previous.join("FORMAT")).unwrap();
    std::fs::write(previous.join("log.vkey"), format!("{}\n", verifier())).unwrap();
    std::fs::write(previous.join("last-known"), "log\n1\nroot\n").unwrap();
    assert_eq!(checked(&home, false).damages, []);
    for name in ["log.vkey", "last-known", "FORMAT", "log/checkpoint", "log/tile/0/000"] {
        let path = previous.join(name);
        let sound = std::fs::read(&path).unwrap();
        let end = append(&path, &GARBAGE);
        let report = checked(&home, false);
        let wanted = format!("previous/0123/{name}");
        assert!(report.damages.iter().any(|damage| damage.file == wanted && damage.offset == end), "{name}: {report:?}");
        std::fs::write(&path, sound).unwrap();
    }
    std::fs::write(previous.join("notes.txt"), "theirs").unwrap();
    assert_eq!(only(&checked(&home, false), "foreign").file, "previous/0123/notes.txt");
}
