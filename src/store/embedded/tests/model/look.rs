//! Everything that can be asked is asked of both stores, and what may not be on disk is looked for there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use zeroize::Zeroizing;

use super::super::super::disk::Disk;
use super::super::super::fsck;
use super::super::super::keys::Keys;
use super::super::super::layout::{Current, Layout};
use super::super::super::replay::replay;
use super::super::KEY;
use super::act::{ALL, LABORATORIES, PROSECUTIONS, RECIPIENTS, UNITS};
use super::world::{Checked, World, check};
use crate::audit::event::kind;
use crate::audit::proof::verify_consistency;
use crate::domain::participant::Register;
use crate::store::contract::case_bed::id;
use crate::store::{Cursor, Due, OverdueAfter, Page, RecordFilter, Stats, Store, StoreError};

const DAY: i64 = 86_400_000;
pub const OVERDUE: OverdueAfter = OverdueAfter { notice_millis: 5 * DAY, report_millis: 5 * DAY, result_millis: 5 * DAY };

/// Damage is damage wherever it is.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: Result<T, StoreError>, theirs: Result<T, StoreError>) -> Checked {
    let same = match (&ours, &theirs) {
        (Err(StoreError::Damaged { .. }), Err(StoreError::Damaged { .. })) => true,
        (ours, theirs) => ours == theirs,
    };
    check!(same, "{what} differs: {ours:?} {theirs:?}");
    Ok(())
}

impl World {
    fn layout(&self) -> Layout {
        Layout::new(Path::new("/var/samband/data"), Arc::new(self.disk.clone()) as Arc<dyn Disk>)
    }

    /// Asks everything; `pick` chooses among what is many.
    pub fn look(&mut self, pick: u8) -> Checked {
        let (store, memory, disk) = (self.store(), self.memory(), self.disk.clone());
        self.count("looks");
        disk.aside(|| {
            self.wait(async {
                for who in ALL {
                    let who = id(who);
                    same("waiting", store.waiting(&who, None, 1000).await, memory.waiting(&who, None, 1000).await)?;
                    same("contact", store.contact(&who).await, memory.contact(&who).await)?;
                    for after in [Cursor::default(), Cursor { changed: u64::from(pick), index: 0 }] {
                        let max = if pick.is_multiple_of(2) { 3 } else { 1000 };
                        same("changes", store.changes(&who, after, max).await, memory.changes(&who, after, max).await)?;
                    }
                }
                let nobody = Register::default();
                same("register past", store.register_past(&nobody).await, memory.register_past(&nobody).await)?;
                let now = store.now();
                check!(now == memory.now(), "the times differ: {now:?} {:?}", memory.now());
                let mut due = memory.due(now, OVERDUE, 100).await;
                if let Ok(due) = &mut due
                    && store.calendar_is_held()
                {
                    *due = Due { overdue: std::mem::take(&mut due.overdue), ..Due::default() };
                }
                same("due", store.due(now, OVERDUE, 100).await.map(sorted), due.map(sorted))?;
                let stats =
                    |stats: Result<Stats, StoreError>| stats.map(|stats| Stats { published_size: 0, turns_fail_seconds: 0, ..stats });
                same("stats", stats(store.stats().await), stats(memory.stats().await))?;
                check!(store.register().generation() == memory.register().generation(), "the registers differ");
                self.look_at_log(pick).await
            })
        })?;
        self.look_at_messages(pick)
    }

