//! Issuing certificates: for development, for tests, and a signing request for the real thing.
//!
//! A [`Leaf`] can be made wrong on purpose, so that each refusal has a certificate to be refused.

mod lists;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequest, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType,
    DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, RsaKeySize, SerialNumber,
    SigningKey as _,
};
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

use crate::clock::Entropy;
use crate::domain::participant::{KeyHash, OrganisationNumber};
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::domain::unseen::is_unseen;

use super::peer::key_hash_of;

/// How long a development CA lives, in milliseconds.
const AUTHORITY_MILLIS: i64 = 5 * 365 * DAY_MILLIS;
/// How long a development certificate lives, in milliseconds; real enterprise certificates live three years.
const LEAF_MILLIS: i64 = 2 * 365 * DAY_MILLIS;
/// Certificates begin this much before they are made, so that a peer whose clock is behind accepts them.
const BACKDATE_MILLIS: i64 = 60 * 60 * 1000;
const ORGANISATION_IDENTIFIER: &[u64] = &[2, 5, 4, 97];
/// Stands for the second organisationIdentifier until it is patched in; rcgen writes each attribute type only once.
const STAND_IN: &[u64] = &[2, 5, 4, 98];

/// Why nothing could be issued. None of these repeats a key.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// rcgen refused.
    #[error("the certificate cannot be made: {0}")]
    Rcgen(#[from] rcgen::Error),
    /// A time outside the years 1 to 9999.
    #[error("a validity time lies outside the calendar; set the machine's clock")]
    Time,
    /// A certificate just made cannot be read again.
    #[error("a certificate just made cannot be read")]
    Unreadable,
    /// A policy that is no object identifier.
    #[error("a certificate policy is an object identifier in dotted form, like 2.16.578.1.26.1.3.2")]
    Policy,
    /// A name that a subject cannot have.
    #[error(
        "a subject's name is 1 to 64 characters without line ends, control characters and characters that are not seen or turn the text around"
    )]
    Name,
}

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// digitalSignature and clientAuth.
    Client,
    /// digitalSignature and serverAuth.
    Server,
    /// keyEncipherment only: the encryption certificate of an enterprise set.
    Encryption,
    /// Neither extension is there.
    Unstated,
}

/// A certificate to be issued. Public fields, as every combination is allowed, wrong ones too.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// CN of the subject.
    pub common_name: String,
    /// Values of 2.5.4.97, whole strings; at most two.
    pub organisation_identifiers: Vec<String>,
    /// Value of 2.5.4.5, as personal certificates bear it.
    pub subject_serial_number: Option<String>,
    /// Usage extensions.
    pub purpose: Purpose,
    /// Certificate policies, as object identifiers in dotted form.
    pub policies: Vec<String>,
    /// Where its revocation list is, if it says so: a distribution point.
    pub list_at: Option<String>,
    /// DNS names and IP addresses of a server.
    pub names: Vec<String>,
    /// Start of validity, whole seconds.
    pub not_before: Timestamp,
    /// End of validity, whole seconds.
    pub not_after: Timestamp,
}

impl Leaf {
    /// A right client certificate of `organisation`, valid for two years from `now`.
    #[must_use]
    pub fn client(common_name: &str, organisation: OrganisationNumber, now: Timestamp) -> Self {
        Self {
            common_name: common_name.to_owned(),
            organisation_identifiers: vec![format!("NTRNO-{organisation}")],
            subject_serial_number: None,
            purpose: Purpose::Client,
            policies: Vec::new(),
            list_at: None,
            names: Vec::new(),
            not_before: now.plus_millis(-BACKDATE_MILLIS),
            not_after: now.plus_millis(LEAF_MILLIS),
        }
    }

    /// A server certificate for `names` (DNS names and IP addresses), valid for two years from `now`.
    #[must_use]
    pub fn server(common_name: &str, names: &[&str], now: Timestamp) -> Self {
        Self {
            common_name: common_name.to_owned(),
            organisation_identifiers: Vec::new(),
            subject_serial_number: None,
            purpose: Purpose::Server,
            policies: Vec::new(),
            list_at: None,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_before: now.plus_millis(-BACKDATE_MILLIS),
            not_after: now.plus_millis(LEAF_MILLIS),
        }
    }

