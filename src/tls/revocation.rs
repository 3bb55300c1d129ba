//! The revocation lists in force: which one of several counts, whether its issuer signed it, and until when it may be used.
//!
//! What is held against a chain, for every certificate on a way that its verification found, is asked here: whether a list of the key that signed it
//! names it, whether there is one for it, and until when that may be used.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls_pki_types::CertificateRevocationListDer;
use x509_parser::asn1_rs::{Any, BitString};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{DistributionPointName, GeneralName, IssuingDistributionPoint, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::domain::time::Timestamp;

use super::config::provider;
use super::connection::HandshakeReason;
use super::marks::Mark;
use super::peer::sha256;
use super::trust::shown_name;
use super::vouchers::{CaKey, IssuerName, Vouchers};

/// issuingDistributionPoint: the part of its issuer's certificates that a list speaks for.
const SCOPE: x509_parser::oid_registry::Oid<'static> = x509_parser::oid_registry::OID_X509_EXT_ISSUER_DISTRIBUTION_POINT;

/// authorityKeyIdentifier: which key signed.
const SIGNER: x509_parser::oid_registry::Oid<'static> = x509_parser::oid_registry::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER;
/// An issuer's clock may be ahead of the gateway's by so much.
pub(super) const SKEW_MILLIS: i64 = 5 * 60 * 1000;

/// Why a list is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListFault {
    /// Not a list, or one without the time of the next.
    Malformed,
    /// Of a time that has not come.
    Future,
}

/// How a list stands to its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListState {
    /// Before its next update.
    Current,
    /// Past its next update, within the grace: served with a warning.
    Overdue,
    /// Past the grace: nobody whom its issuer issued for is let in.
    Closed,
}

impl ListState {
    /// The state as a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Overdue => "overdue",
            Self::Closed => "closed",
        }
    }
}

/// A list as operators are shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListStatus {
    /// CN of its issuer.
    pub issuer: String,
    /// When the next one was promised.
    pub next_update: Timestamp,
    /// From then on connections of this issuer's certificates are refused and ended.
    pub closes_at: Timestamp,
    /// How it stands.
    pub state: ListState,
}

/// Keys of one name that are remembered as not having signed a list; beyond, all are asked anew.
const OTHERS_MAX: usize = 64;

/// Which keys were asked whether they signed a list: that does not change with the CAs that are configured, and a forged list costs its signatures
/// once.
#[derive(Debug, Default)]
struct Asked {
    signer: Option<CaKey>,
    others: BTreeSet<CaKey>,
}

/// A list that was read, and what is kept of it.
#[derive(Debug)]
pub(super) struct List {
    der: CertificateRevocationListDer<'static>,
    name: IssuerName,
    scope: [u8; 32],
    asked: Mutex<Asked>,
    issuer: String,
    this_update: Timestamp,
    next_update: Timestamp,
    mark: Mark,
    revoked: Serials,
    /// Of which part of its issuer's certificates it is, if it is of one.
    part: Option<Part>,
}

/// A part of an issuer's certificates: those that name one of its places.
#[derive(Debug)]
struct Part {
    places: Vec<String>,
    is_of_users: bool,
    is_of_cas: bool,
}

impl Part {
    fn of(point: &IssuingDistributionPoint<'_>) -> Self {
        let places = point.distribution_point.iter().flat_map(uris).map(str::to_owned).collect();
        Self { places, is_of_users: point.only_contains_user_certs, is_of_cas: point.only_contains_ca_certs }
    }

    /// Whether `certificate` is of this part. One that names no place is of none (RFC 5280, 6.3.3).
    fn has(&self, certificate: &X509Certificate<'_>, is_leaf: bool) -> bool {
        let points = certificate.iter_extensions().filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::CRLDistributionPoints(points) => Some(points),
            _ => None,
        });
        let mut whole = points.flat_map(|points| points.iter()).filter(|point| point.reasons.is_none() && point.crl_issuer.is_none());
        let is_of_kind = if is_leaf { !self.is_of_cas } else { !self.is_of_users };
        is_of_kind
            && whole.any(|point| point.distribution_point.iter().flat_map(uris).any(|uri| self.places.iter().any(|place| place == uri)))
    }
}

