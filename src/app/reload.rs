//! Files that change while the gateway runs: certificates, trust anchors and revocation lists as one set, the participant register as another.
//!
//! They are looked at every second: a change of any kind (written in place, renamed over, a link that points elsewhere) is taken once two looks
//! in a row have seen the same, so that a file is not read while it is being written. SIGHUP takes all of them at once. What cannot be used
//! leaves the one in force as it is; that is an event, one for each content, at most one a minute and kind.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use tokio_util::sync::CancellationToken;

use super::People;
use crate::audit::event::{Event, ReloadFault, ReloadedFile};
use crate::clock::Clock;
use crate::config::participants::parse_register;
use crate::config::{ConfigError, FILE_BYTES_MAX};
use crate::domain::municipality;
use crate::domain::participant::Register;
use crate::domain::time::Timestamp;
use crate::gateway::{LoadError, Loaded};
use crate::tls::files::{self, FileError};
use crate::tls::{Reloaded, TlsError};

/// Between two looks at the files.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so many looks everything is read again, should a file system have hidden a change: every ten minutes.
const LOOKS_UNTIL_ALL: u32 = 600;
/// Failed reloads of one kind of file become an event at most so often, in milliseconds.
const EVENT_EVERY_MILLIS: i64 = 60_000;

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
    let bytes = files::read(file, FILE_BYTES_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| ConfigError::Encoding(file.to_owned()))?;
    let today = clock.now().oslo_date();
    let register = parse_register(file, text, 1, &|number| municipality::exists(number, today))?;
    Ok((register, sha256(&bytes)))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0_u8; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// What a file looks like from outside. Any write, rename or change of rights makes another one.
type Stamp = [u64; 8];

fn stamp(file: &Path) -> Option<Stamp> {
    // Follows links, so that a link that is set elsewhere is a change.
    let meta = file.metadata().ok()?;
    let sign = i64::cast_unsigned;
    Some([
        meta.dev(),
        meta.ino(),
        meta.len(),
        sign(meta.mtime()),
        sign(meta.mtime_nsec()),
        sign(meta.ctime()),
        sign(meta.ctime_nsec()),
        meta.mode().into(),
    ])
}

/// Files that are taken together, as they were last looked at and last taken.
#[derive(Debug)]
struct Set {
    files: Vec<PathBuf>,
    looked: Option<Vec<Option<Stamp>>>,
    taken: Option<Vec<Option<Stamp>>>,
}

impl Set {
    const fn new(files: Vec<PathBuf>) -> Self {
        Self { files, looked: None, taken: None }
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.files.iter().map(|file| stamp(file)).collect()
    }

    /// Whether the files have changed since they were taken, and have kept still since the last look. They count as taken then.
    fn is_due(&mut self) -> bool {
        let stamps = self.stamps();
        let is_still = self.looked.as_ref() == Some(&stamps);
        let is_due = is_still && self.taken.as_ref() != Some(&stamps);
        if is_due {
            self.taken = Some(stamps.clone());
        }
        self.looked = Some(stamps);
        is_due
    }

    /// They are about to be taken whatever they look like.
    fn take(&mut self) {
        let stamps = self.stamps();
        self.taken = Some(stamps.clone());
        self.looked = Some(stamps);
    }
}

/// A failed reload: which file, why, and the digest of what was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Failure {
    fault: ReloadFault,
    /// Of a secret only to know it again: never written down.
    digest: Option<[u8; 32]>,
}

/// What is known of the failures of one kind of file.
#[derive(Debug, Default)]
struct Kind {
    last: Option<Failure>,
    /// Contents that are not in an event yet, and the last of them.
    waiting: Option<(u64, Failure)>,
    noted_at: Option<Timestamp>,
}

/// Failures by kind of file: each content once, at most one event a minute and kind.
#[derive(Debug, Default)]
struct Failures(BTreeMap<ReloadedFile, Kind>);

impl Failures {
    /// Takes note of a failure; whether it is one that was not known.
    fn failed(&mut self, file: ReloadedFile, failure: Failure) -> bool {
        let kind = self.0.entry(file).or_default();
        if kind.last == Some(failure) {
            return false;
        }
        kind.last = Some(failure);
        kind.waiting = Some((kind.waiting.map_or(0, |(contents, _)| contents) + 1, failure));
        true
    }

