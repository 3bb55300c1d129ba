//! The configured files, each on its own: what was read of each, what of it is in force, and why the rest is not.
//!
//! A bad file holds back nothing but itself. Certificate and key are one thing to the other side, so they come into force together. A file that
//! is well in itself and does not fit the others yet (a key before its certificate, a CA before its list) waits, and is tried again with each
//! file that is read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::audit::reload::ReloadedFile;
use crate::domain::time::Timestamp;

use super::config::{TlsError, TlsFiles};
use super::files::{self, FileError};
use super::marks::Marks;
use super::own::{self, Own};
use super::peer::sha256;
use super::revocation::{IssuerName, List, ListFault, Lists};
use super::trust::Trust;
use super::verifier;

/// Where the gateway's certificate stands in [`TlsFiles::all`].
const CERTIFICATE: usize = 0;
/// Where its key stands.
const KEY: usize = 1;

/// The bytes of a file, or why they could not be read.
pub type Read = Result<Zeroizing<Vec<u8>>, FileError>;

/// Reads a file of this kind; a key only if nobody else can.
///
/// # Errors
/// What the system says, and what the file is instead.
pub fn read(kind: ReloadedFile, path: &Path) -> Read {
    match kind {
        ReloadedFile::Key => files::read_secret(path),
        ReloadedFile::RevocationList => files::read(path, files::CRL_BYTES_MAX).map(Zeroizing::new),
        _ => files::read(path, files::SECRET_BYTES_MAX).map(Zeroizing::new),
    }
}

/// A file that was read and is not in force.
#[derive(Debug)]
pub struct Refused {
    /// Its place in [`TlsFiles::all`].
    pub place: usize,
    /// Why.
    pub error: TlsError,
    /// SHA-256 of what was read, to know it again; that of a key is never written down.
    pub digest: Option<[u8; 32]>,
}

