//! What was erased is nowhere: every byte of the data folder, of its backups and of all that the remaining keys open is looked at.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command as Process;

use aws_lc_rs::{digest, hmac};

use super::*;
use crate::audit::event::{Event, ItemNumber, MessageKind};
use crate::audit::receipt::Receipt;
use crate::audit::tlog_proof::TlogProof;
use crate::domain::hold::HoldReason;
use crate::domain::id::MessageId;
use crate::domain::reason::NoticeWithdrawal;
use crate::domain::time::DAY_MILLIS;
use crate::policy::command::{Body, Command};
use crate::store::contract::case_bed::{LAB, NoticeWish, OSLO, RU_OSLO, accepted, id, report, result, submission, wish};
use crate::store::contract::holds::place_hold;
use crate::store::embedded::base::read_state;
use crate::store::embedded::contents::{Holder, LOST, Location, open_holder, read};
use crate::store::embedded::disk::RealDisk;
use crate::store::embedded::fsck::fsck;
use crate::store::embedded::info::info;
use crate::store::embedded::journal::Reader;
use crate::store::embedded::keys::Keys;
use crate::store::embedded::layout::{Current, Format, Layout};
use crate::store::embedded::records::Archive;
use crate::store::embedded::unread;
use crate::store::sealer::unwrap;
use crate::store::{Accepted, OverdueAfter, RecordFilter, Store, StoreError};

const NUMBER: &str = "03851598730";
const NEVER: OverdueAfter = OverdueAfter { notice_millis: i64::MAX / 4, report_millis: i64::MAX / 4, result_millis: i64::MAX / 4 };

/// Byte strings that are looked for all at once, by their first eight bytes.
#[derive(Default)]
struct Needles {
    by_head: HashMap<[u8; 8], Vec<(String, Vec<u8>)>>,
}

impl Needles {
    fn add(&mut self, label: impl Into<String>, bytes: &[u8]) {
        let head = *bytes.first_chunk().expect("a needle is at least eight bytes long");
        self.by_head.entry(head).or_default().push((label.into(), bytes.to_vec()));
    }

    /// A value as it is, and every hash of it that somebody who guesses the value could compute: plain, and under each of `keys`.
    fn value(&mut self, label: &str, value: &[u8], keys: &[Vec<u8>]) {
        self.add(label, value);
        let mut hash = |what: String, hash: &[u8]| {
            self.add(format!("{what} of {label}"), hash);
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            self.add(format!("{what} of {label}, as text"), hex.as_bytes());
        };
        hash("SHA-256".into(), digest::digest(&digest::SHA256, value).as_ref());
        hash("SHA-512".into(), digest::digest(&digest::SHA512, value).as_ref());
        for (n, key) in keys.iter().enumerate() {
            hash(format!("HMAC {n}"), hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), value).as_ref());
        }
    }

    fn found_in(&self, bytes: &[u8]) -> HashSet<&str> {
        let mut found = HashSet::new();
        for (at, head) in bytes.windows(8).enumerate() {
            for (label, needle) in self.by_head.get(head).into_iter().flatten() {
                if bytes[at..].starts_with(needle) {
                    found.insert(label.as_str());
                }
            }
        }
        found
    }

    fn found_below(&self, folder: &Path) -> HashSet<&str> {
        // What the store itself removes meanwhile holds nothing.
        let read = |path: &std::path::PathBuf| match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.unwrap(),
        };
        files_below(folder).iter().flat_map(|path| self.found_in(&read(path))).collect()
    }
}

/// The storage key's holder: all that the folder's keys still open, as one text of plain bytes.
struct Holding {
    layout: Layout,
    keys: Keys,
}

impl Holding {
    fn of(home: &Home) -> Self {
        let layout = Layout::new(&home.data(), Arc::new(RealDisk));
        Self { keys: Keys::new(layout.clone(), Zeroizing::new(KEY)), layout }
    }

    /// Name, wrapped key and key of each sealed file that has one.
    fn raw_keys(&self) -> Vec<(String, Vec<u8>, [u8; 32])> {
        let open = |name: &String| {
            let wrapped = std::fs::read(self.layout.path(&format!("keys/{name}"))).unwrap();
            let (folder, rest) = name.strip_suffix(".key").unwrap().split_once('-').unwrap();
            let key = unwrap(&KEY, &format!("{folder}/{rest}"), &wrapped).unwrap();
            (name.clone(), wrapped, *key)
        };
        self.layout.names("keys").unwrap().iter().map(open).collect()
    }

