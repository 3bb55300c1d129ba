//! The auditors' search index: sled, one folder a month, search only. The only file that names sled.
//!
//! `key = HMAC-SHA256(month key, field ‖ value), first 16 bytes ‖ log index`, empty values. It holds nothing that cannot be rebuilt from the
//! records, is never asked for routing, idempotency or receipts, and every hit is compared with its record. Losing it costs a rebuild.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::hmac;

use super::disk::Disk;
use super::engine::Engine;
use super::keys::Keys;
use super::layout::Layout;
use super::records::{Archive, Month, Slot};
use crate::audit::record::Record;
use crate::domain::time::{Date, parse_date};
use crate::store::RecordFilter;

const COUNT: &[u8] = b"count";
const TAG: usize = 16;
/// Records indexed in one batch. sled frees what a batch replaced only after it: with batches eight times as long an index holds a gigabyte.
const BATCH: u64 = 64;
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
    /// Taken out only when it is closed.
    db: Option<sled::Db>,
    key: hmac::Key,
    count: u64,
    sum: Sum,
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
        // sled writes when it is closed, and may panic on files that are damaged. They are rebuilt or of no use any more.
        let db = self.db.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(db)));
    }
}

/// The index over the record files.
pub struct SearchIndex {
    layout: Layout,
    keys: Keys,
    months: HashMap<Date, MonthIndex>,
}

/// Any failure of the index: it is dropped and built again.
#[derive(Debug, thiserror::Error)]
#[error("the search index cannot be used: {0}")]
struct Unusable(String);

impl SearchIndex {
    /// Over the store's index folder; nothing is opened yet.
    #[must_use]
    pub fn new(layout: &Layout, keys: &Keys) -> Self {
        Self { layout: layout.clone(), keys: keys.clone(), months: HashMap::new() }
    }

    /// sled opens its files itself; on a disk that is not the operating system's there is no index.
    fn path(&self, month: Date) -> Option<PathBuf> {
        self.layout.disk().outside(&self.layout.path(&format!("index/{:04}-{:02}", month.year(), month.month())))
    }

    /// Indexes what is in the record files and not in the index; builds anew what cannot be used.
    pub fn catch_up(&mut self, engine: &Engine) {
        let archive = engine.archive.load_full();
        self.forget_erased(archive.months());
        for month in archive.months() {
            if engine.is_ending() {
                return;
            }
            if let Err(first) = self.month_up(engine, &archive, month) {
                if engine.is_ending() {
                    return;
                }
                tracing::warn!(month = %month.first_day, error = %first, "the search index of a month is built anew");
                self.erase(month.first_day);
                if let Err(error) = self.month_up(engine, &archive, month) {
                    tracing::warn!(month = %month.first_day, %error, "searches in this month read every record");
                    self.erase(month.first_day);
                }
            }
        }
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
        if let Some(path) = self.path(month)
            && let Err(error) = remove_all(self.layout.disk(), &path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%month, %error, "the search index of a month cannot be removed; its keys are gone with the month's records");
        }
    }

    fn month_up(&mut self, engine: &Engine, archive: &Archive, month: &Month) -> Result<(), Unusable> {
        if !self.months.contains_key(&month.first_day) {
            let opened = self.open(month)?;
            self.months.insert(month.first_day, opened);
        }
        let index = self.months.get_mut(&month.first_day).ok_or_else(|| Unusable("it is closed".into()))?;
        if index.failed.load(Ordering::Relaxed) {
            return Err(Unusable("a search failed".into()));
        }
        if index.count > month.count {
            return Err(Unusable("it is of other records".into()));
        }
        // sled is known to panic on damaged files; that must cost a rebuild and nothing else.
        catch_unwind(AssertUnwindSafe(|| index.extend(engine, archive, month))).map_err(|_| Unusable("it panicked".into()))?
    }

    fn open(&self, month: &Month) -> Result<MonthIndex, Unusable> {
        let secret = self.keys.secret(&month.name()).map_err(|error| Unusable(error.to_string()))?;
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret[..]), b"samband search index");
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        let path = self.path(month.first_day).ok_or_else(|| Unusable("this disk has none".into()))?;
        let open = || {
            let db = sled::Config::new().path(&path).cache_capacity(16 << 20).flush_every_ms(None).open()?;
            MonthIndex { db: Some(db), key, count: 0, sum: Sum::default(), failed: AtomicBool::new(false) }.read()
        };
        catch_unwind(AssertUnwindSafe(open)).map_err(|_| Unusable("it panicked".into()))?
    }

    /// Log indices in `month` that may match, ascending from `from`, at most `max`; `None` when the index cannot tell.
    #[must_use]
    pub fn candidates(&self, month: &Month, filter: &RecordFilter, from: u64, max: usize) -> Option<Vec<u64>> {
        let index = self.months.get(&month.first_day).filter(|index| index.count >= month.count)?;
        let (field, value) = field_of(filter)?;
        let found = catch_unwind(AssertUnwindSafe(|| index.find(field, &value, from, max))).ok().flatten();
        if found.is_none() {
            index.failed.store(true, Ordering::Relaxed);
        }
        found
    }
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
        let db = self.db()?;
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

    fn db(&self) -> Result<&sled::Db, Unusable> {
        self.db.as_ref().ok_or_else(|| Unusable("it is closed".into()))
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

    fn extend(&mut self, engine: &Engine, archive: &Archive, month: &Month) -> Result<(), Unusable> {
        let missing = month.count - self.count;
        let is_told = self.count == 0 || missing > TOLD_FROM;
        if is_told {
            tracing::info!(month = %month.first_day, records = missing, "the search index of a month is being built; searches read records meanwhile");
        }
        while self.count < month.count {
            if engine.is_ending() {
                return Err(Unusable("the store is stopping".into()));
            }
            let upto = (self.count + BATCH).min(month.count);
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
        if is_told {
            tracing::info!(month = %month.first_day, records = self.count, "the search index of a month is built");
        }
        if missing > 0 {
            self.db()?.flush()?;
        }
        Ok(())
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

    fn find(&self, field: Field, value: &[u8], from: u64, max: usize) -> Option<Vec<u64>> {
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
