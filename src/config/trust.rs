//! The issuing CAs of participants' certificates, as the configuration names them.

use serde::Deserialize;

use crate::domain::identity;
use crate::tls::{Trust, TrustError, TrustedIssuer};

use super::IdentityMode;

/// An issuing CA and the policies whose certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerEntry {
    common_name: String,
    organisation_identifier: String,
    policies: Vec<String>,
    #[serde(default)]
    test: bool,
}

/// One `[[trust.issuer]]`, checked where it is read so that an error names its line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "IssuerEntry")]
pub struct Issuer(TrustedIssuer);

impl TryFrom<IssuerEntry> for Issuer {
    type Error = TrustError;

    fn try_from(entry: IssuerEntry) -> Result<Self, TrustError> {
        let IssuerEntry { common_name, organisation_identifier, policies, test } = entry;
        TrustedIssuer::new(&common_name, &organisation_identifier, &policies, test).map(Self)
    }
}

/// Which of the client CAs' certificates count. Without an issuer: all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrustSection {
    /// Issuing CAs: a client's certificate must be issued by one of them, under one of its policies.
    pub issuer: Vec<Issuer>,
}

impl TrustSection {
    /// The issuers' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.issuer.iter().map(|Issuer(issuer)| issuer.common_name())
    }

    /// The list for a gateway of this mode.
    ///
    /// # Errors
    /// A test CA in production, or an issuer twice.
    pub fn trust(&self, mode: IdentityMode) -> Result<Trust, TrustError> {
        Trust::new(self.issuer.iter().map(|Issuer(issuer)| issuer.clone()).collect(), mode.into())
    }
}

impl From<IdentityMode> for identity::IdentityMode {
    fn from(mode: IdentityMode) -> Self {
        match mode {
            IdentityMode::Production => Self::Production,
            IdentityMode::Test => Self::Test,
        }
    }
}
