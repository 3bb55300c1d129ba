//! Nothing is cut without a word: what does not fit one answer goes on in the next, and nobody's own asking stands in the way of what is asked for.

use super::*;
use crate::domain::hold::HoldReason;
use crate::gateway::Proofs;

/// Asks `times` for a message: an entry about it each.
async fn ask_about(gateway: &Arc<Gateway>, bed: &Bed, message_id: crate::domain::id::MessageId, times: usize) {
    let about = RecordFilter { message_id: Some(message_id), ..RecordFilter::default() };
    for _ in 0..times {
        gateway.search(&bed.caller(ALL), &about, None, 1).await.unwrap();
    }
}

#[tokio::test]
async fn proofs_about_a_message_go_on_until_there_are_no_more() {
    let home = Home::new();
    for (bed, gateway) in home.both().await {
        let (message_id, accepted) = bed.send_notice(&wish(), None).await.unwrap();
        ask_about(&gateway, &bed, message_id, 120).await;
        bed.take(RU_OSLO).await;
        let page = async |who: &str, from| gateway.proofs(&bed.caller(who), ProofOf::Message(message_id, from)).await.unwrap();
        let Proofs { proofs, next_index } = page(ALL, 0).await;
        assert_eq!((proofs.len(), proofs[0].index), (100, accepted.index));
        let next = next_index.unwrap();
        assert!(next > proofs[99].index);
        let Proofs { proofs, next_index } = page(ALL, next).await;
        assert_eq!((proofs.len(), next_index), (23, None), "the other asks, the hand-out and the acknowledgement");
        let kinds: Vec<u16> = proofs[21..].iter().map(|proof| proof.record.as_ref().unwrap().kind).collect();
        assert_eq!(kinds, [kind::HANDED_OUT, kind::ACKNOWLEDGED]);
        // What another auditor asked fills no page of one that does not see it.
        let Proofs { proofs, next_index } = page(OF_UNIT, 0).await;
        let kinds: Vec<u16> = proofs.iter().map(|proof| proof.record.as_ref().unwrap().kind).collect();
        assert_eq!((kinds, next_index), (vec![kind::NOTICE_ACCEPTED, kind::HANDED_OUT, kind::ACKNOWLEDGED], None));
    }
}

#[tokio::test]
async fn whoever_reads_an_entry_is_told_with_what_was_read() {
    let home = Home::new();
    for (bed, gateway) in home.both().await {
        let (message_id, accepted) = bed.send_notice(&wish(), None).await.unwrap();
        let caller = bed.caller(ALL);
        let last_read = async || {
            let filter = RecordFilter { kinds: vec![kind::AUDIT_READ, kind::AUDIT_ASKED], ..RecordFilter::default() };
            let record = bed.store().records(&filter, 1000).await.unwrap().entries.pop().unwrap().record.unwrap();
            (record.verb, record.note, record.case_ref, record.message_id)
        };
        let verb = Some(Verb::GetProof.number());
        gateway.proofs(&caller, ProofOf::Index(accepted.index)).await.unwrap();
        let note = Some(format!("index {} below {}", accepted.index, accepted.index + 1));
        assert_eq!(last_read().await, (verb, note, accepted.case_ref, None));
        gateway.proofs(&caller, ProofOf::Message(message_id, 0)).await.unwrap();
        assert_eq!(last_read().await, (verb, None, None, Some(message_id)));
        // Outside the scope the place is named, and nothing of what stands there.
        assert_eq!(gateway.proofs(&bed.caller(OF_LAB), ProofOf::Index(accepted.index)).await.unwrap_err().0.reason, Reason::EntryUnknown);
        assert_eq!(last_read().await.2, None);
        gateway.proofs(&caller, ProofOf::Index(u64::MAX)).await.unwrap_err();
        assert_eq!(last_read().await.1, Some(format!("index {}", u64::MAX)));
    }
}

#[tokio::test]
async fn what_others_asked_about_a_message_keeps_no_evidence_from_its_sender() {
    let home = Home::new();
    for (bed, gateway) in home.both().await {
        let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
        ask_about(&gateway, &bed, message_id, 260).await;
        bed.take(RU_OSLO).await;
        let found = gateway.evidence(&bed.caller(OSLO), Verb::ProsecutionGetEvidence, message_id, 0).await.unwrap();
        assert_eq!((found.proofs.len(), found.next_index), (2, None));
        let later = found.proofs[0].index + 1;
        let found = gateway.evidence(&bed.caller(OSLO), Verb::ProsecutionGetEvidence, message_id, later).await.unwrap();
        assert_eq!(found.proofs.len(), 1, "from an index on");
    }
}

#[tokio::test]
async fn a_case_is_found_behind_a_thousand_questions_about_it() {
    let (bed, gateway) = ready(memory_bed()).await;
    let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
    let case = notice.case_ref.unwrap();
    for _ in 0..1005 {
        gateway.timeline(&bed.caller(ALL), case).await.unwrap();
    }
    bed.send(LAB, Body::Result(result(notice.requisition_id.unwrap(), "A-1")), None).await.unwrap();
    gateway.place_hold(&bed.caller(OF_LAB), case, HoldReason::Complaint, date("2027-06-30")).await.unwrap();
    let timeline = gateway.timeline(&bed.caller(ALL), case).await.unwrap();
    assert!(timeline.entries.len() == 1000 && timeline.more, "and a timeline says that there is more");
    let happened = gateway.happenings(&bed.caller(ALL), case).await.unwrap();
    let kinds: Vec<u16> = happened.entries.iter().map(|entry| entry.record.as_ref().unwrap().kind).collect();
    assert_eq!((kinds, happened.more), (vec![kind::NOTICE_ACCEPTED, kind::RESULT_ACCEPTED, kind::HOLD_PLACED], false));
}

#[tokio::test]
async fn a_list_of_many_pages_counts_what_is_erased_once() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
    let case = notice.case_ref.unwrap();
    bed.send_notice(&wish(), None).await.unwrap();
    gateway.place_hold(&bed.caller(ALL), case, HoldReason::Complaint, date("2029-01-31")).await.unwrap();
    for _ in 0..600 {
        gateway.timeline(&bed.caller(ALL), case).await.unwrap();
    }
    // Among the held ones of a later page, some that are erased.
    bed.send_notice(&wish(), None).await.unwrap();
    gateway.timeline(&bed.caller(ALL), case).await.unwrap();
    store.turn_now().await.unwrap();
    months_pass(&store, &bed, 16).await;
    let caller = bed.caller(ALL);
    let told = gateway.search(&caller, &RecordFilter::default(), None, 1).await.unwrap().erased;
    let mut rows = gateway.records(&caller, RecordFilter::default(), None).await.unwrap();
    let (mut erased, mut listed) = (0, 0);
    while let Some(page) = rows.next().await.unwrap() {
        (erased, listed) = (erased + page.erased, listed + page.entries.len());
    }
    assert!(told > 2 && listed > 600, "{told} {listed}");
    assert_eq!(erased, told);
}
