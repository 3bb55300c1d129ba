//! The store's folder: names, the lock, FORMAT, CURRENT, and what is swept away at a start.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::disk::{Disk, File, FolderLock, LockedFolder, Open, kind_of, other_kind, write_file};
use super::error::{Damage, IoContext as _, OpenError};
use super::frame::Chain;
use super::recover::Follows;

/// The newest format that this program reads and the one it writes.
pub const FORMAT_VERSION: u64 = 1;

/// The folders below the store's own.
pub const FOLDERS: [&str; 7] = ["journal", "base", "records", "holds", "keys", "log", "index"];

/// Paths of one store. Names of files are relative, with `/`, as they stand in keys, errors and authenticated data.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

/// The store is this process's for as long as this lives.
#[derive(Debug)]
pub struct Lock {
    folder: FolderLock,
    _file: Arc<dyn File>,
}

impl Lock {
    /// The folder that is locked, for whoever looks whether it is still in its place. Does not hold the lock.
    #[must_use]
    pub fn folder(&self) -> Weak<dyn LockedFolder> {
        Arc::downgrade(&self.folder)
    }
}

/// Name of the journal file `n`.
#[must_use]
pub fn journal_name(n: u64) -> String {
    format!("journal/{n:012}.j")
}

/// Name of the state of base `n`.
#[must_use]
pub fn state_name(n: u64) -> String {
    format!("base/{n:012}.state")
}

/// Name of the content of base `n`.
#[must_use]
pub fn content_name(n: u64) -> String {
    format!("base/{n:012}.content")
}

/// Name of the key of a sealed file.
#[must_use]
pub fn key_name(file: &str) -> String {
    format!("keys/{}.key", file.replace('/', "-"))
}

/// The number in a name of this store's own making: `<twelve digits><suffix>`.
fn number_of(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?;
    (digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

impl Layout {
    /// The store below `root` on `disk`.
    #[must_use]
    pub fn new(root: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { root: root.to_owned(), disk }
    }

    /// The disk that the folder is on.
    #[must_use]
    pub fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// A folder below this one as if it were a store's own.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self { root: self.root.join(name), disk: Arc::clone(&self.disk) }
    }

    /// The store's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a file of the store.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Makes the folders that are missing, durably.
    pub fn make_folders(&self) -> Result<(), OpenError> {
        for name in FOLDERS {
            let path = self.path(name);
            if !self.disk.is_dir(&path) {
                // Nothing that the index needs is lost with what stands in its place.
                if name == "index" && self.disk.exists(&path) {
                    tracing::warn!("something else stands where the search index is kept; it is removed and the index built anew");
                    remove_file(self.disk(), &path)?;
                }
                self.disk.create_dir_all(&path).at("cannot create", &path)?;
            }
        }
        sync_dir(self.disk(), &self.root)
    }

    /// Takes the lock: that of the folder itself, as a file of the name LOCK is soon removed by somebody who thinks it stale, and that of the file,
    /// which is what programs before this one ask for.
    pub fn lock(&self) -> Result<Lock, OpenError> {
        let locked = || OpenError::Locked(self.root.clone());
        let folder = self.disk.lock_folder(&self.root).at("cannot lock", &self.root)?.ok_or_else(locked)?;
        let path = self.path("LOCK");
        let file = self.disk.open(&path, Open::Create).at("cannot open", &path)?;
        if file.try_lock().at("cannot lock", &path)? { Ok(Lock { folder, _file: file }) } else { Err(locked()) }
    }

    /// The bytes of a file that must be there.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, OpenError> {
        let path = self.path(name);
        self.disk.read(&path).map_err(|source| gone(name, "cannot read", path, source))
    }

    /// Opens a file that must be there, to be read.
    pub fn open(&self, name: &str) -> Result<Arc<dyn File>, OpenError> {
        let path = self.path(name);
        self.disk.open(&path, Open::Read).map_err(|source| gone(name, "cannot open", path, source))
    }

    /// Numbers of the journal files, ascending.
    pub fn journals(&self) -> Result<Vec<u64>, OpenError> {
        let mut numbers: Vec<u64> = self.names("journal")?.iter().filter_map(|name| number_of(name, ".j")).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// File names in one folder of the store, sorted; nothing when it does not exist.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, OpenError> {
        let path = self.path(folder);
        let mut names = match self.disk.names(&path) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(OpenError::Io { what: "cannot list", path, source }),
        };
        names.sort_unstable();
        Ok(names)
    }

    /// Refuses a folder without FORMAT that holds anything but what a crash leaves of a store that was being made.
    pub fn check_empty(&self) -> Result<(), OpenError> {
        for name in self.names(".")? {
            let is_ours = match name.as_str() {
                "LOCK" | "FORMAT.tmp" | "CURRENT" | "CURRENT.tmp" | "lost+found" => true,
                folder if FOLDERS.contains(&folder) => self.names(folder)?.is_empty(),
                _ => false,
            };
            if !is_ours {
                return Err(OpenError::NotEmpty(self.root.clone()));
            }
        }
        Ok(())
    }
}

