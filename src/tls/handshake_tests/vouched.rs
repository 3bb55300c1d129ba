//! Lists that no configured CA signed are not used, hold up nothing, and are told of.

use super::life::day;
use super::*;
use crate::audit::reload::ReloadFault as Fault;
use crate::tls::config::Taken;
use crate::tls::issue::{AuthorityName, authority_params};

/// A gateway that trusts a root only, with an issuing CA below it that is named for its lists.
struct Below {
    bench: Bench,
    root: CertificateAuthority,
    issuing: CertificateAuthority,
}

/// Anybody's CA of the same name.
fn namesake(bench: &Bench) -> CertificateAuthority {
    CertificateAuthority::new("Issuing CA", NOW, &bench.entropy).unwrap()
}

impl Below {
    fn new() -> Self {
        let bench = Bench::new();
        let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, &bench.entropy).unwrap();
        let issuing = root.subordinate(&AuthorityName::plain("Issuing CA"), day(100), NOW, &bench.entropy).unwrap();
        let below = Self { bench, root, issuing };
        below.put("root.pem", below.root.certificate_pem());
        below.put("issuing.pem", below.issuing.certificate_pem());
        below.put("root.crl.pem", &below.root.authority_crl(&[], NOW, day(900)).unwrap());
        below.put("issuing.crl.pem", &below.issuing.crl(&[], NOW, day(900)).unwrap());
        below
    }

    fn put(&self, name: &str, text: &str) {
        files::write(&self.bench.path(name), text.as_bytes(), 0o644).unwrap();
    }

    fn files(&self, issuing: &[&str]) -> TlsFiles {
        TlsFiles {
            client_ca_files: vec![self.bench.path("root.pem")],
            issuing_ca_files: issuing.iter().map(|name| self.bench.path(name)).collect(),
            ..self.bench.files(vec![self.bench.path("root.crl.pem"), self.bench.path("issuing.crl.pem")])
        }
    }

    fn load(&self, issuing: &[&str]) -> Result<TlsSettings, TlsError> {
        TlsSettings::load(self.files(issuing), self.bench.clock.clone())
    }

    /// A participant's chain.
    fn chain(&self) -> Vec<Vec<u8>> {
        let leaf = self.issuing.issue(&self.bench.leaf(), &self.bench.entropy).unwrap();
        let (_, section) = x509_parser::pem::parse_x509_pem(self.issuing.certificate_pem().as_bytes()).unwrap();
        vec![leaf.certificate_der().to_vec(), section.contents]
    }
}

fn reload(settings: &TlsSettings) -> (bool, Vec<(String, Fault)>) {
    let taken = settings.reload();
    let name = |place| settings.files().all().nth(place).unwrap().1.file_name().unwrap().to_string_lossy().into_owned();
    assert!(taken.refused.iter().all(|refused| !taken.good.contains(&refused.place)));
    (taken.changed.is_some(), taken.refused.iter().map(|refused| (name(refused.place), refused.error.fault())).collect())
}

fn told(name: &str, fault: Fault) -> Vec<(String, Fault)> {
    vec![(name.to_owned(), fault)]
}

#[test]
fn a_forged_list_of_a_ca_below_the_root_locks_nobody_out_and_keeps_no_genuine_one_away() {
    let below = Below::new();
    let (settings, chain) = (below.load(&["issuing.pem"]).unwrap(), below.chain());
    assert!(settings.unused().is_empty() && settings.authorities_without_list().is_empty());
    assert_eq!(settings.judge(&chain, NOW), Ok(()));
    let forged = namesake(&below.bench);
    for name in ["issuing.crl.pem", "root.crl.pem"] {
        // In the genuine one's place, and in another file beside it.
        let before = fs::read_to_string(below.bench.path(name)).unwrap();
        let own = if name == "root.crl.pem" { before.clone() } else { String::new() };
        below.put(name, &[own, forged.numbered_crl(&[], u64::MAX, NOW.plus_millis(60_000), day(900)).unwrap()].concat());
        let fault = if name == "root.crl.pem" { Fault::NotVouched } else { Fault::NotSigned };
        let (_, refused) = reload(&settings);
        assert_eq!((refused, settings.judge(&chain, NOW)), (told(name, fault), Ok(())));
        below.put(name, &before);
        assert_eq!(reload(&settings).1, []);
    }
    let leaf = below.issuing.issue(&below.bench.leaf(), &below.bench.entropy).unwrap();
    below.put("issuing.crl.pem", &below.issuing.crl(&[&leaf], NOW.plus_millis(1000), day(900)).unwrap());
    assert_eq!(reload(&settings), (true, vec![]));
    let revoked = [leaf.certificate_der().to_vec(), chain[1].clone()];
    assert_eq!((settings.judge(&revoked, NOW), settings.judge(&chain, NOW)), (Err(HandshakeReason::Revoked), Ok(())));
    below.put("issuing.crl.pem", &forged.crl(&[], NOW.plus_millis(2000), day(900)).unwrap());
    assert!(matches!(below.load(&["issuing.pem"]), Err(TlsError::ListNotSigned(file)) if file == below.bench.path("issuing.crl.pem")));
}

