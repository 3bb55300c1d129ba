//! Legal holds by auditors of different scopes, and what of a held case can still be asked when its months are gone.

use super::*;
use crate::domain::hold::{HoldCopy, HoldGround, HoldReason};
use crate::domain::id::CaseRef;
use crate::gateway::{HoldInForce, Refusal};
use crate::store::contract::case_bed::NoticeWish;

/// A case at each unit; the first has a result.
pub(super) async fn two_cases(bed: &Bed) -> (CaseRef, CaseRef) {
    bed.load(register(1, auditors)).await;
    let (_, oslo) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send(LAB, Body::Result(result(oslo.requisition_id.unwrap(), "A-1")), None).await.unwrap();
    let (_, hamar) = bed.send_notice(&NoticeWish { municipality: "3403", ..wish() }, None).await.unwrap();
    (oslo.case_ref.unwrap(), hamar.case_ref.unwrap())
}

fn reason_of(refused: Result<(), Refusal>) -> Reason {
    refused.unwrap_err().0.reason
}

#[tokio::test]
async fn a_case_is_held_shown_and_lifted_within_an_auditor_s_scope_only() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        let (oslo, hamar) = two_cases(&bed).await;
        let until = date("2027-06-30");
        let place = async |who: &str, case| gateway.place_hold(&bed.caller(who), case, HoldReason::Complaint, until).await;
        assert_eq!(reason_of(place(OF_UNIT, hamar).await), Reason::ReferenceUnknown, "another unit's case");
        assert_eq!(reason_of(place(OF_LAB, hamar).await), Reason::ReferenceUnknown);
        assert_eq!(reason_of(place(ALL, CaseRef::from_bytes([9; 10])).await), Reason::ReferenceUnknown, "no such case");
        let timeline = gateway.timeline(&bed.caller(ALL), CaseRef::from_bytes([9; 10])).await.unwrap();
        assert_eq!(timeline.entries.len(), 1, "the question itself, which makes no case");
        assert_eq!(reason_of(place(ALL, CaseRef::from_bytes([9; 10])).await), Reason::ReferenceUnknown);
        place(OF_UNIT, oslo).await.unwrap();
        place(ALL, hamar).await.unwrap();
        let seen = async |who: &str| {
            let holds = gateway.holds(&bed.caller(who)).await.unwrap();
            holds.into_iter().map(|held| held.hold.case.case_ref).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(seen(ALL).await, [oslo, hamar].into());
        assert_eq!(seen(OF_UNIT).await, [oslo].into());
        assert_eq!(seen(OF_LAB).await, [oslo].into(), "its laboratory's result is in the case");
        let held = gateway.holds(&bed.caller(ALL)).await.unwrap();
        let HoldInForce { hold: held, terms, .. } = held.iter().find(|held| held.hold.case.case_ref == oslo).unwrap();
        assert_eq!(held.placed, *terms);
        assert_eq!((held.case.prosecution.as_ref(), held.case.unit.as_ref()), (Some(&id(OSLO)), Some(&id(RU_OSLO))));
        assert_eq!((held.auditor.as_str(), held.key_label.as_str()), (OF_UNIT, "leser-1"));
        assert_eq!(reason_of(gateway.lift_hold(&bed.caller(OF_UNIT), hamar).await), Reason::HoldUnknown, "outside its scope");
        assert_eq!(reason_of(gateway.lift_hold(&bed.caller(OF_LAB), oslo).await), Reason::HoldOfAnother, "it sees a part of the case");
        gateway.lift_hold(&bed.caller(OF_UNIT), oslo).await.unwrap();
        assert_eq!(reason_of(gateway.lift_hold(&bed.caller(ALL), oslo).await), Reason::HoldUnknown);
        assert_eq!(seen(ALL).await, [hamar].into());
        assert_eq!(reason_of(place(LAB, oslo).await), Reason::CallNotAllowed);
        let filter = RecordFilter { kinds: vec![63, 64], ..RecordFilter::default() };
        let of_unit = gateway.search(&bed.caller(OF_UNIT), &filter, None, 10).await.unwrap();
        let shown: Vec<_> = of_unit.entries.iter().map(|entry| entry.record.as_ref().unwrap().case_ref).collect();
        assert_eq!(shown, [Some(oslo), Some(oslo)], "placed and lifted, and nothing of the other case");
    }
}

