//! Files that are read anew each for itself: a bad one holds back no other, and what does not fit yet waits for what it needs.

use super::life::day;
use super::*;
use crate::audit::reload::ReloadFault as Fault;

fn put(bench: &Bench, file: &str, text: &str) -> PathBuf {
    let path = bench.path(file);
    files::write(&path, text.as_bytes(), 0o600).unwrap();
    path
}

/// What a reload does: whether anything came into force, and which files did not, why.
fn reload(settings: &TlsSettings) -> (bool, Vec<(String, Fault)>) {
    let taken = settings.reload();
    let name = |place| settings.files().all().nth(place).unwrap().1.file_name().unwrap().to_string_lossy().into_owned();
    assert!(taken.refused.iter().all(|refused| !taken.good.contains(&refused.place)));
    (taken.changed.is_some(), taken.refused.iter().map(|refused| (name(refused.place), refused.error.fault())).collect())
}

/// A gateway with two CAs in a file each and a list of each.
struct Two {
    bench: Bench,
    other: CertificateAuthority,
    settings: TlsSettings,
}

impl Two {
    fn new() -> Self {
        let bench = Bench::new();
        let other = CertificateAuthority::new("Other CA", NOW, &bench.entropy).unwrap();
        let (one, two) = (bench.path("ca.pem"), put(&bench, "other.pem", other.certificate_pem()));
        let lists = vec![
            put(&bench, "crl.pem", &bench.authority.crl(&[], NOW, day(9)).unwrap()),
            put(&bench, "other.crl.pem", &other.crl(&[], NOW, day(9)).unwrap()),
        ];
        let files = TlsFiles { client_ca_files: vec![one, two], ..bench.files(lists) };
        let settings = TlsSettings::load(files, bench.clock.clone()).unwrap();
        Self { bench, other, settings }
    }

    fn judge(&self, issued: &Issued) -> Result<(), HandshakeReason> {
        self.settings.judge(&[issued.certificate_der()], NOW)
    }

    /// A list of the first CA that names `issued`.
    fn revoke(&self, issued: &Issued, at: Timestamp) {
        put(&self.bench, "crl.pem", &self.bench.authority.crl(&[issued], at, day(9)).unwrap());
    }
}

#[test]
fn a_good_list_comes_into_force_whatever_is_wrong_with_the_files_beside_it() {
    let garbage = "-----BEGIN X\n";
    // Each file beside the list in turn, and all of them at once.
    for bad in
        [&["gateway.pem"][..], &["gateway.key.pem"], &["other.pem"], &["other.crl.pem"], &["gateway.pem", "other.pem", "other.crl.pem"]]
    {
        let two = Two::new();
        let (issued, foreign) = (two.bench.issue(&two.bench.leaf()), two.other.issue(&two.bench.leaf(), &two.bench.entropy).unwrap());
        bad.iter().for_each(|name| drop(put(&two.bench, name, garbage)));
        two.revoke(&issued, NOW.plus_millis(1000));
        assert_eq!(two.judge(&issued), Ok(()));
        let (changed, refused) = reload(&two.settings);
        assert!(changed);
        assert_eq!(two.judge(&issued), Err(HandshakeReason::Revoked), "{bad:?}");
        assert_eq!(two.judge(&foreign), Ok(()), "and what is bad keeps its old content: {bad:?}");
        let mut named: Vec<_> = refused.iter().map(|(name, fault)| (name.as_str(), *fault)).collect();
        named.sort_unstable();
        let mut wanted: Vec<_> = bad.iter().map(|name| (*name, Fault::Malformed)).collect();
        wanted.sort_unstable();
        assert_eq!(named, wanted);
    }
}

