//! The configuration file: TOML, unknown keys refused, units in names, secrets by file path.

pub mod check;
pub mod keys;
pub mod limits;
pub mod nlk_codes;
pub mod participants;
pub mod register_edit;
pub mod trust;
pub mod witnesses;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::hold::HoldGround;
use crate::domain::unseen::shown;
use crate::tls::files::{self, FileError};
use crate::tls::{TlsFiles, TrustError};

pub use check::{Finding, Severity, check};
pub use limits::LimitsSection;
pub use trust::TrustSection;
pub use witnesses::WitnessesSection;

/// The largest configuration or register file, in bytes.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why a configuration or register file is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not UTF-8.
    #[error("{}: not UTF-8 text", .0.display())]
    Encoding(PathBuf),
    /// Something in the file is wrong.
    #[error("{}:{line}:{column}: {message}", file.display())]
    At {
        /// The file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong and what to do.
        message: String,
    },
    /// A key file does not hold what it should. The content is never repeated.
    #[error("{}: {what}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The list of issuers cannot be used in this mode.
    #[error("[[trust.issuer]]: {0}")]
    Trust(#[from] TrustError),
}

impl ConfigError {
    /// An error at the byte `offset` of `text`.
    fn at(file: &Path, text: &str, offset: usize, message: String) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::At { file: file.to_owned(), line, column, message }
    }

    /// A message may repeat a word of the file.
    fn toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        Self::at(file, text, error.span().map_or(0, |span| span.start), shown(error.message()).into_owned())
    }
}

/// The folder of a file, as a folder that can be opened: that of a bare name is the current one.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a text file and remembers where it lies.
pub(crate) fn read_text(file: &Path) -> Result<String, ConfigError> {
    String::from_utf8(files::read(file, FILE_BYTES_MAX)?).map_err(|_| ConfigError::Encoding(file.to_owned()))
}

/// A whole number between two bounds, checked where it is read so that an error names its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// A constant within the bounds; anything else does not compile where it is used in a constant.
    const fn of(value: u64) -> Self {
        assert!(MIN <= value && value <= MAX, "out of bounds");
        Self(value)
    }

    /// The nearest number within the bounds.
    const fn clamped(value: u64) -> Self {
        Self(if value < MIN {
            MIN
        } else if value > MAX {
            MAX
        } else {
            value
        })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<i64> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        match u64::try_from(value) {
            Ok(value) if (MIN..=MAX).contains(&value) => Ok(Self(value)),
            _ => Err(format!("must be a whole number from {MIN} to {MAX}")),
        }
    }
}

/// The log's name for ever: a host and path without scheme, as in `samband.example.no/log`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin(String);

impl Origin {
    /// The origin as it stands in the first line of every checkpoint.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (1..=100).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'/' | b'_' | b':'))
            && text.as_bytes()[0].is_ascii_alphanumeric()
            && !text.contains("://");
        if fits {
            Ok(Self(text))
        } else {
            Err("must be 1 to 100 characters of a-z, 0-9 and . - / _ : without a scheme, like 'samband.example.no/log'")
        }
    }
}

/// A plain-text listener, which may only be reached from the machine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SocketAddr")]
pub struct LoopbackAddress(SocketAddr);

impl LoopbackAddress {
    /// The address.
    #[must_use]
    pub const fn get(self) -> SocketAddr {
        self.0
    }
}

impl TryFrom<SocketAddr> for LoopbackAddress {
    type Error = &'static str;

    fn try_from(address: SocketAddr) -> Result<Self, Self::Error> {
        if address.ip().is_loopback() {
            Ok(Self(address))
        } else {
            Err("must be a loopback address such as 127.0.0.1:9464, as it is not encrypted")
        }
    }
}

/// Which persons the gateway is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityMode {
    /// Real identity numbers only.
    #[default]
    Production,
    /// Synthetic identity numbers only.
    Test,
}

