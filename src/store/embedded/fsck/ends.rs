//! Where files end: what stands behind the end of a file of the store's own was written by somebody else. Lengths are looked at before the journals
//! are read, so that what a running turn writes meanwhile is in the journals by then.

use std::sync::Arc;

use super::FsckReport;
use crate::domain::time::Date;
use crate::store::embedded::base;
use crate::store::embedded::calendar::{self, Held};
use crate::store::embedded::disk::{File, Open};
use crate::store::embedded::error::{Damage, OpenError};
use crate::store::embedded::holds;
use crate::store::embedded::journal::Left;
use crate::store::embedded::keys::Keys;
use crate::store::embedded::layout::{BEHIND, Current, Layout, journal_name, read_checked, state_name};
use crate::store::embedded::records::{HEADER_LEN, SLOT_LEN, Slot, first_of_header, month_name, month_of, month_of_name, sealed_slot};
use crate::store::embedded::replay::Replayed;
use crate::store::sealer::WRAPPED_LEN;

/// A record file in force as it was found.
struct RecordFile {
    first_day: Date,
    first_index: u64,
    /// Its length then.
    len: u64,
    file: Arc<dyn File>,
}

/// What was found before the journals were read.
pub struct Ends {
    records: Vec<RecordFile>,
    damages: Vec<Damage>,
}

/// Looks at all files whose end needs no key, and at the record files.
pub fn look(layout: &Layout, current: &Current) -> Result<Ends, OpenError> {
    let mut ends = Ends { records: Vec::new(), damages: Vec::new() };
    ends.look_at_records(layout, current)?;
    ends.look_at_holds(layout, current)?;
    ends.look_at_keys(layout)?;
    if layout.disk().len(&layout.path("LOCK")).is_ok_and(|len| len > 0) {
        ends.found("LOCK", 0, BEHIND);
    }
    match read_checked::<Held>(layout.disk(), &layout.path(calendar::HELD), calendar::HELD) {
        Err(OpenError::Damaged(damage)) => ends.damages.push(damage),
        _ if layout.disk().len(&layout.path(calendar::CONFIRMED)).is_ok_and(|len| len > 0) => ends.found(calendar::CONFIRMED, 0, BEHIND),
        _ => {}
    }
    Ok(ends)
}

impl Ends {
    fn found(&mut self, file: impl Into<String>, offset: u64, what: impl Into<String>) {
        self.damages.push(Damage { file: file.into(), offset, what: what.into() });
    }

    /// The record files in force: of the months that are kept, begun before the base. One begun behind it is what an unfinished turn left.
    fn look_at_records(&mut self, layout: &Layout, current: &Current) -> Result<(), OpenError> {
        for name in layout.names("records")?.into_iter().map(|name| format!("records/{name}")) {
            let Some(first_day) = month_of_name(&name).filter(|month| current.first_month.is_some_and(|first| *month >= first)) else {
                continue;
            };
            let Ok(file) = layout.disk().open(&layout.path(&name), Open::Read) else { continue };
            let (mut header, len) = ([0; HEADER_LEN], file.len().unwrap_or(0));
            match file.read_exact_at(&mut header, 0).ok().and_then(|()| first_of_header(&header)) {
                Some(first_index) if first_index < current.size => self.records.push(RecordFile { first_day, first_index, len, file }),
                Some(_) => {}
                None => self.found(name, 0, "the header of the record file is not what was written"),
            }
        }
        Ok(())
    }

    /// Those of turns up to the base, which are whole; later ones are what an unfinished turn left.
    fn look_at_holds(&mut self, layout: &Layout, current: &Current) -> Result<(), OpenError> {
        for name in layout.names("holds")?.into_iter().map(|name| format!("holds/{name}")) {
            let Some((placed, base)) = holds::numbers_of_name(&name) else { continue };
            if current.base.is_none_or(|current| base > current) {
                continue;
            }
            let Ok(file) = layout.disk().open(&layout.path(&name), Open::Read) else { continue };
            let (mut header, len) = ([0; HEADER_LEN], file.len().unwrap_or(0));
            match file.read_exact_at(&mut header, 0).ok().and_then(|()| holds::end_of_header(&header, placed)) {
                Some(end) if len > end => self.found(name, end, BEHIND),
                Some(end) if len < end => self.found(name, len, "the file ends too early"),
                Some(_) => {}
                None => self.found(name, 0, "the header of the file of held records is not what was written"),
            }
        }
        Ok(())
    }

