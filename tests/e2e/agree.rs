//! Five ways to be told of one period, and the same numbers from each: the page, the call, `audit export`, `audit verify` and `audit report`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use samband::audit::note::LogSigner;
use samband::domain::time::{Timestamp, parse_date};
use samband::grpc::pb;
use samband::grpc::server::ServerLimits;

use crate::audit_answers::busy;
use crate::auditor::{Site, open};
use crate::harness::{AUDITOR, Kind, World, drain, settings};

const DAY: i64 = 86_400_000;
/// First day and the day after the last: with traffic, without, from before the log began, and several.
const PERIODS: [(&str, &str); 6] = [
    ("2026-11-20", "2026-11-21"),
    ("2026-11-21", "2026-11-22"),
    ("2026-11-24", "2026-11-29"),
    ("2026-10-01", "2026-11-01"),
    ("2026-11-21", "2026-12-01"),
    ("2026-10-01", "2026-12-01"),
];
const QUESTIONS: [&str; 6] = ["results-elsewhere", "forbidden", "overdue", "changed", "erased", "read"];

/// The text of the first element of this class, as a reader sees it.
fn text_of(html: &str, element: &str, class: &str) -> String {
    let open = format!("<{element} class=\"{class}\">");
    let text = html.split(open.as_str()).nth(1).unwrap_or_else(|| panic!("no {class}: {html}"));
    text.split(&format!("</{element}>")).next().unwrap().replace("&amp;", "&")
}

pub fn samband(arguments: &[&str]) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_samband")).arg("--json").args(arguments).stdin(Stdio::null()).output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {out}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

/// What was told of a period while the gateway ran.
struct Told {
    opened: u64,
    /// By question: the sentence, and what was checked.
    said: Vec<(String, String)>,
}

async fn told(site: &Site<'_>, from: &str, until: &str) -> Told {
    let last = parse_date(until).unwrap().yesterday().unwrap();
    let instant = |day: &str| {
        let at = Timestamp::start_of(parse_date(day).unwrap());
        Some(prost_types::Timestamp { seconds: at.millis() / 1000, nanos: 0 })
    };
    let ask = pb::AskRequest { questions: (1..=6).collect(), from_time: instant(from), to_time: instant(until) };
    let answers = site.world.auditor().ask(ask).await.unwrap().into_inner().answers;
    let opened = answers[0].checked.as_ref().unwrap().opened;
    assert!(answers.iter().all(|answer| answer.checked.as_ref().unwrap().opened == opened), "{from} {until}");
    let counts = pb::CountRecordsRequest { from_time: instant(from), to_time: instant(until), column: pb::CountColumn::Day.into() };
    let counts = site.world.auditor().count_records(counts).await.unwrap().into_inner();
    assert_eq!(counts.checked.unwrap().opened, opened, "{from} {until}");
    assert_eq!(counts.counts.iter().map(|count| count.count).sum::<u64>(), opened, "{from} {until}");
    let mut said = Vec::new();
    for question in QUESTIONS {
        let page = site.get(AUDITOR, &format!("/en/question/{question}?from={from}&to={last}")).await;
        let checked = text_of(page.text(), "p", "checked");
        let (checked, _) = checked.split_once(". Period: ").unwrap();
        said.push((text_of(page.text(), "p", "sentence"), checked.to_owned()));
    }
    let front = site.get(AUDITOR, &format!("/en?from={from}&to={last}")).await;
    let counted = site.get(AUDITOR, &format!("/en/counts?from={from}&to={last}")).await;
    let plain = format!("{opened} of {opened} entries checked");
    assert_eq!(front.text().matches(&format!("<p class=\"checked\">{plain}")).count(), 6, "{from} {until}: {}", front.text());
    assert!(counted.text().contains(&format!("<p class=\"quiet\">{plain}.</p>")), "{from} {until}: {plain}: {}", counted.text());
    assert!(said.iter().all(|(_, checked)| checked.starts_with(&plain)), "{from} {until}: {said:?}");
    Told { opened, said }
}

/// The counts page of a period, as a reader has it.
struct Counted {
    from: &'static str,
    until: &'static str,
    /// What it shows below "check this yourself", one a line.
    commands: Vec<String>,
    /// Its table: entries of each day, of all columns.
    by_day: BTreeMap<String, u64>,
}

