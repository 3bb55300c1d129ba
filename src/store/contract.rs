//! One suite for every store: hand-written histories of cases, checked through the trait alone.
//!
//! A store joins with `contract_suite!(name, make)`, where `make` gives a [`World`].

pub(crate) mod case_bed;
mod corrections;
mod delivery;
mod ending;
pub(crate) mod holds;
mod ids;
mod references;
mod succession;

/// Instantiates every history for one store.
macro_rules! contract_suite {
    ($name:ident, $make:expr) => {
        mod $name {
            $crate::store::contract::histories!($make;
                ids: [
                    the_same_id_and_content_gives_the_same_bytes_again,
                    the_same_id_with_other_content_is_refused,
                    an_unknown_id_that_is_too_old_or_ahead_is_stale,
                    what_is_sent_is_judged_by_the_clock_while_the_time_of_the_log_stands,
                    a_retry_finds_its_acceptance_before_during_and_after_a_clock_that_was_ahead,
                    a_retry_gets_its_receipt_also_after_probation,
                    a_refused_message_binds_no_id,
                    validate_only_answers_and_stores_nothing,
                    two_senders_may_choose_the_same_id,
                    receipts_verify_with_the_log_key_and_hide_the_case_from_laboratories
                ];
                delivery: [
                    a_notice_goes_to_the_unit_of_its_municipality_and_to_nobody_else,
                    a_later_register_reroutes_nothing,
                    hand_out_is_one_event_per_item_and_reader,
                    acknowledged_content_is_gone_and_acknowledging_again_is_the_same,
                    items_of_others_cannot_be_acknowledged,
                    an_overdue_item_is_shown_and_still_deliverable,
                    what_is_accepted_while_the_time_of_the_log_stands_is_overdue_in_its_time,
                    undelivered_notices_are_counted_by_their_age,
                    a_suspended_recipient_is_shown_and_its_mail_waits,
                    the_status_feed_gives_each_message_once_with_its_newest_status,
                    what_the_police_can_see_does_not_depend_on_attendance,
                    a_unit_without_contact_gets_no_notice_until_it_sets_one
                ];
                corrections: [
                    a_replacement_keeps_references_and_subject_and_changes_all_else,
                    a_replacement_about_another_person_is_refused,
                    a_replaced_notice_that_nobody_fetched_is_never_delivered,
                    a_replaced_notice_that_was_fetched_is_followed_by_its_replacement,
                    a_move_tells_the_old_unit_and_ends_its_right_but_for_dates_before,
                    a_move_before_the_first_hand_out_tells_the_old_unit_nothing,
                    a_withdrawal_before_the_first_hand_out_leaves_nothing_to_deliver,
                    a_withdrawal_after_the_hand_out_is_an_item_of_its_own,
                    only_the_newest_standing_message_can_be_replaced,
                    a_unit_returns_a_notice_and_the_case_waits_for_the_prosecution,
                    a_withdrawal_or_replaced_notice_cannot_be_returned,
                    a_report_is_corrected_and_withdrawn_within_its_case,
                    a_result_is_corrected_by_its_sample_and_part
                ];
                references: [
                    a_report_needs_an_acknowledged_notice_of_this_unit,
                    a_report_needs_the_condition_and_dates_inside_probation,
                    a_result_needs_no_acknowledgement,
                    a_result_keeps_to_the_order,
                    an_order_that_names_laboratories_admits_no_other,
                    parties_hear_why_and_strangers_hear_unknown,
                    a_revoked_condition_ends_the_requisition,
                    a_transferred_case_takes_samples_collected_before,
                    the_order_in_force_on_the_day_of_collection_counts,
                    notices_need_a_served_municipality_a_known_contact_and_enrolled_laboratories
                ];
                ending: [
                    a_case_ends_three_months_after_probation,
                    undelivered_content_ends_with_its_case_after_being_overdue,
                    an_ended_case_is_forgotten_later,
                    an_ended_case_keeps_its_parties_and_nothing_else,
                    a_participant_with_mail_or_cases_is_needed
                ];
                succession: [
                    undelivered_mail_is_the_successors_with_an_event,
                    what_comes_back_in_a_case_goes_to_the_successor,
                    a_retired_participant_is_refused_in_every_call,
                    ids_of_the_predecessor_stay_bound_and_its_messages_are_the_successors,
                    the_same_id_of_two_that_became_one_is_told_apart_by_content,
                    the_successor_corrects_and_withdraws_what_the_predecessor_sent,
                    a_units_cases_pass_and_its_municipalities_are_served_by_the_successor,
                    a_laboratory_named_in_orders_is_followed_by_its_successor,
                    a_successor_of_a_successor_has_it_all,
                    two_that_are_retired_at_once_pass_to_the_last,
                    a_suspended_participant_is_retired_and_its_mail_flows_again,
                    a_suspended_successor_keeps_what_it_got_and_the_sender_is_told,
                    sender_and_recipient_retired_at_once_leave_one_feed,
                    an_unit_that_had_the_case_before_its_successor_is_told_in_one_voice,
                    an_ended_case_still_answers_the_successor,
                    a_correction_after_a_municipality_left_tells_the_unit_that_had_the_case
                ];
                holds: [
                    a_hold_has_a_reason_and_a_last_day_and_other_terms_change_it,
                    a_hold_ends_later_than_today_and_within_the_lawful_maximum,
                    a_hold_is_lifted_once_and_only_where_there_is_one,
                    a_hold_is_changed_and_lifted_by_its_auditor_or_one_of_the_whole_log,
                    a_hold_is_over_the_day_after_its_last,
                    holds_are_bounded_and_an_auditor_s
                ];
            );
        }
    };
}

macro_rules! histories {
    ($make:expr; $($file:ident: [$($test:ident),*];)*) => {
        $($(
            #[tokio::test]
            async fn $test() {
                $crate::store::contract::$file::$test(&$make()).await;
            }
        )*)*
    };
}
pub(crate) use histories;

contract_suite!(memory, crate::store::contract::case_bed::memory_bed);
contract_suite!(embedded, crate::store::embedded::tests::contract_bed);

/// Only the reference store fails on demand; on a store that cannot, this history would pass without having asked anything.
#[tokio::test]
async fn a_failure_before_or_after_neither_loses_nor_doubles() {
    delivery::a_failure_before_or_after_neither_loses_nor_doubles(&case_bed::memory_bed()).await;
}