#[test]
fn a_ca_that_is_not_named_has_no_list_until_it_is() {
    let below = Below::new();
    let (settings, chain) = (below.load(&[]).unwrap(), below.chain());
    assert_eq!(settings.judge(&chain, NOW), Err(HandshakeReason::RevocationUnknown));
    let said: Vec<_> = settings.unused().iter().map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("'Issuing CA'") && said[0].contains("issuing_ca_files"), "{said:?}");
    assert_eq!(reload(&settings), (false, told("issuing.crl.pem", Fault::NotVouched)));
    assert_eq!(below.load(&["issuing.pem"]).unwrap().judge(&chain, NOW), Ok(()));
    // Lists of which none can be used are not the same as no lists.
    let files = TlsFiles { crl_files: vec![below.bench.path("issuing.crl.pem")], ..below.files(&[]) };
    let settings = TlsSettings::load(files, below.bench.clock.clone()).unwrap();
    assert_eq!(settings.judge(&chain, NOW), Err(HandshakeReason::RevocationUnknown));
    assert_eq!(settings.authorities_without_list(), ["Root CA"]);
}

#[test]
fn a_ca_vouches_only_under_an_anchor_and_in_its_time() {
    let below = Below::new();
    let chain = below.chain();
    // Not signed by the root, though it has the name.
    below.put("issuing.pem", namesake(&below.bench).certificate_pem());
    let settings = below.load(&["issuing.pem"]).unwrap();
    assert_eq!(settings.judge(&chain, NOW), Err(HandshakeReason::RevocationUnknown));
    let both = [("issuing.pem".to_owned(), Fault::NotVouched), ("issuing.crl.pem".to_owned(), Fault::NotVouched)];
    assert_eq!(reload(&settings), (false, both.to_vec()));
    below.put("issuing.pem", below.issuing.certificate_pem());
    assert_eq!(reload(&settings), (true, vec![]));
    assert_eq!(settings.judge(&chain, NOW), Ok(()));
    // It lets nobody in by itself.
    below.put("root.pem", below.bench.authority.certificate_pem());
    below.put("root.crl.pem", &below.bench.authority.crl(&[], NOW, day(900)).unwrap());
    assert_eq!(reload(&settings), (true, both.to_vec()));
    assert_eq!(settings.judge(&chain, NOW), Err(HandshakeReason::UnknownIssuer));
    // When it has ended, its list goes without a file that changes, and holds up none.
    let below = Below::new();
    let settings = below.load(&["issuing.pem"]).unwrap();
    below.bench.clock.set(day(101));
    assert_eq!(reload(&settings), (true, both.to_vec()));
    below.put("issuing.crl.pem", &below.root.authority_crl(&[], NOW.plus_millis(1000), day(900)).unwrap());
    assert_eq!(reload(&settings), (true, told("issuing.pem", Fault::NotVouched)));
}

#[test]
fn a_list_left_of_a_ca_that_was_taken_out_holds_up_no_other_list() {
    let bench = Bench::new();
    let other = CertificateAuthority::new("Other CA", NOW, &bench.entropy).unwrap();
    let put = |name: &str, text: &str| files::write(&bench.path(name), text.as_bytes(), 0o600).unwrap();
    put("ca.pem", &[bench.authority.certificate_pem(), other.certificate_pem()].concat());
    // In a file of its own, and in one with others.
    let left = other.crl(&[], NOW, day(9)).unwrap();
    put("left.crl.pem", &left);
    put("crl.pem", &[bench.authority.crl(&[], NOW, day(9)).unwrap(), left.clone()].concat());
    let files = bench.files(vec![bench.path("crl.pem"), bench.path("left.crl.pem")]);
    let settings = TlsSettings::load(files.clone(), bench.clock.clone()).unwrap();
    put("ca.pem", bench.authority.certificate_pem());
    let both = [("crl.pem".to_owned(), Fault::NotVouched), ("left.crl.pem".to_owned(), Fault::NotVouched)];
    assert_eq!(reload(&settings), (true, both.to_vec()));
    let issued = bench.issue(&bench.leaf());
    put("crl.pem", &[bench.authority.crl(&[&issued], NOW.plus_millis(1000), day(9)).unwrap(), left].concat());
    assert_eq!(reload(&settings), (true, both.to_vec()));
    let restarted = TlsSettings::load(files, bench.clock.clone()).unwrap();
    for settings in [&settings, &restarted] {
        assert_eq!(settings.judge(&[issued.certificate_der()], NOW), Err(HandshakeReason::Revoked));
        assert_eq!((settings.unused().len(), settings.lists(NOW).len()), (2, 1));
    }
}

