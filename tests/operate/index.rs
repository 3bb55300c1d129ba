//! The search index goes bad: it costs a rebuild, and the gateway serves meanwhile. What it cannot be asked, the records are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{AUDITOR, Gateway, Home, until};

const PATIENCE: Duration = Duration::from_secs(60);

fn search(home: &Home, gateway: &Gateway, id: &str) -> Vec<Value> {
    home.run(gateway, AUDITOR, &format!("audit list --kind notice-accepted --message-id {id}")).well().json()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

/// Every eighth byte changed, in place.
fn garble(index: &Path) {
    for path in files_below(index) {
        let mut bytes = fs::read(&path).unwrap();
        bytes.iter_mut().step_by(8).for_each(|byte| *byte ^= 0x5a);
        use std::os::unix::fs::FileExt as _;
        fs::File::options().write(true).open(&path).unwrap().write_all_at(&bytes, 0).unwrap();
    }
}

#[test]
fn a_search_index_that_is_deleted_cut_or_garbled_costs_a_rebuild_while_the_gateway_serves() {
    let home = Home::new();
    home.start().stop();
    // A turn every fifteen seconds, so that there are record files to index.
    let config = home.path("dev/samband.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\n[tls]", "erase_within_s = 60\n\n[tls]")).unwrap();
    let mut gateway = home.start();
    let id = home.notice(&gateway, "anna");
    until(PATIENCE, "a turn", || gateway.log().contains("the search index of a month is built"));
    let wanted = search(&home, &gateway, &id);
    assert!(!wanted.is_empty());
    let index = home.data().join("index");
    assert!(!files_below(&index).is_empty());

    // Under the running gateway: what it answers stays right, and it goes on.
    garble(&index);
    for _ in 0..3 {
        assert_eq!(search(&home, &gateway, &id), wanted);
    }
    fs::remove_dir_all(&index).unwrap();
    assert_eq!(search(&home, &gateway, &id), wanted);
    home.notice(&gateway, "berit");
    assert!(gateway.is_running());
    gateway.stop();

    let harms: [(&str, &dyn Fn()); 4] = [
        ("deleted", &|| drop(fs::remove_dir_all(&index))),
        ("cut", &|| {
            for path in files_below(&index) {
                let file = fs::File::options().write(true).open(&path).unwrap();
                file.set_len(path.metadata().unwrap().len() / 2).unwrap();
            }
        }),
        ("garbled", &|| garble(&index)),
        ("emptied", &|| files_below(&index).iter().for_each(|path| fs::write(path, "").unwrap())),
    ];
    for (what, harm) in harms {
        harm();
        let mut gateway = home.start();
        assert_eq!(search(&home, &gateway, &id), wanted, "{what}: at once");
        home.notice(&gateway, "carl");
        until(PATIENCE, what, || gateway.log().contains("the search index of a month is built"));
        assert_eq!(search(&home, &gateway, &id), wanted, "{what}: after the rebuild");
        assert!(gateway.is_running(), "{what}");
        let log = gateway.stop();
        for word in ["Testesen", "ANNA", &id] {
            assert!(!log.contains(word), "{what}: the log repeats {word}");
        }
    }
    home.offline("audit fsck ~/dev/data --storage-key ~/dev/storage-key").well();
}

/// As after a restore by another user: neither read nor removed.
#[test]
fn a_search_index_that_may_not_be_read_costs_searches_their_speed_and_never_the_start() {
    let mut home = Home::new();
    home.start().stop();
    let config = home.path("dev/samband.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\n[tls]", "erase_within_s = 60\n\n[tls]")).unwrap();
    let gateway = home.start();
    let id = home.notice(&gateway, "anna");
    until(PATIENCE, "a turn", || gateway.log().contains("the search index of a month is built"));
    let wanted = search(&home, &gateway, &id);
    gateway.stop();
    if !home.give_away() {
        eprintln!("SKIPPED: another user may not run the program here");
        return;
    }
    let index = home.data().join("index");
    let months: Vec<PathBuf> = fs::read_dir(&index).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mode = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for (what, path) in [("the folder", &index), ("a month", &months[0])] {
        mode(path, 0);
        let mut gateway = home.start();
        assert_eq!(search(&home, &gateway, &id), wanted, "{what}");
        home.notice(&gateway, "berit");
        until(PATIENCE, what, || gateway.log().contains("searches in this month read every record"));
        assert!(gateway.is_running(), "{what}");
        gateway.stop();
        mode(path, 0o755);
    }
    // Whatever stands in its place goes, although its owner is another.
    fs::remove_dir_all(&index).unwrap();
    fs::write(&index, "no folder").unwrap();
    let gateway = home.start();
    until(PATIENCE, "a file in its place", || gateway.log().contains("the search index of a month is built"));
    assert_eq!(search(&home, &gateway, &id), wanted);
    gateway.stop();
}
