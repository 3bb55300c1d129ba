//! The commands over the development register and certificates made for it.

use std::path::Path;

use clap::Parser as _;

use super::super::output::{Format, Output};
use super::super::{Cli, Command};
use super::*;
use crate::clock::SystemEntropy;
use crate::domain::participant::Standing;
use crate::domain::time::DAY_MILLIS;
use crate::domain::unseen::is_unseen;
use crate::tls::issue::{Leaf, Purpose};
use crate::tls::pki::{self, DevPki, Existing};

struct Folder {
    dir: tempfile::TempDir,
    pki: DevPki,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let register = pki::development_register().unwrap();
        let pki = pki::dev(dir.path(), now(), &SystemEntropy::default(), Existing::Keep, &register).unwrap();
        Self { dir, pki }
    }

    fn certificate(&self, name: &str, organisation: &str) -> String {
        self.issued(name, &Leaf::client(name, organisation.parse().unwrap(), now()))
    }

    fn issued(&self, name: &str, leaf: &Leaf) -> String {
        let issued = self.pki.authority().unwrap().issue(leaf, &SystemEntropy::default()).unwrap();
        let path = self.dir.path().join(format!("{name}.pem"));
        std::fs::write(&path, issued.certificate_pem()).unwrap();
        path.display().to_string()
    }

    fn run(&self, words: &[&str]) -> Result<(), CliError> {
        let file = self.pki.participants_file().display().to_string();
        let all: Vec<&str> = ["samband", "participants"].iter().chain(words).copied().chain(["--file", &*file]).collect();
        let Command::Participants(command) = Cli::try_parse_from(all).unwrap().command else { panic!("another command") };
        run(&command, Output::new(Format::Nothing))
    }

    /// Enrols this certificate as a new laboratory's, with a gateway's configuration that ends in `trust`.
    fn adds(&self, cert: &str, trust: &str) -> Result<(), CliError> {
        let config = self.dir.path().join("samband.toml");
        let files = self.pki.gateway_files();
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\norigin = \"samband.example/log\"\nstorage_key_file = \"storage-key\"\n\
             log_key_file = \"log-key\"\nhigh_water_file = \"high-water\"\nparticipants_file = {:?}\nidentity_mode = \"test\"\n\
             [tls]\ncertificate_file = {:?}\nkey_file = {:?}\nclient_ca_files = [{:?}]\n{trust}",
            self.pki.participants_file(),
            files.certificate_file,
            files.key_file,
            files.client_ca_files[0]
        );
        std::fs::write(&config, text).unwrap();
        let config = config.display().to_string();
        let words = ["add", "lab-ny", "--name", "Nytt laboratorium", "--role", "laboratory", "--cert", cert, "--dry-run"];
        let all = ["samband", "participants"].into_iter().chain(words).chain(["--config", &*config]);
        let Command::Participants(command) = Cli::try_parse_from(all).unwrap().command else { panic!("another command") };
        run(&command, Output::new(Format::Nothing))
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.pki.participants_file()).unwrap()
    }

    fn register(&self) -> crate::domain::participant::Register {
        let open = RegisterEdit::open(Path::new(&self.pki.participants_file()), &is_known).unwrap();
        open.register().clone()
    }
}

fn id(text: &str) -> crate::domain::id::ParticipantId {
    text.parse().unwrap()
}

#[test]
fn a_participant_is_entered_from_its_certificate() {
    let folder = Folder::new();
    let cert = folder.certificate("lab-ny", "800000815");
    let add = ["add", "lab-ny", "--name", "Nytt laboratorium", "--role", "laboratory", "--cert", &cert];
    let before = folder.text();
    folder.run(&[&add[..], &["--dry-run"]].concat()).unwrap();
    assert_eq!(folder.text(), before, "a dry run writes nothing");
    let error = folder.run(&add).unwrap_err();
    assert!(error.code() == 2 && error.to_string().contains("--yes"), "nobody is there to be asked: {error}");
    assert_eq!(folder.text(), before);
    folder.run(&[&add[..], &["--yes"]].concat()).unwrap();
    let register = folder.register();
    let entry = register.get(&id("lab-ny")).unwrap();
    assert_eq!((entry.organisation_number.to_string().as_str(), entry.keys.len()), ("800000815", 1));
    let error = folder.run(&[&add[..], &["--yes"]].concat()).unwrap_err();
    assert_eq!(error.code(), 78, "{error}");
}

#[test]
fn a_name_with_characters_that_are_not_seen_is_not_entered_and_one_in_the_file_is_told_without_them() {
    let folder = Folder::new();
    let cert = folder.certificate("lab-ny", "800000815");
    let before = folder.text();
    for (name, unseen) in
        [("Nytt\u{202e}lab", "U+202E"), ("Nytt\u{200b}lab", "U+200B"), ("Nytt\nlab", "U+000A"), ("Nytt\u{1b}[2Jlab", "U+001B")]
    {
        let error = folder.run(&["add", "lab-ny", "--name", name, "--role", "laboratory", "--cert", &cert, "--yes"]).unwrap_err();
        let said = error.to_string();
        assert!(error.code() == 78 && said.contains(&format!("lab-ny: character 5 of its name is {unseen}")), "{said:?}");
        assert!(!said.contains("lab\n") && !said.chars().any(is_unseen), "{said:?}");
    }
    assert_eq!(folder.text(), before, "nothing is written");
    let name = folder.register().get(&id("politi-oslo")).unwrap().name.clone();
    std::fs::write(folder.pki.participants_file(), before.replace(&format!("{name:?}"), "\"Oslo\\u202E\\u001B[2J\"")).unwrap();
    for words in [&["list"][..], &["show", "politi-oslo"], &["suspend", "lab-ous", "--yes"]] {
        let said = folder.run(words).unwrap_err().to_string();
        assert!(said.contains("politi-oslo: character 5 of its name is U+202E") && !said.chars().any(is_unseen), "{said:?}");
    }
}

