//! What auditors ask, over whole histories in both stores: nothing from outside the scope, and no claim that the records do not carry.

mod cut;
mod damaged;
mod erasures;
mod even;
mod evidence;
mod holds;
mod merged;
mod periods;
mod turns;
mod unjudged;
mod veiled;

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::ProofOf;
use crate::audit::checkpoint::Checkpoint;
use crate::audit::counts::Column;
use crate::audit::event::{Event, ItemNumber, MessageKind, kind};
use crate::audit::evidence::edge;
use crate::audit::leaf::{AuditorOpening, Opening as _};
use crate::audit::question::{Answer, Finding, Findings, Mark, Period, Question, Survey};
use crate::audit::range::{Held, OpenEntry};
use crate::audit::receipt::Receipt;
use crate::clock::SystemEntropy;
use crate::domain::participant::{KeyHash, Participant};
use crate::domain::scope::AuditScope;
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::gateway::{ExportOf, Gateway, Reviews, Settings, Turn};
use crate::policy::command::Body;
use crate::policy::permit::Caller;
use crate::policy::reason::Reason;
use crate::policy::table::Verb;
use crate::store::contract::case_bed::{
    Bed, INNLANDET, LAB, OSLO, RU_HAMAR, RU_OSLO, World, date, id, memory_bed, noon, register, report, result, wish,
};
use crate::store::embedded::{DiskBounds, EmbeddedStore, JournalBounds, Options, RealDisk};
use crate::store::{RecordFilter, Store};

const ALL: &str = "tilsyn";
const OF_UNIT: &str = "kontrollutvalg";
const OF_LAB: &str = "lab-revisor";
const ALWAYS: Period = Period { from: None, to: None };

/// The usual register, with an auditor of one unit and one of a laboratory.
fn auditors(participants: &mut Vec<Participant>) {
    let all = participants.iter().find(|entry| entry.id == id(ALL)).unwrap().clone();
    for (number, who, scope) in [
        (1, OF_UNIT, AuditScope::Municipalities(["0301".parse().unwrap()].into())),
        (2, OF_LAB, AuditScope::Participants([id(LAB)].into())),
    ] {
        let mut entry = Participant { id: id(who), scope: Some(scope), ..all.clone() };
        entry.keys[0].hash = KeyHash::from_bytes([number; 32]);
        entry.keys[0].label = format!("leser-{number}");
        participants.push(entry);
    }
}

pub(in crate::gateway) fn gateway(bed: &Bed) -> Arc<Gateway> {
    let clock: Arc<dyn crate::clock::Clock> = Arc::clone(&bed.world.clock) as _;
    Gateway::new(Arc::clone(&bed.world.store), clock, Settings::default())
}

/// The usual register with the auditors, in this bed, and the gateway over it.
async fn ready(bed: Bed) -> (Bed, Arc<Gateway>) {
    let gateway = gateway(&bed);
    bed.load(register(1, auditors)).await;
    (bed, gateway)
}

pub(in crate::gateway) struct Home {
    pub(in crate::gateway) dir: tempfile::TempDir,
    clock: Arc<crate::clock::MockClock>,
}

impl Home {
    pub(in crate::gateway) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(crate::clock::MockClock::new(noon())) }
    }

    pub(in crate::gateway) fn open(&self, first: u64) -> (Arc<EmbeddedStore>, Bed) {
        let origin: crate::audit::checkpoint::Origin = "log.samband.example/test".parse().unwrap();
        let signer = crate::audit::note::LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([7; 32]));
        let verifier = signer.verifier().clone();
        let options = Options {
            dir: self.dir.path().join("data"),
            origin: origin.clone(),
            storage_key: zeroize::Zeroizing::new([1; 32]),
            log_signer: signer,
            high_water_file: self.dir.path().join("high-water"),
            erase_within_millis: DAY_MILLIS,
            records_keep_months: 13,
            files: Arc::new(RealDisk),
            disk: DiskBounds { low_water: 0, reserve: 0 },
            journal: JournalBounds::default(),
            clock: Arc::clone(&self.clock) as _,
            entropy: Arc::new(SystemEntropy::default()),
            version: "test".into(),
            test_mode: true,
            hold_ground: None,
            seen_elsewhere: None,
            previous_checkpoint: None,
            on_fatal: Arc::new(|_| ()),
        };
        let store = EmbeddedStore::open(options).unwrap();
        let world = World { store: Arc::clone(&store) as _, clock: Arc::clone(&self.clock), verifier, origin, fail_next: None };
        (store, Bed::starting_at(world, first))
    }

    /// A first store here, ready to be asked.
    async fn ready(&self) -> (Arc<EmbeddedStore>, Bed, Arc<Gateway>) {
        let (store, bed) = self.open(1);
        let (bed, gateway) = ready(bed).await;
        (store, bed, gateway)
    }

    /// That and the store in memory.
    async fn both(&self) -> [(Bed, Arc<Gateway>); 2] {
        let (_, bed, gateway) = self.ready().await;
        [ready(memory_bed()).await, (bed, gateway)]
    }
}

