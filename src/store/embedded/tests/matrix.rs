//! Every file of a store, every kind of damage. Each is refused at the start by name, or named by the check, or does no harm at all: what is
//! served then is byte for byte what was served before. Nothing damaged is ever served as if it were sound, and nothing panics or hangs.
//!
//! A few places of each file by default; all of them, in steps of a few bytes, with `SAMBAND_DAMAGE=all`.

use std::time::{Duration, Instant};

use super::*;
use crate::clock::Clock as _;
use crate::domain::id::MessageId;
use crate::store::contract::case_bed::{OSLO, RU_OSLO, id, wish};
use crate::store::embedded::fsck::{FsckReport, fsck};
use crate::store::{Accepted, EntryProof, Item, LogEntry, RecordFilter, Store, StoreError};

/// One damage takes no longer to be found.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with everything in it, and what a sound gateway serves from it.
struct Sound {
    home: Home,
    truth: Served,
}

/// What is served. An answer that says that it cannot be given is none.
struct Served {
    items: Option<Vec<Item>>,
    contents: Vec<Option<crate::domain::sensitive::Content>>,
    receipts: Vec<Option<Accepted>>,
    records: Option<Vec<LogEntry>>,
    proofs: Vec<Option<EntryProof>>,
    wanted: Vec<(crate::audit::event::ItemNumber, MessageId)>,
}

impl Sound {
    /// Two turns, two months, full and partial tiles, undelivered content in a base and in journals, three journals.
    async fn new() -> Self {
        let home = Home::new();
        let mut wanted = Vec::new();
        let store = home.open_with_reserve();
        let bed = home.bed(&store);
        bed.ready().await;
        let mut send = async |bed: &crate::store::contract::case_bed::Bed, count: usize| {
            for _ in 0..count {
                let (message_id, accepted) = bed.send_notice(&wish(), None).await.unwrap();
                wanted.push((crate::audit::event::ItemNumber::main(accepted.index), message_id));
            }
        };
        send(&bed, 280).await;
        bed.take(RU_OSLO).await;
        store.publish_now().await.unwrap();
        store.turn_now().await.unwrap();
        bed.advance_days(12);
        send(&bed, 20).await;
        store.publish_now().await.unwrap();
        send(&bed, 5).await;
        store.turn_now().await.unwrap();
        send(&bed, 4).await;
        store.stop().await.unwrap();
        drop((bed, store));
        for _ in 0..2 {
            let store = home.open_with_reserve();
            send(&home.bed(&store), 3).await;
            store.stop().await.unwrap();
        }
        let copy = home.copied();
        let store = copy.open_with_reserve();
        let truth = Served::by(&store, wanted).await;
        assert!(truth.items.as_ref().unwrap().len() == 35 && truth.contents.iter().filter(|content| content.is_some()).count() == 35);
        assert!(truth.receipts.iter().all(Option::is_some) && truth.proofs.iter().all(Option::is_some));
        assert_eq!(home.check().unwrap().damages, []);
        Self { home, truth }
    }

    fn files(&self) -> Vec<String> {
        let root = self.home.dir.path();
        let names = files_below(root).into_iter().map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        // sled's files have tests of their own, `LOCK` holds nothing.
        let mut names: Vec<String> = names.filter(|name| !name.starts_with("data/index/") && name != "data/LOCK").collect();
        // Of the partial tiles of one place, the narrowest and the widest, which the checkpoint names.
        let width = |name: &str| name.rsplit_once(".p/").and_then(|(place, width)| Some((place.to_owned(), width.parse::<u16>().ok()?)));
        let partials: Vec<(String, u16)> = names.iter().filter_map(|name| width(name)).collect();
        names.retain(|name| {
            let Some((place, own)) = width(name) else { return true };
            let beside = || partials.iter().filter(|(other, _)| *other == place).map(|(_, width)| *width);
            beside().all(|other| other >= own) || beside().all(|other| other <= own)
        });
        names
    }
}

impl Home {
    fn open_with_reserve(&self) -> Arc<EmbeddedStore> {
        self.try_open_with_reserve().expect("the store opens")
    }

    fn try_open_with_reserve(&self) -> Result<Arc<EmbeddedStore>, OpenError> {
        let mut options = self.options();
        options.disk = DiskBounds { low_water: 0, reserve: 4096 };
        EmbeddedStore::open(options)
    }

    fn copied(&self) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(MockClock::new(self.clock.now())), fatal: Arc::default() };
        copy_folder(self.dir.path(), copy.dir.path());
        copy
    }

    fn check(&self) -> Result<FsckReport, OpenError> {
        fsck(&self.data(), Some(Zeroizing::new(KEY)), &mut |_| ())
    }
}

