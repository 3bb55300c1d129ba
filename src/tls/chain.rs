//! Until when a chain holds: not only its client's certificate ends, each CA's that it was shown with does, too.

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::domain::time::Timestamp;

use super::revocation::is_signed_by;
use super::trust::shown_name;

/// A chain's verification takes no more certificates between a client's and an anchor.
const LINKS_MAX: usize = 6;

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
