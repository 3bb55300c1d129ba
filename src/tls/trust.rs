//! Whom the gateway believes to issue, beyond "some CA of its files": the issuing CAs by name, the policies that a certificate must be issued
//! under, and no issuer's test CA in production.
//!
//! Names and policies of Norwegian enterprise certificates: `deploy/samband.toml`.

use std::fmt;
use std::str::FromStr;

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_X509_EXT_CERTIFICATE_POLICIES;
use x509_parser::x509::X509Name;

use crate::domain::identity::IdentityMode;
use crate::domain::participant::OrganisationNumber;
use crate::domain::unseen::shown;

use super::connection::HandshakeReason;
use super::peer::{ORGANISATION_IDENTIFIER, SCHEME};

/// Policies that the issuers of Norwegian enterprise certificates give to test certificates only, with everything below them.
const TEST_POLICIES: [&str; 2] = ["2.16.578.1.29.913", "2.16.578.1.26.1.0"];
/// The longest object identifier, in characters.
const OID_CHARS_MAX: usize = 128;
/// The longest name of an issuer, in characters (X.520 has 64).
const NAME_CHARS_MAX: usize = 64;
/// Policies of one issuer.
const POLICIES_MAX: usize = 32;
/// Issuers of a list.
const ISSUERS_MAX: usize = 64;

/// Why a list of issuers is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not an object identifier.
    #[error("'{name}' is no object identifier; write it as numbers with dots, like 2.16.578.1.26.1.3.2", name = shown(.0))]
    Oid(String),
    /// Not `NTRNO-` and nine digits.
    #[error("organisation_identifier '{name}' is not NTRNO- and nine digits with a right check digit", name = shown(.0))]
    Organisation(String),
    /// No name, or a longer one than a certificate can have.
    #[error("an issuer's common_name is its subject's CN, 1 to 64 characters")]
    Name,
    /// No policy, or too many.
    #[error("issuer '{name}': policies names 1 to 32 certificate policies; without one nothing would be accepted", name = shown(.0))]
    Policies(String),
    /// Too many issuers, or two of one name.
    #[error("at most 64 issuers, each once; '{name}' is one too many", name = shown(.0))]
    TooMany(String),
    /// A test CA's name or policy without `test = true`.
    #[error("issuer '{name}' is a test CA by its name or policies; say test = true, or take it out", name = shown(.0))]
    NotMarked(String),
    /// A test CA in production.
    #[error("issuer '{name}' is a test CA, which production does not accept; take it out, or set identity_mode = \"test\"", name = shown(.0))]
    TestIssuer(String),
    /// Production without a list.
    #[error(
        "production needs [[trust.issuer]]: without one every certificate below client_ca_files would count, whatever it was issued for; name the issuing CAs and their policies, as deploy/samband.toml does"
    )]
    NoIssuer,
}

/// The object identifier of a certificate policy, in dotted form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyOid(String);

impl PolicyOid {
    fn is_test(&self) -> bool {
        is_test_policy(&self.0)
    }
}

impl fmt::Display for PolicyOid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PolicyOid {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let arc = |arc: &str| arc.bytes().all(|b| b.is_ascii_digit()) && arc.parse::<u64>().is_ok_and(|number| number.to_string() == arc);
        let fits = text.len() <= OID_CHARS_MAX
            && text.split('.').count() >= 3
            && text.split('.').all(arc)
            && matches!(text.as_bytes().first(), Some(b'0'..=b'2'))
            && text.as_bytes().get(1) == Some(&b'.');
        if fits { Ok(Self(text.to_owned())) } else { Err(TrustError::Oid(text.chars().take(OID_CHARS_MAX).collect())) }
    }
}

