//! What an auditor's calls answer over real mutual TLS, and that the answers keep to the reader's scope.

use samband::audit::checkpoint::Checkpoint;
use samband::audit::leaf::{AuditorOpening, Opening as _};
use samband::audit::note::LogSigner;
use samband::domain::scope::AuditScope;
use samband::grpc::pb;
use samband::grpc::pb::export_response::Part;
use samband::grpc::server::ServerLimits;
use tonic::Code;

use crate::harness::{AUDITOR, Kind, LAB, OSLO, UNIT_2, World, drain, refused, settings};
use crate::identity::changed;

const QUESTIONS: [i32; 6] = [1, 2, 3, 4, 5, 6];

fn numbers(answer: &pb::Answer) -> Vec<(&str, u64)> {
    answer.numbers.iter().map(|number| (number.name.as_str(), number.value)).collect()
}

/// A case that came back with a report and a result, and a call that was refused.
pub async fn busy(world: &World) -> pb::AcceptedNotice {
    let (_, accepted) = world.noticed().await;
    let items = world.unit_polls("fagsystem").await;
    world.unit_acknowledges(&items).await;
    world.unit().report_non_attendance(world.send_report(&accepted.case_ref)).await.unwrap();
    world.laboratory().send_lab_result(world.send_result(accepted.requisition_id.as_deref().unwrap())).await.unwrap();
    world.prosecution_polls("fagsystem").await;
    let attempt = crate::harness::raw_call(world.channel(LAB), "/samband.v1.MunicipalService/Receive", bytes::Bytes::new()).await;
    assert!(attempt.is_err());
    accepted
}

async fn scoped(world: &World, scope: AuditScope) {
    let register = changed(world, |all| all.iter_mut().find(|one| one.id.as_str() == AUDITOR).unwrap().scope = Some(scope));
    world.app.load_register(&register, [3; 32]).await.unwrap();
}

#[tokio::test]
async fn the_prepared_questions_are_answered_from_checked_entries() {
    for kind in [Kind::Memory, Kind::Embedded] {
        let world = World::on(kind, settings(), ServerLimits::default()).await;
        busy(&world).await;
        let ask = pb::AskRequest { questions: QUESTIONS.to_vec(), from_time: None, to_time: None };
        let pb::AskResponse { answers, checkpoint } = world.auditor().ask(ask).await.unwrap().into_inner();
        assert_eq!(answers.iter().map(|answer| answer.question).collect::<Vec<_>>(), QUESTIONS);
        let signer = LogSigner::from_seed(
            "log.samband.example/e2e".parse::<samband::audit::checkpoint::Origin>().unwrap().key_name(),
            zeroize::Zeroizing::new([9; 32]),
        );
        let head = Checkpoint::open(std::str::from_utf8(&checkpoint).unwrap(), signer.verifier()).unwrap();
        for answer in &answers {
            let checked = answer.checked.as_ref().unwrap();
            assert_eq!((checked.from_index, checked.to_index, checked.tree_size), (0, head.size(), head.size()));
            assert_eq!((checked.opened, checked.erased, checked.failed, checked.in_tree), (head.size(), 0, 0, true));
            assert_eq!(checked.root, head.root().as_bytes().to_vec());
            assert!(answer.whole_log && answer.participants.is_empty());
        }
        assert_eq!(numbers(&answers[0]), [("results", 1), ("deliveries", 1), ("elsewhere", 0), ("unresolved", 0)]);
        assert_eq!(numbers(&answers[1])[..2], [("refused", 1), ("forbidden", 1)]);
        assert_eq!(answers[1].rows[0].mark, "forbidden");
        assert_eq!(answers[1].rows[0].entry.as_ref().unwrap().record.as_ref().unwrap().actor.as_deref(), Some(LAB));
        assert_eq!(numbers(&answers[5]), [("reads", 6), ("readers", 1), ("reviews", 0)], "the six questions themselves");
        for bad in [vec![], vec![0], vec![7], vec![1, 1]] {
            let ask = pb::AskRequest { questions: bad, from_time: None, to_time: None };
            refused(world.auditor().ask(ask).await, Code::InvalidArgument, "BAD_ARGUMENT");
        }
    }
}

