//! A CA that was renewed with a new key under its old name: both generations live side by side, each with its own lists.

use super::life::day;
use super::*;
use crate::audit::reload::ReloadFault as Fault;
use crate::tls::issue::AuthorityName;

/// A gateway that has both generations of "Test CA" and a list of each.
struct Both {
    bench: Bench,
    new: CertificateAuthority,
    files: TlsFiles,
}

impl Both {
    fn new() -> Self {
        let bench = Bench::new();
        let new = CertificateAuthority::new("Test CA", NOW, &bench.entropy).unwrap();
        let lists = vec![bench.path("old.crl.pem"), bench.path("new.crl.pem")];
        let files = TlsFiles { marks_file: Some(bench.path("marks")), ..bench.files(lists) };
        let both = Self { bench, new, files };
        both.put("ca.pem", &[both.bench.authority.certificate_pem(), both.new.certificate_pem()].concat());
        both.put("old.crl.pem", &both.bench.authority.crl(&[], NOW, day(9)).unwrap());
        both.put("new.crl.pem", &both.new.crl(&[], NOW, day(90)).unwrap());
        both
    }

    fn put(&self, name: &str, text: &str) {
        files::write(&self.bench.path(name), text.as_bytes(), 0o600).unwrap();
    }

    fn load(&self) -> Result<TlsSettings, TlsError> {
        TlsSettings::load(self.files.clone(), self.bench.clock.clone())
    }

    fn issue(&self) -> [Issued; 2] {
        [&self.bench.authority, &self.new].map(|ca| ca.issue(&self.bench.leaf(), &self.bench.entropy).unwrap())
    }
}

fn faults(settings: &TlsSettings) -> (bool, Vec<Fault>) {
    let taken = settings.reload();
    (taken.changed.is_some(), taken.refused.iter().map(|refused| refused.error.fault()).collect())
}

#[test]
fn each_generation_is_held_against_its_own_lists() {
    let both = Both::new();
    let (settings, [old, new]) = (both.load().unwrap(), both.issue());
    let judge = |at| [&old, &new].map(|issued| settings.judge(&[issued.certificate_der()], at));
    assert_eq!(judge(NOW), [Ok(()), Ok(())]);
    assert!(settings.authorities_without_list().is_empty() && settings.unused().is_empty());
    // The other generation's list, newer than its own, says nothing of a certificate; its own does.
    let later = |millis| NOW.plus_millis(millis);
    both.put("new.crl.pem", &both.new.crl(&[&old], later(1000), day(90)).unwrap());
    assert_eq!((faults(&settings), judge(NOW)), ((true, vec![]), [Ok(()), Ok(())]));
    both.put("old.crl.pem", &both.bench.authority.crl(&[&old], later(2000), day(9)).unwrap());
    assert_eq!((faults(&settings), judge(NOW)), ((true, vec![]), [Err(HandshakeReason::Revoked), Ok(())]));
    both.put("old.crl.pem", &both.bench.authority.crl(&[], later(3000), day(9)).unwrap());
    both.put("new.crl.pem", &both.new.crl(&[&new], later(3000), day(90)).unwrap());
    assert_eq!((faults(&settings), judge(NOW)), ((true, vec![]), [Ok(()), Err(HandshakeReason::Revoked)]));
    both.put("new.crl.pem", &both.new.crl(&[], later(4000), day(90)).unwrap());
    assert_eq!((faults(&settings), judge(NOW)), ((true, vec![]), [Ok(()), Ok(())]));
    // A list past its time closes its generation alone.
    assert_eq!(judge(day(10)), [Err(HandshakeReason::RevocationListOverdue), Ok(())]);
    // Nor is one generation's list there for the other.
    both.put("new.crl.pem", &both.bench.authority.crl(&[], later(3000), day(9)).unwrap());
    let alone = both.load().unwrap();
    assert_eq!(alone.judge(&[new.certificate_der()], NOW), Err(HandshakeReason::RevocationUnknown));
    assert_eq!((alone.judge(&[old.certificate_der()], NOW), alone.authorities_without_list()), (Ok(()), vec!["Test CA".to_owned()]));
    assert!(alone.warnings(NOW)[0].starts_with("the CA 'Test CA' has no revocation list"), "{:?}", alone.warnings(NOW));
}

