//! The files of held records: damaged, and across turns, restarts and the end of the lawful time.

use super::*;
use crate::audit::event::Event;
use crate::audit::range::{Held, OpenEntry};
use crate::clock::Clock as _;
use crate::domain::hold::{HeldCase, HoldCopy, HoldGround, HoldReason};
use crate::domain::id::CaseRef;
use crate::domain::time::DAY_MILLIS;
use crate::policy::command::Command;
use crate::store::contract::case_bed::{RU_OSLO, wish};
use crate::store::contract::holds::place_hold;
use crate::store::embedded::Failpoint;
use crate::store::embedded::fsck::fsck;
use crate::store::embedded::stopped::{StoppedLog, Wanted};
use crate::store::{RecordFilter, Store, StoreError};

fn files(home: &Home) -> Vec<PathBuf> {
    files_below(&home.data().join("holds"))
}

fn name(home: &Home, file: &Path) -> String {
    file.strip_prefix(home.data()).unwrap().to_string_lossy().into_owned()
}

/// A held case and another, and months that are gone.
async fn held(home: &Home) -> (Arc<EmbeddedStore>, CaseRef, u64) {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (_, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    let case_ref = accepted.case_ref.unwrap();
    place_hold(&bed, case_ref, HoldReason::Complaint, "2029-10-31").await.unwrap();
    pass(home, &store, 16 * 29).await;
    (store, case_ref, accepted.index)
}

async fn pass(home: &Home, store: &Arc<EmbeddedStore>, days: i64) {
    for _ in 0..days / 29 {
        home.clock.advance_millis(29 * DAY_MILLIS);
        store.act(Command::Note(Event::Stopped)).await.unwrap();
        store.turn_now().await.unwrap();
    }
}

async fn of_case(store: &Arc<EmbeddedStore>, case_ref: CaseRef) -> Result<Vec<u64>, StoreError> {
    let filter = RecordFilter { case_ref: Some(case_ref), ..RecordFilter::default() };
    Ok(store.records(&filter, 100).await?.whole()?.entries.iter().map(|entry| entry.index).collect())
}

#[tokio::test]
async fn held_records_are_there_after_turns_and_restarts_and_what_joins_them_too() {
    let home = Home::new();
    let (store, case_ref, _) = held(&home).await;
    let before = of_case(&store, case_ref).await.unwrap();
    assert_eq!(before.len(), 4, "accepted, handed out, acknowledged, held");
    let first = files(&home);
    assert_eq!(first.len(), 1);
    pass(&home, &store, 29).await;
    assert_eq!(files(&home), first, "nothing joined: the same file");
    let bed = home.bed(&store);
    bed.act("tilsyn", crate::policy::table::Verb::ListRecords, |permit| Command::Audit {
        permit,
        case_ref: Some(case_ref),
        participant: None,
    })
    .await
    .unwrap();
    pass(&home, &store, 29).await;
    assert_ne!(files(&home), first, "a record joined: another file under another key");
    assert_eq!(files(&home).len(), 1);
    drop(bed);
    store.stop().await.unwrap();
    drop(store);
    let store = home.open();
    let after = of_case(&store, case_ref).await.unwrap();
    assert_eq!((after[..4] == before[..], after.len()), (true, 5));
    assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);
}

#[tokio::test]
async fn a_month_counts_its_places_whatever_holds_keep_and_each_copy_is_counted_when_it_goes() {
    let home = Home::new();
    let (store, case_ref, _) = held(&home).await;
    let counted = async |kind: u16| -> u64 {
        let filter = RecordFilter { kinds: vec![kind], ..RecordFilter::default() };
        store.records(&filter, 100).await.unwrap().entries.iter().filter_map(|entry| entry.record.as_ref()?.count).sum()
    };
    let first_kept = store.first_not_before(crate::domain::time::Timestamp::from_millis(i64::MIN)).await.unwrap();
    assert_eq!(counted(31).await, first_kept, "all below the first that is kept, the four of the held case among them");
    let tools = home.bed(&store);
    tools.act("tilsyn", crate::policy::table::Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref }).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!((counted(31).await, counted(32).await), (first_kept, 4), "then the copies too");
    // A hold whose records stand in their months still erases nothing when it is lifted.
    let (_, accepted) = tools.send_notice(&wish(), None).await.unwrap();
    let young = accepted.case_ref.unwrap();
    place_hold(&tools, young, HoldReason::Complaint, "2028-12-31").await.unwrap();
    store.turn_now().await.unwrap();
    tools.act("tilsyn", crate::policy::table::Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref: young }).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(counted(32).await, 4);
}

