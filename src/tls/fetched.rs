//! Whether a revocation list that was fetched may take another's place in a file: most come over plain HTTP, so whoever answers may send any list.

use std::path::{Path, PathBuf};

use super::files::{self, FileError};
use super::own;
use super::peer::sha256;
use super::revocation::{List, SKEW_MILLIS};
use super::verifier::ends;
use super::vouchers::{CaKey, Placed, Revoked, Vouchers};
use crate::domain::time::Timestamp;

/// Why a list that was fetched is not put in the place of another.
#[derive(Debug, thiserror::Error)]
pub enum FetchedError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// No list that the gateway would read.
    #[error(
        "{}: no whole revocation list that can be read (a delta list, an indirect one or one of some reasons is none); fetch it anew from its issuer", .0.display()
    )]
    Malformed(PathBuf),
    /// A link whose file is gone: nothing tells which list is to be replaced.
    #[error("{}: a link that points at nothing; put back what it points at, or take the link away", .0.display())]
    Dangling(PathBuf),
    /// Several lists where one is fetched.
    #[error("{}: holds several revocation lists; a file that is fetched holds one, so give each list a file and an address of its own", .0.display())]
    Several(PathBuf),
    /// Anybody could have made it.
    #[error("{}: a revocation list of '{issuer}' that no CA of {} signed; look at the address", file.display(), cas.display())]
    NotSigned {
        /// The list.
        file: PathBuf,
        /// Whose it says it is.
        issuer: String,
        /// Where the CAs are.
        cas: PathBuf,
    },
    /// Of a time that has not come, or past its next update.
    #[error("{}: a revocation list of '{issuer}' that is not in date ({from} to {until}); look at the clock, then fetch it anew", file.display())]
    NotInDate {
        /// The list.
        file: PathBuf,
        /// Whose it is.
        issuer: String,
        /// When it was made.
        from: Timestamp,
        /// When the next one was promised.
        until: Timestamp,
    },
    /// Genuine, and another CA's.
    #[error("{}: a revocation list of '{issuer}', and {} holds that of '{held}'; look at the address", file.display(), against.display())]
    OtherIssuer {
        /// The list.
        file: PathBuf,
        /// Whose it is.
        issuer: String,
        /// What it is held against.
        against: PathBuf,
        /// Whose that is.
        held: String,
    },
    /// Of the same name and signed by another key.
    #[error(
        "{}: a revocation list that another key of '{issuer}' signed than that in {}; give each generation of a CA a file and an address of its own, or take the old one out of the CAs first", file.display(), against.display()
    )]
    OtherKey {
        /// The list.
        file: PathBuf,
        /// Whose it is.
        issuer: String,
        /// What it is held against.
        against: PathBuf,
    },
    /// Of another part of the same CA's certificates.
    #[error("{}: a revocation list of other certificates of '{issuer}' than that in {}; look at the address", file.display(), against.display())]
    OtherPart {
        /// The list.
        file: PathBuf,
        /// Whose it is.
        issuer: String,
        /// What it is held against.
        against: PathBuf,
    },
    /// Older by its time or its number.
    #[error("{}: a revocation list of '{issuer}' older, by its time or number, than that in {}, which may forget revocations; fetch it anew. If its CA has begun its numbers anew, take the old file away first", file.display(), against.display())]
    Older {
        /// The list.
        file: PathBuf,
        /// Whose it is.
        issuer: String,
        /// What it is held against.
        against: PathBuf,
    },
}

/// The one list of a file.
fn only(file: &Path) -> Result<List, FetchedError> {
    let mut ders = files::read_crls(file)?;
    match (ders.pop(), ders.is_empty()) {
        (Some(der), true) => List::read(der).map_err(|_| FetchedError::Malformed(file.to_owned())),
        _ => Err(FetchedError::Several(file.to_owned())),
    }
}

/// A list that may take another's place.
#[derive(Debug)]
pub struct Fit {
    /// CN of its issuer.
    pub issuer: String,
    /// Why what it replaces is no list any more: of a damaged file there is nothing to lose, and left alone it would close its CA.
    pub damage: Option<FetchedError>,
}