fn is_test_policy(oid: &str) -> bool {
    TEST_POLICIES.iter().any(|arc| oid.strip_prefix(arc).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Whether a CA's common name says that it is for tests: a word "test", with a number or without, in any case.
fn is_test_name(common_name: &str) -> bool {
    common_name.split(|c: char| !c.is_alphanumeric()).any(|word| {
        let word = word.to_lowercase();
        word.strip_prefix("test").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// An issuing CA and the policies whose certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    common_name: String,
    organisation: OrganisationNumber,
    policies: Vec<PolicyOid>,
    test: bool,
}

impl TrustedIssuer {
    /// The CA with this CN and this 2.5.4.97 (`NTRNO-` and nine digits) in its subject; `test` tells that it is the issuer's test CA.
    ///
    /// # Errors
    /// A name, identifier or policy out of shape, or a test CA that is not marked as one.
    pub fn new(common_name: &str, organisation_identifier: &str, policies: &[String], test: bool) -> Result<Self, TrustError> {
        if common_name.trim() != common_name || !(1..=NAME_CHARS_MAX).contains(&common_name.chars().count()) {
            return Err(TrustError::Name);
        }
        let organisation = organisation_identifier.strip_prefix(SCHEME).and_then(|number| number.parse().ok());
        let organisation = organisation.ok_or_else(|| TrustError::Organisation(organisation_identifier.chars().take(32).collect()))?;
        if !(1..=POLICIES_MAX).contains(&policies.len()) {
            return Err(TrustError::Policies(common_name.to_owned()));
        }
        let policies = policies.iter().map(|oid| oid.parse()).collect::<Result<Vec<PolicyOid>, _>>()?;
        if !test && (is_test_name(common_name) || policies.iter().any(PolicyOid::is_test)) {
            return Err(TrustError::NotMarked(common_name.to_owned()));
        }
        Ok(Self { common_name: common_name.to_owned(), organisation, policies, test })
    }

    /// CN of its subject.
    #[must_use]
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    fn is_named(&self, name: &X509Name<'_>) -> bool {
        let identifier = format!("{SCHEME}{}", self.organisation);
        let mut identifiers = name.iter_by_oid(&ORGANISATION_IDENTIFIER);
        let first = identifiers.next().and_then(|value| value.as_str().ok());
        common_name(name) == CommonName::One(&self.common_name) && first == Some(identifier.as_str()) && identifiers.next().is_none()
    }
}

/// What is asked of a client's certificate and its issuers besides a valid chain. The default asks nothing, as a development gateway does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    issuers: Vec<TrustedIssuer>,
    refuses_test: bool,
}

impl Trust {
    /// With `issuers`, a certificate must be issued by one of them under one of its policies; without any, every CA of the files counts, which
    /// production does not have. Nor does it take a test CA or a test policy.
    ///
    /// # Errors
    /// No issuer or a test CA in production, or the same issuer twice.
    pub fn new(issuers: Vec<TrustedIssuer>, mode: IdentityMode) -> Result<Self, TrustError> {
        let refuses_test = mode == IdentityMode::Production;
        for (at, issuer) in issuers.iter().enumerate() {
            let twice =
                issuers[..at].iter().any(|before| (&before.common_name, before.organisation) == (&issuer.common_name, issuer.organisation));
            if at == ISSUERS_MAX || twice {
                return Err(TrustError::TooMany(issuer.common_name.clone()));
            }
            if refuses_test && issuer.test {
                return Err(TrustError::TestIssuer(issuer.common_name.clone()));
            }
        }
        if refuses_test && issuers.is_empty() {
            return Err(TrustError::NoIssuer);
        }
        Ok(Self { issuers, refuses_test })
    }

    /// The issuers that are listed.
    #[must_use]
    pub fn issuers(&self) -> &[TrustedIssuer] {
        &self.issuers
    }

    /// Judges `authority`, a CA of the configured files.
    ///
    /// # Errors
    /// A test CA where none may be, or one of which that cannot be told.
    pub(super) fn judge_authority(&self, authority: &X509Certificate<'_>) -> Result<(), RefusedAuthority> {
        if !self.refuses_test {
            return Ok(());
        }
        for name in [authority.subject(), authority.issuer()] {
            match common_name(name) {
                CommonName::One(name) if is_test_name(name) => return Err(RefusedAuthority::Test(shown(name).into_owned())),
                CommonName::Unclear => return Err(RefusedAuthority::UnclearName),
                CommonName::One(_) | CommonName::None => {}
            }
        }
        Ok(())
    }

    /// Judges a chain that is valid: the client's certificate, then what it sent along.
    ///
    /// # Errors
    /// [`HandshakeReason::TestCertificate`], [`HandshakeReason::UnclearName`], [`HandshakeReason::IssuerNotListed`] or
    /// [`HandshakeReason::PolicyNotListed`].
    pub(super) fn judge(&self, leaf: &X509Certificate<'_>, others: &[X509Certificate<'_>]) -> Result<(), HandshakeReason> {
        if self.issuers.is_empty() && !self.refuses_test {
            return Ok(());
        }
        let policies = policies_of(leaf).ok_or(HandshakeReason::PolicyNotListed)?;
        if self.refuses_test {
            let names = others.iter().flat_map(|other| [other.subject(), other.issuer()]).chain([leaf.issuer()]);
            // A name that one reader takes for a test CA's and another does not is nobody's.
            for name in names.map(common_name) {
                match name {
                    CommonName::One(name) if is_test_name(name) => return Err(HandshakeReason::TestCertificate),
                    CommonName::Unclear => return Err(HandshakeReason::UnclearName),
                    CommonName::One(_) | CommonName::None => {}
                }
            }
            if policies.iter().any(|oid| is_test_policy(oid)) {
                return Err(HandshakeReason::TestCertificate);
            }
        }
        if self.issuers.is_empty() {
            return Ok(());
        }
        if common_name(leaf.issuer()) == CommonName::Unclear {
            return Err(HandshakeReason::UnclearName);
        }
        let issuer = self.issuers.iter().find(|issuer| issuer.is_named(leaf.issuer())).ok_or(HandshakeReason::IssuerNotListed)?;
        if policies.iter().any(|oid| issuer.policies.iter().any(|listed| listed.0 == *oid)) {
            Ok(())
        } else {
            Err(HandshakeReason::PolicyNotListed)
        }
    }
}

/// Why a CA of the configured files is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RefusedAuthority {
    /// A test CA, by this name.
    Test(String),
    /// Its name, or that of its issuer, has a CN that cannot be read or stands there twice.
    UnclearName,
}

/// The CN of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommonName<'a> {
    /// There is none.
    None,
    /// Exactly one that can be read.
    One(&'a str),
    /// Several, or one in an alphabet that is not read here.
    Unclear,
}

pub(super) fn common_name<'a>(name: &'a X509Name<'_>) -> CommonName<'a> {
    let mut names = name.iter_common_name();
    let Some(first) = names.next() else { return CommonName::None };
    match (first.as_str(), names.next()) {
        (Ok(first), None) => CommonName::One(first),
        _ => CommonName::Unclear,
    }
}

/// A name as operators are shown it.
pub(super) fn shown_name(name: &X509Name<'_>) -> String {
    match common_name(name) {
        CommonName::One(name) => shown(name).into_owned(),
        CommonName::None => "(no common name)".to_owned(),
        CommonName::Unclear => "(unclear common name)".to_owned(),
    }
}

/// The policies of a certificate; none if the extension is broken or stands there twice.
fn policies_of(certificate: &X509Certificate<'_>) -> Option<Vec<String>> {
    let Some(extension) = certificate.get_extension_unique(&OID_X509_EXT_CERTIFICATE_POLICIES).ok()? else { return Some(Vec::new()) };
    match extension.parsed_extension() {
        ParsedExtension::CertificatePolicies(policies) => Some(policies.iter().map(|policy| policy.policy_id.to_id_string()).collect()),
        _ => None,
    }
}

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use x509_parser::prelude::FromDer as _;

    use super::{IdentityMode, Trust, TrustedIssuer, X509Certificate};

    /// A list of one CA, in production.
    ///
    /// # Panics
    /// Never: the list is one.
    #[must_use]
    pub fn trust() -> Trust {
        let issuer = TrustedIssuer::new("Example CA", "NTRNO-983163327", &["2.16.578.1.26.1.3.2".to_owned()], false);
        let trust = issuer.and_then(|issuer| Trust::new(vec![issuer], IdentityMode::Production));
        trust.expect("a name, an organisation and a policy are an issuer")
    }

    /// A client's certificate in DER, under that list.
    pub fn certificate(data: &[u8]) {
        let trust = trust();
        if let Ok((_, certificate)) = X509Certificate::from_der(data) {
            _ = trust.judge_authority(&certificate);
            _ = trust.judge(&certificate, std::slice::from_ref(&certificate));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(name: &str, policy: &str, test: bool) -> Result<TrustedIssuer, TrustError> {
        TrustedIssuer::new(name, "NTRNO-983163327", &[policy.to_owned()], test)
    }

    #[test]
    fn names_of_test_cas_are_known_and_others_are_not() {
        for name in ["Buypass Class 3 Test4 CA G2 ST Business", "Commfides Legal Person - G3 - TEST", "test", "A TEST CA", "x-test9"] {
            assert!(is_test_name(name), "{name}");
        }
        for name in ["Buypass Class 3 CA G2 ST Business", "Commfides Legal Person - G3", "Testbed AS", "Attest CA", "Tester"] {
            assert!(!is_test_name(name), "{name}");
        }
        assert!(
            is_test_policy("2.16.578.1.29.913.210.1.0") && is_test_policy("2.16.578.1.26.1.0.3.2") && is_test_policy("2.16.578.1.29.913")
        );
        assert!(
            !is_test_policy("2.16.578.1.29.9130.1")
                && !is_test_policy("2.16.578.1.26.1.3.2")
                && !is_test_policy("2.16.578.1.29.13.210.1.0")
        );
    }

    #[test]
    fn entries_out_of_shape_are_refused_with_what_to_write() {
        assert!(issuer("Buypass Class 3 CA G2 ST Business", "2.16.578.1.26.1.3.2", false).is_ok());
        for bad in
            ["", "2", "2.16", "3.1.1", "2.16.578.1.", "2..1", "2.016.1", "2.16.x", "2.99999999999999999999999.1", "21.1.1", "2.16.-1"]
        {
            assert!(matches!(issuer("A", bad, false), Err(TrustError::Oid(_))), "{bad}");
        }
        assert_eq!(issuer("", "2.16.1", false), Err(TrustError::Name));
        assert_eq!(issuer(" A", "2.16.1", false), Err(TrustError::Name));
        assert!(matches!(TrustedIssuer::new("A", "983163327", &["2.16.1".to_owned()], false), Err(TrustError::Organisation(_))));
        assert!(matches!(TrustedIssuer::new("A", "NTRNO-983163328", &["2.16.1".to_owned()], false), Err(TrustError::Organisation(_))));
        assert!(matches!(TrustedIssuer::new("A", "NTRNO-983163327", &[], false), Err(TrustError::Policies(_))));
        let once = issuer("A", "2.16.1", false).unwrap();
        assert_eq!(Trust::new(vec![once.clone(), once], IdentityMode::Test), Err(TrustError::TooMany("A".to_owned())));
    }

    #[test]
    fn a_name_of_others_is_shown_with_what_is_not_seen_written_out() {
        use crate::clock::SeededEntropy;
        use crate::domain::time::Timestamp;
        use crate::tls::issue::CertificateAuthority;
        let now = Timestamp::from_millis(1_780_000_000_000);
        let authority = CertificateAuthority::new("Good CA\u{1b}[2J\u{202e}\n", now, &SeededEntropy::new(1)).unwrap();
        let (_, section) = x509_parser::pem::parse_x509_pem(authority.certificate_pem().as_bytes()).unwrap();
        assert_eq!(shown_name(section.parse_x509().unwrap().subject()), "Good CA\\u{1b}[2J\\u{202e}\\u{a}");
        let error = issuer("Test\u{1b}[2J", "2.16.1", false).unwrap_err();
        assert!(error.to_string().starts_with("issuer 'Test\\u{1b}[2J' is a test CA"), "{error}");
    }

    #[test]
    fn production_needs_a_list_of_issuers_and_a_test_gateway_does_not() {
        assert_eq!(Trust::new(vec![], IdentityMode::Production), Err(TrustError::NoIssuer));
        assert_eq!(Trust::new(vec![], IdentityMode::Test), Ok(Trust::default()));
        assert!(Trust::new(vec![issuer("A", "2.16.1", false).unwrap()], IdentityMode::Production).is_ok());
    }

    #[test]
    fn a_test_ca_must_be_marked_and_is_refused_in_production() {
        for (name, policy) in [
            ("Buypass Class 3 Test4 CA G2 ST Business", "2.16.578.1.26.1.3.2"),
            ("Commfides Legal Person - G3", "2.16.578.1.29.913.210.1.0"),
        ] {
            assert_eq!(issuer(name, policy, false), Err(TrustError::NotMarked(name.to_owned())));
            let marked = issuer(name, policy, true).unwrap();
            assert!(Trust::new(vec![marked.clone()], IdentityMode::Test).is_ok());
            assert_eq!(Trust::new(vec![marked], IdentityMode::Production), Err(TrustError::TestIssuer(name.to_owned())));
        }
    }
}
