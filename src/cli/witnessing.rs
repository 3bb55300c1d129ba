//! The gateway's witnesses at its start: how far they saw, before the log goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::audit::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::audit::note::LogSigner;
use crate::audit::tlog_policy::TlogPolicy;
use crate::audit::tree::Hash;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, witnesses};
use crate::gateway::{self, Saw, WitnessCall, Witnesses};
use crate::store::embedded::SeenElsewhere;
use crate::tls::Outgoing;
use crate::web::witness_client::WitnessClient;

use super::exit::CliError;

/// All witnesses together may take this long at the start.
const PATIENCE: Duration = Duration::from_secs(6);
/// The largest published checkpoint that is read.
const CHECKPOINT_BYTES_MAX: u64 = 64 * 1024;

/// The witnesses of a configuration.
pub struct Witnessing {
    policy: TlogPolicy,
    call: Arc<dyn WitnessCall>,
    submit_every: Duration,
}

impl Witnessing {
    /// From the configuration, if it names any.
    ///
    /// # Errors
    /// A policy or CA file that cannot be used, or a policy for other logs.
    pub fn of(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<Self>, CliError> {
        let Some(section) = &config.witnesses else { return Ok(None) };
        let policy = witnesses::load_witnesses(section).map_err(|error: ConfigError| CliError::Config(error.to_string()))?;
        let tls = match section.ca_files.as_slice() {
            [] => None,
            files => Some(Outgoing::load(files, clock.clone()).map_err(|error| CliError::Config(error.to_string()))?),
        };
        let submit_every = Duration::from_secs(section.submit_every_s.get());
        Ok(Some(Self { policy, call: WitnessClient::new(tls), submit_every }))
    }

    /// Asks how far the witnesses saw the log whose store lies in `data_dir`. One that does not say is spoken of and left out: an outage of
    /// witnesses must not keep the gateway down.
    ///
    /// # Errors
    /// The policy does not name this log's key, or a witness saw another tree of the size that is published here.
    pub async fn seen(&self, data_dir: &Path, signer: &LogSigner) -> Result<Option<SeenElsewhere>, CliError> {
        let verifier = signer.verifier();
        if !self.policy.logs().is_empty() && !self.policy.logs().contains(verifier) {
            return Err(CliError::Config(format!("the witnesses' policy does not name this log's key {verifier}")));
        }
        let Some(probe) = probe(data_dir, signer) else { return Ok(None) };
        let mut seen: Option<SeenElsewhere> = None;
        for (who, saw) in gateway::ask(&self.policy, self.call.clone(), probe.as_str().as_bytes(), PATIENCE).await {
            match saw {
                Saw::Size(size) if seen.as_ref().is_none_or(|seen| seen.size < size) => seen = Some(SeenElsewhere { who, size }),
                Saw::Size(_) => {}
                Saw::Fork => {
                    return Err(CliError::Config(format!(
                        "the witness {who} has seen another log under this key: of the size that is published here, with another root. This \
                         store or the one it saw is a fork, made by a restored copy or by a second gateway with the same key. Bring back the \
                         right copy, or open a new log with a new key; if you know that the witness is wrong, take it out of the policy file"
                    )));
                }
                Saw::Unknown(why) => {
                    tracing::warn!(witness = %who, %why, "a witness did not say how far it saw this log; the gateway goes on without its word");
                }
            }
        }
        Ok(seen)
    }

    /// What submits heads while the gateway runs.
    #[must_use]
    pub fn witnesses(self) -> Arc<Witnesses> {
        Witnesses::new(self.policy, self.call, self.submit_every)
    }
}

/// A head that this log has published already, so that asking with it adds nothing: the last one, or that of the empty log.
fn probe(data_dir: &Path, signer: &LogSigner) -> Option<SignedCheckpoint> {
    let published = crate::tls::files::read(&data_dir.join("log/checkpoint"), CHECKPOINT_BYTES_MAX).ok();
    let published = published.and_then(|bytes| String::from_utf8(bytes).ok());
    let published = published.filter(|text| Checkpoint::open(text, signer.verifier()).is_ok()).and_then(SignedCheckpoint::from_note);
    published.or_else(|| {
        let origin = signer.verifier().name().as_str().parse().ok()?;
        Checkpoint::new(origin, 0, Hash::empty_root()).ok()?.sign(signer).ok()
    })
}
