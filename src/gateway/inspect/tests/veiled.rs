//! That a case outside its scope is held, an auditor does not learn from what it once asked about it.

use std::collections::BTreeSet;

use super::holds::two_cases;
use super::*;
use crate::domain::hold::HoldReason;
use crate::domain::id::CaseRef;
use crate::store::contract::case_bed::NoticeWish;

/// The records about a case that `who` is shown from before `end`, by each way there is.
async fn shown(gateway: &Arc<Gateway>, caller: &Caller, case_ref: CaseRef, end: u64) -> [BTreeSet<u64>; 6] {
    let of_case = RecordFilter { case_ref: Some(case_ref), ..RecordFilter::default() };
    let searched = gateway.search(caller, &of_case, None, 1000).await.unwrap().entries;
    let browsed = gateway.browse(caller, of_case.clone(), Turn::Newest, 1000).await.unwrap().entries;
    let timeline = gateway.timeline(caller, case_ref).await.unwrap().entries;
    let is_of_case = |record: &crate::audit::record::Record| record.case_ref == Some(case_ref);
    let all = gateway.search(caller, &RecordFilter::default(), None, 1000).await.unwrap().entries;
    let all = all.into_iter().filter(|entry| entry.record.as_ref().is_some_and(is_of_case)).collect::<Vec<_>>();
    let rows = ask(gateway, caller, Question::Read).await.rows;
    let mut export = gateway.export(caller, ExportOf::default()).await.unwrap();
    let mut exported = BTreeSet::new();
    while let Some(entries) = export.next().await.unwrap() {
        let open = entries.iter().filter(|entry| matches!(&entry.held, Held::Record(held) if is_of_case(&held.0)));
        exported.extend(open.map(|entry| entry.index));
    }
    let indices = |entries: Vec<crate::store::LogEntry>| entries.into_iter().map(|entry| entry.index).collect::<BTreeSet<_>>();
    let rows = rows.into_iter().filter(|row| is_of_case(&row.record)).map(|row| row.index).collect();
    [indices(searched), indices(browsed), indices(timeline), indices(all), rows, exported]
        .map(|indices: BTreeSet<u64>| indices.into_iter().filter(|index| *index < end).collect())
}

