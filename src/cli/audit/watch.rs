//! `samband audit watch`: follows the log from head to head and cries when it forks or stands still.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::checkpoint::{Head, fetch, open, proof_between};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::note::LogVerifier;
use crate::audit::proof::verify_consistency;
use crate::audit::tlog_policy::TlogPolicy;
use crate::audit::tree::Hash;
use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::outbox::write_durably;
use crate::cli::output::Output;
use crate::cli::receipt::{read_policy, read_vkey};
use crate::clock::{Clock as _, SystemClock};
use crate::domain::time::Timestamp;
use crate::tls::files;

/// The command of an alarm may run this long.
const ALARM_TIMEOUT: Duration = Duration::from_secs(30);
/// Contradicting heads that are kept beside the mark. The first are what matters; a gateway that forks signs a new one for every question.
const FORKS_MAX: usize = 16;
/// Cosignatures may lie this much in the future, in milliseconds: clocks differ.
const AHEAD_MAX_MILLIS: i64 = 300_000;

/// What `audit watch --help` shows.
pub const HELP: &str = "Examples:
  samband audit watch --identity certs-dev/tilsyn --vkey log.vkey --mark watch.checkpoint
  samband audit watch --identity certs-dev/tilsyn --vkey log.vkey --mark watch.checkpoint --every 60 --stall-after 900
  samband audit watch --identity certs-dev/tilsyn --vkey log.vkey --mark watch.checkpoint --policy witnesses.policy
  samband audit watch --identity certs-dev/tilsyn --vkey log.vkey --mark watch.checkpoint --once --on-alarm 'logger -p crit \"$SAMBAND_ALARM\"'

The mark is the last head that was found consistent, a signed checkpoint, written durably before it is reported. Keep it away from the gateway.
Each round asks for the newest head (which is itself an entry, so a log that runs grows) and for the proof that it continues the mark. With
--policy the cosigned head must have the quorum, continue the same log, and be no older than --stall-after.

An alarm ends the command with exit code 1 and says FORK, SIGNATURE, STALL or WITNESSES. On a fork the contradicting head is kept beside the mark
as MARK.fork-SIZE-ROOT, the first 16 of them: two signed heads that cannot both be true are evidence. The alarm's command is begun before that is
tried; a head that cannot be kept is printed with the alarm. A stall is counted from the time at which the
mark was written, so that --once by a scheduler finds it too. --on-alarm runs a command with $SAMBAND_ALARM_KIND and $SAMBAND_ALARM.";

/// Arguments of `audit watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The log's public key
    #[arg(long, value_name = "FILE")]
    pub vkey: PathBuf,
    /// The own high-water mark; made at the first round
    #[arg(long, value_name = "FILE")]
    pub mark: PathBuf,
    /// Seconds between two rounds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub every: u64,
    /// A log that has not grown, or a gateway that has not answered, for so many seconds is an alarm
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=2_592_000))]
    pub stall_after: u64,
    /// A tlog-policy file: which witnesses must have cosigned
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// One round, for a scheduler of your own
    #[arg(long)]
    pub once: bool,
    /// Run this by `sh -c` at an alarm
    #[arg(long, value_name = "COMMAND")]
    pub on_alarm: Option<String>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What the watch cries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// The head contradicts the mark.
    Fork(String),
    /// The head is not signed by the log's key.
    Signature(String),
    /// No growth, or no answer, for too long.
    Stall(String),
    /// The policy's witnesses.
    Witnesses(String),
}

impl Alarm {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Fork(_) => "FORK",
            Self::Signature(_) => "SIGNATURE",
            Self::Stall(_) => "STALL",
            Self::Witnesses(_) => "WITNESSES",
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Fork(text) | Self::Signature(text) | Self::Stall(text) | Self::Witnesses(text) => text,
        }
    }
}

/// Where a head stands to the mark before any proof is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The very same head.
    Same,
    /// Larger: to be proved.
    Grown,
}