    fn params(&self, entropy: &dyn Entropy) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::new(self.names.clone())?;
        params.not_before = calendar(self.not_before)?.to_datetime();
        params.not_after = calendar(self.not_after)?.to_datetime();
        params.serial_number = Some(serial(entropy));
        params.use_authority_key_identifier_extension = true;
        params.is_ca = IsCa::ExplicitNoCa;
        params.distinguished_name = DistinguishedName::new();
        for (oid, value) in [ORGANISATION_IDENTIFIER, STAND_IN].into_iter().zip(&self.organisation_identifiers) {
            params.distinguished_name.push(DnType::CustomDnType(oid.to_vec()), DnValue::Utf8String(value.clone()));
        }
        if let Some(value) = &self.subject_serial_number {
            params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), DnValue::Utf8String(value.clone()));
        }
        params.distinguished_name.push(DnType::CommonName, self.common_name.clone());
        let (usage, extended) = match self.purpose {
            Purpose::Client => (vec![KeyUsagePurpose::DigitalSignature], vec![ExtendedKeyUsagePurpose::ClientAuth]),
            Purpose::Server => (vec![KeyUsagePurpose::DigitalSignature], vec![ExtendedKeyUsagePurpose::ServerAuth]),
            Purpose::Encryption => (vec![KeyUsagePurpose::KeyEncipherment], vec![]),
            Purpose::Unstated => (vec![], vec![]),
        };
        params.crl_distribution_points = self.list_at.iter().map(|url| CrlDistributionPoint { uris: vec![url.clone()] }).collect();
        params.key_usages = usage;
        params.extended_key_usages = extended;
        if !self.policies.is_empty() {
            params.custom_extensions.push(policies(&self.policies)?);
        }
        Ok(params)
    }
}

/// A certificate and its private key.
pub struct Issued {
    certificate: Vec<u8>,
    serial: SerialNumber,
    key: KeyPair,
    key_hash: KeyHash,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("key_hash", &self.key_hash).finish_non_exhaustive()
    }
}

impl Issued {
    /// The certificate, DER.
    #[must_use]
    pub fn certificate_der(&self) -> &[u8] {
        &self.certificate
    }

    /// The certificate, PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The private key, PKCS#8 PEM.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.key.serialize_pem())
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo.
    #[must_use]
    pub const fn key_hash(&self) -> KeyHash {
        self.key_hash
    }
}

/// The subject of a certificate authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityName {
    /// CN.
    pub common_name: String,
    /// Value of 2.5.4.97, as the issuers of enterprise certificates bear it.
    pub organisation_identifier: Option<String>,
}

impl AuthorityName {
    /// A CN alone.
    #[must_use]
    pub fn plain(common_name: &str) -> Self {
        Self { common_name: common_name.to_owned(), organisation_identifier: None }
    }

    pub(super) fn distinguished(&self) -> DistinguishedName {
        let mut name = DistinguishedName::new();
        if let Some(identifier) = &self.organisation_identifier {
            name.push(DnType::CustomDnType(ORGANISATION_IDENTIFIER.to_vec()), identifier.clone());
        }
        name.push(DnType::CommonName, self.common_name.clone());
        name
    }
}

/// A certificate authority of our own: ECDSA P-256, signs certificates and revocation lists.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    /// Of its certificate, when it was made here.
    serial: Option<SerialNumber>,
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateAuthority").finish_non_exhaustive()
    }
}

impl CertificateAuthority {
    /// A new authority that issues certificates of its own, valid for five years from `now`.
    ///
    /// # Errors
    /// `now` lies outside the calendar.
    pub fn new(common_name: &str, now: Timestamp, entropy: &dyn Entropy) -> Result<Self, IssueError> {
        Self::root(&AuthorityName::plain(common_name), 0, now, entropy)
    }

