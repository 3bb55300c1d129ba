//! Certificates in life: revocation over the whole chain, lists past their time, issuers and policies, reloads that judge open connections anew.

use super::*;
use crate::domain::identity::IdentityMode;
use crate::tls::config::Taken;
use crate::tls::issue::AuthorityName;
use crate::tls::revocation::ListState;
use crate::tls::trust::TrustedIssuer;

const BUYPASS: &str = "Buypass Class 3 CA G2 ST Business";
const BUYPASS_NUMBER: &str = "NTRNO-983163327";
const POLICY: &str = "2.16.578.1.26.1.3.2";

pub(super) fn day(days: i64) -> Timestamp {
    NOW.plus_millis(days * DAY_MILLIS)
}

fn name(common_name: &str, identifier: &str) -> AuthorityName {
    AuthorityName { common_name: common_name.to_owned(), organisation_identifier: Some(identifier.to_owned()) }
}

/// Writes a list under a new name and renames it over the old one.
fn put(bench: &Bench, file: &str, text: &str) -> PathBuf {
    let path = bench.path(file);
    files::write(&path, text.as_bytes(), 0o644).unwrap();
    path
}

impl Bench {
    /// A client that shows its certificate and that of its issuer.
    fn chain_connector(&self, issued: &Issued, issuer: &CertificateAuthority, to: SocketAddr) -> Connector {
        self.shown_connector(issued, &[issuer], to)
    }

    /// A client that shows its certificate and those of `authorities`.
    fn shown_connector(&self, issued: &Issued, authorities: &[&CertificateAuthority], to: SocketAddr) -> Connector {
        let files = self.save("client", issued);
        let pems = authorities.iter().map(|authority| authority.certificate_pem()).collect::<String>();
        fs::write(&files.certificate_file, issued.certificate_pem() + &pems).unwrap();
        let settings = ClientSettings::load(&files, self.clock.clone()).unwrap();
        Connector::new(&settings, &to.to_string(), "localhost", Backoff::default()).unwrap()
    }

    async fn listen_by(&self, change: impl FnOnce(&mut TlsFiles)) -> Listening {
        let mut files = self.files(vec![]);
        change(&mut files);
        self.listen_with(TlsSettings::load(files, self.clock.clone()).unwrap(), Limits::default()).await
    }
}

impl Listening {
    /// Other files are in force after this, all of them.
    fn reload(&self) {
        let taken = self.settings.reload();
        assert!(taken.changed.is_some() && taken.refused.is_empty(), "{taken:?}");
    }

    /// As the gateway does after a reload and in its sweep: closes whom a new connection would be refused to.
    fn close_unwelcome(&self, at: Timestamp) -> usize {
        let round = self.settings.round(at);
        self.open.close_if(|peer| round.check(peer).is_err())
    }

    async fn refuses(&self, connector: &Connector, reason: HandshakeReason) {
        let before = self.heard.0.lock().len();
        assert!(is_refused(connector).await, "{reason:?}");
        assert_eq!(self.heard.wait_for(before + 1).await[before..], [reason]);
    }
}

#[tokio::test]
async fn revocation_refuses_new_connections_and_ends_open_ones() {
    let bench = Bench::new();
    let (one, two) = (bench.issue(&bench.leaf()), bench.issue(&bench.leaf()));
    let crl = |revoked: &[&Issued], at| bench.authority.crl(revoked, at, at.plus_millis(DAY_MILLIS)).unwrap();
    let file = put(&bench, "crl.pem", &crl(&[], NOW));
    let mut gateway = bench.listen_by(|files| files.crl_files = vec![file]).await;
    assert_eq!(gateway.settings.crl_next_update(), Some(day(1)));
    let connector = bench.connector(&one, gateway.address);
    let mut client = dial(&connector).await;
    let mut server = gateway.next().await;
    let _other_client = dial(&bench.connector(&two, gateway.address)).await;
    let other_server = gateway.next().await;
    assert_eq!(gateway.close_unwelcome(NOW), 0);

    put(&bench, "crl.pem", &crl(&[&one], NOW.plus_millis(1000)));
    gateway.reload();
    assert_eq!(gateway.settings.check(server.peer(), NOW), Err(HandshakeReason::Revoked));
    assert_eq!(gateway.settings.check(other_server.peer(), NOW), Ok(()));

    let reading = tokio::spawn(async move { server.read(&mut [0; 1]).await.map_err(|error| error.kind()) });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(gateway.close_unwelcome(NOW), 1);
    assert_eq!(timeout(PATIENCE, reading).await.unwrap().unwrap(), Err(std::io::ErrorKind::ConnectionAborted), "a waiting read wakes");
    assert!(matches!(timeout(PATIENCE, client.read(&mut [0; 1])).await.unwrap(), Ok(0) | Err(_)));
    assert!(!other_server.peer().is_closed());
    gateway.refuses(&connector, HandshakeReason::Revoked).await;
}

