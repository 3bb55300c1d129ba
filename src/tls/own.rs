//! What is asked of the gateway's own certificate and key, and of the CAs that it names: once, for the start, a reload, `check-config` and `doctor`.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::FromDer as _;

use crate::domain::time::Timestamp;

use super::config::{TlsError, mismatch, provider};
use super::files::FileError;
use super::trust::{RefusedAuthority, Trust};

/// Why a certificate is none that clients would take of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAServers {
    /// basicConstraints says so.
    #[error("it is a CA's; the gateway's own comes first, then its intermediates")]
    Authority,
    /// A key usage extension without digitalSignature.
    #[error("its key usage lacks digitalSignature, which TLS 1.3 needs")]
    KeyUsage,
    /// An extended key usage extension without serverAuth.
    #[error("its extended key usage lacks serverAuth")]
    ExtendedKeyUsage,
    /// No DNS name and no address among its alternative names.
    #[error("it has no DNS name or address as subjectAltName")]
    NoName,
    /// An extension that cannot be read or stands there twice.
    #[error("one of its extensions cannot be read")]
    Malformed,
}

/// A certificate of `file`.
pub(super) fn parsed<'a>(file: &Path, der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, FileError> {
    let broken = || FileError::Pem { path: file.to_owned(), section: "CERTIFICATE" };
    match X509Certificate::from_der(der.as_ref()) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(broken()),
    }
}

/// Where the gateway's certificate and key lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    pub(super) certificate_file: &'a PathBuf,
    pub(super) key_file: &'a PathBuf,
}

impl Own<'_> {
    /// The certificate with its key, after every question.
    ///
    /// # Errors
    /// The first reason why clients would not take it at `now`.
    pub(super) fn check(
        &self,
        chain: &[CertificateDer<'static>],
        key: &PrivateKeyDer<'static>,
        now: Timestamp,
    ) -> Result<CertifiedKey, TlsError> {
        let pair = self.pair(chain, key)?;
        let leaf = self.leaf(chain)?;
        check_purpose(&leaf).map_err(|why| TlsError::NotAServers { file: self.certificate_file.clone(), why })?;
        let (not_before, not_after) = self.validity(chain)?;
        if now < not_before {
            return Err(TlsError::NotYetValid(self.certificate_file.clone()));
        }
        if not_after.plus_millis(1000) <= now {
            return Err(TlsError::Expired(self.certificate_file.clone()));
        }
        Ok(pair)
    }

    /// The certificate with its key.
    ///
    /// # Errors
    /// They do not belong together, or one of them cannot be read.
    pub(super) fn pair(&self, chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Result<CertifiedKey, TlsError> {
        chain.iter().try_for_each(|der| parsed(self.certificate_file, der).map(drop))?;
        CertifiedKey::from_der(chain.to_vec(), key.clone_key(), &provider())
            .map_err(|error| mismatch(error, self.certificate_file, self.key_file))
    }

    fn leaf<'a>(&self, chain: &'a [CertificateDer<'_>]) -> Result<X509Certificate<'a>, FileError> {
        let leaf = chain.first().ok_or_else(|| FileError::Pem { path: self.certificate_file.clone(), section: "CERTIFICATE" })?;
        parsed(self.certificate_file, leaf)
    }

    /// The first and the last second in which the certificate is valid.
    pub(super) fn validity(&self, chain: &[CertificateDer<'_>]) -> Result<(Timestamp, Timestamp), FileError> {
        let leaf = self.leaf(chain)?;
        let seconds = |at: x509_parser::time::ASN1Time| Timestamp::from_millis(at.timestamp().saturating_mul(1000));
        Ok((seconds(leaf.validity().not_before), seconds(leaf.validity().not_after)))
    }
}

/// What clients ask of a server's certificate. Usage extensions are asked where they are present, as clients do.
fn check_purpose(leaf: &X509Certificate<'_>) -> Result<(), NotAServers> {
    if leaf.basic_constraints().map_err(|_| NotAServers::Malformed)?.is_some_and(|constraints| constraints.value.ca) {
        return Err(NotAServers::Authority);
    }
    if leaf.key_usage().map_err(|_| NotAServers::Malformed)?.is_some_and(|usage| !usage.value.digital_signature()) {
        return Err(NotAServers::KeyUsage);
    }
    let extended = leaf.extended_key_usage().map_err(|_| NotAServers::Malformed)?;
    if extended.is_some_and(|usage| !usage.value.server_auth) {
        return Err(NotAServers::ExtendedKeyUsage);
    }
    let names = leaf.get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME).map_err(|_| NotAServers::Malformed)?;
    let is_named = names.is_some_and(|names| match names.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => {
            names.general_names.iter().any(|name| matches!(name, GeneralName::DNSName(_) | GeneralName::IPAddress(_)))
        }
        _ => false,
    });
    if is_named { Ok(()) } else { Err(NotAServers::NoName) }
}

/// # Errors
/// A certificate that is no CA's, a test CA's where none may be, or one of which that cannot be told.
pub(super) fn check_authorities(file: &Path, ders: &[CertificateDer<'static>], trust: &Trust) -> Result<(), TlsError> {
    let mut roots = RootCertStore::empty();
    for der in ders {
        roots.add(der.clone()).map_err(|_| TlsError::Authority(file.to_owned()))?;
        let authority = parsed(file, der)?;
        // A chain's verification takes a trust anchor for a CA whatever its certificate says: whoever held the key of a leaf here could issue.
        let issues = authority.basic_constraints().is_ok_and(|constraints| constraints.is_some_and(|constraints| constraints.value.ca))
            && authority.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.key_cert_sign()));
        if !issues {
            return Err(TlsError::Authority(file.to_owned()));
        }
        trust.judge_authority(&authority).map_err(|refused| match refused {
            RefusedAuthority::Test(name) => TlsError::TestAuthority { file: file.to_owned(), name },
            RefusedAuthority::UnclearName => TlsError::UnclearAuthority(file.to_owned()),
        })?;
    }
    Ok(())
}
