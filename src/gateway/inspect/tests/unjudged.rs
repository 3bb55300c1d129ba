//! A damaged record cannot be judged to be within a scope: whoever sees a part of the log does not learn from a filter what the record was.

use std::collections::BTreeMap;

use super::*;
use crate::domain::hold::HoldReason;
use crate::domain::id::{CaseRef, MessageId};
use crate::gateway::Refusal;

/// Which damaged entries each way of asking names, by what was asked.
type Told = BTreeMap<String, Vec<u64>>;

/// What every list, page, timeline, proof and export that `filter` speaks in names as damaged.
async fn told_of(gateway: &Arc<Gateway>, caller: &Caller, what: &str, filter: &RecordFilter) -> Told {
    let mut told = Told::new();
    let mut rows = gateway.records(caller, filter.clone(), None).await.unwrap();
    let mut listed = Vec::new();
    while let Some(page) = rows.next().await.unwrap() {
        listed.extend(page.unreadable.into_iter().map(|(index, _)| index));
    }
    told.insert(format!("list of {what}"), listed);
    let found = gateway.search(caller, filter, None, 100).await.unwrap();
    told.insert(format!("search of {what}"), found.unreadable.into_iter().map(|(index, _)| index).collect());
    for turn in [Turn::Newest, Turn::Before(u64::MAX), Turn::After(0)] {
        let page = gateway.browse(caller, filter.clone(), turn, 100).await.unwrap();
        told.insert(format!("{turn:?} page of {what}"), page.unreadable);
    }
    if let Some(case_ref) = filter.case_ref {
        told.insert(format!("timeline of {what}"), gateway.timeline(caller, case_ref).await.unwrap().unreadable);
        told.insert(format!("happenings of {what}"), gateway.happenings(caller, case_ref).await.unwrap().unreadable);
        let of = ExportOf { case_ref: Some(case_ref), ..ExportOf::default() };
        let exported = match gateway.export(caller, of).await {
            // By its place within the range it is told to anyone; it must not make the range.
            Ok(mut export) => {
                let (mut entries, from, to) = (Vec::new(), export.frame().from, export.frame().to);
                while let Some(more) = export.next().await.unwrap() {
                    entries.extend(more);
                }
                let is_an_end = |entry: &OpenEntry| entry.index == from || entry.index + 1 == to;
                let damaged = entries.iter().filter(|entry| is_an_end(entry) && matches!(entry.held, Held::Unreadable));
                damaged.map(|entry| entry.index).collect()
            }
            // A reference of which nothing is seen may be a case of its own, whichever it is.
            Err(Refusal(denial)) => {
                assert_eq!(denial.reason, if caller.id() == &id(ALL) { Reason::EntryUnknown } else { Reason::DataDamaged });
                Vec::new()
            }
        };
        told.insert(format!("export of {what}"), exported);
    }
    if let Some(message_id) = filter.message_id {
        let proved = match gateway.proofs(caller, ProofOf::Message(message_id, 0)).await {
            Ok(found) => found.proofs.into_iter().filter(|proof| proof.unreadable).map(|proof| proof.index).collect(),
            Err(Refusal(denial)) => {
                assert_eq!(denial.reason, Reason::EntryUnknown);
                Vec::new()
            }
        };
        told.insert(format!("proofs of {what}"), proved);
    }
    told
}

/// How many entries that cannot be read a list, a page, a timeline of a case and one that leaves out readers say that the log has.
async fn counted(gateway: &Arc<Gateway>, caller: &Caller, filter: &RecordFilter) -> [u64; 4] {
    let listed = gateway.records(caller, filter.clone(), None).await.unwrap().unjudged();
    let page = gateway.browse(caller, filter.clone(), Turn::Newest, 100).await.unwrap().unjudged;
    let case = filter.case_ref.unwrap_or(CaseRef::from_bytes([8; 10]));
    let timelines = [gateway.timeline(caller, case).await.unwrap(), gateway.happenings(caller, case).await.unwrap()];
    [listed, page, timelines[0].unjudged, timelines[1].unjudged]
}