    /// A new authority with `levels` of authorities below it, valid for five years from `now`.
    ///
    /// # Errors
    /// `now` lies outside the calendar.
    pub fn root(name: &AuthorityName, levels: u8, now: Timestamp, entropy: &dyn Entropy) -> Result<Self, IssueError> {
        let params = authority_params(name.distinguished(), levels, now.plus_millis(AUTHORITY_MILLIS), now, entropy)?;
        let key = KeyPair::generate()?;
        let certificate_pem = pem("CERTIFICATE", params.self_signed(&key)?.der());
        Ok(Self { serial: params.serial_number.clone(), issuer: Issuer::new(params, key), certificate_pem })
    }

    /// An issuing authority below this one, valid until `not_after`.
    ///
    /// # Errors
    /// A time outside the calendar.
    pub fn subordinate(
        &self,
        name: &AuthorityName,
        not_after: Timestamp,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, IssueError> {
        self.subordinate_named(name.distinguished(), not_after, now, entropy)
    }

    /// The same under any name.
    pub(super) fn subordinate_named(
        &self,
        name: DistinguishedName,
        not_after: Timestamp,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self, IssueError> {
        let params = authority_params(name, 0, not_after, now, entropy)?;
        let key = KeyPair::generate()?;
        let certificate_pem = pem("CERTIFICATE", params.signed_by(&key, &self.issuer)?.der());
        Ok(Self { serial: params.serial_number.clone(), issuer: Issuer::new(params, key), certificate_pem })
    }

    /// An authority made before, from its certificate and key.
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together.
    pub fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, IssueError> {
        let key = KeyPair::from_pem(key_pem)?;
        let (_, section) = x509_parser::pem::parse_x509_pem(certificate_pem.as_bytes()).map_err(|_| IssueError::Unreadable)?;
        let certificate = section.parse_x509().map_err(|_| IssueError::Unreadable)?;
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(IssueError::Unreadable);
        }
        Ok(Self { issuer: Issuer::from_ca_cert_pem(certificate_pem, key)?, certificate_pem: certificate_pem.to_owned(), serial: None })
    }

    /// The authority's certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's private key, PKCS#8 PEM.
    #[must_use]
    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// Issues `leaf` with a fresh key.
    ///
    /// # Errors
    /// A name that does not fit a certificate, or a time outside the calendar.
    pub fn issue(&self, leaf: &Leaf, entropy: &dyn Entropy) -> Result<Issued, IssueError> {
        self.certify(leaf, KeyPair::generate()?, entropy)
    }

    /// Issues `leaf` for a key that is there already, PKCS#8 PEM: a certificate renewed with its key.
    ///
    /// # Errors
    /// As [`CertificateAuthority::issue`]; also when `key_pem` cannot be read.
    pub fn renew(&self, leaf: &Leaf, key_pem: &str, entropy: &dyn Entropy) -> Result<Issued, IssueError> {
        self.certify(leaf, KeyPair::from_pem(key_pem)?, entropy)
    }

    fn certify(&self, leaf: &Leaf, key: KeyPair, entropy: &dyn Entropy) -> Result<Issued, IssueError> {
        let params = leaf.params(entropy)?;
        let mut certificate = params.signed_by(&key, &self.issuer)?.der().to_vec();
        if leaf.organisation_identifiers.len() > 1 {
            certificate = self.with_attribute_twice(&certificate)?;
        }
        let key_hash = key_hash_of(&certificate).map_err(|_| IssueError::Unreadable)?;
        Ok(Issued { certificate, serial: params.serial_number.ok_or(IssueError::Unreadable)?, key, key_hash })
    }

    /// Turns the stand-in attribute into a second 2.5.4.97 and signs again.
    fn with_attribute_twice(&self, der: &[u8]) -> Result<Vec<u8>, IssueError> {
        const STAND_IN_DER: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 98];
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(der).map_err(|_| IssueError::Unreadable)?;
        let mut signed = parsed.tbs_certificate.as_ref().to_vec();
        let header = der.windows(signed.len()).position(|window| window == signed).ok_or(IssueError::Unreadable)?;
        let rest = &der[header + signed.len()..];
        let algorithm = rest.get(..2 + usize::from(*rest.get(1).ok_or(IssueError::Unreadable)?)).ok_or(IssueError::Unreadable)?;
        let at = signed.windows(STAND_IN_DER.len()).position(|window| window == STAND_IN_DER).ok_or(IssueError::Unreadable)?;
        signed[at + STAND_IN_DER.len() - 1] = 97;
        let signature = [&[0_u8][..], &self.issuer.key().sign(&signed)?].concat();
        Ok(der_element(0x30, &[&signed[..], algorithm, &der_element(0x03, &signature)].concat()))
    }
}

