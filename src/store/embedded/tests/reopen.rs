//! What stays the same over a stop, a start and a turn.

use super::super::{Disk as _, Open, SeenElsewhere};
use super::*;
use crate::audit::event::MessageKind;
use crate::audit::receipt::{AuditorProof, Receipt};
use crate::domain::participant::{Participant, Register};
use crate::policy::command::{Body, Command};
use crate::store::contract::case_bed::{OSLO, RU_OSLO, accepted, id, notice, submission, wish};
use crate::store::{RecordFilter, Store, StoreError};

#[tokio::test]
async fn everything_is_there_again_after_a_stop() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (message_id, first) = bed.send_notice(&wish(), None).await.unwrap();
    bed.send_notice(&wish(), None).await.unwrap();
    bed.fetch(RU_OSLO).await;
    let snapshot = store.snapshot();
    store.stop().await.unwrap();
    assert_eq!(bed.store().status(&id(OSLO), message_id).await.err(), None, "what is durable is still answered");
    let again = home.open();
    let bed = home.bed(&again);
    assert_eq!(bed.waiting(RU_OSLO).await.len(), 2);
    assert_eq!(again.snapshot(), snapshot);
    let size = again.stats().await.unwrap().durable_size;
    assert_eq!(size, first.index + 1 + 5, "one more notice, two hand-outs, `Stopped` and `Started`");
    assert_eq!(again.receipt(&id(OSLO), message_id).await.unwrap(), Some(first));
    assert_eq!(again.register().generation(), 1);
}

#[tokio::test]
async fn a_receipt_is_the_same_bytes_at_once_after_a_restart_and_after_a_turn() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let message_id = bed.fresh();
    let send = || submission(message_id, Body::Notice(Box::new(notice(&wish()))), None);
    let first = accepted(bed.submit(OSLO, send()).await.unwrap());
    for _ in 0..20 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    assert_eq!(accepted(bed.submit(OSLO, send()).await.unwrap()), first);
    drop(bed);
    drop(store);
    let store = home.open();
    let bed = home.bed(&store);
    assert_eq!(accepted(bed.submit(OSLO, send()).await.unwrap()), first, "after a restart");
    store.turn_now().await.unwrap();
    assert_eq!(accepted(bed.submit(OSLO, send()).await.unwrap()), first, "after a turn");
    drop(bed);
    drop(store);
    let store = home.open();
    let bed = home.bed(&store);
    assert_eq!(accepted(bed.submit(OSLO, send()).await.unwrap()), first, "after a turn and a restart");
    assert_eq!(store.receipt(&id(OSLO), message_id).await.unwrap().as_ref(), Some(&first));
    let text = std::str::from_utf8(&first.receipt).unwrap();
    let verified = Receipt::verify(text, &verifier(), &origin()).unwrap();
    assert_eq!(verified.index(), first.index);
}

#[tokio::test]
async fn a_receipt_is_found_by_its_records_once_the_state_has_forgotten_the_id() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let short = crate::store::contract::case_bed::NoticeWish { probation_end: "2026-12-01", to: "2026-12-01", ..wish() };
    let (message_id, first) = bed.send_notice(&short, None).await.unwrap();
    let case_ref = first.case_ref.unwrap();
    home.clock.advance_millis(150 * 86_400_000);
    bed.store().act(crate::policy::command::Command::EndCase { case_ref }).await.unwrap();
    bed.store().act(crate::policy::command::Command::ForgetCase { case_ref }).await.unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(bed.status(OSLO, message_id).await, None);
    assert_eq!(store.stats().await.unwrap().ids, 0);
    assert_eq!(store.receipt(&id(OSLO), message_id).await.unwrap(), Some(first));
    assert_eq!(store.receipt(&id(RU_OSLO), message_id).await.unwrap(), None, "another's receipt is nobody's");
}

#[tokio::test]
async fn a_forgotten_receipt_is_found_beside_damaged_records_and_none_is_said_to_be_missing_that_may_be_damaged() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let short = crate::store::contract::case_bed::NoticeWish { probation_end: "2026-12-01", to: "2026-12-01", ..wish() };
    let before = bed.send_notice(&short, None).await.unwrap();
    let (message_id, first) = bed.send_notice(&short, None).await.unwrap();
    let after = bed.send_notice(&short, None).await.unwrap();
    let never = bed.fresh();
    home.clock.advance_millis(150 * 86_400_000);
    for accepted in [&before.1, &first, &after.1] {
        let case_ref = accepted.case_ref.unwrap();
        bed.store().act(crate::policy::command::Command::EndCase { case_ref }).await.unwrap();
        bed.store().act(crate::policy::command::Command::ForgetCase { case_ref }).await.unwrap();
    }
    store.turn_now().await.unwrap();
    assert_eq!(store.stats().await.unwrap().ids, 0);
    assert_eq!(store.receipt(&id(OSLO), never).await.unwrap(), None, "nothing is damaged, and there is none");
    let file = files_below(&home.data().join("records")).remove(0);
    for index in [before.1.index, after.1.index] {
        super::holds::flip(&file, index);
    }
    assert_eq!(store.receipt(&id(OSLO), message_id).await.unwrap(), Some(first));
    for message_id in [before.0, after.0, never] {
        let answer = store.receipt(&id(OSLO), message_id).await;
        assert!(matches!(answer, Err(crate::store::StoreError::Damaged { .. })), "it may be the damaged one: {answer:?}");
    }
}

