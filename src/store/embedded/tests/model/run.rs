//! Runs a history, step by step; finds the shortest list of ops that still fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::super::by_hand;
use super::super::sim_disk::{Fault, Lie, SimDisk};
use super::act::{Act, Letter, RECIPIENTS, Text, UNITS};
use super::look::OVERDUE;
use super::op::Op;
use super::world::{Answer, Checked, Sent, World, check};
use crate::audit::event::{ItemNumber, MessageKind};
use crate::clock::Clock as _;
use crate::domain::id::{CaseRef, MessageId, RequisitionId};
use crate::domain::time::DAY_MILLIS;
use crate::policy::reason::Reason;
use crate::store::Store;
use crate::store::contract::case_bed::id;

const MINUTE: i64 = 60_000;
const READERS: [&str; 2] = ["r1", "r2"];
const REASONS: [Reason; 3] = [Reason::ContentInvalid, Reason::RateLimited, Reason::BadReferenceCheck];

/// Where a history went wrong, and how.
#[derive(Debug, Clone)]
pub struct Failure {
    pub step: usize,
    pub what: String,
    pub trace: Vec<String>,
}

/// Runs a history on a disk that tells the truth, or one that lies.
pub fn run(seed: u64, ops: &[Op], lie: Lie) -> Result<World, Failure> {
    let mut world = World::new(seed, SimDisk::lying(seed, lie));
    let mut at = 0;
    let ran = catch_unwind(AssertUnwindSafe(|| -> Checked {
        world.start_again()?;
        for (step, op) in ops.iter().enumerate() {
            at = step;
            world.step(op)?;
        }
        Ok(())
    }));
    let what = match ran {
        Ok(Ok(())) => return Ok(world),
        Ok(Err(what)) => what,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_else(|| "a panic".into())
        }
    };
    Err(Failure { step: at, what, trace: world.disk.trace(40) })
}

/// Leaves out ops for as long as what is left still fails, for at most so many runs.
pub fn shorten(seed: u64, ops: &[Op], lie: Lie, mut runs: usize) -> Vec<Op> {
    let mut best = ops.to_vec();
    if let Err(failure) = run(seed, &best, lie) {
        best.truncate(failure.step + 1);
    }
    let mut size = best.len() / 2;
    while size > 0 && runs > 0 {
        let mut from = 0;
        while from < best.len() && runs > 0 {
            let mut shorter = best.clone();
            shorter.drain(from..(from + size).min(best.len()));
            runs -= 1;
            match run(seed, &shorter, lie) {
                Err(failure) => {
                    shorter.truncate(failure.step + 1);
                    best = shorter;
                }
                Ok(_) => from += size,
            }
        }
        size /= 2;
    }
    best
}

impl World {
    pub fn step(&mut self, op: &Op) -> Checked {
        self.disk.forget_fired();
        match op {
            Op::Together(ops) => {
                let acts: Vec<Act> = ops.iter().filter_map(|op| self.acts(op).into_iter().next()).collect();
                self.put(acts)
            }
            Op::Sweep => self.sweep(),
            Op::Look { pick } => self.look(*pick),
            Op::Fsck => self.fsck(),
            Op::Advance { minutes } => {
                self.clock.advance_millis(i64::from(*minutes) * MINUTE);
                Ok(())
            }
            Op::Jump { minutes } => {
                self.jump(*minutes);
                Ok(())
            }
            Op::Publish => self.by_itself(|store| super::super::super::background::publish_once(&store.engine)).map(drop),
            Op::Turn => self.turn(),
            Op::Quiet => self.by_itself(|store| by_hand::quiet(&store.engine)).map(drop),
            Op::Full { full } => {
                self.disk.set_free(if *full { 1 << 18 } else { u64::MAX / 2 });
                Ok(())
            }
            Op::Confirm => {
                _ = self.store().confirm_calendar();
                Ok(())
            }
            Op::Stop => {
                let stopped = self.by_itself_stop()?;
                self.count(if stopped { "clean stops" } else { "stops that did not end well" });
                Ok(())
            }
            Op::Crash { cut } => {
                self.cut_with_the_process = *cut;
                self.count(if *cut { "power cuts" } else { "kills" });
                self.start_again()
            }
            Op::Arm { after, fault, cut } => {
                self.disk.arm(u64::from(*after), *fault);
                self.cut_with_the_process = *cut && *fault != Fault::Kill;
                Ok(())
            }
            act => {
                let acts = self.acts(act);
                self.put(acts)
            }
        }
    }