/// One of each filter that could speak of a record, and some that do not.
fn filters(bed: &Bed, cases: &[CaseRef], messages: &[MessageId]) -> Vec<(String, RecordFilter)> {
    let none = RecordFilter::default;
    let mut filters = Vec::new();
    for kind in [kind::NOTICE_ACCEPTED, kind::RESULT_ACCEPTED, kind::HANDED_OUT, kind::AUDIT_ASKED] {
        filters.push((format!("kind {kind}"), RecordFilter { kinds: vec![kind], ..none() }));
    }
    for who in [OSLO, INNLANDET, RU_OSLO, RU_HAMAR, LAB, ALL] {
        filters.push((format!("participant {who}"), RecordFilter { participant: Some(id(who)), ..none() }));
    }
    for (n, case) in cases.iter().enumerate() {
        filters.push((format!("case {n}"), RecordFilter { case_ref: Some(*case), ..none() }));
    }
    for (n, message) in messages.iter().enumerate() {
        filters.push((format!("message {n}"), RecordFilter { message_id: Some(*message), ..none() }));
    }
    let now = bed.store().now();
    filters.push(("what is since".into(), RecordFilter { from_time: Some(noon()), ..none() }));
    filters.push(("what was before".into(), RecordFilter { to_time: Some(now.plus_millis(1)), ..none() }));
    filters
}

