//! Who a peer is: its certificate's organisation number and key, looked up in the participant register.

use std::sync::Arc;

use aws_lc_rs::digest;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{Oid, asn1_rs::oid};
use x509_parser::prelude::FromDer as _;

use crate::domain::participant::{EnrolledKey, KeyHash, OrganisationNumber, Participant, Register};
use crate::domain::time::Timestamp;

/// organizationIdentifier, X.520.
pub(super) const ORGANISATION_IDENTIFIER: Oid<'static> = oid!(2.5.4.97);
/// serialNumber of a subject, X.520; not the certificate's serial.
const SUBJECT_SERIAL_NUMBER: Oid<'static> = oid!(2.5.4.5);
/// The scheme of the Norwegian register of legal entities, ETSI EN 319 412-1.
pub(super) const SCHEME: &str = "NTRNO-";
/// A serial number has at most 20 bytes (RFC 5280); some issuers add a sign byte.
const SERIAL_BYTES_MAX: usize = 32;

/// Why a verified certificate is nobody to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum IdentityError {
    /// The certificate cannot be read.
    #[error("the certificate cannot be read; use an enterprise certificate of SEID 2.0")]
    MalformedCertificate,
    /// A person's certificate.
    #[error("this is a person's certificate; use the enterprise certificate that is enrolled")]
    PersonalCertificate,
    /// No attribute 2.5.4.97.
    #[error("the certificate has no organisation number (2.5.4.97); use an enterprise certificate of SEID 2.0")]
    NoOrganisationNumber,
    /// More than one attribute 2.5.4.97.
    #[error("the certificate has several organisation numbers (2.5.4.97); exactly one is accepted")]
    SeveralOrganisationNumbers,
    /// Not `NTRNO-` and a valid number.
    #[error("the certificate's organisation number (2.5.4.97) is not NTRNO- and nine digits with a right check digit")]
    BadOrganisationNumber,
    /// A key usage extension without digitalSignature.
    #[error("the certificate's key usage lacks digitalSignature; use the certificate for authentication")]
    WrongKeyUsage,
    /// An extended key usage extension without clientAuth.
    #[error("the certificate's extended key usage lacks clientAuth; use the certificate for authentication")]
    WrongExtendedKeyUsage,
    /// The key is in no register entry.
    #[error("the certificate's key is not enrolled; send its hash to the operator")]
    KeyNotEnrolled,
    /// The key is enrolled for another organisation number.
    #[error("the certificate's organisation number is not the one its key is enrolled for")]
    OrganisationMismatch,
}

impl IdentityError {
    /// The stable reason code.
    #[must_use]
    pub const fn as_reason(self) -> &'static str {
        match self {
            Self::MalformedCertificate => "MALFORMED_CERTIFICATE",
            Self::PersonalCertificate => "PERSONAL_CERTIFICATE",
            Self::NoOrganisationNumber => "NO_ORGANISATION_NUMBER",
            Self::SeveralOrganisationNumbers => "SEVERAL_ORGANISATION_NUMBERS",
            Self::BadOrganisationNumber => "BAD_ORGANISATION_NUMBER",
            Self::WrongKeyUsage => "WRONG_KEY_USAGE",
            Self::WrongExtendedKeyUsage => "WRONG_EXTENDED_KEY_USAGE",
            Self::KeyNotEnrolled => "KEY_NOT_ENROLLED",
            Self::OrganisationMismatch => "ORGANISATION_MISMATCH",
        }
    }
}

/// What a verified client certificate says, and no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerIdentity {
    organisation: OrganisationNumber,
    key_hash: KeyHash,
    not_after: Timestamp,
}

impl PeerIdentity {
    /// Reads the leaf certificate `der`. Whether it chains to a known CA is the handshake's matter.
    ///
    /// # Errors
    /// The first thing that keeps the certificate from being an enterprise certificate for authentication.
    pub fn from_leaf(der: &[u8]) -> Result<Self, IdentityError> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| IdentityError::MalformedCertificate)?;
        if !rest.is_empty() || certificate.raw_serial().len() > SERIAL_BYTES_MAX {
            return Err(IdentityError::MalformedCertificate);
        }
        let organisation = organisation_of(&certificate)?;
        check_usage(&certificate)?;
        let not_after = certificate.validity().not_after.timestamp();
        Ok(Self {
            organisation,
            key_hash: KeyHash::from_bytes(sha256(certificate.public_key().raw)),
            not_after: Timestamp::from_millis(not_after.saturating_mul(1000)),
        })
    }

    /// The organisation that holds the certificate.
    #[must_use]
    pub const fn organisation(&self) -> OrganisationNumber {
        self.organisation
    }

    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    #[must_use]
    pub const fn key_hash(&self) -> &KeyHash {
        &self.key_hash
    }

    /// The last second in which the certificate is valid.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

