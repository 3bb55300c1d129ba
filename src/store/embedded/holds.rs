//! Held records: what a legal hold keeps beyond its month, one sealed file with its own key for each hold: the records of its case, and successions.
//!
//! `header (32): "SbHld1\0\0" ‖ log index of the placing (8) ‖ slots (8) ‖ CRC-32 (4) ‖ zeros`, then slots as in a record file, each authenticated
//! with its log index. Which index stands in which slot is in the base. A file is written once, by the turn whose number its name ends with, and is
//! never changed: what joins or leaves a hold is a new file under a new key, and the old one goes with its key.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::disk::{Appender, Open};
use super::error::{IoContext as _, OpenError};
use super::journal::SealedFile;
use super::keys::Keys;
use super::layout::{Layout, sync_dir};
use super::records::{Archive, HEADER_LEN, Month, SLOT_LEN, Slot, plain_of_slot, slot_of_plain, write_again};
use crate::audit::event::{Event, kind};
use crate::clock::Entropy;
use crate::domain::hold::{HeldCase, Hold, HoldCopy, last_lawful_day};
use crate::domain::id::CaseRef;
use crate::domain::time::Date;
use crate::store::sealer::Place;

const MAGIC: &[u8; 8] = b"SbHld1\0\0";

/// One file of held records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFile {
    /// Whose.
    pub case: HeldCase,
    /// Log index of the event that placed the hold.
    pub placed: u64,
    /// Number of the base that it was written with.
    pub base: u64,
    /// Every record that stood could be read when it was written, so that none of the case is lacking; else each turn looks again, and no month
    /// with a record that cannot be read goes meanwhile, see [`going`].
    pub whole: bool,
    /// Log index of the record in each slot, ascending.
    pub indices: Vec<u64>,
    /// What of it is damaged or gone. Stands behind all else in the base, and only where there is any.
    #[serde(skip)]
    pub lacks: Lacks,
}

/// What a hold lacks, carried from turn to turn for as long as the hold lives: what is gone cannot be found again, and nothing else tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lacks {
    /// Records of this file that could not be read by the last turn. They stand, and may be put back.
    pub damaged: u64,
    /// Records that are gone and could not be read before: of months that went, and of files of this hold.
    pub lost: u64,
}

impl HeldFile {
    /// Its name. It does not tell the case.
    #[must_use]
    pub fn name(&self) -> String {
        format!("holds/{:012}-{:012}.rec", self.placed, self.base)
    }
}

/// What there is of the copy that these files, all of one hold, make.
#[must_use]
pub fn copy<'f>(files: impl Iterator<Item = &'f HeldFile>) -> HoldCopy {
    let (mut any, mut stands, mut lost) = (false, false, 0_u64);
    for file in files {
        any = true;
        stands |= !file.whole || file.lacks.damaged > 0;
        lost = lost.saturating_add(file.lacks.lost);
    }
    match (any, stands, lost) {
        (false, ..) => HoldCopy::Pending,
        (true, true, lost) => HoldCopy::NotWhole { lost },
        (true, false, 0) => HoldCopy::Whole,
        (true, false, lost) => HoldCopy::Lost { lost },
    }
}

/// Whether a turn may find what the last one did not.
#[must_use]
pub fn need_a_look(files: &[HeldFile]) -> bool {
    files.iter().any(|file| !file.whole || file.lacks.damaged > 0)
}

/// The holds that are not whole: log index of the placing, and what there is.
#[must_use]
pub fn lacking(files: &[HeldFile]) -> Vec<(u64, HoldCopy)> {
    let placed: BTreeSet<u64> = files.iter().map(|file| file.placed).collect();
    let copies = placed.into_iter().map(|placed| (placed, copy(files.iter().filter(|file| file.placed == placed))));
    copies.filter(|(_, copy)| copy.is_lacking()).collect()
}

/// The number of the base that a file of this name was written with, if the name is one of this store's making.
#[must_use]
pub fn base_of_name(name: &str) -> Option<u64> {
    numbers_of_name(name).map(|(_, base)| base)
}

