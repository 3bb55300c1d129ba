//! Until when certificates hold: what is read from files, what was seen of participants, and when an operator is to be told.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use parking_lot::Mutex;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use crate::domain::id::ParticipantId;
use crate::domain::participant::{KeyHash, Register};
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::policy::permit::Caller;

use super::chain::Link;
use super::files::{self, FileError};
use super::trust::shown_name;
use super::verifier::ends;

/// Keys whose certificates are remembered; no register has more.
const SEEN_MAX: usize = 16_384;

fn seconds(at: x509_parser::time::ASN1Time) -> Timestamp {
    Timestamp::from_millis(at.timestamp().saturating_mul(1000))
}

/// Whose a certificate is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// The gateway's own, on both listeners.
    Gateway,
    /// A certificate that the gateway sends along with its own, by its CN.
    GatewayChain(String),
    /// A CA of participants' certificates, by its CN.
    ClientCa(String),
    /// A CA of witnesses' addresses, by its CN.
    WitnessCa(String),
    /// A participant's, under the label of its key; with the earliest end of its chain.
    Participant(ParticipantId, String),
    /// A CA that participants show above their certificates, by its CN.
    IssuingCa(String),
}

impl Holder {
    /// The kind as a word, for logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::GatewayChain(_) => "gateway_chain",
            Self::ClientCa(_) => "client_ca",
            Self::WitnessCa(_) => "witness_ca",
            Self::Participant(..) => "participant",
            Self::IssuingCa(_) => "issuing_ca",
        }
    }

    /// The name within its kind; none for the gateway's own.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Gateway => "",
            Self::GatewayChain(name) | Self::ClientCa(name) | Self::WitnessCa(name) | Self::IssuingCa(name) => name,
            Self::Participant(id, _) => id.as_str(),
        }
    }

    /// The label of a participant's key.
    #[must_use]
    pub fn key_label(&self) -> Option<&str> {
        match self {
            Self::Participant(_, label) => Some(label),
            _ => None,
        }
    }
}

/// A certificate and its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// Whose.
    pub holder: Holder,
    /// The last second in which it is valid.
    pub not_after: Timestamp,
}

/// How near the end of a certificate is. Each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// 60 days or fewer are left.
    Days60,
    /// 30 days or fewer.
    Days30,
    /// 7 days or fewer.
    Days7,
    /// It has ended.
    Ended,
}

impl Nearness {
    /// How near `not_after` is at `now`; none while more than 60 days are left.
    #[must_use]
    pub fn of(not_after: Timestamp, now: Timestamp) -> Option<Self> {
        let left = not_after.plus_millis(1000).millis().saturating_sub(now.millis());
        match left {
            i64::MIN..=0 => Some(Self::Ended),
            _ if left <= 7 * DAY_MILLIS => Some(Self::Days7),
            _ if left <= 30 * DAY_MILLIS => Some(Self::Days30),
            _ if left <= 60 * DAY_MILLIS => Some(Self::Days60),
            _ => None,
        }
    }
}

/// What was told already, so that each certificate is spoken of once for each nearness.
#[derive(Debug, Default)]
pub struct Told(HashMap<Certificate, Nearness>);

impl Told {
    /// The certificates of `all` that have come nearer to their end than they were last time. What is not in `all` is forgotten; so is what was
    /// told by a clock that was ahead, so that it is told again when its time comes.
    pub fn due(&mut self, all: &[Certificate], now: Timestamp) -> Vec<(Certificate, Nearness)> {
        let mut due = Vec::new();
        let mut told = HashMap::with_capacity(self.0.len());
        for certificate in all {
            let Some(nearness) = Nearness::of(certificate.not_after, now) else { continue };
            // The same certificate may be named twice.
            let is_named = told.insert(certificate.clone(), nearness).is_some();
            if !is_named && self.0.get(certificate).is_none_or(|before| *before < nearness) {
                due.push((certificate.clone(), nearness));
            }
        }
        self.0 = told;
        due
    }
}

#[derive(Debug, Clone)]
struct Shown {
    id: ParticipantId,
    label: String,
    not_after: Timestamp,
    links: Vec<Link>,
}

/// Participants' chains that have called since the start, one for each enrolled key: the one that ends first, until it has ended. Several systems
/// of a participant may show several, and a renewed certificate an intermediate that ends sooner. The register enrols keys, so a certificate is
/// known once it is shown.
#[derive(Debug, Default)]
pub struct Seen(Mutex<HashMap<KeyHash, Shown>>);