fn uris<'a>(name: &'a DistributionPointName<'_>) -> impl Iterator<Item = &'a str> {
    let names = if let DistributionPointName::FullName(names) = name { &names[..] } else { &[] };
    names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None })
}

/// The serial numbers that a list names: where each begins in it, and how long it is, in the numbers' order. A list of many is asked at handshakes.
#[derive(Debug)]
struct Serials(Box<[(u32, u32)]>);

impl Serials {
    fn of(list: &CertificateRevocationList<'_>, der: &[u8]) -> Self {
        let start = der.as_ptr().addr();
        let place = |serial: &[u8]| (serial.as_ptr().addr().wrapping_sub(start) as u32, serial.len() as u32);
        let mut all: Box<[_]> = list.iter_revoked_certificates().map(|revoked| place(revoked.raw_serial())).collect();
        all.sort_unstable_by_key(|place| Self::at(der, *place));
        Self(all)
    }

    fn at(der: &[u8], (start, length): (u32, u32)) -> &[u8] {
        number(der.get(start as usize..).and_then(|rest| rest.get(..length as usize)).unwrap_or_default())
    }

    fn has(&self, der: &[u8], serial: &[u8]) -> bool {
        self.0.binary_search_by_key(&number(serial), |place| Self::at(der, *place)).is_ok()
    }
}

/// A serial number without zeros before it: an issuer that writes one of them with a zero too many, or leaves out the one of the sign, revokes all the same.
fn number(serial: &[u8]) -> &[u8] {
    &serial[serial.iter().take_while(|byte| **byte == 0).count()..]
}

/// Whose certificates a list speaks for: those that one key of its issuer signed, and the part of them where an issuer cuts its list into parts. A
/// CA that was renewed with a new key under its name has lists of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SpeaksFor {
    pub(super) name: IssuerName,
    pub(super) key: CaKey,
    pub(super) scope: [u8; 32],
}

impl SpeaksFor {
    /// All certificates of the same key, as a list without a part speaks for them.
    pub(super) fn whole(&self) -> Self {
        Self { scope: sha256(&[]), ..*self }
    }
}

/// The newest list of every issuer, and of each part where an issuer cuts its list into parts.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists(BTreeMap<SpeaksFor, Arc<List>>);

fn seconds(at: x509_parser::time::ASN1Time) -> Timestamp {
    Timestamp::from_millis(at.timestamp().saturating_mul(1000))
}

impl List {
    /// # Errors
    /// [`ListFault::Malformed`].
    pub(super) fn read(der: CertificateRevocationListDer<'static>) -> Result<Self, ListFault> {
        // What this reads is no delta, indirect or of some reasons only.
        let whole = webpki::BorrowedCertRevocationList::from_der(&der).map_err(|_| ListFault::Malformed)?;
        if whole.into_iter().any(|entry| entry.is_err()) {
            return Err(ListFault::Malformed);
        }
        let (rest, list) = CertificateRevocationList::from_der(&der).map_err(|_| ListFault::Malformed)?;
        let next_update = list.next_update().filter(|_| rest.is_empty()).map(seconds).ok_or(ListFault::Malformed)?;
        let scope = list.extensions().iter().find(|extension| extension.oid == SCOPE);
        let part = match scope.map(|extension| extension.parsed_extension()) {
            None => None,
            Some(ParsedExtension::IssuingDistributionPoint(point)) => Some(Part::of(point)),
            Some(_) => return Err(ListFault::Malformed),
        };
        let scope = scope.map_or(&[][..], |extension| extension.value);
        let (name, scope) = (sha256(list.issuer().as_raw()), sha256(scope));
        let issuer = shown_name(list.issuer());
        let this_update = seconds(list.last_update());
        let signer = list.extensions().iter().find(|extension| extension.oid == SIGNER).map_or(&[][..], |extension| extension.value);
        let number = list.crl_number().map(|number| number.to_bytes_be()).unwrap_or_default();
        let mark = Mark::new(list.last_update().timestamp(), sha256(signer), &number);
        let revoked = Serials::of(&list, &der);
        Ok(Self { der, name, scope, asked: Mutex::default(), issuer, this_update, next_update, mark, revoked, part })
    }

