//! The first seeds of every corpus, by the writers of what the targets read: target, name, bytes.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value as Field};
use serde_json::Value;

use super::tests::folder;
use super::{REQUESTS, SUBMITTED, log_signer, origin, witness_key};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::cosignature::tests::TestWitness;
use crate::audit::event::kind;
use crate::audit::leaf::{AuditorOpening, Opening as _, Openings};
use crate::audit::nodes::RecentNodes;
use crate::audit::proof::inclusion_proof;
use crate::audit::question::Question;
use crate::audit::receipt::{AuditorProof, Receipt};
use crate::audit::record::Record;
use crate::audit::{bundle, tlog_proof::TlogProof};
use crate::clock::SeededEntropy;
use crate::domain::id::CaseRef;
use crate::domain::participant::Participant;
use crate::domain::time::Timestamp;
use crate::grpc::pb;
use crate::store::contract::case_bed::register;
use crate::tls::issue::{AuthorityName, CertificateAuthority, Leaf};

type Seed = (&'static str, String, Vec<u8>);

/// All of them.
pub(super) async fn all() -> Vec<Seed> {
    let mut all = [messages(), arguments(), evidence(), texts(), certificates(), chains(), answers(), later()].concat();
    all.extend(crate::store::embedded::fuzzing::seeds().await);
    all
}

fn pool() -> DescriptorPool {
    DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).unwrap()
}

/// The samples as they are and with every further field, by themselves and in their requests; and every request with something in each field.
fn messages() -> Vec<Seed> {
    let pool = pool();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder().join("../samples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (target, full, request, json) = match name.split('-').next().unwrap() {
            "notice" => ("notice", "samband.v1.ConditionNotice", "samband.v1.SendConditionNoticeRequest", 0),
            "report" => ("report", "samband.v1.NonAttendanceReport", "samband.v1.ReportNonAttendanceRequest", 1),
            "result" => ("result", "samband.v1.LabResult", "samband.v1.SendLabResultRequest", 2),
            _ => continue,
        };
        let text = fs::read_to_string(&path).unwrap();
        found.push(("json", name.clone(), [&[REQUESTS.len() as u8 + json], text.as_bytes()].concat()));
        let read = |name: &str, json: &Value| DynamicMessage::deserialize(pool.get_message_by_name(name).unwrap(), json).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        for variant in 0..VARIANTS {
            let (mut content, mut name) = (read(full, &json), name.clone());
            if let Some(variant) = usize::checked_sub(variant, 1) {
                fill(&mut content, variant);
                name.push_str(&format!("-full-{variant}"));
            }
            let mut whole = DynamicMessage::new(pool.get_message_by_name(request).unwrap());
            whole.set_field_by_name("content", Field::Message(content.clone()));
            fill(&mut whole, 0);
            let whole = whole.encode_to_vec();
            found.push((target, name.clone(), content.encode_to_vec()));
            found.push(("wire", name.clone(), [&[place(request)][..], &whole].concat()));
            let head = match target {
                "notice" => 3,
                "report" => 4,
                _ => 5,
            };
            found.push(("arguments", name, [&[head][..], &whole].concat()));
        }
    }
    let mut told = BTreeSet::new();
    for (request, variant) in REQUESTS.iter().flat_map(|request| (0..VARIANTS).map(move |variant| (request, variant))) {
        let mut message = DynamicMessage::new(request.clone());
        fill(&mut message, variant);
        let bytes = [vec![place(request.full_name())], message.encode_to_vec()].concat();
        if !told.insert(bytes.clone()) {
            continue;
        }
        let name = format!("call-{:02}-{variant}", place(request.full_name()));
        let value = crate::cli::fuzzing::to_value(&message);
        found.push(("json", name.clone(), [&bytes[..1], value.to_string().as_bytes()].concat()));
        found.push(("wire", name, bytes));
    }
    found
}

/// Of fields of which one stands, and of enums, the seeds have the first few.
const VARIANTS: usize = 4;