#[test]
fn an_older_list_in_another_file_does_not_take_the_place_of_a_newer_one() {
    let bench = Bench::new();
    let issued = bench.issue(&bench.leaf());
    let put = |name: &str, text: &str| files::write(&bench.path(name), text.as_bytes(), 0o600).unwrap();
    let other = CertificateAuthority::new("Other CA", NOW, &bench.entropy).unwrap();
    put("ca.pem", &[bench.authority.certificate_pem(), other.certificate_pem()].concat());
    put("old.crl.pem", &bench.authority.crl(&[], NOW, day(9)).unwrap());
    put("crl.pem", &bench.authority.crl(&[&issued], NOW.plus_millis(1000), day(9)).unwrap());
    let files = bench.files(vec![bench.path("old.crl.pem"), bench.path("crl.pem")]);
    let settings = TlsSettings::load(files, bench.clock.clone()).unwrap();
    put("crl.pem", &other.crl(&[], NOW, day(9)).unwrap());
    assert_eq!(reload(&settings), (false, told("crl.pem", Fault::OlderList)));
    assert_eq!(settings.judge(&[issued.certificate_der()], NOW), Err(HandshakeReason::Revoked));
}

#[test]
fn a_ca_that_its_root_revokes_vouches_for_nothing_and_cannot_bring_itself_back() {
    let below = Below::new();
    let chain = below.chain();
    let files = TlsFiles { marks_file: Some(below.bench.path("marks")), ..below.files(&["issuing.pem"]) };
    let load = || TlsSettings::load(files.clone(), below.bench.clock.clone());
    let settings = load().unwrap();
    let old = fs::read_to_string(below.bench.path("root.crl.pem")).unwrap();
    below.put("root.crl.pem", &below.root.authority_crl(&[&below.issuing], NOW.plus_millis(1000), day(900)).unwrap());
    let idle = [("issuing.pem".to_owned(), Fault::NotVouched), ("issuing.crl.pem".to_owned(), Fault::NotVouched)];
    assert_eq!(reload(&settings), (true, idle.to_vec()));
    assert_eq!(settings.judge(&chain, NOW), Err(HandshakeReason::Revoked));
    assert_eq!(settings.lists(NOW).len(), 1);
    // Whoever has its key signs many lists.
    let part = |number: u64| below.issuing.part_crl(&[], number, &format!("http://x/{number}"), NOW.plus_millis(60_000), day(900)).unwrap();
    below.put("issuing.crl.pem", &(1..=60).map(part).collect::<String>());
    assert_eq!(reload(&settings), (true, idle.to_vec()));
    settings.remember().unwrap();
    let marks = fs::read_to_string(below.bench.path("marks")).unwrap();
    // That of the root, and what was there of the other.
    assert_eq!(marks.lines().count(), 1 + 2);
    for settings in [&settings, &load().unwrap()] {
        assert_eq!((settings.judge(&chain, NOW), settings.unused().len()), (Err(HandshakeReason::Revoked), 2));
    }
    below.put("root.crl.pem", &old);
    assert_eq!(reload(&settings).1[0], ("root.crl.pem".to_owned(), Fault::OlderList));
    assert!(matches!(load(), Err(TlsError::OlderList(file)) if file == below.bench.path("root.crl.pem")));
    assert_eq!(settings.judge(&chain, NOW), Err(HandshakeReason::Revoked));
}

