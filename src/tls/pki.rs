//! The development PKI: a CA, the gateway and every participant of the development register, in one folder.
//!
//! Never for production: whoever can read the folder can be anyone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Serialize;

use crate::clock::Entropy;
use crate::domain::participant::{Contact, EnrolledKey, KeyHash, MunicipalityNumber, OrganisationNumber, Participant, Role, Standing};
use crate::domain::scope::AuditScope;
use crate::domain::time::Timestamp;

use super::client::ClientFiles;
use super::config::{TlsFiles, provider};
use super::files::{self, FileError};
use super::issue::{CertificateAuthority, IssueError, Issued, KeyKind, Leaf, key_fits};
use super::peer::key_hash_of;
use super::trust::Trust;

/// The names that the development gateway's certificate is valid for.
const GATEWAY_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Why the development PKI cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A certificate cannot be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A register of somebody else.
    #[error("{}: a register that `samband pki dev` did not write, and would replace; name another folder, or move it away first", .0.display())]
    ForeignRegister(PathBuf),
    /// Something is there and no longer fits.
    #[error("{}: {what}; renew the whole folder with --force, or remove it", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A signing request would replace a key.
    #[error("{}: a key is there already; it is not overwritten, choose another folder", .0.display())]
    KeyExists(PathBuf),
    /// The register cannot be written as TOML.
    #[error("the development register cannot be written: {0}")]
    Register(#[from] toml::ser::Error),
    /// A name in the development register is out of shape.
    #[error("the development register names something out of shape: {0}")]
    Name(&'static str),
}

/// What to do with files that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Use them, if they are whole and valid; refuse otherwise.
    Keep,
    /// Make everything anew.
    Renew,
}

/// A participant of the development register; its key is made with the PKI.
#[derive(Debug, Clone)]
pub struct DevParticipant {
    /// The register entry, its keys still to come.
    entry: Participant,
}

impl DevParticipant {
    /// An active participant without key, contact or municipality.
    ///
    /// # Errors
    /// An id or organisation number out of shape.
    pub fn new(id: &str, name: &str, role: Role, organisation_number: &str) -> Result<Self, PkiError> {
        Ok(Self {
            entry: Participant {
                id: id.parse().map_err(|_| PkiError::Name("participant id"))?,
                name: name.to_owned(),
                role,
                organisation_number: organisation_number.parse().map_err(|_| PkiError::Name("organisation number"))?,
                keys: Vec::new(),
                municipalities: Vec::new(),
                contacts: Vec::new(),
                administrative_system: role == Role::MunicipalUnit,
                successor: None,
                standing: Standing::Active,
                scope: (role == Role::Auditor).then_some(AuditScope::All),
            },
        })
    }

    /// With municipalities served.
    ///
    /// # Errors
    /// A municipality number out of shape.
    pub fn serving(mut self, municipalities: &[&str]) -> Result<Self, PkiError> {
        let parsed: Result<Vec<MunicipalityNumber>, _> = municipalities.iter().map(|number| number.parse()).collect();
        self.entry.municipalities = parsed.map_err(|_| PkiError::Name("municipality number"))?;
        Ok(self)
    }

    /// With one more contact.
    #[must_use]
    pub fn contact(mut self, key: &str, role_name: &str, phone: &str) -> Self {
        let contact = Contact { key: key.to_owned(), role_name: role_name.to_owned(), phone: Some(phone.to_owned()), email: None };
        self.entry.contacts.push(contact);
        self
    }
}