async fn counted(site: &Site<'_>, from: &'static str, until: &'static str) -> Counted {
    let last = parse_date(until).unwrap().yesterday().unwrap();
    let page = site.get(AUDITOR, &format!("/en/counts?from={from}&to={last}")).await;
    let between = |text: &str, open: &str, close: &str| text.split_once(open).unwrap().1.split_once(close).unwrap().0.to_owned();
    let commands = between(page.text(), "<pre tabindex=\"0\"><code>", "</code>").lines().map(ToOwned::to_owned).collect();
    let rows = between(page.text(), "<tbody>", "</tbody>");
    let numbers =
        |row: &str| row.split("<td class=\"number\">").skip(1).map(|cell| cell.split('<').next().unwrap().parse::<u64>().unwrap()).sum();
    let rows = rows.split("<th scope=\"row\">").skip(1).map(|row| (row[..10].to_owned(), numbers(row)));
    Counted { from, until, commands, by_day: rows.filter(|(_, number)| *number > 0).collect() }
}

/// The value of an option of a shown command.
fn value<'c>(command: &'c str, option: &str) -> &'c str {
    let mut words = command.split(' ').skip_while(|word| *word != option);
    words.nth(1).unwrap_or_else(|| panic!("no {option}: {command}"))
}

/// The first shown command, as the call that it makes.
async fn listed_as_shown(site: &Site<'_>, page: &Counted) {
    let command = &page.commands[0];
    assert!(command.starts_with("samband audit list "), "{command}");
    let instant = |day: &str| {
        let at = Timestamp::start_of(parse_date(day).unwrap());
        Some(prost_types::Timestamp { seconds: at.millis() / 1000, nanos: 0 })
    };
    let request = pb::ListRecordsRequest {
        from_time: instant(value(command, "--since")),
        to_time: instant(value(command, "--until")),
        to_index: Some(value(command, "--to-index").parse().unwrap()),
        ..Default::default()
    };
    let rows = drain(site.world.auditor().list_records(request).await.unwrap().into_inner()).await;
    let entries = rows.iter().filter(|row| matches!(row.row, Some(pb::list_records_response::Row::Entry(_)))).count() as u64;
    assert_eq!(entries, page.by_day.values().sum::<u64>(), "{} {}", page.from, page.until);
}

/// The other shown commands, word by word; only that the folder of the stopped gateway takes the place of the running one.
fn checked_as_shown(dir: &Path, page: &Counted) {
    let file = |name: &str| dir.join(name).display().to_string();
    let run = |command: &str, folder: &[&str]| {
        let named = |word: &str| if word.starts_with("log.") { file(word) } else { word.to_owned() };
        let words: Vec<String> = command.strip_prefix("samband ").unwrap().split(' ').map(named).collect();
        samband(&words.iter().map(String::as_str).chain(folder.iter().copied()).collect::<Vec<_>>())
    };
    let [_, export, verify] = page.commands.as_slice() else { panic!("{:?}", page.commands) };
    run(export, &["--data-dir", &file("store"), "--storage-key", &file("storage-key")]);
    let verified = &run(verify, &[])["period"];
    let all = page.by_day.values().sum::<u64>();
    // What came of the last day since the page was made is not in it, and the check says that something may be lacking.
    let is_over = page.until <= "2026-12-02";
    assert_eq!((verified["opened"].as_u64(), verified["whole"].as_bool()), (Some(all), Some(is_over)), "{}: {verified}", page.from);
    let rows = Command::new("tar").args(["-xOf", &file("log.tar"), "records.jsonl"]).output().unwrap().stdout;
    let mut by_day = BTreeMap::new();
    for row in String::from_utf8(rows).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let at: jiff::Timestamp = row["time"].as_str().unwrap().parse().unwrap();
        let day = Timestamp::from_millis(at.as_millisecond()).oslo_date().to_string();
        // The bundle has one more record on either side, which shows that nothing of the period lies beyond.
        if (page.from..page.until).contains(&day.as_str()) {
            *by_day.entry(day).or_insert(0) += 1;
        }
    }
    assert_eq!(by_day, page.by_day, "{} {}", page.from, page.until);
}

