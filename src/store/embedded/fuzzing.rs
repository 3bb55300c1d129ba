//! The store's own files as functions of bytes. All but headers are sealed, so a stranger's bytes end at the seal; these targets hold the key.

use super::calendar::Held;
use super::frame::{self, Chain, HEADER_LEN, Header};
use super::layout::{self, Current, Format};
use super::tiles::HighWater;
use super::{base, holds, records};
use crate::audit::nodes::RecentNodes;
use crate::audit::tree::Hash;
use crate::domain::sensitive::Content;
use crate::domain::time::Date;
use crate::store::sealer::Sealer;
use crate::store::state::State;

#[cfg(test)]
pub(crate) use seeds::seeds;

const DAY: Date = Date::constant(2026, 11, 20);

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

/// The plain form of a base with all that stands behind it; what is accepted is a state that gives the same snapshot again, and is written as it is
/// read.
pub fn snapshot(data: &[u8]) {
    let _ = base::ends_wrong(data);
    let Some(base) = base::of_plain(data) else { return };
    let plain = base::to_plain(&base);
    assert_eq!(base::to_plain(&base::of_plain(&plain).expect("what was written is a base")), plain, "a base is read as it was written");
    let _ = (base.tree.partials().len(), RecentNodes::new(base.tree.frontier()).root(), holds::lacking(&base.held));
    let _ = (records::outlived(&base.months, DAY, 13), base.months.iter().map(|month| month.end() + month.name().len() as u64).max());
    let _ = holds::going(base.months.clone(), &base.months.iter().map(|month| (month.first_day, 1)).collect(), DAY);
    let Ok(state) = State::restore(base.snapshot) else { return };
    let snapshot = state.snapshot();
    let again = State::restore(snapshot.clone()).expect("a snapshot of a state is one");
    assert_eq!(again.snapshot(), snapshot);
}

/// The plain form of a record's slot, and the headers and names of files of records; a header also with the check sum that it ought to have.
pub fn record(data: &[u8]) {
    if let Some(slot) = records::slot_of_plain(data) {
        let _ = crate::store::evidence::leaf(&slot.entry.record, &slot.entry.openings);
    }
    if let Some(header) = data.first_chunk::<{ records::HEADER_LEN }>() {
        let placed = header[8..16].first_chunk().map_or(0, |raw| u64::from_le_bytes(*raw));
        for summed in [0, 16, 24] {
            let mut header = *header;
            if summed > 0 {
                let sum = crc32fast::hash(&header[..summed]);
                header[summed..summed + 4].copy_from_slice(&sum.to_le_bytes());
            }
            let _ = (records::first_of_header(&header), holds::end_of_header(&header, placed));
        }
    }
    if let Ok(name) = std::str::from_utf8(data) {
        let _ = (records::month_of_name(name), holds::numbers_of_name(name));
    }
}

/// The small files of JSON beside the journal, as they are and with the check sum that they ought to have.
pub fn current(data: &[u8]) {
    let summed = [data, format!("\n{:08x}\n", crc32fast::hash(data)).as_bytes()].concat();
    for bytes in [data.to_vec(), summed] {
        small::<Current>(&bytes);
        small::<Format>(&bytes);
        small::<HighWater>(&bytes);
        small::<Held>(&bytes);
    }
}

/// What is accepted is read as it was written.
fn small<T: serde::de::DeserializeOwned + serde::Serialize + PartialEq>(bytes: &[u8]) {
    if let Ok(value) = layout::of_checked::<T>(bytes.to_vec(), "CURRENT") {
        let again = layout::of_checked::<T>(layout::to_checked(&value).into_bytes(), "CURRENT");
        assert!(again.is_ok_and(|again| again == value), "what was written is read");
    }
}

#[cfg(test)]
mod seeds;