    /// A list from the future would keep every real one away, as each is older.
    ///
    /// # Errors
    /// [`ListFault::Future`].
    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), ListFault> {
        if now.plus_millis(SKEW_MILLIS) < self.this_update { Err(ListFault::Future) } else { Ok(()) }
    }

    /// Whose certificates it speaks for, if one of `vouchers` signed it.
    pub(super) fn vouched(&self, vouchers: &Vouchers) -> Option<SpeaksFor> {
        let mut asked = self.asked.lock();
        if asked.signer.is_none() {
            let signature = signature_of(&self.der)?;
            for ca in vouchers.named(&self.name) {
                if asked.others.contains(&ca.key) {
                    continue;
                }
                if is_signed_by(&self.der, &signature, &ca.spki) {
                    asked.signer = Some(ca.key);
                    break;
                }
                if asked.others.len() >= OTHERS_MAX {
                    asked.others.clear();
                }
                asked.others.insert(ca.key);
            }
        }
        let key = asked.signer.filter(|key| vouchers.knows(&self.name, key))?;
        Some(SpeaksFor { name: self.name, key, scope: self.scope })
    }

    /// Whether it names the certificate of this serial number.
    fn names(&self, serial: &[u8]) -> bool {
        self.revoked.has(&self.der, serial)
    }

    pub(super) const fn name(&self) -> &IssuerName {
        &self.name
    }

    /// When it was made, and when the next one was promised.
    pub(super) const fn times(&self) -> (Timestamp, Timestamp) {
        (self.this_update, self.next_update)
    }

    pub(super) const fn mark(&self) -> &Mark {
        &self.mark
    }

    /// CN of its issuer.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }
}

impl Lists {
    /// Takes `list` in, unless a newer one for the same certificates is there.
    pub(super) fn put(&mut self, at: SpeaksFor, list: &Arc<List>) {
        match self.0.entry(at) {
            std::collections::btree_map::Entry::Vacant(place) => _ = place.insert(list.clone()),
            std::collections::btree_map::Entry::Occupied(mut place) => {
                let held = place.get();
                let is_newer = held.mark.is_before(&list.mark) || (held.mark.is_level(&list.mark) && held.next_update < list.next_update);
                if is_newer {
                    place.insert(list.clone());
                }
            }
        }
    }

    /// Whether `self` has an older list than `before` for the certificates that a list `at` speaks for: it may not name some that the newer one
    /// does.
    pub(super) fn goes_back(&self, before: &Self, at: &SpeaksFor) -> bool {
        let mark = |lists: &Self| lists.0.get(at).map(|list| list.mark.clone());
        mark(self).is_some_and(|now| mark(before).is_some_and(|old| now.is_older_than(&old)))
    }

    /// Whether `list` is the one that counts here.
    pub(super) fn is_newest(&self, at: &SpeaksFor, list: &Arc<List>) -> bool {
        self.0.get(at).is_some_and(|newest| Arc::ptr_eq(newest, list))
    }

    /// The lists that count.
    pub(super) fn all(&self) -> impl Iterator<Item = (&SpeaksFor, &Arc<List>)> {
        self.0.iter()
    }

    /// What there are lists of here and not in `after`. A part of an issuer's certificates is not lost where a list of all of them takes its place
    /// that is not older; nor all of them where that of a part does: then what is not of that part is refused, and what the newer one revokes is, too.
    pub(super) fn lost(&self, after: &Self) -> BTreeSet<SpeaksFor> {
        let is_covered = |at: &SpeaksFor, list: &List| {
            let mut others = after.of_name(&at.name).filter(|(of, _)| of.key == at.key && (*of == &at.whole() || *at == at.whole()));
            others.any(|(_, other)| !other.mark.is_before(&list.mark))
        };
        self.0.iter().filter(|(at, list)| !after.speaks_for(at) && !is_covered(at, list)).map(|(at, _)| *at).collect()
    }

    /// Whether there is a list of just this.
    pub(super) fn speaks_for(&self, at: &SpeaksFor) -> bool {
        self.0.contains_key(at)
    }

    /// Whether there is a list of this, or one of all certificates of its key that is not older than `mark`, a mark of this.
    pub(super) fn stands_for(&self, at: &SpeaksFor, mark: &Mark) -> bool {
        self.speaks_for(at) || self.0.get(&at.whole()).is_some_and(|whole| !whole.mark.is_before(mark))
    }

