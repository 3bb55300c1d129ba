//! The corpora and mutations of them, on a stable toolchain. `SAMBAND_FUZZ_RUNS` inputs a target (4000), the same each time; `cargo fuzz` does
//! the rest. `SAMBAND_FUZZ_CORPUS` is a folder of further corpora: what `cargo fuzz` found, tried once more where arithmetic is checked.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};

use super::{REQUESTS, SUBMITTED, TARGETS, log_signer, origin, witness_key};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::cosignature::tests::TestWitness;
use crate::audit::event::Event;
use crate::audit::leaf::{AuditorOpening, Opening as _, Openings};
use crate::audit::nodes::RecentNodes;
use crate::audit::proof::inclusion_proof;
use crate::audit::question::Question;
use crate::audit::receipt::{AuditorProof, Receipt};
use crate::audit::{bundle, tlog_proof::TlogProof};
use crate::clock::SeededEntropy;
use crate::domain::id::{CaseRef, RequisitionId};
use crate::domain::time::Timestamp;
use crate::grpc::pb;
use crate::tls::issue::{CertificateAuthority, Leaf};

/// The longest input.
const LEN_MAX: usize = 32 * 1024;
/// Values at which lengths and counts go wrong.
const TELLING: [u8; 8] = [0, 1, 2, 0x1f, 0x7f, 0x80, 0xfe, 0xff];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let further = std::env::var_os("SAMBAND_FUZZ_CORPUS").map(PathBuf::from);
    let folders = std::iter::once(folder().join("corpus")).chain(further).map(|folder| folder.join(target));
    let mut files: Vec<PathBuf> = folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// splitmix64: enough to pick places and bytes by, the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let from = self.below(len + 1);
        from..from + self.below(len - from + 1).min(64)
    }
}

/// A seed, changed in a few places as a hostile or broken sender would.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len());
        match random.below(7) {
            _ if data.is_empty() => data.push(random.next() as u8),
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = TELLING[random.below(TELLING.len())],
            2 => data[at] = random.next() as u8,
            3 => data.truncate(at),
            4 => drop(data.drain(random.range(data.len()))),
            5 => {
                let piece = data[random.range(data.len())].to_vec();
                data.splice(at..at, piece);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let piece = other[random.range(other.len())].to_vec();
                data.splice(at..at, piece);
            }
        }
        data.truncate(LEN_MAX);
    }
    data
}

/// Runs a target; a panic leaves the input behind and names it.
fn holds(name: &str, target: fn(&[u8]), data: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
        let file = std::env::temp_dir().join(format!("samband-fuzz-{name}-{:08x}", crc32fast::hash(data)));
        fs::write(&file, data).unwrap();
        panic!("{name}: panicked on {}; mend the parser and keep the file in fuzz/corpus/{name}", file.display());
    }
}

#[test]
fn no_parser_of_foreign_bytes_panics_on_its_corpus_or_on_what_becomes_of_it() {
    let runs = std::env::var("SAMBAND_FUZZ_RUNS").map_or(4000, |runs| runs.parse().unwrap());
    for (name, target) in TARGETS {
        let seeds = corpus(name);
        assert!(!seeds.is_empty(), "{name}: a corpus has seeds");
        for seed in &seeds {
            holds(name, *target, seed);
        }
        let mut random = Random(u64::from(crc32fast::hash(name.as_bytes())));
        for _ in 0..runs {
            holds(name, *target, &mutated(&seeds, &mut random));
        }
    }
}

/// Found by the journal's fuzzer where the stack is small: the corpus has the input.
#[test]
fn an_event_of_a_result_stands_in_no_other() {
    let of_result = |event: Event| Event::OfResult { requisition_id: RequisitionId::from_bytes([7; 10]), event: Box::new(event) };
    let once = of_result(Event::CaseForgotten { case_ref: CaseRef::from_bytes([7; 10]) });
    let bytes = |event: &Event| postcard::to_stdvec(event).unwrap();
    assert_eq!(postcard::from_bytes(&bytes(&once)), Ok(once.clone()));
    assert!(postcard::from_bytes::<Event>(&bytes(&of_result(once.clone()))).is_err());
    assert_eq!(postcard::from_bytes(&bytes(&once)), Ok(once), "what was refused leaves nothing behind");
}

