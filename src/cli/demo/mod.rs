//! `samband demo`: everything end to end on one machine, each expectation checked.
//!
//! A development PKI, a gateway on the embedded store, its parties over mutual TLS on a loopback port, a restart in between, then the auditor.

mod account;
mod auditor;
mod cast;
mod forbidden;
mod people;
mod story;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use crate::config::Config;
use crate::regular_file::{self, Links};
use crate::store::embedded::end_process;
use crate::tls::files;

use super::audit::checkpoint;
use super::dev_home::DevHome;
use super::exit::CliError;
use super::explain::Refusal;
use super::gateway::Serving;
use super::output::Output;
use super::receipt::{prove, read_vkey};
use super::schema::Service;
use super::send::split_receipt;
use cast::{Cast, expect};
use people::Days;

/// What `demo --help` shows.
pub const HELP: &str = "Examples:
  samband demo
  samband demo --dir demo

With --dir it leaves behind what anyone can check with tools of their own: DIR/log (tlog-tiles with `checkpoint`), DIR/log.vkey, and each
receipt as DIR/receipts/*.tlog-proof with its 33 bytes of leaf as *.leaf. It exits 0 only if every expectation held.";

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave log, key and receipts in this folder; without it nothing is left
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The running story.
#[derive(Debug)]
struct Stage {
    out: Output,
    days: Days,
    cast: Cast,
    steps: usize,
}

impl Stage {
    fn chapter(&self, title: &str) {
        self.out.result(&format!("\n{title}"), &json!({"chapter": title}));
    }

    /// A step whose expectations held.
    fn step(&mut self, what: &str) {
        self.steps += 1;
        self.out.result(&format!("  ok  {what}"), &json!({"step": what, "ok": true}));
    }

    /// A forbidden attempt that was refused as it must be.
    fn refused(&mut self, party: &'static str, what: &str, refusal: &Refusal, expected: &str) -> Result<(), CliError> {
        expect(refusal.reason() == expected, &format!("{party} {what}: refused with {expected}, not {}", refusal.reason()))?;
        self.cast.ledger.note(party, "tried", format!("{what}: refused, {expected}"));
        self.step(&format!("{party} {what}: refused, {expected}"));
        Ok(())
    }
}

/// A folder that is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Result<Self, CliError> {
        let mut random = [0_u8; 8];
        SystemEntropy::default().fill(&mut random);
        let dir = std::env::temp_dir().join(format!("samband-demo-{:016x}", u64::from_le_bytes(random)));
        files::make_private_dir(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the command.
///
/// # Errors
/// The first expectation that did not hold.
pub async fn run(args: &DemoArgs, out: Output) -> Result<(), CliError> {
    match &args.dir {
        Some(dir) => {
            for name in ["gateway", "log", "receipts"] {
                let path = dir.join(name);
                if path.exists() {
                    return Err(CliError::Usage(format!(
                        "{}: is there from an earlier demo; name another folder, or remove it",
                        path.display()
                    )));
                }
            }
            play(dir, out).await?;
            let dir = dir.display();
            out.note(&format!("\nLeft behind: {dir}/log, {dir}/log.vkey, {dir}/receipts\nCheck them: samband audit verify {dir}/log --vkey {dir}/log.vkey --receipts {dir}/receipts"));
            Ok(())
        }
        None => {
            let temporary = Temporary::new()?;
            play(&temporary.0, out).await
        }
    }
}

async fn start(config: &Config, stage: &mut Stage) -> Result<Serving, CliError> {
    let serving = Serving::start(config, config.listen, end_process()).await?;
    stage.cast.connect(serving.address());
    Ok(serving)
}

async fn play(dir: &Path, out: Output) -> Result<(), CliError> {
    let any_port = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let home = DevHome::prepare(&dir.join("gateway"), any_port)?;
    forbidden::issue_stranger(home.pki())?;
    let config = Config::load(&home.config_file()).map_err(|error| CliError::Config(error.to_string()))?;
    let days = Days::new(SystemClock.now().oslo_date());
    let mut stage = Stage { out, days, cast: Cast::new(home.pki()), steps: 0 };
    let (verifier, origin) = read_vkey(&home.vkey_file())?;

    stage.chapter("A gateway, nothing prepared");
    let serving = start(&config, &mut stage).await?;
    stage.step(&format!("development PKI made; the gateway listens on {}, TLS 1.3 with client certificates", serving.address()));
    let first = checkpoint::fetch(&stage.cast.client("tilsyn")?).await?.checkpoint;
    let opened = story::notices(&mut stage).await?;
    forbidden::six_attempts(&mut stage, &opened).await?;

    stage.chapter("The gateway is stopped and started again on the same folder");
    serving.stop().await?;
    let serving = start(&config, &mut stage).await?;
    same_receipts(&mut stage).await?;
    story::answers(&mut stage, &opened).await?;
    let proofs = auditor::online(&mut stage, &first, &verifier, &origin).await?;
    serving.stop().await?;

    let receipts = dir.join("receipts");
    leave(&mut stage, &home, dir, &receipts, &verifier, &origin)?;
    auditor::offline(&mut stage, &dir.join("log"), &receipts, proofs, &verifier, &origin)?;
    auditor::no_names_on_disk(&mut stage, &home.data_dir())?;
    account::print(&stage.cast.ledger, out);
    out.result(&format!("\nAll {} steps held.", stage.steps), &json!({"held": true, "steps": stage.steps}));
    Ok(())
}

/// The receipts of before the restart come again, byte for byte.
async fn same_receipts(stage: &mut Stage) -> Result<(), CliError> {
    let earlier = stage.cast.ledger.receipts.clone();
    for (name, message_id, service, party, receipt) in &earlier {
        let answer = stage.cast.ask(party, *service, "GetReceipt", &json!({"message_id": message_id.to_string()})).await?;
        let (_, again) = split_receipt(&answer["accepted"])?;
        expect(again == *receipt, &format!("the receipt {name} comes again byte for byte after the restart"))?;
    }
    stage.step(&format!("all {} receipts come again, byte for byte", earlier.len()));
    let items = stage.cast.receive("ru-oslo", Service::Municipal, false).await?;
    expect(items.is_empty(), "what was acknowledged before the restart stays acknowledged")?;
    stage.step("what was acknowledged stays acknowledged");
    Ok(())
}

/// Copies the published log, the public key and the receipts to where anyone can check them.
fn leave(
    stage: &mut Stage,
    home: &DevHome,
    dir: &Path,
    receipts: &Path,
    verifier: &crate::audit::note::LogVerifier,
    origin: &crate::audit::checkpoint::Origin,
) -> Result<(), CliError> {
    files::make_private_dir(receipts)?;
    for (name, _, _, _, receipt) in &stage.cast.ledger.receipts {
        let text = std::str::from_utf8(receipt).map_err(|_| CliError::Failed(format!("the receipt {name} is no text")))?;
        let proved = prove(text, verifier, origin).map_err(|error| CliError::Failed(format!("the receipt {name}: {error}")))?;
        files::write(&receipts.join(format!("{name}.tlog-proof")), receipt, 0o644)?;
        files::write(&receipts.join(format!("{name}.leaf")), proved.leaf.as_bytes(), 0o644)?;
    }
    copy_file(&home.vkey_file(), &dir.join("log.vkey")).map_err(|error| CliError::file(&home.vkey_file(), &error))?;
    copy_folder(&home.data_dir().join("log"), &dir.join("log"))
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut content = regular_file::open(from, Links::Refuse)?;
    io::copy(&mut content, &mut fs::File::create_new(to)?).map(drop)
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), CliError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| CliError::file(&path, &error)
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let path = entry.map_err(failed(from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            copy_file(&path, &target).map_err(failed(&path))?;
        }
    }
    Ok(())
}
