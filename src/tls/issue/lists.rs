//! Revocation lists of an authority of our own.

use rcgen::{
    CertificateRevocationListParams, CrlDistributionPoint, CrlIssuingDistributionPoint, KeyIdMethod, RevokedCertParams, SerialNumber,
};

use super::{BACKDATE_MILLIS, CertificateAuthority, IssueError, Issued, calendar};
use crate::domain::time::Timestamp;

impl CertificateAuthority {
    /// A revocation list, PEM, that names `revoked`; valid from an hour before `now` until `next_update`.
    ///
    /// # Errors
    /// A time outside the calendar or `next_update` before its beginning.
    pub fn crl(&self, revoked: &[&Issued], now: Timestamp, next_update: Timestamp) -> Result<String, IssueError> {
        let number = now.millis().max(1).unsigned_abs();
        self.numbered_crl(revoked, number, now, next_update)
    }

    /// The same with a number of its own; otherwise a list's number is the time.
    ///
    /// # Errors
    /// As [`CertificateAuthority::crl`].
    pub fn numbered_crl(&self, revoked: &[&Issued], number: u64, now: Timestamp, next_update: Timestamp) -> Result<String, IssueError> {
        self.list(revoked.iter().map(|issued| issued.serial.clone()).collect(), number, None, now, next_update)
    }

    /// The same of a part of the certificates: of those that name `url` as where their list is, or no place.
    ///
    /// # Errors
    /// As [`CertificateAuthority::crl`].
    #[cfg(test)]
    pub fn part_crl(
        &self,
        revoked: &[&Issued],
        number: u64,
        url: &str,
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<String, IssueError> {
        self.list(revoked.iter().map(|issued| issued.serial.clone()).collect(), number, Some(url), now, next_update)
    }

    /// The same, naming authorities below this one; one that was read from a file is not named, as its number is not kept.
    ///
    /// # Errors
    /// As [`CertificateAuthority::crl`].
    pub fn authority_crl(&self, revoked: &[&Self], now: Timestamp, next_update: Timestamp) -> Result<String, IssueError> {
        let number = now.millis().max(1).unsigned_abs();
        self.list(revoked.iter().filter_map(|authority| authority.serial.clone()).collect(), number, None, now, next_update)
    }

    fn list(
        &self,
        revoked: Vec<SerialNumber>,
        number: u64,
        url: Option<&str>,
        now: Timestamp,
        next_update: Timestamp,
    ) -> Result<String, IssueError> {
        let revocation_time = calendar(now)?.to_datetime();
        let entry = |serial_number| RevokedCertParams { serial_number, revocation_time, reason_code: None, invalidity_date: None };
        let params = CertificateRevocationListParams {
            this_update: calendar(now.plus_millis(-BACKDATE_MILLIS))?.to_datetime(),
            next_update: calendar(next_update)?.to_datetime(),
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: url.map(|url| CrlIssuingDistributionPoint {
                distribution_point: CrlDistributionPoint { uris: vec![url.to_owned()] },
                scope: None,
            }),
            revoked_certs: revoked.into_iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }
}
