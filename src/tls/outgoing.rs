//! TLS to servers of others, which ask for no certificate of ours: witnesses.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::clock::Clock;

use super::config::{TlsClock, TlsError, provider, read_roots};

/// TLS 1.3 to a server whose certificate one of the given CAs issued.
#[derive(Clone)]
pub struct Outgoing(TlsConnector);

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outgoing")
    }
}

impl Outgoing {
    /// Reads the CAs, at least one.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn load(ca_files: &[PathBuf], clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let mut config = ClientConfig::builder_with_details(provider(), Arc::new(TlsClock(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(read_roots(ca_files)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self(Arc::new(config).into()))
    }

    /// The handshake on a connected socket; the certificate must be valid for `name`.
    ///
    /// # Errors
    /// A name that is none, or a handshake that failed.
    pub async fn connect(&self, name: &str, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.0.connect(name, socket).await
    }
}