/// Two cases: one in Oslo with a result, a correction of it and a report, one in Hamar that is returned; a refused call each.
async fn history(bed: &Bed, gateway: &Arc<Gateway>) {
    bed.load(register(1, auditors)).await;
    let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
    let requisition = notice.requisition_id.unwrap();
    bed.take(RU_OSLO).await;
    let (first, _) = bed.send(LAB, Body::Result(result(requisition, "A-1")), None).await.unwrap();
    bed.take(OSLO).await;
    bed.send(LAB, Body::Result(result(requisition, "A-1")), Some(first)).await.unwrap();
    bed.send(RU_OSLO, Body::Report(report(notice.case_ref.unwrap(), "2026-11-10")), None).await.unwrap();
    bed.take(OSLO).await;
    let mut hamar = wish();
    hamar.municipality = "3403";
    hamar.control = false;
    bed.send_notice(&hamar, None).await.unwrap();
    let items = bed.fetch(RU_HAMAR).await;
    bed.give_back(RU_HAMAR, items[0].item).await.unwrap();
    for who in [LAB, RU_HAMAR] {
        let _ = gateway.refuse(&bed.caller(who), Verb::SendNotice, Reason::CallNotAllowed.into(), None).await;
    }
}

/// So many times 29 days, in each of which something happens; then a turn, which erases the months that are over.
async fn months_pass(store: &EmbeddedStore, bed: &Bed, times: u32) {
    for _ in 0..times {
        bed.advance_days(29);
        let _ = store.confirm_calendar();
        bed.load(register(store.register().generation() + 1, auditors)).await;
    }
    let _ = store.confirm_calendar();
    store.turn_now().await.unwrap();
}

async fn ask(gateway: &Arc<Gateway>, caller: &Caller, question: Question) -> Answer {
    gateway.answer(caller, &[question], ALWAYS).await.unwrap().answers.remove(0)
}

#[tokio::test]
async fn each_question_is_answered_from_checked_records_alike_in_both_stores() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        history(&bed, &gateway).await;
        let caller = bed.caller(ALL);
        let size = *bed.store().durable().borrow();
        let surveyed = gateway.answer(&caller, &Question::ALL, ALWAYS).await.unwrap();
        let findings: Vec<Finding> = surveyed.answers.iter().map(|answer| answer.finding).collect();
        assert_eq!(
            findings,
            [
                Finding::ResultsElsewhere { results: 2, deliveries: 4, elsewhere: 0, unresolved: 0 },
                Finding::Forbidden { refused: 2, forbidden: 2, summed: 0, strangers: 0, participants: 2 },
                Finding::Overdue { open: 0, settled: 0, unresolved: 0 },
                Finding::Changed { corrected: 1, withdrawn: 0, returned: 1 },
                Finding::Erased { contents: 0, months: 0, records: 0, held: 0, undelivered: 0 },
                Finding::Read { reads: 6, readers: 1, reviews: 0 },
            ]
        );
        let checked = &surveyed.checked;
        assert!(checked.holds(), "{checked:?}");
        assert_eq!(
            (checked.from, checked.to, checked.period.opened, checked.period.erased),
            (0, size + 6, size + 6, 0),
            "each question is an entry too"
        );
        let head = Checkpoint::open(std::str::from_utf8(&surveyed.checkpoint).unwrap(), &bed.world.verifier).unwrap();
        assert_eq!((head.size(), head.root()), (checked.size, checked.root));
        let counts = gateway.count_records(&caller, ALWAYS, Column::Month).await.unwrap().counts.unwrap();
        assert_eq!(counts.columns().values().next().unwrap()[&kind::RESULT_ACCEPTED], 2);
        assert_eq!(gateway.log_state(&caller).await.unwrap().last_check.unwrap().checked.to, size + 7);
    }
}

