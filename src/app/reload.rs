//! Files that change while the gateway runs: certificates, trust anchors, revocation lists, the participant register. Each is read and judged for
//! itself, so that a bad one, a restless one or one whose file system is gone holds back no other: a revocation bites whatever lies beside it.
//!
//! They are looked at every second: a change of any kind (written in place, renamed over, a link that points elsewhere) is taken once two looks
//! in a row have seen the same, so that a file is not read while it is being written, and after three looks even so. SIGHUP takes all of them at
//! once. What cannot be used leaves the one in force as it is; that is an event, one for each content, at most one a minute and file.
//!
//! The register has looks of its own: reading two dozen large lists takes seconds, and a suspension or a key that is taken out waits for none of it.

mod failures;
mod look;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::failures::{Failure, Failures, Which};
use self::look::{Found, Looks, Patience, RealDisk, Watched};
use super::People;
use crate::audit::event::{Event, ReloadFault, ReloadedFile};
use crate::clock::Clock;
use crate::config::participants::parse_register;
use crate::config::{ConfigError, FILE_BYTES_MAX};
use crate::domain::municipality;
use crate::domain::participant::Register;
use crate::gateway::{LoadError, Loaded};
use crate::tls::{Read, Refused, Taken, TlsError, files};

/// Between two looks at the files.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many looks everything is read again, should a file system have hidden a change: every ten minutes.
const LOOKS_UNTIL_ALL: u32 = 600;
/// A clock that moves by more than this between two looks was set, in milliseconds: what was refused by the one before is read again at once.
const SET_MILLIS: i64 = 60_000;

/// Why a register that was read does not come into force.
#[derive(Debug, thiserror::Error)]
pub enum RegisterFileError {
    /// The file cannot be read, or what is wrong in it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It breaks a rule against the register in force, or the store did not take it.
    #[error("{}: {error}", file.display())]
    Load {
        /// The file.
        file: PathBuf,
        /// Why.
        error: LoadError,
    },
}

/// Reads and checks the register at `file`; gives it with the SHA-256 of the file.
///
/// # Errors
/// The file cannot be read, or what is wrong in it, with line and column.
pub fn read_register(file: &Path, clock: &dyn Clock) -> Result<(Register, [u8; 32]), ConfigError> {
    register_of(file, &files::read(file, FILE_BYTES_MAX)?, clock)
}

/// The register in what was read from `file`, with its SHA-256.
fn register_of(file: &Path, bytes: &[u8], clock: &dyn Clock) -> Result<(Register, [u8; 32]), ConfigError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ConfigError::Encoding(file.to_owned()))?;
    let today = clock.now().oslo_date();
    let register = parse_register(file, text, 1, &|number| municipality::exists(number, today))?;
    Ok((register, sha256(bytes)))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0_u8; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// Reads the files anew when told, and when they change.
pub struct Reloader {
    people: Arc<People>,
    participants_file: PathBuf,
    /// Held while the register is read, so that its reloads wait for each other and for nothing else.
    register: tokio::sync::Mutex<Watch>,
    /// Held while any other file is.
    tls: tokio::sync::Mutex<TlsWatch>,
}

/// Files that are looked at together.
#[derive(Debug)]
struct Watch {
    looks: Looks,
    failures: Failures,
    rounds: u32,
    /// The wall clock less the time that has passed, at the last look.
    offset: i64,
}

impl Watch {
    fn new(units: Vec<Vec<Watched>>, clock: &dyn Clock) -> Self {
        let looks = Looks::new(Arc::new(RealDisk), Patience::default(), units);
        Self { looks, failures: Failures::default(), rounds: 0, offset: offset(clock) }
    }

    /// Begins a look; whether it reads everything, as the time for that has come or the clock was set.
    fn begin(&mut self, clock: &dyn Clock) -> bool {
        self.rounds += 1;
        let before = std::mem::replace(&mut self.offset, offset(clock));
        let was_set = self.offset.saturating_sub(before).saturating_abs() > SET_MILLIS;
        let is_all = was_set || self.rounds >= LOOKS_UNTIL_ALL;
        if is_all {
            self.rounds = 0;
            self.looks.ask_all();
        }
        is_all
    }
}