    /// A crash may leave a key too short, or blank, of a file that is not in use yet; never one that is too long.
    fn look_at_keys(&mut self, layout: &Layout) -> Result<(), OpenError> {
        for name in layout.names("keys")?.into_iter().filter(|name| name.ends_with(".key")).map(|name| format!("keys/{name}")) {
            if layout.disk().len(&layout.path(&name)).is_ok_and(|len| len > WRAPPED_LEN as u64) {
                self.found(name, WRAPPED_LEN as u64, BEHIND);
            }
        }
        Ok(())
    }

    /// Takes what was found into the report, each place once. `size` is what the journals lead to.
    pub fn report(mut self, current: &Current, size: u64, report: &mut FsckReport) {
        let mut next = self.records.iter().skip(1).map(|file| file.first_index).collect::<Vec<_>>();
        next.push(current.size);
        let last = self.records.len().saturating_sub(1);
        for (at, (file, next)) in std::mem::take(&mut self.records).iter().zip(next).enumerate() {
            let (name, count) = (month_name(file.first_day), next.saturating_sub(file.first_index));
            let end_of = |count: u64| count.saturating_mul(SLOT_LEN as u64).saturating_add(HEADER_LEN as u64);
            // What an unfinished turn left behind the newest is of entries that the journals hold.
            let most = end_of(count.saturating_add(if at == last { size.saturating_sub(current.size) } else { 0 }));
            // With the key it is known better where.
            let is_named = self.damages.iter().any(|damage| damage.file == name);
            if file.len > most && !is_named {
                self.found(name, most, BEHIND);
            } else if file.len < end_of(count) && !report.damages.iter().any(|damage| damage.file == name) {
                self.found(
                    name,
                    file.len,
                    format!("the records up to log index {next} are not there: this file is cut, or one after it is gone"),
                );
            }
        }
        self.damages.retain(|damage| !report.damages.iter().any(|other| (&other.file, other.offset) == (&damage.file, damage.offset)));
        report.damages.append(&mut self.damages);
    }

    /// With the key: whether what stands behind the last slot of the newest month is what an unfinished turn writes there, so far as it came.
    pub fn compare(&mut self, keys: &Keys, current: &Current, replayed: &Replayed) -> Result<(), OpenError> {
        let Some(newest) = self.records.last() else { return Ok(()) };
        let (first_day, name) = (newest.first_day, month_name(newest.first_day));
        let first = current.size.saturating_sub(newest.first_index);
        let end = HEADER_LEN as u64 + first * SLOT_LEN as u64;
        if newest.len <= end {
            return Ok(());
        }
        let Ok(sealer) = keys.open(&name) else { return Ok(()) };
        let of_month = |slot: &&Slot| month_of(slot.entry.record.time) == first_day;
        let mut offset = end;
        for (slot, number) in replayed.entries.iter().take_while(of_month).zip(first..) {
            let mut found = vec![0; usize::try_from(newest.len - offset).unwrap_or(SLOT_LEN).min(SLOT_LEN)];
            if newest.file.read_exact_at(&mut found, offset).is_err() {
                return Ok(());
            }
            let wanted = sealed_slot(&sealer, number, newest.first_index + number, slot)?;
            if found.iter().zip(&wanted).any(|(found, wanted)| *found != 0 && found != wanted) {
                break;
            }
            offset += found.len() as u64;
            if offset >= newest.len {
                return Ok(());
            }
        }
        self.found(name, offset, BEHIND);
        Ok(())
    }
}

/// What stands behind the last whole frame of journals: what a crash leaves was never durable, anything else is not the store's.
pub fn of_journals(left: &[Left], report: &mut FsckReport) {
    for Left { at, foreign } in left {
        let name = journal_name(at.file);
        match foreign {
            Some(offset) => report.found(name, *offset, BEHIND),
            None if report.torn.as_ref().is_some_and(|(file, _)| *file == name) => {}
            None => report.left.push((name, at.offset)),
        }
    }
}

/// The pieces of a base's state, without the key.
pub fn of_state(layout: &Layout, current: &Current, report: &mut FsckReport) -> Result<(), OpenError> {
    let Some(number) = current.base else { return Ok(()) };
    match layout.read(&state_name(number)) {
        Ok(bytes) => {
            if let Some((offset, what)) = base::ends_wrong(&bytes) {
                report.found(state_name(number), offset as u64, what);
            }
            Ok(())
        }
        Err(error) => report.take(Err(error)),
    }
}
