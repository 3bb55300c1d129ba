//! Every file operation of the embedded store, behind one interface: the real disk here, a simulated one in tests. The only file that names
//! `std::fs` and the calls below it.
//!
//! The interface is that of POSIX, with its promises and no more: what was written is durable after [`File::sync_data`], a name after
//! [`Disk::sync_dir`] of its folder, everything after [`Disk::sync_all`].

use std::fmt::Debug;
use std::fs::{self, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::regular_file::{self, Kind, Links, ReadError};

/// The largest file that is read as a whole, in bytes: the state of some ten million messages.
const WHOLE_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// How a file is opened. All but the first also write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to be read.
    Read,
    /// An existing file.
    Write,
    /// The file as it is, or an empty one where there is none.
    Create,
    /// A new file; fails when there is one.
    CreateNew,
    /// An empty file, whatever was there.
    Truncate,
}

/// An open file. Positions are bytes from its start; there is no cursor, so that threads share it.
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait File: Debug + Send + Sync {
    /// Reads exactly `into.len()` bytes.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes`. After an error any part of them may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes content and length durable. After an error nothing is known of what was written since the last success, and asking again tells
    /// nothing: the kernel may have dropped it and call the next sync a success.
    fn sync_data(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Takes space for `len` bytes and makes the file that long.
    fn reserve(&self, len: u64) -> io::Result<()>;
    /// Takes the file's lock for as long as this is open. False when another process has it.
    fn try_lock(&self) -> io::Result<bool>;
    /// Whether `path` still leads to this very file. True where that cannot be told.
    fn is_at(&self, _path: &Path) -> bool {
        true
    }
}

/// A folder that is locked for as long as this lives.
pub trait LockedFolder: Debug + Send + Sync {
    /// Whether `path` still leads to this very folder. True where that cannot be told.
    fn is_at(&self, _path: &Path) -> bool {
        true
    }
}

/// The lock of a folder, held for as long as this lives.
pub type FolderLock = Arc<dyn LockedFolder>;

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;
    /// Takes the lock of a folder itself, which nobody removes as they may a file in it. None when another process has it.
    fn lock_folder(&self, path: &Path) -> io::Result<Option<FolderLock>>;
    /// A whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Length of a file in bytes.
    fn len(&self, path: &Path) -> io::Result<u64>;
    /// Whether there is anything of this name. True when that cannot be told: keys of files that are gone are destroyed.
    fn exists(&self, path: &Path) -> bool;
    /// Whether there is a folder of this name.
    fn is_dir(&self, path: &Path) -> bool;
    /// What stands at a name where only a regular file may; none for such a file and for no file.
    fn other_at(&self, path: &Path) -> Option<Kind> {
        self.is_dir(path).then_some(Kind::Folder)
    }
    /// Bytes that a file really takes on disk.
    fn allocated(&self, path: &Path) -> io::Result<u64> {
        self.len(path)
    }
    /// Names in a folder, in no order.
    fn names(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Gives a file another name; a file of that name is gone then.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, which must be free. A disk without second names makes a copy.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.open(to, Open::CreateNew)?.write_all_at(&self.read(from)?, 0)
    }
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder and all in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder and those above it; one that is there is fine.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes durable everything on the file system that holds `path`.
    fn sync_all(&self, path: &Path) -> io::Result<()>;
    /// Bytes free for this process on the file system that holds `path`.
    fn free_space(&self, path: &Path) -> io::Result<u64>;
    /// Where a library that opens its own files finds `path`; none when this disk is not the operating system's.
    fn outside(&self, path: &Path) -> Option<PathBuf>;
}

/// A failed sync, whatever the system called it; a full disk, too, may show only here. What was to become durable may be lost although a further
/// sync would succeed, so nothing may be built on it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SyncFailed(io::Error);

/// Marks an error as that of a sync.
pub fn failed_sync(error: io::Error) -> io::Error {
    io::Error::other(SyncFailed(error))
}

/// What the operating system said, also of a sync that failed.
pub fn kind_of(error: &io::Error) -> io::ErrorKind {
    let failed = error.get_ref().and_then(|inner| inner.downcast_ref::<SyncFailed>());
    failed.map_or_else(|| error.kind(), |failed| failed.0.kind())
}