impl Seen {
    /// Notes the chain with which `caller` calls at `now`: its earliest end, and the CAs in it.
    pub(super) fn note(&self, caller: &Caller, not_after: Timestamp, links: &[Link], now: Timestamp) {
        let mut seen = self.0.lock();
        if let Some(shown) = seen.get_mut(&caller.key) {
            if not_after < shown.not_after || ends(shown.not_after) <= now {
                (shown.not_after, shown.links) = (not_after, links.to_vec());
            }
        } else if seen.len() < SEEN_MAX {
            seen.insert(caller.key, Shown { id: caller.id().clone(), label: caller.key_label.clone(), not_after, links: links.to_vec() });
        }
    }

    /// Keeps those whose key `register` enrols, under the names that it gives them.
    pub(super) fn keep(&self, register: &Register) {
        self.0.lock().retain(|hash, shown| match register.by_key(hash) {
            Some((participant, key)) => {
                shown.id.clone_from(&participant.id);
                shown.label.clone_from(&key.label);
                true
            }
            None => false,
        });
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<Certificate> {
        let shown = self.0.lock().values().cloned().collect::<Vec<_>>();
        let mut cas: BTreeMap<String, Timestamp> = BTreeMap::new();
        for Link { name, not_after } in shown.iter().flat_map(|shown| &shown.links) {
            // Of a CA that was renewed under its name, the one that somebody still shows counts.
            let first = cas.entry(name.clone()).or_insert(*not_after);
            *first = (*first).min(*not_after);
        }
        let certificate = |Shown { id, label, not_after, .. }| Certificate { holder: Holder::Participant(id, label), not_after };
        let mut all: Vec<Certificate> = shown.into_iter().map(certificate).collect();
        all.extend(cas.into_iter().map(|(name, not_after)| Certificate { holder: Holder::IssuingCa(name), not_after }));
        all.sort_by(|one, two| one.holder.cmp(&two.holder));
        all
    }
}

/// Each certificate of a PEM file, in the file's order: its CN and its last second.
///
/// # Errors
/// The file cannot be read, or one of its certificates is broken.
pub fn certificates(path: &Path) -> Result<Vec<(String, Timestamp)>, FileError> {
    let broken = || FileError::Pem { path: path.to_owned(), section: "CERTIFICATE" };
    let read = |der: &[u8]| {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| broken())?;
        let name = shown_name(certificate.subject());
        Ok((name, seconds(certificate.validity().not_after)))
    };
    files::read_certificates(path)?.iter().map(|der| read(der)).collect()
}

