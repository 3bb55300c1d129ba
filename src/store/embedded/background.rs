//! The slow threads: one publishes once a second and looks at disk and clocks, another turns the store over, the third feeds the search index,
//! the fourth reads what lies undelivered and what is published.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::disk::Open;
use super::engine::{DiskBounds, Engine};
use super::error::{IoContext as _, OpenError};
use super::holds;
use super::index;
use super::layout::{Layout, remove_file};
use super::serving;
use super::turn::turn;
use super::unread;

/// Between two publications.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// After a turn that failed, at most.
const TURN_AGAIN: Duration = Duration::from_secs(60);
/// In the time between two turns that are due, one that failed is tried again so many times at least.
const TRIES: u64 = 4;

impl Engine {
    /// Waits for `time` or the end. True at the end.
    pub(super) fn rest(&self, time: Duration) -> bool {
        let mut ending = self.ending.lock();
        if !*ending {
            self.ended.wait_for(&mut ending, time);
        }
        *ending
    }

    /// Whether what takes long is to be broken off: the store ends or is broken.
    pub(super) fn is_ending(&self) -> bool {
        self.is_broken() || *self.ending.lock()
    }

    /// Tells the slow threads to end.
    pub(super) fn end(&self) {
        *self.ending.lock() = true;
        self.ended.notify_all();
        self.publishing.ask();
    }
}

/// Publishes until the end, and once more then.
pub fn publish(engine: &Engine) {
    engine.publishing.set_runs(true);
    loop {
        engine.publishing.rest(PUBLISH_EVERY);
        let ended = *engine.ending.lock();
        if engine.is_broken() || !publish_once(engine) || ended {
            break;
        }
    }
    engine.publishing.set_runs(false);
}

/// Looks at the disk and publishes. False when the store is broken.
pub(super) fn publish_once(engine: &Engine) -> bool {
    if let Err(error) = engine.check_folder() {
        engine.fatal(&error.to_string());
        return false;
    }
    engine.look_at_clocks();
    if let Err(error) = look_at_disk(engine) {
        tracing::warn!(%error, "the free space of the data disk could not be read");
    }
    match engine.publish() {
        Ok(_) => true,
        // Receipts never wait for publication; the tiles follow once there is space.
        Err(OpenError::Io { source, .. }) if source.kind() == std::io::ErrorKind::StorageFull => {
            tracing::error!("the data disk is full; the log cannot be published until there is space");
            true
        }
        Err(error) => {
            engine.fatal(&error.to_string());
            false
        }
    }
}

/// Turns the store over when it is due, until the end.
pub fn turns(engine: &Engine) {
    // What was damaged may be mended since, and what was sound may be damaged: known at once, and not by the next turn that is due anyway.
    let held = engine.archive.load_full();
    let mut is_owed = holds::need_a_look(held.held().files()) || holds::need_a_look(&held.held().all_now());
    drop(held);
    loop {
        if engine.rest(PUBLISH_EVERY) || engine.is_broken() {
            return;
        }
        if !is_owed && !is_due(engine) {
            continue;
        }
        match turn(engine, None) {
            Ok(_) => {
                is_owed = false;
                engine.index_is_due.store(true, Ordering::SeqCst);
            }
            Err(OpenError::Stopped) => return,
            Err(error) if error.is_final() => {
                engine.fatal(&error.to_string());
                return;
            }
            Err(error) => {
                // Also when nothing more comes in: it may have failed in the midst of the erasure.
                is_owed = true;
                tracing::error!(%error, "the store could not be turned over; acknowledged content stays on disk until it can: where it is damage, docs/recovery.md says what mends it");
                let often = Duration::from_millis(u64::try_from(engine.turn_every_millis).unwrap_or(0) / TRIES);
                if engine.rest(TURN_AGAIN.min(often.max(PUBLISH_EVERY))) {
                    return;
                }
            }
        }
    }
}

