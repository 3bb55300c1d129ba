//! The server's TLS settings: read from files, swapped as a whole, or not at all.

mod error;
mod round;

pub use self::error::TlsError;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;

use crate::audit::reload::ReloadedFile;
use crate::clock::Clock;
use crate::domain::participant::Register;
use crate::domain::time::Timestamp;

use super::connection::{HandshakeReason, PeerInfo};
use super::expiry::{Certificate, Holder, Seen};
use super::files::{self, FileError};
use super::marks::Marks;
use super::own;
use super::parts::{self, Parts, Read, Refused};
use super::peer::sha256;
use super::revocation::ListStatus;
use super::trust::{Trust, shown_name};
use super::verifier::{Anchor, ChainVerifier, Revocation, ends};

/// The files that the server's settings come from, and how they are to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the gateway's certificate, then its intermediates.
    pub certificate_file: PathBuf,
    /// PEM: the private key, mode 0600.
    pub key_file: PathBuf,
    /// PEM: the CAs that issue client certificates. Pin the issuing CAs, not "any CA".
    pub client_ca_files: Vec<PathBuf>,
    /// PEM: CAs below those, whose revocation lists are held against their keys. They let nobody in.
    pub issuing_ca_files: Vec<PathBuf>,
    /// PEM or DER: revocation lists. None: no revocation check. Otherwise every CA of a chain needs one.
    pub crl_files: Vec<PathBuf>,
    /// So long after its next update a list is still used, in milliseconds; then everyone that its CA issued for is refused.
    pub crl_grace_millis: i64,
    /// The issuing CAs and policies, and whether test CAs are refused.
    pub trust: Trust,
    /// Where the newest lists are remembered, so that no older one comes into force after a restart; read here, written by
    /// [`TlsSettings::remember`].
    pub marks_file: Option<PathBuf>,
}

impl TlsFiles {
    /// Every file with its kind, in the order of the configuration.
    pub fn all(&self) -> impl Iterator<Item = (ReloadedFile, &Path)> {
        [(ReloadedFile::Certificate, self.certificate_file.as_path()), (ReloadedFile::Key, self.key_file.as_path())]
            .into_iter()
            .chain(self.client_ca_files.iter().map(|file| (ReloadedFile::ClientCa, file.as_path())))
            .chain(self.issuing_ca_files.iter().map(|file| (ReloadedFile::IssuingCa, file.as_path())))
            .chain(self.crl_files.iter().map(|file| (ReloadedFile::RevocationList, file.as_path())))
    }
}

/// The application protocols that a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// gRPC: HTTP/2 only.
    H2,
    /// Browsers: HTTP/2 and HTTP/1.1.
    H2AndHttp11,
}

/// Our clock as rustls asks for it.
pub(super) struct TlsClock(pub(super) Arc<dyn Clock>);

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = u64::try_from(self.0.now().millis()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_millis(millis)))
    }
}

/// aws-lc-rs, X25519MLKEM768 first.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Everything of one generation.
struct Loaded {
    generation: u64,
    h2: Arc<ServerConfig>,
    h2_and_http11: Arc<ServerConfig>,
    verifier: Arc<ChainVerifier>,
    certificates: Vec<Certificate>,
    not_after: Timestamp,
    unlisted: Vec<String>,
    /// When the configured CAs begin and end.
    changes: Vec<Timestamp>,
    /// The CAs that let participants in, by CN, with the first and the last second of each.
    anchors: Vec<(String, Timestamp, Timestamp)>,
    digest: [u8; 32],
}

/// What a reload did.
#[derive(Debug)]
pub struct Taken {
    /// The digest of what is in force now, as [`TlsSettings::digest`] has it, if it is other than before.
    pub changed: Option<[u8; 32]>,
    /// What was read and is not in force; of these files what was in force stays.
    pub refused: Vec<Refused>,
    /// The files whose newest content is in force, by their place in [`TlsFiles::all`].
    pub good: Vec<usize>,
}

/// The server's settings in force. A handshake sees one generation of them, whole.
pub struct TlsSettings {
    files: TlsFiles,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Loaded>,
    /// Held while a reload is at work.
    parts: Mutex<Parts>,
    /// What was written down of them.
    written: Mutex<Option<Marks>>,
    /// What of the files in force is not used, as it was taken last, and when that was.
    aside: Mutex<(Vec<String>, Timestamp)>,
    /// The files whose newest content is not in force, by their place: since when, and why.
    stale: Mutex<BTreeMap<usize, (Timestamp, String)>>,
    seen: Seen,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings").field("files", &self.files).finish_non_exhaustive()
    }
}

