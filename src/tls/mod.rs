//! Identity and transport: TLS 1.3 with client certificates, who a peer is, and the development PKI.
//!
//! The only folder that knows rustls, rcgen and x509-parser.

pub mod acceptor;
mod activity;
pub mod caller;
mod chain;
pub mod client;
pub mod config;
pub mod connection;
pub mod expiry;
pub mod fetched;
pub mod files;
pub mod issue;
mod marks;
pub mod outgoing;
mod own;
pub mod pace;
mod parts;
pub mod peer;
pub mod pending;
pub mod pki;
pub mod revocation;
pub mod trust;
mod turns;
mod verifier;
mod vouchers;

#[cfg(test)]
mod handshake_tests;

pub use acceptor::{Incoming, Limits, accept};
pub use caller::{Stranger, caller};
pub use chain::Link;
pub use client::{Backoff, ClientFiles, ClientSettings, Connector};
pub use config::{Alpn, Taken, TlsError, TlsFiles, TlsSettings};
pub use connection::{Connection, HandshakeObserver, HandshakeReason, OpenConnections, PeerInfo, Working};
pub use outgoing::Outgoing;
pub use own::NotAServers;
pub use parts::{Read, Refused, read};
pub use peer::{IdentityError, PeerIdentity, resolve};
pub use revocation::{ListState, ListStatus};
pub use trust::{Trust, TrustError, TrustedIssuer};

/// What is read of foreign bytes here, for `crate::fuzzing`.
#[cfg(any(test, fuzzing))]
pub mod fuzzing {
    pub use super::chain::fuzzing::chain;
    pub use super::marks::fuzzing::marks;
    #[cfg(test)]
    pub(crate) use super::marks::fuzzing::samples_of_marks;
    pub use super::parts::fuzzing::file;
    pub use super::revocation::fuzzing::list;
    pub use super::trust::fuzzing::certificate;
}
