//! Why TLS settings are refused.

use std::path::PathBuf;

use super::super::files::FileError;
use super::super::own::NotAServers;
use crate::audit::reload::ReloadFault;
use crate::regular_file;

/// Why TLS settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key is not the certificate's.
    #[error("{}: this key does not belong to the certificate in {}", key_file.display(), certificate_file.display())]
    KeyMismatch {
        /// The certificate.
        certificate_file: PathBuf,
        /// The key.
        key_file: PathBuf,
    },
    /// A gateway's certificate that no client would accept, whatever the time.
    #[error("{}: not a certificate for a gateway: {why}; have one issued for a server", file.display())]
    NotAServers {
        /// The certificate.
        file: PathBuf,
        /// What is wrong with it.
        why: NotAServers,
    },
    /// A gateway's certificate that no client would accept yet.
    #[error("{}: this certificate is not valid yet; look at the clock, or use the one before it", .0.display())]
    NotYetValid(PathBuf),
    /// A gateway's certificate that no client would accept any more.
    #[error("{}: this certificate has expired; every client would refuse it, have it renewed", .0.display())]
    Expired(PathBuf),
    /// A CA certificate that cannot be a trust anchor.
    #[error("{}: holds a certificate that cannot serve as a CA", .0.display())]
    Authority(PathBuf),
    /// A test CA in production.
    #[error("{}: '{name}' is a test CA, which production does not accept; take it out, or set identity_mode = \"test\"", file.display())]
    TestAuthority {
        /// The file of CAs.
        file: PathBuf,
        /// The CA's name.
        name: String,
    },
    /// A CA whose name does not tell whether it is a test CA, in production.
    #[error(
        "{}: holds a CA whose common name, or its issuer's, cannot be read or stands there twice; production takes no CA that it cannot tell from a test CA, take it out", .0.display()
    )]
    UnclearAuthority(PathBuf),
    /// No CA file at all.
    #[error("no CA file is given; name at least one, or nobody can connect")]
    NoAuthority,
    /// A revocation list that cannot be read.
    #[error("{}: holds a revocation list that cannot be read; fetch it anew from its issuer", .0.display())]
    List(PathBuf),
    /// A revocation list that is not its issuer's.
    #[error("{}: holds a revocation list that the CA of its name did not sign; fetch it anew from its issuer", .0.display())]
    ListNotSigned(PathBuf),
    /// A revocation list that no configured CA signed, which anybody could have made.
    #[error(
        "{}: holds a revocation list of '{issuer}' that no CA of client_ca_files or issuing_ca_files signed that vouches now; it is not used. Name its CA in issuing_ca_files, fetch it anew from its issuer, or take it out", file.display()
    )]
    ListNotVouched {
        /// The file.
        file: PathBuf,
        /// Whose list it says it is.
        issuer: String,
    },
    /// A CA that was named to vouch for its lists and cannot.
    #[error(
        "{}: '{name}' has no chain to a CA of client_ca_files, is revoked, or is not valid now, so it vouches for no revocation list; put its certificate of today here and its root into client_ca_files, or take it out", file.display()
    )]
    IdleAuthority {
        /// The file of CAs.
        file: PathBuf,
        /// The CA's name.
        name: String,
    },
    /// A revocation list older than one that was in force.
    #[error("{}: holds a revocation list older than one that was in force, which may forget revocations; fetch it anew", .0.display())]
    OlderList(PathBuf),
    /// A revocation list in a file that is in force, of a CA that came back to find only an older one than it had.
    #[error(
        "{}: holds a revocation list of '{issuer}' older than one that was in force, which may forget revocations; it is not used, and nobody whom that CA issued for is let in. Fetch it anew", file.display()
    )]
    OldList {
        /// The file.
        file: PathBuf,
        /// Whose list it is.
        issuer: String,
    },
    /// A revocation list from the future.
    #[error("{}: holds a revocation list of a time that has not come; look at the clock, then fetch it anew from its issuer", .0.display())]
    FutureList(PathBuf),
    /// A file that lost a list.
    #[error(
        "{}: no longer holds the revocation list of '{issuer}', or that of a part of its certificates; put it back. If that CA is to go, take it out first; if it cuts its lists into other parts now, restart", file.display()
    )]
    ListMissing {
        /// The file.
        file: PathBuf,
        /// Whose list is gone.
        issuer: String,
    },
    /// What is remembered of lists cannot be read.
    #[error("{}: is not what the gateway remembers of revocation lists; if those in crl_files are fresh from their issuers, remove it", .0.display())]
    Marks(PathBuf),
    /// What is remembered of revocation lists cannot be read, and not because of the configuration.
    #[error("{}: what is remembered of revocation lists cannot be read: {}; look at its disk", path.display(), regular_file::in_words(error))]
    MarksUnread {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The server's name cannot be one.
    #[error("the server's name is neither a DNS name nor an IP address")]
    ServerName,
    /// rustls refused for another reason.
    #[error("the TLS settings cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    /// The fault as it stands in the log.
    #[must_use]
    pub const fn fault(&self) -> ReloadFault {
        match self {
            Self::File(
                FileError::Io { .. }
                | FileError::Sync { .. }
                | FileError::TooLarge { .. }
                | FileError::TooManyLists(_)
                | FileError::NotARegularFile { .. }
                | FileError::Irreplaceable { .. },
            ) => ReloadFault::Unreadable,
            Self::File(FileError::Mode { .. }) => ReloadFault::Permissions,
            Self::File(FileError::Pem { .. }) | Self::List(_) => ReloadFault::Malformed,
            Self::KeyMismatch { .. } => ReloadFault::KeyMismatch,
            Self::NotYetValid(_) | Self::Expired(_) => ReloadFault::NotValidNow,
            Self::NotAServers { .. } => ReloadFault::Purpose,
            Self::Authority(_) | Self::UnclearAuthority(_) | Self::NoAuthority => ReloadFault::Authority,
            Self::TestAuthority { .. } => ReloadFault::TestCa,
            Self::ListNotSigned(_) => ReloadFault::NotSigned,
            Self::ListNotVouched { .. } | Self::IdleAuthority { .. } => ReloadFault::NotVouched,
            Self::OlderList(_) | Self::OldList { .. } => ReloadFault::OlderList,
            Self::FutureList(_) => ReloadFault::FutureList,
            Self::ListMissing { .. } => ReloadFault::ListMissing,
            Self::Marks(_) | Self::MarksUnread { .. } | Self::ServerName | Self::Rustls(_) => ReloadFault::Other,
        }
    }
}
