//! A million identity numbers: right ones of every kind, ones with a slip of the pen, and any eleven digits.
//!
//! With `SAMBAND_IDENTITY_NUMBERS` set to a file they are written there with their verdicts, `number,production,test`, for a program of others
//! (`tests/independent/identity.mjs`).

use std::fmt::Write as _;

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::domain::identity::{DNumber, Fnr, IdentityMode};

const NUMBERS: usize = 1_000_000;

/// The same draws on every machine.
struct Draws(TestRng);

impl Draws {
    fn below(&mut self, bound: u8) -> u8 {
        // The bias of a remainder does not matter here.
        (self.0.next_u32() % u32::from(bound)) as u8
    }
}

/// Eleven digits that could be a number of any kind: day, month and year as they are, check digits that fit where any do.
fn drawn(draws: &mut Draws) -> [u8; 11] {
    let day = draws.below(32) + 40 * draws.below(2);
    let month = draws.below(14) + [0, 0, 40, 80][usize::from(draws.below(4))];
    let year = draws.below(100);
    let mut digits = [0; 11];
    for (at, pair) in [day, month, year].into_iter().enumerate() {
        (digits[2 * at], digits[2 * at + 1]) = (pair / 10, pair % 10);
    }
    (6..9).for_each(|at| digits[at] = draws.below(10));
    let sum =
        |weights: &[u16], digits: &[u8; 11]| weights.iter().zip(digits).map(|(weight, digit)| weight * u16::from(*digit)).sum::<u16>();
    let rest = u16::from(draws.below(4));
    let first = (11 + rest - sum(&[3, 7, 6, 1, 8, 9, 4, 5, 2], &digits) % 11) % 11;
    digits[9] = (first % 10) as u8;
    let second = (11 - sum(&[5, 4, 3, 2, 7, 6, 5, 4, 3, 2], &digits) % 11) % 11;
    digits[10] = (second % 10) as u8;
    digits
}

fn number(draws: &mut Draws) -> String {
    let mut digits = drawn(draws);
    match draws.below(10) {
        0 | 1 => digits[usize::from(draws.below(11))] = draws.below(10),
        2 => digits.swap(usize::from(draws.below(11)), usize::from(draws.below(11))),
        3 => digits.iter_mut().for_each(|digit| *digit = draws.below(10)),
        _ => {}
    }
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// The field for the number's kind takes it, in this mode; the other field never does.
fn accepted(number: &str, mode: IdentityMode) -> bool {
    let (fnr, d_number) = (Fnr::parse(number, mode).is_ok(), DNumber::parse(number, mode).is_ok());
    assert!(!(fnr && d_number), "{number} is of two kinds");
    fnr || d_number
}

#[test]
fn a_million_numbers_have_one_kind_and_one_mode() {
    let mut draws = Draws(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut lines = String::with_capacity(NUMBERS * 16);
    let mut counts = [0_usize; 3];
    for _ in 0..NUMBERS {
        let number = number(&mut draws);
        let (production, test) = (accepted(&number, IdentityMode::Production), accepted(&number, IdentityMode::Test));
        assert!(!(production && test), "{number} is good in both modes");
        counts[if production { 0 } else { 1 + usize::from(!test) }] += 1;
        writeln!(lines, "{number},{production},{test}").unwrap();
    }
    assert!(counts.iter().all(|count| *count > NUMBERS / 10), "each verdict is common: {counts:?}");
    if let Some(file) = std::env::var_os("SAMBAND_IDENTITY_NUMBERS") {
        std::fs::write(file, lines).unwrap();
    }
}