    /// The files of these kinds are in force: the same bad content would be news again.
    fn succeeded(&mut self, files: &[ReloadedFile]) {
        self.0.iter_mut().filter(|(file, _)| files.contains(file)).for_each(|(_, kind)| kind.last = None);
    }

    /// The events that are due.
    fn due(&mut self, now: Timestamp) -> Vec<(ReloadedFile, Event)> {
        let mut events = Vec::new();
        for (file, kind) in &mut self.0 {
            let rests = kind.noted_at.is_some_and(|at| at <= now && now < at.plus_millis(EVENT_EVERY_MILLIS));
            let Some((contents, Failure { fault, digest })) = kind.waiting.filter(|_| !rests) else { continue };
            let digest = digest.filter(|_| *file != ReloadedFile::Key);
            events.push((*file, Event::ReloadFailed { file: *file, fault, digest, contents }));
        }
        events
    }

    /// An event is in the log.
    fn noted(&mut self, file: ReloadedFile, now: Timestamp) {
        let kind = self.0.entry(file).or_default();
        kind.waiting = None;
        kind.noted_at = Some(now);
    }
}

/// Reads the files anew when told, and when they change.
pub struct Reloader {
    people: Arc<People>,
    participants_file: PathBuf,
    /// Held while anything is read, so that reloads wait for each other.
    state: tokio::sync::Mutex<State>,
}

#[derive(Debug)]
struct State {
    tls: Set,
    register: Set,
    failures: Failures,
    looks: u32,
}

impl std::fmt::Debug for Reloader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reloader").field("participants_file", &self.participants_file).finish_non_exhaustive()
    }
}

impl Reloader {
    pub(super) fn new(people: Arc<People>, participants_file: PathBuf) -> Arc<Self> {
        let tls = Set::new(people.tls.files().all().map(|(_, file)| file.to_owned()).collect());
        let register = Set::new(vec![participants_file.clone()]);
        let state = State { tls, register, failures: Failures::default(), looks: 0 };
        Arc::new(Self { people, participants_file, state: tokio::sync::Mutex::new(state) })
    }

    /// Reads everything anew now, as SIGHUP asks.
    pub async fn reload_all(&self) {
        let mut state = self.state.lock().await;
        state.tls.take();
        state.register.take();
        self.tls(&mut state, true).await;
        self.register(&mut state, true).await;
        self.note(&mut state).await;
    }

