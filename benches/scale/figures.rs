//! The figures of a generated folder.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use samband::clock::SystemClock;
use samband::policy::command::Command;
use samband::store::Store as _;
use tokio::task::JoinSet;

use crate::Wishes;
use crate::history::{Cast, ENTRIES_OF_A_CASE, HAMAR};
use crate::home::{Gateway, open, sizes};

/// Journal bytes of one delivered case, by the store's own reckoning.
const JOURNAL_OF_A_CASE: u64 = 512 * ENTRIES_OF_A_CASE + 3_600;
/// Messages of one side in one round of a comparison.
const MESSAGES_OF_A_ROUND: usize = 1024;
/// In flight at once there.
const IN_FLIGHT: usize = 64;
/// The index of ten million entries must stand by then.
const INDEX_MAX: Duration = Duration::from_secs(3600);

/// Start to serving after a clean stop and after a kill, memory, and the search index in the background.
pub fn start(wishes: &Wishes) {
    let data = wishes.home.join("data");
    sizes(&data);
    for round in 1..=3 {
        let gateway = Gateway::start(&wishes.home);
        let at_once = gateway.memory();
        println!(
            "start {round} after a clean stop: {:.2} s to serving, resident {} MiB, highest {} MiB",
            gateway.to_serving.as_secs_f64(),
            at_once.0,
            at_once.1
        );
        println!("clean stop: {:.2} s", gateway.stop().as_secs_f64());
    }
    let me = std::env::current_exe().expect("this program has a path");
    let mut loader = Process::new(me);
    loader.args(["load", "--home"]).arg(&wishes.home).args(["--journal-mib", &wishes.journal_mib.to_string()]);
    let mut loader = loader.stdout(Stdio::piped()).spawn().expect("this program starts");
    let mut said = String::new();
    let out = loader.stdout.take().expect("its output is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).expect("it says when it is ready");
    loader.kill().and_then(|()| loader.wait()).expect("it can be killed");
    println!("killed with {}", said.trim());
    let gateway = Gateway::start(&wishes.home);
    println!("start after the kill: {:.2} s to serving, resident and highest {:?} MiB", gateway.to_serving.as_secs_f64(), gateway.memory());
    let begun = Instant::now();
    let (mut built, mut still) = (0, 0);
    // Every month that was begun is built, and no other one is begun for a while.
    while still < 10 && begun.elapsed() < INDEX_MAX {
        std::thread::sleep(Duration::from_secs(1));
        let (begun, ended) = (gateway.lines_with("index of a month is being built"), gateway.lines_with("index of a month is built"));
        still = if begun == ended && ended == built { still + 1 } else { 0 };
        built = ended;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{built} months of the search index built within {seconds:.0} s; resident and highest {:?} MiB", gateway.memory());
    println!("clean stop: {:.2} s", gateway.stop().as_secs_f64());
    let gateway = Gateway::start(&wishes.home);
    println!("start with an index: {:.2} s to serving, resident and highest {:?} MiB", gateway.to_serving.as_secs_f64(), gateway.memory());
    println!("clean stop: {:.2} s", gateway.stop().as_secs_f64());
    sizes(&data);
}

/// Fills the journal and says so; whoever started this kills it then.
pub async fn load(wishes: &Wishes) {
    let store = open(&wishes.home, &wishes.home.join("data"), Arc::new(SystemClock), false);
    let cast = Cast::new(&wishes.home, Arc::clone(&store), Arc::new(SystemClock)).await;
    let mut cases = (wishes.journal_mib << 20) / JOURNAL_OF_A_CASE;
    let before = *store.durable().borrow();
    while cases > 0 {
        let some = cases.min(512);
        cast.cases(some).await;
        cases -= some;
    }
    let entries = *store.durable().borrow() - before;
    let journal = crate::home::bytes_below(&wishes.home.join("data/journal"));
    println!("{entries} entries in {} MiB of journal", journal >> 20);
    std::io::stdout().flush().expect("whoever started this listens");
    std::thread::sleep(Duration::from_secs(600));
}

/// A message on an empty log and on this one, in turns.
pub async fn cost(wishes: &Wishes) {
    let empty = wishes.home.join("empty");
    let _ = std::fs::remove_dir_all(&empty);
    let _ = std::fs::remove_file(wishes.home.join("empty.high-water"));
    let sides = [cast(wishes, &empty).await, cast(wishes, &wishes.home.join("data")).await];
    let sizes = sides.each_ref().map(|cast| *cast.store.durable().borrow());
    for cast in &sides {
        round(cast).await;
    }
    let mut micros: [Vec<f64>; 2] = Default::default();
    let mut ratios = Vec::new();
    for n in 0..wishes.rounds {
        // Each goes first as often as the other.
        let mut taken = [0.0; 2];
        for side in [n % 2, 1 - n % 2] {
            taken[side] = round(&sides[side]).await;
            micros[side].push(taken[side]);
        }
        ratios.push(taken[1] / taken[0]);
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let [few, many] = micros.each_mut().map(median);
    println!(
        "a message, {IN_FLIGHT} in flight, median of {} rounds of {MESSAGES_OF_A_ROUND}: {few:.1} µs at {} entries, {many:.1} µs at {} entries; \
         median ratio of a round {:.3}",
        wishes.rounds,
        sizes[0],
        sizes[1],
        median(&mut ratios)
    );
    for cast in sides {
        cast.store.stop().await.expect("the store stops");
    }
    let _ = std::fs::remove_dir_all(&empty);
}

async fn cast(wishes: &Wishes, dir: &Path) -> Arc<Cast> {
    let clock = Arc::new(SystemClock);
    Arc::new(Cast::new(&wishes.home, open(&wishes.home, dir, clock.clone(), false), clock).await)
}

/// Microseconds a message.
async fn round(cast: &Arc<Cast>) -> f64 {
    let police = cast.caller("politi-oslo");
    let mut commands: Vec<Command> = (0..MESSAGES_OF_A_ROUND).map(|_| cast.notice(&police, HAMAR, 700)).collect();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let own: Vec<Command> = commands.split_off(commands.len() - MESSAGES_OF_A_ROUND / IN_FLIGHT);
        let cast = Arc::clone(cast);
        running.spawn(async move {
            for command in own {
                cast.store.act(command).await.expect("every message is accepted");
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a sender does not panic");
    }
    begun.elapsed().as_secs_f64() * 1e6 / MESSAGES_OF_A_ROUND as f64
}