/// What a file says.
enum Parsed {
    Chain(Vec<CertificateDer<'static>>),
    Key(PrivateKeyDer<'static>),
    Authorities(Vec<CertificateDer<'static>>),
    Lists(Vec<Arc<List>>),
}

/// What was read of a file that is well in itself.
pub(super) struct Content {
    digest: [u8; 32],
    parsed: Parsed,
}

impl Content {
    fn parse(kind: ReloadedFile, path: &Path, bytes: &[u8], digest: [u8; 32], trust: &Trust, now: Timestamp) -> Result<Self, TlsError> {
        let parsed = match kind {
            ReloadedFile::Certificate => Parsed::Chain(files::certificates_in(path, bytes)?),
            ReloadedFile::Key => {
                let broken = |_| FileError::Pem { path: path.to_owned(), section: "PRIVATE KEY" };
                Parsed::Key(PrivateKeyDer::from_pem_slice(bytes).map_err(broken)?)
            }
            ReloadedFile::ClientCa => {
                let ders = files::certificates_in(path, bytes)?;
                own::check_authorities(path, &ders, trust)?;
                Parsed::Authorities(ders)
            }
            ReloadedFile::RevocationList | ReloadedFile::Register => {
                let read = |der| List::read(der).and_then(|list| list.check_time(now).map(|()| Arc::new(list)));
                let lists = files::crls_in(path, bytes)?.into_iter().map(read);
                Parsed::Lists(lists.collect::<Result<_, _>>().map_err(|fault| list_error(fault, path))?)
            }
        };
        Ok(Self { digest, parsed })
    }

    fn certificates(&self) -> &[CertificateDer<'static>] {
        match &self.parsed {
            Parsed::Chain(ders) | Parsed::Authorities(ders) => ders,
            Parsed::Key(_) | Parsed::Lists(_) => &[],
        }
    }

    fn key(&self, path: &Path) -> Result<&PrivateKeyDer<'static>, FileError> {
        match &self.parsed {
            Parsed::Key(key) => Ok(key),
            _ => Err(FileError::Pem { path: path.to_owned(), section: "PRIVATE KEY" }),
        }
    }

    fn lists(&self) -> &[Arc<List>] {
        if let Parsed::Lists(lists) = &self.parsed { lists } else { &[] }
    }
}

fn list_error(fault: ListFault, path: &Path) -> TlsError {
    match fault {
        ListFault::Malformed => TlsError::List(path.to_owned()),
        ListFault::NotSigned => TlsError::ListNotSigned(path.to_owned()),
        ListFault::Future => TlsError::FutureList(path.to_owned()),
    }
}

/// One configured file.
#[derive(Clone)]
struct Part {
    kind: ReloadedFile,
    path: PathBuf,
    in_force: Arc<Content>,
    /// Read, well in itself, and not in force.
    waiting: Option<Arc<Content>>,
    /// What was read last cannot be used at all.
    is_bad: bool,
}

impl Part {
    const fn newest(&self) -> &Arc<Content> {
        match &self.waiting {
            Some(waiting) => waiting,
            None => &self.in_force,
        }
    }

    fn refused(&self, place: usize, error: TlsError) -> Refused {
        Refused { place, error, digest: Some(self.newest().digest) }
    }

    fn comes_into_force(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.in_force = waiting;
        }
    }
}

/// All configured files, in the order of [`TlsFiles::all`], and what is remembered of them.
#[derive(Clone)]
pub(super) struct Parts {
    all: Vec<Part>,
    /// Of lists.
    marks: Marks,
    /// Names of CAs that were in force since the start and are no more: their lists may go, too.
    gone: BTreeSet<IssuerName>,
}

/// The lists of a choice of files.
struct Chosen {
    /// By place.
    contents: BTreeMap<usize, Arc<Content>>,
    held_back: BTreeMap<usize, TlsError>,
}

impl Parts {
    /// Reads every file.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub(super) fn load(files: &TlsFiles, now: Timestamp) -> Result<Self, TlsError> {
        let mut parts = Vec::new();
        for (kind, path) in files.all() {
            let bytes = read(kind, path)?;
            let in_force = Arc::new(Content::parse(kind, path, &bytes, sha256(&bytes), &files.trust, now)?);
            parts.push(Part { kind, path: path.to_owned(), in_force, waiting: None, is_bad: false });
        }
        let marks = files.marks_file.as_deref().map_or_else(|| Ok(Marks::default()), Marks::load)?;
        let mut parts = Self { all: parts, marks, gone: BTreeSet::new() };
        parts.check(&parts.all[CERTIFICATE].in_force, &parts.all[KEY].in_force, now)?;
        parts.lists_under(&parts.authorities())?;
        for (_, part) in parts.places(ReloadedFile::RevocationList) {
            if part.in_force.lists().iter().any(|list| parts.marks.forbid(list) && parts.lists().is_newest(list)) {
                return Err(TlsError::OlderList(part.path.clone()));
            }
        }
        parts.raise_marks();
        Ok(parts)
    }

    /// What is remembered of lists.
    pub(super) const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Remembers the lists in force that a configured CA signed.
    fn raise_marks(&mut self) {
        let authorities = self.authorities();
        let parsed: Vec<_> = authorities.iter().filter_map(|(file, der)| own::parsed(file, der).ok()).collect();
        let lists = self.lists();
        let signed: Vec<_> = lists.all().filter(|list| list.vouch(&parsed) == Ok(true)).cloned().collect();
        signed.iter().for_each(|list| self.marks.raise(list));
    }

    /// Takes what was read anew, by place, as far as it can be used: each file on its own. Says what is not in force of what was read now or
    /// earlier; a file that could not be read or parsed is named once for each time that it is read.
    pub(super) fn take(&mut self, reads: Vec<(usize, Read)>, trust: &Trust, now: Timestamp) -> Vec<Refused> {
        let mut refused = Vec::new();
        for (place, read) in reads {
            let Some(part) = self.all.get_mut(place) else { continue };
            let digest = read.as_ref().ok().map(|bytes| sha256(bytes));
            let parsed = match (read, digest) {
                (Ok(_), Some(digest)) if digest == part.in_force.digest => Ok(None),
                (Ok(bytes), Some(digest)) => Content::parse(part.kind, &part.path, &bytes, digest, trust, now).map(Arc::new).map(Some),
                (Err(error), _) => Err(TlsError::File(error)),
                (Ok(_), None) => continue,
            };
            part.is_bad = parsed.is_err();
            match parsed {
                Ok(waiting) => part.waiting = waiting,
                Err(error) => {
                    part.waiting = None;
                    refused.push(Refused { place, error, digest });
                }
            }
        }
        refused.extend(self.take_identity(now));
        let before = self.authority_names();
        refused.extend(self.take_authorities());
        let now = self.authority_names();
        self.gone = self.gone.union(&before).filter(|name| !now.contains(*name)).copied().collect();
        refused.extend(self.take_lists());
        self.raise_marks();
        refused
    }