#[test]
fn a_file_that_is_not_in_force_is_told_until_what_is_on_disk_is() {
    for name in ["gateway.pem", "gateway.key.pem", "other.pem", "other.crl.pem"] {
        let two = Two::new();
        let good = fs::read_to_string(two.bench.path(name)).unwrap();
        assert!(two.settings.all_in_force() && two.settings.warnings(NOW).is_empty());
        put(&two.bench, name, "-----BEGIN X\n");
        reload(&two.settings);
        // A look at other files changes nothing of it.
        two.settings.take(vec![]);
        let told = two.settings.warnings(NOW);
        assert_eq!((told.len(), two.settings.all_in_force()), (1, false), "{told:?}");
        assert!(
            told[0].starts_with(&format!("not in force since {NOW}, and a start would refuse it or go without what it lacks: "))
                && told[0].contains(name),
            "{told:?}"
        );
        assert!(TlsSettings::load(two.settings.files().clone(), two.bench.clock.clone()).is_err(), "as it says");
        put(&two.bench, name, &good);
        reload(&two.settings);
        assert!(two.settings.all_in_force() && two.settings.warnings(NOW).is_empty(), "{name}");
    }
}

#[test]
fn of_two_bad_lists_each_is_named_and_a_list_that_is_wrong_only_beside_others_is_the_one_that_waits() {
    let two = Two::new();
    let issued = two.bench.issue(&two.bench.leaf());
    let namesake = CertificateAuthority::new("Other CA", NOW, &two.bench.entropy).unwrap();
    put(&two.bench, "other.crl.pem", &namesake.crl(&[], NOW.plus_millis(1000), day(9)).unwrap());
    two.revoke(&issued, NOW.plus_millis(1000));
    assert_eq!(reload(&two.settings), (true, vec![("other.crl.pem".to_owned(), Fault::NotSigned)]));
    assert_eq!(two.judge(&issued), Err(HandshakeReason::Revoked));
    put(&two.bench, "crl.pem", &two.bench.authority.crl(&[], day(-1), day(9)).unwrap());
    let both = vec![("crl.pem".to_owned(), Fault::OlderList), ("other.crl.pem".to_owned(), Fault::NotSigned)];
    assert_eq!(reload(&two.settings), (false, both));
    assert_eq!(two.judge(&issued), Err(HandshakeReason::Revoked));
}

#[test]
fn a_certificate_waits_for_its_key_and_a_renewed_one_for_none() {
    let two = Two::new();
    let leaf = |days| Leaf { not_after: day(days), ..Leaf::server("gateway", &["localhost"], NOW) };
    let new = two.bench.issue(&leaf(100));
    put(&two.bench, "gateway.pem", &new.certificate_pem());
    assert_eq!(reload(&two.settings), (false, vec![("gateway.pem".to_owned(), Fault::KeyMismatch)]));
    // It is not read again: what was read of it waits.
    let key = put(&two.bench, "gateway.key.pem", &new.key_pem());
    let taken = two.settings.take(vec![(1, super::super::parts::read(crate::audit::reload::ReloadedFile::Key, &key))]);
    assert!(taken.changed.is_some() && taken.refused.is_empty(), "{taken:?}");
    assert_eq!(two.settings.certificate_not_after(), day(100));

    let renewed = two.bench.authority.renew(&leaf(200), &new.key_pem(), &two.bench.entropy).unwrap();
    put(&two.bench, "gateway.pem", &renewed.certificate_pem());
    put(&two.bench, "gateway.key.pem", &two.bench.issue(&two.bench.leaf()).key_pem());
    assert_eq!(reload(&two.settings), (true, vec![("gateway.key.pem".to_owned(), Fault::KeyMismatch)]));
    assert_eq!(two.settings.certificate_not_after(), day(200));
}

#[test]
fn a_ca_with_a_new_key_waits_for_the_list_that_it_signs() {
    let two = Two::new();
    let successor = CertificateAuthority::new("Other CA", NOW, &two.bench.entropy).unwrap();
    let issued = successor.issue(&two.bench.leaf(), &two.bench.entropy).unwrap();
    put(&two.bench, "other.pem", successor.certificate_pem());
    assert_eq!(reload(&two.settings), (false, vec![("other.pem".to_owned(), Fault::NotSigned)]));
    put(&two.bench, "other.crl.pem", &successor.crl(&[], NOW.plus_millis(1000), day(9)).unwrap());
    assert_eq!(reload(&two.settings), (true, vec![]));
    assert_eq!(two.judge(&issued), Ok(()));
}