/// What the watch remembers.
#[derive(Debug, Clone)]
pub struct Watcher {
    mark: Option<Checkpoint>,
    grown_at: Timestamp,
    stall_after_millis: i64,
}

impl Watcher {
    /// A watch with the mark of earlier ones, which was written at `grown_at`; without one, the time at which it begins.
    #[must_use]
    pub const fn new(mark: Option<Checkpoint>, grown_at: Timestamp, stall_after_millis: i64) -> Self {
        Self { mark, grown_at, stall_after_millis }
    }

    /// Compares a head, whose signature was verified, with the mark.
    ///
    /// # Errors
    /// [`Alarm::Fork`] for a smaller one, another log's, or another root of the same size.
    pub fn compare(&self, head: &Checkpoint) -> Result<Step, Alarm> {
        let Some(mark) = &self.mark else { return Ok(Step::Grown) };
        if mark.origin() != head.origin() {
            return Err(Alarm::Fork(format!("the gateway serves another log now: {} in place of {}", head.origin(), mark.origin())));
        }
        if head.size() < mark.size() {
            return Err(Alarm::Fork(format!(
                "the log went back from {} to {} entries: entries that were published are gone",
                mark.size(),
                head.size()
            )));
        }
        if head.size() == mark.size() {
            let fork = || format!("two signed heads of size {} with the roots {} and {}", head.size(), mark.root(), head.root());
            return if head.root() == mark.root() { Ok(Step::Same) } else { Err(Alarm::Fork(fork())) };
        }
        Ok(Step::Grown)
    }

    /// Takes a larger head, if the proof shows that it continues the mark.
    ///
    /// # Errors
    /// [`Alarm::Fork`] when it does not.
    pub fn advance(&mut self, head: Checkpoint, proof: &[Hash], now: Timestamp) -> Result<(), Alarm> {
        if let Some(mark) = &self.mark {
            self.continues(mark, &head, proof)?;
        }
        self.mark = Some(head);
        self.grown_at = now;
        Ok(())
    }

    fn continues(&self, older: &Checkpoint, newer: &Checkpoint, proof: &[Hash]) -> Result<(), Alarm> {
        verify_consistency(older.size(), &older.root(), newer.size(), &newer.root(), proof).map_err(|error| {
            Alarm::Fork(format!("the head of {} entries does not continue the one of {}: {error}", newer.size(), older.size()))
        })
    }

