//! The auditors' search index: sled, one folder a month, search only. The only file that names sled.
//!
//! `key = HMAC-SHA256(month key, field ‖ value), first 16 bytes ‖ log index`, empty values. It holds nothing that cannot be rebuilt from the
//! records, is never asked for routing, idempotency or receipts, and every hit is compared with its record. Losing it costs a rebuild.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use aws_lc_rs::hmac;

use super::engine::Engine;
use super::keys::Keys;
use super::layout::Layout;
use super::records::{Archive, Month, Slot};
use crate::audit::record::Record;
use crate::domain::time::Date;
use crate::store::RecordFilter;

const COUNT: &[u8] = b"count";
const TAG: usize = 16;
/// Records indexed in one batch.
const BATCH: u64 = 512;

/// What can be looked for.
#[derive(Clone, Copy)]
enum Field {
    MessageId = 1,
    CaseRef = 2,
    Participant = 3,
    Kind = 4,
}

struct MonthIndex {
    db: sled::Db,
    key: hmac::Key,
    count: u64,
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
        let kept: Vec<Date> = archive.months().iter().map(|month| month.first_day).collect();
        self.months.retain(|month, _| kept.contains(month));
        for month in archive.months() {
            if engine.is_broken() {
                return;
            }
            if let Err(first) = self.month_up(&archive, month) {
                tracing::warn!(month = %month.first_day, error = %first, "the search index of a month is built anew");
                self.erase(month.first_day);
                if let Err(error) = self.month_up(&archive, month) {
                    tracing::warn!(month = %month.first_day, %error, "searches in this month read every record");
                    self.erase(month.first_day);
                }
            }
        }
    }

    /// Closes and removes a month.
    pub fn erase(&mut self, month: Date) {
        self.months.remove(&month);
        if let Some(path) = self.path(month)
            && let Err(error) = self.layout.disk().remove_dir_all(&path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%month, %error, "the search index of a month cannot be removed; its keys are gone with the month's records");
        }
    }

    fn month_up(&mut self, archive: &Archive, month: &Month) -> Result<(), Unusable> {
        if !self.months.contains_key(&month.first_day) {
            let opened = self.open(month)?;
            self.months.insert(month.first_day, opened);
        }
        let index = self.months.get_mut(&month.first_day).ok_or_else(|| Unusable("it is closed".into()))?;
        if index.count > month.count {
            return Err(Unusable("it is of other records".into()));
        }
        // sled is known to panic on damaged files; that must cost a rebuild and nothing else.
        catch_unwind(AssertUnwindSafe(|| index.extend(archive, month))).map_err(|_| Unusable("it panicked".into()))?
    }

    fn open(&self, month: &Month) -> Result<MonthIndex, Unusable> {
        let secret = self.keys.secret(&month.name()).map_err(|error| Unusable(error.to_string()))?;
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret[..]), b"samband search index");
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        let path = self.path(month.first_day).ok_or_else(|| Unusable("this disk has none".into()))?;
        let open = || -> Result<(sled::Db, u64), sled::Error> {
            let db = sled::Config::new().path(&path).cache_capacity(16 << 20).flush_every_ms(None).open()?;
            let count = db.get(COUNT)?.and_then(|raw| raw.as_ref().try_into().ok().map(u64::from_be_bytes)).unwrap_or(0);
            Ok((db, count))
        };
        let opened = catch_unwind(AssertUnwindSafe(open)).map_err(|_| Unusable("it panicked".into()))?;
        let (db, count) = opened.map_err(|error| Unusable(error.to_string()))?;
        Ok(MonthIndex { db, key, count })
    }

    /// Log indices in `month` that may match, ascending from `from`, at most `max`; `None` when the index cannot tell.
    #[must_use]
    pub fn candidates(&self, month: &Month, filter: &RecordFilter, from: u64, max: usize) -> Option<Vec<u64>> {
        let index = self.months.get(&month.first_day).filter(|index| index.count >= month.count)?;
        let (field, value) = field_of(filter)?;
        catch_unwind(AssertUnwindSafe(|| index.find(field, &value, from, max))).ok().flatten()
    }
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

impl MonthIndex {
    fn tag(&self, field: Field, value: &[u8]) -> [u8; TAG] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&[field as u8]);
        context.update(value);
        let mut tag = [0; TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..TAG]);
        tag
    }

    fn extend(&mut self, archive: &Archive, month: &Month) -> Result<(), Unusable> {
        let failed = |error: sled::Error| Unusable(error.to_string());
        while self.count < month.count {
            let upto = (self.count + BATCH).min(month.count);
            let mut batch = sled::Batch::default();
            let mut visit = |index: u64, slot: Slot| {
                self.keys_of(&slot.entry.record, index).for_each(|key| batch.insert(key, &[]));
                true
            };
            let (from, to) = (month.first_index + self.count, month.first_index + upto);
            archive.scan(from, to, &mut visit).map_err(|error| Unusable(error.to_string()))?;
            batch.insert(COUNT, &upto.to_be_bytes());
            self.db.apply_batch(batch).map_err(failed)?;
            self.count = upto;
        }
        self.db.flush().map(|_| ()).map_err(failed)
    }

    fn keys_of(&self, record: &Record, index: u64) -> impl Iterator<Item = Vec<u8>> {
        let mut tags = vec![self.tag(Field::Kind, &record.kind.to_be_bytes())];
        tags.extend([record.message_id, record.replaces].iter().flatten().map(|id| self.tag(Field::MessageId, id.as_bytes())));
        tags.extend(record.case_ref.iter().map(|case_ref| self.tag(Field::CaseRef, case_ref.as_bytes())));
        let parties = [&record.actor, &record.sender, &record.recipient];
        tags.extend(parties.into_iter().flatten().map(|id| self.tag(Field::Participant, id.as_str().as_bytes())));
        tags.into_iter().map(move |tag| [&tag[..], &index.to_be_bytes()].concat())
    }

    fn find(&self, field: Field, value: &[u8], from: u64, max: usize) -> Option<Vec<u64>> {
        let tag = self.tag(field, value);
        let key = |index: u64| [&tag[..], &index.to_be_bytes()].concat();
        let mut found = Vec::new();
        for entry in self.db.range(key(from)..=key(u64::MAX)).take(max) {
            let (key, _) = entry.ok()?;
            found.push(u64::from_be_bytes(key.get(TAG..)?.try_into().ok()?));
        }
        Some(found)
    }
}