/// The gateway's certificate and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// PEM: the gateway's certificate, then its intermediates.
    pub certificate_file: PathBuf,
    /// PEM: its private key, mode 0600.
    pub key_file: PathBuf,
    /// PEM: the CAs that issue the participants' certificates; pin the issuing ones.
    pub client_ca_files: Vec<PathBuf>,
    /// PEM: CAs below those of `client_ca_files`. Their revocation lists are held against their keys; they let nobody in.
    #[serde(default)]
    pub issuing_ca_files: Vec<PathBuf>,
    /// PEM or DER: revocation lists; none means no revocation check, otherwise one of every CA in a participant's chain.
    #[serde(default)]
    pub crl_files: Vec<PathBuf>,
    /// So long after its next update a list is still used, with warnings, in seconds: 0 to 30 days. Then everyone its CA issued for is refused
    /// and disconnected. Default 259200, three days: a weekend.
    #[serde(default = "crl_grace_default")]
    pub crl_grace_s: Bounded<0, 2_592_000>,
}

/// When an undelivered message is overdue, per kind, in seconds: an hour to 90 days, by default five days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OverdueAfter {
    /// Condition notices.
    pub condition_notice: Bounded<3600, 7_776_000>,
    /// Reports of non-attendance.
    pub non_attendance_report: Bounded<3600, 7_776_000>,
    /// Laboratory results.
    pub lab_result: Bounded<3600, 7_776_000>,
}

impl Default for OverdueAfter {
    fn default() -> Self {
        const FIVE_DAYS: Bounded<3600, 7_776_000> = Bounded::of(432_000);
        Self { condition_notice: FIVE_DAYS, non_attendance_report: FIVE_DAYS, lab_result: FIVE_DAYS }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least severe level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Failures.
    Error,
    /// And what may become one.
    Warn,
    /// And what an operator wants to know.
    #[default]
    Info,
    /// And what a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level's name, as filters spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The process's own log. Content of messages is in it at no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// `text` or `json`. Default `text`.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`. Default `info`.
    pub level: LogLevel,
}

const fn crl_grace_default() -> Bounded<0, 2_592_000> {
    const THREE_DAYS: Bounded<0, 2_592_000> = Bounded::of(259_200);
    THREE_DAYS
}

const fn erase_within_default() -> Bounded<60, 604_800> {
    const DAY: Bounded<60, 604_800> = Bounded::of(86_400);
    DAY
}

const fn records_keep_default() -> Bounded<13, 35> {
    const TWO_YEARS: Bounded<13, 35> = Bounded::of(24);
    TWO_YEARS
}

const fn journal_file_default() -> Bounded<65_536, 1_073_741_824> {
    const MEBIBYTES_64: Bounded<65_536, 1_073_741_824> = Bounded::of(64 * 1024 * 1024);
    MEBIBYTES_64
}

const fn journal_turn_default() -> Bounded<65_536, 4_294_967_296> {
    const MEBIBYTES_256: Bounded<65_536, 4_294_967_296> = Bounded::of(256 * 1024 * 1024);
    MEBIBYTES_256
}

/// The whole configuration. Paths are absolute or relative to the folder of the file; secrets stand in files, never in here.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where participants connect: address and port. TLS always.
    pub listen: SocketAddr,
    /// Metrics and health in plain text; a loopback address. Default: none.
    #[serde(default)]
    pub admin_listen: Option<LoopbackAddress>,
    /// Auditors' pages and the log's tiles over HTTPS, with client certificates as on `listen`. Default: none.
    #[serde(default)]
    pub auditor_listen: Option<SocketAddr>,
    /// The store. A local file system, a folder of its own.
    pub data_dir: PathBuf,
    /// The log's name, for ever.
    pub origin: Origin,
    /// Certificates.
    pub tls: TlsSection,
    /// The issuing CAs of participants' certificates. Default: every certificate of `client_ca_files` counts.
    #[serde(default)]
    pub trust: TrustSection,
    /// 64 hexadecimal digits: the key that wraps the keys of sealed files. Mode 0600, outside `data_dir`.
    pub storage_key_file: PathBuf,
    /// The log's signing key, `PRIVATE+KEY+<origin>+<hash>+<base64>`. Mode 0600, outside `data_dir`.
    pub log_key_file: PathBuf,
    /// Where the last published size and root are remembered; outside `data_dir`, so that a restored store is noticed.
    pub high_water_file: PathBuf,
    /// The participant register.
    pub participants_file: PathBuf,
    /// The table of analysis codes, read at the start only. Default: the table compiled in.
    #[serde(default)]
    pub nlk_codes_file: Option<PathBuf>,
    /// `production` or `test`. Default `production`.
    #[serde(default)]
    pub identity_mode: IdentityMode,
    /// Acknowledged content is off the disk within so many seconds: a minute to a week. Default 86400.
    #[serde(default = "erase_within_default")]
    pub erase_within_s: Bounded<60, 604_800>,
    /// When an undelivered message is overdue, per kind, in seconds. Default 432000 each.
    #[serde(default)]
    pub overdue_after_s: OverdueAfter,
    /// Records live so many whole months after their month: 13 to 35. Default 24.
    #[serde(default = "records_keep_default")]
    pub records_keep_months: Bounded<13, 35>,
    /// The legal ground on which a hold may keep records beyond 35 whole months after their month. Default: none. A store with a hold that does needs
    /// one to start.
    #[serde(default)]
    pub hold_ground: Option<HoldGround>,
    /// A journal file is closed at this length, in bytes: 64 KiB to 1 GiB. Default 67108864.
    #[serde(default = "journal_file_default")]
    pub journal_file_bytes: Bounded<65_536, 1_073_741_824>,
    /// So much journal brings a turn forward, in bytes: 64 KiB to 4 GiB. A start replays no more than about this. Default 268435456.
    #[serde(default = "journal_turn_default")]
    pub journal_turn_bytes: Bounded<65_536, 4_294_967_296>,
    /// Witnesses of the log. Default: none.
    #[serde(default)]
    pub witnesses: Option<WitnessesSection>,
    /// Bounds of connections, calls and mailboxes.
    #[serde(default)]
    pub limits: LimitsSection,
    /// The process's log.
    #[serde(default)]
    pub log: LogSection,
}

