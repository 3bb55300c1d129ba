//! What a sender is shown of its own message, and of nothing else.

use super::*;

#[tokio::test]
async fn evidence_shows_a_sender_its_own_message_and_nothing_more() {
    let home = Home::new();
    for (bed, gateway) in home.both().await {
        let (notice_id, notice) = bed.send_notice(&wish(), None).await.unwrap();
        let evidence = |who: &'static str, verb, message| {
            let (gateway, caller) = (Arc::clone(&gateway), bed.caller(who));
            async move { gateway.evidence(&caller, verb, message, 0).await.map(|found| found.proofs) }
        };
        assert_eq!(evidence(OSLO, Verb::ProsecutionGetEvidence, notice_id).await.unwrap(), []);
        bed.take(RU_OSLO).await;
        let (result_id, accepted) = bed.send(LAB, Body::Result(result(notice.requisition_id.unwrap(), "A-1")), None).await.unwrap();
        bed.take(OSLO).await;
        let texts = |found: &[crate::store::EntryProof]| -> Vec<String> {
            let open = |proof: &crate::store::EntryProof| {
                let text = std::str::from_utf8(&proof.proof).unwrap();
                let verified = Receipt::verify(text, &bed.world.verifier, &bed.world.origin).unwrap();
                assert_eq!(verified.index(), proof.index);
                String::from_utf8(verified.opening().sender_part().to_vec()).unwrap()
            };
            found.iter().map(open).collect()
        };
        let of_notice = texts(&evidence(OSLO, Verb::ProsecutionGetEvidence, notice_id).await.unwrap());
        assert_eq!(of_notice.len(), 2);
        assert!(of_notice[0].contains("event=HANDED_OUT\n") && of_notice[1].contains("event=ACKNOWLEDGED\n"));
        assert!(of_notice.iter().all(|text| text.contains("actor=ru-oslo\n")));
        let proofs = evidence(LAB, Verb::LaboratoryGetEvidence, result_id).await.unwrap();
        let of_result = texts(&proofs);
        assert_eq!(of_result.len(), 2);
        let requisition = notice.requisition_id.unwrap().to_string();
        for (text, proof) in of_result.iter().zip(&proofs) {
            let time = proof.record.as_ref().unwrap().time;
            let name = proof.record.as_ref().unwrap().row().unwrap().name;
            let all = format!("samband/v1\nevent={name}\ntime={time}\nmessage_id={result_id}\nrequisition_id={requisition}\n");
            assert_eq!(*text, all, "neither the case, nor who fetched it, nor with which key and reader");
        }
        assert!(accepted.case_ref.is_none());
        // What belongs to others is unknown.
        for (who, verb, message) in [
            (LAB, Verb::LaboratoryGetEvidence, notice_id),
            (RU_OSLO, Verb::MunicipalGetEvidence, notice_id),
            (RU_OSLO, Verb::MunicipalGetEvidence, result_id),
            (INNLANDET, Verb::ProsecutionGetEvidence, notice_id),
            (OSLO, Verb::ProsecutionGetEvidence, result_id),
        ] {
            assert_eq!(evidence(who, verb, message).await.unwrap_err().0.reason, Reason::MessageUnknown, "{who}");
        }
        assert_eq!(evidence(LAB, Verb::ProsecutionGetEvidence, result_id).await.unwrap_err().0.reason, Reason::CallNotAllowed);
    }
}

#[tokio::test]
async fn evidence_of_later_months_is_given_when_the_acceptance_is_erased() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let (notice_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    let until = async |day: &str| {
        while bed.store().now().oslo_date() < date(day) {
            bed.advance_days(1);
            let _ = store.confirm_calendar();
            bed.load(register(store.register().generation() + 1, auditors)).await;
        }
        let _ = store.confirm_calendar();
        store.turn_now().await.unwrap();
    };
    until("2026-12-10").await;
    bed.take(RU_OSLO).await;
    let evidence = async |who: &str, verb| gateway.evidence(&bed.caller(who), verb, notice_id, 0).await.map(|found| found.proofs);
    assert_eq!(evidence(OSLO, Verb::ProsecutionGetEvidence).await.unwrap().len(), 2);
    until("2028-01-10").await;
    let receipt = bed.store().receipt(&id(OSLO), notice_id).await;
    assert!(!matches!(receipt, Ok(Some(_))), "the record of November is erased: {receipt:?}");
    let left = evidence(OSLO, Verb::ProsecutionGetEvidence).await.unwrap();
    let kinds: Vec<u16> = left.iter().map(|proof| proof.record.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [kind::HANDED_OUT, kind::ACKNOWLEDGED], "those of December live");
    for (who, verb) in [(INNLANDET, Verb::ProsecutionGetEvidence), (RU_OSLO, Verb::MunicipalGetEvidence)] {
        assert_eq!(evidence(who, verb).await.unwrap_err().0.reason, Reason::MessageUnknown, "{who}");
    }
    until("2028-02-10").await;
    assert_eq!(evidence(OSLO, Verb::ProsecutionGetEvidence).await.unwrap(), [], "known, and nothing of it is left");
}