#[tokio::test]
async fn a_hold_s_file_that_is_gone_is_told_without_the_storage_key_too_and_a_cut_tile_once() {
    let home = Home::new();
    let (store, _, _) = held(&home).await;
    store.stop().await.unwrap();
    drop(store);
    let found = || {
        let report = fsck(&home.data(), None, &mut |_| ()).unwrap();
        assert!(!report.sealed, "nothing that is sealed was looked at");
        report.damages.into_iter().map(|damage| damage.file).collect::<Vec<_>>()
    };
    assert_eq!(found(), [""; 0]);
    let file = files(&home).remove(0);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(found(), [name(&home, &file)]);
    let tiles = std::fs::read_dir(home.data().join("log/tile/0/000.p")).unwrap().map(|entry| entry.unwrap().path());
    let tile = tiles.max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
    std::fs::File::options().write(true).open(&tile).unwrap().set_len(40).unwrap();
    let named = found();
    let of_bundle = named.iter().filter(|file| file.starts_with("log/tile/entries")).count();
    assert!(of_bundle == 0 && named.iter().any(|file| file.starts_with("log/tile/0/")), "{named:?}");
}

/// How many held records each erasure of held records told of.
async fn erasures_told(store: &EmbeddedStore) -> Vec<Option<u64>> {
    let filter = RecordFilter { kinds: vec![32], ..RecordFilter::default() };
    store.records(&filter, 10).await.unwrap().entries.iter().map(|entry| entry.record.as_ref().unwrap().count).collect()
}

#[tokio::test]
async fn no_record_is_held_beyond_35_months_after_its_month_whatever_the_hold_says() {
    let home = Home::new();
    let (store, case_ref, index) = held(&home).await;
    let bed = home.bed(&store);
    // Other terms, from a later day on: the hold lasts longer, its oldest records may not.
    let later = crate::domain::hold::latest_end(store.now().oslo_date(), false).to_string();
    place_hold(&bed, case_ref, HoldReason::CourtProceedings, &later).await.unwrap();
    pass(&home, &store, 22 * 29).await;
    assert!(store.now().oslo_date() > crate::domain::hold::last_lawful_day(crate::store::contract::case_bed::date("2026-11-20")));
    assert_eq!(store.holds().await.unwrap().len(), 1);
    assert!(store.prove(index).await.unwrap().unwrap().record.is_none(), "three years are over");
    let left = of_case(&store, case_ref).await.unwrap();
    assert_eq!(left.len(), 2, "the second placing, and the erasure: {left:?}");
    assert_eq!(erasures_told(&store).await, [Some(4)]);
    assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);
}