#[test]
fn how_new_a_list_was_is_remembered_for_each_generation() {
    let both = Both::new();
    let [old, _] = both.issue();
    let list =
        |revoked: &[&Issued], number, millis| both.bench.authority.numbered_crl(revoked, number, NOW.plus_millis(millis), day(9)).unwrap();
    both.put("old.crl.pem", &list(&[&old], 70, 5000));
    both.put("new.crl.pem", &both.new.numbered_crl(&[], 1, NOW, day(90)).unwrap());
    let settings = both.load().unwrap();
    settings.remember().unwrap();
    // The new key's numbers begin anew, and its list may be of any time: neither is the other's rollback.
    both.put("new.crl.pem", &both.new.numbered_crl(&[], 2, NOW.plus_millis(9000), day(90)).unwrap());
    assert_eq!(faults(&settings), (true, vec![]));
    settings.remember().unwrap();
    assert!(both.load().is_ok());
    for back in [list(&[], 71, 0), list(&[], 69, 6000)] {
        both.put("old.crl.pem", &back);
        assert_eq!(faults(&settings), (false, vec![Fault::OlderList]));
        assert!(matches!(both.load(), Err(TlsError::OlderList(file)) if file == both.bench.path("old.crl.pem")));
    }
    // Of the other one, too, at the same time.
    both.put("old.crl.pem", &list(&[&old], 70, 5000));
    assert!(both.load().is_ok());
    both.put("new.crl.pem", &both.new.numbered_crl(&[], 1, NOW.plus_millis(10_000), day(90)).unwrap());
    assert!(matches!(both.load(), Err(TlsError::OlderList(file)) if file == both.bench.path("new.crl.pem")));
}

#[test]
fn a_generation_that_is_taken_out_leaves_a_list_that_holds_up_nothing() {
    let both = Both::new();
    let (settings, [old, new]) = (both.load().unwrap(), both.issue());
    both.put("ca.pem", both.new.certificate_pem());
    assert_eq!(faults(&settings), (true, vec![Fault::NotVouched]));
    assert_eq!(settings.judge(&[old.certificate_der()], NOW), Err(HandshakeReason::UnknownIssuer));
    both.put("new.crl.pem", &both.new.crl(&[&new], NOW.plus_millis(1000), day(90)).unwrap());
    assert_eq!(faults(&settings), (true, vec![Fault::NotVouched]));
    for settings in [settings, both.load().unwrap()] {
        assert_eq!(settings.judge(&[new.certificate_der()], NOW), Err(HandshakeReason::Revoked));
    }
}

#[test]
fn a_root_and_a_ca_below_it_may_both_be_renewed() {
    let bench = Bench::new();
    let put = |name: &str, text: String| {
        files::write(&bench.path(name), text.as_bytes(), 0o600).unwrap();
        vec![bench.path(name)]
    };
    let root = || CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, &bench.entropy).unwrap();
    let below = |root: &CertificateAuthority| root.subordinate(&AuthorityName::plain("Issuing CA"), day(100), NOW, &bench.entropy).unwrap();
    let roots = [root(), root(), root()];
    // Each root has issuing CAs of three generations: nine ways, more than are kept ready.
    let issuing: Vec<_> = roots.iter().flat_map(|root| [below(root), below(root), below(root)]).collect();
    let pems = |all: &[CertificateAuthority]| all.iter().map(CertificateAuthority::certificate_pem).collect::<String>();
    let lists = roots.iter().map(|root| root.authority_crl(&[], NOW, day(9)).unwrap());
    let lists = lists.chain(issuing.iter().map(|ca| ca.crl(&[], NOW, day(9)).unwrap())).collect();
    let files = TlsFiles {
        client_ca_files: put("roots.pem", pems(&roots)),
        issuing_ca_files: put("issuing.pem", pems(&issuing)),
        ..bench.files(put("all.crl.pem", lists))
    };
    let settings = TlsSettings::load(files, bench.clock.clone()).unwrap();
    for _ in 0..2 {
        for ca in &issuing {
            let leaf = ca.issue(&bench.leaf(), &bench.entropy).unwrap();
            let (_, section) = x509_parser::pem::parse_x509_pem(ca.certificate_pem().as_bytes()).unwrap();
            assert_eq!(settings.judge(&[leaf.certificate_der(), &section.contents], NOW), Ok(()));
        }
    }
}

#[test]
fn a_newer_part_of_the_old_generation_forbids_no_list_of_the_new() {
    let both = Both::new();
    let [_, new] = both.issue();
    both.put("old.crl.pem", &both.bench.authority.part_crl(&[], 9, "http://crl.example/1", NOW.plus_millis(9000), day(9)).unwrap());
    let settings = both.load().unwrap();
    settings.remember().unwrap();
    // The old one is taken out with its list.
    both.put("ca.pem", both.new.certificate_pem());
    both.put("old.crl.pem", &both.new.crl(&[], NOW, day(90)).unwrap());
    assert_eq!(faults(&settings), (true, vec![]));
    for settings in [settings, both.load().unwrap()] {
        assert_eq!(settings.judge(&[new.certificate_der()], NOW), Ok(()));
    }
}
