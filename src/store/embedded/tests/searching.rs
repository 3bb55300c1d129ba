//! The search index goes bad in every way that files can. It costs a rebuild: searches give the same answers before, during and after it, and the
//! store goes on.

use std::time::{Duration, Instant};

use super::super::fsck::fsck;
use super::super::keys::Keys;
use super::super::layout::Layout;
use super::*;
use crate::audit::event::{Event, kind};
use crate::clock::{Clock as _, Entropy as _};
use crate::domain::id::MessageId;
use crate::policy::command::Command;
use crate::store::contract::case_bed::{OSLO, RU_OSLO, id, wish};
use crate::store::{LogEntry, RecordFilter, Store};

const PATIENCE: Duration = Duration::from_secs(60);

/// What is searched for. What starts and stops add later is nobody's concern here.
struct Asked {
    ids: Vec<MessageId>,
    upto: u64,
}

/// Two months of records with their index, and what some searches find.
async fn indexed() -> (Home, Asked, Vec<Vec<LogEntry>>) {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut ids = Vec::new();
    for month in 0..2 {
        for _ in 0..150 {
            ids.push(bed.send_notice(&wish(), None).await.unwrap().0);
        }
        if month == 0 {
            bed.take(RU_OSLO).await;
            bed.advance_days(12);
        }
        store.turn_now().await.unwrap();
    }
    let asked = Asked { ids, upto: store.stats().await.unwrap().durable_size };
    let found = search(&store, &asked).await;
    store.stop().await.unwrap();
    assert!(found.iter().all(|found| !found.is_empty()), "{:?}", found.iter().map(Vec::len).collect::<Vec<_>>());
    (home, asked, found)
}

/// By message, by participant, by kind.
async fn search(store: &Arc<EmbeddedStore>, asked: &Asked) -> Vec<Vec<LogEntry>> {
    let mut filters: Vec<RecordFilter> =
        asked.ids.iter().step_by(37).map(|message_id| RecordFilter { message_id: Some(*message_id), ..RecordFilter::default() }).collect();
    for participant in [OSLO, RU_OSLO] {
        filters.push(RecordFilter { participant: Some(id(participant)), ..RecordFilter::default() });
    }
    filters.push(RecordFilter { kinds: vec![21], ..RecordFilter::default() });
    let mut found = Vec::new();
    for filter in filters {
        let filter = RecordFilter { to_index: Some(asked.upto), ..filter };
        found.push(store.records(&filter, 1000).await.unwrap().entries);
    }
    found
}

fn is_whole(store: &EmbeddedStore) -> bool {
    store.engine.index.try_lock().is_some_and(|index| index.is_whole(store.engine.archive.load().months()))
}

