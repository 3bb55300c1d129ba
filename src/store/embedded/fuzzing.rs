//! The store's own files as functions of bytes. All but headers are sealed, so a stranger's bytes end at the seal; these targets hold the key.

use super::base::Base;
use super::frame::{self, Chain, HEADER_LEN, Header};
use super::records;
use crate::audit::tree::Hash;
use crate::domain::sensitive::Content;
use crate::store::sealer::Sealer;
use crate::store::state::State;

#[cfg(test)]
pub(crate) use seeds::seeds;

/// The key that the corpora are sealed with.
#[must_use]
pub fn sealer() -> Sealer {
    Sealer::new(&[9; 32], "journal/1.j")
}

/// Frames one after the other, as a reader walks them; what follows them is read as a frame's plain events, behind the seal.
pub fn journal(data: &[u8]) {
    let mut rest = data;
    while let Some(header) = Header::read(rest) {
        let Some(len) = usize::try_from(header.body_len()).ok().and_then(|len| len.checked_add(HEADER_LEN)) else { return };
        let Some(frame) = rest.get(..len) else { return };
        let _ = frame::frame_hash(frame, &header);
        let _ = frame::open(&sealer(), &header, frame, 0);
        rest = &rest[len..];
    }
    if let Ok(body) = postcard::from_bytes::<frame::Body>(rest) {
        let mut out = Vec::new();
        frame::encode(&sealer(), (1, 0), Chain::START, (0, Hash::from_bytes([0; 32])), &draft(&body), &mut out);
    }
}

/// The events of `body`, and content of which only the length is known.
fn draft(body: &frame::Body) -> frame::Draft {
    let mut draft = frame::Draft::default();
    let mut contents = body.contents.iter().peekable();
    for (entry, n) in body.entries.iter().zip(0_u32..) {
        while let Some((_, len)) = contents.next_if(|(of, _)| *of == n) {
            draft.push_content(Content::from(vec![b'x'; usize::try_from(*len).map_or(0, |len| len.min(4096))]));
        }
        draft.push(entry);
    }
    draft
}

/// The plain form of a base; what is accepted is a state that gives the same snapshot again.
pub fn snapshot(data: &[u8]) {
    if let Ok(base) = postcard::from_bytes::<Base>(data)
        && let Ok(state) = State::restore(base.snapshot)
    {
        let snapshot = state.snapshot();
        let again = State::restore(snapshot.clone()).expect("a snapshot of a state is one");
        assert_eq!(again.snapshot(), snapshot);
    }
}

/// The plain form of a record's slot.
pub fn record(data: &[u8]) {
    if let Some(slot) = records::slot_of_plain(data) {
        let _ = crate::store::evidence::leaf(&slot.entry.record, &slot.entry.openings);
    }
}

#[cfg(test)]
mod seeds {
    use super::super::layout::{Current, Layout};
    use super::super::records::{Entry, Slot, plain_of_slot};
    use super::super::tests::{Home, KEY};
    use super::super::{RealDisk, base, frame, journal, keys};
    use super::sealer;
    use crate::audit::record::Record;
    use crate::store::contract::case_bed::{RU_OSLO, wish};
    use std::sync::Arc;

    /// Seeds of the store's targets: target, name, bytes.
    pub(crate) async fn seeds() -> Vec<(&'static str, String, Vec<u8>)> {
        let home = Home::new();
        let store = home.open();
        let bed = home.bed(&store);
        bed.ready().await;
        for _ in 0..2 {
            bed.send_notice(&wish(), None).await.unwrap();
        }
        let items = bed.fetch(RU_OSLO).await;
        store.turn_now().await.unwrap();
        bed.acknowledge(RU_OSLO, vec![items[0].item]).await.unwrap();
        drop(bed);
        drop(store);
        let layout = Layout::new(&home.data(), Arc::new(RealDisk));
        let keys = keys::Keys::new(layout.clone(), zeroize::Zeroizing::new(KEY));
        let current = Current::read(&layout).unwrap().unwrap();
        let base = base::read_state(&layout, &keys, current.base.unwrap()).unwrap();
        let mut found = vec![("snapshot", "base".to_owned(), postcard::to_stdvec(&base).unwrap())];
        let mut reader = journal::Reader::new(&layout, Some(&keys), base.chain);
        for number in layout.journals().unwrap() {
            let visit = &mut |read: journal::Read<'_>| {
                let name = format!("{}-{}", number, read.header.sequence);
                let (mut sealed, head) = (Vec::new(), (read.header.size, read.header.root));
                let chain = frame::Chain { sequence: read.header.sequence, previous: read.header.previous };
                frame::encode(&sealer(), (number, 0), chain, head, &super::draft(&read.body), &mut sealed);
                for (entry, index) in read.body.entries.iter().zip(read.header.size..) {
                    let record = Record::of(&entry.event, entry.time);
                    let slot = Slot { entry: Entry { record, openings: entry.openings() }, batch: index };
                    found.push(("record", format!("{name}-{index}"), plain_of_slot(index, &slot).unwrap().to_vec()));
                }
                found.push(("journal", format!("{name}.plain"), postcard::to_stdvec(&read.body).unwrap()));
                found.push(("journal", format!("{name}.sealed"), sealed));
                Ok(())
            };
            reader.file(number, visit).unwrap();
        }
        found
    }
}