#[tokio::test]
async fn damage_to_a_file_of_held_records_is_named_and_never_served() {
    let home = Home::new();
    let (store, case_ref, index) = held(&home).await;
    let sound = of_case(&store, case_ref).await.unwrap();
    store.stop().await.unwrap();
    drop(store);
    let file = files(&home).remove(0);
    let (name, bytes) = (name(&home, &file), std::fs::read(&file).unwrap());
    let slot = 32 + 768;
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("magic", changed(0), 0),
        ("index of the hold", changed(8), 0),
        ("count", changed(16), 0),
        ("a record", changed(slot + 100), slot as u64),
        ("cut", bytes[..slot + 10].to_vec(), slot as u64),
        ("longer", [bytes.clone(), vec![0; 768]].concat(), bytes.len() as u64),
        ("empty", Vec::new(), 0),
        ("two records exchanged", [&bytes[..32], &bytes[slot..slot + 768], &bytes[32..slot], &bytes[slot + 768..]].concat(), 32),
    ];
    for (what, bad, offset) in cases {
        std::fs::write(&file, bad).unwrap();
        let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
        let found = report.damages.iter().any(|damage| damage.file == name && damage.offset == offset);
        assert!(found, "{what}: {:?}", report.damages);
        let store = home.open();
        assert!(matches!(of_case(&store, case_ref).await, Err(StoreError::Damaged { .. })), "{what}");
        let entries = store.entries(index, index + 1).await.unwrap();
        let is_record = matches!(entries[0].held, crate::audit::range::Held::Record(_));
        assert!(!is_record || what == "a record" || what == "cut", "{what}: the first record is served");
        drop(store);
    }
    std::fs::remove_file(&file).unwrap();
    let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
    assert!(report.damages.iter().any(|damage| damage.file == name), "{:?}", report.damages);
    std::fs::write(&file, &bytes).unwrap();
    let foreign = home.data().join("holds/notes.txt");
    std::fs::write(&foreign, "x").unwrap();
    let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
    assert_eq!(report.damages.iter().map(|damage| damage.file.as_str()).collect::<Vec<_>>(), ["holds/notes.txt"]);
    let store = home.open();
    assert_eq!(of_case(&store, case_ref).await.unwrap(), sound, "and undamaged it is as before");
    assert!(foreign.exists(), "what the store did not make is left alone");
}

pub(super) fn flip(file: &Path, index: u64) {
    use std::os::unix::fs::FileExt as _;
    let (file, at) = (std::fs::File::options().read(true).write(true).open(file).unwrap(), 32 + 768 * index + 100);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

/// A case of which a bit of the second record is flipped before a hold is placed on it. Gives the case, that record's index and its file.
async fn damaged_before_held(home: &Home) -> (Arc<EmbeddedStore>, CaseRef, u64, PathBuf) {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (_, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    let case_ref = accepted.case_ref.unwrap();
    store.turn_now().await.unwrap();
    let file = files_below(&home.data().join("records")).remove(0);
    let lost = accepted.index + 1;
    flip(&file, lost);
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Pending);
    place_hold(&bed, case_ref, HoldReason::Complaint, "2029-10-31").await.unwrap();
    store.turn_now().await.unwrap();
    (store, case_ref, lost, file)
}

async fn unreadable(store: &Arc<EmbeddedStore>, case_ref: CaseRef) -> Vec<u64> {
    let filter = RecordFilter { case_ref: Some(case_ref), ..RecordFilter::default() };
    store.records(&filter, 100).await.unwrap().unreadable.iter().map(|(index, _)| *index).collect()
}

async fn months_erased(store: &Arc<EmbeddedStore>) -> usize {
    let filter = RecordFilter { kinds: vec![31], ..RecordFilter::default() };
    store.records(&filter, 100).await.unwrap().entries.len()
}

#[tokio::test]
async fn a_month_with_records_that_a_hold_lacks_stays_until_they_can_be_read() {
    let home = Home::new();
    let (store, case_ref, lost, file) = damaged_before_held(&home).await;
    pass(&home, &store, 16 * 29).await;
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::NotWhole { lost: 0 });
    assert_eq!((unreadable(&store, case_ref).await, months_erased(&store).await), (vec![lost], 0), "nothing is told as erased by rule");
    assert!(file.exists());
    let told = super::super::info::info(&home.data(), Some(Zeroizing::new(KEY)), store.now()).unwrap().sealed.unwrap();
    assert_eq!((told.holds, told.holds_not_whole, told.unreadable), (1, 1, 1));
    flip(&file, lost);
    pass(&home, &store, 29).await;
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Whole);
    assert!(!file.exists() && months_erased(&store).await > 0, "now all of the case is held, and the month goes");
    assert_eq!(of_case(&store, case_ref).await.unwrap().len(), 4, "accepted, handed out, acknowledged, held");
    assert!(store.prove(lost).await.unwrap().unwrap().record.is_some());
}

