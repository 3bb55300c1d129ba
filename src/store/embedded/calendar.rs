//! Whether the calendar is believed. The end of cases and the erasure of months follow from dates, and what they erase is gone: they stop when
//! the clock is not to be trusted, and go on when an operator says that it is right. Erasure after acknowledgement needs no date.
//!
//! `CALENDAR-HELD` in the store's folder says that they stopped, also to the next start. `CALENDAR-CONFIRMED` is the operator's word; whichever
//! gateway finds it, running or starting, takes it up and removes it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::disk::{RealDisk, write_file};
use super::error::{IoContext as _, OpenError};
use super::layout::{Layout, read_checked, remove_file, sync_dir, write_checked};
use crate::clock::Clock;
use crate::domain::time::{DAY_MILLIS, Timestamp};

/// Says that calendar acts stopped.
pub const HELD: &str = "CALENDAR-HELD";
/// The operator's word.
pub const CONFIRMED: &str = "CALENDAR-CONFIRMED";
/// Longer stillness than this before a start stops calendar acts, in milliseconds.
const STILL_MAX_MILLIS: i64 = 31 * DAY_MILLIS;
/// Clocks that part by more than this are not believed, in milliseconds.
const PARTED_MAX_MILLIS: i64 = 60 * 60 * 1000;
/// The log's time is told to stand when it lies further ahead of the clock than this, in milliseconds.
const STANDS_MILLIS: i64 = 60 * 1000;

/// What stands in `CALENDAR-HELD`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Why.
    pub why: String,
    /// What the clock showed then, in milliseconds.
    pub at: i64,
}

/// What the clock is compared with.
#[derive(Debug, Clone, Copy)]
struct Reference {
    /// The wall clock less the time since boot: the same for as long as nobody sets the clock.
    offset: i64,
    /// How far the last event may lie ahead of the clock: nothing, or what an operator has seen and confirmed.
    ahead: i64,
}

/// The guard.
#[derive(Debug)]
pub struct Calendar {
    layout: Layout,
    held: AtomicBool,
    /// That the log's time stands was told.
    stands: AtomicBool,
    reference: Mutex<Reference>,
}

impl Reference {
    fn of(clock: &dyn Clock, last: Timestamp) -> Self {
        let now = clock.now().millis();
        Self { offset: now - clock.elapsed_millis(), ahead: (last.millis() - now).max(0) }
    }
}

impl Calendar {
    /// At a start. `last` is the time of the last event, if there is one.
    pub fn at_start(layout: &Layout, clock: &dyn Clock, last: Option<Timestamp>) -> Result<Self, OpenError> {
        let now = clock.now();
        // An event that lies ahead of the clock is looked at like any other parting of clocks.
        let reference = Reference { ahead: 0, ..Reference::of(clock, now) };
        let calendar =
            Self { layout: layout.clone(), held: AtomicBool::new(false), stands: AtomicBool::new(false), reference: Mutex::new(reference) };
        let still = last.map_or(0, |last| now.millis() - last.millis());
        if still > STILL_MAX_MILLIS {
            calendar.hold("more than 31 days lie between the last event and this start", now);
        }
        if read_checked::<Held>(layout.disk(), &layout.path(HELD), HELD)?.is_some() {
            calendar.held.store(true, Ordering::SeqCst);
        }
        calendar.look(clock, last.unwrap_or(now));
        if calendar.is_held() {
            tracing::warn!("the end of cases and the erasure of months wait until the clock is confirmed: samband confirm-clock");
        }
        Ok(calendar)
    }

    /// Whether calendar acts wait.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::SeqCst)
    }

    /// Compares the clocks, and takes up the operator's word. Called before every calendar act and once a second.
    pub fn look(&self, clock: &dyn Clock, last: Timestamp) {
        if self.layout.disk().exists(&self.layout.path(CONFIRMED))
            && let Err(error) = self.confirm(clock, last)
        {
            tracing::error!(%error, "the confirmation of the clock could not be taken up and will be tried again");
        }
        self.tell_standing(clock, last);
        if self.is_held() {
            return;
        }
        let (now, reference) = (clock.now(), *self.reference.lock());
        let parted = (now.millis() - clock.elapsed_millis()).saturating_sub(reference.offset);
        let ahead = last.millis().saturating_sub(now.millis());
        if parted.saturating_abs() > PARTED_MAX_MILLIS {
            self.hold("the clock was set by more than an hour", now);
        } else if ahead > reference.ahead.saturating_add(PARTED_MAX_MILLIS) {
            self.hold("the last event lies more than an hour ahead of the clock", now);
        }
    }

    /// Says when the log's time begins to stand because its last event lies ahead of the clock, and when it goes on.
    fn tell_standing(&self, clock: &dyn Clock, last: Timestamp) {
        let ahead = last.millis().saturating_sub(clock.now().millis());
        if ahead > STANDS_MILLIS && !self.stands.swap(true, Ordering::SeqCst) {
            tracing::warn!(
                until = %last, seconds = ahead / 1000,
                "the log's last event lies ahead of the clock: the log's time stands, and entries bear it, until the clock has caught up; \
                 callers and messages are judged by the clock"
            );
        } else if ahead <= 0 && self.stands.swap(false, Ordering::SeqCst) {
            tracing::info!("the clock has caught up with the log's last event; the log's time goes on");
        }
    }

    /// The file is for the next start: within this process the hold stands also where it cannot be written.
    fn hold(&self, why: &str, now: Timestamp) {
        self.held.store(true, Ordering::SeqCst);
        tracing::error!(why, "the end of cases and the erasure of months stop until the clock is confirmed: samband confirm-clock");
        let held = Held { why: why.to_owned(), at: now.millis() };
        if let Err(error) = write_checked(self.layout.disk(), &self.layout.path(HELD), &held) {
            tracing::error!(%error, "this could not be written down for the next start");
        }
    }

    /// The clock is right as it is.
    ///
    /// # Errors
    /// Whatever the disk says; then it is still held.
    pub fn confirm(&self, clock: &dyn Clock, last: Timestamp) -> Result<(), OpenError> {
        let disk = self.layout.disk();
        // A crash between the two leaves a word that the next start takes up again.
        remove_file(disk, &self.layout.path(HELD))?;
        remove_file(disk, &self.layout.path(CONFIRMED))?;
        sync_dir(disk, self.layout.root())?;
        *self.reference.lock() = Reference::of(clock, last);
        if self.held.swap(false, Ordering::SeqCst) {
            tracing::warn!("the clock is confirmed; cases end and months are erased again");
        }
        Ok(())
    }
}

/// Writes the operator's word into a store's folder, whether a gateway runs on it or not. Returns why calendar acts wait; nothing is written,
/// and `None` returned, when they do not.
///
/// # Errors
/// The folder cannot be read or written.
pub fn confirm_clock(dir: &Path) -> Result<Option<Held>, OpenError> {
    let layout = Layout::new(dir, Arc::new(RealDisk));
    if !layout.disk().exists(&layout.path("FORMAT")) {
        return Err(OpenError::NotAStore { file: dir.join("FORMAT").display().to_string() });
    }
    let held = read_checked::<Held>(layout.disk(), &layout.path(HELD), HELD)?;
    if held.is_some() {
        let path = layout.path(CONFIRMED);
        write_file(layout.disk(), &path, b"").and_then(|file| file.sync_data()).at("cannot write", &path)?;
        sync_dir(layout.disk(), dir)?;
    }
    Ok(held)
}