    /// Every key that a holder of the storage key has.
    fn all_keys(&self) -> Vec<Vec<u8>> {
        let format = Format::read(&self.layout).unwrap().unwrap();
        let subject = self.keys.unwrap_secret("FORMAT", &format.subject_key).unwrap();
        let mut keys = vec![KEY.to_vec(), vec![7; 32], subject.to_vec()];
        keys.extend(self.raw_keys().into_iter().map(|(_, _, key)| key.to_vec()));
        keys
    }

    fn plain(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let current = Current::read(&self.layout).unwrap().unwrap();
        let mut chain = crate::store::embedded::frame::Chain::START;
        if let Some(number) = current.base {
            let base = read_state(&self.layout, &self.keys, number).unwrap();
            chain = base.chain;
            let file = open_holder(&self.layout, &self.keys, Holder::Base(number)).unwrap();
            for (index, offset, len) in base.contents.iter().filter(|(_, _, len)| *len != LOST) {
                let place = crate::store::embedded::base::content_place(*index, *offset);
                let location = Location { holder: Holder::Base(number), offset: *offset, len: *len, place };
                out.extend_from_slice(&read(&file, &location).unwrap());
            }
            let archive = Archive::new(&self.layout, &self.keys, base.months.clone(), base.held.clone());
            let mut show = |slot: &crate::store::embedded::records::Slot| {
                out.extend_from_slice(&slot.entry.record.sender_part());
                out.extend_from_slice(&slot.entry.record.gateway_part());
                out.extend_from_slice(&postcard::to_stdvec(&slot.entry.record).unwrap());
            };
            archive
                .scan(0, u64::MAX, &mut |_, slot| {
                    show(&slot);
                    true
                })
                .unwrap();
            for index in archive.held().between(0, u64::MAX) {
                show(&archive.held().slot(index).unwrap().unwrap());
            }
            out.extend_from_slice(&postcard::to_stdvec(&(&base.snapshot.later.holds, &base.held)).unwrap());
            out.extend_from_slice(&postcard::to_stdvec(&base).unwrap());
        }
        let mut reader = Reader::new(&self.layout, Some(&self.keys), chain);
        for file in self.layout.journals().unwrap() {
            let mut pieces = Vec::new();
            reader
                .file(file, &mut |frame| {
                    out.extend_from_slice(&postcard::to_stdvec(&frame.body).unwrap());
                    pieces.extend(frame.pieces);
                    Ok(())
                })
                .unwrap();
            for piece in pieces {
                let holder = Holder::Journal(file);
                let location = Location { holder, offset: piece.offset, len: piece.len, place: piece.place };
                out.extend_from_slice(&read(&open_holder(&self.layout, &self.keys, holder).unwrap(), &location).unwrap());
            }
        }
        out
    }
}

/// A message with real-looking content.
async fn send(bed: &Bed, who: &str, body: Body, content: &'static str) -> (MessageId, Accepted) {
    let message_id = bed.fresh();
    let salt = crate::clock::random_32(&SystemEntropy::default());
    let mut commit = [0; 32];
    commit.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &salt), content.as_bytes()).as_ref());
    let submission =
        crate::policy::command::Submission { commit, canonical: content.as_bytes().to_vec().into(), ..submission(message_id, body, None) };
    (message_id, accepted(bed.submit(who, submission).await.unwrap()))
}

