//! One frame of a journal: what one fdatasync makes durable.
//!
//! `header (116) ‖ sealed events ‖ sealed content …`. The header is plain: it lets the chain, the sizes and the roots be checked without a key.
//! Integers are little-endian.
//!
//! | offset | length | what |
//! |---|---|---|
//! | 0 | 4 | `SbJ1` |
//! | 4 | 4 | kind: 1 events, 2 seal |
//! | 8 | 8 | number of the file |
//! | 16 | 8 | sequence, one more than the frame before, across files |
//! | 24 | 32 | hash of the frame before |
//! | 56 | 8 | tree size after this frame |
//! | 64 | 32 | root after this frame |
//! | 96 | 4 | length of the sealed events |
//! | 100 | 4 | length of all sealed content |
//! | 104 | 4 | pieces of content |
//! | 108 | 4 | CRC-32 of everything after the header |
//! | 112 | 4 | CRC-32 of the 112 bytes before |

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::audit::event::Event;
use crate::audit::leaf::Openings;
use crate::audit::tree::Hash;
use crate::domain::secret::Secret;
use crate::domain::sensitive::Content;
use crate::domain::time::Timestamp;
use crate::store::sealer::{Place, Sealer, TAG_LEN, Unsealable};

/// Bytes of a header.
pub const HEADER_LEN: usize = 116;
/// First bytes of every frame.
pub const MAGIC: [u8; 4] = *b"SbJ1";
/// What of the header is authenticated with the events: all but the two check sums.
const AUTHENTICATED: usize = 108;

/// Bytes of a header that follow from its place in the chain.
const KNOWN: usize = 56;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Holds events.
    Events,
    /// Written after a quiet commit: says that the frame before it was durable.
    Seal,
}

/// The plain part of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Events or seal.
    pub kind: FrameKind,
    /// Number of the file it was written to.
    pub file: u64,
    /// Place in the chain.
    pub sequence: u64,
    /// Hash of the frame before.
    pub previous: [u8; 32],
    /// Tree size after it.
    pub size: u64,
    /// Root after it.
    pub root: Hash,
    /// Bytes of the sealed events.
    pub events_len: u32,
    /// Bytes of all sealed content.
    pub contents_len: u32,
    /// Pieces of content.
    pub contents: u32,
    /// CRC-32 of the body.
    pub body_crc: u32,
}

impl Header {
    /// Bytes of the frame after its header.
    #[must_use]
    pub const fn body_len(&self) -> u64 {
        self.events_len as u64 + self.contents_len as u64
    }

    fn write(&self) -> [u8; HEADER_LEN] {
        let mut out = [0_u8; HEADER_LEN];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = match self.kind {
            FrameKind::Events => 1,
            FrameKind::Seal => 2,
        };
        out[8..16].copy_from_slice(&self.file.to_le_bytes());
        out[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        out[24..56].copy_from_slice(&self.previous);
        out[56..64].copy_from_slice(&self.size.to_le_bytes());
        out[64..96].copy_from_slice(self.root.as_ref());
        out[96..100].copy_from_slice(&self.events_len.to_le_bytes());
        out[100..104].copy_from_slice(&self.contents_len.to_le_bytes());
        out[104..108].copy_from_slice(&self.contents.to_le_bytes());
        out[108..112].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32fast::hash(&out[..112]);
        out[112..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header at the start of `bytes`, if it is one.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_LEN] = bytes.first_chunk()?;
        let u32_at = |at: usize| bytes[at..].first_chunk().map(|raw| u32::from_le_bytes(*raw));
        let u64_at = |at: usize| bytes[at..].first_chunk().map(|raw| u64::from_le_bytes(*raw));
        let hash_at = |at: usize| bytes[at..].first_chunk::<32>().copied();
        if bytes[..4] != MAGIC || u32_at(112)? != crc32fast::hash(&bytes[..112]) {
            return None;
        }
        let kind = match u32_at(4)? {
            1 => FrameKind::Events,
            2 => FrameKind::Seal,
            _ => return None,
        };
        Some(Self {
            kind,
            file: u64_at(8)?,
            sequence: u64_at(16)?,
            previous: hash_at(24)?,
            size: u64_at(56)?,
            root: Hash::from_bytes(hash_at(64)?),
            events_len: u32_at(96)?,
            contents_len: u32_at(100)?,
            contents: u32_at(104)?,
            body_crc: u32_at(108)?,
        })
    }
}

/// From where on `tail`, which stands where the next frame of `file` belongs and is no whole one, is nothing that a write of that frame leaves
/// behind: of the header's beginning, which is known, each byte was written or is zero, and nothing stands behind the frame's end. None where it
/// may be what a crash left.
#[must_use]
pub fn foreign_from(tail: &[u8], file: u64, chain: Chain) -> Option<usize> {
    let known = Header {
        kind: FrameKind::Events,
        file,
        sequence: chain.sequence,
        previous: chain.previous,
        size: 0,
        root: Hash::from_bytes([0; 32]),
        events_len: 0,
        contents_len: 0,
        contents: 0,
        body_crc: 0,
    };
    let known = known.write();
    let is_kind = |at: usize, found: u8| at == 4 && found == 2;
    let fits = |(at, (found, wanted)): (usize, (&u8, &u8))| *found == 0 || found == wanted || is_kind(at, *found);
    if !tail.iter().zip(&known[..KNOWN]).enumerate().all(fits) {
        return Some(0);
    }
    let end = Header::read(tail).and_then(|header| usize::try_from(header.body_len()).ok()?.checked_add(HEADER_LEN));
    end.filter(|end| tail.len() > *end)
}

/// The hash that the next frame names: of the header and of the tag over the events.
#[must_use]
pub fn frame_hash(frame: &[u8], header: &Header) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&frame[..HEADER_LEN]);
    let end = HEADER_LEN + header.events_len as usize;
    context.update(&frame[end.saturating_sub(TAG_LEN).max(HEADER_LEN)..end]);
    let mut out = [0_u8; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// One event with all that a replay needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JournalEntry {
    /// What happened.
    pub event: Event,
    /// When.
    pub time: Timestamp,
    /// First secret of its leaf.
    pub r: Secret,
    /// Second secret of its leaf.
    pub r2: Secret,
}

