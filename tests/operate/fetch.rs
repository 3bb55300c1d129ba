//! `deploy/fetch-crl.sh`, which operators run: a list takes another's place only if the program says so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use samband::clock::{Clock as _, SeededEntropy, SystemClock};
use samband::domain::time::DAY_MILLIS;
use samband::tls::issue::{AuthorityName, CertificateAuthority};

/// A folder with CAs, and what the script makes of what is published.
struct Fetching {
    dir: tempfile::TempDir,
    root: CertificateAuthority,
    own: CertificateAuthority,
}

impl Fetching {
    fn new() -> Self {
        let (now, entropy) = (SystemClock.now(), SeededEntropy::new(1));
        let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, now, &entropy).unwrap();
        let own = root.subordinate(&AuthorityName::plain("Issuing CA"), now.plus_millis(90 * DAY_MILLIS), now, &entropy).unwrap();
        let fetching = Self { dir: tempfile::tempdir().unwrap(), root, own };
        fs::write(fetching.path("cas.pem"), [fetching.root.certificate_pem(), fetching.own.certificate_pem()].concat()).unwrap();
        fetching
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn list(&self, number: u64, made: i64) -> String {
        list(&self.own, number, made)
    }

    fn fetch_from(&self, program: &str, url: &str) -> (bool, String) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/fetch-crl.sh");
        let mut command = Command::new("bash");
        command.arg(script).arg(self.path("cas.pem")).arg(url).arg(self.path("ca.crl"));
        let output = command.env("SAMBAND", program).output().expect("this test needs bash and curl");
        let mut names = fs::read_dir(&self.dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.all(|name| !name.ends_with(".new")), "nothing is left beside it");
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }

    fn fetch_with(&self, program: &str, content: &str) -> (bool, String) {
        fs::write(self.path("published"), content).unwrap();
        self.fetch_from(program, &format!("file://{}", self.path("published").display()))
    }

    fn fetch(&self, content: &str) -> (bool, String) {
        self.fetch_with(env!("CARGO_BIN_EXE_samband"), content)
    }

    fn held(&self) -> String {
        fs::read_to_string(self.path("ca.crl")).unwrap_or_default()
    }
}

/// A list of `ca`, made so many days from today.
fn list(ca: &CertificateAuthority, number: u64, made: i64) -> String {
    let day = |days: i64| SystemClock.now().plus_millis(days * DAY_MILLIS);
    ca.numbered_crl(&[], number, day(made), day(90)).unwrap()
}

#[test]
fn of_a_link_the_file_that_it_points_at_is_fetched_and_one_to_nothing_is_refused() {
    let fetching = Fetching::new();
    let (link, file) = (fetching.path("ca.crl"), fetching.path("shared.crl"));
    symlink("shared.crl", &link).unwrap();
    let (is_taken, said) = fetching.fetch(&fetching.list(5, -2));
    assert!(!is_taken && said.contains("a link that points at nothing"), "{said}");
    assert!(!file.exists());
    let (first, next) = (fetching.list(5, -2), fetching.list(6, -1));
    fs::write(&file, &first).unwrap();
    assert!(fetching.fetch(&next).0);
    assert_eq!((fs::read_link(&link).unwrap(), fs::read_to_string(&file).unwrap()), ("shared.crl".into(), next.clone()));
    let (is_taken, said) = fetching.fetch(&first);
    assert!(!is_taken && said.contains("older, by its time or number"), "{said}");
    assert_eq!(fetching.held(), next);
    fs::remove_file(&link).unwrap();
    symlink("nowhere/shared.crl", &link).unwrap();
    let (is_taken, said) = fetching.fetch(&next);
    assert!(!is_taken && said.contains("no file can be put there"), "{said}");
}