#[tokio::test]
async fn a_timeline_counts_and_the_log_s_state_are_those_of_what_happened() {
    let world = World::start().await;
    let accepted = busy(&world).await;
    let timeline = pb::GetTimelineRequest { case_ref: accepted.case_ref.clone() };
    let pb::GetTimelineResponse { entries, more, erased, unreadable, unjudged } =
        world.auditor().get_timeline(timeline).await.unwrap().into_inner();
    let names: Vec<String> = entries.iter().map(|entry| entry.record.as_ref().unwrap().kind_name.clone()).collect();
    let wanted =
        ["NOTICE_ACCEPTED", "HANDED_OUT", "ACKNOWLEDGED", "REPORT_ACCEPTED", "RESULT_ACCEPTED", "HANDED_OUT", "HANDED_OUT", "AUDIT_ASKED"];
    assert_eq!(names, wanted);
    assert!(
        !more
            && erased == 0
            && unreadable.is_empty()
            && unjudged == 0
            && entries.iter().all(|entry| entry.record.as_ref().unwrap().case_ref.as_ref() == Some(&accepted.case_ref))
    );
    let bad = pb::GetTimelineRequest { case_ref: "04HMAS-W9NF6Y-Y41J5T".to_owned() };
    refused(world.auditor().get_timeline(bad).await, Code::InvalidArgument, "BAD_REFERENCE_CHECK");

    let counts = pb::CountRecordsRequest { column: pb::CountColumn::Day.into(), ..Default::default() };
    let pb::CountRecordsResponse { counts, checked, left_out: _ } = world.auditor().count_records(counts).await.unwrap().into_inner();
    let of = |name: &str| counts.iter().find(|count| count.kind_name == name).map(|count| (count.day.as_str(), count.count));
    assert_eq!((of("NOTICE_ACCEPTED"), of("HANDED_OUT")), (Some(("2026-11-20", 1)), Some(("2026-11-20", 3))));
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), checked.unwrap().opened);

    let state = world.auditor().get_log_state(pb::GetLogStateRequest {}).await.unwrap().into_inner();
    assert_eq!((state.durable_size, state.first_kept), (*world.store.durable().borrow(), 0));
    assert!(state.checkpoint.starts_with(format!("log.samband.example/e2e\n{}\n", state.durable_size).as_bytes()));
    assert_eq!(state.last_check.unwrap().to_index + 1, state.durable_size, "the counts were a complete check; this question came after");
}

#[tokio::test]
async fn a_review_is_stated_listed_and_leaves_what_is_unreviewed() {
    let world = World::start().await;
    world.clock.advance_millis(3 * 86_400_000);
    let days = |from: &str, to: &str| Some(pb::Days { from: from.to_owned(), to: to.to_owned() });
    let listed = async || world.auditor().list_reviews(pb::ListReviewsRequest {}).await.unwrap().into_inner();
    assert_eq!(listed().await.unreviewed, [days("2026-11-20", "2026-11-22").unwrap()]);
    for (from, to, code) in [
        ("2026-11-20", "2026-11-23", "PERIOD_NOT_OVER"),
        ("2026-11-21", "2026-11-20", "PERIOD_NOT_OVER"),
        ("2026-11-31", "2026-11-20", "BAD_ARGUMENT"),
        ("2026-11-19", "2026-11-20", "PERIOD_BEFORE_RECORDS"),
    ] {
        refused(world.auditor().review(pb::ReviewRequest { days: days(from, to) }).await, Code::InvalidArgument, code);
    }
    world.auditor().review(pb::ReviewRequest { days: days("2026-11-21", "2026-11-21") }).await.unwrap();
    let pb::ListReviewsResponse { reviews, unreviewed, left_out, unreadable, erased_before, before_erased, before_unreadable } =
        listed().await;
    assert_eq!((left_out, unreadable.len(), erased_before.as_str(), before_erased, before_unreadable), (0, 0, "", false, false));
    assert_eq!(
        (reviews[0].auditor.as_str(), reviews[0].key_label.as_str(), reviews[0].days.clone()),
        (AUDITOR, "dev", days("2026-11-21", "2026-11-21"))
    );
    assert_eq!(unreviewed, [days("2026-11-20", "2026-11-20").unwrap(), days("2026-11-22", "2026-11-22").unwrap()]);
}

