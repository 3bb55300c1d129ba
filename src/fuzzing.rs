//! Every parser of foreign bytes as a function of bytes: what fuzzers call, and what the tests call with the corpora and with mutations of them.
//!
//! A target must take any bytes without a panic. What it accepts must be what is written again, where a form has one spelling.
//! Compiled for tests and for cargo-fuzz (`--cfg fuzzing`) only.

#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ServiceDescriptor};

use crate::audit::bundle as entries;
use crate::audit::checkpoint::{Checkpoint, Origin};
use crate::audit::cosignature::WitnessVerifier;
use crate::audit::evidence::{Manifest, parse_entry, parse_hash_lines};
use crate::audit::leaf::Leaf;
use crate::audit::note::{LogSigner, LogVerifier, UnverifiedNote};
use crate::audit::receipt::{AuditorProof, Receipt, Standing};
use crate::audit::tile_nodes::TileNodes;
use crate::audit::tiles::TileId;
use crate::audit::tlog_policy::TlogPolicy;
use crate::audit::tlog_proof::TlogProof;
use crate::audit::tree::{Hash, root_at};
use crate::audit::witness::{self, Submitted};
use crate::cli::fuzzing as cli;
use crate::config::Config;
use crate::config::participants::parse_register;
use crate::config::register_edit::RegisterEdit;
use crate::domain::id::{CaseRef, MessageId, ParticipantId, RequisitionId};
use crate::domain::identity::IdentityMode;
use crate::domain::nlk::NlkTable;
use crate::domain::participant::{MunicipalityNumber, OrganisationNumber};
use crate::domain::time::{Date, parse_date};
use crate::domain::violation::ParseContext;
use crate::grpc::convert::{canonical, condition_notice, lab_result, non_attendance_report, wire};
use crate::grpc::pb;
use crate::grpc::request::Progress;
use crate::store::embedded::fuzzing as store;
use crate::tls::pace::Frames;
use crate::tls::peer::{PeerIdentity, key_hash_of};

/// A parser by name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them. A file of `fuzz/fuzz_targets/` and a folder of `fuzz/corpus/` has each name.
pub const TARGETS: &[Target] = &[
    ("call", call),
    ("frames", frames),
    ("arguments", crate::grpc::fuzzing::arguments),
    ("wire", wire_walk),
    ("json", json),
    ("notice", notice),
    ("report", report),
    ("result", result),
    ("certificate", certificate),
    ("chain", crate::tls::fuzzing::chain),
    ("pem", crate::tls::fuzzing::file),
    ("marks", marks),
    ("identifiers", identifiers),
    ("register", register),
    ("configuration", configuration),
    ("codes", codes),
    ("journal", store::journal),
    ("snapshot", store::snapshot),
    ("current", store::current),
    ("record", store::record),
    ("tile", tile),
    ("note", note),
    ("proof", proof),
    ("receipt", receipt),
    ("leaf", leaf),
    ("bundle", bundle),
    ("policy", policy),
    ("witness", witness),
    ("path", crate::web::auditor::fuzzing::path),
    ("revocation", revocation),
];

/// Runs the target of this name.
///
/// # Panics
/// There is none of this name, or it has found a fault.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name).expect("a fuzzer names a target");
    target.1(data);
}

const CONTEXT: ParseContext = ParseContext { today: Date::constant(2026, 11, 20), identity_mode: IdentityMode::Test };

/// The log that receipts of the corpora are of.
#[must_use]
pub fn log_signer() -> LogSigner {
    LogSigner::from_seed(origin().key_name(), zeroize::Zeroizing::new([7; 32]))
}

fn origin() -> Origin {
    "fuzz.samband.example/log".parse().expect("a host and a path are an origin")
}

/// The requests of all calls, in the schema's order.
static REQUESTS: LazyLock<Vec<MessageDescriptor>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("the build made the descriptor set");
    let services: Vec<ServiceDescriptor> = pool.services().collect();
    services.iter().flat_map(ServiceDescriptor::methods).map(|method| method.input()).collect()
});

/// The input after its first byte, in pieces of as many bytes as that says.
fn pieces(data: &[u8]) -> Option<(&[u8], impl Iterator<Item = &[u8]>)> {
    let (size, rest) = data.split_first()?;
    Some((rest, rest.chunks(usize::from(*size).max(1))))
}