#[tokio::test]
async fn a_month_that_a_hold_lacks_records_of_goes_when_the_hold_is_lifted() {
    let home = Home::new();
    let (store, case_ref, _, file) = damaged_before_held(&home).await;
    pass(&home, &store, 16 * 29).await;
    assert!(file.exists() && months_erased(&store).await == 0, "meanwhile it stays");
    let bed = home.bed(&store);
    bed.act("tilsyn", crate::policy::table::Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref }).await.unwrap();
    store.turn_now().await.unwrap();
    assert!(!file.exists() && months_erased(&store).await > 0);
}

#[tokio::test]
async fn no_month_stays_for_a_hold_beyond_its_lawful_time_and_a_ground_does_not_speak_for_other_cases() {
    let home = Home::new();
    let (store, case_ref, lost, file) = damaged_before_held(&home).await;
    let bed = home.bed(&store);
    let ground = Some(HoldGround::try_from("arkivlova § 9".to_owned()).unwrap());
    let case = HeldCase { case_ref, prosecution: None, unit: None };
    bed.act("tilsyn", crate::policy::table::Verb::PlaceHold, |permit| Command::PlaceHold {
        permit,
        case,
        reason: HoldReason::Complaint,
        until: crate::store::contract::case_bed::date("2036-10-31"),
        oldest: None,
        ground,
    })
    .await
    .unwrap();
    let last = crate::domain::hold::last_lawful_day(store.now().oslo_date());
    while store.now().plus_millis(29 * DAY_MILLIS).oslo_date() <= last {
        pass(&home, &store, 29).await;
    }
    assert!(file.exists() && unreadable(&store, case_ref).await == [lost], "to the last lawful day");
    pass(&home, &store, 29).await;
    assert!(!file.exists() && store.holds().await.unwrap().len() == 1);
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Lost { lost: 1 }, "what it once lacked is gone, and that is told");
    pass(&home, &store, 29).await;
    let store = told_for_life(&home, (bed, store), case_ref, 1).await;
    assert!(of_case(&store, case_ref).await.unwrap().contains(&(lost - 1)), "what could be read is held on");
}

/// That a hold tells what it has lost after a turn, in a file that is written anew, to a start, to `store info` and to `audit fsck`.
async fn told_for_life(home: &Home, (bed, store): (Bed, Arc<EmbeddedStore>), case_ref: CaseRef, lost: u64) -> Arc<EmbeddedStore> {
    let before = files(home);
    let placed = store.holds().await.unwrap()[0].placed;
    let ask = |permit| Command::Audit { permit, case_ref: Some(case_ref), participant: None };
    bed.act("tilsyn", crate::policy::table::Verb::ListRecords, ask).await.unwrap();
    pass(home, &store, 29).await;
    assert_ne!(files(home), before, "a record joined");
    drop(bed);
    store.stop().await.unwrap();
    drop(store);
    let told = super::super::info::info(&home.data(), Some(Zeroizing::new(KEY)), home.clock.now()).unwrap().sealed.unwrap();
    assert_eq!((told.holds, told.holds_not_whole, told.lost), (1, 0, lost));
    let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
    assert_eq!((report.damages, report.lacking), (vec![], vec![(placed, HoldCopy::Lost { lost })]));
    let stopped = StoppedLog::open(&home.data(), Zeroizing::new(KEY), None).unwrap();
    assert_eq!(stopped.hold_on(case_ref), Some(HoldCopy::Lost { lost }), "for an export from the folder");
    // Erased months, held records, files, journal: the folder is read as the running store reads it.
    let size = stopped.head().size();
    let read = stopped.entries(0, size, None);
    let of_case = |entry: &&OpenEntry| matches!(&entry.held, Held::Record(held) if held.0.case_ref == Some(case_ref));
    let ends = read.iter().filter(of_case).map(|entry| entry.index);
    let wanted = Wanted { case_ref: Some(case_ref), ..Wanted::default() };
    assert_eq!(stopped.range(&wanted).unwrap(), ends.clone().min().zip(ends.max().map(|last| last + 1)));
    let told = |entries: &[OpenEntry]| entries.iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>();
    assert_eq!(told(&stopped.entries(3, size - 2, None)), told(&read)[3..read.len() - 2]);
    drop(stopped);
    let store = home.open();
    assert_eq!(told(&store.entries(0, size).await.unwrap()), told(&read));
    assert!(read.iter().any(|entry| matches!(entry.held, Held::Erased)));
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Lost { lost });
    store
}