#[tokio::test]
async fn an_export_opens_what_the_scope_shows_and_closes_the_rest() {
    let world = World::start().await;
    let accepted = busy(&world).await;
    let exported = async |request: pb::ExportRequest| -> (pb::ExportFrame, Vec<pb::ExportEntry>) {
        let mut parts = drain(world.auditor().export(request).await.unwrap().into_inner()).await.into_iter().map(|part| part.part.unwrap());
        let Some(Part::Frame(frame)) = parts.next() else { panic!("the frame first") };
        let (mut entries, mut end) = (Vec::new(), None);
        for part in parts {
            match part {
                Part::Entries(batch) => entries.extend(batch.entries),
                Part::End(counted) => end = Some(counted.entries),
                Part::Frame(_) => panic!("one frame"),
            }
        }
        assert_eq!(end, Some(entries.len() as u64));
        assert!(entries.iter().map(|entry| entry.index).eq(frame.from_index..frame.to_index), "every entry, in order");
        (frame, entries)
    };
    let open = |entries: &[pb::ExportEntry]| entries.iter().filter(|entry| entry.opening.is_some()).count();
    let (frame, entries) = exported(pb::ExportRequest::default()).await;
    assert!(frame.whole_log && frame.from_index == 0 && open(&entries) == entries.len());
    for entry in &entries {
        let opening = AuditorOpening::decode(entry.opening.as_ref().unwrap()).unwrap();
        assert_eq!(opening.leaf().as_bytes().as_slice(), entry.leaf.as_ref());
    }
    let of_case = pb::ExportRequest { case_ref: Some(accepted.case_ref.clone()), ..Default::default() };
    let (frame, entries) = exported(of_case.clone()).await;
    assert_eq!((frame.from_index, open(&entries)), (accepted.log_index, 7));
    refused(
        world.auditor().export(pb::ExportRequest { from_index: Some(1 << 40), ..Default::default() }).await,
        Code::NotFound,
        "ENTRY_UNKNOWN",
    );
    let newest = frame.to_index;
    let under = |size| pb::ExportRequest { tree_size: Some(size), ..Default::default() };
    let (frame, entries) = exported(under(newest - 1)).await;
    assert_eq!((frame.to_index, entries.len() as u64), (newest - 1, newest - 1), "no entry that the head does not hold");
    assert!(frame.consistency.is_empty(), "it ends with that head");
    for size in [0, 1 << 40] {
        refused(world.auditor().export(under(size)).await, Code::NotFound, "ENTRY_UNKNOWN");
    }

    scoped(&world, AuditScope::Participants([UNIT_2.parse().unwrap()].into())).await;
    let (frame, entries) = exported(pb::ExportRequest::default()).await;
    assert_eq!((frame.whole_log, frame.participants), (false, vec![UNIT_2.to_owned()]));
    assert!(open(&entries) < entries.len());
    assert_eq!(entries[accepted.log_index as usize].absence(), pb::ExportAbsence::Closed, "another unit's case");
    // Its own export of before is an entry that names the case, which it sees, and is none of the case.
    refused(world.auditor().export(of_case).await, Code::NotFound, "ENTRY_UNKNOWN");
}

