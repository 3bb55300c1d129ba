//! The base: the state at a tree size, and the content that was undelivered then. Written by a turn, read by a start.
//!
//! `base/<n>.state` is sealed in pieces of 1 MiB, each `length (4) ‖ sealed piece`; the last piece's place says that it is the last.
//! `base/<n>.content` is one sealed piece after the other; the state knows where.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::contents::LOST;
use super::disk::{Appender, Open};
use super::error::{IoContext as _, OpenError};
use super::frame::Chain;
use super::holds::{HeldFile, Lacks};
use super::journal::SealedFile;
use super::keys::Keys;
use super::layout::{BEHIND, Layout, content_name, state_name, sync_dir};
use super::records::Month;
use super::tiles::TileBuilder;
use crate::audit::event::Event;
use crate::clock::Entropy;
use crate::store::sealer::{Place, TAG_LEN};
use crate::store::state::Snapshot;

const PIECE: usize = 1024 * 1024;
const LAST: u32 = 1;

/// Everything a start begins from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Base {
    /// Cases, mailboxes, ids.
    pub snapshot: Snapshot,
    /// The tree, and the tiles being filled.
    pub tree: TileBuilder,
    /// The record files and how much of them counts.
    pub months: Vec<Month>,
    /// What the first frame after it follows.
    pub chain: Chain,
    /// Content undelivered then: log index, offset, sealed length, which is [`LOST`] where it could not be read.
    pub contents: Written,
    /// What the turn erases once this base is in force; told in the log after it is done.
    pub owed: Vec<Event>,
    /// The files of held records. Stands behind the state, with the holds.
    #[serde(skip)]
    pub held: Vec<HeldFile>,
}

/// The place of a content in a base file: a log index stands in it once.
#[must_use]
pub const fn content_place(index: u64, offset: u64) -> Place {
    Place { sequence: index, part: 0, position: offset }
}

/// The plain form of a base.
pub(super) fn to_plain(base: &Base) -> Zeroizing<Vec<u8>> {
    let later = &base.snapshot.later;
    let plain = postcard::to_stdvec(base).and_then(|plain| postcard::to_extend(later, plain));
    // By the order of the files.
    let lacks: Vec<Lacks> = base.held.iter().map(|file| file.lacks).collect();
    // What came later stands behind what came before, in the order in which programs came to write it.
    let behind = (&later.holds, &base.held, &later.former, &lacks, &later.clocks);
    let plain = plain.and_then(|plain| postcard::to_extend(&behind, plain));
    Zeroizing::new(plain.expect("a base is plain data"))
}

/// The base of a plain form, if it is one that a program wrote.
pub(super) fn of_plain(plain: &[u8]) -> Option<Base> {
    read_plain(plain).ok().filter(|base| base.tree.is_whole() && base.months.iter().all(Month::can_be))
}

/// A plain form ends where the program that wrote it knew no more.
fn read_plain(plain: &[u8]) -> postcard::Result<Base> {
    let (mut base, later) = postcard::take_from_bytes::<Base>(plain)?;
    // The first programs wrote nothing behind it.
    if !later.is_empty() {
        let (found, holds) = postcard::take_from_bytes(later)?;
        base.snapshot.later = found;
        if !holds.is_empty() {
            let (found, former) = postcard::take_from_bytes(holds)?;
            (base.snapshot.later.holds, base.held) = found;
            if !former.is_empty() {
                let (found, lacks) = postcard::take_from_bytes(former)?;
                base.snapshot.later.former = found;
                if !lacks.is_empty() {
                    let (found, clocks): (Vec<Lacks>, _) = postcard::take_from_bytes(lacks)?;
                    base.held.iter_mut().zip(found).for_each(|(file, lacks)| file.lacks = lacks);
                    if !clocks.is_empty() {
                        base.snapshot.later.clocks = postcard::from_bytes(clocks)?;
                    }
                }
            }
        }
    }
    Ok(base)
}

