//! Whose word counts for a revocation list: the configured CAs, each by its name and its key.
//!
//! An anchor (`client_ca_files`) vouches by itself. A CA below an anchor (`issuing_ca_files`) vouches while it is in date, no list in force revokes it
//! and its chain of configured CAs ends in an anchor; it lets nobody in. A list that none of them signed is not used: anybody could have made it.

use std::collections::BTreeSet;
use std::path::Path;

use rustls_pki_types::CertificateDer;

use crate::domain::time::Timestamp;

use super::config::TlsError;
use super::files::FileError;
use super::own;
use super::peer::sha256;
use super::revocation::{Lists, is_signed_by};
use super::trust::shown_name;
use super::verifier::ends;

/// SHA-256 of a CA's name, DER.
pub(super) type IssuerName = [u8; 32];
/// SHA-256 of a CA's SubjectPublicKeyInfo, DER.
pub(super) type CaKey = [u8; 32];

/// A CA that vouches.
#[derive(Debug, Clone)]
pub(super) struct Voucher {
    pub(super) name: IssuerName,
    pub(super) key: CaKey,
    /// SubjectPublicKeyInfo.
    pub(super) spki: Vec<u8>,
    /// It vouches before this: until it ends, or one between it and an anchor.
    pub(super) until: Timestamp,
    /// CN.
    pub(super) shown: String,
}

/// Every CA that vouches.
#[derive(Debug, Clone, Default)]
pub(super) struct Vouchers {
    all: Vec<Voucher>,
    idle: Vec<(usize, String)>,
}

/// What of a file that is in force is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unused {
    /// A list, by its issuer's CN, that no CA signed which vouches.
    List(String),
    /// A list, by its issuer's CN, that is older than one that was in force, with none beside it that is not.
    OldList(String),
    /// A CA, by its CN, that vouches for nothing.
    Authority(String),
}

impl Unused {
    pub(super) fn error(&self, file: &Path) -> TlsError {
        let file = file.to_owned();
        match self.clone() {
            Self::List(issuer) => TlsError::ListNotVouched { file, issuer },
            Self::OldList(issuer) => TlsError::OldList { file, issuer },
            Self::Authority(name) => TlsError::IdleAuthority { file, name },
        }
    }
}

/// The CA certificates that lists in force name, by the SHA-256 of their DER.
pub(super) type Revoked = BTreeSet<[u8; 32]>;

/// A CA certificate with its file and the file's place.
pub(super) type Placed<'a> = (usize, &'a Path, CertificateDer<'static>);

