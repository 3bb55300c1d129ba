//! Generated histories of every role run on the embedded store over a simulated disk and on the reference store, step by step. After each step
//! both answer the same; after each crash everything that was answered is there; nothing that was acknowledged comes back; the log goes on from
//! every head ever seen; after each turn nothing that was erased is left on disk, nor its key.
//!
//! `SAMBAND_SIM_SECONDS` says for how long (2 at a desk; `tests/run.sh` takes 45; an hour is 3600), `SAMBAND_SIM_SEED` with which seed to begin: a
//! run says its seed when it fails, and the shortest list of ops that still fails. `SAMBAND_SIM_STEPS` is the length of a history (120).

mod act;
mod fixed;
mod look;
mod op;
mod pure;
mod run;
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use self::op::history;
use self::run::{run, shorten};
use super::sim_disk::Lie;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Runs histories from `first` on until the time is over. Gives how many, and how often what happened in them.
fn runs(first: u64, time: Duration, steps: usize) -> (u64, BTreeMap<&'static str, u64>) {
    let begun = Instant::now();
    let (mut seed, mut counts) = (first, BTreeMap::new());
    while begun.elapsed() < time {
        let ops = history(seed, steps);
        match run(seed, &ops, Lie::None) {
            Ok(world) => world.counts.into_iter().for_each(|(what, count)| *counts.entry(what).or_default() += count),
            Err(failure) => {
                let short = shorten(seed, &ops, Lie::None, 400);
                let again = run(seed, &short, Lie::None).err();
                let (what, trace) = again.map_or_else(Default::default, |again| (again.what, again.trace.join("\n")));
                panic!("seed {seed}, step {}: {}\nthe shortest: {short:?}\nfails by: {what}\nafter\n{trace}", failure.step, failure.what);
            }
        }
        seed += 1;
    }
    (seed - first, counts)
}

#[test]
fn every_history_is_the_same_on_both_stores() {
    let first = number("SAMBAND_SIM_SEED").unwrap_or(1);
    let time = Duration::from_secs(number("SAMBAND_SIM_SECONDS").unwrap_or(2));
    let steps = number("SAMBAND_SIM_STEPS").unwrap_or(120) as usize;
    let (histories, counts) = runs(first, time, steps);
    println!("simulation from seed {first}: {histories} histories of {steps} steps tried, {counts:?}");
}
