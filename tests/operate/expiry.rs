//! A certificate that ends soon: the command line warns of it once, for people and for machines.

use std::fs;
use std::path::Path;

use samband::clock::{Clock as _, SystemClock, SystemEntropy};
use samband::domain::time::DAY_MILLIS;
use samband::tls::issue::Leaf;
use samband::tls::pki::DevPki;

use crate::harness::{Home, UNIT, samband};

/// The unit's identity again, with its key and a certificate that ends in so many days.
fn identity(home: &Home, name: &str, days: i64) -> String {
    let pki = DevPki::at(&home.path("dev/certs-dev"));
    let (now, number) = (SystemClock.now(), organisation(&pki.participants_file()));
    let leaf = Leaf { not_after: now.plus_millis(days * DAY_MILLIS), ..Leaf::client(UNIT, number.parse().unwrap(), now) };
    let key = fs::read_to_string(pki.key_file(UNIT)).unwrap();
    let issued = pki.authority().unwrap().renew(&leaf, &key, &SystemEntropy::default()).unwrap();
    let folder = home.path(name);
    fs::create_dir(&folder).unwrap();
    samband::tls::files::write(&folder.join("cert.pem"), issued.certificate_pem().as_bytes(), 0o644).unwrap();
    samband::tls::files::write(&folder.join("key.pem"), key.as_bytes(), 0o600).unwrap();
    folder.display().to_string()
}

fn organisation(register: &Path) -> String {
    let register: toml::Table = fs::read_to_string(register).unwrap().parse().unwrap();
    let entries = register["participant"].as_array().unwrap();
    let unit = entries.iter().find(|entry| entry["id"].as_str() == Some(UNIT)).unwrap();
    unit["organisation_number"].as_str().unwrap().to_owned()
}

#[test]
fn the_command_line_warns_of_a_certificate_with_less_than_sixty_days_left() {
    let home = Home::new();
    let gateway = home.start();
    home.notice(&gateway, "anna");
    let (soon, later) = (identity(&home, "soon", 59), identity(&home, "later", 61));
    let url = format!("https://localhost:{}", gateway.port);
    let ca = home.text("dev/certs-dev/ca.pem");
    // A stream and calls.
    let receive = ["receive", "--as", "municipal", "--gateway", &url, "--ca", &ca, "--identity"];
    let people = samband(&[&receive[..], &[&soon]].concat()).well();
    assert_eq!(people.err.matches("samband: warning: the certificate of this identity is valid until 20").count(), 1, "{}", people.err);
    let machines = samband(&[&["--json"], &receive[..], &[&soon, "--ack", "--out", &home.text("inbox")]].concat()).well();
    let warnings: Vec<&str> = machines.err.lines().filter(|line| line.contains("CERTIFICATE_EXPIRES")).collect();
    assert_eq!(warnings.len(), 1, "{}", machines.err);
    let warning: serde_json::Value = serde_json::from_str(warnings[0]).unwrap();
    assert!(warning["warning"]["advice"].as_str().unwrap().contains("have it renewed"), "{warning}");
    // A refusal tells it, too.
    let status = ["status", "--as", "prosecution", "--changes", "--gateway", &url, "--ca", &ca, "--identity"];
    let refused = samband(&[&status[..], &[&soon]].concat()).fails_with(1);
    assert_eq!(refused.err.matches("is valid until").count(), 1, "{}", refused.err);
    let quiet = samband(&[&receive[..], &[&later]].concat()).well();
    assert!(!quiet.err.contains("valid until"), "{}", quiet.err);
    gateway.stop();
}