pub(super) fn authority_params(
    name: DistinguishedName,
    levels: u8,
    not_after: Timestamp,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<CertificateParams, IssueError> {
    let mut params = CertificateParams::default();
    params.not_before = calendar(now.plus_millis(-BACKDATE_MILLIS))?.to_datetime();
    params.not_after = calendar(not_after)?.to_datetime();
    params.serial_number = Some(serial(entropy));
    params.use_authority_key_identifier_extension = true;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(levels));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = name;
    Ok(params)
}

/// The extension certificatePolicies, without qualifiers.
fn policies(oids: &[String]) -> Result<CustomExtension, IssueError> {
    let mut all = Vec::new();
    for oid in oids {
        let arcs = oid.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().map_err(|_| IssueError::Policy)?;
        let oid = x509_parser::asn1_rs::Oid::from(&arcs).map_err(|_| IssueError::Policy)?;
        all.extend(der_element(0x30, &der_element(0x06, oid.as_bytes())));
    }
    Ok(CustomExtension::from_oid_content(&[2, 5, 29, 32], der_element(0x30, &all)))
}

/// The key of a signing request. Ask the issuer which it takes; RSA is what all take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// RSA of 2048 bits.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
}

impl KeyKind {
    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        let rsa = |size| KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        match self {
            Self::P256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::P384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::Rsa2048 => rsa(RsaKeySize::_2048),
            Self::Rsa3072 => rsa(RsaKeySize::_3072),
            Self::Rsa4096 => rsa(RsaKeySize::_4096),
        }
    }
}

/// A signing request for an enterprise certificate (SEID 2.0, ETSI EN 319 412-3): C=NO, O, 2.5.4.97 and CN as subject, digitalSignature and
/// clientAuth asked for. PEM of the request and of the fresh private key. The CN is the organisation's name unless another is given.
///
/// # Errors
/// A name that does not fit a certificate.
pub fn csr(
    organisation: OrganisationNumber,
    organisation_name: &str,
    common_name: Option<&str>,
    key: KeyKind,
) -> Result<(String, Zeroizing<String>), IssueError> {
    let common_name = common_name.unwrap_or(organisation_name);
    // X.520 gives O and CN 64 characters each.
    let fits = |name: &str| (1..=64).contains(&name.chars().count()) && name.trim() == name && !name.chars().any(is_unseen);
    if !fits(organisation_name) || !fits(common_name) {
        return Err(IssueError::Name);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, DnValue::PrintableString("NO".try_into()?));
    params.distinguished_name.push(DnType::OrganizationName, organisation_name);
    params.distinguished_name.push(DnType::CustomDnType(ORGANISATION_IDENTIFIER.to_vec()), format!("NTRNO-{organisation}"));
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = key.generate()?;
    let request: CertificateSigningRequest = params.serialize_request(&key)?;
    Ok((request.pem()?, Zeroizing::new(key.serialize_pem())))
}

/// Whether the private key `key_pem` belongs to the certificate `der`.
pub(super) fn key_fits(key_pem: &str, der: &[u8]) -> bool {
    let Ok(key) = KeyPair::from_pem(key_pem) else { return false };
    x509_parser::certificate::X509Certificate::from_der(der)
        .is_ok_and(|(_, certificate)| certificate.public_key().raw == key.subject_public_key_info())
}

/// x509-parser's time, which turns into rcgen's calendar type, so that the crate behind that type is no dependency of ours.
fn calendar(at: Timestamp) -> Result<ASN1Time, IssueError> {
    ASN1Time::from_timestamp(at.millis().div_euclid(1000)).map_err(|_| IssueError::Time)
}