/// The log index of the placing and the number of the base in a name of this store's making.
#[must_use]
pub fn numbers_of_name(name: &str) -> Option<(u64, u64)> {
    let number = |digits: &str| (digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten();
    let (placed, base) = name.strip_prefix("holds/")?.strip_suffix(".rec")?.split_once('-')?;
    Some((number(placed)?, number(base)?))
}

fn place(slot: u64, index: u64) -> Place {
    Place { sequence: slot, part: 0, position: index }
}

fn header(file: &HeldFile) -> [u8; HEADER_LEN] {
    let mut header = [0_u8; HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&file.placed.to_le_bytes());
    header[16..24].copy_from_slice(&(file.indices.len() as u64).to_le_bytes());
    let crc = crc32fast::hash(&header[..24]);
    header[24..28].copy_from_slice(&crc.to_le_bytes());
    header
}

/// Where a file with this header ends, when the header is one of the hold placed at `placed`.
#[must_use]
pub fn end_of_header(header: &[u8; HEADER_LEN], placed: u64) -> Option<u64> {
    let is_sound = header[..8] == *MAGIC
        && header[8..16] == placed.to_le_bytes()
        && header[24..28] == crc32fast::hash(&header[..24]).to_le_bytes()
        && header[28..].iter().all(|byte| *byte == 0);
    let slots = header[16..24].first_chunk().filter(|_| is_sound).map(|raw| u64::from_le_bytes(*raw))?;
    slots.checked_mul(SLOT_LEN as u64)?.checked_add(HEADER_LEN as u64)
}

/// Writes a file of these slots under a key of its own, durable before this returns.
fn write((layout, keys, entropy): (&Layout, &Keys, &dyn Entropy), file: &HeldFile, slots: &[(u64, Slot)]) -> Result<(), OpenError> {
    let name = file.name();
    let path = layout.path(&name);
    // The file before its key, as a key without its file counts as a leftover and one with an empty file does too.
    let mut out = Appender::new(layout.disk().open(&path, Open::Truncate).at("cannot create", &path)?);
    let sealer = keys.create(&name, entropy)?;
    out.append(&header(file)).at("cannot write", &path)?;
    let mut sealed = Vec::with_capacity(SLOT_LEN);
    for (number, (index, slot)) in (0_u64..).zip(slots) {
        sealed.clear();
        sealer.seal_into(place(number, *index), &plain_of_slot(*index, slot)?[..], &mut sealed);
        out.append(&sealed).at("cannot write", &path)?;
    }
    out.finish().at("cannot write", &path)?.sync_data().at("cannot make durable", &path)?;
    sync_dir(layout.disk(), &layout.path("holds"))
}

/// Opens a file for reading, its header checked.
pub fn open(layout: &Layout, keys: &Keys, file: &HeldFile) -> Result<SealedFile, OpenError> {
    let name = file.name();
    let handle = layout.open(&name)?;
    let mut found = [0_u8; HEADER_LEN];
    handle.read_exact_at(&mut found, 0).map_err(|_| OpenError::damage(&name, 0, "the file ends within its header"))?;
    if found != header(file) {
        return Err(OpenError::damage(&name, 0, "the header of the file of held records is not what was written"));
    }
    let end = HEADER_LEN as u64 + file.indices.len() as u64 * SLOT_LEN as u64;
    if handle.len().at("cannot look at", &layout.path(&name))? > end {
        return Err(OpenError::damage(&name, end, "the file is longer than what was written"));
    }
    Ok(SealedFile { file: handle, sealer: keys.open(&name)? })
}

/// Reads the record in slot `number`.
pub fn read(opened: &SealedFile, file: &HeldFile, number: usize) -> Result<Slot, OpenError> {
    let offset = (HEADER_LEN + number * SLOT_LEN) as u64;
    let damage = |what: &str| OpenError::damage(&file.name(), offset, what);
    let index = file.indices.get(number).ok_or_else(|| damage("there is no such record"))?;
    let mut sealed = [0_u8; SLOT_LEN];
    opened.file.read_exact_at(&mut sealed, offset).map_err(|_| damage("the file ends before this record"))?;
    let plain = opened.sealer.open(place(number as u64, *index), &[], &sealed).map_err(|error| damage(&error.to_string()))?;
    slot_of_plain(&plain).ok_or_else(|| damage("the record has another shape"))
}

/// Reads the files of held records in force.
#[derive(Debug)]
pub struct HeldRecords {
    layout: Layout,
    keys: Keys,
    files: Vec<HeldFile>,
    /// File and slot of a log index.
    at: BTreeMap<u64, (usize, usize)>,
    open: Mutex<HashMap<usize, Arc<SealedFile>>>,
}

impl HeldRecords {
    /// Of these files.
    #[must_use]
    pub fn new(layout: &Layout, keys: &Keys, files: Vec<HeldFile>) -> Self {
        let slots = |(file, held): (usize, &HeldFile)| held.indices.clone().into_iter().zip((0..).map(move |slot| (file, slot)));
        let at = files.iter().enumerate().flat_map(slots).collect();
        Self { layout: layout.clone(), keys: keys.clone(), files, at, open: Mutex::new(HashMap::new()) }
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &[HeldFile] {
        &self.files
    }

    /// Log indices of the records that the hold on a case has copies of.
    #[must_use]
    pub fn indices_of(&self, case: CaseRef) -> Vec<u64> {
        self.files.iter().filter(|file| file.case.case_ref == case).flat_map(|file| file.indices.iter().copied()).collect()
    }

    /// What there is of the copy of a held case, as the last turn found it.
    #[must_use]
    pub fn copy_of(&self, case: CaseRef) -> HoldCopy {
        copy(self.files.iter().filter(|file| file.case.case_ref == case))
    }

    /// The same, as it is now: each of its records is read.
    #[must_use]
    pub fn copy_now(&self, case: CaseRef) -> HoldCopy {
        let files: Vec<HeldFile> = self.files.iter().filter(|file| file.case.case_ref == case).map(|file| self.now(file)).collect();
        copy(files.iter())
    }

    /// The files as they are now.
    #[must_use]
    pub fn all_now(&self) -> Vec<HeldFile> {
        self.files.iter().map(|file| self.now(file)).collect()
    }

    fn now(&self, file: &HeldFile) -> HeldFile {
        // Opened anew: one that was removed can be read for as long as it was open before.
        let damaged = match open(&self.layout, &self.keys, file) {
            Ok(opened) => (0..file.indices.len()).filter(|number| read(&opened, file, *number).is_err()).count(),
            Err(_) => file.indices.len(),
        };
        HeldFile { lacks: Lacks { damaged: damaged as u64, ..file.lacks }, ..file.clone() }
    }

    /// Log indices from `from` up to `to` whose records are held, ascending.
    pub fn between(&self, from: u64, to: u64) -> impl Iterator<Item = u64> {
        self.at.range(from..to.max(from)).map(|(index, _)| *index)
    }

    /// The held record at a log index; `None` when there is none.
    pub fn slot(&self, index: u64) -> Result<Option<Slot>, OpenError> {
        let Some((file, slot)) = self.at.get(&index).copied() else { return Ok(None) };
        let held = &self.files[file];
        let opened = {
            let mut cache = self.open.lock();
            match cache.get(&file) {
                Some(opened) => Arc::clone(opened),
                None => {
                    let opened = Arc::new(open(&self.layout, &self.keys, held)?);
                    cache.insert(file, Arc::clone(&opened));
                    opened
                }
            }
        };
        read(&opened, held, slot).map(Some)
    }
}

/// Whether the files are those of other holds than these: then a turn is due.
#[must_use]
pub fn differ(holds: &[Hold], files: &[HeldFile]) -> bool {
    let wanted: BTreeSet<u64> = holds.iter().map(|hold| hold.placed).collect();
    wanted != files.iter().map(|file| file.placed).collect()
}

/// What a turn makes of the held records.
#[derive(Debug, Default)]
pub struct Carried {
    /// The files in force from here.
    pub files: Vec<HeldFile>,
    /// Names of those that go.
    pub gone: Vec<String>,
    /// What the log is to be told of them.
    pub erased: Vec<Event>,
    /// How many records of a month could not be read for a hold, by the first day of the month.
    pub unread: Unread,
}

/// How many records of a month could not be read, by its first day.
pub type Unread = BTreeMap<Date, u64>;

/// What is carried over from, besides the holds.
pub struct Sources<'s> {
    /// The files in force before.
    pub files: Vec<HeldFile>,
    /// The record files, with what this turn added and before it takes any away.
    pub months: &'s [Month],
    /// Log index of the first of `fresh`.
    pub first: u64,
    /// Entries since the last turn.
    pub fresh: &'s [Slot],
    /// What day it is; none when the calendar is not believed, and then nothing outlives anything.
    pub today: Option<Date>,
}

/// Writes what `holds` need beyond the files there are, for base `base`.
///
/// A crash before the base is in force leaves files that no base names, which the next start destroys; after it, the old ones are such.
///
/// # Errors
/// Whatever the disk says. A record that cannot be read is no error: it stays where it is, for `audit fsck` to name.
pub fn carry(tools: (&Layout, &Keys, &dyn Entropy), base: u64, holds: &[Hold], sources: Sources<'_>) -> Result<Carried, OpenError> {
    let (layout, keys, _) = tools;
    let Sources { files, months, first, fresh, today } = sources;
    let mut carried = Carried::default();
    // Below it, only holds kept records before this turn: a copy of what stands in its month still erases nothing.
    let kept_from = months.first().map_or(first, |month| month.first_index);
    let cases: BTreeSet<CaseRef> = holds.iter().map(|hold| hold.case.case_ref).collect();
    let (still, over): (Vec<HeldFile>, Vec<HeldFile>) = files.iter().cloned().partition(|file| cases.contains(&file.case.case_ref));
    let mut of_case: HashMap<CaseRef, Vec<HeldFile>> = HashMap::new();
    still.into_iter().for_each(|file| of_case.entry(file.case.case_ref).or_default().push(file));
    let is_whole = |case: &CaseRef| of_case.get(case).is_some_and(|files| files.iter().all(|file| file.whole));
    let new: BTreeSet<CaseRef> = cases.iter().filter(|case| !is_whole(case)).copied().collect();
    let (mut found, unread) =
        if new.is_empty() { (Found::new(), Unread::new()) } else { look_through(layout, keys, (months, &files), &new) };
    let whole = unread.is_empty();
    carried.unread = unread;
    let known: BTreeSet<CaseRef> = cases.difference(&new).copied().collect();
    for (index, slot) in (first..).zip(fresh) {
        add(&mut found, &known, index, slot);
    }
    let standing = Standing { archive: Archive::new(layout, keys, months.to_vec(), Vec::new()), from: kept_from, today };
    for hold in holds {
        let old = of_case.remove(&hold.case.case_ref).unwrap_or_default();
        let added = found.remove(&hold.case.case_ref).unwrap_or_default();
        let whole = whole || !new.contains(&hold.case.case_ref);
        carry_one(tools, (base, whole), hold, (old, added), &standing, &mut carried)?;
    }
    over.iter().try_for_each(|file| give_back((layout, keys), file, &standing))?;
    // A succession is in the copies of all holds, and erased with the last.
    let kept: BTreeSet<u64> = carried.files.iter().flat_map(|file| file.indices.iter().copied()).collect();
    for file in over {
        carried.gone.push(file.name());
        let records = file.indices.iter().filter(|index| **index < kept_from && !kept.contains(index)).count() as u64;
        carried.erased.push(Event::HeldErased { case: file.case, records });
    }
    Ok(carried)
}

/// Of the months that are due, those that go.
///
/// A record that cannot be read may be one of a held case, and may be readable again once its file is put back from a copy: while a hold lacks it,
/// its month stays with its key, and so do the months after it, as what is kept has no gaps. A month holds other cases' records too, which no ground
/// of a hold speaks for: so each goes at the latest when its own lawful time is over, whatever the hold says.
#[must_use]
pub fn going(due: Vec<Month>, unread: &Unread, today: Date) -> Vec<Month> {
    let stays = |month: &Month| unread.contains_key(&month.first_day) && last_lawful_day(month.first_day) >= today;
    match due.iter().find(|month| stays(month)) {
        None => {
            for month in due.iter().filter(|month| unread.contains_key(&month.first_day)) {
                tracing::error!(month = %month.first_day, "the lawful time of a month is over: it goes with records that could not be read for a hold");
            }
            due
        }
        Some(first) => {
            let until = last_lawful_day(first.first_day);
            tracing::error!(
                month = %first.first_day, %until,
                "a month that is due stays, and with it what follows, as a hold lacks records of it that cannot be read: put the file back from a copy, \
                 or let an auditor lift the hold"
            );
            let first = first.first_day;
            due.into_iter().take_while(|month| month.first_day != first).collect()
        }
    }
}

/// Counts, with the holds that looked for them in vain, the records that `gone` months take along unread.
pub fn lose(files: &mut [HeldFile], unread: &Unread, gone: &[Month]) {
    let lost: u64 = gone.iter().filter_map(|month| unread.get(&month.first_day)).sum();
    let stands = unread.keys().any(|first_day| gone.iter().all(|month| month.first_day != *first_day));
    let mut told = BTreeSet::new();
    // A hold may have more than one file, and counts once.
    for file in files.iter_mut().filter(|file| !file.whole) {
        file.whole = !stands;
        if told.insert(file.placed) {
            file.lacks.lost = file.lacks.lost.saturating_add(lost);
        }
    }
}

/// Records by case, each with its log index.
type Found = HashMap<CaseRef, Vec<(u64, Slot)>>;

/// Adds a record to what is found of `cases`: to the one that it names, or to all if it is a succession. Without that nobody can tell later whose a
/// case is; and as it goes with each, that it is kept tells of none.
fn add(found: &mut Found, cases: &BTreeSet<CaseRef>, index: u64, slot: &Slot) {
    let record = &slot.entry.record;
    match record.case_ref {
        Some(case) if cases.contains(&case) => found.entry(case).or_default().push((index, slot.clone())),
        None if record.kind == kind::SUCCEEDED => {
            cases.iter().for_each(|case| found.entry(*case).or_default().push((index, slot.clone())));
        }
        _ => {}
    }
}

/// Records of `cases` in the record files, and the first days of the months in which any could not be read. Reads all of them: a hold is rare, and the
/// search index is never the ground of a claim.
///
/// What another hold has a sound copy of is no damage here: it is known whose it is.
fn look_through(layout: &Layout, keys: &Keys, (months, files): (&[Month], &[HeldFile]), cases: &BTreeSet<CaseRef>) -> (Found, Unread) {
    let archive = Archive::new(layout, keys, months.to_vec(), files.to_vec());
    let mut found = Found::new();
    let mut unread = Unread::new();
    for month in months {
        let mut damaged = 0_u64;
        archive.each(month.first_index, month.end(), &mut |index, slot| {
            damaged += u64::from(slot.is_none());
            if let Some(slot) = slot {
                add(&mut found, cases, index, &slot);
            }
            true
        });
        if damaged > 0 {
            tracing::error!(
                file = %month.name(), damaged,
                "records cannot be read, so a hold is not whole; their month stays meanwhile, to the end of its lawful time: run `samband audit fsck DATA_DIR --storage-key FILE`, \
                 and put the file back from a copy"
            );
            unread.insert(month.first_day, damaged);
        }
    }
    (found, unread)
}

/// The record files beside the held ones.
struct Standing {
    archive: Archive,
    /// Log index of the first record that they keep.
    from: u64,
    today: Option<Date>,
}

impl Standing {
    fn slot(&self, index: u64) -> Option<Slot> {
        (index >= self.from).then(|| self.archive.slot(index).ok().flatten()).flatten()
    }

    /// First days of the months in which these stand.
    fn months_of(&self, indices: &[u64]) -> impl Iterator<Item = Date> {
        let has = |month: &&Month| indices.iter().any(|index| (month.first_index..month.end()).contains(index));
        self.archive.months().iter().filter(has).map(|month| month.first_day)
    }
}

/// Before the copy of a hold that is over goes: what its month stands for still and cannot give is written into it again. What no copy can mend is
/// left for `audit fsck` to name, with a line now that says what goes.
fn give_back((layout, keys): (&Layout, &Keys), file: &HeldFile, standing: &Standing) -> Result<(), OpenError> {
    for month in standing.archive.months() {
        let lacks = |index: &u64| (month.first_index..month.end()).contains(index) && standing.archive.slot(*index).is_err();
        let lacking = (0..).zip(&file.indices).filter(|(_, index)| lacks(index)).map(|(number, index)| (number, *index));
        let lacking: Vec<(usize, u64)> = lacking.collect();
        if lacking.is_empty() {
            continue;
        }
        let copied = open(layout, keys, file).map_or_else(
            |_| Vec::new(),
            |opened| lacking.iter().filter_map(|(number, index)| Some((*index, read(&opened, file, *number).ok()?))).collect(),
        );
        let mended = match write_again(layout, keys, month, &copied) {
            Ok(()) => copied.len(),
            Err(error) if error.is_failed_sync() => return Err(error),
            Err(error) => {
                tracing::error!(file = %month.name(), %error, "records of a hold that is over cannot be written back into their month");
                0
            }
        };
        let lost = lacking.len() - mended;
        if lost > 0 {
            tracing::error!(file = %month.name(), mended, lost, "records of a hold that is over stay damaged; run `samband audit fsck DATA_DIR --storage-key FILE`");
        } else {
            tracing::warn!(file = %month.name(), mended, "damaged records are mended from the copy of a hold that is over");
        }
    }
    Ok(())
}

fn carry_one(
    tools: (&Layout, &Keys, &dyn Entropy),
    (base, whole): (u64, bool),
    hold: &Hold,
    (old, added): (Vec<HeldFile>, Vec<(u64, Slot)>),
    standing: &Standing,
    carried: &mut Carried,
) -> Result<(), OpenError> {
    let (layout, keys, _) = tools;
    let outlived = |slot: &Slot| {
        hold.ground.is_none() && standing.today.is_some_and(|today| last_lawful_day(slot.entry.record.time.oslo_date()) < today)
    };
    let mut slots: BTreeMap<u64, Slot> = added.into_iter().collect();
    let (mut merged, mut dropped, mut lost) = (Vec::new(), 0, 0_u64);
    let mut changed = old.is_empty() || old.iter().any(|file| slots.keys().any(|index| !file.indices.contains(index)));
    for mut file in old {
        file.whole = whole;
        let (mut readable, mut damaged, mut renewed) = (Vec::new(), Vec::new(), false);
        let opened = open(layout, keys, &file);
        for (number, index) in file.indices.iter().enumerate() {
            match opened.as_ref().map_err(|_| ()).and_then(|opened| read(opened, &file, number).map_err(|_| ())) {
                Ok(slot) => readable.push((*index, slot)),
                Err(()) => match standing.slot(*index) {
                    Some(slot) => {
                        readable.push((*index, slot));
                        renewed = true;
                    }
                    None => damaged.push(*index),
                },
            }
        }
        let over = readable.iter().filter(|(_, slot)| outlived(slot)).count();
        file.lacks.damaged = damaged.len() as u64;
        if !damaged.is_empty() && over == 0 {
            // Left as it is: what is damaged is to be found, and may be put back from a copy.
            tracing::error!(file = %file.name(), damaged = damaged.len(), "held records cannot be read; run `samband audit fsck DATA_DIR --storage-key FILE`");
            slots.retain(|index, _| !file.indices.contains(index));
            // What neither the copy nor its month gives may come back in either: the month stays for it, as for what was never copied.
            standing.months_of(&damaged).for_each(|first_day| _ = carried.unread.entry(first_day).or_insert(1));
            carried.files.push(file);
            continue;
        }
        if !damaged.is_empty() {
            tracing::error!(
                file = %file.name(), damaged = damaged.len(),
                "held records that cannot be read go with the others of their file whose lawful time is over; the hold tells so to its end"
            );
        }
        changed |= over > 0 || renewed;
        lost = lost.saturating_add(file.lacks.lost).saturating_add(file.lacks.damaged);
        // What stands in its month still is not erased by this.
        let gone = readable.iter().filter(|(_, slot)| outlived(slot)).map(|(index, _)| *index).chain(damaged);
        dropped += gone.filter(|index| *index < standing.from).count() as u64;
        slots.extend(readable);
        merged.push(file);
    }
    if !changed {
        carried.files.append(&mut merged);
        return Ok(());
    }
    slots.retain(|_, slot| !outlived(slot));
    if slots.is_empty() && merged.is_empty() && carried.files.iter().any(|file| file.case.case_ref == hold.case.case_ref) {
        return Ok(());
    }
    let slots: Vec<(u64, Slot)> = slots.into_iter().collect();
    let indices = slots.iter().map(|(index, _)| *index).collect();
    let lacks = Lacks { damaged: 0, lost };
    let file = HeldFile { case: hold.case.clone(), placed: hold.placed, base, whole, indices, lacks };
    write(tools, &file, &slots)?;
    carried.files.push(file);
    carried.gone.extend(merged.iter().map(HeldFile::name));
    if dropped > 0 {
        carried.erased.push(Event::HeldErased { case: hold.case.clone(), records: dropped });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_own_making_are_files_of_holds() {
        assert_eq!(base_of_name("holds/000000000012-000000000003.rec"), Some(3));
        for name in ["holds/12-3.rec", "holds/000000000012.rec", "holds/000000000012-000000000003.rec.bak", "records/2026-11.rec"] {
            assert_eq!(base_of_name(name), None, "{name}");
        }
    }
}
