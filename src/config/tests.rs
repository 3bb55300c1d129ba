use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::keys::{read_log_key, read_storage_key};
use super::participants::{load_register, parse_register};
use super::*;
use crate::clock::{Clock, MockClock, SeededEntropy};
use crate::domain::participant::Standing;
use crate::domain::time::{DAY_MILLIS, Timestamp};
use crate::tls::pki::{self, Existing};

const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);
/// From [`NOW`] until the list of [`whole`] is due.
const DUE_DAYS: i64 = 9;
const LOG_KEY: &str = "PRIVATE+KEY+samband.example.no/log+01234567+AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

/// The line and column of an error in the sample after `from` became `to`.
fn place(from: &str, to: &str) -> (usize, String) {
    let text = fs::read_to_string(sample("samband.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    match Config::parse(Path::new("x.toml"), &text.replace(from, to)) {
        Err(ConfigError::At { line, column, message, .. }) => {
            assert!(column >= 1);
            (line, message)
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn line_of(name: &str, needle: &str) -> usize {
    let text = fs::read_to_string(sample(name)).unwrap();
    text.lines().position(|line| line.starts_with(needle)).unwrap() + 1
}

#[test]
fn the_sample_configuration_parses_and_its_relative_paths_are_beside_it() {
    let config = Config::load(&sample("samband.toml")).unwrap();
    assert_eq!(config.participants_file, sample("participants.toml"));
    assert_eq!(config.data_dir, Path::new("/var/lib/samband/data"));
    assert_eq!(config.nlk_codes_file, None, "the sample names it in a comment only");
    assert_eq!(config.limits, LimitsSection::default());
    assert_eq!(config.witnesses, None, "the sample shows them in a comment only");
    assert_eq!(config.overdue_after_s, OverdueAfter::default());
    assert_eq!((config.log.format, config.log.level.as_str()), (LogFormat::Json, "info"));
    let debug = format!("{config:?}");
    assert!(debug.contains("samband.example.no/log") && !debug.contains("storage-key") && !debug.contains("gateway.key"), "{debug}");
}

#[test]
fn what_is_left_out_has_its_default() {
    let text = r#"
        listen = "[::]:1"
        data_dir = "d"
        origin = "x"
        storage_key_file = "s"
        log_key_file = "l"
        high_water_file = "h"
        participants_file = "p"
        tls = { certificate_file = "c", key_file = "k", client_ca_files = ["a"] }
    "#;
    let config = Config::parse(Path::new("x"), text).unwrap();
    assert_eq!((config.erase_within_s.get(), config.records_keep_months.get()), (86_400, 24));
    assert_eq!((config.journal_file_bytes.get(), config.journal_turn_bytes.get()), (67_108_864, 268_435_456));
    assert_eq!(config.overdue_after_s.lab_result.get(), 432_000);
    assert_eq!(config.identity_mode, IdentityMode::Production);
    assert!(
        config.nlk_codes_file.is_none()
            && config.admin_listen.is_none()
            && config.auditor_listen.is_none()
            && config.tls.crl_files.is_empty()
            && config.tls.crl_grace_s.get() == 259_200
            && config.trust.issuer.is_empty()
    );
    assert_eq!(config.limits, LimitsSection::default());
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn every_wrong_value_is_refused_at_its_line() {
    let cases = [
        ("erase_within_s = 86400", "erase_within = 86400", "erase_within", "unknown field"),
        ("erase_within_s = 86400", "erase_within_s = 5", "erase_within_s", "from 60 to 604800"),
        ("erase_within_s = 86400", "erase_within_s = -1", "erase_within_s", "from 60 to 604800"),
        ("records_keep_months = 24", "records_keep_months = 12", "records_keep_months", "from 13 to 35"),
        ("records_keep_months = 24", "records_keep_months = 36", "records_keep_months", "from 13 to 35"),
        ("journal_file_bytes = 67108864", "journal_file_bytes = 65535", "journal_file_bytes", "from 65536 to 1073741824"),
        ("journal_turn_bytes = 268435456", "journal_turn_bytes = 0", "journal_turn_bytes", "from 65536 to 4294967296"),
        ("lab_result = 432000", "lab_result = 1", "lab_result", "from 3600"),
        ("127.0.0.1:9464", "0.0.0.0:9464", "admin_listen", "loopback"),
        ("samband.example.no/log", "https://samband.example.no", "origin", "without a scheme"),
        ("samband.example.no/log", "a b", "origin", "without a scheme"),
        ("identity_mode = \"production\"", "identity_mode = \"both\"", "identity_mode", "unknown variant"),
        ("handshakes_max = 1024", "handshakes_max = 0", "handshakes_max", "from 1"),
        ("level = \"info\"", "level = \"loud\"", "level", "unknown variant"),
        ("level = \"info\"", "levels = \"info\"", "level", "unknown field"),
        ("crl_grace_s", "crl_grace", "crl_grace_s", "unknown field"),
        ("listen = \"0.0.0.0:8443\"", "listen = \"0.0.0.0\"", "listen", ""),
        ("listen = \"0.0.0.0:8443\"", "listen = ", "listen", ""),
    ];
    for (from, to, key, message) in cases {
        let (line, text) = place(from, to);
        assert_eq!(line, line_of("samband.toml", key), "{to}: {text}");
        assert!(text.contains(message), "{to}: {text}");
    }
    let (_, text) = place("origin = \"samband.example.no/log\"", "");
    assert!(text.contains("missing field `origin`"), "{text}");
}

#[test]
fn the_sample_register_parses() {
    let register = load_register(&sample("participants.toml"), 7, &|_| true).unwrap();
    assert_eq!(register.generation(), 7);
    let old = register.get(&"lab-gammel".parse().unwrap()).unwrap();
    assert_eq!(old.standing, Standing::Suspended);
    assert_eq!(register.unit_of("3412".parse().unwrap()).unwrap().id.as_str(), "ru-eksempel");
    let supplier = &register.get(&"politi-eksempel".parse().unwrap()).unwrap().keys[1];
    assert_eq!(supplier.operated_by.unwrap().to_string(), "800000815");
}

#[test]
fn every_wrong_register_entry_is_refused_at_its_line() {
    let text = fs::read_to_string(sample("participants.toml")).unwrap();
    let refused = |text: &str, known: bool| match parse_register(Path::new("p.toml"), text, 1, &|_| known) {
        Err(ConfigError::At { line, message, .. }) => (line, message),
        other => panic!("not refused: {other:?}"),
    };
    let table_of = |id: &str| text.lines().position(|line| line == format!("id = \"{id}\"")).unwrap();
    let unit = table_of("ru-eksempel");
    let cases = [
        ("administrative_system = true", "administrative_system = false", unit, "administrative_system"),
        ("\"3403\", \"3411\", \"3412\"", "", unit, "at least one"),
        ("id = \"lab-ny\"", "id = \"ru-eksempel\"", table_of("lab-ny"), "twice"),
        ("successor = \"lab-ny\"", "successor = \"tilsyn\"", table_of("lab-gammel"), "same role"),
        ("00000003\"", "00000001\"", unit, "enrolled elsewhere"),
    ];
    for (from, to, line, message) in cases {
        assert!(text.contains(from));
        let (found, said) = refused(&text.replace(from, to), true);
        assert_eq!(found, line, "{to}: {said}");
        assert!(said.contains(message), "{said}");
    }
    let (found, said) = refused(&text, false);
    assert!(found == unit && said.contains("does not exist"), "{said}");
    let number = line_of("participants.toml", "organisation_number = \"800000211\"");
    let (found, said) = refused(&text.replace("\"800000211\"", "\"800000212\""), true);
    assert!(found == number && said.contains("check digit") && !said.contains("800000212"), "{found} {said}");
    let (found, said) = refused(&text.replace("municipalities =", "municipality ="), true);
    assert!(found == line_of("participants.toml", "municipalities") && said.contains("unknown field"), "{found} {said}");
    assert!(refused(&format!("generation = 1\n{text}"), true).1.contains("unknown field"));
    assert!(refused("", true).1.contains("at least one"));
}

#[test]
fn a_name_that_does_not_read_as_what_it_is_is_refused_at_its_line_and_never_repeated() {
    let text = fs::read_to_string(sample("participants.toml")).unwrap();
    let name = "Rådgivende enhet Eksempelregionen";
    assert!(text.contains(name));
    let line = text.lines().position(|line| line == "id = \"ru-eksempel\"").unwrap();
    for (escape, unseen) in
        [("\\u202E", "U+202E"), ("\\u200B", "U+200B"), ("\\n", "U+000A"), ("\\u001B[2J", "U+001B"), ("\\u009B", "U+009B")]
    {
        let with = text.replace(name, &format!("Råd{escape}givende"));
        match parse_register(Path::new("p.toml"), &with, 1, &|_| true) {
            Err(ConfigError::At { line: found, message, .. }) => {
                assert!(
                    found == line && message.contains("ru-eksempel: character 4 of its name") && message.contains(unseen),
                    "{found} {message}"
                );
                assert!(message.chars().all(|c| c.is_ascii() && !c.is_control()), "{message:?}");
            }
            other => panic!("{escape}: not refused: {other:?}"),
        }
    }
    match parse_register(Path::new("p.toml"), &text.replace("organisation_number =", "\"\\u001B[2J\\n\" ="), 1, &|_| true) {
        Err(ConfigError::At { message, .. }) => assert!(message.contains("\\u{1b}[2J\\u{a}"), "{message:?}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_storage_key_of_any_other_shape_is_refused_and_never_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("k");
    let read = |text: &str| {
        crate::tls::files::write(&file, text.as_bytes(), 0o600).unwrap();
        read_storage_key(&file)
    };
    assert_eq!(read(&format!("{}\n", "0aF1".repeat(16))).unwrap()[..2], [0x0a, 0xf1]);
    for wrong in ["".to_owned(), "ab".repeat(31), "ab".repeat(33), "xy".repeat(32), "00".repeat(32), format!("{}\n\n", "ab".repeat(32))] {
        let error = read(&wrong).unwrap_err();
        assert!(matches!(error, ConfigError::Key { .. }));
        assert!(!error.to_string().contains("abab"));
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(read_storage_key(&file), Err(ConfigError::File(FileError::Mode { .. }))));
}

#[test]
fn a_log_key_of_another_log_or_shape_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("k");
    let read = |text: &str, origin: &str| {
        crate::tls::files::write(&file, text.as_bytes(), 0o600).unwrap();
        read_log_key(&file, &Origin::try_from(origin.to_owned()).unwrap()).map_err(|error| error.to_string())
    };
    assert_eq!(read(&format!("{LOG_KEY}\n"), "samband.example.no/log").unwrap().as_str(), LOG_KEY);
    assert!(read(LOG_KEY, "other.example.no").unwrap_err().contains("origin"));
    for wrong in ["", "PRIVATE+KEY+x", "PRIVATE+KEY+x+0123456+AQ==", &LOG_KEY.replace("01234567", "0123456G"), &format!("{LOG_KEY} x")] {
        assert!(read(wrong, "samband.example.no/log").unwrap_err().contains("PRIVATE+KEY+<name>"), "{wrong}");
    }
}

/// Certificates, keys and the configuration of a development gateway in `dir`; `trust` is what its `[tls]` ends with.
pub(crate) fn lay_out(dir: &Path, now: Timestamp, trust: &str) -> pki::DevPki {
    let register = pki::development_register().unwrap();
    let made = pki::dev(&dir.join("certs"), now, &SeededEntropy::new(1), Existing::Keep, &register).unwrap();
    crate::tls::files::write(&dir.join("storage-key"), "5a".repeat(32).as_bytes(), 0o600).unwrap();
    crate::tls::files::write(&dir.join("log-key"), LOG_KEY.as_bytes(), 0o600).unwrap();
    let text = r#"
        listen = "127.0.0.1:0"
        data_dir = "data"
        origin = "samband.example.no/log"
        storage_key_file = "storage-key"
        log_key_file = "log-key"
        high_water_file = "high-water"
        participants_file = "certs/participants.toml"
        identity_mode = "test"
        [tls]
        certificate_file = "certs/gateway/cert.pem"
        key_file = "certs/gateway/key.pem"
        client_ca_files = ["certs/ca.pem"]
    "#;
    fs::write(dir.join("samband.toml"), format!("{text}{trust}\n")).unwrap();
    made
}

/// A configuration of which `serve` would refuse nothing.
fn whole(dir: &Path) -> Config {
    let made = lay_out(dir, NOW, "crl_files = [\"crl.pem\"]");
    let crl = made.authority().unwrap().crl(&[], NOW, NOW.plus_millis(DUE_DAYS * DAY_MILLIS)).unwrap();
    fs::write(dir.join("crl.pem"), crl).unwrap();
    let config = Config::load(&dir.join("samband.toml")).unwrap();
    Config { listen: "127.0.0.1:8443".parse().unwrap(), ..config }
}

fn findings(config: &Config, at: Timestamp) -> Vec<String> {
    let clock: Arc<dyn Clock> = Arc::new(MockClock::new(at));
    check(config, &clock, &|_| true).iter().map(ToString::to_string).collect()
}

#[test]
fn a_whole_configuration_has_no_finding() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(findings(&whole(dir.path()), NOW), Vec::<String>::new());
}

#[test]
fn everything_that_serve_would_refuse_is_found_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let good = whole(dir.path());
    let one = |config: &Config, needle: &str| {
        let found = findings(config, NOW);
        assert!(found.len() == 1 && found[0].starts_with("error: ") && found[0].contains(needle), "{needle}: {found:?}");
    };
    let with = |change: &dyn Fn(&mut Config)| {
        let mut config = good.clone();
        change(&mut config);
        config
    };
    one(&with(&|c| c.tls.key_file = dir.path().join("certs/ru-oslo/key.pem")), "does not belong");
    one(&with(&|c| c.tls.crl_files = vec![dir.path().join("none.pem")]), "no such file");
    one(&with(&|c| c.tls.client_ca_files = vec![]), "no CA file");
    one(&with(&|c| c.storage_key_file = dir.path().join("log-key")), "64 hexadecimal");
    one(&with(&|c| c.log_key_file = dir.path().join("storage-key")), "PRIVATE+KEY");
    one(&with(&|c| c.participants_file = dir.path().join("samband.toml")), "samband.toml:");
    one(&with(&|c| c.data_dir = dir.path().join("no/such")), "data_dir");
    one(&with(&|c| c.data_dir = dir.path().join("samband.toml")), "not a folder");
    one(&with(&|c| c.high_water_file = dir.path().join("no/mark")), "folder that high_water_file");
    one(&with(&|c| c.admin_listen = Some(LoopbackAddress(c.listen))), "same address");
    one(&with(&|c| c.auditor_listen = Some(c.listen)), "auditor_listen");
    fs::create_dir(dir.path().join("data")).unwrap();
    one(&with(&|c| c.high_water_file = dir.path().join("data/mark")), "inside data_dir");
    fs::copy(dir.path().join("storage-key"), dir.path().join("data/key")).unwrap();
    one(&with(&|c| c.storage_key_file = dir.path().join("data/key")), "storage_key_file lies inside");
    fs::copy(dir.path().join("log-key"), dir.path().join("data/log-key")).unwrap();
    one(&with(&|c| c.log_key_file = dir.path().join("data/log-key")), "log_key_file lies inside");
    let several = with(&|c| {
        c.storage_key_file = dir.path().join("none");
        c.tls.certificate_file = dir.path().join("none");
    });
    assert_eq!(findings(&several, NOW).len(), 2);
    fs::set_permissions(dir.path().join("certs/gateway/key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    one(&good, "chmod 600");
}

#[test]
fn a_table_of_codes_beside_the_configuration_is_read_and_its_faults_are_found_at_their_line() {
    let dir = tempfile::tempdir().unwrap();
    whole(dir.path());
    let file = dir.path().join("samband.toml");
    let text = format!("nlk_codes_file = \"codes.csv\"\n{}", fs::read_to_string(&file).unwrap());
    fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    assert!(matches!(findings(&config, NOW).as_slice(), [one] if one.contains("codes.csv")), "no such file");
    let built_in = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/nlk_codes.csv")).unwrap();
    let codes = dir.path().join("codes.csv");
    let alcohol = "NPU00001,U-Etylglukuronid,URINE,ALCOHOL,no,2026-01-01,,a list\n";
    fs::write(&codes, format!("{built_in}{alcohol}")).unwrap();
    assert_eq!(findings(&config, NOW), Vec::<String>::new());
    let table = nlk_codes::load_nlk_codes(&codes).unwrap();
    assert!(table.lookup("NPU00001".parse().unwrap(), NOW.oslo_date()).is_some());
    fs::write(&codes, format!("{built_in}{alcohol}{alcohol}")).unwrap();
    let line = built_in.lines().count() + 2;
    let found = findings(&config, NOW);
    assert!(matches!(found.as_slice(), [one] if one.contains(&format!("codes.csv:{line}:1: "))), "{found:?}");
}

#[test]
fn dates_that_run_out_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = whole(dir.path());
    let after = |days: i64| NOW.plus_millis(days * DAY_MILLIS);
    let text = |config: &Config, days: i64| findings(config, after(days)).join("\n");
    // The list is due after a day or more; the grace is three days, unless there is none.
    assert!(text(&config, DUE_DAYS + 1).starts_with("warning: the revocation list of"));
    assert!(text(&config, DUE_DAYS + 4).starts_with("error: the revocation list of"));
    config.tls.crl_grace_s = Bounded::of(0);
    assert!(text(&config, DUE_DAYS + 1).starts_with("error: the revocation list of"));
    config.tls.crl_files = vec![];
    assert!(text(&config, 0).starts_with("warning: no crl_files"));
    for (days, word) in [(669, None), (671, Some("warning: ")), (729, Some("warning: ")), (740, Some("error: "))] {
        let found = findings(&config, after(days)).into_iter().find(|finding| finding.contains("gateway/cert.pem"));
        assert_eq!(found.as_deref().map(|finding| finding.starts_with(word.unwrap_or_default())), word.map(|_| true), "{days}: {found:?}");
    }
    // The gateway's own renewed meanwhile, the CA's end is the next.
    let leaf = crate::tls::issue::Leaf { not_after: after(2000), ..crate::tls::issue::Leaf::server("gateway", &["localhost"], NOW) };
    let renewed = pki::DevPki::at(&dir.path().join("certs")).authority().unwrap().issue(&leaf, &SeededEntropy::new(6)).unwrap();
    fs::write(dir.path().join("certs/gateway/cert.pem"), renewed.certificate_pem()).unwrap();
    crate::tls::files::write(&dir.path().join("certs/gateway/key.pem"), renewed.key_pem().as_bytes(), 0o600).unwrap();
    let ca = findings(&config, after(5 * 365 - 59)).into_iter().find(|finding| finding.contains("client_ca 'Samband development CA'"));
    assert!(ca.is_some_and(|finding| finding.starts_with("warning: ")));
}

#[test]
fn issuers_are_those_of_the_sample_and_test_cas_are_refused_in_production() {
    let text = fs::read_to_string(sample("samband.toml")).unwrap();
    let config = Config::parse(Path::new("x"), &text).unwrap();
    assert_eq!(config.identity_mode, IdentityMode::Production);
    let names: Vec<_> = config.trust.names().collect();
    assert_eq!(names, ["Buypass Class 3 CA G2 ST Business", "Buypass Class 3 CA G2 HT Business", "Commfides Legal Person - G3"]);
    config.tls_files().unwrap();
    // The commented part names the issuers' test CAs.
    let (before, test) = text.split_once("# -- test --\n").unwrap();
    let (test, after) = test.split_once("# -- end of test --\n").unwrap();
    let test: String = test.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap())).collect();
    let both = format!("{before}{test}{after}");
    let config = Config::parse(Path::new("x"), &both).unwrap();
    assert_eq!(config.trust.names().filter(|name| name.to_lowercase().contains("test")).count(), 3);
    let error = config.tls_files().unwrap_err().to_string();
    assert!(error.contains("'Buypass Class 3 Test4 CA G2 ST Business' is a test CA"), "{error}");
    let in_test = both.replace("identity_mode = \"production\"", "identity_mode = \"test\"");
    Config::parse(Path::new("x"), &in_test).unwrap().tls_files().unwrap();
    for (from, to, message) in [
        ("NTRNO-983163327", "983163327", "is not NTRNO-"),
        ("2.16.578.1.26.1.3.2", "2.16.x", "no object identifier"),
        ("common_name = \"Buypass Class 3 CA G2 ST Business\"", "common_name = \"Buypass Class 3 Test4 CA\"", "say test = true"),
        ("policies = [\"2.16.578.1.26.1.3.2\"]", "policies = []", "1 to 32"),
        ("policies =", "policy =", "unknown field"),
    ] {
        let error = Config::parse(Path::new("x"), &text.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(message) && error.starts_with("x:"), "{error}");
    }
}

#[test]
fn a_test_ca_among_the_client_cas_and_a_ca_without_a_list_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = whole(dir.path());
    let name = "Commfides Legal Person - G3 - TEST";
    let ca = crate::tls::issue::CertificateAuthority::new(name, NOW, &SeededEntropy::new(8)).unwrap();
    fs::write(dir.path().join("test-ca.pem"), ca.certificate_pem()).unwrap();
    config.tls.client_ca_files.push(dir.path().join("test-ca.pem"));
    let found = findings(&config, NOW);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("warning: ") && one.contains(name) && one.contains("no list")),
        "{found:?}"
    );
    config.identity_mode = IdentityMode::Production;
    let found = findings(&config, NOW);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("error: ") && one.contains("production needs [[trust.issuer]]")),
        "{found:?}"
    );
    let issuer =
        "[[issuer]]\ncommon_name = \"Issuing CA\"\norganisation_identifier = \"NTRNO-983163327\"\npolicies = [\"2.16.578.1.26.1.3.2\"]";
    config.trust = toml::from_str(issuer).unwrap();
    let found = findings(&config, NOW);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("error: ") && one.contains("test-ca.pem") && one.contains("is a test CA")),
        "{found:?}"
    );
}

