//! What the disk and the machine do by themselves, and how figures are printed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// The times of one fdatasync.
#[derive(Debug, Clone, Copy)]
pub struct Sync {
    /// Median in seconds.
    pub seconds: f64,
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ms ({:.0}/s)", self.seconds * 1e3, 1.0 / self.seconds)
    }
}

impl Sync {
    /// Between two that were measured before and after.
    pub fn between(self, other: Self) -> Self {
        Self { seconds: f64::midpoint(self.seconds, other.seconds) }
    }
}

/// One append of `bytes` to a file that grows by it, and its fdatasync alone.
pub fn sync(dir: &Path, bytes: usize) -> Sync {
    let path = dir.join("fdatasync");
    let mut file = File::create(&path).expect("the folder is writable");
    let frame = vec![0x5a; bytes];
    let mut times: Vec<f64> = (0..400)
        .map(|_| {
            file.write_all(&frame).expect("the disk has room");
            let start = Instant::now();
            file.sync_data().expect("the disk syncs");
            start.elapsed().as_secs_f64()
        })
        .collect();
    fs::remove_file(&path).expect("it is ours");
    times.sort_by(f64::total_cmp);
    Sync { seconds: times[times.len() / 2] }
}

/// Frames a second of a plain append of `bytes` and an fdatasync after each; not preallocated.
pub fn append(dir: &Path, bytes: usize, seconds: f64) -> f64 {
    let path = dir.join("append");
    let mut file = File::create(&path).expect("the folder is writable");
    let frame = vec![0x5a; bytes];
    let (start, mut frames) = (Instant::now(), 0_u32);
    while start.elapsed().as_secs_f64() < seconds {
        file.write_all(&frame).expect("the disk has room");
        file.sync_data().expect("the disk syncs");
        frames += 1;
    }
    let rate = f64::from(frames) / start.elapsed().as_secs_f64();
    fs::remove_file(&path).expect("it is ours");
    rate
}

/// Processor, cores, kernel.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).map_or("", |line| line.trim_start_matches(['\t', ' ', ':']));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{model}, {cores} cores, Linux {}, samband {}", kernel.trim(), env!("CARGO_PKG_VERSION"))
}

/// What the whole process has used so far: client, server and store.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    cpu_ticks: u64,
    switches: u64,
}

impl Usage {
    /// Until now.
    pub fn now() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let cpu_ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let of_thread = |status: String| -> u64 {
            let count = |line: &str| line.split_once("ctxt_switches:").and_then(|(_, count)| count.trim().parse::<u64>().ok());
            status.lines().filter_map(count).sum()
        };
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let switches = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok()).map(of_thread).sum();
        Self { cpu_ticks, switches }
    }

    /// Switches of context since `self`.
    pub fn switches_since(self) -> u64 {
        Self::now().switches.saturating_sub(self.switches)
    }

    /// Microseconds of processor and switches of context for each of `count`, since `self`.
    pub fn each(self, count: f64) -> String {
        let now = Self::now();
        // Linux counts in hundredths of a second towards user space, on every machine.
        let micros = (now.cpu_ticks - self.cpu_ticks) as f64 * 1e4 / count;
        format!("{micros:.0} µs, {:.1}", now.switches.saturating_sub(self.switches) as f64 / count)
    }
}

/// Nanoseconds on a processor so far, by name of thread.
#[derive(Debug)]
pub struct Threads(BTreeMap<String, u64>);

impl Threads {
    /// Until now. The thread that asks is left out: it does the measuring.
    pub fn now() -> Self {
        let mut spent = BTreeMap::new();
        let own = std::process::id().to_string();
        for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            if thread.file_name().to_str() == Some(own.as_str()) {
                continue;
            }
            let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
            let nanos = read("schedstat").split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok());
            *spent.entry(read("comm").trim().to_owned()).or_default() += nanos.unwrap_or_default();
        }
        Self(spent)
    }

    /// Adds what each has used since `before`.
    pub fn add_since(&mut self, before: &Self) {
        for (name, nanos) in Self::now().0 {
            let since = nanos.saturating_sub(before.0.get(&name).copied().unwrap_or_default());
            *self.0.entry(name).or_default() += since;
        }
    }

    /// None yet.
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Microseconds of all together for each of `count`.
    pub fn together(&self, count: f64) -> f64 {
        self.0.values().sum::<u64>() as f64 / 1e3 / count
    }

    /// Microseconds of each for each of `count`, those that show, the busiest first.
    pub fn each(&self, count: f64) -> String {
        let mut each: Vec<(f64, &str)> = self.0.iter().map(|(name, nanos)| (*nanos as f64 / 1e3 / count, name.as_str())).collect();
        each.retain(|(micros, _)| *micros >= 0.05);
        each.sort_by(|one, other| other.0.total_cmp(&one.0));
        each.iter().map(|(micros, name)| format!("{name} {micros:.1}")).collect::<Vec<_>>().join(", ")
    }
}

/// A ratio that is asked for.
#[derive(Debug)]
pub struct Goal {
    /// What.
    pub what: String,
    /// At least or at most.
    pub asked: String,
    /// Measured.
    pub reached: String,
    /// Whether it was.
    pub met: bool,
}

impl Goal {
    /// The table's row.
    pub fn row(&self) -> Vec<String> {
        let verdict = if self.met { "" } else { " (missed)" };
        vec![self.what.clone(), self.asked.clone(), format!("{}{verdict}", self.reached)]
    }
}

/// Prints a table, aligned, as Markdown.
pub fn table(first: &str, columns: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    let head: Vec<String> = std::iter::once(first).chain(columns.iter().copied()).map(str::to_owned).collect();
    let width = |at: usize| std::iter::once(&head).chain(rows).map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("| {} |", cells.join(" | "));
    };
    line(&head);
    line(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>());
    rows.iter().for_each(|row| line(row));
    println!();
}
