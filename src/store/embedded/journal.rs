//! The journal: the writer that makes frames durable, and the reader that believes nothing it has not checked.

use std::sync::Arc;

use super::disk::{File, Open};
use super::error::{IoContext as _, OpenError};
use super::frame::{self, Body, Chain, Draft, FrameKind, HEADER_LEN, Header, Piece};
use super::keys::Keys;
use super::layout::{Layout, journal_name, sync_dir};
use crate::audit::tree::Hash;
use crate::clock::Entropy;
use crate::store::sealer::Sealer;

/// A sealed file that content is read from.
#[derive(Debug)]
pub struct SealedFile {
    /// Open for reading.
    pub file: Arc<dyn File>,
    /// Its key.
    pub sealer: Sealer,
}

/// Appends frames to the newest journal file.
pub struct Writer {
    layout: Layout,
    keys: Keys,
    entropy: Arc<dyn Entropy>,
    number: u64,
    file: Arc<dyn File>,
    sealer: Sealer,
    offset: u64,
    chain: Chain,
    head: (u64, Hash),
    buffer: Vec<u8>,
    needs_seal: bool,
}

impl Writer {
    /// A new, empty file with its own key; its name is durable before this returns.
    pub fn create(
        layout: &Layout,
        keys: &Keys,
        entropy: &Arc<dyn Entropy>,
        number: u64,
        chain: Chain,
        head: (u64, Hash),
    ) -> Result<Self, OpenError> {
        let (file, sealer) = new_file(layout, keys, entropy.as_ref(), number)?;
        Ok(Self {
            layout: layout.clone(),
            keys: keys.clone(),
            entropy: Arc::clone(entropy),
            number,
            file,
            sealer,
            offset: 0,
            chain,
            head,
            buffer: Vec::new(),
            needs_seal: false,
        })
    }

    /// The number of the file.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The place of the next frame in the chain.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// Bytes in the file.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.offset
    }

    /// Writes a frame and makes it durable.
    pub fn append(&mut self, head: (u64, Hash), draft: &Draft) -> Result<Vec<Piece>, OpenError> {
        let at = (self.number, self.offset);
        let (pieces, chain) = frame::encode(&self.sealer, at, self.chain, head, draft, &mut self.buffer);
        self.write()?;
        let path = || self.layout.path(&journal_name(self.number));
        self.file.sync_data().map_err(|source| OpenError::Io { what: "cannot make durable", path: path(), source })?;
        self.check_place()?;
        // A crash before this line leaves a torn tail that nobody was told of; after it the frame stands.
        self.chain = chain;
        self.head = head;
        self.needs_seal = true;
        Ok(pieces)
    }

    /// Says that the last frame was durable, so that damage to it is known from a torn tail. Not synced itself: the next frame's sync carries it.
    pub fn seal(&mut self) -> Result<(), OpenError> {
        if !self.needs_seal {
            return Ok(());
        }
        let (seal, chain) = frame::seal(self.number, self.chain, self.head);
        self.buffer.clear();
        self.buffer.extend_from_slice(&seal);
        self.write()?;
        self.chain = chain;
        self.needs_seal = false;
        Ok(())
    }

    /// After the sync: what was durable in a folder or file before it was moved is in every copy of it made since, what is written later is in none.
    fn check_place(&self) -> Result<(), OpenError> {
        let path = self.layout.path(&journal_name(self.number));
        if self.file.is_at(&path) { Ok(()) } else { Err(OpenError::Replaced(path)) }
    }

    fn write(&mut self) -> Result<(), OpenError> {
        self.file.write_all_at(&self.buffer, self.offset).map_err(|source| OpenError::Io {
            what: "cannot write",
            path: self.layout.path(&journal_name(self.number)),
            source,
        })?;
        self.offset += self.buffer.len() as u64;
        Ok(())
    }

    /// Closes the file and opens the next one.
    pub fn roll(&mut self) -> Result<(), OpenError> {
        self.seal()?;
        let path = self.layout.path(&journal_name(self.number));
        self.file.sync_data().at("cannot make durable", &path)?;
        // The next file would be made in the other folder.
        self.check_place()?;
        let number = self.number + 1;
        let (file, sealer) = new_file(&self.layout, &self.keys, self.entropy.as_ref(), number)?;
        self.file = file;
        self.sealer = sealer;
        self.number = number;
        self.offset = 0;
        Ok(())
    }
}

