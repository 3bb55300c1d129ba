//! Receive and acknowledge over mutual TLS: each item durable as handed out before it leaves, acknowledgements durable before they are answered.

use std::time::{Duration, Instant};

use samband::grpc::pb;
use samband::grpc::pb::municipal_service_client::MunicipalServiceClient;
use tonic::transport::Channel;

use crate::Wishes;
use crate::raw::{Usage, sync, table};
use crate::relay::Clients;

/// Items that one acknowledgement names.
const EACH: usize = 64;

/// Receives until `wanted` items are acknowledged or time is over; how many were.
async fn drain(mut unit: MunicipalServiceClient<Channel>, wanted: usize, time: Duration) -> usize {
    let request = pb::MunicipalServiceReceiveRequest { reader_id: "bench".into(), max_items: 0, until_empty: true };
    let mut items = unit.receive(request).await.expect("a reader opens").into_inner();
    let (start, mut done, mut held) = (Instant::now(), 0, Vec::with_capacity(EACH));
    let mut answers = tokio::task::JoinSet::new();
    while done < wanted && start.elapsed() < time {
        let item = items.message().await.expect("the stream stands");
        let ended = item.is_none();
        held.extend(item.map(|item| item.item_number));
        if held.len() == EACH || (ended && !held.is_empty()) {
            done += held.len();
            let request = pb::MunicipalServiceAcknowledgeRequest { item_numbers: std::mem::take(&mut held) };
            let mut unit = unit.clone();
            answers.spawn(async move { unit.acknowledge(request).await.map(drop) });
        }
        if ended {
            break;
        }
    }
    while let Some(answer) = answers.join_next().await {
        answer.expect("no panic").expect("every item is acknowledged");
    }
    done
}

/// Empties the unit's mailbox of `wanted` items.
pub async fn acknowledge_all(unit: MunicipalServiceClient<Channel>, wanted: usize) {
    let mut done = 0;
    while done < wanted {
        done += drain(unit.clone(), wanted - done, Duration::from_secs(60)).await;
    }
}

/// Measures and prints.
pub async fn run(wishes: &Wishes, clients: &Clients) {
    let raw = sync(&wishes.dir, 4096);
    // Enough for the time, also when the other figures were left out.
    let filling: Vec<_> = (0..64).map(|_| async { clients.fill(Duration::from_secs_f64(wishes.seconds)).await }).collect();
    futures_util::future::join_all(filling).await;
    let (usage, start) = (Usage::now(), Instant::now());
    let done = drain(clients.unit(), usize::MAX, Duration::from_secs_f64(wishes.seconds)).await;
    let rate = done as f64 / start.elapsed().as_secs_f64();
    println!("Received and acknowledged by one reader over mutual TLS, {EACH} items an acknowledgement.");
    let row = vec!["notices".to_owned(), raw.to_string(), format!("{rate:.0}/s"), usage.each(done as f64)];
    table("what", &["fdatasync of 4 KiB", "acknowledged", "CPU, switches"], &[row]);
}
