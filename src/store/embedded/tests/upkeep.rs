//! Turns, erasure, publication, the search index, the disk.

use super::*;
use crate::audit::check::check_log;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::event::{Event, ItemNumber};
use crate::domain::time::DAY_MILLIS;
use crate::policy::command::{Body, Command};
use crate::policy::reason::Reason;
use crate::store::contract::case_bed::{LAB, OSLO, RU_OSLO, accepted, id, notice, result, submission, wish};
use crate::store::embedded::DiskBounds;
use crate::store::embedded::fsck::fsck;
use crate::store::embedded::layout::Layout;
use crate::store::embedded::tiles::TileFolder;
use crate::store::{OverdueAfter, RecordFilter, Store, StoreError};

const CONTENT: &[u8] = b"innhold som ingen skal lese";

fn number_of(file: &str, needle: &str) -> bool {
    file.contains(needle)
}

fn names(home: &Home, folder: &str) -> Vec<String> {
    files_below(&home.data().join(folder)).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn content_is_never_on_disk_in_the_clear_and_acknowledged_content_goes_with_its_key() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..4 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    let items = bed.fetch(RU_OSLO).await;
    assert_eq!(store.content(items[0].item).await.unwrap().as_deref(), Some(CONTENT));
    assert!(!holds(home.dir.path(), CONTENT));
    assert!(!holds(home.dir.path(), RU_OSLO.as_bytes()), "no record, id or register stands in the clear");
    bed.acknowledge(RU_OSLO, items[..3].iter().map(|item| item.item).collect()).await.unwrap();
    assert_eq!(store.content(items[0].item).await.unwrap(), None);
    let before = names(&home, "journal");
    let turned = store.turn_now().await.unwrap();
    assert_eq!((turned.kept, turned.erased), (1, 3));
    assert!(!holds(home.dir.path(), CONTENT));
    for old in before {
        assert!(!names(&home, "journal").contains(&old), "{old} is gone");
        assert!(!names(&home, "keys").iter().any(|key| number_of(key, &old)), "the key of {old} is gone");
    }
    assert_eq!(store.content(items[3].item).await.unwrap().as_deref(), Some(CONTENT), "carried over");
    let erased = RecordFilter { kinds: vec![30], ..RecordFilter::default() };
    let page = store.records(&erased, 10).await.unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.record.as_ref().unwrap().count).collect::<Vec<_>>(), [Some(3)]);
    drop(bed);
    drop(store);
    let store = home.open();
    assert_eq!(store.content(items[3].item).await.unwrap().as_deref(), Some(CONTENT), "carried over and read after a restart");
    assert_eq!(store.content(ItemNumber::main(u64::MAX / 2)).await.unwrap(), None);
}

#[tokio::test]
async fn content_that_arrives_while_the_store_turns_is_kept() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..10 {
        let wish = wish();
        let (turned, sent) = tokio::join!(store.turn_now(), bed.send_notice(&wish, None));
        turned.unwrap();
        sent.unwrap();
    }
    let items = bed.fetch(RU_OSLO).await;
    assert_eq!(items.len(), 10);
    for item in &items {
        assert_eq!(store.content(item.item).await.unwrap().as_deref(), Some(CONTENT));
    }
    drop(bed);
    drop(store);
    let store = home.open();
    for item in &items {
        assert_eq!(store.content(item.item).await.unwrap().as_deref(), Some(CONTENT));
    }
    assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);
}

#[tokio::test]
async fn a_quarter_of_the_erasure_time_starts_a_turn_by_itself() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    home.clock.advance_millis(DAY_MILLIS / 4);
    let erased = RecordFilter { kinds: vec![30], ..RecordFilter::default() };
    for _ in 0..100 {
        if !store.records(&erased, 10).await.unwrap().entries.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("no turn within ten seconds");
}