#[tokio::test]
async fn a_damaged_record_of_a_hold_s_file_that_goes_with_others_is_counted_and_told_for_as_long_as_the_hold_lives() {
    let home = Home::new();
    let (store, case_ref, index) = held(&home).await;
    let bed = home.bed(&store);
    let later = crate::domain::hold::latest_end(store.now().oslo_date(), false).to_string();
    place_hold(&bed, case_ref, HoldReason::CourtProceedings, &later).await.unwrap();
    pass(&home, &store, 29).await;
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Whole);
    flip(&files(&home).remove(0), 1);
    pass(&home, &store, 29).await;
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::NotWhole { lost: 0 }, "it stands, and may be put back");
    let told = super::super::info::info(&home.data(), Some(Zeroizing::new(KEY)), store.now()).unwrap().sealed.unwrap();
    assert_eq!((told.holds_not_whole, told.lost), (1, 0));
    pass(&home, &store, 20 * 29).await;
    assert!(store.prove(index).await.unwrap().unwrap().record.is_none(), "three years are over");
    assert_eq!(erasures_told(&store).await, [Some(4)], "the damaged one is erased with the others, and counted");
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Lost { lost: 1 });
    let store = told_for_life(&home, (bed, store), case_ref, 1).await;
    let bed = home.bed(&store);
    bed.act("tilsyn", crate::policy::table::Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref }).await.unwrap();
    store.turn_now().await.unwrap();
    place_hold(&bed, case_ref, HoldReason::Complaint, &store.now().plus_millis(29 * DAY_MILLIS).oslo_date().to_string()).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Whole, "another hold has lost nothing");
}

#[tokio::test]
async fn a_damaged_record_of_a_hold_s_file_is_taken_from_its_month_while_that_stands() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (_, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    let case_ref = accepted.case_ref.unwrap();
    place_hold(&bed, case_ref, HoldReason::Complaint, "2029-10-31").await.unwrap();
    store.turn_now().await.unwrap();
    let file = files(&home).remove(0);
    flip(&file, 0);
    store.turn_now().await.unwrap();
    assert!(!file.exists());
    pass(&home, &store, 16 * 29).await;
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Whole);
    assert_eq!(of_case(&store, case_ref).await.unwrap(), [accepted.index, store.holds().await.unwrap()[0].placed]);
}