#[tokio::test]
async fn no_filter_tells_a_scoped_auditor_what_a_damaged_record_of_others_was() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let (_, seen) = bed.send_notice(&wish(), None).await.unwrap();
    let (message_id, notice) =
        bed.send_notice(&crate::store::contract::case_bed::NoticeWish { municipality: "3403", ..wish() }, None).await.unwrap();
    let case = notice.case_ref.unwrap();
    bed.take(RU_HAMAR).await;
    store.turn_now().await.unwrap();
    flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * notice.index + 100);

    let cases = [case, seen.case_ref.unwrap(), CaseRef::from_bytes([9; 10])];
    let asked = filters(&bed, &cases, &[message_id, bed.fresh()]);
    let (mut of_all, mut ways) = (Told::new(), 0);
    for (what, filter) in &asked {
        for who in [OF_UNIT, OF_LAB] {
            for (way, told) in told_of(&gateway, &bed.caller(who), what, filter).await {
                assert!(told.is_empty(), "{who}, {way}: {told:?}");
                ways += 1;
            }
        }
        of_all.extend(told_of(&gateway, &bed.caller(ALL), what, filter).await);
    }
    assert_eq!(ways, 2 * of_all.len());
    // Whoever sees everything is told as before.
    let named = |way: &str| of_all[way].contains(&notice.index);
    for what in ["kind 10", "participant politi-oslo", "participant ru-hamar", "case 0", "message 0", "what is since", "what was before"] {
        for way in ["list", "search", "After(0) page"] {
            assert!(named(&format!("{way} of {what}")), "{way} of {what}");
        }
    }
    assert!(["kind 10", "case 0", "message 0"].iter().all(|what| named(&format!("Newest page of {what}"))));
    assert!(named("timeline of case 0") && named("happenings of case 0") && named("export of case 0") && named("proofs of message 0"));

    // By its place it is told to all alike: that says nothing of what it was.
    for who in [OF_UNIT, OF_LAB, ALL] {
        let caller = bed.caller(who);
        for from_index in [0, notice.index] {
            let filter = RecordFilter { from_index, to_index: Some(notice.index + 1), ..RecordFilter::default() };
            let told = told_of(&gateway, &caller, "a range", &filter).await;
            assert!(told.len() == 5 && told.values().all(|indices| *indices == [notice.index]), "{who}: {told:?}");
        }
        assert!(gateway.proofs(&caller, ProofOf::Index(notice.index)).await.unwrap().proofs[0].unreadable);
        let surveyed = gateway.answer(&caller, &[Question::ResultsElsewhere], ALWAYS).await.unwrap();
        assert_eq!((surveyed.checked.failed, &surveyed.checked.failed_at[..]), (1, &[notice.index][..]), "{who}");
        let of = ExportOf { from_index: Some(notice.index), to_index: Some(notice.index + 1), ..ExportOf::default() };
        let entries = gateway.export(&caller, of).await.unwrap().next().await.unwrap().unwrap();
        assert!(matches!(entries[0].held, Held::Unreadable));
    }

    // That something cannot be read is told alike of every case and filter, and of the range of indices by what it is.
    for (what, filter) in &asked {
        for (who, entries) in [(OF_UNIT, 1), (OF_LAB, 1), (ALL, 0)] {
            assert_eq!(counted(&gateway, &bed.caller(who), filter).await, [entries; 4], "{who}, {what}");
        }
    }
    assert_eq!(counted(&gateway, &bed.caller(OF_UNIT), &RecordFilter::default()).await[..2], [0; 2]);

    // A hold on the case is neither placed, lifted nor listed.
    let until = date("2027-06-30");
    gateway.place_hold(&bed.caller(ALL), case, HoldReason::Complaint, until).await.unwrap();
    for who in [OF_UNIT, OF_LAB] {
        let caller = bed.caller(who);
        for case in [case, CaseRef::from_bytes([9; 10])] {
            let placed = gateway.place_hold(&caller, case, HoldReason::Complaint, until).await.unwrap_err();
            let lifted = gateway.lift_hold(&caller, case).await.unwrap_err();
            assert_eq!([placed.0.reason, lifted.0.reason], [Reason::DataDamaged; 2], "of every reference that is not seen, it may be one");
        }
        assert_eq!(gateway.holds(&caller).await.unwrap(), []);
    }
    assert_eq!(gateway.holds(&bed.caller(ALL)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_before_anybody_asks_where_an_auditor_sees_a_part() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    let stop = tokio_util::sync::CancellationToken::new();
    bed.load(register(1, |_| ())).await;
    gateway.look_for_damage();
    assert!(!gateway.inspecting.damage.is_begun(), "whoever sees everything is told of each");
    bed.load(register(2, auditors)).await;
    let sweeping = tokio::spawn(gateway.clone().run_sweep(stop.clone()));
    for _ in 0..300 {
        if gateway.inspecting.damage.is_begun() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(gateway.inspecting.damage.is_begun(), "with the first round of the sweep");
    stop.cancel();
    sweeping.await.unwrap();
}

#[tokio::test]
async fn a_scoped_auditor_is_not_told_which_damaged_record_may_be_a_review_and_its_own_days_count_as_unreviewed() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    bed.advance_days(3);
    let mut damaged = Vec::new();
    for who in [ALL, OF_UNIT] {
        damaged.push(*store.durable().borrow());
        gateway.review(&bed.caller(who), date("2026-11-20"), date("2026-11-20")).await.unwrap();
        gateway.review(&bed.caller(who), date("2026-11-21"), date("2026-11-22")).await.unwrap();
    }
    store.turn_now().await.unwrap();
    for index in &damaged {
        flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * index + 100);
    }
    let of_unit = gateway.reviews(&bed.caller(OF_UNIT)).await.unwrap();
    assert!(of_unit.unreadable.is_empty(), "{of_unit:?}");
    assert_eq!(of_unit.unreviewed, [(date("2026-11-20"), date("2026-11-20"))]);
    assert!(!of_unit.is_all());
    assert!(gateway.reviews(&bed.caller(OF_LAB)).await.unwrap().unreadable.is_empty());
    assert_eq!(gateway.reviews(&bed.caller(ALL)).await.unwrap().unreadable, damaged);
}

#[tokio::test]
async fn more_damage_than_is_named_refuses_a_scoped_auditor_nothing_that_it_asks_by_filter() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    for _ in 0..120 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.turn_now().await.unwrap();
    for index in 4..120 {
        flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * index + 100);
    }
    let results = RecordFilter { kinds: vec![kind::RESULT_ACCEPTED], ..RecordFilter::default() };
    let told = told_of(&gateway, &bed.caller(OF_LAB), "results", &results).await;
    assert!(told.len() == 5 && told.values().all(Vec::is_empty), "{told:?}");
    // By place, as it is told to ask: each is named, over as many pages as that takes.
    for who in [OF_LAB, ALL] {
        let mut rows = gateway.records(&bed.caller(who), RecordFilter::default(), None).await.unwrap();
        let (mut named, mut listed) = (Vec::new(), Vec::new());
        while let Some(page) = rows.next().await.unwrap() {
            named.extend(page.unreadable.iter().map(|(index, _)| *index));
            listed.extend(page.entries.iter().map(|entry| entry.index));
        }
        assert_eq!(named, (4..120).collect::<Vec<_>>(), "{who}");
        assert!(listed.is_sorted_by(|one, next| one < next) && listed.iter().all(|index| !named.contains(index)), "{who}: {listed:?}");
        assert!(who == OF_LAB || listed.len() as u64 + 116 == *store.durable().borrow() - 1, "all but what the call itself is: {listed:?}");
    }
}