/// Something in each field that has nothing, and in each field of what it holds. Of fields of which one stands, the one that `variant` picks.
fn fill(message: &mut DynamicMessage, variant: usize) {
    for one in message.descriptor().oneofs().filter(|one| !one.is_synthetic()) {
        let fields: Vec<_> = one.fields().collect();
        if !fields.iter().any(|field| message.has_field(field)) {
            let field = &fields[variant % fields.len()];
            message.set_field(field, some(field, variant));
        }
    }
    for field in message.descriptor().fields() {
        let is_choice = field.containing_oneof().is_some_and(|one| !one.is_synthetic());
        if message.has_field(&field) {
            match message.get_field_mut(&field) {
                Field::Message(nested) => fill(nested, variant),
                Field::List(list) => list.iter_mut().filter_map(Field::as_message_mut).for_each(|nested| fill(nested, variant)),
                _ => {}
            }
        } else if !is_choice && !field.is_map() {
            let value = some(&field, variant);
            message.set_field(&field, if field.is_list() { Field::List(vec![value.clone(), value]) } else { value });
        }
    }
}

/// What fits a field's type, and where it can be told its meaning.
fn some(field: &FieldDescriptor, variant: usize) -> Field {
    let text = match field.name() {
        "message_id" | "replaces" | "message_ids" => "019a9b3c-0000-7000-8000-000000000001",
        "case_ref" => "7YH4QK-2M9XWD-0R3TF5",
        "participant" | "participant_id" | "after_participant_id" => "politi-oslo",
        "municipality" => "0301",
        "cursor" => "12.3",
        "until" | "from" | "to" => "2026-11-20",
        "email" => "vakt@ru.example",
        "phone" => "+4721000000",
        _ => "a",
    };
    match field.kind() {
        Kind::String => Field::String(text.to_owned()),
        Kind::Bytes => Field::Bytes(vec![1; 32].into()),
        Kind::Bool => Field::Bool(true),
        Kind::Enum(_) => Field::EnumNumber(1 + variant as i32),
        Kind::Uint32 => Field::U32(300),
        Kind::Uint64 => Field::U64(300),
        Kind::Int32 => Field::I32(300),
        Kind::Int64 => Field::I64(300),
        Kind::Message(nested) => {
            let mut message = DynamicMessage::new(nested);
            fill(&mut message, variant);
            Field::Message(message)
        }
        other => panic!("no message has a {other:?}"),
    }
}

/// What handlers read of requests, and of paths and headers.
fn arguments() -> Vec<Seed> {
    let pool = pool();
    let mut found = Vec::new();
    let requests = ["ListRecords", "Export", "PlaceHold", "GetProof", "Review", "Ask"];
    for ((name, place), variant) in requests.into_iter().zip(0_u8..).flat_map(|one| (0..2).map(move |variant| (one, variant))) {
        let mut message = DynamicMessage::new(pool.get_message_by_name(&format!("samband.v1.{name}Request")).unwrap());
        fill(&mut message, variant);
        found.push(("arguments", format!("{}-{variant}", name.to_lowercase()), [&[6, place][..], &message.encode_to_vec()].concat()));
    }
    let mut look_up = DynamicMessage::new(pool.get_message_by_name("samband.v1.ProsecutionServiceLookUpRequest").unwrap());
    fill(&mut look_up, 0);
    found.push(("arguments", "look-up".to_owned(), [&[2][..], &look_up.encode_to_vec()].concat()));
    for (first, name, text) in [
        (0, "cursor", "12.3"),
        (0, "cursor-large", "18446744073709551615.0"),
        (1, "seconds", "8S"),
        (1, "hours", "99999999H"),
        (1, "path", "/samband.v1.AuditService/Ask"),
        (1, "health", "/grpc.health.v1.Health/Check"),
    ] {
        found.push(("arguments", name.to_owned(), [&[first], text.as_bytes()].concat()));
    }
    found
}

