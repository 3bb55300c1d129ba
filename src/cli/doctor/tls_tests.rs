//! What is asked of the gateway's certificate, its key and its CAs is asked at the start, at a reload, by `check-config` and by `doctor` alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Health, files};
use crate::cli::gateway::Serving;
use crate::clock::{Clock, SeededEntropy, SystemClock};
use crate::config::tests::lay_out;
use crate::config::{self, Config, Severity};
use crate::domain::time::DAY_MILLIS;
use crate::tls::TlsSettings;
use crate::tls::issue::{AuthorityName, CertificateAuthority, Issued, Leaf, Purpose};

struct Gateway {
    dir: tempfile::TempDir,
    authority: CertificateAuthority,
}

impl Gateway {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = lay_out(dir.path(), SystemClock.now(), "").authority().unwrap();
        Self { dir, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("certs").join(name)
    }

    fn config(&self) -> Config {
        Config::load(&self.dir.path().join("samband.toml")).unwrap()
    }

    fn issue(&self, leaf: &Leaf) -> Issued {
        self.authority.issue(leaf, &SeededEntropy::new(9)).unwrap()
    }

    fn put(&self, name: &str, text: &str) {
        crate::tls::files::write(&self.path(name), text.as_bytes(), 0o600).unwrap();
    }

    fn identity(&self, certificate: &str, key: &str) {
        self.put("gateway/cert.pem", certificate);
        self.put("gateway/key.pem", key);
    }
}

fn server() -> Leaf {
    Leaf::server("gateway", &["localhost"], SystemClock.now())
}

/// Makes one thing wrong, and says what must be said of it.
type Wrong = (&'static str, fn(&Gateway));

const WRONG: [Wrong; 9] = [
    ("lacks serverAuth", |gateway| own(gateway, &Leaf { purpose: Purpose::Client, ..server() })),
    ("lacks digitalSignature", |gateway| own(gateway, &Leaf { purpose: Purpose::Encryption, ..server() })),
    ("no DNS name or address", |gateway| own(gateway, &Leaf { names: vec![], ..server() })),
    ("has expired", |gateway| {
        let now = SystemClock.now();
        own(gateway, &Leaf { not_before: now.plus_millis(-2 * DAY_MILLIS), not_after: now.plus_millis(-DAY_MILLIS), ..server() });
    }),
    ("not valid yet", |gateway| own(gateway, &Leaf { not_before: SystemClock.now().plus_millis(DAY_MILLIS), ..server() })),
    ("it is a CA's", |gateway| gateway.identity(gateway.authority.certificate_pem(), &gateway.authority.key_pem())),
    ("does not belong to", |gateway| gateway.put("gateway/key.pem", &gateway.issue(&server()).key_pem())),
    ("cannot serve as a CA", |gateway| gateway.put("ca.pem", &gateway.issue(&server()).certificate_pem())),
    ("no readable PEM section", |gateway| {
        gateway.put("gateway/cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    }),
];

fn own(gateway: &Gateway, leaf: &Leaf) {
    let issued = gateway.issue(leaf);
    gateway.identity(&issued.certificate_pem(), &issued.key_pem());
}

async fn start(config: &Config) -> Result<Serving, String> {
    Serving::start(config, "127.0.0.1:0".parse().unwrap(), Arc::new(|what| panic!("{what}"))).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn what_is_wrong_with_the_gateways_certificate_is_said_at_the_start_a_reload_check_config_and_doctor_alike() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for (needle, make_wrong) in WRONG {
        let gateway = Gateway::new();
        let config = gateway.config();
        let settings = TlsSettings::load(config.tls_files().unwrap(), clock.clone()).unwrap();
        assert_eq!(files::taken(&config, clock.clone()).health, Health::Ok);
        assert!(config::check(&config, &clock, &|_| true).iter().all(|finding| finding.severity != Severity::Error));
        make_wrong(&gateway);

        let taken = settings.reload();
        let said: Vec<_> = taken.refused.iter().map(|refused| refused.error.to_string()).collect();
        assert!(taken.changed.is_none() && said.len() == 1 && said[0].contains(needle), "reload, {needle}: {said:?}");
        let found = config::check(&config, &clock, &|_| true);
        let errors: Vec<_> = found.iter().filter(|finding| finding.severity == Severity::Error).map(|finding| &finding.message).collect();
        assert!(errors.len() == 1 && *errors[0] == said[0], "check-config, {needle}: {found:?}");
        let doctor = files::taken(&config, clock.clone());
        assert!(doctor.health == Health::Bad && doctor.text == said[0], "doctor, {needle}: {}", doctor.text);
        let refused = start(&config).await.err().unwrap();
        assert!(refused.contains(&said[0]), "start, {needle}: {refused}");
        assert!(!Path::new(&config.data_dir).exists(), "and nothing was made");
    }
}

#[test]
fn a_list_that_no_configured_ca_signed_is_told_alike_and_keeps_nobody_from_starting() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let gateway = Gateway::new();
    let (now, entropy) = (SystemClock.now(), SeededEntropy::new(4));
    let (list, other) = (|ca: &CertificateAuthority| ca.crl(&[], now, now.plus_millis(DAY_MILLIS)).unwrap(), "Other CA");
    gateway.put("crl.pem", &[list(&gateway.authority), list(&CertificateAuthority::new(other, now, &entropy).unwrap())].concat());
    let text = fs::read_to_string(gateway.dir.path().join("samband.toml")).unwrap();
    let text = text.replace("client_ca_files", "crl_files = [\"certs/crl.pem\"]\nclient_ca_files");
    fs::write(gateway.dir.path().join("samband.toml"), text).unwrap();
    let config = gateway.config();
    // As a start has it, and then a reload.
    let settings = TlsSettings::load(config.tls_files().unwrap(), clock.clone()).unwrap();
    let said: Vec<_> = settings.unused().iter().map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("'Other CA' that no CA of client_ca_files or issuing_ca_files signed"), "{said:?}");
    assert_eq!(settings.reload().refused.iter().map(|refused| refused.error.to_string()).collect::<Vec<_>>(), said);
    let found = config::check(&config, &clock, &|_| true);
    assert!(found.iter().any(|finding| finding.severity == Severity::Warning && finding.message == said[0]), "{found:?}");
    assert!(found.iter().all(|finding| finding.severity != Severity::Error), "{found:?}");
    let doctor = files::taken(&config, clock);
    assert_eq!((doctor.health, doctor.text.as_str()), (Health::Warning, said[0].as_str()));
}

#[test]
fn a_ca_that_is_pinned_below_its_root_is_one() {
    let gateway = Gateway::new();
    let (now, entropy) = (SystemClock.now(), SeededEntropy::new(4));
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, now, &entropy).unwrap();
    let issuing = root.subordinate(&AuthorityName::plain("Issuing CA"), now.plus_millis(9 * DAY_MILLIS), now, &entropy).unwrap();
    gateway.put("ca.pem", issuing.certificate_pem());
    assert_eq!(files::taken(&gateway.config(), Arc::new(SystemClock)).health, Health::Ok);
}