/// SHA-256 of the SubjectPublicKeyInfo of any certificate, for enrolment.
///
/// # Errors
/// [`IdentityError::MalformedCertificate`].
pub fn key_hash_of(der: &[u8]) -> Result<KeyHash, IdentityError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| IdentityError::MalformedCertificate)?;
    Ok(KeyHash::from_bytes(sha256(certificate.public_key().raw)))
}

/// SHA-256 of bytes that are no secret.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0_u8; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn organisation_of(certificate: &X509Certificate<'_>) -> Result<OrganisationNumber, IdentityError> {
    let subject = certificate.subject();
    if subject.iter_by_oid(&SUBJECT_SERIAL_NUMBER).any(|value| value.as_str().is_ok_and(is_natural_person)) {
        return Err(IdentityError::PersonalCertificate);
    }
    let mut values = subject.iter_by_oid(&ORGANISATION_IDENTIFIER);
    let value = values.next().ok_or(IdentityError::NoOrganisationNumber)?;
    if values.next().is_some() {
        return Err(IdentityError::SeveralOrganisationNumbers);
    }
    let text = value.as_str().map_err(|_| IdentityError::BadOrganisationNumber)?;
    text.strip_prefix(SCHEME).and_then(|number| number.parse().ok()).ok_or(IdentityError::BadOrganisationNumber)
}

/// Norwegian personal certificates carry `UN:NO-…`; ETSI EN 319 412-1 gives natural persons three letters, a country and a hyphen.
fn is_natural_person(serial_number: &str) -> bool {
    let etsi = ["PAS", "IDC", "PNO", "TAX", "TIN"].iter().any(|kind| serial_number.starts_with(kind))
        && serial_number.as_bytes().get(3..6).is_some_and(|rest| rest[..2].iter().all(u8::is_ascii_uppercase) && rest[2] == b'-');
    serial_number.starts_with("UN:") || etsi
}

fn check_usage(certificate: &X509Certificate<'_>) -> Result<(), IdentityError> {
    let usage = certificate.key_usage().map_err(|_| IdentityError::MalformedCertificate)?;
    if usage.is_some_and(|usage| !usage.value.digital_signature()) {
        return Err(IdentityError::WrongKeyUsage);
    }
    let extended = certificate.extended_key_usage().map_err(|_| IdentityError::MalformedCertificate)?;
    if extended.is_some_and(|usage| !usage.value.client_auth) {
        return Err(IdentityError::WrongExtendedKeyUsage);
    }
    Ok(())
}

