//! One record that cannot be read takes no page away: the rest is shown, and which it is.

use super::super::Found;
use super::*;
use crate::audit::tlog_proof::TlogProof;
use crate::domain::sensitive::Content;
use crate::gateway::{Draft, Lacks, Submitted};
use crate::store::contract::case_bed::notice;
use crate::store::embedded::stopped::{StoppedLog, Wanted};

#[tokio::test]
async fn a_damaged_record_is_named_and_the_rest_is_shown() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
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
}

/// A case whose first record is damaged: the store, and the case with the index of that record.
async fn damaged_case(home: &Home) -> (Arc<EmbeddedStore>, Bed, crate::domain::id::CaseRef, crate::domain::id::MessageId, u64) {
    let (store, bed) = home.open(1);
    bed.load(register(1, auditors)).await;
    let (message_id, notice) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    store.turn_now().await.unwrap();
    flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * notice.index + 100);
    (store, bed, notice.case_ref.unwrap(), message_id, notice.index)
}

#[tokio::test]
async fn a_damaged_record_is_a_gap_that_lists_proofs_and_exports_tell() {
    let home = Home::new();
    let (_store, bed, case, message_id, index) = damaged_case(&home).await;
    let gateway = gateway(&bed);
    let caller = bed.caller(ALL);

    // A list names it and goes on.
    let of_case = RecordFilter { case_ref: Some(case), ..RecordFilter::default() };
    let mut rows = gateway.records(&caller, of_case, None).await.unwrap();
    let page = rows.next().await.unwrap().unwrap();
    let listed: Vec<u64> = page.entries.iter().map(|entry| entry.index).collect();
    assert_eq!((Found::indices(&page.unreadable).collect::<Vec<_>>(), listed.len()), (vec![index], 2), "{page:?}");

    // The leaf stands in the log, and that is proved; the entry is not told as erased.
    let of_entry = gateway.proofs(&caller, ProofOf::Index(index)).await.unwrap().proofs.remove(0);
    assert!(of_entry.unreadable && of_entry.record.is_none());
    let proof = TlogProof::parse(std::str::from_utf8(&of_entry.proof).unwrap()).unwrap();
    proof.verify(&of_entry.leaf, &bed.world.verifier).unwrap();
    assert!(proof.extra().unwrap_or_default().is_empty(), "nothing opens it");
    let of_message = gateway.proofs(&caller, ProofOf::Message(message_id, 0)).await.unwrap().proofs;
    let told: Vec<(u64, bool)> = of_message.iter().map(|proof| (proof.index, proof.unreadable)).collect();
    assert_eq!(told, [(index, true), (listed[0], false), (listed[1], false)]);

    // An export of the case begins with the gap, and there is one around it.
    let exported = async |of: ExportOf| {
        let mut export = gateway.export(&caller, ExportOf { case_ref: Some(case), ..of }).await.unwrap();
        let mut held = Vec::new();
        while let Some(entries) = export.next().await.unwrap() {
            held.extend(entries.into_iter().map(|entry| (entry.index, entry.held)));
        }
        held
    };
    let held = exported(ExportOf::default()).await;
    assert!(matches!(held[0], (at, Held::Unreadable) if at == index), "{held:?}");
    let around = exported(ExportOf { from_index: Some(index + 1), ..ExportOf::default() }).await;
    assert!(around.iter().all(|(_, held)| matches!(held, Held::Record(_) | Held::Closed)), "{around:?}");
    let opened: Vec<u64> = around.iter().filter(|(_, held)| matches!(held, Held::Record(_))).map(|(at, _)| *at).collect();
    assert_eq!(opened[..2], listed, "and who read about it since");
}