#[tokio::test]
async fn records_and_proofs_are_one_log_across_files_and_memory() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut ids = Vec::new();
    for round in 0..3 {
        for _ in 0..5 {
            ids.push(bed.send_notice(&wish(), None).await.unwrap());
        }
        if round < 2 {
            home.clock.advance_millis(20 * 86_400_000);
            store.turn_now().await.unwrap();
        }
    }
    let size = store.stats().await.unwrap().durable_size;
    let all = store.records(&RecordFilter::default(), 1000).await.unwrap();
    assert_eq!(all.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), (0..size).collect::<Vec<_>>());
    assert_eq!((all.next_index, all.erased), (None, 0));
    let kinds = RecordFilter { kinds: vec![10], ..RecordFilter::default() };
    let page = store.records(&kinds, 7).await.unwrap();
    assert_eq!(page.entries.len(), 7);
    let rest = store.records(&RecordFilter { from_index: page.next_index.unwrap(), ..kinds }, 100).await.unwrap();
    assert_eq!(rest.entries.len(), ids.len() - 7);
    for (message_id, accepted) in &ids {
        let about = RecordFilter { message_id: Some(*message_id), ..RecordFilter::default() };
        let about = store.records(&about, 10).await.unwrap();
        assert_eq!(about.entries.iter().map(|entry| entry.index).collect::<Vec<_>>(), [accepted.index]);
        let case = RecordFilter { case_ref: accepted.case_ref, ..RecordFilter::default() };
        assert_eq!(store.records(&case, 10).await.unwrap().entries.len(), 1);
    }
    for index in 0..size {
        let proof = store.prove(index).await.unwrap().unwrap();
        let verified = AuditorProof::verify(std::str::from_utf8(&proof.proof).unwrap(), &verifier(), &origin()).unwrap();
        assert_eq!((verified.index(), verified.size()), (index, size));
        assert_eq!(verified.leaf().as_bytes(), &proof.leaf);
    }
    assert_eq!(store.prove(size).await.unwrap(), None);
    assert!(store.consistency(3, size).await.unwrap().is_some());
    assert_eq!(store.consistency(3, size + 1).await.unwrap(), None);
}

#[tokio::test]
async fn a_second_gateway_is_kept_out_by_the_lock() {
    let home = Home::new();
    let store = home.open();
    let error = home.try_open().unwrap_err();
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    assert!(error.to_string().contains(&home.data().display().to_string()), "{error}");
    store.stop().await.unwrap();
    home.open();
}

/// As somebody does who thinks that a file of this name is left from a crash.
#[tokio::test]
async fn a_second_gateway_is_kept_out_also_when_the_lock_file_was_removed() {
    let home = Home::new();
    let store = home.open();
    std::fs::remove_file(home.data().join("LOCK")).unwrap();
    let error = home.try_open().unwrap_err();
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    store.stop().await.unwrap();
    home.open();
}

/// A program before this one locks the file alone.
#[tokio::test]
async fn a_gateway_of_an_earlier_version_keeps_this_one_out() {
    let home = Home::new();
    home.open().stop().await.unwrap();
    let file = RealDisk.open(&home.data().join("LOCK"), Open::Create).unwrap();
    assert!(file.try_lock().unwrap());
    let error = home.try_open().unwrap_err();
    assert!(matches!(error, OpenError::Locked(_)), "{error}");
    drop(file);
    home.open();
}

#[tokio::test]
async fn nothing_is_taken_after_a_stop() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    store.stop().await.unwrap();
    store.stop().await.unwrap();
    let note = crate::policy::command::Command::Note(crate::audit::event::Event::Stopped);
    assert_eq!(store.act(note).await, Err(StoreError::Stopped));
}

#[tokio::test]
async fn a_failed_sync_ends_everything_and_answers_nobody() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let (message_id, _) = bed.send_notice(&wish(), None).await.unwrap();
    store.engine.fatal("the disk said no");
    let send = submission(bed.fresh(), Body::Notice(Box::new(notice(&wish()))), None);
    assert_eq!(send.kind, MessageKind::ConditionNotice);
    let note = crate::policy::command::Command::Note(crate::audit::event::Event::Stopped);
    assert_eq!(store.act(note).await, Err(StoreError::Stopped));
    assert_eq!(*home.fatal.lock(), ["the disk said no"]);
    drop(bed);
    drop(store);
    let store = home.open();
    assert!(store.receipt(&id(OSLO), message_id).await.unwrap().is_some(), "what was answered is there");
}

