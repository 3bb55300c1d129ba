//! The auditors' search index: sled, one folder a month, search only. The only file that names sled.
//!
//! `key = HMAC-SHA256(month key, field ‖ value), first 16 bytes ‖ log index`, empty values. It holds nothing that cannot be rebuilt from the
//! records, is never asked for routing, idempotency or receipts, and every hit is compared with its record. Losing it costs a rebuild.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;

use super::disk::{Disk, RealDisk};
use super::engine::Engine;
use super::keys::Keys;
use super::layout::Layout;
use super::records::{Archive, Month, Slot};
use crate::audit::record::Record;
use crate::domain::time::{Date, parse_date};
use crate::regular_file::Kind;
use crate::store::RecordFilter;

const COUNT: &[u8] = b"count";
const TAG: usize = 16;
/// Records indexed in one batch. sled frees what a batch replaced only after it: with batches eight times as long an index holds a gigabyte.
const BATCH: u64 = 64;
/// Records indexed under one hold of the lock: a tenth of a second or so.
const STEP: u64 = 16 * BATCH;
/// Months that are open at once; each holds its cache and sled's tables. The records are kept for 35 months at most.
const OPEN_MONTHS: usize = 3;
/// Cache of an open month, in bytes as sled counts them: as they stand on disk, a third or so of what they take in memory. Searches are rare, and what
/// they need again is in the kernel's cache; sixteen times as much made the process grow by a kilobyte an entry for a hundred thousand entries.
const CACHE: u64 = 1 << 20;
/// Kinds of which a month remembers where its records stand, and how many places of each at most: 560 KiB in 35 months.
/// What happens a few times a month, reviews and holds, is looked for in every month by each front page; to open a month takes tens of milliseconds.
const KINDS_REMEMBERED: usize = 8;
const PLACES_REMEMBERED: usize = 256;
/// The longest that sled's file of a month may be, in bytes: what is longer is none of its making, and sled would write through all of it.
const BYTES_MAX: u64 = 1 << 30;
/// And for each record.
const RECORD_BYTES_MAX: u64 = 16 * 1024;
/// How often that is tried, ten milliseconds apart.
const OPENED_AGAIN: u32 = 30;
/// sled's folder in a month's.
const BLOBS: &str = "blobs";
/// A build is told of again each time that so many records are in.
const TOLD_EVERY: u64 = 100_000;
/// Adding more records than this to an index is told in the log, as is building one from nothing.
const TOLD_FROM: u64 = 10_000;

/// What can be looked for.
#[derive(Clone, Copy)]
enum Field {
    MessageId = 1,
    CaseRef = 2,
    Participant = 3,
    Kind = 4,
}

struct MonthIndex {
    /// None while it is closed.
    db: Option<sled::Db>,
    path: PathBuf,
    key: hmac::Key,
    count: u64,
    sum: Sum,
    /// Of kinds that were asked for: how much was indexed then, and all indices. The records they lead to are read anew each time.
    places: BTreeMap<u16, (u64, Vec<u64>)>,
    /// When it was used last, as a number that grows with each use.
    used: u64,
    /// A search failed; it is built anew.
    failed: AtomicBool,
}

/// How many keys were put in, and all of them folded into one number: an index that lost some of them must not pass for whole, as what it misses
/// would be missed by whoever searches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sum {
    keys: u64,
    folded: u64,
}

impl Sum {
    fn add(&mut self, key: &[u8]) {
        let part = |from: usize| key.get(from..from + 8).and_then(|raw| raw.try_into().ok()).map_or(0, u64::from_be_bytes);
        self.keys += 1;
        self.folded ^= part(0) ^ part(8).rotate_left(17) ^ part(TAG).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// With the number of records: what stands under [`COUNT`]. `owner` is the month's own, so that another month's index is none.
    fn stored(self, count: u64, owner: u64) -> [u8; 24] {
        let mut out = [0; 24];
        out[..8].copy_from_slice(&count.to_be_bytes());
        out[8..16].copy_from_slice(&self.keys.to_be_bytes());
        out[16..].copy_from_slice(&(self.folded ^ owner).to_be_bytes());
        out
    }
}

impl Drop for MonthIndex {
    fn drop(&mut self) {
        self.close();
    }
}

/// The index over the record files.
pub struct SearchIndex {
    layout: Layout,
    months: HashMap<Date, MonthIndex>,
    uses: u64,
}

/// Any failure of the index: it is dropped and built again.
#[derive(Debug, thiserror::Error)]
#[error("the search index cannot be used: {0}")]
struct Unusable(String);

impl SearchIndex {
    /// Over the store's index folder; nothing is opened yet.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone(), months: HashMap::new(), uses: 0 }
    }