/// The development register: synthetic organisation numbers from a range that has not been issued, role contacts only.
///
/// # Errors
/// None in practice: the names are constants, held by a test.
pub fn development_register() -> Result<Vec<DevParticipant>, PkiError> {
    use Role::{Auditor, Laboratory, Mirror, MunicipalUnit, Prosecution};
    let new = DevParticipant::new;
    let prosecution = "Påtalejurist i vakt";
    let unit = "Rådgivende enhet for russaker";
    let laboratory = "Vakttelefon rettstoksikologi";
    Ok(vec![
        new("politi-oslo", "Oslo politidistrikt (utvikling)", Prosecution, "800000017")?.contact("vakt", prosecution, "+4700000001"),
        new("politi-innlandet", "Innlandet politidistrikt (utvikling)", Prosecution, "800000114")?.contact(
            "vakt",
            prosecution,
            "+4700000002",
        ),
        new("ru-oslo", "Rådgivende enhet Oslo (utvikling)", MunicipalUnit, "800000211")?.serving(&["0301"])?.contact(
            "enhet",
            unit,
            "+4700000003",
        ),
        new("ru-hamar", "Rådgivende enhet Hamarregionen (utvikling)", MunicipalUnit, "800000319")?
            .serving(&["3403", "3411", "3412"])?
            .contact("enhet", unit, "+4700000004"),
        new("ru-tromso", "Rådgivende enhet Tromsø (utvikling)", MunicipalUnit, "800000416")?.serving(&["5501"])?.contact(
            "enhet",
            unit,
            "+4700000005",
        ),
        new("lab-ous", "Laboratorium OUS (utvikling)", Laboratory, "800000513")?.contact("vakt", laboratory, "+4700000006"),
        new("lab-st-olav", "Laboratorium St. Olav (utvikling)", Laboratory, "800000610")?.contact("vakt", laboratory, "+4700000007"),
        new("tilsyn", "Tilsyn (utvikling)", Auditor, "800000718")?,
        new("speil", "Speil av loggen (utvikling)", Mirror, "800000912")?,
    ])
}

/// Where the development PKI lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevPki {
    dir: PathBuf,
}

impl DevPki {
    /// Names the files of the PKI in `dir`; whether they are there is not asked.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The CA's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The CA's private key, for later certificates.
    #[must_use]
    pub fn ca_key_file(&self) -> PathBuf {
        self.dir.join("ca.key.pem")
    }

    /// The development register.
    #[must_use]
    pub fn participants_file(&self) -> PathBuf {
        self.dir.join("participants.toml")
    }

    /// The certificate of `id`: a participant or `gateway`.
    #[must_use]
    pub fn certificate_file(&self, id: &str) -> PathBuf {
        self.dir.join(id).join("cert.pem")
    }

    /// The private key of `id`: a participant or `gateway`.
    #[must_use]
    pub fn key_file(&self, id: &str) -> PathBuf {
        self.dir.join(id).join("key.pem")
    }

    /// What a client that acts as `id` needs.
    #[must_use]
    pub fn client_files(&self, id: &str) -> ClientFiles {
        ClientFiles { certificate_file: self.certificate_file(id), key_file: self.key_file(id), server_ca_files: vec![self.ca_file()] }
    }

    /// What the development gateway needs; no revocation lists.
    #[must_use]
    pub fn gateway_files(&self) -> TlsFiles {
        TlsFiles {
            certificate_file: self.certificate_file("gateway"),
            key_file: self.key_file("gateway"),
            client_ca_files: vec![self.ca_file()],
            issuing_ca_files: Vec::new(),
            crl_files: Vec::new(),
            crl_grace_millis: 0,
            trust: Trust::default(),
            marks_file: None,
        }
    }

    /// The CA, to issue further certificates in tests.
    ///
    /// # Errors
    /// Its files cannot be read or do not fit each other.
    pub fn authority(&self) -> Result<CertificateAuthority, PkiError> {
        let path = self.ca_file();
        let certificate = String::from_utf8(files::read(&path, files::SECRET_BYTES_MAX)?).map_err(|_| unusable(&path, "is not PEM"))?;
        let key = files::read_secret(&self.ca_key_file())?;
        let key = std::str::from_utf8(&key).map_err(|_| unusable(&self.ca_key_file(), "is not PEM"))?;
        CertificateAuthority::from_pem(&certificate, key).map_err(|_| unusable(&path, "does not fit its key ca.key.pem"))
    }
}

fn unusable(path: &Path, what: &'static str) -> PkiError {
    PkiError::Unusable { path: path.to_owned(), what }
}

#[derive(Serialize)]
struct RegisterFile<'a> {
    participant: &'a [Participant],
}