#[tokio::test]
async fn a_store_is_one_logs_and_one_keys_for_ever() {
    let home = Home::new();
    drop(home.open());
    let mut options = home.options();
    options.origin = "log.samband.example/other".parse().unwrap();
    assert!(matches!(EmbeddedStore::open(options).unwrap_err(), OpenError::OtherOrigin { .. }));
    let mut options = home.options();
    options.log_signer = LogSigner::from_seed(origin().key_name(), Zeroizing::new([8; 32]));
    assert!(matches!(EmbeddedStore::open(options).unwrap_err(), OpenError::OtherLogKey { .. }));
    let mut options = home.options();
    options.storage_key = Zeroizing::new([1; 32]);
    let error = EmbeddedStore::open(options).unwrap_err();
    assert!(matches!(error, OpenError::StorageKey { .. }), "{error}");
    assert!(error.to_string().contains("storage key file"), "{error}");
}

#[tokio::test]
async fn a_newer_format_and_a_foreign_folder_are_refused_plainly() {
    let home = Home::new();
    drop(home.open());
    #[derive(serde::Serialize)]
    struct Newer {
        version: u64,
        something_new: bool,
    }
    let newer = Newer { version: 2, something_new: true };
    super::super::layout::write_checked(&RealDisk, &home.data().join("FORMAT"), &newer).unwrap();
    assert!(matches!(home.try_open().unwrap_err(), OpenError::NewerFormat { found: 2, known: 1 }));
    let other = Home::new();
    std::fs::create_dir_all(other.data()).unwrap();
    std::fs::write(other.data().join("thesis.doc"), "mine").unwrap();
    assert!(matches!(other.try_open().unwrap_err(), OpenError::NotEmpty(_)));
    assert_eq!(std::fs::read(other.data().join("thesis.doc")).unwrap(), b"mine");
    let bare = Home::new();
    drop(bare.open());
    std::fs::remove_file(bare.data().join("FORMAT")).unwrap();
    assert!(matches!(bare.try_open().unwrap_err(), OpenError::NotEmpty(_)), "a store that lost FORMAT is not made anew");
    std::fs::remove_dir_all(bare.data()).unwrap();
    assert!(matches!(bare.try_open().unwrap_err(), OpenError::Away { .. }), "an empty folder is behind its mark");
    std::fs::remove_dir_all(bare.data()).unwrap();
    std::fs::create_dir_all(bare.data()).unwrap();
    std::fs::remove_file(bare.dir.path().join("high-water")).unwrap();
    std::fs::write(bare.data().join("CURRENT"), "a crash came before FORMAT").unwrap();
    bare.open();
}

#[test]
fn a_store_behind_what_a_witness_saw_does_not_go_on() {
    let home = Home::new();
    drop(home.open());
    let held = home.open().durable_size();
    let seen = |size| {
        let seen_elsewhere = Some(SeenElsewhere { who: "w1".into(), size });
        EmbeddedStore::open(Options { seen_elsewhere, ..home.options() })
    };
    let before = std::fs::read_dir(home.data().join("journal")).unwrap().count();
    let error = seen(held + 1).unwrap_err();
    assert!(matches!(&error, OpenError::BehindWitness { found_size, seen_size, .. } if *found_size == held && *seen_size == held + 1));
    assert!(error.to_string().contains("w1 has seen"), "{error}");
    assert_eq!(std::fs::read_dir(home.data().join("journal")).unwrap().count(), before, "nothing was begun");
    seen(held).unwrap();
}

#[tokio::test]
async fn whom_an_id_stood_for_that_left_the_register_is_known_after_turns_and_restarts() {
    let home = Home::new();
    let mut store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let whole = store.register();
    let participants = whole.iter().filter(|entry| entry.id.as_str() != RU_OSLO).map(|entry| Participant::clone(entry));
    let register = Register::new(2, participants.collect(), &|_| true).unwrap();
    store.act(Command::LoadRegister { register, digest: [2; 32] }).await.unwrap();
    drop(bed);
    for turned in [false, true, true] {
        let past = store.register_past(&whole).await.unwrap();
        let bearer = whole.get(&id(RU_OSLO)).map(|entry| entry.as_ref().into());
        assert_eq!(past.former().get(&id(RU_OSLO)), Some(&bearer), "turned {turned}");
        past.check(&whole).unwrap();
        if turned {
            store.turn_now().await.unwrap();
        }
        drop(store);
        store = home.open();
    }
}