    /// Records of a month that are indexed.
    fn count(&self, month: &Month) -> u64 {
        self.months.get(&month.first_day).map_or(0, |index| index.count)
    }

    /// Whether a search has failed since this last caught up.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.months.values().any(|month| month.failed.load(Ordering::Relaxed))
    }

    /// Marks every month as one that a search failed in.
    #[cfg(test)]
    pub fn fail(&self) {
        self.months.values().for_each(|month| month.failed.store(true, Ordering::Relaxed));
    }

    /// Whether everything in the record files is indexed.
    #[cfg(test)]
    pub fn is_whole(&self, months: &[Month]) -> bool {
        months.iter().all(|month| self.months.get(&month.first_day).is_some_and(|index| index.count == month.count)) && !self.has_failed()
    }

    /// Removes what is left of months whose records are gone.
    fn forget_erased(&mut self, kept: &[Month]) {
        for name in self.layout.names("index").unwrap_or_default() {
            if let Some(month) = parse_date(&format!("{name}-01"))
                && !kept.iter().any(|kept| kept.first_day == month)
            {
                self.erase(month);
            }
        }
    }

    /// Closes and removes a month.
    pub fn erase(&mut self, month: Date) {
        self.months.remove(&month);
        if let Some(path) = path(&self.layout, month)
            && let Err(error) = remove_all(self.layout.disk(), &path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%month, %error, "the search index of a month cannot be removed; its keys are gone with the month's records");
        }
    }

    fn keep(&mut self, month: &Month, mut opened: MonthIndex) {
        opened.used = self.uses;
        self.uses += 1;
        self.months.insert(month.first_day, opened);
        self.close_all_but(OPEN_MONTHS);
    }

    /// Months that are open.
    #[cfg(test)]
    pub fn open_months(&self) -> usize {
        self.months.values().filter(|month| month.db.is_some()).count()
    }

    /// Closes every month.
    #[cfg(test)]
    pub fn close_all(&mut self) {
        self.close_all_but(0);
    }

    /// One step of a month that is open: true when everything is in it.
    fn step(&mut self, archive: &Archive, month: &Month) -> Result<bool, Unusable> {
        let index = self.months.get_mut(&month.first_day).ok_or_else(|| Unusable("it is closed".into()))?;
        if index.failed.load(Ordering::Relaxed) {
            return Err(Unusable("a search failed".into()));
        }
        if index.count > month.count {
            return Err(Unusable("it is of other records".into()));
        }
        if index.count == month.count {
            return Ok(true);
        }
        index.used = self.uses;
        self.uses += 1;
        // sled is known to panic on damaged files; that must cost a rebuild and nothing else.
        let whole = catch_unwind(AssertUnwindSafe(|| index.extend(archive, month))).map_err(|_| Unusable("it panicked".into()))??;
        self.close_all_but(OPEN_MONTHS);
        Ok(whole)
    }

    /// Closes what was used longest ago: each open month holds memory. It stays known, and is opened again when it is asked.
    fn close_all_but(&mut self, most: usize) {
        let mut open: Vec<&mut MonthIndex> = self.months.values_mut().filter(|month| month.db.is_some()).collect();
        open.sort_unstable_by_key(|month| std::cmp::Reverse(month.used));
        open.into_iter().skip(most).for_each(MonthIndex::close);
    }

    /// Log indices in `month` that may match, ascending from `from`, at most `max`; `None` when the index cannot tell.
    #[must_use]
    pub fn candidates(&mut self, month: &Month, filter: &RecordFilter, from: u64, max: usize) -> Option<Vec<u64>> {
        let index = self.months.get_mut(&month.first_day).filter(|index| index.count >= month.count)?;
        let (field, value) = field_of(filter)?;
        // Not of one that is to be built anew: what it said may be what is wrong with it.
        let kind = rare_kind(filter).filter(|_| !index.failed.load(Ordering::Relaxed));
        if let Some(places) = kind.and_then(|kind| index.remembered(kind)) {
            return Some(places.iter().copied().filter(|place| *place >= from).take(max).collect());
        }
        index.used = self.uses;
        self.uses += 1;
        let found = catch_unwind(AssertUnwindSafe(|| index.find(field, &value, from, max))).ok().flatten();
        match (&found, kind) {
            (None, _) => index.failed.store(true, Ordering::Relaxed),
            // All there are: from the month's first on, and fewer than were asked for.
            (Some(places), Some(kind)) if from <= month.first_index && places.len() < max => index.remember(kind, places),
            _ => {}
        }
        self.close_all_but(OPEN_MONTHS);
        found
    }
}

