//! `samband look-up` and `samband set-contact`: counterparts, and a unit's own contact.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, ConnectArgs};
use super::exit::CliError;
use super::output::Output;
use super::role::Role;
use super::schema::Service;
use crate::domain::unseen::shown;

/// What `look-up --help` shows.
pub const LOOK_UP_HELP: &str = "Examples:
  samband look-up --as prosecution --identity certs-dev/politi-oslo --municipality 3411
  samband look-up --as laboratory --identity certs-dev/lab-ous";

/// What `set-contact --help` shows.
pub const SET_CONTACT_HELP: &str = "Examples:
  samband set-contact --role-name 'Rådgivende enhet for russaker' --phone +4700000003 --identity certs-dev/ru-oslo

A role or function, never a person's name. Counterparts see it in look-up at once.";

/// Arguments of `look-up`.
#[derive(Debug, Args)]
pub struct LookUpArgs {
    /// Only this participant
    #[arg(long, value_name = "ID")]
    pub participant: Option<String>,
    /// Only the unit that serves this municipality (for the prosecution)
    #[arg(long, value_name = "NUMBER")]
    pub municipality: Option<String>,
    /// The caller's role
    #[arg(long = "as", value_enum, value_name = "ROLE", env = "SAMBAND_ROLE")]
    pub role: Role,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Arguments of `set-contact`.
#[derive(Debug, Args)]
pub struct SetContactArgs {
    /// Name of the role or function
    #[arg(long, value_name = "NAME")]
    pub role_name: String,
    /// Phone as +4712345678
    #[arg(long, value_name = "NUMBER", required_unless_present = "email")]
    pub phone: Option<String>,
    /// E-mail
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs `look-up`, page by page.
///
/// # Errors
/// See [`CliError`].
pub async fn look_up(args: &LookUpArgs, out: Output) -> Result<(), CliError> {
    if args.municipality.is_some() && args.role != Role::Prosecution {
        return Err(CliError::Usage("--municipality is for the prosecution, which addresses notices".to_owned()));
    }
    let client = Client::new(&args.connect)?;
    let mut after = String::new();
    loop {
        let mut request = json!({"after_participant_id": after});
        for (name, value) in [("participant_id", &args.participant), ("municipality", &args.municipality)] {
            if let Some(value) = value {
                request[name] = value.as_str().into();
            }
        }
        let page = client.ask(args.role.service(), "LookUp", &request).await?;
        for counterpart in page["counterparts"].as_array().into_iter().flatten() {
            out.result(&counterpart_text(counterpart), counterpart);
        }
        after = page["next_after_participant_id"].as_str().unwrap_or_default().to_owned();
        if after.is_empty() {
            return Ok(());
        }
    }
}

fn counterpart_text(counterpart: &Value) -> String {
    let text = |name: &str| counterpart[name].as_str().unwrap_or_default();
    let mut lines = vec![format!("{}  {}  org. {}", text("id"), shown(text("name")), text("organisation_number"))];
    let municipalities: Vec<&str> = counterpart["municipalities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !municipalities.is_empty() {
        lines.push(format!("  serves {}", municipalities.join(", ")));
    }
    for contact in counterpart["contacts"].as_array().into_iter().flatten() {
        let part = |name: &str| contact[name].as_str().unwrap_or_default();
        lines.push(format!("  {} {} {}", part("role_name"), part("phone"), part("email")).trim_end().to_owned());
    }
    if counterpart["suspended"].as_bool() == Some(true) {
        lines.push("  suspended: what is sent to it waits".to_owned());
    }
    if let Some(successor) = counterpart["successor_id"].as_str() {
        lines.push(format!("  retired: {successor} has its mail, cases and messages"));
    }
    lines.join("\n")
}

/// Runs `set-contact`.
///
/// # Errors
/// See [`CliError`].
pub async fn set_contact(args: &SetContactArgs, out: Output) -> Result<(), CliError> {
    let client = Client::new(&args.connect)?;
    let mut request = json!({"role_name": args.role_name});
    for (name, value) in [("phone", &args.phone), ("email", &args.email)] {
        if let Some(value) = value {
            request[name] = value.as_str().into();
        }
    }
    client.ask(Service::Municipal, "SetContact", &request).await?;
    out.result("the contact is set", &json!({"set": true}));
    Ok(())
}