#[tokio::test]
async fn what_a_scoped_auditor_once_asked_about_a_case_that_is_held_shows_no_hold_outside_its_scope() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    let (oslo, hamar) = two_cases(&bed).await;
    let nobodys = CaseRef::from_bytes([9; 10]);
    let mut asked = Vec::new();
    for who in [OF_UNIT, OF_LAB] {
        for case in [oslo, hamar, nobodys] {
            asked.push((who, case, *store.durable().borrow()));
            gateway.timeline(&bed.caller(who), case).await.unwrap();
        }
    }
    for case in [oslo, hamar] {
        gateway.place_hold(&bed.caller(ALL), case, HoldReason::Complaint, date("2029-01-31")).await.unwrap();
    }
    store.turn_now().await.unwrap();
    let end = *store.durable().borrow();
    months_pass(&store, &bed, 16).await;
    let first_kept = gateway.log_state(&bed.caller(ALL)).await.unwrap().first_kept;
    assert!(first_kept > end, "their months are gone");
    // That of the case placed last.
    let mut copies: Vec<_> = std::fs::read_dir(home.dir.path().join("data/holds")).unwrap().map(|file| file.unwrap().path()).collect();
    copies.sort();
    let copy = copies.pop().unwrap();
    for (who, case, index) in asked {
        let caller = bed.caller(who);
        let one = RecordFilter { from_index: index, to_index: Some(index + 1), ..RecordFilter::default() };
        let told = shown(&gateway, &caller, case, end).await;
        let found = gateway.search(&caller, &one, None, 10).await.unwrap();
        let another = RecordFilter { kinds: vec![kind::HOLD_PLACED], ..one.clone() };
        let erased = [found.erased, gateway.search(&caller, &another, None, 10).await.unwrap().erased];
        let mut export =
            gateway.export(&caller, ExportOf { from_index: Some(index), to_index: Some(index + 1), ..ExportOf::default() }).await.unwrap();
        let entry = export.next().await.unwrap().unwrap().remove(0);
        let proof = gateway.proofs(&caller, ProofOf::Index(index)).await.unwrap().proofs.remove(0);
        let parsed = crate::audit::tlog_proof::TlogProof::parse(std::str::from_utf8(&proof.proof).unwrap()).unwrap();
        parsed.verify(&proof.leaf, &bed.world.verifier).unwrap();
        let about = bed
            .store()
            .records(
                &RecordFilter { case_ref: Some(case), from_index: first_kept, kinds: vec![kind::AUDIT_ASKED], ..RecordFilter::default() },
                100,
            )
            .await
            .unwrap()
            .entries;
        let names_place =
            |entry: &crate::store::LogEntry| entry.record.as_ref().unwrap().note.as_deref().is_some_and(|note| note.contains("index"));
        if case == oslo {
            assert!(
                told.iter().all(|indices| indices.contains(&index)),
                "{who} sees its own question about a case within its scope: {told:?}"
            );
            assert_eq!((found.entries.len(), erased), (1, [0, 0]));
            assert!(matches!(entry.held, Held::Record(_)) && proof.record.is_some() && parsed.extra().is_some());
        } else {
            assert!(told.iter().all(BTreeSet::is_empty), "{who} {case}: {told:?}");
            assert_eq!((found.entries.len(), erased), (0, [1, 1]), "{who} {case}");
            assert!(matches!(entry.held, Held::Erased) && proof.record.is_none() && parsed.extra().is_none(), "{who} {case}");
            assert!(!about.iter().any(names_place), "{who} {case}: the asking for its proof names no case either");
        }
        // That its copy cannot be read any more tells no more of the hold.
        if case == hamar {
            for offset in (0..4).map(|slot| 32 + 768 * slot + 100).filter(|offset| *offset < std::fs::metadata(&copy).unwrap().len()) {
                flip(&copy, offset);
            }
            let found = gateway.search(&caller, &one, None, 10).await.unwrap();
            assert_eq!((found.entries.len(), found.erased, found.unreadable.len()), (0, 1, 0), "{who}");
            let listed = gateway.records(&caller, one.clone(), None).await.unwrap().next().await.unwrap().unwrap();
            assert_eq!((listed.erased, listed.unreadable.len()), (1, 0), "{who}");
            let proof = gateway.proofs(&caller, ProofOf::Index(index)).await.unwrap().proofs.remove(0);
            assert!(!proof.unreadable && proof.record.is_none(), "{who}");
            assert!(ask(&gateway, &caller, Question::Read).await.checked.holds(), "{who}");
            let seen = gateway.search(&bed.caller(ALL), &one, None, 10).await.unwrap();
            assert_eq!(seen.unreadable.len(), 1, "who sees everything is told");
            for offset in (0..4).map(|slot| 32 + 768 * slot + 100).filter(|offset| *offset < std::fs::metadata(&copy).unwrap().len()) {
                flip(&copy, offset);
            }
        }
        // The evidence itself is whole to whoever sees everything.
        let all = shown(&gateway, &bed.caller(ALL), case, end).await;
        assert!(all.iter().all(|indices| indices.contains(&index) == (case != nobodys)), "{all:?}");
    }
}