/// Another certificate of a CA below `above`, of the same name and key.
fn again(ca: &CertificateAuthority, above: &CertificateAuthority, not_after: Timestamp) -> String {
    use rcgen::{Issuer, KeyPair};
    let entropy = SeededEntropy::new(8);
    let params = authority_params(AuthorityName::plain("Issuing CA").distinguished(), 0, not_after, NOW, &entropy).unwrap();
    let above = Issuer::from_ca_cert_pem(above.certificate_pem(), KeyPair::from_pem(&above.key_pem()).unwrap()).unwrap();
    params.signed_by(&KeyPair::from_pem(&ca.key_pem()).unwrap(), &above).unwrap().pem()
}

#[test]
fn a_ca_named_for_its_lists_vouches_no_longer_than_its_certificate_without_a_reload() {
    let below = Below::new();
    let (chain, end) = (below.chain(), day(5).plus_millis(1000));
    // The participant shows another certificate of the CA, which holds longer.
    below.put("issuing.pem", &again(&below.issuing, &below.root, day(5)));
    let settings = below.load(&["issuing.pem"]).unwrap();
    let judge = |at| settings.judge(&chain, at);
    assert_eq!((judge(NOW), judge(end.plus_millis(-1)), settings.is_due(end.plus_millis(-1))), (Ok(()), Ok(()), false));
    assert_eq!((judge(end), judge(NOW)), (Err(HandshakeReason::RevocationUnknown), Ok(())));
    assert!(settings.is_due(end) && settings.warnings(end).is_empty(), "nothing was taken yet");
    // What the gateway does then.
    below.bench.clock.set(end);
    let both = [("issuing.pem".to_owned(), Fault::NotVouched), ("issuing.crl.pem".to_owned(), Fault::NotVouched)];
    let named = |taken: Taken| (taken.changed.is_some(), taken.refused.iter().map(|refused| refused.error.fault()).collect::<Vec<_>>());
    assert_eq!(named(settings.take(vec![])), (true, both.iter().map(|(_, fault)| *fault).collect()));
    assert!(!settings.is_due(end), "once");
    assert!(settings.warnings(end).iter().any(|warning| warning.contains("'Issuing CA'")), "{:?}", settings.warnings(end));
    // A clock that was ahead and is right again: the CA vouches at once.
    below.bench.clock.set(NOW);
    assert!(settings.is_due(NOW) && settings.judge(&chain, NOW).is_err());
    assert_eq!(named(settings.take(vec![])), (true, vec![]));
    assert_eq!((settings.judge(&chain, NOW), settings.warnings(NOW)), (Ok(()), vec![]));
    assert!(!settings.is_due(NOW) && settings.is_due(end), "once, and again when its end comes");
    // Beside one that holds longer, in whatever order, the longer one counts.
    let (short, long) = (again(&below.issuing, &below.root, day(5)), below.issuing.certificate_pem().to_owned());
    for pems in [short.clone() + &long, long + &short] {
        below.put("issuing.pem", &pems);
        below.bench.clock.set(NOW);
        let settings = below.load(&["issuing.pem"]).unwrap();
        assert_eq!(settings.judge(&chain, end), Ok(()));
        below.bench.clock.set(end);
        assert!(settings.is_due(end));
        settings.take(vec![]);
        assert_eq!(settings.judge(&chain, end), Ok(()));
    }
}

#[test]
fn lists_of_cas_that_have_all_ended_leave_no_chain_unasked() {
    let bench = Bench::new();
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, &bench.entropy).unwrap();
    let issuing = root.subordinate(&AuthorityName::plain("Issuing CA"), day(5), NOW, &bench.entropy).unwrap();
    let put = |name: &str, text: &str| {
        files::write(&bench.path(name), text.as_bytes(), 0o600).unwrap();
        vec![bench.path(name)]
    };
    let files = TlsFiles {
        client_ca_files: put("root.pem", root.certificate_pem()),
        issuing_ca_files: put("issuing.pem", issuing.certificate_pem()),
        ..bench.files(put("issuing.crl.pem", &issuing.crl(&[], NOW, day(900)).unwrap()))
    };
    let settings = TlsSettings::load(files, bench.clock.clone()).unwrap();
    // Of a root without a list, which webpki would let in if it were given none.
    let leaf = root.issue(&bench.leaf(), &bench.entropy).unwrap();
    for at in [NOW, day(6)] {
        assert_eq!(settings.judge(&[leaf.certificate_der()], at), Err(HandshakeReason::RevocationUnknown));
    }
}

