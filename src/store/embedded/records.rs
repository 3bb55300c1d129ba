//! Record files: one a month, fixed-size sealed slots, so that a log index is a place in a file and no index is needed.
//!
//! `header (32): "SbRec1\0\0" ‖ first log index (8) ‖ CRC-32 (4) ‖ zeros`, then slots of 768 bytes. A slot is written once; writing it again
//! after a crash writes the very same bytes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::disk::Open;
use super::error::{IoContext as _, OpenError};
use super::holds::{HeldFile, HeldRecords};
use super::journal::SealedFile;
use super::keys::Keys;
use super::layout::{Layout, sync_dir};
use crate::audit::leaf::Openings;
use crate::audit::record::Record;
use crate::clock::Entropy;
use crate::domain::time::{Date, Timestamp, parse_date, plus_months};
use crate::store::readers::give_way;
use crate::store::sealer::{Place, Sealer, TAG_LEN};

/// Bytes of a slot on disk.
pub const SLOT_LEN: usize = 768;
/// Bytes in front of the first slot.
pub const HEADER_LEN: usize = 32;
const MAGIC: &[u8; 8] = b"SbRec1\0\0";
/// What a slot holds before sealing: a length, the bytes, zeros.
const PLAIN_LEN: usize = SLOT_LEN - TAG_LEN;
/// Slots read at once by a scan.
const SCAN_SLOTS: u64 = 256;

/// One record with what opens its leaf.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What auditors read.
    pub record: Record,
    /// The secrets of its leaf.
    pub openings: Openings,
}

/// One record as it lies in a slot.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The record and its secrets.
    pub entry: Entry,
    /// The tree size of the frame it was made durable with: the size its receipt was made at.
    pub batch: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    record: Record,
    r: [u8; 32],
    r2: [u8; 32],
    batch: u64,
}

/// One month of records: which slots of which file count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Month {
    /// Its first day, in Oslo.
    pub first_day: Date,
    /// Log index of slot 0.
    pub first_index: u64,
    /// Slots written.
    pub count: u64,
}

impl Month {
    /// Name of its file.
    #[must_use]
    pub fn name(&self) -> String {
        month_name(self.first_day)
    }

    /// Whether a file can be as long as this one, and a log.
    pub(super) fn can_be(&self) -> bool {
        let bytes = self.count.checked_mul(SLOT_LEN as u64).and_then(|slots| slots.checked_add(HEADER_LEN as u64));
        bytes.is_some() && self.first_index.checked_add(self.count).is_some()
    }

    /// One past the last log index.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first_index + self.count
    }
}

/// The first day of the month of `at`, in Oslo.
#[must_use]
pub fn month_of(at: Timestamp) -> Date {
    at.oslo_date().first_of_month()
}

/// Name of a month's file.
#[must_use]
pub fn month_name(first_day: Date) -> String {
    format!("records/{:04}-{:02}.rec", first_day.year(), first_day.month())
}

/// The month of a file name, if it is one of this store's making.
#[must_use]
pub fn month_of_name(name: &str) -> Option<Date> {
    let date = parse_date(&format!("{}-01", name.strip_prefix("records/")?.strip_suffix(".rec")?))?;
    (month_name(date) == name).then_some(date)
}

/// Months of `months` whose records have lived long enough on `today`.
#[must_use]
pub fn outlived(months: &[Month], today: Date, keep_months: u32) -> Vec<Month> {
    let keep = i32::try_from(keep_months).unwrap_or(i32::MAX - 1);
    // A month's records live `keep` whole months after the month's own end.
    months.iter().filter(|month| plus_months(month.first_day, keep.saturating_add(1)) <= today).copied().collect()
}

fn place(slot: u64) -> Place {
    Place { sequence: slot, part: 0, position: slot }
}

/// What a slot holds before sealing.
pub fn plain_of_slot(index: u64, slot: &Slot) -> Result<zeroize::Zeroizing<[u8; PLAIN_LEN]>, OpenError> {
    let Slot { entry, batch } = slot;
    let stored = Stored { record: entry.record.clone(), r: *entry.openings.r(), r2: *entry.openings.r2(), batch: *batch };
    let bytes = zeroize::Zeroizing::new(postcard::to_stdvec(&stored).expect("a record is plain data"));
    if bytes.len() > PLAIN_LEN - 2 {
        return Err(OpenError::RecordTooLong(index));
    }
    let mut plain = zeroize::Zeroizing::new([0_u8; PLAIN_LEN]);
    plain[..2].copy_from_slice(&(bytes.len() as u16).to_le_bytes());
    plain[2..2 + bytes.len()].copy_from_slice(&bytes);
    Ok(plain)
}

