//! Undelivered content that cannot be read, and turns: what the gateway can still read by any means is carried over; what it cannot read waits in its
//! own time, is told, and is left behind only then.

use rustix::io::Errno;

use super::damage::{check, flip, one, rich};
use super::failing::Failing;
use super::*;
use crate::audit::event::ItemNumber;
use crate::store::contract::case_bed::RU_OSLO;
use crate::store::embedded::background::is_due;
use crate::store::embedded::by_hand;
use crate::store::embedded::turn::turn;
use crate::store::embedded::unread;
use crate::store::{Store, StoreError};

const HOURS_11: i64 = 11 * 60 * 60 * 1000;
const HOURS_13: i64 = 13 * 60 * 60 * 1000;
/// Sealed length of a content of the notices here.
const SEALED: u64 = 27 + 16;

/// A store with a base of 260 contents, five in the journal after it, without the threads, which would read at moments of their own; the first item is
/// acknowledged.
async fn without_threads(home: &Home, disk: &Arc<Failing>) -> (Arc<EmbeddedStore>, Vec<ItemNumber>) {
    let mut options = home.options();
    options.files = Arc::clone(disk) as _;
    let store = by_hand::open(options).unwrap();
    let bed = home.bed(&store);
    let items: Vec<_> = bed.waiting(RU_OSLO).await.iter().map(|item| item.item).collect();
    bed.hand_out(RU_OSLO, "r1", vec![items[0]]).await.unwrap();
    bed.acknowledge(RU_OSLO, vec![items[0]]).await.unwrap();
    (store, items[1..].to_vec())
}