#[test]
fn every_target_has_a_corpus_and_a_fuzzer_and_there_are_no_others() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed = |folder: PathBuf| -> BTreeSet<String> {
        let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap().path())).collect()
    };
    assert_eq!(listed(folder().join("corpus")), names);
    assert_eq!(listed(folder().join("fuzz_targets")), names);
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), names.len());
}

#[test]
fn a_target_that_panics_is_found() {
    let target: fn(&[u8]) = |data| assert_ne!(data.first(), Some(&0xff), "as a parser with a fault would");
    let mut random = Random(1);
    let seeds = [b"abc".to_vec(), b"defg".to_vec()];
    let found = (0..2000).find(|_| catch_unwind(AssertUnwindSafe(|| target(&mutated(&seeds, &mut random)))).is_err());
    assert!(found.is_some(), "2000 mutations of three bytes reach 0xff in the first place");
}

fn messages() -> Vec<(&'static str, String, Vec<u8>)> {
    let pool = DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder().join("../samples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (target, full, request) = match name.split('-').next().unwrap() {
            "notice" => ("notice", "samband.v1.ConditionNotice", "samband.v1.SendConditionNoticeRequest"),
            "report" => ("report", "samband.v1.NonAttendanceReport", "samband.v1.ReportNonAttendanceRequest"),
            "result" => ("result", "samband.v1.LabResult", "samband.v1.SendLabResultRequest"),
            _ => continue,
        };
        let text = fs::read_to_string(&path).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let read =
            |name: &str, json: serde_json::Value| DynamicMessage::deserialize(pool.get_message_by_name(name).unwrap(), json).unwrap();
        let whole = serde_json::json!({
            "message_id": "019a9b3c-0000-7000-8000-000000000001", "content_salt": "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "content": json
        });
        found.push((target, name.clone(), read(full, json).encode_to_vec()));
        found.push(("wire", name, [vec![place(request)], read(request, whole).encode_to_vec()].concat()));
    }
    found.extend(REQUESTS.iter().map(|request| ("wire", format!("call-{:02}", place(request.full_name())), filled(request))));
    found
}

/// The byte that picks a request.
fn place(request: &str) -> u8 {
    REQUESTS.iter().position(|known| known.full_name() == request).unwrap() as u8
}

/// A request with something in each plain field.
fn filled(request: &MessageDescriptor) -> Vec<u8> {
    let mut message = DynamicMessage::new(request.clone());
    for field in request.fields().filter(|field| !field.is_list() && !field.is_map()) {
        let value = match field.kind() {
            Kind::String => Value::String("a".to_owned()),
            Kind::Bytes => Value::Bytes(vec![1; 32].into()),
            Kind::Bool => Value::Bool(true),
            Kind::Enum(_) => Value::EnumNumber(1),
            Kind::Uint32 => Value::U32(300),
            Kind::Uint64 => Value::U64(300),
            Kind::Int32 => Value::I32(300),
            Kind::Int64 => Value::I64(300),
            Kind::Message(nested) => Value::Message(DynamicMessage::new(nested)),
            _ => continue,
        };
        message.set_field(&field, value);
    }
    [vec![place(request.full_name())], message.encode_to_vec()].concat()
}