/// Whether the device or the file system says that the bytes cannot be had: a bad sector, or a controller or cable that may come back. What else
/// keeps a file from being read, like too many open files, says nothing about its bytes.
pub fn is_of_device(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let told = [Errno::IO, Errno::BADMSG, Errno::UCLEAN, Errno::REMOTEIO, Errno::NODATA];
    error.raw_os_error().is_some_and(|code| told.iter().any(|errno| errno.raw_os_error() == code))
}

/// What stands in a file's place, when that is why it could not be opened.
pub fn other_kind(error: &io::Error) -> Option<Kind> {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ReadError>()) {
        Some(ReadError::NotARegularFile(kind)) => Some(*kind),
        _ => (error.kind() == io::ErrorKind::IsADirectory).then_some(Kind::Folder),
    }
}

/// Writes a file that is read or replaced as a whole. Not durable.
pub fn write_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<Arc<dyn File>> {
    let file = disk.open(path, Open::Truncate)?;
    file.write_all_at(content, 0)?;
    Ok(file)
}

/// Appends to an empty file through a buffer.
#[derive(Debug)]
pub struct Appender {
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    offset: u64,
}

impl Appender {
    const BUFFER: usize = 1024 * 1024;

    /// From the start of `file` on.
    #[must_use]
    pub fn new(file: Arc<dyn File>) -> Self {
        Self { file, buffer: Vec::new(), offset: 0 }
    }

    /// Appends.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= Self::BUFFER { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the rest; what is written is not durable yet.
    pub fn finish(mut self) -> io::Result<Arc<dyn File>> {
        self.write_out()?;
        Ok(self.file)
    }
}

/// The operating system's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data().map_err(failed_sync)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|meta| meta.len())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, len)?)
    }

    fn try_lock(&self) -> io::Result<bool> {
        took(self.0.try_lock())
    }

    fn is_at(&self, path: &Path) -> bool {
        leads_to(path, &self.0)
    }
}

#[derive(Debug)]
struct RealFolder(fs::File);

impl LockedFolder for RealFolder {
    fn is_at(&self, path: &Path) -> bool {
        leads_to(path, &self.0)
    }
}

/// Whether what stands at `path` is what is open here: no other has its device and number for as long as it is open.
fn leads_to(path: &Path, open: &fs::File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (fs::metadata(path), open.metadata()) {
        (Ok(there), Ok(own)) => (there.dev(), there.ino()) == (own.dev(), own.ino()),
        (Err(error), _) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        (Ok(_), Err(_)) => true,
    }
}

/// Whether a lock was to be had.
fn took(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut options = fs::File::options();
        options.read(true).write(how != Open::Read);
        match how {
            Open::Read | Open::Write => {}
            Open::Create => drop(options.create(true)),
            Open::CreateNew => drop(options.create_new(true)),
            Open::Truncate => drop(options.create(true).truncate(true)),
        }
        Ok(Arc::new(RealFile(regular_file::open_with(&mut options, path, Links::Refuse)?)))
    }

    fn lock_folder(&self, path: &Path) -> io::Result<Option<FolderLock>> {
        let folder = regular_file::open_folder(path)?;
        Ok(if took(folder.try_lock())? { Some(Arc::new(RealFolder(folder))) } else { None })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(regular_file::read(path, Links::Refuse, WHOLE_FILE_BYTES_MAX)?)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|meta| meta.len())
    }

    fn exists(&self, path: &Path) -> bool {
        !matches!(fs::symlink_metadata(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn other_at(&self, path: &Path) -> Option<Kind> {
        regular_file::kind_at(path).ok().flatten()
    }

    fn allocated(&self, path: &Path) -> io::Result<u64> {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata(path).map(|meta| meta.blocks().saturating_mul(512))
    }

    fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        regular_file::sync_folder(path).map_err(failed_sync)
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        regular_file::open_folder(path).and_then(|folder| Ok(rustix::fs::syncfs(folder)?)).map_err(failed_sync)
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn outside(&self, path: &Path) -> Option<PathBuf> {
        Some(path.to_owned())
    }
}