/// Makes the development PKI in `dir`, or completes what is there.
///
/// Files: `ca.pem`, `ca.key.pem`, `<id>/cert.pem` and `<id>/key.pem` for `gateway` and each participant, `participants.toml`. Keys have mode
/// 0600, folders 0700.
///
/// # Errors
/// A file cannot be written; with [`Existing::Keep`] also something that is expired or does not fit: it is named, and nothing is overwritten.
pub fn dev(
    dir: &Path,
    now: Timestamp,
    entropy: &dyn Entropy,
    existing: Existing,
    participants: &[DevParticipant],
) -> Result<DevPki, PkiError> {
    files::make_private_dir(dir)?;
    files::keep_out_of_git(dir)?;
    let pki = DevPki::at(dir);
    if existing == Existing::Renew {
        own_register(&pki.participants_file())?;
    }
    let authority = open_authority(&pki, now, entropy, existing)?;
    let maker = Maker { pki: &pki, authority: &authority, now, entropy, existing };
    maker.identity("gateway", &Leaf::server("Samband development gateway", &GATEWAY_NAMES, now))?;
    let mut entries = Vec::with_capacity(participants.len());
    for DevParticipant { entry } in participants {
        let leaf = Leaf::client(entry.id.as_str(), entry.organisation_number, now);
        let hash = maker.identity(entry.id.as_str(), &leaf)?;
        let key = EnrolledKey { hash, label: "dev".to_owned(), operated_by: None };
        entries.push(Participant { keys: vec![key], ..entry.clone() });
    }
    write_register(&pki, existing, &entries)?;
    Ok(pki)
}

fn open_authority(pki: &DevPki, now: Timestamp, entropy: &dyn Entropy, existing: Existing) -> Result<CertificateAuthority, PkiError> {
    if existing == Existing::Keep && (pki.ca_file().exists() || pki.ca_key_file().exists()) {
        return pki.authority();
    }
    let authority = CertificateAuthority::new("Samband development CA", now, entropy)?;
    files::write(&pki.ca_key_file(), authority.key_pem().as_bytes(), 0o600)?;
    files::write(&pki.ca_file(), authority.certificate_pem().as_bytes(), 0o644)?;
    Ok(authority)
}

/// How a register of this command begins.
const HEADING: &str = "# The development register, written by `samband pki dev`.";

/// Refuses to replace a register that somebody else wrote.
fn own_register(path: &Path) -> Result<(), PkiError> {
    if path.exists() && !files::read(path, files::SECRET_BYTES_MAX)?.starts_with(HEADING.as_bytes()) {
        return Err(PkiError::ForeignRegister(path.to_owned()));
    }
    Ok(())
}

/// The register is written unless the one there enrols every key already; an edited one is kept.
fn write_register(pki: &DevPki, existing: Existing, entries: &[Participant]) -> Result<(), PkiError> {
    let path = pki.participants_file();
    if existing == Existing::Keep && path.exists() {
        let text = files::read(&path, files::SECRET_BYTES_MAX)?;
        let text = String::from_utf8_lossy(&text);
        if entries.iter().flat_map(|entry| &entry.keys).all(|key| text.contains(&key.hash.to_string())) {
            return Ok(());
        }
    }
    own_register(&path)?;
    let mut text = format!("{HEADING} Synthetic organisation numbers and contacts.\n\n");
    text.push_str(&toml::to_string(&RegisterFile { participant: entries })?);
    Ok(files::write(&path, text.as_bytes(), 0o644)?)
}

struct Maker<'a> {
    pki: &'a DevPki,
    authority: &'a CertificateAuthority,
    now: Timestamp,
    entropy: &'a dyn Entropy,
    existing: Existing,
}

impl Maker<'_> {
    /// Makes or checks certificate and key of `id`, and gives the key's hash.
    fn identity(&self, id: &str, leaf: &Leaf) -> Result<KeyHash, PkiError> {
        let (certificate_file, key_file) = (self.pki.certificate_file(id), self.pki.key_file(id));
        if self.existing == Existing::Keep && (certificate_file.exists() || key_file.exists()) {
            return self.check(&certificate_file, &key_file, leaf);
        }
        files::make_private_dir(&self.pki.dir.join(id))?;
        let issued: Issued = self.authority.issue(leaf, self.entropy)?;
        files::write(&key_file, issued.key_pem().as_bytes(), 0o600)?;
        files::write(&certificate_file, issued.certificate_pem().as_bytes(), 0o644)?;
        Ok(issued.key_hash())
    }

    fn check(&self, certificate_file: &Path, key_file: &Path, leaf: &Leaf) -> Result<KeyHash, PkiError> {
        let chain = files::read_certificates(certificate_file)?;
        let key = files::read_secret(key_file)?;
        let fits = std::str::from_utf8(&key).is_ok_and(|key| key_fits(key, &chain[0]));
        if !fits {
            return Err(unusable(certificate_file, "does not belong to key.pem beside it"));
        }
        if !self.verifies(&chain[0], leaf) {
            return Err(unusable(certificate_file, "is expired, of another CA or for another purpose"));
        }
        key_hash_of(&chain[0]).map_err(|_| unusable(certificate_file, "cannot be read"))
    }

    fn verifies(&self, certificate: &CertificateDer<'_>, leaf: &Leaf) -> bool {
        let mut roots = RootCertStore::empty();
        let Ok(anchors) = files::read_certificates(&self.pki.ca_file()) else { return false };
        if roots.add_parsable_certificates(anchors).0 == 0 {
            return false;
        }
        let Ok(seconds) = u64::try_from(self.now.millis() / 1000) else { return false };
        let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let roots = Arc::new(roots);
        match leaf.names.first().map(|name| ServerName::try_from(name.as_str())) {
            None => WebPkiClientVerifier::builder_with_provider(roots, provider())
                .build()
                .is_ok_and(|verifier| verifier.verify_client_cert(certificate, &[], at).is_ok()),
            Some(Ok(name)) => WebPkiServerVerifier::builder_with_provider(roots, provider())
                .build()
                .is_ok_and(|verifier| verifier.verify_server_cert(certificate, &[], &name, &[], at).is_ok()),
            Some(Err(_)) => false,
        }
    }
}

