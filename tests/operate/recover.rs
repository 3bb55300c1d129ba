//! A copy restored from an older state: refused, explained, and gone on from as a new log without losing anything twice.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::harness::{AUDITOR, Gateway, Home, LABORATORY, POLICE, UNIT, copy, notice_with_control, report_and_result};

/// The notices in a mailbox, sorted by the names that they were sent under.
fn notices(items: &[Value]) -> Vec<String> {
    let mut names: Vec<String> =
        items.iter().map(|item| item["notice"]["subject"]["given_name"].as_str().unwrap().to_lowercase()).collect();
    names.sort();
    names
}

fn numbers(items: &[Value]) -> BTreeSet<u64> {
    items.iter().map(|item| item["item_number"].as_u64().unwrap()).collect()
}

fn records(home: &Home, gateway: &Gateway, kind: &str) -> Vec<Value> {
    home.run(gateway, AUDITOR, &format!("audit list --kind {kind}")).well().json()
}

#[test]
fn an_older_copy_is_refused_and_goes_on_as_a_new_log_where_everything_sent_again_arrives_once() {
    let home = Home::new();
    let gateway = home.start();
    let (a, b) = (home.notice(&gateway, "a"), home.notice(&gateway, "b"));
    let first = home.run(&gateway, UNIT, "receive --as municipal --max 1 --out ~/inbox --ack").well().json();
    home.run(&gateway, AUDITOR, "audit checkpoint --vkey ~/dev/log.vkey --out ~/before.checkpoint").well();
    gateway.stop();
    copy(&home.data(), &home.path("backup"));

    let gateway = home.start();
    let (c, d) = (home.notice(&gateway, "c"), home.notice(&gateway, "d"));
    let seen = home.mailbox(&gateway, false);
    home.run(&gateway, AUDITOR, "audit checkpoint --vkey ~/dev/log.vkey --out ~/inside.checkpoint").well();
    gateway.stop();
    fs::remove_dir_all(home.data()).unwrap();
    copy(&home.path("backup"), &home.data());

    let refused = home.refused().fails_with(78);
    assert!(refused.err.contains("behind its high-water mark") && refused.err.contains("samband recover"), "{}", refused.err);
    let shown = home.offline("recover --dev --dir ~/dev").well().one();
    assert_eq!(shown["accepted"], false);
    let (kept, lost) = (shown["kept"].as_u64().unwrap(), shown["lost"].as_u64().unwrap());
    assert!(kept > 4 && lost >= 4 && shown["published"] == kept + lost, "{shown}");
    assert_eq!(shown["undelivered"], 1);
    home.refused().fails_with(78);

    let accepted = home.offline("recover --dev --dir ~/dev --accept-loss --newest-checkpoint ~/inside.checkpoint").well().one();
    assert_eq!((accepted["accepted"].as_bool(), accepted["kept"].as_u64()), (Some(true), Some(kept)), "{accepted}");
    let nothing = home.offline("recover --dev --dir ~/dev --accept-loss").fails_with(2);
    assert!(nothing.err.contains("nothing is lost"), "{}", nothing.err);

    // Everything is sent again, twice: what was kept is a retry, what was lost is new, nothing arrives twice.
    let gateway = home.start();
    for _ in 0..2 {
        for (name, id) in [("a", &a), ("b", &b), ("c", &c), ("d", &d)] {
            assert_eq!(home.again(&gateway, name, id)["message_id"].as_str(), Some(id.as_str()));
        }
    }
    let items = home.mailbox(&gateway, true);
    assert_eq!(notices(&items), ["b", "c", "d"], "what was acknowledged stays away, all else arrives once");
    assert!(home.mailbox(&gateway, true).is_empty());
    // The unit holds numbers of the lost part; only what was kept may come under a number that it has seen.
    let both: BTreeSet<u64> = numbers(&items).intersection(&numbers(&seen)).copied().collect();
    assert_eq!(both.len(), 1, "{items:?}");
    assert!(numbers(&items).is_disjoint(&numbers(&first)));

    // Old receipts: with the old key alone, and in the old log's own folder.
    let old_key = "~/dev/log.vkey.before-2";
    for name in ["a", "b", "c", "d"] {
        home.offline(&format!("receipt verify ~/{name}.tlog-proof --vkey {old_key}")).well();
        home.offline(&format!("receipt verify ~/{name}.tlog-proof --vkey ~/dev/log.vkey")).fails_with(1);
    }
    let previous = fs::read_dir(home.data().join("previous")).unwrap().next().unwrap().unwrap().path();
    let previous = previous.display();
    fs::create_dir(home.path("receipts")).unwrap();
    for name in ["a", "b"] {
        fs::copy(home.path(&format!("{name}.tlog-proof")), home.path(&format!("receipts/{name}.tlog-proof"))).unwrap();
    }
    home.offline(&format!("audit verify {previous}/log --vkey {previous}/log.vkey --receipts ~/receipts")).well();

    // Auditors see the break, and that nothing before it was changed.
    let opened = records(&home, &gateway, "log-opened");
    assert_eq!(opened.len(), 2, "{opened:?}");
    let note = opened[1].to_string();
    for part in [&accepted["origin"], &accepted["published"], &accepted["root"]] {
        let part = part.as_str().map_or_else(|| part.to_string(), str::to_owned);
        assert!(note.contains(&part), "{note} names {part}");
    }
    assert_eq!(opened[1]["index"].as_u64(), Some(kept), "{note}");
    home.run(&gateway, AUDITOR, "audit checkpoint --vkey ~/dev/log.vkey --older ~/inside.checkpoint").fails_with(1);
    let with_old = "audit checkpoint --vkey ~/dev/log.vkey --older-vkey ~/dev/log.vkey.before-2 --older";
    home.run(&gateway, AUDITOR, &format!("{with_old} ~/before.checkpoint")).well();
    home.run(&gateway, AUDITOR, &format!("{with_old} ~/inside.checkpoint")).fails_with(1);
    gateway.stop();
    home.offline("audit fsck ~/dev/data --storage-key ~/dev/storage-key").well();

    // The new log is a log like any other: it stops, starts, and an older copy of it is refused as well.
    home.start().stop();
    fs::remove_dir_all(home.data()).unwrap();
    copy(&home.path("backup"), &home.data());
    let refused = home.refused().fails_with(78);
    assert!(refused.err.contains("one store has one origin for ever"), "{}", refused.err);
}