fn encode_slot(index: u64, slot: &Slot, number: u64, sealer: &Sealer, out: &mut Vec<u8>) -> Result<(), OpenError> {
    sealer.seal_into(place(number), &plain_of_slot(index, slot)?[..], out);
    Ok(())
}

/// Writes the slots of `entries`, the first of which has the log index `first`, and makes them durable. `months` grows with them; a month that is
/// not in it gets a new file and key.
pub fn write_slots(
    (layout, keys, entropy): (&Layout, &Keys, &dyn Entropy),
    months: &mut Vec<Month>,
    first: u64,
    entries: &[Slot],
) -> Result<(), OpenError> {
    let mut index = first;
    for group in entries.chunk_by(|a, b| month_of(a.entry.record.time) == month_of(b.entry.record.time)) {
        let first_day = month_of(group[0].entry.record.time);
        let is_new = months.last().is_none_or(|month| month.first_day != first_day);
        if is_new {
            months.push(Month { first_day, first_index: index, count: 0 });
        }
        let month = months.last_mut().expect("one was just there or pushed");
        let file = open_for_writing(layout, keys, entropy, month, is_new)?;
        write_group(&file, month, group)?;
        file.file.sync_data().at("cannot make durable", &layout.path(&month.name()))?;
        index += group.len() as u64;
    }
    sync_dir(layout.disk(), &layout.path("records"))
}

fn write_group(file: &SealedFile, month: &mut Month, group: &[Slot]) -> Result<(), OpenError> {
    let mut buffer = Vec::with_capacity(SLOT_LEN * group.len().min(1024));
    for chunk in group.chunks(1024) {
        buffer.clear();
        let start = month.count;
        for slot in chunk {
            encode_slot(month.end(), slot, month.count, &file.sealer, &mut buffer)?;
            month.count += 1;
        }
        let offset = HEADER_LEN as u64 + start * SLOT_LEN as u64;
        file.file.write_all_at(&buffer, offset).at("cannot write", std::path::Path::new(&month.name()))?;
    }
    Ok(())
}

fn open_for_writing(layout: &Layout, keys: &Keys, entropy: &dyn Entropy, month: &Month, is_new: bool) -> Result<SealedFile, OpenError> {
    let name = month.name();
    let path = layout.path(&name);
    if !is_new {
        let file = layout.disk().open(&path, Open::Write).at("cannot open", &path)?;
        return Ok(SealedFile { file, sealer: keys.open(&name)? });
    }
    // What an unfinished turn left under this name is under a key that is overwritten here.
    let file = layout.disk().open(&path, Open::Truncate).at("cannot create", &path)?;
    let sealer = keys.create(&name, entropy)?;
    file.write_all_at(&header(month), 0).at("cannot write", &path)?;
    Ok(SealedFile { file, sealer })
}

