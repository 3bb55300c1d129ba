//! Undelivered content that cannot be read. All of it is read at the start, once an hour, and soon after somebody met what is damaged, so that the
//! operator hears of it though nobody asks for it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::contents::{self, Holder, Location, open_holder};
use super::engine::Engine;
use super::error::{Blame, OpenError};
use super::journal::SealedFile;
use crate::audit::event::ItemNumber;

/// Between two looks while all is sound.
const LOOKED_EVERY_MILLIS: i64 = 60 * 60 * 1000;
/// Between two looks while something is damaged, and so many times what the last one took.
const LOOKED_AGAIN_MILLIS: i64 = 60 * 1000;
/// See [`LOOKED_AGAIN_MILLIS`].
const REST: i64 = 20;
/// Content that the disk does not give, which may come back with a controller or a cable, is left behind after this time at the earliest, however
/// short the others wait.
const DEVICE_WAITS_MILLIS: i64 = 60 * 60 * 1000;
/// Items that a turn names one by one.
const NAMED: usize = 20;

/// What was found at the last look.
#[derive(Debug)]
pub struct Unread {
    /// Held by whoever looks.
    looking: Mutex<()>,
    items: AtomicU64,
    /// Since when, by the clock that nobody sets, turns fail for which content, and for what. One that is read meanwhile begins anew, and so does one that
    /// the disk gives again and that is found to be damaged.
    met: Mutex<BTreeMap<u64, (i64, Blame)>>,
    /// Something is read from an open file alone, so a turn is to be made at once.
    is_at_risk: AtomicBool,
    /// Somebody met what is damaged since.
    is_met: AtomicBool,
    /// By the clock that nobody sets: when it began. Before the first, none.
    looked_at: AtomicI64,
    took: AtomicI64,
}

const NEVER: i64 = i64::MIN;

impl Default for Unread {
    fn default() -> Self {
        Self {
            looking: Mutex::default(),
            items: AtomicU64::new(0),
            met: Mutex::default(),
            is_at_risk: AtomicBool::new(false),
            is_met: AtomicBool::new(false),
            looked_at: AtomicI64::new(NEVER),
            took: AtomicI64::new(0),
        }
    }
}

impl Unread {
    /// How many items could not be read from their files, by the last look or the last turn.
    pub fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed).max(self.met.lock().len() as u64)
    }

    /// Whether a turn is wanted at once, which carries over what only an open file still gives. Asked once.
    pub fn wants_a_turn(&self) -> bool {
        self.is_at_risk.swap(false, Ordering::Relaxed)
    }

    /// Whether all is to be read, by the clock that nobody sets.
    pub fn is_due(&self, now: i64) -> bool {
        let since = now.saturating_sub(self.looked_at.load(Ordering::Relaxed));
        let again = self.is_met.load(Ordering::Relaxed) || self.items() > 0;
        let rest = LOOKED_AGAIN_MILLIS.max(self.took.load(Ordering::Relaxed).saturating_mul(REST));
        since >= if again { rest } else { LOOKED_EVERY_MILLIS }
    }
}

/// What could not be read, by log index, and why.
pub type Left = Vec<(u64, OpenError)>;

/// What one turn cannot read of what it is to carry over.
///
/// Content that the running gateway can still read is never left behind. What cannot be read by any means stops the turn, so that the file can be put
/// back, until it has waited for half of the time within which what was acknowledged is to be gone: each content from the turn that met it first, by
/// the clock that nobody sets, within this process, and no turn in between may have read it.
pub struct Meeting<'e> {
    engine: &'e Engine,
    now: i64,
    /// What stands at the names, opened once a turn.
    named: HashMap<Holder, Arc<SealedFile>>,
    met: BTreeMap<u64, (i64, Blame)>,
    left: Left,
    stops: Option<OpenError>,
}

impl<'e> Meeting<'e> {
    /// With nothing yet.
    pub fn new(engine: &'e Engine) -> Self {
        let now = engine.clock.elapsed_millis();
        Self { engine, now, named: HashMap::new(), met: BTreeMap::new(), left: Vec::new(), stops: None }
    }