/// The participant that `peer` acts as: its key is enrolled, and its organisation number is the one that this key is enrolled for (the
/// participant's own, or the supplier's that operates the key). Whether the participant is suspended is a matter of policy.
///
/// # Errors
/// [`IdentityError::KeyNotEnrolled`] or [`IdentityError::OrganisationMismatch`].
pub fn resolve(peer: &PeerIdentity, register: &Register) -> Result<(Arc<Participant>, EnrolledKey), IdentityError> {
    let (participant, key) = register.by_key(peer.key_hash()).ok_or(IdentityError::KeyNotEnrolled)?;
    if key.operated_by.unwrap_or(participant.organisation_number) != peer.organisation {
        return Err(IdentityError::OrganisationMismatch);
    }
    Ok((participant.clone(), key.clone()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::SeededEntropy;
    use crate::tls::issue::{CertificateAuthority, Leaf, Purpose};

    const NUMBER: &str = "811111112";
    const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn authority() -> CertificateAuthority {
        CertificateAuthority::new("Test CA", NOW, &SeededEntropy::new(1)).unwrap()
    }

    fn identity(leaf: &Leaf) -> Result<PeerIdentity, IdentityError> {
        let issued = authority().issue(leaf, &SeededEntropy::new(2)).unwrap();
        PeerIdentity::from_leaf(issued.certificate_der())
    }

    fn leaf() -> Leaf {
        Leaf::client("x", NUMBER.parse().unwrap(), NOW)
    }

    #[test]
    fn an_enterprise_certificate_gives_its_organisation_key_and_last_day() {
        let issued = authority().issue(&leaf(), &SeededEntropy::new(2)).unwrap();
        let peer = PeerIdentity::from_leaf(issued.certificate_der()).unwrap();
        assert_eq!(peer.organisation().to_string(), NUMBER);
        assert_eq!(*peer.key_hash(), issued.key_hash());
        assert_eq!(*peer.key_hash(), key_hash_of(issued.certificate_der()).unwrap());
        assert_eq!(peer.not_after().millis(), leaf().not_after.millis() / 1000 * 1000);
    }

    #[test]
    fn every_wrong_subject_has_its_own_reason() {
        let none = Leaf { organisation_identifiers: vec![], ..leaf() };
        assert_eq!(identity(&none), Err(IdentityError::NoOrganisationNumber));
        let two = Leaf { organisation_identifiers: vec![format!("NTRNO-{NUMBER}"), format!("NTRNO-{NUMBER}")], ..leaf() };
        assert_eq!(identity(&two), Err(IdentityError::SeveralOrganisationNumbers));
        for bad in [
            "NTRNO-811111113",
            "811111112",
            "NTRSE-811111112",
            "NTRNO-811111112 ",
            "xNTRNO-811111112",
            "NTRNO-",
            "ntrno-811111112",
            "NTRNO-811111112\0",
        ] {
            let bad = Leaf { organisation_identifiers: vec![bad.to_owned()], ..leaf() };
            assert_eq!(identity(&bad), Err(IdentityError::BadOrganisationNumber));
        }
        for person in ["UN:NO-9578-4050-100102030", "UN:", "PNONO-01010112345", "PASSE-1"] {
            let person = Leaf { subject_serial_number: Some(person.to_owned()), ..leaf() };
            assert_eq!(identity(&person), Err(IdentityError::PersonalCertificate));
        }
        let machine = Leaf { subject_serial_number: Some("PNO1".to_owned()), ..leaf() };
        assert!(identity(&machine).is_ok(), "a serial number that names no person is nothing to us");
    }

    #[test]
    fn a_certificate_for_another_use_is_refused() {
        assert_eq!(identity(&Leaf { purpose: Purpose::Server, ..leaf() }), Err(IdentityError::WrongExtendedKeyUsage));
        assert_eq!(identity(&Leaf { purpose: Purpose::Encryption, ..leaf() }), Err(IdentityError::WrongKeyUsage));
        assert!(identity(&Leaf { purpose: Purpose::Unstated, ..leaf() }).is_ok(), "usage extensions are checked where present");
    }

    #[test]
    fn a_key_and_its_organisation_number_must_both_be_enrolled() {
        let issued = authority().issue(&leaf(), &SeededEntropy::new(2)).unwrap();
        let peer = PeerIdentity::from_leaf(issued.certificate_der()).unwrap();
        let register = |hash: KeyHash, number: &str, operated_by: Option<&str>| {
            let key = EnrolledKey { hash, label: "k".to_owned(), operated_by: operated_by.map(|number| number.parse().unwrap()) };
            let participant = serde_json::from_value::<Participant>(serde_json::json!({
                "id": "lab", "name": "Lab", "role": "laboratory", "organisation_number": number, "keys": [key],
            }));
            Register::new(1, vec![participant.unwrap()], &|_| true).unwrap()
        };
        let other = "822222226";
        let resolved = |register: Register| resolve(&peer, &register).map(|(participant, key)| (participant.id.to_string(), key.label));
        let found = Ok(("lab".to_owned(), "k".to_owned()));
        assert_eq!(resolved(register(issued.key_hash(), NUMBER, None)), found);
        assert_eq!(resolved(register(issued.key_hash(), other, Some(NUMBER))), found);
        assert_eq!(resolved(register(issued.key_hash(), other, None)), Err(IdentityError::OrganisationMismatch));
        assert_eq!(resolved(register(issued.key_hash(), NUMBER, Some(other))), Err(IdentityError::OrganisationMismatch));
        assert_eq!(resolved(register(KeyHash::from_bytes([7; 32]), NUMBER, None)), Err(IdentityError::KeyNotEnrolled));
        assert_eq!(resolved(Register::default()), Err(IdentityError::KeyNotEnrolled));
    }

    #[test]
    fn reason_codes_are_upper_case_and_differ() {
        use IdentityError as E;
        let all = [
            E::MalformedCertificate,
            E::PersonalCertificate,
            E::NoOrganisationNumber,
            E::SeveralOrganisationNumbers,
            E::BadOrganisationNumber,
            E::WrongKeyUsage,
            E::WrongExtendedKeyUsage,
            E::KeyNotEnrolled,
            E::OrganisationMismatch,
        ];
        let codes: std::collections::HashSet<_> = all.iter().map(|error| error.as_reason()).collect();
        assert_eq!(codes.len(), all.len());
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
    }

    #[test]
    fn no_truncation_of_a_certificate_is_accepted_and_none_panics() {
        let issued = authority().issue(&leaf(), &SeededEntropy::new(2)).unwrap();
        let der = issued.certificate_der();
        for end in 0..der.len() {
            assert_eq!(PeerIdentity::from_leaf(&der[..end]), Err(IdentityError::MalformedCertificate));
        }
        assert_eq!(PeerIdentity::from_leaf(&[der, &[0]].concat()), Err(IdentityError::MalformedCertificate));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn mutated_certificates_never_panic(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
            static DER: std::sync::LazyLock<Vec<u8>> =
                std::sync::LazyLock::new(|| authority().issue(&leaf(), &SeededEntropy::new(2)).unwrap().certificate_der().to_vec());
            let mut der = DER.clone();
            for (index, byte) in edits {
                let at = index.index(der.len());
                der[at] = byte;
            }
            let _ = PeerIdentity::from_leaf(&der);
        }

        #[test]
        fn random_bytes_are_no_certificate(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(PeerIdentity::from_leaf(&bytes).is_err());
        }
    }
}