#[tokio::test]
async fn a_result_that_reached_another_is_found_whoever_the_record_of_acceptance_names() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    let caller = bed.caller(ALL);
    let filter = RecordFilter { kinds: vec![kind::RESULT_ACCEPTED], ..RecordFilter::default() };
    let found = bed.store().records(&filter, 1).await.unwrap().entries.remove(0);
    let record = found.record.unwrap();
    let event = Event::HandedOut {
        recipient: id(INNLANDET),
        key_label: "k1".into(),
        reader: "r1".into(),
        item: ItemNumber::main(found.index),
        case_ref: record.case_ref.unwrap(),
        sender: id(LAB),
        message_id: record.message_id.unwrap(),
    };
    gateway.note(event).await.unwrap();
    let answer = ask(&gateway, &caller, Question::ResultsElsewhere).await;
    assert!(matches!(answer.finding, Finding::ResultsElsewhere { elsewhere: 1, .. }), "{:?}", answer.finding);
    assert_eq!(answer.rows.iter().map(|row| row.mark).collect::<Vec<_>>(), [Mark::Elsewhere]);
    assert_eq!(answer.rows[0].record.actor, Some(id(INNLANDET)));
}

#[tokio::test]
async fn overdue_is_what_nobody_acknowledged_or_ended() {
    let (bed, gateway) = ready(memory_bed()).await;
    bed.send_notice(&wish(), None).await.unwrap();
    let (withdrawn, _) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send_notice(&wish(), None).await.unwrap();
    bed.advance_days(6);
    gateway.sweep().await.unwrap();
    let caller = bed.caller(ALL);
    assert_eq!(ask(&gateway, &caller, Question::Overdue).await.finding, Finding::Overdue { open: 3, settled: 0, unresolved: 0 });
    let before = Period { from: None, to: Some(bed.store().now()) };
    bed.advance_days(1);
    bed.withdraw(OSLO, MessageKind::ConditionNotice, withdrawn, 1).await.unwrap();
    let first = bed.waiting(RU_OSLO).await[0].item;
    bed.hand_out(RU_OSLO, "r1", vec![first]).await.unwrap();
    assert_eq!(
        ask(&gateway, &caller, Question::Overdue).await.finding,
        Finding::Overdue { open: 2, settled: 1, unresolved: 0 },
        "withdrawn unread"
    );
    bed.acknowledge(RU_OSLO, vec![first]).await.unwrap();
    let answer = ask(&gateway, &caller, Question::Overdue).await;
    assert_eq!(answer.finding, Finding::Overdue { open: 1, settled: 2, unresolved: 0 });
    assert_eq!(answer.rows.iter().filter(|row| row.mark == Mark::Open).count(), 1);
    let then = gateway.answer(&caller, &[Question::Overdue], before).await.unwrap().answers.remove(0);
    assert_eq!(then.finding, Finding::Overdue { open: 0, settled: 0, unresolved: 0 }, "before it was marked");
}