    /// Takes out the lists that are `gone`; whether there were any.
    pub(super) fn take_out(&mut self, gone: impl Fn(&Self, &SpeaksFor, &List) -> bool) -> bool {
        let gone: Vec<_> = self.0.iter().filter(|(at, list)| gone(self, at, list)).map(|(at, _)| *at).collect();
        gone.iter().for_each(|at| _ = self.0.remove(at));
        !gone.is_empty()
    }

    /// Whether these are the same lists.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().all(|(at, list)| other.is_newest(at, list))
    }

    /// What the lists of the CA and key that signed `certificate` say of it at `now`: each may name it, whatever part it is of, as a CA gives each
    /// number once; one of all certificates, or of the part that it is of, must be there; and none may be past its grace.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn status(
        &self,
        (name, key): (&IssuerName, &CaKey),
        certificate: &X509Certificate<'_>,
        is_leaf: bool,
        grace_millis: i64,
        now: Timestamp,
    ) -> Result<(), HandshakeReason> {
        let lists = || self.of_name(name).filter(|(at, _)| at.key == *key).map(|(_, list)| list);
        if self.revokes(name, key, certificate.raw_serial()) {
            Err(HandshakeReason::Revoked)
        } else if lists().any(|list| list.state(grace_millis, now) == ListState::Closed) {
            Err(HandshakeReason::RevocationListOverdue)
        } else if lists().any(|list| list.part.as_ref().is_none_or(|part| part.has(certificate, is_leaf))) {
            Ok(())
        } else {
            Err(HandshakeReason::RevocationUnknown)
        }
    }

    fn of_name(&self, name: &IssuerName) -> impl Iterator<Item = (&SpeaksFor, &Arc<List>)> {
        let end = |byte: u8| SpeaksFor { name: *name, key: [byte; 32], scope: [byte; 32] };
        self.0.range(end(0)..=end(0xff))
    }

    /// Whether there is a list of a CA of this name, whatever its key.
    pub(super) fn has_name(&self, name: &IssuerName) -> bool {
        self.of_name(name).next().is_some()
    }

    /// Whether there is a list of the CA of this name and key.
    pub(super) fn has(&self, name: &IssuerName, key: &CaKey) -> bool {
        self.of_name(name).any(|(at, _)| at.key == *key)
    }

    /// Whether a list of the CA of this name and key names the certificate of this serial number.
    pub(super) fn revokes(&self, name: &IssuerName, key: &CaKey, serial: &[u8]) -> bool {
        self.of_name(name).any(|(at, list)| at.key == *key && list.names(serial))
    }

    /// When the next list passes its grace.
    pub(super) fn next_closing(&self, grace_millis: i64, now: Timestamp) -> Option<Timestamp> {
        self.0.values().map(|list| list.next_update.plus_millis(grace_millis)).filter(|at| *at > now).min()
    }

    /// When the first list is due for renewal.
    pub(super) fn next_update(&self) -> Option<Timestamp> {
        self.0.values().map(|list| list.next_update).min()
    }

    /// All lists, by issuer.
    pub(super) fn statuses(&self, grace_millis: i64, now: Timestamp) -> Vec<ListStatus> {
        let status = |list: &Arc<List>| ListStatus {
            issuer: list.issuer.clone(),
            next_update: list.next_update,
            closes_at: list.next_update.plus_millis(grace_millis),
            state: list.state(grace_millis, now),
        };
        self.0.values().map(status).collect()
    }
}

impl List {
    fn state(&self, grace_millis: i64, now: Timestamp) -> ListState {
        if now < self.next_update {
            ListState::Current
        } else if now < self.next_update.plus_millis(grace_millis) {
            ListState::Overdue
        } else {
            ListState::Closed
        }
    }
}

/// Whether the key `spki` made `signature`, that of the list or certificate whose bytes are `der`.
pub(super) fn is_signed_by(der: &[u8], signature: &BitString<'_>, spki: &[u8]) -> bool {
    let Some((signed, signature_algorithm)) = signed_part(der) else { return false };
    let Some((key_algorithm, key)) = key_parts(spki) else { return false };
    // A signature is whole bytes.
    if signature.unused_bits != 0 {
        return false;
    }
    provider().signature_verification_algorithms.all.iter().any(|known| {
        known.public_key_alg_id().as_ref() == key_algorithm
            && known.signature_alg_id().as_ref() == signature_algorithm
            && known.verify_signature(key, signed, signature.as_ref()).is_ok()
    })
}