/// Opens a month. Reads every key of it, so nothing is locked meanwhile.
fn open(layout: &Layout, keys: &Keys, month: &Month) -> Result<MonthIndex, Unusable> {
    let secret = keys.secret(&month.name()).map_err(|error| Unusable(error.to_string()))?;
    let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret[..]), b"samband search index");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
    let path = path(layout, month.first_day).ok_or_else(|| Unusable("this disk has none".into()))?;
    let open = || {
        let db = Some(open_sled(&path, month.count)?);
        MonthIndex { db, path, key, count: 0, sum: Sum::default(), places: BTreeMap::new(), used: 0, failed: AtomicBool::new(false) }.read()
    };
    catch_unwind(AssertUnwindSafe(open)).map_err(|_| Unusable("it panicked".into()))?
}

/// A file of a month's folder that was made longer than it can be, or that is mostly a hole: sled reads some of them whole.
fn check_lengths(disk: &dyn Disk, path: &Path, records: u64) -> Result<(), Unusable> {
    let names = disk.names(path).unwrap_or_default();
    match names.iter().find(|name| is_of_sled(name) && is_too_long(disk, &path.join(name), records)) {
        Some(name) => Err(Unusable(format!("its file {name} is longer than what was put into it"))),
        None => Ok(()),
    }
}

/// See [`check_lengths`].
pub(super) fn is_too_long(disk: &dyn Disk, path: &Path, records: u64) -> bool {
    let len = disk.len(path).unwrap_or(0);
    let taken = disk.allocated(path).unwrap_or(len);
    let most = BYTES_MAX.saturating_add(records.saturating_mul(RECORD_BYTES_MAX)).min(BYTES_MAX.saturating_add(taken.saturating_mul(4)));
    len > most
}

/// What stands below a month's folder and is neither a file nor a folder: sled would open it, and a pipe keeps whoever opens it waiting for ever.
pub(super) fn others_in(disk: &dyn Disk, path: &Path) -> Vec<(PathBuf, Kind)> {
    let other = |path: PathBuf| match disk.other_at(&path) {
        Some(Kind::Folder) | None => None,
        Some(kind) => Some((path, kind)),
    };
    let below = |path: &Path| disk.names(path).unwrap_or_default().into_iter().map(|name| path.join(name)).collect::<Vec<_>>();
    // Behind a link lies nothing of sled's.
    if let Some(itself) = other(path.to_owned()) {
        return vec![itself];
    }
    let within = below(&path.join(BLOBS));
    below(path).into_iter().chain(within).filter_map(other).collect()
}

/// Whether sled makes files, or its folder, of this name in a month's.
pub(super) fn is_of_sled(name: &str) -> bool {
    matches!(name, "conf" | "db" | BLOBS) || name.strip_prefix("snap.").is_some_and(|rest| !rest.is_empty())
}

/// Removes it, unopened.
fn remove_others(disk: &dyn Disk, path: &Path) -> Result<(), Unusable> {
    for (other, kind) in others_in(disk, path) {
        tracing::warn!(file = %other.display(), "{kind} stands among the search index's files; it is removed");
        disk.remove_file(&other).map_err(|error| Unusable(error.to_string()))?;
    }
    Ok(())
}

/// The only way to sled: never to a file that it would not come back from.
fn open_sled(path: &Path, records: u64) -> Result<sled::Db, Unusable> {
    remove_others(&RealDisk, path)?;
    check_lengths(&RealDisk, path, records)?;
    Ok(sled::Config::new().path(path).cache_capacity(CACHE).flush_every_ms(None).open()?)
}

