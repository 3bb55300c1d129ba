//! The state machine by itself, `decide` and `apply` in the reference store, against what its clients know of their own history and against
//! rules written out here once more, by hand.

use std::collections::{BTreeMap, BTreeSet};

use super::act::{Act, Letter, Text, UNITS, heir};
use super::look::OVERDUE;
use super::op::Op;
use super::world::{Answer, Checked, World, check, comparable};
use crate::audit::event::{ItemNumber, MessageKind};
use crate::clock::Clock as _;
use crate::domain::id::{CaseRef, MessageId};
use crate::domain::participant::Register;
use crate::policy::case::DeliveryStatus;
use crate::policy::reason::Reason;
use crate::store::contract::case_bed::{LAB, RU_HAMAR, RU_OSLO, date, id};
use crate::store::state::State;
use crate::store::{Accepted, Cursor, RecordFilter, Store};

/// What a sender knows of a message.
struct Told {
    letter: Letter,
    accepted: Accepted,
    /// A later message of the sender took its place.
    retired: bool,
    returned: bool,
}

/// What the clients know together.
#[derive(Default)]
struct Own {
    told: BTreeMap<(&'static str, MessageId), Told>,
    senders: BTreeMap<CaseRef, &'static str>,
    handed: BTreeSet<ItemNumber>,
    acknowledged: BTreeSet<ItemNumber>,
    contacts: BTreeSet<&'static str>,
    variant: u8,
    generation: u64,
}

/// Runs the acts of a history; what only a disk knows is left out.
pub fn run(seed: u64, ops: &[Op]) -> Checked<usize> {
    let mut world = World::pure(seed);
    let mut own = Own::default();
    let mut acts = 0;
    for op in ops {
        match op {
            Op::Advance { minutes } => world.clock.advance_millis(i64::from(*minutes) * 60_000),
            Op::Jump { minutes } => world.jump(*minutes),
            Op::Together(ops) => {
                for op in ops {
                    acts += own.step(&mut world, op)?;
                }
            }
            Op::Sweep => {
                let due = world.wait(world.memory().due(world.clock.now(), OVERDUE, 50)).map_err(|error| error.to_string())?;
                for case_ref in due.ended {
                    own.end(&world, case_ref);
                    world.act_alone(&Act::EndCase(case_ref));
                }
                due.overdue.into_iter().for_each(|item| drop(world.act_alone(&Act::MarkOverdue(item))));
                for case_ref in due.forgotten {
                    world.act_alone(&Act::ForgetCase(case_ref));
                    own.told.retain(|_, told| told.accepted.case_ref != Some(case_ref));
                }
                due.holds.into_iter().for_each(|case_ref| drop(world.act_alone(&Act::EndHold(case_ref))));
            }
            op => acts += own.step(&mut world, op)?,
        }
        own.check(&world)?;
    }
    let log = world.wait(world.memory().records(&RecordFilter::default(), usize::MAX)).map_err(|error| error.to_string())?;
    check!(log.entries.iter().is_sorted_by_key(|entry| entry.record.as_ref().map(|record| record.time)), "the time of the log goes back");
    Ok(acts)
}

impl World {
    /// An act on the reference store alone.
    fn act_alone(&mut self, act: &Act) -> Answer {
        let memory = self.memory();
        match act.command(&memory.register()) {
            Ok(command) => comparable(self.wait(memory.act(command))),
            Err(reason) => Answer::Denied(reason),
        }
    }
}

impl Own {
    fn step(&mut self, world: &mut World, op: &Op) -> Checked<usize> {
        let Some(act) = world.meaning(op) else { return Ok(0) };
        let before = world.memory().snapshot();
        let size = world.memory().size();
        let expected = self.expected(world, &act);
        let answer = world.act_alone(&act);
        if let Some(expected) = expected {
            let denied = match &answer {
                Answer::Denied(reason) => Some(*reason),
                _ => None,
            };
            check!(denied == expected, "{act:?} is answered {answer:?}, by the rules it is {expected:?}");
        }
        match (&act, &answer) {
            (_, Answer::Denied(_)) => {
                check!(world.memory().size() == size && world.memory().snapshot() == before, "a refusal of {act:?} changes something");
            }
            (Act::Submit(letter), Answer::Accepted(accepted)) => self.accepted(world, letter, accepted)?,
            (Act::HandOut { items, .. }, Answer::Done(_)) => self.handed.extend(items),
            (Act::Acknowledge { items, .. }, Answer::Done(_)) => self.acknowledged.extend(items),
            (Act::Return { item, .. }, Answer::Done(_)) => {
                self.acknowledged.insert(*item);
                let told = self.told.values_mut().find(|told| told.accepted.index == item.index());
                told.ok_or("a notice is returned that nobody sent")?.returned = true;
            }
            (Act::Contact { who, .. }, Answer::Done(_)) => drop(self.contacts.insert(who)),
            (Act::Register { variant, generation }, Answer::Done(_)) => (self.variant, self.generation) = (variant % 7, *generation),
            _ => {}
        }
        Ok(1)
    }

