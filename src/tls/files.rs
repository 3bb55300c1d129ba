//! Reading certificates, keys and other secrets from files, and writing them with narrow permissions.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::regular_file::{self, Kind, Links, ReadError};

/// The largest certificate, key or secret file, in bytes.
pub const SECRET_BYTES_MAX: u64 = 1024 * 1024;
/// The largest file of revocation lists, in bytes: some 200,000 revoked certificates, read and in force well within the five seconds of a revocation.
pub const CRL_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Lists in one file. A CA has one, or a few where it cuts its list into parts; each costs signatures.
pub const LISTS_MAX: usize = 64;

/// Names that are tried for a new file beside another: what crashes left there stays.
const BESIDE_MAX: u32 = 100;

/// Why a file cannot be used. Names the file, never its content.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Cannot be opened, read or written.
    #[error("{}: {}", path.display(), regular_file::in_words(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Written, and nobody knows whether it is on the disk.
    #[error("{}: could not be made durable: {}; look at its disk", path.display(), regular_file::in_words(error))]
    Sync {
        /// The file or the folder of its name.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A pipe, a device, a folder: nothing that is read.
    #[error("{}: {}", path.display(), ReadError::NotARegularFile(*kind))]
    NotARegularFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// A device, a pipe, a socket, a link: what writes a file by name would put a file in its place.
    #[error("{}: {kind}, which a file would replace; name a regular file, or one that is not there yet", path.display())]
    Irreplaceable {
        /// What was named.
        path: PathBuf,
        /// What it is.
        kind: Kind,
    },
    /// A secret that others on the machine can read.
    #[error("{}: mode {mode:04o} lets group or others at a secret; set it to 0600 (chmod 600)", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Larger than any real one.
    #[error("{}: {}", path.display(), ReadError::TooLarge(*max))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        max: u64,
    },
    /// More revocation lists than any file needs.
    #[error("{}: holds more than {LISTS_MAX} revocation lists; keep those of the configured CAs", .0.display())]
    TooManyLists(PathBuf),
    /// No PEM section of the kind asked for, or a broken one.
    #[error("{}: holds no readable PEM section '{section}'", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The PEM label that was looked for.
        section: &'static str,
    },
}

impl FileError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }

    fn read(path: &Path) -> impl FnOnce(ReadError) -> Self {
        let path = path.to_owned();
        move |error| match error {
            ReadError::Io(error) => Self::Io { path, error },
            ReadError::NotARegularFile(kind) => Self::NotARegularFile { path, kind },
            ReadError::TooLarge(max) => Self::TooLarge { path, max },
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::Sync { path, .. }
            | Self::NotARegularFile { path, .. }
            | Self::Irreplaceable { path, .. }
            | Self::Mode { path, .. }
            | Self::TooLarge { path, .. }
            | Self::TooManyLists(path)
            | Self::Pem { path, .. } => path,
        }
    }
}

/// The bytes of a regular file that need not be secret, at most `max`. Never waits for whoever should write it.
///
/// # Errors
/// [`FileError::Io`], [`FileError::NotARegularFile`] or [`FileError::TooLarge`].
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    regular_file::read(path, Links::Follow, max).map_err(FileError::read(path))
}

/// The bytes of a secret, at most [`SECRET_BYTES_MAX`]; wiped when dropped.
///
/// # Errors
/// As [`read`]; also when its mode lets group or others read, write or run it.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, FileError> {
    // The mode is asked of the open file, so that no other file can take its place in between.
    let file = regular_file::open(path, Links::Follow).map_err(FileError::read(path))?;
    let mode = file.metadata().map_err(FileError::io(path))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(FileError::Mode { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    regular_file::read_open(&file, SECRET_BYTES_MAX, &mut bytes).map_err(FileError::read(path))?;
    Ok(bytes)
}

/// All certificates of a PEM file, at least one.
///
/// # Errors
/// The file cannot be read, or a certificate section is missing or broken.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    certificates_in(path, &read(path, SECRET_BYTES_MAX)?)
}

/// The same from bytes that were read from `path`.
pub(super) fn certificates_in(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let broken = || FileError::Pem { path: path.to_owned(), section: "CERTIFICATE" };
    let found = CertificateDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>().map_err(|_| broken())?;
    if found.is_empty() { Err(broken()) } else { Ok(found) }
}