impl JournalEntry {
    /// The secrets of its leaf.
    #[must_use]
    pub fn openings(&self) -> Openings {
        Openings::new(*self.r, *self.r2)
    }
}

/// What is sealed as a frame's events.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Body {
    /// In log order.
    pub entries: Vec<JournalEntry>,
    /// For each piece of content: the number of its entry in the frame, and its length before sealing.
    pub contents: Vec<(u32, u32)>,
}

/// The same while it is being filled, its entries already in the bytes that will be sealed: they are written by the thread that decides, while
/// the frame before is being synced.
#[derive(Debug, Default)]
pub struct Draft {
    encoded: Vec<u8>,
    /// Where each entry ends in them.
    ends: Vec<u32>,
    places: Vec<(u32, u32)>,
    contents: Vec<Content>,
    content_bytes: usize,
}

/// A draft that grew beyond this is not filled again: most are a tenth of it.
const KEPT_BYTES: usize = 256 * 1024;

impl Draft {
    /// Entries in it.
    #[must_use]
    pub const fn entries(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Content in it, in bytes before sealing.
    #[must_use]
    pub const fn content_bytes(&self) -> usize {
        self.content_bytes
    }

    /// Appends an entry.
    pub fn push(&mut self, entry: &JournalEntry) {
        let JournalEntry { event, time, r, r2 } = entry;
        let mut encoded = postcard::to_extend(&(event, time), std::mem::take(&mut self.encoded)).expect(PLAIN_DATA);
        // As postcard writes arrays of bytes, which it does one by one.
        encoded.extend_from_slice(r.as_slice());
        encoded.extend_from_slice(r2.as_slice());
        self.ends.push(u32::try_from(encoded.len()).expect(BOUNDED));
        self.encoded = encoded;
    }

    /// The entries, one behind the other, and where each ends.
    #[must_use]
    pub fn encoded(&self) -> (&[u8], &[u32]) {
        (&self.encoded, &self.ends)
    }

    /// Empties it and keeps its room: memory that was used a moment ago is in the processor's cache, and fresh memory costs most of all. The secrets
    /// in it are wiped.
    pub fn clear(&mut self) {
        if self.encoded.capacity() > KEPT_BYTES {
            *self = Self::default();
            return;
        }
        self.encoded.fill(0);
        // So that no compiler takes the zeros for useless.
        std::hint::black_box(self.encoded.as_slice());
        self.encoded.clear();
        self.ends.clear();
        self.places.clear();
        self.contents.clear();
        self.content_bytes = 0;
    }

    /// Appends content of the entry that is pushed next.
    pub fn push_content(&mut self, content: Content) {
        self.content_bytes += content.len();
        self.places.push((self.ends.len() as u32, content.len() as u32));
        self.contents.push(content);
    }

    /// Takes over what `later` holds.
    pub fn absorb(&mut self, later: &mut Self) {
        let (entries, bytes) = (self.ends.len() as u32, u32::try_from(self.encoded.len()).expect(BOUNDED));
        self.places.extend(later.places.iter().map(|(entry, len)| (entries + entry, *len)));
        self.ends.extend(later.ends.iter().map(|end| bytes.checked_add(*end).expect(BOUNDED)));
        self.encoded.extend_from_slice(&later.encoded);
        self.contents.append(&mut later.contents);
        self.content_bytes += later.content_bytes;
        later.clear();
    }

    /// Appends the bytes of the [`Body`] that this has become.
    fn write(&self, out: Vec<u8>) -> Vec<u8> {
        let mut out = postcard::to_extend(&(self.ends.len() as u32), out).expect(PLAIN_DATA);
        out.extend_from_slice(&self.encoded);
        postcard::to_extend(&self.places, out).expect(PLAIN_DATA)
    }
}

const BOUNDED: &str = "a frame is bounded far below 4 GiB";
const PLAIN_DATA: &str = "events are plain data, which postcard can always write";

/// Where one sealed piece of content lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Number of its entry in the frame.
    pub entry: u32,
    /// Offset in the file.
    pub offset: u64,
    /// Sealed length.
    pub len: u32,
    /// How it was sealed.
    pub place: Place,
}

