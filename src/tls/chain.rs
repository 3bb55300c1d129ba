//! What a client shows: how much of it is looked at, and until when it holds. Not only its own certificate ends, each CA's that it was shown with
//! does, too.

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::domain::time::Timestamp;

use super::connection::HandshakeReason;
use super::revocation::is_signed_by;
use super::trust::shown_name;

/// A chain's verification takes no more certificates between a client's and an anchor.
const LINKS_MAX: usize = 6;

/// The most certificates that a client may show, its own among them: one more than a chain can use, for the root that many send along.
const SHOWN_MAX: usize = 2 + LINKS_MAX;
/// Of these the bytes together.
const SHOWN_BYTES_MAX: usize = 32 * 1024;
/// The most places at which a search for a chain may look for a CA.
const PLACES_MAX: usize = SHOWN_MAX;

/// The certificates that a client shows, its own first, if judging them costs little.
///
/// A chain's verification tries every way up that the names allow, and at each place on it every configured CA of the name, which costs a signature.
/// CAs' names are no secret, and anybody can make certificates in them: so ways are counted by names before any signature is looked at.
///
/// # Errors
/// [`HandshakeReason::ChainTooLong`], or a certificate that cannot be read.
pub(super) fn shown<'a>(
    leaf: &'a CertificateDer<'_>,
    others: &'a [CertificateDer<'_>],
) -> Result<Vec<X509Certificate<'a>>, HandshakeReason> {
    let ders = || std::iter::once(leaf).chain(others);
    if others.len() >= SHOWN_MAX || ders().map(|der| der.len()).sum::<usize>() > SHOWN_BYTES_MAX {
        return Err(HandshakeReason::ChainTooLong);
    }
    let read = |der: &'a CertificateDer<'_>| X509Certificate::from_der(der.as_ref()).map(|(_, certificate)| certificate);
    let shown: Vec<_> = ders().map(read).collect::<Result<_, _>>().map_err(|_| HandshakeReason::Other)?;
    let mut left = PLACES_MAX;
    if climbs(&shown, &mut vec![0], &mut left) { Ok(shown) } else { Err(HandshakeReason::ChainTooLong) }
}

/// Takes each place from `way` up, which goes from a client's certificate over those that bear its issuer's name and so on, from `left`; false if
/// there are more.
fn climbs(shown: &[X509Certificate<'_>], way: &mut Vec<usize>, left: &mut usize) -> bool {
    let (Some(fewer), Some(last)) = (left.checked_sub(1), way.last().and_then(|last| shown.get(*last))) else { return false };
    *left = fewer;
    for (above, ca) in shown.iter().enumerate().skip(1) {
        if ca.subject().as_raw() == last.issuer().as_raw() && !way.contains(&above) {
            way.push(above);
            if !climbs(shown, way, left) {
                return false;
            }
            way.pop();
        }
    }
    true
}

/// The certificate of a CA above a client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its CN.
    pub name: String,
    /// The last second in which it is valid.
    pub not_after: Timestamp,
}

