//! The data folder is moved, removed or replaced under a running store: it ends at once, answers nothing that would be lost, and writes nothing into
//! what stands there now, which may be another process's by then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::*;
use crate::store::Store as _;
use crate::store::contract::case_bed::{RU_OSLO, wish};

const PATIENCE: Duration = Duration::from_secs(20);

/// With an item that was acknowledged, so that a turn has something to destroy.
async fn running(home: &Home) -> Arc<EmbeddedStore> {
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    store.publish_now().await.unwrap();
    store
}

impl Home {
    /// As `mv data aside; cp -a aside data` does.
    fn replace(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        std::fs::rename(self.data(), self.dir.path().join("aside")).unwrap();
        copy_folder(&self.dir.path().join("aside"), &self.data());
        self.content()
    }

    fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files_below(&self.data()).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
    }

    async fn until_fatal(&self) -> String {
        let begun = Instant::now();
        loop {
            if let Some(told) = self.fatal.lock().first() {
                return told.clone();
            }
            assert!(begun.elapsed() < PATIENCE, "it was not noticed");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn a_store_that_does_nothing_notices_within_seconds() {
    let home = Home::new();
    let store = running(&home).await;
    let before = home.replace();
    let told = home.until_fatal().await;
    assert!(told.contains("no longer what this gateway opened"), "{told}");
    drop(store);
    assert!(home.content() == before, "nothing is written into the other folder");
    // Whoever starts next has the lock.
    home.open();
}

#[tokio::test]
async fn a_turn_is_not_made_in_another_folder() {
    let home = Home::new();
    let store = running(&home).await;
    let before = home.replace();
    let error = store.turn_now().await.unwrap_err();
    assert!(matches!(error, OpenError::Replaced(_)), "{error}");
    assert!(home.until_fatal().await.contains("no longer what this gateway opened"));
    drop(store);
    assert!(home.content() == before);
}

#[tokio::test]
async fn nothing_is_published_into_another_folder() {
    let home = Home::new();
    let store = running(&home).await;
    home.bed(&store).send_notice(&wish(), None).await.unwrap();
    let before = home.replace();
    let mark = std::fs::read(home.dir.path().join("high-water")).unwrap();
    let error = store.publish_now().await.unwrap_err();
    assert!(matches!(error, OpenError::Replaced(_)), "{error}");
    drop(store);
    assert!(home.content() == before);
    assert_eq!(std::fs::read(home.dir.path().join("high-water")).unwrap(), mark);
}

/// A journal that nobody finds any more, although the folder itself is in its place.
#[tokio::test]
async fn no_message_is_answered_for_that_went_into_a_journal_which_is_not_in_its_place() {
    for harm in ["journal/", "journal/000000000001.j", "a copy"] {
        let home = Home::new();
        let store = running(&home).await;
        let path = home.data().join("journal/000000000001.j");
        match harm {
            "a copy" => {
                let bytes = std::fs::read(&path).unwrap();
                std::fs::remove_file(&path).unwrap();
                std::fs::write(&path, bytes).unwrap();
            }
            _ => std::fs::rename(home.data().join(harm), home.dir.path().join("aside")).unwrap(),
        }
        let refused = tokio::time::timeout(PATIENCE, store.act(crate::policy::command::Command::Note(crate::audit::event::Event::Stopped)));
        assert!(refused.await.unwrap().is_err(), "{harm}");
        let told = home.until_fatal().await;
        assert!(told.contains("no longer what this gateway opened") && told.contains("000000000001.j"), "{harm}: {told}");
    }
}

#[tokio::test]
async fn no_journal_is_made_in_another_folder() {
    let home = Home::new();
    let mut options = home.options();
    options.journal.file = 1;
    let store = EmbeddedStore::open(options).unwrap();
    let bed = home.bed(&store);
    bed.ready().await;
    let before = home.replace();
    let refused = tokio::time::timeout(PATIENCE, store.act(crate::policy::command::Command::Note(crate::audit::event::Event::Stopped)));
    assert!(refused.await.unwrap().is_err());
    assert!(home.until_fatal().await.contains("no longer what this gateway opened"));
    drop((bed, store));
    assert!(home.content() == before);
}