#[tokio::test]
async fn a_list_is_used_through_its_grace_and_then_closes_its_issuer() {
    let bench = Bench::new();
    let file = put(&bench, "crl.pem", &bench.authority.crl(&[], NOW, day(1)).unwrap());
    let other = CertificateAuthority::new("Other CA", NOW, &bench.entropy).unwrap();
    let other_file = put(&bench, "other.crl.pem", &other.crl(&[], NOW, day(9)).unwrap());
    let both = put(&bench, "both.pem", &[bench.authority.certificate_pem(), other.certificate_pem()].concat());
    let grace = |files: &mut TlsFiles| {
        files.client_ca_files = vec![both];
        files.crl_files = vec![file, other_file];
        files.crl_grace_millis = 2 * DAY_MILLIS;
    };
    let mut gateway = bench.listen_by(grace).await;
    let issued = bench.issue(&bench.leaf());
    let connector = bench.connector(&issued, gateway.address);
    let states = |at| gateway.settings.lists(at).iter().map(|list| (list.issuer.clone(), list.state)).collect::<Vec<_>>();
    let state_of = |at, name: &str| states(at).into_iter().find(|(issuer, _)| issuer == name).unwrap().1;

    bench.clock.set(day(1).plus_millis(1000));
    assert_eq!(state_of(bench.clock.now(), "Test CA"), ListState::Overdue);
    let (_one, open) = (dial(&connector).await, gateway.incoming.next().await.unwrap().unwrap());
    assert_eq!(gateway.close_unwelcome(bench.clock.now()), 0, "served within the grace");
    let foreign = other.issue(&bench.leaf(), &bench.entropy).unwrap();
    let (_two, foreign_open) = (dial(&bench.connector(&foreign, gateway.address)).await, gateway.incoming.next().await.unwrap().unwrap());

    bench.clock.set(day(3));
    assert_eq!(state_of(bench.clock.now(), "Test CA"), ListState::Closed);
    assert_eq!(gateway.settings.check(open.peer(), day(3)), Err(HandshakeReason::RevocationListOverdue));
    assert_eq!(gateway.close_unwelcome(day(3)), 1, "that issuer's and nobody else's");
    assert!(open.peer().is_closed() && !foreign_open.peer().is_closed());
    let again = bench.connector(&issued, gateway.address);
    gateway.refuses(&again, HandshakeReason::RevocationListOverdue).await;
    drop((open, foreign_open));

    put(&bench, "crl.pem", &bench.authority.crl(&[], day(3), day(4)).unwrap());
    gateway.reload();
    assert_eq!(state_of(day(3), "Test CA"), ListState::Current);
    let _client = dial(&again).await;
    let _server = gateway.next().await;
}