#[tokio::test]
async fn where_the_next_page_starts_tells_nothing_of_what_is_outside_the_scope() {
    let home = Home::new();
    for (bed, gateway) in home.both().await {
        let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
        bed.take(RU_OSLO).await;
        let (_, result) = bed.send(LAB, Body::Result(result(notice.requisition_id.unwrap(), "A-1")), None).await.unwrap();
        let kinds = vec![kind::ACKNOWLEDGED, kind::RESULT_ACCEPTED];
        let filter = RecordFilter { case_ref: notice.case_ref, kinds, ..RecordFilter::default() };
        for (who, next) in [(ALL, Some(result.index)), (OF_UNIT, None)] {
            let caller = bed.caller(who);
            let found = gateway.search(&caller, &filter, None, 1).await.unwrap();
            assert_eq!((found.entries.len(), found.next_index), (1, next), "{who}");
            let page = gateway.browse(&caller, filter.clone(), Turn::After(0), 1).await.unwrap();
            assert_eq!((page.entries.len(), page.newer), (1, next.is_some()), "{who}");
            let page = gateway.records(&caller, filter.clone(), Some(1)).await.unwrap().next().await.unwrap().unwrap();
            assert_eq!((page.entries.len(), page.next_index), (1, next), "{who}");
        }
    }
}

#[tokio::test]
async fn a_case_whose_only_record_is_damaged_is_not_told_as_none_and_can_be_held() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
    let case = notice.case_ref.unwrap();
    store.turn_now().await.unwrap();
    flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * notice.index + 100);
    // To the auditor of the unit whose case it is, too, it is one of the log's and no more.
    let seen = gateway.happenings(&bed.caller(OF_UNIT), case).await.unwrap();
    assert_eq!((seen.entries.len(), &seen.unreadable[..], seen.unjudged), (0, &[][..], 1));
    let seen = gateway.timeline(&bed.caller(ALL), case).await.unwrap();
    assert_eq!((&seen.unreadable[..], seen.unjudged), (&[notice.index][..], 0));
    let until = date("2027-06-30");
    gateway.place_hold(&bed.caller(ALL), case, HoldReason::Complaint, until).await.unwrap();
    store.turn_now().await.unwrap();
    let holds = gateway.holds(&bed.caller(ALL)).await.unwrap();
    assert_eq!(holds.len(), 1);
    assert!(holds[0].copy.is_lacking(), "its month stays for it");
    gateway.lift_hold(&bed.caller(ALL), case).await.unwrap();
    assert_eq!(gateway.lift_hold(&bed.caller(ALL), case).await.unwrap_err().0.reason, Reason::HoldUnknown);
}

#[tokio::test]
async fn what_broke_since_the_last_count_is_in_the_first_answer_whatever_it_is_about() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    let of_case = RecordFilter { case_ref: notice.case_ref, ..RecordFilter::default() };
    let none = RecordFilter { kinds: vec![kind::RESULT_ACCEPTED], ..RecordFilter::default() };
    let caller = bed.caller(OF_UNIT);
    for (broken, filter) in (1..).zip([&of_case, &none]) {
        assert_eq!(counted(&gateway, &caller, filter).await, [broken - 1; 4]);
        flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * (notice.index - broken + 1) + 100);
        gateway.inspecting.damage.age(std::time::Duration::from_secs(11));
        let rows = gateway.records(&caller, filter.clone(), None).await.unwrap();
        assert_eq!(rows.unjudged(), broken, "with the first answer, and not with the next");
    }
}
