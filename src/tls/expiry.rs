//! Until when what stands in files of certificates and revocation lists may be used, for the operator's eyes.

use std::path::Path;

use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::domain::time::Timestamp;

use super::files::{self, FileError};

fn seconds(at: x509_parser::time::ASN1Time) -> Timestamp {
    Timestamp::from_millis(at.timestamp().saturating_mul(1000))
}

/// The last second of each certificate in a PEM file, in the file's order.
///
/// # Errors
/// The file cannot be read, or one of its certificates is broken.
pub fn certificates(path: &Path) -> Result<Vec<Timestamp>, FileError> {
    let broken = || FileError::Pem { path: path.to_owned(), section: "CERTIFICATE" };
    let read = |der: &[u8]| X509Certificate::from_der(der).map(|(_, certificate)| seconds(certificate.validity().not_after));
    files::read_certificates(path)?.iter().map(|der| read(der).map_err(|_| broken())).collect()
}

/// When each revocation list of a PEM file is due for renewal; a list may leave that open.
///
/// # Errors
/// The file cannot be read, or one of its lists is broken.
pub fn revocation_lists(path: &Path) -> Result<Vec<Option<Timestamp>>, FileError> {
    let broken = || FileError::Pem { path: path.to_owned(), section: "X509 CRL" };
    let read = |der: &[u8]| CertificateRevocationList::from_der(der).map(|(_, list)| list.next_update().map(seconds));
    files::read_crls(path)?.iter().map(|der| read(der).map_err(|_| broken())).collect()
}