#[tokio::test]
async fn months_of_records_go_after_their_time_and_the_proofs_stay() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let message_id = bed.fresh();
    let sent = || submission(message_id, Body::Notice(Box::new(notice(&wish()))), None);
    let first = accepted(bed.submit(OSLO, sent()).await.unwrap());
    store.turn_now().await.unwrap();
    assert_eq!(names(&home, "records"), ["2026-11.rec"]);
    home.clock.advance_millis(300 * DAY_MILLIS);
    store.act(Command::Note(Event::Stopped)).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(names(&home, "records"), ["2026-11.rec", "2027-09.rec"]);
    home.clock.advance_millis(120 * DAY_MILLIS);
    store.act(Command::Note(Event::Stopped)).await.unwrap();
    let turned = store.turn_now().await.unwrap();
    assert_eq!(turned.months, 1);
    assert!(!names(&home, "records").contains(&"2026-11.rec".to_owned()));
    assert!(!names(&home, "keys").iter().any(|key| key.contains("2026-11")));
    assert!(!home.data().join("index/2026-11").exists());
    let page = store.records(&RecordFilter::default(), 100).await.unwrap();
    assert!(page.erased > first.index, "{page:?}");
    assert!(page.entries.iter().any(|entry| entry.record.as_ref().unwrap().kind == 31), "RECORDS_ERASED stands in the log");
    assert_eq!(store.receipt(&id(OSLO), message_id).await.unwrap(), None);
    let retried = bed.submit(OSLO, sent()).await;
    assert_eq!(retried.err(), Some(Reason::RecordErased), "the id is bound while its case lives; there is no receipt to give again");
    let proof = store.prove(first.index).await.unwrap().unwrap();
    assert_eq!(proof.record, None);
    let parsed = crate::audit::tlog_proof::TlogProof::parse(std::str::from_utf8(&proof.proof).unwrap()).unwrap();
    assert!(parsed.verify(&proof.leaf, &verifier()).is_ok());
    drop(bed);
    drop(store);
    home.open();
}

#[tokio::test]
async fn a_clock_that_jumped_holds_what_the_calendar_demands_until_confirmed() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    drop(bed);
    drop(store);
    home.clock.advance_millis(1200 * DAY_MILLIS);
    let store = home.open();
    assert!(store.calendar_is_held());
    let after = OverdueAfter { notice_millis: DAY_MILLIS, report_millis: DAY_MILLIS, result_millis: DAY_MILLIS };
    let due = store.due(store.now(), after, 10).await.unwrap();
    assert_eq!((due.overdue.len(), due.ended.len()), (1, 0));
    assert_eq!(store.turn_now().await.unwrap().months, 0);
    store.confirm_calendar().unwrap();
    assert_eq!(store.due(store.now(), after, 10).await.unwrap().ended.len(), 1);
    store.act(Command::Note(Event::Stopped)).await.unwrap();
    assert_eq!(store.turn_now().await.unwrap().months, 1);
}

#[tokio::test]
async fn the_published_log_verifies_with_the_pure_core() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for round in 0..3 {
        for _ in 0..150 {
            bed.send_notice(&wish(), None).await.unwrap();
        }
        let size = store.publish_now().await.unwrap();
        let text = std::fs::read_to_string(home.data().join("log/checkpoint")).unwrap();
        let head = Checkpoint::open(&text, &verifier()).unwrap();
        assert_eq!(head.size(), size);
        let mut entries = 0;
        check_log(&head, &TileFolder::new(&Layout::new(&home.data(), Arc::new(RealDisk))), |_, _| entries += 1).unwrap();
        assert_eq!(entries, size);
        if round == 1 {
            store.turn_now().await.unwrap();
        }
    }
    assert_eq!(store.checkpoint().await.unwrap(), std::fs::read(home.data().join("log/checkpoint")).unwrap());
    drop(bed);
    drop(store);
    std::fs::remove_dir_all(home.data().join("log/tile/0")).unwrap();
    drop(home.open());
    let report = fsck(&home.data(), None, &mut |_| ()).unwrap();
    assert!(!report.is_sound(), "tiles below the base are not written again by a start");
    assert!(report.damages.iter().all(|damage| damage.file.starts_with("log/tile/")), "{:?}", report.damages);
}