async fn readable(store: &Arc<EmbeddedStore>, items: &[ItemNumber]) -> usize {
    let mut found = 0;
    for item in items {
        match store.content(*item).await {
            Ok(Some(_)) => found += 1,
            Err(StoreError::Damaged { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    found
}

#[tokio::test]
async fn what_the_running_gateway_has_open_is_carried_over_though_its_file_or_key_is_gone() {
    for how in ["key", "key flipped", "file"] {
        let (home, disk) = (rich().await, Arc::new(Failing::default()));
        let (store, items) = without_threads(&home, &disk).await;
        unread::look_now(&store.engine);
        // What a start wants of the first turn is asked for once.
        is_due(&store.engine);
        assert!(!is_due(&store.engine), "{how}");
        match how {
            "key" => std::fs::remove_file(one(&home, "keys", ".content.key").0).unwrap(),
            "key flipped" => flip(&one(&home, "keys", ".content.key").0, 20),
            _ => std::fs::remove_file(one(&home, "base", ".content").0).unwrap(),
        }
        assert_eq!(readable(&store, &items).await, items.len(), "{how}: all are handed out");
        // Told before it is too late, and a turn is made at once.
        unread::look_now(&store.engine);
        assert_eq!(store.stats().await.unwrap().unreadable, 259, "{how}");
        assert!(is_due(&store.engine), "{how}");
        home.clock.advance_millis(HOURS_13);
        let turned = turn(&store.engine, None).unwrap();
        assert_eq!((turned.kept, turned.lost, turned.erased), (264, 0, 1), "{how}");
        unread::look_now(&store.engine);
        assert_eq!(store.stats().await.unwrap().unreadable, 0, "{how}");
        assert!(!is_due(&store.engine), "{how}");
        drop(store);
        assert_eq!(check(&home).damages, [], "{how}");
        let store = home.open();
        assert_eq!(readable(&store, &items).await, items.len(), "{how}");
    }
}

#[tokio::test]
async fn what_was_put_back_under_the_running_gateway_is_read_by_it_and_carried_over() {
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    let (content, _) = one(&home, "base", ".content");
    let sound = std::fs::read(&content).unwrap();
    flip(&content, SEALED + 5);
    let (store, items) = without_threads(&home, &disk).await;
    assert_eq!(readable(&store, &items).await, items.len() - 1);
    turn(&store.engine, None).unwrap_err();
    // Another file, as `cp --remove-destination` makes it: the damaged one stays open here.
    std::fs::remove_file(&content).unwrap();
    std::fs::write(&content, sound).unwrap();
    assert_eq!(readable(&store, &items).await, items.len());
    let turned = turn(&store.engine, None).unwrap();
    assert_eq!((turned.kept, turned.lost), (264, 0));
}

#[tokio::test]
async fn each_content_waits_in_its_own_time_and_is_told_from_the_first_turn_on() {
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    let (content, _) = one(&home, "base", ".content");
    flip(&content, SEALED + 5);
    let (store, items) = without_threads(&home, &disk).await;
    let unreadable = async || store.stats().await.unwrap().unreadable;
    let fails_at = |offset: u64| {
        let error = turn(&store.engine, None).unwrap_err().to_string();
        assert!(error.contains(&format!(".content, offset {offset}:")), "{error}");
    };
    assert_eq!(unreadable().await, 0);
    fails_at(SEALED);
    assert_eq!(unreadable().await, 1, "without a look");
    home.clock.advance_millis(HOURS_11);
    // Another breaks later, and waits from then on.
    flip(&content, 7 * SEALED + 5);
    fails_at(SEALED);
    assert_eq!(unreadable().await, 2);
    home.clock.advance_millis(HOURS_11);
    fails_at(7 * SEALED);
    // One that is read in between begins anew.
    flip(&content, SEALED + 5);
    fails_at(7 * SEALED);
    assert_eq!(unreadable().await, 1);
    flip(&content, SEALED + 5);
    home.clock.advance_millis(HOURS_11);
    fails_at(SEALED);
    flip(&content, SEALED + 5);
    let turned = turn(&store.engine, None).unwrap();
    assert_eq!((turned.kept, turned.lost), (263, 1));
    assert_eq!(unreadable().await, 1, "on and on");
    unread::look_now(&store.engine);
    assert_eq!((unreadable().await, readable(&store, &items).await), (1, items.len() - 1));
}

#[tokio::test]
async fn all_of_a_file_that_is_gone_and_that_nobody_has_open_is_left_behind_in_its_time() {
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    let (store, _) = without_threads(&home, &disk).await;
    std::fs::remove_file(one(&home, "base", ".content").0).unwrap();
    for _ in 0..2 {
        let error = turn(&store.engine, None).unwrap_err().to_string();
        assert!(error.contains("the file is gone"), "{error}");
        assert_eq!(store.stats().await.unwrap().unreadable, 259);
        home.clock.advance_millis(HOURS_11);
    }
    let turned = turn(&store.engine, None).unwrap();
    assert_eq!((turned.kept, turned.lost), (5, 259));
    assert_eq!((store.stats().await.unwrap().unreadable, check(&home).damages.len()), (259, 259));
}

#[tokio::test]
async fn the_time_to_put_a_file_back_follows_no_clock_that_is_set_and_begins_with_the_process() {
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    flip(&one(&home, "base", ".content").0, SEALED + 5);
    let (store, _) = without_threads(&home, &disk).await;
    // However long what was acknowledged waited before.
    home.clock.advance_millis(HOURS_13);
    turn(&store.engine, None).unwrap_err();
    home.clock.jump_millis(HOURS_13);
    turn(&store.engine, None).unwrap_err();
    home.clock.advance_millis(HOURS_11);
    turn(&store.engine, None).unwrap_err();
    drop(store);
    let store = by_hand::open(home.options()).unwrap();
    home.clock.advance_millis(HOURS_11);
    turn(&store.engine, None).unwrap_err();
    home.clock.advance_millis(HOURS_11);
    turn(&store.engine, None).unwrap_err();
    home.clock.advance_millis(HOURS_13 - HOURS_11);
    assert_eq!(turn(&store.engine, None).unwrap().lost, 1);
}

/// B is damaged and has waited; the disk fails for C in the very turn that would leave B behind.
#[tokio::test]
async fn an_error_of_the_disk_stops_the_turn_and_costs_nothing_that_is_sound() {
    for errno in [Errno::IO, Errno::MFILE] {
        let (home, disk) = (rich().await, Arc::new(Failing::default()));
        flip(&one(&home, "base", ".content").0, SEALED + 5);
        let (store, items) = without_threads(&home, &disk).await;
        turn(&store.engine, None).unwrap_err();
        home.clock.advance_millis(HOURS_13);
        disk.refuse(Some((".content", 2 * SEALED, errno)));
        for _ in 0..3 {
            let error = turn(&store.engine, None).unwrap_err();
            assert!(matches!(error, OpenError::Io { .. }), "{error}");
            assert!(!error.is_final(), "{error}");
        }
        assert_eq!(readable(&store, &items).await, 5);
        disk.refuse(None);
        let turned = turn(&store.engine, None).unwrap();
        assert_eq!((turned.kept, turned.lost), (263, 1), "{errno:?}");
        assert_eq!(readable(&store, &items).await, items.len() - 1);
    }
}

#[tokio::test]
async fn what_the_disk_gives_no_more_is_left_behind_in_its_time_and_no_other_error_ever_leaves_anything_behind() {
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    let (store, items) = without_threads(&home, &disk).await;
    let last = items.len() as u64 - 6;
    disk.refuse(Some((".content", last * SEALED, Errno::MFILE)));
    for _ in 0..3 {
        turn(&store.engine, None).unwrap_err();
        home.clock.advance_millis(HOURS_13);
    }
    assert_eq!(store.stats().await.unwrap().unreadable, 0, "nothing is known of them");
    disk.refuse(Some((".content", last * SEALED, Errno::IO)));
    turn(&store.engine, None).unwrap_err();
    let met = store.stats().await.unwrap().unreadable;
    assert!(met > 0);
    home.clock.advance_millis(HOURS_13);
    assert_eq!(turn(&store.engine, None).unwrap().lost, met);
}

/// Somebody puts a wrong copy of a file back after the disk failed: there is time to see it.
#[tokio::test]
async fn what_the_disk_gives_again_and_is_damaged_waits_anew() {
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    let (store, _) = without_threads(&home, &disk).await;
    disk.refuse(Some((".content", 0, Errno::IO)));
    turn(&store.engine, None).unwrap_err();
    home.clock.advance_millis(HOURS_13);
    disk.refuse(None);
    flip(&one(&home, "base", ".content").0, SEALED + 5);
    for _ in 0..2 {
        let error = turn(&store.engine, None).unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{error}");
        home.clock.advance_millis(HOURS_11);
    }
    assert_eq!(turn(&store.engine, None).unwrap().lost, 1);
}

#[tokio::test]
async fn a_disk_that_gives_nothing_for_a_while_has_an_hour_however_short_the_time_of_erasure_is() {
    const MINUTE: i64 = 60 * 1000;
    let (home, disk) = (rich().await, Arc::new(Failing::default()));
    let mut options = home.options();
    options.files = Arc::clone(&disk) as _;
    options.erase_within_millis = MINUTE;
    let store = by_hand::open(options).unwrap();
    disk.refuse(Some((".content", 0, Errno::IO)));
    for _ in 0..59 {
        turn(&store.engine, None).unwrap_err();
        home.clock.advance_millis(MINUTE);
    }
    disk.refuse(None);
    let turned = turn(&store.engine, None).unwrap();
    assert_eq!((turned.kept, turned.lost), (265, 0));
}