fn serial(entropy: &dyn Entropy) -> SerialNumber {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    // Positive and never zero, as RFC 5280 demands.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn der_element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    if length < 128 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let used = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1)..];
        out.push(0x80 | used.len() as u8);
        out.extend_from_slice(used);
    }
    out.extend_from_slice(content);
    out
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.extend(line.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;

    const EXAMPLE: &str = "800000017";

    #[test]
    fn a_signing_request_names_the_organisation_and_proves_its_key() {
        for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048] {
            let (request, key) = csr(EXAMPLE.parse().unwrap(), "Eksempel kommune", None, kind).unwrap();
            assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"));
            let parsed = rcgen::CertificateSigningRequestParams::from_pem(&request).unwrap();
            let identifier = parsed.params.distinguished_name.get(&DnType::CustomDnType(ORGANISATION_IDENTIFIER.to_vec()));
            assert_eq!(identifier, Some(&DnValue::Utf8String("NTRNO-800000017".to_owned())));
        }
        let unseen = [
            "Eksempel\u{202e}enummok",
            "Eksempel\u{2066}",
            "\u{feff}Eksempel",
            "Ek\u{200b}sempel",
            "Ek\u{ad}sempel",
            "a\u{2028}b",
            "\u{e0041}",
        ];
        for name in ["", " Eksempel", "Eksempel\nkommune", &"x".repeat(65)].into_iter().chain(unseen) {
            assert!(matches!(csr(EXAMPLE.parse().unwrap(), name, None, KeyKind::P256), Err(IssueError::Name)), "{name:?}");
            assert!(matches!(csr(EXAMPLE.parse().unwrap(), "Eksempel", Some(name), KeyKind::P256), Err(IssueError::Name)), "{name:?}");
        }
    }

    #[test]
    fn a_signing_request_is_what_openssl_reads_in_the_profile_of_enterprise_certificates() {
        let dir = tempfile::tempdir().unwrap();
        for (kind, algorithm) in [
            (KeyKind::P256, "ASN1 OID: prime256v1"),
            (KeyKind::P384, "ASN1 OID: secp384r1"),
            (KeyKind::Rsa2048, "Public-Key: (2048 bit)"),
            (KeyKind::Rsa3072, "Public-Key: (3072 bit)"),
        ] {
            let (request, _) = csr(EXAMPLE.parse().unwrap(), "Sør-Øst politidistrikt", Some("Samband Sør-Øst"), kind).unwrap();
            let file = dir.path().join("request.pem");
            std::fs::write(&file, request).unwrap();
            let mut command = std::process::Command::new("openssl");
            command.args(["req", "-verify", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus,oid", "-in"]).arg(&file);
            let output = command.output().expect("this test needs the openssl command (package openssl)");
            let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(output.status.success() && text.contains("verify OK"), "{text}");
            // C, O, organizationIdentifier and CN, in this order.
            let subject = "2.5.4.6=NO,2.5.4.10=Sør-Øst politidistrikt,2.5.4.97=NTRNO-800000017,2.5.4.3=Samband Sør-Øst";
            for part in [subject, algorithm, "Digital Signature", "TLS Web Client Authentication"] {
                assert!(text.contains(part), "{part}: {text}");
            }
            assert!(!text.contains("Key Encipherment") && !text.contains("CA:TRUE"), "{text}");
        }
    }

    #[test]
    fn an_authority_is_read_back_only_with_its_own_key() {
        let now = Timestamp::from_millis(1_780_000_000_000);
        let entropy = SeededEntropy::new(1);
        let one = CertificateAuthority::new("A", now, &entropy).unwrap();
        let two = CertificateAuthority::new("A", now, &entropy).unwrap();
        assert!(CertificateAuthority::from_pem(one.certificate_pem(), &one.key_pem()).is_ok());
        assert!(CertificateAuthority::from_pem(one.certificate_pem(), &two.key_pem()).is_err());
        assert!(!format!("{one:?}").contains("PRIVATE"));
    }
}
