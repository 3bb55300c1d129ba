//! A test for each rule of the register of participants.

use super::*;

fn participant(name: &str, role: Role, key: u8, municipalities: &[&str]) -> Participant {
    Participant {
        id: name.parse().unwrap(),
        name: name.to_uppercase(),
        role,
        organisation_number: "800000017".parse().unwrap(),
        keys: vec![EnrolledKey { hash: KeyHash::from_bytes([key; 32]), label: "hoved".into(), operated_by: None }],
        municipalities: municipalities.iter().map(|number| number.parse().unwrap()).collect(),
        contacts: Vec::new(),
        administrative_system: role == Role::MunicipalUnit,
        successor: None,
        standing: Standing::Active,
        scope: (role == Role::Auditor).then_some(AuditScope::All),
    }
}

fn usual() -> Vec<Participant> {
    vec![
        participant("politi-oslo", Role::Prosecution, 1, &[]),
        participant("ru-oslo", Role::MunicipalUnit, 2, &["0301"]),
        participant("ru-hamar", Role::MunicipalUnit, 3, &["3403", "3411"]),
    ]
}

fn refused(change: impl FnOnce(&mut Vec<Participant>)) -> RegisterError {
    let mut participants = usual();
    change(&mut participants);
    Register::new(1, participants, &|number| number.to_string() != "9999").unwrap_err()
}

fn id(text: &str) -> ParticipantId {
    text.parse().unwrap()
}

#[test]
fn one_unit_serves_many_municipalities() {
    let register = Register::new(1, usual(), &|_| true).unwrap();
    for number in ["3403", "3411"] {
        assert_eq!(register.unit_of(number.parse().unwrap()).unwrap().id, id("ru-hamar"));
    }
    assert!(register.unit_of("5501".parse().unwrap()).is_none());
}

#[test]
fn one_municipality_has_one_unit() {
    let error = refused(|all| all[2].municipalities.push("0301".parse().unwrap()));
    assert_eq!(error, RegisterError::MunicipalityTwice(id("ru-hamar")));
}

#[test]
fn a_unit_without_an_administrative_system_is_not_enrolled() {
    assert_eq!(refused(|all| all[1].administrative_system = false), RegisterError::NotAdministrative(id("ru-oslo")));
}

#[test]
fn only_a_unit_serves_municipalities_and_it_serves_one_at_least() {
    assert_eq!(refused(|all| all[1].municipalities.clear()), RegisterError::Municipalities(id("ru-oslo")));
    assert_eq!(refused(|all| all[0].municipalities.push("5501".parse().unwrap())), RegisterError::Municipalities(id("politi-oslo")));
    assert_eq!(refused(|all| all[1].municipalities.push("9999".parse().unwrap())), RegisterError::UnknownMunicipality(id("ru-oslo")));
}

#[test]
fn ids_and_keys_stand_once() {
    assert_eq!(refused(|all| all[2].id = id("ru-oslo")), RegisterError::DuplicateId(id("ru-oslo")));
    assert_eq!(refused(|all| all[2].keys = all[1].keys.clone()), RegisterError::DuplicateKey(id("ru-hamar")));
    assert_eq!(refused(|all| all[0].keys.clear()), RegisterError::Keys(id("politi-oslo")));
    assert_eq!(refused(|all| all[0].keys[0].label = "-a".into()), RegisterError::Shape(id("politi-oslo")));
    assert_eq!(refused(|all| all[0].name.clear()), RegisterError::Shape(id("politi-oslo")));
}

#[test]
fn a_successor_is_another_participant_of_the_same_role() {
    for successor in ["politi-oslo", "ru-ukjent", "ru-oslo"] {
        assert_eq!(refused(|all| all[1].successor = Some(id(successor))), RegisterError::Successor(id("ru-oslo")), "{successor}");
    }
}

#[test]
fn a_unit_can_say_nothing_of_a_person_in_its_own_contact() {
    let contact = |role_name: &str, email: Option<&str>| Contact {
        key: "enhet".into(),
        role_name: role_name.into(),
        phone: Some("+4721000000".into()),
        email: email.map(Into::into),
    };
    assert_eq!(contact("Vakt", Some("ru.vakt@oslo.example")).check_own(), Ok(()));
    for role_name in ["Kari har mott", "Vakt 12848930057", "", "vakt"] {
        assert_eq!(contact(role_name, None).check_own(), Err(("role_name", InvalidParticipant::OwnRoleName)), "{role_name}");
    }
    for email in ["12848930057@oslo.example", "a_b@oslo.example", "@oslo.example", &format!("{}@oslo.example", "a".repeat(41))] {
        assert_eq!(contact("Vakt", Some(email)).check_own(), Err(("email", InvalidParticipant::OwnEmail)), "{email}");
    }
    let bad_phone = Contact { phone: Some("21000000".into()), ..contact("Vakt", None) };
    assert_eq!(bad_phone.check_own(), Err(("phone", InvalidParticipant::Contact)));
}

/// The usual register with an auditor, as `change` makes it, read from a file.
fn readers(change: impl FnOnce(&mut Participant)) -> Result<(), RegisterError> {
    let mut participants = usual();
    let mut auditor = participant("tilsyn", Role::Auditor, 9, &[]);
    change(&mut auditor);
    participants.push(auditor);
    Register::new(1, participants, &|_| true).unwrap().check_readers()
}

#[test]
fn an_auditor_has_a_scope_of_parties_and_nobody_else_has_one() {
    let participants = |names: &[&str]| Some(AuditScope::Participants(names.iter().map(|name| id(name)).collect()));
    let municipalities =
        |numbers: &[&str]| Some(AuditScope::Municipalities(numbers.iter().map(|number| number.parse().unwrap()).collect()));
    assert_eq!(readers(|_| ()), Ok(()));
    for scope in [participants(&["ru-oslo", "politi-oslo"]), municipalities(&["0301"]), municipalities(&["3403", "3411"])] {
        assert_eq!(readers(|auditor| auditor.scope = scope), Ok(()));
    }
    assert_eq!(readers(|auditor| auditor.scope = None), Err(RegisterError::ScopeMissing(id("tilsyn"))));
    for scope in [participants(&[]), participants(&["ru-gone"]), participants(&["tilsyn"]), municipalities(&["1103"]), municipalities(&[])]
    {
        assert_eq!(readers(|auditor| auditor.scope = scope), Err(RegisterError::ScopeUnknown(id("tilsyn"))));
    }
    assert_eq!(readers(|auditor| auditor.scope = municipalities(&["3403"])), Err(RegisterError::ScopeCutsUnit(id("tilsyn"))));
    let mut participants = usual();
    participants[0].scope = Some(AuditScope::All);
    let register = Register::new(1, participants, &|_| true).unwrap();
    assert_eq!(register.check_readers(), Err(RegisterError::ScopeOfOther(id("politi-oslo"))));
}

#[test]
fn each_reader_of_an_auditor_has_its_own_label() {
    let with = |label: &str| {
        readers(|auditor| {
            auditor.keys.push(EnrolledKey { hash: KeyHash::from_bytes([8; 32]), label: label.into(), operated_by: None });
        })
    };
    assert_eq!(with("leser-2"), Ok(()));
    assert_eq!(with("hoved"), Err(RegisterError::SharedLabel(id("tilsyn"))));
}
