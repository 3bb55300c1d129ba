//! Whoever may see a part of the log cannot tell by the time of an answer what is another's from what is not there.

use std::time::{Duration, Instant};

use super::super::{EVEN, even};
use super::*;
use crate::domain::hold::HoldReason;
use crate::domain::id::{CaseRef, MessageId};

/// What an answer says, and how long it took.
async fn timed<T: std::fmt::Debug>(answer: impl Future<Output = T>) -> (String, Duration) {
    let begun = Instant::now();
    let said = answer.await;
    (format!("{said:?}"), begun.elapsed())
}

#[test]
fn an_answer_leaves_at_the_next_of_few_times() {
    for (elapsed, leaves) in [(0, 25), (3, 25), (25, 25), (26, 50), (50, 50), (51, 100), (3_000, 3_200)] {
        assert_eq!(even(Duration::from_millis(elapsed)), Duration::from_millis(leaves), "{elapsed}");
    }
}

#[tokio::test]
async fn a_scoped_auditor_waits_as_long_for_another_s_case_as_for_none() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let mut hamar = wish();
    (hamar.municipality, hamar.control) = ("3403", false);
    let (of_other, notice) = bed.send_notice(&hamar, None).await.unwrap();
    store.turn_now().await.unwrap();
    let (unknown, nobodys) = (CaseRef::from_bytes([9; 10]), bed.fresh());
    // All that is told, with how long it took.
    let told = async |who: &str, case_ref: CaseRef, message_id: MessageId| {
        let caller = bed.caller(who);
        let about = [
            RecordFilter { case_ref: Some(case_ref), ..RecordFilter::default() },
            RecordFilter { message_id: Some(message_id), ..RecordFilter::default() },
        ];
        let mut all = Vec::new();
        for filter in &about {
            let mut rows = gateway.records(&caller, filter.clone(), None).await.unwrap();
            all.push(timed(async { rows.next().await.unwrap().unwrap().entries.len() }).await);
            all.push(timed(async { gateway.search(&caller, filter, None, 10).await.unwrap().unreadable }).await);
            all.push(timed(async { gateway.browse(&caller, filter.clone(), Turn::Newest, 10).await.unwrap().erased }).await);
        }
        all.push(timed(async { gateway.timeline(&caller, case_ref).await.unwrap().more }).await);
        let of = ProofOf::Message(message_id, 0);
        all.push(timed(async { gateway.proofs(&caller, of).await.map(|found| found.proofs.len()) }).await);
        let of = ExportOf { case_ref: Some(case_ref), ..ExportOf::default() };
        all.push(timed(async { gateway.export(&caller, of).await.map(drop) }).await);
        let until = date("2027-06-30");
        all.push(timed(async { gateway.place_hold(&caller, case_ref, HoldReason::Complaint, until).await }).await);
        all.push(timed(async { gateway.lift_hold(&caller, case_ref).await }).await);
        all
    };
    let (others, none) = (told(OF_LAB, notice.case_ref.unwrap(), of_other).await, told(OF_LAB, unknown, nobodys).await);
    for (others, none) in others.iter().zip(&none) {
        assert_eq!(others.0, none.0);
        assert!(others.1 >= EVEN && none.1 >= EVEN, "{others:?} {none:?}");
    }
    assert_eq!(others.len(), 11);
}
