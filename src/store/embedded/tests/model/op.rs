//! What a generated history is made of. An op picks what it is about by numbers, modulo what there is, so that every list of ops can be run and
//! shortened.

use super::super::sim_disk::{Dice, Fault};

/// One step of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// A notice of the wish, perhaps in place of an earlier message, perhaps only to be checked.
    Notice { who: u8, wish: u8, replaces: Option<u8>, validate_only: bool },
    /// A report in a case.
    Report { who: u8, case: u8, day: u8, replaces: Option<u8> },
    /// A result of a requisition.
    Result { who: u8, requisition: u8, label: u8, kind: u8, replaces: Option<u8> },
    /// A message is withdrawn by its sender, or by another.
    Withdraw { message: u8, code: u8, by_other: bool },
    /// A message is sent again, with its own content or another.
    Retry { message: u8, other_content: bool },
    /// A mailbox is fetched by a reader.
    Fetch { who: u8, reader: u8, max: u8 },
    /// Items are acknowledged: so many of the mailbox from one on, or of another's.
    Acknowledge { who: u8, from: u8, count: u8, of_other: bool },
    /// A notice is given back.
    Return { who: u8, item: u8, reason: u8 },
    /// A unit sets its contact.
    Contact { who: u8, phone: u8 },
    /// A register comes into force.
    Register { variant: u8 },
    /// A refusal is noted.
    Refuse { who: u8, reason: u8 },
    /// An auditor asks.
    Audit { case: u8 },
    /// An auditor holds a case for so many weeks, or changes the hold on it.
    Hold { case: u8, weeks: u8 },
    /// An auditor lifts a hold.
    Lift { case: u8 },
    /// What time demands is done.
    Sweep,
    /// Acts of one frame.
    Together(Vec<Op>),
    /// Everything that can be asked is asked of both stores.
    Look { pick: u8 },
    /// The check of the whole folder.
    Fsck,
    /// The clock moves by so many minutes.
    Advance { minutes: i32 },
    /// The clock is set by so many minutes while no time passes; by none: it is right again.
    Jump { minutes: i32 },
    /// What the publishing thread does each second.
    Publish,
    /// The store is turned over.
    Turn,
    /// What the committing thread does after some quiet.
    Quiet,
    /// The disk fills up, or has space again.
    Full { full: bool },
    /// An operator believes the clock.
    Confirm,
    /// A clean stop and a start.
    Stop,
    /// The process is killed, perhaps with the power, and started again.
    Crash { cut: bool },
    /// Something happens after so many operations of the disk; when the process ends by it, the power goes too, or not.
    Arm { after: u8, fault: Fault, cut: bool },
}

const MINUTES_OF_DAY: i32 = 24 * 60;

/// A history of so many steps.
pub fn history(seed: u64, steps: usize) -> Vec<Op> {
    let mut dice = Dice::new(seed);
    let faulty = !dice.one_in(4);
    let mut ops = vec![Op::Register { variant: 0 }];
    ops.extend((1..steps).map(|_| op(&mut dice, faulty)));
    ops.extend([Op::Turn, Op::Look { pick: 0 }, Op::Stop, Op::Fsck]);
    ops
}

fn byte(dice: &mut Dice) -> u8 {
    dice.below(256) as u8
}

fn op(dice: &mut Dice, faulty: bool) -> Op {
    match dice.below(100) {
        0..=61 => act(dice),
        62..=66 => Op::Together((0..2 + dice.below(6)).map(|_| act(dice)).collect()),
        67..=72 => Op::Look { pick: byte(dice) },
        73..=76 => Op::Advance { minutes: minutes(dice) },
        77..=78 => Op::Jump { minutes: jump(dice) },
        79..=81 => Op::Publish,
        82..=85 => Op::Turn,
        86..=87 => Op::Quiet,
        88 => Op::Full { full: dice.one_in(2) },
        89 => Op::Confirm,
        90 => Op::Stop,
        91 => Op::Fsck,
        92..=93 => Op::Crash { cut: dice.one_in(2) },
        _ if faulty => Op::Arm { after: dice.below(40) as u8, fault: fault(dice), cut: dice.one_in(2) },
        _ => act(dice),
    }
}

fn fault(dice: &mut Dice) -> Fault {
    [Fault::Eio, Fault::Enospc, Fault::SyncLost, Fault::Kill, Fault::Cut, Fault::Cut][dice.below(6)]
}

fn minutes(dice: &mut Dice) -> i32 {
    match dice.below(10) {
        0..=3 => dice.below(600) as i32,
        4..=6 => dice.below(10) as i32 * MINUTES_OF_DAY,
        7 => dice.below(45) as i32 * MINUTES_OF_DAY,
        8 => dice.below(200) as i32 * MINUTES_OF_DAY,
        _ => -(dice.below(90) as i32),
    }
}

fn jump(dice: &mut Dice) -> i32 {
    let days = |dice: &mut Dice, max| (1 + dice.below(max) as i32) * MINUTES_OF_DAY;
    match dice.below(10) {
        0..=4 => 0,
        5 => dice.below(600) as i32,
        6 => days(dice, 31),
        7 => days(dice, 400),
        8 => -days(dice, 40),
        _ => -(dice.below(600) as i32),
    }
}

fn act(dice: &mut Dice) -> Op {
    let some = |dice: &mut Dice, n: usize| dice.one_in(n).then(|| byte(dice));
    match dice.below(64) {
        0..=10 => Op::Notice { who: byte(dice), wish: byte(dice), replaces: some(dice, 3), validate_only: dice.one_in(12) },
        11..=16 => Op::Report { who: byte(dice), case: byte(dice), day: byte(dice), replaces: some(dice, 4) },
        17..=23 => Op::Result { who: byte(dice), requisition: byte(dice), label: byte(dice), kind: byte(dice), replaces: some(dice, 3) },
        24..=27 => Op::Withdraw { message: byte(dice), code: byte(dice), by_other: dice.one_in(8) },
        28..=31 => Op::Retry { message: byte(dice), other_content: dice.one_in(4) },
        32..=39 => Op::Fetch { who: byte(dice), reader: byte(dice), max: byte(dice) },
        40..=47 => Op::Acknowledge { who: byte(dice), from: byte(dice), count: byte(dice), of_other: dice.one_in(10) },
        48..=50 => Op::Return { who: byte(dice), item: byte(dice), reason: byte(dice) },
        51 => Op::Contact { who: byte(dice), phone: byte(dice) },
        52 => Op::Register { variant: byte(dice) },
        53 => Op::Refuse { who: byte(dice), reason: byte(dice) },
        54 => Op::Audit { case: byte(dice) },
        55..=57 => Op::Hold { case: byte(dice), weeks: byte(dice) },
        58 => Op::Lift { case: byte(dice) },
        _ => Op::Sweep,
    }
}
