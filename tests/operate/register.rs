//! A register that goes wrong on disk: what is in force stays, over restarts too, everybody who looks is told, and it is mended without ceremony.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::harness::{Gateway, Home, UNIT, samband, until};

const PATIENCE: Duration = Duration::from_secs(30);
const LAB: &str = "lab-ous";

pub fn get(gateway: &Gateway, path: &str) -> String {
    let mut socket = TcpStream::connect(gateway.admin.as_ref().unwrap()).unwrap();
    socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn figure(gateway: &Gateway, name: &str) -> u64 {
    let metrics = get(gateway, "/metrics");
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().parse().unwrap()
}

/// The register without this participant's tables.
fn without(text: &str, id: &str) -> String {
    let parts: Vec<&str> = text.split_inclusive("[[participant]]\n").collect();
    let whole = parts.concat();
    assert_eq!(whole, text);
    let entries = text.split("[[participant]]\n").filter(|entry| !entry.contains(&format!("id = \"{id}\"")));
    entries.collect::<Vec<_>>().join("[[participant]]\n")
}

/// A home whose gateway shows what is in force, and the file of a configuration that names where.
pub fn home() -> Home {
    let mut home = Home::new();
    home.start().stop();
    home.by_configuration = true;
    let file = home.path("dev/samband.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("data_dir", "admin_listen = \"127.0.0.1:0\"\ndata_dir", 1)).unwrap();
    home
}

/// The same configuration with the address that the gateway was given.
fn configured(home: &Home, gateway: &Gateway) -> String {
    let text = fs::read_to_string(home.path("dev/samband.toml")).unwrap();
    let text = text.replacen("admin_listen = \"127.0.0.1:0\"", &format!("admin_listen = \"{}\"", gateway.admin.as_ref().unwrap()), 1);
    fs::write(home.path("dev/asked.toml"), text).unwrap();
    home.text("dev/asked.toml")
}

#[test]
fn a_participant_that_was_missing_from_one_load_comes_back() {
    let home = home();
    let gateway = home.start();
    let file = home.path("dev/certs-dev/participants.toml");
    let whole = fs::read_to_string(&file).unwrap();
    let generation = || figure(&gateway, "samband_register_generation");
    let first = generation();
    fs::write(&file, without(&whole, LAB)).unwrap();
    until(PATIENCE, "the shorter register is in force", || generation() == first + 1);
    fs::write(&file, &whole).unwrap();
    until(PATIENCE, "and the whole one again", || generation() == first + 2);
    assert_eq!(figure(&gateway, "samband_register_file_in_force"), 1);
    // And a suspension that is written by the command is in force when the command has ended.
    let config = configured(&home, &gateway);
    let ran = samband(&["participants", "suspend", LAB, "--config", &config, "--yes"]).well();
    assert!(ran.err.contains(&format!("in force as generation {}", first + 3)), "{}", ran.err);
    // Whoever retires in favour of one that may not act is told.
    samband(&["participants", "suspend", "politi-innlandet", "--config", &config, "--yes"]).well();
    let retire = ["participants", "retire", "politi-oslo", "--successor", "politi-innlandet", "--config", &config, "--dry-run"];
    let ran = samband(&retire).well();
    assert!(ran.err.contains("its successor politi-innlandet is suspended"), "{}", ran.err);
    gateway.stop();
}

