//! Ids: retries, reuse, staleness, and receipts that verify.

use super::case_bed::{Bed, INNLANDET, LAB, OSLO, accepted, id, notice, report, result, submission, wish};
use crate::audit::receipt::Receipt;
use crate::clock::Clock as _;
use crate::domain::id::MessageId;
use crate::domain::time::DAY_MILLIS;
use crate::policy::command::Body;
use crate::policy::reason::Reason;
use crate::store::Outcome;

fn usual() -> Body {
    Body::Notice(Box::new(notice(&wish())))
}

pub(super) async fn the_same_id_and_content_gives_the_same_bytes_again(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    let first = accepted(bed.submit(OSLO, submission(message_id, usual(), None)).await.unwrap());
    bed.send_notice(&wish(), None).await.unwrap();
    let size = bed.store().stats().await.unwrap().durable_size;
    let again = accepted(bed.submit(OSLO, submission(message_id, usual(), None)).await.unwrap());
    assert_eq!(again, first, "index, references, time and receipt are the first ones");
    assert_eq!(bed.store().stats().await.unwrap().durable_size, size, "a retry adds nothing to the log");
    assert_eq!(bed.store().receipt(&id(OSLO), message_id).await.unwrap(), Some(first));
    assert_eq!(bed.store().receipt(&id(INNLANDET), message_id).await.unwrap(), None, "a receipt is its sender's");
}

pub(super) async fn the_same_id_with_other_content_is_refused(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    bed.submit(OSLO, submission(message_id, usual(), None)).await.unwrap();
    let mut other = submission(message_id, usual(), None);
    other.commit = [8; 32];
    assert_eq!(bed.submit(OSLO, other).await, Err(Reason::MessageIdReused));
}

pub(super) async fn an_unknown_id_that_is_too_old_or_ahead_is_stale(bed: &Bed) {
    bed.ready().await;
    let now = bed.store().now();
    let day = 86_400_000;
    for (offset, fresh) in [(-30 * day - 1, false), (-30 * day + 1, true), (299_000, true), (301_000, false)] {
        let message_id = MessageId::new(now.plus_millis(offset), [offset.to_be_bytes()[7]; 10]);
        let answer = bed.submit(OSLO, submission(message_id, usual(), None)).await;
        assert_eq!(answer.err(), (!fresh).then_some(Reason::StaleMessageId), "{offset} ms");
    }
}

/// The clock is some days ahead for a moment, in which something is written.
async fn ahead(bed: &Bed, days: i64) {
    bed.world.clock.jump_millis(days * DAY_MILLIS);
    bed.send_notice(&wish(), None).await.unwrap();
    bed.world.clock.jump_millis(-days * DAY_MILLIS);
}

pub(super) async fn what_is_sent_is_judged_by_the_clock_while_the_time_of_the_log_stands(bed: &Bed) {
    bed.ready().await;
    let short = super::case_bed::NoticeWish { probation_end: "2027-05-31", ..wish() };
    let (_, opened) = bed.send_notice(&short, None).await.unwrap();
    bed.take("ru-oslo").await;
    ahead(bed, 400).await;
    let (clock, log) = (bed.world.clock.now(), bed.store().now());
    assert_eq!(log, clock.plus_millis(400 * DAY_MILLIS));
    // By the log's time its id is stale, its probation is over and its case has ended.
    let (_, late) = bed.send_notice(&short, None).await.unwrap();
    let (_, reported) = bed.send("ru-oslo", Body::Report(report(opened.case_ref.unwrap(), "2026-11-12")), None).await.unwrap();
    assert_eq!((late.accepted_at, reported.accepted_at), (log, log), "the records' order of time stands");
    for (offset, fresh) in [(-30 * DAY_MILLIS - 1, false), (-30 * DAY_MILLIS, true), (300_000, true), (300_001, false)] {
        let message_id = MessageId::new(clock.plus_millis(offset), [offset.to_be_bytes()[7]; 10]);
        let answer = bed.submit(OSLO, submission(message_id, usual(), None)).await;
        assert_eq!(answer.err(), (!fresh).then_some(Reason::StaleMessageId), "{offset} ms");
    }
    let of_the_log = MessageId::new(log, [77; 10]);
    assert_eq!(bed.submit(OSLO, submission(of_the_log, usual(), None)).await, Err(Reason::StaleMessageId));
    // A clock that is behind: what is made now is of the future, and no case of old is alive again for what is judged by today.
    bed.world.clock.set(log.plus_millis(DAY_MILLIS));
    assert_eq!(bed.store().now(), bed.world.clock.now(), "the clock has caught up");
    assert_eq!(bed.send_notice(&short, None).await.err(), Some(Reason::ProbationOver));
}

