//! Who may be anybody at all, and what happens when that ends.

use std::time::Duration;

use samband::domain::participant::{Participant, Register, RegisterError, Role, Standing};
use samband::gateway::{LoadError, Loaded};
use samband::grpc::pb;
use samband::grpc::pb::municipal_service_client::MunicipalServiceClient;
use samband::grpc::server::ServerLimits;
use samband::tls::issue::Leaf;
use samband::{clock::SeededEntropy, tls::ClientSettings};
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::harness::{Kind, OSLO, UNIT, World, noon, pki, raw_call, refused, register_of, settings};

const STRANGERS: u16 = 42;
const SOON: Duration = Duration::from_secs(10);

pub fn changed(world: &World, change: impl FnOnce(&mut Vec<Participant>)) -> Register {
    let in_force = world.store.register();
    let mut participants: Vec<Participant> = in_force.iter().map(|entry| Participant::clone(entry)).collect();
    change(&mut participants);
    Register::new(in_force.generation() + 1, participants, &|_| true).unwrap()
}

fn stranger(world: &World) -> tonic::transport::Channel {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = issue_stranger(dir.path());
    world.channel_of(&certificate, &key)
}

/// A certificate of the right CA that nobody enrolled, and its key.
pub fn issue_stranger(dir: &std::path::Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let leaf = Leaf::client("fremmed", "811111112".parse().unwrap(), noon());
    let issued = pki().authority().unwrap().issue(&leaf, &SeededEntropy::new(77)).unwrap();
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    samband::tls::files::write(&certificate, issued.certificate_pem().as_bytes(), 0o644).unwrap();
    samband::tls::files::write(&key, issued.key_pem().as_bytes(), 0o600).unwrap();
    (certificate, key)
}