#[tokio::test]
async fn every_certificate_of_the_chain_is_held_against_its_issuers_list() {
    let bench = Bench::new();
    let entropy = &bench.entropy;
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, entropy).unwrap();
    let issuing = root.subordinate(&AuthorityName::plain("Issuing CA"), day(900), NOW, entropy).unwrap();
    let issued = issuing.issue(&bench.leaf(), entropy).unwrap();
    put(&bench, "root.pem", root.certificate_pem());
    let issuing_file = put(&bench, "issuing.pem", issuing.certificate_pem());
    let root_list = put(&bench, "root.crl.pem", &root.authority_crl(&[], NOW, day(9)).unwrap());
    let issuing_list = put(&bench, "issuing.crl.pem", &issuing.crl(&[], NOW, day(9)).unwrap());
    let root_file = bench.path("root.pem");
    let with = |lists: Vec<PathBuf>| {
        let (root_file, issuing_file) = (root_file.clone(), issuing_file.clone());
        move |files: &mut TlsFiles| {
            files.client_ca_files = vec![root_file];
            files.issuing_ca_files = vec![issuing_file];
            files.crl_files = lists;
        }
    };

    // A list of one of the two issuers alone leaves the other's certificate unknown, which is no.
    for lists in [vec![root_list.clone()], vec![issuing_list.clone()]] {
        let gateway = bench.listen_by(with(lists)).await;
        let connector = bench.chain_connector(&issued, &issuing, gateway.address);
        gateway.refuses(&connector, HandshakeReason::RevocationUnknown).await;
    }
    let mut gateway = bench.listen_by(with(vec![root_list, issuing_list])).await;
    let connector = bench.chain_connector(&issued, &issuing, gateway.address);
    let _client = dial(&connector).await;
    let open = gateway.next().await;

    // The root revokes the issuing CA: what it issued ends, too, though its own list names nobody.
    put(&bench, "root.crl.pem", &root.authority_crl(&[&issuing], NOW.plus_millis(1000), day(9)).unwrap());
    let told: Vec<_> = gateway.settings.reload().refused.iter().map(|refused| refused.error.fault()).collect();
    assert_eq!(told, [crate::audit::reload::ReloadFault::NotVouched; 2], "it vouches for its list no more");
    assert_eq!(gateway.settings.check(open.peer(), NOW), Err(HandshakeReason::Revoked));
    assert_eq!(gateway.close_unwelcome(NOW), 1);
    gateway.refuses(&connector, HandshakeReason::Revoked).await;

    // A root's list past its grace closes what stands below.
    let late = put(&bench, "late.crl.pem", &root.authority_crl(&[], NOW, day(1)).unwrap());
    let issuing_list = bench.path("issuing.crl.pem");
    let gateway = bench.listen_by(with(vec![late, issuing_list])).await;
    bench.clock.set(day(2));
    let connector = bench.chain_connector(&issued, &issuing, gateway.address);
    gateway.refuses(&connector, HandshakeReason::RevocationListOverdue).await;
}

#[tokio::test]
async fn an_intermediate_that_runs_out_and_an_anchor_that_is_taken_out_end_open_connections() {
    let bench = Bench::new();
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, &bench.entropy).unwrap();
    let issuing = root.subordinate(&AuthorityName::plain("Issuing CA"), day(10), NOW, &bench.entropy).unwrap();
    let both = [root.certificate_pem(), bench.authority.certificate_pem()].concat();
    let file = put(&bench, "both.pem", &both);
    let mut gateway = bench.listen_by(|files| files.client_ca_files = vec![file]).await;
    let below = issuing.issue(&bench.leaf(), &bench.entropy).unwrap();
    let _below = dial(&bench.chain_connector(&below, &issuing, gateway.address)).await;
    let below_open = gateway.next().await;
    let _direct = dial(&bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await;
    let direct_open = gateway.next().await;
    assert_eq!(gateway.close_unwelcome(day(9)), 0);
    assert_eq!(gateway.settings.check(below_open.peer(), day(11)), Err(HandshakeReason::Expired));
    assert_eq!(gateway.close_unwelcome(day(11)), 1);
    put(&bench, "both.pem", root.certificate_pem());
    gateway.reload();
    assert_eq!(gateway.settings.check(direct_open.peer(), NOW), Err(HandshakeReason::UnknownIssuer));
}

