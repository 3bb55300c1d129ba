//! The auditors' pages in a real browser: a gateway with a month of traffic and a hundred thousand entries, and `tests/browser/check.mjs` against it.
//!
//! Ignored by default, as it needs Chromium and two packages from npm; `tests/run.sh browser` installs them. `SAMBAND_BROWSER_ENTRIES` changes how many
//! entries there are, `SAMBAND_SCREENSHOTS` names a folder for pictures, `SAMBAND_LATENCY` asks for p50 and p99 per page instead of the checks.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use samband::audit::checkpoint::Origin;
use samband::audit::event::{Event, MessageKind};
use samband::audit::note::LogSigner;
use samband::audit::tlog_policy::TlogPolicy;
use samband::domain::participant::Standing;
use samband::gateway::{Heard, NotHeard, Settings, WitnessCall, Witnesses};
use samband::grpc::pb;
use samband::grpc::server::ServerLimits;
use serde_json::json;

use crate::agree::samband;
use crate::auditor::open;
use crate::harness::{AUDITOR, Kind, LAB, LAB_2, MIRROR, OSLO, UNIT, UNIT_2, World, pki, raw_call, settings};
use crate::identity::{changed, issue_stranger};

const DAY: i64 = 86_400_000;

/// One day's traffic; some of it corrected, withdrawn, returned, and some of what is forbidden.
async fn day(world: &World, number: u32, told: &mut serde_json::Value) {
    for n in 0..(3 + number * 7 % 5) {
        let (request, accepted) = world.noticed().await;
        match (number + n) % 7 {
            0 => {
                _ = world
                    .prosecution()
                    .send_condition_notice(world.withdraw_notice(&request.message_id, pb::NoticeWithdrawalReason::SentInError))
                    .await
                    .unwrap()
            }
            1 => {
                let items = world.unit_polls("fagsystem").await;
                world.unit_acknowledges(&items).await;
                world.unit().report_non_attendance(world.send_report(&accepted.case_ref)).await.unwrap();
                told["case_ref"] = accepted.case_ref.clone().into();
                told["message_id"] = request.message_id.clone().into();
            }
            2 => {
                if let Some(requisition) = &accepted.requisition_id {
                    world.laboratory().send_lab_result(world.send_result(requisition)).await.unwrap();
                }
            }
            _ => {}
        }
    }
    if number.is_multiple_of(3) {
        let attempt = raw_call(world.channel(LAB), "/samband.v1.MunicipalService/Receive", bytes::Bytes::new()).await;
        assert!(attempt.is_err());
    }
    if number % 4 != 3 {
        let items = world.unit_polls("fagsystem").await;
        if !items.is_empty() {
            world.unit_acknowledges(&items).await;
        }
        let items = world.prosecution_polls("fagsystem").await;
        let item_numbers: Vec<u64> = items.iter().map(|item| item.item_number).collect();
        if item_numbers.is_empty() {
            return;
        }
        world.prosecution().acknowledge(pb::ProsecutionServiceAcknowledgeRequest { item_numbers }).await.unwrap();
    }
}

/// Entries of no account, so that there is much to page through.
async fn fill(world: &World, until: u64) {
    let event = Event::Validated { caller: OSLO.parse().unwrap(), key_label: "dev".to_owned(), kind: MessageKind::ConditionNotice };
    loop {
        let size = world.store.stats().await.unwrap().durable_size;
        if size >= until {
            return;
        }
        let mut notes = tokio::task::JoinSet::new();
        for _ in 0..(until - size).min(2048) {
            let (gateway, event) = (world.app.gateway().clone(), event.clone());
            notes.spawn(async move { gateway.note(event).await });
        }
        for noted in notes.join_all().await {
            noted.unwrap();
        }
    }
}

struct Silent;

#[async_trait::async_trait]
impl WitnessCall for Silent {
    async fn add_checkpoint(&self, _: &str, _: String) -> Result<Heard, NotHeard> {
        Err(NotHeard::Unreachable)
    }
}

/// A witness that cannot be reached; the log goes on, and the page says so.
fn silent_witness() -> Arc<Witnesses> {
    let origin: Origin = "log.samband.example/e2e".parse().unwrap();
    let log = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([9; 32]));
    let policy = format!(
        "log {}\nwitness silent witness.example/w1+eb762cc2+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea https://witness.example/w\nquorum silent\n",
        log.verifier()
    );
    Witnesses::new(TlogPolicy::parse(policy.as_bytes()).unwrap(), Arc::new(Silent), std::time::Duration::from_secs(1))
}

fn identity(who: &str) -> serde_json::Value {
    json!({"cert": pki().certificate_file(who), "key": pki().key_file(who)})
}

