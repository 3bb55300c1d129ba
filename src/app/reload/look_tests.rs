use std::collections::HashMap;
use std::sync::mpsc;

use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::*;

/// Looks at these files one by one in a unit each.
fn looks_at(disk: Arc<dyn Disk>, patience: Patience, paths: &[PathBuf]) -> Looks {
    let watched = |(place, path): (usize, &PathBuf)| vec![Watched { place, kind: ReloadedFile::RevocationList, path: path.clone() }];
    Looks::new(disk, patience, paths.iter().enumerate().map(watched).collect())
}

/// Which of so many rounds read something.
async fn due(looks: &mut Looks, rounds: usize) -> Vec<bool> {
    let mut due = Vec::new();
    for _ in 0..rounds {
        due.push(!looks.round().await.read.is_empty());
    }
    due
}

#[tokio::test]
async fn a_change_of_any_kind_is_taken_once_it_keeps_still() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("one"), "a").unwrap();
    let unit = |place, name| Watched { place, kind: ReloadedFile::Certificate, path: path(name) };
    let mut looks = Looks::new(Arc::new(RealDisk), Patience::default(), vec![vec![unit(0, "one"), unit(1, "link")]]);
    assert_eq!(due(&mut looks, 4).await, [false, true, false, false], "the first time, too");
    // Renamed over.
    std::fs::write(path("new"), "b").unwrap();
    std::fs::rename(path("new"), path("one")).unwrap();
    assert_eq!(due(&mut looks, 4).await, [false, true, false, false]);
    // Links that are set elsewhere, as Kubernetes does: ..data -> ..one -> ..two.
    for folder in ["one.d", "two.d"] {
        std::fs::create_dir(path(folder)).unwrap();
        std::fs::write(path(folder).join("file"), folder).unwrap();
    }
    std::os::unix::fs::symlink("one.d", path("data")).unwrap();
    std::os::unix::fs::symlink("data/file", path("link")).unwrap();
    assert_eq!(due(&mut looks, 4).await, [false, true, false, false]);
    std::os::unix::fs::symlink("two.d", path("data.new")).unwrap();
    std::fs::rename(path("data.new"), path("data")).unwrap();
    assert_eq!(due(&mut looks, 4).await, [false, true, false, false]);
    // Written bit by bit: not while it grows.
    for text in ["c", "cc"] {
        std::fs::write(path("one"), text).unwrap();
        assert_eq!(due(&mut looks, 1).await, [false]);
    }
    assert_eq!(due(&mut looks, 4).await, [true, false, false, false]);
    std::fs::remove_file(path("one")).unwrap();
    assert_eq!(due(&mut looks, 4).await, [false, true, false, false], "gone is a change, too");
    std::fs::write(path("one"), "d").unwrap();
    looks.ask_all();
    assert_eq!(due(&mut looks, 4).await, [true, false, false, false], "taken by signal");
}

#[tokio::test]
async fn a_file_that_never_keeps_still_is_read_anyway_and_holds_back_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let paths = [dir.path().join("restless"), dir.path().join("still")];
    paths.iter().for_each(|path| std::fs::write(path, "a").unwrap());
    let mut looks = looks_at(Arc::new(RealDisk), Patience::default(), &paths);
    due(&mut looks, 2).await;
    std::fs::write(&paths[1], "revoked").unwrap();
    let mut read = Vec::new();
    for round in 1..=6_usize {
        std::fs::write(&paths[0], "x".repeat(round)).unwrap();
        let found = looks.round().await;
        read.extend(found.read.into_iter().map(|(place, bytes)| (round, place, String::from_utf8(bytes.unwrap().to_vec()).unwrap())));
    }
    let wanted = [(2, 1, "revoked"), (3, 0, "xxx"), (6, 0, "xxxxxx")];
    assert_eq!(read, wanted.map(|(round, place, text)| (round, place, text.to_owned())));
}

/// Files in memory; asking for some of them hangs until they are let go.
#[derive(Default)]
struct Hanging {
    texts: Mutex<HashMap<PathBuf, String>>,
    hang: Mutex<HashMap<PathBuf, mpsc::Receiver<()>>>,
    asked: std::sync::atomic::AtomicUsize,
}

impl Hanging {
    fn write(&self, path: &Path, text: &str) {
        self.texts.lock().insert(path.to_owned(), text.to_owned());
    }

    fn hang(&self, path: &Path) -> mpsc::Sender<()> {
        let (release, wait) = mpsc::channel();
        self.hang.lock().insert(path.to_owned(), wait);
        release
    }
}

impl Disk for Hanging {
    fn stamp(&self, path: &Path) -> Option<Stamp> {
        self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let wait = self.hang.lock().remove(path);
        if let Some(wait) = wait {
            _ = wait.recv();
        }
        self.texts.lock().get(path).map(|text| [text.len() as u64; 8])
    }

    fn read(&self, _: ReloadedFile, path: &Path) -> Read {
        Ok(Zeroizing::new(self.texts.lock()[path].clone().into_bytes()))
    }
}

#[tokio::test]
async fn a_file_system_that_does_not_answer_holds_back_no_other_file_and_is_told_once() {
    let disk = Arc::new(Hanging::default());
    let paths = [PathBuf::from("gone"), PathBuf::from("well")];
    paths.iter().for_each(|path| disk.write(path, "a"));
    // What answers at all answers in far less than a round here.
    let patience = Patience { round: Duration::from_millis(500), silent: Duration::from_millis(1500) };
    let mut looks = looks_at(disk.clone(), patience, &paths);
    due(&mut looks, 3).await;
    let release = disk.hang(&paths[0]);
    looks.round().await;
    let asked = disk.asked.load(std::sync::atomic::Ordering::SeqCst);
    disk.write(&paths[1], "revoked");
    let begun = Instant::now();
    let (mut read, mut silent, mut rounds) = (Vec::new(), Vec::new(), 0);
    while begun.elapsed() < patience.silent + patience.round {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let found = looks.round().await;
        rounds += 1;
        read.extend(found.read.into_iter().map(|(place, _)| (rounds, place)));
        silent.extend(found.silent);
    }
    assert_eq!(read, [(2, 1)], "the other file is read as ever");
    assert_eq!(silent, [0], "told, and once");
    let asked = disk.asked.load(std::sync::atomic::Ordering::SeqCst) - asked;
    assert_eq!(asked, rounds, "one look hangs, and no second one behind it");

    disk.write(&paths[0], "revoked too");
    release.send(()).unwrap();
    let mut read = Vec::new();
    while read.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        read = looks.round().await.read;
    }
    assert_eq!(read[0].0, 0, "what answers again is read");
}
