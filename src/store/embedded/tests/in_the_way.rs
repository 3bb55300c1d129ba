//! What stands where a file of the store belongs, what a start refuses and the doctor says as well, and what the check tells without the key.

use super::*;
use crate::store::Store as _;
use crate::store::contract::case_bed::wish;
use crate::store::embedded::fsck::{FsckReport, fsck};
use crate::store::embedded::info::{in_the_way, info};
use crate::store::embedded::{Asked, would_open};

/// A base, content, tiles, journals; `turned` without a base when false.
async fn stopped(turned: bool) -> Home {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    for _ in 0..5 {
        bed.send_notice(&wish(), None).await.unwrap();
    }
    if turned {
        store.turn_now().await.unwrap();
    }
    bed.send_notice(&wish(), None).await.unwrap();
    store.publish_now().await.unwrap();
    store.stop().await.unwrap();
    home
}

impl Home {
    fn fsck(&self, key: bool) -> FsckReport {
        fsck(&self.data(), key.then(|| Zeroizing::new(KEY)), &mut |_| ()).unwrap()
    }

    fn high_water(&self) -> PathBuf {
        self.dir.path().join("high-water")
    }

    /// What the doctor is told.
    fn would_open(&self) -> Result<Vec<String>, OpenError> {
        let (origin, verifier, mark, ground) = (origin(), verifier(), self.high_water(), ground());
        let today = self.clock.now().oslo_date();
        let asked = Asked { origin: origin.as_str(), verifier: &verifier, high_water_file: &mark, hold_ground: Some(&ground), today };
        would_open(&self.data(), Zeroizing::new(KEY), &asked)
    }

    fn journals(&self) -> Vec<PathBuf> {
        files_below(&self.data().join("journal"))
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.data()).unwrap().to_string_lossy().into_owned()
    }
}

fn set_len(path: &Path, len: u64) {
    std::fs::File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

#[tokio::test]
async fn a_folder_at_a_name_of_the_stores_own_is_named_by_the_check_the_doctor_and_the_start() {
    let home = stopped(true).await;
    let tile = std::fs::read_dir(home.data().join("log/tile/0/000.p")).unwrap().next().unwrap().unwrap().path();
    let tile = home.name(&tile);
    let last: u64 = home.name(home.journals().last().unwrap())[8..20].parse().unwrap();
    let next = super::super::layout::journal_name(last + 1);
    let names = [
        "CURRENT.tmp",
        "reserve",
        "LOCK",
        "base/000000000002.state",
        "base/000000000002.content",
        "keys/base-000000000002.state.key",
        next.as_str(),
        "log/checkpoint.tmp",
        "log/tile/0/000.p/1",
        tile.as_str(),
    ];
    for name in names {
        let (path, aside) = (home.data().join(name), home.dir.path().join("aside"));
        if path.exists() {
            std::fs::rename(&path, &aside).unwrap();
        }
        std::fs::create_dir(&path).unwrap();
        for key in [true, false] {
            let report = home.fsck(key);
            assert!(report.damages.iter().any(|damage| damage.file == name && damage.what.contains("a folder")), "{name}: {report:?}");
        }
        if name != "LOCK" {
            let error = home.would_open().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("a folder"), "{name}: {error}");
        }
        let error = home.try_open().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("move it out of the way"), "{name}: {error}");
        std::fs::remove_dir(&path).unwrap();
        if aside.exists() {
            std::fs::rename(&aside, &path).unwrap();
        }
    }
    std::fs::create_dir(home.dir.path().join("high-water.tmp")).unwrap();
    let error = home.try_open().unwrap_err().to_string();
    assert!(error.contains("high-water.tmp") && error.contains("move it out of the way"), "{error}");
    std::fs::remove_dir(home.dir.path().join("high-water.tmp")).unwrap();
    assert_eq!((home.fsck(true).damages, home.fsck(false).damages), (Vec::new(), Vec::new()));
    home.open();
}

#[tokio::test]
async fn what_stands_in_the_way_of_the_tiles_that_the_next_start_writes_is_told_by_the_doctor() {
    let home = stopped(true).await;
    for level in ["0", "entries"] {
        // A start that failed has noted itself in the journal.
        let size = info(&home.data(), None, noon()).unwrap().log_size.unwrap();
        for name in ["writing.tmp".into(), (size + 1).to_string()] {
            let path = home.data().join(format!("log/tile/{level}/000.p/{name}"));
            std::fs::create_dir(&path).unwrap();
            let told = home.would_open().unwrap_err().to_string();
            assert!(told.contains(&home.name(&path)) && told.contains("a folder"), "{told}");
            let started = (name != "writing.tmp").then(|| home.try_open().unwrap_err().to_string());
            assert!(started.is_none_or(|error| error.contains(&home.name(&path))));
            std::fs::remove_dir(&path).unwrap();
        }
        // One that no start looks at any more is none of these.
        let beyond = home.data().join(format!("log/tile/{level}/001.p"));
        std::fs::create_dir(&beyond).unwrap();
        assert_eq!(home.would_open().unwrap(), Vec::<String>::new());
        std::fs::remove_dir(&beyond).unwrap();
    }
    home.open();
}