fn header(month: &Month) -> [u8; HEADER_LEN] {
    let mut header = [0_u8; HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&month.first_index.to_le_bytes());
    let crc = crc32fast::hash(&header[..16]);
    header[16..20].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Writes records that a month does not give into it again, from a sound copy, and makes them durable: the very bytes that stood there, so that a
/// crash on the way leaves each as it was or sound.
///
/// # Errors
/// When the file or its key is gone, or whatever the disk says.
pub fn write_again(layout: &Layout, keys: &Keys, month: &Month, slots: &[(u64, Slot)]) -> Result<(), OpenError> {
    let path = layout.path(&month.name());
    let file = layout.disk().open(&path, Open::Write).at("cannot open", &path)?;
    let file = SealedFile { file, sealer: keys.open(&month.name())? };
    file.file.write_all_at(&header(month), 0).at("cannot write", &path)?;
    let mut sealed = Vec::with_capacity(SLOT_LEN);
    for (index, slot) in slots {
        let number = index - month.first_index;
        sealed.clear();
        encode_slot(*index, slot, number, &file.sealer, &mut sealed)?;
        file.file.write_all_at(&sealed, HEADER_LEN as u64 + number * SLOT_LEN as u64).at("cannot write", &path)?;
    }
    file.file.sync_data().at("cannot make durable", &path)
}

/// Reads the record files in force.
#[derive(Debug)]
pub struct Archive {
    layout: Layout,
    keys: Keys,
    months: Vec<Month>,
    held: HeldRecords,
    open: Mutex<HashMap<Date, Arc<SealedFile>>>,
}

impl Archive {
    /// Over these months, and what holds keep besides.
    #[must_use]
    pub fn new(layout: &Layout, keys: &Keys, months: Vec<Month>, held: Vec<HeldFile>) -> Self {
        let held = HeldRecords::new(layout, keys, held);
        Self { layout: layout.clone(), keys: keys.clone(), months, held, open: Mutex::new(HashMap::new()) }
    }

    /// What holds keep; much of it stands in its month as well.
    #[must_use]
    pub const fn held(&self) -> &HeldRecords {
        &self.held
    }

    /// The months, oldest first, without gaps in their indices.
    #[must_use]
    pub fn months(&self) -> &[Month] {
        &self.months
    }

    /// The first log index whose record is kept by its month, if any is.
    #[must_use]
    pub fn first_kept(&self) -> Option<u64> {
        self.months.first().map(|month| month.first_index)
    }

    fn file(&self, month: &Month) -> Result<Arc<SealedFile>, OpenError> {
        let mut open = self.open.lock();
        if let Some(file) = open.get(&month.first_day) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(open_month(&self.layout, &self.keys, month)?);
        open.insert(month.first_day, Arc::clone(&file));
        Ok(file)
    }

    /// The record at a log index; `None` when its month is erased and no hold keeps it, or when it is not here yet. One that its month does not give
    /// is taken from the copy of a hold, if there is one.
    pub fn slot(&self, index: u64) -> Result<Option<Slot>, OpenError> {
        let Some(month) = self.months.iter().find(|month| (month.first_index..month.end()).contains(&index)) else {
            return self.held.slot(index);
        };
        match self.file(month).and_then(|file| read_slots(&file, month, index - month.first_index, 1)) {
            Ok(mut slots) => Ok(slots.pop()),
            Err(error) => self.held_copy(index).map(Some).ok_or(error),
        }
    }

    /// What a hold keeps of a record whose month does not give it. It is sealed with its index, and opens its leaf or not, as the other would.
    fn held_copy(&self, index: u64) -> Option<Slot> {
        self.held.slot(index).ok().flatten()
    }

    /// Gives the records from log index `from` up to `to` to `visit`, in order, until it says no more.
    pub fn scan(&self, from: u64, to: u64, visit: &mut dyn FnMut(u64, Slot) -> bool) -> Result<(), OpenError> {
        for month in &self.months {
            let (mut next, end) = (from.max(month.first_index), to.min(month.end()));
            while next < end {
                let count = SCAN_SLOTS.min(end - next);
                for slot in read_slots(&*self.file(month)?, month, next - month.first_index, count)? {
                    if !visit(next, slot) {
                        return Ok(());
                    }
                    next += 1;
                }
            }
        }
        Ok(())
    }

    /// Gives each record from log index `from` up to `to` to `visit`, in order, until it says no more; nothing for one that can be read neither in
    /// its month nor in the copy of a hold.
    pub fn each(&self, from: u64, to: u64, visit: &mut dyn FnMut(u64, Option<Slot>) -> bool) {
        self.each_of_months(from, to, &mut |index, slot| visit(index, slot.or_else(|| self.held_copy(index))));
    }

    /// The same of the record files alone: what is damaged in them is damaged, whatever a hold keeps of it.
    pub fn each_of_months(&self, from: u64, to: u64, visit: &mut dyn FnMut(u64, Option<Slot>) -> bool) {
        for month in &self.months {
            let (mut next, end) = (from.max(month.first_index), to.min(month.end()));
            while next < end {
                let count = SCAN_SLOTS.min(end - next);
                let read = |at: u64, count: u64| read_slots(&*self.file(month)?, month, at - month.first_index, count);
                let more = match read(next, count) {
                    Ok(slots) => (next..).zip(slots).all(|(at, slot)| visit(at, Some(slot))),
                    // One of them is damaged: which, and only that one.
                    Err(_) => (next..next + count).all(|at| visit(at, read(at, 1).ok().and_then(|mut slots| slots.pop()))),
                };
                if !more {
                    return;
                }
                next += count;
            }
        }
    }

    /// The first log index whose record is not before `at`. Records are in order of time; one that cannot be read counts as the next that can.
    pub fn first_not_before(&self, at: Timestamp) -> Result<Option<u64>, OpenError> {
        let Some(first) = self.first_kept() else { return Ok(None) };
        let (mut low, mut high) = (first, self.months.last().map_or(first, Month::end));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.first_readable(middle, high) {
                Some((index, slot)) if slot.entry.record.time < at => low = index + 1,
                _ => high = middle,
            }
        }
        Ok(Some(low))
    }

    /// The first record from log index `from` up to `to` that can be read. A month whose file cannot be opened is tried once.
    fn first_readable(&self, from: u64, to: u64) -> Option<(u64, Slot)> {
        self.months.iter().filter(|month| month.first_index < to && month.end() > from).find_map(|month| {
            let file = self.file(month).ok()?;
            let read = |index: u64| read_slots(&file, month, index - month.first_index, 1).ok()?.pop();
            (from.max(month.first_index)..to.min(month.end())).find_map(|index| Some((index, read(index)?)))
        })
    }
}

