//! Why the embedded store does not open or cannot go on. Every text says what to do and none repeats content.

use std::path::{Path, PathBuf};

use super::disk::{SyncFailed, failed_sync, is_of_device, other_kind};
use super::grounds::AllBeyond;
use crate::regular_file::Kind;
use crate::store::StoreError;

/// Where bytes are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, offset {offset}: {what}")]
pub struct Damage {
    /// Path below the store's folder.
    pub file: String,
    /// Byte offset in it.
    pub offset: u64,
    /// What does not fit.
    pub what: String,
}

/// Why the store does not open, or an act on its files failed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the data folder {} is in use by another gateway; stop that one first, two must never share a folder", .0.display())]
    Locked(PathBuf),
    /// Written by a later program.
    #[error("the data folder has format {found}, this program knows formats up to {known}; start the newer program that wrote it")]
    NewerFormat {
        /// What stands in FORMAT.
        found: u64,
        /// What this program knows.
        known: u64,
    },
    /// FORMAT is no format file.
    #[error("{file} is damaged or no file of this program; name another data folder or restore this one")]
    NotAStore {
        /// Which file.
        file: String,
    },
    /// A folder with files in it but without FORMAT.
    #[error("the folder {} is not empty and holds no store; name an empty or a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// The store is another log's.
    #[error("the store is of the log {found}, the configuration names {configured}; one store has one origin for ever")]
    OtherOrigin {
        /// What stands in FORMAT.
        found: String,
        /// What was asked for.
        configured: String,
    },
    /// The log's key is another one.
    #[error(
        "the store's log is signed by the key {found}, the configured key is {configured}; one log has one key for ever, a new key is a new log"
    )]
    OtherLogKey {
        /// The verifier key in FORMAT.
        found: String,
        /// That of the configured signer.
        configured: String,
    },
    /// The storage key does not open the store.
    #[error("the storage key does not fit {file}: check that the configured storage key file is the one this store was made with")]
    StorageKey {
        /// Which file did not open.
        file: String,
    },
    /// Older than what was published.
    #[error(
        "the store is behind its high-water mark: it holds {found_size} entries{found_root}, but {mark_size} entries with root {mark_root} were \
         published. It was restored from an old copy; bring back the newest copy, or see with `samband recover` what is lost and go on as a new log"
    )]
    Behind {
        /// Entries that are there.
        found_size: u64,
        /// The root at the mark's size, when the store reaches it, as ` and root …`.
        found_root: String,
        /// Entries that were published.
        mark_size: u64,
        /// Root that was published.
        mark_root: String,
    },
    /// Nothing is there, of a log that was published.
    #[error(
        "the folder {} holds no store, but {published} entries of its log were published: is its volume mounted? Bring the folder or its newest \
         copy back; a new log needs another high_water_file", .dir.display()
    )]
    Away {
        /// The store's folder.
        dir: PathBuf,
        /// Entries that were published.
        published: u64,
    },
    /// Nothing to recover from.
    #[error("the store holds all that was published, nothing is lost; start the gateway")]
    NotBehind,
    /// A recovery under the old name or key.
    #[error(
        "the log {0} cannot go on after a loss under its own name and key, that would be a second history of it; make new ones with \
         `samband keys new --log-only --origin NEW-NAME --dir DIR`, set origin and log_key_file to them and run this again"
    )]
    SameLog(String),
    /// A checkpoint that is not this log's.
    #[error("the given checkpoint is not signed by the key of this store's log; give one of that log, or none")]
    OtherCheckpoint,
    /// A checkpoint of this log's key that is further than the folder.
    #[error(
        "the given checkpoint is signed by this log's key and of {given} entries, but this folder has published {published}: it is an older copy. \
         Whether the longer log goes on from it cannot be told here; name the newest copy of the folder, or give a checkpoint of {published} entries \
         at most, or none"
    )]
    NewerCheckpoint {
        /// Its size.
        given: u64,
        /// What the folder has published.
        published: u64,
    },
    /// A checkpoint of this log's key with another tree than the folder's.
    #[error(
        "the log was forked: the given checkpoint is signed by this log's key and has over {size} entries the root {given}, but this folder's log, \
         signed by the same key, has the root {found}. This is evidence: keep both as they are, the checkpoint and the folder, and tell the auditors"
    )]
    ForkedCheckpoint {
        /// Its size.
        size: u64,
        /// Its root.
        given: String,
        /// The folder's root over as many entries.
        found: String,
    },
    /// The store is behind what a witness saw of this log.
    #[error(
        "the store is behind its log: it holds {found_size} entries, but {who} has seen {seen_size} of this log. It was restored from an old \
         copy, or another gateway runs with its key; bring back the newest copy, or open a new log that names the old one's last checkpoint. \
         If you know that the witness is wrong, take it out of the policy file"
    )]
    BehindWitness {
        /// Entries that are there.
        found_size: u64,
        /// Who saw more.
        who: String,
        /// How much.
        seen_size: u64,
    },
    /// Bytes are not what was written.
    #[error("damaged data: {0}; restore the folder from a copy, or run `samband audit fsck DATA_DIR --storage-key FILE` to see all of it")]
    Damaged(#[from] Damage),
    /// The mark, which lies outside the folder, is not what was written.
    #[error(
        "the high-water mark is damaged: {0}. It lies outside the data folder, with which nothing is wrong by that, and `audit fsck` does not read it: \
         put it back from a copy. Where there is none, see first that the folder is its newest copy (the newest checkpoint that a mirror, a witness or a \
         receipt holds tells it), then remove the mark; the start writes it anew"
    )]
    Mark(Damage),
    /// The operating system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The path of what is open and locked here leads elsewhere.
    #[error(
        "{} is no longer what this gateway opened: it was moved, removed or replaced while the gateway ran. Nothing more is written or answered. \
         What was answered until now stands where it was moved to; see that the right folder is in place, with `samband audit fsck DATA_DIR --storage-key FILE`, and start again",
        .0.display()
    )]
    Replaced(PathBuf),
    /// Holds keep records for longer than is lawful without a ground, and the configuration names none.
    #[error(
        "{0}. The gateway does not start, and nothing is erased. Name the ground again: hold_ground in the configuration. To do without one, start with it, \
         let an auditor lift these holds or place them anew with an end that needs none (`samband audit hold`), and take it out then"
    )]
    NoGround(AllBeyond),
    /// A record is longer than a slot.
    #[error("the record at log index {0} is longer than a slot; this is an error in the program, report it")]
    RecordTooLong(u64),
    /// The store stopped while this was under way.
    #[error("the store stopped")]
    Stopped,
    /// A test stopped the act here.
    #[error("stopped at failpoint")]
    Failpoint,
}