#[tokio::test]
async fn a_configured_ca_past_its_own_end_lets_nobody_in_and_ends_open_connections() {
    let bench = Bench::new();
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, &bench.entropy).unwrap();
    let pinned = root.subordinate(&AuthorityName::plain("Pinned CA"), day(10), NOW, &bench.entropy).unwrap();
    let file = put(&bench, "both.pem", &[pinned.certificate_pem(), bench.authority.certificate_pem()].concat());
    let list = put(&bench, "pinned.crl.pem", &pinned.crl(&[], NOW, day(90)).unwrap());
    let own_list = put(&bench, "crl.pem", &bench.authority.crl(&[], NOW, day(90)).unwrap());
    let mut gateway = bench.listen_by(|files| (files.client_ca_files, files.crl_files) = (vec![file], vec![list, own_list])).await;
    let below = pinned.issue(&bench.leaf(), &bench.entropy).unwrap();
    let connector = bench.connector(&below, gateway.address);
    let _below = dial(&connector).await;
    let below_open = gateway.next().await;
    let other = bench.connector(&bench.issue(&bench.leaf()), gateway.address);
    let _other = dial(&other).await;
    let other_open = gateway.next().await;
    // The last second is a valid one. Nothing is reloaded.
    let end = day(10).plus_millis(1000);
    assert_eq!(gateway.close_unwelcome(end.plus_millis(-1)), 0);
    assert_eq!(gateway.settings.check(below_open.peer(), end), Err(HandshakeReason::AuthorityExpired));
    assert_eq!(gateway.close_unwelcome(end), 1);
    assert!(below_open.peer().is_closed() && !other_open.peer().is_closed());
    bench.clock.set(end);
    gateway.refuses(&connector, HandshakeReason::AuthorityExpired).await;
    let _again = dial(&other).await;
    drop(gateway.next().await);
    let stranger = CertificateAuthority::new("Stranger CA", NOW, &bench.entropy).unwrap();
    let foreign = stranger.issue(&bench.leaf(), &bench.entropy).unwrap();
    gateway.refuses(&bench.connector(&foreign, gateway.address), HandshakeReason::UnknownIssuer).await;
    // A clock that was set back, and a reload at which no CA is in date any more.
    assert_eq!(gateway.settings.judge(&[below.certificate_der()], NOW), Ok(()));
    put(&bench, "both.pem", pinned.certificate_pem());
    gateway.settings.reload();
    assert_eq!(gateway.settings.judge(&[below.certificate_der()], end), Err(HandshakeReason::AuthorityExpired));
    assert_eq!(gateway.settings.judge(&[foreign.certificate_der()], end), Err(HandshakeReason::UnknownIssuer));
}

#[tokio::test]
async fn only_listed_issuers_and_policies_get_in_when_there_is_a_list() {
    let bench = Bench::new();
    let entropy = &bench.entropy;
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, entropy).unwrap();
    let listed = root.subordinate(&name(BUYPASS, BUYPASS_NUMBER), day(900), NOW, entropy).unwrap();
    let file = put(&bench, "root.pem", root.certificate_pem());
    let trust = Trust::new(vec![listed_issuer()], IdentityMode::Production).unwrap();
    let mut gateway = bench.listen_by(|files| (files.client_ca_files, files.trust) = (vec![file], trust)).await;
    let with = |policies: &[&str]| Leaf { policies: policies.iter().map(|oid| (*oid).to_owned()).collect(), ..bench.leaf() };
    let address = gateway.address;
    let connector =
        |issuer: &CertificateAuthority, leaf: &Leaf| bench.chain_connector(&issuer.issue(leaf, entropy).unwrap(), issuer, address);

    let _client = dial(&connector(&listed, &with(&["1.2.3", POLICY]))).await;
    drop(gateway.next().await);
    gateway.refuses(&connector(&listed, &with(&[])), HandshakeReason::PolicyNotListed).await;
    gateway.refuses(&connector(&listed, &with(&["2.16.578.1.26.1.3.20", "2.16.578.1.26.1.3"])), HandshakeReason::PolicyNotListed).await;
    // Other CAs below the same root, which a list of anchors alone would let in.
    for other in [name(BUYPASS, "NTRNO-988312495"), name("Buypass Class 2 CA 2", BUYPASS_NUMBER), AuthorityName::plain(BUYPASS)] {
        let other = root.subordinate(&other, day(900), NOW, entropy).unwrap();
        gateway.refuses(&connector(&other, &with(&[POLICY])), HandshakeReason::IssuerNotListed).await;
    }
    gateway.refuses(&bench.connector(&bench.issue(&with(&[POLICY])), address), HandshakeReason::UnknownIssuer).await;
}

/// The issuer of a production gateway.
fn listed_issuer() -> TrustedIssuer {
    TrustedIssuer::new(BUYPASS, BUYPASS_NUMBER, &[POLICY.to_owned()], false).unwrap()
}