#[tokio::test]
async fn tiles_that_a_crash_lost_are_written_again_by_the_start() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..300 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.publish_now().await.unwrap();
    drop(bed);
    drop(store);
    std::fs::write(home.data().join("log/tile/0/000"), b"").unwrap();
    std::fs::remove_file(home.data().join("log/tile/entries/000")).unwrap();
    drop(home.open());
    assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);
}

#[tokio::test]
async fn a_partial_tile_of_every_width_up_to_the_published_size_is_served_and_none_beyond() {
    use crate::audit::tiles::{TileId, TileKind};
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..300 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.publish_now().await.unwrap();
    let size = store.stats().await.unwrap().published_size;
    assert!(size > 300);
    // Heads of all these sizes were signed, for receipts; one size was published.
    let last = u16::try_from(size - 256).unwrap();
    for (kind, length) in [(TileKind::Hashes(0), 32), (TileKind::Entries, 35)] {
        for (index, widest) in [(0, 256), (1, last)] {
            let whole = store.tile(TileId::new(kind, index, widest).unwrap()).await.unwrap().unwrap();
            for width in 1..=widest {
                let tile = store.tile(TileId::new(kind, index, width).unwrap()).await.unwrap().unwrap();
                assert_eq!(tile, whole[..usize::from(width) * length], "{kind:?} {index} {width}");
            }
        }
        assert_eq!(store.tile(TileId::new(kind, 1, last + 1).unwrap()).await.unwrap(), None);
        assert_eq!(store.tile(TileId::new(kind, 2, 1).unwrap()).await.unwrap(), None);
    }
    assert!(store.tile(TileId::new(TileKind::Hashes(1), 0, 1).unwrap()).await.unwrap().is_some());
    assert_eq!(store.tile(TileId::new(TileKind::Hashes(1), 0, 2).unwrap()).await.unwrap(), None);
    // What the others would be cut from is gone: that is damage, and nothing that the log does not have.
    std::fs::remove_file(home.data().join(format!("log/tile/0/001.p/{last}"))).unwrap();
    let lost = store.tile(TileId::new(TileKind::Hashes(0), 1, 1).unwrap()).await;
    assert!(matches!(lost, Err(StoreError::Damaged { .. })), "{lost:?}");
}

#[tokio::test]
async fn a_lost_or_ruined_search_index_costs_a_rebuild_and_nothing_else() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (message_id, first) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send(LAB, crate::policy::command::Body::Result(result(first.requisition_id.unwrap(), "A-1")), None).await.unwrap();
    store.turn_now().await.unwrap();
    assert!(home.data().join("index/2026-11").is_dir());
    let of_message = RecordFilter { message_id: Some(message_id), ..RecordFilter::default() };
    let about = async |store: &EmbeddedStore| -> Vec<u64> {
        let page = store.records(&of_message, 10).await.unwrap();
        page.entries.iter().map(|entry| entry.index).collect()
    };
    assert_eq!(about(&store).await, [first.index]);
    let party = RecordFilter { participant: Some(id(LAB)), ..RecordFilter::default() };
    let expected = store.records(&party, 10).await.unwrap();
    assert_eq!(expected.entries.len(), 1);
    drop(bed);
    drop(store);
    for path in files_below(&home.data().join("index")) {
        let len = std::fs::metadata(&path).unwrap().len() as usize;
        std::fs::write(&path, vec![0xa5; len]).unwrap();
    }
    let store = home.open();
    assert_eq!(about(&store).await, [first.index]);
    assert_eq!(store.records(&party, 10).await.unwrap(), expected);
    drop(store);
    std::fs::remove_dir_all(home.data().join("index")).unwrap();
    let store = home.open();
    store.turn_now().await.unwrap();
    assert!(home.data().join("index/2026-11").is_dir(), "built anew");
    assert_eq!(about(&store).await, [first.index]);
    assert_eq!(store.records(&party, 10).await.unwrap(), expected);
}

