//! How a command ends: exit codes for scripts, and errors that say what to do next.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use crate::regular_file;
use crate::tls::files::FileError;

use super::explain::Refusal;

/// What the exit codes mean, for `--help`.
pub const EXIT_CODES: &str = "Exit codes:
  0   done
  1   refused by the gateway, or a verification failed
  2   wrong usage, or a file given does not hold what it should
  3   the gateway cannot be reached, or the connection was lost
  74  the gateway ended because its disk failed, or its data folder was moved or replaced (serve)
  78  configuration, certificate or key cannot be used";

/// Why a command ends without having done what was asked.
#[derive(Debug)]
pub enum CliError {
    /// The gateway refused, with its reason.
    Refused(Box<Refusal>),
    /// A verification failed; what does not hold.
    Failed(String),
    /// The caller's arguments or files.
    Usage(String),
    /// No connection, or it was lost before the answer.
    Unreachable(String),
    /// The store could not write.
    Storage(String),
    /// Configuration, certificates or keys.
    Config(String),
}

impl CliError {
    /// The process's exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Storage(_) => 74,
            Self::Config(_) => 78,
        }
    }

    /// As an exit code.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// A stable word for machines.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Failed(_) => "VERIFICATION_FAILED",
            Self::Usage(_) => "USAGE",
            Self::Unreachable(_) => "UNREACHABLE",
            Self::Storage(_) => "STORAGE",
            Self::Config(_) => "CONFIGURATION",
        }
    }

    /// A file that was given cannot be read or written.
    #[must_use]
    pub fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::Usage(format!("{}: {}", path.display(), regular_file::in_words(error)))
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(text) | Self::Usage(text) | Self::Unreachable(text) | Self::Storage(text) | Self::Config(text) => {
                f.write_str(text)
            }
        }
    }
}

impl From<FileError> for CliError {
    fn from(error: FileError) -> Self {
        Self::Config(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::FATAL_EXIT_CODE;

    #[test]
    fn service_managers_do_not_restart_on_a_failed_disk_a_refused_configuration_or_wrong_usage() {
        let text = String::new;
        assert_eq!(i32::from(CliError::Storage(text()).code()), FATAL_EXIT_CODE);
        let unit = include_str!("../../deploy/samband.service");
        let listed: Vec<&str> = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus=")).unwrap().split(' ').collect();
        for error in [CliError::Storage(text()), CliError::Config(text()), CliError::Usage(text())] {
            assert!(listed.contains(&error.code().to_string().as_str()), "{}", error.kind());
        }
    }
}