    /// Looks at the files every `every` until `stop`, and reads what has changed.
    pub(super) async fn watch(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            self.look().await;
        }
    }

    async fn look(&self) {
        let mut state = self.state.lock().await;
        state.looks += 1;
        if state.looks >= LOOKS_UNTIL_ALL {
            state.looks = 0;
            state.tls.taken = None;
            state.register.taken = None;
        }
        if state.tls.is_due() {
            self.tls(&mut state, false).await;
        }
        if state.register.is_due() {
            self.register(&mut state, false).await;
        }
        if let Some(refused) = self.people.gateway.register_file().reminder(self.people.clock.now()) {
            tracing::error!(since = %refused.since, reason = %refused.reason, "the participant register on disk is still not in force");
        }
        self.note(&mut state).await;
    }

    async fn tls(&self, state: &mut State, asked: bool) {
        match self.people.reload_tls().await {
            Ok(reloaded) => {
                state.failures.succeeded(&[
                    ReloadedFile::Certificate,
                    ReloadedFile::Key,
                    ReloadedFile::ClientCa,
                    ReloadedFile::RevocationList,
                ]);
                if reloaded == Reloaded::Unchanged && asked {
                    tracing::info!("certificates, CAs and revocation lists unchanged");
                }
            }
            Err(error) => {
                let (kind, path) = self.people.tls.files().blamed(&error);
                self.failed(state, kind, error.fault(), path, &error, asked);
            }
        }
    }

    async fn register(&self, state: &mut State, asked: bool) {
        match self.load_register().await {
            Ok(loaded) => {
                state.failures.succeeded(&[ReloadedFile::Register]);
                self.people.gateway.register_file().taken();
                if loaded == Loaded::Unchanged && asked {
                    tracing::info!("participant register unchanged");
                }
            }
            Err(error) => {
                let fault = self.register_fault(&error);
                self.people.gateway.register_file().refused(error.to_string(), self.people.clock.now());
                self.failed(state, ReloadedFile::Register, fault, Some(self.participants_file.clone()), &error, asked);
            }
        }
    }

    async fn load_register(&self) -> Result<Loaded, RegisterFileError> {
        let (file, clock) = (self.participants_file.clone(), self.people.clock.clone());
        let read = tokio::task::spawn_blocking(move || read_register(&file, &*clock)).await;
        let panicked = |_| FileError::Io { path: self.participants_file.clone(), error: std::io::Error::other("reading it failed") };
        let (register, digest) = read.map_err(|error| ConfigError::File(panicked(error)))??;
        let loaded = self.people.load_register(&register, digest).await;
        loaded.map_err(|error| RegisterFileError::Load { file: self.participants_file.clone(), error })
    }

    fn register_fault(&self, error: &RegisterFileError) -> ReloadFault {
        match error {
            RegisterFileError::Config(ConfigError::File(_)) => ReloadFault::Unreadable,
            RegisterFileError::Config(ConfigError::Encoding(_) | ConfigError::Key { .. }) => ReloadFault::Malformed,
            RegisterFileError::Config(_) => {
                // TOML that says something which is no register breaks a rule.
                let text = files::read(&self.participants_file, FILE_BYTES_MAX).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                if text.is_some_and(|text| text.parse::<toml::Table>().is_ok()) { ReloadFault::Rule } else { ReloadFault::Malformed }
            }
            RegisterFileError::Load { error: LoadError::Store(_), .. } => ReloadFault::Store,
            RegisterFileError::Load { .. } => ReloadFault::Rule,
        }
    }

    fn failed(
        &self,
        state: &mut State,
        file: ReloadedFile,
        fault: ReloadFault,
        path: Option<PathBuf>,
        error: &dyn std::fmt::Display,
        asked: bool,
    ) {
        let digest = path.and_then(|path| match file {
            // Wiped after use; one that others can read is not read.
            ReloadedFile::Key => files::read_secret(&path).ok().map(|bytes| sha256(&bytes)),
            _ => files::read(&path, files::CRL_BYTES_MAX).ok().map(|bytes| sha256(&bytes)),
        });
        let is_news = state.failures.failed(file, Failure { fault, digest });
        if is_news || asked {
            tracing::error!(file = file.as_str(), fault = fault.as_str(), %error, "not reloaded; what is in force stays");
        }
    }

    /// Puts what is due into the log.
    async fn note(&self, state: &mut State) {
        let now = self.people.clock.now();
        for (file, event) in state.failures.due(now) {
            match self.people.gateway.note(event).await {
                Ok(()) => state.failures.noted(file, now),
                Err(error) => tracing::warn!(%error, "a failed reload is not in the log yet"),
            }
        }
    }
}

impl People {
    /// Reads certificates, trust and revocation lists anew; connections that would be refused now are closed. An event says what came into
    /// force; it follows its effect, and after a crash in between the next start says so.
    ///
    /// # Errors
    /// A file that cannot be used; the settings in force stay.
    pub(super) async fn reload_tls(&self) -> Result<Reloaded, TlsError> {
        let tls = self.tls.clone();
        let Ok(reloaded) = tokio::task::spawn_blocking(move || tls.reload()).await else {
            tracing::error!("reading the TLS files failed; the settings in force stay");
            return Ok(Reloaded::Unchanged);
        };
        let reloaded = reloaded?;
        if let Reloaded::Changed(digest) = reloaded {
            let closed = self.close_unwelcome().await;
            tracing::info!(closed, "certificates, CAs and revocation lists loaded");
            if let Err(error) = self.gateway.note(Event::TrustLoaded { digest }).await {
                tracing::warn!(%error, "that certificates were loaded is not in the log");
            }
        }
        Ok(reloaded)
    }

