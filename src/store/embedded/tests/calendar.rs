//! Clocks that part: what follows from dates stops until it is confirmed, what follows from an acknowledgement goes on.

use super::*;
use crate::audit::event::Event;
use crate::domain::time::DAY_MILLIS;
use crate::policy::command::Command;
use crate::store::contract::case_bed::{NoticeWish, RU_OSLO, wish};
use crate::store::embedded::confirm_clock;
use crate::store::{OverdueAfter, Store};

const HOUR: i64 = 60 * 60 * 1000;

fn short() -> NoticeWish {
    NoticeWish { probation_end: "2026-12-01", to: "2026-12-01", ..wish() }
}

/// Cases that the store would end now, and items that it would mark as overdue.
async fn due(store: &Arc<EmbeddedStore>) -> (usize, usize) {
    let after = OverdueAfter { notice_millis: DAY_MILLIS, report_millis: DAY_MILLIS, result_millis: DAY_MILLIS };
    let due = store.due(store.now(), after, 10).await.unwrap();
    (due.ended.len(), due.overdue.len())
}

#[tokio::test]
async fn time_that_passes_holds_nothing() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&short(), None).await.unwrap();
    home.clock.advance_millis(400 * DAY_MILLIS);
    assert!(!store.calendar_is_held());
    assert_eq!(due(&store).await, (1, 1));
    home.clock.jump_millis(HOUR - 1);
    assert!(!store.calendar_is_held(), "an hour is within what clocks may part by");
}

#[tokio::test]
async fn a_clock_set_ahead_ends_no_case_and_erases_no_month_until_confirmed_and_acknowledged_content_goes() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&short(), None).await.unwrap();
    bed.send_notice(&short(), None).await.unwrap();
    let items = bed.fetch(RU_OSLO).await;
    store.turn_now().await.unwrap();
    assert_eq!(confirm_clock(&home.data()).unwrap(), None, "nothing waits");
    home.clock.jump_millis(800 * DAY_MILLIS);
    assert_eq!(due(&store).await, (0, 2), "overdue is only a mark");
    assert!(store.calendar_is_held());
    bed.acknowledge(RU_OSLO, vec![items[0].item]).await.unwrap();
    let turned = store.turn_now().await.unwrap();
    assert_eq!((turned.erased, turned.months), (1, 0));
    drop((bed, store));
    let store = home.open();
    assert!(store.calendar_is_held(), "a restart is no confirmation");
    assert_eq!(due(&store).await.0, 0);
    let held = confirm_clock(&home.data()).unwrap().expect("it waits");
    assert!(held.why.contains("set by more than an hour"), "{held:?}");
    assert_eq!(due(&store).await.0, 2, "the running store takes up the word");
    assert!(!store.calendar_is_held());
    assert_eq!(confirm_clock(&home.data()).unwrap(), None);
    store.act(Command::Note(Event::Stopped)).await.unwrap();
    assert_eq!(store.turn_now().await.unwrap().months, 1);
    drop(store);
    assert!(!home.open().calendar_is_held(), "confirmed once and for all");
}

#[tokio::test]
async fn a_clock_set_back_holds_and_the_calendar_goes_by_the_clock() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&short(), None).await.unwrap();
    home.clock.advance_millis(400 * DAY_MILLIS);
    store.act(Command::Note(Event::Stopped)).await.unwrap();
    home.clock.jump_millis(-390 * DAY_MILLIS);
    assert!(store.calendar_is_held());
    assert_eq!(due(&store).await.0, 0);
    store.confirm_calendar().unwrap();
    assert!(!store.calendar_is_held(), "the log's time lies ahead and that was seen");
    assert_eq!(due(&store).await.0, 0, "by the clock the case has not ended");
    home.clock.advance_millis(100 * DAY_MILLIS);
    assert_eq!(due(&store).await.0, 1);
}

#[tokio::test]
async fn a_long_stillness_holds_also_after_a_second_start_and_a_stopped_store_is_confirmed() {
    let home = Home::new();
    let store = home.open();
    home.bed(&store).ready().await;
    drop(store);
    home.clock.advance_millis(31 * DAY_MILLIS);
    assert!(!home.open().calendar_is_held(), "31 days are within what a store may be still");
    home.clock.advance_millis(31 * DAY_MILLIS + 1);
    assert!(home.open().calendar_is_held());
    assert!(home.open().calendar_is_held(), "the first start's own events are no confirmation");
    assert!(confirm_clock(&home.data()).unwrap().is_some());
    assert!(!home.open().calendar_is_held());
    assert!(!home.open().calendar_is_held());
}