/// What witnesses answer and how they are named, bundles, paths and revocation lists.
fn later() -> Vec<(&'static str, String, Vec<u8>)> {
    let witness = TestWitness::new("witness.example/w1", 9);
    let key = witness_key().to_string();
    assert_eq!(key, witness.verifier.to_string());
    let answer = |status: u8, body: &str| [&[status], body.as_bytes()].concat();
    let mut found = vec![
        ("witness", "cosigned".to_owned(), answer(0, &witness.cosign(SUBMITTED, 1_780_000_000))),
        ("witness", "knows".to_owned(), answer(1, "17\n")),
        ("witness", "refuses".to_owned(), answer(4, "")),
        ("witness", "key".to_owned(), answer(2, &key)),
        ("policy", "one".to_owned(), format!("witness w {key} https://w.example/\nquorum w\n").into_bytes()),
        ("policy", "none".to_owned(), b"# nobody\nquorum none\n".to_vec()),
        (
            "policy",
            "group".to_owned(),
            format!("log {}\nwitness w {key}\ngroup g any w\ngroup h 1 g w\nquorum h\n", log_signer().verifier()).into_bytes(),
        ),
    ];
    for (from, to, size) in [(0, 1, 1), (3, 9, 12), (0, 40, 40)] {
        found.push(("bundle", format!("{from}-{to}-of-{size}"), crate::cli::fuzzing::sample_bundle(from, to, size)));
    }
    for (name, path) in [
        ("front", "/nb"),
        ("question", &format!("/en/question/{}?from=2026-11-01&to=2026-11-20", Question::ALL[0].name())),
        ("search", "/nb/search?participant=politi-oslo&kind=1&outcome=2&after=17&case_ref=7YH4QK-2M9XWD-0R3TF5"),
        ("case", "/en/case/7YH4QK-2M9XWD-0R3TF5"),
        ("entry", "/nb/entry/17"),
        ("counts", "/en/counts?from=2026-01-01"),
        ("tile", "/tile/0/x001/234.p/7"),
        ("escaped", "/nb/search?participant=%C3%86%00+%ZZ&participant=b"),
    ] {
        found.push(("path", name.to_owned(), path.as_bytes().to_vec()));
    }
    let (now, entropy) = (Timestamp::from_millis(1_780_000_000_000), SeededEntropy::new(3));
    let authority = CertificateAuthority::new("Fuzz CA", now, &entropy).unwrap();
    let revoked = authority.issue(&Leaf::client("Eksempel", "800000017".parse().unwrap(), now), &entropy).unwrap();
    for (name, list) in [("empty", &[][..]), ("one", &[&revoked][..])] {
        let pem = authority.crl(list, now, now.plus_millis(86_400_000)).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        found.push(("revocation", name.to_owned(), base64::engine::general_purpose::STANDARD.decode(body).unwrap()));
    }
    found
}

fn evidence() -> Vec<(&'static str, String, Vec<u8>)> {
    let opening = |i: u64| {
        let openings = Openings::new([i as u8; 32], [!i as u8; 32]);
        AuditorOpening::new(openings, format!("samband/v1\nsender={i}\n").into(), format!("gateway {i}").into()).unwrap()
    };
    let mut nodes = RecentNodes::default();
    let mut found = Vec::new();
    for size in 1..=9_u64 {
        nodes.push(opening(size - 1).leaf().hash());
        let head = Checkpoint::new(origin(), size, nodes.root()).unwrap();
        let signed = head.sign(&log_signer()).unwrap();
        let proof = inclusion_proof(&nodes, size / 2, size).unwrap();
        found.push(("note", format!("checkpoint-{size}"), head.to_text().into_bytes()));
        found.push(("note", format!("signed-{size}"), signed.as_str().as_bytes().to_vec()));
        let bare = TlogProof::new(&[], size / 2, &proof, signed.as_str()).unwrap();
        found.push(("proof", format!("bare-{size}"), bare.encode().into_bytes()));
        let leaf = opening(size / 2).leaf();
        let pair = [&[leaf.as_bytes().len() as u8], leaf.as_bytes().as_slice(), bare.encode().as_bytes()].concat();
        found.push(("leaf", format!("bare-{size}"), pair));
        let (sender, auditor) = (opening(size / 2).for_sender(), opening(size / 2));
        found.push(("receipt", format!("sender-{size}"), Receipt::encode(&sender, size / 2, &proof, &signed).into_bytes()));
        found.push(("receipt", format!("auditor-{size}"), AuditorProof::encode(&auditor, size / 2, &proof, &signed).into_bytes()));
        found.push(("proof", format!("sender-{size}"), Receipt::encode(&sender, size / 2, &proof, &signed).into_bytes()));
        let entries = bundle::encode((0..size).map(|i| opening(i).leaf())).unwrap();
        found.push(("tile", format!("bundle-{size}"), entries));
    }
    found.push(("note", "key".into(), log_signer().verifier().to_string().into_bytes()));
    found.push(("note", "signer".into(), log_signer().to_text().as_bytes().to_vec()));
    for (name, path) in [("full", "tile/0/x001/x234/067"), ("partial", "tile/8/000.p/255"), ("entries", "tile/entries/123.p/1")] {
        found.push(("tile", name.into(), path.into()));
    }
    found.push(("tile", "leaf".into(), opening(3).leaf().as_bytes().to_vec()));
    found
}