#[test]
fn a_list_older_by_time_or_number_never_comes_back_not_even_with_a_restart() {
    let mut two = Two::new();
    let issued = two.bench.issue(&two.bench.leaf());
    let marks = two.bench.path("high-water.lists");
    let files = TlsFiles { marks_file: Some(marks.clone()), ..two.settings.files().clone() };
    let crl =
        |revoked: &[&Issued], number, millis| two.bench.authority.numbered_crl(revoked, number, NOW.plus_millis(millis), day(9)).unwrap();
    put(&two.bench, "crl.pem", &crl(&[], 7, 0));
    two.settings = TlsSettings::load(files.clone(), two.bench.clock.clone()).unwrap();
    put(&two.bench, "crl.pem", &crl(&[&issued], 8, 1000));
    assert_eq!(reload(&two.settings), (true, vec![]));
    two.settings.remember().unwrap();
    let restarted = || TlsSettings::load(files.clone(), two.bench.clock.clone());
    assert!(restarted().is_ok());
    // Older by its time; newer by its time and with an older number, as a CA that was asked to begin anew would make it.
    for old in [crl(&[], 9, -1000), crl(&[], 7, 2000)] {
        put(&two.bench, "crl.pem", &old);
        assert_eq!(reload(&two.settings), (false, vec![("crl.pem".to_owned(), Fault::OlderList)]));
        assert_eq!(two.judge(&issued), Err(HandshakeReason::Revoked));
        assert!(matches!(restarted(), Err(TlsError::OlderList(file)) if file == two.bench.path("crl.pem")));
    }
    put(&two.bench, "crl.pem", &crl(&[], 9, 2000));
    assert!(restarted().is_ok(), "a newer one that takes the revocation back is the CA's to make");
    fs::remove_file(&marks).unwrap();
    put(&two.bench, "crl.pem", &crl(&[], 7, 0));
    assert!(restarted().is_ok(), "what the operator removes is forgotten");
    fs::write(&marks, "anything").unwrap();
    assert!(matches!(restarted(), Err(TlsError::Marks(file)) if file == marks));
}

#[test]
fn nobody_but_a_configured_ca_moves_what_is_remembered() {
    let two = Two::new();
    let files = TlsFiles { marks_file: Some(two.bench.path("marks")), ..two.settings.files().clone() };
    // A list of a CA that is not configured: anybody could have made it. Then that of a CA with its name, once it is.
    let below = CertificateAuthority::new("Issuing CA", NOW, &two.bench.entropy).unwrap();
    let forged = CertificateAuthority::new("Issuing CA", NOW, &two.bench.entropy).unwrap();
    let own = two.other.crl(&[], NOW, day(9)).unwrap();
    put(&two.bench, "other.crl.pem", &[own.clone(), forged.numbered_crl(&[], u64::MAX, NOW, day(9)).unwrap()].concat());
    let settings = TlsSettings::load(files.clone(), two.bench.clock.clone()).unwrap();
    settings.remember().unwrap();
    put(&two.bench, "other.pem", &[two.other.certificate_pem(), below.certificate_pem()].concat());
    put(&two.bench, "other.crl.pem", &[own, below.numbered_crl(&[], 1, NOW, day(9)).unwrap()].concat());
    assert_eq!(reload(&settings), (true, vec![]));
    settings.remember().unwrap();
    assert!(TlsSettings::load(files, two.bench.clock.clone()).is_ok());
}

