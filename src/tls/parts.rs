//! The configured files, each on its own: what was read of each, what of it is in force, and why the rest is not.
//!
//! A bad file holds back nothing but itself. Certificate and key are one thing to the other side, so they come into force together. A file that
//! is well in itself and does not fit the others yet (a key before its certificate, a CA before its list) waits, and is tried again with each
//! file that is read.

use std::collections::BTreeMap;
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
use super::revocation::{List, ListFault, Lists, SpeaksFor};
use super::trust::Trust;
use super::vouchers::{Placed, Revoked, Unused, Vouchers};

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
            ReloadedFile::ClientCa | ReloadedFile::IssuingCa => {
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

/// A list that a voucher signed, with the place of its file and what it speaks for.
type Signed<'a> = (usize, SpeaksFor, &'a Arc<List>);

/// What the lists of a choice of files come to.
struct Judged<'a> {
    /// Those that count: of each that one of the vouchers signed the newest, unless it is older than what is remembered of it.
    lists: Lists,
    /// What none of the vouchers signed, with the places of their files.
    unsigned: Vec<(usize, &'a Arc<List>)>,
    /// What was signed and is older, where no other list speaks for the same.
    old: Vec<Signed<'a>>,
}

/// Holds the lists of `contents` against the CAs that vouch now and against `marks`, whenever and for whatever reason they begin to count.
fn judged<'a>(contents: &'a BTreeMap<usize, Arc<Content>>, vouchers: &Vouchers, marks: &Marks) -> Judged<'a> {
    let (mut lists, mut unsigned, mut old) = (Lists::default(), Vec::new(), Vec::new());
    for (place, content) in contents {
        for list in content.lists() {
            match list.vouched(vouchers) {
                Some(at) => old.push((*place, at, list)),
                None => unsigned.push((*place, list)),
            }
        }
    }
    old.iter().filter(|(_, at, list)| !marks.is_passed(at, list)).for_each(|(_, at, list)| lists.put(*at, list));
    // Without the one that goes, others may be older than what it was.
    while lists.take_out(|lists, at, list| marks.forbid(at, list, lists)) {}
    old.retain(|(_, at, _)| !lists.speaks_for(at));
    Judged { lists, unsigned, old }
}

fn list_error(fault: ListFault, path: &Path) -> TlsError {
    match fault {
        ListFault::Malformed => TlsError::List(path.to_owned()),
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

    /// Whether `content` is what waits.
    fn is_waiting(&self, content: &Arc<Content>) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, content))
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
    /// The lists in force: of each key of a CA that vouches the newest.
    lists: Lists,
    /// The CAs that these name.
    revoked: Revoked,
    /// Files of which a part is not used although they are in force, by place, and why.
    aside: BTreeMap<usize, Unused>,
}

