//! One record that cannot be read takes no page away: the rest is shown, and which it is.

use super::*;
use crate::gateway::Lacks;

#[tokio::test]
async fn a_damaged_record_is_named_and_the_rest_is_shown() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    bed.load(register(1, auditors)).await;
    let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
    let case = notice.case_ref.unwrap();
    bed.take(RU_OSLO).await;
    bed.advance_days(2);
    store.turn_now().await.unwrap();
    let slot = home.dir.path().join("data/records/2026-11.rec");
    for index in [0, notice.index] {
        flip(&slot, 32 + 768 * index + 100);
    }
    let caller = bed.caller(ALL);

    let timeline = gateway.timeline(&caller, case).await.unwrap();
    assert!(timeline.unreadable.contains(&notice.index), "{timeline:?}");
    let kinds: Vec<u16> = timeline.entries.iter().map(|entry| entry.record.as_ref().unwrap().kind).collect();
    assert_eq!(kinds[..2], [kind::HANDED_OUT, kind::ACKNOWLEDGED]);

    let of_case = RecordFilter { case_ref: Some(case), ..RecordFilter::default() };
    let found = gateway.browse(&caller, of_case.clone(), Turn::Newest, 50).await.unwrap();
    assert!(found.unreadable.contains(&notice.index) && found.entries.len() >= 2, "{found:?}");
    let all = gateway.browse(&caller, RecordFilter::default(), Turn::Newest, 50).await.unwrap();
    assert_eq!((all.unreadable, all.erased), (vec![0, notice.index], 0));

    let reviews = gateway.reviews(&caller).await.unwrap();
    assert!(reviews.unreadable.contains(&0) && !reviews.is_all(), "{reviews:?}");
    assert_eq!(reviews.unreviewed, [(date("2026-11-20"), date("2026-11-21"))]);
    assert_eq!(reviews.erased_before, Some(date("2026-11-20")), "what stood before the first that can be read is not told as reviewed");
    gateway.review(&caller, date("2026-11-20"), date("2026-11-21")).await.unwrap();
    assert_eq!(gateway.reviews(&caller).await.unwrap().unreviewed, []);
    assert_eq!(gateway.holds(&caller).await.unwrap(), []);

    // Of a month whose file cannot be read at all no day is called reviewed, or not over.
    flip(&slot, 9);
    let reviews = gateway.reviews(&caller).await.unwrap();
    assert!(reviews.erased_before.is_some() && reviews.unreadable.contains(&0) && !reviews.is_all(), "{reviews:?}");
    assert_eq!(reviews.lacks, Lacks { erased: false, unreadable: true }, "damage is not told as erasure");

    // What programs are given leaves nothing out.
    let mut rows = gateway.records(&caller, of_case, None).await.unwrap();
    assert_eq!(rows.next().await.unwrap_err().0.reason, Reason::Internal);
}

#[tokio::test]
async fn days_whose_records_are_erased_are_not_told_as_reviewed() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    bed.load(register(1, auditors)).await;
    let caller = bed.caller(ALL);
    let fresh = gateway.reviews(&caller).await.unwrap();
    assert!(fresh.unreviewed.is_empty() && fresh.erased_before.is_none() && !fresh.is_all(), "nothing is over yet: {fresh:?}");
    store.turn_now().await.unwrap();
    months_pass(&store, &bed, 16).await;
    let erased = gateway.reviews(&caller).await.unwrap();
    let first = erased.erased_before.expect("the first months are erased");
    assert!(first > date("2026-11-20") && !erased.is_all(), "{erased:?}");
    assert_eq!(erased.lacks, Lacks { erased: true, unreadable: false });
}