    /// Reads one content, from the file as it is open here, which gives it also when its name or its key is gone, or else from what stands at the
    /// name: it may have been put back.
    pub fn read(&mut self, location: &Location) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let open = self.engine.contents.lock().open_file(location.holder);
        let Some(open) = open else { return self.read_named(location) };
        contents::read(&open, location).or_else(|first| self.read_named(location).map_err(|second| hopeful(first, second)))
    }

    fn read_named(&mut self, location: &Location) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let file = match self.named.entry(location.holder) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Arc::new(open_holder(&self.engine.layout, &self.engine.keys, location.holder)?)),
        };
        contents::read(file, location)
    }

    /// Whether something was met that has not waited long enough.
    pub const fn stops_the_turn(&self) -> bool {
        self.stops.is_some()
    }

    /// The content of the message at `index` could not be read.
    ///
    /// # Errors
    /// When that says nothing about its bytes: then the turn ends here, and nothing of it counts.
    pub fn met(&mut self, index: u64, error: OpenError) -> Result<(), OpenError> {
        let patience = self.engine.turn_every_millis.saturating_mul(2).max(1);
        let blame = error.blames();
        let waits = match blame {
            Blame::Moment => return Err(error),
            Blame::Bytes => patience,
            Blame::Device => patience.max(DEVICE_WAITS_MILLIS),
        };
        let known = self.engine.unread.met.lock().get(&index).copied();
        let since = known.filter(|(_, before)| *before == blame).map(|(since, _)| since);
        if since.is_some_and(|since| self.now.saturating_sub(since) >= waits) {
            self.left.push((index, error));
        } else {
            if known.is_none() && self.met.len() < NAMED {
                tracing::error!(item = ItemNumber::main(index).0, %error, "an undelivered item cannot be read; no turn is made for it, and it is left behind in the end");
            }
            self.stops.get_or_insert(error);
        }
        self.met.insert(index, (since.unwrap_or(self.now), blame));
        Ok(())
    }

    /// What is left behind.
    ///
    /// # Errors
    /// The first that is to wait, if any is.
    pub fn end(self) -> Result<Left, OpenError> {
        let unread = &self.engine.unread;
        if !self.met.is_empty() {
            unread.is_met.store(true, Ordering::Relaxed);
        }
        *unread.met.lock() = self.met;
        self.stops.map_or(Ok(self.left), Err)
    }
}

/// Of two failures to read the same bytes the one that leaves more hope.
fn hopeful(first: OpenError, second: OpenError) -> OpenError {
    if second.blames() > first.blames() { second } else { first }
}

impl Engine {
    /// A turn was made without these, and `lost` of them all are on disk no more.
    pub(super) fn are_left_behind(&self, left: &[(u64, OpenError)], lost: u64) {
        for (index, error) in left {
            tracing::error!(item = ItemNumber::main(*index).0, %error, "an undelivered item cannot be read and its content is left behind: its sender withdraws it and sends anew");
        }
        self.unread.met.lock().clear();
        // Until the next look, which is due soon.
        self.unread.items.fetch_max(lost, Ordering::Relaxed);
    }

    /// The content of the message at `index`; none when it is not to be delivered any more.
    pub(super) fn content(&self, index: u64) -> Result<Option<Zeroizing<Vec<u8>>>, OpenError> {
        let failed = loop {
            // Not held while the disk is read.
            let found = self.contents.lock().find(index);
            let (location, file) = match found {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(None),
                Err(error) => break error,
            };
            match contents::read(&file, &location).or_else(|error| self.content_by_name(&location, error)) {
                Ok(content) => return Ok(Some(content)),
                Err(error) if self.contents.lock().is_at(index, &location) => break error,
                // A turn has carried it over meanwhile, or it is no longer needed.
                Err(_) => {}
            }
        };
        self.unread.is_met.store(true, Ordering::Relaxed);
        Err(failed)
    }

    /// What the open file does not give, from what stands at its name.
    fn content_by_name(&self, location: &Location, error: OpenError) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if location.is_lost() {
            return Err(error);
        }
        let file = open_holder(&self.layout, &self.keys, location.holder);
        file.and_then(|file| contents::read(&file, location)).map_err(|second| hopeful(error, second))
    }
}