/// Writes the state of base `number`, durable before this returns. Returns its length.
pub fn write_state((layout, keys, entropy): (&Layout, &Keys, &dyn Entropy), number: u64, base: &Base) -> Result<u64, OpenError> {
    let name = state_name(number);
    let path = layout.path(&name);
    let sealer = keys.create(&name, entropy)?;
    let plain = to_plain(base);
    let mut out = Appender::new(layout.disk().open(&path, Open::Truncate).at("cannot create", &path)?);
    let mut buffer = Vec::with_capacity(PIECE + TAG_LEN + 4);
    let pieces = plain.len().div_ceil(PIECE);
    let length = plain.len() + pieces * (TAG_LEN + 4);
    for (piece, number) in plain.chunks(PIECE).zip(0_u64..) {
        buffer.clear();
        buffer.extend_from_slice(&((piece.len() + TAG_LEN) as u32).to_le_bytes());
        let part = if number + 1 == pieces as u64 { LAST } else { 0 };
        let start = buffer.len();
        buffer.extend_from_slice(piece);
        sealer.seal_tail(Place { sequence: number, part, position: number }, &[], &mut buffer, start);
        out.append(&buffer).at("cannot write", &path)?;
    }
    out.finish().at("cannot write", &path)?.sync_data().at("cannot make durable", &path)?;
    sync_dir(layout.disk(), &layout.path("base"))?;
    Ok(length as u64)
}

/// Reads the state of base `number`.
pub fn read_state(layout: &Layout, keys: &Keys, number: u64) -> Result<Base, OpenError> {
    let name = state_name(number);
    let bytes = layout.read(&name)?;
    let sealer = keys.open(&name)?;
    let mut plain = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let (mut offset, mut piece, mut ended) = (0_usize, 0_u64, false);
    while offset < bytes.len() {
        let damage = |what: &str| OpenError::damage(&name, offset as u64, what);
        let len = bytes[offset..]
            .first_chunk::<4>()
            .map(|raw| u32::from_le_bytes(*raw) as usize)
            .ok_or_else(|| damage("the file ends too early"))?;
        let sealed = bytes.get(offset + 4..offset + 4 + len).ok_or_else(|| damage("the file ends too early"))?;
        let is_last = offset + 4 + len == bytes.len();
        let place = Place { sequence: piece, part: if is_last { LAST } else { 0 }, position: piece };
        let opened = sealer.open(place, &[], sealed).map_err(|error| {
            let was_last = !is_last && sealer.open(Place { part: LAST, ..place }, &[], sealed).is_ok();
            if was_last { OpenError::damage(&name, (offset + 4 + len) as u64, BEHIND) } else { damage(&error.to_string()) }
        })?;
        plain.extend_from_slice(&opened);
        ended = is_last;
        offset += 4 + len;
        piece += 1;
    }
    if !ended {
        return Err(OpenError::damage(&name, offset as u64, "the file ends too early"));
    }
    of_plain(&plain).ok_or_else(|| OpenError::damage(&name, 0, "the state has another shape"))
}

/// Where a state file is not what its pieces' lengths say: where what stands behind the last begins, or where it ends too early. The key is needed
/// for everything else.
#[must_use]
pub fn ends_wrong(bytes: &[u8]) -> Option<(usize, &'static str)> {
    let mut offset = 0;
    while offset < bytes.len() {
        let len = bytes[offset..].first_chunk::<4>().map(|raw| u32::from_le_bytes(*raw) as usize);
        // None is longer than the first, and only the last is shorter.
        let Some(len) = len.filter(|len| *len <= PIECE + TAG_LEN && *len > TAG_LEN) else {
            return Some((offset, BEHIND));
        };
        let end = offset + 4 + len;
        if end > bytes.len() {
            return Some((bytes.len(), "the file ends too early"));
        }
        if len < PIECE + TAG_LEN && end < bytes.len() {
            return Some((end, BEHIND));
        }
        offset = end;
    }
    bytes.is_empty().then_some((0, "the file ends too early"))
}

/// Where each content was written: log index, offset, sealed length.
pub type Written = Vec<(u64, u64, u32)>;

