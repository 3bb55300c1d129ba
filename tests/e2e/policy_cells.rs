//! The policy table over the wire: eighteen cells, and every call by every role.

use bytes::Bytes;
use samband::domain::participant::Role;
use samband::policy::reason::Reason;
use samband::policy::table::{FLOWS, Verb, role_of};
use tonic::Code;

use crate::harness::{AUDITOR, LAB, MIRROR, OSLO, UNIT, World, raw_call, reason, refused};

const REFUSED: u16 = 40;

const fn participant_of(role: Role) -> &'static str {
    match role {
        Role::Prosecution => OSLO,
        Role::MunicipalUnit => UNIT,
        Role::Laboratory => LAB,
        Role::Auditor => AUDITOR,
        Role::Mirror => MIRROR,
    }
}

fn path(verb: Verb) -> String {
    format!("/samband.v1.{}", verb.call())
}

#[tokio::test]
async fn of_eighteen_cells_six_are_open_and_twelve_refuse_and_leave_an_event() {
    let world = World::start().await;
    let mut open = 0;
    for role in [Role::Prosecution, Role::MunicipalUnit, Role::Laboratory] {
        let who = participant_of(role);
        for flow in FLOWS {
            for verb in [flow.send, flow.receive] {
                let before = world.records(REFUSED, Some(who)).await.len();
                let answer = raw_call(world.channel(who), &path(verb), Bytes::new()).await;
                let left = world.records(REFUSED, Some(who)).await;
                if role_of(verb) == role {
                    open += 1;
                    let told = reason(&answer.unwrap_err());
                    assert_ne!(told, "CALL_NOT_ALLOWED", "{who} {}", verb.call());
                    assert_eq!(
                        left.last().and_then(|record| record.verb),
                        Some(verb.number()),
                        "an empty request is refused on its own account"
                    );
                } else {
                    refused(answer, Code::PermissionDenied, "CALL_NOT_ALLOWED");
                    assert_eq!(left.len(), before + 1, "{who} {}", verb.call());
                    let record = left.last().unwrap();
                    assert_eq!(record.verb, Some(verb.number()));
                    assert_eq!(record.reason, Some(Reason::CallNotAllowed.number()));
                }
            }
        }
    }
    // Receive of the prosecution is one call for two of its messages.
    assert_eq!(open, 6);
}

#[tokio::test]
async fn every_call_is_its_own_roles_and_no_other_may_make_it() {
    let world = World::start().await;
    for role in Role::ALL {
        let who = participant_of(role);
        let channel = world.channel(who);
        let mut wanted = Vec::new();
        for verb in Verb::ALL {
            let answer = raw_call(channel.clone(), &path(*verb), Bytes::new()).await;
            if role_of(*verb) == role {
                assert!(
                    answer.as_ref().err().is_none_or(|status| status.code() != Code::PermissionDenied),
                    "{who} {}: {answer:?}",
                    verb.call()
                );
            } else {
                refused(answer, Code::PermissionDenied, "CALL_NOT_ALLOWED");
                wanted.push(verb.number());
            }
        }
        let events = world.records(REFUSED, Some(who)).await;
        let not_allowed = |record: &&samband::audit::record::Record| record.reason == Some(Reason::CallNotAllowed.number());
        let left: Vec<u16> = events.iter().filter(not_allowed).filter_map(|record| record.verb).collect();
        assert_eq!(left, wanted, "one event for each refusal of {who}");
    }
}

#[tokio::test]
async fn a_wrong_role_is_refused_before_its_body_is_read() {
    let world = World::start().await;
    let answer = raw_call(world.channel(LAB), &path(Verb::SendNotice), Bytes::from_static(&[0xff; 64])).await;
    refused(answer, Code::PermissionDenied, "CALL_NOT_ALLOWED");
    let answer = raw_call(world.channel(OSLO), &path(Verb::SendNotice), Bytes::from_static(&[0xff; 64])).await;
    refused(answer, Code::InvalidArgument, "MALFORMED_REQUEST");
}
