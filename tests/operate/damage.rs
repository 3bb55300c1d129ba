//! Content of mail that is damaged: what the parties meet, what the operator is told, and the way out.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Gateway, Home, POLICE, Ran, UNIT, until};
use crate::register::{get, home};

fn names(ran: &Ran) -> Vec<String> {
    ran.json().iter().map(|item| item["notice"]["subject"]["given_name"].as_str().unwrap().to_lowercase()).collect()
}

fn doctor(home: &Home, code: i32) -> Value {
    let found = home.offline("doctor --dev --dir ~/dev").fails_with(code).json();
    found.into_iter().find(|finding| finding["check"] == "undelivered").unwrap()
}

#[test]
fn one_damaged_content_holds_up_no_other_mail_and_is_told_to_everyone_whom_it_concerns() {
    let home = home();
    let config = home.path("dev/samband.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("\n[tls]", "erase_within_s = 60\n\n[tls]")).unwrap();
    let gateway = home.start();
    let ids = ["a", "b", "c"].map(|name| home.notice(&gateway, name));
    assert_eq!(names(&home.run(&gateway, UNIT, "receive --as municipal --max 1 --out ~/inbox --ack").well()), ["a"]);
    // As something was acknowledged, the stop turns the store over: the others stand in the base.
    gateway.stop();
    assert_eq!(doctor(&home, 0)["figures"]["unreadable"], 0);
    let file = home.data().join("base/000000000001.content");
    let mut bytes = fs::read(&file).unwrap();
    bytes[5] ^= 1;
    fs::write(&file, bytes).unwrap();
    let found = doctor(&home, 1);
    assert!(found["health"] == "bad" && found["figures"]["unreadable"] == 1, "{found}");
    assert!(found["text"].as_str().unwrap().contains("1 of them cannot be read"), "{found}");
    let info = home.offline("store info ~/dev/data --storage-key ~/dev/storage-key").well().one();
    assert_eq!(info["sealed"]["undelivered_unreadable"], 1, "{info}");

    let gateway = home.start();
    until(Duration::from_secs(20), "it is looked for at the start", || get(&gateway, "/metrics").contains("samband_items_unreadable 1"));
    let ready = get(&gateway, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 200 ") && ready.contains("warning: 1 undelivered items cannot be read"), "{ready}");
    assert!(gateway.log().contains("undelivered items cannot be read") && gateway.log().contains("base/000000000001.content"));
    home.notice(&gateway, "d");
    let sound = home.run(&gateway, UNIT, "receive --as municipal --out ~/inbox --ack");
    assert!(!sound.status.success() && sound.err.contains("DATA_DAMAGED"), "{}{}", sound.out, sound.err);
    assert_eq!(names(&sound), ["c", "d"], "{}", sound.err);
    home.notice(&gateway, "e");
    assert_eq!(names(&home.run(&gateway, UNIT, "receive --as municipal --out ~/inbox --ack")), ["e"]);

    // What was acknowledged goes in its time, with the key; what was damaged goes with it, and stays told.
    let key = home.data().join("keys/base-000000000001.content.key");
    assert!(file.exists() && key.exists());
    until(Duration::from_secs(60), "nothing acknowledged stays", || !file.exists() && !key.exists());
    let told = |gateway: &Gateway| {
        until(Duration::from_secs(20), "it is still told", || get(gateway, "/metrics").contains("samband_items_unreadable 1"));
        let empty = home.run(gateway, UNIT, "receive --as municipal --out ~/inbox --ack");
        assert!(empty.out.is_empty() && empty.err.contains("DATA_DAMAGED"), "{}{}", empty.out, empty.err);
    };
    told(&gateway);
    assert!(gateway.log().contains("its content is left behind"));
    gateway.stop();
    assert_eq!(doctor(&home, 1)["figures"]["unreadable"], 1);
    let found = home.offline("audit fsck ~/dev/data --storage-key ~/dev/storage-key").fails_with(1);
    assert!(found.out.contains("base/0") && found.out.contains("nothing of it is left"), "{}{}", found.out, found.err);
    let gateway = home.start();
    told(&gateway);

    // The sender takes it back and sends it anew.
    home.run(&gateway, POLICE, &format!("send notice --withdraw sent-in-error --replaces {}", ids[1])).well();
    home.notice(&gateway, "b");
    assert_eq!(names(&home.run(&gateway, UNIT, "receive --as municipal --out ~/inbox --ack").well()), ["b"]);
    gateway.stop();
    assert_eq!(doctor(&home, 0)["figures"]["undelivered"], 0);
}

#[test]
fn a_damaged_tile_is_told_by_the_doctor_and_one_that_the_start_can_derive_is_mended_by_it() {
    let home = home();
    home.start().stop();
    let published = |code: i32| {
        let found = home.offline("doctor --dev --dir ~/dev");
        let found = if code == 0 { found.well() } else { found.fails_with(code) };
        found.json().into_iter().find(|finding| finding["check"] == "published")
    };
    assert_eq!(published(0), None);
    let size = home.offline("store info ~/dev/data --storage-key ~/dev/storage-key").well().one()["published"].as_u64().unwrap();
    let name = format!("log/tile/0/000.p/{size}");
    let mut bytes = fs::read(home.data().join(&name)).unwrap();
    bytes[5] ^= 1;
    fs::write(home.data().join(&name), bytes).unwrap();
    let found = published(1).unwrap();
    assert!(found["health"] == "bad" && found["text"].as_str().unwrap().contains(&name), "{found}");
    let gateway = home.start();
    assert!(get(&gateway, "/metrics").contains("samband_log_tiles_damaged 0") && !get(&gateway, "/readyz").contains("tiles"));
    gateway.stop();
    assert_eq!(published(0), None);
}
