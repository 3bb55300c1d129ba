//! Who a connection's peer is to the gateway: asked anew for every call and every page.

use super::config::TlsSettings;
use super::connection::PeerInfo;
use super::peer::{IdentityError, resolve};
use crate::domain::participant::Register;
use crate::domain::time::Timestamp;
use crate::policy::permit::Caller;

/// Why a peer is nobody to the gateway. Counted, never attributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    /// The certificate or its key is no participant's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Revoked, past its validity, or of an issuer that is no longer trusted, while the connection was open.
    #[error("the certificate is revoked or has run out; connect again with a valid one")]
    Withdrawn,
}

/// The participant behind `peer` by the register and the revocation lists in force now.
///
/// # Errors
/// Why it is none.
pub fn caller(peer: &PeerInfo, register: &Register, settings: &TlsSettings, now: Timestamp) -> Result<Caller, Stranger> {
    let identity = peer.identity()?;
    let (participant, key) = resolve(identity, register)?;
    settings.check(peer, now).map_err(|_| Stranger::Withdrawn)?;
    let caller = Caller { participant, key: key.hash, key_label: key.label };
    if peer.is_new() {
        settings.seen().note(&caller, peer.not_after().unwrap_or_else(|| identity.not_after()), peer.links(), now);
    }
    Ok(caller)
}