#[test]
fn a_list_from_the_future_is_refused_at_a_reload_and_at_the_start() {
    let two = Two::new();
    put(&two.bench, "crl.pem", &two.bench.authority.crl(&[], day(1), day(9)).unwrap());
    assert_eq!(reload(&two.settings), (false, vec![("crl.pem".to_owned(), Fault::FutureList)]));
    assert!(matches!(TlsSettings::load(two.settings.files().clone(), two.bench.clock.clone()), Err(TlsError::FutureList(_))));
    two.bench.clock.set(day(1));
    assert_eq!(reload(&two.settings), (true, vec![]), "its time has come");
}

#[test]
fn a_file_that_loses_an_issuers_list_is_refused_unless_the_ca_went_first() {
    let two = Two::new();
    let issued = two.bench.issue(&two.bench.leaf());
    let lists = |all: &[String]| put(&two.bench, "other.crl.pem", &all.concat());
    let own = two.other.crl(&[], NOW, day(9)).unwrap();
    let below = CertificateAuthority::new("Issuing CA", NOW, &two.bench.entropy).unwrap();
    put(&two.bench, "other.pem", &[two.other.certificate_pem(), below.certificate_pem()].concat());
    lists(&[own.clone(), below.crl(&[], NOW, day(9)).unwrap()]);
    assert_eq!(reload(&two.settings), (true, vec![]));
    // One of two is gone; then both, with another CA's in their place. A revocation beside it bites.
    lists(&[own]);
    assert_eq!(reload(&two.settings), (false, vec![("other.crl.pem".to_owned(), Fault::ListMissing)]));
    put(&two.bench, "other.crl.pem", &two.bench.authority.crl(&[], NOW, day(9)).unwrap());
    two.revoke(&issued, NOW.plus_millis(1000));
    assert_eq!(reload(&two.settings), (true, vec![("other.crl.pem".to_owned(), Fault::ListMissing)]));
    assert_eq!(two.judge(&issued), Err(HandshakeReason::Revoked));
    // The CA is taken out: its list may go, that of the one beside it may not.
    put(&two.bench, "other.pem", below.certificate_pem());
    lists(&[two.bench.authority.crl(&[], NOW, day(9)).unwrap()]);
    assert_eq!(reload(&two.settings), (true, vec![("other.crl.pem".to_owned(), Fault::ListMissing)]));
    lists(&[below.crl(&[], NOW, day(9)).unwrap()]);
    assert_eq!(reload(&two.settings), (true, vec![]));
    assert_eq!(
        two.settings.lists(NOW).into_iter().map(|list| list.issuer).collect::<std::collections::BTreeSet<_>>(),
        ["Issuing CA".to_owned(), "Test CA".to_owned()].into()
    );
}