#[tokio::test]
async fn a_month_that_goes_after_35_months_counts_its_records_once_with_a_hold_or_without() {
    let home = Home::new();
    let store = EmbeddedStore::open(Options { records_keep_months: 35, ..home.options() }).unwrap();
    let bed = home.bed(&store);
    bed.ready().await;
    let (_, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    let case_ref = accepted.case_ref.unwrap();
    place_hold(&bed, case_ref, HoldReason::Complaint, "2029-10-31").await.unwrap();
    pass(&home, &store, 20 * 29).await;
    let later = crate::domain::hold::latest_end(store.now().oslo_date(), false).to_string();
    place_hold(&bed, case_ref, HoldReason::CourtProceedings, &later).await.unwrap();
    pass(&home, &store, 18 * 29).await;
    let erased = RecordFilter { kinds: vec![31, 32], ..RecordFilter::default() };
    let erased: u64 = store.records(&erased, 100).await.unwrap().entries.iter().filter_map(|entry| entry.record.as_ref()?.count).sum();
    let first_kept = store.first_not_before(crate::domain::time::Timestamp::from_millis(i64::MIN)).await.unwrap();
    assert!(first_kept > accepted.index && store.holds().await.unwrap().len() == 1);
    assert_eq!(erased, first_kept, "each once");
}

/// A hold that is whole, on a case whose month stands.
async fn whole(home: &Home) -> (Arc<EmbeddedStore>, CaseRef, PathBuf) {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (_, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    let case_ref = accepted.case_ref.unwrap();
    place_hold(&bed, case_ref, HoldReason::Complaint, "2029-10-31").await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Whole);
    (store, case_ref, files(home).remove(0))
}

async fn becomes_whole(store: &Arc<EmbeddedStore>, case_ref: CaseRef) {
    for _ in 0..300 {
        if store.hold_copy(case_ref).await.unwrap() == HoldCopy::Whole {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no turn came by itself");
}

#[tokio::test]
async fn a_hold_whose_own_copy_is_damaged_or_gone_says_so_at_once_and_is_copied_again_at_once() {
    for gone in [false, true] {
        let home = Home::new();
        let (store, case_ref, file) = whole(&home).await;
        let before = of_case(&store, case_ref).await.unwrap();
        if gone {
            std::fs::remove_file(&file).unwrap()
        } else {
            flip(&file, 1)
        }
        let told = super::super::info::info(&home.data(), Some(Zeroizing::new(KEY)), store.now()).unwrap().sealed.unwrap();
        assert_eq!((told.holds, told.holds_not_whole), (1, 1), "gone: {gone}");
        assert_eq!((told.unreadable, told.looked_at), (if gone { told.held } else { 1 }, told.records));
        assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::NotWhole { lost: 0 });
        becomes_whole(&store, case_ref).await;
        // Which waits for the turn that is destroying the old file.
        store.turn_now().await.unwrap();
        assert!(!file.exists(), "another file under another key");
        pass(&home, &store, 16 * 29).await;
        assert_eq!(of_case(&store, case_ref).await.unwrap()[..before.len()], before);
        assert_eq!((store.hold_copy(case_ref).await.unwrap(), months_erased(&store).await > 0), (HoldCopy::Whole, true));
    }
}

#[tokio::test]
async fn a_record_that_its_month_does_not_give_is_read_from_the_hold_s_copy_and_stays_the_month_s_damage() {
    let home = Home::new();
    let (store, case_ref, file) = whole(&home).await;
    let (_, other) = home.bed(&store).send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    let before = of_case(&store, case_ref).await.unwrap();
    let month = files_below(&home.data().join("records")).remove(0);
    flip(&month, before[0]);
    assert_eq!(of_case(&store, case_ref).await.unwrap(), before);
    assert!(store.prove(before[0]).await.unwrap().unwrap().record.is_some());
    let size = *store.durable().borrow();
    let all_open = |entries: &[OpenEntry]| entries.iter().all(|entry| matches!(entry.held, Held::Record(_)));
    assert!(all_open(&store.entries(0, size).await.unwrap()));
    assert_eq!(store.unreadable().await.unwrap(), 0);
    let damaged = || {
        let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
        report.damages.into_iter().map(|damage| damage.file).collect::<Vec<_>>()
    };
    assert_eq!(damaged(), [name(&home, &month)]);
    // It is known whose it is: a hold on another case lacks nothing.
    place_hold(&home.bed(&store), other.case_ref.unwrap(), HoldReason::Complaint, "2029-10-31").await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(store.hold_copy(other.case_ref.unwrap()).await.unwrap(), HoldCopy::Whole);
    store.stop().await.unwrap();
    drop(store);
    let stopped = StoppedLog::open(&home.data(), Zeroizing::new(KEY), None).unwrap();
    assert!(all_open(&stopped.entries(0, size, None)));
    drop(stopped);
    // Where neither gives it, it is damaged.
    flip(&file, 0);
    let stopped = StoppedLog::open(&home.data(), Zeroizing::new(KEY), None).unwrap();
    assert!(matches!(stopped.entries(before[0], before[0] + 1, None)[0].held, Held::Unreadable));
    assert_eq!(damaged(), [name(&home, &month), name(&home, &file)]);
}

#[tokio::test]
async fn a_month_stays_while_neither_it_nor_the_hold_s_copy_gives_a_record() {
    let home = Home::new();
    let (store, case_ref, file) = whole(&home).await;
    let lost = of_case(&store, case_ref).await.unwrap()[1];
    let month = files_below(&home.data().join("records")).remove(0);
    flip(&file, 1);
    flip(&month, lost);
    pass(&home, &store, 16 * 29).await;
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::NotWhole { lost: 0 });
    assert_eq!((month.exists(), months_erased(&store).await), (true, 0));
    flip(&month, lost);
    pass(&home, &store, 29).await;
    assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::Whole);
    assert!(!month.exists() && of_case(&store, case_ref).await.unwrap().contains(&lost));
}