/// Certificates, CAs and revocation lists, and what follows when one comes into force.
#[derive(Debug)]
struct TlsWatch {
    files: Watch,
    /// Which lists are in force may not be written down.
    forgetful: bool,
    /// Writing it down; never waited for.
    remembering: Option<JoinHandle<()>>,
    /// Rounds over the open connections after what came into force; no look waits for them, as one may take as long as thousands of signatures.
    ending: Vec<JoinHandle<()>>,
    /// Told when the last of them has put into the log what came into force.
    noted: Option<oneshot::Receiver<()>>,
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick
}

/// Where the wall clock stands beside the clock that nobody sets.
fn offset(clock: &dyn Clock) -> i64 {
    clock.now().millis().saturating_sub(clock.elapsed_millis())
}

/// The number of the register among the files that are watched; the others have their place in the TLS settings' files.
const REGISTER: usize = usize::MAX;

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("participants_file", &self.participants_file).finish_non_exhaustive()
    }
}

impl Reloader {
    pub(super) fn new(people: Arc<People>, participants_file: PathBuf) -> Arc<Self> {
        let mut units: Vec<Vec<Watched>> = Vec::new();
        for (place, (kind, path)) in people.tls.files().all().enumerate() {
            let watched = Watched { place, kind, path: path.to_owned() };
            match (kind, units.last_mut()) {
                // A key alone is of no use, nor is a certificate without it.
                (ReloadedFile::Key, Some(certificate)) => certificate.push(watched),
                _ => units.push(vec![watched]),
            }
        }
        let files = Watch::new(units, &*people.clock);
        let tls = TlsWatch { files, forgetful: true, remembering: None, ending: Vec::new(), noted: None };
        let register = Watched { place: REGISTER, kind: ReloadedFile::Register, path: participants_file.clone() };
        let register = Watch::new(vec![vec![register]], &*people.clock);
        Arc::new(Self { people, participants_file, register: tokio::sync::Mutex::new(register), tls: tokio::sync::Mutex::new(tls) })
    }

    /// Reads everything anew now, as SIGHUP asks; what does not answer now is read when it does. Returns when whom it made unwelcome is gone.
    pub async fn reload_all(&self) {
        // The register first: a suspension does not wait for lists, nor for the looks at them that are under way.
        let mut watch = self.register.lock().await;
        watch.looks.ask_all();
        self.register_round(&mut watch, true).await;
        drop(watch);
        let mut state = self.tls.lock().await;
        state.files.looks.ask_all();
        self.tls_round(&mut state, true).await;
        let ending = std::mem::take(&mut state.ending);
        drop(state);
        wait_for(ending).await;
    }

    /// Looks at the files every `every` until `stop`, and reads what has changed: the register and the others each in a task of their own.
    pub(super) fn watch(self: &Arc<Self>, every: Duration, stop: &CancellationToken) -> [JoinHandle<()>; 2] {
        let (register, tls, of_register, of_tls) = (self.clone(), self.clone(), stop.clone(), stop.clone());
        let register = async move {
            let mut tick = ticks(every);
            while of_register.run_until_cancelled(tick.tick()).await.is_some() {
                register.look_at_register().await;
            }
        };
        let tls = async move {
            let mut tick = ticks(every);
            while of_tls.run_until_cancelled(tick.tick()).await.is_some() {
                tls.look_at_tls().await;
            }
            let ending = std::mem::take(&mut tls.tls.lock().await.ending);
            wait_for(ending).await;
        };
        [tokio::spawn(register), tokio::spawn(tls)]
    }

    async fn look_at_register(&self) {
        let mut watch = self.register.lock().await;
        watch.begin(&*self.people.clock);
        if let Some(refused) = self.people.gateway.register_file().reminder(self.people.clock.now()) {
            tracing::error!(since = %refused.since, reason = %refused.reason, "the participant register on disk is still not in force");
        }
        self.register_round(&mut watch, false).await;
    }