    /// Closes the connections whose certificates would be refused now. They are judged off the runtime's workers, as there may be thousands.
    pub(super) async fn close_unwelcome(&self) -> usize {
        let (tls, open, now) = (self.tls.clone(), self.open.clone(), self.clock.now());
        tokio::task::spawn_blocking(move || open.close_if(|peer| tls.check(peer, now).is_err())).await.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(byte: u8) -> Failure {
        Failure { fault: ReloadFault::Malformed, digest: Some([byte; 32]) }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_bad_content_is_one_event_and_a_flood_of_them_one_a_minute() {
        use ReloadedFile::{ClientCa, Key, Register};
        let mut failures = Failures::default();
        assert!(failures.failed(ClientCa, failure(1)) && !failures.failed(ClientCa, failure(1)));
        let events = failures.due(at(0));
        assert_eq!(
            events,
            [(ClientCa, Event::ReloadFailed { file: ClientCa, fault: ReloadFault::Malformed, digest: Some([1; 32]), contents: 1 })]
        );
        assert_eq!(failures.due(at(0)), events, "it stays due until it is in the log");
        failures.noted(ClientCa, at(0));
        // Another content every second for an hour, and the same one again and again.
        let mut count = 0;
        for second in 1..=3600_i64 {
            failures.failed(ClientCa, failure(u8::try_from(second % 200).unwrap()));
            for (file, event) in failures.due(at(second * 1000)) {
                let Event::ReloadFailed { contents, .. } = event else { panic!() };
                assert!(contents <= 60);
                failures.noted(file, at(second * 1000));
                count += 1;
            }
        }
        assert_eq!(count, 60);
        failures.failed(Register, failure(9));
        failures.failed(Key, failure(9));
        let others: Vec<_> = failures.due(at(3_600_000)).into_iter().map(|(_, event)| event).collect();
        assert!(others.contains(&Event::ReloadFailed {
            file: Register,
            fault: ReloadFault::Malformed,
            digest: Some([9; 32]),
            contents: 1
        }));
        assert!(
            others.contains(&Event::ReloadFailed { file: Key, fault: ReloadFault::Malformed, digest: None, contents: 1 }),
            "a secret's digest is not written down"
        );
    }

    #[test]
    fn a_content_that_was_bad_before_a_good_one_is_news_again() {
        let mut failures = Failures::default();
        assert!(failures.failed(ReloadedFile::Register, failure(1)));
        failures.succeeded(&[ReloadedFile::ClientCa]);
        assert!(!failures.failed(ReloadedFile::Register, failure(1)));
        failures.succeeded(&[ReloadedFile::Register]);
        assert!(failures.failed(ReloadedFile::Register, failure(1)));
        // A clock that was set back does not silence it for ever.
        failures.noted(ReloadedFile::Register, at(10_000_000));
        assert!(failures.failed(ReloadedFile::Register, failure(2)));
        assert_eq!(failures.due(at(0)).len(), 1);
    }

    #[test]
    fn a_change_of_any_kind_is_taken_once_it_keeps_still() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("one"), "a").unwrap();
        let mut set = Set::new(vec![path("one"), path("link")]);
        let due = |set: &mut Set| (0..4).map(|_| set.is_due()).collect::<Vec<_>>();
        assert_eq!(due(&mut set), [false, true, false, false], "the first time, too");
        // Renamed over.
        std::fs::write(path("new"), "b").unwrap();
        std::fs::rename(path("new"), path("one")).unwrap();
        assert_eq!(due(&mut set), [false, true, false, false]);
        // Links that are set elsewhere, as Kubernetes does: ..data -> ..one -> ..two.
        for folder in ["one.d", "two.d"] {
            std::fs::create_dir(path(folder)).unwrap();
            std::fs::write(path(folder).join("file"), folder).unwrap();
        }
        std::os::unix::fs::symlink("one.d", path("data")).unwrap();
        std::os::unix::fs::symlink("data/file", path("link")).unwrap();
        assert_eq!(due(&mut set), [false, true, false, false]);
        std::os::unix::fs::symlink("two.d", path("data.new")).unwrap();
        std::fs::rename(path("data.new"), path("data")).unwrap();
        assert_eq!(due(&mut set), [false, true, false, false]);
        // Written bit by bit: not while it grows.
        for text in ["c", "cc", "ccc"] {
            std::fs::write(path("one"), text).unwrap();
            assert!(!set.is_due());
        }
        assert_eq!(due(&mut set), [true, false, false, false]);
        std::fs::remove_file(path("one")).unwrap();
        assert_eq!(due(&mut set), [false, true, false, false], "gone is a change, too");
        std::fs::write(path("one"), "d").unwrap();
        set.take();
        assert_eq!(due(&mut set), [false; 4], "taken by signal");
    }
}