/// What `OF_UNIT` is told of what was erased, when it asked often about a case of another unit that is held, or about one that is not.
async fn told_of_erasures(asks_about_the_held: bool) -> (Finding, crate::audit::range::Tally, Vec<(Option<u64>, Option<String>)>) {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    let (_, hamar) = two_cases(&bed).await;
    let (_, free) = bed.send_notice(&NoticeWish { municipality: "3403", ..wish() }, None).await.unwrap();
    let caller = bed.caller(OF_UNIT);
    for _ in 0..25 {
        gateway.timeline(&caller, if asks_about_the_held { hamar } else { free.case_ref.unwrap() }).await.unwrap();
    }
    gateway.place_hold(&bed.caller(ALL), hamar, HoldReason::Complaint, date("2029-01-31")).await.unwrap();
    store.turn_now().await.unwrap();
    months_pass(&store, &bed, 16).await;
    // As an earlier version told it: 25 fewer, or not.
    gateway.note(Event::RecordsErased { month: date("2026-10-01"), records: if asks_about_the_held { 8 } else { 33 } }).await.unwrap();
    let answer = ask(&gateway, &caller, Question::Erased).await;
    assert!(answer.checked.holds());
    let filter = RecordFilter { kinds: vec![kind::RECORDS_ERASED], ..RecordFilter::default() };
    let months = gateway.search(&caller, &filter, None, 100).await.unwrap().entries;
    let whole = gateway.search(&bed.caller(ALL), &filter, None, 100).await.unwrap().entries;
    assert_eq!(whole.len(), months.len() + 1, "whoever sees everything is shown the earlier version's too");
    let months: Vec<_> = months.into_iter().filter_map(|entry| entry.record).map(|record| (record.count, record.note)).collect();
    let first_kept = gateway.log_state(&caller).await.unwrap().first_kept;
    assert_eq!(months.iter().filter_map(|(count, _)| *count).sum::<u64>(), first_kept, "every place of the months that went");
    (answer.finding, answer.checked.period, months)
}

#[tokio::test]
async fn how_much_was_erased_tells_a_scoped_auditor_nothing_of_what_a_hold_kept() {
    let [held, free] = [told_of_erasures(true).await, told_of_erasures(false).await];
    assert_eq!(held, free);
    let Finding::Erased { months, records, .. } = held.0 else { panic!("{held:?}") };
    assert!(months > 0 && records > 25, "{held:?}");
}

/// All that the rows of the newest page below `end` are made of.
async fn page_below(gateway: &Arc<Gateway>, caller: &Caller, end: u64) -> (Vec<u64>, std::ops::Range<u64>, Vec<u64>, u64) {
    let page = gateway.browse(caller, RecordFilter::default(), Turn::Before(end), 50).await.unwrap();
    (page.entries.iter().map(|entry| entry.index).collect(), page.range, page.unreadable, page.first_kept)
}

#[tokio::test]
async fn among_the_rows_of_erased_months_a_held_case_outside_the_scope_looks_like_what_is_erased() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    let (_, hamar) = two_cases(&bed).await;
    for who in [OF_UNIT, OF_LAB] {
        gateway.timeline(&bed.caller(who), hamar).await.unwrap();
    }
    gateway.place_hold(&bed.caller(ALL), hamar, HoldReason::Complaint, date("2029-01-31")).await.unwrap();
    store.turn_now().await.unwrap();
    months_pass(&store, &bed, 16).await;
    let end = gateway.log_state(&bed.caller(ALL)).await.unwrap().first_kept;
    let copy = std::fs::read_dir(home.dir.path().join("data/holds")).unwrap().next().unwrap().unwrap().path();
    let whole = page_below(&gateway, &bed.caller(ALL), end).await;
    assert!(!whole.0.is_empty() && whole.1 == (0..end), "{whole:?}");
    let as_if_nothing_were_held = (Vec::new(), 0..end, Vec::new(), end);
    for who in [OF_UNIT, OF_LAB] {
        assert_eq!(page_below(&gateway, &bed.caller(who), end).await, as_if_nothing_were_held, "{who}, while it is held");
    }
    flip(&copy, 32 + 100);
    assert_eq!(page_below(&gateway, &bed.caller(ALL), end).await.2.len(), 1, "who sees everything is told");
    for who in [OF_UNIT, OF_LAB] {
        assert_eq!(page_below(&gateway, &bed.caller(who), end).await, as_if_nothing_were_held, "{who}, while it is damaged");
    }
    flip(&copy, 32 + 100);
    gateway.lift_hold(&bed.caller(ALL), hamar).await.unwrap();
    store.turn_now().await.unwrap();
    for who in [ALL, OF_UNIT, OF_LAB] {
        assert_eq!(page_below(&gateway, &bed.caller(who), end).await, as_if_nothing_were_held, "{who}, when it is erased");
    }
}