#[tokio::test]
async fn an_auditor_of_a_unit_sees_and_counts_nothing_of_results_and_of_others() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        history(&bed, &gateway).await;
        let caller = bed.caller(OF_UNIT);
        let found = gateway.search(&caller, &RecordFilter::default(), None, 1000).await.unwrap();
        let parties = |record: &crate::audit::record::Record| {
            [&record.actor, &record.sender, &record.recipient].into_iter().flatten().cloned().collect::<Vec<_>>()
        };
        for entry in &found.entries {
            let record = entry.record.as_ref().unwrap();
            assert!(!matches!(record.kind, kind::RESULT_ACCEPTED | kind::RESULT_WITHDRAWN) && !record.is_delivery_of_result());
            let concerned = parties(record);
            assert!(concerned.is_empty() || concerned.contains(&id(RU_OSLO)) || concerned.contains(&id(OF_UNIT)), "{record:?}");
        }
        assert!(found.entries.iter().any(|entry| entry.record.as_ref().unwrap().kind == kind::REPORT_ACCEPTED));
        let surveyed = gateway.answer(&caller, &Question::ALL, ALWAYS).await.unwrap();
        assert!(surveyed.checked.holds());
        assert!(surveyed.checked.period.opened < surveyed.checked.to, "what is outside is not counted");
        let seen = surveyed.answers[0].sight.parties().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(seen, [RU_OSLO], "the answer says what it covers");
        let findings: Vec<Finding> = surveyed.answers.iter().map(|answer| answer.finding).collect();
        assert_eq!(findings[0], Finding::ResultsElsewhere { results: 0, deliveries: 0, elsewhere: 0, unresolved: 0 });
        assert_eq!(findings[1], Finding::Forbidden { refused: 0, forbidden: 0, summed: 0, strangers: 0, participants: 0 });
        assert_eq!(findings[3], Finding::Changed { corrected: 0, withdrawn: 0, returned: 0 });
        let results = RecordFilter { kinds: vec![kind::RESULT_ACCEPTED], ..RecordFilter::default() };
        let hidden = bed.store().records(&results, 1).await.unwrap().entries.remove(0);
        let refused = gateway.proofs(&caller, ProofOf::Index(hidden.index)).await.unwrap_err();
        assert_eq!(refused.0.reason, Reason::EntryUnknown);
        let id_of_result = hidden.record.as_ref().unwrap().message_id.unwrap();
        assert_eq!(gateway.proofs(&caller, ProofOf::Message(id_of_result, 0)).await.unwrap_err().0.reason, Reason::EntryUnknown);
        let case_ref = hidden.record.unwrap().case_ref.unwrap();
        let timeline = gateway.timeline(&caller, case_ref).await.unwrap();
        assert!(!timeline.entries.is_empty());
        assert!(timeline.entries.iter().all(|entry| entry.record.as_ref().unwrap().actor != Some(id(LAB))));
        // And the laboratory's auditor judges its results without seeing the notice that ordered them.
        let of_lab = ask(&gateway, &bed.caller(OF_LAB), Question::ResultsElsewhere).await;
        assert_eq!(of_lab.finding, Finding::ResultsElsewhere { results: 2, deliveries: 4, elsewhere: 0, unresolved: 0 });
        let notices = RecordFilter { kinds: vec![kind::NOTICE_ACCEPTED], ..RecordFilter::default() };
        assert!(gateway.search(&bed.caller(OF_LAB), &notices, None, 10).await.unwrap().entries.is_empty());
    }
}

#[tokio::test]
async fn a_query_is_one_event_before_its_first_row_and_none_for_its_further_pages() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    let caller = bed.caller(ALL);
    let asked = async || {
        let filter = RecordFilter { kinds: vec![kind::AUDIT_ASKED], ..RecordFilter::default() };
        bed.store().records(&filter, 100).await.unwrap().entries.into_iter().map(|entry| entry.record.unwrap()).collect::<Vec<_>>()
    };
    let filter = RecordFilter { participant: Some(id(LAB)), kinds: vec![kind::RESULT_ACCEPTED, 15], ..RecordFilter::default() };
    let first = gateway.search(&caller, &filter, None, 1).await.unwrap();
    assert_eq!((first.entries.len(), asked().await.len()), (1, 1));
    let second = gateway.search(&caller, &filter, first.next_index, 1).await.unwrap();
    assert_eq!((second.entries.len(), asked().await.len()), (1, 1), "a further page");
    assert_ne!(first.entries[0].index, second.entries[0].index);
    let event = &asked().await[0];
    assert_eq!((event.recipient.clone(), event.note.as_deref()), (Some(id(LAB)), Some("kinds 14,15")));
    assert_eq!(
        (event.actor.clone(), event.key_label.as_deref(), event.verb),
        (Some(id(ALL)), Some("k1"), Some(Verb::ListRecords.number()))
    );
    gateway.search(&bed.caller(OF_LAB), &filter, first.next_index, 1).await.unwrap();
    assert_eq!(asked().await.len(), 2, "a page of somebody else's query is a query of one's own");
    gateway.search(&caller, &filter, None, 1).await.unwrap();
    assert_eq!(asked().await.len(), 3);
    let refused = gateway.search(&bed.caller(LAB), &filter, None, 1).await.unwrap_err();
    assert_eq!(refused.0.reason, Reason::CallNotAllowed);
}