/// The first log index in the header of a record file, when the header is one.
#[must_use]
pub fn first_of_header(header: &[u8; HEADER_LEN]) -> Option<u64> {
    let is_sound = header[..8] == *MAGIC
        && header[16..20] == crc32fast::hash(&header[..16]).to_le_bytes()
        && header[20..].iter().all(|byte| *byte == 0);
    header[8..16].first_chunk().filter(|_| is_sound).map(|raw| u64::from_le_bytes(*raw))
}

/// The bytes of the slot `number` with this record in it, the same each time.
pub fn sealed_slot(sealer: &Sealer, number: u64, index: u64, slot: &Slot) -> Result<Vec<u8>, OpenError> {
    let mut out = Vec::with_capacity(SLOT_LEN);
    encode_slot(index, slot, number, sealer, &mut out)?;
    Ok(out)
}

/// Opens a month's file for reading, its header checked.
pub fn open_month(layout: &Layout, keys: &Keys, month: &Month) -> Result<SealedFile, OpenError> {
    let name = month.name();
    let file = layout.open(&name)?;
    let mut header = [0_u8; HEADER_LEN];
    file.read_exact_at(&mut header, 0).map_err(|_| OpenError::damage(&name, 0, "the file ends within its header"))?;
    if first_of_header(&header) != Some(month.first_index) {
        return Err(OpenError::damage(&name, 0, "the header of the record file is not what was written"));
    }
    Ok(SealedFile { file, sealer: keys.open(&name)? })
}

/// The record of a slot's plain form: a length, the bytes, anything.
pub fn slot_of_plain(plain: &[u8]) -> Option<Slot> {
    let (len, rest) = plain.split_first_chunk::<2>()?;
    let bytes = rest.get(..usize::from(u16::from_le_bytes(*len)))?;
    let Stored { record, r, r2, batch } = postcard::from_bytes(bytes).ok()?;
    Some(Slot { entry: Entry { record, openings: Openings::new(r, r2) }, batch })
}

/// Reads `count` slots from slot `first` on.
pub fn read_slots(file: &SealedFile, month: &Month, first: u64, count: u64) -> Result<Vec<Slot>, OpenError> {
    let offset = HEADER_LEN as u64 + first * SLOT_LEN as u64;
    let mut bytes = vec![0_u8; SLOT_LEN * count as usize];
    let damage = |slot: u64, what: &str| OpenError::damage(&month.name(), HEADER_LEN as u64 + slot * SLOT_LEN as u64, what);
    file.file.read_exact_at(&mut bytes, offset).map_err(|_| damage(first, "the file ends before this record"))?;
    let mut slots = Vec::with_capacity(count as usize);
    for (number, sealed) in (first..).zip(bytes.chunks_exact(SLOT_LEN)) {
        give_way();
        let plain = file.sealer.open(place(number), &[], sealed).map_err(|error| damage(number, &error.to_string()))?;
        slots.push(slot_of_plain(&plain).ok_or_else(|| damage(number, "the record has another shape"))?);
    }
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_lives_its_whole_months_after_its_own_end() {
        let month = |y, m| Month { first_day: Date::constant(y, m, 1), first_index: 0, count: 1 };
        let months = [month(2025, 1), month(2025, 2)];
        assert!(outlived(&months, Date::constant(2026, 2, 28), 13).is_empty());
        assert_eq!(outlived(&months, Date::constant(2026, 3, 1), 13), [months[0]]);
        assert_eq!(outlived(&months, Date::constant(2026, 4, 1), 13), months);
    }

    #[test]
    fn only_names_of_our_own_making_are_months() {
        assert_eq!(month_of_name("records/2026-11.rec"), Some(Date::constant(2026, 11, 1)));
        for name in ["records/2026-13.rec", "records/26-11.rec", "records/2026-11.rec.bak", "records/notes.txt"] {
            assert_eq!(month_of_name(name), None, "{name}");
        }
    }
}