/// The documented way: of the folder of a stopped store, which is opened again afterwards. While it runs a turn of its own may change files under the script.
async fn back_up(home: &Home, store: Arc<EmbeddedStore>, bed: Bed, to: &Path) -> (Arc<EmbeddedStore>, Bed) {
    drop(bed);
    store.stop().await.unwrap();
    drop(store);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/backup.sh");
    let done = Process::new("bash").arg(script).arg(home.data()).arg(to.join("archive")).arg(to.join("keys")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let store = home.open();
    let bed = home.bed(&store);
    (store, bed)
}

async fn calendar(bed: &Bed) {
    let due = bed.store().due(bed.store().now(), NEVER, 100).await.unwrap();
    for case_ref in due.ended {
        bed.store().act(Command::EndCase { case_ref }).await.unwrap();
    }
    for case_ref in due.forgotten {
        bed.store().act(Command::ForgetCase { case_ref }).await.unwrap();
    }
    for case_ref in due.holds {
        bed.store().act(Command::EndHold { case_ref }).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_erased_is_nowhere_and_neither_are_its_hashes_nor_its_keys() {
    const CONTENTS: [&str; 3] = [
        "fnr=03851598730\nnavn=Prøvesen Syntetisk Kjeldsberg\n",
        "case=S\nsummoned=2026-11-03 missed=2026-11-10\n",
        "NPU08973 amfetamin DETECTED 212 ug/L\n",
    ];
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let short = NoticeWish { probation_end: "2026-12-01", to: "2026-12-01", subject: NUMBER, ..wish() };
    let made = crate::store::contract::case_bed::notice(&short);
    let (notice_id, opened) = send(&bed, OSLO, Body::Notice(Box::new(made)), CONTENTS[0]).await;
    let (case_ref, requisition) = (opened.case_ref.unwrap(), opened.requisition_id.unwrap());
    let notice = bed.fetch(RU_OSLO).await[0].item;
    let (result_id, lab_receipt) = send(&bed, LAB, Body::Result(result(requisition, "PR-98765432")), CONTENTS[2]).await;
    store.turn_now().await.unwrap();
    let holding = Holding::of(&home);
    let keys = holding.all_keys();
    let mut content = Needles::default();
    for (label, value) in
        [("fnr", NUMBER), ("name", "Prøvesen Syntetisk Kjeldsberg"), ("code", "NPU08973"), ("notice", CONTENTS[0]), ("result", CONTENTS[2])]
    {
        content.value(label, value.as_bytes(), &keys);
    }
    let plain = holding.plain();
    // The positive control: with the keys, the values are there; without them nothing is.
    let found = content.found_in(&plain);
    for label in ["fnr", "name", "code", "notice", "result"] {
        assert!(found.contains(label), "{label} is there before it is erased: {found:?}");
    }
    assert_eq!(content.found_below(home.dir.path()), HashSet::new(), "and sealed");
    let old_keys = holding.raw_keys();
    let backup = home.dir.path().join("backup");
    let (store, bed) = back_up(&home, store, bed, &backup).await;

    // Acknowledged: the next turn erases content and keys.
    bed.acknowledge(RU_OSLO, vec![notice]).await.unwrap();
    let (report_id, _) = send(&bed, RU_OSLO, Body::Report(report(case_ref, "2026-11-10")), CONTENTS[1]).await;
    bed.take(OSLO).await;
    assert_eq!(store.turn_now().await.unwrap().erased, 3);
    let (store, bed) = back_up(&home, store, bed, &backup).await;
    content.value("report", CONTENTS[1].as_bytes(), &holding.all_keys());
    assert_eq!(content.found_in(&holding.plain()), HashSet::new(), "nothing that the remaining keys open");
    assert_eq!(content.found_below(home.dir.path()), HashSet::new());
    let mut gone = Needles::default();
    for (name, wrapped, key) in old_keys.iter().filter(|(name, ..)| !name.starts_with("records-")) {
        gone.add(format!("wrapped key {name}"), wrapped);
        gone.add(format!("key {name}"), key);
    }
    assert!(gone.by_head.len() >= 4);
    // The first archive is still there; the keys of its files are nowhere.
    assert_eq!(files_below(&backup.join("archive")).len(), 2);
    assert_eq!(gone.found_below(home.dir.path()), HashSet::new(), "keys of erased files");

    // The case ends three months after probation; what it was checked against goes, and thirty days later the rest.
    let mut of_case = Needles::default();
    let keys = holding.all_keys();
    let case_key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &keys[2]), case_ref.as_bytes());
    of_case.add("subject", hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, case_key.as_ref()), NUMBER.as_bytes()).as_ref());
    of_case.add("label", b"PR-98765432");
    let commit = crate::store::contract::case_bed::notice(&short).subject_commit(case_key.as_ref().try_into().unwrap());
    of_case.add("subject commitment", &commit);
    assert!(of_case.found_in(&holding.plain()).contains("subject commitment"), "it is compared with while the case lives");
    home.clock.advance_millis(105 * DAY_MILLIS);
    calendar(&bed).await;
    store.turn_now().await.unwrap();
    assert_eq!(of_case.found_in(&holding.plain()), HashSet::new());
    home.clock.advance_millis(31 * DAY_MILLIS);
    calendar(&bed).await;
    store.turn_now().await.unwrap();
    assert_eq!(store.stats().await.unwrap().cases, 0);

    // Months of records go at their age, with all that named the messages; the proofs stay.
    let mut records = Needles::default();
    for (label, id) in [("notice id", notice_id), ("report id", report_id), ("result id", result_id)] {
        records.value(label, id.as_bytes(), &keys);
        records.value(&format!("{label} as text"), id.to_string().as_bytes(), &keys);
    }
    records.value("case", case_ref.as_bytes(), &keys);
    records.value("case as text", case_ref.to_string().as_bytes(), &keys);
    records.value("requisition", requisition.as_bytes(), &keys);
    records.value("requisition as text", requisition.to_string().as_bytes(), &keys);
    let entry = store.records(&RecordFilter { message_id: Some(notice_id), ..RecordFilter::default() }, 1).await.unwrap();
    let record = entry.entries[0].record.clone().unwrap();
    records.value("sender part", &record.sender_part(), &keys);
    records.value("gateway part", &record.gateway_part(), &keys);
    let plain = holding.plain();
    let found = records.found_in(&plain);
    for label in ["notice id", "report id as text", "case", "case as text", "requisition as text", "sender part", "gateway part"] {
        assert!(found.contains(label), "{label} is there before its month is erased: {found:?}");
    }
    let month_keys = holding.raw_keys();
    let old_proof = store.prove(opened.index).await.unwrap().unwrap();
    assert!(old_proof.record.is_some());
    for _ in 0..19 {
        home.clock.advance_millis(29 * DAY_MILLIS);
        store.act(Command::Note(Event::Stopped)).await.unwrap();
        store.turn_now().await.unwrap();
    }
    let (store, _) = back_up(&home, store, bed, &backup).await;
    assert_eq!(records.found_in(&holding.plain()), HashSet::new(), "nothing that the remaining keys open");
    assert_eq!(records.found_below(home.dir.path()), HashSet::new());
    assert_eq!(content.found_below(home.dir.path()), HashSet::new());
    for (name, wrapped, key) in &month_keys {
        gone.add(format!("wrapped key {name}"), wrapped);
        gone.add(format!("key {name}"), key);
    }
    assert_eq!(gone.found_below(home.dir.path()), HashSet::new(), "keys of erased months");

    // Erased entries show as erased, and everything anyone holds still verifies.
    let page = store.records(&RecordFilter::default(), 1000).await.unwrap();
    assert!(page.erased > lab_receipt.index);
    for receipt in [&opened.receipt, &lab_receipt.receipt] {
        Receipt::verify(std::str::from_utf8(receipt).unwrap(), &verifier(), &origin()).unwrap();
    }
    let proof = store.prove(opened.index).await.unwrap().unwrap();
    assert_eq!((proof.record, proof.leaf), (None, old_proof.leaf));
    for bytes in [&proof.proof, &old_proof.proof] {
        TlogProof::parse(std::str::from_utf8(bytes).unwrap()).unwrap().verify(&proof.leaf, &verifier()).unwrap();
    }
    assert_eq!(store.content(ItemNumber::main(opened.index)).await.unwrap(), None);
    assert_eq!(store.receipt(&id(OSLO), notice_id).await.unwrap(), None);
}

