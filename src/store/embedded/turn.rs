//! The turn: snapshot, compaction and erasure as one act. The start-up replay itself makes the new base.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::base::{self, Base, ContentWriter, Written, content_place};
use super::contents::{Holder, LOST, Location};
use super::engine::{Engine, NO_TURN_FAILED};
use super::error::OpenError;
use super::holds::{self, Carried, HeldFile, Sources};
use super::in_force::{InForce, without_the_state};
use super::journal::SealedFile;
use super::layout::{Current, content_name, journal_name, state_name, write_checked};
use super::queue::Rolled;
use super::records::{Archive, Month, outlived, write_slots};
use super::replay::{Replayed, replay};
use super::start::tell_gone;
use super::tiles::sync_published;
use super::unread::{Left, Meeting};
use crate::audit::event::Event;
use crate::domain::time::Timestamp;
use crate::policy::command::Command;
use crate::store::state::State;

/// Where a test cuts a turn short, as a crash would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failpoint {
    /// The journal is closed, nothing else is done.
    Rolled,
    /// The new content file stands.
    ContentWritten,
    /// Record slots are written.
    RecordsWritten,
    /// Files of held records are written.
    HeldWritten,
    /// The new base stands, CURRENT does not name it.
    StateWritten,
    /// CURRENT names the new base, nothing is erased.
    Committed,
    /// One old file is destroyed.
    OneDestroyed,
    /// Everything is destroyed, the log does not say so yet.
    Destroyed,
}

impl Failpoint {
    /// All of them, in the order in which a turn passes them.
    pub const ALL: [Self; 8] = [
        Self::Rolled,
        Self::ContentWritten,
        Self::RecordsWritten,
        Self::HeldWritten,
        Self::StateWritten,
        Self::Committed,
        Self::OneDestroyed,
        Self::Destroyed,
    ];
}

/// What a turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turned {
    /// Entries in the new base.
    pub size: u64,
    /// Messages whose content was carried over.
    pub kept: u64,
    /// Undelivered messages whose content could not be read, now or before, and is on disk no more.
    pub lost: u64,
    /// Messages whose content was erased.
    pub erased: u64,
    /// Months of records that were erased.
    pub months: u64,
}

struct Plan {
    current: Current,
    base: u64,
    moved: HashMap<u64, Location>,
    content: SealedFile,
    outlived: Vec<Month>,
    months: Vec<Month>,
    held: Vec<HeldFile>,
    unheld: Vec<String>,
    owed: Vec<Event>,
    turned: Turned,
    /// The new base, but for its state.
    of_base: Base,
    /// What cannot be read and is left behind.
    left: Left,
    /// Ids that were stale then were forgotten.
    stale_at: Option<Timestamp>,
}