#[test]
fn an_older_list_of_the_whole_or_of_another_part_does_not_take_the_place_of_a_newer_one_of_a_part() {
    let two = Two::new();
    let issued = two.bench.issue(&two.bench.leaf());
    let marks = two.bench.path("marks");
    let files = TlsFiles { marks_file: Some(marks), ..two.settings.files().clone() };
    let ca = &two.bench.authority;
    let whole =
        |revoked: &[&Issued], number, hours: i64| ca.numbered_crl(revoked, number, NOW.plus_millis(hours * 3_600_000), day(9)).unwrap();
    let part = |revoked: &[&Issued], number, url: &str, hours: i64| {
        ca.part_crl(revoked, number, url, NOW.plus_millis(hours * 3_600_000), day(9)).unwrap()
    };
    let (one, other) = ("http://crl.example/1", "http://crl.example/2");
    put(&two.bench, "crl.pem", &part(&[&issued], 11, one, -1));
    let settings = TlsSettings::load(files.clone(), two.bench.clock.clone()).unwrap();
    let judge = |settings: &TlsSettings| settings.judge(&[issued.certificate_der()], NOW);
    assert_eq!(judge(&settings), Err(HandshakeReason::Revoked));
    settings.remember().unwrap();
    let restarted = || TlsSettings::load(files.clone(), two.bench.clock.clone());
    for (older, fault) in [
        (whole(&[], 10, -5), Fault::OlderList),
        (whole(&[], 10, -1), Fault::OlderList),
        (part(&[], 10, other, -5), Fault::OlderList),
        (part(&[], 10, one, -5), Fault::OlderList),
    ] {
        put(&two.bench, "crl.pem", &older);
        assert_eq!(reload(&settings), (false, vec![("crl.pem".to_owned(), fault)]));
        assert_eq!(judge(&settings), Err(HandshakeReason::Revoked));
        assert!(matches!(restarted(), Err(TlsError::OlderList(file)) if file == two.bench.path("crl.pem")));
    }
    // A part is not there for another one, though it is newer; that a CA cuts its lists otherwise takes a restart.
    put(&two.bench, "crl.pem", &part(&[], 12, other, 0));
    assert_eq!(reload(&settings), (false, vec![("crl.pem".to_owned(), Fault::ListMissing)]));
    assert!(restarted().is_ok());
    // Nor does an older list of all count beside it before it, whatever their order.
    put(&two.bench, "crl.pem", &[whole(&[], 10, -5), part(&[&issued], 12, one, 0), part(&[&issued], 13, other, 0)].concat());
    assert_eq!(reload(&settings), (true, vec![]));
    assert_eq!((judge(&settings), judge(&restarted().unwrap())), (Err(HandshakeReason::Revoked), Err(HandshakeReason::Revoked)));
    put(&two.bench, "crl.pem", &whole(&[], 10, -5));
    assert_eq!(reload(&settings), (false, vec![("crl.pem".to_owned(), Fault::OlderList)]));
    // A newer one of all takes the place of all parts, and one of a part that of all: what it revokes is revoked.
    put(&two.bench, "crl.pem", &whole(&[], 14, 0));
    assert_eq!(reload(&settings), (true, vec![]));
    assert_eq!((judge(&settings), judge(&restarted().unwrap())), (Ok(()), Ok(())));
    put(&two.bench, "crl.pem", &part(&[&issued], 15, one, 1));
    assert_eq!(reload(&settings), (true, vec![]));
    assert_eq!((judge(&settings), judge(&restarted().unwrap())), (Err(HandshakeReason::Revoked), Err(HandshakeReason::Revoked)));
    put(&two.bench, "crl.pem", &whole(&[], 14, 0));
    assert_eq!(reload(&settings), (false, vec![("crl.pem".to_owned(), Fault::OlderList)]));
}

#[test]
fn of_two_lists_of_one_second_the_number_tells_which_is_the_newer() {
    let bench = Bench::new();
    let issued = bench.issue(&bench.leaf());
    let crl = |revoked: &[&Issued], number| bench.authority.numbered_crl(revoked, number, NOW, day(9)).unwrap();
    let (five, six) = (crl(&[], 5), crl(&[&issued], 6));
    let put = |name: &str, text: &str| files::write(&bench.path(name), text.as_bytes(), 0o600).unwrap();
    let files =
        TlsFiles { marks_file: Some(bench.path("marks")), ..bench.files(vec![bench.path("one.crl.pem"), bench.path("two.crl.pem")]) };
    put("one.crl.pem", &five);
    put("two.crl.pem", &five);
    let settings = TlsSettings::load(files.clone(), bench.clock.clone()).unwrap();
    let judge = |settings: &TlsSettings| settings.judge(&[issued.certificate_der()], NOW);
    assert_eq!(judge(&settings), Ok(()));
    put("two.crl.pem", &six);
    assert_eq!((reload(&settings), judge(&settings)), ((true, vec![]), Err(HandshakeReason::Revoked)));
    settings.remember().unwrap();
    let restarted = || TlsSettings::load(files.clone(), bench.clock.clone());
    assert_eq!(judge(&restarted().unwrap()), Err(HandshakeReason::Revoked));
    put("two.crl.pem", &five);
    assert_eq!(reload(&settings), (false, vec![("two.crl.pem".to_owned(), Fault::OlderList)]));
    assert_eq!(judge(&settings), Err(HandshakeReason::Revoked));
    assert!(matches!(restarted(), Err(TlsError::OlderList(_))));
}