#[tokio::test]
async fn a_name_that_does_not_tell_whether_it_is_a_test_ca_s_is_refused_in_production() {
    use rcgen::string::BmpString;
    use rcgen::{DistinguishedName, DnType, DnValue};
    let bench = Bench::new();
    let entropy = &bench.entropy;
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, entropy).unwrap();
    let file = put(&bench, "root.pem", root.certificate_pem());
    let identifier = |name: &mut DistinguishedName| name.push(DnType::CustomDnType(vec![2, 5, 4, 97]), BUYPASS_NUMBER);
    // The listed name and a test CA's beside it, in either order; and one in an alphabet of its own.
    let twice = |first: &str, second: &str| {
        let mut name = DistinguishedName::new();
        identifier(&mut name);
        name.push(DnType::CommonName, first);
        name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), second);
        name
    };
    let mut wide = DistinguishedName::new();
    identifier(&mut wide);
    wide.push(DnType::CommonName, DnValue::BmpString(BmpString::try_from("Buypass Class 3 Test4 CA G2 ST Business").unwrap()));
    for name in [twice(BUYPASS, "Test CA"), twice("Test CA", BUYPASS), twice(BUYPASS, BUYPASS), wide] {
        let issuer = root.subordinate_named(name, day(900), NOW, entropy).unwrap();
        let leaf = Leaf { policies: vec![POLICY.to_owned()], ..bench.leaf() };
        let issued = issuer.issue(&leaf, entropy).unwrap();
        let trust = Trust::new(vec![listed_issuer()], IdentityMode::Production).unwrap();
        let gateway = bench.listen_by(|files| (files.client_ca_files, files.trust) = (vec![file.clone()], trust.clone())).await;
        gateway.refuses(&bench.chain_connector(&issued, &issuer, gateway.address), HandshakeReason::UnclearName).await;
        // Pinned as a CA of the files it is refused at the start.
        let pinned = put(&bench, "pinned.pem", issuer.certificate_pem());
        let files = TlsFiles { client_ca_files: vec![pinned.clone()], trust, ..bench.files(vec![]) };
        assert!(matches!(TlsSettings::load(files, bench.clock.clone()), Err(TlsError::UnclearAuthority(named)) if named == pinned));
        // A list counts names in test mode, too; without one nobody asks.
        let trust = Trust::new(vec![listed_issuer()], IdentityMode::Test).unwrap();
        let gateway = bench.listen_by(|files| (files.client_ca_files, files.trust) = (vec![file.clone()], trust)).await;
        gateway.refuses(&bench.chain_connector(&issued, &issuer, gateway.address), HandshakeReason::UnclearName).await;
        let mut gateway = bench.listen_by(|files| files.client_ca_files = vec![file.clone()]).await;
        let _client = dial(&bench.chain_connector(&issued, &issuer, gateway.address)).await;
        drop(gateway.next().await);
    }
}

#[tokio::test]
async fn production_refuses_test_cas_and_test_policies_at_the_handshake_and_at_the_start() {
    let bench = Bench::new();
    let entropy = &bench.entropy;
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, entropy).unwrap();
    let file = put(&bench, "root.pem", root.certificate_pem());
    let below = |common_name: &str| root.subordinate(&name(common_name, BUYPASS_NUMBER), day(900), NOW, entropy).unwrap();
    let with = |policy: &str| Leaf { policies: vec![policy.to_owned()], ..bench.leaf() };
    let cases = [
        (below("Buypass Class 3 Test4 CA G2 ST Business"), with(POLICY)),
        (below("Commfides Legal Person - G3 - TEST"), with("2.16.578.1.29.913.210.1.0")),
        (below("Commfides Legal Person - G3"), with("2.16.578.1.29.913.210.1.0")),
        (below("Buypass Class 3 CA 3"), with("2.16.578.1.26.1.0.3.2")),
    ];
    for (mode, refused) in [(IdentityMode::Production, true), (IdentityMode::Test, false)] {
        let trust = Trust::new(if refused { vec![listed_issuer()] } else { vec![] }, mode).unwrap();
        let file = file.clone();
        let mut gateway = bench.listen_by(|files| (files.client_ca_files, files.trust) = (vec![file], trust)).await;
        for (issuer, leaf) in &cases {
            let connector = bench.chain_connector(&issuer.issue(leaf, entropy).unwrap(), issuer, gateway.address);
            if refused {
                gateway.refuses(&connector, HandshakeReason::TestCertificate).await;
            } else {
                let _client = dial(&connector).await;
                drop(gateway.next().await);
            }
        }
    }
    let anchor = CertificateAuthority::root(&name("Buypass Class 3 Test4 CA G2 HT Business", BUYPASS_NUMBER), 0, NOW, entropy).unwrap();
    let file = put(&bench, "test-ca.pem", anchor.certificate_pem());
    let trust = Trust::new(vec![listed_issuer()], IdentityMode::Production).unwrap();
    let files = TlsFiles { client_ca_files: vec![file.clone()], trust, ..bench.files(vec![]) };
    assert!(matches!(TlsSettings::load(files, bench.clock.clone()), Err(TlsError::TestAuthority { file: named, .. }) if named == file));
}