/// The one message of a call: judged alike however it is cut.
fn call(data: &[u8]) {
    let Some((whole, mut pieces)) = pieces(data) else { return };
    let mut in_pieces = Progress::new();
    let mut at_once = Progress::new();
    let one = pieces.try_for_each(|piece| in_pieces.take(piece)).and_then(|()| in_pieces.end());
    let other = at_once.take(whole).and_then(|()| at_once.end());
    assert_eq!(one, other, "a message is one however it is cut");
}

/// Frames are counted alike however they are cut.
fn frames(data: &[u8]) {
    let Some((whole, pieces)) = pieces(data) else { return };
    let mut counted = Frames::new();
    let count: u64 = pieces.map(|piece| counted.count(piece)).sum();
    assert_eq!(count, Frames::new().count(whole), "frames are as many however they are cut");
}

/// The strict walk over the raw bytes of every request: what it accepts must decode. The first byte picks the request.
fn wire_walk(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let request = &REQUESTS[usize::from(*first) % REQUESTS.len()];
    if wire::check(request.full_name(), data).is_ok() {
        DynamicMessage::decode(request.clone(), data).expect("what the walk accepts decodes");
    }
}

/// A message and its canonical form say the same.
fn decoded<M: prost::Message + Default + PartialEq>(data: &[u8]) -> Option<M> {
    let message = M::decode(data).ok()?;
    let again = canonical(&message);
    assert!(M::decode(again.as_slice()).is_ok_and(|again| again == message), "canonical content keeps its meaning");
    Some(message)
}

fn notice(data: &[u8]) {
    if let Some(message) = decoded(data) {
        let _ = condition_notice(message, &CONTEXT);
    }
}

fn report(data: &[u8]) {
    if let Some(message) = decoded(data) {
        let _ = non_attendance_report(message, &CONTEXT);
    }
}

fn result(data: &[u8]) {
    if let Some(message) = decoded(data) {
        let _ = lab_result(message, &CONTEXT);
    }
}

/// A message as JSON, for the command line: a request, or one of the three by itself. The first byte picks it.
fn json(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let three = ["ConditionNotice", "NonAttendanceReport", "LabResult"].map(cli::descriptor);
    let place = usize::from(*first) % (REQUESTS.len() + three.len());
    let descriptor = REQUESTS.get(place).unwrap_or_else(|| &three[place - REQUESTS.len()]);
    if let Some(text) = text(data) {
        cli::json(descriptor, text);
    }
}

fn marks(data: &[u8]) {
    if let Some(text) = text(data) {
        crate::tls::fuzzing::marks(text);
    }
}

fn certificate(data: &[u8]) {
    crate::tls::fuzzing::certificate(data);
    let _ = key_hash_of(data);
    let _ = PeerIdentity::from_leaf(data);
}

fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

fn identifiers(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string(), text, "a message id has one spelling");
    }
    if let Ok(reference) = text.parse::<CaseRef>() {
        assert_eq!(reference.to_string().parse(), Ok(reference));
    }
    if let Ok(requisition) = text.parse::<RequisitionId>() {
        assert_eq!(requisition.to_string().parse(), Ok(requisition));
    }
    if let Ok(id) = text.parse::<ParticipantId>() {
        assert_eq!(id.to_string(), text, "a participant's id has one spelling");
    }
    let _ = (parse_date(text), text.parse::<MunicipalityNumber>(), text.parse::<OrganisationNumber>());
}

/// The register's file, for the gateway and to be edited, and a gateway's answer of it.
fn register(data: &[u8]) {
    if let Some(text) = text(data) {
        let file = Path::new("participants.toml");
        let is_one = parse_register(file, text, 1, &|_| true).is_ok();
        assert_eq!(RegisterEdit::of(file, text.to_owned(), &|_| true).is_ok(), is_one, "what is a register can be edited");
        cli::register(text);
    }
}

fn configuration(data: &[u8]) {
    if let Some(text) = text(data) {
        let _ = Config::parse(Path::new("samband.toml"), text);
    }
}

fn codes(data: &[u8]) {
    if let Some(text) = text(data) {
        let _ = NlkTable::parse(text);
    }
}

