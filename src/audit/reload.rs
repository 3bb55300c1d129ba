//! What an entry says of a file that was to be read anew while the gateway runs, and did not come into force.

use serde::{Deserialize, Serialize};

/// Which of the configured files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
#[repr(u16)]
pub enum ReloadedFile {
    /// The gateway's certificate and its intermediates.
    Certificate = 1,
    /// The gateway's private key. Its digest is never written down.
    Key = 2,
    /// A CA whose client certificates are accepted.
    ClientCa = 3,
    /// A revocation list.
    RevocationList = 4,
    /// The participant register.
    Register = 5,
    /// A CA below those, named to vouch for its revocation lists.
    IssuingCa = 6,
}

impl ReloadedFile {
    /// Every kind of file.
    pub const ALL: [Self; 6] = [Self::Certificate, Self::Key, Self::ClientCa, Self::RevocationList, Self::Register, Self::IssuingCa];

    /// The stable name in records, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
            Self::ClientCa => "client_ca",
            Self::RevocationList => "revocation_list",
            Self::Register => "register",
            Self::IssuingCa => "issuing_ca",
        }
    }
}

/// Why it did not come into force; what was in force stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
#[repr(u16)]
pub enum ReloadFault {
    /// The file cannot be opened or read, is too large, or is not there.
    Unreadable = 1,
    /// A secret that others on the machine could read.
    Permissions = 2,
    /// Not of its format: no PEM, no DER, no TOML, cut short.
    Malformed = 3,
    /// The private key is not the certificate's.
    KeyMismatch = 4,
    /// A certificate that cannot serve as a CA, or no CA at all.
    Authority = 5,
    /// The gateway's certificate is not valid now.
    NotValidNow = 6,
    /// A revocation list that its issuer did not sign.
    NotSigned = 7,
    /// A revocation list older than the one in force: taking it would forget revocations.
    OlderList = 8,
    /// A test CA of an issuer, in production.
    TestCa = 9,
    /// An entry breaks a rule of registers, in itself or against the register in force.
    Rule = 10,
    /// The store did not take it.
    Store = 11,
    /// Anything else.
    Other = 12,
    /// Its file system does not answer.
    Silent = 13,
    /// The gateway's certificate is not one for servers.
    Purpose = 14,
    /// A revocation list of a time that has not come.
    FutureList = 15,
    /// An issuer that had a revocation list has none any more.
    ListMissing = 16,
    /// A revocation list that no configured CA signed, or a CA that vouches for none: it is not used, the rest of its file is.
    NotVouched = 17,
}

impl ReloadFault {
    /// Every fault.
    pub const ALL: [Self; 17] = [
        Self::Unreadable,
        Self::Permissions,
        Self::Malformed,
        Self::KeyMismatch,
        Self::Authority,
        Self::NotValidNow,
        Self::NotSigned,
        Self::OlderList,
        Self::TestCa,
        Self::Rule,
        Self::Store,
        Self::Other,
        Self::Silent,
        Self::Purpose,
        Self::FutureList,
        Self::ListMissing,
        Self::NotVouched,
    ];

    /// The stable name in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Permissions => "permissions",
            Self::Malformed => "malformed",
            Self::KeyMismatch => "key_mismatch",
            Self::Authority => "authority",
            Self::NotValidNow => "not_valid_now",
            Self::NotSigned => "not_signed",
            Self::OlderList => "older_list",
            Self::TestCa => "test_ca",
            Self::Rule => "rule",
            Self::Store => "store",
            Self::Other => "other",
            Self::Silent => "silent",
            Self::Purpose => "purpose",
            Self::FutureList => "future_list",
            Self::ListMissing => "list_missing",
            Self::NotVouched => "not_vouched",
        }
    }
}

macro_rules! numbered {
    ($name:ident) => {
        impl $name {
            /// The stable number.
            #[must_use]
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The one with this number.
            #[must_use]
            pub fn of_number(number: u16) -> Option<Self> {
                Self::ALL.into_iter().find(|known| known.number() == number)
            }
        }

        impl From<$name> for u16 {
            fn from(known: $name) -> Self {
                known.number()
            }
        }

        impl TryFrom<u16> for $name {
            type Error = &'static str;

            fn try_from(number: u16) -> Result<Self, Self::Error> {
                Self::of_number(number).ok_or("a number that was never given out")
            }
        }
    };
}

numbered!(ReloadedFile);
numbered!(ReloadFault);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::{Event, kind};
    use crate::audit::record::Record;
    use crate::domain::time::Timestamp;

    #[test]
    fn numbers_and_names_are_stable_and_differ() {
        let files: Vec<_> = ReloadedFile::ALL.iter().map(|file| (file.number(), file.as_str())).collect();
        assert_eq!(files, [(1, "certificate"), (2, "key"), (3, "client_ca"), (4, "revocation_list"), (5, "register"), (6, "issuing_ca")]);
        let faults: Vec<_> = ReloadFault::ALL.iter().map(|fault| fault.number()).collect();
        assert_eq!(faults, (1..=17).collect::<Vec<u16>>());
        let names: std::collections::HashSet<_> = ReloadFault::ALL.iter().map(|fault| fault.as_str()).collect();
        assert_eq!(names.len(), ReloadFault::ALL.len());
        assert!(ReloadFault::of_number(0).is_none() && ReloadFault::try_from(18).is_err());
    }

    #[test]
    fn an_event_is_stored_by_numbers_and_read_as_a_record() {
        let failed = Event::ReloadFailed {
            file: ReloadedFile::RevocationList,
            fault: ReloadFault::OlderList,
            digest: Some([0xab; 32]),
            contents: 2,
        };
        let bytes = postcard::to_stdvec(&failed).unwrap();
        // The number of the variant, then those of file and fault: a journal of today is read by every later program.
        assert_eq!(bytes[..5], [31, 4, 8, 1, 0xab]);
        assert_eq!(postcard::from_bytes::<Event>(&bytes).unwrap(), failed);
        assert!(postcard::from_bytes::<Event>(&[31, 4, 99, 0, 1]).is_err(), "an unknown fault");
        let record = Record::of(&failed, Timestamp::from_millis(0));
        assert_eq!((record.kind, record.reason, record.count), (kind::RELOAD_FAILED, Some(8), Some(2)));
        assert_eq!(record.note, Some(format!("revocation_list {}", "ab".repeat(32))));
        let key = Event::ReloadFailed { file: ReloadedFile::Key, fault: ReloadFault::Permissions, digest: None, contents: 1 };
        assert_eq!(Record::of(&key, Timestamp::from_millis(0)).note.as_deref(), Some("key"));
        let loaded = Event::TrustLoaded { digest: [0xcd; 32] };
        assert_eq!(postcard::to_stdvec(&loaded).unwrap()[..2], [30, 0xcd]);
        assert_eq!(Record::of(&loaded, Timestamp::from_millis(0)).note, Some("cd".repeat(32)));
    }
}