/// Turns the store over. Only one turn at a time.
///
/// # Errors
/// Whatever the disk says. The old base stays in force unless CURRENT was renamed; a turn that failed is simply done again.
pub fn turn(engine: &Engine, stop_at: Option<Failpoint>) -> Result<Turned, OpenError> {
    let _only = engine.turning.lock();
    let turned = turn_over(engine, stop_at);
    match &turned {
        Ok(_) => engine.turns_fail_since.store(NO_TURN_FAILED, Ordering::Relaxed),
        Err(error) if error.is_final() => engine.fatal(&error.to_string()),
        Err(OpenError::Stopped | OpenError::Failpoint) => {}
        Err(_) => {
            let now = engine.clock.elapsed_millis();
            // The first of them; another is under way nowhere else.
            _ = engine.turns_fail_since.compare_exchange(NO_TURN_FAILED, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
    turned
}

fn turn_over(engine: &Engine, stop_at: Option<Failpoint>) -> Result<Turned, OpenError> {
    let pass = |point: Failpoint| if stop_at == Some(point) { Err(OpenError::Failpoint) } else { Ok(()) };
    engine.check_folder()?;
    if engine.is_broken() {
        return Err(OpenError::Stopped);
    }
    engine.in_force.lock().mend((&engine.layout, &engine.keys))?;
    destroy_leftovers(engine)?;
    let carried = engine.journal_bytes.load(Ordering::Relaxed);
    let freed = engine.freed.swap(0, Ordering::Relaxed);
    let rolled = engine.roll()?;
    // A crash from here on leaves the old base and the closed journals valid; what this turn wrote is swept away or written again.
    pass(Failpoint::Rolled)?;
    let plan = write_new(engine, rolled, &pass).inspect_err(|error| {
        engine.freed.fetch_add(freed, Ordering::Relaxed);
        if !matches!(error, OpenError::Failpoint) {
            give_up(engine);
        }
    })?;
    pass(Failpoint::StateWritten)?;
    let next = Current {
        base: Some(plan.base),
        journal: rolled.closed + 1,
        size: rolled.size,
        contents: plan.turned.kept,
        first_month: plan.months.first().map(|month| month.first_day),
        turned_at: engine.clock.now().millis(),
        chain: Some(rolled.chain),
    };
    engine.check_folder()?;
    let written = write_checked(engine.layout.disk(), &engine.layout.path("CURRENT"), &next);
    if let Err(error) = written {
        let in_force = Current::of(&engine.layout).ok();
        // Perhaps renamed in spite of the error: only a start may go on from a base that this process does not use.
        return Err(if in_force.as_ref() == Some(&plan.current) { error } else { error.as_failed_sync() });
    }
    // A crash from here on leaves the new base in force; what it replaces is destroyed by the next start.
    // Before anything is destroyed: no key that goes from here on may be written again.
    let names = in_force(&plan.months, &plan.held);
    *engine.in_force.lock() = InForce::new(&engine.keys, next.clone(), &names, Some(plan.of_base));
    engine.takes_state.store(false, Ordering::SeqCst);
    *engine.taken_state.lock() = None;
    pass(Failpoint::Committed)?;
    let Plan { current, moved, content, outlived, months, held, unheld, owed, turned, base, left, stale_at, .. } = plan;
    engine.check_folder()?;
    switch(engine, (rolled, stale_at), base, &moved, content, (months, held));
    engine.are_left_behind(&left, turned.lost);
    engine.journal_bytes.fetch_sub(carried, Ordering::Relaxed);
    engine.base_size.store(rolled.size, Ordering::SeqCst);
    destroy_old(engine, &current, rolled.closed, &outlived, &pass)?;
    for name in unheld {
        engine.keys.destroy(&name)?;
    }
    // And what an earlier turn could not destroy.
    for name in &engine.layout.strangers(&next, &names)?.own {
        engine.keys.destroy(name)?;
    }
    pass(Failpoint::Destroyed)?;
    for event in owed {
        engine.act_blocking(Command::Note(event))?;
    }
    engine.last_turn.store(next.turned_at, Ordering::SeqCst);
    engine.last_turn_elapsed.store(engine.clock.elapsed_millis(), Ordering::SeqCst);
    let Turned { size, kept, lost, erased, months } = turned;
    tracing::info!(size, kept, lost, erased, months, "the store was turned over");
    Ok(turned)
}

/// What an earlier turn could not destroy, or wrote in vain before it failed.
fn destroy_leftovers(engine: &Engine) -> Result<(), OpenError> {
    let current = engine.in_force.lock().current().clone();
    let archive = engine.archive.load();
    let records = in_force(archive.months(), archive.held().files());
    let strangers = engine.layout.strangers(&current, &records)?;
    tell_gone(&strangers.gone);
    tell_gone(&engine.keys.unusable(&records));
    if let Some(damage) = strangers.blocked.into_iter().next() {
        return Err(damage.into());
    }
    for name in strangers.own {
        engine.keys.destroy(&name)?;
    }
    Ok(())
}

/// Names of the files of records in force.
pub(super) fn in_force(months: &[Month], held: &[HeldFile]) -> Vec<String> {
    months.iter().map(Month::name).chain(held.iter().map(HeldFile::name)).collect()
}

fn write_new(engine: &Engine, rolled: Rolled, pass: &dyn Fn(Failpoint) -> Result<(), OpenError>) -> Result<Plan, OpenError> {
    let (layout, keys) = (&engine.layout, &engine.keys);
    let tools = (layout, keys, engine.entropy.as_ref());
    let current = engine.in_force.lock().current().clone();
    let files: Vec<u64> = layout.journals()?.into_iter().filter(|n| (current.journal..=rolled.closed).contains(n)).collect();
    let replayed = replay((layout, keys), *engine.subject_key, &current, &files, None);
    let mut replayed = replayed.or_else(|error| without_the_state(engine, &current, &files, rolled, error))?;
    if replayed.nodes.size() != rolled.size || replayed.chain != rolled.chain {
        return Err(OpenError::damage(&journal_name(rolled.closed), 0, "what is on disk is not what was written"));
    }
    // Ids are admitted by the clock: by the log's time, where that lies ahead, they would be forgotten too early.
    let now = engine.calendar_time(replayed.state.last_time());
    if let Some(now) = now {
        replayed.state.forget_stale_ids(now, rolled.size);
    }
    let base = current.base.unwrap_or(0) + 1;
    let (written, content, left) = carry_content(engine, &replayed, base)?;
    pass(Failpoint::ContentWritten)?;
    let mut months = std::mem::take(&mut replayed.months);
    write_slots(tools, &mut months, replayed.first(), &replayed.entries)?;
    pass(Failpoint::RecordsWritten)?;
    let today = now.map(Timestamp::oslo_date);
    // Before any month goes: what a hold keeps of it is durable in a file of its own.
    let sources =
        Sources { files: std::mem::take(&mut replayed.held), months: &months, first: replayed.first(), fresh: &replayed.entries, today };
    let Carried { files: mut held, gone: unheld, erased: held_erased, unread } =
        holds::carry(tools, base, &replayed.state.holds(), sources)?;
    pass(Failpoint::HeldWritten)?;
    let due = |today| holds::going(outlived(&months, today, engine.records_keep_months), &unread, today);
    let outlived = today.map_or_else(Vec::new, due);
    holds::lose(&mut held, &unread, &outlived);
    months.retain(|month| !outlived.contains(month));
    let kept = written.iter().filter(|(_, _, len)| *len != LOST).count() as u64;
    let on_disk = replayed.contents.values().filter(|location| !location.is_lost()).count() as u64;
    let erased = on_disk - kept;
    let turned = Turned { size: rolled.size, kept, lost: written.len() as u64 - kept, erased, months: outlived.len() as u64 };
    let mut owed = owed(&replayed.owed, erased, &outlived);
    owed.extend(held_erased);
    // Nothing of the log may depend on journals that are about to go.
    while engine.publish()? < rolled.size {}
    sync_published(layout)?;
    let moved = written
        .iter()
        .map(|(index, offset, len)| {
            (*index, Location { holder: Holder::Base(base), offset: *offset, len: *len, place: content_place(*index, *offset) })
        })
        .collect();
    let state = Base {
        snapshot: replayed.state.snapshot(),
        tree: replayed.tree(),
        months: months.clone(),
        chain: rolled.chain,
        contents: written,
        owed: owed.clone(),
        held: held.clone(),
    };
    let bytes = base::write_state(tools, base, &state)?;
    engine.base_bytes.store(bytes, Ordering::Relaxed);
    let of_base = Base { snapshot: State::new([0; 32]).snapshot(), ..state };
    Ok(Plan { of_base, current, base, moved, content, outlived, months, held, unheld, owed, turned, left, stale_at: now })
}

/// A turn that failed leaves nothing half written behind: on a full disk that would be what keeps the next one from succeeding.
fn give_up(engine: &Engine) {
    let base = engine.in_force.lock().current().base.unwrap_or(0) + 1;
    let held = engine.layout.names("holds").unwrap_or_default().into_iter().map(|name| format!("holds/{name}"));
    for name in held.filter(|name| holds::base_of_name(name) == Some(base)).chain([content_name(base), state_name(base)]) {
        if let Err(error) = engine.keys.destroy(&name) {
            tracing::warn!(%error, "a leftover of a failed turn stays until the next one");
        }
    }
}

/// What the log is told once it is done. Of a month that is the same whether a hold kept any of it or not.
fn owed(still: &[Event], erased: u64, outlived: &[Month]) -> Vec<Event> {
    let mut owed = still.to_vec();
    if erased > 0 {
        owed.push(Event::ContentErased { messages: erased });
    }
    owed.extend(outlived.iter().map(|month| Event::MonthErased { month: month.first_day, from: month.first_index, to: month.end() }));
    owed
}

/// Seals anew, under the new file's key, what is still to be delivered. What cannot be read by any means stops the turn for a while and is then left
/// behind, as the old files go with all that was acknowledged: the new base says of it that it was lost. What is read on is not written any more once
/// the turn is to fail: each content that cannot be read is met, so that all wait at the same time.
fn carry_content(engine: &Engine, replayed: &Replayed, base: u64) -> Result<(Written, SealedFile, Left), OpenError> {
    let mut writer = ContentWriter::create((&engine.layout, &engine.keys, engine.entropy.as_ref()), base)?;
    let mut needed: Vec<(u64, Location)> =
        replayed.contents.iter().filter(|(index, _)| replayed.state.needs_content(**index)).map(|(index, at)| (*index, *at)).collect();
    needed.sort_unstable_by_key(|(index, _)| *index);
    let mut meeting = Meeting::new(engine);
    for (index, location) in needed {
        if location.is_lost() {
            writer.add_lost(index);
            continue;
        }
        match meeting.read(&location) {
            Ok(content) if meeting.stops_the_turn() => drop(content),
            Ok(content) => writer.add(index, &content)?,
            Err(error) => {
                meeting.met(index, error)?;
                writer.add_lost(index);
            }
        }
    }
    let left = meeting.end()?;
    let (written, file) = writer.finish()?;
    Ok((written, file, left))
}

/// From here on, content and records are read from where the turn put them.
fn switch(
    engine: &Engine,
    (rolled, stale_at): (Rolled, Option<Timestamp>),
    base: u64,
    moved: &HashMap<u64, Location>,
    content: SealedFile,
    (months, held): (Vec<Month>, Vec<HeldFile>),
) {
    let closed = rolled.closed;
    engine.contents.lock().carried(moved, Some((Holder::Base(base), content)), |holder| match holder {
        Holder::Journal(n) => n <= closed,
        Holder::Base(n) => n != base,
    });
    // Records first, then the tail: an entry is always found in one of the two.
    engine.archive.store(Arc::new(Archive::new(&engine.layout, &engine.keys, months, held)));
    engine.trim(rolled.size, stale_at);
}

fn destroy_old(
    engine: &Engine,
    old: &Current,
    closed: u64,
    outlived: &[Month],
    pass: &dyn Fn(Failpoint) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    for number in old.journal..=closed {
        engine.keys.destroy(&journal_name(number))?;
        pass(Failpoint::OneDestroyed)?;
    }
    if let Some(base) = old.base {
        engine.keys.destroy(&content_name(base))?;
        engine.keys.destroy(&state_name(base))?;
    }
    for month in outlived {
        // While it is being built it is held for a step at a time.
        engine.index.lock().erase(month.first_day);
        engine.keys.destroy(&month.name())?;
    }
    Ok(())
}