/// Looks for undelivered content that cannot be read and for damaged tiles, until the end. A thread of its own: whatever becomes of the search index.
pub fn looks(engine: &Engine) {
    loop {
        unread::look(engine);
        serving::look(engine);
        if engine.rest(PUBLISH_EVERY) || engine.is_broken() {
            return;
        }
    }
}

/// Keeps the search index up to date, until the end. A thread of its own: building an index takes minutes, and neither serving nor erasing waits.
pub fn indexes(engine: &Engine) {
    loop {
        // On a nearly full disk what space there is belongs to the mail.
        let full = engine.disk_is_full.load(Ordering::Relaxed);
        if !full && (engine.index_is_due.swap(false, Ordering::SeqCst) || engine.index.lock().has_failed()) {
            // Whatever happens in there, nothing but searches depends on it.
            if catch_unwind(AssertUnwindSafe(|| index::catch_up(engine))).is_err() {
                tracing::error!("the search index cannot be kept; searches read every record");
            }
        }
        if engine.rest(PUBLISH_EVERY) || engine.is_broken() {
            return;
        }
    }
}

pub(super) fn is_due(engine: &Engine) -> bool {
    let since = engine.clock.now().millis() - engine.last_turn.load(Ordering::SeqCst);
    let grew = engine.head.load().size > engine.base_size.load(Ordering::SeqCst);
    if engine.hold_is_due.swap(false, Ordering::SeqCst) || engine.unread.wants_a_turn() {
        return true;
    }
    if holds::differ(&engine.core.lock().state.holds(), engine.archive.load().held().files()) {
        return true;
    }
    let elapsed = engine.clock.elapsed_millis() - engine.last_turn_elapsed.load(Ordering::SeqCst);
    // A clock that went back counts as due as well, and the time that has passed counts whatever the clock shows: erasure never waits for a calendar.
    let is_time = since >= engine.turn_every_millis || since < 0 || elapsed >= engine.turn_every_millis;
    engine.journal_bytes.load(Ordering::Relaxed) >= engine.journal.turn || (grew && is_time)
}

/// Gives up the reserve of a disk that is too full to open a journal on, so that a start can drain it.
pub(super) fn make_room(layout: &Layout, bounds: DiskBounds) -> Result<(), OpenError> {
    let path = layout.path("reserve");
    if layout.disk().exists(&path) && free_space(layout)? < bounds.low_water / 2 {
        tracing::warn!("the reserve is given up so that a full disk can be started from and drained");
        remove_file(layout.disk(), &path)?;
    }
    Ok(())
}

/// Free space for this process on the data disk, in bytes.
fn free_space(layout: &Layout) -> Result<u64, OpenError> {
    let path = layout.root();
    layout.disk().free_space(path).at("cannot look at", path)
}

/// Sets whether new messages are taken, and gives up or takes back the reserve.
pub(super) fn look_at_disk(engine: &Engine) -> Result<(), OpenError> {
    let free = free_space(&engine.layout)?;
    let bounds = engine.disk;
    let full = free < bounds.low_water.max((bounds.low_water / 2).saturating_add(engine.turn_needs()));
    if full != engine.disk_is_full.swap(full, Ordering::Relaxed) {
        if full {
            tracing::error!(free, "the data disk is nearly full; new messages are refused, everything else goes on");
        } else {
            tracing::info!(free, "the data disk has space again; new messages are taken");
        }
    }
    let path = engine.layout.path("reserve");
    let disk = engine.layout.disk();
    let held = disk.len(&path).unwrap_or(0);
    if free < bounds.low_water / 2 && held > 0 {
        tracing::warn!("the reserve is given up so that undelivered mail can drain");
        remove_file(disk, &path)?;
    } else if held < bounds.reserve && free > bounds.low_water.saturating_add(bounds.reserve) {
        let file = disk.open(&path, Open::Create).at("cannot create", &path)?;
        file.reserve(bounds.reserve).at("cannot reserve space in", &path)?;
    }
    Ok(())
}
