//! What was erased is counted once, whatever holds kept of it and for however long.

use super::holds::two_cases;
use super::*;
use crate::audit::question::words;
use crate::domain::hold::HoldReason;
use crate::domain::lang::Lang;

/// What `caller` is told of what was erased: contents, records, copies that holds had kept, and the large number.
async fn told(gateway: &Arc<Gateway>, caller: &Caller) -> (u64, u64, u64, String) {
    let answer = ask(gateway, caller, Question::Erased).await;
    assert!(answer.checked.holds());
    let Finding::Erased { contents, records, held, .. } = answer.finding else { panic!("{answer:?}") };
    let said = words::sentence(Lang::En, &answer);
    assert!(said.contains(&format!(" {} of ", Lang::En.count(records, ["", ""], ["record", "records"]))), "{said}");
    assert!(said.contains(", but for what legal holds keep."), "{said}");
    assert_eq!(said.contains(&format!(" Copies that legal holds had kept: {held} erased since.")), held > 0, "{said}");
    (contents, records, held, words::figure(Lang::En, &answer).0)
}

/// The first place of the months that the log still tells of, and how many places they had in all.
async fn months_told(gateway: &Arc<Gateway>, caller: &Caller) -> (u64, u64) {
    let filter = RecordFilter { kinds: vec![kind::RECORDS_ERASED], ..RecordFilter::default() };
    let found = gateway.search(caller, &filter, None, 100).await.unwrap().entries;
    let records: Vec<_> = found.into_iter().filter_map(|entry| entry.record).collect();
    let place = |note: &str| note.split_once(" index ").unwrap().1.split_once(' ').unwrap().0.parse().unwrap();
    let first = records.iter().map(|record| place(record.note.as_deref().unwrap())).min().unwrap();
    (first, records.iter().filter_map(|record| record.count).sum())
}

#[tokio::test]
async fn what_a_hold_kept_is_counted_with_its_month_and_never_again() {
    for outlives_its_month_s_entry in [false, true] {
        let home = Home::new();
        let (store, bed) = home.open(1);
        let gateway = gateway(&bed);
        let (oslo, _) = two_cases(&bed).await;
        let caller = bed.caller(ALL);
        gateway.place_hold(&caller, oslo, HoldReason::Complaint, date("2029-10-31")).await.unwrap();
        store.turn_now().await.unwrap();
        months_pass(&store, &bed, 16).await;
        if outlives_its_month_s_entry {
            months_pass(&store, &bed, 16).await;
        }
        let (first, places) = months_told(&gateway, &caller).await;
        assert_eq!(first > 0, outlives_its_month_s_entry, "{first}");
        let under_way = told(&gateway, &caller).await;
        let (contents, records, held, large) = under_way.clone();
        assert_eq!((records, held), (places, 0), "every place of the months that the log tells of, held or not");
        assert_eq!(large, Lang::En.number(contents + records));
        let of_case = RecordFilter { case_ref: Some(oslo), to_index: Some(places), ..RecordFilter::default() };
        assert!(!gateway.search(&caller, &of_case, None, 100).await.unwrap().entries.is_empty(), "some of them are held");
        gateway.lift_hold(&caller, oslo).await.unwrap();
        store.turn_now().await.unwrap();
        let lifted = told(&gateway, &caller).await;
        assert!(lifted.2 > 0, "{lifted:?}");
        assert_eq!((lifted.0, lifted.1, lifted.3), (under_way.0, under_way.1, under_way.3), "no more places went than there were");
    }
}
