//! A store behind its own log goes on as a new one: after an old copy, after a journal that was cut off, after two histories of one log, and after
//! a recovery that was itself cut short.

use super::*;
use crate::audit::event::kind;
use crate::audit::receipt::Receipt;
use crate::domain::id::MessageId;
use crate::policy::command::{Body, Command};
use crate::policy::permit::authorize;
use crate::policy::table::Verb;
use crate::store::contract::case_bed::{OSLO, RU_OSLO, id, notice, submission, wish};
use crate::store::embedded::fsck::fsck;
use crate::store::embedded::recover::{Evidence, Loss, MARGIN, accept, look};
use crate::store::{Accepted, RecordFilter, Store, StoreError};

fn new_origin() -> Origin {
    "log.samband.example/test-2".parse().unwrap()
}

fn new_signer() -> LogSigner {
    LogSigner::from_seed(new_origin().key_name(), Zeroizing::new([8; 32]))
}

impl Home {
    fn new_log(&self) -> Options {
        Options { origin: new_origin(), log_signer: new_signer(), ..self.options() }
    }

    fn loss(&self) -> Option<Loss> {
        let high_water = self.dir.path().join("high-water");
        look(&Evidence {
            dir: &self.data(),
            storage_key: Zeroizing::new(KEY),
            high_water_file: &high_water,
            newest_checkpoint: None,
            files: Arc::new(crate::store::embedded::RealDisk),
        })
        .unwrap()
    }

    fn copy_to(&self, name: &str) {
        copy_folder(&self.data(), &self.dir.path().join(name));
    }

    fn restore(&self, name: &str) {
        std::fs::remove_dir_all(self.data()).unwrap();
        copy_folder(&self.dir.path().join(name), &self.data());
    }
}

async fn send(store: &Arc<EmbeddedStore>, home: &Home, count: usize) -> Vec<(MessageId, Accepted)> {
    let bed = home.bed(store);
    let mut sent = Vec::new();
    for _ in 0..count {
        sent.push(bed.send_notice(&wish(), None).await.unwrap());
    }
    sent
}

/// Everything of a recovered store that must hold whatever was lost.
async fn goes_on(home: &Home, loss: &Loss, kept: &[(MessageId, Accepted)]) {
    let report = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap();
    assert_eq!(report.damages, []);
    let store = EmbeddedStore::open(home.new_log()).unwrap();
    let (mut all, mut from_index) = (Vec::new(), Some(0));
    while let Some(index) = from_index {
        let page = store.records(&RecordFilter { from_index: index, ..RecordFilter::default() }, 100_000).await.unwrap();
        (all, from_index) = ([all, page.entries].concat(), page.next_index);
    }
    let kind_at = |index: u64| all[index as usize].record.as_ref().unwrap().kind;
    assert_eq!(kind_at(loss.kept), kind::LOG_OPENED);
    assert!((loss.kept + 1..loss.resumes_at).all(|index| kind_at(index) == kind::ENTRY_LOST));
    assert_ne!(kind_at(loss.resumes_at), kind::ENTRY_LOST);
    assert!(loss.resumes_at >= loss.published + MARGIN);
    for (message_id, first) in kept {
        let again = store.receipt(&id(OSLO), *message_id).await.unwrap().unwrap();
        assert_eq!((again.index, again.accepted_at), (first.index, first.accepted_at), "the same record at the same place");
        let text = std::str::from_utf8(&again.receipt).unwrap();
        Receipt::verify(text, new_signer().verifier(), &new_origin()).unwrap();
        let old = std::str::from_utf8(&first.receipt).unwrap();
        Receipt::verify(old, &verifier(), &origin()).unwrap();
    }
    let waiting = home.bed(&store).waiting(RU_OSLO).await;
    assert_eq!(waiting.len(), kept.len());
    for item in &waiting {
        assert!(store.content(item.item).await.unwrap().is_some());
    }
    let next = send(&store, home, 1).await;
    assert!(next[0].1.index >= loss.resumes_at, "no place comes twice");
    store.turn_now().await.unwrap();
    store.stop().await.unwrap();
    assert_eq!(home.loss(), None);
    EmbeddedStore::open(home.new_log()).unwrap().stop().await.unwrap();
    assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);
}