    fn authority_names(&self) -> BTreeSet<IssuerName> {
        let name = |(file, der): &(&Path, CertificateDer<'static>)| own::parsed(file, der).map(|ca| sha256(ca.subject().as_raw()));
        self.authorities().iter().filter_map(|authority| name(authority).ok()).collect()
    }

    /// The places whose newest content is in force.
    pub(super) fn good(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|place| self.all[*place].waiting.is_none() && !self.all[*place].is_bad).collect()
    }

    fn own(&self) -> Own<'_> {
        Own { certificate_file: &self.all[CERTIFICATE].path, key_file: &self.all[KEY].path }
    }

    fn check(&self, certificate: &Content, key: &Content, now: Timestamp) -> Result<(), TlsError> {
        self.own().check(certificate.certificates(), key.key(&self.all[KEY].path)?, now).map(drop)
    }

    /// The gateway's certificate and key in force, and the last second of the certificate.
    ///
    /// # Errors
    /// They do not belong together, which those in force do.
    pub(super) fn identity(&self) -> Result<(CertifiedKey, Timestamp), TlsError> {
        let (certificate, key) = (&self.all[CERTIFICATE].in_force, &self.all[KEY].in_force);
        let pair = self.own().pair(certificate.certificates(), key.key(&self.all[KEY].path)?)?;
        Ok((pair, self.own().validity(certificate.certificates())?.1))
    }

    fn take_identity(&mut self, now: Timestamp) -> Option<Refused> {
        let (certificate, key) = (&self.all[CERTIFICATE], &self.all[KEY]);
        if certificate.waiting.is_none() && key.waiting.is_none() {
            return None;
        }
        match self.check(certificate.newest(), key.newest(), now) {
            Ok(()) => {
                self.all[CERTIFICATE].comes_into_force();
                self.all[KEY].comes_into_force();
                None
            }
            Err(error) => {
                // A certificate renewed with its key does not wait for a wrong key that lies beside it.
                let alone = certificate.waiting.is_some() && self.check(certificate.newest(), &key.in_force, now).is_ok();
                let place = if matches!(error, TlsError::KeyMismatch { .. }) && key.waiting.is_some() { KEY } else { CERTIFICATE };
                let refused = self.all[place].refused(place, error);
                if alone {
                    self.all[CERTIFICATE].comes_into_force();
                }
                Some(refused)
            }
        }
    }

    fn places(&self, kind: ReloadedFile) -> impl Iterator<Item = (usize, &Part)> {
        self.all.iter().enumerate().filter(move |(_, part)| part.kind == kind)
    }

    /// The CAs in force with the files that they come from.
    pub(super) fn authorities(&self) -> Vec<(&Path, CertificateDer<'static>)> {
        let ders = |part: &Part| part.in_force.certificates().to_vec();
        self.places(ReloadedFile::ClientCa).flat_map(|(_, part)| ders(part).into_iter().map(|der| (part.path.as_path(), der))).collect()
    }

    /// The lists in force.
    pub(super) fn lists(&self) -> Lists {
        let mut lists = Lists::default();
        self.places(ReloadedFile::RevocationList).flat_map(|(_, part)| part.in_force.lists()).for_each(|list| lists.put(list));
        lists
    }

    /// CAs come into force file by file, unless no list of a CA in them, old or new, is signed by that CA.
    fn take_authorities(&mut self) -> Vec<Refused> {
        let mut refused = Vec::new();
        let places: Vec<_> =
            self.places(ReloadedFile::ClientCa).filter(|(_, part)| part.waiting.is_some()).map(|(place, _)| place).collect();
        for place in places {
            let mut with = self.clone();
            with.all[place].comes_into_force();
            match with.lists_under(&with.authorities()) {
                Ok(_) => *self = with,
                Err(error) => refused.push(self.all[place].refused(place, error)),
            }
        }
        refused
    }

    fn take_lists(&mut self) -> Vec<Refused> {
        // Those in force fit the CAs in force, or the CAs had not come into force.
        let Ok(Chosen { contents, held_back }) = self.lists_under(&self.authorities()) else { return Vec::new() };
        let refused = held_back.into_iter().map(|(place, error)| self.all[place].refused(place, error)).collect();
        for (place, content) in contents {
            let part = &mut self.all[place];
            if part.waiting.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, &content)) {
                part.comes_into_force();
            }
        }
        refused
    }

    /// Of each file of lists the newest content that can be used beside the others under `authorities`.
    ///
    /// # Errors
    /// A file of which neither the newest content nor the one in force can be.
    fn lists_under(&self, authorities: &[(&Path, CertificateDer<'static>)]) -> Result<Chosen, TlsError> {
        if authorities.is_empty() {
            return Err(TlsError::NoAuthority);
        }
        let before = self.lists();
        let mut roots = RootCertStore::empty();
        let mut parsed = Vec::new();
        for (file, der) in authorities {
            roots.add(der.clone()).map_err(|_| TlsError::Authority((*file).to_owned()))?;
            parsed.push(own::parsed(file, der)?);
        }
        let roots = Arc::new(roots);
        let vouch = |part: &Part, content: &Content| {
            let lists = content.lists().iter();
            lists.clone().try_for_each(|list| list.vouch(&parsed).map(drop)).map_err(|fault| list_error(fault, &part.path))?;
            let are_read = verifier::reads_lists(&roots, lists.map(|list| list.der().clone()).collect());
            if are_read { Ok(()) } else { Err(TlsError::List(part.path.clone())) }
        };
        let mut held_back = BTreeMap::new();
        loop {
            let (mut lists, mut contents) = (Lists::default(), BTreeMap::new());
            for (place, part) in self.places(ReloadedFile::RevocationList) {
                let newest = part.waiting.as_ref().filter(|_| !held_back.contains_key(&place));
                let newest = newest.and_then(|content| match vouch(part, content) {
                    Ok(()) => Some(content),
                    Err(error) => {
                        held_back.insert(place, error);
                        None
                    }
                });
                let content = match newest {
                    Some(content) => content,
                    None => {
                        vouch(part, &part.in_force)?;
                        &part.in_force
                    }
                };
                content.lists().iter().for_each(|list| lists.put(list));
                contents.insert(place, content.clone());
            }
            let found = held_back.len();
            for (place, part) in self.places(ReloadedFile::RevocationList) {
                let waiting = part.waiting.iter().filter(|waiting| contents.get(&place).is_some_and(|chosen| Arc::ptr_eq(chosen, waiting)));
                let goes_back = |list: &Arc<List>| lists.goes_back(&before, list) || (self.marks.forbid(list) && lists.is_newest(list));
                let mut lost = before.lost(&lists);
                lost.retain(|name, _| !self.gone.contains(name));
                let had = part.in_force.lists().iter().find(|list| lost.contains_key(&list.speaks_for().0));
                if waiting.clone().flat_map(|content| content.lists()).any(goes_back) {
                    held_back.insert(place, TlsError::OlderList(part.path.clone()));
                } else if let Some(had) = had.filter(|_| waiting.clone().next().is_some()) {
                    held_back.insert(place, TlsError::ListMissing { file: part.path.clone(), issuer: had.issuer().to_owned() });
                }
            }
            if held_back.len() == found {
                return Ok(Chosen { contents, held_back });
            }
        }
    }

    /// SHA-256 of one line for each file, as [`super::TlsSettings::digest`] describes it.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut text = String::new();
        for part in self.all.iter().filter(|part| part.kind != ReloadedFile::Key) {
            text.push_str(part.kind.as_str());
            text.push(' ');
            part.in_force.digest.iter().for_each(|byte| write!(text, "{byte:02x}").expect("writing to a String cannot fail"));
            text.push('\n');
        }
        sha256(text.as_bytes())
    }
}