#[tokio::test]
async fn a_file_in_the_place_of_a_folder_of_tiles_is_told_by_the_doctor_as_by_the_start() {
    let home = stopped(true).await;
    for name in ["log/tile/entries", "log/tile/0", "log/tile/0/000.p", "log/tile"] {
        let (path, aside) = (home.data().join(name), home.dir.path().join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        std::fs::write(&path, "").unwrap();
        let error = home.would_open().unwrap_err().to_string();
        assert!(error.contains(&format!("{name},")) && error.contains("move it out of the way"), "{name}: {error}");
        let error = home.try_open().err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|error| error.contains("log/tile")), "{name}: {error:?}");
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    }
    assert_eq!(home.would_open().unwrap(), Vec::<String>::new());
    home.open();
}

/// The gateway goes on serving, but erases nothing.
#[tokio::test]
async fn what_stands_in_the_way_of_a_turn_is_named_by_the_turn_and_to_the_doctor() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    assert_eq!(in_the_way(&home.data()).unwrap(), []);
    std::fs::create_dir(home.data().join("CURRENT.tmp")).unwrap();
    let error = store.turn_now().await.unwrap_err().to_string();
    assert!(error.contains("CURRENT.tmp") && error.contains("a folder"), "{error}");
    assert_eq!(in_the_way(&home.data()).unwrap()[0].file, "CURRENT.tmp");
    std::fs::remove_dir(home.data().join("CURRENT.tmp")).unwrap();
    store.turn_now().await.unwrap();
    assert_eq!(*home.fatal.lock(), Vec::<String>::new());
}

