//! One judgement of a client's chain, for handshakes and for connections that are open when what they are judged by has changed.

use std::cell::Cell;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::certificate::X509Certificate;

use crate::domain::time::Timestamp;

use super::chain::shown;
use super::config::{TlsError, provider};
use super::connection::HandshakeReason;
use super::peer::sha256;
use super::revocation::Lists;
use super::trust::Trust;
use super::vouchers::{CaKey, IssuerName, Vouchers};

/// An open connection is judged anew at least this often, in milliseconds, so that an intermediate's end is noticed, too.
const LOOK_AGAIN_MILLIS: i64 = 60 * 60 * 1000;

/// A refusal of our own on its way through rustls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}", .0.as_str())]
pub(super) struct Refused(pub(super) HandshakeReason);

/// A CA of `client_ca_files`.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) der: CertificateDer<'static>,
    /// The first second in which it is valid.
    pub(super) not_before: Timestamp,
    /// The last one.
    pub(super) not_after: Timestamp,
    pub(super) name: IssuerName,
    pub(super) key: CaKey,
}

impl Anchor {
    const fn has_begun(&self, now: Timestamp) -> bool {
        self.not_before.millis() <= now.millis()
    }

    fn is_in_date(&self, now: Timestamp) -> bool {
        self.has_begun(now) && now < ends(self.not_after)
    }
}

/// Chain, validity and purpose by webpki; for every certificate of a way that it finds the lists of the CA and key that signed it, an unknown
/// status refused; then the list of issuers.
///
/// Webpki asks not until when an anchor is valid, so it is given those that are in date. Lists it would hash whole for each chain, take the first of
/// an issuer's name, whichever key made it, and ask no second one; here each was held against its key once, when it was taken.
#[derive(Debug)]
pub(super) struct ChainVerifier {
    /// With every anchor, for hints and for the signatures of handshakes.
    any: Arc<dyn ClientCertVerifier>,
    anchors: Vec<(Anchor, TrustAnchor<'static>)>,
    /// Whether lists are configured: then a chain without one is refused, also when none of them all can be used.
    needs_lists: bool,
    lists: Lists,
    vouchers: Vouchers,
    grace_millis: i64,
    trust: Trust,
}

/// What lists there are and who signed them.
pub(super) struct Revocation {
    /// Whether lists are configured.
    pub(super) needs_lists: bool,
    pub(super) lists: Lists,
    pub(super) vouchers: Vouchers,
    pub(super) grace_millis: i64,
}

impl ChainVerifier {
    /// # Errors
    /// No CA, or one that cannot be an anchor.
    pub(super) fn new(anchors: Vec<Anchor>, revocation: Revocation, trust: Trust) -> Result<Self, TlsError> {
        let Revocation { needs_lists, lists, vouchers, grace_millis } = revocation;
        let mut roots = RootCertStore::empty();
        for anchor in &anchors {
            roots.add(anchor.der.clone())?;
        }
        // The store keeps them in their order.
        let anchors = anchors.into_iter().zip(roots.roots.clone()).collect();
        let any = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(|_| TlsError::NoAuthority)?;
        Ok(Self { any, anchors, needs_lists, lists, vouchers, grace_millis, trust })
    }

    /// Verifies a chain up to one of the anchors that `are_asked`, by a way that `passes`.
    fn verify(
        &self,
        (leaf, others): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        are_asked: impl Fn(&Anchor) -> bool,
        passes: &dyn Fn(&VerifiedPath<'_>) -> Result<(), webpki::Error>,
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        let asked = self.anchors.iter().filter(|(anchor, _)| are_asked(anchor)).map(|(_, trust)| trust.clone());
        let algorithms = provider().signature_verification_algorithms.all;
        let leaf = EndEntityCert::try_from(leaf)?;
        leaf.verify_for_usage(algorithms, &asked.collect::<Vec<_>>(), others, now, KeyUsage::client_auth(), None, Some(passes)).map(drop)
    }

    /// What the lists say of each certificate on `way`, from the anchor down; all of them are among those `shown`.
    fn status(&self, way: &VerifiedPath<'_>, shown: &[X509Certificate<'_>], now: Timestamp) -> Result<(), HandshakeReason> {
        if !self.needs_lists {
            return Ok(());
        }
        let unknown = HandshakeReason::RevocationUnknown;
        let (anchor, _) = self.anchors.iter().find(|(_, trust)| trust == way.anchor()).ok_or(unknown)?;
        let mut signer = (anchor.name, anchor.key);
        let certificates = way.intermediate_certificates().rev().chain([&**way.end_entity()]);
        let mut left = way.intermediate_certificates().count();
        for certificate in certificates {
            let below = shown.iter().find(|shown| shown.as_raw() == certificate.der().as_ref()).ok_or(unknown)?;
            let (name, key) = signer;
            if !self.vouchers.vouches(&name, &key, now) {
                return Err(unknown);
            }
            self.lists.status((&name, &key), below, left == 0, self.grace_millis, now)?;
            // Who signs certificates below may be one who signs no lists.
            let signs_lists = left == 0 || below.key_usage().is_ok_and(|usage| usage.is_none_or(|usage| usage.value.crl_sign()));
            if !signs_lists {
                return Err(unknown);
            }
            left = left.saturating_sub(1);
            signer = (sha256(below.subject().as_raw()), sha256(below.public_key().raw));
        }
        Ok(())
    }