    async fn look_at_tls(&self) {
        let mut state = self.tls.lock().await;
        state.forgetful |= state.files.begin(&*self.people.clock);
        self.tls_round(&mut state, false).await;
    }

    async fn register_round(&self, watch: &mut Watch, asked: bool) {
        let Found { read, silent } = watch.looks.round().await;
        for (_, read) in read {
            self.take_register(watch, read, asked).await;
        }
        self.end_round(watch, silent, asked).await;
    }

    async fn tls_round(&self, state: &mut TlsWatch, asked: bool) {
        let Found { read, silent } = state.files.looks.round().await;
        // What a CA vouches for ends with it, and is told then.
        if !read.is_empty() || self.people.tls.is_due(self.people.clock.now()) {
            self.take_tls(state, read, asked).await;
        }
        self.end_round(&mut state.files, silent, asked).await;
        if state.forgetful && state.remembering.as_ref().is_none_or(JoinHandle::is_finished) {
            state.forgetful = false;
            state.remembering = Some(self.people.remember());
        }
    }

    async fn end_round(&self, watch: &mut Watch, silent: Vec<usize>, asked: bool) {
        for place in silent {
            let error = "its file system does not answer; it is read when it does";
            self.failed(watch, place, Failure { fault: ReloadFault::Silent, digest: None }, (STAYS, &error), asked);
        }
        self.note(watch).await;
    }

    async fn take_tls(&self, state: &mut TlsWatch, read: Vec<(usize, Read)>, asked: bool) {
        let Some(Taken { changed, refused, good }) = self.people.take_tls(read).await else { return };
        state.ending.retain(|round| !round.is_finished());
        if let Some(digest) = changed {
            state.forgetful = true;
            let (done, noted) = oneshot::channel();
            let before = state.noted.replace(noted);
            state.ending.push(tokio::spawn(self.people.clone().end_unwelcome(digest, before, done)));
        }
        for place in good {
            state.files.failures.succeeded(self.which(place));
        }
        if changed.is_none() && refused.is_empty() && asked {
            tracing::info!("certificates, CAs and revocation lists unchanged");
        }
        for Refused { place, error, digest } in refused {
            self.failed(&mut state.files, place, Failure { fault: error.fault(), digest }, (outcome(&error), &error), asked);
        }
    }

    fn which(&self, place: usize) -> Which {
        let kind = self.people.tls.files().all().nth(place).map_or(ReloadedFile::Register, |(kind, _)| kind);
        (kind, place)
    }

    async fn take_register(&self, watch: &mut Watch, read: Read, asked: bool) {
        let digest = read.as_ref().ok().map(|bytes| sha256(bytes));
        let is_toml = read.as_ref().is_ok_and(|bytes| std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<toml::Table>().is_ok()));
        match self.load_register(read).await {
            Ok(loaded) => {
                watch.failures.succeeded(self.which(REGISTER));
                self.people.gateway.register_file().taken();
                if loaded == Loaded::Unchanged && asked {
                    tracing::info!("participant register unchanged");
                }
            }
            Err(error) => {
                let fault = register_fault(&error, is_toml);
                self.people.gateway.register_file().refused(error.to_string(), self.people.clock.now());
                self.failed(watch, REGISTER, Failure { fault, digest }, (STAYS, &error), asked);
            }
        }
    }

    async fn load_register(&self, read: Read) -> Result<Loaded, RegisterFileError> {
        let (register, digest) = register_of(&self.participants_file, &read.map_err(ConfigError::File)?, &*self.people.clock)?;
        let loaded = self.people.load_register(&register, digest).await;
        loaded.map_err(|error| RegisterFileError::Load { file: self.participants_file.clone(), error })
    }

    /// Tells of what is not used, with what comes of it and why.
    fn failed(&self, watch: &mut Watch, place: usize, failure: Failure, (outcome, error): (&str, &dyn std::fmt::Display), asked: bool) {
        let which = self.which(place);
        let is_news = watch.failures.failed(which, failure);
        if is_news || asked {
            let (file, fault) = (which.0.as_str(), failure.fault.as_str());
            tracing::error!(file, fault, %error, "{outcome}");
        }
    }

    /// Puts what is due into the log.
    async fn note(&self, watch: &mut Watch) {
        let now = self.people.clock.now();
        for (file, event) in watch.failures.due(now) {
            match self.people.gateway.note(event).await {
                Ok(()) => watch.failures.noted(file, now),
                Err(error) => tracing::warn!(%error, "a failed reload is not in the log yet"),
            }
        }
    }
}

