//! One judgement of a client's chain, for handshakes and for connections that are open when what they are judged by has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::OID_X509_EXT_CRL_DISTRIBUTION_POINTS;

use crate::domain::time::Timestamp;

use super::chain::shown;
use super::config::{TlsError, provider};
use super::connection::HandshakeReason;
use super::peer::sha256;
use super::revocation::{Lists, SpeaksFor, is_signed_by};
use super::trust::Trust;
use super::vouchers::{CaKey, IssuerName, Voucher, Vouchers};

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

/// A CA of `client_ca_files`.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) der: CertificateDer<'static>,
    /// The first second in which it is valid.
    pub(super) not_before: Timestamp,
    /// The last one.
    pub(super) not_after: Timestamp,
}

impl Anchor {
    const fn has_begun(&self, now: Timestamp) -> bool {
        self.not_before.millis() <= now.millis()
    }

    fn is_in_date(&self, now: Timestamp) -> bool {
        self.has_begun(now) && now < ends(self.not_after)
    }
}

/// Of each CA's name under which there are lists of several keys, the key whose lists are asked.
type Choice = BTreeMap<IssuerName, CaKey>;

/// Verifications that are kept ready; beyond, all are made anew.
const READY_MAX: usize = 8;

/// Webpki's verifications with the anchors and vouchers that are in date from one moment until another.
#[derive(Debug)]
struct Ready {
    from: Timestamp,
    until: Timestamp,
    by_choice: BTreeMap<Choice, Option<Arc<dyn ClientCertVerifier>>>,
}

/// Chain, validity, purpose and revocation by webpki, for every certificate of the chain and with an unknown status refused; then the age of
/// the lists and the list of issuers.
///
/// Webpki asks neither until when an anchor is valid nor which key made a list, and takes the first list of an issuer's name. So it is given the
/// anchors that are in date, and of each name the lists of one key, of that which signed what the client shows, if the CA vouches at that time.
#[derive(Debug)]
pub(super) struct ChainVerifier {
    /// With every anchor and no list, for hints and to tell why a chain is refused.
    any: Arc<dyn ClientCertVerifier>,
    ready: Mutex<Ready>,
    anchors: Vec<Anchor>,
    /// The CAs that have lists of several keys under one name, those of the newest list first.
    renewed: BTreeMap<IssuerName, Vec<Voucher>>,
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
    /// No CA, or lists that webpki cannot read.
    pub(super) fn new(anchors: Vec<Anchor>, revocation: Revocation, trust: Trust, now: Timestamp) -> Result<Self, TlsError> {
        let Revocation { needs_lists, lists, vouchers, grace_millis } = revocation;
        let any = webpki(anchors.iter().map(|anchor| &anchor.der), Vec::new())?.ok_or(TlsError::NoAuthority)?;
        let renewed = lists.of_several_keys().into_iter().map(|(name, keys)| {
            let of_key = |key: &CaKey| vouchers.named(&name).find(|voucher| voucher.key == *key).cloned();
            (name, keys.iter().filter_map(of_key).collect())
        });
        let renewed = renewed.collect();
        let ready = Mutex::new(Ready { from: now, until: now, by_choice: BTreeMap::new() });
        let verifier = Self { any, ready, anchors, renewed, needs_lists, lists, vouchers, grace_millis, trust };
        verifier.ready(&verifier.choice(&[]), now)?;
        Ok(verifier)
    }