    pub fn jump(&mut self, minutes: i32) {
        let by = if minutes == 0 { -self.skew } else { i64::from(minutes) * MINUTE };
        self.skew += by;
        self.clock.jump_millis(by);
        self.count(if by > 0 { "clocks set forwards" } else { "clocks set back" });
    }

    fn put(&mut self, acts: Vec<Act>) -> Checked {
        if acts.is_empty() {
            return Ok(());
        }
        let told = acts.clone();
        let answers = self.act(acts)?;
        for (act, answer) in told.into_iter().zip(answers) {
            match (act, answer) {
                (Act::Acknowledge { who, items }, Answer::Done(_)) => self.acknowledged.extend(items.into_iter().map(|item| (who, item))),
                (Act::HandOut { who, items, .. }, Answer::Done(_)) => {
                    items.into_iter().filter(|item| !item.is_moved()).try_for_each(|item| self.content(who, item))?;
                }
                (Act::Submit(_), Answer::Denied(_)) => self.count("refusals"),
                _ => {}
            }
        }
        Ok(())
    }

    fn sweep(&mut self) -> Checked {
        let store = self.store();
        let Ok(due) = self.wait(store.due(self.clock.now(), OVERDUE, 50)) else { return Ok(()) };
        let acts = due.overdue.into_iter().map(Act::MarkOverdue).chain(due.ended.into_iter().map(Act::EndCase));
        let acts = acts.chain(due.forgotten.into_iter().map(Act::ForgetCase));
        let acts: Vec<Act> = acts.chain(due.holds.into_iter().map(Act::EndHold)).collect();
        drop(store);
        acts.into_iter().try_for_each(|act| self.put(vec![act]))
    }

