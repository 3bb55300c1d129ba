//! The form, its outcomes and its command.

use super::*;

fn problems(query: &str) -> Vec<Problem> {
    filter(&Form::parse(query)).err().unwrap_or_default()
}

#[test]
fn a_form_becomes_a_filter_or_says_what_is_wrong() {
    let (found, turn) = filter(&Form::parse("from=2026-11-20&to=2026-11-20&participant=ru-oslo&outcome=withdrawn&before=77")).unwrap();
    assert_eq!(found.to_time.unwrap().millis() - found.from_time.unwrap().millis(), 86_400_000);
    assert_eq!((found.kinds.as_slice(), turn), (&[11, 13, 15][..], Turn::Before(77)));
    assert_eq!(filter(&Form::parse("kind=NOTICE_WITHDRAWN&outcome=withdrawn")).unwrap().0.kinds, [11]);
    for (query, wanted) in [
        ("from=x", Problem::From),
        ("to=2026-02-30", Problem::To),
        ("from=2026-02-02&to=2026-02-01", Problem::Order),
        ("participant=Ola%20Nordmann", Problem::Participant),
        ("kind=RUMOUR", Problem::Kind),
        ("outcome=well", Problem::Outcome),
        ("kind=REFUSED&outcome=accepted", Problem::Nothing),
        ("message_id=1", Problem::MessageId),
        ("case_ref=1", Problem::CaseRef),
        ("before=1&after=2", Problem::Place),
        ("before=-1", Problem::Place),
        ("before=007", Problem::Place),
        ("after=%2B7", Problem::Place),
        ("from=0000-01-01", Problem::From),
        ("fnr=1", Problem::Unknown),
        ("kind=REFUSED&kind=STARTED", Problem::Unknown),
    ] {
        assert_eq!(problems(query), [wanted], "{query}");
    }
    assert_eq!(problems(""), []);
}

#[test]
fn outcomes_name_kinds_that_there_are() {
    for outcome in OUTCOMES {
        assert!(outcome.kinds.iter().all(|kind| TABLE.iter().any(|row| row.number == *kind)), "{}", outcome.code);
    }
}

#[test]
fn whatever_is_erased_has_the_outcome_erased() {
    let (found, turn) = filter(&Form { outcome: "erased".to_owned(), ..Form::default() }).unwrap();
    let erased: Vec<u16> = TABLE.iter().filter(|row| row.name.contains("ERASED")).map(|row| row.number).collect();
    assert_eq!((found.kinds, turn), (erased, Turn::Newest));
}

#[test]
fn the_command_of_a_page_has_the_page_s_places() {
    let command = |before: &str, range: std::ops::Range<u64>, older| {
        let found = Found {
            rows: Vec::new(),
            range,
            matches: 0,
            erased: 0,
            unreadable: Vec::new(),
            more_unreadable: false,
            unjudged: 0,
            newer: None,
            older,
        };
        let form = Form { before: before.to_owned(), kind: "REFUSED".to_owned(), ..Form::default() };
        let page = Search { form, participants: Vec::new(), found: Ok(found.clone()) };
        let command = page.command(&found);
        let shown = page.main(Lang::En).into_string();
        assert_eq!(command.as_ref().is_some_and(|command| shown.contains(command)), shown.contains("samband audit list"), "{shown}");
        command
    };
    let whole = Some("samband audit list --kind refused".to_owned());
    let of = |places: &str| whole.as_ref().map(|command| format!("{command} {places}"));
    assert_eq!(command("", 0..900, None), whole);
    assert_eq!(command("", 850..900, Some(850)), of("--from-index 850 --to-index 900"));
    assert_eq!(command("120", 70..120, Some(70)), of("--from-index 70 --to-index 120"));
    assert_eq!(command("120", 0..120, None), of("--from-index 0 --to-index 120"));
    assert_eq!(command("0", 0..0, None), None, "the command line has no name for no place");
}

#[test]
fn a_query_survives_the_form() {
    let form = Form { participant: "a&b=c d".to_owned(), case_ref: "\u{e6}".to_owned(), ..Form::default() };
    assert_eq!(Form::parse(form.query().trim_start_matches('?')), form);
    assert_eq!(Form::parse(&format!("case_ref={}", "1".repeat(1000))).case_ref.len(), VALUE_CHARS_MAX);
}
