//! A bundle as it is checked: read once from front to back, never unpacked, nothing of it believed before it fits the rest.

use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

use super::people::{CSV_HEAD, lines};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::evidence::{FILES, LINE_BYTES_MAX, Manifest, TEXT_BYTES_MAX, edge, is_readme, parse_entry, parse_hash_lines};
use crate::audit::note::LogVerifier;
use crate::audit::question::held::Holds;
use crate::audit::question::{Answer, Findings, Period, Question, Survey};
use crate::audit::range::{Checked, Held};
use crate::audit::sight::Sight;
use crate::audit::tar::{BLOCK, padding, read_header};
use crate::audit::tlog_policy::TlogPolicy;
use crate::cli::exit::CliError;
use crate::domain::time::Timestamp;
use crate::regular_file::{self, Links};

/// What a bundle proves.
#[derive(Debug)]
pub struct Proved {
    /// What it says of itself, which held.
    pub manifest: Manifest,
    /// The key that it was checked with.
    pub verifier: LogVerifier,
    /// The signed head.
    pub head: Checkpoint,
    /// What was checked.
    pub checked: Checked,
    /// The time that was asked about.
    pub period: Period,
    /// Times of the first and the last record that was opened; none when none was.
    pub times: Option<(Timestamp, Timestamp)>,
    /// Names of the witnesses whose cosignatures hold, when a policy was given.
    pub witnesses: Vec<String>,
    /// Answers to the questions that were put.
    pub answers: Vec<Answer>,
    /// Legal holds in force at the end of the period, as far as the range tells of them.
    pub holds: Holds,
}

/// What the reader brings along.
#[derive(Debug, Default)]
pub struct Demands<'d> {
    /// The log's key; that of the bundle when none.
    pub vkey: Option<&'d LogVerifier>,
    /// The witnesses that must have cosigned.
    pub policy: Option<&'d TlogPolicy>,
    /// Questions to be answered on the way.
    pub questions: &'d [Question],
    /// About which time.
    pub period: Period,
}

/// The members of the archive, in order.
struct Tar<R> {
    input: BufReader<R>,
    at: usize,
}