#[tokio::test]
async fn an_export_tells_of_no_hold_outside_the_scope_and_makes_no_case_of_a_question() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        let (oslo, hamar) = two_cases(&bed).await;
        let (_, free) = bed.send_notice(&NoticeWish { municipality: "3403", ..wish() }, None).await.unwrap();
        gateway.place_hold(&bed.caller(ALL), hamar, HoldReason::Complaint, date("2027-06-30")).await.unwrap();
        let export = async |who: &str, case_ref: CaseRef| {
            let caller = bed.caller(who);
            // The question before it is a record of the reference, which its own reader sees.
            assert!(!gateway.timeline(&caller, case_ref).await.unwrap().entries.is_empty());
            let of = ExportOf { case_ref: Some(case_ref), ..ExportOf::default() };
            gateway.export(&caller, of).await.map(|export| export.frame().hold).map_err(|refused| refused.0.reason)
        };
        let nobodys = CaseRef::from_bytes([9; 10]);
        for case in [hamar, free.case_ref.unwrap(), nobodys] {
            for who in [OF_UNIT, OF_LAB] {
                assert_eq!(export(who, case).await, Err(Reason::EntryUnknown), "{who}: held, free and none are alike");
            }
        }
        assert_eq!(export(ALL, nobodys).await, Err(Reason::EntryUnknown), "its own question makes no case");
        assert!(export(ALL, hamar).await.unwrap().is_some());
        assert_eq!(export(ALL, free.case_ref.unwrap()).await, Ok(None));
        assert_eq!(export(OF_UNIT, oslo).await, Ok(None));
    }
}

#[tokio::test]
async fn a_hold_of_one_s_own_is_no_way_back_to_a_case_that_left_the_scope() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        let (oslo, hamar) = two_cases(&bed).await;
        let place = async |case| gateway.place_hold(&bed.caller(OF_UNIT), case, HoldReason::Complaint, date("2027-06-30")).await;
        place(oslo).await.unwrap();
        bed.load(register(2, |participants| {
            auditors(participants);
            let entry = participants.iter_mut().find(|entry| entry.id == id(OF_UNIT)).unwrap();
            entry.scope = Some(AuditScope::Participants([id(RU_HAMAR)].into()));
        }))
        .await;
        assert_eq!(reason_of(place(oslo).await), Reason::ReferenceUnknown, "its own entry of the hold is no record of the case");
        assert_eq!(reason_of(gateway.lift_hold(&bed.caller(OF_UNIT), oslo).await), Reason::HoldUnknown);
        assert!(gateway.holds(&bed.caller(OF_UNIT)).await.unwrap().is_empty());
        place(hamar).await.unwrap();
        assert_eq!(gateway.holds(&bed.caller(ALL)).await.unwrap().len(), 2, "whoever sees all sees that it stands");
    }
}

#[tokio::test]
async fn the_configuration_s_ground_lets_a_hold_last_longer() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    let (oslo, _) = two_cases(&bed).await;
    let place = async |until| gateway.place_hold(&bed.caller(ALL), oslo, HoldReason::CourtProceedings, date(until)).await;
    assert_eq!(reason_of(place("2030-01-31").await), Reason::HoldTooLong);
    gateway.set_hold_ground(HoldGround::try_from("arkivlova § 9".to_owned()).unwrap());
    place("2027-01-31").await.unwrap();
    assert_eq!(gateway.holds(&bed.caller(ALL)).await.unwrap()[0].hold.ground, None, "what needs no ground bears none");
    place("2030-01-31").await.unwrap();
    let held = gateway.holds(&bed.caller(ALL)).await.unwrap();
    assert_eq!(held[0].hold.ground.as_ref().unwrap().to_string(), "arkivlova § 9");
    let HoldInForce { hold, terms, .. } = &held[0];
    let record = bed.store().records(&RecordFilter { from_index: *terms, ..RecordFilter::default() }, 1).await.unwrap().entries.remove(0);
    assert!(*terms > hold.placed && record.index == *terms, "the entry of the terms in force, not of the first placing");
    assert_eq!(record.record.unwrap().note.as_deref(), Some("until 2030-01-31 under arkivlova § 9"));
}

#[tokio::test]
async fn a_hold_bears_the_ground_from_the_day_on_which_its_oldest_record_would_have_to_go() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    gateway.set_hold_ground(HoldGround::try_from("arkivlova § 9".to_owned()).unwrap());
    let (oslo, _) = two_cases(&bed).await;
    months_pass(&store, &bed, 10).await;
    for (until, bears) in [("2029-10-31", false), ("2029-11-01", true), ("2029-10-31", false)] {
        gateway.place_hold(&bed.caller(ALL), oslo, HoldReason::CourtProceedings, date(until)).await.unwrap();
        let held = gateway.holds(&bed.caller(ALL)).await.unwrap();
        assert_eq!(held[0].hold.ground.is_some(), bears, "{until}: its first record is of November 2026");
    }
}

