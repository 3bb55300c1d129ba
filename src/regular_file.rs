//! Opening and reading files that others wrote or named. Whatever lies there, a read ends and takes no more memory than was allowed: a pipe with
//! nobody behind it, a device that never ends and a file that grows are refused. The only place outside tests that opens a file to read it.

use std::fmt;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// The longest table of the kernel that is read, in bytes: mounts and locks of a machine are some thousand lines.
const SYSTEM_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Whether a symbolic link may stand in a file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// The file behind it is meant: files that a person names, and those that a service manager mounts, are often links.
    Follow,
    /// There are none: the file is one that this program made, and a link in its place was put there by somebody else.
    Refuse,
}

/// What lies where a regular file should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A symbolic link, where none may be.
    Link,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
}

impl Kind {
    fn of(found: FileType) -> Option<Self> {
        Some(match found {
            file if file.is_file() => return None,
            folder if folder.is_dir() => Self::Folder,
            link if link.is_symlink() => Self::Link,
            pipe if pipe.is_fifo() => Self::Pipe,
            socket if socket.is_socket() => Self::Socket,
            _ => Self::Device,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Link => "a symbolic link",
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// Why a file is not read. Names neither the file nor anything in it: the caller knows the one and nobody may see the other.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What the system said.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something else lies there. It was not opened.
    #[error("{0}, not a regular file; put its content in a file and name that")]
    NotARegularFile(Kind),
    /// Longer than such a file can be.
    #[error("larger than {0} bytes, which no such file is; is this the right one?")]
    TooLarge(u64),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            ReadError::NotARegularFile(_) => Self::new(io::ErrorKind::InvalidInput, error),
            ReadError::TooLarge(_) => Self::new(io::ErrorKind::FileTooLarge, error),
        }
    }
}

/// Opens an existing regular file to read it.
///
/// # Errors
/// [`ReadError::Io`] and [`ReadError::NotARegularFile`].
pub fn open(path: &Path, links: Links) -> Result<File, ReadError> {
    open_with(File::options().read(true), path, links)
}

/// The same with the caller's options, which may also write or make it.
///
/// # Errors
/// See [`open`].
pub fn open_with(options: &mut OpenOptions, path: &Path, links: Links) -> Result<File, ReadError> {
    // Asked before, as opening alone can act: on a tape, on a watchdog, on whoever waits at the other end of a pipe. Asked again of what was
    // opened, as another file may have taken its place in between; for that moment the flags keep the opening and the reading from waiting.
    let before = match links {
        Links::Follow => fs::metadata(path),
        Links::Refuse => fs::symlink_metadata(path),
    };
    match before {
        Ok(found) => regular(found.file_type())?,
        // There may be none yet; the options say whether there must be.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let mut flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    if links == Links::Refuse {
        flags |= OFlags::NOFOLLOW;
    }
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// What lies at `path` if it is anything but a regular file; nothing where there is none. A link is told as one, whatever is behind it.
///
/// # Errors
/// What the system says.
pub fn kind_at(path: &Path) -> io::Result<Option<Kind>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Kind::of(found.file_type())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn regular(found: FileType) -> Result<(), ReadError> {
    Kind::of(found).map_or(Ok(()), |kind| Err(ReadError::NotARegularFile(kind)))
}

/// A whole file of at most `max` bytes.
///
/// # Errors
/// Each of [`ReadError`].
pub fn read(path: &Path, links: Links, max: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    read_open(&open(path, links)?, max, &mut bytes)?;
    Ok(bytes)
}

/// The rest of an open file, at most `max` bytes, appended to `into`; after an error any part of it.
///
/// # Errors
/// [`ReadError::Io`] and [`ReadError::TooLarge`].
pub fn read_open(mut file: &File, max: u64, into: &mut Vec<u8>) -> Result<(), ReadError> {
    // The length is what the file says of itself: one that says too much is not begun, and one that says too little is cut off.
    let said = file.metadata()?.len();
    if said > max {
        return Err(ReadError::TooLarge(max));
    }
    into.reserve(usize::try_from(said).unwrap_or(0));
    let read = (&mut file).take(max.saturating_add(1)).read_to_end(into)?;
    if read as u64 > max { Err(ReadError::TooLarge(max)) } else { Ok(()) }
}

/// A table of the kernel's, by its name below `/proc`; none where it is not to be had. The kernel bounds it by what it lists.
#[must_use]
pub fn read_system(name: &str) -> Option<String> {
    String::from_utf8(read(Path::new(name), Links::Refuse, SYSTEM_BYTES_MAX).ok()?).ok()
}

/// What the system said of a path, and what to do about it. Names the path as little as [`ReadError`] does.
#[must_use]
pub fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is nothing of that name; check the path".to_owned(),
        io::ErrorKind::NotADirectory => "a part of this path is no folder; check the path".to_owned(),
        io::ErrorKind::IsADirectory => "a folder, where a file is wanted; name a file".to_owned(),
        io::ErrorKind::PermissionDenied => "this user may not open it; see its owner and mode, or run as the user who may".to_owned(),
        _ => error.to_string(),
    }
}

