//! What is asked of the gateway's own certificate and key, and of the CAs that it names.

use std::path::Path;

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::domain::time::Timestamp;

use super::config::{TlsError, mismatch, provider};
use super::files::FileError;
use super::trust::{RefusedAuthority, Trust};

/// A certificate of `file`.
pub(super) fn parsed<'a>(file: &Path, der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, FileError> {
    let broken = |_| FileError::Pem { path: file.to_owned(), section: "CERTIFICATE" };
    X509Certificate::from_der(der.as_ref()).map(|(_, certificate)| certificate).map_err(broken)
}

/// The gateway's certificate with its key.
///
/// # Errors
/// They do not belong together.
pub(super) fn pair(
    certificate_file: &Path,
    key_file: &Path,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    chain.iter().try_for_each(|der| parsed(certificate_file, der).map(drop))?;
    CertifiedKey::from_der(chain.to_vec(), key.clone_key(), &provider()).map_err(|error| mismatch(error, certificate_file, key_file))
}

/// The first and the last second in which the gateway's certificate is valid.
pub(super) fn validity(file: &Path, chain: &[CertificateDer<'_>]) -> Result<(Timestamp, Timestamp), FileError> {
    let leaf = chain.first().ok_or_else(|| FileError::Pem { path: file.to_owned(), section: "CERTIFICATE" })?;
    let certificate = parsed(file, leaf)?;
    let seconds = |at: x509_parser::time::ASN1Time| Timestamp::from_millis(at.timestamp().saturating_mul(1000));
    Ok((seconds(certificate.validity().not_before), seconds(certificate.validity().not_after)))
}

/// # Errors
/// No client would accept the certificate at `now`.
pub(super) fn check_valid_now(file: &Path, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), TlsError> {
    let (not_before, not_after) = validity(file, chain)?;
    if now < not_before || not_after.plus_millis(1000) <= now {
        return Err(TlsError::NotValidNow(file.to_owned()));
    }
    Ok(())
}

/// # Errors
/// A certificate that is no CA's, a test CA's where none may be, or one of which that cannot be told.
pub(super) fn check_authorities(file: &Path, ders: &[CertificateDer<'static>], trust: &Trust) -> Result<(), TlsError> {
    let mut roots = RootCertStore::empty();
    for der in ders {
        roots.add(der.clone()).map_err(|_| TlsError::Authority(file.to_owned()))?;
        trust.judge_authority(&parsed(file, der)?).map_err(|refused| match refused {
            RefusedAuthority::Test(name) => TlsError::TestAuthority { file: file.to_owned(), name },
            RefusedAuthority::UnclearName => TlsError::UnclearAuthority(file.to_owned()),
        })?;
    }
    Ok(())
}