/// All revocation lists of a PEM file, at least one; or the one of a DER file, as issuers publish them.
///
/// # Errors
/// The file cannot be read, or a list's section is missing or broken.
pub fn read_crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    crls_in(path, &read(path, CRL_BYTES_MAX)?)
}

/// The same from bytes that were read from `path`.
pub(super) fn crls_in(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    // DER begins with the tag of a SEQUENCE and a length of more than one byte, which no text does.
    if bytes.first() == Some(&0x30) && bytes.get(1).is_some_and(|length| *length >= 0x80) {
        return Ok(vec![bytes.to_vec().into()]);
    }
    let broken = || FileError::Pem { path: path.to_owned(), section: "X509 CRL" };
    let sections = CertificateRevocationListDer::pem_slice_iter(bytes).take(LISTS_MAX + 1);
    let found = sections.collect::<Result<Vec<_>, _>>().map_err(|_| broken())?;
    if found.len() > LISTS_MAX {
        return Err(FileError::TooManyLists(path.to_owned()));
    }
    if found.is_empty() { Err(broken()) } else { Ok(found) }
}

/// The private key of a PEM file that only its owner can read.
///
/// # Errors
/// See [`read_secret`]; also when there is no key in the file.
pub fn read_private_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let bytes = read_secret(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| FileError::Pem { path: path.to_owned(), section: "PRIVATE KEY" })
}

/// Keeps a folder of keys and mail out of version control: a `.gitignore` of its own that names everything. One that is there stays.
///
/// # Errors
/// The file cannot be written.
pub fn keep_out_of_git(dir: &Path) -> Result<(), FileError> {
    let file = dir.join(".gitignore");
    if file.exists() { Ok(()) } else { write(&file, b"# Keys and mail: nothing in here is for version control.\n*\n", 0o644) }
}

/// Makes `path` and its parents; those it makes are for the owner only (0700).
///
/// # Errors
/// What the system says.
pub fn make_private_dir(path: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(FileError::io(path))
}

/// A new empty file of a name of its own beside `path`, whose name begins with that of `path` and which is to take its place once it is whole. What
/// lies at `path` is looked at first, and no file that was there is touched.
///
/// # Errors
/// [`FileError::Irreplaceable`], or what the system says.
pub fn create_beside(path: &Path, ending: &str, mode: u32) -> Result<(File, PathBuf), FileError> {
    may_be_replaced(path)?;
    let mut taken = None;
    for number in 0..BESIDE_MAX {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(if number == 0 { format!(".{ending}") } else { format!(".{number}.{ending}") });
        let fresh = path.with_file_name(name);
        match OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(&fresh) {
            Ok(file) => return Ok((file, fresh)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => taken = Some((fresh, error)),
            // What is missing or closed is the folder, not the file that is to be made in it.
            Err(error) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                return Err(FileError::Io { path: folder.to_owned(), error });
            }
        }
    }
    let (path, error) = taken.expect("each of at least one name was tried, and all are taken");
    Err(FileError::Io { path, error })
}

/// Refuses to put a file in the place of a device, a pipe, a socket, a link or a folder.
///
/// # Errors
/// [`FileError::Irreplaceable`], or what the system says.
pub fn may_be_replaced(path: &Path) -> Result<(), FileError> {
    match regular_file::kind_at(path).map_err(FileError::io(path))? {
        None => Ok(()),
        Some(Kind::Folder) => Err(FileError::Io { path: path.to_owned(), error: io::ErrorKind::IsADirectory.into() }),
        Some(kind) => Err(FileError::Irreplaceable { path: path.to_owned(), kind }),
    }
}

/// Makes the name of a written file durable.
///
/// # Errors
/// [`FileError::Sync`].
pub fn sync_name(path: &Path) -> Result<(), FileError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    regular_file::sync_folder(folder).map_err(|error| FileError::Sync { path: folder.to_owned(), error })
}