/// What clients show, files of certificates and keys, and what is remembered of lists.
fn chains() -> Vec<Seed> {
    let (now, entropy) = (Timestamp::from_millis(1_780_000_000_000), SeededEntropy::new(3));
    let later = now.plus_millis(86_400_000);
    let name = |name: &str| AuthorityName { common_name: name.to_owned(), organisation_identifier: Some("NTRNO-983163327".to_owned()) };
    let root = CertificateAuthority::root(&name("Root CA"), 1, now, &entropy).unwrap();
    let issuing = root.subordinate(&name("Example CA"), later, now, &entropy).unwrap();
    let namesake = root.subordinate(&name("Example CA"), later, now, &entropy).unwrap();
    let leaf = Leaf { policies: vec!["2.16.578.1.26.1.3.2".to_owned()], ..Leaf::client("Eksempel", "800000017".parse().unwrap(), now) };
    let issued = issuing.issue(&leaf, &entropy).unwrap();
    let server = issuing.issue(&Leaf::server("Gateway", &["localhost", "127.0.0.1"], now), &entropy).unwrap();
    let der = |pem: &str| of_pem(pem);
    let client = issued.certificate_der().to_vec();
    let (above, beside, top) = (der(issuing.certificate_pem()), der(namesake.certificate_pem()), der(root.certificate_pem()));
    let shown = |ders: &[&Vec<u8>]| ders.iter().flat_map(|der| [&(der.len() as u16).to_be_bytes()[..], der].concat()).collect::<Vec<u8>>();
    let mut found = vec![
        ("chain", "alone".to_owned(), shown(&[&client])),
        ("chain", "with-its-ca".to_owned(), shown(&[&client, &above])),
        ("chain", "with-all".to_owned(), shown(&[&client, &beside, &above, &top])),
        ("chain", "a-root-thrice".to_owned(), shown(&[&top, &top, &top])),
        ("chain", "not-a-certificate".to_owned(), shown(&[&client, &vec![0; 9]])),
    ];
    for (name, der) in [("issuing", &above), ("root", &top)] {
        found.push(("certificate", format!("ca-{name}"), der.clone()));
    }
    let lists = issuing.crl(&[&issued], now, later).unwrap();
    for (first, name, text) in [
        (0, "chain", server.certificate_pem() + issuing.certificate_pem()),
        (1, "key", server.key_pem().to_string()),
        (2, "client-ca", root.certificate_pem().to_owned()),
        (3, "issuing-ca", issuing.certificate_pem().to_owned()),
        (4, "lists", lists.clone() + &root.crl(&[], now, later).unwrap()),
    ] {
        found.push(("pem", name.to_owned(), [&[first], text.as_bytes()].concat()));
    }
    found.push(("pem", "list-der".to_owned(), [vec![4], of_pem(&lists)].concat()));
    found.extend(crate::tls::fuzzing::samples_of_marks().map(|(name, text)| ("marks", name.to_owned(), text.into_bytes())));
    found
}

/// The one section of a PEM text.
fn of_pem(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}

/// What a gateway answers: its register, and entries of an export.
fn answers() -> Vec<Seed> {
    #[derive(serde::Serialize)]
    struct InForce {
        generation: u64,
        participant: Vec<Participant>,
        former: Vec<toml::Table>,
    }
    let participant = register(3, |_| ()).iter().map(|one| one.as_ref().clone()).collect();
    let former = ["id = \"lab-old\"", "id = \"lab-gone\"\nrole = \"laboratory\"\norganisation_number = \"800000513\""];
    let former = former.iter().map(|text| text.parse().unwrap()).collect();
    let body = toml::to_string(&InForce { generation: 3, participant, former }).unwrap();
    let mut found = vec![("register", "answer".to_owned(), format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes())];
    let record = Record { case_ref: Some(CaseRef::from_bytes([7; 10])), ..Record::empty(kind::CASE_ENDED, Timestamp::from_millis(0)) };
    let opening = AuditorOpening::new(Openings::new([1; 32], [2; 32]), record.sender_part(), record.gateway_part()).unwrap();
    let leaf = opening.leaf().as_bytes().to_vec();
    for (name, opening, absence) in [("open", Some(opening.encode().to_vec().into()), 0), ("erased", None, 1), ("closed", None, 2)] {
        let entry = pb::ExportEntry { index: 300, leaf: leaf.clone().into(), opening, absence };
        found.push(("bundle", format!("entry-{name}"), entry.encode_to_vec()));
    }
    found
}