#[test]
fn witnesses_are_those_of_a_policy_file_beside_the_configuration() {
    let text = fs::read_to_string(sample("samband.toml")).unwrap();
    let with = text.replace("# [witnesses]", "[witnesses]").replace("# policy_file", "policy_file").replace("# ca_files", "ca_files");
    let mut config = Config::parse(Path::new("x"), &with).unwrap();
    config.resolve(Path::new("/etc/samband"));
    let mut section = config.witnesses.unwrap();
    assert_eq!((section.policy_file.as_path(), section.submit_every_s.get()), (Path::new("/etc/samband/witnesses.policy"), 10));
    let refused = |from, to, message: &str| {
        let error = Config::parse(Path::new("x"), &with.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    };
    refused("policy_file =", "policies =", "unknown field");
    refused("[witnesses]", "[witnesses]\nsubmit_every_s = 0", "from 1 to 3600");

    let dir = tempfile::tempdir().unwrap();
    section.policy_file = dir.path().join("policy");
    let witness = crate::audit::cosignature::tests::TestWitness::new("witness.example/w1", 7).verifier;
    let mut load = |policy: String, cas: &[&str]| {
        fs::write(&section.policy_file, policy).unwrap();
        section.ca_files = cas.iter().map(PathBuf::from).collect();
        super::witnesses::load_witnesses(&section).map_err(|error| error.to_string())
    };
    assert_eq!(load(format!("witness w {witness} http://127.0.0.1:1/w\nquorum w\n"), &[]).unwrap().witnesses().len(), 1);
    assert!(load(format!("witness w {witness} https://w.example/w\nquorum w\n"), &["ca.pem"]).is_ok());
    for (policy, message) in [
        (format!("witness w {witness} https://w.example/w\nquorum w\n"), "ca_files"),
        (format!("witness w {witness}\nquorum w\n"), "URL"),
        (format!("witness w {witness} w.example\nquorum w\n"), "URL"),
        ("quorum none\n".to_owned(), "names no witness"),
        (format!("witness w {witness} http://w.example/w\nquorum v\n"), "policy:2:1: this name is not defined"),
    ] {
        let error = load(policy, &[]).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_bare_file_name_lies_in_the_current_folder() {
    for (file, folder) in [("samband.toml", "."), ("./samband.toml", "."), ("etc/samband.toml", "etc"), ("/samband.toml", "/")] {
        assert_eq!(super::folder_of(Path::new(file)), Path::new(folder), "{file}: an empty path cannot be opened");
    }
}
