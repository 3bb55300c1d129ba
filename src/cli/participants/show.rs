//! `samband participants list|show|diff`.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::super::exit::CliError;
use super::super::output::Output;
use super::{FileArgs, is_known, open};
use crate::config::participants::load_register;
use crate::domain::participant::{Participant, Register, Standing};
use crate::domain::register_change::{RegisterChange, changes};

pub const LIST_HELP: &str = "Examples:
  samband participants list --config /etc/samband/samband.toml
  samband participants list --file participants.toml --json";

pub const SHOW_HELP: &str = "Examples:
  samband participants show politi-oslo --config /etc/samband/samband.toml";

pub const DIFF_HELP: &str = "Examples:
  samband participants diff --config /etc/samband/samband.toml
  samband participants diff --file new.toml --in-force participants.toml

With --config the running gateway is asked over admin_listen what is in force; with --in-force another file stands for it. Prints nothing
when there is no difference. The gateway also refuses to remove whoever has mail or open cases, and ids of earlier registers: that only it
can know.";

/// The largest answer of the administrative listener, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub register: FileArgs,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The participant's id
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub register: FileArgs,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    #[command(flatten)]
    pub register: FileArgs,
    /// A file that stands for the register in force
    #[arg(long, value_name = "FILE")]
    pub in_force: Option<PathBuf>,
}

pub const fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Suspended => "suspended",
        Standing::Retired => "retired",
    }
}

/// Lists.
///
/// # Errors
/// A file that cannot be read or would be refused.
pub fn list(args: &ListArgs, out: Output) -> Result<(), CliError> {
    let open = open(&args.register)?;
    for entry in open.register().iter() {
        out.result(&line(entry, open.register()), &json!(entry.as_ref()));
    }
    Ok(())
}

fn line(entry: &Participant, register: &Register) -> String {
    let mut text = format!("{:<24} {:<14} {:<9} {}", entry.id.as_str(), entry.role.word(), standing_word(entry.standing), entry.name);
    if let Some(heir) = register.heir_of(&entry.id) {
        text.push_str(&format!(" → {heir}"));
    }
    text
}

/// Shows one.
///
/// # Errors
/// A file that cannot be read or would be refused, or nobody of that id.
pub fn show(args: &ShowArgs, out: Output) -> Result<(), CliError> {
    let open = open(&args.register)?;
    let id = super::edit::id(&args.id)?;
    let unknown = || CliError::Usage(format!("participant {id} is not in the register; `samband participants list` shows who is"));
    let entry = open.register().get(&id).ok_or_else(unknown)?;
    out.result(&whole(entry, open.register()), &json!(entry.as_ref()));
    Ok(())
}

fn whole(entry: &Participant, register: &Register) -> String {
    let mut lines = vec![line(entry, register), format!("  organisation {}", entry.organisation_number)];
    for key in &entry.keys {
        let by = key.operated_by.map_or_else(String::new, |number| format!(", operated by the supplier {number}"));
        lines.push(format!("  key {} {}{by}", key.label, key.hash));
    }
    if !entry.municipalities.is_empty() {
        let numbers: Vec<_> = entry.municipalities.iter().map(ToString::to_string).collect();
        lines.push(format!("  serves {}", numbers.join(", ")));
    }
    for contact in &entry.contacts {
        let reach: Vec<&str> = [&contact.phone, &contact.email].into_iter().flatten().map(String::as_str).collect();
        lines.push(format!("  contact {}: {} {}", contact.key, contact.role_name, reach.join(" ")));
    }
    if let Some(successor) = &entry.successor {
        lines.push(format!("  successor {successor}"));
    }
    let before = register.predecessors(&entry.id);
    if !before.is_empty() {
        let names: Vec<_> = before.iter().map(ToString::to_string).collect();
        lines.push(format!("  has what {} had", names.join(", ")));
    }
    lines.join("\n")
}

/// Prints what changes, a line each.
pub fn tell(found: &[RegisterChange], out: Output) {
    for change in found {
        let RegisterChange { participant, kind, text } = change;
        out.result(&change.to_string(), &json!({"participant": participant, "change": kind, "text": text}));
    }
}

/// Compares.
///
/// # Errors
/// A file that cannot be read or would be refused; a gateway that does not answer.
pub fn diff(args: &DiffArgs, out: Output) -> Result<(), CliError> {
    let open = open(&args.register)?;
    let before = match (&args.in_force, args.register.config()?) {
        (Some(file), _) => load_register(file, 1, &is_known).map_err(|error| CliError::Config(error.to_string()))?,
        (None, Some(config)) => match config.admin_listen {
            Some(admin) => in_force(admin.get())?,
            None => return Err(CliError::Usage("the configuration has no admin_listen to ask; name a file with --in-force".to_owned())),
        },
        (None, None) => return Err(CliError::Usage("say what is in force: --config, or a file with --in-force".to_owned())),
    };
    tell(&changes(&before, open.register()), out);
    open.register().check_follows(&before).map_err(|error| CliError::Config(format!("the gateway would refuse the file: {error}")))
}

#[derive(Deserialize)]
struct InForce {
    generation: u64,
    participant: Vec<Participant>,
}

/// The register of the gateway behind `admin`, which listens on this machine only.
pub fn in_force(admin: SocketAddr) -> Result<Register, CliError> {
    let unreachable = |error: &std::io::Error| {
        CliError::Unreachable(format!("the gateway does not answer at {admin}: {error}; start it, or name a file with --in-force"))
    };
    let answer = ask(admin).map_err(|error| unreachable(&error))?;
    let other = || CliError::Unreachable(format!("what answers at {admin} is no gateway of this version"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(other)?;
    let found: InForce =
        Some(body).filter(|_| head.starts_with("HTTP/1.1 200 ")).and_then(|body| toml::from_str(body).ok()).ok_or_else(other)?;
    Register::new(found.generation, found.participant, &|_| true).map_err(|_| other())
}

fn ask(admin: SocketAddr) -> std::io::Result<String> {
    let mut socket = TcpStream::connect_timeout(&admin, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET /register HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    socket.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}
