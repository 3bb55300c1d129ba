//! What a message costs, each figure beside the raw fdatasync of the same disk in the same run. What was found is in `benches/README.md`.
//!
//! `cargo bench [-- --seconds 4 --in-flight 1,16,64,256 --only relay,store,log]`

mod home;
mod log;
mod messages;
mod no_store;
mod raw;
mod receive;
mod relay;
mod store;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// As in the program.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<mimalloc::MiMalloc> = zeroizing_alloc::ZeroAlloc(mimalloc::MiMalloc);

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figures {
    /// Submit to receipt over mutual TLS, with and without a store
    Relay,
    /// Receive and acknowledge over mutual TLS
    Receive,
    /// The store alone beside a plain append of the same bytes; its start
    Store,
    /// Tree, proofs, verification of a whole log
    Log,
}

/// Measures the gateway on this machine. Client and server share its cores.
#[derive(Debug, Parser)]
#[command(name = "figures")]
struct Wishes {
    /// Seconds of each figure
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Messages in flight
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    in_flight: Vec<usize>,
    /// Entries of a batch for the store alone
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    batches: Vec<usize>,
    /// Connections of each of the three roles
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Entries of the log that is verified
    #[arg(long, default_value_t = 1_000_000)]
    leaves: u64,
    /// Only these
    #[arg(long, value_delimiter = ',', value_enum)]
    only: Vec<Figures>,
    /// A folder on the disk to be measured; made anew
    #[arg(long, default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/figures"))]
    dir: PathBuf,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Wishes {
    fn wants(&self, figures: Figures) -> bool {
        self.only.is_empty() || self.only.contains(&figures)
    }
}

fn main() {
    let wishes = Wishes::parse();
    // As the program does at its start.
    _ = rustix::thread::disable_transparent_huge_pages(true);
    let _ = std::fs::remove_dir_all(&wishes.dir);
    std::fs::create_dir_all(&wishes.dir).expect("the folder can be made");
    println!("{}", raw::machine());
    if cfg!(debug_assertions) {
        println!("built without optimisation: that it runs is all that this shows");
    }
    println!("one fdatasync of 4 KiB appended: {}\n", raw::sync(&wishes.dir, 4096));
    let mut goals = Vec::new();
    if wishes.wants(Figures::Relay) || wishes.wants(Figures::Receive) {
        relay::run(&wishes, &mut goals);
    }
    if wishes.wants(Figures::Store) {
        store::run(&wishes, &mut goals);
    }
    if wishes.wants(Figures::Log) {
        log::run(&wishes, &mut goals);
    }
    raw::table("goal", &["asked", "reached"], &goals.iter().map(raw::Goal::row).collect::<Vec<_>>());
    let _ = std::fs::remove_dir_all(&wishes.dir);
}
