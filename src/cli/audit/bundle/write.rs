//! A bundle as it is written: the long files beside it first, then the archive of all, then, when it was checked, its name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::people::{CSV_HEAD, lines};
use crate::audit::evidence::{FILES, Manifest, README, hash_lines, is_manifest, push_entry};
use crate::audit::range::{Held, OpenEntry};
use crate::audit::tar::{BLOCK, END_BYTES, header, padding, read_header};
use crate::audit::tree::Hash;
use crate::cli::exit::CliError;
use crate::cli::replace::Writes;
use crate::domain::id::CaseRef;
use crate::regular_file::{self, Links};
use crate::tls::files;

/// A long file under way.
struct Part {
    path: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
}

impl Part {
    fn create(out: &Path, name: &str) -> Result<Self, CliError> {
        let (file, path) = files::create_beside(out, &format!("{name}.part"), 0o600).map_err(|error| CliError::Usage(error.to_string()))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 18, file), bytes: 0 })
    }

    fn push(&mut self, text: &str) -> Result<(), CliError> {
        self.bytes += text.len() as u64;
        self.file.write_all(text.as_bytes()).map_err(|error| CliError::file(&self.path, &error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
    }
}

/// What is known of the range before its entries.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The log's public key, as text.
    pub vkey: String,
    /// The signed checkpoint, with cosignatures if there are any.
    pub checkpoint: String,
    /// Its size.
    pub size: u64,
    /// First index.
    pub from: u64,
    /// One past the last index.
    pub to: u64,
    /// The right edge before the range.
    pub edge: Vec<Hash>,
    /// From the range's end to the head.
    pub consistency: Vec<Hash>,
    /// For a bundle of one case.
    pub case_ref: Option<CaseRef>,
}

/// A bundle under way.
pub struct Writer {
    out: PathBuf,
    frame: Frame,
    entries: Part,
    jsonl: Part,
    csv: Part,
    open: u64,
    erased: u64,
    closed: u64,
    line: String,
    begun: Instant,
}

impl Writer {
    /// Begins a bundle that will be `out`; a bundle of that name is replaced at the end.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(out: &Path, frame: Frame) -> Result<Self, CliError> {
        let mut csv = Part::create(out, "csv")?;
        csv.push(CSV_HEAD)?;
        let (entries, jsonl) = (Part::create(out, "entries")?, Part::create(out, "jsonl")?);
        Ok(Self {
            out: out.to_owned(),
            frame,
            entries,
            jsonl,
            csv,
            open: 0,
            erased: 0,
            closed: 0,
            line: String::new(),
            begun: Instant::now(),
        })
    }

    /// When it began, with the range at hand.
    #[must_use]
    pub const fn begun(&self) -> Instant {
        self.begun
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// The disk, or an entry that a bundle cannot hold.
    pub fn push(&mut self, entry: &OpenEntry) -> Result<(), CliError> {
        self.line.clear();
        push_entry(&mut self.line, entry).map_err(|error| CliError::Failed(format!("entry {}: {error}", entry.index)))?;
        self.entries.push(&self.line)?;
        match &entry.held {
            Held::Record(held) => {
                let (json, csv) = lines(entry.index, &held.0);
                self.jsonl.push(&json)?;
                self.csv.push(&csv)?;
                self.open += 1;
            }
            Held::Erased => self.erased += 1,
            Held::Closed | Held::Unreadable => self.closed += 1,
        }
        Ok(())
    }

    /// Ends it, under a name for the time being.
    ///
    /// # Errors
    /// The disk, or a file too large for the format.
    pub fn finish(self, origin: crate::audit::checkpoint::Origin) -> Result<Written, CliError> {
        let Self { out, frame, entries, jsonl, csv, open, erased, closed, line: _, begun: _ } = self;
        let manifest =
            Manifest { origin, from: frame.from, to: frame.to, size: frame.size, case_ref: frame.case_ref, open, erased, closed };
        let mut part = Part::create(&out, "tar")?;
        let failed = |error: &io::Error| CliError::file(&out, error);
        let texts = [
            README.to_owned(),
            manifest.encode(),
            format!("{}\n", frame.vkey),
            frame.checkpoint,
            hash_lines(&frame.edge),
            hash_lines(&frame.consistency),
        ];
        for (name, text) in FILES.iter().zip(&texts) {
            member(&mut part.file, name, text.len() as u64, &mut text.as_bytes()).map_err(|error| failed(&error))?;
        }
        for (name, mut long) in FILES.iter().skip(texts.len()).zip([entries, jsonl, csv]) {
            long.file.flush().map_err(|error| failed(&error))?;
            let mut content = regular_file::open(&long.path, Links::Refuse).map_err(|error| failed(&error.into()))?;
            member(&mut part.file, name, long.bytes, &mut content).map_err(|error| failed(&error))?;
        }
        part.file.write_all(&[0; END_BYTES]).and_then(|()| part.file.flush()).map_err(|error| failed(&error))?;
        let file = part.file.get_ref();
        file.sync_all().map_err(|error| failed(&error))?;
        let bytes = file.metadata().map_err(|error| failed(&error))?.len();
        Ok(Written { part, out, manifest, bytes })
    }
}

/// A bundle that is whole and has not its name yet; gone if it never gets it.
pub struct Written {
    part: Part,
    out: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its size.
    pub bytes: u64,
}

impl Written {
    /// It, to be checked.
    ///
    /// # Errors
    /// The disk.
    pub fn open(&self) -> Result<File, CliError> {
        regular_file::open(&self.part.path, Links::Refuse).map_err(|error| CliError::file(&self.out, &error.into()))
    }

    /// Gives it its name, durably; a bundle that has it is replaced.
    ///
    /// # Errors
    /// The disk.
    pub fn place(self) -> Result<(), CliError> {
        let failed = |error: &io::Error| CliError::file(&self.out, error);
        Writes::Bundle.allows(&self.out)?;
        fs::rename(&self.part.path, &self.out).map_err(|error| failed(&error))?;
        let folder = self.out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        regular_file::sync_folder(folder).map_err(|error| failed(&error))
    }
}

fn member(tar: &mut impl Write, name: &str, size: u64, content: &mut dyn io::Read) -> io::Result<()> {
    tar.write_all(&header(name, size).map_err(io::Error::other)?)?;
    let copied = io::copy(&mut content.take(size), tar)?;
    if copied != size {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    tar.write_all(&[0; BLOCK][..padding(size)])
}

/// Whether a file that begins so is a bundle: its first two files are those of one.
pub fn is_bundle(begin: &[u8]) -> bool {
    let head = |at: usize| begin.get(at..)?.first_chunk::<BLOCK>().and_then(|block| read_header(block).ok().flatten());
    let Some((name, bytes)) = head(0) else { return false };
    let manifest = usize::try_from(bytes).map_or(usize::MAX, |bytes| (BLOCK + bytes).saturating_add(padding(bytes as u64)));
    name == FILES[0] && head(manifest).is_some_and(|(name, _)| name == FILES[1]) && begin.get(manifest + BLOCK..).is_some_and(is_manifest)
}