/// Reads all that is to be delivered, when that is due.
pub fn look(engine: &Engine) {
    let _only = engine.unread.looking.lock();
    if engine.unread.is_due(engine.clock.elapsed_millis()) {
        look_through(engine);
    }
}

/// The same, due or not.
#[cfg(test)]
pub fn look_now(engine: &Engine) {
    let _only = engine.unread.looking.lock();
    look_through(engine);
}

/// Counts what cannot be read from its file, and tells the log when that has changed.
fn look_through(engine: &Engine) {
    let (unread, begun) = (&engine.unread, engine.clock.elapsed_millis());
    unread.looked_at.store(begun, Ordering::Relaxed);
    let indices = engine.contents.lock().indices();
    let mut meeting = Meeting::new(engine);
    let (mut items, mut handed_out, mut first) = (0, 0, None);
    for index in indices {
        if engine.is_ending() {
            return;
        }
        // Opened here as well, so that it can be read on when its name or key goes.
        drop(engine.contents.lock().find(index));
        let Err(error) = from_its_file(engine, &mut meeting, index) else {
            unread.met.lock().remove(&index);
            continue;
        };
        items += 1;
        first.get_or_insert((ItemNumber::main(index), error));
        if engine.content(index).is_ok() {
            handed_out += 1;
        }
    }
    // After it, as it met them itself.
    unread.is_met.store(false, Ordering::Relaxed);
    unread.took.store(engine.clock.elapsed_millis().saturating_sub(begun), Ordering::Relaxed);
    // A turn gives them a new file; until then nobody should stop this process.
    unread.is_at_risk.store(handed_out > 0, Ordering::Relaxed);
    let before = unread.items.swap(items, Ordering::Relaxed);
    match first {
        Some((first, error)) if before != items && handed_out > 0 => tracing::error!(
            items,
            handed_out,
            first = first.0,
            %error,
            "undelivered items cannot be read from what stands at the name of their file; those that the gateway has open are handed out, and carried over by the turn \
             that follows: do not stop it before the log says that the store was turned over"
        ),
        Some((first, error)) if before != items => tracing::error!(
            items,
            first = first.0,
            %error,
            "undelivered items cannot be read and are not handed out, the others are: stop the gateway and put the file back from the newest copy, \
             before turns leave it behind when half of erase_within_s has passed; else have the senders withdraw and send anew"
        ),
        None if before > 0 => tracing::info!("all undelivered items can be read again, or are no longer to be delivered"),
        _ => {}
    }
}

/// Whether the content of the message at `index` can be read from what stands at the name of its file now, as the next start would.
fn from_its_file(engine: &Engine, meeting: &mut Meeting<'_>, index: u64) -> Result<(), OpenError> {
    loop {
        let Some(location) = engine.contents.lock().place(index) else { return Ok(()) };
        match meeting.read_named(&location) {
            Ok(_) => return Ok(()),
            Err(error) if engine.contents.lock().is_at(index, &location) => return Err(error),
            // A turn has carried it over meanwhile.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_at_first_each_hour_and_sooner_while_something_is_damaged_but_never_all_the_time() {
        let unread = Unread::default();
        assert!(unread.is_due(0));
        unread.looked_at.store(0, Ordering::Relaxed);
        let due = |times: [i64; 3]| times.map(|at| unread.is_due(at));
        assert_eq!(due([LOOKED_AGAIN_MILLIS, LOOKED_EVERY_MILLIS - 1, LOOKED_EVERY_MILLIS]), [false, false, true]);
        for (is_met, items) in [(true, 0), (false, 1)] {
            unread.is_met.store(is_met, Ordering::Relaxed);
            unread.items.store(items, Ordering::Relaxed);
            assert_eq!(due([0, LOOKED_AGAIN_MILLIS - 1, LOOKED_AGAIN_MILLIS]), [false, false, true]);
        }
        unread.took.store(LOOKED_AGAIN_MILLIS, Ordering::Relaxed);
        assert_eq!(due([LOOKED_AGAIN_MILLIS, REST * LOOKED_AGAIN_MILLIS - 1, REST * LOOKED_AGAIN_MILLIS]), [false, false, true]);
    }
}