fn texts() -> Vec<(&'static str, String, Vec<u8>)> {
    let at = |path: &str| fs::read(folder().join("..").join(path)).unwrap();
    let (register, configuration, codes) = (at("deploy/participants.toml"), at("deploy/samband.toml"), at("data/nlk_codes.csv"));
    let half = |text: &[u8]| text[..text.len() / 2].to_vec();
    let mut found = vec![
        ("register", "half".to_owned(), half(&register)),
        ("configuration", "half".to_owned(), half(&configuration)),
        ("codes", "half".to_owned(), half(&codes)),
        (
            "register",
            "one".to_owned(),
            b"[[participant]]\nid=\"lab-a\"\nname=\"A\"\nrole=\"laboratory\"\norganisation_number=\"800000513\"\n".to_vec(),
        ),
        ("configuration", "listen".to_owned(), b"listen = \"[::1]:0\"\n[limits]\nhandshake_timeout_ms = 0\n".to_vec()),
        ("codes", "line".to_owned(), codes.split_inclusive(|b| *b == b'\n').take(2).flatten().copied().collect()),
        ("register", "sample".to_owned(), register),
        ("configuration", "sample".to_owned(), configuration),
        ("codes", "built-in".to_owned(), codes),
    ];
    for (name, text) in [
        ("message-id", "019a9b3c-0000-7000-8000-000000000001"),
        ("upper-case", "019A9B3C-0000-7000-8000-000000000001"),
        ("date", "2028-02-29"),
        ("reference", "7YH4QK-2M9XWD-0R3TF5"),
        ("lower-case", "7yh4qk 2m9xwd or3tfs"),
    ] {
        found.push(("identifiers", name.to_owned(), text.into()));
    }
    found
}

fn certificates() -> Vec<(&'static str, String, Vec<u8>)> {
    let (now, entropy) = (Timestamp::from_millis(1_780_000_000_000), SeededEntropy::new(3));
    let authority = CertificateAuthority::new("Fuzz CA", now, &entropy).unwrap();
    let organisation = "800000017".parse().unwrap();
    let client = Leaf::client("Eksempel", organisation, now);
    let twice = Leaf { organisation_identifiers: vec!["NTRNO-800000017".into(), "NTRNO-800000211".into()], ..client.clone() };
    let person = Leaf { organisation_identifiers: vec![], subject_serial_number: Some("UN:NO-9578-1".into()), ..client.clone() };
    let server = Leaf::server("Gateway", &["localhost", "127.0.0.1"], now);
    [("client", client), ("twice", twice), ("person", person), ("server", server)]
        .into_iter()
        .map(|(name, leaf)| ("certificate", name.to_owned(), authority.issue(&leaf, &entropy).unwrap().certificate_der().to_vec()))
        .collect()
}

#[tokio::test]
#[ignore = "writes the first seeds of fuzz/corpus; run it after a format has changed"]
async fn write_the_seeds() {
    let mut all = [messages(), evidence(), texts(), certificates(), later()].concat();
    all.extend(crate::store::embedded::fuzzing::seeds().await);
    for (target, name, bytes) in all {
        let folder = folder().join("corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), &bytes[..bytes.len().min(LEN_MAX)]).unwrap();
    }
}
