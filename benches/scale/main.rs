//! What a log of ten million entries costs: a generator of such a folder, and the figures measured on it.
//!
//! ```text
//! cargo bench --bench scale -- generate --home DIR [--entries 10000000] [--undelivered 100000] [--months 24]
//! cargo bench --bench scale -- start --home DIR          start to serving after a clean stop and after a kill, memory, the search index
//! cargo bench --bench scale -- cost --home DIR           a message on an empty log and on this one, side by side
//! cargo bench --bench scale -- churn --home DIR [--messages 1000000]
//! ```
//!
//! `generate` acts through the store itself, under a clock that starts months ago: notices, results and reports are sent, handed out and
//! acknowledged; cases end and are forgotten. What remains at the end are the undelivered notices of the last days and the cases of the last
//! five months, the same number whatever the log's length. Each command says what it does and prints its figures.

mod churn;
mod figures;
mod history;
mod home;

use std::path::PathBuf;

use samband::domain::time::DAY_MILLIS;

/// What the command line asked for.
#[derive(Debug)]
pub struct Wishes {
    /// The home of the gateway: keys, certificates, configuration and `data/`.
    pub home: PathBuf,
    /// Entries of the log.
    pub entries: u64,
    /// Notices that nobody has fetched.
    pub undelivered: u64,
    /// Months over which the log was written.
    pub months: u64,
    /// Cases of the last five months, which are still remembered.
    pub recent_cases: u64,
    /// Messages of a churn.
    pub messages: u64,
    /// Rounds of a comparison.
    pub rounds: usize,
    /// MiB of journal that a killed gateway leaves to be replayed.
    pub journal_mib: u64,
}

fn wishes(arguments: impl Iterator<Item = String>) -> (Option<String>, Wishes) {
    let mut wishes = Wishes {
        home: std::env::temp_dir().join("samband-scale"),
        entries: 10_000_000,
        undelivered: 100_000,
        months: 24,
        recent_cases: 1_000,
        messages: 1_000_000,
        rounds: 40,
        journal_mib: 200,
    };
    let mut command = None;
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
        let mut number = || value().replace('_', "").parse().expect("a number");
        match argument.as_str() {
            "--home" => wishes.home = value().into(),
            "--entries" => wishes.entries = number(),
            "--undelivered" => wishes.undelivered = number(),
            "--months" => wishes.months = number(),
            "--recent-cases" => wishes.recent_cases = number(),
            "--messages" => wishes.messages = number(),
            "--rounds" => wishes.rounds = number() as usize,
            "--journal-mib" => wishes.journal_mib = number(),
            "--bench" => {}
            word if !word.starts_with('-') && command.is_none() => command = Some(word.to_owned()),
            other => panic!("unknown option {other}"),
        }
    }
    (command, wishes)
}

/// A day of milliseconds, for spans.
pub const DAY: i64 = DAY_MILLIS;

#[tokio::main]
async fn main() {
    let (command, wishes) = wishes(std::env::args().skip(1));
    // As the program does at its start.
    _ = rustix::thread::disable_transparent_huge_pages(true);
    match command.as_deref() {
        Some("generate") => history::generate(&wishes).await,
        Some("start") => figures::start(&wishes),
        Some("cost") => figures::cost(&wishes).await,
        Some("load") => figures::load(&wishes).await,
        Some("churn") => churn::churn(&wishes).await,
        Some(other) => panic!("no command {other}: generate, start, cost or churn"),
        // `cargo bench` without words runs every bench: nothing here is done unasked.
        None => println!("scale: generate, start, cost or churn; see the head of benches/scale/main.rs"),
    }
}
