//! Seeds of the store's targets, by the store's own writers: two lives of a store with everything in them that it writes down.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use super::super::holds::Lacks;
use super::super::layout::{Current, Layout};
use super::super::records::{Entry, HEADER_LEN, Slot, plain_of_slot};
use super::super::tests::{Home, KEY, files_below};
use super::super::{RealDisk, base, frame, journal, keys};
use super::{draft, sealer};
use crate::audit::event::{Event, MessageKind};
use crate::audit::record::Record;
use crate::domain::hold::HoldReason;
use crate::domain::participant::{Contact, Standing};
use crate::domain::scope::AuditScope;
use crate::domain::time::DAY_MILLIS;
use crate::policy::command::{Body, Command};
use crate::policy::table::Verb;
use crate::store::Store as _;
use crate::store::contract::case_bed::{
    Bed, INNLANDET, LAB, LAB_2, NoticeWish, OSLO, RU_HAMAR, RU_OSLO, id, notice, register, report, result, wish,
};
use crate::store::contract::holds::place_hold;

type Seed = (&'static str, String, Vec<u8>);

/// Frames with an event of each kind are enough of the journal.
const SEALED_MAX: usize = 3;

fn tools(home: &Home) -> (Layout, keys::Keys) {
    let layout = Layout::new(&home.data(), Arc::new(RealDisk));
    let keys = keys::Keys::new(layout.clone(), zeroize::Zeroizing::new(KEY));
    (layout, keys)
}

/// The base in force.
fn base_of(home: &Home) -> base::Base {
    let (layout, keys) = tools(home);
    base::read_state(&layout, &keys, Current::of(&layout).unwrap().base.unwrap()).unwrap()
}

/// The frames with an event of a kind that no frame before had, and one record of each kind.
fn frames(home: &Home, name: &str, known: &mut BTreeSet<u16>) -> Vec<Seed> {
    let (layout, keys) = tools(home);
    let current = Current::of(&layout).unwrap();
    let start = current.base.map_or(frame::Chain::START, |_| base_of(home).chain);
    let mut reader = journal::Reader::new(&layout, Some(&keys), start);
    let mut found = Vec::new();
    for number in layout.journals().unwrap() {
        let visit = &mut |read: journal::Read<'_>| {
            let mut kinds = Vec::new();
            for (entry, index) in read.body.entries.iter().zip(read.header.size..) {
                let record = Record::of(&entry.event, entry.time);
                if !known.insert(record.kind) {
                    continue;
                }
                let kind = record.row().unwrap().name.to_lowercase();
                let slot = Slot { entry: Entry { record, openings: entry.openings() }, batch: index };
                let plain = plain_of_slot(index, &slot).unwrap();
                let end = 2 + usize::from(u16::from_le_bytes([plain[0], plain[1]]));
                found.push(("record", kind.clone(), plain[..end].to_vec()));
                kinds.push(kind);
            }
            if !kinds.is_empty() {
                found.push(("journal", kinds.join("-"), postcard::to_stdvec(&read.body).unwrap()));
            }
            if read.header.sequence <= SEALED_MAX as u64 {
                let (mut sealed, head) = (Vec::new(), (read.header.size, read.header.root));
                let chain = frame::Chain { sequence: read.header.sequence, previous: read.header.previous };
                frame::encode(&sealer(), (number, 0), chain, head, &draft(&read.body), &mut sealed);
                found.push(("journal", format!("sealed-{name}-{number}-{}", read.header.sequence), sealed));
            }
            Ok(())
        };
        reader.file(number, visit).unwrap();
    }
    found
}

/// Every message, and every act on one.
async fn busy(bed: &Bed) {
    bed.ready().await;
    let contact = Contact { key: "leder".into(), role_name: "Leder".into(), phone: None, email: Some("leder@ru.example".into()) };
    bed.act(RU_OSLO, Verb::SetContact, |permit| Command::SetContact { permit, contact }).await.unwrap();
    let (first, opened) = bed.send_notice(&wish(), None).await.unwrap();
    let (case_ref, requisition) = (opened.case_ref.unwrap(), opened.requisition_id.unwrap());
    bed.take(RU_OSLO).await;
    bed.send(RU_OSLO, Body::Report(report(case_ref, "2026-11-12")), None).await.unwrap();
    // The same case in another municipality, with less in it.
    let moved = NoticeWish { municipality: "3403", ..wish() };
    bed.send_notice(&moved, Some(first)).await.unwrap();
    let (_, returned) = bed.send_notice(&NoticeWish { control: false, ..wish() }, None).await.unwrap();
    let (withdrawn, _) = bed.send_notice(&NoticeWish { attendance: false, ..wish() }, None).await.unwrap();
    bed.withdraw(OSLO, MessageKind::ConditionNotice, withdrawn, 1).await.unwrap();
    for item in bed.fetch(RU_OSLO).await.into_iter().filter(|item| item.item.index() == returned.index) {
        let _ = bed.give_back(RU_OSLO, item.item).await;
    }
    bed.fetch(RU_HAMAR).await;
    let (filed, _) = bed.send(LAB, Body::Result(result(requisition, "P-1")), None).await.unwrap();
    let _ = bed.send(LAB, Body::Result(result(requisition, "P-1")), Some(filed)).await;
    let _ = bed.send(LAB_2, Body::Result(result(requisition, "P-2")), None).await;
    bed.fetch(OSLO).await;
    place_hold(bed, case_ref, HoldReason::Complaint, "2029-10-31").await.unwrap();
    // One leaves, one is retired, and an auditor sees less.
    let scope = AuditScope::Participants([id(OSLO), id(RU_OSLO)].into());
    let changed = register(2, |all| {
        all.retain(|one| one.id != id(LAB_2));
        let oslo = all.iter_mut().find(|one| one.id == id(OSLO)).unwrap();
        (oslo.standing, oslo.successor) = (Standing::Retired, Some(id(INNLANDET)));
        all.iter_mut().find(|one| one.id == id("tilsyn")).unwrap().scope = Some(scope);
    });
    bed.load(changed).await;
}