#[tokio::test]
async fn what_was_mended_is_held_at_once_after_a_start_and_when_the_hold_is_placed_again() {
    for restart in [true, false] {
        let home = Home::new();
        let (store, case_ref, lost, file) = damaged_before_held(&home).await;
        flip(&file, lost);
        let store = if restart {
            store.stop().await.unwrap();
            drop(store);
            home.open()
        } else {
            assert_eq!(store.hold_copy(case_ref).await.unwrap(), HoldCopy::NotWhole { lost: 0 });
            place_hold(&home.bed(&store), case_ref, HoldReason::Complaint, "2029-10-31").await.unwrap();
            store
        };
        becomes_whole(&store, case_ref).await;
        assert!(of_case(&store, case_ref).await.unwrap().contains(&lost));
    }
}

#[tokio::test]
async fn damage_that_came_while_the_store_was_stopped_is_mended_from_the_month_soon_after_the_start() {
    let home = Home::new();
    let (store, case_ref, file) = whole(&home).await;
    store.stop().await.unwrap();
    drop(store);
    flip(&file, 0);
    let store = home.open();
    becomes_whole(&store, case_ref).await;
    store.turn_now().await.unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn what_its_month_does_not_give_is_written_back_before_the_copy_of_a_hold_that_is_over_goes() {
    let lift = async |store: &Arc<EmbeddedStore>, home: &Home, case_ref| {
        let bed = home.bed(store);
        bed.act("tilsyn", crate::policy::table::Verb::LiftHold, |permit| Command::LiftHold { permit, case_ref }).await.unwrap();
    };
    // Two records, and with the second the header, as a file has whose first sectors are gone.
    for header_too in [false, true] {
        let home = Home::new();
        let (store, case_ref, _) = whole(&home).await;
        let before = of_case(&store, case_ref).await.unwrap();
        let month = files_below(&home.data().join("records")).remove(0);
        let sound = std::fs::read(&month).unwrap();
        flip(&month, before[0]);
        flip(&month, before[1]);
        if header_too {
            use std::os::unix::fs::FileExt as _;
            std::fs::File::options().write(true).open(&month).unwrap().write_all_at(&[0; 32], 0).unwrap();
        }
        lift(&store, &home, case_ref).await;
        let cut = store.turn_until(Some(Failpoint::HeldWritten)).await;
        assert!(cut.is_err(), "cut short, and done again");
        store.turn_now().await.unwrap();
        assert_eq!(files(&home), Vec::<PathBuf>::new(), "the copy is gone");
        assert_eq!(std::fs::read(&month).unwrap()[..sound.len()], sound[..], "the very bytes that stood there");
        let after = of_case(&store, case_ref).await.unwrap();
        assert_eq!(after[..before.len()], before[..]);
        assert_eq!(store.unreadable().await.unwrap(), 0);
        assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);
    }
    // A month whose file is gone is not made anew: it may be put back.
    let home = Home::new();
    let (store, case_ref, _) = whole(&home).await;
    home.clock.advance_millis(29 * DAY_MILLIS);
    store.act(Command::Note(Event::Stopped)).await.unwrap();
    store.turn_now().await.unwrap();
    let month = files_below(&home.data().join("records")).remove(0);
    let aside = home.data().join("aside");
    std::fs::rename(&month, &aside).unwrap();
    lift(&store, &home, case_ref).await;
    store.turn_now().await.unwrap();
    assert!(!month.exists() && files(&home).is_empty());
    std::fs::rename(&aside, &month).unwrap();
    assert_eq!(store.unreadable().await.unwrap(), 0);
}