#[tokio::test]
async fn a_further_page_shows_nothing_that_came_after_its_query_was_asked() {
    let home = Home::new();
    for (bed, gateway) in home.both().await {
        let caller = bed.caller(ALL);
        let filter = RecordFilter { kinds: vec![kind::NOTICE_ACCEPTED], ..RecordFilter::default() };
        let asked = async || {
            let asked = RecordFilter { kinds: vec![kind::AUDIT_ASKED], ..RecordFilter::default() };
            bed.store().records(&asked, 100).await.unwrap().entries.len()
        };
        let turned = async |who: &Caller, turn| {
            let page = gateway.browse(who, filter.clone(), turn, 10).await.unwrap();
            (page.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), page.newer)
        };
        let (_, first) = bed.send_notice(&wish(), None).await.unwrap();
        assert_eq!(turned(&caller, Turn::Newest).await, (vec![first.index], false));
        let (_, later) = bed.send_notice(&wish(), None).await.unwrap();
        assert_eq!(turned(&caller, Turn::After(first.index)).await, (vec![], false), "not without an event");
        assert_eq!(turned(&caller, Turn::Before(u64::MAX)).await, (vec![first.index], false));
        assert_eq!(gateway.search(&caller, &filter, Some(0), 10).await.unwrap().entries.len(), 1);
        assert_eq!(asked().await, 1);
        assert_eq!(turned(&caller, Turn::Newest).await, (vec![first.index, later.index], false));
        assert_eq!((turned(&caller, Turn::After(first.index)).await, asked().await), ((vec![later.index], false), 2));
        let other = bed.caller(OF_UNIT);
        assert_eq!((turned(&other, Turn::After(first.index)).await.0, asked().await), (vec![later.index], 3), "that is a query of its own");
    }
}

#[tokio::test]
async fn reviews_that_are_too_many_to_list_are_counted() {
    let (bed, gateway) = ready(memory_bed()).await;
    let caller = bed.caller(ALL);
    let review = |day: &str| Event::Reviewed { auditor: id(ALL), key_label: "k".into(), from: date(day), to: date(day) };
    gateway.note(review("2026-11-20")).await.unwrap();
    for _ in 0..1002 {
        gateway.note(review("2026-11-22")).await.unwrap();
    }
    bed.advance_days(4);
    let Reviews { reviews, left_out, unreviewed, .. } = gateway.reviews(&caller).await.unwrap();
    assert_eq!((reviews.len(), left_out, reviews[0].from), (1000, 3, date("2026-11-22")));
    assert_eq!(unreviewed, [(date("2026-11-21"), date("2026-11-21")), (date("2026-11-23"), date("2026-11-23"))], "the 20th counts");
}

#[tokio::test]
async fn a_review_is_an_event_and_what_it_leaves_is_shown() {
    let (bed, gateway) = ready(memory_bed()).await;
    bed.advance_days(10);
    let caller = bed.caller(ALL);
    let refused = gateway.review(&caller, date("2026-11-20"), date("2026-11-30")).await.unwrap_err();
    assert_eq!(refused.0.reason, Reason::PeriodNotOver);
    assert_eq!(gateway.review(&caller, date("2026-11-22"), date("2026-11-21")).await.unwrap_err().0.reason, Reason::PeriodNotOver);
    let early = gateway.review(&caller, date("2026-11-19"), date("2026-11-21")).await.unwrap_err();
    assert_eq!(early.0.reason, Reason::PeriodBeforeRecords, "the log began on the 20th");
    assert_eq!(
        gateway.review(&bed.caller(OSLO), date("2026-11-20"), date("2026-11-21")).await.unwrap_err().0.reason,
        Reason::CallNotAllowed
    );
    gateway.review(&caller, date("2026-11-21"), date("2026-11-25")).await.unwrap();
    let reviews = gateway.reviews(&caller).await.unwrap();
    assert_eq!(reviews.unreviewed, [(date("2026-11-20"), date("2026-11-20")), (date("2026-11-26"), date("2026-11-29"))]);
    let [review] = reviews.reviews.as_slice() else { panic!("one review") };
    assert_eq!((review.from, review.to, review.key_label.as_str()), (date("2026-11-21"), date("2026-11-25"), "k1"));
    let of_other = gateway.reviews(&bed.caller(OF_UNIT)).await.unwrap();
    assert_eq!(of_other.unreviewed, [(date("2026-11-20"), date("2026-11-29"))], "each reviews for itself");
    assert!(matches!(ask(&gateway, &caller, Question::Read).await.finding, Finding::Read { reviews: 1, .. }));
}

