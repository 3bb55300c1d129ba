//! A gateway's folder for development: PKI, keys, register and configuration, made where nothing is prepared.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::audit::checkpoint::Origin;
use crate::clock::{Clock as _, SystemClock, SystemEntropy};
use crate::tls::files;
use crate::tls::pki::{self, DevPki, Existing};

use super::exit::CliError;
use super::keys::KeyFiles;

/// The log's name in development.
const ORIGIN: &str = "localhost/samband-dev";

/// The folder's files.
#[derive(Debug, Clone)]
pub struct DevHome {
    dir: PathBuf,
    pki: DevPki,
}

impl DevHome {
    /// Makes what is missing in `dir`; keeps what is there.
    ///
    /// # Errors
    /// A file cannot be written, or does not fit.
    pub fn prepare(dir: &Path, listen: SocketAddr) -> Result<Self, CliError> {
        files::make_private_dir(dir)?;
        files::keep_out_of_git(dir)?;
        let register = pki::development_register().map_err(|error| CliError::Config(error.to_string()))?;
        let entropy = SystemEntropy::default();
        let made = pki::dev(&dir.join("certs-dev"), SystemClock.now(), &entropy, Existing::Keep, &register);
        let home = Self { dir: dir.to_owned(), pki: made.map_err(|error| CliError::Config(error.to_string()))? };
        let keys = KeyFiles::at(dir);
        if !home.data_dir().exists() {
            keys.clear_unfinished()?;
        }
        if !keys.vkey.exists() {
            let origin: Origin = ORIGIN.parse().map_err(|_| CliError::Config("the development log's name is out of shape".to_owned()))?;
            keys.make(&origin, &entropy)?;
        }
        if !home.config_file().exists() {
            files::write(&home.config_file(), config(listen).as_bytes(), 0o644)?;
        }
        Ok(home)
    }

    /// The configuration, as `serve --config` reads it.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        config_file(&self.dir)
    }

    /// Gives the development gateway in `dir` another log to go on as after a loss: a new name and key, the old key's files kept beside it as
    /// `log-key.before-N` and `log.vkey.before-N`. The configuration is written last: cut short before it, this is done again from any point.
    ///
    /// # Errors
    /// A file cannot be written, or the configuration is not one that was made here.
    pub fn new_log(dir: &Path, old: &str) -> Result<(), CliError> {
        let number = old.strip_prefix(ORIGIN).and_then(|rest| rest.strip_prefix('-')).and_then(|n| n.parse::<u32>().ok()).unwrap_or(1) + 1;
        let name = format!("{ORIGIN}-{number}");
        let file = config_file(dir);
        let text = crate::config::read_text(&file).map_err(|error| CliError::Config(error.to_string()))?;
        let line = format!("origin = \"{old}\"\n");
        if !text.contains(&line) {
            return Err(CliError::Config(format!("{}: the line 'origin = \"{old}\"' is not there; use --config", file.display())));
        }
        let origin: Origin = name.parse().map_err(|_| CliError::Config("the development log's name is out of shape".to_owned()))?;
        let keys = KeyFiles::at(dir);
        for path in [&keys.log_key, &keys.vkey] {
            let kept = path.with_file_name(format!("{}.before-{number}", path.file_name().unwrap_or_default().to_string_lossy()));
            // Once the old one is kept, what stands in its place was made by an attempt that was cut short: the configuration does not name its log.
            let moved = if kept.exists() { std::fs::remove_file(path) } else { std::fs::rename(path, &kept) };
            match moved {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound || !kept.exists() => return Err(CliError::file(path, &error)),
                _ => {}
            }
        }
        keys.make_log_key(&origin, &SystemEntropy::default())?;
        files::write(&file, text.replace(&line, &format!("origin = \"{name}\"\n")).as_bytes(), 0o644).map_err(CliError::from)
    }

    /// The log's public key.
    #[must_use]
    pub fn vkey_file(&self) -> PathBuf {
        KeyFiles::at(&self.dir).vkey
    }

    /// The store.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The certificates.
    #[must_use]
    pub const fn pki(&self) -> &DevPki {
        &self.pki
    }

    /// Where the certificates lie.
    #[must_use]
    pub fn certificates_dir(&self) -> PathBuf {
        self.dir.join("certs-dev")
    }
}

