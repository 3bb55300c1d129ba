//! Reads the source and holds what the compiler does not: the ranks of modules, the vendors' fences, bounds on files, and habits.
//!
//! Each rule is a function from text to findings, and has a test that it finds a bad line.

#[path = "tidy/parsers.rs"]
mod parsers;
#[path = "tidy/source.rs"]
mod source;

use source::{Source, production, read_tree, sources};

/// Modules of `src/` from left to right: a module imports only from its left. Modules of one rank do not import each other.
const RANKS: &[(&str, u8)] = &[
    ("domain", 0),
    ("clock", 1),
    ("regular_file", 1),
    ("audit", 2),
    ("policy", 3),
    ("store", 4),
    ("gateway", 5),
    ("tls", 6),
    ("grpc", 7),
    ("web", 7),
    ("config", 8),
    ("telemetry", 9),
    ("app", 10),
    ("cli", 11),
    // Tests and fuzzers call every parser from one place.
    ("fuzzing", 12),
    ("main", 12),
];

/// A word and the only places where it may stand.
struct Fence {
    word: &'static str,
    places: &'static [&'static str],
    /// Whether unit tests may use it anywhere.
    in_tests: bool,
}

const READERS: &[&str] = &["src/regular_file.rs"];

const FENCES: &[Fence] = &[
    Fence { word: "sled", places: &["src/store/embedded/index.rs"], in_tests: false },
    Fence { word: "rustls", places: &["src/tls/"], in_tests: false },
    Fence { word: "tokio_rustls", places: &["src/tls/"], in_tests: false },
    Fence { word: "webpki", places: &["src/tls/"], in_tests: false },
    Fence { word: "rustls_pki_types", places: &["src/tls/"], in_tests: false },
    Fence { word: "rcgen", places: &["src/tls/"], in_tests: false },
    Fence { word: "x509_parser", places: &["src/tls/"], in_tests: false },
    // Generated messages: the server turns them into the domain's types; the command line and the demo are clients.
    Fence { word: "grpc::pb", places: &["src/grpc/", "src/cli/", "src/fuzzing.rs", "src/fuzzing/"], in_tests: false },
    Fence { word: "include_proto", places: &["src/grpc/"], in_tests: false },
    Fence {
        word: "tonic",
        places: &["src/grpc/", "src/app.rs", "src/app/", "src/cli/", "src/tls/connection.rs", "src/tls/client.rs"],
        in_tests: true,
    },
    // What others wrote or named may be a pipe, a device or without end: files are opened for reading in one place, which knows.
    Fence { word: "File::open", places: READERS, in_tests: true },
    Fence { word: "fs::read", places: READERS, in_tests: true },
    Fence { word: "fs::read_to_string", places: READERS, in_tests: true },
    Fence { word: "fs::copy", places: READERS, in_tests: true },
    // Everything else speaks HTTP through tonic.
    Fence { word: "hyper", places: &["src/web/"], in_tests: false },
    Fence { word: "clap", places: &["src/cli/", "src/main.rs"], in_tests: false },
    Fence { word: "indicatif", places: &["src/cli/"], in_tests: false },
    // The way to what is personal in a name, an address or a number: for delivery, which the domain's own types do not need.
    Fence { word: "expose", places: &["src/domain/name.rs", "src/domain/reach.rs"], in_tests: true },
    // JSON is for people's files and terminals. The store's two small files beside the journal are read by people, too.
    Fence { word: "serde_json", places: &["src/cli/", "src/store/embedded/layout.rs"], in_tests: true },
    Fence { word: "anyhow", places: &["src/app.rs", "src/app/", "src/cli/", "src/main.rs"], in_tests: false },
    // Time and randomness are arguments.
    Fence { word: "SystemTime", places: &["src/clock.rs"], in_tests: false },
    Fence { word: "SystemRandom", places: &["src/clock.rs"], in_tests: false },
    Fence { word: "Timestamp::now", places: &["src/clock.rs"], in_tests: false },
    Fence { word: "Zoned::now", places: &["src/clock.rs"], in_tests: false },
];

/// The embedded store's folder, and the one file in it that touches the disk: everything else takes a `Disk`, which tests simulate.
const STORE: &str = "src/store/embedded/";
const DISK: &[&str] = &["src/store/embedded/disk.rs"];
const DISK_WORDS: [&str; 4] = ["fs", "rustix", "FileExt", "tokio::fs"];

