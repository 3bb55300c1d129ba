//! Lists of ops that once failed, that every operation of the disk fails once, and that a disk that lies is found out.

use super::super::sim_disk::{Fault, Lie};
use super::number;
use super::op::Op;
use super::run::run;

const NOTICE: Op = Op::Notice { who: 0, wish: 0, replaces: None, validate_only: false };
const FETCH: Op = Op::Fetch { who: 0, reader: 0, max: 7 };
const ACKNOWLEDGE: Op = Op::Acknowledge { who: 0, from: 0, count: 0, of_other: false };
const CUT: Op = Op::Crash { cut: true };
const LOOK: Op = Op::Look { pick: 1 };

/// Whether there is time for every operation; else every third is taken.
fn every() -> bool {
    number("SAMBAND_SIM_SECONDS").is_some_and(|seconds| seconds > 300)
}

/// A case is opened, a content acknowledged.
fn begin() -> Vec<Op> {
    vec![Op::Register { variant: 0 }, NOTICE, NOTICE, FETCH, ACKNOWLEDGE]
}

fn ops(more: &[Op]) -> Vec<Op> {
    let mut ops = begin();
    ops.extend_from_slice(more);
    ops
}

/// Holds under every way in which the power can go.
fn holds(what: &str, ops: &[Op], seeds: u64) {
    for seed in 1..=seeds {
        if let Err(failure) = run(seed, ops, Lie::None) {
            panic!("{what}, seed {seed}: {failure:#?}");
        }
    }
}

#[test]
fn the_name_of_a_new_folder_is_durable_before_anything_is_answered() {
    holds("new folder", &[CUT], 20);
    holds("new folder", &[Op::Register { variant: 0 }, CUT, LOOK], 20);
}

#[test]
fn what_was_read_after_a_failed_sync_is_written_again_before_anything_follows_it() {
    for after in 0..4 {
        // The seal of a quiet moment has no sync of its own: it may be lost with the frame after it.
        let arm = Op::Arm { after, fault: Fault::SyncLost, cut: false };
        holds("frame", &ops(&[arm.clone(), NOTICE, NOTICE, CUT, LOOK]), 12);
        holds("seal and frame", &ops(&[Op::Quiet, arm, NOTICE, NOTICE, CUT, LOOK]), 12);
    }
    holds("killed before the sync", &ops(&[Op::Arm { after: 1, fault: Fault::Kill, cut: false }, NOTICE, CUT, LOOK]), 12);
}

#[test]
fn a_register_and_what_was_permitted_before_it_may_stand_in_one_frame() {
    // The participants of the last variant are others: what they were permitted under the first is refused where it is decided.
    for variant in 0..7 {
        let result = Op::Result { who: 190, requisition: 140, label: 141, kind: 25, replaces: None };
        let together = Op::Together(vec![Op::Register { variant }, result, NOTICE, FETCH, NOTICE, ACKNOWLEDGE]);
        holds("register", &[Op::Register { variant: 0 }, together.clone(), NOTICE, LOOK], 3);
        holds("register, killed", &ops(&[Op::Arm { after: 1, fault: Fault::Kill, cut: false }, together, CUT, NOTICE, LOOK]), 6);
    }
}

#[test]
fn a_start_mends_the_partial_tiles_of_every_size_that_was_published() {
    let some = Op::Together(vec![Op::Refuse { who: 0, reason: 0 }; 40]);
    let publish = |rounds: usize| vec![[some.clone(), Op::Publish]; rounds].concat();
    // Within one tile, and over its edge: what was published stands in the kernel's memory only until a turn syncs it.
    for rounds in [1, 3, 8] {
        holds("published", &[begin(), publish(rounds), vec![CUT, Op::Fsck, LOOK]].concat(), 10);
        holds("published and turned", &[begin(), publish(rounds), vec![Op::Turn, NOTICE, Op::Publish, CUT, Op::Fsck, LOOK]].concat(), 10);
    }
}

