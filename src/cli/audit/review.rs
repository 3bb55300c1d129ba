//! `samband audit review`: states that a period was reviewed, or shows what was and what was not.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::client::{Client, ConnectArgs};
use crate::cli::exit::CliError;
use crate::cli::output::Output;
use crate::cli::schema::Service;

/// What `audit review --help` shows.
pub const HELP: &str = "Examples:
  samband audit review --identity certs-dev/tilsyn
  samband audit review --identity certs-dev/tilsyn --from 2026-10-01 --to 2026-10-31

Without a period it shows what was reviewed and what was not. The log is to be reviewed regularly (politiregisterforskriften § 40-13). The statement is an entry of the log itself, with the label of your key.
Days are whole days in Oslo, from the first whose records are kept; the last one must be over.";

/// Arguments of `audit review`.
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// First day that was reviewed, YYYY-MM-DD
    #[arg(long, value_name = "DAY", requires = "to")]
    pub from: Option<String>,
    /// Last day that was reviewed, YYYY-MM-DD
    #[arg(long, value_name = "DAY", requires = "from")]
    pub to: Option<String>,
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Runs the command.
///
/// # Errors
/// See [`CliError`].
pub async fn run(args: &ReviewArgs, out: Output) -> Result<(), CliError> {
    let client = Client::new(&args.connect)?;
    if let (Some(from), Some(to)) = (&args.from, &args.to) {
        client.ask(Service::Audit, "Review", &json!({"days": {"from": from, "to": to}})).await?;
        out.result(&format!("reviewed {from} to {to}"), &json!({"reviewed": {"from": from, "to": to}}));
        return Ok(());
    }
    let answer = client.ask(Service::Audit, "ListReviews", &json!({})).await?;
    let list = |name: &str| answer.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let days = |value: &Value| format!("{} to {}", text(value, "from"), text(value, "to"));
    let mut shown = Vec::new();
    for review in list("reviews") {
        let period = review.get("days").map(days).unwrap_or_default();
        shown.push(format!("reviewed    {period} by {} ({})", text(&review, "auditor"), text(&review, "key_label")));
    }
    if let Some(left) = answer.get("left_out").and_then(Value::as_u64).filter(|left| *left > 0) {
        shown.insert(0, format!("{left} older reviews are not listed, but counted"));
    }
    shown.extend(list("unreviewed").iter().map(|stretch| format!("unreviewed  {}", days(stretch))));
    let erased_before = answer.get("erased_before").and_then(Value::as_str).filter(|day| !day.is_empty());
    if shown.is_empty() {
        let over = if erased_before.is_some() { "no day whose records can be read is over yet" } else { "no day is over yet" };
        shown.push(format!("nothing to review: {over}"));
    }
    if let Some(day) = erased_before {
        let lacks = |name: &str| answer.get(name).and_then(Value::as_bool).unwrap_or_default();
        let why = match (lacks("before_erased"), lacks("before_unreadable")) {
            (true, false) => "their records are erased by their retention rule",
            (false, true) => "none of their records is erased, but they cannot be read",
            _ => "some of their records are erased by their retention rule, others should be there and cannot be read",
        };
        shown.push(format!("not counted days before {day}, reviewed or not: {why}"));
    }
    let unreadable: Vec<String> = list("unreadable").iter().map(ToString::to_string).collect();
    if !unreadable.is_empty() {
        let which = unreadable.join(", ");
        shown.push(format!(
            "not read    entries {which}: ask the operator to stop the gateway and run `samband audit fsck DATA_DIR --storage-key FILE`"
        ));
    }
    out.result(&shown.join("\n"), &answer);
    Ok(())
}