impl fmt::Debug for Config {
    /// Where it listens and keeps its data; key files are not named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .field("origin", &self.origin)
            .field("identity_mode", &self.identity_mode)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads `file` and makes its relative paths absolute to the file's folder.
    ///
    /// # Errors
    /// The file cannot be read, or what is wrong in it, with line and column.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = read_text(file)?;
        let mut config = Self::parse(file, &text)?;
        config.resolve(folder_of(file));
        Ok(config)
    }

    /// The certificates' files as the TLS settings take them.
    ///
    /// # Errors
    /// A test CA among the issuers in production, or an issuer twice.
    pub fn tls_files(&self) -> Result<TlsFiles, ConfigError> {
        let TlsSection { certificate_file, key_file, client_ca_files, issuing_ca_files, crl_files, crl_grace_s } = self.tls.clone();
        let crl_grace_millis = i64::try_from(crl_grace_s.get().saturating_mul(1000)).unwrap_or(i64::MAX);
        let trust = self.trust.trust(self.identity_mode)?;
        let mut marks_file = self.high_water_file.clone().into_os_string();
        marks_file.push(".lists");
        let marks_file = Some(marks_file.into());
        Ok(TlsFiles { certificate_file, key_file, client_ca_files, issuing_ca_files, crl_files, crl_grace_millis, trust, marks_file })
    }

    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::toml(file, text, &error))
    }

    /// `Path::join` leaves absolute paths as they are.
    fn resolve(&mut self, folder: &Path) {
        let TlsSection { certificate_file, key_file, client_ca_files, issuing_ca_files, crl_files, crl_grace_s: _ } = &mut self.tls;
        let lists = client_ca_files.iter_mut().chain(issuing_ca_files).chain(crl_files);
        let single = [
            &mut self.data_dir,
            &mut self.storage_key_file,
            &mut self.log_key_file,
            &mut self.high_water_file,
            &mut self.participants_file,
            certificate_file,
            key_file,
        ];
        let witnesses = self.witnesses.iter_mut().flat_map(|section| section.ca_files.iter_mut().chain([&mut section.policy_file]));
        for path in single.into_iter().chain(lists).chain(&mut self.nlk_codes_file).chain(witnesses) {
            *path = folder.join(&path);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