pub(in crate::gateway) fn flip(file: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

#[tokio::test]
async fn a_changed_record_or_tile_is_said_by_every_answer() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    for _ in 0..300 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.turn_now().await.unwrap();
    let caller = bed.caller(ALL);
    assert!(ask(&gateway, &caller, Question::Changed).await.checked.holds());

    let slot = home.dir.path().join("data/records/2026-11.rec");
    flip(&slot, 32 + 768 * 5 + 100);
    let answer = ask(&gateway, &caller, Question::Changed).await;
    assert_eq!((answer.checked.failed, answer.checked.failed_at.as_slice()), (1, &[5][..]), "that entry and no other");
    assert!(answer.checked.in_tree && !answer.checked.holds());
    assert_eq!(answer.checked.period.opened + 1, answer.checked.period.checkable());
    flip(&slot, 32 + 768 * 5 + 100);

    let tile = home.dir.path().join("data/log/tile/entries/000");
    flip(&tile, 35 * 7 + 10);
    let answer = ask(&gateway, &caller, Question::Changed).await;
    assert_eq!(
        (answer.checked.failed_at.as_slice(), answer.checked.in_tree),
        (&[7][..], false),
        "the record does not open the changed leaf"
    );
    std::fs::remove_file(&tile).unwrap();
    let answer = ask(&gateway, &caller, Question::Changed).await;
    assert!(!answer.checked.holds() && answer.checked.failed == 256, "{:?}", answer.checked);
}

#[tokio::test]
async fn erased_months_are_told_and_old_receipts_and_the_log_still_verify() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    let (_, old) = bed.send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    let erased = *bed.store().durable().borrow();
    months_pass(&store, &bed, 15).await;
    let caller = bed.caller(ALL);
    let answer = ask(&gateway, &caller, Question::Erased).await;
    assert!(answer.checked.holds(), "{:?}", answer.checked);
    assert!(answer.checked.period.erased >= erased, "{:?}", answer.checked);
    assert_eq!(answer.checked.period.opened + answer.checked.period.erased, answer.checked.to);
    assert!(matches!(answer.finding, Finding::Erased { months: 1.., .. }), "{:?}", answer.finding);
    let receipt = std::str::from_utf8(&old.receipt).unwrap();
    assert_eq!(Receipt::verify(receipt, &bed.world.verifier, &bed.world.origin).unwrap().index(), old.index);
    let proof = bed.store().prove(old.index).await.unwrap().unwrap();
    assert!(proof.record.is_none());
    assert!(bed.store().consistency(erased, answer.checked.size).await.unwrap().is_some());
    assert_eq!(gateway.search(&caller, &RecordFilter::default(), None, 1).await.unwrap().erased, answer.checked.period.erased);
}

#[tokio::test]
async fn scopes_survive_a_restart_and_a_turn() {
    let home = Home::new();
    let (store, bed) = home.open(1);
    bed.load(register(1, auditors)).await;
    let scope = |store: &EmbeddedStore, who: &str| store.register().get(&id(who)).unwrap().scope.clone();
    let before = scope(&store, OF_UNIT);
    assert_eq!(before, Some(AuditScope::Municipalities(["0301".parse().unwrap()].into())));
    drop((store, bed));
    let (store, bed) = home.open(1 << 32);
    assert_eq!(scope(&store, OF_UNIT), before, "from the journal");
    store.turn_now().await.unwrap();
    drop((store, bed));
    let (store, bed) = home.open(2 << 32);
    assert_eq!(scope(&store, OF_UNIT), before, "from the base");
    assert_eq!(scope(&store, LAB), None);
    drop(bed);
}

