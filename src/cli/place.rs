//! Which gateway an operator's command is about: named by the same arguments as for `serve`.

use std::path::PathBuf;

use clap::Args;

use crate::config::Config;

use super::dev_home;
use super::exit::CliError;

/// A gateway by its configuration, or by the folder of a development gateway.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The gateway's configuration
    #[arg(long, value_name = "FILE", required_unless_present = "dev", conflicts_with = "dev")]
    pub config: Option<PathBuf>,
    /// The development gateway in --dir
    #[arg(long)]
    pub dev: bool,
    /// The development gateway's folder
    #[arg(long, value_name = "DIR", default_value = "samband-dev", requires = "dev")]
    pub dir: PathBuf,
}

impl PlaceArgs {
    /// The configuration's file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| dev_home::config_file(&self.dir))
    }

    /// The configuration, read.
    ///
    /// # Errors
    /// [`CliError::Config`] for what `serve` would refuse to read.
    pub fn load(&self) -> Result<Config, CliError> {
        Config::load(&self.file()).map_err(|error| CliError::Config(error.to_string()))
    }
}