    /// The rules of some acts once more: `Some(None)` is taken, `Some(Some(reason))` refused, `None` is left to the histories of the contract.
    fn expected(&self, world: &World, act: &Act) -> Option<Option<Reason>> {
        let suspended = |who: &str| matches!((self.variant, who), (1, "ru-oslo") | (2, "politi-oslo") | (3, "lab-ous"));
        match act {
            Act::Submit(letter) => {
                if heir(letter.who, self.generation) != letter.who {
                    return Some(Some(Reason::ParticipantRetired));
                }
                if suspended(letter.who) {
                    return Some(Some(Reason::ParticipantSuspended));
                }
                if let Some(told) = self.told.get(&(letter.who, letter.message_id)) {
                    let same = told.letter.content == letter.content;
                    return Some((!same).then_some(Reason::MessageIdReused));
                }
                match letter.text {
                    Text::Notice { wish } if letter.replaces.is_none() => self.expected_notice(world, letter, wish % 12),
                    // A case that nobody opened.
                    Text::Report { case_ref, .. } if !self.senders.contains_key(&case_ref) => Some(Some(Reason::ReferenceUnknown)),
                    _ => None,
                }
            }
            Act::Acknowledge { who, .. } if suspended(who) => Some(Some(Reason::ParticipantSuspended)),
            Act::Acknowledge { items, .. } if items.iter().any(|item| !self.handed.contains(item)) => Some(Some(Reason::ItemUnknown)),
            _ => None,
        }
    }

    fn expected_notice(&self, world: &World, letter: &Letter, wish: u8) -> Option<Option<Reason>> {
        let now = world.clock.now();
        let today = now.oslo_date();
        // Probation and its three months of grace; the id is always fresh here.
        let ends = if matches!(wish, 6 | 7) { date("2027-04-20") } else { date("2029-02-01") };
        let made = letter.message_id.timestamp();
        if made < now.plus_millis(-30 * 86_400_000) || made > now.plus_millis(5 * 60_000) {
            return Some(Some(Reason::StaleMessageId));
        }
        // All decisions bear one date; a clock set back takes it for one to come.
        if today < date("2026-11-02") {
            return Some(Some(Reason::DecisionInFuture));
        }
        if today >= ends {
            return Some(Some(Reason::ProbationOver));
        }
        if wish == 9 {
            return Some(Some(Reason::MunicipalityNotServed));
        }
        let unit = if wish == 1 || self.variant == 4 { RU_HAMAR } else { RU_OSLO };
        if unit == RU_HAMAR && self.variant == 5 && !self.contacts.contains(RU_HAMAR) {
            return Some(Some(Reason::UnitContactMissing));
        }
        if wish == 5 && heir(LAB, self.generation) != LAB {
            return Some(Some(Reason::LaboratoryRetired));
        }
        Some((wish == 8).then_some(Reason::ContactUnknown))
    }

    fn accepted(&mut self, world: &World, letter: &Letter, accepted: &Accepted) -> Checked {
        if let Some(told) = self.told.get(&(letter.who, letter.message_id)) {
            check!(told.accepted == *accepted, "a retry of {} is answered otherwise", letter.message_id);
            return Ok(());
        }
        check!(accepted.index + 1 == world.memory().size(), "an acceptance is not the newest entry");
        check!(!letter.validate_only, "a message that was only to be checked is accepted");
        if let Some(old) = letter.replaces.and_then(|id| self.told.get_mut(&(letter.who, id))) {
            old.retired = true;
        } else {
            check!(letter.replaces.is_none(), "{} replaces what its sender never sent", letter.message_id);
        }
        if letter.kind() == MessageKind::ConditionNotice
            && let Some(case_ref) = accepted.case_ref
        {
            let first = *self.senders.entry(case_ref).or_insert(letter.who);
            check!(first == letter.who, "the notice of one prosecution is replaced by another");
        }
        self.told.insert(
            (letter.who, letter.message_id),
            Told { letter: letter.clone(), accepted: accepted.clone(), retired: false, returned: false },
        );
        Ok(())
    }

