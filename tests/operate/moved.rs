//! The data folder is moved away and a copy put in its place while the gateway runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Home, POLICE, copy};

fn content(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            content(&path, into);
        } else {
            into.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_gateway_whose_folder_was_replaced_ends_and_the_next_one_goes_on_with_everything_that_was_answered() {
    let home = Home::new();
    let mut gateway = home.start();
    home.notice(&gateway, "anna");
    fs::rename(home.data(), home.path("aside")).unwrap();
    copy(&home.path("aside"), &home.data());
    let mut before = BTreeMap::new();
    content(&home.data(), &mut before);
    let (code, log) = gateway.ended(Duration::from_secs(20));
    assert_eq!(code, Some(74), "{log}");
    assert!(log.contains("the store cannot go on, so the gateway ends") && log.contains("is no longer what this gateway opened"), "{log}");
    let mut after = BTreeMap::new();
    content(&home.data(), &mut after);
    assert!(before == after, "nothing was written into the other folder");
    let gateway = home.start();
    assert_eq!(home.mailbox(&gateway, true).len(), 1);
    gateway.stop();
    home.offline("audit fsck ~/dev/data --storage-key ~/dev/storage-key").well();
}

#[test]
fn no_message_is_answered_for_once_the_folder_is_gone() {
    let home = Home::new();
    let mut gateway = home.start();
    home.notice(&gateway, "anna");
    home.notice_file("berit", "0301");
    fs::rename(home.data(), home.path("aside")).unwrap();
    let now = samband::clock::Clock::now(&samband::clock::SystemClock).millis();
    let id = format!("{:08x}-{:04x}-7000-8000-000000000001", now >> 16, now & 0xffff);
    let sent = home.run(&gateway, POLICE, &format!("send notice ~/berit.json --message-id {id} --receipt-out ~/berit.tlog-proof"));
    assert!(!sent.status.success() && !home.path("berit.tlog-proof").exists(), "{}", sent.out);
    assert_eq!(gateway.ended(Duration::from_secs(20)).0, Some(74));
    fs::rename(home.path("aside"), home.data()).unwrap();
    let gateway = home.start();
    // Whether it had become durable or not: sent again under its id, it is there once.
    home.again(&gateway, "berit", &id);
    assert_eq!(home.mailbox(&gateway, true).len(), 2);
    gateway.stop();
}
