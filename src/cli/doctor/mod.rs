//! `samband doctor`: what an operator looks at first, in one page that is safe to paste into a ticket.
//!
//! Counts, ages, sizes, files of the configuration. Never a person, a message id, a case reference or a participant.

mod files;
mod host;
mod register;
mod store;
#[cfg(test)]
mod tls_tests;

use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use crate::clock::{Clock as _, SystemClock};

use super::exit::CliError;
use super::output::Output;
use super::place::PlaceArgs;

/// What `doctor --help` shows.
pub const HELP: &str = "Examples:
  samband doctor --config /etc/samband/samband.toml
  samband doctor --dev --dir dev
  samband doctor --config /etc/samband/samband.toml --json

Looks at the disk (free space, file system, how long a sync takes), the store (undelivered mail, published log), the clock, the certificates
and the files of keys. Changes nothing; the gateway may run. Holds counts and ages only, so it is safe to paste into a ticket.
The exit code is 1 when something is bad, 0 with warnings only.";

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Ok,
    /// Could not be found out.
    Unknown,
    /// Serves, but look at it.
    Warning,
    /// Act now.
    Bad,
}

impl Health {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// A stable word for machines.
    pub check: &'static str,
    /// How it is.
    pub health: Health,
    /// What was seen and, unless it is well, what to do.
    pub text: String,
    /// The figures.
    pub figures: Value,
}

impl Finding {
    fn new(check: &'static str, health: Health, text: impl Into<String>, figures: Value) -> Self {
        Self { check, health, text: text.into(), figures }
    }

    fn json(&self) -> Value {
        json!({"check": self.check, "health": self.health.word(), "text": self.text, "figures": self.figures})
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Failed`] when something is bad; [`CliError::Config`] for a configuration that cannot be read.
pub fn run(args: &DoctorArgs, out: Output) -> Result<(), CliError> {
    let config = args.place.load()?;
    let now = SystemClock.now();
    let mut findings = vec![host::disk(&config)];
    let bar = out.progress(0, "syncs");
    findings.extend(host::sync(&config.data_dir, &|| bar.inc(1)));
    bar.finish_and_clear();
    findings.extend(store::look(&config, now));
    findings.push(register::look(&config));
    findings.push(files::taken(&config, Arc::new(SystemClock)));
    findings.extend(files::certificates(&config, now));
    findings.extend(files::keys(&config));
    for finding in &findings {
        out.result(&format!("{:<8} {:<12} {}", finding.health.word(), finding.check, finding.text), &finding.json());
    }
    let bad = findings.iter().filter(|finding| finding.health == Health::Bad).count();
    if bad > 0 { Err(CliError::Failed(format!("{bad} bad findings"))) } else { Ok(()) }
}

/// Bytes as people read them.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut scaled = count as f64;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{scaled:.1} {}", UNITS[unit]) }
}

/// How long ago something was, in milliseconds. What lies ahead of the clock is told so.
#[must_use]
pub fn ago(millis: i64) -> String {
    let span = span(millis);
    if millis <= -1000 { format!("{span} ahead of the clock") } else { format!("{span} ago") }
}

/// A span of milliseconds as people read it, without its sign.
#[must_use]
pub fn span(millis: i64) -> String {
    let seconds = millis.unsigned_abs() / 1000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!([bytes(0), bytes(1023), bytes(1536), bytes(5 << 30)], ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(
            [span(900), span(-119_000), span(3_600_000), span(90_000_000), span(864_000_000)],
            ["0 s", "119 s", "60 min", "25 h", "10 days"]
        );
        assert_eq!(
            [ago(-999), ago(0), ago(119_000), ago(-1000), ago(-39 * 86_400_000)],
            ["0 s ago", "0 s ago", "119 s ago", "1 s ahead of the clock", "39 days ahead of the clock"]
        );
    }
}