    /// Whether the log has stood still, or been out of reach, for too long.
    ///
    /// # Errors
    /// [`Alarm::Stall`].
    pub fn check_growth(&self, now: Timestamp, unreachable: Option<&str>) -> Result<(), Alarm> {
        let still = now.millis().saturating_sub(self.grown_at.millis());
        if still < self.stall_after_millis {
            return Ok(());
        }
        let size = self.mark.as_ref().map_or(0, Checkpoint::size);
        let seconds = still / 1000;
        Err(Alarm::Stall(match unreachable {
            Some(why) => format!("no head for {seconds} seconds, the last of size {size}: {why}"),
            None => format!("the log has stood at {size} entries for {seconds} seconds, though each question must be an entry of it"),
        }))
    }
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`]; an alarm is [`CliError::Failed`].
pub async fn run(args: &WatchArgs, out: Output) -> Result<(), CliError> {
    let (verifier, _) = read_vkey(&args.vkey)?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let mark = read_mark(&args.mark, &verifier)?;
    let client = Client::new(&args.connect)?;
    let stall_after_millis = i64::try_from(args.stall_after).unwrap_or(i64::MAX / 1000) * 1000;
    let grown_at = mark.as_ref().and_then(|_| written_at(&args.mark)).unwrap_or_else(|| SystemClock.now());
    let mut watcher = Watcher::new(mark, grown_at, stall_after_millis);
    let bar = out.progress(0, "entries, consistent");
    loop {
        match round(&client, &verifier, policy.as_ref(), &mut watcher, &args.mark).await {
            Ok(said) => {
                let size = watcher.mark.as_ref().map_or(0, Checkpoint::size);
                bar.set_position(size);
                bar.suspend(|| out.result(&said, &json!({"consistent": true, "size": size})));
            }
            Err(Round::Alarm(alarm, contradicting)) => {
                bar.finish_and_clear();
                return Err(raise(&alarm, contradicting.as_deref(), &args.mark, args.on_alarm.as_deref()).await);
            }
            Err(Round::Missed(error)) => {
                if let Err(alarm) = watcher.check_growth(SystemClock.now(), Some(&error.to_string())) {
                    bar.finish_and_clear();
                    return Err(raise(&alarm, None, &args.mark, args.on_alarm.as_deref()).await);
                }
                if args.once {
                    return Err(error);
                }
                bar.suspend(|| out.note(&format!("no head this time: {error}")));
            }
        }
        if args.once {
            return Ok(());
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(args.every)) => {}
        }
    }
}

/// A head that contradicts the mark, and its signed text.
type Contradicting = (Checkpoint, String);

/// How a round ends without a new head.
enum Round {
    /// To be cried out; with the head to be kept, if it is of a fork.
    Alarm(Alarm, Option<Box<Contradicting>>),
    /// Nothing was heard, which may pass.
    Missed(CliError),
}

impl From<Alarm> for Round {
    fn from(alarm: Alarm) -> Self {
        Self::Alarm(alarm, None)
    }
}

async fn round(
    client: &Client,
    verifier: &LogVerifier,
    policy: Option<&TlogPolicy>,
    watcher: &mut Watcher,
    mark_file: &Path,
) -> Result<String, Round> {
    let Head { checkpoint: text, cosigned, .. } = fetch(client).await.map_err(Round::Missed)?;
    let head = open(&text, verifier, "the newest head").map_err(|error| Alarm::Signature(error.to_string()))?;
    let fork = |alarm: Alarm| Round::Alarm(alarm, Some(Box::new((head.clone(), text.clone()))));
    let before = watcher.mark.as_ref().map_or(0, Checkpoint::size);
    if watcher.compare(&head).map_err(fork)? == Step::Grown {
        let proof = proof_between(client, before, head.size()).await.map_err(Round::Missed)?;
        let now = SystemClock.now();
        watcher.advance(head.clone(), &proof, now).map_err(fork)?;
        // A crash before this repeats the round; after it, nothing older is ever believed again.
        write_durably(mark_file, text.as_bytes()).map_err(Round::Missed)?;
    }
    watcher.check_growth(SystemClock.now(), None)?;
    let mut said = format!("consistent: {} entries, {} more than before, root {}", head.size(), head.size() - before, head.root());
    if let Some(policy) = policy {
        said.push_str(&witnessed(client, verifier, policy, watcher, &head, cosigned.as_deref()).await?);
    }
    Ok(said)
}

/// That the newest cosigned head has the quorum, is of the same log and is fresh.
async fn witnessed(
    client: &Client,
    verifier: &LogVerifier,
    policy: &TlogPolicy,
    watcher: &Watcher,
    head: &Checkpoint,
    cosigned: Option<&str>,
) -> Result<String, Round> {
    let text = cosigned.ok_or_else(|| Alarm::Witnesses("the gateway shows no cosigned head".to_owned()))?;
    let witnessed = policy.accept(text, verifier).map_err(|error| Alarm::Witnesses(error.to_string()))?;
    let older = &witnessed.checkpoint;
    let fork = |alarm: Alarm| Round::Alarm(alarm, Some(Box::new((older.clone(), text.to_owned()))));
    if older.size() > head.size() {
        return Err(fork(Alarm::Fork(format!("witnesses cosigned {} entries, the newest head has {}", older.size(), head.size()))));
    }
    let proof = proof_between(client, older.size(), head.size()).await.map_err(Round::Missed)?;
    watcher.continues(older, head, &proof).map_err(fork)?;
    if policy.demands_witnesses() {
        let now = SystemClock.now().millis();
        let times = witnessed.by.iter().map(|(_, time)| i64::try_from(time.saturating_mul(1000)).unwrap_or(i64::MAX));
        let newest = times.filter(|time| *time <= now.saturating_add(AHEAD_MAX_MILLIS)).max().unwrap_or(0);
        if now.saturating_sub(newest) >= watcher.stall_after_millis {
            let since = Timestamp::from_millis(newest);
            return Err(
                Alarm::Witnesses(format!("the newest cosignature that can be believed is of {since}; witnesses see nothing new")).into()
            );
        }
    }
    Ok(format!("; cosigned by {} at size {}", witnessed.by.len(), older.size()))
}

/// Cries an alarm out and gives it as the command's end. The cry is begun first: a disk that takes no more must not silence it. A head that cannot be
/// kept is part of what is said, so that it is not lost.
async fn raise(alarm: &Alarm, contradicting: Option<&Contradicting>, mark: &Path, command: Option<&str>) -> CliError {
    let crying = command.and_then(|command| cry(alarm, command));
    let kept = contradicting.map_or(Ok(()), |(head, text)| keep_fork(mark, head, text));
    if let Some(crying) = crying {
        wait_for(crying).await;
    }
    let mut said = format!("{}: {}", alarm.kind(), alarm.text());
    if let (Err(error), Some((_, text))) = (kept, contradicting) {
        said.push_str(&format!("; the head that contradicts the mark could not be kept beside it ({error}), keep it from here:\n{text}"));
    }
    CliError::Failed(said)
}

/// Keeps a head that contradicts the mark. The mark stays as it is: both together are the evidence.
fn keep_fork(mark: &Path, head: &Checkpoint, text: &str) -> Result<(), CliError> {
    let mut name = mark.file_name().unwrap_or_default().to_owned();
    name.push(".fork-");
    let folder = mark.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names = std::fs::read_dir(folder).map_err(|error| CliError::file(folder, &error))?;
    let kept = names.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(name.as_encoded_bytes())).count();
    let root: String = head.root().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    name.push(format!("{}-{root}", head.size()));
    let file = mark.with_file_name(name);
    // The same size and root again is the same head.
    if kept >= FORKS_MAX || file.exists() { Ok(()) } else { write_durably(&file, text.as_bytes()) }
}

/// When a file was last written, by this machine's clock.
fn written_at(file: &Path) -> Option<Timestamp> {
    Some(Timestamp::from_millis(std::fs::metadata(file).ok()?.mtime().saturating_mul(1000)))
}

fn read_mark(file: &Path, verifier: &LogVerifier) -> Result<Option<Checkpoint>, CliError> {
    if !file.exists() {
        return Ok(None);
    }
    let bytes = files::read(file, files::SECRET_BYTES_MAX).map_err(|error| CliError::Usage(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| CliError::Usage(format!("{}: is no checkpoint", file.display())))?;
    // Not taken for a first round: a mark that is lost or changed is for a person to look at.
    let head = Checkpoint::open(&text, verifier)
        .map_err(|error| CliError::Usage(format!("{}: the mark cannot be used: {error}; look for another copy of it", file.display())))?;
    Ok(Some(head))
}

/// Begins the alarm's command; what it does is its own affair.
fn cry(alarm: &Alarm, command: &str) -> Option<Child> {
    let spawned = Command::new("sh")
        .args(["-c", command])
        .env("SAMBAND_ALARM_KIND", alarm.kind())
        .env("SAMBAND_ALARM", alarm.text())
        .stdin(Stdio::null())
        .spawn();
    spawned.ok()
}

/// Waits for the alarm's command, for as long as it may run.
async fn wait_for(mut child: Child) {
    let until = tokio::time::Instant::now() + ALARM_TIMEOUT;
    while matches!(child.try_wait(), Ok(None)) {
        if tokio::time::Instant::now() >= until {
            _ = child.kill();
            _ = child.wait();
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
