//! `deploy/fetch-crl.sh`, which operators run: a list takes another's place only if the program says so.

use std::fs;
use std::process::Command;

use samband::clock::{Clock as _, SeededEntropy, SystemClock};
use samband::domain::time::DAY_MILLIS;
use samband::tls::issue::{AuthorityName, CertificateAuthority};

#[test]
fn a_list_is_fetched_only_if_it_is_the_same_cas_and_not_older() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let (now, entropy) = (SystemClock.now(), SeededEntropy::new(1));
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, now, &entropy).unwrap();
    let day = |days: i64| now.plus_millis(days * DAY_MILLIS);
    let own = root.subordinate(&AuthorityName::plain("Issuing CA"), day(90), now, &entropy).unwrap();
    let forged = CertificateAuthority::new("Issuing CA", now, &SeededEntropy::new(3)).unwrap();
    fs::write(path("cas.pem"), [root.certificate_pem(), own.certificate_pem()].concat()).unwrap();
    let list = |ca: &CertificateAuthority, number, made| ca.numbered_crl(&[], number, day(made), day(90)).unwrap();
    let fetch_from = |program: &str, url: &str| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/fetch-crl.sh");
        let mut command = Command::new("bash");
        command.arg(script).arg(path("cas.pem")).arg(url).arg(path("ca.crl"));
        let output = command.env("SAMBAND", program).output().expect("this test needs bash and curl");
        assert!(!path("ca.crl.new").exists());
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let fetch_with = |program: &str, content: &str| {
        fs::write(path("published"), content).unwrap();
        fetch_from(program, &format!("file://{}", path("published").display()))
    };
    let fetch = |content: &str| fetch_with(env!("CARGO_BIN_EXE_samband"), content);
    let held = || fs::read_to_string(path("ca.crl")).unwrap_or_default();
    for (wrong, why) in [("no list", "no readable PEM section"), (&list(&forged, 9, 0), "that no CA of"), ("", "gave nothing")] {
        let (is_taken, said) = fetch(wrong);
        assert!(!is_taken && said.contains(why) && held().is_empty(), "{said}");
    }
    let first = list(&own, 5, -2);
    assert_eq!((fetch(&first).0, held()), (true, first.clone()));
    // Whoever answers: the root's genuine list, and then an old one of the CA itself.
    for (wrong, why) in [
        (list(&forged, 9, 0), "that no CA of"),
        (list(&root, 9, 0), "and {} holds that of 'Issuing CA'"),
        (list(&own, 3, -3), "older, by its time or number"),
        (list(&own, 4, -1), "older, by its time or number"),
        ([list(&own, 6, 0), list(&forged, 9, 0)].concat(), "several revocation lists"),
    ] {
        let (is_taken, said) = fetch(&wrong);
        assert!(!is_taken && said.contains(&why.replace("{}", &path("ca.crl").display().to_string())) && said.contains("stays"), "{said}");
        assert_eq!(held(), first);
    }
    // Whoever answers without an end fills no disk.
    let (is_taken, said) = fetch_from(env!("CARGO_BIN_EXE_samband"), "file:///dev/zero");
    assert!(!is_taken && said.contains("stays"), "{said}");
    assert_eq!(held(), first);
    let next = list(&own, 6, 0);
    assert!(!fetch_with("/nowhere/samband", &next).0);
    assert_eq!((held(), fetch(&next).0, held()), (first, true, next));
}