#[test]
fn what_refers_to_a_lost_notice_arrives_too_once_all_is_sent_again() {
    let home = Home::new();
    home.start().stop();
    copy(&home.data(), &home.path("backup"));
    let gateway = home.start();
    let send = |gateway: &Gateway, id: &str, what: &str| home.run(gateway, id, &format!("send {what}")).well().one();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    fs::write(home.path("n.json"), notice_with_control("n")).unwrap();
    let notice = send(&gateway, POLICE, "notice ~/n.json");
    home.mailbox(&gateway, true);
    let [report, result] = report_and_result(&text(&notice["case_ref"]), &text(&notice["requisition_id"]));
    fs::write(home.path("report.json"), report).unwrap();
    fs::write(home.path("result.json"), result).unwrap();
    let report = send(&gateway, UNIT, "report ~/report.json");
    let result = send(&gateway, LABORATORY, "result ~/result.json");
    gateway.stop();
    fs::remove_dir_all(home.data()).unwrap();
    copy(&home.path("backup"), &home.data());
    home.offline("recover --dev --dir ~/dev --accept-loss").well();

    // In the order of docs/recovery.md: a report before its notice is told that the reference is unknown, and is taken after it.
    let gateway = home.start();
    let report_again = format!("report ~/report.json --message-id {}", text(&report["message_id"]));
    let result_again = format!("result ~/result.json --message-id {}", text(&result["message_id"]));
    let early = home.run(&gateway, UNIT, &format!("send {report_again}"));
    assert!(!early.status.success() && early.err.contains("REFERENCE_UNKNOWN"), "{}{}", early.out, early.err);
    let notice_again = format!("notice ~/n.json --message-id {}", text(&notice["message_id"]));
    for _ in 0..2 {
        let again = send(&gateway, POLICE, &notice_again);
        assert_eq!((&again["case_ref"], &again["requisition_id"]), (&notice["case_ref"], &notice["requisition_id"]));
    }
    assert_eq!(home.mailbox(&gateway, true).len(), 1);
    for _ in 0..2 {
        assert_eq!(send(&gateway, UNIT, &report_again)["message_id"], report["message_id"]);
        assert_eq!(send(&gateway, LABORATORY, &result_again)["message_id"], result["message_id"]);
    }
    let items = home.run(&gateway, POLICE, "receive --as prosecution --out ~/post --ack").well().json();
    assert_eq!(items.len(), 2, "{items:?}");
    assert!(home.run(&gateway, POLICE, "receive --as prosecution --out ~/post --ack").well().json().is_empty());
    gateway.stop();
}

#[test]
fn a_recovery_under_the_old_name_or_of_a_store_that_lost_nothing_changes_nothing() {
    let home = Home::new();
    let gateway = home.start();
    home.notice(&gateway, "a");
    gateway.stop();
    let nothing = home.offline("recover --dev --dir ~/dev").fails_with(2);
    assert!(nothing.err.contains("nothing is lost"), "{}", nothing.err);
    copy(&home.data(), &home.path("backup"));
    let gateway = home.start();
    home.notice(&gateway, "b");
    let running = home.offline("recover --dev --dir ~/dev").fails_with(78);
    assert!(running.err.contains("in use by another gateway"), "{}", running.err);
    gateway.stop();
    fs::remove_dir_all(home.data()).unwrap();
    copy(&home.path("backup"), &home.data());
    let before = fs::read(home.data().join("FORMAT")).unwrap();
    // By its configuration, nothing is made for the operator.
    let same = home.offline("recover --config ~/dev/samband.toml --accept-loss").fails_with(78);
    assert!(same.err.contains("samband keys new --log-only"), "{}", same.err);
    assert_eq!(fs::read(home.data().join("FORMAT")).unwrap(), before);
    let foreign = "recover --dev --dir ~/dev --newest-checkpoint ~/dev/log.vkey";
    let foreign = home.offline(foreign).fails_with(78);
    assert!(foreign.err.contains("not signed by the key of this store's log"), "{}", foreign.err);
}