impl TlsSettings {
    /// Reads all files and builds the settings.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn load(files: TlsFiles, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let now = clock.now();
        let parts = Parts::load(&files, now)?;
        let loaded = Loaded::new(&parts, &files, &clock, 1)?;
        let current = ArcSwap::from_pointee(loaded);
        let aside = Mutex::new((told(&parts), now));
        Ok(Self {
            files,
            clock,
            current,
            parts: Mutex::new(parts),
            written: Mutex::default(),
            aside,
            stale: Mutex::default(),
            seen: Seen::default(),
        })
    }

    /// Reads all files again and takes each; see [`TlsSettings::take`]. Blocking.
    pub fn reload(&self) -> Taken {
        self.take(self.files.all().enumerate().map(|(place, (kind, path))| (place, parts::read(kind, path))).collect())
    }

    /// Takes files that were read, by their place in [`TlsFiles::all`], and swaps the settings for new connections; those that are open are
    /// judged anew by [`TlsSettings::check`]. Each file is taken or refused on its own: a bad one keeps what was in force of itself and holds
    /// back no other. Costs signatures: call it off the runtime's workers.
    pub fn take(&self, reads: Vec<(usize, Read)>) -> Taken {
        let mut parts = self.parts.lock();
        let (before, kept) = (self.current.load(), parts.clone());
        let now = self.clock.now();
        let mut refused = parts.take(reads, &self.files.trust, now);
        let digest = parts.digest();
        let mut changed = None;
        // A CA that vouches may have begun or ended since.
        if digest != before.digest || !parts.lists().is_same(before.verifier.lists()) {
            match Loaded::new(&parts, &self.files, &self.clock, before.generation + 1) {
                Ok(loaded) => {
                    self.current.store(Arc::new(loaded));
                    changed = Some(digest);
                }
                Err(error) => {
                    // Each was tried before; what still does not fit together is not taken.
                    *parts = kept;
                    refused.push(Refused { place: 0, error, digest: None });
                }
            }
        }
        *self.aside.lock() = (told(&parts), now);
        let mut stale = self.stale.lock();
        stale.retain(|place, _| parts.is_stale(*place));
        for Refused { place, error, .. } in refused.iter().filter(|refused| parts.is_stale(refused.place)) {
            stale.entry(*place).or_insert_with(|| (now, String::new())).1 = error.to_string();
        }
        drop(stale);
        Taken { changed, refused, good: parts.good() }
    }

    /// Whether a CA of `issuing_ca_files` has begun or ended since files were last taken: take none, so that what it vouched for is in force no more
    /// and is told of. By a clock that was set back since, too: one that ended while the clock was ahead vouches again.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let (_, taken) = *self.aside.lock();
        let (from, to) = (taken.min(now), taken.max(now));
        self.current.load().changes.iter().any(|at| from < *at && *at <= to)
    }

    /// Whether a CA of `client_ca_files` is valid at `now`; otherwise nobody gets in.
    #[must_use]
    pub fn has_authority(&self, now: Timestamp) -> bool {
        self.current.load().verifier.has_anchor(now)
    }

    /// What of the configured CAs and lists does not count at `now`, in words.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let current = self.current.load();
        let out_of_date = current.anchors.iter().filter_map(|(name, not_before, not_after)| {
            if now < *not_before {
                Some(format!("the CA '{name}' of client_ca_files lets nobody in before {not_before}"))
            } else if ends(*not_after) <= now {
                Some(format!("the CA '{name}' of client_ca_files lets nobody in since it ended at {not_after}"))
            } else {
                None
            }
        });
        let unlisted =
            current.unlisted.iter().map(|name| format!("the CA '{name}' has no revocation list; nobody whom it issued for can connect"));
        let stale = self.stale.lock();
        let stale = stale
            .values()
            .map(|(since, why)| format!("not in force since {since}, and a start would refuse it or go without what it lacks: {why}"));
        out_of_date.chain(unlisted).chain(self.aside.lock().0.iter().cloned()).chain(stale).collect()
    }

    /// Whether the newest content of every file is in force, but for what [`TlsSettings::warnings`] says of its parts.
    #[must_use]
    pub fn all_in_force(&self) -> bool {
        self.stale.lock().is_empty()
    }

    /// Writes down which lists are in force, if that is news, for the next start. Blocking.
    ///
    /// # Errors
    /// What the system says; in this process they are remembered.
    pub fn remember(&self) -> Result<(), FileError> {
        let Some(file) = &self.files.marks_file else { return Ok(()) };
        let mut written = self.written.lock();
        let marks = self.parts.lock().marks().clone();
        if written.as_ref() != Some(&marks) {
            marks.save(file)?;
            *written = Some(marks);
        }
        Ok(())
    }

    /// Where the settings come from.
    #[must_use]
    pub const fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// SHA-256 of one line for each file, `<kind> <its SHA-256 in hexadecimal digits>`, in the order of [`TlsFiles::all`]; the key has none.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.current.load().digest
    }

    /// Judges the certificates of an open connection by the settings and the time now. Costs a look unless something was reloaded or the time
    /// has come to look again.
    ///
    /// # Errors
    /// Why a new connection of this peer would be refused; close it.
    pub fn check(&self, peer: &PeerInfo, now: Timestamp) -> Result<(), HandshakeReason> {
        let current = self.current.load();
        if peer.is_checked(current.generation, now) {
            return Ok(());
        }
        current.verifier.examine(peer.chain(), now)?;
        peer.checked(current.generation, now, current.verifier.look_again(peer.not_after(), now));
        Ok(())
    }

    /// Judges a chain, the client's certificate first, as a handshake at `now` would; of several reasons it says first what neither a list nor time
    /// mends.
    ///
    /// # Errors
    /// Why it would be refused.
    pub fn judge(&self, chain: &[impl AsRef<[u8]>], now: Timestamp) -> Result<(), HandshakeReason> {
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_ref())).collect();
        self.current.load().verifier.examine_for_good(&chain, now)
    }

    /// The last second in which the gateway's own certificate is valid.
    #[must_use]
    pub fn certificate_not_after(&self) -> Timestamp {
        self.current.load().not_after
    }

    /// Every certificate that is configured, and those of participants that have called since the start. Of a CA that is configured and shown, too,
    /// what is configured counts: one of each name.
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        let mut all = self.current.load().certificates.clone();
        let mut seen = self.seen.all();
        seen.retain(|seen| !all.iter().any(|configured| configured.holder == seen.holder));
        all.append(&mut seen);
        all
    }

    /// The participants' certificates that were seen.
    #[must_use]
    pub const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Forgets the certificates of keys that `register` does not enrol.
    pub fn forget_unenrolled(&self, register: &Register) {
        self.seen.keep(register);
    }

    /// When the first revocation list is due for renewal.
    #[must_use]
    pub fn crl_next_update(&self) -> Option<Timestamp> {
        self.current.load().verifier.lists().next_update()
    }

    /// Every revocation list and how it stands at `now`.
    #[must_use]
    pub fn lists(&self, now: Timestamp) -> Vec<ListStatus> {
        let current = self.current.load();
        current.verifier.lists().statuses(current.verifier.grace_millis(), now)
    }

    /// What of the files in force is not used, and why: lists that no configured CA signed, and CAs that vouch for nothing.
    #[must_use]
    pub fn unused(&self) -> Vec<TlsError> {
        self.parts.lock().aside().into_iter().map(|refused| refused.error).collect()
    }

    /// Names of configured CAs that have no revocation list although others have: nobody whom they issued for can connect.
    #[must_use]
    pub fn authorities_without_list(&self) -> Vec<String> {
        self.current.load().unlisted.clone()
    }

    /// The settings for one new connection, and their generation.
    pub(super) fn server_config(&self, alpn: Alpn) -> (Arc<ServerConfig>, u64) {
        let current = self.current.load();
        let config = match alpn {
            Alpn::H2 => current.h2.clone(),
            Alpn::H2AndHttp11 => current.h2_and_http11.clone(),
        };
        (config, current.generation)
    }

    /// Notes that the handshake under `generation` has judged the peer already.
    pub(super) fn shaken(&self, peer: &PeerInfo, generation: u64) {
        let current = self.current.load();
        if current.generation == generation {
            let now = self.clock.now();
            peer.checked(generation, now, current.verifier.look_again(peer.not_after(), now));
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Keeps files from being taken for as long as the guard lives, as reading large lists does.
    #[cfg(test)]
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        self.parts.lock()
    }

    /// Milliseconds by a clock that nobody sets.
    pub(super) fn elapsed_millis(&self) -> i64 {
        self.clock.elapsed_millis()
    }
}