/// Writes a signing request and a fresh key for an enterprise certificate: `<dir>/request.pem` and `<dir>/key.pem` (0600). An existing key is
/// never overwritten.
///
/// # Errors
/// A key is there already, or a file cannot be written.
pub fn write_csr(
    dir: &Path,
    organisation: OrganisationNumber,
    organisation_name: &str,
    common_name: Option<&str>,
    kind: KeyKind,
) -> Result<(PathBuf, PathBuf), PkiError> {
    let (request_file, key_file) = (dir.join("request.pem"), dir.join("key.pem"));
    // Also what only points to a key that is not there now: it may be on a disk that is not mounted.
    if key_file.symlink_metadata().is_ok() {
        return Err(PkiError::KeyExists(key_file));
    }
    files::make_private_dir(dir)?;
    let (request, key) = super::issue::csr(organisation, organisation_name, common_name, kind)?;
    files::write(&key_file, key.as_bytes(), 0o600)?;
    files::write(&request_file, request.as_bytes(), 0o644)?;
    Ok((request_file, key_file))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use serde::Deserialize;

    use super::*;
    use crate::clock::SeededEntropy;
    use crate::domain::participant::Register;
    use crate::domain::time::DAY_MILLIS;

    const NOW: Timestamp = Timestamp::from_millis(1_780_000_000_000);

    fn make(dir: &Path, now: Timestamp, existing: Existing) -> Result<DevPki, PkiError> {
        dev(dir, now, &SeededEntropy::new(5), existing, &development_register().unwrap())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_development_register_fits_the_register_and_the_keys_made() {
        #[derive(Deserialize)]
        struct File {
            participant: Vec<Participant>,
        }
        let dir = tempfile::tempdir().unwrap();
        let pki = make(&dir.path().join("certs"), NOW, Existing::Keep).unwrap();
        let file: File = toml::from_str(&fs::read_to_string(pki.participants_file()).unwrap()).unwrap();
        let register = Register::new(1, file.participant, &|_| true).unwrap();
        let ids: Vec<_> = register.iter().map(|participant| participant.id.to_string()).collect();
        assert_eq!(
            ids,
            ["lab-ous", "lab-st-olav", "politi-innlandet", "politi-oslo", "ru-hamar", "ru-oslo", "ru-tromso", "speil", "tilsyn"]
        );
        assert_eq!(register.unit_of("3411".parse().unwrap()).unwrap().id.as_str(), "ru-hamar");
        for participant in register.iter() {
            let id = participant.id.as_str();
            let chain = files::read_certificates(&pki.certificate_file(id)).unwrap();
            let peer = crate::tls::PeerIdentity::from_leaf(&chain[0]).unwrap();
            assert_eq!(crate::tls::resolve(&peer, &register).unwrap().0.id, participant.id);
            assert_eq!(mode(&pki.key_file(id)), 0o600);
            assert_eq!(mode(pki.key_file(id).parent().unwrap()), 0o700);
        }
        let clock: Arc<dyn crate::clock::Clock> = Arc::new(crate::clock::MockClock::new(NOW));
        crate::tls::TlsSettings::load(pki.gateway_files(), clock.clone()).unwrap();
        crate::tls::ClientSettings::load(&pki.client_files("tilsyn"), clock).unwrap();
        assert_eq!(mode(&pki.ca_key_file()), 0o600);
        assert_eq!(mode(&pki.key_file("gateway")), 0o600);
    }

    #[test]
    fn a_second_run_keeps_everything_completes_what_is_missing_and_renewal_changes_all() {
        let dir = tempfile::tempdir().unwrap();
        let pki = make(dir.path(), NOW, Existing::Keep).unwrap();
        let read = |path: PathBuf| fs::read(path).unwrap();
        let before = (read(pki.ca_file()), read(pki.key_file("ru-oslo")), read(pki.participants_file()));
        fs::remove_dir_all(dir.path().join("tilsyn")).unwrap();
        make(dir.path(), NOW.plus_millis(DAY_MILLIS), Existing::Keep).unwrap();
        assert_eq!((read(pki.ca_file()), read(pki.key_file("ru-oslo"))), (before.0.clone(), before.1.clone()));
        let register = read(pki.participants_file());
        assert_ne!(register, before.2, "the new key of the auditor is enrolled");
        make(dir.path(), NOW.plus_millis(DAY_MILLIS), Existing::Keep).unwrap();
        assert_eq!(read(pki.participants_file()), register);
        make(dir.path(), NOW, Existing::Renew).unwrap();
        assert_ne!(read(pki.ca_file()), before.0);
        assert_ne!(read(pki.key_file("ru-oslo")), before.1);
    }

    #[test]
    fn a_register_that_this_did_not_write_stays() {
        let dir = tempfile::tempdir().unwrap();
        let register = DevPki::at(dir.path()).participants_file();
        fs::write(&register, "# Ours.\n").unwrap();
        for existing in [Existing::Renew, Existing::Keep] {
            let error = make(dir.path(), NOW, existing).unwrap_err();
            assert!(matches!(&error, PkiError::ForeignRegister(path) if *path == register), "{error}");
            assert_eq!(dir.path().join("ca.pem").exists(), existing == Existing::Keep, "nothing is renewed before");
        }
        assert_eq!(fs::read(&register).unwrap(), b"# Ours.\n");
        fs::remove_file(&register).unwrap();
        let pki = make(dir.path(), NOW, Existing::Keep).unwrap();
        let text = fs::read_to_string(&register).unwrap();
        fs::write(&register, format!("# Edited, with every key in it.\n{text}")).unwrap();
        make(dir.path(), NOW, Existing::Keep).unwrap();
        assert!(fs::read_to_string(pki.participants_file()).unwrap().starts_with("# Edited"));
    }

    #[test]
    fn what_is_expired_mismatched_or_of_another_authority_is_named_and_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let pki = make(dir.path(), NOW, Existing::Keep).unwrap();
        let refused = |now| match make(dir.path(), now, Existing::Keep) {
            Err(PkiError::Unusable { path, what }) => (path, what),
            other => panic!("not refused: {other:?}"),
        };
        let expired = refused(NOW.plus_millis(800 * DAY_MILLIS));
        assert!(expired.0.ends_with("gateway/cert.pem") && expired.1.contains("expired"));
        fs::copy(pki.key_file("ru-oslo"), pki.key_file("ru-tromso")).unwrap();
        let mismatched = refused(NOW);
        assert!(mismatched.0.ends_with("ru-tromso/cert.pem") && mismatched.1.contains("key.pem"));
        fs::remove_file(pki.ca_file()).unwrap();
        fs::remove_file(pki.ca_key_file()).unwrap();
        assert!(refused(NOW).0.ends_with("gateway/cert.pem"));
    }

    #[test]
    fn a_signing_request_never_overwrites_a_key() {
        let dir = tempfile::tempdir().unwrap();
        let number = "800000017".parse().unwrap();
        let (_, key_file) = write_csr(dir.path(), number, "Eksempel", None, KeyKind::P256).unwrap();
        let before = fs::read(&key_file).unwrap();
        assert_eq!(mode(&key_file), 0o600);
        assert!(matches!(write_csr(dir.path(), number, "Eksempel", None, KeyKind::P256), Err(PkiError::KeyExists(_))));
        // Nor what points to a key that is elsewhere, and not there now.
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("key.pem");
        std::os::unix::fs::symlink(elsewhere.path().join("gone/key.pem"), &link).unwrap();
        let refused = write_csr(elsewhere.path(), number, "Eksempel", None, KeyKind::P256);
        assert!(matches!(refused, Err(PkiError::KeyExists(file)) if file == link));
        assert!(link.is_symlink() && !elsewhere.path().join("request.pem").exists());
        assert_eq!(fs::read(&key_file).unwrap(), before);
    }
}
