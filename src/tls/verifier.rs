//! One judgement of a client's chain, for handshakes and for connections that are open when what they are judged by has changed.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::domain::time::Timestamp;

use super::config::{TlsError, provider};
use super::connection::HandshakeReason;
use super::peer::sha256;
use super::revocation::Lists;
use super::trust::Trust;

/// An open connection is judged anew at least this often, in milliseconds, so that an intermediate's end is noticed, too.
const LOOK_AGAIN_MILLIS: i64 = 60 * 60 * 1000;

/// A refusal of our own on its way through rustls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}", .0.as_str())]
pub(super) struct Refused(pub(super) HandshakeReason);

/// Whether the chain's verification can read these lists.
pub(super) fn reads_lists(roots: &Arc<RootCertStore>, lists: Vec<CertificateRevocationListDer<'static>>) -> bool {
    WebPkiClientVerifier::builder_with_provider(roots.clone(), provider()).with_crls(lists).build().is_ok()
}

/// Chain, validity, purpose and revocation by webpki, for every certificate of the chain and with an unknown status refused; then the age of
/// the lists and the list of issuers.
#[derive(Debug)]
pub(super) struct ChainVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    /// Whether lists are configured: then a chain without one is refused, also when none of them all can be used.
    needs_lists: bool,
    lists: Lists,
    grace_millis: i64,
    trust: Trust,
}

impl ChainVerifier {
    /// # Errors
    /// No CA, or lists that webpki cannot read.
    pub(super) fn new(roots: RootCertStore, needs_lists: bool, lists: Lists, grace_millis: i64, trust: Trust) -> Result<Self, TlsError> {
        // The whole chain is checked and an unknown status denied unless asked otherwise; the age of lists is checked here, with the grace.
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        if !lists.is_empty() {
            builder = builder.with_crls(lists.ders());
        }
        let chain = builder.build().map_err(|error| match error {
            VerifierBuilderError::NoRootAnchors => TlsError::NoAuthority,
            _ => TlsError::Crl,
        })?;
        Ok(Self { chain, needs_lists, lists, grace_millis, trust })
    }

    pub(super) const fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(super) const fn grace_millis(&self) -> i64 {
        self.grace_millis
    }

    /// Judges a chain, the client's certificate first.
    ///
    /// # Errors
    /// Why a connection of this chain would be refused at `now`.
    pub(super) fn examine(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), HandshakeReason> {
        let (leaf, others) = chain.split_first().ok_or(HandshakeReason::NoCertificate)?;
        let seconds = u64::try_from(now.millis().div_euclid(1000)).map_err(|_| HandshakeReason::Other)?;
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.verify_client_cert(leaf, others, at).map(drop).map_err(|error| HandshakeReason::of_error(&error))
    }

    /// Until when a chain that was accepted at `now` need not be judged again, as long as nothing is reloaded.
    pub(super) fn look_again(&self, not_after: Option<Timestamp>, now: Timestamp) -> Timestamp {
        // Validity is in whole seconds, the last one included.
        let ends = not_after.map(|at| at.plus_millis(1000)).filter(|at| now < *at);
        let closes = self.lists.next_closing(self.grace_millis, now);
        [ends, closes].into_iter().flatten().fold(now.plus_millis(LOOK_AGAIN_MILLIS), Timestamp::min)
    }

    fn judge(&self, leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) -> Result<(), HandshakeReason> {
        if self.needs_lists && self.lists.is_empty() {
            return Err(HandshakeReason::RevocationUnknown);
        }
        let parse = |der| X509Certificate::from_der(der).map(|(_, certificate)| certificate).map_err(|_| HandshakeReason::Other);
        let leaf = parse(leaf.as_ref())?;
        let others = others.iter().map(|other| parse(other.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let now = Timestamp::from_millis(i64::try_from(now.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX));
        // Every issuer that a chain over these certificates can have; what a client sends along without need can only close more.
        let issuers = others.iter().chain([&leaf]).map(|certificate| sha256(certificate.issuer().as_raw()));
        if issuers.into_iter().any(|issuer| self.lists.is_closed(&issuer, self.grace_millis, now)) {
            return Err(HandshakeReason::RevocationListOverdue);
        }
        self.trust.judge(&leaf, &others)
    }
}

impl ClientCertVerifier for ChainVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(leaf, others, now)?;
        match self.judge(leaf, others, now) {
            Ok(()) => Ok(verified),
            Err(reason) => Err(CertificateError::Other(OtherError(Arc::new(Refused(reason)))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