#[test]
fn a_register_that_is_refused_is_told_everywhere_and_the_gateway_starts_with_the_last_one() {
    let home = home();
    let gateway = home.start();
    let file = home.path("dev/certs-dev/participants.toml");
    let whole = fs::read_to_string(&file).unwrap();
    home.notice(&gateway, "anna");
    // The unit has mail, so it may not go.
    fs::write(&file, without(&whole, UNIT)).unwrap();
    let told = |gateway: &Gateway| figure(gateway, "samband_register_file_in_force") == 0;
    until(PATIENCE, "the refusal is told", || told(&gateway));
    let detail = get(&gateway, "/readyz");
    assert!(
        detail.starts_with("HTTP/1.1 200 ") && detail.contains("is not in force since") && detail.contains("mail or open cases"),
        "{detail}"
    );
    assert!(gateway.log().contains("mail or open cases"), "{}", gateway.log());
    let config = configured(&home, &gateway);
    let look = || {
        let doctor = samband(&["doctor", "--config", &config]).fails_with(1);
        let line = doctor.out.lines().find(|line| line.contains(" register ")).unwrap().to_owned();
        assert!(line.starts_with("bad") && line.contains("not in force") && !line.contains(UNIT), "{line}");
        let check = samband(&["check-config", &config]).fails_with(78);
        assert!(check.out.contains("would not come into force") && check.out.contains("mail or open cases"), "{}", check.out);
    };
    look();
    let diff = samband(&["participants", "diff", "--config", &config]).fails_with(78);
    assert!(diff.err.contains("not in force"), "{}", diff.err);
    // Started again, it serves whom it served.
    gateway.stop();
    look();
    let suspend = samband(&["participants", "suspend", LAB, "--config", &config, "--yes"]).fails_with(78);
    assert!(suspend.err.contains("nothing is written") && suspend.err.contains("mail or open cases"), "{}", suspend.err);
    let gateway = home.start();
    until(PATIENCE, "it says so from the start", || told(&gateway));
    assert!(gateway.log().contains("goes on with the one that was last"), "{}", gateway.log());
    assert_eq!(home.mailbox(&gateway, false).len(), 1, "the unit gets its mail");
    // Broken beyond reading: the same.
    fs::write(&file, "[[participant]]\nid = ").unwrap();
    gateway.stop();
    let gateway = home.start();
    until(PATIENCE, "it says so", || told(&gateway) && get(&gateway, "/readyz").contains("participants.toml:2:"));
    fs::write(&file, &whole).unwrap();
    until(PATIENCE, "mended", || !told(&gateway));
    assert!(get(&gateway, "/readyz").ends_with("\r\n\r\nready\n"));
    gateway.stop();
    let config = home.text("dev/samband.toml");
    samband(&["check-config", &config]).well();
}

#[test]
fn a_municipality_that_leaves_a_joint_unit_takes_new_notices_with_it_and_leaves_mail_and_cases() {
    const JOINT: &str = "ru-hamar";
    let home = home();
    let gateway = home.start();
    let config = configured(&home, &gateway);
    let mail = |who: &str| {
        let line = format!("receive --as municipal --out {} --ack", home.text(&format!("inbox-{who}")));
        home.run(&gateway, who, &line).well().json()
    };
    home.notice_at(&gateway, "anna", "3411");
    let ran = samband(&["participants", "move-municipality", "3411", "--to", UNIT, "--config", &config, "--yes"]).well();
    assert!(ran.err.contains("in force as generation"), "{}", ran.err);
    home.notice_at(&gateway, "berit", "3411");
    let (joint, own) = (mail(JOINT), mail(UNIT));
    assert_eq!((joint.len(), own.len()), (1, 1), "each what was sent while it served: {joint:?} {own:?}");
    let name = |items: &[serde_json::Value]| items[0]["notice"]["subject"]["given_name"].as_str().unwrap().to_owned();
    assert_eq!((name(&joint), name(&own)), ("ANNA".to_owned(), "BERIT".to_owned()));
    gateway.stop();
}

#[test]
fn a_gateway_that_never_had_a_register_does_not_start_without_one() {
    let home = home();
    fs::remove_dir_all(home.data()).unwrap();
    fs::remove_file(home.path("dev/high-water")).unwrap();
    fs::write(home.path("dev/certs-dev/participants.toml"), "[[participant]]\nid = ").unwrap();
    let ran = home.refused().fails_with(78);
    assert!(ran.err.contains("participants.toml:2:"), "{}", ran.err);
    assert!(!home.data().exists(), "and makes no store");
}