#[test]
fn of_a_certificate_that_is_to_be_entered_what_no_list_mends_is_said_before_the_list_that_is_missing() {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let bench = Bench::new();
    let entropy = &bench.entropy;
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, NOW, entropy).unwrap();
    let file = put(&bench, "root.pem", root.certificate_pem());
    let list = put(&bench, "root.crl.pem", &root.crl(&[], NOW, day(9)).unwrap());
    let trust = Trust::new(vec![listed_issuer()], IdentityMode::Production).unwrap();
    let settings =
        TlsSettings::load(TlsFiles { client_ca_files: vec![file], trust, ..bench.files(vec![list]) }, bench.clock.clone()).unwrap();
    for (issuer, policy, reason) in [
        (BUYPASS, POLICY, HandshakeReason::RevocationUnknown),
        (BUYPASS, "1.2.3", HandshakeReason::PolicyNotListed),
        ("Other CA", POLICY, HandshakeReason::IssuerNotListed),
        ("Buypass Class 3 Test4 CA G2 ST Business", POLICY, HandshakeReason::TestCertificate),
    ] {
        let issuer = root.subordinate(&name(issuer, BUYPASS_NUMBER), day(900), NOW, entropy).unwrap();
        let issued = issuer.issue(&Leaf { policies: vec![policy.to_owned()], ..bench.leaf() }, entropy).unwrap();
        let above = CertificateDer::from_pem_slice(issuer.certificate_pem().as_bytes()).unwrap();
        assert_eq!(settings.judge(&[issued.certificate_der(), above.as_ref()], NOW), Err(reason));
    }
}

#[tokio::test]
async fn two_keys_work_side_by_side_while_one_takes_over_from_the_other() {
    // Enrolment is the register's; to TLS both are certificates of one organisation.
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let (old, new) = (bench.issue(&bench.leaf()), bench.issue(&bench.leaf()));
    assert_ne!(old.key_hash(), new.key_hash());
    let mut held = Vec::new();
    for issued in [&old, &new] {
        held.push((dial(&bench.connector(issued, gateway.address)).await, gateway.next().await));
    }
    let organisations: Vec<_> = held.iter().map(|(_, server)| server.peer().identity().unwrap().organisation().to_string()).collect();
    assert_eq!(organisations, [NUMBER, NUMBER]);
}