#[tokio::test]
async fn an_auditor_of_another_unit_is_told_nothing_of_the_case() {
    let world = World::start().await;
    let accepted = busy(&world).await;
    scoped(&world, AuditScope::Participants([UNIT_2.parse().unwrap()].into())).await;
    let ask = pb::AskRequest { questions: QUESTIONS.to_vec(), from_time: None, to_time: None };
    let answers = world.auditor().ask(ask).await.unwrap().into_inner().answers;
    assert!(answers.iter().all(|answer| !answer.whole_log && answer.participants == [UNIT_2]));
    assert_eq!(numbers(&answers[0])[..2], [("results", 0), ("deliveries", 0)]);
    assert_eq!(numbers(&answers[1])[..2], [("refused", 0), ("forbidden", 0)]);
    let shown: Vec<&pb::Record> =
        answers.iter().flat_map(|answer| &answer.rows).filter_map(|row| row.entry.as_ref()?.record.as_ref()).collect();
    assert!(shown.iter().all(|record| record.actor.as_deref() == Some(AUDITOR)), "its own reading and nothing else: {shown:?}");
    let timeline = pb::GetTimelineRequest { case_ref: accepted.case_ref.clone() };
    let entries = world.auditor().get_timeline(timeline).await.unwrap().into_inner().entries;
    assert_eq!(entries.len(), 1, "its own question");
    let counts = pb::CountRecordsRequest::default();
    let counts = world.auditor().count_records(counts).await.unwrap().into_inner().counts;
    assert!(counts.iter().all(|count| !count.kind_name.ends_with("_ACCEPTED")), "{counts:?}");
    let hold = pb::PlaceHoldRequest { case_ref: accepted.case_ref, reason: 2, until: "2027-01-31".to_owned() };
    refused(world.auditor().place_hold(hold).await, Code::NotFound, "REFERENCE_UNKNOWN");
}

#[tokio::test]
async fn a_hold_is_placed_listed_and_lifted_over_the_wire() {
    let world = World::on(Kind::Embedded, settings(), ServerLimits::default()).await;
    let accepted = busy(&world).await;
    let place =
        |case_ref: &str, reason: i32, until: &str| pb::PlaceHoldRequest { case_ref: case_ref.to_owned(), reason, until: until.to_owned() };
    for (request, code, reason) in [
        (place(&accepted.case_ref, 0, "2027-01-31"), Code::InvalidArgument, "BAD_ARGUMENT"),
        (place(&accepted.case_ref, 6, "2027-01-31"), Code::InvalidArgument, "BAD_ARGUMENT"),
        (place(&accepted.case_ref, 1, "2027-02-30"), Code::InvalidArgument, "BAD_ARGUMENT"),
        (place(&accepted.case_ref, 1, "2026-11-20"), Code::InvalidArgument, "HOLD_END_PAST"),
        (place(&accepted.case_ref, 1, "2029-11-01"), Code::InvalidArgument, "HOLD_TOO_LONG"),
        (place("04HMAS-W9NF6Y-Y41J5S", 1, "2027-01-31"), Code::NotFound, "REFERENCE_UNKNOWN"),
        (place("x", 1, "2027-01-31"), Code::InvalidArgument, "BAD_REFERENCE"),
    ] {
        refused(world.auditor().place_hold(request).await, code, reason);
    }
    world.auditor().place_hold(place(&accepted.case_ref, 1, "2027-01-31")).await.unwrap();
    let holds = world.auditor().list_holds(pb::ListHoldsRequest {}).await.unwrap().into_inner().holds;
    let [hold] = holds.as_slice() else { panic!("{holds:?}") };
    assert_eq!((hold.case_ref.as_str(), hold.reason, hold.until.as_str()), (accepted.case_ref.as_str(), 1, "2027-01-31"));
    assert_eq!((hold.auditor.as_str(), hold.key_label.as_str(), hold.ground.as_ref()), (AUDITOR, "dev", None));
    assert_eq!(hold.terms_index, hold.index);
    let record = &world.records(63, Some(AUDITOR)).await[0];
    assert_eq!((record.reason, record.sender.as_ref().map(|id| id.as_str())), (Some(1), Some(OSLO)));
    // The sweep ends it the day after its last.
    world.clock.advance_millis(73 * 86_400_000);
    for _ in 0..200 {
        if !world.records(65, None).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(world.records(65, None).await.len(), 1, "ended");
    refused(world.auditor().lift_hold(pb::LiftHoldRequest { case_ref: accepted.case_ref }).await, Code::NotFound, "HOLD_UNKNOWN");
}