/// `Instant` measures how long something took and when a timer is due; it never reaches an event, so these places may read it.
const TIMERS: &[&str] =
    &["src/clock.rs", "src/tls/", "src/grpc/", "src/gateway/", "src/app.rs", "src/app/", "src/cli/", "src/telemetry.rs"];

/// Places that speak to a terminal; the store's engine, when a disk has failed and the process ends, also without a log.
const TERMINALS: &[&str] = &["src/cli/", "src/main.rs", "src/store/embedded/engine.rs"];

/// The three messages that are relayed.
const MESSAGES: [&str; 3] = ["ConditionNotice", "LabResult", "NonAttendanceReport"];

/// The longest file, in lines.
const LINES_MAX: usize = 600;

fn module_of(path: &str) -> Option<&str> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

fn rank(module: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

fn under(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

/// Imports that do not point left.
fn wrong_imports(files: &[Source]) -> Vec<String> {
    let names: Vec<&str> = RANKS.iter().map(|(name, _)| *name).collect();
    let mut found = Vec::new();
    for file in files {
        let Some(module) = module_of(&file.path).filter(|module| *module != "lib") else { continue };
        let Some(own) = rank(module) else {
            found.push(format!("{}: give the module `{module}` a rank in tests/tidy.rs", file.path));
            continue;
        };
        for (line, other) in file.modules_named(&names) {
            if other != module && rank(&other).is_none_or(|other| other >= own) {
                found.push(format!("{}:{line}: `{module}` imports `{other}`, which does not stand left of it", file.path));
            }
        }
    }
    found
}

/// Vendors outside their fences.
fn broken_fences(files: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        for fence in FENCES.iter().filter(|fence| !under(&file.path, fence.places)) {
            let code = if fence.in_tests { &file.production } else { &file.code };
            let lines = source::lines_with_word(code, fence.word);
            found.extend(lines.into_iter().map(|line| format!("{}:{line}: `{}` belongs in {:?}", file.path, fence.word, fence.places)));
        }
        if under(&file.path, &[STORE]) && !under(&file.path, DISK) {
            for word in DISK_WORDS {
                let lines = source::lines_with_word(&file.production, word);
                found.extend(
                    lines.into_iter().map(|line| format!("{}:{line}: `{word}`: take a Disk; files are touched in {DISK:?}", file.path)),
                );
            }
        }
        if !under(&file.path, TIMERS) {
            let lines = source::lines_with_word(&file.production, "Instant::now");
            found.extend(lines.into_iter().map(|line| format!("{}:{line}: take a Clock; timers stand in {TIMERS:?}", file.path)));
        }
    }
    found
}

/// Habits that end in a panic, in noise or in an unfinished program.
fn bad_habits(files: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let code = &file.production;
        for (word, why) in [
            (".unwrap()", "say with `expect` why it cannot fail"),
            ("todo!", "finish it"),
            ("unimplemented!", "finish it"),
            ("dbg!", "remove it"),
            ("unsafe", "there is none"),
        ] {
            let lines = source::lines_with(code, word);
            found.extend(lines.into_iter().map(|line| format!("{}:{line}: `{word}`: {why}", file.path)));
        }
        if !under(&file.path, TERMINALS) {
            for word in ["print!", "println!", "eprint!", "eprintln!"] {
                let lines = source::lines_with_word(code, word);
                found.extend(
                    lines.into_iter().map(|line| format!("{}:{line}: `{word}`: only the command line speaks to a terminal", file.path)),
                );
            }
        }
        found.extend(
            file.expects_without_reason().into_iter().map(|line| format!("{}:{line}: `expect` without a proof in words", file.path)),
        );
        let lines = source::lines_with(&file.code, "#[allow(").into_iter().chain(source::lines_with(&file.code, "#![allow("));
        found.extend(lines.map(|line| format!("{}:{line}: use `expect` with a reason instead of `allow`", file.path)));
    }
    found
}