/// What of the files in force is not used, in words.
fn told(parts: &Parts) -> Vec<String> {
    parts.aside().iter().map(|refused| refused.error.to_string()).collect()
}

fn seconds(at: x509_parser::time::ASN1Time) -> Timestamp {
    Timestamp::from_millis(at.timestamp().saturating_mul(1000))
}

fn named(certificate: &X509Certificate<'_>, holder: impl FnOnce(String) -> Holder) -> Certificate {
    let name = shown_name(certificate.subject());
    Certificate { holder: holder(name), not_after: seconds(certificate.validity().not_after) }
}

impl Loaded {
    fn new(parts: &Parts, files: &TlsFiles, clock: &Arc<dyn Clock>, generation: u64) -> Result<Self, TlsError> {
        let TlsFiles { certificate_file, crl_grace_millis, trust, .. } = files;
        let (identity, not_after) = parts.identity()?;
        let own = identity.cert.iter().map(|der| own::parsed(certificate_file, der)).collect::<Result<Vec<_>, _>>()?;
        let mut certificates = vec![Certificate { holder: Holder::Gateway, not_after }];
        certificates.extend(own[1..].iter().map(|certificate| named(certificate, Holder::GatewayChain)));
        drop(own);

        let (mut anchors, mut of_anchors, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for (_, file, der) in parts.authorities() {
            let certificate = own::parsed(file, &der)?;
            let (not_before, not_after) = (seconds(certificate.validity().not_before), seconds(certificate.validity().not_after));
            certificates.push(named(&certificate, Holder::ClientCa));
            of_anchors.push((shown_name(certificate.subject()), not_before, not_after));
            let (name, key) = (sha256(certificate.subject().as_raw()), sha256(certificate.public_key().raw));
            drop(certificate);
            anchors.push(Anchor { der, not_before, not_after, name, key });
        }
        for (_, file, der) in parts.issuing() {
            let certificate = own::parsed(file, &der)?;
            changes.extend([seconds(certificate.validity().not_before), ends(seconds(certificate.validity().not_after))]);
            certificates.push(named(&certificate, Holder::IssuingCa));
        }
        let now = clock.now();
        let (lists, vouchers) = (parts.lists().clone(), parts.vouchers(now)?);
        let needs_lists = !files.crl_files.is_empty();
        let unlisted = vouchers.all().filter(|ca| needs_lists && !lists.has(&ca.name, &ca.key));
        let unlisted = unlisted.map(|ca| ca.shown.clone()).collect();

        let revocation = Revocation { needs_lists, lists, vouchers, grace_millis: *crl_grace_millis };
        let verifier = Arc::new(ChainVerifier::new(anchors, revocation, trust.clone())?);
        let mut config = ServerConfig::builder_with_details(provider(), Arc::new(TlsClock(clock.clone())))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        // A resumed session would not show its certificate again, so there is no way to resume one, and nothing is sent before the handshake.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut both = config.clone();
        both.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Self {
            generation,
            h2: Arc::new(config),
            h2_and_http11: Arc::new(both),
            verifier,
            certificates,
            not_after,
            unlisted,
            changes,
            anchors: of_anchors,
            digest: parts.digest(),
        })
    }
}

/// All certificates of `files` as trust anchors.
pub(super) fn read_roots(files: &[PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for file in files {
        for certificate in files::read_certificates(file)? {
            roots.add(certificate).map_err(|_| TlsError::Authority(file.clone()))?;
        }
    }
    if roots.is_empty() { Err(TlsError::NoAuthority) } else { Ok(roots) }
}

/// Names both files when key and certificate do not fit.
pub(super) fn mismatch(error: rustls::Error, certificate_file: &Path, key_file: &Path) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::KeyMismatch { certificate_file: certificate_file.to_owned(), key_file: key_file.to_owned() }
        }
        other => TlsError::Rustls(other),
    }
}