#[tokio::test]
async fn a_held_case_is_asked_followed_and_exported_when_its_months_are_gone() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    let (oslo, hamar) = two_cases(&bed).await;
    gateway.place_hold(&bed.caller(ALL), oslo, HoldReason::SupervisoryInspection, date("2029-01-31")).await.unwrap();
    store.turn_now().await.unwrap();
    months_pass(&store, &bed, 16).await;
    let caller = bed.caller(ALL);
    let first_kept = gateway.log_state(&caller).await.unwrap().first_kept;
    let timeline = gateway.timeline(&caller, oslo).await.unwrap();
    let kinds: Vec<u16> = timeline.entries.iter().map(|entry| entry.record.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [10, 14, 63, 61], "what happened, the hold, and this question");
    assert!(timeline.entries[2].index < first_kept);
    assert_eq!(gateway.timeline(&caller, hamar).await.unwrap().entries.len(), 1, "the other case has only the question");
    let surveyed = gateway.answer(&caller, &[Question::ResultsElsewhere], ALWAYS).await.unwrap();
    assert!(surveyed.checked.holds(), "{:?}", surveyed.checked);
    assert_eq!(surveyed.checked.period.erased, first_kept - 3, "all but the three that are held");
    assert_eq!(surveyed.answers[0].finding, Finding::ResultsElsewhere { results: 1, deliveries: 0, elsewhere: 0, unresolved: 0 });
    let mut export = gateway.export(&caller, ExportOf { case_ref: Some(oslo), ..ExportOf::default() }).await.unwrap();
    let frame = export.frame().clone();
    assert_eq!(frame.hold, Some(HoldCopy::Whole));
    let head = Checkpoint::open(std::str::from_utf8(&frame.checkpoint).unwrap(), &bed.world.verifier).unwrap();
    let mut survey = Survey::new(frame.sight, ALWAYS, &[], frame.from, Some(edge(frame.from, frame.edge).unwrap()));
    let mut open = 0;
    while let Some(entries) = export.next().await.unwrap() {
        for entry in entries {
            open += usize::from(matches!(entry.held, Held::Record(_)));
            survey.take(&entry);
        }
    }
    let checked = survey.finish(&head, Some(&frame.consistency)).checked;
    assert!(checked.holds() && open == 4, "{open} {checked:?}");
    let proof = bed.store().prove(timeline.entries[0].index).await.unwrap().unwrap();
    crate::audit::receipt::AuditorProof::verify(std::str::from_utf8(&proof.proof).unwrap(), &bed.world.verifier, &bed.world.origin)
        .unwrap();
}

#[tokio::test]
async fn a_hold_is_seen_by_whoever_sees_its_case_whichever_of_its_parties_the_entry_names() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        let (oslo, hamar) = two_cases(&bed).await;
        bed.load(register(2, |participants| {
            auditors(participants);
            // Of the unit that the case moves to, in the place of the laboratory's.
            let entry = participants.iter_mut().find(|entry| entry.id == id(OF_LAB)).unwrap();
            entry.scope = Some(AuditScope::Participants([id(RU_HAMAR)].into()));
        }))
        .await;
        let (moved, notice) = bed.send_notice(&wish(), None).await.unwrap();
        let case = notice.case_ref.unwrap();
        bed.send_notice(&NoticeWish { municipality: "3403", ..wish() }, Some(moved)).await.unwrap();
        for case in [oslo, hamar, case] {
            gateway.place_hold(&bed.caller(ALL), case, HoldReason::Complaint, date("2027-06-30")).await.unwrap();
        }
        for (who, sees) in [(OF_UNIT, [oslo, case]), (OF_LAB, [hamar, case])] {
            let caller = bed.caller(who);
            let held = gateway.holds(&caller).await.unwrap();
            let shown: std::collections::BTreeSet<_> = held.iter().map(|held| held.hold.case.case_ref).collect();
            assert_eq!(shown, sees.into(), "{who}");
            for HoldInForce { hold, terms, .. } in held {
                let proof = gateway.proofs(&caller, ProofOf::Index(terms)).await.unwrap().proofs.remove(0);
                assert_eq!(proof.record.unwrap().case_ref, Some(hold.case.case_ref), "{who}: what is linked is shown");
                let timeline = gateway.timeline(&caller, hold.case.case_ref).await.unwrap();
                assert!(timeline.entries.iter().any(|entry| entry.index == terms), "{who}");
                let mut export =
                    gateway.export(&caller, ExportOf { case_ref: Some(hold.case.case_ref), ..ExportOf::default() }).await.unwrap();
                let entries = export.next().await.unwrap().unwrap();
                assert!(entries.iter().any(|entry| entry.index == terms && matches!(entry.held, Held::Record(_))), "{who}");
            }
            let placed = RecordFilter { kinds: vec![kind::HOLD_PLACED], ..RecordFilter::default() };
            let listed = gateway.search(&caller, &placed, None, 10).await.unwrap().entries;
            let listed: std::collections::BTreeSet<_> =
                listed.iter().map(|entry| entry.record.as_ref().unwrap().case_ref.unwrap()).collect();
            assert_eq!(listed, sees.into(), "{who}: and no other");
        }
    }
}
