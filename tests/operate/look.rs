//! Looking in from outside: `doctor`, `store info`, `audit fsck`, on a gateway that runs and on one that stopped.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{Home, Ran, UNIT};

fn findings(ran: &Ran) -> BTreeMap<String, Value> {
    ran.json().into_iter().map(|finding| (finding["check"].as_str().unwrap().to_owned(), finding)).collect()
}

#[test]
fn the_doctor_finds_a_sound_gateway_sound_and_repeats_nothing_that_concerns_anyone() {
    let home = Home::new();
    let gateway = home.start();
    let id = home.notice(&gateway, "anna");
    let case_ref = home.run(&gateway, UNIT, "receive --as municipal --max 1").well().one()["case_ref"].as_str().unwrap().to_owned();
    let running = home.offline("doctor --dev --dir ~/dev").well();
    let found = findings(&running);
    for check in [
        "disk",
        "sync",
        "clock",
        "store",
        "undelivered",
        "last_event",
        "checkpoint",
        "certificate",
        "client_ca",
        "storage_key",
        "log_key",
        "tls_key",
    ] {
        assert!(found.contains_key(check), "{check}: {}", running.out);
        assert_ne!(found[check]["health"], "bad", "{}", found[check]);
    }
    assert!(found["disk"]["figures"]["free_bytes"].as_u64().unwrap() > 0);
    assert!(found["sync"]["figures"]["p99_ms"].as_f64().unwrap() >= found["sync"]["figures"]["p50_ms"].as_f64().unwrap());
    assert_eq!(found["store"]["figures"]["running"], true);
    assert_eq!(found["undelivered"]["figures"]["undelivered"], 1);
    assert!(found["certificate"]["figures"]["days_left"].as_i64().unwrap() > 0);
    gateway.stop();
    let stopped = home.offline("doctor --dev --dir ~/dev").well();
    assert_eq!(findings(&stopped)["store"]["figures"]["stopped_cleanly"], true);
    for text in [&running.out, &running.err, &stopped.out] {
        for word in [id.as_str(), case_ref.as_str(), "Testesen", "ANNA", "politi-oslo", "ru-oslo"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
    }
}

#[test]
fn the_doctor_tells_what_is_bad_and_scripts_hear_it() {
    let home = Home::new();
    home.start().stop();
    let mode = |name: &str, mode| fs::set_permissions(home.path(name), fs::Permissions::from_mode(mode)).unwrap();
    mode("dev/log-key", 0o644);
    let found = home.offline("doctor --dev --dir ~/dev").fails_with(1);
    assert_eq!(findings(&found)["log_key"]["health"], "bad");
    mode("dev/log-key", 0o600);
    fs::rename(home.path("dev/certs-dev/gateway/cert.pem"), home.path("aside")).unwrap();
    let found = home.offline("doctor --dev --dir ~/dev").fails_with(1);
    assert_eq!(findings(&found)["certificate"]["health"], "bad");
    fs::rename(home.path("aside"), home.path("dev/certs-dev/gateway/cert.pem")).unwrap();
    let mark = fs::read(home.path("dev/high-water")).unwrap();
    let is_bad = |word: &str| {
        let found = home.offline("doctor --dev --dir ~/dev").fails_with(1);
        let store = findings(&found)["store"].clone();
        assert!(store["health"] == "bad" && store["text"].as_str().unwrap().contains(word), "{store}");
    };
    fs::write(home.path("dev/high-water"), "no mark").unwrap();
    is_bad("the gateway would not start");
    fs::write(home.path("dev/high-water"), mark).unwrap();
    fs::create_dir(home.data().join("CURRENT.tmp")).unwrap();
    is_bad("CURRENT.tmp");
    fs::remove_dir(home.data().join("CURRENT.tmp")).unwrap();
    fs::rename(home.data(), home.path("data-aside")).unwrap();
    is_bad("is its volume mounted?");
    fs::rename(home.path("data-aside"), home.data()).unwrap();
    home.offline("doctor --dev --dir ~/dev").well();
    let current = home.data().join("CURRENT");
    let text = fs::read_to_string(&current).unwrap();
    fs::write(&current, text.replace(':', ";")).unwrap();
    let found = home.offline("doctor --dev --dir ~/dev").fails_with(1);
    let store = &findings(&found)["store"];
    assert!(store["health"] == "bad" && store["text"].as_str().unwrap().contains("CURRENT, offset"), "{store}");
}

#[test]
fn store_info_tells_sizes_without_the_key_and_ages_with_it_running_or_stopped() {
    let home = Home::new();
    let gateway = home.start();
    home.notice(&gateway, "anna");
    let line = "store info ~/dev/data --storage-key ~/dev/storage-key";
    let running = home.offline(line).well().one();
    assert!(running["running_pid"].as_u64().is_some() && running["sealed"]["stopped_cleanly"] == false, "{running}");
    gateway.stop();
    let open = home.offline("store info ~/dev/data").well().one();
    assert!(open["sealed"].is_null() && open["running_pid"].is_null());
    for part in ["content", "state", "proof", "keys"] {
        assert!(open["bytes"][part].as_u64().unwrap() > 0, "{part}: {open}");
    }
    let sealed = home.offline(line).well().one();
    assert_eq!(sealed["log_size"], open["log_size"]);
    assert_eq!(sealed["sealed"]["undelivered"], 1);
    assert!(sealed["sealed"]["oldest_content"].is_string() && sealed["sealed"]["last_stop"].is_string(), "{sealed}");
    assert_eq!(sealed["sealed"]["stopped_cleanly"], true);
    // On a terminal's behalf: the same, in words, and what the key would tell is said to be missing.
    let ran = crate::harness::samband(&["store", "info", &home.text("dev/data")]).well();
    assert!(ran.out.contains("give --storage-key"), "{}", ran.out);
    home.offline("store info ~/dev/certs-dev").fails_with(78);
}

#[test]
fn a_start_tells_what_it_found_and_a_missing_mark_is_named() {
    let home = Home::new();
    let gateway = home.start();
    home.notice(&gateway, "anna");
    drop(gateway);
    // Killed: the last frame may lack its seal. What a torn write leaves is left behind, with file and offset.
    let newest = fs::read_dir(home.data().join("journal")).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let whole = bytes.len();
    bytes.extend_from_slice(b"SbJ1\x01\0\0\0");
    fs::write(&newest, bytes).unwrap();
    let torn = home.offline("audit fsck ~/dev/data --storage-key ~/dev/storage-key").well();
    assert_eq!(torn.json()[0]["torn"]["offset"].as_u64(), Some(whole as u64), "{}", torn.out);
    fs::remove_file(home.path("dev/high-water")).unwrap();
    let log = home.start().stop();
    for told in ["the state was replayed", "a torn tail is left behind", "there is no high-water mark"] {
        assert!(log.contains(told), "{told}: {log}");
    }
    let offset = format!("offset={whole}");
    let plain: String = log.split("\u{1b}[").map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect();
    assert!(plain.contains(&offset) && plain.contains("journal/000000000001.j"), "{plain}");
}

#[test]
fn the_log_has_a_line_a_minute_for_calls_alike_and_one_for_a_refusal() {
    let home = Home::new();
    home.start().stop();
    let gateway = home.start();
    for name in ["anna", "berit", "cecilie"] {
        home.notice(&gateway, name);
    }
    home.run(&gateway, UNIT, "look-up --as prosecution").fails_with(1);
    let log = gateway.stop();
    let plain: String = log.split("\u{1b}[").map(|part| part.split_once('m').map_or(part, |(_, rest)| rest)).collect();
    let lines: Vec<&str> = plain.lines().filter(|line| line.contains("answered")).collect();
    let of = |words: &[&str]| lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
    let (singly, sums) = (of(&["answered reason"]), of(&["answered in a minute"]));
    assert_eq!((singly, of(&["answered reason=\"CALL_NOT_ALLOWED\""])), (1, 1), "{plain}");
    assert_eq!(sums + singly, lines.len(), "{plain}");
    // Three commands may begin in one minute and end in the next.
    let notices = ["answered in a minute", "participant=\"politi-oslo\" verb=\"ProsecutionService/SendConditionNotice\" reason=\"OK\""];
    assert!((1..=2).contains(&of(&notices)), "{plain}");
    assert_eq!(of(&["in a minute", "ru-oslo", "CALL_NOT_ALLOWED", "calls=1"]), 1, "{plain}");
}