#[test]
fn a_ca_that_was_out_for_a_while_brings_no_older_list_back() {
    // It is taken out of its file; it ends and is renewed on its key; its root revokes it and issues it anew on its key.
    for way in ["taken out", "ended", "revoked"] {
        let below = Below::new();
        let leaf = below.issuing.issue(&below.bench.leaf(), &below.bench.entropy).unwrap();
        let whole = again(&below.issuing, &below.root, day(200));
        let (_, section) = x509_parser::pem::parse_x509_pem(whole.as_bytes()).unwrap();
        let chain = [leaf.certificate_der().to_vec(), section.contents];
        let list =
            |revoked: &[&Issued], number, millis| below.issuing.numbered_crl(revoked, number, NOW.plus_millis(millis), day(900)).unwrap();
        let (old, new) = (list(&[], 10, 0), list(&[&leaf], 11, 1000));
        below.put("issuing.crl.pem", &new);
        if way == "ended" {
            below.put("issuing.pem", &again(&below.issuing, &below.root, day(5)));
        }
        let files = TlsFiles { marks_file: Some(below.bench.path("marks")), ..below.files(&["issuing.pem"]) };
        let load = || TlsSettings::load(files.clone(), below.bench.clock.clone());
        let judge = |settings: &TlsSettings| settings.judge(&chain, below.bench.clock.now());
        let settings = load().unwrap();
        settings.remember().unwrap();
        assert_eq!(judge(&settings), Err(HandshakeReason::Revoked));

        match way {
            "taken out" => {
                let other = below.root.subordinate(&AuthorityName::plain("Other CA"), day(100), NOW, &below.bench.entropy).unwrap();
                below.put("issuing.pem", other.certificate_pem());
            }
            "ended" => below.bench.clock.set(day(5).plus_millis(1000)),
            _ => below.put("root.crl.pem", &below.root.authority_crl(&[&below.issuing], NOW.plus_millis(1000), day(900)).unwrap()),
        }
        assert!(reload(&settings).0, "{way}");
        below.put("issuing.crl.pem", &old);
        reload(&settings);
        settings.remember().unwrap();
        assert_eq!(judge(&settings), Err(HandshakeReason::RevocationUnknown), "{way}");
        // A start in between takes the file, as its CA vouches for nothing.
        let restarted = load().unwrap();
        restarted.remember().unwrap();

        below.put("issuing.pem", &whole);
        for settings in [&settings, &restarted] {
            assert_eq!(reload(settings), (true, told("issuing.crl.pem", Fault::OlderList)), "{way}");
            assert_eq!(judge(settings), Err(HandshakeReason::RevocationUnknown), "{way}");
            let warnings = settings.warnings(below.bench.clock.now());
            assert!(warnings.iter().any(|warning| warning.contains("'Issuing CA' older than one that was in force")), "{warnings:?}");
            settings.remember().unwrap();
            assert!(matches!(load(), Err(TlsError::OlderList(file)) if file == below.bench.path("issuing.crl.pem")), "{way}");
        }
        // The CA and a list older than its own, of one round.
        below.put("issuing.crl.pem", &list(&[], 9, 2000));
        assert_eq!(reload(&settings).1, told("issuing.crl.pem", Fault::OlderList), "{way}");
        below.put("issuing.crl.pem", &new);
        assert_eq!((reload(&settings), judge(&settings)), ((true, vec![]), Err(HandshakeReason::Revoked)), "{way}");
        assert!(load().is_ok());
    }
}

#[test]
fn the_list_of_a_revoked_key_holds_up_nothing_though_a_new_key_has_its_name() {
    let below = Below::new();
    let renewed = below.root.subordinate(&AuthorityName::plain("Issuing CA"), day(100), NOW, &below.bench.entropy).unwrap();
    below.put("renewed.pem", renewed.certificate_pem());
    below.put("root.crl.pem", &below.root.authority_crl(&[&below.issuing], NOW.plus_millis(1000), day(900)).unwrap());
    // The new key has signed no list yet, and the old one's is there still.
    let settings = below.load(&["issuing.pem", "renewed.pem"]).unwrap();
    assert_eq!(settings.judge(&below.chain(), NOW), Err(HandshakeReason::Revoked));
    let old = fs::read_to_string(below.bench.path("issuing.crl.pem")).unwrap();
    below.put("issuing.crl.pem", &[old, renewed.crl(&[], NOW, day(900)).unwrap()].concat());
    assert!(reload(&settings).0);
    let renewed = Below { issuing: renewed, ..below };
    assert_eq!(settings.judge(&renewed.chain(), NOW), Ok(()));
}