#[test]
fn a_new_key_comes_beside_the_old_and_the_same_key_changes_nothing() {
    let folder = Folder::new();
    let own = folder.pki.certificate_file("politi-oslo").display().to_string();
    let before = folder.text();
    folder.run(&["add-key", "politi-oslo", "--cert", &own, "--yes"]).expect("renewed with its key");
    assert_eq!(folder.text(), before);
    let new = folder.certificate("politi-oslo-2", "800000017");
    folder.run(&["add-key", "politi-oslo", "--cert", &new, "--label", "neste", "--yes"]).unwrap();
    assert_eq!(folder.register().get(&id("politi-oslo")).unwrap().keys.len(), 2);
    let old = folder.register().get(&id("politi-oslo")).unwrap().keys[0].label.clone();
    folder.run(&["remove-key", "politi-oslo", "--label", &old, "--yes"]).unwrap();
    assert_eq!(folder.register().get(&id("politi-oslo")).unwrap().keys[0].label, "neste");
}

#[test]
fn a_suppliers_certificate_is_enrolled_only_when_the_supplier_is_named() {
    let folder = Folder::new();
    let cert = folder.certificate("leverandor", "800000815");
    let add = ["add-key", "ru-oslo", "--cert", &cert, "--label", "leverandor", "--yes"];
    let error = folder.run(&add).unwrap_err();
    assert!(error.to_string().contains("--operated-by 800000815"), "{error}");
    let other = folder.run(&[&add[..], &["--operated-by", "800000912"]].concat()).unwrap_err();
    assert!(other.to_string().contains("not of the supplier"), "{other}");
    folder.run(&[&add[..], &["--operated-by", "800000815"]].concat()).unwrap();
    let keys = folder.register().get(&id("ru-oslo")).unwrap().keys.clone();
    assert_eq!(keys[1].operated_by.unwrap().to_string(), "800000815");
}

#[test]
fn suspended_resumed_and_retired() {
    let folder = Folder::new();
    let standing = || folder.register().get(&id("politi-innlandet")).unwrap().standing;
    folder.run(&["suspend", "politi-innlandet", "--yes"]).unwrap();
    assert_eq!(standing(), Standing::Suspended);
    folder.run(&["resume", "politi-innlandet", "--yes"]).unwrap();
    assert_eq!(standing(), Standing::Active);
    assert_eq!(folder.run(&["retire", "politi-innlandet", "--yes"]).unwrap_err().code(), 78, "without a successor");
    folder.run(&["retire", "politi-innlandet", "--successor", "politi-oslo", "--yes"]).unwrap();
    assert_eq!(standing(), Standing::Retired);
    let error = folder.run(&["resume", "politi-innlandet", "--yes"]).unwrap_err();
    assert!(error.to_string().contains("for good"), "{error}");
    folder.run(&["move-municipality", "3411", "--to", "ru-oslo", "--yes"]).unwrap();
    assert_eq!(folder.register().unit_of("3411".parse().unwrap()).unwrap().id, id("ru-oslo"));
    for shown in [&["list"][..], &["show", "politi-innlandet"]] {
        folder.run(shown).unwrap();
    }
    let file = folder.pki.participants_file().display().to_string();
    folder.run(&["diff", "--in-force", &file]).unwrap();
}

#[test]
fn a_certificate_is_entered_only_if_a_handshake_would_take_it() {
    let folder = Folder::new();
    let refused = |cert: &str, trust: &str, reason: &str| {
        let error = folder.adds(cert, trust).unwrap_err();
        assert!(error.code() == 78 && error.to_string().contains(reason), "{reason}: {error}");
    };
    let right = || Leaf::client("lab-ny", "800000815".parse().unwrap(), now());
    let good = folder.issued("good", &right());
    folder.adds(&good, "").unwrap();
    let other = Folder::new();
    refused(&other.issued("stranger", &right()), "", "(unknown_issuer)");
    refused(&folder.issued("server", &Leaf { purpose: Purpose::Server, ..right() }), "", "lacks clientAuth");
    let ended = Leaf { not_after: now().plus_millis(-DAY_MILLIS), ..right() };
    refused(&folder.issued("ended", &ended), "", "the certificate ended on");
    let trust = "[[trust.issuer]]\ncommon_name = \"Another CA\"\norganisation_identifier = \"NTRNO-983163327\"\npolicies = [\"1.2.3\"]\n";
    refused(&good, trust, "(issuer_not_listed)");
    let later = Leaf { not_before: now().plus_millis(DAY_MILLIS), ..right() };
    folder.adds(&folder.issued("later", &later), "").expect("it will be valid; that is said and no more");
    let list = folder.dir.path().join("ca.crl");
    let authority = folder.pki.authority().unwrap();
    let revoked = authority.issue(&right(), &SystemEntropy::default()).unwrap();
    std::fs::write(&list, authority.crl(&[&revoked], now(), now().plus_millis(DAY_MILLIS)).unwrap()).unwrap();
    let cert = folder.dir.path().join("revoked.pem");
    std::fs::write(&cert, revoked.certificate_pem()).unwrap();
    refused(&cert.display().to_string(), &format!("crl_files = [{list:?}]\n"), "(revoked)");
}