/// Writes `bytes` to `path` in one step (a new file, synced, then renamed) with permission bits `mode`.
///
/// # Errors
/// [`FileError::Irreplaceable`], [`FileError::Sync`], or what the system says.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let (file, fresh) = create_beside(path, "new", mode)?;
    let synced = || file.sync_all().map_err(|error| FileError::Sync { path: path.to_owned(), error });
    let written = (&file).write_all(bytes).map_err(FileError::io(&fresh)).and_then(|()| synced());
    let placed = written.and_then(|()| fs::rename(&fresh, path).map_err(FileError::io(path)));
    placed.inspect_err(|_| _ = fs::remove_file(&fresh))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_the_group_can_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write(&path, b"secret", 0o600).unwrap();
        assert_eq!(read_secret(&path).unwrap().as_slice(), b"secret");
        for mode in [0o640, 0o604, 0o660, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_secret(&path).unwrap_err();
            assert!(matches!(error, FileError::Mode { mode: found, .. } if found == mode));
            let text = error.to_string();
            assert!(text.contains("chmod 600") && text.contains("key.pem") && !text.contains("secret\n"), "{text}");
        }
    }

    #[test]
    fn a_written_secret_is_for_its_owner_only_also_over_a_wider_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er");
        make_private_dir(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let file = path.join("k");
        fs::write(&file, b"old").unwrap();
        write(&file, b"new", 0o600).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[test]
    fn a_file_of_more_lists_than_any_file_needs_is_refused() {
        let path = Path::new("crl.pem");
        let lists = |count| "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n".repeat(count);
        assert_eq!(crls_in(path, lists(LISTS_MAX).as_bytes()).unwrap().len(), LISTS_MAX);
        let error = crls_in(path, lists(LISTS_MAX + 1).as_bytes()).unwrap_err();
        assert!(matches!(&error, FileError::TooManyLists(named) if named == path) && error.to_string().contains("64"), "{error}");
    }

    #[test]
    fn a_file_without_the_pem_section_and_one_too_large_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pem");
        write(&path, b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", 0o600).unwrap();
        assert!(matches!(read_certificates(&path), Err(FileError::Pem { section: "CERTIFICATE", .. })));
        assert!(matches!(read_crls(&path), Err(FileError::Pem { section: "X509 CRL", .. })));
        assert!(matches!(read_private_key(&path), Err(FileError::Pem { section: "PRIVATE KEY", .. })));
        assert!(matches!(read(&path, 3), Err(FileError::TooLarge { .. })));
    }

    #[test]
    fn what_is_no_regular_file_is_never_replaced_by_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), b"old").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for (place, kind) in [
            (path("link"), Kind::Link),
            (path("dangling"), Kind::Link),
            (path("pipe"), Kind::Pipe),
            (path("socket"), Kind::Socket),
            (PathBuf::from("/dev/null"), Kind::Device),
        ] {
            let error = may_be_replaced(&place).unwrap_err();
            assert!(matches!(error, FileError::Irreplaceable { kind: found, .. } if found == kind), "{error}");
            assert!(
                error.to_string().ends_with("which a file would replace; name a regular file, or one that is not there yet"),
                "{error}"
            );
        }
        for name in ["link", "dangling", "pipe", "socket"] {
            assert!(matches!(write(&path(name), b"new", 0o600), Err(FileError::Irreplaceable { .. })), "{name}");
            assert!(!path(&format!("{name}.new")).exists(), "nothing is left beside it");
        }
        assert_eq!((fs::read(path("file")).unwrap(), fs::read_link(path("link")).unwrap()), (b"old".to_vec(), "file".into()));
    }

    #[test]
    fn a_file_that_is_written_takes_no_other_one_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("k.new"), b"somebody's").unwrap();
        std::os::unix::fs::symlink("k.new", path("k.1.new")).unwrap();
        write(&path("k"), b"ours", 0o600).unwrap();
        assert_eq!((fs::read(path("k")).unwrap(), fs::read(path("k.new")).unwrap()), (b"ours".to_vec(), b"somebody's".to_vec()));
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort_unstable();
        assert_eq!(names, ["k", "k.1.new", "k.new"], "and leaves none behind");
        for number in 2..BESIDE_MAX {
            fs::write(path(&format!("k.{number}.new")), b"").unwrap();
        }
        assert!(matches!(write(&path("k"), b"again", 0o600), Err(FileError::Io { .. })), "it does not try for ever");
        assert_eq!(fs::read(path("k")).unwrap(), b"ours");
    }
}