    fn turn(&mut self) -> Checked {
        self.turning();
        let turned = self.by_itself(|store| super::super::super::turn::turn(&store.engine, None));
        match turned? {
            Some(Ok(_)) => self.nothing_erased_is_left(),
            Some(Err(error)) => {
                check!(self.disk.fired().is_some(), "a turn fails: {error}");
                self.count("turns that failed");
                self.disk.disarm();
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn by_itself_stop(&mut self) -> Checked<bool> {
        // A clean stop turns first.
        self.turning();
        let store = self.store();
        let stopped = self.wait(store.stop());
        drop(store);
        let ended = self.has_ended();
        check!(ended || stopped.is_ok(), "a stop fails: {stopped:?}");
        self.start_again()?;
        Ok(!ended)
    }

    fn fresh(&mut self) -> MessageId {
        self.ids += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.ids.to_be_bytes());
        MessageId::new(self.clock.now(), random)
    }

    fn some_message(&self, pick: u8) -> Option<&Sent> {
        // Newer ones more often.
        let len = self.sent.len();
        let back = usize::from(pick) % len.clamp(1, 12);
        self.sent.get(len.checked_sub(1 + back)?)
    }

    /// What an op means here and now. One act, or none.
    fn acts(&mut self, op: &Op) -> Vec<Act> {
        self.meaning(op).into_iter().collect()
    }

    fn letter(&mut self, who: &'static str, text: Text, replaces: Option<MessageId>) -> Option<Act> {
        let message_id = self.fresh();
        Some(Act::Submit(Box::new(Letter { who, message_id, text, replaces, validate_only: false, content: self.ids })))
    }

    fn mailbox(&self, who: &str) -> Vec<ItemNumber> {
        let items = self.wait(self.memory().waiting(&id(who), None, 1000)).unwrap_or_default();
        items.into_iter().map(|item| item.item).collect()
    }

    fn case(&self, pick: u8) -> CaseRef {
        let back = usize::from(pick) % self.cases.len().clamp(1, 8);
        self.cases.len().checked_sub(1 + back).map_or(CaseRef::from_bytes([pick; 10]), |at| self.cases[at])
    }

    fn requisition(&self, pick: u8) -> RequisitionId {
        let back = usize::from(pick) % self.requisitions.len().clamp(1, 8);
        let at = self.requisitions.len().checked_sub(1 + back);
        at.map_or(RequisitionId::from_bytes([pick; 10]), |at| self.requisitions[at])
    }

    pub fn meaning(&mut self, op: &Op) -> Option<Act> {
        match *op {
            Op::Notice { who, wish, replaces, validate_only } => {
                let replaces = replaces.and_then(|pick| self.some_message(pick)).map(|sent| (sent.letter.who, sent.letter.message_id));
                // A correction comes from the sender of what it corrects, mostly.
                let who = replaces
                    .map_or(Self::sender(0, who), |(first, _)| if first.starts_with("politi") { first } else { Self::sender(0, who) });
                let mut act = self.letter(who, Text::Notice { wish }, replaces.map(|(_, id)| id))?;
                if let Act::Submit(letter) = &mut act {
                    letter.validate_only = validate_only;
                }
                Some(act)
            }
            Op::Report { who, case, day, replaces } => {
                let replaces = replaces.and_then(|pick| self.some_message(pick)).map(|sent| sent.letter.message_id);
                let text = Text::Report { case_ref: self.case(case), day };
                self.letter(Self::sender(1, who), text, replaces)
            }
            Op::Result { who, requisition, label, kind, replaces } => {
                let replaces = replaces.and_then(|pick| self.some_message(pick)).map(|sent| sent.letter.message_id);
                let text = Text::Result { requisition: self.requisition(requisition), label, kind };
                self.letter(Self::sender(2, who), text, replaces)
            }
            Op::Withdraw { message, code, by_other } => {
                let sent = self.some_message(message)?;
                let (kind, of, mut who) = (sent.letter.kind(), sent.letter.message_id, sent.letter.who);
                if by_other {
                    who = Self::sender(usize::from(code) % 3, code);
                }
                let codes = match kind {
                    MessageKind::ConditionNotice => 6,
                    MessageKind::NonAttendanceReport => 2,
                    MessageKind::LabResult => 3,
                };
                self.letter(who, Text::Withdrawal { kind, code: 1 + u16::from(code) % codes }, Some(of))
            }
            Op::Retry { message, other_content } => {
                let mut letter = self.some_message(message)?.letter.clone();
                letter.content += if other_content { 1_000_000 } else { 0 };
                Some(Act::Submit(Box::new(letter)))
            }
            Op::Fetch { who, reader, max } => {
                let who = RECIPIENTS[usize::from(who) % RECIPIENTS.len()];
                let mut items = self.mailbox(who);
                items.truncate(1 + usize::from(max) % 8);
                let reader = READERS[usize::from(reader) % READERS.len()].to_owned();
                Some(Act::HandOut { who, reader, items })
            }
            Op::Acknowledge { who, from, count, of_other } => {
                let who = RECIPIENTS[usize::from(who) % RECIPIENTS.len()];
                let other = RECIPIENTS[(usize::from(from) + 1) % RECIPIENTS.len()];
                let mailbox = self.mailbox(if of_other { other } else { who });
                let skip = usize::from(from) % 3;
                let items = mailbox.into_iter().skip(skip).take(1 + usize::from(count) % 4).collect();
                Some(Act::Acknowledge { who, items })
            }
            Op::Return { who, item, reason } => {
                let who = UNITS[usize::from(who) % UNITS.len()];
                let mailbox = self.mailbox(who);
                let acknowledged = self.acknowledged.iter().filter(|(unit, _)| *unit == who).map(|(_, item)| *item);
                let items: Vec<ItemNumber> = mailbox.into_iter().chain(acknowledged).collect();
                let item = *items.get(usize::from(item) % items.len().max(1))?;
                Some(Act::Return { who, item, reason: 1 + u16::from(reason) % 2 })
            }
            Op::Contact { who, phone } => Some(Act::Contact { who: UNITS[usize::from(who) % UNITS.len()], phone }),
            Op::Register { variant } => Some(Act::Register { variant, generation: self.memory().register().generation() + 1 }),
            Op::Refuse { who, reason } => {
                let who = super::act::ALL[usize::from(who) % super::act::ALL.len()];
                Some(Act::Refuse { who, reason: REASONS[usize::from(reason) % REASONS.len()] })
            }
            Op::Audit { case } => Some(Act::Audit { case_ref: Some(self.case(case)) }),
            Op::Hold { case, weeks } => {
                let until = self.clock.now().plus_millis(i64::from(weeks) * 7 * DAY_MILLIS).oslo_date();
                Some(Act::Hold { case_ref: self.case(case), until })
            }
            Op::Lift { case } => Some(Act::Lift(self.case(case))),
            _ => None,
        }
    }
}
