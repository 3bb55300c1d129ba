//! Every parser and the fuzz target that reaches it, in this one place. What reads bytes or text is found by its words and its name: a new one without
//! a row, a row without its function and a target without a row are findings.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{Source, items_under};

/// Words of functions in which bytes or text become something.
const WORDS: [&str; 12] = [
    "postcard::from_bytes",
    "postcard::take_from_bytes",
    "serde_json::from_",
    "toml::from_str",
    "from_der(",
    "::decode(",
    "DynamicMessage::deserialize",
    "pem_slice",
    "from_le_bytes",
    "from_be_bytes",
    // What handlers say of arguments that they cannot read.
    "of_argument(",
    "of_id(",
];

/// Names of functions that read, or how they begin.
const NAMES: [&str; 7] = ["parse", "from_str", "from_text", "from_parts", "decode", "of_plain", "of_checked"];

/// File, functions and target.
const PARSERS: &[(&str, &[&str], &str)] = &[
    ("src/audit/bundle.rs", &["decode"], "tile"),
    ("src/audit/check.rs", &["check_log"], "tile"),
    ("src/audit/checkpoint.rs", &["from_str", "from_text"], "note"),
    ("src/audit/cosignature.rs", &["check", "from_str"], "witness"),
    ("src/audit/evidence.rs", &["parse", "parse_entry", "parse_hash_lines"], "bundle"),
    ("src/audit/leaf.rs", &["decode"], "receipt"),
    ("src/audit/note.rs", &["from_str", "from_text", "parse", "parse_key", "parse_key_id"], "note"),
    ("src/audit/receipt.rs", &["from_text"], "receipt"),
    ("src/audit/receipt.rs", &["verify"], "leaf"),
    ("src/audit/record_text.rs", &["from_parts", "parsed"], "bundle"),
    ("src/audit/tile_nodes.rs", &["new"], "tile"),
    ("src/audit/tiles.rs", &["from_str", "parse_index"], "tile"),
    ("src/audit/tlog_policy.rs", &["parse"], "policy"),
    ("src/audit/tlog_proof.rs", &["parse"], "proof"),
    ("src/audit/witness.rs", &["read_answer"], "witness"),
    ("src/cli/audit/export.rs", &["open"], "bundle"),
    ("src/cli/audit/verify.rs", &["start_of"], "tile"),
    ("src/cli/register_state.rs", &["read"], "register"),
    ("src/cli/schema.rs", &["from_text"], "json"),
    ("src/config/mod.rs", &["parse"], "configuration"),
    ("src/config/participants.rs", &["parse_register"], "register"),
    ("src/config/register_edit.rs", &["of"], "register"),
    ("src/domain/control.rs", &["parse", "parse_laboratories"], "notice"),
    ("src/domain/decimal.rs", &["from_str"], "result"),
    ("src/domain/finding.rs", &["parse", "parse_outcome"], "result"),
    ("src/domain/id.rs", &["from_str", "parse_reference"], "identifiers"),
    ("src/domain/identity.rs", &["parse"], "notice"),
    ("src/domain/label.rs", &["from_str"], "result"),
    ("src/domain/name.rs", &["parse"], "notice"),
    ("src/domain/nlk.rs", &["from_str", "parse", "parse_row"], "codes"),
    (
        "src/domain/notice/mod.rs",
        &["parse", "parse_attendance", "parse_conditions", "parse_majority", "parse_municipality", "parse_noting"],
        "notice",
    ),
    ("src/domain/notice/subject.rs", &["parse"], "notice"),
    ("src/domain/participant.rs", &["from_str"], "identifiers"),
    ("src/domain/reach.rs", &["parse"], "notice"),
    ("src/domain/report/mod.rs", &["parse"], "report"),
    ("src/domain/result/mod.rs", &["parse", "parse_collection", "parse_findings", "parse_noting", "parse_sample"], "result"),
    ("src/domain/time.rs", &["parse_date"], "identifiers"),
    ("src/domain/ucum.rs", &["from_str"], "result"),
    ("src/domain/validity.rs", &["parse"], "notice"),
    ("src/grpc/audit.rs", &["days", "filter", "period", "proof_of", "time"], "arguments"),
    ("src/grpc/audit/answer.rs", &["questions"], "arguments"),
    ("src/grpc/audit/export.rs", &["export_of"], "arguments"),
    ("src/grpc/audit/hold.rs", &["placed"], "arguments"),
    ("src/grpc/caller.rs", &["asked", "asked_timeout"], "arguments"),
    ("src/grpc/convert/wire.rs", &["check"], "wire"),
    ("src/grpc/request.rs", &["take"], "call"),
    ("src/grpc/shared.rs", &["counterpart_filter", "cursor", "envelope", "message_id"], "arguments"),
    ("src/store/embedded/base.rs", &["ends_wrong", "of_plain", "read_plain"], "snapshot"),
    ("src/store/embedded/frame.rs", &["open", "read"], "journal"),
    ("src/store/embedded/holds.rs", &["end_of_header", "numbers_of_name"], "record"),
    ("src/store/embedded/layout.rs", &["of_checked"], "current"),
    ("src/store/embedded/records.rs", &["first_of_header", "month_of_name", "slot_of_plain"], "record"),
    ("src/tls/chain.rs", &["climbs", "links", "shown"], "chain"),
    ("src/tls/files.rs", &["certificates_in", "crls_in"], "pem"),
    ("src/tls/marks.rs", &["parse"], "marks"),
    ("src/tls/own.rs", &["check_authorities", "pair", "parsed"], "pem"),
    ("src/tls/pace.rs", &["count"], "frames"),
    ("src/tls/parts.rs", &["parse"], "pem"),
    ("src/tls/peer.rs", &["from_leaf", "key_hash_of"], "certificate"),
    ("src/tls/revocation.rs", &["key_parts", "read", "signature_of", "signed_part"], "revocation"),
    ("src/tls/trust.rs", &["from_str"], "configuration"),
    ("src/web/auditor/lang.rs", &["asked"], "path"),
    ("src/web/auditor/pages/period.rs", &["parse"], "path"),
    ("src/web/auditor/pages/search.rs", &["parse"], "path"),
    ("src/web/auditor/route.rs", &["parse"], "path"),
];