/// Drafts in the domain hold what is personal as plain text, so none may be formatted. What is parsed is held by `domain::sensitive`.
fn drafts_that_show_themselves(files: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| module_of(&file.path) == Some("domain")) {
        let mut derived = String::new();
        for (number, line) in file.code.lines().enumerate() {
            let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
            let declared = words.windows(2).find(|pair| matches!(pair[0], "struct" | "enum")).map(|pair| pair[1]);
            if let Some(name) = declared.filter(|name| name.ends_with("Draft"))
                && (derived.contains("Debug") || derived.contains("Serialize"))
            {
                found.push(format!("{}:{}: `{name}` holds personal text; it is not formatted and not written", file.path, number + 1));
            }
            for trait_name in ["Debug", "Display", "Serialize"] {
                if words.contains(&"impl") && words.contains(&trait_name) && words.last().is_some_and(|name| name.ends_with("Draft")) {
                    found.push(format!("{}:{}: `{trait_name}` of a draft", file.path, number + 1));
                }
            }
            match line.trim() {
                attribute if attribute.starts_with("#[") => derived.push_str(attribute),
                "" => {}
                _ => derived.clear(),
            }
        }
    }
    found
}

/// What keys something or hides something by its randomness, where it is plain bytes and not a type that shows nothing of itself.
const SECRETS: [&str; 8] = ["subject_key", "storage_key", "case_key", "private_key", "seed", "secret", "r", "r2"];

/// Secrets in types that derive `Debug`, which prints them: `domain::secret::Secret` does not.
fn secrets_that_show_themselves(files: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let (mut attributes, mut shows) = (String::new(), false);
        for (number, line) in file.production.lines().enumerate() {
            let words: Vec<&str> = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
            let begins = words.iter().take(4).any(|word| matches!(*word, "struct" | "enum"));
            if begins {
                shows = attributes.contains("Debug");
            }
            let named = |name: &&str| line.contains(&format!(" {name}: ")) && line.contains("[u8");
            if shows && (line.contains("Zeroizing<") || SECRETS.iter().any(named)) {
                found.push(format!("{}:{}: a secret in a type whose `Debug` shows it", file.path, number + 1));
            }
            // Nested types end in the column where they began; a line that opens and closes is a type by itself.
            if line.trim_start() == "}" || line.trim_end().ends_with(';') {
                shows = false;
            }
            match line.trim() {
                attribute if attribute.starts_with("#[") => attributes.push_str(attribute),
                "" => {}
                _ => attributes.clear(),
            }
        }
    }
    found
}

/// Files that are too long.
fn long_files(files: &[(String, String)]) -> Vec<String> {
    let long = files.iter().map(|(path, text)| (path, text.lines().count())).filter(|(_, lines)| *lines > LINES_MAX);
    long.map(|(path, lines)| format!("{path}: {lines} lines; split it by subject below {LINES_MAX}")).collect()
}

/// Top-level messages that are no part of another message.
fn root_messages(proto: &str) -> Vec<String> {
    let bare: String = proto.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let words: Vec<&str> = bare.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    let declared: Vec<&str> = words.windows(2).filter(|pair| pair[0] == "message").map(|pair| pair[1]).collect();
    let mut roots: Vec<String> = Vec::new();
    for name in declared {
        if words.iter().filter(|word| **word == name).count() == 1 {
            roots.push(name.to_owned());
        }
    }
    roots.sort();
    roots
}