/// The lists of a choice of files.
struct Chosen {
    /// By place.
    contents: BTreeMap<usize, Arc<Content>>,
    /// What is waiting and goes on waiting.
    held_back: BTreeMap<usize, TlsError>,
    lists: Lists,
    revoked: Revoked,
    /// What of these files is not used.
    aside: BTreeMap<usize, Unused>,
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
        let mut parts = Self { all: parts, marks, lists: Lists::default(), revoked: Revoked::new(), aside: BTreeMap::new() };
        parts.check(&parts.all[CERTIFICATE].in_force, &parts.all[KEY].in_force, now)?;
        let Chosen { lists, revoked, aside, .. } = parts.lists_under(now)?;
        if let Some((place, _)) = aside.iter().find(|(_, unused)| matches!(unused, Unused::OldList(_))) {
            return Err(TlsError::OlderList(parts.all[*place].path.clone()));
        }
        (parts.lists, parts.revoked, parts.aside) = (lists, revoked, aside);
        parts.raise_marks(now);
        Ok(parts)
    }

    /// Each file of which a part is not used although the file is in force, and why.
    pub(super) fn aside(&self) -> Vec<Refused> {
        let of = |(place, unused): (&usize, &Unused)| {
            let part = &self.all[*place];
            Refused { place: *place, error: unused.error(&part.path), digest: Some(part.in_force.digest) }
        };
        self.aside.iter().map(of).collect()
    }

    /// What is remembered of lists.
    pub(super) const fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Remembers the lists in force.
    fn raise_marks(&mut self, now: Timestamp) {
        self.lists.all().for_each(|(at, list)| self.marks.raise(at, list));
        let vouchers = self.vouchers(now).unwrap_or_default();
        self.marks.bound(&vouchers);
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
        refused.extend(self.take_authorities(now));
        refused.extend(self.take_lists(now));
        self.raise_marks(now);
        let mut aside = self.aside();
        aside.retain(|Refused { place, .. }| !self.is_stale(*place));
        refused.extend(aside);
        refused
    }

    /// The places whose newest content is in force.
    pub(super) fn good(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|place| self.is_good(*place)).collect()
    }

    fn is_good(&self, place: usize) -> bool {
        !self.is_stale(place) && !self.aside.contains_key(&place)
    }

    /// Whether the content in force of a file is not its newest.
    pub(super) fn is_stale(&self, place: usize) -> bool {
        self.all[place].waiting.is_some() || self.all[place].is_bad
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

    fn certificates(&self, kind: ReloadedFile) -> Vec<Placed<'_>> {
        let placed = |(place, part)| {
            let Part { path, in_force, .. }: &Part = part;
            in_force.certificates().iter().map(move |der| (place, path.as_path(), der.clone()))
        };
        self.places(kind).flat_map(placed).collect()
    }

    /// The CAs in force that let participants in, with the files that they come from.
    pub(super) fn authorities(&self) -> Vec<Placed<'_>> {
        self.certificates(ReloadedFile::ClientCa)
    }

    /// The CAs in force that are named to vouch for their lists only.
    pub(super) fn issuing(&self) -> Vec<Placed<'_>> {
        self.certificates(ReloadedFile::IssuingCa)
    }

    /// Who vouches for lists at `now`.
    ///
    /// # Errors
    /// A certificate that cannot be read, which those in force can.
    pub(super) fn vouchers(&self, now: Timestamp) -> Result<Vouchers, TlsError> {
        Ok(Vouchers::new(&self.authorities(), &self.issuing(), &self.revoked, now)?)
    }

    /// The lists in force.
    pub(super) const fn lists(&self) -> &Lists {
        &self.lists
    }

    /// CAs come into force file by file, unless there are lists of a CA's name in the files of lists, old or new, and it signed none of them.
    fn take_authorities(&mut self, now: Timestamp) -> Vec<Refused> {
        let mut refused = Vec::new();
        let kinds = [ReloadedFile::ClientCa, ReloadedFile::IssuingCa];
        let waiting = |kind| self.places(kind).filter(|(_, part)| part.waiting.is_some()).map(|(place, _)| place);
        let places: Vec<_> = kinds.into_iter().flat_map(waiting).collect();
        for place in places {
            let mut with = self.clone();
            with.all[place].comes_into_force();
            match with.lists_under(now) {
                Ok(_) => *self = with,
                Err(error) => refused.push(self.all[place].refused(place, error)),
            }
        }
        refused
    }

    fn take_lists(&mut self, now: Timestamp) -> Vec<Refused> {
        // Those in force fit the CAs in force, or the CAs had not come into force.
        let Ok(Chosen { contents, held_back, lists, revoked, aside }) = self.lists_under(now) else { return Vec::new() };
        let refused = held_back.into_iter().map(|(place, error)| self.all[place].refused(place, error)).collect();
        for (place, content) in contents {
            let part = &mut self.all[place];
            if part.is_waiting(&content) {
                part.comes_into_force();
            }
        }
        (self.lists, self.revoked, self.aside) = (lists, revoked, aside);
        refused
    }

    /// Of each file of lists the newest content that can be used beside the others under the CAs in force, and of these the lists that one of
    /// those CAs signed.
    ///
    /// # Errors
    /// A file of which neither the newest content nor the one in force can be.
    fn lists_under(&self, now: Timestamp) -> Result<Chosen, TlsError> {
        let authorities = self.authorities();
        if authorities.is_empty() {
            return Err(TlsError::NoAuthority);
        }
        let mut roots = RootCertStore::empty();
        for (_, file, der) in &authorities {
            roots.add(der.clone()).map_err(|_| TlsError::Authority((*file).to_owned()))?;
        }
        let issuing = self.issuing();
        let everyone = Vouchers::new(&authorities, &issuing, &Revoked::new(), now)?;
        let mut held_back = BTreeMap::new();
        loop {
            let contents = self.choice(&held_back);
            let found = held_back.len();
            // What a CA that is revoked signed does not count, so that whoever has its key cannot undo or hold up anything.
            let mut revoked = Revoked::new();
            let (vouchers, Judged { lists, unsigned, old }) = loop {
                let vouchers = Vouchers::new(&authorities, &issuing, &revoked, now)?;
                let judged = judged(&contents, &vouchers, &self.marks);
                let found = revoked.len();
                revoked.append(&mut vouchers.revoked(&judged.lists, &issuing)?);
                if revoked.len() == found {
                    break (vouchers, judged);
                }
            };
            let mut aside: BTreeMap<_, _> = vouchers.idle().collect();
            for (place, _, list) in &old {
                let part = &self.all[*place];
                if part.is_waiting(&contents[place]) {
                    held_back.insert(*place, TlsError::OlderList(part.path.clone()));
                } else {
                    aside.insert(*place, Unused::OldList(list.issuer().to_owned()));
                }
            }
            for (place, list) in unsigned {
                let part = &self.all[place];
                // Of a CA that is configured there must be one that it signed. Beside one, another may be left of a key that it had before.
                let is_of_revoked = list.vouched(&everyone).is_some();
                if is_of_revoked || vouchers.named(list.name()).next().is_none() || lists.has_name(list.name()) {
                    aside.entry(place).or_insert_with(|| Unused::List(list.issuer().to_owned()));
                } else if part.is_waiting(&contents[&place]) {
                    held_back.insert(place, TlsError::ListNotSigned(part.path.clone()));
                } else {
                    return Err(TlsError::ListNotSigned(part.path.clone()));
                }
            }
            for (place, part) in self.places(ReloadedFile::RevocationList).filter(|(place, part)| part.is_waiting(&contents[place])) {
                if let Some(error) = self.loss(part, &contents[&place], (&lists, &old), &vouchers) {
                    held_back.entry(place).or_insert(error);
                }
            }
            if held_back.len() == found {
                return Ok(Chosen { contents, held_back, lists, revoked, aside });
            }
        }
    }

    /// Of each file of lists the newest content that is not held back.
    fn choice(&self, held_back: &BTreeMap<usize, TlsError>) -> BTreeMap<usize, Arc<Content>> {
        let newest = |(place, part): (usize, &Part)| {
            let waiting = part.waiting.as_ref().filter(|_| !held_back.contains_key(&place));
            (place, waiting.unwrap_or(&part.in_force).clone())
        };
        self.places(ReloadedFile::RevocationList).map(newest).collect()
    }

    /// What `lists`, which `content` as the new one of `part` led to, would forget of the lists in force or before them; `old` is what is too old.
    fn loss(&self, part: &Part, content: &Content, (lists, old): (&Lists, &[Signed<'_>]), vouchers: &Vouchers) -> Option<TlsError> {
        let before = &self.lists;
        let at = |list: &Arc<List>| list.vouched(vouchers);
        // What this file had may be there in an older list of another file.
        let has_old = |at: &SpeaksFor| old.iter().any(|(_, of, _)| of == at);
        let goes_back = |list: &Arc<List>| at(list).is_some_and(|at| lists.goes_back(before, &at));
        let forgotten =
            |list: &Arc<List>| at(list).is_some_and(|at| before.is_newest(&at, list) && (lists.goes_back(before, &at) || has_old(&at)));
        if content.lists().iter().any(goes_back) || part.in_force.lists().iter().any(forgotten) {
            return Some(TlsError::OlderList(part.path.clone()));
        }
        // The lists of a CA that vouches no more may go, too.
        let lost = before.lost(lists);
        let had = part.in_force.lists().iter().find(|list| list.vouched(vouchers).is_some_and(|at| lost.contains(&at)))?;
        let is_forged = content.lists().iter().any(|list| list.name() == had.name() && list.vouched(vouchers).is_none());
        Some(if is_forged {
            TlsError::ListNotSigned(part.path.clone())
        } else {
            TlsError::ListMissing { file: part.path.clone(), issuer: had.issuer().to_owned() }
        })
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

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    use std::path::{Path, PathBuf};

    use super::{Content, ReloadedFile, Timestamp, own};
    use crate::tls::trust::fuzzing::trust;

    /// A file of certificates, of a key or of lists: the first byte picks what it stands for.
    pub fn file(data: &[u8]) {
        use ReloadedFile::{Certificate, ClientCa, IssuingCa, Key, RevocationList};
        let Some((first, bytes)) = data.split_first() else { return };
        let kind = [Certificate, Key, ClientCa, IssuingCa, RevocationList][usize::from(*first % 5)];
        let at = Timestamp::from_millis(1_780_000_000_000);
        if let Ok(content) = Content::parse(kind, Path::new("file.pem"), bytes, [0; 32], &trust(), at) {
            let path = PathBuf::from("file.pem");
            let own = own::Own { certificate_file: &path, key_file: &path };
            let _ = own.validity(content.certificates());
            let _ = content.key(&path).map(|key| own.pair(content.certificates(), key));
            let _ = content.lists().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::tls::issue::{CertificateAuthority, Leaf};

    #[test]
    fn a_list_is_read_once_and_not_again_when_its_file_or_another_is_looked_at() {
        let (now, entropy) = (Timestamp::from_millis(1_780_000_000_000), SeededEntropy::new(5));
        let authority = CertificateAuthority::new("Test CA", now, &entropy).unwrap();
        let gateway = authority.issue(&Leaf::server("gateway", &["localhost"], now), &entropy).unwrap();
        let list = authority.crl(&[], now, now.plus_millis(1_000_000)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            files::write(&dir.path().join(name), text.as_bytes(), 0o600).unwrap();
            dir.path().join(name)
        };
        let files = TlsFiles {
            certificate_file: put("gateway.pem", &gateway.certificate_pem()),
            key_file: put("gateway.key.pem", &gateway.key_pem()),
            client_ca_files: vec![put("ca.pem", authority.certificate_pem())],
            issuing_ca_files: vec![],
            crl_files: vec![put("crl.pem", &list)],
            crl_grace_millis: 0,
            trust: Trust::default(),
            marks_file: None,
        };
        let mut parts = Parts::load(&files, now).unwrap();
        let before = parts.lists.clone();
        let ca = [authority.certificate_pem(), "\n"].concat();
        let refused = parts.take(vec![(2, Ok(ca.into_bytes().into())), (3, Ok(list.into_bytes().into()))], &files.trust, now);
        assert!(refused.is_empty() && parts.lists.all().count() == 1);
        assert!(parts.lists.is_same(&before), "a large list takes seconds to be read and its signature to be verified");
    }
}