#[test]
fn no_reference_is_drawn_twice_after_a_frame_was_lost() {
    for fault in [Fault::Kill, Fault::Cut, Fault::Eio] {
        for after in 0..3 {
            let lost = Op::Arm { after, fault, cut: true };
            let more =
                [Op::Together(vec![NOTICE; 3]), lost, Op::Together(vec![NOTICE; 3]), CUT, Op::Together(vec![NOTICE; 3]), LOOK, Op::Fsck];
            holds("frame of three notices", &ops(&more), 6);
        }
    }
}

/// Whatever a turn does fails once, in each way; the next turn leaves nothing that was erased, and nothing is lost, also when the power goes.
fn every_operation_of_a_turn(fault: Fault) {
    let mut fired = 0;
    for after in (0..90).step_by(if every() { 1 } else { 3 }) {
        let arm = Op::Arm { after, fault, cut: after % 2 == 1 };
        let ops = ops(&[Op::Turn, NOTICE, FETCH, ACKNOWLEDGE, arm, Op::Turn, NOTICE, Op::Turn, CUT, Op::Turn, Op::Fsck, LOOK]);
        match run(u64::from(after), &ops, Lie::None) {
            Ok(world) => {
                fired += u64::from(
                    world.counts.get("starts").is_some_and(|starts| *starts > 2) || world.counts.contains_key("turns that failed"),
                )
            }
            Err(failure) => panic!("{fault:?} after {after}: {failure:#?}"),
        }
    }
    assert!(fired > 1, "{fault:?} happened in {fired} turns only");
}

#[test]
fn every_operation_of_a_turn_fails_once_with_eio() {
    every_operation_of_a_turn(Fault::Eio);
}

#[test]
fn every_operation_of_a_turn_fails_once_with_enospc() {
    every_operation_of_a_turn(Fault::Enospc);
}

#[test]
fn every_sync_of_a_turn_fails_once_and_loses_its_pages() {
    every_operation_of_a_turn(Fault::SyncLost);
}

#[test]
fn every_operation_of_a_turn_is_the_last_one_once() {
    every_operation_of_a_turn(Fault::Kill);
}

#[test]
fn the_power_goes_in_every_operation_of_a_turn() {
    every_operation_of_a_turn(Fault::Cut);
}

/// Months go beside a held case, and the hold ends, while each operation of those turns fails once.
fn every_operation_of_a_turn_beside_a_hold(fault: Fault) {
    const DAY: i32 = 24 * 60;
    let mut beside = 0;
    for after in (0..100).step_by(if every() { 1 } else { 6 }) {
        let arm = || Op::Arm { after, fault, cut: after % 4 == 2 };
        let held = [Op::Hold { case: 0, weeks: 120 }, arm(), Op::Turn, NOTICE, Op::Turn, Op::Look { pick: 0 }];
        let months =
            [Op::Advance { minutes: 430 * DAY }, Op::Confirm, Op::Audit { case: 1 }, arm(), Op::Turn, Op::Turn, CUT, Op::Turn, LOOK];
        let over = [Op::Advance { minutes: 430 * DAY }, Op::Confirm, Op::Sweep, Op::Sweep, arm(), Op::Turn, Op::Turn, Op::Fsck, LOOK];
        let lifted = [Op::Hold { case: 0, weeks: 4 }, Op::Turn, Op::Lift { case: 0 }, arm(), Op::Turn, CUT, Op::Turn, Op::Fsck, LOOK];
        match run(u64::from(after), &ops(&[&held[..], &months, &over, &lifted].concat()), Lie::None) {
            Ok(world) => beside += world.counts.get("erasures beside a hold").copied().unwrap_or(0),
            Err(failure) => panic!("{fault:?} after {after}: {failure:#?}"),
        }
    }
    assert!(beside > 10, "{fault:?}: months went beside a hold {beside} times only");
}

