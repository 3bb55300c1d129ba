//! How fast acts become durable. Run by hand: `cargo test --release -- --ignored --nocapture durable_messages`.

use super::*;
use crate::policy::command::{Body, Command, Submission};
use crate::policy::permit::authorize;
use crate::policy::table::Verb;
use crate::store::Store;
use crate::store::contract::case_bed::{LAB, result, submission, wish};

fn make(bed: &Bed, permit_of: &crate::policy::permit::Caller, requisition: crate::domain::id::RequisitionId, n: u64) -> Command {
    let facts = result(requisition, &format!("L-{n}"));
    let mut commit = [0; 32];
    commit[..8].copy_from_slice(&n.to_be_bytes());
    let sub = Submission { commit, canonical: vec![7; 600].into(), ..submission(bed.fresh(), Body::Result(facts), None) };
    let permit = authorize(permit_of, Verb::SendResult, commit, &bed.store().register()).unwrap();
    Command::Submit { permit, submission: Box::new(sub) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn durable_messages_a_second_with_64_in_flight() {
    let home = Home::new();
    let store = home.open();
    let bed = Arc::new(home.bed(&store));
    bed.ready().await;
    let mut requisitions = Vec::new();
    for _ in 0..200 {
        requisitions.push(bed.send_notice(&wish(), None).await.unwrap().1.requisition_id.unwrap());
    }
    let requisitions = Arc::new(requisitions);
    const EACH: u64 = 2_000;
    let start = std::time::Instant::now();
    let tasks: Vec<_> = (0..64_u64)
        .map(|task| {
            let (bed, requisitions, store) = (Arc::clone(&bed), Arc::clone(&requisitions), Arc::clone(&store));
            tokio::spawn(async move {
                let caller = bed.caller(LAB);
                for n in 0..EACH {
                    let number = task * EACH + n;
                    let requisition = requisitions[(number % 200) as usize];
                    store.act(make(&bed, &caller, requisition, number)).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.0} durable messages a second", (64 * EACH) as f64 / seconds);
    let head = store.stats().await.unwrap();
    println!("{head:?}");
}