/// The CAs between the client's certificate, which comes first, and the root, as far as they were shown. Each has signed the one before it, so what
/// a client sends along without need is none; a root that signed itself is the configuration's.
pub(super) fn links(chain: &[CertificateDer<'_>]) -> Vec<Link> {
    let read = |der| X509Certificate::from_der(der).map(|(_, certificate)| (der, certificate)).ok();
    let all: Vec<_> = chain.iter().map_while(|der| read(der.as_ref())).collect();
    let Some((leaf, others)) = all.split_first() else { return Vec::new() };
    let (mut links, mut last) = (Vec::new(), leaf);
    while links.len() < LINKS_MAX {
        let (der, below) = last;
        let issued = |(_, ca): &&(&[u8], X509Certificate<'_>)| {
            ca.subject().as_raw() == below.issuer().as_raw()
                && ca.subject().as_raw() != ca.issuer().as_raw()
                && is_signed_by(der, &below.signature_value, ca.public_key().raw)
        };
        let Some(next) = others.iter().find(issued) else { break };
        let not_after = Timestamp::from_millis(next.1.validity().not_after.timestamp().saturating_mul(1000));
        links.push(Link { name: shown_name(next.1.subject()), not_after });
        last = next;
    }
    links
}

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use super::{CertificateDer, LINKS_MAX, SHOWN_MAX, links, shown};

    /// What a stranger shows: certificates in DER, each behind its length in two bytes.
    pub fn chain(data: &[u8]) {
        let (mut ders, mut rest) = (Vec::new(), data);
        while let Some((len, after)) = rest.split_first_chunk::<2>() {
            let (der, after) = after.split_at(usize::from(u16::from_be_bytes(*len)).min(after.len()));
            ders.push(CertificateDer::from(der));
            rest = after;
        }
        let Some((leaf, others)) = ders.split_first() else { return };
        if let Ok(shown) = shown(leaf, others) {
            assert!(shown.len() == ders.len() && shown.len() <= SHOWN_MAX, "all are shown, or none");
        }
        assert!(links(&ders).len() <= LINKS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::domain::time::DAY_MILLIS;
    use crate::tls::issue::{AuthorityName, CertificateAuthority, Leaf};

    const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn day(days: i64) -> Timestamp {
        NOW.plus_millis(days * DAY_MILLIS)
    }

    fn der(authority: &CertificateAuthority) -> CertificateDer<'static> {
        use rustls_pki_types::pem::PemObject as _;
        CertificateDer::from_pem_slice(authority.certificate_pem().as_bytes()).unwrap()
    }

    /// A CA's certificate with a key of its own.
    fn ca(name: &str, issuer: &str, seed: u64) -> CertificateDer<'static> {
        let entropy = SeededEntropy::new(seed);
        let above = CertificateAuthority::root(&AuthorityName::plain(issuer), 1, NOW, &entropy).unwrap();
        if name == issuer { der(&above) } else { der(&above.subordinate(&AuthorityName::plain(name), day(9), NOW, &entropy).unwrap()) }
    }

    #[test]
    fn what_a_chain_needs_is_looked_at() {
        // Six CAs one above the other, and the root.
        let line: Vec<_> = (0..6).map(|n| ca(&format!("CA {n}"), &format!("CA {}", n + 1), n)).chain([ca("CA 6", "CA 6", 9)]).collect();
        let leaf = ca("x", "CA 0", 20);
        assert_eq!(shown(&leaf, &line).map(|shown| shown.len()), Ok(8));
        assert_eq!(shown(&leaf, &line[..1]).map(|shown| shown.len()), Ok(2));
        assert_eq!(shown(&leaf, &[]).map(|shown| shown.len()), Ok(1));
        // Both generations of an issuing CA with their root, or with the root twice, in any order.
        let (one, two, root) = (ca("CA 0", "CA 6", 1), ca("CA 0", "CA 6", 2), line[6].clone());
        for others in [[&one, &two, &root], [&root, &two, &one], [&one, &root, &root]] {
            assert_eq!(shown(&leaf, &others.map(Clone::clone)).map(|shown| shown.len()), Ok(4));
        }
    }

    #[test]
    fn what_would_cost_much_is_refused_before_it_is_verified() {
        let why = |leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]| shown(leaf, others).map(|shown| shown.len());
        let leaf = ca("x", "CA 0", 20);
        // One certificate more, although each is junk that leads nowhere.
        let junk: Vec<_> = (0..8).map(|n| ca(&format!("Junk {n}"), "Junk", n)).collect();
        assert_eq!(why(&leaf, &junk[..7]), Ok(8));
        assert_eq!(why(&leaf, &junk), Err(HandshakeReason::ChainTooLong));
        // Three of one name that all name each other: sixteen places.
        let same: Vec<_> = (0..7).map(|n| ca("CA 0", "CA 0", n)).collect();
        assert_eq!(why(&leaf, &same[..2]), Ok(3));
        for count in 3..=7 {
            assert_eq!(why(&leaf, &same[..count]), Err(HandshakeReason::ChainTooLong), "{count}");
        }
        // Two of each name: the ways double with each.
        let two: Vec<_> = (0..6).map(|n| ca(&format!("CA {}", n / 2), &format!("CA {}", n / 2 + 1), n)).collect();
        assert_eq!(why(&leaf, &two[..4]), Ok(5));
        assert_eq!(why(&leaf, &two), Err(HandshakeReason::ChainTooLong));
        // Bytes, be they a certificate or not.
        let large = CertificateDer::from(vec![0; SHOWN_BYTES_MAX]);
        assert_eq!(why(&leaf, &[large]), Err(HandshakeReason::ChainTooLong));
        assert_eq!(why(&leaf, &[CertificateDer::from(vec![0; 9])]), Err(HandshakeReason::Other), "what cannot be read");
    }

    #[test]
    fn only_cas_that_signed_their_way_up_are_links_whatever_is_sent_along() {
        let entropy = SeededEntropy::new(1);
        let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, &entropy).unwrap();
        let issuing = |days| root.subordinate(&AuthorityName::plain("Issuing CA"), day(days), NOW, &entropy).unwrap();
        // A namesake that ends sooner, as a client may send it to look near its end, or a renewed CA beside the old one.
        let (own, namesake) = (issuing(90), issuing(3));
        let other = root.subordinate(&AuthorityName::plain("Other CA"), day(1), NOW, &entropy).unwrap();
        let issued = own.issue(&Leaf::client("x", "800000017".parse().unwrap(), NOW), &entropy).unwrap();
        let leaf = CertificateDer::from(issued.certificate_der().to_vec());
        let wanted = [Link { name: "Issuing CA".to_owned(), not_after: day(90) }];
        assert_eq!(links(&[leaf.clone(), der(&own)]), wanted);
        assert_eq!(links(&[leaf.clone(), der(&root), der(&namesake), der(&other), der(&own)]), wanted);
        assert_eq!(links(&[leaf.clone(), der(&namesake), der(&root)]), []);
        assert_eq!(links(std::slice::from_ref(&leaf)), []);
        assert_eq!(links(&[leaf, CertificateDer::from(vec![0; 9]), der(&own)]), [], "what cannot be read ends the search");
        assert_eq!(links(&[]), []);
    }
}