async fn until_whole(store: &EmbeddedStore, case: &str) {
    let begun = Instant::now();
    while !is_whole(store) {
        assert!(begun.elapsed() < PATIENCE, "{case}: not rebuilt");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Opens a copy that `harm` has changed.
async fn survives(home: &Home, asked: &Asked, wanted: &[Vec<LogEntry>], case: &str, harm: impl FnOnce(&Path)) {
    let copy = Home { dir: tempfile::tempdir().unwrap(), clock: Arc::new(MockClock::new(home.clock.now())), fatal: Arc::default() };
    copy_folder(home.dir.path(), copy.dir.path());
    harm(&copy.data().join("index"));
    let store = copy.open();
    // At once, whatever state the rebuild is in.
    assert!(search(&store, asked).await == wanted, "{case}: at once");
    let bed = copy.bed(&store);
    bed.send_notice(&wish(), None).await.unwrap();
    until_whole(&store, case).await;
    assert!(search(&store, asked).await == wanted, "{case}: after the rebuild");
    store.stop().await.unwrap();
    assert_eq!(*copy.fatal.lock(), Vec::<String>::new(), "{case}");
}

#[tokio::test]
async fn an_index_that_is_deleted_cut_garbled_or_of_an_older_state_costs_a_rebuild_and_nothing_else() {
    let (home, asked, wanted) = indexed().await;
    let (asked, wanted) = (&asked, wanted.as_slice());
    survives(&home, asked, wanted, "untouched", |_| ()).await;
    survives(&home, asked, wanted, "deleted", |index| std::fs::remove_dir_all(index).unwrap()).await;
    survives(&home, asked, wanted, "a file in place of a month", |index| {
        for entry in std::fs::read_dir(index).unwrap() {
            let path = entry.unwrap().path();
            std::fs::remove_dir_all(&path).unwrap();
            std::fs::write(&path, "no folder").unwrap();
        }
    })
    .await;
    survives(&home, asked, wanted, "a file in place of all", |index| {
        std::fs::remove_dir_all(index).unwrap();
        std::fs::write(index, "no folder").unwrap();
    })
    .await;
    survives(&home, asked, wanted, "a link to nothing in place of all", |index| {
        std::fs::remove_dir_all(index).unwrap();
        std::os::unix::fs::symlink("nowhere", index).unwrap();
    })
    .await;
    survives(&home, asked, wanted, "months swapped", |index| {
        let mut months: Vec<PathBuf> = std::fs::read_dir(index).unwrap().map(|entry| entry.unwrap().path()).collect();
        months.sort();
        assert_eq!(months.len(), 2);
        std::fs::rename(&months[0], index.join("aside")).unwrap();
        std::fs::rename(&months[1], &months[0]).unwrap();
        std::fs::rename(index.join("aside"), &months[1]).unwrap();
    })
    .await;
    for percent in [0, 50, 99] {
        survives(&home, asked, wanted, &format!("cut to {percent} %"), |index| {
            for path in files_below(index) {
                let len = path.metadata().unwrap().len();
                std::fs::File::options().write(true).open(path).unwrap().set_len(len * percent / 100).unwrap();
            }
        })
        .await;
    }
    for seed in [0, 1, 2, 4, 7, 11] {
        survives(&home, asked, wanted, &format!("garbled with seed {seed}"), |index| garble(index, seed)).await;
    }
}

/// sled opens whatever bears a name of its own, and a pipe never comes back.
#[tokio::test]
async fn what_is_no_file_among_the_indexs_own_is_removed_unopened_and_a_stop_ends() {
    let (home, asked, wanted) = indexed().await;
    let months: Vec<PathBuf> = std::fs::read_dir(home.data().join("index")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let snapshot = files_below(&months[0]).into_iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    let snapshot = snapshot.into_iter().find(|name| name.starts_with("snap.")).unwrap_or_else(|| "snap.0000000000000000".to_owned());
    let names = ["conf", "db", "blobs/7", snapshot.as_str()];
    let name_of = |month: &Path, name: &str| format!("index/{}/{name}", month.file_name().unwrap().to_string_lossy());
    for name in names {
        survives(&home, &asked, &wanted, name, |index| {
            for month in std::fs::read_dir(index).unwrap() {
                let month = month.unwrap().path();
                let path = month.join(name);
                _ = std::fs::remove_file(&path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
                let report = fsck(index.parent().unwrap(), None, &mut |_| ()).unwrap();
                let named = report.damages.iter().filter(|damage| damage.what.contains("a pipe stands among the search index's files"));
                assert!(named.map(|damage| &damage.file).any(|file| *file == name_of(&month, name)), "{name}: {report:?}");
            }
        })
        .await;
    }
    survives(&home, &asked, &wanted, "a pipe in place of a month", |index| {
        for month in &months {
            let month = index.join(month.file_name().unwrap());
            std::fs::remove_dir_all(&month).unwrap();
            rustix::fs::mknodat(rustix::fs::CWD, &month, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }
    })
    .await;
    // A file of another name is nobody's, and stays.
    let stray = months[0].join("notes.txt");
    std::fs::write(&stray, "mine").unwrap();
    let report = fsck(&home.data(), None, &mut |_| ()).unwrap();
    let name = name_of(&months[0], "notes.txt");
    assert!(matches!(report.damages.as_slice(), [damage] if damage.file == name && damage.what.contains("did not make")), "{report:?}");
    home.open().stop().await.unwrap();
    assert!(stray.exists());
}

#[test]
fn a_thread_that_does_not_end_is_waited_for_no_longer_than_its_time() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || _ = ended.recv());
    assert!(!super::super::start::ends_within(&thread, Duration::from_millis(20)));
    drop(end);
    assert!(super::super::start::ends_within(&thread, PATIENCE));
    thread.join().unwrap();
}

/// sled takes the length that it finds for what it wrote, and would write through all of the hole.
#[test]
fn a_file_that_is_longer_than_an_index_can_be_or_mostly_a_hole_is_known_before_it_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let is_too_long = |records| super::super::index::is_too_long(&RealDisk, &path, records);
    assert!(!is_too_long(0), "there is none yet");
    std::fs::write(&path, vec![1; 1 << 20]).unwrap();
    assert!(!is_too_long(0));
    std::fs::File::options().write(true).open(&path).unwrap().set_len(10 << 30).unwrap();
    assert!(is_too_long(300), "ten gigabytes for three hundred records");
    assert!(is_too_long(10_000_000), "a hole");
}

/// The rule above is asked before sled is: at a start, and when a month that was closed is opened again.
#[tokio::test]
async fn sled_is_never_given_a_file_that_is_mostly_a_hole_and_a_month_of_such_a_file_is_built_anew() {
    let (home, asked, wanted) = indexed().await;
    let store = home.open();
    until_whole(&store, "at the start").await;
    let months = store.engine.archive.load().months().to_vec();
    store.stop().await.unwrap();
    drop(store);
    let files: Vec<PathBuf> =
        files_below(&home.data().join("index")).into_iter().filter(|path| path.file_name().is_some_and(|name| name == "db")).collect();
    assert!(files.len() == months.len() && files.len() > 1, "{files:?}");
    let layout = Layout::new(&home.data(), Arc::new(RealDisk));
    let keys = Keys::new(layout.clone(), Zeroizing::new(KEY));
    let why = |month| super::super::index::why_unusable(&layout, &keys, month);
    // These sled reads whole.
    for name in ["conf", "snap.000000000000FFFF"] {
        let file = files[0].with_file_name(name);
        let was = std::fs::read(&file).ok();
        let made = std::fs::File::options().create(true).write(true).truncate(false).open(&file).unwrap();
        made.set_len(3 << 30).unwrap();
        assert!(why(&months[0]).is_some_and(|why| why.contains(&format!("{name} is longer than what was put into it"))), "{name}");
        std::fs::remove_file(&file).unwrap();
        was.into_iter().for_each(|was| std::fs::write(&file, was).unwrap());
    }
    for (month, file) in months.iter().zip(&files) {
        assert_eq!(why(month), None, "sound");
        std::fs::File::options().write(true).open(file).unwrap().set_len(3 << 30).unwrap();
        let why = why(month);
        assert!(why.as_ref().is_some_and(|why| why.contains("longer than what was put into it")), "{why:?}");
    }
    let store = home.open();
    until_whole(&store, "after the holes").await;
    assert!(search(&store, &asked).await == wanted);
    assert!(files.iter().all(|file| file.metadata().unwrap().len() < 1 << 30), "built anew, and not written through");
    // One that was closed meanwhile fails its search, and is built anew.
    {
        let filter = RecordFilter { message_id: Some(asked.ids[0]), ..RecordFilter::default() };
        let mut index = store.engine.index.lock();
        assert_eq!(index.candidates(&months[0], &filter, 0, 10).map(|found| found.is_empty()), Some(false));
        index.close_all();
        for file in &files {
            std::fs::File::options().write(true).open(file).unwrap().set_len(3 << 30).unwrap();
        }
        assert_eq!(index.candidates(&months[0], &filter, 0, 10), None, "sled was asked");
    }
    assert!(search(&store, &asked).await == wanted);
    until_whole(&store, "after holes in what was closed").await;
    assert!(files.iter().all(|file| file.metadata().unwrap().len() < 1 << 30));
    store.stop().await.unwrap();
    assert_eq!(*home.fatal.lock(), Vec::<String>::new());
}

/// Overwrites parts of every file with what follows from a seed.
fn garble(index: &Path, seed: u64) {
    use std::os::unix::fs::FileExt as _;
    let entropy = SeededEntropy::new(seed);
    let mut random = [0; 32];
    for path in files_below(index) {
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let len = file.metadata().unwrap().len();
        // A little first, up to most of the file with later seeds.
        for _ in 0..=(seed * seed * 4) {
            entropy.fill(&mut random);
            let at = u64::from_le_bytes(random[..8].try_into().unwrap()) % len.max(1);
            let bytes = 1 + random[8] as usize % 23;
            file.write_all_at(&random[9..9 + bytes], at.min(len.saturating_sub(bytes as u64))).unwrap();
        }
    }
}

/// Where records of a kind stand, found in the index and read.
async fn places(store: &EmbeddedStore, kind: u16) -> Vec<u64> {
    let filter = RecordFilter { kinds: vec![kind], ..RecordFilter::default() };
    let page = store.records(&filter, 1000).await.unwrap();
    assert_eq!(page.unreadable, []);
    page.entries.iter().filter(|entry| entry.record.is_some()).map(|entry| entry.index).collect()
}

#[tokio::test]
async fn where_a_rare_kind_stands_is_remembered_without_its_month_until_that_grows_or_goes() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut noticed = Vec::new();
    for _ in 0..4 {
        noticed.push(bed.send_notice(&wish(), None).await.unwrap().1.index);
        bed.take(RU_OSLO).await;
        store.turn_now().await.unwrap();
        bed.advance_days(31);
    }
    until_whole(&store, "at first").await;
    store.engine.index.lock().close_all();
    assert_eq!(places(&store, kind::NOTICE_ACCEPTED).await, noticed);
    assert!(store.engine.index.lock().open_months() > 0, "they were opened for it");
    store.engine.index.lock().close_all();
    for _ in 0..2 {
        assert_eq!(places(&store, kind::NOTICE_ACCEPTED).await, noticed);
        assert_eq!(store.engine.index.lock().open_months(), 0, "and not again");
    }
    // From the middle, and fewer.
    let filter = RecordFilter { kinds: vec![kind::NOTICE_ACCEPTED], from_index: noticed[1] + 1, ..RecordFilter::default() };
    let page = store.records(&filter, 1).await.unwrap();
    assert_eq!((page.entries[0].index, page.next_index), (noticed[2], Some(noticed[3])));
    // Places are remembered only where they were all of the month: not from its middle, and not the first of more.
    {
        let months = store.engine.archive.load().months().to_vec();
        let mut index = store.engine.index.lock();
        let handed_out = RecordFilter { kinds: vec![kind::HANDED_OUT], ..RecordFilter::default() };
        let acknowledged = RecordFilter { kinds: vec![kind::ACKNOWLEDGED], ..RecordFilter::default() };
        let all = |index: &mut super::super::index::SearchIndex, filter| index.candidates(&months[0], filter, months[0].first_index, 100);
        assert_eq!(index.candidates(&months[0], &handed_out, months[0].end(), 100), Some(Vec::new()));
        assert_eq!(all(&mut index, &handed_out).map(|found| found.len()), Some(1));
        assert_eq!(index.candidates(&months[0], &acknowledged, months[0].first_index, 0), Some(Vec::new()));
        assert_eq!(all(&mut index, &acknowledged).map(|found| found.len()), Some(1));
        // One that is to be built anew is asked itself.
        index.close_all();
        index.fail();
        assert_eq!(all(&mut index, &acknowledged).map(|found| found.len()), Some(1));
        assert_eq!(index.open_months(), 1);
    }
    store.engine.index_is_due.store(true, std::sync::atomic::Ordering::SeqCst);
    until_whole(&store, "built anew").await;
    // What stands in a month since is in it, and what other kinds are there is found.
    noticed.push(bed.send_notice(&wish(), None).await.unwrap().1.index);
    noticed.push(bed.send_notice(&wish(), None).await.unwrap().1.index);
    store.turn_now().await.unwrap();
    until_whole(&store, "after more").await;
    assert_eq!(places(&store, kind::NOTICE_ACCEPTED).await, noticed);
    noticed.push(bed.send_notice(&wish(), None).await.unwrap().1.index);
    store.turn_now().await.unwrap();
    until_whole(&store, "after more of the same month").await;
    assert_eq!(places(&store, kind::NOTICE_ACCEPTED).await, noticed);
    for other in [kind::ACKNOWLEDGED, kind::HANDED_OUT] {
        assert_eq!(places(&store, other).await.len(), 4);
    }
    // A record that is damaged since is told, not remembered.
    let month = files_below(&home.data().join("records")).remove(0);
    let at = 32 + 768 * (noticed[0] - store.engine.archive.load().months()[0].first_index) + 100;
    let mut bytes = std::fs::read(&month).unwrap();
    bytes[usize::try_from(at).unwrap()] ^= 1;
    std::fs::write(&month, bytes).unwrap();
    let filter = RecordFilter { kinds: vec![kind::NOTICE_ACCEPTED], ..RecordFilter::default() };
    let page = store.records(&filter, 1000).await.unwrap();
    assert_eq!(page.unreadable.iter().map(|(index, _)| *index).collect::<Vec<_>>(), noticed[..1]);
    assert_eq!(page.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), noticed[1..]);
    // What went with its month is not found by what was remembered of it.
    for _ in 0..14 {
        bed.advance_days(31);
        store.act(Command::Note(Event::Stopped)).await.unwrap();
        store.turn_now().await.unwrap();
    }
    let kept = store.engine.archive.load().first_kept().unwrap();
    assert!(kept > noticed[0], "a month went");
    let left: Vec<u64> = noticed.iter().copied().filter(|index| *index >= kept).collect();
    assert_eq!(places(&store, kind::NOTICE_ACCEPTED).await, left);
    store.stop().await.unwrap();
}

