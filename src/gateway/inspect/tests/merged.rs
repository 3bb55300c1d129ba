//! After a merger nothing is told as wrong because the succession was not read: pages, exports and offline reports judge alike where they see the
//! same, and hedge where they see less.

use super::*;
use crate::audit::sight::Sight;
use crate::domain::hold::HoldReason;
use crate::domain::id::CaseRef;
use crate::domain::participant::Standing;
use crate::store::contract::case_bed::NoticeWish;
use crate::store::embedded::stopped::{StoppedLog, Wanted};

/// An auditor of the unit in Oslo and the laboratory.
const OF_TWO: &str = "revisor-to";
/// An auditor of the unit that another takes over from.
const OF_HAMAR: &str = "revisor-hamar";

fn four_auditors(participants: &mut Vec<Participant>) {
    auditors(participants);
    let mut two = participants.iter().find(|entry| entry.id == id(OF_LAB)).unwrap().clone();
    (two.id, two.scope) = (id(OF_TWO), Some(AuditScope::Participants([id(RU_OSLO), id(LAB)].into())));
    two.keys[0].hash = KeyHash::from_bytes([3; 32]);
    two.keys[0].label = "leser-3".into();
    let mut hamar = two.clone();
    (hamar.id, hamar.scope) = (id(OF_HAMAR), Some(AuditScope::Participants([id(RU_HAMAR)].into())));
    hamar.keys[0].hash = KeyHash::from_bytes([4; 32]);
    hamar.keys[0].label = "leser-4".into();
    participants.extend([two, hamar]);
}

fn merged(participants: &mut Vec<Participant>) {
    four_auditors(participants);
    for (who, successor) in [(OSLO, INNLANDET), (RU_HAMAR, RU_OSLO)] {
        let one = participants.iter_mut().find(|one| one.id == id(who)).unwrap();
        (one.standing, one.successor) = (Standing::Retired, Some(id(successor)));
        let served = std::mem::take(&mut one.municipalities);
        participants.iter_mut().find(|one| one.id == id(successor)).unwrap().municipalities.extend(served);
    }
}

const ASKED: [Question; 2] = [Question::ResultsElsewhere, Question::Overdue];

/// What is found, of both questions: results, deliveries, elsewhere and unresolved; open, settled and unresolved.
type Told = ([u64; 4], [u64; 3]);

fn told(answers: &[Answer]) -> Told {
    let [first, second] = answers else { panic!("two answers") };
    let Finding::ResultsElsewhere { results, deliveries, elsewhere, unresolved } = first.finding else { panic!("{first:?}") };
    let Finding::Overdue { open, settled, unresolved: late } = second.finding else { panic!("{second:?}") };
    assert!(first.checked.holds(), "{:?}", first.checked);
    ([results, deliveries, elsewhere, unresolved], [open, settled, late])
}

async fn live(bed: &Bed, gateway: &Arc<Gateway>, who: &str) -> Told {
    told(&gateway.answer(&bed.caller(who), &ASKED, ALWAYS).await.unwrap().answers)
}

/// What an offline report says of the export that `who` takes.
async fn reported(bed: &Bed, gateway: &Arc<Gateway>, who: &str, case_ref: Option<CaseRef>) -> Told {
    let mut export = gateway.export(&bed.caller(who), ExportOf { case_ref, ..ExportOf::default() }).await.unwrap();
    let frame = export.frame().clone();
    let head = Checkpoint::open(std::str::from_utf8(&frame.checkpoint).unwrap(), &bed.world.verifier).unwrap();
    let before = edge(frame.from, frame.edge).unwrap();
    let mut survey = Survey::new(Sight::ALL, ALWAYS, &ASKED, frame.from, Some(before)).of_bundle(case_ref.is_some());
    while let Some(entries) = export.next().await.unwrap() {
        entries.iter().for_each(|entry| survey.take(entry));
    }
    told(&survey.finish(&head, Some(&frame.consistency)).answers)
}

/// A case whose result reached the requisitioner's successor, and one whose notice was late for one unit and acknowledged by the next.
async fn two_cases(bed: &Bed, gateway: &Arc<Gateway>, merge: impl AsyncFnOnce()) -> (CaseRef, CaseRef) {
    bed.load(register(1, four_auditors)).await;
    let (_, answered) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    let (_, late) = bed.send_notice(&NoticeWish { municipality: "3403", ..wish() }, None).await.unwrap();
    bed.advance_days(6);
    gateway.sweep().await.unwrap();
    merge().await;
    bed.send(LAB, Body::Result(result(answered.requisition_id.unwrap(), "A-1")), None).await.unwrap();
    assert_eq!(bed.take(INNLANDET).await.len(), 1);
    assert_eq!(bed.take(RU_OSLO).await.len(), 1);
    (answered.case_ref.unwrap(), late.case_ref.unwrap())
}

const NONE: [u64; 4] = [1, 2, 0, 0];
const SETTLED: [u64; 3] = [0, 1, 0];
const UNRESOLVED: [u64; 3] = [0, 0, 1];
const NOTHING_LATE: [u64; 3] = [0, 0, 0];