#[test]
fn a_certificate_that_a_list_of_any_part_names_is_revoked_and_one_of_no_part_needs_a_list_of_all() {
    let bench = Bench::new();
    let (one, other) = ("http://crl.example/1", "http://crl.example/2");
    let of = |url: Option<&str>| bench.issue(&Leaf { list_at: url.map(str::to_owned), ..bench.leaf() });
    let (placeless, named, of_one, of_other, beyond) =
        (of(None), of(None), of(Some(one)), of(Some(other)), of(Some("http://crl.example/3")));
    let ca = &bench.authority;
    let whole = |revoked: &[&Issued], hours: i64| ca.numbered_crl(revoked, 1, NOW.plus_millis(hours * 3_600_000), day(9)).unwrap();
    let part = |revoked: &[&Issued], url, hours: i64| ca.part_crl(revoked, 1, url, NOW.plus_millis(hours * 3_600_000), day(9)).unwrap();
    let judged = |lists: &[String]| {
        files::write(&bench.path("crl.pem"), lists.concat().as_bytes(), 0o600).unwrap();
        let settings = TlsSettings::load(bench.files(vec![bench.path("crl.pem")]), bench.clock.clone()).unwrap();
        [&placeless, &named, &of_one, &of_other, &beyond].map(|issued| settings.judge(&[issued.certificate_der()], NOW).err())
    };
    let (revoked, unknown) = (Some(HandshakeReason::Revoked), Some(HandshakeReason::RevocationUnknown));
    // The newest list is not the one that names it: that of the other part, or that of all.
    let newest_last = judged(&[whole(&[], -3), part(&[&named, &of_one], one, -2), part(&[], other, -1)]);
    assert_eq!(newest_last, [None, revoked, revoked, None, None]);
    let newest_first = judged(&[part(&[&named, &of_one], one, -1), part(&[], other, -2), whole(&[&of_other], -3)]);
    assert_eq!(newest_first, [None, revoked, revoked, revoked, None]);
    // Lists of parts alone speak for those that name them. They still revoke whom they name.
    assert_eq!(judged(&[part(&[&named], one, -2), part(&[&of_other], other, -1)]), [unknown, revoked, None, revoked, unknown]);
    assert_eq!(judged(&[part(&[], one, -1)]), [unknown, unknown, None, unknown, unknown]);
    assert_eq!(judged(&[whole(&[&named, &of_one], -1)]), [None, revoked, revoked, None, None]);
}

#[test]
fn the_configured_ca_itself_may_be_sent_along_though_its_lists_are_of_parts() {
    let bench = Bench::new();
    let one = "http://crl.example/1";
    let issued = bench.issue(&Leaf { list_at: Some(one.to_owned()), ..bench.leaf() });
    let list = bench.authority.part_crl(&[], 1, one, NOW, day(9)).unwrap();
    files::write(&bench.path("crl.pem"), list.as_bytes(), 0o600).unwrap();
    let settings = TlsSettings::load(bench.files(vec![bench.path("crl.pem")]), bench.clock.clone()).unwrap();
    let (_, section) = x509_parser::pem::parse_x509_pem(bench.authority.certificate_pem().as_bytes()).unwrap();
    assert_eq!(settings.judge(&[issued.certificate_der(), &section.contents[..]], NOW), Ok(()));
}