#[tokio::test]
async fn a_certificate_that_is_not_enrolled_is_told_so_and_counted() {
    let world = World::start().await;
    let mut client = MunicipalServiceClient::new(stranger(&world));
    let answer = client.look_up(pb::MunicipalServiceLookUpRequest::default()).await;
    let status = refused(answer, Code::PermissionDenied, "NOT_ENROLLED");
    assert_eq!(status.get_details_error_info().unwrap().metadata["identity"], "KEY_NOT_ENROLLED");
    world.clock.advance_millis(61_000);
    timeout(SOON, async {
        while world.records(STRANGERS, None).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let record = &world.records(STRANGERS, None).await[0];
    assert_eq!(record.count, Some(1));
    assert!(record.note.as_ref().unwrap().starts_with("KEY_NOT_ENROLLED"));
}

#[tokio::test]
async fn health_answers_every_certificate_and_reflection_enrolled_ones_only() {
    let world = World::start().await;
    let ask = |service: &str| tonic_health::pb::HealthCheckRequest { service: service.to_owned() };
    for service in ["", "samband.v1.MunicipalService"] {
        let answer = HealthClient::new(stranger(&world)).check(ask(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
    }
    refused(HealthClient::new(world.channel(OSLO)).check(ask("x")).await, Code::NotFound, "BAD_ARGUMENT");
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        // list_services = 7, empty string
        let list = bytes::Bytes::from_static(&[0x3a, 0]);
        let answer = raw_call(world.channel(OSLO), &path, list.clone()).await.unwrap().unwrap();
        assert!(answer.windows(27).any(|part| part == b"samband.v1.MunicipalService"));
        refused(raw_call(stranger(&world), &path, list).await, Code::PermissionDenied, "NOT_ENROLLED");
    }
}

#[tokio::test]
async fn without_a_certificate_nothing_is_answered() {
    let world = World::start().await;
    let settings = ClientSettings::without_certificate(&[pki().ca_file()], world.clock.clone()).unwrap();
    let mut client = HealthClient::new(world.channel_with(&settings));
    assert!(timeout(SOON, client.check(tonic_health::pb::HealthCheckRequest::default())).await.unwrap().is_err());
}

#[tokio::test]
async fn a_suspended_participant_is_refused_everything_and_its_mail_waits() {
    let world = World::start().await;
    let suspended = changed(&world, |all| all.iter_mut().find(|one| one.id.as_str() == UNIT).unwrap().standing = Standing::Suspended);
    assert_eq!(world.app.load_register(&suspended, [2; 32]).await.unwrap(), Loaded::Generation(2));
    let (request, _) = world.noticed().await;
    let answer = world.unit().look_up(pb::MunicipalServiceLookUpRequest::default()).await;
    refused(answer, Code::PermissionDenied, "PARTICIPANT_SUSPENDED");
    assert_eq!(world.status_of(&request.message_id).await, pb::DeliveryStatus::RecipientSuspended);
}

#[tokio::test]
async fn a_key_that_is_taken_out_loses_its_open_stream_and_connection() {
    let world = World::start().await;
    let mut client = world.unit();
    let request = pb::MunicipalServiceReceiveRequest { reader_id: "a".to_owned(), max_items: 0, until_empty: false };
    let mut stream = client.receive(request).await.unwrap().into_inner();
    let other = changed(&world, |all| {
        let hash = all.iter().find(|one| one.id.as_str() == UNIT).unwrap().keys[0].hash;
        let one = all.iter_mut().find(|one| one.id.as_str() == UNIT).unwrap();
        let mut bytes = hash.to_string().into_bytes();
        let last = bytes.last_mut().unwrap();
        *last = if *last == b'0' { b'1' } else { b'0' };
        one.keys[0].hash = String::from_utf8(bytes).unwrap().parse().unwrap();
    });
    world.app.load_register(&other, [2; 32]).await.unwrap();
    assert!(timeout(SOON, stream.message()).await.unwrap().is_err(), "the stream ends");
    let answer = client.look_up(pb::MunicipalServiceLookUpRequest::default()).await;
    assert!(answer.is_err());
    let answer = world.unit().look_up(pb::MunicipalServiceLookUpRequest::default()).await;
    refused(answer, Code::PermissionDenied, "NOT_ENROLLED");
}

#[tokio::test]
async fn a_register_is_held_against_the_one_in_force() {
    let world = World::start().await;
    assert_eq!(world.app.load_register(&register_of(1), [9; 32]).await.unwrap(), Loaded::Unchanged);
    world.noticed().await;
    let without = changed(&world, |all| all.retain(|one| one.id.as_str() != UNIT));
    let error = world.app.load_register(&without, [2; 32]).await.unwrap_err();
    assert!(matches!(error, LoadError::Register(RegisterError::Removed(_))), "{error}");
    let renumbered = changed(&world, |all| {
        all.iter_mut().find(|one| one.id.as_str() == UNIT).unwrap().organisation_number = "811111112".parse().unwrap();
    });
    let error = world.app.load_register(&renumbered, [2; 32]).await.unwrap_err();
    assert!(matches!(error, LoadError::Register(RegisterError::Changed(_))), "{error}");
}

#[tokio::test]
async fn an_id_that_was_missing_from_one_register_comes_back_for_whom_it_stood_for_and_nobody_else() {
    let world = World::on(Kind::Embedded, settings(), ServerLimits::default()).await;
    let before = world.store.register();
    let without = changed(&world, |all| all.retain(|one| one.id.as_str() != UNIT));
    world.app.load_register(&without, [2; 32]).await.unwrap();
    refused(world.unit().look_up(pb::MunicipalServiceLookUpRequest::default()).await, Code::PermissionDenied, "NOT_ENROLLED");
    // The next start reads it from the store.
    let world = world.restarted().await;
    let again = |change: &dyn Fn(&mut Participant)| {
        let mut all: Vec<_> = before.iter().map(|one| Participant::clone(one)).collect();
        change(all.iter_mut().find(|one| one.id.as_str() == UNIT).unwrap());
        Register::new(world.store.register().generation() + 1, all, &|_| true).unwrap()
    };
    let renumbered = again(&|one| one.organisation_number = "811111112".parse().unwrap());
    let error = world.app.load_register(&renumbered, [3; 32]).await.unwrap_err();
    assert!(matches!(error, LoadError::Register(RegisterError::UsedByOther(_))), "{error}");
    let with_other_role = again(&|one| (one.role, one.municipalities) = (Role::Laboratory, Vec::new()));
    let error = world.app.load_register(&with_other_role, [3; 32]).await.unwrap_err();
    assert!(matches!(error, LoadError::Register(RegisterError::UsedByOther(_))), "{error}");
    let suspended = again(&|one| one.standing = Standing::Suspended);
    world.app.load_register(&suspended, [4; 32]).await.expect("and whoever is suspended in the same file is");
    refused(world.unit().look_up(pb::MunicipalServiceLookUpRequest::default()).await, Code::PermissionDenied, "PARTICIPANT_SUSPENDED");
    world.app.load_register(&again(&|_| ()), [5; 32]).await.unwrap();
    world.unit().look_up(pb::MunicipalServiceLookUpRequest::default()).await.unwrap();
}
