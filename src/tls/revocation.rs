//! The certificates that the current revocation lists name, for connections that were open before the lists came.

use std::collections::HashSet;

use rustls_pki_types::CertificateRevocationListDer;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::domain::time::Timestamp;

use super::peer::{CertificateId, PeerIdentity};

/// The revoked certificates of all lists. Signatures of the lists are checked by the handshake, which refuses a peer if its issuer's list is
/// not signed by that issuer.
#[derive(Debug, Default)]
pub(super) struct Revoked {
    certificates: HashSet<CertificateId>,
    next_update: Option<Timestamp>,
}

impl Revoked {
    /// Reads all lists; `None` if one is malformed.
    pub(super) fn new(crls: &[CertificateRevocationListDer<'_>]) -> Option<Self> {
        let mut revoked = Self::default();
        for crl in crls {
            let (rest, list) = CertificateRevocationList::from_der(crl).ok()?;
            if !rest.is_empty() {
                return None;
            }
            let issuer = list.issuer().as_raw();
            revoked.certificates.extend(list.iter_revoked_certificates().map(|entry| CertificateId::new(issuer, entry.raw_serial())));
            let due = list.next_update().map(|at| Timestamp::from_millis(at.timestamp().saturating_mul(1000)));
            revoked.next_update = match (revoked.next_update, due) {
                (Some(known), Some(due)) => Some(known.min(due)),
                (known, due) => known.or(due),
            };
        }
        Some(revoked)
    }

    /// Whether a list names the peer's certificate.
    pub(super) fn contains(&self, peer: &PeerIdentity) -> bool {
        self.certificates.contains(peer.certificate())
    }

    /// When the first of the lists is due for renewal.
    pub(super) const fn next_update(&self) -> Option<Timestamp> {
        self.next_update
    }
}

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use super::{CertificateRevocationListDer, Revoked};

    /// A revocation list in DER.
    pub fn list(data: &[u8]) {
        let _ = Revoked::new(&[CertificateRevocationListDer::from(data)]);
    }
}