/// Writes content pieces one after the other.
pub struct ContentWriter<'l> {
    layout: &'l Layout,
    name: String,
    sealed: SealedFile,
    out: Appender,
    offset: u64,
    buffer: Vec<u8>,
    written: Written,
}

impl<'l> ContentWriter<'l> {
    /// The content file of base `number`, with its own key.
    pub fn create((layout, keys, entropy): (&'l Layout, &Keys, &dyn Entropy), number: u64) -> Result<Self, OpenError> {
        let name = content_name(number);
        let path = layout.path(&name);
        let sealer = keys.create(&name, entropy)?;
        let file = layout.disk().open(&path, Open::Truncate).at("cannot create", &path)?;
        let out = Appender::new(Arc::clone(&file));
        let sealed = SealedFile { file, sealer };
        Ok(Self { layout, name, sealed, out, offset: 0, buffer: Vec::new(), written: Vec::new() })
    }

    /// Adds the content of the message at `index`.
    pub fn add(&mut self, index: u64, content: &[u8]) -> Result<(), OpenError> {
        self.buffer.clear();
        self.sealed.sealer.seal_into(content_place(index, self.offset), content, &mut self.buffer);
        self.out.append(&self.buffer).at("cannot write", &self.layout.path(&self.name))?;
        self.written.push((index, self.offset, self.buffer.len() as u32));
        self.offset += self.buffer.len() as u64;
        Ok(())
    }

    /// Says that the content of the message at `index` could not be read.
    pub fn add_lost(&mut self, index: u64) {
        self.written.push((index, self.offset, LOST));
    }

    /// Makes it durable; where everything lies, and the file to read it from.
    pub fn finish(self) -> Result<(Written, SealedFile), OpenError> {
        let path = self.layout.path(&self.name);
        self.out.finish().at("cannot write", &path)?.sync_data().at("cannot make durable", &path)?;
        sync_dir(self.layout.disk(), &self.layout.path("base"))?;
        Ok((self.written, self.sealed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Date;
    use crate::store::state::State;

    fn base(tree: TileBuilder, months: Vec<Month>) -> Base {
        let snapshot = State::new([0; 32]).snapshot();
        Base { snapshot, tree, months, chain: Chain::START, contents: Vec::new(), owed: Vec::new(), held: Vec::new() }
    }

    fn is_read(base: &Base) -> bool {
        of_plain(&to_plain(base)).is_some()
    }

    #[test]
    fn a_base_that_no_program_wrote_is_refused_instead_of_looked_at() {
        let mut full = std::collections::VecDeque::new();
        let mut tree = TileBuilder::default();
        let leaf = crate::audit::leaf::Leaf::from_bytes([1; 33]).unwrap();
        for size in 0..600 {
            assert!(is_read(&base(tree.clone(), Vec::new())), "{size}");
            tree.push(&leaf, &mut full);
        }
        // A tile of a tree that has none would be published under a name that there is not.
        let of_nothing = |bundle: &[u8], levels: &[&[u8]]| -> TileBuilder {
            let written = postcard::to_stdvec(&(TileBuilder::default().frontier(), bundle, levels)).unwrap();
            postcard::from_bytes(&written).unwrap()
        };
        assert!(is_read(&base(of_nothing(b"", &[]), Vec::new())));
        assert!(!is_read(&base(of_nothing(b"\0\x01x", &[]), Vec::new())));
        assert!(!is_read(&base(of_nothing(b"", &[b"x"]), Vec::new())));
        // Months whose end, in entries or in bytes, is no number.
        let month = |first_index, count| Month { first_day: Date::constant(2026, 11, 1), first_index, count };
        assert!(is_read(&base(TileBuilder::default(), vec![month(7, 9)])));
        for (first_index, count) in [(u64::MAX, 1), (0, u64::MAX / 100)] {
            assert!(!is_read(&base(TileBuilder::default(), vec![month(7, 9), month(first_index, count)])), "{first_index} {count}");
        }
    }
}
