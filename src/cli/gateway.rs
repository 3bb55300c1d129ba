//! From a configuration to a gateway that serves: store, certificates, register, listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::app::reload::read_register;
use crate::app::{App, AppConfig, AppError, RunningApp};
use crate::audit::note::LogSigner;
use crate::clock::{Clock, Entropy, SystemClock, SystemEntropy};
use crate::config::keys::{read_log_key, read_storage_key};
use crate::config::nlk_codes::load_nlk_codes;
use crate::config::{Config, ConfigError, IdentityMode, OverdueAfter};
use crate::domain::participant::Register;
use crate::gateway::{Gateway, LoadError, Settings};
use crate::store::embedded::{DiskBounds, EmbeddedStore, JournalBounds, OnFatal, OpenError, Options, RealDisk, end_process};
use crate::store::{self, Store, StoreError};
use crate::tls::{TlsError, TlsSettings};

use super::exit::CliError;
use super::open_files;
use super::witnessing::Witnessing;

/// Calls at work may end within this long after a stop.
const GRACE: Duration = Duration::from_secs(10);
/// Free space below which new messages are refused, in bytes.
const LOW_WATER_BYTES: u64 = 512 * 1024 * 1024;
/// Preallocated for draining a full disk, in bytes.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;
/// The same in test mode, where a laptop's disk is to be left alone.
const TEST_DISK: DiskBounds = DiskBounds { low_water: 16 * 1024 * 1024, reserve: 1024 * 1024 };

/// A gateway that serves, and where its files are.
pub struct Serving {
    app: RunningApp,
    /// The log's public key, as text.
    pub vkey: String,
    /// Where health and metrics are shown, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Where the auditors' pages and the tiles are shown, if anywhere.
    pub auditor: Option<SocketAddr>,
}

fn config_error(error: &impl std::fmt::Display) -> CliError {
    CliError::Config(error.to_string())
}

fn app_error(error: &AppError) -> CliError {
    match error {
        AppError::Store(StoreError::Stopped | StoreError::Damaged { .. } | StoreError::Full) => CliError::Storage(error.to_string()),
        _ => CliError::Config(error.to_string()),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| CliError::Config(format!("cannot listen on {address}: {error}; is another gateway running there?")))
}

impl Serving {
    /// Opens the store, loads the register, listens on `listen` and serves; health and metrics on the configuration's `admin_listen`, pages
    /// and tiles on its `auditor_listen`. `on_fatal` is told when something could not be made durable, which ends the process of a real one.
    ///
    /// # Errors
    /// What keeps it from serving.
    pub async fn start(config: &Config, listen: SocketAddr, on_fatal: OnFatal) -> Result<Self, CliError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::default());
        let tls =
            Arc::new(TlsSettings::load(config.tls_files().map_err(|error| config_error(&error))?, clock.clone()).map_err(|error| {
                match error {
                    TlsError::MarksUnread { .. } => CliError::Storage(error.to_string()),
                    error => config_error(&error),
                }
            })?);
        let read = read_register(&config.participants_file, &*clock);
        if !EmbeddedStore::exists(&config.data_dir)
            && let Err(error) = &read
        {
            return Err(config_error(error));
        }
        if let Some(file) = &config.nlk_codes_file {
            load_nlk_codes(file).map_err(|error| config_error(&error))?.install().map_err(|error| config_error(&error))?;
        }
        let listener = bind(listen).await?;
        let admin = match config.admin_listen {
            Some(address) => Some(bind(address.get()).await?),
            None => None,
        };
        let auditor = match config.auditor_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let witnessing = Witnessing::of(config, &clock)?;
        let (store, vkey) = open_store(config, witnessing.as_ref(), (clock.clone(), entropy), on_fatal.clone()).await?;
        let gateway = settings(config);
        // In force before the first connection, so that nobody enrolled is turned away.
        let refused = match load_register(config, read, &store, &clock, gateway).await {
            Ok(refused) => refused,
            Err(error) => {
                _ = store.stop().await;
                return Err(error);
            }
        };
        let limits = open_files::fit(config.limits);
        tracing::info!(
            memory_mib = limits.memory_bytes() >> 20,
            sockets = limits.sockets(),
            "the most that connections and calls may hold"
        );
        let app = App::start(AppConfig {
            store,
            tls,
            listener,
            connections: limits.acceptor(),
            server: limits.server(),
            gateway,
            clock: clock.clone(),
            on_fatal,
        });
        let mut app = app.await.map_err(|error| app_error(&error))?;
        if let Some(reason) = refused {
            app.gateway().register_file().refused(reason, clock.now());
        }
        let admin_address = admin.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = admin {
            app.open_admin(listener);
        }
        let auditor_address = auditor.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = auditor {
            app.open_auditor(listener);
        }
        if let Some(ground) = &config.hold_ground {
            app.gateway().set_hold_ground(ground.clone());
        }
        if let Some(witnessing) = witnessing {
            app.open_witnesses(witnessing.witnesses());
        }
        app.watch_files(config.participants_file.clone()).await.map_err(|error| app_error(&error.into()))?;
        app.watch_expiry(config.witnesses.as_ref().map(|section| section.ca_files.clone()).unwrap_or_default());
        Ok(Self { app, vkey, admin: admin_address, auditor: auditor_address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.app.local_addr()
    }

    /// Reads certificates and register anew; what cannot be used leaves the one in force as it is, and the logs say so.
    pub async fn reload(&self) {
        self.app.reload_all().await;
    }

    /// Returns when the server ends by itself.
    pub async fn failed(&mut self) -> CliError {
        match self.app.failed().await {
            Some(error) => app_error(&error),
            None => CliError::Storage("the server ended by itself".to_owned()),
        }
    }

    /// Stops; everything acted is durable and published when this returns.
    ///
    /// # Errors
    /// The store's or the server's.
    pub async fn stop(self) -> Result<(), CliError> {
        self.app.shutdown(GRACE).await.map_err(|error| app_error(&error))
    }
}

