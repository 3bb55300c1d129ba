//! Every command's help has an example, every example parses, and the help is what the snapshot says.

use std::path::Path;

use clap::CommandFactory as _;

use super::*;

fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
    let own: Vec<_> = command.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
    if own.is_empty() {
        found.push((path.to_owned(), command.clone()));
    }
    for sub in own {
        leaves(sub, &format!("{path} {}", sub.get_name()), found);
    }
}

fn commands() -> Vec<(String, clap::Command)> {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut found = Vec::new();
    leaves(&root, "samband", &mut found);
    found
}

/// Words of a shell line with single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_an_example_and_every_example_parses() {
    for (path, command) in commands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().map(str::trim).filter(|line| line.starts_with("samband ")).collect();
        assert!(!examples.is_empty(), "{path} has no example");
        for example in examples {
            assert!(example.starts_with(&path), "{path}: {example}");
            if let Err(error) = Cli::try_parse_from(words(example)) {
                panic!("{example}\n{error}");
            }
        }
    }
}

/// Run with SAMBAND_SNAPSHOTS=write to accept a change.
#[test]
fn the_help_of_every_command_is_what_the_snapshot_says() {
    let mut all = String::new();
    for (path, mut command) in commands() {
        all.push_str(&format!("==== {path} --help\n{}\n", command.render_long_help()));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/help.txt");
    if std::env::var_os("SAMBAND_SNAPSHOTS").is_some_and(|value| value == "write") {
        std::fs::write(&file, &all).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept == all, "the help differs from src/cli/help.txt; look at it and run again with SAMBAND_SNAPSHOTS=write");
}

#[test]
fn exit_codes_are_the_documented_ones() {
    let codes = [
        CliError::Failed(String::new()),
        CliError::Usage(String::new()),
        CliError::Unreachable(String::new()),
        CliError::Storage(String::new()),
        CliError::Config(String::new()),
    ];
    assert_eq!(codes.map(|error| error.code()), [1, 2, 3, 74, 78]);
    for code in ["  0 ", "  1 ", "  2 ", "  3 ", "  74 ", "  78 "] {
        assert!(EXIT_CODES.contains(code), "{code}");
    }
}

#[test]
fn wrong_usage_does_not_parse() {
    for wrong in [
        "samband send notice --identity i",
        "samband send notice a.json --withdraw sent-in-error --replaces 019a9b3c-0000-7000-8000-000000000001 --identity i",
        "samband send notice --withdraw sent-in-error --identity i",
        "samband send notice a.json --message-id 019a9b3c-0000-4000-8000-000000000001 --identity i",
        "samband receive --as municipal --identity i --ack",
        "samband receive --as laboratory --identity i",
        "samband receive --identity i",
        "samband status --as prosecution --identity i",
        "samband audit prove --identity i",
        "samband ack --as municipal --identity i",
    ] {
        assert!(Cli::try_parse_from(words(wrong)).is_err(), "{wrong}");
    }
}