#[tokio::test]
async fn an_index_that_goes_bad_under_a_running_store_is_built_anew_while_it_serves() {
    let (home, asked, wanted) = indexed().await;
    let store = home.open();
    until_whole(&store, "at the start").await;
    for seed in [3, 9] {
        garble(&home.data().join("index"), seed);
        assert!(search(&store, &asked).await == wanted, "seed {seed}");
        // sled holds what it knows in memory; a search that does not find a page there fails, and the index is built anew.
        store.engine.index.lock().fail();
        store.engine.index_is_due.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(search(&store, &asked).await == wanted, "seed {seed}, failed");
        until_whole(&store, "after it failed").await;
        assert!(search(&store, &asked).await == wanted, "seed {seed}, rebuilt");
    }
    let bed = home.bed(&store);
    bed.send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    assert!(search(&store, &asked).await == wanted);
    store.stop().await.unwrap();
    assert_eq!(*home.fatal.lock(), Vec::<String>::new());
}

#[tokio::test]
async fn only_a_few_months_are_open_at_once_and_each_is_opened_again_when_it_is_asked() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(bed.send_notice(&wish(), None).await.unwrap().0);
        bed.take(RU_OSLO).await;
        store.turn_now().await.unwrap();
        bed.advance_days(20);
    }
    assert!(store.engine.archive.load().months().len() >= 4, "they are spread over months");
    for _ in 0..2 {
        for message_id in &ids {
            let filter = RecordFilter { message_id: Some(*message_id), ..RecordFilter::default() };
            assert_eq!(store.records(&filter, 10).await.unwrap().entries.len(), 3, "sent, handed out, acknowledged");
            let index = store.engine.index.lock();
            assert!((1..=3).contains(&index.open_months()), "{} are open", index.open_months());
        }
    }
    // What is closed still counts. The time that went by has made a turn due, which may have added a month.
    until_whole(&store, "at the end").await;
    store.stop().await.unwrap();
}