fn offline(dir: &Path, from: &str, until: &str, told: &Told) {
    let file = |name: &str| dir.join(name).display().to_string();
    let (data, key, vkey, report) = (file("store"), file("storage-key"), file("log.vkey"), file("report.html"));
    let period = ["--since", from, "--until", until];
    for (bundle, wanted) in [(file("narrow.tar"), &period[..]), (file("wide.tar"), &period[2..])] {
        samband(&[&["audit", "export", "--data-dir", &data, "--storage-key", &key, "--vkey", &vkey, "--out", &bundle], wanted].concat());
        let verified = samband(&[&["audit", "verify", &bundle, "--vkey", &vkey], &period[..]].concat());
        let reported = samband(&[&["audit", "report", &bundle, "--vkey", &vkey, "--out", &report], &period[..]].concat());
        for said in [&verified["period"], &reported["period"]] {
            assert_eq!((said["opened"].as_u64(), said["whole"].as_bool()), (Some(told.opened), Some(true)), "{from} {until}: {said}");
            assert_eq!((said["erased"].as_u64(), said["closed"].as_u64()), (Some(0), Some(0)), "{from} {until}: {said}");
        }
        let html = std::fs::read_to_string(&report).unwrap();
        let plain = format!("<p>{0} of {0} entries checked", told.opened);
        assert_eq!(html.matches(&plain).count(), 6, "{from} {until}: {html}");
        // The page's own command takes the bundle from the log's begin, as two of the questions are judged by what came before.
        for (sentence, checked) in told.said.iter().filter(|_| bundle.ends_with("wide.tar")) {
            assert!(html.contains(&format!(">{sentence}</p>")), "{from} {until}: {sentence}: {html}");
            assert!(html.contains(&format!("<p>{checked}.</p>")), "{from} {until}: {checked}: {html}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_the_call_and_the_commands_tell_the_same_of_a_period() {
    let mut world = World::on(Kind::Embedded, settings(), ServerLimits::default()).await;
    busy(&world).await;
    world.clock.advance_millis(DAY);
    busy(&world).await;
    world.noticed().await;
    world.clock.advance_millis(9 * DAY);
    // The sweep says what is overdue, within a moment.
    for _ in 0..200 {
        if !world.records(23, None).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.clock.advance_millis(2 * DAY);
    let address = open(&mut world).await;
    let mut all = Vec::new();
    for (from, until) in PERIODS {
        all.push(told(&Site { world: &world, address }, from, until).await);
    }
    // Of the last, the day is not over: more comes when the page is made.
    let mut pages = Vec::new();
    for (from, until) in [PERIODS[0], PERIODS[4], ("2026-12-01", "2026-12-03")] {
        pages.push(counted(&Site { world: &world, address }, from, until).await);
    }
    busy(&world).await;
    assert!(pages[2].by_day.contains_key("2026-12-02"), "{:?}", pages[2].by_day);
    for page in &pages {
        listed_as_shown(&Site { world: &world, address }, page).await;
    }
    let opened: Vec<u64> = all.iter().map(|told| told.opened).collect();
    assert!(opened[0] > 5 && opened[1] > 5 && opened[2] == 0 && opened[3] == 0, "{opened:?}");
    assert!(opened[4] > opened[1] && opened[5] == opened[0] + opened[4], "{opened:?}");

    let World { app, store, dir, .. } = world;
    app.shutdown(Duration::from_secs(5)).await.unwrap();
    drop(store);
    let origin: samband::audit::checkpoint::Origin = "log.samband.example/e2e".parse().unwrap();
    let signer = LogSigner::from_seed(origin.key_name(), zeroize::Zeroizing::new([9; 32]));
    std::fs::write(dir.path().join("log.vkey"), format!("{}\n", signer.verifier())).unwrap();
    let key = dir.path().join("storage-key");
    std::fs::write(&key, format!("{}\n", "04".repeat(32))).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    for ((from, until), told) in PERIODS.into_iter().zip(&all) {
        offline(dir.path(), from, until, told);
    }
    for page in &pages {
        checked_as_shown(dir.path(), page);
    }
}
