//! Where the content of undelivered messages lies, and reading one by one read of its file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::{IoContext as _, OpenError};
use super::journal::SealedFile;
use super::keys::Keys;
use super::layout::{Layout, content_name, journal_name};
use crate::store::sealer::Place;

/// A file that holds content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A journal file.
    Journal(u64),
    /// The content file of a base.
    Base(u64),
}

impl Holder {
    /// Name of the file.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Journal(n) => journal_name(n),
            Self::Base(n) => content_name(n),
        }
    }
}

/// Where one content lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// In which file.
    pub holder: Holder,
    /// From which byte on.
    pub offset: u64,
    /// Sealed length; [`LOST`] where a turn left behind what could not be read.
    pub len: u32,
    /// How it was sealed.
    pub place: Place,
}

/// The sealed length of content that was damaged and that a turn left behind: nothing that is sealed is so short. It is damaged for ever, and told as
/// such, until it is no longer to be delivered.
pub const LOST: u32 = 0;

impl Location {
    /// Whether nothing stands there.
    #[must_use]
    pub const fn is_lost(&self) -> bool {
        self.len == LOST
    }
}

/// The places of all content, and the files they are in.
#[derive(Debug)]
pub struct Contents {
    layout: Layout,
    keys: Keys,
    /// By log index. New ones come last, where a tree takes them without ever copying what it holds, while the committer waits.
    places: BTreeMap<u64, Location>,
    /// Decided and needed, not durable yet.
    expected: foldhash::HashSet<u64>,
    bytes: u64,
    files: HashMap<Holder, Arc<SealedFile>>,
}

impl Contents {
    /// With these places.
    #[must_use]
    pub fn new(layout: &Layout, keys: &Keys, places: HashMap<u64, Location>) -> Self {
        let bytes = places.values().map(|location| u64::from(location.len)).sum();
        let places = places.into_iter().collect();
        Self { layout: layout.clone(), keys: keys.clone(), places, expected: foldhash::HashSet::default(), bytes, files: HashMap::new() }
    }

    /// Content is going to be made durable.
    pub fn announce(&mut self, index: u64) {
        self.expected.insert(index);
    }

    /// Content has been made durable. What was superseded meanwhile, within its own frame or the next, is not needed any more.
    pub fn insert(&mut self, index: u64, location: Location) {
        if !self.expected.remove(&index) {
            return;
        }
        self.bytes += u64::from(location.len);
        if let Some(old) = self.places.insert(index, location) {
            self.bytes -= u64::from(old.len);
        }
    }

    /// Content is no longer needed.
    pub fn remove(&mut self, index: u64) {
        self.expected.remove(&index);
        if let Some(old) = self.places.remove(&index) {
            self.bytes -= u64::from(old.len);
        }
    }

    /// Sealed bytes of all content that is still to be delivered.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Log indices of all content that is still to be delivered.
    #[must_use]
    pub fn indices(&self) -> Vec<u64> {
        self.places.keys().copied().collect()
    }

    /// Where content lies, and its file, which stays readable for as long as it is held, also when a turn removes it.
    pub fn find(&mut self, index: u64) -> Result<Option<(Location, Arc<SealedFile>)>, OpenError> {
        let Some(location) = self.places.get(&index).copied() else { return Ok(None) };
        if let Some(file) = self.files.get(&location.holder) {
            return Ok(Some((location, Arc::clone(file))));
        }
        let file = Arc::new(open_holder(&self.layout, &self.keys, location.holder)?);
        self.files.insert(location.holder, Arc::clone(&file));
        Ok(Some((location, file)))
    }

    /// A file as it is open here, if it is.
    #[must_use]
    pub fn open_file(&self, holder: Holder) -> Option<Arc<SealedFile>> {
        self.files.get(&holder).map(Arc::clone)
    }

    /// Where content lies.
    #[must_use]
    pub fn place(&self, index: u64) -> Option<Location> {
        self.places.get(&index).copied()
    }

    /// Whether content still lies there.
    #[must_use]
    pub fn is_at(&self, index: u64, location: &Location) -> bool {
        self.place(index).as_ref() == Some(location)
    }

    /// A turn has carried content over: what still lies in an old file is found in the new one, and old files are let go.
    pub fn carried(&mut self, moved: &HashMap<u64, Location>, new: Option<(Holder, SealedFile)>, is_old: impl Fn(Holder) -> bool) {
        for (index, location) in &mut self.places {
            if is_old(location.holder)
                && let Some(to) = moved.get(index)
            {
                self.bytes = self.bytes - u64::from(location.len) + u64::from(to.len);
                *location = *to;
            }
        }
        self.files.retain(|holder, _| !is_old(*holder));
        if let Some((holder, file)) = new {
            self.files.insert(holder, Arc::new(file));
        }
    }
}

/// Opens a file that holds content.
pub fn open_holder(layout: &Layout, keys: &Keys, holder: Holder) -> Result<SealedFile, OpenError> {
    let name = holder.name();
    Ok(SealedFile { file: layout.open(&name)?, sealer: keys.open(&name)? })
}

/// Reads and opens one content.
pub fn read(file: &SealedFile, location: &Location) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let name = location.holder.name();
    let damage = |what: &str| OpenError::damage(&name, location.offset, what);
    if location.is_lost() {
        return Err(damage("this content was damaged, and nothing of it is left; its sender withdraws it and sends anew"));
    }
    let mut sealed = vec![0_u8; location.len as usize];
    match file.file.read_exact_at(&mut sealed, location.offset) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(damage("the file ends before this content")),
        // Not damage: what is there may be sound.
        read => read.at("cannot read content in", Path::new(&name))?,
    }
    file.sealer.open(location.place, &[], &sealed).map_err(|error| damage(&error.to_string()))
}