#[test]
fn a_file_that_is_no_list_any_more_is_replaced_with_a_warning_and_kept() {
    let fetching = Fetching::new();
    let (damaged, next) = ("\0\0\0\0 a disk fault", fetching.list(6, -1));
    fs::write(fetching.path("ca.crl"), damaged).unwrap();
    let (is_taken, said) = fetching.fetch("an error page");
    assert!(!is_taken && said.contains("stays"), "{said}");
    assert_eq!(fetching.held(), damaged, "by a sound list only");
    let (is_taken, said) = fetching.fetch(&next);
    assert!(is_taken && said.contains("warning: what is there is no list any more"), "{said}");
    assert_eq!((fetching.held(), fs::read_to_string(fetching.path("ca.crl.damaged")).unwrap()), (next, damaged.to_owned()));
    let (is_taken, said) = fetching.fetch(&fetching.list(7, 0));
    assert!(is_taken && said.is_empty(), "{said}");
    assert_eq!(fs::read_to_string(fetching.path("ca.crl.damaged")).unwrap(), damaged, "a sound one is not kept");
}

#[test]
fn a_list_is_fetched_only_if_it_is_the_same_cas_and_not_older() {
    let fetching = Fetching::new();
    let Fetching { root, own, .. } = &fetching;
    let forged = CertificateAuthority::new("Issuing CA", SystemClock.now(), &SeededEntropy::new(3)).unwrap();
    for (wrong, why) in [("no list", "no readable PEM section"), (&list(&forged, 9, 0), "that no CA of"), ("", "gave nothing")] {
        let (is_taken, said) = fetching.fetch(wrong);
        assert!(!is_taken && said.contains(why) && fetching.held().is_empty(), "{said}");
    }
    let first = list(own, 5, -2);
    assert_eq!((fetching.fetch(&first).0, fetching.held()), (true, first.clone()));
    // Whoever answers: the root's genuine list, and then an old one of the CA itself.
    for (wrong, why) in [
        (list(&forged, 9, 0), "that no CA of"),
        (list(root, 9, 0), "and {} holds that of 'Issuing CA'"),
        (list(own, 3, -3), "older, by its time or number"),
        (list(own, 4, -1), "older, by its time or number"),
        ([list(own, 6, 0), list(&forged, 9, 0)].concat(), "several revocation lists"),
    ] {
        let (is_taken, said) = fetching.fetch(&wrong);
        assert!(
            !is_taken && said.contains(&why.replace("{}", &fetching.path("ca.crl").display().to_string())) && said.contains("stays"),
            "{said}"
        );
        assert_eq!(fetching.held(), first);
    }
    // Whoever answers without an end fills no disk.
    let (is_taken, said) = fetching.fetch_from(env!("CARGO_BIN_EXE_samband"), "file:///dev/zero");
    assert!(!is_taken && said.contains("stays"), "{said}");
    assert_eq!(fetching.held(), first);
    let next = list(own, 6, 0);
    assert!(!fetching.fetch_with("/nowhere/samband", &next).0);
    assert_eq!((fetching.held(), fetching.fetch(&next).0, fetching.held()), (first, true, next));
}

#[test]
fn two_runs_at_once_do_not_write_over_each_other() {
    let fetching = Fetching::new();
    assert!(fetching.fetch(&fetching.list(1, -2)).0);
    let (first, second) = (fetching.held(), fetching.list(2, -1));
    fs::write(fetching.path("published"), &second).unwrap();
    // As another run that is between its check and its rename.
    let folder = fs::File::open(fetching.dir.path()).unwrap();
    folder.lock().unwrap();
    fs::write(fetching.path("ca.crl.new"), "of the other run").unwrap();
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| fetching.fetch_from(env!("CARGO_BIN_EXE_samband"), &format!("file://{}", fetching.path("published").display())));
        std::thread::sleep(std::time::Duration::from_secs(1));
        assert_eq!(fs::read_to_string(fetching.path("ca.crl.new")).unwrap(), "of the other run");
        assert_eq!(fetching.held(), first);
        fs::remove_file(fetching.path("ca.crl.new")).unwrap();
        folder.unlock().unwrap();
        assert!(waiting.join().unwrap().0);
    });
    assert_eq!(fetching.held(), second);
}