/// The configuration of the development gateway in `dir`.
#[must_use]
pub fn config_file(dir: &Path) -> PathBuf {
    dir.join("samband.toml")
}

fn config(listen: SocketAddr) -> String {
    // Beside the participants' port, or any free one too.
    let auditor = SocketAddr::new(listen.ip(), if listen.port() == 0 { 0 } else { listen.port().wrapping_add(1) });
    format!(
        "# A development gateway, written by `samband serve --dev`: synthetic persons only.\n\
         listen = \"{listen}\"\n\
         auditor_listen = \"{auditor}\"\n\
         data_dir = \"data\"\n\
         origin = \"{ORIGIN}\"\n\
         storage_key_file = \"storage-key\"\n\
         log_key_file = \"log-key\"\n\
         high_water_file = \"high-water\"\n\
         participants_file = \"certs-dev/participants.toml\"\n\
         identity_mode = \"test\"\n\
         \n\
         [tls]\n\
         certificate_file = \"certs-dev/gateway/cert.pem\"\n\
         key_file = \"certs-dev/gateway/key.pem\"\n\
         client_ca_files = [\"certs-dev/ca.pem\"]\n\
         \n\
         [log]\n\
         level = \"warn\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Config, Severity};

    #[test]
    fn another_log_that_was_cut_short_at_any_point_is_made_when_it_is_asked_for_again() {
        type Harm = fn(&Path);
        let keep = |dir: &Path, name: &str| std::fs::rename(dir.join(name), dir.join(format!("{name}.before-2"))).unwrap();
        let cuts: [(&str, Harm); 5] = [
            ("nothing", |_| ()),
            ("one kept", |dir| std::fs::rename(dir.join("log-key"), dir.join("log-key.before-2")).unwrap()),
            ("both kept", |_| ()),
            ("the new log-key made", |dir| std::fs::write(dir.join("log-key"), "new").unwrap()),
            ("all but the configuration", |dir| {
                ["log-key", "log.vkey"].iter().for_each(|name| std::fs::write(dir.join(name), "new").unwrap());
            }),
        ];
        for (number, (cut, harm)) in cuts.into_iter().enumerate() {
            let temp = tempfile::tempdir().unwrap();
            let dir = temp.path().join("dev");
            DevHome::prepare(&dir, "127.0.0.1:0".parse().unwrap()).unwrap();
            let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
            let old = [read("log-key"), read("log.vkey")];
            if number >= 2 {
                keep(&dir, "log-key");
                keep(&dir, "log.vkey");
            }
            harm(&dir);
            DevHome::new_log(&dir, ORIGIN).unwrap_or_else(|error| panic!("{cut}: {error}"));
            assert_eq!([read("log-key.before-2"), read("log.vkey.before-2")], old, "{cut}");
            let config = Config::load(&config_file(&dir)).unwrap();
            assert_eq!(config.origin.as_str(), "localhost/samband-dev-2", "{cut}");
            config::keys::read_log_key(&config.log_key_file, &config.origin).unwrap_or_else(|error| panic!("{cut}: {error}"));
            assert_ne!(read("log.vkey"), old[1], "{cut}");
        }
    }

    #[test]
    fn what_is_made_is_what_serve_starts_with_and_a_second_time_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let home = DevHome::prepare(&dir.path().join("dev"), listen).unwrap();
        let vkey = std::fs::read(home.vkey_file()).unwrap();
        let config = Config::load(&home.config_file()).unwrap();
        assert_eq!(config.data_dir, home.data_dir());
        let clock: std::sync::Arc<dyn crate::clock::Clock> = std::sync::Arc::new(SystemClock);
        let findings = config::check(&config, &clock, &|_| true);
        let errors: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
        for unfinished in ["storage-key", "log-key"] {
            let cut = dir.path().join("cut-short");
            std::fs::create_dir_all(&cut).unwrap();
            std::fs::write(cut.join(unfinished), "").unwrap();
            let whole = DevHome::prepare(&cut, listen).unwrap();
            assert!(whole.vkey_file().exists(), "a first start that was cut short is begun again");
            std::fs::remove_dir_all(cut).unwrap();
        }
        let again = DevHome::prepare(&dir.path().join("dev"), listen).unwrap();
        assert_eq!(std::fs::read(again.vkey_file()).unwrap(), vkey);
    }
}