#[tokio::test]
async fn the_doctor_is_told_by_the_same_code_what_a_start_refuses() {
    let home = stopped(true).await;
    assert_eq!(home.would_open().unwrap(), Vec::<String>::new());
    let agree = |case: &str| {
        let told = home.would_open().unwrap_err().to_string();
        assert_eq!(home.try_open().unwrap_err().to_string(), told, "{case}");
        told
    };
    let journal = home.journals().pop().unwrap();
    let (bytes, mark) = (std::fs::read(&journal).unwrap(), std::fs::read(home.high_water()).unwrap());
    set_len(&journal, 0);
    agree("the last journal is emptied");
    std::fs::write(&journal, &bytes).unwrap();
    std::fs::write(home.high_water(), "none").unwrap();
    let told = agree("the mark is damaged");
    assert!(told.contains("high-water") && told.contains("outside the data folder") && !told.contains("restore the folder"), "{told}");
    std::fs::remove_file(home.high_water()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, home.high_water(), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(agree("a pipe in the mark's place").contains("a pipe"));
    std::fs::remove_file(home.high_water()).unwrap();
    let mut ahead = super::super::tiles::HighWater {
        origin: origin().as_str().to_owned(),
        size: 999,
        root: crate::audit::tree::Hash::from_bytes([7; 32]),
    };
    super::super::layout::write_checked(&RealDisk, &home.high_water(), &ahead).unwrap();
    assert!(agree("an old copy").contains("behind its high-water mark"));
    ahead.origin = "log.samband.example/other".to_owned();
    super::super::layout::write_checked(&RealDisk, &home.high_water(), &ahead).unwrap();
    agree("another log's mark");
    std::fs::write(home.high_water(), mark).unwrap();
    // A start goes on without them, and says so.
    for folder in ["records", "base"] {
        let file = files_below(&home.data().join(folder)).into_iter().find(|path| !path.to_string_lossy().ends_with(".state"));
        std::fs::remove_file(file.unwrap()).unwrap();
    }
    let gone = home.would_open().unwrap();
    assert!(gone.len() == 2 && gone[0].ends_with(".content") && gone[1].ends_with(".rec"), "{gone:?}");
}

/// A volume that is not mounted.
#[tokio::test]
async fn nothing_is_made_in_the_place_of_a_data_folder_that_is_away() {
    let home = stopped(false).await;
    std::fs::remove_dir_all(home.data()).unwrap();
    for error in [home.would_open().unwrap_err(), home.try_open().unwrap_err()] {
        assert!(matches!(&error, OpenError::Away { published, .. } if *published > 0), "{error}");
    }
    assert!(!home.data().join("FORMAT").exists() && !home.data().join("CURRENT").exists());
}

#[tokio::test]
async fn published_entries_that_the_journals_do_not_hold_are_told_without_the_key() {
    for turned in [false, true] {
        let home = stopped(turned).await;
        assert_eq!(home.fsck(false).damages, []);
        let journal = home.journals().pop().unwrap();
        let bytes = std::fs::read(&journal).unwrap();
        let harms: [(&str, Vec<u8>); 3] =
            [("cut", bytes[..bytes.len() / 2].to_vec()), ("emptied", Vec::new()), ("zeroed", vec![0; bytes.len()])];
        for (case, harm) in harms {
            std::fs::write(&journal, harm).unwrap();
            for key in [false, true] {
                let report = home.fsck(key);
                assert!(report.damages.iter().any(|damage| damage.what.contains("published")), "{turned} {case} {key}: {report:?}");
                assert_eq!(report.torn, None, "{turned} {case} {key}: a start refuses there");
            }
            assert!(home.try_open().is_err());
        }
        std::fs::write(&journal, &bytes).unwrap();
        assert_eq!(home.fsck(true).damages, []);
    }
}

#[tokio::test]
async fn the_first_journal_of_a_store_without_a_base_begins_the_chain_also_without_the_key() {
    let home = stopped(false).await;
    home.open().stop().await.unwrap();
    let journals = home.journals();
    assert!(journals.len() > 1);
    let bytes = std::fs::read(&journals[0]).unwrap();
    for harm in [Vec::new(), vec![0; bytes.len()]] {
        std::fs::write(&journals[0], harm).unwrap();
        for key in [false, true] {
            let report = home.fsck(key);
            assert!(report.damages.iter().any(|damage| damage.file == home.name(&journals[0])), "{key}: {report:?}");
        }
    }
    std::fs::write(&journals[0], bytes).unwrap();
    assert_eq!(home.fsck(false).damages, []);
}

#[tokio::test]
async fn a_content_file_that_is_gone_is_told_once() {
    let home = stopped(true).await;
    let content = home.data().join("base/000000000001.content");
    std::fs::remove_file(content).unwrap();
    let report = home.fsck(true);
    assert_eq!(report.damages.iter().filter(|damage| damage.file == "base/000000000001.content").count(), 1, "{report:?}");
}

/// It serves as the folder that it leads to, so the start takes it.
#[tokio::test]
async fn a_link_in_the_place_of_a_folder_of_the_stores_is_named_by_the_check() {
    let home = stopped(true).await;
    for name in ["index", "records"] {
        let (path, aside) = (home.data().join(name), home.dir.path().join("aside"));
        std::fs::rename(&path, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, &path).unwrap();
        for key in [true, false] {
            let damages = home.fsck(key).damages;
            assert!(damages.len() == 1 && damages[0].file == name && damages[0].what.contains("did not make"), "{name}: {damages:?}");
        }
        home.open().stop().await.unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
        assert_eq!(home.fsck(true).damages, []);
    }
}

#[tokio::test]
async fn a_key_of_an_older_month_that_is_gone_or_damaged_is_told_at_the_start_and_to_whoever_looks() {
    let home = stopped(true).await;
    let store = home.open();
    home.clock.advance_millis(40 * 24 * 60 * 60 * 1000);
    home.bed(&store).send_notice(&wish(), None).await.unwrap();
    store.turn_now().await.unwrap();
    store.stop().await.unwrap();
    drop(store);
    let months = files_below(&home.data().join("records"));
    assert_eq!(months.len(), 2);
    let name = format!("keys/{}.key", home.name(&months[0]).replace('/', "-"));
    let (path, info) =
        (home.data().join(&name), || info(&home.data(), Some(Zeroizing::new(KEY)), home.clock.now()).unwrap().sealed.unwrap());
    let key = std::fs::read(&path).unwrap();
    assert_eq!((home.would_open().unwrap(), info().gone), (Vec::new(), Vec::new()));
    let harms: [&dyn Fn(); 3] = [&|| std::fs::remove_file(&path).unwrap(), &|| std::fs::write(&path, vec![0; key.len()]).unwrap(), &|| {
        std::fs::write(&path, &key[1..]).unwrap()
    }];
    for harm in harms {
        harm();
        assert_eq!((home.would_open().unwrap(), info().gone), (vec![name.clone()], vec![name.clone()]));
        assert!(home.fsck(true).damages.iter().any(|damage| damage.file == name));
        home.open().stop().await.unwrap();
        std::fs::write(&path, &key).unwrap();
    }
    assert_eq!(home.fsck(true).damages, []);
}