/// The byte that picks a request.
fn place(request: &str) -> u8 {
    REQUESTS.iter().position(|known| known.full_name() == request).unwrap() as u8
}

/// What witnesses answer and how they are named, bundles, paths and revocation lists.
fn later() -> Vec<Seed> {
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
        ("languages", "en; q=0.000, nb-NO;q=0.1,de"),
        ("escaped", "/nb/search?participant=%C3%86%00+%ZZ&participant=b"),
    ] {
        found.push(("path", name.to_owned(), path.as_bytes().to_vec()));
    }
    let (now, entropy) = (Timestamp::from_millis(1_780_000_000_000), SeededEntropy::new(3));
    let authority = CertificateAuthority::new("Fuzz CA", now, &entropy).unwrap();
    let revoked = authority.issue(&Leaf::client("Eksempel", "800000017".parse().unwrap(), now), &entropy).unwrap();
    for (name, list) in [("empty", &[][..]), ("one", &[&revoked][..])] {
        let pem = authority.crl(list, now, now.plus_millis(86_400_000)).unwrap();
        found.push(("revocation", name.to_owned(), of_pem(&pem)));
    }
    found
}

fn evidence() -> Vec<Seed> {
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
        let hashes: Vec<u8> = (0..size).flat_map(|i| *opening(i).leaf().hash().as_bytes()).collect();
        found.push(("tile", format!("hashes-{size}"), hashes));
    }
    found.push(("note", "key".into(), log_signer().verifier().to_string().into_bytes()));
    found.push(("note", "signer".into(), log_signer().to_text().as_bytes().to_vec()));
    for (name, path) in [("full", "tile/0/x001/x234/067"), ("partial", "tile/8/000.p/255"), ("entries", "tile/entries/123.p/1")] {
        found.push(("tile", name.into(), path.into()));
    }
    found.push(("tile", "leaf".into(), opening(3).leaf().as_bytes().to_vec()));
    found
}

fn texts() -> Vec<Seed> {
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
        ("participant", "politi-oslo"),
        ("municipality", "0301"),
        ("organisation", "800000513"),
    ] {
        found.push(("identifiers", name.to_owned(), text.into()));
    }
    found
}

fn certificates() -> Vec<Seed> {
    let (now, entropy) = (Timestamp::from_millis(1_780_000_000_000), SeededEntropy::new(3));
    let authority = CertificateAuthority::new("Fuzz CA", now, &entropy).unwrap();
    let organisation = "800000017".parse().unwrap();
    let client = Leaf::client("Eksempel", organisation, now);
    let twice = Leaf { organisation_identifiers: vec!["NTRNO-800000017".into(), "NTRNO-800000211".into()], ..client.clone() };
    let person = Leaf { organisation_identifiers: vec![], subject_serial_number: Some("UN:NO-9578-1".into()), ..client.clone() };
    let server = Leaf::server("Gateway", &["localhost", "127.0.0.1"], now);
    let listed = Leaf {
        policies: vec!["2.16.578.1.26.1.3.2".into(), "2.16.578.1.1.1".into()],
        list_at: Some("http://crl.example/list.crl".into()),
        ..client.clone()
    };
    [("client", client), ("twice", twice), ("person", person), ("server", server), ("listed", listed)]
        .into_iter()
        .map(|(name, leaf)| ("certificate", name.to_owned(), authority.issue(&leaf, &entropy).unwrap().certificate_der().to_vec()))
        .collect()
}