/// Seeds of the store's targets: target, name, bytes.
pub(crate) async fn seeds() -> Vec<Seed> {
    let home = Home::new();
    let mut known = BTreeSet::new();
    let store = home.open();
    let bed = home.bed(&store);
    busy(&bed).await;
    drop((bed, store));
    let mut found = frames(&home, "busy", &mut known);
    let store = home.open();
    store.turn_now().await.unwrap();
    drop(store);
    let plain = base::to_plain(&base_of(&home)).to_vec();
    found.push(("snapshot", "busy".to_owned(), plain));
    // The case ends, the months go, what the hold keeps stays, and ids are forgotten. One more of a clock that was ahead.
    let store = home.open();
    let bed = home.bed(&store);
    for _ in 0..16 {
        home.clock.advance_millis(29 * DAY_MILLIS);
        store.act(Command::Note(Event::Stopped)).await.unwrap();
        store.turn_now().await.unwrap();
    }
    home.clock.jump_millis(-40 * DAY_MILLIS);
    let _ = bed.send(INNLANDET, Body::Notice(Box::new(notice(&wish()))), None).await;
    store.turn_now().await.unwrap();
    drop((bed, store));
    found.extend(frames(&home, "later", &mut known));
    let mut later = base_of(&home);
    let of_later = |base: &base::Base| base::to_plain(base).to_vec();
    found.push(("snapshot", "held".to_owned(), of_later(&later)));
    later.held.iter_mut().for_each(|file| file.lacks = Lacks { damaged: 1, lost: 2 });
    later.owed = vec![Event::ContentErased { messages: 1 }];
    found.push(("snapshot", "held-lacking-owed".to_owned(), of_later(&later)));
    // As programs wrote it before the pieces behind it came.
    let version_one = postcard::to_stdvec(&later).unwrap();
    let with_scopes = postcard::to_extend(&later.snapshot.later, version_one.clone()).unwrap();
    let with_holds = postcard::to_extend(&(&later.snapshot.later.holds, &later.held), with_scopes.clone()).unwrap();
    let with_former = postcard::to_extend(&later.snapshot.later.former, with_holds.clone()).unwrap();
    let with_lacks = postcard::to_extend(&later.held.iter().map(|file| file.lacks).collect::<Vec<_>>(), with_former.clone()).unwrap();
    for (name, plain) in
        [("first", version_one), ("scopes", with_scopes), ("holds", with_holds), ("former", with_former), ("lacks", with_lacks)]
    {
        found.push(("snapshot", format!("until-{name}"), plain));
    }
    for file in files_below(&home.data()).into_iter().chain(files_below(home.dir.path())) {
        let name = file.file_name().unwrap().to_string_lossy().to_lowercase();
        let bytes = fs::read(&file).unwrap();
        match name.as_str() {
            "current" | "format" | "high-water" => {
                found.push(("current", name.clone(), bytes.clone()));
                let json = bytes.iter().position(|byte| *byte == b'\n').unwrap();
                found.push(("current", format!("{name}-json"), bytes[..json].to_vec()));
            }
            _ if name.ends_with(".rec") => {
                let folder = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
                found.push(("record", format!("header-{folder}"), bytes[..HEADER_LEN].to_vec()));
                found.push(("record", format!("name-{folder}"), format!("{folder}/{name}").into_bytes()));
            }
            _ => {}
        }
    }
    let held = super::Held { why: "the clock was set by more than an hour".to_owned(), at: 1_780_000_000_000 };
    found.push(("current", "calendar-held".to_owned(), super::layout::to_checked(&held).into_bytes()));
    found
}