#[tokio::test]
async fn a_list_names_each_entry_that_cannot_be_read_however_many_there_are() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    for _ in 0..250 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.turn_now().await.unwrap();
    for index in 0..220 {
        flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * index + 100);
    }
    for (max, pages) in [(None, 2), (Some(7), 2)] {
        let mut rows = gateway.records(&bed.caller(ALL), RecordFilter::default(), max).await.unwrap();
        let (mut named, mut listed, mut full) = (Vec::new(), 0, 0);
        while let Some(page) = rows.next().await.unwrap() {
            full += usize::from(page.unreadable.len() == crate::store::UNREADABLE_MAX);
            assert!(page.unreadable.len() <= crate::store::UNREADABLE_MAX, "a bound on each page");
            named.extend(Found::indices(&page.unreadable));
            listed += page.entries.len();
        }
        assert_eq!((named, full), ((0..220).collect::<Vec<_>>(), pages), "{max:?}");
        assert!(max.map_or(listed > 30, |max| listed == max), "{max:?}: {listed}");
    }
    assert!(Reason::DataDamaged.advice().contains("samband audit fsck") && !Reason::DataDamaged.advice().contains("try again"));
}

#[tokio::test]
async fn a_call_ends_after_as_many_entries_that_cannot_be_read_as_it_may_list_and_says_where_to_go_on() {
    let home = Home::new();
    let (store, bed, _) = home.ready().await;
    for _ in 0..250 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.turn_now().await.unwrap();
    for index in 0..220 {
        flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * index + 100);
    }
    let clock: Arc<dyn crate::clock::Clock> = Arc::clone(&bed.world.clock) as _;
    let settings = Settings { records_per_call_max: 100, ..Settings::default() };
    let gateway = Gateway::new(Arc::clone(&bed.world.store), clock, settings);
    let (mut named, mut from_index) = (Vec::new(), 0);
    for at in [100, 200] {
        let mut rows = gateway.records(&bed.caller(ALL), RecordFilter { from_index, ..RecordFilter::default() }, None).await.unwrap();
        let (mut last, mut of_call) = (None, 0);
        while let Some(page) = rows.next().await.unwrap() {
            of_call += page.unreadable.len();
            named.extend(Found::indices(&page.unreadable));
            last = page.next_index;
        }
        assert_eq!((of_call, last), (100, Some(at)), "from {from_index}");
        from_index = at;
    }
    assert_eq!(named, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn proofs_about_a_message_tell_every_entry_that_cannot_be_read_page_by_page() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let caller = bed.caller(ALL);
    let (message_id, accepted) = bed.send_notice(&wish(), None).await.unwrap();
    let first = *store.durable().borrow();
    for _ in 0..130 {
        gateway.proofs(&caller, ProofOf::Message(message_id, 0)).await.unwrap();
    }
    // Each of them is an entry that names the message.
    let damaged: Vec<u64> = (first..*store.durable().borrow()).collect();
    assert_eq!(damaged.len(), 130);
    store.turn_now().await.unwrap();
    for index in &damaged {
        flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * index + 100);
    }
    let (mut told, mut pages, mut from) = (Vec::new(), 0, Some(0));
    while let Some(from_index) = from {
        let found = gateway.proofs(&caller, ProofOf::Message(message_id, from_index)).await.unwrap();
        pages += 1;
        told.extend(found.proofs.iter().map(|proof| (proof.index, proof.unreadable)));
        from = found.next_index;
    }
    let unreadable: Vec<u64> = told.iter().filter(|(_, unreadable)| *unreadable).map(|(index, _)| *index).collect();
    assert_eq!((unreadable, pages), (damaged, 2));
    assert_eq!(told[0], (accepted.index, false));
    assert!(told.is_sorted_by(|one, next| one.0 < next.0), "{told:?}");
}

#[tokio::test]
async fn an_export_of_a_stopped_gateway_tells_a_damaged_record_at_the_edge_of_its_case() {
    let home = Home::new();
    let (store, bed, case, _, index) = damaged_case(&home).await;
    drop((store, bed));
    let data = home.dir.path().join("data");
    let log = StoppedLog::open(&data, zeroize::Zeroizing::new([1; 32]), None).unwrap();
    let wanted = Wanted { from_index: None, to_index: None, since: None, until: None, case_ref: Some(case) };
    let (from, to) = log.range(&wanted).unwrap().unwrap();
    assert!(from == index && to > index + 1, "{from} {to}");
    assert!(matches!(log.entries(from, to, Some(case))[0].held, Held::Unreadable));
}

#[tokio::test]
async fn days_whose_records_are_erased_are_not_told_as_reviewed() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
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