pub(super) async fn a_retry_finds_its_acceptance_before_during_and_after_a_clock_that_was_ahead(bed: &Bed) {
    bed.ready().await;
    let send = |message_id| bed.submit(OSLO, submission(message_id, usual(), None));
    let mut first = Vec::new();
    let before = bed.fresh();
    first.push((before, accepted(send(before).await.unwrap())));
    bed.world.clock.jump_millis(40 * DAY_MILLIS);
    for message_id in [bed.fresh(), MessageId::new(bed.world.clock.now().plus_millis(-20 * DAY_MILLIS), [5; 10])] {
        first.push((message_id, accepted(send(message_id).await.unwrap())));
    }
    bed.world.clock.jump_millis(-40 * DAY_MILLIS);
    let after = bed.fresh();
    first.push((after, accepted(send(after).await.unwrap())));
    let size = bed.store().stats().await.unwrap().durable_size;
    // Also when the clock is ahead once more, or has caught up with the log.
    for days in [0_i64, 40, -40, 10, 31] {
        if days.abs() == 40 {
            bed.world.clock.jump_millis(days * DAY_MILLIS)
        } else {
            bed.advance_days(days)
        }
        for (message_id, accepted_first) in &first {
            assert_eq!(accepted(send(*message_id).await.unwrap()), *accepted_first, "after {days} days");
            assert_eq!(bed.store().receipt(&id(OSLO), *message_id).await.unwrap().as_ref(), Some(accepted_first));
            let mut other = submission(*message_id, usual(), None);
            other.commit = [8; 32];
            assert_eq!(bed.submit(OSLO, other).await, Err(Reason::MessageIdReused));
        }
    }
    assert_eq!(bed.store().stats().await.unwrap().durable_size, size, "nothing was accepted twice");
}

pub(super) async fn a_retry_gets_its_receipt_also_after_probation(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    let short = super::case_bed::NoticeWish { probation_end: "2026-11-21", to: "2026-11-21", ..wish() };
    let body = || Body::Notice(Box::new(notice(&short)));
    let first = accepted(bed.submit(OSLO, submission(message_id, body(), None)).await.unwrap());
    bed.advance_days(29);
    assert_eq!(accepted(bed.submit(OSLO, submission(message_id, body(), None)).await.unwrap()), first);
}

pub(super) async fn a_refused_message_binds_no_id(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    let unserved = notice(&super::case_bed::NoticeWish { municipality: "5501", ..wish() });
    assert_eq!(bed.submit(OSLO, submission(message_id, Body::Notice(Box::new(unserved)), None)).await, Err(Reason::MunicipalityNotServed));
    let mut corrected = submission(message_id, usual(), None);
    corrected.commit = [3; 32];
    bed.submit(OSLO, corrected).await.unwrap();
}

pub(super) async fn validate_only_answers_and_stores_nothing(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    let mut trial = submission(message_id, usual(), None);
    trial.validate_only = true;
    assert_eq!(bed.submit(OSLO, trial).await, Ok(Outcome::Done { events: 1 }), "one event, no acceptance");
    assert!(bed.waiting("ru-oslo").await.is_empty());
    assert_eq!(bed.status(OSLO, message_id).await, None);
    let unserved = notice(&super::case_bed::NoticeWish { municipality: "5501", ..wish() });
    let mut trial = submission(message_id, Body::Notice(Box::new(unserved)), None);
    trial.validate_only = true;
    assert_eq!(bed.submit(OSLO, trial).await, Err(Reason::MunicipalityNotServed), "the answer a real send would have");
    bed.submit(OSLO, submission(message_id, usual(), None)).await.unwrap();
}

pub(super) async fn two_senders_may_choose_the_same_id(bed: &Bed) {
    bed.ready().await;
    let message_id = bed.fresh();
    let first = accepted(bed.submit(OSLO, submission(message_id, usual(), None)).await.unwrap());
    let second = accepted(bed.submit(INNLANDET, submission(message_id, usual(), None)).await.unwrap());
    assert_ne!(first.index, second.index);
    assert_ne!(first.case_ref, second.case_ref);
}

pub(super) async fn receipts_verify_with_the_log_key_and_hide_the_case_from_laboratories(bed: &Bed) {
    bed.ready().await;
    let (_, opened) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take("ru-oslo").await;
    let case_ref = opened.case_ref.unwrap();
    let (_, reported) = bed.send("ru-oslo", Body::Report(report(case_ref, "2026-11-12")), None).await.unwrap();
    let (_, answered) = bed.send(LAB, Body::Result(result(opened.requisition_id.unwrap(), "P-1")), None).await.unwrap();
    assert_eq!((reported.case_ref, reported.requisition_id), (Some(case_ref), None));
    assert_eq!((answered.case_ref, answered.requisition_id), (None, opened.requisition_id));
    for accepted in [&opened, &reported, &answered] {
        let text = std::str::from_utf8(&accepted.receipt).unwrap();
        let verified = Receipt::verify(text, &bed.world.verifier, &bed.world.origin).unwrap();
        assert_eq!(verified.index(), accepted.index);
        let part = String::from_utf8(verified.opening().sender_part().to_vec()).unwrap();
        let names_case = part.contains(&case_ref.to_string());
        assert_eq!(names_case, accepted.case_ref.is_some(), "{part}");
        let proof = bed.store().prove(accepted.index).await.unwrap().unwrap();
        assert_eq!(&proof.leaf, verified.leaf().as_bytes(), "the leaf in the log is the receipt's");
    }
}