/// A file that must be there and is not is damage like any other.
fn gone(name: &str, what: &'static str, path: PathBuf, source: std::io::Error) -> OpenError {
    match other_kind(&source) {
        _ if source.kind() == std::io::ErrorKind::NotFound => OpenError::damage(name, 0, "the file is gone"),
        Some(kind) => Damage::in_the_way(name, kind).into(),
        None => OpenError::Io { what, path, source },
    }
}

/// Makes a folder and those above it, durably: else a power cut could take its name, and all in it, after that was answered for. The names are
/// made durable also where they are there already, for whoever made them may have been cut short. A folder above that may not be opened is
/// somebody else's.
pub fn make_folder(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    disk.create_dir_all(path).at("cannot create", path)?;
    for above in path.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_dir(above) {
            Err(error) if kind_of(&error) == std::io::ErrorKind::PermissionDenied => {}
            synced => synced.at("cannot sync", above)?,
        }
    }
    Ok(())
}

/// Makes names in a folder durable.
pub fn sync_dir(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    disk.sync_dir(path).at("cannot sync", path)
}

/// Writes a whole file so that a crash leaves either the old one or the new one.
pub fn replace_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<(), OpenError> {
    let tmp = path.with_extension("tmp");
    write_file(disk, &tmp, content).at("cannot write", &tmp)?.sync_data().at("cannot make durable", &tmp)?;
    // A crash before this line leaves the old file and a stray tmp; after it, the new one.
    disk.rename(&tmp, path).at("cannot replace", path)?;
    path.parent().map_or(Ok(()), |folder| sync_dir(disk, folder))
}

/// Removes a file; one that is already gone is fine.
pub fn remove_file(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    match disk.remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at("cannot remove", path),
        _ => Ok(()),
    }
}

/// What is said of bytes behind the end of what was written.
pub const BEHIND: &str = "the store did not write what stands from here on";

/// JSON with a check sum on a line of its own.
pub(super) fn to_checked<T: Serialize>(value: &T) -> String {
    let json = serde_json::to_string(value).expect("plain data has a JSON form");
    format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()))
}

/// Writes JSON with its check sum.
pub fn write_checked<T: Serialize>(disk: &dyn Disk, path: &Path, value: &T) -> Result<(), OpenError> {
    replace_file(disk, path, to_checked(value).as_bytes())
}

/// Reads what [`write_checked`] wrote; `None` when there is no such file.
pub fn read_checked<T: DeserializeOwned>(disk: &dyn Disk, path: &Path, name: &str) -> Result<Option<T>, OpenError> {
    match disk.read(path) {
        Ok(bytes) => of_checked(bytes, name).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(gone(name, "cannot read", path.to_owned(), source)),
    }
}

/// What [`to_checked`] wrote.
pub(super) fn of_checked<T: DeserializeOwned>(bytes: Vec<u8>, name: &str) -> Result<T, OpenError> {
    let damaged = |offset: usize, what: &str| OpenError::damage(name, offset as u64, what);
    let text = String::from_utf8(bytes).map_err(|error| damaged(error.utf8_error().valid_up_to(), "no text stands here"))?;
    let (json, sum) = text.split_once('\n').ok_or_else(|| damaged(text.len(), "the file ends too early"))?;
    let wanted = format!("{:08x}\n", crc32fast::hash(json.as_bytes()));
    if sum != wanted {
        if sum.starts_with(&wanted) {
            return Err(damaged(json.len() + 1 + wanted.len(), BEHIND));
        }
        if wanted.starts_with(sum) {
            return Err(damaged(text.len(), "the file ends too early"));
        }
        // The sum tells that something is wrong, and the text's shape at best where.
        let at = serde_json::from_str::<serde_json::Value>(json).err().map_or(0, |error| error.column().saturating_sub(1));
        return Err(damaged(at, "the text does not fit its check sum"));
    }
    serde_json::from_str(json).map_err(|error| damaged(error.column().saturating_sub(1), "the text has another shape"))
}

