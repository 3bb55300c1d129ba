//! What lies in the folder beside what the store wrote: tiles that are damaged or foreign are not served and are told, and the check names every file
//! that is nobody's.

use super::super::serving::look_now;
use super::*;
use crate::audit::tiles::TileId;
use crate::store::contract::case_bed::wish;
use crate::store::embedded::fsck::{FsckReport, fsck};
use crate::store::{Store as _, StoreError};

/// Two full tiles and partial ones; a base, stopped.
async fn stopped() -> Home {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..520 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    store.turn_now().await.unwrap();
    bed.send_notice(&wish(), None).await.unwrap();
    store.stop().await.unwrap();
    home
}

impl Home {
    fn checked(&self, key: bool) -> FsckReport {
        fsck(&self.data(), key.then(|| Zeroizing::new(KEY)), &mut |_| ()).unwrap()
    }

    /// What is found, with the key and without it.
    fn found(&self) -> Vec<String> {
        let found = |key| self.checked(key).damages.into_iter().map(|damage| damage.file).collect::<Vec<_>>();
        assert_eq!(found(true), found(false));
        found(true)
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_tile_that_is_damaged_is_not_served_and_is_counted_at_the_start_and_while_the_gateway_runs() {
    let home = stopped().await;
    let store = home.open();
    let served = async |name: &str| store.tile(name.parse().unwrap()).await;
    let counted = async || store.stats().await.unwrap().damaged_tiles;
    look_now(&store.engine);
    assert_eq!(counted().await, 0);
    let width = store.stats().await.unwrap().published_size - 512;
    let names =
        ["tile/0/000".to_owned(), "tile/0/001".into(), "tile/entries/001".into(), "tile/1/000.p/2".into(), format!("tile/0/002.p/{width}")];
    for name in &names {
        let path = home.data().join("log").join(name);
        let sound = served(name).await.unwrap().unwrap();
        flip(&path, 40);
        let refused = served(name).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Damaged { place } if place.contains(name.as_str())), "{name}: {refused:?}");
        let others = names.iter().filter(|other| *other != name);
        for other in others {
            assert!(served(other).await.unwrap().is_some(), "{other} beside {name}");
        }
        look_now(&store.engine);
        assert_eq!(counted().await, 1, "{name}");
        flip(&path, 40);
        assert_eq!(served(name).await.unwrap().unwrap(), sound);
        look_now(&store.engine);
        assert_eq!(counted().await, 0, "{name}");
    }
    store.stop().await.unwrap();
    flip(&home.data().join("log/tile/0/000"), 40);
    let store = home.open();
    for _ in 0..1000 {
        if store.stats().await.unwrap().damaged_tiles == 1 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not told within ten seconds of the start");
}

#[tokio::test]
async fn tiles_that_the_log_does_not_have_are_named_and_not_served() {
    let home = stopped().await;
    assert_eq!(home.found(), Vec::<String>::new());
    let names = ["tile/0/999", "tile/7/000", "tile/0/002", "tile/0/002.p/200", "tile/0/x001/000", "tile/entries/900", "tile/1/000.p/3"];
    for name in names {
        let path = home.data().join("log").join(name);
        put(&path, &[7; 640]);
        assert_eq!(home.found(), [format!("log/{name}")]);
        let store = home.open();
        assert_eq!(store.tile(name.parse::<TileId>().unwrap()).await, Ok(None), "{name}");
        drop(store);
        std::fs::remove_file(&path).unwrap();
    }
    put(&home.data().join("log/tile/9/000"), &[7; 640]);
    assert_eq!(home.found(), ["log/tile/9/000"]);
}

/// A crash before the checkpoint was replaced.
#[tokio::test]
async fn tiles_of_entries_that_the_journals_hold_are_none_of_these() {
    let home = stopped().await;
    let older = std::fs::read(home.data().join("log/checkpoint")).unwrap();
    home.open().stop().await.unwrap();
    put(&home.data().join("log/checkpoint"), &older);
    assert_eq!(home.found(), Vec::<String>::new());
}

#[tokio::test]
async fn under_an_older_checkpoint_the_check_reads_what_was_published_since() {
    let home = stopped().await;
    let older = std::fs::read(home.data().join("log/checkpoint")).unwrap();
    let store = home.open();
    home.bed(&store).send_notice(&wish(), None).await.unwrap();
    store.publish_now().await.unwrap();
    let size = store.stats().await.unwrap().published_size;
    drop(store);
    put(&home.data().join("log/checkpoint"), &older);
    // A crash may have come before it was replaced; what it does not name is read all the same.
    assert_eq!(home.found(), Vec::<String>::new());
    let widest = home.data().join(format!("log/tile/0/002.p/{}", size - 512));
    flip(&widest, usize::try_from(size - 512).unwrap() * 32 - 5);
    for key in [false, true] {
        let damages = home.checked(key).damages;
        let named = |file: &str| file.ends_with(&format!("002.p/{}", size - 512));
        assert!(damages.iter().any(|damage| named(&damage.file)), "{damages:?}");
        assert!(damages.iter().all(|damage| named(&damage.file) || damage.file == "log"), "{damages:?}");
    }
    flip(&widest, usize::try_from(size - 512).unwrap() * 32 - 5);
    let store = home.open();
    store.turn_now().await.unwrap();
    store.stop().await.unwrap();
    put(&home.data().join("log/checkpoint"), &older);
    let told = home.checked(false).damages;
    assert!(matches!(told.as_slice(), [damage] if damage.file == "log/checkpoint" && damage.what.contains("an older one")), "{told:?}");
    assert_eq!(home.found(), ["log/checkpoint"]);
}

#[tokio::test]
async fn a_stray_file_anywhere_in_the_folder_is_named_and_left() {
    let home = stopped().await;
    let names = [
        "foo.tmp",
        "foo",
        "log/foo.tmp",
        "log/tile/0/foo.tmp",
        "log/tile/foo",
        "index/2026-11/foo",
        "records/1999-01.rec",
        "journal/foo.tmp",
    ];
    for name in names {
        let path = home.data().join(name);
        put(&path, b"hello world");
        assert_eq!(home.found(), [name]);
        let store = home.open();
        store.turn_now().await.unwrap();
        store.stop().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"hello world", "{name}");
        std::fs::remove_file(&path).unwrap();
    }
    // What lies here is the file system's, or is written over.
    put(&home.data().join("lost+found/x"), b"hello world");
    put(&home.data().join("reserve"), b"hello world");
    put(&home.data().join("log/tile/0/writing.tmp"), b"a crash");
    assert_eq!(home.found(), Vec::<String>::new());
}

/// A crash between the key's end and the file's, and one before the file had its header.
#[tokio::test]
async fn what_is_left_of_months_of_the_stores_own_is_destroyed_and_no_stranger() {
    let home = stopped().await;
    let month = std::fs::read(home.data().join("records/2026-11.rec")).unwrap();
    for left in [month.as_slice(), &[], &[0; 5000]] {
        let path = home.data().join("records/2020-01.rec");
        put(&path, left);
        assert_eq!(home.found(), Vec::<String>::new());
        home.open().stop().await.unwrap();
        assert!(!path.exists());
    }
}