/// The browser's checks against these facts.
async fn look(told: &serde_json::Value, dir: &Path) {
    let facts = dir.join("facts.json");
    std::fs::write(&facts, told.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/check.mjs");
    let mut node = std::process::Command::new("node");
    node.arg(script).arg(&facts);
    let ran = tokio::task::spawn_blocking(move || node.status()).await.unwrap();
    assert!(ran.unwrap().success(), "the browser's checks failed; see above");
}

/// Damages more entries of the first month than an answer lists by number; the days named are of the next month. The hold has put all into files.
fn damage(world: &World) -> serde_json::Value {
    let (first, last) = (20, 170);
    let file = world.dir.path().join("store/records/2026-11.rec");
    let mut bytes = std::fs::read(&file).unwrap();
    (first..=last).for_each(|index| bytes[32 + 768 * index + 100] ^= 1);
    std::fs::write(&file, bytes).unwrap();
    // What was computed before is old by now.
    world.clock.advance_millis(11 * 60 * 1000);
    json!({"first": first, "last": last, "from": "2026-12-05", "to": "2026-12-11"})
}

/// Reports of a part that is sound, in both languages, made from the stopped gateway's folder.
async fn reports(world: World) -> (std::sync::Arc<tempfile::TempDir>, serde_json::Value) {
    let World { app, store, dir, .. } = world;
    app.shutdown(std::time::Duration::from_secs(5)).await.unwrap();
    drop(store);
    let file = |name: &str| dir.path().join(name).display().to_string();
    let origin: Origin = "log.samband.example/e2e".parse().unwrap();
    let log = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([9; 32]));
    std::fs::write(file("log.vkey"), format!("{}\n", log.verifier())).unwrap();
    std::fs::write(file("storage-key"), format!("{}\n", "04".repeat(32))).unwrap();
    std::fs::set_permissions(file("storage-key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let (data, key, vkey, bundle) = (file("store"), file("storage-key"), file("log.vkey"), file("part.tar"));
    let range = ["--from-index", "200", "--to-index", "600"];
    samband(&[&["audit", "export", "--data-dir", &data, "--storage-key", &key, "--vkey", &vkey, "--out", &bundle], &range[..]].concat());
    let report = |lang: &str| {
        let out = file(&format!("{lang}.html"));
        samband(&["audit", "report", &bundle, "--vkey", &vkey, "--lang", lang, "--out", &out]);
        json!({"lang": lang, "file": out})
    };
    let made = json!([report("nb"), report("en")]);
    (dir, made)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and npm; tests/run.sh browser installs and runs it"]
async fn the_pages_hold_in_a_real_browser() {
    let entries = std::env::var("SAMBAND_BROWSER_ENTRIES").map_or(100_000, |text| text.parse().unwrap());
    let gateway = Settings { records_per_call_max: 10_000, ..settings() };
    let mut world = World::on(Kind::Embedded, gateway, ServerLimits::default()).await;
    let mut told = json!({});
    for number in 0..26 {
        day(&world, number, &mut told).await;
        if number == 9 {
            fill(&world, entries).await;
        }
        world.clock.advance_millis(DAY);
    }
    // Nobody fetches these two: overdue after five days, which the sweep says within a moment.
    for _ in 0..2 {
        world.noticed().await;
    }
    world.clock.advance_millis(6 * DAY);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let case_ref = told["case_ref"].as_str().unwrap().to_owned();
    let hold = pb::PlaceHoldRequest { case_ref, reason: pb::HoldReason::SupervisoryInspection.into(), until: "2027-06-30".to_owned() };
    world.auditor().place_hold(hold).await.unwrap();
    world.app.open_witnesses(silent_witness());
    let suspended = changed(&world, |all| all.iter_mut().find(|one| one.id.as_str() == UNIT_2).unwrap().standing = Standing::Suspended);
    world.app.load_register(&suspended, [2; 32]).await.unwrap();
    let address = open(&mut world).await;

    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = issue_stranger(dir.path());
    told["base"] = format!("https://localhost:{}", address.port()).into();
    told["entries"] = entries.into();
    told["auditor"] = identity(AUDITOR);
    told["refused"] = json!([
        {"who": "prosecution", "reason": "CALL_NOT_ALLOWED", "identity": identity(OSLO)},
        {"who": "municipal unit", "reason": "CALL_NOT_ALLOWED", "identity": identity(UNIT)},
        {"who": "laboratory", "reason": "CALL_NOT_ALLOWED", "identity": identity(LAB_2)},
        {"who": "mirror", "reason": "CALL_NOT_ALLOWED", "identity": identity(MIRROR)},
        {"who": "suspended", "reason": "PARTICIPANT_SUSPENDED", "identity": identity(UNIT_2)},
        {"who": "not enrolled", "reason": "KEY_NOT_ENROLLED", "identity": {"cert": certificate, "key": key}},
    ]);
    look(&told, dir.path()).await;
    if std::env::var_os("SAMBAND_LATENCY").is_some() {
        return;
    }
    told["damaged"] = damage(&world);
    look(&told, dir.path()).await;
    let left = world.records(40, Some(LAB_2)).await;
    assert!(!left.is_empty(), "a refused page is an event");
    let (_kept, reports) = reports(world).await;
    told["reports"] = reports;
    look(&told, dir.path()).await;
}