/// Makes the names in a folder durable. Anything else in its place is an error and is not waited for.
///
/// # Errors
/// What the system says.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    open_folder(path)?.sync_all()
}

/// Opens a folder, to sync it or its file system.
///
/// # Errors
/// What the system says.
pub fn open_folder(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(OFlags::DIRECTORY.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    fn pipe(path: &Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }

    /// Reads on a thread, so that a read that never ends fails the test instead of holding it.
    fn within_seconds(path: &Path, links: Links, max: u64) -> Result<Vec<u8>, ReadError> {
        let path = path.to_owned();
        let reading = std::thread::spawn(move || read(&path, links, max));
        let begun = Instant::now();
        while !reading.is_finished() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
        reading.join().unwrap()
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        pipe(&at("pipe"));
        let _listener = UnixListener::bind(at("socket")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        symlink(at("pipe"), at("to-pipe")).unwrap();
        symlink(dir.path(), at("to-folder")).unwrap();
        for (name, kind) in [
            ("pipe", Kind::Pipe),
            ("socket", Kind::Socket),
            ("zero", Kind::Device),
            ("to-pipe", Kind::Pipe),
            ("to-folder", Kind::Folder),
            (".", Kind::Folder),
        ] {
            for path in [at(name), at("./").join(name)] {
                let error = within_seconds(&path, Links::Follow, 100).unwrap_err();
                assert!(matches!(error, ReadError::NotARegularFile(found) if found == kind), "{name}: {error}");
                let error = within_seconds(&path, Links::Refuse, 100).unwrap_err();
                assert!(matches!(error, ReadError::NotARegularFile(_)), "{name}: {error}");
            }
        }
        assert!(ReadError::NotARegularFile(Kind::Pipe).to_string().contains("a pipe, not a regular file; put its content in a file"));
    }

    #[test]
    fn a_link_is_followed_only_where_a_person_named_it() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, b"content").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(read(&link, Links::Follow, 7).unwrap(), b"content");
        assert!(matches!(read(&link, Links::Refuse, 7), Err(ReadError::NotARegularFile(Kind::Link))));
        let through = open_with(File::options().write(true).create(true).truncate(true), &link, Links::Refuse);
        assert!(matches!(through, Err(ReadError::NotARegularFile(Kind::Link))));
        assert_eq!(fs::read(&file).unwrap(), b"content", "nothing was written through the link");
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, b"content").unwrap();
        assert_eq!(read(&file, Links::Refuse, 7).unwrap(), b"content");
        assert!(matches!(read(&file, Links::Refuse, 6), Err(ReadError::TooLarge(6))));
        // Sparse: it says that it holds a terabyte.
        File::create(&file).unwrap().set_len(1 << 40).unwrap();
        assert!(matches!(within_seconds(&file, Links::Refuse, 1 << 20), Err(ReadError::TooLarge(_))));
        // It says that it holds nothing, and goes on for some hundred bytes at least.
        assert!(matches!(read(Path::new("/proc/self/status"), Links::Refuse, 16), Err(ReadError::TooLarge(16))));
        assert!(!read(Path::new("/proc/self/status"), Links::Refuse, 1 << 16).unwrap().is_empty());
    }

    #[test]
    fn a_pipe_that_is_asked_for_writing_is_refused_too_and_a_new_file_is_made() {
        let dir = tempfile::tempdir().unwrap();
        pipe(&dir.path().join("pipe"));
        let mut options = File::options();
        options.read(true).write(true).create(true);
        assert!(matches!(open_with(&mut options, &dir.path().join("pipe"), Links::Refuse), Err(ReadError::NotARegularFile(Kind::Pipe))));
        open_with(&mut options, &dir.path().join("new"), Links::Refuse).unwrap();
        let missing = open(&dir.path().join("missing"), Links::Refuse).unwrap_err();
        assert_eq!(io::Error::from(missing).kind(), io::ErrorKind::NotFound);
        assert_eq!(io::Error::from(ReadError::TooLarge(1)).kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(io::Error::from(ReadError::NotARegularFile(Kind::Pipe)).kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn what_the_system_says_of_a_path_comes_with_what_to_do() {
        use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied, StorageFull};
        for (kind, advice) in [
            (NotFound, "check the path"),
            (NotADirectory, "check the path"),
            (IsADirectory, "name a file"),
            (PermissionDenied, "run as the user who may"),
        ] {
            assert!(in_words(&kind.into()).ends_with(advice), "{kind}");
        }
        assert_eq!(in_words(&StorageFull.into()), io::Error::from(StorageFull).to_string());
    }

    #[test]
    fn a_pipe_in_a_folders_place_does_not_hold_a_sync() {
        let dir = tempfile::tempdir().unwrap();
        sync_folder(dir.path()).unwrap();
        let path = dir.path().join("pipe");
        pipe(&path);
        assert_eq!(sync_folder(&path).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }
}
