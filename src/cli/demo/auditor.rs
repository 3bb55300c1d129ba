//! The auditor's check: first through the gateway, entry by entry, then offline with nothing but the folder, the receipts and the public key.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::audit::checkpoint::Origin;
use crate::audit::note::LogVerifier;

use super::super::audit::checkpoint::{continues, fetch, open};
use super::super::audit::prove::field;
use super::super::audit::verify::{prove_folder, verify_log};
use super::super::exit::CliError;
use super::super::receipt::{Proved, prove};
use super::super::schema::Service;
use super::Stage;
use super::cast::expect;
use super::people::EVERYONE;

/// The auditor.
const AUDITOR: &str = "tilsyn";
/// Files larger than this are not looked through for names: none of the demo's is.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Every record of the log, in order.
async fn list(stage: &mut Stage) -> Result<Vec<Value>, CliError> {
    let mut rows = stage.cast.client(AUDITOR)?.stream(Service::Audit, "ListRecords", &json!({})).await?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().await? {
        if let Some(entry) = row.get("entry") {
            entries.push(entry.clone());
        } else {
            expect(row["end"].get("next_index").is_none(), "the list is whole")?;
            return Ok(entries);
        }
    }
    Err(CliError::Failed("the list of records broke off".to_owned()))
}

/// Lists and proves every entry, and that the log at the end continues the log at the start.
///
/// # Errors
/// What did not hold.
pub async fn online(
    stage: &mut Stage,
    first: &str,
    verifier: &LogVerifier,
    origin: &Origin,
) -> Result<BTreeMap<PathBuf, Proved>, CliError> {
    stage.chapter("The auditor (tilsyn) checks the log");
    let entries = list(stage).await?;
    for (at, entry) in entries.iter().enumerate() {
        expect(entry["index"].as_u64().unwrap_or_default() == at as u64, "the list has no gap")?;
    }
    stage.cast.ledger.note(AUDITOR, "saw", format!("{} records: who did what, when and to which message; no content", entries.len()));
    check_kinds(stage, &entries)?;
    let mut proofs = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let answer = stage.cast.ask(AUDITOR, Service::Audit, "GetProof", &json!({"index": at})).await?;
        let proof = &answer["proofs"][0];
        let text = String::from_utf8(field(proof, "proof")?).map_err(|_| CliError::Failed("a proof is no text".to_owned()))?;
        let proved = prove(&text, verifier, origin).map_err(|error| CliError::Failed(format!("the proof of entry {at}: {error}")))?;
        expect(
            proved.index == at as u64 && proved.leaf.as_bytes().as_slice() == field(proof, "leaf")?,
            "the proof is of the entry asked for",
        )?;
        expect(opens(&proved.record, &entry["record"]), "the proof opens the record that was listed")?;
        proofs.insert(PathBuf::from(format!("proof of entry {at}")), proved);
    }
    stage.step(&format!("all {} entries are proved against the signed head and open to the records listed", entries.len()));
    let older = open(first, verifier, "the first checkpoint")?;
    let client = stage.cast.client(AUDITOR)?;
    let newest = open(&fetch(&client).await?.checkpoint, verifier, "the last checkpoint")?;
    expect(newest.size() > older.size(), "the log has grown")?;
    continues(&client, &older, &newest).await?;
    stage.step(&format!("the log of size {} continues the log of size {} from before the restart", newest.size(), older.size()));
    Ok(proofs)
}

/// Whether the proved text says what the list said.
fn opens(text: &str, record: &Value) -> bool {
    let has = |name: &str, field: &str| match record[field].as_str() {
        Some(value) => text.lines().any(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) == Some(value)),
        None => true,
    };
    record["kind_name"].is_string()
        && has("event", "kind_name")
        && has("actor", "actor")
        && has("message_id", "message_id")
        && has("case_ref", "case_ref")
}

/// The log tells what was played: each acceptance, the return, the refusals, both starts.
fn check_kinds(stage: &mut Stage, entries: &[Value]) -> Result<(), CliError> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        *counts.entry(entry["record"]["kind_name"].as_str().unwrap_or("ERASED")).or_default() += 1;
    }
    for (kind, expected) in [
        ("LOG_OPENED", 1),
        ("STARTED", 2),
        ("STOPPED", 1),
        ("NOTICE_ACCEPTED", 4),
        ("REPORT_ACCEPTED", 1),
        ("RESULT_ACCEPTED", 2),
        ("NOTICE_RETURNED", 1),
        ("HANDED_OUT", 8),
        ("ACKNOWLEDGED", 8),
        ("REFUSED", 5),
    ] {
        let found = counts.get(kind).copied().unwrap_or_default();
        expect(found == expected, &format!("{expected} records {kind}, found {found}"))?;
    }
    let strangers = counts.get("STRANGERS_REFUSED").copied().unwrap_or_default();
    expect(strangers >= 1, "the stranger's call is in the log")?;
    stage.step("the log tells all of it: 7 acceptances, 8 hand-outs, a return, 5 refusals, a stranger, 2 starts; and no name");
    Ok(())
}

/// Verifies the receipts and the published folder, with the files alone.
///
/// # Errors
/// What did not hold.
pub fn offline(
    stage: &mut Stage,
    log: &Path,
    receipts: &Path,
    proofs: BTreeMap<PathBuf, Proved>,
    verifier: &LogVerifier,
    origin: &Origin,
) -> Result<(), CliError> {
    let mut proved = prove_folder(receipts, verifier, origin)?;
    let count = proved.opened.len();
    expect(count == 7 && proved.unopened.is_empty(), "seven receipts")?;
    stage.step(&format!("{count} receipts verify offline with the log's public key alone"));
    let indices: BTreeSet<u64> = proved.opened.values().map(|proved| proved.index).collect();
    expect(indices.len() == count, "each receipt is of an entry of its own")?;
    proved.opened.extend(proofs);
    let (head, _) = verify_log(log, verifier, proved.leaves(), || {})?;
    stage.step(&format!("the published folder of {} entries is whole, and every receipt and proof stands in it", head.size()));
    Ok(())
}

/// No file below `dir` holds a name or number of the story's persons in the clear.
///
/// # Errors
/// One does.
pub fn no_names_on_disk(stage: &mut Stage, dir: &Path) -> Result<(), CliError> {
    let mut folders = vec![dir.to_owned()];
    let mut files = 0_usize;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| CliError::file(&folder, &error))? {
            let path = entry.map_err(|error| CliError::file(&folder, &error))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = crate::tls::files::read(&path, FILE_BYTES_MAX)?;
            for person in EVERYONE {
                for needle in [person.number, person.family] {
                    expect(!contains(&bytes, needle.as_bytes()), &format!("{} names nobody", path.display()))?;
                }
            }
            files += 1;
        }
    }
    expect(files > 0, "the store has files")?;
    stage.step(&format!("none of the store's {files} files holds a name or number of a person in the clear"));
    Ok(())
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}