/// The place in the chain that the next frame takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Its sequence.
    pub sequence: u64,
    /// Hash of the frame before it.
    pub previous: [u8; 32],
}

impl Chain {
    /// Of the first frame ever.
    pub const START: Self = Self { sequence: 1, previous: [0; 32] };
}

fn events_place(sequence: u64, offset: u64) -> Place {
    Place { sequence, part: 0, position: offset }
}

fn pieces(contents: &[(u32, u32)], sequence: u64, first: u64) -> Vec<Piece> {
    let mut offset = first;
    contents
        .iter()
        .zip(1_u32..)
        .map(|((entry, plain), part)| {
            let len = plain.saturating_add(TAG_LEN as u32);
            let piece = Piece { entry: *entry, offset, len, place: Place { sequence, part, position: offset } };
            offset += u64::from(len);
            piece
        })
        .collect()
}

/// Writes a frame that will stand at `offset` of file `file` into `out`. Returns its pieces of content and the next place in the chain.
pub fn encode(
    sealer: &Sealer,
    (file, offset): (u64, u64),
    chain: Chain,
    (size, root): (u64, Hash),
    draft: &Draft,
    out: &mut Vec<u8>,
) -> (Vec<Piece>, Chain) {
    out.clear();
    out.resize(HEADER_LEN, 0);
    let mut header = Header {
        kind: FrameKind::Events,
        file,
        sequence: chain.sequence,
        previous: chain.previous,
        size,
        root,
        events_len: 0,
        contents_len: 0,
        contents: 0,
        body_crc: 0,
    };
    *out = draft.write(std::mem::take(out));
    header.events_len = u32::try_from(out.len() - HEADER_LEN + TAG_LEN).expect(BOUNDED);
    let first = offset + HEADER_LEN as u64 + u64::from(header.events_len);
    let placed = pieces(&draft.places, chain.sequence, first);
    header.contents_len = placed.iter().map(|piece| piece.len).sum();
    header.contents = placed.len() as u32;
    sealer.seal_tail(events_place(chain.sequence, offset), &header.write()[..AUTHENTICATED], out, HEADER_LEN);
    for (piece, content) in placed.iter().zip(&draft.contents) {
        sealer.seal_into(piece.place, content, out);
    }
    header.body_crc = crc32fast::hash(&out[HEADER_LEN..]);
    out[..HEADER_LEN].copy_from_slice(&header.write());
    let next = Chain { sequence: chain.sequence + 1, previous: frame_hash(out, &header) };
    (placed, next)
}

/// The seal that takes this place in the chain, and the place after it: there is one only.
pub fn seal(file: u64, chain: Chain, (size, root): (u64, Hash)) -> ([u8; HEADER_LEN], Chain) {
    let kind = FrameKind::Seal;
    let (sequence, previous) = (chain.sequence, chain.previous);
    let body_crc = crc32fast::hash(&[]);
    let header = Header { kind, file, sequence, previous, size, root, events_len: 0, contents_len: 0, contents: 0, body_crc };
    let bytes = header.write();
    (bytes, Chain { sequence: sequence + 1, previous: frame_hash(&bytes, &header) })
}