/// When each revocation list of a file is due for renewal; a list may leave that open.
///
/// # Errors
/// The file cannot be read, or one of its lists is broken.
pub fn revocation_lists(path: &Path) -> Result<Vec<Option<Timestamp>>, FileError> {
    let broken = || FileError::Pem { path: path.to_owned(), section: "X509 CRL" };
    let read = |der: &[u8]| CertificateRevocationList::from_der(der).map(|(_, list)| list.next_update().map(seconds));
    files::read_crls(path)?.iter().map(|der| read(der).map_err(|_| broken())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn at(days: i64) -> Timestamp {
        END.plus_millis(1000 - days * DAY_MILLIS)
    }

    fn certificate(name: &str) -> Certificate {
        Certificate { holder: Holder::ClientCa(name.to_owned()), not_after: END }
    }

    #[test]
    fn nearness_begins_with_the_sixtieth_thirtieth_and_seventh_day() {
        use Nearness::{Days7, Days30, Days60, Ended};
        let steps =
            [(61, None), (60, Some(Days60)), (31, Some(Days60)), (30, Some(Days30)), (8, Some(Days30)), (7, Some(Days7)), (1, Some(Days7))];
        for (days, wanted) in steps.into_iter().chain([(0, Some(Ended)), (-400, Some(Ended))]) {
            assert_eq!(Nearness::of(END, at(days)), wanted, "{days}");
        }
        assert_eq!(Nearness::of(END, at(60).plus_millis(-1)), None);
        assert_eq!(Nearness::of(END, END.plus_millis(999)), Some(Days7), "the last second is a valid one");
    }

    #[test]
    fn each_threshold_is_told_once_and_after_a_restart_once_more() {
        let all = [certificate("A"), certificate("A"), certificate("B")];
        let mut told = Told::default();
        let mut said = Vec::new();
        for day in (-3..=70).rev() {
            // Several rounds a day.
            for _ in 0..3 {
                said.extend(
                    told.due(&all, at(day))
                        .into_iter()
                        .map(|(certificate, nearness)| (day, certificate.holder.name().to_owned(), nearness)),
                );
            }
        }
        let wanted = [(60, Nearness::Days60), (30, Nearness::Days30), (7, Nearness::Days7), (0, Nearness::Ended)];
        let wanted: Vec<_> =
            wanted.into_iter().flat_map(|(day, nearness)| ["A", "B"].map(|name| (day, name.to_owned(), nearness))).collect();
        assert_eq!(said, wanted);
        let mut after_restart = Told::default();
        let again: Vec<_> = (0..3).flat_map(|_| after_restart.due(&all[1..], at(20))).map(|(_, nearness)| nearness).collect();
        assert_eq!(again, [Nearness::Days30; 2], "the nearest threshold only, once for each");
    }

    #[test]
    fn what_was_told_by_a_clock_that_was_ahead_is_told_again_in_its_time() {
        let mut told = Told::default();
        let mut said = |day| told.due(&[certificate("A")], at(day)).into_iter().map(|(_, nearness)| nearness).collect::<Vec<_>>();
        assert_eq!(said(40), [Nearness::Days60]);
        assert_eq!(said(-365), [Nearness::Ended]);
        assert!(said(40).is_empty(), "it was nearer a moment ago");
        assert_eq!([30, 7, 0].map(&mut said), [[Nearness::Days30], [Nearness::Days7], [Nearness::Ended]]);
    }

    #[test]
    fn a_renewed_certificate_is_spoken_of_again_only_when_its_own_end_is_near() {
        let mut told = Told::default();
        assert_eq!(told.due(&[certificate("A")], at(5)).len(), 1);
        let renewed = Certificate { not_after: END.plus_millis(365 * DAY_MILLIS), ..certificate("A") };
        assert!(told.due(std::slice::from_ref(&renewed), at(5)).is_empty());
        assert!(told.0.is_empty(), "and what is gone is forgotten");
        assert_eq!(told.due(&[renewed], at(5 - 365)).len(), 1);
    }

    #[test]
    fn seen_certificates_are_one_for_each_enrolled_key() {
        let hash = |byte| KeyHash::from_bytes([byte; 32]);
        let register = |keys: &[u8]| {
            let keys: Vec<_> = keys
                .iter()
                .map(|byte| serde_json::json!({"hash": hash(*byte), "label": format!("k{byte}"), "operated_by": null}))
                .collect();
            let lab =
                serde_json::json!({"id": "lab", "name": "Lab", "role": "laboratory", "organisation_number": "811111112", "keys": keys});
            Register::new(1, vec![serde_json::from_value(lab).unwrap()], &|_| true).unwrap()
        };
        let both = register(&[1, 2]);
        let caller = |byte| {
            let (participant, key) = both.by_key(&hash(byte)).unwrap();
            Caller { participant: participant.clone(), key: key.hash, key_label: key.label.clone() }
        };
        let seen = Seen::default();
        let link = |name: &str, days: i64| Link { name: name.to_owned(), not_after: END.plus_millis(days * DAY_MILLIS) };
        let day = |days: i64| END.plus_millis(days * DAY_MILLIS);
        // One that ends sooner counts, whatever else the key shows, until it has ended.
        seen.note(&caller(1), day(5), &[link("Long CA", 9)], day(-30));
        seen.note(&caller(1), END, &[link("Old CA", 0)], day(-30));
        seen.note(&caller(1), day(5), &[link("Long CA", 9)], END);
        assert_eq!(seen.all().iter().map(|one| one.not_after).collect::<Vec<_>>(), [END; 2]);
        seen.note(&caller(1), day(1), &[link("CA", 9)], END.plus_millis(1000));
        seen.note(&caller(2), END, &[link("CA", 7), link("Upper CA", 99)], END);
        let key = |label: &str| Holder::Participant("lab".parse().unwrap(), label.to_owned());
        let ca = |name: &str| Holder::IssuingCa(name.to_owned());
        let all =
            || seen.all().into_iter().map(|one| (one.holder, (one.not_after.millis() - END.millis()) / DAY_MILLIS)).collect::<Vec<_>>();
        assert_eq!(all(), [(key("k1"), 1), (key("k2"), 0), (ca("CA"), 7), (ca("Upper CA"), 99)]);
        seen.keep(&register(&[1]));
        assert_eq!(all(), [(key("k1"), 1), (ca("CA"), 9)], "the CAs of a key that is gone are forgotten with it");
    }
}