    async fn look_at_log(&self, pick: u8) -> Checked {
        let (store, memory) = (self.store(), self.memory());
        let size = memory.size();
        let index = u64::from(pick) * 7 % size;
        for index in [0, index, size - 1, size] {
            same("prove", store.prove(index).await, memory.prove(index).await)?;
        }
        let filters = [
            RecordFilter::default(),
            RecordFilter { from_index: index, to_index: Some(size - 1), ..RecordFilter::default() },
            RecordFilter { participant: Some(id(ALL[usize::from(pick) % ALL.len()])), ..RecordFilter::default() },
            RecordFilter { case_ref: self.cases.get(usize::from(pick) % self.cases.len().max(1)).copied(), ..RecordFilter::default() },
            RecordFilter { kinds: vec![10, 20], ..RecordFilter::default() },
        ];
        for filter in filters {
            for max in [5, 10_000] {
                same("records", store.records(&filter, max).await, memory.records(&filter, max).await)?;
            }
        }
        // The log goes on from every head that was ever seen.
        let newest = *self.heads.get(&size).ok_or("no head of the present size")?;
        for (old, root) in self.heads.iter().filter(|(old, _)| **old == size || *old % 4 == u64::from(pick) % 4) {
            let proof = store.consistency(*old, size).await.map_err(|error| error.to_string())?;
            let proof = proof.ok_or_else(|| format!("no proof from {old} to {size}"))?;
            verify_consistency(*old, root, size, &newest, &proof).map_err(|error| format!("from {old} to {size}: {error}"))?;
        }
        Ok(())
    }

    fn look_at_messages(&mut self, pick: u8) -> Checked {
        let (store, memory, disk) = (self.store(), self.memory(), self.disk.clone());
        for (number, sent) in self.sent.iter().enumerate() {
            let who = id(sent.letter.who);
            let message_id = sent.letter.message_id;
            disk.aside(|| {
                self.wait(async {
                    same("status", store.status(&who, message_id).await, memory.status(&who, message_id).await)?;
                    if number % 5 == usize::from(pick) % 5 {
                        let ours = store.receipt(&who, message_id).await;
                        if let (Some(first), Ok(Some(again))) = (&sent.accepted, &ours) {
                            check!(first == again, "the receipt of {message_id} is another one than at first");
                        }
                        same("receipt", ours, memory.receipt(&who, message_id).await)?;
                        let about = RecordFilter { message_id: Some(message_id), ..RecordFilter::default() };
                        let indices = |page: Page| page.entries.into_iter().map(|entry| entry.index).collect::<Vec<_>>();
                        let (ours, theirs) = (store.records(&about, 100).await, memory.records(&about, 100).await);
                        same("entries", ours.map(indices), theirs.map(indices))?;
                    }
                    Ok::<_, String>(())
                })
            })?;
        }
        // What was acknowledged never returns; what waits is what was sent.
        for who in RECIPIENTS {
            let items = self.wait(store.waiting(&id(who), None, 1000)).map_err(|error| error.to_string())?;
            for item in items {
                check!(!self.acknowledged.contains(&(who, item.item)), "{who} is given {:?} again after acknowledging it", item.item);
                self.content(who, item.item)?;
            }
        }
        Ok(())
    }

    /// The content of an item is what its sender sent, in both stores.
    pub fn content(&self, who: &str, item: crate::audit::event::ItemNumber) -> Checked {
        let (store, memory) = (self.store(), self.memory());
        let ours = self.disk.aside(|| self.wait(store.content(item)));
        let theirs = self.wait(memory.content(item));
        if let Ok(Some(content)) = &ours {
            let sent = self.sent.iter().find(|sent| sent.accepted.as_ref().is_some_and(|accepted| accepted.index == item.index()));
            // An acceptance that its sender was never answered for is known by its content alone.
            check!(sent.is_none_or(|sent| sent.letter.canonical() == *content), "{who} is given other content than was sent");
        }
        same("content", ours, theirs)
    }