#[tokio::test]
async fn an_export_answers_the_same_questions_without_the_gateway() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    for (who, hides) in [(ALL, false), (OF_UNIT, true)] {
        let mut exported = gateway.export(&bed.caller(who), ExportOf::default()).await.unwrap();
        let frame = exported.frame().clone();
        let head = Checkpoint::open(std::str::from_utf8(&frame.checkpoint).unwrap(), &bed.world.verifier).unwrap();
        let mut survey = Survey::new(frame.sight, ALWAYS, &Question::ALL, frame.from, Some(edge(frame.from, frame.edge).unwrap()));
        let mut closed = 0;
        while let Some(entries) = exported.next().await.unwrap() {
            for entry in entries {
                // By way of the bytes that an export holds.
                let held = match entry.held {
                    Held::Record(held) => {
                        let (record, openings) = *held;
                        let opening = AuditorOpening::new(openings, record.sender_part(), record.gateway_part()).unwrap().encode();
                        let back = Held::from_opening(&AuditorOpening::decode(&opening).unwrap()).unwrap();
                        assert!(matches!(&back, Held::Record(held) if held.0 == record));
                        back
                    }
                    other => {
                        closed += 1;
                        other
                    }
                };
                survey.take(&OpenEntry { held, ..entry });
            }
        }
        let Findings { answers: offline, checked, .. } = survey.finish(&head, Some(&frame.consistency));
        assert!(checked.holds(), "{checked:?}");
        assert_eq!(closed > 0, hides);
        let online = gateway.answer(&bed.caller(who), &[Question::Changed, Question::Forbidden], ALWAYS).await.unwrap().answers;
        assert_eq!(offline[3].finding, online[0].finding);
        assert_eq!(offline[1].rows, online[1].rows);
    }
}

#[test]
fn what_counts_as_forbidden_has_the_codes_that_say_so() {
    let forbidden: Vec<&str> =
        Reason::ALL.iter().filter(|reason| crate::audit::question::is_forbidden(reason.number())).map(|reason| reason.code()).collect();
    assert_eq!(
        forbidden,
        [
            "NOT_ENROLLED",
            "PARTICIPANT_SUSPENDED",
            "CALL_NOT_ALLOWED",
            "IDENTITY_WITHDRAWN",
            "PARTICIPANT_RETIRED",
            "REPLACES_UNKNOWN",
            "HOLD_OF_ANOTHER",
            "HOLD_UNKNOWN",
            "REFERENCE_UNKNOWN",
            "ITEM_UNKNOWN",
            "MESSAGE_UNKNOWN",
            "ENTRY_UNKNOWN",
            "REFERENCE_RATE_LIMITED"
        ]
    );
    assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z", "the texts of leaves spell time so");
}

/// The prosecution of the history is retired: what its cases get afterwards is the successor's and nobody else's.
#[tokio::test]
async fn what_a_successor_gets_is_no_result_elsewhere_and_its_auditor_sees_the_history() {
    let home = Home::new();
    for bed in [memory_bed(), home.open(1).1] {
        let gateway = gateway(&bed);
        let of_successor = |participants: &mut Vec<Participant>| {
            auditors(participants);
            participants.last_mut().unwrap().scope = Some(AuditScope::Participants([id(INNLANDET)].into()));
        };
        bed.load(register(1, of_successor)).await;
        let (_, notice) = bed.send_notice(&wish(), None).await.unwrap();
        bed.send(LAB, Body::Result(result(notice.requisition_id.unwrap(), "A-1")), None).await.unwrap();
        let item = bed.fetch(OSLO).await[0].item;
        bed.store().act(crate::policy::command::Command::MarkOverdue { item }).await.unwrap();
        let kinds = vec![kind::NOTICE_ACCEPTED, kind::RESULT_ACCEPTED, kind::HANDED_OUT, kind::OVERDUE];
        let case = RecordFilter { case_ref: notice.case_ref, kinds, ..RecordFilter::default() };
        let before = gateway.search(&bed.caller(OF_LAB), &case, None, 100).await.unwrap().entries.len();
        assert_eq!(before, 0, "the successor is no party yet");
        bed.load(register(2, |participants| {
            of_successor(participants);
            participants[0].standing = crate::domain::participant::Standing::Retired;
            participants[0].successor = Some(id(INNLANDET));
        }))
        .await;
        bed.take(INNLANDET).await;
        let caller = bed.caller(ALL);
        let elsewhere = ask(&gateway, &caller, Question::ResultsElsewhere).await.finding;
        assert_eq!(elsewhere, Finding::ResultsElsewhere { results: 1, deliveries: 3, elsewhere: 0, unresolved: 0 });
        assert_eq!(ask(&gateway, &caller, Question::Overdue).await.finding, Finding::Overdue { open: 0, settled: 1, unresolved: 0 });
        let after = gateway.search(&bed.caller(OF_LAB), &case, None, 100).await.unwrap().entries.len();
        assert!(after >= 5, "what it took over is seen with it: {after}");
    }
}