/// The list that is to be replaced, if there is one; what is no list the gateway would read is given as its damage.
fn held(against: &Path) -> Result<Result<Option<List>, FetchedError>, FetchedError> {
    let is_missing = |found: &std::io::Result<std::fs::Metadata>| found.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    let found = std::fs::metadata(against);
    if is_missing(&std::fs::symlink_metadata(against)) || found.as_ref().is_ok_and(|file| file.is_file() && file.len() == 0) {
        return Ok(Ok(None));
    }
    if is_missing(&found) {
        return Err(FetchedError::Dangling(against.to_owned()));
    }
    match only(against) {
        Ok(list) => Ok(Ok(Some(list))),
        Err(damage @ (FetchedError::Malformed(_) | FetchedError::File(FileError::Pem { .. } | FileError::TooLarge { .. }))) => {
            Ok(Err(damage))
        }
        Err(error) => Err(error),
    }
}

/// Whether the list in `new` may take the place of that in `against`, if there is one, at `now`. `cas` holds the CAs, PEM: each of them vouches, as who
/// wrote the file says so; which of them is an anchor, in date or revoked is the gateway's to ask.
///
/// # Errors
/// Why not.
pub fn check(cas: &Path, against: &Path, new: &Path, now: Timestamp) -> Result<Fit, FetchedError> {
    let ders = files::read_certificates(cas)?;
    let anchors: Vec<Placed<'_>> = ders.iter().map(|der| (0, cas, der.clone())).collect();
    let vouchers = Vouchers::new(&anchors, &[], &Revoked::new(), now)?;
    let list = only(new)?;
    let (file, issuer) = (new.to_owned(), list.issuer().to_owned());
    let Some(at) = list.vouched(&vouchers) else { return Err(FetchedError::NotSigned { file, issuer, cas: cas.to_owned() }) };
    let (from, until) = list.times();
    if now.plus_millis(SKEW_MILLIS) < from || until <= now.plus_millis(-SKEW_MILLIS) {
        return Err(FetchedError::NotInDate { file, issuer, from, until });
    }
    let held = match held(against)? {
        Ok(Some(held)) => held,
        Ok(None) => return Ok(Fit { issuer, damage: None }),
        Err(damage) => return Ok(Fit { issuer, damage: Some(damage) }),
    };
    let (against, fit) = (against.to_owned(), |issuer| Fit { issuer, damage: None });
    if held.name() != list.name() {
        return Err(FetchedError::OtherIssuer { file, issuer, against, held: held.issuer().to_owned() });
    }
    // One that none of the CAs signed, or whose CA has ended, is of a generation that is gone: nothing is lost with it.
    let Some(of_held) = held.vouched(&vouchers) else { return Ok(fit(issuer)) };
    if of_held.key != at.key {
        let has_ended = last_second(&anchors, &of_held.key)?.is_none_or(|last| ends(last) <= now);
        return if has_ended { Ok(fit(issuer)) } else { Err(FetchedError::OtherKey { file, issuer, against }) };
    }
    if of_held.scope != at.scope {
        return Err(FetchedError::OtherPart { file, issuer, against });
    }
    if list.mark().is_older_than(held.mark()) { Err(FetchedError::Older { file, issuer, against }) } else { Ok(fit(issuer)) }
}