#[tokio::test]
async fn a_bad_file_keeps_the_settings_and_is_named_with_its_kind_and_fault() {
    use crate::audit::reload::{ReloadFault as Fault, ReloadedFile as File};
    let bench = Bench::new();
    let file = put(&bench, "crl.pem", &bench.authority.crl(&[], NOW, day(9)).unwrap());
    let mut gateway = bench.listen_by(|files| files.crl_files = vec![file]).await;
    let settings = gateway.settings.clone();
    let digest = settings.digest();
    let all_good = |taken: Taken| taken.changed.is_none() && taken.refused.is_empty() && taken.good == [0, 1, 2, 3];
    assert!(all_good(settings.reload()));
    let names = ["gateway.pem", "gateway.key.pem", "ca.pem", "crl.pem"];
    let good = names.map(|name| fs::read(bench.path(name)).unwrap());
    let restore = || {
        for (name, bytes) in names.iter().zip(&good) {
            files::write(&bench.path(name), bytes, 0o600).unwrap();
        }
    };
    let blame = || {
        let mut taken = settings.reload();
        assert!(taken.changed.is_none() && settings.digest() == digest, "{taken:?}");
        let refused = taken.refused.pop().unwrap();
        assert!(taken.refused.is_empty() && !taken.good.contains(&refused.place));
        let (kind, path) = settings.files().all().nth(refused.place).unwrap();
        (kind, refused.error.fault(), path.file_name().unwrap().to_string_lossy().into_owned())
    };
    let write = |name: &str, bytes: &[u8]| files::write(&bench.path(name), bytes, 0o600).unwrap();
    let was = |kind: File, fault: Fault, name: &str| (kind, fault, name.to_owned());

    write("gateway.pem", &good[0][..good[0].len() / 2]);
    assert_eq!(blame(), was(File::Certificate, Fault::Malformed, "gateway.pem"));
    for (from, until) in [(-9, -1), (1, 9)] {
        let leaf = Leaf { not_before: day(from), not_after: day(until), ..Leaf::server("gateway", &["localhost"], NOW) };
        bench.save("gateway", &bench.issue(&leaf));
        assert_eq!(blame(), was(File::Certificate, Fault::NotValidNow, "gateway.pem"));
    }
    restore();
    write("gateway.key.pem", bench.issue(&bench.leaf()).key_pem().as_bytes());
    assert_eq!(blame(), was(File::Key, Fault::KeyMismatch, "gateway.key.pem"));
    restore();
    files::write(&bench.path("gateway.key.pem"), &good[1], 0o640).unwrap();
    assert_eq!(blame(), was(File::Key, Fault::Permissions, "gateway.key.pem"));
    restore();
    fs::remove_file(bench.path("ca.pem")).unwrap();
    assert_eq!(blame(), was(File::ClientCa, Fault::Unreadable, "ca.pem"));
    restore();
    write("ca.pem", b"");
    assert_eq!(blame(), was(File::ClientCa, Fault::Malformed, "ca.pem"));
    restore();
    write("crl.pem", &good[3][..good[3].len() / 2]);
    assert_eq!(blame(), was(File::RevocationList, Fault::Malformed, "crl.pem"));
    let namesake = CertificateAuthority::new("Test CA", NOW, &bench.entropy).unwrap();
    write("crl.pem", namesake.crl(&[], NOW.plus_millis(1000), day(9)).unwrap().as_bytes());
    assert_eq!(blame(), was(File::RevocationList, Fault::NotSigned, "crl.pem"));
    write("crl.pem", bench.authority.crl(&[], day(-1), day(9)).unwrap().as_bytes());
    assert_eq!(blame(), was(File::RevocationList, Fault::OlderList, "crl.pem"));
    restore();
    assert!(all_good(settings.reload()));
    assert_eq!(settings.digest(), digest);
    let _client = dial(&bench.connector(&bench.issue(&bench.leaf()), gateway.address)).await;
    let _server = gateway.next().await;

    // The digest is made as its description says, so that anyone can make it again.
    let line =
        |kind: &str, bytes: &[u8]| format!("{kind} {}\n", crate::tls::peer::sha256(bytes).map(|byte| format!("{byte:02x}")).concat());
    let text = [line("certificate", &good[0]), line("client_ca", &good[2]), line("revocation_list", &good[3])].concat();
    assert_eq!(digest, crate::tls::peer::sha256(text.as_bytes()));
}

#[tokio::test]
async fn a_list_may_be_der_as_issuers_publish_it() {
    let bench = Bench::new();
    let revoked = bench.issue(&bench.leaf());
    let file = put(&bench, "crl.pem", &bench.authority.crl(&[&revoked], NOW, day(1)).unwrap());
    let der = files::read_crls(&file).unwrap().remove(0);
    let file = bench.path("list.crl");
    fs::write(&file, &der).unwrap();
    let gateway = bench.listen_by(|files| files.crl_files = vec![file]).await;
    gateway.refuses(&bench.connector(&revoked, gateway.address), HandshakeReason::Revoked).await;
}