/// Paths of tiles, and what lies behind them: bundles and hashes.
fn tile(data: &[u8]) {
    let _ = entries::decode(data, 256);
    cli::start_of(data);
    let hashes = data.len() / Hash::LEN;
    for size in [hashes as u64, 1 + hashes as u64].into_iter().filter(|size| (1..=256).contains(size)) {
        let nodes = TileNodes::new(size, |_| Ok::<_, ()>(data.to_vec()));
        assert_eq!(root_at(&nodes, size).is_ok(), data.len() as u64 == size * Hash::LEN as u64, "a tile is as long as its name says");
    }
    if let Some(text) = text(data)
        && let Ok(tile) = text.parse::<TileId>()
    {
        assert_eq!(tile.path(), text, "a tile has one path");
    }
    if let Ok(leaf) = <[u8; Leaf::LEN]>::try_from(data) {
        let _ = Leaf::from_bytes(leaf);
    }
}

fn note(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(note) = UnverifiedNote::parse(text) {
        assert_eq!(note.encode(), text, "a note has one spelling");
        let _ = note.verify(log_signer().verifier());
    }
    if let Ok(checkpoint) = Checkpoint::from_text(text) {
        assert_eq!(checkpoint.to_text(), text, "a checkpoint has one spelling");
    }
    let _ = Checkpoint::open(text, log_signer().verifier());
    let _ = text.parse::<LogVerifier>();
    let _ = LogSigner::from_text(text);
}

fn proof(data: &[u8]) {
    let Some(text) = text(data) else { return };
    if let Ok(proof) = TlogProof::parse(text) {
        assert_eq!(proof.encode(), text, "a proof has one spelling");
        let _ = proof.verify(&[1; Leaf::LEN], log_signer().verifier());
    }
}

fn receipt(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let signer = log_signer();
    let _ = Receipt::verify(text, signer.verifier(), &origin());
    let _ = AuditorProof::verify(text, signer.verifier(), &origin());
}

/// A leaf file, and the proof that lies beside it: the first byte says how many of the next are the file's.
fn leaf(data: &[u8]) {
    let Some((len, rest)) = data.split_first() else { return };
    let (file, proof) = rest.split_at(usize::from(*len).min(rest.len()));
    let Some(text) = text(proof) else { return };
    if let Ok(standing) = Standing::verify(text, file, log_signer().verifier(), &origin()) {
        assert_eq!(standing.leaf().as_bytes().as_slice(), file, "what stands is what the file holds");
        let proof = TlogProof::parse(text).expect("a proof that holds has its form");
        assert!(proof.extra().is_none() && proof.index() == standing.index(), "a proof that opens its record is none of a bare leaf");
    }
}

/// An evidence bundle as a whole, and each of its texts.
fn bundle(data: &[u8]) {
    cli::bundle(data);
    cli::entry(data);
    let Some(text) = text(data) else { return };
    if let Ok(manifest) = Manifest::parse(text) {
        assert_eq!(manifest.encode(), text, "a manifest has one spelling");
    }
    let _ = parse_hash_lines(text);
    let _ = parse_entry(text);
}

/// The key of the witness that answers in the corpora.
fn witness_key() -> WitnessVerifier {
    "witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY".parse().expect("a key of a witness")
}

fn policy(data: &[u8]) {
    if let Ok(policy) = TlogPolicy::parse(data) {
        assert!(policy.demands_witnesses() || policy.is_quorum(&[]), "what demands nobody is content with nobody");
        let everyone: Vec<usize> = (0..policy.witnesses().len()).collect();
        assert!(policy.is_quorum(&everyone), "all witnesses make every quorum");
        let _ = policy.accept("", log_signer().verifier());
    }
}

/// The checkpoint that a witness of the corpora was asked to cosign.
const SUBMITTED: &str = "fuzz.samband.example/log\n2\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

/// The answer of a witness: the first byte picks the status.
fn witness(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let submitted = Submitted { old_size: 1, text: SUBMITTED };
    let status = [200, 409, 400, 403, 404, 422, 429, 500][usize::from(*first % 8)];
    let _ = witness::read_answer(status, "text/x.tlog.size", body, &witness_key(), submitted);
    if let Some(text) = text(body)
        && let Ok(key) = text.parse::<WitnessVerifier>()
    {
        assert_eq!(key.to_string(), text, "a witness key has one spelling");
    }
}

fn revocation(data: &[u8]) {
    crate::tls::fuzzing::list(data);
}
