//! What a log of ten million entries costs: a generator of such a folder, and the figures measured on it. `--help` has the commands; what was
//! found is in `docs/scale.md`.
//!
//! `generate` acts through the store itself, under a clock that starts months ago: notices, results and reports are sent, handed out and
//! acknowledged; cases end and are forgotten. What remains at the end are the undelivered notices of the last days and the cases of the last
//! five months, the same number whatever the log's length. Each command says what it does and prints its figures.

mod churn;
mod figures;
mod history;
mod home;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, ValueEnum};
use samband::domain::time::DAY_MILLIS;

const HELP: &str = "Examples:
  cargo bench --bench scale -- generate --home /var/tmp/scale                    ten million entries, 8 GB, some twenty minutes
  cargo bench --bench scale -- generate --home /var/tmp/small --entries 100_000 --undelivered 10_000
  cargo bench --bench scale -- start --home /var/tmp/scale
  cargo bench --bench scale -- cost --home /var/tmp/scale --rounds 100
  cargo bench --bench scale -- churn --home /var/tmp/churn --messages 1_000_000

start, cost and churn measure; start and cost need a home that generate made, churn a new one. A message's own figures are another bench:
cargo bench --bench figures -- --help. What was found: docs/scale.md";

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Command {
    /// Make the home of a gateway with a long log
    Generate,
    /// Start to serving after a clean stop and after a kill, memory, the search index
    Start,
    /// A message on an empty log and on this one, side by side
    Cost,
    /// Messages that come and go until their records are erased; what is left on disk
    Churn,
    /// What `start` runs and kills, to leave a journal behind
    #[value(hide = true)]
    Load,
}

/// What a log of millions of entries costs
#[derive(Debug, Parser)]
#[command(name = "scale", after_help = HELP)]
pub struct Wishes {
    #[arg(value_enum)]
    command: Option<Command>,
    /// The home of the gateway: keys, certificates, configuration and data/
    #[arg(long, value_name = "DIR", default_value_os_t = std::env::temp_dir().join("samband-scale"))]
    pub home: PathBuf,
    /// generate: entries of the log
    #[arg(long, value_name = "N", value_parser = number, default_value = "10_000_000")]
    pub entries: u64,
    /// generate: notices that nobody has fetched
    #[arg(long, value_name = "N", value_parser = number, default_value = "100_000")]
    pub undelivered: u64,
    /// generate: months over which the log was written
    #[arg(long, value_name = "N", value_parser = number, default_value = "24")]
    pub months: u64,
    /// generate: cases of the last five months, which are still remembered
    #[arg(long, value_name = "N", value_parser = number, default_value = "1_000")]
    pub recent_cases: u64,
    /// churn: messages
    #[arg(long, value_name = "N", value_parser = number, default_value = "1_000_000")]
    pub messages: u64,
    /// cost: rounds of the comparison
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub rounds: usize,
    /// start: MiB of journal that a killed gateway leaves to be replayed
    #[arg(long, value_name = "MIB", value_parser = number, default_value = "200")]
    pub journal_mib: u64,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// A whole number; 10_000_000 reads better than 10000000.
fn number(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| "a whole number, like 10_000_000".to_owned())
}

/// A day of milliseconds, for spans.
pub const DAY: i64 = DAY_MILLIS;

#[tokio::main]
async fn main() {
    let wishes = Wishes::parse();
    // As the program does at its start.
    _ = rustix::thread::disable_transparent_huge_pages(true);
    match wishes.command {
        Some(Command::Generate) => history::generate(&wishes).await,
        Some(Command::Start) => figures::start(&wishes),
        Some(Command::Cost) => figures::cost(&wishes).await,
        Some(Command::Load) => figures::load(&wishes).await,
        Some(Command::Churn) => churn::churn(&wishes).await,
        // `cargo bench` without words runs every bench: nothing here is done unasked.
        None if std::env::args().skip(1).all(|word| word == "--bench") => {
            println!("scale: nothing is done unasked; cargo bench --bench scale -- --help");
        }
        None => Wishes::command().error(ErrorKind::MissingRequiredArgument, "say what to do: generate, start, cost or churn").exit(),
    }
}