impl Vouchers {
    /// # Errors
    /// A certificate that cannot be read, which those that were taken can.
    pub(super) fn new(anchors: &[Placed<'_>], issuing: &[Placed<'_>], revoked: &Revoked, now: Timestamp) -> Result<Self, FileError> {
        let mut vouchers = Self::default();
        for (_, file, der) in anchors {
            let certificate = own::parsed(file, der)?;
            // Whom it lets in is asked for each chain, by time.
            vouchers.push(Voucher::of(&certificate, Timestamp::from_millis(i64::MAX)));
        }
        let mut waiting = Vec::new();
        for (place, file, der) in issuing {
            waiting.push((*place, own::parsed(file, der)?, der));
        }
        let seconds = now.millis().div_euclid(1000);
        let is_in_date = |validity: &x509_parser::certificate::Validity| {
            validity.not_before.timestamp() <= seconds && seconds <= validity.not_after.timestamp()
        };
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            waiting.retain(|(_, certificate, der)| {
                let name = sha256(certificate.issuer().as_raw());
                let signers = vouchers.named(&name).filter(|above| is_signed_by(der, &certificate.signature_value, &above.spki));
                let signers: Vec<_> = signers.map(|above| above.key).collect();
                let is_signed = is_in_date(certificate.validity()) && !revoked.contains(&sha256(der)) && !signers.is_empty();
                if is_signed {
                    let not_after = Timestamp::from_millis(certificate.validity().not_after.timestamp().saturating_mul(1000));
                    vouchers.push(Voucher::of(certificate, Timestamp::from_millis(i64::MIN)));
                    taken.push((name, signers, Voucher::of(certificate, ends(not_after))));
                }
                !is_signed
            });
            if taken.len() == before {
                break;
            }
        }
        while taken.iter().any(|(name, signers, ca)| {
            let above = vouchers.named(name).filter(|above| signers.contains(&above.key)).map(|above| above.until).max();
            vouchers.lasts(ca, above.map_or(ca.until, |above| above.min(ca.until)))
        }) {}
        vouchers.idle = waiting.into_iter().map(|(place, ca, _)| (place, shown_name(ca.subject()))).collect();
        Ok(vouchers)
    }

    #[cfg(test)]
    pub(super) fn of_test(cas: &[(IssuerName, CaKey)]) -> Self {
        let until = Timestamp::from_millis(i64::MAX);
        let voucher = |(name, key): &(IssuerName, CaKey)| Voucher { name: *name, key: *key, spki: Vec::new(), until, shown: String::new() };
        Self { all: cas.iter().map(voucher).collect(), idle: Vec::new() }
    }

    /// A renewed certificate of a CA may have the same name and key: that is one CA.
    fn push(&mut self, voucher: Voucher) {
        if !self.knows(&voucher.name, &voucher.key) {
            self.all.push(voucher);
        }
    }

    /// Of its certificates the one that lasts longest counts; whether `ca` lasts longer than was known.
    fn lasts(&mut self, ca: &Voucher, until: Timestamp) -> bool {
        let known = self.all.iter_mut().find(|known| known.name == ca.name && known.key == ca.key).filter(|known| known.until < until);
        known.map(|known| known.until = until).is_some()
    }

    /// Whether the CA of this name and key vouches at `now`.
    pub(super) fn vouches(&self, name: &IssuerName, key: &CaKey, now: Timestamp) -> bool {
        self.named(name).any(|voucher| voucher.key == *key && now < voucher.until)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Voucher> {
        self.all.iter()
    }

    /// Those of a name: several after a CA was renewed with a new key.
    pub(super) fn named(&self, name: &IssuerName) -> impl Iterator<Item = &Voucher> {
        self.all.iter().filter(move |voucher| voucher.name == *name)
    }

    pub(super) fn knows(&self, name: &IssuerName, key: &CaKey) -> bool {
        self.named(name).any(|voucher| voucher.key == *key)
    }

    /// Those of `issuing` that one of `lists` names, made by the CA that signed them. Whoever has the key of such a CA is not its holder.
    ///
    /// # Errors
    /// A certificate that cannot be read, which those that were taken can.
    pub(super) fn revoked(&self, lists: &Lists, issuing: &[Placed<'_>]) -> Result<Revoked, FileError> {
        let mut revoked = Revoked::new();
        for (_, file, der) in issuing {
            let certificate = own::parsed(file, der)?;
            let name = sha256(certificate.issuer().as_raw());
            let mut above = self.named(&name).filter(|above| is_signed_by(der, &certificate.signature_value, &above.spki));
            if above.any(|above| lists.revokes(&name, &above.key, certificate.raw_serial())) {
                revoked.insert(sha256(der));
            }
        }
        Ok(revoked)
    }

    /// The CAs of `issuing_ca_files` that vouch for nothing, by the place of their file.
    pub(super) fn idle(&self) -> impl Iterator<Item = (usize, Unused)> {
        self.idle.iter().map(|(place, name)| (*place, Unused::Authority(name.clone())))
    }
}

impl Voucher {
    fn of(certificate: &x509_parser::certificate::X509Certificate<'_>, until: Timestamp) -> Self {
        let spki = certificate.public_key().raw;
        Self {
            name: sha256(certificate.subject().as_raw()),
            key: sha256(spki),
            spki: spki.to_vec(),
            until,
            shown: shown_name(certificate.subject()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::domain::time::DAY_MILLIS;
    use crate::tls::issue::{AuthorityName, CertificateAuthority};

    #[test]
    fn a_ca_vouches_no_longer_than_those_above_it() {
        let (now, entropy) = (Timestamp::from_millis(1_780_000_000_000), SeededEntropy::new(5));
        let in_days = |days: i64| now.plus_millis(days * DAY_MILLIS);
        let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 2, now, &entropy).unwrap();
        let middle = root.subordinate(&AuthorityName::plain("Middle CA"), in_days(10), now, &entropy).unwrap();
        let low = middle.subordinate(&AuthorityName::plain("Low CA"), in_days(100), now, &entropy).unwrap();
        let placed = |ca: &CertificateAuthority| {
            let (_, section) = x509_parser::pem::parse_x509_pem(ca.certificate_pem().as_bytes()).unwrap();
            (0, Path::new("ca.pem"), CertificateDer::from(section.contents))
        };
        let vouchers = Vouchers::new(&[placed(&root)], &[placed(&low), placed(&middle)], &Revoked::new(), now).unwrap();
        let until = |shown: &str| vouchers.all().find(|voucher| voucher.shown == shown).unwrap().until;
        assert_eq!((until("Middle CA"), until("Low CA")), (ends(in_days(10)), ends(in_days(10))));
    }
}
