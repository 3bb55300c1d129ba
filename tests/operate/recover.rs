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

/// A message as it was sent first, and how it is sent again.
struct Sent {
    who: &'static str,
    what: String,
    first: Value,
}

impl Sent {
    fn id(&self) -> &str {
        self.first["message_id"].as_str().unwrap()
    }

    fn first(home: &Home, gateway: &Gateway, who: &'static str, what: String) -> Self {
        let first = home.run(gateway, who, &format!("send {what}")).well().one();
        Self { who, what, first }
    }

    /// Whether it is taken now, under the references that it had; else the refusal names `reason`.
    fn again(&self, home: &Home, gateway: &Gateway, reason: Option<&str>) {
        let ran = home.run(gateway, self.who, &format!("send {} --message-id {}", self.what, self.id()));
        let Some(reason) = reason else {
            let again = ran.well().one();
            for field in ["message_id", "case_ref", "requisition_id"] {
                assert_eq!(again[field], self.first[field], "{}: {field}", self.what);
            }
            return;
        };
        assert!(!ran.status.success() && ran.err.contains(reason), "{}: {}{}", self.what, ran.out, ran.err);
    }
}

/// Everything that is in a mailbox, fetched and acknowledged, by what it is; sorted.
fn take(home: &Home, gateway: &Gateway, who: &str) -> Vec<String> {
    let role = if who == POLICE { "prosecution" } else { "municipal" };
    let items = home.run(gateway, who, &format!("receive --as {role} --out ~/post-{who} --ack")).well().json();
    let kinds = ["notice", "withdrawal", "report", "report_withdrawal", "result", "result_withdrawal"];
    let mut told: Vec<String> =
        items.iter().map(|item| (*kinds.iter().find(|kind| item.get(**kind).is_some()).unwrap()).to_owned()).collect();
    told.sort();
    told
}

/// A notice, a report and a result on it, a corrected result and a withdrawn report; then the person moves: another unit, which reports; then the
/// condition is revoked. All of it is lost, sent again in the order of docs/recovery.md, and arrives once.
#[test]
fn what_refers_to_a_lost_notice_arrives_too_once_all_is_sent_again() {
    const NEXT_UNIT: &str = "ru-hamar";
    let home = Home::new();
    home.start().stop();
    copy(&home.data(), &home.path("backup"));
    let gateway = home.start();
    let send = |who, what: &str| Sent::first(&home, &gateway, who, what.to_owned());
    let write = |name: &str, text: &str| fs::write(home.path(name), text).unwrap();
    let notice_text = notice_with_control("n");
    write("n.json", &notice_text);
    let notice = send(POLICE, "notice ~/n.json");
    assert_eq!(take(&home, &gateway, UNIT), ["notice"]);
    let text = |field: &str| notice.first[field].as_str().unwrap().to_owned();
    let [report_text, result_text] = report_and_result(&text("case_ref"), &text("requisition_id"));
    write("report.json", &report_text);
    write("result.json", &result_text);
    let report = send(UNIT, "report ~/report.json");
    let result = send(LABORATORY, "result ~/result.json");
    assert_eq!(take(&home, &gateway, POLICE), ["report", "result"]);
    let report_withdrawn = send(UNIT, &format!("report --withdraw sent-in-error --replaces {}", report.id()));
    let result_corrected = send(LABORATORY, &format!("result ~/result.json --replaces {}", result.id()));
    let mut moved: Value = serde_json::from_str(&notice_text).unwrap();
    moved["municipality_of_stay"] = "3403".into();
    write("moved.json", &moved.to_string());
    let moved = send(POLICE, &format!("notice ~/moved.json --replaces {}", notice.id()));
    assert_eq!((take(&home, &gateway, UNIT), take(&home, &gateway, NEXT_UNIT)), (vec!["withdrawal".into()], vec!["notice".into()]));
    let next_report = send(NEXT_UNIT, "report ~/report.json");
    let withdrawn = send(POLICE, &format!("notice --withdraw condition-revoked --replaces {}", moved.id()));
    gateway.stop();
    fs::remove_dir_all(home.data()).unwrap();
    copy(&home.path("backup"), &home.data());
    home.offline("recover --dev --dir ~/dev --accept-loss").well();

    let gateway = home.start();
    let again = |sent: &Sent, reason| sent.again(&home, &gateway, reason);
    let take = |who| take(&home, &gateway, who);
    let nothing = Vec::<String>::new();
    // What comes before what it rests on is told so, and kept.
    again(&report, Some("REFERENCE_UNKNOWN"));
    again(&moved, Some("REPLACES_UNKNOWN"));
    // Notices that replace nothing; the units fetch; reports and results that replace nothing; then the rest of units and laboratories. All
    // of it twice: a retry changes nothing.
    for _ in 0..2 {
        again(&notice, None);
    }
    again(&report, Some("NOTICE_NOT_ACKNOWLEDGED"));
    assert_eq!((take(UNIT), take(NEXT_UNIT)), (vec!["notice".into()], nothing.clone()));
    for _ in 0..2 {
        again(&report, None);
        again(&result, None);
        again(&next_report, Some("REFERENCE_UNKNOWN"));
    }
    assert_eq!(take(POLICE), ["report", "result"]);
    for _ in 0..2 {
        again(&report_withdrawn, None);
        again(&result_corrected, None);
    }
    assert_eq!(take(POLICE), ["report_withdrawal", "result"]);
    // The next correction of the case, and what waits for it.
    again(&moved, None);
    again(&next_report, Some("NOTICE_NOT_ACKNOWLEDGED"));
    assert_eq!((take(UNIT), take(NEXT_UNIT)), (vec!["withdrawal".into()], vec!["notice".into()]));
    again(&next_report, None);
    assert_eq!(take(POLICE), ["report"]);
    // The withdrawal last.
    again(&withdrawn, None);
    assert_eq!((take(UNIT), take(NEXT_UNIT), take(POLICE)), (nothing.clone(), vec!["withdrawal".into()], nothing.clone()));
    // Once more, all of it: nothing comes twice.
    for sent in [&notice, &report, &result, &report_withdrawn, &result_corrected, &moved, &next_report, &withdrawn] {
        again(sent, None);
    }
    assert_eq!((take(UNIT), take(NEXT_UNIT), take(POLICE)), (nothing.clone(), nothing.clone(), nothing));
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