    /// Webpki's verification at `now` with the lists of `choice`; none if no anchor is in date, or no list is that must be.
    fn ready(&self, choice: &Choice, now: Timestamp) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let mut ready = self.ready.lock();
        if now < ready.from || ready.until <= now {
            let until = self.next_change(now).unwrap_or(Timestamp::from_millis(i64::MAX));
            *ready = Ready { from: now, until, by_choice: BTreeMap::new() };
        }
        if let Some(chain) = ready.by_choice.get(choice) {
            return Ok(chain.clone());
        }
        if ready.by_choice.len() >= READY_MAX {
            ready.by_choice.clear();
        }
        let is_asked =
            |at: &SpeaksFor| choice.get(&at.name).is_none_or(|key| *key == at.key) && self.vouchers.vouches(&at.name, &at.key, now);
        let lists = self.lists.ders(is_asked);
        // Without any list webpki would ask for none.
        let chain = if self.needs_lists && lists.is_empty() { None } else { webpki(self.in_date(now), lists)? };
        ready.by_choice.insert(choice.clone(), chain.clone());
        Ok(chain)
    }

    fn in_date(&self, now: Timestamp) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.anchors.iter().filter(move |anchor| anchor.is_in_date(now)).map(|anchor| &anchor.der)
    }

    /// Why a chain has no issuer here, if it would have one with other lists or at another time. Webpki says of one that leads to two CAs of a name
    /// only that neither will do.
    fn why_unknown(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
        at: Timestamp,
    ) -> Option<HandshakeReason> {
        let accepts = |chain: &Arc<dyn ClientCertVerifier>| chain.verify_client_cert(leaf, others, now).is_ok();
        if !accepts(&self.any) {
            return None;
        }
        let accept = |anchors: &dyn Fn(&&Anchor) -> bool| {
            let chain = webpki(self.anchors.iter().filter(anchors).map(|anchor| &anchor.der), Vec::new());
            chain.ok().flatten().is_some_and(|chain| accepts(&chain))
        };
        Some(if accept(&|anchor| anchor.is_in_date(at)) {
            HandshakeReason::RevocationUnknown
        } else if accept(&|anchor| anchor.has_begun(at)) {
            HandshakeReason::AuthorityExpired
        } else {
            HandshakeReason::AuthorityNotYetValid
        })
    }

    /// When the next anchor or voucher begins or ends, of those that are known to.
    fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let anchors = self.anchors.iter().flat_map(|anchor| [anchor.not_before, ends(anchor.not_after)]);
        anchors.chain(self.vouchers.all().map(|voucher| voucher.until)).filter(|at| now < *at).min()
    }

    /// Whether an anchor is in date.
    pub(super) fn has_anchor(&self, now: Timestamp) -> bool {
        self.in_date(now).next().is_some()
    }

    /// Whose lists are to be asked for `chain`, the client's certificate first.
    fn choice(&self, chain: &[X509Certificate<'_>]) -> Choice {
        let of_name = |(name, keys): (&IssuerName, &Vec<Voucher>)| {
            let signer = chain.iter().filter(|below| sha256(below.issuer().as_raw()) == *name).find_map(|below| self.signer(name, below));
            signer.or_else(|| keys.first()).map(|voucher| (*name, voucher.key))
        };
        self.renewed.iter().filter_map(of_name).collect()
    }

    /// The key that signed `below`, of a CA that has lists of several keys.
    fn signer(&self, name: &IssuerName, below: &X509Certificate<'_>) -> Option<&Voucher> {
        let keys = self.renewed.get(name)?;
        keys.iter().find(|ca| is_signed_by(below.as_raw(), &below.signature_value, &ca.spki))
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
        let own = not_after.map(ends).filter(|at| now < *at);
        let closes = self.lists.next_closing(self.grace_millis, now);
        [own, self.next_change(now), closes].into_iter().flatten().fold(now.plus_millis(LOOK_AGAIN_MILLIS), Timestamp::min)
    }

    /// Judges a chain that is verified, the client's certificate first.
    fn judge(&self, shown: &[X509Certificate<'_>], now: Timestamp) -> Result<(), HandshakeReason> {
        let (leaf, others) = shown.split_first().ok_or(HandshakeReason::NoCertificate)?;
        // Every issuer that a chain over these certificates can have; what a client sends along without need can only close more.
        for below in shown {
            let name = sha256(below.issuer().as_raw());
            // Of a CA that was renewed the lists of the key that signed count; what none of its keys signed is in no chain of it.
            let key = match self.renewed.contains_key(&name).then(|| self.signer(&name, below)) {
                None => None,
                Some(Some(ca)) => Some(&ca.key),
                Some(None) => continue,
            };
            if self.lists.is_closed(&name, key, self.grace_millis, now) {
                return Err(HandshakeReason::RevocationListOverdue);
            }
            if self.anchors.iter().any(|anchor| *anchor.der == *below.as_raw()) {
                continue;
            }
            // Webpki asks one list that may speak for the certificate. Where a CA has several, another may name it.
            if self.lists.revokes(&name, key, below.raw_serial()) {
                return Err(HandshakeReason::Revoked);
            }
            if names_no_place(below) && self.lists.are_of_parts(&name, key) {
                return Err(HandshakeReason::RevocationUnknown);
            }
        }
        self.trust.judge(leaf, others)
    }
}

/// Whether a certificate does not say where its list is. It is of no part of its CA's certificates then (RFC 5280, 6.3.3: a list limited to a
/// distribution point speaks for those that name it), and webpki takes a list of any part for its.
fn names_no_place(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().all(|extension| extension.oid != OID_X509_EXT_CRL_DISTRIBUTION_POINTS)
}

/// From when on what is valid until `not_after` is not: validity is in whole seconds, the last one included.
pub(super) const fn ends(not_after: Timestamp) -> Timestamp {
    not_after.plus_millis(1000)
}

fn refused(reason: HandshakeReason) -> Error {
    CertificateError::Other(OtherError(Arc::new(Refused(reason)))).into()
}

/// Webpki's verification by `anchors` with `lists`; none without an anchor. The whole chain is checked and an unknown status denied unless asked
/// otherwise; the age of lists is checked here, with the grace.
fn webpki<'a>(
    anchors: impl Iterator<Item = &'a CertificateDer<'static>>,
    lists: Vec<CertificateRevocationListDer<'static>>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
    let mut roots = RootCertStore::empty();
    for der in anchors {
        roots.add(der.clone())?;
    }
    if roots.is_empty() {
        return Ok(None);
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    if !lists.is_empty() {
        builder = builder.with_crls(lists);
    }
    builder.build().map(Some).map_err(|_| TlsError::Crl)
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
        let chain = self.ready(&self.choice(&shown), at).map_err(|_| Error::General("no verification can be made".to_owned()))?;
        let unknown = || Err(CertificateError::UnknownIssuer.into());
        let verified = chain.map_or_else(unknown, |chain| chain.verify_client_cert(leaf, others, now)).map_err(|error| {
            let is_unknown = HandshakeReason::of_error(&error) == HandshakeReason::UnknownIssuer;
            is_unknown.then(|| self.why_unknown(leaf, others, now, at)).flatten().map_or(error, refused)
        })?;
        match self.judge(&shown, at) {
            Ok(()) => Ok(verified),
            Err(reason) => Err(refused(reason)),
        }
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
