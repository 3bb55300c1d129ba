//! `deploy/fetch-crl.sh`, which operators run: a list takes another's place only if a CA signed it and it is not older.

use std::fs;
use std::process::Command;

use samband::clock::SeededEntropy;
use samband::domain::time::{DAY_MILLIS, Timestamp};
use samband::tls::issue::CertificateAuthority;

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

#[test]
fn a_list_is_fetched_only_if_a_ca_signed_it_and_it_is_not_older() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let ca = |seed| CertificateAuthority::new("Example CA", NOW, &SeededEntropy::new(seed)).unwrap();
    let (own, renewed, forged) = (ca(1), ca(2), ca(3));
    fs::write(path("cas.pem"), [renewed.certificate_pem(), own.certificate_pem()].concat()).unwrap();
    let day = |days: i64| NOW.plus_millis(days * DAY_MILLIS);
    let list = |ca: &CertificateAuthority, made| ca.crl(&[], day(made), day(90)).unwrap();
    let fetch = |content: &str| {
        fs::write(path("published"), content).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/fetch-crl.sh");
        let mut command = Command::new("bash");
        command.arg(script).arg(path("cas.pem")).arg(format!("file://{}", path("published").display())).arg(path("ca.crl"));
        let output = command.output().expect("this test needs bash, curl and openssl");
        assert!(!path("ca.crl.new").exists());
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let held = || fs::read_to_string(path("ca.crl")).unwrap_or_default().replace("\r\n", "\n");
    for (wrong, why) in [("no list", "gave no revocation list"), (&list(&forged, 9), "that no CA of")] {
        let (is_taken, said) = fetch(wrong);
        assert!(!is_taken && said.contains(why) && held().is_empty(), "{said}");
    }
    let first = list(&own, 1);
    assert!(fetch(&first).0);
    let before = held();
    assert!(before.contains("BEGIN X509 CRL"));
    for (wrong, why) in [(list(&forged, 9), "that no CA of"), (list(&own, 0), "older than the one there is"), (String::new(), "gave no")] {
        let (is_taken, said) = fetch(&wrong);
        assert!(!is_taken && said.contains(why) && said.contains("stays"), "{said}");
        assert_eq!(held(), before);
    }
    // Of a file with a forged one behind the genuine one only that is put there; a CA's next generation is one of its CAs, too.
    assert!(fetch(&[list(&own, 2), list(&forged, 9)].concat()).0);
    assert!(held() != before && held().matches("BEGIN X509 CRL").count() == 1);
    assert!(fetch(&list(&renewed, 3)).0);
}
