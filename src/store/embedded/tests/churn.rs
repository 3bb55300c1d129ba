//! Messages that came and went leave nothing but their records: what is on disk follows what is live.
//!
//! `SAMBAND_CHURN_MESSAGES` (10000) says how many; a million under a running clock: `cargo bench --bench scale -- churn`.

use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::policy::command::{Body, Command, Submission};
use crate::policy::permit::authorize;
use crate::policy::table::Verb;
use crate::store::Store;
use crate::store::contract::case_bed::{LAB, OSLO, result, submission, wish};

const ROUND: u64 = 1000;
const KEPT: usize = 200;
const CONTENT: usize = 600;
const TAG: u64 = 16;

fn on_disk(folder: &Path) -> u64 {
    files_below(folder).iter().map(|path| std::fs::metadata(path).unwrap().blocks() * 512).sum()
}

fn length(folder: &Path, suffix: &str) -> u64 {
    let files = files_below(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(suffix));
    files.map(|path| std::fs::metadata(path).unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_disk_follows_what_is_live() {
    let messages = std::env::var("SAMBAND_CHURN_MESSAGES").map_or(10_000, |text| text.parse().unwrap());
    let home = Home::new();
    let store = home.open();
    let bed = Arc::new(home.bed(&store));
    bed.ready().await;
    let mut requisitions = Vec::new();
    for _ in 0..KEPT.max(usize::try_from(messages / 1000).unwrap()) {
        requisitions.push(bed.send_notice(&wish(), None).await.unwrap().1.requisition_id.unwrap());
    }
    let kept = requisitions.len() as u64;
    let requisitions = Arc::new(requisitions);
    let data = home.data();
    let held = |data: &Path| on_disk(data) - on_disk(&data.join("index")) - on_disk(&data.join("log"));
    let mut most = 0;
    for round in 0..messages / ROUND {
        let tasks: Vec<_> = (0..10)
            .map(|task| {
                let (bed, requisitions) = (Arc::clone(&bed), Arc::clone(&requisitions));
                tokio::spawn(async move {
                    let caller = bed.caller(LAB);
                    for n in 0..ROUND / 10 {
                        let number = round * ROUND + task * (ROUND / 10) + n;
                        let facts = result(requisitions[(number % kept) as usize], &format!("L-{number}"));
                        let canonical = vec![7; CONTENT].into();
                        let sub = Submission { canonical, ..submission(bed.fresh(), Body::Result(facts), None) };
                        let permit = authorize(&caller, Verb::SendResult, sub.commit, &bed.store().register()).unwrap();
                        bed.store().act(Command::Submit { permit, submission: Box::new(sub) }).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        while !bed.take(OSLO).await.is_empty() {}
        if round % 4 == 3 {
            assert_eq!(store.turn_now().await.unwrap().kept, kept);
            most = most.max(held(&data));
        }
    }
    store.turn_now().await.unwrap();
    let records = length(&data.join("records"), ".rec");
    let content = length(&data.join("base"), ".content");
    let live = records + content + length(&data.join("base"), ".state");
    let (held, log) = (held(&data), on_disk(&data.join("log")));
    println!("{messages} messages: live {live} bytes ({records} of records), on disk {held}, at most {most} after a turn, log {log}");
    assert!(content <= kept * (CONTENT as u64 + TAG), "only what is undelivered has content: {content}");
    assert!(held as f64 <= 1.5 * live as f64, "{held} bytes on disk for {live} live ones");
    assert_eq!(store.stats().await.unwrap().undelivered, kept);
}