/// The last second of the CA of this key.
fn last_second(cas: &[Placed<'_>], key: &CaKey) -> Result<Option<Timestamp>, FileError> {
    let mut last = None;
    for (_, file, der) in cas {
        let ca = own::parsed(file, der)?;
        if sha256(ca.public_key().raw) == *key {
            last = last.max(Some(Timestamp::from_millis(ca.validity().not_after.timestamp().saturating_mul(1000))));
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::domain::time::DAY_MILLIS;
    use crate::tls::issue::{AuthorityName, CertificateAuthority};

    const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn day(days: i64) -> Timestamp {
        NOW.plus_millis(days * DAY_MILLIS)
    }

    /// A folder with two CAs and their root, and the first one's list of two days ago with number 5.
    struct Shelf {
        dir: tempfile::TempDir,
        root: CertificateAuthority,
        own: CertificateAuthority,
        other: CertificateAuthority,
    }

    impl Shelf {
        fn new() -> Self {
            let entropy = SeededEntropy::new(1);
            let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, &entropy).unwrap();
            let below = |name| root.subordinate(&AuthorityName::plain(name), day(100), NOW, &entropy).unwrap();
            let (own, other) = (below("Issuing A"), below("Issuing B"));
            let shelf = Self { dir: tempfile::tempdir().unwrap(), root, own, other };
            shelf.put("cas.pem", [&shelf.root, &shelf.own, &shelf.other].map(CertificateAuthority::certificate_pem).concat());
            shelf.put("a.crl", shelf.list(&shelf.own, 5, -2));
            shelf
        }

        fn list(&self, ca: &CertificateAuthority, number: u64, made: i64) -> String {
            ca.numbered_crl(&[], number, day(made), day(made + 9)).unwrap()
        }

        fn put(&self, name: &str, text: impl AsRef<[u8]>) {
            files::write(&self.dir.path().join(name), text.as_ref(), 0o600).unwrap();
        }

        fn judge(&self, new: impl AsRef<[u8]>, now: Timestamp) -> Result<String, FetchedError> {
            self.judged(new, now).map(|fit| {
                assert!(fit.damage.is_none(), "{:?}", fit.damage);
                fit.issuer
            })
        }

        fn judged(&self, new: impl AsRef<[u8]>, now: Timestamp) -> Result<Fit, FetchedError> {
            self.put("new", new);
            let path = |name| self.dir.path().join(name);
            check(&path("cas.pem"), &path("a.crl"), &path("new"), now)
        }
    }

    #[test]
    fn a_newer_list_of_the_same_ca_takes_the_place_and_the_first_one_needs_its_ca_only() {
        let shelf = Shelf::new();
        for list in [shelf.list(&shelf.own, 5, -2), shelf.list(&shelf.own, 6, -1), shelf.list(&shelf.own, 6, 0)] {
            assert_eq!(shelf.judge(list, NOW).unwrap(), "Issuing A");
        }
        shelf.put("a.crl", "");
        assert_eq!(shelf.judge(shelf.list(&shelf.own, 1, -1), NOW).unwrap(), "Issuing A");
        std::fs::remove_file(shelf.dir.path().join("a.crl")).unwrap();
        assert_eq!(shelf.judge(shelf.list(&shelf.own, 1, -1), NOW).unwrap(), "Issuing A");
    }

    #[test]
    fn whatever_else_answers_takes_no_list_away() {
        use FetchedError as E;
        let shelf = Shelf::new();
        let forger = CertificateAuthority::new("Issuing A", NOW, &SeededEntropy::new(9)).unwrap();
        let part = shelf.own.part_crl(&[], 6, "http://crl.example/1", day(-1), day(9)).unwrap();
        let both = [shelf.list(&shelf.own, 6, -1), shelf.list(&shelf.own, 7, -1)].concat();
        assert!(matches!(shelf.judge("an error page", NOW), Err(E::File(FileError::Pem { .. }))));
        assert!(matches!(shelf.judge([0x30, 0x82, 1, 1], NOW), Err(E::Malformed(_))));
        assert!(matches!(shelf.judge(both, NOW), Err(E::Several(_))));
        assert!(matches!(shelf.judge(shelf.list(&forger, 6, -1), NOW), Err(E::NotSigned { .. })));
        for other in [&shelf.root, &shelf.other] {
            let error = shelf.judge(shelf.list(other, 9, -1), NOW).unwrap_err();
            assert!(matches!(&error, E::OtherIssuer { held, .. } if held == "Issuing A"), "{error}");
        }
        assert!(matches!(shelf.judge(part, NOW), Err(E::OtherPart { .. })));
        // Older by time, by number at a later time, and by number within one second.
        for (number, made) in [(6, -3), (4, -1), (4, -2)] {
            assert!(matches!(shelf.judge(shelf.list(&shelf.own, number, made), NOW), Err(E::Older { .. })), "{number} {made}");
        }
        // A list begins an hour before it is made.
        let begins = day(1).plus_millis(-60 * 60 * 1000);
        for (now, is_taken) in [
            (begins.plus_millis(-SKEW_MILLIS - 1), false),
            (begins.plus_millis(-SKEW_MILLIS), true),
            (day(10).plus_millis(SKEW_MILLIS - 1), true),
            (day(10).plus_millis(SKEW_MILLIS), false),
        ] {
            let judged = shelf.judge(shelf.list(&shelf.own, 6, 1), now);
            assert!(if is_taken { judged.is_ok() } else { matches!(judged, Err(E::NotInDate { .. })) }, "{now}");
        }
    }

    #[test]
    fn a_file_of_several_lists_and_what_is_no_file_are_left_alone() {
        let shelf = Shelf::new();
        let (new, file) = (shelf.list(&shelf.own, 6, -1), shelf.dir.path().join("a.crl"));
        shelf.put("a.crl", [shelf.list(&shelf.own, 5, -2), shelf.list(&shelf.other, 5, -2)].concat());
        assert!(matches!(shelf.judge(&new, NOW), Err(FetchedError::Several(several)) if several == file));
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(matches!(shelf.judge(&new, NOW), Err(FetchedError::File(FileError::NotARegularFile { .. }))));
        std::fs::remove_dir(&file).unwrap();
        for points_at in ["/dev/null", "/dev/zero"] {
            std::os::unix::fs::symlink(points_at, &file).unwrap();
            assert!(matches!(shelf.judge(&new, NOW), Err(FetchedError::File(FileError::NotARegularFile { .. }))), "{points_at}");
            std::fs::remove_file(&file).unwrap();
        }
        std::os::unix::fs::symlink("gone.crl", &file).unwrap();
        assert!(matches!(shelf.judge(&new, NOW), Err(FetchedError::Dangling(link)) if link == file));
        shelf.put("gone.crl", shelf.list(&shelf.own, 7, 0));
        assert!(matches!(shelf.judge(&new, NOW), Err(FetchedError::Older { .. })), "what a link points at is what is held");
    }

    #[test]
    fn a_damaged_file_is_replaced_by_a_sound_list_only_and_told() {
        let shelf = Shelf::new();
        let (old, new) = (shelf.list(&shelf.own, 5, -2), shelf.list(&shelf.own, 6, -1));
        let damaged =
            [old.replace("-----BEGIN", "-----begin"), "notes".to_owned(), old[..old.len() / 2].to_owned(), old.replacen("MI", "AA", 1)];
        for text in damaged {
            shelf.put("a.crl", &text);
            let Fit { issuer, damage } = shelf.judged(&new, NOW).unwrap();
            let damage = damage.expect("it is told").to_string();
            assert!(issuer == "Issuing A" && damage.starts_with(&shelf.dir.path().join("a.crl").display().to_string()), "{damage}");
            assert!(shelf.judged("an error page", NOW).is_err() && shelf.judged(&text, NOW).is_err());
            let forger = CertificateAuthority::new("Issuing A", NOW, &SeededEntropy::new(9)).unwrap();
            assert!(matches!(shelf.judged(shelf.list(&forger, 6, -1), NOW), Err(FetchedError::NotSigned { .. })));
        }
    }

    #[test]
    fn another_generation_takes_the_place_when_the_one_before_is_gone() {
        let shelf = Shelf::new();
        let entropy = SeededEntropy::new(2);
        let next = shelf.root.subordinate(&AuthorityName::plain("Issuing A"), day(900), NOW, &entropy).unwrap();
        let list = next.numbered_crl(&[], 1, day(-1), day(300)).unwrap();
        let cas = |all: &[&CertificateAuthority]| shelf.put("cas.pem", all.iter().map(|ca| ca.certificate_pem()).collect::<String>());
        cas(&[&shelf.root, &shelf.own, &next]);
        assert!(matches!(shelf.judge(&list, NOW), Err(FetchedError::OtherKey { .. })));
        assert!(shelf.judge(&list, day(101)).is_ok(), "it has ended");
        cas(&[&shelf.root, &next]);
        assert!(shelf.judge(&list, NOW).is_ok(), "it was taken out");
    }
}
