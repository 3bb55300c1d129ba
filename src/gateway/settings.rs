//! What an operator tunes, with defaults.

use std::time::Duration;

use super::bucket::Rate;
use crate::domain::identity::IdentityMode;
use crate::domain::limits::{
    CALLS_PER_PARTICIPANT_BURST, CALLS_PER_PARTICIPANT_PER_S, LEASES_PER_STREAM_MAX, MAILBOX_ITEMS_MAX, READERS_PER_PARTICIPANT_MAX,
};
use crate::domain::time::DAY_MILLIS;
use crate::store::OverdueAfter;

/// Times and bounds of the gateway's acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Real identity numbers or synthetic ones.
    pub identity_mode: IdentityMode,
    /// When undelivered items are overdue.
    pub overdue_after: OverdueAfter,
    /// Between two rounds of the sweep.
    pub sweep_interval: Duration,
    /// Acts of one kind that a round of the sweep puts to the store.
    pub sweep_batch_max: usize,
    /// Refusals of one participant that become events of their own; further ones are summed by the minute.
    pub refusals: Rate,
    /// Unknown or misspelt references of one participant before sending waits.
    pub wrong_references: Rate,
    /// Calls of one participant.
    pub calls: Rate,
    /// Readers that one participant may have open at once; status feeds are counted apart, by the same bound.
    pub readers_per_participant_max: usize,
    /// Items handed out on one stream and not yet acknowledged.
    pub unacknowledged_per_stream_max: usize,
    /// Items that may wait for one participant; a new message beyond them is refused, corrections and withdrawals are not.
    pub mailbox_items_max: usize,
    /// Items that one act hands out.
    pub hand_out_batch_max: usize,
    /// Records that one audit call lists.
    pub records_per_call_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identity_mode: IdentityMode::Production,
            overdue_after: OverdueAfter { notice_millis: 5 * DAY_MILLIS, report_millis: 5 * DAY_MILLIS, result_millis: 5 * DAY_MILLIS },
            sweep_interval: Duration::from_secs(10),
            sweep_batch_max: 256,
            refusals: Rate::one_in_millis(60, 1_000),
            wrong_references: Rate::one_in_millis(20, 30_000),
            calls: Rate::per_second(CALLS_PER_PARTICIPANT_BURST, CALLS_PER_PARTICIPANT_PER_S),
            readers_per_participant_max: READERS_PER_PARTICIPANT_MAX,
            unacknowledged_per_stream_max: LEASES_PER_STREAM_MAX,
            mailbox_items_max: MAILBOX_ITEMS_MAX,
            hand_out_batch_max: 16,
            records_per_call_max: 10_000,
        }
    }
}
