//! An evidence bundle: a complete range of the log with what opens it, a signed head, and the hashes that lead from one to the other.
//!
//! The format is described in `docs/bundle.md`. Here are its texts, each with one spelling; the archive around them is [`tar`](super::tar), the
//! check of the range [`RangeCheck`](super::range::RangeCheck).

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use super::checkpoint::Origin;
use super::leaf::{AuditorOpening, Leaf, Opening as _, OpeningError};
use super::proof::PROOF_HASHES_MAX;
use super::range::{Held, OpenEntry};
use super::record::Record;
use super::record_text::RecordTextError;
use super::text;
use super::tree::{Frontier, Hash, SIZE_MAX};
use crate::domain::id::CaseRef;

/// First line of a manifest.
const FORMAT: &str = "samband-evidence/v1\n";
/// The longest small text of a bundle, in bytes: a checkpoint with cosignatures.
pub const TEXT_BYTES_MAX: u64 = 64 * 1024;
/// The longest line of `entries.txt`, in bytes: an opening of the longest parts in base64.
pub const LINE_BYTES_MAX: usize = 24 * 1024;

/// How to check a bundle by hand. It says nothing of one bundle, so it is the same in each.
pub const README: &str = include_str!("evidence_readme.txt");

/// SHA-256 of what it said before: as bundles are kept for years, one that has these words is checked like any other.
const READMES_BEFORE: [[u8; 32]; 2] = [
    [
        0xd4, 0x8c, 0x56, 0x54, 0x86, 0x69, 0x61, 0xfa, 0x1a, 0xbc, 0xb2, 0x1c, 0xfe, 0x09, 0xa8, 0x21, 0x3c, 0x71, 0x23, 0x5a, 0x47, 0x51,
        0xb2, 0x16, 0xee, 0xeb, 0x47, 0xae, 0x58, 0x96, 0x85, 0x95,
    ],
    [
        0xb3, 0x3f, 0x43, 0x43, 0x0a, 0x6f, 0x5a, 0xcd, 0x2b, 0x70, 0x55, 0xf2, 0x34, 0xef, 0xbc, 0x44, 0xf6, 0xd6, 0x1e, 0x7b, 0x1b, 0x9a,
        0x20, 0x62, 0x91, 0x01, 0x8c, 0xa3, 0x63, 0x65, 0x85, 0xfd,
    ],
];

/// Whether `text` is what a bundle says of how to check it.
#[must_use]
pub fn is_readme(text: &str) -> bool {
    text == README || READMES_BEFORE.iter().any(|before| digest(&SHA256, text.as_bytes()).as_ref() == before)
}

/// Whether a file that begins so says of itself that it is a manifest.
#[must_use]
pub fn is_manifest(begin: &[u8]) -> bool {
    begin.starts_with(FORMAT.as_bytes())
}

/// The files of a bundle, in their order in the archive.
pub const FILES: [&str; 9] =
    ["README.txt", "manifest.txt", "log.vkey", "checkpoint", "edge.txt", "consistency.txt", "entries.txt", "records.jsonl", "records.csv"];

/// Why a bundle's text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceTextError {
    /// The manifest.
    #[error("manifest.txt is not of the form samband-evidence/v1, or its numbers do not belong together")]
    Manifest,
    /// A list of hashes.
    #[error("a hash is not 44 characters of canonical base64 on a line of its own, or there are more than any proof needs")]
    Hashes,
    /// The left edge.
    #[error("edge.txt has another number of hashes than the range's first index demands")]
    Edge,
    /// A line of `entries.txt`.
    #[error("a line of entries.txt is not 'index state leaf [opening]' in its one spelling")]
    Entry,
    /// The base64 of an opening or of a leaf.
    #[error("an opening or leaf is not in canonical base64 (RFC 4648 section 3.5)")]
    Base64,
    /// The opening.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// What it opens to.
    #[error(transparent)]
    Record(#[from] RecordTextError),
}

/// What a bundle says of itself. All of it is checked against the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The log.
    pub origin: Origin,
    /// First index.
    pub from: u64,
    /// One past the last index.
    pub to: u64,
    /// Size of the signed head.
    pub size: u64,
    /// The case whose records are open, for a bundle of one case.
    pub case_ref: Option<CaseRef>,
    /// Entries with records.
    pub open: u64,
    /// Entries whose records were erased.
    pub erased: u64,
    /// Entries that stay closed: outside the reader's scope, or of other cases.
    pub closed: u64,
}

impl Manifest {
    /// Its text.
    #[must_use]
    pub fn encode(&self) -> String {
        let Self { origin, from, to, size, case_ref, open, erased, closed } = self;
        let case = case_ref.map_or_else(String::new, |case| format!("case_ref={case}\n"));
        format!(
            "{FORMAT}origin={origin}\nfrom_index={from}\nto_index={to}\nsize={size}\n{case}open={open}\nerased={erased}\nclosed={closed}\n"
        )
    }