/// Opens the events of a whole frame that stands at `offset`.
///
/// # Errors
/// [`Unsealable`] for anything but what [`encode`] wrote there.
pub fn open(sealer: &Sealer, header: &Header, frame: &[u8], offset: u64) -> Result<(Body, Vec<Piece>), Unsealable> {
    if header.kind == FrameKind::Seal {
        return Ok((Body::default(), Vec::new()));
    }
    let end = HEADER_LEN + header.events_len as usize;
    let sealed = frame.get(HEADER_LEN..end).ok_or(Unsealable)?;
    let plain = sealer.open(events_place(header.sequence, offset), &header.write()[..AUTHENTICATED], sealed)?;
    let body: Body = postcard::from_bytes(&plain).map_err(|_| Unsealable)?;
    let placed = pieces(&body.contents, header.sequence, offset + end as u64);
    Ok((body, placed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8) -> JournalEntry {
        let event = Event::ContentErased { messages: u64::from(n) };
        JournalEntry { event, time: Timestamp::from_millis(i64::from(n) * 1000), r: Secret::new([n; 32]), r2: Secret::new([!n; 32]) }
    }

    /// Entries `from..to`, every third with content.
    fn draft(from: u8, to: u8) -> Draft {
        let mut draft = Draft::default();
        for n in from..to {
            if n % 3 == 0 {
                draft.push_content(Content::from(vec![n; usize::from(n)]));
            }
            draft.push(&entry(n));
        }
        draft
    }

    #[test]
    fn what_a_cut_or_torn_write_leaves_of_a_frame_is_told_from_what_is_none_of_it() {
        let sealer = Sealer::new(&[9; 32], "journal/000000000007.j");
        let chain = Chain { sequence: 0x0102, previous: [0xc3; 32] };
        let mut frame = Vec::new();
        encode(&sealer, (7, 0), chain, (5, Hash::from_bytes([4; 32])), &draft(1, 4), &mut frame);
        let foreign = |tail: &[u8]| foreign_from(tail, 7, chain);
        for cut in 0..=frame.len() {
            assert_eq!(foreign(&frame[..cut]), None, "cut at {cut}");
            let mut torn = frame.clone();
            torn[..cut].fill(0);
            assert_eq!(foreign(&torn), None, "zeros to {cut}");
        }
        let seal = seal(7, chain, (5, Hash::from_bytes([4; 32]))).0;
        assert_eq!(foreign(&seal[..100]), None);
        let mut body = frame.clone();
        body[HEADER_LEN + 3] ^= 1;
        assert_eq!(foreign(&body), None, "pages of it that were lost");
        body.push(0);
        assert_eq!(foreign(&body), Some(frame.len()), "anything behind its end");
        for (at, what) in [(0, "magic"), (4, "kind"), (6, "kind"), (8, "file"), (17, "sequence"), (40, "previous")] {
            let mut other = frame.clone();
            other[at] = 0x77;
            assert_eq!(foreign(&other), Some(0), "{what}");
        }
        assert_eq!((foreign(b"x"), foreign(b"SbJ1\x03"), foreign(&[0; 500])), (Some(0), Some(0), None));
    }

    #[test]
    fn a_draft_is_written_as_its_body_is_read() {
        for (split, to) in [(0, 0), (0, 200), (1, 200), (131, 200), (200, 200)] {
            let mut whole = draft(0, split);
            whole.absorb(&mut draft(split, to));
            let written = whole.write(Vec::new());
            let body: Body = postcard::from_bytes(&written).unwrap();
            assert_eq!(postcard::to_stdvec(&body).unwrap(), written);
            assert_eq!(body.entries.len(), usize::from(to));
            assert_eq!(body.entries.iter().zip(0..).find(|(read, n)| *read.r != [*n; 32]).map(|(_, n)| n), None);
            let places: Vec<_> = (0..to).filter(|n| n % 3 == 0).map(|n| (u32::from(n), u32::from(n))).collect();
            assert_eq!(body.contents, places);
            assert_eq!(whole.content_bytes(), places.iter().map(|(_, len)| *len as usize).sum::<usize>());
            let (encoded, ends) = whole.encoded();
            let starts = std::iter::once(0).chain(ends.iter().map(|end| *end as usize));
            for ((start, end), read) in starts.zip(ends).zip(&body.entries) {
                assert_eq!(postcard::to_stdvec(read).unwrap(), encoded[start..*end as usize], "an entry by itself");
            }
        }
    }

    #[test]
    fn a_draft_that_is_filled_again_holds_nothing_of_before() {
        let mut again = draft(0, 90);
        again.clear();
        assert!(again.is_empty() && again.content_bytes() == 0);
        assert!(again.encoded.capacity() > 0, "its room is kept");
        again.absorb(&mut draft(3, 50));
        assert_eq!(again.write(Vec::new()), draft(3, 50).write(Vec::new()));
        again.encoded.reserve(KEPT_BYTES + 1);
        again.clear();
        assert_eq!(again.encoded.capacity(), 0, "what grew large is let go");
    }
}