/// Why something could not be read, by how much hope it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The bytes are there and are not what was written, or they are gone.
    Bytes,
    /// The disk does not give them.
    Device,
    /// Nothing is known of them.
    Moment,
}

impl Damage {
    /// Something else stands where the store keeps a file of its own.
    #[must_use]
    pub fn in_the_way(file: impl Into<String>, kind: Kind) -> Self {
        let what = format!("{kind} stands where the store keeps a file: stop the gateway, move it out of the way and start again");
        Self { file: file.into(), offset: 0, what }
    }

    /// A file stands where the store keeps a folder.
    #[must_use]
    pub fn no_folder(name: impl Into<String>) -> Self {
        let what = "a file stands where the store keeps a folder: stop the gateway, move it out of the way and start again".to_owned();
        Self { file: name.into(), offset: 0, what }
    }
}

impl OpenError {
    /// Damage at an offset of a file.
    pub fn damage(file: &str, offset: u64, what: impl Into<String>) -> Self {
        Self::Damaged(Damage { file: file.to_owned(), offset, what: what.into() })
    }

    /// Whether a sync failed: the process may not go on.
    #[must_use]
    pub fn is_failed_sync(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.get_ref().is_some_and(|inner| inner.is::<SyncFailed>()))
    }

    /// What it says of the bytes that were to be read.
    #[must_use]
    pub fn blames(&self) -> Blame {
        match self {
            Self::Damaged(_) => Blame::Bytes,
            Self::Io { source, .. } if is_of_device(source) => Blame::Device,
            _ => Blame::Moment,
        }
    }

    /// Whether the process may not go on after it, whatever was being done.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Replaced(_)) || self.is_failed_sync()
    }

    /// The same failure, from which the process may not go on.
    #[must_use]
    pub fn as_failed_sync(self) -> Self {
        match self {
            Self::Io { what, path, source } if source.get_ref().is_none_or(|inner| !inner.is::<SyncFailed>()) => {
                Self::Io { what, path, source: failed_sync(source) }
            }
            other => other,
        }
    }

    /// The answer to a caller of the store.
    #[must_use]
    pub fn to_store_error(&self) -> StoreError {
        match self {
            Self::Stopped => StoreError::Stopped,
            Self::Damaged(damage) => StoreError::Damaged { place: format!("{}, offset {}", damage.file, damage.offset) },
            Self::Io { path, .. } => StoreError::Damaged { place: path.display().to_string() },
            other => StoreError::Damaged { place: other.to_string() },
        }
    }
}

/// Names what was done to which file.
pub trait IoContext<T> {
    /// The result, told with file and act.
    fn at(self, what: &'static str, path: &Path) -> Result<T, OpenError>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn at(self, what: &'static str, path: &Path) -> Result<T, OpenError> {
        self.map_err(|source| match other_kind(&source) {
            Some(kind) => Damage::in_the_way(path.display().to_string(), kind).into(),
            None => OpenError::Io { what, path: path.to_owned(), source },
        })
    }
}
