//! Legal holds that keep records for longer than is lawful without a ground of their own, and a configuration that names none any more.
//!
//! Such a store does not start, and nothing of it is erased: what a line of the configuration takes away, no line brings back.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::OpenError;
use super::disk::RealDisk;
use super::holds::HeldRecords;
use super::info::glanced;
use super::layout::Layout;
use crate::domain::hold::{Hold, HoldGround, last_lawful_day, needs_ground};
use crate::domain::time::Date;

/// Holds that are named one by one.
const NAMED_MAX: usize = 10;

/// A hold in force that lasts longer than is lawful for its oldest record without a ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// Log index of its placing. It does not tell the case.
    pub placed: u64,
    /// Its last day.
    pub until: Date,
    /// The last day of its oldest record without a ground; none where that record is not copied yet or cannot be read.
    pub lawful: Option<Date>,
    ground: HoldGround,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllBeyond(pub Vec<Beyond>);

impl fmt::Display for AllBeyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(holds) = self;
        write!(
            f,
            "{} legal holds last beyond 35 whole months after the month of their oldest record, and the configuration names no hold_ground: ",
            holds.len()
        )?;
        for (at, Beyond { placed, until, lawful, .. }) in holds.iter().take(NAMED_MAX).enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}that of entry {placed} until {until}")?;
            match lawful {
                Some(lawful) => write!(f, " (that record to {lawful} without one)")?,
                None => f.write_str(" (that record is not copied yet or cannot be read)")?,
            }
        }
        match holds.len().saturating_sub(NAMED_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Those of `holds` that are not over on `today`.
#[must_use]
pub fn beyond(holds: &[Hold], held: &HeldRecords, today: Date) -> AllBeyond {
    let judge = |hold: &Hold| {
        let ground = hold.ground.clone().filter(|_| hold.until >= today)?;
        let oldest = oldest(held, hold);
        let lawful = oldest.map(last_lawful_day);
        needs_ground(hold.until, oldest).then_some(Beyond { placed: hold.placed, until: hold.until, lawful, ground })
    };
    AllBeyond(holds.iter().filter_map(judge).collect())
}

/// The day of the oldest record that a hold keeps of its case. Successions are other cases' too, and keep no hold.
fn oldest(held: &HeldRecords, hold: &Hold) -> Option<Date> {
    let mut indices = held.indices_of(hold.case.case_ref);
    indices.sort_unstable();
    for index in indices {
        let record = held.slot(index).ok()??.entry.record;
        if record.case_ref == Some(hold.case.case_ref) {
            return Some(record.time.oslo_date());
        }
    }
    None
}

/// Whether a store with these holds may go on under a configuration that names `ground`, or none.
///
/// # Errors
/// [`OpenError::NoGround`].
pub fn check(holds: &[Hold], held: &HeldRecords, ground: Option<&HoldGround>, today: Date) -> Result<(), OpenError> {
    // Nothing is read of a store without such holds.
    if holds.iter().all(|hold| hold.ground.is_none() || hold.ground.as_ref() == ground) {
        return Ok(());
    }
    let AllBeyond(found) = beyond(holds, held, today);
    match ground {
        None if !found.is_empty() => Err(OpenError::NoGround(AllBeyond(found))),
        Some(named) => {
            let others = found.iter().filter(|hold| hold.ground != *named).count();
            if others > 0 {
                tracing::warn!(
                    holds = others,
                    "legal holds stand under another ground than the configuration names: let an auditor place them anew"
                );
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// What a start without a ground would be refused for, of a folder whose gateway runs or not. Reads only, takes no lock.
///
/// # Errors
/// The folder cannot be read.
pub fn without_ground(dir: &Path, storage_key: Zeroizing<[u8; 32]>, today: Date) -> Result<AllBeyond, OpenError> {
    let layout = Layout::new(dir, Arc::new(RealDisk));
    glanced(&layout, storage_key, |state, archive| beyond(&state.holds(), archive.held(), today))
}