fn new_file(layout: &Layout, keys: &Keys, entropy: &dyn Entropy, number: u64) -> Result<(Arc<dyn File>, Sealer), OpenError> {
    let name = journal_name(number);
    let path = layout.path(&name);
    // Never a file that is there: its key and its frames are never mixed with new ones.
    let file = layout.disk().open(&path, Open::CreateNew).at("cannot create", &path)?;
    // The name is durable before there is a key: so a key without its file is no crash's leftover, and the next start asks for the file.
    sync_dir(layout.disk(), &layout.path("journal"))?;
    let sealer = keys.create(&name, entropy)?;
    Ok((file, sealer))
}

/// Where a journal file stopped being readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Number of the file.
    pub file: u64,
    /// Offset of the frame that is not whole.
    pub offset: u64,
}

impl Torn {
    /// The tail was no torn one: it had been durable.
    #[must_use]
    pub fn as_damage(&self, why: &str) -> OpenError {
        OpenError::damage(&journal_name(self.file), self.offset, why)
    }
}

/// Bytes behind the last whole frame of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Where they begin.
    pub at: Torn,
    /// From where on they are not what a crash leaves of a frame, if that can be told.
    pub foreign: Option<u64>,
}

/// The last frame of events that was read, with the seals around it: all that may not be durable. Of an earlier one the next one's being there
/// says that it is; a seal has no sync of its own, it becomes durable by that of the frame after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Number of the file.
    file: u64,
    /// Where it begins.
    offset: u64,
    /// The frames as they were read.
    bytes: Vec<u8>,
}

impl Tail {
    /// Writes the frames once more, as they stand there, and makes it durable. A read may have found what is only in the kernel's memory: the
    /// process was killed before its sync, or the sync failed, after which the kernel calls the pages clean and a further sync tells nothing.
    pub fn make_durable(&self, layout: &Layout) -> Result<(), OpenError> {
        let path = layout.path(&journal_name(self.file));
        let file = layout.disk().open(&path, Open::Write).at("cannot open", &path)?;
        file.write_all_at(&self.bytes, self.offset).at("cannot write", &path)?;
        file.sync_data().at("cannot make durable", &path)
    }
}

/// One frame as it was read.
pub struct Read<'f> {
    /// Its header.
    pub header: &'f Header,
    /// Its offset.
    pub offset: u64,
    /// Its events.
    pub body: Body,
    /// Its content.
    pub pieces: Vec<Piece>,
}

/// Reads the journals one after the other, holding the chain across files.
pub struct Reader<'s> {
    layout: &'s Layout,
    keys: Option<&'s Keys>,
    chain: Chain,
    torn: Option<Torn>,
    left: Vec<Left>,
    /// Where the file before ended.
    end: Option<Torn>,
    tail: Option<Tail>,
    /// Size and root after the last frame.
    head: Option<(u64, Hash)>,
    lost_seal: Option<Torn>,
}

impl<'s> Reader<'s> {
    /// From a place in the chain on. Without keys, only what is plain is checked.
    #[must_use]
    pub const fn new(layout: &'s Layout, keys: Option<&'s Keys>, chain: Chain) -> Self {
        Self { layout, keys, chain, torn: None, left: Vec::new(), end: None, tail: None, head: None, lost_seal: None }
    }

    /// The place of the next frame in the chain.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// Where the newest file that was read stopped being readable, if it did and no later frame was found.
    #[must_use]
    pub const fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// What stands behind the last whole frames, of each file in which something does.
    #[must_use]
    pub fn left(&self) -> &[Left] {
        &self.left
    }

    /// Where a seal is not what was written that the frame after it shows to have been there. Read as it was written.
    #[must_use]
    pub const fn lost_seal(&self) -> Option<Torn> {
        self.lost_seal
    }

    /// The last whole frame, if there was any.
    #[must_use]
    pub fn into_tail(self) -> Option<Tail> {
        self.tail
    }