#[tokio::test]
async fn a_successor_is_no_other_on_the_page_in_an_export_or_when_the_month_is_erased_and_held() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    let (answered, late) = two_cases(&bed, &gateway, async || bed.load(register(2, merged)).await).await;
    store.turn_now().await.unwrap();
    for who in [ALL, OF_TWO] {
        assert_eq!(live(&bed, &gateway, who).await, (NONE, SETTLED), "{who}");
        assert_eq!(reported(&bed, &gateway, who, None).await, (NONE, SETTLED), "{who}");
        assert_eq!(reported(&bed, &gateway, who, Some(answered)).await, (NONE, NOTHING_LATE), "{who}");
        assert_eq!(reported(&bed, &gateway, who, Some(late)).await, ([0; 4], SETTLED), "{who}");
    }
    // The laboratory's auditor sees no notice: the page judges by it all the same, and its own export says that it cannot.
    assert_eq!(live(&bed, &gateway, OF_LAB).await, (NONE, NOTHING_LATE));
    for case in [None, Some(answered)] {
        assert_eq!(reported(&bed, &gateway, OF_LAB, case).await, ([1, 2, 0, 3], NOTHING_LATE));
    }
    // What the successor acknowledged is closed in the export of an auditor of the one before it: it may wait or not.
    assert_eq!(live(&bed, &gateway, OF_HAMAR).await, ([0; 4], SETTLED));
    for case in [None, Some(late)] {
        assert_eq!(reported(&bed, &gateway, OF_HAMAR, case).await, ([0; 4], UNRESOLVED));
    }

    for case in [answered, late] {
        gateway.place_hold(&bed.caller(ALL), case, HoldReason::Complaint, date("2029-01-31")).await.unwrap();
    }
    store.turn_now().await.unwrap();
    let first = store.durable().borrow().saturating_sub(1);
    for _ in 0..16 {
        bed.advance_days(29);
        let _ = store.confirm_calendar();
        bed.load(register(store.register().generation() + 1, merged)).await;
    }
    let _ = store.confirm_calendar();
    store.turn_now().await.unwrap();
    assert!(gateway.log_state(&bed.caller(ALL)).await.unwrap().first_kept > first, "the month is erased");
    for who in [ALL, OF_TWO] {
        assert_eq!(live(&bed, &gateway, who).await, (NONE, SETTLED), "{who}");
        assert_eq!(reported(&bed, &gateway, who, Some(answered)).await, (NONE, NOTHING_LATE), "{who}");
        assert_eq!(reported(&bed, &gateway, who, Some(late)).await, ([0; 4], SETTLED), "{who}");
    }
    // With the first of the two holds nothing of the succession goes.
    gateway.lift_hold(&bed.caller(ALL), late).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(live(&bed, &gateway, ALL).await, (NONE, NOTHING_LATE));
}

#[tokio::test]
async fn a_succession_of_an_earlier_version_counts_what_passed_and_is_closed_to_a_scope_that_hedges_then() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    let of = |from: &str, to: &str| Event::Succeeded { generation: 1, predecessor: id(from), successor: id(to), items: 1, cases: 1 };
    let merge = async || {
        gateway.note(of(OSLO, INNLANDET)).await.unwrap();
        gateway.note(of(RU_HAMAR, RU_OSLO)).await.unwrap();
    };
    let (answered, late) = two_cases(&bed, &gateway, merge).await;
    assert_eq!(live(&bed, &gateway, ALL).await, (NONE, SETTLED));
    assert_eq!(reported(&bed, &gateway, ALL, Some(answered)).await, (NONE, NOTHING_LATE));
    assert_eq!(reported(&bed, &gateway, ALL, Some(late)).await, ([0; 4], SETTLED));
    assert_eq!(live(&bed, &gateway, OF_TWO).await, (NONE, NOTHING_LATE), "the page judges by what it does not show");
    for case in [None, Some(answered)] {
        assert_eq!(reported(&bed, &gateway, OF_TWO, case).await, ([1, 2, 0, 3], NOTHING_LATE));
    }
    let filter = RecordFilter { kinds: vec![kind::SUCCEEDED], ..RecordFilter::default() };
    let seen = gateway.search(&bed.caller(OF_TWO), &filter, None, 10).await.unwrap();
    let seen: Vec<_> = seen.entries.into_iter().map(|entry| entry.record.unwrap().recipient).collect();
    assert_eq!(seen, [Some(id(RU_OSLO))]);
}

#[tokio::test]
async fn a_late_message_that_a_closed_correction_may_have_taken_elsewhere_is_not_told_as_waiting() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    bed.load(register(1, four_auditors)).await;
    let (late, _) = bed.send_notice(&wish(), None).await.unwrap();
    bed.advance_days(6);
    gateway.sweep().await.unwrap();
    bed.send_notice(&NoticeWish { municipality: "3403", ..wish() }, Some(late)).await.unwrap();
    for who in [ALL, OF_TWO] {
        assert_eq!(live(&bed, &gateway, who).await, ([0; 4], SETTLED), "{who}");
    }
    assert_eq!(reported(&bed, &gateway, ALL, None).await, ([0; 4], SETTLED));
    assert_eq!(reported(&bed, &gateway, OF_TWO, None).await, ([0; 4], UNRESOLVED), "the correction names the other unit");
}

#[tokio::test]
async fn the_export_of_a_case_from_a_stopped_gateway_opens_who_took_over() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    let (answered, _) = two_cases(&bed, &gateway, async || bed.load(register(2, merged)).await).await;
    store.turn_now().await.unwrap();
    drop((store, bed, gateway));
    let log = StoppedLog::open(&home.dir.path().join("data"), zeroize::Zeroizing::new([1; 32]), None).unwrap();
    let wanted = Wanted { from_index: None, to_index: None, since: None, until: None, case_ref: Some(answered) };
    let (from, to) = log.range(&wanted).unwrap().unwrap();
    let entries = log.entries(from, to, Some(answered));
    let open = |wanted: &dyn Fn(&crate::audit::record::Record) -> bool| {
        entries.iter().filter(|entry| matches!(&entry.held, Held::Record(held) if wanted(&held.0))).count()
    };
    assert_eq!(open(&|record| record.kind == kind::SUCCEEDED), 2);
    assert!(open(&|record| record.case_ref == Some(answered)) > 2);
    assert_eq!(open(&|record| !record.goes_with(answered)), 0);
}