#[tokio::test]
async fn an_older_copy_goes_on_also_when_the_recovery_was_cut_short_after_its_commit_point() {
    let home = Home::new();
    let store = home.open();
    home.bed(&store).ready().await;
    let kept = send(&store, &home, 3).await;
    store.turn_now().await.unwrap();
    store.stop().await.unwrap();
    home.copy_to("old");
    let store = home.open();
    send(&store, &home, 300).await;
    store.stop().await.unwrap();
    home.restore("old");
    assert!(matches!(home.try_open(), Err(OpenError::Behind { .. })));
    assert!(matches!(accept(home.options(), None).await, Err(OpenError::SameLog(_))), "never under the old name");
    let loss = accept(home.new_log(), None).await.unwrap();
    assert!(!loss.parted && loss.torn.is_none() && loss.lost() > 300, "{loss:?}");
    assert!(matches!(accept(home.new_log(), None).await, Err(OpenError::NotBehind)));
    // The same folder as a crash right after FORMAT was renamed would leave it.
    let format = std::fs::read(home.data().join("FORMAT")).unwrap();
    home.restore("old");
    std::fs::write(home.data().join("FORMAT"), format).unwrap();
    std::fs::remove_file(home.dir.path().join("high-water")).unwrap();
    EmbeddedStore::open(home.new_log()).unwrap().stop().await.unwrap();
    goes_on(&home, &loss, &kept).await;
}

#[tokio::test]
async fn a_journal_that_was_cut_off_below_what_was_published_loses_its_end_only() {
    let home = Home::new();
    let store = home.open();
    home.bed(&store).ready().await;
    let kept = send(&store, &home, 260).await;
    store.turn_now().await.unwrap();
    let later = send(&store, &home, 20).await;
    store.stop().await.unwrap();
    let newest = files_below(&home.data().join("journal")).into_iter().max().unwrap();
    let len = newest.metadata().unwrap().len();
    std::fs::File::options().write(true).open(&newest).unwrap().set_len(len / 2).unwrap();
    assert!(matches!(home.try_open(), Err(OpenError::Damaged(_))));
    let loss = accept(home.new_log(), None).await.unwrap();
    assert!(loss.torn.as_ref().is_some_and(|(file, offset)| file.starts_with("journal/") && *offset <= len / 2), "{loss:?}");
    let kept: Vec<_> = kept.into_iter().chain(later).filter(|(_, accepted)| accepted.index < loss.kept).collect();
    assert!(kept.len() > 260 && kept.len() < 280, "{}", kept.len());
    goes_on(&home, &loss, &kept).await;
}

#[tokio::test]
async fn two_histories_of_one_log_are_told_apart_and_the_one_that_is_here_goes_on() {
    let home = Home::new();
    let store = home.open();
    home.bed(&store).ready().await;
    let mut kept = send(&store, &home, 2).await;
    store.stop().await.unwrap();
    home.copy_to("old");
    let mark = home.dir.path().join("high-water");
    let old_mark = std::fs::read(&mark).unwrap();
    let store = home.open();
    send(&store, &home, 3).await;
    store.stop().await.unwrap();
    let published = std::fs::read(&mark).unwrap();
    // Somebody brings the old copy back with its own mark, and it goes on further than the first one did.
    home.restore("old");
    std::fs::write(&mark, old_mark).unwrap();
    let store = home.open();
    kept.extend(send(&store, &home, 6).await);
    store.stop().await.unwrap();
    std::fs::write(&mark, published).unwrap();
    // Its own published checkpoint is further than that mark.
    std::fs::remove_file(home.data().join("log/checkpoint")).unwrap();
    assert!(matches!(home.try_open(), Err(OpenError::Behind { .. })));
    let loss = accept(home.new_log(), None).await.unwrap();
    assert!(loss.parted && loss.kept > loss.published, "{loss:?}");
    // What the old log had published here has no checkpoint any more; that is named, and nothing else.
    for folder in std::fs::read_dir(home.data().join("previous")).unwrap() {
        std::fs::remove_dir_all(folder.unwrap().path()).unwrap();
    }
    goes_on(&home, &loss, &kept).await;
}