#[tokio::test]
async fn a_nearly_full_disk_refuses_new_messages_and_drains() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    drop(bed);
    drop(store);
    let mut options = home.options();
    options.disk = DiskBounds { low_water: u64::MAX, reserve: 4096 };
    let store = EmbeddedStore::open(options).unwrap();
    let bed = home.bed(&store);
    assert!(store.disk_is_full());
    let send = crate::store::contract::case_bed::submission(
        bed.fresh(),
        crate::policy::command::Body::Notice(Box::new(crate::store::contract::case_bed::notice(&wish()))),
        None,
    );
    let caller = bed.caller(OSLO);
    let permit = crate::policy::permit::authorize(&caller, crate::policy::table::Verb::SendNotice, send.commit, &store.register()).unwrap();
    assert_eq!(store.act(Command::Submit { permit, submission: Box::new(send) }).await, Err(StoreError::Full));
    bed.take(RU_OSLO).await;
    assert_eq!(store.turn_now().await.unwrap().erased, 1);
    assert!(bed.withdraw(OSLO, crate::audit::event::MessageKind::ConditionNotice, message_id, 1).await.is_ok());
}

#[tokio::test]
async fn the_reserve_is_held_while_there_is_space() {
    let home = Home::new();
    let mut options = home.options();
    options.disk = DiskBounds { low_water: 1, reserve: 1 << 20 };
    let store = EmbeddedStore::open(options).unwrap();
    assert_eq!(std::fs::metadata(home.data().join("reserve")).unwrap().len(), 1 << 20);
    drop(store);
}

#[tokio::test]
async fn files_of_others_are_left_alone_and_own_leftovers_are_swept() {
    let home = Home::new();
    drop(home.open());
    std::fs::write(home.data().join("journal/notes.txt"), "mine").unwrap();
    std::fs::write(home.data().join("base/000000000001.state"), "a turn that never came to its end").unwrap();
    std::fs::write(home.data().join("keys/base-000000000001.state.key"), [1; 60]).unwrap();
    drop(home.open());
    assert!(home.data().join("journal/notes.txt").exists());
    assert!(!home.data().join("base/000000000001.state").exists());
    assert!(!home.data().join("keys/base-000000000001.state.key").exists());
}

#[tokio::test]
async fn many_at_once_are_all_durable_and_numbered_once() {
    let home = Home::new();
    let store = home.open();
    let bed = Arc::new(home.bed(&store));
    bed.ready().await;
    let first = store.stats().await.unwrap().durable_size;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let bed = Arc::clone(&bed);
            tokio::spawn(async move {
                let mut indices = Vec::new();
                for _ in 0..20 {
                    indices.push(bed.send_notice(&wish(), None).await.unwrap().1.index);
                }
                indices
            })
        })
        .collect();
    let mut indices = Vec::new();
    for task in tasks {
        indices.extend(task.await.unwrap());
    }
    indices.sort_unstable();
    assert_eq!(indices, (first..first + 64 * 20).collect::<Vec<_>>());
    drop(bed);
    drop(store);
    let store = home.open();
    assert_eq!(store.stats().await.unwrap().undelivered, 64 * 20);
}

#[tokio::test]
async fn the_journal_keeps_within_its_bounds() {
    let home = Home::new();
    let mut options = home.options();
    options.journal = JournalBounds { file: 4096, turn: 64 * 1024 };
    let store = EmbeddedStore::open(options).unwrap();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut sent = Vec::new();
    while !store.engine.layout.path("base/000000000001.state").exists() {
        sent.push(bed.send_notice(&wish(), None).await.unwrap());
        assert!(sent.len() < 100_000, "a turn is due long before");
    }
    // The turn that wrote the base may be destroying the ones before it.
    let longest = files_below(&home.data().join("journal")).iter().filter_map(|file| Some(file.metadata().ok()?.len())).max();
    assert!(longest.unwrap() < 2 * 4096, "{longest:?}");
    drop(bed);
    drop(store);
    let store = home.open();
    assert_eq!(store.stats().await.unwrap().undelivered, sent.len() as u64);
}
