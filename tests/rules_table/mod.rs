//! Holds `docs/rules.md` and `docs/threat-model.md` to the tests and types that exist: a claim whose test is gone is a failure here.
//!
//! Part of the library's tests, as the names come from this very program's own list: many tests are made by macros.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const RULES: usize = 67;

struct Row<'a> {
    number: usize,
    mark: &'a str,
    held_by: &'a str,
    status: &'a str,
}

fn rows(page: &str) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [number, _, mark, held_by, status] = cells[..]
            && let Ok(number) = number.parse()
        {
            rows.push(Row { number, mark, held_by, status });
        }
    }
    rows
}

/// What stands in backticks after `kind` or `kinds`, as in "types `A`, `B`; test `c`".
fn named<'a>(held_by: &'a str, kind: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for part in held_by.split("; ") {
        let mut of_kind = false;
        let mut quoted = false;
        for piece in part.split('`') {
            if quoted && of_kind {
                names.push(piece);
            } else if !quoted {
                let word = piece.trim().trim_start_matches(',').trim().split(' ').next_back().unwrap_or_default();
                // A comma alone goes on with the same kind.
                if !word.is_empty() {
                    of_kind = word.trim_end_matches('s') == kind;
                }
            }
            quoted = !quoted;
        }
    }
    names
}

/// What is wrong with the page.
fn findings(page: &str, tests: &BTreeSet<String>, types: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let rows = rows(page);
    if rows.iter().map(|row| row.number).ne(1..=RULES) {
        found.push(format!("the table has not the rules 1 to {RULES} in order"));
    }
    for Row { number, mark, held_by, status } in rows {
        let tested = named(held_by, "test");
        found.extend(tested.iter().filter(|name| !tests.contains(**name)).map(|name| format!("rule {number}: there is no test {name}")));
        let typed = named(held_by, "type");
        found.extend(typed.iter().filter(|name| !types(name)).map(|name| format!("rule {number}: there is no type {name}")));
        match status {
            "held" if tested.is_empty() && typed.is_empty() => found.push(format!("rule {number}: held by nothing")),
            "held" if mark.contains('P') && tested.is_empty() && !held_by.contains("type") => found.push(format!("rule {number}: no test")),
            "docs" if mark != "D" => found.push(format!("rule {number}: marked {mark}, but only documented")),
            "held" | "docs" => {}
            other => found.push(format!("rule {number}: the status {other} is none")),
        }
    }
    found
}

fn own_tests() -> BTreeSet<String> {
    let program = env::current_exe().expect("a test program has a path");
    let list = Command::new(program).arg("--list").output().expect("the test program runs").stdout;
    let list = String::from_utf8(list).expect("names of tests are UTF-8");
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

fn source(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("the source is there") {
        let path = entry.expect("the source can be read").path();
        if path.is_dir() {
            text.push_str(&source(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("the source is UTF-8"));
        }
    }
    text
}

#[test]
fn every_rule_is_held_by_a_test_or_type_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/rules.md")).unwrap();
    let source = source(&root.join("src"));
    // A macro that makes types names them at the start of a line.
    let declares = |name: &str| {
        source
            .lines()
            .map(|line| line.trim().trim_start_matches("pub struct ").trim_start_matches("pub enum ").trim_start_matches("pub type "))
            .any(|line| line.strip_prefix(name).is_some_and(|rest| matches!(rest.chars().next(), Some(' ' | '(' | '<' | ';' | ','))))
    };
    let found = findings(&page, &own_tests(), &declares);
    assert!(found.is_empty(), "docs/rules.md:\n{}", found.join("\n"));
}

/// What is named as a test or a file of the tests in a page of prose, and is not there.
fn missing(page: &str, tests: &BTreeSet<String>, is_file: &dyn Fn(&str) -> bool) -> Vec<String> {
    let quoted = page.split('`').zip(page.split('`').skip(1)).step_by(2);
    quoted
        .filter(|(before, name)| match name.strip_prefix("tests/") {
            Some(_) => !is_file(name),
            None => before.ends_with("test ") && !tests.contains(*name),
        })
        .map(|(_, name)| name.to_owned())
        .collect()
}

#[test]
fn every_claim_of_the_threat_model_names_a_test_or_file_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let missing = missing(&page, &own_tests(), &|name| root.join(name).exists());
    assert!(missing.is_empty(), "docs/threat-model.md names what is not there: {missing:?}");
}

#[test]
fn a_claim_without_its_test_is_found() {
    let tests = BTreeSet::from(["a::b".to_owned()]);
    let is_file = |name: &str| name == "tests/c.rs";
    let page = "`code` and test `a::b`; test `a::gone`; `tests/c.rs`, `tests/gone.rs` and `a::gone`";
    assert_eq!(missing(page, &tests, &is_file), ["a::gone", "tests/gone.rs"]);
}

fn page(change: impl Fn(usize) -> Option<String>) -> String {
    (1..=RULES).map(|number| change(number).unwrap_or_else(|| format!("| {number} | words | T | type `A` | held |\n"))).collect()
}

#[test]
fn each_fault_of_the_page_is_found() {
    let tests = BTreeSet::from(["a::b".to_owned()]);
    let types = |name: &str| matches!(name, "A" | "B");
    let faults = |row: &str| findings(&page(|number| (number == 9).then(|| format!("{row}\n"))), &tests, &types).len();
    for good in [
        "| 9 | w | P | test `a::b` | held |",
        "| 9 | w | T | types `A`, `B`; test `a::b` | held |",
        "| 9 | w | T+P | no field for it, type `A`; the file `x.md` | held |",
        "| 9 | w | D | words | docs |",
    ] {
        assert_eq!(faults(good), 0, "{good}");
    }
    for bad in [
        "",
        "| 8 | w | T | type `A` | held |",
        "| 9 | w | P | test `a::c` | held |",
        "| 9 | w | T | types `A`, `C` | held |",
        "| 9 | w | T | type `A`; test `a::b`; test `a::c` | held |",
        "| 9 | w | T | words | held |",
        "| 9 | w | P | words | docs |",
        "| 9 | w | P | test `a::b` | (pending) |",
    ] {
        assert_eq!(faults(bad), 1, "{bad}");
    }
}