impl<R: Read> Tar<R> {
    /// The size of the next member, which must have the next name.
    fn next(&mut self) -> Result<u64, CliError> {
        let wanted = FILES[self.at];
        self.at += 1;
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block).map_err(|_| failed(format!("the archive ends where {wanted} should begin; it is cut short")))?;
        match read_header(&block).map_err(|error| failed(error.to_string()))? {
            Some((name, size)) if name == wanted => Ok(size),
            Some((name, _)) => Err(failed(format!("{name} stands where {wanted} should be; a bundle holds nine files in one order"))),
            None => Err(failed(format!("the archive ends where {wanted} should begin"))),
        }
    }

    fn pad(&mut self, size: u64) -> Result<(), CliError> {
        let mut zeros = [0; BLOCK];
        let zeros = &mut zeros[..padding(size)];
        self.input.read_exact(zeros).map_err(|_| cut(FILES[self.at - 1]))?;
        if zeros.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            Err(failed(format!("bytes hide after the end of {}", FILES[self.at - 1])))
        }
    }

    /// A short text.
    fn text(&mut self) -> Result<String, CliError> {
        let size = self.next()?;
        let name = FILES[self.at - 1];
        if size > TEXT_BYTES_MAX {
            return Err(failed(format!("{name} is said to be {size} bytes, larger than any such file")));
        }
        let mut bytes = Vec::new();
        (&mut self.input).take(size).read_to_end(&mut bytes).map_err(|_| cut(name))?;
        if bytes.len() as u64 != size {
            return Err(cut(name));
        }
        self.pad(size)?;
        String::from_utf8(bytes).map_err(|_| failed(format!("{name} is no text")))
    }

    /// A long text, line by line, each without its newline.
    fn lines(&mut self, mut each: impl FnMut(&str) -> Result<(), CliError>) -> Result<(), CliError> {
        let size = self.next()?;
        let name = FILES[self.at - 1];
        let (mut left, mut line) = (size, Vec::new());
        while left > 0 {
            line.clear();
            let limit = left.min(LINE_BYTES_MAX as u64);
            (&mut self.input).take(limit).read_until(b'\n', &mut line).map_err(|_| cut(name))?;
            left -= line.len() as u64;
            let Some(text) = line.strip_suffix(b"\n") else {
                return Err(if line.len() as u64 == limit && left > 0 {
                    failed(format!("{name} has a line longer than any"))
                } else {
                    cut(name)
                });
            };
            each(std::str::from_utf8(text).map_err(|_| failed(format!("{name} is no text")))?)?;
        }
        self.pad(size)
    }

    /// The digest of a long file, read to its end.
    fn digest(&mut self) -> Result<[u8; 32], CliError> {
        let size = self.next()?;
        let (mut left, mut hash, mut buffer) = (size, Context::new(&SHA256), vec![0; 1 << 16]);
        while left > 0 {
            let want = usize::try_from(left.min(buffer.len() as u64)).unwrap_or(buffer.len());
            let got = self.input.read(&mut buffer[..want]).map_err(|_| cut(FILES[self.at - 1]))?;
            if got == 0 {
                return Err(cut(FILES[self.at - 1]));
            }
            hash.update(&buffer[..got]);
            left -= got as u64;
        }
        self.pad(size)?;
        Ok(finish(hash))
    }

    /// Two blocks of zeros and nothing after them.
    fn end(&mut self) -> Result<(), CliError> {
        let mut block = [0; BLOCK];
        for _ in 0..2 {
            self.input.read_exact(&mut block).map_err(|_| failed("the archive's end is cut off".to_owned()))?;
            match read_header(&block).map_err(|error| failed(error.to_string()))? {
                None => {}
                Some((name, _)) => return Err(failed(format!("the archive holds {name} besides the nine files of a bundle"))),
            }
        }
        let over = io::copy(&mut (&mut self.input).take(1), &mut io::sink()).map_err(|error| failed(error.to_string()))?;
        if over == 0 { Ok(()) } else { Err(failed("bytes follow the archive's end".to_owned())) }
    }
}

fn failed(what: String) -> CliError {
    CliError::Failed(what)
}

fn cut(name: &str) -> CliError {
    failed(format!("{name} is cut short"))
}

fn finish(hash: Context) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(hash.finish().as_ref());
    out
}

/// Checks a bundle. `tick` is called with the entries read so far and those in all.
///
/// # Errors
/// The first thing that does not hold, in words.
pub fn check(file: &Path, demands: &Demands<'_>, tick: &mut dyn FnMut(u64, u64)) -> Result<Proved, CliError> {
    let input = regular_file::open(file, Links::Follow).map_err(|error| CliError::file(file, &error.into()))?;
    let named = |error: CliError| match error {
        CliError::Failed(what) => CliError::Failed(format!("{}: {what}", file.display())),
        other => other,
    };
    check_stream(input, demands, tick).map_err(named)
}

