//! Certificates in life, over real TLS: what changes on disk ends open streams within five seconds, and what cannot be used changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use samband::clock::{Clock as _, SeededEntropy};
use samband::domain::time::DAY_MILLIS;
use samband::grpc::pb;
use samband::grpc::pb::municipal_service_client::MunicipalServiceClient;
use samband::store::RecordFilter;
use samband::tls::TlsFiles;
use samband::tls::files;
use samband::tls::issue::{Issued, Leaf};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::harness::{OSLO, UNIT, World, noon, pki, refused, settings, tls_files};

const TRUST_LOADED: u16 = 7;
const RELOAD_FAILED: u16 = 8;
const REGISTER_LOADED: u16 = 4;
/// What the gateway promises: from the change of a file to the end of what it concerns.
const PROMISED: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway's folder: a list that names nobody, and a register in which the unit has two keys.
struct Folder {
    dir: tempfile::TempDir,
    old: Issued,
    new: Issued,
}

impl Folder {
    fn new() -> Self {
        let authority = pki().authority().unwrap();
        let number = pki_entry(UNIT)["organisation_number"].as_str().unwrap().parse().unwrap();
        let issue = |seed| authority.issue(&Leaf::client(UNIT, number, noon()), &SeededEntropy::new(seed)).unwrap();
        let folder = Self { dir: tempfile::tempdir().unwrap(), old: issue(31), new: issue(32) };
        for (name, issued) in [("old", &folder.old), ("new", &folder.new)] {
            files::write(&folder.path(&format!("{name}.pem")), issued.certificate_pem().as_bytes(), 0o644).unwrap();
            files::write(&folder.path(&format!("{name}.key.pem")), issued.key_pem().as_bytes(), 0o600).unwrap();
        }
        folder.revoke(&[], 0);
        folder.enrol(&["old", "new"], "active");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn key(&self, name: &str) -> &Issued {
        if name == "old" { &self.old } else { &self.new }
    }

    fn files(&self) -> TlsFiles {
        TlsFiles { crl_files: vec![self.path("crl.pem")], crl_grace_millis: DAY_MILLIS, ..tls_files() }
    }

    /// The unit's keys and standing; everyone else as in the development register.
    fn enrol(&self, keys: &[&str], standing: &str) {
        let mut register = pki_register();
        let unit = register["participant"].as_array_mut().unwrap().iter_mut().find(|entry| entry["id"].as_str() == Some(UNIT)).unwrap();
        let entry = |name: &&str| {
            let hash = toml::Value::String(self.key(name).key_hash().to_string());
            toml::Value::Table(
                [("hash".to_owned(), hash), ("label".to_owned(), toml::Value::String((*name).to_owned()))].into_iter().collect(),
            )
        };
        let unit = unit.as_table_mut().unwrap();
        unit.insert("keys".to_owned(), toml::Value::Array(keys.iter().map(entry).collect()));
        unit.insert("standing".to_owned(), toml::Value::String(standing.to_owned()));
        replace(&self.path("participants.toml"), &toml::to_string(&register).unwrap());
    }

    /// A list made `seconds` after the first one, due a day later.
    fn revoke(&self, revoked: &[&Issued], seconds: i64) {
        let at = noon().plus_millis(seconds * 1000);
        replace(&self.path("crl.pem"), &pki().authority().unwrap().crl(revoked, at, at.plus_millis(DAY_MILLIS)).unwrap());
    }

    async fn world(&self) -> World {
        World::watching(self.files(), &self.path("participants.toml")).await
    }

    fn client(&self, world: &World, key: &str) -> MunicipalServiceClient<Channel> {
        MunicipalServiceClient::new(world.channel_of(&self.path(&format!("{key}.pem")), &self.path(&format!("{key}.key.pem"))))
    }
}

fn pki_register() -> toml::Table {
    fs::read_to_string(pki().participants_file()).unwrap().parse().unwrap()
}

fn pki_entry(id: &str) -> toml::Value {
    pki_register()["participant"].as_array().unwrap().iter().find(|entry| entry["id"].as_str() == Some(id)).unwrap().clone()
}

/// As a careful operator replaces a file: whole, by a rename.
fn replace(path: &Path, text: &str) {
    files::write(path, text.as_bytes(), 0o644).unwrap();
}

type Stream = Streaming<pb::MunicipalServiceReceiveResponse>;

async fn open(client: &mut MunicipalServiceClient<Channel>, reader: &str) -> Stream {
    let request = pb::MunicipalServiceReceiveRequest { reader_id: reader.to_owned(), max_items: 0, until_empty: false };
    client.receive(request).await.unwrap().into_inner()
}

/// Whether this key may call: its look-up gets as far as to be answered.
async fn may_call(client: &mut MunicipalServiceClient<Channel>) -> Result<(), tonic::Status> {
    let request = pb::MunicipalServiceLookUpRequest::default();
    match client.look_up(request).await {
        Err(status) if status.code() != Code::InvalidArgument => Err(status),
        _ => Ok(()),
    }
}

/// Waits for the end of `stream` and says how long it took from `begun`.
async fn ended(stream: &mut Stream, begun: Instant, what: &str) {
    timeout(PATIENCE, stream.message()).await.expect("the stream ends").expect_err("by an error, not by an item or an end of its own");
    let took = begun.elapsed();
    println!("life: {what}: the open stream ended after {} ms", took.as_millis());
    assert!(took < PROMISED, "{what}: {took:?}");
}

async fn is_open(stream: &mut Stream) -> bool {
    timeout(Duration::from_millis(50), stream.message()).await.is_err()
}

/// What the administrative listener answers.
async fn admin(address: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

async fn until_recorded(world: &World, kind: u16, count: usize) {
    timeout(PATIENCE, async {
        while world.records(kind, None).await.len() < count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("the entry comes");
}

#[tokio::test]
async fn a_list_replaced_on_disk_ends_the_revoked_key_s_stream_and_nobody_else_s() {
    let folder = Folder::new();
    let world = folder.world().await;
    let (mut old, mut new) = (folder.client(&world, "old"), folder.client(&world, "new"));
    let (mut old_stream, mut new_stream) = (open(&mut old, "a").await, open(&mut new, "b").await);
    let begun = Instant::now();
    folder.revoke(&[&folder.old], 1);
    ended(&mut old_stream, begun, "a revocation list on disk").await;
    assert!(is_open(&mut new_stream).await, "another key of the same participant goes on");
    assert!(may_call(&mut old).await.is_err(), "and it does not come back");
    until_recorded(&world, TRUST_LOADED, 2).await;
    let notes: Vec<_> = world.records(TRUST_LOADED, None).await.into_iter().map(|record| record.note.unwrap()).collect();
    assert!(notes[0] != notes[1] && notes.iter().all(|note| note.len() == 64), "what was in force at the start, and what came: {notes:?}");
}

#[tokio::test]
async fn a_revocation_bites_in_time_beside_bad_and_restless_files_and_each_bad_one_is_an_entry() {
    let folder = Folder::new();
    let copy = |name: &str, from: &Path| {
        fs::copy(from, folder.path(name)).unwrap();
        folder.path(name)
    };
    let other = samband::tls::issue::CertificateAuthority::new("Other CA", noon(), &SeededEntropy::new(33)).unwrap();
    replace(&folder.path("other.pem"), other.certificate_pem());
    replace(&folder.path("other.crl.pem"), &other.crl(&[], noon(), noon().plus_millis(9 * DAY_MILLIS)).unwrap());
    let files = TlsFiles {
        certificate_file: copy("gateway.pem", &tls_files().certificate_file),
        client_ca_files: vec![copy("ca.pem", &pki().ca_file()), folder.path("other.pem")],
        crl_files: vec![folder.path("crl.pem"), folder.path("other.crl.pem")],
        ..folder.files()
    };
    let certificate = fs::read_to_string(folder.path("gateway.pem")).unwrap();
    let world = World::watching(files, &folder.path("participants.toml")).await;
    let (mut old, mut new) = (folder.client(&world, "old"), folder.client(&world, "new"));
    let (mut old_stream, mut new_stream) = (open(&mut old, "a").await, open(&mut new, "b").await);
    // Written anew all the time, well each time: the gateway's certificate with a comment before it.
    let restless = folder.path("gateway.pem");
    let writing = tokio::spawn(async move {
        for count in 0.. {
            replace(&restless, &format!("{}\n{certificate}", "x".repeat(count)));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    fs::write(folder.path("other.pem"), "nothing of the kind").unwrap();
    fs::write(folder.path("other.crl.pem"), "nor this").unwrap();
    until_recorded(&world, RELOAD_FAILED, 2).await;
    let begun = Instant::now();
    folder.revoke(&[&folder.old], 1);
    ended(&mut old_stream, begun, "a revocation list beside bad and restless files").await;
    assert!(is_open(&mut new_stream).await);
    writing.abort();
    let notes: Vec<_> = world.records(RELOAD_FAILED, None).await.into_iter().map(|record| record.note.unwrap()).collect();
    let of = |kind: &str| notes.iter().filter(|note| note.split(' ').next() == Some(kind)).count();
    assert_eq!((of("client_ca"), of("revocation_list"), notes.len()), (1, 1, 2), "{notes:?}");
}

#[tokio::test]
async fn a_ca_that_ends_before_the_certificates_that_it_issued_is_told_of_in_the_trailer_and_in_the_metrics() {
    use samband::tls::issue::{AuthorityName, CertificateAuthority};
    let folder = Folder::new();
    let entropy = SeededEntropy::new(34);
    let root = CertificateAuthority::root(&AuthorityName::plain("Root CA"), 1, noon(), &entropy).unwrap();
    let end = noon().plus_millis(59 * DAY_MILLIS);
    let issuing = root.subordinate(&AuthorityName::plain("Issuing CA"), end, noon(), &entropy).unwrap();
    replace(&folder.path("root.pem"), root.certificate_pem());
    let number = pki_entry(UNIT)["organisation_number"].as_str().unwrap().parse().unwrap();
    let issued = issuing.renew(&Leaf::client(UNIT, number, noon()), &folder.new.key_pem(), &entropy).unwrap();
    replace(&folder.path("new.pem"), &[issued.certificate_pem(), issuing.certificate_pem().to_owned()].concat());
    let files = TlsFiles { client_ca_files: vec![pki().ca_file(), folder.path("root.pem")], crl_files: vec![], ..folder.files() };
    let mut world = World::watching(files, &folder.path("participants.toml")).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    world.app.open_admin(listener);
    let trailer = "samband-certificate-expires";
    let answer = folder.client(&world, "new").look_up(pb::MunicipalServiceLookUpRequest::default()).await;
    let told = answer.map_or_else(|status| status.metadata().clone(), |answer| answer.metadata().clone());
    assert_eq!(told.get(trailer).unwrap(), end.to_string().as_str());
    let answer = folder.client(&world, "old").look_up(pb::MunicipalServiceLookUpRequest::default()).await;
    let told = answer.map_or_else(|status| status.metadata().clone(), |answer| answer.metadata().clone());
    assert!(told.get(trailer).is_none());
    let metrics = admin(address, "/metrics").await;
    let left = 59 * DAY_MILLIS / 1000;
    for line in [
        format!("samband_certificate_seconds_left{{kind=\"issuing_ca\",name=\"Issuing CA\",key=\"\"}} {left}\n"),
        format!("samband_certificate_seconds_left{{kind=\"participant\",name=\"{UNIT}\",key=\"new\"}} {left}\n"),
    ] {
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn a_participant_suspended_on_disk_loses_its_streams_and_is_told_why_when_it_calls() {
    let folder = Folder::new();
    let world = folder.world().await;
    let mut client = folder.client(&world, "new");
    let mut stream = open(&mut client, "a").await;
    let mut police = world.prosecution();
    let request = pb::ProsecutionServiceReceiveRequest { reader_id: "a".to_owned(), max_items: 0, until_empty: false };
    let mut other = police.receive(request).await.unwrap().into_inner();
    let begun = Instant::now();
    folder.enrol(&["old", "new"], "suspended");
    ended(&mut stream, begun, "a suspension on disk").await;
    refused(client.look_up(pb::MunicipalServiceLookUpRequest::default()).await, Code::PermissionDenied, "PARTICIPANT_SUSPENDED");
    assert!(timeout(Duration::from_millis(50), other.message()).await.is_err(), "{OSLO} goes on");
    folder.enrol(&["old", "new"], "active");
    until_recorded(&world, REGISTER_LOADED, 3).await;
    may_call(&mut client).await.unwrap();
}

#[tokio::test]
async fn of_two_keys_both_work_until_the_old_one_is_taken_out_on_disk() {
    let folder = Folder::new();
    folder.enrol(&["old"], "active");
    let world = folder.world().await;
    let (mut old, mut new) = (folder.client(&world, "old"), folder.client(&world, "new"));
    may_call(&mut old).await.unwrap();
    refused(new.look_up(pb::MunicipalServiceLookUpRequest::default()).await, Code::PermissionDenied, "NOT_ENROLLED");
    folder.enrol(&["old", "new"], "active");
    until_recorded(&world, REGISTER_LOADED, 2).await;
    may_call(&mut old).await.unwrap();
    may_call(&mut new).await.unwrap();
    let (mut old_stream, mut new_stream) = (open(&mut old, "a").await, open(&mut new, "b").await);
    let begun = Instant::now();
    folder.enrol(&["new"], "active");
    ended(&mut old_stream, begun, "a key taken out on disk").await;
    assert!(is_open(&mut new_stream).await, "the new key goes on");
    refused(old.look_up(pb::MunicipalServiceLookUpRequest::default()).await, Code::PermissionDenied, "NOT_ENROLLED");
    may_call(&mut new).await.unwrap();
}

#[tokio::test]
async fn of_what_is_read_at_once_the_register_comes_first_as_a_suspension_waits_for_no_list() {
    let folder = Folder::new();
    let world = folder.world().await;
    // The register before the list: should a look fall between the two, it takes them in the same order.
    folder.enrol(&["old", "new"], "suspended");
    folder.revoke(&[&folder.old], 1);
    world.app.reload_all().await;
    until_recorded(&world, TRUST_LOADED, 2).await;
    until_recorded(&world, REGISTER_LOADED, 2).await;
    let filter = RecordFilter { kinds: vec![REGISTER_LOADED, TRUST_LOADED], ..RecordFilter::default() };
    let loaded = world.store.records(&filter, 100).await.unwrap().entries;
    let kinds: Vec<u16> = loaded.into_iter().filter_map(|entry| entry.record).map(|record| record.kind).collect();
    assert_eq!(kinds[kinds.len() - 2..], [REGISTER_LOADED, TRUST_LOADED], "{kinds:?}");
}

#[tokio::test]
async fn a_bad_file_keeps_the_old_one_and_is_one_entry_however_long_it_lies_there() {
    let folder = Folder::new();
    let world = folder.world().await;
    let mut client = folder.client(&world, "new");
    let mut stream = open(&mut client, "a").await;
    let good = fs::read(folder.path("participants.toml")).unwrap();
    // Cut short in the middle, then a rule broken: an organisation number that changes.
    fs::write(folder.path("participants.toml"), &good[..good.len() / 2]).unwrap();
    fs::write(folder.path("crl.pem"), "-----BEGIN X509 CRL-----\n").unwrap();
    until_recorded(&world, RELOAD_FAILED, 2).await;
    world.app.reload_all().await;
    world.app.reload_all().await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let records = world.records(RELOAD_FAILED, None).await;
    let said: Vec<_> =
        records.iter().map(|record| (record.reason.unwrap(), record.note.as_deref().unwrap().split(' ').next().unwrap())).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.contains(&(3, "register")) && said.contains(&(3, "revocation_list")), "{said:?}");
    assert!(is_open(&mut stream).await);
    may_call(&mut client).await.unwrap();

    // Another bad content is another entry, but not within the minute.
    let renumbered =
        String::from_utf8(good.clone()).unwrap().replace(pki_entry(OSLO)["organisation_number"].as_str().unwrap(), "811111112");
    replace(&folder.path("participants.toml"), &renumbered);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.records(RELOAD_FAILED, None).await.len(), 2);
    world.clock.advance_millis(60_000);
    until_recorded(&world, RELOAD_FAILED, 3).await;
    let last = world.records(RELOAD_FAILED, None).await.pop().unwrap();
    assert_eq!((last.reason, last.count), (Some(10), Some(1)), "a rule: {:?}", last.note);
    assert_eq!(world.records(REGISTER_LOADED, None).await.len(), 1, "nothing of it came into force");
    fs::write(folder.path("participants.toml"), good).unwrap();
    folder.revoke(&[&folder.old], 1);
    until_recorded(&world, TRUST_LOADED, 2).await;
}

#[tokio::test]
async fn what_time_ends_is_ended_within_the_promise_between_two_sweeps_too() {
    use samband::gateway::Settings;
    let number = pki_entry(UNIT)["organisation_number"].as_str().unwrap().parse().unwrap();
    for what in ["a certificate past its end", "a list past its grace"] {
        let folder = Folder::new();
        // As in production: ten seconds between two sweeps.
        let settings = Settings { sweep_interval: Settings::default().sweep_interval, ..settings() };
        assert!(settings.sweep_interval > PROMISED);
        let world = World::watching_with(settings, folder.files(), &folder.path("participants.toml")).await;
        let days = if what.starts_with("a list") { 900 } else { 1 };
        let leaf = Leaf { not_after: noon().plus_millis(days * DAY_MILLIS), ..Leaf::client(UNIT, number, noon()) };
        let renewed = pki().authority().unwrap().renew(&leaf, &folder.new.key_pem(), &SeededEntropy::new(35)).unwrap();
        replace(&folder.path("new.pem"), &renewed.certificate_pem());
        let mut stream = open(&mut folder.client(&world, "new"), "a").await;
        let begun = Instant::now();
        world.clock.advance_millis(if days == 1 { DAY_MILLIS + 1000 } else { 2 * DAY_MILLIS + 1000 });
        ended(&mut stream, begun, what).await;
    }
}

#[tokio::test]
async fn a_list_past_its_grace_ends_the_streams_of_its_ca_and_refuses_it_until_a_new_one_is_there() {
    let folder = Folder::new();
    let mut world = folder.world().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    world.app.open_admin(listener);
    let mut client = folder.client(&world, "new");
    let mut stream = open(&mut client, "a").await;
    assert!(admin(address, "/readyz").await.ends_with("\r\n\r\nready\n"));
    let metrics = admin(address, "/metrics").await;
    let seen = format!("samband_certificate_seconds_left{{kind=\"participant\",name=\"{UNIT}\",key=\"new\"}} ");
    assert!(metrics.contains(&seen) && !metrics.contains("key=\"old\""), "who has called, and nobody else: {metrics}");
    world.clock.advance_millis(DAY_MILLIS + 3_600_000);
    assert!(is_open(&mut stream).await, "overdue by an hour, within the grace of a day");
    let ready = admin(address, "/readyz").await;
    assert!(
        ready.starts_with("HTTP/1.1 200 ") && ready.contains("warning: the revocation list of 'Samband development CA' is overdue"),
        "{ready}"
    );
    assert!(admin(address, "/metrics").await.contains("samband_revocation_list_seconds_left{issuer=\"Samband development CA\"} -3600"));
    may_call(&mut folder.client(&world, "old")).await.unwrap();
    let begun = Instant::now();
    world.clock.advance_millis(DAY_MILLIS);
    ended(&mut stream, begun, "a revocation list past its grace").await;
    assert!(may_call(&mut folder.client(&world, "old")).await.is_err());
    assert!(admin(address, "/metrics").await.contains("samband_revocation_list_closed{issuer=\"Samband development CA\"} 1"));
    let now = world.clock.now().millis() - noon().millis();
    folder.revoke(&[], now / 1000);
    until_recorded(&world, TRUST_LOADED, 2).await;
    may_call(&mut folder.client(&world, "new")).await.unwrap();
    world.clock.advance_millis(61_000);
    timeout(PATIENCE, async {
        let overdue = |record: &samband::audit::record::Record| {
            record.note.as_deref().is_some_and(|note| note.starts_with("revocation_list_overdue"))
        };
        while !world.records(42, None).await.iter().any(overdue) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .expect("refused handshakes are counted under their own reason");
}

#[tokio::test]
async fn what_a_wrong_clock_refused_is_read_again_as_soon_as_the_clock_is_right() {
    let folder = Folder::new();
    let world = folder.world().await;
    let mut client = folder.client(&world, "new");
    may_call(&mut client).await.unwrap();
    // A clock that is behind takes the newest list for one of the future, and the one before stays.
    world.clock.jump_millis(-30 * 60_000);
    // A list begins an hour before it is made.
    folder.revoke(&[&folder.new], 3600);
    until_recorded(&world, RELOAD_FAILED, 1).await;
    assert_eq!(world.records(TRUST_LOADED, None).await.len(), 1);
    world.clock.jump_millis(30 * 60_000);
    let begun = Instant::now();
    until_recorded(&world, TRUST_LOADED, 2).await;
    assert!(begun.elapsed() < PROMISED, "not only when all is read again, ten minutes later: {:?}", begun.elapsed());
    assert!(may_call(&mut client).await.is_err(), "what it revokes is revoked");
}

#[tokio::test]
async fn a_clock_that_was_ahead_locks_nobody_out_once_it_is_right_and_the_log_is_told_to_stand() {
    let folder = Folder::new();
    let mut world = folder.world().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    world.app.open_admin(listener);
    may_call(&mut folder.client(&world, "new")).await.unwrap();
    // Lists of one day and three days of grace: by a clock that is forty days ahead all are closed, and so are the connections.
    world.clock.jump_millis(40 * DAY_MILLIS);
    fs::write(folder.path("participants.toml"), "nothing of the kind").unwrap();
    until_recorded(&world, RELOAD_FAILED, 1).await;
    assert!(may_call(&mut folder.client(&world, "new")).await.is_err());
    world.clock.jump_millis(-40 * DAY_MILLIS);
    assert_eq!(world.store.now(), world.clock.now().plus_millis(40 * DAY_MILLIS));
    // At once: callers, ids, dates.
    may_call(&mut folder.client(&world, "new")).await.unwrap();
    world.noticed().await;
    let ready = admin(address, "/readyz").await;
    assert!(ready.contains("200 OK") && ready.contains("the log's time stands at"), "{ready}");
    world.clock.advance_millis(40 * DAY_MILLIS);
    assert!(!admin(address, "/readyz").await.contains("time stands"), "the clock has caught up");
}