/// Loads the register that was read, or goes on with the one last in force, which the journal holds, and says loudly why: one bad line is not to
/// keep everyone out. Gives the reason then. A gateway that never had a register does not start without one.
async fn load_register(
    config: &Config,
    read: Result<(Register, [u8; 32]), ConfigError>,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    settings: Settings,
) -> Result<Option<String>, CliError> {
    let place = config.participants_file.display();
    let reason = match read {
        Err(error) => error.to_string(),
        Ok((register, digest)) => match Gateway::new(store.clone(), clock.clone(), settings).load_register(&register, digest).await {
            Ok(_) => return Ok(None),
            Err(LoadError::Store(error)) => return Err(app_error(&error.into())),
            Err(error) => format!("{place}: {error}"),
        },
    };
    let in_force = store.register();
    if in_force.generation() == 0 {
        return Err(config_error(&reason));
    }
    tracing::error!(
        %reason,
        generation = in_force.generation(),
        participants = in_force.iter().count(),
        "the participant register on disk is not in force; the gateway goes on with the one that was last: whom the file suspends may still act"
    );
    Ok(Some(reason))
}

fn settings(config: &Config) -> Settings {
    let OverdueAfter { condition_notice, non_attendance_report, lab_result } = config.overdue_after_s;
    let millis = |seconds: u64| i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    let settings = Settings {
        identity_mode: config.identity_mode.into(),
        overdue_after: store::OverdueAfter {
            notice_millis: millis(condition_notice.get()),
            report_millis: millis(non_attendance_report.get()),
            result_millis: millis(lab_result.get()),
        },
        ..Settings::default()
    };
    config.limits.gateway(settings)
}

/// What the data disk of a gateway is held to.
#[must_use]
pub fn disk_bounds(config: &Config) -> DiskBounds {
    match config.identity_mode {
        IdentityMode::Test => TEST_DISK,
        IdentityMode::Production => DiskBounds { low_water: LOW_WATER_BYTES, reserve: RESERVE_BYTES },
    }
}

/// What the configuration says of the store.
///
/// # Errors
/// [`CliError::Config`] for keys that cannot be used.
pub fn store_options(config: &Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Options, CliError> {
    let key = |error: ConfigError| config_error(&error);
    let storage_key = read_storage_key(&config.storage_key_file).map_err(key)?;
    let log_key = read_log_key(&config.log_key_file, &config.origin).map_err(key)?;
    let signer = LogSigner::from_text(&log_key).map_err(|error| config_error(&format!("{}: {error}", config.log_key_file.display())))?;
    Ok(Options {
        dir: config.data_dir.clone(),
        origin: config.origin.as_str().parse().map_err(|error| config_error(&error))?,
        storage_key,
        log_signer: signer,
        high_water_file: config.high_water_file.clone(),
        erase_within_millis: i64::try_from(config.erase_within_s.get().saturating_mul(1000)).unwrap_or(i64::MAX),
        records_keep_months: u32::try_from(config.records_keep_months.get()).unwrap_or(u32::MAX),
        files: Arc::new(RealDisk),
        disk: disk_bounds(config),
        journal: JournalBounds { file: config.journal_file_bytes.get(), turn: config.journal_turn_bytes.get() },
        clock,
        entropy,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        test_mode: config.identity_mode == IdentityMode::Test,
        hold_ground: config.hold_ground.clone(),
        seen_elsewhere: None,
        previous_checkpoint: None,
        on_fatal: end_process(),
    })
}

/// Why a store cannot be used, with the exit code that tells a service manager whether to try again.
#[must_use]
pub fn store_error(error: &OpenError) -> CliError {
    match error {
        OpenError::Damaged(_) | OpenError::Mark(_) | OpenError::Io { .. } | OpenError::Stopped => CliError::Storage(error.to_string()),
        other => config_error(other),
    }
}

async fn open_store(
    config: &Config,
    witnessing: Option<&Witnessing>,
    (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    on_fatal: OnFatal,
) -> Result<(Arc<dyn Store>, String), CliError> {
    let mut options = Options { on_fatal, ..store_options(config, clock, entropy)? };
    if let Some(witnessing) = witnessing {
        options.seen_elsewhere = witnessing.seen(&config.data_dir, &options.log_signer).await?;
    }
    let vkey = options.log_signer.verifier().to_string();
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(options)).await;
    let opened = opened.map_err(|_| CliError::Storage("opening the store failed; the log above says where".to_owned()))?;
    Ok((opened.map_err(|error| store_error(&error))?, vkey))
}