impl Served {
    async fn by(store: &Arc<EmbeddedStore>, wanted: Vec<(crate::audit::event::ItemNumber, MessageId)>) -> Self {
        let sampled: Vec<_> =
            wanted.iter().copied().enumerate().filter(|(at, _)| at % 40 == 0 || *at > 276).map(|(_, both)| both).collect();
        let (mut contents, mut receipts, mut proofs) = (Vec::new(), Vec::new(), Vec::new());
        for (item, message_id) in sampled {
            contents.push(said(store.content(item).await).flatten());
            receipts.push(said(store.receipt(&id(OSLO), message_id).await).flatten());
            // An entry whose head differs proves under another one; the record and the leaf must be the same.
            // One that says that its record cannot be read says nothing of it.
            let proof = said(store.prove(item.index()).await).flatten().filter(|proof| !proof.unreadable);
            proofs.push(proof.map(|proof| EntryProof { proof: bytes::Bytes::new(), ..proof }));
        }
        let filter = RecordFilter { to_index: Some(330), ..RecordFilter::default() };
        let records = said(store.records(&filter, 400).await.and_then(crate::store::Page::whole)).map(|page| page.entries);
        let items = said(store.waiting(&id(RU_OSLO), None, 1000).await);
        Self { items, contents, receipts, records, proofs, wanted }
    }

    /// Everything that is said is true. Returns whether everything is said.
    fn is_true(&self, truth: &Self, case: &str) -> bool {
        let mut whole = true;
        let mut same = |what: &str, is_said: bool, equal: bool| {
            whole &= is_said;
            assert!(!is_said || equal, "{case}: {what} is served and is not what it was");
        };
        same("the mailbox", self.items.is_some(), self.items == truth.items);
        same("the records", self.records.is_some(), self.records == truth.records);
        for (mine, other) in self.contents.iter().zip(&truth.contents) {
            same("a content", mine.is_some() == other.is_some(), mine == other);
        }
        for (mine, other) in self.receipts.iter().zip(&truth.receipts) {
            same("a receipt", mine.is_some(), mine == other);
        }
        for (mine, other) in self.proofs.iter().zip(&truth.proofs) {
            same("a proof", mine.is_some(), mine == other);
        }
        whole
    }
}

fn said<T>(answer: Result<T, StoreError>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(StoreError::Damaged { .. } | StoreError::Stopped) => None,
        Err(other) => panic!("damage is told as damage, not as {other}"),
    }
}

/// What happens to a file.
#[derive(Debug, Clone)]
enum Harm {
    Flip(u64),
    Cut(u64),
    Grown,
    Missing,
    Swapped(String),
}

impl Harm {
    fn all(len: u64, twin: Option<&String>) -> Vec<Self> {
        let step = if std::env::var("SAMBAND_DAMAGE").is_ok_and(|how| how == "all") { len.div_ceil(400) } else { len.div_ceil(2) };
        let mut all: Vec<Self> = (0..len).step_by(step.max(1) as usize).map(Self::Flip).collect();
        all.extend([Self::Flip(len.saturating_sub(1)), Self::Missing, Self::Cut(0), Self::Cut(len / 2), Self::Grown]);
        all.extend(twin.cloned().map(Self::Swapped));
        all
    }

