//! Whoever reads much waits for its turn: an auditor's lists, proofs, questions and exports, evidence, and what feeds give.

use std::pin::Pin;
use std::time::Duration;

use super::*;
use crate::gateway::ReceiveOptions;
use crate::gateway::reading::Given;
use crate::store::Cursor;

type Reading<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

const A_WHILE: Duration = Duration::from_millis(60);

#[tokio::test]
async fn nothing_is_read_of_the_log_but_in_a_turn() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    let (message, notice) = bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    let case_ref = notice.case_ref.unwrap();
    let (caller, sender) = (bed.caller(ALL), bed.caller(OSLO));
    let all = RecordFilter::default();
    let list = async || gateway.records(&caller, all.clone(), None).await.unwrap().next().await.map(drop).unwrap();
    let export = async |of| gateway.export(&caller, of).await.unwrap().next().await.map(drop).unwrap();
    let of_case = ExportOf { case_ref: Some(case_ref), ..ExportOf::default() };
    let readings: Vec<(&str, Reading<'_>)> = vec![
        ("list", Box::pin(list())),
        ("search", Box::pin(async { gateway.search(&caller, &all, None, 10).await.map(drop).unwrap() })),
        ("page", Box::pin(async { gateway.browse(&caller, all.clone(), Turn::Newest, 10).await.map(drop).unwrap() })),
        ("timeline", Box::pin(async { gateway.timeline(&caller, case_ref).await.map(drop).unwrap() })),
        ("questions", Box::pin(async { gateway.answer(&caller, &Question::ALL, ALWAYS).await.map(drop).unwrap() })),
        ("counts", Box::pin(async { gateway.count_records(&caller, ALWAYS, Column::Day).await.map(drop).unwrap() })),
        ("state", Box::pin(async { gateway.log_state(&caller).await.map(drop).unwrap() })),
        ("reviews", Box::pin(async { gateway.reviews(&caller).await.map(drop).unwrap() })),
        ("proof", Box::pin(async { gateway.proofs(&caller, ProofOf::Index(0)).await.map(drop).unwrap() })),
        ("proofs", Box::pin(async { gateway.proofs(&caller, ProofOf::Message(message, 0)).await.map(drop).unwrap() })),
        ("consistency", Box::pin(async { gateway.consistency(&caller, 1, 2).await.map(drop).unwrap() })),
        ("export", Box::pin(export(ExportOf::default()))),
        ("export of a case", Box::pin(export(of_case))),
        ("evidence", Box::pin(async { gateway.evidence(&sender, Verb::ProsecutionGetEvidence, message, 0).await.map(drop).unwrap() })),
    ];
    for (what, mut reading) in readings {
        let held = gateway.reading.enter(&id(INNLANDET)).await.unwrap();
        assert!(tokio::time::timeout(A_WHILE, &mut reading).await.is_err(), "{what} waits for its turn");
        drop(held);
        reading.await;
    }
}

#[tokio::test]
async fn a_feed_and_refusals_go_no_faster_than_they_are_paid_for_and_mail_and_others_do() {
    let (bed, gateway) = ready(memory_bed()).await;
    bed.send_notice(&wish(), None).await.unwrap();
    let feed = async |who: &str| {
        let feed = gateway.watch(&bed.caller(who), Verb::ProsecutionWatchStatus, Cursor::default(), false).await;
        feed.unwrap().next().await.unwrap().map(drop)
    };
    let mailbox = async || {
        let options = ReceiveOptions { reader: "r1".into(), max_items: None, until_empty: true };
        let items = gateway.receive(&bed.caller(RU_OSLO), Verb::MunicipalReceive, options).await;
        items.unwrap().next().await.unwrap().map(drop)
    };
    // What they were given before is paid for in four seconds, and the clock stands.
    for who in [OSLO, RU_OSLO] {
        gateway.pace.give(&id(who), Given::Change, 100_000).await;
    }
    assert!(tokio::time::timeout(A_WHILE, feed(OSLO)).await.is_err());
    assert!(tokio::time::timeout(A_WHILE, gateway.pace_refusal(&bed.caller(RU_OSLO))).await.is_err());
    assert_eq!(mailbox().await, Some(()), "mail waits for nothing");
    assert_eq!(tokio::time::timeout(A_WHILE, feed(INNLANDET)).await.unwrap(), None, "another does not wait for it");
    bed.advance_days(1);
    assert_eq!(feed(OSLO).await, Some(()));
    gateway.pace_refusal(&bed.caller(RU_OSLO)).await;
}

#[tokio::test]
async fn an_export_is_given_no_faster_than_it_is_paid_for() {
    let bed = memory_bed();
    let gateway = gateway(&bed);
    history(&bed, &gateway).await;
    let caller = bed.caller(ALL);
    let mut export = gateway.export(&caller, ExportOf::default()).await.unwrap();
    gateway.pace.give(&id(ALL), Given::Entry, 100_000).await;
    assert!(tokio::time::timeout(A_WHILE, export.next()).await.is_err());
    bed.advance_days(1);
    assert!(!export.next().await.unwrap().unwrap().is_empty());
}

#[tokio::test]
async fn a_page_of_what_is_rare_looks_at_so_many_records_and_the_next_goes_on() {
    let home = Home::new();
    let (store, bed, gateway) = home.ready().await;
    for minute in 0..18 {
        let note =
            |count| Event::StrangersRefused { reason: "unknown_issuer".into(), minute: Timestamp::from_millis(minute * 60_000), count };
        for noted in futures_util::future::join_all((0..256).map(|count| gateway.note(note(count)))).await {
            noted.unwrap();
        }
    }
    let (message, _) = bed.send_notice(&wish(), None).await.unwrap();
    let filter = RecordFilter { message_id: Some(message), ..RecordFilter::default() };
    let page = store.records(&filter, 10).await.unwrap();
    assert_eq!((page.entries.len(), page.next_index), (0, Some(4096)), "none of those it looked at");
    let found = gateway.search(&bed.caller(ALL), &filter, None, 10).await.unwrap();
    assert_eq!((found.entries.len(), found.next_index), (1, None));
}