/// What a store is, for ever. `version` is read alone first, so that a newer file is named as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// [`FORMAT_VERSION`] of the program that made it.
    pub version: u64,
    /// The log's name.
    pub origin: String,
    /// Random, to tell copies apart.
    pub store_id: String,
    /// The key that signs the log.
    pub log_key: String,
    /// The key of subject commitments, wrapped by the storage key; tells a wrong storage key at once.
    pub subject_key: Vec<u8>,
    /// The log that this one follows after a loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
}

/// The id of a store, from random bytes.
#[must_use]
pub fn store_id(random: &[u8; 32]) -> String {
    random[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Deserialize)]
struct JustVersion {
    version: u64,
}

impl Format {
    /// Reads FORMAT.
    pub fn read(layout: &Layout) -> Result<Option<Self>, OpenError> {
        let path = layout.path("FORMAT");
        let Some(version) = read_checked::<JustVersion>(layout.disk(), &path, "FORMAT")? else { return Ok(None) };
        if version.version > FORMAT_VERSION {
            return Err(OpenError::NewerFormat { found: version.version, known: FORMAT_VERSION });
        }
        read_checked(layout.disk(), &path, "FORMAT")
    }
}

/// The only commit point of a turn: what a start begins from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// The base in force; none before the first turn.
    pub base: Option<u64>,
    /// The first journal file that is not in the base.
    pub journal: u64,
    /// Entries in the base.
    pub size: u64,
    /// Messages whose content stands in the base.
    pub contents: u64,
    /// First month whose records are kept, if any month was written.
    pub first_month: Option<crate::domain::time::Date>,
    /// When the last turn was, in milliseconds; at first, when the store was made.
    pub turned_at: i64,
    /// What the first frame after the base follows: so that the check knows without the key whether the first journal is whole. The first programs
    /// wrote none, and a store without a base needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
}

impl Current {
    /// Of a store that has not turned yet.
    #[must_use]
    pub const fn first(at: i64) -> Self {
        Self { base: None, journal: 1, size: 0, contents: 0, first_month: None, turned_at: at, chain: None }
    }

    /// Reads the CURRENT of a store, which every store has.
    pub fn of(layout: &Layout) -> Result<Self, OpenError> {
        Self::read(layout)?.ok_or_else(|| OpenError::damage("CURRENT", 0, "the file is gone"))
    }

    /// Reads CURRENT.
    pub fn read(layout: &Layout) -> Result<Option<Self>, OpenError> {
        read_checked(layout.disk(), &layout.path("CURRENT"), "CURRENT")
    }
}

/// What a start found besides the files of the store.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// This store's own leftovers, with their keys.
    pub own: Vec<String>,
    /// Files that the store never made: reported, never deleted.
    pub foreign: Vec<String>,
    /// Files in force that are not there, with or without their keys: those are never destroyed, so that a file that comes back can be read. And, where
    /// it was looked for, keys in force that are not there or open nothing.
    pub gone: Vec<String>,
    /// What stands at names of this store's own and is no file.
    pub blocked: Vec<Damage>,
}

/// Names of the store's own that are files, besides those in its folders.
const OWN_FILES: [&str; 11] = [
    "LOCK",
    "FORMAT",
    "FORMAT.tmp",
    "CURRENT",
    "CURRENT.tmp",
    "reserve",
    super::calendar::HELD,
    "CALENDAR-HELD.tmp",
    super::calendar::CONFIRMED,
    "log/checkpoint",
    "log/checkpoint.tmp",
];

