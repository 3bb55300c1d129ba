//! Everything that `serve` would refuse, all at once, before it does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::participant::MunicipalityNumber;
use crate::tls::expiry::{Holder, Nearness};
use crate::tls::{ListState, ListStatus, Outgoing, TlsSettings};

use super::keys::{read_log_key, read_storage_key};
use super::nlk_codes::load_nlk_codes;
use super::participants::load_register;
use super::witnesses::load_witnesses;
use super::{Config, ConfigError, LoopbackAddress};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Serves, but look at it.
    Warning,
    /// `serve` would refuse, or everyone would refuse the gateway.
    Error,
}

/// Something that keeps the configuration from working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What, where, and what to do; names files and lines, never content.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let label = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{label}: {}", self.message)
    }
}

/// All findings of `config`; empty means that `serve` will start. Reads every file, changes none. `known` tells whether a municipality exists.
#[must_use]
pub fn check(config: &Config, clock: &Arc<dyn Clock>, known: &dyn Fn(MunicipalityNumber) -> bool) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.tls(config, clock);
    findings.result(read_storage_key(&config.storage_key_file).map(drop));
    findings.result(read_log_key(&config.log_key_file, &config.origin).map(drop));
    findings.result(load_register(&config.participants_file, 1, known).map(drop));
    findings.result(config.nlk_codes_file.as_deref().map_or(Ok(()), |file| load_nlk_codes(file).map(drop)));
    findings.witnesses(config, clock);
    findings.places(config);
    // With port 0 each gets a port of its own.
    let same = |one: SocketAddr, other: SocketAddr| one == other && one.port() != 0;
    if config.admin_listen.is_some_and(|admin| same(admin.get(), config.listen)) {
        findings.error("listen and admin_listen are the same address; give each its own port".to_owned());
    }
    let others = [Some(config.listen), config.admin_listen.map(LoopbackAddress::get)];
    if config.auditor_listen.is_some_and(|auditor| others.into_iter().flatten().any(|other| same(auditor, other))) {
        findings.error("auditor_listen is the address of another listener; give each its own port".to_owned());
    }
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn error(&mut self, message: String) {
        self.0.push(Finding { severity: Severity::Error, message });
    }

    fn warning(&mut self, message: String) {
        self.0.push(Finding { severity: Severity::Warning, message });
    }

    fn result(&mut self, result: Result<(), ConfigError>) {
        if let Err(error) = result {
            self.error(error.to_string());
        }
    }

    fn tls(&mut self, config: &Config, clock: &Arc<dyn Clock>) {
        let section = &config.tls;
        let files = [&section.certificate_file, &section.key_file].into_iter().chain(&section.client_ca_files);
        let files = files.chain(&section.issuing_ca_files).chain(&section.crl_files);
        let missing: Vec<&PathBuf> = files.filter(|file| !file.exists()).collect();
        for file in &missing {
            self.error(format!("{}: no such file", file.display()));
        }
        if !missing.is_empty() {
            return;
        }
        let files = match config.tls_files() {
            Ok(files) => files,
            Err(error) => return self.error(error.to_string()),
        };
        let settings = match TlsSettings::load(files, clock.clone()) {
            Ok(settings) => settings,
            Err(error) => return self.error(error.to_string()),
        };
        let now = clock.now();
        for certificate in settings.certificates() {
            let (holder, until) = (&certificate.holder, certificate.not_after.oslo_date());
            let name = match holder {
                Holder::Gateway => section.certificate_file.display().to_string(),
                _ => format!("{} '{}'", holder.kind(), holder.name()),
            };
            match Nearness::of(certificate.not_after, now) {
                Some(Nearness::Ended) => self.warning(format!("{name}: expired on {until}; take it out or replace it")),
                Some(_) => self.warning(format!("{name}: expires on {until}; renew it")),
                None => {}
            }
        }
        settings.unused().iter().for_each(|unused| self.warning(unused.to_string()));
        self.revocation(config, &settings.lists(now), settings.authorities_without_list());
    }

    fn revocation(&mut self, config: &Config, lists: &[ListStatus], unlisted: Vec<String>) {
        if config.tls.crl_files.is_empty() {
            self.warning("no crl_files: a revoked certificate is refused only after its key is removed from the register".to_owned());
            return;
        }
        for ListStatus { issuer, next_update, closes_at, state } in lists {
            let due = next_update.oslo_date();
            match state {
                ListState::Current => {}
                ListState::Overdue => self.warning(format!(
                    "the revocation list of '{issuer}' was due on {due}; fetch a new one before {closes_at}, when everyone that this CA issued for is refused"
                )),
                ListState::Closed => self.error(format!(
                    "the revocation list of '{issuer}' was due on {due} and is past crl_grace_s; everyone that this CA issued for will be refused, fetch a new one"
                )),
            }
        }
        for name in unlisted {
            self.warning(format!("client CA '{name}' has no list in crl_files; everyone that it issued for will be refused"));
        }
        for issuer in config.trust.names().filter(|name| lists.iter().all(|list| list.issuer != *name)) {
            self.warning(format!("issuer '{issuer}' has no list in crl_files; everyone that it issued for will be refused"));
        }
    }

    fn witnesses(&mut self, config: &Config, clock: &Arc<dyn Clock>) {
        let Some(section) = &config.witnesses else { return };
        match load_witnesses(section) {
            Err(error) => self.error(error.to_string()),
            Ok(policy) => {
                let names_this_log = policy.logs().iter().any(|log| log.name().as_str() == config.origin.as_str());
                if !policy.logs().is_empty() && !names_this_log {
                    self.error(format!("{}: names other logs and not {}", section.policy_file.display(), config.origin.as_str()));
                }
                if policy.witnesses().iter().any(|witness| witness.url.as_deref().is_some_and(|url| url.starts_with("http://"))) {
                    self.warning("a witness is reached without TLS; what it sees is public, but it can be kept from answering".to_owned());
                }
            }
        }
        if !section.ca_files.is_empty()
            && let Err(error) = Outgoing::load(&section.ca_files, clock.clone())
        {
            self.error(error.to_string());
        }
    }

    fn places(&mut self, config: &Config) {
        if config.data_dir.exists() {
            if !config.data_dir.is_dir() {
                self.error(format!("{}: data_dir is not a folder", config.data_dir.display()));
            }
        } else {
            self.parent(&config.data_dir, "data_dir");
        }
        if !config.high_water_file.exists() {
            self.parent(&config.high_water_file, "high_water_file");
        }
        let outside = [
            ("storage_key_file", &config.storage_key_file, "whoever copies the data would have the key"),
            ("log_key_file", &config.log_key_file, "whoever copies the data could sign as the log"),
            ("high_water_file", &config.high_water_file, "a restored store would bring its own mark and not be noticed"),
        ];
        for (name, file, why) in outside {
            if resolved(file).starts_with(resolved(&config.data_dir)) {
                self.error(format!("{}: {name} lies inside data_dir; move it elsewhere, or {why}", file.display()));
            }
        }
    }

    fn parent(&mut self, path: &Path, name: &str) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !parent.is_dir() {
            self.error(format!("{}: the folder that {name} lies in does not exist; make it", path.display()));
        }
    }
}

/// The path with links and dots followed as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => resolved(parent).join(name),
        _ => path.to_owned(),
    })
}
