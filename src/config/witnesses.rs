//! The witnesses of the log: a C2SP tlog-policy file that names them, where they are and how many make a quorum.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::audit::tlog_policy::{POLICY_BYTES_MAX, TlogPolicy};
use crate::tls::files;

use super::{Bounded, ConfigError};

/// Witnesses that heads are submitted to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessesSection {
    /// A C2SP tlog-policy file; each witness with the URL of its submission prefix.
    pub policy_file: PathBuf,
    /// PEM: the CAs of `https://` witnesses. Without any, only `http://` ones are reached.
    #[serde(default)]
    pub ca_files: Vec<PathBuf>,
    /// At most one submission to each witness in so many seconds: 1 to 3600. Default 10.
    #[serde(default = "submit_every_default")]
    pub submit_every_s: Bounded<1, 3600>,
}

const fn submit_every_default() -> Bounded<1, 3600> {
    const TEN_SECONDS: Bounded<1, 3600> = Bounded::of(10);
    TEN_SECONDS
}

/// Reads a policy file, as verifiers use it too.
///
/// # Errors
/// The file cannot be read, or what is wrong on which line.
pub fn read_policy(file: &Path) -> Result<TlogPolicy, ConfigError> {
    let bytes = files::read(file, POLICY_BYTES_MAX as u64)?;
    TlogPolicy::parse(&bytes).map_err(|error| ConfigError::At {
        file: file.to_owned(),
        line: error.line,
        column: 1,
        message: error.what.to_string(),
    })
}

/// The policy of a gateway's witnesses, each of which has an address that can be reached.
///
/// # Errors
/// As [`read_policy`]; no witness, one without URL, or one on https without a CA.
pub fn load_witnesses(section: &WitnessesSection) -> Result<TlogPolicy, ConfigError> {
    let policy = read_policy(&section.policy_file)?;
    let wrong = |what| ConfigError::Key { file: section.policy_file.clone(), what };
    if policy.witnesses().is_empty() {
        return Err(wrong("the policy names no witness; leave [witnesses] out to run without"));
    }
    for witness in policy.witnesses() {
        match witness.url.as_deref() {
            Some(url) if url.starts_with("https://") && section.ca_files.is_empty() => {
                return Err(wrong("a witness has an https:// address; name the CAs in [witnesses] ca_files"));
            }
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => {}
            _ => return Err(wrong("each witness line ends with the URL that heads are submitted to, http:// or https://")),
        }
    }
    Ok(policy)
}