#[test]
fn every_operation_of_a_turn_beside_a_hold_fails_once_with_eio() {
    every_operation_of_a_turn_beside_a_hold(Fault::Eio);
}

#[test]
fn every_sync_of_a_turn_beside_a_hold_fails_once() {
    every_operation_of_a_turn_beside_a_hold(Fault::SyncLost);
}

#[test]
fn the_power_goes_in_every_operation_of_a_turn_beside_a_hold() {
    every_operation_of_a_turn_beside_a_hold(Fault::Cut);
}

#[test]
fn what_is_erased_counts_to_the_end_of_the_range_also_behind_a_full_page() {
    const DAY: i32 = 24 * 60;
    // More held records than the look's page takes, and erased ones behind them.
    let held = [Op::Hold { case: 0, weeks: 71 }, Op::Advance { minutes: 25 * DAY }, Op::Sweep, NOTICE, Op::Contact { who: 177, phone: 0 }];
    let gone = [Op::Advance { minutes: 474 * DAY }, Op::Audit { case: 0 }, NOTICE, Op::Turn, Op::Look { pick: 0 }, LOOK];
    holds("erased", &ops(&[&held[..], &gone].concat()), 12);
    holds("erased", &shortest_of_seed_200085(), 12);
}

#[test]
fn a_seal_that_the_power_took_from_before_a_frame_is_no_damage() {
    // The seal of a quiet moment and the frame after it are two writes under one sync: of each the power leaves what it likes, a sector at a time.
    // What stands before moves the seal over the border of two sectors, so that the frame's header may survive without the whole seal.
    for before in 0..12 {
        let refused = Op::Together(vec![Op::Refuse { who: 0, reason: 0 }; before]);
        let arm = Op::Arm { after: 0, fault: Fault::Cut, cut: true };
        holds("lost seal", &ops(&[refused, NOTICE, Op::Quiet, arm, NOTICE, Op::Fsck, LOOK]), 40);
    }
}

fn shortest_of_seed_200085() -> Vec<Op> {
    vec![
        Op::Register { variant: 0 },
        Op::Notice { who: 105, wish: 120, replaces: None, validate_only: false },
        Op::Fetch { who: 236, reader: 151, max: 193 },
        Op::Hold { case: 53, weeks: 71 },
        Op::Advance { minutes: 36_000 },
        Op::Audit { case: 223 },
        Op::Sweep,
        Op::Notice { who: 52, wish: 85, replaces: Some(237), validate_only: false },
        Op::Contact { who: 177, phone: 0 },
        Op::Advance { minutes: 682_560 },
        Op::Notice { who: 97, wish: 227, replaces: None, validate_only: false },
        Op::Turn,
        Op::Look { pick: 0 },
    ]
}

/// The harness can fail: each promise that a disk breaks is found out, by a history that holds on a disk that keeps them.
#[test]
fn each_lie_of_a_disk_is_found_out() {
    // More than one tile holds: full ones are written once, partial ones again at each start.
    let many = vec![Op::Together(vec![Op::Refuse { who: 0, reason: 0 }; 60]); 5];
    let histories = [
        (Lie::SyncData, ops(&[NOTICE, CUT, LOOK])),
        (Lie::SyncDir, ops(&[NOTICE, CUT, LOOK])),
        (Lie::SyncAll, [begin(), many, vec![Op::Publish, Op::Turn, NOTICE, CUT, Op::Fsck, LOOK]].concat()),
        (Lie::RenameBeforeData, ops(&[Op::Turn, NOTICE, CUT, LOOK])),
        (Lie::Overwrite, ops(&[Op::Turn, LOOK])),
    ];
    for (lie, ops) in histories {
        holds("an honest disk", &ops, 10);
        let found = (1..=30).find_map(|seed| run(seed, &ops, lie).err());
        assert!(found.is_some(), "{lie:?} is not found out");
    }
}
