//! Retired participants and their successors.

use super::*;

fn participant(name: &str, role: Role, key: u8, municipality: Option<&str>) -> Participant {
    Participant {
        id: id(name),
        name: name.to_uppercase(),
        role,
        organisation_number: "800000017".parse().unwrap(),
        keys: vec![EnrolledKey { hash: KeyHash::from_bytes([key; 32]), label: "hoved".into(), operated_by: None }],
        municipalities: municipality.iter().map(|number| number.parse().unwrap()).collect(),
        contacts: Vec::new(),
        administrative_system: role == Role::MunicipalUnit,
        successor: None,
        standing: Standing::Active,
        scope: (role == Role::Auditor).then_some(AuditScope::All),
    }
}

fn id(text: &str) -> ParticipantId {
    text.parse().unwrap()
}

fn usual() -> Vec<Participant> {
    vec![
        participant("politi-a", Role::Prosecution, 1, None),
        participant("politi-b", Role::Prosecution, 2, None),
        participant("politi-c", Role::Prosecution, 3, None),
        participant("ru-a", Role::MunicipalUnit, 4, Some("0301")),
        participant("ru-b", Role::MunicipalUnit, 5, Some("3403")),
        participant("lab-a", Role::Laboratory, 6, None),
        participant("tilsyn", Role::Auditor, 7, None),
        participant("speil", Role::Mirror, 8, None),
    ]
}

fn retire(all: &mut [Participant], who: &str, successor: Option<&str>) {
    let one = all.iter_mut().find(|one| one.id.as_str() == who).unwrap();
    one.standing = Standing::Retired;
    one.successor = successor.map(id);
    one.municipalities.clear();
}

fn made(change: impl FnOnce(&mut Vec<Participant>)) -> Result<Register, RegisterError> {
    let mut all = usual();
    change(&mut all);
    Register::new(1, all, &|_| true)
}

#[test]
fn the_last_successor_has_what_all_before_it_had() {
    let register = made(|all| {
        retire(all, "politi-a", Some("politi-b"));
        retire(all, "politi-b", Some("politi-c"));
    })
    .unwrap();
    assert_eq!(register.heir_of(&id("politi-a")), Some(&id("politi-c")));
    assert_eq!(register.heir_of(&id("politi-b")), Some(&id("politi-c")));
    assert_eq!(register.heir_of(&id("politi-c")), None);
    assert_eq!(register.predecessors(&id("politi-c")), [id("politi-a"), id("politi-b")]);
    assert!(register.stands_for(&id("politi-c"), &id("politi-a")) && register.stands_for(&id("politi-a"), &id("politi-a")));
    assert!(!register.stands_for(&id("politi-a"), &id("politi-c")) && !register.stands_for(&id("ru-a"), &id("politi-a")));
}

#[test]
fn a_successor_that_is_only_named_has_nothing_yet() {
    let register = made(|all| all[0].successor = Some(id("politi-b"))).unwrap();
    assert_eq!(register.heir_of(&id("politi-a")), None);
    assert!(register.predecessors(&id("politi-b")).is_empty());
}

#[test]
fn a_retired_party_has_a_successor_of_its_role() {
    for who in ["politi-a", "ru-a", "lab-a"] {
        assert_eq!(made(|all| retire(all, who, None)).unwrap_err(), RegisterError::RetiredAlone(id(who)));
    }
    assert_eq!(made(|all| retire(all, "politi-a", Some("ru-a"))).unwrap_err(), RegisterError::Successor(id("politi-a")));
    assert_eq!(made(|all| retire(all, "politi-a", Some("politi-a"))).unwrap_err(), RegisterError::Successor(id("politi-a")));
    for who in ["tilsyn", "speil"] {
        made(|all| retire(all, who, None)).expect("it has nothing to pass on");
    }
}

#[test]
fn successors_lead_somewhere() {
    let circle = made(|all| {
        retire(all, "politi-a", Some("politi-b"));
        retire(all, "politi-b", Some("politi-a"));
    });
    assert_eq!(circle.unwrap_err(), RegisterError::SuccessorCircle(id("politi-a")));
    let declared = made(|all| {
        all[0].successor = Some(id("politi-b"));
        all[1].successor = Some(id("politi-a"));
    });
    assert_eq!(declared.unwrap().check_successors(), Err(RegisterError::SuccessorCircle(id("politi-a"))));
    let backwards = made(|all| {
        retire(all, "politi-b", Some("politi-c"));
        all[0].successor = Some(id("politi-b"));
    });
    assert_eq!(backwards.unwrap().check_successors(), Err(RegisterError::SuccessorRetired(id("politi-a"))));
    let chain = made(|all| {
        retire(all, "politi-a", Some("politi-b"));
        all[1].successor = Some(id("politi-c"));
    });
    assert_eq!(chain.unwrap().check_successors(), Ok(()));
}

#[test]
fn a_retired_unit_serves_nobody_and_needs_no_key() {
    let serving = made(|all| {
        retire(all, "ru-a", Some("ru-b"));
        all[3].municipalities = vec!["0301".parse().unwrap()];
    });
    assert_eq!(serving.unwrap_err(), RegisterError::RetiredServes(id("ru-a")));
    let register = made(|all| {
        retire(all, "ru-a", Some("ru-b"));
        all[3].keys.clear();
        all[4].municipalities.push("0301".parse().unwrap());
    });
    assert_eq!(register.unwrap().unit_of("0301".parse().unwrap()).unwrap().id, id("ru-b"));
}

#[test]
fn retiring_is_for_good_and_a_retired_entry_stays() {
    let before = made(|all| retire(all, "politi-a", Some("politi-b"))).unwrap();
    let after = |change: &dyn Fn(&mut Vec<Participant>)| made(|all| change(all)).unwrap().check_follows(&before);
    assert_eq!(after(&|all| retire(all, "politi-a", Some("politi-b"))), Ok(()));
    assert_eq!(after(&|_| ()), Err(RegisterError::Unretired(id("politi-a"))));
    assert_eq!(after(&|all| retire(all, "politi-a", Some("politi-c"))), Err(RegisterError::Unretired(id("politi-a"))));
    assert_eq!(after(&|all| drop(all.remove(0))), Err(RegisterError::RetiredRemoved(id("politi-a"))));
    let next = |all: &mut Vec<Participant>| {
        retire(all, "politi-a", Some("politi-b"));
        retire(all, "politi-b", Some("politi-c"));
    };
    assert_eq!(after(&next), Ok(()), "a successor has a successor of its own");
}

#[test]
fn a_journal_s_register_may_have_a_name_that_a_file_may_not_and_shows_it_written_out() {
    let with = |name: &str| made(|all| all[0].name = name.to_owned()).unwrap();
    assert_eq!(with("Påtalemyndigheten (A)").check_names(), Ok(()));
    let old = with("Oslo\u{202e}\u{1b}[2J\n");
    assert_eq!(old.check_names(), Err(RegisterError::UnseenInName(id("politi-a"), 5, '\u{202e}')));
    let told = crate::domain::register_change::changes(&old, &with("Oslo"));
    assert_eq!(told[0].text, "is called \"Oslo\" instead of \"Oslo\\u{202e}\\u{1b}[2J\\u{a}\"");
}
