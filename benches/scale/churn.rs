//! A churn: messages that are sent, delivered and gone. What is left on disk follows what is live.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use samband::clock::{Clock as _, MockClock, SystemClock};
use samband::store::Store as _;

use crate::history::{Cast, HAMAR};
use crate::home::{bytes_below, open, prepare};
use crate::{DAY, Wishes};

/// Days of the churn: records of its first months have outlived their time before its end.
const DAYS: u64 = 900;
/// Notices that stay undelivered to the end and after it, and their content as it lies on disk.
const KEPT: u64 = 2_000;
const KEPT_DAYS: i64 = 1_000;
const SEALED_NOTICE: u64 = 716;
/// Messages of one case.
const MESSAGES_OF_A_CASE: u64 = 8;

/// Runs it in a new home.
pub async fn churn(wishes: &Wishes) {
    let begun = Instant::now();
    prepare(&wishes.home);
    let data = wishes.home.join("data");
    let clock = Arc::new(MockClock::new(SystemClock.now().plus_millis(-(DAYS as i64 + 1) * DAY)));
    let store = open(&wishes.home, &data, clock.clone(), false);
    let cast = Cast::new(&wishes.home, Arc::clone(&store), clock.clone()).await;
    let police = cast.caller("politi-oslo");
    cast.all((0..KEPT).map(|_| cast.notice(&police, HAMAR, KEPT_DAYS))).await;
    let cases = wishes.messages / MESSAGES_OF_A_CASE;
    let mut most = 0;
    for day in 0..DAYS {
        cast.cases(cases * (day + 1) / DAYS - cases * day / DAYS).await;
        cast.sweep().await;
        clock.advance_millis(DAY);
        if day % 30 == 29 {
            store.turn_now().await.expect("the store turns");
            most = most.max(without_index_and_log(&data));
        }
        if day % 90 == 89 {
            println!("day {} of {DAYS}: {} entries, {:.0} s", day + 1, *store.durable().borrow(), begun.elapsed().as_secs_f64());
        }
    }
    // Twice: the second turn writes nothing but what the first one left.
    store.turn_now().await.expect("the store turns");
    let turned = store.turn_now().await.expect("the store turns");
    let stats = store.stats().await.expect("the store runs");
    println!("{stats:?}");
    println!("{turned:?}");
    let held = without_index_and_log(&data);
    let live = lengths(&data.join("records")) + lengths_of(&data.join("base"), "state") + stats.undelivered * SEALED_NOTICE;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!(
        "{} messages: live {:.1} MiB (records, state, undelivered content), on disk without log/ and index/ {:.1} MiB = {:.3} times; \
         at most {:.1} MiB after any turn; log/ {:.1} MiB",
        cases * MESSAGES_OF_A_CASE,
        mib(live),
        mib(held),
        held as f64 / live as f64,
        mib(most),
        mib(bytes_below(&data.join("log")))
    );
    assert!(stats.undelivered >= KEPT, "mail is held to the end");
    assert!(held as f64 <= 1.5 * live as f64, "the folder holds more than one and a half times what is live");
    store.stop().await.expect("the store stops");
}

fn without_index_and_log(data: &Path) -> u64 {
    bytes_below(data) - bytes_below(&data.join("index")) - bytes_below(&data.join("log"))
}

fn lengths(folder: &Path) -> u64 {
    lengths_of(folder, "")
}

fn lengths_of(folder: &Path, suffix: &str) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(suffix))
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}