#[tokio::test]
async fn a_journal_of_which_only_the_key_is_left_stops_the_start_and_the_file_can_come_back_or_be_given_up() {
    let home = Home::new();
    let store = home.open();
    home.bed(&store).ready().await;
    let kept = send(&store, &home, 3).await;
    store.turn_now().await.unwrap();
    // As a crash would leave it: of the newest journal nothing was published yet.
    home.copy_to("crashed");
    drop(store);
    home.restore("crashed");
    let newest = files_below(&home.data().join("journal")).into_iter().max().unwrap();
    let (name, away) = (newest.strip_prefix(home.data()).unwrap().to_string_lossy().into_owned(), home.dir.path().join("away"));
    std::fs::rename(&newest, &away).unwrap();
    let key = home.data().join(crate::store::embedded::layout::key_name(&name));
    let before = std::fs::read(&key).unwrap();
    assert!(matches!(home.try_open(), Err(OpenError::Damaged(damage)) if damage.file == name));
    assert_eq!(std::fs::read(&key).unwrap(), before, "nothing was touched");
    for storage_key in [None, Some(Zeroizing::new(KEY))] {
        let report = fsck(&home.data(), storage_key, &mut |_| ()).unwrap();
        assert_eq!(report.damages.iter().map(|damage| damage.file.as_str()).collect::<Vec<_>>(), [name.as_str()]);
    }
    let loss = home.loss().expect("what stood in it is lost");
    assert!(!loss.parted && loss.lost() == 0, "{loss:?}");
    home.copy_to("without");
    std::fs::rename(&away, &newest).unwrap();
    home.open().stop().await.unwrap();
    home.restore("without");
    std::fs::remove_file(home.dir.path().join("high-water")).unwrap();
    let loss = accept(home.new_log(), None).await.unwrap();
    // Unless a turn has come by, as the places left free fill a journal of tests.
    assert_ne!(std::fs::read(&key).ok(), Some(before), "the number is used again, under another key");
    goes_on(&home, &loss, &kept).await;
}

/// Publication comes once a second by itself, which is late for whoever sends fast.
#[tokio::test]
async fn who_runs_ahead_of_publication_waits_for_it_and_is_not_refused() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    store.publish_now().await.unwrap();
    store.engine.publishing.set_lag_max(8);
    for _ in 0..100 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
}

#[tokio::test]
async fn no_message_is_accepted_further_beyond_what_is_published_than_a_recovery_leaves_free() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (first, _) = bed.send_notice(&wish(), None).await.unwrap();
    // As it is of 24,576 entries that nobody could publish.
    store.engine.publishing.set_lag_max(0);
    let send = submission(bed.fresh(), Body::Notice(Box::new(notice(&wish()))), None);
    let permit = authorize(&bed.caller(OSLO), Verb::SendNotice, send.commit, &store.register()).unwrap();
    assert_eq!(store.act(Command::Submit { permit, submission: Box::new(send) }).await, Err(StoreError::Busy));
    // A retry of what has its number, and whoever fetches, are not concerned.
    assert!(store.receipt(&id(OSLO), first).await.unwrap().is_some());
    bed.take(RU_OSLO).await;
    store.engine.publishing.set_lag_max(crate::store::embedded::publishing::LAG_MAX);
    bed.send_notice(&wish(), None).await.unwrap();
}