/// Of `SEQUENCE { signed, SEQUENCE algorithm, BIT STRING }`: the signed element and the content of the algorithm.
fn signed_part(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, outer) = Any::from_der(der).ok()?;
    let (after, _) = Any::from_der(outer.data).ok()?;
    let signed = &outer.data[..outer.data.len() - after.len()];
    let (_, algorithm) = Any::from_der(after).ok()?;
    Some((signed, algorithm.data))
}

/// Of the same the signature.
fn signature_of(der: &[u8]) -> Option<BitString<'_>> {
    let (_, outer) = Any::from_der(der).ok()?;
    let (after, _) = Any::from_der(outer.data).ok()?;
    let (after, _) = Any::from_der(after).ok()?;
    BitString::from_der(after).ok().map(|(_, signature)| signature)
}

/// Of `SEQUENCE { SEQUENCE algorithm, BIT STRING }`: the content of the algorithm, and the key.
fn key_parts(spki: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, outer) = Any::from_der(spki).ok()?;
    let (after, algorithm) = Any::from_der(outer.data).ok()?;
    let (_, key) = Any::from_der(after).ok()?;
    // The first byte counts bits that are not used; a key is whole bytes.
    let key = key.data.strip_prefix(&[0])?;
    Some((algorithm.data, key))
}

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use std::sync::Arc;

    use super::{CertificateRevocationListDer, List, Lists, SpeaksFor, Vouchers};
    use crate::domain::time::Timestamp;

    /// A revocation list in DER.
    pub fn list(data: &[u8]) {
        if let Ok(list) = List::read(CertificateRevocationListDer::from(data.to_vec())) {
            let (list, mut lists) = (Arc::new(list), Lists::default());
            let at = SpeaksFor { name: *list.name(), key: [0; 32], scope: [0; 32] };
            lists.put(at, &list);
            assert_eq!(lists.statuses(0, Timestamp::from_millis(0)).len(), 1);
            assert!(list.vouched(&Vouchers::default()).is_none() && !lists.goes_back(&lists, &at) && lists.lost(&lists).is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::domain::time::DAY_MILLIS;
    use crate::tls::issue::CertificateAuthority;

    const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn authority(seed: u64) -> CertificateAuthority {
        CertificateAuthority::new("Example CA", NOW, &SeededEntropy::new(seed)).unwrap()
    }

    fn der(pem: &str) -> CertificateRevocationListDer<'static> {
        use rustls_pki_types::pem::PemObject as _;
        CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    fn vouchers(authority: &CertificateAuthority) -> Vouchers {
        use rustls_pki_types::pem::PemObject as _;
        let anchor = rustls_pki_types::CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap();
        Vouchers::new(&[(2, std::path::Path::new("ca.pem"), anchor)], &[], &BTreeSet::new(), NOW).unwrap()
    }

    /// Reads a list, holds it against `vouchers` and takes it in.
    fn add(lists: &mut Lists, der: CertificateRevocationListDer<'static>, vouchers: &Vouchers) -> Option<SpeaksFor> {
        let list = Arc::new(List::read(der).ok()?);
        let at = list.vouched(vouchers)?;
        lists.put(at, &list);
        Some(at)
    }

    fn added(lists: &mut Lists, pem: &str, authority: &CertificateAuthority) -> Option<SpeaksFor> {
        add(lists, der(pem), &vouchers(authority))
    }

    #[test]
    fn the_newest_list_counts_whatever_their_order_and_an_older_set_forgets() {
        let ca = authority(1);
        let day = |days: i64| NOW.plus_millis(days * DAY_MILLIS);
        let (old, new) = (ca.crl(&[], NOW, day(1)).unwrap(), ca.crl(&[], day(1), day(3)).unwrap());
        let lists = |pems: &[&str]| {
            let mut lists = Lists::default();
            pems.iter().for_each(|pem| assert!(added(&mut lists, pem, &ca).is_some()));
            lists
        };
        for both in [lists(&[&old, &new]), lists(&[&new, &old])] {
            assert_eq!((both.all().count(), both.next_update()), (1, Some(day(3))));
        }
        let goes_back = |pem: &str, before: &[&str]| {
            let mut now = Lists::default();
            let at = added(&mut now, pem, &ca).unwrap();
            now.goes_back(&lists(before), &at)
        };
        assert!(goes_back(&old, &[&new]) && !goes_back(&new, &[&old]) && !goes_back(&new, &[&new]) && !goes_back(&new, &[]));
    }

    #[test]
    fn a_serial_number_is_revoked_however_many_zeros_stand_before_it() {
        let has = |at, serial: &[u8]| Serials(Box::new([at])).has(&[0, 0x11, 0x91, 0, 0x91, 5], serial);
        assert!(has((0, 2), &[0x11]) && has((1, 1), &[0, 0x11]) && has((2, 1), &[0, 0x91]) && !has((3, 2), &[5]));
    }

    #[test]
    fn a_list_that_its_ca_did_not_sign_is_refused_and_so_is_every_changed_byte() {
        // Signatures differ from run to run; an even last byte once let its count of unused bits be changed.
        for _ in 0..4 {
            every_changed_byte();
        }
    }

    fn every_changed_byte() {
        let ca = authority(1);
        let pem = ca.crl(&[], NOW, NOW.plus_millis(DAY_MILLIS)).unwrap();
        assert!(added(&mut Lists::default(), &pem, &ca).is_some());
        assert_eq!(added(&mut Lists::default(), &pem, &authority(2)), None, "a namesake with another key");
        let (whole, vouchers) = (der(&pem), vouchers(&ca));
        for at in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1;
            assert_eq!(add(&mut Lists::default(), bytes.into(), &vouchers), None, "byte {at}");
        }
        for end in 0..whole.len() {
            assert_eq!(List::read(whole[..end].to_vec().into()).unwrap_err(), ListFault::Malformed);
        }
        assert_eq!(List::read([&whole[..], &[0]].concat().into()).unwrap_err(), ListFault::Malformed);
    }

    #[test]
    fn a_key_that_did_not_sign_a_list_is_asked_once() {
        let (ca, other) = (authority(1), authority(2));
        let list = List::read(der(&ca.crl(&[], NOW, NOW.plus_millis(DAY_MILLIS)).unwrap())).unwrap();
        assert_eq!(list.vouched(&vouchers(&other)), None);
        assert!(list.asked.lock().signer.is_none() && list.asked.lock().others.len() == 1);
        // Were the right one remembered so, it would not be asked.
        let key = vouchers(&ca).all().next().unwrap().key;
        list.asked.lock().others.insert(key);
        assert_eq!(list.vouched(&vouchers(&ca)), None);
        list.asked.lock().others.clear();
        assert_eq!(list.vouched(&vouchers(&ca)).map(|at| at.key), Some(key));
    }

    #[test]
    fn a_list_of_a_time_that_has_not_come_is_refused_but_for_a_clock_that_is_a_little_ahead() {
        let ca = authority(1);
        // A list begins an hour before it is made.
        let list = List::read(der(&ca.crl(&[], NOW.plus_millis(3_600_000), NOW.plus_millis(DAY_MILLIS)).unwrap())).unwrap();
        assert_eq!(list.check_time(NOW.plus_millis(-SKEW_MILLIS)), Ok(()));
        assert_eq!(list.check_time(NOW.plus_millis(-SKEW_MILLIS - 1)), Err(ListFault::Future));
    }

    #[test]
    fn a_list_is_current_then_overdue_then_closed() {
        let ca = authority(1);
        let mut lists = Lists::default();
        assert!(added(&mut lists, &ca.crl(&[], NOW, NOW.plus_millis(DAY_MILLIS)).unwrap(), &ca).is_some());
        let state = |millis: i64| lists.statuses(2 * DAY_MILLIS, NOW.plus_millis(millis))[0].state;
        assert_eq!([state(0), state(DAY_MILLIS - 1)], [ListState::Current; 2]);
        assert_eq!([state(DAY_MILLIS), state(3 * DAY_MILLIS - 1)], [ListState::Overdue; 2]);
        assert_eq!([state(3 * DAY_MILLIS), state(900 * DAY_MILLIS)], [ListState::Closed; 2]);
        assert_eq!(lists.next_closing(2 * DAY_MILLIS, NOW), Some(NOW.plus_millis(3 * DAY_MILLIS)));
        assert_eq!(lists.statuses(0, NOW.plus_millis(DAY_MILLIS))[0].state, ListState::Closed, "without a grace it closes at once");
    }
}