#[tokio::test]
async fn a_chain_that_would_cost_much_is_refused_unverified_whatever_its_certificates_say() {
    let bench = Bench::new();
    let mut gateway = bench.listen().await;
    let (good, to) = (bench.issue(&bench.leaf()), gateway.address);
    // Anybody can make these in the name that the gateway's greeting tells.
    let own = [(); 8].map(|()| CertificateAuthority::new("Test CA", NOW, &bench.entropy).unwrap());
    let own: Vec<_> = own.iter().collect();
    let strange = own[0].issue(&bench.leaf(), &bench.entropy).unwrap();
    gateway.refuses(&bench.shown_connector(&strange, &own[..2], to), HandshakeReason::UnknownIssuer).await;
    gateway.refuses(&bench.shown_connector(&strange, &own[..3], to), HandshakeReason::ChainTooLong).await;
    gateway.refuses(&bench.shown_connector(&strange, &own, to), HandshakeReason::ChainTooLong).await;
    // Its own good chain helps nobody who sends so much along.
    gateway.refuses(&bench.shown_connector(&good, &own, to), HandshakeReason::ChainTooLong).await;
    let _stream = dial(&bench.shown_connector(&good, &[&bench.authority, &bench.authority], to)).await;
    gateway.next().await;
}

#[tokio::test]
async fn a_configured_ca_that_is_not_valid_yet_lets_nobody_in() {
    let bench = Bench::new();
    let early = CertificateAuthority::new("Early CA", day(2), &bench.entropy).unwrap();
    let (_, section) = x509_parser::pem::parse_x509_pem(early.certificate_pem().as_bytes()).unwrap();
    let begins = Timestamp::from_millis(section.parse_x509().unwrap().validity().not_before.timestamp() * 1000);
    let file = put(&bench, "both.pem", &[early.certificate_pem(), bench.authority.certificate_pem()].concat());
    let gateway = bench.listen_by(|files| files.client_ca_files = vec![file]).await;
    let leaf = early.issue(&bench.leaf(), &bench.entropy).unwrap();
    assert!(NOW < begins);
    gateway.refuses(&bench.connector(&leaf, gateway.address), HandshakeReason::AuthorityNotYetValid).await;
    let judge = |at| gateway.settings.judge(&[leaf.certificate_der()], at);
    assert_eq!(judge(begins.plus_millis(-1)), Err(HandshakeReason::AuthorityNotYetValid));
    assert_eq!(judge(begins), Ok(()), "nothing is reloaded");
    let other = bench.issue(&bench.leaf());
    assert_eq!(gateway.settings.judge(&[other.certificate_der()], NOW), Ok(()));
    let warnings = |at| gateway.settings.warnings(at);
    assert!(matches!(&warnings(NOW)[..], [early] if early.contains("'Early CA'") && early.contains("before")));
    assert_eq!((warnings(begins), gateway.settings.has_authority(NOW)), (vec![], true));
    let late = day(365 * 9);
    assert!(warnings(late).len() == 2 && !gateway.settings.has_authority(late), "{:?}", warnings(late));
}

#[tokio::test]
async fn connections_that_showed_the_same_chain_are_judged_once_in_a_round() {
    let bench = Bench::new();
    let (one, two) = (bench.issue(&bench.leaf()), bench.issue(&bench.leaf()));
    let file = put(&bench, "crl.pem", &bench.authority.crl(&[], NOW, day(1)).unwrap());
    let mut gateway = bench.listen_by(|files| files.crl_files = vec![file]).await;
    let mut clients = Vec::new();
    let mut servers = Vec::new();
    for issued in [&one, &one, &one, &two] {
        clients.push(dial(&bench.connector(issued, gateway.address)).await);
        servers.push(gateway.next().await);
    }
    let round = |at| {
        let round = gateway.settings.round(at);
        let closed = gateway.open.close_if(|peer| round.check(peer).is_err());
        (closed, round.judged())
    };
    assert_eq!(round(NOW), (0, 0), "the handshakes have judged them");
    put(&bench, "crl.pem", &bench.authority.crl(&[&one], NOW.plus_millis(1000), day(1)).unwrap());
    gateway.reload();
    assert_eq!(round(NOW), (3, 2));
    assert_eq!(round(NOW), (0, 0), "and who stayed is judged once for all rounds");
    assert!(servers[..3].iter().all(|server| server.peer().is_closed()) && !servers[3].peer().is_closed());
}
