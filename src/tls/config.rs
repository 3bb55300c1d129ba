//! The server's TLS settings: read from files, swapped as a whole, or not at all.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::FromDer as _;

use crate::clock::Clock;
use crate::domain::time::Timestamp;

use super::files::{self, FileError};
use super::peer::PeerIdentity;
use super::revocation::Revoked;

/// Why TLS settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key is not the certificate's.
    #[error("{}: this key does not belong to the certificate in {}", key_file.display(), certificate_file.display())]
    KeyMismatch {
        /// The certificate.
        certificate_file: PathBuf,
        /// The key.
        key_file: PathBuf,
    },
    /// A CA certificate that cannot be a trust anchor.
    #[error("{}: holds a certificate that cannot serve as a CA", .0.display())]
    Authority(PathBuf),
    /// No CA file at all.
    #[error("no CA file is given; name at least one, or nobody can connect")]
    NoAuthority,
    /// A revocation list that cannot be read.
    #[error("a revocation list cannot be read; fetch it anew from its issuer")]
    Crl,
    /// The server's name cannot be one.
    #[error("the server's name is neither a DNS name nor an IP address")]
    ServerName,
    /// rustls refused for another reason.
    #[error("the TLS settings cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The files that the server's settings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the gateway's certificate, then its intermediates.
    pub certificate_file: PathBuf,
    /// PEM: the private key, mode 0600.
    pub key_file: PathBuf,
    /// PEM: the CAs that issue client certificates. Pin the issuing CAs, not "any CA".
    pub client_ca_files: Vec<PathBuf>,
    /// PEM: revocation lists. None: no revocation check. Otherwise every issuing CA needs one.
    pub crl_files: Vec<PathBuf>,
    /// Whether a list past its next update refuses everyone that its CA issued for.
    pub require_unexpired_crl: bool,
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
    h2: Arc<ServerConfig>,
    h2_and_http11: Arc<ServerConfig>,
    revoked: Revoked,
    not_after: Timestamp,
}

/// The server's settings in force. [`TlsSettings::reload`] swaps them as a whole.
pub struct TlsSettings {
    files: TlsFiles,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Loaded>,
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
        let loaded = Loaded::new(&files, &clock)?;
        Ok(Self { files, clock, current: ArcSwap::from_pointee(loaded) })
    }

    /// Reads the same files again and swaps the settings for new connections. Blocking: call it off the runtime's workers.
    ///
    /// # Errors
    /// As [`TlsSettings::load`]; the settings in force stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = Loaded::new(&self.files, &self.clock)?;
        self.current.store(Arc::new(loaded));
        Ok(())
    }

    /// Whether the current revocation lists name the certificate of `peer`.
    #[must_use]
    pub fn is_revoked(&self, peer: &PeerIdentity) -> bool {
        self.current.load().revoked.contains(peer)
    }

    /// The last second in which the gateway's own certificate is valid.
    #[must_use]
    pub fn certificate_not_after(&self) -> Timestamp {
        self.current.load().not_after
    }

    /// When the first revocation list is due for renewal; raise an alarm before.
    #[must_use]
    pub fn crl_next_update(&self) -> Option<Timestamp> {
        self.current.load().revoked.next_update()
    }

    /// The settings for one new connection.
    pub(super) fn server_config(&self, alpn: Alpn) -> Arc<ServerConfig> {
        let current = self.current.load();
        match alpn {
            Alpn::H2 => current.h2.clone(),
            Alpn::H2AndHttp11 => current.h2_and_http11.clone(),
        }
    }
}

impl Loaded {
    fn new(files: &TlsFiles, clock: &Arc<dyn Clock>) -> Result<Self, TlsError> {
        let TlsFiles { certificate_file, key_file, client_ca_files, crl_files, require_unexpired_crl } = files;
        let chain = files::read_certificates(certificate_file)?;
        let not_after = not_after_of(&chain[0]).ok_or_else(|| FileError::Pem { path: certificate_file.clone(), section: "CERTIFICATE" })?;
        let key = files::read_private_key(key_file)?;
        let roots = read_roots(client_ca_files)?;
        let mut crls = Vec::new();
        for file in crl_files {
            crls.extend(files::read_crls(file)?);
        }
        let revoked = Revoked::new(&crls).ok_or(TlsError::Crl)?;
        let verifier = client_verifier(roots, crls, *require_unexpired_crl)?;
        let mut config = ServerConfig::builder_with_details(provider(), Arc::new(TlsClock(clock.clone())))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| mismatch(error, certificate_file, key_file))?;
        // A resumed session would not show its certificate again, so there is no way to resume one, and nothing is sent before the handshake.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut both = config.clone();
        both.alpn_protocols.push(b"http/1.1".to_vec());
        Ok(Self { h2: Arc::new(config), h2_and_http11: Arc::new(both), revoked, not_after })
    }
}

fn client_verifier(
    roots: RootCertStore,
    crls: Vec<CertificateRevocationListDer<'static>>,
    require_unexpired_crl: bool,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
    if !crls.is_empty() {
        builder = builder.with_crls(crls);
        if require_unexpired_crl {
            builder = builder.enforce_revocation_expiration();
        }
    }
    builder.build().map_err(|error| match error {
        VerifierBuilderError::NoRootAnchors => TlsError::NoAuthority,
        _ => TlsError::Crl,
    })
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
pub(super) fn mismatch(error: rustls::Error, certificate_file: &std::path::Path, key_file: &std::path::Path) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::KeyMismatch { certificate_file: certificate_file.to_owned(), key_file: key_file.to_owned() }
        }
        other => TlsError::Rustls(other),
    }
}

fn not_after_of(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
    Some(Timestamp::from_millis(parsed.validity().not_after.timestamp().saturating_mul(1000)))
}