    /// What the clients of a case know when it ends: nothing of it is delivered any more.
    fn end(&mut self, world: &World, case_ref: CaseRef) {
        for who in super::act::RECIPIENTS {
            let items = world.wait(world.memory().waiting(&id(who), None, 1000)).unwrap_or_default();
            self.acknowledged.extend(items.into_iter().filter(|item| item.case_ref == case_ref).map(|item| item.item));
        }
    }

    fn check(&self, world: &World) -> Checked {
        let memory = world.memory();
        for who in super::act::RECIPIENTS {
            let items = world.wait(memory.waiting(&id(who), None, 1000)).map_err(|error| error.to_string())?;
            check!(items.is_sorted_by_key(|item| item.item), "{who} is not given its items in the order of acceptance");
            for item in &items {
                check!(!self.acknowledged.contains(&item.item), "{who} is given {:?} again", item.item);
                let is_unit = UNITS.contains(&who);
                check!((item.kind == MessageKind::ConditionNotice) == is_unit, "{who} is given a message that is not for its role");
                let prosecution = self.senders.get(&item.case_ref).copied();
                check!(is_unit || prosecution == Some(who), "{who} is given a message of another's case");
            }
            let past = world.wait(memory.register_past(&Register::default())).map_err(|error| error.to_string())?;
            check!(past.is_needed(&id(who)) || items.is_empty(), "{who} has mail and is not needed");
        }
        self.check_senders(world)?;
        // The same state from a snapshot, and the same snapshot from that.
        let snapshot = memory.snapshot();
        let restored = State::restore(snapshot.clone()).map_err(|error| error.to_string())?;
        check!(restored.snapshot() == snapshot, "a snapshot does not give the same state again");
        Ok(())
    }

    fn check_senders(&self, world: &World) -> Checked {
        let memory = world.memory();
        let mut feeds: BTreeMap<&str, BTreeSet<MessageId>> = BTreeMap::new();
        for ((who, message_id), told) in &self.told {
            let entry = world.wait(memory.status(&id(who), *message_id)).map_err(|error| error.to_string())?;
            let status = entry.ok_or_else(|| format!("{message_id} was accepted and has no status"))?.status;
            let ended = status == DeliveryStatus::EndedUndelivered;
            let gone = matches!(status, DeliveryStatus::Superseded | DeliveryStatus::Withdrawn);
            check!(told.retired == gone || ended || told.returned, "{message_id} is shown as {status:?}");
            let main = ItemNumber::main(told.accepted.index);
            if status == DeliveryStatus::Acknowledged {
                check!(self.acknowledged.contains(&main), "{message_id} is shown as acknowledged and nobody did");
            }
            if status == DeliveryStatus::HandedOut {
                check!(self.handed.contains(&main), "{message_id} is shown as handed out and nobody fetched it");
            }
            feeds.entry(heir(who, self.generation)).or_default().insert(*message_id);
        }
        for (who, sent) in feeds {
            let feed = world.wait(memory.changes(&id(who), Cursor::default(), 10_000)).map_err(|error| error.to_string())?;
            check!(feed.is_sorted_by_key(|entry| entry.cursor), "the feed of {who} is out of order");
            let shown: BTreeSet<MessageId> = feed.iter().map(|entry| entry.message_id).collect();
            check!(shown.len() == feed.len() && sent.is_subset(&shown), "the feed of {who} does not hold each message once");
        }
        Ok(())
    }
}

#[test]
fn the_state_machine_keeps_to_what_its_clients_know() {
    let mut acts = 0;
    for seed in 1..=12 {
        let ops = super::op::history(seed, 250);
        acts += run(seed, &ops).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
    assert!(acts > 1000, "only {acts} acts were tried");
}
