//! `samband participants list|show|diff`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::exit::CliError;
use super::super::output::Output;
use super::super::register_state::{Answer, ask};
use super::{FileArgs, is_known, open};
use crate::config::participants::load_register;
use crate::domain::participant::{Participant, Register, Standing};
use crate::domain::register_change::{RegisterChange, changes};
use crate::domain::register_past::RegisterPast;
use crate::domain::unseen::shown;

pub const LIST_HELP: &str = "Examples:
  samband participants list --config /etc/samband/samband.toml
  samband participants list --file participants.toml --json";

pub const SHOW_HELP: &str = "Examples:
  samband participants show politi-oslo --config /etc/samband/samband.toml";

pub const DIFF_HELP: &str = "Examples:
  samband participants diff --config /etc/samband/samband.toml
  samband participants diff --file new.toml --in-force participants.toml

With --config the running gateway is asked over admin_listen what is in force; with --in-force another file stands for it. Prints nothing
when there is no difference. The gateway also refuses to remove whoever has mail or open cases: that only it can know. Says when the file is
not in force because the gateway refused it.";

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
    let mut text =
        format!("{:<24} {:<14} {:<9} {}", entry.id.as_str(), entry.role.word(), standing_word(entry.standing), shown(&entry.name));
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
    let (past, refused) = match (&args.in_force, args.register.config()?) {
        (Some(file), _) => {
            let before = load_register(file, 1, &is_known).map_err(|error| CliError::Config(error.to_string()))?;
            (RegisterPast::new(before.into(), BTreeMap::new(), BTreeSet::new()), None)
        }
        (None, Some(config)) => match config.admin_listen {
            Some(admin) => {
                let Answer { past, file_refused, .. } = ask(admin.get())?;
                (past, file_refused)
            }
            None => return Err(CliError::Usage("the configuration has no admin_listen to ask; name a file with --in-force".to_owned())),
        },
        (None, None) => return Err(CliError::Usage("say what is in force: --config, or a file with --in-force".to_owned())),
    };
    tell(&changes(past.in_force(), open.register()), out);
    past.check(open.register()).map_err(|error| CliError::Config(format!("the gateway would refuse the file: {error}")))?;
    match refused {
        Some(reason) => Err(CliError::Config(format!("the file is not in force, the gateway refused it: {reason}"))),
        None => Ok(()),
    }
}