impl Layout {
    /// Sorts what is in the folder into the store's files, its leftovers, and foreign files, and says which of its files are gone. `records` are the
    /// record files and files of held records in force.
    pub fn strangers(&self, current: &Current, records: &[String]) -> Result<Strangers, OpenError> {
        let (mut found, mut names) = (Strangers::default(), Vec::new());
        // A turn makes the base that follows the one in force, as often as it is tried.
        let is_of_a_turn = |number: u64| number <= current.base.unwrap_or(0).saturating_add(1);
        for name in self.names("journal")? {
            names.push(format!("journal/{name}"));
            match number_of(&name, ".j") {
                Some(n) if n >= current.journal => {}
                Some(_) => found.own.push(format!("journal/{name}")),
                None => found.foreign.push(format!("journal/{name}")),
            }
        }
        for name in self.names("base")? {
            names.push(format!("base/{name}"));
            match number_of(&name, ".state").or_else(|| number_of(&name, ".content")) {
                Some(n) if Some(n) == current.base => {}
                Some(n) if is_of_a_turn(n) => found.own.push(format!("base/{name}")),
                _ => found.foreign.push(format!("base/{name}")),
            }
        }
        for name in self.names("records")? {
            let path = format!("records/{name}");
            names.push(path.clone());
            match super::records::month_of_name(&path) {
                Some(_) if records.contains(&path) => {}
                Some(_) if self.is_of_a_month(&path) => found.own.push(path),
                _ => found.foreign.push(path),
            }
        }
        for name in self.names("holds")? {
            let path = format!("holds/{name}");
            names.push(path.clone());
            match super::holds::base_of_name(&path) {
                Some(_) if records.contains(&path) => {}
                Some(n) if is_of_a_turn(n) => found.own.push(path),
                _ => found.foreign.push(path),
            }
        }
        let contents = current.base.map(content_name);
        found.gone.extend(contents.iter().chain(records).filter(|name| !self.disk.exists(&self.path(name))).cloned());
        self.stray_keys(current, records, &mut found, &mut names)?;
        self.blocked(&names, &mut found);
        Ok(found)
    }

    /// Whether a file of a month's name is one that the store made: it has a key, or begins as such a file does. Of one that a turn did not finish it
    /// may not have been written.
    fn is_of_a_month(&self, name: &str) -> bool {
        if self.disk.exists(&self.path(&key_name(name))) {
            return true;
        }
        let mut header = [0; super::records::HEADER_LEN];
        let Ok(file) = self.disk.open(&self.path(name), Open::Read) else { return true };
        let len = file.len().unwrap_or(0).min(header.len() as u64) as usize;
        let is_read = file.read_exact_at(&mut header[..len], 0).is_ok();
        !is_read || super::records::first_of_header(&header).is_some() || header.iter().all(|byte| *byte == 0)
    }

    /// What is no file and stands where the store keeps one, or will: a turn could not be made, and would erase nothing. `names` are those in folders.
    fn blocked(&self, names: &[String], found: &mut Strangers) {
        let own = |name: &&str| !found.foreign.iter().any(|foreign| foreign == name);
        let other = |name: &str| self.disk.other_at(&self.path(name)).map(|kind| Damage::in_the_way(name, kind));
        found.blocked = OWN_FILES.into_iter().chain(names.iter().map(String::as_str).filter(own)).filter_map(other).collect();
    }

    /// What is no file and stands where the store keeps one, or will.
    pub fn in_the_way(&self, current: &Current) -> Result<Vec<Damage>, OpenError> {
        Ok(self.strangers(current, &[])?.blocked)
    }

    /// Journal files in force that are not there although their keys are: whoever made them made the file durable first.
    pub fn gone_journals(&self, current: &Current) -> Result<Vec<String>, OpenError> {
        Ok(self.strangers(current, &[])?.gone.into_iter().filter(|name| name.starts_with("journal/")).collect())
    }

    /// Whether what `CURRENT` and the base in force name needs the file: it may come back when it is not there, and then its key is needed.
    fn needs(&self, current: &Current, records: &[String], name: &str) -> bool {
        let base = current.base.is_some_and(|number| name == state_name(number) || name == content_name(number));
        let journal =
            || name.strip_prefix("journal/").and_then(|name| number_of(name, ".j")).is_some_and(|number| number >= current.journal);
        base || records.iter().any(|record| record == name) || journal()
    }

    /// Keys whose file is gone and is no longer needed: a destruction that a crash cut short, or a file that was never made.
    fn stray_keys(&self, current: &Current, records: &[String], found: &mut Strangers, names: &mut Vec<String>) -> Result<(), OpenError> {
        for name in self.names("keys")? {
            names.push(format!("keys/{name}"));
            let file = name.strip_suffix(".key").and_then(|file| file.split_once('-')).map(|(folder, rest)| format!("{folder}/{rest}"));
            match file {
                Some(file) if ["journal/", "base/", "records/", "holds/"].iter().any(|folder| file.starts_with(folder)) => {
                    let is_there = || self.disk.exists(&self.path(&file));
                    if self.needs(current, records, &file) {
                        // The others that are needed are named by what needs them.
                        if file.starts_with("journal/") && !is_there() {
                            found.gone.push(file);
                        }
                    } else if !is_there() && !found.own.contains(&file) {
                        found.own.push(file);
                    }
                }
                _ if name.ends_with(".tmp") => found.own.push(format!("keys/{name}")),
                _ => found.foreign.push(format!("keys/{name}")),
            }
        }
        Ok(())
    }
}