    /// Reads file `number` and gives each of its frames to `visit`.
    ///
    /// # Errors
    /// Damage, with file and offset; whatever `visit` says. A torn tail is none: [`torn`](Self::torn) says where it began.
    pub fn file(&mut self, number: u64, visit: &mut dyn FnMut(Read<'_>) -> Result<(), OpenError>) -> Result<(), OpenError> {
        let name = journal_name(number);
        let mut bytes = self.layout.read(&name)?;
        let sealer = self.keys.filter(|_| !bytes.is_empty()).map(|keys| keys.open(&name)).transpose()?;
        let (mut offset, mut last, mut events) = (0_usize, 0, 0);
        while offset < bytes.len() {
            if whole_frame(&bytes[offset..], number).is_none()
                && let Some(seal) = self.seal_that_was_lost(&bytes[offset..], number)
            {
                bytes[offset..offset + HEADER_LEN].copy_from_slice(&seal);
                self.lost_seal = Some(Torn { file: number, offset: offset as u64 });
            }
            let damage = |what: &str| OpenError::damage(&name, offset as u64, what);
            let Some((header, frame)) = whole_frame(&bytes[offset..], number) else {
                if has_later_frame(&bytes[offset..], number, self.chain.sequence) {
                    return Err(damage("a frame that had been durable is not what was written"));
                }
                let at = Torn { file: number, offset: offset as u64 };
                let foreign = frame::foreign_from(&bytes[offset..], number, self.chain).map(|from| (offset + from) as u64);
                self.left.push(Left { at, foreign });
                // The earliest place counts until a later frame shows that nothing durable is missing there.
                self.torn = self.torn.or(Some(at));
                break;
            };
            if header.sequence != self.chain.sequence || header.previous != self.chain.previous {
                return Err(match (self.torn, self.end) {
                    (Some(torn), _) => torn.as_damage("frames that had been durable are not what was written"),
                    // Cut off between two frames.
                    (None, Some(end)) if offset == 0 && header.sequence > self.chain.sequence => {
                        end.as_damage("frames that had been durable are missing at its end")
                    }
                    _ => damage("the frame does not follow the one before it"),
                });
            }
            if let Some(seal) = self.lost_seal.filter(|seal| seal.file != number) {
                return Err(seal.as_damage("a frame that had been durable is not what was written"));
            }
            self.torn = None;
            self.chain = Chain { sequence: header.sequence + 1, previous: frame::frame_hash(frame, &header) };
            self.head = Some((header.size, header.root));
            let (body, pieces) = match &sealer {
                Some(sealer) => frame::open(sealer, &header, frame, offset as u64).map_err(|error| damage(&error.to_string()))?,
                None => (Body::default(), Vec::new()),
            };
            visit(Read { header: &header, offset: offset as u64, body, pieces })?;
            offset += frame.len();
            if header.kind == FrameKind::Events {
                last = events;
                events = offset;
            }
        }
        if offset > last {
            self.tail = Some(Tail { file: number, offset: last as u64, bytes: bytes[last..offset].to_vec() });
        }
        self.end = Some(Torn { file: number, offset: bytes.len() as u64 });
        Ok(())
    }
}

impl Reader<'_> {
    /// The seal that belongs at the start of `bytes`, when the only frame behind it follows that very seal. A seal has no sync of its own: when the
    /// power goes in the write or the sync of the frame after it, the disk may hold that frame and not the seal. The seal is nothing but what follows
    /// from the frames before it; the frame after it may have been durable, and is kept. Were there one more frame, the seal had been durable.
    fn seal_that_was_lost(&self, bytes: &[u8], number: u64) -> Option<[u8; HEADER_LEN]> {
        let (seal, chain) = frame::seal(number, self.chain, self.head?);
        let after = bytes.get(HEADER_LEN..).and_then(Header::read)?;
        let follows = after.file == number && after.sequence == chain.sequence && after.previous == chain.previous;
        (follows && !has_later_frame(bytes, number, chain.sequence)).then_some(seal)
    }
}

/// The frame at the start of `bytes` with its check sums right.
fn whole_frame(bytes: &[u8], number: u64) -> Option<(Header, &[u8])> {
    let header = Header::read(bytes).filter(|header| header.file == number)?;
    let len = usize::try_from(header.body_len()).ok()?.checked_add(HEADER_LEN)?;
    let frame = bytes.get(..len)?;
    (header.body_crc == crc32fast::hash(&frame[HEADER_LEN..])).then_some((header, frame))
}

/// Whether a frame of this file with a higher sequence begins anywhere after the first byte. It was written after the earlier one was synced.
fn has_later_frame(bytes: &[u8], number: u64, sequence: u64) -> bool {
    (1..bytes.len().saturating_sub(HEADER_LEN - 1)).filter(|at| bytes[*at..].starts_with(&frame::MAGIC)).any(|at| {
        Header::read(&bytes[at..]).is_some_and(|header| {
            header.file == number && header.sequence > sequence && matches!(header.kind, FrameKind::Events | FrameKind::Seal)
        })
    })
}