    fn in_date(&self, now: Timestamp) -> impl Iterator<Item = &Anchor> {
        self.anchors.iter().map(|(anchor, _)| anchor).filter(move |anchor| anchor.is_in_date(now))
    }

    /// Why a chain has no issuer here, if it would have one at another time.
    fn why_unknown(&self, chain: (&CertificateDer<'_>, &[CertificateDer<'_>]), now: UnixTime, at: Timestamp) -> Option<HandshakeReason> {
        let accept = |are_asked: &dyn Fn(&Anchor) -> bool| self.verify(chain, are_asked, &|_| Ok(()), now).is_ok();
        if accept(&|anchor| anchor.has_begun(at)) {
            Some(HandshakeReason::AuthorityExpired)
        } else {
            accept(&|_| true).then_some(HandshakeReason::AuthorityNotYetValid)
        }
    }

    /// When the next anchor or voucher begins or ends, of those that are known to.
    fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let anchors = self.anchors.iter().flat_map(|(anchor, _)| [anchor.not_before, ends(anchor.not_after)]);
        anchors.chain(self.vouchers.all().map(|voucher| voucher.until)).filter(|at| now < *at).min()
    }

    /// Whether an anchor is in date.
    pub(super) fn has_anchor(&self, now: Timestamp) -> bool {
        self.in_date(now).next().is_some()
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

    /// The same, but for a certificate that is to be entered: what no list and no time mends is said before what one would.
    ///
    /// # Errors
    /// As [`ChainVerifier::examine`].
    pub(super) fn examine_for_good(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), HandshakeReason> {
        use HandshakeReason as R;
        let judged = self.examine(chain, now);
        let passes = [R::NotYetValid, R::AuthorityExpired, R::AuthorityNotYetValid, R::RevocationUnknown, R::RevocationListOverdue];
        if judged.is_err_and(|reason| passes.contains(&reason)) {
            let (leaf, others) = chain.split_first().ok_or(R::NoCertificate)?;
            self.trusts(&shown(leaf, others)?)?;
        }
        judged
    }

    /// Whether the issuer is listed, and the policy, and neither a test's.
    fn trusts(&self, shown: &[X509Certificate<'_>]) -> Result<(), HandshakeReason> {
        let [own, above @ ..] = shown else { return Err(HandshakeReason::NoCertificate) };
        self.trust.judge(own, above)
    }

    /// Until when a chain that was accepted at `now` need not be judged again, as long as nothing is reloaded.
    pub(super) fn look_again(&self, not_after: Option<Timestamp>, now: Timestamp) -> Timestamp {
        // Validity is in whole seconds, the last one included.
        let own = not_after.map(ends).filter(|at| now < *at);
        let closes = self.lists.next_closing(self.grace_millis, now);
        [own, self.next_change(now), closes].into_iter().flatten().fold(now.plus_millis(LOOK_AGAIN_MILLIS), Timestamp::min)
    }
}

/// From when on what is valid until `not_after` is not: validity is in whole seconds, the last one included.
pub(super) const fn ends(not_after: Timestamp) -> Timestamp {
    not_after.plus_millis(1000)
}

fn refused(reason: HandshakeReason) -> Error {
    CertificateError::Other(OtherError(Arc::new(Refused(reason)))).into()
}

/// What webpki's error is to rustls, which tells the client.
fn told(error: webpki::Error) -> Error {
    use webpki::Error as E;
    let error = match error {
        E::UnknownIssuer => CertificateError::UnknownIssuer,
        E::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        E::CertExpired { .. } | E::InvalidCertValidity => CertificateError::Expired,
        E::CertNotValidYet { .. } => CertificateError::NotValidYet,
        E::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        E::BadDer | E::BadDerTime | E::TrailingData(_) => CertificateError::BadEncoding,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    };
    error.into()
}

impl ClientCertVerifier for ChainVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.any.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let at = Timestamp::from_millis(i64::try_from(now.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX));
        let shown = shown(leaf, others).map_err(refused)?;
        // Of several ways the last that was found says why, unless one was revoked.
        let why = Cell::new(None);
        let passes = |way: &VerifiedPath<'_>| {
            self.status(way, &shown, at).map_err(|reason| {
                if why.get() != Some(HandshakeReason::Revoked) {
                    why.set(Some(reason));
                }
                webpki::Error::UnknownRevocationStatus
            })
        };
        self.verify((leaf, others), |anchor| anchor.is_in_date(at), &passes, now).map_err(|error| match why.get() {
            Some(HandshakeReason::Revoked) => CertificateError::Revoked.into(),
            Some(HandshakeReason::RevocationUnknown) => CertificateError::UnknownRevocationStatus.into(),
            Some(reason) => refused(reason),
            None => {
                let error = told(error);
                let is_unknown = HandshakeReason::of_error(&error) == HandshakeReason::UnknownIssuer;
                is_unknown.then(|| self.why_unknown((leaf, others), now, at)).flatten().map_or(error, refused)
            }
        })?;
        self.trusts(&shown).map(|()| ClientCertVerified::assertion()).map_err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.any.supported_verify_schemes()
    }
}
