//! What breaks under a running gateway and is mended by its next turns, so that nothing that was acknowledged stays on disk.

use super::damage::{check, flip, one, rich};
use super::failing::Failing;
use super::*;
use crate::audit::event::ItemNumber;
use crate::store::contract::case_bed::RU_OSLO;
use crate::store::embedded::by_hand;
use crate::store::embedded::layout::Current;
use crate::store::embedded::turn::turn;
use crate::store::{Page, RecordFilter, Stats, Store};

/// A store with a base and a journal after it, whose first item is acknowledged; the others.
async fn acknowledged(home: &Home, disk: &Arc<Failing>) -> (Arc<EmbeddedStore>, Vec<ItemNumber>) {
    let mut options = home.options();
    options.files = Arc::clone(disk) as _;
    let store = by_hand::open(options).unwrap();
    let bed = home.bed(&store);
    let items: Vec<_> = bed.waiting(RU_OSLO).await.iter().map(|item| item.item).collect();
    bed.hand_out(RU_OSLO, "r1", vec![items[0]]).await.unwrap();
    bed.acknowledge(RU_OSLO, vec![items[0]]).await.unwrap();
    (store, items[1..].to_vec())
}

/// Nothing is lacking, for the store that runs on and for the next.
async fn is_sound(home: &Home, store: Arc<EmbeddedStore>, items: &[ItemNumber], what: &str) {
    for file in
        ["base/000000000001.content", "keys/base-000000000001.content.key", "base/000000000001.state", "keys/base-000000000001.state.key"]
    {
        assert!(!home.data().join(file).exists(), "{what}: {file}");
    }
    let layout = &store.engine.layout;
    let strangers = layout.strangers(&Current::of(layout).unwrap(), &[]).unwrap();
    assert!(strangers.own.iter().all(|name| name.starts_with("records/")), "{what}: {strangers:?}");
    drop(store);
    assert_eq!(check(home).damages, [], "{what}");
    let store = home.open();
    for item in items {
        assert!(store.content(*item).await.unwrap().is_some(), "{what}");
    }
    let records = store.records(&RecordFilter::default(), 1_000).await.and_then(Page::whole).unwrap();
    assert!(records.entries.len() > 265, "{what}");
}

#[tokio::test]
async fn a_key_or_current_that_breaks_under_the_gateway_is_written_again_and_erasure_goes_on() {
    for (folder, end) in [("keys", ".rec.key"), ("keys", ".state.key"), ("keys", ".content.key"), ("", "CURRENT")] {
        for gone in [false, true] {
            let what = format!("{folder}/…{end}, gone: {gone}");
            let (home, disk) = (rich().await, Arc::new(Failing::default()));
            let (store, items) = acknowledged(&home, &disk).await;
            let path = if folder.is_empty() { home.data().join(end) } else { one(&home, folder, end).0 };
            if gone {
                std::fs::remove_file(path).unwrap()
            } else {
                flip(&path, 20)
            }
            assert_eq!(turn(&store.engine, None).unwrap().erased, 1, "{what}");
            is_sound(&home, store, &items, &what).await;
        }
    }
}

#[tokio::test]
async fn a_state_that_breaks_under_the_gateway_is_made_anew_from_memory_by_the_second_turn() {
    for gone in [false, true] {
        let what = format!("the state, gone: {gone}");
        let (home, disk) = (rich().await, Arc::new(Failing::default()));
        let (store, items) = acknowledged(&home, &disk).await;
        let (path, name) = one(&home, "base", ".state");
        if gone {
            std::fs::remove_file(path).unwrap()
        } else {
            flip(&path, 500)
        }
        let error = turn(&store.engine, None).unwrap_err().to_string();
        assert!(error.contains(&name), "{error}");
        assert_eq!(store.stats().await.unwrap().turns_fail_seconds, 1);
        home.clock.advance_millis(60_000);
        assert_eq!(store.stats().await.unwrap().turns_fail_seconds, 60);
        // What came since then is in the frames that follow.
        let bed = home.bed(&store);
        bed.send_notice(&crate::store::contract::case_bed::wish(), None).await.unwrap();
        drop(bed);
        let turned = turn(&store.engine, None).unwrap();
        assert_eq!((turned.erased, turned.kept, turned.lost), (1, 265, 0), "{what}");
        assert_eq!(store.stats().await.unwrap().turns_fail_seconds, 0);
        let counts = async |store: &EmbeddedStore| Stats { durable_size: 0, published_size: 0, ..store.stats().await.unwrap() };
        let before = counts(&store).await;
        assert_eq!((before.undelivered, before.cases, before.ids), (265, 266, 266));
        is_sound(&home, store, &items, &what).await;
        let again = by_hand::open(home.options()).unwrap();
        assert_eq!(counts(&again).await, before, "{what}");
    }
}

#[tokio::test]
async fn no_key_that_was_destroyed_is_ever_written_again() {
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    let (store, items) = acknowledged(&home, &disk).await;
    // The turn fails in the midst of the erasure, with the key gone and the file not.
    disk.fail("remove", "base/000000000001.content");
    turn(&store.engine, None).unwrap_err();
    let (file, key) = (home.data().join("base/000000000001.content"), home.data().join("keys/base-000000000001.content.key"));
    assert!(file.exists() && !key.exists());
    disk.fail("remove", "base/000000000001.content");
    turn(&store.engine, None).unwrap_err();
    assert!(file.exists() && !key.exists());
    turn(&store.engine, None).unwrap();
    is_sound(&home, store, &items, "destroyed").await;
}