#[test]
fn a_client_ca_that_was_out_for_a_while_brings_no_older_list_back() {
    let two = Two::new();
    let issued = two.other.issue(&two.bench.leaf(), &two.bench.entropy).unwrap();
    let marks = two.bench.path("marks");
    let files = TlsFiles { marks_file: Some(marks), ..two.settings.files().clone() };
    let list = |revoked: &[&Issued], number, millis| two.other.numbered_crl(revoked, number, NOW.plus_millis(millis), day(9)).unwrap();
    put(&two.bench, "other.crl.pem", &list(&[&issued], 11, 1000));
    let settings = TlsSettings::load(files.clone(), two.bench.clock.clone()).unwrap();
    let judge = || settings.judge(&[issued.certificate_der()], NOW);
    assert_eq!(judge(), Err(HandshakeReason::Revoked));
    put(&two.bench, "other.pem", two.bench.authority.certificate_pem());
    assert_eq!(reload(&settings), (true, vec![("other.crl.pem".to_owned(), Fault::NotVouched)]));
    put(&two.bench, "other.crl.pem", &list(&[], 10, 0));
    assert_eq!(reload(&settings).1, [("other.crl.pem".to_owned(), Fault::NotVouched)]);
    put(&two.bench, "other.pem", two.other.certificate_pem());
    assert_eq!(reload(&settings), (true, vec![("other.crl.pem".to_owned(), Fault::OlderList)]));
    assert_eq!(judge(), Err(HandshakeReason::RevocationUnknown));
    settings.remember().unwrap();
    assert!(matches!(TlsSettings::load(files, two.bench.clock.clone()), Err(TlsError::OlderList(_))));
}

#[test]
fn a_list_of_a_part_is_not_held_against_another_part_whose_place_a_newer_one_of_all_took() {
    let two = Two::new();
    let files = TlsFiles { marks_file: Some(two.bench.path("marks")), ..two.settings.files().clone() };
    let part = |number, url: &str, millis| two.bench.authority.part_crl(&[], number, url, NOW.plus_millis(millis), day(9)).unwrap();
    let one = part(1, "http://crl.example/1", 1000);
    put(&two.bench, "crl.pem", &[one.clone(), part(2, "http://crl.example/2", 5000)].concat());
    let settings = TlsSettings::load(files.clone(), two.bench.clock.clone()).unwrap();
    settings.remember().unwrap();
    put(&two.bench, "crl.pem", &[one, two.bench.authority.numbered_crl(&[], 3, NOW.plus_millis(6000), day(9)).unwrap()].concat());
    assert_eq!(reload(&settings), (true, vec![]));
    settings.remember().unwrap();
    assert!(TlsSettings::load(files, two.bench.clock.clone()).is_ok());
}

#[test]
fn a_part_that_a_file_loses_is_not_covered_by_an_older_list_of_all_in_another_file() {
    let two = Two::new();
    let (issued, ca) = (two.bench.issue(&two.bench.leaf()), &two.bench.authority);
    let at = |hours: i64| NOW.plus_millis(hours * 3_600_000);
    let other = two.other.crl(&[], NOW, day(9)).unwrap();
    put(&two.bench, "crl.pem", &ca.numbered_crl(&[], 10, at(-5), day(9)).unwrap());
    put(&two.bench, "other.crl.pem", &[&*other, &ca.part_crl(&[&issued], 11, "http://crl.example/1", at(-1), day(9)).unwrap()].concat());
    let settings = TlsSettings::load(two.settings.files().clone(), two.bench.clock.clone()).unwrap();
    let judge = || settings.judge(&[issued.certificate_der()], NOW);
    assert_eq!(judge(), Err(HandshakeReason::Revoked));
    put(&two.bench, "other.crl.pem", &other);
    assert_eq!(reload(&settings), (false, vec![("other.crl.pem".to_owned(), Fault::ListMissing)]));
    assert_eq!(judge(), Err(HandshakeReason::Revoked));
    // A newer one of all covers it.
    put(&two.bench, "crl.pem", &ca.numbered_crl(&[&issued], 12, NOW, day(9)).unwrap());
    assert_eq!((reload(&settings), judge()), ((true, vec![]), Err(HandshakeReason::Revoked)));
}