/// The same of any stream of bytes.
///
/// # Errors
/// The first thing that does not hold, in words.
pub fn check_stream(input: impl Read, demands: &Demands<'_>, tick: &mut dyn FnMut(u64, u64)) -> Result<Proved, CliError> {
    let mut tar = Tar { input: BufReader::with_capacity(1 << 18, input), at: 0 };
    if !is_readme(&tar.text()?) {
        return Err(failed("README.txt is not that of this format; it was changed, or another version wrote the bundle".to_owned()));
    }
    let wrong = |error: &dyn std::fmt::Display| failed(error.to_string());
    let manifest = Manifest::parse(&tar.text()?).map_err(|error| wrong(&error))?;
    let vkey = tar.text()?;
    let own: LogVerifier = vkey
        .strip_suffix('\n')
        .and_then(|key| key.parse().ok())
        .ok_or_else(|| failed("log.vkey holds no log key of the form name+hash+base64".to_owned()))?;
    let verifier = demands.vkey.cloned().unwrap_or_else(|| own.clone());
    if own != verifier {
        return Err(failed("the bundle is of another log: its log.vkey is not the given key".to_owned()));
    }
    let checkpoint = tar.text()?;
    let head = Checkpoint::open(&checkpoint, &verifier).map_err(|error| failed(format!("checkpoint: {error}")))?;
    if *head.origin() != manifest.origin || head.size() != manifest.size {
        return Err(failed("manifest.txt and checkpoint speak of different logs or sizes".to_owned()));
    }
    let witnesses = match demands.policy {
        Some(policy) => {
            let witnessed = policy.accept(&checkpoint, &verifier).map_err(|error| failed(format!("witnesses: {error}")))?;
            witnessed.by.iter().filter_map(|(at, _)| policy.witnesses().get(*at)).map(|witness| witness.name.clone()).collect()
        }
        None => Vec::new(),
    };
    let before = edge(manifest.from, parse_hash_lines(&tar.text()?).map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    let consistency = parse_hash_lines(&tar.text()?).map_err(|error| wrong(&error))?;

    let survey = Survey::new(Sight::ALL, demands.period, demands.questions, manifest.from, Some(before));
    let mut survey = survey.of_bundle(manifest.case_ref.is_some());
    let (mut jsonl, mut csv) = (Context::new(&SHA256), Context::new(&SHA256));
    csv.update(CSV_HEAD.as_bytes());
    let (mut next, mut counts) = (manifest.from, [0_u64; 3]);
    let (mut times, mut is_of_case): (Option<(Timestamp, Timestamp)>, bool) = (None, false);
    let total = manifest.to - manifest.from;
    tar.lines(|line| {
        let entry = parse_entry(line).map_err(|error| failed(format!("entries.txt, entry {next}: {error}")))?;
        if entry.index != next || next >= manifest.to {
            return Err(failed(format!(
                "entries.txt: entry {} stands where {next} should be; one is left out, doubled or moved",
                entry.index
            )));
        }
        next += 1;
        match &entry.held {
            Held::Record(held) => {
                // As the export closes what is of other cases, an open one shows that the manifest names the wrong one, or should name none.
                if manifest.case_ref.is_some_and(|case| !held.0.goes_with(case)) {
                    return Err(failed(format!(
                        "entries.txt, entry {}: it is open and not of the case that manifest.txt names",
                        entry.index
                    )));
                }
                is_of_case |= held.0.case_ref == manifest.case_ref;
                let (json, row) = lines(entry.index, &held.0);
                jsonl.update(json.as_bytes());
                csv.update(row.as_bytes());
                counts[0] += 1;
                times = Some((times.map_or(held.0.time, |(first, _)| first), held.0.time));
            }
            Held::Erased => counts[1] += 1,
            Held::Closed | Held::Unreadable => counts[2] += 1,
        }
        survey.take(&entry);
        let done = next - manifest.from;
        if done.is_multiple_of(1024) || done == total {
            tick(done, total);
        }
        Ok(())
    })?;
    if next != manifest.to || counts != [manifest.open, manifest.erased, manifest.closed] {
        return Err(failed("entries.txt does not hold the entries that manifest.txt counts".to_owned()));
    }
    if manifest.case_ref.is_some() && !is_of_case {
        return Err(failed("manifest.txt names a case and no entry of it is open".to_owned()));
    }
    let Findings { answers, counts: _, holds, checked } = survey.finish(&head, Some(&consistency));
    if let Some(index) = checked.failed_at.first() {
        return Err(failed(format!(
            "entry {index}: its opening is not that of its leaf, or its time lies before the entry in front of it"
        )));
    }
    if !checked.in_tree {
        return Err(failed(
            "the leaves do not lead to the signed root: an entry was left out, added, changed or moved, or a hash in edge.txt or \
             consistency.txt is wrong"
                .to_owned(),
        ));
    }
    if tar.digest()? != finish(jsonl) {
        return Err(failed("records.jsonl does not say what the openings say".to_owned()));
    }
    if tar.digest()? != finish(csv) {
        return Err(failed("records.csv does not say what the openings say".to_owned()));
    }
    tar.end()?;
    Ok(Proved { manifest, verifier, head, checked, period: demands.period, times, witnesses, answers, holds })
}