/// Dependencies without a line above them that says what they are for.
fn dependencies_without_reason(manifest: &str) -> Vec<String> {
    let (mut inside, mut above, mut found) = (false, "", Vec::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if inside && line.contains('=') && !line.starts_with('#') && !above.starts_with("# ") {
            found.push(line.split('=').next().unwrap_or_default().trim().to_owned());
        }
        above = line;
    }
    found
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

#[test]
fn imports_point_left() {
    assert_none(&wrong_imports(&sources()));
}

#[test]
fn an_import_to_the_right_to_a_neighbour_or_of_an_unknown_module_is_found() {
    let bad = [
        ("src/domain/a.rs", "use crate::policy::X;"),
        ("src/policy/a.rs", "fn f() { crate::gateway::y() }"),
        ("src/grpc/a.rs", "use crate::web::Z;"),
        ("src/audit/a.rs", "use crate::{domain::A, store::B};"),
        ("src/audit/mod.rs", "use super::store::B;"),
        ("src/audit/a/b.rs", "mod tests { use super::super::super::super::store::B; }"),
        ("src/other.rs", ""),
        ("src/main.rs", "use samband::nowhere::X;"),
    ];
    for (path, text) in bad.iter().filter(|(path, _)| *path != "src/main.rs") {
        assert_eq!(wrong_imports(&[Source::new(path, text)]).len(), 1, "{path}: {text}");
    }
    let good = [
        ("src/policy/a.rs", "use crate::{audit::B, domain::A}; // crate::gateway\n const S: &str = \"crate::app\";"),
        ("src/tls/a.rs", "mod tests { use super::config::X; use super::super::domain; }"),
        ("src/main.rs", "use samband::cli::run;"),
        ("src/lib.rs", "pub mod app;"),
    ];
    for (path, text) in good {
        assert_none(&wrong_imports(&[Source::new(path, text)]));
    }
}

#[test]
fn vendors_stay_inside_their_fences() {
    assert_none(&broken_fences(&sources()));
}

#[test]
fn each_vendor_outside_its_fence_is_found() {
    for fence in FENCES {
        let text = format!("use {}::X;", fence.word);
        assert_eq!(broken_fences(&[Source::new("src/domain/a.rs", &text)]).len(), 1, "{text}");
        for place in fence.places {
            let inside = if place.ends_with('/') { format!("{place}a.rs") } else { (*place).to_owned() };
            assert_none(&broken_fences(&[Source::new(&inside, &text)]));
        }
    }
    assert_eq!(broken_fences(&[Source::new("src/store/a.rs", "let t = Instant::now();")]).len(), 1);
    for line in ["use std::fs;", "std::fs::rename(a, b)", "use std::os::unix::fs::FileExt as _;", "rustix::fs::statvfs(p)"] {
        assert!(!broken_fences(&[Source::new("src/store/embedded/a.rs", line)]).is_empty(), "{line}");
        assert_none(&broken_fences(&[Source::new("src/store/embedded/disk.rs", line)]));
        assert_none(&broken_fences(&[Source::new("src/cli/a.rs", line)]));
    }
    assert_none(&broken_fences(&[Source::new("src/store/a.rs", "// sled\nlet sledge = \"rustls\"; fn grpc_pb() {}")]));
}

#[test]
fn the_source_has_good_habits() {
    assert_none(&bad_habits(&sources()));
}

#[test]
fn each_bad_habit_is_found_and_none_in_tests() {
    let bad = [
        "x.unwrap();",
        "todo!()",
        "dbg!(x)",
        "unsafe {}",
        "println!()",
        "eprint!()",
        "x.expect(\"\")",
        "x.expect(\"no\")",
        "x.expect(&format!(\"{y}\"))",
        "#[allow(dead_code)]",
    ];
    for text in bad {
        assert_eq!(bad_habits(&[Source::new("src/domain/a.rs", text)]).len(), 1, "{text}");
    }
    let good = [
        "x.expect(\"the list is never empty\")",
        "x.expect(NEVER_EMPTY)",
        "x.unwrap_or(1)",
        "// todo! .unwrap()",
        "#[cfg(test)] mod tests { fn f() { x.unwrap(); } }",
        "#[cfg(test)]\n#[derive(Debug)]\nstruct A { b: u8 }\n",
    ];
    for text in good {
        assert_none(&bad_habits(&[Source::new("src/domain/a.rs", text)]));
    }
    assert_eq!(bad_habits(&[Source::new("src/domain/a.rs", "#[cfg(test)] mod t { } fn f() { x.unwrap(); }")]).len(), 1);
    assert_none(&bad_habits(&[Source::new("src/cli/a.rs", "println!()")]));
}

#[test]
fn no_draft_can_be_formatted_or_written() {
    let files = sources();
    assert!(files.iter().any(|file| file.path.starts_with("src/domain/") && file.code.contains("Draft {")), "there are drafts");
    assert_none(&drafts_that_show_themselves(&files));
}

#[test]
fn a_draft_that_can_be_formatted_or_written_is_found() {
    for text in [
        "#[derive(Debug)]\npub struct ADraft {}",
        "#[derive(Clone, Debug, Default)]\n/// x\npub enum BDraft {}",
        "#[derive(Serialize)]\npub struct ADraft {}",
        "impl fmt::Display for ADraft {",
    ] {
        assert_eq!(drafts_that_show_themselves(&[Source::new("src/domain/a.rs", text)]).len(), 1, "{text}");
        assert_none(&drafts_that_show_themselves(&[Source::new("src/gateway/a.rs", text)]));
    }
    assert_none(&drafts_that_show_themselves(&[Source::new(
        "src/domain/a.rs",
        "#[derive(Debug)]\nstruct A;\n#[derive(Default)]\nstruct ADraft {}",
    )]));
}

#[test]
fn no_secret_stands_in_a_type_that_shows_it() {
    assert_none(&secrets_that_show_themselves(&sources()));
}

#[test]
fn a_secret_in_a_type_that_shows_it_is_found() {
    for text in [
        "#[derive(Clone, Debug)]\npub struct A {\n    pub r2: [u8; 32],\n}",
        "#[derive(Debug)]\nstruct A<'a> {\n    a: u8,\n    subject_key: &'a [u8; 32],\n}",
        "#[derive(Debug)]\nstruct A(Zeroizing<Vec<u8>>);",
        "#[derive(Debug)]\n#[serde(transparent)]\nenum A {\n    B(Zeroizing<String>),\n}",
    ] {
        assert_eq!(secrets_that_show_themselves(&[Source::new("src/store/a.rs", text)]).len(), 1, "{text}");
    }
    for text in [
        "#[derive(Clone)]\npub struct A {\n    pub r2: [u8; 32],\n}",
        "#[derive(Debug)]\nstruct A {\n    r: Secret,\n}\nfn f(r: [u8; 32]) -> Zeroizing<String> {}",
        "#[derive(Debug)]\nstruct A(u8);\nstruct B {\n    seed: [u8; 32],\n}",
    ] {
        assert_none(&secrets_that_show_themselves(&[Source::new("src/store/a.rs", text)]));
    }
}

#[test]
fn a_file_that_only_tests_use_is_known_as_one() {
    let files = [
        ("src/a/mod.rs", "#[cfg(test)]\nmod checks;\nmod real;"),
        ("src/a/checks.rs", "fn f() { x.unwrap() }"),
        ("src/a/checks/more.rs", "fn f() { x.unwrap() }"),
        ("src/a/real.rs", "fn f() { x.unwrap() }\n#[cfg(test)]\n#[path = \"real_tests.rs\"]\nmod tests;"),
        ("src/a/real_tests.rs", "fn f() { x.unwrap() }"),
    ];
    let files = production(files.iter().map(|(path, text)| Source::new(path, text)).collect());
    assert_eq!(bad_habits(&files).len(), 1);
}

#[test]
fn no_file_is_too_long() {
    assert_none(&long_files(&read_tree(&["src", "tests", "proto", "benches"], &["rs", "proto", "py", "go", "sh"])));
}

#[test]
fn a_file_that_is_too_long_is_found() {
    assert_eq!(long_files(&[("a.rs".into(), "\n".repeat(LINES_MAX + 1)), ("b.rs".into(), "\n".repeat(LINES_MAX))]).len(), 1);
}

#[test]
fn the_schema_of_messages_holds_the_three_messages_and_their_parts() {
    let proto = source::read("proto/samband/v1/messages.proto");
    assert_eq!(root_messages(&proto), MESSAGES);
    assert!(!proto.contains("\nservice "), "services stand in files of their own");
    for (path, text) in read_tree(&["proto"], &["proto"]) {
        let declared = |name: &str| text.contains(&format!("\nmessage {name} "));
        assert!(path.ends_with("/messages.proto") || !MESSAGES.into_iter().any(declared), "{path} declares one of the three");
    }
}

#[test]
fn a_fourth_message_is_found() {
    let proto = "message A { B b = 1; }\n// message C\nmessage B {}\nmessage D { repeated E e = 1; }\nmessage E {}";
    assert_eq!(root_messages(proto), ["A", "D"]);
}

#[test]
fn every_dependency_says_what_it_is_for() {
    assert_none(&dependencies_without_reason(&source::read("Cargo.toml")));
}

#[test]
fn a_dependency_without_a_reason_is_found() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\n# good\na = \"1\"\nb = \"1\"\n\n[dev-dependencies]\nc = \"1\"\n[lints]\nd = 1";
    assert_eq!(dependencies_without_reason(manifest), ["b", "c"]);
}