/// Opens what was closed: sled's own threads may hold its lock for a moment longer.
fn open_again(path: &Path, records: u64) -> Result<sled::Db, Unusable> {
    for _ in 0..OPENED_AGAIN {
        if let Ok(db) = open_sled(path, records) {
            return Ok(db);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    open_sled(path, records)
}

/// Why a month's index cannot be opened, if it cannot.
#[cfg(test)]
pub fn why_unusable(layout: &Layout, keys: &Keys, month: &Month) -> Option<String> {
    open(layout, keys, month).err().map(|error| error.to_string())
}

/// sled opens its files itself; on a disk that is not the operating system's there is no index.
fn path(layout: &Layout, month: Date) -> Option<PathBuf> {
    layout.disk().outside(&layout.path(&format!("index/{:04}-{:02}", month.year(), month.month())))
}

/// Indexes what is in the record files and not in the index; builds anew what cannot be used. The lock is held for a step at a time, so that
/// searches and turns wait for one at most.
pub fn catch_up(engine: &Engine) {
    // Two builders would open one folder twice.
    let _only = engine.indexing.lock();
    let archive = engine.archive.load_full();
    engine.index.lock().forget_erased(archive.months());
    for month in archive.months() {
        let mut first_try = true;
        while let Err(error) = month_up(engine, &archive, month) {
            if engine.is_ending() {
                return;
            }
            engine.index.lock().erase(month.first_day);
            if !is_kept(engine, month) {
                break;
            }
            if !first_try {
                tracing::warn!(month = %month.first_day, %error, "searches in this month read every record");
                break;
            }
            tracing::warn!(month = %month.first_day, %error, "the search index of a month is built anew");
            first_try = false;
        }
    }
}

/// Whether the records of a month are still there: a turn may erase them while its index is being built.
fn is_kept(engine: &Engine, month: &Month) -> bool {
    engine.archive.load().months().iter().any(|kept| kept.first_day == month.first_day)
}

fn month_up(engine: &Engine, archive: &Archive, month: &Month) -> Result<(), Unusable> {
    if !engine.index.lock().months.contains_key(&month.first_day) {
        let opened = open(&engine.layout, &engine.keys, month)?;
        engine.index.lock().keep(month, opened);
    }
    let count = engine.index.lock().count(month);
    let missing = month.count.saturating_sub(count);
    let is_told = missing > 0 && (count == 0 || missing > TOLD_FROM);
    if is_told {
        tracing::info!(month = %month.first_day, records = missing, "the search index of a month is being built; searches read records meanwhile");
    }
    let mut told = count;
    loop {
        if engine.is_ending() {
            return Err(Unusable("the store is stopping".into()));
        }
        if !is_kept(engine, month) {
            return Err(Unusable("its records are erased".into()));
        }
        let mut index = engine.index.lock();
        let whole = index.step(archive, month)?;
        let count = index.count(month);
        // To whoever waits; else the next step would have the lock again at once.
        parking_lot::MutexGuard::unlock_fair(index);
        if whole {
            break;
        }
        if count - told >= TOLD_EVERY {
            told = count;
            tracing::info!(month = %month.first_day, records = count, of = month.count, "the search index of a month is being built");
        }
    }
    if is_told {
        tracing::info!(month = %month.first_day, records = month.count, "the search index of a month is built");
    }
    Ok(())
}

/// Removes a folder, or whatever stands in its place.
fn remove_all(disk: &dyn Disk, path: &Path) -> std::io::Result<()> {
    if disk.is_dir(path) { disk.remove_dir_all(path) } else { disk.remove_file(path) }
}

/// The most telling field of a filter.
fn field_of(filter: &RecordFilter) -> Option<(Field, Vec<u8>)> {
    if let Some(id) = &filter.message_id {
        return Some((Field::MessageId, id.as_bytes().to_vec()));
    }
    if let Some(case_ref) = &filter.case_ref {
        return Some((Field::CaseRef, case_ref.as_bytes().to_vec()));
    }
    if let Some(participant) = &filter.participant {
        return Some((Field::Participant, participant.as_str().as_bytes().to_vec()));
    }
    match filter.kinds.as_slice() {
        [kind] => Some((Field::Kind, kind.to_be_bytes().to_vec())),
        _ => None,
    }
}

/// The kind that a filter looks for in the index by nothing else.
fn rare_kind(filter: &RecordFilter) -> Option<u16> {
    match (field_of(filter)?.0, filter.kinds.as_slice()) {
        (Field::Kind, [kind]) => Some(*kind),
        _ => None,
    }
}

impl From<sled::Error> for Unusable {
    fn from(error: sled::Error) -> Self {
        Self(match error {
            // Its text may show bytes of a page.
            sled::Error::Corruption { .. } => "it is damaged".to_owned(),
            other => other.to_string(),
        })
    }
}

impl MonthIndex {
    /// Reads how much is indexed, and whether all of it is there.
    fn read(mut self) -> Result<Self, Unusable> {
        let db = self.db()?.clone();
        let mut sum = Sum::default();
        for key in db.iter().keys() {
            let key = key?;
            if key != COUNT {
                sum.add(&key);
            }
        }
        let stored = db.get(COUNT)?;
        let count = stored.as_ref().and_then(|raw| raw.get(..8)).and_then(|raw| raw.try_into().ok()).map_or(0, u64::from_be_bytes);
        if stored.is_some_and(|stored| stored.as_ref() != sum.stored(count, self.owner())) || (count == 0 && sum.keys > 0) {
            return Err(Unusable("it does not hold what was put into it".into()));
        }
        (self.count, self.sum) = (count, sum);
        Ok(self)
    }

    /// sled's, opened again if it was closed. It must say what it said then.
    fn db(&mut self) -> Result<&sled::Db, Unusable> {
        if self.db.is_none() {
            let db = open_again(&self.path, self.count)?;
            if self.count > 0 && db.get(COUNT)?.is_none_or(|stored| stored.as_ref() != self.sum.stored(self.count, self.owner())) {
                return Err(Unusable("it does not hold what was put into it".into()));
            }
            self.db = Some(db);
        }
        self.db.as_ref().ok_or_else(|| Unusable("it is closed".into()))
    }

    /// All places of a kind, where nothing was indexed since they were looked for.
    fn remembered(&self, kind: u16) -> Option<&[u64]> {
        self.places.get(&kind).filter(|(count, _)| *count == self.count).map(|(_, places)| places.as_slice())
    }

    fn remember(&mut self, kind: u16, places: &[u64]) {
        if places.len() > PLACES_REMEMBERED {
            return;
        }
        if self.places.len() >= KINDS_REMEMBERED && !self.places.contains_key(&kind) {
            self.places.pop_first();
        }
        self.places.insert(kind, (self.count, places.to_vec()));
    }

    fn close(&mut self) {
        // sled writes when it is closed, and may panic on files that are damaged. They are rebuilt or of no use any more.
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }

    /// What only the holder of this month's key knows.
    fn owner(&self) -> u64 {
        hmac::sign(&self.key, b"owner").as_ref().first_chunk().map_or(0, |raw| u64::from_be_bytes(*raw))
    }

    fn tag(&self, field: Field, value: &[u8]) -> [u8; TAG] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&[field as u8]);
        context.update(value);
        let mut tag = [0; TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..TAG]);
        tag
    }

    /// Adds the next records, [`STEP`] at most. True when all are in it, on disk.
    fn extend(&mut self, archive: &Archive, month: &Month) -> Result<bool, Unusable> {
        let end = (self.count + STEP).min(month.count);
        while self.count < end {
            let upto = (self.count + BATCH).min(end);
            let (mut batch, mut sum) = (sled::Batch::default(), self.sum);
            let mut visit = |index: u64, slot: Slot| {
                for key in self.keys_of(&slot.entry.record, index) {
                    sum.add(&key);
                    batch.insert(key, &[]);
                }
                true
            };
            let (from, to) = (month.first_index + self.count, month.first_index + upto);
            archive.scan(from, to, &mut visit).map_err(|error| Unusable(error.to_string()))?;
            batch.insert(COUNT, &sum.stored(upto, self.owner()));
            self.db()?.apply_batch(batch)?;
            (self.count, self.sum) = (upto, sum);
        }
        if self.count < month.count {
            return Ok(false);
        }
        self.db()?.flush()?;
        Ok(true)
    }

    /// Each key once, so that what is counted is what is there.
    fn keys_of(&self, record: &Record, index: u64) -> impl Iterator<Item = Vec<u8>> {
        let mut tags = vec![self.tag(Field::Kind, &record.kind.to_be_bytes())];
        tags.extend([record.message_id, record.replaces].iter().flatten().map(|id| self.tag(Field::MessageId, id.as_bytes())));
        tags.extend(record.case_ref.iter().map(|case_ref| self.tag(Field::CaseRef, case_ref.as_bytes())));
        let parties = [&record.actor, &record.sender, &record.recipient];
        tags.extend(parties.into_iter().flatten().map(|id| self.tag(Field::Participant, id.as_str().as_bytes())));
        tags.sort_unstable();
        tags.dedup();
        tags.into_iter().map(move |tag| [&tag[..], &index.to_be_bytes()].concat())
    }

    fn find(&mut self, field: Field, value: &[u8], from: u64, max: usize) -> Option<Vec<u64>> {
        let tag = self.tag(field, value);
        let key = |index: u64| [&tag[..], &index.to_be_bytes()].concat();
        let mut found = Vec::new();
        for entry in self.db().ok()?.range(key(from)..=key(u64::MAX)).take(max) {
            let (key, _) = entry.ok()?;
            found.push(u64::from_be_bytes(key.get(TAG..)?.try_into().ok()?));
        }
        Some(found)
    }
}