/// What has such words and is no parser of foreign bytes, or reads with one that stands above: file, functions, why.
const OTHERS: &[(&str, &[&str], &str)] = &[
    ("src/audit/note.rs", &["write_key"], "writes"),
    ("src/cli/client.rs", &["to"], "a random number"),
    ("src/cli/demo/mod.rs", &["new"], "a random number"),
    ("src/cli/outbox.rs", &["earlier", "read_request"], "what this program wrote into its user's folder"),
    ("src/cli/receipt_content.rs", &["canonical", "salt_of"], "what this program wrote into its user's folder"),
    ("src/cli/replace.rs", &["replaces"], "what this program wrote into its user's folder"),
    ("src/cli/schema.rs", &["decode", "deserialize"], "answers, as prost reads them"),
    ("src/domain/id.rs", &["cmp", "number", "print_reference", "timestamp"], "of an id that was read"),
    ("src/domain/scope.rs", &["deserialize"], "a field of the register and of bases, which are read above"),
    ("src/domain/table.rs", &["parse"], "built-in tables"),
    ("src/gateway/mod.rs", &["parse_context"], "what parsers are told"),
    ("src/grpc/audit.rs", &["get_timeline", "lift_hold"], "a reference alone, as the target identifiers reads it"),
    ("src/grpc/municipal.rs", &["set_contact"], "a contact's texts stay what they are"),
    ("src/grpc/codec.rs", &["decode"], "what the strict walk accepted, as prost reads it"),
    ("src/grpc/convert/wire/schema.rs", &["message"], "the built-in schema"),
    ("src/grpc/shared.rs", &["stored"], "content as it was sealed, as prost reads it"),
    (
        "src/grpc/shared.rs",
        &["acknowledge", "body_missing", "reason_number", "statuses"],
        "numbers and how many, and ids as the target identifiers reads them",
    ),
    ("src/grpc/status.rs", &["of_argument", "of_id"], "refusals"),
    ("src/store/embedded/base.rs", &["read_state"], "lengths of pieces that a seal holds"),
    ("src/store/embedded/checkable.rs", &["leaves"], "bundles"),
    ("src/store/embedded/engine.rs", &["published_leaf"], "bundles"),
    ("src/store/embedded/fsck/published.rs", &["check_bundle"], "bundles"),
    ("src/store/embedded/fsck/held.rs", &["leaf_at"], "bundles"),
    (
        "src/store/embedded/index.rs",
        &["add", "find", "owner", "read"],
        "numbers in the search index, which is built anew when its sum is wrong",
    ),
    ("src/store/embedded/serving.rs", &["root_of"], "bundles and hashes, all of a width"),
    ("src/store/embedded/tail.rs", &["entry_of"], "what this process wrote"),
    ("src/store/embedded/tiles.rs", &["is_whole"], "bundles"),
    ("src/tls/expiry.rs", &["certificates", "revocation_lists"], "files that are in force: certificates and lists"),
    ("src/tls/files.rs", &["read_private_key"], "as the target pem reads one"),
    ("src/tls/issue.rs", &["key_fits", "with_attribute_twice"], "what this program issued"),
];