#[tokio::test]
async fn a_hold_keeps_its_case_alone_and_is_nowhere_when_it_has_ended() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let short = NoticeWish { probation_end: "2026-12-01", to: "2026-12-01", ..wish() };
    let (held_id, held) = bed.send_notice(&short, None).await.unwrap();
    let (other_id, other) = bed.send_notice(&short, None).await.unwrap();
    bed.take(RU_OSLO).await;
    let until = "2029-06-30";
    place_hold(&bed, held.case_ref.unwrap(), HoldReason::Complaint, until).await.unwrap();
    let pass = async |store: &EmbeddedStore, bed: &Bed, days: i64| {
        home.clock.advance_millis(days * DAY_MILLIS);
        calendar(bed).await;
        store.act(Command::Note(Event::Stopped)).await.unwrap();
        store.turn_now().await.unwrap();
    };
    let all_keys = Holding::of(&home).all_keys();
    let of = |label: &str, message_id: MessageId, accepted: &Accepted| {
        let mut needles = Needles::default();
        needles.value(&format!("{label} id"), message_id.as_bytes(), &all_keys);
        needles.value(&format!("{label} id as text"), message_id.to_string().as_bytes(), &all_keys);
        needles.value(&format!("{label} case"), accepted.case_ref.unwrap().as_bytes(), &all_keys);
        needles
    };
    let (needles, others) = (of("held", held_id, &held), of("other", other_id, &other));
    // Fourteen months after: the month is gone, one case is not.
    for _ in 0..20 {
        pass(&store, &bed, 29).await;
    }
    let holding = Holding::of(&home);
    assert!(needles.found_in(&holding.plain()).contains("held id as text"), "the positive control");
    assert_eq!(others.found_in(&holding.plain()).iter().filter(|label| label.contains("id")).count(), 0);
    assert_eq!(needles.found_below(home.dir.path()), HashSet::new(), "sealed");
    let backup = home.dir.path().join("backup");
    let (store, bed) = back_up(&home, store, bed, &backup).await;
    let proof = store.prove(held.index).await.unwrap().unwrap();
    assert!(proof.record.is_some() && store.prove(other.index).await.unwrap().unwrap().record.is_none());
    assert_eq!(store.receipt(&id(OSLO), held_id).await.unwrap(), Some(held.clone()), "the same bytes as ever");
    let timeline = RecordFilter { case_ref: held.case_ref, ..RecordFilter::default() };
    let page = store.records(&timeline, 100).await.unwrap();
    let kinds: Vec<u16> = page.entries.iter().map(|entry| entry.record.as_ref().unwrap().kind).collect();
    assert_eq!(kinds, [10, 20, 21, 63, 24, 26]);
    let hold_keys: Vec<_> = holding.raw_keys().into_iter().filter(|(name, ..)| name.starts_with("holds-")).collect();
    assert_eq!(hold_keys.len(), 1);
    assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);

    // Its last day is over: the key goes, and with it every byte.
    for _ in 0..14 {
        pass(&store, &bed, 29).await;
    }
    assert!(store.holds().await.unwrap().is_empty());
    let (store, _) = back_up(&home, store, bed, &backup).await;
    let mut gone = Needles::default();
    for (name, wrapped, key) in &hold_keys {
        gone.add(format!("wrapped key {name}"), wrapped);
        gone.add(format!("key {name}"), key);
    }
    assert_eq!(gone.found_below(home.dir.path()), HashSet::new(), "the key of the hold");
    let left = needles.found_in(&holding.plain()).into_iter().filter(|label| label.contains("id")).count();
    assert_eq!(left, 0, "no message is named any more");
    assert_eq!(files_below(&home.data().join("holds")).len(), 0);
    let erased = RecordFilter { kinds: vec![32, 65], ..RecordFilter::default() };
    let told = store.records(&erased, 10).await.unwrap().entries;
    let told: Vec<_> = told.iter().map(|entry| entry.record.as_ref().map(|record| (record.kind, record.count)).unwrap()).collect();
    assert_eq!(told, [(65, None), (32, Some(6))], "ended, then erased");
    Receipt::verify(std::str::from_utf8(&held.receipt).unwrap(), &verifier(), &origin()).unwrap();
    let bare = store.prove(held.index).await.unwrap().unwrap();
    assert_eq!((bare.record, bare.leaf), (None, proof.leaf));
    for bytes in [&proof.proof, &bare.proof] {
        TlogProof::parse(std::str::from_utf8(bytes).unwrap()).unwrap().verify(&proof.leaf, &verifier()).unwrap();
    }
}