/// What comes of a file that cannot be used.
const STAYS: &str = "not reloaded; what is in force stays";

/// What comes of `error`: a file may be in force and one of its lists or CAs not be used.
const fn outcome(error: &TlsError) -> &'static str {
    match error {
        TlsError::ListNotVouched { .. } | TlsError::IdleAuthority { .. } => "a part of a file is not used; the rest of it is",
        TlsError::OldList { .. } => {
            "a list of a file was set aside as it is older than one that was in force; the rest of the file is used"
        }
        _ => STAYS,
    }
}

/// TOML that says something which is no register breaks a rule.
const fn register_fault(error: &RegisterFileError, is_toml: bool) -> ReloadFault {
    match error {
        RegisterFileError::Config(ConfigError::File(_)) => ReloadFault::Unreadable,
        RegisterFileError::Config(ConfigError::Encoding(_) | ConfigError::Key { .. }) => ReloadFault::Malformed,
        RegisterFileError::Load { error: LoadError::Store(_), .. } => ReloadFault::Store,
        RegisterFileError::Load { .. } => ReloadFault::Rule,
        RegisterFileError::Config(_) if is_toml => ReloadFault::Rule,
        RegisterFileError::Config(_) => ReloadFault::Malformed,
    }
}

impl People {
    /// Takes certificates, trust and revocation lists that were read. Nothing when it failed altogether.
    async fn take_tls(&self, read: Vec<(usize, Read)>) -> Option<Taken> {
        let tls = self.tls.clone();
        let taken = tokio::task::spawn_blocking(move || tls.take(read)).await;
        taken.inspect_err(|_| tracing::error!("taking the TLS files failed; the settings in force stay")).ok()
    }

    /// After a change of certificates, trust or revocation lists: connections that would be refused now are closed. An event says what came into
    /// force; it follows its effect and the event `before` it, and after a crash in between the next start says so.
    async fn end_unwelcome(self: Arc<Self>, digest: [u8; 32], before: Option<oneshot::Receiver<()>>, _done: oneshot::Sender<()>) {
        let closed = self.close_unwelcome().await;
        tracing::info!(closed, "certificates, CAs and revocation lists loaded");
        if let Some(before) = before {
            // An error when it was dropped, as it is at the end.
            _ = before.await;
        }
        if let Err(error) = self.gateway.note(Event::TrustLoaded { digest }).await {
            tracing::warn!(%error, "that certificates were loaded is not in the log");
        }
    }

    /// Writes down which lists are in force, for the next start.
    fn remember(&self) -> JoinHandle<()> {
        let (tls, on_fatal) = (self.tls.clone(), self.on_fatal.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = tls.remember() {
                if matches!(error, files::FileError::Sync { .. }) {
                    // As of every failed sync: what is on disk is what the next start finds.
                    on_fatal(&error.to_string());
                }
                tracing::warn!(%error, "which revocation lists were in force is not written down; until it is, a restart forgets them");
            }
        })
    }

    /// Closes the connections whose certificates would be refused now. They are judged off the runtime's workers, as there may be thousands, and by
    /// one round after the other.
    pub(super) async fn close_unwelcome(&self) -> usize {
        let _round = self.rounds.lock().await;
        let (tls, open, clock) = (self.tls.clone(), self.open.clone(), self.clock.clone());
        let round = move || {
            let round = tls.round(clock.now());
            open.close_if(|peer| round.check(peer).is_err())
        };
        tokio::task::spawn_blocking(round).await.unwrap_or_default()
    }
}

async fn wait_for(rounds: Vec<JoinHandle<()>>) {
    for round in rounds {
        // A panic has told of itself.
        _ = round.await;
    }
}