/// File and function of whatever reads.
fn readers(files: &[Source]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| !file.path.contains("fuzzing")) {
        let code = without_fuzzing(&file.production);
        let named: Vec<(usize, &str)> = functions(&code);
        let mut add = |name: &str| found.insert((file.path.clone(), name.to_owned()));
        // What stands in no function is a constant of this program's.
        let within = |at: usize| named.iter().rev().find(|(start, _)| *start < at);
        WORDS.iter().flat_map(|word| code.match_indices(word)).filter_map(|(at, _)| within(at)).for_each(|(_, name)| _ = add(name));
        let reads = |name: &&str| NAMES.iter().any(|known| name == known || (*known == "parse" && name.starts_with("parse_")));
        named.iter().map(|(_, name)| *name).filter(|name| reads(name)).for_each(|name| _ = add(name));
    }
    found
}

/// Where each function begins, and its name.
fn functions(code: &str) -> Vec<(usize, &str)> {
    let starts = code.match_indices("fn ").filter(|(at, _)| code[..*at].is_empty() || code[..*at].ends_with([' ', '\n', '(']));
    let named = starts.map(|(at, word)| {
        let rest = &code[at + word.len()..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '#')).unwrap_or(rest.len());
        (at, &rest[..end])
    });
    named.filter(|(_, name)| !name.is_empty()).collect()
}

/// The code without what only fuzzers and tests use.
fn without_fuzzing(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (start, end) in items_under(code, "#[cfg(any(test, fuzzing))]") {
        bytes[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8(bytes).expect("whole characters were blanked by ASCII spaces")
}

type Row<'r> = (&'r str, &'r [&'r str], &'r str);

/// What the table and the source do not agree on.
fn without_target(files: &[Source], parsers: &[Row<'_>], others: &[Row<'_>], targets: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let rows = || parsers.iter().chain(others);
    let told: BTreeSet<(String, String)> =
        rows().flat_map(|(file, names, _)| names.iter().map(|name| ((*file).to_owned(), (*name).to_owned()))).collect();
    for (file, name) in readers(files).difference(&told) {
        found.push(format!("{file}: `{name}` reads: let a fuzz target reach it, and give it a row in tests/tidy/parsers.rs"));
    }
    for (path, name) in &told {
        let code = files.iter().find(|file| file.path == *path).map_or("", |file| &file.production);
        if !functions(code).iter().any(|(_, known)| known == name) {
            found.push(format!("{path}: there is no `{name}`; take its row out of tests/tidy/parsers.rs"));
        }
    }
    let named: BTreeSet<String> = parsers.iter().map(|(_, _, target)| (*target).to_owned()).collect();
    found.extend(named.difference(targets).map(|name| format!("fuzz/corpus has no {name}")));
    found.extend(targets.difference(&named).map(|name| format!("the target {name} reaches no parser of tests/tidy/parsers.rs")));
    found
}

#[test]
fn every_parser_has_a_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let entries = std::fs::read_dir(folder).expect("there is a folder of corpora");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("it can be listed").file_name().to_string_lossy().into_owned();
    let found = without_target(&crate::source::sources(), PARSERS, OTHERS, &entries.map(name).collect());
    crate::assert_none(&found);
}

#[test]
fn a_parser_without_a_target_is_found_and_so_is_a_row_without_its_parser() {
    let targets = BTreeSet::from(["a".to_owned()]);
    let rows: [Row<'_>; 1] = [("src/a.rs", &["parse"], "a")];
    let judged =
        |text: &str, rows: &[Row<'_>], others: &[Row<'_>]| without_target(&[Source::new("src/a.rs", text)], rows, others, &targets);
    assert_eq!(judged("pub fn parse(text: &str) {}", &rows, &[]), [""; 0]);
    for more in [
        "fn parse_more() {}",
        "impl FromStr for A { fn from_str(text: &str) {} }",
        "fn load(bytes: &[u8]) { postcard::from_bytes(bytes) }",
        "fn load(bytes: &[u8]) { let f = |b| A::decode(b); }",
    ] {
        let text = format!("fn parse() {{}} {more}");
        assert_eq!(judged(&text, &rows, &[]).len(), 1, "{more}");
        let name = functions(more)[0].1;
        assert_eq!(judged(&text, &rows, &[("src/a.rs", &[name], "why")]), [""; 0]);
    }
    for fine in ["#[cfg(test)] mod t { fn parse_b() {} }", "#[cfg(any(test, fuzzing))]\nmod fuzzing { fn parse_b() {} }", "// ::decode("] {
        assert_eq!(judged(&format!("fn parse() {{}} {fine}"), &rows, &[]), [""; 0], "{fine}");
    }
    assert_eq!(judged("fn parsed() {}", &rows, &[]).len(), 1, "its row is told");
    assert_eq!(judged("fn parse() {}", &[("src/a.rs", &["parse"], "b")], &[]).len(), 2, "no such target, and one without a row");
}