/// Everyone who is to hear of it does: the reader, the operator who looks from outside, and the gateway's own look.
async fn one_is_told_as_damaged(home: &Home, store: &Arc<EmbeddedStore>, item: ItemNumber) {
    let base = Current::read(&Holding::of(home).layout).unwrap().unwrap().base.unwrap();
    let file = format!("base/{base:012}.content");
    let said = store.content(item).await.unwrap_err();
    assert!(matches!(&said, StoreError::Damaged { place } if place.starts_with(&file)), "{said}");
    assert_eq!(store.unreadable_contents(&[item]).await.len(), 1);
    unread::look_now(&store.engine);
    assert_eq!(store.stats().await.unwrap().unreadable, 1);
    let sealed = info(&home.data(), Some(Zeroizing::new(KEY)), home.clock.now()).unwrap().sealed.unwrap();
    assert_eq!((sealed.unread, sealed.contents), (1, 1));
    assert_eq!(store.engine.contents.lock().bytes(), 24 + 16, "those of the sound one");
    let damages = fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages;
    assert!(damages.len() == 1 && damages[0].file == file && damages[0].what.contains("nothing of it is left"), "{damages:?}");
}

#[tokio::test]
async fn content_that_is_damaged_keeps_nothing_acknowledged_on_disk_and_stays_told() {
    const CONTENTS: [&str; 3] = ["innhold en, som er kvittert", "innhold to, som er skadet", "innhold tre, som er helt"];
    const HOUR_MILLIS: i64 = 60 * 60 * 1000;
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    let mut sent = Vec::new();
    for content in CONTENTS {
        let body = Body::Notice(Box::new(crate::store::contract::case_bed::notice(&wish())));
        sent.push(send(&bed, OSLO, body, content).await);
    }
    store.turn_now().await.unwrap();
    let items: Vec<ItemNumber> = sent.iter().map(|(_, accepted)| ItemNumber::main(accepted.index)).collect();
    let (holding, old) = (Holding::of(&home), home.data().join("base/000000000001.content"));
    let (old_keys, plain, sealed) = (holding.raw_keys(), holding.plain(), std::fs::read(&old).unwrap());
    let mut gone = Needles::default();
    for content in &CONTENTS[..2] {
        gone.value(content, content.as_bytes(), &holding.all_keys());
        assert!(gone.found_in(&plain).contains(content), "the positive control");
    }
    gone.add("the sealed contents", &sealed[..sealed.len() - 20]);
    for (name, wrapped, key) in old_keys.iter().filter(|(name, ..)| name.contains(".content") || name.starts_with("journal")) {
        gone.add(format!("wrapped key {name}"), wrapped);
        gone.add(format!("key {name}"), key);
    }
    let mut bytes = sealed;
    bytes[CONTENTS[0].len() + 16 + 5] ^= 1;
    std::fs::write(&old, bytes).unwrap();
    let numbers = vec![items[0]];
    bed.hand_out(RU_OSLO, "r1", numbers.clone()).await.unwrap();
    bed.acknowledge(RU_OSLO, numbers).await.unwrap();

    // For half of the time within which it is to be gone, the file may be put back.
    for hours in [0, 11] {
        home.clock.advance_millis(hours * HOUR_MILLIS);
        let error = store.turn_now().await.unwrap_err().to_string();
        assert!(error.contains("base/000000000001.content, offset 43"), "{error}");
    }
    home.clock.advance_millis(2 * HOUR_MILLIS);
    let turned = store.turn_now().await.unwrap();
    assert_eq!((turned.kept, turned.lost), (1, 1));
    assert_eq!(gone.found_in(&holding.plain()), HashSet::new(), "nothing that the remaining keys open");
    assert_eq!(gone.found_below(home.dir.path()), HashSet::new());
    one_is_told_as_damaged(&home, &store, items[1]).await;

    // Over further turns and starts, while the sound one is read as ever.
    assert_eq!(store.turn_now().await.unwrap().lost, 1);
    store.stop().await.unwrap();
    drop((bed, store));
    let store = home.open();
    let bed = home.bed(&store);
    one_is_told_as_damaged(&home, &store, items[1]).await;
    assert_eq!(store.content(items[2]).await.unwrap().as_deref(), Some(CONTENTS[2].as_bytes()));
    assert_eq!(bed.waiting(RU_OSLO).await.len(), 2);

    // Withdrawn, it is damage no more, before the next turn and after it.
    bed.withdraw(OSLO, MessageKind::ConditionNotice, sent[1].0, NoticeWithdrawal::SentInError.number()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(store.content(items[1]).await.unwrap(), None);
        assert_eq!(fsck(&home.data(), Some(Zeroizing::new(KEY)), &mut |_| ()).unwrap().damages, []);
        let turned = store.turn_now().await.unwrap();
        assert_eq!((turned.kept, turned.lost, turned.erased), (1, 0, 0), "what was lost was erased then");
    }
}

#[tokio::test]
async fn a_clean_stop_leaves_nothing_acknowledged_behind() {
    let home = Home::new();
    let store = home.open();
    let bed = home.bed(&store);
    bed.ready().await;
    bed.send_notice(&wish(), None).await.unwrap();
    bed.take(RU_OSLO).await;
    let old_keys = Holding::of(&home).raw_keys();
    store.stop().await.unwrap();
    let left = Holding::of(&home).raw_keys();
    assert!(old_keys.iter().all(|(name, ..)| left.iter().all(|(other, ..)| other != name)), "{left:?}");
    assert!(!String::from_utf8_lossy(&Holding::of(&home).plain()).contains("innhold som ingen skal lese"));
    drop((bed, store));
    assert_eq!(home.open().stats().await.unwrap().undelivered, 0);
}