    /// After a turn: no content but what is still to be delivered lies on disk, nor the key of any other.
    pub fn nothing_erased_is_left(&mut self) -> Checked {
        let (layout, memory) = (self.layout(), self.memory());
        let subject_key = *self.store().engine.subject_key;
        let disk = self.disk.clone();
        let (contents, journals, bases) = disk.aside(|| {
            let keys = Keys::new(layout.clone(), Zeroizing::new(KEY));
            let current = Current::read(&layout).map_err(|error| error.to_string())?.ok_or("no CURRENT")?;
            let journals = layout.journals().map_err(|error| error.to_string())?;
            let first = journals.first().copied().unwrap_or(0);
            check!(first >= current.journal, "journal {first} is left after a turn that begins at {}", current.journal);
            let replayed = replay((&layout, &keys), subject_key, &current, &journals, None).map_err(|error| error.to_string())?;
            let bases = layout.names("base").map_err(|error| error.to_string())?;
            Ok((replayed.contents, journals.len(), bases))
        })?;
        self.holds_are_whole()?;
        check!(bases.len() == 2, "a turn leaves {bases:?}");
        check!(journals == 1, "a turn leaves {journals} journals");
        let stray: Vec<u64> = contents.into_keys().filter(|index| !memory.needs_content(*index)).collect();
        check!(stray.is_empty(), "content of {stray:?} is on disk after a turn and nobody is to get it");
        for (name, bytes) in disk.remains() {
            let is_key = Path::new(&name).extension().is_some_and(|end| end == "key");
            check!(!is_key || bytes.iter().all(|byte| *byte == 0), "{name} is removed and its bytes are still on the platter");
        }
        for sent in self.sent.iter().rev().take(3) {
            check!(!disk.holds(sent.letter.mark().as_bytes()), "content is on disk in the clear");
        }
        disk.forget_removed();
        self.count("turns");
        Ok(())
    }

    /// After a turn there is a copy of every record of each held case, and of every succession, and of nothing else.
    fn holds_are_whole(&self) -> Checked {
        let (store, memory, layout) = (self.store(), self.memory(), self.layout());
        let (archive, holds) = (store.engine.archive.load_full(), memory.snapshot().later.holds);
        let names = self.disk.aside(|| layout.names("holds").map_err(|error| error.to_string()))?;
        let files = archive.held().files();
        check!(names.len() == files.len(), "a turn leaves {names:?} and {} of them are in force", files.len());
        let cases: BTreeSet<_> = files.iter().map(|file| file.case.case_ref).collect();
        check!(cases == holds.iter().map(|hold| hold.case.case_ref).collect(), "the copies are not those of the holds");
        let size = store.engine.base_size.load(Ordering::SeqCst);
        let filter = RecordFilter { kinds: vec![kind::SUCCEEDED], to_index: Some(size), ..RecordFilter::default() };
        let successions = self.wait(memory.records(&filter, usize::MAX)).map_err(|error| error.to_string())?;
        let kept = archive.first_kept().unwrap_or(size);
        let successions: Vec<u64> = successions.entries.iter().map(|entry| entry.index).collect();
        for case in cases {
            let filter = RecordFilter { case_ref: Some(case), to_index: Some(size), ..RecordFilter::default() };
            let all = self.wait(memory.records(&filter, usize::MAX)).map_err(|error| error.to_string())?;
            let all: BTreeSet<u64> = all.entries.iter().map(|entry| entry.index).collect();
            // One whose month is gone is in the copies that were made before.
            let copied_too: BTreeSet<u64> = all.iter().chain(&successions).copied().collect();
            let wanted: BTreeSet<u64> = all.iter().chain(successions.iter().filter(|index| **index >= kept)).copied().collect();
            let of_case = || files.iter().filter(|file| file.case.case_ref == case);
            let copied: BTreeSet<u64> = of_case().flat_map(|file| file.indices.iter().copied()).collect();
            let whole = of_case().all(|file| file.whole);
            let fits = copied.is_subset(&copied_too) && (wanted.is_subset(&copied) || !whole);
            check!(fits, "of a held case {all:?} stand, of successions {successions:?}, and {copied:?} are copied");
        }
        Ok(())
    }

    /// The check of the whole folder finds nothing.
    pub fn fsck(&mut self) -> Checked {
        let layout = self.layout();
        let report = self.disk.aside(|| fsck::check(layout, Some(Zeroizing::new(KEY)), &mut |_| ()));
        let report = report.map_err(|error| format!("fsck: {error}"))?;
        check!(report.is_sound(), "fsck finds {:?}", report.damages);
        self.count("fscks");
        Ok(())
    }

    /// Who sends what.
    pub const fn sender(kind: usize, who: u8) -> &'static str {
        let who = who as usize % 2;
        match kind {
            0 => PROSECUTIONS[who],
            1 => UNITS[who],
            _ => LABORATORIES[who],
        }
    }
}

fn sorted(mut due: Due) -> Due {
    due.overdue.sort_unstable();
    due.ended.sort_unstable();
    due.forgotten.sort_unstable();
    due
}
