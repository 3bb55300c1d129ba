//! The sample register, edited.

use super::*;
use crate::domain::participant::{KeyHash, Participant, Standing};
use crate::store::contract::case_bed::{INNLANDET, OSLO, RU_HAMAR, register};

const SAMPLE: &str = include_str!("../../deploy/participants.toml");

struct File {
    dir: tempfile::TempDir,
}

impl File {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("participants.toml"), SAMPLE).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("participants.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    /// The lines that went and those that came.
    fn edited(&self, edit: impl FnOnce(&mut RegisterEdit<'_>)) -> (Vec<String>, Vec<String>) {
        let before = self.text();
        let mut open = RegisterEdit::open(&self.path(), &|_| true).unwrap();
        edit(&mut open);
        open.finish().unwrap().write().unwrap();
        let after = self.text();
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let gone = lines(&before).into_iter().filter(|line| !line.is_empty() && !after.contains(line.as_str())).collect();
        let come = lines(&after).into_iter().filter(|line| !line.is_empty() && !before.contains(line.as_str())).collect();
        (gone, come)
    }

    fn refused(&self, edit: impl FnOnce(&mut RegisterEdit<'_>) -> Result<(), EditError>) -> String {
        let mut open = RegisterEdit::open(&self.path(), &|_| true).unwrap();
        let error = edit(&mut open).and_then(|()| open.finish().map(drop)).unwrap_err().to_string();
        assert_eq!(self.text(), SAMPLE, "nothing is written");
        error
    }
}

fn id(text: &str) -> ParticipantId {
    text.parse().unwrap()
}

fn key(byte: u8, label: &str) -> EnrolledKey {
    EnrolledKey { hash: KeyHash::from_bytes([byte; 32]), label: label.into(), operated_by: None }
}

fn new_laboratory() -> NewParticipant {
    NewParticipant {
        id: id("lab-tredje"),
        name: "Det tredje laboratoriet".into(),
        role: Role::Laboratory,
        organisation_number: "811111112".parse().unwrap_or_else(|_| "800000815".parse().unwrap()),
        key: key(9, "2026"),
        municipalities: Vec::new(),
        contact: Some(Contact { key: "vakt".into(), role_name: "Vakt".into(), phone: Some("+4700000009".into()), email: None }),
        administrative_system: false,
        sees_all: false,
    }
}

#[test]
fn suspending_changes_one_line_and_keeps_every_comment() {
    let file = File::new();
    let (gone, come) = file.edited(|edit| edit.set_standing(&id("lab-gammel"), "active").unwrap());
    assert_eq!((gone, come), (vec!["standing = \"suspended\"".to_owned()], vec!["standing = \"active\"".to_owned()]));
    let file = File::new();
    let (gone, _) = file.edited(|edit| edit.set_standing(&id("politi-eksempel"), "suspended").unwrap());
    assert!(gone.is_empty());
    let place = |needle: &str| file.text().find(needle).unwrap();
    assert!(place("standing = \"suspended\"") < place("[[participant.keys]]"), "in its own table");
}

#[test]
fn a_new_participant_stands_at_the_end_and_nothing_else_changes() {
    let file = File::new();
    let (gone, _) = file.edited(|edit| edit.add(&new_laboratory()).unwrap());
    assert!(gone.is_empty());
    let text = file.text();
    assert!(text.starts_with(SAMPLE.trim_end()), "what was there is there, in its order:\n{text}");
    let added = &text[SAMPLE.trim_end().len()..];
    assert!(
        added.contains("[[participant]]\nid = \"lab-tredje\"") && added.contains("  [[participant.keys]]\n  label = \"2026\""),
        "{added}"
    );
    let edit = RegisterEdit::open(&file.path(), &|_| true).unwrap();
    assert_eq!(edit.register().get(&id("lab-tredje")).unwrap().contacts.len(), 1);
}

#[test]
fn a_key_comes_beside_the_others_and_goes_alone() {
    let file = File::new();
    let (gone, come) = file.edited(|edit| assert!(edit.add_key(&id("politi-eksempel"), &key(9, "2027")).unwrap()));
    assert!(gone.is_empty());
    assert_eq!(come.len(), 2, "{come:?}");
    let register = RegisterEdit::open(&file.path(), &|_| true).unwrap().before;
    assert_eq!(register.get(&id("politi-eksempel")).unwrap().keys.len(), 3);
    file.edited(|edit| edit.remove_key(&id("politi-eksempel"), "2026").unwrap());
    let register = RegisterEdit::open(&file.path(), &|_| true).unwrap().before;
    let labels: Vec<_> = register.get(&id("politi-eksempel")).unwrap().keys.iter().map(|key| key.label.clone()).collect();
    assert_eq!(labels, ["leverandor", "2027"]);
    assert!(file.text().contains("# A supplier's own certificate may act for a participant"));
}

#[test]
fn a_certificate_renewed_with_its_key_changes_nothing() {
    let file = File::new();
    let mut edit = RegisterEdit::open(&file.path(), &|_| true).unwrap();
    let own = edit.register().get(&id("politi-eksempel")).unwrap().keys[0].clone();
    assert!(!edit.add_key(&id("politi-eksempel"), &EnrolledKey { label: "2027".into(), ..own }).unwrap());
    assert!(edit.finish().unwrap().changes.is_empty());
}

#[test]
fn retiring_names_the_successor_and_moves_what_was_served() {
    let file = File::new();
    let (gone, come) = file.edited(|edit| edit.retire(&id("lab-gammel"), Some(&id("lab-ny"))).unwrap());
    assert_eq!((gone, come), (vec!["standing = \"suspended\"".to_owned()], vec!["standing = \"retired\"".to_owned()]));
    let unit = NewParticipant {
        id: id("ru-ny"),
        role: Role::MunicipalUnit,
        municipalities: vec!["0301".parse().unwrap()],
        administrative_system: true,
        ..new_laboratory()
    };
    file.edited(|edit| edit.add(&unit).unwrap());
    file.edited(|edit| edit.move_municipality("3411".parse().unwrap(), &id("ru-ny")).unwrap());
    let served = |who: &str| {
        let register = RegisterEdit::open(&file.path(), &|_| true).unwrap().before;
        register.get(&id(who)).unwrap().municipalities.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!((served("ru-eksempel"), served("ru-ny")), (vec!["3403".into(), "3412".into()], vec!["0301".into(), "3411".into()]));
    file.edited(|edit| edit.retire(&id("ru-eksempel"), Some(&id("ru-ny"))).unwrap());
    assert!(served("ru-eksempel").is_empty());
    assert_eq!(served("ru-ny"), ["0301", "3411", "3403", "3412"]);
}

#[test]
fn what_the_gateway_would_refuse_is_refused_in_its_words_and_not_written() {
    let file = File::new();
    let twice = file.refused(|edit| edit.add(&NewParticipant { id: id("lab-ny"), ..new_laboratory() }));
    assert!(twice.contains("an id is one participant's") && twice.contains("participants.toml:"), "{twice}");
    let hash = "sha256:0000000000000000000000000000000000000000000000000000000000000001".parse().unwrap();
    let enrolled = file.refused(|edit| edit.add_key(&id("lab-ny"), &EnrolledKey { hash, ..key(1, "ny") }).map(drop));
    assert!(enrolled.contains("a key belongs to one participant"), "{enrolled}");
    let other_role = file.refused(|edit| edit.retire(&id("lab-ny"), Some(&id("ru-eksempel"))));
    assert!(other_role.contains("same role"), "{other_role}");
    let alone = file.refused(|edit| edit.retire(&id("politi-eksempel"), None));
    assert!(alone.contains("name its successor"), "{alone}");
    let last_key = file.refused(|edit| edit.remove_key(&id("lab-ny"), "2026"));
    assert!(last_key.contains("needs 1 to"), "{last_key}");
    let label = file.refused(|edit| edit.add_key(&id("lab-ny"), &key(9, "2026")).map(drop));
    assert!(label.contains("--label"), "{label}");
    let nobody = file.refused(|edit| edit.set_standing(&id("ingen"), "suspended"));
    assert!(nobody.contains("not in the register"), "{nobody}");
    let retired = file.refused(|edit| {
        edit.retire(&id("lab-gammel"), Some(&id("lab-ny")))?;
        edit.retire(&id("lab-ny"), Some(&id("lab-gammel")))
    });
    assert!(retired.contains("lead back to itself"), "{retired}");
}

#[test]
fn a_file_that_changed_meanwhile_is_not_overwritten() {
    let file = File::new();
    let mut edit = RegisterEdit::open(&file.path(), &|_| true).unwrap();
    edit.set_standing(&id("lab-ny"), "suspended").unwrap();
    let edited = edit.finish().unwrap();
    std::fs::write(file.path(), format!("{SAMPLE}\n# another hand\n")).unwrap();
    assert!(matches!(edited.write(), Err(EditError::Changed(_))));
    assert!(file.text().ends_with("# another hand\n"));
}

#[test]
fn a_link_stays_a_link_and_the_mode_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = File::new();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = file.dir.path().join("link.toml");
    std::os::unix::fs::symlink(file.path(), &link).unwrap();
    let mut edit = RegisterEdit::open(&link, &|_| true).unwrap();
    edit.set_standing(&id("lab-ny"), "suspended").unwrap();
    edit.finish().unwrap().write().unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(file.path().metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(file.text().contains("standing = \"suspended\""));
    assert_eq!(std::fs::read_dir(file.dir.path()).unwrap().count(), 2, "nothing is left beside it");
}

fn told(change: impl FnOnce(&mut Vec<Participant>)) -> Vec<String> {
    changes(&register(1, |_| ()), &register(2, change)).iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_is_told_of_equal_registers() {
    assert!(told(|_| ()).is_empty());
}

#[test]
fn a_retired_participant_is_told_with_whom_gets_all() {
    let told = told(|all| {
        all[0].standing = Standing::Retired;
        all[0].successor = Some(id(INNLANDET));
    });
    assert_eq!(
        told,
        [
            format!("{OSLO}: retired for good: every call is refused; its mail, its cases and its messages are {INNLANDET}'s"),
            format!("{OSLO}: names {INNLANDET} as its successor"),
        ]
    );
}

#[test]
fn a_municipality_that_moves_is_told_on_both_sides() {
    let told = told(|all| {
        let left = all[3].municipalities.remove(1);
        all[2].municipalities.push(left);
    });
    assert_eq!(
        told,
        [
            format!("{RU_HAMAR}: no longer serves municipality 3411, ru-oslo does; its cases stay where they are"),
            format!("ru-oslo: serves municipality 3411 instead of {RU_HAMAR}, for new notices"),
        ]
    );
}

#[test]
fn the_cases_of_a_retired_unit_are_its_successors_for_each_municipality_too() {
    let told = told(|all| {
        all[3].standing = Standing::Retired;
        all[3].successor = Some(id("ru-oslo"));
        let left = std::mem::take(&mut all[3].municipalities);
        all[2].municipalities.extend(left);
    });
    let left: Vec<_> = told.iter().filter(|line| line.contains("no longer serves")).collect();
    assert!(!left.is_empty() && left.iter().all(|line| line.ends_with("ru-oslo does; its cases are ru-oslo's")), "{told:?}");
}

#[test]
fn keys_that_come_and_go_are_told() {
    let told = told(|all| all[0].keys[0].hash = KeyHash::from_bytes([9; 32]));
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("no longer enrolled") && told[1].contains("may connect with key k1"), "{told:?}");
}

#[test]
fn of_edits_at_the_same_time_each_is_in_the_file_or_refused() {
    for _ in 0..20 {
        let file = File::new();
        let barrier = std::sync::Barrier::new(4);
        let edit = &|number: u8| {
            let mut open = RegisterEdit::open(&file.path(), &|_| true).unwrap();
            let label = format!("samtidig-{number}");
            open.add_key(&id("politi-eksempel"), &key(200 + number, &label)).unwrap();
            let edited = open.finish().unwrap();
            barrier.wait();
            (label, edited.write())
        };
        let done: Vec<_> = std::thread::scope(|scope| {
            let edits: Vec<_> = (0..4).map(|number| scope.spawn(move || edit(number))).collect();
            edits.into_iter().map(|edit| edit.join().unwrap()).collect()
        });
        let text = file.text();
        assert_eq!(done.iter().filter(|(_, written)| written.is_ok()).count(), 1, "the others began from a file that is no more");
        for (label, written) in done {
            assert_eq!(text.contains(&label), written.is_ok(), "{label}");
            if let Err(error) = written {
                assert!(matches!(error, EditError::Changed(_)) && error.to_string().contains("run it again"), "{error}");
            }
        }
        assert_eq!(std::fs::read_dir(file.dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
