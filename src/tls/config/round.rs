//! A round over the open connections: each chain is judged once, however many connections showed it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;

use super::{Loaded, TlsSettings};
use crate::domain::time::Timestamp;
use crate::tls::connection::{HandshakeReason, PeerInfo};

/// What chains are judged to be by one generation of the settings at one time.
pub struct Round {
    settings: Arc<Loaded>,
    now: Timestamp,
    judged: Mutex<Judged>,
}

/// The verdicts, and how many chains were judged for them.
#[derive(Default)]
struct Judged {
    verdicts: HashMap<Vec<CertificateDer<'static>>, Result<(), HandshakeReason>>,
    count: usize,
}

impl std::fmt::Debug for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Round").field("now", &self.now).finish_non_exhaustive()
    }
}

impl TlsSettings {
    /// Begins a round by the settings in force, at `now`.
    #[must_use]
    pub fn round(&self, now: Timestamp) -> Round {
        Round { settings: self.current.load_full(), now, judged: Mutex::default() }
    }
}

impl Round {
    /// As [`TlsSettings::check`].
    ///
    /// # Errors
    /// Why a new connection of this peer would be refused; close it.
    pub fn check(&self, peer: &PeerInfo) -> Result<(), HandshakeReason> {
        let Loaded { generation, verifier, .. } = &*self.settings;
        if peer.is_checked(*generation, self.now) {
            return Ok(());
        }
        let mut judged = self.judged.lock();
        let verdict = if let Some(verdict) = judged.verdicts.get(peer.chain()) {
            *verdict
        } else {
            judged.count += 1;
            *judged.verdicts.entry(peer.chain().to_vec()).or_insert(verifier.examine(peer.chain(), self.now))
        };
        verdict?;
        peer.checked(*generation, self.now, verifier.look_again(peer.not_after(), self.now));
        Ok(())
    }

    /// How many chains were judged, not how many connections.
    #[must_use]
    pub fn judged(&self) -> usize {
        self.judged.lock().count
    }
}
