//! `samband serve`: the gateway, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::Config;
use crate::store::embedded::end_process;
use crate::telemetry;

use super::dev_home::DevHome;
use super::exit::CliError;
use super::gateway::Serving;
use super::output::Output;

/// What `serve --help` shows.
pub const HELP: &str = "Examples:
  samband serve --config /etc/samband/samband.toml
  samband serve --dev
  samband serve --dev --dir dev --listen 127.0.0.1:0

SIGTERM and SIGINT stop it: calls at work end, everything acted is durable and published. Certificates, CAs, revocation lists and the
participant register are taken when their files change, and on SIGHUP; what cannot be used changes nothing and is an entry of the log. It ends with exit code 74, answering nothing more, when its disk fails or its data folder is moved, removed or replaced.";

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", required_unless_present = "dev", conflicts_with = "dev")]
    pub config: Option<PathBuf>,
    /// A development gateway: store, keys, PKI and register are made in --dir; synthetic persons only
    #[arg(long)]
    pub dev: bool,
    /// The development gateway's folder
    #[arg(long, value_name = "DIR", default_value = "samband-dev", requires = "dev")]
    pub dir: PathBuf,
    /// Listen here instead of where the configuration says; port 0 for any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}

/// Where the development gateway listens unless told.
const DEV_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8443);

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub async fn run(args: &ServeArgs, out: Output) -> Result<(), CliError> {
    let (file, home) = match &args.config {
        Some(file) => (file.clone(), None),
        None => {
            let home = DevHome::prepare(&args.dir, args.listen.unwrap_or(DEV_LISTEN))?;
            (home.config_file(), Some(home))
        }
    };
    let config = Config::load(&file).map_err(|error| CliError::Config(error.to_string()))?;
    telemetry::init(config.log);
    // Asked for before serving, so that an early signal is not lost.
    let signals = Signals::new()?;
    let mut serving = Serving::start(&config, args.listen.unwrap_or(config.listen), end_process()).await?;
    announce(&serving, home.as_ref(), out);
    match signals.wait(&mut serving).await {
        Some(error) => {
            _ = serving.stop().await;
            Err(error)
        }
        None => serving.stop().await,
    }
}

fn announce(serving: &Serving, home: Option<&DevHome>, out: Output) {
    let address = serving.address();
    let mut text = format!("listening on {address}\nlog key {}", serving.vkey);
    let mut json = json!({"listening": address.to_string(), "log_key": serving.vkey});
    if let Some(admin) = serving.admin {
        text = format!("{text}\nhealth and metrics on {admin}");
        json["admin"] = admin.to_string().into();
    }
    if let Some(auditor) = serving.auditor {
        text = format!("{text}\nauditors' pages on https://{auditor}/");
        json["auditor"] = auditor.to_string().into();
    }
    if let Some(home) = home {
        let certificates = home.certificates_dir();
        text = format!("{text}\ncertificates in {}\nlog key in {}", certificates.display(), home.vkey_file().display());
        json["certificates"] = certificates.display().to_string().into();
        json["log_key_file"] = home.vkey_file().display().to_string().into();
        json["config"] = home.config_file().display().to_string().into();
    }
    out.result(&text, &json);
}

/// What the process is told from outside.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(|error| CliError::Storage(format!("the system gives no signals: {error}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Until it is told to stop, or the server failed.
    async fn wait(mut self, serving: &mut Serving) -> Option<CliError> {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return None,
                _ = self.interrupt.recv() => return None,
                error = serving.failed() => return Some(error),
                _ = self.hang_up.recv() => {}
            }
            serving.reload().await;
        }
    }
}