    /// Reads exactly what [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// [`EvidenceTextError::Manifest`].
    pub fn parse(whole: &str) -> Result<Self, EvidenceTextError> {
        let wrong = || EvidenceTextError::Manifest;
        let mut lines = whole.strip_prefix(FORMAT).ok_or_else(wrong)?.split_terminator('\n').peekable();
        let mut field = |name: &str| -> Option<&str> {
            let value = lines.peek()?.strip_prefix(name)?.strip_prefix('=')?;
            lines.next();
            Some(value)
        };
        let origin = field("origin").and_then(|origin| origin.parse().ok()).ok_or_else(wrong)?;
        let number = |value: Option<&str>| value.and_then(text::decimal).filter(|number| *number <= SIZE_MAX).ok_or_else(wrong);
        let (from, to, size) = (number(field("from_index"))?, number(field("to_index"))?, number(field("size"))?);
        let case_ref = field("case_ref").map(|case| case.parse().map_err(|_| wrong())).transpose()?;
        let (open, erased, closed) = (number(field("open"))?, number(field("erased"))?, number(field("closed"))?);
        let manifest = Self { origin, from, to, size, case_ref, open, erased, closed };
        let counted = open.checked_add(erased).and_then(|sum| sum.checked_add(closed));
        let fits = from < to && to <= size && counted == Some(to - from) && manifest.encode() == whole;
        if fits { Ok(manifest) } else { Err(wrong()) }
    }
}

/// Hashes, each on a line of its own.
#[must_use]
pub fn hash_lines(hashes: &[Hash]) -> String {
    hashes.iter().fold(String::with_capacity(hashes.len() * (Hash::BASE64_LEN + 1)), |mut out, hash| {
        text::push_base64(&mut out, hash.as_ref());
        out.push('\n');
        out
    })
}

/// Reads what [`hash_lines`] writes.
///
/// # Errors
/// [`EvidenceTextError::Hashes`].
pub fn parse_hash_lines(whole: &str) -> Result<Vec<Hash>, EvidenceTextError> {
    if whole.len() > PROOF_HASHES_MAX * (Hash::BASE64_LEN + 1) || !(whole.is_empty() || whole.ends_with('\n')) {
        return Err(EvidenceTextError::Hashes);
    }
    whole.split_terminator('\n').map(|line| text::hash(line).ok_or(EvidenceTextError::Hashes)).collect()
}

/// The right edge of the `size` leaves before a range, from the hashes of its complete subtrees, largest first.
///
/// # Errors
/// [`EvidenceTextError::Edge`].
pub fn edge(size: u64, hashes: Vec<Hash>) -> Result<Frontier, EvidenceTextError> {
    Frontier::from_peaks(size, hashes).map_err(|_| EvidenceTextError::Edge)
}

/// Appends the line of an entry; none of what cannot be read, or of a record with a part too long for an opening.
///
/// # Errors
/// [`EvidenceTextError::Entry`] for an entry without leaf or that cannot be read; [`EvidenceTextError::Opening`].
pub fn push_entry(out: &mut String, entry: &OpenEntry) -> Result<(), EvidenceTextError> {
    let leaf = entry.leaf.ok_or(EvidenceTextError::Entry)?;
    let state = match entry.held {
        Held::Record(_) => "open",
        Held::Erased => "erased",
        Held::Closed => "closed",
        Held::Unreadable => return Err(EvidenceTextError::Entry),
    };
    write!(out, "{} {state} ", entry.index).expect("writing to a String cannot fail");
    text::push_base64(out, leaf.as_bytes());
    if let Held::Record(held) = &entry.held {
        let (record, openings) = &**held;
        let opening = AuditorOpening::new(openings.clone(), record.sender_part(), record.gateway_part())?;
        out.push(' ');
        text::push_base64(out, &opening.encode());
    }
    out.push('\n');
    Ok(())
}

/// Reads a line, without its newline, that [`push_entry`] wrote.
///
/// # Errors
/// An [`EvidenceTextError`] that says what does not fit.
pub fn parse_entry(line: &str) -> Result<OpenEntry, EvidenceTextError> {
    let mut items = line.split(' ');
    let (Some(index), Some(state), Some(leaf), opening, None) = (items.next(), items.next(), items.next(), items.next(), items.next())
    else {
        return Err(EvidenceTextError::Entry);
    };
    let index = text::decimal(index).filter(|index| *index < SIZE_MAX).ok_or(EvidenceTextError::Entry)?;
    let leaf: [u8; Leaf::LEN] = text::base64(leaf).ok_or(EvidenceTextError::Base64)?.try_into().map_err(|_| EvidenceTextError::Entry)?;
    let leaf = Leaf::from_bytes(leaf).ok_or(EvidenceTextError::Entry)?;
    let held = match (state, opening) {
        ("open", Some(opening)) => {
            let opening = AuditorOpening::decode(&text::base64(opening).ok_or(EvidenceTextError::Base64)?)?;
            let record = Record::from_parts(opening.sender_part(), opening.gateway_part())?;
            Held::Record(Box::new((record, opening.openings().clone())))
        }
        ("erased", None) => Held::Erased,
        ("closed", None) => Held::Closed,
        _ => return Err(EvidenceTextError::Entry),
    };
    Ok(OpenEntry { index, leaf: Some(leaf), held })
}

#[cfg(test)]
#[path = "evidence_tests.rs"]
mod tests;