#[tokio::test]
async fn a_sender_whose_acceptance_is_damaged_is_told_so_and_given_the_proofs_that_are_sound() {
    let home = Home::new();
    let (_store, bed, _, message_id, index) = damaged_case(&home).await;
    let gateway = gateway(&bed);
    let (caller, verb) = (bed.caller(OSLO), Verb::ProsecutionGetEvidence);
    let refused = gateway.receipt(&caller, Verb::ProsecutionGetReceipt, message_id).await.unwrap_err().0;
    assert_eq!((refused.reason, refused.retry_after_millis), (Reason::DataDamaged, None));
    let steps = async || {
        let found = gateway.evidence(&caller, verb, message_id, 0).await.unwrap();
        let kinds: Vec<u16> = found.proofs.iter().map(|proof| proof.record.as_ref().unwrap().kind).collect();
        (kinds, found.is_damaged)
    };
    assert_eq!(steps().await, (vec![kind::HANDED_OUT, kind::ACKNOWLEDGED], false), "its acceptance is no step");

    // Whoever sent none with that id is told no more than of one that nobody sent.
    for (who, verb) in [(INNLANDET, verb), (LAB, Verb::LaboratoryGetEvidence)] {
        let of = async |message_id| gateway.evidence(&bed.caller(who), verb, message_id, 0).await.unwrap_err().0;
        assert_eq!(of(message_id).await, of(bed.fresh()).await);
    }

    // A step that is damaged takes away its own proof, and that is said.
    flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * (index + 1) + 100);
    assert_eq!(steps().await, (vec![kind::ACKNOWLEDGED], true));
}

#[tokio::test]
async fn a_page_names_what_cannot_be_read_on_it_however_much_is_damaged_elsewhere() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    for _ in 0..300 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.turn_now().await.unwrap();
    let damaged: Vec<u64> = (46..230).chain([245]).chain(285..300).collect();
    for index in &damaged {
        flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * index + 100);
    }
    let caller = bed.caller(ALL);
    let newest = gateway.browse(&caller, RecordFilter::default(), Turn::Newest, 50).await.unwrap();
    let on = |range: &std::ops::Range<u64>| damaged.iter().copied().filter(|index| range.contains(index)).collect::<Vec<_>>();
    assert!(newest.range.contains(&245) && !newest.range.contains(&229), "{:?}", newest.range);
    assert_eq!((newest.unreadable, newest.entries.len(), newest.first_kept), (on(&newest.range), 50, 0));
    // A page that is all damage is cut in what it names, not in what it covers.
    let older = gateway.browse(&caller, RecordFilter::default(), Turn::Before(newest.range.start), 50).await.unwrap();
    assert!(older.range.contains(&46) && older.range.end == newest.range.start, "{:?}", older.range);
    assert_eq!(older.unreadable, on(&older.range)[..crate::store::UNREADABLE_MAX]);
}

#[tokio::test]
async fn a_sender_whose_message_may_stand_in_a_damaged_record_is_told_so_and_nothing_is_accepted_twice() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    let (caller, message_id) = (bed.caller(OSLO), bed.fresh());
    let send = async || {
        let draft = Draft {
            kind: MessageKind::ConditionNotice,
            message_id,
            salt: zeroize::Zeroizing::new([1; 32]),
            replaces: None,
            validate_only: false,
            body: Body::Notice(Box::new(notice(&wish()))),
            canonical: Content::from(vec![9; 700]),
        };
        gateway.submit(&caller, draft).await
    };
    let Submitted::Accepted(first) = send().await.unwrap() else { panic!("it is sent") };
    store.turn_now().await.unwrap();
    let flip_it = || flip(&home.dir.path().join("data/records/2026-11.rec"), 32 + 768 * first.index + 100);
    flip_it();
    let refused = send().await.unwrap_err().0;
    assert_eq!((refused.reason, refused.retry_after_millis), (Reason::DataDamaged, None));
    assert_eq!(bed.waiting(RU_OSLO).await.len(), 1);
    flip_it();
    let Submitted::Accepted(again) = send().await.unwrap() else { panic!("it is mended") };
    assert_eq!((again, bed.waiting(RU_OSLO).await.len()), (first, 1));
}