    fn inflict(&self, root: &Path, name: &str) {
        let path = root.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        match self {
            Self::Flip(at) => bytes[*at as usize] ^= 0x04,
            Self::Cut(len) => bytes.truncate(*len as usize),
            Self::Grown => bytes.extend_from_slice(&[0xa5; 100]),
            Self::Missing => return std::fs::remove_file(&path).unwrap(),
            Self::Swapped(other) => {
                let other = root.join(other);
                let theirs = std::fs::read(&other).unwrap();
                std::fs::write(&other, &bytes).unwrap();
                bytes = theirs;
            }
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

/// Another file of the same kind with another content.
fn twin(files: &[String], root: &Path, name: &str) -> Option<String> {
    let kind = |name: &str| {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        (
            folder.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'p' || c == '.').to_owned(),
            file.rsplit_once('.').map(|(_, suffix)| suffix.to_owned()),
        )
    };
    let own = std::fs::read(root.join(name)).unwrap();
    let partner = match name {
        "data/FORMAT" => Some("data/CURRENT".to_owned()),
        _ => files.iter().find(|other| *other != name && kind(other) == kind(name)).cloned(),
    };
    partner.filter(|other| std::fs::read(root.join(other)).unwrap() != own)
}

/// The few places where damage does no harm and cannot be told from what a crash leaves.
fn may_be_harmless(name: &str, harm: &Harm) -> bool {
    match name {
        // Taken anew whatever it is.
        "data/reserve" => true,
        // Its absence is told in the log of the start, and it is written anew from the checkpoint.
        "high-water" => matches!(harm, Harm::Missing),
        // A partial tile of an older size is the beginning of the one that has grown from it; the check names what the checkpoint needs.
        _ if name.contains(".p/") => matches!(harm, Harm::Missing),
        // The tail behind the last durable frame: a torn one is left behind at every start. One that no crash leaves is named.
        _ if name.starts_with("data/journal/") => !matches!(harm, Harm::Grown),
        _ => false,
    }
}

async fn inflict_all(sound: &Sound, files: &[String], is_mine: impl Fn(&str) -> bool) -> usize {
    let mut cases = 0;
    for name in files.iter().filter(|name| is_mine(name)) {
        let root = sound.home.dir.path();
        let len = std::fs::metadata(root.join(name)).unwrap().len();
        for harm in Harm::all(len, twin(files, root, name).as_ref()) {
            one(sound, name, &harm).await;
            cases += 1;
        }
    }
    cases
}

async fn one(sound: &Sound, name: &str, harm: &Harm) {
    let case = format!("{name}, {harm:?}");
    let begun = Instant::now();
    let copy = sound.home.copied();
    harm.inflict(copy.dir.path(), name);
    let below = name.strip_prefix("data/").unwrap_or(name);
    let mut concerned = vec![below.to_owned()];
    if let Harm::Swapped(other) = harm {
        concerned.push(other.strip_prefix("data/").unwrap_or(other).to_owned());
    }
    let names = |damage: &super::super::Damage| {
        concerned.iter().any(|file| damage.file.ends_with(file.as_str()) || damage.what.contains(file.as_str()))
    };
    let checked = copy.check();
    let named_by_check = match &checked {
        Ok(report) => report.damages.iter().any(names),
        Err(OpenError::Damaged(damage)) => names(damage),
        Err(OpenError::NotAStore { file }) => concerned.contains(file),
        Err(other) => panic!("{case}: the check ends with {other}"),
    };
    let is_sound = matches!(&checked, Ok(report) if report.is_sound());
    assert!(is_sound || named_by_check, "{case}: the check names something else: {checked:?}");
    match copy.try_open_with_reserve() {
        Err(OpenError::Damaged(damage) | OpenError::Mark(damage)) => assert!(names(&damage), "{case}: the start names {damage}"),
        // A folder without FORMAT and with files in it is refused as such.
        Err(OpenError::NotEmpty(_)) => assert_eq!(below, "FORMAT", "{case}"),
        // Whole entries are gone from the end: an older state of the same store, which the check names by its file.
        Err(OpenError::Behind { .. }) => assert!(named_by_check, "{case}: behind, and the check names nothing"),
        Err(other) => panic!("{case}: the start ends with {other}"),
        Ok(store) => {
            let served = Served::by(&store, sound.truth.wanted.clone()).await;
            let whole = served.is_true(&sound.truth, &case);
            assert!(named_by_check || (whole && may_be_harmless(name, harm)), "{case}: nobody noticed");
            _ = store.stop().await;
        }
    }
    assert!(begun.elapsed() < PATIENCE, "{case}: {:?}", begun.elapsed());
}

#[tokio::test]
async fn every_damage_to_a_sealed_file_or_a_key_is_refused_or_named() {
    let sound = Sound::new().await;
    let files = sound.files();
    let cases = inflict_all(&sound, &files, |name| !name.starts_with("data/log/")).await;
    for kind in ["FORMAT", "CURRENT", "reserve", ".j", ".state", ".content", ".rec", ".key", "high-water"] {
        assert!(files.iter().any(|name| name.ends_with(kind)), "no {kind} in {files:?}");
    }
    assert!(cases > 100, "{cases}");
}

#[tokio::test]
async fn every_damage_to_the_published_log_is_named_and_nothing_false_is_proved() {
    let sound = Sound::new().await;
    let files = sound.files();
    let cases = inflict_all(&sound, &files, |name| name.starts_with("data/log/")).await;
    for kind in ["checkpoint", "entries/000", "tile/0/000", "tile/entries/003.p/", "tile/0/003.p/", "tile/1/000.p/3"] {
        assert!(files.iter().any(|name| name.contains(kind)), "no {kind} in {files:?}");
    }
    assert!(cases > 60, "{cases}");
}

#[tokio::test]
async fn foreign_files_are_named_by_the_check_and_left_alone_by_the_start() {
    let home = Home::new();
    home.open().stop().await.unwrap();
    let foreign = [
        "notes.txt",
        "journal/000000000001.j.bak",
        "journal/1.j",
        "base/old.state",
        // No turn of this store has come so far.
        "base/000000000099.state",
        "base/000000000002.content",
        "holds/000000000001-000000000099.rec",
        "records/2026-13.rec",
        "keys/id_rsa",
        "log/tile/0/000.orig",
        "log/index.html",
        "index/backup",
    ];
    for name in foreign {
        std::fs::write(home.data().join(name), "theirs").unwrap();
    }
    for key in [Some(Zeroizing::new(KEY)), None] {
        let report = fsck(&home.data(), key, &mut |_| ()).unwrap();
        let mut named: Vec<_> = report.damages.iter().map(|damage| damage.file.as_str()).collect();
        named.sort_unstable();
        let mut wanted = foreign.to_vec();
        wanted.sort_unstable();
        assert_eq!(named, wanted);
    }
    home.open().stop().await.unwrap();
    for name in foreign {
        assert_eq!(std::fs::read(home.data().join(name)).unwrap(), b"theirs", "{name}");
    }
}
